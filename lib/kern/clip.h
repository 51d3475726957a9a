/* SPDX-License-Identifier: Apache-2.0 */
/* Clipping to the image and phases, along one dimension. */
#ifndef DWC_KERN_CLIP_H
#define DWC_KERN_CLIP_H

#include "kern/kern.h"

/* Of a strip, which rolls down: output rows whose sums are live at once, and input rows that it takes ahead of those
 * that end its first output row. */
#define STRIP_LIVE(KH, SH) (((KH)-1) / (SH) + 1)
#define STRIP_LEAD(KH, SH) ((KH) > (SH) ? (KH) - (SH) : 0)

typedef struct range {
    int64_t from, to; /* [from, to) */
} range;

/* Which of the points start, start+step, ... (count of them) lie in [0, size). Empty is from == to. */
static inline range clip_taps(int64_t start, int64_t step, int64_t count, int64_t size) {
    range r;
    r.from = start >= 0 ? 0 : (-start - 1) / step + 1;
    r.to = start >= size ? 0 : (size - 1 - start) / step + 1;
    if (r.to > count)
        r.to = count;
    if (r.from > r.to)
        r.from = r.to;
    return r;
}

/* Which of `outputs` outputs have all their taps inside the image. */
static inline range outputs_inside(int64_t size, int64_t taps, int64_t stride, int64_t dilation, int64_t before,
                                   int64_t outputs) {
    int64_t reach = (taps - 1) * dilation; /* from the first to the last tap */
    return reach >= size ? (range){0, 0} : clip_taps(-before, stride, outputs, size - reach);
}

/* One dimension of a phase of a dilated problem, see direct_nhwc.inc. */
typedef struct phase {
    int64_t in, in_count, out, out_count; /* first input and output, and how many */
    int64_t in_step, out_step, before;
} phase;

/* Phase p of outputs from..to-1. `size` inputs, `before` zeros ahead of them. */
static inline phase phase_of(int64_t p, int64_t size, int64_t before, int64_t stride, int64_t dilation, int64_t from,
                             int64_t to) {
    if (dilation == 1) {
        const int64_t out = from > p ? from : p;
        return (phase){.in_step = 1,
                       .out_step = 1,
                       .out = out,
                       .out_count = out < to ? to - out : 0,
                       .in_count = size,
                       .before = before - out * stride};
    }
    const int64_t phases = dilation / dwci_common_divisor(stride, dilation);
    phase a = {.in_step = dilation, .out_step = phases};
    /* The first output of this phase at or after `from`, and the input of its first tap. */
    a.out = p + (from > p ? (from - p + phases - 1) / phases * phases : 0);
    a.out_count = a.out < to ? (to - 1 - a.out) / phases + 1 : 0;
    const int64_t start = a.out * stride - before;
    const int64_t whole = start >= 0 ? start / dilation : -((-start - 1) / dilation) - 1; /* rounded down */
    a.in = start - whole * dilation;
    a.in_count = a.in < size ? (size - 1 - a.in) / dilation + 1 : 0;
    a.before = -whole;
    return a;
}

#endif
