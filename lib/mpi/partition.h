/* SPDX-License-Identifier: Apache-2.0 */
/* Who has what: pure arithmetic, the same on every rank, no message.
 *
 *     ranks are dealt to groups, images too; the ranks of a group share the output rows of its images
 *
 *     batch split     one group per rank                 spatial split   one group per image (or one for all images)
 *
 * Tiles begin at multiples of `unit` output rows. Between two tiles the input rows that both touch go to the one below
 * from the row on that lies under its first output row without padding; rows that no window touches are nobody's. */
#ifndef DWC_MPI_PARTITION_H
#define DWC_MPI_PARTITION_H

#include "dwconv_mpi.h"

typedef struct dwci_mpi_partition {
    dwc_problem problem; /* the whole */
    dwc_geometry geometry;
    int ranks, groups;
    int64_t unit;
} dwci_mpi_partition;

/* `problem` has to be valid. unit: band_rows of the algorithm; 0: a batch split, as without any output. */
dwci_mpi_partition dwci_mpi_partition_make(const dwc_problem *problem, int ranks, int64_t unit);

dwc_mpi_part dwci_mpi_part_of(const dwci_mpi_partition *partition, int rank);

/* What the rank computes, as a problem of its own with the same bits; without images if it has nothing. */
dwc_problem dwci_mpi_part_problem(const dwci_mpi_partition *partition, const dwc_mpi_part *part);

/* The ranks of the same group: *first and how many. */
int dwci_mpi_group_of(const dwci_mpi_partition *partition, int rank, int *first);

/* Input rows that `to` needs and `from` owns; 0 rows: none. */
typedef struct dwci_mpi_rows {
    int64_t row, rows;
} dwci_mpi_rows;
dwci_mpi_rows dwci_mpi_halo(const dwci_mpi_partition *partition, int from, int to);

#endif
