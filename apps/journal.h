/* SPDX-License-Identifier: Apache-2.0 */
/* Journals of `dwconv conv`: which chunks of OUT.partial are finished and safe on disk. Each process appends to one of
 * its own, OUT.partial-K.journal:
 *
 *     1024 bytes   a JSON object that says which job this is, blanks, a newline
 *     64 bytes     a record: a chunk, the checksum of its output, its own checksum
 *     64 bytes     ...
 *
 * Data is made durable before the records that speak of it. A torn or damaged record counts as none; its chunk is then
 * computed again. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "cli.h"

enum { JOURNAL_TEXT = 900 };

/* What a job is; two that agree in all of it write the same bytes. */
typedef struct journal_job {
    char problem[DWC_PROBLEM_TEXT_MAX];
    char version[32];                                    /* of dwconv */
    char algo[32], params[DWC_PARAMS_TEXT_MAX], isa[16]; /* numerics; see journal_compare */
    int revision;                                        /* of the algorithm */
    int64_t input_bytes, input_time;                     /* size, and nanoseconds of the last change */
    int64_t filter, bias;                                /* checksums of their data */
    int64_t chunk_images, chunk_rows;
    int64_t mark[2]; /* a number of this run that the partial file has too, see conv_output.c */
} journal_job;

typedef struct journal_chunk {
    int64_t chunk;
    uint32_t output; /* checksum, see piece_io.h */
} journal_chunk;

/* What the journals of an output hold. */
typedef struct journal_found {
    journal_job job;       /* of the first readable one */
    int64_t count;         /* of chunks, each once, in order; 0: nothing to go on with */
    journal_chunk *chunks; /* released by journal_forget */
    int64_t next;          /* a number K that no journal has, nor any after it */
} journal_found;

/* Reads all journals of `output`. EXIT_USAGE: they are of different jobs, or of another format. */
int journal_read(const char *output, journal_found *found, cli_failure *failure);
void journal_forget(journal_found *found);

/* NULL, or the field in which two jobs want another result: problem, input, filter, bias. */
const char *journal_difference(const journal_job *a, const journal_job *b);

/* EXIT_USAGE, naming the field, unless `now` continues the job. Of `direct` any parameters, and all instruction sets
 * with fused multiply-add, give the same bits. */
int journal_compare(const char *output, const journal_job *before, const journal_job *now, cli_failure *failure);

/* Whether another instruction set gives the bits of the job. */
int journal_same_bits(const journal_job *job, const char *isa);

/* Removes all journals of `output`, durably. */
int journal_remove(const char *output, cli_failure *failure);

/* The job as text, and back; 0: it does not fit, or is none. */
int journal_print(const journal_job *job, char text[JOURNAL_TEXT]);
int journal_parse(const char *text, journal_job *job);

/* A journal to append to. */
typedef struct journal {
    char *path; /* NULL: none */
    int fd;     /* -1: not created yet */
    char text[JOURNAL_TEXT];
    uint32_t job; /* checksum of the text */
} journal;

/* Names journal number K of `output`; journal_append creates it with the first chunks, durably. */
int journal_open(const char *output, int64_t number, const journal_job *job, journal *file, cli_failure *failure);
int journal_append(journal *file, const journal_chunk *chunks, int count, cli_failure *failure);
void journal_close(journal *file); /* does nothing for a journal of zeros */

#endif
