/* SPDX-License-Identifier: Apache-2.0 */
/* `dwconv tune`: races the candidates of each problem and records what won. The racing is dwc_tune's.
 *
 *     problems, all checked -> dwc_tune, one after the other: a line each, its record in the journal -> merge
 *
 * The budget is divided over the problems that are left. A signal ends the race that runs; what is finished is kept. */
#define _GNU_SOURCE
#include "cli.h"
#include "dwconv_expert.h"
#include "dwconv_tune.h"
#include "json_line.h"
#include "layers.h"
#include "options.h"
#include "plan_limits.h"
#include "progress.h"
#include "team.h"
#include "wisdom_use.h"

#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct tune_options {
    common_options common;
    layer_source source;
    wisdom_options wisdom;
    double budget;
    int64_t threads;
    int isa, cache;
    plan_limits limits;
    int resume, strict, json;
} tune_options;

static tune_options options = {.wisdom = {.effort = DWC_EFFORT_MEASURE}};

#define AT(field) .offset = offsetof(tune_options, field)

static const cli_option table[] = {
    OPTIONS_LAYERS(offsetof(tune_options, source)),
    {"--effort", "measure|patient|exhaustive",
     "how many candidates are raced: 24 in 0.25 to\n1 s a problem, 64 in 2 to 8 s, all [measure]", option_choose,
     AT(wisdom.effort), .choices = effort_levels + effort_races},
    {"--budget", "SECONDS", "most time for all problems together; the cost model\nanswers those that it does not reach",
     option_positive, AT(budget)},
    OPTION_WISDOM_FILE(offsetof(tune_options, wisdom.file)),
    {"--threads", "N", "threads to tune for [one per core]", option_integer, AT(threads), .minimum = 1,
     .maximum = DWC_MAX_THREADS},
    {"--isa", "NAME", "no better instruction set than this (dwconv info)", option_isa, AT(isa)},
    OPTION_CACHE(offsetof(tune_options, cache)),
    OPTIONS_LIMITS(offsetof(tune_options, limits)),
    {"--resume", NULL, "skip problems that have a complete record of this or a\nhigher effort", option_flag,
     AT(resume)},
    {"--strict", NULL, "a problem that the budget does not reach is an error", option_flag, AT(strict)},
    {"--json", NULL, "print a JSON object per problem", option_flag, AT(json)},
    OPTIONS_COMMON,
    {0},
};

typedef struct tune_run {
    wisdom_file wisdom;
    dwc_context *context;
    layer_list layers;
    dwc_plan_options limits;
    double started;
    progress bar;
    int64_t index; /* of the problem that is raced; a worker has those that are its own number modulo the workers */
    int64_t done;
    int64_t unmeasured; /* problems without an answer, with --strict */
} tune_run;

/* ---- signals ----------------------------------------------------------------------------------------------------- */

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
enum { stop_signal_count = sizeof stop_signals / sizeof *stop_signals };
static volatile sig_atomic_t stop_wanted;

/* The next one kills. */
static void want_stop(int number) {
    (void)number;
    stop_wanted = 1;
    for (int i = 0; i < stop_signal_count; i++)
        signal(stop_signals[i], SIG_DFL);
}

/* A signal that was ignored when the program started (nohup) stays ignored; one that a stop has reset stays so. */
static void watch_signals(void) {
    for (int i = 0; i < stop_signal_count; i++) {
        struct sigaction action;
        if (sigaction(stop_signals[i], NULL, &action) || action.sa_handler == SIG_IGN)
            continue;
        memset(&action, 0, sizeof action);
        action.sa_handler = want_stop;
        action.sa_flags = SA_RESTART;
        sigaction(stop_signals[i], &action, NULL);
    }
    cli_take_stops();
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

static int print_json(const tune_run *run, const layer *l, const char *problem, const dwc_tune_result *r,
                      cli_failure *failure) {
    json_t *object = json_object();
    if (l->name) {
        json_object_set_new(object, "network", json_string(l->network));
        json_object_set_new(object, "layer", json_string(l->name));
    }
    json_t *rest = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:i, s:i, s:i, s:o, s:o, s:f, s:i}", "problem",
                             problem, "algo", r->algo, "params", r->params, "source", r->source, "effort",
                             dwc_effort_name((dwc_effort)options.wisdom.effort), "complete", r->complete, "tie", r->tie,
                             "tried", r->tried, "legal", r->legal, "rounds", r->rounds, "median_s",
                             json_known(r->median_s), "default_ratio", json_known(r->default_ratio), "spent_s",
                             r->spent_s, "threads", dwc_context_threads(run->context));
    if (rest)
        json_object_update(object, rest);
    json_decref(rest);
    return json_line(object, failure);
}

static void print_text(const layer *l, const char *problem, const dwc_tune_result *r) {
    printf("%s  %s%s%s%s", problem, r->algo, r->params[0] ? " (" : "", r->params, r->params[0] ? ")" : "");
    if (r->median_s > 0)
        printf("  %.2f us", 1e6 * r->median_s);
    if (r->default_ratio > 0)
        printf(", %.2fx the default", r->default_ratio);
    printf("  %s, %d round%s, %d of %d tried%s%s", r->source, r->rounds, r->rounds == 1 ? "" : "s", r->tried, r->legal,
           r->tie ? ", tie" : "", r->complete ? "" : ", not complete");
    if (l->name)
        printf("  %s %s", l->network, l->name);
    printf("\n");
}

static int print_result(const tune_run *run, const layer *l, const dwc_tune_result *result, cli_failure *failure) {
    char problem[DWC_PROBLEM_TEXT_MAX];
    dwc_problem_print(&l->problem, problem, sizeof problem);
    progress_hide(&run->bar);
    if (options.json)
        print_json(run, l, problem, result, failure);
    else
        print_text(l, problem, result);
    return failure->code ? failure->code : cli_flush_output(failure);
}

/* ---- races ------------------------------------------------------------------------------------------------------- */

static int fail_problem(const dwc_problem *problem, const dwc_error *error, cli_failure *failure) {
    char text[DWC_PROBLEM_TEXT_MAX];
    dwc_problem_print(problem, text, sizeof text);
    return fail_library(failure, text, error);
}

/* Whatever is wrong with a problem shall be known before hours of work on the others. */
static int check_problems(const tune_run *run, cli_failure *failure) {
    for (int64_t i = 0; i < run->layers.count; i++) {
        const dwc_problem *problem = &run->layers.layers[i].problem;
        dwc_error error = {DWC_INVALID_ARGUMENT, "it has no output"};
        dwc_geometry geometry;
        dwc_plan *plan;
        if (dwc_problem_geometry(problem, &geometry, &error) || geometry.output_elements == 0 ||
            dwc_plan_create(run->context, problem, &run->limits, &plan, &error))
            return fail_problem(problem, &error, failure);
        dwc_plan_destroy(plan);
    }
    return EXIT_DONE;
}

static int on_progress(void *user, double done) {
    tune_run *run = user;
    progress_update(&run->bar, ((double)run->index + done * team_workers()) / (double)run->layers.count);
    return stop_wanted || team_called_off();
}

/* Seconds for the next problem: an equal share of what is left; never 0, which would mean no limit. */
static double next_budget(const tune_run *run) {
    if (options.budget <= 0)
        return 0;
    const double left = options.budget - (cli_seconds() - run->started);
    const double share = left / (double)((run->layers.count - run->index - 1) / team_workers() + 1);
    return share > 1e-6 ? share : 1e-6;
}

static int tune_layer(tune_run *run, const layer *l, cli_failure *failure) {
    dwc_tune_options how;
    dwc_tune_result result;
    dwc_error error;
    dwc_tune_options_init(&how);
    how.effort = (dwc_effort)options.wisdom.effort;
    how.budget_s = next_budget(run);
    how.resume = options.resume;
    how.strict = options.strict;
    how.progress = on_progress;
    how.user = run;
    const dwc_status status =
        dwc_tune(run->context, run->wisdom.wisdom, &l->problem, &run->limits, &how, &result, &error);
    if (status == DWC_STOPPED)
        return EXIT_DONE;
    if (status == DWC_NO_RECORD) {
        run->unmeasured++;
        run->done++;
        return EXIT_DONE;
    }
    if (status == DWC_FILE_ERROR)
        wisdom_say_lost(&run->wisdom, &error, failure);
    else if (status)
        return fail_problem(&l->problem, &error, failure);
    run->done++;
    return print_result(run, l, &result, failure);
}

/* What the cost model wants to know of this kind of machine, by one rank while nothing else runs; the others find it in
 * that one's journal. Not where much of the time would go to it. Races do without it. */
static void calibrate(tune_run *run, const cli_failure *failure) {
    enum { LEAST_BUDGET_S = 10 };
    dwc_calibration known;
    dwc_error error;
    if (team_worker() != 0 || stop_wanted || (options.budget > 0 && options.budget < LEAST_BUDGET_S) ||
        (options.resume && dwc_expert_calibration_find(run->context, run->wisdom.wisdom, &known, &error) == DWC_OK))
        return;
    const dwc_status status = dwc_calibrate(run->context, run->wisdom.wisdom, &error);
    if (status == DWC_FILE_ERROR)
        wisdom_say_lost(&run->wisdom, &error, failure);
    else if (status)
        cli_warn(failure, "calibration: %s", error.message);
}

static int tune_layers(tune_run *run, cli_failure *failure) {
    calibrate(run, failure);
    int code = team_agree(failure);
    if (team_worker() > 0 && run->wisdom.kept)
        dwc_wisdom_load(run->wisdom.wisdom, run->wisdom.path, NULL, NULL);
    if (team_rank() == 0)
        progress_start(&run->bar, "problems", run->layers.count, 0);
    run->index = team_worker() < 0 ? run->layers.count : team_worker();
    for (; run->index < run->layers.count && !code && !stop_wanted && !team_called_off(); run->index += team_workers())
        code = tune_layer(run, &run->layers.layers[run->index], failure);
    progress_finish(&run->bar);
    if (code || stop_wanted)
        team_call_off(code ? code : EXIT_STOPPED);
    team_settle();
    int64_t numbers[] = {run->done, run->unmeasured};
    team_sum(numbers, 2);
    run->done = numbers[0], run->unmeasured = numbers[1];
    return team_agree(failure);
}

static int prepare(tune_run *run, cli_failure *failure) {
    run->started = cli_seconds();
    dwc_plan_options_init(&run->limits);
    plan_limits_set(&options.limits, &run->limits);
    run->limits.cache = (dwc_cache)options.cache;
    if (layers_read(&run->layers, &options.source, failure) || wisdom_open(&run->wisdom, &options.wisdom, 1, failure) ||
        cli_context(&options.common, (int)options.threads, (dwc_isa)options.isa, run->wisdom.wisdom, &run->context,
                    NULL, failure) ||
        check_problems(run, failure))
        return failure->code;
    wisdom_keep(&run->wisdom, failure);
    return EXIT_DONE;
}

static int run_tune(cli_failure *failure) {
    static tune_run run;
    prepare(&run, failure);
    int code = team_agree(failure);
    if (!code) {
        watch_signals();
        code = tune_layers(&run, failure);
    }
    dwc_context_destroy(run.context);
    wisdom_close(&run.wisdom, failure);
    if (!code && run.done < run.layers.count)
        code = fail(failure, EXIT_STOPPED, "stopped after %" PRId64 " of %" PRId64 " problems; --resume goes on",
                    run.done, run.layers.count);
    if (!code && run.wisdom.lost && run.wisdom.named)
        code = fail(failure, EXIT_FAILED, "%s: records are missing there, they could not be written", run.wisdom.path);
    if (!code && run.unmeasured)
        code = fail(failure, EXIT_FAILED, "%" PRId64 " of %" PRId64 " problems were not measured, the time was up",
                    run.unmeasured, run.layers.count);
    layers_free(&run.layers);
    return team_agree(failure);
}

const cli_command tune_command = {
    .name = "tune",
    .summary = "find the fastest algorithm per problem",
    .usage = "[PROBLEM...] [OPTIONS]",
    .about = "Races algorithms and parameters on each problem and records the best in the file of tuning\n"
             "records, where 'dwconv conv' and the library find it; calibrates the cost model first. Prints a\n"
             "line per problem as it is finished, and keeps its record at once: when stopped by a signal,\n"
             "--resume goes on. Records are for one number of threads. Nothing else should run on the\n"
             "machine. Under mpirun or srun the problems are divided over the ranks, of which those that\n"
             "share cores count as one.\n",
    .options = table,
    .values = &options,
    .run = run_tune,
    .team = 1,
    .stops = 1,
};
