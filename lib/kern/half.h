/* SPDX-License-Identifier: Apache-2.0 */
/* f16 (IEEE binary16) and bf16 (the upper half of binary32) as 16-bit patterns, one value at a time, in plain C.
 * The vector conversions of simd.h agree with these on all that kernels have, see v_narrow, up to a NaN's payload. */
#ifndef DWC_KERN_HALF_H
#define DWC_KERN_HALF_H

#include <stdint.h>
#include <string.h>

static inline float dwci_bits_to_f32(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float dwci_bf16_to_f32(uint16_t half) {
    return dwci_bits_to_f32((uint32_t)half << 16);
}

static inline float dwci_f16_to_f32(uint16_t half) {
    /* The 15 lower bits moved to float32's place are the value times 2^-112, subnormals included. */
    float value = dwci_bits_to_f32((uint32_t)(half & 0x7fff) << 13) * 0x1p112f;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((half & 0x7c00) == 0x7c00) /* infinity, NaN */
        bits |= 0x7f800000u;
    return dwci_bits_to_f32(bits | (uint32_t)(half & 0x8000) << 16);
}

/* Rounds a double to nearest even in a 16-bit format with `mantissa` stored fraction bits, smallest normal exponent
 * `emin` and infinity pattern `infinity`. One rounding only; NaN becomes a quiet NaN. */
static inline uint16_t dwci_round_to_half(double value, int mantissa, int emin, unsigned infinity) {
    uint64_t bits, power_bits;
    memcpy(&bits, &value, sizeof bits);
    unsigned sign = (unsigned)(bits >> 48) & 0x8000u;
    bits &= ~(UINT64_C(1) << 63);
    if (bits >= UINT64_C(0x7ff) << 52)
        return (uint16_t)(sign | infinity | (bits > UINT64_C(0x7ff) << 52 ? 1u << (mantissa - 1) : 0));

    double magnitude, power;
    memcpy(&magnitude, &bits, sizeof magnitude);
    int exponent = (int)(bits >> 52) - 1023;
    if (exponent < emin)
        exponent = emin;
    if (exponent > -emin + 1)
        return (uint16_t)(sign | infinity);
    power_bits = (uint64_t)(1023 + mantissa - exponent) << 52; /* 2^(mantissa - exponent) */
    memcpy(&power, &power_bits, sizeof power);
    /* Adding and taking away 2^52 rounds to an integer, to nearest even. */
    double rounded = (magnitude * power + 0x1p52) - 0x1p52;
    unsigned pattern = ((unsigned)(exponent - emin) << mantissa) + (unsigned)rounded;
    return (uint16_t)(sign | (pattern > infinity ? infinity : pattern));
}

static inline uint16_t dwci_f16_from_f64(double value) {
    return dwci_round_to_half(value, 10, -14, 0x7c00);
}

static inline uint16_t dwci_bf16_from_f64(double value) {
    return dwci_round_to_half(value, 7, -126, 0x7f80);
}

#endif
