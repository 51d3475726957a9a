/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of limited length, see transfer.h.
 * Counts of MPI 3 are ints, hence the limit. Nothing moves while a rank computes (Open MPI has no thread for that), so
 * whoever computes comes back here between pieces of a few milliseconds. */
#include "mpi/transfer.h"
#include "mpi/agree.h"

#include <sched.h>
#include <string.h>
#include <time.h>

dwc_status dwci_mpi_break(dwc_mpi_context *c, int code, dwc_error *error) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;
    c->broken = 1;
    MPI_Error_string(code, text, &length);
    return dwci_mpi_fail(error, DWC_MPI_ERROR, "MPI: %.200s", text);
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

static const double eager_seconds = 5e-4;
enum { SHORTEST_PAUSE_NS = 20000, LONGEST_PAUSE_NS = 1000000, DATA_LOOKS = 8 /* between two pauses */ };

void dwci_mpi_pause(const dwc_mpi_context *c, dwci_mpi_patience *p, int data) {
    const double now = MPI_Wtime();
    if (p->since == 0)
        p->since = now;
    if (data && c->place.sharing == 1)
        return;
    if (now - p->since < eager_seconds || (data && ++p->looks % DATA_LOOKS)) {
        if (c->place.sharing > 1)
            sched_yield();
        return;
    }
    /* A part of what it has waited, so that the last pause makes little difference. */
    long pause_ns = data ? 0 : (long)(1e9 / 8 * (now - p->since));
    pause_ns = pause_ns < SHORTEST_PAUSE_NS ? SHORTEST_PAUSE_NS : pause_ns;
    pause_ns = pause_ns > LONGEST_PAUSE_NS ? LONGEST_PAUSE_NS : pause_ns;
    const struct timespec time = {0, pause_ns}; /* a variable: where MPI is simulated, nanosleep is a macro */
    nanosleep(&time, NULL);
}

dwc_status dwci_mpi_wait(dwc_mpi_context *c, MPI_Request *request, dwc_error *error) {
    dwci_mpi_patience patience = {0};
    for (;;) {
        int done = 0;
        const int code = MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (code)
            return dwci_mpi_break(c, code, error);
        if (done)
            return DWC_OK;
        dwci_mpi_pause(c, &patience, 0);
    }
}

/* ---- slabs ------------------------------------------------------------------------------------------------------- */

dwci_mpi_slab dwci_mpi_flat(const void *data, int64_t bytes) {
    return (dwci_mpi_slab){(char *)data, 1, bytes, bytes};
}

void dwci_mpi_copy(const dwci_mpi_slab *to, const dwci_mpi_slab *from) {
    for (int64_t i = 0; i < to->lines && to->bytes > 0; i++)
        memcpy(to->data + i * to->stride, from->data + i * from->stride, (size_t)to->bytes);
}

/* ---- transfers --------------------------------------------------------------------------------------------------- */

static int more(const dwci_mpi_transfer *t) {
    return t->slab.bytes > 0 && t->line < t->slab.lines;
}

void dwci_mpi_transfer_start(dwci_mpi_transfer *t, const dwci_mpi_slab *slab, int peer, int tag, int sending) {
    *t = (dwci_mpi_transfer){.slab = *slab, .peer = peer, .tag = tag, .sending = sending};
    for (int i = 0; i < DWCI_MPI_WINDOW; i++)
        t->requests[i] = MPI_REQUEST_NULL;
}

/* Open MPI sends up to 64 KiB over TCP without asking the receiver. */
enum { SHORT_BYTES = 60 << 10 };

void dwci_mpi_transfer_shorten(const dwc_mpi_context *c, dwci_mpi_transfer *t) {
    if (c->place.nodes > 1 && t->slab.lines * t->slab.bytes <= DWCI_MPI_WINDOW * SHORT_BYTES)
        t->limit = SHORT_BYTES;
}

int dwci_mpi_transfer_done(const dwci_mpi_transfer *t) {
    return t->pending == 0 && !more(t);
}

static int post(dwc_mpi_context *c, const dwci_mpi_transfer *t, char *data, int count, MPI_Datatype type,
                MPI_Request *request) {
    if (!t->sending)
        return MPI_Irecv(data, count, type, t->peer, t->tag, c->comm, request);
    return t->received ? MPI_Issend(data, count, type, t->peer, t->tag, c->comm, request)
                       : MPI_Isend(data, count, type, t->peer, t->tag, c->comm, request);
}

/* Lines with gaps between them, as one message. */
static int post_lines(dwc_mpi_context *c, const dwci_mpi_transfer *t, char *data, int lines, MPI_Request *request) {
    MPI_Datatype type;
    int code = MPI_Type_create_hvector(lines, (int)t->slab.bytes, (MPI_Aint)t->slab.stride, MPI_BYTE, &type);
    if (code == MPI_SUCCESS && (code = MPI_Type_commit(&type)) == MPI_SUCCESS) {
        code = post(c, t, data, 1, type, request);
        MPI_Type_free(&type); /* lives until the message is through */
    }
    return code;
}

/* Begins the next message. */
static int post_next(dwc_mpi_context *c, dwci_mpi_transfer *t, MPI_Request *request) {
    const dwci_mpi_slab *s = &t->slab;
    const int64_t most = c->options.message_bytes, limit = t->limit > 0 && t->limit < most ? t->limit : most;
    const int64_t left = s->bytes - t->byte;
    char *data = s->data + t->line * s->stride + t->byte;
    if (s->bytes > limit) {
        const int64_t bytes = left < limit ? left : limit;
        t->byte = bytes < left ? t->byte + bytes : 0;
        t->line += bytes == left;
        return post(c, t, data, (int)bytes, MPI_BYTE, request);
    }
    int64_t lines = limit / s->bytes;
    if (lines > s->lines - t->line)
        lines = s->lines - t->line;
    t->line += lines;
    if (lines == 1 || s->stride == s->bytes)
        return post(c, t, data, (int)(lines * s->bytes), MPI_BYTE, request);
    return post_lines(c, t, data, (int)lines, request);
}

/* Begins what its window allows. */
static int post_more(dwc_mpi_context *c, dwci_mpi_transfer *t, int *moved) {
    for (int i = 0; i < DWCI_MPI_WINDOW && more(t); i++) {
        if (t->requests[i] != MPI_REQUEST_NULL)
            continue;
        const int code = post_next(c, t, &t->requests[i]);
        if (code)
            return code;
        t->pending++;
        *moved = 1;
    }
    return MPI_SUCCESS;
}

/* Requests of several transfers, and whose they are. */
enum { AT_ONCE = 256 };
typedef struct crowd {
    int count;
    MPI_Request requests[AT_ONCE], *origins[AT_ONCE];
    dwci_mpi_transfer *owners[AT_ONCE];
} crowd;

static void join(crowd *all, dwci_mpi_transfer *t) {
    for (int i = 0, left = t->pending; left > 0; i++)
        if (t->requests[i] != MPI_REQUEST_NULL) {
            all->requests[all->count] = t->requests[i];
            all->origins[all->count] = &t->requests[i];
            all->owners[all->count++] = t;
            left--;
        }
}

/* Completes those that are through, and begins what follows them. */
static int test(dwc_mpi_context *c, crowd *all, int *moved) {
    int ended[AT_ONCE], count = 0;
    MPI_Status statuses[AT_ONCE];
    int code = all->count > 0 ? MPI_Testsome(all->count, all->requests, &count, ended, statuses) : MPI_SUCCESS;
    if (code == MPI_ERR_IN_STATUS)
        for (int i = 0; i < count; i++)
            code = statuses[i].MPI_ERROR != MPI_SUCCESS ? statuses[i].MPI_ERROR : code;
    for (int i = 0; i < count && code == MPI_SUCCESS; i++) {
        dwci_mpi_transfer *t = all->owners[ended[i]];
        *all->origins[ended[i]] = MPI_REQUEST_NULL;
        t->pending--;
        *moved = 1;
        if (t->peer == MPI_ANY_SOURCE)
            t->peer = statuses[i].MPI_SOURCE;
        code = post_more(c, t, moved);
    }
    return code;
}

dwc_status dwci_mpi_look(dwc_mpi_context *c, dwci_mpi_transfer *const *transfers, int count, int *moved,
                         dwc_error *error) {
    crowd all;
    for (int i = 0; i < count;) {
        int code = MPI_SUCCESS;
        all.count = 0;
        for (; i < count && all.count <= AT_ONCE - DWCI_MPI_WINDOW && code == MPI_SUCCESS; i++)
            if ((code = post_more(c, transfers[i], moved)) == MPI_SUCCESS)
                join(&all, transfers[i]);
        if (code || (code = test(c, &all, moved)))
            return dwci_mpi_break(c, code, error);
    }
    return DWC_OK;
}

dwc_status dwci_mpi_transfer_all(dwc_mpi_context *c, dwci_mpi_transfer *transfers, int count, dwc_error *error) {
    dwci_mpi_transfer *open[DWCI_MPI_MOST_AT_ONCE];
    dwci_mpi_patience patience = {0};
    for (int left = 0; left < count; left++)
        open[left] = &transfers[left];
    while (count > 0) {
        int moved = 0, left = 0;
        dwc_status status = dwci_mpi_look(c, open, count, &moved, error);
        if (status)
            return status;
        for (int i = 0; i < count; i++)
            if (!dwci_mpi_transfer_done(open[i]))
                open[left++] = open[i];
        count = left;
        if (moved)
            patience = (dwci_mpi_patience){0};
        else
            dwci_mpi_pause(c, &patience, 1);
    }
    return DWC_OK;
}
