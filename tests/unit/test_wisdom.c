/* SPDX-License-Identifier: Apache-2.0 */
/* Tuning records as text and in memory: round trips, what is refused, which of two records stays, look-ups. */
#define _GNU_SOURCE
#include "core/checksum.h"
#include "core/wisdom.h"
#include "wisdom_records.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void test_checksum(void **state) {
    (void)state;
    unsigned char zeros[32] = {0};
    assert_int_equal(dwci_crc32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(dwci_crc32c(0, zeros, sizeof zeros), 0x8a9136aau);
    assert_int_equal(dwci_crc32c(dwci_crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
    assert_int_equal(dwci_crc32c(7, "", 0), 7);
    unsigned char bytes[61]; /* whole words and a rest, at every alignment, against one byte at a time */
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37 + 11);
    for (size_t from = 0; from < 9; from++) {
        uint32_t single = 0;
        for (size_t i = from; i < sizeof bytes; i++)
            single = dwci_crc32c(single, bytes + i, 1);
        assert_int_equal(dwci_crc32c(0, bytes + from, sizeof bytes - from), single);
    }
}

static void test_efforts(void **state) {
    (void)state;
    for (int i = DWC_EFFORT_ESTIMATE; i <= DWC_EFFORT_EXHAUSTIVE; i++)
        assert_int_equal(dwc_effort_parse(dwc_effort_name((dwc_effort)i)), i);
    assert_string_equal(dwc_effort_name(DWC_EFFORT_PATIENT), "patient");
    assert_string_equal(dwc_effort_name((dwc_effort)5), "?");
    assert_string_equal(dwc_effort_name((dwc_effort)-1), "?");
    assert_int_equal(dwc_effort_parse("hasty"), -1);
    assert_int_equal(dwc_effort_parse(NULL), -1);
}

/* ---- round trips ---- */

/* Every field has a value that nothing else has. */
static dwc_record *full_record(int flag) {
    dwc_record *r = dwt_make_record(3, 250);
    snprintf(r->machine, sizeof r->machine, "\"quoted\" \\ \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 {\"key\":\"x\"}");
    memset(r->host, 'h', sizeof r->host - 1);
    r->effort = DWC_EFFORT_EXHAUSTIVE;
    r->complete = flag, r->tie = flag, r->rounds = 2147483647, r->tried = 249, r->legal = 250;
    r->images = INT64_C(9007199254740993);
    r->default_ratio = 4, r->spent_s = 1234567.875;
    for (int i = 0; i < r->count; i++) {
        dwc_record_entry *e = r->entries + i;
        e->revision = i, e->rounds = 250 - i;
        e->median_s = 1e-300, e->min_s = 4.9406564584124654e-324, e->model_s = -0.1234567891, e->max_err = 1e300;
        e->ratio = 1.0 / 3, e->low = -2, e->high = 1e22;
        e->workspace_bytes = INT64_MAX - i;
    }
    memset(r->entries[7].params, '"', sizeof r->entries[7].params - 1);
    r->entries[8].params[0] = 0;
    return r;
}

static void check_found(const dwc_wisdom *wisdom, const dwc_record *expected) {
    dwc_record found;
    dwc_error error;
    dwt_ok(dwc_expert_record_find(wisdom, expected->key, expected->machine, &found, &error), &error, "find");
    dwt_same_record(expected, &found);
    dwc_expert_record_free(&found);
}

static void round_trip(int flag) {
    const char *path = dwt_scratch();
    dwc_error error;
    dwc_wisdom_report report;
    dwc_wisdom *w = dwt_wisdom(0, 0);
    const dwc_record *r = full_record(flag);
    dwt_ok(dwc_expert_record_add(w, r, &error), &error, "add");
    check_found(w, r);
    dwt_ok(dwc_wisdom_merge(w, path, &error), &error, "merge");
    dwc_wisdom_destroy(w);
    w = dwt_load(path, &report);
    assert_true(report.records == 1 && !report.damaged && !report.unsigned_records && !report.first[0]);
    check_found(w, r);
    dwc_wisdom_destroy(w);
    dwt_scratch_end();
}

static void test_round_trip(void **state) {
    (void)state;
    round_trip(0);
    round_trip(1);
}

/* A locale whose decimal point is a comma; where the machine has none, one made in the scratch folder, if that works.
 */
static int use_comma(void) {
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8"};
    for (size_t i = 0; i < 2; i++)
        if (setlocale(LC_NUMERIC, names[i]))
            return 1;
    char command[1400], folder[400];
    snprintf(folder, sizeof folder, "%s.locale", dwt_scratch());
    snprintf(command, sizeof command, "mkdir '%s' && localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >'%s/log' 2>&1",
             folder, folder, folder);
    setenv("LOCPATH", folder, 1);
    int made = system(command) == 0 && setlocale(LC_NUMERIC, names[0]);
    unsetenv("LOCPATH");
    return made;
}

static void test_locale(void **state) {
    (void)state;
    char text[8];
    if (!use_comma())
        skip();
    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, "0,5");
    round_trip(1);
    setlocale(LC_NUMERIC, "C");
}

static void refused(const dwc_record *record, const char *field) {
    dwc_error error = {DWC_OK, ""};
    dwc_wisdom *w = dwt_wisdom(0, 0);
    if (dwc_expert_record_add(w, record, &error) != DWC_INVALID_ARGUMENT || !strstr(error.message, field))
        dwt_fail("a bad %s: '%s'", field, error.message);
    assert_int_equal(dwc_wisdom_count(w), 0);
    dwc_wisdom_destroy(w);
}

#define REFUSED(change, field)                                                                                         \
    do {                                                                                                               \
        dwc_record *r = dwt_make_record(1, 2);                                                                         \
        change;                                                                                                        \
        refused(r, field);                                                                                             \
    } while (0)

static void test_refused(void **state) {
    (void)state;
    REFUSED(r->key[0] = 0, "key");
    REFUSED(memset(r->key, 'k', sizeof r->key), "key");
    REFUSED(r->machine[0] = 0, "machine");
    REFUSED(r->machine[2] = '\n', "machine");
    REFUSED(r->host[1] = '\x1b', "host");
    REFUSED(r->host[1] = '\xff', "host");
    REFUSED(r->date[4] = '/', "date");
    REFUSED(r->date[0] = 0, "date");
    REFUSED(r->effort = (dwc_effort)9, "effort");
    REFUSED(r->rounds = -1, "rounds");
    REFUSED(r->images = -1, "images");
    REFUSED(r->spent_s = INFINITY, "spent_s");
    REFUSED(r->default_ratio = NAN, "default_ratio");
    REFUSED(r->count = 0, "entries");
    REFUSED(r->count = 1 << 20, "entries");
    REFUSED(r->entries = NULL, "entries");
    REFUSED(r->entries[0].algo[0] = 0, "algo");
    REFUSED(r->entries[1].max_err = NAN, "max_err");
    REFUSED(r->entries[1].workspace_bytes = -5, "workspace_bytes");
}

/* ---- sets ---- */

/* Which of two records stays, whatever comes first. */
static void check_better(dwc_record *better, int complete) {
    dwc_error error;
    dwc_record found;
    for (int order = 0; order <= 1; order++) {
        dwc_wisdom *w = dwt_wisdom(0, 0);
        for (int i = 0; i <= 1; i++) {
            dwc_record *worse = dwt_make_record(1, 1);
            worse->complete = complete;
            dwt_ok(dwc_expert_record_add(w, i == order ? better : worse, &error), &error, "add");
        }
        assert_int_equal(dwc_wisdom_count(w), 1);
        dwt_ok(dwc_expert_record_get(w, 0, &found, &error), &error, "get");
        assert_int_equal(found.rounds, 1);
        dwc_expert_record_free(&found);
        dwc_wisdom_destroy(w);
    }
}

/* The better one has the smaller text (by its rounds), so that each rule has to do its work. */
#define BETTER(complete, change)                                                                                       \
    do {                                                                                                               \
        dwt_record r = {.record = *dwt_make_record(1, 1)};                                                             \
        r.entries[0] = r.record.entries[0];                                                                            \
        r.record.entries = r.entries;                                                                                  \
        r.record.rounds = 1;                                                                                           \
        change;                                                                                                        \
        check_better(&r.record, complete);                                                                             \
    } while (0)

static void test_better(void **state) {
    (void)state;
    BETTER(1, (r.entries[0].revision = 2, r.record.effort = DWC_EFFORT_ESTIMATE, r.record.complete = 0));
    BETTER(1, (r.record.effort = DWC_EFFORT_PATIENT, r.record.complete = 0, r.record.date[3] = '0'));
    BETTER(0, r.record.date[3] = '0');
    BETTER(1, r.record.date[3] = '7');
    BETTER(1, r.record.default_ratio = 1.9); /* the greater text */
}

static void visit_machine(const dwc_record *record, void *user) {
    snprintf(user, 96, "%s", record->machine);
}

static int even(const dwc_record *record, void *user) {
    return record->legal % 2 == *(const int *)user;
}

static void check_sorted(const dwc_wisdom *w) {
    dwc_error error;
    for (int64_t i = 1; i < dwc_wisdom_count(w); i++) {
        dwc_record before, r;
        dwt_ok(dwc_expert_record_get(w, i - 1, &before, &error), &error, "get");
        dwt_ok(dwc_expert_record_get(w, i, &r, &error), &error, "get");
        assert_true(strcmp(before.key, r.key) < 0);
        dwc_expert_record_free(&before);
        dwc_expert_record_free(&r);
    }
}

static void test_set(void **state) {
    (void)state;
    dwc_error error;
    dwc_record r;
    char machine[96] = "";
    dwc_wisdom *w = dwt_wisdom(0, 1000);
    assert_int_equal(dwc_wisdom_count(w), 1000);
    check_sorted(w);
    dwt_add(w, 1000, 1);
    check_sorted(w);
    assert_int_equal(dwc_expert_record_get(w, 1001, &r, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_expert_record_get(w, -1, &r, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_expert_record_find(w, "nothing", "x", &r, &error), DWC_NO_RECORD);
    int parity = 0;
    assert_int_equal(dwc_expert_records_drop(w, even, &parity), 500);
    for (int i = 0; i <= 1000; i++)
        assert_int_equal(dwt_has(w, i), (57 + i) % 2 != 0);
    const char *key = dwt_make_record(2, 1)->key;
    char copy[DWC_KEY_TEXT_MAX];
    strcpy(copy, key);
    assert_true(dwci_wisdom_find(w, copy, dwt_make_record(2, 1)->machine, visit_machine, machine));
    assert_string_equal(machine, dwt_make_record(2, 1)->machine);
    assert_false(dwci_wisdom_find(w, copy, "other", visit_machine, machine));
    assert_true(dwci_wisdom_find_near(w, copy, "other", visit_machine, machine));
    assert_false(dwci_wisdom_find_near(w, copy, dwt_make_record(2, 1)->machine, visit_machine, machine));
    /* Of two other machines the better record, here by its effort. */
    dwc_record *other = dwt_make_record(2, 1);
    strcpy(other->machine, "zeta"), other->effort = DWC_EFFORT_PATIENT;
    dwt_ok(dwc_expert_record_add(w, other, &error), &error, "add");
    strcpy(other->machine, "omega"), other->effort = DWC_EFFORT_MEASURE;
    dwt_ok(dwc_expert_record_add(w, other, &error), &error, "add");
    assert_true(dwci_wisdom_find_near(w, copy, "other", visit_machine, machine));
    assert_string_equal(machine, "zeta");
    /* n is of no meaning; what follows the text of a problem in that of another is. */
    other = dwt_make_record(2, 1);
    strcpy(strstr(other->key, " resident"), ":bias resident t1");
    dwt_ok(dwc_expert_record_add(w, other, &error), &error, "add");
    dwc_problem problem = dwt_problem("f32:nhwc:n64:3x28x96:k3x3");
    dwc_wisdom_forget(w, &problem);
    assert_false(dwt_has(w, 2));
    assert_int_equal(dwc_wisdom_count(w), 501);
    problem.bias = 1, problem.h = 5;
    dwc_wisdom_forget(w, &problem);
    assert_int_equal(dwc_wisdom_count(w), 501);
    problem.h = 3;
    dwc_wisdom_forget(w, &problem);
    assert_int_equal(dwc_wisdom_count(w), 500);
    dwc_wisdom_forget(w, NULL);
    assert_int_equal(dwc_wisdom_count(w), 0);
    dwt_add(w, 3, 1);
    assert_true(dwt_has(w, 3));
    dwc_wisdom_destroy(w);
    dwc_wisdom_destroy(NULL);
}

static void ignore(const dwc_record *record, void *user) {
    *(int *)user += record->count;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* 10,000 records of 12 entries; the times are printed, not judged. A small --count: fewer. */
static void test_many(void **state) {
    (void)state;
    enum { MANY = 10000, LOOKS = 200000 };
    static char keys[MANY][DWC_KEY_TEXT_MAX];
    const char *path = dwt_scratch();
    int many = dwt_args.count && dwt_args.count < MANY ? 500 : MANY;
    dwc_error error;
    dwc_wisdom *w = dwt_wisdom(0, 0);
    for (int i = 0; i < many; i++) {
        dwt_add(w, i, 12);
        strcpy(keys[i], dwt_make_record(i, 1)->key);
    }
    double start = now();
    dwt_ok(dwc_wisdom_merge(w, path, &error), &error, "merge");
    double merged = now();
    dwc_wisdom_destroy(w);
    double begin = now();
    w = dwt_load(path, NULL);
    double loaded = now();
    assert_int_equal(dwc_wisdom_count(w), many);
    int sum = 0;
    const char *machine = dwt_make_record(0, 1)->machine;
    double looking = now();
    for (int i = 0; i < LOOKS; i++)
        assert_true(dwci_wisdom_find(w, keys[(int64_t)i * 7919 % many], machine, ignore, &sum));
    printf("%d records of 12 entries: merge %.3f s, load %.3f s, look-up %.3f us\n", many, merged - start,
           loaded - begin, 1e6 * (now() - looking) / LOOKS);
    dwc_wisdom_destroy(w);
    dwt_scratch_end();
}

static void test_environment(void **state) {
    (void)state;
    char path[64] = "unset";
    dwc_error error;
    unsetenv("DWC_WISDOM"), unsetenv("XDG_STATE_HOME"), unsetenv("HOME");
    assert_int_equal(dwc_wisdom_path_from_env(path, sizeof path, &error), DWC_NOT_APPLICABLE);
    assert_string_equal(path, "unset");
    setenv("HOME", "/h", 1);
    assert_int_equal(dwc_wisdom_path_from_env(path, sizeof path, &error), DWC_OK);
    assert_string_equal(path, "/h/.local/state/dwconv/wisdom.jsonl");
    setenv("XDG_STATE_HOME", "state", 1); /* relative: does not count */
    assert_int_equal(dwc_wisdom_path_from_env(path, sizeof path, &error), DWC_OK);
    assert_string_equal(path, "/h/.local/state/dwconv/wisdom.jsonl");
    setenv("XDG_STATE_HOME", "/s", 1);
    assert_int_equal(dwc_wisdom_path_from_env(path, sizeof path, &error), DWC_OK);
    assert_string_equal(path, "/s/dwconv/wisdom.jsonl");
    setenv("DWC_WISDOM", "w.jsonl", 1);
    assert_int_equal(dwc_wisdom_path_from_env(path, sizeof path, &error), DWC_OK);
    assert_string_equal(path, "w.jsonl");
    assert_int_equal(dwc_wisdom_path_from_env(path, 8, &error), DWC_OK);
    assert_int_equal(dwc_wisdom_path_from_env(path, 7, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_wisdom_path_from_env(NULL, 8, &error), DWC_INVALID_ARGUMENT);
    unsetenv("DWC_WISDOM"), unsetenv("XDG_STATE_HOME");
    assert_true(strlen(dwc_wisdom_site_path()) > 0);
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksum), cmocka_unit_test(test_efforts), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_locale),   cmocka_unit_test(test_refused), cmocka_unit_test(test_better),
        cmocka_unit_test(test_set),      cmocka_unit_test(test_many),    cmocka_unit_test(test_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
