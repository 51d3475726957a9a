/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that run on several MPI ranks: every rank runs all of them, and the first failure of any ends the job.
 *
 *     mpirun -n 4 test_mpi_bits --seed 1 --count 20
 */
#ifndef DWT_RANKS_H
#define DWT_RANKS_H

#include "dwconv_mpi.h"
#include "harness.h"

extern int dwt_rank, dwt_ranks;

/* Initialises MPI, reads the arguments, and silences the standard output of all ranks but 0. */
void dwt_ranks_begin(int argc, char **argv);

/* Runs the tests on all ranks and finalises MPI; aborts the job where one fails. */
int dwt_ranks_run(const struct CMUnitTest *tests, size_t count);

/* A context over all ranks. cap: of the instruction set of this rank; message_bytes 0: the default. */
dwc_mpi_context *dwt_ranks_context(dwc_isa cap, int64_t message_bytes);

/* Fails unless all ranks have this value. */
void dwt_ranks_same(int64_t value, const char *what);

/* Seconds of some clock. */
double dwt_ranks_seconds(void);

/* The tensors of a job, whole, on every rank, with the output that one process computes by this plan's numerics. */
typedef struct dwt_job {
    dwc_problem problem;
    dwc_geometry geometry;
    void *input, *filter, *bias;
    void *output; /* of the plan last expected */
    size_t output_bytes;
} dwt_job;

void dwt_job_init(dwt_job *job, const dwc_problem *problem, uint64_t seed);
void dwt_job_expect(dwt_job *job, const dwc_plan_info *numerics);
void dwt_job_free(dwt_job *job);

/* Scatters the input, executes and gathers the output, which is to be released with free; NULL on ranks but `root`. */
void *dwt_job_run_parts(const dwt_job *job, dwc_mpi_context *context, dwc_mpi_plan *plan, int root);

#endif
