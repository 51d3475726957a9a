/* SPDX-License-Identifier: Apache-2.0 */
/* The plan and the planner. */
#ifndef DWC_CORE_PLAN_H
#define DWC_CORE_PLAN_H

#include "algo/algo.h"
#include "core/context.h"
#include "dwconv_expert.h"

struct dwc_plan {
    const dwc_context *context;
    const dwci_algo *algo;
    dwci_solution solution;
    const char *source, *near; /* of the choice, see dwc_plan_info */
    double model_seconds;
};

/* Fills a plan: explicit choice, else the wisdom, else the cost model. */
dwc_status dwci_plan_choose(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                            dwc_plan *plan, dwc_error *error);

/* The case that records of such plans are about: dwc_expert_canonical's problem with the plan's threads. */
dwc_status dwci_plan_case(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                          dwci_case *result, dwc_error *error);

/* See dwc_expert_survey. */
dwc_status dwci_plan_survey(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                            dwc_candidate *list, int most, int *count, dwc_error *error);

/* See dwc_expert_candidates. */
int dwci_plan_candidates(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                         char (*texts)[DWC_PARAMS_TEXT_MAX], int most);

#endif
