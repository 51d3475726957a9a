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

/* Rows of a piece in a file and in memory: `count` runs of `rows` rows of `row` bytes, one run every `step` bytes of
 * the file from `offset`, dense in memory. One run, except for some rows of an NCHW image, which have one per channel.
 */
typedef struct file_runs {
    int64_t offset, step, rows, row, count;
} file_runs;

static file_runs find_runs(const batch *b, const stream_piece *piece, int64_t row, int64_t rows) {
    const int64_t plane_row = b->width * b->element_bytes; /* one row of one channel plane */
    const int64_t image = b->height * plane_row * b->channels;
    const int planes = b->layout == DWC_NCHW && rows < b->height;
    return (file_runs){
        .offset = piece->image * image + row * (planes ? plane_row : plane_row * b->channels),
        .step = b->height * plane_row,
        .row = b->layout == DWC_NCHW ? plane_row : plane_row * b->channels,
        .rows = planes ? rows : rows * piece->problem.n * (b->layout == DWC_NCHW ? b->channels : 1),
        .count = planes ? b->channels : 1,
    };
}

/* One transfer: from a file, or to a file if there is one. */
typedef struct transfer {
    file_runs runs;
    const input_file *from;
    const output_file *to;
    int64_t offset;
    char *buffer;
    cli_failure failures[crew_most]; /* of the parts, as the next */
    uint32_t checksums[crew_most];
} transfer;

/* Some rows of one run. */
static int transfer_rows(transfer *t, int64_t run, int64_t row, int64_t rows, int part) {
    const file_runs *r = &t->runs;
    const int64_t place = r->offset + run * r->step + row * r->row, bytes = rows * r->row;
    char *memory = t->buffer + (run * r->rows + row) * r->row;
    cli_failure *failure = &t->failures[part];
    if (t->from)
        return input_read(t->from, memory, bytes, t->offset + place, failure);
    for (int64_t i = 0; i < rows; i++)
        t->checksums[part] += dwc_expert_crc32c((uint32_t)(place / r->row + i), memory + i * r->row, (size_t)r->row);
    return t->to ? output_write(t->to, memory, bytes, t->offset + place, failure) : EXIT_DONE;
}

/* A share of the rows. */
static void transfer_part(void *data, int part, int parts) {
    transfer *t = data;
    const int64_t height = t->runs.rows, total = height * t->runs.count;
    const int64_t begin = (int64_t)((double)total * part / parts);
    const int64_t end = part == parts - 1 ? total : (int64_t)((double)total * (part + 1) / parts);
    for (int64_t row = begin, count; row < end; row += count) {
        const int64_t within = row % height;
        count = height - within < end - row ? height - within : end - row;
        if (transfer_rows(t, row / height, within, count, part))
            return;
    }
}

/* Less is not worth to be divided. */
enum { divided_bytes = 1 << 20 };

static int run(transfer *t, crew *c, uint32_t *checksum, cli_failure *failure) {
    const int divided = c && t->runs.row * t->runs.rows * t->runs.count >= divided_bytes;
    for (int i = 0; i < crew_most; i++)
        t->checksums[i] = 0, t->failures[i].code = 0;
    if (divided)
        crew_run(c, transfer_part, t);
    else
        transfer_part(t, 0, 1);
    for (int i = 0; i < crew_most; i++) {
        if (checksum)
            *checksum += t->checksums[i];
        if (t->failures[i].code)
            fail(failure, t->failures[i].code, "%s", t->failures[i].text);
    }
    return failure->code;
}

static int read_runs(crew *c, file_runs runs, const input_file *file, int64_t offset, void *buffer,
                     cli_failure *failure) {
    transfer t;
    t.runs = runs;
    t.from = file, t.to = NULL;
    t.offset = offset;
    t.buffer = buffer;
    return run(&t, c, NULL, failure);
}

int piece_read(crew *c, const stream_split *split, const stream_piece *piece, const input_file *file, int64_t offset,
               void *buffer, cli_failure *failure) {
    const batch b = input_batch(split);
    return read_runs(c, find_runs(&b, piece, piece->input_row, piece->input_rows), file, offset, buffer, failure);
}

int piece_read_back(const stream_split *split, const stream_piece *piece, const input_file *file, int64_t offset,
                    void *buffer, cli_failure *failure) {
    const batch b = output_batch(split);
    return read_runs(NULL, find_runs(&b, piece, piece->row, piece->rows), file, offset, buffer, failure);
}

int piece_write(crew *c, const stream_split *split, const stream_piece *piece, const output_file *file, int64_t offset,
                const void *buffer, uint32_t *checksum, cli_failure *failure) {
    const batch b = output_batch(split);
    transfer t;
    t.runs = find_runs(&b, piece, piece->row, piece->rows);
    t.from = NULL, t.to = file;
    t.offset = offset;
    t.buffer = (char *)buffer; /* only read */
    return run(&t, c, checksum, failure);
}
