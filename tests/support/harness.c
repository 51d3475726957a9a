/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments, the note of what is tried now, failures and crashes. The note is kept as text in static memory, so that a
 * signal handler can write it: a read of a protected page then names the problem that made it.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

dwt_arguments dwt_args = {.seed = 1};

static const char *program = "test";
static char note[DWC_PROBLEM_TEXT_MAX + 256];

static void usage(const char *what) {
    fprintf(stderr, "%s: %s\nusage: %s [--seed S] [--count N] [--problem TEXT] [--algo NAME] [--isa NAME] [FILE...]\n",
            program, what, program);
    exit(2);
}

void dwt_begin(int argc, char **argv) {
    program = argv[0];
    dwt_args.files = argv + argc;
    for (int i = 1; i < argc; i += 2) {
        if (strncmp(argv[i], "--", 2) != 0) {
            dwt_args.files = argv + i;
            dwt_args.file_count = argc - i;
            break;
        }
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (value == NULL)
            usage("an option needs its value");
        if (strcmp(argv[i], "--seed") == 0)
            dwt_args.seed = strtoull(value, NULL, 0);
        else if (strcmp(argv[i], "--count") == 0)
            dwt_args.count = strtoll(value, NULL, 0);
        else if (strcmp(argv[i], "--problem") == 0)
            dwt_args.problem = value;
        else if (strcmp(argv[i], "--algo") == 0)
            dwt_args.algo = value;
        else if (strcmp(argv[i], "--isa") == 0)
            dwt_args.isa = value;
        else
            usage(argv[i]);
    }
    printf("seed %" PRIu64 "\n", dwt_args.seed);
    fflush(stdout);
}

static void on_crash(int signal_number) {
    static const char head[] = "\ncrashed; reproduce: ";
    ssize_t ignored = write(STDERR_FILENO, head, sizeof head - 1);
    ignored = write(STDERR_FILENO, note, strlen(note));
    ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* Set again with every note: the test library installs its own handlers before each test. */
static void catch_crashes(void) {
    signal(SIGSEGV, on_crash);
    signal(SIGBUS, on_crash);
    signal(SIGFPE, on_crash);
    signal(SIGILL, on_crash);
}

void dwt_note(const dwc_problem *problem, uint64_t seed, const dwt_call *call) {
    char text[DWC_PROBLEM_TEXT_MAX];
    dwc_problem_print(problem, text, sizeof text);
    int length = snprintf(note, sizeof note, "%s --problem %s --seed 0x%" PRIx64, program, text, seed);
    if (call != NULL && length > 0 && (size_t)length < sizeof note)
        snprintf(note + length, sizeof note - (size_t)length, " --algo %s --isa %s", call->algo,
                 dwc_isa_name(call->isa));
    catch_crashes();
}

void dwt_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nreproduce: %s\n", note[0] != '\0' ? note : program);
    fail();
    abort(); /* not reached: fail() leaves the test */
}

void dwt_ok(dwc_status status, const dwc_error *error, const char *what) {
    if (status != DWC_OK)
        dwt_fail("%s: %s: %s", what, dwc_status_name(status), error != NULL ? error->message : "");
}

dwc_problem dwt_problem(const char *text) {
    dwc_problem problem;
    dwc_error error;
    if (dwc_problem_parse(text, &problem, &error) != DWC_OK)
        dwt_fail("%s: %s", text, error.message);
    return problem;
}

void dwt_for_range(const dwt_range *range, dwt_problem_fn fn, void *user) {
    if (dwt_args.problem != NULL) {
        dwc_problem problem = dwt_problem(dwt_args.problem);
        fn(&problem, dwt_args.seed, user);
        return;
    }
    dwt_rng rng = {dwt_args.seed};
    int64_t count = dwt_args.count > 0 ? dwt_args.count : range->count;
    if (range->one_in > 0)
        count = count / range->one_in + 1;
    for (int64_t i = 0; i < count; i++) {
        dwc_problem problem = dwt_random_problem(&rng, range->least, range->most);
        fn(&problem, dwt_next(&rng), user);
    }
}

void dwt_for_problems(int64_t count, int64_t max_work, dwt_problem_fn fn, void *user) {
    const dwt_range range = {.count = count, .most = max_work};
    dwt_for_range(&range, fn, user);
}
