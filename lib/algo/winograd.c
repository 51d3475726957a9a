/* SPDX-License-Identifier: Apache-2.0 */
/* Minimal filtering along the rows, F(m,k): see kern/winograd.h for the mathematics, kern/winograd.inc for the loops.
 *
 * Tiles of m outputs begin at multiples of m of a row (dilation: of a phase of its columns, see kern/direct_nhwc.inc),
 * whatever the threads; rows are independent. The multiples of a channel share its transform, which is what pays most,
 * and so do the segments of a filter of many columns.
 *
 * Products and inverse are not in one, with the sums of all elements of 2 or 3 rows in registers: elements and filters
 * that have to be loaded again cost what storing the sums does (5x5, AVX-512, first cache: 193 to 220 ns for 14 rows of
 * a tile, 192 in two steps).
 */
#include "algo/arguments.h"
#include "algo/minimal_filtering.h"
#include "core/cost.h"
#include "kern/clip.h"

#include <math.h>
#include <stdio.h>

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
    const dwci_winograd_kernel *k = dwci_minimal_find(list_of(c), m, taps);
    return k && takes(k, c->problem.kw) ? k : NULL;
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
    else if (dwci_minimal_is_narrow(p->w, c->geometry.ow, p->dw, p->kw))
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
 * slower twice, by 3 and 8 %.
 *     Only products go at the pace of multiply-adds (those of many rows of taps or segments wait for loads as well, so
 * between both), the transforms at that of loads: on AMD Zen additions have units of their own; outputs spread over
 * pages at that of the last cache. On a Zen 4 what all algorithms' models choose took 1.043 times as long as the
 * fastest candidate on the grid of tune/algorithms.md (95 % 1.15, worst 1.20), 1.022 on 30 others (worst 1.16). */
static double cost(const dwci_case *c, const dwci_params *params) {
    static const double FORWARD_NS = 0.15, PRODUCT_NS = 0.15, ANY_PRODUCT_NS = 0.27, SINGLE = 3, CALL_NS = 4;
    static const double SUM_NS = 0.9, CROWDED_SUM_NS = 1.15; /* with its inverse; where scratch fills the first cache */
    static const double CAUTION = 1.07, SPREAD = 1.05;       /* the latter where the outputs of a pixel fill a page */
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
    const double arithmetic = c->pace.arithmetic, near = c->pace.near;
    const double any_ns = sqrt(arithmetic * near) * ANY_PRODUCT_NS * (1 + (SINGLE - 1) * single);
    const double product_ns =
        s.segments == 1 && p->kh <= 9 ? arithmetic * PRODUCT_NS : fmax(arithmetic * PRODUCT_NS, any_ns);
    const double permuted = p->m > 1 ? 1 + 2 / (double)p->kh : 1; /* lanes that are put in place */
    const double lines = (double)dwci_lanes(c) * (double)c->geometry.element_bytes / 64;
    const double vector = (double)dwci_lanes(c) * (double)dwci_accumulator_bytes(c);
    const double scratch = (double)dwci_winograd_scratch(&args, k->m, k->taps, part) * vector;
    const double l1 = dwci_first_cache(c->machine);
    const double crowded = fmin(1, fmax(scratch / l1 - 0.5, 0)), line_ns = dwci_minimal_line_ns(c);
    /* Outputs of one vector, block of rows and part of columns lie on so many pages. */
    const double pixel = (double)c->geometry.oc * (double)c->geometry.element_bytes;
    const double block = fmin(rows / (double)p->dh, DWCI_WINOGRAD_BLOCK);
    const double pages = block * (double)part * fmin(1, (double)phases * pixel / PAGE);
    const double page_ns = fmin(fmax(pages - PAGES, 0) * PAGE_NS, MOST_PAGE_NS);
    double ns = rows * read * (near * 2 * pairs * (pairs + 1) * FORWARD_NS + lines * m * line_ns);
    ns += multiples * elements * tap_rows(c) * tile_segments(c, k, &s, tiles) * permuted * product_ns;
    ns += multiples * rows * tiles *
          (near * elements * (SUM_NS + crowded * CROWDED_SUM_NS) + lines * m * (line_ns + c->pace.far * page_ns));
    ns += near * bands * (double)parts * (1 + multiples) * (elements + 2) * CALL_NS;
    ns *= (double)phases * (double)p->n * (double)dwci_vectors(p->c, dwci_lanes(c));
    ns += dwci_minimal_memory_ns(c);
    return 1e-9 * ns * CAUTION * (pixel >= PAGE ? SPREAD : 1) / c->threads;
}

/* ---- preparation ------------------------------------------------------------------------------------------------- */

static int64_t segments_of(const dwci_case *c, const dwci_winograd_kernel *k) {
    const dwci_direct_args args = dwci_arguments(c, NULL);
    return dwci_winograd_shape_of(&args, k->m, k->taps, 1).segments;
}

/* G g: [elements][segments][kh]. */
static bool transform(const dwci_solution *s, double (*g)[DWCI_WINOGRAD_MOST_TAPS], const void *filter, int64_t channel,
                      void *to, int64_t at) {
    const dwci_case *c = &s->problem_case;
    const dwc_problem *p = &c->problem;
    const dwci_winograd_kernel *k = s->prepared.state;
    const dwci_direct_args args = dwci_arguments(c, NULL);
    const dwci_winograd_shape shape = dwci_winograd_shape_of(&args, k->m, k->taps, 1);
    bool finite = true;
    for (int64_t e = 0; e < k->m + k->taps - 1; e++)
        for (int64_t j = 0; j < shape.segments; j++)
            for (int64_t a = 0; a < p->kh; a++, at += dwci_lanes(c)) {
                const int64_t first = j * shape.step * k->m;
                const int64_t end = j == shape.segments - 1 ? p->kw : first + shape.step * k->m;
                double sum = 0;
                for (int64_t b = first; b < end; b++)
                    sum += g[e][b - first] * dwci_filter_at(c, filter, (a * p->kw + b) * c->geometry.oc + channel);
                finite = dwci_minimal_put(c, to, at, sum) && finite;
            }
    return finite;
}

static dwci_minimal way_of(const dwci_case *c, const dwci_winograd_kernel *k, const dwci_params *params) {
    const dwc_problem *p = &c->problem;
    const dwci_direct_args args = dwci_arguments(c, NULL);
    const int64_t columns = params->value[COLUMNS], whole = (columns - 1) / k->m * k->m + k->m; /* whole tiles */
    return (dwci_minimal){
        .kernel = k,
        .rows = DWCI_WINOGRAD_BLOCK,
        .columns = columns,
        .scratch = dwci_winograd_scratch(&args, k->m, k->taps, whole),
        .copies = p->m == 1 ? dwci_copies(p->c, dwci_lanes(c), (int64_t)c->geometry.element_bytes) : 1,
        .elements = segments_of(c, k) * p->kh * (k->m + k->taps - 1),
        .transform = transform,
    };
}

static bool prepare(dwci_solution *s, char *why, size_t size) {
    const dwci_case *c = &s->problem_case;
    const int m = s->params.value[OUTPUTS], taps = s->params.value[TAPS], columns = s->params.value[COLUMNS];
    const dwci_winograd_kernel *kernel = find(c, m, taps);
    if (!kernel || columns < 1 || columns > MOST_COLUMNS) {
        snprintf(why, size,
                 "params: no instance of outputs=%d, taps=%d for %lld columns of taps, or columns=%d is not in 1..%d",
                 m, taps, (long long)c->problem.kw, columns, MOST_COLUMNS);
        return false;
    }
    const dwci_minimal way = way_of(c, kernel, &s->params);
    return dwci_minimal_prepare(s, &way, (double)(segments_of(c, kernel) + c->problem.kh) + 2, 1, why, size);
}

static void pack(const dwci_solution *s, const void *filter, void *packed) {
    const dwci_minimal way = way_of(&s->problem_case, s->prepared.state, &s->params);
    dwci_minimal_pack(s, &way, filter, packed);
}

static void run(const dwci_solution *s, const dwci_tensors *t) {
    const dwci_minimal way = way_of(&s->problem_case, s->prepared.state, &s->params);
    dwci_minimal_run(s, &way, t);
}

const dwci_algo dwci_algo_winograd = {
    .name = "winograd",
    .revision = 5,
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
