/* SPDX-License-Identifier: Apache-2.0 */
/* Roofline with the constants of a typical server core of the last ten years, at the pace of this one. */
#include "core/cost.h"

/* float32 operations per second and core, rounded down from what such cores sustain at about 3 GHz. */
static const double typical_peak[] = {
    [DWC_ISA_BASELINE] = 25e9, [DWC_ISA_AVX2] = 90e9, [DWC_ISA_AVX512] = 110e9, [DWC_ISA_NEON] = 45e9};

/* A second thread that spins for work costs 1.1 us; 10 us of this roofline, the least for two, take 3 to 8. */
enum { THREAD_START_NS = 1500, WORTH_A_THREAD_NS = 5000 };

double dwci_cost_footprint(const dwci_case *c) {
    return (double)c->geometry.element_bytes *
           ((double)c->geometry.input_elements + (double)c->geometry.output_elements);
}

double dwci_first_cache(const dwc_machine *machine) {
    return machine->l1d_bytes > 0 ? (double)machine->l1d_bytes : 32 << 10;
}

double dwci_second_cache(const dwc_machine *machine) {
    return machine->l2_bytes > 0 ? (double)machine->l2_bytes : 512 << 10;
}

double dwci_last_cache(const dwc_machine *machine) {
    /* Virtual machines of a few cores may report the cache of the whole processor, which others fill as well. */
    static const double MOST_PER_CORE = 32 << 20;
    const double most = MOST_PER_CORE * (machine->l3_cores > 0 ? machine->l3_cores : 1);
    if (machine->l3_bytes)
        return (double)machine->l3_bytes < most ? (double)machine->l3_bytes : most;
    return machine->l2_bytes ? (double)machine->l2_bytes : 16e6;
}

bool dwci_cost_from_memory(const dwci_case *c) {
    if (c->cache != DWC_CACHE_AUTO)
        return c->cache == DWC_CACHE_COLD;
    /* A single image: on an AMD Zen 4 with 32 MiB, 22 MB (0.66 of it) took 0.5 to 0.6 of the time when planned as from
     * memory. A batch is seldom used again soon: on the server core of direct_model.c batches of 6 to 10 MB took 0.4 to
     * 0.9 of the time from memory when planned so, and 0.95 to 1.3 times as long from the last cache. */
    const double last = dwci_last_cache(c->machine), l2 = (double)c->machine->l2_bytes;
    const double room = c->problem.n > 1 ? 0.1 * last : 0.6 * last;
    return dwci_cost_footprint(c) > (c->problem.n > 1 && room < l2 ? l2 : room);
}

/* Bytes per second of one core at a footprint, and of all of them together. */
static double bandwidth(const dwci_case *c, double bytes, int threads) {
    const dwc_machine *machine = c->machine;
    double l3 = machine->l3_bytes ? dwci_last_cache(machine) : 16e6;
    double l2 = machine->l2_bytes ? (double)machine->l2_bytes : 1e6;
    if (bytes / threads < l2)
        return 90e9 / c->pace.near * threads;
    if (bytes < l3)
        return 50e9 / c->pace.far * threads;
    return 20e9 / c->pace.memory * (1 + 0.5 * (threads - 1));
}

double dwci_cost_roofline(const dwci_case *c, double efficiency, int threads) {
    const dwc_geometry *g = &c->geometry;
    double peak = typical_peak[c->machine->isa] / c->pace.arithmetic * (c->problem.dtype == DWC_F64 ? 0.5 : 1);
    double bytes = (double)g->element_bytes *
                   ((double)g->input_elements + (double)g->filter_elements + (double)g->output_elements);
    double arithmetic = 2 * g->inbounds_taps / (peak * efficiency * threads);
    double memory = bytes / bandwidth(c, bytes, threads);
    if (threads == 1)
        return arithmetic + memory;
    return (arithmetic > memory ? arithmetic : memory) + 1e-9 * THREAD_START_NS;
}

int dwci_cost_threads(const dwci_case *c, double efficiency, int64_t units) {
    double worth = dwci_cost_roofline(c, efficiency, 1) / (1e-9 * WORTH_A_THREAD_NS);
    int64_t threads = c->threads;
    if (threads > units)
        threads = units;
    if ((double)threads > worth)
        threads = (int64_t)worth;
    return threads > 1 ? (int)threads : 1;
}
