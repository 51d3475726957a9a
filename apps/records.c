/* SPDX-License-Identifier: Apache-2.0 */
/* Tuning records as text and JSON; see records.h. */
#define _GNU_SOURCE
#include "records.h"

#include "json_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void record_split_key(const dwc_record *record, record_key *key) {
    const char **const parts[] = {&key->problem,   &key->batch,     &key->threads,
                                  &key->placement, &key->alignment, &key->limits};
    enum { count = sizeof parts / sizeof *parts };
    snprintf(key->text, sizeof key->text, "%s", record->key);
    char *rest = key->text;
    for (int i = 0; i < count; i++) {
        *parts[i] = rest ? rest : "";
        if (i + 1 < count)
            strsep(&rest, " ");
    }
    key->threads += key->threads[0] == 't';
}

int record_problem(const dwc_record *record, dwc_problem *problem) {
    record_key key;
    record_split_key(record, &key);
    return dwc_problem_parse(key.problem, problem, NULL) == DWC_OK;
}

int record_is_about(const dwc_record *record, const dwc_problem *problem) {
    char text[DWC_PROBLEM_TEXT_MAX];
    record_key key;
    dwc_problem image = *problem;
    if (image.n > 1)
        image.n = 1;
    dwc_problem_print(&image, text, sizeof text);
    record_split_key(record, &key);
    return strcmp(key.problem, text) == 0;
}

int record_is_calibration(const dwc_record *record) {
    return strcmp(record->key, DWC_CALIBRATION_KEY) == 0;
}

const dwc_record_entry *record_choice(const dwc_record *record) {
    static const dwc_record_entry none = {.algo = ""};
    return record->count ? record->entries : &none;
}

void record_choice_text(const char *algo, const char *params, char text[RECORD_CHOICE_MAX]) {
    snprintf(text, RECORD_CHOICE_MAX, "%.32s%s%.*s%s", algo, params[0] ? " (" : "", DWC_PARAMS_TEXT_MAX, params,
             params[0] ? ")" : "");
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static json_t *entry_object(const dwc_record_entry *e) {
    return json_pack("{s:s, s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "algo", e->algo, "params",
                     e->params, "revision", e->revision, "rounds", e->rounds, "ratio", e->ratio, "low", e->low, "high",
                     e->high, "median_s", e->median_s, "min_s", e->min_s, "model_s", e->model_s, "max_err", e->max_err,
                     "workspace_bytes", (json_int_t)e->workspace_bytes);
}

json_t *record_object(const dwc_record *r) {
    record_key key;
    json_t *entries = json_array();
    for (int i = 0; i < r->count; i++)
        json_array_append_new(entries, entry_object(&r->entries[i]));
    record_split_key(r, &key);
    return json_pack(
        "{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:i, s:i, s:i, s:I, s:o, s:f, s:s, s:s, s:s,"
        " s:o}",
        "problem", key.problem, "batch", key.batch, "threads", atoi(key.threads), "placement", key.placement,
        "alignment", key.alignment, "limits", key.limits, "machine", r->machine, "key", r->key, "algo",
        record_choice(r)->algo, "params", record_choice(r)->params, "effort", dwc_effort_name(r->effort), "complete",
        r->complete, "tie", r->tie, "rounds", r->rounds, "tried", r->tried, "legal", r->legal, "images",
        (json_int_t)r->images, "default_ratio", json_known(r->default_ratio), "spent_s", r->spent_s, "library",
        r->library, "host", r->host, "date", r->date, "entries", entries);
}

/* ---- table ------------------------------------------------------------------------------------------------------- */

void record_print_header(void) {
    printf("%-52s %-9s %7s %11s %6s %-4s %-10s %-8s %-20s %s\n", "problem", "batch", "threads", "median us", "gain",
           "tie", "effort", "complete", "date", "choice; host, machine, limits");
}

static void print_calibration(const dwc_record *r) {
    printf("%s of %s, %s, %s:", r->key, r->machine, r->host, r->date);
    for (int i = 0; i < r->count; i++)
        printf("%s %s %.3g ns", i ? "," : "", r->entries[i].algo, 1e9 * r->entries[i].min_s);
    printf("\n");
}

void record_print_row(const dwc_record *r) {
    if (record_is_calibration(r)) {
        print_calibration(r);
        return;
    }
    char choice[RECORD_CHOICE_MAX];
    record_key key;
    const dwc_record_entry *first = record_choice(r);
    record_split_key(r, &key);
    record_choice_text(first->algo, first->params, choice);
    printf("%-52s %-9s %7s %11.2f %5.2fx %-4s %-10s %-8s %-20s %s; %s, %s, %s%s, %s\n", key.problem, key.batch,
           key.threads, 1e6 * first->median_s, r->default_ratio, r->tie ? "yes" : "no", dwc_effort_name(r->effort),
           r->complete ? "yes" : "no", r->date, choice, r->host, r->machine, key.placement,
           strcmp(key.alignment, "any") ? key.alignment : "", key.limits);
}
