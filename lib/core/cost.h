/* SPDX-License-Identifier: Apache-2.0 */
/* The first cost model: a roofline with typical constants of the instruction set. */
#ifndef DWC_CORE_COST_H
#define DWC_CORE_COST_H

#include "algo/algo.h"

/* Bytes of the tensors that pass through the caches. */
double dwci_cost_footprint(const dwci_case *c);

/* Bytes of a core's data caches and of the last cache, guesses where they are not known. */
double dwci_first_cache(const dwc_machine *machine);
double dwci_second_cache(const dwc_machine *machine);
double dwci_last_cache(const dwc_machine *machine);

/* Will the tensors come from memory rather than from a cache? As the case says, else by their size: a cache shared with
 * others never holds as much as its own. */
bool dwci_cost_from_memory(const dwci_case *c);

/* Seconds on `threads` threads of an algorithm that reaches `efficiency` of the peak arithmetic rate and streams input,
 * filter and output once: arithmetic + memory time for one thread, the larger of the two for several. */
double dwci_cost_roofline(const dwci_case *c, double efficiency, int threads);

/* The number of threads, at most c->threads and `units`, for which each gets enough work to pay for starting it while
 * it still waits for work (one that sleeps takes longer to wake than small problems take). */
int dwci_cost_threads(const dwci_case *c, double efficiency, int64_t units);

#endif
