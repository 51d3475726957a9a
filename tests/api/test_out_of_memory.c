/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that fails at its k-th call, for every k until the whole job succeeds: each failure is reported as
 * DWC_OUT_OF_MEMORY with a message and without an output, and everything allocated is released. Executing allocates
 * nothing.
 *
 *     context -> plan -> packed filter, workspace -> execute         and        the one-call form
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "tf_call.h"
#include "refusal.h"

typedef struct meter {
    int calls, live, fail_at; /* fail_at: the call that fails, from 1; 0: none */
} meter;

static void *metered_allocate(void *user, size_t alignment, size_t bytes) {
    meter *m = user;
    void *memory = NULL;
    assert_true(alignment >= sizeof(void *) && (alignment & (alignment - 1)) == 0);
    if (++m->calls == m->fail_at || posix_memalign(&memory, alignment, bytes != 0 ? bytes : 1) != 0)
        return NULL;
    m->live++;
    return memory;
}

static void metered_release(void *user, void *pointer) {
    if (pointer != NULL)
        ((meter *)user)->live--;
    free(pointer);
}

static dwc_status metered_context(meter *m, dwc_context **context, dwc_error *error) {
    dwc_context_options options;
    dwc_context_options_init(&options);
    options.threads = 2;
    options.allocator = (dwc_allocator){metered_allocate, metered_release, m};
    return dwc_context_create(&options, context, error);
}

static const char *const texts[] = {
    "f32:nhwc:n2:9x10x4:k3x3:m2",
    "f16:nchw:n2:9x10x4:k3x3:s2",
    "f64:nhwc:n1:20x20x3:k7x7",
    "bf16:nchw:n1:20x20x3:k5x5",
};
enum { TEXTS = sizeof texts / sizeof *texts };

static const dwt_refusal refusal = {"out of memory", NULL, NULL};

/* One job step by step with the named algorithm; returns 1 when nothing failed. */
static int stepwise(meter *m, const dwt_case *c, const char *algo) {
    dwc_context *context = NULL;
    dwc_plan *plan = NULL;
    dwc_plan_info info;
    dwc_plan_options options;
    dwc_error error = dwt_fresh_error();
    dwc_status status = metered_context(m, &context, &error);
    if (status != DWC_OK) {
        dwt_refused(status, &error, DWC_OUT_OF_MEMORY, &refusal);
        assert_null(context);
        return 0;
    }
    dwc_plan_options_init(&options);
    options.algo = algo;
    status = dwc_plan_create(context, &c->problem, &options, &plan, &error);
    if (status == DWC_NOT_APPLICABLE) {
        dwc_context_destroy(context);
        return 1;
    }
    if (status != DWC_OK) {
        dwt_refused(status, &error, DWC_OUT_OF_MEMORY, &refusal);
        assert_null(plan);
        dwc_context_destroy(context);
        return 0;
    }
    dwc_plan_get_info(plan, &info);
    void *packed = dwc_allocate(context, info.packed_bytes), *workspace = dwc_allocate(context, info.workspace_bytes);
    void *output = dwt_elements(c->problem.dtype, c->shape.outputs);
    int done = packed != NULL && workspace != NULL;
    if (done) {
        assert_true((uintptr_t)packed % 64 == 0 && (uintptr_t)workspace % 64 == 0);
        int calls = m->calls, live = m->live;
        dwt_ok(dwc_plan_pack_filter(plan, c->filter, packed, &error), &error, "dwc_plan_pack_filter");
        for (int i = 0; i < 3; i++)
            dwt_ok(dwc_plan_execute(plan, c->input, packed, NULL, output, workspace, &error), &error,
                   "dwc_plan_execute");
        assert_int_equal(m->calls, calls);
        assert_int_equal(m->live, live);
    }
    free(output);
    dwc_release(context, packed);
    dwc_release(context, workspace);
    dwc_plan_destroy(plan);
    dwc_context_destroy(context);
    return done;
}

static void every_step_fails(void **state) {
    (void)state;
    for (int i = 0; i < TEXTS; i++)
        for (int a = -1; a < dwc_algo_count(); a++) {
            dwt_case c;
            dwc_problem problem = dwt_problem(texts[i]);
            const char *algo = a < 0 ? "auto" : dwc_algo_get(a).name;
            int done = 0, fail_at = 0;
            dwt_case_init(&c, &problem, 1, DWT_REAL);
            while (!done) {
                meter m = {.fail_at = ++fail_at};
                done = stepwise(&m, &c, algo);
                assert_int_equal(m.live, 0);
                assert_true(done || m.calls >= fail_at);
                assert_true(fail_at < 1000);
            }
            assert_true(fail_at > 1);
            dwt_case_free(&c);
        }
}

static void one_call_fails(void **state) {
    (void)state;
    for (int i = 0; i < TEXTS; i++) {
        dwt_case c;
        dwt_tf_call call;
        dwc_problem problem = dwt_problem(texts[i]);
        dwt_case_init(&c, &problem, 1, DWT_REAL);
        void *output = dwt_elements(problem.dtype, c.shape.outputs);
        void *untouched = dwt_elements(problem.dtype, c.shape.outputs);
        size_t bytes = (size_t)c.shape.outputs * dwc_dtype_bytes(problem.dtype);
        dwt_tf_call_init(&call, &problem, c.input, c.filter, output);
        meter m = {.fail_at = 0};
        dwc_context *context;
        dwt_ok(metered_context(&m, &context, NULL), NULL, "dwc_context_create");
        int failures = 0;
        for (;; failures++) {
            dwc_error error = dwt_fresh_error();
            int live = m.live;
            m.fail_at = m.calls + failures + 1;
            dwc_status status =
                dwc_depthwise_conv2d_native(context, &call.input, &call.filter, &call.attributes, &call.output, &error);
            assert_int_equal(m.live, live);
            if (status == DWC_OK)
                break;
            dwt_refused(status, &error, DWC_OUT_OF_MEMORY, &refusal);
            assert_memory_equal(output, untouched, bytes);
            assert_true(failures < 1000);
        }
        assert_true(failures > 0);
        dwt_check(&c, &(dwt_call){.algo = "auto", .isa = DWC_ISA_BEST, .threads = 2}, (dwt_rule){DWT_COMPONENTWISE, 0},
                  output);
        dwc_context_destroy(context);
        assert_int_equal(m.live, 0);
        free(output);
        free(untouched);
        dwt_case_free(&c);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_step_fails), cmocka_unit_test(one_call_fails)};
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
