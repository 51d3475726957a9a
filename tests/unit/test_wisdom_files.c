/* SPDX-License-Identifier: Apache-2.0 */
/* Wisdom files as one process uses them: journals, merging and its laws, links, bad paths, full disks. --count sets the
 * number of random triples of files to merge. */
#define _GNU_SOURCE
#include "core/wisdom.h"
#include "wisdom_records.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void test_journal(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    char deep[400];
    dwc_wisdom *w = dwt_wisdom(0, 0);
    snprintf(deep, sizeof deep, "%.*s/a/b/wisdom.jsonl", (int)(strrchr(path, '/') - path), path);
    dwt_keep(w, deep); /* makes the folders */
    assert_int_equal(access(deep, F_OK), -1);
    dwt_keep(w, path);
    assert_int_equal(dwt_count_files("wisdom"), 0); /* leaves nothing behind */
    for (int i = 0; i < 10; i++)
        dwt_add(w, i, 2);
    dwt_add(w, 3, 2); /* known already */
    assert_int_equal(dwt_count_files(".journal"), 1);
    dwt_holds(path, 0, 10);
    dwt_merge(w, path);
    assert_int_equal(dwt_count_files(".journal"), 0);
    assert_int_equal(dwt_count_files(".tmp"), 0);
    assert_int_equal(dwt_count_files(".damaged"), 0);
    dwt_holds(path, 0, 10);
    dwt_add(w, 10, 2);
    dwc_wisdom_forget(w, NULL);
    assert_int_equal(dwt_count_files(".journal"), 1);
    dwt_holds(path, 0, 11);
    dwt_merge(w, path); /* takes what is in the journal only */
    dwt_holds(path, 0, 11);
    assert_int_equal(dwt_count_files(".journal"), 0);
    dwc_wisdom_destroy(w);
    dwt_scratch_end();
}

static ino_t inode(const char *path) {
    struct stat stats;
    assert_int_equal(stat(path, &stats), 0);
    return stats.st_ino;
}

static void test_merge_nothing(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    dwt_merge(NULL, path);
    assert_int_equal(access(path, F_OK), -1);
    dwc_wisdom *w = dwt_wisdom(0, 5);
    dwt_merge(w, path);
    ino_t before = inode(path);
    dwt_merge(w, path);
    dwt_merge(NULL, path);
    assert_true(inode(path) == before); /* not even rewritten */
    assert_int_equal(chmod(path, 0640), 0);
    dwt_add(w, 5, 2);
    dwt_merge(w, path);
    struct stat stats;
    assert_int_equal(stat(path, &stats), 0);
    assert_true(stats.st_ino != before && (stats.st_mode & 07777) == 0640);
    dwc_wisdom_destroy(w);
    dwt_scratch_end();
}

static void test_links(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    char link[400], dangling[400];
    struct stat stats;
    snprintf(link, sizeof link, "%s.link", path);
    snprintf(dangling, sizeof dangling, "%s.dangling", path);
    assert_int_equal(symlink("wisdom.jsonl", link), 0);
    assert_int_equal(symlink(link, dangling), 0);
    dwc_wisdom *w = dwt_wisdom(0, 0);
    dwt_keep(w, dangling); /* what it leads to does not exist yet */
    dwt_add(w, 0, 2);
    dwt_holds(path, 0, 1);
    dwt_merge(w, link);
    assert_true(lstat(link, &stats) == 0 && S_ISLNK(stats.st_mode));
    assert_true(lstat(path, &stats) == 0 && S_ISREG(stats.st_mode));
    dwt_add(w, 1, 2);
    dwt_merge(w, dangling);
    assert_int_equal(dwt_count_files(".journal"), 0);
    dwt_holds(path, 0, 2);
    dwt_holds(link, 0, 2);
    unlink(link);
    assert_int_equal(symlink(link, link), 0);
    assert_int_equal(dwc_wisdom_load(w, link, NULL, NULL), DWC_FILE_ERROR);
    dwc_wisdom_destroy(w);
    dwt_scratch_end();
}

/* Paths at which no file can be: each function says so and names the path. */
static void test_bad_paths(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    char below[400], folder[300], pipe_path[400], longest[5000];
    dwc_error error;
    dwc_wisdom *w = dwt_wisdom(0, 2);
    dwc_wisdom_report report = {.records = 77};
    dwt_write_file(path, "", 0);
    snprintf(below, sizeof below, "%s/below/wisdom.jsonl", path);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    snprintf(pipe_path, sizeof pipe_path, "%s.pipe", path);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    memset(longest, 'x', sizeof longest - 1), longest[sizeof longest - 1] = 0;
    const char *const bad[] = {below, folder, longest, "/proc/1/none/wisdom.jsonl", pipe_path};
    for (size_t i = 0; i < 5; i++) {
        int read_only = i == 3; /* a missing file to a reader */
        if (i < 4) {
            assert_int_equal(dwc_wisdom_keep(w, bad[i], &error), DWC_FILE_ERROR);
            assert_non_null(strstr(error.message, i == 2 ? "xxx" : i == 3 ? "/proc/1" : folder));
        }
        if (!read_only)
            assert_int_equal(dwc_wisdom_load(w, bad[i], &report, &error), DWC_FILE_ERROR);
        assert_int_equal(dwc_wisdom_merge(w, bad[i], &error), DWC_FILE_ERROR);
        assert_int_equal(dwc_expert_wisdom_replace(w, bad[i], &error), DWC_FILE_ERROR);
    }
    assert_int_equal(dwc_wisdom_load(w, "", &report, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_wisdom_load(w, NULL, &report, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_wisdom_load(NULL, path, &report, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_wisdom_merge(w, NULL, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_wisdom_keep(NULL, path, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(dwc_expert_wisdom_replace(NULL, path, &error), DWC_INVALID_ARGUMENT);
    assert_int_equal(report.records, 77); /* untouched by failures */
    unlink(path);
    dwt_ok(dwc_wisdom_load(w, path, &report, &error), &error, "load what is missing");
    assert_true(report.records == 0 && report.damaged == 0 && report.journals == 0 && !report.first[0]);
    assert_int_equal(dwc_wisdom_count(w), 2);
    dwc_wisdom_destroy(w);
    dwt_scratch_end();
}

static void test_replace(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    dwc_error error;
    dwc_wisdom *w = dwt_wisdom(0, 10), *some = dwt_wisdom(4, 6);
    dwt_merge(w, path);
    dwt_keep(some, path);
    dwt_add(some, 6, 2);
    dwt_ok(dwc_expert_wisdom_replace(some, path, &error), &error, "replace");
    assert_int_equal(dwt_count_files(".journal"), 0);
    dwc_wisdom_destroy(w);
    w = dwt_load(path, NULL);
    assert_int_equal(dwc_wisdom_count(w), 3);
    dwt_holds(path, 4, 7);
    dwc_wisdom_destroy(w);
    dwc_wisdom_destroy(some);
    dwt_scratch_end();
}

/* Damage is put aside when the file, or a journal that nobody writes any more, goes. */
static void test_damage_kept(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    char name[400];
    size_t bytes, more;
    dwc_wisdom *w = dwt_wisdom(0, 5);
    dwc_wisdom_report report;
    dwt_merge(w, path);
    char *text = dwt_read_file(path, &bytes);
    strstr(text, "\"tie\"")[1] = 'T'; /* reads as no record */
    dwt_write_file(path, text, bytes);
    char host[256];
    gethostname(host, sizeof host);
    for (char *c = host; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", *c))
            *c = '-';
    snprintf(name, sizeof name, "%s.%.60s.%d.0123456789abcdef.journal", path, host, 0x7ffffff0);
    dwt_write_file(name, text, bytes); /* of a process that cannot exist */
    dwt_merge(NULL, path);
    dwc_wisdom *read = dwt_load(path, &report);
    assert_true(report.records == 4 && report.damaged == 0 && report.journals == 0);
    snprintf(name, sizeof name, "%s.damaged", path);
    char *aside = dwt_read_file(name, &more);
    assert_non_null(aside);
    assert_non_null(strstr(aside, "\"Tie\""));
    assert_null(strchr(strchr(aside, '\n') + 1, '\n')); /* that piece and nothing else */
    assert_int_equal(dwt_count_files(".journal.damaged"), 1);
    free(aside);
    free(text);
    dwc_wisdom_destroy(read);
    dwc_wisdom_destroy(w);
    dwt_scratch_end();
}

/* Merging sets of records: in any order, grouped in any way, and twice, gives the same bytes. */
static char *merged(const char *path, dwc_wisdom *const *sets, const int *order, size_t count) {
    size_t bytes;
    unlink(path);
    for (size_t i = 0; i < count; i++)
        dwt_merge(sets[order[i]], path);
    char *text = dwt_read_file(path, &bytes);
    assert_non_null(text);
    return text;
}

static dwc_wisdom *random_set(dwt_rng *rng) {
    dwc_error error;
    dwc_wisdom *w = dwt_wisdom(0, 0);
    for (int64_t i = dwt_between(rng, 1, 12); i > 0; i--)
        dwt_ok(dwc_expert_record_add(w, dwt_random_record(rng), &error), &error, "add");
    return w;
}

static void test_merge_laws(void **state) {
    (void)state;
    static const int abc[] = {0, 1, 2}, cba[] = {2, 1, 0}, bac[] = {1, 0, 2}, again[] = {0, 1, 1, 2, 0, 2, 1};
    dwt_rng rng = {dwt_args.seed};
    const char *path = dwt_scratch();
    int64_t pairs = dwt_args.count ? dwt_args.count : 200;
    for (int64_t pair = 0; pair < pairs; pair++) {
        dwc_wisdom *sets[3] = {random_set(&rng), random_set(&rng), random_set(&rng)};
        char *texts[5] = {merged(path, sets, abc, 3), merged(path, sets, cba, 3), merged(path, sets, bac, 3),
                          merged(path, sets, again, 7), NULL};
        /* a + (b + c): b and c are united in a file first */
        free(merged(path, sets, abc + 1, 2));
        dwc_wisdom *bc = dwt_load(path, NULL);
        dwc_wisdom *const grouped[] = {sets[0], bc};
        texts[4] = merged(path, grouped, abc, 2);
        for (int i = 1; i < 5; i++)
            if (strcmp(texts[0], texts[i]) != 0)
                dwt_fail("pair %" PRId64 ": order %d gives other bytes", pair, i);
        for (int i = 0; i < 5; i++)
            free(texts[i]);
        for (int i = 0; i < 3; i++)
            dwc_wisdom_destroy(sets[i]);
        dwc_wisdom_destroy(bc);
    }
    dwt_scratch_end();
}

/* ---- full disks ---- */

static void limit_files(rlim_t bytes) {
    struct rlimit limit = {bytes, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
}

/* The journal fills up at every byte of a record: what was said to be there is, the failure is told once, and when
 * there is room again merging brings all to the disk. */
static int full_journal(const char *path) {
    dwc_error error;
    for (rlim_t room = 0; room < 3000; room += 50) {
        dwc_wisdom *w = dwt_wisdom(0, 0), *seen = dwt_wisdom(0, 0);
        dwc_wisdom_report report;
        int failures = 0, kept = 0;
        DWT_EXPECT(dwc_wisdom_keep(w, path, &error) == DWC_OK);
        limit_files(room);
        for (int i = 0; i < 5; i++) {
            dwc_status status = dwc_expert_record_add(w, dwt_make_record(i, 1), &error);
            DWT_EXPECT(status == DWC_OK || status == DWC_FILE_ERROR);
            failures += status == DWC_FILE_ERROR;
            kept += !failures;
        }
        DWT_EXPECT(failures == (kept < 5) && dwc_wisdom_count(w) == 5);
        DWT_EXPECT(dwc_wisdom_load(seen, path, &report, &error) == DWC_OK);
        DWT_EXPECT(report.records == kept && report.damaged == 0);
        limit_files(RLIM_INFINITY);
        DWT_EXPECT(dwc_wisdom_keep(w, path, &error) == DWC_OK); /* there is room again: after what is there */
        dwt_add(w, 6, 1);
        DWT_EXPECT(dwc_wisdom_load(seen, path, &report, &error) == DWC_OK);
        DWT_EXPECT(report.records == kept + 1 && report.damaged == 0);
        DWT_EXPECT(dwc_wisdom_merge(w, path, &error) == DWC_OK);
        dwt_add(w, 5, 1); /* begins a journal again */
        DWT_EXPECT(dwt_count_files(".journal") == 1);
        DWT_EXPECT(dwc_wisdom_merge(w, path, &error) == DWC_OK);
        dwc_wisdom_destroy(seen);
        seen = dwt_load(path, &report);
        DWT_EXPECT(dwc_wisdom_count(seen) == 7 && report.journals == 0);
        dwc_wisdom_destroy(seen);
        dwc_wisdom_destroy(w);
        DWT_EXPECT(unlink(path) == 0);
    }
    return 0;
}

static int full_merge(const char *path) {
    dwc_error error;
    size_t bytes, after;
    dwc_wisdom *w = dwt_wisdom(0, 5), *more = dwt_wisdom(5, 20);
    DWT_EXPECT(dwc_wisdom_merge(w, path, &error) == DWC_OK);
    DWT_EXPECT(dwc_wisdom_keep(more, path, &error) == DWC_OK);
    dwt_add(more, 20, 2);
    char *before = dwt_read_file(path, &bytes);
    for (rlim_t room = 0; room < 12000; room += 500) {
        limit_files(room);
        DWT_EXPECT(dwc_wisdom_merge(more, path, &error) == DWC_FILE_ERROR);
        limit_files(RLIM_INFINITY);
        char *text = dwt_read_file(path, &after);
        DWT_EXPECT(after == bytes && memcmp(text, before, bytes) == 0);
        DWT_EXPECT(dwt_count_files(".journal") == 1 && dwt_count_files(".tmp") == 0);
        free(text);
    }
    DWT_EXPECT(dwc_wisdom_merge(more, path, &error) == DWC_OK && dwt_count_files(".journal") == 0);
    dwt_holds(path, 0, 21);
    free(before);
    dwc_wisdom_destroy(w);
    dwc_wisdom_destroy(more);
    return 0;
}

static void test_full_disk(void **state) {
    (void)state;
    assert_int_equal(dwt_in_child(full_journal, dwt_scratch()), 0);
    assert_int_equal(dwt_in_child(full_merge, dwt_scratch()), 0);
    dwt_scratch_end();
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journal),    cmocka_unit_test(test_merge_nothing), cmocka_unit_test(test_links),
        cmocka_unit_test(test_bad_paths),  cmocka_unit_test(test_replace),       cmocka_unit_test(test_damage_kept),
        cmocka_unit_test(test_merge_laws), cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
