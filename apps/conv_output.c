/* SPDX-License-Identifier: Apache-2.0 */
/* The output of `dwconv conv` from the first look to its name. */
#include "conv.h"
#include "team.h"

#include <sys/stat.h>

/* ---- before the work --------------------------------------------------------------------------------------------- */

static int exists(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0;
}

int conv_claim(conv_run *run, cli_failure *failure) {
    const conv_options *options = run->options;
    journal_found *found = &run->found;
    if (output_check(options->output, options->force || options->resume, run->inputs, CONV_INPUTS, failure) ||
        output_open(options->output, options->force, &run->output, failure) ||
        journal_read(options->output, found, failure))
        return failure->code;
    const int begun = found->count > 0 && run->output.found_bytes > 0;
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

/* Rank 0: the partial file with its header; an empty one, unless work is gone on with. */
static int begin(conv_run *run, cli_failure *failure) {
    char text[NPY_DATA_OFFSET];
    const npy_header *header = &run->output_header;
    run->begun = run->found.count == 0;
    if (!run->begun)
        return EXIT_DONE;
    journal_remove(run->options->output);
    if (output_begin(&run->output, header->data_offset + header->data_bytes, team_size() > 1, failure))
        return failure->code;
    npy_format_header(header, text);
    return output_write(&run->output, text, sizeof text, 0, failure);
}

int conv_begin(conv_run *run, cli_failure *failure) {
    if (team_rank() == 0)
        begin(run, failure);
    if (team_agree(failure))
        return failure->code;
    if (team_rank() > 0)
        output_join(run->options->output, &run->output, failure);
    return team_agree(failure);
}

int conv_commit(conv_run *run, cli_failure *failure) {
    output_sync(&run->output, failure);
    if (team_agree(failure))
        return failure->code;
    if (team_rank() == 0 && !output_commit(&run->output, failure))
        journal_remove(run->options->output);
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
