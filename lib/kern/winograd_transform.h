/* SPDX-License-Identifier: Apache-2.0 */
/* The transforms of minimal filtering on vectors of channels, for winograd.inc and winograd_2d.inc; the mathematics is
 * in winograd.h. */
#ifndef DWC_KERN_WINOGRAD_TRANSFORM_H
#define DWC_KERN_WINOGRAD_TRANSFORM_H

#include "kern/clip.h"
#include "kern/simd.h"
#include "kern/symbol.h"
#include "kern/winograd.h"

enum { MOST_PAIRS = DWCI_WINOGRAD_MOST_ELEMENTS / 2 - 1, MOST_OUTPUTS = DWCI_WINOGRAD_MOST_OUTPUTS };

/* Constants of F(m,k) in all lanes. Q is A B, A of the first half of the points, B of the others: for each point of a
 * half `others` are the coefficients of the half without it. */
enum { HALF_PAIRS = (MOST_PAIRS + 1) / 2 };
typedef struct transform {
    vec half[2][HALF_PAIRS], others[MOST_PAIRS][HALF_PAIRS];
    vec point[MOST_PAIRS], power[MOST_OUTPUTS][MOST_PAIRS]; /* p, p^i */
} transform;

static void transform_init(transform *f, int pairs) {
    const int first = (pairs + 1) / 2;
    for (int k = 0; k < pairs; k++) {
        const double p = dwci_winograd_point(pairs, k);
        double power = 1;
        f->point[k] = v_splat((acc_t)p);
        for (int i = 0; i < MOST_OUTPUTS; i++, power *= p)
            f->power[i][k] = v_splat((acc_t)power);
    }
    for (int h = 0; h < 2; h++) {
        const int from = h ? first : 0, to = h ? pairs : first;
        for (int i = 0; i < to - from; i++)
            f->half[h][i] = v_splat((acc_t)dwci_winograd_coefficient(pairs, from, to, -1, i));
        for (int k = from; k < to; k++)
            for (int i = 0; i < to - from - 1; i++)
                f->others[k][i] = v_splat((acc_t)dwci_winograd_coefficient(pairs, from, to, k, i));
    }
}

/* An instance's `constants`. */
#define CONSTANTS(PAIRS)                                                                                               \
    static void constants_##PAIRS(void *to) {                                                                          \
        transform_init(to, PAIRS);                                                                                     \
    }
/* clang-format off */
CONSTANTS(1) CONSTANTS(2) CONSTANTS(3) CONSTANTS(4) CONSTANTS(5)
/* clang-format on */

ALWAYS_INLINE const elem_t *at_bytes(const elem_t *p, int64_t bytes) {
    return (const elem_t *)((uintptr_t)p + (uintptr_t)bytes);
}

_Static_assert(sizeof(transform) <= DWCI_WINOGRAD_CONSTANTS, "room for the constants");

/* ---- forward ----------------------------------------------------------------------------------------------------- */

/* The polynomial of `degree` with these coefficients and a leading 1, at d, `step` vectors apart. */
ALWAYS_INLINE vec monic(const vec *d, const vec *coefficient, const int DEGREE, const int STEP) {
    vec sum = d[DEGREE * STEP];
    UNROLL for (int i = 0; i < DEGREE; i++) {
        sum = v_multiply_add(sum, d[i * STEP], coefficient[i]);
        PIN_VECTOR(sum);
    }
    return sum;
}

/* Every other input, d[0], d[2], ... -> all Q_p of d[2*SHIFT], ..., and Q of d[0], ... */
ALWAYS_INLINE void factors(const vec *d, vec *without, vec *whole, const transform *f, const int PAIRS,
                           const int SHIFT) {
    enum { MOST = HALF_PAIRS + 2 };
    const int A = (PAIRS + 1) / 2, B = PAIRS / 2;
    vec by_b[MOST], by_a[MOST];
    UNROLL for (int j = 0; j <= A; j++) by_b[j] = monic(d + 2 * j, f->half[1], B, 2);
    UNROLL for (int j = 0; j < B; j++) by_a[j] = monic(d + 2 * (j + SHIFT), f->half[0], A, 2);
    UNROLL for (int k = 0; k < A; k++) without[k] = monic(by_b + SHIFT, f->others[k], A - 1, 1);
    UNROLL for (int k = 0; k < B; k++) without[A + k] = monic(by_a, f->others[A + k], B - 1, 1);
    *whole = monic(by_b, f->half[0], A, 1);
}

/* The n inputs of a tile -> its elements, `plane` vectors apart. */
ALWAYS_INLINE void forward_tile(const vec *d, vec *to, int64_t plane, const transform *f, const int PAIRS) {
    vec even[MOST_PAIRS], odd[MOST_PAIRS];
    factors(d, even, &to[0], f, PAIRS, 1);
    factors(d + 1, odd, &to[(2 * PAIRS + 1) * plane], f, PAIRS, 0);
    UNROLL for (int k = 0; k < PAIRS; k++) {
        to[(2 * k + 1) * plane] = v_multiply_add(even[k], odd[k], f->point[k]);
        to[(2 * k + 2) * plane] = v_multiply_add(even[k], -odd[k], f->point[k]);
    }
}

/* Inputs from..to-1 of a tile that begins at input x of its row. */
ALWAYS_INLINE void load_inputs(vec *d, const elem_t *in, int64_t pixel, int64_t x, range inside, const int FROM,
                               const int TO) {
    const elem_t *p = at_bytes(in, (x + FROM) * pixel);
    if (x + FROM >= inside.from && x + TO <= inside.to) {
        UNROLL for (int i = FROM; i < TO; i++, p = at_bytes(p, pixel)) d[i] = v_widen(e_load(p));
        return;
    }
    UNROLL for (int i = FROM; i < TO; i++, p = at_bytes(p, pixel)) d[i] =
        x + i >= inside.from && x + i < inside.to ? v_widen(e_load(p)) : (vec){0};
}

/* ---- inverse ----------------------------------------------------------------------------------------------------- */

/* The sums and differences of the elements of p and -p, `plane` vectors apart. */
ALWAYS_INLINE void inverse_pairs(const vec *e, int64_t plane, vec *sum, vec *difference, const int PAIRS) {
    UNROLL for (int k = 0; k < PAIRS; k++) {
        vec plus = e[(2 * k + 1) * plane];
        PIN_VECTOR(plus);
        sum[k] = plus + e[(2 * k + 2) * plane];
        difference[k] = plus - e[(2 * k + 2) * plane];
    }
}

/* Output i of M; power: of each p, to the i. */
ALWAYS_INLINE vec inverse_output(const vec *e, int64_t plane, const vec *sum, const vec *difference, const vec *power,
                                 const int i, const int PAIRS, const int M) {
    vec y = i == 0 ? e[0] + sum[0] : (i % 2 ? difference[0] : sum[0]) * power[0];
    if (i == M - 1)
        y += e[(2 * PAIRS + 1) * plane];
    UNROLL for (int k = 1; k < PAIRS; k++) y =
        i == 0 ? y + sum[k] : v_multiply_add(y, i % 2 ? difference[k] : sum[k], power[k]);
    return y;
}

/* What outputs need beside their sum and a store. */
typedef struct finish {
    int special; /* any of it */
    vec bias;
    int clamp;
} finish;

/* Of the outputs from channel `first` on. Set in place: see tile_row_set. */
ALWAYS_INLINE void finish_set(finish *end, const dwci_direct_args *g, int64_t first) {
    end->special = g->bias || g->clamp;
    end->clamp = g->clamp;
    end->bias = g->bias ? v_widen(e_load((const elem_t *)g->bias + first)) : (vec){0};
}

ALWAYS_INLINE void store_output(elem_t *to, vec y, const finish *end) {
    if (__builtin_expect(end->special, 0))
        y = v_clamp(y + end->bias, end->clamp);
    e_store(to, v_narrow(y));
}

/* ---- channels ---------------------------------------------------------------------------------------------------- */

/* Lane i of the result is lane index[i] of v; the index as v_permutation makes it. */
ALWAYS_INLINE ivec v_permutation(ivec index) {
#if defined(__AVX2__) && !defined(__AVX512F__) && defined(DOUBLE)
    return 2 * index | (2 * index + 1) << 32; /* pairs of 32-bit lanes */
#else
    return index;
#endif
}

ALWAYS_INLINE vec v_permute(vec v, ivec index) {
#if defined(__AVX512F__) && defined(DOUBLE)
    return (vec)_mm512_permutexvar_pd((__m512i)index, (__m512d)v);
#elif defined(__AVX512F__)
    return (vec)_mm512_permutexvar_ps((__m512i)index, (__m512)v);
#elif defined(__AVX2__)
    return (vec)_mm256_permutevar8x32_ps((__m256)v, (__m256i)index);
#elif defined(DWC_NEON)
    return neon_permute(v, index);
#else
    vec permuted;
    for (int i = 0; i < LANES; i++)
        permuted[i] = v[index[i]];
    return permuted;
#endif
}

/* Lane i of output vector u takes input channel (u*LANES + i) / multiplier of the group's. */
static ivec channels_of(int64_t u, int64_t multiplier) {
    int64_t channel = u * LANES / multiplier, left = multiplier - u * LANES % multiplier;
    ivec index;
    for (int i = 0; i < LANES; i++) {
        index[i] = (lane_t)channel;
        if (--left == 0) {
            left = multiplier;
            channel++;
        }
    }
    return v_permutation(index);
}

/* Writes the indices of all multiples to the beginning of the scratch. */
ALWAYS_INLINE void set_indices(const dwci_winograd_args *a) {
    ivec *index = a->scratch;
    for (int64_t u = 0; a->g->m > 1 && u < a->g->m; u++)
        index[u] = channels_of(u, a->g->m);
}

/* Steps may be absurd where they are not used. */
ALWAYS_INLINE int64_t product(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

#endif
