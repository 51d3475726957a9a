/* SPDX-License-Identifier: Apache-2.0 */
/* dwc_convert_to_f64 and dwc_convert_from_f64 against the tests' own arithmetic: all 65536 patterns of the 16-bit
 * types, and for each finite number the points around the middle between it and the next one.
 *
 *     x ---- just below ---- middle (to even) ---- just above ---- next
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "harness.h"

static void check_from(dwc_dtype dtype, double value) {
    uint64_t got[1] = {0}, want[1] = {0};
    dwt_set(dtype, want, 0, value);
    dwc_convert_from_f64(dtype, &value, got, 1);
    int both_nan = isnan(dwt_get(dtype, got, 0)) && isnan(value);
    if (!both_nan && memcmp(got, want, sizeof got) != 0)
        dwt_fail("%s of %a: got %#llx, expected %#llx", dwc_dtype_name(dtype), value, (unsigned long long)got[0],
                 (unsigned long long)want[0]);
}

static void sixteen_bits(void **state) {
    (void)state;
    for (int type = 0; type < 2; type++) {
        dwc_dtype dtype = type ? DWC_BF16 : DWC_F16;
        for (uint32_t bits = 0; bits < 65536; bits++) {
            uint16_t pattern = (uint16_t)bits, up = (uint16_t)(bits + 1), back;
            double got, want = dwt_get(dtype, &pattern, 0), next = dwt_get(dtype, &up, 0);
            dwc_convert_to_f64(dtype, &pattern, &got, 1);
            if (!(isnan(got) && isnan(want)) && (got != want || signbit(got) != signbit(want)))
                dwt_fail("%s %#x: got %a, expected %a", dwc_dtype_name(dtype), bits, got, want);
            dwc_convert_from_f64(dtype, &got, &back, 1);
            if (isnan(want) ? !isnan(dwt_get(dtype, &back, 0)) : back != pattern)
                dwt_fail("%s %#x became %#x", dwc_dtype_name(dtype), bits, back);
            if (!isfinite(want) || isnan(next) || (bits & 0x7fff) == 0x7fff)
                continue;
            double middle = isinf(next) ? want * (1 + dwt_unit_roundoff(dtype) / (2 - 2 * dwt_unit_roundoff(dtype)))
                                        : want + (next - want) / 2;
            check_from(dtype, middle);
            check_from(dtype, nextafter(middle, -INFINITY));
            check_from(dtype, nextafter(middle, INFINITY));
        }
    }
}

/* Counts that fill vectors and leave tails, unaligned arrays, and nothing written behind the last element. */
static void arrays(void **state) {
    (void)state;
    enum { MOST = 70 };
    dwt_rng rng = {dwt_args.seed};
    for (int type = 0; type < DWT_DTYPE_COUNT; type++) {
        dwc_dtype dtype = dwt_dtypes[type];
        size_t element = dwc_dtype_bytes(dtype);
        for (int64_t count = 0; count <= MOST; count++) {
            uint64_t space[MOST + 2], sentinel;
            double values[MOST], back[MOST + 1];
            char *array = (char *)space + element;
            memset(space, 0xa5, sizeof space);
            memset(&sentinel, 0xa5, sizeof sentinel);
            for (int64_t i = 0; i < count; i++)
                values[i] = ldexp(dwt_signed_unit(&rng), (int)dwt_between(&rng, -30, 15));
            dwc_convert_from_f64(dtype, values, array, count);
            assert_memory_equal(array + (size_t)count * element, &sentinel, element);
            back[count] = 4711;
            dwc_convert_to_f64(dtype, array, back, count);
            assert_true(back[count] == 4711);
            for (int64_t i = 0; i < count; i++)
                assert_true(back[i] == dwt_round(dtype, values[i]));
        }
    }
}

static void special_values(void **state) {
    (void)state;
    static const double values[] = {0.0,      -0.0,      INFINITY,   -INFINITY,  NAN,      -NAN,
                                    DBL_MAX,  -DBL_MAX,  DBL_MIN,    0x1p-1074,  FLT_MAX,  FLT_MIN,
                                    0x1p-149, 0x1p-150,  65519.999,  65520,      65504,    0x1p-24,
                                    0x1p-25,  0x1.8p-25, 0x1.fep127, 0x1.ffp127, 0x1p-133, 0x1p-134};
    for (int type = 0; type < DWT_DTYPE_COUNT; type++)
        for (size_t i = 0; i < sizeof values / sizeof *values; i++)
            check_from(dwt_dtypes[type], values[i]);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_bits),
        cmocka_unit_test(arrays),
        cmocka_unit_test(special_values),
    };
    dwt_begin(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
