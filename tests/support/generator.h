/* SPDX-License-Identifier: Apache-2.0 */
/* Random problems and random tensors.
 *
 *     sizes 0..40 (N, H, W, C), taps 1..9, strides and dilations 1..4, M 1..5, SAME, VALID, explicit pads 0..12,
 *     four types, two layouts, bias, activations; one in four NHWC with square odd taps, stride 1, C 16..56
 */
#ifndef DWT_GENERATOR_H
#define DWT_GENERATOR_H

#include "dwconv.h"
#include "rng.h"

/* A valid problem of least..most multiply-adds: the larger sizes are halved until it is not above. */
dwc_problem dwt_random_problem(dwt_rng *rng, int64_t least, int64_t most);

/* As above, but nothing is shrunk or checked: the kernel may be larger than the padded image. */
dwc_problem dwt_any_problem(dwt_rng *rng);

typedef enum dwt_data {
    DWT_REAL,   /* -8..8, all bits of the type in use */
    DWT_INTEGER /* whole numbers -15..15: every sum of fewer than 70,000 products is exact in float32 */
} dwt_data;

void dwt_fill(dwt_rng *rng, dwt_data data, dwc_dtype dtype, void *array, int64_t count);

#endif
