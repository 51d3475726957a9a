/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN 2.x (Debian: libdnnl-dev) as a shim of the peers harness: a forward inference convolution with groups, its
 * filter reordered once into the form that oneDNN asks for.
 *
 *     variant 0   works on the tensors in the caller's layout
 *     variant 1   oneDNN chooses the layout; every run reorders input and output where it is another one */
#include "shim.h"

#include <dnnl.h>
#include <dwconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if DNNL_VERSION_MAJOR != 2
#error "this shim speaks the C interface of oneDNN 2"
#endif

typedef struct reorder {
    dnnl_primitive_t primitive; /* NULL: nothing to do, inside is outside */
    dnnl_memory_t outside, inside;
} reorder;

typedef struct peer {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_memory_t weights;
    reorder input, output;
} peer;

/* Returns from a function of type int when a call of oneDNN fails. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        const dnnl_status_t try_status = (call);                                                                       \
        if (try_status != dnnl_success)                                                                                \
            return (int)try_status;                                                                                    \
    } while (0)

const char *shim_version(void) {
    static char text[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

static int reorder_primitive(peer *p, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                             dnnl_primitive_t *primitive) {
    dnnl_primitive_desc_t description;
    TRY(dnnl_reorder_primitive_desc_create(&description, from, p->engine, to, p->engine, NULL));
    const dnnl_status_t status = dnnl_primitive_create(primitive, description);
    dnnl_primitive_desc_destroy(description);
    return (int)status;
}

static int reorder_run(const peer *p, dnnl_primitive_t primitive, dnnl_memory_t from, dnnl_memory_t to) {
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    return (int)dnnl_primitive_execute(primitive, p->stream, 2, arguments);
}

/* The memory of a tensor outside (the caller's) and inside (the primitive's own, if its layout is another). */
static int tensor(peer *p, reorder *r, const dnnl_memory_desc_t *outside, const dnnl_memory_desc_t *inside,
                  int is_input) {
    TRY(dnnl_memory_create(&r->outside, outside, p->engine, DNNL_MEMORY_NONE));
    if (dnnl_memory_desc_equal(outside, inside)) {
        r->inside = r->outside;
        return 0;
    }
    TRY(dnnl_memory_create(&r->inside, inside, p->engine, DNNL_MEMORY_ALLOCATE));
    return is_input ? reorder_primitive(p, outside, inside, &r->primitive)
                    : reorder_primitive(p, inside, outside, &r->primitive);
}

static int weights(peer *p, const dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *wanted, const void *filter) {
    dnnl_memory_t source;
    dnnl_primitive_t primitive = NULL;
    TRY(dnnl_memory_create(&source, plain, p->engine, (void *)filter));
    int status = dnnl_memory_create(&p->weights, wanted, p->engine, DNNL_MEMORY_ALLOCATE);
    if (!status)
        status = reorder_primitive(p, plain, wanted, &primitive);
    if (!status)
        status = reorder_run(p, primitive, source, p->weights);
    if (!status)
        status = dnnl_stream_wait(p->stream);
    dnnl_primitive_destroy(primitive);
    dnnl_memory_destroy(source);
    return status;
}

static int create(peer *p, const dwc_problem *q, const dwc_geometry *g, int variant, const void *filter, char *text,
                  size_t size) {
    static const dnnl_data_type_t types[] = {[DWC_F16] = dnnl_f16, [DWC_BF16] = dnnl_bf16, [DWC_F32] = dnnl_f32};
    const dnnl_data_type_t type = q->dtype == DWC_F64 ? dnnl_data_type_undef : types[q->dtype];
    if (type == dnnl_data_type_undef)
        return (int)dnnl_unimplemented;
    const dnnl_format_tag_t plain = q->layout == DWC_NHWC ? dnnl_nhwc : dnnl_nchw;
    const dnnl_dims_t in_dims = {q->n, q->c, q->h, q->w}, out_dims = {q->n, g->oc, g->oh, g->ow};
    const dnnl_dims_t filter_dims = {q->c, q->m, 1, q->kh, q->kw};
    const dnnl_dims_t strides = {q->sh, q->sw}, dilations = {q->dh - 1, q->dw - 1};
    const dnnl_dims_t before = {g->pad_top, g->pad_left};
    const dnnl_dims_t after = {(g->oh - 1) * q->sh + (q->kh - 1) * q->dh + 1 - q->h - g->pad_top,
                               (g->ow - 1) * q->sw + (q->kw - 1) * q->dw + 1 - q->w - g->pad_left};
    dnnl_memory_desc_t in, out, in_any, out_any, filter_any, filter_plain;
    TRY(dnnl_engine_create(&p->engine, dnnl_cpu, 0));
    TRY(dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags));
    TRY(dnnl_memory_desc_init_by_tag(&in, 4, in_dims, type, plain));
    TRY(dnnl_memory_desc_init_by_tag(&out, 4, out_dims, type, plain));
    TRY(dnnl_memory_desc_init_by_tag(&in_any, 4, in_dims, type, variant ? dnnl_format_tag_any : plain));
    TRY(dnnl_memory_desc_init_by_tag(&out_any, 4, out_dims, type, variant ? dnnl_format_tag_any : plain));
    TRY(dnnl_memory_desc_init_by_tag(&filter_any, 5, filter_dims, type, dnnl_format_tag_any));
    TRY(dnnl_memory_desc_init_by_tag(&filter_plain, 5, filter_dims, type, dnnl_decab)); /* [kh,kw,c,m] */

    dnnl_convolution_desc_t convolution;
    dnnl_primitive_desc_t description;
    TRY(dnnl_dilated_convolution_forward_desc_init(&convolution, dnnl_forward_inference, dnnl_convolution_direct,
                                                   &in_any, &filter_any, NULL, &out_any, strides, dilations, before,
                                                   after));
    TRY(dnnl_primitive_desc_create(&description, &convolution, NULL, p->engine, NULL));
    const char *implementation = "";
    dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &implementation);
    snprintf(text, size, "%s, %s", implementation, variant ? "reorders" : "in place");
    int status = dnnl_primitive_create(&p->primitive, description);
    if (!status)
        status = tensor(p, &p->input, &in, dnnl_primitive_desc_query_md(description, dnnl_query_src_md, 0), 1);
    if (!status)
        status = tensor(p, &p->output, &out, dnnl_primitive_desc_query_md(description, dnnl_query_dst_md, 0), 0);
    if (!status)
        status = weights(p, &filter_plain, dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0), filter);
    dnnl_primitive_desc_destroy(description);
    return status;
}

int shim_create(const char *problem, int variant, int threads, int cold, const char *wisdom, const void *filter,
                void **made, char *text, size_t size) {
    dwc_problem q;
    dwc_geometry g;
    dwc_error error;
    (void)threads; /* OMP_NUM_THREADS says */
    (void)cold;
    (void)wisdom;
    if (dwc_problem_parse(problem, &q, &error) || dwc_problem_geometry(&q, &g, &error)) {
        snprintf(text, size, "%s", error.message);
        return 1;
    }
    peer *p = calloc(1, sizeof *p);
    const int status = p ? create(p, &q, &g, variant, filter, text, size) : (int)dnnl_out_of_memory;
    if (status) {
        snprintf(text, size, status == (int)dnnl_unimplemented ? "not implemented for this type" : "status %d", status);
        shim_destroy(p);
        return 1;
    }
    *made = p;
    return 0;
}

int shim_run(void *made, const void *input, void *output) {
    const peer *p = made;
    TRY(dnnl_memory_set_data_handle(p->input.outside, (void *)input));
    TRY(dnnl_memory_set_data_handle(p->output.outside, output));
    if (p->input.primitive)
        TRY(reorder_run(p, p->input.primitive, p->input.outside, p->input.inside));
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, p->input.inside}, {DNNL_ARG_WEIGHTS, p->weights}, {DNNL_ARG_DST, p->output.inside}};
    TRY(dnnl_primitive_execute(p->primitive, p->stream, 3, arguments));
    if (p->output.primitive)
        TRY(reorder_run(p, p->output.primitive, p->output.inside, p->output.outside));
    return (int)dnnl_stream_wait(p->stream);
}

static void release(reorder *r) {
    if (r->primitive)
        dnnl_primitive_destroy(r->primitive);
    if (r->inside && r->inside != r->outside)
        dnnl_memory_destroy(r->inside);
    if (r->outside)
        dnnl_memory_destroy(r->outside);
}

void shim_destroy(void *made) {
    peer *p = made;
    if (!p)
        return;
    release(&p->input);
    release(&p->output);
    if (p->weights)
        dnnl_memory_destroy(p->weights);
    if (p->primitive)
        dnnl_primitive_destroy(p->primitive);
    if (p->stream)
        dnnl_stream_destroy(p->stream);
    if (p->engine)
        dnnl_engine_destroy(p->engine);
    free(p);
}
