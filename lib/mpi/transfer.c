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

int dwci_mpi_transfer_done(const dwci_mpi_transfer *t) {
    return t->pending == 0 && !more(t);
}

static int post(dwc_mpi_context *c, const dwci_mpi_transfer *t, char *data, int count, MPI_Datatype type,
                MPI_Request *request) {
    return t->sending ? MPI_Isend(data, count, type, t->peer, t->tag, c->comm, request)
                      : MPI_Irecv(data, count, type, t->peer, t->tag, c->comm, request);
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

dwc_status dwci_mpi_transfer_progress(dwc_mpi_context *c, dwci_mpi_transfer *t, int *moved, dwc_error *error) {
    for (int i = 0; i < DWCI_MPI_WINDOW && !dwci_mpi_transfer_done(t); i++) {
        int code = MPI_SUCCESS, done = 0;
        if (t->requests[i] != MPI_REQUEST_NULL) {
            code = MPI_Test(&t->requests[i], &done, MPI_STATUS_IGNORE);
            t->pending -= done;
            *moved |= done;
        }
        if (code == MPI_SUCCESS && t->requests[i] == MPI_REQUEST_NULL && more(t)) {
            code = post_next(c, t, &t->requests[i]);
            t->pending++;
            *moved = 1;
        }
        if (code)
            return dwci_mpi_break(c, code, error);
    }
    return DWC_OK;
}

dwc_status dwci_mpi_transfer_all(dwc_mpi_context *c, dwci_mpi_transfer *transfers, int count, dwc_error *error) {
    dwci_mpi_patience patience = {0};
    for (int open = 1; open;) {
        int moved = 0;
        open = 0;
        for (int i = 0; i < count; i++) {
            dwc_status status = dwci_mpi_transfer_progress(c, &transfers[i], &moved, error);
            if (status)
                return status;
            open |= !dwci_mpi_transfer_done(&transfers[i]);
        }
        if (moved)
            patience = (dwci_mpi_patience){0};
        else if (open)
            dwci_mpi_pause(c, &patience, 1);
    }
    return DWC_OK;
}
