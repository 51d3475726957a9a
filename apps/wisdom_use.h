/* SPDX-License-Identifier: Apache-2.0 */
/* The tuning records that a command uses, and the file they come from.
 *
 *     wisdom_open: --wisdom FILE, else the user's file and the site's -> wisdom_keep -> races -> wisdom_close: merge
 *
 * Records are a help: where the file cannot be read or written the command warns, once, and goes on; only a file that
 * the user named must be readable. */
#ifndef WISDOM_USE_H
#define WISDOM_USE_H

#include "cli.h"
#include "options.h"

#include <stddef.h>

typedef struct wisdom_options {
    int effort; /* dwc_effort */
    const char *file;
} wisdom_options;

/* "wisdom" "estimate" "measure" "patient" "exhaustive"; those that race begin at effort_races. */
extern const cli_choice effort_levels[];
enum { effort_races = 2 };

/* Rows of a wisdom_options that lies at offset `at` of the options of a command that has --algo. */
/* clang-format off */
#define OPTIONS_WISDOM(at)                                                                                             \
    {.name = "--effort", .argument = "wisdom|estimate|measure|patient|exhaustive",                                     \
     .help = "how auto chooses: by a tuning record only; by a record,\nelse the cost model; the others race "          \
             "candidates where\nthere is no record of that effort [estimate]",                                         \
     .parse = option_choose, .offset = (at) + offsetof(wisdom_options, effort), .choices = effort_levels},             \
    OPTION_WISDOM_FILE((at) + offsetof(wisdom_options, file))
#define OPTION_WISDOM_FILE(at)                                                                                         \
    {.name = "--wisdom", .argument = "FILE", .help = "the file of tuning records [dwconv info --wisdom]",              \
     .parse = option_text, .offset = (at)}
/* clang-format on */

typedef struct wisdom_file {
    dwc_wisdom *wisdom;
    char path[4096]; /* "": nowhere */
    int effort;
    int named; /* by the user */
    int kept;  /* races go to a journal of the file, to be merged */
    int lost;  /* the file cannot be read or written, which was said */
    int near;  /* a plan follows records that are not of this machine or its kernels, which was said */
} wisdom_file;

/* Reads the records that plans by "auto" may use; automatic 0: there are none, so neither option may be given. The file
 * may be closed after a failure too. */
int wisdom_open(wisdom_file *file, const wisdom_options *options, int automatic, cli_failure *failure);

/* From now on races are recorded. */
void wisdom_keep(wisdom_file *file, const cli_failure *failure);

/* Says, once, that records could not be written. */
void wisdom_say_lost(wisdom_file *file, const dwc_error *error, const cli_failure *failure);

/* A plan by the effort of the options: by records and model, or by a race. As dwc_plan_create. */
dwc_status wisdom_plan(wisdom_file *file, const dwc_context *context, const dwc_problem *problem,
                       const dwc_plan_options *options, dwc_plan **plan, dwc_error *error, cli_failure *failure);

/* Puts what was kept into the file, then releases the records; contexts that use them must be gone. */
void wisdom_close(wisdom_file *file, const cli_failure *failure);

/* The user's file by the environment, "" where it names none. */
void wisdom_find_path(char *path, size_t size);

/* Adds the records of a file and its journals, which must be there unless `missing_ok`, and be readable. */
int wisdom_read(dwc_wisdom *wisdom, const char *path, int missing_ok, dwc_wisdom_report *report, cli_failure *failure);

/* The same, warning of damage. */
int wisdom_load_file(dwc_wisdom *wisdom, const char *path, int missing_ok, dwc_wisdom_report *report,
                     cli_failure *failure);

#endif
