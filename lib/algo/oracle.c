/* SPDX-License-Identifier: Apache-2.0 */
/* The definition of the operator as a loop over taps. Plain on purpose: this is what all else is compared with. */
#include "algo/oracle.h"
#include "kern/clip.h"

#include <math.h>

static double element(dwc_dtype dtype, const void *array, int64_t index) {
    double value;
    dwc_convert_to_f64(dtype, (const char *)array + (size_t)index * dwc_dtype_bytes(dtype), &value, 1);
    return value;
}

static double magnitude_of(double value) {
    return value < 0 ? -value : value;
}

static void add(dwci_exact *exact, double a, double b) {
    const double product = a * b;
    exact->value += product;
    exact->magnitude += magnitude_of(product);
    if (isfinite(a) && isfinite(b))
        exact->finite += magnitude_of(product);
    else
        exact->special += product;
}

dwci_exact dwci_oracle_at(const dwci_oracle *o, int64_t n, int64_t i, int64_t j, int64_t channel) {
    const dwc_problem *p = o->problem;
    const int64_t k = channel / p->m, q = channel % p->m;
    const int64_t y0 = i * p->sh - o->geometry->pad_top, x0 = j * p->sw - o->geometry->pad_left;
    const range rows = clip_taps(y0, p->dh, p->kh, p->h), columns = clip_taps(x0, p->dw, p->kw, p->w);
    dwci_exact exact = {.taps = (rows.to - rows.from) * (columns.to - columns.from)};
    for (int64_t a = rows.from; a < rows.to; a++)
        for (int64_t b = columns.from; b < columns.to; b++) {
            int64_t y = y0 + a * p->dh, x = x0 + b * p->dw;
            int64_t at =
                p->layout == DWC_NHWC ? ((n * p->h + y) * p->w + x) * p->c + k : ((n * p->c + k) * p->h + y) * p->w + x;
            add(&exact, element(p->dtype, o->input, at),
                element(p->dtype, o->filter, ((a * p->kw + b) * p->c + k) * p->m + q));
        }
    if (p->bias)
        add(&exact, element(p->dtype, o->bias, channel), 1);
    return exact;
}

double dwci_oracle_activate(double value, dwc_activation activation) {
    if (activation != DWC_NO_ACTIVATION && value <= 0)
        return 0;
    return activation == DWC_RELU6 && value > 6 ? 6 : value;
}

int64_t dwci_output_index(const dwc_problem *p, const dwc_geometry *g, int64_t n, int64_t i, int64_t j,
                          int64_t channel) {
    return p->layout == DWC_NHWC ? ((n * g->oh + i) * g->ow + j) * g->oc + channel
                                 : ((n * g->oc + channel) * g->oh + i) * g->ow + j;
}

typedef struct job {
    const dwci_oracle *oracle;
    void *output;
} job;

static void run_share(void *data, int i, int count) {
    const job *work = data;
    const dwc_problem *p = work->oracle->problem;
    const dwc_geometry *g = work->oracle->geometry;
    int64_t from, to;
    dwci_share(p->n * g->oh, i, count, &from, &to);
    for (int64_t row = from; row < to; row++)
        for (int64_t x = 0; x < g->ow; x++)
            for (int64_t channel = 0; channel < g->oc; channel++) {
                int64_t n = row / g->oh, y = row % g->oh;
                double value =
                    dwci_oracle_activate(dwci_oracle_at(work->oracle, n, y, x, channel).value, p->activation);
                char *out = (char *)work->output + (size_t)dwci_output_index(p, g, n, y, x, channel) * g->element_bytes;
                dwc_convert_from_f64(p->dtype, &value, out, 1);
            }
}

void dwci_oracle_run(const dwci_oracle *oracle, void *output, const dwci_binding *binding, int threads) {
    job work = {oracle, output};
    dwci_parallel(binding, threads, run_share, &work);
}
