/* SPDX-License-Identifier: Apache-2.0 */
/* The work of `dwconv conv`: piece after piece of the split is read, convolved and written, at the same time where the
 * memory holds two sets of buffers.
 *
 *     input file --pread--> input buffer --plan of the piece--> output buffer --pwrite--> partial output
 *          a thread of its own         the caller's thread              a thread of its own -> journal
 *
 * Buffers, packed filters and workspace together stay within the split's memory. */
#ifndef STREAM_H
#define STREAM_H

#include "file.h"
#include "journal.h"
#include "split.h"

typedef struct stream_job {
    split_request request;
    stream_split split; /* of the request */
    const input_file *input;
    const output_file *output;
    int64_t input_offset, output_offset; /* of the first element in the files */
    const void *filter, *bias;           /* as read; bias NULL if there is none */
    int64_t *chunks;                     /* to compute, in this order, none twice */
    int64_t count;
    const journal_chunk *known; /* of a job of one chunk, which must come out with this checksum and is not written;
                                   else NULL */
    journal *journal;           /* of finished chunks */
    double checkpoint;          /* seconds of work between two groups of its records */
    int io_threads;             /* to read with, and as many to write with; 1..crew_most */
    double stall;               /* most seconds that a step may take; 0: any */
    int silent;                 /* no progress bar */
} stream_job;

typedef struct stream_report {
    double read_seconds, compute_seconds, write_seconds; /* of each thread */
    int threads;                                         /* most that any piece used; 0 if there was no piece */
} stream_report;

/* Computes the chunks. EXIT_STOPPED: on request, at the end of a chunk. A rank that stops or fails calls the others
 * off, which then stop too, without a failure of their own; all then call team_settle. */
int stream_run(const stream_job *job, stream_report *report, cli_failure *failure);

/* Records what the last run has finished and not yet recorded; to be called after a stop. */
int stream_record(cli_failure *failure);

/* From now on SIGUSR1 is the request to stop. */
void stream_watch_stop(void);

#endif
