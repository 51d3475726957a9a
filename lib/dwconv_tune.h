/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring: how long plans take beside what the machine allows. */
#ifndef DWCONV_TUNE_H
#define DWCONV_TUNE_H

#include "dwconv.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dwc_bench_options {
    int cold; /* 1: every call works on tensors that have left the caches; 0: on the same ones again */
    const int
        *offsets; /* (output - input) modulo 4096 in bytes, multiples of 16 in 0..4080; the input lies at 16 modulo 64
                            as malloc gives it. NULL: dwc_bench_default_offsets */
    int offset_count;
    double min_seconds; /* to measure each plan at each offset for; at least 11 rounds are done whatever it is */
    int verify;         /* 1: compare each plan's output with the oracle first (slow) */
    uint64_t seed;      /* of the random tensors */
} dwc_bench_options;

enum { DWC_BENCH_DEFAULT_OFFSETS = 6 };
DWC_API extern const int dwc_bench_default_offsets[DWC_BENCH_DEFAULT_OFFSETS]; /* 0 16 64 512 1024 2048 */

/* Warm, the default offsets, 0.05 s, no verification, seed 1. */
DWC_API void dwc_bench_options_init(dwc_bench_options *options);

/* What one plan did at its worst offset. Seconds are per execution. */
typedef struct dwc_bench_result {
    int offset;     /* the worst one: where the median is largest */
    int64_t rounds; /* windows of one or more executions measured there */
    double min_s, median_s;
    double best_offset_median_s; /* the same at the best offset */
    double limit_s;              /* the roofline time max(2 * in-bounds taps / peak, time to stream the tensors) */
    const char *limit_by;        /* "arithmetic" or "memory" */
    double peak_flops;           /* measured in this run, all threads of the plan together */
    double
        stream_bytes_per_s; /* likewise, at the problem's footprint and read : write ratio, the better of ordinary and
                                  non-temporal stores */
    int verified;           /* 1 verification was done */
    dwc_verification verification;
} dwc_bench_result;

/* Measures plans of one problem side by side: in every round each plan runs once at every offset, in rotating
 * order, and between them the two limits. Memory (one or more copies of the tensors) comes from the context.
 * DWC_INVALID_ARGUMENT: no plan, plans of different problems, a bad offset, or a problem without output.
 * Not for use while anything else runs on the machine. */
DWC_API dwc_status dwc_bench(const dwc_context *context, dwc_plan *const *plans, int count,
                             const dwc_bench_options *options, dwc_bench_result *results, dwc_error *error);

#ifdef __cplusplus
}
#endif

#endif
