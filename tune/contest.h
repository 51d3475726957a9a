/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates of one problem against each other:
 *
 *     tensors -> outputs right? -> an execution of each: who is hopeless? -> race
 *
 * A measurement of the race is a window at every offset between input and output, of which the worst one counts (where
 * that takes long at one offset, another one each round); every round is held at another place in memory, if there are
 * several. */
#ifndef DWC_TUNE_CONTEST_H
#define DWC_TUNE_CONTEST_H

#include "race.h"
#include "search.h"
#include "workload.h"

/* Byte distances between input and output, modulo a page, where the input is at 16 modulo 64. */
enum { DWCT_OFFSETS = 3 };
extern const int dwct_contest_offsets[DWCT_OFFSETS];

typedef struct dwct_entrant {
    dwct_runner runner;
    int right;      /* its output is */
    double max_err; /* as in dwc_verification, of those that are right */
    int qualified;  /* it was timed before the race: */
    double qualified_s;
    dwct_race_result result; /* 0 rounds: it was not in the race */
} dwct_entrant;

typedef struct dwct_contest {
    const dwc_context *context;
    dwct_search search;
    int cold;
    uint64_t seed;
    int rounds;                               /* of the race */
    double seconds;                           /* for qualification and race, soft; 0: as long as the rounds take */
    double deadline;                          /* on dwct_seconds' clock, hard; 0: none */
    int (*progress)(void *user, double done); /* as dwc_tune_progress */
    void *user;

    dwct_workload work;
    dwct_entrant entrants[DWCT_RACE_CANDIDATES]; /* of search.list */
    int right_count;
    int offsets, round;                             /* measured in a round; rounds of the race so far */
    int racing[DWCT_RACE_CANDIDATES], racing_count; /* entrants in the race */
    int choice;                                     /* entrant; -1: there was no time to find one */
    dwct_race_outcome outcome;
} dwct_contest;

/* Holds the contest; the first group of fields above is to be set, all else zero. DWC_STOPPED; DWC_INTERNAL_ERROR if
 * nobody's output is right. */
dwc_status dwct_contest_hold(dwct_contest *c, dwc_error *error);
void dwct_contest_release(dwct_contest *c);

#endif
