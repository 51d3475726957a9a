/* SPDX-License-Identifier: Apache-2.0 */
/* Minimal filtering for f16. */
#define DWC_WINOGRAD winograd_f16
#define DWC_WINOGRAD_2D winograd_2d_f16
#define DWC_ELEMENT_F16
#include "kern/winograd.inc"
#include "kern/winograd_2d.inc"
