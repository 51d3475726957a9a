/* SPDX-License-Identifier: Apache-2.0 */
/* Small parts of lib/core and lib/kern: clipping against brute force, shares of work, parameters as text, statuses, log
 * topics, environment, registries. */
#include "core/error.h"
#include "core/params.h"
#include "core/registry.h"
#include "core/threads.h"
#include "harness.h"
#include "kern/clip.h"

#include <stdlib.h>
#include <string.h>

static void test_clip_taps(void **state) {
    (void)state;
    for (int64_t start = -9; start <= 9; start++)
        for (int64_t step = 1; step <= 5; step++)
            for (int64_t count = 0; count <= 7; count++)
                for (int64_t size = 0; size <= 8; size++) {
                    int64_t inside = 0, first = -1;
                    for (int64_t i = 0; i < count; i++)
                        if (start + i * step >= 0 && start + i * step < size) {
                            if (first < 0)
                                first = i;
                            inside++;
                        }
                    const range r = clip_taps(start, step, count, size);
                    assert_int_equal(r.to - r.from, inside);
                    if (inside)
                        assert_int_equal(r.from, first);
                }
}

static void test_outputs_inside(void **state) {
    (void)state;
    for (int64_t size = 0; size <= 9; size++)
        for (int64_t taps = 1; taps <= 4; taps++)
            for (int64_t stride = 1; stride <= 3; stride++)
                for (int64_t dilation = 1; dilation <= 3; dilation++)
                    for (int64_t before = 0; before <= 5; before++)
                        for (int64_t outputs = 0; outputs <= 8; outputs++) {
                            const range r = outputs_inside(size, taps, stride, dilation, before, outputs);
                            for (int64_t o = 0; o < outputs; o++) {
                                int64_t first = o * stride - before, last = first + (taps - 1) * dilation;
                                assert_int_equal(o >= r.from && o < r.to, first >= 0 && last < size);
                            }
                        }
}

static void test_shares(void **state) {
    (void)state;
    for (int64_t total = 0; total < 30; total++)
        for (int count = 1; count < 9; count++) {
            int64_t at = 0, from, to;
            for (int i = 0; i < count; i++) {
                dwci_share(total, i, count, &from, &to);
                assert_int_equal(from, at);
                assert_true(to - from == total / count || to - from == total / count + 1);
                at = to;
            }
            assert_int_equal(at, total);
        }
}

static void mark(void *data, int i, int count) {
    assert_true(i < count);
    ((int *)data)[i]++;
}

static void test_parallel(void **state) {
    (void)state;
    for (int count = 1; count < 20; count++) {
        int marks[20] = {0};
        dwci_parallel(NULL, count, mark, marks);
        for (int i = 0; i < 20; i++)
            assert_int_equal(marks[i], i < count);
    }
}

static void test_params(void **state) {
    (void)state;
    static const char *const names[] = {"tile", "order", NULL};
    const dwci_algo algo = {.name = "x", .param_names = names}, none = {.name = "y"};
    dwci_params p = {{0}};
    dwc_error error;
    char text[64];
    assert_int_equal(dwci_params_parse(&algo, "order=-2,tile=7", &p, &error), DWC_OK);
    assert_int_equal(p.value[0], 7);
    assert_int_equal(p.value[1], -2);
    assert_int_equal(dwci_params_print(&algo, &p, text, sizeof text), strlen("tile=7,order=-2"));
    assert_string_equal(text, "tile=7,order=-2");
    assert_int_equal(dwci_params_print(&algo, &p, text, 6), strlen("tile=7,order=-2"));
    assert_string_equal(text, "tile=");
    assert_int_equal(dwci_params_print(&none, &p, text, sizeof text), 0);
    assert_int_equal(dwci_params_parse(&none, "", &p, &error), DWC_OK);
    const char *const bad[] = {"",
                               "tile=7",
                               "tile=7,order=1,tile=7",
                               "tile=7,order=",
                               "tile=,order=1",
                               "tile=7;order=1",
                               "tile=7 ,order=1",
                               "tile=7,colour=1",
                               "tile=99999999999,order=1",
                               "tile",
                               "=3",
                               "tile=7,order=1,"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        error.message[0] = 0;
        assert_int_equal(dwci_params_parse(&algo, bad[i], &p, &error), DWC_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, "params:"));
    }
}

static void test_statuses(void **state) {
    (void)state;
    assert_string_equal(dwc_status_name(DWC_OUT_OF_MEMORY), "DWC_OUT_OF_MEMORY");
    assert_string_equal(dwc_status_text(DWC_OUT_OF_MEMORY), "out of memory");
    assert_string_equal(dwc_status_name((dwc_status)77), "DWC_UNKNOWN_STATUS");
    assert_string_equal(dwc_status_text((dwc_status)77), "unknown status");
    dwc_error error;
    assert_int_equal(dwci_fail(&error, DWC_INTERNAL_ERROR, "%0300d", 1), DWC_INTERNAL_ERROR);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    dwci_fail(&error, DWC_INTERNAL_ERROR, "one\nline\t%c", 127);
    assert_string_equal(error.message, "one?line??");
    assert_int_equal(dwci_fail(NULL, DWC_INTERNAL_ERROR, "x"), DWC_INTERNAL_ERROR);
}

static void test_log_topics(void **state) {
    (void)state;
    unsigned topics = 0;
    dwc_error error;
    assert_int_equal(dwc_log_topics_parse("plan,tune", &topics, &error), DWC_OK);
    assert_int_equal(topics, DWC_LOG_PLAN | DWC_LOG_TUNE);
    assert_int_equal(dwc_log_topics_parse("all", &topics, &error), DWC_OK);
    assert_int_equal(topics, DWC_LOG_ALL);
    assert_int_equal(dwc_log_topics_parse("plan,plans", &topics, &error), DWC_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "plans"));
    assert_int_equal(dwc_log_topics_parse("", &topics, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(topics, DWC_LOG_ALL);
}

static void test_environment(void **state) {
    (void)state;
    dwc_context_options o;
    dwc_error error;
    dwc_context_options_init(&o);
    unsetenv("DWC_THREADS"), unsetenv("DWC_ISA"), unsetenv("DWC_VERBOSE"), unsetenv("DWC_BIND");
    assert_int_equal(dwc_context_options_from_env(&o, &error), DWC_OK);
    assert_true(o.threads == 0 && o.max_isa == DWC_ISA_BEST && !o.log && !o.bind);
    setenv("DWC_THREADS", "3", 1), setenv("DWC_ISA", "avx2", 1), setenv("DWC_VERBOSE", "plan", 1);
    setenv("DWC_BIND", "1", 1);
    assert_int_equal(dwc_context_options_from_env(&o, &error), DWC_OK);
    assert_true(o.threads == 3 && o.max_isa == DWC_ISA_AVX2 && o.log && o.log_topics == DWC_LOG_PLAN && o.bind);
    static const char *const bad[][2] = {{"DWC_THREADS", "x"}, {"DWC_THREADS", "-1"}, {"DWC_THREADS", "3 "},
                                         {"DWC_ISA", "sse9"},  {"DWC_BIND", "yes"},   {"DWC_VERBOSE", "loud"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv(bad[i][0], bad[i][1], 1);
        assert_int_equal(dwc_context_options_from_env(&o, &error), DWC_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, bad[i][0]));
        assert_non_null(strstr(error.message, bad[i][1]));
        unsetenv(bad[i][0]);
    }
    unsetenv("DWC_THREADS"), unsetenv("DWC_ISA"), unsetenv("DWC_VERBOSE"), unsetenv("DWC_BIND");
}

static void test_registries(void **state) {
    (void)state;
    assert_int_equal(dwc_algo_count(), dwci_algo_count);
    for (int i = 0; i < dwci_algo_count; i++) {
        assert_ptr_equal(dwci_algo_find(dwci_algos[i]->name), dwci_algos[i]);
        assert_string_equal(dwc_algo_get(i).name, dwci_algos[i]->name);
    }
    assert_null(dwci_algo_find("nothing"));
    assert_int_equal(dwc_algo_get(0).automatic, 1);
    assert_string_equal(dwc_algo_get(-1).name, "");
    assert_string_equal(dwci_kern_table_for(DWC_ISA_BASELINE)->name, "baseline");
    assert_true(dwc_isa_built(DWC_ISA_BASELINE) && !dwc_isa_built(DWC_ISA_BEST) && !dwc_isa_built((dwc_isa)0));
    assert_false(dwc_isa_built(DWC_ISA_AVX2) && dwc_isa_built(DWC_ISA_NEON));
    assert_int_equal(dwc_isa_parse("best"), DWC_ISA_BEST);
    assert_int_equal(dwc_isa_parse("mmx"), 0);
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clip_taps),  cmocka_unit_test(test_outputs_inside), cmocka_unit_test(test_shares),
        cmocka_unit_test(test_parallel),   cmocka_unit_test(test_params),         cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_log_topics), cmocka_unit_test(test_environment),    cmocka_unit_test(test_registries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
