/* SPDX-License-Identifier: Apache-2.0 */
/* direct in NCHW: its candidates, and what each should cost. */
#include "algo/direct.h"
#include "core/cost.h"
#include "kern/strip_nchw.h"

#include <math.h>

/* ---- candidates -------------------------------------------------------------------------------------------------- */

/* Output rows to stage at a time: their input takes about a quarter of the first cache. */
static int stage_rows(const dwci_case *c) {
    enum { LEAST = 8, MOST = 1 << 20 };
    const double row = (double)c->problem.w * (double)dwci_accumulator_bytes(c), oh = (double)c->geometry.oh;
    const double rows = (8192 / row - (double)c->problem.kh) / (double)c->problem.sh + 1;
    return (int)fmin(fmin(rows > LEAST ? rows : LEAST, oh), MOST);
}

/* Strips in bands of some heights, for the caches and for memory; any taps; tiles of some rows, in place or staged; and
 * the one that needs nothing. */
int dwci_direct_nchw_candidates(const dwci_case *c, const dwci_direct_kernel *kernel, dwci_params *list, int most) {
    enum { BAND = 16, FEW = 2 };
    const int staged = stage_rows(c);
    const dwci_params strips[] = {
        {{[DWCI_ROWS] = 0}},
        {{[DWCI_PREFETCH] = 1}},
        {{[DWCI_PREFETCH] = 1, [DWCI_NONTEMPORAL] = 1}},
        {{[DWCI_ROWS] = BAND}},
        {{[DWCI_ROWS] = BAND, [DWCI_PREFETCH] = 1}},
        {{[DWCI_ROWS] = BAND, [DWCI_PREFETCH] = 1, [DWCI_NONTEMPORAL] = 1}},
    };
    const dwci_params tiles[] = {
        {{[DWCI_ROWS] = 0}},
        {{[DWCI_NONTEMPORAL] = 1}},
        {{[DWCI_ROWS] = FEW}},
        {{[DWCI_STAGE] = staged}},
        {{[DWCI_ROWS] = FEW, [DWCI_NONTEMPORAL] = 1}},
        {{[DWCI_STAGE] = staged, [DWCI_NONTEMPORAL] = 1}},
    };
    const dwci_params slow = {{[DWCI_BLOCK] = 1}};
    const bool in_place = kernel->channels == DWCI_IN_PLACE;
    const int given = in_place ? (c->geometry.oh > BAND ? 6 : 3) : kernel->channels == DWCI_ANY_TAPS ? 2 : 6;
    int count = 0;
    for (int i = 0; i <= given && count < most; i++)
        list[count++] = i == given ? slow : (in_place ? strips : tiles)[i];
    return count;
}

/* ---- cost -------------------------------------------------------------------------------------------------------- */

/* Nanoseconds of arithmetic of one phase of one channel of whole rows, alone or two in a vector (see
 * kern/strip_nchw.inc). Fits on the server core of direct_model.c: alone, 170 problems of 4 to 16 columns, within 14 %
 * (root mean square); two, whose filter is made for them and kept as far as registers go, 15 of 4 to 16. */
static double nchw_whole_rows_ns(const dwc_problem *p, const dwci_nchw_strips *s, double rows, double in_rows) {
    static const double PRODUCT_NS = 0.163, LOAD_NS = 0.39;
    static const double PAIR_PRODUCT_NS = 0.12, PAIR_LOAD_NS = 0.36, FILTER_NS = 0.21, NOT_KEPT_NS = 0.11, KEPT = 20;
    const double taps = (double)p->kh * (double)p->kw;
    if (s->channels == 1)
        return rows * taps * PRODUCT_NS + in_rows * (double)p->sw * LOAD_NS;
    return (rows * (taps * PAIR_PRODUCT_NS + fmax(0, taps - KEPT) * NOT_KEPT_NS) + in_rows * 2 * PAIR_LOAD_NS +
            taps * FILTER_NS) /
           s->channels;
}

/* Nanoseconds of one channel, NCHW in place (see kern/strip_nchw.inc): strips of vectors of columns, in bands. The
 * constants of wider rows are a fit on the server core of direct_model.c, 137 layers, two heights; there the choice of
 * the height takes 1.005 times as long as the better one (geometric mean; the worst layer 1.10). */
static double nchw_strips_ns(const dwci_case *c, const dwci_params *params) {
    static const double WHOLE_ROWS_NS = 2.4, CHANNEL_NS = 5.8, CALL_NS = 18.7, TAP_NS = 0.124, LOAD_NS = 0.106,
                        SHIFT_NS = 0.348, LONE_SHIFT_NS = 0.14; /* lone: of one row of taps, beside few products */
    static const double L2_NS = 0.0155, L3_NS = 0.0172, HIGH = 0.058; /* a byte; high strips wait for more lines */
    const dwc_problem *p = &c->problem;
    const dwci_direct_args args = dwci_arguments(c, NULL);
    const dwci_nchw_strips s = dwci_nchw_strips_of(&args, dwci_lanes(c));
    const int64_t rows = params->value[DWCI_ROWS], phases = p->dh / dwci_common_divisor(p->sh, p->dh);
    const double strips = (double)s.strips, vectors = (double)s.vectors, kw = (double)p->kw, sw = (double)p->sw;
    const double many = (double)(phases < c->geometry.oh ? phases : c->geometry.oh),
                 high = (double)c->geometry.oh / many;
    const double step = (double)p->sh, kh = (double)p->kh;
    const double bands = rows > 0 ? ceil(high / (double)rows) : 1;
    const double in_rows = bands * fmax(0, kh - step) + high * fmin(kh, step);
    /* A stride first takes the vectors of each remainder, 2 permutes of each but for stride 2. */
    double loads = sw * vectors + strips, shifts = vectors * (kw - 1);
    if (p->sw > 1)
        shifts = vectors * (kw + sw * (sw - 2)) + strips;
    if (s.inputs == DWCI_STRIP_LOAD)
        loads = vectors * kw, shifts = 0;
    const double calls = s.strips > 1 && bands == 1 ? strips * fmin(many, 2) : many * strips * bands;
    const double widen = c->geometry.element_bytes < 4 ? 2 : 1, calls_ns = calls > 1 ? CALL_NS * calls : 0;
    const double arithmetic =
        c->pace.arithmetic *
        (calls_ns + (s.inputs == DWCI_STRIP_PICK
                         ? WHOLE_ROWS_NS + many * nchw_whole_rows_ns(p, &s, high, in_rows)
                         : CHANNEL_NS + many * (high * vectors * kh * kw * TAP_NS +
                                                in_rows * (loads * widen * LOAD_NS +
                                                           shifts * (p->kh > 1 ? SHIFT_NS : LONE_SHIFT_NS)))));
    const double bytes = dwci_cost_footprint(c) / (double)p->n, l1 = dwci_first_cache(c->machine),
                 l2 = dwci_second_cache(c->machine);
    const double over = s.vectors > 2 ? fmax(0, log2((rows > 0 ? fmin((double)rows, high) : high) / 16)) : 0;
    const double far = fmin(1, fmax(0, 2 * (bytes / l2 - 1)));
    double memory = c->pace.far * far * L3_NS * (1 + 2 * HIGH * over);
    if (bytes > l1)
        memory += c->pace.near * L2_NS * (1 + HIGH * over);
    memory *= bytes / (double)p->c;
    return (double)p->m * hypot(arithmetic, memory / (double)p->m);
}

/* Do strips gain by asking for rows ahead? Where many products hide it, from beyond the second cache. */
static bool nchw_prefetch(const dwci_case *c) {
    enum { MANY = 25 };
    return dwci_cost_from_memory(c) || (c->problem.kh * c->problem.kw >= MANY && c->problem.sw == 1 &&
                                        dwci_cost_footprint(c) / (double)c->problem.n > dwci_second_cache(c->machine));
}

/* Nanoseconds of one channel of any taps (see kern/taps_nchw.inc). A fit on the same core, 99 problems of 7 to 112
 * columns and 2 to 31 columns of taps, within 10 % (root mean square). */
static double nchw_taps_ns(const dwci_case *c) {
    static const double STRIP_NS = 4.2, PRODUCT_NS = 0.15, LOAD_NS = 0.085, SHIFT_NS = 0.487, PIECE_NS = 6.1;
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const double vectors = (double)dwci_vectors(g->ow, dwci_lanes(c)), strips = ceil(vectors / DWCI_TAPS_SIDE);
    const double kw = (double)p->kw, pieces = (double)((p->kw - 1) / DWCI_TAPS_PIECE + 1);
    const double tap_rows = dwci_direct_taps_inside(g->oh, g->pad_top, g->pad_bottom, p->sh, p->dh, p->kh);
    const double phases = fmin((double)(p->dh / dwci_common_divisor(p->sh, p->dh)), (double)g->oh);
    return (double)p->m * (strips * phases * STRIP_NS + tap_rows * vectors * (kw * PRODUCT_NS + pieces * LOAD_NS) +
                           (double)p->h * (kw * vectors * SHIFT_NS + pieces * strips * PIECE_NS));
}

/* Nanoseconds of one channel of tiles, and of what is copied to the stage for it. */
static double nchw_tiles_ns(const dwci_case *c, const dwci_direct_kernel *kernel, const dwci_params *params) {
    static const double TAP_NS = 0.24, ANY_TAP_NS = 0.5, ROW_NS = 3, STAGED_ROW_NS = 3.3, STAGED_NS = 0.085,
                        GATHERED_NS = 0.6;
    const dwc_problem *p = &c->problem;
    const double taps = (double)p->kh * (double)p->kw, rows = (double)c->geometry.oh;
    const int64_t vectors = dwci_vectors(c->geometry.ow, dwci_lanes(c));
    const bool staged = params->value[DWCI_STAGE] > 0 || p->sw > 1 || c->geometry.element_bytes < 4;
    const int rows_of_tile = params->value[DWCI_ROWS];
    const double output = rows * (ROW_NS + (double)(vectors > 1 ? (vectors + 1) / 2 * 2 : 1) * taps *
                                               (kernel->kh > 0 ? TAP_NS : ANY_TAP_NS));
    const double column = p->sw > 2 ? GATHERED_NS : STAGED_NS;
    const double input = staged ? (double)p->h * (STAGED_ROW_NS + column * (double)p->w) : 0;
    return ((double)p->m * output + input) * (rows_of_tile > 0 && rows_of_tile < kernel->rows ? 1.1 : 1);
}

/* Nanoseconds of one channel, any problem (see kern/any_nchw.inc): a vector of outputs, and each tap of it; on the
 * core of direct_model.c, 1x1 to 2x2. */
static double nchw_any_ns(const dwci_case *c) {
    static const double VECTOR_NS = 4.6, TAP_NS = 1.6, STRIDED_TAP_NS = 19;
    const dwc_problem *p = &c->problem;
    const double taps = (double)p->kh * (double)p->kw;
    return (double)p->m * (double)c->geometry.oh * (double)dwci_vectors(c->geometry.ow, dwci_lanes(c)) *
           (VECTOR_NS + taps * (p->sw > 1 ? STRIDED_TAP_NS : TAP_NS));
}

double dwci_direct_nchw_ns(const dwci_case *c, const dwci_direct_kernel *kernel, const dwci_params *params) {
    /* A byte. That tiles lose by going past the caches: the Zen of 2017, 5 problems, by 1 to 38 %. */
    static const double L3_NS = 0.02, MEMORY_NS = 0.1, STREAM_NS = 0.075, TILE_STREAM_NS = 0.14;
    static const double STRIP_MEMORY_NS = 0.09, STRIP_STREAM_NS = 0.055;
    const double bytes = dwci_cost_footprint(c) / (double)c->problem.n, l2 = dwci_second_cache(c->machine);
    const bool nontemporal = params->value[DWCI_NONTEMPORAL] != 0, memory = dwci_cost_from_memory(c);
    const bool strips = kernel->channels == DWCI_IN_PLACE;
    double channel;
    if (kernel->rows == 0 || params->value[DWCI_BLOCK])
        channel = c->pace.arithmetic * nchw_any_ns(c);
    else if (strips)
        channel = nchw_strips_ns(c, params);
    else if (kernel->channels == DWCI_ANY_TAPS)
        channel = c->pace.arithmetic * nchw_taps_ns(c);
    else
        channel = c->pace.arithmetic * nchw_tiles_ns(c, kernel, params);
    double ns = (double)c->problem.c * channel;
    if (strips && (params->value[DWCI_PREFETCH] != 0) != nchw_prefetch(c))
        ns *= 1.05;
    if (memory && strips)
        ns = hypot(ns, c->pace.memory * bytes * (nontemporal ? STRIP_STREAM_NS : STRIP_MEMORY_NS));
    else if (memory)
        ns += c->pace.memory * bytes *
              (!nontemporal                        ? MEMORY_NS
               : kernel->channels == DWCI_ANY_TAPS ? STREAM_NS
                                                   : TILE_STREAM_NS);
    else
        ns = ns * (nontemporal ? 2 : 1) + (bytes > l2 && !strips ? c->pace.far * bytes * L3_NS : 0);
    return ns;
}
