/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of a batch between memory, where they lie dense, and the files; by a crew of threads, or NULL: by the caller
 * alone. */
#ifndef PIECE_IO_H
#define PIECE_IO_H

#include "crew.h"
#include "file.h"
#include "split.h"

/* `offset` is that of the first element in the file. */
int piece_read(crew *c, const stream_split *split, const stream_piece *piece, const input_file *file, int64_t offset,
               void *buffer, cli_failure *failure);

/* The piece's output from a finished file. */
int piece_read_back(const stream_split *split, const stream_piece *piece, const input_file *file, int64_t offset,
                    void *buffer, cli_failure *failure);

/* Writes the piece's output (file NULL: does not) and adds its checksum: a sum over its rows, so that the sum over the
 * pieces of a chunk does not depend on how it was cut. A row counts by its place too. */
int piece_write(crew *c, const stream_split *split, const stream_piece *piece, const output_file *file, int64_t offset,
                const void *buffer, uint32_t *checksum, cli_failure *failure);

#endif
