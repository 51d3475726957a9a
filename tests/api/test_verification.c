/* SPDX-License-Identifier: Apache-2.0 */
/* dwc_plan_verify: passes right outputs of every algorithm, finds a damaged one and says which element it is, and its
 * max_err is max |got - exact| / max over outputs of (sum |input * filter| + |bias|) as the tests' own oracle has it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "refusal.h"

static const char *const texts[] = {
    "f32:nhwc:n2:9x10x5:k3x3:m2:bias", "f64:nchw:n2:9x10x3:k5x3:s2:relu",      "f16:nhwc:n1:8x8x17:k3x3:d2:bias:relu6",
    "bf16:nchw:n1:8x19x2:k3x3:bias",   "f32:nhwc:n1:3x3x4:k3x3:p6,6,6,6:bias", "f32:nhwc:n0:4x4x4:k3x3",
};
enum { TEXTS = sizeof texts / sizeof *texts };

static double max_error(const dwt_case *c, const void *output) {
    double worst = 0;
    for (int64_t i = 0; i < c->expected.count; i++)
        worst = fmax(worst, (double)fabsl(dwt_get(c->problem.dtype, output, i) - c->expected.exact[i]));
    return c->expected.max_sum > 0 ? worst / c->expected.max_sum : 0;
}

static dwc_verification verify(const dwt_case *c, const dwc_plan *plan, const void *output) {
    dwc_verification v;
    dwc_error error;
    dwt_ok(dwc_plan_verify(plan, c->input, c->filter, c->bias, output, &v, &error), &error, "dwc_plan_verify");
    return v;
}

static void damage(const dwt_case *c, const dwc_plan *plan, void *output) {
    const int64_t places[] = {0, c->shape.outputs / 2, c->shape.outputs - 1};
    const double values[] = {NAN, INFINITY, -1e4};
    for (int i = 0; i < 9; i++) {
        int64_t at = places[i / 3];
        double good = dwt_get(c->problem.dtype, output, at);
        dwt_set(c->problem.dtype, output, at, values[i % 3]);
        dwc_verification v = verify(c, plan, output);
        if (v.passed || v.failures != 1 || v.first_failure != at || v.expected != v.expected ||
            (v.got != values[i % 3] && !isnan(v.got) && i % 3 != 2))
            dwt_fail("%g at element %d: passed %d, %d failures, first %d, got %g", values[i % 3], (int)at, v.passed,
                     (int)v.failures, (int)v.first_failure, v.got);
        dwt_set(c->problem.dtype, output, at, good);
    }
}

static void verifications(void **state) {
    (void)state;
    for (int i = 0; i < TEXTS * 2; i++) {
        dwt_case c;
        dwc_problem problem = dwt_problem(texts[i / 2]);
        dwt_case_init(&c, &problem, 2, i % 2 ? DWT_INTEGER : DWT_REAL);
        void *output = dwt_elements(problem.dtype, c.shape.outputs);
        for (int k = 0; k < dwt_call_count(); k++) {
            dwt_call call = dwt_call_get(k);
            if (!dwt_run_case(&call, &c, output, NULL))
                continue;
            dwc_plan *plan = dwt_plan(&call, &problem);
            dwc_verification v = verify(&c, plan, output);
            double want = max_error(&c, output);
            if (!v.passed || v.failures != 0 || v.first_failure != -1 || v.max_err > v.tolerance)
                dwt_fail("a right output: passed %d, %d failures, max_err %g, tolerance %g", v.passed, (int)v.failures,
                         v.max_err, v.tolerance);
            if (fabs(v.max_err - want) > 0x1p-48) /* the oracles' own rounding, relative to the same sum */
                dwt_fail("max_err is %.17g, expected %.17g", v.max_err, want);
            if (c.shape.outputs > 0)
                damage(&c, plan, output);
            dwc_plan_destroy(plan);
        }
        free(output);
        dwt_case_free(&c);
    }
}

/* The output of another problem's pads, taps or epilogue is noticed. */
static void other_problems(void **state) {
    (void)state;
    static const char *const others[][2] = {
        {"f32:nhwc:n1:8x8x4:k3x3:p1,1,1,1", "f32:nhwc:n1:8x8x4:k3x3:p2,0,1,1"},
        {"f16:nhwc:n1:8x8x4:k3x3:p1,1,1,1", "f16:nhwc:n1:8x8x4:k3x3:p1,1,0,2"},
        {"f64:nchw:n1:8x8x4:k3x3", "f64:nchw:n1:8x8x4:k3x3:d2"},
        {"bf16:nhwc:n1:8x8x4:k3x3", "bf16:nhwc:n1:8x8x4:k3x3:relu"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        dwt_case c;
        dwt_call call = {.algo = "direct", .isa = DWC_ISA_BASELINE, .threads = 1};
        dwc_problem right = dwt_problem(others[i][0]), wrong = dwt_problem(others[i][1]);
        dwt_case_init(&c, &right, 2, DWT_REAL);
        void *output = dwt_elements(right.dtype, c.shape.outputs);
        dwt_run(&call, &wrong, c.input, c.filter, c.bias, output, NULL);
        dwc_plan *plan = dwt_plan(&call, &right);
        dwc_verification v = verify(&c, plan, output);
        assert_true(!v.passed && v.failures > 0);
        dwc_plan_destroy(plan);
        free(output);
        dwt_case_free(&c);
    }
}

static void null_pointers(void **state) {
    (void)state;
    dwt_case c;
    dwt_call call = {.algo = "direct", .isa = DWC_ISA_BASELINE, .threads = 1};
    dwc_problem problem = dwt_problem(texts[0]);
    dwt_case_init(&c, &problem, 2, DWT_REAL);
    void *output = dwt_elements(problem.dtype, c.shape.outputs);
    dwc_plan *plan = dwt_plan(&call, &problem);
    const void *good[4] = {c.input, c.filter, c.bias, output};
    static const dwt_refusal rows[4] = {{"null input", "input", NULL},
                                        {"null filter", "filter", NULL},
                                        {"null bias", "bias", NULL},
                                        {"null output", "output", NULL}};
    for (int i = 0; i < 4; i++) {
        const void *p[4];
        dwc_verification v, before;
        dwc_error error = dwt_fresh_error();
        memcpy(p, good, sizeof p);
        p[i] = NULL;
        memset(&v, 0x5a, sizeof v);
        memcpy(&before, &v, sizeof v);
        dwt_refused(dwc_plan_verify(plan, p[0], p[1], p[2], p[3], &v, &error), &error, DWC_INVALID_ARGUMENT, &rows[i]);
        assert_memory_equal(&v, &before, sizeof v);
    }
    dwc_plan_destroy(plan);
    free(output);
    dwt_case_free(&c);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifications),
        cmocka_unit_test(other_problems),
        cmocka_unit_test(null_pointers),
    };
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
