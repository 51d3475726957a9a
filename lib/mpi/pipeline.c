/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline of pipeline.h: what a root and a worker do when a message is through, around the same slots.
 *
 *     pieces of a worker   | over | their outputs come | judged | ordered, not computed | free slots |
 *                            ──────────────── in this order, at both ends ────────────────
 *
 * So messages of one kind need no number: an order is a byte, a verdict too, which the root takes from whoever has one.
 * However many workers there are, the root looks at a few messages: the inputs that leave, the outputs that come, and
 * one verdict. */
#include "mpi/pipeline.h"
#include "mpi/agree.h"

#include <string.h>

/* Long messages go in many fragments that only looks move, so between pieces a rank looks until nothing has moved for a
 * while: this part of the time that its last piece took, but not longer than that. */
static const double quiet_part = 1.0 / 32, quiet_seconds = 1e-4;

/* Inputs that leave at the same time for workers without work: enough to keep the link busy between two looks, few
 * enough for each of them to arrive soon. The very first one leaves alone and shows how long one takes. */
enum { LEAVING = 8 };

/* Inputs that a worker receives at the same time: one after the other they come sooner, but the next one has to begin
 * while it computes. */
enum { COMING = 2 };

/* Messages of a slot. */
enum { ORDER, INPUT, VERDICT, OUTPUT, MESSAGES };

/* Orders: a piece like most, the smaller one at the end, no more. */
static const char whole_piece = 'w', rest_piece = 'r', no_piece = 'n';

typedef struct partner partner;

typedef struct message {
    dwci_mpi_transfer transfer; /* at the front: a look knows no more */
    partner *of;
    int kind, slot;
} message;

typedef struct slot {
    message messages[MESSAGES];
    int64_t piece;        /* of the root */
    double since;         /* the order; of the root */
    int64_t depth;        /* pieces of the worker then */
    char order, verdict;  /* of a worker */
    int full;             /* of a worker: the input is here */
    int left;             /* messages that have to go through before the piece is over */
    void *input, *output; /* of a worker */
} slot;

/* The other end: each worker for the root, the root for a worker. Counts of pieces so far. */
struct partner {
    int index, rank;
    int64_t ordered, begun, arrived, judged, over; /* begun: to arrive, of a worker */
    double piece_s; /* from the order of the last piece that is over to its end, divided by those that it waited for */
    message end;
    slot slots[DWCI_MPI_SLOTS];
};

typedef struct pipeline {
    const dwci_mpi_job *job;
    dwc_mpi_context *context;
    int root;                     /* this rank is the root */
    int64_t images, pieces, next; /* images of a piece; the next one to be computed */
    dwci_mpi_engine whole, rest;  /* rest: of the last piece, if it is smaller */
    partner **partners;
    int partner_count;
    dwci_mpi_transfer **open; /* messages under way, in the order of their beginnings */
    int open_count;
    void *filter, *bias; /* of a worker */
    int64_t own;
    double piece_s; /* that the last piece of this rank took; at first a guess */
    dwc_status failed;
    dwc_error *error;

    /* Of the root. */
    message listener; /* for the next verdict */
    char verdict;
    int listening, unjudged;
    int stopped;      /* a rank failed */
    int turn;         /* of the partner to begin with */
    int spare;        /* more inputs could leave, but for LEAVING */
    int64_t arrived;  /* inputs */
    int64_t left;     /* those of them that arrived in */
    int64_t back;     /* pieces that are back */
    double moving_s;  /* looks at messages that moved */
    double leaving_s; /* so many seconds of looking with more of them spare */

    /* Of a worker. */
    int closed; /* no more orders */
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

static slot *slot_of(partner *a, int64_t count) {
    return &a->slots[count % DWCI_MPI_SLOTS];
}

static void begin(pipeline *p, message *m, const void *data, int64_t bytes) {
    static const int tags[] = {DWCI_MPI_TAG_ORDER, DWCI_MPI_TAG_INPUT, DWCI_MPI_TAG_VERDICT, DWCI_MPI_TAG_OUTPUT};
    const int tag = p->job->plan->tag + tags[m->kind] + (m->kind == INPUT || m->kind == OUTPUT ? m->slot : 0);
    const int down = m->kind == ORDER || m->kind == INPUT;
    const dwci_mpi_slab slab = dwci_mpi_flat(data, bytes);
    dwci_mpi_transfer_start(&m->transfer, &slab, m->of ? m->of->rank : MPI_ANY_SOURCE, tag, down == p->root);
    m->transfer.received = m->kind == INPUT; /* short messages leave the root long before */
    dwci_mpi_transfer_shorten(p->context, &m->transfer);
    p->open[p->open_count++] = &m->transfer;
}

static void root_got(pipeline *p, const message *m);
static void worker_got(pipeline *p, const message *m);

/* The order of messages is kept: those with the same tag have to begin in it. */
static dwc_status look(pipeline *p, int *moved) {
    dwc_status status = dwci_mpi_look(p->context, p->open, p->open_count, moved, p->error);
    for (int i = 0; i < p->open_count && status == DWC_OK;) {
        const message *m = (const message *)p->open[i];
        if (!dwci_mpi_transfer_done(&m->transfer)) {
            i++;
            continue;
        }
        p->open_count--;
        memmove(&p->open[i], &p->open[i + 1], (size_t)(p->open_count - i) * sizeof *p->open);
        (p->root ? root_got : worker_got)(p, m);
        *moved = 1;
    }
    return status;
}

/* One of the messages of a slot is through. */
static void settle(partner *a, slot *s) {
    s->left--;
    while (a->over < a->judged && slot_of(a, a->over)->left == 0)
        a->over++;
}

/* Looks in vain: since when. */
typedef struct quiet {
    double since; /* 0: the last one was not in vain */
    dwci_mpi_patience patience;
} quiet;

double dwci_mpi_quiet(double piece_s) {
    const double wanted = quiet_part * piece_s;
    return wanted < quiet_seconds ? wanted : quiet_seconds;
}

static int is_quiet(const pipeline *p, quiet *q, int moved) {
    const double now = MPI_Wtime();
    if (moved || q->since == 0)
        q->since = now;
    return now - q->since >= dwci_mpi_quiet(p->piece_s);
}

/* Computes a piece, unless this rank failed before. */
static dwc_status compute(pipeline *p, const dwci_mpi_engine *engine, const void *input, const void *bias,
                          void *output) {
    const double start = MPI_Wtime();
    if (p->failed == DWC_OK)
        p->failed = dwci_mpi_engine_run(engine, input, bias, output, p->error);
    p->piece_s = MPI_Wtime() - start;
    p->own += p->failed == DWC_OK;
    return p->failed;
}

/* ---- the root ---------------------------------------------------------------------------------------------------- */

static void listen_for_verdict(pipeline *p) {
    if (p->listening || p->unjudged == 0)
        return;
    p->listening = 1;
    begin(p, &p->listener, &p->verdict, 1);
}

static void judge(pipeline *p, partner *a) {
    slot *s = slot_of(a, a->judged++);
    p->listening = 0;
    p->unjudged--;
    if (p->verdict == DWC_OK) {
        begin(p, &s->messages[OUTPUT], output_of(p, s->piece), engine_of(p, s->piece)->output_bytes);
    } else {
        p->stopped = 1;
        settle(a, s);
    }
    listen_for_verdict(p);
}

static void root_got(pipeline *p, const message *m) {
    if (m->kind == INPUT) {
        p->arrived++;
        m->of->arrived++;
    } else if (m->kind == OUTPUT) {
        const slot *s = &m->of->slots[m->slot];
        m->of->piece_s = (MPI_Wtime() - s->since) / (double)s->depth;
        settle(m->of, &m->of->slots[m->slot]);
        p->back++;
    } else if (m->kind == VERDICT) {
        const int from = m->transfer.peer;
        judge(p, p->partners[from - (from > p->job->root)]);
    }
}

static void order(pipeline *p, partner *a) {
    slot *s = slot_of(a, a->ordered);
    const dwci_mpi_engine *engine = engine_of(p, p->next);
    s->piece = p->next++;
    s->left = 1;
    s->since = MPI_Wtime();
    s->depth = ++a->ordered - a->over;
    begin(p, &s->messages[ORDER], engine == &p->whole ? &whole_piece : &rest_piece, 1);
    begin(p, &s->messages[INPUT], input_of(p, s->piece), engine->input_bytes);
    p->unjudged++;
    listen_for_verdict(p);
}

/* Would another piece come back before the root could do all that is left? Until a worker has shown how fast it is it
 * gets two, or more if that is a small part of what is left. */
static int pays(const pipeline *p, const partner *a) {
    const int64_t with_it = a->ordered - a->over + 1, left = p->pieces - p->next;
    if (with_it > DWCI_MPI_SLOTS)
        return 0;
    if (a->over == 0)
        return with_it <= 2 || with_it * p->partner_count * 4 <= left;
    return (double)with_it * a->piece_s <= (double)left * p->piece_s;
}

/* It looks, so what is sent to it leaves at once; one that computes takes its next input later. */
static int waits(const partner *a) {
    return a->arrived == a->judged;
}

/* Moving a piece takes the root longer than computing it, as far as it has seen: sockets and shared memory are copied
 * by the ranks themselves. */
static int moving_is_work(const pipeline *p) {
    enum { enough = 4 };
    return p->back >= enough && p->moving_s > (double)p->back * p->piece_s;
}

/* Whose turn it is: who has the fewest pieces. NULL: nobody; `spare` says whether there would be somebody. */
static partner *next_partner(pipeline *p) {
    int64_t leaving = 0;
    partner *best = NULL;
    p->spare = 0;
    if (moving_is_work(p))
        return NULL;
    for (int i = 0; i < p->partner_count; i++) {
        partner *a = p->partners[(p->turn + i) % p->partner_count];
        leaving += waits(a) ? a->ordered - a->arrived : 0;
        if ((!best || a->ordered - a->over < best->ordered - best->over) && pays(p, a))
            best = a;
    }
    p->spare = best && waits(best) && leaving >= (p->arrived > 0 ? LEAVING : 1);
    return p->spare ? NULL : best;
}

static int is_open(const pipeline *p) {
    return !p->stopped && p->next < p->pieces;
}

static void give(pipeline *p) {
    partner *a;
    while (is_open(p) && (a = next_partner(p))) {
        order(p, a);
        p->turn = (a->index + 1) % p->partner_count;
    }
}

/* While the root computes it gives nothing away. That does no harm if there is nothing to give, or if what leaves keeps
 * the link busy for as long. */
static int may_compute(const pipeline *p) {
    return !p->spare || (p->left > 0 && LEAVING * p->leaving_s >= p->piece_s * (double)p->left);
}

static void close_all(pipeline *p) {
    for (int i = 0; i < p->partner_count; i++)
        begin(p, &p->partners[i]->end, &no_piece, 1);
    p->closed = 1;
}

/* *since: the last arrival that was seen, 0: none since the last piece of the root. */
static dwc_status root_look(pipeline *p, double *since, int *moved) {
    const int64_t before = p->arrived;
    const int spare = p->spare;
    const double start = MPI_Wtime();
    dwc_status status = look(p, moved);
    if (status)
        return status;
    const double now = MPI_Wtime();
    p->moving_s += *moved ? now - start : 0;
    if (p->arrived > before && spare && *since > 0) {
        p->left += p->arrived - before;
        p->leaving_s += now - *since;
    }
    give(p);
    if (p->arrived > before || (p->arrived == 0 && *since == 0))
        *since = now;
    if (!is_open(p) && !p->closed)
        close_all(p);
    return DWC_OK;
}

static dwc_status run_root(pipeline *p) {
    quiet q = {0};
    double since = 0;
    while (!p->closed || p->open_count > 0) {
        int moved = 0;
        dwc_status status = root_look(p, &since, &moved);
        if (status)
            return status;
        if (is_open(p)) {
            if (p->partner_count > 0 && (!is_quiet(p, &q, moved) || !may_compute(p)))
                continue;
            const int64_t piece = p->next++;
            compute(p, engine_of(p, piece), input_of(p, piece), p->job->bias, output_of(p, piece));
            p->stopped |= p->failed != DWC_OK;
            q = (quiet){.since = 0};
            since = 0;
        } else if (moved) {
            q.patience = (dwci_mpi_patience){0};
        } else if (p->open_count > 0) {
            dwci_mpi_pause(p->context, &q.patience, 1);
        }
    }
    return p->failed;
}

/* ---- a worker ---------------------------------------------------------------------------------------------------- */

static void listen_for_order(pipeline *p) {
    partner *a = p->partners[0];
    slot *s = slot_of(a, a->ordered);
    if (p->listening || p->closed || a->ordered - a->over == DWCI_MPI_SLOTS)
        return;
    p->listening = 1;
    begin(p, &s->messages[ORDER], &s->order, 1);
}

static const dwci_mpi_engine *ordered_engine(const pipeline *p, const slot *s) {
    return s->order == rest_piece ? &p->rest : &p->whole;
}

static void receive_inputs(pipeline *p) {
    partner *a = p->partners[0];
    for (; a->begun < a->ordered && a->begun - a->arrived < COMING; a->begun++) {
        slot *s = slot_of(a, a->begun);
        begin(p, &s->messages[INPUT], s->input, ordered_engine(p, s)->input_bytes);
    }
}

static void worker_got(pipeline *p, const message *m) {
    partner *a = m->of;
    slot *s = &a->slots[m->slot];
    if (m->kind == INPUT) {
        a->arrived++;
        s->full = 1;
    } else if (m->kind == ORDER) {
        p->listening = 0;
        p->closed = s->order == no_piece;
        a->ordered += !p->closed;
    } else {
        settle(a, s);
    }
    receive_inputs(p);
    listen_for_order(p);
}

static void worker_compute(pipeline *p, slot *s) {
    const dwci_mpi_engine *engine = ordered_engine(p, s);
    s->verdict = (char)compute(p, engine, s->input, p->bias, s->output);
    s->full = 0;
    s->left = 1 + (s->verdict == DWC_OK);
    p->partners[0]->judged++;
    begin(p, &s->messages[VERDICT], &s->verdict, 1);
    if (s->verdict == DWC_OK)
        begin(p, &s->messages[OUTPUT], s->output, engine->output_bytes);
}

static dwc_status run_worker(pipeline *p) {
    partner *a = p->partners[0];
    quiet q = {0};
    listen_for_order(p);
    while (p->open_count > 0 || a->judged < a->ordered) {
        int moved = 0;
        dwc_status status = look(p, &moved);
        if (status)
            return status;
        slot *s = slot_of(a, a->judged);
        const int ready = a->judged < a->ordered && s->full;
        if (ready && is_quiet(p, &q, moved)) {
            worker_compute(p, s);
            q = (quiet){.since = 0};
        } else if (moved) {
            q.patience = (dwci_mpi_patience){0};
        } else if (!ready && p->open_count > 0) {
            dwci_mpi_pause(p->context, &q.patience, 1);
        }
    }
    return p->failed;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static message new_message(partner *of, int kind, int slot) {
    return (message){.of = of, .kind = kind, .slot = slot};
}

static dwc_status make_partner(pipeline *p, int i) {
    void *memory;
    dwc_status status = dwci_mpi_allocate_filled(p->context, sizeof(partner), 0, &memory, p->error);
    if (status)
        return status;
    partner *a = p->partners[i] = memory;
    a->index = i;
    a->rank = p->root ? i + (i >= p->job->root) : p->job->root;
    a->end = new_message(a, ORDER, 0);
    for (int k = 0; k < DWCI_MPI_SLOTS && status == DWC_OK; k++) {
        slot *s = &a->slots[k];
        for (int kind = 0; kind < MESSAGES; kind++)
            s->messages[kind] = new_message(a, kind, k);
        if (!p->root && (status = dwci_mpi_allocate(p->context, p->whole.input_bytes, &s->input, p->error)) == DWC_OK)
            status = dwci_mpi_allocate(p->context, p->whole.output_bytes, &s->output, p->error);
    }
    return status;
}

static dwc_status make_partners(pipeline *p) {
    const int count = p->root ? p->context->size - 1 : 1, most = count * (DWCI_MPI_SLOTS * MESSAGES + 1) + 1;
    void *partners = NULL, *open = NULL;
    dwc_status status =
        dwci_mpi_allocate_filled(p->context, count * (int64_t)sizeof *p->partners, 0, &partners, p->error);
    if (status == DWC_OK)
        status = dwci_mpi_allocate_filled(p->context, most * (int64_t)sizeof *p->open, 0, &open, p->error);
    p->partners = partners;
    p->open = open;
    p->partner_count = status ? 0 : count;
    p->listener = new_message(NULL, VERDICT, 0);
    for (int i = 0; i < p->partner_count && status == DWC_OK; i++)
        status = make_partner(p, i);
    return status;
}

static dwc_status set_up(pipeline *p) {
    const dwc_mpi_plan *plan = p->job->plan;
    const dwc_geometry *g = &plan->partition.geometry;
    const int64_t rest = plan->partition.problem.n % p->images;
    dwc_status status;
    if ((status = dwci_mpi_engine_make(plan, p->images, &p->whole, p->error)) ||
        (rest > 0 && (status = dwci_mpi_engine_make(plan, rest, &p->rest, p->error))) || p->job->alone ||
        (status = make_partners(p)) || p->root)
        return status;
    if ((status = dwci_mpi_allocate(p->context, g->filter_elements * (int64_t)g->element_bytes, &p->filter, p->error)))
        return status;
    return dwci_mpi_allocate(p->context, g->bias_elements * (int64_t)g->element_bytes, &p->bias, p->error);
}

static void clear_up(pipeline *p) {
    const dwc_context *own = p->context->own;
    for (int i = 0; i < p->partner_count && p->partners[i]; i++) {
        for (int k = 0; k < DWCI_MPI_SLOTS; k++) {
            dwc_release(own, p->partners[i]->slots[k].input);
            dwc_release(own, p->partners[i]->slots[k].output);
        }
        dwc_release(own, p->partners[i]);
    }
    dwc_release(own, p->partners);
    dwc_release(own, p->open);
    dwc_release(own, p->filter);
    dwc_release(own, p->bias);
    dwci_mpi_engine_free(&p->whole);
    dwci_mpi_engine_free(&p->rest);
}

static dwc_status run(pipeline *p) {
    const dwci_mpi_job *job = p->job;
    const void *filter = p->root ? job->filter : p->filter, *bias = p->root ? job->bias : p->bias;
    dwc_status status = job->alone ? DWC_OK : dwci_mpi_spread_filter(job->plan, job->root, filter, bias, p->error);
    if (status || (status = dwci_mpi_engine_load(&p->whole, filter, p->error)) ||
        (status = dwci_mpi_engine_load(&p->rest, filter, p->error)))
        return status;
    return p->root ? run_root(p) : run_worker(p);
}

dwc_status dwci_mpi_pipeline(const dwci_mpi_job *job, int64_t *own, dwc_error *error) {
    pipeline p = {
        .job = job, .context = job->plan->context, .images = dwci_mpi_piece_images(job->plan), .error = error};
    p.root = p.context->rank == job->root;
    p.piece_s = job->plan->choice.image_s * (double)p.images;
    const int idle = job->alone && !p.root;
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
