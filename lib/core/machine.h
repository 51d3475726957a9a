/* SPDX-License-Identifier: Apache-2.0 */
/* The machine description: cores, caches and NUMA nodes, by hwloc where the build has it, else from Linux's sysfs. */
#ifndef DWC_CORE_MACHINE_H
#define DWC_CORE_MACHINE_H

#include "dwconv.h"

/* Fills everything but `isa`. `synthetic` is an hwloc synthetic topology ("pack:2 l3:1 core:4 pu:1") or NULL for this
 * machine. DWC_INVALID_ARGUMENT: a synthetic text that cannot be read, or given to a build without hwloc. */
dwc_status dwci_machine_describe(const char *synthetic, dwc_machine *machine, dwc_error *error);

/* The two sources, cores and caches only; the first in a build with hwloc only, the second never fails. */
dwc_status dwci_machine_from_hwloc(const char *synthetic, dwc_machine *machine, dwc_error *error);
void dwci_machine_from_sysfs(dwc_machine *machine);

#endif
