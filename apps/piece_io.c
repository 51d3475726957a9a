/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces and files; see piece_io.h. */
#include "piece_io.h"

#include "dwconv_expert.h"

/* A batch of images. */
typedef struct batch {
    dwc_layout layout;
    int64_t height, width, channels, element_bytes;
} batch;

static batch input_batch(const stream_split *split) {
    const dwc_problem *p = &split->whole;
    return (batch){p->layout, p->h, p->w, p->c, (int64_t)split->geometry.element_bytes};
}

static batch output_batch(const stream_split *split) {
    const dwc_geometry *g = &split->geometry;
    return (batch){split->whole.layout, g->oh, g->ow, g->oc, (int64_t)g->element_bytes};
}

/* Rows of images in a file, as `count` runs of `bytes` every `step` from `offset` that lie dense in memory: one run,
 * except for some rows of an NCHW image, which have one per channel. */
typedef struct file_runs {
    int64_t offset, step, bytes, count;
} file_runs;

static file_runs find_runs(const batch *b, const stream_piece *piece, int64_t row, int64_t rows) {
    int64_t plane_row = b->width * b->element_bytes; /* one row of one channel plane */
    int64_t image = b->height * plane_row * b->channels;
    int planes = b->layout == DWC_NCHW && rows < b->height;
    int64_t row_bytes = planes ? plane_row : plane_row * b->channels;
    return (file_runs){
        .offset = piece->image * image + row * row_bytes,
        .step = b->height * plane_row,
        .bytes = rows * row_bytes * piece->problem.n,
        .count = planes ? b->channels : 1,
    };
}

static int read_runs(const file_runs *runs, const input_file *file, int64_t offset, char *buffer,
                     cli_failure *failure) {
    int code = EXIT_DONE;
    for (int64_t i = 0; i < runs->count && !code; i++)
        code = input_read(file, buffer + i * runs->bytes, runs->bytes, offset + runs->offset + i * runs->step, failure);
    return code;
}

int piece_read(const stream_split *split, const stream_piece *piece, const input_file *file, int64_t offset,
               void *buffer, cli_failure *failure) {
    const batch b = input_batch(split);
    const file_runs runs = find_runs(&b, piece, piece->input_row, piece->input_rows);
    return read_runs(&runs, file, offset, buffer, failure);
}

int piece_read_back(const stream_split *split, const stream_piece *piece, const input_file *file, int64_t offset,
                    void *buffer, cli_failure *failure) {
    const batch b = output_batch(split);
    const file_runs runs = find_runs(&b, piece, piece->row, piece->rows);
    return read_runs(&runs, file, offset, buffer, failure);
}

int piece_write(const stream_split *split, const stream_piece *piece, const output_file *file, int64_t offset,
                const void *buffer, cli_failure *failure) {
    const batch b = output_batch(split);
    const file_runs runs = find_runs(&b, piece, piece->row, piece->rows);
    int code = EXIT_DONE;
    for (int64_t i = 0; i < runs.count && !code; i++)
        code = output_write(file, (const char *)buffer + i * runs.bytes, runs.bytes,
                            offset + runs.offset + i * runs.step, failure);
    return code;
}

uint32_t piece_checksum(const stream_split *split, const stream_piece *piece, const void *output) {
    const batch b = output_batch(split);
    const file_runs runs = find_runs(&b, piece, piece->row, piece->rows);
    const int64_t row = b.width * b.element_bytes * (b.layout == DWC_NHWC ? b.channels : 1);
    uint32_t sum = 0;
    for (int64_t i = 0; i < runs.count; i++)
        for (int64_t at = 0; at < runs.bytes; at += row) {
            const int64_t place = (runs.offset + i * runs.step + at) / row;
            sum += dwc_expert_crc32c((uint32_t)place, (const char *)output + i * runs.bytes + at, (size_t)row);
        }
    return sum;
}
