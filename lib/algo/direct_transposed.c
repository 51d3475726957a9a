/* SPDX-License-Identifier: Apache-2.0 */
/* direct_transposed: NCHW by way of direct's NHWC kernels, see transposed.h. Pays with large filters, above all on
 * small images. */
#include "algo/transposed.h"

/* Those of direct. */
static const char *const param_names[] = {"rows", "columns", "block", "stage", "prefetch", "nontemporal", NULL};

DWCI_TRANSPOSED(direct, 11, true, param_names, "direct by blocks of channels transposed to NHWC; NCHW")
