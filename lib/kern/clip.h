/* SPDX-License-Identifier: Apache-2.0 */
/* Clipping to the image, along one dimension. Padding is never stored: taps outside are skipped. */
#ifndef DWC_KERN_CLIP_H
#define DWC_KERN_CLIP_H

#include <stdint.h>

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

#endif
