/* SPDX-License-Identifier: Apache-2.0 */
/* The race, on made-up times: noise as on a shared machine (every time a few per cent off, one in ten much too long,
 * all of a round slower together), known differences. */
#include "harness.h"
#include "tune/limits.h"
#include "tune/race.h"

#include <math.h>
#include <string.h>

enum { MOST = 32, ROUNDS = 31 };

typedef struct simulation {
    dwt_rng rng;
    double factors[MOST];               /* true times */
    double noise, spikes;               /* of single times: their spread, and how often they are much too long */
    double weather;                     /* of the present round */
    int calls, measured[MOST], stop_at; /* the last: a call, 0: none */
    int previous, after[MOST][MOST];    /* how often the first was measured after the second */
    int begins, first[MOST];            /* a round; how often it was the first of a round, */
    int round, first_of[MOST][4];       /* and of each of four rounds */
} simulation;

/* 0..1 */
static double uniform(dwt_rng *rng) {
    return 0.5 * (1 + dwt_signed_unit(rng));
}

static double measure(void *user, int candidate) {
    simulation *s = user;
    if (++s->calls == s->stop_at)
        return -1;
    s->measured[candidate]++;
    s->after[candidate][s->previous]++;
    s->previous = candidate;
    s->first[candidate] += s->begins;
    s->first_of[candidate][s->round % 4] += s->begins;
    s->begins = 0;
    const double spike = uniform(&s->rng) < s->spikes ? 1 + uniform(&s->rng) : 1;
    return 1e-4 * s->factors[candidate] * s->weather * spike * (1 + s->noise * (2 * uniform(&s->rng) - 1));
}

static void next_round(void *user) {
    simulation *s = user;
    s->weather = 1 + 0.5 * uniform(&s->rng);
    s->begins = 1;
    s->round++;
}

static dwct_race_outcome race(simulation *s, int count, int preferred, dwct_race_result *results) {
    static double samples[MOST * (4 * ROUNDS + 1)];
    const dwct_race r = {.count = count,
                         .preferred = preferred,
                         .rounds = ROUNDS,
                         .measure = measure,
                         .next_round = next_round,
                         .user = s};
    s->weather = 1;
    s->calls = 0;
    memset(s->measured, 0, sizeof s->measured);
    memset(s->after, 0, sizeof s->after);
    memset(s->first, 0, sizeof s->first);
    memset(s->first_of, 0, sizeof s->first_of);
    s->previous = 0;
    s->begins = 1;
    return dwct_race_run(&r, samples, results);
}

static simulation equal(uint64_t seed) {
    simulation s = {.noise = 0.03, .spikes = 0.1};
    s.rng.state = seed;
    for (int i = 0; i < MOST; i++)
        s.factors[i] = 1;
    return s;
}

/* Ranks of the interval, from tables of the sign test. */
static void test_interval(void **state) {
    (void)state;
    static const struct {
        int count, low, high; /* from 1 */
    } known[] = {{1, 1, 1}, {6, 1, 6}, {7, 1, 7}, {9, 1, 9}, {12, 2, 11}, {31, 10, 22}, {61, 22, 40}, {101, 40, 62}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double values[128], median, low, high;
        for (int k = 0; k < known[i].count; k++)
            values[k] = (k * 37) % known[i].count + 1;
        dwct_median_interval(values, known[i].count, &median, &low, &high);
        assert_true(median == (known[i].count + 1) / 2.0);
        assert_true(low == known[i].low && high == known[i].high);
    }
}

/* How often the interval holds the true median. */
static void test_coverage(void **state) {
    (void)state;
    dwt_rng rng = {dwt_args.seed};
    int held = 0;
    for (int run = 0; run < 2000; run++) {
        double values[ROUNDS], median, low, high;
        for (int i = 0; i < ROUNDS; i++)
            values[i] = exp(3 * uniform(&rng));
        dwct_median_interval(values, ROUNDS, &median, &low, &high);
        held += low <= exp(1.5) && exp(1.5) <= high;
    }
    assert_in_range(held, 0.96 * 2000, 0.985 * 2000);
}

static void test_equals_tie(void **state) {
    (void)state;
    int ties = 0, kept = 0;
    for (int run = 0; run < 200; run++) {
        simulation s = equal(1000 * dwt_args.seed + (uint64_t)run);
        dwct_race_result results[MOST];
        const dwct_race_outcome o = race(&s, 12, 5, results);
        assert_true(o.complete && !o.stopped && o.rounds >= ROUNDS);
        ties += o.tie;
        kept += o.choice == 5;
    }
    assert_true(ties >= 198);
    assert_true(kept >= 180);
}

/* Of equals without a preferred one the first is taken, or one that looked over 1 % faster. */
static void test_fixed_order(void **state) {
    (void)state;
    int first = 0;
    for (int run = 0; run < 100; run++) {
        simulation s = equal(1000 * dwt_args.seed + (uint64_t)run);
        dwct_race_result results[MOST];
        s.noise = 0.004;
        first += race(&s, 8, -1, results).choice == 0;
    }
    assert_true(first >= 95);
}

/* One that is as fast as the best but disturbed when it is timed, in one of ten executions up to twice as long, seldom
 * stays out of the race; one that takes two or four times as long always does, after one more execution; one that takes
 * nine times as long is not timed again. */
static void test_qualification(void **state) {
    (void)state;
    enum { RUNS = 10000 };
    int out = 0;
    simulation s = equal(dwt_args.seed);
    s.weather = 1;
    for (int run = 0; run < RUNS; run++)
        out += dwct_race_qualify(measure(&s, 0), 1e-4, 1.3, measure, &s, 0) > 1.3e-4;
    assert_true(out < RUNS * 0.002);
    s.spikes = s.calls = 0;
    s.factors[1] = 2.1;
    s.factors[2] = 4;
    s.factors[3] = 9;
    assert_true(dwct_race_qualify(2.1e-4, 1e-4, 1.3, measure, &s, 1) > 1.3e-4);
    assert_int_equal(s.calls, 1);
    assert_true(dwct_race_qualify(4e-4, 1e-4, 1.3, measure, &s, 2) > 2e-4);
    assert_int_equal(s.calls, 2);
    assert_true(dwct_race_qualify(9e-4, 1e-4, 1.3, measure, &s, 3) == 9e-4);
    assert_int_equal(s.calls, 2);
    /* something broke into the first execution */
    assert_true(dwct_race_qualify(4e-4, 1e-4, 1.3, measure, &s, 0) < 1.3e-4);
}

static void test_slower_is_not_chosen(void **state) {
    (void)state;
    int wrong = 0, dropped = 0;
    for (int run = 0; run < 200; run++) {
        simulation s = equal(1000 * dwt_args.seed + (uint64_t)run);
        dwct_race_result results[MOST];
        s.factors[0] = 1.03; /* first in order, and preferred */
        const dwct_race_outcome o = race(&s, 2, 0, results);
        wrong += o.choice == 0;
        dropped += !results[0].survived;
        assert_true(results[o.choice].ratio == 1);
    }
    assert_true(wrong <= 10);
    assert_true(dropped >= 100);
}

/* Nobody always begins a round, every second or every fourth one, or runs after the same one; neighbours in order stay
 * together, so that kinds of candidates seldom change within a round. */
static void test_order_of_rounds(void **state) {
    (void)state;
    static const int counts[] = {2, 3, 6};
    for (int n = 0; n < 3; n++) {
        const int count = counts[n];
        simulation s = equal(dwt_args.seed);
        dwct_race_result results[MOST];
        s.noise = s.spikes = 0;
        const int rounds = race(&s, count, -1, results).rounds;
        int between_halves = 0;
        assert_true(rounds >= ROUNDS);
        for (int i = 0; i < count; i++) {
            int most = 0;
            for (int k = 0; k < count; k++) {
                most = s.after[i][k] > most ? s.after[i][k] : most;
                between_halves += (2 * i < count) != (2 * k < count) ? s.after[i][k] : 0;
            }
            assert_true(most <= rounds * 2 / 3);
            assert_true(s.first[i] >= rounds / count - 2 && s.first[i] <= rounds / count + 2);
            for (int k = 0; k < 4; k++)
                assert_true(count > 2 || s.first_of[i][k] >= rounds / 16);
        }
        assert_true(between_halves <= 3 * rounds);
    }
}

/* The order to run in is another than the one that breaks ties. */
static void test_given_order(void **state) {
    (void)state;
    static const int order[] = {2, 0, 1};
    simulation s = equal(dwt_args.seed);
    dwct_race_result results[3];
    double samples[3 * (4 * ROUNDS + 1)];
    const dwct_race r = {.count = 3, .order = order, .preferred = -1, .rounds = ROUNDS, .measure = measure, .user = &s};
    s.noise = s.spikes = 0;
    s.weather = s.begins = 1;
    assert_int_equal(dwct_race_run(&r, samples, results).choice, 0);
    assert_true(s.first[2] == 1 && s.after[0][2] > 0);
}

/* The preferred one is not kept for want of rounds where it looks clearly slower; where they are so few that they say
 * nothing, it is. */
static void test_few_rounds(void **state) {
    (void)state;
    enum { EQUALS = 12, RUNS = 200 };
    int kept = 0, kept_of_equals = 0;
    for (int run = 0; run < RUNS; run++) {
        simulation s = equal(1000 * dwt_args.seed + (uint64_t)run);
        dwct_race_result results[MOST];
        s.noise = 0.25;
        s.factors[0] = 1.3;
        s.stop_at = 2 * 9 + 1;
        kept += race(&s, 2, 0, results).choice == 0;
        s = equal(1000 * dwt_args.seed + (uint64_t)run);
        s.stop_at = EQUALS * 3 + 1;
        kept_of_equals += race(&s, EQUALS, 0, results).choice == 0;
    }
    assert_true(kept <= RUNS / 5);
    assert_true(kept_of_equals >= RUNS * 3 / 4);
}

/* Noise that leaves open after all rounds who is slower: more of them tell. */
static void test_goes_on_while_open(void **state) {
    (void)state;
    int longer = 0, wrong = 0;
    for (int run = 0; run < 200; run++) {
        simulation s = equal(1000 * dwt_args.seed + (uint64_t)run);
        dwct_race_result results[MOST];
        s.noise = 0.1;
        s.factors[0] = 1.04; /* first in order */
        const dwct_race_outcome o = race(&s, 2, -1, results);
        longer += o.rounds > ROUNDS;
        wrong += o.choice == 0;
        assert_true(o.complete && o.rounds <= 4 * ROUNDS);
    }
    assert_true(longer >= 100);
    assert_true(wrong <= 12);
}

/* Much slower ones leave early and cost little; what was seen of them is reported. */
static void test_early_exit(void **state) {
    (void)state;
    simulation s = equal(dwt_args.seed);
    dwct_race_result results[MOST];
    s.noise = 0.01;
    s.spikes = 0;
    for (int i = 1; i < 20; i++)
        s.factors[i] = 1.5 + 0.1 * i;
    const dwct_race_outcome o = race(&s, 20, -1, results);
    assert_int_equal(o.choice, 0);
    assert_true(o.complete && !o.tie);
    assert_true(s.calls <= 20 * 16);
    for (int i = 1; i < 20; i++) {
        assert_false(results[i].survived);
        assert_int_equal(results[i].rounds, s.measured[i] - 1);
        assert_true(results[i].low > 1.01 && results[i].low <= results[i].ratio && results[i].ratio <= results[i].high);
        assert_true(fabs(results[i].ratio / s.factors[i] - 1) < 0.02);
        assert_true(results[i].min_s > 0 && results[i].min_s <= results[i].median_s);
    }
}

/* The preferred one is measured for half of the rounds at least, so that its ratio means something. */
static void test_preferred_stays_long(void **state) {
    (void)state;
    simulation s = equal(dwt_args.seed);
    dwct_race_result results[MOST];
    s.factors[3] = 2;
    const dwct_race_outcome o = race(&s, 5, 3, results);
    assert_true(o.choice != 3);
    assert_true(results[3].rounds >= ROUNDS / 2 && !results[3].survived);
}

static void test_alone(void **state) {
    (void)state;
    simulation s = equal(dwt_args.seed);
    dwct_race_result results[MOST];
    const dwct_race_outcome o = race(&s, 1, 0, results);
    assert_true(o.choice == 0 && o.complete && !o.tie && o.rounds >= 7);
    assert_true(results[0].survived && results[0].median_s > 0);
}

/* In the middle of a round, which does not count; nor does the first. */
static void test_stop(void **state) {
    (void)state;
    simulation s = equal(dwt_args.seed);
    dwct_race_result results[MOST];
    s.stop_at = 5 * 3 + 2;
    const dwct_race_outcome o = race(&s, 3, -1, results);
    assert_true(o.stopped && o.rounds == 4 && !o.complete);
}

/* Time is up in the middle of a round: that round does not count. */
static double slow_measure(void *user, int candidate) {
    const double start = dwct_seconds();
    while (dwct_seconds() < start + 1e-3)
        ;
    return measure(user, candidate);
}

static void test_end(void **state) {
    (void)state;
    simulation s = equal(dwt_args.seed);
    dwct_race_result results[MOST];
    double samples[3 * (4 * ROUNDS + 1)];
    dwct_race r = {.count = 3, .preferred = 2, .rounds = ROUNDS, .measure = slow_measure, .user = &s};
    s.weather = 1;
    r.end_s = dwct_seconds() + 0.0145;
    dwct_race_outcome o = dwct_race_run(&r, samples, results);
    assert_true(!o.complete && !o.tie && o.rounds >= 1 && o.rounds < ROUNDS);
    for (int i = 0; i < 3; i++)
        assert_int_equal(results[i].rounds, o.rounds);
    r.end_s = dwct_seconds() - 1;
    o = dwct_race_run(&r, samples, results);
    assert_true(!o.complete && o.rounds == 0 && o.choice == 2);
}

/* Much slower ones leave after three rounds where there is no time for all, else with an interval. */
static void test_hurry(void **state) {
    (void)state;
    simulation s = equal(dwt_args.seed);
    dwct_race_result results[MOST];
    double samples[3 * (4 * ROUNDS + 1)];
    dwct_race r = {.count = 3, .preferred = -1, .rounds = ROUNDS, .measure = slow_measure, .user = &s};
    s.weather = 1;
    s.noise = s.spikes = 0;
    s.factors[1] = 1.12;
    s.factors[2] = 1.07;
    for (int hurry = 0; hurry < 2; hurry++) {
        r.end_s = dwct_seconds() + (hurry ? 0.07 : 10);
        dwct_race_run(&r, samples, results);
        assert_int_equal(results[1].rounds, hurry ? 3 : 7);
        assert_int_equal(results[2].rounds, hurry ? 5 : 7);
    }
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_equals_tie),
        cmocka_unit_test(test_fixed_order),
        cmocka_unit_test(test_qualification),
        cmocka_unit_test(test_slower_is_not_chosen),
        cmocka_unit_test(test_order_of_rounds),
        cmocka_unit_test(test_given_order),
        cmocka_unit_test(test_few_rounds),
        cmocka_unit_test(test_goes_on_while_open),
        cmocka_unit_test(test_early_exit),
        cmocka_unit_test(test_preferred_stays_long),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_hurry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
