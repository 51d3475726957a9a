/* SPDX-License-Identifier: Apache-2.0 */
/* Verification of an output against the oracle.
 *
 * What is allowed for one output with exact value e, t taps inside the image and magnitude S = sum |input * filter| +
 * |bias|, u and s being unit roundoff and smallest positive number of the accumulator's type, v and r those of the
 * element type:
 *
 *     bound = (t + 2) u S                direct and its like, componentwise
 *             error_bound * max S        others
 *     bound + (t + 2) s                  products that underflow
 *           + v (|e| + bound) + r        the one rounding to the element type
 *
 * (float64: twice the first term, because the oracle itself rounds like that.) Source: Higham, Accuracy and Stability
 * of Numerical Algorithms, section 3.1, to first order. */
#include "algo/oracle.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/plan.h"
#include "core/threads.h"
#include "dwconv_expert.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

typedef struct format {
    double unit, smallest, largest;
} format;

static const format formats[] = {
    [DWC_F16] = {0x1p-11, 0x1p-24, 65504},
    [DWC_BF16] = {0x1p-8, 0x1p-133, 0x1.fep127},
    [DWC_F32] = {0x1p-24, 0x1p-149, FLT_MAX},
    [DWC_F64] = {0x1p-53, 0x1p-1074, DBL_MAX},
};

/* What one thread found. */
typedef struct finding {
    double max_difference, max_magnitude;
    int64_t failures, first_failure;
    double got, expected;
} finding;

typedef struct job {
    const dwci_solution *solution;
    dwci_oracle oracle;
    const void *output;
    int64_t step; /* between the rows that are looked at */
    int judge;       /* 0: look for the largest S only */
    int spread;      /* NaN and infinity may be anywhere: the algorithm spreads what the input has, or may overflow */
    double normwise; /* error_bound * max S, where the promise is not componentwise */
    finding *findings;
} job;

static double allowed(const job *work, const dwci_exact *exact, double expected) {
    const dwc_dtype dtype = work->oracle.problem->dtype;
    const format *element = &formats[dtype], *accumulator = &formats[dtype == DWC_F64 ? DWC_F64 : DWC_F32];
    const double terms = (double)exact->taps + 2;
    double bound =
        work->solution->prepared.componentwise ? terms * accumulator->unit * exact->magnitude : work->normwise;
    if (dtype == DWC_F64)
        bound += terms * accumulator->unit * exact->magnitude;
    bound += terms * accumulator->smallest;
    return bound + element->unit * (fabs(expected) + bound) + element->smallest;
}

/* Is `got` right? Where the exact value is beyond the element type's range infinity is, too. */
static int right(const job *work, const dwci_exact *exact, double expected, double got) {
    const dwc_dtype dtype = work->oracle.problem->dtype;
    const format *element = &formats[dtype], *accumulator = &formats[dtype == DWC_F64 ? DWC_F64 : DWC_F32];
    if (work->spread && !isfinite(got))
        return 1;
    if (isnan(exact->special))
        return isnan(got);
    if (!(exact->finite <= accumulator->largest))
        return 1; /* partial sums may overflow, to any infinity or NaN, in one order and not in another */
    if (!isfinite(expected))
        return isnan(expected) ? isnan(got) : got == expected;
    double limit = allowed(work, exact, expected);
    if (fabs(got - expected) <= limit)
        return 1;
    return isinf(got) && (got > 0) == (expected > 0) && fabs(expected) + limit > element->largest;
}

static void check_share(void *data, int i, int count) {
    job *work = data;
    const dwc_problem *p = work->oracle.problem;
    const dwc_geometry *g = work->oracle.geometry;
    finding found = {.first_failure = -1};
    int64_t from, to;
    dwci_share((p->n * g->oh + work->step - 1) / work->step, i, count, &from, &to);
    for (int64_t row = from * work->step; row < to * work->step && row < p->n * g->oh; row += work->step)
        for (int64_t x = 0; x < g->ow; x++)
            for (int64_t channel = 0; channel < g->oc; channel++) {
                const int64_t n = row / g->oh, y = row % g->oh, at = dwci_output_index(p, g, n, y, x, channel);
                const dwci_exact exact = dwci_oracle_at(&work->oracle, n, y, x, channel);
                const double expected = dwci_oracle_activate(exact.value, p->activation);
                double got;
                dwc_convert_to_f64(p->dtype, (const char *)work->output + (size_t)at * g->element_bytes, &got, 1);
                if (isfinite(exact.magnitude) && exact.magnitude > found.max_magnitude)
                    found.max_magnitude = exact.magnitude;
                if (isfinite(got - expected) && fabs(got - expected) > found.max_difference)
                    found.max_difference = fabs(got - expected);
                if (!work->judge || right(work, &exact, expected, got))
                    continue;
                if (found.failures++ == 0 || at < found.first_failure) {
                    found.first_failure = at;
                    found.got = got;
                    found.expected = expected;
                }
            }
    work->findings[i] = found;
}

/* Is everything finite, and far enough from overflow for sums of a few inputs that are multiplied by small numbers? */
static int all_moderate(dwc_dtype dtype, const void *array, int64_t count) {
    const double most = formats[dtype == DWC_F64 ? DWC_F64 : DWC_F32].largest / 4096;
    double value = 0;
    for (int64_t i = 0; i < count && fabs(value) <= most; i++)
        dwc_convert_to_f64(dtype, (const char *)array + (size_t)i * dwc_dtype_bytes(dtype), &value, 1);
    return fabs(value) <= most;
}

static finding check(job *work, int threads) {
    dwci_parallel(NULL, threads, check_share, work);
    finding total = work->findings[0];
    for (int i = 1; i < threads; i++) {
        const finding *f = &work->findings[i];
        total.max_difference = fmax(total.max_difference, f->max_difference);
        total.max_magnitude = fmax(total.max_magnitude, f->max_magnitude);
        if (f->failures > 0 && (total.failures == 0 || f->first_failure < total.first_failure)) {
            total.first_failure = f->first_failure;
            total.got = f->got;
            total.expected = f->expected;
        }
        total.failures += f->failures;
    }
    return total;
}

dwc_status dwc_plan_verify(const dwc_plan *plan, const void *input, const void *filter, const void *bias,
                           const void *output, dwc_verification *result, dwc_error *error) {
    return dwc_expert_verify_some(plan, input, filter, bias, output, 1, result, error);
}

dwc_status dwc_expert_verify_some(const dwc_plan *plan, const void *input, const void *filter, const void *bias,
                                  const void *output, int64_t step, dwc_verification *result, dwc_error *error) {
    if (step < 1)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "step: %" PRId64 " is not 1 or more", step);
    if (!plan || !result)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", plan ? "result" : "plan");
    const dwci_solution *s = &plan->solution;
    const dwc_problem *p = &s->problem_case.problem;
    const dwc_geometry *g = &s->problem_case.geometry;
    const struct {
        const char *name;
        const void *pointer;
        int64_t elements;
    } tensors[] = {{"input", input, g->input_elements},
                   {"filter", filter, g->filter_elements},
                   {"bias", bias, g->bias_elements},
                   {"output", output, g->output_elements}};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        if (!tensors[i].pointer && tensors[i].elements > 0 && g->output_elements > 0)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", tensors[i].name);

    const int64_t rows = (p->n * g->oh - 1) / step + 1;
    const int threads = rows < s->problem_case.threads ? (int)rows : s->problem_case.threads;
    job work = {.solution = s, .oracle = {p, g, input, filter, bias}, .output = output, .step = step};
    finding total = {.first_failure = -1};
    if (g->output_elements > 0) {
        work.findings = dwci_allocate(&plan->context->allocator, (size_t)threads * sizeof *work.findings);
        if (!work.findings)
            return dwci_fail(error, DWC_OUT_OF_MEMORY, "verification: %zu bytes could not be allocated",
                             (size_t)threads * sizeof *work.findings);
        if (!s->prepared.componentwise)
            work.normwise = s->prepared.error_bound * check(&work, threads).max_magnitude;
        work.judge = 1;
        work.spread = s->prepared.spreads_nonfinite && !all_moderate(p->dtype, input, g->input_elements);
        total = check(&work, threads);
        dwci_release(&plan->context->allocator, work.findings);
    }
    *result = (dwc_verification){
        .max_err = total.max_magnitude > 0 ? total.max_difference / total.max_magnitude : total.max_difference,
        .tolerance = s->prepared.error_bound + formats[p->dtype].unit,
        .failures = total.failures,
        .first_failure = total.first_failure,
        .got = total.got,
        .expected = total.expected,
        .passed = total.failures == 0,
    };
    return DWC_OK;
}
