/* SPDX-License-Identifier: Apache-2.0 */
/* `dwconv wisdom explain`: every candidate of a problem, what model and race say of it, and why it was not taken.
 *
 *     survey of the candidates + the record, if there is one + the plan made now -> verdicts -> table or JSON
 *
 * The record is found as the planner finds it: these threads, then one thread; these limits, then the default ones;
 * this kind of machine, then others. */
#include "dwconv_expert.h"
#include "json_line.h"
#include "records.h"
#include "wisdom_actions.h"
#include "wisdom_use.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most_candidates = 2048, verdict_size = 200 };
static const double same_speed = 1.01, looks_slower = 1.03; /* as the races have it */

typedef struct explained {
    const dwc_candidate *candidate; /* NULL: of the record only */
    const dwc_record_entry *entry;  /* NULL: not of the record */
    const char *algo, *params;
    int order;      /* in the fixed order that breaks ties */
    int model_rank; /* among the legal ones, from 1 */
    int chosen;
    char verdict[verdict_size];
} explained;

typedef struct explanation {
    const wisdom_request *request;
    wisdom_file wisdom;
    dwc_context *context;
    dwc_problem problem;
    dwc_plan_options options;
    dwc_plan_info plan;
    const char *found; /* "record", "near", "none" */
    dwc_record record; /* zeros if there is none */
    dwc_candidate *candidates;
    explained *rows;
    int candidate_count, count;
} explanation;

/* ---- the record -------------------------------------------------------------------------------------------------- */

/* Any machine's record of this key. */
static int find_elsewhere(explanation *e, const char *key) {
    for (int64_t i = 0; i < dwc_wisdom_count(e->wisdom.wisdom); i++) {
        if (dwc_expert_record_get(e->wisdom.wisdom, i, &e->record, NULL))
            break;
        if (!strcmp(e->record.key, key))
            return 1;
        dwc_expert_record_free(&e->record);
    }
    e->record = (dwc_record){.count = 0};
    return 0;
}

static int find_record(explanation *e, cli_failure *failure) {
    char keys[4][DWC_KEY_TEXT_MAX], machine[DWC_MACHINE_TEXT_MAX];
    dwc_error error;
    for (int i = 0; i < 4; i++) {
        const dwc_plan_options defaults = {.threads = i < 2 ? e->options.threads : 1, .cache = e->options.cache};
        dwc_plan_options limits = e->options;
        limits.threads = defaults.threads;
        if (dwc_expert_key(e->context, &e->problem, i % 2 ? &defaults : &limits, keys[i], machine, &error))
            return fail_library(failure, NULL, &error);
    }
    e->found = "none";
    for (int i = 0; i < 4; i++)
        if (!dwc_expert_record_find(e->wisdom.wisdom, keys[i], machine, &e->record, NULL)) {
            e->found = i < 2 || dwc_context_threads(e->context) == 1 ? "record" : "near";
            return EXIT_DONE;
        }
    for (int i = 0; i < 4; i++)
        if (find_elsewhere(e, keys[i])) {
            e->found = "near";
            return EXIT_DONE;
        }
    return EXIT_DONE;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static int is_of(const dwc_record_entry *entry, const char *algo, const char *params) {
    return !strcmp(entry->algo, algo) && !strcmp(entry->params, params);
}

static void add_row(explanation *e, const dwc_candidate *candidate, const dwc_record_entry *entry) {
    explained *row = &e->rows[e->count];
    *row = (explained){.candidate = candidate, .entry = entry, .order = e->count};
    row->algo = candidate ? candidate->algo : entry->algo;
    row->params = candidate ? candidate->params : entry->params;
    row->chosen = !strcmp(row->algo, e->plan.algo) && !strcmp(row->params, e->plan.params);
    e->count++;
}

/* All candidates with what the record knows of them, then what only the record knows. */
static void add_rows(explanation *e) {
    for (int i = 0; i < e->candidate_count; i++) {
        const dwc_candidate *c = &e->candidates[i];
        const dwc_record_entry *entry = NULL;
        for (int k = 0; k < e->record.count && !entry; k++)
            if (is_of(&e->record.entries[k], c->algo, c->params))
                entry = &e->record.entries[k];
        add_row(e, c, entry);
    }
    for (int k = 0; k < e->record.count; k++) {
        int known = 0;
        for (int i = 0; i < e->candidate_count; i++)
            known |= is_of(&e->record.entries[k], e->candidates[i].algo, e->candidates[i].params);
        if (!known)
            add_row(e, NULL, &e->record.entries[k]);
    }
}

static int is_legal(const explained *row) {
    return row->candidate && row->candidate->legal;
}

static int is_timed(const explained *row) {
    return row->entry && row->entry->rounds > 0;
}

static int by_model(const void *a, const void *b) {
    const explained *x = a, *y = b;
    if (is_legal(x) != is_legal(y))
        return is_legal(y) - is_legal(x);
    const double s = x->candidate ? x->candidate->model_s : 0, t = y->candidate ? y->candidate->model_s : 0;
    return s != t ? (s > t) - (s < t) : x->order - y->order;
}

/* What was chosen, what ran by its time, the rest by the model. */
static int by_result(const void *a, const void *b) {
    const explained *x = a, *y = b;
    if (x->chosen != y->chosen)
        return y->chosen - x->chosen;
    if (is_timed(x) != is_timed(y))
        return is_timed(y) - is_timed(x);
    if (is_timed(x) && x->entry->ratio != y->entry->ratio)
        return (x->entry->ratio > y->entry->ratio) - (x->entry->ratio < y->entry->ratio);
    return by_model(a, b);
}

/* ---- verdicts ---------------------------------------------------------------------------------------------------- */

static const char *ordinal(int number) {
    const int tens = number / 10 % 10, ones = number % 10;
    return tens == 1 || ones == 0 || ones > 3 ? "th" : ones == 1 ? "st" : ones == 2 ? "nd" : "rd";
}

/* Why one that ran in the race did not win it. */
static void judge_race(const explanation *e, explained *row, int chosen_order) {
    const dwc_record_entry *entry = row->entry;
    char *verdict = row->verdict;
    if (entry->low > same_speed || (!e->record.tie && entry->low > 1))
        snprintf(verdict, verdict_size, "slower by %.1f %%", 100 * (entry->ratio - 1));
    else if (!e->record.complete)
        snprintf(verdict, verdict_size, "undecided: the time was up");
    else if (entry->ratio > looks_slower)
        snprintf(verdict, verdict_size, "looks slower by %.1f %%, not with certainty", 100 * (entry->ratio - 1));
    else if (row->order > chosen_order)
        snprintf(verdict, verdict_size, "tie: as fast, later in the fixed order");
    else
        snprintf(verdict, verdict_size, "tie: not faster with certainty than what the model chose");
}

static void judge(const explanation *e, explained *row, int chosen_order) {
    char *verdict = row->verdict;
    const dwc_record_entry *entry = row->entry;
    if (row->candidate && !row->candidate->legal)
        snprintf(verdict, verdict_size, "%s%s", row->params[0] ? "breaks a limit: " : "", row->candidate->why);
    else if (row->chosen)
        snprintf(verdict, verdict_size, "chosen");
    else if (!row->candidate)
        snprintf(verdict, verdict_size, "no candidate of this build");
    else if (!entry)
        snprintf(verdict, verdict_size, "not raced: %d%s by the model", row->model_rank, ordinal(row->model_rank));
    else if (entry->rounds == 0)
        snprintf(verdict, verdict_size, "wrong result: max_err %.3g", entry->max_err);
    else if (entry->revision != dwc_expert_revision(row->algo))
        snprintf(verdict, verdict_size, "raced with an older kernel");
    else
        judge_race(e, row, chosen_order);
}

static void judge_all(explanation *e) {
    int chosen_order = -1;
    qsort(e->rows, (size_t)e->count, sizeof *e->rows, by_model);
    for (int i = 0; i < e->count; i++) {
        e->rows[i].model_rank = i + 1;
        if (e->rows[i].chosen)
            chosen_order = e->rows[i].order;
    }
    for (int i = 0; i < e->count; i++)
        judge(e, &e->rows[i], chosen_order);
    qsort(e->rows, (size_t)e->count, sizeof *e->rows, by_result);
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static json_t *row_object(const explained *row, int rank) {
    const dwc_record_entry none = {.rounds = 0}, *entry = row->entry ? row->entry : &none;
    return json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:s}", "rank", rank, "algo", row->algo, "params",
                     row->params, "model_s", json_known(row->candidate ? row->candidate->model_s : entry->model_s),
                     "median_s", json_known(entry->median_s), "ratio", json_known(entry->ratio), "low",
                     json_known(entry->low), "high", json_known(entry->high), "rounds", entry->rounds, "verdict",
                     row->verdict);
}

static int print_json(const explanation *e, cli_failure *failure) {
    char problem[DWC_PROBLEM_TEXT_MAX];
    json_t *rows = json_array(), *by_name = json_array();
    for (int i = 0; i < e->count; i++)
        json_array_append_new(rows, row_object(&e->rows[i], i + 1));
    for (int i = 0; i < dwc_algo_count(); i++)
        if (!dwc_algo_get(i).automatic)
            json_array_append_new(by_name, json_string(dwc_algo_get(i).name));
    dwc_problem_print(&e->problem, problem, sizeof problem);
    return json_line(json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "problem", problem, "threads",
                               dwc_context_threads(e->context), "algo", e->plan.algo, "params", e->plan.params,
                               "source", e->plan.source, "found", e->found, "record",
                               e->record.count ? record_object(&e->record) : json_null(), "candidates", rows,
                               "only_by_name", by_name),
                     failure);
}

static void print_record(const explanation *e) {
    const dwc_record *r = &e->record;
    record_key key;
    if (!r->count) {
        printf("record     none\n");
        return;
    }
    record_split_key(r, &key);
    printf("record     %s%s, %s%s, %d rounds, %d of %d candidates tried%s\n",
           strcmp(e->found, "near") ? "" : "near: of another machine or number of threads; ", r->date,
           dwc_effort_name(r->effort), r->complete ? "" : " (not complete)", r->rounds, r->tried, r->legal,
           r->tie ? ", tie" : "");
    printf("           %s, %s; %s, %s thread%s %s, %s\n", r->host, r->machine, key.batch, key.threads,
           strcmp(key.threads, "1") ? "s" : "", key.placement, key.limits);
}

static void print_row(const explained *row, int rank) {
    char choice[RECORD_CHOICE_MAX], interval[48] = "-";
    const dwc_record_entry *entry = row->entry;
    const double model_s = row->candidate ? row->candidate->model_s : entry->model_s;
    record_choice_text(row->algo, row->params, choice);
    if (is_timed(row))
        snprintf(interval, sizeof interval, "%.3f [%.3f, %.3f]", entry->ratio, entry->low, entry->high);
    printf("%4d %11.2f ", rank, 1e6 * model_s);
    if (is_timed(row))
        printf("%11.2f %-22s %6d", 1e6 * entry->median_s, interval, entry->rounds);
    else
        printf("%11s %-22s %6s", "-", interval, "-");
    printf("  %s: %s\n", choice, row->verdict);
}

static int print_text(const explanation *e) {
    char problem[DWC_PROBLEM_TEXT_MAX], choice[RECORD_CHOICE_MAX];
    const int threads = dwc_context_threads(e->context);
    dwc_problem_print(&e->problem, problem, sizeof problem);
    record_choice_text(e->plan.algo, e->plan.params, choice);
    printf("problem    %s, %d thread%s\n", problem, threads, threads == 1 ? "" : "s");
    print_record(e);
    printf("plan now   %s, chosen by: %s\n", choice, e->plan.source);
    printf("%4s %11s %11s %-22s %6s  %s\n", "rank", "model us", "median us", "ratio [interval]", "rounds",
           "candidate: why");
    for (int i = 0; i < e->count; i++)
        print_row(&e->rows[i], i + 1);
    for (int i = 0; i < dwc_algo_count(); i++)
        if (!dwc_algo_get(i).automatic)
            printf("%4s %11s %11s %-22s %6s  %s: only by name\n", "-", "-", "-", "-", "-", dwc_algo_get(i).name);
    return EXIT_DONE;
}

/* ---- the action -------------------------------------------------------------------------------------------------- */

static int collect(explanation *e, cli_failure *failure) {
    const wisdom_request *request = e->request;
    const wisdom_options where = {.file = request->file};
    dwc_plan *plan;
    dwc_error error;
    if (dwc_problem_parse(request->words.words[0], &e->problem, &error))
        return fail_library(failure, request->words.words[0], &error);
    dwc_plan_options_init(&e->options);
    plan_limits_set(&request->limits, &e->options);
    e->options.bands = request->bands;
    e->options.cache = (dwc_cache)request->cache;
    if (wisdom_open(&e->wisdom, &where, 1, failure) ||
        cli_context(&request->common, (int)request->threads, (dwc_isa)0, e->wisdom.wisdom, &e->context, NULL, failure))
        return failure->code;
    if (dwc_plan_create(e->context, &e->problem, &e->options, &plan, &error))
        return fail_library(failure, request->words.words[0], &error);
    dwc_plan_get_info(plan, &e->plan);
    dwc_plan_destroy(plan);
    e->candidates = malloc(most_candidates * sizeof *e->candidates);
    if (!e->candidates)
        return fail(failure, EXIT_FAILED, "out of memory");
    if (dwc_expert_survey(e->context, &e->problem, &e->options, e->candidates, most_candidates, &e->candidate_count,
                          &error))
        return fail_library(failure, request->words.words[0], &error);
    return find_record(e, failure);
}

int wisdom_explain(const wisdom_request *request, cli_failure *failure) {
    explanation e = {.request = request};
    int code = collect(&e, failure);
    if (!code) {
        e.rows = calloc((size_t)(e.candidate_count + e.record.count) + 1, sizeof *e.rows);
        code = e.rows ? EXIT_DONE : fail(failure, EXIT_FAILED, "out of memory");
    }
    if (!code) {
        add_rows(&e);
        judge_all(&e);
        code = request->json ? print_json(&e, failure) : print_text(&e);
    }
    dwc_expert_record_free(&e.record);
    free(e.rows);
    free(e.candidates);
    dwc_context_destroy(e.context);
    wisdom_close(&e.wisdom, failure);
    return code;
}
