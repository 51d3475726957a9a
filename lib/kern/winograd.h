/* SPDX-License-Identifier: Apache-2.0 */
/* Minimal filtering down the columns, F(m,k): m rows of outputs from n = m+k-1 rows of inputs by n products for each
 * tap column instead of m*k (Winograd, Arithmetic Complexity of Computations, 1980; the matrices are Toom's and
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

enum { DWCI_WINOGRAD_MOST_ROWS = 6, DWCI_WINOGRAD_MOST_ELEMENTS = 12, DWCI_WINOGRAD_MOST_COLUMNS = 9 };

/* The k-th of `pairs` numbers p: those among 15 fractions with small terms that gave the smallest error on random
 * data. */
static inline double dwci_winograd_point(int pairs, int k) {
    static const double points[][5] = {
        {1}, {0.75, 1.25}, {0.5, 0.875, 2}, {0.5, 0.75, 4.0 / 3, 2.5}, {0.5, 2.0 / 3, 1, 1.5, 2.5}};
    return points[pairs - 1][k];
}

/* Coefficient i of Q (skip: -1) or Q_p (skip: the number of p). */
static inline double dwci_winograd_coefficient(int pairs, int skip, int i) {
    double c[6] = {1};
    for (int k = 0, degree = 0; k < pairs; k++) {
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
enum { DWCI_WINOGRAD_CONSTANTS = 64 * (5 + 5 * 5 + 5 + DWCI_WINOGRAD_MOST_ROWS * 5) };

/* What a call computes: one band of `rows` (at most m) output rows of a phase of an image (dilation: see
 * direct_nhwc.inc), channel vectors group0.. of the input and all their multiples. */
typedef struct dwci_winograd_args {
    const dwci_direct_args *g; /* the problem, bias and clamp */
    const void *constants;     /* as the instance's `constants` wrote them */
    const void *filter;        /* [groups][multiplier][elements][kw][lanes]: G g, vectors of output channels */
    int64_t columns;           /* outputs of a row that are computed at a time */
    void *scratch;             /* aligned to 64 bytes, dwci_winograd_scratch vectors */
} dwci_winograd_args;

typedef struct dwci_winograd_part {
    int64_t phase, y, rows; /* phase: its first output row; y: the band's first row in the phase */
    int64_t group0, group1;
} dwci_winograd_part;

/* Vectors of scratch: transformed inputs, and their products. */
static inline int64_t dwci_winograd_scratch(int elements, int64_t columns, int64_t kw) {
    return 2 * elements * (columns + kw - 1);
}

/* One instance; serves stride 1, kw up to DWCI_WINOGRAD_MOST_COLUMNS, at least `lanes` input channels. */
typedef struct dwci_winograd_kernel {
    const char *name; /* NULL ends the list */
    int m, kh;
    int error; /* of max |got - exact| / max over outputs of sum |input * filter|, in unit roundoffs: about four times
                  the largest on 8,000 problems with data of even and of very uneven size, without fused multiply-add.
                  No bound holds for any data: a large input that only meets taps far smaller than others of its
                  channel, at a border without padding, leaves an error beside the others */
    void (*constants)(void *to); /* DWCI_WINOGRAD_CONSTANTS bytes, aligned to 64 */
    void (*run)(const dwci_winograd_args *args, const void *in, void *out, const dwci_winograd_part *part);
} dwci_winograd_kernel;

#endif
