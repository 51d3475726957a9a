/* SPDX-License-Identifier: Apache-2.0 */
/* Executions before those that are timed: many where lines lie as another kind of stores left them, else one. */
#include "bench.h"
#include "core/plan.h"
#include "core/registry.h"
#include "tune/contest.h"
#include "tune/limits.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int runs;
static double pause_s, next_to_last; /* of the next execution; its change from one to the next, */
static const double least_s = 1e-4;  /* down to this */

static void counted_run(const dwci_solution *s, const dwci_tensors *t) {
    (void)s, (void)t;
    const double end = dwct_seconds() + pause_s;
    while (dwct_seconds() < end)
        ;
    pause_s = fmax(pause_s * next_to_last, least_s);
    runs++;
}

/* Executions that take so long, each so many times as long as the one before. */
static int settle_as(dwct_workload *w, const dwct_runner *r, double seconds, double change) {
    runs = 0;
    pause_s = seconds;
    next_to_last = change;
    dwct_settle(w, r, 0);
    return runs;
}

static int settle(dwct_workload *w, const dwct_runner *r) {
    return settle_as(w, r, least_s, 1);
}

/* A quarter more than the second cache: little enough for several places, of caches up to 6 MiB. */
static dwc_problem large_problem(const bench *b) {
    const int64_t l2 = dwc_context_machine(b->context)->l2_bytes;
    char text[DWC_PROBLEM_TEXT_MAX];
    snprintf(text, sizeof text, "f32:nhwc:n1:%dx256x64:k3x3", (int)((l2 ? l2 : 1 << 20) * 5 / 8 / (256 * 64 * 4)));
    return dwt_problem(text);
}

/* A plan whose outputs go past the caches or not, run by another function. */
static dwc_plan *plan_of(const bench *b, const dwc_problem *problem, int past, const dwci_algo *algo) {
    dwc_plan_options options;
    dwc_plan *plan;
    dwc_error error;
    dwc_plan_options_init(&options);
    options.algo = "direct";
    options.params = past ? "rows=4,columns=2,block=0,stage=0,prefetch=0,nontemporal=1"
                          : "rows=4,columns=2,block=0,stage=0,prefetch=0,nontemporal=0";
    dwt_ok(dwc_plan_create(b->context, problem, &options, &plan, &error), &error, "plan");
    plan->algo = algo;
    return plan;
}

static void test_settle(void **state) {
    (void)state;
    bench b = open_bench_with(DWC_ISA_BEST);
    const dwc_problem problem = large_problem(&b);
    dwc_plan *plans[2];
    dwct_runner runners[2];
    dwct_workload w;
    dwc_error error;
    dwci_algo counted = *dwci_algo_find("direct");
    counted.run = counted_run;
    for (int past = 0; past < 2; past++)
        plans[past] = plan_of(&b, &problem, past, &counted);
    dwt_ok(dwct_workload_create(&w, b.context, plans[0], 0, DWCT_PLACES, 1, &error), &error, "workload");
    assert_true(w.settles && w.outgrows);
    for (int past = 0; past < 2; past++) {
        dwt_ok(dwct_runner_create(&runners[past], &w, plans[past], &error), &error, "runner");
        dwt_ok(dwct_execute_first(&w, &runners[past], 0, &error), &error, "first");
        runners[past].first_s = 1e-6; /* not so long that it need not settle */
        runners[past].executions = 1;
    }
    const dwct_runner *in = &runners[0], *past = &runners[1];
    assert_true(settle(&w, past) >= DWCT_SETTLING); /* one execution settles nothing */
    assert_int_equal(settle(&w, past), 1);
    assert_true(settle(&w, in) >= DWCT_SETTLING);
    assert_int_equal(settle(&w, in), 1);
    dwct_window(&w, past, 0);
    assert_true(settle(&w, in) >= DWCT_SETTLING);
    dwct_disturbed(&w);
    assert_true(settle_as(&w, in, 2e-3, 0.98) > 2 * DWCT_SETTLING); /* gains little at a time, but it does */
    dwct_disturbed(&w);
    assert_true(settle_as(&w, in, 1e-3, 0.5) <= 3 * DWCT_SETTLING); /* soon gains no more */
    dwct_disturbed(&w);
    assert_true(settle_as(&w, in, 30e-3, 0.9) <= 5); /* takes too long */

    if (w.copies > 1) { /* each place by itself */
        dwct_next_copy(&w);
        assert_true(settle(&w, past) >= DWCT_SETTLING);
        while (w.next_copy != 0)
            dwct_next_copy(&w);
        assert_int_equal(settle(&w, in), 1);
    }
    for (int i = 0; i < 2; i++) {
        dwct_runner_release(&runners[i], &w);
        dwc_plan_destroy(plans[i]);
    }
    dwct_workload_release(&w);
    close_bench(&b);
}

/* What fits is settled by the execution that begins a window. */
static void test_small(void **state) {
    (void)state;
    bench b = open_bench_with(DWC_ISA_BEST);
    const dwc_problem problem = dwt_problem("f32:nhwc:n1:8x8x16:k3x3");
    dwc_plan *plan;
    dwct_runner runner;
    dwct_workload w;
    dwc_error error;
    dwt_ok(dwc_plan_create(b.context, &problem, NULL, &plan, &error), &error, "plan");
    dwt_ok(dwct_workload_create(&w, b.context, plan, 0, DWCT_PLACES, 1, &error), &error, "workload");
    dwt_ok(dwct_runner_create(&runner, &w, plan, &error), &error, "runner");
    dwt_ok(dwct_execute_first(&w, &runner, 0, &error), &error, "first");
    dwci_algo counted = *plan->algo;
    counted.run = counted_run;
    plan->algo = &counted;
    runner.executions = 5;
    runs = 0;
    pause_s = 0;
    dwct_settle(&w, &runner, 0);
    assert_int_equal(runs, 0);
    dwct_window(&w, &runner, 0);
    assert_int_equal(runs, 6);
    dwct_runner_release(&runner, &w);
    dwc_plan_destroy(plan);
    dwct_workload_release(&w);
    close_bench(&b);
}

static int last_kind, changes, executions;

/* All take as long, so that all race. */
static void run_noted(int kind, const dwci_solution *s, const dwci_tensors *t) {
    const double end = dwct_seconds() + 2e-3;
    executions++;
    changes += kind != last_kind;
    last_kind = kind;
    dwci_algo_find("direct")->run(s, t);
    while (dwct_seconds() < end)
        ;
}

static void run_in(const dwci_solution *s, const dwci_tensors *t) {
    run_noted(0, s, t);
}

static void run_past(const dwci_solution *s, const dwci_tensors *t) {
    run_noted(1, s, t);
}

/* Candidates of a kind run one after the other. */
static void test_kinds_together(void **state) {
    (void)state;
    enum { CANDIDATES = 6 };
    bench b = open_bench_with(DWC_ISA_BEST);
    const dwc_problem problem = large_problem(&b);
    dwct_contest *c = dwc_allocate(b.context, sizeof *c);
    dwc_error error;
    memset(c, 0, sizeof *c);
    c->context = b.context;
    c->rounds = 7;
    c->search.count = CANDIDATES;
    c->search.model_choice = -1;
    dwci_algo algos[2] = {*dwci_algo_find("direct"), *dwci_algo_find("direct")};
    algos[0].run = run_in;
    algos[1].run = run_past;
    for (int i = 0; i < CANDIDATES; i++)
        c->search.list[i].plan = plan_of(&b, &problem, i % 2, &algos[i % 2]);
    changes = executions = 0;
    dwt_ok(dwct_contest_hold(c, &error), &error, "contest");
    assert_true(executions > CANDIDATES * 2);
    assert_true(changes <= CANDIDATES + 4 + 3 * (c->outcome.rounds + 1)); /* outputs, qualification, race */
    dwct_contest_release(c);
    dwc_release(b.context, c);
    close_bench(&b);
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settle),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_kinds_together),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failed;
}
