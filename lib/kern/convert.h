/* SPDX-License-Identifier: Apache-2.0 */
/* Between elements as stored and vectors as computed with. Included by simd.h.
 *
 * bf16 with AVX-512: a shuffle of 16 bits across a vector takes the port of shuffles twice, one within its quarters
 * once. Kernels to which the order of channels is all the same take them, and filters, TURNED:
 *
 *     in order                 0-3 | 4-7  | 8-11 | 12-15
 *     loaded to both halves    0-7 | 8-15 | 0-7  | 8-15
 *     shuffled, TURNED         0-3 | 8-11 | 4-7  | 12-15
 */
#if HALF
typedef uint32_t uvec __attribute__((vector_size(VECTOR_BYTES)));
#endif

#if defined(DWC_ELEMENT_BF16) && defined(__AVX512F__)
enum { TURNED = 1 };
typedef int16_t bf16_places __attribute__((vector_size(VECTOR_BYTES)));

/* Elements in order to the upper halves of lanes. */
ALWAYS_INLINE vec bf16_spread(evec e) {
    bf16_places from;
    for (int i = 0; i < 2 * LANES; i++)
        from[i] = (int16_t)(i / 2);
    return (vec)_mm512_maskz_permutexvar_epi16(0xaaaaaaaau, (__m512i)from, _mm512_castsi256_si512((__m256i)e));
}

ALWAYS_INLINE evec bf16_round(vec v, const int turned) {
    const __m512i bits = (__m512i)v, half = _mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff));
    const __mmask16 odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
    const __m512i rounded = _mm512_mask_add_epi32(half, odd, half, _mm512_set1_epi32(1));
    bf16_places from;
    for (int i = 0; i < 2 * LANES; i++)
        from[i] = (int16_t)(2 * (turned ? dwci_turned_lane(i % LANES, LANES) : i % LANES) + 1);
    return (evec)_mm512_castsi512_si256(_mm512_permutexvar_epi16((__m512i)from, rounded));
}
#else
enum { TURNED = 0 };
#endif

#if defined(DWC_ELEMENT_BF16) && defined(__AVX2__)
/* Where the bytes of each 16 come from. */
typedef int8_t bf16_bytes __attribute__((vector_size(VECTOR_BYTES)));

/* Elements to the upper halves of lanes, zeros to the lower ones, in a vector that holds all elements twice. */
ALWAYS_INLINE bf16_bytes bf16_bytes_twice(void) {
    bf16_bytes from;
    for (int i = 0; i < VECTOR_BYTES; i++)
        from[i] = (int8_t)(i % 4 < 2 ? -1 : i / (VECTOR_BYTES / 2) * 8 + i % 16 / 4 * 2 + i % 4 - 2);
    return from;
}

/* The upper halves of lanes to the first 8 bytes. */
ALWAYS_INLINE bf16_bytes bf16_bytes_back(void) {
    bf16_bytes from;
    for (int i = 0; i < VECTOR_BYTES; i++)
        from[i] = (int8_t)(i % 8 / 2 * 4 + 2 + i % 2);
    return from;
}
#endif

/* Stored -> computed. Exact. */
ALWAYS_INLINE vec v_widen(evec e) {
#if defined(DWC_ELEMENT_F16) && defined(__AVX512F__)
    return (vec)_mm512_cvtph_ps((__m256i)e);
#elif defined(DWC_ELEMENT_F16) && defined(__AVX2__)
    return (vec)_mm256_cvtph_ps((__m128i)e);
#elif defined(DWC_ELEMENT_F16) && defined(DWC_NEON)
    return (vec)vcvt_f32_f16((float16x4_t)e);
#elif defined(DWC_ELEMENT_F16)
    uvec half = __builtin_convertvector(e, uvec);
    vec value = (vec)((half & 0x7fff) << 13) * 0x1p112f; /* see dwci_f16_to_f32 */
    uvec infinite = (uvec)((half & 0x7c00) == 0x7c00) & 0x7f800000u;
    return (vec)((uvec)value | infinite | ((half & 0x8000) << 16));
#elif defined(DWC_ELEMENT_BF16) && defined(__AVX512F__)
    return bf16_spread(e);
#elif defined(DWC_ELEMENT_BF16) && defined(__AVX2__)
    return (vec)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256((__m128i)e), (__m256i)bf16_bytes_twice());
#elif defined(DWC_ELEMENT_BF16)
    return (vec)(__builtin_convertvector(e, uvec) << 16);
#else
    return e;
#endif
}

NEVER_INLINE evec narrow_one_by_one(vec v) {
    elem_t to[LANES];
    for (int i = 0; i < LANES; i++)
        to[i] = (elem_t)dwci_f16_from_f64(v[i]);
    return e_load(to);
}

/* Computed -> stored. Rounds once, to nearest even; NaN stays NaN: in bf16 by itself, for every NaN here has zeros in
 * the half that is rounded away, that of a widened value and the one that arithmetic makes (x86, Arm, RISC-V). */
ALWAYS_INLINE evec v_narrow(vec v) {
#if defined(DWC_ELEMENT_F16) && defined(__AVX512F__)
    return (evec)_mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(DWC_ELEMENT_F16) && defined(__AVX2__)
    return (evec)_mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(DWC_ELEMENT_F16) && defined(DWC_NEON)
    return (evec)vcvt_f16_f32((float32x4_t)v);
#elif defined(DWC_ELEMENT_F16)
    return narrow_one_by_one(v);
#elif defined(DWC_ELEMENT_BF16) && defined(__AVX512F__)
    return bf16_round(v, 0);
#elif defined(DWC_ELEMENT_BF16)
    const uvec bits = (uvec)v, rounded = bits + 0x7fff + ((bits >> 16) & 1);
#if defined(__AVX2__)
    return (evec)_mm256_castsi256_si128(
        _mm256_permute4x64_epi64(_mm256_shuffle_epi8((__m256i)rounded, (__m256i)bf16_bytes_back()), 2 << 2));
#else
    return __builtin_convertvector(rounded >> 16, evec);
#endif
#else
    return v;
#endif
}

/* The same for lanes as they are TURNED. */
ALWAYS_INLINE vec v_widen_turned(evec e) {
#if defined(DWC_ELEMENT_BF16) && defined(__AVX512F__)
    return (vec)_mm512_shuffle_epi8(_mm512_broadcast_i64x4((__m256i)e), (__m512i)bf16_bytes_twice());
#else
    return v_widen(e);
#endif
}

ALWAYS_INLINE evec v_narrow_turned(vec v) {
#if defined(DWC_ELEMENT_BF16) && defined(__AVX512F__)
    return bf16_round(v, TURNED);
#else
    return v_narrow(v);
#endif
}

ALWAYS_INLINE acc_t v_widen_one(elem_t value) {
#if defined(DWC_ELEMENT_F16)
    return dwci_f16_to_f32(value);
#elif defined(DWC_ELEMENT_BF16)
    return dwci_bf16_to_f32(value);
#else
    return value;
#endif
}
