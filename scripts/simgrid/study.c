/* SPDX-License-Identifier: Apache-2.0 */
/* The communication code of libdwconv_mpi as it is, on a cluster that SimGrid's SMPI simulates; see ../simgrid.sh.
 *
 *     study root    PROBLEM IMAGE_S LINK_BYTES_PER_S LATENCY_S LOOK_S     data on rank 0: every mode, and resident
 *     study spatial PROBLEM IMAGE_S LINK_BYTES_PER_S LATENCY_S LOOK_S     an image cut into bands: rows exchanged,
 *                                                                         computed
 *
 * All ranks are threads of one process. A plan's execution is replaced by a sleep of the simulated clock, as long as
 * its part of IMAGE_S, which was measured before; large tensors are memory that all ranks share and nobody copies.
 * So times are simulated and outputs are of no meaning. Prints CSV: ranks,mode,simulated_s,predicted_s,note. */
#include "mpi/mpi_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Written by all ranks alike: globals are shared here. */
static double element_s; /* of an output element */

static void fail(const char *what, const char *text) {
    fprintf(stderr, "study: %s: %s\n", what, text);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void must(dwc_status status, const dwc_error *error, const char *what) {
    if (status)
        fail(what, error->message);
}

/* ---- what is replaced -------------------------------------------------------------------------------------------- */

/* In place of dwc_plan_execute, as tests put one there that fails. */
static dwc_status sleep_instead(const dwc_plan *plan, const void *input, const void *packed, const void *bias,
                                void *output, void *workspace, dwc_error *error) {
    dwc_plan_info info;
    (void)input, (void)packed, (void)bias, (void)output, (void)workspace, (void)error;
    dwc_plan_get_info(plan, &info);
    const double seconds = element_s * (double)info.geometry.output_elements;
    const struct timespec time = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    nanosleep(&time, NULL);
    return DWC_OK;
}

/* The linker puts these in the place of MPI's. SMPI says MPI_THREAD_SINGLE, which the library refuses; ranks have one
 * thread here. Its collectives that do not block take P * P messages, those that do take trees, which is what both
 * kinds take in other implementations. */
int __wrap_MPI_Query_thread(int *level);
int __wrap_MPI_Query_thread(int *level) {
    *level = MPI_THREAD_FUNNELED;
    return MPI_SUCCESS;
}

int __wrap_MPI_Iallreduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
                          MPI_Request *request);
int __wrap_MPI_Iallreduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
                          MPI_Request *request) {
    *request = MPI_REQUEST_NULL;
    return MPI_Allreduce(in, out, count, type, op, comm);
}

int __wrap_MPI_Ibcast(void *data, int count, MPI_Datatype type, int from, MPI_Comm comm, MPI_Request *request);
int __wrap_MPI_Ibcast(void *data, int count, MPI_Datatype type, int from, MPI_Comm comm, MPI_Request *request) {
    *request = MPI_REQUEST_NULL;
    return MPI_Bcast(data, count, type, from, comm);
}

int __wrap_MPI_Iallgather(const void *in, int count, MPI_Datatype type, void *out, int out_count, MPI_Datatype out_type,
                          MPI_Comm comm, MPI_Request *request);
int __wrap_MPI_Iallgather(const void *in, int count, MPI_Datatype type, void *out, int out_count, MPI_Datatype out_type,
                          MPI_Comm comm, MPI_Request *request) {
    *request = MPI_REQUEST_NULL;
    return MPI_Allgather(in, count, type, out, out_count, out_type, comm);
}

/* A look takes its time once, for however many requests: that is how Open MPI's MPI_Testsome works, which looks at the
 * network once. SMPI would take it for each request, so its own (smpi/test) is off. */
static double look_s;

static void take_a_look(void) {
    const struct timespec time = {0, (long)(1e9 * look_s)};
    nanosleep(&time, NULL);
}

/* SMPI never finds a null request done. */
int __real_MPI_Test(MPI_Request *request, int *done, MPI_Status *status);
int __wrap_MPI_Test(MPI_Request *request, int *done, MPI_Status *status);
int __wrap_MPI_Test(MPI_Request *request, int *done, MPI_Status *status) {
    *done = *request == MPI_REQUEST_NULL;
    if (*done)
        return MPI_SUCCESS;
    take_a_look();
    return __real_MPI_Test(request, done, status);
}

int __wrap_MPI_Testsome(int count, MPI_Request *requests, int *done, int *ended, MPI_Status *statuses);
int __wrap_MPI_Testsome(int count, MPI_Request *requests, int *done, int *ended, MPI_Status *statuses) {
    int code = MPI_SUCCESS;
    *done = 0;
    take_a_look();
    for (int i = 0; i < count && code == MPI_SUCCESS; i++) {
        int through = 0;
        code = __real_MPI_Test(&requests[i], &through, &statuses[*done]);
        if (through)
            ended[(*done)++] = i;
    }
    return code;
}

/* Memory: tensors are SMPI's shared blocks, everything smaller is real. */
enum { SHARED_FROM = 256 << 10, SHARED_MOST = 1 << 14 };
static void *shared[SHARED_MOST];
static int shared_count;

static void *get(void *user, size_t alignment, size_t bytes) {
    (void)user;
    if (bytes < SHARED_FROM)
        return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    return shared_count < SHARED_MOST ? shared[shared_count++] = SMPI_SHARED_MALLOC(bytes) : NULL;
}

static void put_back(void *user, void *pointer) {
    (void)user;
    for (int i = shared_count - 1; i >= 0; i--)
        if (shared[i] == pointer) {
            shared[i] = shared[--shared_count];
            SMPI_SHARED_FREE(pointer);
            return;
        }
    free(pointer);
}

/* ---- a study ----------------------------------------------------------------------------------------------------- */

typedef struct study {
    dwc_mpi_context *context;
    const dwc_context *local;
    int rank, ranks;
    dwc_problem problem;
    dwc_geometry geometry;
    dwc_mpi_constants k;
} study;

static void *tensor(const study *s, int64_t elements) {
    void *memory = dwc_allocate(s->local, (size_t)elements * s->geometry.element_bytes);
    if (!memory)
        fail("memory", "too little");
    return memory;
}

static void row(const study *s, const char *mode, double simulated, double predicted, const char *note) {
    if (s->rank == 0)
        printf("%d,%s,%.9g,%.9g,%s\n", s->ranks, mode, simulated, predicted, note);
}

static dwc_mpi_plan *plan_of(const study *s, dwc_mpi_split split) {
    dwc_mpi_plan *plan;
    dwc_error error;
    must(dwc_mpi_plan_create(s->context, &s->problem, NULL, split, &plan, &error), &error, "plan");
    return plan;
}

/* Seconds of dwc_mpi_plan_execute from a barrier on, of the slowest rank. */
static double execute(const study *s, const dwc_mpi_plan *plan) {
    dwc_mpi_plan_info info;
    dwc_mpi_part part;
    dwc_error error;
    dwc_mpi_plan_get_info(plan, &info);
    must(dwc_mpi_plan_part(plan, s->rank, &part, &error), &error, "part");
    void *input = tensor(s, part.input_elements), *output = tensor(s, part.output_elements);
    MPI_Barrier(MPI_COMM_WORLD);
    double seconds = -MPI_Wtime();
    must(dwc_mpi_plan_execute(plan, input, NULL, NULL, output, NULL, &error), &error, "execute");
    seconds += MPI_Wtime();
    MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    dwc_release(s->local, input);
    dwc_release(s->local, output);
    return seconds;
}

/* ---- data on rank 0 ---------------------------------------------------------------------------------------------- */

/* What dwc_mpi_measure finds in the simulated cluster. */
static void measured(const study *s, const dwc_mpi_plan *plan) {
    dwc_mpi_constants found = {
        .image_s = s->k.image_s, .shared_image_s = s->k.image_s, .fresh_bytes_per_s = 1e12, .moving_s_per_byte = 1};
    dwc_error error;
    must(dwc_mpi_measure(plan, &found, &error), &error, "measure");
    row(s, "latency", found.latency_s, s->k.latency_s, "dwc_mpi_measure beside the description");
    row(s, "link", found.link_bytes_per_s, s->k.link_bytes_per_s, "bytes per second; the same");
}

enum { MEASURED_MOST = 16 }; /* it fills memory on every rank, which takes its time here */

static void root(const study *s) {
    dwc_mpi_prediction p;
    dwc_error error;
    char note[96];
    dwc_mpi_plan *plan = plan_of(s, DWC_MPI_SPLIT_BATCH);
    must(dwc_mpi_predict(&s->problem, &s->k, &p, &error), &error, "predict");
    const double predicted[] = {0, p.alone_s, p.phased_s, p.pipelined_s};
    if (s->ranks <= MEASURED_MOST)
        measured(s, plan);
    row(s, "resident", execute(s, plan), p.resident_s, "");
    const int mine = s->rank == 0;
    void *input = mine ? tensor(s, s->geometry.input_elements) : NULL;
    void *output = mine ? tensor(s, s->geometry.output_elements) : NULL;
    void *filter = mine ? calloc((size_t)s->geometry.filter_elements, s->geometry.element_bytes) : NULL;
    for (int mode = DWC_MPI_MODE_ALONE; mode <= DWC_MPI_MODE_PIPELINED; mode++) {
        dwc_mpi_report report;
        must(dwc_mpi_plan_execute_root(plan, 0, (dwc_mpi_mode)mode, NULL, input, filter, NULL, output, &report, &error),
             &error, "execute_root");
        snprintf(note, sizeof note, "%" PRId64 " pieces; %" PRId64 " by the root%s", report.chunks, report.root_chunks,
                 p.best == report.mode ? "; predicted best" : "");
        row(s, dwc_mpi_mode_name(report.mode), report.seconds, predicted[mode], note);
    }
    free(filter);
    dwc_release(s->local, input);
    dwc_release(s->local, output);
    dwc_mpi_plan_destroy(plan);
}

/* ---- one image in bands ------------------------------------------------------------------------------------------ */

/* Largest number of bytes that a rank receives, or sends, in an exchange, and of messages. */
typedef struct halo {
    int64_t bytes, messages;
} halo;

static halo halo_of(const dwc_mpi_plan *plan) {
    const dwci_mpi_partition *p = &plan->partition;
    int64_t bytes[2] = {0, 0}, messages[2] = {0, 0};
    for (int i = 0; i < plan->edge_count; i++) {
        const dwci_mpi_edge *e = &plan->edges[i];
        bytes[e->sending] +=
            plan->part.images * e->rows.rows * p->problem.w * p->problem.c * (int64_t)p->geometry.element_bytes;
        messages[e->sending]++;
    }
    int64_t most[] = {bytes[0] > bytes[1] ? bytes[0] : bytes[1], messages[0] > messages[1] ? messages[0] : messages[1]};
    MPI_Allreduce(MPI_IN_PLACE, most, 2, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD);
    return (halo){most[0], most[1]};
}

static void spatial(const study *s) {
    char note[96];
    dwc_mpi_plan *plan = plan_of(s, DWC_MPI_SPLIT_SPATIAL);
    const halo most = halo_of(plan);
    const double work = execute(s, plan);
    int64_t elements = plan->part.output_elements;
    MPI_Allreduce(MPI_IN_PLACE, &elements, 1, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD);
    const double kernel = element_s * (double)elements;
    snprintf(note, sizeof note, "%" PRId64 " bytes in %" PRId64 " messages; kernel %.9g", most.bytes, most.messages,
             kernel);
    row(s, "spatial", work, (double)most.bytes / s->k.link_bytes_per_s + s->k.latency_s + kernel, note);
    dwc_mpi_plan_destroy(plan);
}

/* ---- main -------------------------------------------------------------------------------------------------------- */

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    study s = {.rank = 0};
    dwc_context_options local;
    dwc_error error;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &s.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &s.ranks);
    if (argc != 7)
        fail("usage", "study root|spatial PROBLEM IMAGE_S LINK_BYTES_PER_S LATENCY_S LOOK_S");
    must(dwc_problem_parse(argv[2], &s.problem, &error), &error, "problem");
    must(dwc_problem_geometry(&s.problem, &s.geometry, &error), &error, "problem");
    const double image_s = atof(argv[3]);
    s.k = (dwc_mpi_constants){s.ranks, s.ranks, image_s, image_s, atof(argv[4]), atof(argv[5]), 0, 0, 0};
    look_s = atof(argv[6]);
    element_s = image_s * (double)s.problem.n / (double)s.geometry.output_elements;
    dwc_context_options_init(&local);
    local.threads = 1;
    local.topology = "numa:1 core:2 pu:1";
    local.allocator = (dwc_allocator){get, put_back, NULL};
    must(dwc_mpi_context_create(MPI_COMM_WORLD, &local, NULL, &s.context, &error), &error, "context");
    s.context->execute = sleep_instead;
    s.local = dwc_mpi_context_local(s.context);
    if (strcmp(argv[1], "root") == 0)
        root(&s);
    else
        spatial(&s);
    dwc_mpi_context_destroy(s.context);
    MPI_Finalize();
    return 0;
}
