/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline of pipeline.h: two state machines that only look, a root's and a worker's, around the same slots. */
#include "mpi/pipeline.h"
#include "mpi/agree.h"

#include <string.h>

/* Long messages go in many fragments that only looks move, so between pieces a rank looks until nothing has moved for a
 * while: this part of the time that its last piece took, but not longer than that. */
static const double quiet_part = 1.0 / 32, quiet_seconds = 1e-4;

/* Open MPI sends up to 64 KiB over TCP without asking the receiver: such messages leave at once, and the system moves
 * them while both ranks compute. Between nodes tensors go in these if all can be under way at the same time. */
enum { SHORT_BYTES = 60 << 10 };

/* Messages of a slot, in the order of their tags. */
enum { ORDER, INPUT, VERDICT, OUTPUT, MESSAGES = DWCI_MPI_SLOT_TAGS };

typedef enum slot_state { FREE, FILLING, READY, EMPTYING, CLOSED } slot_state;

/* What the root knows of a worker. */
typedef struct helper {
    double since;   /* its first order */
    int64_t pieces; /* that came back */
    int under_way;
} helper;

typedef struct slot {
    slot_state state;
    helper *helper;     /* of the root */
    int peer, tag, far; /* far: there are several nodes */
    int64_t order, verdict;
    void *input, *output; /* of a worker */
    dwci_mpi_transfer messages[MESSAGES];
} slot;

typedef struct pipeline {
    const dwci_mpi_job *job;
    dwc_mpi_context *context;
    int64_t images, pieces, next; /* images of a piece; the next one to be computed */
    dwci_mpi_engine whole, rest;  /* rest: of the last piece, if it is smaller */
    slot *slots;
    int count;
    helper *helpers;
    void *filter, *bias; /* of a worker */
    int64_t own;
    double piece_s; /* that the last piece of this rank took */
    dwc_status failed;
    dwc_error *error;
} pipeline;

/* ---- pieces and messages ----------------------------------------------------------------------------------------- */

static const dwci_mpi_engine *engine_of(const pipeline *p, int64_t piece) {
    return piece == p->pieces - 1 && p->rest.plan ? &p->rest : &p->whole;
}

/* The tensors of a piece inside the whole ones, contiguous. */
static const void *input_of(const pipeline *p, int64_t piece) {
    return (const char *)p->job->input + piece * p->whole.input_bytes;
}

static void *output_of(const pipeline *p, int64_t piece) {
    return (char *)p->job->output + piece * p->whole.output_bytes;
}

static void begin(slot *s, int message, int sending, const void *data, int64_t bytes) {
    const dwci_mpi_slab slab = dwci_mpi_flat(data, bytes);
    dwci_mpi_transfer_start(&s->messages[message], &slab, s->peer, s->tag + message, sending);
    if (s->far && bytes <= DWCI_MPI_WINDOW * SHORT_BYTES)
        s->messages[message].limit = SHORT_BYTES;
}

static int done(const slot *s) {
    int open = 0;
    for (int i = 0; i < MESSAGES; i++)
        open |= !dwci_mpi_transfer_done(&s->messages[i]);
    return !open;
}

static dwc_status look(pipeline *p, slot *s, int *moved) {
    dwc_status status = DWC_OK;
    for (int i = 0; i < MESSAGES && status == DWC_OK; i++)
        status = dwci_mpi_transfer_progress(p->context, &s->messages[i], moved, p->error);
    return status;
}

/* Looks in vain: since when. */
typedef struct quiet {
    double since; /* 0: the last one was not in vain */
    dwci_mpi_patience patience;
} quiet;

static int is_quiet(const pipeline *p, quiet *q, int moved) {
    const double now = MPI_Wtime(), wanted = quiet_part * p->piece_s;
    if (moved || q->since == 0)
        q->since = now;
    return now - q->since >= (wanted < quiet_seconds ? wanted : quiet_seconds);
}

/* Computes a piece, unless this rank failed before. */
static dwc_status compute(pipeline *p, int64_t piece, const void *input, const void *bias, void *output) {
    const double start = MPI_Wtime();
    if (p->failed == DWC_OK)
        p->failed = dwci_mpi_engine_run(engine_of(p, piece), input, bias, output, p->error);
    p->piece_s = MPI_Wtime() - start;
    p->own += p->failed == DWC_OK;
    return p->failed;
}

/* ---- the root ---------------------------------------------------------------------------------------------------- */

static void root_order(pipeline *p, slot *s, int open) {
    s->order = open ? p->next++ : -1;
    s->state = open ? FILLING : CLOSED;
    begin(s, ORDER, 1, &s->order, sizeof s->order);
    if (!open)
        return;
    if (s->helper->pieces + s->helper->under_way++ == 0)
        s->helper->since = MPI_Wtime();
    begin(s, INPUT, 1, input_of(p, s->order), engine_of(p, s->order)->input_bytes);
    begin(s, VERDICT, 0, &s->verdict, sizeof s->verdict);
}

/* Would another piece come back before the root could do all that is left? A worker has to show first how fast it is.
 * */
static int pays(const pipeline *p, const helper *h) {
    if (h->pieces == 0 || p->piece_s == 0)
        return h->under_way < 2;
    const double interval = (MPI_Wtime() - h->since) / (double)h->pieces;
    return (h->under_way + 1) * interval <= (double)(p->pieces - p->next) * p->piece_s;
}

/* *stopped becomes 1 where a worker failed. */
static dwc_status root_step(pipeline *p, slot *s, int *stopped, int *moved) {
    dwc_status status = look(p, s, moved);
    if (status)
        return status;
    if (s->state == FILLING && dwci_mpi_transfer_done(&s->messages[VERDICT])) {
        s->state = EMPTYING;
        *stopped |= s->verdict != DWC_OK;
        if (s->verdict == DWC_OK)
            begin(s, OUTPUT, 0, output_of(p, s->order), engine_of(p, s->order)->output_bytes);
    }
    if (s->state == EMPTYING && done(s)) {
        s->state = FREE;
        s->helper->pieces++;
        s->helper->under_way--;
    }
    const int open = !*stopped && p->next < p->pieces;
    if (s->state == FREE && (!open || pays(p, s->helper))) {
        root_order(p, s, open);
        *moved = 1;
    }
    return DWC_OK;
}

static dwc_status root_look(pipeline *p, int *stopped, int *open, int *moved) {
    *open = 0;
    for (int i = 0; i < p->count; i++) {
        dwc_status status = root_step(p, &p->slots[i], stopped, moved);
        if (status)
            return status;
        *open |= p->slots[i].state != CLOSED || !done(&p->slots[i]);
    }
    return DWC_OK;
}

static dwc_status run_root(pipeline *p) {
    quiet q = {0};
    int stopped = 0;
    for (int open = 1; open;) {
        int moved = 0;
        dwc_status status = root_look(p, &stopped, &open, &moved);
        if (status)
            return status;
        if (!stopped && p->next < p->pieces) {
            if (open && !is_quiet(p, &q, moved))
                continue;
            const int64_t piece = p->next++;
            stopped |= compute(p, piece, input_of(p, piece), p->job->bias, output_of(p, piece)) != DWC_OK;
            q = (quiet){.since = 0};
            open = 1;
        } else if (moved) {
            q.patience = (dwci_mpi_patience){0};
        } else if (open) {
            dwci_mpi_pause(p->context, &q.patience, 1);
        }
    }
    return p->failed;
}

/* ---- a worker ---------------------------------------------------------------------------------------------------- */

static dwc_status worker_step(pipeline *p, slot *s, int *moved) {
    dwc_status status = look(p, s, moved);
    if (status || !done(s))
        return status;
    if (s->state == FREE) { /* the order has come */
        s->state = s->order < 0 ? CLOSED : FILLING;
        if (s->order >= 0)
            begin(s, INPUT, 0, s->input, engine_of(p, s->order)->input_bytes);
    } else if (s->state == FILLING) {
        s->state = READY;
    } else if (s->state == EMPTYING) {
        s->state = FREE;
        begin(s, ORDER, 0, &s->order, sizeof s->order);
    }
    return DWC_OK;
}

static void worker_compute(pipeline *p, slot *s) {
    s->verdict = compute(p, s->order, s->input, p->bias, s->output);
    s->state = EMPTYING;
    begin(s, VERDICT, 1, &s->verdict, sizeof s->verdict);
    if (s->verdict == DWC_OK)
        begin(s, OUTPUT, 1, s->output, engine_of(p, s->order)->output_bytes);
}

/* What a worker saw in one look. */
typedef struct sight {
    slot *first;           /* the one to compute next, or NULL */
    int open, data, moved; /* data: a piece is on its way */
} sight;

static dwc_status worker_look(pipeline *p, sight *seen) {
    *seen = (sight){.first = NULL};
    for (int i = 0; i < p->count; i++) {
        slot *s = &p->slots[i];
        const slot_state before = s->state;
        dwc_status status = worker_step(p, s, &seen->moved);
        if (status)
            return status;
        seen->moved |= s->state != before;
        seen->open |= s->state != CLOSED;
        seen->data |= s->state == FILLING || s->state == EMPTYING;
        if (s->state == READY && (!seen->first || s->order < seen->first->order))
            seen->first = s;
    }
    return DWC_OK;
}

static dwc_status run_worker(pipeline *p) {
    quiet q = {0};
    sight seen = {.open = 1};
    for (int i = 0; i < p->count; i++)
        begin(&p->slots[i], ORDER, 0, &p->slots[i].order, sizeof p->slots[i].order);
    while (seen.open) {
        dwc_status status = worker_look(p, &seen);
        if (status)
            return status;
        if (seen.first && is_quiet(p, &q, seen.moved)) {
            worker_compute(p, seen.first);
            q = (quiet){.since = 0};
        } else if (seen.moved) {
            q.patience = (dwci_mpi_patience){0};
        } else if (!seen.first && seen.open) {
            dwci_mpi_pause(p->context, &q.patience, seen.data);
        }
    }
    return p->failed;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

dwc_status dwci_mpi_spread_filter(const dwci_mpi_job *job, void *filter, void *bias, dwc_error *error) {
    enum { at_once = 8 };
    dwc_mpi_context *c = job->plan->context;
    const dwc_geometry *g = &job->plan->partition.geometry;
    const int root = c->rank == job->root, first_tag = job->plan->tag;
    const dwci_mpi_slab slabs[] = {
        dwci_mpi_flat(root ? job->filter : filter, g->filter_elements * (int64_t)g->element_bytes),
        dwci_mpi_flat(root ? job->bias : bias, g->bias_elements * (int64_t)g->element_bytes)};
    dwci_mpi_transfer t[2 * at_once];
    for (int rank = root ? 0 : c->size - 1; rank < c->size;) {
        int count = 0;
        for (; rank < c->size && count < 2 * at_once; rank++) {
            const int peer = root ? rank : job->root;
            if (peer == c->rank)
                continue;
            dwci_mpi_transfer_start(&t[count++], &slabs[0], peer, first_tag + DWCI_MPI_TAG_FILTER, root);
            dwci_mpi_transfer_start(&t[count++], &slabs[1], peer, first_tag + DWCI_MPI_TAG_BIAS, root);
        }
        dwc_status status = dwci_mpi_transfer_all(c, t, count, error);
        if (status)
            return status;
    }
    return DWC_OK;
}

static dwc_status allocate_zeros(const pipeline *p, size_t bytes, void **memory) {
    dwc_status status = dwci_mpi_allocate(p->context, (int64_t)bytes, memory, p->error);
    if (status == DWC_OK)
        memset(*memory, 0, bytes);
    return status;
}

static dwc_status make_slots(pipeline *p) {
    const int root = p->context->rank == p->job->root, peers = root ? p->context->size - 1 : 1;
    void *slots = NULL, *helpers = NULL;
    dwc_status status = allocate_zeros(p, (size_t)peers * DWCI_MPI_SLOTS * sizeof *p->slots, &slots);
    if (status == DWC_OK)
        status = allocate_zeros(p, (size_t)peers * sizeof *p->helpers, &helpers);
    p->slots = slots;
    p->helpers = helpers;
    p->count = status ? 0 : peers * DWCI_MPI_SLOTS;
    for (int i = 0; i < p->count && status == DWC_OK; i++) {
        slot *s = &p->slots[i];
        const int peer = i / DWCI_MPI_SLOTS;
        s->helper = &p->helpers[peer];
        s->far = p->context->place.nodes > 1;
        s->peer = !root ? p->job->root : peer + (peer >= p->job->root);
        s->tag = p->job->plan->tag + DWCI_MPI_TAG_SLOT + i % DWCI_MPI_SLOTS * DWCI_MPI_SLOT_TAGS;
        if (!root && (status = dwci_mpi_allocate(p->context, p->whole.input_bytes, &s->input, p->error)) == DWC_OK)
            status = dwci_mpi_allocate(p->context, p->whole.output_bytes, &s->output, p->error);
    }
    return status;
}

static dwc_status set_up(pipeline *p) {
    const dwc_mpi_plan *plan = p->job->plan;
    const dwc_geometry *g = &plan->partition.geometry;
    const int64_t rest = plan->partition.problem.n % p->images;
    dwc_status status;
    if ((status = dwci_mpi_engine_make(plan, p->images, &p->whole, p->error)) ||
        (rest > 0 && (status = dwci_mpi_engine_make(plan, rest, &p->rest, p->error))) || p->job->alone ||
        (status = make_slots(p)) || p->context->rank == p->job->root)
        return status;
    if ((status = dwci_mpi_allocate(p->context, g->filter_elements * (int64_t)g->element_bytes, &p->filter, p->error)))
        return status;
    return dwci_mpi_allocate(p->context, g->bias_elements * (int64_t)g->element_bytes, &p->bias, p->error);
}

static void clear_up(pipeline *p) {
    const dwc_context *own = p->context->own;
    for (int i = 0; i < p->count; i++) {
        dwc_release(own, p->slots[i].input);
        dwc_release(own, p->slots[i].output);
    }
    dwc_release(own, p->slots);
    dwc_release(own, p->helpers);
    dwc_release(own, p->filter);
    dwc_release(own, p->bias);
    dwci_mpi_engine_free(&p->whole);
    dwci_mpi_engine_free(&p->rest);
}

static dwc_status run(pipeline *p) {
    const int root = p->context->rank == p->job->root;
    const void *filter = root ? p->job->filter : p->filter;
    dwc_status status = p->job->alone ? DWC_OK : dwci_mpi_spread_filter(p->job, p->filter, p->bias, p->error);
    if (status || (status = dwci_mpi_engine_load(&p->whole, filter, p->error)) ||
        (status = dwci_mpi_engine_load(&p->rest, filter, p->error)))
        return status;
    return root ? run_root(p) : run_worker(p);
}

dwc_status dwci_mpi_pipeline(const dwci_mpi_job *job, int64_t *own, dwc_error *error) {
    pipeline p = {
        .job = job, .context = job->plan->context, .images = dwci_mpi_piece_images(job->plan), .error = error};
    const int idle = job->alone && p.context->rank != job->root;
    dwc_status status = DWC_OK;
    p.pieces = (job->plan->partition.problem.n - 1) / p.images + 1;
    if (!idle)
        status = set_up(&p);
    if ((status = dwci_mpi_leave(p.context, "memory", status, error)) == DWC_OK) {
        status = idle ? DWC_OK : run(&p);
        status = dwci_mpi_leave(p.context, "pieces", status, error);
    }
    clear_up(&p);
    *own = p.own;
    return status;
}
