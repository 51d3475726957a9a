/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels for f32. */
#define DWC_ELEMENT f32
#define DWC_ELEMENT_F32
#include "kern/element.inc"
