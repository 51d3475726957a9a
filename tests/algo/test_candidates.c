/* SPDX-License-Identifier: Apache-2.0 */
/* Every candidate of every algorithm: right, for algorithms that sum in order with the same bits whatever the
 * parameters, and inside the workspace that the plan asks for, which lies flush against a protected page. */
#include "dwconv_expert.h"
#include "guard.h"
#include "harness.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 256, PAGE = 4096, APART = 704, ROOM = 2 * PAGE };

static void run_candidate(const dwc_context *context, const dwc_problem *problem, const char *algo, const char *params,
                          const dwt_case *c, dwt_guard_side side, void *output, dwc_plan_info *info) {
    const dwc_plan_options options = {.algo = algo, .params = params, .threads = 2};
    dwc_plan *plan;
    dwc_error error;
    dwt_guard workspace;
    dwt_ok(dwc_plan_create(context, problem, &options, &plan, &error), &error, params);
    dwc_plan_get_info(plan, info);
    void *packed = dwc_allocate(context, info->packed_bytes);
    dwt_guard_map(&workspace, info->workspace_bytes, side, 64, 0);
    dwt_ok(dwc_plan_pack_filter(plan, c->filter, packed, &error), &error, params);
    dwt_ok(dwc_plan_execute(plan, c->input, packed, c->bias, output, workspace.data, &error), &error, params);
    if (!dwt_guard_intact(&workspace))
        dwt_fail("%s(%s): memory beside the workspace was written", algo, params);
    dwt_guard_unmap(&workspace);
    dwc_release(context, packed);
    dwc_plan_destroy(plan);
}

static void check_problem(const dwc_problem *problem, uint64_t seed) {
    dwc_isa isas[3];
    dwc_geometry g;
    dwt_case c;
    dwt_ok(dwc_problem_geometry(problem, &g, NULL), NULL, "geometry");
    const size_t bytes = (size_t)g.output_elements * g.element_bytes;
    dwt_case_init(&c, problem, seed, DWT_REAL);
    char *first = malloc(bytes + 1), *room = malloc(bytes + ROOM);
    /* Outputs at the input's place in its page, where strips are staged if the plan says so, and away from it. */
    char *const colliding = room + ((uintptr_t)c.input - (uintptr_t)room) % PAGE, *const clear = colliding + APART;
    for (int i = 0, count = dwt_isas(isas); i < count; i++)
        for (int a = 0; a < dwc_algo_count(); a++) {
            char params[MOST][DWC_PARAMS_TEXT_MAX];
            const char *algo = dwc_algo_get(a).name;
            const int candidates =
                dwc_expert_candidates(dwt_context(isas[i]), problem, &(dwc_plan_options){.algo = algo}, params, MOST);
            const dwt_call call = {.algo = algo, .isa = isas[i], .threads = 2};
            dwc_plan_info info;
            for (int k = 0; k < 2 * candidates; k++) {
                char *const output = k % 2 ? clear : colliding;
                dwt_note(problem, seed, &call);
                memset(room, 0xa5, bytes + ROOM);
                run_candidate(dwt_context(isas[i]), problem, algo, params[k / 2], &c,
                              k / 2 % 2 ? DWT_GUARD_BEFORE : DWT_GUARD_AFTER, output, &info);
                dwt_check(&c, &call, dwt_rule_for(&info, 0), output);
                for (size_t at = 0; at < bytes + ROOM; at++)
                    if ((unsigned char)room[at] != 0xa5 && (room + at < output || room + at >= output + bytes))
                        dwt_fail("%s(%s): memory beside the output was written", algo, params[k / 2]);
                if (k == 0)
                    memcpy(first, output, bytes);
                else if (dwt_sums_in_order(algo) && memcmp(first, output, bytes))
                    dwt_fail("%s(%s): other bits than with %s", algo, params[k / 2], params[0]);
            }
        }
    free(first);
    free(room);
    dwt_case_free(&c);
}

static void every_candidate(void **state) {
    (void)state;
    /* Pixels and rows a power of two apart, blocks that end inside a multiplier, tails, few channels, phases, pixels
     * that share cache lines. */
    static const char *const texts[] = {
        "f32:nhwc:n1:9x9x512:k3",         "f32:nhwc:n2:7x6x1024:k3:s2",
        "f64:nhwc:n1:9x7x264:k3:m2",      "f32:nhwc:n1:12x11x512:k5:bias",
        "bf16:nhwc:n1:8x9x1024:k3:d2",    "f16:nhwc:n1:6x9x77:k7x5:m3:relu",
        "f32:nhwc:n3:20x17x3:k3:same",    "f32:nhwc:n1:16x16x130:k4:s3",
        "f32:nhwc:n1:3x3x33:k9x9:relu6",  "f64:nhwc:n1:13x12x256:k3x1:d3",
        "f32:nchw:n1:9x9x5:k3",           "f32:nhwc:n1:5x200x16:k1x7:p0,0,9,1",
        "f16:nhwc:n2:9x17x40:k3",         "f16:nhwc:n2:9x3x24:k3x2:d2:valid",
        "f32:nhwc:n2:11x23x20:k5x3:d2x1",
    };
    if (dwt_args.problem) {
        const dwc_problem problem = dwt_problem(dwt_args.problem);
        check_problem(&problem, dwt_args.seed);
        return;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const dwc_problem problem = dwt_problem(texts[i]);
        check_problem(&problem, dwt_args.seed + i);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_candidate)};
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
