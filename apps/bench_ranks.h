/* SPDX-License-Identifier: Apache-2.0 */
/* `dwconv bench` by several ranks: each measures its own part at the same time, with no communication while it computes
 * (resident); what counts is the slowest. Both functions are collective, and do nothing for one process. */
#ifndef BENCH_RANKS_H
#define BENCH_RANKS_H

#include "cli.h"
#include "dwconv_tune.h"

/* Problem of this rank. weak 0: its share of the batch; 1: the whole batch, of which there are then as many as ranks:
 * *whole gets that problem. EXIT_USAGE: there are fewer images than ranks. */
int bench_part(dwc_problem *whole, int weak, dwc_problem *part, cli_failure *failure);

/* Puts the slowest times, the worst verification and the smallest number of rounds of all ranks into the results. */
void bench_combine(dwc_bench_result *results, int count);

#endif
