/* SPDX-License-Identifier: Apache-2.0 */
/* Whether journals can be believed, before `dwconv conv` goes on with the work they speak of. */
#include "conv.h"
#include "piece_io.h"
#include "team.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Whether the file has the chunk. */
static int has_chunk(const conv_run *run, const journal_chunk *known, void *buffer, int *has, cli_failure *failure) {
    const stream_split *split = &run->job.split;
    const input_file file = {.path = run->output.partial, .fd = run->output.fd};
    uint32_t checksum = 0;
    for (int64_t i = 0; i < split_pieces(split, known->chunk); i++) {
        const stream_piece piece = split_piece(split, known->chunk, i);
        if (piece_read_back(split, &piece, &file, run->output_header.data_offset, buffer, failure) ||
            piece_write(NULL, split, &piece, NULL, 0, buffer, &checksum, failure))
            return failure->code;
    }
    *has = checksum == known->output;
    return EXIT_DONE;
}

/* Marks this rank's share of those that are not there. */
static int read_back(const conv_run *run, int64_t *missing, cli_failure *failure) {
    const journal_found *found = &run->found;
    const int64_t size = team_size(), rank = team_rank();
    void *buffer = dwc_allocate(run->context, (size_t)run->job.split.output_bytes);
    if (!buffer)
        return fail(failure, EXIT_FAILED, "out of memory: %" PRId64 " bytes to read what is finished",
                    run->job.split.output_bytes);
    for (int64_t i = found->count * rank / size; i < found->count * (rank + 1) / size && !failure->code; i++) {
        int has = 0;
        has_chunk(run, &found->chunks[i], buffer, &has, failure);
        missing[i] = !has;
    }
    dwc_release(run->context, buffer);
    return failure->code;
}

static int forget_missing(conv_run *run, cli_failure *failure) {
    journal_found *found = &run->found;
    int64_t *missing = calloc((size_t)found->count, sizeof *missing), kept = 0;
    if (!missing)
        fail(failure, EXIT_FAILED, "out of memory");
    if (!team_agree(failure)) {
        read_back(run, missing, failure);
        team_sum(missing, (int)found->count);
        for (int64_t i = 0; i < found->count; i++)
            if (!missing[i])
                found->chunks[kept++] = found->chunks[i];
        if (kept < found->count && !failure->code && team_rank() == 0)
            cli_warn(failure, "%s: %" PRId64 " of %" PRId64 " recorded chunks are damaged and are computed again",
                     run->output.partial, found->count - kept, found->count);
        found->count = kept;
    }
    free(missing);
    return team_agree(failure);
}

/* Rank 0: a chunk computed again; the others' files, libraries and numerics are known to be the same. */
static int compute_again(conv_run *run, cli_failure *failure) {
    stream_job job = run->job;
    stream_report ignored;
    job.chunks = &run->found.chunks[0].chunk;
    job.count = 1;
    job.known = &run->found.chunks[0];
    job.silent = 1;
    return stream_run(&job, &ignored, failure);
}

int conv_check(conv_run *run, cli_failure *failure) {
    if (run->found.count == 0)
        return EXIT_DONE;
    if (forget_missing(run, failure))
        return failure->code;
    if (run->found.count && team_rank() == 0)
        compute_again(run, failure);
    team_settle();
    return team_agree(failure);
}
