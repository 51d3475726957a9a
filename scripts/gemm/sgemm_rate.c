/* SPDX-License-Identifier: Apache-2.0 */
/* The rate of OpenBLAS alone, on one thread, for products of the sizes that im2col_gemm makes: m x taps by taps x n,
 * for one channel after the other, each with a result of its own.
 *
 *     sgemm_rate CHANNELS M N TAPS [CHANNELS M N TAPS ...]      prints for each: CHANNELS,M,N,TAPS,GFLOP/s of sgemm
 */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 51 };

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *random_array(size_t count) {
    float *array = aligned_alloc(64, (count * sizeof *array + 63) / 64 * 64);
    if (!array) {
        fprintf(stderr, "sgemm_rate: out of memory\n");
        exit(1);
    }
    for (size_t i = 0; i < count; i++)
        array[i] = (float)rand() / (float)RAND_MAX - 0.5f;
    return array;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median over the rounds of the time of all channels. */
static double time_of(int channels, int m, int n, int taps) {
    float *a = random_array((size_t)channels * (size_t)(m * taps)), *b = random_array((size_t)taps * (size_t)n);
    float *c = random_array((size_t)channels * (size_t)m * (size_t)n);
    double times[ROUNDS];
    for (int round = -1; round < ROUNDS; round++) {
        const double start = seconds();
        for (int i = 0; i < channels; i++)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, taps, 1, a + (size_t)i * (size_t)(m * taps),
                        taps, b, n, 0, c + (size_t)i * (size_t)m * (size_t)n, n);
        if (round >= 0)
            times[round] = seconds() - start;
    }
    free(a);
    free(b);
    free(c);
    qsort(times, ROUNDS, sizeof *times, ascending);
    return times[ROUNDS / 2];
}

int main(int count, char **words) {
    openblas_set_num_threads(1);
    for (int i = 1; i + 3 < count; i += 4) {
        const int channels = atoi(words[i]), m = atoi(words[i + 1]), n = atoi(words[i + 2]), taps = atoi(words[i + 3]);
        if (channels < 1 || m < 1 || n < 1 || taps < 1) {
            fprintf(stderr, "sgemm_rate: sizes begin at 1\n");
            return 2;
        }
        printf("%d,%d,%d,%d,%.1f\n", channels, m, n, taps,
               2e-9 * channels * m * n * taps / time_of(channels, m, n, taps));
    }
    return 0;
}
