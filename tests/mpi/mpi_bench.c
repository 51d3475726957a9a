/* SPDX-License-Identifier: Apache-2.0 */
/* What the library costs beside its kernels, and whether predictions hold; figures for people, no test.
 *
 *     mpirun -n P mpi_bench overhead PROBLEM SECONDS   on images of the problem that take a rank so long
 *     mpirun -n P mpi_bench modes PROBLEM              data on rank 0: every mode, predicted and measured
 *
 * In every round each variant runs once on all ranks at the same time, from a barrier on; its time is that of the
 * slowest rank. What counts is the median of the ratios within rounds; modes are predicted anew in each. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ranks.h"

enum { ROUNDS = 201, MODES_ROUNDS = 7 };

static double slowest(double seconds) {
    MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return seconds;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, int count, double part) {
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[(int)(part * (count - 1) + 0.5)];
}

/* ---- overhead ---------------------------------------------------------------------------------------------------- */

/* A plan of all ranks with the tensors of this one, and the same part as a plan of this rank alone. */
typedef struct bench {
    dwc_mpi_plan *plan;
    dwc_plan *alone;
    dwc_mpi_part part;
    dwc_plan_info info;
    void *input, *output, *packed, *workspace, *filter;
} bench;

static void open_bench(bench *b, dwc_mpi_context *context, const dwc_problem *problem, dwc_mpi_split split) {
    const dwc_context *local = dwc_mpi_context_local(context);
    dwc_plan_options options;
    dwc_mpi_plan_info info;
    dwc_geometry g;
    dwc_error error;
    dwc_plan_options_init(&options);
    options.bands = split == DWC_MPI_SPLIT_SPATIAL;
    dwt_ok(dwc_problem_geometry(problem, &g, &error), &error, "problem");
    dwt_ok(dwc_mpi_plan_create(context, problem, &options, split, &b->plan, &error), &error, "plan");
    dwc_mpi_plan_get_info(b->plan, &info);
    b->info = info.local;
    options.algo = b->info.algo;
    options.params = b->info.params[0] != '\0' ? b->info.params : NULL;
    dwt_ok(dwc_plan_create(local, &b->info.problem, &options, &b->alone, &error), &error, "plan of one rank");
    dwt_ok(dwc_mpi_plan_part(b->plan, dwt_rank, &b->part, &error), &error, "part");
    b->input = dwc_allocate_coloured(local, (size_t)b->part.input_elements * g.element_bytes, 0);
    b->output = dwc_allocate_coloured(local, (size_t)b->part.output_elements * g.element_bytes, 1);
    b->packed = dwc_allocate(local, b->info.packed_bytes);
    b->workspace = dwc_allocate(local, b->info.workspace_bytes);
    b->filter = dwt_elements(problem->dtype, g.filter_elements);
    if (b->input == NULL || b->output == NULL || b->packed == NULL || b->workspace == NULL)
        dwt_fail("no memory");
    memset(b->input, 0, (size_t)b->part.input_elements * g.element_bytes);
    dwt_ok(dwc_mpi_plan_pack_filter(b->plan, b->filter, b->packed, &error), &error, "filter");
}

static void close_bench(bench *b, const dwc_context *local) {
    dwc_release_coloured(local, b->input);
    dwc_release_coloured(local, b->output);
    dwc_release(local, b->packed);
    dwc_release(local, b->workspace);
    free(b->filter);
    dwc_plan_destroy(b->alone);
    dwc_mpi_plan_destroy(b->plan);
}

static double run(const bench *b, int by_ranks) {
    dwc_error error;
    MPI_Barrier(MPI_COMM_WORLD);
    const double start = dwt_ranks_seconds();
    dwc_status status = by_ranks
                            ? dwc_mpi_plan_execute(b->plan, b->input, b->packed, NULL, b->output, b->workspace, &error)
                            : dwc_plan_execute(b->alone, b->input, b->packed, NULL, b->output, b->workspace, &error);
    const double spent = dwt_ranks_seconds() - start;
    dwt_ok(status, &error, "execution");
    return slowest(spent);
}

static void compare(const char *name, const bench *b) {
    static double ratios[ROUNDS], kernels[ROUNDS], controls[ROUNDS];
    for (int i = 0; i < ROUNDS + 3; i++) { /* the first three warm up */
        double times[3];
        for (int k = 0; k < 3; k++) {
            const int variant = (i + k) % 3; /* 0 and 2 are the kernel twice: what noise alone does */
            times[variant] = run(b, variant == 1);
        }
        if (i < 3)
            continue;
        ratios[i - 3] = 100 * (times[1] / times[0] - 1);
        controls[i - 3] = 100 * (times[2] / times[0] - 1);
        kernels[i - 3] = times[0];
    }
    printf(
        "%-9s %8.3f ms kernel  overhead %+6.2f %% (quartiles %+.2f .. %+.2f)  kernel again %+6.2f %% (%+.2f .. %+.2f)"
        "  %s(%s)\n",
        name, 1e3 * quantile(kernels, ROUNDS, 0.5), quantile(ratios, ROUNDS, 0.5), quantile(ratios, ROUNDS, 0.25),
        quantile(ratios, ROUNDS, 0.75), quantile(controls, ROUNDS, 0.5), quantile(controls, ROUNDS, 0.25),
        quantile(controls, ROUNDS, 0.75), b->info.algo, b->info.params);
    fflush(stdout);
}

/* Images, or for the spatial split rows of one image, that take a rank about so long. Found in steps: larger tensors
 * leave the caches. */
static dwc_problem sized(dwc_mpi_context *context, dwc_problem problem, dwc_mpi_split split, double seconds) {
    int64_t *size = split == DWC_MPI_SPLIT_BATCH ? &problem.n : &problem.h;
    problem.n = 1;
    *size = split == DWC_MPI_SPLIT_BATCH ? 8 * dwt_ranks : 64 * dwt_ranks;
    for (int step = 0; step < 4; step++) {
        bench b;
        double spent = 1;
        open_bench(&b, context, &problem, split);
        for (int i = 0; i < 5; i++) {
            const double time = run(&b, 0);
            spent = time < spent ? time : spent;
        }
        MPI_Bcast(&spent, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
        close_bench(&b, dwc_mpi_context_local(context));
        *size = (int64_t)((double)*size * seconds / spent) / dwt_ranks * dwt_ranks;
        *size = *size < dwt_ranks ? dwt_ranks : *size;
    }
    return problem;
}

static void overhead(dwc_mpi_context *context, const dwc_problem *problem, double seconds) {
    static const char *const names[] = {"", "batch", "spatial"};
    for (int split = DWC_MPI_SPLIT_BATCH; split <= DWC_MPI_SPLIT_SPATIAL; split++) {
        bench b;
        const dwc_problem whole = sized(context, *problem, (dwc_mpi_split)split, seconds);
        open_bench(&b, context, &whole, (dwc_mpi_split)split);
        compare(names[split], &b);
        close_bench(&b, dwc_mpi_context_local(context));
    }
}

/* ---- modes ------------------------------------------------------------------------------------------------------- */

typedef struct modes_round {
    dwc_mpi_constants constants;
    double predicted[DWC_MPI_MODE_PIPELINED + 1], measured[DWC_MPI_MODE_PIPELINED + 1];
    double communication, computing; /* of the pipeline, with the pieces that went to others, if nothing else were */
    int64_t chunks, root_chunks;
} modes_round;

static void run_modes(const dwc_mpi_plan *plan, const dwt_job *job, void *output, modes_round *r) {
    dwc_mpi_prediction p;
    dwc_mpi_report report = {.chunks = 0};
    dwc_error error;
    r->constants = (dwc_mpi_constants){0};
    dwt_ok(dwc_mpi_measure(plan, &r->constants, &error), &error, "dwc_mpi_measure");
    dwt_ok(dwc_mpi_predict(&job->problem, &r->constants, &p, &error), &error, "dwc_mpi_predict");
    for (int mode = DWC_MPI_MODE_ALONE; mode <= DWC_MPI_MODE_PIPELINED; mode++) {
        dwt_ok(dwc_mpi_plan_execute_root(plan, 0, (dwc_mpi_mode)mode, NULL, job->input, job->filter, job->bias, output,
                                         &report, &error),
               &error, "dwc_mpi_plan_execute_root");
        r->measured[mode] = report.seconds;
    }
    r->predicted[DWC_MPI_MODE_ALONE] = p.alone_s;
    r->predicted[DWC_MPI_MODE_PHASED] = p.phased_s;
    r->predicted[DWC_MPI_MODE_PIPELINED] = p.pipelined_s;
    r->chunks = report.chunks;
    r->root_chunks = report.root_chunks;
    const dwc_geometry *g = &job->geometry;
    const int64_t most = g->input_elements > g->output_elements ? g->input_elements : g->output_elements;
    const double here = (double)r->root_chunks / (double)r->chunks, images = (double)job->problem.n;
    const double away = (1 - here) / (dwt_ranks > 1 ? dwt_ranks - 1 : 1), share = here > away ? here : away;
    r->communication = (1 - here) * (double)most * (double)g->element_bytes / r->constants.link_bytes_per_s;
    r->computing = share * images * r->constants.shared_image_s;
}

static double median_of(const modes_round *rounds, double (*value)(const modes_round *, int), int mode) {
    double values[MODES_ROUNDS];
    for (int i = 0; i < MODES_ROUNDS; i++)
        values[i] = value(&rounds[i], mode);
    return quantile(values, MODES_ROUNDS, 0.5);
}

static double predicted_of(const modes_round *r, int mode) {
    return r->predicted[mode];
}

static double measured_of(const modes_round *r, int mode) {
    return r->measured[mode];
}

static double ratio_of(const modes_round *r, int mode) {
    return r->measured[mode] / r->predicted[mode];
}

/* What bounds a pipeline; the design asks for 1.15 of the larger one at most. */
static double bound_of(const modes_round *r, int by_computing) {
    return by_computing ? r->computing : r->communication;
}

static double overlap_of(const modes_round *r, int unused) {
    (void)unused;
    return r->measured[DWC_MPI_MODE_PIPELINED] / (r->computing > r->communication ? r->computing : r->communication);
}

static double constant_of(const modes_round *r, int which) {
    const dwc_mpi_constants *k = &r->constants;
    const double all[] = {k->image_s, k->shared_image_s, k->link_bytes_per_s, k->latency_s, k->moving_s_per_byte};
    return all[which];
}

/* The mode of the least median; `worth`: others than alone have to take at most so much of its time. */
static const char *fastest(const modes_round *rounds, double (*value)(const modes_round *, int), double worth) {
    int best = DWC_MPI_MODE_ALONE;
    double least = worth * median_of(rounds, value, best);
    for (int mode = DWC_MPI_MODE_PHASED; mode <= DWC_MPI_MODE_PIPELINED; mode++)
        if (median_of(rounds, value, mode) < least) {
            best = mode;
            least = median_of(rounds, value, mode);
        }
    return dwc_mpi_mode_name((dwc_mpi_mode)best);
}

static void print_modes(const modes_round *rounds) {
    printf("image %.1f us alone, %.1f us together; link %.3f GB/s, %.1f us; %.2f ns of a rank for a byte\n",
           1e6 * median_of(rounds, constant_of, 0), 1e6 * median_of(rounds, constant_of, 1),
           1e-9 * median_of(rounds, constant_of, 2), 1e6 * median_of(rounds, constant_of, 3),
           1e9 * median_of(rounds, constant_of, 4));
    for (int mode = DWC_MPI_MODE_ALONE; mode <= DWC_MPI_MODE_PIPELINED; mode++)
        printf("%-9s predicted %8.1f ms, measured %8.1f ms, ratio %.2f\n", dwc_mpi_mode_name((dwc_mpi_mode)mode),
               1e3 * median_of(rounds, predicted_of, mode), 1e3 * median_of(rounds, measured_of, mode),
               median_of(rounds, ratio_of, mode));
    printf("best      predicted %s, measured %s; taken %s (alone unless another saves a fifth)\n",
           fastest(rounds, predicted_of, 1), fastest(rounds, measured_of, 1), fastest(rounds, predicted_of, 0.8));
    printf("overlap   %.2f of the larger of communication %.1f ms, computing %.1f ms; %" PRId64 " of %" PRId64
           " pieces on the root in the last round\n",
           median_of(rounds, overlap_of, 0), 1e3 * median_of(rounds, bound_of, 0), 1e3 * median_of(rounds, bound_of, 1),
           rounds[MODES_ROUNDS - 1].root_chunks, rounds[MODES_ROUNDS - 1].chunks);
}

static void modes(dwc_mpi_context *context, const dwc_problem *problem) {
    static modes_round rounds[MODES_ROUNDS];
    dwc_mpi_plan *plan;
    dwc_error error;
    dwt_job job;
    dwt_job_init(&job, problem, 1);
    dwt_ok(dwc_mpi_plan_create(context, problem, NULL, DWC_MPI_SPLIT_BATCH, &plan, &error), &error, "plan");
    for (int i = 0; i < MODES_ROUNDS; i++)
        run_modes(plan, &job, job.output, &rounds[i]);
    print_modes(rounds);
    dwc_mpi_plan_destroy(plan);
    dwt_job_free(&job);
}

int main(int argc, char **argv) {
    char *none[] = {argv[0], NULL};
    dwt_ranks_begin(1, none);
    dwc_mpi_context *context;
    dwc_error error;
    if (argc < 3) {
        fprintf(stderr, "usage: mpi_bench overhead PROBLEM SECONDS | modes PROBLEM\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    dwt_ok(dwc_mpi_context_create(MPI_COMM_WORLD, NULL, NULL, &context, &error), &error, "dwc_mpi_context_create");
    const dwc_problem problem = dwt_problem(argv[2]);
    printf("%d ranks of %d threads, %s", dwt_ranks, dwc_mpi_context_place(context).threads, argv[2]);
    printf(argc > 3 ? ", about %s s\n" : "\n", argc > 3 ? argv[3] : "");
    if (strcmp(argv[1], "modes") == 0)
        modes(context, &problem);
    else
        overhead(context, &problem, argc > 3 ? atof(argv[3]) : 0.05);
    dwc_mpi_context_destroy(context);
    return dwt_ranks_run(NULL, 0);
}
