/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong arguments of TensorFlow's argument list: each row spoils one argument of a good call and expects it to be
 * refused by dwc_problem_from_tf and dwc_depthwise_conv2d_native alike, with nothing written. Rows of the output tensor
 * and of pointers concern the second only.
 */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "tf_call.h"
#include "refusal.h"

enum { INPUT = 2 * 9 * 10 * 4, FILTER = 3 * 3 * 4 * 2, OUTPUT = 2 * 9 * 10 * 8, PAD = 64 };

static float arena[PAD + INPUT + FILTER + OUTPUT + PAD];
static float *const input = arena + PAD, *const filter = arena + PAD + INPUT;
static float *const output = arena + PAD + INPUT + FILTER;

typedef struct wrong_call {
    dwt_refusal refusal;
    void (*spoil)(dwt_tf_call *c);
    int native_only; /* dwc_problem_from_tf does not look at it */
} wrong_call;

#define SPOIL(name, statement)                                                                                         \
    static void name(dwt_tf_call *c) {                                                                                 \
        statement;                                                                                                     \
    }
SPOIL(input_rank_3, c->input.rank = 3)
SPOIL(input_rank_5, c->input.rank = 5)
SPOIL(filter_rank_2, c->filter.rank = 2)
SPOIL(filter_rank_negative, c->filter.rank = -1)
SPOIL(dtypes_differ, c->filter.dtype = DWC_F64)
SPOIL(input_dtype_77, c->input.dtype = (dwc_dtype)77)
SPOIL(filter_dtype_77, c->filter.dtype = (dwc_dtype)77)
SPOIL(both_dtypes_77, c->input.dtype = c->filter.dtype = (dwc_dtype)77)
SPOIL(format_unknown, c->attributes.data_format = "NHCW")
SPOIL(format_lower_case, c->attributes.data_format = "nhwc")
SPOIL(format_empty, c->attributes.data_format = "")
SPOIL(strides_3, c->attributes.strides_count = 3)
SPOIL(strides_0, c->attributes.strides_count = 0)
SPOIL(strides_null, c->attributes.strides = NULL)
SPOIL(strides_5, c->attributes.strides_count = 5)
SPOIL(dilations_3, c->attributes.dilations_count = 3)
SPOIL(dilations_null, c->attributes.dilations = NULL)
SPOIL(dilations_negative_count, c->attributes.dilations_count = -4)
SPOIL(stride_batch, c->strides[0] = 7)
SPOIL(stride_channel, c->strides[3] = 7)
SPOIL(stride_batch_0, c->strides[0] = 0)
SPOIL(dilation_batch, c->dilations[0] = 7)
SPOIL(dilation_channel, c->dilations[3] = 7)
SPOIL(stride_h_0, c->strides[1] = 0)
SPOIL(stride_w_negative, c->strides[2] = -7)
SPOIL(dilation_h_0, c->dilations[1] = 0)
SPOIL(dilation_w_negative, c->dilations[2] = -7)
SPOIL(padding_unknown, c->attributes.padding = "FULL")
SPOIL(padding_lower_case, c->attributes.padding = "same")
SPOIL(padding_null, c->attributes.padding = NULL)
SPOIL(padding_long,
      c->attributes.padding = "SAME, but written with so many words that they do not fit into any message "
                              "of the length this library has for its messages, which is a limit that an "
                              "argument from outside must not be able to break, whatever its own length is")
SPOIL(same_with_pads, (c->attributes.explicit_paddings = c->pads, c->attributes.explicit_paddings_count = 8))
SPOIL(valid_with_pads, (c->attributes.padding = "VALID", same_with_pads(c)))
SPOIL(pads_7, (c->attributes.padding = "EXPLICIT", same_with_pads(c), c->attributes.explicit_paddings_count = 7))
SPOIL(pads_9, (c->attributes.padding = "EXPLICIT", same_with_pads(c), c->attributes.explicit_paddings_count = 9))
SPOIL(pads_0, c->attributes.padding = "EXPLICIT")
SPOIL(pads_null, (c->attributes.padding = "EXPLICIT", c->attributes.explicit_paddings_count = 8))
SPOIL(pad_negative, (c->attributes.padding = "EXPLICIT", same_with_pads(c), c->pads[3] = -7))
SPOIL(pad_batch, (c->attributes.padding = "EXPLICIT", same_with_pads(c), c->pads[0] = 7))
SPOIL(pad_channel, (c->attributes.padding = "EXPLICIT", same_with_pads(c), c->pads[7] = 7))
SPOIL(pads_overflow, (c->attributes.padding = "EXPLICIT", same_with_pads(c), c->pads[2] = c->pads[3] = INT64_MAX))
SPOIL(filter_channels, c->filter.shape[2] = 31)
SPOIL(kernel_0, c->filter.shape[0] = 0)
SPOIL(kernel_negative, c->filter.shape[1] = -7)
SPOIL(input_negative, c->input.shape[1] = -7)
SPOIL(multiplier_negative, c->filter.shape[3] = -7)
SPOIL(kernel_too_large, (c->attributes.padding = "VALID", c->filter.shape[0] = 11))
SPOIL(sizes_overflow, c->input.shape[0] = c->input.shape[1] = 1LL << 40)
SPOIL(sizes_wrap, (c->input.shape[0] = 1LL << 32, c->input.shape[1] = 1LL << 30))
SPOIL(multiplier_overflow, c->filter.shape[3] = INT64_MAX)
SPOIL(input_null, c->input.data = NULL)
SPOIL(filter_null, c->filter.data = NULL)
SPOIL(output_null, c->output.data = NULL)
SPOIL(output_rank, c->output.rank = 3)
SPOIL(output_dtype, c->output.dtype = DWC_F16)
SPOIL(output_shape, c->output.shape[2] = 77)
SPOIL(output_is_input, c->output.data = c->input.data)
SPOIL(output_in_input, c->output.data = (float *)c->input.data + INPUT - 1)
SPOIL(output_over_filter, c->output.data = (float *)c->filter.data + FILTER - 1)
SPOIL(output_before_filter, c->output.data = arena)

static const wrong_call wrong[] = {
    {{"input of rank 3", "input", "3"}, input_rank_3, 0},
    {{"input of rank 5", "input", "5"}, input_rank_5, 0},
    {{"filter of rank 2", "filter", "2"}, filter_rank_2, 0},
    {{"filter of rank -1", "filter", "-1"}, filter_rank_negative, 0},
    {{"dtypes that differ", "dtype", "f64"}, dtypes_differ, 0},
    {{"input dtype 77", "dtype", "77"}, input_dtype_77, 0},
    {{"filter dtype 77", "dtype", "77"}, filter_dtype_77, 0},
    {{"both dtypes 77", "dtype", "77"}, both_dtypes_77, 0},
    {{"unknown data format", "data_format", "NHCW"}, format_unknown, 0},
    {{"lower-case data format", "data_format", "nhwc"}, format_lower_case, 0},
    {{"empty data format", "data_format", "''"}, format_empty, 0},
    {{"3 strides", "strides", "3"}, strides_3, 0},
    {{"no strides", "strides", "0"}, strides_0, 0},
    {{"null strides", "strides", NULL}, strides_null, 0},
    {{"5 strides", "strides", "5"}, strides_5, 0},
    {{"3 dilations", "dilations", "3"}, dilations_3, 0},
    {{"null dilations with a count", "dilations", NULL}, dilations_null, 0},
    {{"-4 dilations", "dilations", "-4"}, dilations_negative_count, 0},
    {{"stride in batch", "strides", "7"}, stride_batch, 0},
    {{"stride in channel", "strides", "7"}, stride_channel, 0},
    {{"stride 0 in batch", "strides", "0"}, stride_batch_0, 0},
    {{"dilation in batch", "dilations", "7"}, dilation_batch, 0},
    {{"dilation in channel", "dilations", "7"}, dilation_channel, 0},
    {{"stride 0", "strides", "0"}, stride_h_0, 0},
    {{"negative stride", "strides", "-7"}, stride_w_negative, 0},
    {{"dilation 0", "dilations", "0"}, dilation_h_0, 0},
    {{"negative dilation", "dilations", "-7"}, dilation_w_negative, 0},
    {{"unknown padding", "padding", "FULL"}, padding_unknown, 0},
    {{"lower-case padding", "padding", "same"}, padding_lower_case, 0},
    {{"null padding", "padding", NULL}, padding_null, 0},
    {{"a long padding", "padding", "SAME, but"}, padding_long, 0},
    {{"explicit pads with SAME", "explicit_paddings", "SAME"}, same_with_pads, 0},
    {{"explicit pads with VALID", "explicit_paddings", "VALID"}, valid_with_pads, 0},
    {{"7 explicit pads", "explicit_paddings", "7"}, pads_7, 0},
    {{"9 explicit pads", "explicit_paddings", "9"}, pads_9, 0},
    {{"no explicit pads", "explicit_paddings", "0"}, pads_0, 0},
    {{"null explicit pads", "explicit_paddings", NULL}, pads_null, 0},
    {{"a negative pad", "explicit_paddings", "-7"}, pad_negative, 0},
    {{"a pad in batch", "explicit_paddings", "7"}, pad_batch, 0},
    {{"a pad in channel", "explicit_paddings", "7"}, pad_channel, 0},
    {{"pads that overflow", "pad", "9223372036854775807"}, pads_overflow, 0},
    {{"filter C 31, input C 4", "filter", "31"}, filter_channels, 0},
    {{"kernel of 0 rows", "kh", "0"}, kernel_0, 0},
    {{"kernel of -7 columns", "filter", "-7"}, kernel_negative, 0},
    {{"input of -7 rows", "input", "-7"}, input_negative, 0},
    {{"multiplier -7", "filter", "-7"}, multiplier_negative, 0},
    {{"kernel beyond the input", "11", "9"}, kernel_too_large, 0},
    {{"sizes that overflow", "input", "1099511627776"}, sizes_overflow, 0},
    {{"sizes that wrap around", "input", "4294967296"}, sizes_wrap, 0},
    {{"multiplier that overflows", NULL, "9223372036854775807"}, multiplier_overflow, 0},
    {{"null input", "input", NULL}, input_null, 1},
    {{"null filter", "filter", NULL}, filter_null, 1},
    {{"null output", "output", NULL}, output_null, 1},
    {{"output of rank 3", "output", "3"}, output_rank, 1},
    {{"output of another dtype", "output", "f16"}, output_dtype, 1},
    {{"output of another shape", "output", "77"}, output_shape, 1},
    {{"output = input", "output", "overlap"}, output_is_input, 1},
    {{"output over the input's last element", "output", "overlap"}, output_in_input, 1},
    {{"output over the filter's last element", "filter", "overlap"}, output_over_filter, 1},
    {{"output from before to within the input", "output", "overlap"}, output_before_filter, 1},
};

static dwt_tf_call *good_call(void) {
    static dwt_tf_call call;
    dwc_problem p = dwt_problem("f32:nhwc:n2:9x10x4:k3x3:m2");
    dwt_tf_call_init(&call, &p, input, filter, output);
    return &call;
}

static void fill_arena(void) {
    for (size_t i = 0; i < sizeof arena / sizeof *arena; i++)
        arena[i] = (float)(i % 17);
}

static dwc_status native(const dwt_tf_call *c, dwc_error *error) {
    return dwc_depthwise_conv2d_native(dwt_context(DWC_ISA_BASELINE), &c->input, &c->filter, &c->attributes, &c->output,
                                       error);
}

static void arguments(void **state) {
    (void)state;
    static float before[sizeof arena / sizeof *arena];
    fill_arena();
    memcpy(before, arena, sizeof arena);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        dwt_tf_call *c = good_call();
        dwc_problem p, p_before;
        dwc_error error = dwt_fresh_error();
        memset(&p, 0x5a, sizeof p);
        memcpy(&p_before, &p, sizeof p);
        wrong[i].spoil(c);
        dwt_refused(native(c, &error), &error, DWC_INVALID_ARGUMENT, &wrong[i].refusal);
        assert_memory_equal(arena, before, sizeof arena);
        assert_int_equal(native(c, NULL), DWC_INVALID_ARGUMENT);
        if (wrong[i].native_only)
            continue;
        error = dwt_fresh_error();
        dwt_refused(dwc_problem_from_tf(&c->input, &c->filter, &c->attributes, &p, &error), &error,
                    DWC_INVALID_ARGUMENT, &wrong[i].refusal);
        assert_memory_equal(&p, &p_before, sizeof p);
    }
}

/* The same positions in NCHW: height and width move, batch and channel stay forbidden. */
static void nchw_positions(void **state) {
    (void)state;
    for (int position = 0; position < 4; position++) {
        static const dwt_refusal strides = {"NCHW stride", "strides", "7"},
                                 pads = {"NCHW pad", "explicit_paddings", "7"};
        dwc_problem p = dwt_problem("f32:nchw:n2:9x10x4:k3x3:m2"), made;
        dwt_tf_call c;
        dwc_error error = dwt_fresh_error();
        dwt_tf_call_init(&c, &p, NULL, NULL, NULL);
        c.strides[position] = 7;
        dwc_status status = dwc_problem_from_tf(&c.input, &c.filter, &c.attributes, &made, &error);
        if (position < 2)
            dwt_refused(status, &error, DWC_INVALID_ARGUMENT, &strides);
        else
            assert_true(status == DWC_OK && made.sh == (position == 2 ? 7 : 1) && made.sw == (position == 3 ? 7 : 1));
        p.padding = DWC_EXPLICIT;
        dwt_tf_call_init(&c, &p, NULL, NULL, NULL);
        c.pads[2 * position] = 7;
        error = dwt_fresh_error();
        status = dwc_problem_from_tf(&c.input, &c.filter, &c.attributes, &made, &error);
        if (position < 2)
            dwt_refused(status, &error, DWC_INVALID_ARGUMENT, &pads);
        else
            assert_int_equal(position == 2 ? made.pad_top : made.pad_left, 7);
    }
}

/* What is not spoilt works; neighbours that touch do not overlap; empty tensors need no memory. */
static void good_calls(void **state) {
    (void)state;
    dwc_error error = dwt_fresh_error();
    fill_arena();
    dwt_ok(native(good_call(), &error), &error, "the good call");
    assert_int_equal(error.status, DWC_OK);
    dwt_tf_call *c = good_call(); /* the output right before the input of another call */
    c->input.data = (float *)c->output.data;
    c->output.data = malloc(OUTPUT * sizeof(float));
    dwt_ok(native(c, &error), &error, "an input elsewhere");
    free(c->output.data);
    c = good_call();
    c->input.shape[0] = c->output.shape[0] = 0;
    c->input.data = c->output.data = c->filter.data = NULL;
    dwt_ok(native(c, &error), &error, "no images");
    c = good_call();
    c->filter.shape[3] = c->output.shape[3] = 0;
    c->output.data = NULL;
    dwt_ok(native(c, &error), &error, "no output channels");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments),
        cmocka_unit_test(nchw_positions),
        cmocka_unit_test(good_calls),
    };
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
