/* SPDX-License-Identifier: Apache-2.0 */
/* What the CPU says of itself. */
#ifndef DWC_CORE_CPU_H
#define DWC_CORE_CPU_H

#include "dwconv.h"

/* Fills vendor, cpu, family, model and best_isa of a machine: the best instruction set that the CPU has, the operating
 * system saves and this library has kernels for. */
void dwci_cpu_identify(dwc_machine *machine);

#endif
