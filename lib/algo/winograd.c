/* SPDX-License-Identifier: Apache-2.0 */
/* winograd: minimal filtering down the columns, direct along the rows; NHWC, stride 1, 3, 5, 7 or 9 rows of taps, any
 * dilation. See kern/winograd.h for the mathematics, kern/winograd.inc for the loops.
 *
 *     units, in order, equal shares for the threads: images x bands of m output rows x vectors of input channels
 *
 * Bands start at multiples of m rows of a phase of the image (dilation: see kern/direct_nhwc.inc), whatever the
 * threads. The multiples of a channel share its transform, which is what pays most.
 *
 * Two-dimensional forms are not here: a depthwise filter has no sum over channels to share the inverse transform. For
 * each output F(4x4,3x3) needs 2.25 products and about 5 additions and multiplications of the inverse, F(4,3) down the
 * columns 4.5 and 2; F(2x2,3x3) 4 and 6, F(2,3) 6 and 2; with any number of multiples to share the forward transform.
 */
#include "algo/arguments.h"
#include "algo/guarded.h"
#include "core/cost.h"
#include "core/threads.h"
#include "kern/winograd.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS, COLUMNS };
static const char *const param_names[] = {"rows", "columns", NULL};
enum { MOST_COLUMNS = 64 };

static const dwci_winograd_kernel *list_of(const dwci_case *c) {
    return c->table->winograd[c->problem.dtype - DWC_F16 + DWCI_KERN_F16];
}

/* The instance for m rows; NULL if there is none. */
static const dwci_winograd_kernel *find(const dwci_case *c, int rows) {
    for (const dwci_winograd_kernel *k = list_of(c); k->name; k++)
        if (k->kh == c->problem.kh && k->m == rows)
            return k;
    return NULL;
}

static bool applicable(const dwci_case *c, char *why, size_t size) {
    const dwc_problem *p = &c->problem;
    bool taps = false;
    for (const dwci_winograd_kernel *k = list_of(c); k->name; k++)
        taps = taps || k->kh == p->kh;
    if (p->layout != DWC_NHWC)
        snprintf(why, size, "only NHWC");
    else if (!taps || p->kw > DWCI_WINOGRAD_MOST_COLUMNS)
        snprintf(why, size, "only 3, 5, 7 or 9 rows and up to %d columns of taps", DWCI_WINOGRAD_MOST_COLUMNS);
    else if (p->sh != 1 || p->sw != 1)
        snprintf(why, size, "only stride 1");
    else if (p->c < dwci_lanes(c))
        snprintf(why, size, "fewer input channels than a vector of the CPU");
    else
        return true;
    return false;
}

/* Has the image fewer rows than the kernel? Then some rows may meet small taps only, and no bound holds (see the
 * `error` of an instance). */
static bool is_low(const dwci_case *c) {
    const dwc_problem *p = &c->problem;
    return (p->h - 1) / p->dh < p->kh - 1 || (c->geometry.oh - 1) / p->dh < p->kh - 1;
}

/* None for low images: these come with parameters, as bands of others. */
static int candidates(const dwci_case *c, dwci_params *list, int most) {
    int count = 0;
    if (is_low(c))
        return 0;
    for (const dwci_winograd_kernel *k = list_of(c); k->name; k++)
        for (int columns = 14; columns <= 28 && k->kh == c->problem.kh; columns *= 2)
            if (count < most && (columns == 14 || c->geometry.ow > 14))
                list[count++] = (dwci_params){.value = {[ROWS] = k->m, [COLUMNS] = columns}};
    return count;
}

/* ---- units ------------------------------------------------------------------------------------------------------- */

/* Phases of an image: the first `longer` have a row more than the others. */
typedef struct banding {
    int64_t phases, longer, rows;
    int64_t bands_longer, bands; /* of a longer phase, of another */
    int64_t all, groups;         /* bands of an image, channel vectors */
} banding;

static banding banding_of(const dwci_case *c, int m) {
    const dwc_geometry *g = &c->geometry;
    banding b = {.phases = c->problem.dh < g->oh ? c->problem.dh : g->oh};
    b.longer = g->oh % b.phases;
    b.rows = g->oh / b.phases;
    b.bands_longer = dwci_quotient_up(b.rows + 1, m);
    b.bands = dwci_quotient_up(b.rows, m);
    b.all = b.longer * b.bands_longer + (b.phases - b.longer) * b.bands;
    b.groups = dwci_vectors(c->problem.c, dwci_lanes(c));
    return b;
}

static dwci_winograd_part band_of(const banding *b, int64_t band, int m) {
    const int64_t first = b->longer * b->bands_longer;
    const bool longer = band < first;
    const int64_t each = longer ? b->bands_longer : b->bands, at = longer ? band : band - first;
    dwci_winograd_part part = {.phase = (longer ? 0 : b->longer) + at / each, .y = at % each * m};
    const int64_t left = b->rows + longer - part.y;
    part.rows = left < m ? left : m;
    return part;
}

/* ---- cost -------------------------------------------------------------------------------------------------------- */

/* Nanoseconds, a fit on AMD Zen 3: 48 layers, the best of their candidates, within 0.72 to 1.21 of what was measured.
 * CAUTION keeps to direct where the two are close: with 7 rows of taps on a server core of 2024, multipliers 1 to 32,
 * the sum is 0.7 to 1.5 of what was measured, 1.5 where the outputs do not fit the second cache. */
static double cost(const dwci_case *c, const dwci_params *params) {
    static const double INSTRUCTION_NS = 0.2, ROW_NS = 0.72, FAR_LINE_NS = 1.5, CAUTION = 1.4;
    const dwc_problem *p = &c->problem;
    if (c->geometry.output_elements == 0)
        return 0;
    const banding b = banding_of(c, params->value[ROWS]);
    const double m = params->value[ROWS], n = m + (double)p->kh - 1, pairs = n / 2 - 1, kw = (double)p->kw;
    const double segments = (double)dwci_quotient_up(c->geometry.ow, params->value[COLUMNS]), multiples = (double)p->m;
    const double columns = (double)c->geometry.ow / segments, wider = (columns + kw - 1) / columns;
    const double rows = (double)p->n * (double)b.all * (double)b.groups; /* bands of channel vectors */
    const double forward = (2 * n + 2 * pairs * (pairs + 1) + 6) * wider;
    const double products = n * (kw + (1 + (kw - 1) / 7) * (p->m > 1 ? 2 : 1) + 1);
    const double inverse = 3 * pairs + m * (pairs + 1) + 4;
    const double lines = (double)dwci_lanes(c) * (double)c->geometry.element_bytes / 64 * (n * wider + m * multiples);
    const double l2 = c->machine->l2_bytes > 0 ? (double)c->machine->l2_bytes : 512 << 10;
    /* What comes and goes at no cost worth a term: behind a large second cache the last one is far. */
    const double near = l2 >= 1 << 20 ? l2 : 4 << 20, memory_line_ns = l2 >= 1 << 20 ? 11 : 2;
    const double footprint = dwci_cost_footprint(c);
    double ns = rows * segments * n * (1 + multiples) * ROW_NS;
    ns += rows * (double)c->geometry.ow * INSTRUCTION_NS * (forward + multiples * (products + inverse));
    if (dwci_cost_from_memory(c))
        ns += footprint / 64 * memory_line_ns;
    else if (footprint / (double)p->n > near)
        ns += rows * (double)c->geometry.ow * lines * FAR_LINE_NS;
    return 1e-9 * ns * CAUTION / c->threads;
}

/* ---- preparation ------------------------------------------------------------------------------------------------- */

static int elements_of(const dwci_case *c, int m) {
    return m + (int)c->problem.kh - 1;
}

/* Bytes of the constants and the transformed filter. */
static bool own_bytes(const dwci_case *c, int m, size_t *bytes) {
    *bytes = DWCI_WINOGRAD_CONSTANTS;
    if (c->geometry.filter_elements == 0)
        return true;
    const int64_t channels = dwci_vectors(c->problem.c, dwci_lanes(c)) * dwci_lanes(c);
    size_t filter;
    if (__builtin_mul_overflow(channels, c->problem.kw * elements_of(c, m), &filter) ||
        __builtin_mul_overflow(filter, c->problem.m, &filter) ||
        __builtin_mul_overflow(filter, dwci_accumulator_bytes(c), &filter) || filter > PTRDIFF_MAX / 2)
        return false;
    *bytes += filter;
    return true;
}

static bool prepare(dwci_solution *s, char *why, size_t size) {
    const dwci_case *c = &s->problem_case;
    const int m = s->params.value[ROWS], columns = s->params.value[COLUMNS];
    const dwci_winograd_kernel *kernel = find(c, m);
    size_t own, packed_bytes;
    if (!kernel || columns < 1 || columns > MOST_COLUMNS) {
        snprintf(why, size, "params: no instance of rows=%d, or columns=%d is not in 1..%d", m, columns, MOST_COLUMNS);
        return false;
    }
    if (!own_bytes(c, m, &own) || !dwci_guarded_bytes(c, own, &packed_bytes)) {
        snprintf(why, size, "the packed filter does not fit the address space");
        return false;
    }
    int threads = 1;
    if (c->geometry.output_elements > 0) {
        const banding b = banding_of(c, m);
        threads = dwci_cost_threads(c, 0.5, c->problem.n * b.all * b.groups);
    }
    const size_t scratch = (size_t)dwci_winograd_scratch(elements_of(c, m), columns, c->problem.kw) *
                           (size_t)dwci_lanes(c) * dwci_accumulator_bytes(c);
    s->prepared = (dwci_prepared){
        .kernel = kernel->name,
        .state = kernel,
        .threads = threads,
        .packed_bytes = packed_bytes,
        .workspace_bytes = (scratch + 63) / 64 * 64 * (size_t)threads,
        .error_bound =
            is_low(c) ? 1
                      : (kernel->error + (double)c->problem.kw + 2) * (c->problem.dtype == DWC_F64 ? 0x1p-53 : 0x1p-24),
        .spreads_nonfinite = true,
        .band_rows = c->problem.dh <= INT64_MAX / m ? c->problem.dh * m : 0,
    };
    return true;
}

/* G, elements x taps. */
static void filter_transform(int pairs, int taps, double (*g)[DWCI_WINOGRAD_MOST_COLUMNS]) {
    const int elements = 2 * pairs + 2;
    memset(g, 0, sizeof *g * (size_t)elements);
    g[0][0] = 1 / dwci_winograd_coefficient(pairs, -1, 0);
    g[elements - 1][taps - 1] = 1;
    for (int k = 0; k < pairs; k++) {
        const double p = dwci_winograd_point(pairs, k);
        double divisor = 0, power = 1;
        for (int i = pairs - 1; i >= 0; i--)
            divisor = divisor * p * p + dwci_winograd_coefficient(pairs, k, i);
        divisor *= 2 * p * p;
        for (int a = 0; a < taps; a++, power *= p) {
            g[2 * k + 1][a] = power / divisor;
            g[2 * k + 2][a] = (a % 2 ? -power : power) / divisor;
        }
    }
}

static void pack(const dwci_solution *s, const void *filter, void *packed) {
    const dwci_case *c = &s->problem_case;
    const dwc_problem *p = &c->problem;
    const dwci_winograd_kernel *kernel = s->prepared.state;
    const int64_t lanes = dwci_lanes(c), oc = c->geometry.oc;
    const int elements = elements_of(c, kernel->m), taps = (int)p->kh;
    double g[DWCI_WINOGRAD_MOST_ELEMENTS][DWCI_WINOGRAD_MOST_COLUMNS];
    size_t own;
    own_bytes(c, kernel->m, &own);
    char *constants = dwci_guarded_pack(c, filter, packed, own);
    void *to = constants + DWCI_WINOGRAD_CONSTANTS;
    kernel->constants(constants);
    filter_transform(elements / 2 - 1, taps, g);
    bool finite = true;
    for (int64_t group = 0, at = 0; oc > 0 && group < dwci_vectors(p->c, lanes); group++)
        for (int64_t u = 0; u < p->m; u++)
            for (int e = 0; e < elements; e++)
                for (int64_t b = 0; b < p->kw; b++)
                    for (int64_t i = 0; i < lanes; i++, at++) {
                        const int64_t o = dwci_vector_start(group, p->c, lanes) * p->m + u * lanes + i;
                        double sum = 0;
                        for (int a = 0; a < taps; a++)
                            sum += g[e][a] * dwci_filter_at(c, filter, (a * p->kw + b) * oc + o);
                        dwci_put(c, to, at, sum);
                        finite = finite && fabs(sum) <= (p->dtype == DWC_F64 ? DBL_MAX : FLT_MAX);
                    }
    if (!finite)
        dwci_guarded_refuse(packed);
}

/* ---- work -------------------------------------------------------------------------------------------------------- */

typedef struct job {
    const dwci_solution *solution;
    const dwci_tensors *tensors;
} job;

static void run_share(void *data, int i, int count) {
    const job *work = data;
    const dwci_solution *s = work->solution;
    const dwci_case *c = &s->problem_case;
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    const dwci_winograd_kernel *kernel = s->prepared.state;
    const banding b = banding_of(c, kernel->m);
    const dwci_direct_args problem = dwci_arguments(c, work->tensors->bias);
    const char *own = dwci_guarded_filter(work->tensors->packed);
    const dwci_winograd_args args = {
        .g = &problem,
        .constants = own,
        .filter = own + DWCI_WINOGRAD_CONSTANTS,
        .columns = s->params.value[COLUMNS],
        .scratch =
            (char *)work->tensors->workspace + s->prepared.workspace_bytes / (size_t)s->prepared.threads * (size_t)i,
    };
    int64_t unit, end;
    dwci_share(p->n * b.all * b.groups, i, count, &unit, &end);
    while (unit < end) {
        const int64_t n = unit / b.groups / b.all;
        dwci_winograd_part part = band_of(&b, unit / b.groups % b.all, kernel->m);
        part.group0 = unit % b.groups;
        part.group1 = end - unit < b.groups - part.group0 ? part.group0 + end - unit : b.groups;
        kernel->run(&args, (const char *)work->tensors->input + (size_t)(n * p->h * p->w * p->c) * g->element_bytes,
                    (char *)work->tensors->output + (size_t)(n * g->oh * g->ow * g->oc) * g->element_bytes, &part);
        unit += part.group1 - part.group0;
    }
}

static void run(const dwci_solution *s, const dwci_tensors *t) {
    const dwci_winograd_kernel *kernel = s->prepared.state;
    job work = {s, t};
    size_t own;
    own_bytes(&s->problem_case, kernel->m, &own);
    if (!dwci_guarded_run(s, t, own))
        dwci_parallel(s->problem_case.binding, s->prepared.threads, run_share, &work);
}

const dwci_algo dwci_algo_winograd = {
    .name = "winograd",
    .revision = 1,
    .description = "minimal filtering down the columns; NHWC, stride 1, 3, 5, 7 or 9 rows of taps",
    .automatic = true,
    .param_names = param_names,
    .applicable = applicable,
    .candidates = candidates,
    .cost = cost,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
