/* SPDX-License-Identifier: Apache-2.0 */
/* Minimal filtering along the rows, F(m,k): m columns of outputs from n = m+k-1 columns of inputs by n products for
 * each tap row instead of m*k (Winograd, Arithmetic Complexity of Computations, 1980; the matrices are Toom's and
 * Cook's). n is even. The products stand for the values of polynomials at the points 0, p and -p for n/2-1 numbers p,
 * and infinity:
 *
 *     y = A^T [ (G g) (B^T d) ]    d: n inputs, g: k taps, y: m outputs, the product in brackets element by element
 *
 *     point  row of B^T (coefficients in x of)   row of G           column of A^T
 *     0      Q(x^2)                              g(0) / Q(0)        1, 0, ..., 0
 *     p      x (x+p) Q_p(x^2)                    g(p) / N_p         1, p, p^2, ... p^(m-1)
 *     inf    x Q(x^2)                            g's last tap       0, ..., 0, 1
 *
 * with Q(z) the product of z - q^2 over all q, Q_p the same without p, N_p = 2 p^2 Q_p(p^2), g(x) the sum of g_a x^a.
 * Elements are kept in the order 0, p1, -p1, p2, -p2, ..., infinity. */
#ifndef DWC_KERN_WINOGRAD_H
#define DWC_KERN_WINOGRAD_H

#include "kern/kern.h"

enum { DWCI_WINOGRAD_MOST_OUTPUTS = 6, DWCI_WINOGRAD_MOST_ELEMENTS = 12, DWCI_WINOGRAD_MOST_TAPS = 9 };
enum { DWCI_WINOGRAD_BLOCK = 14 }; /* rows of outputs that are computed at a time */

/* The k-th of `pairs` numbers p: those among 15 fractions with small terms that gave the smallest error on random
 * data. */
static inline double dwci_winograd_point(int pairs, int k) {
    static const double points[][5] = {
        {1}, {0.75, 1.25}, {0.5, 0.875, 2}, {0.5, 0.75, 4.0 / 3, 2.5}, {0.5, 2.0 / 3, 1, 1.5, 2.5}};
    return points[pairs - 1][k];
}

/* Coefficient i of the product of z - q^2 over the numbers from..to-1 of q but `skip`. */
static inline double dwci_winograd_coefficient(int pairs, int from, int to, int skip, int i) {
    double c[6] = {1};
    for (int k = from, degree = 0; k < to; k++) {
        if (k == skip)
            continue;
        const double q = dwci_winograd_point(pairs, k);
        degree++;
        for (int j = degree; j > 0; j--)
            c[j] = c[j - 1] - q * q * c[j];
        c[0] *= -q * q;
    }
    return c[i];
}

/* Room for the constants of an instance in all lanes of any vector. */
enum { DWCI_WINOGRAD_CONSTANTS = 64 * (6 + 5 * 3 + 5 + DWCI_WINOGRAD_MOST_OUTPUTS * 5) };

/* What a call computes: some output rows of a phase of an image (dilation: see direct_nhwc.inc), one channel vector of
 * the input and all its multiples. */
typedef struct dwci_winograd_args {
    const dwci_direct_args *g; /* the problem, bias and clamp */
    const void *constants;     /* as the instance's `constants` wrote them */
    const void *filter;        /* [copies][groups][multiplier][elements][segments][kh][lanes]: G g, vectors of output
                                  channels; copies: see kern.h; both directions: [groups][multiplier][n][n][lanes] */
    int64_t columns;           /* outputs of a row that are computed at a time, rounded up to whole tiles */
    void *scratch;             /* aligned to 64 bytes, dwci_winograd_scratch vectors, or dwci_winograd_2d_scratch */
} dwci_winograd_args;

typedef struct dwci_winograd_part {
    int64_t phase, y, rows; /* phase: its first output row; y: the part's first row in the phase */
    int64_t group;
} dwci_winograd_part;

/* What `count` outputs of a row take. Filters of more than `taps` columns are cut into segments, the last of which has
 * the rest; segments are whole tiles apart, so that they share the elements. */
typedef struct dwci_winograd_shape {
    int64_t segments, step;   /* step: tiles from a segment to the next */
    int64_t tiles, read;      /* of outputs, of elements */
    int64_t indices;          /* in vectors */
    int64_t plane, sum_plane; /* in vectors: all rows of one element; odd, so that elements do not collide in caches */
} dwci_winograd_shape;

/* Vectors of indices at the beginning of the scratch: which channel each output takes. */
static inline int64_t dwci_winograd_indices(const dwci_direct_args *g) {
    return g->m > 1 ? g->m : 0;
}

static inline dwci_winograd_shape dwci_winograd_shape_of(const dwci_direct_args *g, int m, int taps, int64_t count) {
    dwci_winograd_shape s = {.step = taps / m > 0 ? taps / m : 1, .tiles = (count - 1) / m + 1};
    s.segments = g->kw > taps ? (g->kw - taps - 1) / (s.step * m) + 2 : 1;
    s.read = s.tiles + (s.segments - 1) * s.step;
    s.indices = dwci_winograd_indices(g);
    s.plane = (DWCI_WINOGRAD_BLOCK + g->kh - 1) * s.read | 1;
    s.sum_plane = DWCI_WINOGRAD_BLOCK * s.tiles | 1;
    return s;
}

/* Vectors of scratch: indices, elements, sums. */
static inline int64_t dwci_winograd_scratch(const dwci_direct_args *g, int m, int taps, int64_t count) {
    const dwci_winograd_shape s = dwci_winograd_shape_of(g, m, taps, count);
    return s.indices + (m + taps - 1) * (s.plane + (g->m > 1 ? s.sum_plane : 0));
}

/* The same in both directions, F(m x m, k x k), kh = kw = k: `columns` outputs of a row at a time are whole tiles of
 * m x m, the first of which begins at row part.y, a multiple of m. */
enum { DWCI_WINOGRAD_2D_MOST_SIDE = 6 }; /* n */

static inline int64_t dwci_winograd_2d_scratch(const dwci_direct_args *g, int m, int taps, int64_t columns) {
    return dwci_winograd_indices(g) + ((columns - 1) / m + 1) * (m + taps - 1) * (m + taps - 1);
}

/* One instance; serves stride 1 and at least `lanes` input channels. With more than `taps` columns of taps (along the
 * rows alone) it needs taps >= m. */
typedef struct dwci_winograd_kernel {
    const char *name; /* NULL ends the list */
    int m, taps;      /* both directions: in each */
    int error;        /* of max |got - exact| / max over outputs of sum |input * filter|, in unit roundoffs: three times
                  the largest or more, on thousands of problems with data of even and of very uneven size, few rows and
                  small images, where it is largest, without fused multiply-add.
                  No bound holds for any data: a large input that only meets taps far smaller than others of its
                  channel, at a border without padding, leaves an error beside the others */
    void (*constants)(void *to); /* DWCI_WINOGRAD_CONSTANTS bytes, aligned to 64 */
    void (*run)(const dwci_winograd_args *args, const void *in, void *out, const dwci_winograd_part *part);
} dwci_winograd_kernel;

#endif
