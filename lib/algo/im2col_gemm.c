/* SPDX-License-Identifier: Apache-2.0 */
/* im2col_gemm: per channel a matrix product by OpenBLAS, one tile of outputs at a time.
 *
 *     [m][taps] x [taps][outputs of the tile] -> [m][outputs]        units: images x channel vectors x tiles
 *
 * A tile is small enough that the matrix stays in the second cache, and that OpenBLAS, whatever its build, works on it
 * with the calling thread alone (newer ones take a product with m = 1 for a matrix-vector product); its number of
 * threads is never touched. Tiles lie where they lie for any number of threads, so that a result depends on the problem
 * and on OpenBLAS only. With form=1 each of the m products is a
 * matrix-vector one, which OpenBLAS does without copying the matrix: faster for few of them.
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

#ifdef DWC_HAVE_OPENBLAS
#include <cblas.h>

/* A serial build without locks gives wrong results where several threads call it, and does not say whether it has
 * locks. */
static const char *blas_missing(void) {
    return openblas_get_parallel() == OPENBLAS_SEQUENTIAL ? "OpenBLAS is a serial build, unfit for several threads"
                                                          : NULL;
}

/* c[m][n] = a[m][k] x b[k][n]; rows of c lie c_row elements apart. */
static void gemm(bool f64, int m, int n, int k, const void *a, const void *b, void *c, int c_row) {
    if (f64)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, 0, c, c_row);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, 0, c, c_row);
}

/* c[n] = a[k] x b[k][n] */
static void gemv(bool f64, int n, int k, const void *a, const void *b, void *c) {
    if (f64)
        cblas_dgemv(CblasRowMajor, CblasTrans, k, n, 1, b, n, a, 1, 0, c, 1);
    else
        cblas_sgemv(CblasRowMajor, CblasTrans, k, n, 1, b, n, a, 1, 0, c, 1);
}
#else
static const char *blas_missing(void) {
    return "this build has no OpenBLAS";
}
static void gemm(bool f64, int m, int n, int k, const void *a, const void *b, void *c, int c_row) {
    (void)f64, (void)m, (void)n, (void)k, (void)a, (void)b, (void)c, (void)c_row;
}
static void gemv(bool f64, int n, int k, const void *a, const void *b, void *c) {
    (void)f64, (void)n, (void)k, (void)a, (void)b, (void)c;
}
#endif

/* ---- parameters -------------------------------------------------------------------------------------------------- */

enum { FORM, PIXELS };
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

/* Size and number of the tiles. */
typedef struct tiling {
    int64_t rows, columns, down, along;
    int64_t lanes, blocks; /* channels of a unit, and how many units side by side */
    int64_t together;      /* channels whose products are stored at once */
    bool in_place;         /* the products are the output */
} tiling;

static tiling tiling_of(const dwci_case *c, const dwci_params *params) {
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const int64_t taps = taps_of(c),
                  alone = params->value[FORM] || p->m == 1 ? MOST_GEMV / taps : MOST_GEMM / (taps * p->m);
    const int64_t pixels = least(params->value[PIXELS], alone);
    tiling t = {.along = dwci_quotient_up(g->ow, pixels), .lanes = dwci_lanes(c)};
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
    for (int form = 0; form < 2; form++)
        for (int pixels = 256; pixels <= 1024; pixels *= 2) {
            const bool whole =
                pixels > 256 && c->geometry.output_elements > 0 && c->geometry.oh * c->geometry.ow <= pixels / 2;
            if (!whole && count < most)
                list[count++] = (dwci_params){.value = {[FORM] = form, [PIXELS] = pixels}};
        }
    return count;
}

/* Nanoseconds per element or multiply-add, a fit on AMD Zen 3 with OpenBLAS 0.3.21. */
static double cost(const dwci_case *c, const dwci_params *params) {
    static const double COPY_NS = 0.06, STRIDED_NS = 0.19, PACK_NS = 0.09, MULTIPLY_NS = 0.027, VECTOR_NS = 0.047,
                        STORE_NS = 0.4, CALL_NS = 150, LINE_NS = 0.5;
    const dwc_problem *p = &c->problem;
    if (c->geometry.output_elements == 0)
        return 0;
    const tiling t = tiling_of(c, params);
    const double outputs = (double)p->n * (double)p->c * (double)c->geometry.oh * (double)c->geometry.ow;
    const double taps = (double)taps_of(c), m = (double)p->m, wide = p->dtype == DWC_F64 ? 2 : 1;
    const double copy_ns = p->layout == DWC_NCHW && p->sw > 1 ? STRIDED_NS : COPY_NS;
    const double gemm_ns = taps * (PACK_NS + MULTIPLY_NS * (double)(dwci_quotient_up(p->m, 4) * 4));
    const double calls = (double)p->n * (double)p->c * (double)(t.down * t.along) * (params->value[FORM] ? m : 1);
    const double each = wide * (taps * copy_ns + (params->value[FORM] ? m * taps * VECTOR_NS : gemm_ns) + m * STORE_NS);
    const dwci_direct_args g = dwci_arguments(c, NULL);
    const dwci_im2col_lines l = dwci_im2col_lines_of(&g, t.rows, t.columns, t.lanes);
    const double lines =
        (double)p->n * (double)p->c * (double)(t.down * t.along) * (double)(l.rows * l.lines * l.length);
    return 1e-9 * (outputs * each + calls * CALL_NS + lines * wide * LINE_NS) / c->threads;
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
           array_bytes(c, taps_of(c), t->rows * t->columns, &a->matrix) &&
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
    if (form < 0 || form > 1 || pixels < 1 || pixels > MOST_PIXELS) {
        snprintf(why, size, "params: form=%d is not in 0..1 or pixels=%d not in 1..%d", form, pixels, MOST_PIXELS);
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
        .kernel = form ? "gemv" : "gemm",
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
static void multiply(const dwci_solution *s, const dwci_im2col_tile *at, const char *filter, const void *matrix,
                     char *products, int64_t c_row) {
    const dwci_case *c = &s->problem_case;
    const bool f64 = c->problem.dtype == DWC_F64;
    const int64_t m = c->problem.m, taps = taps_of(c), outputs = at->rows * at->columns;
    const int64_t element = (int64_t)dwci_accumulator_bytes(c);
    if (s->params.value[FORM])
        for (int64_t q = 0; q < m; q++)
            gemv(f64, (int)outputs, (int)taps, filter + q * taps * element, matrix, products + q * c_row * element);
    else
        gemm(f64, (int)m, (int)outputs, (int)taps, filter, matrix, products, (int)c_row);
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
    for (int64_t channel = 0; channel < channels; channel++) {
        const int64_t done = channel % t->together; /* channels that wait for the store */
        const char *taps = filter + (first + channel) * p->m * taps_of(c) * element;
        kernel->matrix(&args, &at, &lines, workspace + channel * lines.rows * lines.lines * lines.pitch * element,
                       matrix);
        if (t->in_place) {
            const int64_t to = (first + channel) * p->m * plane + at.y * g->ow;
            multiply(work->solution, &at, taps, matrix, output + to * element, plane);
            continue;
        }
        multiply(work->solution, &at, taps, matrix, products + done * p->m * at.rows * at.columns * element,
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
    .revision = 1,
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
