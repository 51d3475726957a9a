/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors joined, turned and picked by masks, and halves of vectors (AVX-512): for strip_nchw.inc, taps_nchw.inc. */
#ifndef DWC_KERN_MASKED_H
#define DWC_KERN_MASKED_H

#include "kern/simd.h"

/* A vector of two halves: the mask's lanes of each from its own place, zeros elsewhere. Two loads of half a vector: a
 * whole one crosses a cache line twice as often. */
ALWAYS_INLINE evec e_load_halves(const elem_t *low, const elem_t *high, v_mask mask) {
#if HALF
    return (evec)_mm256_set_m128i(_mm_maskz_loadu_epi16((__mmask8)mask, high),
                                  _mm_maskz_loadu_epi16((__mmask8)mask, low));
#elif defined(DOUBLE)
    return (evec)_mm512_insertf64x4(_mm512_castpd256_pd512(_mm256_maskz_loadu_pd((__mmask8)mask, low)),
                                    _mm256_maskz_loadu_pd((__mmask8)mask, high), 1);
#else
    return (evec)_mm512_insertf32x8(_mm512_castps256_ps512(_mm256_maskz_loadu_ps((__mmask8)mask, low)),
                                    _mm256_maskz_loadu_ps((__mmask8)mask, high), 1);
#endif
}

/* The mask's lanes of each half to its own place. Pinned to registers: compilers else make a store an extract into
 * memory, which faults on lanes that its mask leaves out. */
ALWAYS_INLINE void e_store_halves(elem_t *low, elem_t *high, evec v, v_mask mask) {
#if HALF
    __m128i first = _mm256_castsi256_si128((__m256i)v), second = _mm256_extracti128_si256((__m256i)v, 1);
    PIN_VECTOR(first);
    PIN_VECTOR(second);
    _mm_mask_storeu_epi16(low, (__mmask8)mask, first);
    _mm_mask_storeu_epi16(high, (__mmask8)mask, second);
#elif defined(DOUBLE)
    __m256d first = _mm512_castpd512_pd256((__m512d)v), second = _mm512_extractf64x4_pd((__m512d)v, 1);
    PIN_VECTOR(first);
    PIN_VECTOR(second);
    _mm256_mask_storeu_pd(low, (__mmask8)mask, first);
    _mm256_mask_storeu_pd(high, (__mmask8)mask, second);
#else
    __m256 first = _mm512_castps512_ps256((__m512)v), second = _mm512_extractf32x8_ps((__m512)v, 1);
    PIN_VECTOR(first);
    PIN_VECTOR(second);
    _mm256_mask_storeu_ps(low, (__mmask8)mask, first);
    _mm256_mask_storeu_ps(high, (__mmask8)mask, second);
#endif
}

/* Lanes n.. of `low`, then those of `high`; n: a constant. */
ALWAYS_INLINE vec v_join(vec low, vec high, const int n) {
    vec v;
#if defined(DOUBLE)
    __asm__("valignq %3, %2, %1, %0" : "=v"(v) : "v"(high), "v"(low), "i"(n));
#else
    __asm__("valignd %3, %2, %1, %0" : "=v"(v) : "v"(high), "v"(low), "i"(n));
#endif
    return v;
}

/* Lanes n.. of a vector, then its first ones; +0 where the mask is not set. */
ALWAYS_INLINE vec v_turn(vec a, const int n, v_mask mask) {
    vec v;
#if defined(DOUBLE)
    __asm__("valignq %2, %1, %1, %0%{%3%}%{z%}" : "=v"(v) : "v"(a), "i"(n), "Yk"(mask));
#else
    __asm__("valignd %2, %1, %1, %0%{%3%}%{z%}" : "=v"(v) : "v"(a), "i"(n), "Yk"(mask));
#endif
    return v;
}

/* Lane i is lane index[i] of a, then b; +0 where the mask is not set. */
ALWAYS_INLINE vec v_pick_two(vec a, vec b, ivec index, v_mask mask) {
#if defined(DOUBLE)
    return (vec)_mm512_maskz_permutex2var_pd((__mmask8)mask, (__m512d)a, (__m512i)index, (__m512d)b);
#else
    return (vec)_mm512_maskz_permutex2var_ps(mask, (__m512)a, (__m512i)index, (__m512)b);
#endif
}

#endif
