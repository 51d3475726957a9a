/* SPDX-License-Identifier: Apache-2.0 */
/* Every instance of direct convolution in every table, bit for bit against plain C.
 *
 * The plain C below states the promise of kern.h: each output is one sum over its taps inside the image, row by row,
 * left to right, one multiply-add each (fused where the table says so), starting at +0; then bias, clamp and one
 * rounding. Tensors lie flush against protected pages, the output is filled with a pattern first. */
#include "algo/arguments.h"
#include "core/registry.h"
#include "guard.h"
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t cases_per_instance;

typedef struct kernel_case {
    const dwci_kern_table *table;
    const dwci_direct_kernel *kernel;
    dwc_problem problem;
    dwc_geometry geometry;
} kernel_case;

static const char *describe(const kernel_case *k) {
    static char text[DWC_PROBLEM_TEXT_MAX + 64];
    char problem[DWC_PROBLEM_TEXT_MAX];
    dwc_problem_print(&k->problem, problem, sizeof problem);
    snprintf(text, sizeof text, "%s table, instance %s, %s", k->table->name, k->kernel->name, problem);
    return text;
}

/* Channels of a vector. */
static int64_t lanes_of(const kernel_case *k) {
    const dwci_kern_element *e = k->table->element[k->problem.dtype - DWC_F16 + DWCI_KERN_F16];
    return e->vector_bytes / (int64_t)dwc_dtype_bytes(dwt_accumulator(k->problem.dtype));
}

/* A stride and a dilation; the stride divided by what they have in common is `reduced` where that is not 0. */
static void strides(dwt_rng *rng, int reduced, int64_t *stride, int64_t *dilation) {
    static const int64_t pairs[][3] = {{1, 1, 1}, {1, 1, 2}, {1, 1, 3}, {1, 2, 2}, {1, 2, 4}, {1, 3, 3},
                                       {2, 2, 1}, {2, 2, 3}, {2, 4, 2}, {3, 3, 1}, {3, 3, 2}, {4, 4, 1}};
    const int64_t *pair;
    do
        pair = pairs[dwt_between(rng, 0, 11)];
    while (reduced && pair[0] != reduced);
    *stride = pair[1];
    *dilation = pair[2];
}

static dwci_direct_args arguments_of(const kernel_case *k) {
    const dwci_case c = {.problem = k->problem, .geometry = k->geometry};
    return dwci_arguments(&c, NULL);
}

static int served(const kernel_case *k) {
    const int64_t lanes = lanes_of(k), oc = k->geometry.oc;
    switch (k->kernel->channels) {
    case DWCI_WHOLE:
    case DWCI_TURNED:
        return oc >= lanes;
    case DWCI_MULTIPLIED:
        return oc >= lanes && k->problem.m > 1 && k->problem.c >= dwci_window(lanes);
    case DWCI_FLAT:
        return oc < lanes;
    case DWCI_STAGED: {
        const dwci_direct_args args = arguments_of(k);
        return dwci_nchw_stage_of(&args, lanes).row <= DWCI_NCHW_MOST_ROW;
    }
    case DWCI_IN_PLACE: {
        const dwci_direct_args args = arguments_of(k);
        return dwci_nchw_in_place(&args, k->kernel->sw);
    }
    case DWCI_ANY_TAPS: {
        const dwci_direct_args args = arguments_of(k);
        return dwci_nchw_any_taps(&args);
    }
    default:
        return 1;
    }
}

/* A problem of one image that the instance serves. Widths around the vector's multiples, borders everywhere. */
static void make_problem(dwt_rng *rng, dwc_dtype dtype, dwc_layout layout, kernel_case *k) {
    const dwci_direct_kernel *kernel = k->kernel;
    do {
        dwc_problem *p = &k->problem;
        dwc_problem_init(p);
        p->dtype = dtype;
        p->layout = layout;
        p->kh = kernel->kh ? kernel->kh : dwt_between(rng, 1, 8);
        p->kw = kernel->kw ? kernel->kw
                           : dwt_between(rng, 1,
                                         dwt_chance(rng, 1, 16)  ? 96
                                         : dwt_chance(rng, 1, 8) ? 30
                                                                 : 11);
        strides(rng, kernel->sh, &p->sh, &p->dh);
        strides(rng, kernel->sw, &p->sw, &p->dw);
        p->m = kernel->m ? kernel->m : dwt_between(rng, 1, 5);
        p->h = dwt_between(rng, 1, kernel->rows == DWCI_STRIP && dwt_chance(rng, 1, 4) ? 40 : 12);
        if (kernel->channels == DWCI_FLAT && dwt_chance(rng, 1, 8))
            p->h = dwt_between(rng, 20, 150); /* more than one band */
        p->w = dwt_between(rng, 1, layout == DWC_NHWC ? 24 : dwt_chance(rng, 1, 3) ? 2 * lanes_of(k) : 150);
        p->c = layout == DWC_NCHW ? dwt_between(rng, 1, 9)
                                  : dwt_between(rng, 1, kernel->channels == DWCI_FLAT ? lanes_of(k) - 1 : 70);
        if (layout == DWC_NCHW && dwt_chance(rng, 1, 5)) {
            p->h = dwt_between(rng, 1, 9);
            p->w = dwt_between(rng, 1, 9);
            p->c = dwt_between(rng, 10, 400); /* more than what waits to go past the caches, in one call or many */
            p->m = kernel->m ? kernel->m : dwt_between(rng, 1, 2);
            if (kernel->sw < 2 && dwt_chance(rng, 1, 2))
                p->sw = p->dw = 1;
        }
        if (layout == DWC_NHWC && kernel->channels != DWCI_FLAT && dwt_chance(rng, 1, 20))
            p->c = 256 * dwt_between(rng, 1, 2); /* staged pixels of which are skewed */
        if (layout == DWC_NHWC && kernel->rows == DWCI_STRIP && dwt_chance(rng, 1, 3))
            p->c =
                DWCI_COPY_PIXEL / (int64_t)dwc_dtype_bytes(dtype) + lanes_of(k) * dwt_between(rng, 0, 2); /* copies */
        if (layout == DWC_NHWC && kernel->rows == DWCI_STRIP && dwt_chance(rng, 1, 6))
            p->c = DWCI_COPY_PIXEL / (int64_t)dwc_dtype_bytes(dtype); /* staged by the addresses */
        if (layout == DWC_NHWC && kernel->m == 0 && dwt_chance(rng, 1, 8)) {
            p->m = dwt_between(rng, 6, 80);
            p->c = dwt_between(rng, 1, 20);
        }
        p->padding = (dwc_padding)dwt_between(rng, DWC_SAME, DWC_EXPLICIT);
        if (p->padding == DWC_EXPLICIT) {
            p->pad_top = dwt_between(rng, 0, 9);
            p->pad_bottom = dwt_between(rng, 0, 9);
            p->pad_left = dwt_between(rng, 0, 20);
            p->pad_right = dwt_between(rng, 0, 20);
        }
        p->bias = (int)dwt_between(rng, 0, 1);
        p->activation = (dwc_activation)dwt_between(rng, DWC_NO_ACTIVATION, DWC_RELU6);
    } while (dwc_problem_geometry(&k->problem, &k->geometry, NULL) != DWC_OK || k->geometry.output_elements == 0 ||
             !served(k));
}

/* One output in the accumulator's type by the promise; f16 and bf16 accumulate in float. */
#define PLAIN_SUM(name, type, fused_multiply_add)                                                                      \
    static double name(const kernel_case *k, const void *in, const void *filter, const void *bias, int64_t y,          \
                       int64_t x, int64_t channel) {                                                                   \
        const dwc_problem *p = &k->problem;                                                                            \
        volatile type sum = 0;                                                                                         \
        for (int64_t a = 0; a < p->kh; a++)                                                                            \
            for (int64_t b = 0; b < p->kw; b++) {                                                                      \
                int64_t row = y * p->sh - k->geometry.pad_top + a * p->dh;                                             \
                int64_t column = x * p->sw - k->geometry.pad_left + b * p->dw;                                         \
                if (row < 0 || row >= p->h || column < 0 || column >= p->w)                                            \
                    continue;                                                                                          \
                int64_t at = p->layout == DWC_NHWC ? (row * p->w + column) * p->c + channel / p->m                     \
                                                   : (channel / p->m * p->h + row) * p->w + column;                    \
                type v = (type)dwt_get(p->dtype, in, at);                                                              \
                type w = (type)dwt_get(p->dtype, filter, (a * p->kw + b) * p->c * p->m + channel);                     \
                volatile type product = v * w;                                                                         \
                sum = k->table->fused ? fused_multiply_add(v, w, sum) : sum + product;                                 \
            }                                                                                                          \
        if (p->bias)                                                                                                   \
            sum = sum + (type)dwt_get(p->dtype, bias, channel);                                                        \
        if (p->activation && sum <= 0)                                                                                 \
            sum = 0;                                                                                                   \
        if (p->activation == DWC_RELU6 && sum > 6)                                                                     \
            sum = 6;                                                                                                   \
        return sum;                                                                                                    \
    }
PLAIN_SUM(plain_f32, float, fmaf)
PLAIN_SUM(plain_f64, double, fma)
#undef PLAIN_SUM

static int64_t copies_of(const kernel_case *k) {
    return k->problem.layout == DWC_NCHW
               ? 1
               : dwci_filter_copies(k->kernel, k->geometry.oc, lanes_of(k), (int64_t)k->geometry.element_bytes);
}

/* The filter as kern.h says kernels want it. */
static void pack(const kernel_case *k, const void *filter, void *packed) {
    const dwc_problem *p = &k->problem;
    const int64_t taps = p->kh * p->kw, channels = k->geometry.oc, lanes = lanes_of(k);
    const int64_t vectors = p->layout == DWC_NHWC ? dwci_vectors(channels, lanes) : channels;
    for (int64_t i = 0; k->kernel->channels == DWCI_FLAT && i < taps * 2 * lanes; i++)
        dwt_set(dwt_accumulator(p->dtype), packed, i,
                dwt_get(p->dtype, filter, i / (2 * lanes) * channels + i % (2 * lanes) % channels));
    const int64_t copies = k->kernel->channels == DWCI_FLAT ? 0 : copies_of(k);
    for (int64_t copy = 0, at = 0; copy < copies; copy++)
        for (int64_t v = 0; v < vectors + (copy > 0); v++, at++)
            for (int64_t tap = 0; tap < taps; tap++)
                for (int64_t i = 0; i < (p->layout == DWC_NHWC ? lanes : 1); i++) {
                    const int64_t start = dwci_copy_start(copy, lanes, (int64_t)k->geometry.element_bytes);
                    const int64_t channel =
                        p->layout == DWC_NHWC ? dwci_vector_of_copy(v, start, channels, lanes) + i : v;
                    const int64_t lane = k->kernel->channels == DWCI_TURNED ? dwci_turned_lane(i, lanes) : i;
                    const int64_t to = p->layout == DWC_NHWC ? (at * taps + tap) * lanes + lane : at * taps + tap;
                    if (channel < channels)
                        dwt_set(dwt_accumulator(p->dtype), packed, to,
                                dwt_get(p->dtype, filter, tap * channels + channel));
                }
}

static void fill(dwt_rng *rng, dwc_dtype dtype, void *array, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        dwt_set(dtype, array, i, dwt_signed_unit(rng) * (dwt_chance(rng, 1, 8) ? 1e-3 : 1));
}

/* Rows of outputs but y0..y1-1 are as memset has left them. */
static void check_untouched(const kernel_case *k, const void *out, int64_t y0, int64_t y1) {
    const dwc_geometry *g = &k->geometry;
    const int nchw = k->problem.layout == DWC_NCHW;
    const size_t row = (size_t)(g->ow * (nchw ? 1 : g->oc)) * g->element_bytes;
    for (int64_t i = 0; i < g->oh * (nchw ? g->oc : 1); i++)
        for (size_t b = 0; b < row && (i % g->oh < y0 || i % g->oh >= y1); b++)
            if (((const unsigned char *)out)[(size_t)i * row + b] != 0xa5)
                fail_msg("%s: rows %lld to %lld were asked for, row %lld of channel %lld was written (seed %llu)",
                         describe(k), (long long)y0, (long long)y1 - 1, (long long)(i % g->oh), (long long)(i / g->oh),
                         (unsigned long long)dwt_args.seed);
}

/* A place in a cache line, in bytes. */
static size_t in_line(dwt_rng *rng, size_t step) {
    return step * (size_t)dwt_between(rng, 0, 64 / (int64_t)step - 1);
}

static void check_case(const kernel_case *k, dwt_rng *rng, dwt_guard_side side) {
    const dwc_problem *p = &k->problem;
    const dwc_geometry *g = &k->geometry;
    const size_t element = g->element_bytes, accumulator = dwc_dtype_bytes(dwt_accumulator(p->dtype));
    const int64_t lanes = lanes_of(k), vectors = dwci_vectors(g->oc, lanes);
    const int64_t padded = k->kernel->channels == DWCI_FLAT ? 2 * lanes
                           : p->layout == DWC_NHWC ? dwci_vectors_before_copy(copies_of(k), g->oc, lanes) * lanes
                                                   : g->oc;
    dwt_guard in, packed, bias, out, scratch, stream;
    void *filter = dwt_elements(p->dtype, g->filter_elements);
    const size_t in_offset = dwt_chance(rng, 1, 2) ? in_line(rng, element) : 0;
    dwt_guard_map(&in, (size_t)g->input_elements * element, side, element, in_offset);
    dwt_guard_map(&packed, (size_t)(p->kh * p->kw * padded) * accumulator, side, accumulator, 0);
    dwt_guard_map(&bias, (size_t)g->bias_elements * element, side, element, 0);
    /* Also far enough from the input's place in a page for strips to need no stage. */
    const size_t apart = dwt_chance(rng, 1, 2) ? 704 : 0;
    dwt_guard_map(&out, (size_t)g->output_elements * element, side, element,
                  apart + (dwt_chance(rng, 1, 2) ? in_line(rng, dwt_chance(rng, 1, 2) ? 16 : element) : 0));
    fill(rng, p->dtype, in.data, g->input_elements);
    fill(rng, p->dtype, filter, g->filter_elements);
    fill(rng, p->dtype, bias.data, g->bias_elements);
    memset(packed.data, 0, packed.bytes);
    pack(k, filter, packed.data);
    memset(out.data, 0xa5, out.bytes);
    dwt_guard_read_only(&in);
    dwt_guard_read_only(&packed);
    dwt_guard_read_only(&bias);

    dwci_direct_args args = arguments_of(k);
    args.filter = packed.data;
    args.copies = dwt_chance(rng, 7, 8) ? copies_of(k) : 0;
    args.bias = p->bias ? bias.data : NULL;
    /* Two calls, cut at a random row or vector of channels, with random parameters; often all that lets outputs go past
     * the caches. */
    const int past = dwt_chance(rng, 1, 3);
    args.rows = (int)dwt_between(rng, 0, 7);
    args.columns = (int)dwt_between(rng, 0, 7);
    args.block = past ? 0 : dwt_between(rng, 0, 3);
    args.stage_rows = dwt_chance(rng, 1, 2) ? dwt_between(rng, 1, 6) : 0;
    args.prefetch = dwt_between(rng, 0, 2);
    const int64_t stage_rows = args.stage_rows * p->sh + p->kh < p->h ? args.stage_rows * p->sh + p->kh : p->h;
    /* A part of the channels may be skewed where all of them are not. */
    const int64_t stage_row = dwci_stage_row(dwci_vectors(p->c, lanes) * lanes + DWCI_STAGE_SKEW, p->w);
    const dwci_nchw_stage stage = dwci_nchw_stage_of(&args, lanes);
    const size_t scratch_bytes = p->layout == DWC_NHWC ? (size_t)(stage_rows * stage_row) * element
                                 : k->kernel->channels == DWCI_STAGED
                                     ? (size_t)dwci_nchw_scratch(&args, &stage, lanes) * accumulator
                                     : 0;
    dwt_guard_map(&scratch, (scratch_bytes + 63) / 64 * 64, side, 64, 0);
    args.scratch = scratch.data;
    const size_t stream_bytes = p->layout == DWC_NHWC ? (size_t)dwci_nhwc_stream_bytes(g->ow, g->oc * (int64_t)element)
                                                      : 2 * (size_t)dwci_nchw_stream_bytes(&args, (int64_t)element);
    dwt_guard_map(&stream, stream_bytes, side, 64, 0);
    args.stream = past || dwt_chance(rng, 1, 2) ? stream.data : NULL;
    const int64_t units = p->layout == DWC_NHWC ? vectors : p->c;
    dwci_direct_part parts[] = {{0, g->oh, 0, units}, {0, g->oh, 0, units}};
    if ((!past || p->layout == DWC_NCHW) && dwt_chance(rng, 1, 2))
        parts[0].v0 = parts[1].v1 = dwt_between(rng, 0, units);
    else
        parts[0].y0 = parts[1].y1 = dwt_between(rng, 0, g->oh);
    const int order = dwt_chance(rng, 1, 2);
    k->kernel->run(&args, in.data, out.data, &parts[order]);
    if (parts[order].v0 == 0 && parts[order].v1 == units)
        check_untouched(k, out.data, parts[order].y0, parts[order].y1);
    k->kernel->run(&args, in.data, out.data, &parts[!order]);

    for (int64_t y = 0; y < g->oh; y++)
        for (int64_t x = 0; x < g->ow; x++)
            for (int64_t channel = 0; channel < g->oc; channel++) {
                const double sum =
                    (p->dtype == DWC_F64 ? plain_f64 : plain_f32)(k, in.data, filter, bias.data, y, x, channel);
                const int64_t at =
                    p->layout == DWC_NHWC ? (y * g->ow + x) * g->oc + channel : (channel * g->oh + y) * g->ow + x;
                uint64_t want = 0;
                dwt_set(p->dtype, &want, 0, sum);
                if (dwt_bits(p->dtype, out.data, at) != dwt_bits(p->dtype, &want, 0))
                    fail_msg("%s: output row %lld column %lld channel %lld is %.17g, must be %.17g (seed %llu)",
                             describe(k), (long long)y, (long long)x, (long long)channel,
                             dwt_get(p->dtype, out.data, at), dwt_get(p->dtype, &want, 0),
                             (unsigned long long)dwt_args.seed);
            }
    if (!dwt_guard_intact(&in) || !dwt_guard_intact(&packed) || !dwt_guard_intact(&bias) || !dwt_guard_intact(&out) ||
        !dwt_guard_intact(&scratch) || !dwt_guard_intact(&stream))
        fail_msg("%s: memory beside a tensor was written", describe(k));
    dwt_guard_unmap(&in);
    dwt_guard_unmap(&packed);
    dwt_guard_unmap(&bias);
    dwt_guard_unmap(&out);
    dwt_guard_unmap(&scratch);
    dwt_guard_unmap(&stream);
    free(filter);
}

static void check_list(const dwci_kern_table *table, dwc_dtype dtype, dwc_layout layout,
                       const dwci_direct_kernel *list) {
    assert_non_null(list->name);
    for (int i = 0; list[i].name; i++) {
        kernel_case k = {.table = table, .kernel = &list[i]};
        dwt_rng rng = {dwt_args.seed ^ (uint64_t)(i * 1000 + (int)dtype * 10 + (int)layout)};
        /* Whether it streams, takes two channels in a vector or more at once, cuts or loads: many combinations. */
        const int64_t cases =
            cases_per_instance * (list[i].channels == DWCI_IN_PLACE || list[i].channels == DWCI_ANY_TAPS ? 8 : 1);
        for (int64_t c = 0; c < cases; c++) {
            make_problem(&rng, dtype, layout, &k);
            check_case(&k, &rng, c % 2 ? DWT_GUARD_BEFORE : DWT_GUARD_AFTER);
        }
    }
}

static void test_every_instance(void **state) {
    (void)state;
    dwc_isa isas[3];
    int tables = dwt_isas(isas);
    assert_true(tables > 0);
    for (int i = 0; i < tables; i++) {
        const dwci_kern_table *table = dwci_kern_table_for(isas[i]);
        assert_string_equal(table->name, dwc_isa_name(isas[i]));
        for (int t = 0; t < DWCI_KERN_ELEMENTS; t++) {
            const dwci_kern_element *e = table->element[t];
            check_list(table, dwt_dtypes[t], DWC_NHWC, e->direct_nhwc);
            check_list(table, dwt_dtypes[t], DWC_NCHW, table->nchw[t]->direct);
        }
    }
}

/* The last entry of each list must serve every problem. */
static void test_last_instance_serves_all(void **state) {
    (void)state;
    dwc_isa isas[3];
    for (int i = 0, tables = dwt_isas(isas); i < tables; i++)
        for (int t = 0; t < DWCI_KERN_ELEMENTS; t++) {
            const dwci_kern_table *table = dwci_kern_table_for(isas[i]);
            const dwci_direct_kernel *last[] = {table->element[t]->direct_nhwc, table->nchw[t]->direct};
            for (int j = 0; j < 2; j++) {
                while (last[j][1].name)
                    last[j]++;
                assert_true(last[j]->kh == 0 && last[j]->kw == 0 && last[j]->sh == 0 && last[j]->sw == 0 &&
                            last[j]->m == 0 && last[j]->channels == DWCI_ANY_CHANNELS);
            }
        }
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    cases_per_instance = dwt_args.count ? dwt_args.count : 40;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_instance),
        cmocka_unit_test(test_last_instance_serves_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
