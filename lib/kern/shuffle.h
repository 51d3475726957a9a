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

#if defined(__AVX2__) && VECTOR_BYTES == 32 && !defined(DOUBLE)
/* Rows become columns; within 128 bits as far as possible. */
ALWAYS_INLINE void v_transpose(vec *v) {
    vec t[LANES], u[LANES];
    UNROLL for (int i = 0; i < 4; i++) {
        t[i] = V_SHUFFLE(v[i], v[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        t[i + 4] = V_SHUFFLE(v[i], v[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    UNROLL for (int i = 0; i < LANES; i += 2) {
        u[i] = V_SHUFFLE(t[i], t[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        u[i + 1] = V_SHUFFLE(t[i], t[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    UNROLL for (int i = 0; i < LANES; i += 4) UNROLL for (int j = 0; j < 2; j++) {
        v[i + 2 * j] = V_SHUFFLE(u[i + j], u[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        v[i + 2 * j + 1] = V_SHUFFLE(u[i + j], u[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
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
