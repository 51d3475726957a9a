/* SPDX-License-Identifier: Apache-2.0 */
/* What all commands of the program share: exit codes, the one-line error, the command table's row, checked output.
 *
 *     main: find the command -> options_parse into command->values -> command->run -> print the failure, if any
 *
 * A function that can fail takes a `cli_failure *` last and returns an exit code, 0 when all went well. Only main
 * prints a failure, so that an error is exactly one line and nothing stays half done on the way out. */
#ifndef CLI_H
#define CLI_H

#include "dwconv.h"

#include <time.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_STOPPED = 75 };

typedef struct cli_failure {
    const char *command; /* that runs; NULL: none yet */
    int code;
    char text[9000]; /* two paths of 4096 bytes and what is said about them */
} cli_failure;

/* Notes what went wrong and returns `code`. */
int fail(cli_failure *failure, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "PATH: cannot WHAT: text of the error number", EXIT_FAILED: for files that cannot be opened, read or written. */
int fail_file(cli_failure *failure, const char *path, const char *what, int error_number);

/* An error of the library, after "WHERE: " unless where is NULL. Bad arguments are EXIT_USAGE, a stop on request is
 * EXIT_STOPPED, all else EXIT_FAILED. */
int fail_library(cli_failure *failure, const char *where, const dwc_error *error);

/* Prints "dwconv COMMAND: text" to standard error as exactly one line, whatever bytes a file name holds, in one
 * write. */
void cli_say(const cli_failure *failure, const char *text);

/* The same at once for "warning: TEXT", where work goes on. */
void cli_warn(const cli_failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Options every command has; the first member of each command's options. */
typedef struct common_options {
    int verbose, help, version;
    int sharing; /* processes that share the cores of this one and compute at the same time; 0: none does */
} common_options;

typedef struct cli_option cli_option;

typedef struct cli_command {
    const char *name;
    const char *summary; /* one line for the list of commands */
    const char *usage;   /* what follows "dwconv NAME " */
    const char *about;   /* paragraphs before the options, each line ends with \n */
    const cli_option *options;
    void *values; /* the command's options struct, holding the defaults; starts with common_options */
    int (*run)(cli_failure *failure);
    int team;  /* run by all processes of a launcher, not by the first one alone */
    int stops; /* SIGUSR1 asks it to stop: it calls cli_take_stops when it is ready for that */
} cli_command;

extern const cli_command conv_command, bench_command, tune_command, wisdom_command, info_command, check_command;

/* A context from the defaults, the environment and the options, in this order. threads 0 and max_isa 0: not given.
 * wisdom: for its plans, may be NULL. log_topics (may be NULL) tells what the user wants to hear about. */
int cli_context(const common_options *common, int threads, dwc_isa max_isa, const dwc_wisdom *wisdom,
                dwc_context **context, unsigned *log_topics, cli_failure *failure);

/* SIGUSR1 waits from the first of these calls to the second: MPI takes its time to start, and a request to stop that
 * comes meanwhile has to be answered like any other. */
void cli_hold_stops(void);
void cli_take_stops(void);

/* Flushes stdout; EXIT_FAILED if anything written there was lost. */
int cli_flush_output(cli_failure *failure);

/* Seconds of a clock that never goes back. */
double cli_seconds(void);

/* So many seconds from now, for pthread_cond_timedwait. */
struct timespec cli_after(double seconds);

#endif
