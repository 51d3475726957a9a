/* SPDX-License-Identifier: Apache-2.0 */
/* Output sizes and pads: a table of the cases that go wrong easily, every small one-dimensional case against the tests'
 * own count of windows, and sizes near the limits of 64 bits.
 *
 *     SAME: out = ceil(in/stride), the odd row or column of padding at the bottom and right
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "harness.h"

static const struct {
    const char *text;
    int64_t oh, ow, top, bottom, left, right;
} table[] = {
    {"f32:nhwc:n1:5x7x1:k3x3", 5, 7, 1, 1, 1, 1},
    {"f32:nhwc:n1:5x7x1:k2x4", 5, 7, 0, 1, 1, 2},    /* even kernels: the odd pad goes last */
    {"f32:nhwc:n1:8x6x1:k3x3:s2", 4, 3, 0, 1, 0, 1}, /* not (1,1) */
    {"f32:nhwc:n1:7x5x1:k3x3:s2", 4, 3, 1, 1, 1, 1},
    {"f32:nhwc:n1:9x8x1:k2x2:s3x4", 3, 2, 0, 0, 0, 0}, /* stride > kernel: rows nobody reads */
    {"f32:nhwc:n1:7x10x1:k2x2:s3x4", 3, 3, 0, 1, 0, 0},
    {"f32:nhwc:n1:10x10x1:k3x3:d3x2", 10, 10, 3, 3, 2, 2},
    {"f32:nhwc:n1:10x9x1:k3x2:d4x3:s2", 5, 5, 3, 4, 1, 2},
    {"f32:nhwc:n1:1x1x1:k9x8", 1, 1, 4, 4, 3, 4},
    {"f32:nhwc:n1:4x4x1:k1x1:s5", 1, 1, 0, 0, 0, 0},
    {"f32:nhwc:n1:0x4x1:k3x3", 0, 4, 1, 1, 1, 1}, /* (0-1)*1 + 3 - 0 = 2 rows of padding */
    {"f32:nhwc:n1:0x4x1:k3x3:s4", 0, 1, 0, 0, 0, 0},
    {"f32:nhwc:n1:5x7x1:k3x3:valid", 3, 5, 0, 0, 0, 0},
    {"f32:nhwc:n1:5x7x1:k5x7:valid", 1, 1, 0, 0, 0, 0},
    {"f32:nhwc:n1:6x8x1:k3x3:s2:valid", 2, 3, 0, 0, 0, 0},
    {"f32:nhwc:n1:9x9x1:k3x3:d4:valid", 1, 1, 0, 0, 0, 0},
    {"f32:nhwc:n1:4x4x1:k2x2:s2:p3,2,1,0", 4, 2, 3, 2, 1, 0},
    {"f32:nhwc:n1:3x3x1:k3x3:p0,0,0,0", 1, 1, 0, 0, 0, 0},
    {"f32:nhwc:n1:1x1x1:k3x3:p10,20,15,25", 29, 39, 10, 20, 15, 25}, /* pads beyond the kernel */
    {"f32:nhwc:n1:0x0x1:k3x3:p2,1,1,2:bias", 1, 1, 2, 1, 1, 2},      /* an image without rows, padded */
    {"f32:nhwc:n1:5x5x1:k3x3:s1099511627776", 1, 1, 0, 0, 0, 0},
    {"f32:nhwc:n1:5x5x1:k2x2:d1099511627776", 5, 5, 549755813888, 549755813888, 549755813888, 549755813888},
};

static void edge_table(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        dwc_geometry g;
        dwc_problem p = dwt_problem(table[i].text);
        dwt_note(&p, 0, NULL);
        dwt_ok(dwc_problem_geometry(&p, &g, NULL), NULL, table[i].text);
        int64_t got[] = {g.oh, g.ow, g.pad_top, g.pad_bottom, g.pad_left, g.pad_right};
        for (int v = 0; v < 6; v++)
            if (got[v] != (&table[i].oh)[v])
                dwt_fail("%s: value %d of oh ow T B L R: got %" PRId64 ", expected %" PRId64, table[i].text, v, got[v],
                         (&table[i].oh)[v]);
    }
}

/* Taps inside the image along one dimension, counted. */
static double count_taps(int64_t in, int64_t taps, int64_t stride, int64_t dilation, int64_t before, int64_t out) {
    double count = 0;
    for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < taps; k++) {
            int64_t at = o * stride - before + k * dilation;
            count += at >= 0 && at < in;
        }
    return count;
}

static void check_geometry(const dwc_problem *p) {
    dwt_shape s;
    dwc_geometry g;
    int valid = dwt_shape_of(p, &s);
    memset(&g, 0x5a, sizeof g);
    dwt_note(p, 0, NULL);
    dwc_status status = dwc_problem_geometry(p, &g, NULL);
    if (status != (valid ? DWC_OK : DWC_INVALID_ARGUMENT))
        dwt_fail("%s, expected %s", dwc_status_name(status),
                 valid ? "DWC_OK" : "a refusal: kernel beyond padded input");
    if (!valid)
        return;
    if (g.oh != s.oh || g.ow != s.ow || g.oc != s.oc || g.pad_top != s.top || g.pad_bottom != s.bottom ||
        g.pad_left != s.left || g.pad_right != s.right)
        dwt_fail("got %" PRId64 "x%" PRId64 "x%" PRId64 " pads %" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
                 ", expected %" PRId64 "x%" PRId64 "x%" PRId64 " pads %" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64,
                 g.oh, g.ow, g.oc, g.pad_top, g.pad_bottom, g.pad_left, g.pad_right, s.oh, s.ow, s.oc, s.top, s.bottom,
                 s.left, s.right);
    if (g.input_elements != s.inputs || g.filter_elements != s.filters || g.bias_elements != s.biases ||
        g.output_elements != s.outputs || g.element_bytes != dwc_dtype_bytes(p->dtype))
        dwt_fail("element counts: got %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, g.input_elements,
                 g.filter_elements, g.bias_elements, g.output_elements);
    double taps = s.outputs == 0 ? 0
                                 : (double)(p->n * s.oc) * count_taps(p->h, p->kh, p->sh, p->dh, s.top, s.oh) *
                                       count_taps(p->w, p->kw, p->sw, p->dw, s.left, s.ow);
    if (g.inbounds_taps != taps)
        dwt_fail("inbounds_taps: got %.17g, expected %.17g", g.inbounds_taps, taps);
}

static void every_small_case(void **state) {
    (void)state;
    dwc_problem p;
    dwc_problem_init(&p);
    for (p.h = 0; p.h <= 9; p.h++)
        for (p.kh = 1; p.kh <= 5; p.kh++)
            for (p.sh = 1; p.sh <= 4; p.sh++)
                for (p.dh = 1; p.dh <= 3; p.dh++)
                    for (int pads = 0; pads < 18; pads++) {
                        p.padding = pads == 0 ? DWC_SAME : pads == 1 ? DWC_VALID : DWC_EXPLICIT;
                        p.pad_top = pads < 2 ? 0 : (pads - 2) / 4;
                        p.pad_bottom = pads < 2 ? 0 : (pads - 2) % 4;
                        check_geometry(&p);
                    }
}

static void random_cases(void **state) {
    (void)state;
    dwt_rng rng = {dwt_args.seed};
    for (int i = 0; i < 20000; i++) {
        dwc_problem p = dwt_any_problem(&rng);
        check_geometry(&p);
    }
}

/* Sizes that need 64 bits but are no error. */
static void large_sizes(void **state) {
    (void)state;
    dwc_geometry g;
    dwc_problem p = dwt_problem("f32:nhwc:n1:65536x65536x3:k3x3:s1x2:m2");
    dwt_ok(dwc_problem_geometry(&p, &g, NULL), NULL, "2^32 pixels");
    assert_true(g.input_elements == 3LL << 32 && g.output_elements == 6LL << 31 && g.oh == 65536 && g.ow == 32768);
    assert_true(fabs(g.inbounds_taps / (9.0 * 6 * 0x1p31) - 1) < 1e-4);
    p = dwt_problem("f16:nchw:n1099511627776:1024x1x1:k1x1");
    dwt_ok(dwc_problem_geometry(&p, &g, NULL), NULL, "2^50 images");
    assert_true(g.output_elements == 1LL << 50);
    p = dwt_problem("f32:nhwc:n1:1x1x1:k1x1:s9223372036854775807:p0,9223372036854775806,0,0");
    dwt_ok(dwc_problem_geometry(&p, &g, NULL), NULL, "the largest stride and pad");
    assert_int_equal(g.oh, 1);
    assert_int_equal(dwc_problem_geometry(&p, NULL, NULL), DWC_OK);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edge_table),
        cmocka_unit_test(every_small_case),
        cmocka_unit_test(random_cases),
        cmocka_unit_test(large_sizes),
    };
    dwt_begin(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
