/* SPDX-License-Identifier: Apache-2.0 */
/* Minimal filtering along the rows, F(m,k): see kern/winograd.h for the mathematics, kern/winograd.inc for the loops.
 *
 *     units, in order, equal shares for the threads:
 *         images x phases of rows x vectors of input channels x bands of rows
 *
 * Tiles of m outputs begin at multiples of m of a row (dilation: of a phase of its columns, see kern/direct_nhwc.inc),
 * whatever the threads; rows are independent. The multiples of a channel share its transform, which is what pays most,
 * and so do the segments of a filter of many columns.
 *
 * Two-dimensional forms are not here: a depthwise filter has no sum over channels to share the inverse transform, and
 * up to 16 outputs of a channel F(2x2,kxk) and F(4x4,kxk) take more operations than F(4,k) along the rows, with 32 they
 * save a few per cent at most (counted in tune/algorithms.md). Nor are products and inverse in one, with the sums of
 * all elements of 2 or 3 rows in registers: elements and filters that have to be loaded again cost what storing the
 * sums does (5x5, AVX-512, first cache: 193 to 220 ns for 14 rows of a tile, 192 in two steps).
 */
#include "algo/arguments.h"
#include "algo/guarded.h"
#include "core/cost.h"
#include "core/threads.h"
#include "kern/clip.h"
#include "kern/winograd.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { OUTPUTS, TAPS, COLUMNS };
static const char *const param_names[] = {"outputs", "taps", "columns", NULL};
enum { MOST_COLUMNS = 64, MOST_TAPS = 127 };

static const dwci_winograd_kernel *list_of(const dwci_case *c) {
    return c->table->winograd[c->problem.dtype - DWC_F16 + DWCI_KERN_F16];
}

/* Does the instance take kw columns of taps, alone or in segments? */
static bool takes(const dwci_winograd_kernel *k, int64_t kw) {
    return kw > k->taps ? k->taps >= k->m : kw > 1;
}

/* The instance for m outputs and `taps` columns of taps; NULL if there is none. */
static const dwci_winograd_kernel *find(const dwci_case *c, int m, int taps) {
    for (const dwci_winograd_kernel *k = list_of(c); k->name; k++)
        if (k->m == m && k->taps == taps && takes(k, c->problem.kw))
            return k;
    return NULL;
}

/* Has the image or the output fewer columns than the kernel? Then some may meet small taps only, and no bound holds
 * (see the `error` of an instance). */
static bool is_narrow(const dwci_case *c) {
    const dwc_problem *p = &c->problem;
    return (p->w - 1) / p->dw < p->kw - 1 || (c->geometry.ow - 1) / p->dw < p->kw - 1;
}

static bool applicable(const dwci_case *c, char *why, size_t size) {
    const dwc_problem *p = &c->problem;
    if (p->layout != DWC_NHWC)
        snprintf(why, size, "only NHWC");
    else if (p->kw < 3 || p->kw > MOST_TAPS || p->kh > MOST_TAPS)
        snprintf(why, size, "only 3 to %d columns and up to %d rows of taps", MOST_TAPS, MOST_TAPS);
    else if (p->sh != 1 || p->sw != 1)
        snprintf(why, size, "only stride 1");
    else if (p->c < dwci_lanes(c))
        snprintf(why, size, "fewer input channels than a vector of the CPU");
    else if (is_narrow(c))
        snprintf(why, size, "fewer columns of inputs or outputs than of taps: no error bound holds");
    else
        return true;
    return false;
}

/* Instances as wide as the filter or a column wider; for filters of 6 columns or more also those with 4 outputs that
 * take it in segments. */
static int candidates(const dwci_case *c, dwci_params *list, int most) {
    const int64_t kw = c->problem.kw, row = (c->geometry.ow - 1) / c->problem.dw + 1;
    int count = 0;
    for (const dwci_winograd_kernel *k = list_of(c); k->name; k++) {
        const bool whole = k->taps == kw || k->taps == kw + 1, cut = k->m == 4 && k->taps >= 5 && kw > k->taps;
        for (int tiles = cut ? 4 : 1; tiles <= 16 && takes(k, kw) && (whole || cut); tiles *= 2) {
            if (count < most && tiles * k->m <= MOST_COLUMNS)
                list[count++] = (dwci_params){.value = {[OUTPUTS] = k->m, [TAPS] = k->taps, [COLUMNS] = tiles * k->m}};
            if (tiles * k->m >= row)
                break;
        }
    }
    return count;
}

/* ---- units ------------------------------------------------------------------------------------------------------- */

/* Phases of an image: the first `longer` have a row more than the others. */
typedef struct units {
    int64_t phases, longer, rows;
    int64_t bands, groups; /* of a phase; channel vectors */
} units;

static units units_of(const dwci_case *c) {
    const dwc_geometry *g = &c->geometry;
    units u = {.phases = c->problem.dh < g->oh ? c->problem.dh : g->oh};
    u.longer = g->oh % u.phases;
    u.rows = g->oh / u.phases;
    u.bands = dwci_quotient_up(u.rows + (u.longer > 0), DWCI_WINOGRAD_BLOCK);
    u.groups = dwci_vectors(c->problem.c, dwci_lanes(c));
    return u;
}

static int64_t count_of(const dwci_case *c, const units *u) {
    return c->problem.n * u->phases * u->groups * u->bands;
}

/* ---- cost -------------------------------------------------------------------------------------------------------- */

/* Rows of taps inside the image, all output rows together. */
static double tap_rows(const dwci_case *c) {
    const dwc_problem *p = &c->problem;
    double sum = 0;
    for (int64_t a = 0; a < p->kh; a++) {
        const range inside = clip_taps(a * p->dh - c->geometry.pad_top, 1, c->geometry.oh, p->h);
        sum += (double)(inside.to - inside.from);
    }
    return sum;
}

/* Tiles of one row of outputs and their segments whose elements are not all zeros. */
static double tile_segments(const dwci_case *c, const dwci_winograd_kernel *k, const dwci_winograd_shape *s,
                            double tiles) {
    const double m = k->m, before = (double)c->geometry.pad_left / (double)c->problem.dw;
    const double columns = (double)((c->problem.w - 1) / c->problem.dw + 1);
    const double first = floor((before - (m + k->taps - 1)) / m) + 1, end = ceil((before + columns) / m);
    double sum = 0;
    for (int64_t j = 0; j < s->segments; j++) {
        const double from = fmax(first - (double)(j * s->step), 0), to = end - (double)(j * s->step);
        sum += fmax(fmin(to, tiles) - from, 0);
    }
    return s->segments == 1 ? tiles : sum;
}

/* Nanoseconds, a fit on a server core with AVX-512: 27 problems of 3 to 31 columns of taps and multipliers 1 to 8, then
 * the lines of 180 others, of 7x7 to 11x11 taps and multipliers 1 to 32. On these this or direct, by their costs, takes
 * 1.03 times as long as the faster of the two. CAUTION keeps to direct where they are close: it was left for something
 * slower twice, by 3 and 8 %. */
static double cost(const dwci_case *c, const dwci_params *params) {
    static const double FORWARD_NS = 0.15, PRODUCT_NS = 0.15, ANY_PRODUCT_NS = 0.27, SINGLE = 3, CALL_NS = 4;
    static const double SUM_NS = 0.9, CROWDED_SUM_NS = 1.15; /* with its inverse; where scratch fills the first cache */
    static const double NEAR_LINE_NS = 1.75, FAR_LINE_NS = 5.2, FAR_FROM = 0.6, MEMORY_LINE_NS = 11, CAUTION = 1.07;
    static const double PAGE = 4096, PAGES = 96, PAGE_NS = 0.13,
                        MOST_PAGE_NS = 27; /* a line, for each page above PAGES */
    const dwc_problem *p = &c->problem;
    const dwci_winograd_kernel *k = find(c, params->value[OUTPUTS], params->value[TAPS]);
    if (c->geometry.output_elements == 0 || !k)
        return 0;
    const dwci_direct_args args = dwci_arguments(c, NULL);
    const int64_t phases = p->dw < c->geometry.ow ? p->dw : c->geometry.ow, row = (c->geometry.ow - 1) / phases + 1;
    const int64_t parts = dwci_quotient_up(row, params->value[COLUMNS]), part = dwci_quotient_up(row, parts);
    const dwci_winograd_shape s = dwci_winograd_shape_of(&args, k->m, k->taps, part);
    const double m = k->m, pairs = (m + k->taps) / 2 - 1.5, elements = 2 * pairs + 2, multiples = (double)p->m;
    const double rows = (double)c->geometry.oh,
                 bands = ceil(rows / (double)p->dh / DWCI_WINOGRAD_BLOCK) * (double)p->dh;
    const double tiles = (double)dwci_quotient_up(row, k->m),
                 read = tiles + (double)(parts * (s.segments - 1) * s.step);
    /* Of many rows of taps or segments, rows of outputs go by sevens, the others one by one. */
    const double single = (double)(c->geometry.oh / p->dh % 7 * p->dh) / rows;
    const double product_ns = s.segments == 1 && p->kh <= 9 ? PRODUCT_NS : ANY_PRODUCT_NS * (1 + (SINGLE - 1) * single);
    const double permuted = p->m > 1 ? 1 + 2 / (double)p->kh : 1; /* lanes that are put in place */
    const double lines = (double)dwci_lanes(c) * (double)c->geometry.element_bytes / 64;
    const double vector = (double)dwci_lanes(c) * (double)dwci_accumulator_bytes(c);
    const double scratch = (double)dwci_winograd_scratch(&args, k->m, k->taps, part) * vector;
    const double l1 = dwci_first_cache(c->machine);
    const double l2 = dwci_second_cache(c->machine);
    const double crowded = fmin(1, fmax(scratch / l1 - 0.5, 0)), footprint = dwci_cost_footprint(c);
    const double far = fmin(fmax(footprint / (double)p->n / l2 - FAR_FROM, 0) / (1 - FAR_FROM), 1);
    const double line_ns = NEAR_LINE_NS * (1 - far) * c->pace.near + FAR_LINE_NS * far * c->pace.far;
    /* Outputs of one vector, block of rows and part of columns lie on so many pages. */
    const double pixel = (double)c->geometry.oc * (double)c->geometry.element_bytes;
    const double block = fmin(rows / (double)p->dh, DWCI_WINOGRAD_BLOCK);
    const double pages = block * (double)part * fmin(1, (double)phases * pixel / PAGE);
    const double page_ns = fmin(fmax(pages - PAGES, 0) * PAGE_NS, MOST_PAGE_NS);
    const double arithmetic = c->pace.arithmetic;
    double ns = rows * read * (arithmetic * 2 * pairs * (pairs + 1) * FORWARD_NS + lines * m * line_ns);
    ns += arithmetic * multiples * elements * tap_rows(c) * tile_segments(c, k, &s, tiles) * permuted * product_ns;
    ns +=
        multiples * rows * tiles *
        (arithmetic * elements * (SUM_NS + crowded * CROWDED_SUM_NS) + lines * m * (line_ns + c->pace.near * page_ns));
    ns += arithmetic * bands * (double)parts * (1 + multiples) * (elements + 2) * CALL_NS;
    ns *= (double)phases * (double)p->n * (double)dwci_vectors(p->c, dwci_lanes(c));
    if (dwci_cost_from_memory(c))
        ns += c->pace.memory * footprint / 64 * MEMORY_LINE_NS;
    return 1e-9 * ns * CAUTION / c->threads;
}

/* ---- preparation ------------------------------------------------------------------------------------------------- */

static int64_t segments_of(const dwci_case *c, const dwci_winograd_kernel *k) {
    const dwci_direct_args args = dwci_arguments(c, NULL);
    return dwci_winograd_shape_of(&args, k->m, k->taps, 1).segments;
}

static int64_t copies_of(const dwci_case *c) {
    return c->problem.m == 1 ? dwci_copies(c->problem.c, dwci_lanes(c), (int64_t)c->geometry.element_bytes) : 1;
}

/* Bytes of the constants and the transformed filter. */
static bool own_bytes(const dwci_case *c, const dwci_winograd_kernel *k, size_t *bytes) {
    *bytes = DWCI_WINOGRAD_CONSTANTS;
    if (c->geometry.filter_elements == 0)
        return true;
    const int64_t lanes = dwci_lanes(c), channels = dwci_vectors_before_copy(copies_of(c), c->problem.c, lanes) * lanes;
    size_t filter;
    if (__builtin_mul_overflow(channels, segments_of(c, k) * c->problem.kh * (k->m + k->taps - 1), &filter) ||
        __builtin_mul_overflow(filter, c->problem.m, &filter) ||
        __builtin_mul_overflow(filter, dwci_accumulator_bytes(c), &filter) || filter > PTRDIFF_MAX / 2)
        return false;
    *bytes += filter;
    return true;
}

static bool prepare(dwci_solution *s, char *why, size_t size) {
    const dwci_case *c = &s->problem_case;
    const int m = s->params.value[OUTPUTS], taps = s->params.value[TAPS], columns = s->params.value[COLUMNS];
    const dwci_winograd_kernel *kernel = find(c, m, taps);
    const size_t vector = (size_t)dwci_lanes(c) * dwci_accumulator_bytes(c);
    size_t own, packed_bytes;
    if (!kernel || columns < 1 || columns > MOST_COLUMNS) {
        snprintf(why, size,
                 "params: no instance of outputs=%d, taps=%d for %lld columns of taps, or columns=%d is not in 1..%d",
                 m, taps, (long long)c->problem.kw, columns, MOST_COLUMNS);
        return false;
    }
    if (c->problem.m > PTRDIFF_MAX / 4096 || !own_bytes(c, kernel, &own) ||
        !dwci_guarded_bytes(c, own, &packed_bytes)) {
        snprintf(why, size, "the packed filter does not fit the address space");
        return false;
    }
    int threads = 1;
    if (c->geometry.output_elements > 0) {
        const units u = units_of(c);
        threads = dwci_cost_threads(c, 0.5, count_of(c, &u));
    }
    const dwci_direct_args args = dwci_arguments(c, NULL);
    const int64_t whole = ((int64_t)columns - 1) / m * m + m; /* a segment of outputs is whole tiles */
    const size_t scratch = (size_t)dwci_winograd_scratch(&args, m, taps, whole) * vector;
    const double sums = (double)(segments_of(c, kernel) + c->problem.kh) + 2;
    s->prepared = (dwci_prepared){
        .kernel = kernel->name,
        .state = kernel,
        .threads = threads,
        .packed_bytes = packed_bytes,
        .workspace_bytes = (scratch + 63) / 64 * 64 * (size_t)threads,
        .error_bound = (kernel->error + sums) * (c->problem.dtype == DWC_F64 ? 0x1p-53 : 0x1p-24),
        .spreads_nonfinite = true,
        .band_rows = 1,
    };
    return true;
}

/* G, elements x taps. */
static void filter_transform(int pairs, int taps, double (*g)[DWCI_WINOGRAD_MOST_TAPS]) {
    const int elements = 2 * pairs + 2;
    memset(g, 0, sizeof *g * (size_t)elements);
    g[0][0] = 1 / dwci_winograd_coefficient(pairs, 0, pairs, -1, 0);
    g[elements - 1][taps - 1] = 1;
    for (int k = 0; k < pairs; k++) {
        const double p = dwci_winograd_point(pairs, k);
        double divisor = 0, power = 1;
        for (int i = pairs - 1; i >= 0; i--)
            divisor = divisor * p * p + dwci_winograd_coefficient(pairs, 0, pairs, k, i);
        divisor *= 2 * p * p;
        for (int a = 0; a < taps; a++, power *= p) {
            g[2 * k + 1][a] = power / divisor;
            g[2 * k + 2][a] = (a % 2 ? -power : power) / divisor;
        }
    }
}

/* G g of the multiples of a vector of input channels from c0 on: [multiplier][elements][segments][kh][lanes]. False if
 * it is not finite. */
static bool pack_vector(const dwci_solution *s, double (*g)[DWCI_WINOGRAD_MOST_TAPS], const void *filter, int64_t c0,
                        void *to) {
    const dwci_case *c = &s->problem_case;
    const dwc_problem *p = &c->problem;
    const dwci_winograd_kernel *k = s->prepared.state;
    const dwci_direct_args args = dwci_arguments(c, NULL);
    const dwci_winograd_shape shape = dwci_winograd_shape_of(&args, k->m, k->taps, 1);
    const int64_t lanes = dwci_lanes(c), elements = k->m + k->taps - 1;
    const double most = p->dtype == DWC_F64 ? DBL_MAX : FLT_MAX;
    bool finite = true;
    for (int64_t at = 0; at < p->m * elements * shape.segments * p->kh; at++) {
        int64_t rest = at;
        const int64_t a = rest % p->kh, j = (rest /= p->kh) % shape.segments;
        const int64_t e = (rest /= shape.segments) % elements, u = rest / elements;
        const int64_t first = j * shape.step * k->m;
        const int64_t end = j == shape.segments - 1 ? p->kw : first + shape.step * k->m;
        for (int64_t i = 0; i < lanes; i++) {
            double sum = 0;
            for (int64_t b = first; b < end; b++)
                sum += g[e][b - first] *
                       dwci_filter_at(c, filter, (a * p->kw + b) * c->geometry.oc + c0 * p->m + u * lanes + i);
            dwci_put(c, to, at * lanes + i, sum);
            finite = finite && fabs(sum) <= most;
        }
    }
    return finite;
}

static void pack(const dwci_solution *s, const void *filter, void *packed) {
    const dwci_case *c = &s->problem_case;
    const dwci_winograd_kernel *k = s->prepared.state;
    const int64_t lanes = dwci_lanes(c), channels = c->problem.c;
    double g[DWCI_WINOGRAD_MOST_ELEMENTS][DWCI_WINOGRAD_MOST_TAPS];
    size_t own;
    own_bytes(c, k, &own);
    char *to = dwci_guarded_pack(c, filter, packed, own);
    if (c->geometry.filter_elements == 0)
        return;
    const size_t vector =
        (own - DWCI_WINOGRAD_CONSTANTS) / (size_t)dwci_vectors_before_copy(copies_of(c), channels, lanes);
    k->constants(to);
    to += DWCI_WINOGRAD_CONSTANTS;
    filter_transform((k->m + k->taps) / 2 - 1, k->taps, g);
    bool finite = true;
    for (int64_t copy = 0; copy < copies_of(c); copy++) {
        const int64_t start = dwci_copy_start(copy, lanes, (int64_t)c->geometry.element_bytes);
        for (int64_t v = 0; v < dwci_copy_vectors(copy, channels, lanes); v++, to += vector)
            finite = pack_vector(s, g, filter, dwci_vector_of_copy(v, start, channels, lanes), to) && finite;
    }
    if (!finite)
        dwci_guarded_refuse(packed);
}

/* ---- work -------------------------------------------------------------------------------------------------------- */

typedef struct job {
    const dwci_solution *solution;
    const dwci_tensors *tensors;
} job;

static void run_share(void *data, int i, int count) {
    const job *work = data;
    const dwci_solution *s = work->solution;
    const dwci_case *c = &s->problem_case;
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const dwci_winograd_kernel *kernel = s->prepared.state;
    const units u = units_of(c);
    dwci_direct_args problem = dwci_arguments(c, work->tensors->bias);
    problem.copies = copies_of(c);
    const char *own = dwci_guarded_filter(work->tensors->packed);
    const dwci_winograd_args args = {
        .g = &problem,
        .constants = own,
        .filter = own + DWCI_WINOGRAD_CONSTANTS,
        .columns = s->params.value[COLUMNS],
        .scratch =
            (char *)work->tensors->workspace + s->prepared.workspace_bytes / (size_t)s->prepared.threads * (size_t)i,
    };
    int64_t unit, end;
    dwci_share(count_of(c, &u), i, count, &unit, &end);
    while (unit < end) {
        const int64_t first = unit % u.bands, bands = end - unit < u.bands - first ? end - unit : u.bands - first;
        const int64_t n = unit / u.bands / u.groups / u.phases, phase = unit / u.bands / u.groups % u.phases;
        const int64_t rows = u.rows + (phase < u.longer), y = first * DWCI_WINOGRAD_BLOCK;
        const int64_t left = rows - y, most = bands * DWCI_WINOGRAD_BLOCK;
        const dwci_winograd_part part = {
            .phase = phase, .y = y, .rows = left < most ? left : most, .group = unit / u.bands % u.groups};
        if (part.rows > 0)
            kernel->run(&args, (const char *)work->tensors->input + (size_t)(n * p->h * p->w * p->c) * g->element_bytes,
                        (char *)work->tensors->output + (size_t)(n * g->oh * g->ow * g->oc) * g->element_bytes, &part);
        unit += bands;
    }
}

static void run(const dwci_solution *s, const dwci_tensors *t) {
    const dwci_winograd_kernel *kernel = s->prepared.state;
    job work = {s, t};
    size_t own;
    own_bytes(&s->problem_case, kernel, &own);
    if (!dwci_guarded_run(s, t, own))
        dwci_parallel(s->problem_case.binding, s->prepared.threads, run_share, &work);
}

const dwci_algo dwci_algo_winograd = {
    .name = "winograd",
    .revision = 2,
    .description = "minimal filtering along the rows; NHWC, stride 1, 3 columns of taps or more",
    .automatic = true,
    .param_names = param_names,
    .tile_params = 3,
    .applicable = applicable,
    .candidates = candidates,
    .cost = cost,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
