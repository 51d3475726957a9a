/* SPDX-License-Identifier: Apache-2.0 */
/* Plans as the caller sees them: argument checks, then the algorithm. */
#include "core/plan.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/params.h"
#include "core/threads.h"

#include <stdio.h>
#include <string.h>

void dwc_plan_options_init(dwc_plan_options *options) {
    *options = (dwc_plan_options){.algo = "auto"};
}

dwc_status dwc_plan_create(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                           dwc_plan **result, dwc_error *error) {
    dwc_plan_options defaults;
    dwc_plan chosen;
    dwc_plan_options_init(&defaults);
    if (!context || !problem || !result)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer",
                         !context   ? "context"
                         : !problem ? "problem"
                                    : "plan");
    dwc_status status = dwci_plan_choose(context, problem, options ? options : &defaults, &chosen, error);
    if (status != DWC_OK)
        return status;
    dwc_plan *plan = dwci_allocate(&context->allocator, sizeof *plan);
    if (!plan)
        return dwci_fail(error, DWC_OUT_OF_MEMORY, "plan: %zu bytes could not be allocated", sizeof *plan);
    *plan = chosen;
    *result = plan;
    return DWC_OK;
}

void dwc_plan_destroy(dwc_plan *plan) {
    if (plan)
        dwci_release(&plan->context->allocator, plan);
}

void dwc_plan_get_info(const dwc_plan *plan, dwc_plan_info *info) {
    const dwci_solution *s = &plan->solution;
    *info = (dwc_plan_info){
        .problem = s->problem_case.problem,
        .geometry = s->problem_case.geometry,
        .algo = plan->algo->name,
        .kernel = s->prepared.kernel,
        .isa = s->problem_case.table->name,
        .threads = s->prepared.threads,
        .source = plan->source,
        .near = plan->near,
        .model_seconds = plan->model_seconds,
        .error_bound = s->prepared.error_bound,
        .packed_bytes = s->prepared.packed_bytes,
        .workspace_bytes = s->prepared.workspace_bytes,
        .spreads_nonfinite = s->prepared.spreads_nonfinite,
        .band_rows = s->prepared.band_rows,
    };
    dwci_params_print(plan->algo, &s->params, info->params, sizeof info->params);
}

size_t dwc_plan_describe(const dwc_plan *plan, char *text, size_t size) {
    char problem[DWC_PROBLEM_TEXT_MAX];
    dwc_plan_info info;
    dwc_plan_get_info(plan, &info);
    dwc_problem_print(&info.problem, problem, sizeof problem);
    int length = snprintf(text, size, "%s algo %s(%s) kernel %s isa %s threads %d workspace %zu source %s", problem,
                          info.algo, info.params, info.kernel[0] ? info.kernel : "-", info.isa, info.threads,
                          info.workspace_bytes, info.source);
    return length > 0 ? (size_t)length : 0;
}

dwc_status dwc_plan_pack_filter(const dwc_plan *plan, const void *filter, void *packed, dwc_error *error) {
    if (!plan)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "plan: null pointer");
    if (!filter && plan->solution.problem_case.geometry.filter_elements > 0)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "filter: null pointer");
    if (!packed && plan->solution.prepared.packed_bytes > 0)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "packed: null pointer");
    if (plan->solution.prepared.packed_bytes > 0)
        plan->algo->pack(&plan->solution, filter, packed);
    return DWC_OK;
}

typedef struct touch {
    char *memory;
    size_t bytes;
} touch;

static void touch_share(void *data, int i, int count) {
    const touch *tensors = data;
    for (int t = 0; t < 2; t++) {
        int64_t from, to;
        dwci_share((int64_t)tensors[t].bytes, i, count, &from, &to);
        if (tensors[t].memory)
            memset(tensors[t].memory + from, 0, (size_t)(to - from));
    }
}

dwc_status dwc_plan_first_touch(const dwc_plan *plan, void *input, void *output, dwc_error *error) {
    if (!plan)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "plan: null pointer");
    const dwc_geometry *g = &plan->solution.problem_case.geometry;
    touch tensors[] = {{input, (size_t)g->input_elements * g->element_bytes},
                       {output, (size_t)g->output_elements * g->element_bytes}};
    dwci_parallel(plan->context->binding, plan->solution.prepared.threads, touch_share, tensors);
    return DWC_OK;
}

typedef struct range {
    const char *name;
    const void *start;
    size_t bytes;
} range;

static dwc_status check_pointers(const dwc_plan *plan, const dwci_tensors *t, dwc_error *error) {
    const dwc_geometry *g = &plan->solution.problem_case.geometry;
    const dwci_prepared *prepared = &plan->solution.prepared;
    const range output = {"output", t->output, (size_t)g->output_elements * g->element_bytes};
    const range others[] = {
        {"input", t->input, (size_t)g->input_elements * g->element_bytes},
        {"packed filter", t->packed, prepared->packed_bytes},
        {"bias", t->bias, (size_t)g->bias_elements * g->element_bytes},
        {"workspace", t->workspace, prepared->workspace_bytes},
    };
    if (!output.start && output.bytes > 0)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "output: null pointer");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (!others[i].start && others[i].bytes > 0)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", others[i].name);
        if (dwci_overlap(output.start, output.bytes, others[i].start, others[i].bytes))
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "output: %zu bytes at %p overlap the %s, %zu bytes at %p",
                             output.bytes, output.start, others[i].name, others[i].bytes, others[i].start);
    }
    return DWC_OK;
}

dwc_status dwc_plan_execute(const dwc_plan *plan, const void *input, const void *packed, const void *bias, void *output,
                            void *workspace, dwc_error *error) {
    if (!plan)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "plan: null pointer");
    if (plan->solution.problem_case.geometry.output_elements == 0)
        return DWC_OK;
    const dwci_tensors tensors = {input, packed, plan->solution.problem_case.problem.bias ? bias : NULL, output,
                                  workspace};
    dwc_status status = check_pointers(plan, &tensors, error);
    if (status == DWC_OK)
        plan->algo->run(&plan->solution, &tensors);
    return status;
}
