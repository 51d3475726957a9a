/* SPDX-License-Identifier: Apache-2.0 */
/* winograd_transposed: NCHW by way of winograd, see transposed.h. */
#include "algo/transposed.h"

/* Those of winograd. */
static const char *const param_names[] = {"outputs", "taps", "columns", NULL};

DWCI_TRANSPOSED(winograd, 6, false, param_names, "winograd by blocks of channels transposed to NHWC; NCHW, stride 1")
