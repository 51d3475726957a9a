/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle: one output at a time, straight from the definition in dwconv.h, in float64. Built without contraction of
 * multiply and add. */
#ifndef DWC_ALGO_ORACLE_H
#define DWC_ALGO_ORACLE_H

#include "core/threads.h"
#include "dwconv.h"

typedef struct dwci_oracle {
    const dwc_problem *problem;
    const dwc_geometry *geometry;
    const void *input, *filter, *bias; /* the filter as the user gave it, [kh,kw,c,m] */
} dwci_oracle;

typedef struct dwci_exact {
    double value;     /* with bias, before the activation */
    double magnitude; /* sum |input * filter| + |bias| */
    double finite;    /* the part of magnitude whose operands are finite; may overflow to infinity */
    double special;   /* the part of value whose operands are not: 0, an infinity, or NaN */
    int64_t taps;     /* inside the image */
} dwci_exact;

dwci_exact dwci_oracle_at(const dwci_oracle *oracle, int64_t n, int64_t i, int64_t j, int64_t channel);

double dwci_oracle_activate(double value, dwc_activation activation);

/* Element index of an output in its tensor. */
int64_t dwci_output_index(const dwc_problem *problem, const dwc_geometry *geometry, int64_t n, int64_t i, int64_t j,
                          int64_t channel);

/* All outputs, with activation, rounded to their type; not for an empty output. binding: see dwci_parallel. */
void dwci_oracle_run(const dwci_oracle *oracle, void *output, const dwci_binding *binding, int threads);

#endif
