/* SPDX-License-Identifier: Apache-2.0 */
/* Agreement of ranks, see agree.h. */
#include "mpi/agree.h"
#include "mpi/transfer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

dwc_status dwci_mpi_fail(dwc_error *error, dwc_status status, const char *format, ...) {
    va_list arguments;
    error->status = status;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

uint64_t dwci_mpi_hash(uint64_t hash, const void *data, size_t bytes) {
    const unsigned char *byte = data;
    hash ^= 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash ^ 0xcbf29ce484222325u;
}

/* ---- arguments --------------------------------------------------------------------------------------------------- */

void dwci_mpi_say(dwci_mpi_arguments *a, const char *name, int64_t value) {
    a->names[a->count] = name;
    a->values[a->count++] = value;
}

void dwci_mpi_say_coded(dwci_mpi_arguments *a, const char *name, int64_t value) {
    a->coded[a->count] = 1;
    dwci_mpi_say(a, name, value);
}

void dwci_mpi_say_text(dwci_mpi_arguments *a, const char *name, const char *text) {
    dwci_mpi_say_coded(a, name, text ? (int64_t)dwci_mpi_hash(1, text, strlen(text)) : 0);
}

void dwci_mpi_say_number(dwci_mpi_arguments *a, const char *name, double value) {
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    dwci_mpi_say_coded(a, name, bits);
}

dwci_mpi_arguments dwci_mpi_call(const char *call) {
    dwci_mpi_arguments a = {0};
    dwci_mpi_say_text(&a, "call", call);
    return a;
}

void dwci_mpi_say_problem(dwci_mpi_arguments *a, const dwc_problem *p) {
    const struct {
        const char *name;
        int64_t value;
    } fields[] = {
        {"operation", p->operation},
        {"dtype", p->dtype},
        {"layout", p->layout},
        {"n", p->n},
        {"h", p->h},
        {"w", p->w},
        {"c", p->c},
        {"kh", p->kh},
        {"kw", p->kw},
        {"m", p->m},
        {"sh", p->sh},
        {"sw", p->sw},
        {"dh", p->dh},
        {"dw", p->dw},
        {"padding", p->padding},
        {"pad_top", p->pad_top},
        {"pad_bottom", p->pad_bottom},
        {"pad_left", p->pad_left},
        {"pad_right", p->pad_right},
        {"bias", p->bias},
        {"activation", p->activation},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        dwci_mpi_say(a, fields[i].name, fields[i].value);
}

void dwci_mpi_say_plan_options(dwci_mpi_arguments *a, const dwc_plan_options *o) {
    dwci_mpi_say_text(a, "algo", o->algo ? o->algo : "auto");
    dwci_mpi_say_text(a, "params", o->params);
    dwci_mpi_say(a, "numerics", o->numerics);
    dwci_mpi_say_number(a, "max_error", o->max_error);
    dwci_mpi_say(a, "max_workspace", o->max_workspace);
    dwci_mpi_say(a, "bands", o->bands);
    dwci_mpi_say(a, "effort", o->effort);
    dwci_mpi_say(a, "ignore_wisdom", o->ignore_wisdom);
    dwci_mpi_say(a, "strict_nonfinite", o->strict_nonfinite);
    dwci_mpi_say(a, "cache", o->cache);
}

/* ---- agreement --------------------------------------------------------------------------------------------------- */

dwc_status dwci_mpi_share(dwc_mpi_context *c, int from, void *data, size_t bytes, dwc_error *error) {
    MPI_Request request;
    const int code = MPI_Ibcast(data, (int)bytes, MPI_BYTE, from, c->comm, &request);
    return code ? dwci_mpi_break(c, code, error) : dwci_mpi_wait(c, &request, error);
}

/* Compares with the arguments of rank 0, field by field. */
static dwc_status compare(dwc_mpi_context *c, const dwci_mpi_arguments *mine, dwc_status status, dwc_error *error) {
    int64_t values[DWCI_MPI_MOST_FIELDS];
    memcpy(values, mine->values, sizeof values);
    dwc_status shared = dwci_mpi_share(c, 0, values, sizeof values, error);
    if (shared || status)
        return shared ? shared : status;
    for (int i = 0; i < mine->count; i++)
        if (values[i] != mine->values[i] && mine->coded[i])
            return dwci_mpi_fail(error, DWC_MISMATCH, "%s: another one than on rank 0", mine->names[i]);
        else if (values[i] != mine->values[i])
            return dwci_mpi_fail(error, DWC_MISMATCH, "%s: %" PRId64 ", but %" PRId64 " on rank 0", mine->names[i],
                                 mine->values[i], values[i]);
    return DWC_OK;
}

/* The failure of rank `first`, on all. */
static dwc_status adopt(dwc_mpi_context *c, int first, dwc_error *error) {
    dwc_error theirs = *error;
    if (c->rank == first && c->size > 1)
        snprintf(theirs.message, sizeof theirs.message, "%.*s (rank %d of %d)", (int)sizeof theirs.message - 32,
                 error->message, c->rank, c->size);
    const dwc_status shared = dwci_mpi_share(c, first, &theirs, sizeof theirs, error);
    if (shared == DWC_OK)
        *error = theirs;
    return error->status;
}

dwc_status dwci_mpi_agree(dwc_mpi_context *c, const dwci_mpi_arguments *a, dwc_status status, dwc_error *error) {
    const int64_t hash = (int64_t)dwci_mpi_hash(0, a->values, sizeof a->values);
    for (int round = 0; c->broken == 0; round++) {
        int64_t least[] = {status ? c->rank : c->size, round ? 0 : hash, round ? ~(int64_t)0 : ~hash};
        MPI_Request request;
        const int code = MPI_Iallreduce(MPI_IN_PLACE, least, 3, MPI_INT64_T, MPI_MIN, c->comm, &request);
        dwc_status reduced = code ? dwci_mpi_break(c, code, error) : dwci_mpi_wait(c, &request, error);
        if (reduced)
            return reduced;
        const int same = least[1] == ~least[2];
        if (same && least[0] == c->size)
            return DWC_OK;
        /* A rank that failed may have had no arguments to tell. */
        if (least[0] < c->size)
            return adopt(c, (int)least[0], error);
        status = compare(c, a, status, error);
    }
    return dwci_mpi_fail(error, DWC_MPI_ERROR, "MPI: the context is broken by an earlier error");
}

dwc_status dwci_mpi_leave(dwc_mpi_context *c, const char *call, dwc_status status, dwc_error *error) {
    dwci_mpi_arguments a = dwci_mpi_call(call);
    dwci_mpi_say(&a, "end", 1);
    return dwci_mpi_agree(c, &a, status, error);
}
