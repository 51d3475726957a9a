/* SPDX-License-Identifier: Apache-2.0 */
/* Problems: defaults, every check of a problem's fields, output size and padding.
 * All arithmetic is in int64_t with overflow checks; what does not fit is refused, never wrapped. */
#include "core/error.h"

#include <inttypes.h>

void dwc_problem_init(dwc_problem *problem) {
    *problem = (dwc_problem){
        .operation = DWC_FORWARD,
        .dtype = DWC_F32,
        .layout = DWC_NHWC,
        .n = 1,
        .h = 1,
        .w = 1,
        .c = 1,
        .kh = 1,
        .kw = 1,
        .m = 1,
        .sh = 1,
        .sw = 1,
        .dh = 1,
        .dw = 1,
        .padding = DWC_SAME,
        .activation = DWC_NO_ACTIVATION,
    };
}

/* Elements of a tensor; an empty one is 0 whatever its other sizes. False when it does not fit the address space. */
static int tensor_elements(const int64_t *sizes, int count, size_t element_bytes, int64_t *elements) {
    int64_t total = 1, bytes;
    for (int i = 0; i < count; i++)
        if (sizes[i] == 0) {
            *elements = 0;
            return 1;
        }
    for (int i = 0; i < count; i++)
        if (__builtin_mul_overflow(total, sizes[i], &total))
            return 0;
    if (__builtin_mul_overflow(total, (int64_t)element_bytes, &bytes) || (uint64_t)bytes > PTRDIFF_MAX)
        return 0;
    *elements = total;
    return 1;
}

/* One spatial dimension: in, kernel, stride, dilation -> out, pads. `names` tells the dimension's fields in messages.
 */
typedef struct dimension {
    const char *in_name, *k_name, *dilation_name, *pads_name;
    int64_t in, k, stride, dilation;
    int64_t before, after; /* in with DWC_EXPLICIT, out otherwise */
    int64_t out;
} dimension;

static dwc_status resolve(dimension *d, dwc_padding padding, dwc_error *error) {
    int64_t eff, padded;
    if (__builtin_mul_overflow(d->k - 1, d->dilation, &eff) || __builtin_add_overflow(eff, 1, &eff))
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: %" PRId64 " taps at %s %" PRId64 " overflow 64 bits",
                         d->k_name, d->k, d->dilation_name, d->dilation);
    if (padding == DWC_SAME) {
        int64_t span; /* from the first tap of the first output to the last tap of the last one */
        d->out = d->in / d->stride + (d->in % d->stride != 0);
        if (__builtin_add_overflow((d->out - 1) * d->stride, eff, &span))
            return dwci_fail(error, DWC_INVALID_ARGUMENT,
                             "%s: %" PRId64 " taps at %s %" PRId64 " on %s %" PRId64 " overflow 64 bits", d->k_name,
                             d->k, d->dilation_name, d->dilation, d->in_name, d->in);
        int64_t need = span > d->in ? span - d->in : 0;
        d->before = need / 2;
        d->after = need - d->before;
        return DWC_OK;
    }
    if (__builtin_add_overflow(d->before, d->after, &padded) || __builtin_add_overflow(padded, d->in, &padded))
        return dwci_fail(error, DWC_INVALID_ARGUMENT,
                         "%s: %" PRId64 " and %" PRId64 " around %s %" PRId64 " overflow 64 bits", d->pads_name,
                         d->before, d->after, d->in_name, d->in);
    if (eff > padded)
        return dwci_fail(error, DWC_INVALID_ARGUMENT,
                         "%s: filter of %" PRId64 " taps at %s %" PRId64 " covers %" PRId64
                         ", more than the padded input: %s %" PRId64 " with padding %" PRId64 " and %" PRId64,
                         d->k_name, d->k, d->dilation_name, d->dilation, eff, d->in_name, d->in, d->before, d->after);
    d->out = (padded - eff) / d->stride + 1;
    return DWC_OK;
}

/* Sum over outputs of the taps that fall inside the image, along one dimension. Exact below 2^20 taps, sampled beyond.
 */
static double inbounds(const dimension *d) {
    if (d->in == 0 || d->out == 0)
        return 0;
    double sum = 0;
    int64_t step = 1 + d->k / (1 << 20);
    for (int64_t k = 0; k < d->k; k += step) {
        /* Tap k of output o reads o*stride + shift; count the outputs for which that lies in [0, in). */
        int64_t shift = k * d->dilation - d->before;
        if (shift >= d->in)
            break;
        int64_t low = shift >= 0 ? 0 : (-shift - 1) / d->stride + 1;
        int64_t high = (d->in - 1 - shift) / d->stride;
        if (high > d->out - 1)
            high = d->out - 1;
        if (high >= low)
            sum += (double)(high - low + 1) * (double)step;
    }
    return sum;
}

static dwc_status check_enums(const dwc_problem *p, dwc_error *error) {
    if (p->operation != DWC_FORWARD)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "operation: unknown value %d", (int)p->operation);
    if (!dwc_dtype_bytes(p->dtype))
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "dtype: unknown value %d", (int)p->dtype);
    if (p->layout != DWC_NHWC && p->layout != DWC_NCHW)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "layout: unknown value %d", (int)p->layout);
    if (p->padding != DWC_SAME && p->padding != DWC_VALID && p->padding != DWC_EXPLICIT)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "padding: unknown value %d", (int)p->padding);
    if (p->bias != 0 && p->bias != 1)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "bias: %d is neither 0 nor 1", p->bias);
    if (p->activation != DWC_NO_ACTIVATION && p->activation != DWC_RELU && p->activation != DWC_RELU6)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "activation: unknown value %d", (int)p->activation);
    return DWC_OK;
}

static dwc_status check_ranges(const dwc_problem *p, dwc_error *error) {
    const struct {
        const char *name;
        int64_t value, least;
    } fields[] = {
        {"n", p->n, 0},
        {"h", p->h, 0},
        {"w", p->w, 0},
        {"c", p->c, 0},
        {"kh", p->kh, 1},
        {"kw", p->kw, 1},
        {"m", p->m, 0},
        {"sh", p->sh, 1},
        {"sw", p->sw, 1},
        {"dh", p->dh, 1},
        {"dw", p->dw, 1},
        {"pad_top", p->pad_top, 0},
        {"pad_bottom", p->pad_bottom, 0},
        {"pad_left", p->pad_left, 0},
        {"pad_right", p->pad_right, 0},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].value < fields[i].least)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: %" PRId64 " is less than %" PRId64, fields[i].name,
                             fields[i].value, fields[i].least);
    if (p->padding != DWC_EXPLICIT && (p->pad_top || p->pad_bottom || p->pad_left || p->pad_right))
        return dwci_fail(error, DWC_INVALID_ARGUMENT,
                         "padding: explicit pads %" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 " given with %s",
                         p->pad_top, p->pad_bottom, p->pad_left, p->pad_right, dwc_padding_name(p->padding));
    return DWC_OK;
}

dwc_status dwc_problem_geometry(const dwc_problem *p, dwc_geometry *geometry, dwc_error *error) {
    dwc_status status;
    if (!p)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "problem: null pointer");
    if ((status = check_enums(p, error)) || (status = check_ranges(p, error)))
        return status;

    dimension y = {"h", "kh", "dh", "pad_top,pad_bottom", p->h, p->kh, p->sh, p->dh, p->pad_top, p->pad_bottom, 0};
    dimension x = {"w", "kw", "dw", "pad_left,pad_right", p->w, p->kw, p->sw, p->dw, p->pad_left, p->pad_right, 0};
    if ((status = resolve(&y, p->padding, error)) || (status = resolve(&x, p->padding, error)))
        return status;

    dwc_geometry g = {.oh = y.out, .ow = x.out, .element_bytes = dwc_dtype_bytes(p->dtype)};
    g.pad_top = y.before, g.pad_bottom = y.after, g.pad_left = x.before, g.pad_right = x.after;
    if (__builtin_mul_overflow(p->c, p->m, &g.oc))
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "c,m: %" PRId64 " x %" PRId64 " output channels overflow 64 bits",
                         p->c, p->m);
    const struct {
        const char *name;
        int64_t sizes[4];
        int64_t *elements;
    } tensors[] = {
        {"input", {p->n, p->h, p->w, p->c}, &g.input_elements},
        {"filter", {p->kh, p->kw, p->c, p->m}, &g.filter_elements},
        {"bias", {g.oc, p->bias, 1, 1}, &g.bias_elements},
        {"output", {p->n, g.oh, g.ow, g.oc}, &g.output_elements},
    };
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        if (!tensor_elements(tensors[i].sizes, 4, g.element_bytes, tensors[i].elements))
            return dwci_fail(error, DWC_INVALID_ARGUMENT,
                             "%s: %" PRId64 " x %" PRId64 " x %" PRId64 " x %" PRId64
                             " elements of %zu bytes do not fit the address space",
                             tensors[i].name, tensors[i].sizes[0], tensors[i].sizes[1], tensors[i].sizes[2],
                             tensors[i].sizes[3], g.element_bytes);
    g.inbounds_taps = g.output_elements == 0 ? 0 : (double)p->n * (double)g.oc * inbounds(&y) * inbounds(&x);
    if (geometry)
        *geometry = g;
    return DWC_OK;
}
