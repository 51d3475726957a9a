/* SPDX-License-Identifier: Apache-2.0 */
/* The machine description: cores, caches and NUMA nodes, by hwloc where the build has it, else from Linux's sysfs. */
#ifndef DWC_CORE_MACHINE_H
#define DWC_CORE_MACHINE_H

#include "dwconv.h"

/* Fills everything but `isa`. `synthetic` is an hwloc synthetic topology ("pack:2 l3:1 core:4 pu:1") or NULL for this
 * machine. DWC_INVALID_ARGUMENT: a synthetic text that cannot be read, or given to a build without hwloc. */
dwc_status dwci_machine_describe(const char *synthetic, dwc_machine *machine, dwc_error *error);

/* Which cores the threads of parallel runs stay on. enter moves the calling thread to the core of thread i and returns
 * where it was before, for leave; NULL (and nothing done) if the system refuses. Thread-safe. The cores are those that
 * the process may run on when the binding is made; DWC_NOT_APPLICABLE without hwloc. */
typedef struct dwci_binding dwci_binding;
dwc_status dwci_binding_create(const dwc_allocator *allocator, dwci_binding **binding, dwc_error *error);
void dwci_binding_destroy(const dwc_allocator *allocator, dwci_binding *binding);
void *dwci_binding_enter(const dwci_binding *binding, int i);
void dwci_binding_leave(const dwci_binding *binding, void *before);

/* The two sources, cores and caches only; the first in a build with hwloc only, the second never fails. */
dwc_status dwci_machine_from_hwloc(const char *synthetic, dwc_machine *machine, dwc_error *error);
void dwci_machine_from_sysfs(dwc_machine *machine);

/* Behind dwci_binding_create, in a build with hwloc. */
dwc_status dwci_binding_from_hwloc(const dwc_allocator *allocator, dwci_binding **binding, dwc_error *error);

#endif
