/* SPDX-License-Identifier: Apache-2.0 */
/* The option parser. A command has one table of rows; parsing and the text of --help both come from it.
 *
 *     {"--strides", "SH,SW", "help text", option_pair, offsetof(conv_options, strides), .minimum = 1}
 *
 * A row's `parse` reads the argument into the command's options struct at `offset`. Both `--name VALUE` and
 * `--name=VALUE` are understood; an option given twice, an unknown one and a bad value are one-line errors. A row whose
 * name has no dashes is a positional argument, one, or with `repeated` any number. A table ends with a row of zeros. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdio.h>

#include "cli.h"

/* Reads text into *value, or fails with a text that starts with the option's name. */
typedef int (*option_parser)(const cli_option *option, const char *text, void *value, cli_failure *failure);

typedef struct cli_choice {
    const char *name; /* NULL ends the list */
    int value;
} cli_choice;

struct cli_option {
    const char *name;
    const char *argument; /* as --help shows it; NULL: takes none */
    const char *help;     /* lines separated by \n */
    option_parser parse;
    size_t offset;
    int64_t minimum, maximum; /* of numbers; maximum 0: none */
    const cli_choice *choices;
    int required;
    int repeated; /* may be given more than once; parse is called each time */
};

/* Parsers and the type of their value. */
int option_flag(const cli_option *option, const char *text, void *value, cli_failure *failure); /* int: 1 when given */
int option_text(const cli_option *option, const char *text, void *value, cli_failure *failure); /* const char * */
int option_integer(const cli_option *option, const char *text, void *value, cli_failure *failure); /* int64_t */
int option_bytes(const cli_option *option, const char *text, void *value, cli_failure *failure); /* int64_t, K Mi ... */
int option_positive(const cli_option *option, const char *text, void *value, cli_failure *failure); /* double */
int option_pair(const cli_option *option, const char *text, void *value,
                cli_failure *failure); /* int64_t[2]; "3" is 3,3 */
int option_choose(const cli_option *option, const char *text, void *value, cli_failure *failure); /* int, of choices */
int option_isa(const cli_option *option, const char *text, void *value, cli_failure *failure);    /* dwc_isa */

/* The words given for a positional argument that is repeated. */
enum { most_words = 512 };
typedef struct word_list {
    const char *words[most_words];
    int count;
} word_list;
int option_words(const cli_option *option, const char *text, void *value, cli_failure *failure); /* word_list */

/* Reads exactly `count` comma-separated decimal numbers; returns 0 if text is anything else. */
int option_numbers(const char *text, int64_t *numbers, int count);

/* Rows of common_options, for the end of a table whose struct begins with one. */
/* clang-format off */
#define OPTIONS_COMMON                                                                                                 \
    {.name = "--verbose", .help = "say on standard error what was chosen and why", .parse = option_flag,               \
     .offset = offsetof(common_options, verbose)},                                                                     \
    {.name = "--help", .help = "print this help and stop", .parse = option_flag,                                       \
     .offset = offsetof(common_options, help)},                                                                        \
    {.name = "--version", .help = "print the version and stop", .parse = option_flag,                                  \
     .offset = offsetof(common_options, version)}
/* clang-format on */

/* Fills `values`; stops early, without looking for what is missing, at --help or --version. */
int options_parse(const cli_option *table, int argc, char **argv, void *values, cli_failure *failure);

/* The table as indented lines "  --name ARGUMENT  help". */
void options_print(const cli_option *table, FILE *stream);

#endif
