/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of all ranks, seen from inside. */
#ifndef DWC_MPI_MPI_PLAN_H
#define DWC_MPI_MPI_PLAN_H

#include "mpi/partition.h"
#include "mpi/transfer.h"

/* The numerics that one rank chose for all. */
typedef struct dwci_mpi_choice {
    char algo[32];
    char params[DWC_PARAMS_TEXT_MAX];
    int64_t unit;   /* of the partition */
    double image_s; /* the root's guess of the seconds for one image */
} dwci_mpi_choice;

/* A transfer of this rank's halo: rows of its input. */
typedef struct dwci_mpi_edge {
    int peer, sending;
    dwci_mpi_rows rows;
} dwci_mpi_edge;

struct dwc_mpi_plan {
    dwc_mpi_context *context;
    dwci_mpi_partition partition;
    dwci_mpi_choice choice;
    dwc_plan_options options; /* that make plans with this choice; point into `choice` */
    const dwc_context *with;  /* whose kernels are used */
    dwc_mpi_part part;
    dwc_plan *local;
    int tag; /* first of DWCI_MPI_TAGS */
    int edge_count;
    dwci_mpi_edge edges[];
};

/* Tags of a plan; each slot of a pipeline has two of its own. */
enum { DWCI_MPI_SLOTS = 6 };
enum {
    DWCI_MPI_TAG_ROWS,
    DWCI_MPI_TAG_FILTER,
    DWCI_MPI_TAG_BIAS,
    DWCI_MPI_TAG_ORDER,
    DWCI_MPI_TAG_VERDICT,
    DWCI_MPI_TAG_INPUT,
    DWCI_MPI_TAG_OUTPUT = DWCI_MPI_TAG_INPUT + DWCI_MPI_SLOTS,
    DWCI_MPI_TAGS = DWCI_MPI_TAG_OUTPUT + DWCI_MPI_SLOTS
};

/* Rows first .. first+rows-1 of images image .. image+images-1 in a tensor of `height` rows per image, of this plan's
 * input or output. */
typedef struct dwci_mpi_view {
    const void *tensor;
    int64_t height;
    int64_t image, images;
    int64_t row, rows;
} dwci_mpi_view;
dwci_mpi_slab dwci_mpi_input_slab(const dwc_mpi_plan *plan, const dwci_mpi_view *view);
dwci_mpi_slab dwci_mpi_output_slab(const dwc_mpi_plan *plan, const dwci_mpi_view *view);

/* Moves the parts of all ranks between the whole tensor of rank `root` and `part`; to_root: outputs, else inputs. To be
 * called by all ranks after they agreed. */
dwc_status dwci_mpi_move_parts(const dwc_mpi_plan *plan, int root, int to_root, const void *whole, const void *part,
                               dwc_error *error);

/* The same for filter and bias, from the root's memory to that of the others. */
dwc_status dwci_mpi_spread_filter(const dwc_mpi_plan *plan, int root, const void *filter, const void *bias,
                                  dwc_error *error);

/* This rank's part, its halo first; the same. */
dwc_status dwci_mpi_compute_part(const dwc_mpi_plan *plan, void *input, const void *packed, const void *bias,
                                 void *output, void *workspace, dwc_error *error);

#endif
