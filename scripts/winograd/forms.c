/* SPDX-License-Identifier: Apache-2.0 */
/* What the forms of minimal filtering for 3x3 taps can gain when several outputs of a channel share the transform:
 * their plainest loops, and direct's, with all that the forms have to lose left out. Images have a border of zeros in
 * memory (no tile is at an edge), their sizes are multiples of 4, transformed inputs stay in the first cache, sums in
 * registers. A vector holds 16 float32 outputs of the neighbouring channels k*M+q, each of which picks its input
 * channel k from a vector by a permutation, as in TensorFlow's operator.
 *
 *     forms HEIGHT CHANNELS MULTIPLIER [...]
 *
 * prints HEIGHT,CHANNELS,MULTIPLIER,FORM,nanoseconds per vector of outputs,error
 *
 * The points are 0, 1, -1, 2, -2 and infinity (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks,
 * 2015). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LANES = 16, ROUNDS = 101, TAPS = 3 };
typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int ivec __attribute__((vector_size(4 * LANES)));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 64")
/* A value in a register, loaded once. */
#ifdef __AVX512F__
#define PIN(v) __asm__("" : "+v"(v))
#else
#define PIN(v) __asm__("" : "+x"(v))
#endif

/* [height+2][height+2][channels] -> [height][height][channels][multiplier]; filter: [channels/LANES][multiplier] times
 * what a form takes. */
typedef struct problem {
    int height, channels, multiplier;
    const float *in;
    float *out;
    const vec *filter;
    const ivec *pick; /* of each vector of outputs of 16 channels: which of these */
} problem;

INLINE vec load(const float *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* ---- transforms of F(4,3) and F(2,3): step from element to element ---- */

INLINE void forward4(const vec *d, int step, vec *to, int to_step) {
    const vec a = d[4 * step] - 4 * d[2 * step], b = d[3 * step] - 4 * d[step];
    const vec c = d[4 * step] - d[2 * step], e = 2 * (d[3 * step] - d[step]);
    to[0] = 4 * d[0] - 5 * d[2 * step] + d[4 * step];
    to[to_step] = a + b, to[2 * to_step] = a - b;
    to[3 * to_step] = c + e, to[4 * to_step] = c - e;
    to[5 * to_step] = 4 * d[step] - 5 * d[3 * step] + d[5 * step];
}

INLINE void inverse4(const vec *e, int step, vec *to, int to_step) {
    const vec s = e[step] + e[2 * step], d = e[step] - e[2 * step];
    const vec s2 = e[3 * step] + e[4 * step], d2 = e[3 * step] - e[4 * step];
    to[0] = e[0] + s + s2;
    to[to_step] = d + 2 * d2;
    to[2 * to_step] = s + 4 * s2;
    to[3 * to_step] = d + 8 * d2 + e[5 * step];
}

INLINE void forward2(const vec *d, int step, vec *to, int to_step) {
    to[0] = d[0] - d[2 * step];
    to[to_step] = d[step] + d[2 * step], to[2 * to_step] = d[2 * step] - d[step];
    to[3 * to_step] = d[step] - d[3 * step];
}

INLINE void inverse2(const vec *e, int step, vec *to, int to_step) {
    to[0] = e[0] + e[step] + e[2 * step];
    to[to_step] = e[step] - e[2 * step] - e[3 * step];
}

static void filter4(const float *g, int step, float *to, int to_step) {
    const float even = g[0] + g[2 * step], far = g[0] / 24 + g[2 * step] / 6;
    to[0] = g[0] / 4;
    to[to_step] = -(even + g[step]) / 6, to[2 * to_step] = -(even - g[step]) / 6;
    to[3 * to_step] = far + g[step] / 12, to[4 * to_step] = far - g[step] / 12;
    to[5 * to_step] = g[2 * step];
}

static void filter2(const float *g, int step, float *to, int to_step) {
    to[0] = g[0];
    to[to_step] = (g[0] + g[step] + g[2 * step]) / 2, to[2 * to_step] = (g[0] - g[step] + g[2 * step]) / 2;
    to[3 * to_step] = g[2 * step];
}

/* ---- forms: all multiples of one tile of one vector of channels ---- */

/* Where a tile lies. */
typedef struct tile {
    const float *in;
    float *out; /* the first vector */
    const vec *filter;
    const ivec *pick;
    size_t in_row, in_pixel, out_row, out_pixel; /* steps */
    int multiplier;
} tile;

INLINE tile tile_at(const problem *p, int c, int y, int x, int elements) {
    tile t = {.in_pixel = (size_t)p->channels, .multiplier = p->multiplier, .pick = p->pick};
    t.in_row = (size_t)(p->height + 2) * t.in_pixel;
    t.out_pixel = t.in_pixel * (size_t)p->multiplier;
    t.out_row = (size_t)p->height * t.out_pixel;
    t.in = p->in + (size_t)y * t.in_row + (size_t)x * t.in_pixel + c * LANES;
    t.out = p->out + (size_t)y * t.out_row + (size_t)x * t.out_pixel + c * LANES * p->multiplier;
    t.filter = p->filter + c * p->multiplier * elements;
    return t;
}

/* The inputs of vector u of outputs. */
INLINE vec pick(const tile *t, int u, vec v) {
    if (t->multiplier > 1)
        v = __builtin_shuffle(v, t->pick[u]);
    PIN(v);
    return v;
}

/* Reads ROWS x ROWS pixels, writes M x M. */
INLINE void read_tile(const tile *t, vec *d, const int ROWS) {
    const float *row = t->in;
    UNROLL for (int r = 0; r < ROWS; r++, row += t->in_row) {
        const float *pixel = row;
        UNROLL for (int s = 0; s < ROWS; s++, pixel += t->in_pixel) d[r * ROWS + s] = load(pixel);
    }
}

INLINE void write_tile(const tile *t, int u, const vec *z, const int M) {
    float *row = t->out + u * LANES;
    UNROLL for (int r = 0; r < M; r++, row += t->out_row) {
        float *pixel = row;
        UNROLL for (int s = 0; s < M; s++, pixel += t->out_pixel) memcpy(pixel, &z[r * M + s], sizeof(vec));
    }
}

INLINE void direct_tile(const tile *t) {
    enum { M = 4, N = M + 2 };
    for (int u = 0; u < t->multiplier; u++) {
        const float *row = t->in;
        vec w[TAPS * TAPS], sum[M * M] = {{0}};
        UNROLL for (int i = 0; i < TAPS * TAPS; i++) {
            w[i] = t->filter[u * TAPS * TAPS + i];
            PIN(w[i]);
        }
        UNROLL for (int r = 0; r < N; r++, row += t->in_row) {
            const float *pixel = row;
            UNROLL for (int s = 0; s < N; s++, pixel += t->in_pixel) {
                const vec v = pick(t, u, load(pixel));
                UNROLL for (int a = 0; a < TAPS; a++)
                    UNROLL for (int b = 0; b < TAPS; b++) if (r >= a && r - a < M && s >= b && s - b < M)
                        sum[(r - a) * M + s - b] += v * w[a * TAPS + b];
            }
        }
        write_tile(t, u, sum, M);
    }
}

/* F(4,3) along the rows, sums over the tap rows of transformed inputs; four rows at a time. */
INLINE void rows_tile(const tile *t) {
    enum { M = 4, N = M + 2 };
    vec d[N * N], e[N * N];
    read_tile(t, d, N);
    UNROLL for (int r = 0; r < N; r++) forward4(d + r * N, 1, e + r * N, 1);
    for (int u = 0; u < t->multiplier; u++) {
        const vec *w = t->filter + u * TAPS * N;
        vec sum[M * N] = {{0}}, z[M * M];
        UNROLL for (int s = 0; s < N; s++) {
            vec taps[TAPS];
            UNROLL for (int a = 0; a < TAPS; a++) {
                taps[a] = w[a * N + s];
                PIN(taps[a]);
            }
            UNROLL for (int r = 0; r < N; r++) {
                const vec v = pick(t, u, e[r * N + s]);
                UNROLL for (int a = 0; a < TAPS; a++) if (r >= a && r - a < M) sum[(r - a) * N + s] += v * taps[a];
            }
        }
        UNROLL for (int r = 0; r < M; r++) inverse4(sum + r * N, 1, z + r * M, 1);
        write_tile(t, u, z, M);
    }
}

typedef void (*transform)(const vec *from, int step, vec *to, int to_step);

/* F(MxM,3x3). */
INLINE void square_tile(const tile *t, const int M, transform forward, transform inverse) {
    const int N = M + 2;
    vec d[36], half[36], e[36];
    read_tile(t, d, N);
    UNROLL for (int r = 0; r < N; r++) forward(d + r * N, 1, half + r * N, 1);
    UNROLL for (int s = 0; s < N; s++) forward(half + s, N, e + s, N);
    for (int u = 0; u < t->multiplier; u++) {
        const vec *w = t->filter + u * N * N;
        vec q[24], z[16];
        UNROLL for (int r = 0; r < N; r++) {
            vec product[6];
            UNROLL for (int s = 0; s < N; s++) product[s] = pick(t, u, e[r * N + s]) * w[r * N + s];
            inverse(product, 1, q + r * M, 1);
        }
        UNROLL for (int s = 0; s < M; s++) inverse(q + s, M, z + s, M);
        write_tile(t, u, z, M);
    }
}

#define FORM(NAME, M, ELEMENTS, TILE)                                                                                  \
    static void NAME(const problem *p) {                                                                               \
        for (int c = 0; c < p->channels / LANES; c++)                                                                  \
            for (int y = 0; y < p->height; y += M)                                                                     \
                for (int x = 0; x < p->height; x += M) {                                                               \
                    const tile t = tile_at(p, c, y, x, ELEMENTS);                                                      \
                    TILE;                                                                                              \
                }                                                                                                      \
    }
FORM(direct, 4, 9, direct_tile(&t))
FORM(rows4, 4, 18, rows_tile(&t))
FORM(square2, 2, 16, square_tile(&t, 2, forward2, inverse2))
FORM(square4, 4, 36, square_tile(&t, 4, forward4, inverse4))

/* Filters: 9 taps -> what the form takes. */
static void taps_direct(const float *g, float *to) {
    memcpy(to, g, TAPS * TAPS * sizeof *g);
}

static void taps_rows4(const float *g, float *to) {
    for (int a = 0; a < TAPS; a++)
        filter4(g + a * TAPS, 1, to + a * 6, 1);
}

static void taps_square2(const float *g, float *to) {
    float t[12];
    for (int a = 0; a < TAPS; a++)
        filter2(g + a * TAPS, 1, t + a * 4, 1);
    for (int s = 0; s < 4; s++)
        filter2(t + s, 4, to + s, 4);
}

static void taps_square4(const float *g, float *to) {
    float t[18];
    taps_rows4(g, t);
    for (int s = 0; s < 6; s++)
        filter4(t + s, 6, to + s, 6);
}

static const struct form {
    const char *name;
    int elements; /* of a filter */
    void (*taps)(const float *g, float *to);
    void (*run)(const problem *p);
} forms[] = {{"direct", 9, taps_direct, direct},
             {"F(4;3)", 18, taps_rows4, rows4},
             {"F(2x2;3x3)", 16, taps_square2, square2},
             {"F(4x4;3x3)", 36, taps_square4, square4}};
enum { FORMS = sizeof forms / sizeof *forms };

/* ---- measurement ---- */

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *array(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) {
        fprintf(stderr, "forms: out of memory\n");
        exit(1);
    }
    return memset(p, 0, bytes);
}

static float random_number(void) {
    return (float)rand() / (float)RAND_MAX - 0.5f;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(int height, int channels, int multiplier) {
    const size_t wide = (size_t)height + 2, inputs = wide * wide * (size_t)channels;
    const size_t filters = (size_t)channels * (size_t)multiplier, outputs = (size_t)height * (size_t)height * filters;
    float *in = array(inputs * sizeof *in), *exact = array(outputs * sizeof *exact), *filter[FORMS];
    ivec *picks = array((size_t)multiplier * sizeof *picks);
    problem p = {height, channels, multiplier, in, array(outputs * sizeof(float)), NULL, picks};
    double times[FORMS][ROUNDS], error[FORMS] = {0};
    for (int i = 0; i < multiplier * LANES; i++)
        picks[i / LANES][i % LANES] = i / multiplier;
    for (size_t y = 1; y + 1 < wide; y++)
        for (size_t i = (size_t)channels; i < (wide - 1) * (size_t)channels; i++)
            in[y * wide * (size_t)channels + i] = random_number();
    for (int f = 0; f < FORMS; f++)
        filter[f] = array(filters * (size_t)forms[f].elements * sizeof(float));
    for (size_t k = 0; k < filters; k++) { /* vector k/LANES, lane k%LANES */
        float g[TAPS * TAPS], to[36];
        for (int i = 0; i < TAPS * TAPS; i++)
            g[i] = random_number();
        for (int f = 0; f < FORMS; f++) {
            forms[f].taps(g, to);
            for (int i = 0; i < forms[f].elements; i++)
                filter[f][(k / LANES * (size_t)forms[f].elements + (size_t)i) * LANES + k % LANES] = to[i];
        }
    }
    for (int round = -1; round < ROUNDS; round++)
        for (int f = 0; f < FORMS; f++) {
            p.filter = (const vec *)(const void *)filter[f];
            const double start = seconds();
            forms[f].run(&p);
            if (round >= 0)
                times[f][round] = seconds() - start;
            else if (f == 0)
                memcpy(exact, p.out, outputs * sizeof *exact);
            for (size_t i = 0; round < 0 && i < outputs; i++)
                error[f] = fmax(error[f], fabs((double)p.out[i] - (double)exact[i]));
        }
    for (int f = 0; f < FORMS; f++) {
        qsort(times[f], ROUNDS, sizeof *times[f], ascending);
        printf("%d,%d,%d,%s,%.3f,%.2g\n", height, channels, multiplier, forms[f].name,
               1e9 * times[f][ROUNDS / 2] * LANES / (double)outputs, error[f]);
        free(filter[f]);
    }
    free(in);
    free(exact);
    free(picks);
    free(p.out);
}

int main(int count, char **words) {
    for (int i = 1; i + 2 < count; i += 3) {
        const int height = atoi(words[i]), channels = atoi(words[i + 1]), multiplier = atoi(words[i + 2]);
        if (height < 4 || height % 4 || channels < LANES || channels % LANES || multiplier < 1) {
            fprintf(stderr, "forms: %s %s %s: not a multiple of 4, a multiple of %d and a number\n", words[i],
                    words[i + 1], words[i + 2], LANES);
            return 2;
        }
        measure(height, channels, multiplier);
    }
    return 0;
}
