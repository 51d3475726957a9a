/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from rank to rank, in messages of limited length, and how to wait for them.
 *
 *     slab: `lines` times `bytes` bytes, `stride` apart       a message: whole lines, or a part of one
 *     | ####.... | ####.... | ####.... |                      | ######## | ######## | ###### |
 *
 * Which message holds what follows from lines, bytes and limit alone, so the strides of both ends may differ. */
#ifndef DWC_MPI_TRANSFER_H
#define DWC_MPI_TRANSFER_H

#include "mpi/mpi_context.h"

typedef struct dwci_mpi_slab {
    char *data;
    int64_t lines, bytes, stride;
} dwci_mpi_slab;

/* `bytes` bytes in one piece. */
dwci_mpi_slab dwci_mpi_flat(const void *data, int64_t bytes);

/* Between slabs of one process. */
void dwci_mpi_copy(const dwci_mpi_slab *to, const dwci_mpi_slab *from);

/* All zero: nothing to do. Transfers between the same two ranks that may be under way at the same time need tags of
 * their own. */
enum { DWCI_MPI_WINDOW = 16 };
typedef struct dwci_mpi_transfer {
    dwci_mpi_slab slab;
    int peer, tag; /* peer: MPI_ANY_SOURCE becomes the rank it was; for one message */
    int sending;
    int received;       /* a message sent is through when its receiver has taken it, not sooner */
    int64_t limit;      /* of its messages, where less than the context's; 0: none */
    int64_t line, byte; /* what the next message begins with */
    int pending;        /* messages under way */
    MPI_Request requests[DWCI_MPI_WINDOW];
} dwci_mpi_transfer;

void dwci_mpi_transfer_start(dwci_mpi_transfer *t, const dwci_mpi_slab *slab, int peer, int tag, int sending);

/* Between nodes, in short messages if all of them can be under way at the same time: these leave at once, and the
 * system moves them while both ranks compute. To be said before the first look, by both ends. */
void dwci_mpi_transfer_shorten(const dwc_mpi_context *context, dwci_mpi_transfer *t);

int dwci_mpi_transfer_done(const dwci_mpi_transfer *t);

/* One look at `count` transfers: completes messages and begins others. *moved becomes 1 if there were any. All messages
 * are looked at together: what takes its time is MPI's look at the network, once for all of them. */
dwc_status dwci_mpi_look(dwc_mpi_context *context, dwci_mpi_transfer *const *transfers, int count, int *moved,
                         dwc_error *error);

/* Completes all of them, DWCI_MPI_MOST_AT_ONCE at most. */
enum { DWCI_MPI_MOST_AT_ONCE = 32 };
dwc_status dwci_mpi_transfer_all(dwc_mpi_context *context, dwci_mpi_transfer *transfers, int count, dwc_error *error);

/* Waiting: call after each look in vain. For half a millisecond it returns at once, or lets ranks on the same cores
 * run. After that it sleeps, the longer the longer it has waited. But only looks move the fragments of long messages,
 * so while there are such (`data`) a rank that has its cores for itself never sleeps, and others only between a few
 * looks and not for long. All zero at first, and again when a look was not in vain. */
typedef struct dwci_mpi_patience {
    double since;
    int looks;
} dwci_mpi_patience;
void dwci_mpi_pause(const dwc_mpi_context *context, dwci_mpi_patience *patience, int data);

/* Waits for one request, of control data. */
dwc_status dwci_mpi_wait(dwc_mpi_context *context, MPI_Request *request, dwc_error *error);

/* Reports a code of MPI and breaks the context. */
dwc_status dwci_mpi_break(dwc_mpi_context *context, int code, dwc_error *error);

#endif
