/* SPDX-License-Identifier: Apache-2.0 */
/* Minimal filtering for bf16. */
#define DWC_WINOGRAD winograd_bf16
#define DWC_WINOGRAD_2D winograd_2d_bf16
#define DWC_ELEMENT_BF16
#include "kern/winograd.inc"
#include "kern/winograd_2d.inc"
