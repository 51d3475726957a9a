/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding and 16-bit patterns from the parameters of each type. Rounding scales by a power of two, which is exact,
 * so that the wanted last place becomes 1, and rounds to a whole number in the current (nearest even) mode.
 *
 *     16-bit pattern:  sign | exponent + bias | fraction        bias = greatest exponent
 */
#include <math.h>
#include <string.h>

#include "numbers.h"

typedef struct number_format {
    int digits, min_exponent, max_exponent;
} number_format;

static const number_format formats[] = {
    [DWC_F16] = {11, -14, 15},
    [DWC_BF16] = {8, -126, 127},
    [DWC_F32] = {24, -126, 127},
    [DWC_F64] = {53, -1022, 1023},
};

const dwc_dtype dwt_dtypes[DWT_DTYPE_COUNT] = {DWC_F16, DWC_BF16, DWC_F32, DWC_F64};

double dwt_round(dwc_dtype dtype, long double value) {
    if (!isfinite(value) || value == 0)
        return (double)value;
    const number_format *f = &formats[dtype];
    int exponent = ilogbl(value);
    if (exponent < f->min_exponent)
        exponent = f->min_exponent;
    int last_place = exponent - (f->digits - 1);
    long double rounded = ldexpl(rintl(ldexpl(value, -last_place)), last_place);
    if (fabsl(rounded) >= ldexpl(1, f->max_exponent + 1))
        return copysign(INFINITY, (double)rounded);
    return (double)rounded;
}

static uint16_t encode16(const number_format *f, double value) {
    int fraction_bits = f->digits - 1;
    uint32_t sign = signbit(value) ? 0x8000 : 0;
    uint32_t infinity = (uint32_t)(2 * f->max_exponent + 1) << fraction_bits;
    double magnitude = fabs(value);
    if (isnan(value))
        return (uint16_t)(sign | infinity | 1u << (fraction_bits - 1));
    if (isinf(value))
        return (uint16_t)(sign | infinity);
    if (magnitude < ldexp(1, f->min_exponent))
        return (uint16_t)(sign | (uint32_t)ldexp(magnitude, fraction_bits - f->min_exponent));
    int exponent = ilogb(magnitude);
    uint32_t fraction = (uint32_t)ldexp(magnitude, fraction_bits - exponent) - (1u << fraction_bits);
    return (uint16_t)(sign | (uint32_t)(exponent + f->max_exponent) << fraction_bits | fraction);
}

static double decode16(const number_format *f, uint16_t bits) {
    int fraction_bits = f->digits - 1;
    int exponent = (bits & 0x7fff) >> fraction_bits;
    double fraction = bits & ((1 << fraction_bits) - 1);
    double magnitude;
    if (exponent == 2 * f->max_exponent + 1)
        magnitude = fraction != 0 ? NAN : INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(fraction, f->min_exponent - fraction_bits);
    else
        magnitude = ldexp(fraction + (1 << fraction_bits), exponent - f->max_exponent - fraction_bits);
    return bits & 0x8000 ? -magnitude : magnitude;
}

double dwt_get(dwc_dtype dtype, const void *array, int64_t index) {
    if (dtype == DWC_F64)
        return ((const double *)array)[index];
    if (dtype == DWC_F32)
        return (double)((const float *)array)[index];
    return decode16(&formats[dtype], ((const uint16_t *)array)[index]);
}

void dwt_set(dwc_dtype dtype, void *array, int64_t index, double value) {
    double rounded = dwt_round(dtype, value);
    if (dtype == DWC_F64)
        ((double *)array)[index] = rounded;
    else if (dtype == DWC_F32)
        ((float *)array)[index] = (float)rounded;
    else
        ((uint16_t *)array)[index] = encode16(&formats[dtype], rounded);
}

uint64_t dwt_bits(dwc_dtype dtype, const void *array, int64_t index) {
    uint64_t bits64;
    uint32_t bits32;
    if (dtype == DWC_F64) {
        memcpy(&bits64, (const double *)array + index, sizeof bits64);
        return bits64;
    }
    if (dtype == DWC_F32) {
        memcpy(&bits32, (const float *)array + index, sizeof bits32);
        return bits32;
    }
    return ((const uint16_t *)array)[index];
}

double dwt_unit_roundoff(dwc_dtype dtype) {
    return ldexp(1, -formats[dtype].digits);
}

double dwt_smallest_subnormal(dwc_dtype dtype) {
    return ldexp(1, formats[dtype].min_exponent - (formats[dtype].digits - 1));
}

double dwt_smallest_normal(dwc_dtype dtype) {
    return ldexp(1, formats[dtype].min_exponent);
}

dwc_dtype dwt_accumulator(dwc_dtype dtype) {
    return dtype == DWC_F64 ? DWC_F64 : DWC_F32;
}
