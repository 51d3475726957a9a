/* SPDX-License-Identifier: Apache-2.0 */
/* CPU identification. x86-64: by cpuid and xgetbv (the compilers' own __builtin_cpu_supports differ in the names they
 * know). Bits: Intel's Software Developer's Manual, volume 2, CPUID leaves 0, 1, 7 and 0x80000002. AArch64: NEON and
 * its fused multiply-add are always there; MIDR_EL1 (Arm Architecture Reference Manual) tells one core from another. */
#include "core/cpu.h"

#include <stdio.h>
#include <string.h>

static const char *const isa_names[] = {
    [DWC_ISA_BASELINE] = "baseline", [DWC_ISA_AVX2] = "avx2", [DWC_ISA_AVX512] = "avx512", [DWC_ISA_NEON] = "neon",
    [DWC_ISA_BEST] = "best"};

const char *dwc_isa_name(dwc_isa isa) {
    return (unsigned)isa < sizeof isa_names / sizeof *isa_names && isa_names[isa] ? isa_names[isa] : "?";
}

dwc_isa dwc_isa_parse(const char *name) {
    for (unsigned i = 0; name && i < sizeof isa_names / sizeof *isa_names; i++)
        if (isa_names[i] && strcmp(name, isa_names[i]) == 0)
            return (dwc_isa)i;
    return (dwc_isa)0;
}

#if defined(__x86_64__)
#include <cpuid.h>

enum {
    LEAF1_ECX_FMA = 1 << 12,
    LEAF1_ECX_OSXSAVE = 1 << 27,
    LEAF1_ECX_AVX = 1 << 28,
    LEAF1_ECX_F16C = 1 << 29,
    LEAF7_EBX_AVX2 = 1 << 5,
    LEAF7_EBX_AVX512F = 1 << 16,
    LEAF7_EBX_AVX512DQ = 1 << 17,
    LEAF7_EBX_AVX512BW = 1 << 30,
    XCR0_AVX = 0x06,    /* SSE and AVX registers are saved */
    XCR0_AVX512 = 0xe6, /* and mask registers and the upper ZMM parts */
};
#define LEAF7_EBX_AVX512VL (1u << 31)

static int has(unsigned value, unsigned bits) {
    return (value & bits) == bits;
}

static unsigned saved_by_system(unsigned leaf1_ecx) {
    unsigned low = 0, high;
    if (has(leaf1_ecx, LEAF1_ECX_OSXSAVE))
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

void dwci_cpu_identify(dwc_machine *machine) {
    unsigned a, b, c, d, leaf7_b = 0, leaf1_c = 0, ignored;
    machine->best_isa = DWC_ISA_BASELINE;
    snprintf(machine->vendor, sizeof machine->vendor, "unknown");
    if (!__get_cpuid(0, &a, &b, &c, &d))
        return;
    const unsigned vendor[3] = {b, d, c};
    memcpy(machine->vendor, vendor, sizeof vendor);
    machine->vendor[sizeof vendor] = 0;

    __get_cpuid(1, &a, &b, &leaf1_c, &d);
    machine->family = (a >> 8) & 15;
    machine->model = (a >> 4) & 15;
    if (machine->family == 6 || machine->family == 15)
        machine->model += ((a >> 16) & 15) << 4;
    if (machine->family == 15)
        machine->family += (a >> 20) & 255;

    unsigned brand[12];
    if (__get_cpuid(0x80000004, &a, &b, &c, &d)) {
        for (unsigned i = 0; i < 3; i++)
            __get_cpuid(0x80000002 + i, &brand[4 * i], &brand[4 * i + 1], &brand[4 * i + 2], &brand[4 * i + 3]);
        snprintf(machine->cpu, sizeof machine->cpu, "%.48s", (const char *)brand);
        for (size_t end = strlen(machine->cpu); end > 0 && machine->cpu[end - 1] == ' '; end--)
            machine->cpu[end - 1] = 0;
    }

    __get_cpuid_count(7, 0, &ignored, &leaf7_b, &c, &d);
    unsigned saved = saved_by_system(leaf1_c);
    if (has(saved, XCR0_AVX) && has(leaf1_c, LEAF1_ECX_AVX | LEAF1_ECX_FMA | LEAF1_ECX_F16C) &&
        has(leaf7_b, LEAF7_EBX_AVX2)) {
        machine->best_isa = DWC_ISA_AVX2;
        if (has(saved, XCR0_AVX512) &&
            has(leaf7_b, LEAF7_EBX_AVX512F | LEAF7_EBX_AVX512DQ | LEAF7_EBX_AVX512BW | LEAF7_EBX_AVX512VL))
            machine->best_isa = DWC_ISA_AVX512;
    }
}

#elif defined(__aarch64__)

#if defined(__linux__)
#include <sys/auxv.h>

enum { HWCAP_MIDR = 1 << 11 }; /* HWCAP_CPUID: the kernel lets programs read identification registers */

static uint64_t midr_el1(void) {
    uint64_t value = 0;
    if (getauxval(AT_HWCAP) & HWCAP_MIDR)
        __asm__("mrs %0, MIDR_EL1" : "=r"(value));
    return value;
}
#else
static uint64_t midr_el1(void) {
    return 0;
}
#endif

void dwci_cpu_identify(dwc_machine *machine) {
    const uint64_t midr = midr_el1();
    machine->best_isa = DWC_ISA_NEON;
    snprintf(machine->vendor, sizeof machine->vendor, "unknown");
    if (midr) {
        snprintf(machine->vendor, sizeof machine->vendor, "ARM0x%02x", (unsigned)(midr >> 24 & 255));
        machine->family = (int)(midr >> 20 & 15);
        machine->model = (int)(midr >> 4 & 4095);
    }
}

#else

void dwci_cpu_identify(dwc_machine *machine) {
    snprintf(machine->vendor, sizeof machine->vendor, "unknown");
    machine->best_isa = DWC_ISA_BASELINE;
}

#endif
