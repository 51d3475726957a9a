/* SPDX-License-Identifier: Apache-2.0 */
/* How a batch is cut into pieces that fit the memory: chunks of whole images, or bands of output rows of one image.
 *
 *     image 0 | image 1 | image 2 | image 3 | ...        chunks: pieces of `images` images, all rows
 *
 *     +--------------------+ pad_top                     bands: images = 1, `rows` output rows per piece; a band is a
 *     |....................| input rows of band 0        problem of its own, over the input rows its windows touch,
 *     |....................|\  shared by both            with explicit padding where they leave the image
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
    int64_t images, rows;                /* of a piece; the last ones may be smaller */
    int64_t input_bytes, output_bytes;   /* of the largest piece */
    int64_t packed_bytes, scratch_bytes; /* largest packed filter and workspace of any piece */
    int64_t fixed_bytes;                 /* filter and bias as read */
} stream_split;

/* What the user and the plan of the whole batch prescribe. */
typedef struct split_request {
    const dwc_context *context;
    dwc_plan_options plan; /* for every piece: a name and parameters, not "auto" */
    dwc_problem problem;   /* the whole batch */
    int64_t memory;        /* most bytes in buffers at any time */
    int64_t chunk_images;  /* images wanted per piece; 0: as many as stream well */
    int64_t band_rows;     /* bands of rows begin at multiples of this; 0: whole images only */
} split_request;

/* Chooses the pieces. EXIT_USAGE, naming the memory needed, if the smallest band is too large. */
int split_choose(const split_request *request, stream_split *split, cli_failure *failure);

/* Number of pieces, in the order of the output; 0 if the output is empty. */
int64_t split_count(const stream_split *split);
stream_piece split_piece(const stream_split *split, int64_t index);

/* Whether one plan serves both pieces. */
int split_same_plan(const stream_piece *a, const stream_piece *b);

#endif
