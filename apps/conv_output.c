/* SPDX-License-Identifier: Apache-2.0 */
/* The output of `dwconv conv` from the first look to its name. */
#include "conv.h"
#include "team.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- before the work --------------------------------------------------------------------------------------------- */

static int exists(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0;
}

int conv_claim(conv_run *run, cli_failure *failure) {
    const conv_options *options = run->options;
    journal_found *found = &run->found;
    if (output_check(options->output, options->force || options->resume, run->inputs, CONV_INPUTS, failure) ||
        output_open(options->output, options->force, options->force_unlock, &run->output, failure) ||
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

/* A mark where the header will be, by which the ranks know that they see one file, not one each on their own disks. */
typedef struct mark {
    int64_t time, process;
} mark;

/* Rank 0: the partial file, an empty one, unless work is gone on with. */
static int begin(conv_run *run, cli_failure *failure) {
    const npy_header *header = &run->output_header;
    run->begun = run->found.count == 0;
    if (!run->begun)
        return EXIT_DONE;
    journal_remove(run->options->output);
    return output_begin(&run->output, header->data_offset + header->data_bytes, team_size() > 1, failure);
}

static int check_mark(conv_run *run, const mark *wanted, cli_failure *failure) {
    mark found = {0};
    const input_file file = {.path = run->output.partial, .fd = run->output.fd};
    if (input_read(&file, &found, sizeof found, 0, failure))
        return failure->code;
    if (found.time != wanted->time || found.process != wanted->process)
        return fail(failure, EXIT_FAILED, "%s: is not the file that rank 0 writes", run->output.partial);
    return EXIT_DONE;
}

int conv_begin(conv_run *run, cli_failure *failure) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    mark m = {(int64_t)now.tv_sec * 1000000000 + now.tv_nsec, getpid()};
    if (team_rank() == 0 && !begin(run, failure) && team_size() > 1 &&
        !output_write(&run->output, &m, sizeof m, 0, failure))
        output_sync(&run->output, failure);
    if (team_agree(failure))
        return failure->code;
    team_share(&m, sizeof m);
    if (team_rank() > 0 && !output_join(run->options->output, &run->output, failure))
        check_mark(run, &m, failure);
    return team_agree(failure);
}

int conv_commit(conv_run *run, cli_failure *failure) {
    char text[NPY_DATA_OFFSET];
    npy_format_header(&run->output_header, text);
    if (team_rank() == 0)
        output_write(&run->output, text, sizeof text, 0, failure);
    if (!failure->code)
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
