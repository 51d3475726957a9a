/* SPDX-License-Identifier: Apache-2.0 */
/* NCHW for bf16. */
#define DWC_NCHW nchw_bf16
#define DWC_ELEMENT_BF16
#include "kern/direct_nchw.inc"
