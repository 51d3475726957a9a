/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong problems, plan options and context options: every field, one at a time, through dwc_problem_geometry and
 * dwc_plan_create (and dwc_context_create); sizes, pads and products that do not fit 64 bits are refused, never
 * wrapped.
 */
#include <math.h>
#include <string.h>

#include "harness.h"
#include "refusal.h"

#define BIG INT64_MAX

/* Sets one field of a good problem. */
typedef struct wrong_problem {
    dwt_refusal refusal;
    void (*spoil)(dwc_problem *p);
} wrong_problem;

#define SPOIL(name, statement)                                                                                         \
    static void name(dwc_problem *p) {                                                                                 \
        statement;                                                                                                     \
    }
SPOIL(operation_0, p->operation = (dwc_operation)0)
SPOIL(operation_77, p->operation = (dwc_operation)77)
SPOIL(dtype_0, p->dtype = (dwc_dtype)0)
SPOIL(dtype_77, p->dtype = (dwc_dtype)77)
SPOIL(layout_77, p->layout = (dwc_layout)77)
SPOIL(padding_77, p->padding = (dwc_padding)77)
SPOIL(activation_77, p->activation = (dwc_activation)77)
SPOIL(n_negative, p->n = -3)
SPOIL(h_negative, p->h = -3)
SPOIL(w_negative, p->w = -3)
SPOIL(c_negative, p->c = -3)
SPOIL(m_negative, p->m = -3)
SPOIL(n_most_negative, p->n = INT64_MIN)
SPOIL(kh_0, p->kh = 0)
SPOIL(kw_0, p->kw = 0)
SPOIL(kw_negative, p->kw = -3)
SPOIL(sh_0, p->sh = 0)
SPOIL(sw_negative, p->sw = -3)
SPOIL(dh_0, p->dh = 0)
SPOIL(dw_negative, p->dw = -3)
SPOIL(top_negative, (p->padding = DWC_EXPLICIT, p->pad_top = -3))
SPOIL(bottom_negative, (p->padding = DWC_EXPLICIT, p->pad_bottom = -3))
SPOIL(left_negative, (p->padding = DWC_EXPLICIT, p->pad_left = -3))
SPOIL(right_negative, (p->padding = DWC_EXPLICIT, p->pad_right = INT64_MIN))
SPOIL(pads_with_same, p->pad_left = 33)
SPOIL(pads_with_valid, (p->padding = DWC_VALID, p->pad_bottom = 33))
SPOIL(eff_h_valid, (p->padding = DWC_VALID, p->h = 7, p->kh = 4, p->dh = 3))
SPOIL(eff_w_explicit, (p->padding = DWC_EXPLICIT, p->pad_left = 2, p->w = 8, p->kw = 11))
SPOIL(no_rows_valid, (p->padding = DWC_VALID, p->h = 0))
SPOIL(pads_overflow, (p->padding = DWC_EXPLICIT, p->pad_top = BIG, p->pad_bottom = BIG))
SPOIL(pad_and_size_overflow, (p->padding = DWC_EXPLICIT, p->pad_right = BIG))
SPOIL(eff_overflow, (p->kh = 3, p->dh = BIG))
SPOIL(eff_overflow_taps, (p->kw = BIG, p->dw = 3))
SPOIL(same_span_overflow, (p->h = BIG, p->kh = 3, p->dh = BIG / 4, p->w = 0))
SPOIL(input_overflow, (p->n = 1LL << 32, p->h = 1LL << 32))
SPOIL(input_wraps_to_0, (p->n = 1LL << 32, p->h = 1LL << 31, p->c = 2))
SPOIL(input_bytes_overflow, (p->dtype = DWC_F64, p->n = 1LL << 61, p->h = p->w = p->c = p->kh = p->kw = 1))
SPOIL(filter_overflow, (p->m = 1LL << 62))
SPOIL(channels_overflow, (p->n = 0, p->c = 1LL << 33, p->m = 1LL << 33))
SPOIL(taps_overflow, (p->kh = 1LL << 31, p->kw = 1LL << 31))
SPOIL(output_overflow, (p->padding = DWC_EXPLICIT, p->pad_top = 1LL << 40, p->pad_left = 1LL << 40))
SPOIL(output_bytes_overflow, (p->padding = DWC_EXPLICIT, p->pad_top = 1LL << 60))

static const wrong_problem wrong[] = {
    {{"operation 0", "operation", "0"}, operation_0},
    {{"operation 77", "operation", "77"}, operation_77},
    {{"dtype 0", "dtype", "0"}, dtype_0},
    {{"dtype 77", "dtype", "77"}, dtype_77},
    {{"layout 77", "layout", "77"}, layout_77},
    {{"padding 77", "padding", "77"}, padding_77},
    {{"activation 77", "activation", "77"}, activation_77},
    {{"n -3", "n", "-3"}, n_negative},
    {{"h -3", "h", "-3"}, h_negative},
    {{"w -3", "w", "-3"}, w_negative},
    {{"c -3", "c", "-3"}, c_negative},
    {{"m -3", "m", "-3"}, m_negative},
    {{"the most negative n", "n", "-9223372036854775808"}, n_most_negative},
    {{"kh 0", "kh", "0"}, kh_0},
    {{"kw 0", "kw", "0"}, kw_0},
    {{"kw -3", "kw", "-3"}, kw_negative},
    {{"sh 0", "sh", "0"}, sh_0},
    {{"sw -3", "sw", "-3"}, sw_negative},
    {{"dh 0", "dh", "0"}, dh_0},
    {{"dw -3", "dw", "-3"}, dw_negative},
    {{"pad_top -3", "pad_top", "-3"}, top_negative},
    {{"pad_bottom -3", "pad_bottom", "-3"}, bottom_negative},
    {{"pad_left -3", "pad_left", "-3"}, left_negative},
    {{"the most negative pad_right", "pad_right", "-9223372036854775808"}, right_negative},
    {{"pads with SAME", "pad", "33"}, pads_with_same},
    {{"pads with VALID", "pad", "33"}, pads_with_valid},
    {{"kernel beyond the image, VALID", "10", "7"}, eff_h_valid},
    {{"kernel beyond the padded image", "11", "8"}, eff_w_explicit},
    {{"no rows, VALID", "h", "0"}, no_rows_valid},
    {{"pads that overflow", "pad", "9223372036854775807"}, pads_overflow},
    {{"pad and size that overflow", "pad", "9223372036854775807"}, pad_and_size_overflow},
    {{"dilated kernel that overflows", "dh", "9223372036854775807"}, eff_overflow},
    {{"taps that overflow", "kw", "9223372036854775807"}, eff_overflow_taps},
    {{"SAME span that overflows", NULL, "9223372036854775807"}, same_span_overflow},
    {{"input beyond 2^63 elements", "input", "4294967296"}, input_overflow},
    {{"input of a multiple of 2^64 elements", "input", "4294967296"}, input_wraps_to_0},
    {{"input of 2^64 bytes", "input", "2305843009213693952"}, input_bytes_overflow},
    {{"filter beyond 2^63 elements", NULL, "4611686018427387904"}, filter_overflow},
    {{"c*m beyond 2^63", NULL, "8589934592"}, channels_overflow},
    {{"kh*kw beyond 2^63", NULL, "2147483648"}, taps_overflow},
    {{"output beyond 2^63 elements", "output", "1099511627"}, output_overflow},
    {{"output beyond 2^64 bytes", "output", "115292150460684"}, output_bytes_overflow},
};

static dwc_problem good_problem(void) {
    return dwt_problem("f32:nhwc:n2:9x10x4:k3x3");
}

static void problem_fields(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        dwc_problem p = good_problem();
        dwc_geometry g, g_before;
        dwc_plan *untouched = (dwc_plan *)&p, *plan = untouched;
        dwc_error error = dwt_fresh_error();
        memset(&g, 0x5a, sizeof g);
        memcpy(&g_before, &g, sizeof g);
        wrong[i].spoil(&p);
        dwt_refused(dwc_problem_geometry(&p, &g, &error), &error, DWC_INVALID_ARGUMENT, &wrong[i].refusal);
        assert_memory_equal(&g, &g_before, sizeof g);
        error = dwt_fresh_error();
        dwt_refused(dwc_plan_create(dwt_context(DWC_ISA_BASELINE), &p, NULL, &plan, &error), &error,
                    DWC_INVALID_ARGUMENT, &wrong[i].refusal);
        assert_ptr_equal(plan, untouched);
        assert_int_equal(dwc_problem_geometry(&p, NULL, NULL), DWC_INVALID_ARGUMENT);
    }
}

/* The same problem, not spoilt, is good: the table above tests what it says. */
static void good_ones_pass(void **state) {
    (void)state;
    dwc_problem p = good_problem();
    dwc_geometry g;
    dwc_error error = {.status = DWC_INTERNAL_ERROR, .message = "untouched"};
    dwt_ok(dwc_problem_geometry(&p, &g, &error), &error, "dwc_problem_geometry");
    assert_string_equal(error.message, "untouched");
    assert_int_equal(error.status, DWC_INTERNAL_ERROR);
}

static void plan_options(void **state) {
    (void)state;
    static const struct {
        dwt_refusal refusal;
        dwc_plan_options options;
    } rows[] = {
        {{"unknown algorithm", "algo", "fastest"}, {.algo = "fastest"}},
        {{"empty algorithm", "algo", NULL}, {.algo = ""}},
        {{"negative threads", "threads", "-3"}, {.algo = "auto", .threads = -3}},
        {{"params without an algorithm", "params", NULL}, {.algo = "auto", .params = "rows=4"}},
        {{"unknown parameter", "params", "speed"}, {.algo = "direct", .params = "speed=9"}},
        {{"text that is no parameter", "params", "speed"}, {.algo = "direct", .params = "speed"}},
        {{"unknown numerics", "numerics", "5"}, {.numerics = (dwc_numerics)5}},
        {{"unknown cache", "cache", "5"}, {.cache = (dwc_cache)5}},
        {{"negative error limit", "max_error", "-1"}, {.max_error = -1}},
        {{"error limit that is no number", "max_error", NULL}, {.max_error = NAN}},
        {{"negative workspace limit", "max_workspace", "-64"}, {.max_workspace = -64}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dwc_problem p = good_problem();
        dwc_plan *untouched = (dwc_plan *)&p, *plan = untouched;
        dwc_error error = dwt_fresh_error();
        dwt_refused(dwc_plan_create(dwt_context(DWC_ISA_BASELINE), &p, &rows[i].options, &plan, &error), &error,
                    DWC_INVALID_ARGUMENT, &rows[i].refusal);
        assert_ptr_equal(plan, untouched);
    }
}

static void context_options(void **state) {
    (void)state;
    static const struct {
        dwt_refusal refusal;
        dwc_context_options options;
    } rows[] = {
        {{"negative threads", "threads", "-3"}, {.threads = -3, .max_isa = DWC_ISA_BEST}},
        {{"unknown instruction set", "isa", "77"}, {.max_isa = (dwc_isa)77}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dwc_context *untouched = (dwc_context *)&rows, *context = untouched;
        dwc_error error = dwt_fresh_error();
        dwt_refused(dwc_context_create(&rows[i].options, &context, &error), &error, DWC_INVALID_ARGUMENT,
                    &rows[i].refusal);
        assert_ptr_equal(context, untouched);
    }
}

static void log_topics(void **state) {
    (void)state;
    static const dwt_refusal refusal = {"unknown log topic", "planning", NULL};
    unsigned topics = 4711;
    dwc_error error = dwt_fresh_error();
    dwt_refused(dwc_log_topics_parse("plan,planning", &topics, &error), &error, DWC_INVALID_ARGUMENT, &refusal);
    assert_int_equal(topics, 4711);
    dwt_ok(dwc_log_topics_parse("plan,mpi", &topics, NULL), NULL, "dwc_log_topics_parse");
    assert_int_equal(topics, DWC_LOG_PLAN | DWC_LOG_MPI);
    dwt_ok(dwc_log_topics_parse("all", &topics, NULL), NULL, "dwc_log_topics_parse");
    assert_int_equal(topics, DWC_LOG_ALL);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problem_fields),  cmocka_unit_test(good_ones_pass), cmocka_unit_test(plan_options),
        cmocka_unit_test(context_options), cmocka_unit_test(log_topics),
    };
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
