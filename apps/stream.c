/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming; see stream.h.
 * Three stages do all pieces in the same order. Each counts what it has done; a stage may begin its k-th piece when the
 * counts of the others say that the buffer it reads is full and the one it fills is free again. */
#include "stream.h"

#include "plan_cache.h"
#include "progress.h"
#include "team.h"
#include "piece_io.h"
#include "watchdog.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { most_buffers = 2, most_pending = 1024 };

typedef enum stage { READ, COMPUTE, WRITE, STAGES } stage;

typedef struct pipeline {
    const stream_job *job;
    const dwc_context *context;
    void *inputs[most_buffers], *outputs[most_buffers], *scratch;
    plan_cache plans;
    crew readers, writers;

    pthread_mutex_t lock; /* of the next five */
    pthread_cond_t moved;
    int64_t done[STAGES]; /* pieces */
    int64_t end;          /* pieces in all; fewer after a stop */
    int64_t at[STAGES];   /* chunk that the stage works on, -1: it waits */
    int failed;
    watchdog dog;

    cli_failure failures[STAGES];
    double seconds[STAGES];

    /* Of the writing stage. */
    progress bar;
    uint32_t checksum; /* of the chunk so far */
    journal_chunk pending[most_pending];
    int pending_count;
    double recorded; /* when the last records were written */
} pipeline;

/* A piece and its place in the work. */
typedef struct place {
    int64_t number;                  /* of all pieces of this job */
    int64_t position, index, pieces; /* of the chunk in the list; of the piece in the chunk, which has so many */
    stream_piece piece;
} place;

static atomic_int stop_requested;

static void request_stop(int number) {
    (void)number;
    stop_requested = 1;
}

void stream_watch_stop(void) {
    struct sigaction action = {.sa_handler = request_stop, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    cli_take_stops();
}

/* ---- the three stages -------------------------------------------------------------------------------------------- */

static int read_stage(pipeline *p, const place *at) {
    const stream_job *job = p->job;
    return piece_read(&p->readers, &job->split, &at->piece, job->input, job->input_offset,
                      p->inputs[at->number % job->split.buffers], &p->failures[READ]);
}

static int compute_stage(pipeline *p, const place *at) {
    const int64_t buffer = at->number % p->job->split.buffers;
    const plan_slot *slot = plan_cache_find(&p->plans, &at->piece, &p->failures[COMPUTE]);
    dwc_error error;
    if (slot && dwc_plan_execute(slot->plan, p->inputs[buffer], slot->packed, p->job->bias, p->outputs[buffer],
                                 p->scratch, &error))
        fail_library(&p->failures[COMPUTE], NULL, &error);
    return p->failures[COMPUTE].code;
}

/* Data first, then the records that speak of it. */
static int record(pipeline *p, cli_failure *failure) {
    const int count = p->pending_count;
    p->pending_count = 0; /* after a failed sync nobody knows what is on the disk, and the next one may succeed */
    p->recorded = cli_seconds();
    if (count == 0 || output_sync(p->job->output, failure))
        return failure->code;
    output_keep();
    return journal_append(p->job->journal, p->pending, count, failure);
}

/* The chunk is complete: compared if it is known, else noted. */
static int finish_chunk(pipeline *p, int64_t chunk) {
    const stream_job *job = p->job;
    cli_failure *failure = &p->failures[WRITE];
    if (job->known)
        return job->known->output == p->checksum
                   ? EXIT_DONE
                   : fail(failure, EXIT_USAGE,
                          "%s: chunk %" PRId64 ", finished before, now has other bits; --force without --resume starts "
                          "afresh",
                          job->output->partial, chunk);
    p->pending[p->pending_count++] = (journal_chunk){chunk, p->checksum};
    if (p->pending_count < most_pending && cli_seconds() - p->recorded < job->checkpoint)
        return EXIT_DONE;
    watchdog_step(&p->dog); /* the disk may take its time */
    return record(p, failure);
}

static int write_stage(pipeline *p, const place *at) {
    const stream_job *job = p->job;
    const int64_t chunk = job->chunks[at->position];
    const void *output = p->outputs[at->number % job->split.buffers];
    const double part = (double)(at->index + 1) / (double)at->pieces;
    if (at->index == 0)
        p->checksum = 0;
    if (piece_write(&p->writers, &job->split, &at->piece, job->known ? NULL : job->output, job->output_offset, output,
                    &p->checksum, &p->failures[WRITE]))
        return p->failures[WRITE].code;
    progress_update(&p->bar, ((double)at->position + part) / (double)job->count);
    return at->index == at->pieces - 1 ? finish_chunk(p, chunk) : EXIT_DONE;
}

/* ---- their order ------------------------------------------------------------------------------------------------- */

static int may_begin(const pipeline *p, stage s, int64_t number) {
    const int64_t buffers = p->job->split.buffers;
    return s == READ      ? number - p->done[COMPUTE] < buffers
           : s == COMPUTE ? number < p->done[READ] && number - p->done[WRITE] < buffers
                          : number < p->done[COMPUTE];
}

/* How often the caller's thread looks for the calls of other ranks. */
static const double look_seconds = 0.02;

static void wait_a_moment(pipeline *p) {
    const struct timespec until = cli_after(look_seconds);
    pthread_cond_timedwait(&p->moved, &p->lock, &until);
    if (team_called_off())
        stop_requested = 1;
}

/* Waits until the piece may begin; 0: there is nothing more to do. */
static int begin(pipeline *p, stage s, const place *at) {
    if (s == COMPUTE && team_called_off())
        stop_requested = 1;
    pthread_mutex_lock(&p->lock);
    if (s == READ && at->index == 0 && stop_requested && p->end > at->number) {
        p->end = at->number;
        pthread_cond_broadcast(&p->moved);
    }
    while (!p->failed && at->number < p->end && !may_begin(p, s, at->number))
        if (s == COMPUTE && team_size() > 1)
            wait_a_moment(p);
        else
            pthread_cond_wait(&p->moved, &p->lock);
    const int go_on = !p->failed && at->number < p->end;
    p->at[s] = go_on ? p->job->chunks[at->position] : -1;
    pthread_mutex_unlock(&p->lock);
    return go_on;
}

static void end(pipeline *p, stage s, int code) {
    pthread_mutex_lock(&p->lock);
    p->done[s]++;
    p->at[s] = -1;
    p->failed |= code != 0;
    pthread_cond_broadcast(&p->moved);
    pthread_mutex_unlock(&p->lock);
    watchdog_step(&p->dog);
}

/* For the watchdog. */
static void say_where(void *user, char *text, size_t size) {
    static const char *const names[] = {"reading", "computing", "writing"};
    pipeline *p = user;
    size_t length = 0;
    snprintf(text, size, "waiting");
    pthread_mutex_lock(&p->lock);
    for (int s = 0; s < STAGES; s++)
        if (p->at[s] >= 0 && length < size)
            length += (size_t)snprintf(text + length, size - length, "%s%s chunk %" PRId64, length ? ", " : "",
                                       names[s], p->at[s]);
    pthread_mutex_unlock(&p->lock);
}

static void run_stage(pipeline *p, stage s) {
    static int (*const steps[])(pipeline *, const place *) = {read_stage, compute_stage, write_stage};
    place at = {0};
    for (at.position = 0; at.position < p->job->count; at.position++) {
        const int64_t chunk = p->job->chunks[at.position];
        at.pieces = split_pieces(&p->job->split, chunk);
        for (at.index = 0; at.index < at.pieces; at.index++, at.number++) {
            at.piece = split_piece(&p->job->split, chunk, at.index);
            if (!begin(p, s, &at))
                return;
            const double start = cli_seconds();
            const int code = steps[s](p, &at);
            p->seconds[s] += cli_seconds() - start;
            end(p, s, code);
        }
    }
}

static void *run_reader(void *p) {
    run_stage(p, READ);
    return NULL;
}

static void *run_writer(void *p) {
    run_stage(p, WRITE);
    return NULL;
}

static int start_thread(pipeline *p, pthread_t *thread, void *(*run)(void *)) {
    const int error = crew_thread(thread, run, p);
    if (error)
        fail(&p->failures[COMPUTE], EXIT_FAILED, "cannot start a thread: %s", strerror(error));
    return error;
}

static void run_pipeline(pipeline *p) {
    pthread_t reader, writer;
    if (start_thread(p, &reader, run_reader))
        return;
    const int writes = !start_thread(p, &writer, run_writer);
    if (writes)
        run_stage(p, COMPUTE);
    else
        end(p, COMPUTE, EXIT_FAILED);
    pthread_join(reader, NULL);
    if (writes)
        pthread_join(writer, NULL);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static int allocated(pipeline *p, const void *memory, int64_t bytes, const char *what) {
    if (bytes == 0 || memory)
        return 1;
    fail(&p->failures[COMPUTE], EXIT_FAILED, "out of memory: %" PRId64 " bytes for the %s", bytes, what);
    return 0;
}

static void *allocate_tensor(const pipeline *p, int64_t bytes, int colour) {
    return bytes ? dwc_allocate_coloured(p->context, (size_t)bytes, colour) : NULL;
}

/* The threads of the first piece, as a rule those of all, place the pages. */
static int acquire(pipeline *p) {
    const stream_split *split = &p->job->split;
    const stream_piece first = split_piece(split, p->job->chunks[0], 0);
    const plan_slot *slot = plan_cache_find(&p->plans, &first, &p->failures[COMPUTE]);
    dwc_error error;
    if (split->scratch_bytes)
        p->scratch = dwc_allocate(p->context, (size_t)split->scratch_bytes);
    if (!slot || !allocated(p, p->scratch, split->scratch_bytes, "workspace"))
        return p->failures[COMPUTE].code;
    for (int i = 0; i < split->buffers; i++) {
        p->inputs[i] = allocate_tensor(p, split->input_bytes, 2 * i);
        p->outputs[i] = allocate_tensor(p, split->output_bytes, 2 * i + 1);
        if (!allocated(p, p->inputs[i], split->input_bytes, "input") ||
            !allocated(p, p->outputs[i], split->output_bytes, "output"))
            return EXIT_FAILED;
        if (dwc_plan_first_touch(slot->plan, p->inputs[i], p->outputs[i], &error))
            return fail_library(&p->failures[COMPUTE], NULL, &error);
    }
    return EXIT_DONE;
}

static void release(pipeline *p) {
    plan_cache_clear(&p->plans);
    dwc_release(p->context, p->scratch);
    for (int i = 0; i < p->job->split.buffers; i++) {
        dwc_release_coloured(p->context, p->outputs[i]);
        dwc_release_coloured(p->context, p->inputs[i]);
    }
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

/* The failure of one stage. Where records exist already, those of a rank that is through do not wait for the others. */
static int conclude(pipeline *p, int64_t pieces, cli_failure *failure) {
    for (int s = 0; s < STAGES; s++)
        if (p->failures[s].code)
            fail(failure, p->failures[s].code, "%s", p->failures[s].text);
    if (!failure->code && p->end < pieces && !team_called_off())
        fail(failure, EXIT_STOPPED, "stopped on request; --resume goes on");
    else if (!failure->code && p->job->journal->fd >= 0)
        record(p, failure);
    if (failure->code)
        team_call_off(failure->code);
    return failure->code;
}

static int64_t count_pieces(const stream_job *job) {
    int64_t pieces = 0;
    for (int64_t i = 0; i < job->count; i++)
        pieces += split_pieces(&job->split, job->chunks[i]);
    return pieces;
}

/* One run at a time. */
static pipeline p;

int stream_record(cli_failure *failure) {
    return p.pending_count ? record(&p, failure) : EXIT_DONE;
}

int stream_run(const stream_job *job, stream_report *report, cli_failure *failure) {
    const stream_split *split = &job->split;
    const dwc_geometry *g = &split->geometry;
    *report = (stream_report){0};
    p.pending_count = 0;
    if (job->count == 0)
        return EXIT_DONE;
    p = (pipeline){.job = job, .context = job->request.context, .end = count_pieces(job), .recorded = cli_seconds()};
    p.plans = (plan_cache){.request = &job->request, .split = split, .filter = job->filter};
    p.plans.room = job->request.memory - split->fixed_bytes - split->scratch_bytes -
                   split->buffers * (split->input_bytes + split->output_bytes);
    pthread_mutex_init(&p.lock, NULL);
    pthread_cond_init(&p.moved, NULL);
    const int64_t pieces = p.end;
    if (!acquire(&p)) {
        if (!job->silent)
            progress_start(&p.bar, "images", split->whole.n,
                           ((double)g->input_elements + (double)g->output_elements) * (double)g->element_bytes);
        p.dog = (watchdog){.seconds = job->stall, .where = say_where, .user = &p};
        cli_failure *starting = &p.failures[COMPUTE];
        const int crews =
            crew_start(&p.readers, job->io_threads, starting) | crew_start(&p.writers, job->io_threads, starting);
        if (!watchdog_start(&p.dog, starting) && !crews)
            run_pipeline(&p);
        watchdog_stop(&p.dog);
        crew_stop(&p.writers);
        crew_stop(&p.readers);
        progress_finish(&p.bar);
    }
    release(&p);
    pthread_cond_destroy(&p.moved);
    pthread_mutex_destroy(&p.lock);
    *report = (stream_report){p.seconds[READ], p.seconds[COMPUTE], p.seconds[WRITE], p.plans.threads};
    return conclude(&p, pieces, failure);
}
