/* SPDX-License-Identifier: Apache-2.0 */
/* Calibration: samples of the limit loops, of which the shortest counts, see dwc_calibrate. */
#include "dwconv_tune.h"
#include "limits.h"
#include "race_record.h"

#include <math.h>
#include <string.h>

enum { LEAST_SAMPLES = 3, MOST_BYTES = 256 << 20 };
static const double LOOP_SECONDS = 0.05; /* and LEAST_SAMPLES */

static double multiply_add(const dwc_context *context) {
    const double lanes = dwc_expert_vector_bytes(context) / (double)sizeof(float), end = dwct_seconds() + LOOP_SECONDS;
    double most = 0;
    for (int i = 0; i < LEAST_SAMPLES || dwct_seconds() < end; i++)
        most = fmax(most, dwct_peak_sample(context, DWC_F32, 1));
    return 2 * lanes / most;
}

/* Seconds to read a line and write another, half of `bytes` of each over and over. */
static double stream(const dwc_context *context, char *buffer, int64_t bytes, int nontemporal) {
    enum { LINE = 64 };
    const int64_t half = bytes / 2 / LINE * LINE;
    const double end = dwct_seconds() + LOOP_SECONDS;
    double least = INFINITY;
    for (int i = 0; i < LEAST_SAMPLES || dwct_seconds() < end; i++)
        least = fmin(least, dwct_stream_sample(context, buffer, half, buffer + half, half, nontemporal, 1));
    return least / (double)(half / LINE);
}

/* Seconds that a line of outputs takes longer where outputs lie at the same place of their pages as inputs, not half a
 * page behind: a channel's pixels all lie at one place of their pages. */
static dwc_status collision(const dwc_context *context, double *seconds, dwc_error *error) {
    enum { LINE = 64, PAGE = 4096, SIDE = 6, RUNS = 8 };
    static const double LEAST = 1e-11; /* where there is no difference; 0 would be "not measured" */
    const dwc_plan_options options = {
        .algo = "direct", .params = "rows=0,columns=0,block=0,stage=0,prefetch=0,nontemporal=0", .threads = 1};
    const size_t tensor = SIDE * SIDE * PAGE;
    dwc_problem problem;
    dwc_plan *plan;
    dwc_plan_info info;
    dwc_problem_init(&problem);
    problem.h = problem.w = SIDE;
    problem.c = PAGE / (int64_t)sizeof(float);
    problem.kh = problem.kw = 3;
    dwc_status status = dwc_plan_create(context, &problem, &options, &plan, error);
    if (status != DWC_OK)
        return status;
    dwc_plan_get_info(plan, &info); /* without a stage there is no workspace */
    const size_t bytes = 2 * tensor + 2 * PAGE + info.packed_bytes;
    char *memory = dwc_allocate(context, bytes);
    if (!memory) {
        dwc_plan_destroy(plan);
        return dwct_no_memory(error, (int64_t)bytes);
    }
    memset(memory, 0, bytes);
    char *input = memory + PAGE - (uintptr_t)memory % PAGE, *output = input + tensor;
    char *packed = output + tensor + PAGE / 2;
    status = dwc_plan_pack_filter(plan, input, packed, error);
    const double end = dwct_seconds() + LOOP_SECONDS;
    double least[2] = {INFINITY, INFINITY};
    for (int i = 0; status == DWC_OK && (i < 2 * LEAST_SAMPLES || dwct_seconds() < end); i++) {
        const double start = dwct_seconds();
        for (int k = 0; k < RUNS && status == DWC_OK; k++)
            status = dwc_plan_execute(plan, input, packed, NULL, output + i % 2 * (PAGE / 2), NULL, error);
        least[i % 2] = fmin(least[i % 2], dwct_seconds() - start);
    }
    *seconds = fmax((least[0] - least[1]) / (double)(RUNS * tensor / LINE), LEAST);
    dwc_release(context, memory);
    dwc_plan_destroy(plan);
    return status;
}

static dwc_status measure(const dwc_context *context, dwc_calibration *c, dwc_error *error) {
    int64_t second, last;
    dwc_expert_caches(context, &second, &last);
    const int64_t most = 4 * last < MOST_BYTES ? 4 * last : MOST_BYTES;
    char *buffer = dwc_allocate(context, (size_t)most);
    if (!buffer)
        return dwct_no_memory(error, most);
    memset(buffer, 1, (size_t)most);
    c->seconds[DWC_CALIBRATION_MULTIPLY_ADD] = multiply_add(context);
    c->seconds[DWC_CALIBRATION_SECOND_CACHE] = stream(context, buffer, second / 2, 0);
    if (last >= 8 * second)
        c->seconds[DWC_CALIBRATION_LAST_CACHE] = stream(context, buffer, 4 * second, 0);
    if (most >= 2 * last)
        c->seconds[DWC_CALIBRATION_MEMORY] = fmin(stream(context, buffer, most, 0), stream(context, buffer, most, 1));
    dwc_release(context, buffer);
    return collision(context, &c->seconds[DWC_CALIBRATION_COLLISION], error);
}

dwc_status dwc_calibrate(const dwc_context *context, dwc_wisdom *wisdom, dwc_error *error) {
    dwc_record_entry entries[DWC_CALIBRATION_LOOPS];
    dwc_calibration calibration = {{0}};
    dwc_record record;
    if (!context || !wisdom)
        return dwct_fail(error, DWC_INVALID_ARGUMENT, "calibration: null pointer");
    const double start = dwct_seconds();
    const dwc_status status = measure(context, &calibration, error);
    if (status != DWC_OK)
        return status;
    dwc_expert_calibration_record(context, &calibration, &record, entries);
    dwct_record_stamp(&record);
    record.spent_s = dwct_seconds() - start;
    return dwc_expert_record_add(wisdom, &record, error);
}
