/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded random problems and tensors for `dwconv check`. The same seed gives the same on every machine. */
#ifndef RANDOM_PROBLEM_H
#define RANDOM_PROBLEM_H

#include "dwconv.h"

typedef struct random_state {
    uint64_t state;
} random_state;

/* 64 random bits (splitmix64). */
uint64_t random_bits(random_state *random);

/* A number in low..high. */
int64_t random_range(random_state *random, int64_t low, int64_t high);

/* A valid problem: all types and layouts, images up to 24x24, taps up to 7x7, strides and dilations 1..4, multipliers
 * 1..5, every padding, bias and activation; now and then an empty tensor. */
dwc_problem random_problem(random_state *random);

/* A generator that depends on the seed and the problem only, for its tensors. */
random_state random_for_problem(uint64_t seed, const dwc_problem *problem);

/* Fills a tensor with values spread evenly over -1..1. */
void random_fill(random_state *random, dwc_dtype dtype, void *data, int64_t count);

#endif
