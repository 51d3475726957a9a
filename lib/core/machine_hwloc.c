/* SPDX-License-Identifier: Apache-2.0 */
/* Machine description by hwloc. The one file that includes it. */
#include "core/error.h"
#include "core/machine.h"

#include <hwloc.h>
#include <stdio.h>

/* Size of the data or unified cache of this level, and how many cores share one. */
static void cache_of(hwloc_topology_t topology, hwloc_obj_type_t type, int64_t *bytes, int *cores) {
    hwloc_obj_t cache = hwloc_get_obj_by_type(topology, type, 0);
    if (!cache)
        return;
    *bytes = (int64_t)cache->attr->cache.size;
    if (cores)
        *cores = hwloc_get_nbobjs_inside_cpuset_by_type(topology, cache->cpuset, HWLOC_OBJ_CORE);
}

static int at_least_one(int count) {
    return count > 0 ? count : 1;
}

dwc_status dwci_machine_from_hwloc(const char *synthetic, dwc_machine *machine, dwc_error *error) {
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology))
        return dwci_fail(error, DWC_OUT_OF_MEMORY, "hwloc: a topology could not be created");
    if (synthetic && hwloc_topology_set_synthetic(topology, synthetic)) {
        hwloc_topology_destroy(topology);
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "topology: hwloc cannot read '%.128s'", synthetic);
    }
    if (hwloc_topology_load(topology)) {
        hwloc_topology_destroy(topology);
        return dwci_fail(error, DWC_INTERNAL_ERROR, "hwloc: the topology could not be loaded");
    }
    hwloc_obj_t root = hwloc_get_root_obj(topology);
    machine->cores = at_least_one(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE));
    machine->numa_nodes = at_least_one(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE));
    cache_of(topology, HWLOC_OBJ_L1CACHE, &machine->l1d_bytes, NULL);
    cache_of(topology, HWLOC_OBJ_L2CACHE, &machine->l2_bytes, &machine->l2_cores);
    cache_of(topology, HWLOC_OBJ_L3CACHE, &machine->l3_bytes, &machine->l3_cores);

    hwloc_bitmap_t bound = hwloc_bitmap_alloc();
    machine->usable_cores = machine->cores;
    if (bound && !synthetic && hwloc_get_cpubind(topology, bound, HWLOC_CPUBIND_PROCESS) == 0) {
        hwloc_bitmap_and(bound, bound, root->cpuset);
        /* Cores with at least one hardware thread in the binding. */
        int usable = 0;
        for (int i = 0; i < machine->cores; i++) {
            hwloc_obj_t core = hwloc_get_obj_by_type(topology, HWLOC_OBJ_CORE, (unsigned)i);
            usable += core && hwloc_bitmap_intersects(core->cpuset, bound);
        }
        machine->usable_cores = at_least_one(usable);
    }
    hwloc_bitmap_free(bound);
    hwloc_topology_destroy(topology);
    snprintf(machine->source, sizeof machine->source, synthetic ? "hwloc synthetic" : "hwloc");
    return DWC_OK;
}
