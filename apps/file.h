/* SPDX-License-Identifier: Apache-2.0 */
/* Files of `dwconv conv`: inputs read at offsets, and an output that appears under its name only when complete.
 *
 *     output_check -> output_open: OUT.partial -> output_begin -> output_write ... -> output_commit: rename to OUT
 *                                        \-> output_discard, or a signal: OUT.partial is removed
 *                                         \-> output_close: it stays, to be gone on with
 *
 * Transfers are whole: interrupted and short ones are continued. A file that cannot be opened, read or written is
 * EXIT_FAILED; one that must not be used in this role (not a regular file, exists already) is EXIT_USAGE. */
#ifndef FILE_H
#define FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "cli.h"

typedef struct input_file {
    const char *path; /* NULL: no file */
    int fd;
    int64_t bytes;   /* size when opened */
    int64_t changed; /* nanoseconds since 1970 of the last change, then */
    dev_t device;
    ino_t inode;
} input_file;

/* Opens a regular file. `file` is usable with input_close after a failure too. */
int input_open(const char *path, input_file *file, cli_failure *failure);

/* Reads exactly `bytes` at `offset`; a file that has become shorter than that is an error. */
int input_read(const input_file *file, void *buffer, int64_t bytes, int64_t offset, cli_failure *failure);

/* EXIT_FAILED: it was written to since it was opened. Does nothing for a file of zeros, as the next. */
int input_unchanged(const input_file *file, cli_failure *failure);
void input_close(input_file *file);

typedef struct output_file {
    const char *path; /* NULL: not open */
    char *partial;    /* path + ".partial" */
    char *lock;       /* the file that stands for a lock, NULL: there is a real one */
    int fd;
    int replace;         /* an existing file of that name is replaced */
    int64_t found_bytes; /* size of the partial file when it was opened; 0: a new one */
} output_file;

/* Says whether `path` may become an output: it must not exist unless `replace`, and neither it nor its partial file may
 * be one of the `count` inputs. Changes nothing. */
int output_check(const char *path, int replace, const input_file *inputs, int count, cli_failure *failure);

/* Opens the partial file, an existing or a new one, and locks it against other jobs; a new one stays empty, and is
 * removed by signals and exits. The path
 * must live as long as the file. break_lock: a file that stands for a lock does not count. After a failure nothing is
 * open. */
int output_open(const char *path, int replace, int break_lock, output_file *file, cli_failure *failure);

/* Opens the partial file that another process of this job has opened and shares. */
int output_join(const char *path, output_file *file, cli_failure *failure);

/* From an exclusive lock to one that the processes of a job share; no other job gets it while one of them lives. */
int output_share(const output_file *file, cli_failure *failure);

/* Empties the partial file and takes room for `bytes`. Unless other processes write to it too (`shared`), signals and
 * exits from here on remove it. */
int output_begin(output_file *file, int64_t bytes, int shared, cli_failure *failure);

/* Signals and exits no longer remove the partial file. */
void output_keep(void);

int output_write(const output_file *file, const void *buffer, int64_t bytes, int64_t offset, cli_failure *failure);

/* Makes durable what was written. */
int output_sync(const output_file *file, cli_failure *failure);

/* Makes the data durable and gives the file its name. */
int output_commit(output_file *file, cli_failure *failure);

/* A text that goes with the file where the file system allows it; output_read_label: 0 if there is none. */
void output_label(const output_file *file, const char *text);
int output_read_label(const char *path, char *text, size_t size);

/* For an end without exit: removes the file that stands for a lock. */
void output_unlock_by_file(void);

/* Makes the names in the directory of `path` durable, where that is possible. */
void sync_directory_of(const char *path);

/* Removes the partial file, or leaves it; both do nothing after a commit or for a file of zeros. */
void output_discard(output_file *file);
void output_close(output_file *file);

#endif
