/* SPDX-License-Identifier: Apache-2.0 */
/* dwc_calibrate: what it records, and that the cost model follows it, on this kind of machine only. No time is judged.
 */
#include "dwconv_expert.h"
#include "dwconv_tune.h"
#include "harness.h"

#include <string.h>

typedef struct machine {
    dwc_wisdom *wisdom;
    dwc_context *context;
} machine;

static machine open_machine(dwc_wisdom *wisdom, dwc_isa isa) {
    machine m = {.wisdom = wisdom};
    dwc_context_options options;
    dwc_context_options_init(&options);
    if (!wisdom)
        assert_int_equal(dwc_wisdom_create(&m.wisdom, NULL), DWC_OK);
    options.threads = 1;
    options.wisdom = m.wisdom;
    options.max_isa = isa;
    assert_int_equal(dwc_context_create(&options, &m.context, NULL), DWC_OK);
    return m;
}

static void close_machine(machine *m, int wisdom) {
    dwc_context_destroy(m->context);
    if (wisdom)
        dwc_wisdom_destroy(m->wisdom);
}

static void test_measured(void **state) {
    (void)state;
    machine m = open_machine(NULL, DWC_ISA_BEST);
    dwc_calibration c, again;
    dwc_error error;
    assert_int_equal(dwc_expert_calibration_find(m.context, m.wisdom, &c), DWC_NO_RECORD);
    dwt_ok(dwc_calibrate(m.context, m.wisdom, &error), &error, "calibrate");
    assert_int_equal(dwc_wisdom_count(m.wisdom), 1);
    assert_int_equal(dwc_expert_calibration_find(m.context, m.wisdom, &c), DWC_OK);
    assert_true(c.multiply_add_s > 1e-12 && c.multiply_add_s < 1e-6);
    assert_true(c.memory_s > 1e-11 && c.memory_s < 1e-4);
    dwt_ok(dwc_calibrate(m.context, m.wisdom, &error), &error, "calibrate again");
    assert_int_equal(dwc_expert_calibration_find(m.context, m.wisdom, &again), DWC_OK);
    assert_memory_equal(&c, &again, sizeof c); /* not measured twice */
    assert_int_equal(dwc_calibrate(m.context, NULL, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_calibrate(NULL, m.wisdom, &error), DWC_INVALID_ARGUMENT);
    close_machine(&m, 1);
}

/* The model's seconds of one algorithm's first candidate. */
static double model(const machine *m, const char *text, dwc_cache cache) {
    const dwc_problem problem = dwt_problem(text);
    const dwc_plan_options options = {.algo = "direct", .cache = cache};
    dwc_plan_info info;
    dwc_plan *plan;
    dwc_error error;
    dwt_ok(dwc_plan_create(m->context, &problem, &options, &plan, &error), &error, text);
    dwc_plan_get_info(plan, &info);
    dwc_plan_destroy(plan);
    return info.model_seconds;
}

static machine with(const dwc_calibration *c, dwc_isa isa, dwc_isa of_isa) {
    machine m = open_machine(NULL, isa), of = open_machine(m.wisdom, of_isa);
    dwc_record_entry entries[DWC_CALIBRATION_ENTRIES];
    dwc_record record;
    dwc_error error;
    dwc_expert_calibration_record(of.context, c, &record, entries);
    strcpy(record.date, "2026-01-31T12:00:00Z");
    dwt_ok(dwc_expert_record_add(m.wisdom, &record, &error), &error, "add");
    close_machine(&of, 0);
    return m;
}

/* A machine slower than any in one respect: what depends on it takes longer, the rest does not. */
static void test_followed(void **state) {
    (void)state;
    static const char *const texts[] = {"f32:nhwc:n1:28x28x64:k3x3", "f32:nchw:n1:28x28x64:k3x3",
                                        "f64:nhwc:n1:20x20x64:k9x9:m2", "f32:nchw:n1:20x20x3:k4x4:s4x4"};
    static const dwc_calibration usual = {0.13e-9, 1.5e-9, 4e-9, 8e-9}, slow = {1e-6, 1.5e-9, 4e-9, 8e-9},
                                 near = {0.13e-9, 1e-6, 4e-9, 8e-9}, far = {0.13e-9, 1.5e-9, 4e-9, 1e-6};
    machine none = open_machine(NULL, DWC_ISA_BASELINE), m = with(&usual, DWC_ISA_BASELINE, DWC_ISA_BASELINE);
    machine slower = with(&slow, DWC_ISA_BASELINE, DWC_ISA_BASELINE),
            nearer = with(&near, DWC_ISA_BASELINE, DWC_ISA_BASELINE),
            farther = with(&far, DWC_ISA_BASELINE, DWC_ISA_BASELINE);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const double cold = model(&none, texts[i], DWC_CACHE_COLD), warm = model(&none, texts[i], DWC_CACHE_WARM);
        assert_true(model(&m, texts[i], DWC_CACHE_WARM) == warm && model(&m, texts[i], DWC_CACHE_COLD) == cold);
        assert_true(model(&slower, texts[i], DWC_CACHE_WARM) > 1.5 * warm);
        assert_true(model(&farther, texts[i], DWC_CACHE_COLD) > 1.02 * cold);
        assert_true(model(&farther, texts[i], DWC_CACHE_WARM) == warm);
    }
    assert_true(model(&nearer, texts[0], DWC_CACHE_WARM) > 1.05 * model(&none, texts[0], DWC_CACHE_WARM));
    close_machine(&none, 1), close_machine(&m, 1), close_machine(&slower, 1), close_machine(&nearer, 1),
        close_machine(&farther, 1);
}

/* Another instruction set is another kind of machine. */
static void test_other_machine(void **state) {
    (void)state;
    static const dwc_calibration slow = {1e-6, 1e-6, 1e-6, 1e-6};
    static const char text[] = "f32:nhwc:n1:28x28x64:k3x3";
    machine best = open_machine(NULL, DWC_ISA_BEST);
    const dwc_isa isa = dwc_context_machine(best.context)->isa;
    if (isa != DWC_ISA_BASELINE) {
        machine other = with(&slow, isa, DWC_ISA_BASELINE), same = with(&slow, isa, isa);
        assert_true(model(&other, text, DWC_CACHE_WARM) == model(&best, text, DWC_CACHE_WARM));
        assert_true(model(&same, text, DWC_CACHE_WARM) > model(&best, text, DWC_CACHE_WARM));
        close_machine(&other, 1), close_machine(&same, 1);
    }
    close_machine(&best, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measured),
        cmocka_unit_test(test_followed),
        cmocka_unit_test(test_other_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
