/* SPDX-License-Identifier: Apache-2.0 */
/* Where the machine description comes from. hwloc complains on stderr where there is no /sys, so it is not asked there.
 */
#include "core/machine.h"
#include "core/cpu.h"
#include "core/error.h"

#include <string.h>
#include <unistd.h>

/* Is there something for hwloc to read? */
static int has_sysfs(void) {
    return access("/sys/devices/system/cpu", R_OK) == 0;
}

dwc_status dwci_binding_create(const dwc_allocator *allocator, dwci_binding **binding, dwc_error *error) {
#ifdef DWC_HAVE_HWLOC
    if (has_sysfs())
        return dwci_binding_from_hwloc(allocator, binding, error);
#endif
    (void)allocator, (void)binding;
    return dwci_fail(error, DWC_NOT_APPLICABLE, "bind: there is no hwloc, or no /sys for it, to bind threads with");
}

#ifndef DWC_HAVE_HWLOC
void dwci_binding_destroy(const dwc_allocator *allocator, dwci_binding *binding) {
    (void)allocator, (void)binding;
}

void *dwci_binding_enter(const dwci_binding *binding, int i) {
    (void)binding, (void)i;
    return NULL;
}

void dwci_binding_leave(const dwci_binding *binding, void *before) {
    (void)binding, (void)before;
}
#endif

dwc_status dwci_machine_describe(const char *synthetic, dwc_machine *machine, dwc_error *error) {
    memset(machine, 0, sizeof *machine);
    dwci_cpu_identify(machine);
#ifdef DWC_HAVE_HWLOC
    if (synthetic)
        return dwci_machine_from_hwloc(synthetic, machine, error);
    if (has_sysfs() && dwci_machine_from_hwloc(NULL, machine, NULL) == DWC_OK)
        return DWC_OK;
#endif
    if (synthetic)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "topology: this build has no hwloc to read '%.128s'", synthetic);
    dwci_machine_from_sysfs(machine);
    return DWC_OK;
}
