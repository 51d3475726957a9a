/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors beyond 2^32 bytes and 2^31 elements. The input is sparse memory: pages nobody writes cost nothing, and large
 * strides keep the output small. Only the elements that windows see are set, to whole numbers made from their 64-bit
 * index, so that an index cut to 32 bits gives another result.
 *
 *     | . . 5 2 . . . . . . . . (4 GiB) . . . . . . 3 6 . . |
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "harness.h"

/* Strides are such that the last windows lie at the image's end. */
static const char *const texts[] = {
    "f32:nhwc:n1:40000x32000x1:k3x3:s7999x7999",            /* 4.8 GiB in one image */
    "f32:nhwc:n1:9000x4500x33:k3x3:m2:s2999x1499",          /* 5.0 GiB, channels beside a vector length */
    "f32:nchw:n1:33000x33000x2:k5x3:s7919x8009:valid",      /* the second plane begins beyond 2^32 bytes */
    "f16:nhwc:n1:70000x65000x1:k3x3:s13999x12999",          /* 2^32 elements and more in one image */
    "bf16:nchw:n1:50000x45000x1:k3x3:s9999x8999",           /* 2^31 elements and more in one plane */
    "f16:nchw:n1:27000x27000x4:k3x3:s6749x6749:bias",       /* the fourth plane beyond 2^32 bytes */
    "bf16:nhwc:n4:27000x27000x1:k3x3:s6749x8999:p1,0,0,1",  /* likewise the fourth image */
    "f64:nchw:n3:17000x17000x1:k2x2:d3x5:s4247x4247:valid", /* likewise the third */
    "f32:nhwc:n1200000000:1x1x1:k1x1:m0",                   /* many images, no output */
};
enum { TEXTS = sizeof texts / sizeof *texts };

typedef struct huge_case {
    dwc_problem problem;
    dwt_shape shape;
    void *input, *filter, *bias, *output;
    double *expected;
} huge_case;

static void *sparse_memory(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, bytes, MADV_NOHUGEPAGE); /* small pages: each touched element costs 4 KiB, not 2 MiB */
    return memory;
}

static double made_from(int64_t index) {
    return (double)((uint64_t)index * 0x9e3779b97f4a7c15u >> 61) + 1;
}

/* Sets the taps of one output's window, and its expected value. */
static double set_window(huge_case *h, int64_t n, int64_t i, int64_t j, int64_t channel) {
    const dwc_problem *p = &h->problem;
    int64_t k = channel / p->m;
    double sum = p->bias ? dwt_get(p->dtype, h->bias, channel) : 0;
    for (int64_t a = 0; a < p->kh; a++)
        for (int64_t b = 0; b < p->kw; b++) {
            int64_t y = i * p->sh - h->shape.top + a * p->dh, x = j * p->sw - h->shape.left + b * p->dw;
            if (y < 0 || y >= p->h || x < 0 || x >= p->w)
                continue;
            int64_t at = dwt_index(p->layout, p->h, p->w, p->c, n, y, x, k);
            dwt_set(p->dtype, h->input, at, made_from(at));
            sum += made_from(at) * dwt_get(p->dtype, h->filter, (a * p->kw + b) * h->shape.oc + channel);
        }
    return sum;
}

static void fill(huge_case *h) {
    const dwc_problem *p = &h->problem;
    const dwt_shape *s = &h->shape;
    dwt_rng rng = {dwt_args.seed};
    dwt_fill(&rng, DWT_INTEGER, p->dtype, h->filter, s->filters);
    dwt_fill(&rng, DWT_INTEGER, p->dtype, h->bias, s->biases);
    for (int64_t n = 0; n < p->n && s->outputs > 0; n++)
        for (int64_t i = 0; i < s->oh; i++)
            for (int64_t j = 0; j < s->ow; j++)
                for (int64_t k = 0; k < s->oc; k++)
                    h->expected[dwt_index(p->layout, s->oh, s->ow, s->oc, n, i, j, k)] = set_window(h, n, i, j, k);
}

static void check_calls(const huge_case *h) {
    const dwc_problem *p = &h->problem;
    for (int i = 0; i < dwt_call_count(); i++) {
        dwt_call call = dwt_call_get(i);
        dwc_plan_info info;
        call.threads = 2;
        dwt_note(p, 0, &call);
        memset(h->output, 0xa5, (size_t)h->shape.outputs * dwc_dtype_bytes(p->dtype));
        dwc_plan *plan = dwt_plan(&call, p);
        if (plan == NULL)
            continue;
        dwc_plan_get_info(plan, &info);
        dwc_plan_destroy(plan);
        if (info.workspace_bytes > (size_t)1 << 30) /* an algorithm that copies the input: not for a test */
            continue;
        dwt_run(&call, p, h->input, h->filter, h->bias, h->output, NULL);
        for (int64_t o = 0; o < h->shape.outputs; o++) {
            double got = dwt_get(p->dtype, h->output, o), want = dwt_round(p->dtype, h->expected[o]);
            if (got != want)
                dwt_fail("%s: element %" PRId64 " (%s): got %g, expected %g", call.algo, o, dwt_place(p, &h->shape, o),
                         got, want);
        }
    }
}

static void beyond_32_bits(void **state) {
    (void)state;
    for (int i = 0; i < TEXTS; i++) {
        huge_case h = {.problem = dwt_problem(dwt_args.problem != NULL ? dwt_args.problem : texts[i])};
        const dwt_shape *s = &h.shape;
        dwc_dtype dtype = h.problem.dtype;
        dwt_note(&h.problem, 0, NULL);
        dwt_shape_of(&h.problem, &h.shape);
        size_t bytes = (size_t)s->inputs * dwc_dtype_bytes(dtype);
        assert_true(bytes > (size_t)1 << 32);
        h.input = sparse_memory(bytes);
        if (h.input == NULL)
            skip(); /* no address space for it (a memory limit, a memory checker) */
        h.filter = dwt_elements(dtype, s->filters);
        h.bias = dwt_elements(dtype, s->biases);
        h.output = dwt_elements(dtype, s->outputs);
        h.expected = dwt_elements(DWC_F64, s->outputs);
        fill(&h);
        check_calls(&h);
        munmap(h.input, bytes);
        free(h.filter);
        free(h.bias);
        free(h.output);
        free(h.expected);
    }
}

/* Numbers near 2^63 that are legal: pads, strides and dilations, with outputs at the image and far out. */
static void far_numbers(void **state) {
    (void)state;
    static const char *const far[] = {
        "f32:nhwc:n1:1x8x16:k1x2:s1x4611686018427387904:p0,0,1152921504606846976,0",
        "f64:nchw:n1:3x8x2:k1x2:s1x1152921504606846976:p0,0,1152921504606846976,1152921504606846976",
        "f16:nhwc:n2:3x5x3:k2x2:d4611686018427387904x1:s1:p4611686018427387904,0,1,1",
        "bf16:nchw:n1:2x2x1:k1x3:d1x2305843009213693952:m2:same",
        "f32:nhwc:n1:3x3x16:k2x1:d72057594037927937x1:p72057594037927937,0,0,0",
        "f32:nhwc:n1:1x8x16:k2x3:s1152921504606846976x1:p1152921504606846976,1152921504606846976,1,1",
        "f32:nhwc:n0:1x1x1:k3x3:s9223372036854775807",
        "f32:nhwc:n1:8x8x4:k3x3:s1x4611686018427387904",
        "f32:nhwc:n1:7x7x16:k3x3:d1x2305843009213693952",
        "f32:nhwc:n1:3x3x16:k3x3:d1x2305843009213693952:p2,2,2305843009213693952,2305843009213693952",
        "f32:nhwc:n0:4611686018427387904x4611686018427387904x1:k1x1",
        "f32:nhwc:n1:1x5x1:k1:s1x9223372036854775804:p0,0,0,9223372036854775801",
        "f32:nhwc:n1:1x5x4:k1:s1x4611686018427387903:p0,0,0,9223372036854775802:m2",
    };
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        const dwc_problem problem = dwt_problem(far[i]);
        dwc_geometry g;
        dwt_ok(dwc_problem_geometry(&problem, &g, NULL), NULL, "geometry");
        assert_true(g.output_elements < 1000);
        dwt_rng rng = {i};
        void *input = dwt_elements(problem.dtype, g.input_elements),
             *output = dwt_elements(problem.dtype, g.output_elements);
        void *filter = dwt_elements(problem.dtype, g.filter_elements);
        dwt_fill(&rng, DWT_REAL, problem.dtype, input, g.input_elements);
        dwt_fill(&rng, DWT_REAL, problem.dtype, filter, g.filter_elements);
        for (int k = 0; k < dwt_call_count(); k++) {
            const dwt_call call = dwt_call_get(k);
            dwc_verification v;
            dwt_note(&problem, 0, &call);
            dwc_plan *plan = dwt_plan(&call, &problem);
            if (plan == NULL)
                continue;
            dwt_run(&call, &problem, input, filter, NULL, output, NULL);
            dwt_ok(dwc_plan_verify(plan, input, filter, NULL, output, &v, NULL), NULL, "verify");
            if (!v.passed)
                dwt_fail("output %" PRId64 " is %g, must be %g", v.first_failure, v.got, v.expected);
            dwc_plan_destroy(plan);
        }
        free(input);
        free(filter);
        free(output);
    }
}

/* A filter that fits the address space, but not in its packed form. */
static void packed_overflow(void **state) {
    (void)state;
    dwc_problem problem = dwt_problem("f32:nhwc:n1:536870912x1073741824x1:k536870912x1073741824:valid");
    const dwc_plan_options direct = {.algo = "direct"};
    dwc_plan *plan = NULL;
    dwc_error error;
    assert_int_equal(dwc_plan_create(dwt_context(DWC_ISA_BASELINE), &problem, &direct, &plan, &error),
                     DWC_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "packed filter"));
    assert_null(plan);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(beyond_32_bits), cmocka_unit_test(far_numbers),
                                       cmocka_unit_test(packed_overflow)};
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
