/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `dwconv wisdom` share: its options, and the actions that have files of their own. */
#ifndef WISDOM_ACTIONS_H
#define WISDOM_ACTIONS_H

#include "cli.h"
#include "options.h"
#include "plan_limits.h"

typedef struct wisdom_request {
    common_options common;
    int action; /* row of the actions */
    word_list words;
    const char *file; /* NULL: the user's */
    int64_t threads;
    plan_limits limits;
    int bands, cache;
    int accept, incomplete, other_machines;
    int json;
} wisdom_request;

/* The file of a request, as a text; "" and a failure where there is none. */
int wisdom_request_path(const wisdom_request *request, char *path, size_t size, cli_failure *failure);

/* explain.c: why a problem gets the algorithm and parameters that it gets. */
int wisdom_explain(const wisdom_request *request, cli_failure *failure);

/* upkeep.c: what is wrong with a file; what of it is of no more use. */
int wisdom_verify(const wisdom_request *request, cli_failure *failure);
int wisdom_prune(const wisdom_request *request, cli_failure *failure);

#endif
