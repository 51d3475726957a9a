/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting a batch; see split.h.
 * Buffer sizes follow from the piece, packed filter and workspace only from its plan. So: take the largest piece whose
 * buffers fit beside what plans were seen to need so far, ask the plans of all its shapes, and take a smaller one until
 * they agree. Each round is smaller than the one before, hence it ends. */
#include "split.h"

#include <inttypes.h>
#include <stdio.h>

/* Bytes of input and output per chunk. Larger ones make nothing faster: a chunk is then many times the work of starting
 * it. There should be enough of them for many processes, and little is lost when one is computed twice. */
enum { most_chunk_bytes = 64 << 20, least_chunk_bytes = 16 << 20, wanted_chunks = 1024 };

/* Chunks end where pages of the output file end, if they can: two processes then never write to the same page. */
enum { page_bytes = 4096 };

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Sums and products of byte counts, INT64_MAX for more than that. */
static int64_t add(int64_t a, int64_t b) {
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t multiply(int64_t a, int64_t b) {
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

/* Rows of input under `rows` rows of output, padding included; never more than the padded image has. */
static int64_t rows_under(const dwc_problem *problem, int64_t rows) {
    return (rows - 1) * problem->sh + (problem->kh - 1) * problem->dh + 1;
}

static void measure_buffers(stream_split *split) {
    const dwc_problem *p = &split->whole;
    const dwc_geometry *g = &split->geometry;
    int64_t input_rows = split->rows == g->oh ? p->h : least(p->h, rows_under(p, split->rows));
    int64_t element = (int64_t)g->element_bytes;
    split->input_bytes = multiply(split->images, input_rows * p->w * p->c * element);
    split->output_bytes = multiply(split->images, split->rows * g->ow * g->oc * element);
}

static int64_t total_bytes(const stream_split *split) {
    int64_t plan = add(split->packed_bytes, split->scratch_bytes);
    int64_t buffers = multiply(split->buffers, add(split->input_bytes, split->output_bytes));
    return add(add(split->fixed_bytes, plan), buffers);
}

static int64_t parts(int64_t whole, int64_t part) {
    return (whole - 1) / part + 1;
}

int64_t split_chunks(const stream_split *split) {
    if (split->geometry.output_elements == 0)
        return 0;
    return parts(split->whole.n, split->chunk_images) * parts(split->geometry.oh, split->chunk_rows);
}

/* Images and rows of the output. */
typedef struct area {
    int64_t image, images, row, rows;
} area;

static area chunk_area(const stream_split *split, int64_t chunk) {
    const int64_t bands = parts(split->geometry.oh, split->chunk_rows);
    area a = {.image = chunk / bands * split->chunk_images, .row = chunk % bands * split->chunk_rows};
    a.images = least(split->chunk_images, split->whole.n - a.image);
    a.rows = least(split->chunk_rows, split->geometry.oh - a.row);
    return a;
}

int split_begins_page(const stream_split *split, int64_t chunk) {
    const dwc_geometry *g = &split->geometry;
    const area a = chunk_area(split, chunk);
    const int64_t row = g->ow * (int64_t)g->element_bytes * (split->whole.layout == DWC_NHWC ? g->oc : 1);
    const int64_t image = g->oh * g->ow * g->oc * (int64_t)g->element_bytes;
    return (a.image * image + a.row * row) % page_bytes == 0;
}

int64_t split_pieces(const stream_split *split, int64_t chunk) {
    const area a = chunk_area(split, chunk);
    return parts(a.images, split->images) * parts(a.rows, split->rows);
}

/* The band's problem: its windows start at input row `first` and end at `last`, which may lie in the padding. */
static void cut_band(const stream_split *split, stream_piece *piece) {
    dwc_problem *p = &piece->problem;
    int64_t first = piece->row * p->sh - split->geometry.pad_top;
    int64_t last = first + rows_under(p, piece->rows) - 1;
    int64_t low = first < 0 ? 0 : first;
    int64_t high = least(last, p->h - 1);
    piece->input_rows = high < low ? 0 : high - low + 1;
    piece->input_row = piece->input_rows ? low : 0;
    p->h = piece->input_rows;
    p->padding = DWC_EXPLICIT;
    p->pad_top = piece->input_rows ? low - first : last - first + 1;
    p->pad_bottom = piece->input_rows ? last - high : 0;
    p->pad_left = split->geometry.pad_left;
    p->pad_right = split->geometry.pad_right;
}

stream_piece split_piece(const stream_split *split, int64_t chunk, int64_t index) {
    const area a = chunk_area(split, chunk);
    const int64_t bands = parts(a.rows, split->rows);
    stream_piece piece = {.problem = split->whole, .input_rows = split->whole.h};
    piece.image = a.image + index / bands * split->images;
    piece.row = a.row + index % bands * split->rows;
    piece.rows = least(split->rows, a.row + a.rows - piece.row);
    piece.problem.n = least(split->images, a.image + a.images - piece.image);
    if (piece.rows < split->geometry.oh)
        cut_band(split, &piece);
    return piece;
}

int split_same_plan(const stream_piece *a, const stream_piece *b) {
    const dwc_problem *p = &a->problem, *q = &b->problem;
    return p->n == q->n && p->h == q->h && p->pad_top == q->pad_top && p->pad_bottom == q->pad_bottom;
}

/* Raises packed_bytes and scratch_bytes to what the piece's plan needs, unless it is that of the piece before. */
static int measure_plan(const split_request *request, stream_piece piece, stream_piece *before, stream_split *split,
                        cli_failure *failure) {
    dwc_plan *plan;
    dwc_plan_info info;
    dwc_error error;
    if (split_same_plan(&piece, before))
        return EXIT_DONE;
    *before = piece;
    if (dwc_plan_create(request->context, &piece.problem, &request->plan, &plan, &error))
        return fail_library(failure, NULL, &error);
    dwc_plan_get_info(plan, &info);
    dwc_plan_destroy(plan);
    if ((int64_t)info.packed_bytes > split->packed_bytes)
        split->packed_bytes = (int64_t)info.packed_bytes;
    if ((int64_t)info.workspace_bytes > split->scratch_bytes)
        split->scratch_bytes = (int64_t)info.workspace_bytes;
    return EXIT_DONE;
}

/* Of an image in so many bands that walking them would take long, those in the middle have shapes of the others. */
enum { measured_bands = 4096 };

/* Asks the plans of the bands of one image. */
static int measure_bands(const split_request *request, stream_split *split, cli_failure *failure) {
    const int64_t in_chunk = parts(split->chunk_rows, split->rows);
    const int64_t last = parts(split->geometry.oh, split->chunk_rows) - 1;
    const int64_t count = last * in_chunk + parts(split->geometry.oh - last * split->chunk_rows, split->rows);
    stream_piece before = {0};
    for (int64_t i = 0; i < count; i++) {
        if (i == measured_bands && count > 2 * measured_bands)
            i = count - measured_bands;
        int code = measure_plan(request, split_piece(split, i / in_chunk, i % in_chunk), &before, split, failure);
        if (code)
            return code;
    }
    return EXIT_DONE;
}

/* Asks the plans of all shapes that occur: of whole images the first and the last piece of the first and the last
 * chunk. */
static int measure_plans(const split_request *request, stream_split *split, cli_failure *failure) {
    if (split->rows < split->geometry.oh)
        return measure_bands(request, split, failure);
    const int64_t chunks[] = {0, split_chunks(split) - 1};
    stream_piece before = {0};
    for (int i = 0; i < 4; i++) {
        const int64_t chunk = chunks[i / 2];
        const int64_t index = i % 2 ? split_pieces(split, chunk) - 1 : 0;
        int code = measure_plan(request, split_piece(split, chunk, index), &before, split, failure);
        if (code)
            return code;
    }
    return EXIT_DONE;
}

/* Largest number up to `most` for which everything fits with that many steps as *size; 0 if none does. */
static int64_t largest_fit(stream_split *split, int64_t *size, int64_t step, int64_t most, int64_t memory) {
    int64_t low = 0;
    while (low < most) {
        const int64_t middle = low + (most - low + 1) / 2;
        *size = middle * step;
        measure_buffers(split);
        if (total_bytes(split) <= memory)
            low = middle;
        else
            most = middle - 1;
    }
    return low;
}

/* Finds the largest *size (images or rows of split) up to `most` steps that fits, plans included; 0 if none does. What
 * the plans of a larger piece need only guides the next try: those of a smaller one may need less. */
static int fit(const split_request *request, stream_split *split, int64_t *size, int64_t step, int64_t most,
               cli_failure *failure) {
    while (most > 0) {
        const int64_t found = largest_fit(split, size, step, most, request->memory);
        *size = (found > 0 ? found : 1) * step;
        split->packed_bytes = split->scratch_bytes = 0;
        measure_buffers(split);
        int code = measure_plans(request, split, failure);
        if (code || total_bytes(split) <= request->memory)
            return code;
        most = *size / step - 1;
    }
    *size = 0;
    return EXIT_DONE;
}

/* `count` units of `unit` bytes, or a few more so that they fill whole pages, where that takes at most four times as
 * many. */
static int64_t whole_pages(int64_t count, int64_t unit) {
    int64_t step = page_bytes; /* over the common divisor of unit and page, a power of two */
    while (step > 1 && unit % 2 == 0) {
        step /= 2;
        unit /= 2;
    }
    const int64_t more = add(count, step - 1) / step * step;
    return more / 4 <= count ? more : count;
}

/* The chunks, from the problem and what was asked for alone. */
static void choose_chunks(const split_request *request, stream_split *split) {
    const dwc_geometry *g = &split->geometry;
    const int64_t element = (int64_t)g->element_bytes, step = request->band_rows;
    const double total = ((double)g->input_elements + (double)g->output_elements) * (double)element;
    const double image = total / (double)split->whole.n, wanted = total / wanted_chunks;
    const double bytes = wanted < least_chunk_bytes  ? least_chunk_bytes
                         : wanted > most_chunk_bytes ? most_chunk_bytes
                                                     : wanted;
    split->chunk_rows = g->oh;
    split->chunk_images = 1;
    if (request->chunk_images) {
        split->chunk_images = least(request->chunk_images, split->whole.n);
        if (request->chunk_rows)
            split->chunk_rows = request->chunk_rows;
    } else if (image <= bytes) {
        const int64_t count = whole_pages((int64_t)(bytes / image), g->output_elements / split->whole.n * element);
        split->chunk_images = least(count, split->whole.n);
    } else if (step > 0 && image > 2.0 * most_chunk_bytes) {
        const double row = image / (double)g->oh;
        const int64_t row_bytes = split->whole.layout == DWC_NHWC ? g->ow * g->oc * element : 1;
        const int64_t count = 1 + (int64_t)(most_chunk_bytes / row / (double)step);
        split->chunk_rows = least(whole_pages(count, multiply(row_bytes, step)) * step, g->oh);
    }
}

/* Pieces for so many buffers: split->images is 0 if none fits. */
static int choose_pieces(const split_request *request, stream_split *split, int buffers, cli_failure *failure) {
    split->buffers = buffers;
    split->rows = split->chunk_rows;
    int code = fit(request, split, &split->images, 1, split->chunk_images, failure);
    if (code || split->images || request->band_rows == 0)
        return code;
    split->images = 1;
    code = fit(request, split, &split->rows, request->band_rows, (split->chunk_rows - 1) / request->band_rows, failure);
    if (!split->rows)
        split->images = 0;
    return code;
}

/* Says how much the smallest band would take. */
static int too_little_memory(const split_request *request, stream_split *split, cli_failure *failure) {
    char what[64] = "a whole image";
    split->images = 1;
    split->rows = split->chunk_rows;
    if (request->band_rows > 0 && request->band_rows < split->rows) {
        split->rows = request->band_rows;
        snprintf(what, sizeof what, "a band of %" PRId64 " output rows", split->rows);
    }
    measure_buffers(split);
    int code = measure_plans(request, split, failure);
    if (code)
        return code;
    return fail(failure, EXIT_USAGE,
                "--memory: %" PRId64 " bytes are too few: %s needs %" PRId64 " (input %" PRId64 ", output %" PRId64
                ", filter and workspace %" PRId64 ")",
                request->memory, split->rows == 1 ? "a band of one output row" : what, total_bytes(split),
                split->input_bytes, split->output_bytes, total_bytes(split) - split->input_bytes - split->output_bytes);
}

int split_choose(const split_request *request, stream_split *split, cli_failure *failure) {
    dwc_error error;
    *split = (stream_split){.whole = request->problem};
    if (dwc_problem_geometry(&request->problem, &split->geometry, &error))
        return fail_library(failure, NULL, &error);
    const dwc_geometry *g = &split->geometry;
    split->fixed_bytes = (g->filter_elements + g->bias_elements) * (int64_t)g->element_bytes;
    if (g->output_elements == 0)
        return EXIT_DONE;

    choose_chunks(request, split);
    int code = choose_pieces(request, split, 2, failure);
    if (code)
        return code;
    if (split->images && split_chunks(split) == 1 && split_pieces(split, 0) == 1)
        split->buffers = 1;
    if (split->images)
        return EXIT_DONE;
    code = choose_pieces(request, split, 1, failure);
    return code || split->images ? code : too_little_memory(request, split, failure);
}
