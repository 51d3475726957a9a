/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors of one problem as callers may have them, and plans that run on them.
 *
 *     copies of   | input, filter's bytes | gap | output | gap |   input at 16 modulo 64, output k*4096 + offset behind
 *
 * Warm: the present copy only, and each window follows an execution that is not timed, unless one takes so long that
 * this makes no difference or lines had to settle first (dwct_settle); other copies are other places in memory, whose
 * pages may lie in the caches otherwise. Cold: as many copies as take twice the last cache, each execution on the
 * next. */
#ifndef DWC_TUNE_WORKLOAD_H
#define DWC_TUNE_WORKLOAD_H

#include "dwconv.h"

enum {
    DWCT_PAGE = 4096,
    DWCT_LINE = 64,
    DWCT_MISALIGNMENT = 16,
    DWCT_PLACES = 4,  /* warm copies at most */
    DWCT_SETTLING = 7 /* executions, see dwct_settle */
};

typedef enum dwct_stores { DWCT_MIXED, DWCT_IN_CACHES, DWCT_PAST_CACHES } dwct_stores;

typedef struct dwct_workload {
    const dwc_context *context;
    dwc_problem problem;
    dwc_geometry geometry;
    int cold;
    char *memory, *filter, *bias;
    int64_t copy_bytes, copies, next_copy;
    int64_t read_bytes, write_bytes;  /* of one execution */
    int settles;                      /* warm, but more than half of the cache of a core, which does not always keep
                                        it: see dwct_settle */
    int outgrows;                     /* warm, but larger than that cache */
    dwct_stores settled[DWCT_PLACES]; /* warm, of each copy: the kind of executions that lines lie right for */
} dwct_workload;

/* Random tensors, first touched as `plan` would, at so many places (at most DWCT_PLACES, and as far as that takes no
 * time worth mentioning; cold: of no meaning). To be released whether it succeeds or not. */
dwc_status dwct_workload_create(dwct_workload *w, const dwc_context *context, const dwc_plan *plan, int cold,
                                int places, uint64_t seed, dwc_error *error);
void dwct_workload_release(dwct_workload *w);

/* Bytes that it fills with random numbers. */
int64_t dwct_workload_bytes(const dwc_context *context, const dwc_geometry *g, int cold, int places);

char *dwct_input(const dwct_workload *w, int64_t copy);
char *dwct_output(const dwct_workload *w, int64_t copy, int offset);

/* Goes on to the next copy, 0, 1, ... and again; returns the one before. */
int64_t dwct_next_copy(dwct_workload *w);

/* A plan with its packed filter and workspace. */
typedef struct dwct_runner {
    const dwc_plan *plan;
    dwc_plan_info info;
    dwct_stores stores;
    void *packed, *workspace;
    double first_s; /* of the first execution, or the second if that may matter */
    int executions; /* per window */
    int is_long;    /* no execution before a window */
} dwct_runner;

/* To be released whether it succeeds or not. */
dwc_status dwct_runner_create(dwct_runner *r, const dwct_workload *w, const dwc_plan *plan, dwc_error *error);
void dwct_runner_release(dwct_runner *r, const dwct_workload *w);

/* Executes on copy 0, to be called before any window. */
dwc_status dwct_execute_first(dwct_workload *w, dwct_runner *r, int offset, dwc_error *error);

/* Does it? Not where it takes so long that the arithmetic hides where lines lie. */
int dwct_settles(const dwct_workload *w, const dwct_runner *r);

/* To be called before the first window after others have run. With more than half of the second cache lines lie as
 * these left them. Executes once or, after others whose outputs went another way, past the caches or not, until that
 * gains nothing more, DWCT_SETTLING times and more but no more than 0.1 s: runners of a kind should follow each
 * other. */
void dwct_settle(dwct_workload *w, const dwct_runner *r, int offset);

/* Something else has touched the present copy. */
void dwct_disturbed(dwct_workload *w);

/* Does a window begin with an execution that is not timed? */
int dwct_warms_up(const dwct_workload *w, const dwct_runner *r);

/* Seconds per execution of one window. */
double dwct_window(dwct_workload *w, const dwct_runner *r, int offset);

/* Settles, and sets r->executions so that a window is long enough for the clock; returns the seconds of one
 * execution. */
double dwct_choose_executions(dwct_workload *w, dwct_runner *r, int offset);

/* Status and text of a failure, as the library's own. */
dwc_status dwct_fail(dwc_error *error, dwc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
dwc_status dwct_no_memory(dwc_error *error, int64_t bytes);

#endif
