/* SPDX-License-Identifier: Apache-2.0 */
/* dwc_tune: what it records, plans that follow the records, limits, threads, budgets; wrong candidates are out. No time
 * is judged. */
#include "bench.h"
#include "core/plan.h"
#include "dwconv_expert.h"
#include "dwconv_tune.h"
#include "harness.h"
#include "tune/contest.h"

#include <stdio.h>
#include <string.h>

static bench open_bench(void) {
    return open_bench_with(DWC_ISA_BEST);
}

static dwc_tune_result tune(const bench *b, const char *text, const dwc_plan_options *limits,
                            const dwc_tune_options *options) {
    const dwc_problem problem = dwt_problem(text);
    dwc_tune_result result;
    dwc_error error;
    dwt_note(&problem, 0, NULL);
    dwt_ok(dwc_tune(b->context, b->wisdom, &problem, limits, options, &result, &error), &error, "tune");
    return result;
}

static dwc_plan_info plan_info(const bench *b, const char *text, const dwc_plan_options *options) {
    const dwc_problem problem = dwt_problem(text);
    dwc_plan *plan;
    dwc_plan_info info;
    dwc_error error;
    dwt_ok(dwc_plan_create(b->context, &problem, options, &plan, &error), &error, "plan");
    dwc_plan_get_info(plan, &info);
    dwc_plan_destroy(plan);
    return info;
}

static dwc_status plan_status(const bench *b, const char *text, const dwc_plan_options *options) {
    const dwc_problem problem = dwt_problem(text);
    dwc_plan *plan;
    dwc_status status = dwc_plan_create(b->context, &problem, options, &plan, NULL);
    if (status == DWC_OK)
        dwc_plan_destroy(plan);
    return status;
}

static dwc_record record_of(const bench *b, const char *text, const dwc_plan_options *limits) {
    const dwc_problem problem = dwt_problem(text);
    char key[DWC_KEY_TEXT_MAX], machine[DWC_MACHINE_TEXT_MAX];
    dwc_record record;
    dwc_error error;
    dwt_ok(dwc_expert_key(b->context, &problem, limits, key, machine, &error), &error, "key");
    dwt_ok(dwc_expert_record_find(b->wisdom, key, machine, &record, &error), &error, "find");
    return record;
}

static const char SMALL[] = "f32:nhwc:n1:9x10x20:k3x3";

/* Without an end in time, so that a slow machine comes to one too. */
static dwc_tune_options thorough(void) {
    dwc_tune_options options;
    dwc_tune_options_init(&options);
    options.effort = DWC_EFFORT_EXHAUSTIVE;
    return options;
}

static void test_record(void **state) {
    (void)state;
    static const char *const texts[] = {SMALL, "f64:nhwc:n1:12x12x8:k5x5:m2", "f16:nchw:n2:8x9x3:k3x3:s2x2",
                                        "bf16:nhwc:n1:7x7x33:k7x7:bias:relu", "f32:nhwc:n1:1x1x1:k1x1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        bench b = open_bench();
        const dwc_tune_options options = thorough();
        const dwc_tune_result result = tune(&b, texts[i], NULL, &options);
        assert_string_equal(result.source, "measured");
        assert_true(result.complete && result.tried >= 1 && result.tried == result.legal);
        assert_true(result.median_s > 0 && result.spent_s > 0 && result.default_ratio > 0);
        assert_int_equal(dwc_wisdom_count(b.wisdom), 1);

        dwc_record r = record_of(&b, texts[i], NULL);
        assert_int_equal(r.effort, DWC_EFFORT_EXHAUSTIVE);
        assert_int_equal(r.count, result.tried);
        assert_string_equal(r.entries[0].algo, result.algo);
        assert_string_equal(r.entries[0].params, result.params);
        assert_true(r.entries[0].ratio == 1 && r.entries[0].rounds == r.rounds && r.entries[0].median_s > 0);
        for (int k = 0; k < r.count; k++) {
            const dwc_record_entry *e = &r.entries[k];
            assert_true(e->rounds > 0 && e->low <= e->ratio && e->ratio <= e->high && e->model_s > 0);
            assert_true(e->revision >= 1 && e->max_err >= 0 && e->max_err < 1e-2);
            assert_true(k < 2 || r.entries[k - 1].ratio <= e->ratio);
        }
        assert_true(strlen(r.host) > 0 && strlen(r.date) == 20 && !strcmp(r.library, dwc_version()));

        const dwc_plan_info info = plan_info(&b, texts[i], NULL);
        assert_string_equal(info.source, "record");
        assert_string_equal(info.algo, result.algo);
        assert_string_equal(info.params, result.params);
        dwc_expert_record_free(&r);
        close_bench(&b);
    }
}

/* Replaces the record of SMALL by one that says what the test wants: these candidates, fastest first. */
typedef struct claim {
    const char *algo, *params;
    int revision;
} claim;

static void put_by(dwc_effort effort, const bench *b, const char *text, const dwc_plan_options *limits,
                   const char *machine, const claim *claims, int count) {
    const dwc_problem problem = dwt_problem(text);
    dwc_record_entry entries[8];
    dwc_record r = {.effort = effort,
                    .complete = 1,
                    .rounds = 31,
                    .tried = count,
                    .legal = count,
                    .images = 1,
                    .default_ratio = 1,
                    .library = "0.1.0",
                    .host = "test",
                    .date = "2026-01-01T00:00:00Z",
                    .entries = entries,
                    .count = count};
    dwc_error error;
    dwt_ok(dwc_expert_key(b->context, &problem, limits, r.key, r.machine, &error), &error, "key");
    if (machine)
        snprintf(r.machine, sizeof r.machine, "%s", machine);
    for (int i = 0; i < count; i++) {
        entries[i] = (dwc_record_entry){.revision = claims[i].revision,
                                        .rounds = 31,
                                        .ratio = 1 + 0.1 * i,
                                        .low = 1 + 0.1 * i,
                                        .high = 1 + 0.1 * i,
                                        .median_s = 1e-5,
                                        .min_s = 1e-5};
        snprintf(entries[i].algo, sizeof entries[i].algo, "%s", claims[i].algo);
        snprintf(entries[i].params, sizeof entries[i].params, "%s", claims[i].params);
    }
    dwt_ok(dwc_expert_record_add(b->wisdom, &r, &error), &error, "add");
}

static void put(const bench *b, const char *text, const dwc_plan_options *limits, const char *machine,
                const claim *claims, int count) {
    put_by(DWC_EFFORT_MEASURE, b, text, limits, machine, claims, count);
}

/* A candidate that the model would not choose. */
static void other_choice(const bench *b, const char *text, char *params) {
    static char texts[64][DWC_PARAMS_TEXT_MAX];
    const dwc_problem problem = dwt_problem(text);
    const dwc_plan_options no_wisdom = {.ignore_wisdom = 1};
    const dwc_plan_info model = plan_info(b, text, &no_wisdom);
    const int count = dwc_expert_candidates(b->context, &problem, &(dwc_plan_options){.algo = "direct"}, texts, 64);
    for (int i = 0; i < count; i++)
        if (strcmp(texts[i], model.params) != 0) {
            strcpy(params, texts[i]);
            return;
        }
    fail_msg("%s has one candidate only", text);
}

static void test_order_of_sources(void **state) {
    (void)state;
    bench b = open_bench();
    char other[DWC_PARAMS_TEXT_MAX];
    const dwc_plan_options wisdom_only = {.effort = DWC_EFFORT_WISDOM}, ignore = {.ignore_wisdom = 1};
    assert_string_equal(plan_info(&b, SMALL, NULL).source, "model");
    assert_string_equal(plan_info(&b, SMALL, NULL).near, "");
    assert_int_equal(plan_status(&b, SMALL, &wisdom_only), DWC_NO_RECORD);
    other_choice(&b, SMALL, other);

    /* another machine's record: near, and not for those who want wisdom */
    const claim wanted = {"direct", other, 1};
    put(&b, SMALL, NULL, "Somebody-1-2-avx2-32K-1M-8M", &wanted, 1);
    assert_string_equal(plan_info(&b, SMALL, NULL).source, "near");
    assert_string_equal(plan_info(&b, SMALL, NULL).near, "machine");
    assert_string_equal(plan_info(&b, SMALL, NULL).params, other);
    assert_int_equal(plan_status(&b, SMALL, &wisdom_only), DWC_NO_RECORD);

    /* an older kernel's record is no better */
    const claim old = {"direct", other, dwc_expert_revision("direct") - 1};
    put(&b, SMALL, NULL, NULL, &old, 1);
    assert_string_equal(plan_info(&b, SMALL, NULL).source, "near");
    assert_string_equal(plan_info(&b, SMALL, NULL).near, "kernel");
    assert_int_equal(plan_status(&b, SMALL, &wisdom_only), DWC_NO_RECORD);

    /* but its winner is better than what lost to it, with kernels that are what they were */
    char loser[1][DWC_PARAMS_TEXT_MAX];
    const dwc_problem small = dwt_problem(SMALL);
    assert_int_equal(dwc_expert_candidates(b.context, &small, &(dwc_plan_options){.algo = "winograd"}, loser, 1), 1);
    const claim mixed[] = {old, {"winograd", loser[0], dwc_expert_revision("winograd")}};
    put(&b, SMALL, NULL, NULL, mixed, 2);
    assert_string_equal(plan_info(&b, SMALL, NULL).algo, "direct");
    assert_string_equal(plan_info(&b, SMALL, NULL).near, "kernel");
    assert_int_equal(plan_status(&b, SMALL, &wisdom_only), DWC_NO_RECORD);

    /* this machine's */
    const claim current = {"direct", other, dwc_expert_revision("direct")};
    put(&b, SMALL, NULL, NULL, &current, 1);
    assert_string_equal(plan_info(&b, SMALL, NULL).source, "record");
    assert_string_equal(plan_info(&b, SMALL, &wisdom_only).params, other);
    assert_string_equal(plan_info(&b, SMALL, &ignore).source, "model");
    /* the batch, resident as well, has the same record; another image does not */
    assert_string_equal(plan_info(&b, "f32:nhwc:n3:9x10x20:k3x3", &wisdom_only).params, other);
    assert_int_equal(plan_status(&b, "f32:nhwc:n100000:9x10x20:k3x3", &wisdom_only), DWC_NO_RECORD);
    assert_int_equal(plan_status(&b, "f32:nhwc:n1:9x10x21:k3x3", &wisdom_only), DWC_NO_RECORD);
    /* explicit choices do not ask */
    assert_string_equal(plan_info(&b, SMALL, &(dwc_plan_options){.algo = "direct"}).source, "explicit");

    const dwc_problem problem = dwt_problem(SMALL);
    dwc_wisdom_forget(b.wisdom, &problem);
    assert_string_equal(plan_info(&b, SMALL, NULL).source, "model");
    close_bench(&b);
}

/* Nonsense in a record is passed over, the next entry counts. */
static void test_entries_that_do_not_fit(void **state) {
    (void)state;
    bench b = open_bench();
    char other[DWC_PARAMS_TEXT_MAX];
    other_choice(&b, SMALL, other);
    const int now = dwc_expert_revision("direct");
    const claim claims[] = {{"no_such", "", 1},
                            {"reference", "", 1},
                            {"direct", "rows=4", now},
                            {"direct", "rows=9999999,columns=1,block=0,stage=0,prefetch=0,nontemporal=0", now},
                            {"direct", other, now}};
    put(&b, SMALL, NULL, NULL, claims, 5);
    assert_string_equal(plan_info(&b, SMALL, NULL).params, other);
    assert_string_equal(plan_info(&b, SMALL, NULL).source, "record");
    put(&b, "f32:nhwc:n1:9x10x24:k3x3", NULL, NULL, claims, 4);
    assert_string_equal(plan_info(&b, "f32:nhwc:n1:9x10x24:k3x3", NULL).source, "model");
    close_bench(&b);
}

static void test_limits(void **state) {
    (void)state;
    static const char text[] = "f32:nhwc:n1:28x28x16:k3x3";
    bench b = open_bench();
    static char params[8][DWC_PARAMS_TEXT_MAX];
    const dwc_problem problem = dwt_problem(text);
    char other[DWC_PARAMS_TEXT_MAX];
    other_choice(&b, text, other);
    assert_true(dwc_expert_candidates(b.context, &problem, &(dwc_plan_options){.algo = "winograd"}, params, 8) > 0);
    const claim claims[] = {{"winograd", params[0], dwc_expert_revision("winograd")},
                            {"direct", other, dwc_expert_revision("direct")}};
    put(&b, text, NULL, NULL, claims, 2);
    const dwc_plan_options none = {.threads = 1}, direct = {.numerics = DWC_NUMERICS_DIRECT},
                           strict = {.strict_nonfinite = 1}, exact = {.max_error = 1e-6}, small = {.max_workspace = 1};
    assert_string_equal(plan_info(&b, text, &none).algo, "winograd");
    const dwc_plan_options *const limited[] = {&direct, &strict, &exact, &small};
    for (int i = 0; i < 4; i++) {
        const dwc_plan_info info = plan_info(&b, text, limited[i]);
        assert_string_equal(info.algo, "direct");
        assert_string_equal(info.params, other);
        assert_string_equal(info.source, "record");
    }
    /* tuned within limits: nothing that breaks them is raced, and the record is the limits' own */
    for (int i = 0; i < 4; i++) {
        tune(&b, text, limited[i], NULL);
        dwc_record r = record_of(&b, text, limited[i]);
        for (int k = 0; k < r.count; k++)
            assert_true(strcmp(r.entries[k].algo, "winograd") != 0 || i == 3);
        for (int k = 0; k < r.count && i == 3; k++)
            assert_int_equal(r.entries[k].workspace_bytes, 0);
        dwc_expert_record_free(&r);
    }
    assert_int_equal(dwc_wisdom_count(b.wisdom), 5);
    close_bench(&b);
}

/* A problem tuned for tensors from memory has a record of its own. */
static void test_cache(void **state) {
    (void)state;
    static const char text[] = "f32:nhwc:n1:14x14x64:k3x3";
    bench b = open_bench();
    const dwc_plan_options cold = {.threads = 1, .cache = DWC_CACHE_COLD}, any = {.threads = 1};
    tune(&b, text, &cold, NULL);
    assert_string_equal(plan_info(&b, text, &cold).source, "record");
    assert_string_equal(plan_info(&b, text, &any).source, "model");
    close_bench(&b);
}

/* Several threads have records of their own, but the numerics of one thread. */
static void test_threads(void **state) {
    (void)state;
    static const char text[] = "f32:nhwc:n1:56x56x64:k3x3";
    bench b = open_bench();
    static char params[8][DWC_PARAMS_TEXT_MAX];
    const dwc_problem problem = dwt_problem(text);
    char other[DWC_PARAMS_TEXT_MAX];
    const dwc_plan_options two = {.threads = 2}, two_only = {.threads = 2, .effort = DWC_EFFORT_WISDOM};
    other_choice(&b, text, other);
    dwc_expert_candidates(b.context, &problem, &(dwc_plan_options){.algo = "winograd"}, params, 8);
    const claim winograd = {"winograd", params[0], dwc_expert_revision("winograd")};
    const claim direct = {"direct", other, dwc_expert_revision("direct")};

    put(&b, text, NULL, NULL, &direct, 1); /* of one thread: not a record for two */
    assert_int_equal(plan_status(&b, text, &two_only), DWC_NO_RECORD);
    assert_string_equal(plan_info(&b, text, &two).source, "near");
    assert_string_equal(plan_info(&b, text, &two).near, "threads");
    const claim both[] = {winograd, direct};
    put(&b, text, &two, NULL, both, 2);
    assert_string_equal(plan_info(&b, text, &two).source, "record");
    assert_string_equal(plan_info(&b, text, &two).algo, "direct");

    /* tuned for two threads: one thread comes first */
    static const char fresh[] = "f32:nhwc:n1:56x56x72:k3x3";
    tune(&b, fresh, &two, NULL);
    assert_int_equal(dwc_wisdom_count(b.wisdom), 4);
    const dwc_plan_info one_info = plan_info(&b, fresh, &(dwc_plan_options){.effort = DWC_EFFORT_WISDOM});
    const dwc_plan_info two_info = plan_info(&b, fresh, &two_only);
    assert_string_equal(one_info.algo, two_info.algo);
    close_bench(&b);
}

static void test_resume(void **state) {
    (void)state;
    bench b = open_bench();
    dwc_tune_options again = thorough();
    again.resume = 1;
    assert_string_equal(tune(&b, SMALL, NULL, &again).source, "measured");
    const dwc_tune_result result = tune(&b, SMALL, NULL, &again);
    assert_string_equal(result.source, "record");
    assert_true(result.median_s > 0);
    again.effort = DWC_EFFORT_MEASURE; /* less than what was done */
    assert_string_equal(tune(&b, SMALL, NULL, &again).source, "record");
    again.resume = 0;
    assert_string_equal(tune(&b, SMALL, NULL, &again).source, "measured");
    assert_int_equal(dwc_wisdom_count(b.wisdom), 1);

    const claim less = {"direct", "", dwc_expert_revision("direct")}; /* by measure: patient races again */
    put(&b, "f32:nhwc:n1:5x5x8:k3x3", NULL, NULL, &less, 1);
    again = thorough();
    again.resume = 1;
    assert_string_equal(tune(&b, "f32:nhwc:n1:5x5x8:k3x3", NULL, &again).source, "measured");
    close_bench(&b);
}

/* New kernels: only theirs and the best of the others race again, the rest of the record stays. */
static void test_changed_kernels(void **state) {
    (void)state;
    bench b = open_bench();
    static char params[64][DWC_PARAMS_TEXT_MAX];
    const dwc_problem problem = dwt_problem(SMALL);
    const int now = dwc_expert_revision("direct");
    assert_true(dwc_expert_candidates(b.context, &problem, &(dwc_plan_options){.algo = "direct"}, params, 64) >= 4);
    const claim claims[] = {{"direct", params[0], now}, {"direct", params[3], now}, {"direct", params[6], now - 1}};
    put_by(DWC_EFFORT_EXHAUSTIVE, &b, SMALL, NULL, NULL, claims, 3);
    dwc_tune_options again = thorough(); /* a race that runs out of time would not replace the record */
    again.resume = 1;
    const dwc_tune_result result = tune(&b, SMALL, NULL, &again);
    assert_string_equal(result.source, "measured");
    assert_int_equal(result.tried, 2);
    assert_true(strcmp(result.params, params[3]) != 0);
    dwc_record r = record_of(&b, SMALL, NULL);
    assert_int_equal(r.count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(r.entries[i].revision, now);
    dwc_expert_record_free(&r);
    close_bench(&b);
}

static void test_budget(void **state) {
    (void)state;
    bench b = open_bench();
    dwc_tune_options options;
    dwc_tune_options_init(&options);
    options.budget_s = 1e-9;
    dwc_tune_result result = tune(&b, SMALL, NULL, &options);
    assert_string_equal(result.source, "model");
    assert_true(strlen(result.algo) > 0 && result.median_s == 0);
    assert_int_equal(dwc_wisdom_count(b.wisdom), 0);
    const dwc_problem problem = dwt_problem(SMALL);
    options.strict = 1;
    assert_int_equal(dwc_tune(b.context, b.wisdom, &problem, NULL, &options, &result, NULL), DWC_NO_RECORD);
    options.strict = 0;
    options.budget_s = 60;
    result = tune(&b, SMALL, NULL, &options);
    assert_string_equal(result.source, "measured");
    close_bench(&b);
}

static int stop_at_once(void *user, double done) {
    ++*(int *)user;
    return done >= 0;
}

static void test_stop(void **state) {
    (void)state;
    bench b = open_bench();
    int calls = 0;
    dwc_tune_options options = thorough();
    options.progress = stop_at_once;
    options.user = &calls;
    const dwc_problem problem = dwt_problem(SMALL);
    dwc_tune_result result;
    dwc_error error;
    assert_int_equal(dwc_tune(b.context, b.wisdom, &problem, NULL, &options, &result, &error), DWC_STOPPED);
    assert_int_equal(calls, 1);
    assert_int_equal(dwc_wisdom_count(b.wisdom), 0);
    close_bench(&b);
}

static void test_plan(void **state) {
    (void)state;
    bench b = open_bench();
    const dwc_problem problem = dwt_problem(SMALL);
    const dwc_plan_options bands = {.bands = 1};
    dwc_plan *plan;
    dwc_plan_info info;
    for (int i = 0; i < 3; i++) { /* raced; recorded; recorded without limits, wanted with some */
        dwc_error error;
        const dwc_tune_options options = thorough();
        dwt_ok(dwc_tune_plan(b.context, b.wisdom, &problem, i < 2 ? NULL : &bands, &options, &plan, &error), &error,
               "plan");
        dwc_plan_get_info(plan, &info);
        assert_string_equal(info.source, i == 0 ? "measured" : "record");
        dwc_plan_destroy(plan);
    }
    assert_int_equal(dwc_wisdom_count(b.wisdom), 1);
    close_bench(&b);
}

/* A candidate whose output is wrong does not race, however fast. */
static void wrong_run(const dwci_solution *s, const dwci_tensors *t) {
    (void)s;
    memset(t->output, 0x3f, 64);
}

/* What it leaves is the output of the one before. */
static void idle_run(const dwci_solution *s, const dwci_tensors *t) {
    (void)s, (void)t;
}

static void test_wrong_is_out(void **state) {
    (void)state;
    bench b = open_bench();
    const dwc_problem problem = dwt_problem(SMALL);
    const dwc_plan_options limits = {.threads = 1, .numerics = DWC_NUMERICS_DIRECT};
    const dwct_search_request request = {
        .context = b.context, .problem = &problem, .raced = &problem, .options = &limits, .most = 5};
    dwct_contest *c = dwc_allocate(b.context, sizeof *c);
    dwc_error error;
    for (int all = 0; all < 2; all++) {
        memset(c, 0, sizeof *c);
        c->context = b.context;
        c->rounds = 31;
        dwt_ok(dwct_search_find(&request, &c->search, &error), &error, "search");
        assert_int_equal(c->search.count, 5);
        dwci_algo wrong = *c->search.list[0].plan->algo, idle = wrong;
        wrong.run = wrong_run;
        idle.run = idle_run;
        for (int i = 0; i < 5; i++)
            if (all || i == 0 || i == 3)
                c->search.list[i].plan->algo = i == 3 ? &idle : &wrong;
        const dwc_status status = dwct_contest_hold(c, &error);
        assert_int_equal(status, all ? DWC_INTERNAL_ERROR : DWC_OK);
        assert_int_equal(c->right_count, all ? 0 : 3);
        if (!all) {
            assert_true(c->choice != 0 && c->choice != 3 && c->choice >= 0);
            assert_true(!c->entrants[0].right && c->entrants[0].result.rounds == 0);
        }
        dwct_contest_release(c);
    }
    dwc_release(b.context, c);
    close_bench(&b);
}

/* Records of one instruction set are another kind of machine's for another. */
static void test_other_machine(void **state) {
    (void)state;
    bench here = open_bench(), there = open_bench_with(DWC_ISA_BASELINE);
    char machine[2][DWC_MACHINE_TEXT_MAX], key[2][DWC_KEY_TEXT_MAX];
    const dwc_problem problem = dwt_problem(SMALL);
    assert_int_equal(dwc_expert_key(here.context, &problem, NULL, key[0], machine[0], NULL), DWC_OK);
    assert_int_equal(dwc_expert_key(there.context, &problem, NULL, key[1], machine[1], NULL), DWC_OK);
    assert_string_equal(key[0], key[1]);
    if (dwc_context_machine(here.context)->isa != DWC_ISA_BASELINE)
        assert_string_not_equal(machine[0], machine[1]);
    close_bench(&here);
    close_bench(&there);
}

static void test_bad_arguments(void **state) {
    (void)state;
    bench b = open_bench();
    const dwc_problem problem = dwt_problem(SMALL), empty = dwt_problem("f32:nhwc:n0:9x10x20:k3x3");
    dwc_tune_result r;
    dwc_plan *plan;
    dwc_tune_options o;
    dwc_tune_options_init(&o);
    assert_int_equal(dwc_tune(NULL, b.wisdom, &problem, NULL, &o, &r, NULL), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_tune(b.context, b.wisdom, NULL, NULL, &o, &r, NULL), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_tune(b.context, b.wisdom, &problem, NULL, &o, NULL, NULL), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_tune(b.context, b.wisdom, &empty, NULL, &o, &r, NULL), DWC_INVALID_ARGUMENT);
    const dwc_plan_options named = {.algo = "direct"}, negative = {.max_error = -1},
                           race = {.effort = DWC_EFFORT_MEASURE};
    assert_int_equal(dwc_tune(b.context, b.wisdom, &problem, &named, &o, &r, NULL), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_tune(b.context, b.wisdom, &problem, &negative, &o, &r, NULL), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_plan_create(b.context, &problem, &race, &plan, NULL), DWC_INVALID_ARGUMENT);
    o.effort = DWC_EFFORT_ESTIMATE;
    assert_int_equal(dwc_tune(b.context, b.wisdom, &problem, NULL, &o, &r, NULL), DWC_INVALID_ARGUMENT);
    o.effort = DWC_EFFORT_MEASURE;
    o.budget_s = -1;
    assert_int_equal(dwc_tune(b.context, b.wisdom, &problem, NULL, &o, &r, NULL), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_wisdom_count(b.wisdom), 0);
    close_bench(&b);
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_order_of_sources),
        cmocka_unit_test(test_entries_that_do_not_fit),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_changed_kernels),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_wrong_is_out),
        cmocka_unit_test(test_other_machine),
        cmocka_unit_test(test_bad_arguments),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failed;
}
