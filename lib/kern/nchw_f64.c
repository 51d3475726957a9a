/* SPDX-License-Identifier: Apache-2.0 */
/* NCHW for f64. */
#define DWC_NCHW nchw_f64
#define DWC_ELEMENT_F64
#include "kern/direct_nchw.inc"
