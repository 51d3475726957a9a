/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the output of `dwconv conv` is there already: a job that is started again after its end does nothing. */
#include "conv.h"
#include "piece_io.h"

#include <sys/stat.h>

/* A part so large is looked at in no time. */
enum { look_bytes = 32 << 20 };

typedef struct buffers {
    void *input, *output;
} buffers;

/* Verifies the piece of the output against the input. */
static int verify(conv_run *run, const stream_split *split, const stream_piece *piece, const input_file *output,
                  const buffers *memory, int *same, int *telling, cli_failure *failure) {
    dwc_verification result;
    dwc_plan *plan;
    dwc_error error;
    if (piece_read(NULL, split, piece, &run->inputs[INPUT], run->headers[INPUT].data_offset, memory->input, failure) ||
        piece_read_back(split, piece, output, run->output_header.data_offset, memory->output, failure))
        return failure->code;
    if (dwc_plan_create(run->context, &piece->problem, &run->job.request.plan, &plan, &error))
        return fail_library(failure, NULL, &error);
    if (dwc_plan_verify(plan, memory->input, run->filter, run->bias, memory->output, &result, &error))
        fail_library(failure, NULL, &error);
    else
        *same = result.passed;
    const int64_t bytes = piece->problem.n * piece->rows * split->geometry.ow * split->geometry.oc *
                          (int64_t)split->geometry.element_bytes;
    for (int64_t i = 0; i < bytes && !*telling; i++)
        *telling = ((const char *)memory->output)[i] != 0;
    dwc_plan_destroy(plan);
    return failure->code;
}

/* Whether an image, or its first rows, in the output is what the input gives. */
static int look(conv_run *run, int64_t image, const input_file *output, int *same, int *telling, cli_failure *failure) {
    split_request request = run->job.request;
    stream_split split;
    cli_failure too_large = {0};
    request.chunk_images = 1, request.chunk_rows = 0;
    request.memory = request.memory < look_bytes ? request.memory : look_bytes;
    if (split_choose(&request, &split, &too_large)) {
        request.memory = run->job.request.memory;
        if (split_choose(&request, &split, failure))
            return failure->code;
    }
    const stream_piece piece = split_piece(&split, image, 0);
    buffers memory = {dwc_allocate(run->context, (size_t)split.input_bytes + 1),
                      dwc_allocate(run->context, (size_t)split.output_bytes + 1)};
    if (memory.input && memory.output)
        verify(run, &split, &piece, output, &memory, same, telling, failure);
    else
        fail(failure, EXIT_FAILED, "out of memory: %lld bytes to look at the output",
             (long long)(split.input_bytes + split.output_bytes));
    dwc_release(run->context, memory.input);
    dwc_release(run->context, memory.output);
    return failure->code;
}

/* 1: the file has a label, which says whose result it is. */
static int by_label(const conv_run *run, const char *path, int *same) {
    char text[JOURNAL_TEXT];
    journal_job was, now = conv_describe(run);
    if (!output_read_label(path, text, sizeof text) || !journal_parse(text, &was))
        return 0;
    *same = journal_difference(&was, &now) == NULL;
    return 1;
}

enum { samples = 16 };

/* Some images, the first and the last among them. Images without any output but zeros tell nothing. */
static void sample(conv_run *run, const input_file *output, int *same, int *telling, cli_failure *failure) {
    const int64_t images = run->output_header.data_bytes ? run->output_header.shape[0] : 0;
    const int64_t count = images < samples ? images : samples;
    *telling |= count == 0;
    for (int64_t i = 0; i < count && *same && !failure->code; i++)
        look(run, count == 1 ? 0 : i * (images - 1) / (count - 1), output, same, telling, failure);
}

/* The header, no input changed since, the label that the file got with its name where there are labels, a sample. */
int conv_is_complete(conv_run *run, int *complete, cli_failure *failure) {
    const char *path = run->options->output;
    input_file output = {0};
    npy_header header;
    cli_failure other = {0};
    struct stat info;
    *complete = 0;
    if (!run->options->resume || run->found.count || lstat(path, &info))
        return EXIT_DONE;
    const npy_header *wanted = &run->output_header;
    int same = !input_open(path, &output, &other) && !npy_read_header(&output, &header, &other) &&
               header.data_bytes == wanted->data_bytes && header.rank == wanted->rank && header.dtype == wanted->dtype;
    for (int i = 0; i < wanted->rank && same; i++)
        same = header.shape[i] == wanted->shape[i];
    for (int i = 0; i < CONV_INPUTS; i++)
        same = same && run->inputs[i].changed <= output.changed;
    int telling = same && by_label(run, path, &same);
    if (same)
        sample(run, &output, &same, &telling, failure);
    same = same && telling;
    input_close(&output);
    *complete = same && !failure->code;
    if (*complete || run->options->force)
        return failure->code;
    return fail(failure, EXIT_USAGE, "%s: exists already and is not the result of this job (--force replaces it)",
                path);
}
