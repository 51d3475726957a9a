/* SPDX-License-Identifier: Apache-2.0 */
/* What the test programs share: arguments, contexts, cases (a problem with its tensors and expected output), calls
 * (algorithm, instruction set, threads), and failures that print the command which reproduces them:
 *
 *     test_random --problem TEXT --seed SEED --algo NAME --isa NAME
 *
 * Without --problem a program makes --count problems from --seed; each gets a seed of its own for data and threads.
 */
#ifndef DWT_HARNESS_H
#define DWT_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare.h"
#include "dwconv.h"
#include "generator.h"
#include "numbers.h"
#include "rng.h"
#include "scatter.h"

/* ---- arguments and failures ---- */

typedef struct dwt_arguments {
    uint64_t seed;
    int64_t count;                    /* 0: the test's own default */
    const char *problem, *algo, *isa; /* NULL: all */
    char **files;                     /* what is no option */
    int file_count;
} dwt_arguments;

extern dwt_arguments dwt_args;

/* Reads main's arguments into dwt_args and prints the seed; exits 2 on an unknown option. */
void dwt_begin(int argc, char **argv);

/* Remembers what is tried now, for dwt_fail and for a crash. call may be NULL. */
struct dwt_call;
void dwt_note(const dwc_problem *problem, uint64_t seed, const struct dwt_call *call);

/* Prints the message and the reproducing command, and ends the test. */
__attribute__((noreturn, format(printf, 1, 2))) void dwt_fail(const char *format, ...);

/* Fails unless the status is DWC_OK. */
void dwt_ok(dwc_status status, const dwc_error *error, const char *what);

/* ---- problems ---- */

typedef void (*dwt_problem_fn)(const dwc_problem *problem, uint64_t seed, void *user);

/* How many random problems, and of how many multiply-adds. */
typedef struct dwt_range {
    int64_t count;       /* without --count */
    int64_t least, most; /* multiply-adds of one problem; plans use several threads from about half a million on */
    int64_t one_in;      /* take this part of count and --count only; 0: all */
} dwt_range;

/* Calls fn for --problem, or else for the random problems of the range. */
void dwt_for_range(const dwt_range *range, dwt_problem_fn fn, void *user);

/* The same for `count` problems of at most max_work multiply-adds. */
void dwt_for_problems(int64_t count, int64_t max_work, dwt_problem_fn fn, void *user);

/* A problem from its text, which has to be right. */
dwc_problem dwt_problem(const char *text);

/* A problem with tensors and expected output. */
typedef struct dwt_case {
    dwc_problem problem;
    dwt_shape shape;
    uint64_t seed;
    void *input, *filter, *bias; /* bias NULL where the problem has none */
    dwt_expected expected;
} dwt_case;

/* The tensors hold random data of `seed`; the expected output is that of dwt_case_expect, called by init. Call it again
 * after changing a tensor. */
void dwt_case_init(dwt_case *c, const dwc_problem *problem, uint64_t seed, dwt_data data);
void dwt_case_expect(dwt_case *c);
void dwt_case_free(dwt_case *c);

/* Zeroed memory for `count` elements, at least one byte; release with free. */
void *dwt_elements(dwc_dtype dtype, int64_t count);

/* ---- calls ---- */

typedef struct dwt_call {
    const char *algo; /* a name or "auto" */
    dwc_isa isa;      /* the context's cap */
    int threads;
    dwc_cache cache; /* 0: by the size of the batch */
} dwt_call;

/* Every algorithm under every instruction-set cap this machine has, within --algo and --isa; one thread. An algorithm
 * that is never chosen by itself (the slow reference) has no kernels and comes once. */
int dwt_call_count(void);
dwt_call dwt_call_get(int index);

/* The instruction-set caps of this machine, the weakest first; returns how many. */
int dwt_isas(dwc_isa isas[3]);

/* A context with that cap and four threads, kept until dwt_end. */
dwc_context *dwt_context(dwc_isa cap);
void dwt_end(void);

/* NULL where the algorithm does not apply, which `direct` and `reference` must always do; fails on an error. */
dwc_plan *dwt_plan(const dwt_call *call, const dwc_problem *problem);

/* Plans, packs and executes. Returns 0 where the algorithm does not apply. info may be NULL. */
int dwt_run(const dwt_call *call, const dwc_problem *problem, const void *input, const void *filter, const void *bias,
            void *output, dwc_plan_info *info);

/* dwt_run on a case's tensors. */
int dwt_run_case(const dwt_call *call, const dwt_case *c, void *output, dwc_plan_info *info);

/* Fails, naming the element, unless the output is the case's under the rule. */
void dwt_check(const dwt_case *c, const dwt_call *call, dwt_rule rule, const void *output);

/* Runs a case through every call and checks each output; exact: the case's data are whole numbers. Adds the number of
 * calls that did not apply to skipped, and those but the reference's that used several threads to threaded. */
typedef struct dwt_tally {
    int64_t skipped, threaded;
} dwt_tally;
void dwt_check_all(const dwt_case *c, int exact, int threads, dwt_tally *tally);

/* FNV-1a of some bytes. */
uint64_t dwt_hash(const void *data, size_t bytes);

/* Output element's place as text, "n2 oh3 ow0 c17", in a static buffer. */
const char *dwt_place(const dwc_problem *problem, const dwt_shape *shape, int64_t index);

#endif
