/* SPDX-License-Identifier: Apache-2.0 */
/* The registries: algorithms by name, kernel tables by instruction set. */
#ifndef DWC_CORE_REGISTRY_H
#define DWC_CORE_REGISTRY_H

#include "algo/algo.h"

extern const dwci_algo *const dwci_algos[]; /* in the order of algos.def */
extern const int dwci_algo_count;

/* NULL if there is none of that name. */
const dwci_algo *dwci_algo_find(const char *name);

/* The kernels of the best table that is not above `isa`. */
const dwci_kern_table *dwci_kern_table_for(dwc_isa isa);

#endif
