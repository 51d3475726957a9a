/* SPDX-License-Identifier: Apache-2.0 */
/* Names that differ between the compilations of this folder: DWCI_KERN_SYMBOL(f32) is dwci_kern_avx2_f32 in the one for
 * avx2, which the build calls DWC_ISA=avx2. */
#ifndef DWC_KERN_SYMBOL_H
#define DWC_KERN_SYMBOL_H

#define DWCI_KERN_JOIN2(isa, name) dwci_kern_##isa##_##name
#define DWCI_KERN_JOIN(isa, name) DWCI_KERN_JOIN2(isa, name)
#define DWCI_KERN_SYMBOL(name) DWCI_KERN_JOIN(DWC_ISA, name)

#endif
