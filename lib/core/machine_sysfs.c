/* SPDX-License-Identifier: Apache-2.0 */
/* Machine description from Linux's sysfs, where hwloc is not there. A CPU counts as a core here, and NUMA nodes are
 * not told apart. */
#define _GNU_SOURCE
#include "core/machine.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* First integer of a file of /sys, times 1024 if a K follows; 0 if there is none. */
static int64_t sysfs_number(const char *path) {
    long long value = 0;
    char unit = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%lld%c", &value, &unit) < 1)
        value = 0;
    fclose(file);
    return unit == 'K' ? value * 1024 : value;
}

/* CPUs in a list such as "0-3,8-11". */
static int sysfs_list_length(const char *path) {
    int count = 0, from, to;
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    while (fscanf(file, "%d", &from) == 1) {
        to = from;
        int separator = fgetc(file);
        if (separator == '-' && fscanf(file, "%d", &to) == 1)
            separator = fgetc(file);
        count += to - from + 1;
        if (separator != ',')
            break;
    }
    fclose(file);
    return count;
}

void dwci_machine_from_sysfs(dwc_machine *machine) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t bound;
    machine->cores = online > 0 ? (int)online : 1;
    machine->usable_cores = machine->cores;
    if (sched_getaffinity(0, sizeof bound, &bound) == 0 && CPU_COUNT(&bound) > 0)
        machine->usable_cores = CPU_COUNT(&bound);
    machine->numa_nodes = 1;
    for (int i = 0; i < 8; i++) {
        char path[96], type[16] = "";
#define CACHE "/sys/devices/system/cpu/cpu0/cache/index%d/"
        snprintf(path, sizeof path, CACHE "type", i);
        FILE *file = fopen(path, "r");
        if (!file)
            break;
        if (fscanf(file, "%15s", type) != 1)
            type[0] = 0;
        fclose(file);
        if (strcmp(type, "Instruction") == 0)
            continue;
        snprintf(path, sizeof path, CACHE "level", i);
        int64_t level = sysfs_number(path);
        snprintf(path, sizeof path, CACHE "size", i);
        int64_t bytes = sysfs_number(path);
        snprintf(path, sizeof path, CACHE "shared_cpu_list", i);
        int sharers = sysfs_list_length(path);
#undef CACHE
        if (level == 1)
            machine->l1d_bytes = bytes;
        else if (level == 2)
            machine->l2_bytes = bytes, machine->l2_cores = sharers;
        else if (level == 3)
            machine->l3_bytes = bytes, machine->l3_cores = sharers;
    }
    snprintf(machine->source, sizeof machine->source, "sysfs");
}
