/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors for one instruction set and one element type. The including file defines one of DWC_ELEMENT_F16, _BF16, _F32,
 * _F64 first; the instruction set is the one the compiler was told.
 *
 *     elem_t  as stored           uint16_t  uint16_t  float   double
 *     acc_t   as computed         float     float     float   double
 *     vec     LANES of acc_t, the full width of the instruction set's registers
 *     evec    LANES of elem_t
 *     lanes   a range lo..hi-1 of lanes, for tails and borders; memory of the other lanes is never touched
 *
 * GCC's and clang's vector extensions carry it; intrinsics stand only where those have no word: masks, f16,
 * permutation. */
#ifndef DWC_KERN_SIMD_H
#define DWC_KERN_SIMD_H

#include "kern/half.h"
#include "kern/kern.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(DWC_NEON)
#include <arm_neon.h>
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))
/* For what takes many instructions, so that unrolled loops stay small. */
#define NEVER_INLINE static __attribute__((noinline, unused))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#if defined(DWC_ELEMENT_F16) || defined(DWC_ELEMENT_BF16)
#define HALF 1
typedef uint16_t elem_t;
typedef float acc_t;
typedef int32_t lane_t;
#elif defined(DWC_ELEMENT_F32)
#define HALF 0
typedef float elem_t;
typedef float acc_t;
typedef int32_t lane_t;
#elif defined(DWC_ELEMENT_F64)
#define HALF 0
#define DOUBLE 1
typedef double elem_t;
typedef double acc_t;
typedef int64_t lane_t;
#else
#error "define DWC_ELEMENT_F16, _BF16, _F32 or _F64"
#endif

enum { LANES = VECTOR_BYTES / sizeof(acc_t) };

typedef acc_t vec __attribute__((vector_size(VECTOR_BYTES)));
typedef lane_t ivec __attribute__((vector_size(VECTOR_BYTES)));
typedef elem_t evec __attribute__((vector_size(LANES * sizeof(elem_t))));
typedef acc_t vec_anywhere __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(acc_t)), may_alias));
typedef elem_t evec_anywhere __attribute__((vector_size(LANES * sizeof(elem_t)), aligned(sizeof(elem_t)), may_alias));

/* Vector registers of the instruction set. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define REGISTERS 32
#else
#define REGISTERS 16
#endif

/* Registers that a tile takes beside its sums and the filter vectors it keeps: for a pixel, and where memory is no
 * operand for another filter vector; PERMUTED: to put a pixel's lanes in place. */
#if defined(__x86_64__)
#define REGISTERS_BESIDE(PERMUTED) 1
#else
#define REGISTERS_BESIDE(PERMUTED) (2 + 3 * (PERMUTED))
#endif

/* Holds a value in a register, as it is, at this point of the program. Compilers left alone undo the order of loads and
 * multiply-adds that the kernels spell out: they keep all loads of a tile alive at once and spill. */
#if defined(__AVX512F__)
#define PIN_VECTOR(x) __asm__("" : "+v"(x))
#elif defined(__x86_64__)
#define PIN_VECTOR(x) __asm__("" : "+x"(x))
#elif defined(__aarch64__)
#define PIN_VECTOR(x) __asm__("" : "+w"(x))
#else
#define PIN_VECTOR(x) (void)(x)
#endif
#define PIN_INTEGER(x) __asm__("" : "+r"(x))
/* Loads stay on their side of it. */
#define IN_ORDER __asm__ volatile("" ::: "memory")

/* ---- ranges of lanes --------------------------------------------------------------------------------------------- */

typedef struct lanes {
    int lo, hi;
#if defined(__AVX512F__)
    __mmask16 mask;
#else
    ivec mask; /* all ones inside */
#endif
} lanes;

/* 0 <= lo <= hi <= LANES */
ALWAYS_INLINE lanes v_lanes(int lo, int hi) {
    lanes part = {.lo = lo, .hi = hi};
#if defined(__AVX512F__)
    part.mask = (__mmask16)(((1u << hi) - 1) & ~((1u << lo) - 1));
#else
    ivec iota;
    for (int i = 0; i < LANES; i++)
        iota[i] = i;
    part.mask = (iota >= lo) & (iota < hi);
#endif
    return part;
}

ALWAYS_INLINE vec v_select(lanes part, vec inside, vec outside) {
#if defined(__AVX512F__) && defined(DOUBLE)
    return (vec)_mm512_mask_mov_pd((__m512d)outside, (__mmask8)part.mask, (__m512d)inside);
#elif defined(__AVX512F__)
    return (vec)_mm512_mask_mov_ps((__m512)outside, part.mask, (__m512)inside);
#elif defined(DWC_NEON)
    return (vec)vbslq_u8((uint8x16_t)part.mask, (uint8x16_t)inside, (uint8x16_t)outside);
#else
    return (vec)(((ivec)inside & part.mask) | ((ivec)outside & ~part.mask));
#endif
}

/* ---- elements, as stored ----------------------------------------------------------------------------------------- */

ALWAYS_INLINE evec e_load(const elem_t *p) {
    return *(const evec_anywhere *)p;
}

ALWAYS_INLINE void e_store(elem_t *p, evec v) {
    *(evec_anywhere *)p = v;
}

NEVER_INLINE evec e_load_one_by_one(const elem_t *p, int64_t step, int lo, int hi) {
    elem_t lane[LANES] = {0};
    for (int i = lo; i < hi; i++)
        lane[i] = p[i * step];
    return e_load(lane);
}

NEVER_INLINE void e_store_one_by_one(elem_t *p, evec v, int lo, int hi) {
    elem_t lane[LANES];
    e_store(lane, v);
    for (int i = lo; i < hi; i++)
        p[i] = lane[i];
}

/* Lane i comes from p[i]; lanes outside are 0. */
ALWAYS_INLINE evec e_load_lanes(const elem_t *p, lanes part) {
#if defined(__AVX512F__) && HALF
    return (evec)_mm256_maskz_loadu_epi16(part.mask, p);
#elif defined(__AVX512F__) && defined(DOUBLE)
    return (evec)_mm512_maskz_loadu_pd((__mmask8)part.mask, p);
#elif defined(__AVX512F__)
    return (evec)_mm512_maskz_loadu_ps(part.mask, p);
#elif defined(__AVX2__) && defined(DOUBLE)
    return (evec)_mm256_maskload_pd(p, (__m256i)part.mask);
#elif defined(__AVX2__) && !HALF
    return (evec)_mm256_maskload_ps(p, (__m256i)part.mask);
#else
    return e_load_one_by_one(p, 1, part.lo, part.hi);
#endif
}

ALWAYS_INLINE void e_store_lanes(elem_t *p, evec v, lanes part) {
#if defined(__AVX512F__) && HALF
    _mm256_mask_storeu_epi16(p, part.mask, (__m256i)v);
#elif defined(__AVX512F__) && defined(DOUBLE)
    _mm512_mask_storeu_pd(p, (__mmask8)part.mask, (__m512d)v);
#elif defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, part.mask, (__m512)v);
#elif defined(__AVX2__) && defined(DOUBLE)
    _mm256_maskstore_pd(p, (__m256i)part.mask, (__m256d)v);
#elif defined(__AVX2__) && !HALF
    _mm256_maskstore_ps(p, (__m256i)part.mask, (__m256)v);
#else
    e_store_one_by_one(p, v, part.lo, part.hi);
#endif
}

/* Lane i comes from p[i*step]. */
ALWAYS_INLINE evec e_load_strided(const elem_t *p, int64_t step, lanes part) {
    return e_load_one_by_one(p, step, part.lo, part.hi);
}

#include "kern/convert.h"

/* ---- arithmetic -------------------------------------------------------------------------------------------------- */

ALWAYS_INLINE vec v_load_acc(const acc_t *p) {
    return *(const vec_anywhere *)p;
}

ALWAYS_INLINE void v_store_acc(acc_t *p, vec v) {
    *(vec_anywhere *)p = v;
}

/* What stands `times` steps of bytes behind p, widened, TURNED; times: 0, 1, 2, 4 or 8. The step is left to the
 * addressing mode of the load: compilers compute such sums ahead, one for each pixel of a tile, and spill them. */
ALWAYS_INLINE vec v_load_step(const elem_t *p, int64_t step, const int times) {
#if defined(__x86_64__) && !HALF && !defined(__SANITIZE_ADDRESS__)
    if (times > 0) {
        vec v;
#if defined(__AVX512F__)
        __asm__("vmovups (%1,%2,%c3), %0"
                : "=v"(v)
                : "r"(p), "r"(step), "i"(times), "m"(*(const elem_t(*)[1 << 20]) p));
#elif defined(__AVX__)
        __asm__("vmovups (%1,%2,%c3), %0"
                : "=x"(v)
                : "r"(p), "r"(step), "i"(times), "m"(*(const elem_t(*)[1 << 20]) p));
#else
        __asm__("movups (%1,%2,%c3), %0" : "=x"(v) : "r"(p), "r"(step), "i"(times), "m"(*(const elem_t(*)[1 << 20]) p));
#endif
        return v;
    }
#endif
    vec v = v_widen_turned(e_load((const elem_t *)((uintptr_t)p + (uintptr_t)(times * step))));
    PIN_VECTOR(v);
    return v;
}

/* A store past the caches to an address aligned to the vector; v_stream_end orders it before what follows. */
ALWAYS_INLINE void v_stream(acc_t *p, vec v) {
#if defined(__AVX512F__)
    _mm512_stream_si512((void *)p, (__m512i)v);
#elif defined(__AVX2__)
    _mm256_stream_si256((void *)p, (__m256i)v);
#elif defined(__x86_64__)
    _mm_stream_si128((void *)p, (__m128i)v);
#else
    *(vec *)p = v;
#endif
}

/* The same for the 64 bytes of a cache line. */
ALWAYS_INLINE void v_stream_line(void *to, const void *from) {
    for (int i = 0; i < 64 / VECTOR_BYTES; i++)
        v_stream((acc_t *)to + i * LANES, v_load_acc((const acc_t *)from + i * LANES));
}

ALWAYS_INLINE void v_stream_end(void) {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

/* Moves finished outputs past the caches: whole cache lines, for a core gathers pieces of a few lines at most. `from`
 * lies at the same place in its line as `to`. */
static inline void e_stream(elem_t *to, const elem_t *from, int64_t count) {
    const int64_t to_line = (int64_t)(-(uintptr_t)to % 64 / sizeof(elem_t)), line = 64 / (int64_t)sizeof(elem_t);
    int64_t i = 0;
    for (; i < count && i < to_line; i++)
        to[i] = from[i];
    for (; i + line <= count; i += line)
        v_stream_line(to + i, from + i);
    for (; i < count; i++)
        to[i] = from[i];
}

ALWAYS_INLINE vec v_splat(acc_t value) {
    return value - (vec){0};
}

/* a + x*w, fused where the instruction set can. By intrinsics: a compiler that contracts a + x*w by itself leaves some
 * out (across basic blocks), and the bits would depend on where. */
ALWAYS_INLINE vec v_multiply_add(vec a, vec x, vec w) {
#if defined(__AVX512F__) && defined(DOUBLE)
    return (vec)_mm512_fmadd_pd((__m512d)x, (__m512d)w, (__m512d)a);
#elif defined(__AVX512F__)
    return (vec)_mm512_fmadd_ps((__m512)x, (__m512)w, (__m512)a);
#elif defined(__FMA__) && defined(DOUBLE)
    return (vec)_mm256_fmadd_pd((__m256d)x, (__m256d)w, (__m256d)a);
#elif defined(__FMA__)
    return (vec)_mm256_fmadd_ps((__m256)x, (__m256)w, (__m256)a);
#elif defined(DWC_NEON) && defined(DOUBLE)
    return (vec)vfmaq_f64((float64x2_t)a, (float64x2_t)x, (float64x2_t)w);
#elif defined(DWC_NEON)
    return (vec)vfmaq_f32((float32x4_t)a, (float32x4_t)x, (float32x4_t)w);
#else
    return a + x * w;
#endif
}

/* *sum = *sum + x*w, in place, x in a register. Left to compilers, sums wander between registers from one multiply-add
 * to the next, and copies follow them. */
ALWAYS_INLINE void v_accumulate(vec *sum, vec x, vec w) {
#if defined(__AVX512F__) && defined(DOUBLE)
    __asm__("vfmadd231pd %2, %1, %0" : "+v"(*sum) : "v"(x), "vm"(w));
#elif defined(__AVX512F__)
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*sum) : "v"(x), "vm"(w));
#elif defined(__FMA__) && defined(DOUBLE)
    __asm__("vfmadd231pd %2, %1, %0" : "+x"(*sum) : "x"(x), "xm"(w));
#elif defined(__FMA__)
    __asm__("vfmadd231ps %2, %1, %0" : "+x"(*sum) : "x"(x), "xm"(w));
#elif defined(DWC_NEON) && defined(DOUBLE)
    __asm__("fmla %0.2d, %1.2d, %2.2d" : "+w"(*sum) : "w"(x), "w"(w));
#elif defined(DWC_NEON)
    __asm__("fmla %0.4s, %1.4s, %2.4s" : "+w"(*sum) : "w"(x), "w"(w));
#else
    *sum = v_multiply_add(*sum, x, w);
    PIN_VECTOR(*sum);
#endif
}

#if defined(__AVX512F__)
#define MASKED_LANES 1
/* A set of lanes, bit i for lane i. */
typedef __mmask16 v_mask;
ALWAYS_INLINE lanes v_masked(v_mask mask) {
    return (lanes){.mask = mask};
}

/* Lane i is lane index[i] of a, then b. */
ALWAYS_INLINE vec v_permute_two(vec a, vec b, ivec index) {
#if defined(DOUBLE)
    return (vec)_mm512_permutex2var_pd((__m512d)a, (__m512i)index, (__m512d)b);
#else
    return (vec)_mm512_permutex2var_ps((__m512)a, (__m512i)index, (__m512)b);
#endif
}
#else
#define MASKED_LANES 0
#endif

/* +0 made in the register itself: a compiler copies one zero register around, which it has to keep for that. */
ALWAYS_INLINE vec v_zero(void) {
    vec zero;
#if defined(__AVX512F__)
    __asm__ volatile("vpxord %0, %0, %0" : "=v"(zero));
#elif defined(__AVX__)
    __asm__ volatile("vxorps %0, %0, %0" : "=x"(zero));
#elif defined(__x86_64__)
    __asm__ volatile("xorps %0, %0" : "=x"(zero));
#elif defined(__aarch64__)
    __asm__ volatile("movi %0.2d, #0" : "=w"(zero));
#else
    zero = (vec){0};
#endif
    return zero;
}

#if defined(DWC_NEON)
/* Lane i of the result is lane index[i] of v. */
ALWAYS_INLINE vec neon_permute(vec v, ivec index) {
    uint8x16_t first, byte; /* of the lane that a byte of the result belongs to, and the byte's place in its lane */
    for (int i = 0; i < 16; i++) {
        first[i] = (uint8_t)(i / sizeof(acc_t) * sizeof(acc_t));
        byte[i] = i % sizeof(acc_t);
    }
    const uint8x16_t from = vqtbl1q_u8((uint8x16_t)(index * (lane_t)sizeof(acc_t)), first) + byte;
    return (vec)vqtbl1q_u8((uint8x16_t)v, from);
}
#endif

/* Lane i comes from p[index[i]], widened; all indices are less than WINDOW, and p[0..WINDOW-1] is read. */
enum { WINDOW = LANES > 2 ? LANES / 2 : LANES }; /* dwci_window */
ALWAYS_INLINE vec v_load_window(const elem_t *p, ivec index) {
#if defined(__AVX512F__) && defined(DOUBLE)
    return (vec)_mm512_permutexvar_pd((__m512i)index, _mm512_castpd256_pd512(_mm256_loadu_pd(p)));
#elif defined(__AVX512F__) && HALF
    const __m128i window = _mm_loadu_si128((const __m128i *)p);
    return (vec)_mm512_permutexvar_ps((__m512i)index, (__m512)v_widen((evec)_mm256_castsi128_si256(window)));
#elif defined(__AVX512F__)
    return (vec)_mm512_permutexvar_ps((__m512i)index, _mm512_castps256_ps512(_mm256_loadu_ps(p)));
#elif defined(__AVX2__) && defined(DOUBLE)
    return (vec)_mm256_permutevar_pd(_mm256_broadcast_pd((const __m128d *)p), (__m256i)(index << 1));
#elif defined(__AVX2__) && HALF
    int64_t window;
    memcpy(&window, p, sizeof window);
    return (vec)_mm256_permutevar_ps((__m256)v_widen((evec)_mm_set1_epi64x(window)), (__m256i)index);
#elif defined(__AVX2__)
    return (vec)_mm256_permutevar_ps(_mm256_broadcast_ps((const __m128 *)p), (__m256i)index);
#elif defined(DWC_NEON) && defined(DOUBLE)
    return neon_permute(e_load(p), index);
#elif defined(DWC_NEON) && HALF
    uint32_t window;
    memcpy(&window, p, sizeof window);
    return neon_permute(v_widen((evec)vcreate_u16(window)), index);
#elif defined(DWC_NEON)
    return neon_permute((vec)vcombine_f32(vld1_f32(p), vcreate_f32(0)), index);
#else
    evec e;
    for (int i = 0; i < LANES; i++)
        e[i] = p[index[i]];
    return v_widen(e);
#endif
}

/* Lane i comes from p[index[i]], widened. */
ALWAYS_INLINE vec v_gather(const elem_t *p, ivec index) {
#if defined(__AVX512F__) && defined(DOUBLE)
    return (vec)_mm512_i64gather_pd((__m512i)index, p, 8);
#elif defined(__AVX512F__) && !HALF
    return (vec)_mm512_i32gather_ps((__m512i)index, p, 4);
#elif defined(__AVX2__) && defined(DOUBLE)
    return (vec)_mm256_i64gather_pd(p, (__m256i)index, 8);
#elif defined(__AVX2__) && !HALF
    return (vec)_mm256_i32gather_ps(p, (__m256i)index, 4);
#else
    evec e;
    for (int i = 0; i < LANES; i++)
        e[i] = p[index[i]];
    return v_widen(e);
#endif
}

/* Lanes lo..hi-1 come from p[index[i]], the others are 0. */
NEVER_INLINE evec e_gather_lanes(const elem_t *p, ivec index, int lo, int hi) {
    elem_t lane[LANES] = {0};
    for (int i = lo; i < hi; i++)
        lane[i] = *(const elem_t *)((uintptr_t)p + (uintptr_t)index[i] * sizeof(elem_t));
    return e_load(lane);
}

/* Lane i comes from p[index[i]], widened; all indices lie in the part. */
ALWAYS_INLINE vec v_load_permuted(const elem_t *p, lanes part, ivec index) {
#if defined(__AVX512F__) && defined(DOUBLE)
    return (vec)_mm512_permutexvar_pd((__m512i)index, (__m512d)e_load_lanes(p, part));
#elif defined(__AVX512F__)
    return (vec)_mm512_permutexvar_ps((__m512i)index, (__m512)v_widen(e_load_lanes(p, part)));
#elif defined(__AVX2__) && defined(DWC_ELEMENT_F32)
    return (vec)_mm256_permutevar8x32_ps((__m256)e_load_lanes(p, part), (__m256i)index);
#else
    (void)part;
    evec e;
    for (int i = 0; i < LANES; i++)
        e[i] = p[index[i]];
    return v_widen(e);
#endif
}

/* x > 0 ? x : 0 and min(that, 6), NaN kept. clamp is a DWCI_CLAMP_... The constants are made here each time: held in
 * registers by the compiler they would crowd out the sums of a tile. */
ALWAYS_INLINE vec v_clamp(vec v, int clamp) {
    static const acc_t most = 6;
    if (clamp == DWCI_CLAMP_NONE)
        return v;
#if defined(DWC_NEON) && defined(DOUBLE)
    v = (vec)vmaxq_f64((float64x2_t)v, (float64x2_t)v_zero());
#elif defined(DWC_NEON)
    v = (vec)vmaxq_f32((float32x4_t)v, (float32x4_t)v_zero());
#else
    v = (vec)((ivec)v & ~(ivec)(v <= v_zero()));
#endif
    if (clamp == DWCI_CLAMP_RELU6) {
        const acc_t *p = &most;
        PIN_INTEGER(p);
        const vec six = v_splat(*p);
        const ivec over = (ivec)(v > six);
        v = (vec)(((ivec)v & ~over) | ((ivec)six & over));
    }
    return v;
}

#endif
