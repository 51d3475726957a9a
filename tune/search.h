/* SPDX-License-Identifier: Apache-2.0 */
/* Which candidates of a problem are worth a race. */
#ifndef DWC_TUNE_SEARCH_H
#define DWC_TUNE_SEARCH_H

#include "dwconv_expert.h"
#include "race.h"

typedef struct dwct_candidate {
    dwc_plan *plan; /* of the raced problem */
    char algo[32], params[DWC_PARAMS_TEXT_MAX];
    double model_s; /* for the problem itself */
} dwct_candidate;

typedef struct dwct_search {
    dwct_candidate list[DWCT_RACE_CANDIDATES]; /* in the fixed order of dwc_expert_survey */
    int count;
    int legal;        /* how many there are in all */
    int model_choice; /* index of what the planner takes without records; -1: not among them */
} dwct_search;

typedef struct dwct_search_request {
    const dwc_context *context;
    const dwc_problem *problem;      /* to be tuned */
    const dwc_problem *raced;        /* the same image, as many as shall run */
    const dwc_plan_options *options; /* limits and threads */
    int most;                        /* half of them the best by the model, the rest as different as can be */
    /* NULL, or whether a candidate shall be taken; then rank does not matter. */
    int (*only)(const char *algo, const char *params, const void *user);
    const void *user;
} dwct_search_request;

/* To be released whether it succeeds or not. */
dwc_status dwct_search_find(const dwct_search_request *request, dwct_search *search, dwc_error *error);
void dwct_search_release(dwct_search *search);

#endif
