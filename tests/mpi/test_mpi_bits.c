/* SPDX-License-Identifier: Apache-2.0 */
/* Same bits on any number of ranks: random problems (types, layouts, strides, dilations, padding, M) with
 *
 *     0, 1, P-1, P, P+1 and more images · batch, spatial and automatic split · messages of 7 bytes to 1 GiB ·
 *     scattered, executed and gathered, or from the root in every mode
 *
 * from a random root and back, compared with one process. A control changes one bit of one input, which has to show.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ranks.h"

static const int64_t limits[] = {7, 64, 1000, 65536, (int64_t)1 << 30};
enum { LIMITS = sizeof limits / sizeof *limits };
static dwc_mpi_context *contexts[LIMITS];

static int64_t longest; /* message since it was set to 0 */

static void note_length(int count, MPI_Datatype type) {
    int bytes;
    MPI_Type_size(type, &bytes);
    longest = (int64_t)count * bytes > longest ? (int64_t)count * bytes : longest;
}

/* These stand before MPI's own, to look at the messages. */
int MPI_Isend(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request) {
    note_length(count, type);
    return PMPI_Isend(data, count, type, to, tag, comm, request);
}

int MPI_Issend(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request) {
    note_length(count, type);
    return PMPI_Issend(data, count, type, to, tag, comm, request);
}

static void compare(const dwt_job *job, const void *output, const char *what) {
    if (dwt_hash(output, job->output_bytes) == dwt_hash(job->output, job->output_bytes))
        return;

    dwt_fail("%s on %d ranks: other bits than one process", what, dwt_ranks);
}

static dwc_mpi_plan *make_plan(dwc_mpi_context *context, const dwc_problem *problem, dwc_mpi_split split) {
    dwc_mpi_plan *plan;
    dwc_error error;
    dwt_ok(dwc_mpi_plan_create(context, problem, NULL, split, &plan, &error), &error, "dwc_mpi_plan_create");
    return plan;
}

/* The whole job from and to the root's memory. */
static void check_root(const dwt_job *job, const dwc_mpi_plan *plan, dwc_mpi_mode mode, int root) {
    /* Given, so that nothing is measured: sharing pays. */
    const dwc_mpi_constants constants = {dwt_ranks, 1, 1, 1, 1e12, 1e-6, 1e12, 0, 1e-12};
    const int here = dwt_rank == root;
    dwc_mpi_report report;
    dwc_error error;
    void *output = here ? dwt_elements(job->problem.dtype, job->geometry.output_elements) : NULL;
    if (here)
        memset(output, 0xa5, job->output_bytes);
    dwt_ok(dwc_mpi_plan_execute_root(plan, root, mode, &constants, here ? job->input : NULL, here ? job->filter : NULL,
                                     here ? job->bias : NULL, output, &report, &error),
           &error, "dwc_mpi_plan_execute_root");
    dwt_ranks_same(report.mode, "mode of the report");
    dwt_ranks_same(report.chunks, "pieces of the report");
    assert_true(mode == DWC_MPI_MODE_AUTO || report.mode == mode);
    assert_true(report.root_chunks <= report.chunks);
    if (here)
        compare(job, output, dwc_mpi_mode_name(mode));
    free(output);
}

static void check_split(dwt_job *job, int limit, dwc_mpi_split split, int root) {
    dwc_mpi_context *context = contexts[limit];
    dwc_mpi_plan_info info;
    longest = 0;
    dwc_mpi_plan *plan = make_plan(context, &job->problem, split);
    dwc_mpi_plan_get_info(plan, &info);
    void *output = dwt_job_run_parts(job, context, plan, root);
    if (dwt_rank == root) {
        dwt_job_expect(job, &info.local);
        compare(job, output, info.split == DWC_MPI_SPLIT_SPATIAL ? "spatial split" : "batch split");
    }
    free(output);
    for (int mode = DWC_MPI_MODE_AUTO; mode <= DWC_MPI_MODE_PIPELINED; mode++)
        if (mode != DWC_MPI_MODE_PIPELINED || info.split == DWC_MPI_SPLIT_BATCH)
            check_root(job, plan, (dwc_mpi_mode)mode, root);
    assert_true(longest <= limits[limit]);
    dwc_mpi_plan_destroy(plan);
}

/* The interesting batches of P ranks. */
enum { SIZES = 6 };
static int64_t images(int64_t which) {
    const int64_t sizes[SIZES] = {0, 1, dwt_ranks - 1, dwt_ranks, dwt_ranks + 1, 2 * dwt_ranks + 3};
    return sizes[which];
}

static void check_problem(const dwc_problem *problem, uint64_t seed, void *user) {
    (void)user;
    dwt_rng rng = {seed};
    dwt_job job;
    dwc_problem batch = *problem;
    if (dwt_args.problem == NULL)
        batch.n = images(dwt_between(&rng, 0, SIZES - 1));
    const int limit = (int)dwt_between(&rng, 0, LIMITS - 1);
    const int root = (int)dwt_between(&rng, 0, dwt_ranks - 1);
    dwt_job_init(&job, &batch, seed);
    for (int split = DWC_MPI_SPLIT_AUTO; split <= DWC_MPI_SPLIT_SPATIAL; split++)
        check_split(&job, limit, (dwc_mpi_split)split, root);
    dwt_job_free(&job);
}

static void random_problems(void **state) {
    (void)state;
    dwt_for_problems(60, 20000, check_problem, NULL);
}

/* Each of these batches with each limit of messages, the latter not dividing rows. */
static void batches_and_limits(void **state) {
    (void)state;
    for (int size = 0; size < SIZES; size++)
        for (int limit = 0; limit < LIMITS; limit++) {
            dwc_problem problem = dwt_problem("f32:nhwc:n1:5x6x3:k3x2:s1x1:same");
            dwt_job job;
            problem.n = images(size);
            dwt_job_init(&job, &problem, (uint64_t)(size * LIMITS + limit));
            check_split(&job, limit, DWC_MPI_SPLIT_AUTO, dwt_ranks / 2);
            dwt_job_free(&job);
        }
}

/* One image, high and narrow enough for every rank to have rows, by the algorithm whose tiles are several rows high. */
static void tall_images(void **state) {
    (void)state;
    static const char *const texts[] = {
        "f32:nhwc:n1:97x12x16:k3x3",        "f32:nchw:n1:64x9x3:k5x3:s2x1:same", "f64:nhwc:n2:40x5x2:k7x3:d3x1",
        "bf16:nhwc:n1:33x8x8:k3x3:m2:relu", "f16:nchw:n1:21x7x2:k9x9:p4,4,4,4",  "f32:nhwc:n1:5x8x4:k1x1:s4x1:p9,9,0,0",
        "f32:nhwc:n3:50x6x16:k3x3:bias",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        dwc_problem problem = dwt_problem(texts[i]);
        check_problem(&problem, 100 + i, NULL);
        for (int l = 0; l < LIMITS; l += LIMITS - 1) { /* the shortest and the longest messages */
            dwt_job job;
            dwt_job_init(&job, &problem, i);
            check_split(&job, l, DWC_MPI_SPLIT_SPATIAL, dwt_ranks - 1);
            dwt_job_free(&job);
        }
    }
}

/* An algorithm that computes many rows at a time. */
static void winograd_in_bands(void **state) {
    (void)state;
    dwc_problem problem = dwt_problem("f32:nhwc:n1:61x12x16:k3x3");
    dwc_plan_options options;
    dwc_mpi_plan_info info;
    dwc_mpi_plan *plan;
    dwc_error error;
    dwt_job job;
    dwc_plan_options_init(&options);
    options.algo = "winograd";
    dwt_ok(dwc_mpi_plan_create(contexts[0], &problem, &options, DWC_MPI_SPLIT_SPATIAL, &plan, &error), &error,
           "dwc_mpi_plan_create");
    dwc_mpi_plan_get_info(plan, &info);
    assert_string_equal(info.local.algo, "winograd");
    assert_int_equal(info.local.band_rows, 1);
    dwt_job_init(&job, &problem, 5);
    void *output = dwt_job_run_parts(&job, contexts[0], plan, 0);
    if (dwt_rank == 0) {
        dwt_job_expect(&job, &info.local);
        compare(&job, output, "winograd in bands");
    }
    free(output);
    dwt_job_free(&job);
    dwc_mpi_plan_destroy(plan);
}

/* The comparison can fail: the last rank with a part has one bit of its own input changed. */
static void control(void **state) {
    (void)state;
    dwc_problem problem = dwt_problem("f32:nhwc:n5:8x8x3:k3x3");
    dwt_job job, changed;
    dwc_mpi_plan_info info;
    dwt_job_init(&job, &problem, 9);
    dwt_job_init(&changed, &problem, 9);
    ((char *)changed.input)[job.geometry.input_elements * 4 - 2] ^= 1;
    dwc_mpi_plan *plan = make_plan(contexts[0], &problem, DWC_MPI_SPLIT_BATCH);
    dwc_mpi_plan_get_info(plan, &info);
    void *output = dwt_job_run_parts(&changed, contexts[0], plan, 0);
    if (dwt_rank == 0) {
        dwt_job_expect(&job, &info.local);
        assert_true(dwt_hash(output, job.output_bytes) != dwt_hash(job.output, job.output_bytes));
    }
    free(output);
    dwt_job_free(&job);
    dwt_job_free(&changed);
    dwc_mpi_plan_destroy(plan);
}

/* Nothing given: constants are measured, the same for all, and the mode is chosen by them. */
static void measured(void **state) {
    (void)state;
    dwc_problem problem = dwt_problem("f32:nhwc:n12:32x32x40:k3x3");
    const int root = dwt_ranks - 1, here = dwt_rank == root;
    dwc_mpi_plan *plan = make_plan(contexts[LIMITS - 1], &problem, DWC_MPI_SPLIT_BATCH);
    dwc_mpi_constants k = {0};
    dwc_mpi_plan_info info;
    dwc_mpi_report report;
    dwc_error error;
    dwt_job job;
    k.latency_s = 0.5; /* is kept */
    dwt_ok(dwc_mpi_measure(plan, &k, &error), &error, "dwc_mpi_measure");
    dwt_ranks_same((int64_t)(k.image_s * 1e12), "image_s");
    dwt_ranks_same((int64_t)(k.shared_image_s * 1e12), "shared_image_s");
    dwt_ranks_same((int64_t)k.link_bytes_per_s, "link_bytes_per_s");
    assert_true(k.ranks == dwt_ranks && k.image_s > 0 && k.shared_image_s > 0 && k.latency_s == 0.5);
    assert_int_equal(k.nodes, dwc_mpi_context_place(contexts[0]).nodes);
    assert_true((k.link_bytes_per_s > 0) == (dwt_ranks > 1));
    dwt_job_init(&job, &problem, 4);
    void *output = dwt_elements(problem.dtype, job.geometry.output_elements);
    dwc_mpi_plan_get_info(plan, &info);
    dwt_job_expect(&job, &info.local);
    dwt_ok(dwc_mpi_plan_execute_root(plan, root, DWC_MPI_MODE_AUTO, NULL, job.input, job.filter, job.bias, output,
                                     &report, &error),
           &error, "dwc_mpi_plan_execute_root");
    assert_int_equal(report.predicted, dwt_ranks > 1);
    assert_true(report.mode == (report.predicted ? report.prediction.best : DWC_MPI_MODE_ALONE));
    if (here)
        compare(&job, output, "measured and chosen");
    /* An image is more than a short message between nodes. */
    memset(output, 0xff, job.output_bytes);
    dwt_ok(dwc_mpi_plan_execute_root(plan, root, DWC_MPI_MODE_PIPELINED, NULL, job.input, job.filter, job.bias, output,
                                     NULL, &error),
           &error, "dwc_mpi_plan_execute_root");
    if (here)
        compare(&job, output, "pieces of several messages");
    free(output);
    dwt_job_free(&job);
    dwc_mpi_plan_destroy(plan);
}

/* Nodes are those with different names, in the order of their first ranks. */
static void check_nodes(const dwc_mpi_place *place) {
    enum { most_ranks = 64, most_name = 64 };
    static char names[most_ranks][most_name];
    int numbers[most_ranks], nodes = 0;
    assert_true(dwt_ranks <= most_ranks && gethostname(names[dwt_rank], most_name - 1) == 0);
    MPI_Allgather(MPI_IN_PLACE, 0, MPI_BYTE, names, most_name, MPI_BYTE, MPI_COMM_WORLD);
    for (int rank = 0; rank < dwt_ranks; rank++) {
        int first = 0;
        while (strcmp(names[first], names[rank]) != 0)
            first++;
        numbers[rank] = first == rank ? nodes++ : numbers[first];
    }
    assert_int_equal(place->nodes, nodes);
    assert_int_equal(place->node, numbers[dwt_rank]);
}

static void make_contexts(void **state) {
    (void)state;
    for (int i = 0; i < LIMITS; i++)
        contexts[i] = dwt_ranks_context(DWC_ISA_BEST, limits[i]);
    const dwc_mpi_place place = dwc_mpi_context_place(contexts[0]);
    assert_int_equal(place.rank, dwt_rank);
    assert_int_equal(place.size, dwt_ranks);
    assert_true(place.sharing >= 1 && place.threads >= 1);
    check_nodes(&place);
    assert_int_equal(place.mixed, 0);
}

static void destroy_contexts(void **state) {
    (void)state;
    for (int i = 0; i < LIMITS; i++)
        dwc_mpi_context_destroy(contexts[i]);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(make_contexts),      cmocka_unit_test(control),
                                       cmocka_unit_test(batches_and_limits), cmocka_unit_test(random_problems),
                                       cmocka_unit_test(tall_images),        cmocka_unit_test(winograd_in_bands),
                                       cmocka_unit_test(measured),           cmocka_unit_test(destroy_contexts)};
    dwt_ranks_begin(argc, argv);
    return dwt_ranks_run(tests, sizeof tests / sizeof *tests);
}
