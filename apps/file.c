/* SPDX-License-Identifier: Apache-2.0 */
/* Input and output files; see file.h.
 * The partial file is locked (flock) while it is written: two jobs with the same output must not rename each other's
 * unfinished data. Where the file system has no locks a file OUT.partial.lock stands for one, which a killed job leaves
 * behind. A signal's handler removes the partial file itself, unless it
 * holds work worth keeping, so that the program stops at once however long a chunk takes. */
#define _GNU_SOURCE
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What the file is the result of, for programs, where the file system keeps such labels. */
static const char label_name[] = "user.dwconv";

static _Atomic(const char *) partial_to_remove, lock_to_remove;

/* A library that calls exit or abort (a thread runtime that gets no threads) leaves no partial file either. */
static void remove_partial(void) {
    if (partial_to_remove)
        unlink(partial_to_remove);
    if (lock_to_remove)
        unlink(lock_to_remove);
}

static void remove_partial_and_die(int number) {
    remove_partial();
    signal(number, SIG_DFL);
    raise(number); /* stays pending until this handler returns */
}

/* From now on ends of the program remove what is to be removed. A signal that was ignored when it started (nohup) stays
 * ignored. */
static void watch_ends(void) {
    static int watching;
    if (watching++)
        return;
    atexit(remove_partial);
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT, SIGALRM, SIGUSR2, SIGXCPU, SIGABRT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) || action.sa_handler == SIG_IGN)
            continue;
        memset(&action, 0, sizeof action);
        action.sa_handler = remove_partial_and_die;
        sigaction(numbers[i], &action, NULL);
    }
}

/* ---- input ------------------------------------------------------------------------------------------------------- */

static int64_t time_of(const struct stat *info) {
    return (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
}

int input_open(const char *path, input_file *file, cli_failure *failure) {
    struct stat info;
    *file = (input_file){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)}; /* a pipe would block */
    if (file->fd < 0)
        return fail_file(failure, path, "open", errno);
    if (fstat(file->fd, &info))
        return fail_file(failure, path, "read", errno);
    if (S_ISDIR(info.st_mode))
        return fail_file(failure, path, "read", EISDIR);
    if (!S_ISREG(info.st_mode))
        return fail(failure, EXIT_USAGE, "%s: not a regular file (pipes and devices cannot be read at offsets)", path);
    file->bytes = info.st_size;
    file->changed = time_of(&info);
    file->device = info.st_dev;
    file->inode = info.st_ino;
    return EXIT_DONE;
}

int input_read(const input_file *file, void *buffer, int64_t bytes, int64_t offset, cli_failure *failure) {
    for (char *at = buffer; bytes > 0;) {
        ssize_t count = pread(file->fd, at, (size_t)bytes, offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail_file(failure, file->path, "read", errno);
        if (count == 0)
            return fail(failure, EXIT_FAILED, "%s: became shorter while it was read: nothing at byte %lld of %lld",
                        file->path, (long long)offset, (long long)file->bytes);
        at += count;
        bytes -= count;
        offset += count;
    }
    return EXIT_DONE;
}

void input_close(input_file *file) {
    if (file->path && file->fd >= 0)
        close(file->fd);
    *file = (input_file){0};
}

int input_unchanged(const input_file *file, cli_failure *failure) {
    struct stat info;
    if (!file->path)
        return EXIT_DONE;
    if (fstat(file->fd, &info))
        return fail_file(failure, file->path, "read", errno);
    if (info.st_size != file->bytes || time_of(&info) != file->changed)
        return fail(failure, EXIT_FAILED, "%s: was changed while it was read", file->path);
    return EXIT_DONE;
}

/* ---- output ------------------------------------------------------------------------------------------------------ */

/* The input that `info` describes, NULL if it is none of them. */
static const input_file *find_input(const struct stat *info, const input_file *inputs, int count) {
    for (int i = 0; i < count; i++)
        if (inputs[i].path && inputs[i].device == info->st_dev && inputs[i].inode == info->st_ino)
            return &inputs[i];
    return NULL;
}

static char *partial_path(const char *path) {
    char *partial = NULL;
    return asprintf(&partial, "%s.partial", path) < 0 ? NULL : partial;
}

int output_check(const char *path, int replace, const input_file *inputs, int count, cli_failure *failure) {
    struct stat info;
    const input_file *same;
    char *partial = partial_path(path);
    if (partial && !stat(partial, &info) && (same = find_input(&info, inputs, count)))
        fail(failure, EXIT_USAGE, "%s: would overwrite the input %s", partial, same->path);
    free(partial);
    if (failure->code)
        return failure->code;

    if (stat(path, &info) && lstat(path, &info))
        return EXIT_DONE; /* nothing there */
    if (S_ISDIR(info.st_mode))
        return fail_file(failure, path, "write", EISDIR);
    if ((same = find_input(&info, inputs, count)))
        return fail(failure, EXIT_USAGE, "%s: is the same file as the input %s", path, same->path);
    if (!replace)
        return fail(failure, EXIT_USAGE, "%s: exists already (--force replaces it)", path);
    if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode))
        return fail(failure, EXIT_USAGE, "%s: not a regular file", path);
    return EXIT_DONE;
}

/* The lock where there are no locks: a file that says whose it is. */
static int lock_by_file(output_file *file, int break_lock, cli_failure *failure) {
    char text[300] = "";
    char host[64] = "?";
    const char *job = getenv("SLURM_JOB_ID");
    if (asprintf(&file->lock, "%s.lock", file->partial) < 0) {
        file->lock = NULL;
        return fail(failure, EXIT_FAILED, "out of memory");
    }
    if (break_lock)
        unlink(file->lock);
    int fd = open(file->lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    const int error = errno;
    if (fd < 0 && error == EEXIST && (fd = open(file->lock, O_RDONLY | O_CLOEXEC)) >= 0) {
        const ssize_t length = read(fd, text, sizeof text - 1);
        text[length > 0 ? strcspn(text, "\n") : 0] = 0;
        fail(failure, EXIT_FAILED, "%s: another job is writing it, by %s: %s; --force-unlock if that job is gone",
             file->partial, file->lock, text);
    } else if (fd < 0) {
        fail_file(failure, file->lock, "write", error);
    } else {
        gethostname(host, sizeof host - 1);
        snprintf(text, sizeof text, "host %s, process %d%s%s\n", host, (int)getpid(), job ? ", Slurm job " : "",
                 job ? job : "");
        if (write(fd, text, strlen(text)) < 0)
            fail_file(failure, file->lock, "write", errno);
        lock_to_remove = file->lock;
        watch_ends();
    }
    if (fd >= 0)
        close(fd);
    if (lock_to_remove != file->lock) { /* not ours */
        free(file->lock);
        file->lock = NULL;
    }
    return failure->code;
}

/* Locks the open partial file. What is found under the name is a stopped job's rest, or another running job's file,
 * which may be renamed between open and lock: then the name no longer leads to it. */
static int take_partial(output_file *file, int break_lock, cli_failure *failure) {
    struct stat opened, named;
    const int error = flock(file->fd, LOCK_EX | LOCK_NB) ? errno : 0;
    if (error == EWOULDBLOCK)
        return fail(failure, EXIT_FAILED, "%s: another job is writing it", file->partial);
    if (error && lock_by_file(file, break_lock, failure))
        return failure->code;
    if (fstat(file->fd, &opened) || lstat(file->partial, &named))
        return fail_file(failure, file->partial, "write", errno);
    if (opened.st_dev != named.st_dev || opened.st_ino != named.st_ino)
        return fail(failure, EXIT_FAILED, "%s: another job has just finished it", file->partial);
    if (!S_ISREG(opened.st_mode))
        return fail(failure, EXIT_USAGE, "%s: not a regular file", file->partial);
    file->found_bytes = opened.st_size;
    return EXIT_DONE;
}

/* Takes the room on disk at once, where the file system can: a full disk is better known before hours of work. */
static int reserve(const output_file *file, int64_t bytes, cli_failure *failure) {
    int error;
    do
        error = bytes && fallocate(file->fd, 0, 0, bytes) ? errno : 0;
    while (error == EINTR);
    if (error == ENOSPC || error == EFBIG || error == EDQUOT || (error && ftruncate(file->fd, bytes)))
        return fail_file(failure, file->partial, "write", errno);
    return EXIT_DONE;
}

/* Closes without removing, for a file that is not ours (any more). */
static void forget(output_file *file) {
    partial_to_remove = lock_to_remove = NULL;
    if (file->lock)
        unlink(file->lock);
    if (file->fd >= 0)
        close(file->fd);
    free(file->lock);
    free(file->partial);
    *file = (output_file){0};
}

static void remove_at_end(const output_file *file) {
    partial_to_remove = file->partial;
    watch_ends();
}

static int open_partial(output_file *file, const char *path, int flags, cli_failure *failure) {
    *file = (output_file){.path = path, .partial = partial_path(path), .fd = -1};
    if (!file->partial)
        return fail(failure, EXIT_FAILED, "out of memory");
    file->fd = open(file->partial, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0666);
    return file->fd < 0 ? fail_file(failure, file->partial, "write", errno) : EXIT_DONE;
}

int output_open(const char *path, int replace, int break_lock, output_file *file, cli_failure *failure) {
    sigset_t all, before; /* signals come when it is known whether they are to remove the file */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    int code = open_partial(file, path, O_CREAT, failure);
    if (!code)
        code = take_partial(file, break_lock, failure);
    file->replace = replace;
    if (code)
        forget(file);
    else if (file->found_bytes == 0)
        remove_at_end(file);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return code;
}

int output_join(const char *path, output_file *file, cli_failure *failure) {
    int code = open_partial(file, path, 0, failure);
    if (!code)
        code = output_share(file, failure);
    if (code)
        forget(file);
    return code;
}

int output_share(const output_file *file, cli_failure *failure) {
    if (flock(file->fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK)
        return fail(failure, EXIT_FAILED, "%s: another job is writing it", file->partial);
    return EXIT_DONE;
}

int output_begin(output_file *file, int64_t bytes, int shared, cli_failure *failure) {
    if (shared)
        output_keep();
    else
        remove_at_end(file);
    if (ftruncate(file->fd, 0))
        return fail_file(failure, file->partial, "write", errno);
    return reserve(file, bytes, failure);
}

void output_keep(void) {
    partial_to_remove = NULL;
}

int output_sync(const output_file *file, cli_failure *failure) {
    return fdatasync(file->fd) ? fail_file(failure, file->partial, "write", errno) : EXIT_DONE;
}

int output_write(const output_file *file, const void *buffer, int64_t bytes, int64_t offset, cli_failure *failure) {
    for (const char *at = buffer; bytes > 0;) {
        ssize_t count = pwrite(file->fd, at, (size_t)bytes, offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return fail_file(failure, file->partial, "write", count ? errno : ENOSPC);
        at += count;
        bytes -= count;
        offset += count;
    }
    return EXIT_DONE;
}

/* Makes a rename durable. The data is safe already and many file systems cannot sync a directory: errors do not count.
 */
void sync_directory_of(const char *path) {
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

/* Renames; without `replace` a file that has appeared under the name meanwhile stays, where the file system can do so.
 */
static int give_name(const output_file *file) {
    if (!file->replace) {
        if (!renameat2(AT_FDCWD, file->partial, AT_FDCWD, file->path, RENAME_NOREPLACE))
            return 0;
        if (errno != EINVAL && errno != ENOSYS)
            return -1;
    }
    return rename(file->partial, file->path);
}

void output_unlock_by_file(void) {
    if (lock_to_remove)
        unlink(lock_to_remove);
}

void output_label(const output_file *file, const char *text) {
    if (fsetxattr(file->fd, label_name, text, strlen(text), 0))
        return; /* many file systems have no such labels */
}

int output_read_label(const char *path, char *text, size_t size) {
    const ssize_t length = getxattr(path, label_name, text, size - 1);
    text[length > 0 ? length : 0] = 0;
    return length > 0;
}

int output_commit(output_file *file, cli_failure *failure) {
    if (fsync(file->fd))
        return fail_file(failure, file->partial, "write", errno);
    const char *partial = partial_to_remove;
    partial_to_remove = NULL; /* once renamed, that name may be another job's */
    if (give_name(file)) {
        int error = errno;
        partial_to_remove = partial;
        return fail_file(failure, file->path, "write", error);
    }
    sync_directory_of(file->path);
    forget(file);
    return EXIT_DONE;
}

void output_discard(output_file *file) {
    if (file->path)
        unlink(file->partial);
    output_close(file);
}

void output_close(output_file *file) {
    if (file->path)
        forget(file);
}
