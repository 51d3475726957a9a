/* SPDX-License-Identifier: Apache-2.0 */
/* Preparing, qualifying and racing, see contest.h. */
#include "contest.h"
#include "limits.h"

#include <math.h>
#include <string.h>

/* Aligned alike in a page; 16 bytes on, where loads wait for earlier stores that overlap them modulo a page; a line
 * on. Of those that dwconv bench measures these are most often the worst one. */
const int dwct_contest_offsets[DWCT_OFFSETS] = {0, 16, 64};

enum {
    LEAST_RUNS = 9, /* of every candidate, for a race to be worth while */
    LEAST_ROUNDS = 11,
    LEAST_CHECKED_TAPS = 10000,
    MOST_CHECKED_TAPS = 1000000
};
/* Times the best one's time, in every one of up to three executions: not raced. The second: of long ones, and where it
 * takes several more until one counts. */
static const double HOPELESS = 1.6, HOPELESS_LONG = 1.3;
static const double LONG_FIRST_SECONDS = 1e-3, FAR_OFF = 3; /* the same in first executions that take so long */
static const double STRETCH = 4; /* of the seconds, for a few rounds of long executions or an open question */

/* Roughly: a random number, a tap of the exact result. */
static const double FILL_SECONDS = 6e-9, CHECK_SECONDS = 12e-9;

static double time_left(const dwct_contest *c) {
    return c->deadline > 0 ? c->deadline - dwct_seconds() : 1e9;
}

static int stop_wanted(dwct_contest *c) {
    return c->progress && c->progress(c->user, c->round < c->rounds ? (double)c->round / c->rounds : 1);
}

static dwc_status stopped(dwc_error *error) {
    return dwct_fail(error, DWC_STOPPED, "tuning: stopped on request");
}

/* ---- preparation ------------------------------------------------------------------------------------------------- */

static double checked_taps(const dwct_contest *c, const dwc_geometry *g) {
    const double can = 0.2 * time_left(c) / CHECK_SECONDS;
    const double most = can > MOST_CHECKED_TAPS    ? MOST_CHECKED_TAPS
                        : can < LEAST_CHECKED_TAPS ? LEAST_CHECKED_TAPS
                                                   : can;
    return g->inbounds_taps < most ? g->inbounds_taps : most;
}

/* Is there time for anything that deserves the name of a race? */
static int affordable(const dwct_contest *c) {
    dwc_plan_info info;
    double runs = 0;
    for (int i = 0; i < c->search.count; i++) {
        dwc_plan_get_info(c->search.list[i].plan, &info);
        runs += info.model_seconds;
    }
    const dwc_geometry *g = &info.geometry;
    const double numbers = (double)dwct_workload_bytes(c->context, g, c->cold, DWCT_PLACES) / (double)g->element_bytes;
    return time_left(c) > 1.5 * (numbers * FILL_SECONDS + checked_taps(c, g) * CHECK_SECONDS + LEAST_RUNS * runs);
}

/* Compares an entrant's output with one that was right (NULL: none yet), else with the exact result. */
static dwc_status check_output(dwct_contest *c, dwct_entrant *e, const dwct_entrant *model, char *right_output,
                               dwc_error *error) {
    dwct_workload *w = &c->work;
    char *output = dwct_output(w, 0, dwct_contest_offsets[0]);
    memset(output, 0xff, (size_t)w->write_bytes); /* NaN, not what the one before left */
    dwc_status status = dwct_execute_first(w, &e->runner, dwct_contest_offsets[0], error);
    if (status != DWC_OK)
        return status;
    if (model && memcmp(output, right_output, (size_t)w->write_bytes) == 0) {
        e->max_err = model->max_err;
        e->right = 1;
        return DWC_OK;
    }
    dwc_verification v;
    const int64_t step = (int64_t)(w->geometry.inbounds_taps / (checked_taps(c, &w->geometry) + 1)) | 1;
    status = dwc_expert_verify_some(e->runner.plan, dwct_input(w, 0), w->filter, w->bias, output, step, &v, error);
    if (status != DWC_OK)
        return status;
    e->max_err = v.max_err;
    e->right = v.passed;
    if (v.passed && !model)
        memcpy(right_output, output, (size_t)w->write_bytes);
    return DWC_OK;
}

static dwc_status check_outputs(dwct_contest *c, dwc_error *error) {
    const dwct_entrant *model = NULL;
    dwc_status status = DWC_OK;
    char *right_output = dwc_allocate(c->context, (size_t)c->work.write_bytes);
    if (!right_output)
        return dwct_no_memory(error, c->work.write_bytes);
    for (int i = 0; i < c->search.count && status == DWC_OK; i++) {
        dwct_entrant *e = &c->entrants[i];
        if (stop_wanted(c))
            status = stopped(error);
        else
            status = dwct_runner_create(&e->runner, &c->work, c->search.list[i].plan, error);
        if (status == DWC_OK)
            status = check_output(c, e, model, right_output, error);
        if (e->right && !model)
            model = e;
        c->right_count += e->right;
    }
    dwc_release(c->context, right_output);
    if (status == DWC_OK && c->right_count == 0)
        return dwct_fail(error, DWC_INTERNAL_ERROR, "tuning: every candidate's output is wrong, first %s(%s)",
                         c->search.list[0].algo, c->search.list[0].params);
    return status;
}

/* ---- qualification ----------------------------------------------------------------------------------------------- */

static double least_qualified(const dwct_contest *c) {
    double best = 0;
    for (int i = 0; i < c->search.count; i++)
        if (c->entrants[i].qualified && (best == 0 || c->entrants[i].qualified_s < best))
            best = c->entrants[i].qualified_s;
    return best;
}

static double hopeless(const dwct_contest *c, const dwct_entrant *e) {
    return e->runner.is_long || c->work.outgrows ? HOPELESS_LONG : HOPELESS;
}

/* The first execution tells as much about those that take long. */
static int far_off(const dwct_contest *c, const dwct_entrant *e) {
    double best = 0;
    for (int i = 0; i < c->search.count; i++) {
        const dwct_entrant *other = &c->entrants[i];
        if (other->right && (best == 0 || other->runner.first_s < best))
            best = other->runner.first_s;
    }
    return best > LONG_FIRST_SECONDS && e->runner.first_s > FAR_OFF * best;
}

/* The order to run in, indices of entrants[0..count): those whose outputs go past the caches last, see dwct_settle. */
static void order_by_stores(const dwct_contest *c, const int *entrants, int count, int *order) {
    int placed = 0;
    for (int past = 0; past < 2; past++)
        for (int i = 0; i < count; i++)
            if ((c->entrants[entrants[i]].runner.stores == DWCT_PAST_CACHES) == past)
                order[placed++] = i;
}

static double once_more(void *user, int entrant) {
    dwct_contest *c = user;
    const dwct_runner *r = &c->entrants[entrant].runner;
    if (!far_off(c, &c->entrants[entrant]))
        dwct_settle(&c->work, r, dwct_contest_offsets[0]);
    return dwct_window(&c->work, r, dwct_contest_offsets[0]);
}

/* A window of everybody at one offset, up to three of those that look slow; *all is 0 if the time is up before. */
static dwc_status qualify(dwct_contest *c, int *all, dwc_error *error) {
    int entrants[DWCT_RACE_CANDIDATES], order[DWCT_RACE_CANDIDATES];
    for (int i = 0; i < c->search.count; i++)
        entrants[i] = i;
    order_by_stores(c, entrants, c->search.count, order);
    *all = 0;
    for (int i = 0; i < c->search.count; i++) {
        dwct_entrant *e = &c->entrants[order[i]];
        if (stop_wanted(c))
            return stopped(error);
        if (time_left(c) < 0)
            return DWC_OK;
        if (!e->right)
            continue;
        if (far_off(c, e)) {
            e->runner.executions = e->runner.is_long = 1;
            e->qualified_s = e->runner.first_s;
        } else {
            e->qualified_s = dwct_choose_executions(&c->work, &e->runner, dwct_contest_offsets[0]);
        }
        e->qualified = 1;
    }
    const double best = least_qualified(c);
    for (int i = 0; i < c->search.count; i++) {
        dwct_entrant *e = &c->entrants[order[i]];
        if (stop_wanted(c))
            return stopped(error);
        if (time_left(c) < 0)
            return DWC_OK;
        if (e->qualified)
            e->qualified_s = dwct_race_qualify(e->qualified_s, best, hopeless(c, e), once_more, c, order[i]);
    }
    *all = 1;
    return DWC_OK;
}

/* Whoever is not hopelessly slow races, and the model's choice. */
static void choose_racing(dwct_contest *c) {
    const double best = least_qualified(c);
    int all_long = 1;
    for (int i = 0; i < c->search.count; i++) {
        const dwct_entrant *e = &c->entrants[i];
        all_long &= !e->qualified || e->runner.is_long;
        if (e->qualified && (e->qualified_s <= hopeless(c, e) * best || i == c->search.model_choice))
            c->racing[c->racing_count++] = i;
    }
    c->offsets = all_long || c->work.outgrows ? 1 : DWCT_OFFSETS;
}

/* The fastest of the qualification, or the model's choice if that is nearly as fast. */
static int best_qualified(const dwct_contest *c) {
    int best = c->racing[0];
    for (int i = 1; i < c->racing_count; i++)
        if (c->entrants[c->racing[i]].qualified_s < c->entrants[best].qualified_s)
            best = c->racing[i];
    const int model = c->search.model_choice;
    const double near = 1.05 * c->entrants[best].qualified_s;
    return model >= 0 && c->entrants[model].qualified && c->entrants[model].qualified_s <= near ? model : best;
}

/* ---- race -------------------------------------------------------------------------------------------------------- */

/* Seconds of an execution at the worst offset; where that takes long, at another offset each round. -1: stop. */
static double measure(void *user, int place) {
    dwct_contest *c = user;
    if (stop_wanted(c))
        return -1;
    const dwct_entrant *e = &c->entrants[c->racing[place]];
    const int first = c->offsets == 1 ? c->round % DWCT_OFFSETS : 0;
    double worst = 0;
    dwct_settle(&c->work, &e->runner, dwct_contest_offsets[first]);
    for (int o = first; o < first + c->offsets; o++)
        worst = fmax(worst, dwct_window(&c->work, &e->runner, dwct_contest_offsets[o]));
    return worst;
}

static void next_round(void *user) {
    dwct_contest *c = user;
    dwct_next_copy(&c->work);
    c->round++;
}

/* When the race has to be over: after c->seconds in all or, if that is later, a few rounds; *last: where there is
 * reason for more. Never after the deadline. */
static double end_of_race(const dwct_contest *c, double start, double *last) {
    double round = 0, longest = 0;
    int kinds = 0;
    for (int i = 0; i < c->racing_count; i++) {
        const dwct_entrant *e = &c->entrants[c->racing[i]];
        const int settles = dwct_settles(&c->work, &e->runner);
        if (settles) {
            longest = fmax(longest, e->qualified_s);
            kinds |= 1 << e->runner.stores;
        }
        round += e->qualified_s * (settles + c->offsets * (e->runner.executions + dwct_warms_up(&c->work, &e->runner)));
    }
    if (kinds & (kinds - 1))
        round += 2 * DWCT_SETTLING * longest;
    if (c->seconds == 0)
        return *last = c->deadline;
    const double few = dwct_seconds() + (LEAST_ROUNDS + 1) * round, most = start + STRETCH * c->seconds;
    const double end = fmin(fmax(start + c->seconds, few), most);
    *last = c->deadline > 0 ? fmin(most, c->deadline) : most;
    return fmin(end, *last);
}

static dwc_status run_race(dwct_contest *c, double start, dwc_error *error) {
    dwct_race_result results[DWCT_RACE_CANDIDATES];
    int order[DWCT_RACE_CANDIDATES];
    order_by_stores(c, c->racing, c->racing_count, order);
    dwct_race race = {.count = c->racing_count,
                      .order = order,
                      .preferred = -1,
                      .rounds = c->rounds,
                      .measure = measure,
                      .next_round = next_round,
                      .user = c};
    race.end_s = end_of_race(c, start, &race.last_s);
    for (int i = 0; i < c->racing_count; i++)
        if (c->racing[i] == c->search.model_choice)
            race.preferred = i;
    const size_t bytes = (size_t)dwct_race_samples(c->racing_count, c->rounds) * sizeof(double);
    double *samples = dwc_allocate(c->context, bytes);
    if (!samples)
        return dwct_no_memory(error, (int64_t)bytes);
    c->outcome = dwct_race_run(&race, samples, results);
    dwc_release(c->context, samples);
    if (c->outcome.stopped)
        return stopped(error);
    for (int i = 0; i < c->racing_count; i++)
        c->entrants[c->racing[i]].result = results[i];
    c->choice = c->outcome.rounds > 0 ? c->racing[c->outcome.choice] : best_qualified(c);
    return DWC_OK;
}

dwc_status dwct_contest_hold(dwct_contest *c, dwc_error *error) {
    c->choice = -1;
    c->work.context = c->context;
    if (!affordable(c))
        return DWC_OK;
    dwc_status status =
        dwct_workload_create(&c->work, c->context, c->search.list[0].plan, c->cold, DWCT_PLACES, c->seed, error);
    if (status == DWC_OK)
        status = check_outputs(c, error);
    if (status != DWC_OK)
        return status;
    const double start = dwct_seconds();
    int all;
    if ((status = qualify(c, &all, error)) || !all)
        return status;
    choose_racing(c);
    return run_race(c, start, error);
}

void dwct_contest_release(dwct_contest *c) {
    for (int i = 0; i < c->search.count; i++)
        dwct_runner_release(&c->entrants[i].runner, &c->work);
    dwct_workload_release(&c->work);
    dwct_search_release(&c->search);
}
