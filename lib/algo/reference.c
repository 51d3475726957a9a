/* SPDX-License-Identifier: Apache-2.0 */
/* reference: the oracle as an algorithm. Any problem, double accumulation, one rounding; never chosen by itself. */
#include "algo/algo.h"
#include "algo/oracle.h"

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
        .band_rows = 1,
    };
    return true;
}

static void pack(const dwci_solution *s, const void *filter, void *packed) {
    memcpy(packed, filter, s->prepared.packed_bytes);
}

static void run(const dwci_solution *s, const dwci_tensors *t) {
    const dwci_case *c = &s->problem_case;
    const dwci_oracle oracle = {&c->problem, &c->geometry, t->input, t->packed, t->bias};
    dwci_oracle_run(&oracle, t->output, c->binding, s->prepared.threads);
}

const dwci_algo dwci_algo_reference = {
    .name = "reference",
    .revision = 1,
    .description = "the definition as plain loops in float64; the oracle, slow",
    .automatic = false,
    .cost = cost,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
