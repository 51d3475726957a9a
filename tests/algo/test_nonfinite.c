/* SPDX-License-Identifier: Apache-2.0 */
/* NaN, infinity and signed zero. Algorithms that add the products as they are keep a non-finite input inside the
 * windows that contain it, skip a non-finite tap where it lies in padding, and give +0 where a window lies wholly in
 * padding; relu keeps NaN.
 *
 *     input  . . .     outputs of k3x3    N N N
 *            . N .                        N N N
 *            . . .                        N N N
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static const char *const texts[] = {
    "f32:nhwc:n2:9x11x17:k3x3",          "f32:nchw:n2:9x11x3:k3x3",
    "f64:nhwc:n1:8x8x5:k5x3:s2",         "f64:nchw:n1:8x19x2:k3x5:d2",
    "f16:nhwc:n1:7x9x9:k3x3:m2:bias",    "f16:nchw:n1:7x21x2:k3x3:valid",
    "bf16:nhwc:n2:6x7x8:k3x3:p2,3,1,2",  "bf16:nchw:n1:6x18x3:k2x2:s2x1:relu6",
    "f32:nhwc:n1:12x12x33:k5x5:m3:relu", "f32:nchw:n1:10x37x1:k7x7:d1x2",
    "f32:nhwc:n1:3x3x8:k3x3:p6,6,6,6",   "f32:nhwc:n2:9x9x12:k1x1:s2",
};
enum { TEXTS = sizeof texts / sizeof *texts };

static const double specials[] = {NAN, INFINITY, -INFINITY};

/* The calls that promise the window, in every instruction set. */
static void check_windows(const dwt_case *c) {
    void *output = dwt_elements(c->problem.dtype, c->shape.outputs);
    for (int i = 0; i < dwt_call_count(); i++) {
        dwt_call call = dwt_call_get(i);
        dwc_plan_info info;
        if (!dwt_sums_products(call.algo))
            continue;
        call.threads = 1 + i % 3;
        dwt_run_case(&call, c, output, &info);
        dwt_check(c, &call, dwt_rule_for(&info, 0), output);
    }
    free(output);
}

/* One special value at a time, at corners, edges and the middle of the array. */
static void sprinkle(dwt_case *c, void *array, int64_t count) {
    int64_t places[] = {0, count - 1, count / 2, count / 3, 1 % count};
    dwc_dtype dtype = c->problem.dtype;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (int s = 0; s < 3; s++) {
            double kept = dwt_get(dtype, array, places[i]);
            dwt_set(dtype, array, places[i], specials[s]);
            dwt_case_expect(c);
            check_windows(c);
            dwt_set(dtype, array, places[i], kept);
        }
}

static void special_input(void **state) {
    (void)state;
    for (int i = 0; i < TEXTS; i++) {
        dwt_case c;
        dwc_problem problem = dwt_problem(texts[i]);
        dwt_case_init(&c, &problem, 3, DWT_REAL);
        sprinkle(&c, c.input, c.shape.inputs);
        dwt_case_free(&c);
    }
}

static void special_filter(void **state) {
    (void)state;
    for (int i = 0; i < TEXTS; i++) {
        dwt_case c;
        dwc_problem problem = dwt_problem(texts[i]);
        dwt_case_init(&c, &problem, 4, DWT_REAL);
        sprinkle(&c, c.filter, c.shape.filters);
        for (int64_t f = 0; f < c.shape.filters; f++) /* all taps at once: only windows in padding stay finite */
            dwt_set(problem.dtype, c.filter, f, NAN);
        dwt_case_expect(&c);
        check_windows(&c);
        dwt_case_free(&c);
    }
}

/* An infinite input under a zero tap gives NaN, and so does an infinite tap over a zero input: nothing is skipped that
 * lies inside the image. */
static void infinity_times_zero(void **state) {
    (void)state;
    for (int i = 0; i < TEXTS; i++) {
        dwt_case c;
        dwc_problem problem = dwt_problem(texts[i]);
        dwt_case_init(&c, &problem, 5, DWT_REAL);
        for (int64_t f = 0; f < c.shape.filters; f++)
            dwt_set(problem.dtype, c.filter, f, 0);
        dwt_set(problem.dtype, c.input, c.shape.inputs / 2, INFINITY);
        dwt_case_expect(&c);
        check_windows(&c);
        memset(c.input, 0, (size_t)c.shape.inputs * dwc_dtype_bytes(problem.dtype));
        dwt_set(problem.dtype, c.filter, c.shape.filters / 2, -INFINITY);
        dwt_case_expect(&c);
        check_windows(&c);
        dwt_case_free(&c);
    }
}

/* A 1x1 kernel of 1 hands each value to the activation. */
static void activations(void **state) {
    (void)state;
    static const double in[] = {NAN, -0.0, 0.0, -1, -INFINITY, INFINITY, 0.5, 6, 7, -0.0625, 100};
    static const double relu[] = {NAN, 0, 0, 0, 0, INFINITY, 0.5, 6, 7, 0, 100};
    static const double relu6[] = {NAN, 0, 0, 0, 0, 6, 0.5, 6, 6, 0, 6};
    enum { COUNT = sizeof in / sizeof *in };
    for (int i = 0; i < DWT_DTYPE_COUNT * 4; i++) {
        dwc_problem p;
        dwc_problem_init(&p);
        p.dtype = dwt_dtypes[i / 4];
        p.layout = i & 1 ? DWC_NCHW : DWC_NHWC;
        p.activation = i & 2 ? DWC_RELU6 : DWC_RELU;
        *(i & 1 ? &p.w : &p.c) = COUNT;
        const double *want = i & 2 ? relu6 : relu;
        _Alignas(double) unsigned char filter[COUNT * sizeof(double)], input[COUNT * sizeof(double)],
            output[COUNT * sizeof(double)];
        for (int e = 0; e < COUNT; e++) {
            dwt_set(p.dtype, filter, e, 1);
            dwt_set(p.dtype, input, e, in[e]);
        }
        for (int k = 0; k < dwt_call_count(); k++) {
            dwt_call call = dwt_call_get(k);
            dwt_note(&p, 0, &call);
            if (!dwt_sums_products(call.algo))
                continue;
            dwt_run(&call, &p, input, filter, NULL, output, NULL);
            for (int e = 0; e < COUNT; e++) {
                double got = dwt_get(p.dtype, output, e);
                if (isnan(want[e]) ? !isnan(got) : got != want[e] || signbit(got))
                    dwt_fail("%s of %g: got %g, expected %g", dwc_activation_name(p.activation), in[e], got, want[e]);
            }
        }
    }
}

/* Negative zeros and cancelling products: sums start at +0, so a zero output is +0 unless its bias or activation says
 * otherwise; windows wholly in padding as well, whatever the filter holds. */
static void zeros_are_positive(void **state) {
    (void)state;
    for (int i = 0; i < TEXTS; i++) {
        dwt_case c;
        dwc_problem problem = dwt_problem(texts[i]);
        problem.padding = DWC_EXPLICIT;
        problem.pad_top = problem.pad_bottom = (problem.kh - 1) * problem.dh + problem.sh;
        problem.pad_left = problem.pad_right = (problem.kw - 1) * problem.dw + problem.sw;
        problem.bias = 0;
        dwt_case_init(&c, &problem, 6, DWT_REAL);
        for (int64_t e = 0; e < c.shape.inputs; e++)
            dwt_set(problem.dtype, c.input, e, -0.0);
        dwt_case_expect(&c);
        for (int k = 0; k < dwt_call_count(); k++) {
            dwt_call call = dwt_call_get(k);
            void *output = dwt_elements(problem.dtype, c.shape.outputs);
            if (dwt_run_case(&call, &c, output, NULL) && dwt_sums_products(call.algo))
                dwt_check(&c, &call, (dwt_rule){DWT_BITWISE, 0}, output);
            free(output);
        }
        dwt_case_free(&c);
    }
}

/* Sums and products that overflow the type become infinite at the store, with the sign they have. */
static void overflow(void **state) {
    (void)state;
    static const double big[] = {[DWC_F16] = 65504, [DWC_BF16] = 0x1.fep127, [DWC_F32] = FLT_MAX, [DWC_F64] = DBL_MAX};
    for (int i = 0; i < DWT_DTYPE_COUNT * 2; i++) {
        dwt_case c;
        dwc_problem problem = dwt_problem(i % 2 ? "f32:nchw:n1:3x20x2:k1x2:valid" : "f32:nhwc:n1:3x2x20:k1x2:valid");
        problem.dtype = dwt_dtypes[i / 2];
        dwt_case_init(&c, &problem, 9, DWT_INTEGER);
        for (int64_t e = 0; e < c.shape.inputs; e++)
            dwt_set(problem.dtype, c.input, e, e % 2 ? big[problem.dtype] : -big[problem.dtype]);
        for (int64_t f = 0; f < c.shape.filters; f++)
            dwt_set(problem.dtype, c.filter, f, f < problem.c ? 2 : 0);
        dwt_case_expect(&c);
        check_windows(&c);
        dwt_case_free(&c);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_input), cmocka_unit_test(special_filter),     cmocka_unit_test(infinity_times_zero),
        cmocka_unit_test(activations),   cmocka_unit_test(zeros_are_positive), cmocka_unit_test(overflow),
    };
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
