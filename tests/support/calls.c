/* SPDX-License-Identifier: Apache-2.0 */
/* Cases and calls: tensors with their expected output, and one place that plans, packs and executes. Contexts are made
 * once per instruction-set cap; a call chooses among them.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static dwc_context *contexts[DWC_ISA_NEON + 1];

void *dwt_elements(dwc_dtype dtype, int64_t count) {
    void *memory = calloc((size_t)count * dwc_dtype_bytes(dtype) + (count == 0), 1);
    if (memory == NULL)
        dwt_fail("no memory for %" PRId64 " elements", count);
    return memory;
}

void dwt_case_init(dwt_case *c, const dwc_problem *problem, uint64_t seed, dwt_data data) {
    dwt_rng rng = {seed};
    *c = (dwt_case){.problem = *problem, .seed = seed};
    dwt_note(problem, seed, NULL);
    if (!dwt_shape_of(problem, &c->shape))
        dwt_fail("the kernel is larger than the padded input");
    const dwt_shape *s = &c->shape;
    c->input = dwt_elements(problem->dtype, s->inputs);
    c->filter = dwt_elements(problem->dtype, s->filters);
    c->bias = problem->bias ? dwt_elements(problem->dtype, s->biases) : NULL;
    dwt_fill(&rng, data, problem->dtype, c->input, s->inputs);
    dwt_fill(&rng, data, problem->dtype, c->filter, s->filters);
    dwt_fill(&rng, data, problem->dtype, c->bias, s->biases);
    c->expected = (dwt_expected){.dtype = problem->dtype, .count = s->outputs, .taps = problem->kh * problem->kw};
    c->expected.exact = calloc((size_t)s->outputs + 1, sizeof *c->expected.exact);
    c->expected.sums = calloc((size_t)s->outputs + 1, sizeof *c->expected.sums);
    if (c->expected.exact == NULL || c->expected.sums == NULL)
        dwt_fail("no memory for the expected output");
    dwt_case_expect(c);
}

void dwt_case_expect(dwt_case *c) {
    dwt_expected *e = &c->expected;
    dwt_scatter(&c->problem, &c->shape, c->input, c->filter, c->bias, e->exact, e->sums);
    e->max_sum = 0;
    for (int64_t i = 0; i < e->count; i++)
        e->max_sum = fmax(e->max_sum, e->sums[i]);
}

void dwt_case_free(dwt_case *c) {
    free(c->input);
    free(c->filter);
    free(c->bias);
    free(c->expected.exact);
    free(c->expected.sums);
}

dwc_context *dwt_context(dwc_isa cap) {
    dwc_context_options options;
    dwc_error error;
    if (contexts[cap] == NULL) {
        dwc_context_options_init(&options);
        options.threads = 4;
        options.max_isa = cap;
        dwt_ok(dwc_context_create(&options, &contexts[cap], &error), &error, "dwc_context_create");
    }
    return contexts[cap];
}

void dwt_end(void) {
    for (int i = 0; i <= DWC_ISA_NEON; i++) {
        dwc_context_destroy(contexts[i]);
        contexts[i] = NULL;
    }
}

int dwt_isas(dwc_isa isas[3]) {
    dwc_isa best = dwc_context_machine(dwt_context(DWC_ISA_BASELINE))->best_isa;
    int count = 0;
    for (int isa = DWC_ISA_BASELINE; isa <= (int)best; isa++)
        if (dwc_isa_built((dwc_isa)isa))
            isas[count++] = (dwc_isa)isa;
    return count;
}

/* All pairs when index is negative: returns how many there are. */
static int find_call(int index, dwt_call *call) {
    dwc_isa isas[3];
    int isa_count = dwt_isas(isas), found = 0;
    for (int a = 0; a < dwc_algo_count(); a++) {
        dwc_algo_info info = dwc_algo_get(a);
        const char *name = info.name;
        if (dwt_args.algo != NULL && strcmp(dwt_args.algo, name) != 0)
            continue;
        for (int i = 0; i < (info.automatic ? isa_count : 1); i++) {
            if (dwt_args.isa != NULL && strcmp(dwt_args.isa, dwc_isa_name(isas[i])) != 0)
                continue;
            if (found == index)
                *call = (dwt_call){.algo = name, .isa = isas[i], .threads = 1};
            found++;
        }
    }
    return found;
}

int dwt_call_count(void) {
    return find_call(-1, NULL);
}

dwt_call dwt_call_get(int index) {
    dwt_call call = {.algo = "auto", .isa = DWC_ISA_BASELINE, .threads = 1};
    find_call(index, &call);
    return call;
}

/* Must the algorithm compute every problem? */
static int serves_all(const char *algo) {
    return strcmp(algo, "reference") == 0 || strcmp(algo, "direct") == 0 || strcmp(algo, "auto") == 0;
}

dwc_plan *dwt_plan(const dwt_call *call, const dwc_problem *problem) {
    dwc_plan_options options;
    dwc_plan *plan = NULL;
    dwc_error error;
    dwc_plan_options_init(&options);
    options.algo = call->algo;
    options.threads = call->threads;
    options.cache = call->cache;
    dwc_status status = dwc_plan_create(dwt_context(call->isa), problem, &options, &plan, &error);
    if (status == DWC_NOT_APPLICABLE && !serves_all(call->algo))
        return NULL;
    dwt_ok(status, &error, "dwc_plan_create");
    return plan;
}

int dwt_run(const dwt_call *call, const dwc_problem *problem, const void *input, const void *filter, const void *bias,
            void *output, dwc_plan_info *info) {
    dwc_error error;
    dwc_plan_info local;
    dwc_plan *plan = dwt_plan(call, problem);
    if (plan == NULL)
        return 0;
    info = info != NULL ? info : &local;
    dwc_plan_get_info(plan, info);
    dwc_context *context = dwt_context(call->isa);
    void *packed = dwc_allocate(context, info->packed_bytes);
    void *workspace = dwc_allocate(context, info->workspace_bytes);
    if (workspace != NULL)
        memset(workspace, 0xff, info->workspace_bytes); /* NaN in every type */
    dwt_ok(dwc_plan_pack_filter(plan, filter, packed, &error), &error, "dwc_plan_pack_filter");
    dwt_ok(dwc_plan_execute(plan, input, packed, bias, output, workspace, &error), &error, "dwc_plan_execute");
    dwc_release(context, packed);
    dwc_release(context, workspace);
    dwc_plan_destroy(plan);
    return 1;
}

int dwt_run_case(const dwt_call *call, const dwt_case *c, void *output, dwc_plan_info *info) {
    dwt_note(&c->problem, c->seed, call);
    return dwt_run(call, &c->problem, c->input, c->filter, c->bias, output, info);
}

const char *dwt_place(const dwc_problem *problem, const dwt_shape *shape, int64_t index) {
    static char text[128];
    int64_t sizes[3] = {shape->oh, shape->ow, shape->oc};
    const char *names[3] = {"oh", "ow", "c"};
    int64_t at[3];
    if (problem->layout == DWC_NCHW) {
        sizes[0] = shape->oc;
        sizes[1] = shape->oh;
        sizes[2] = shape->ow;
        names[0] = "c";
        names[1] = "oh";
        names[2] = "ow";
    }
    for (int i = 2; i >= 0; index /= sizes[i], i--)
        at[i] = index % sizes[i];
    snprintf(text, sizeof text, "n%" PRId64 " %s%" PRId64 " %s%" PRId64 " %s%" PRId64, index, names[0], at[0], names[1],
             at[1], names[2], at[2]);
    return text;
}

void dwt_check(const dwt_case *c, const dwt_call *call, dwt_rule rule, const void *output) {
    dwt_verdict v = dwt_compare(&c->expected, rule, output);
    if (v.wrong == 0)
        return;
    dwt_note(&c->problem, c->seed, call);
    dwt_fail("%s, %s, %d threads: %" PRId64 " of %" PRId64 " elements wrong; first %" PRId64
             " (%s): got %.17g, expected %.17g, tolerance %.3g",
             call->algo, dwc_isa_name(call->isa), call->threads, v.wrong, c->expected.count, v.first,
             dwt_place(&c->problem, &c->shape, v.first), v.got, v.want, v.tolerance);
}

void dwt_check_all(const dwt_case *c, int exact, int threads, dwt_tally *tally) {
    size_t bytes = (size_t)c->shape.outputs * dwc_dtype_bytes(c->problem.dtype);
    void *output = dwt_elements(c->problem.dtype, c->shape.outputs);
    for (int i = 0; i < dwt_call_count(); i++) {
        dwt_call call = dwt_call_get(i);
        dwc_plan_info info;
        call.threads = threads;
        memset(output, 0xa5, bytes);
        if (!dwt_run_case(&call, c, output, &info)) {
            tally->skipped++;
            continue;
        }
        tally->threaded += info.threads > 1 && strcmp(call.algo, "reference") != 0;
        dwt_check(c, &call, dwt_rule_for(&info, exact), output);
    }
    free(output);
}

uint64_t dwt_hash(const void *data, size_t bytes) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    return hash;
}
