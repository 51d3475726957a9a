/* SPDX-License-Identifier: Apache-2.0 */
/* The text form of a problem: what is printed reads back as the same problem and prints the same; short forms and a
 * free order of the optional parts; a malformed text is refused with a message that quotes the part that is wrong.
 *
 *     DTYPE:LAYOUT:nN:HxWxC:kKHxKW[:sSHxSW][:dDHxDW][:mM][:same|:valid|:pT,B,L,R][:bias][:relu|:relu6]
 */
#include <stdio.h>
#include <string.h>

#include "harness.h"

static const struct {
    const char *text, *canonical;
} good[] = {
    {"f32:nhwc:n64:112x112x32:k3x3", "f32:nhwc:n64:112x112x32:k3x3:s1x1:d1x1:m1:same"},
    {"f32:nhwc:n64:112x112x32:k3", "f32:nhwc:n64:112x112x32:k3x3:s1x1:d1x1:m1:same"},
    {"f16:nchw:n1:8x9x3:k3x5:s2", "f16:nchw:n1:8x9x3:k3x5:s2x2:d1x1:m1:same"},
    {"bf16:nhwc:n1:8x9x3:k3:d2:s1x3", "bf16:nhwc:n1:8x9x3:k3x3:s1x3:d2x2:m1:same"},
    {"f64:nchw:n1:8x9x3:k3:valid:m4:d2x1", "f64:nchw:n1:8x9x3:k3x3:s1x1:d2x1:m4:valid"},
    {"f32:nhwc:n1:8x9x3:k3:relu6:bias:p1,2,3,4", "f32:nhwc:n1:8x9x3:k3x3:s1x1:d1x1:m1:p1,2,3,4:bias:relu6"},
    {"f32:nhwc:n1:8x9x3:k3:relu", "f32:nhwc:n1:8x9x3:k3x3:s1x1:d1x1:m1:same:relu"},
    {"f32:nhwc:n1:8x9x3:k3:p0,0,0,0:bias", "f32:nhwc:n1:8x9x3:k3x3:s1x1:d1x1:m1:p0,0,0,0:bias"},
    {"f32:nhwc:n0:0x0x0:k1:m0", "f32:nhwc:n0:0x0x0:k1x1:s1x1:d1x1:m0:same"},
    {"f32:nhwc:n1:1x1x1:k1:s9223372036854775807",
     "f32:nhwc:n1:1x1x1:k1x1:s9223372036854775807x9223372036854775807:d1x1:m1:same"},
};

/* `quoted` has to be in the message. */
static const struct {
    const char *text, *quoted;
} bad[] = {
    {"", "''"},
    {"f32", "f32"},
    {"f32:nhwc", "nhwc"},
    {"f33:nhwc:n1:8x8x8:k3", "f33"},
    {"F32:nhwc:n1:8x8x8:k3", "F32"},
    {"f32:nwhc:n1:8x8x8:k3", "nwhc"},
    {"nhwc:f32:n1:8x8x8:k3", "nhwc"},
    {"f32:nhwc:8x8x8:k3", "nN"},
    {"f32:nhwc:n1:k3", "HxWxC"},
    {"f32:nhwc:n1:8x8x8", "kKHxKW"},
    {"f32:nhwc:n1:8x8:k3", "8x8"},
    {"f32:nhwc:n1:8x8x8x8:k3", "8x8x8x8"},
    {"f32:nhwc:n1:8x8x:k3", "8x8x"},
    {"f32:nhwc:n1:8xx8:k3", "8xx8"},
    {"f32:nhwc:n:8x8x8:k3", "'n'"},
    {"f32:nhwc:n-1:8x8x8:k3", "n-1"},
    {"f32:nhwc:n+1:8x8x8:k3", "n+1"},
    {"f32:nhwc:n1.5:8x8x8:k3", "n1.5"},
    {"f32:nhwc:n1:8x8x8:k", "'k'"},
    {"f32:nhwc:n1:8x8x8:k3x", "k3x"},
    {"f32:nhwc:n1:8x8x8:k3x3x3", "k3x3x3"},
    {"f32:nhwc:n1:8x8x8:k 3", "k 3"},
    {"f32:nhwc:n1:8x8x8:k3:s", "'s'"},
    {"f32:nhwc:n1:8x8x8:k3:s2,2", "s2,2"},
    {"f32:nhwc:n1:8x8x8:k3:d2x", "d2x"},
    {"f32:nhwc:n1:8x8x8:k3:m", "'m'"},
    {"f32:nhwc:n1:8x8x8:k3:m2x2", "m2x2"},
    {"f32:nhwc:n1:8x8x8:k3:p1,1,1", "p1,1,1"},
    {"f32:nhwc:n1:8x8x8:k3:p1,1,1,1,1", "p1,1,1,1,1"},
    {"f32:nhwc:n1:8x8x8:k3:p1,1,1,-1", "p1,1,1,-1"},
    {"f32:nhwc:n1:8x8x8:k3:p", "'p'"},
    {"f32:nhwc:n1:8x8x8:k3:full", "full"},
    {"f32:nhwc:n1:8x8x8:k3:SAME", "SAME"},
    {"f32:nhwc:n1:8x8x8:k3:relu7", "relu7"},
    {"f32:nhwc:n1:8x8x8:k3:biased", "biased"},
    {"f32:nhwc:n1:8x8x8:k3:same:valid", "valid"},
    {"f32:nhwc:n1:8x8x8:k3:bias:bias", "bias"},
    {"f32:nhwc:n1:8x8x8:k3:s2:s3", "s3"},
    {"f32:nhwc:n1:n2:8x8x8:k3", "n2"},
    {"f32:nhwc:n1:8x8x8:k3:relu:relu6", "relu6"},
    {"f32:nhwc:n1:8x8x8::k3", "''"},
    {"f32:nhwc:n1:8x8x8:k3:", ":"},
    {"f32:nhwc:n1:8x8x8:k3 ", "k3 "},
    {"f32:nhwc:n9223372036854775808:8x8x8:k3", "9223372036854775808"},
    {"f32:nhwc:n99999999999999999999999:8x8x8:k3", "99999999999999999999999"},
    {"f32:nhwc:n1:8x8x8:k0", "k"},
    {"f32:nhwc:n1:8x8x8:k3:s0", "s"},
    {"f32:nhwc:n1:8x8x8:k3:d0x1", "dh"},
    {"f32:nhwc:n1:2x8x8:k3:valid", "kh"},
};

static void good_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char printed[DWC_PROBLEM_TEXT_MAX];
        dwc_problem p = dwt_problem(good[i].text);
        size_t length = dwc_problem_print(&p, printed, sizeof printed);
        assert_string_equal(printed, good[i].canonical);
        assert_int_equal(length, strlen(good[i].canonical));
        p = dwt_problem(printed);
        dwc_problem_print(&p, printed, sizeof printed);
        assert_string_equal(printed, good[i].canonical);
    }
}

static void bad_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        dwc_problem p, before;
        dwc_error error = {.status = DWC_OK};
        memset(&p, 0x5a, sizeof p);
        before = p;
        dwc_status status = dwc_problem_parse(bad[i].text, &p, &error);
        if (status != DWC_INVALID_ARGUMENT || error.status != status || strstr(error.message, bad[i].quoted) == NULL)
            dwt_fail("'%s': %s, message '%s' (has to name %s)", bad[i].text, dwc_status_name(status), error.message,
                     bad[i].quoted);
        assert_memory_equal(&p, &before, sizeof p);
        assert_null(strchr(error.message, '\n'));
        assert_int_equal(dwc_problem_parse(bad[i].text, &p, NULL), DWC_INVALID_ARGUMENT);
    }
}

/* A text of any length is refused or read, and never cut into something else. */
static void long_texts(void **state) {
    (void)state;
    static char text[100000];
    dwc_problem p;
    dwc_error error;
    memset(text, 'x', sizeof text - 1);
    assert_int_equal(dwc_problem_parse(text, &p, &error), DWC_INVALID_ARGUMENT);
    memcpy(text, "f32:nhwc:n1:8x8x8:k3:", 21);
    assert_int_equal(dwc_problem_parse(text, &p, &error), DWC_INVALID_ARGUMENT);
    memset(text + 21, '0', sizeof text - 22);
    text[21] = 's';
    text[sizeof text - 2] = '2';
    assert_int_equal(dwc_problem_parse(text, &p, &error), DWC_INVALID_ARGUMENT);
    assert_true(strlen(error.message) < sizeof error.message);
}

/* Fields far apart in value survive the round trip; the longest text fits DWC_PROBLEM_TEXT_MAX. */
static void round_trip(void **state) {
    (void)state;
    dwt_rng rng = {dwt_args.seed};
    for (int i = 0; i < 5000; i++) {
        char text[DWC_PROBLEM_TEXT_MAX], again[DWC_PROBLEM_TEXT_MAX];
        dwc_problem p = dwt_random_problem(&rng, 0, INT64_MAX), q;
        if (dwt_chance(&rng, 1, 8))
            p.sh = dwt_between(&rng, 1, INT64_MAX / 2);
        dwc_error error;
        dwc_problem_print(&p, text, sizeof text);
        memset(&q, 0x5a, sizeof q);
        dwt_ok(dwc_problem_parse(text, &q, &error), &error, text);
        dwc_problem_print(&q, again, sizeof again);
        assert_string_equal(again, text);
        assert_int_equal(q.n * 31 + q.h * 7 + q.w * 3 + q.c, p.n * 31 + p.h * 7 + p.w * 3 + p.c);
        assert_true(q.kh == p.kh && q.kw == p.kw && q.m == p.m && q.sh == p.sh && q.sw == p.sw && q.dh == p.dh);
        assert_true(q.dw == p.dw && q.padding == p.padding && q.bias == p.bias && q.activation == p.activation);
        assert_true(q.pad_top == p.pad_top && q.pad_bottom == p.pad_bottom && q.pad_left == p.pad_left);
        assert_true(q.pad_right == p.pad_right && q.dtype == p.dtype && q.layout == p.layout);
        assert_int_equal(q.operation, DWC_FORWARD);
    }
}

/* Random bytes put into good texts: refused or read as something that prints back. */
static void mutated_texts(void **state) {
    (void)state;
    static const char alphabet[] = "0123456789xkdsmnp:,.-+ fbreluavicw\x01\xff";
    dwt_rng rng = {dwt_args.seed};
    for (int i = 0; i < 20000; i++) {
        char text[DWC_PROBLEM_TEXT_MAX], printed[DWC_PROBLEM_TEXT_MAX];
        size_t length = (size_t)snprintf(text, sizeof text, "%s", good[i % (sizeof good / sizeof *good)].text);
        dwc_problem p, q;
        dwc_error error;
        for (int64_t changes = dwt_between(&rng, 1, 3); changes > 0; changes--)
            text[dwt_between(&rng, 0, (int64_t)length - 1)] = alphabet[dwt_between(&rng, 0, sizeof alphabet - 1)];
        if (dwc_problem_parse(text, &p, &error) != DWC_OK) {
            assert_true(error.message[0] != '\0' && strlen(error.message) < sizeof error.message);
            continue;
        }
        assert_true(dwc_problem_print(&p, printed, sizeof printed) < sizeof printed);
        dwt_ok(dwc_problem_parse(printed, &q, &error), &error, printed);
        dwc_problem_print(&q, text, sizeof text);
        assert_string_equal(text, printed);
    }
}

static void printing_cuts(void **state) {
    (void)state;
    dwc_problem p = dwt_problem(good[5].text);
    size_t full = strlen(good[5].canonical);
    for (size_t size = 0; size <= full + 2; size++) {
        char text[DWC_PROBLEM_TEXT_MAX];
        memset(text, '#', sizeof text);
        assert_int_equal(dwc_problem_print(&p, text, size), full);
        assert_int_equal(text[size], '#');
        if (size > 0)
            assert_int_equal(strlen(text), size - 1 < full ? size - 1 : full);
    }
    assert_int_equal(dwc_problem_print(&p, NULL, 0), full);
}

static void names(void **state) {
    (void)state;
    static const struct {
        dwc_dtype dtype;
        const char *name;
        size_t bytes;
    } dtypes[] = {{DWC_F16, "f16", 2}, {DWC_BF16, "bf16", 2}, {DWC_F32, "f32", 4}, {DWC_F64, "f64", 8}};
    for (int i = 0; i < 4; i++) {
        assert_string_equal(dwc_dtype_name(dtypes[i].dtype), dtypes[i].name);
        assert_int_equal(dwc_dtype_parse(dtypes[i].name), dtypes[i].dtype);
        assert_int_equal(dwc_dtype_bytes(dtypes[i].dtype), dtypes[i].bytes);
    }
    assert_string_equal(dwc_dtype_name((dwc_dtype)77), "?");
    assert_int_equal(dwc_dtype_parse("f8"), 0);
    assert_int_equal(dwc_dtype_parse(""), 0);
    assert_int_equal(dwc_dtype_bytes((dwc_dtype)-1), 0);
    assert_string_equal(dwc_layout_name(DWC_NHWC), "nhwc");
    assert_int_equal(dwc_layout_parse("nchw"), DWC_NCHW);
    assert_int_equal(dwc_layout_parse("NCHW"), 0);
    assert_string_equal(dwc_layout_name((dwc_layout)0), "?");
    assert_string_equal(dwc_padding_name(DWC_VALID), "valid");
    assert_string_equal(dwc_padding_name((dwc_padding)9), "?");
    assert_string_equal(dwc_activation_name(DWC_RELU6), "relu6");
    assert_string_equal(dwc_activation_name((dwc_activation)9), "?");
#define STATUS_NAME(name, value, text)                                                                                 \
    assert_int_equal(name, value);                                                                                     \
    assert_string_equal(dwc_status_name(name), #name);                                                                 \
    assert_string_equal(dwc_status_text(name), text);
    DWC_STATUS_LIST(STATUS_NAME)
    assert_non_null(dwc_status_name((dwc_status)99));
    assert_non_null(dwc_status_text((dwc_status)-5));
    assert_string_equal(dwc_isa_name(DWC_ISA_AVX2), "avx2");
    assert_int_equal(dwc_isa_parse("avx512"), DWC_ISA_AVX512);
    assert_int_equal(dwc_isa_parse("best"), DWC_ISA_BEST);
    assert_int_equal(dwc_isa_parse("sse9"), 0);
    assert_string_equal(dwc_version(), DWC_VERSION_STRING);
    assert_true(strlen(dwc_build_info()) > 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts), cmocka_unit_test(bad_texts),     cmocka_unit_test(long_texts),
        cmocka_unit_test(round_trip), cmocka_unit_test(mutated_texts), cmocka_unit_test(printing_cuts),
        cmocka_unit_test(names),
    };
    dwt_begin(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
