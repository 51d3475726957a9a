/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of a batch from the root to whoever is free, and back.
 *
 *     root     order, input ──>  slots of each worker  ──> verdict, output     a free slot is a credit
 *              and computes pieces itself, looking at the messages in between
 *
 * A long message crosses in three steps (announced, accepted, sent), each when the rank whose turn it is looks again,
 * that is after a piece. A piece is on its way for six of them; so many slots keep a worker busy. Between nodes tensors
 * of up to 960 KiB go in short messages, which skip the first two steps.
 *
 * The root gives the next piece to the worker that has the fewest. To workers that wait for work only a few inputs
 * leave at the same time, so that the first of them begins soon and outputs come back while inputs still leave; those
 * that compute get theirs beside. Near the end the root gives away only what comes back before it could have done all
 * the rest itself, and nothing at all where moving a piece takes it longer than computing it.
 *
 *     order    a byte: a piece, the smaller piece at the end, or no more
 *     verdict  a byte: the status of its computation; the output follows if it is DWC_OK. A worker that failed stays at
 *              its place and answers like that until there are no more */
#ifndef DWC_MPI_PIPELINE_H
#define DWC_MPI_PIPELINE_H

#include "mpi/engine.h"

typedef struct dwci_mpi_job {
    const dwc_mpi_plan *plan;
    int root, alone; /* alone: without workers */
    const void *input;
    const void *filter, *bias; /* of the root; the others get theirs */
    void *output;
} dwci_mpi_job;

/* For ranks that have agreed. *own: pieces that this rank computed. The same status on all. */
dwc_status dwci_mpi_pipeline(const dwci_mpi_job *job, int64_t *own, dwc_error *error);

/* Seconds without a message that a rank waits for before it computes a piece, after one that took so long. */
double dwci_mpi_quiet(double piece_s);

#endif
