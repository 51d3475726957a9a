/* SPDX-License-Identifier: Apache-2.0 */
/* `dwconv conv`: convolves a batch held in .npy files.
 *
 *     options -> files and headers -> problem -> plan -> split -> OUT.partial -> stream -> OUT -> summary
 *
 * Everything that can be wrong with the arguments is found before the output file is created. */
#include "cli.h"
#include "json_line.h"
#include "npy.h"
#include "options.h"
#include "plan_limits.h"
#include "stream.h"
#include "wisdom_use.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

typedef struct padding_value {
    dwc_padding kind;
    int64_t pads[4]; /* top, bottom, left, right */
} padding_value;

typedef struct conv_options {
    common_options common;
    const char *input, *filter, *bias, *output;
    int64_t strides[2], dilations[2];
    padding_value padding;
    int layout, dtype, activation; /* dwc_layout, dwc_dtype or 0, dwc_activation */
    const char *algo;
    dwc_isa isa;
    wisdom_options wisdom;
    plan_limits limits;
    int64_t threads, chunk_images, memory;
    int force, json;
} conv_options;

static conv_options options = {
    .strides = {1, 1},
    .dilations = {1, 1},
    .padding = {DWC_SAME, {0}},
    .layout = DWC_NHWC,
    .algo = "auto",
    .memory = INT64_C(1) << 30,
};

static const cli_choice layouts[] = {{"NHWC", DWC_NHWC}, {"NCHW", DWC_NCHW}, {NULL, 0}};
static const cli_choice dtypes[] = {
    {"bf16", DWC_BF16}, {"f16", DWC_F16}, {"f32", DWC_F32}, {"f64", DWC_F64}, {NULL, 0}};
static const cli_choice activations[] = {
    {"none", DWC_NO_ACTIVATION}, {"relu", DWC_RELU}, {"relu6", DWC_RELU6}, {NULL, 0}};

static int parse_padding(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    padding_value *padding = value;
    *padding = (padding_value){.kind = !strcmp(text, "same")    ? DWC_SAME
                                       : !strcmp(text, "valid") ? DWC_VALID
                                                                : DWC_EXPLICIT};
    if (padding->kind == DWC_EXPLICIT && !option_numbers(text, padding->pads, 4))
        return fail(failure, EXIT_USAGE, "%s: '%s' is neither same, valid nor T,B,L,R", option->name, text);
    return EXIT_DONE;
}

#define AT(field) .offset = offsetof(conv_options, field)

static const cli_option table[] = {
    {"--input", "FILE", "the batch, [N,H,W,C] or [N,C,H,W]", option_text, AT(input), .required = 1},
    {"--filter", "FILE", "the filter, [KH,KW,C,M]", option_text, AT(filter), .required = 1},
    {"--output", "FILE", "where the result goes", option_text, AT(output), .required = 1},
    {"--bias", "FILE", "a bias, [C*M], added to the result", option_text, AT(bias)},
    {"--strides", "SH,SW", "steps of the window; one number for both [1,1]", option_pair, AT(strides), .minimum = 1},
    {"--padding", "same|valid|T,B,L,R",
     "zeros around the images; T,B,L,R: rows at the top and\nbottom, columns left and "
     "right [same]",
     parse_padding, AT(padding)},
    {"--dilations", "DH,DW", "spacing of the taps; one number for both [1,1]", option_pair, AT(dilations),
     .minimum = 1},
    {"--data-format", "NHWC|NCHW", "order of the dimensions of input and output [NHWC]", option_choose, AT(layout),
     .choices = layouts},
    {"--activation", "none|relu|relu6", "applied to the result [none]", option_choose, AT(activation),
     .choices = activations},
    {"--dtype", "bf16|f16|f32|f64", "element type the files must have; bf16 is stored as V2\nand needs this option",
     option_choose, AT(dtype), .choices = dtypes},
    {"--algo", "auto|NAME", "algorithm; 'dwconv info --algos' lists them [auto]", option_text, AT(algo)},
    OPTIONS_WISDOM(offsetof(conv_options, wisdom)),
    OPTIONS_LIMITS(offsetof(conv_options, limits)),
    {"--isa", "NAME", "use no better instruction set than this: baseline,\navx2, avx512, best [best]", option_isa,
     AT(isa)},
    {"--threads", "N", "threads [one per core]", option_integer, AT(threads), .minimum = 1, .maximum = DWC_MAX_THREADS},
    {"--chunk-images", "N", "images per piece of work, fewer if the memory does not\nhold them", option_integer,
     AT(chunk_images), .minimum = 1},
    {"--memory", "BYTES", "most memory for buffers, such as 500M or 2Gi [1Gi]", option_bytes, AT(memory), .minimum = 1},
    {"--force", NULL, "replace an existing output", option_flag, AT(force)},
    {"--json", NULL, "report as a JSON object", option_flag, AT(json)},
    OPTIONS_COMMON,
    {0},
};

/* Everything a run holds; released by close_all in whatever state it is. */
typedef struct conv_run {
    input_file inputs[3]; /* input, filter, bias */
    npy_header headers[3];
    void *filter, *bias;
    output_file output;
    wisdom_file wisdom;
    dwc_context *context;
    unsigned log_topics;
    dwc_plan *plan; /* of the whole batch: tells algorithm and parameters, is not executed */
    dwc_plan_info info;
    stream_job job;
    stream_report report;
    double started, seconds;
} conv_run;

enum { INPUT, FILTER, BIAS };

/* ---- arguments --------------------------------------------------------------------------------------------------- */

/* Opens a file and checks its type against --dtype and the input's type, and its rank. */
static int open_tensor(conv_run *run, int which, const char *path, int rank, cli_failure *failure) {
    input_file *file = &run->inputs[which];
    npy_header *header = &run->headers[which];
    if (input_open(path, file, failure) || npy_read_header(file, header, failure))
        return failure->code;
    if (options.dtype && (int)header->dtype != options.dtype)
        return fail(failure, EXIT_USAGE, "%s: elements are %s ('%s'), --dtype says %s", path,
                    dwc_dtype_name(header->dtype), npy_descr(header->dtype), dwc_dtype_name((dwc_dtype)options.dtype));
    if (header->dtype == DWC_BF16 && !options.dtype)
        return fail(failure, EXIT_USAGE, "%s: element type '%s' is read as bfloat16 only with --dtype bf16", path,
                    npy_descr(header->dtype));
    if (header->dtype != run->headers[INPUT].dtype)
        return fail(failure, EXIT_USAGE, "%s: elements are %s, those of %s are %s", path, dwc_dtype_name(header->dtype),
                    options.input, dwc_dtype_name(run->headers[INPUT].dtype));
    if (header->rank != rank)
        return fail(failure, EXIT_USAGE, "%s: rank is %d, not %d", path, header->rank, rank);
    return EXIT_DONE;
}

static int open_tensors(conv_run *run, cli_failure *failure) {
    if (open_tensor(run, INPUT, options.input, 4, failure) || open_tensor(run, FILTER, options.filter, 4, failure))
        return failure->code;
    return options.bias ? open_tensor(run, BIAS, options.bias, 1, failure) : EXIT_DONE;
}

static int make_problem(conv_run *run, cli_failure *failure) {
    const int64_t *in = run->headers[INPUT].shape, *filter = run->headers[FILTER].shape;
    dwc_problem *p = &run->job.request.problem;
    dwc_geometry geometry;
    dwc_error error;
    int nchw = options.layout == DWC_NCHW;
    dwc_problem_init(p);
    p->dtype = run->headers[INPUT].dtype;
    p->layout = (dwc_layout)options.layout;
    p->n = in[0], p->h = in[1 + nchw], p->w = in[2 + nchw], p->c = in[nchw ? 1 : 3];
    p->kh = filter[0], p->kw = filter[1], p->m = filter[3];
    p->sh = options.strides[0], p->sw = options.strides[1];
    p->dh = options.dilations[0], p->dw = options.dilations[1];
    p->padding = options.padding.kind;
    p->pad_top = options.padding.pads[0], p->pad_bottom = options.padding.pads[1];
    p->pad_left = options.padding.pads[2], p->pad_right = options.padding.pads[3];
    p->bias = options.bias != NULL;
    p->activation = (dwc_activation)options.activation;
    if (filter[2] != p->c)
        return fail(failure, EXIT_USAGE, "%s: filter has %" PRId64 " input channels, input has %" PRId64,
                    options.filter, filter[2], p->c);
    if (dwc_problem_geometry(p, &geometry, &error))
        return fail_library(failure, options.input, &error);
    if (options.bias && run->headers[BIAS].shape[0] != geometry.oc)
        return fail(failure, EXIT_USAGE, "%s: bias has %" PRId64 " elements, output has %" PRId64 " channels",
                    options.bias, run->headers[BIAS].shape[0], geometry.oc);
    return EXIT_DONE;
}

/* Plans the whole batch; the pieces then use the algorithm and parameters found. */
static int make_plan(conv_run *run, cli_failure *failure) {
    split_request *request = &run->job.request;
    dwc_plan_options *piece = &request->plan;
    const int by_itself = strcmp(options.algo, "auto") == 0;
    if (wisdom_open(&run->wisdom, &options.wisdom, by_itself, failure) ||
        cli_context(&options.common, (int)options.threads, options.isa, run->wisdom.wisdom, &run->context,
                    &run->log_topics, failure))
        return failure->code;
    request->context = run->context;
    request->memory = options.memory;
    request->chunk_images = options.chunk_images;
    dwc_plan_options_init(piece);
    piece->algo = options.algo;
    plan_limits_set(&options.limits, piece);
    piece->bands = by_itself; /* the result must not depend on the pieces */
    dwc_error error;
    if (wisdom_plan(&run->wisdom, run->context, &request->problem, piece, &run->plan, &error, failure))
        return fail_library(failure, NULL, &error);
    dwc_plan_get_info(run->plan, &run->info);
    piece->algo = run->info.algo;
    piece->params = run->info.params[0] ? run->info.params : NULL;
    piece->max_error = 0; /* of images, not of bands, which may be lower than the kernel */
    request->band_rows = run->info.band_rows;
    return split_choose(request, &run->job.split, failure);
}

static void log_split(const conv_run *run) {
    const stream_split *split = &run->job.split;
    char line[200];
    snprintf(line, sizeof line,
             "pieces of %" PRId64 " images, %" PRId64 " rows: input %" PRId64 ", output %" PRId64 ", packed %" PRId64
             ", workspace %" PRId64 " bytes",
             split->images, split->rows, split->input_bytes, split->output_bytes, split->packed_bytes,
             split->scratch_bytes);
    if (run->log_topics & DWC_LOG_PLAN)
        dwc_log_to_stderr(NULL, DWC_LOG_PLAN, line);
}

/* ---- work -------------------------------------------------------------------------------------------------------- */

static int load(conv_run *run, int which, void **data, cli_failure *failure) {
    const npy_header *header = &run->headers[which];
    if (header->data_bytes == 0)
        return EXIT_DONE;
    *data = dwc_allocate(run->context, (size_t)header->data_bytes);
    if (!*data)
        return fail(failure, EXIT_FAILED, "%s: out of memory: %" PRId64 " bytes", run->inputs[which].path,
                    header->data_bytes);
    return input_read(&run->inputs[which], *data, header->data_bytes, header->data_offset, failure);
}

static npy_header output_header(const conv_run *run) {
    const dwc_geometry *g = &run->job.split.geometry;
    npy_header header = {.dtype = run->headers[INPUT].dtype, .rank = 4, .data_offset = NPY_DATA_OFFSET};
    int nchw = options.layout == DWC_NCHW;
    header.shape[0] = run->job.request.problem.n;
    header.shape[1 + nchw] = g->oh;
    header.shape[2 + nchw] = g->ow;
    header.shape[nchw ? 1 : 3] = g->oc;
    header.data_bytes = g->output_elements * (int64_t)g->element_bytes;
    return header;
}

static int convolve(conv_run *run, cli_failure *failure) {
    char text[NPY_DATA_OFFSET];
    npy_header header = output_header(run);
    stream_job *job = &run->job;
    npy_format_header(&header, text);
    if (output_open(options.output, options.force, header.data_offset + header.data_bytes, &run->output, failure) ||
        output_write(&run->output, text, sizeof text, 0, failure))
        return failure->code;
    job->input = &run->inputs[INPUT];
    job->output = &run->output;
    job->input_offset = run->headers[INPUT].data_offset;
    job->output_offset = header.data_offset;
    job->filter = run->filter;
    job->bias = run->bias;
    if (stream_run(job, &run->report, failure))
        return failure->code;
    double start = cli_seconds();
    int code = output_commit(&run->output, failure);
    run->report.write_seconds += cli_seconds() - start;
    return code;
}

/* ---- report ------------------------------------------------------------------------------------------------------ */

static double gigabytes_per_second(const conv_run *run) {
    const dwc_geometry *g = &run->job.split.geometry;
    double elements = (double)g->input_elements + (double)g->filter_elements + (double)g->output_elements;
    return run->seconds > 0 ? elements * (double)g->element_bytes / run->seconds * 1e-9 : 0;
}

static int print_json(const conv_run *run, const char *problem, int threads, cli_failure *failure) {
    const stream_report *report = &run->report;
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:s}", "problem", problem, "algo",
                  run->info.algo, "params", run->info.params, "isa", run->info.isa, "threads", threads, "ranks", 1,
                  "images", (json_int_t)run->job.request.problem.n, "seconds", run->seconds, "compute_seconds",
                  report->compute_seconds, "read_seconds", report->read_seconds, "write_seconds", report->write_seconds,
                  "gbps", gigabytes_per_second(run), "source", run->info.source);
    return json_line(object, failure);
}

static int print_report(const conv_run *run, cli_failure *failure) {
    const stream_report *report = &run->report;
    char problem[DWC_PROBLEM_TEXT_MAX];
    int threads = report->threads ? report->threads : run->info.threads;
    dwc_problem_print(&run->job.request.problem, problem, sizeof problem);
    if (options.json)
        return print_json(run, problem, threads, failure);
    printf("problem    %s\n", problem);
    printf("algorithm  %s%s%s%s, %s, %d thread%s, chosen by: %s\n", run->info.algo, run->info.params[0] ? " (" : "",
           run->info.params, run->info.params[0] ? ")" : "", run->info.isa, threads, threads == 1 ? "" : "s",
           run->info.source);
    printf("time       %.3f s: read %.3f, compute %.3f, write %.3f; %.2f GB/s\n", run->seconds, report->read_seconds,
           report->compute_seconds, report->write_seconds, gigabytes_per_second(run));
    printf("output     %s\n", options.output);
    return EXIT_DONE;
}

static void close_all(conv_run *run, cli_failure *failure) {
    output_discard(&run->output);
    dwc_plan_destroy(run->plan);
    if (run->context) {
        dwc_release(run->context, run->filter);
        dwc_release(run->context, run->bias);
    }
    dwc_context_destroy(run->context);
    wisdom_close(&run->wisdom, failure);
    for (int i = 0; i < 3; i++)
        input_close(&run->inputs[i]);
}

static int run_steps(conv_run *run, cli_failure *failure) {
    run->started = cli_seconds();
    if (open_tensors(run, failure) || output_check(options.output, options.force, run->inputs, 3, failure) ||
        make_problem(run, failure) || make_plan(run, failure))
        return failure->code;
    log_split(run);
    const int any = split_count(&run->job.split) > 0;
    if ((any && load(run, FILTER, &run->filter, failure)) ||
        (any && options.bias && load(run, BIAS, &run->bias, failure)) || convolve(run, failure))
        return failure->code;
    run->seconds = cli_seconds() - run->started;
    return print_report(run, failure);
}

static int run_conv(cli_failure *failure) {
    static conv_run run;
    int code = run_steps(&run, failure);
    close_all(&run, failure);
    return code;
}

const cli_command conv_command = {
    .name = "conv",
    .summary = "convolve a batch held in .npy files",
    .usage = "--input FILE --filter FILE --output FILE [OPTIONS]",
    .about = "Convolves a batch of images with a depthwise filter. Files are .npy, C order, little\n"
             "endian, of one element type: f2, f4, f8, or V2 as bfloat16. The batch is streamed through\n"
             "limited memory. The output appears under its name only when it is complete, until then it\n"
             "is FILE.partial.\n",
    .options = table,
    .values = &options,
    .run = run_conv,
};
