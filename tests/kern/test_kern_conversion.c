/* SPDX-License-Identifier: Apache-2.0 */
/* f16 and bf16 in every table: a 1x1 convolution over all 65,536 patterns. With filter 1 it must return its input
 * (widen and narrow are inverse); with other filters the float32 product rounded once, to nearest even, as the tests'
 * own arithmetic says. */
#include "core/registry.h"
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERNS = 65536 };

static int same(dwc_dtype dtype, uint16_t got, uint16_t want) {
    return got == want || (isnan(dwt_get(dtype, &got, 0)) && isnan(dwt_get(dtype, &want, 0)));
}

static void check_kernel(const dwci_kern_table *table, const dwci_direct_kernel *kernel, dwc_dtype dtype,
                         float factor) {
    static uint16_t in[PATTERNS], out[PATTERNS];
    const int64_t lanes = table->element[dtype - DWC_F16]->vector_bytes / (int64_t)sizeof(float);
    const int64_t channels = kernel->channels == DWCI_WHOLE || kernel->channels == DWCI_TURNED ? lanes : 1;
    float filter[64]; /* more than any vector's lanes */
    for (int i = 0; i < 64; i++)
        filter[i] = factor;
    for (int i = 0; i < PATTERNS; i++)
        in[i] = (uint16_t)i;
    dwci_direct_args args = {.h = 1,
                             .w = PATTERNS / channels,
                             .c = channels,
                             .kh = 1,
                             .kw = 1,
                             .m = 1,
                             .sh = 1,
                             .sw = 1,
                             .dh = 1,
                             .dw = 1,
                             .oh = 1,
                             .ow = PATTERNS / channels,
                             .oc = channels,
                             .filter = filter};
    const dwci_direct_part all = {.y1 = 1, .v1 = 1};
    const dwci_nchw_stage stage = dwci_nchw_stage_of(&args, lanes);
    args.scratch = aligned_alloc(64, ((size_t)dwci_nchw_scratch(&args, &stage, lanes) * sizeof(float) + 63) / 64 * 64);
    assert_non_null(args.scratch);
    kernel->run(&args, in, out, &all);
    free(args.scratch);
    for (int i = 0; i < PATTERNS; i++) {
        uint16_t want;
        const float value = (float)dwt_get(dtype, in, i);
        volatile float product = value * factor;
        dwt_set(dtype, &want, 0, table->fused ? fmaf(value, factor, 0.0f) : product + 0.0f); /* sums start at +0 */
        if (!same(dtype, out[i], want))
            fail_msg("%s table, %s, instance %s, pattern %04x times %g: got %04x, must be %04x", table->name,
                     dwc_dtype_name(dtype), kernel->name, (unsigned)i, (double)factor, out[i], want);
    }
}

/* Every instance that serves 1 x 1 taps. */
static void check_list(const dwci_kern_table *table, const dwci_direct_kernel *list, dwc_dtype dtype, float factor) {
    for (; list->name; list++)
        if (list->kh <= 1 && list->kw <= 1 && list->channels != DWCI_MULTIPLIED && list->channels != DWCI_FLAT)
            check_kernel(table, list, dtype, factor);
}

static void test_tables(void **state) {
    (void)state;
    const float factors[] = {1, -1, 1.2345678f, 0.3333333f, 1e-3f, 977.0f, 1e-6f, 1.001953125f};
    dwc_isa isas[3];
    for (int i = 0, tables = dwt_isas(isas); i < tables; i++)
        for (int dtype = DWC_F16; dtype <= DWC_BF16; dtype++)
            for (size_t f = 0; f < sizeof factors / sizeof *factors; f++) {
                const dwci_kern_table *table = dwci_kern_table_for(isas[i]);
                check_list(table, table->element[dtype - DWC_F16]->direct_nhwc, (dwc_dtype)dtype, factors[f]);
                check_list(table, table->nchw[dtype - DWC_F16]->direct, (dwc_dtype)dtype, factors[f]);
            }
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
