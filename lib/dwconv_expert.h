/* SPDX-License-Identifier: Apache-2.0 */
/* What measuring needs beside dwconv.h. Unstable: may change with any version. */
#ifndef DWCONV_EXPERT_H
#define DWCONV_EXPERT_H

#include "dwconv.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the parameters of every candidate of an algorithm for a problem, as dwc_plan_options takes them, in the
 * algorithm's order of preference; at most `most`. Returns how many; 0 where the algorithm or the problem is unknown or
 * they do not go together. */
DWC_API int dwc_expert_candidates(const dwc_context *context, const dwc_problem *problem, const char *algo,
                                  char (*texts)[DWC_PARAMS_TEXT_MAX], int most);

/* Keeps `threads` threads busy with independent multiply-adds in registers, `rounds` rounds each, in the accumulator's
 * type of dtype and with the context's instruction set. Returns the operations done by all (a multiply-add is two). */
DWC_API double dwc_expert_peak(const dwc_context *context, dwc_dtype dtype, int64_t rounds, int threads);

/* Reads read_bytes from `from` and writes write_bytes to `to` (aligned to 64 bytes), both rounded down to 64 bytes, in
 * equal shares of `threads` threads; reads and writes advance together. What is written is of no meaning.
 * nontemporal: the stores go past the caches. */
DWC_API void dwc_expert_stream(const dwc_context *context, void *to, int64_t write_bytes, const void *from,
                               int64_t read_bytes, int nontemporal, int threads);

#ifdef __cplusplus
}
#endif

#endif
