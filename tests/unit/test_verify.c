/* SPDX-License-Identifier: Apache-2.0 */
/* dwc_plan_verify: passes right outputs and finds one wrong element, whatever the type, at the right place; normwise
 * bounds (of algorithms to come) as well as componentwise ones. */
#include "core/plan.h"
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Runs the case and returns the plan. */
static dwc_plan *run(const dwt_case *c, void *output) {
    dwc_isa isas[3];
    const dwt_call call = {.algo = "direct", .isa = isas[dwt_isas(isas) - 1], .threads = 2};
    dwt_run_case(&call, c, output, NULL);
    return dwt_plan(&call, &c->problem);
}

static dwc_verification verify(const dwc_plan *plan, const dwt_case *c, const void *output) {
    dwc_verification v;
    dwc_error error;
    dwt_ok(dwc_plan_verify(plan, c->input, c->filter, c->bias, output, &v, &error), &error, "verify");
    return v;
}

static void check(const dwc_problem *problem, uint64_t seed, void *user) {
    (void)user;
    dwt_case c;
    dwt_rng rng = {seed};
    dwc_geometry g;
    dwt_ok(dwc_problem_geometry(problem, &g, NULL), NULL, "geometry");
    dwt_case_init(&c, problem, seed, DWT_REAL);
    void *output = dwt_elements(problem->dtype, g.output_elements);
    dwc_plan *plan = run(&c, output);
    dwc_verification v = verify(plan, &c, output);
    if (!v.passed || v.failures != 0 || v.first_failure != -1 || v.max_err > v.tolerance)
        dwt_fail("a right output was refused: %lld failures, max_err %g of %g", (long long)v.failures, v.max_err,
                 v.tolerance);
    if (g.output_elements > 0) {
        const int64_t at = dwt_between(&rng, 0, g.output_elements - 1);
        const double got = dwt_get(problem->dtype, output, at);
        const double off = 5 * dwt_tolerance(&c.expected, (dwt_rule){DWT_COMPONENTWISE, 0}, at) +
                           4 * dwt_unit_roundoff(problem->dtype) * fabs(got) +
                           4 * dwt_smallest_subnormal(problem->dtype);
        dwt_set(problem->dtype, output, at, got + off);
        v = verify(plan, &c, output);
        if (v.passed || v.failures != 1 || v.first_failure != at)
            dwt_fail("element %lld was moved by %g and %lld failures found, the first at %lld", (long long)at, off,
                     (long long)v.failures, (long long)v.first_failure);
        dwt_set(problem->dtype, output, at, NAN);
        v = verify(plan, &c, output);
        if (v.passed || v.first_failure != at)
            dwt_fail("a NaN at %lld was not found", (long long)at);
        /* As an algorithm with a normwise bound: the error may be large beside its own output, not beside the largest.
         */
        plan->solution.prepared.componentwise = false;
        plan->solution.prepared.error_bound = 1e-2;
        dwt_set(problem->dtype, output, at, got + 0.5e-2 * c.expected.max_sum);
        assert_true(verify(plan, &c, output).passed);
        dwt_set(problem->dtype, output, at,
                got + 3e-2 * c.expected.max_sum + 4 * dwt_smallest_subnormal(problem->dtype));
        if (c.expected.max_sum > 0 && verify(plan, &c, output).passed)
            dwt_fail("an error of three times the normwise bound was not found");
    }
    dwc_plan_destroy(plan);
    free(output);
    dwt_case_free(&c);
}

static void test_verify(void **state) {
    (void)state;
    dwt_for_problems(150, 200000, check, NULL);
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verify)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failed;
}
