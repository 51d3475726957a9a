/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of a batch between memory, where they lie dense, and the files. */
#ifndef PIECE_IO_H
#define PIECE_IO_H

#include "file.h"
#include "split.h"

int piece_read(const stream_split *split, const stream_piece *piece, const input_file *file, int64_t offset,
               void *buffer, cli_failure *failure);
/* The piece's output from a finished file. */
int piece_read_back(const stream_split *split, const stream_piece *piece, const input_file *file, int64_t offset,
                    void *buffer, cli_failure *failure);
int piece_write(const stream_split *split, const stream_piece *piece, const output_file *file, int64_t offset,
                const void *buffer, cli_failure *failure);

/* A checksum of the piece's output: a sum over its rows, so that the sum over the pieces of a chunk does not depend on
 * how it was cut. A row counts by its place too. */
uint32_t piece_checksum(const stream_split *split, const stream_piece *piece, const void *output);

#endif
