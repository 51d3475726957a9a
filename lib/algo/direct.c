/* SPDX-License-Identifier: Apache-2.0 */
/* direct: the sum over taps in registers, any problem. This file packs the filter, picks a kernel and divides the
 * output over threads; the loops are in kern/direct_nhwc.inc and kern/direct_nchw.inc.
 *
 *     planes (NHWC: images; NCHW: channels of images) x rows of the output -> threads, in order, equal shares
 *
 * A thread's share is some rows of a plane, then whole planes, then some rows: no output depends on where it is cut. */
#include "algo/algo.h"
#include "core/cost.h"
#include "core/threads.h"

#include <stdio.h>
#include <string.h>

/* Fraction of the peak rate that the kernels reach, for the cost model. */
static const double EFFICIENCY = 0.5;

static int64_t planes(const dwci_case *c) {
    return c->problem.layout == DWC_NHWC ? c->problem.n : c->problem.n * c->problem.c;
}

static int64_t output_rows(const dwci_case *c) {
    return c->geometry.output_elements == 0 ? 0 : planes(c) * c->geometry.oh;
}

static double cost(const dwci_case *c, const dwci_params *params) {
    (void)params;
    return dwci_cost_roofline(c, EFFICIENCY, dwci_cost_threads(c, EFFICIENCY, output_rows(c)));
}

static bool fits(int64_t actual, int compiled) {
    return compiled == 0 || actual == compiled;
}

static const dwci_direct_kernel *find_kernel(const dwci_case *c) {
    const dwc_problem *p = &c->problem;
    const dwci_kern_element *element = c->table->element[p->dtype - DWC_F16 + DWCI_KERN_F16];
    const dwci_direct_kernel *list = p->layout == DWC_NHWC ? element->direct_nhwc : element->direct_nchw;
    const int count = p->layout == DWC_NHWC ? element->direct_nhwc_count : element->direct_nchw_count;
    int i = 0;
    while (i < count - 1 &&
           !(fits(p->kw, list[i].kw) && fits(p->sw, list[i].sw) && fits(p->dw, list[i].dw) && fits(p->m, list[i].m)))
        i++;
    return &list[i];
}

static size_t accumulator_bytes(const dwci_case *c) {
    return c->problem.dtype == DWC_F64 ? sizeof(double) : sizeof(float);
}

/* Output channels of one row of the packed NHWC filter. */
static int64_t padded_channels(const dwci_case *c) {
    return (c->geometry.oc + DWCI_CHANNEL_PADDING - 1) / DWCI_CHANNEL_PADDING * DWCI_CHANNEL_PADDING;
}

/* The geometry has checked the filter as the user has it; packed it may be larger. */
static bool packed_size(const dwci_case *c, int64_t channels, size_t *bytes) {
    *bytes = 0;
    return c->geometry.filter_elements == 0 ||
           (!__builtin_mul_overflow(c->problem.kh * c->problem.kw, channels, bytes) &&
            !__builtin_mul_overflow(*bytes, accumulator_bytes(c), bytes) && *bytes <= PTRDIFF_MAX);
}

static bool prepare(dwci_solution *s, char *why, size_t size) {
    const dwci_case *c = &s->problem_case;
    const dwc_problem *p = &c->problem;
    const dwci_direct_kernel *kernel = find_kernel(c);
    const int64_t channels = p->layout == DWC_NHWC ? padded_channels(c) : c->geometry.oc;
    size_t packed_bytes;
    if (!packed_size(c, channels, &packed_bytes)) {
        snprintf(why, size, "the packed filter does not fit the address space");
        return false;
    }
    const double unit_roundoff = p->dtype == DWC_F64 ? 0x1p-53 : 0x1p-24;
    s->prepared = (dwci_prepared){
        .kernel = kernel->name,
        .state = kernel,
        .threads = dwci_cost_threads(c, EFFICIENCY, output_rows(c)),
        .packed_bytes = packed_bytes,
        .error_bound = ((double)p->kh * (double)p->kw + 2) * unit_roundoff,
        .componentwise = true,
    };
    return true;
}

/* Widens filter element `from` to place `to` of the packed filter. */
static void widen(const dwci_case *c, const void *filter, int64_t from, void *packed, int64_t to) {
    double value;
    dwc_convert_to_f64(c->problem.dtype, (const char *)filter + (size_t)from * c->geometry.element_bytes, &value, 1);
    if (c->problem.dtype == DWC_F64)
        ((double *)packed)[to] = value;
    else
        ((float *)packed)[to] = (float)value;
}

static void pack(const dwci_solution *s, const void *filter, void *packed) {
    const dwci_case *c = &s->problem_case;
    const int64_t taps = c->problem.kh * c->problem.kw, channels = c->geometry.oc, padded = padded_channels(c);
    const bool nhwc = c->problem.layout == DWC_NHWC;
    if (nhwc)
        memset(packed, 0, s->prepared.packed_bytes);
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t channel = 0; channel < channels; channel++)
            widen(c, filter, tap * channels + channel, packed, nhwc ? tap * padded + channel : channel * taps + tap);
}

static int clamp_of(dwc_activation activation) {
    return activation == DWC_RELU ? DWCI_CLAMP_RELU : activation == DWC_RELU6 ? DWCI_CLAMP_RELU6 : DWCI_CLAMP_NONE;
}

/* What all planes have in common. */
static dwci_direct_args arguments(const dwci_solution *s, const dwci_tensors *t) {
    const dwc_problem *p = &s->problem_case.problem;
    const dwc_geometry *g = &s->problem_case.geometry;
    return (dwci_direct_args){
        .h = p->h,
        .w = p->w,
        .c = p->c,
        .kh = p->kh,
        .kw = p->kw,
        .m = p->m,
        .sh = p->sh,
        .sw = p->sw,
        .dh = p->dh,
        .dw = p->dw,
        .oh = g->oh,
        .ow = g->ow,
        .oc = g->oc,
        .top = g->pad_top,
        .left = g->pad_left,
        .oc_padded = padded_channels(&s->problem_case),
        .filter = t->packed,
        .bias = t->bias,
        .clamp = clamp_of(p->activation),
    };
}

typedef struct job {
    const dwci_solution *solution;
    const dwci_tensors *tensors;
} job;

static void run_share(void *data, int i, int count) {
    const job *work = data;
    const dwci_solution *s = work->solution;
    const dwci_case *c = &s->problem_case;
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const dwci_direct_kernel *kernel = s->prepared.state;
    const bool nhwc = p->layout == DWC_NHWC;
    const size_t in_plane = (size_t)(p->h * p->w * (nhwc ? p->c : 1)) * g->element_bytes;
    const size_t out_plane = (size_t)(g->oh * g->ow * (nhwc ? g->oc : p->m)) * g->element_bytes;
    dwci_direct_args args = arguments(s, work->tensors);
    int64_t row, end;
    dwci_share(output_rows(c), i, count, &row, &end);
    while (row < end) {
        const int64_t plane = row / g->oh, y0 = row % g->oh;
        const int64_t y1 = end - row < g->oh - y0 ? y0 + end - row : g->oh;
        if (!nhwc) {
            const int64_t channel = plane % p->c * p->m; /* the plane's first output channel */
            args.filter =
                (const char *)work->tensors->packed + (size_t)(channel * p->kh * p->kw) * accumulator_bytes(c);
            if (work->tensors->bias)
                args.bias = (const char *)work->tensors->bias + (size_t)channel * g->element_bytes;
        }
        kernel->run(&args, (const char *)work->tensors->input + (size_t)plane * in_plane,
                    (char *)work->tensors->output + (size_t)plane * out_plane, y0, y1);
        row += y1 - y0;
    }
}

static void run(const dwci_solution *s, const dwci_tensors *t) {
    job work = {s, t};
    dwci_parallel(s->prepared.threads, run_share, &work);
}

const dwci_algo dwci_algo_direct = {
    .name = "direct",
    .description = "the sum over taps in registers; any problem",
    .automatic = true,
    .cost = cost,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
