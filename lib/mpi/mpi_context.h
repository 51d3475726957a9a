/* SPDX-License-Identifier: Apache-2.0 */
/* The context of all ranks, seen from inside. */
#ifndef DWC_MPI_MPI_CONTEXT_H
#define DWC_MPI_MPI_CONTEXT_H

#include "dwconv_mpi.h"

struct dwc_mpi_context {
    MPI_Comm comm;
    int rank, size;
    dwc_mpi_place place;
    int neighbour;       /* a rank to measure the network with: the first of another node, else the last */
    dwc_context *own;    /* with the best instruction set of this rank */
    dwc_context *common; /* with the best that all ranks have; may be `own` */
    dwc_mpi_options options;
    int *tuners; /* ranks that may tune at the same time: of those that share cores the first */
    int tuner_count;
    unsigned plans; /* made so far: their tags */
    int broken;
    /* dwc_plan_execute; tests put one here that fails. */
    dwc_status (*execute)(const dwc_plan *plan, const void *input, const void *packed, const void *bias, void *output,
                          void *workspace, dwc_error *error);
};

#endif
