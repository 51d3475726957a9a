/* SPDX-License-Identifier: Apache-2.0 */
/* A look at the launcher, the nodes, the cores and the transport; see doctor.h. */
#include "doctor.h"

#include "team.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef DWC_HAVE_MPI
#include "dwconv_mpi.h"

/* A message of this problem's size is all that is wanted of it. */
static const char link_problem[] = "f32:nhwc:n1:64x64x64:k1x1";

/* Link and latency, with the other constants given so that nothing else is measured. */
static int measure_link(dwc_mpi_context *context, dwc_mpi_constants *constants, cli_failure *failure) {
    dwc_problem problem;
    dwc_mpi_plan *plan;
    dwc_error error;
    *constants = (dwc_mpi_constants){
        .image_s = 1, .shared_image_s = 1, .fresh_bytes_per_s = 1, .file_bytes_per_s = 1, .moving_s_per_byte = 1};
    if (dwc_problem_parse(link_problem, &problem, &error) ||
        dwc_mpi_plan_create(context, &problem, NULL, DWC_MPI_SPLIT_BATCH, &plan, &error))
        return fail_library(failure, "mpi", &error);
    if (dwc_mpi_measure(plan, constants, &error))
        fail_library(failure, "mpi", &error);
    dwc_mpi_plan_destroy(plan);
    return failure->code;
}

/* ---- the directory ----------------------------------------------------------------------------------------------- */

typedef struct probe {
    char name[64];
    int64_t mark;
} probe;

static int write_probe(const char *path, const probe *p, cli_failure *failure) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_file(failure, path, "write", errno);
    if (write(fd, &p->mark, sizeof p->mark) != (ssize_t)sizeof p->mark || fsync(fd))
        fail_file(failure, path, "write", errno);
    close(fd);
    return failure->code;
}

static int read_probe(const char *path, const probe *p, cli_failure *failure) {
    int64_t found = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_file(failure, path, "open", errno);
    if (read(fd, &found, sizeof found) != (ssize_t)sizeof found || found != p->mark)
        fail(failure, EXIT_FAILED, "%s: is another file than rank 0's", path);
    close(fd);
    return failure->code;
}

/* Rank 0 writes a file, the others look for it. What is wrong, or "seen by all ranks". */
static void probe_directory(const char *directory, char *result, size_t size) {
    struct timespec now;
    char path[4096];
    probe p = {.mark = 0};
    cli_failure missing = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    p.mark = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    snprintf(p.name, sizeof p.name, ".dwconv-probe-%lld-%d", (long long)p.mark, (int)getpid());
    team_share(&p, sizeof p);
    snprintf(path, sizeof path, "%s/%s", directory, p.name);
    if (team_rank() == 0)
        write_probe(path, &p, &missing);
    if (!team_agree(&missing)) {
        read_probe(path, &p, &missing);
        team_agree(&missing);
    }
    if (team_rank() == 0)
        unlink(path);
    snprintf(result, size, "%s", missing.code ? missing.text : "seen by all ranks");
}

/* ---- advice ------------------------------------------------------------------------------------------------------ */

static void advise(json_t *advice, const char *text) {
    json_array_append_new(advice, json_string(text));
}

static void give_advice(json_t *advice, const dwc_context *context, const dwc_mpi_place *place, const char *library) {
    const dwc_machine *machine = dwc_context_machine(context);
    char text[300];
    if (place->sharing > machine->usable_cores) {
        snprintf(text, sizeof text, "%d ranks share %d cores: start fewer ranks", place->sharing,
                 machine->usable_cores);
        advise(advice, text);
    }
    if (place->size == place->nodes && machine->usable_cores < machine->cores) {
        snprintf(text, sizeof text, "the only rank of a node may run on %d of its %d cores: mpirun --bind-to none",
                 machine->usable_cores, machine->cores);
        advise(advice, text);
    }
    if (place->nodes > 1 && strstr(library, "Debian") && !getenv("OMPI_MCA_pml"))
        advise(advice, "Debian's Open MPI speaks TCP between nodes unless told otherwise: mpirun --mca pml ucx");
    if (place->mixed)
        advise(advice, "the nodes' CPUs differ: plans keep to what rounds alike on all");
}

/* Under a launcher: the ranks and what connects them. */
static void describe_ranks(json_t *object, const dwc_context *context, const char *library, cli_failure *failure) {
    dwc_mpi_context *mpi;
    dwc_mpi_constants link;
    dwc_error error;
    if (dwc_mpi_context_create(MPI_COMM_WORLD, NULL, NULL, &mpi, &error)) {
        fail_library(failure, "mpi", &error);
        return;
    }
    const dwc_mpi_place place = dwc_mpi_context_place(mpi);
    if (!measure_link(mpi, &link, failure)) {
        json_t *advice = json_array();
        give_advice(advice, context, &place, library);
        json_t *more = json_pack("{s:i, s:i, s:i, s:i, s:f, s:f, s:o}", "ranks", place.size, "nodes", place.nodes,
                                 "sharing_cores", place.sharing, "threads", place.threads, "link_gbps",
                                 link.link_bytes_per_s * 1e-9, "latency_us", link.latency_s * 1e6, "advice", advice);
        json_object_update(object, more);
        json_decref(more);
    }
    dwc_mpi_context_destroy(mpi);
}

json_t *doctor_describe(const dwc_context *context, const char *shared, cli_failure *failure) {
    char library[MPI_MAX_LIBRARY_VERSION_STRING], seen[sizeof failure->text];
    int length;
    MPI_Get_library_version(library, &length);
    library[strcspn(library, "\n")] = 0;
    json_t *object = json_pack("{s:s, s:s}", "library", library, "launcher", team_launcher());
    if (team_size() > 1)
        describe_ranks(object, context, library, failure);
    if (shared) {
        probe_directory(shared, seen, sizeof seen);
        json_object_set_new(object, "shared", json_string(seen));
    }
    return object;
}

#else

json_t *doctor_describe(const dwc_context *context, const char *shared, cli_failure *failure) {
    (void)context;
    if (shared)
        fail(failure, EXIT_USAGE, "--shared: this dwconv was built without MPI");
    return json_pack("{s:n, s:s}", "library", "launcher", team_launcher());
}
#endif
