/* SPDX-License-Identifier: Apache-2.0 */
/* dwc_bench: consistent figures, every offset tried, wrong outputs found, bad arguments refused; the limit loops keep
 * to their memory and do the work they count. */
#include "core/plan.h"
#include "dwconv_expert.h"
#include "dwconv_tune.h"
#include "guard.h"
#include "harness.h"

#include <string.h>

static dwc_plan *plan_of(const char *text, const char *algo) {
    dwc_isa isas[3];
    const dwc_problem problem = dwt_problem(text);
    const dwt_call call = {.algo = algo, .isa = isas[dwt_isas(isas) - 1], .threads = 1};
    return dwt_plan(&call, &problem);
}

static dwc_context *context(void) {
    dwc_isa isas[3];
    return dwt_context(isas[dwt_isas(isas) - 1]);
}

static void test_figures(void **state) {
    (void)state;
    static const char *const texts[] = {"f32:nhwc:n2:9x7x20:k3x3", "bf16:nchw:n1:30x30x3:k5x5:m2:bias:relu",
                                        "f64:nhwc:n1:3x3x1:k7x7", "f16:nhwc:n1:1x1x1:k1x1"};
    const int offsets[] = {0, 48, 4080};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int cold = 0; cold < 2; cold++) {
            dwc_plan *plans[] = {plan_of(texts[i], "direct"), plan_of(texts[i], "reference")};
            const dwc_bench_options options = {
                .cold = cold, .offsets = offsets, .offset_count = 3, .min_seconds = 0, .verify = 1, .seed = i};
            dwc_bench_result r[2];
            dwc_error error;
            dwt_ok(dwc_bench(context(), plans, 2, &options, r, &error), &error, "bench");
            for (int k = 0; k < 2; k++) {
                assert_true(r[k].verified && r[k].verification.passed);
                assert_true(r[k].rounds >= 3 && r[k].min_s > 0 && r[k].min_s <= r[k].median_s);
                assert_true(r[k].best_offset_median_s <= r[k].median_s);
                assert_true(r[k].offset == 0 || r[k].offset == 48 || r[k].offset == 4080);
                assert_true(r[k].limit_s > 0 && r[k].limit_s == r[0].limit_s);
                assert_true(r[k].peak_flops > 1e8 && r[k].stream_bytes_per_s > 1e6);
                dwc_plan_destroy(plans[k]);
            }
        }
}

/* An algorithm that leaves one output wrong. */
static void (*right_run)(const dwci_solution *, const dwci_tensors *);

static void wrong_run(const dwci_solution *s, const dwci_tensors *t) {
    right_run(s, t);
    ((float *)t->output)[3] += 1;
}

static void test_wrong_output(void **state) {
    (void)state;
    dwc_plan *plan = plan_of("f32:nhwc:n1:4x4x4:k3x3", "direct");
    dwci_algo wrong = *plan->algo;
    right_run = wrong.run;
    wrong.run = wrong_run;
    plan->algo = &wrong;
    const dwc_bench_options options = {.min_seconds = 0, .verify = 1};
    dwc_bench_result result;
    assert_int_equal(dwc_bench(context(), &plan, 1, &options, &result, NULL), DWC_OK);
    assert_true(result.verified && !result.verification.passed);
    assert_int_equal(result.verification.failures, 1);
    assert_int_equal(result.verification.first_failure, 3);
    dwc_plan_destroy(plan);
}

static void test_bad_arguments(void **state) {
    (void)state;
    dwc_plan *one = plan_of("f32:nhwc:n1:4x4x4:k3x3", "direct"), *other = plan_of("f32:nhwc:n1:4x4x5:k3x3", "direct");
    dwc_plan *empty = plan_of("f32:nhwc:n0:4x4x4:k3x3", "direct");
    dwc_plan *two[] = {one, other};
    dwc_bench_result results[2];
    dwc_error error;
    const int bad_offsets[] = {8, -16, 4096};
    assert_int_equal(dwc_bench(context(), two, 2, NULL, results, &error), DWC_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "different problems"));
    assert_int_equal(dwc_bench(context(), &empty, 1, NULL, results, &error), DWC_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "no output"));
    assert_int_equal(dwc_bench(context(), two, 0, NULL, results, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_bench(NULL, two, 1, NULL, results, &error), DWC_INVALID_ARGUMENT);
    for (int i = 0; i < 3; i++) {
        const dwc_bench_options options = {.offsets = &bad_offsets[i], .offset_count = 1};
        assert_int_equal(dwc_bench(context(), &one, 1, &options, results, &error), DWC_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, "offsets"));
    }
    dwc_plan_destroy(one);
    dwc_plan_destroy(other);
    dwc_plan_destroy(empty);
}

/* Under every instruction set: no byte outside, every written line changed. */
static void test_stream(void **state) {
    (void)state;
    dwc_isa isas[3];
    for (int i = 0, count = dwt_isas(isas); i < count; i++)
        for (int64_t lines = 0; lines < 40; lines++)
            for (int nontemporal = 0; nontemporal < 2; nontemporal++) {
                const int64_t read_lines = (lines * 7) % 41;
                dwt_guard to, from;
                dwt_guard_map(&to, (size_t)lines * 64, DWT_GUARD_AFTER, 64, 0);
                dwt_guard_map(&from, (size_t)read_lines * 64, lines % 2 ? DWT_GUARD_BEFORE : DWT_GUARD_AFTER, 1, 0);
                memset(from.data, 0x3c, from.bytes);
                memset(to.data, 0xa5, to.bytes);
                dwt_guard_read_only(&from);
                dwc_expert_stream(dwt_context(isas[i]), to.data, lines * 64, from.data, read_lines * 64, nontemporal,
                                  1 + (int)(lines % 3));
                for (int64_t b = 0; b < lines * 64; b++)
                    assert_true(to.data[b] == 0x3c || to.data[b] == 0);
                assert_true(dwt_guard_intact(&to) && dwt_guard_intact(&from));
                dwt_guard_unmap(&to);
                dwt_guard_unmap(&from);
            }
}

static void test_peak(void **state) {
    (void)state;
    const double f32 = dwc_expert_peak(context(), DWC_F32, 1000, 1), f64 = dwc_expert_peak(context(), DWC_F64, 1000, 1);
    assert_true(f32 == 2 * f64 && f32 >= 2.0 * 12 * 4 * 1000);
    assert_true(dwc_expert_peak(context(), DWC_BF16, 1000, 3) == 3 * f32);
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures), cmocka_unit_test(test_wrong_output), cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_stream),  cmocka_unit_test(test_peak),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failed;
}
