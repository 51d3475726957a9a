/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the direct algorithm share. */
#ifndef DWC_ALGO_DIRECT_H
#define DWC_ALGO_DIRECT_H

#include "algo/arguments.h"

/* Parameters. Rows and columns are of a tile; where that is a strip, rows are those of a band, 0 the whole height. Rows
 * of a few channels have none: all 0. NCHW has rows, stage (tiles: output rows staged whole at a time, 0: what has to
 * be), prefetch (strips), nontemporal, and block 1 for no stage at all, slowly. */
enum { DWCI_ROWS, DWCI_COLUMNS, DWCI_BLOCK, DWCI_STAGE, DWCI_PREFETCH, DWCI_NONTEMPORAL };

/* Fraction of the peak rate that the kernels reach, to tell how many threads are worth waking. */
#define DWCI_DIRECT_EFFICIENCY 0.5

/* The instance that serves a case. */
const dwci_direct_kernel *dwci_direct_find(const dwci_case *c);

/* Rows of all output planes. */
int64_t dwci_direct_output_rows(const dwci_case *c);

/* The threads of a plan: small NHWC images of few rows take no more than by rows. */
int dwci_direct_threads(const dwci_case *c);

/* How many of the taps of all outputs of a row or column lie inside the image, about; at least 1. */
double dwci_direct_taps_inside(int64_t outputs, int64_t before, int64_t behind, int64_t stride, int64_t dilation,
                               int64_t taps);

/* NCHW: candidates of an instance, and nanoseconds of one image. */
int dwci_direct_nchw_candidates(const dwci_case *c, const dwci_direct_kernel *kernel, dwci_params *list, int most);
double dwci_direct_nchw_ns(const dwci_case *c, const dwci_direct_kernel *kernel, const dwci_params *params);

/* See dwci_algo; of a case without taps that no output needs. */
int dwci_direct_candidates(const dwci_case *c, dwci_params *list, int most);
double dwci_direct_cost(const dwci_case *c, const dwci_params *params);

#endif
