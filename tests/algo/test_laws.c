/* SPDX-License-Identifier: Apache-2.0 */
/* Laws every convolution obeys, whatever computes it: results are compared with other results of the same algorithm.
 *
 *     linearity · impulse response · shift · channel permutation · batch split · scaling by a power of two ·
 *     stride = every s-th output · layout = transposition · dilation = zeros between the taps · M = M convolutions
 *
 * Exact where the law makes both sides add the same products in the same order, else within both tolerances.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* One side of a law: a case, run. */
typedef struct side {
    dwt_case c;
    dwc_plan_info info;
    void *output;
    int ran;
} side;

typedef void (*law_fn)(const dwt_call *call, const dwc_problem *problem, uint64_t seed);

/* The law's own problem, for the reproducing command: the sides' problems may differ from it. */
static struct {
    const dwc_problem *problem;
    uint64_t seed;
    const dwt_call *call;
} now;

static void run_side(side *s, const dwt_call *call) {
    dwt_case_expect(&s->c);
    s->output = dwt_elements(s->c.problem.dtype, s->c.shape.outputs);
    s->ran = dwt_run_case(call, &s->c, s->output, &s->info);
}

static void free_side(side *s) {
    free(s->output);
    dwt_case_free(&s->c);
}

static double result(const side *s, int64_t index) {
    return dwt_get(s->c.problem.dtype, s->output, index);
}

static double tolerance(const side *s, int64_t index) {
    return dwt_tolerance(&s->c.expected, dwt_rule_for(&s->info, 0), index);
}

static int64_t input_at(const side *s, int64_t n, int64_t y, int64_t x, int64_t k) {
    const dwc_problem *p = &s->c.problem;
    return dwt_index(p->layout, p->h, p->w, p->c, n, y, x, k);
}

static int64_t output_at(const side *s, int64_t n, int64_t i, int64_t j, int64_t channel) {
    const dwt_shape *shape = &s->c.shape;
    return dwt_index(s->c.problem.layout, shape->oh, shape->ow, shape->oc, n, i, j, channel);
}

/* Walks all elements (n, y, x, k) of a tensor h x w x c. */
#define EACH(problem, h, w, c)                                                                                         \
    for (int64_t n = 0; n < (problem)->n; n++)                                                                         \
        for (int64_t y = 0; y < (h); y++)                                                                              \
            for (int64_t x = 0; x < (w); x++)                                                                          \
                for (int64_t k = 0; k < (c); k++)

/* Element `ib` of b is element `ia` of a, exactly or within both tolerances. */
static void same_element(const char *law, const side *a, int64_t ia, const side *b, int64_t ib, int exact) {
    double got = result(a, ia), want = result(b, ib);
    double allowed = exact ? 0 : tolerance(a, ia) + tolerance(b, ib);
    if (fabs(got - want) <= allowed)
        return;
    dwt_note(now.problem, now.seed, now.call);
    dwt_fail("%s: element %" PRId64 " (%s): got %.17g, expected %.17g, tolerance %.3g", law, ia,
             dwt_place(&a->c.problem, &a->c.shape, ia), got, want, allowed);
}

static int in_order(const side *s) {
    return dwt_sums_in_order(s->info.algo);
}

/* ---- the laws ---- */

/* conv(2x - 3y) = 2 conv(x) - 3 conv(y), with x and y such that 2x - 3y is exact in every type. */
static void linearity(const dwt_call *call, const dwc_problem *p, uint64_t seed) {
    side x, y, z;
    dwt_case_init(&x.c, p, seed, DWT_INTEGER);
    dwt_case_init(&y.c, p, seed + 1, DWT_INTEGER);
    dwt_case_init(&z.c, p, seed, DWT_REAL);
    size_t filter_bytes = (size_t)z.c.shape.filters * dwc_dtype_bytes(p->dtype);
    memcpy(x.c.filter, z.c.filter, filter_bytes);
    memcpy(y.c.filter, z.c.filter, filter_bytes);
    for (int64_t i = 0; i < z.c.shape.inputs; i++)
        dwt_set(p->dtype, z.c.input, i, 2 * dwt_get(p->dtype, x.c.input, i) - 3 * dwt_get(p->dtype, y.c.input, i));
    run_side(&x, call);
    run_side(&y, call);
    run_side(&z, call);
    for (int64_t i = 0; z.ran && i < z.c.shape.outputs; i++) {
        double want = 2 * result(&x, i) - 3 * result(&y, i);
        double allowed = tolerance(&z, i) + 2 * tolerance(&x, i) + 3 * tolerance(&y, i);
        if (!(fabs(result(&z, i) - want) <= allowed))
            dwt_fail("linearity: element %" PRId64 ": got %.17g, expected %.17g, tolerance %.3g", i, result(&z, i),
                     want, allowed);
    }
    free_side(&x);
    free_side(&y);
    free_side(&z);
}

/* A single 1 in the input gives the filter's taps, mirrored, and +0 elsewhere. */
static void impulse(const dwt_call *call, const dwc_problem *p, uint64_t seed) {
    side s;
    dwt_rng rng = {seed};
    dwt_case_init(&s.c, p, seed, DWT_REAL);
    if (s.c.shape.inputs > 0) {
        memset(s.c.input, 0, (size_t)s.c.shape.inputs * dwc_dtype_bytes(p->dtype));
        dwt_set(p->dtype, s.c.input, dwt_between(&rng, 0, s.c.shape.inputs - 1), 1);
    }
    run_side(&s, call);
    if (s.ran)
        dwt_check(&s.c, call, dwt_rule_for(&s.info, 1), s.output);
    free_side(&s);
}

/* An input moved by whole strides moves the outputs whose windows lie inside the image. */
static void shift(const dwt_call *call, const dwc_problem *p, uint64_t seed) {
    side a, b;
    dwt_rng rng = {seed};
    int64_t down = dwt_between(&rng, 0, 2), right = dwt_between(&rng, 0, 2);
    dwt_case_init(&a.c, p, seed, DWT_REAL);
    dwt_case_init(&b.c, p, seed, DWT_REAL);
    EACH(p, p->h, p->w, p->c) {
        int64_t from_y = y - down * p->sh, from_x = x - right * p->sw;
        double value = 0;
        if (from_y >= 0 && from_x >= 0)
            value = dwt_get(p->dtype, a.c.input, input_at(&a, n, from_y, from_x, k));
        dwt_set(p->dtype, b.c.input, input_at(&b, n, y, x, k), value);
    }
    run_side(&a, call);
    run_side(&b, call);
    const dwt_shape *s = &b.c.shape;
    EACH(p, s->oh, s->ow, s->oc) {
        int64_t top = y * p->sh - s->top, left = x * p->sw - s->left;
        int inside = top >= down * p->sh && top + (p->kh - 1) * p->dh < p->h && left >= right * p->sw &&
                     left + (p->kw - 1) * p->dw < p->w;
        if (b.ran && inside)
            same_element("shift", &b, output_at(&b, n, y, x, k), &a, output_at(&a, n, y - down, x - right, k),
                         in_order(&a));
    }
    free_side(&a);
    free_side(&b);
}

/* Channels in another order (k -> c-1-k) give the output channels in that order. */
static void channel_permutation(const dwt_call *call, const dwc_problem *p, uint64_t seed) {
    side a, b;
    dwt_case_init(&a.c, p, seed, DWT_REAL);
    dwt_case_init(&b.c, p, seed, DWT_REAL);
    EACH(p, p->h, p->w, p->c)
    dwt_set(p->dtype, b.c.input, input_at(&b, n, y, x, k),
            dwt_get(p->dtype, a.c.input, input_at(&a, n, y, x, p->c - 1 - k)));
    for (int64_t f = 0; f < a.c.shape.filters; f++) {
        int64_t tap = f / p->m / p->c, k = f / p->m % p->c, q = f % p->m;
        dwt_set(p->dtype, b.c.filter, f, dwt_get(p->dtype, a.c.filter, (tap * p->c + p->c - 1 - k) * p->m + q));
    }
    run_side(&a, call);
    run_side(&b, call);
    const dwt_shape *s = &b.c.shape;
    EACH(p, s->oh, s->ow, s->oc) {
        int64_t mirrored = (p->c - 1 - k / p->m) * p->m + k % p->m;
        if (b.ran)
            same_element("channel permutation", &b, output_at(&b, n, y, x, k), &a, output_at(&a, n, y, x, mirrored),
                         in_order(&a));
    }
    free_side(&a);
    free_side(&b);
}

/* The last images alone give their part of the whole batch's output. */
static void batch_split(const dwt_call *call, const dwc_problem *p, uint64_t seed) {
    side whole, part;
    dwc_problem rest = *p;
    rest.n = p->n / 2;
    dwt_case_init(&whole.c, p, seed, DWT_REAL);
    dwt_case_init(&part.c, &rest, seed, DWT_REAL);
    size_t element = dwc_dtype_bytes(p->dtype);
    size_t bytes = (size_t)part.c.shape.inputs * element;
    memcpy(part.c.filter, whole.c.filter, (size_t)whole.c.shape.filters * element);
    memcpy(part.c.input, (char *)whole.c.input + (size_t)whole.c.shape.inputs * element - bytes, bytes);
    run_side(&whole, call);
    run_side(&part, call);
    int64_t before = whole.c.shape.outputs - part.c.shape.outputs;
    for (int64_t i = 0; part.ran && i < part.c.shape.outputs; i++)
        same_element("batch split", &part, i, &whole, before + i, 1);
    free_side(&whole);
    free_side(&part);
}

/* Four times the input gives four times the output, exactly, but for results too small for the type's full precision.
 */
static void power_of_two(const dwt_call *call, const dwc_problem *p, uint64_t seed) {
    side a, b;
    dwt_case_init(&a.c, p, seed, DWT_REAL);
    dwt_case_init(&b.c, p, seed, DWT_REAL);
    for (int64_t i = 0; i < a.c.shape.inputs; i++)
        dwt_set(p->dtype, b.c.input, i, 4 * dwt_get(p->dtype, a.c.input, i));
    run_side(&a, call);
    run_side(&b, call);
    for (int64_t i = 0; a.ran && in_order(&a) && i < a.c.shape.outputs; i++)
        if (fabs(result(&a, i)) >= dwt_smallest_normal(p->dtype) && result(&b, i) != 4 * result(&a, i))
            dwt_fail("scaling by 4: element %" PRId64 ": %.17g became %.17g", i, result(&a, i), result(&b, i));
    free_side(&a);
    free_side(&b);
}

/* Bottom or right pad that lets a stride-1 convolution reach the last window of the strided one. */
static int64_t reach(int64_t out, int64_t stride, int64_t taps, int64_t dilation, int64_t in, int64_t before) {
    int64_t pad = (out - 1) * stride + (taps - 1) * dilation + 1 - in - before;
    return pad > 0 ? pad : 0;
}

/* Stride s takes every s-th output of stride 1 with the same pads at the top and left. */
static void stride(const dwt_call *call, const dwc_problem *p, uint64_t seed) {
    side strided, dense;
    dwt_case_init(&strided.c, p, seed, DWT_REAL);
    const dwt_shape *s = &strided.c.shape;
    if (s->outputs > 0) {
        dwc_problem q = *p;
        q.sh = q.sw = 1;
        q.padding = DWC_EXPLICIT;
        q.pad_top = s->top;
        q.pad_left = s->left;
        q.pad_bottom = reach(s->oh, p->sh, p->kh, p->dh, p->h, s->top);
        q.pad_right = reach(s->ow, p->sw, p->kw, p->dw, p->w, s->left);
        dwt_case_init(&dense.c, &q, seed, DWT_REAL);
        run_side(&strided, call);
        run_side(&dense, call);
        EACH(p, s->oh, s->ow, s->oc)
        if (strided.ran && dense.ran)
            same_element("stride", &strided, output_at(&strided, n, y, x, k), &dense,
                         output_at(&dense, n, y * p->sh, x * p->sw, k), 0);
        free_side(&dense);
    } else {
        strided.output = NULL;
    }
    free_side(&strided);
}

/* NCHW is NHWC transposed. */
static void layout(const dwt_call *call, const dwc_problem *p, uint64_t seed) {
    side a, b;
    dwc_problem other = *p;
    other.layout = p->layout == DWC_NHWC ? DWC_NCHW : DWC_NHWC;
    dwt_case_init(&a.c, p, seed, DWT_REAL);
    dwt_case_init(&b.c, &other, seed, DWT_REAL);
    EACH(p, p->h, p->w, p->c)
    dwt_set(p->dtype, b.c.input, input_at(&b, n, y, x, k), dwt_get(p->dtype, a.c.input, input_at(&a, n, y, x, k)));
    run_side(&a, call);
    run_side(&b, call);
    EACH(p, a.c.shape.oh, a.c.shape.ow, a.c.shape.oc)
    if (a.ran && b.ran)
        same_element("layout", &a, output_at(&a, n, y, x, k), &b, output_at(&b, n, y, x, k), 0);
    free_side(&a);
    free_side(&b);
}

/* Dilation d is a filter with d-1 zeros between its taps. */
static void dilation(const dwt_call *call, const dwc_problem *p, uint64_t seed) {
    side a, b;
    dwc_problem spread = *p;
    spread.kh = (p->kh - 1) * p->dh + 1;
    spread.kw = (p->kw - 1) * p->dw + 1;
    spread.dh = spread.dw = 1;
    dwt_case_init(&a.c, p, seed, DWT_REAL);
    dwt_case_init(&b.c, &spread, seed, DWT_REAL);
    int64_t oc = a.c.shape.oc;
    for (int64_t f = 0; f < b.c.shape.filters; f++)
        dwt_set(p->dtype, b.c.filter, f, 0);
    for (int64_t f = 0; f < a.c.shape.filters; f++) {
        int64_t ky = f / oc / p->kw * p->dh, kx = f / oc % p->kw * p->dw;
        dwt_set(p->dtype, b.c.filter, (ky * spread.kw + kx) * oc + f % oc, dwt_get(p->dtype, a.c.filter, f));
    }
    run_side(&a, call);
    run_side(&b, call);
    for (int64_t i = 0; a.ran && b.ran && i < a.c.shape.outputs; i++)
        same_element("dilation", &a, i, &b, i, 0);
    free_side(&a);
    free_side(&b);
}

/* Multiplier m is m convolutions of multiplier 1, their channels interleaved. */
static void multiplier(const dwt_call *call, const dwc_problem *p, uint64_t seed) {
    side all, one;
    dwc_problem single = *p;
    single.m = 1;
    dwt_case_init(&all.c, p, seed, DWT_REAL);
    run_side(&all, call);
    for (int64_t q = 0; q < p->m; q++) {
        dwt_case_init(&one.c, &single, seed, DWT_REAL);
        for (int64_t f = 0; f < one.c.shape.filters; f++)
            dwt_set(p->dtype, one.c.filter, f, dwt_get(p->dtype, all.c.filter, f * p->m + q));
        run_side(&one, call);
        EACH(p, one.c.shape.oh, one.c.shape.ow, p->c)
        if (all.ran && one.ran)
            same_element("multiplier", &all, output_at(&all, n, y, x, k * p->m + q), &one, output_at(&one, n, y, x, k),
                         0);
        free_side(&one);
    }
    free_side(&all);
}

/* ---- all of them ---- */

static void check_problem(const dwc_problem *problem, uint64_t seed, void *law) {
    dwc_problem bare = *problem;
    bare.bias = 0;
    bare.activation = DWC_NO_ACTIVATION;
    for (int i = 0; i < dwt_call_count(); i++) {
        dwt_call call = dwt_call_get(i);
        call.threads = 1 + (int)(seed & 3);
        now.problem = &bare;
        now.seed = seed;
        now.call = &call;
        (*(law_fn *)law)(&call, &bare, seed);
    }
}

static void check_law(void **state) {
    dwt_for_problems(40, 20000, check_problem, *state);
}

int main(int argc, char **argv) {
    static law_fn laws[] = {linearity, impulse, shift,    channel_permutation, batch_split, power_of_two,
                            stride,    layout,  dilation, multiplier};
#define LAW(index, text)                                                                                               \
    { #text, check_law, NULL, NULL, &laws[index] }
    const struct CMUnitTest tests[] = {
        LAW(0, linearity),   LAW(1, impulse),      LAW(2, shift),  LAW(3, channel_permutation),
        LAW(4, batch_split), LAW(5, power_of_two), LAW(6, stride), LAW(7, layout),
        LAW(8, dilation),    LAW(9, multiplier),
    };
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
