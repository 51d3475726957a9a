/* SPDX-License-Identifier: Apache-2.0 */
/* Minimal filtering for bf16. */
#define DWC_WINOGRAD winograd_bf16
#define DWC_ELEMENT_BF16
#include "kern/winograd.inc"
