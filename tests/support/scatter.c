/* SPDX-License-Identifier: Apache-2.0 */
/* The scatter oracle. Accumulates in long double (64 bits of precision on x86), so that its own error is far below
 * float64's where the machine has such a type; dwt_tolerance accounts for it where it has not. */
#include <math.h>
#include <stdlib.h>

#include "numbers.h"
#include "scatter.h"

/* One dimension: how many outputs, and the pads of SAME. */
static int shape_1d(dwc_padding padding, int64_t in, int64_t taps, int64_t stride, int64_t dilation, int64_t *before,
                    int64_t *after, int64_t *out) {
    int64_t reach = (taps - 1) * dilation; /* from a window's first to its last element */
    *out = 0;
    if (padding == DWC_SAME) {
        while (*out * stride < in)
            ++*out;
        int64_t need = (*out - 1) * stride + reach + 1 - in;
        need = need < 0 ? 0 : need;
        *before = need / 2;
        *after = need - *before;
        return 1;
    }
    while (*out * stride + reach < *before + in + *after)
        ++*out;
    return *out > 0;
}

int dwt_shape_of(const dwc_problem *p, dwt_shape *s) {
    *s = (dwt_shape){.top = p->pad_top, .bottom = p->pad_bottom, .left = p->pad_left, .right = p->pad_right};
    int valid = shape_1d(p->padding, p->h, p->kh, p->sh, p->dh, &s->top, &s->bottom, &s->oh) &
                shape_1d(p->padding, p->w, p->kw, p->sw, p->dw, &s->left, &s->right, &s->ow);
    s->oc = p->c * p->m;
    s->inputs = p->n * p->h * p->w * p->c;
    s->filters = p->kh * p->kw * s->oc;
    s->biases = p->bias ? s->oc : 0;
    s->outputs = p->n * s->oh * s->ow * s->oc;
    return valid;
}

/* The output position that sees `position` through a tap `shift` away from its first: -1 if none. */
static int64_t seen_from(int64_t position, int64_t before, int64_t shift, int64_t stride, int64_t out) {
    int64_t start = position + before - shift;
    if (start < 0 || start % stride != 0 || start / stride >= out)
        return -1;
    return start / stride;
}

typedef struct scatter_state {
    const dwc_problem *p;
    const dwt_shape *s;
    const double *filter; /* widened */
    long double *exact;
    double *sums;
} scatter_state;

int64_t dwt_index(dwc_layout layout, int64_t h, int64_t w, int64_t c, int64_t n, int64_t y, int64_t x, int64_t k) {
    if (layout == DWC_NHWC)
        return ((n * h + y) * w + x) * c + k;
    return ((n * c + k) * h + y) * w + x;
}

static void scatter_element(const scatter_state *state, int64_t n, int64_t y, int64_t x, int64_t k, double value) {
    const dwc_problem *p = state->p;
    const dwt_shape *s = state->s;
    for (int64_t a = 0; a < p->kh; a++) {
        int64_t i = seen_from(y, s->top, a * p->dh, p->sh, s->oh);
        for (int64_t b = 0; i >= 0 && b < p->kw; b++) {
            int64_t j = seen_from(x, s->left, b * p->dw, p->sw, s->ow);
            if (j < 0)
                continue;
            const double *taps = state->filter + ((a * p->kw + b) * p->c + k) * p->m;
            for (int64_t q = 0; q < p->m; q++) {
                int64_t to = dwt_index(p->layout, s->oh, s->ow, s->oc, n, i, j, k * p->m + q);
                long double product = (long double)value * taps[q];
                state->exact[to] += product;
                state->sums[to] += (double)fabsl(product);
            }
        }
    }
}

static long double activate(dwc_activation activation, long double value) {
    if (activation == DWC_NO_ACTIVATION || isnan(value))
        return value;
    if (value <= 0)
        return 0;
    return activation == DWC_RELU6 && value > 6 ? 6 : value;
}

static void finish(const scatter_state *state, const void *bias) {
    const dwt_shape *s = state->s;
    int64_t block = state->p->layout == DWC_NHWC ? 1 : s->oh * s->ow; /* consecutive outputs of one channel */
    for (int64_t o = 0; o < s->outputs; o++) {
        if (bias != NULL) {
            double b = dwt_get(state->p->dtype, bias, o / block % s->oc);
            state->exact[o] += b;
            state->sums[o] += fabs(b);
        }
        state->exact[o] = activate(state->p->activation, state->exact[o]);
    }
}

void dwt_scatter(const dwc_problem *p, const dwt_shape *s, const void *input, const void *filter, const void *bias,
                 long double *exact, double *sums) {
    double *wide = malloc((size_t)(s->filters + 1) * sizeof *wide);
    for (int64_t f = 0; f < s->filters; f++)
        wide[f] = dwt_get(p->dtype, filter, f);
    for (int64_t o = 0; o < s->outputs; o++)
        exact[o] = sums[o] = 0;
    scatter_state state = {p, s, wide, exact, sums};
    for (int64_t n = 0; n < p->n; n++)
        for (int64_t y = 0; y < p->h; y++)
            for (int64_t x = 0; x < p->w; x++)
                for (int64_t k = 0; k < p->c; k++) {
                    int64_t from = dwt_index(p->layout, p->h, p->w, p->c, n, y, x, k);
                    scatter_element(&state, n, y, x, k, dwt_get(p->dtype, input, from));
                }
    finish(&state, bias);
    free(wide);
}
