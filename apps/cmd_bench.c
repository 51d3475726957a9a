/* SPDX-License-Identifier: Apache-2.0 */
/* dwconv bench: how long algorithms take, beside what the machine allows. The measuring is dwc_bench's; this file makes
 * the plans and prints a row per problem and algorithm.
 *
 *     problems x algorithms -> plans -> dwc_bench (plans of one problem side by side) -> rows */
#define _GNU_SOURCE
#include "bench_ranks.h"
#include "cli.h"
#include "dwconv_expert.h"
#include "dwconv_tune.h"
#include "file.h"
#include "layers.h"
#include "options.h"
#include "progress.h"
#include "rows.h"
#include "team.h"
#include "wisdom_use.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most_plans = 256, most_offsets = 64 };

typedef struct offset_list {
    int offsets[most_offsets];
    int count;
} offset_list;

typedef struct bench_options {
    common_options common;
    layer_source source;
    const char *algo, *params, *output;
    wisdom_options wisdom;
    int64_t threads;
    int isa, cold, verify, format, weak;
    offset_list offsets;
    double min_seconds;
} bench_options;

static bench_options options = {.algo = "auto", .threads = 1, .min_seconds = 0.05};

static int option_offsets(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    offset_list *list = value;
    int64_t numbers[most_offsets];
    for (list->count = 1; list->count <= most_offsets; list->count++)
        if (option_numbers(text, numbers, list->count))
            break;
    for (int i = 0; i < list->count && list->count <= most_offsets; i++) {
        if (numbers[i] > 4080 || numbers[i] % 16)
            return fail(failure, EXIT_USAGE, "%s: %" PRId64 " is not a multiple of 16 in 0..4080", option->name,
                        numbers[i]);
        list->offsets[i] = (int)numbers[i];
    }
    if (list->count > most_offsets)
        return fail(failure, EXIT_USAGE, "%s: '%s' is not a comma list of at most %d numbers", option->name, text,
                    most_offsets);
    return EXIT_DONE;
}

static int option_seconds(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    char *end;
    double seconds = *text >= '0' && *text <= '9' ? strtod(text, &end) : -1;
    if (!(seconds >= 0 && seconds <= 3600) || *end)
        return fail(failure, EXIT_USAGE, "%s: '%s' is not a number of seconds in 0..3600", option->name, text);
    *(double *)value = seconds;
    return EXIT_DONE;
}

static const cli_choice caches[] = {{"warm", 0}, {"cold", 1}, {NULL, 0}};
static const cli_choice scalings[] = {{"strong", 0}, {"weak", 1}, {NULL, 0}};
static const cli_choice formats[] = {{"table", ROWS_TABLE}, {"csv", ROWS_CSV}, {"jsonl", ROWS_JSONL}, {NULL, 0}};

#define AT(field) .offset = offsetof(bench_options, field)

static const cli_option table[] = {
    OPTIONS_LAYERS(offsetof(bench_options, source)),
    {"--algo", "auto|all|NAME,...", "algorithms; one that does not apply gives no row [auto]", option_text, AT(algo)},
    {"--params", "all|LIST;...", "parameters of the one algorithm named: a row for each\nlist, or for every candidate",
     option_text, AT(params)},
    OPTIONS_WISDOM(offsetof(bench_options, wisdom)),
    {"--threads", "N", "threads [1]", option_integer, AT(threads), .minimum = 1, .maximum = DWC_MAX_THREADS},
    {"--isa", "NAME", "no better instruction set than this (dwconv info)", option_isa, AT(isa)},
    {"--cache", "warm|cold",
     "warm: the same tensors again; cold: tensors that have\nleft the caches, and plans for such [warm]", option_choose,
     AT(cold), .choices = caches},
    {"--offsets", "LIST",
     "bytes between input and output, modulo 4096; the worst\none is reported "
     "[0,16,64,512,1024,2048]",
     option_offsets, AT(offsets)},
    {"--min-time", "S", "seconds to measure each row for, at each offset [0.05]", option_seconds, AT(min_seconds)},
    {"--scaling", "strong|weak",
     "under mpirun: the batch is divided over the ranks, or\neach has one of that size [strong]", option_choose,
     AT(weak), .choices = scalings},
    {"--verify", NULL, "compare the outputs with the exact result first", option_flag, AT(verify)},
    {"--format", "table|csv|jsonl", "how to print [table]", option_choose, AT(format), .choices = formats},
    {"--output", "FILE", "where to print, replaced when complete [standard output]", option_text, AT(output)},
    OPTIONS_COMMON,
    {0},
};

typedef struct bench_run {
    wisdom_file wisdom;
    dwc_context *context;
    layer_list layers;
    progress bar;
    row_writer writer;
    int64_t failed;
    dwc_bench_result results[most_plans];
} bench_run;

/* ---- plans ------------------------------------------------------------------------------------------------------- */

typedef struct plan_list {
    dwc_plan *plans[most_plans];
    int count;
} plan_list;

static dwc_cache planned_cache(void) {
    return options.cold ? DWC_CACHE_COLD : DWC_CACHE_AUTO;
}

/* Appends the plan of `algo` with these parameters (NULL: the algorithm's own choice), if it applies. */
static int add_plan(bench_run *run, const dwc_problem *problem, const char *algo, const char *params, plan_list *list,
                    cli_failure *failure) {
    const dwc_plan_options choice = {.algo = algo, .params = params, .cache = planned_cache()};
    dwc_error error;
    if (list->count == most_plans)
        return fail(failure, EXIT_USAGE, "more than %d rows for one problem", most_plans);
    dwc_plan **plan = &list->plans[list->count];
    dwc_status status = strcmp(algo, "auto")
                            ? dwc_plan_create(run->context, problem, &choice, plan, &error)
                            : wisdom_plan(&run->wisdom, run->context, problem, &choice, plan, &error, failure);
    list->count += status == DWC_OK;
    return status && status != DWC_NOT_APPLICABLE ? fail_library(failure, NULL, &error) : EXIT_DONE;
}

/* A plan for each parameter list that --params asks for. */
static int add_params(bench_run *run, const dwc_problem *problem, const char *algo, plan_list *list,
                      cli_failure *failure) {
    if (!options.params)
        return add_plan(run, problem, algo, NULL, list, failure);
    char texts[most_plans][DWC_PARAMS_TEXT_MAX], one[DWC_PARAMS_TEXT_MAX];
    int code = EXIT_DONE;
    if (!strcmp(options.params, "all")) {
        const dwc_plan_options choice = {.algo = algo, .cache = planned_cache()};
        const int count = dwc_expert_candidates(run->context, problem, &choice, texts, most_plans);
        for (int i = 0; i < count && !code; i++)
            code = add_plan(run, problem, algo, texts[i], list, failure);
        return code;
    }
    for (const char *at = options.params; !code; at++) {
        const size_t length = strcspn(at, ";");
        if (length >= sizeof one)
            return fail(failure, EXIT_USAGE, "--params: '%.*s' is too long", (int)length, at);
        snprintf(one, sizeof one, "%.*s", (int)length, at);
        code = add_plan(run, problem, algo, one, list, failure);
        at += length;
        if (!*at)
            break;
    }
    return code;
}

/* All plans that --algo and --params ask for. */
static int make_plans(bench_run *run, const dwc_problem *problem, plan_list *list, cli_failure *failure) {
    char names[256], *rest = names;
    int code = EXIT_DONE;
    if (!strcmp(options.algo, "all")) {
        for (int i = 0; i < dwc_algo_count() && !code; i++)
            code = add_plan(run, problem, dwc_algo_get(i).name, NULL, list, failure);
        return code;
    }
    if (strlen(options.algo) >= sizeof names)
        return fail(failure, EXIT_USAGE, "--algo: longer than %zu characters", sizeof names - 1);
    strcpy(names, options.algo);
    for (char *name; !code && (name = strsep(&rest, ","));)
        code = add_params(run, problem, name, list, failure);
    return code;
}

/* The other ranks, whose parts may differ by an image, take the plans of rank 0. */
static int share_plans(bench_run *run, const dwc_problem *problem, plan_list *list, cli_failure *failure) {
    int count = list->count;
    team_share(&count, sizeof count);
    for (int i = 0; i < count; i++) {
        dwc_plan_info info = {.params = ""};
        char algo[32] = "";
        if (team_rank() == 0) {
            dwc_plan_get_info(list->plans[i], &info);
            snprintf(algo, sizeof algo, "%s", info.algo);
        }
        team_share(algo, sizeof algo);
        team_share(info.params, sizeof info.params);
        if (team_rank() > 0)
            add_plan(run, problem, algo, *info.params ? info.params : NULL, list, failure);
    }
    if (list->count != count)
        fail(failure, EXIT_FAILED, "a plan of rank 0 does not apply here");
    return team_agree(failure);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* All ranks begin together. */
static int measure(bench_run *run, const dwc_problem *problem, const plan_list *list, const dwc_bench_options *how,
                   cli_failure *failure) {
    char text[DWC_PROBLEM_TEXT_MAX];
    dwc_error error;
    dwc_problem_print(problem, text, sizeof text);
    if (list->count && dwc_bench(run->context, list->plans, list->count, how, run->results, &error))
        fail_library(failure, text, &error);
    if (!team_agree(failure))
        bench_combine(run->results, list->count);
    return failure->code;
}

static int bench_layer(bench_run *run, const layer *l, cli_failure *failure) {
    const dwc_bench_options how = {
        .cold = options.cold,
        .offsets = options.offsets.count ? options.offsets.offsets : NULL,
        .offset_count = options.offsets.count,
        .min_seconds = options.min_seconds,
        .verify = options.verify,
        .seed = 1,
    };
    plan_list list = {.count = 0};
    dwc_problem whole = l->problem, part;
    if (!bench_part(&whole, options.weak, &part, failure) && team_rank() == 0)
        make_plans(run, &part, &list, failure);
    int code = team_agree(failure);
    if (!code)
        code = share_plans(run, &part, &list, failure);
    if (!code)
        code = measure(run, &part, &list, &how, failure);
    for (int i = 0; i < list.count && !code; i++) {
        bench_row row = {.network = l->network,
                         .layer = l->name,
                         .cold = options.cold,
                         .ranks = team_size(),
                         .result = &run->results[i]};
        dwc_plan_get_info(list.plans[i], &row.plan);
        row.plan.problem = whole;
        dwc_problem_geometry(&whole, &row.plan.geometry, NULL);
        run->failed += row.result->verified && !row.result->verification.passed;
        progress_hide(&run->bar);
        if (team_rank() == 0)
            rows_write(&run->writer, &row, failure);
        code = team_agree(failure);
    }
    for (int i = 0; i < list.count; i++)
        dwc_plan_destroy(list.plans[i]);
    return code;
}

static int bench_layers(bench_run *run, cli_failure *failure) {
    int code = EXIT_DONE;
    if (team_rank() == 0)
        progress_start(&run->bar, "problems", run->layers.count, 0);
    for (int64_t i = 0; i < run->layers.count && !code; i++) {
        code = bench_layer(run, &run->layers.layers[i], failure);
        progress_update(&run->bar, (double)(i + 1) / (double)run->layers.count);
    }
    progress_finish(&run->bar);
    return code;
}

/* Is "auto" among the algorithms? */
static int wants_auto(void) {
    for (const char *at = options.algo; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strcspn(at, ",") == 4 && !strncmp(at, "auto", 4))
            return 1;
    }
    return 0;
}

static int read_layers(bench_run *run, cli_failure *failure) {
    if (options.params && (!strcmp(options.algo, "all") || !strcmp(options.algo, "auto") || strchr(options.algo, ',')))
        return fail(failure, EXIT_USAGE, "--params: goes with one algorithm's name in --algo");
    return layers_read(&run->layers, &options.source, failure);
}

static int prepare(bench_run *run, cli_failure *failure) {
    int code = read_layers(run, failure);
    if (!code)
        code = wisdom_open(&run->wisdom, &options.wisdom, wants_auto(), failure);
    if (!code)
        code = cli_context(&options.common, (int)options.threads, (dwc_isa)options.isa, run->wisdom.wisdom,
                           &run->context, NULL, failure);
    if (!code && team_rank() == 0)
        rows_open(&run->writer, (row_format)options.format, options.output, failure);
    return team_agree(failure);
}

static int run_bench(cli_failure *failure) {
    static bench_run run;
    int code = prepare(&run, failure);
    if (!code)
        code = bench_layers(&run, failure);
    if (!code && team_rank() == 0)
        code = rows_close(&run.writer, failure);
    else
        rows_discard(&run.writer);
    if (!code && run.failed)
        code = fail(failure, EXIT_FAILED, "%" PRId64 " rows failed the verification", run.failed);
    dwc_context_destroy(run.context);
    wisdom_close(&run.wisdom, failure);
    layers_free(&run.layers);
    return team_agree(failure);
}

const cli_command bench_command = {
    .name = "bench",
    .summary = "measure algorithms beside the machine's limits",
    .usage = "[PROBLEM...] [OPTIONS]",
    .about = "Prints a row per problem and algorithm: the time of an execution, and limit_s, the time that this\n"
             "run's own peak arithmetic rate and stream bandwidth allow; fraction is limit_s / time_median_s.\n"
             "Times are those of the worst buffer offset. Nothing else should run on the machine. Under mpirun\n"
             "or srun all ranks measure at the same time, each its part; the slowest counts.\n",
    .options = table,
    .values = &options,
    .run = run_bench,
    .team = 1,
};
