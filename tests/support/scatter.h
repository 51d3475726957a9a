/* SPDX-License-Identifier: Apache-2.0 */
/* The tests' own oracle: geometry and values of a convolution, from the operator's definition and sharing nothing with
 * the library, not even the direction of the loops: each input element is scattered to the outputs it takes part in.
 *
 *     input(n, y, x, k) * filter(a, b, k, q)  ->  output(n, i, j, k*m+q)  where  i*sh = y + top - a*dh,
 *                                                                                j*sw = x + left - b*dw
 */
#ifndef DWT_SCATTER_H
#define DWT_SCATTER_H

#include "dwconv.h"

typedef struct dwt_shape {
    int64_t oh, ow, oc;
    int64_t top, bottom, left, right;
    int64_t inputs, filters, biases, outputs; /* elements */
} dwt_shape;

/* The shape that follows from a problem of moderate size (outputs are counted one by one). Returns 0 where a dimension
 * has a kernel larger than its padded input, else 1. */
int dwt_shape_of(const dwc_problem *problem, dwt_shape *shape);

/* Where element (n, y, x, k) of a tensor with h x w x c elements per image lies. */
int64_t dwt_index(dwc_layout layout, int64_t h, int64_t w, int64_t c, int64_t n, int64_t y, int64_t x, int64_t k);

/* The output values before the last rounding, activation included, and for each output the sum of |input * filter|
 * (+ |bias|) that the error bound is made of. bias may be NULL. Both arrays have shape->outputs elements. */
void dwt_scatter(const dwc_problem *problem, const dwt_shape *shape, const void *input, const void *filter,
                 const void *bias, long double *exact, double *sums);

#endif
