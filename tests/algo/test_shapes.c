/* SPDX-License-Identifier: Apache-2.0 */
/* The problems of text files, one a line ('#' starts a comment), through every algorithm and instruction set, on one
 * thread and on three, with real and with whole-number data.
 *
 *     test_shapes FILE...          files are in tests/shapes
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

static int64_t problems;
static dwt_tally tally;

static void check_text(const char *text) {
    dwc_problem problem = dwt_problem(text);
    for (int data = DWT_REAL; data <= DWT_INTEGER; data++) {
        dwt_case c;
        dwt_case_init(&c, &problem, dwt_args.seed, (dwt_data)data);
        dwt_check_all(&c, data == DWT_INTEGER, 1, &tally);
        dwt_check_all(&c, data == DWT_INTEGER, 3, &tally);
        dwt_case_free(&c);
    }
    problems++;
}

static void check_file(const char *path) {
    char line[DWC_PROBLEM_TEXT_MAX];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        dwt_fail("%s: cannot be opened", path);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "#\n")] = '\0';
        for (char *end = line + strlen(line); end > line && isspace((unsigned char)end[-1]);)
            *--end = '\0';
        if (line[0] != '\0')
            check_text(line);
    }
    fclose(file);
}

static void shape_files(void **state) {
    (void)state;
    if (dwt_args.problem != NULL)
        check_text(dwt_args.problem);
    for (int i = 0; i < dwt_args.file_count; i++)
        check_file(dwt_args.files[i]);
    printf("%" PRId64 " problems, calls that did not apply: %" PRId64 "\n", problems, tally.skipped);
    assert_true(problems > 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(shape_files)};
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
