/* SPDX-License-Identifier: Apache-2.0 */
/* dwconv beside oneDNN: float32, NHWC in and out, stride, dilation and padding of a shape file's layers, multiplier 1.
 *
 *     onednn SHAPES.csv BATCH [COLD]     a CSV row per layer: medians of both, their ratio
 *
 * Both work on the same input and output, in turn, round by round in one process with one thread (OMP_NUM_THREADS=1);
 * COLD = 1: every execution on the next copy of the tensors. oneDNN gets its filter in the form it asks for. Outputs
 * are compared. Built and run by scripts/compare-onednn.sh. */
#define _GNU_SOURCE
#include <dwconv.h>
#include <dnnl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_ROUNDS = 401, LAST_CACHE = 32 << 20, MOST_COPIES_BYTES = 1 << 30 };

#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        int code = (int)(call);                                                                                        \
        if (code) {                                                                                                    \
            fprintf(stderr, "onednn: %s: failed with %d\n", #call, code);                                              \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *samples, int count) {
    qsort(samples, (size_t)count, sizeof *samples, ascending);
    return samples[count / 2];
}

static void fill(float *to, size_t count) {
    static uint64_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        to[i] = (float)((double)(state >> 11) * 0x1p-52 - 1);
    }
}

/* Pages of memory at 16 modulo 64, as malloc gives them. */
static float *tensor(size_t count) {
    char *p = aligned_alloc(4096, (count * sizeof(float) + 2 * 4096) / 4096 * 4096);
    if (!p)
        exit(1);
    memset(p, 0, count * sizeof(float) + 4096);
    return (float *)(p + 16);
}

/* ---- oneDNN ------------------------------------------------------------------------------------------------------ */

typedef struct peer {
    dnnl_primitive_t primitive;
    dnnl_memory_t in, weights, out;
    dnnl_stream_t stream;
} peer;

static dnnl_memory_t reorder(dnnl_engine_t engine, dnnl_stream_t stream, float *filter, const dnnl_memory_desc_t *from,
                             const dnnl_memory_desc_t *to) {
    dnnl_memory_t source, target;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    CHECK(dnnl_memory_create(&source, from, engine, filter));
    CHECK(dnnl_memory_create(&target, to, engine, DNNL_MEMORY_ALLOCATE));
    CHECK(dnnl_reorder_primitive_desc_create(&description, from, engine, to, engine, NULL));
    CHECK(dnnl_primitive_create(&primitive, description));
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
    CHECK(dnnl_primitive_execute(primitive, stream, 2, arguments));
    CHECK(dnnl_stream_wait(stream));
    return target;
}

static peer peer_create(const dwc_problem *p, const dwc_geometry *g, float *filter) {
    peer made;
    dnnl_engine_t engine;
    dnnl_memory_desc_t in, weights, plain, out;
    dnnl_convolution_desc_t convolution;
    dnnl_primitive_desc_t description;
    const dnnl_dims_t in_dims = {p->n, p->c, p->h, p->w}, out_dims = {p->n, p->c, g->oh, g->ow};
    const dnnl_dims_t filter_dims = {p->c, 1, 1, p->kh, p->kw};
    const dnnl_dims_t strides = {p->sh, p->sw}, dilations = {p->dh - 1, p->dw - 1};
    const dnnl_dims_t before = {g->pad_top, g->pad_left};
    const dnnl_dims_t after = {(g->oh - 1) * p->sh + (p->kh - 1) * p->dh + 1 - p->h - g->pad_top,
                               (g->ow - 1) * p->sw + (p->kw - 1) * p->dw + 1 - p->w - g->pad_left};
    CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
    CHECK(dnnl_stream_create(&made.stream, engine, dnnl_stream_default_flags));
    CHECK(dnnl_memory_desc_init_by_tag(&in, 4, in_dims, dnnl_f32, dnnl_nhwc));
    CHECK(dnnl_memory_desc_init_by_tag(&out, 4, out_dims, dnnl_f32, dnnl_nhwc));
    CHECK(dnnl_memory_desc_init_by_tag(&weights, 5, filter_dims, dnnl_f32, dnnl_format_tag_any));
    CHECK(dnnl_memory_desc_init_by_tag(&plain, 5, filter_dims, dnnl_f32, dnnl_decab)); /* [kh,kw,c] */
    CHECK(dnnl_dilated_convolution_forward_desc_init(&convolution, dnnl_forward_inference, dnnl_convolution_direct, &in,
                                                     &weights, NULL, &out, strides, dilations, before, after));
    CHECK(dnnl_primitive_desc_create(&description, &convolution, NULL, engine, NULL));
    CHECK(dnnl_primitive_create(&made.primitive, description));
    made.weights = reorder(engine, made.stream, filter, &plain,
                           dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0));
    CHECK(dnnl_memory_create(&made.in, &in, engine, DNNL_MEMORY_NONE));
    CHECK(dnnl_memory_create(&made.out, &out, engine, DNNL_MEMORY_NONE));
    return made;
}

static void peer_execute(const peer *p, float *in, float *out) {
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, p->in}, {DNNL_ARG_WEIGHTS, p->weights}, {DNNL_ARG_DST, p->out}};
    CHECK(dnnl_memory_set_data_handle(p->in, in));
    CHECK(dnnl_memory_set_data_handle(p->out, out));
    CHECK(dnnl_primitive_execute(p->primitive, p->stream, 3, arguments));
    CHECK(dnnl_stream_wait(p->stream));
}

/* ---- a layer ----------------------------------------------------------------------------------------------------- */

static void compare(const dwc_context *context, const char *name, const dwc_problem *p, int cold) {
    dwc_plan *plan;
    dwc_plan_info info;
    dwc_error error;
    char text[DWC_PROBLEM_TEXT_MAX];
    CHECK(dwc_plan_create(context, p, NULL, &plan, &error));
    dwc_plan_get_info(plan, &info);
    const size_t in_count = (size_t)info.geometry.input_elements, out_count = (size_t)info.geometry.output_elements;
    const size_t bytes = (in_count + out_count) * sizeof(float);
    size_t copies = cold ? 2 * (size_t)LAST_CACHE / bytes + 2 : 1;
    if (copies > MOST_COPIES_BYTES / bytes + 2)
        copies = MOST_COPIES_BYTES / bytes + 2;
    float *filter = tensor((size_t)info.geometry.filter_elements), *check = tensor(out_count);
    float *in[copies], *out[copies];
    fill(filter, (size_t)info.geometry.filter_elements);
    for (size_t i = 0; i < copies; i++) {
        in[i] = tensor(in_count);
        out[i] = tensor(out_count);
        fill(in[i], in_count);
    }
    void *packed = dwc_allocate(context, info.packed_bytes), *workspace = dwc_allocate(context, info.workspace_bytes);
    CHECK(dwc_plan_pack_filter(plan, filter, packed, &error));
    const peer other = peer_create(p, &info.geometry, filter);

    peer_execute(&other, in[0], check);
    CHECK(dwc_plan_execute(plan, in[0], packed, NULL, out[0], workspace, &error));
    double worst = 0;
    for (size_t i = 0; i < out_count; i++)
        worst = fmax(worst, fabs((double)check[i] - (double)out[0][i]));

    static double ours[MOST_ROUNDS], theirs[MOST_ROUNDS];
    int rounds = 0;
    size_t next = 0;
    for (const double start = seconds(); rounds < MOST_ROUNDS && (rounds < 11 || seconds() - start < 0.3); rounds++)
        for (int who = 0; who < 2; who++) {
            double time = 0;
            for (int again = cold; again < 2; again++) { /* warm: the second one counts */
                const double begin = seconds();
                if (who == rounds % 2)
                    CHECK(dwc_plan_execute(plan, in[next], packed, NULL, out[next], workspace, &error));
                else
                    peer_execute(&other, in[next], out[next]);
                time = seconds() - begin;
            }
            (who == rounds % 2 ? ours : theirs)[rounds] = time;
            next = (next + 1) % copies;
        }
    dwc_problem_print(p, text, sizeof text);
    const double a = median(ours, rounds), b = median(theirs, rounds);
    printf("%s,\"%s\",%d,%.9g,%.9g,%.3f,%.3g\n", name, text, cold, a, b, b / a, worst);
    fflush(stdout);
    for (size_t i = 0; i < copies; i++) {
        free((char *)in[i] - 16);
        free((char *)out[i] - 16);
    }
    free((char *)filter - 16);
    free((char *)check - 16);
    dwc_release(context, packed);
    dwc_release(context, workspace);
    dwc_plan_destroy(plan);
    dnnl_primitive_destroy(other.primitive);
    dnnl_memory_destroy(other.in);
    dnnl_memory_destroy(other.out);
    dnnl_memory_destroy(other.weights);
    dnnl_stream_destroy(other.stream);
}

int main(int argc, char **argv) {
    char line[512];
    FILE *file = argc > 2 ? fopen(argv[1], "r") : NULL;
    if (!file) {
        fprintf(stderr, "usage: onednn SHAPES.csv BATCH [COLD]\n");
        return 2;
    }
    dwc_context_options options;
    dwc_context *context;
    dwc_error error;
    dwc_context_options_init(&options);
    options.threads = 1;
    CHECK(dwc_context_create(&options, &context, &error));
    printf("layer,problem,cold,dwconv_s,onednn_s,ratio,largest_difference\n");
    for (int number = 0; fgets(line, sizeof line, file); number++) {
        char network[64], layer[64], padding[64], text[256];
        int h, w, c, kh, kw, sh, sw, dh, dw, m;
        if (number == 0 || sscanf(line, "%63[^,],%63[^,],%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%63s", network, layer, &h, &w,
                                  &c, &kh, &kw, &sh, &sw, &dh, &dw, &m, padding) != 13)
            continue;
        for (char *at = padding; *at; at++)
            *at = *at == ':' ? ',' : *at;
        const char *shown = !strcmp(padding, "SAME") ? "same" : !strcmp(padding, "VALID") ? "valid" : padding;
        snprintf(text, sizeof text, "f32:nhwc:n%s:%dx%dx%d:k%dx%d:s%dx%d:d%dx%d:m%d:%s%s", argv[2], h, w, c, kh, kw, sh,
                 sw, dh, dw, m, *shown >= '0' && *shown <= '9' ? "p" : "", shown);
        dwc_problem problem;
        if (dwc_problem_parse(text, &problem, &error)) {
            fprintf(stderr, "onednn: %s: %s\n", text, error.message);
            return 2;
        }
        if (m == 1)
            compare(context, layer, &problem, argc > 3 && atoi(argv[3]));
    }
    dwc_context_destroy(context);
    return 0;
}
