/* SPDX-License-Identifier: Apache-2.0 */
/* NCHW problems by way of an NHWC algorithm, see transposed.h.
 *
 *     units, in order, equal shares for the threads: images x blocks of vectors of input channels
 *
 * A block has as many vectors as lie in half of the L1 cache, inputs and outputs, all blocks equally many: the last one
 * may begin with vectors that the one before has, too, and leaves these out. */
#include "algo/transposed.h"
#include "algo/arguments.h"
#include "core/cost.h"
#include "core/threads.h"

#include <stdio.h>
#include <string.h>

typedef struct blocks {
    int64_t vectors, each; /* in all, and of a block */
    int64_t count;
} blocks;

static blocks blocks_of(const dwci_case *c) {
    const dwc_problem *p = &c->problem;
    const int64_t l1 = (int64_t)dwci_first_cache(c->machine);
    const double pixels = (double)p->h * (double)p->w + (double)c->geometry.oh * (double)c->geometry.ow;
    const double fit = (double)(l1 / 2) / (pixels * dwci_element(c)->vector_bytes);
    blocks b = {.vectors = dwci_vectors(p->c, dwci_lanes(c))};
    const double most = fit < (double)b.vectors ? fit : (double)b.vectors;
    b.each = most < 1 ? 1 : (int64_t)most;
    b.count = dwci_vectors(b.vectors, b.each);
    if (b.count > 0)
        b.each = dwci_vectors(b.vectors, b.count);
    return b;
}

static int64_t first_vector(const blocks *b, int64_t block) {
    return block * b->each < b->vectors - b->each ? block * b->each : b->vectors - b->each;
}

/* What one block of channels is to the inner algorithm. */
static bool inner_case(const dwci_case *c, dwci_case *inner) {
    *inner = *c;
    inner->threads = 1;
    inner->cache = DWC_CACHE_WARM; /* a block is */
    inner->binding = NULL;
    dwc_problem *p = &inner->problem;
    p->n = p->m = 1;
    p->c = blocks_of(c).each * dwci_lanes(c);
    p->layout = DWC_NHWC;
    p->dtype = c->problem.dtype == DWC_F64 ? DWC_F64 : DWC_F32;
    p->bias = 0;
    p->activation = DWC_NO_ACTIVATION;
    return dwc_problem_geometry(p, &inner->geometry, NULL) == DWC_OK;
}

static bool inner_solution(const dwci_algo *inner, const dwci_solution *s, dwci_solution *one, char *why, size_t size) {
    *one = (dwci_solution){.params = s->params};
    if (!inner_case(&s->problem_case, &one->problem_case)) {
        snprintf(why, size, "a block of channels does not fit the address space");
        return false;
    }
    return inner->prepare(one, why, size);
}

static size_t rounded(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

bool dwci_transposed_applicable(const dwci_algo *inner, const dwci_case *c, char *why, size_t size) {
    dwci_case one;
    if (c->problem.layout != DWC_NCHW) {
        snprintf(why, size, "only NCHW");
        return false;
    }
    if (!inner_case(c, &one)) {
        snprintf(why, size, "a block of channels does not fit the address space");
        return false;
    }
    return !inner->applicable || inner->applicable(&one, why, size);
}

int dwci_transposed_candidates(const dwci_algo *inner, const dwci_case *c, dwci_params *list, int most) {
    dwci_case one;
    if (!inner_case(c, &one))
        return 0;
    const int count = inner->candidates(&one, list, most);
    int kept = 0;
    for (int i = 0; i < count; i++) {
        int others = 0; /* all but the tile: a block of channels is in the caches already */
        for (int k = inner->tile_params; k < DWCI_MAX_PARAMS; k++)
            others += list[i].value[k] != 0;
        if (others == 0)
            list[kept++] = list[i];
    }
    return kept;
}

static double phases_along(int64_t stride, int64_t dilation, int64_t outputs) {
    const int64_t phases = dilation / dwci_common_divisor(stride, dilation);
    return (double)(phases < outputs ? phases : outputs);
}

/* Fits on the machines of direct_model.c: the Zen 3; with vectors of 64 bytes, and what a phase of a dilated problem
 * takes at least, the server core. Transposing goes at the pace of loads, not of products: on the Zen of 2017 those
 * take twice as long, products three times. */
double dwci_transposed_cost(const dwci_algo *inner, const dwci_case *c, const dwci_params *params) {
    static const double PHASE_NS = 60, INNER = 1.2;
    const bool wide = dwci_element(c)->vector_bytes == 64;
    const double element_ns = wide ? 0.09 : 0.17, unit_ns = wide ? 250 : 270;
    dwci_case one;
    if (!inner_case(c, &one))
        return 1e9;
    const int64_t blocks = blocks_of(c).count;
    const double units = (double)c->problem.n * (double)blocks, m = (double)c->problem.m;
    const double moved = (double)one.geometry.input_elements + m * (double)one.geometry.output_elements;
    const int threads = dwci_cost_threads(c, 0.3, c->problem.n * blocks);
    const double phases = phases_along(c->problem.sh, c->problem.dh, c->geometry.oh) *
                          phases_along(c->problem.sw, c->problem.dw, c->geometry.ow);
    const double calls_ns = m * PHASE_NS * (phases - 1);
    const double seconds =
        units * (m * INNER * inner->cost(&one, params) +
                 1e-9 * (c->pace.near * (unit_ns + element_ns * moved) + c->pace.arithmetic * calls_ns));
    const double footprint = dwci_cost_footprint(c), l2 = dwci_second_cache(c->machine);
    const double memory = dwci_cost_from_memory(c)                ? c->pace.memory * footprint / 12e9
                          : footprint / (double)c->problem.n > l2 ? c->pace.far * footprint / 50e9
                                                                  : 0;
    return seconds / threads + memory / (threads > 1 ? 1.5 : 1);
}

bool dwci_transposed_prepare(const dwci_algo *inner, dwci_solution *s, char *why, size_t size) {
    const dwci_case *c = &s->problem_case;
    dwci_solution one;
    if (!inner_solution(inner, s, &one, why, size))
        return false;
    const dwc_geometry *g = &one.problem_case.geometry;
    const size_t bytes = g->element_bytes;
    const int64_t blocks = blocks_of(c).count;
    size_t packed, each;
    if (__builtin_mul_overflow(rounded(one.prepared.packed_bytes), (size_t)(blocks * c->problem.m), &packed) ||
        __builtin_add_overflow(packed, (size_t)g->filter_elements * bytes, &packed) || packed > PTRDIFF_MAX) {
        snprintf(why, size, "the packed filter does not fit the address space");
        return false;
    }
    const int threads = dwci_cost_threads(c, 0.3, c->problem.n * blocks);
    each = rounded((size_t)g->input_elements * bytes);
    if (__builtin_add_overflow(each, rounded((size_t)g->output_elements * bytes), &each) ||
        __builtin_add_overflow(each, rounded(one.prepared.workspace_bytes), &each) ||
        __builtin_mul_overflow(each, (size_t)threads, &each) || each > PTRDIFF_MAX) {
        snprintf(why, size, "the workspace does not fit the address space");
        return false;
    }
    s->prepared = one.prepared;
    s->prepared.threads = threads;
    s->prepared.packed_bytes = packed;
    s->prepared.workspace_bytes = each;
    return true;
}

void dwci_transposed_pack(const dwci_algo *inner, const dwci_solution *s, const void *filter, void *packed) {
    const dwci_case *c = &s->problem_case;
    const dwc_problem *p = &c->problem;
    const int64_t lanes = dwci_lanes(c), taps = p->kh * p->kw;
    const blocks all = blocks_of(c);
    dwci_solution one;
    char why[64];
    if (c->geometry.filter_elements == 0 || !inner_solution(inner, s, &one, why, sizeof why))
        return;
    const size_t each = rounded(one.prepared.packed_bytes);
    void *const given = (char *)packed + each * (size_t)(all.count * p->m);
    for (int64_t b = 0; b < all.count; b++)
        for (int64_t q = 0; q < p->m; q++) {
            for (int64_t tap = 0; tap < taps; tap++)
                for (int64_t i = 0; i < all.each * lanes; i++) {
                    const int64_t channel =
                        dwci_vector_start(first_vector(&all, b) + i / lanes, p->c, lanes) + i % lanes;
                    if (channel < p->c)
                        dwci_widen(c, filter, (tap * p->c + channel) * p->m + q, given, tap * all.each * lanes + i);
                    else
                        dwci_put(c, given, tap * all.each * lanes + i, 0);
                }
            inner->pack(&one, given, (char *)packed + each * (size_t)(b * p->m + q));
        }
}

typedef struct job {
    const dwci_algo *inner;
    const dwci_solution *solution;
    const dwci_tensors *tensors;
} job;

static void run_share(void *data, int i, int count) {
    const job *work = data;
    const dwci_solution *s = work->solution;
    const dwci_case *c = &s->problem_case;
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const dwci_kern_nchw *kernels = dwci_nchw(c);
    const dwci_direct_args args = dwci_arguments(c, work->tensors->bias);
    const int64_t lanes = dwci_lanes(c), in_plane = p->h * p->w, out_plane = g->oh * g->ow, m = p->m;
    const blocks all = blocks_of(c);
    dwci_solution one;
    char why[64];
    if (!inner_solution(work->inner, s, &one, why, sizeof why))
        return; /* prepare has refused it */
    const dwc_geometry *inner = &one.problem_case.geometry;
    const size_t packed_bytes = rounded(one.prepared.packed_bytes);
    char *const in =
        (char *)work->tensors->workspace + s->prepared.workspace_bytes / (size_t)s->prepared.threads * (size_t)i;
    char *const out = in + rounded((size_t)inner->input_elements * inner->element_bytes);
    dwci_tensors t = {
        .input = in, .output = out, .workspace = out + rounded((size_t)inner->output_elements * inner->element_bytes)};
    const size_t vector_bytes = (size_t)dwci_element(c)->vector_bytes;
    const int channels = (int)(p->c < lanes ? p->c : lanes);
    int64_t unit, end;
    dwci_share(p->n * all.count, i, count, &unit, &end);
    for (; unit < end; unit++) {
        const int64_t n = unit / all.count, block = unit % all.count, v0 = first_vector(&all, block);
        for (int64_t j = 0; j < all.each; j++)
            kernels->to_pixels((const char *)work->tensors->input +
                                   (size_t)((n * p->c + dwci_vector_start(v0 + j, p->c, lanes)) * in_plane) *
                                       g->element_bytes,
                               in_plane, channels, in_plane, in + (size_t)j * vector_bytes, all.each * lanes);
        for (int64_t q = 0; q < m; q++) {
            t.packed = (const char *)work->tensors->packed + packed_bytes * (size_t)(block * m + q);
            work->inner->run(&one, &t);
            for (int64_t v = block * all.each; v < v0 + all.each; v++) {
                const int64_t first = dwci_vector_start(v, p->c, lanes);
                const int skip = (int)(v * lanes - first); /* lanes that the vector before has, too */
                const size_t k = (size_t)((first + skip) * m + q);
                kernels->to_planes(
                    out + (size_t)(v - v0) * vector_bytes, all.each * lanes, out_plane, skip, channels - skip,
                    args.bias ? (const char *)args.bias + k * g->element_bytes : NULL, m, args.clamp,
                    (char *)work->tensors->output + ((size_t)(n * g->oc) + k) * (size_t)out_plane * g->element_bytes,
                    m * out_plane);
            }
        }
    }
}

void dwci_transposed_run(const dwci_algo *inner, const dwci_solution *s, const dwci_tensors *t) {
    job work = {inner, s, t};
    dwci_parallel(s->problem_case.binding, s->prepared.threads, run_share, &work);
}
