/* SPDX-License-Identifier: Apache-2.0 */
/* The planner: explicit choice, else the wisdom, else the cost model.
 *
 *     auto: one thread's choice ──> with several threads: the best parameters known for so many that round alike */
#include "core/calibration.h"
#include "core/consult.h"
#include "core/cost.h"
#include "core/error.h"
#include "core/params.h"
#include "core/plan.h"
#include "core/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_CANDIDATES = 256 };

/* The case that decides algorithm and parameters: one thread, and of the batch size only its class, one image unless
 * dwci_cost_from_memory, else a batch of twice its size; so that neither can depend on the rest. */
static dwci_case canonical(const dwci_case *c) {
    dwci_case one = *c;
    one.threads = 1;
    if (c->problem.n > 1 || (c->problem.n == 1 && c->cache == DWC_CACHE_COLD)) {
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

/* Default of dwc_plan_options.max_error for "auto": the accuracy that TensorFlow's own tests ask for. */
static double default_error(dwc_dtype dtype) {
    return dtype == DWC_F64 ? 1e-13 : 1e-5;
}

static bool by_name(const dwc_plan_options *options) {
    return options->algo && strcmp(options->algo, "auto") != 0;
}

/* Does a prepared solution keep to the caller's limits? If not, writes which one it breaks. */
static bool within_limits(const dwci_algo *algo, const dwci_solution *s, const dwc_plan_options *options, char *why,
                          size_t size) {
    const dwci_prepared *p = &s->prepared;
    const double most_error = options->max_error > 0                 ? options->max_error
                              : by_name(options) || p->componentwise ? p->error_bound
                                                                     : default_error(s->problem_case.problem.dtype);
    if (options->numerics == DWC_NUMERICS_DIRECT && !algo->in_order)
        snprintf(why, size, "numerics: its roundings are not those of direct");
    else if (options->strict_nonfinite && p->spreads_nonfinite)
        snprintf(why, size, "strict_nonfinite: it may spread NaN and infinity");
    else if (options->bands && p->band_rows == 0)
        snprintf(why, size, "bands: only images as a whole");
    else if (!(p->error_bound <= most_error))
        snprintf(why, size, "max_error: its error bound %.3g is above %.3g", p->error_bound, most_error);
    else if (options->max_workspace > 0 && p->workspace_bytes > (size_t)options->max_workspace)
        snprintf(why, size, "max_workspace: it needs %zu bytes, more than %" PRId64, p->workspace_bytes,
                 options->max_workspace);
    else
        return true;
    return false;
}

/* A solution with these parameters, if they are legal and keep to the limits. */
static dwc_status try_params(const dwci_algo *algo, const dwci_case *c, const dwci_params *params,
                             const dwc_plan_options *options, char *why, size_t size) {
    dwci_solution s = {.problem_case = *c, .params = *params};
    if (!algo->prepare(&s, why, size))
        return DWC_INVALID_ARGUMENT;
    return within_limits(algo, &s, options, why, size) ? DWC_OK : DWC_NOT_APPLICABLE;
}

/* Best parameters of an algorithm by its model, and their seconds; if none will do, the reason. */
static dwc_status best_params(const dwci_algo *algo, const dwci_case *c, const dwc_plan_options *options,
                              dwci_params *best, double *best_seconds, char *why, size_t size) {
    dwci_params list[MOST_CANDIDATES];
    int count = list_candidates(algo, c, list);
    dwc_status found = DWC_NOT_APPLICABLE;
    if (count == 0)
        snprintf(why, size, "no parameters by itself for such a problem");
    for (int i = 0; i < count; i++) {
        const double seconds = algo->cost(c, &list[i]);
        if (found == DWC_OK && !(seconds < *best_seconds))
            continue;
        const dwc_status status = try_params(algo, c, &list[i], options, why, size);
        if (status == DWC_OK) {
            *best_seconds = seconds;
            *best = list[i];
        }
        if (found != DWC_OK)
            found = status;
    }
    return found;
}

/* What a record's entry has to keep to. */
typedef struct wish {
    const dwci_case *problem_case;
    const dwc_plan_options *options;
    const dwc_plan *alike; /* NULL, or whose numerics it must have */
} wish;

static bool acceptable(const dwci_algo *algo, const dwci_params *params, void *user) {
    const wish *w = user;
    char why[160];
    return applies(algo, w->problem_case, why, sizeof why) &&
           try_params(algo, w->problem_case, params, w->options, why, sizeof why) == DWC_OK &&
           (!w->alike || dwci_same_numerics(algo, params, w->alike->algo, &w->alike->solution.params));
}

static void take(dwc_plan *plan, const dwci_choice *choice) {
    plan->algo = choice->algo;
    plan->solution.params = choice->params;
    plan->source = *choice->near ? "near" : "record";
    plan->near = choice->near;
}

static dwc_status choose_by_model(const dwc_context *context, const dwci_case *one, const dwc_plan_options *options,
                                  dwc_plan *plan, dwc_error *error) {
    double best_seconds = -1;
    char why[160] = "", nearest[160] = "";
    for (int i = 0; i < dwci_algo_count; i++) {
        const dwci_algo *algo = dwci_algos[i];
        dwci_params params;
        double seconds;
        if (!algo->automatic) {
            dwci_log(context, DWC_LOG_PLAN, "%s: only by name", algo->name);
            continue;
        }
        if (!applies(algo, one, why, sizeof why)) {
            dwci_log(context, DWC_LOG_PLAN, "%s: does not apply: %s", algo->name, why);
            continue;
        }
        if (best_params(algo, one, options, &params, &seconds, why, sizeof why)) {
            dwci_log(context, DWC_LOG_PLAN, "%s: %s", algo->name, why);
            if (!nearest[0])
                snprintf(nearest, sizeof nearest, "%s: %.120s", algo->name, why);
            continue;
        }
        const int64_t images = one->problem.n > 0 ? one->problem.n : 1;
        dwci_log(context, DWC_LOG_PLAN, "%s: %.3g s per image by the model", algo->name, seconds / (double)images);
        if (best_seconds < 0 || seconds < best_seconds) {
            plan->algo = algo;
            plan->solution.params = params;
            best_seconds = seconds;
        }
    }
    plan->source = "model";
    return plan->algo ? DWC_OK : dwci_fail(error, DWC_NOT_APPLICABLE, "algo: none keeps to the limits (%s)", nearest);
}

/* The choice for one thread fixes the numerics; several threads look for better parameters. */
static dwc_status choose(const dwc_context *context, const dwci_case *c, const dwci_case *one,
                         const dwc_plan_options *options, dwc_plan *plan, dwc_error *error) {
    dwci_choice choice;
    wish wanted = {one, options, NULL};
    if (dwci_consult(context, one, options, acceptable, &wanted, &choice)) {
        take(plan, &choice);
    } else {
        dwc_status status = choose_by_model(context, one, options, plan, error);
        if (status)
            return status;
    }
    if (c->threads > 1) {
        dwci_case several = *one;
        several.threads = c->threads;
        wanted.alike = plan;
        if (dwci_consult(context, &several, options, acceptable, &wanted, &choice))
            take(plan, &choice);
        else if (strcmp(plan->source, "record") == 0)
            plan->source = "near", plan->near = "threads";
    }
    if (options->effort == DWC_EFFORT_WISDOM && strcmp(plan->source, "record") != 0)
        return dwci_fail(error, DWC_NO_RECORD, "wisdom: no record for this problem, %d thread%s and machine",
                         c->threads, c->threads == 1 ? "" : "s");
    return DWC_OK;
}

static dwc_status choose_by_name(const dwci_case *c, const dwci_case *one, const dwc_plan_options *options,
                                 dwc_plan *plan, dwc_error *error) {
    char why[160] = "";
    double seconds;
    dwci_params *params = &plan->solution.params;
    dwc_status status;
    const dwci_algo *algo = dwci_algo_find(options->algo);
    if (!algo)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "algo: there is no algorithm '%.64s'", options->algo);
    if (!applies(algo, c, why, sizeof why))
        return dwci_fail(error, DWC_NOT_APPLICABLE, "algo: %s does not apply: %s", algo->name, why);
    if (options->params && (status = dwci_params_parse(algo, options->params, params, error)))
        return status;
    status = options->params ? try_params(algo, one, params, options, why, sizeof why)
                             : best_params(algo, one, options, params, &seconds, why, sizeof why);
    if (status)
        return dwci_fail(error, status, "%s: %s", algo->name, why);
    plan->algo = algo;
    plan->source = "explicit";
    return DWC_OK;
}

static dwc_status check_options(const dwc_plan_options *options, dwc_error *error) {
    if (options->threads < 0 || options->threads > DWC_MAX_THREADS)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "threads: %d is not in 0..%d", options->threads, DWC_MAX_THREADS);
    if (options->numerics != DWC_NUMERICS_ANY && options->numerics != DWC_NUMERICS_DIRECT)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "numerics: unknown value %d", (int)options->numerics);
    if (!(options->max_error >= 0))
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "max_error: %g is not a limit", options->max_error);
    if (options->max_workspace < 0)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "max_workspace: %" PRId64 " is negative", options->max_workspace);
    if (options->effort != DWC_EFFORT_ESTIMATE && options->effort != DWC_EFFORT_WISDOM)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "effort: plans are made by estimate or wisdom, not by %s",
                         dwc_effort_name(options->effort));
    if (options->cache != DWC_CACHE_AUTO && options->cache != DWC_CACHE_WARM && options->cache != DWC_CACHE_COLD)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "cache: unknown value %d", (int)options->cache);
    return DWC_OK;
}

/* Prepares the solution with as many threads as the workspace limit leaves. */
static dwc_status prepare_within(dwc_plan *plan, const dwc_plan_options *options, dwc_error *error) {
    dwci_solution *s = &plan->solution;
    char why[160] = "";
    for (;;) {
        if (!plan->algo->prepare(s, why, sizeof why))
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: %s", plan->algo->name, why);
        if (within_limits(plan->algo, s, options, why, sizeof why))
            return DWC_OK;
        if (s->prepared.threads == 1)
            return dwci_fail(error, DWC_NOT_APPLICABLE, "%s: %s", plan->algo->name, why);
        s->problem_case.threads = s->prepared.threads - 1;
    }
}

static dwci_case case_of(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options) {
    return (dwci_case){.problem = *problem,
                       .machine = &context->machine,
                       .binding = context->binding,
                       .table = dwci_kern_table_for(context->machine.isa),
                       .threads = options->threads ? options->threads : context->threads,
                       .cache = options->cache,
                       .pace = dwci_calibration_pace(context)};
}

dwc_status dwci_plan_case(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                          dwci_case *result, dwc_error *error) {
    dwci_case c = case_of(context, problem, options);
    dwc_status status = dwc_problem_geometry(problem, &c.geometry, error);
    if (status == DWC_OK) {
        *result = canonical(&c);
        result->threads = c.threads;
    }
    return status;
}

int dwci_plan_candidates(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                         char (*texts)[DWC_PARAMS_TEXT_MAX], int most) {
    dwci_params list[MOST_CANDIDATES];
    dwci_case c = case_of(context, problem, options);
    const dwci_algo *algo = by_name(options) ? dwci_algo_find(options->algo) : NULL;
    if (!algo || dwc_problem_geometry(problem, &c.geometry, NULL) || !applies(algo, &c, NULL, 0))
        return 0;
    const dwci_case one = canonical(&c);
    const int all = list_candidates(algo, &one, list), count = all < most ? all : most;
    for (int i = 0; i < count; i++)
        dwci_params_print(algo, &list[i], texts[i], sizeof texts[i]);
    return count;
}

/* What a survey is about. */
typedef struct surveyor {
    const dwci_case *one, *several;
    const dwc_plan_options *options;
    const dwc_plan *alike; /* whose numerics several threads must have; NULL: any */
} surveyor;

static void weigh(const surveyor *s, const dwci_algo *algo, const dwci_params *params, dwc_candidate *result) {
    dwci_params_print(algo, params, result->params, sizeof result->params);
    result->model_s = algo->cost(s->several, params);
    if (try_params(algo, s->one, params, s->options, result->why, sizeof result->why))
        return;
    if (s->alike && !dwci_same_numerics(algo, params, s->alike->algo, &s->alike->solution.params))
        snprintf(result->why, sizeof result->why, "threads: it rounds otherwise than the choice for one thread");
    else
        result->legal = 1;
}

dwc_status dwci_plan_survey(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                            dwc_candidate *list, int most, int *count, dwc_error *error) {
    dwci_params params[MOST_CANDIDATES];
    dwc_plan_options for_one = *options;
    dwci_case one, several;
    dwc_plan alike;
    for_one.threads = 1;
    for_one.effort = DWC_EFFORT_ESTIMATE;
    dwc_status status = dwci_plan_case(context, problem, options, &several, error);
    if (status || (status = dwci_plan_choose(context, problem, &for_one, &alike, error)))
        return status;
    one = several;
    one.threads = 1;
    const surveyor s = {&one, &several, options, several.threads > 1 ? &alike : NULL};
    *count = 0;
    for (int i = 0; i < dwci_algo_count; i++) {
        const dwci_algo *algo = dwci_algos[i];
        dwc_candidate none = {.algo = algo->name};
        if (!algo->automatic)
            continue;
        const bool fits = applies(algo, &one, none.why, sizeof none.why);
        const int candidates = fits ? list_candidates(algo, &one, params) : 0;
        if (fits && candidates == 0)
            snprintf(none.why, sizeof none.why, "no parameters by itself for such a problem");
        if (candidates == 0 && *count < most)
            list[(*count)++] = none;
        for (int k = 0; k < candidates && *count < most; k++) {
            dwc_candidate *result = &list[(*count)++];
            *result = (dwc_candidate){.algo = algo->name};
            weigh(&s, algo, &params[k], result);
        }
    }
    return DWC_OK;
}

dwc_status dwci_plan_choose(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                            dwc_plan *plan, dwc_error *error) {
    dwci_solution *s = &plan->solution;
    dwci_case *c = &s->problem_case;
    char params[128], text[DWC_PROBLEM_TEXT_MAX];
    dwc_status status = check_options(options, error);
    if (status)
        return status;
    *plan =
        (dwc_plan){.context = context, .near = "", .solution = {.problem_case = case_of(context, problem, options)}};
    if ((status = dwc_problem_geometry(problem, &c->geometry, error)))
        return status;
    if (options->params && !by_name(options))
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "params: '%.64s' given without an algorithm's name",
                         options->params);
    const dwci_case one = canonical(c);
    status = by_name(options) ? choose_by_name(c, &one, options, plan, error)
                              : choose(context, c, &one, options, plan, error);
    if (status || (status = prepare_within(plan, options, error)))
        return status;
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
