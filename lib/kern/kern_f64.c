/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels for f64. */
#define DWC_ELEMENT f64
#define DWC_ELEMENT_F64
#include "kern/element.inc"
