/* SPDX-License-Identifier: Apache-2.0 */
/* Wisdom files as many processes and threads use them: fork, locks, writers at the same time, writers that are killed.
 *
 * From --count 10000 on writers and kills are as many as the design promises to survive: 32 x 100 records, 200 kills.
 */
#define _GNU_SOURCE
#include "core/wisdom.h"
#include "wisdom_records.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int whole_campaign(void) {
    return dwt_args.count >= 10000;
}

static dwc_wisdom *parents;

/* After fork the child's records go to a journal of its own, and its merge leaves the parent's alone. */
static int add_in_child(const char *path) {
    dwc_error error;
    DWT_EXPECT(dwc_expert_record_add(parents, dwt_make_record(1, 2), &error) == DWC_OK);
    DWT_EXPECT(dwt_count_files(".journal") == 2);
    DWT_EXPECT(dwc_wisdom_merge(parents, path, &error) == DWC_OK);
    DWT_EXPECT(dwt_count_files(".journal") == 1);
    DWT_EXPECT(dwc_expert_record_add(parents, dwt_make_record(2, 2), &error) == DWC_OK);
    return 0; /* leaves a journal */
}

static void test_fork(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    char other[400];
    parents = dwt_wisdom(0, 0);
    dwt_keep(parents, path);
    dwt_add(parents, 0, 2);
    assert_int_equal(dwt_in_child(add_in_child, path), 0);
    assert_int_equal(dwt_count_files(".journal"), 2);
    dwt_holds(path, 0, 3);
    snprintf(other, sizeof other, "%s.another-host.2147483632.00ff.journal", path);
    dwt_write_file(other, "", 0);
    snprintf(other, sizeof other, "%s.another-host.2147483632.00ff.tmp", path);
    dwt_write_file(other, "", 0);
    dwt_merge(NULL, path); /* removes the child's, not the parent's, and nothing of other hosts */
    assert_int_equal(dwt_count_files(".journal"), 2);
    assert_int_equal(dwt_count_files(".tmp"), 1);
    dwt_add(parents, 3, 2);
    dwt_holds(path, 0, 4);
    dwt_merge(parents, path);
    assert_int_equal(dwt_count_files(".journal"), 1);
    dwt_holds(path, 0, 4);
    dwc_wisdom_destroy(parents);
    dwt_scratch_end();
}

/* A dead process's number is no proof: a lock on its journal is held by somebody that is not to be seen from here. */
static int leave_journal(const char *path) {
    parents = dwt_wisdom(0, 0); /* not destroyed, as when a process is killed */
    dwt_keep(parents, path);
    dwt_add(parents, 0, 2);
    pid_t child = fork(); /* holds the lock while it lives */
    if (child == 0) {
        sleep(1);
        _exit(0);
    }
    return 0;
}

static void test_locked_journal(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    assert_int_equal(dwt_in_child(leave_journal, path), 0);
    dwt_merge(NULL, path);
    assert_int_equal(dwt_count_files(".journal"), 1);
    for (int i = 0; i < 300 && dwt_count_files(".journal"); i++) {
        usleep(10000);
        dwt_merge(NULL, path);
    }
    assert_int_equal(dwt_count_files(".journal"), 0);
    dwt_holds(path, 0, 1);
    dwt_scratch_end();
}

/* While somebody else merges, one waits. */
static void test_waits(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    char name[400], byte;
    int channel[2], status;
    snprintf(name, sizeof name, "%s.lock", path);
    assert_int_equal(pipe(channel), 0);
    pid_t child = fork();
    if (child == 0) {
        int locked = open(name, O_RDWR | O_CREAT, 0666);
        status = !dwci_lock(locked, F_WRLCK) || write(channel[1], "", 1) != 1;
        usleep(300000);
        _exit(access(path, F_OK) == 0 ? 9 : status);
    }
    assert_int_equal(read(channel[0], &byte, 1), 1);
    dwc_wisdom *w = dwt_wisdom(0, 3);
    dwt_merge(w, path);
    dwt_holds(path, 0, 3);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0); /* nothing was written while the child held the lock */
    close(channel[0]), close(channel[1]);
    dwc_wisdom_destroy(w);
    dwt_scratch_end();
}

/* While somebody else merges for longer than one waits, nothing happens and nothing is lost. */
static void test_busy(void **state) {
    (void)state;
    if (!whole_campaign())
        skip();
    const char *path = dwt_scratch();
    char name[400];
    snprintf(name, sizeof name, "%s.lock", path);
    int file = open(name, O_RDWR | O_CREAT, 0666);
    assert_true(dwci_lock(file, F_WRLCK));
    dwc_wisdom *w = dwt_wisdom(0, 0);
    dwt_keep(w, path);
    dwt_add(w, 0, 2);
    dwt_merge(w, path);
    assert_int_equal(access(path, F_OK), -1);
    dwt_holds(path, 0, 1);
    dwc_wisdom *loose = dwt_wisdom(5, 6), *read; /* in no journal: that they are not written must be said */
    dwc_error error;
    dwt_ok(dwc_wisdom_create(&read, &error), &error, "create");
    dwt_ok(dwc_wisdom_load(read, path, NULL, &error), &error, "load");
    assert_int_equal(dwc_wisdom_merge(read, path, &error), DWC_FILE_ERROR);
    dwc_wisdom_destroy(read);
    for (int kept = 0; kept < 2; kept++) {
        assert_int_equal(dwc_wisdom_merge(loose, path, &error), DWC_FILE_ERROR);
        assert_non_null(strstr(error.message, ".lock: "));
        dwt_keep(loose, path); /* too late for them */
    }
    dwc_wisdom_destroy(loose);
    close(file);
    dwt_merge(w, path);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(dwt_count_files(".journal"), 0);
    dwc_wisdom_destroy(w);
    dwt_scratch_end();
}

/* Adds records first..first+count-1, merging now and then, and reports each to `out` (-1: nobody) when it was added. */
static void write_records(const char *path, int first, int count, int merges, int out) {
    dwt_rng rng = {dwt_args.seed + (uint64_t)first};
    dwc_wisdom *w = dwt_wisdom(0, 0);
    dwt_keep(w, path);
    for (int i = first; i < first + count; i++) {
        dwt_add(w, i, 2);
        if (out >= 0 && write(out, &i, sizeof i) != (ssize_t)sizeof i)
            _exit(3);
        if (merges && dwt_chance(&rng, 1, merges))
            dwt_merge(w, path);
    }
    dwc_wisdom_destroy(w);
}

static void test_many_writers(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    int writers = whole_campaign() ? 32 : 8, each = whole_campaign() ? 100 : 25, status;
    for (int i = 0; i < writers; i++)
        if (fork() == 0) {
            write_records(path, i * each, each, i % 2 ? 10 : 0, -1);
            _exit(0);
        }
    for (int i = 0; i < writers; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    dwt_holds(path, 0, writers * each);
    dwt_merge(NULL, path);
    assert_int_equal(dwt_count_files(".journal"), 0);
    assert_int_equal(dwt_count_files(".tmp"), 0);
    dwt_holds(path, 0, writers * each);
    dwc_wisdom *w = dwt_load(path, NULL);
    assert_int_equal(dwc_wisdom_count(w), writers * each);
    dwc_wisdom_destroy(w);
    dwt_scratch_end();
}

/* Each writer goes on with the file that the killed ones before it left. */
static void test_killed(void **state) {
    (void)state;
    const char *path = dwt_scratch();
    dwt_rng rng = {dwt_args.seed};
    int kills = whole_campaign() ? 200 : 15, known = 0;
    for (int kill_number = 0; kill_number < kills; kill_number++) {
        int channel[2], status, index;
        assert_int_equal(pipe(channel), 0);
        pid_t child = fork();
        if (child == 0) {
            close(channel[0]);
            write_records(path, known, 100000, 3, channel[1]);
            _exit(0);
        }
        close(channel[1]);
        usleep((useconds_t)dwt_between(&rng, 500, 30000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(channel[0], &index, sizeof index) == (ssize_t)sizeof index)
            known = index + 1;
        close(channel[0]);
        dwt_holds(path, 0, known);
    }
    printf("%d kills, %d records\n", kills, known);
    assert_true(known > 0);
    dwt_merge(NULL, path);
    assert_int_equal(dwt_count_files(".journal"), 0);
    assert_int_equal(dwt_count_files(".tmp"), 0);
    dwt_holds(path, 0, known);
    dwt_scratch_end();
}

/* ---- threads ---- */

typedef struct worker {
    pthread_t thread;
    dwc_wisdom *wisdom;
    const char *path;
    int first, count, failures;
} worker;

static void look(const dwc_record *record, void *user) {
    *(int *)user += record->count;
}

/* No cmocka in here: its failures may leave the main thread only. */
static void *work(void *user) {
    worker *me = user;
    dwc_record record;
    int sum = 0;
    for (int i = me->first; i < me->first + me->count; i++) {
        me->failures += dwc_expert_record_add(me->wisdom, dwt_make_record(i, 2), NULL) != DWC_OK;
        const dwc_record *mine = dwt_make_record(i, 2);
        me->failures += !dwci_wisdom_find(me->wisdom, mine->key, mine->machine, look, &sum);
        me->failures += !dwci_wisdom_find_near(me->wisdom, mine->key, "other", look, &sum);
        me->failures += dwc_expert_record_get(me->wisdom, 0, &record, NULL) != DWC_OK;
        dwc_expert_record_free(&record);
        if (i % 10 == 0)
            me->failures += dwc_wisdom_merge(me->wisdom, me->path, NULL) != DWC_OK;
        if (i % 10 == 5)
            me->failures += dwc_wisdom_load(me->wisdom, me->path, NULL, NULL) != DWC_OK;
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    enum { THREADS = 4, EACH = 60 };
    const char *path = dwt_scratch();
    worker workers[THREADS] = {{0}};
    dwc_wisdom *w = dwt_wisdom(0, 0);
    dwt_keep(w, path);
    for (int i = 0; i < THREADS; i++) {
        workers[i].wisdom = w, workers[i].path = path, workers[i].first = i * EACH, workers[i].count = EACH;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, workers + i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].failures, 0);
    }
    assert_int_equal(dwc_wisdom_count(w), THREADS * EACH);
    dwt_holds(path, 0, THREADS * EACH);
    dwt_merge(w, path);
    assert_int_equal(dwt_count_files(".journal"), 0);
    dwt_holds(path, 0, THREADS * EACH);
    dwc_wisdom_destroy(w);
    dwt_scratch_end();
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork),    cmocka_unit_test(test_locked_journal), cmocka_unit_test(test_busy),
        cmocka_unit_test(test_waits),   cmocka_unit_test(test_many_writers),   cmocka_unit_test(test_killed),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
