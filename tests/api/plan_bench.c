/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan costs beside its kernel; figures, no verdict:
 *
 *     plan_bench [PROBLEM...]     [f32:nhwc:n1:7x7x16:k3x3 f32:nhwc:n1:14x14x512:k3x3 f32:nchw:n1:14x14x512:k3x3]
 *
 * A line of CSV for each problem and one thread: microseconds that making the plan takes (by the cost model, without
 * records), that an execution takes in cache, and that one of a single pixel of as many channels with a 1x1 filter
 * takes, which is nearly all overhead; medians of many. */
#include "dwconv.h"
#include "tune/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 201, EXECUTIONS = 50 };

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double values[SAMPLES]) {
    qsort(values, SAMPLES, sizeof *values, ascending);
    return values[SAMPLES / 2];
}

static void check(dwc_status status, const dwc_error *error) {
    if (status != DWC_OK) {
        fprintf(stderr, "plan_bench: %s\n", error->message);
        exit(1);
    }
}

static void *allocate(const dwc_context *context, size_t bytes) {
    void *memory = dwc_allocate(context, bytes);
    if (!memory) {
        fprintf(stderr, "plan_bench: no memory\n");
        exit(1);
    }
    memset(memory, 0x3c, bytes); /* float32: 0.0115 */
    return memory;
}

static dwc_plan *make(const dwc_context *context, const dwc_problem *problem) {
    const dwc_plan_options options = {.threads = 1};
    dwc_error error;
    dwc_plan *plan;
    check(dwc_plan_create(context, problem, &options, &plan, &error), &error);
    return plan;
}

static double planning_us(const dwc_context *context, const dwc_problem *problem) {
    double samples[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        const double start = dwct_seconds();
        dwc_plan *plan = make(context, problem);
        samples[i] = 1e6 * (dwct_seconds() - start);
        dwc_plan_destroy(plan);
    }
    return median(samples);
}

static double execution_us(const dwc_context *context, const dwc_problem *problem) {
    dwc_plan *plan = make(context, problem);
    dwc_plan_info info;
    dwc_error error;
    double samples[SAMPLES];
    dwc_plan_get_info(plan, &info);
    const dwc_geometry *g = &info.geometry;
    void *input = allocate(context, (size_t)g->input_elements * g->element_bytes);
    void *filter = allocate(context, (size_t)g->filter_elements * g->element_bytes);
    void *output = allocate(context, (size_t)g->output_elements * g->element_bytes);
    void *packed = allocate(context, info.packed_bytes), *workspace = allocate(context, info.workspace_bytes);
    check(dwc_plan_pack_filter(plan, filter, packed, &error), &error);
    for (int i = 0; i < SAMPLES; i++) {
        const double start = dwct_seconds();
        for (int k = 0; k < EXECUTIONS; k++)
            check(dwc_plan_execute(plan, input, packed, NULL, output, workspace, &error), &error);
        samples[i] = 1e6 * (dwct_seconds() - start) / EXECUTIONS;
    }
    void *const all[] = {input, filter, output, packed, workspace};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dwc_release(context, all[i]);
    dwc_plan_destroy(plan);
    return median(samples);
}

int main(int argc, char **argv) {
    static char *usual[] = {"f32:nhwc:n1:7x7x16:k3x3", "f32:nhwc:n1:14x14x512:k3x3", "f32:nchw:n1:14x14x512:k3x3"};
    char *const *problems = argc > 1 ? argv + 1 : usual;
    const int count = argc > 1 ? argc - 1 : (int)(sizeof usual / sizeof *usual);
    dwc_context *context;
    dwc_error error;
    check(dwc_context_create(NULL, &context, &error), &error);
    printf("problem,plan_us,execute_us,overhead_us\n");
    for (int i = 0; i < count; i++) {
        dwc_problem problem;
        check(dwc_problem_parse(problems[i], &problem, &error), &error);
        dwc_problem nothing = problem;
        nothing.n = nothing.h = nothing.w = nothing.kh = nothing.kw = 1;
        nothing.sh = nothing.sw = nothing.dh = nothing.dw = 1;
        nothing.padding = DWC_SAME;
        printf("%s,%.2f,%.3f,%.3f\n", problems[i], planning_us(context, &problem), execution_us(context, &problem),
               execution_us(context, &nothing));
    }
    dwc_context_destroy(context);
    return 0;
}
