/* SPDX-License-Identifier: Apache-2.0 */
/* dwc_problem -> TensorFlow's arguments; sizes of the output by the tests' own geometry. */
#include <stdlib.h>

#include "harness.h"
#include "tf_call.h"

/* Positions of height, width and channel among the four dimensions. */
static const int axis_h[] = {[DWC_NHWC] = 1, [DWC_NCHW] = 2};
static const int axis_w[] = {[DWC_NHWC] = 2, [DWC_NCHW] = 3};
static const int axis_c[] = {[DWC_NHWC] = 3, [DWC_NCHW] = 1};

static dwc_tensor image_tensor(const dwc_problem *p, int64_t h, int64_t w, int64_t c, void *data) {
    dwc_tensor t = {.dtype = p->dtype, .rank = 4, .shape = {p->n}, .data = data};
    t.shape[axis_h[p->layout]] = h;
    t.shape[axis_w[p->layout]] = w;
    t.shape[axis_c[p->layout]] = c;
    return t;
}

static void pair(const dwc_problem *p, int64_t values[4], int64_t h, int64_t w) {
    values[0] = values[axis_c[p->layout]] = 1;
    values[axis_h[p->layout]] = h;
    values[axis_w[p->layout]] = w;
}

void dwt_tf_call_init(dwt_tf_call *call, const dwc_problem *p, void *input, void *filter, void *output) {
    static const char *const paddings[] = {[DWC_SAME] = "SAME", [DWC_VALID] = "VALID", [DWC_EXPLICIT] = "EXPLICIT"};
    dwt_shape s;
    dwt_shape_of(p, &s);
    *call = (dwt_tf_call){.input = image_tensor(p, p->h, p->w, p->c, input),
                          .output = image_tensor(p, s.oh, s.ow, s.oc, output)};
    call->filter = (dwc_tensor){.dtype = p->dtype, .rank = 4, .shape = {p->kh, p->kw, p->c, p->m}, .data = filter};
    pair(p, call->strides, p->sh, p->sw);
    pair(p, call->dilations, p->dh, p->dw);
    int64_t *vertical = &call->pads[2 * axis_h[p->layout]], *horizontal = &call->pads[2 * axis_w[p->layout]];
    vertical[0] = p->pad_top;
    vertical[1] = p->pad_bottom;
    horizontal[0] = p->pad_left;
    horizontal[1] = p->pad_right;
    int is_explicit = p->padding == DWC_EXPLICIT;
    call->attributes = (dwc_tf_attributes){
        .strides = call->strides,
        .strides_count = 4,
        .padding = paddings[p->padding],
        .explicit_paddings = is_explicit ? call->pads : NULL,
        .explicit_paddings_count = is_explicit ? 8 : 0,
        .data_format = p->layout == DWC_NCHW ? "NCHW" : "NHWC",
        .dilations = call->dilations,
        .dilations_count = 4,
    };
}

dwc_status dwt_one_call(const dwc_problem *problem, void *input, void *filter, void *output, dwc_error *error) {
    dwt_tf_call call;
    dwt_tf_call_init(&call, problem, input, filter, output);
    return dwc_depthwise_conv2d_native(dwt_context(DWC_ISA_AVX512), &call.input, &call.filter, &call.attributes,
                                       &call.output, error);
}
