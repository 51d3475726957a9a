/* SPDX-License-Identifier: Apache-2.0 */
/* Shuffles of whole vectors, and transposition. */
#ifndef DWC_KERN_SHUFFLE_H
#define DWC_KERN_SHUFFLE_H

#include "kern/simd.h"

/* Halves of two vectors in turn, and every second lane of two vectors. */
#if defined(__clang__)
#define V_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define V_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif
#if VECTOR_BYTES == 64 && !defined(DOUBLE)
#define ZIP_LOW(a, b) V_SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH(a, b) V_SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define V_EVEN(a, b) V_SHUFFLE(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define V_ODD(a, b) V_SHUFFLE(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#elif VECTOR_BYTES == 64 || (VECTOR_BYTES == 32 && !defined(DOUBLE))
#define ZIP_LOW(a, b) V_SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH(a, b) V_SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define V_EVEN(a, b) V_IN_TURN(V_SHUFFLE(a, b, 0, 2, 8, 10, 4, 6, 12, 14))
#define V_ODD(a, b) V_IN_TURN(V_SHUFFLE(a, b, 1, 3, 9, 11, 5, 7, 13, 15))
#define V_IN_TURN(a) V_SHUFFLE(a, a, 0, 1, 4, 5, 2, 3, 6, 7)
#elif VECTOR_BYTES == 32 || !defined(DOUBLE)
#define ZIP_LOW(a, b) V_SHUFFLE(a, b, 0, 4, 1, 5)
#define ZIP_HIGH(a, b) V_SHUFFLE(a, b, 2, 6, 3, 7)
#define V_EVEN(a, b) V_SHUFFLE(a, b, 0, 2, 4, 6)
#define V_ODD(a, b) V_SHUFFLE(a, b, 1, 3, 5, 7)
#else
#define ZIP_LOW(a, b) V_SHUFFLE(a, b, 0, 2)
#define ZIP_HIGH(a, b) V_SHUFFLE(a, b, 1, 3)
#define V_EVEN ZIP_LOW
#define V_ODD ZIP_HIGH
#endif

/* Lanes, or (float) pairs of lanes, of two vectors in turn, within 16 bytes: of their first halves, of the others. */
#if VECTOR_BYTES == 64 && !defined(DOUBLE)
#define MIX_LOW(a, b) V_SHUFFLE(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define MIX_HIGH(a, b) V_SHUFFLE(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define MIX_PAIRS_LOW(a, b) V_SHUFFLE(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define MIX_PAIRS_HIGH(a, b) V_SHUFFLE(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#elif VECTOR_BYTES == 32 && !defined(DOUBLE)
#define MIX_LOW(a, b) V_SHUFFLE(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define MIX_HIGH(a, b) V_SHUFFLE(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define MIX_PAIRS_LOW(a, b) V_SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define MIX_PAIRS_HIGH(a, b) V_SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#elif !defined(DOUBLE)
#define MIX_LOW ZIP_LOW
#define MIX_HIGH ZIP_HIGH
#define MIX_PAIRS_LOW(a, b) V_SHUFFLE(a, b, 0, 1, 4, 5)
#define MIX_PAIRS_HIGH(a, b) V_SHUFFLE(a, b, 2, 3, 6, 7)
#elif VECTOR_BYTES == 64
#define MIX_LOW(a, b) V_SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14)
#define MIX_HIGH(a, b) V_SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15)
#elif VECTOR_BYTES == 32
#define MIX_LOW(a, b) V_SHUFFLE(a, b, 0, 4, 2, 6)
#define MIX_HIGH(a, b) V_SHUFFLE(a, b, 1, 5, 3, 7)
#else
#define MIX_LOW ZIP_LOW
#define MIX_HIGH ZIP_HIGH
#endif

/* Squares of PIECE x PIECE lanes, 16 bytes wide, side by side in PIECE vectors: rows become columns. */
enum { PIECE = 16 / sizeof(acc_t) };
ALWAYS_INLINE void v_transpose_pieces(vec *v) {
#ifdef DOUBLE
    const vec low = MIX_LOW(v[0], v[1]);
    v[1] = MIX_HIGH(v[0], v[1]);
    v[0] = low;
#else
    const vec a = MIX_LOW(v[0], v[1]), b = MIX_HIGH(v[0], v[1]), c = MIX_LOW(v[2], v[3]), d = MIX_HIGH(v[2], v[3]);
    v[0] = MIX_PAIRS_LOW(a, c);
    v[1] = MIX_PAIRS_HIGH(a, c);
    v[2] = MIX_PAIRS_LOW(b, d);
    v[3] = MIX_PAIRS_HIGH(b, d);
#endif
}

/* Vectors of pieces that lie `step` numbers apart. */
ALWAYS_INLINE vec v_load_pieces(const acc_t *p, int64_t step) {
#if VECTOR_BYTES == 64
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps((const float *)p));
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(p + step)), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(p + 2 * step)), 2);
    return (vec)_mm512_insertf32x4(v, _mm_loadu_ps((const float *)(p + 3 * step)), 3);
#elif VECTOR_BYTES == 32
    const __m256 v = _mm256_castps128_ps256(_mm_loadu_ps((const float *)p));
    return (vec)_mm256_insertf128_ps(v, _mm_loadu_ps((const float *)(p + step)), 1);
#else
    (void)step;
    return v_load_acc(p);
#endif
}

ALWAYS_INLINE void v_store_pieces(acc_t *p, int64_t step, vec v) {
#if VECTOR_BYTES == 64
    _mm_storeu_ps((float *)p, _mm512_castps512_ps128((__m512)v));
    _mm_storeu_ps((float *)(p + step), _mm512_extractf32x4_ps((__m512)v, 1));
    _mm_storeu_ps((float *)(p + 2 * step), _mm512_extractf32x4_ps((__m512)v, 2));
    _mm_storeu_ps((float *)(p + 3 * step), _mm512_extractf32x4_ps((__m512)v, 3));
#elif VECTOR_BYTES == 32
    _mm_storeu_ps((float *)p, _mm256_castps256_ps128((__m256)v));
    _mm_storeu_ps((float *)(p + step), _mm256_extractf128_ps((__m256)v, 1));
#else
    (void)step;
    v_store_acc(p, v);
#endif
}

#if defined(__AVX2__) && VECTOR_BYTES == 32 && !defined(DOUBLE)
/* Rows become columns; within 128 bits as far as possible. */
ALWAYS_INLINE void v_transpose(vec *v) {
    vec t[LANES];
    UNROLL for (int i = 0; i < 4; i++) {
        t[i] = V_SHUFFLE(v[i], v[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        t[i + 4] = V_SHUFFLE(v[i], v[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    v_transpose_pieces(t);
    v_transpose_pieces(t + 4);
    UNROLL for (int i = 0; i < LANES; i++) v[i] = t[i];
}
#else
/* Rows become columns: log2(LANES) perfect shuffles. */
ALWAYS_INLINE void v_transpose(vec *v) {
    vec shuffled[LANES];
    UNROLL for (int stage = 1; stage < LANES; stage *= 2) {
        UNROLL for (int i = 0; i < LANES / 2; i++) {
            shuffled[2 * i] = ZIP_LOW(v[i], v[i + LANES / 2]);
            shuffled[2 * i + 1] = ZIP_HIGH(v[i], v[i + LANES / 2]);
        }
        UNROLL for (int i = 0; i < LANES; i++) v[i] = shuffled[i];
    }
}
#endif

#endif
