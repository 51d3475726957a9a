/* SPDX-License-Identifier: Apache-2.0 */
/* TensorFlow's argument list: tf.raw_ops.DepthwiseConv2dNative as one call, with every check of its arguments. */
#include "core/error.h"
#include "core/memory.h"

#include <inttypes.h>
#include <string.h>

/* Positions of batch, height, width and channel in a tensor of four dimensions. */
typedef struct axes {
    const char *name;
    dwc_layout layout;
    int n, h, w, c;
} axes;

static const axes formats[] = {{"NHWC", DWC_NHWC, 0, 1, 2, 3}, {"NCHW", DWC_NCHW, 0, 2, 3, 1}};

static dwc_status check_tensor(const char *name, const dwc_tensor *tensor, dwc_error *error) {
    if (!tensor)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", name);
    if (tensor->rank != 4)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: rank is %d, not 4", name, tensor->rank);
    if (!dwc_dtype_bytes(tensor->dtype))
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: unknown dtype %d", name, (int)tensor->dtype);
    for (int i = 0; i < 4; i++)
        if (tensor->shape[i] < 0)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: shape[%d] is %" PRId64, name, i, tensor->shape[i]);
    return DWC_OK;
}

/* strides or dilations: length 4, 1 in batch and channel, at least 1 elsewhere. */
static dwc_status read_steps(const char *name, const int64_t *values, int count, const axes *f, int64_t *h, int64_t *w,
                             dwc_error *error) {
    if (count != 4 || !values)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: %d numbers, not 4", name, values ? count : 0);
    if (values[f->n] != 1 || values[f->c] != 1)
        return dwci_fail(error, DWC_INVALID_ARGUMENT,
                         "%s: [%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
                         "] is not 1 in the batch and channel dimensions",
                         name, values[0], values[1], values[2], values[3]);
    if (values[f->h] < 1 || values[f->w] < 1)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: %" PRId64 " is less than 1", name,
                         values[f->h] < 1 ? values[f->h] : values[f->w]);
    *h = values[f->h];
    *w = values[f->w];
    return DWC_OK;
}

static dwc_status read_padding(const dwc_tf_attributes *a, const axes *f, dwc_problem *p, dwc_error *error) {
    static const struct {
        const char *name;
        dwc_padding padding;
    } names[] = {{"SAME", DWC_SAME}, {"VALID", DWC_VALID}, {"EXPLICIT", DWC_EXPLICIT}};
    p->padding = (dwc_padding)0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (a->padding && strcmp(a->padding, names[i].name) == 0)
            p->padding = names[i].padding;
    if (!p->padding)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "padding: '%.64s' is none of SAME, VALID, EXPLICIT",
                         a->padding ? a->padding : "(null)");
    if (p->padding != DWC_EXPLICIT) {
        if (a->explicit_paddings_count != 0)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "explicit_paddings: %d numbers given with padding %s",
                             a->explicit_paddings_count, a->padding);
        return DWC_OK;
    }
    const int64_t *pads = a->explicit_paddings;
    if (a->explicit_paddings_count != 8 || !pads)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "explicit_paddings: %d numbers, not 8",
                         pads ? a->explicit_paddings_count : 0);
    for (int i = 0; i < 8; i++)
        if (pads[i] < 0)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "explicit_paddings[%d]: %" PRId64 " is negative", i, pads[i]);
    const int unpadded[] = {2 * f->n, 2 * f->n + 1, 2 * f->c, 2 * f->c + 1};
    for (int i = 0; i < 4; i++)
        if (pads[unpadded[i]] != 0)
            return dwci_fail(error, DWC_INVALID_ARGUMENT,
                             "explicit_paddings[%d]: %" PRId64 " in the batch or channel dimension", unpadded[i],
                             pads[unpadded[i]]);
    p->pad_top = pads[2 * f->h];
    p->pad_bottom = pads[2 * f->h + 1];
    p->pad_left = pads[2 * f->w];
    p->pad_right = pads[2 * f->w + 1];
    return DWC_OK;
}

static const axes *find_format(const char *name, dwc_error *error) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(name ? name : "NHWC", formats[i].name) == 0)
            return &formats[i];
    dwci_fail(error, DWC_INVALID_ARGUMENT, "data_format: '%.64s' is neither NHWC nor NCHW", name);
    return NULL;
}

dwc_status dwc_problem_from_tf(const dwc_tensor *input, const dwc_tensor *filter, const dwc_tf_attributes *attributes,
                               dwc_problem *problem, dwc_error *error) {
    static const int64_t ones[4] = {1, 1, 1, 1};
    dwc_status status;
    dwc_problem p;
    if (!attributes || !problem)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", attributes ? "problem" : "attributes");
    if ((status = check_tensor("input", input, error)) || (status = check_tensor("filter", filter, error)))
        return status;
    if (input->dtype != filter->dtype)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "filter: dtype is %s, input has %s",
                         dwc_dtype_name(filter->dtype), dwc_dtype_name(input->dtype));
    const axes *f = find_format(attributes->data_format, error);
    if (!f)
        return DWC_INVALID_ARGUMENT;

    dwc_problem_init(&p);
    const int default_dilations = !attributes->dilations && attributes->dilations_count == 0;
    if ((status = read_steps("strides", attributes->strides, attributes->strides_count, f, &p.sh, &p.sw, error)) ||
        (status = read_steps("dilations", default_dilations ? ones : attributes->dilations,
                             default_dilations ? 4 : attributes->dilations_count, f, &p.dh, &p.dw, error)) ||
        (status = read_padding(attributes, f, &p, error)))
        return status;
    p.dtype = input->dtype;
    p.layout = f->layout;
    p.n = input->shape[f->n], p.h = input->shape[f->h], p.w = input->shape[f->w], p.c = input->shape[f->c];
    p.kh = filter->shape[0], p.kw = filter->shape[1], p.m = filter->shape[3];
    if (filter->shape[2] != p.c)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "filter: %" PRId64 " input channels, input has %" PRId64,
                         filter->shape[2], p.c);
    if ((status = dwc_problem_geometry(&p, NULL, error)))
        return status;
    *problem = p;
    return DWC_OK;
}

static dwc_status check_output(const dwc_tensor *output, const dwc_problem *p, const dwc_geometry *g,
                               dwc_error *error) {
    dwc_status status = check_tensor("output", output, error);
    if (status != DWC_OK)
        return status;
    if (output->dtype != p->dtype)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "output: dtype is %s, input has %s",
                         dwc_dtype_name(output->dtype), dwc_dtype_name(p->dtype));
    const int64_t nhwc[4] = {p->n, g->oh, g->ow, g->oc}, nchw[4] = {p->n, g->oc, g->oh, g->ow};
    const int64_t *shape = p->layout == DWC_NHWC ? nhwc : nchw;
    for (int i = 0; i < 4; i++)
        if (output->shape[i] != shape[i])
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "output: shape[%d] is %" PRId64 ", must be %" PRId64, i,
                             output->shape[i], shape[i]);
    return DWC_OK;
}

/* The packed filter is a copy, so an output over the filter must be refused here. */
static dwc_status check_overlap(const dwc_tensor *filter, const dwc_tensor *output, const dwc_geometry *g,
                                dwc_error *error) {
    size_t f_bytes = (size_t)g->filter_elements * g->element_bytes,
           o_bytes = (size_t)g->output_elements * g->element_bytes;
    if (dwci_overlap(output->data, o_bytes, filter->data, f_bytes))
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "output: %zu bytes at %p overlap the filter, %zu bytes at %p",
                         o_bytes, output->data, f_bytes, filter->data);
    return DWC_OK;
}

dwc_status dwc_depthwise_conv2d_native(const dwc_context *context, const dwc_tensor *input, const dwc_tensor *filter,
                                       const dwc_tf_attributes *attributes, const dwc_tensor *output,
                                       dwc_error *error) {
    dwc_problem problem;
    dwc_geometry geometry;
    dwc_plan *plan = NULL;
    dwc_plan_info info;
    dwc_status status;
    if (!context)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "context: null pointer");
    if ((status = dwc_problem_from_tf(input, filter, attributes, &problem, error)) ||
        (status = dwc_problem_geometry(&problem, &geometry, error)) ||
        (status = check_output(output, &problem, &geometry, error)) ||
        (status = check_overlap(filter, output, &geometry, error)))
        return status;
    if (geometry.output_elements == 0)
        return DWC_OK;
    if ((status = dwc_plan_create(context, &problem, NULL, &plan, error)))
        return status;

    dwc_plan_get_info(plan, &info);
    void *packed = dwc_allocate(context, info.packed_bytes);
    void *workspace = info.workspace_bytes ? dwc_allocate(context, info.workspace_bytes) : NULL;
    if (!packed || (!workspace && info.workspace_bytes))
        status = dwci_fail(error, DWC_OUT_OF_MEMORY, "%s: %zu bytes could not be allocated",
                           packed ? "workspace" : "packed filter", packed ? info.workspace_bytes : info.packed_bytes);
    if (status == DWC_OK)
        status = dwc_plan_pack_filter(plan, filter->data, packed, error);
    if (status == DWC_OK)
        status = dwc_plan_execute(plan, input->data, packed, NULL, output->data, workspace, error);
    dwc_release(context, packed);
    dwc_release(context, workspace);
    dwc_plan_destroy(plan);
    return status;
}
