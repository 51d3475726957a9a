/* SPDX-License-Identifier: Apache-2.0 */
/* Files of `dwconv conv`: inputs read at offsets, and an output that appears under its name only when complete.
 *
 *     output_check -> output_open: OUT.partial -> output_write ... -> output_commit: fsync, rename to OUT
 *                                        \-> output_discard, or a signal: OUT.partial is removed
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
    int64_t bytes; /* size when opened */
    dev_t device;
    ino_t inode;
} input_file;

/* Opens a regular file. `file` is usable with input_close after a failure too. */
int input_open(const char *path, input_file *file, cli_failure *failure);

/* Reads exactly `bytes` at `offset`; a file that has become shorter than that is an error. */
int input_read(const input_file *file, void *buffer, int64_t bytes, int64_t offset, cli_failure *failure);

/* Closes; does nothing for a file of zeros. */
void input_close(input_file *file);

typedef struct output_file {
    const char *path; /* NULL: not open */
    char *partial;    /* path + ".partial" */
    int fd;
    int replace; /* an existing file of that name is replaced */
} output_file;

/* Says whether `path` may become an output: it must not exist unless `replace`, and neither it nor its partial file may
 * be one of the `count` inputs. Changes nothing. */
int output_check(const char *path, int replace, const input_file *inputs, int count, cli_failure *failure);

/* Creates the partial file with room for `bytes`; from here on SIGINT, SIGTERM, SIGHUP and SIGPIPE remove it. The path
 * must live as long as the file. */
int output_open(const char *path, int replace, int64_t bytes, output_file *file, cli_failure *failure);

int output_write(const output_file *file, const void *buffer, int64_t bytes, int64_t offset, cli_failure *failure);

/* Makes the data durable and gives the file its name. */
int output_commit(output_file *file, cli_failure *failure);

/* Removes the partial file; does nothing after a commit or for a file of zeros. */
void output_discard(output_file *file);

#endif
