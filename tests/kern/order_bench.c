/* SPDX-License-Identifier: Apache-2.0 */
/* What the order costs in which a convolution touches cache lines; figures, no verdict:
 *
 *     order_bench [H W C]...     of the input; W - 2 a multiple of 6, C one of 16
 *
 * Bare loops over an NHWC float32 image, again and again, one thread: a line of 16 channels is loaded, takes part in
 * nine multiply-adds, as in a 3x3 filter, and a line of outputs is stored. A line of CSV for each image and distance
 * of the output from the input (bytes, modulo a page), nanoseconds for a line of outputs:
 *
 *     linear   from the first byte to the last
 *     strips   6 pixels wide, down 4 rows or all, whichever is faster, vector after vector of channels
 *     halo     the same, and the pixels beside and above that a 3x3 filter takes as well are loaded
 *     direct   what `direct` takes for a 3x3 filter, VALID, as the cost model has it
 *
 * The loops are compiled for AVX-512, AVX2 and the baseline where the compiler can do that, else for the baseline. */
#include "dwconv.h"
#include "tune/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 64, LANES = 16, WIDTH = 6, TAPS = 9, HALO = 2, PAGE = 4096, SAMPLES = 25, LINES_OF_A_SAMPLE = 50000 };
typedef float vec __attribute__((vector_size(LINE), aligned(4), may_alias));

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#define FOR_EVERY_CPU __attribute__((target_clones("avx512f", "fma", "default")))
#else
#define FOR_EVERY_CPU
#endif

typedef struct image {
    const char *in;
    char *out;
    long h, w, pixel; /* of the output; the last: bytes */
    vec filter[TAPS];
    dwc_plan *plan;
    void *packed, *workspace;
} image;

typedef void (*loop)(const image *m, long band, long halo);

#define AT(p) (*(vec *)(p))
#define PRODUCTS(sum, v) _Pragma("GCC unroll 9") for (int k = 0; k < TAPS; k++)(sum) += (v)*filter[k]

FOR_EVERY_CPU static void linear(const image *m, long band, long halo) {
    vec filter[TAPS];
    (void)band, (void)halo;
    memcpy(filter, m->filter, sizeof filter);
    for (long at = 0; at < m->h * m->w * m->pixel; at += LINE) {
        vec sum = {0};
        const vec v = AT(m->in + at);
        PRODUCTS(sum, v);
        AT(m->out + at) = sum;
    }
}

/* The input has `halo` more rows and columns than the output. */
FOR_EVERY_CPU static void strips(const image *m, long band, long halo) {
    const long in_row = (m->w + halo) * m->pixel, out_row = m->w * m->pixel;
    vec filter[TAPS];
    memcpy(filter, m->filter, sizeof filter);
    for (long y = 0; y < m->h; y += band)
        for (long x = 0; x < m->w; x += WIDTH)
            for (long c = 0; c < m->pixel; c += LINE) {
                const char *in = m->in + y * in_row + x * m->pixel + c;
                char *out = m->out + y * out_row + x * m->pixel + c;
                vec more[HALO] = {{0}}; /* of what is loaded and has no output of its own */
                for (long r = 0; r < halo; r++, in += in_row)
                    _Pragma("GCC unroll 8") for (long j = 0; j < WIDTH + HALO; j++) more[j % HALO] +=
                        AT(in + j * m->pixel);
                for (long r = y; r < y + band && r < m->h; r++, in += in_row, out += out_row) {
                    if (halo > 0)
                        _Pragma("GCC unroll 2") for (long j = 0; j < HALO; j++) more[j] +=
                            AT(in + (WIDTH + j) * m->pixel);
                    _Pragma("GCC unroll 6") for (long j = 0; j < WIDTH; j++) {
                        vec sum = more[j % HALO];
                        const vec v = AT(in + j * m->pixel);
                        PRODUCTS(sum, v);
                        AT(out + j * m->pixel) = sum;
                    }
                }
            }
}

static void check(dwc_status status, const dwc_error *error) {
    if (status != DWC_OK) {
        fprintf(stderr, "order_bench: %s\n", error->message);
        exit(1);
    }
}

static void direct(const image *m, long band, long halo) {
    dwc_error error;
    (void)band, (void)halo;
    check(dwc_plan_execute(m->plan, m->in, m->packed, NULL, m->out, m->workspace, &error), &error);
}

/* Nanoseconds for a line of outputs, the least of some samples. */
static double time_of(const image *m, loop run, long band, long halo) {
    const double lines = (double)(m->h * m->w) * (double)(m->pixel / LINE);
    const int runs = 1 + (int)(LINES_OF_A_SAMPLE / lines);
    double least = 1e9;
    for (int i = 0; i < SAMPLES; i++) {
        const double start = dwct_seconds();
        for (int k = 0; k < runs; k++)
            run(m, band, halo);
        const double ns = 1e9 * (dwct_seconds() - start) / runs / lines;
        least = ns < least ? ns : least;
    }
    return least;
}

/* In bands of 4 rows or in one, whichever is faster. */
static double time_of_strips(const image *m, long halo) {
    const double low = time_of(m, strips, 4, halo), high = time_of(m, strips, m->h, halo);
    return low < high ? low : high;
}

static void *allocate(const dwc_context *context, size_t bytes) {
    void *memory = dwc_allocate(context, bytes);
    if (!memory) {
        fprintf(stderr, "order_bench: no memory\n");
        exit(1);
    }
    for (size_t i = 0; i < bytes / sizeof(float); i++)
        ((float *)memory)[i] = (float)(i % 977) * 1e-3f;
    return memory;
}

static void make_plan(const dwc_context *context, image *m, const float *filter) {
    const dwc_plan_options options = {.algo = "direct", .threads = 1};
    dwc_plan_info info;
    dwc_problem problem;
    dwc_error error;
    dwc_problem_init(&problem);
    problem.h = m->h + HALO, problem.w = m->w + HALO, problem.c = m->pixel / (long)sizeof(float);
    problem.kh = problem.kw = 3;
    problem.padding = DWC_VALID;
    check(dwc_plan_create(context, &problem, &options, &m->plan, &error), &error);
    dwc_plan_get_info(m->plan, &info);
    m->packed = allocate(context, info.packed_bytes);
    m->workspace = allocate(context, info.workspace_bytes);
    check(dwc_plan_pack_filter(m->plan, filter, m->packed, &error), &error);
}

static void measure(const dwc_context *context, long h, long w, long c) {
    static const long distances[] = {PAGE / 2, 0, 16};
    const long pixel = c * (long)sizeof(float), bytes = h * w * pixel;
    image m = {.h = h - HALO, .w = w - HALO, .pixel = pixel};
    char *memory = allocate(context, (size_t)(2 * bytes + 4 * PAGE));
    float *filter = allocate(context, (size_t)(TAPS * pixel));
    for (int k = 0; k < TAPS; k++)
        m.filter[k] = AT(filter + k) + 0.5f;
    m.in = memory + PAGE - (long)((size_t)memory % PAGE);
    make_plan(context, &m, filter);
    for (size_t i = 0; i < sizeof distances / sizeof *distances; i++) {
        m.out = (char *)m.in + (bytes + PAGE - 1) / PAGE * PAGE + distances[i];
        const double in_line = time_of(&m, linear, 0, 0), in_strips = time_of_strips(&m, 0);
        const double with_halo = time_of_strips(&m, HALO), by_direct = time_of(&m, direct, 0, 0);
        printf("%ldx%ldx%ld,%ld,%.2f,%.2f,%.2f,%.2f\n", h, w, c, distances[i], in_line, in_strips, with_halo,
               by_direct);
    }
    dwc_plan_destroy(m.plan);
    void *const all[] = {memory, filter, m.packed, m.workspace};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dwc_release(context, all[i]);
}

int main(int argc, char **argv) {
    static const char *const usual[] = {"18", "20", "64", "30", "32", "192", "16", "20", "576", "58", "56", "144"};
    const char *const *sizes = argc > 1 ? (const char *const *)argv + 1 : usual;
    const int count = argc > 1 ? argc - 1 : (int)(sizeof usual / sizeof *usual);
    dwc_context *context;
    dwc_error error;
    check(dwc_context_create(NULL, &context, &error), &error);
    printf("image,distance,linear_ns,strips_ns,halo_ns,direct_ns\n");
    for (int i = 0; i < count; i += 3) {
        const long h = atol(sizes[i]), w = i + 1 < count ? atol(sizes[i + 1]) : 0,
                   c = i + 2 < count ? atol(sizes[i + 2]) : 0;
        if (h <= HALO || w <= HALO || (w - HALO) % WIDTH != 0 || c <= 0 || c % LANES != 0) {
            fprintf(stderr, "order_bench: %ldx%ldx%ld: needs H and W above 2, W - 2 a multiple of 6, C one of 16\n", h,
                    w, c);
            return 1;
        }
        measure(context, h, w, c);
    }
    dwc_context_destroy(context);
    return 0;
}
