/* SPDX-License-Identifier: Apache-2.0 */
/* The output of `dwconv conv` from the first look to its name. */
#include "conv.h"
#include "team.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- before the work --------------------------------------------------------------------------------------------- */

static int exists(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0;
}

static int read_mark(const conv_run *run, int64_t mark[2], cli_failure *failure) {
    const input_file file = {.path = run->output.partial, .fd = run->output.fd};
    return input_read(&file, mark, 2 * sizeof *mark, 0, failure);
}

int conv_claim(conv_run *run, cli_failure *failure) {
    const conv_options *options = run->options;
    journal_found *found = &run->found;
    cli_failure ignored = {0};
    if (output_check(options->output, options->force || options->resume, run->inputs, CONV_INPUTS, failure) ||
        output_open(options->output, options->force, options->force_unlock, &run->output, failure))
        return failure->code;
    if (options->force && !options->resume)
        return EXIT_DONE;
    if (journal_read(options->output, found, failure))
        return failure->code;
    /* Journals that another file of that name left behind speak of nothing. */
    const int begun = found->count > 0 && read_mark(run, run->mark, &ignored) == EXIT_DONE &&
                      run->mark[0] == found->job.mark[0] && run->mark[1] == found->job.mark[1];
    if (begun && !options->resume && !options->force)
        return fail(failure, EXIT_USAGE,
                    "%s: holds finished work of a job that was stopped: --resume goes on, --force starts afresh",
                    run->output.partial);
    if (begun && options->resume && !options->force && exists(options->output))
        return fail(failure, EXIT_USAGE, "%s: exists already (--force replaces it)", options->output);
    if (!begun || !options->resume)
        journal_forget(found);
    return EXIT_DONE;
}

/* ---- the work ---------------------------------------------------------------------------------------------------- */

/* Rank 0: the partial file, an empty one with a new mark, unless work is gone on with. */
static int begin(conv_run *run, cli_failure *failure) {
    const npy_header *header = &run->output_header;
    run->begun = run->found.count == 0;
    if (!run->begun)
        return EXIT_DONE;
    if (journal_remove(run->options->output, failure) ||
        output_begin(&run->output, header->data_offset + header->data_bytes, team_size() > 1, failure) ||
        output_write(&run->output, run->mark, sizeof run->mark, 0, failure))
        return failure->code;
    return team_size() > 1 ? output_sync(&run->output, failure) : EXIT_DONE;
}

/* The other ranks: is it the same file? What was read of it shall not be kept for later, when others wrote to it. */
static int join(conv_run *run, cli_failure *failure) {
    int64_t found[2];
    if (output_join(run->options->output, &run->output, failure) || read_mark(run, found, failure))
        return failure->code;
    posix_fadvise(run->output.fd, 0, 0, POSIX_FADV_DONTNEED);
    if (found[0] != run->mark[0] || found[1] != run->mark[1])
        return fail(failure, EXIT_FAILED, "%s: is not the file that rank 0 writes", run->output.partial);
    return EXIT_DONE;
}

int conv_begin(conv_run *run, cli_failure *failure) {
    if (team_rank() == 0 && !begin(run, failure) && team_size() > 1)
        output_share(&run->output, failure);
    if (team_agree(failure))
        return failure->code;
    if (team_rank() > 0)
        join(run, failure);
    return team_agree(failure);
}

int conv_commit(conv_run *run, cli_failure *failure) {
    char text[NPY_DATA_OFFSET], label[JOURNAL_TEXT];
    const journal_job job = conv_describe(run);
    for (int i = 0; i < CONV_INPUTS; i++)
        input_unchanged(&run->inputs[i], failure);
    npy_format_header(&run->output_header, text);
    if (team_rank() == 0 && !failure->code && !output_write(&run->output, text, sizeof text, 0, failure) &&
        journal_print(&job, label))
        output_label(&run->output, label);
    if (!failure->code)
        output_sync(&run->output, failure);
    if (team_agree(failure))
        return failure->code;
    if (team_rank() == 0 && !output_commit(&run->output, failure))
        journal_remove(run->options->output, failure);
    return team_agree(failure);
}

void conv_leave(conv_run *run) {
    int64_t kept = run->journal.fd >= 0 && run->journal.path ? 1 : 0;
    team_sum(&kept, 1);
    const int ours = run->begun || run->output.found_bytes == 0;
    if (team_rank() == 0 && kept == 0 && ours)
        output_discard(&run->output);
    output_close(&run->output);
}
