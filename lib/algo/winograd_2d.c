/* SPDX-License-Identifier: Apache-2.0 */
/* Minimal filtering in both directions, F(2x2,3x3) and F(4x4,3x3): see kern/winograd.h for the mathematics and
 * kern/winograd_2d.inc for the loops. A depthwise filter has no sum over channels to share the inverse transform; what
 * is shared is the forward one, by the multiples of a channel. Where it wins and where not: tune/algorithms.md.
 *
 * Tiles begin at multiples of m of the rows and columns (dilation: of a phase of them), whatever the threads. */
#include "algo/arguments.h"
#include "algo/minimal_filtering.h"

#include <math.h>
#include <stdio.h>

enum { OUTPUTS, COLUMNS };
static const char *const param_names[] = {"outputs", "columns", NULL};
enum { TAPS = 3, MOST_COLUMNS = 64 };

static const dwci_winograd_kernel *list_of(const dwci_case *c) {
    return c->table->winograd_2d[c->problem.dtype - DWC_F16 + DWCI_KERN_F16];
}

static bool applicable(const dwci_case *c, char *why, size_t size) {
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    if (p->layout != DWC_NHWC)
        snprintf(why, size, "only NHWC");
    else if (p->kh != TAPS || p->kw != TAPS)
        snprintf(why, size, "only 3x3 taps");
    else if (p->sh != 1 || p->sw != 1)
        snprintf(why, size, "only stride 1");
    else if (p->c < dwci_lanes(c))
        snprintf(why, size, "fewer input channels than a vector of the CPU");
    else if (dwci_minimal_is_narrow(p->h, g->oh, p->dh, TAPS) || dwci_minimal_is_narrow(p->w, g->ow, p->dw, TAPS))
        snprintf(why, size, "fewer rows or columns of inputs or outputs than of taps: no error bound holds");
    else
        return true;
    return false;
}

/* Runs of 2 to 8 tiles, or one where a row has no more: filters are read once for each. */
static int candidates(const dwci_case *c, dwci_params *list, int most) {
    const int64_t row = (c->geometry.ow - 1) / c->problem.dw + 1;
    int count = 0;
    for (const dwci_winograd_kernel *k = list_of(c); k->name; k++)
        for (int tiles = k->m < row ? 2 : 1; tiles <= 8 && (tiles < 4 || tiles / 2 * k->m < row); tiles *= 2)
            if (count < most)
                list[count++] = (dwci_params){.value = {[OUTPUTS] = k->m, [COLUMNS] = tiles * k->m}};
    return count;
}

/* Nanoseconds of a tile, a fit on a server core with AVX-512 on 15 images of 14x14 to 56x56 with 1 to 32 multiples: the
 * forward transform, the outputs of a vector, and their lines. */
static double cost(const dwci_case *c, const dwci_params *params) {
    static const double FORWARD_NS[] = {22, 28}, OUTPUTS_NS[] = {16, 55}; /* m = 2, 4 */
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const int64_t m = params->value[OUTPUTS];
    if (g->output_elements == 0)
        return 0;
    const double rows = (double)(p->dh * dwci_quotient_up(dwci_quotient_up(g->oh, p->dh), m));
    const double columns = (double)(p->dw * dwci_quotient_up(dwci_quotient_up(g->ow, p->dw), m));
    const double lines = (double)(m * m * dwci_lanes(c)) * (double)g->element_bytes / 64, multiples = (double)p->m;
    const double tile = c->pace.arithmetic * (FORWARD_NS[m == 4] + multiples * OUTPUTS_NS[m == 4]) +
                        multiples * lines * dwci_minimal_line_ns(c);
    const double tiles = (double)(p->n * dwci_vectors(p->c, dwci_lanes(c))) * rows * columns;
    return 1e-9 * (tiles * tile + dwci_minimal_memory_ns(c)) / c->threads;
}

/* G g G^T: [n][n]. */
static bool transform(const dwci_solution *s, double (*g)[DWCI_WINOGRAD_MOST_TAPS], const void *filter, int64_t channel,
                      void *to, int64_t at) {
    const dwci_case *c = &s->problem_case;
    const dwci_winograd_kernel *k = s->prepared.state;
    double taps[TAPS * TAPS];
    bool finite = true;
    for (int i = 0; i < TAPS * TAPS; i++)
        taps[i] = dwci_filter_at(c, filter, i * c->geometry.oc + channel);
    for (int r = 0; r < k->m + TAPS - 1; r++)
        for (int t = 0; t < k->m + TAPS - 1; t++, at += dwci_lanes(c)) {
            double sum = 0;
            for (int i = 0; i < TAPS * TAPS; i++)
                sum += g[r][i / TAPS] * g[t][i % TAPS] * taps[i];
            finite = dwci_minimal_put(c, to, at, sum) && finite;
        }
    return finite;
}

static dwci_minimal way_of(const dwci_case *c, const dwci_winograd_kernel *k, const dwci_params *params) {
    const dwci_direct_args args = dwci_arguments(c, NULL);
    const int columns = params->value[COLUMNS], n = k->m + TAPS - 1;
    return (dwci_minimal){
        .kernel = k,
        .rows = k->m,
        .columns = columns,
        .scratch = dwci_winograd_2d_scratch(&args, k->m, TAPS, columns),
        .copies = 1,
        .elements = n * n,
        .transform = transform,
    };
}

static bool prepare(dwci_solution *s, char *why, size_t size) {
    enum { ROUNDINGS = 4, NO_BANDS = 0 }; /* low bands, as problems of their own, have no error bound */
    const int m = s->params.value[OUTPUTS], columns = s->params.value[COLUMNS];
    const dwci_winograd_kernel *kernel = dwci_minimal_find(list_of(&s->problem_case), m, TAPS);
    if (!kernel || columns < 1 || columns > MOST_COLUMNS) {
        snprintf(why, size, "params: no instance of outputs=%d, or columns=%d is not in 1..%d", m, columns,
                 MOST_COLUMNS);
        return false;
    }
    const dwci_minimal way = way_of(&s->problem_case, kernel, &s->params);
    return dwci_minimal_prepare(s, &way, ROUNDINGS, NO_BANDS, why, size);
}

static void pack(const dwci_solution *s, const void *filter, void *packed) {
    const dwci_minimal way = way_of(&s->problem_case, s->prepared.state, &s->params);
    dwci_minimal_pack(s, &way, filter, packed);
}

static void run(const dwci_solution *s, const dwci_tensors *t) {
    const dwci_minimal way = way_of(&s->problem_case, s->prepared.state, &s->params);
    dwci_minimal_run(s, &way, t);
}

const dwci_algo dwci_algo_winograd_2d = {
    .name = "winograd_2d",
    .revision = 4,
    .description = "minimal filtering in both directions; NHWC, stride 1, 3x3 taps",
    .automatic = true,
    .param_names = param_names,
    .tile_params = 2,
    .applicable = applicable,
    .candidates = candidates,
    .cost = cost,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
