/* SPDX-License-Identifier: Apache-2.0 */
/* `dwconv check`: compares every algorithm under every instruction set of this machine with the exact result.
 *
 *     for each problem: tensors -> for each instruction set, algorithm: plan -> execute -> verify -> tally
 *
 * Tensors sit at odd addresses of their own, the output between guard bytes. A result line per algorithm and set; a
 * failure is a line with the problem and the command that repeats it. */
#include "cli.h"
#include "options.h"
#include "progress.h"
#include "random_problem.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

typedef struct check_options {
    common_options common;
    int quick, full;
    int64_t seed, threads;
    const char *problem;
} check_options;

static check_options options = {.seed = 1};

#define AT(field) .offset = offsetof(check_options, field)

static const cli_option table[] = {
    {"--quick", NULL, "200 random problems in place of 1000", option_flag, AT(quick)},
    {"--full", NULL, "10000 random problems", option_flag, AT(full)},
    {"--seed", "S", "another series of problems and values [1]", option_integer, AT(seed)},
    {"--threads", "N", "threads: problems take 1 to N in turn [one per core]", option_integer, AT(threads),
     .minimum = 1, .maximum = INT_MAX},
    {"--problem", "TEXT", "check this problem only, with each number of threads,\nsuch as f32:nhwc:n1:9x9x8:k3x3",
     option_text, AT(problem)},
    OPTIONS_COMMON,
    {0},
};

enum { most_sets = 8, most_algos = 32, failures_shown = 5, guard_bytes = 256, guard_value = 0xa5 };

typedef struct check_tally {
    int64_t checked, failed;
    double worst; /* largest max_err as a fraction of what is promised */
} check_tally;

typedef struct check_run {
    dwc_context *contexts[most_sets]; /* one per instruction set */
    int sets, algos;
    check_tally tallies[most_sets][most_algos];
} check_run;

/* One problem's tensors, from the first context's memory. */
typedef struct check_case {
    dwc_problem problem;
    dwc_geometry geometry;
    int threads;
    char *memory;
    char *input, *filter, *bias, *output;
    size_t output_bytes;
} check_case;

/* ---- one problem ------------------------------------------------------------------------------------------------- */

static int make_case(check_run *run, check_case *c, cli_failure *failure) {
    random_state random = random_for_problem((uint64_t)options.seed, &c->problem);
    const dwc_geometry *g = &c->geometry;
    const int64_t counts[] = {g->input_elements, g->filter_elements, g->bias_elements, g->output_elements};
    char **const tensors[] = {&c->input, &c->filter, &c->bias, &c->output};
    size_t bytes = 0, offsets[4];
    for (int i = 0; i < 4; i++) {
        offsets[i] = bytes + guard_bytes + g->element_bytes * (size_t)random_range(&random, 0, 63);
        size_t tensor = (size_t)counts[i] * g->element_bytes; /* at most PTRDIFF_MAX */
        if (__builtin_add_overflow(offsets[i] + guard_bytes + 64, tensor, &bytes) || bytes > PTRDIFF_MAX)
            return fail(failure, EXIT_FAILED, "out of memory: the tensors do not fit the address space");
        bytes -= bytes % 64;
    }
    c->memory = dwc_allocate(run->contexts[0], bytes);
    if (!c->memory)
        return fail(failure, EXIT_FAILED, "out of memory: %zu bytes", bytes);
    for (int i = 0; i < 4; i++)
        *tensors[i] = c->memory + offsets[i];
    for (int i = 0; i < 3; i++)
        random_fill(&random, c->problem.dtype, *tensors[i], counts[i]);
    c->output_bytes = (size_t)g->output_elements * g->element_bytes;
    return EXIT_DONE;
}

static int guards_hold(const check_case *c) {
    const unsigned char *before = (unsigned char *)c->output - guard_bytes;
    const unsigned char *after = (unsigned char *)c->output + c->output_bytes;
    for (int i = 0; i < guard_bytes; i++)
        if (before[i] != guard_value || after[i] != guard_value)
            return 0;
    return 1;
}

/* Computes and compares; on failure the reason is in `why`. */
static int compute(const check_case *c, const dwc_plan *plan, void *packed, void *scratch, dwc_verification *result,
                   char *why, size_t size) {
    dwc_error error = {.message = "out of memory"};
    dwc_plan_info info;
    dwc_plan_get_info(plan, &info);
    memset(c->output - guard_bytes, guard_value, c->output_bytes + 2 * guard_bytes);
    if ((info.packed_bytes && !packed) || (info.workspace_bytes && !scratch) ||
        dwc_plan_pack_filter(plan, c->filter, packed, &error) ||
        dwc_plan_execute(plan, c->input, packed, c->bias, c->output, scratch, &error) ||
        dwc_plan_verify(plan, c->input, c->filter, c->bias, c->output, result, &error))
        snprintf(why, size, "%s", error.message);
    else if (!guards_hold(c))
        snprintf(why, size, "bytes outside the output were changed");
    else if (!result->passed)
        snprintf(why, size,
                 "%" PRId64 " of %" PRId64 " outputs are wrong, the first is element %" PRId64
                 ": got %.9g, expected %.9g",
                 result->failures, info.geometry.output_elements, result->first_failure, result->got, result->expected);
    else
        return 1;
    return 0;
}

/* 1: right, 0: wrong with the reason in `why`, -1: the algorithm does not apply. */
static int try_algo(const dwc_context *context, const check_case *c, const char *algo, double *worst, char *why,
                    size_t size) {
    dwc_plan_options choice = {.algo = algo, .threads = c->threads};
    dwc_verification result = {0};
    dwc_plan *plan;
    dwc_plan_info info;
    dwc_error error;
    dwc_status status = dwc_plan_create(context, &c->problem, &choice, &plan, &error);
    if (status) {
        snprintf(why, size, "%s", error.message);
        return status == DWC_NOT_APPLICABLE ? -1 : 0;
    }
    dwc_plan_get_info(plan, &info);
    void *packed = info.packed_bytes ? dwc_allocate(context, info.packed_bytes) : NULL;
    void *scratch = info.workspace_bytes ? dwc_allocate(context, info.workspace_bytes) : NULL;
    int right = compute(c, plan, packed, scratch, &result, why, size);
    if (right && result.tolerance > 0 && result.max_err / result.tolerance > *worst)
        *worst = result.max_err / result.tolerance;
    dwc_release(context, scratch);
    dwc_release(context, packed);
    dwc_plan_destroy(plan);
    return right;
}

static const char *isa_name(const check_run *run, int set) {
    return dwc_isa_name(dwc_context_machine(run->contexts[set])->isa);
}

static void show_failure(const check_run *run, const check_case *c, int set, const char *algo, const char *why) {
    char text[DWC_PROBLEM_TEXT_MAX];
    dwc_problem_print(&c->problem, text, sizeof text);
    printf("FAILED %s %s %s: %s; repeat: dwconv check --problem %s --seed %" PRId64 " --threads %d\n", algo,
           isa_name(run, set), text, why, text, options.seed, c->threads);
}

static int check_one(check_run *run, const dwc_problem *problem, int threads, cli_failure *failure) {
    check_case c = {.problem = *problem, .threads = threads};
    dwc_error error;
    char why[400];
    if (dwc_problem_geometry(problem, &c.geometry, &error))
        return fail_library(failure, NULL, &error);
    if (make_case(run, &c, failure))
        return failure->code;
    for (int set = 0; set < run->sets; set++)
        for (int i = 0; i < run->algos; i++) {
            const char *algo = dwc_algo_get(i).name;
            check_tally *tally = &run->tallies[set][i];
            int right = try_algo(run->contexts[set], &c, algo, &tally->worst, why, sizeof why);
            tally->checked += right >= 0;
            tally->failed += right == 0;
            if (right == 0 && tally->failed <= failures_shown)
                show_failure(run, &c, set, algo, why);
        }
    dwc_release(run->contexts[0], c.memory);
    return EXIT_DONE;
}

/* ---- all problems ------------------------------------------------------------------------------------------------ */

/* A context for each instruction set this machine has and the library has kernels for. */
static int make_contexts(check_run *run, cli_failure *failure) {
    dwc_context *context;
    if (cli_context(&options.common, (int)options.threads, DWC_ISA_BEST, NULL, &context, NULL, failure))
        return failure->code;
    dwc_isa best = dwc_context_machine(context)->isa;
    dwc_context_destroy(context);
    for (int isa = DWC_ISA_BASELINE; isa <= (int)best && run->sets < most_sets; isa++) {
        if (cli_context(&options.common, (int)options.threads, (dwc_isa)isa, NULL, &context, NULL, failure))
            return failure->code;
        if ((int)dwc_context_machine(context)->isa == isa)
            run->contexts[run->sets++] = context;
        else
            dwc_context_destroy(context);
    }
    run->algos = dwc_algo_count() < most_algos ? dwc_algo_count() : most_algos;
    return EXIT_DONE;
}

static int check_given(check_run *run, cli_failure *failure) {
    dwc_problem problem;
    dwc_error error;
    int code = EXIT_DONE;
    if (dwc_problem_parse(options.problem, &problem, &error))
        return fail(failure, EXIT_USAGE, "--problem: %s", error.message);
    for (int threads = 1; threads <= dwc_context_threads(run->contexts[0]) && !code; threads++)
        code = check_one(run, &problem, threads, failure);
    return code;
}

static int check_random(check_run *run, cli_failure *failure) {
    int64_t count = options.full ? 10000 : options.quick ? 200 : 1000;
    random_state random = {(uint64_t)options.seed};
    progress bar;
    int code = EXIT_DONE;
    progress_start(&bar, "problems", count, 0);
    for (int64_t i = 0; i < count && !code; i++) {
        dwc_problem problem = random_problem(&random);
        code = check_one(run, &problem, 1 + (int)(i % dwc_context_threads(run->contexts[0])), failure);
        progress_update(&bar, (double)(i + 1) / (double)count);
    }
    progress_finish(&bar);
    return code;
}

static int print_tallies(const check_run *run, cli_failure *failure) {
    int64_t checked = 0, failed = 0;
    printf("%-20s %-10s %9s %9s %14s\n", "algorithm", "isa", "problems", "failed", "error/bound");
    for (int i = 0; i < run->algos; i++)
        for (int set = 0; set < run->sets; set++) {
            const check_tally *tally = &run->tallies[set][i];
            printf("%-20s %-10s %9" PRId64 " %9" PRId64 " %14.3f\n", dwc_algo_get(i).name, isa_name(run, set),
                   tally->checked, tally->failed, tally->worst);
            checked += tally->checked;
            failed += tally->failed;
        }
    if (failed)
        return fail(failure, EXIT_FAILED, "%" PRId64 " of %" PRId64 " results are wrong", failed, checked);
    return EXIT_DONE;
}

static int run_check(cli_failure *failure) {
    static check_run run;
    int code;
    if (options.quick && options.full)
        return fail(failure, EXIT_USAGE, "--quick and --full exclude each other");
    if (options.problem && (options.quick || options.full))
        return fail(failure, EXIT_USAGE, "--problem excludes --quick and --full");
    code = make_contexts(&run, failure);
    if (!code)
        code = options.problem ? check_given(&run, failure) : check_random(&run, failure);
    if (!code)
        code = print_tallies(&run, failure);
    while (run.sets)
        dwc_context_destroy(run.contexts[--run.sets]);
    return code;
}

const cli_command check_command = {
    .name = "check",
    .summary = "verify every algorithm on this machine",
    .usage = "[OPTIONS]",
    .about = "Computes random problems with every algorithm and under every instruction set of this\n"
             "machine, and compares each result with the exact one. Prints a line per algorithm and\n"
             "instruction set; a failure prints the problem and the command that repeats it.\n",
    .options = table,
    .values = &options,
    .run = run_check,
};
