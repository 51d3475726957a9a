/* SPDX-License-Identifier: Apache-2.0 */
/* The same convolution as minimal.c in one call, with the arguments of tf.raw_ops.DepthwiseConv2dNative.
 * Convenient for a single use; plans are for repeated ones. Prints 196 216 272 296 252 280 344 376. */
#include <dwconv.h>

#include <stdio.h>

int main(void) {
    static float input[12], filter[16], output[8];
    static const int64_t strides[] = {1, 1, 1, 1};
    const dwc_tensor in = {DWC_F32, 4, {1, 2, 3, 2}, input};
    const dwc_tensor taps = {DWC_F32, 4, {2, 2, 2, 2}, filter};
    const dwc_tensor out = {DWC_F32, 4, {1, 1, 2, 4}, output};
    const dwc_tf_attributes attributes = {.strides = strides, .strides_count = 4, .padding = "VALID"};
    dwc_context *context;
    dwc_error error;

    for (int i = 0; i < 12; i++)
        input[i] = (float)(i + 1);
    for (int i = 0; i < 16; i++)
        filter[i] = (float)(i + 1);

    if (dwc_context_create(NULL, &context, &error)) {
        fprintf(stderr, "one_call: %s\n", error.message);
        return 1;
    }
    dwc_status status = dwc_depthwise_conv2d_native(context, &in, &taps, &attributes, &out, &error);
    dwc_context_destroy(context);
    if (status) {
        fprintf(stderr, "one_call: %s\n", error.message);
        return 1;
    }
    for (int i = 0; i < 8; i++)
        printf(i < 7 ? "%g " : "%g\n", (double)output[i]);
    return 0;
}
