/* SPDX-License-Identifier: Apache-2.0 */
/* No access outside the tensors: input, filter, bias, packed filter, workspace and output lie flush against protected
 * pages, once before and once after, and what is only read is write-protected. The output starts as a sentinel, another
 * one each time: equal results show that every element was written.
 *
 *     | no access | input ...        ... input | no access |
 */
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "harness.h"

enum { INPUT, FILTER, BIAS, PACKED, WORKSPACE, OUTPUT, BUFFERS };
enum { PACKED_ALIGNMENT = 64 };

static const char *const buffer_names[BUFFERS] = {"input", "filter", "bias", "packed filter", "workspace", "output"};

static void map_buffers(dwt_guard *g, const dwt_case *c, const dwc_plan *plan, dwt_guard_side side) {
    dwc_plan_info info;
    dwc_plan_get_info(plan, &info);
    size_t element = dwc_dtype_bytes(c->problem.dtype);
    const dwt_shape *s = &c->shape;
    dwt_guard_map(&g[INPUT], (size_t)s->inputs * element, side, 1, 0);
    dwt_guard_map(&g[FILTER], (size_t)s->filters * element, side, 1, 0);
    dwt_guard_map(&g[BIAS], (size_t)s->biases * element, side, 1, 0);
    dwt_guard_map(&g[PACKED], info.packed_bytes, side, PACKED_ALIGNMENT, 0);
    dwt_guard_map(&g[WORKSPACE], info.workspace_bytes, side, PACKED_ALIGNMENT, 0);
    dwt_guard_map(&g[OUTPUT], (size_t)s->outputs * element, side, 1, 0);
    memcpy(g[INPUT].data, c->input, g[INPUT].bytes);
    memcpy(g[FILTER].data, c->filter, g[FILTER].bytes);
    if (c->bias != NULL)
        memcpy(g[BIAS].data, c->bias, g[BIAS].bytes);
    dwt_guard_read_only(&g[INPUT]);
    dwt_guard_read_only(&g[FILTER]);
    dwt_guard_read_only(&g[BIAS]);
}

/* Fails on a wrong element; returns the output's hash, for comparison with the other side. */
static uint64_t run_guarded(const dwt_case *c, const dwt_call *call, dwt_guard_side side, int exact, int *ran) {
    static dwt_guard g[BUFFERS]; /* static: a crash or failure in between must not leave them to the stack */
    dwc_error error;
    dwc_plan_info info;
    dwt_note(&c->problem, c->seed, call);
    dwc_plan *plan = dwt_plan(call, &c->problem);
    *ran = plan != NULL;
    if (plan == NULL)
        return 0;
    dwc_plan_get_info(plan, &info);
    map_buffers(g, c, plan, side);
    memset(g[OUTPUT].data, side == DWT_GUARD_BEFORE ? 0xa5 : 0x5a, g[OUTPUT].bytes);
    dwt_ok(dwc_plan_pack_filter(plan, g[FILTER].data, g[PACKED].data, &error), &error, "dwc_plan_pack_filter");
    dwt_guard_unmap(&g[FILTER]); /* the plan must not look at it again */
    dwt_ok(
        dwc_plan_execute(plan, g[INPUT].data, g[PACKED].data, g[BIAS].data, g[OUTPUT].data, g[WORKSPACE].data, &error),
        &error, "dwc_plan_execute");
    dwt_check(c, call, dwt_rule_for(&info, exact), g[OUTPUT].data);
    uint64_t hash = dwt_hash(g[OUTPUT].data, g[OUTPUT].bytes);
    for (int b = 0; b < BUFFERS; b++) {
        if (g[b].map != NULL && !dwt_guard_intact(&g[b]))
            dwt_fail("a byte beside the %s changed", buffer_names[b]);
        dwt_guard_unmap(&g[b]);
    }
    dwc_plan_destroy(plan);
    return hash;
}

static void check_problem(const dwc_problem *problem, uint64_t seed, void *user) {
    (void)user;
    dwt_case c;
    int exact = (int)(seed & 1), ran;
    dwt_case_init(&c, problem, seed, exact ? DWT_INTEGER : DWT_REAL);
    for (int i = 0; i < dwt_call_count(); i++) {
        dwt_call call = dwt_call_get(i);
        call.threads = 1 + (int)(seed >> 1 & 3);
        uint64_t before = run_guarded(&c, &call, DWT_GUARD_BEFORE, exact, &ran);
        uint64_t after = run_guarded(&c, &call, DWT_GUARD_AFTER, exact, &ran);
        if (before != after)
            dwt_fail("%s, %s: an output element was not written, or depends on the address", call.algo,
                     dwc_isa_name(call.isa));
    }
    dwt_case_free(&c);
}

static void random_problems(void **state) {
    (void)state;
    dwt_for_problems(120, 60000, check_problem, NULL);
}

/* Channels, widths and heights where a kernel that works in whole vectors would step over an end. */
static void narrow_and_tails(void **state) {
    (void)state;
    static const int64_t lengths[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33};
    enum { LENGTHS = sizeof lengths / sizeof *lengths };
    dwt_rng rng = {dwt_args.seed};
    if (dwt_args.problem != NULL)
        return;
    for (int i = 0; i < LENGTHS * DWT_DTYPE_COUNT * 2; i++) {
        dwc_problem p;
        dwt_shape shape;
        do {
            dwc_problem_init(&p);
            p.dtype = dwt_dtypes[i / 2 % DWT_DTYPE_COUNT];
            p.layout = i % 2 ? DWC_NCHW : DWC_NHWC;
            *(p.layout == DWC_NHWC ? &p.c : &p.w) = lengths[i / 2 / DWT_DTYPE_COUNT];
            *(p.layout == DWC_NHWC ? &p.w : &p.c) = dwt_between(&rng, 1, 6);
            p.h = dwt_between(&rng, 1, 6);
            p.n = dwt_between(&rng, 1, 2);
            p.kh = dwt_between(&rng, 0, 2) * 2 + 1;
            p.kw = dwt_chance(&rng, 3, 4) ? p.kh : dwt_between(&rng, 1, 5);
            p.sh = dwt_between(&rng, 1, 3);
            p.sw = dwt_chance(&rng, 3, 4) ? p.sh : dwt_between(&rng, 1, 3);
            p.dw = dwt_chance(&rng, 3, 4) ? 1 : 2;
            p.m = dwt_chance(&rng, 1, 2) ? 1 : dwt_between(&rng, 2, 4);
            p.padding = (dwc_padding)dwt_between(&rng, DWC_SAME, DWC_VALID);
            p.bias = dwt_chance(&rng, 1, 2);
        } while (!dwt_shape_of(&p, &shape));
        check_problem(&p, dwt_next(&rng), NULL);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_problems),
        cmocka_unit_test(narrow_and_tails),
    };
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
