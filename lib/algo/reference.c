/* SPDX-License-Identifier: Apache-2.0 */
/* reference: the oracle as an algorithm. Any problem, double accumulation, one rounding; never chosen by itself. */
#include "algo/algo.h"
#include "algo/oracle.h"
#include "core/threads.h"

#include <string.h>

enum { MEGAFLOPS = 300 }; /* about what the loop over taps reaches */

static double cost(const dwci_case *c, const dwci_params *params) {
    (void)params;
    return 2 * c->geometry.inbounds_taps / (1e6 * MEGAFLOPS * c->threads);
}

static int64_t output_rows(const dwci_case *c) {
    return c->geometry.output_elements == 0 ? 0 : c->problem.n * c->geometry.oh;
}

static bool prepare(dwci_solution *s, char *why, size_t size) {
    (void)why, (void)size;
    const dwci_case *c = &s->problem_case;
    int64_t rows = output_rows(c);
    s->prepared = (dwci_prepared){
        .kernel = "",
        .threads = rows < c->threads ? (rows > 0 ? (int)rows : 1) : c->threads,
        .packed_bytes = (size_t)c->geometry.filter_elements * c->geometry.element_bytes,
        .error_bound = ((double)c->problem.kh * (double)c->problem.kw + 2) * 0x1p-53,
        .componentwise = true,
    };
    return true;
}

static void pack(const dwci_solution *s, const void *filter, void *packed) {
    memcpy(packed, filter, s->prepared.packed_bytes);
}

typedef struct job {
    const dwci_solution *solution;
    const dwci_tensors *tensors;
} job;

static void run_share(void *data, int i, int count) {
    const job *work = data;
    const dwci_case *c = &work->solution->problem_case;
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const dwci_oracle oracle = {p, g, work->tensors->input, work->tensors->packed, work->tensors->bias};
    int64_t from, to;
    dwci_share(output_rows(c), i, count, &from, &to);
    for (int64_t row = from; row < to; row++)
        for (int64_t x = 0; x < g->ow; x++)
            for (int64_t channel = 0; channel < g->oc; channel++) {
                int64_t n = row / g->oh, y = row % g->oh;
                double value = dwci_oracle_activate(dwci_oracle_at(&oracle, n, y, x, channel).value, p->activation);
                char *out = (char *)work->tensors->output +
                            (size_t)dwci_output_index(p, g, n, y, x, channel) * g->element_bytes;
                dwc_convert_from_f64(p->dtype, &value, out, 1);
            }
}

static void run(const dwci_solution *s, const dwci_tensors *t) {
    job work = {s, t};
    dwci_parallel(s->problem_case.binding, s->prepared.threads, run_share, &work);
}

const dwci_algo dwci_algo_reference = {
    .name = "reference",
    .description = "the definition as plain loops in float64; the oracle, slow",
    .automatic = false,
    .in_order = true,
    .cost = cost,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
