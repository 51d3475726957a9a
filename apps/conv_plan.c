/* SPDX-License-Identifier: Apache-2.0 */
/* The numerics of `dwconv conv`, chosen once for all ranks and chunks and kept when a job is gone on with, the split,
 * and what of it is still to be done. */
#include "conv.h"
#include "team.h"

#include "dwconv_expert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Plans the whole batch; its pieces then use the algorithm and parameters found. */
static int choose(conv_run *run, cli_failure *failure) {
    split_request *request = &run->job.request;
    const int by_itself = strcmp(run->options->algo, "auto") == 0;
    dwc_plan_options *piece = &request->plan;
    const journal_job *before = run->found.count ? &run->found.job : NULL;
    dwc_error error;
    piece->algo = run->options->algo;
    piece->bands = by_itself && !before; /* the result must not depend on the pieces */
    if (before && by_itself)
        piece->algo = before->algo;
    /* Those of direct change no bit, and may not suit this machine. */
    if (before && !strcmp(piece->algo, before->algo) && strcmp(before->algo, "direct") && *before->params)
        piece->params = before->params;
    const dwc_status status =
        before ? dwc_plan_create(run->context, &request->problem, piece, &run->plan, &error)
               : wisdom_plan(&run->wisdom, run->context, &request->problem, piece, &run->plan, &error, failure);
    if (status)
        return fail_library(failure, NULL, &error);
    dwc_plan_get_info(run->plan, &run->info);
    snprintf(run->algo, sizeof run->algo, "%s", run->info.algo);
    snprintf(run->params, sizeof run->params, "%s", run->info.params);
    snprintf(run->source, sizeof run->source, "%s", run->info.source);
    return EXIT_DONE;
}

/* Plans with what rank 0 chose. */
static int follow(conv_run *run, cli_failure *failure) {
    dwc_plan_options *piece = &run->job.request.plan;
    dwc_error error;
    piece->algo = run->algo;
    piece->params = *run->params ? run->params : NULL;
    if (!run->plan && dwc_plan_create(run->context, &run->job.request.problem, piece, &run->plan, &error))
        return fail_library(failure, NULL, &error);
    dwc_plan_get_info(run->plan, &run->info);
    piece->max_error = 0; /* of images, not of bands, which may be lower than the kernel */
    return EXIT_DONE;
}

static void log_split(const conv_run *run) {
    const stream_split *split = &run->job.split;
    char line[256];
    snprintf(line, sizeof line,
             "pieces of %" PRId64 " images, %" PRId64 " rows: input %" PRId64 ", output %" PRId64 ", packed %" PRId64
             ", workspace %" PRId64 " bytes; %d of them at a time; chunks of %" PRId64 " images, %" PRId64 " rows",
             split->images, split->rows, split->input_bytes * split->buffers, split->output_bytes * split->buffers,
             split->packed_bytes, split->scratch_bytes, split->buffers, split->chunk_images, split->chunk_rows);
    if (run->log_topics & DWC_LOG_PLAN && team_rank() == 0)
        dwc_log_to_stderr(NULL, DWC_LOG_PLAN, line);
}

journal_job conv_describe(const conv_run *run) {
    const stream_split *split = &run->job.split;
    journal_job job = {.input_bytes = run->inputs[INPUT].bytes,
                       .input_time = run->inputs[INPUT].changed,
                       .filter = run->filter_checksum,
                       .bias = run->bias_checksum,
                       .chunk_images = split->chunk_images,
                       .chunk_rows = split->chunk_rows,
                       .mark = {run->mark[0], run->mark[1]},
                       .revision = *run->algo ? dwc_expert_revision(run->algo) : 0};
    dwc_problem_print(&run->job.request.problem, job.problem, sizeof job.problem);
    snprintf(job.version, sizeof job.version, "%s", dwc_version());
    snprintf(job.algo, sizeof job.algo, "%s", run->algo);
    snprintf(job.params, sizeof job.params, "%s", run->params);
    snprintf(job.isa, sizeof job.isa, "%s", run->info.isa ? run->info.isa : "");
    return job;
}

/* Rank 0: the work found is this job's. */
static int check_found(conv_run *run, const journal_job *now, cli_failure *failure) {
    const int64_t chunks = split_chunks(&run->job.split);
    journal_found *found = &run->found;
    if (found->count == 0 || journal_compare(run->options->output, &found->job, now, failure))
        return failure->code;
    const int64_t bytes = run->output_header.data_offset + run->output_header.data_bytes;
    if (run->output.found_bytes != bytes)
        return fail(failure, EXIT_USAGE,
                    "%s: has %" PRId64 " bytes, not %" PRId64 "; --force without --resume starts afresh",
                    run->output.partial, run->output.found_bytes, bytes);
    while (found->count && found->chunks[found->count - 1].chunk >= chunks)
        found->count--;
    return EXIT_DONE;
}

/* The finished chunks, for all ranks. */
static int share_found(conv_run *run, cli_failure *failure) {
    journal_found *found = &run->found;
    int64_t numbers[] = {found->count, found->next};
    team_share(numbers, sizeof numbers);
    if (team_rank() > 0 && numbers[0]) {
        found->chunks = calloc((size_t)numbers[0], sizeof *found->chunks);
        if (!found->chunks)
            fail(failure, EXIT_FAILED, "out of memory");
    }
    if (team_agree(failure))
        return failure->code;
    found->count = numbers[0], found->next = numbers[1];
    if (found->count)
        team_share(found->chunks, (size_t)found->count * sizeof *found->chunks);
    return EXIT_DONE;
}

/* Without --stall-timeout. */
enum { stall_seconds = 600 };

static void set_job(conv_run *run) {
    stream_job *job = &run->job;
    job->input = &run->inputs[INPUT];
    job->output = &run->output;
    job->input_offset = run->headers[INPUT].data_offset;
    job->output_offset = run->output_header.data_offset;
    job->filter = run->filter;
    job->bias = run->bias;
    job->journal = &run->journal;
    job->io_threads = (int)run->options->io_threads;
    job->checkpoint = run->options->checkpoint;
    job->stall = run->options->stall > 0 ? run->options->stall : team_size() > 1 ? stall_seconds : 0;
    job->silent = team_rank() > 0;
}

/* A number that no other run has, or that of the run that is gone on with. */
static void choose_mark(conv_run *run) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (run->found.count == 0) {
        run->mark[0] = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
        run->mark[1] = getpid();
    }
    team_share(run->mark, sizeof run->mark);
}

int conv_plan(conv_run *run, cli_failure *failure) {
    split_request *request = &run->job.request;
    const journal_job *before = run->found.count ? &run->found.job : NULL;
    dwc_plan_options_init(&request->plan);
    plan_limits_set(&run->options->limits, &request->plan);
    request->context = run->context;
    request->memory = run->options->memory;
    request->chunk_images = before ? before->chunk_images : run->options->chunk_images;
    request->chunk_rows = before ? before->chunk_rows : 0;
    if (team_rank() == 0)
        choose(run, failure);
    if (team_agree(failure))
        return failure->code;
    team_share(run->algo, sizeof run->algo);
    team_share(run->params, sizeof run->params);
    team_share(run->source, sizeof run->source);
    team_share(&request->chunk_images, sizeof request->chunk_images);
    team_share(&request->chunk_rows, sizeof request->chunk_rows);
    if (!follow(run, failure)) {
        request->band_rows = run->info.band_rows;
        split_choose(request, &run->job.split, failure);
    }
    if (team_agree(failure))
        return failure->code;
    log_split(run);
    set_job(run);
    choose_mark(run);
    const journal_job now = conv_describe(run);
    if (team_rank() == 0)
        check_found(run, &now, failure);
    if (team_agree(failure) || share_found(run, failure))
        return failure->code;
    journal_open(run->options->output, run->found.next + team_rank(), &now, &run->journal, failure);
    return team_agree(failure);
}

/* ---- what is to be done ------------------------------------------------------------------------------------------ */

/* Goes through the missing chunks in order. */
typedef struct walk {
    const journal_found *found;
    int64_t chunk, at; /* the next one, the next one found */
} walk;

static int64_t next_missing(walk *w) {
    while (w->at < w->found->count && w->found->chunks[w->at].chunk == w->chunk)
        w->chunk++, w->at++;
    return w->chunk++;
}

/* Number of the missing chunk that rank `rank` begins with: an equal share each, but moved on to a chunk that begins
 * where a page of the file does, if there is one: two nodes that write to one page may lose what one of them wrote. */
static int64_t first_of(const conv_run *run, int64_t rank, int64_t missing) {
    const int64_t size = team_size();
    const int64_t equal = missing / size * rank + (missing % size < rank ? missing % size : rank);
    walk w = {.found = &run->found};
    for (int64_t number = 0; number < missing; number++) {
        const int64_t chunk = next_missing(&w);
        if (number >= equal && split_begins_page(&run->job.split, chunk))
            return number;
        if (number >= equal + missing / size)
            break;
    }
    return equal;
}

/* Contiguous shares: a process reads and writes one range of the files. */
static int deal(conv_run *run, cli_failure *failure) {
    const int64_t missing = split_chunks(&run->job.split) - run->found.count, rank = team_rank();
    const int64_t first = rank == 0 ? 0 : first_of(run, rank, missing);
    const int64_t end = rank == team_size() - 1 ? missing : first_of(run, rank + 1, missing);
    stream_job *job = &run->job;
    walk w = {.found = &run->found};
    if (end <= first)
        return EXIT_DONE;
    job->chunks = malloc((size_t)(end - first) * sizeof *job->chunks);
    if (!job->chunks)
        return fail(failure, EXIT_FAILED, "out of memory: a list of %" PRId64 " chunks", end - first);
    for (int64_t number = 0; number < end; number++) {
        const int64_t chunk = next_missing(&w);
        if (number >= first)
            job->chunks[job->count++] = chunk;
    }
    return EXIT_DONE;
}

int conv_deal(conv_run *run, cli_failure *failure) {
    deal(run, failure);
    return team_agree(failure);
}
