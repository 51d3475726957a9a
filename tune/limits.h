/* SPDX-License-Identifier: Apache-2.0 */
/* One sample of each limit of the machine. Callers take many and keep the best. */
#ifndef DWC_TUNE_LIMITS_H
#define DWC_TUNE_LIMITS_H

#include "dwconv.h"

/* Seconds of a clock that never goes back. */
double dwct_seconds(void);

/* Operations per second of `threads` threads. */
double dwct_peak_sample(const dwc_context *context, dwc_dtype dtype, int threads);

/* Seconds to stream so many bytes once, as dwc_expert_stream does. */
double dwct_stream_sample(const dwc_context *context, void *to, int64_t write_bytes, const void *from,
                          int64_t read_bytes, int nontemporal, int threads);

#endif
