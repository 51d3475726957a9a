/* SPDX-License-Identifier: Apache-2.0 */
/* Packed filters and units of minimal filtering, see minimal_filtering.h. */
#include "algo/minimal_filtering.h"

#include "algo/arguments.h"
#include "algo/guarded.h"
#include "core/cost.h"
#include "core/threads.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const dwci_winograd_kernel *dwci_minimal_find(const dwci_winograd_kernel *list, int m, int taps) {
    for (const dwci_winograd_kernel *k = list; k->name; k++)
        if (k->m == m && k->taps == taps)
            return k;
    return NULL;
}

/* ---- the packed filter ------------------------------------------------------------------------------------------- */

/* Bytes of the constants and the transformed filter. */
static bool own_bytes(const dwci_case *c, const dwci_minimal *way, size_t *bytes) {
    *bytes = DWCI_WINOGRAD_CONSTANTS;
    if (c->geometry.filter_elements == 0)
        return true;
    const int64_t lanes = dwci_lanes(c), channels = dwci_vectors_before_copy(way->copies, c->problem.c, lanes) * lanes;
    size_t filter;
    if (__builtin_mul_overflow(channels, way->elements, &filter) ||
        __builtin_mul_overflow(filter, c->problem.m, &filter) ||
        __builtin_mul_overflow(filter, dwci_accumulator_bytes(c), &filter) || filter > PTRDIFF_MAX / 2)
        return false;
    *bytes += filter;
    return true;
}

/* G, elements x taps. */
static void filter_transform(int pairs, int taps, double (*g)[DWCI_WINOGRAD_MOST_TAPS]) {
    const int elements = 2 * pairs + 2;
    memset(g, 0, sizeof *g * (size_t)elements);
    g[0][0] = 1 / dwci_winograd_coefficient(pairs, 0, pairs, -1, 0);
    g[elements - 1][taps - 1] = 1;
    for (int k = 0; k < pairs; k++) {
        const double p = dwci_winograd_point(pairs, k);
        double divisor = 0, power = 1;
        for (int i = pairs - 1; i >= 0; i--)
            divisor = divisor * p * p + dwci_winograd_coefficient(pairs, 0, pairs, k, i);
        divisor *= 2 * p * p;
        for (int a = 0; a < taps; a++, power *= p) {
            g[2 * k + 1][a] = power / divisor;
            g[2 * k + 2][a] = (a % 2 ? -power : power) / divisor;
        }
    }
}

bool dwci_minimal_put(const dwci_case *c, void *packed, int64_t index, double value) {
    dwci_put(c, packed, index, value);
    return fabs(value) <= (c->problem.dtype == DWC_F64 ? DBL_MAX : FLT_MAX);
}

/* The transformed filters of the multiples of a vector of input channels from c0 on: [multiplier][elements][lanes].
 * False if they are not finite. */
static bool pack_vector(const dwci_solution *s, const dwci_minimal *way, double (*g)[DWCI_WINOGRAD_MOST_TAPS],
                        const void *filter, int64_t c0, void *to) {
    const dwci_case *c = &s->problem_case;
    const int64_t lanes = dwci_lanes(c), m = c->problem.m;
    bool finite = true;
    for (int64_t i = 0; i < m * lanes; i++)
        finite = way->transform(s, g, filter, c0 * m + i, to, i / lanes * way->elements * lanes + i % lanes) && finite;
    return finite;
}

void dwci_minimal_pack(const dwci_solution *s, const dwci_minimal *way, const void *filter, void *packed) {
    const dwci_case *c = &s->problem_case;
    const int64_t lanes = dwci_lanes(c), channels = c->problem.c;
    double g[DWCI_WINOGRAD_MOST_ELEMENTS][DWCI_WINOGRAD_MOST_TAPS];
    size_t own;
    own_bytes(c, way, &own);
    char *to = dwci_guarded_pack(c, filter, packed, own);
    if (c->geometry.filter_elements == 0)
        return;
    const size_t vector =
        (own - DWCI_WINOGRAD_CONSTANTS) / (size_t)dwci_vectors_before_copy(way->copies, channels, lanes);
    way->kernel->constants(to);
    to += DWCI_WINOGRAD_CONSTANTS;
    filter_transform((way->kernel->m + way->kernel->taps) / 2 - 1, way->kernel->taps, g);
    bool finite = true;
    for (int64_t copy = 0; copy < way->copies; copy++) {
        const int64_t start = dwci_copy_start(copy, lanes, (int64_t)c->geometry.element_bytes);
        for (int64_t v = 0; v < dwci_copy_vectors(copy, channels, lanes); v++, to += vector)
            finite = pack_vector(s, way, g, filter, dwci_vector_of_copy(v, start, channels, lanes), to) && finite;
    }
    if (!finite)
        dwci_guarded_refuse(packed);
}

/* ---- units ------------------------------------------------------------------------------------------------------- */

/* Phases of an image: the first `longer` have a row more than the others. */
typedef struct units {
    int64_t phases, longer, rows;
    int64_t bands, groups; /* of a phase; channel vectors */
} units;

static units units_of(const dwci_case *c, const dwci_minimal *way) {
    const dwc_geometry *g = &c->geometry;
    units u = {.phases = c->problem.dh < g->oh ? c->problem.dh : g->oh};
    u.longer = g->oh % u.phases;
    u.rows = g->oh / u.phases;
    u.bands = dwci_quotient_up(u.rows + (u.longer > 0), way->rows);
    u.groups = dwci_vectors(c->problem.c, dwci_lanes(c));
    return u;
}

static int64_t count_of(const dwci_case *c, const units *u) {
    return c->problem.n * u->phases * u->groups * u->bands;
}

/* ---- cost and preparation ---------------------------------------------------------------------------------------- */

double dwci_minimal_line_ns(const dwci_case *c) {
    static const double NEAR_LINE_NS = 1.75, FAR_LINE_NS = 5.2, FAR_FROM = 0.6; /* of the second cache */
    const double full = dwci_cost_footprint(c) / (double)c->problem.n / dwci_second_cache(c->machine);
    const double far = fmin(fmax(full - FAR_FROM, 0) / (1 - FAR_FROM), 1);
    return NEAR_LINE_NS * (1 - far) * c->pace.near + FAR_LINE_NS * far * c->pace.far;
}

double dwci_minimal_memory_ns(const dwci_case *c) {
    static const double LINE_NS = 11;
    return dwci_cost_from_memory(c) ? c->pace.memory * dwci_cost_footprint(c) / 64 * LINE_NS : 0;
}

bool dwci_minimal_prepare(dwci_solution *s, const dwci_minimal *way, double roundings, int64_t band_rows, char *why,
                          size_t size) {
    const dwci_case *c = &s->problem_case;
    size_t own, packed_bytes;
    if (c->problem.m > PTRDIFF_MAX / 4096 || !own_bytes(c, way, &own) || !dwci_guarded_bytes(c, own, &packed_bytes)) {
        snprintf(why, size, "the packed filter does not fit the address space");
        return false;
    }
    int threads = 1;
    if (c->geometry.output_elements > 0) {
        const units u = units_of(c, way);
        threads = dwci_cost_threads(c, 0.5, count_of(c, &u));
    }
    const size_t scratch = (size_t)(way->scratch * dwci_lanes(c)) * dwci_accumulator_bytes(c);
    s->prepared = (dwci_prepared){
        .kernel = way->kernel->name,
        .state = way->kernel,
        .threads = threads,
        .packed_bytes = packed_bytes,
        .workspace_bytes = (scratch + 63) / 64 * 64 * (size_t)threads,
        .error_bound = (way->kernel->error + roundings) * (c->problem.dtype == DWC_F64 ? 0x1p-53 : 0x1p-24),
        .spreads_nonfinite = true,
        .band_rows = band_rows,
    };
    return true;
}

/* ---- work -------------------------------------------------------------------------------------------------------- */

typedef struct job {
    const dwci_solution *solution;
    const dwci_minimal *way;
    const dwci_tensors *tensors;
} job;

static void run_share(void *data, int i, int count) {
    const job *work = data;
    const dwci_solution *s = work->solution;
    const dwci_minimal *way = work->way;
    const dwci_case *c = &s->problem_case;
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const units u = units_of(c, way);
    dwci_direct_args problem = dwci_arguments(c, work->tensors->bias);
    problem.copies = way->copies;
    const char *own = dwci_guarded_filter(work->tensors->packed);
    const dwci_winograd_args args = {
        .g = &problem,
        .constants = own,
        .filter = own + DWCI_WINOGRAD_CONSTANTS,
        .columns = way->columns,
        .scratch =
            (char *)work->tensors->workspace + s->prepared.workspace_bytes / (size_t)s->prepared.threads * (size_t)i,
    };
    int64_t unit, end;
    dwci_share(count_of(c, &u), i, count, &unit, &end);
    while (unit < end) {
        const int64_t first = unit % u.bands, bands = end - unit < u.bands - first ? end - unit : u.bands - first;
        const int64_t n = unit / u.bands / u.groups / u.phases, phase = unit / u.bands / u.groups % u.phases;
        const int64_t rows = u.rows + (phase < u.longer), y = first * way->rows;
        const int64_t left = rows - y, most = bands * way->rows;
        const dwci_winograd_part part = {
            .phase = phase, .y = y, .rows = left < most ? left : most, .group = unit / u.bands % u.groups};
        if (part.rows > 0)
            way->kernel->run(
                &args, (const char *)work->tensors->input + (size_t)(n * p->h * p->w * p->c) * g->element_bytes,
                (char *)work->tensors->output + (size_t)(n * g->oh * g->ow * g->oc) * g->element_bytes, &part);
        unit += bands;
    }
}

void dwci_minimal_run(const dwci_solution *s, const dwci_minimal *way, const dwci_tensors *t) {
    job work = {s, way, t};
    size_t own;
    own_bytes(&s->problem_case, way, &own);
    if (!dwci_guarded_run(s, t, own))
        dwci_parallel(s->problem_case.binding, s->prepared.threads, run_share, &work);
}
