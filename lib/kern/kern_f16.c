/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels for f16. */
#define DWC_ELEMENT f16
#define DWC_ELEMENT_F16
#include "kern/element.inc"
