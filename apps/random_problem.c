/* SPDX-License-Identifier: Apache-2.0 */
/* Random problems; see random_problem.h. Fields are drawn from ranges in a table and drawn again until the problem is
 * valid and small enough for the slow exact computation it is compared with. */
#include "random_problem.h"

#include <stddef.h>

static const double most_taps = 300000; /* milliseconds of the exact computation */

static const struct {
    size_t offset;
    int low, high;
} ranges[] = {
    {offsetof(dwc_problem, n), 1, 3},  {offsetof(dwc_problem, h), 1, 24}, {offsetof(dwc_problem, w), 1, 24},
    {offsetof(dwc_problem, c), 1, 20}, {offsetof(dwc_problem, m), 1, 5},  {offsetof(dwc_problem, kh), 1, 7},
    {offsetof(dwc_problem, kw), 1, 7}, {offsetof(dwc_problem, sh), 1, 4}, {offsetof(dwc_problem, sw), 1, 4},
    {offsetof(dwc_problem, dh), 1, 4}, {offsetof(dwc_problem, dw), 1, 4},
};

/* Sizes that may be 0, each in one problem of a hundred. */
static const size_t may_be_zero[] = {offsetof(dwc_problem, n), offsetof(dwc_problem, h), offsetof(dwc_problem, w),
                                     offsetof(dwc_problem, c), offsetof(dwc_problem, m)};

uint64_t random_bits(random_state *random) {
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t random_range(random_state *random, int64_t low, int64_t high) {
    return low + (int64_t)(random_bits(random) % (uint64_t)(high - low + 1));
}

static int64_t *field(dwc_problem *problem, size_t offset) {
    return (int64_t *)(void *)((char *)problem + offset);
}

static void draw(random_state *random, dwc_problem *p) {
    dwc_problem_init(p);
    p->dtype = (dwc_dtype)random_range(random, DWC_F16, DWC_F64);
    p->layout = (dwc_layout)random_range(random, DWC_NHWC, DWC_NCHW);
    p->padding = (dwc_padding)random_range(random, DWC_SAME, DWC_EXPLICIT);
    p->activation = (dwc_activation)random_range(random, DWC_NO_ACTIVATION, DWC_RELU6);
    p->bias = (int)random_range(random, 0, 1);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        *field(p, ranges[i].offset) = random_range(random, ranges[i].low, ranges[i].high);
    if (random_range(random, 0, 1) == 0) { /* what networks have, and some algorithms are made for */
        static const int sides[] = {3, 3, 5, 7};
        p->kh = p->kw = sides[random_range(random, 0, 3)];
        p->sh = p->sw = 1;
        if (random_range(random, 0, 1) == 0)
            p->dh = p->dw = 1;
        p->c += 16;
    }
    for (size_t i = 0; i < sizeof may_be_zero / sizeof *may_be_zero; i++)
        if (random_range(random, 0, 99) == 0)
            *field(p, may_be_zero[i]) = 0;
    int64_t *pads[] = {&p->pad_top, &p->pad_bottom, &p->pad_left, &p->pad_right};
    for (int i = 0; i < 4; i++)
        *pads[i] = p->padding == DWC_EXPLICIT ? random_range(random, 0, 8) : 0;
}

dwc_problem random_problem(random_state *random) {
    dwc_problem problem;
    dwc_geometry geometry;
    do
        draw(random, &problem);
    while (dwc_problem_geometry(&problem, &geometry, NULL) || geometry.inbounds_taps > most_taps);
    return problem;
}

random_state random_for_problem(uint64_t seed, const dwc_problem *problem) {
    char text[DWC_PROBLEM_TEXT_MAX];
    random_state random = {seed};
    dwc_problem_print(problem, text, sizeof text);
    for (const char *at = text; *at; at++) {
        random.state ^= (unsigned char)*at;
        random_bits(&random);
        random.state *= UINT64_C(0x100000001b3);
    }
    return random;
}

void random_fill(random_state *random, dwc_dtype dtype, void *data, int64_t count) {
    double block[256];
    size_t bytes = dwc_dtype_bytes(dtype);
    for (int64_t done = 0; done < count;) {
        int64_t size = count - done < 256 ? count - done : 256;
        for (int64_t i = 0; i < size; i++)
            block[i] = (double)(int64_t)random_bits(random) * 0x1p-63;
        dwc_convert_from_f64(dtype, block, (char *)data + (size_t)done * bytes, size);
        done += size;
    }
}
