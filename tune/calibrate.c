/* SPDX-License-Identifier: Apache-2.0 */
/* Calibration: samples of the limit loops, of which the shortest counts, see dwc_calibrate. */
#include "dwconv_tune.h"
#include "limits.h"
#include "race_record.h"

#include <math.h>
#include <string.h>

enum { PEAK_SAMPLES = 500, LEAST_SAMPLES = 5, MOST_SAMPLES = 500, MOST_BYTES = 256 << 20 };
static const double STREAM_SECONDS = 0.15; /* for each place */

static double multiply_add(const dwc_context *context) {
    const double lanes = dwc_expert_vector_bytes(context) / (double)sizeof(float);
    double most = 0;
    for (int i = 0; i < PEAK_SAMPLES; i++)
        most = fmax(most, dwct_peak_sample(context, DWC_F32, 1));
    return 2 * lanes / most;
}

/* Seconds to read a line and write another, `bytes` read and written over and over. 0: there is no room. */
static double stream(const dwc_context *context, int64_t bytes, int nontemporal) {
    enum { LINE = 64 };
    const int64_t half = bytes / 2 / LINE * LINE;
    char *buffer = half > 0 ? dwc_allocate(context, 2 * (size_t)half) : NULL;
    if (!buffer)
        return 0;
    memset(buffer, 1, 2 * (size_t)half);
    const double end = dwct_seconds() + STREAM_SECONDS;
    double least = INFINITY;
    for (int i = 0; i < MOST_SAMPLES && (i < LEAST_SAMPLES || dwct_seconds() < end); i++)
        least = fmin(least, dwct_stream_sample(context, buffer, half, buffer + half, half, nontemporal, 1));
    dwc_release(context, buffer);
    return least / (double)(half / LINE);
}

static dwc_calibration measure(const dwc_context *context) {
    const dwc_machine *machine = dwc_context_machine(context);
    const int64_t l2 = machine->l2_bytes, l3 = machine->l3_bytes;
    const int64_t beyond = l3 > 0 && l3 < MOST_BYTES / 4 ? 4 * l3 : MOST_BYTES;
    dwc_calibration c = {.multiply_add_s = multiply_add(context), .second_cache_s = stream(context, l2 / 2, 0)};
    if (l3 >= 8 * l2)
        c.last_cache_s = stream(context, 4 * l2, 0);
    c.memory_s = fmin(stream(context, beyond, 0), stream(context, beyond, 1));
    return c;
}

dwc_status dwc_calibrate(const dwc_context *context, dwc_wisdom *wisdom, dwc_error *error) {
    dwc_record_entry entries[DWC_CALIBRATION_ENTRIES];
    dwc_calibration calibration;
    dwc_record record;
    if (!context || !wisdom)
        return dwct_fail(error, DWC_INVALID_ARGUMENT, "calibration: null pointer");
    if (dwc_expert_calibration_find(context, wisdom, &calibration) == DWC_OK)
        return DWC_OK;
    const double start = dwct_seconds();
    calibration = measure(context);
    dwc_expert_calibration_record(context, &calibration, &record, entries);
    dwct_record_stamp(&record);
    record.spent_s = dwct_seconds() - start;
    return dwc_expert_record_add(wisdom, &record, error);
}
