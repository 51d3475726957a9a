/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the compilations of this folder.
 *
 *     names           DWCI_KERN_SYMBOL(f32) is dwci_kern_avx2_f32 in the one with DWC_ISA=avx2 (from the build)
 *     FUSED           the set has fused multiply-add, and kernels use it
 *     ALL_INSTANCES   also instances that others can stand in for; not in the baseline, nor with DWC_FEW_INSTANCES, for
 *                     builds that must be quick, where tiles are small as well */
#ifndef DWC_KERN_SYMBOL_H
#define DWC_KERN_SYMBOL_H

#define DWCI_KERN_JOIN2(isa, name) dwci_kern_##isa##_##name
#define DWCI_KERN_JOIN(isa, name) DWCI_KERN_JOIN2(isa, name)
#define DWCI_KERN_SYMBOL(name) DWCI_KERN_JOIN(DWC_ISA, name)

#if defined(__FMA__) || defined(DWC_NEON)
#define FUSED 1
#else
#define FUSED 0
#endif
#if FUSED && !defined(DWC_FEW_INSTANCES)
#define ALL_INSTANCES 1
#else
#define ALL_INSTANCES 0
#endif

#endif
