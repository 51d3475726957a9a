/* SPDX-License-Identifier: Apache-2.0 */
/* A batch over MPI ranks that own their images; alone or under mpirun.
 *
 *     input [ranks,2,3,2], each image 1..12, filter [2,2,2,2] = 1..16, no padding -> output [ranks,1,1,2,4]
 *
 * Rank 0 prints the last image's output, which has travelled: 196 216 272 296 252 280 344 376. */
#include <dwconv_mpi.h>

#include <stdio.h>
#include <stdlib.h>

static dwc_error error;

/* An example may simply stop; all ranks get the same status. */
static void need(int good) {
    if (!good) {
        fprintf(stderr, "mpi_batch: %s\n", error.message);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}

int main(int argc, char **argv) {
    float input[12], filter[16], output[8];
    dwc_mpi_context *context;
    dwc_problem problem;
    dwc_mpi_plan *plan;
    dwc_mpi_plan_info info;
    int provided;

    for (int i = 0; i < 12; i++)
        input[i] = (float)(i + 1);
    for (int i = 0; i < 16; i++)
        filter[i] = (float)(i + 1);

    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    need(dwc_mpi_context_create(MPI_COMM_WORLD, NULL, NULL, &context, &error) == DWC_OK);
    const dwc_mpi_place place = dwc_mpi_context_place(context);
    const dwc_context *local = dwc_mpi_context_local(context);

    /* One image for every rank. */
    need(dwc_problem_parse("f32:nhwc:n1:2x3x2:k2x2:m2:valid", &problem, &error) == DWC_OK);
    problem.n = place.size;
    need(dwc_mpi_plan_create(context, &problem, NULL, DWC_MPI_SPLIT_BATCH, &plan, &error) == DWC_OK);
    dwc_mpi_plan_get_info(plan, &info);
    void *packed = dwc_allocate(local, info.local.packed_bytes);
    void *workspace = dwc_allocate(local, info.local.workspace_bytes);
    float *all = malloc((size_t)place.size * sizeof output);
    need(packed && workspace && all);

    need(dwc_mpi_plan_pack_filter(plan, filter, packed, &error) == DWC_OK);
    need(dwc_mpi_plan_execute(plan, input, packed, NULL, output, workspace, &error) == DWC_OK);
    need(dwc_mpi_plan_gather(plan, 0, output, all, &error) == DWC_OK);
    for (int i = 0; i < 8 && place.rank == 0; i++)
        printf(i < 7 ? "%g " : "%g\n", (double)all[(place.size - 1) * 8 + i]);

    free(all);
    dwc_release(local, workspace);
    dwc_release(local, packed);
    dwc_mpi_plan_destroy(plan);
    dwc_mpi_context_destroy(context);
    MPI_Finalize();
    return 0;
}
