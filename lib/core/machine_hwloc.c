/* SPDX-License-Identifier: Apache-2.0 */
/* Machine description and binding of threads by hwloc. The one file that includes it. */
#include "core/error.h"
#include "core/machine.h"
#include "core/memory.h"

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

/* The topology of this machine, or a synthetic one. */
static dwc_status load_topology(const char *synthetic, hwloc_topology_t *result, dwc_error *error) {
    hwloc_topology_t topology = NULL;
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
    *result = topology;
    return DWC_OK;
}

dwc_status dwci_machine_from_hwloc(const char *synthetic, dwc_machine *machine, dwc_error *error) {
    hwloc_topology_t topology = NULL;
    dwc_status status = load_topology(synthetic, &topology, error);
    if (status != DWC_OK)
        return status;
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

struct dwci_binding {
    hwloc_topology_t topology;
    int count;
    hwloc_bitmap_t cores[]; /* the hardware threads of each usable core */
};

void dwci_binding_destroy(const dwc_allocator *allocator, dwci_binding *binding) {
    if (!binding)
        return;
    for (int i = 0; i < binding->count; i++)
        hwloc_bitmap_free(binding->cores[i]);
    hwloc_topology_destroy(binding->topology);
    dwci_release(allocator, binding);
}

/* The cores inside `allowed`. False when out of memory. */
static int add_cores(dwci_binding *binding, hwloc_const_bitmap_t allowed, int cores) {
    for (int i = 0; i < cores; i++) {
        hwloc_obj_t core = hwloc_get_obj_by_type(binding->topology, HWLOC_OBJ_CORE, (unsigned)i);
        if (!core || !hwloc_bitmap_intersects(core->cpuset, allowed))
            continue;
        hwloc_bitmap_t place = hwloc_bitmap_dup(core->cpuset);
        if (!place)
            return 0;
        hwloc_bitmap_and(place, place, allowed);
        binding->cores[binding->count++] = place;
    }
    return 1;
}

dwc_status dwci_binding_from_hwloc(const dwc_allocator *allocator, dwci_binding **result, dwc_error *error) {
    hwloc_topology_t topology = NULL;
    dwc_status status = load_topology(NULL, &topology, error);
    if (status != DWC_OK)
        return status;
    const int cores = at_least_one(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE));
    dwci_binding *binding = dwci_allocate(allocator, sizeof *binding + (size_t)cores * sizeof *binding->cores);
    hwloc_bitmap_t allowed = hwloc_bitmap_alloc();
    if (!binding || !allowed) {
        dwci_release(allocator, binding);
        hwloc_bitmap_free(allowed);
        hwloc_topology_destroy(topology);
        return dwci_fail(error, DWC_OUT_OF_MEMORY, "bind: no memory for the binding of %d cores", cores);
    }
    binding->topology = topology;
    binding->count = 0;
    const int known = hwloc_get_cpubind(topology, allowed, HWLOC_CPUBIND_PROCESS) == 0;
    const int complete = !known || add_cores(binding, allowed, cores), count = binding->count;
    hwloc_bitmap_free(allowed);
    if (!complete || count == 0) {
        dwci_binding_destroy(allocator, binding);
        return complete ? dwci_fail(error, DWC_INTERNAL_ERROR, "bind: hwloc finds no core that this process may run on")
                        : dwci_fail(error, DWC_OUT_OF_MEMORY, "bind: no memory for the binding of %d cores", cores);
    }
    *result = binding;
    return DWC_OK;
}

void *dwci_binding_enter(const dwci_binding *binding, int i) {
    hwloc_bitmap_t before = hwloc_bitmap_alloc();
    if (before && hwloc_get_cpubind(binding->topology, before, HWLOC_CPUBIND_THREAD) == 0 &&
        hwloc_set_cpubind(binding->topology, binding->cores[i % binding->count], HWLOC_CPUBIND_THREAD) == 0)
        return before;
    hwloc_bitmap_free(before);
    return NULL;
}

void dwci_binding_leave(const dwci_binding *binding, void *before) {
    if (before) {
        hwloc_set_cpubind(binding->topology, before, HWLOC_CPUBIND_THREAD);
        hwloc_bitmap_free(before);
    }
}
