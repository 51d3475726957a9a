/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel table of the instruction set DWC_ISA. */
#include "kern/kern.h"
#include "kern/symbol.h"
#include "kern/winograd.h"

extern const dwci_kern_element DWCI_KERN_SYMBOL(f16), DWCI_KERN_SYMBOL(bf16), DWCI_KERN_SYMBOL(f32),
    DWCI_KERN_SYMBOL(f64);
extern const dwci_kern_nchw DWCI_KERN_SYMBOL(nchw_f16), DWCI_KERN_SYMBOL(nchw_bf16), DWCI_KERN_SYMBOL(nchw_f32),
    DWCI_KERN_SYMBOL(nchw_f64);
extern const dwci_winograd_kernel DWCI_KERN_SYMBOL(winograd_f16)[], DWCI_KERN_SYMBOL(winograd_bf16)[],
    DWCI_KERN_SYMBOL(winograd_f32)[], DWCI_KERN_SYMBOL(winograd_f64)[], DWCI_KERN_SYMBOL(winograd_2d_f16)[],
    DWCI_KERN_SYMBOL(winograd_2d_bf16)[], DWCI_KERN_SYMBOL(winograd_2d_f32)[], DWCI_KERN_SYMBOL(winograd_2d_f64)[];

#define TABLE2(isa) dwci_kern_##isa
#define TABLE(isa) TABLE2(isa)
#define TEXT2(isa) #isa
#define TEXT(isa) TEXT2(isa)

const dwci_kern_table TABLE(DWC_ISA) = {
    .name = TEXT(DWC_ISA),
    .fused = FUSED,
    .element = {&DWCI_KERN_SYMBOL(f16), &DWCI_KERN_SYMBOL(bf16), &DWCI_KERN_SYMBOL(f32), &DWCI_KERN_SYMBOL(f64)},
    .nchw = {&DWCI_KERN_SYMBOL(nchw_f16), &DWCI_KERN_SYMBOL(nchw_bf16), &DWCI_KERN_SYMBOL(nchw_f32),
             &DWCI_KERN_SYMBOL(nchw_f64)},
    .winograd = {DWCI_KERN_SYMBOL(winograd_f16), DWCI_KERN_SYMBOL(winograd_bf16), DWCI_KERN_SYMBOL(winograd_f32),
                 DWCI_KERN_SYMBOL(winograd_f64)},
    .winograd_2d = {DWCI_KERN_SYMBOL(winograd_2d_f16), DWCI_KERN_SYMBOL(winograd_2d_bf16),
                    DWCI_KERN_SYMBOL(winograd_2d_f32), DWCI_KERN_SYMBOL(winograd_2d_f64)},
};
