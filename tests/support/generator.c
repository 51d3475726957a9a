/* SPDX-License-Identifier: Apache-2.0 */
/* Random problems: sizes are drawn small, medium or up to 40 so that edges, tails and whole blocks all occur often. */
#include <math.h>

#include "generator.h"
#include "numbers.h"
#include "scatter.h"

static int64_t random_size(dwt_rng *rng) {
    static const int64_t most[] = {4, 12, 40};
    if (dwt_chance(rng, 1, 40))
        return 0;
    return dwt_between(rng, 1, most[dwt_between(rng, 0, 2)]);
}

dwc_problem dwt_any_problem(dwt_rng *rng) {
    dwc_problem p;
    dwc_problem_init(&p);
    p.dtype = dwt_dtypes[dwt_between(rng, 0, DWT_DTYPE_COUNT - 1)];
    p.layout = dwt_chance(rng, 1, 2) ? DWC_NHWC : DWC_NCHW;
    p.n = dwt_chance(rng, 1, 16) ? random_size(rng) : dwt_between(rng, 1, 4);
    p.h = random_size(rng);
    p.w = random_size(rng);
    p.c = random_size(rng);
    p.kh = dwt_between(rng, 1, 9);
    p.kw = dwt_chance(rng, 1, 3) ? p.kh : dwt_between(rng, 1, 9);
    p.m = dwt_chance(rng, 1, 2) ? 1 : dwt_between(rng, 1, 5);
    p.sh = dwt_between(rng, 1, 4);
    p.sw = dwt_chance(rng, 1, 2) ? p.sh : dwt_between(rng, 1, 4);
    p.dh = dwt_chance(rng, 1, 2) ? 1 : dwt_between(rng, 1, 4);
    p.dw = dwt_chance(rng, 1, 2) ? p.dh : dwt_between(rng, 1, 4);
    p.padding = (dwc_padding)dwt_between(rng, DWC_SAME, DWC_EXPLICIT);
    if (p.padding == DWC_EXPLICIT) {
        p.pad_top = dwt_between(rng, 0, 12);
        p.pad_bottom = dwt_between(rng, 0, 12);
        p.pad_left = dwt_between(rng, 0, 12);
        p.pad_right = dwt_between(rng, 0, 12);
    }
    if (dwt_chance(rng, 1, 4)) { /* what networks have, and some algorithms are made for */
        p.layout = DWC_NHWC;
        p.kh = p.kw = 3 + 2 * dwt_between(rng, 0, 3);
        p.sh = p.sw = 1;
        p.c += 16;
    }
    p.bias = dwt_chance(rng, 1, 2);
    p.activation = (dwc_activation)dwt_between(rng, DWC_NO_ACTIVATION, DWC_RELU6);
    return p;
}

static int64_t *largest(dwc_problem *p) {
    int64_t *sizes[] = {&p->n, &p->c, &p->h, &p->w}, *best = sizes[0];
    for (int i = 1; i < 4; i++)
        if (*sizes[i] > *best)
            best = sizes[i];
    return best;
}

dwc_problem dwt_random_problem(dwt_rng *rng, int64_t least, int64_t most) {
    for (;;) {
        dwc_problem p = dwt_any_problem(rng);
        dwt_shape s;
        int valid = dwt_shape_of(&p, &s);
        while (valid && s.outputs * p.kh * p.kw > most && *largest(&p) > 1) {
            *largest(&p) /= 2;
            valid = dwt_shape_of(&p, &s);
        }
        int64_t work = s.outputs * p.kh * p.kw;
        if (valid && work >= least && work <= most)
            return p;
    }
}

void dwt_fill(dwt_rng *rng, dwt_data data, dwc_dtype dtype, void *array, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        double value = (double)dwt_between(rng, -15, 15);
        if (data == DWT_REAL)
            value = ldexp(dwt_signed_unit(rng), (int)dwt_between(rng, -3, 3));
        dwt_set(dtype, array, i, value);
    }
}
