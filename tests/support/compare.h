/* SPDX-License-Identifier: Apache-2.0 */
/* Is this output right? Compares with exact values under a tolerance derived from the arithmetic, never typed in:
 *
 *     componentwise   (taps + 2) * u * (sum |input * filter| + |bias|)    of each output, u of the accumulator
 *     normwise        bound * max over outputs of that sum                what an algorithm promises in its plan
 *     bitwise         0: the exact value rounded once (data whose sums are exact)
 *
 * The first two also allow one rounding to the output's type and its smallest subnormal number.
 */
#ifndef DWT_COMPARE_H
#define DWT_COMPARE_H

#include "dwconv.h"

typedef struct dwt_expected {
    dwc_dtype dtype;
    int64_t count, taps;
    long double *exact; /* before the last rounding */
    double *sums;       /* sum |input * filter| + |bias| */
    double max_sum;
} dwt_expected;

typedef enum dwt_rule_kind { DWT_COMPONENTWISE, DWT_NORMWISE, DWT_BITWISE } dwt_rule_kind;

typedef struct dwt_rule {
    dwt_rule_kind kind;
    double bound; /* of DWT_NORMWISE */
} dwt_rule;

/* The rule an algorithm's results are held to: componentwise or, on exact data, bitwise for those that sum the products
 * as they are; normwise with the plan's own bound for the others (Winograd, FFT). */
dwt_rule dwt_rule_for(const dwc_plan_info *info, int exact_data);

/* 1 for algorithms that add the products of a window one after the other and in the same order for every output. */
int dwt_sums_in_order(const char *algo);

/* 1 for algorithms that add the products of a window as they are, in any order. */
int dwt_sums_products(const char *algo);

double dwt_tolerance(const dwt_expected *expected, dwt_rule rule, int64_t index);

typedef struct dwt_verdict {
    int64_t wrong, first; /* how many elements, and the first one's index (-1: none) */
    double got, want, tolerance;
} dwt_verdict;

dwt_verdict dwt_compare(const dwt_expected *expected, dwt_rule rule, const void *output);

#endif
