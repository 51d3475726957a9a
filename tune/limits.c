/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of the machine: peak arithmetic rate and stream bandwidth. */
#include "limits.h"
#include "dwconv_expert.h"

#include <time.h>

enum { PEAK_ROUNDS = 20000 }; /* about 70 us */

double dwct_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double dwct_peak_sample(const dwc_context *context, dwc_dtype dtype, int threads) {
    double start = dwct_seconds();
    double operations = dwc_expert_peak(context, dtype, PEAK_ROUNDS, threads);
    return operations / (dwct_seconds() - start);
}

double dwct_stream_sample(const dwc_context *context, void *to, int64_t write_bytes, const void *from,
                          int64_t read_bytes, int nontemporal, int threads) {
    double start = dwct_seconds();
    dwc_expert_stream(context, to, write_bytes, from, read_bytes, nontemporal, threads);
    return dwct_seconds() - start;
}
