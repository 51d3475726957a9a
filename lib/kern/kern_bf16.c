/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels for bf16. */
#define DWC_ELEMENT bf16
#define DWC_ELEMENT_BF16
#include "kern/element.inc"
