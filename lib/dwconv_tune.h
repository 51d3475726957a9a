/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring: how long plans take beside what the machine allows, and which of them is the fastest. */
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

/* Measures plans of one problem side by side: in every round each plan runs once at every offset, in rotating order,
 * those whose outputs go past the caches after the others, and then the two limits. Inputs and outputs, one or more
 * copies, are fresh pages of the system, all else comes from the context.
 * DWC_INVALID_ARGUMENT: no plan, plans of different problems, a bad offset, or a problem without output.
 * Not for use while anything else runs on the machine. */
DWC_API dwc_status dwc_bench(const dwc_context *context, dwc_plan *const *plans, int count,
                             const dwc_bench_options *options, dwc_bench_result *results, dwc_error *error);

/* ---- calibration ------------------------------------------------------------------------------------------------- */

/* Measures how fast this machine computes and moves data, and what colliding addresses cost it, on one thread, and adds
 * that to `wisdom`, for the cost model of contexts that have it. Takes less than a second, mostly,
 * and, for that time, up to 256 MiB of the context's memory. DWC_FILE_ERROR: as dwc_tune. Not for use while anything
 * else runs on the machine, other ranks included. */
DWC_API dwc_status dwc_calibrate(const dwc_context *context, dwc_wisdom *wisdom, dwc_error *error);

/* ---- tuning ------------------------------------------------------------------------------------------------------ */

/* Called before each check and each measurement of a candidate with the part of the race that is done, 0..1; nonzero
 * ends it: DWC_STOPPED. Not called while tensors are filled, which takes up to seconds for large problems. */
typedef int (*dwc_tune_progress)(void *user, double done);

typedef struct dwc_tune_options {
    dwc_effort effort; /* DWC_EFFORT_MEASURE, _PATIENT or _EXHAUSTIVE */
    double budget_s;   /* most seconds for the call, all included; 0: as long as the effort takes. With less than the
                            effort takes the record says that it is not complete; with too little to measure anything
                            the choice is the model's and nothing is recorded */
    int resume;        /* 1: where the wisdom has a complete record of this or a higher effort, nothing is raced but
                            candidates whose kernels have changed since; if that race is not decided in time, a
                            choice whose kernels are the same stays, and the next call races again */
    int strict;        /* 1: DWC_NO_RECORD in place of the model's choice */
    uint64_t seed;     /* of the random tensors */
    dwc_tune_progress progress; /* may be NULL */
    void *user;
} dwc_tune_options;

/* Measure, no budget, not resumed, not strict, seed 1. */
DWC_API void dwc_tune_options_init(dwc_tune_options *options);

typedef struct dwc_tune_result {
    char algo[32];
    char params[DWC_PARAMS_TEXT_MAX];
    const char *source; /* "measured", "record" (resumed), "model" (no time to measure); a static string */
    int complete, tie;  /* 1: the race was decided; others were as fast */
    int tried, legal;   /* candidates */
    int rounds;
    double median_s;      /* of one execution at its worst buffer offset, or over all; 0 with "model" */
    double default_ratio; /* time of the plan that the model would have chosen, over that */
    double spent_s;
} dwc_tune_result;

/* Finds the best plan of a problem by racing candidates, on tensors of its own (as dwc_bench), within the limits of
 * `plan` (NULL: the defaults, `algo` must be "auto") and for its number of threads, and adds the record to `wisdom`
 * (NULL: it is only reported). Outputs are compared with the exact result before a candidate is timed; wrong ones are
 * out. Each candidate runs once per round, in changing order, at several buffer offsets of which the worst counts
 * (where that takes long, at another one each round); what counts is the ratio to the leader within each round. One
 * that is over 1 % slower with certainty (97 %) drops out. The model's choice stays unless another is faster with
 * certainty or, in enough rounds, looks over 3 % faster; of equals the first in fixed order is taken. For several
 * threads only candidates with the numerics of the plan for one thread are raced; a problem without a record for one
 * thread gets that one first. DWC_INVALID_ARGUMENT, DWC_NOT_APPLICABLE: as dwc_plan_create; DWC_FILE_ERROR: the
 * wisdom's journal could not be written, all else is done, and *result is set. Not for use while anything else runs
 * on the machine. */
DWC_API dwc_status dwc_tune(const dwc_context *context, dwc_wisdom *wisdom, const dwc_problem *problem,
                            const dwc_plan_options *plan, const dwc_tune_options *options, dwc_tune_result *result,
                            dwc_error *error);

/* A plan by the wisdom's record if it is of this or a higher effort, else by dwc_tune (its source is "measured"). As
 * dwc_tune, DWC_FILE_ERROR with the plan made. wisdom should be the context's. */
DWC_API dwc_status dwc_tune_plan(const dwc_context *context, dwc_wisdom *wisdom, const dwc_problem *problem,
                                 const dwc_plan_options *plan, const dwc_tune_options *options, dwc_plan **result,
                                 dwc_error *error);

#ifdef __cplusplus
}
#endif

#endif
