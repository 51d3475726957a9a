/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark of plans beside the machine's limits, see dwc_bench in dwconv_tune.h.
 *
 *     copies of   | input, filter's bytes | gap | output | gap |   input at 16 modulo 64, output k*4096 + offset behind
 *
 *     round r:  for each offset: plan r, r+1, ... (in turn): one window of executions
 *               then one sample of each limit, on the same memory
 *
 * Warm: one copy, and each window follows an execution that is not timed. Cold: as many copies as take twice the last
 * cache, each execution on the next one. The first round is not counted. */
#include "dwconv_tune.h"
#include "limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_COPIES_BYTES = 1 << 30 }; /* the smallest problems stay in the cache then */
enum { PAGE = 4096, LINE = 64, MISALIGNMENT = 16, LEAST_ROUNDS = 11, LEAST_LONG_ROUNDS = 3, MOST_ROUNDS = 2001 };
static const double WINDOW_SECONDS = 20e-6, LONG_SECONDS = 0.2;

const int dwc_bench_default_offsets[DWC_BENCH_DEFAULT_OFFSETS] = {0, 16, 64, 512, 1024, 2048};

typedef struct contender {
    const dwc_plan *plan;
    dwc_plan_info info;
    void *packed, *workspace;
    int executions;  /* per window */
    double *samples; /* [offset][round], seconds per execution */
} contender;

typedef struct bench {
    const dwc_context *context;
    const dwc_bench_options *options;
    const int *offsets;
    int offset_count, count;
    contender *contenders;
    char *memory, *filter, *bias;
    int64_t copy_bytes, copies, next_copy;
    int64_t read_bytes, write_bytes; /* of one execution */
    int rounds;
    double best_peak, best_stream; /* operations per second, seconds */
} bench;

void dwc_bench_options_init(dwc_bench_options *options) {
    *options = (dwc_bench_options){.min_seconds = 0.05, .seed = 1};
}

static dwc_status invalid(dwc_error *error, const char *text) {
    if (error) {
        error->status = DWC_INVALID_ARGUMENT;
        snprintf(error->message, sizeof error->message, "%s", text);
    }
    return DWC_INVALID_ARGUMENT;
}

static dwc_status no_memory(dwc_error *error, int64_t bytes) {
    if (error) {
        error->status = DWC_OUT_OF_MEMORY;
        snprintf(error->message, sizeof error->message, "benchmark: %lld bytes could not be allocated",
                 (long long)bytes);
    }
    return DWC_OUT_OF_MEMORY;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static int64_t pages(int64_t bytes) {
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static char *input_of(const bench *b, int64_t copy) {
    return b->memory + copy * b->copy_bytes + MISALIGNMENT;
}

static char *output_of(const bench *b, int64_t copy, int offset) {
    return input_of(b, copy) + pages(b->read_bytes) + offset;
}

/* Numbers spread evenly over -1..1 (splitmix64). */
static void fill(uint64_t *state, dwc_dtype dtype, char *to, int64_t count) {
    double values[256];
    const size_t bytes = dwc_dtype_bytes(dtype);
    for (int64_t done = 0; done < count; done += 256) {
        int64_t some = count - done < 256 ? count - done : 256;
        for (int64_t i = 0; i < some; i++) {
            uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
            z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
            z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
            values[i] = (double)((z ^ z >> 31) >> 11) * 0x1p-52 - 1;
        }
        dwc_convert_from_f64(dtype, values, to + (size_t)done * bytes, some);
    }
}

static dwc_status prepare_tensors(bench *b, dwc_error *error) {
    const dwc_problem *p = &b->contenders[0].info.problem;
    const dwc_geometry *g = &b->contenders[0].info.geometry;
    const int64_t element = (int64_t)g->element_bytes;
    const dwc_machine *machine = dwc_context_machine(b->context);
    const int64_t last_cache = machine->l3_bytes ? machine->l3_bytes : 32 << 20;
    b->read_bytes = (g->input_elements + g->filter_elements + g->bias_elements) * element;
    b->write_bytes = g->output_elements * element;
    b->copy_bytes = pages(b->read_bytes) + pages(b->write_bytes) + 2 * PAGE;
    b->copies = b->options->cold ? 2 * last_cache / (b->read_bytes + b->write_bytes) + 2 : 1;
    if (b->copies > MOST_COPIES_BYTES / b->copy_bytes + 2)
        b->copies = MOST_COPIES_BYTES / b->copy_bytes + 2;
    const int64_t filter_bytes = g->filter_elements * element, bias_bytes = g->bias_elements * element;
    const int64_t total = b->copies * b->copy_bytes + PAGE;
    if (!(b->memory = dwc_allocate(b->context, (size_t)total)) ||
        !(b->filter = dwc_allocate(b->context, (size_t)filter_bytes)) ||
        !(b->bias = dwc_allocate(b->context, (size_t)bias_bytes)))
        return no_memory(error, total);

    uint64_t state = b->options->seed;
    fill(&state, p->dtype, b->filter, g->filter_elements);
    fill(&state, p->dtype, b->bias, g->bias_elements);
    for (int64_t copy = 0; copy < b->copies; copy++)
        dwc_plan_first_touch(b->contenders[0].plan, input_of(b, copy), output_of(b, copy, 0), NULL);
    memset(b->memory, 0, (size_t)total);
    for (int64_t copy = 0; copy < b->copies; copy++)
        fill(&state, p->dtype, input_of(b, copy), g->input_elements);
    return DWC_OK;
}

static dwc_status prepare_contender(bench *b, contender *c, dwc_error *error) {
    c->packed = dwc_allocate(b->context, c->info.packed_bytes);
    c->workspace = dwc_allocate(b->context, c->info.workspace_bytes);
    if (!c->packed || !c->workspace)
        return no_memory(error, (int64_t)(c->info.packed_bytes + c->info.workspace_bytes));
    return dwc_plan_pack_filter(c->plan, b->filter, c->packed, error);
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static void execute(bench *b, const contender *c, int offset) {
    const int64_t copy = b->next_copy;
    b->next_copy = (copy + 1) % b->copies;
    dwc_plan_execute(c->plan, input_of(b, copy), c->packed, b->bias, output_of(b, copy, offset), c->workspace, NULL);
}

/* Seconds per execution. */
static double window(bench *b, const contender *c, int offset) {
    if (!b->options->cold)
        execute(b, c, offset);
    double start = dwct_seconds();
    for (int i = 0; i < c->executions; i++)
        execute(b, c, offset);
    return (dwct_seconds() - start) / c->executions;
}

/* How many executions make a window, and how many rounds the time asked for allows. */
static void choose_lengths(bench *b) {
    double longest = 0;
    for (int i = 0; i < b->count; i++) {
        contender *c = &b->contenders[i];
        c->executions = 1;
        double seconds = window(b, c, b->offsets[0]);
        for (int again = 0; again < 2; again++)
            seconds = window(b, c, b->offsets[0]);
        if (seconds < WINDOW_SECONDS)
            c->executions = 1 + (int)(WINDOW_SECONDS / seconds);
        if (seconds * c->executions > longest)
            longest = seconds * c->executions;
    }
    const int least = longest > LONG_SECONDS ? LEAST_LONG_ROUNDS : LEAST_ROUNDS;
    const double rounds = b->options->min_seconds / longest;
    b->rounds = rounds < least ? least : rounds > MOST_ROUNDS ? MOST_ROUNDS : (int)rounds;
}

static void sample_limits(bench *b) {
    const int threads = b->contenders[0].info.threads;
    const double peak = dwct_peak_sample(b->context, b->contenders[0].info.problem.dtype, threads);
    if (peak > b->best_peak)
        b->best_peak = peak;
    for (int nontemporal = 0; nontemporal < 2; nontemporal++) {
        const int64_t copy = b->next_copy;
        b->next_copy = (copy + 1) % b->copies;
        char *to = output_of(b, copy, LINE - MISALIGNMENT);
        for (int again = b->options->cold; again < 2; again++) { /* warm: the second one counts */
            const double seconds = dwct_stream_sample(b->context, to, b->write_bytes, input_of(b, copy), b->read_bytes,
                                                      nontemporal, threads);
            if (again == 1 && (b->best_stream == 0 || seconds < b->best_stream))
                b->best_stream = seconds;
        }
    }
}

static void run_rounds(bench *b) {
    for (int round = -1; round < b->rounds; round++) {
        for (int o = 0; o < b->offset_count; o++)
            for (int i = 0; i < b->count; i++) {
                contender *c = &b->contenders[(i + round + 1) % b->count];
                const double seconds = window(b, c, b->offsets[o]);
                if (round >= 0)
                    c->samples[o * b->rounds + round] = seconds;
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
    const double arithmetic = 2 * c->info.geometry.inbounds_taps / b->best_peak;
    r->limit_s = arithmetic > b->best_stream ? arithmetic : b->best_stream;
    r->limit_by = arithmetic > b->best_stream ? "arithmetic" : "memory";
    r->peak_flops = b->best_peak;
    r->stream_bytes_per_s = (double)(b->read_bytes + b->write_bytes) / b->best_stream;
}

static dwc_status verify(bench *b, const contender *c, dwc_bench_result *r, dwc_error *error) {
    char *output = output_of(b, 0, b->offsets[0]);
    dwc_status status = dwc_plan_execute(c->plan, input_of(b, 0), c->packed, b->bias, output, c->workspace, error);
    if (status == DWC_OK && b->options->verify) {
        r->verified = 1;
        status = dwc_plan_verify(c->plan, input_of(b, 0), b->filter, b->bias, output, &r->verification, error);
    }
    return status;
}

static dwc_status run(bench *b, dwc_bench_result *results, dwc_error *error) {
    dwc_status status = prepare_tensors(b, error);
    for (int i = 0; i < b->count && status == DWC_OK; i++)
        if ((status = prepare_contender(b, &b->contenders[i], error)) == DWC_OK)
            status = verify(b, &b->contenders[i], &results[i], error);
    if (status != DWC_OK)
        return status;
    choose_lengths(b);
    for (int i = 0; i < b->count; i++) {
        const size_t bytes = (size_t)b->offset_count * (size_t)b->rounds * sizeof(double);
        if (!(b->contenders[i].samples = dwc_allocate(b->context, bytes)))
            return no_memory(error, (int64_t)bytes);
    }
    run_rounds(b);
    for (int i = 0; i < b->count; i++)
        summarise(b, &b->contenders[i], &results[i]);
    return DWC_OK;
}

static dwc_status check(const bench *b, dwc_error *error) {
    char first[DWC_PROBLEM_TEXT_MAX], other[DWC_PROBLEM_TEXT_MAX];
    dwc_problem_print(&b->contenders[0].info.problem, first, sizeof first);
    if (b->contenders[0].info.geometry.output_elements == 0)
        return invalid(error, "benchmark: the problem has no output");
    for (int i = 1; i < b->count; i++) {
        dwc_problem_print(&b->contenders[i].info.problem, other, sizeof other);
        if (strcmp(first, other) != 0)
            return invalid(error, "plans: of different problems");
    }
    for (int o = 0; o < b->offset_count; o++)
        if (b->offsets[o] < 0 || b->offsets[o] >= PAGE || b->offsets[o] % MISALIGNMENT != 0)
            return invalid(error, "offsets: not all are multiples of 16 in 0..4080");
    return DWC_OK;
}

dwc_status dwc_bench(const dwc_context *context, dwc_plan *const *plans, int count, const dwc_bench_options *options,
                     dwc_bench_result *results, dwc_error *error) {
    dwc_bench_options defaults;
    dwc_bench_options_init(&defaults);
    if (!context || !plans || count < 1 || !results)
        return invalid(error, "benchmark: null pointer or no plan");
    bench b = {.context = context, .options = options ? options : &defaults, .count = count};
    b.offsets = b.options->offsets ? b.options->offsets : dwc_bench_default_offsets;
    b.offset_count = b.options->offsets ? b.options->offset_count : DWC_BENCH_DEFAULT_OFFSETS;
    if (b.offset_count < 1)
        return invalid(error, "offsets: none");
    b.contenders = dwc_allocate(context, (size_t)count * sizeof *b.contenders);
    if (!b.contenders)
        return no_memory(error, count * (int64_t)sizeof *b.contenders);
    memset(b.contenders, 0, (size_t)count * sizeof *b.contenders);
    memset(results, 0, (size_t)count * sizeof *results);
    for (int i = 0; i < count; i++) {
        b.contenders[i].plan = plans[i];
        dwc_plan_get_info(plans[i], &b.contenders[i].info);
    }
    dwc_status status = check(&b, error);
    if (status == DWC_OK)
        status = run(&b, results, error);
    for (int i = 0; i < count; i++) {
        dwc_release(context, b.contenders[i].packed);
        dwc_release(context, b.contenders[i].workspace);
        dwc_release(context, b.contenders[i].samples);
    }
    dwc_release(context, b.contenders);
    dwc_release(context, b.memory);
    dwc_release(context, b.filter);
    dwc_release(context, b.bias);
    return status;
}
