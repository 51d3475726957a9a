/* SPDX-License-Identifier: Apache-2.0 */
/* Tolerances and comparison. An element is right if its bits are those of the exact value rounded once, or if it is
 * within the tolerance; NaN is right wherever the exact value is NaN, whatever its payload.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "compare.h"
#include "numbers.h"

int dwt_sums_in_order(const char *algo) {
    return strcmp(algo, "reference") == 0 || strcmp(algo, "direct") == 0 || strcmp(algo, "direct_transposed") == 0;
}

int dwt_sums_products(const char *algo) {
    return dwt_sums_in_order(algo) || strcmp(algo, "im2col_gemm") == 0;
}

dwt_rule dwt_rule_for(const dwc_plan_info *info, int exact_data) {
    if (!dwt_sums_products(info->algo))
        return (dwt_rule){DWT_NORMWISE, info->error_bound};
    return (dwt_rule){exact_data ? DWT_BITWISE : DWT_COMPONENTWISE, 0};
}

double dwt_tolerance(const dwt_expected *e, dwt_rule rule, int64_t index) {
    if (rule.kind == DWT_BITWISE)
        return 0;
    double u = dwt_unit_roundoff(dwt_accumulator(e->dtype));
    double oracle = LDBL_EPSILON / 2;
    double sum_error = (double)(e->taps + 2) * (u + oracle) * e->sums[index];
    if (rule.kind == DWT_NORMWISE)
        sum_error = rule.bound * e->max_sum;
    double magnitude = fabs((double)e->exact[index]) + sum_error;
    return sum_error + dwt_unit_roundoff(e->dtype) * magnitude + dwt_smallest_subnormal(e->dtype);
}

/* got is not the rounded exact value: may it be this one instead? */
static int within(const dwt_expected *e, int64_t index, double got, double tolerance) {
    long double exact = e->exact[index];
    if (isnan(exact))
        return isnan(got);
    if (isinf(exact) || isnan(got))
        return 0;
    if (isinf(got)) /* the sum may have been rounded up to an overflow */
        return dwt_round(e->dtype, exact + copysign(tolerance, got)) == got;
    return fabsl(got - exact) <= tolerance;
}

dwt_verdict dwt_compare(const dwt_expected *e, dwt_rule rule, const void *output) {
    dwt_verdict verdict = {.first = -1};
    for (int64_t i = 0; i < e->count; i++) {
        double want = dwt_round(e->dtype, e->exact[i]);
        double got = dwt_get(e->dtype, output, i);
        double tolerance = dwt_tolerance(e, rule, i);
        int same_bits = got == want && !signbit(got) == !signbit(want);
        if (same_bits || ((rule.kind != DWT_BITWISE || isnan(want)) && within(e, i, got, tolerance)))
            continue;
        if (verdict.wrong++ == 0) {
            verdict.first = i;
            verdict.got = got;
            verdict.want = want;
            verdict.tolerance = tolerance;
        }
    }
    return verdict;
}
