/* SPDX-License-Identifier: Apache-2.0 */
/* Tuning by several ranks: problem i by the i-th of those that have cores of their own, round and round; then each
 * tells the others what it found, and all add the records to their wisdom. */
#include "dwconv_expert.h"
#include "mpi/agree.h"

#include <string.h>

typedef struct tuning {
    dwc_mpi_context *context;
    dwc_wisdom *wisdom;
    const dwc_problem *problems;
    int count;
    dwc_plan_options plan;
    dwc_tune_options options;
    dwc_tune_result *results;
    dwc_status failed; /* of this rank, the first one */
    dwc_error *error;
} tuning;

/* What the owner of a problem tells of it. */
typedef struct news {
    int tuned, source;
    dwc_tune_result result;
} news;

/* Static strings do not travel. */
static const char *const sources[] = {"measured", "record", "near", "model", "explicit"};
enum { SOURCES = sizeof sources / sizeof *sources };

static void note(tuning *t, dwc_status status, const dwc_error *error) {
    if (status && !t->failed) {
        t->failed = status;
        *t->error = *error;
    }
}

static int owner(const tuning *t, int problem) {
    return t->context->tuners[problem % t->context->tuner_count];
}

/* This rank's problems. The result of one that failed has no algorithm. */
static void tune_own(tuning *t) {
    for (int i = 0; i < t->count && t->failed != DWC_STOPPED; i++) {
        dwc_error error;
        if (owner(t, i) == t->context->rank)
            note(t,
                 dwc_tune(t->context->own, t->wisdom, &t->problems[i], &t->plan, &t->options, &t->results[i], &error),
                 &error);
    }
}

static dwc_status share_result(const tuning *t, int i, dwc_error *error) {
    dwc_tune_result *result = &t->results[i];
    news told = {0};
    if (owner(t, i) == t->context->rank) {
        told = (news){.tuned = result->algo[0] != '\0', .result = *result};
        while (told.tuned && told.source < SOURCES - 1 && strcmp(sources[told.source], result->source) != 0)
            told.source++;
    }
    dwc_status status = dwci_mpi_share(t->context, owner(t, i), &told, sizeof told, error);
    if (status == DWC_OK) {
        *result = told.result;
        result->source = told.tuned ? sources[told.source] : "";
    }
    return status;
}

/* Entry by entry: no memory is needed to take part. A rank that has none for its copy fails for itself. */
static dwc_status share_entries(tuning *t, int from, dwc_record *record, dwc_error *error) {
    const int mine = from == t->context->rank;
    dwc_record_entry *copy =
        mine ? record->entries : dwc_allocate(t->context->own, (size_t)record->count * sizeof *copy);
    dwc_status status = DWC_OK;
    for (int e = 0; e < record->count && status == DWC_OK; e++) {
        dwc_record_entry entry = mine ? copy[e] : (dwc_record_entry){.rounds = 0};
        status = dwci_mpi_share(t->context, from, &entry, sizeof entry, error);
        if (copy)
            copy[e] = entry;
    }
    if (mine || status)
        return status;
    dwc_error local;
    record->entries = copy;
    if (copy)
        note(t, dwc_expert_record_add(t->wisdom, record, &local), &local);
    else
        note(t, dwci_mpi_fail(&local, DWC_OUT_OF_MEMORY, "record: no memory for %d entries", record->count), &local);
    dwc_release(t->context->own, copy);
    return DWC_OK;
}

/* The record of a problem for so many threads, where there is one. */
static dwc_status share_record(tuning *t, int i, int threads, dwc_error *error) {
    dwc_record record = {.count = 0};
    dwc_plan_options limits = t->plan;
    char key[DWC_KEY_TEXT_MAX], machine[DWC_MACHINE_TEXT_MAX];
    const int from = owner(t, i), mine = from == t->context->rank;
    limits.threads = threads;
    limits.effort = DWC_EFFORT_ESTIMATE;
    const int found = mine && dwc_expert_key(t->context->own, &t->problems[i], &limits, key, machine, NULL) == DWC_OK &&
                      dwc_expert_record_find(t->wisdom, key, machine, &record, NULL) == DWC_OK;
    dwc_record told = record;
    dwc_status status = dwci_mpi_share(t->context, from, &told, sizeof told, error);
    if (status == DWC_OK && told.count > 0)
        status = share_entries(t, from, &told, error);
    if (found)
        dwc_expert_record_free(&record);
    return status;
}

static dwc_status share_all(tuning *t, dwc_error *error) {
    for (int i = 0; i < t->count; i++) {
        int threads = t->plan.threads ? t->plan.threads : dwc_context_threads(t->context->own);
        dwc_status status = dwci_mpi_share(t->context, owner(t, i), &threads, sizeof threads, error);
        if (status || (status = share_result(t, i, error)) || (status = share_record(t, i, 1, error)) ||
            (threads > 1 && (status = share_record(t, i, threads, error))))
            return status;
    }
    return DWC_OK;
}

static dwci_mpi_arguments arguments_of(const tuning *t) {
    dwci_mpi_arguments a = dwci_mpi_call("dwc_mpi_tune"), problem;
    uint64_t hash = 0;
    dwci_mpi_say(&a, "count", t->count);
    for (int i = 0; t->problems && i < t->count; i++) {
        problem = dwci_mpi_call("");
        dwci_mpi_say_problem(&problem, &t->problems[i]);
        hash = dwci_mpi_hash(hash, problem.values, sizeof problem.values);
    }
    dwci_mpi_say_coded(&a, "problems", (int64_t)hash);
    dwci_mpi_say_plan_options(&a, &t->plan);
    dwci_mpi_say(&a, "tuning effort", t->options.effort);
    dwci_mpi_say_number(&a, "budget", t->options.budget_s);
    dwci_mpi_say(&a, "resume", t->options.resume);
    dwci_mpi_say(&a, "strict", t->options.strict);
    dwci_mpi_say(&a, "seed", (int64_t)t->options.seed);
    return a;
}

dwc_status dwc_mpi_tune(dwc_mpi_context *context, dwc_wisdom *wisdom, const dwc_problem *problems, int count,
                        const dwc_plan_options *plan, const dwc_tune_options *options, dwc_tune_result *results,
                        dwc_error *error) {
    dwc_error scratch;
    error = error ? error : &scratch;
    if (!context)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "context: null pointer");
    tuning t = {
        .context = context, .wisdom = wisdom, .problems = problems, .count = count, .results = results, .error = error};
    dwc_plan_options_init(&t.plan);
    dwc_tune_options_init(&t.options);
    if (plan)
        t.plan = *plan;
    if (options)
        t.options = *options;
    const dwci_mpi_arguments arguments = arguments_of(&t);
    dwc_status status = DWC_OK;
    if (count < 0 || !wisdom || (count > 0 && (!problems || !results)))
        status =
            dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "%s", count < 0 ? "count: negative" : "tuning: null pointer");
    if ((status = dwci_mpi_agree(context, &arguments, status, error)))
        return status;
    for (int i = 0; i < count; i++)
        results[i] = (dwc_tune_result){.source = ""};
    tune_own(&t);
    if ((status = share_all(&t, error)))
        return status;
    return dwci_mpi_leave(context, "tuned", t.failed, error);
}
