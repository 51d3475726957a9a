/* SPDX-License-Identifier: Apache-2.0 */
/* How ranks stay together: each collective call begins and ends with one small reduction.
 *
 *     {first rank that failed, hash of the arguments, its complement} --minimum--> {nobody failed, all hashes equal}
 *
 * Only if that is not so the ranks talk again: about the arguments of rank 0, or the text of the failed rank. */
#ifndef DWC_MPI_AGREE_H
#define DWC_MPI_AGREE_H

#include "mpi/mpi_context.h"

/* Writes status and message to *error and returns status. */
dwc_status dwci_mpi_fail(dwc_error *error, dwc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What has to be equal on all ranks; the first field is the call itself. */
enum { DWCI_MPI_MOST_FIELDS = 48 };
typedef struct dwci_mpi_arguments {
    int count;
    const char *names[DWCI_MPI_MOST_FIELDS];
    int64_t values[DWCI_MPI_MOST_FIELDS];
    char coded[DWCI_MPI_MOST_FIELDS]; /* 1: the value says nothing to people */
} dwci_mpi_arguments;

/* `call` is one of a kind for each place that calls dwci_mpi_agree. */
dwci_mpi_arguments dwci_mpi_call(const char *call);
void dwci_mpi_say(dwci_mpi_arguments *arguments, const char *name, int64_t value);
void dwci_mpi_say_coded(dwci_mpi_arguments *arguments, const char *name, int64_t value);   /* not for people */
void dwci_mpi_say_text(dwci_mpi_arguments *arguments, const char *name, const char *text); /* NULL is no text */
void dwci_mpi_say_number(dwci_mpi_arguments *arguments, const char *name, double value);
void dwci_mpi_say_problem(dwci_mpi_arguments *arguments, const dwc_problem *problem);
void dwci_mpi_say_plan_options(dwci_mpi_arguments *arguments, const dwc_plan_options *options);

/* Collective. The same status on all ranks: DWC_OK if `status` is on all and the arguments are the same, else that of
 * the first rank that has another, with its text in *error. */
dwc_status dwci_mpi_agree(dwc_mpi_context *context, const dwci_mpi_arguments *arguments, dwc_status status,
                          dwc_error *error);

/* The same within a call or at its end, after the part named so; not for a status that was agreed upon before. */
dwc_status dwci_mpi_leave(dwc_mpi_context *context, const char *call, dwc_status status, dwc_error *error);

/* Collective: control data of rank `from` for all; few bytes. */
dwc_status dwci_mpi_share(dwc_mpi_context *context, int from, void *data, size_t bytes, dwc_error *error);

/* FNV-1a, of what `hash` is the hash of (0: of nothing) with these bytes behind it. */
uint64_t dwci_mpi_hash(uint64_t hash, const void *data, size_t bytes);

#endif
