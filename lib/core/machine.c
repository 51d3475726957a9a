/* SPDX-License-Identifier: Apache-2.0 */
/* Where the machine description comes from. hwloc complains on stderr where there is no /sys, so it is not asked there.
 */
#include "core/machine.h"
#include "core/cpu.h"
#include "core/error.h"

#include <string.h>
#include <unistd.h>

dwc_status dwci_machine_describe(const char *synthetic, dwc_machine *machine, dwc_error *error) {
    memset(machine, 0, sizeof *machine);
    dwci_cpu_identify(machine);
#ifdef DWC_HAVE_HWLOC
    if (synthetic)
        return dwci_machine_from_hwloc(synthetic, machine, error);
    if (access("/sys/devices/system/cpu", R_OK) == 0 && dwci_machine_from_hwloc(NULL, machine, NULL) == DWC_OK)
        return DWC_OK;
#endif
    if (synthetic)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "topology: this build has no hwloc to read '%.128s'", synthetic);
    dwci_machine_from_sysfs(machine);
    return DWC_OK;
}
