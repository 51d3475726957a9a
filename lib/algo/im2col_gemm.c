/* SPDX-License-Identifier: Apache-2.0 */
/* im2col_gemm: per channel a matrix product by OpenBLAS, one tile of outputs at a time.
 *
 *     [m][taps] x [taps][outputs of the tile] -> [m][outputs]        units: images x channel vectors x tiles
 *
 * A tile is small enough that the matrix stays in the second cache, and that OpenBLAS, whatever its build, works on it
 * with the calling thread alone (newer ones take a product with m = 1 for a matrix-vector product); its number of
 * threads is never touched. Tiles lie where they lie for any number of threads, so that a result depends on the problem
 * and on OpenBLAS only. The bits of `form`:
 *
 *     1  each of the m products is a matrix-vector one, which OpenBLAS does without copying the matrix
 *     2  a product for each row of taps, added up: [m][kw] x [kw][outputs of the tile]
 *
 * The matrices of the rows of taps are parts of one, [kw][input rows x columns]: that of the next one begins a row of
 * outputs further. It takes a kh-th of the stores of the whole one, which are most of the work where m is small (Cho
 * and Brand, MEC: Memory-efficient Convolution, 2017, keep the columns so); only without strides and dilation of rows.
 *
 * Zeros stand for taps outside the image, see guarded.h.
 *
 * Block-diagonal filters, several channels in one product, were tried and lose: twice the channels cost four times the
 * multiply-adds, and OpenBLAS gains less than that (m = 2, 9 taps: 16 useful GFLOP/s with pairs of channels, 18
 * without, 44 by form=1). */
#include "algo/arguments.h"
#include "algo/guarded.h"
#include "core/cost.h"
#include "core/threads.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- OpenBLAS ---------------------------------------------------------------------------------------------------- */

/* Up to so many multiply-adds a product and a matrix-vector product are left to the calling thread (OpenBLAS,
 * interface/gemm.c: 65536 * GEMM_MULTITHREAD_THRESHOLD, interface/gemv.c: less than 2304 times that; it is 4). */
enum { MOST_GEMM = 1 << 18, MOST_GEMV = 9215 };
/* Debian's build has buffers for 128 calls at once; several executions at a time share them. */
enum { MOST_THREADS = 64 };

/* Sizes of a product; its rows lie a_row, b_row and c_row elements apart. */
typedef struct product {
    bool f64;
    int m, n, k, a_row, b_row, c_row;
} product;

#ifdef DWC_HAVE_OPENBLAS
#include <cblas.h>

/* A serial build without locks gives wrong results where several threads call it, and does not say whether it has
 * locks. */
static const char *blas_missing(void) {
    return openblas_get_parallel() == OPENBLAS_SEQUENTIAL ? "OpenBLAS is a serial build, unfit for several threads"
                                                          : NULL;
}

/* c[m][n] = a[m][k] x b[k][n], added to c if `add`. */
static void gemm(const product *p, const void *a, const void *b, bool add, void *c) {
    if (p->f64)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->m, p->n, p->k, 1, a, p->a_row, b, p->b_row, add, c,
                    p->c_row);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->m, p->n, p->k, 1, a, p->a_row, b, p->b_row, add, c,
                    p->c_row);
}

/* The same for one row of a and c. */
static void gemv(const product *p, const void *a, const void *b, bool add, void *c) {
    if (p->f64)
        cblas_dgemv(CblasRowMajor, CblasTrans, p->k, p->n, 1, b, p->b_row, a, 1, add, c, 1);
    else
        cblas_sgemv(CblasRowMajor, CblasTrans, p->k, p->n, 1, b, p->b_row, a, 1, add, c, 1);
}
#else
static const char *blas_missing(void) {
    return "this build has no OpenBLAS";
}
static void gemm(const product *p, const void *a, const void *b, bool add, void *c) {
    (void)p, (void)a, (void)b, (void)add, (void)c;
}
static void gemv(const product *p, const void *a, const void *b, bool add, void *c) {
    (void)p, (void)a, (void)b, (void)add, (void)c;
}
#endif

/* ---- parameters -------------------------------------------------------------------------------------------------- */

enum { FORM, PIXELS };
enum { VECTORS = 1, TAP_ROWS = 2, FORMS = 4 }; /* bits of form, and their combinations */
static const char *const param_names[] = {"form", "pixels", NULL};
enum { MOST_PIXELS = 4096 };

static int64_t taps_of(const dwci_case *c) {
    return c->problem.kh * c->problem.kw;
}

static bool applicable(const dwci_case *c, char *why, size_t size) {
    const dwc_problem *p = &c->problem;
    const char *missing = blas_missing();
    if (missing)
        snprintf(why, size, "%s", missing);
    else if (p->kh > MOST_GEMM || p->kw > MOST_GEMM || p->m > MOST_GEMM || taps_of(c) > MOST_GEMV ||
             taps_of(c) * p->m > MOST_GEMM)
        snprintf(why, size, "more than %d taps, or %d with the multiplier", MOST_GEMV, MOST_GEMM);
    else
        return true;
    return false;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Do the matrices of rows of taps lie in one, of a size as others are? */
static bool has_tap_rows(const dwci_case *c) {
    const dwc_problem *p = &c->problem;
    return p->kh > 1 && p->sh == 1 && p->dh == 1 && c->geometry.ow <= MOST_GEMM / taps_of(c);
}

/* Size and number of the tiles. */
typedef struct tiling {
    int64_t rows, columns, down, along;
    int64_t lanes, blocks; /* channels of a unit, and how many units side by side */
    int64_t together;      /* channels whose products are stored at once */
    int64_t parts;         /* products that are added up */
    bool in_place;         /* the products are the output */
} tiling;

static tiling tiling_of(const dwci_case *c, const dwci_params *params) {
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const int form = params->value[FORM];
    const int64_t parts = form & TAP_ROWS && has_tap_rows(c) ? p->kh : 1, taps = taps_of(c) / parts;
    const int64_t alone = form & VECTORS || p->m == 1 ? MOST_GEMV / taps : MOST_GEMM / (taps * p->m);
    const int64_t pixels = least(params->value[PIXELS], alone);
    tiling t = {.along = dwci_quotient_up(g->ow, pixels), .lanes = dwci_lanes(c), .parts = parts};
    t.columns = dwci_quotient_up(g->ow, t.along);
    t.down = dwci_quotient_up(g->oh, least(g->oh, pixels / t.columns));
    t.rows = dwci_quotient_up(g->oh, t.down);
    t.blocks = dwci_vectors(p->c, t.lanes);
    t.together = p->layout == DWC_NHWC && p->m < t.lanes ? t.lanes : 1;
    t.in_place = p->layout == DWC_NCHW && t.along == 1 && g->oh * g->ow <= INT_MAX && !p->bias &&
                 p->activation == DWC_NO_ACTIVATION && g->element_bytes == dwci_accumulator_bytes(c);
    return t;
}

static int candidates(const dwci_case *c, dwci_params *list, int most) {
    int count = 0;
    const int forms = has_tap_rows(c) ? FORMS : TAP_ROWS;
    for (int form = 0; form < forms; form++)
        for (int pixels = 256; pixels <= 1024; pixels *= 2) {
            const bool whole =
                pixels > 256 && c->geometry.output_elements > 0 && c->geometry.oh * c->geometry.ow <= pixels / 2;
            if (!whole && count < most)
                list[count++] = (dwci_params){.value = {[FORM] = form, [PIXELS] = pixels}};
        }
    return count;
}

/* Nanoseconds, a fit on a server core with AVX-512 and OpenBLAS 0.3.21: 200 float32 problems of 3 to 81 taps and
 * multipliers 1 to 32, the chosen candidate 1.03 times as slow as the fastest, at most 1.36. CAUTION keeps to direct
 * where the two are close. */
static double cost(const dwci_case *c, const dwci_params *params) {
    static const double LINE_NS = 3.5, LINE_VECTOR_NS = 0.27, STRIDED_VECTOR_NS = 6.2; /* lines, see kern.h */
    static const double ROW_NS = 0.42, VECTOR_NS = 0.65;                               /* of the matrix */
    static const double CALL_NS = 18, TAP_NS = 0.01, GEMM_NS = 0.0194, GEMV_NS = 0.028, ADD_NS = 0.036;
    static const double OUTPUT_NS = 0.066, TRANSPOSED_OUTPUT_NS = 0.4, MEMORY_NS = 0.1, CAUTION = 1.2;
    const dwc_problem *p = &c->problem;
    if (c->geometry.output_elements == 0)
        return 0;
    const tiling t = tiling_of(c, params);
    const dwci_direct_args args = dwci_arguments(c, NULL);
    const dwci_im2col_lines l = dwci_im2col_lines_of(&args, t.rows, t.columns, t.lanes);
    const bool vectors = params->value[FORM] & VECTORS, nhwc = p->layout == DWC_NHWC;
    const double tiles = (double)p->n * (double)p->c * (double)(t.down * t.along), wide = p->dtype == DWC_F64 ? 2 : 1;
    const double outputs = (double)p->n * (double)p->c * (double)c->geometry.oh * (double)c->geometry.ow;
    const double m = (double)p->m, taps = (double)taps_of(c), parts = (double)t.parts;
    const double line_vectors = (double)dwci_quotient_up(l.length, t.lanes);
    const double rows = taps / parts * (double)(t.rows + t.parts - 1);
    const double multiply_ns = vectors ? m * GEMV_NS : TAP_NS + (double)(dwci_quotient_up(p->m, 4) * 4) * GEMM_NS;
    const double line_ns = LINE_NS + line_vectors * (LINE_VECTOR_NS + (p->sw > 1 && !nhwc ? STRIDED_VECTOR_NS : 0));
    const double store_ns = nhwc ? TRANSPOSED_OUTPUT_NS : OUTPUT_NS;
    const double tile_ns = (double)(l.rows * l.lines) * line_ns + parts * (vectors ? m : 1) * CALL_NS +
                           rows * (ROW_NS + (double)dwci_quotient_up(t.columns, t.lanes) * VECTOR_NS);
    const double outputs_ns = wide * (taps * multiply_ns + m * ((parts - 1) * ADD_NS + store_ns));
    const double memory_ns = dwci_cost_from_memory(c) ? c->pace.memory * dwci_cost_footprint(c) * MEMORY_NS : 0;
    return 1e-9 * CAUTION * (c->pace.arithmetic * (tiles * tile_ns + outputs * outputs_ns) + memory_ns) / c->threads;
}

/* ---- preparation ------------------------------------------------------------------------------------------------- */

/* Bytes of the arrays of one thread, multiples of 64. */
typedef struct arrays {
    size_t lines, matrix, products;
} arrays;

static bool array_bytes(const dwci_case *c, int64_t count, int64_t each, size_t *bytes) {
    int64_t elements;
    if (__builtin_mul_overflow(count, each, &elements) || elements > PTRDIFF_MAX / 16)
        return false;
    *bytes = ((size_t)(elements + dwci_lanes(c)) * dwci_accumulator_bytes(c) + 63) / 64 * 64;
    return true;
}

static bool sizes_of(const dwci_case *c, const tiling *t, arrays *a) {
    const dwci_direct_args g = dwci_arguments(c, NULL);
    const dwci_im2col_lines lines = dwci_im2col_lines_of(&g, t->rows, t->columns, t->lanes);
    return array_bytes(c, t->lanes * lines.rows, lines.lines * lines.pitch, &a->lines) &&
           array_bytes(c, taps_of(c) / t->parts, (t->rows + t->parts - 1) * t->columns, &a->matrix) &&
           array_bytes(c, t->in_place ? 0 : t->together * c->problem.m, t->rows * t->columns, &a->products);
}

/* Of the filter as matrices [c][m][taps]. */
static size_t matrices_bytes(const dwci_case *c) {
    return ((size_t)c->geometry.filter_elements * dwci_accumulator_bytes(c) + 63) / 64 * 64;
}

static int64_t units(const dwci_case *c, const tiling *t) {
    return c->problem.n * t->blocks * t->down * t->along;
}

static bool prepare(dwci_solution *s, char *why, size_t size) {
    const dwci_case *c = &s->problem_case;
    const double u = c->problem.dtype == DWC_F64 ? 0x1p-53 : 0x1p-24;
    const int form = s->params.value[FORM], pixels = s->params.value[PIXELS];
    arrays a = {0};
    size_t packed_bytes;
    int threads = 1;
    if (form < 0 || form >= FORMS || pixels < 1 || pixels > MOST_PIXELS) {
        snprintf(why, size, "params: form=%d is not in 0..%d or pixels=%d not in 1..%d", form, FORMS - 1, pixels,
                 MOST_PIXELS);
        return false;
    }
    if (c->geometry.filter_elements > PTRDIFF_MAX / 16 || !dwci_guarded_bytes(c, matrices_bytes(c), &packed_bytes)) {
        snprintf(why, size, "the packed filter does not fit the address space");
        return false;
    }
    if (c->geometry.output_elements > 0) {
        const tiling t = tiling_of(c, &s->params);
        threads = dwci_cost_threads(c, 0.2, least(units(c, &t), MOST_THREADS));
        if (!sizes_of(c, &t, &a)) {
            snprintf(why, size, "the workspace does not fit the address space");
            return false;
        }
    }
    s->prepared = (dwci_prepared){
        .kernel = form & VECTORS ? "gemv" : "gemm",
        .threads = threads,
        .packed_bytes = packed_bytes,
        .workspace_bytes = (a.lines + a.matrix + a.products) * (size_t)threads,
        .error_bound = ((double)taps_of(c) + 2) * u, /* of a sum in any order */
        .componentwise = true,
        .band_rows = 0, /* OpenBLAS may treat the ends of a tile in its own way */
    };
    return true;
}

static void pack(const dwci_solution *s, const void *filter, void *packed) {
    const dwci_case *c = &s->problem_case;
    const int64_t taps = taps_of(c), channels = c->geometry.oc;
    void *matrices = dwci_guarded_pack(c, filter, packed, matrices_bytes(c));
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t channel = 0; channel < channels; channel++)
            dwci_widen(c, filter, tap * channels + channel, matrices, channel * taps + tap);
}

/* ---- work -------------------------------------------------------------------------------------------------------- */

typedef struct job {
    const dwci_solution *solution;
    const dwci_tensors *tensors;
} job;

/* The products of one channel: c[m] rows of the tile's outputs, c_row elements apart. */
static void multiply(const dwci_solution *s, const tiling *t, const dwci_im2col_tile *at, const char *filter,
                     const char *matrix, char *products, int64_t c_row) {
    const dwci_case *c = &s->problem_case;
    const int64_t element = (int64_t)dwci_accumulator_bytes(c), m = c->problem.m, taps = taps_of(c);
    const int64_t each = taps / t->parts, b_row = (at->rows + t->parts - 1) * at->columns;
    const product p = {c->problem.dtype == DWC_F64,
                       (int)m,
                       (int)(at->rows * at->columns),
                       (int)each,
                       (int)taps,
                       (int)b_row,
                       (int)c_row};
    for (int64_t i = 0; i < t->parts; i++, filter += each * element, matrix += at->columns * element) {
        if (s->params.value[FORM] & VECTORS)
            for (int64_t q = 0; q < m; q++)
                gemv(&p, filter + q * taps * element, matrix, i > 0, products + q * c_row * element);
        else
            gemm(&p, filter, matrix, i > 0, products);
    }
}

static void run_unit(const job *work, const tiling *t, int64_t unit, const arrays *a, char *workspace) {
    const dwci_case *c = &work->solution->problem_case;
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const int64_t element = (int64_t)dwci_accumulator_bytes(c), plane = g->oh * g->ow;
    const int64_t tile = unit % (t->down * t->along), y = tile / t->along, x = tile % t->along;
    const int64_t block = unit / (t->down * t->along) % t->blocks, n = unit / (t->down * t->along * t->blocks);
    const dwci_direct_args args = dwci_arguments(c, work->tensors->bias);
    const dwci_im2col_lines lines = dwci_im2col_lines_of(&args, t->rows, t->columns, t->lanes);
    const dwci_im2col_kernel *kernel = &dwci_element(c)->im2col;
    dwci_im2col_tile at = {.nhwc = p->layout == DWC_NHWC, .c0 = block * t->lanes};
    int64_t end;
    dwci_share(g->oh, y, t->down, &at.y, &end);
    at.rows = end - at.y;
    dwci_share(g->ow, x, t->along, &at.x, &end);
    at.columns = end - at.x;
    at.channels = least(t->lanes, p->c - at.c0);
    const char *filter = dwci_guarded_filter(work->tensors->packed);
    char *output = (char *)work->tensors->output + (size_t)(n * plane * g->oc) * g->element_bytes;
    char *matrix = workspace + a->lines, *products = matrix + a->matrix;
    kernel->lines(&args, &at, &lines,
                  (const char *)work->tensors->input + (size_t)(n * p->h * p->w * p->c) * g->element_bytes, workspace);
    const int64_t first = at.c0, channels = at.channels;
    dwci_direct_args columns = args; /* of the matrix, and the rows under it */
    dwci_im2col_tile under = at;
    columns.kh /= t->parts;
    under.rows += t->parts - 1;
    for (int64_t channel = 0; channel < channels; channel++) {
        const int64_t done = channel % t->together; /* channels that wait for the store */
        const char *taps = filter + (first + channel) * p->m * taps_of(c) * element;
        kernel->matrix(&columns, &under, &lines, workspace + channel * lines.rows * lines.lines * lines.pitch * element,
                       matrix);
        if (t->in_place) {
            const int64_t to = (first + channel) * p->m * plane + at.y * g->ow;
            multiply(work->solution, t, &at, taps, matrix, output + to * element, plane);
            continue;
        }
        multiply(work->solution, t, &at, taps, matrix, products + done * p->m * at.rows * at.columns * element,
                 at.rows * at.columns);
        if (done == t->together - 1 || channel == channels - 1) {
            at.c0 = first + channel - done;
            at.channels = done + 1;
            kernel->store(&args, &at, products, output);
        }
    }
}

static void run_share(void *data, int i, int count) {
    const job *work = data;
    const dwci_case *c = &work->solution->problem_case;
    const tiling t = tiling_of(c, &work->solution->params);
    arrays a;
    int64_t unit, end;
    sizes_of(c, &t, &a);
    dwci_share(units(c, &t), i, count, &unit, &end);
    for (; unit < end; unit++)
        run_unit(work, &t, unit, &a, (char *)work->tensors->workspace + (a.lines + a.matrix + a.products) * (size_t)i);
}

static void run(const dwci_solution *s, const dwci_tensors *t) {
    job work = {s, t};
    if (!dwci_guarded_run(s, t, matrices_bytes(&s->problem_case)))
        dwci_parallel(s->problem_case.binding, s->prepared.threads, run_share, &work);
}

const dwci_algo dwci_algo_im2col_gemm = {
    .name = "im2col_gemm",
    .revision = 5,
    .description = "im2col and OpenBLAS products; any problem of few taps",
    .automatic = true,
    .param_names = param_names,
    .applicable = applicable,
    .candidates = candidates,
    .cost = cost,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
