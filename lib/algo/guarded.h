/* SPDX-License-Identifier: Apache-2.0 */
/* Packed filters of algorithms that put zeros for taps outside the image: these must not meet an infinite or undefined
 * filter element. Such a filter is noticed when packed, kept as given, and takes the way of the definition, slowly.
 *
 *     packed: [is it finite?] [the algorithm's own form] [the filter as given] */
#ifndef DWC_ALGO_GUARDED_H
#define DWC_ALGO_GUARDED_H

#include "algo/algo.h"

/* Bytes of all of it around `own` bytes; false if that does not fit the address space. */
bool dwci_guarded_bytes(const dwci_case *c, size_t own, size_t *packed);

/* Writes all but the algorithm's own form, whose place (aligned to 64 bytes) it returns. own: as above. */
void *dwci_guarded_pack(const dwci_case *c, const void *filter, void *packed, size_t own);

/* To be called when the own form has turned out not to be finite either. */
void dwci_guarded_refuse(void *packed);

/* The algorithm's own form. */
const void *dwci_guarded_filter(const void *packed);

/* For a filter that is not finite, computes the output by the definition and returns true. */
bool dwci_guarded_run(const dwci_solution *s, const dwci_tensors *t, size_t own);

#endif
