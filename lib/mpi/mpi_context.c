/* SPDX-License-Identifier: Apache-2.0 */
/* The context of all ranks: where they are, how many threads each has, and what their CPUs have in common. */
#define _GNU_SOURCE
#include "mpi/agree.h"
#include "mpi/transfer.h"

#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <string.h>

void dwc_mpi_options_init(dwc_mpi_options *options) {
    *options = (dwc_mpi_options){.message_bytes = (int64_t)1 << 30, .chunk_bytes = (int64_t)1 << 20};
}

/* What a rank tells the others of itself. */
typedef struct card {
    uint64_t host, cores; /* hashes: of the node's name, of that and the set of cores */
    uint64_t cpu;         /* hash: of what decides how kernels round */
    int64_t isa;
} card;

static card describe(const dwc_context *own) {
    enum { most_words = 128 };
    unsigned long cores[most_words] = {0};
    char host[MPI_MAX_PROCESSOR_NAME] = "";
    int length = 0;
    const dwc_machine *m = dwc_context_machine(own);
    const int64_t cpu[] = {m->family, m->model, m->isa, m->best_isa};
    MPI_Get_processor_name(host, &length);
    card mine = {.host = dwci_mpi_hash(0, host, (size_t)length), .isa = m->isa};
    /* Ranks that cannot know their cores are taken to share them. */
    if (sched_getaffinity(0, sizeof cores, (cpu_set_t *)cores))
        memset(cores, 0, sizeof cores);
    mine.cores = dwci_mpi_hash(mine.host, cores, sizeof cores);
    mine.cpu = dwci_mpi_hash(dwci_mpi_hash(0, m->vendor, strlen(m->vendor)), cpu, sizeof cpu);
    return mine;
}

/* The first rank with the same hash as rank `of`. */
static int first_like(const card *all, int of, int by_cores) {
    int first = 0;
    while (by_cores ? all[first].cores != all[of].cores : all[first].host != all[of].host)
        first++;
    return first;
}

/* Fills the place from everybody's cards. */
static void locate(dwc_mpi_context *c, const card *all) {
    dwc_mpi_place *p = &c->place;
    const card *mine = &all[c->rank];
    const int first_here = first_like(all, c->rank, 0);
    *p = (dwc_mpi_place){.rank = c->rank, .size = c->size, .isa = DWC_ISA_BEST};
    c->neighbour = c->size - 1;
    for (int r = c->size - 1; r >= 0; r--) {
        const int first = first_like(all, r, 0) == r;
        p->nodes += first;
        p->node += first && r < first_here;
        p->sharing += all[r].cores == mine->cores;
        p->mixed |= all[r].cpu != all[0].cpu;
        if (all[r].isa < (int64_t)p->isa)
            p->isa = (dwc_isa)all[r].isa;
        if (all[r].host != all[0].host)
            c->neighbour = r;
    }
    for (int r = 0; r < c->size; r++)
        if (first_like(all, r, 1) == r)
            c->tuners[c->tuner_count++] = r;
}

/* MPI is ready for a context, as far as this rank can see alone. */
static dwc_status check_mpi(MPI_Comm comm, dwc_error *error) {
    int started = 0, finished = 0, level = MPI_THREAD_SINGLE, inter = 0;
    MPI_Initialized(&started);
    MPI_Finalized(&finished);
    if (!started || finished)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "MPI: it is %s", finished ? "finalised" : "not initialised");
    MPI_Query_thread(&level);
    if (level < MPI_THREAD_FUNNELED)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "MPI: it was initialised without MPI_THREAD_FUNNELED");
    if (comm == MPI_COMM_NULL)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "comm: null communicator");
    MPI_Comm_test_inter(comm, &inter);
    if (inter)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "comm: an intercommunicator has two groups of ranks");
    return DWC_OK;
}

static dwc_status check_options(const dwc_mpi_options *o, dwc_error *error) {
    if (o->message_bytes < 1 || o->message_bytes > INT_MAX)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "message_bytes: %" PRId64 " is not in 1..%d",
                             o->message_bytes, INT_MAX);
    if (o->chunk_bytes < 1)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "chunk_bytes: %" PRId64 " is not positive", o->chunk_bytes);
    return DWC_OK;
}

/* Collective: everybody's cards, in memory that is to be released. */
static dwc_status gather_cards(dwc_mpi_context *c, const dwci_mpi_arguments *arguments, card **all, dwc_error *error) {
    MPI_Request request;
    card mine = describe(c->own);
    *all = dwc_allocate(c->own, (size_t)c->size * sizeof mine);
    c->tuners = dwc_allocate(c->own, (size_t)c->size * sizeof *c->tuners);
    dwc_status status = DWC_OK;
    if (!*all || !c->tuners)
        status = dwci_mpi_fail(error, DWC_OUT_OF_MEMORY, "context: no memory for %d ranks", c->size);
    if ((status = dwci_mpi_agree(c, arguments, status, error)))
        return status;
    const int code =
        MPI_Iallgather(&mine, (int)sizeof mine, MPI_BYTE, *all, (int)sizeof mine, MPI_BYTE, c->comm, &request);
    return code ? dwci_mpi_break(c, code, error) : dwci_mpi_wait(c, &request, error);
}

/* Replaces the context by one that knows of the other ranks, and makes the common one. */
static dwc_status settle(dwc_mpi_context *c, dwc_context_options options, dwc_error *error) {
    dwc_context *known;
    const dwc_machine *m = dwc_context_machine(c->own);
    const dwc_isa own_isa = m->isa;
    if (options.threads == 0)
        options.threads = m->usable_cores > c->place.sharing ? m->usable_cores / c->place.sharing : 1;
    if (c->place.sharing > 1)
        options.bind = 0;
    dwc_status status = dwc_context_create(&options, &known, error);
    if (status)
        return status;
    dwc_context_destroy(c->own);
    c->own = c->common = known;
    c->place.threads = dwc_context_threads(known);
    options.max_isa = c->place.isa;
    return own_isa == c->place.isa ? DWC_OK : dwc_context_create(&options, &c->common, error);
}

static void release_contexts(dwc_mpi_context *c) {
    if (c->own)
        dwc_release(c->own, c->tuners);
    if (c->common != c->own)
        dwc_context_destroy(c->common);
    dwc_context_destroy(c->own);
}

/* From the duplicated communicator to the finished context, of which *result is a copy. */
static dwc_status build(dwc_mpi_context *made, const dwc_context_options *local, dwc_mpi_context **result,
                        dwc_error *error) {
    card *all = NULL;
    dwci_mpi_arguments arguments = dwci_mpi_call("dwc_mpi_context_create");
    dwci_mpi_say(&arguments, "message_bytes", made->options.message_bytes);
    dwci_mpi_say(&arguments, "chunk_bytes", made->options.chunk_bytes);
    dwc_status status = result ? check_options(&made->options, error)
                               : dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "context: null pointer");
    dwc_context_options first = *local;
    first.bind = 0;
    if (status == DWC_OK)
        status = dwc_context_create(&first, &made->own, error);
    if (status)
        return dwci_mpi_agree(made, &arguments, status, error);
    status = gather_cards(made, &arguments, &all, error);
    if (status == DWC_OK)
        locate(made, all);
    dwc_release(made->own, all);
    if (status)
        return status;
    status = settle(made, *local, error);
    if (status == DWC_OK && !(*result = dwc_allocate(made->own, sizeof *made)))
        status = dwci_mpi_fail(error, DWC_OUT_OF_MEMORY, "context: %zu bytes could not be allocated", sizeof *made);
    return dwci_mpi_leave(made, "dwc_mpi_context_create", status, error);
}

dwc_status dwc_mpi_context_create(MPI_Comm comm, const dwc_context_options *local_options,
                                  const dwc_mpi_options *options, dwc_mpi_context **context, dwc_error *error) {
    dwc_error scratch;
    dwc_context_options local;
    dwc_mpi_context made = {.execute = dwc_plan_execute}, *result = NULL;
    dwc_context_options_init(&local);
    dwc_mpi_options_init(&made.options);
    if (!error)
        error = &scratch;
    dwc_status status = check_mpi(comm, error);
    if (status)
        return status;
    const int code = MPI_Comm_dup(comm, &made.comm);
    if (code)
        return dwci_mpi_break(&made, code, error);
    MPI_Comm_set_errhandler(made.comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(made.comm, &made.rank);
    MPI_Comm_size(made.comm, &made.size);
    if (options)
        made.options = *options;
    status = build(&made, local_options ? local_options : &local, context ? &result : NULL, error);
    if (status == DWC_OK) {
        *result = made;
        *context = result;
        return DWC_OK;
    }
    if (result)
        dwc_release(made.own, result);
    release_contexts(&made);
    if (!made.broken)
        MPI_Comm_free(&made.comm);
    return status;
}

void dwc_mpi_context_destroy(dwc_mpi_context *context) {
    if (!context)
        return;
    dwc_mpi_context c = *context;
    dwc_release(c.own, context);
    release_contexts(&c);
    if (!c.broken)
        MPI_Comm_free(&c.comm);
}

dwc_mpi_place dwc_mpi_context_place(const dwc_mpi_context *context) {
    return context->place;
}

const dwc_context *dwc_mpi_context_local(const dwc_mpi_context *context) {
    return context->own;
}
