/* SPDX-License-Identifier: Apache-2.0 */
/* What tests on several ranks share, see ranks.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ranks.h"

int dwt_rank, dwt_ranks;

void dwt_ranks_begin(int argc, char **argv) {
    int provided;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &dwt_rank);
    MPI_Comm_size(MPI_COMM_WORLD, &dwt_ranks);
    if (dwt_rank != 0 && freopen("/dev/null", "w", stdout) == NULL)
        MPI_Abort(MPI_COMM_WORLD, 1);
    dwt_begin(argc, argv);
}

int dwt_ranks_run(const struct CMUnitTest *tests, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (_cmocka_run_group_tests(tests[i].name, &tests[i], 1, NULL, NULL) != 0) {
            fprintf(stderr, "failed on rank %d of %d\n", dwt_rank, dwt_ranks);
            MPI_Abort(MPI_COMM_WORLD, 1);
        }
    dwt_end();
    MPI_Finalize();
    return 0;
}

dwc_mpi_context *dwt_ranks_context(dwc_isa cap, int64_t message_bytes) {
    dwc_context_options local;
    dwc_mpi_options options;
    dwc_mpi_context *context = NULL;
    dwc_error error;
    dwc_context_options_init(&local);
    dwc_mpi_options_init(&options);
    local.max_isa = cap;
    if (message_bytes > 0)
        options.message_bytes = message_bytes;
    options.chunk_bytes = 4096;
    dwt_ok(dwc_mpi_context_create(MPI_COMM_WORLD, &local, &options, &context, &error), &error,
           "dwc_mpi_context_create");
    return context;
}

void dwt_ranks_same(int64_t value, const char *what) {
    int64_t least[] = {value, -value};
    MPI_Allreduce(MPI_IN_PLACE, least, 2, MPI_INT64_T, MPI_MIN, MPI_COMM_WORLD);
    if (least[0] != -least[1])
        dwt_fail("%s: the ranks have %" PRId64 " to %" PRId64 ", this one %" PRId64, what, least[0], -least[1], value);
}

double dwt_ranks_seconds(void) {
    return MPI_Wtime();
}

void dwt_job_init(dwt_job *job, const dwc_problem *problem, uint64_t seed) {
    dwt_rng rng = {seed};
    dwc_error error;
    *job = (dwt_job){.problem = *problem};
    dwt_note(problem, seed, NULL);
    dwt_ok(dwc_problem_geometry(problem, &job->geometry, &error), &error, "dwc_problem_geometry");
    const dwc_geometry *g = &job->geometry;
    job->input = dwt_elements(problem->dtype, g->input_elements);
    job->filter = dwt_elements(problem->dtype, g->filter_elements);
    job->bias = problem->bias ? dwt_elements(problem->dtype, g->bias_elements) : NULL;
    job->output = dwt_elements(problem->dtype, g->output_elements);
    job->output_bytes = (size_t)g->output_elements * g->element_bytes;
    dwt_fill(&rng, DWT_REAL, problem->dtype, job->input, g->input_elements);
    dwt_fill(&rng, DWT_REAL, problem->dtype, job->filter, g->filter_elements);
    if (job->bias != NULL)
        dwt_fill(&rng, DWT_REAL, problem->dtype, job->bias, g->bias_elements);
}

void dwt_job_expect(dwt_job *job, const dwc_plan_info *numerics) {
    dwc_context *context = dwt_context(dwc_isa_parse(numerics->isa));
    dwc_plan_options options;
    dwc_plan_info info;
    dwc_plan *plan;
    dwc_error error;
    dwc_plan_options_init(&options);
    options.algo = numerics->algo;
    options.params = numerics->params[0] != '\0' ? numerics->params : NULL;
    options.threads = 1;
    dwt_ok(dwc_plan_create(context, &job->problem, &options, &plan, &error), &error, "dwc_plan_create");
    dwc_plan_get_info(plan, &info);
    void *packed = dwc_allocate(context, info.packed_bytes), *workspace = dwc_allocate(context, info.workspace_bytes);
    dwt_ok(dwc_plan_pack_filter(plan, job->filter, packed, &error), &error, "dwc_plan_pack_filter");
    dwt_ok(dwc_plan_execute(plan, job->input, packed, job->bias, job->output, workspace, &error), &error,
           "dwc_plan_execute");
    dwc_release(context, packed);
    dwc_release(context, workspace);
    dwc_plan_destroy(plan);
}

void dwt_job_free(dwt_job *job) {
    free(job->input);
    free(job->filter);
    free(job->bias);
    free(job->output);
}

void *dwt_job_run_parts(const dwt_job *job, dwc_mpi_context *context, dwc_mpi_plan *plan, int root) {
    const dwc_context *local = dwc_mpi_context_local(context);
    dwc_mpi_plan_info info;
    dwc_mpi_part part;
    dwc_error error;
    dwc_mpi_plan_get_info(plan, &info);
    dwt_ok(dwc_mpi_plan_part(plan, dwt_rank, &part, &error), &error, "dwc_mpi_plan_part");
    void *input = dwt_elements(job->problem.dtype, part.input_elements);
    void *output = dwt_elements(job->problem.dtype, part.output_elements);
    void *whole = dwt_rank == root ? dwt_elements(job->problem.dtype, job->geometry.output_elements) : NULL;
    void *packed = dwc_allocate(local, info.local.packed_bytes);
    void *workspace = dwc_allocate(local, info.local.workspace_bytes);
    memset(input, 0xff, (size_t)part.input_elements * job->geometry.element_bytes); /* NaN: every row has to come */
    dwt_ok(dwc_mpi_plan_pack_filter(plan, job->filter, packed, &error), &error, "dwc_mpi_plan_pack_filter");
    dwt_ok(dwc_mpi_plan_scatter(plan, root, dwt_rank == root ? job->input : NULL, input, &error), &error,
           "dwc_mpi_plan_scatter");
    dwt_ok(dwc_mpi_plan_execute(plan, input, packed, job->bias, output, workspace, &error), &error,
           "dwc_mpi_plan_execute");
    dwt_ok(dwc_mpi_plan_gather(plan, root, output, whole, &error), &error, "dwc_mpi_plan_gather");
    dwc_release(local, packed);
    dwc_release(local, workspace);
    free(input);
    free(output);
    return whole;
}
