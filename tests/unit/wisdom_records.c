/* SPDX-License-Identifier: Apache-2.0 */
/* Records, scratch folders, files, children for the tests of wisdom. */
#define _GNU_SOURCE
#include "wisdom_records.h"

#include <dirent.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[256], scratch[300];

dwc_record *dwt_make_record(int index, int entries) {
    static _Thread_local dwt_record made;
    memset(&made, 0, sizeof made);
    dwc_record *r = &made.record;
    snprintf(r->key, sizeof r->key, "f32:nhwc:n1:%dx28x96:k3x3:s1x1:d1x1:m1:same resident t1 free any", index + 1);
    snprintf(r->machine, sizeof r->machine, "AuthenticAMD-25-1-avx2-32K-512K-32M");
    r->effort = DWC_EFFORT_MEASURE;
    r->complete = 1;
    r->tie = 1;
    r->rounds = 31;
    r->tried = 12, r->legal = 57 + index;
    r->images = 1;
    r->default_ratio = 1 + index / 1024.0;
    r->spent_s = 0.25;
    snprintf(r->library, sizeof r->library, "0.1.0");
    snprintf(r->host, sizeof r->host, "node-7");
    snprintf(r->date, sizeof r->date, "2026-11-25T04:30:00Z");
    r->entries = made.entries;
    r->count = entries;
    for (int i = 0; i < entries; i++) {
        dwc_record_entry *e = made.entries + i;
        snprintf(e->algo, sizeof e->algo, "direct");
        snprintf(e->params, sizeof e->params, "rows=%d,columns=%d", index, i);
        e->revision = 1, e->rounds = 31;
        e->ratio = 1 + i / 3.0, e->low = 1, e->high = 1 + i;
        e->median_s = 1.25e-5, e->min_s = 1e-5, e->model_s = 2e-5, e->max_err = 1e-7;
        e->workspace_bytes = 64 * i;
    }
    return r;
}

void dwt_add(dwc_wisdom *wisdom, int index, int entries) {
    dwc_error error;
    dwt_ok(dwc_expert_record_add(wisdom, dwt_make_record(index, entries), &error), &error, "add");
}

dwc_record *dwt_random_record(dwt_rng *rng) {
    dwc_record *r = dwt_make_record((int)dwt_between(rng, 0, 5), (int)dwt_between(rng, 1, 3));
    snprintf(r->machine, sizeof r->machine, "machine%d", (int)dwt_between(rng, 0, 1));
    r->entries[0].revision = (int)dwt_between(rng, 1, 2);
    r->effort = dwt_chance(rng, 1, 2) ? DWC_EFFORT_MEASURE : DWC_EFFORT_PATIENT;
    r->complete = dwt_chance(rng, 1, 2);
    r->date[9] = (char)dwt_between(rng, '1', '3');
    r->rounds = (int)dwt_between(rng, 1, 3);
    return r;
}

static void same_real(double a, double b) {
    if (!(fabs(a - b) <= 5.01e-9 * fabs(a)))
        dwt_fail("%.17g became %.17g", a, b);
}

void dwt_same_record(const dwc_record *a, const dwc_record *b) {
    assert_string_equal(a->key, b->key);
    assert_string_equal(a->machine, b->machine);
    assert_string_equal(a->library, b->library);
    assert_string_equal(a->host, b->host);
    assert_string_equal(a->date, b->date);
    assert_true(a->effort == b->effort && a->complete == b->complete && a->tie == b->tie && a->rounds == b->rounds);
    assert_true(a->tried == b->tried && a->legal == b->legal && a->images == b->images && a->count == b->count);
    same_real(a->default_ratio, b->default_ratio);
    same_real(a->spent_s, b->spent_s);
    for (int i = 0; i < a->count; i++) {
        const dwc_record_entry *x = a->entries + i, *y = b->entries + i;
        assert_string_equal(x->algo, y->algo);
        assert_string_equal(x->params, y->params);
        assert_true(x->revision == y->revision && x->rounds == y->rounds && x->workspace_bytes == y->workspace_bytes);
        same_real(x->ratio, y->ratio), same_real(x->low, y->low), same_real(x->high, y->high);
        same_real(x->median_s, y->median_s), same_real(x->min_s, y->min_s);
        same_real(x->model_s, y->model_s), same_real(x->max_err, y->max_err);
    }
}

const char *dwt_scratch(void) {
    const char *parent = getenv("TMPDIR");
    dwt_scratch_end();
    snprintf(folder, sizeof folder, "%.200s/dwconv-wisdom-XXXXXX", parent && *parent ? parent : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(scratch, sizeof scratch, "%s/wisdom.jsonl", folder);
    return scratch;
}

static int remove_one(const char *name, const struct stat *stats, int kind, struct FTW *walk) {
    (void)stats, (void)kind, (void)walk;
    return remove(name);
}

void dwt_scratch_end(void) {
    if (folder[0])
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    folder[0] = 0;
}

dwc_wisdom *dwt_load(const char *from, dwc_wisdom_report *report) {
    dwc_wisdom *wisdom = NULL;
    dwc_error error;
    dwt_ok(dwc_wisdom_create(&wisdom, &error), &error, "create");
    dwt_ok(dwc_wisdom_load(wisdom, from, report, &error), &error, "load");
    return wisdom;
}

dwc_wisdom *dwt_wisdom(int first, int last) {
    dwc_wisdom *wisdom = NULL;
    dwc_error error;
    dwt_ok(dwc_wisdom_create(&wisdom, &error), &error, "create");
    for (int i = first; i < last; i++)
        dwt_add(wisdom, i, 2);
    return wisdom;
}

int dwt_has(const dwc_wisdom *wisdom, int index) {
    dwc_record found, *wanted = dwt_make_record(index, 2);
    if (dwc_expert_record_find(wisdom, wanted->key, wanted->machine, &found, NULL) != DWC_OK)
        return 0;
    dwc_expert_record_free(&found);
    return 1;
}

char *dwt_read_file(const char *name, size_t *bytes) {
    FILE *file = fopen(name, "rb");
    struct stat stats;
    if (!file)
        return NULL;
    assert_int_equal(fstat(fileno(file), &stats), 0);
    char *data = malloc((size_t)stats.st_size + 1);
    assert_non_null(data);
    *bytes = fread(data, 1, (size_t)stats.st_size, file);
    data[*bytes] = 0;
    fclose(file);
    return data;
}

void dwt_write_file(const char *name, const char *data, size_t bytes) {
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

int dwt_count_files(const char *part) {
    int count = 0;
    DIR *open_folder = opendir(folder);
    assert_non_null(open_folder);
    for (struct dirent *entry; (entry = readdir(open_folder));)
        count += entry->d_name[0] != '.' && strstr(entry->d_name, part) != NULL;
    closedir(open_folder);
    return count;
}

void dwt_keep(dwc_wisdom *wisdom, const char *path) {
    dwc_error error;
    dwt_ok(dwc_wisdom_keep(wisdom, path, &error), &error, "keep");
}

void dwt_merge(dwc_wisdom *wisdom, const char *path) {
    dwc_error error;
    dwt_ok(dwc_wisdom_merge(wisdom, path, &error), &error, "merge");
}

void dwt_holds(const char *path, int first, int last) {
    dwc_wisdom_report report;
    dwc_wisdom *w = dwt_load(path, &report);
    if (report.damaged || report.unsigned_records)
        dwt_fail("damage in %s: %s", path, report.first);
    for (int i = first; i < last; i++)
        if (!dwt_has(w, i))
            dwt_fail("record %d of %d..%d is lost", i, first, last - 1);
    dwc_wisdom_destroy(w);
}

int dwt_in_child(int (*run)(const char *path), const char *path) {
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(run(path));
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}
