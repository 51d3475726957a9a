/* SPDX-License-Identifier: Apache-2.0 */
/* `dwconv wisdom verify` and `dwconv wisdom prune`: records that are damaged or of no more use.
 *
 *     trouble_of: unknown algorithm, older kernel, parameters that make no plan here -> verify: a line,
 *     prune: removed */
#include "dwconv_expert.h"
#include "records.h"
#include "wisdom_actions.h"
#include "wisdom_use.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct upkeep {
    const wisdom_request *request;
    char path[4096];
    dwc_wisdom *wisdom;
    dwc_context *context;
    char machine[DWC_MACHINE_TEXT_MAX]; /* this one */
    int64_t findings;
} upkeep;

/* ---- judging one record ------------------------------------------------------------------------------------------ */

/* Would a plan with the choice be refused here? Of other machines that cannot be said. */
static int refused(const upkeep *u, const dwc_record *record, dwc_error *error) {
    const dwc_record_entry *choice = record_choice(record);
    const dwc_plan_options options = {.algo = choice->algo, .params = choice->params[0] ? choice->params : NULL};
    dwc_problem problem;
    dwc_plan *plan;
    if (strcmp(record->machine, u->machine))
        return 0;
    if (!record_problem(record, &problem)) {
        snprintf(error->message, sizeof error->message, "its problem cannot be read");
        return 1;
    }
    if (dwc_plan_create(u->context, &problem, &options, &plan, error))
        return 1;
    dwc_plan_destroy(plan);
    return 0;
}

/* Is the record of no more use to this build? Then `why` says so. */
static int trouble_of(const upkeep *u, const dwc_record *record, char *why, size_t size) {
    const dwc_record_entry *choice = record_choice(record);
    dwc_error error;
    const int calibration = record_is_calibration(record);
    const int revision = calibration ? DWC_CALIBRATION_REVISION : dwc_expert_revision(choice->algo);
    if (revision == 0)
        snprintf(why, size, "this build has no algorithm '%s'", choice->algo);
    else if (revision != choice->revision)
        snprintf(why, size, "%s has changed since: revision %d, now %d", choice->algo, choice->revision, revision);
    else if (!calibration && refused(u, record, &error))
        snprintf(why, size, "%s", error.message);
    else
        return 0;
    return 1;
}

/* ---- both actions ------------------------------------------------------------------------------------------------ */

static int open_upkeep(upkeep *u, const wisdom_request *request, cli_failure *failure) {
    dwc_problem any;
    dwc_error error;
    u->request = request;
    dwc_problem_init(&any);
    if (wisdom_request_path(request, u->path, sizeof u->path, failure) ||
        cli_context(&request->common, 0, (dwc_isa)0, NULL, &u->context, NULL, failure))
        return failure->code;
    if (dwc_expert_key(u->context, &any, NULL, NULL, u->machine, &error) || dwc_wisdom_create(&u->wisdom, &error))
        return fail_library(failure, NULL, &error);
    return EXIT_DONE;
}

static void close_upkeep(upkeep *u) {
    dwc_context_destroy(u->context);
    dwc_wisdom_destroy(u->wisdom);
}

static int replace(const upkeep *u, cli_failure *failure) {
    dwc_error error;
    return dwc_expert_wisdom_replace(u->wisdom, u->path, &error) ? fail_library(failure, NULL, &error) : EXIT_DONE;
}

/* ---- verify ------------------------------------------------------------------------------------------------------ */

static int verify_records(upkeep *u, cli_failure *failure) {
    const int64_t count = dwc_wisdom_count(u->wisdom);
    for (int64_t i = 0; i < count; i++) {
        dwc_record record;
        dwc_error error;
        char why[300];
        if (dwc_expert_record_get(u->wisdom, i, &record, &error))
            return fail_library(failure, NULL, &error);
        if (trouble_of(u, &record, why, sizeof why)) {
            printf("%s, %s: %s\n", record.key, record.machine, why);
            u->findings++;
        }
        dwc_expert_record_free(&record);
    }
    return EXIT_DONE;
}

static void print_damage(upkeep *u, const dwc_wisdom_report *report) {
    if (report->damaged)
        printf("%s: %" PRId64 " damaged record%s\n", u->path, report->damaged, report->damaged == 1 ? "" : "s");
    if (report->unsigned_records)
        printf("%s: %" PRId64 " record%s with a wrong checksum, ignored until --accept signs them\n", u->path,
               report->unsigned_records, report->unsigned_records == 1 ? "" : "s");
    if (report->first[0])
        printf("%s: the first: %s\n", u->path, report->first);
    u->findings += report->damaged + report->unsigned_records;
}

/* Signs what has a wrong checksum, so that reading finds it right. */
static int accept_records(upkeep *u, cli_failure *failure) {
    dwc_wisdom_report report;
    dwc_error error;
    if (dwc_expert_wisdom_read(u->wisdom, u->path, 1, &report, &error) ||
        dwc_wisdom_load(u->wisdom, u->path, NULL, &error)) /* the journals */
        return fail_library(failure, NULL, &error);
    int code = replace(u, failure);
    dwc_wisdom_forget(u->wisdom, NULL);
    return code;
}

static int verify(upkeep *u, cli_failure *failure) {
    dwc_wisdom_report report;
    if (u->request->accept && accept_records(u, failure))
        return failure->code;
    if (wisdom_read(u->wisdom, u->path, !u->request->file, &report, failure))
        return failure->code;
    print_damage(u, &report);
    if (verify_records(u, failure))
        return failure->code;
    printf("%s: %" PRId64 " good record%s, %" PRId64 " finding%s\n", u->path, report.records,
           report.records == 1 ? "" : "s", u->findings, u->findings == 1 ? "" : "s");
    return u->findings ? EXIT_FAILED : EXIT_DONE;
}

int wisdom_verify(const wisdom_request *request, cli_failure *failure) {
    static upkeep u;
    int code = open_upkeep(&u, request, failure);
    if (!code)
        code = verify(&u, failure);
    close_upkeep(&u);
    return code;
}

/* ---- prune ------------------------------------------------------------------------------------------------------- */

static int is_useless(const dwc_record *record, void *user) {
    const upkeep *u = user;
    char why[300];
    return trouble_of(u, record, why, sizeof why) || (u->request->incomplete && !record->complete) ||
           (u->request->other_machines && strcmp(record->machine, u->machine));
}

static int prune(upkeep *u, cli_failure *failure) {
    dwc_wisdom_report report;
    int code = wisdom_load_file(u->wisdom, u->path, !u->request->file, &report, failure);
    if (code)
        return code;
    const int64_t removed = dwc_expert_records_drop(u->wisdom, is_useless, u);
    const int64_t lost = report.damaged + report.unsigned_records;
    if ((removed || lost || report.journals) && replace(u, failure))
        return failure->code;
    printf("%s: removed %" PRId64 " record%s, kept %" PRId64 "\n", u->path, removed + lost,
           removed + lost == 1 ? "" : "s", dwc_wisdom_count(u->wisdom));
    return EXIT_DONE;
}

int wisdom_prune(const wisdom_request *request, cli_failure *failure) {
    static upkeep u;
    int code = open_upkeep(&u, request, failure);
    if (!code)
        code = prune(&u, failure);
    close_upkeep(&u);
    return code;
}
