/* SPDX-License-Identifier: Apache-2.0 */
/* splitmix64 (Steele, Lea, Flood 2014): one 64-bit state, one multiply-xorshift chain per number. */
#include "rng.h"

uint64_t dwt_next(dwt_rng *rng) {
    uint64_t z = rng->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t dwt_between(dwt_rng *rng, int64_t low, int64_t high) {
    return low + (int64_t)(dwt_next(rng) % (uint64_t)(high - low + 1));
}

int dwt_chance(dwt_rng *rng, int64_t part, int64_t whole) {
    return dwt_between(rng, 1, whole) <= part;
}

double dwt_signed_unit(dwt_rng *rng) {
    return (double)(dwt_next(rng) >> 11) * 0x1p-52 - 1.0;
}
