/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming; see stream.h.
 * The few plans in use (full and last chunk; top, inner and bottom band) stay in a small cache with their packed
 * filters, the oldest goes when the memory or a slot is needed. */
#include "stream.h"

#include "progress.h"

#include <string.h>

enum { plan_slots = 4 };

typedef struct plan_slot {
    dwc_plan *plan; /* NULL: free */
    stream_piece shape;
    void *packed;
    int64_t packed_bytes;
} plan_slot;

typedef struct stream_state {
    const stream_job *job;
    const dwc_context *context;
    void *input, *output, *scratch;
    plan_slot slots[plan_slots]; /* used ones first, oldest first */
    int used;
    stream_report *report;
    cli_failure *failure;
} stream_state;

/* ---- plans ------------------------------------------------------------------------------------------------------- */

static void drop_oldest(stream_state *state) {
    dwc_release(state->context, state->slots[0].packed);
    dwc_plan_destroy(state->slots[0].plan);
    state->used--;
    memmove(state->slots, state->slots + 1, sizeof *state->slots * (size_t)state->used);
}

/* Memory for packed filters: what input, output, workspace and the filter as read leave. */
static int64_t packed_room(const stream_state *state) {
    const stream_split *split = &state->job->split;
    return state->job->request.memory - split->fixed_bytes - split->input_bytes - split->output_bytes -
           split->scratch_bytes;
}

static void make_room(stream_state *state, int64_t bytes) {
    int64_t total = bytes;
    for (int i = 0; i < state->used; i++)
        total += state->slots[i].packed_bytes;
    while (state->used && (state->used == plan_slots || total > packed_room(state))) {
        total -= state->slots[0].packed_bytes;
        drop_oldest(state);
    }
}

static void *allocated(stream_state *state, void *memory, int64_t bytes, const char *what) {
    if (bytes && !memory)
        fail(state->failure, EXIT_FAILED, "out of memory: %lld bytes for the %s", (long long)bytes, what);
    return memory;
}

static void *allocate(stream_state *state, int64_t bytes, const char *what) {
    return allocated(state, bytes ? dwc_allocate(state->context, (size_t)bytes) : NULL, bytes, what);
}

static void *allocate_tensor(stream_state *state, int64_t bytes, int colour, const char *what) {
    void *memory = bytes ? dwc_allocate_coloured(state->context, (size_t)bytes, colour) : NULL;
    return allocated(state, memory, bytes, what);
}

/* Plans and packs for the shape of `piece`; the slot stays valid until the next call. NULL after a failure. */
static const plan_slot *find_plan(stream_state *state, const stream_piece *piece) {
    plan_slot slot = {.shape = *piece};
    dwc_plan_info info;
    dwc_error error;
    for (int i = 0; i < state->used; i++)
        if (split_same_plan(&state->slots[i].shape, piece))
            return &state->slots[i];
    if (dwc_plan_create(state->context, &piece->problem, &state->job->request.plan, &slot.plan, &error)) {
        fail_library(state->failure, NULL, &error);
        return NULL;
    }
    dwc_plan_get_info(slot.plan, &info);
    slot.packed_bytes = (int64_t)info.packed_bytes;
    if ((int64_t)info.workspace_bytes > state->job->split.scratch_bytes) {
        dwc_plan_destroy(slot.plan);
        fail(state->failure, EXIT_FAILED, "a band needs %zu bytes of workspace, more than was set aside",
             info.workspace_bytes);
        return NULL;
    }
    make_room(state, slot.packed_bytes);
    slot.packed = allocate(state, slot.packed_bytes, "packed filter");
    if (!state->failure->code && dwc_plan_pack_filter(slot.plan, state->job->filter, slot.packed, &error))
        fail_library(state->failure, NULL, &error);
    state->slots[state->used++] = slot;
    if (info.threads > state->report->threads)
        state->report->threads = info.threads;
    return state->failure->code ? NULL : &state->slots[state->used - 1];
}

/* ---- transfers --------------------------------------------------------------------------------------------------- */

/* A batch of images in a file. */
typedef struct file_batch {
    dwc_layout layout;
    int64_t offset; /* of the first element */
    int64_t height, width, channels, element_bytes;
} file_batch;

/* Rows of images in a file, as `count` runs of `bytes` every `step` from `offset` that lie dense in memory: one run,
 * except for some rows of an NCHW image, which have one per channel. */
typedef struct file_runs {
    int64_t offset, step, bytes, count;
} file_runs;

static file_runs find_runs(const file_batch *batch, const stream_piece *piece, int64_t row, int64_t rows) {
    int64_t plane_row = batch->width * batch->element_bytes; /* one row of one channel plane */
    int64_t image = batch->height * plane_row * batch->channels;
    int planes = batch->layout == DWC_NCHW && rows < batch->height;
    int64_t row_bytes = planes ? plane_row : plane_row * batch->channels;
    return (file_runs){
        .offset = batch->offset + piece->image * image + row * row_bytes,
        .step = batch->height * plane_row,
        .bytes = rows * row_bytes * piece->problem.n,
        .count = planes ? batch->channels : 1,
    };
}

static int read_piece(stream_state *state, const stream_piece *piece) {
    const stream_job *job = state->job;
    const dwc_problem *p = &job->split.whole;
    file_batch batch = {p->layout, job->input_offset, p->h, p->w, p->c, (int64_t)dwc_dtype_bytes(p->dtype)};
    file_runs runs = find_runs(&batch, piece, piece->input_row, piece->input_rows);
    int code = EXIT_DONE;
    for (int64_t i = 0; i < runs.count && !code; i++)
        code = input_read(job->input, (char *)state->input + i * runs.bytes, runs.bytes, runs.offset + i * runs.step,
                          state->failure);
    return code;
}

static int write_piece(stream_state *state, const stream_piece *piece) {
    const stream_job *job = state->job;
    const dwc_geometry *g = &job->split.geometry;
    file_batch batch = {job->split.whole.layout, job->output_offset, g->oh, g->ow, g->oc, (int64_t)g->element_bytes};
    file_runs runs = find_runs(&batch, piece, piece->row, piece->rows);
    int code = EXIT_DONE;
    for (int64_t i = 0; i < runs.count && !code; i++)
        code = output_write(job->output, (const char *)state->output + i * runs.bytes, runs.bytes,
                            runs.offset + i * runs.step, state->failure);
    return code;
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static int compute_piece(stream_state *state, const stream_piece *piece) {
    const plan_slot *slot = find_plan(state, piece);
    dwc_error error;
    if (!slot)
        return state->failure->code;
    if (dwc_plan_execute(slot->plan, state->input, slot->packed, state->job->bias, state->output, state->scratch,
                         &error))
        return fail_library(state->failure, NULL, &error);
    return EXIT_DONE;
}

static int run_piece(stream_state *state, const stream_piece *piece) {
    static int (*const steps[])(stream_state *, const stream_piece *) = {read_piece, compute_piece, write_piece};
    double *const seconds[] = {&state->report->read_seconds, &state->report->compute_seconds,
                               &state->report->write_seconds};
    for (int i = 0; i < 3; i++) {
        double start = cli_seconds();
        int code = steps[i](state, piece);
        *seconds[i] += cli_seconds() - start;
        if (code)
            return code;
    }
    return EXIT_DONE;
}

static int run_pieces(stream_state *state) {
    const stream_split *split = &state->job->split;
    const dwc_geometry *g = &split->geometry;
    int64_t count = split_count(split);
    progress bar;
    int code = EXIT_DONE;
    progress_start(&bar, "images", split->whole.n,
                   ((double)g->input_elements + (double)g->output_elements) * (double)g->element_bytes);
    for (int64_t i = 0; i < count && !code; i++) {
        stream_piece piece = split_piece(split, i);
        code = run_piece(state, &piece);
        progress_update(&bar, (double)(i + 1) / (double)count);
    }
    progress_finish(&bar);
    return code;
}

/* Lets the threads of the first piece, as a rule those of all, place the pages. */
static int place_memory(stream_state *state) {
    const stream_piece piece = split_piece(&state->job->split, 0);
    const plan_slot *slot = find_plan(state, &piece);
    dwc_error error;
    if (slot && dwc_plan_first_touch(slot->plan, state->input, state->output, &error))
        fail_library(state->failure, NULL, &error);
    return state->failure->code;
}

int stream_run(const stream_job *job, stream_report *report, cli_failure *failure) {
    stream_state state = {.job = job, .context = job->request.context, .report = report, .failure = failure};
    *report = (stream_report){0};
    if (split_count(&job->split) == 0)
        return EXIT_DONE;
    state.input = allocate_tensor(&state, job->split.input_bytes, 0, "input");
    state.output = allocate_tensor(&state, job->split.output_bytes, 1, "output");
    state.scratch = allocate(&state, job->split.scratch_bytes, "workspace");
    int code = failure->code ? failure->code : place_memory(&state);
    if (!code)
        code = run_pieces(&state);
    while (state.used)
        drop_oldest(&state);
    dwc_release(state.context, state.scratch);
    dwc_release_coloured(state.context, state.output);
    dwc_release_coloured(state.context, state.input);
    return code;
}
