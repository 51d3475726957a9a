/* SPDX-License-Identifier: Apache-2.0 */
/* The planner: explicit choice, else the cost model. (Wisdom will come between the two.) */
#include "core/cost.h"
#include "core/error.h"
#include "core/params.h"
#include "core/plan.h"
#include "core/registry.h"

#include <string.h>

enum { MOST_CANDIDATES = 256 };

/* The case that decides algorithm and parameters: one thread, and of the batch size only its class, one image where all
 * images together stay in the last cache, else a batch of twice its size; so that neither can depend on the rest. */
static dwci_case canonical(const dwci_case *c) {
    dwci_case one = *c;
    one.threads = 1;
    if (c->problem.n > 1) {
        const double cache = dwci_last_cache(c->machine);
        one.problem.n = 1;
        dwc_problem_geometry(&one.problem, &one.geometry, NULL);
        if (dwci_cost_from_memory(c) && dwci_cost_footprint(&one) < 2 * cache) {
            one.problem.n = 1 + (int64_t)(2 * cache / dwci_cost_footprint(&one));
            dwc_problem_geometry(&one.problem, &one.geometry, NULL);
        }
    }
    return one;
}

static bool applies(const dwci_algo *algo, const dwci_case *c, char *why, size_t size) {
    return !algo->applicable || algo->applicable(c, why, size);
}

/* At most MOST_CANDIDATES; an algorithm without parameters has one candidate. */
static int list_candidates(const dwci_algo *algo, const dwci_case *c, dwci_params *list) {
    list[0] = (dwci_params){{0}};
    return algo->candidates ? algo->candidates(c, list, MOST_CANDIDATES) : 1;
}

/* Best parameters of an algorithm by its model; their seconds. */
static double best_params(const dwci_algo *algo, const dwci_case *c, dwci_params *best) {
    dwci_params list[MOST_CANDIDATES];
    int count = list_candidates(algo, c, list);
    double best_seconds = 0;
    for (int i = 0; i < count; i++) {
        double seconds = algo->cost(c, &list[i]);
        if (i == 0 || seconds < best_seconds) {
            best_seconds = seconds;
            *best = list[i];
        }
    }
    return best_seconds;
}

static const dwci_algo *choose_by_model(const dwc_context *context, const dwci_case *c) {
    const dwci_algo *best = NULL;
    double best_seconds = 0;
    dwci_case one = canonical(c);
    for (int i = 0; i < dwci_algo_count; i++) {
        const dwci_algo *algo = dwci_algos[i];
        char why[128] = "";
        dwci_params params;
        if (!algo->automatic) {
            dwci_log(context, DWC_LOG_PLAN, "%s: only by name", algo->name);
            continue;
        }
        if (!applies(algo, &one, why, sizeof why)) {
            dwci_log(context, DWC_LOG_PLAN, "%s: does not apply: %s", algo->name, why);
            continue;
        }
        double seconds = best_params(algo, &one, &params);
        dwci_log(context, DWC_LOG_PLAN, "%s: %.3g s per image by the model", algo->name, seconds);
        if (!best || seconds < best_seconds) {
            best = algo;
            best_seconds = seconds;
        }
    }
    return best;
}

static dwc_status choose_algo(const dwc_context *context, const dwci_case *c, const dwc_plan_options *options,
                              dwc_plan *plan, dwc_error *error) {
    char why[160] = "";
    if (!options->algo || strcmp(options->algo, "auto") == 0) {
        if (options->params)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "params: '%.64s' given without an algorithm's name",
                             options->params);
        plan->algo = choose_by_model(context, c);
        plan->source = "model";
        return plan->algo ? DWC_OK : dwci_fail(error, DWC_INTERNAL_ERROR, "algo: none applies to the problem");
    }
    plan->algo = dwci_algo_find(options->algo);
    plan->source = "explicit";
    if (!plan->algo)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "algo: there is no algorithm '%.64s'", options->algo);
    if (!applies(plan->algo, c, why, sizeof why))
        return dwci_fail(error, DWC_NOT_APPLICABLE, "algo: %s does not apply: %s", plan->algo->name, why);
    return DWC_OK;
}

static dwci_case case_of(const dwc_context *context, const dwc_problem *problem, int threads) {
    return (dwci_case){.problem = *problem,
                       .machine = &context->machine,
                       .binding = context->binding,
                       .table = dwci_kern_table_for(context->machine.isa),
                       .threads = threads ? threads : context->threads};
}

int dwci_plan_candidates(const dwc_context *context, const dwc_problem *problem, const char *name,
                         char (*texts)[DWC_PARAMS_TEXT_MAX], int most) {
    dwci_params list[MOST_CANDIDATES];
    dwci_case c = case_of(context, problem, 0);
    const dwci_algo *algo = dwci_algo_find(name);
    if (!algo || dwc_problem_geometry(problem, &c.geometry, NULL) || !applies(algo, &c, NULL, 0))
        return 0;
    const dwci_case one = canonical(&c);
    const int all = list_candidates(algo, &one, list), count = all < most ? all : most;
    for (int i = 0; i < count; i++)
        dwci_params_print(algo, &list[i], texts[i], sizeof texts[i]);
    return count;
}

dwc_status dwci_plan_choose(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                            dwc_plan *plan, dwc_error *error) {
    dwci_solution *s = &plan->solution;
    char why[160] = "", params[128], text[DWC_PROBLEM_TEXT_MAX];
    if (options->threads < 0 || options->threads > DWC_MAX_THREADS)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "threads: %d is not in 0..%d", options->threads, DWC_MAX_THREADS);
    *s = (dwci_solution){.problem_case = case_of(context, problem, options->threads)};
    dwci_case *c = &s->problem_case;
    plan->context = context;
    dwc_status status = dwc_problem_geometry(problem, &c->geometry, error);
    if (status == DWC_OK)
        status = choose_algo(context, c, options, plan, error);
    if (status != DWC_OK)
        return status;

    const dwci_case one = canonical(c);
    best_params(plan->algo, &one, &s->params);
    if (options->params && (status = dwci_params_parse(plan->algo, options->params, &s->params, error)))
        return status;
    if (!plan->algo->prepare(s, why, sizeof why))
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: %s", plan->algo->name, why);
    plan->model_seconds = plan->algo->cost(c, &s->params);

    if (dwci_log_wanted(context, DWC_LOG_PLAN)) {
        dwc_problem_print(problem, text, sizeof text);
        dwci_params_print(plan->algo, &s->params, params, sizeof params);
        dwci_log(context, DWC_LOG_PLAN, "%s -> %s(%s), %s, %.3g s by the model", text, plan->algo->name, params,
                 plan->source, plan->model_seconds);
    }
    dwci_log(context, DWC_LOG_DISPATCH, "%s kernels, instance %s, %d threads", c->table->name,
             s->prepared.kernel[0] ? s->prepared.kernel : "none", s->prepared.threads);
    return DWC_OK;
}
