/* SPDX-License-Identifier: Apache-2.0 */
/* Minimal filtering for f32. */
#define DWC_WINOGRAD winograd_f32
#define DWC_ELEMENT_F32
#include "kern/winograd.inc"
