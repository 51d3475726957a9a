/* SPDX-License-Identifier: Apache-2.0 */
/* The file of tuning records; see wisdom_use.h. */
#include "wisdom_use.h"

#include "dwconv_tune.h"
#include "progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const cli_choice effort_levels[] = {
    {"wisdom", DWC_EFFORT_WISDOM},   {"estimate", DWC_EFFORT_ESTIMATE},     {"measure", DWC_EFFORT_MEASURE},
    {"patient", DWC_EFFORT_PATIENT}, {"exhaustive", DWC_EFFORT_EXHAUSTIVE}, {NULL, 0},
};

/* ---- reading ----------------------------------------------------------------------------------------------------- */

void wisdom_find_path(char *path, size_t size) {
    if (dwc_wisdom_path_from_env(path, size, NULL))
        path[0] = 0;
}

static void warn_of_damage(const char *path, const dwc_wisdom_report *report, const cli_failure *failure) {
    char damaged[64] = "", unsigned_records[80] = "";
    if (report->damaged)
        snprintf(damaged, sizeof damaged, "%" PRId64 " damaged record%s", report->damaged,
                 report->damaged == 1 ? "" : "s");
    if (report->unsigned_records)
        snprintf(unsigned_records, sizeof unsigned_records, "%" PRId64 " record%s with a wrong checksum",
                 report->unsigned_records, report->unsigned_records == 1 ? "" : "s");
    if (report->damaged || report->unsigned_records)
        cli_warn(failure, "%s: %s%s%s, %s", path, damaged, report->damaged && report->unsigned_records ? ", " : "",
                 unsigned_records, report->first);
}

int wisdom_read(dwc_wisdom *wisdom, const char *path, int missing_ok, dwc_wisdom_report *report, cli_failure *failure) {
    dwc_error error;
    if (dwc_wisdom_load(wisdom, path, report, &error))
        return fail_library(failure, NULL, &error);
    if (!missing_ok && access(path, F_OK) && !report->journals)
        return fail_file(failure, path, "open", errno);
    return EXIT_DONE;
}

int wisdom_load_file(dwc_wisdom *wisdom, const char *path, int missing_ok, dwc_wisdom_report *report,
                     cli_failure *failure) {
    int code = wisdom_read(wisdom, path, missing_ok, report, failure);
    if (!code)
        warn_of_damage(path, report, failure);
    return code;
}

/* A file that nobody named: where it cannot be read, a warning; *unread says so. */
static int load_default(dwc_wisdom *wisdom, const char *path, int *unread, cli_failure *failure) {
    dwc_wisdom_report report;
    dwc_error error;
    const dwc_status status = dwc_wisdom_load(wisdom, path, &report, &error);
    *unread = status == DWC_FILE_ERROR;
    if (*unread)
        cli_warn(failure, "%s", error.message);
    else if (status)
        return fail_library(failure, NULL, &error);
    else
        warn_of_damage(path, &report, failure);
    return EXIT_DONE;
}

/* The user's file, which is not written to if it cannot be read, and the site's. */
static int load_defaults(wisdom_file *file, cli_failure *failure) {
    int unread;
    wisdom_find_path(file->path, sizeof file->path);
    if (*file->path && load_default(file->wisdom, file->path, &file->lost, failure))
        return failure->code;
    return load_default(file->wisdom, dwc_wisdom_site_path(), &unread, failure);
}

int wisdom_open(wisdom_file *file, const wisdom_options *options, int automatic, cli_failure *failure) {
    dwc_error error;
    *file = (wisdom_file){.effort = options->effort, .named = options->file != NULL};
    if (!automatic && options->effort != DWC_EFFORT_ESTIMATE)
        return fail(failure, EXIT_USAGE, "--effort: goes with --algo auto");
    if (!automatic && options->file)
        return fail(failure, EXIT_USAGE, "--wisdom: goes with --algo auto");
    if (!automatic)
        return EXIT_DONE;
    if (dwc_wisdom_create(&file->wisdom, &error))
        return fail_library(failure, NULL, &error);
    if (!options->file)
        return load_defaults(file, failure);
    if (strlen(options->file) >= sizeof file->path)
        return fail(failure, EXIT_USAGE, "--wisdom: longer than %zu bytes", sizeof file->path - 1);
    strcpy(file->path, options->file);
    const int races = options->effort >= DWC_EFFORT_MEASURE;
    dwc_wisdom_report report;
    return wisdom_load_file(file->wisdom, file->path, races, &report, failure);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

void wisdom_say_lost(wisdom_file *file, const dwc_error *error, const cli_failure *failure) {
    if (!file->lost)
        cli_warn(failure, "%s", error->message);
    file->lost = 1;
}

void wisdom_keep(wisdom_file *file, const cli_failure *failure) {
    dwc_error error;
    if (!*file->path || file->kept || file->lost)
        return;
    if (dwc_wisdom_keep(file->wisdom, file->path, &error))
        wisdom_say_lost(file, &error, failure);
    else
        file->kept = 1;
}

void wisdom_close(wisdom_file *file, const cli_failure *failure) {
    dwc_error error;
    if (file->kept && dwc_wisdom_merge(file->wisdom, file->path, &error))
        wisdom_say_lost(file, &error, failure);
    dwc_wisdom_destroy(file->wisdom);
    file->wisdom = NULL;
    file->kept = 0;
}

/* ---- plans ------------------------------------------------------------------------------------------------------- */

static int show_progress(void *bar, double done) {
    progress_update(bar, done);
    return 0;
}

/* Threads of another number choose alike, mostly; other machines and kernels need not. */
static void warn_if_near(wisdom_file *file, const dwc_plan *plan, const cli_failure *failure) {
    dwc_plan_info info;
    char problem[DWC_PROBLEM_TEXT_MAX];
    dwc_plan_get_info(plan, &info);
    if (file->near || !*info.near || strcmp(info.near, "threads") == 0)
        return;
    dwc_problem_print(&info.problem, problem, sizeof problem);
    cli_warn(failure, "%s: tuned for %s; 'dwconv tune' tunes it for this one", problem,
             strcmp(info.near, "machine") ? "an older version of its kernels" : "another kind of machine");
    file->near = 1;
}

dwc_status wisdom_plan(wisdom_file *file, const dwc_context *context, const dwc_problem *problem,
                       const dwc_plan_options *options, dwc_plan **plan, dwc_error *error, cli_failure *failure) {
    dwc_geometry geometry;
    dwc_tune_options how;
    progress bar;
    dwc_plan_options choice = *options;
    const dwc_status bad = dwc_problem_geometry(problem, &geometry, error);
    if (bad)
        return bad;
    if (file->effort < DWC_EFFORT_MEASURE || geometry.output_elements == 0) {
        choice.effort = file->effort == DWC_EFFORT_WISDOM ? DWC_EFFORT_WISDOM : DWC_EFFORT_ESTIMATE;
        const dwc_status status = dwc_plan_create(context, problem, &choice, plan, error);
        if (status == DWC_OK)
            warn_if_near(file, *plan, failure);
        return status;
    }
    wisdom_keep(file, failure);
    dwc_tune_options_init(&how);
    how.effort = (dwc_effort)file->effort;
    how.progress = show_progress;
    how.user = &bar;
    *plan = NULL;
    progress_start(&bar, "problems", 1, 0);
    dwc_status status = dwc_tune_plan(context, file->wisdom, problem, &choice, &how, plan, error);
    progress_finish(&bar);
    if (status == DWC_FILE_ERROR && *plan) {
        wisdom_say_lost(file, error, failure);
        status = DWC_OK;
    }
    return status;
}
