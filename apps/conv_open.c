/* SPDX-License-Identifier: Apache-2.0 */
/* The tensors of `dwconv conv` and the problem they make. */
#include "conv.h"
#include "team.h"

#include "dwconv_expert.h"

#include <inttypes.h>
#include <string.h>

/* Opens a file and checks its type against --dtype and the input's type, and its rank. */
static int open_tensor(conv_run *run, int which, const char *path, int rank, cli_failure *failure) {
    const conv_options *options = run->options;
    input_file *file = &run->inputs[which];
    npy_header *header = &run->headers[which];
    if (input_open(path, file, failure) || npy_read_header(file, header, failure))
        return failure->code;
    if (options->dtype && (int)header->dtype != options->dtype)
        return fail(failure, EXIT_USAGE, "%s: elements are %s ('%s'), --dtype says %s", path,
                    dwc_dtype_name(header->dtype), npy_descr(header->dtype), dwc_dtype_name((dwc_dtype)options->dtype));
    if (header->dtype == DWC_BF16 && !options->dtype)
        return fail(failure, EXIT_USAGE, "%s: element type '%s' is read as bfloat16 only with --dtype bf16", path,
                    npy_descr(header->dtype));
    if (header->dtype != run->headers[INPUT].dtype)
        return fail(failure, EXIT_USAGE, "%s: elements are %s, those of %s are %s", path, dwc_dtype_name(header->dtype),
                    options->input, dwc_dtype_name(run->headers[INPUT].dtype));
    if (header->rank != rank)
        return fail(failure, EXIT_USAGE, "%s: rank is %d, not %d", path, header->rank, rank);
    return EXIT_DONE;
}

static int open_tensors(conv_run *run, cli_failure *failure) {
    const conv_options *options = run->options;
    if (open_tensor(run, INPUT, options->input, 4, failure) || open_tensor(run, FILTER, options->filter, 4, failure))
        return failure->code;
    return options->bias ? open_tensor(run, BIAS, options->bias, 1, failure) : EXIT_DONE;
}

static int make_problem(conv_run *run, cli_failure *failure) {
    const conv_options *options = run->options;
    const int64_t *in = run->headers[INPUT].shape, *filter = run->headers[FILTER].shape;
    dwc_problem *p = &run->job.request.problem;
    dwc_geometry geometry;
    dwc_error error;
    int nchw = options->layout == DWC_NCHW;
    dwc_problem_init(p);
    p->dtype = run->headers[INPUT].dtype;
    p->layout = (dwc_layout)options->layout;
    p->n = in[0], p->h = in[1 + nchw], p->w = in[2 + nchw], p->c = in[nchw ? 1 : 3];
    p->kh = filter[0], p->kw = filter[1], p->m = filter[3];
    p->sh = options->strides[0], p->sw = options->strides[1];
    p->dh = options->dilations[0], p->dw = options->dilations[1];
    p->padding = options->padding.kind;
    p->pad_top = options->padding.pads[0], p->pad_bottom = options->padding.pads[1];
    p->pad_left = options->padding.pads[2], p->pad_right = options->padding.pads[3];
    p->bias = options->bias != NULL;
    p->activation = (dwc_activation)options->activation;
    if (filter[2] != p->c)
        return fail(failure, EXIT_USAGE, "%s: filter has %" PRId64 " input channels, input has %" PRId64,
                    options->filter, filter[2], p->c);
    if (dwc_problem_geometry(p, &geometry, &error))
        return fail_library(failure, options->input, &error);
    if (options->bias && run->headers[BIAS].shape[0] != geometry.oc)
        return fail(failure, EXIT_USAGE, "%s: bias has %" PRId64 " elements, output has %" PRId64 " channels",
                    options->bias, run->headers[BIAS].shape[0], geometry.oc);
    run->output_header = (npy_header){.dtype = p->dtype, .rank = 4, .data_offset = NPY_DATA_OFFSET};
    run->output_header.data_bytes = geometry.output_elements * (int64_t)geometry.element_bytes;
    int64_t *out = run->output_header.shape;
    out[0] = p->n, out[1 + nchw] = geometry.oh, out[2 + nchw] = geometry.ow, out[nchw ? 1 : 3] = geometry.oc;
    return EXIT_DONE;
}

/* Ranks that see different files would mix two jobs in one output. */
static int compare_ranks(conv_run *run, cli_failure *failure) {
    struct {
        char problem[DWC_PROBLEM_TEXT_MAX];
        int64_t bytes[CONV_INPUTS], changed;
    } mine = {0}, first;
    dwc_problem_print(&run->job.request.problem, mine.problem, sizeof mine.problem);
    for (int i = 0; i < CONV_INPUTS; i++)
        mine.bytes[i] = run->inputs[i].bytes;
    mine.changed = run->inputs[INPUT].changed;
    first = mine;
    team_share(&first, sizeof first);
    for (int i = 0; i < CONV_INPUTS; i++)
        if (mine.bytes[i] != first.bytes[i])
            fail(failure, EXIT_FAILED, "%s: has %" PRId64 " bytes here, %" PRId64 " for rank 0", run->inputs[i].path,
                 mine.bytes[i], first.bytes[i]);
    if (strcmp(mine.problem, first.problem))
        fail(failure, EXIT_FAILED, "%s: the problem is %s here, %s for rank 0", run->inputs[INPUT].path, mine.problem,
             first.problem);
    if (mine.changed != first.changed)
        fail(failure, EXIT_FAILED, "%s: was changed at another time than rank 0 sees", run->inputs[INPUT].path);
    return team_agree(failure);
}

int conv_open(conv_run *run, cli_failure *failure) {
    if (!open_tensors(run, failure))
        make_problem(run, failure);
    return team_agree(failure) ? failure->code : compare_ranks(run, failure);
}

/* ---- filter and bias --------------------------------------------------------------------------------------------- */

static int load(conv_run *run, int which, void **data, uint32_t *checksum, cli_failure *failure) {
    const npy_header *header = &run->headers[which];
    if (header->data_bytes == 0)
        return EXIT_DONE;
    *data = dwc_allocate(run->context, (size_t)header->data_bytes);
    if (!*data)
        return fail(failure, EXIT_FAILED, "%s: out of memory: %" PRId64 " bytes", run->inputs[which].path,
                    header->data_bytes);
    if (input_read(&run->inputs[which], *data, header->data_bytes, header->data_offset, failure))
        return failure->code;
    *checksum = dwc_expert_crc32c(0, *data, (size_t)header->data_bytes);
    return EXIT_DONE;
}

/* The context on no better instruction set than any rank has, nor than the one that gives the bits so far. Ends without
 * agreement. */
static int make_context(conv_run *run, cli_failure *failure) {
    const conv_options *options = run->options;
    const journal_job *before = &run->found.job;
    common_options common = options->common;
    common.sharing = team_sharing();
    common.verbose = common.verbose && team_rank() == 0;
    cli_context(&common, (int)options->threads, options->isa, run->wisdom.wisdom, &run->context, &run->log_topics,
                failure);
    if (team_agree(failure))
        return failure->code;
    const dwc_isa have = dwc_context_machine(run->context)->isa;
    dwc_isa wanted = have;
    if (run->found.count && !journal_same_bits(before, dwc_isa_name(have)) && dwc_isa_parse(before->isa) < have)
        wanted = dwc_isa_parse(before->isa);
    int64_t least = wanted;
    team_min(&least, 1);
    if (least == (int64_t)have || least == 0)
        return EXIT_DONE;
    dwc_context_destroy(run->context);
    run->context = NULL;
    return cli_context(&common, (int)options->threads, (dwc_isa)least, run->wisdom.wisdom, &run->context,
                       &run->log_topics, failure);
}

/* Ranks may have files of their own by these names. */
static int compare_checksums(conv_run *run, cli_failure *failure) {
    const uint32_t mine[] = {run->filter_checksum, run->bias_checksum};
    uint32_t first[] = {mine[0], mine[1]};
    team_share(first, sizeof first);
    for (int i = 0; i < 2; i++)
        if (mine[i] != first[i])
            fail(failure, EXIT_FAILED, "%s: has other contents here than for rank 0", run->inputs[FILTER + i].path);
    return team_agree(failure);
}

/* Rank 0: is it this job that was begun? */
static int check_begun(const conv_run *run, cli_failure *failure) {
    const journal_job now = conv_describe(run);
    const char *field = run->found.count ? journal_difference(&run->found.job, &now) : NULL;
    return field ? fail(failure, EXIT_USAGE,
                        "%s.partial: was begun with another %s; --force without --resume starts "
                        "afresh",
                        run->options->output, field)
                 : EXIT_DONE;
}

int conv_load(conv_run *run, cli_failure *failure) {
    const int by_itself = strcmp(run->options->algo, "auto") == 0;
    if (team_rank() == 0)
        wisdom_open(&run->wisdom, &run->options->wisdom, by_itself, failure);
    if (team_agree(failure))
        return failure->code;
    make_context(run, failure);
    const int any = run->output_header.data_bytes > 0;
    if (!failure->code && any)
        load(run, FILTER, &run->filter, &run->filter_checksum, failure);
    if (!failure->code && any && run->options->bias)
        load(run, BIAS, &run->bias, &run->bias_checksum, failure);
    if (team_agree(failure) || compare_checksums(run, failure))
        return failure->code;
    if (team_rank() == 0)
        check_begun(run, failure);
    return team_agree(failure);
}
