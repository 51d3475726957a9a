/* SPDX-License-Identifier: Apache-2.0 */
/* The race: which of several candidates is the fastest, and how sure is that?
 *
 *     round        0 (not counted)   1        2        3      4   ...
 *     in order     0 1 2 3           1 0 3 2  2 3 0 1  0 3 2  3 2 0       candidate 1 dropped out after round 2
 *
 * Every candidate runs once per round, so that what disturbs the machine disturbs all alike, and not always after the
 * same one, whose traces in the caches it meets. What counts is the ratio of its time to the leader's *within each
 * round*: its median, with an interval from the order statistics. Times as such are reported, never compared. */
#ifndef DWC_TUNE_RACE_H
#define DWC_TUNE_RACE_H

#include "dwconv.h"

enum { DWCT_RACE_CANDIDATES = 256, DWCT_RACE_ROUNDS = 256 }; /* at most */

typedef struct dwct_race_result {
    int rounds;              /* that it ran in */
    double ratio, low, high; /* its time over the choice's: median and interval (97 %; of fewer than 7 rounds the
                                extremes) */
    double median_s, min_s;
    int survived;
} dwct_race_result;

typedef struct dwct_race {
    int count;        /* candidates, in the order that breaks ties */
    const int *order; /* that they run in, all of them; NULL: the same */
    int preferred;    /* stays the choice unless another is faster with certainty or, of enough rounds, looks over 3 %
                         faster; -1: none */
    int rounds;       /* that decide it; up to four times as many (DWCT_RACE_ROUNDS in all) while it is open who
                         is slower */
    double end_s;     /* on dwct_seconds' clock: then it ends, undecided; 0: never */
    double last_s;    /* the same while it is open who is slower, if later */
    /* Seconds of a candidate; below 0 ends the race at once. */
    double (*measure)(void *user, int candidate);
    /* Called after each round. May be NULL. */
    void (*next_round)(void *user);
    void *user;
} dwct_race;

typedef struct dwct_race_outcome {
    int choice;
    int rounds;
    int complete; /* it was decided before the time was up */
    int tie;      /* others that are not certainly over 1 % slower remain */
    int stopped;
} dwct_race_outcome;

/* Runs a race. samples: room for dwct_race_samples(count, rounds) numbers. */
int dwct_race_samples(int count, int rounds);
dwct_race_outcome dwct_race_run(const dwct_race *race, double *samples, dwct_race_result *results);

/* Before the race: the least seconds of a candidate that took `seconds` where the best one took `best`. It may have
 * been disturbed, so where it looks slower than `limit` times the best it is measured again, if it took less than 8
 * times as long, and once more if it took less than twice. */
double dwct_race_qualify(double seconds, double best, double limit, double (*measure)(void *user, int candidate),
                         void *user, int candidate);

/* Median of values (which it sorts) and its interval with at least 97 % confidence if there are 7 or more. Source:
 * order statistics of the median, e.g. Conover, Practical Nonparametric Statistics, 3.2. */
void dwct_median_interval(double *values, int count, double *median, double *low, double *high);

#endif
