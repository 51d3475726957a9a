/* SPDX-License-Identifier: Apache-2.0 */
/* What algorithms say to kernels. */
#ifndef DWC_ALGO_ARGUMENTS_H
#define DWC_ALGO_ARGUMENTS_H

#include "algo/algo.h"

/* a / b, rounded up; a > 0. */
static inline int64_t dwci_quotient_up(int64_t a, int64_t b) {
    return (a - 1) / b + 1;
}

/* The kernels for a case's element type. */
const dwci_kern_element *dwci_element(const dwci_case *c);
const dwci_kern_nchw *dwci_nchw(const dwci_case *c);

/* Bytes of what they compute in, float or double, and how many of these a vector has. */
size_t dwci_accumulator_bytes(const dwci_case *c);
int64_t dwci_lanes(const dwci_case *c);

/* The problem, as far as all images have it in common; the rest is 0. bias may be NULL. */
dwci_direct_args dwci_arguments(const dwci_case *c, const void *bias);

/* A filter element as the user gave it. */
double dwci_filter_at(const dwci_case *c, const void *filter, int64_t index);

/* Rounds a value to the accumulator's type, at a place of a packed filter. */
void dwci_put(const dwci_case *c, void *packed, int64_t index, double value);

/* Both: filter element `from` to place `to`. */
void dwci_widen(const dwci_case *c, const void *filter, int64_t from, void *packed, int64_t to);

#endif
