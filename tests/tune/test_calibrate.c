/* SPDX-License-Identifier: Apache-2.0 */
/* dwc_calibrate: what it records, and that the cost models follow it, on this kind of machine only, or that of a known
 * core. No time is judged. */
#include "bench.h"
#include "core/context.h"
#include "dwconv_expert.h"
#include "dwconv_tune.h"

#include <string.h>

static void test_measured(void **state) {
    (void)state;
    bench m = open_bench_with(DWC_ISA_BEST);
    dwc_calibration c;
    dwc_error error;
    assert_int_equal(dwc_expert_calibration_find(m.context, m.wisdom, &c, &error), DWC_NO_RECORD);
    for (int again = 0; again < 2; again++) {
        dwt_ok(dwc_calibrate(m.context, m.wisdom, &error), &error, "calibrate");
        assert_int_equal(dwc_wisdom_count(m.wisdom), 1);
        dwt_ok(dwc_expert_calibration_find(m.context, m.wisdom, &c, &error), &error, "find");
        for (int i = 0; i < DWC_CALIBRATION_LOOPS; i++)
            assert_true((c.seconds[i] > 1e-12 && c.seconds[i] < 1e-3) ||
                        (i == DWC_CALIBRATION_LAST_CACHE && c.seconds[i] == 0));
    }
    assert_int_equal(dwc_calibrate(m.context, NULL, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_calibrate(NULL, m.wisdom, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_expert_calibration_find(m.context, NULL, &c, &error), DWC_INVALID_ARGUMENT);
    close_bench(&m);
}

/* Records a calibration of the machine of `of`, this one unless given, in m's wisdom. */
static void add(const bench *m, const bench *of, const dwc_calibration *c, int revision) {
    dwc_record_entry entries[DWC_CALIBRATION_LOOPS];
    dwc_record record;
    dwc_error error;
    dwc_expert_calibration_record((of ? of : m)->context, c, &record, entries);
    strcpy(record.date, "2026-01-31T12:00:00Z");
    entries[0].revision = revision;
    dwt_ok(dwc_expert_record_add(m->wisdom, &record, &error), &error, "add");
}

/* The plan that the model chooses. */
static dwc_plan_info chosen(const bench *m, const char *text, const char *algo, dwc_cache cache) {
    const dwc_problem problem = dwt_problem(text);
    const dwc_plan_options options = {.algo = algo, .cache = cache};
    dwc_plan_info info;
    dwc_plan *plan;
    dwc_error error;
    dwt_note(&problem, 0, NULL);
    dwt_ok(dwc_plan_create(m->context, &problem, &options, &plan, &error), &error, text);
    dwc_plan_get_info(plan, &info);
    dwc_plan_destroy(plan);
    return info;
}

static double seconds_of(const bench *m, const char *text, const char *algo, dwc_cache cache) {
    return chosen(m, text, algo, cache).model_seconds;
}

/* Whether `direct` would copy its input to a stage. */
static int chooses_stage(const bench *m, const char *text) {
    return strstr(chosen(m, text, "direct", DWC_CACHE_WARM).params, "stage=0") == NULL;
}

static const dwc_calibration usual = {{0.14e-9, 1.2e-9, 5e-9, 8e-9, 0.7e-9}}, slow = {{1e-6, 1e-6, 1e-6, 1e-6, 0}};

/* Eight times slower in all respects, the most there is, takes eight times as long. */
static void test_all_slower(void **state) {
    (void)state;
    static const struct {
        const char *algo, *problem;
    } rows[] = {
        {"direct", "f32:nhwc:n1:28x28x64:k3x3"},
        {"direct", "f32:nhwc:n1:200x200x64:k3x3"},
        {"direct", "f64:nhwc:n1:20x20x64:k9x9:m2"},
        {"direct", "f32:nhwc:n1:200x200x64:k6x6"},
        {"direct", "f32:nhwc:n1:20x20x2:k3x3"},
        {"direct", "f32:nchw:n1:28x28x64:k3x3"},
        {"direct", "f32:nchw:n1:200x200x64:k3x3"},
        {"direct", "f32:nchw:n1:7x7x64:k9x9"},
        {"direct", "f32:nchw:n1:20x20x3:k4x4:s4x4"},
        {"direct_transposed", "f32:nchw:n1:20x20x64:k5x5"},
        {"winograd", "f32:nhwc:n1:28x28x64:k5x5"},
        {"winograd", "f32:nhwc:n1:200x200x64:k5x5"},
        {"winograd_2d", "f32:nhwc:n1:28x28x64:k3x3:m8"},
        {"winograd_2d", "f32:nhwc:n1:200x200x64:k3x3"},
        {"winograd_transposed", "f32:nchw:n1:28x28x64:k5x5"},
    };
    bench plain = open_bench_with(DWC_ISA_BASELINE), same = open_bench_with(DWC_ISA_BASELINE),
          slower = open_bench_with(DWC_ISA_BASELINE);
    add(&same, NULL, &usual, DWC_CALIBRATION_REVISION);
    add(&slower, NULL, &slow, DWC_CALIBRATION_REVISION);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int cache = DWC_CACHE_WARM; cache <= DWC_CACHE_COLD; cache++) {
            const double before = seconds_of(&plain, rows[i].problem, rows[i].algo, (dwc_cache)cache);
            const double after = seconds_of(&slower, rows[i].problem, rows[i].algo, (dwc_cache)cache);
            if (!(after > 7.99 * before && after < 8.01 * before))
                fail_msg("%s %s: %g s, slower %g s", rows[i].algo, rows[i].problem, before, after);
            assert_true(seconds_of(&same, rows[i].problem, rows[i].algo, (dwc_cache)cache) == before);
        }
    close_bench(&plain), close_bench(&same), close_bench(&slower);
}

/* What is slower in one respect takes longer where that counts, and only there. */
static void test_one_slower(void **state) {
    (void)state;
    static const char image[] = "f32:nhwc:n1:20x20x64:k3x3", large[] = "f32:nhwc:n1:300x300x64:k3x3";
    bench plain = open_bench_with(DWC_ISA_BASELINE);
    const double warm = seconds_of(&plain, image, "direct", DWC_CACHE_WARM);
    const double far = seconds_of(&plain, large, "direct", DWC_CACHE_WARM);
    const double cold = seconds_of(&plain, image, "direct", DWC_CACHE_COLD);
    for (int i = 0; i < DWC_CALIBRATION_LOOPS; i++) {
        bench m = open_bench_with(DWC_ISA_BASELINE);
        dwc_calibration c = usual;
        c.seconds[i] = 1e-6;
        add(&m, NULL, &c, DWC_CALIBRATION_REVISION);
        const int near = i == DWC_CALIBRATION_MULTIPLY_ADD || i == DWC_CALIBRATION_SECOND_CACHE;
        assert_true(near ? seconds_of(&m, image, "direct", DWC_CACHE_WARM) > 1.05 * warm
                         : seconds_of(&m, image, "direct", DWC_CACHE_WARM) == warm);
        assert_true((seconds_of(&m, large, "direct", DWC_CACHE_WARM) > 1.05 * far) ==
                    (i != DWC_CALIBRATION_MEMORY && i != DWC_CALIBRATION_COLLISION));
        assert_true(i != DWC_CALIBRATION_MEMORY || seconds_of(&m, image, "direct", DWC_CACHE_COLD) > 1.05 * cold);
        close_bench(&m);
    }
    close_bench(&plain);
}

/* The caches of a server of 2022. */
static void set_caches(const bench *m) {
    dwc_machine *machine = &m->context->machine;
    machine->l1d_bytes = 32 << 10, machine->l2_bytes = 1 << 20, machine->l3_bytes = 32 << 20;
}

/* Where lines of outputs collide with pixels a power of two apart, `direct` first copies pixels of one or two sets. A
 * large collision, and one that does not count. */
static void test_collision(void **state) {
    (void)state;
    static const struct {
        const char *problem;
        int stages;
    } rows[] = {
        {"f32:nhwc:n1:14x14x1024:k3x3", 1},      {"f32:nhwc:n1:14x14x512:k3x3", 1},
        {"f32:nhwc:n1:14x14x1024:k3x3:s2x2", 1}, {"f64:nhwc:n1:14x14x512:k3x3", 1},
        {"f32:nhwc:n1:14x14x960:k3x3", 0},       {"f32:nhwc:n1:28x28x64:k3x3", 0},
        {"f32:nhwc:n1:14x14x728:k3x3:s2x2", 0},
    };
    bench plain = open_bench_with(DWC_ISA_BASELINE), collides = open_bench_with(DWC_ISA_BASELINE),
          hardly = open_bench_with(DWC_ISA_BASELINE);
    set_caches(&plain), set_caches(&collides), set_caches(&hardly);
    dwc_calibration c = usual;
    c.seconds[DWC_CALIBRATION_COLLISION] = 20e-9;
    add(&collides, NULL, &c, DWC_CALIBRATION_REVISION);
    c.seconds[DWC_CALIBRATION_COLLISION] = 1.9e-9;
    add(&hardly, NULL, &c, DWC_CALIBRATION_REVISION);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = rows[i].problem;
        const double before = seconds_of(&plain, text, "direct", DWC_CACHE_WARM);
        const double after = seconds_of(&collides, text, "direct", DWC_CACHE_WARM);
        if (rows[i].stages ? !(after > 1.02 * before) : after != before)
            fail_msg("%s: %g s, colliding %g s", text, before, after);
        assert_int_equal(chooses_stage(&collides, text), rows[i].stages);
        assert_int_equal(chooses_stage(&plain, text), 0);
        assert_true(seconds_of(&hardly, text, "direct", DWC_CACHE_WARM) == before);
    }
    close_bench(&plain), close_bench(&collides), close_bench(&hardly);
}

/* Without a calibration of its own a machine takes that of a core known to be alike. */
static void test_known(void **state) {
    (void)state;
    static const char text[] = "f32:nhwc:n1:14x14x1024:k3x3";
    bench m = open_bench_with(DWC_ISA_BASELINE);
    dwc_machine *machine = &m.context->machine;
    set_caches(&m);
    const double plain = seconds_of(&m, text, "direct", DWC_CACHE_WARM);
    const dwc_isa isa = machine->isa;
    strcpy(machine->vendor, "AuthenticAMD");
    machine->family = 25, machine->model = 0x11;
    assert_true(seconds_of(&m, text, "direct", DWC_CACHE_WARM) == plain); /* none of this instruction set */
    machine->isa = DWC_ISA_AVX512;
    assert_int_equal(chooses_stage(&m, text), 1);
    const dwc_wisdom *wisdom = m.context->wisdom;
    m.context->wisdom = NULL;
    assert_int_equal(chooses_stage(&m, text), 1);
    m.context->wisdom = wisdom;
    machine->model = 0x20;
    assert_int_equal(chooses_stage(&m, text), 0);
    machine->model = 0x11;
    add(&m, NULL, &usual, DWC_CALIBRATION_REVISION); /* its own counts more */
    assert_int_equal(chooses_stage(&m, text), 0);
    machine->isa = isa;
    close_bench(&m);
}

/* Another instruction set is another kind of machine, other loops are another measure. */
static void test_not_of_this_machine(void **state) {
    (void)state;
    static const char text[] = "f32:nhwc:n1:28x28x64:k3x3";
    bench best = open_bench_with(DWC_ISA_BEST), plain = open_bench_with(DWC_ISA_BASELINE);
    dwc_calibration c;
    const double before = seconds_of(&best, text, "direct", DWC_CACHE_WARM);
    add(&best, NULL, &slow, DWC_CALIBRATION_REVISION + 1);
    assert_int_equal(dwc_expert_calibration_find(best.context, best.wisdom, &c, NULL), DWC_NO_RECORD);
    assert_true(seconds_of(&best, text, "direct", DWC_CACHE_WARM) == before);
    if (dwc_context_machine(best.context)->isa != DWC_ISA_BASELINE) {
        bench other = open_bench_with(DWC_ISA_BEST);
        add(&other, &plain, &slow, DWC_CALIBRATION_REVISION);
        assert_true(seconds_of(&other, text, "direct", DWC_CACHE_WARM) == before);
        close_bench(&other);
    }
    close_bench(&best), close_bench(&plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measured),  cmocka_unit_test(test_all_slower), cmocka_unit_test(test_one_slower),
        cmocka_unit_test(test_collision), cmocka_unit_test(test_known),      cmocka_unit_test(test_not_of_this_machine),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failed;
}
