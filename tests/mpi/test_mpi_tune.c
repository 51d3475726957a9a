/* SPDX-License-Identifier: Apache-2.0 */
/* Collective tuning: ranks with cores of their own tune at the same time, ranks that share them leave it to the first;
 * afterwards all have the same results and records, and plan by them. No time is judged. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "dwconv_expert.h"
#include "ranks.h"

static const char *const texts[] = {"f32:nhwc:n2:8x8x16:k3x3", "f32:nchw:n2:8x8x4:k3x3", "f16:nhwc:n1:6x6x8:k5x5",
                                    "f64:nhwc:n2:8x8x3:k3x3:s2"};
enum { PROBLEMS = sizeof texts / sizeof *texts };

typedef struct bench {
    dwc_wisdom *wisdom;
    dwc_mpi_context *context;
    dwc_problem problems[PROBLEMS];
    dwc_tune_result results[PROBLEMS];
} bench;

static int64_t rounds; /* of races on this rank */

static int count_round(void *user, double done) {
    (void)user;
    (void)done;
    rounds++;
    return 0;
}

static void open_bench(bench *b) {
    dwc_context_options local;
    dwc_error error;
    dwc_context_options_init(&local);
    dwt_ok(dwc_wisdom_create(&b->wisdom, &error), &error, "dwc_wisdom_create");
    local.wisdom = b->wisdom;
    local.threads = 1;
    dwt_ok(dwc_mpi_context_create(MPI_COMM_WORLD, &local, NULL, &b->context, &error), &error, "dwc_mpi_context_create");
    for (int i = 0; i < PROBLEMS; i++)
        b->problems[i] = dwt_problem(texts[i]);
    rounds = 0;
}

static void close_bench(bench *b) {
    dwc_mpi_context_destroy(b->context);
    dwc_wisdom_destroy(b->wisdom);
}

static dwc_status tune(bench *b, dwc_error *error) {
    dwc_tune_options options;
    dwc_tune_options_init(&options);
    options.budget_s = 0.2;
    options.progress = count_round;
    return dwc_mpi_tune(b->context, b->wisdom, b->problems, PROBLEMS, NULL, &options, b->results, error);
}

/* Everything in the wisdom, as one number. */
static uint64_t hash_of_records(const dwc_wisdom *wisdom) {
    char all[1 << 16] = "";
    size_t length = 0;
    for (int64_t i = 0; i < dwc_wisdom_count(wisdom); i++) {
        dwc_record record;
        dwt_ok(dwc_expert_record_get(wisdom, i, &record, NULL), NULL, "dwc_expert_record_get");
        for (int e = 0; e < record.count && length < sizeof all - 1024; e++)
            length += (size_t)snprintf(all + length, sizeof all - length, "%s %s %s %s %d %a\n", record.key,
                                       record.machine, record.entries[e].algo, record.entries[e].params,
                                       record.entries[e].rounds, record.entries[e].ratio);
        dwc_expert_record_free(&record);
    }
    return dwt_hash(all, length);
}

static void check_same(const bench *b) {
    assert_int_equal(dwc_wisdom_count(b->wisdom), PROBLEMS);
    dwt_ranks_same((int64_t)(hash_of_records(b->wisdom) >> 8), "records");
    for (int i = 0; i < PROBLEMS; i++) {
        const dwc_tune_result *r = &b->results[i];
        dwc_plan *plan;
        dwc_plan_info info;
        dwc_error error;
        assert_string_equal(r->source, "measured");
        dwt_ranks_same((int64_t)(dwt_hash(r->params, strlen(r->params)) >> 8), "params");
        dwt_ranks_same((int64_t)(r->median_s * 1e12), "median");
        dwt_ok(dwc_plan_create(dwc_mpi_context_local(b->context), &b->problems[i], NULL, &plan, &error), &error,
               "plan");
        dwc_plan_get_info(plan, &info);
        assert_string_equal(info.source, "record");
        assert_string_equal(info.params, r->params);
        dwc_plan_destroy(plan);
    }
}

/* All ranks may run on all cores: rank 0 tunes for them. */
static void shared_cores(void **state) {
    (void)state;
    bench b;
    dwc_error error;
    open_bench(&b);
    assert_int_equal(dwc_mpi_context_place(b.context).sharing, dwt_ranks);
    dwt_ok(tune(&b, &error), &error, "dwc_mpi_tune");
    assert_true((rounds > 0) == (dwt_rank == 0));
    check_same(&b);
    close_bench(&b);
}

static int allowed_core(const cpu_set_t *allowed, int index) {
    int core = -1;
    do
        core++;
    while (!CPU_ISSET(core, allowed) || index-- > 0);
    return core;
}

/* Rank 0 has a core of its own, the others share another. */
static void own_cores(void **state) {
    (void)state;
    bench b;
    dwc_error error;
    cpu_set_t allowed, mine;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    if (CPU_COUNT(&allowed) < 2)
        skip();
    CPU_ZERO(&mine);
    CPU_SET(allowed_core(&allowed, dwt_rank > 0), &mine);
    assert_int_equal(sched_setaffinity(0, sizeof mine, &mine), 0);
    open_bench(&b);
    assert_int_equal(dwc_mpi_context_place(b.context).sharing, dwt_rank == 0 || dwt_ranks == 1 ? 1 : dwt_ranks - 1);
    dwt_ok(tune(&b, &error), &error, "dwc_mpi_tune");
    assert_true((rounds > 0) == (dwt_rank < 2));
    check_same(&b);
    close_bench(&b);
    assert_int_equal(sched_setaffinity(0, sizeof allowed, &allowed), 0);
}

/* One problem cannot be tuned: all hear of it and have the records of the others. */
static void one_fails(void **state) {
    (void)state;
    bench b;
    dwc_error error;
    open_bench(&b);
    b.problems[1].n = 0;
    assert_int_equal(tune(&b, &error), DWC_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "no output"));
    assert_int_equal(dwc_wisdom_count(b.wisdom), PROBLEMS - 1);
    assert_string_equal(b.results[1].algo, "");
    assert_string_not_equal(b.results[2].algo, "");
    b.problems[1].n = dwt_rank == dwt_ranks - 1;
    assert_int_equal(tune(&b, &error), dwt_ranks > 1 ? DWC_MISMATCH : DWC_OK);
    close_bench(&b);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(shared_cores), cmocka_unit_test(own_cores),
                                       cmocka_unit_test(one_fails)};
    dwt_ranks_begin(argc, argv);
    return dwt_ranks_run(tests, sizeof tests / sizeof *tests);
}
