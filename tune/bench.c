/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark of plans beside the machine's limits, see dwc_bench in dwconv_tune.h.
 *
 *     round r:  plan r, r+1, ... (in turn; those whose outputs go past the caches after the others): one window of
 *               executions at each offset
 *               then one sample of each limit, on the same memory
 *
 * The first round is not counted. */
#include "dwconv_tune.h"
#include "limits.h"
#include "workload.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_ROUNDS = 11, LEAST_LONG_ROUNDS = 3, MOST_ROUNDS = 2001 };
static const double LONG_SECONDS = 0.2;

const int dwc_bench_default_offsets[DWC_BENCH_DEFAULT_OFFSETS] = {0, 16, 64, 512, 1024, 2048};

typedef struct contender {
    dwct_runner runner;
    double *samples; /* [offset][round], seconds per execution */
} contender;

typedef struct bench {
    const dwc_bench_options *options;
    const int *offsets;
    int offset_count, count;
    contender *contenders;
    dwct_workload work;
    int rounds;
    double best_peak, best_stream; /* operations per second, seconds */
} bench;

void dwc_bench_options_init(dwc_bench_options *options) {
    *options = (dwc_bench_options){.min_seconds = 0.05, .seed = 1};
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

/* How many executions make a window, and how many rounds the time asked for allows. */
static void choose_lengths(bench *b) {
    double longest = 0;
    for (int i = 0; i < b->count; i++) {
        dwct_runner *r = &b->contenders[i].runner;
        const double seconds = dwct_choose_executions(&b->work, r, b->offsets[0]) * r->executions;
        if (seconds > longest)
            longest = seconds;
    }
    const int least = longest > LONG_SECONDS ? LEAST_LONG_ROUNDS : LEAST_ROUNDS;
    const double rounds = b->options->min_seconds / longest;
    b->rounds = rounds < least ? least : rounds > MOST_ROUNDS ? MOST_ROUNDS : (int)rounds;
}

static void sample_limits(bench *b) {
    dwct_workload *w = &b->work;
    const int threads = b->contenders[0].runner.info.threads;
    const double peak = dwct_peak_sample(w->context, w->problem.dtype, threads);
    if (peak > b->best_peak)
        b->best_peak = peak;
    for (int nontemporal = 0; nontemporal < 2; nontemporal++) {
        const int64_t copy = dwct_next_copy(w);
        char *to = dwct_output(w, copy, DWCT_LINE - DWCT_MISALIGNMENT);
        for (int again = w->cold; again < 2; again++) { /* warm: the second one counts */
            const double seconds = dwct_stream_sample(w->context, to, w->write_bytes, dwct_input(w, copy),
                                                      w->read_bytes, nontemporal, threads);
            if (again == 1 && (b->best_stream == 0 || seconds < b->best_stream))
                b->best_stream = seconds;
        }
    }
    dwct_disturbed(w);
}

static void run_rounds(bench *b) {
    for (int round = -1; round < b->rounds; round++) {
        for (int i = 0; i < 2 * b->count; i++) {
            contender *c = &b->contenders[(i + round + 1) % b->count];
            if ((c->runner.stores == DWCT_PAST_CACHES) != (i >= b->count))
                continue;
            dwct_settle(&b->work, &c->runner, b->offsets[0]);
            for (int o = 0; o < b->offset_count; o++) {
                const double seconds = dwct_window(&b->work, &c->runner, b->offsets[o]);
                if (round >= 0)
                    c->samples[o * b->rounds + round] = seconds;
            }
        }
        sample_limits(b);
    }
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summarise(const bench *b, const contender *c, dwc_bench_result *r) {
    r->rounds = b->rounds;
    for (int o = 0; o < b->offset_count; o++) {
        double *samples = c->samples + o * b->rounds;
        qsort(samples, (size_t)b->rounds, sizeof *samples, ascending);
        const double median = (samples[(b->rounds - 1) / 2] + samples[b->rounds / 2]) / 2;
        if (o == 0 || median > r->median_s) {
            r->median_s = median;
            r->min_s = samples[0];
            r->offset = b->offsets[o];
        }
        if (o == 0 || median < r->best_offset_median_s)
            r->best_offset_median_s = median;
    }
    const double arithmetic = 2 * b->work.geometry.inbounds_taps / b->best_peak;
    r->limit_s = arithmetic > b->best_stream ? arithmetic : b->best_stream;
    r->limit_by = arithmetic > b->best_stream ? "arithmetic" : "memory";
    r->peak_flops = b->best_peak;
    r->stream_bytes_per_s = (double)(b->work.read_bytes + b->work.write_bytes) / b->best_stream;
}

static dwc_status verify(bench *b, contender *c, dwc_bench_result *r, dwc_error *error) {
    dwct_workload *w = &b->work;
    const int offset = b->offsets[0];
    dwc_status status = dwct_execute_first(w, &c->runner, offset, error);
    if (status == DWC_OK && b->options->verify) {
        r->verified = 1;
        status = dwc_plan_verify(c->runner.plan, dwct_input(w, 0), w->filter, w->bias, dwct_output(w, 0, offset),
                                 &r->verification, error);
    }
    return status;
}

static dwc_status run(bench *b, const dwc_context *context, dwc_plan *const *plans, dwc_bench_result *results,
                      dwc_error *error) {
    dwct_workload *w = &b->work;
    dwc_status status = dwct_workload_create(w, context, plans[0], b->options->cold, 1, b->options->seed, error);
    for (int i = 0; i < b->count && status == DWC_OK; i++)
        if ((status = dwct_runner_create(&b->contenders[i].runner, w, plans[i], error)) == DWC_OK)
            status = verify(b, &b->contenders[i], &results[i], error);
    if (status != DWC_OK)
        return status;
    choose_lengths(b);
    for (int i = 0; i < b->count; i++) {
        const size_t bytes = (size_t)b->offset_count * (size_t)b->rounds * sizeof(double);
        if (!(b->contenders[i].samples = dwc_allocate(context, bytes)))
            return dwct_no_memory(error, (int64_t)bytes);
    }
    run_rounds(b);
    for (int i = 0; i < b->count; i++)
        summarise(b, &b->contenders[i], &results[i]);
    return DWC_OK;
}

static dwc_status check(const bench *b, dwc_plan *const *plans, dwc_error *error) {
    char first[DWC_PROBLEM_TEXT_MAX], other[DWC_PROBLEM_TEXT_MAX];
    for (int i = 0; i < b->count; i++) {
        dwc_plan_info info;
        dwc_plan_get_info(plans[i], &info);
        dwc_problem_print(&info.problem, i == 0 ? first : other, sizeof first);
        if (info.geometry.output_elements == 0)
            return dwct_fail(error, DWC_INVALID_ARGUMENT, "benchmark: the problem has no output");
        if (i > 0 && strcmp(first, other) != 0)
            return dwct_fail(error, DWC_INVALID_ARGUMENT, "plans: of different problems");
    }
    for (int o = 0; o < b->offset_count; o++)
        if (b->offsets[o] < 0 || b->offsets[o] >= DWCT_PAGE || b->offsets[o] % DWCT_MISALIGNMENT != 0)
            return dwct_fail(error, DWC_INVALID_ARGUMENT, "offsets: not all are multiples of 16 in 0..4080");
    return DWC_OK;
}

dwc_status dwc_bench(const dwc_context *context, dwc_plan *const *plans, int count, const dwc_bench_options *options,
                     dwc_bench_result *results, dwc_error *error) {
    dwc_bench_options defaults;
    dwc_bench_options_init(&defaults);
    if (!context || !plans || count < 1 || !results)
        return dwct_fail(error, DWC_INVALID_ARGUMENT, "benchmark: null pointer or no plan");
    bench b = {.options = options ? options : &defaults, .count = count, .work = {.context = context}};
    b.offsets = b.options->offsets ? b.options->offsets : dwc_bench_default_offsets;
    b.offset_count = b.options->offsets ? b.options->offset_count : DWC_BENCH_DEFAULT_OFFSETS;
    if (b.offset_count < 1)
        return dwct_fail(error, DWC_INVALID_ARGUMENT, "offsets: none");
    dwc_status status = check(&b, plans, error);
    if (status != DWC_OK)
        return status;
    b.contenders = dwc_allocate(context, (size_t)count * sizeof *b.contenders);
    if (!b.contenders)
        return dwct_no_memory(error, count * (int64_t)sizeof *b.contenders);
    memset(b.contenders, 0, (size_t)count * sizeof *b.contenders);
    memset(results, 0, (size_t)count * sizeof *results);
    status = run(&b, context, plans, results, error);
    for (int i = 0; i < count; i++) {
        dwct_runner_release(&b.contenders[i].runner, &b.work);
        dwc_release(context, b.contenders[i].samples);
    }
    dwc_release(context, b.contenders);
    dwct_workload_release(&b.work);
    return status;
}
