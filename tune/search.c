/* SPDX-License-Identifier: Apache-2.0 */
/* The candidates of a race, see search.h.
 *
 *     what the planner weighs -> legal ones -> the model's choice, the best of each algorithm, the best of all */
#include "search.h"
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_model(const void *a, const void *b) {
    const dwc_candidate *x = *(dwc_candidate *const *)a, *y = *(dwc_candidate *const *)b;
    return x->model_s != y->model_s ? (x->model_s > y->model_s) - (x->model_s < y->model_s) : (x > y) - (x < y);
}

static int by_order(const void *a, const void *b) {
    const dwc_candidate *x = *(dwc_candidate *const *)a, *y = *(dwc_candidate *const *)b;
    return (x > y) - (x < y);
}

static int is(const dwc_candidate *c, const dwc_plan_info *info) {
    return strcmp(c->algo, info->algo) == 0 && strcmp(c->params, info->params) == 0;
}

/* Moves ranked[at] to place `to`, what lies between one further. */
static void promote(dwc_candidate **ranked, int at, int to) {
    dwc_candidate *const moved = ranked[at];
    memmove(ranked + to + 1, ranked + to, (size_t)(at - to) * sizeof *ranked);
    ranked[to] = moved;
}

/* Does the text of `length`, "name=value", stand among a candidate's parameters? */
static int has(const dwc_candidate *c, const char *value, size_t length) {
    for (const char *at = c->params; *at;) {
        const size_t here = strcspn(at, ",");
        if (here == length && memcmp(at, value, length) == 0)
            return 1;
        at += here + (at[here] == ',');
    }
    return 0;
}

/* Has one of the first `count` the same algorithm and both these values? */
static int has_pair(dwc_candidate *const *ranked, int count, const char *algo, const char *a, size_t a_length,
                    const char *b, size_t b_length) {
    for (int i = 0; i < count; i++)
        if (strcmp(ranked[i]->algo, algo) == 0 && has(ranked[i], a, a_length) && has(ranked[i], b, b_length))
            return 1;
    return 0;
}

/* Has it an algorithm, or values of two parameters together, that none of the first `count` has? */
static int is_new(dwc_candidate *const *ranked, int count, const dwc_candidate *c) {
    int known = 0;
    for (int i = 0; i < count; i++)
        known |= strcmp(ranked[i]->algo, c->algo) == 0;
    if (!known)
        return 1;
    for (const char *a = c->params; *a;) {
        const size_t a_length = strcspn(a, ",");
        for (const char *b = a; *b;) {
            const size_t b_length = strcspn(b, ",");
            if (!has_pair(ranked, count, c->algo, a, a_length, b, b_length))
                return 1;
            b += b_length + (b[b_length] == ',');
        }
        a += a_length + (a[a_length] == ',');
    }
    return 0;
}

/* Puts first what the planner would take, then the best half of the places, then whatever shows two values of
 * parameters together that none before has: the model may be wrong about these here. */
static void promote_needed(dwc_candidate **ranked, int count, int places, const dwc_plan_info *model) {
    int first = 0;
    for (int i = 0; i < count; i++)
        if (is(ranked[i], model))
            promote(ranked, i, first++);
    for (int i = first = places / 2 < count ? places / 2 : count; i < count; i++)
        if (is_new(ranked, first, ranked[i]))
            promote(ranked, i, first++);
}

/* Those that the request names, ranked as before. */
static int keep_named(const dwct_search_request *r, dwc_candidate **ranked, int count) {
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (r->only(ranked[i]->algo, ranked[i]->params, r->user))
            ranked[kept++] = ranked[i];
    return kept;
}

static dwc_status take(const dwct_search_request *r, const dwc_candidate *c, dwct_candidate *to, dwc_error *error) {
    dwc_plan_options options = *r->options;
    options.algo = c->algo;
    options.params = c->params[0] ? c->params : NULL;
    *to = (dwct_candidate){.model_s = c->model_s};
    snprintf(to->algo, sizeof to->algo, "%s", c->algo);
    snprintf(to->params, sizeof to->params, "%s", c->params);
    return dwc_plan_create(r->context, r->raced, &options, &to->plan, error);
}

static dwc_status pick(const dwct_search_request *r, dwc_candidate *all, int count, const dwc_plan_info *model,
                       dwct_search *search, dwc_error *error) {
    dwc_candidate *ranked[DWCT_RACE_CANDIDATES];
    int legal = 0;
    for (int i = 0; i < count && legal < DWCT_RACE_CANDIDATES; i++)
        if (all[i].legal)
            ranked[legal++] = &all[i];
    search->legal = legal;
    qsort(ranked, (size_t)legal, sizeof *ranked, by_model);
    promote_needed(ranked, legal, r->most, model);
    int picked = r->only ? keep_named(r, ranked, legal) : legal;
    if (picked > r->most)
        picked = r->most;
    qsort(ranked, (size_t)picked, sizeof *ranked, by_order);
    for (int i = 0; i < picked; i++) {
        dwc_status status = take(r, ranked[i], &search->list[search->count], error);
        if (status == DWC_NOT_APPLICABLE) /* of the raced number of images */
            continue;
        if (status != DWC_OK)
            return status;
        if (is(ranked[i], model))
            search->model_choice = search->count;
        search->count++;
    }
    return search->count ? DWC_OK : dwct_fail(error, DWC_NOT_APPLICABLE, "algo: no candidate keeps to the limits");
}

/* The planner's choice without any record, if it may be used: else -1 will stand for it. */
static dwc_status model_choice(const dwct_search_request *r, dwc_plan_info *info, dwc_error *error) {
    dwc_plan_options options = *r->options;
    dwc_plan *plan;
    options.ignore_wisdom = 1;
    options.effort = DWC_EFFORT_ESTIMATE;
    dwc_status status = dwc_plan_create(r->context, r->problem, &options, &plan, error);
    if (status == DWC_OK) {
        dwc_plan_get_info(plan, info);
        dwc_plan_destroy(plan);
    }
    return status;
}

dwc_status dwct_search_find(const dwct_search_request *r, dwct_search *search, dwc_error *error) {
    dwc_plan_info model;
    int count = 0;
    search->count = search->legal = 0;
    search->model_choice = -1;
    dwc_candidate *all = dwc_allocate(r->context, DWCT_RACE_CANDIDATES * sizeof *all);
    if (!all)
        return dwct_no_memory(error, DWCT_RACE_CANDIDATES * (int64_t)sizeof *all);
    dwc_status status = model_choice(r, &model, error);
    if (status == DWC_OK)
        status = dwc_expert_survey(r->context, r->problem, r->options, all, DWCT_RACE_CANDIDATES, &count, error);
    if (status == DWC_OK)
        status = pick(r, all, count, &model, search, error);
    dwc_release(r->context, all);
    return status;
}

void dwct_search_release(dwct_search *search) {
    for (int i = 0; i < search->count; i++)
        dwc_plan_destroy(search->list[i].plan);
}
