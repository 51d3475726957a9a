/* SPDX-License-Identifier: Apache-2.0 */
/* direct: the sum over taps in registers, any problem. This file packs the filter, picks a kernel and divides the
 * output over threads; parameters and their cost are in direct_model.c, the loops in kern/direct_nhwc.inc and
 * kern/direct_nchw.inc.
 *
 *     planes (NHWC: images; NCHW: channels of images) x rows of the output -> threads, in order, equal shares
 *
 * A thread's share is some rows of a plane, then whole planes, then some rows: no output depends on where it is cut.
 * NHWC images that are too low for that are cut into ranges of channels instead (channel_shares).
 *
 * Taps that are outside the image for every output, as where a dilation is as large as the image, are left out first
 * (rows of them not where NCHW has no strips): all the rest sees the smaller filter.
 *
 * Packed for NCHW the filter begins with a header: is it finite? Kernels that take zeros for what lies outside the
 * image need that. */
#include "algo/direct.h"
#include "core/cost.h"
#include "core/threads.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* All of them without effect on the bits; see dwci_direct_args. */
static const char *const param_names[] = {"rows", "columns", "block", "stage", "prefetch", "nontemporal", NULL};

static int64_t planes(const dwci_case *c) {
    return c->problem.layout == DWC_NHWC ? c->problem.n : c->problem.n * c->problem.c;
}

int64_t dwci_direct_output_rows(const dwci_case *c) {
    return c->geometry.output_elements == 0 ? 0 : planes(c) * c->geometry.oh;
}

static bool fits(int64_t actual, int compiled) {
    return compiled == 0 || actual == compiled;
}

static bool serves_channels(const dwci_direct_kernel *k, const dwci_case *c) {
    const int64_t lanes = dwci_lanes(c), oc = c->geometry.oc;
    switch (k->channels) {
    case DWCI_WHOLE:
    case DWCI_TURNED:
        return oc >= lanes;
    case DWCI_MULTIPLIED:
        return oc >= lanes && c->problem.m > 1 && c->problem.c >= dwci_window(lanes);
    case DWCI_FLAT:
        return oc < lanes && c->problem.sw < DWCI_FLAT_STRIDE;
    case DWCI_STAGED: {
        const dwci_direct_args args = dwci_arguments(c, NULL);
        const int64_t most = DWCI_NCHW_MOST_ROW; /* of each, so that no product overflows */
        return args.kw <= DWCI_NCHW_MOST_COLUMNS && args.dw <= most && args.sw <= most && args.left <= most &&
               args.w <= most && args.ow <= most && dwci_nchw_stage_of(&args, lanes).row <= most;
    }
    case DWCI_IN_PLACE: {
        const dwci_direct_args args = dwci_arguments(c, NULL);
        return dwci_nchw_in_place(&args, k->sw);
    }
    case DWCI_ANY_TAPS: {
        const dwci_direct_args args = dwci_arguments(c, NULL);
        return dwci_nchw_any_taps(&args);
    }
    default:
        return true;
    }
}

static bool serves(const dwci_direct_kernel *k, const dwci_case *c) {
    const dwc_problem *p = &c->problem;
    return fits(p->kh, k->kh) && fits(p->kw, k->kw) && fits(p->m, k->m) &&
           fits(p->sh / dwci_common_divisor(p->sh, p->dh), k->sh) &&
           fits(p->sw / dwci_common_divisor(p->sw, p->dw), k->sw) && serves_channels(k, c);
}

const dwci_direct_kernel *dwci_direct_find(const dwci_case *c) {
    const dwci_direct_kernel *k = c->problem.layout == DWC_NHWC ? dwci_element(c)->direct_nhwc : dwci_nchw(c)->direct;
    while (!serves(k, c))
        k++;
    return k;
}

/* Bytes of the stage and of the stream buffer of one thread, multiples of 64. False on overflow. */
static bool scratch_sizes(const dwci_case *c, const dwci_direct_kernel *kernel, const dwci_params *params,
                          size_t *stage, size_t *stream) {
    const dwc_problem *p = &c->problem;
    const int64_t lanes = dwci_lanes(c), vectors = dwci_vectors(c->geometry.oc, lanes);
    const int64_t block =
        params->value[DWCI_BLOCK] && params->value[DWCI_BLOCK] < vectors ? params->value[DWCI_BLOCK] : vectors;
    *stage = *stream = 0;
    if (c->geometry.output_elements == 0)
        return true;
    const bool nchw = p->layout == DWC_NCHW;
    dwci_direct_args args; /* of NCHW only: each call comes by here */
    if (nchw)
        args = dwci_arguments(c, NULL);
    if (params->value[DWCI_NONTEMPORAL]) {
        const size_t pixel = (size_t)(nchw ? 1 : c->geometry.oc) * c->geometry.element_bytes;
        if ((size_t)c->geometry.ow * pixel > (PTRDIFF_MAX - 8192) / 16)
            return false;
        *stream = nchw ? 2 * (size_t)dwci_nchw_stream_bytes(&args, (int64_t)c->geometry.element_bytes)
                       : (size_t)dwci_nhwc_stream_bytes(c->geometry.ow, (int64_t)pixel);
    }
    if (nchw) {
        if (kernel->channels != DWCI_STAGED || params->value[DWCI_BLOCK])
            return true;
        args.stage_rows = params->value[DWCI_STAGE];
        const dwci_nchw_stage s = dwci_nchw_stage_of(&args, lanes);
        const int64_t elements = dwci_nchw_scratch(&args, &s, lanes);
        *stage = ((size_t)elements * dwci_accumulator_bytes(c) + 63) / 64 * 64;
        return elements < PTRDIFF_MAX / 16;
    }
    if (!params->value[DWCI_STAGE])
        return true;
    /* A block may begin and end inside the channels of a multiplier; not every block has the same skew. */
    const int64_t most = (block * lanes - 1) / p->m + 1 + dwci_window(lanes), channels = most < p->c ? most : p->c;
    const int64_t pixel = dwci_vectors(channels, lanes) * lanes + DWCI_STAGE_SKEW;
    if ((p->w - 1) / p->dw >= PTRDIFF_MAX / 2 / pixel)
        return false;
    const int64_t row = dwci_stage_row(pixel, (p->w - 1) / p->dw + 1), all_rows = (p->h - 1) / p->dh + 1;
    int64_t rows;
    if (__builtin_mul_overflow(params->value[DWCI_STAGE] - 1, p->sh, &rows) || rows > all_rows - p->kh)
        rows = all_rows;
    else
        rows += p->kh;
    if (__builtin_mul_overflow((size_t)row * c->geometry.element_bytes, (size_t)rows, stage) || *stage > PTRDIFF_MAX)
        return false;
    *stage = (*stage + 63) / 64 * 64;
    return true;
}

/* ---- taps that no output needs ----------------------------------------------------------------------------------- */

/* One dimension of a filter: from the first to the last tap that outputs may have inside the image; the first may be
 * an earlier one, that no padding becomes negative. At least one. */
typedef struct tap_range {
    int64_t first, count;
} tap_range;

static tap_range needed_taps(int64_t size, int64_t outputs, int64_t taps, int64_t stride, int64_t dilation,
                             int64_t before) {
    const int64_t left = before - (outputs - 1) * stride; /* so far left of the image tap 0 of the last output lies */
    const int64_t most = before / dilation;               /* no padding becomes negative */
    const int64_t first = left > 0 ? dwci_quotient_up(left, dilation) : 0, end = (before + size - 1) / dilation + 1;
    tap_range r = {.first = first < most ? first : most};
    r.count = (end < taps ? end : taps) - r.first;
    return r.count > 0 ? r : (tap_range){0, 1};
}

/* Leaves the others out of a dimension, with zeros `before` and `after` the image. */
static tap_range trim(int64_t size, int64_t outputs, int64_t stride, int64_t *taps, int64_t *dilation, int64_t *before,
                      int64_t *after) {
    const tap_range r = needed_taps(size, outputs, *taps, stride, *dilation, *before);
    *before -= r.first * *dilation;
    *after = (outputs - 1) * stride + (r.count - 1) * *dilation + 1 - *before - size;
    *after = *after > 0 ? *after : 0;
    *taps = r.count;
    *dilation = r.count > 1 ? *dilation : 1;
    return r;
}

/* A case without the taps that are outside the image for every output. */
typedef struct needed {
    dwci_case problem_case;
    tap_range rows, columns; /* of the filter, those of the case */
} needed;

static needed needed_of(const dwci_case *c) {
    needed n = {*c, {0, c->problem.kh}, {0, c->problem.kw}};
    dwc_problem *p = &n.problem_case.problem;
    dwc_geometry *g = &n.problem_case.geometry;
    if (g->output_elements == 0)
        return n;
    /* Tables without strips have NCHW tiles that take zeros for rows outside the image and keep these: a part of the
     * image, on its own, must have the same bits. */
    if (p->layout == DWC_NHWC || dwci_nchw(c)->direct->channels == DWCI_IN_PLACE)
        n.rows = trim(p->h, g->oh, p->sh, &p->kh, &p->dh, &g->pad_top, &g->pad_bottom);
    else
        p->dh = p->kh > 1 ? p->dh : 1;
    n.columns = trim(p->w, g->ow, p->sw, &p->kw, &p->dw, &g->pad_left, &g->pad_right);
    g->filter_elements = p->kh * p->kw * g->oc;
    return n;
}

/* Whether needed_of leaves a dimension as it is: a few comparisons, for each call. */
static bool needs_all(int64_t size, int64_t outputs, int64_t taps, int64_t stride, int64_t dilation, int64_t before) {
    return before <= (outputs - 1) * stride && (taps - 1) * dilation - before < size && (taps > 1 || dilation == 1);
}

static int candidates(const dwci_case *c, dwci_params *list, int most) {
    const needed n = needed_of(c);
    return dwci_direct_candidates(&n.problem_case, list, most);
}

static double cost(const dwci_case *c, const dwci_params *params) {
    const needed n = needed_of(c);
    return dwci_direct_cost(&n.problem_case, params);
}

/* ---- preparation ------------------------------------------------------------------------------------------------- */

/* Ahead of the packed filter. */
static size_t header_bytes(const dwci_case *c) {
    return c->problem.layout == DWC_NCHW ? 64 : 0;
}

static int64_t filter_copies(const dwci_case *c, const dwci_direct_kernel *kernel) {
    return dwci_filter_copies(kernel, c->geometry.oc, dwci_lanes(c), (int64_t)c->geometry.element_bytes);
}

/* The geometry has checked the filter as the user has it; packed it may be larger. */
static bool packed_size(const dwci_case *c, const dwci_direct_kernel *kernel, size_t *bytes) {
    const int64_t lanes = dwci_lanes(c), oc = c->geometry.oc;
    const int64_t channels = c->problem.layout == DWC_NCHW ? oc
                             : kernel->channels == DWCI_FLAT
                                 ? 2 * lanes
                                 : dwci_vectors_before_copy(filter_copies(c, kernel), oc, lanes) * lanes;
    const size_t header = header_bytes(c);
    *bytes = header;
    return c->geometry.filter_elements == 0 ||
           (!__builtin_mul_overflow(c->problem.kh * c->problem.kw, channels, bytes) &&
            !__builtin_mul_overflow(*bytes, dwci_accumulator_bytes(c), bytes) &&
            !__builtin_add_overflow(*bytes, header, bytes) && *bytes <= PTRDIFF_MAX);
}

static bool check_params(const dwci_case *c, const dwci_params *params, char *why, size_t size) {
    static const int nhwc[] = {[DWCI_ROWS] = 1 << 20,  [DWCI_COLUMNS] = 7,     [DWCI_BLOCK] = 1 << 20,
                               [DWCI_STAGE] = 1 << 20, [DWCI_PREFETCH] = 1000, [DWCI_NONTEMPORAL] = 1};
    static const int nchw[] = {
        [DWCI_ROWS] = 1 << 20, [DWCI_BLOCK] = 1, [DWCI_STAGE] = 1 << 20, [DWCI_PREFETCH] = 1, [DWCI_NONTEMPORAL] = 1};
    for (int i = 0; param_names[i]; i++) {
        const int highest = (c->problem.layout == DWC_NHWC ? nhwc : nchw)[i];
        if (params->value[i] < 0 || params->value[i] > highest) {
            snprintf(why, size, "params: %s=%d is not in 0..%d", param_names[i], params->value[i], highest);
            return false;
        }
    }
    return true;
}

enum { ROWS_EACH = 2 }; /* of a thread, at least, unless channels are shared */

int dwci_direct_threads(const dwci_case *c) {
    static const double WORTH_SHARED_CHANNELS_S = 25e-6; /* of one thread */
    const int64_t rows = dwci_direct_output_rows(c);
    const int threads = dwci_cost_threads(c, DWCI_DIRECT_EFFICIENCY, rows);
    if (c->problem.layout != DWC_NHWC || rows >= (int64_t)ROWS_EACH * threads ||
        dwci_cost_roofline(c, DWCI_DIRECT_EFFICIENCY, 1) >= WORTH_SHARED_CHANNELS_S * threads)
        return threads;
    return rows >= ROWS_EACH ? (int)(rows / ROWS_EACH) : 1;
}

static bool prepare(dwci_solution *s, char *why, size_t size) {
    const needed n = needed_of(&s->problem_case);
    const dwci_case *c = &n.problem_case;
    const dwc_problem *p = &c->problem, *given = &s->problem_case.problem;
    const dwci_direct_kernel *kernel = dwci_direct_find(c);
    const int threads = dwci_direct_threads(c);
    size_t packed_bytes, stage, stream, workspace_bytes;
    if (!check_params(c, &s->params, why, size))
        return false;
    if (!packed_size(c, kernel, &packed_bytes)) {
        snprintf(why, size, "the packed filter does not fit the address space");
        return false;
    }
    if (!scratch_sizes(c, kernel, &s->params, &stage, &stream) ||
        __builtin_mul_overflow(stage + stream, (size_t)threads, &workspace_bytes)) {
        snprintf(why, size, "the workspace does not fit the address space");
        return false;
    }
    const double unit_roundoff = p->dtype == DWC_F64 ? 0x1p-53 : 0x1p-24;
    s->prepared = (dwci_prepared){
        .kernel = kernel->name,
        .state = kernel,
        .threads = threads,
        .packed_bytes = packed_bytes,
        .workspace_bytes = workspace_bytes,
        .error_bound = ((double)given->kh * (double)given->kw + 2) * unit_roundoff, /* alike for every part */
        .componentwise = true,
        .band_rows = 1,
    };
    return true;
}

/* Makes copy `copy` of a packed filter, of vectors that begin elsewhere, from copy 0. */
static void pack_copy(const dwci_case *c, int64_t copy, char *packed) {
    const int64_t taps = c->problem.kh * c->problem.kw, channels = c->geometry.oc, lanes = dwci_lanes(c);
    const int64_t start = dwci_copy_start(copy, lanes, (int64_t)c->geometry.element_bytes);
    const size_t element = dwci_accumulator_bytes(c), vector = (size_t)lanes * element;
    char *to = packed + (size_t)(dwci_vectors_before_copy(copy, channels, lanes) * taps) * vector;
    for (int64_t v = 0; v < dwci_copy_vectors(copy, channels, lanes); v++) {
        const int64_t first = dwci_vector_of_copy(v, start, channels, lanes);
        const size_t skipped = (size_t)(first % lanes) * element;
        const char *from = packed + (size_t)(first / lanes * taps) * vector;
        for (int64_t tap = 0; tap < taps; tap++, from += vector, to += vector) {
            memcpy(to, from + skipped, vector - skipped);
            if (skipped > 0)
                memcpy(to + vector - skipped, from + (size_t)taps * vector, skipped);
        }
    }
}

/* The vectors of all copies of a packed filter as DWCI_TURNED has them. */
static void turn(char *packed, size_t bytes, size_t vector) {
    enum { MOST = 64 };
    for (char *p = packed; p < packed + bytes; p += vector) {
        char second[MOST / 4];
        memcpy(second, p + vector / 4, vector / 4);
        memcpy(p + vector / 4, p + vector / 2, vector / 4);
        memcpy(p + vector / 2, second, vector / 4);
    }
}

/* Where the filter has a tap of the case without those that no output needs. */
static int64_t tap_of(const needed *n, int64_t kw, int64_t tap) {
    return (n->rows.first + tap / n->columns.count) * kw + n->columns.first + tap % n->columns.count;
}

static void pack(const dwci_solution *s, const void *filter, void *packed) {
    const needed n = needed_of(&s->problem_case);
    const dwci_case *c = &n.problem_case;
    const int64_t taps = c->problem.kh * c->problem.kw, channels = c->geometry.oc, lanes = dwci_lanes(c);
    const int64_t kw = s->problem_case.problem.kw;
    if (c->problem.layout == DWC_NCHW) {
        bool *const finite = packed;
        *finite = true;
        /* All that is given: alike for every part of an image. */
        for (int64_t i = 0; i < s->problem_case.geometry.filter_elements; i++)
            *finite = *finite && isfinite(dwci_filter_at(c, filter, i));
        for (int64_t channel = 0; channel < channels; channel++)
            for (int64_t tap = 0; tap < taps; tap++) {
                const int64_t from = tap_of(&n, kw, tap) * channels + channel;
                dwci_widen(c, filter, from, (char *)packed + header_bytes(c), channel * taps + tap);
            }
        return;
    }
    const dwci_direct_kernel *kernel = s->prepared.state;
    if (kernel->channels == DWCI_FLAT) {
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t i = 0; i < 2 * lanes; i++)
                dwci_widen(c, filter, tap_of(&n, kw, tap) * channels + i % channels, packed, tap * 2 * lanes + i);
        return;
    }
    memset(packed, 0, s->prepared.packed_bytes);
    for (int64_t v = 0; v < dwci_vectors(channels, lanes); v++) {
        const int64_t first = dwci_vector_start(v, channels, lanes);
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t i = 0; i < lanes && first + i < channels; i++)
                dwci_widen(c, filter, tap_of(&n, kw, tap) * channels + first + i, packed, (v * taps + tap) * lanes + i);
    }
    for (int64_t copy = 1; copy < filter_copies(c, kernel); copy++)
        pack_copy(c, copy, packed);
    if (kernel->channels == DWCI_TURNED)
        turn(packed, s->prepared.packed_bytes, (size_t)lanes * dwci_accumulator_bytes(c));
}

/* What all planes have in common. */
static dwci_direct_args arguments(const dwci_solution *s, const dwci_case *c, const dwci_tensors *t) {
    dwci_direct_args args = dwci_arguments(c, t->bias);
    args.filter = (const char *)t->packed + header_bytes(c);
    args.copies = filter_copies(c, s->prepared.state);
    args.rows = s->params.value[DWCI_ROWS];
    args.columns = s->params.value[DWCI_COLUMNS];
    args.block = s->params.value[DWCI_BLOCK];
    args.stage_rows = s->params.value[DWCI_STAGE];
    args.prefetch = s->params.value[DWCI_PREFETCH];
    return args;
}

typedef struct job {
    const dwci_solution *solution;
    const dwci_case *problem_case;
    const dwci_tensors *tensors;
} job;

/* How many threads share the channels rather than the rows: all or one. Pixels that two cores write, each its channels,
 * cost some 45 ns: 14x14x384 took 18 us so and 6.3 by rows. It pays where rows are too few for much work, or where the
 * taps of one reach as far as the image, so that a share of the rows reads most of it, and a second cache is small for
 * that: 33x33x2048 with a dilation of 18 took 640 us by rows and 490 by channels. */
static int channel_shares(const dwci_case *c, int threads) {
    enum { VECTORS_EACH = 4 };
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const bool few = dwci_direct_output_rows(c) < (int64_t)ROWS_EACH * threads;
    const bool far = p->n < threads && (p->kh - 1) * p->dh - (g->oh - 1) * p->sh >= p->sh &&
                     (double)(p->h * p->w * p->c + g->filter_elements) * (double)g->element_bytes >
                         0.5 * dwci_second_cache(c->machine);
    return p->layout == DWC_NHWC && (few || far) &&
                   dwci_vectors(g->oc, dwci_lanes(c)) >= (int64_t)VECTORS_EACH * threads
               ? threads
               : 1;
}

/* The instance of the plan, or the one that needs neither a finite filter nor a stage. */
static const dwci_direct_kernel *kernel_of(const dwci_solution *s, const dwci_tensors *t) {
    const dwci_direct_kernel *kernel = s->prepared.state;
    const bool *finite = t->packed;
    if (s->problem_case.problem.layout == DWC_NCHW && (!*finite || s->params.value[DWCI_BLOCK]))
        while (kernel[1].name)
            kernel++;
    return kernel;
}

static void run_share(void *data, int i, int count) {
    const job *work = data;
    const dwci_solution *s = work->solution;
    const dwci_case *c = work->problem_case;
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const dwci_direct_kernel *kernel = kernel_of(s, work->tensors);
    const bool nhwc = p->layout == DWC_NHWC;
    const size_t in_image = (size_t)(p->h * p->w * p->c) * g->element_bytes;
    const size_t out_image = (size_t)(g->oh * g->ow * g->oc) * g->element_bytes;
    dwci_direct_args args = arguments(s, c, work->tensors);
    size_t stage, stream;
    scratch_sizes(c, s->prepared.state, &s->params, &stage, &stream);
    args.scratch = (char *)work->tensors->workspace + (stage + stream) * (size_t)i;
    if (stream > 0)
        args.stream = (char *)args.scratch + stage;
    const int by_channels = channel_shares(c, count), by_rows = count / by_channels;
    dwci_direct_part part;
    int64_t row, end;
    dwci_share(dwci_direct_output_rows(c), i % by_rows, by_rows, &row, &end);
    dwci_share(dwci_vectors(g->oc, dwci_lanes(c)), i / by_rows, by_channels, &part.v0, &part.v1);
    while (row < end) {
        const int64_t plane = row / g->oh;
        const size_t n = (size_t)(nhwc ? plane : plane / p->c);
        part.y0 = row % g->oh;
        part.y1 = end - row < g->oh - part.y0 ? part.y0 + end - row : g->oh;
        row += part.y1 - part.y0;
        if (!nhwc) {
            part.v0 = plane % p->c;
            part.v1 = part.v0 + 1;
            if (part.y1 - part.y0 == g->oh) { /* whole channels of an image at once */
                const int64_t more = (end - row) / g->oh, left = p->c - part.v1;
                part.v1 += more < left ? more : left;
                row += (part.v1 - part.v0 - 1) * g->oh;
            }
        }
        kernel->run(&args, (const char *)work->tensors->input + n * in_image,
                    (char *)work->tensors->output + n * out_image, &part);
    }
}

static void run(const dwci_solution *s, const dwci_tensors *t) {
    const dwc_problem *p = &s->problem_case.problem;
    const dwc_geometry *g = &s->problem_case.geometry;
    job work = {s, &s->problem_case, t};
    needed n;
    if (!needs_all(p->h, g->oh, p->kh, p->sh, p->dh, g->pad_top) ||
        !needs_all(p->w, g->ow, p->kw, p->sw, p->dw, g->pad_left)) {
        n = needed_of(&s->problem_case);
        work.problem_case = &n.problem_case;
    }
    dwci_parallel(s->problem_case.binding, s->prepared.threads, run_share, &work);
}

const dwci_algo dwci_algo_direct = {
    .name = "direct",
    .revision = 19,
    .description = "the sum over taps in registers; any problem",
    .automatic = true,
    .in_order = true,
    .param_names = param_names,
    .tile_params = 2,
    .candidates = candidates,
    .cost = cost,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
