/* SPDX-License-Identifier: Apache-2.0 */
/* NCHW for f16. */
#define DWC_NCHW nchw_f16
#define DWC_ELEMENT_F16
#include "kern/direct_nchw.inc"
