/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded random numbers (splitmix64): the same seed gives the same tests on every machine and with every compiler.
 *
 *     dwt_rng rng = {seed};
 *     int64_t taps = dwt_between(&rng, 1, 9);
 */
#ifndef DWT_RNG_H
#define DWT_RNG_H

#include <stdint.h>

typedef struct dwt_rng {
    uint64_t state;
} dwt_rng;

/* 64 random bits. */
uint64_t dwt_next(dwt_rng *rng);

/* A whole number, low <= it <= high. */
int64_t dwt_between(dwt_rng *rng, int64_t low, int64_t high);

/* 1 with probability part/whole, else 0. */
int dwt_chance(dwt_rng *rng, int64_t part, int64_t whole);

/* A number of [-1, 1). */
double dwt_signed_unit(dwt_rng *rng);

#endif
