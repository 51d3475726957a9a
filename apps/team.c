/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a launcher; see team.h. The only file of the program, beside doctor.c, with MPI.
 * Waiting ranks sleep between looks, so that ranks on the same cores can compute. */
#define _GNU_SOURCE
#include "team.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    int rank, size, sharing, worker, workers, started;
    char host[64];
} team = {.size = 1, .sharing = 1, .workers = 1};

int team_rank(void) {
    return team.rank;
}

int team_size(void) {
    return team.size;
}

int team_sharing(void) {
    return team.sharing;
}

int team_worker(void) {
    return team.worker;
}

int team_workers(void) {
    return team.workers;
}

const char *team_launcher(void) {
    return getenv("OMPI_COMM_WORLD_SIZE") ? "mpirun of Open MPI"
           : getenv("SLURM_STEP_ID")      ? "srun"
           : getenv("PMI_SIZE")           ? "PMI"
                                          : "none";
}

const char *team_host(void) {
    if (!*team.host && gethostname(team.host, sizeof team.host - 1))
        strcpy(team.host, "unknown");
    return team.host;
}

#ifdef DWC_HAVE_MPI
#include <mpi.h>

static MPI_Comm comm;

/* Number of processes a launcher says it started; 0: none did. Open MPI's mpirun, MPICH's, and Slurm's srun with PMIx
 * or PMI-2 (without them srun starts ordinary processes, which is what they then are). */
static int launched(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i]))
            return atoi(getenv(names[i]));
    const char *tasks = getenv("SLURM_STEP_NUM_TASKS");
    if (getenv("PMIX_RANK") || getenv("PMI_RANK"))
        return tasks ? atoi(tasks) : 1;
    return 0;
}

static void wait_for(MPI_Request *request) {
    struct timespec pause = {0, 20000}; /* doubles up to a few milliseconds */
    int done = 0;
    for (int looks = 0; MPI_Test(request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && !done; looks++) {
        if (looks < 100)
            continue;
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 4000000)
            pause.tv_nsec *= 2;
    }
}

static void reduce(void *values, int count, MPI_Datatype type, MPI_Op operation) {
    MPI_Request request;
    if (team.size > 1 && MPI_Iallreduce(MPI_IN_PLACE, values, count, type, operation, comm, &request) == MPI_SUCCESS)
        wait_for(&request);
}

void team_sum(int64_t *values, int count) {
    reduce(values, count, MPI_INT64_T, MPI_SUM);
}

void team_min(int64_t *values, int count) {
    reduce(values, count, MPI_INT64_T, MPI_MIN);
}

void team_max(double *values, int count) {
    reduce(values, count, MPI_DOUBLE, MPI_MAX);
}

static void share_from(int root, void *data, size_t bytes) {
    enum { most = 1 << 30 };
    MPI_Request request;
    for (char *at = data; bytes > 0 && team.size > 1;) {
        const int now = bytes < most ? (int)bytes : most;
        if (MPI_Ibcast(at, now, MPI_BYTE, root, comm, &request) == MPI_SUCCESS)
            wait_for(&request);
        at += now;
        bytes -= (size_t)now;
    }
}

void team_share(void *data, size_t bytes) {
    share_from(0, data, bytes);
}

/* A call is a message to every other rank; one receive for them is open from the first look to team_settle. */
enum { call_tag = 1 };

static struct {
    MPI_Request receive;
    int open, sent, received, reason;
    int64_t heard;
} call;

void team_call_off(int reason) {
    static int message; /* not touched again: it may be sent later */
    if (call.sent)
        return;
    call.sent = message = reason;
    for (int rank = 0; rank < team.size; rank++) {
        MPI_Request request;
        if (rank != team.rank && MPI_Isend(&message, 1, MPI_INT, rank, call_tag, comm, &request) == MPI_SUCCESS)
            MPI_Request_free(&request);
    }
}

int team_called_off(void) {
    int heard = 0;
    if (team.size > 1 && !call.open)
        call.open = MPI_Irecv(&call.received, 1, MPI_INT, MPI_ANY_SOURCE, call_tag, comm, &call.receive) == MPI_SUCCESS;
    if (call.open && MPI_Test(&call.receive, &heard, MPI_STATUS_IGNORE) == MPI_SUCCESS && heard) {
        call.open = 0;
        call.heard++;
        if (!call.reason)
            call.reason = call.received;
    }
    return call.reason;
}

void team_settle(void) {
    int64_t calls = call.sent > 0;
    team_sum(&calls, 1);
    while (call.heard < calls - (call.sent > 0))
        team_called_off();
    if (call.open) {
        MPI_Cancel(&call.receive);
        MPI_Wait(&call.receive, MPI_STATUS_IGNORE);
    }
    memset(&call, 0, sizeof call);
}

int team_agree(cli_failure *failure) {
    if (team.size == 1)
        return failure->code;
    int64_t failed = failure->code ? 1 : 0, first = failure->code ? team.rank : team.size;
    team_min(&first, 1);
    team_sum(&failed, 1);
    if (first == team.size)
        return EXIT_DONE;
    struct {
        int code;
        char text[sizeof failure->text];
    } told = {failure->code, ""};
    if (first == team.rank && failed == team.size)
        snprintf(told.text, sizeof told.text, "%s", failure->text);
    else if (first == team.rank)
        snprintf(told.text, sizeof told.text, "%.*s (rank %d of %d, on %s)", (int)sizeof told.text - 200, failure->text,
                 team.rank, team.size, team_host());
    share_from((int)first, &told, sizeof told);
    failure->code = told.code;
    memcpy(failure->text, told.text, sizeof told.text);
    return failure->code;
}

/* Ranks of this node whose set of cores is the same; *before: those of them that are lower. */
static int count_sharing(int *before) {
    enum { most_words = 128 };
    unsigned long mine[most_words] = {0};
    MPI_Comm node;
    int size, place, same = 0;
    *before = 0;
    sched_getaffinity(0, sizeof mine, (cpu_set_t *)mine); /* where it fails: all zeros */
    if (MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, team.rank, MPI_INFO_NULL, &node) != MPI_SUCCESS)
        return 1;
    MPI_Comm_size(node, &size);
    MPI_Comm_rank(node, &place);
    for (int i = 0; i < size; i++) {
        unsigned long theirs[most_words];
        memcpy(theirs, mine, sizeof mine);
        MPI_Bcast(theirs, (int)sizeof theirs, MPI_BYTE, i, node);
        const int equal = memcmp(theirs, mine, sizeof mine) == 0;
        same += equal;
        *before += equal && i < place;
    }
    MPI_Comm_free(&node);
    return same;
}

int team_start(cli_failure *failure) {
    const int expected = launched();
    if (expected == 0)
        return EXIT_DONE;
    int provided, size;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return fail(failure, EXIT_FAILED, "MPI cannot be initialised");
    team.started = 1;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size == 1 && expected > 1) {
        const char *rank = getenv("OMPI_COMM_WORLD_RANK") ? getenv("OMPI_COMM_WORLD_RANK") : getenv("PMI_RANK");
        team.rank = rank ? atoi(rank) : 0; /* so that one of them says it */
        return fail(failure, EXIT_USAGE,
                    "the launcher started %d processes, but each finds itself alone: its MPI is not the one that "
                    "dwconv was built with",
                    expected);
    }
    if (provided < MPI_THREAD_FUNNELED || MPI_Comm_dup(MPI_COMM_WORLD, &comm) != MPI_SUCCESS)
        return fail(failure, EXIT_FAILED, "MPI has no threads beside its own");
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_ARE_FATAL);
    MPI_Comm_rank(comm, &team.rank);
    team.size = size;
    int before;
    team.sharing = count_sharing(&before);
    const int works = before == 0;
    MPI_Scan(&works, &team.worker, 1, MPI_INT, MPI_SUM, comm);
    MPI_Allreduce(&works, &team.workers, 1, MPI_INT, MPI_SUM, comm);
    team.worker = works ? team.worker - 1 : -1;
    return EXIT_DONE;
}

void team_finish(void) {
    if (!team.started)
        return;
    int64_t nothing = 0;
    team_sum(&nothing, 1); /* asleep; MPI_Finalize waits awake */
    MPI_Finalize();
    team.started = 0;
}

#else

int team_start(cli_failure *failure) {
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");
    if (size && atoi(size) > 1)
        return fail(failure, EXIT_USAGE, "mpirun started %s processes, but this dwconv was built without MPI", size);
    return EXIT_DONE;
}

void team_finish(void) {
}

int team_agree(cli_failure *failure) {
    return failure->code;
}

void team_share(void *data, size_t bytes) {
    (void)data, (void)bytes;
}

void team_sum(int64_t *values, int count) {
    (void)values, (void)count;
}

void team_min(int64_t *values, int count) {
    (void)values, (void)count;
}

void team_max(double *values, int count) {
    (void)values, (void)count;
}

void team_call_off(int reason) {
    (void)reason;
}

int team_called_off(void) {
    return 0;
}

void team_settle(void) {
}
#endif
