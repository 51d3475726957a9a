/* SPDX-License-Identifier: Apache-2.0 */
/* One rank errs, all ranks hear of it: the same status, the same text with the number of the rank, soon.
 *
 *     arguments that differ, field by field · null pointers · allocations that fail, the first, the second, ... of each
 *     rank in turn · kernels that fail, in every mode · CPUs that differ · MPI itself
 *
 * After each of these every message that was sent has been received, and no request is left.
 * Reaches inside for kernels that fail and for MPI's errors. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/agree.h"
#include "mpi/transfer.h"
#include "ranks.h"

static const double soon = 5; /* seconds */

/* All ranks have this status and text, which names the field and once the rank (-1: none). */
static void refused(dwc_status status, const dwc_error *error, dwc_status want, const char *field, int rank,
                    double start) {
    char who[64];
    const double spent = dwt_ranks_seconds() - start;
    snprintf(who, sizeof who, "(rank %d of %d)", rank, dwt_ranks);
    dwt_ranks_same(status, "status");
    if (status != want || error->status != want)
        dwt_fail("%s in place of %s: %s", dwc_status_name(status), dwc_status_name(want), error->message);
    dwt_ranks_same((int64_t)dwt_hash(error->message, strlen(error->message)) >> 8, "text");
    if (strncmp(error->message, field, strlen(field)) != 0)
        dwt_fail("the text is not about %s: %s", field, error->message);
    const char *found = strstr(error->message, " (rank ");
    if (dwt_ranks > 1 && (found == NULL || strcmp(found + 1, who) != 0))
        dwt_fail("the text does not end with %s: %s", who, error->message);
    if (spent > soon)
        dwt_fail("it took %.1f s: %s", spent, error->message);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

/* What this rank began and ended, through the profiling interface of MPI. */
static struct { int64_t sends, receives, collectives, ended; } messages;

int MPI_Isend(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request) {
    messages.sends++;
    return PMPI_Isend(data, count, type, to, tag, comm, request);
}

int MPI_Issend(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request) {
    messages.sends++;
    return PMPI_Issend(data, count, type, to, tag, comm, request);
}

int MPI_Irecv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *request) {
    messages.receives++;
    return PMPI_Irecv(data, count, type, from, tag, comm, request);
}

int MPI_Iallreduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op operation, MPI_Comm comm,
                   MPI_Request *request) {
    messages.collectives++;
    return PMPI_Iallreduce(from, to, count, type, operation, comm, request);
}

int MPI_Ibcast(void *data, int count, MPI_Datatype type, int root, MPI_Comm comm, MPI_Request *request) {
    messages.collectives++;
    return PMPI_Ibcast(data, count, type, root, comm, request);
}

int MPI_Iallgather(const void *from, int send, MPI_Datatype send_type, void *to, int receive, MPI_Datatype type,
                   MPI_Comm comm, MPI_Request *request) {
    messages.collectives++;
    return PMPI_Iallgather(from, send, send_type, to, receive, type, comm, request);
}

int MPI_Test(MPI_Request *request, int *done, MPI_Status *status) {
    const int open = *request != MPI_REQUEST_NULL, code = PMPI_Test(request, done, status);
    messages.ended += open && *done;
    return code;
}

int MPI_Testsome(int count, MPI_Request *requests, int *done, int *ended, MPI_Status *statuses) {
    const int code = PMPI_Testsome(count, requests, done, ended, statuses);
    messages.ended += *done;
    return code;
}

/* Nothing is under way on any rank. */
static void all_received(void) {
    int64_t sum[] = {messages.sends - messages.receives,
                     messages.sends + messages.receives + messages.collectives - messages.ended};
    MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
    if (sum[0] != 0)
        dwt_fail("%" PRId64 " more messages were sent than received", sum[0]);
    if (sum[1] != 0)
        dwt_fail("%" PRId64 " requests are left", sum[1]);
}

static dwc_error fresh(void) {
    return (dwc_error){DWC_OK, ""};
}

/* ---- arguments that differ --------------------------------------------------------------------------------------- */

typedef struct arguments {
    dwc_problem problem;
    dwc_plan_options options;
    dwc_mpi_split split;
} arguments;

/* What the odd rank changes, and the field that the text has to name. */
#define CHANGES(X)                                                                                                     \
    X("n", problem.n = 9)                                                                                              \
    X("h", problem.h = 11)                                                                                             \
    X("w", problem.w = 11)                                                                                             \
    X("c", problem.c = 3)                                                                                              \
    X("kh", problem.kh = 2)                                                                                            \
    X("kw", problem.kw = 2)                                                                                            \
    X("m", problem.m = 2)                                                                                              \
    X("sh", problem.sh = 2)                                                                                            \
    X("sw", problem.sw = 2)                                                                                            \
    X("dh", problem.dh = 2)                                                                                            \
    X("dw", problem.dw = 2)                                                                                            \
    X("dtype", problem.dtype = DWC_F64)                                                                                \
    X("layout", problem.layout = DWC_NCHW)                                                                             \
    X("padding", problem.padding = DWC_VALID)                                                                          \
    X("bias", problem.bias = 1)                                                                                        \
    X("activation", problem.activation = DWC_RELU)                                                                     \
    X("algo", options.algo = "direct")                                                                                 \
    X("numerics", options.numerics = DWC_NUMERICS_DIRECT)                                                              \
    X("max_error", options.max_error = 0.5)                                                                            \
    X("max_workspace", options.max_workspace = 1 << 20)                                                                \
    X("bands", options.bands = 1)                                                                                      \
    X("strict_nonfinite", options.strict_nonfinite = 1)                                                                \
    X("split", split = DWC_MPI_SPLIT_SPATIAL)

enum {
#define COUNT(field, change) +1
    CHANGES_COUNT = 0 CHANGES(COUNT)
#undef COUNT
};

static const char *change(arguments *a, int which) {
    int i = 0;
#define APPLY(field, change)                                                                                           \
    if (i++ == which) {                                                                                                \
        a->change;                                                                                                     \
        return field;                                                                                                  \
    }
    CHANGES(APPLY)
#undef APPLY
    return "";
}

static void plans_differ(void **state) {
    (void)state;
    dwc_mpi_context *context = dwt_ranks_context(DWC_ISA_BEST, 0);
    for (int odd = 1; odd<dwt_ranks; odd += dwt_ranks - 2> 0 ? dwt_ranks - 2 : 1)
        for (int i = 0; i < CHANGES_COUNT; i++) {
            arguments a = {.problem = dwt_problem("f32:nhwc:n8:10x10x4:k3x3")}, b = a;
            dwc_mpi_plan *plan = NULL;
            dwc_error error = fresh();
            const char *field = change(&b, i);
            const arguments *mine = dwt_rank == odd ? &b : &a;
            const double start = dwt_ranks_seconds();
            dwc_status status =
                dwc_mpi_plan_create(context, &mine->problem, &mine->options, mine->split, &plan, &error);
            refused(status, &error, DWC_MISMATCH, field, odd, start);
            assert_null(plan);
        }
    dwc_mpi_context_destroy(context);
}

static void calls_differ(void **state) {
    (void)state;
    dwc_mpi_context *context = dwt_ranks_context(DWC_ISA_BEST, 0), *other = NULL;
    const int odd = dwt_ranks - 1, am_odd = dwt_rank == odd;
    dwc_problem problem = dwt_problem("f32:nhwc:n8:4x4x1:k1x1");
    float whole[128] = {0}, part[128] = {0};
    dwc_mpi_plan *plan;
    dwc_mpi_options options;
    dwc_error error = fresh();
    dwt_ok(dwc_mpi_plan_create(context, &problem, NULL, DWC_MPI_SPLIT_AUTO, &plan, &error), &error, "plan");
    double start = dwt_ranks_seconds();
    refused(am_odd ? dwc_mpi_plan_gather(plan, 0, part, whole, &error)
                   : dwc_mpi_plan_scatter(plan, 0, whole, part, &error),
            &error, DWC_MISMATCH, "call", odd, start);
    start = dwt_ranks_seconds();
    refused(dwc_mpi_plan_scatter(plan, am_odd, whole, part, &error), &error, DWC_MISMATCH, "root", odd, start);
    start = dwt_ranks_seconds();
    refused(dwc_mpi_plan_execute_root(plan, 0, am_odd ? DWC_MPI_MODE_ALONE : DWC_MPI_MODE_AUTO, NULL, whole, whole,
                                      NULL, part, NULL, &error),
            &error, DWC_MISMATCH, "mode", odd, start);
    dwc_mpi_options_init(&options);
    options.message_bytes -= am_odd;
    start = dwt_ranks_seconds();
    refused(dwc_mpi_context_create(MPI_COMM_WORLD, NULL, &options, &other, &error), &error, DWC_MISMATCH,
            "message_bytes", odd, start);
    assert_null(other);
    dwc_mpi_plan_destroy(plan);
    dwc_mpi_context_destroy(context);
}

static void null_pointers(void **state) {
    (void)state;
    dwc_mpi_context *context = dwt_ranks_context(DWC_ISA_BEST, 0);
    dwc_problem problem = dwt_problem("f32:nhwc:n1:32x4x1:k3x3"), bad = problem;
    const int odd = dwt_ranks / 2, am_odd = dwt_rank == odd;
    float whole[128] = {0}, part[128] = {0}, out[128], filter[9] = {0}, packed[1024] = {0};
    dwc_mpi_plan *plan = NULL;
    dwc_error error = fresh();
    double start = dwt_ranks_seconds();
    refused(dwc_mpi_plan_create(context, am_odd ? NULL : &problem, NULL, DWC_MPI_SPLIT_AUTO, &plan, &error), &error,
            DWC_INVALID_ARGUMENT, "problem", odd, start);
    bad.sh = 0;
    refused(dwc_mpi_plan_create(context, am_odd ? &bad : &problem, NULL, DWC_MPI_SPLIT_AUTO, &plan, &error), &error,
            DWC_INVALID_ARGUMENT, "sh", odd, start);
    dwt_ok(dwc_mpi_plan_create(context, &problem, NULL, DWC_MPI_SPLIT_SPATIAL, &plan, &error), &error, "plan");
    refused(dwc_mpi_plan_scatter(plan, 0, whole, am_odd ? NULL : part, &error), &error, DWC_INVALID_ARGUMENT, "input",
            odd, start);
    refused(dwc_mpi_plan_execute(plan, part, packed, NULL, am_odd ? NULL : out, whole, &error), &error,
            DWC_INVALID_ARGUMENT, "output", odd, start);
    refused(dwc_mpi_plan_execute(plan, part, am_odd ? NULL : packed, NULL, out, whole, &error), &error,
            DWC_INVALID_ARGUMENT, "packed filter", odd, start);
    refused(dwc_mpi_plan_execute_root(plan, odd, DWC_MPI_MODE_PHASED, NULL, whole, NULL, NULL, out, NULL, &error),
            &error, DWC_INVALID_ARGUMENT, "filter", odd, start);
    refused(dwc_mpi_plan_execute_root(plan, 0, DWC_MPI_MODE_PIPELINED, NULL, whole, filter, NULL, out, NULL, &error),
            &error, DWC_NOT_APPLICABLE, "mode", 0, start);
    refused(dwc_mpi_plan_gather(plan, dwt_ranks, part, whole, &error), &error, DWC_INVALID_ARGUMENT, "root", 0, start);
    dwc_mpi_plan_destroy(plan);
    dwc_mpi_context_destroy(context);
}

/* ---- a job from context to result -------------------------------------------------------------------------------- */

typedef enum way {
    RESIDENT_BATCH,
    SPATIAL,
    ROOT_ALONE,
    ROOT_PHASED,
    ROOT_PIPELINED,
    ROOT_SPATIAL,
    MEASURE,
    MEASURE_MESSAGES, /* the images are known; kernels run between nodes only */
    WAYS
} way;

typedef struct fault {
    int rank;
    int fail_at; /* the allocation or the execution that fails, from 1; 0: none */
    int seen, live;
} fault;

static fault allocations, executions;

static int strikes(fault *f) {
    return ++f->seen == f->fail_at && dwt_rank == f->rank;
}

static void *faulty_allocate(void *user, size_t alignment, size_t bytes) {
    void *memory = NULL;
    if (strikes(user) || posix_memalign(&memory, alignment, bytes != 0 ? bytes : 1) != 0)
        return NULL;
    ((fault *)user)->live++;
    return memory;
}

static void faulty_release(void *user, void *pointer) {
    ((fault *)user)->live -= pointer != NULL;
    free(pointer);
}

static dwc_status faulty_execute(const dwc_plan *plan, const void *input, const void *packed, const void *bias,
                                 void *output, void *workspace, dwc_error *error) {
    if (strikes(&executions))
        return dwci_mpi_fail(error, DWC_INTERNAL_ERROR, "kernel: it failed");
    return dwc_plan_execute(plan, input, packed, bias, output, workspace, error);
}

/* Memory of the caller in the tests below is large enough for every part. */
static char input[1 << 16], output[1 << 16], packed[1 << 16], workspace[1 << 16];

static int nodes;

static dwc_status run(dwc_mpi_plan *plan, way how, dwc_error *error) {
    static const dwc_mpi_mode modes[] = {[ROOT_ALONE] = DWC_MPI_MODE_ALONE,
                                         [ROOT_PHASED] = DWC_MPI_MODE_PHASED,
                                         [ROOT_PIPELINED] = DWC_MPI_MODE_PIPELINED,
                                         [ROOT_SPATIAL] = DWC_MPI_MODE_PHASED};
    dwc_mpi_constants constants = {0};
    if (how == MEASURE_MESSAGES)
        constants = (dwc_mpi_constants){.image_s = 1e-6, .shared_image_s = 1e-6, .fresh_bytes_per_s = 1e9};
    if (how == MEASURE || how == MEASURE_MESSAGES)
        return dwc_mpi_measure(plan, &constants, error);
    if (how >= ROOT_ALONE)
        return dwc_mpi_plan_execute_root(plan, 0, modes[how], NULL, input, packed, NULL, output, NULL, error);
    return dwc_mpi_plan_execute(plan, input, packed, NULL, output, workspace, error);
}

/* The status of the step that failed. */
static dwc_status job(way how, dwc_error *error) {
    const int spatial = how == SPATIAL || how == ROOT_SPATIAL;
    dwc_problem problem = dwt_problem("f32:nhwc:n48:4x4x4:k3x3");
    dwc_context_options local;
    dwc_mpi_options options;
    dwc_mpi_context *context = NULL;
    dwc_mpi_plan *plan = NULL;
    if (spatial) {
        problem.n = 1;
        problem.h = 64;
    }
    dwc_context_options_init(&local);
    dwc_mpi_options_init(&options);
    local.allocator = (dwc_allocator){faulty_allocate, faulty_release, &allocations};
    local.threads = 1;
    options.chunk_bytes = 512;
    dwc_status status = dwc_mpi_context_create(MPI_COMM_WORLD, &local, &options, &context, error);
    if (status != DWC_OK)
        return status;
    context->execute = faulty_execute;
    nodes = dwc_mpi_context_place(context).nodes;
    status = dwc_mpi_plan_create(context, &problem, NULL, spatial ? DWC_MPI_SPLIT_SPATIAL : DWC_MPI_SPLIT_BATCH, &plan,
                                 error);
    if (status == DWC_OK)
        status = run(plan, how, error);
    dwc_mpi_plan_destroy(plan);
    dwc_mpi_context_destroy(context);
    all_received();
    return status;
}

static void allocations_fail(void **state) {
    (void)state;
    for (int rank = 0; rank < dwt_ranks; rank++)
        for (int how = 0; how < WAYS; how++)
            for (int fail_at = 1, done = 0; !done; fail_at++) {
                dwc_error error = fresh();
                const double start = dwt_ranks_seconds();
                allocations = (fault){.rank = rank, .fail_at = fail_at};
                executions = (fault){0};
                dwc_status status = job((way)how, &error);
                done = status == DWC_OK;
                if (!done)
                    refused(status, &error, DWC_OUT_OF_MEMORY, "", rank, start);
                assert_int_equal(allocations.live, 0);
                dwt_ranks_same(done, "end of the allocations");
                assert_true(fail_at < 1000);
                assert_true(!done || fail_at > 3);
            }
}

static void kernels_fail(void **state) {
    (void)state;
    for (int rank = 0; rank < dwt_ranks; rank++)
        for (int how = 0; how < WAYS; how++)
            for (int fail_at = 1; fail_at <= 3; fail_at += 2) {
                dwc_error error = fresh();
                const double start = dwt_ranks_seconds();
                allocations = (fault){0};
                executions = (fault){.rank = rank, .fail_at = fail_at};
                dwc_status status = job((way)how, &error);
                int64_t hit = dwt_rank == rank && executions.seen >= fail_at;
                MPI_Allreduce(MPI_IN_PLACE, &hit, 1, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD);
                assert_true(hit || fail_at > 1 || (how >= ROOT_ALONE && rank > 0) ||
                            (how == MEASURE_MESSAGES && nodes == 1));
                if (how == RESIDENT_BATCH) /* local: the others do not know */
                    assert_int_equal(status, hit && dwt_rank == rank ? DWC_INTERNAL_ERROR : DWC_OK);
                else if (hit)
                    refused(status, &error, DWC_INTERNAL_ERROR, "kernel", rank, start);
                else
                    dwt_ok(status, &error, "a job without fault");
                assert_int_equal(allocations.live, 0);
            }
}

/* ---- CPUs that differ -------------------------------------------------------------------------------------------- */

static void check_caps(dwc_isa low, dwc_isa high, const char *text) {
    dwc_problem problem = dwt_problem(text);
    dwc_mpi_context *context = dwt_ranks_context(dwt_rank == dwt_ranks - 1 ? low : high, 0);
    const dwc_mpi_place place = dwc_mpi_context_place(context);
    dwc_plan_options named;
    dwc_mpi_plan *plan;
    dwc_mpi_plan_info info;
    dwc_error error = fresh();
    dwt_job job;
    assert_int_equal(place.isa, low);
    assert_int_equal(place.mixed, dwt_ranks > 1 && low != high);
    dwt_ok(dwc_mpi_plan_create(context, &problem, NULL, DWC_MPI_SPLIT_BATCH, &plan, &error), &error, "plan");
    dwc_mpi_plan_get_info(plan, &info);
    if (low < DWC_ISA_AVX2 || strcmp(info.local.algo, "direct") != 0)
        assert_string_equal(info.local.isa, dwc_isa_name(low));
    dwt_job_init(&job, &problem, 3);
    void *whole = dwt_job_run_parts(&job, context, plan, 0);
    if (dwt_rank == 0) {
        info.local.isa = dwc_isa_name(low);
        dwt_job_expect(&job, &info.local);
        if (dwt_hash(whole, job.output_bytes) != dwt_hash(job.output, job.output_bytes))
            dwt_fail("caps %s and %s: other bits than with the lower one", dwc_isa_name(low), dwc_isa_name(high));
    }
    dwc_mpi_plan_destroy(plan);
    if (place.mixed) {
        const double start = dwt_ranks_seconds();
        dwc_plan_options_init(&named);
        named.algo = "im2col_gemm";
        dwc_status status = dwc_mpi_plan_create(context, &problem, &named, DWC_MPI_SPLIT_BATCH, &plan, &error);
        refused(status, &error, DWC_NOT_APPLICABLE, "", 0, start);
    }
    free(whole);
    dwt_job_free(&job);
    dwc_mpi_context_destroy(context);
}

static void caps_differ(void **state) {
    (void)state;
    dwc_isa isas[3];
    const int count = dwt_isas(isas);
    for (int low = 0; low < count; low++)
        for (int high = low; high < count; high++) {
            check_caps(isas[low], isas[high], "f32:nhwc:n9:12x12x16:k3x3");
            check_caps(isas[low], isas[high], "f32:nchw:n9:12x12x3:k5x5");
        }
}

/* ---- many plans, and MPI's own errors ---------------------------------------------------------------------------- */

static void many_plans(void **state) {
    (void)state;
    const int64_t count = dwt_args.count > 0 ? dwt_args.count : 2000;
    dwc_mpi_context *context = dwt_ranks_context(DWC_ISA_BEST, 0);
    dwc_problem problem = dwt_problem("f32:nhwc:n3:4x4x4:k3x3");
    for (int64_t i = 0; i < count; i++) {
        dwc_mpi_plan *plan;
        dwc_error error;
        dwt_ok(dwc_mpi_plan_create(context, &problem, NULL, (dwc_mpi_split)(i % 3), &plan, &error), &error, "plan");
        if (i % 1000 == 999) { /* with whatever tag it has */
            dwt_job job;
            dwt_job_init(&job, &problem, (uint64_t)i);
            free(dwt_job_run_parts(&job, context, plan, 0));
            dwt_job_free(&job);
        }
        dwc_mpi_plan_destroy(plan);
    }
    dwc_mpi_context_destroy(context);
}

/* A message longer than its receiver expects. */
static void mpi_fails(void **state) {
    (void)state;
    dwc_mpi_context *context = dwt_ranks_context(DWC_ISA_BEST, 0);
    dwc_problem problem = dwt_problem("f32:nhwc:n3:4x4x4:k3x3");
    dwc_mpi_plan *plan = NULL;
    dwc_error error = fresh();
    char bytes[16] = {0};
    dwci_mpi_transfer transfer;
    const dwci_mpi_slab slab = dwci_mpi_flat(bytes, dwt_rank == 0 ? 16 : 8);
    if (dwt_rank < 2 && dwt_ranks > 1) {
        dwci_mpi_transfer_start(&transfer, &slab, 1 - dwt_rank, 1, dwt_rank == 0);
        dwc_status status = dwci_mpi_transfer_all(context, &transfer, 1, &error);
        assert_int_equal(status, dwt_rank == 1 ? DWC_MPI_ERROR : DWC_OK);
        if (dwt_rank == 1) {
            assert_non_null(strstr(error.message, "MPI"));
            assert_int_equal(dwc_mpi_plan_create(context, &problem, NULL, DWC_MPI_SPLIT_AUTO, &plan, &error),
                             DWC_MPI_ERROR);
            assert_null(plan);
        }
    }
    context->broken = 1; /* on the others too, which cannot know */
    dwc_mpi_context_destroy(context);
}

int main(int argc, char **argv) {
    const struct CMUnitTest all[] = {cmocka_unit_test(plans_differ),     cmocka_unit_test(calls_differ),
                                     cmocka_unit_test(null_pointers),    cmocka_unit_test(kernels_fail),
                                     cmocka_unit_test(allocations_fail), cmocka_unit_test(caps_differ),
                                     cmocka_unit_test(many_plans),       cmocka_unit_test(mpi_fails)};
    const struct CMUnitTest plans[] = {cmocka_unit_test(many_plans)};
    dwt_ranks_begin(argc, argv);
    return dwt_args.count > 0 ? dwt_ranks_run(plans, 1) : dwt_ranks_run(all, sizeof all / sizeof *all);
}
