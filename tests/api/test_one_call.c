/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers of depthwise convolution through the one-call form, in every element type and both layouts. Arrays are
 * NHWC and [kh,kw,c,m]; for NCHW input and output are transposed.
 *
 *     input [1,2,3,2] = 1..12, filter [2,2,2,2] = 1..16, VALID  ->  196 216 272 296 252 280 344 376
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "tf_call.h"

enum { MOST = 96 };

typedef struct known_answer {
    const char *name, *text; /* the problem, without type and layout */
    double input[MOST], filter[MOST], output[MOST];
} known_answer;

static const known_answer answers[] = {
    {"2x2 valid, m 2",
     "n1:2x3x2:k2x2:m2:valid",
     {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
     {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
     {196, 216, 272, 296, 252, 280, 344, 376}},
    {"3x3 same",
     "n1:3x2x2:k3x3",
     {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
     {1, 2, 7, 8, 13, 14, 3, 4, 9, 10, 15, 16, 5, 6, 11, 12, 17, 18},
     {228, 300, 132, 180, 482, 596, 266, 344, 372, 452, 180, 236}},
    {"2x1 valid, m 2", "n1:3x2x1:k2x1:m2:valid", {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4}, {10, 14, 14, 20, 18, 26, 22, 32}},
    {"2x2 valid, signs",
     "n1:3x2x2:k2x2:m2:valid",
     {1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12},
     {1, 2, 3, 4, -9, 10, -11, 12, 5, 6, 7, 8, 13, -14, 15, -16},
     {70, -36, 96, -24, 90, -28, 124, -8}},
    {"2x2 stride 2 same",
     "n1:3x2x2:k2x2:m2:s2:same",
     {1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12},
     {1, 2, 3, 4, -9, 10, -11, 12, 5, 6, 7, 8, 13, -14, 15, -16},
     {70, -36, 96, -24, -94, 120, -114, 168}},
    {"dilation 2 same", "n1:3x3x1:k2x2:d2", {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 2, 3, 4}, {4, 7, 3, 6, 10, 4, 2, 3, 1}},
    {"dilation 3 valid",
     "n1:9x9x1:k3x3:d3:valid",
     {[30] = 1, 1, 1, [39] = 1, 1, 1, [48] = 1, 1, 1},
     {1, 2, 3, 4, 5, 6, 7, 8, 9},
     {5, 5, 5, 5, 5, 5, 5, 5, 5}},
    {"explicit, one-sided",
     "n1:3x2x1:k2x1:m2:p1,0,1,0",
     {1, 2, 3, 4, 5, 6},
     {1, 2, 3, 4},
     {0, 0, 3, 4, 6, 8, 0, 0, 10, 14, 14, 20, 0, 0, 18, 26, 22, 32}},
    {"unequal strides", "n1:3x4x1:k1x2:s2x3:valid", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {1, 10}, {21, 109}},
    {"two images", "n2:1x2x2:k1x1", {1, 2, 3, 4, 5, 6, 7, 8}, {1, -1}, {1, -2, 3, -4, 5, -6, 7, -8}},
};

/* NHWC values into a tensor of the problem's layout, or (to_values) back. */
static void transpose(const dwc_problem *p, int64_t h, int64_t w, int64_t c, void *tensor, double *values,
                      int to_values) {
    for (int64_t e = 0; e < p->n * h * w * c; e++) {
        int64_t at = dwt_index(p->layout, h, w, c, e / c / w / h, e / c / w % h, e / c % w, e % c);
        if (to_values)
            values[e] = dwt_get(p->dtype, tensor, at);
        else
            dwt_set(p->dtype, tensor, at, values[e]);
    }
}

static void check_answer(const known_answer *answer, dwc_dtype dtype, dwc_layout layout) {
    char text[128];
    double values[MOST], got[MOST];
    dwt_shape s;
    dwc_error error;
    snprintf(text, sizeof text, "%s:%s:%s", dwc_dtype_name(dtype), dwc_layout_name(layout), answer->text);
    dwc_problem p = dwt_problem(text);
    dwt_note(&p, 0, NULL);
    dwt_shape_of(&p, &s);
    void *input = dwt_elements(dtype, s.inputs), *filter = dwt_elements(dtype, s.filters);
    void *output = dwt_elements(dtype, s.outputs);
    memcpy(values, answer->input, sizeof values);
    transpose(&p, p.h, p.w, p.c, input, values, 0);
    for (int64_t f = 0; f < s.filters; f++)
        dwt_set(dtype, filter, f, answer->filter[f]);
    dwt_ok(dwt_one_call(&p, input, filter, output, &error), &error, answer->name);
    transpose(&p, s.oh, s.ow, s.oc, output, got, 1);
    for (int64_t o = 0; o < s.outputs; o++)
        if (got[o] != dwt_round(dtype, answer->output[o]))
            dwt_fail("%s, element %d: got %g, expected %g", answer->name, (int)o, got[o], answer->output[o]);
    free(input);
    free(filter);
    free(output);
}

static void known_answers(void **state) {
    (void)state;
    for (size_t a = 0; a < sizeof answers / sizeof *answers; a++)
        for (int i = 0; i < DWT_DTYPE_COUNT * 2; i++)
            check_answer(&answers[a], dwt_dtypes[i / 2], i % 2 ? DWC_NCHW : DWC_NHWC);
}

/* NULL data_format is NHWC, NULL dilations are 1. */
static void defaults(void **state) {
    (void)state;
    float input[] = {1, 2, 3, 4, 5, 6}, filter[] = {1, 2, 3, 4}, output[8];
    const float want[] = {10, 14, 14, 20, 18, 26, 22, 32};
    char text[DWC_PROBLEM_TEXT_MAX];
    dwc_problem p = dwt_problem("f32:nhwc:n1:3x2x1:k2x1:m2:valid"), same;
    dwt_tf_call call;
    dwc_error error = {.status = DWC_OK, .message = "untouched"};
    dwt_tf_call_init(&call, &p, input, filter, output);
    call.attributes.data_format = NULL;
    call.attributes.dilations = NULL;
    call.attributes.dilations_count = 0;
    dwt_ok(dwc_depthwise_conv2d_native(dwt_context(DWC_ISA_BASELINE), &call.input, &call.filter, &call.attributes,
                                       &call.output, &error),
           &error, "dwc_depthwise_conv2d_native");
    assert_memory_equal(output, want, sizeof want);
    assert_string_equal(error.message, "untouched");
    dwt_ok(dwc_problem_from_tf(&call.input, &call.filter, &call.attributes, &same, &error), &error,
           "dwc_problem_from_tf");
    dwc_problem_print(&same, text, sizeof text);
    assert_string_equal(text, "f32:nhwc:n1:3x2x1:k2x1:s1x1:d1x1:m2:valid");
}

/* dwc_problem_from_tf gives back the problem its arguments were made from. */
static void round_trip(void **state) {
    (void)state;
    dwt_rng rng = {dwt_args.seed};
    for (int i = 0; i < 2000; i++) {
        char got[DWC_PROBLEM_TEXT_MAX], want[DWC_PROBLEM_TEXT_MAX];
        dwc_problem p = dwt_random_problem(&rng, 0, INT64_MAX), back;
        dwt_tf_call call;
        dwc_error error;
        p.bias = 0;
        p.activation = DWC_NO_ACTIVATION;
        dwt_note(&p, 0, NULL);
        dwt_tf_call_init(&call, &p, NULL, NULL, NULL);
        dwt_ok(dwc_problem_from_tf(&call.input, &call.filter, &call.attributes, &back, &error), &error,
               "dwc_problem_from_tf");
        dwc_problem_print(&p, want, sizeof want);
        dwc_problem_print(&back, got, sizeof got);
        assert_string_equal(got, want);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(defaults),
        cmocka_unit_test(round_trip),
    };
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
