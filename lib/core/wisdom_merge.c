/* SPDX-License-Identifier: Apache-2.0 */
/* Putting journals into the file:
 *
 *     lock -> read journals, file, wisdom -> write FILE...tmp, fsync -> file as it was read? -> rename, fsync folder
 *          -> remove journals of this wisdom and of dead processes -> unlock
 *
 * Whatever is killed in between, each record is in the old file, in the new one or in a journal that is still there,
 * and readers see one whole file. The better of two records is a total order and the lines are sorted, so the order of
 * merges does not matter, and one more changes nothing. The lock only saves work: without it nobody merges. */
#define _GNU_SOURCE
#include "core/error.h"
#include "core/memory.h"
#include "core/wisdom.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_SECONDS = 5, MOST_TRIES = 8 };

typedef struct merge {
    dwc_wisdom *wisdom; /* may be NULL */
    dwci_place place;
    bool replace; /* the records of the wisdom only */
    dwci_content content;
    dwci_bytes text; /* of the new file */
} merge;

static dwc_status fail_merge(dwc_error *error, const char *path, int reason) {
    return dwci_fail(error, DWC_FILE_ERROR, "%.170s: %s", path, strerror(reason));
}

static dwc_status no_memory(dwc_error *error) {
    return dwci_fail(error, DWC_OUT_OF_MEMORY, "wisdom: out of memory");
}

/* ---- the lock ---- */

static bool name_beside(const merge *m, const char *ending, char path[PATH_MAX]) {
    int length = snprintf(path, PATH_MAX, "%s.%s", m->place.path, ending);
    errno = ENAMETOOLONG;
    return length > 0 && length < PATH_MAX;
}

/* Tries for LOCK_SECONDS. */
static bool wait_for_lock(int file) {
    struct timespec start, now, pause = {0, 1000000};
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (!dwci_lock(file, F_WRLCK)) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        bool busy = errno == EAGAIN || errno == EACCES || errno == EINTR;
        if (!busy || now.tv_sec - start.tv_sec > LOCK_SECONDS)
            return false;
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 30000000)
            pause.tv_nsec += pause.tv_nsec / 2;
    }
    return true;
}

/* Are all records that were added to the wisdom in its journal, of this place, or in a file? */
static bool in_journal(const merge *m) {
    dwc_wisdom *w = m->wisdom;
    if (!w)
        return true;
    pthread_mutex_lock(&w->keeping);
    const bool kept = !w->loose && strcmp(w->journal.place.path, m->place.path) == 0;
    pthread_mutex_unlock(&w->keeping);
    return kept;
}

/* *file: the locked file, or -1 if it cannot be had and nothing is lost without it. */
static dwc_status lock_place(const merge *m, int *file, dwc_error *error) {
    char path[PATH_MAX];
    *file = name_beside(m, "lock", path) ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (*file < 0)
        return fail_merge(error, path, errno);
    if (wait_for_lock(*file))
        return DWC_OK;
    const int reason = errno;
    close(*file);
    *file = -1;
    return in_journal(m) && !m->replace ? DWC_OK : fail_merge(error, path, reason);
}

/* ---- the new text ---- */

static bool append_line(dwci_bytes *text, const dwci_item *item) {
    return dwci_bytes_append(text, item->text, item->bytes) && dwci_bytes_append(text, "\n", 1);
}

static int by_text(const void *a, const void *b) {
    const dwci_item *x = *(dwci_item *const *)a, *y = *(dwci_item *const *)b;
    return strcmp(x->text, y->text);
}

/* Unsigned records stay as they are, once each. */
static bool append_unsigned(dwci_bytes *text, const dwci_findings *f) {
    if (f->unverified_count)
        qsort(f->unverified, (size_t)f->unverified_count, sizeof *f->unverified, by_text);
    for (int64_t i = 0; i < f->unverified_count; i++)
        if ((i == 0 || by_text(f->unverified + i - 1, f->unverified + i) != 0) && !append_line(text, f->unverified[i]))
            return false;
    return true;
}

/* Empty where there is nothing to write and no file. */
static bool make_text(merge *m) {
    char header[DWCI_HEADER_MAX];
    dwci_findings *f = &m->content.findings;
    if (m->replace)
        dwci_set_clear(&f->records);
    if (m->wisdom) {
        pthread_mutex_lock(&m->wisdom->lock);
        bool united = dwci_set_unite(&f->records, &m->wisdom->set);
        pthread_mutex_unlock(&m->wisdom->lock);
        if (!united)
            return false;
    }
    m->text.used = 0;
    if (!m->content.found && f->records.count == 0 && f->unverified_count == 0)
        return true;
    if (!dwci_bytes_append(&m->text, header, dwci_header_print(header)))
        return false;
    dwci_set_sort(&f->records);
    for (int64_t i = 0; i < f->records.count; i++)
        if (!append_line(&m->text, f->records.slots[i].item))
            return false;
    return m->replace || append_unsigned(&m->text, f);
}

/* ---- the new file ---- */

/* Closes the file; false with errno. */
static bool finish(int file, bool good) {
    int reason = errno;
    good = good && fsync(file) == 0;
    if (!good && reason == 0)
        reason = errno;
    if (close(file) != 0 && good) {
        reason = errno;
        good = false;
    }
    errno = reason;
    return good;
}

/* What is no record is put aside before the file that has it is replaced. */
static dwc_status keep_damaged(const merge *m, dwc_error *error) {
    const dwci_bytes *damaged = &m->content.findings.damaged;
    char path[PATH_MAX];
    if (!damaged->used)
        return DWC_OK;
    int file = name_beside(m, "damaged", path) ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    if (file < 0)
        return fail_merge(error, path, errno);
    errno = 0;
    return finish(file, dwci_write_all(file, damaged->data, damaged->used)) ? DWC_OK : fail_merge(error, path, errno);
}

/* The new file keeps the old one's mode and, where this process may give it away, its owner. */
static bool write_new(const merge *m, const char *path) {
    const struct stat *old = &m->content.stat;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0)
        return false;
    errno = 0;
    bool good = dwci_write_all(file, m->text.data, m->text.used);
    if (good && m->content.found) {
        if (fchown(file, old->st_uid, old->st_gid) != 0)
            errno = 0;
        good = fchmod(file, old->st_mode & 07777) == 0;
    }
    return finish(file, good);
}

/* Is the file still the one that was read? */
static bool unchanged(const merge *m) {
    const struct stat *old = &m->content.stat;
    struct stat now;
    if (stat(m->place.path, &now) != 0)
        return errno == ENOENT && !m->content.found;
    return m->content.found && now.st_dev == old->st_dev && now.st_ino == old->st_ino && now.st_size == old->st_size &&
           now.st_mtim.tv_sec == old->st_mtim.tv_sec && now.st_mtim.tv_nsec == old->st_mtim.tv_nsec;
}

/* *done: the file is as it should be. False without failure: somebody else changed it meanwhile. */
static dwc_status write_file(merge *m, bool *done, dwc_error *error) {
    char path[PATH_MAX];
    const dwci_bytes *old = &m->content.text, *new = &m->text;
    *done = new->used == old->used && (!new->used || memcmp(new->data, old->data, new->used) == 0);
    if (*done)
        return DWC_OK;
    dwc_status status = keep_damaged(m, error);
    if (status != DWC_OK)
        return status;
    errno = ENAMETOOLONG;
    if (!dwci_place_name(&m->place, "tmp", path))
        return fail_merge(error, m->place.path, errno);
    bool written = write_new(m, path);
    *done = written && unchanged(m);
    if (written && *done && rename(path, m->place.path) == 0) {
        dwci_place_sync(&m->place);
        return DWC_OK;
    }
    int reason = errno;
    unlink(path);
    return written && !*done ? DWC_OK : fail_merge(error, m->place.path, reason);
}

/* ---- what is left over ---- */

static bool dead(long process) {
    return process > 0 && kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

/* May a journal go that was read? Ours may; that of a dead process, if it is as long as it was, and nobody holds its
 * lock (a process of another container is not visible, but its lock is). */
static bool disposable(const merge *m, const dwci_journal_file *journal) {
    struct stat now;
    if (m->wisdom && dwci_journal_is(&m->wisdom->journal, &journal->stat))
        return true;
    if (!dead(journal->process))
        return false;
    int file = open(journal->path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool free_now = dwci_lock(file, F_RDLCK) && fstat(file, &now) == 0 && now.st_ino == journal->stat.st_ino &&
                    now.st_size == journal->stat.st_size;
    close(file);
    return free_now;
}

/* Renames a journal that has more in it than was read, so that it is not read again. */
static int put_aside(const char *path) {
    char aside[PATH_MAX];
    return snprintf(aside, sizeof aside, "%s.damaged", path) < PATH_MAX ? rename(path, aside) : -1;
}

static void remove_journals(const merge *m) {
    for (const dwci_journal_file *journal = m->content.journals; journal; journal = journal->next)
        if (disposable(m, journal))
            journal->damaged ? put_aside(journal->path) : unlink(journal->path);
    if (m->wisdom && strcmp(m->wisdom->journal.place.path, m->place.path) == 0) {
        dwci_journal_close(&m->wisdom->journal);
        m->wisdom->journal.stopped = false;
    }
    if (m->wisdom)
        m->wisdom->loose = false;
}

static dwc_status remove_stale(const char *path, long process, void *user, dwc_error *error) {
    (void)user, (void)error;
    if (dead(process))
        unlink(path);
    return DWC_OK;
}

/* ---- */

/* Under both locks. */
static dwc_status merge_locked(merge *m, dwc_error *error) {
    dwc_status status = DWC_OK;
    bool done = false;
    for (int tries = 0; status == DWC_OK && !done && tries < MOST_TRIES; tries++) {
        dwci_content_clear(&m->content);
        status = dwci_content_read(&m->place, true, &m->content, error);
        if (status == DWC_OK && !make_text(m))
            status = no_memory(error);
        if (status == DWC_OK)
            status = write_file(m, &done, error);
    }
    if (done && status == DWC_OK) {
        remove_journals(m);
        dwci_place_each(&m->place, "tmp", remove_stale, NULL, NULL);
    }
    return status;
}

static dwc_status merge_into(dwc_wisdom *wisdom, const char *path, bool replace, dwc_error *error) {
    merge m = {.wisdom = wisdom, .replace = replace};
    bool missing, make = wisdom && (replace || dwc_wisdom_count(wisdom) > 0);
    int lock;
    dwc_status status = dwci_place_find(path, make, &m.place, &missing, error);
    if (status != DWC_OK || missing)
        return status; /* missing: nothing there, and nothing to write */
    status = lock_place(&m, &lock, error);
    if (status != DWC_OK || lock < 0)
        return status;
    if (wisdom)
        pthread_mutex_lock(&wisdom->keeping);
    status = merge_locked(&m, error);
    if (wisdom)
        pthread_mutex_unlock(&wisdom->keeping);
    dwci_lock(lock, F_UNLCK); /* closing is not enough while a child has the file open as well */
    close(lock);
    dwci_content_clear(&m.content);
    dwci_bytes_clear(&m.text);
    return status;
}

dwc_status dwc_wisdom_merge(dwc_wisdom *wisdom, const char *path, dwc_error *error) {
    return merge_into(wisdom, path, false, error);
}

dwc_status dwc_expert_wisdom_replace(dwc_wisdom *wisdom, const char *path, dwc_error *error) {
    if (!wisdom)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "wisdom: null pointer");
    return merge_into(wisdom, path, true, error);
}
