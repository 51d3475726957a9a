/* SPDX-License-Identifier: Apache-2.0 */
/* How far races can be trusted on this machine; figures, no verdict:
 *
 *     race_statistics [RUNS] [PROBLEM]     [100] [f32:nhwc:n1:28x28x192:k3x3]
 *
 * equal     12 copies of one plan: how often a tie is declared, and how far apart they seem, by the race's ratios and,
 * for comparison, by the least time of each when one is measured after the other slower    one of two copies takes 3 %
 * longer and is the preferred one: how often it is chosen all the same */
#include "core/plan.h"
#include "core/registry.h"
#include "dwconv_expert.h"
#include "tune/contest.h"
#include "tune/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPIES = 12 };

static void (*plain_run)(const dwci_solution *, const dwci_tensors *);

static void slower_run(const dwci_solution *s, const dwci_tensors *t) {
    const double start = dwct_seconds();
    plain_run(s, t);
    const double end = dwct_seconds() + 0.03 * (dwct_seconds() - start);
    while (dwct_seconds() < end)
        ;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_spread(const char *what, double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    printf("%s: largest over smallest %.1f %% apart (median), %.1f %% (90th percentile)\n", what,
           100 * (values[count / 2] - 1), 100 * (values[count * 9 / 10] - 1));
}

typedef struct copies {
    const dwc_context *context;
    dwc_problem problem;
    int count;
    const dwci_algo *first; /* what the first copy runs in place of its own algorithm; NULL: the same */
} copies;

static void hold(const copies *of, dwct_contest *c) {
    dwc_error error;
    memset(c, 0, sizeof *c);
    c->context = of->context;
    c->rounds = 31;
    c->seed = 1;
    c->search.count = c->search.legal = of->count;
    c->search.model_choice = 0;
    for (int i = 0; i < of->count; i++)
        if (dwc_plan_create(of->context, &of->problem, NULL, &c->search.list[i].plan, &error)) {
            fprintf(stderr, "race_statistics: %s\n", error.message);
            exit(1);
        }
    if (of->first)
        c->search.list[0].plan->algo = of->first;
    if (dwct_contest_hold(c, &error)) {
        fprintf(stderr, "race_statistics: %s\n", error.message);
        exit(1);
    }
}

/* By the least of as many executions as a race has, one copy after the other. */
static double sequential_spread(dwct_contest *c) {
    double least[COPIES];
    for (int i = 0; i < COPIES; i++)
        for (int round = 0; round < 31; round++) {
            const double seconds = dwct_window(&c->work, &c->entrants[i].runner, 0);
            least[i] = round == 0 || seconds < least[i] ? seconds : least[i];
        }
    qsort(least, COPIES, sizeof *least, ascending);
    return least[COPIES - 1] / least[0];
}

int main(int argc, char **argv) {
    const int runs = argc > 1 ? atoi(argv[1]) : 100;
    copies of = {.count = COPIES};
    dwc_context_options options;
    dwc_context *context;
    dwc_error error;
    dwc_context_options_init(&options);
    options.threads = 1;
    if (runs < 1 || dwc_context_create(&options, &context, &error) ||
        dwc_problem_parse(argc > 2 ? argv[2] : "f32:nhwc:n1:28x28x192:k3x3", &of.problem, &error)) {
        fprintf(stderr, "race_statistics: %s\n", runs < 1 ? "RUNS: not a number above 0" : error.message);
        return 2;
    }
    of.context = context;
    dwct_contest *c = dwc_allocate(context, sizeof *c);
    double *by_race = calloc((size_t)runs, sizeof *by_race), *by_least = calloc((size_t)runs, sizeof *by_least);

    int ties = 0, first = 0, slow_chosen = 0;
    for (int run = 0; run < runs; run++) {
        hold(&of, c);
        double least = 1, most = 1;
        for (int i = 0; i < COPIES; i++) {
            const double ratio = c->entrants[i].result.ratio;
            if (c->entrants[i].result.rounds > 7) {
                least = ratio < least ? ratio : least;
                most = ratio > most ? ratio : most;
            }
        }
        ties += c->outcome.tie;
        first += c->choice == 0;
        by_race[run] = most / least;
        by_least[run] = sequential_spread(c);
        dwct_contest_release(c);
    }
    printf("equal: tie in %d of %d races, the preferred one kept in %d\n", ties, runs, first);
    print_spread("equal, medians of ratios", by_race, runs);
    print_spread("equal, least times one after the other", by_least, runs);

    dwci_algo slower = *dwci_algo_find("direct");
    plain_run = slower.run;
    slower.run = slower_run;
    of.count = 2;
    of.first = &slower;
    for (int run = 0; run < runs; run++) {
        hold(&of, c);
        slow_chosen += c->choice == 0;
        dwct_contest_release(c);
    }
    printf("slower: the copy that takes 3 %% longer chosen in %d of %d races\n", slow_chosen, runs);
    free(by_race);
    free(by_least);
    dwc_release(context, c);
    dwc_context_destroy(context);
    return 0;
}
