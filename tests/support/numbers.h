/* SPDX-License-Identifier: Apache-2.0 */
/* The four element types as numbers, written from their definitions and independent of the library's conversions.
 *
 *     value = (-1)^sign * 1.fraction * 2^exponent     digits = bits of 1.fraction
 *
 *     type   digits  least normal  greatest exponent
 *     f16      11       2^-14             15
 *     bf16      8       2^-126           127
 *     f32      24       2^-126           127
 *     f64      53       2^-1022         1023
 */
#ifndef DWT_NUMBERS_H
#define DWT_NUMBERS_H

#include "dwconv.h"

#define DWT_DTYPE_COUNT 4
extern const dwc_dtype dwt_dtypes[DWT_DTYPE_COUNT];

/* Element `index` of an array of the type, exactly; and the reverse, rounded once to nearest even. */
double dwt_get(dwc_dtype dtype, const void *array, int64_t index);
void dwt_set(dwc_dtype dtype, void *array, int64_t index, double value);

/* The bits of one element. */
uint64_t dwt_bits(dwc_dtype dtype, const void *array, int64_t index);

/* `value` rounded once, to nearest even, to a number of the type. */
double dwt_round(dwc_dtype dtype, long double value);

/* Half a unit in the last place of 1: the greatest relative error of one rounding to the type. */
double dwt_unit_roundoff(dwc_dtype dtype);

double dwt_smallest_subnormal(dwc_dtype dtype);
double dwt_smallest_normal(dwc_dtype dtype);

/* The type sums are accumulated in: f32 for f16 and bf16, else the type itself. */
dwc_dtype dwt_accumulator(dwc_dtype dtype);

#endif
