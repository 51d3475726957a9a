/* SPDX-License-Identifier: Apache-2.0 */
/* Minimal filtering for f32. */
#define DWC_WINOGRAD winograd_f32
#define DWC_WINOGRAD_2D winograd_2d_f32
#define DWC_ELEMENT_F32
#include "kern/winograd.inc"
#include "kern/winograd_2d.inc"
