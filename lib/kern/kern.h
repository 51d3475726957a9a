/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel tables. The files of this folder are compiled once per instruction set; each compilation exports one const
 * table of pure functions. Nothing of a table runs before cpuid said that it may.
 *
 * Direct convolution. A kernel computes a part of one image:
 *
 *     NHWC: input [h][w][c], output [oh][ow][c*m], filter packed as [vectors][kh*kw][lanes]
 *     NCHW: input [c][h][w], output [c*m][oh][ow], filter packed as [c*m][kh*kw]
 *
 * The packed filter has the accumulator's type (float, or double for f64). NHWC: vector v of the filter holds output
 * channels dwci_vector_start(v).. of `lanes` lanes each, so that the last one overlaps its neighbour; zeros where there
 * are fewer channels than lanes; DWCI_TURNED: in another order.
 *
 * Every output is one sum over its taps in the image, row by row and left to right, one (fused, where the set has it)
 * multiply-add each, starting at +0: all kernels of all tables with fused multiply-add give the same bits. */
#ifndef DWC_KERN_KERN_H
#define DWC_KERN_KERN_H

#include <stdint.h>

static inline int64_t dwci_vectors(int64_t channels, int64_t lanes) {
    return (channels + lanes - 1) / lanes;
}

static inline int64_t dwci_common_divisor(int64_t a, int64_t b) {
    while (b > 1) {
        const int64_t rest = a % b;
        a = b, b = rest;
    }
    return b == 1 ? 1 : a;
}

/* Vectors that begin at multiples of their size in memory cross no cache line. Where all pixels lie alike, a packed
 * filter has copies for it: copy 0 as above; in copy s of the others vector 1 begins at channel dwci_copy_start(s), and
 * the vectors before and behind the multiples overlap their neighbours. */
enum { DWCI_COPY_STEP = 16, DWCI_COPY_PIXEL = 512 }; /* bytes: from copy to copy, of the smallest pixel */

static inline int64_t dwci_copy_start(int64_t copy, int64_t lanes, int64_t element_bytes) {
    return copy > 0 ? copy * DWCI_COPY_STEP / element_bytes : lanes;
}

/* Vectors of a copy, and of all before it. */
static inline int64_t dwci_copy_vectors(int64_t copy, int64_t channels, int64_t lanes) {
    return dwci_vectors(channels, lanes) + (copy > 0);
}

static inline int64_t dwci_vectors_before_copy(int64_t copy, int64_t channels, int64_t lanes) {
    return copy > 0 ? copy * (dwci_vectors(channels, lanes) + 1) - 1 : 0;
}

/* How many copies are worth their room. */
static inline int64_t dwci_copies(int64_t channels, int64_t lanes, int64_t element_bytes) {
    const int64_t vector_bytes = lanes * element_bytes;
    return channels % lanes == 0 && channels * element_bytes >= DWCI_COPY_PIXEL && vector_bytes > DWCI_COPY_STEP
               ? vector_bytes / DWCI_COPY_STEP
               : 1;
}

/* The copy for a tensor that begins there; 0 also where there is none. */
static inline int64_t dwci_copy_for(const void *tensor, int64_t vector_bytes) {
    const int64_t behind = (int64_t)((uintptr_t)tensor % (uintptr_t)vector_bytes);
    return behind % DWCI_COPY_STEP == 0 && behind > 0 ? (vector_bytes - behind) / DWCI_COPY_STEP : 0;
}

/* start: where vector 1 begins. */
static inline int64_t dwci_vector_of_copy(int64_t vector, int64_t start, int64_t channels, int64_t lanes) {
    const int64_t last = channels > lanes ? channels - lanes : 0, at = start + (vector - 1) * lanes;
    return vector == 0 ? 0 : at < last ? at : last;
}

static inline int64_t dwci_vector_start(int64_t vector, int64_t channels, int64_t lanes) {
    return dwci_vector_of_copy(vector, lanes, channels, lanes);
}

enum { DWCI_CLAMP_NONE, DWCI_CLAMP_RELU, DWCI_CLAMP_RELU6 };

typedef struct dwci_direct_args {
    int64_t h, w, c;
    int64_t kh, kw, m;
    int64_t sh, sw, dh, dw;
    int64_t oh, ow, oc;
    int64_t top, left;  /* zeros above and left of the image */
    const void *filter; /* packed, */
    int64_t copies;     /* so many times, see above; 0: once */
    const void *bias;   /* the tensors' type, NULL: none */
    int clamp;          /* DWCI_CLAMP_... */

    /* NHWC. How to go about it; no bit depends on these. 0 stands for the kernel's own choice or for none. */
    int rows, columns;  /* of a tile, at most */
    int64_t block;      /* vectors of channels that one visit of the image computes; 0: all */
    int64_t stage_rows; /* output rows whose input is copied to scratch at a time, strips: see nhwc_collides; 0: none */
    void *scratch;      /* aligned to 64 bytes, dwci_stage_row elements for each input row of a stage */
    int64_t prefetch;   /* input rows ahead */
    void *stream;       /* not NULL: outputs go past the caches by way of this, dwci_nhwc_stream_bytes; NCHW: twice
                     dwci_nchw_stream_bytes, one half filled while the other is on its way; aligned to 64 bytes */
} dwci_direct_args;

/* Elements of one pixel and one row of w pixels of a stage. A row, and a pixel of many channels, is a little longer
 * than need be, so that rows and pixels do not lie a power of two apart. */
enum { DWCI_STAGE_SKEW = 16 };

static inline int64_t dwci_stage_pixel(int64_t channels, int64_t lanes) {
    const int64_t pixel = dwci_vectors(channels, lanes) * lanes;
    return pixel % 256 == 0 ? pixel + DWCI_STAGE_SKEW : pixel;
}

static inline int64_t dwci_stage_row(int64_t pixel, int64_t w) {
    return pixel * w + 2 * DWCI_STAGE_SKEW;
}

/* Bytes of dwci_direct_args.stream for bands: the largest that goes past the caches, anywhere in its first line, and a
 * line behind it. Low tiles fill such a band, too, where several phases of columns are taken together. */
enum { DWCI_STREAM_ROWS = 8, DWCI_STREAM_LEAST = 4096 };
static inline int64_t dwci_stream_room(int64_t bytes) {
    return ((bytes > DWCI_STREAM_LEAST ? bytes : DWCI_STREAM_LEAST) + 191) / 64 * 64;
}

static inline int64_t dwci_stream_bytes(int64_t output_row_bytes) {
    return dwci_stream_room(DWCI_STREAM_ROWS * output_row_bytes);
}

/* NHWC: that, or a tile of so many columns and so many bytes beside each of its rows, see stream_nhwc.inc. */
enum { DWCI_STREAM_COLUMNS = 7, DWCI_STREAM_BESIDE = 320 };
static inline int64_t dwci_nhwc_stream_bytes(int64_t ow, int64_t pixel_bytes) {
    const int64_t columns = ow < DWCI_STREAM_COLUMNS ? ow : DWCI_STREAM_COLUMNS;
    const int64_t band = dwci_stream_bytes(ow * pixel_bytes);
    const int64_t tiles = dwci_stream_room(DWCI_STREAM_ROWS * (columns * pixel_bytes + DWCI_STREAM_BESIDE));
    return tiles > band ? tiles : band;
}

/* NCHW, each time. Phases of rows fill a plane of outputs out of order, which then goes as a whole, or several do. */
enum { DWCI_STREAM_PLANES = 1 << 15, DWCI_STREAM_PLANE = 1 << 16 };
static inline int64_t dwci_nchw_stream_bytes(const dwci_direct_args *g, int64_t element_bytes) {
    const int64_t row = g->ow * element_bytes, band = DWCI_STREAM_ROWS * row;
    if (g->dh == dwci_common_divisor(g->sh, g->dh) || g->oh > DWCI_STREAM_PLANE / row)
        return dwci_stream_bytes(row);
    const int64_t planes = g->oh * row > DWCI_STREAM_PLANES ? g->oh * row : DWCI_STREAM_PLANES;
    return dwci_stream_room(planes > band ? planes : band);
}

/* Output rows y0..y1-1 of an image; NHWC: of the vectors v0..v1-1 of output channels; NCHW: of the input channels
 * v0..v1-1. */
typedef struct dwci_direct_part {
    int64_t y0, y1, v0, v1;
} dwci_direct_part;

/* in and out point to the image's first element. */
typedef void (*dwci_direct_fn)(const dwci_direct_args *args, const void *in, void *out, const dwci_direct_part *part);

enum { DWCI_NCHW_MOST_COLUMNS = 256, DWCI_NCHW_MOST_ROW = 1 << 16 };

/* NCHW: bands of rows that are staged, that is copied to args.scratch beside zeros. They are where args.stage_rows is
 * not 0, where the stride along the row is not 1 (the copy then holds the columns of one remainder beside each other),
 * where elements are not as computed, and for the first and the last channel of a call. Sizes count elements of the
 * accumulator's type. */
typedef struct dwci_nchw_stage {
    int64_t columns; /* of one remainder of a row */
    int64_t row;
    int64_t before; /* ahead of the first row: its first element lies at an address aligned to a vector */
    int64_t rows;   /* output rows of a band */
} dwci_nchw_stage;

static inline dwci_nchw_stage dwci_nchw_stage_of(const dwci_direct_args *g, int64_t lanes) {
    enum { STAGE_ELEMENTS = 4096, LEAST_ROWS = 8 };
    const int64_t outputs = g->ow > lanes ? g->ow : lanes;
    const int64_t read = outputs + (g->kw - 1) * g->dw / g->sw + 1, given = (g->left + g->w - 1) / g->sw + 1;
    dwci_nchw_stage s = {.columns = dwci_vectors((read > given ? read : given) + lanes, 16) * 16};
    s.row = s.columns * g->sw;
    s.before = (lanes - g->left / g->sw % lanes) % lanes;
    s.rows = g->stage_rows > 0 ? g->stage_rows : (STAGE_ELEMENTS / s.row - g->kh) / g->sh + 1;
    s.rows = s.rows < LEAST_ROWS ? LEAST_ROWS : s.rows;
    s.rows = s.rows < g->oh ? s.rows : g->oh;
    return s;
}

/* Elements of args.scratch for NCHW: the stage and a row of zeros. */
static inline int64_t dwci_nchw_scratch(const dwci_direct_args *g, const dwci_nchw_stage *s, int64_t lanes) {
    const int64_t rows = (s->rows - 1) * g->sh + g->kh;
    return ((rows < g->h ? rows : g->h) + 1) * s->row + 3 * lanes;
}

/* Input channels that a vector of outputs takes at most where the multiplier is 2 or more. */
static inline int64_t dwci_window(int64_t lanes) {
    return lanes > 2 ? lanes / 2 : lanes;
}

/* The lane of channel i of a vector that has its second and third quarter exchanged. */
static inline int64_t dwci_turned_lane(int64_t i, int64_t lanes) {
    const int64_t quarter = 4 * i / lanes;
    return i + (quarter == 1 ? lanes / 4 : quarter == 2 ? -lanes / 4 : 0);
}

/* Lanes are gathered by 32-bit indices. */
enum { DWCI_FLAT_STRIDE = 1 << 24 };

/* Channels that a kernel serves, and how its filter is packed. */
enum {
    DWCI_ANY_CHANNELS,
    DWCI_WHOLE,      /* at least `lanes` output channels */
    DWCI_TURNED,     /* the same; channel i of a vector of the filter is in lane dwci_turned_lane(i) */
    DWCI_MULTIPLIED, /* the same, multiplier 2 or more, at least dwci_window(lanes) input channels */
    DWCI_STAGED,   /* NCHW, filter finite, at most DWCI_NCHW_MOST_COLUMNS columns of taps, rows of the stage of at most
                    DWCI_NCHW_MOST_ROW elements */
    DWCI_IN_PLACE, /* NCHW, filter finite, stride along the row as compiled, no dilation along it but that of up to
                      DWCI_STRIP_DILATED columns with stride 1, see dwci_nchw_in_place */
    DWCI_ANY_TAPS, /* NCHW, filter finite, see dwci_nchw_any_taps */
    DWCI_FLAT      /* fewer than `lanes` output channels, stride along the row less than DWCI_FLAT_STRIDE; filter packed
                        as [kh*kw][2*lanes], the channels of a tap repeated */
};

enum { DWCI_STRIP = 1 << 20 };

/* Sizes of which no product overflows. */
static inline int dwci_nchw_moderate(const dwci_direct_args *g) {
    enum { MOST = DWCI_NCHW_MOST_ROW };
    return g->left <= MOST && g->w <= MOST && g->ow <= MOST && g->dw <= MOST && g->sh <= MOST && g->dh <= MOST &&
           g->dh * g->w <= 64 * MOST;
}

/* Columns of taps of strips at most, dilated along the row. */
enum { DWCI_STRIP_DILATED = 5 };

/* Side by side, every output has a tap in the image, so that only the first and the last vectors reach beyond it. */
static inline int dwci_nchw_in_place(const dwci_direct_args *g, int compiled_sw) {
    return dwci_nchw_moderate(g) && g->sw == compiled_sw &&
           (g->dw == 1 ? g->left < g->kw && (g->ow - 1) * g->sw - g->left < g->w
                       : g->sw == 1 && g->kw <= DWCI_STRIP_DILATED);
}

/* Of taps, at most, and along the row without dilation. */
enum { DWCI_ANY_TAPS_COLUMNS = 96, DWCI_ANY_TAPS_STRIDE = 4 };

static inline int dwci_nchw_any_taps(const dwci_direct_args *g) {
    return dwci_nchw_moderate(g) && g->sw <= (g->dw > 1 ? 1 : DWCI_ANY_TAPS_STRIDE) && g->kw <= DWCI_ANY_TAPS_COLUMNS &&
           g->kh <= DWCI_NCHW_MOST_ROW;
}

/* One instance: what it was compiled for, 0 standing for any value. The first entry that fits a problem serves it, and
 * the last one fits all. */
typedef struct dwci_direct_kernel {
    const char *name;
    int kh, kw;
    int sh, sw; /* divided by the greatest common divisor with the dilation, which may be any */
    int m;
    int channels; /* DWCI_... */
    int rows,
        columns; /* its largest tile, rows DWCI_STRIP: any height; 0 where args.rows and columns are without effect */
    dwci_direct_fn run;
} dwci_direct_kernel;

/* How often the filter is packed. With a multiplier only stores gain: not where the vector more that a copy has is one
 * of few. */
static inline int64_t dwci_filter_copies(const dwci_direct_kernel *k, int64_t channels, int64_t lanes,
                                         int64_t element_bytes) {
    const int worth =
        k->rows == DWCI_STRIP && (k->channels == DWCI_WHOLE || k->channels == DWCI_TURNED ||
                                  (k->channels == DWCI_MULTIPLIED && channels * element_bytes >= 2 * DWCI_COPY_PIXEL));
    return worth ? dwci_copies(channels, lanes, element_bytes) : 1;
}

/* ---- im2col, see im2col.inc ---- */

/* rows x columns outputs of one image, from row y and column x, of the input channels c0..c0+channels-1 (at most a
 * vector) times the multiplier. */
typedef struct dwci_im2col_tile {
    int nhwc;
    int64_t y, x, rows, columns, c0, channels;
} dwci_im2col_tile;

/* The input under a tile: [channels][rows][lines][pitch]. Output row i takes for tap (a, b) the row i*row_step +
 * a*row_tap, line b*line_tap, from element b*shift_tap on. Sizes count elements of the accumulator's type. */
typedef struct dwci_im2col_lines {
    int64_t rows, lines, length, pitch; /* `length` elements of a line are used */
    int64_t row_step, row_tap, row_stride;
    int64_t line_tap, shift_tap;
} dwci_im2col_lines;

/* Rows and lines are kept once, or once per tap where that is less. */
static inline dwci_im2col_lines dwci_im2col_lines_of(const dwci_direct_args *g, int64_t rows, int64_t columns,
                                                     int64_t lanes) {
    dwci_im2col_lines l = {.rows = rows * g->kh, .lines = g->kw, .length = columns};
    l.row_step = g->kh, l.row_tap = 1, l.row_stride = g->dh, l.line_tap = 1;
    if (rows > 1 ? g->sh <= g->kh && g->dh <= rows : g->dh == 1) {
        l.rows = (rows - 1) * g->sh + (g->kh - 1) * g->dh + 1;
        l.row_step = g->sh, l.row_tap = g->dh, l.row_stride = 1;
    }
    if (g->sw == 1 && g->dw <= columns) {
        l.lines = 1, l.length = columns + (g->kw - 1) * g->dw;
        l.line_tap = 0, l.shift_tap = g->dw;
    }
    l.pitch = l.length + lanes;
    return l;
}

/* All loops of im2col for one type. g: the problem, bias and clamp; image: its first element. Arrays of the
 * accumulator's type have room for a vector more than they hold. */
typedef struct dwci_im2col_kernel {
    void (*lines)(const dwci_direct_args *g, const dwci_im2col_tile *t, const dwci_im2col_lines *l, const void *image,
                  void *lines);
    void (*matrix)(const dwci_direct_args *g, const dwci_im2col_tile *t, const dwci_im2col_lines *l, const void *lines,
                   void *matrix);
    void (*store)(const dwci_direct_args *g, const dwci_im2col_tile *t, const void *products, void *image);
} dwci_im2col_kernel;

/* The kernels for one element type. */
typedef struct dwci_kern_element {
    const dwci_direct_kernel *direct_nhwc; /* name NULL: the end */
    dwci_im2col_kernel im2col;

    /* The limits, see limits.inc. peak: does `rounds` rounds of multiply-adds in registers, leaves a vector in sink (at
     * most 64 bytes) and returns the operations done. stream: reads and writes whole vectors of vector_bytes; `to` is
     * aligned to 64 bytes, `from` anyhow. */
    double (*peak)(int64_t rounds, void *sink);
    void (*stream)(void *to, int64_t write_vectors, const void *from, int64_t read_vectors, int nontemporal);
    int vector_bytes, registers; /* of vectors */
} dwci_kern_element;

/* NCHW, for one element type: direct convolution (name NULL: the end), and channels that go by way of pixels of the
 * accumulator's type, see transpose.inc. */
typedef struct dwci_kern_nchw {
    const dwci_direct_kernel *direct;
    void (*to_pixels)(const void *planes, int64_t plane, int channels, int64_t count, void *pixels, int64_t pixel);
    void (*to_planes)(const void *pixels, int64_t pixel, int64_t count, int first, int channels, const void *bias,
                      int64_t m, int clamp, void *planes, int64_t plane);
} dwci_kern_nchw;

/* Indices into dwci_kern_table.element, in the order of dwc_dtype. */
enum { DWCI_KERN_F16, DWCI_KERN_BF16, DWCI_KERN_F32, DWCI_KERN_F64, DWCI_KERN_ELEMENTS };

typedef struct dwci_kern_table {
    const char *name; /* of the instruction set, as in isas.def */
    int fused;        /* multiply-add is fused: results carry the numerics class "fma" */
    const dwci_kern_element *element[DWCI_KERN_ELEMENTS];
    const dwci_kern_nchw *nchw[DWCI_KERN_ELEMENTS];
    const struct dwci_winograd_kernel *winograd[DWCI_KERN_ELEMENTS]; /* lists, see winograd.h */
    const struct dwci_winograd_kernel *winograd_2d[DWCI_KERN_ELEMENTS];
} dwci_kern_table;

#define DWC_KERN_ISA(name, flags) extern const dwci_kern_table dwci_kern_##name;
#include "kern/isas.def"
#undef DWC_KERN_ISA

#endif
