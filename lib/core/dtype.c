/* SPDX-License-Identifier: Apache-2.0 */
/* Element types, layouts and the other enumerations: names, sizes, conversion of arrays. */
#include "dwconv.h"
#include "kern/half.h"

#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {[DWC_F16] = {"f16", 2}, [DWC_BF16] = {"bf16", 2}, [DWC_F32] = {"f32", 4}, [DWC_F64] = {"f64", 8}};
static const char *const layouts[] = {[DWC_NHWC] = "nhwc", [DWC_NCHW] = "nchw"};
static const char *const paddings[] = {[DWC_SAME] = "same", [DWC_VALID] = "valid", [DWC_EXPLICIT] = "explicit"};
static const char *const activations[] = {[DWC_NO_ACTIVATION] = "none", [DWC_RELU] = "relu", [DWC_RELU6] = "relu6"};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *name_of(const char *const *table, size_t count, unsigned value) {
    return value < count && table[value] ? table[value] : "?";
}

const char *dwc_dtype_name(dwc_dtype dtype) {
    return (unsigned)dtype < COUNT(dtypes) && dtypes[dtype].name ? dtypes[dtype].name : "?";
}

size_t dwc_dtype_bytes(dwc_dtype dtype) {
    return (unsigned)dtype < COUNT(dtypes) ? dtypes[dtype].bytes : 0;
}

const char *dwc_layout_name(dwc_layout layout) {
    return name_of(layouts, COUNT(layouts), (unsigned)layout);
}

const char *dwc_padding_name(dwc_padding padding) {
    return name_of(paddings, COUNT(paddings), (unsigned)padding);
}

const char *dwc_activation_name(dwc_activation activation) {
    return name_of(activations, COUNT(activations), (unsigned)activation);
}

dwc_dtype dwc_dtype_parse(const char *name) {
    for (unsigned i = DWC_F16; i <= DWC_F64; i++)
        if (name && strcmp(name, dtypes[i].name) == 0)
            return (dwc_dtype)i;
    return (dwc_dtype)0;
}

dwc_layout dwc_layout_parse(const char *name) {
    for (unsigned i = DWC_NHWC; i <= DWC_NCHW; i++)
        if (name && strcmp(name, layouts[i]) == 0)
            return (dwc_layout)i;
    return (dwc_layout)0;
}

void dwc_convert_to_f64(dwc_dtype dtype, const void *from, double *to, int64_t count) {
    const uint16_t *half = from;
    const float *single = from;
    switch (dtype) {
    case DWC_F16:
        for (int64_t i = 0; i < count; i++)
            to[i] = dwci_f16_to_f32(half[i]);
        break;
    case DWC_BF16:
        for (int64_t i = 0; i < count; i++)
            to[i] = dwci_bf16_to_f32(half[i]);
        break;
    case DWC_F32:
        for (int64_t i = 0; i < count; i++)
            to[i] = single[i];
        break;
    case DWC_F64:
        if (count > 0)
            memcpy(to, from, (size_t)count * sizeof *to);
        break;
    }
}

void dwc_convert_from_f64(dwc_dtype dtype, const double *from, void *to, int64_t count) {
    uint16_t *half = to;
    float *single = to;
    switch (dtype) {
    case DWC_F16:
        for (int64_t i = 0; i < count; i++)
            half[i] = dwci_f16_from_f64(from[i]);
        break;
    case DWC_BF16:
        for (int64_t i = 0; i < count; i++)
            half[i] = dwci_bf16_from_f64(from[i]);
        break;
    case DWC_F32:
        for (int64_t i = 0; i < count; i++)
            single[i] = (float)from[i];
        break;
    case DWC_F64:
        if (count > 0)
            memcpy(to, from, (size_t)count * sizeof *from);
        break;
    }
}
