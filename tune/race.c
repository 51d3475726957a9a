/* SPDX-License-Identifier: Apache-2.0 */
/* Racing candidates, see race.h.
 *
 * Now and then the one with the smallest median is made the leader, and whoever is slower than 1.01 times the leader at
 * the lower end of its interval drops out; with few rounds, where the interval is no use, only whoever never came near,
 * and only where there is no time for all rounds of everybody.
 * The preferred candidate is measured on until the end or until half of all rounds have shown that it is slower. After
 * all rounds the race goes on for a while if intervals still reach from as fast to clearly slower. */
#include "race.h"
#include "limits.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CANDIDATES = DWCT_RACE_CANDIDATES, MOST_ROUNDS = DWCT_RACE_ROUNDS };
static const double SLOWER = 1.01;
static const double MUCH_SLOWER = 1.1, CLEARLY_SLOWER = 1.05; /* of up to FEW_ROUNDS every one, of less than ENOUGH */
static const double UNCLEAR = 1.03; /* an interval from as fast to this leaves too much open; a median beyond it not */
enum { FEW_ROUNDS = 3, ENOUGH_ROUNDS = 7, LONE_ROUNDS = 11 }; /* the last: of a race without rivals */

typedef struct state {
    const dwct_race *race;
    double *samples;             /* [candidate][round], round 0 is not counted */
    int last[MOST_CANDIDATES];   /* last round that it ran in */
    int active[MOST_CANDIDATES]; /* in the order that they run in */
    int active_count, rounds;
    double start_s;
    bool open; /* who is slower, at the last check */
} state;

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of_sorted(const double *values, int count) {
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* How many of the smallest values may lie below the median's interval: the largest k with P(Binomial(count, 1/2) < k)
 * <= 1.5 %, so that the interval from value k (counted from 1) to the k-th last holds the median with 97 %. */
static int interval_rank(int count) {
    double term = exp2(-count), sum = term;
    int k = 0;
    while (sum <= 0.015) {
        k++;
        term *= (double)(count - k + 1) / k;
        sum += term;
    }
    return k;
}

void dwct_median_interval(double *values, int count, double *median, double *low, double *high) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    const int rank = interval_rank(count), at = rank > 0 ? rank - 1 : 0;
    *median = median_of_sorted(values, count);
    *low = values[at];
    *high = values[count - 1 - at];
}

static int most_rounds(int rounds) {
    return 4 * rounds < MOST_ROUNDS ? 4 * rounds : MOST_ROUNDS;
}

int dwct_race_samples(int count, int rounds) {
    return count * (most_rounds(rounds) + 1);
}

static double *samples_of(const state *s, int candidate) {
    return s->samples + (size_t)candidate * (size_t)(most_rounds(s->race->rounds) + 1);
}

/* Median and interval of a candidate's ratios to another that ran in all of its rounds. */
static void compare(const state *s, int candidate, int to, double *median, double *low, double *high) {
    double ratios[MOST_ROUNDS];
    const double *a = samples_of(s, candidate), *b = samples_of(s, to);
    const int rounds = s->last[candidate] < s->last[to] ? s->last[candidate] : s->last[to];
    for (int r = 1; r <= rounds; r++)
        ratios[r - 1] = a[r] / b[r];
    dwct_median_interval(ratios, rounds, median, low, high);
}

/* The active candidate whose time over the mean of the active ones, round by round, has the smallest median. */
static int leader_of(const state *s) {
    double least = 0;
    int leader = s->active[0];
    for (int i = 0; i < s->active_count; i++) {
        double shares[MOST_ROUNDS];
        for (int r = 1; r <= s->rounds; r++) {
            double sum = 0;
            for (int k = 0; k < s->active_count; k++)
                sum += samples_of(s, s->active[k])[r];
            shares[r - 1] = samples_of(s, s->active[i])[r] / sum;
        }
        qsort(shares, (size_t)s->rounds, sizeof *shares, ascending);
        const double median = median_of_sorted(shares, s->rounds);
        if (i == 0 || median < least) {
            least = median;
            leader = s->active[i];
        }
    }
    return leader;
}

static void drop_slow(state *s) {
    const int leader = leader_of(s);
    int kept = 0;
    for (int i = 0; i < s->active_count; i++) {
        const int candidate = s->active[i];
        double median, low, high;
        compare(s, candidate, leader, &median, &low, &high);
        const int slower = low > (s->rounds <= FEW_ROUNDS     ? MUCH_SLOWER
                                  : s->rounds < ENOUGH_ROUNDS ? CLEARLY_SLOWER
                                                              : SLOWER);
        if (candidate == leader || !slower || (candidate == s->race->preferred && 2 * s->rounds < s->race->rounds))
            s->active[kept++] = candidate;
    }
    s->active_count = kept;
}

/* Is somebody perhaps as fast as the leader, perhaps clearly slower? Or is the preferred one perhaps as fast, but does
 * not look like it? Then some more rounds will tell. */
static bool open_question(const state *s) {
    const int leader = leader_of(s);
    for (int i = 0; i < s->active_count; i++) {
        double median, low, high;
        compare(s, s->active[i], leader, &median, &low, &high);
        if ((low <= SLOWER && high > UNCLEAR) || (s->active[i] == s->race->preferred && median > SLOWER && low <= 1))
            return true;
    }
    return false;
}

static bool time_is_up(const state *s) {
    const double now = dwct_seconds();
    return now > s->race->end_s && (now > s->race->last_s || !s->open);
}

/* One round over the active candidates; false if the time is up before its end or (*stopped) a measurement says so. */
static bool run_round(state *s, int round, int *stopped) {
    const dwct_race *race = s->race;
    const int turn = round + round / 4; /* not in step with what callers change from round to round */
    for (int i = 0; i < s->active_count; i++) {
        const int candidate = s->active[(turn + (turn % 2 ? s->active_count - i : i)) % s->active_count];
        if (race->end_s > 0 && time_is_up(s))
            return false;
        const double seconds = race->measure(race->user, candidate);
        if ((*stopped = seconds < 0))
            return false;
        samples_of(s, candidate)[round] = seconds;
    }
    for (int i = 0; i < s->active_count; i++)
        s->last[s->active[i]] = round;
    return true;
}

/* At this pace, is there time for all rounds? */
static bool in_time(const state *s, int rounds) {
    const double now = dwct_seconds(), per_round = (now - s->start_s) / (s->rounds + 1);
    return s->race->end_s == 0 || now + (rounds - s->rounds) * per_round <= s->race->end_s;
}

/* Checks are not made after every round: each is one more occasion to drop somebody by chance. */
static bool time_to_check(int round, int rounds) {
    return round == FEW_ROUNDS || round == 5 || (round >= ENOUGH_ROUNDS && (round - ENOUGH_ROUNDS) % 6 == 0) ||
           round == rounds || round == most_rounds(rounds);
}

/* Of those left: the preferred one unless it is slower with certainty or, after enough rounds, over 3 % by its median;
 * else the first within 1 % of the leader. */
static int choose(const state *s) {
    const int leader = leader_of(s);
    int choice = -1;
    for (int i = 0; i < s->active_count; i++) {
        const int candidate = s->active[i];
        double median, low, high;
        compare(s, candidate, leader, &median, &low, &high);
        const bool close = median <= SLOWER;
        const bool kept = s->rounds < ENOUGH_ROUNDS ? low <= CLEARLY_SLOWER : low <= 1 && median <= UNCLEAR;
        if (candidate == s->race->preferred && (close || kept))
            return candidate;
        if (close && (choice < 0 || candidate < choice))
            choice = candidate;
    }
    return choice < 0 ? leader : choice;
}

static void report(const state *s, int choice, dwct_race_result *results) {
    for (int i = 0; i < s->race->count; i++) {
        dwct_race_result *r = &results[i];
        *r = (dwct_race_result){.rounds = s->last[i]};
        if (r->rounds == 0)
            continue;
        double times[MOST_ROUNDS], low, high;
        compare(s, i, choice, &r->ratio, &r->low, &r->high);
        memcpy(times, samples_of(s, i) + 1, (size_t)r->rounds * sizeof *times);
        dwct_median_interval(times, r->rounds, &r->median_s, &low, &high);
        r->min_s = times[0];
    }
    for (int i = 0; i < s->active_count; i++)
        results[s->active[i]].survived = 1;
}

double dwct_race_qualify(double seconds, double best, double limit, double (*measure)(void *user, int candidate),
                         void *user, int candidate) {
    static const double NEAR[] = {8, 2};
    for (int i = 0; i < 2 && seconds > limit * best && seconds < NEAR[i] * best; i++)
        seconds = fmin(seconds, measure(user, candidate));
    return seconds;
}

dwct_race_outcome dwct_race_run(const dwct_race *race, double *samples, dwct_race_result *results) {
    state s = {.race = race, .samples = samples, .active_count = race->count, .start_s = dwct_seconds()};
    dwct_race_outcome outcome = {.choice = race->preferred >= 0 ? race->preferred : 0};
    for (int i = 0; i < race->count; i++) {
        s.active[i] = race->order ? race->order[i] : i;
        results[i] = (dwct_race_result){0};
    }
    const int rounds = race->count > 1 || race->rounds < LONE_ROUNDS ? race->rounds : LONE_ROUNDS;
    for (int round = 0; round <= most_rounds(rounds) && (s.active_count > 1 || race->count == 1); round++) {
        if ((round > rounds && !s.open) || !run_round(&s, round, &outcome.stopped))
            break;
        s.rounds = round;
        if (time_to_check(round, rounds)) {
            if (round >= ENOUGH_ROUNDS || round == rounds || !in_time(&s, rounds))
                drop_slow(&s);
            s.open = open_question(&s);
        }
        if (race->next_round)
            race->next_round(race->user);
    }
    outcome.rounds = s.rounds;
    outcome.complete = s.active_count == 1 || s.rounds >= race->rounds;
    if (s.rounds > 0) {
        outcome.choice = choose(&s);
        report(&s, outcome.choice, results);
    }
    outcome.tie = s.active_count > 1 && outcome.complete;
    return outcome;
}
