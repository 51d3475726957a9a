/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of a wisdom: records that tuning found, on the disk as soon as they are found.
 *
 *     header\n record\n record\n ...      one write and one fdatasync a record; the first brings the header
 *
 * Only its own process appends to it, and holds a lock on it as long as it lives, so that others can tell a journal
 * that is in use from one that is left over (wisdom_merge.c). A child after fork begins one of its own. */
#define _GNU_SOURCE
#include "core/error.h"
#include "core/wisdom.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool dwci_lock(int file, short kind) {
    struct flock lock = {.l_type = kind, .l_whence = SEEK_SET};
#ifdef F_OFD_SETLK /* belongs to the open file, so that threads exclude each other too */
    if (fcntl(file, F_OFD_SETLK, &lock) == 0)
        return true;
    if (errno != EINVAL)
        return false;
#endif
    lock.l_pid = 0;
    return fcntl(file, F_SETLK, &lock) == 0;
}

static dwc_status fail_journal(dwc_error *error, const char *path, int reason) {
    return dwci_fail(error, DWC_FILE_ERROR, "%.170s: %s", path, strerror(reason));
}

/* Creates a file beside the place; -1 with errno. */
static int create(const dwci_place *place, const char *ending, char path[PATH_MAX]) {
    int file = -1;
    for (int tries = 0; file < 0 && tries < 8; tries++) {
        if (!dwci_place_name(place, ending, path)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        file = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (file < 0 && errno != EEXIST)
            return -1;
    }
    return file;
}

bool dwci_journal_is(const dwci_journal *journal, const struct stat *stats) {
    struct stat ours;
    return journal->file >= 0 && journal->process == (long)getpid() && fstat(journal->file, &ours) == 0 &&
           ours.st_dev == stats->st_dev && ours.st_ino == stats->st_ino;
}

void dwci_journal_close(dwci_journal *journal) {
    if (journal->file >= 0 && journal->process == (long)getpid())
        dwci_lock(journal->file, F_UNLCK); /* closing is not enough while a child has the file open as well */
    if (journal->file >= 0)
        close(journal->file);
    journal->file = -1;
    journal->bytes = 0;
}

dwc_status dwc_wisdom_keep(dwc_wisdom *wisdom, const char *path, dwc_error *error) {
    dwci_place place;
    char probe[PATH_MAX] = "";
    bool missing;
    if (!wisdom)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "wisdom: null pointer");
    dwc_status status = dwci_place_find(path, true, &place, &missing, error);
    if (status != DWC_OK)
        return status;
    int file = create(&place, "tmp", probe);
    if (file < 0)
        return fail_journal(error, probe, errno);
    close(file);
    unlink(probe);

    pthread_mutex_lock(&wisdom->keeping);
    dwci_journal *journal = &wisdom->journal;
    if (strcmp(journal->place.path, place.path) != 0) {
        dwci_journal_close(journal);
        journal->place = place;
        journal->place.name = journal->place.path + (place.name - place.path);
    }
    journal->stopped = false;
    pthread_mutex_unlock(&wisdom->keeping);
    return DWC_OK;
}

/* Appends so that all of it is on the disk, or nothing. Removes the file if it would be empty. */
static bool append(dwci_journal *journal, const dwci_bytes *text) {
    if (dwci_write_all(journal->file, text->data, text->used) && fdatasync(journal->file) == 0) {
        journal->bytes += (int64_t)text->used;
        return true;
    }
    int reason = errno;
    if (journal->bytes == 0) {
        unlink(journal->path);
        dwci_journal_close(journal);
    } else if (ftruncate(journal->file, (off_t)journal->bytes) != 0) {
        reason = errno; /* readers take what is left for what it is, a torn tail */
    }
    errno = reason;
    return false;
}

/* Has somebody removed the journal, who took its process for dead? */
static bool removed(const dwci_journal *journal) {
    struct stat stats;
    return fstat(journal->file, &stats) == 0 && stats.st_nlink == 0;
}

static bool open_journal(dwci_journal *journal, dwci_bytes *text, const dwci_item *item) {
    char header[DWCI_HEADER_MAX];
    text->used = 0;
    if (journal->file < 0) {
        journal->file = create(&journal->place, "journal", journal->path);
        if (journal->file < 0)
            return false;
        dwci_lock(journal->file, F_WRLCK); /* where that does not work, the process's number has to do */
        journal->process = (long)getpid();
        dwci_place_sync(&journal->place);
    }
    errno = ENOMEM;
    if (journal->bytes == 0 && !dwci_bytes_append(text, header, dwci_header_print(header)))
        return false;
    return dwci_bytes_append(text, item->text, item->bytes) && dwci_bytes_append(text, "\n", 1);
}

dwc_status dwci_journal_append(dwci_journal *journal, const dwci_item *item, dwc_error *error) {
    dwci_bytes text = {0};
    bool done = false;
    if (!journal->place.path[0] || journal->stopped)
        return DWC_OK;
    if (journal->file >= 0 && journal->process != (long)getpid())
        dwci_journal_close(journal);
    for (int tries = 0; tries < 2 && !done; tries++) {
        if (!open_journal(journal, &text, item) || !append(journal, &text))
            break;
        done = !removed(journal);
        if (!done)
            dwci_journal_close(journal);
        errno = ENOENT;
    }
    int reason = errno;
    dwci_bytes_clear(&text);
    if (done)
        return DWC_OK;
    journal->stopped = true;
    return fail_journal(error, journal->path, reason);
}
