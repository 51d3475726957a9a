/* SPDX-License-Identifier: Apache-2.0 */
/* What algorithms say to kernels. */
#include "algo/arguments.h"

const dwci_kern_element *dwci_element(const dwci_case *c) {
    return c->table->element[c->problem.dtype - DWC_F16 + DWCI_KERN_F16];
}

const dwci_kern_nchw *dwci_nchw(const dwci_case *c) {
    return c->table->nchw[c->problem.dtype - DWC_F16 + DWCI_KERN_F16];
}

size_t dwci_accumulator_bytes(const dwci_case *c) {
    return c->problem.dtype == DWC_F64 ? sizeof(double) : sizeof(float);
}

int64_t dwci_lanes(const dwci_case *c) {
    return dwci_element(c)->vector_bytes / (int64_t)dwci_accumulator_bytes(c);
}

static int clamp_of(dwc_activation activation) {
    return activation == DWC_RELU ? DWCI_CLAMP_RELU : activation == DWC_RELU6 ? DWCI_CLAMP_RELU6 : DWCI_CLAMP_NONE;
}

dwci_direct_args dwci_arguments(const dwci_case *c, const void *bias) {
    const dwc_problem *p = &c->problem;
    const dwc_geometry *g = &c->geometry;
    return (dwci_direct_args){
        .h = p->h,
        .w = p->w,
        .c = p->c,
        .kh = p->kh,
        .kw = p->kw,
        .m = p->m,
        .sh = p->sh,
        .sw = p->sw,
        .dh = p->dh,
        .dw = p->dw,
        .oh = g->oh,
        .ow = g->ow,
        .oc = g->oc,
        .top = g->pad_top,
        .left = g->pad_left,
        .bias = bias,
        .clamp = clamp_of(p->activation),
    };
}

double dwci_filter_at(const dwci_case *c, const void *filter, int64_t index) {
    double value;
    dwc_convert_to_f64(c->problem.dtype, (const char *)filter + (size_t)index * c->geometry.element_bytes, &value, 1);
    return value;
}

void dwci_put(const dwci_case *c, void *packed, int64_t index, double value) {
    if (c->problem.dtype == DWC_F64)
        ((double *)packed)[index] = value;
    else
        ((float *)packed)[index] = (float)value;
}

void dwci_widen(const dwci_case *c, const void *filter, int64_t from, void *packed, int64_t to) {
    dwci_put(c, packed, to, dwci_filter_at(c, filter, from));
}
