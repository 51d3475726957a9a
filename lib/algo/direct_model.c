/* SPDX-License-Identifier: Apache-2.0 */
/* direct: its candidates, and what each should cost; NCHW is in direct_model_nchw.c.
 *
 * A visit is one tile (or strip) of one vector of output channels. The model adds, over all visits, its arithmetic and
 * the cache lines that it brings from the second and the last cache; strips do both at the same time, in part. Pixels
 * that lie a power of two apart fall into few sets of the first cache: where more lines of a tile share a set than it
 * has ways, they push each other out and come again for the next vector. Where outputs lie in the same sets, some
 * cores lose far more time: what was measured of this one, see dwci_pace. Staging costs a copy and avoids this.
 *
 * Strips: the constants are a fit on an Intel server core of 2024 (3.7 GHz, 48 KiB and 2 MiB of cache), AVX-512 and
 * AVX2, 68 real and 189 random cases, up to 20 candidates each, the worst of four buffer offsets. There the choice
 * takes 1.04 times as long as the best candidate on the layers of tune/layers.csv (geometric mean; 95 % of them 1.16,
 * the worst 1.32), and 1.045 (1.13, 1.30) on 69 layers of other networks, which nothing was fitted to; with AVX2 1.08
 * (worst 1.6) and 1.05 (1.6); NCHW 1.02 (1.3) and 1.017 (1.2); from memory, 63 layers, 1.03 (1.2). Tiles: the same
 * core, 90 random cases in its caches, 1.055 (95 % 1.22), 50 others 1.04 (worst 1.25); from memory: AMD Zen 3 (3.4
 * GHz, 32 KiB and 512 KiB of cache). On an AMD Zen of 2017 (2.0 to 2.8 GHz, caches like those), calibrated, 60 random
 * cases, in its caches: 1.025 (95 % 1.12, worst 1.23), NCHW 1.02 (1.16, 1.49). On an AMD Zen 4, 60 random cases: 1.034
 * (1.16, 1.37), NCHW, 50: 1.023 (1.15, 1.39).
 *
 * Tried and not here: a regression of log(measured / model) on algorithm and parameters from a machine's own records.
 * With the layers' records it changed the 1.045 above to 1.042 and the 1.017 to 1.024, with the others' the 1.036 to
 * 1.039 (its worst 1.32 to 1.56), with AVX2 1.08 to 1.077 and 1.05 to 1.044. */
#include "algo/direct.h"
#include "core/cost.h"

#include <math.h>

/* Tiles: instructions, lines; by how much a line of input takes longer for each time that it is pushed out; a line of
 * filter. */
static const double INSTRUCTION_NS = 0.133, L2_LINE_NS = 0.1, L3_LINE_NS = 0.1, CROWDED = 0.3, FILTER_LINE_NS = 0.05;
/* A line of outputs that is pushed out before it is written, in strips at the pace of the last cache (found so on AMD
 * Zen 4); multiplier 1 has this in the terms fitted to it. */
static const double PUSHED_LINE_NS = 0.5, STRIP_PUSHED_LINE_NS = 2.1;
enum { MOST_CROWDED = 4 }; /* of what crowding.in counts */
/* Copying pixels 4096, 2048, 1024 and 512 bytes apart, so in 1, 2, 4 and 8 sets, to the same sets took 9, 4.1, 1.6 and
 * 0.4 ns a line more than to others, on AMD Zen 4, outputs 16 bytes behind; the calibration measures one set, 0 bytes
 * behind. */
static const double ONE_SET = 1.1;
/* A vector copied to a stage; by how much longer it takes in all with twice as many phases of columns. */
static const double COPY_VECTOR_NS = 1, STRIP_COPY_VECTOR_NS = 0.67, STRIP_COPY_FAR_NS = 1.6, SCATTERED = 0.3;
/* From memory: a line; a line of more streams than the core follows, for each of them; a line staged. */
static const double MEMORY_LINE_NS = 2, STREAM_LINE_NS = 0.1, STAGED_LINE_NS = 2.15, STRIP_STAGED_LINE_NS = 4.5;
enum { STREAMS = 16 };

enum { LINE = 64, PAGE = 4096, SETS = PAGE / LINE };

static int64_t at_least(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t at_most(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Output rows of a phase of a dilated problem (see kern/direct_nhwc.inc). */
static int64_t phase_rows(const dwci_case *c) {
    return dwci_quotient_up(c->geometry.oh, c->problem.dh / dwci_common_divisor(c->problem.sh, c->problem.dh));
}

/* Phases so short that rows asked for ahead lie behind their end. */
static bool short_phases(const dwci_case *c) {
    return phase_rows(c) < c->geometry.oh && phase_rows(c) <= 8;
}

/* ---- candidates -------------------------------------------------------------------------------------------------- */

/* Output rows to stage at a time: their input, blocks of `vectors` channel vectors (0: all), takes about a quarter of
 * the second cache. */
static int stage_rows(const dwci_case *c, int vectors) {
    enum { LEAST = 8 };
    const int64_t wanted = vectors * dwci_lanes(c);
    const int64_t channels = vectors > 0 && wanted < c->problem.c ? wanted : c->problem.c;
    const double row = ((double)c->problem.w * (double)channels + 1) * (double)c->geometry.element_bytes;
    const double rows = (dwci_second_cache(c->machine) / 4 / row - (double)c->problem.kh) / (double)c->problem.sh + 1;
    return (int)at_most(rows > LEAST ? (int64_t)rows : LEAST, c->geometry.oh);
}

typedef struct candidate_list {
    dwci_params *list;
    int count, most;
} candidate_list;

static void add(candidate_list *l, int rows, int columns, int block, int stage, int prefetch, int nontemporal) {
    if (l->count < l->most)
        l->list[l->count++] = (dwci_params){.value = {[DWCI_ROWS] = rows,
                                                      [DWCI_COLUMNS] = columns,
                                                      [DWCI_BLOCK] = block,
                                                      [DWCI_STAGE] = stage,
                                                      [DWCI_PREFETCH] = prefetch,
                                                      [DWCI_NONTEMPORAL] = nontemporal}};
}

/* Every width in place, for the caches and for memory, strips in bands of some heights; a few widths staged, by blocks
 * for the caches, with all channels (which can go past the caches) for memory. */
int dwci_direct_candidates(const dwci_case *c, dwci_params *list, int most) {
    const dwci_direct_kernel *kernel = dwci_direct_find(c);
    candidate_list l = {list, 0, most};
    if (c->problem.layout == DWC_NCHW && kernel->rows > 0 && c->geometry.output_elements > 0)
        return dwci_direct_nchw_candidates(c, kernel, list, most);
    if (kernel->rows == 0 || c->geometry.output_elements == 0) {
        add(&l, 0, 0, 0, 0, 0, 0);
        return l.count;
    }
    enum { BAND = 8, HALF_BAND = 4, MANY_TAP_ROWS = 5 };
    static const int strips[] = {0, BAND, HALF_BAND}, others[] = {2, 1};
    const bool strip = kernel->rows == DWCI_STRIP;
    /* Images for which lower bands would read much again, or do not exist. */
    const bool low =
        c->problem.n > 1 && c->problem.dh == 1 && c->geometry.oh <= (c->problem.kh >= MANY_TAP_ROWS ? BAND : HALF_BAND);
    for (int i = 0; i < (strip ? 3 : 2); i++) {
        const int rows = (strip ? strips : others)[i];
        if (strip && rows >= phase_rows(c))
            continue;
        for (int columns = kernel->columns; columns > 0; columns--) {
            add(&l, rows, columns, 0, 0, 0, 0);
            if (!strip)
                add(&l, rows, columns, 0, 0, 4, 1);
            if (!strip || rows > 0)
                add(&l, rows, columns, 0, 0, strip ? rows : 8, 1);
            if (strip && (rows > 0 ? columns <= 2 : short_phases(c)))
                add(&l, rows, columns, 0, 0, 0, 1);
            if (strip && rows == 0 && low)
                add(&l, rows, columns, 0, 0, (int)c->problem.h, 1); /* asks for the next image */
        }
    }
    const int rows = strip ? 0 : kernel->rows;
    for (int columns = kernel->columns; columns > 1; columns = columns > 2 ? 2 : 1) {
        add(&l, rows, columns, 16, stage_rows(c, 16), 0, 0);
        if (!strip)
            add(&l, rows, columns, 0, stage_rows(c, 0), 0, 0);
        add(&l, rows, columns, 0, stage_rows(c, 0), 0, 1);
    }
    return l.count;
}

/* ---- cost -------------------------------------------------------------------------------------------------------- */

/* One phase of a dilated problem (see kern/direct_nhwc.inc) in register tiles. Steps are in bytes. */
typedef struct tiling {
    int64_t rows, columns;                               /* outputs of a tile, at most */
    int64_t h, w;                                        /* inputs of the phase */
    double mean_rows, mean_columns, in_rows, in_columns; /* outputs and inputs, on average */
    int64_t bands, tiles;                                /* tiles down and along */
    int64_t sh, sw;
    uint64_t pixel, row, out_pixel, out_row;
    int64_t vectors; /* of one visit of the image */
    bool staged;
} tiling;

/* How crowded the sets of a tile's lines are, means over them. */
typedef struct crowding {
    double in;  /* the square of how many ways' worth of lines share the set, that is how often the line is pushed out:
                   0 where they fit, a half where they fit barely */
    double out; /* 0: a line stays until it is written, 1: it is always pushed out before */
    double shared; /* the part of the input's lines that share the set of a line of output */
} crowding;

static int64_t set_of(int64_t row, uint64_t row_bytes, int64_t column, uint64_t column_bytes) {
    return (int64_t)(((uint64_t)row * row_bytes + (uint64_t)column * column_bytes) / LINE % SETS);
}

/* The output lies at the same address modulo a page as the input, the worst place. */
static crowding crowding_of(const tiling *t, int64_t kh, int64_t kw, int64_t ways) {
    enum { MOST = 12, MOST_ROWS = 1024 }; /* rows and columns of larger tiles stand for the rest */
    const int64_t in_rows = at_most(at_most((t->rows - 1) * t->sh + kh, t->h), MOST);
    const int64_t in_columns = at_most(at_most((t->columns - 1) * t->sw + kw, t->w), MOST),
                  out_rows = at_most(t->rows, MOST_ROWS);
    int in[SETS] = {0}, out[SETS] = {0};
    crowding mean = {0, 0, 0};
    for (int64_t r = 0; r < in_rows; r++)
        for (int64_t x = 0; x < in_columns; x++)
            in[set_of(r, t->row, x, t->pixel)]++;
    for (int64_t i = 0; i < out_rows; i++)
        for (int64_t j = 0; j < t->columns; j++)
            out[set_of(i, t->out_row, j, t->out_pixel)]++;
    for (int s = 0; s < SETS; s++) {
        const double share = (double)out[s] / (double)ways;
        const double over = (double)in[s] / (double)ways + (t->staged ? 0 : share);
        mean.in += in[s] * (over > 1 ? over * over : over == 1 ? 0.5 : 0) / (double)(in_rows * in_columns);
        mean.out += out[s] * fmin(1, fmax(0, 2 * share - 1.5)) / (double)(out_rows * t->columns);
        mean.shared += (double)in[s] * out[s] / (double)(in_rows * in_columns * out_rows * t->columns);
    }
    return mean;
}

/* Pages that rows x columns lines lie in; `row` and `pixel`: bytes from one to the next. */
static double pages_of(double rows, double columns, uint64_t row, uint64_t pixel) {
    const double width = (columns - 1) * (double)pixel, height = (rows - 1) * (double)row;
    return fmin(rows * fmin(columns, 1 + width / PAGE), 1 + (height + width) / PAGE);
}

static tiling tiling_of(const dwci_case *c, const dwci_direct_kernel *kernel, const dwci_params *params) {
    const dwc_problem *p = &c->problem;
    const uint64_t bytes = c->geometry.element_bytes;
    const int64_t lanes = dwci_lanes(c);
    const int64_t sh_divisor = dwci_common_divisor(p->sh, p->dh), sw_divisor = dwci_common_divisor(p->sw, p->dw);
    const int64_t oh = phase_rows(c);
    const int64_t ow = dwci_quotient_up(c->geometry.ow, p->dw / sw_divisor), all = dwci_vectors(c->geometry.oc, lanes);
    const int *value = params->value;
    tiling t = {.sh = p->sh / sh_divisor, .sw = p->sw / sw_divisor, .staged = value[DWCI_STAGE] > 0};
    t.rows = at_most(at_most(value[DWCI_ROWS] ? value[DWCI_ROWS] : kernel->rows, kernel->rows), oh);
    t.columns = at_most(at_most(value[DWCI_COLUMNS] ? value[DWCI_COLUMNS] : kernel->columns, kernel->columns), ow);
    t.bands = dwci_quotient_up(oh, t.rows);
    t.tiles = dwci_quotient_up(ow, t.columns);
    t.rows = dwci_quotient_up(oh, t.bands); /* tiles are of nearly equal size */
    t.columns = dwci_quotient_up(ow, t.tiles);
    t.mean_rows = (double)oh / (double)t.bands;
    t.mean_columns = (double)ow / (double)t.tiles;
    t.h = at_least(dwci_quotient_up(p->h, p->dh), 1);
    t.w = at_least(dwci_quotient_up(p->w, p->dw), 1);
    t.in_rows = fmin((t.mean_rows - 1) * (double)t.sh + (double)p->kh, (double)t.h);
    t.in_columns = fmin((t.mean_columns - 1) * (double)t.sw + (double)p->kw, (double)t.w);
    t.vectors = value[DWCI_BLOCK] > 0 ? at_most(value[DWCI_BLOCK], all) : all;
    if (t.staged) {
        const int64_t pixel = dwci_stage_pixel(dwci_quotient_up(t.vectors * lanes, p->m), lanes);
        t.pixel = (uint64_t)pixel * bytes;
        t.row = ((uint64_t)pixel * (uint64_t)(p->w / p->dw) + 2 * DWCI_STAGE_SKEW) * bytes;
    } else {
        t.pixel = (uint64_t)p->dw * (uint64_t)p->c * bytes;
        t.row = (uint64_t)p->dh * (uint64_t)p->w * (uint64_t)p->c * bytes;
    }
    t.out_pixel = (uint64_t)(p->dw / sw_divisor) * (uint64_t)c->geometry.oc * bytes;
    t.out_row = (uint64_t)(p->dh / sh_divisor) * (uint64_t)c->geometry.ow * (uint64_t)c->geometry.oc * bytes;
    return t;
}

/* Cache lines of one visit. */
typedef struct traffic {
    double in, out, fresh; /* fresh: input that no visit before had, and twice the output */
    double pushed;         /* output lines pushed out before they are written, multiplier 2 or more */
    double crowded;        /* crowding.in */
    double colliding;      /* output lines as if all shared one set with the inputs, which the calibration measures.
                              Strips, which load and store in turn: the mean of in and out. Half types: each store is
                              half a line and costs as much as a whole one */
} traffic;

/* How many of `taps` taps `pad` zeros cut off, all outputs of a phase at that end of a row or column together. */
static double cut_taps(int64_t pad, int64_t stride, int64_t dilation, int64_t taps) {
    /* Of the first output, the next has `stride` fewer. */
    const int64_t first = pad > 0 ? dwci_quotient_up(pad, dilation) : 0;
    const int64_t outside = first >= taps ? (first - taps) / stride + 1 : 0;
    const double rest = (double)(first - outside * stride), step = (double)stride, count = fmax(0, ceil(rest / step));
    return (double)outside * (double)taps + count * rest - step * count * (count - 1) / 2;
}

double dwci_direct_taps_inside(int64_t outputs, int64_t before, int64_t behind, int64_t stride, int64_t dilation,
                               int64_t taps) {
    const int64_t divisor = dwci_common_divisor(stride, dilation), step = stride / divisor;
    const double cut = cut_taps(before, step, dilation, taps) + cut_taps(behind, step, dilation, taps);
    return fmax(1, (double)outputs * (double)taps - (double)(dilation / divisor) * cut);
}

/* The part of all taps of all outputs that lies inside the image. */
static double inside(const dwci_case *c) {
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    return dwci_direct_taps_inside(g->oh, g->pad_top, g->pad_bottom, p->sh, p->dh, p->kh) *
           dwci_direct_taps_inside(g->ow, g->pad_left, g->pad_right, p->sw, p->dw, p->kw) /
           ((double)g->oh * (double)p->kh * (double)g->ow * (double)p->kw);
}

/* Instructions of one visit of a tile that is no strip, a mean over the image. */
static double instructions(const dwci_case *c, const tiling *t) {
    const double taps = (double)c->problem.kh * (double)c->problem.kw, outputs = t->mean_rows * t->mean_columns;
    const double overhead = 10 + 2 * t->in_rows + 4 * t->mean_rows;
    return (outputs * taps + t->in_rows * t->in_columns + t->mean_rows * taps) * inside(c) + overhead;
}

/* Products of one column of taps and outputs down a strip of `rows` output rows: each input row serves the sums that
 * are live, also those above the last output row. */
static double strip_tap_rows(const dwc_problem *p, const tiling *t, double rows) {
    const int64_t live = (p->kh - 1) / t->sh + 1, lead = at_least(p->kh - t->sh, 0);
    double sum = 0;
    for (int64_t a = 0; a < p->kh; a++)
        sum += (double)(a / t->sh + 1) * (a < lead ? 1 : fmax(0, rows - (double)(live - 1)));
    for (int64_t left = 1; left < live && (double)left <= rows; left++)
        for (int64_t a = lead; a < p->kh; a++)
            sum += (double)at_most(left, a / t->sh + 1);
    return sum;
}

/* Nanoseconds of arithmetic of one visit of a strip, a mean over the image: products, loads, rows. WIDE: vectors of 64
 * bytes; SPILLED: sums, and in that order the pixels of a tap column and a filter vector, are more than the
 * registers. */
static double strip_arithmetic_ns(const dwci_case *c, const tiling *t) {
    static const double PRODUCT_NS = 0.1, LOAD_NS = 0.109, ROW_NS = 1.13, WIDE = 1.39, SPILLED = 1.2;
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const double taps = (double)p->kh * (double)p->kw, bands = (double)t->bands, tiles = (double)t->tiles;
    const double rows_cut = (double)(g->pad_top + g->pad_bottom) / (double)p->dh;
    const double columns_cut = (double)(g->pad_left + g->pad_right) / (double)p->dw;
    const double tap_rows = bands * strip_tap_rows(p, t, t->mean_rows) - cut_taps(g->pad_top, t->sh, p->dh, p->kh) -
                            cut_taps(g->pad_bottom, t->sh, p->dh, p->kh);
    const double tap_columns = tiles * t->mean_columns * (double)p->kw - cut_taps(g->pad_left, t->sw, p->dw, p->kw) -
                               cut_taps(g->pad_right, t->sw, p->dw, p->kw);
    /* Phases are not all alike, and padding may reach further than the outputs. */
    const double products = fmax(0, tap_rows) * fmax(0, tap_columns), rows = fmax(0, bands * t->in_rows - rows_cut);
    const int64_t live = (p->kh - 1) / t->sh + 1;
    const double free = (double)(dwci_element(c)->registers - 2 - live * t->columns);
    const double kept = free < taps ? free : taps; /* filter vectors in registers */
    const double filter =
        2 * kept >= taps ? products * (taps - kept) / taps : fmax(0, tap_rows) * (double)p->kw * tiles;
    const double loads = rows * fmax(0, tiles * t->in_columns - columns_cut) + filter;
    const bool wide = dwci_lanes(c) * (int64_t)dwci_accumulator_bytes(c) >= LINE;
    const bool spilled = 2 * kept < taps && (live + 1) * t->columns + 1 > dwci_element(c)->registers;
    return c->pace.arithmetic * (PRODUCT_NS * products + LOAD_NS * loads + ROW_NS * rows * tiles) * (wide ? WIDE : 1) *
           (spilled ? SPILLED : 1) / (bands * tiles);
}

/* Two things done at the same time, in part. */
static double norm(double a, double b, double power) {
    return pow(pow(a, power) + pow(b, power), 1 / power);
}

/* Nanoseconds of one visit of a strip. far: the part of the tensors that the second cache does not keep. */
static double strip_ns(const dwci_case *c, const tiling *t, const traffic *lines, bool in_l1, double far) {
    static const double NEAR_NS = 0.61, NEAR_HIGH_NS = 0.095, CROWDED_NS = 0.081,
                        HALF = 2.3; /* from the second cache */
    static const double FAR_NS = 0.6, FAR_WIDE_NS = 0.05, FAR_PAGES_NS = 0.45,
                        FAR_CROWDED = 0.4; /* from the last; there lines that come again are hidden in part */
    enum { FEW_PAGES = 20 };               /* about as many as the prefetchers of the second cache follow */
    const double arithmetic = strip_arithmetic_ns(c, t), high = fmax(0, log2(t->mean_rows / 8));
    const bool half = dwci_lanes(c) * (int64_t)c->geometry.element_bytes < LINE; /* the next vector wants the rest */
    double memory = 0;
    if (!in_l1)
        memory += c->pace.near * (lines->in + 2 * lines->out) * (NEAR_NS + NEAR_HIGH_NS * high) +
                  fmax(c->pace.near * (lines->in + lines->out) * CROWDED_NS * (1 - far * (1 - FAR_CROWDED)) *
                           (half ? HALF : 1) * fmin(lines->crowded, MOST_CROWDED),
                       c->pace.collision_ns * lines->colliding);
    const double pages = pages_of(t->in_rows, t->in_columns, t->row, t->pixel) +
                         pages_of(t->mean_rows, t->mean_columns, t->out_row, t->out_pixel);
    memory += c->pace.far * far * lines->fresh *
              (FAR_NS + FAR_WIDE_NS * (t->mean_columns - 1) + FAR_PAGES_NS * fmax(0, log2(pages / FEW_PAGES)));
    return norm(arithmetic, memory, 3.4) + (in_l1 ? 0 : c->pace.far * lines->pushed * STRIP_PUSHED_LINE_NS);
}

/* Nanoseconds of the tensors of one image from and to memory, in strips: few streams at once are what the prefetchers
 * follow (neighbouring columns of few channels are one), low strips read rows again, and what is asked for ahead must
 * stay in the second cache. */
static double strip_memory_ns(const dwci_case *c, const tiling *t, double lines, double l2, bool ahead) {
    static const double LINE_NS = 3.6, STREAM = 0.1, STREAMS_FREE = 8, AGAIN = 0.1, OVER = 0.54, ROOM = 0.5,
                        MOST_OVER = 0.4, /* what leaves the second cache is still in the last */
        LINES_APART = 7;                 /* of a pixel that is a stream of its own */
    const dwc_problem *p = &c->problem;
    const double bytes = (double)c->geometry.element_bytes, fresh = t->mean_rows * (double)t->sh;
    const double again = (double)at_least(p->kh - t->sh, 0);
    const double pixel = (double)p->c * bytes, row = (double)p->w * pixel;
    const double apart = fmax(1, t->mean_columns * (double)t->sw * fmin(1, pixel / LINE / LINES_APART));
    const double next = fresh * row + t->mean_rows * (double)c->geometry.ow * (double)c->geometry.oc * bytes;
    const double band = (fresh + again) * row + (ahead ? next : 0);
    return c->pace.memory * lines * LINE_NS *
           (1 + STREAM * fmax(0, log2(fresh * apart / STREAMS_FREE)) + AGAIN * again / fresh +
            fmin(MOST_OVER, OVER * fmax(0, band / l2 - ROOM)));
}

/* By how much copying to stages is more than copying the image once: rows copied again, short pieces, above all where
 * they come from afar. */
static double copies_again(const dwci_case *c, const dwci_params *params, int64_t vectors, bool far) {
    const double stage = params->value[DWCI_STAGE], sh = (double)c->problem.sh;
    const double again = ((stage - 1) * sh + (double)c->problem.kh) / (stage * sh);
    return (again > 1 ? again : 1) * (1 + (far ? 12 : 4) / (double)vectors);
}

/* Factors for what goes past the caches or is asked for ahead, where it should not or should. */
static double manners(const dwci_case *c, const dwci_params *params, const tiling *t, bool strip, bool memory) {
    const int prefetch = params->value[DWCI_PREFETCH], nontemporal = params->value[DWCI_NONTEMPORAL];
    if (!memory)
        return (nontemporal ? 2 : 1) * (prefetch ? 1.1 : 1);
    if (t->staged)
        return nontemporal ? 1 : 1.2;
    /* Tiles: at least as far ahead as one reads. Single rows read most input again. */
    const double ahead = (prefetch == 0) != short_phases(c)                ? 1.15
                         : strip || prefetch == (t->in_rows > 4.5 ? 8 : 4) ? 1
                                                                           : 1.07;
    return ahead * (nontemporal ? 1 : 1.2) * (t->rows == 1 ? 1.08 : 1);
}

/* Nanoseconds of one image. */
static double image_ns(const dwci_case *c, const dwci_direct_kernel *kernel, const dwci_params *params) {
    const dwc_problem *p = &c->problem;
    const tiling t = tiling_of(c, kernel, params);
    const double l1 = dwci_first_cache(c->machine);
    const double l2 = dwci_second_cache(c->machine);
    const int64_t lanes = dwci_lanes(c), phases_down = p->dh / dwci_common_divisor(p->sh, p->dh);
    const double vector = (double)lanes * (double)c->geometry.element_bytes; /* bytes */
    const int64_t copies = dwci_filter_copies(kernel, c->geometry.oc, lanes, (int64_t)c->geometry.element_bytes);
    const double all = (double)dwci_copy_vectors(copies - 1, c->geometry.oc, lanes);
    const double phases = (double)phases_down * (double)(p->dw / dwci_common_divisor(p->sw, p->dw));
    const double visits = phases * (double)t.bands * (double)t.tiles * all;
    const double line = vector / LINE / (double)p->m; /* of input, for a pixel and a vector of outputs */
    const double footprint = dwci_cost_footprint(c) / (double)p->n;
    const bool memory = dwci_cost_from_memory(c), strip = kernel->rows == DWCI_STRIP;
    const crowding crowded = crowding_of(&t, p->kh, p->kw, at_least((int64_t)l1 / PAGE, 1));

    /* Neighbouring tiles share columns, if these survive a visit of all channels. */
    const double input = t.in_rows * t.in_columns * (double)t.vectors * vector / (double)p->m;
    const double columns = crowded.in < 0.5 && input < 0.7 * l1 ? t.mean_columns * (double)t.sw : t.in_columns;
    const double streams = t.mean_rows * (double)t.sh * t.mean_columns * (double)t.sw;
    traffic lines = {
        .in = t.in_rows * columns * line, .out = t.mean_rows * t.mean_columns * vector / LINE, .crowded = crowded.in};
    lines.pushed = p->m > 1 ? lines.out * crowded.out : 0;
    lines.colliding = (strip ? (lines.in + lines.out) / 2 : lines.out) *
                      ((double)dwci_accumulator_bytes(c) / (double)c->geometry.element_bytes) *
                      fmax(0, ONE_SET * crowded.shared - (ONE_SET - 1));
    lines.fresh = streams * line + 2 * lines.out;

    double ns;
    if (strip) {
        const double over = fmax(0, 2 * (footprint / l2 - 1));
        ns = visits * strip_ns(c, &t, &lines, footprint <= l1, memory ? 0 : fmin(over, 1));
    } else {
        ns = visits * instructions(c, &t) * INSTRUCTION_NS * c->pace.arithmetic;
        if (footprint > l1)
            ns += visits * c->pace.near *
                      ((lines.in * (1 + CROWDED * fmin(crowded.in, MOST_CROWDED)) + lines.out) * L2_LINE_NS +
                       lines.pushed * PUSHED_LINE_NS) +
                  visits * c->pace.collision_ns * lines.colliding;
        if (footprint > l2 && !memory)
            ns += visits * (lines.fresh - lines.out) * L3_LINE_NS * c->pace.far;
        /* Each tile takes all filters of a block again. */
        const double taps = (double)p->kh * (double)p->kw,
                     filter = taps * (double)lanes * (double)dwci_accumulator_bytes(c); /* of a vector */
        if (filter * (double)t.vectors > l2 / 2)
            ns += visits * filter / LINE * FILTER_LINE_NS * c->pace.far;
    }
    if (t.staged) {
        const double vector_ns = !strip ? COPY_VECTOR_NS : memory ? STRIP_COPY_FAR_NS : STRIP_COPY_VECTOR_NS;
        ns += (double)p->h * (double)p->w * (all / (double)p->m) *
              copies_again(c, params, t.vectors, footprint > 8 * l2) * vector_ns *
              (memory ? c->pace.memory : c->pace.near);
        /* Of one phase of columns: pixels apart, where the others read all side by side. */
        ns *= 1 + SCATTERED * log2((double)(p->dw / dwci_common_divisor(p->sw, p->dw)));
    }
    if (memory && strip && !t.staged)
        ns = norm(ns, strip_memory_ns(c, &t, footprint / LINE, l2, params->value[DWCI_PREFETCH] > 0), 2.7);
    else if (memory)
        ns += c->pace.memory * footprint / LINE *
              (t.staged ? (strip ? STRIP_STAGED_LINE_NS : STAGED_LINE_NS)
                        : MEMORY_LINE_NS + STREAM_LINE_NS * fmax(0, streams - STREAMS));
    /* By how much tiles take longer than the sum; all candidates of a case are of one family of kernels. */
    static const double TALL = 1.1, TALL_MULTIPLIED = 1.38, ANY = 2, ANY_MULTIPLIED = 2.6;
    const double tall = p->m == 1 ? TALL : TALL_MULTIPLIED, any = p->m == 1 ? ANY : ANY_MULTIPLIED;
    const double family = strip ? 1 : kernel->kw > 0 ? tall : any;
    return ns * family * manners(c, params, &t, strip, memory);
}

double dwci_direct_cost(const dwci_case *c, const dwci_params *params) {
    const dwci_direct_kernel *kernel = dwci_direct_find(c);
    const bool nchw = c->problem.layout == DWC_NCHW;
    const int threads = dwci_direct_threads(c);
    const double roofline = dwci_cost_roofline(c, DWCI_DIRECT_EFFICIENCY, threads);
    if (c->geometry.output_elements == 0 || (kernel->rows == 0 && !nchw))
        return roofline;
    /* Several threads gain as much as by the roofline. */
    const double alone = threads > 1 ? dwci_cost_roofline(c, DWCI_DIRECT_EFFICIENCY, 1) : roofline;
    const double ns = nchw ? dwci_direct_nchw_ns(c, kernel, params) : image_ns(c, kernel, params);
    return 1e-9 * (double)c->problem.n * ns * (roofline / alone);
}
