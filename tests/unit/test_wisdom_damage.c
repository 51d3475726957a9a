/* SPDX-License-Identifier: Apache-2.0 */
/* Wisdom files in any state: damage of every kind, headers, checksums, fields of later versions.
 *
 * Damage is made in the text of a file of 20 records, byte by byte; --count 10000 tries every kind of damage at every
 * byte, a small --count (for valgrind) damages few bytes. */
#include "core/checksum.h"
#include "core/wisdom.h"
#include "wisdom_records.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS = 20 };

/* From one damaged byte to the next. */
static size_t stride(size_t usual) {
    return dwt_args.count >= 10000 ? 1 : dwt_args.count ? 97 : usual;
}

/* The text of a file of RECORDS records. Release with free. */
static char *file_text(size_t *bytes) {
    const char *path = dwt_scratch();
    dwc_error error;
    dwc_wisdom *w = dwt_wisdom(0, 0);
    for (int i = 0; i < RECORDS; i++)
        dwt_add(w, i, 1);
    dwt_ok(dwc_wisdom_merge(w, path, &error), &error, "merge");
    dwc_wisdom_destroy(w);
    char *text = dwt_read_file(path, bytes);
    dwt_scratch_end();
    return text;
}

/* Reads from memory that ends where the text ends. */
static dwci_content scan(const char *text, size_t bytes, const char *journal) {
    dwci_content content = {0};
    int64_t version;
    dwc_error error;
    char *copy = malloc(bytes);
    memcpy(copy, text, bytes);
    dwt_ok(dwci_findings_scan(&content.findings, copy, bytes, journal, &version, &error), &error, "scan");
    free(copy);
    return content;
}

/* The records of the content are records of the whole file, text for text. */
static void check_genuine(const dwci_content *content, const char *whole) {
    for (int64_t i = 0; i < content->findings.records.count; i++)
        if (!strstr(whole, content->findings.records.slots[i].item->text))
            dwt_fail("a record that nobody wrote: %s", content->findings.records.slots[i].item->text);
}

static void check_damage(const char *text, size_t bytes, const char *whole, size_t at) {
    dwci_content content = scan(text, bytes, NULL);
    const dwci_findings *f = &content.findings;
    if (f->records.count < RECORDS - 1)
        dwt_fail("damage at byte %zu costs %" PRId64 " records", at, RECORDS - f->records.count);
    if (f->records.count < RECORDS && f->report.damaged + f->report.unsigned_records < 1)
        dwt_fail("damage at byte %zu is not reported", at);
    check_genuine(&content, whole);
    dwci_content_clear(&content);
}

static void test_flipped(void **state) {
    (void)state;
    size_t bytes;
    char *whole = file_text(&bytes), *text = malloc(bytes);
    for (size_t at = 0; at < bytes; at += stride(1)) {
        const char kinds[] = {(char)(whole[at] ^ 1), (char)(whole[at] ^ 0x80), '\n', '"', 0, '{', '}', '\\'};
        for (size_t kind = 0; kind < sizeof kinds; kind++) {
            if (dwt_args.count < 10000 && kind != at % sizeof kinds)
                continue;
            memcpy(text, whole, bytes);
            text[at] = kinds[kind];
            check_damage(text, bytes, whole, at);
        }
    }
    free(text);
    free(whole);
}

static void test_byte_removed(void **state) {
    (void)state;
    size_t bytes;
    char *whole = file_text(&bytes), *text = malloc(bytes);
    for (size_t at = 0; at < bytes; at += stride(5)) {
        memcpy(text, whole, at);
        memcpy(text + at, whole + at + 1, bytes - at - 1);
        check_damage(text, bytes - 1, whole, at);
    }
    free(text);
    free(whole);
}

/* Cut off anywhere, then padded with zeros as after a power failure: what ends before the cut is kept, and in a journal
 * the torn record is no damage. */
static void test_truncated(void **state) {
    (void)state;
    size_t bytes;
    char *whole = file_text(&bytes), *text = malloc(bytes + 512);
    for (size_t cut = 0; cut <= bytes; cut++) {
        int between = cut == 0 || whole[cut - 1] == '\n' || whole[cut] == '\n' || cut == bytes;
        size_t padding = between || cut % 4 == 0 ? 512 : 0;
        if (cut % stride(3) != 0 && !between)
            continue;
        int complete = -1; /* the header */
        for (size_t i = 0; i < cut; i++)
            complete += whole[i] == '}' && whole[i + 1] == '\n';
        memcpy(text, whole, cut);
        memset(text + cut, 0, 512);
        for (int journal = 0; journal <= 1; journal++) {
            dwci_content content = scan(text, cut + padding, journal ? "journal" : NULL);
            assert_int_equal(content.findings.records.count, complete < 0 ? 0 : complete);
            if (journal)
                assert_true(!content.findings.report.damaged && !content.findings.report.first[0]);
            else
                assert_int_equal(content.findings.report.damaged, !between);
            check_genuine(&content, whole);
            dwci_content_clear(&content);
        }
    }
    free(text);
    free(whole);
}

/* Replaces the first `from` in the text, whose memory has room for 100 bytes more. */
static void replace(char *text, const char *from, const char *to) {
    char *at = strstr(text, from);
    assert_non_null(at);
    memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
    memcpy(at, to, strlen(to));
}

/* One change in the second record: it alone is lost, as a damaged one, signed or not. */
static void test_bad_fields(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"\"tie\":true", "\"tie\":1"},
        {"\"tie\":true,", ""},
        {"\"rounds\":31", "\"rounds\":31.0"},
        {"\"rounds\":31", "\"rounds\":-31"},
        {"\"rounds\":31", "\"rounds\":3000000000"},
        {"\"rounds\":31", "\"rounds\":99999999999999999999"},
        {"\"images\":1", "\"images\":\"1\""},
        {"\"median_s\":1.25e-5", "\"median_s\":1e999"},
        {"\"median_s\":1.25e-5", "\"median_s\":NaN"},
        {"\"median_s\":1.25e-5", "\"median_s\":null"},
        {"\"median_s\":1.25e-5", "\"median_s\":[[[]]]"},
        {"\"algo\":\"direct\"", "\"algo\":\"\""},
        {"\"algo\":\"direct\"", "\"algo\":\"directdirectdirectdirectdirectdirect\""},
        {"\"algo\":\"direct\"", "\"algo\":\"dir\\u0000ct\""},
        {"\"algo\":\"direct\"", "\"algo\":\"dir\\nct\""},
        {"\"effort\":\"measure\"", "\"effort\":\"hasty\""},
        {"\"date\":\"2026-", "\"date\":\"zzzz-"},
        {"\"machine\":\"A", "\"machine\":\"\",\"x\":\"A"},
        {"\"choice\":{", "\"choice\":[],\"x\":{"},
        {"\"runners_up\":[]", "\"runners_up\":{}"},
        {"\"runners_up\":[]", "\"runners_up\":[1]"},
        {"\"tried\":12", "\"tried\":12,\"tried\":12"},
    };
    size_t bytes;
    char *whole = file_text(&bytes), *text = malloc(bytes + 100);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int sign = 0; sign <= 1; sign++) {
            dwci_content content = {.findings = {.sign = sign}};
            int64_t version;
            char *record = strchr(strcpy(text, whole), '\n') + 1;
            replace(strchr(record, '\n'), bad[i][0], bad[i][1]);
            assert_int_equal(dwci_findings_scan(&content.findings, text, strlen(text), NULL, &version, NULL), DWC_OK);
            const dwc_wisdom_report *report = &content.findings.report;
            if (report->records != RECORDS - 1 || report->damaged != 1 || report->unsigned_records)
                dwt_fail("%s instead of %s: %" PRId64 " records, %" PRId64 " damaged", bad[i][1], bad[i][0],
                         report->records, report->damaged);
            assert_string_equal(report->first, "line 3: no record");
            dwci_content_clear(&content);
        }
    free(text);
    free(whole);
}

/* Texts much longer than any field, in every field that is text. */
static void test_long_texts(void **state) {
    (void)state;
    static const char *const fields[] = {"\"key\":\"",     "\"machine\":\"", "\"algo\":\"", "\"params\":\"",
                                         "\"library\":\"", "\"host\":\"",    "\"date\":\""};
    enum { LONG = 100000 };
    size_t bytes;
    char *whole = file_text(&bytes), *text = malloc(bytes + LONG + 1);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        size_t at = (size_t)(strstr(whole, fields[i]) - whole) + strlen(fields[i]);
        memcpy(text, whole, at);
        memset(text + at, 'x', LONG);
        strcpy(text + at + LONG, whole + at);
        dwci_content content = scan(text, bytes + LONG, NULL);
        assert_int_equal(content.findings.report.records, RECORDS - 1);
        assert_int_equal(content.findings.report.damaged, 1);
        dwci_content_clear(&content);
    }
    free(text);
    free(whole);
}

static void check_counts(const char *text, int64_t records, int64_t damaged, int64_t unsigned_records) {
    dwci_content content = scan(text, strlen(text), NULL);
    const dwc_wisdom_report *report = &content.findings.report;
    assert_int_equal(report->records, records);
    assert_int_equal(report->damaged, damaged);
    assert_int_equal(report->unsigned_records, unsigned_records);
    dwci_content_clear(&content);
}

/* What people do to files: sort and join lines, drop the header, add words. */
static void test_headers(void **state) {
    (void)state;
    size_t bytes;
    char *whole = file_text(&bytes), *text = malloc(2 * bytes + 100);
    char *records = strchr(whole, '\n') + 1;
    check_counts("", 0, 0, 0);
    check_counts(" \n\t\r\n", 0, 0, 0);
    check_counts("hello", 0, 1, 0);
    check_counts(records, RECORDS, 1, 0);
    check_counts(strcat(strcpy(text, whole), whole), 2 * RECORDS, 0, 0);
    check_counts(strcat(strcpy(text, records), whole), 2 * RECORDS, 0, 0);
    check_counts(strcat(strcpy(text, whole), "words"), RECORDS, 1, 0);
    strcpy(text, whole);
    replace(text, "\n{\"key\"", "{\"key\""); /* a newline missing, one too many */
    replace(strchr(text, '\n'), "\n{\"key\"", "\n\n{\"key\"");
    check_counts(text, RECORDS, 0, 0);
    strcpy(text, whole);
    replace(text, "dwconv-wisdom", "fftw-wisdom");
    check_counts(text, RECORDS, 1, 0);
    strcpy(text, whole);
    replace(text, "\"version\":1", "\"version\":2"); /* not signed: no later format, but damage */
    check_counts(text, RECORDS, 1, 0);
    free(text);
    free(whole);
}

static void test_later_format(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    char text[200];
    dwc_error error;
    dwc_wisdom *w = dwt_wisdom(0, 2);
    int length = snprintf(text, sizeof text, "{\"format\":\"dwconv-wisdom\",\"version\":2");
    snprintf(text + length, sizeof text - (size_t)length, ",\"checksum\":\"%08x\"}\n",
             dwci_crc32c(0, text, (size_t)length));
    dwt_write_file(path, text, strlen(text));
    assert_int_equal(dwc_wisdom_load(w, path, NULL, &error), DWC_FILE_ERROR);
    assert_non_null(strstr(error.message, "later format"));
    assert_int_equal(dwc_wisdom_merge(w, path, &error), DWC_FILE_ERROR);
    assert_int_equal(dwc_expert_wisdom_replace(w, path, &error), DWC_FILE_ERROR);
    size_t bytes;
    char *after = dwt_read_file(path, &bytes);
    assert_string_equal(after, text);
    assert_int_equal(dwc_wisdom_count(w), 2);
    free(after);
    dwc_wisdom_destroy(w);
    dwt_scratch_end();
}

/* ---- checksums and fields of later versions ---- */

static void test_signing(void **state) {
    (void)state;
    size_t bytes;
    char *whole = file_text(&bytes), *text = malloc(bytes + 100);
    const char *path = dwt_scratch();
    dwc_wisdom_report report;
    dwc_error error;
    dwc_record found;
    strcpy(text, whole);
    replace(text, "rows=0,columns=0", "rows=8,columns=8");
    replace(text, "rows=1,columns=0", "rows=9,columns=9"); /* keeps its checksum, which is wrong now */
    replace(strstr(text, "rows=8"), "\"spent_s\":0.25,\"checksum\":\"",
            "\"spent_s\": 0.25,\n \"note\":[1.5,0.10000000000000001],\"c\":\"");
    dwt_write_file(path, text, strlen(text));
    dwc_wisdom *w = dwt_load(path, &report);
    assert_true(report.records == RECORDS - 2 && report.damaged == 0 && report.unsigned_records == 2);
    assert_non_null(strstr(report.first, "line 12: its checksum"));
    assert_int_equal(dwt_has(w, 0), 0);
    /* Merging carries it over, unsigned still. */
    dwt_ok(dwc_wisdom_merge(w, path, &error), &error, "merge");
    dwc_wisdom_destroy(w);
    w = dwt_wisdom(0, 0);
    dwt_ok(dwc_expert_wisdom_read(w, path, 0, &report, &error), &error, "read");
    assert_true(report.records == RECORDS - 2 && report.damaged == 0 && report.unsigned_records == 2);
    /* Signed, it counts, and all of it is kept. */
    dwt_ok(dwc_expert_wisdom_read(w, path, 1, &report, &error), &error, "sign");
    assert_true(report.records == RECORDS && report.damaged == 0 && report.unsigned_records == 0);
    dwt_ok(dwc_expert_wisdom_replace(w, path, &error), &error, "replace");
    dwc_wisdom_destroy(w);
    w = dwt_load(path, &report);
    assert_true(report.records == RECORDS && report.damaged == 0 && report.unsigned_records == 0);
    const dwc_record *r = dwt_make_record(0, 1);
    dwt_ok(dwc_expert_record_find(w, r->key, r->machine, &found, &error), &error, "find");
    assert_string_equal(found.entries[0].params, "rows=8,columns=8");
    dwc_expert_record_free(&found);
    dwc_wisdom_destroy(w);
    char *after = dwt_read_file(path, &bytes);
    assert_non_null(strstr(after, "\"note\":[1.5,0.10000000000000001],\"c\":\""));
    free(after);
    free(text);
    free(whole);
    dwt_scratch_end();
}

static void test_unknown_fields(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    dwci_item *item;
    dwc_error error;
    char text[4096], line[4200];
    assert_int_equal(dwci_item_of_record(dwt_make_record(4, 2), &item, &error), DWC_OK);
    snprintf(text, sizeof text, "%.*s,\"energy_j\":{\"key\":\"deep\",\"x\":1.250}", (int)item->bytes - 23, item->text);
    snprintf(line, sizeof line, "%s,\"checksum\":\"%08x\"}\n", text, dwci_crc32c(0, text, strlen(text)));
    dwci_item_release(item);
    dwt_write_file(path, line, strlen(line));
    dwc_wisdom *w = dwt_wisdom(0, 3);
    dwt_ok(dwc_wisdom_merge(w, path, &error), &error, "merge");
    dwc_wisdom_destroy(w);
    w = dwt_load(path, NULL);
    assert_int_equal(dwc_wisdom_count(w), 4);
    dwt_ok(dwc_expert_wisdom_replace(w, path, &error), &error, "replace");
    dwc_wisdom_destroy(w);
    size_t bytes;
    char *after = dwt_read_file(path, &bytes);
    assert_non_null(strstr(after, line));
    free(after);
    dwt_scratch_end();
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flipped),      cmocka_unit_test(test_byte_removed), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_bad_fields),   cmocka_unit_test(test_headers),      cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_later_format), cmocka_unit_test(test_signing),      cmocka_unit_test(test_unknown_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
