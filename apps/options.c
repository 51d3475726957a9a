/* SPDX-License-Identifier: Apache-2.0 */
/* The table-driven option parser; see options.h.
 * Numbers are strict: decimal digits only, no sign, no blank, no overflow. Sizes take K M G T (powers of 1000) and
 * Ki Mi Gi Ti (powers of 1024). */
#include "options.h"

#include <float.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *suffix;
    int64_t factor;
} byte_units[] = {
    {"", 1},
    {"K", 1000},
    {"M", 1000000},
    {"G", 1000000000},
    {"T", 1000000000000},
    {"Ki", INT64_C(1) << 10},
    {"Mi", INT64_C(1) << 20},
    {"Gi", INT64_C(1) << 30},
    {"Ti", INT64_C(1) << 40},
};

/* Reads digits and moves *text behind them; 0 if there are none or the number is above INT64_MAX. */
static int read_digits(const char **text, int64_t *number) {
    const char *at = *text;
    int64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        int digit = *at - '0';
        if (value > (INT64_MAX - digit) / 10)
            return 0;
        value = value * 10 + digit;
    }
    if (at == *text)
        return 0;
    *text = at;
    *number = value;
    return 1;
}

int option_numbers(const char *text, int64_t *numbers, int count) {
    for (int i = 0; i < count; i++) {
        if (i && *text++ != ',')
            return 0;
        if (!read_digits(&text, &numbers[i]))
            return 0;
    }
    return *text == 0;
}

static int check_range(const cli_option *option, int64_t number, cli_failure *failure) {
    if (number < option->minimum)
        return fail(failure, EXIT_USAGE, "%s: %" PRId64 " is less than %" PRId64, option->name, number,
                    option->minimum);
    if (option->maximum && number > option->maximum)
        return fail(failure, EXIT_USAGE, "%s: %" PRId64 " is more than %" PRId64, option->name, number,
                    option->maximum);
    return EXIT_DONE;
}

int option_flag(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    (void)option, (void)text, (void)failure;
    *(int *)value = 1;
    return EXIT_DONE;
}

int option_text(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    if (!*text)
        return fail(failure, EXIT_USAGE, "%s: the value is empty", option->name);
    *(const char **)value = text;
    return EXIT_DONE;
}

int option_integer(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    if (!option_numbers(text, value, 1))
        return fail(failure, EXIT_USAGE, "%s: '%s' is not a whole number", option->name, text);
    return check_range(option, *(int64_t *)value, failure);
}

int option_bytes(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    const char *suffix = text;
    int64_t number;
    if (read_digits(&suffix, &number))
        for (size_t i = 0; i < sizeof byte_units / sizeof *byte_units; i++)
            if (!strcmp(suffix, byte_units[i].suffix) && number <= INT64_MAX / byte_units[i].factor) {
                *(int64_t *)value = number * byte_units[i].factor;
                return check_range(option, *(int64_t *)value, failure);
            }
    return fail(failure, EXIT_USAGE, "%s: '%s' is not a size in bytes (such as 500M or 2Gi)", option->name, text);
}

int option_positive(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    char *end;
    const double number = strtod(text, &end);
    if (!strchr(".0123456789", *text) || !*text || strpbrk(text, "xX") || *end || !(number > 0) || number > DBL_MAX)
        return fail(failure, EXIT_USAGE, "%s: '%s' is not a positive number", option->name, text);
    *(double *)value = number;
    return EXIT_DONE;
}

int option_pair(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    int64_t *pair = value;
    if (option_numbers(text, pair, 1))
        pair[1] = pair[0];
    else if (!option_numbers(text, pair, 2))
        return fail(failure, EXIT_USAGE, "%s: '%s' is neither a whole number nor %s", option->name, text,
                    option->argument);
    int code = check_range(option, pair[0], failure);
    return code ? code : check_range(option, pair[1], failure);
}

int option_choose(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    for (const cli_choice *choice = option->choices; choice->name; choice++)
        if (!strcmp(text, choice->name)) {
            *(int *)value = choice->value;
            return EXIT_DONE;
        }
    return fail(failure, EXIT_USAGE, "%s: '%s' is not one of %s", option->name, text, option->argument);
}

int option_isa(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    dwc_isa isa = dwc_isa_parse(text);
    if (!isa)
        return fail(failure, EXIT_USAGE, "%s: unknown instruction set '%s'", option->name, text);
    *(dwc_isa *)value = isa;
    return EXIT_DONE;
}

int option_words(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    word_list *list = value;
    if (list->count == most_words)
        return fail(failure, EXIT_USAGE, "%s: more than %d", option->name, most_words);
    list->words[list->count++] = text;
    return EXIT_DONE;
}

static int is_positional(const cli_option *option) {
    return option->name[0] != '-';
}

/* The row for one word of the command line, NULL if there is none. *text is set to what follows '=', else NULL. A
 * positional row takes one word: `seen` tells which are taken. */
static const cli_option *find_row(const cli_option *table, const char *word, uint64_t seen, const char **text) {
    size_t length = strcspn(word, "=");
    *text = word[length] ? word + length + 1 : NULL;
    for (const cli_option *row = table; row->name; row++) {
        if (is_positional(row) && word[0] != '-' && (row->repeated || !(seen >> (row - table) & 1))) {
            *text = word;
            return row;
        }
        if (!is_positional(row) && strlen(row->name) == length && !strncmp(row->name, word, length))
            return row;
    }
    return NULL;
}

static int find_missing(const cli_option *table, uint64_t seen, cli_failure *failure) {
    for (const cli_option *row = table; row->name; row++)
        if (row->required && !(seen >> (row - table) & 1))
            return fail(failure, EXIT_USAGE, "%s is missing", row->name);
    return EXIT_DONE;
}

int options_parse(const cli_option *table, int argc, char **argv, void *values, cli_failure *failure) {
    const common_options *common = values;
    uint64_t seen = 0;
    for (int i = 0; i < argc; i++) {
        const char *text;
        const cli_option *row = find_row(table, argv[i], seen, &text);
        if (!row)
            return fail(failure, EXIT_USAGE, "%s '%s'", argv[i][0] == '-' ? "unknown option" : "unexpected argument",
                        argv[i]);
        uint64_t bit = UINT64_C(1) << (row - table);
        if (seen & bit && !row->repeated)
            return fail(failure, EXIT_USAGE, "%s is given twice", row->name);
        seen |= bit;
        if (!row->argument && text && !is_positional(row))
            return fail(failure, EXIT_USAGE, "%s takes no value", row->name);
        if (row->argument && !text) {
            if (++i == argc)
                return fail(failure, EXIT_USAGE, "%s needs a value: %s", row->name, row->argument);
            text = argv[i];
        }
        int code = row->parse(row, text, (char *)values + row->offset, failure);
        if (code || common->help || common->version)
            return code;
    }
    return find_missing(table, seen, failure);
}

void options_print(const cli_option *table, FILE *stream) {
    enum { help_column = 30 };
    for (const cli_option *row = table; row->name; row++) {
        int width = fprintf(stream, "  %s%s%s", row->name, row->argument && !is_positional(row) ? " " : "",
                            row->argument && !is_positional(row) ? row->argument : "");
        if (width > help_column - 2) {
            fprintf(stream, "\n");
            width = 0;
        }
        for (const char *line = row->help; *line;) {
            int length = (int)strcspn(line, "\n");
            fprintf(stream, "%*s%.*s\n", help_column - width, "", length, line);
            line += length + (line[length] == '\n');
            width = 0;
        }
    }
}
