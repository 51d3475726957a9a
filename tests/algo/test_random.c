/* SPDX-License-Identifier: Apache-2.0 */
/* Random problems through every algorithm, under every instruction-set cap, on 1 to 4 threads. Half of them have whole
 * numbers as data and must match bit for bit, the others within the derived tolerance.
 *
 * The negative controls then damage an output or a call a little and see the same checks refuse it.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static void same_geometry(const dwt_case *c) {
    const dwt_shape *s = &c->shape;
    dwc_geometry g;
    dwc_error error;
    dwt_ok(dwc_problem_geometry(&c->problem, &g, &error), &error, "dwc_problem_geometry");
    int64_t got[] = {g.oh,
                     g.ow,
                     g.oc,
                     g.pad_top,
                     g.pad_bottom,
                     g.pad_left,
                     g.pad_right,
                     g.input_elements,
                     g.filter_elements,
                     g.output_elements};
    int64_t want[] = {s->oh, s->ow, s->oc, s->top, s->bottom, s->left, s->right, s->inputs, s->filters, s->outputs};
    for (size_t i = 0; i < sizeof got / sizeof *got; i++)
        if (got[i] != want[i])
            dwt_fail("geometry value %zu (oh ow oc T B L R input filter output): got %" PRId64 ", expected %" PRId64, i,
                     got[i], want[i]);
}

static void check_problem(const dwc_problem *problem, uint64_t seed, void *user) {
    dwt_case c;
    int exact = (int)(seed & 1);
    dwt_case_init(&c, problem, seed, exact ? DWT_INTEGER : DWT_REAL);
    same_geometry(&c);
    dwt_check_all(&c, exact, 1 + (int)(seed >> 1 & 3), user);
    dwt_case_free(&c);
}

static void run_range(const dwt_range *range, dwt_tally *tally) {
    dwt_for_range(range, check_problem, tally);
    printf("calls that did not apply: %" PRId64 ", with several threads: %" PRId64 "\n", tally->skipped,
           tally->threaded);
}

static void random_problems(void **state) {
    (void)state;
    static const dwt_range range = {.count = 600, .most = 200000};
    dwt_tally tally = {0, 0};
    run_range(&range, &tally);
}

/* Problems with work enough that the threads asked for are used. */
static void threaded_problems(void **state) {
    (void)state;
    static const dwt_range range = {.count = 600, .least = 3000000, .most = 8000000, .one_in = 60};
    dwt_tally tally = {0, 0};
    run_range(&range, &tally);
    assert_true(tally.threaded > 0 || dwt_args.problem != NULL || dwt_args.algo != NULL);
}

/* ---- negative controls ---- */

static const char *const control_text[] = {
    "f16:nhwc:n1:9x7x5:k3x3:bias",
    "bf16:nchw:n2:6x6x3:k3x2:s2:same",
    "f32:nhwc:n1:8x8x17:k5x5:m2:relu",
    "f64:nchw:n1:10x9x2:k3x3:p2,1,1,2",
};
enum { CONTROLS = sizeof control_text / sizeof *control_text };

/* The expected output itself, rounded: what a perfect library would give. */
static void *perfect_output(const dwt_case *c) {
    void *output = dwt_elements(c->problem.dtype, c->shape.outputs);
    for (int64_t i = 0; i < c->shape.outputs; i++)
        dwt_set(c->problem.dtype, output, i, dwt_round(c->problem.dtype, c->expected.exact[i]));
    return output;
}

/* The next number of the type above value. */
static double next_up(dwc_dtype dtype, double value) {
    double step = fmax(fabs(value) * dwt_unit_roundoff(dtype), dwt_smallest_subnormal(dtype));
    while (dwt_round(dtype, (long double)value + step) <= value)
        step *= 2;
    return dwt_round(dtype, (long double)value + step);
}

static void refused(const dwt_case *c, dwt_rule rule, const void *output, int64_t index, const char *damage) {
    dwt_verdict v = dwt_compare(&c->expected, rule, output);
    if (v.wrong == 0 || (index >= 0 && (v.wrong != 1 || v.first != index)))
        dwt_fail("%s was not noticed: %" PRId64 " wrong, first %" PRId64, damage, v.wrong, v.first);
}

/* One element off: by one unit in the last place where the data are exact, else by the first step out of the tolerance
 * (which a step less still meets). */
static void damaged_element(void **state) {
    (void)state;
    for (int i = 0; i < 2 * CONTROLS; i++) {
        dwt_case c;
        dwc_problem problem = dwt_problem(control_text[i / 2]);
        dwc_dtype dtype = problem.dtype;
        int exact = i % 2;
        dwt_rule rule = {exact ? DWT_BITWISE : DWT_COMPONENTWISE, 0};
        dwt_case_init(&c, &problem, 7, exact ? DWT_INTEGER : DWT_REAL);
        void *output = perfect_output(&c);
        for (int64_t e = 0; e < c.shape.outputs; e++) {
            double good = dwt_get(dtype, output, e), bad = next_up(dtype, good);
            double tolerance = dwt_tolerance(&c.expected, rule, e);
            if (!exact)
                bad = next_up(dtype, dwt_round(dtype, c.expected.exact[e] + tolerance));
            dwt_set(dtype, output, e, bad);
            refused(&c, rule, output, e, "a damaged element");
            if (good == 0) {
                dwt_set(dtype, output, e, -0.0);
                refused(&c, (dwt_rule){DWT_BITWISE, 0}, output, e, "the sign of a zero");
            }
            dwt_set(dtype, output, e, NAN);
            refused(&c, rule, output, e, "NaN");
            dwt_set(dtype, output, e, good);
        }
        assert_int_equal(dwt_compare(&c.expected, rule, output).wrong, 0);
        free(output);
        dwt_case_free(&c);
    }
}

/* The library runs on a filter with one tap's sign flipped, or on pads moved by one: another convolution. */
static void damaged_call(void **state) {
    (void)state;
    for (int i = 0; i < 2 * CONTROLS; i++) {
        dwt_case c;
        dwc_problem problem = dwt_problem(control_text[i / 2]), shifted;
        int exact = i % 2;
        dwt_rule rule = {exact ? DWT_BITWISE : DWT_COMPONENTWISE, 0};
        dwt_call call = {.algo = "direct", .isa = DWC_ISA_BASELINE, .threads = 1};
        problem.activation = DWC_NO_ACTIVATION;
        dwt_case_init(&c, &problem, 8, exact ? DWT_INTEGER : DWT_REAL);
        void *output = dwt_elements(problem.dtype, c.shape.outputs);
        for (int64_t tap = 0; tap < c.shape.filters; tap++) {
            double value = dwt_get(problem.dtype, c.filter, tap);
            if (fabs(value) < 0.25) /* may be lost in a half type's rounding */
                continue;
            dwt_set(problem.dtype, c.filter, tap, -value);
            dwt_run_case(&call, &c, output, NULL);
            refused(&c, rule, output, -1, "a flipped tap");
            dwt_set(problem.dtype, c.filter, tap, value);
        }
        shifted = problem;
        shifted.padding = DWC_EXPLICIT;
        shifted.pad_top = c.shape.top + 1;
        shifted.pad_bottom = c.shape.bottom - 1; /* every control has one */
        shifted.pad_left = c.shape.left;
        shifted.pad_right = c.shape.right;
        dwt_run(&call, &shifted, c.input, c.filter, c.bias, output, NULL);
        refused(&c, rule, output, -1, "a pad moved by one");
        dwt_run_case(&call, &c, output, NULL);
        assert_int_equal(dwt_compare(&c.expected, rule, output).wrong, 0);
        free(output);
        dwt_case_free(&c);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_problems),
        cmocka_unit_test(threaded_problems),
        cmocka_unit_test(damaged_element),
        cmocka_unit_test(damaged_call),
    };
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
