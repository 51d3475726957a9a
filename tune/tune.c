/* SPDX-License-Identifier: Apache-2.0 */
/* Tuning one problem, see dwc_tune in dwconv_tune.h.
 *
 *     is there a record that will do? -> candidates -> contest -> record
 *     several threads: the same for one thread first, which fixes the numerics
 *
 * Contests run on as many images as the caller has or, where those come from memory, on a few at a time, whose copies
 * rotate through twice the last cache. */
#include "contest.h"
#include "dwconv_tune.h"
#include "limits.h"
#include "race_record.h"

#include <stdio.h>
#include <string.h>

/* What an effort means. */
static const struct {
    int candidates, rounds;
    double seconds; /* of a contest, tensors and checks aside; 0: as long as its rounds take */
} efforts[] = {
    [DWC_EFFORT_MEASURE] = {24, 31, 0.25},
    [DWC_EFFORT_PATIENT] = {64, 61, 2},
    [DWC_EFFORT_EXHAUSTIVE] = {DWCT_RACE_CANDIDATES, 101, 0},
};

enum { STREAMING_BYTES = 8 << 20 }; /* of one execution's tensors */

typedef struct tuning {
    const dwc_context *context;
    dwc_wisdom *wisdom;
    const dwc_problem *problem;
    dwc_plan_options limits;
    const dwc_tune_options *options;
    double start, deadline; /* 0: none */
    dwc_record record, old; /* the new one; what the wisdom has */
    int has_old, refresh;   /* the second: only what is stale in the old record is raced */
} tuning;

void dwc_tune_options_init(dwc_tune_options *options) {
    *options = (dwc_tune_options){.effort = DWC_EFFORT_MEASURE, .seed = 1};
}

static int threads_of(const tuning *t) {
    return t->limits.threads ? t->limits.threads : dwc_context_threads(t->context);
}

/* ---- what is known already --------------------------------------------------------------------------------------- */

static int stale(const dwc_record_entry *e) {
    return e->revision != dwc_expert_revision(e->algo);
}

static int any_stale(const dwc_record *r) {
    int found = 0;
    for (int i = 0; i < r->count; i++)
        found |= stale(&r->entries[i]);
    return found;
}

/* Whom a resumed race is about: those with new kernels, and the fastest of the others to compare them with. */
static int is_open(const char *algo, const char *params, const void *user) {
    const dwc_record *old = user;
    const dwc_record_entry *known = NULL;
    for (int i = 0; i < old->count; i++) {
        const dwc_record_entry *e = &old->entries[i];
        if (!stale(e) && e->rounds > 0 && !known)
            known = e;
        if ((stale(e) || e == known) && strcmp(e->algo, algo) == 0 && strcmp(e->params, params) == 0)
            return 1;
    }
    return 0;
}

static void answer_from_record(const dwc_record *r, dwc_tune_result *result) {
    const dwc_record_entry *choice = &r->entries[0];
    *result = (dwc_tune_result){.source = "record",
                                .complete = r->complete,
                                .tie = r->tie,
                                .tried = r->tried,
                                .legal = r->legal,
                                .rounds = r->rounds,
                                .median_s = choice->median_s,
                                .default_ratio = r->default_ratio};
    snprintf(result->algo, sizeof result->algo, "%s", choice->algo);
    snprintf(result->params, sizeof result->params, "%s", choice->params);
}

/* The planner's answer, with whatever records there are. */
static dwc_status answer_from_model(const tuning *t, dwc_tune_result *result, dwc_error *error) {
    dwc_plan *plan;
    dwc_plan_info info;
    if (t->options->strict)
        return dwct_fail(error, DWC_NO_RECORD, "tuning: no time to measure anything in %.3g s", t->options->budget_s);
    dwc_status status = dwc_plan_create(t->context, t->problem, &t->limits, &plan, error);
    if (status != DWC_OK)
        return status;
    dwc_plan_get_info(plan, &info);
    dwc_plan_destroy(plan);
    *result = (dwc_tune_result){.source = info.source};
    snprintf(result->algo, sizeof result->algo, "%s", info.algo);
    snprintf(result->params, sizeof result->params, "%s", info.params);
    return DWC_OK;
}

/* ---- contest ----------------------------------------------------------------------------------------------------- */

/* The images of one execution: few enough for many rounds, enough to give all threads work. */
static dwc_status choose_images(const tuning *t, dwc_problem *raced, int streaming, dwc_error *error) {
    if (!streaming || raced->n <= 1)
        return DWC_OK;
    dwc_problem one = *raced;
    dwc_geometry g;
    one.n = 1;
    dwc_status status = dwc_problem_geometry(&one, &g, error);
    if (status != DWC_OK)
        return status;
    const int64_t bytes = (g.input_elements + g.output_elements) * (int64_t)g.element_bytes;
    int64_t images = STREAMING_BYTES / (bytes > 0 ? bytes : 1) + 1;
    if (images < threads_of(t))
        images = threads_of(t);
    if (images < raced->n)
        raced->n = images;
    return DWC_OK;
}

static void log_result(const tuning *t, const dwc_record *r) {
    char line[DWC_KEY_TEXT_MAX + 256];
    snprintf(line, sizeof line, "%s -> %s(%s), %s%d rounds, %d of %d candidates, default %.3f x, %.2f s", r->key,
             r->entries[0].algo, r->entries[0].params, r->tie ? "tie, " : "", r->rounds, r->tried, r->legal,
             r->default_ratio, r->spent_s);
    dwc_expert_log(t->context, DWC_LOG_TUNE, line);
}

/* Holds the contest and makes the record of it. */
static dwc_status compete(tuning *t, dwct_contest *contest, dwc_tune_result *result, dwc_error *error) {
    dwc_problem canonical, raced;
    dwc_status status = dwc_expert_canonical(t->context, t->problem, &t->limits, &canonical, &contest->cold, error);
    if (status != DWC_OK)
        return status;
    raced = canonical;
    if ((status = choose_images(t, &raced, contest->cold, error)))
        return status;
    const dwct_search_request request = {.context = t->context,
                                         .problem = &canonical,
                                         .raced = &raced,
                                         .options = &t->limits,
                                         .most = efforts[t->options->effort].candidates,
                                         .only = t->refresh ? is_open : NULL,
                                         .user = &t->old};
    if ((status = dwct_search_find(&request, &contest->search, error)) || (status = dwct_contest_hold(contest, error)))
        return status;
    if (contest->choice < 0)
        return answer_from_model(t, result, error);
    t->record.effort = t->refresh ? t->old.effort : t->options->effort;
    t->record.images = raced.n;
    t->record.spent_s = dwct_seconds() - t->start;
    if ((status = dwct_record_fill(&t->record, contest, t->refresh ? &t->old : NULL, error)))
        return status;
    log_result(t, &t->record);
    answer_from_record(&t->record, result);
    result->source = "measured";
    status = t->wisdom ? dwc_expert_record_add(t->wisdom, &t->record, error) : DWC_OK;
    dwc_release(t->context, t->record.entries);
    return status;
}

static dwc_status race_problem(tuning *t, dwc_tune_result *result, dwc_error *error) {
    const dwc_tune_options *o = t->options;
    dwct_contest *contest = dwc_allocate(t->context, sizeof *contest);
    if (!contest)
        return dwct_no_memory(error, sizeof *contest);
    memset(contest, 0, sizeof *contest);
    contest->context = contest->work.context = t->context;
    contest->seed = o->seed;
    contest->rounds = efforts[o->effort].rounds;
    contest->seconds = efforts[o->effort].seconds;
    contest->deadline = t->deadline;
    contest->progress = o->progress;
    contest->user = o->user;
    dwc_status status = compete(t, contest, result, error);
    dwct_contest_release(contest);
    dwc_release(t->context, contest);
    return status;
}

static dwc_status check(const tuning *t, dwc_error *error) {
    const dwc_tune_options *o = t->options;
    dwc_geometry g;
    if (o->effort < DWC_EFFORT_MEASURE || o->effort > DWC_EFFORT_EXHAUSTIVE)
        return dwct_fail(error, DWC_INVALID_ARGUMENT, "effort: tuning is by measure, patient or exhaustive, not %s",
                         dwc_effort_name(o->effort));
    if (!(o->budget_s >= 0))
        return dwct_fail(error, DWC_INVALID_ARGUMENT, "budget: %g is not a number of seconds", o->budget_s);
    if (t->limits.algo && strcmp(t->limits.algo, "auto") != 0)
        return dwct_fail(error, DWC_INVALID_ARGUMENT, "algo: tuning chooses it, so it cannot be '%.64s'",
                         t->limits.algo);
    dwc_status status = dwc_problem_geometry(t->problem, &g, error);
    if (status == DWC_OK && g.output_elements == 0)
        return dwct_fail(error, DWC_INVALID_ARGUMENT, "tuning: the problem has no output");
    return status;
}

/* Does this record do for that effort? */
static int good_enough(const dwc_record *r, dwc_effort effort) {
    return r->complete && r->effort >= effort;
}

static int find_record(const tuning *t, const dwc_plan_options *limits, dwc_record *record) {
    char key[DWC_KEY_TEXT_MAX], machine[DWC_MACHINE_TEXT_MAX];
    return t->wisdom && dwc_expert_key(t->context, t->problem, limits, key, machine, NULL) == DWC_OK &&
           dwc_expert_record_find(t->wisdom, key, machine, record, NULL) == DWC_OK;
}

/* For the threads of the limits. */
static dwc_status tune_threads(tuning *t, dwc_tune_result *result, dwc_error *error) {
    dwc_status status = dwc_expert_key(t->context, t->problem, &t->limits, t->record.key, t->record.machine, error);
    if (status != DWC_OK)
        return status;
    t->start = dwct_seconds();
    t->deadline = t->options->budget_s > 0 ? t->start + t->options->budget_s : 0;
    t->has_old = find_record(t, &t->limits, &t->old);
    const int known = t->options->resume && t->has_old && good_enough(&t->old, t->options->effort);
    t->refresh = known && any_stale(&t->old);
    if (known && !t->refresh)
        answer_from_record(&t->old, result);
    else
        status = race_problem(t, result, error);
    if (status == DWC_OK || status == DWC_FILE_ERROR)
        result->spent_s = dwct_seconds() - t->start;
    if (t->has_old)
        dwc_expert_record_free(&t->old);
    return status;
}

/* The race for one thread that one for several needs first. */
static dwc_status tune_one_thread(const tuning *t, dwc_error *error) {
    dwc_tune_options options = *t->options;
    dwc_tune_result result;
    tuning one = *t;
    options.resume = 1;
    options.strict = 0;
    options.budget_s /= 2;
    one.options = &options;
    one.limits.threads = 1;
    return tune_threads(&one, &result, error);
}

dwc_status dwc_tune(const dwc_context *context, dwc_wisdom *wisdom, const dwc_problem *problem,
                    const dwc_plan_options *plan, const dwc_tune_options *options, dwc_tune_result *result,
                    dwc_error *error) {
    dwc_tune_options chosen;
    dwc_tune_options_init(&chosen);
    if (!context || !problem || !result)
        return dwct_fail(error, DWC_INVALID_ARGUMENT, "tuning: null pointer");
    if (options)
        chosen = *options;
    tuning t = {.context = context, .wisdom = wisdom, .problem = problem, .options = &chosen};
    if (plan)
        t.limits = *plan;
    t.limits.effort = DWC_EFFORT_ESTIMATE;
    const double start = dwct_seconds();
    dwc_status status = check(&t, error), journal = DWC_OK;
    if (status == DWC_OK && wisdom && threads_of(&t) > 1) {
        status = journal = tune_one_thread(&t, error);
        if (chosen.budget_s > 0)
            chosen.budget_s = start + chosen.budget_s - dwct_seconds();
        if (chosen.budget_s < 0)
            chosen.budget_s = 1e-9;
    }
    if (status == DWC_OK || status == DWC_FILE_ERROR)
        status = tune_threads(&t, result, error);
    return status == DWC_OK ? journal : status;
}

dwc_status dwc_tune_plan(const dwc_context *context, dwc_wisdom *wisdom, const dwc_problem *problem,
                         const dwc_plan_options *plan, const dwc_tune_options *options, dwc_plan **made,
                         dwc_error *error) {
    dwc_tune_options chosen;
    dwc_tune_result result;
    dwc_record record;
    dwc_tune_options_init(&chosen);
    if (!context || !problem || !made)
        return dwct_fail(error, DWC_INVALID_ARGUMENT, "tuning: null pointer");
    if (options)
        chosen = *options;
    chosen.resume = 1;
    tuning t = {.context = context, .wisdom = wisdom, .problem = problem, .options = &chosen};
    if (plan)
        t.limits = *plan;

    /* A record for these limits, or for none whose best that keeps to them will do. */
    const dwc_plan_options no_limits = {.threads = t.limits.threads, .cache = t.limits.cache};
    if (find_record(&t, &t.limits, &record) || find_record(&t, &no_limits, &record)) {
        const int enough = good_enough(&record, chosen.effort);
        dwc_expert_record_free(&record);
        t.limits.effort = DWC_EFFORT_WISDOM;
        if (enough && dwc_plan_create(context, problem, &t.limits, made, NULL) == DWC_OK)
            return DWC_OK;
        t.limits.effort = DWC_EFFORT_ESTIMATE;
    }
    dwc_status journal = dwc_tune(context, wisdom, problem, &t.limits, &chosen, &result, error);
    if (journal != DWC_OK && journal != DWC_FILE_ERROR)
        return journal;
    dwc_status status;
    t.limits.algo = result.algo;
    t.limits.params = result.params[0] ? result.params : NULL;
    if (strcmp(result.source, "measured") == 0) {
        status = dwc_expert_plan_measured(context, problem, &t.limits, made, error);
    } else {
        t.limits.algo = t.limits.params = NULL;
        status = dwc_plan_create(context, problem, &t.limits, made, error);
    }
    return status == DWC_OK ? journal : status;
}
