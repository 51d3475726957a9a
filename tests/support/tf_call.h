/* SPDX-License-Identifier: Apache-2.0 */
/* The one-call form for a dwc_problem: the tensors and attributes TensorFlow's caller would write.
 *
 *     strides [1,sh,sw,1] or [1,1,sh,sw] · dilations likewise · explicit_paddings [0,0, T,B, L,R, 0,0] or [0,0, 0,0,
 * T,B, L,R]
 */
#ifndef DWT_TF_CALL_H
#define DWT_TF_CALL_H

#include "dwconv.h"

typedef struct dwt_tf_call {
    dwc_tensor input, filter, output;
    int64_t strides[4], dilations[4], pads[8];
    dwc_tf_attributes attributes; /* points into the arrays above: do not copy the struct */
} dwt_tf_call;

/* Bias and activation have no place in this form and are left out. */
void dwt_tf_call_init(dwt_tf_call *call, const dwc_problem *problem, void *input, void *filter, void *output);

/* dwc_depthwise_conv2d_native with those arguments on four threads. */
dwc_status dwt_one_call(const dwc_problem *problem, void *input, void *filter, void *output, dwc_error *error);

#endif
