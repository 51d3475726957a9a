/* SPDX-License-Identifier: Apache-2.0 */
/* The work of `dwconv conv`: piece after piece of the split is read, convolved and written.
 *
 *     input file --pread--> input buffer --plan of the piece--> output buffer --pwrite--> partial output
 *
 * Buffers, packed filters and workspace together stay within the split's memory. */
#ifndef STREAM_H
#define STREAM_H

#include "file.h"
#include "split.h"

typedef struct stream_job {
    split_request request;
    stream_split split; /* of the request */
    const input_file *input;
    const output_file *output;
    int64_t input_offset, output_offset; /* of the first element in the files */
    const void *filter, *bias;           /* as read; bias NULL if there is none */
} stream_job;

typedef struct stream_report {
    double read_seconds, compute_seconds, write_seconds;
    int threads; /* most that any piece used; 0 if there was no piece */
} stream_report;

int stream_run(const stream_job *job, stream_report *report, cli_failure *failure);

#endif
