/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of dwc_plan_options: whatever is planned keeps to them, by name or not, and what cannot is refused; what
 * its cache means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dwconv_expert.h"
#include "harness.h"

static dwc_plan *plan_of(const dwc_problem *problem, const dwc_plan_options *options, dwc_plan_info *info) {
    dwc_plan *plan = NULL;
    dwc_error error;
    const dwc_status status = dwc_plan_create(dwt_context(DWC_ISA_AVX512), problem, options, &plan, &error);
    if (status == DWC_NOT_APPLICABLE)
        return NULL;
    dwt_ok(status, &error, "dwc_plan_create");
    dwc_plan_get_info(plan, info);
    return plan;
}

static void check_problem(const dwc_problem *problem, uint64_t seed, void *user) {
    static const int64_t workspaces[] = {1, 64, 4096, 40000, 1000000};
    static const double errors[] = {1e-3, 1e-5, 2e-6, 3e-7, 1e-9, 1e-15, 1e-17};
    int64_t *refused = user;
    dwc_plan_info info;
    dwt_note(problem, seed, NULL);
    for (int a = -1; a < dwc_algo_count(); a++) {
        const char *algo = a < 0 ? "auto" : dwc_algo_get(a).name;
        for (size_t i = 0; i < sizeof workspaces / sizeof *workspaces; i++) {
            const dwc_plan_options options = {.algo = algo, .threads = 3, .max_workspace = workspaces[i]};
            dwc_plan *plan = plan_of(problem, &options, &info);
            *refused += plan == NULL;
            if (plan && info.workspace_bytes > (size_t)workspaces[i])
                dwt_fail("%s: workspace of %zu bytes, limit %lld", info.algo, info.workspace_bytes,
                         (long long)workspaces[i]);
            if (!plan && a < 0)
                dwt_fail("direct needs no workspace");
            dwc_plan_destroy(plan);
        }
        for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
            const dwc_plan_options options = {.algo = algo, .max_error = errors[i]};
            dwc_plan *plan = plan_of(problem, &options, &info);
            *refused += plan == NULL;
            if (plan && info.error_bound > errors[i])
                dwt_fail("%s: error bound %g, limit %g", info.algo, info.error_bound, errors[i]);
            dwc_plan_destroy(plan);
        }
        const dwc_plan_options strict = {.algo = algo, .strict_nonfinite = 1},
                               direct = {.algo = algo, .numerics = DWC_NUMERICS_DIRECT};
        dwc_plan *plan = plan_of(problem, &strict, &info);
        if (plan ? info.spreads_nonfinite : a < 0)
            dwt_fail("strict_nonfinite: %s", plan ? info.algo : "none");
        dwc_plan_destroy(plan);
        plan = plan_of(problem, &direct, &info);
        if (plan ? !dwt_sums_in_order(info.algo) : a < 0)
            dwt_fail("numerics direct: %s", plan ? info.algo : "none");
        dwc_plan_destroy(plan);
    }
}

static void kept_to(void **state) {
    (void)state;
    int64_t refused = 0;
    dwt_for_problems(300, 3000000, check_problem, &refused);
    assert_true(refused > 0 || dwt_args.problem);
}

/* The accuracy of "auto" without a limit: 1e-5, f64 1e-13, or that of direct where it is no better. */
static void default_error(void **state) {
    (void)state;
    static const char *const texts[] = {"f32:nhwc:n1:28x28x64:k9:m8", "f64:nhwc:n1:28x28x64:k9:m8",
                                        "f16:nhwc:n1:28x28x64:k7:m8", "f32:nhwc:n1:28x28x64:k31",
                                        "f32:nhwc:n1:14x14x64:k3:m8"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const dwc_problem problem = dwt_problem(texts[i]);
        const dwc_plan_options automatic = {.algo = "auto"}, direct = {.algo = "direct"};
        const double limit = problem.dtype == DWC_F64 ? 1e-13 : 1e-5;
        dwc_plan_info info, other;
        dwc_plan_destroy(plan_of(&problem, &automatic, &info));
        dwc_plan_destroy(plan_of(&problem, &direct, &other));
        if (info.error_bound > limit && info.error_bound > other.error_bound)
            dwt_fail("%s: %s with an error bound of %g", texts[i], info.algo, info.error_bound);
    }
}

/* A refusal names the limit; fewer threads keep to a limit before an algorithm is refused. */
static void refusals(void **state) {
    (void)state;
    const dwc_problem problem = dwt_problem("f32:nhwc:n8:56x56x64:k3");
    const dwc_context *context = dwt_context(DWC_ISA_AVX512);
    dwc_plan *plan = NULL;
    dwc_plan_info info;
    dwc_error error;
    const dwc_plan_options bands = {.algo = "im2col_gemm", .bands = 1};
    const dwc_plan_options winograd = {.algo = "winograd", .threads = 4},
                           strict = {.algo = "winograd", .strict_nonfinite = 1},
                           direct = {.algo = "winograd", .numerics = DWC_NUMERICS_DIRECT},
                           accurate = {.algo = "winograd", .max_error = 1e-8};
    assert_int_equal(dwc_plan_create(context, &problem, &strict, &plan, &error), DWC_NOT_APPLICABLE);
    assert_non_null(strstr(error.message, "winograd: strict_nonfinite"));
    assert_int_equal(dwc_plan_create(context, &problem, &direct, &plan, &error), DWC_NOT_APPLICABLE);
    assert_non_null(strstr(error.message, "winograd: numerics"));
    assert_int_equal(dwc_plan_create(context, &problem, &accurate, &plan, &error), DWC_NOT_APPLICABLE);
    assert_non_null(strstr(error.message, "winograd: max_error"));
    if (dwc_plan_create(context, &problem, &(dwc_plan_options){.algo = "im2col_gemm"}, &plan, &error) == DWC_OK) {
        dwc_plan_destroy(plan); /* in this build */
        plan = NULL;
        assert_int_equal(dwc_plan_create(context, &problem, &bands, &plan, &error), DWC_NOT_APPLICABLE);
        assert_non_null(strstr(error.message, "im2col_gemm: bands"));
    }
    assert_null(plan);
    dwt_ok(dwc_plan_create(context, &problem, &winograd, &plan, &error), &error, "winograd");
    dwc_plan_get_info(plan, &info);
    dwc_plan_destroy(plan);
    assert_int_equal(info.threads, 4);
    dwc_plan_options tight = winograd;
    tight.params = info.params;
    tight.max_workspace = (int64_t)info.workspace_bytes / 2;
    dwt_ok(dwc_plan_create(context, &problem, &tight, &plan, &error), &error, "half the workspace");
    dwc_plan_get_info(plan, &info);
    dwc_plan_destroy(plan);
    assert_int_equal(info.threads, 2);
    tight.max_workspace = 64;
    assert_int_equal(dwc_plan_create(context, &problem, &tight, &plan, &error), DWC_NOT_APPLICABLE);
    assert_non_null(strstr(error.message, "winograd: max_workspace"));
}

static void class_of(const char *text, dwc_cache cache, const char *expected) {
    const dwc_problem problem = dwt_problem(text);
    const dwc_plan_options options = {.cache = cache};
    char key[DWC_KEY_TEXT_MAX];
    dwc_error error;
    dwt_note(&problem, 0, NULL);
    dwt_ok(dwc_expert_key(dwt_context(DWC_ISA_AVX512), &problem, &options, key, NULL, &error), &error, "key");
    if (!strstr(key, expected))
        dwt_fail("cache %d: '%s' is not%s", (int)cache, key, expected);
}

/* Where tensors are said to lie decides, whatever their size. */
static void classes(void **state) {
    (void)state;
    static const char small[] = "f32:nhwc:n1:14x14x64:k3x3", large[] = "f32:nhwc:n6400:112x112x64:k3x3";
    class_of(small, DWC_CACHE_AUTO, " resident ");
    class_of(small, DWC_CACHE_WARM, " resident ");
    class_of(small, DWC_CACHE_COLD, " streaming ");
    class_of(large, DWC_CACHE_AUTO, " streaming ");
    class_of(large, DWC_CACHE_WARM, " resident ");
    class_of(large, DWC_CACHE_COLD, " streaming ");
}

/* Of tensors from memory the choice is the same for one image and for many. */
static void any_batch(void **state) {
    (void)state;
    static const char *const images[] = {"4x4x512:k3x3", "7x7x960:k5x5", "28x28x192:k3x3"};
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        dwc_plan_info one, many;
        const dwc_plan_options cold = {.threads = 1, .cache = DWC_CACHE_COLD, .ignore_wisdom = 1};
        for (int n = 1; n <= 64; n += 63) {
            char text[DWC_PROBLEM_TEXT_MAX];
            snprintf(text, sizeof text, "f32:nhwc:n%d:%s", n, images[i]);
            const dwc_problem problem = dwt_problem(text);
            dwt_note(&problem, 0, NULL);
            dwc_plan_destroy(plan_of(&problem, &cold, n == 1 ? &one : &many));
        }
        assert_string_equal(one.algo, many.algo);
        assert_string_equal(one.params, many.params);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(kept_to), cmocka_unit_test(default_error),
                                       cmocka_unit_test(refusals), cmocka_unit_test(classes),
                                       cmocka_unit_test(any_batch)};
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
