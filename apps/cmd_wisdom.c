/* SPDX-License-Identifier: Apache-2.0 */
/* `dwconv wisdom ACTION`: looks at files of tuning records and looks after them.
 *
 *     actions: a row per action: how many words follow, which options it knows, who does it
 *
 * show, merge and diff are here, the others in files of their own; see wisdom_actions.h. */
#include "cli.h"
#include "json_line.h"
#include "records.h"
#include "wisdom_actions.h"
#include "wisdom_use.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { SHOW, EXPLAIN, MERGE, DIFF, VERIFY, PRUNE };

static wisdom_request options;

static const cli_choice action_names[] = {{"show", SHOW},     {"explain", EXPLAIN}, {"merge", MERGE}, {"diff", DIFF},
                                          {"verify", VERIFY}, {"prune", PRUNE},     {NULL, 0}};

#define AT(field) .offset = offsetof(wisdom_request, field)

static const cli_option table[] = {
    {"ACTION", "show|explain|merge|diff|verify|prune",
     "show: the records; explain: every candidate of a problem\nand why it was not taken; merge: the records of all "
     "files "
     "into\nthe first; diff: what two files say differently; verify:\nwhat is damaged or out of date; prune: remove "
     "that",
     option_choose, AT(action), .choices = action_names, .required = 1},
    {"ARGUMENT...", "ARGUMENT...", "show: a problem, all without; explain: a problem;\nmerge: OUT IN...; diff: A B",
     option_words, AT(words), .repeated = 1},
    {"--wisdom", "FILE", "the file; of merge and diff, the last one\n[dwconv info --wisdom]", option_text, AT(file)},
    {"--threads", "N", "explain: for so many threads [one per core]", option_integer, AT(threads), .minimum = 1,
     .maximum = DWC_MAX_THREADS},
    OPTION_CACHE(offsetof(wisdom_request, cache)),
    OPTIONS_LIMITS(offsetof(wisdom_request, limits)),
    {"--bands", NULL, "explain: for 'dwconv conv', whose algorithms must be able\nto compute images in bands",
     option_flag, AT(bands)},
    {"--accept", NULL, "verify: sign records whose checksum is not theirs, such as\nedited ones", option_flag,
     AT(accept)},
    {"--incomplete", NULL, "prune: records of races that were not decided too", option_flag, AT(incomplete)},
    {"--other-machines", NULL, "prune: records of other kinds of machines too", option_flag, AT(other_machines)},
    {"--json", NULL, "show, explain: print JSON objects", option_flag, AT(json)},
    OPTIONS_COMMON,
    {0},
};

int wisdom_request_path(const wisdom_request *request, char *path, size_t size, cli_failure *failure) {
    wisdom_find_path(path, size);
    if (request->file && strlen(request->file) >= size)
        return fail(failure, EXIT_USAGE, "--wisdom: longer than %zu bytes", size - 1);
    if (request->file)
        strcpy(path, request->file);
    return *path ? EXIT_DONE : fail(failure, EXIT_FAILED, "no file of tuning records: HOME is not set");
}

/* ---- show -------------------------------------------------------------------------------------------------------- */

static int print_record(const dwc_record *record, int first, cli_failure *failure) {
    if (options.json)
        return json_line(record_object(record), failure);
    if (first)
        record_print_header();
    record_print_row(record);
    return EXIT_DONE;
}

static int show_records(const dwc_wisdom *wisdom, const dwc_problem *only, cli_failure *failure) {
    const int64_t count = dwc_wisdom_count(wisdom);
    int first = 1, code = EXIT_DONE;
    for (int64_t i = 0; i < count && !code; i++) {
        dwc_record record;
        dwc_error error;
        if (dwc_expert_record_get(wisdom, i, &record, &error))
            return fail_library(failure, NULL, &error);
        if (!only || record_is_about(&record, only)) {
            code = print_record(&record, first, failure);
            first = 0;
        }
        dwc_expert_record_free(&record);
    }
    return code;
}

static int show(const wisdom_request *request, cli_failure *failure) {
    char path[4096];
    dwc_problem problem;
    dwc_wisdom_report report;
    dwc_wisdom *wisdom;
    dwc_error error;
    const char *text = request->words.count ? request->words.words[0] : NULL;
    if (text && dwc_problem_parse(text, &problem, &error))
        return fail_library(failure, text, &error);
    if (wisdom_request_path(request, path, sizeof path, failure))
        return failure->code;
    if (dwc_wisdom_create(&wisdom, &error))
        return fail_library(failure, NULL, &error);
    int code = wisdom_load_file(wisdom, path, !request->file, &report, failure);
    if (!code)
        code = show_records(wisdom, text ? &problem : NULL, failure);
    dwc_wisdom_destroy(wisdom);
    return code;
}

/* ---- merge ------------------------------------------------------------------------------------------------------- */

static int merge(const wisdom_request *request, cli_failure *failure) {
    const char *out = request->words.words[0];
    dwc_wisdom_report report;
    dwc_wisdom *wisdom;
    dwc_error error;
    int code = EXIT_DONE;
    if (dwc_wisdom_create(&wisdom, &error))
        return fail_library(failure, NULL, &error);
    for (int i = 1; i < request->words.count && !code; i++)
        code = wisdom_load_file(wisdom, request->words.words[i], 0, &report, failure);
    if (!code && dwc_wisdom_merge(wisdom, out, &error))
        code = fail_library(failure, NULL, &error);
    dwc_wisdom_forget(wisdom, NULL);
    if (!code)
        code = wisdom_read(wisdom, out, 0, &report, failure);
    if (!code)
        printf("%s: %" PRId64 " records\n", out, dwc_wisdom_count(wisdom));
    dwc_wisdom_destroy(wisdom);
    return code;
}

/* ---- diff -------------------------------------------------------------------------------------------------------- */

static void print_only(const dwc_record *record, const char *path) {
    char choice[RECORD_CHOICE_MAX];
    record_choice_text(record_choice(record)->algo, record_choice(record)->params, choice);
    printf("only in %s: %s, %s: %s\n", path, record->key, record->machine, choice);
}

/* Prints how two records choose differently; 0 if they do not. */
static int print_change(const dwc_record *a, const dwc_record *b) {
    const dwc_record_entry *x = record_choice(a), *y = record_choice(b);
    char from[RECORD_CHOICE_MAX], to[RECORD_CHOICE_MAX];
    if (!strcmp(x->algo, y->algo) && !strcmp(x->params, y->params))
        return 0;
    record_choice_text(x->algo, x->params, from);
    record_choice_text(y->algo, y->params, to);
    printf("differ: %s, %s: %s, %s\n", a->key, a->machine, from, to);
    return 1;
}

/* Compares the records of `from` with those of `to`; changes are printed only if `changes`. */
static int compare(const dwc_wisdom *from, const dwc_wisdom *to, const char *path, int changes, int64_t *found,
                   cli_failure *failure) {
    const int64_t count = dwc_wisdom_count(from);
    for (int64_t i = 0; i < count; i++) {
        dwc_record record, other = {.count = 0};
        dwc_error error;
        if (dwc_expert_record_get(from, i, &record, &error))
            return fail_library(failure, NULL, &error);
        const dwc_status status = dwc_expert_record_find(to, record.key, record.machine, &other, &error);
        if (status == DWC_NO_RECORD && !record_is_calibration(&record)) {
            print_only(&record, path);
            ++*found;
        } else if (status == DWC_OK && changes) {
            *found += print_change(&record, &other);
        }
        dwc_expert_record_free(&other);
        dwc_expert_record_free(&record);
        if (status && status != DWC_NO_RECORD)
            return fail_library(failure, NULL, &error);
    }
    return EXIT_DONE;
}

static int diff(const wisdom_request *request, cli_failure *failure) {
    const char *const *paths = request->words.words;
    dwc_wisdom *files[2] = {NULL, NULL};
    dwc_wisdom_report report;
    dwc_error error;
    int64_t found = 0;
    int code = EXIT_DONE;
    for (int i = 0; i < 2 && !code; i++)
        code = dwc_wisdom_create(&files[i], &error) ? fail_library(failure, NULL, &error)
                                                    : wisdom_load_file(files[i], paths[i], 0, &report, failure);
    if (!code)
        code = compare(files[0], files[1], paths[0], 1, &found, failure);
    if (!code)
        code = compare(files[1], files[0], paths[1], 0, &found, failure);
    dwc_wisdom_destroy(files[0]);
    dwc_wisdom_destroy(files[1]);
    return code ? code : found ? EXIT_FAILED : EXIT_DONE;
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

/* Options that not every action has. */
enum { WITH_PLAN = 1, WITH_ACCEPT = 2, WITH_PRUNE = 4, WITH_JSON = 8 };

static const struct {
    int fewest, most; /* words after the action */
    const char *words;
    int file_is_word; /* --wisdom is one of them */
    int options;
    int (*run)(const wisdom_request *request, cli_failure *failure);
} actions[] = {
    [SHOW] = {0, 1, "[PROBLEM]", 0, WITH_JSON, show},
    [EXPLAIN] = {1, 1, "PROBLEM", 0, WITH_PLAN | WITH_JSON, wisdom_explain},
    [MERGE] = {2, most_words, "OUT IN...", 1, 0, merge},
    [DIFF] = {2, 2, "A B", 1, 0, diff},
    [VERIFY] = {0, 0, "no argument", 0, WITH_ACCEPT, wisdom_verify},
    [PRUNE] = {0, 0, "no argument", 0, WITH_PRUNE, wisdom_prune},
};

/* The option that the action does not have, NULL if all is well. */
static const char *stray_option(int known) {
    const plan_limits *l = &options.limits;
    const struct {
        int given, needs;
        const char *name;
    } rows[] = {
        {options.threads != 0, WITH_PLAN, "--threads"},
        {options.cache != 0, WITH_PLAN, "--cache"},
        {l->numerics != 0, WITH_PLAN, "--numerics"},
        {l->max_error > 0, WITH_PLAN, "--max-error"},
        {l->max_workspace != 0, WITH_PLAN, "--max-workspace"},
        {l->strict_nonfinite, WITH_PLAN, "--strict-nonfinite"},
        {options.bands, WITH_PLAN, "--bands"},
        {options.accept, WITH_ACCEPT, "--accept"},
        {options.incomplete, WITH_PRUNE, "--incomplete"},
        {options.other_machines, WITH_PRUNE, "--other-machines"},
        {options.json, WITH_JSON, "--json"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].given && !(rows[i].needs & known))
            return rows[i].name;
    return NULL;
}

static int run_wisdom(cli_failure *failure) {
    const char *name = action_names[options.action].name;
    const char *stray = stray_option(actions[options.action].options);
    word_list *words = &options.words;
    if (stray)
        return fail(failure, EXIT_USAGE, "%s: %s has no such option", stray, name);
    if (options.file && actions[options.action].file_is_word && words->count < most_words)
        words->words[words->count++] = options.file;
    if (words->count < actions[options.action].fewest || words->count > actions[options.action].most)
        return fail(failure, EXIT_USAGE, "%s takes %s", name, actions[options.action].words);
    return actions[options.action].run(&options, failure);
}

const cli_command wisdom_command = {
    .name = "wisdom",
    .summary = "show, explain and look after tuning records",
    .usage = "ACTION [ARGUMENT...] [OPTIONS]",
    .about = "Works on files of tuning records, which 'dwconv tune' writes. diff and verify print a line per\n"
             "finding and exit with 1 if there is any.\n",
    .options = table,
    .values = &options,
    .run = run_wisdom,
};
