/* SPDX-License-Identifier: Apache-2.0 */
/* How a batch is cut: into chunks, units of what is finished, recorded and dealt to processes, which follow from the
 * problem and the algorithm alone; and these into pieces that fit the memory.
 *
 *     image 0 | image 1 | image 2 | image 3 | ...        chunks and pieces of whole images, all rows
 *
 *     +--------------------+ pad_top                     bands: one image, some output rows; a band is a problem of
 *     |....................| input rows of band 0        its own, over the input rows its windows touch, with
 *     |....................|\  shared by both            explicit padding where they leave the image
 *     |....................| input rows of band 1
 *
 * A band takes algorithm and parameters from the plan of the whole batch, so its bits are those of the uncut job. */
#ifndef SPLIT_H
#define SPLIT_H

#include "cli.h"

typedef struct stream_piece {
    dwc_problem problem;
    int64_t image, row;            /* first image, first output row */
    int64_t rows;                  /* output rows */
    int64_t input_row, input_rows; /* of each image */
} stream_piece;

typedef struct stream_split {
    dwc_problem whole;
    dwc_geometry geometry;
    int64_t chunk_images, chunk_rows;    /* of a chunk; the last ones may be smaller */
    int64_t images, rows;                /* of a piece; the last ones of a chunk may be smaller */
    int buffers;                         /* pieces in memory at a time, 2 where one is read while another is computed */
    int64_t input_bytes, output_bytes;   /* of the largest piece */
    int64_t packed_bytes, scratch_bytes; /* largest packed filter and workspace of any piece */
    int64_t fixed_bytes;                 /* filter and bias as read */
} stream_split;

/* What the user and the plan of the whole batch prescribe. */
typedef struct split_request {
    const dwc_context *context;
    dwc_plan_options plan;            /* for every piece: a name and parameters, not "auto" */
    dwc_problem problem;              /* the whole batch */
    int64_t memory;                   /* most bytes in buffers at any time */
    int64_t chunk_images, chunk_rows; /* wanted chunks; 0: what suits the problem */
    int64_t band_rows;                /* bands of rows begin at multiples of this; 0: whole images only */
} split_request;

/* Chooses chunks and pieces. EXIT_USAGE, naming the memory needed, if the smallest band is too large. */
int split_choose(const split_request *request, stream_split *split, cli_failure *failure);

/* Number of chunks, in the order of the output; 0 if the output is empty. Number of pieces of a chunk. */
int64_t split_chunks(const stream_split *split);
int64_t split_pieces(const stream_split *split, int64_t chunk);
stream_piece split_piece(const stream_split *split, int64_t chunk, int64_t index);

/* Whether the output of a chunk begins at a multiple of 4096 bytes of the output's data. */
int split_begins_page(const stream_split *split, int64_t chunk);

/* Whether one plan serves both pieces. */
int split_same_plan(const stream_piece *a, const stream_piece *b);

#endif
