/* SPDX-License-Identifier: Apache-2.0 */
/* Failures, contexts and output shared by all commands; see cli.h.
 * A failure keeps its first text: what is reported later, while cleaning up, is a consequence of it. */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fail(cli_failure *failure, int code, const char *format, ...) {
    if (failure->code)
        return failure->code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    failure->code = code;
    return code;
}

int fail_file(cli_failure *failure, const char *path, const char *what, int error_number) {
    return fail(failure, EXIT_FAILED, "%s: cannot %s: %s", path, what, strerror(error_number));
}

int fail_library(cli_failure *failure, const char *where, const dwc_error *error) {
    const dwc_status status = error->status;
    const int usage = status == DWC_INVALID_ARGUMENT || status == DWC_NOT_APPLICABLE;
    return fail(failure,
                usage                   ? EXIT_USAGE
                : status == DWC_STOPPED ? EXIT_STOPPED
                                        : EXIT_FAILED,
                "%s%s%s", where ? where : "", where ? ": " : "", error->message);
}

void cli_say(const cli_failure *failure, const char *text) {
    char line[4 * sizeof failure->text];
    char *end = line;
    for (const unsigned char *at = (const unsigned char *)text; *at && end + 5 < line + sizeof line; at++)
        end += sprintf(end, *at < 32 || *at == 127 ? "\\x%02x" : "%c", *at);
    *end = 0;
    fprintf(stderr, "dwconv%s%s: %s\n", failure->command ? " " : "", failure->command ? failure->command : "", line);
}

void cli_warn(const cli_failure *failure, const char *format, ...) {
    static const char kind[] = "warning: ";
    char text[sizeof failure->text];
    va_list arguments;
    memcpy(text, kind, sizeof kind);
    va_start(arguments, format);
    vsnprintf(text + sizeof kind - 1, sizeof text - sizeof kind + 1, format, arguments);
    va_end(arguments);
    cli_say(failure, text);
}

int cli_context(const common_options *common, int threads, dwc_isa max_isa, const dwc_wisdom *wisdom,
                dwc_context **context, unsigned *log_topics, cli_failure *failure) {
    dwc_context_options options;
    dwc_error error;
    dwc_context_options_init(&options);
    if (dwc_context_options_from_env(&options, &error))
        return fail_library(failure, NULL, &error);
    if (threads)
        options.threads = threads;
    if (max_isa)
        options.max_isa = max_isa;
    options.wisdom = wisdom;
    if (common->verbose) {
        options.log = dwc_log_to_stderr;
        options.log_topics = DWC_LOG_ALL;
    }
    if (log_topics)
        *log_topics = options.log_topics;
    const int shares = options.threads == 0 && common->sharing > 1;
    if (shares)
        options.threads = 1;
    if (dwc_context_create(&options, context, &error))
        return fail_library(failure, NULL, &error);
    const int cores = dwc_context_machine(*context)->usable_cores;
    if (!shares || cores < 2 * common->sharing)
        return EXIT_DONE;
    dwc_context_destroy(*context);
    *context = NULL;
    options.threads = cores / common->sharing;
    if (dwc_context_create(&options, context, &error))
        return fail_library(failure, NULL, &error);
    return EXIT_DONE;
}

static void mask_stops(int how) {
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGUSR1);
    sigprocmask(how, &stops, NULL);
}

void cli_hold_stops(void) {
    mask_stops(SIG_BLOCK);
}

void cli_take_stops(void) {
    mask_stops(SIG_UNBLOCK);
}

int cli_flush_output(cli_failure *failure) {
    errno = 0;
    int lost = ferror(stdout);
    if (fflush(stdout) || lost)
        return fail_file(failure, "standard output", "write", errno ? errno : EIO);
    return EXIT_DONE;
}

double cli_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct timespec cli_after(double seconds) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += (time_t)seconds;
    at.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}
