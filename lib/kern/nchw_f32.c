/* SPDX-License-Identifier: Apache-2.0 */
/* NCHW for f32. */
#define DWC_NCHW nchw_f32
#define DWC_ELEMENT_F32
#include "kern/direct_nchw.inc"
