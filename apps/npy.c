/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing .npy headers; see npy.h.
 * The header is a Python dictionary literal. A strict recursive-descent parser reads just what NumPy writes: the keys
 * descr, fortran_order and shape, once each, in any order, blanks anywhere, a comma after the last item or not; decimal
 * numbers without sign, leading zeros or Python 2's L. */
#include "npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { longest_header = 1 << 20 };

static const struct {
    const char *descr;
    dwc_dtype dtype;
} element_types[] = {{"<f2", DWC_F16}, {"|V2", DWC_BF16}, {"<V2", DWC_BF16}, {"<f4", DWC_F32}, {"<f8", DWC_F64}};

typedef struct npy_parser {
    const char *path;
    const char *text, *at, *end;
    npy_header *header;
    cli_failure *failure;
} npy_parser;

/* ---- small pieces ------------------------------------------------------------------------------------------------ */

static int malformed(const npy_parser *parser, const char *expected) {
    return fail(parser->failure, EXIT_USAGE, "%s: malformed npy header: expected %s at byte %td of %td", parser->path,
                expected, parser->at - parser->text, parser->end - parser->text);
}

static void skip_blanks(npy_parser *parser) {
    while (parser->at < parser->end && *parser->at && strchr(" \t\r\n\f", *parser->at))
        parser->at++;
}

/* Skips blanks and then `wanted`, if it is there. */
static int accept(npy_parser *parser, char wanted) {
    skip_blanks(parser);
    if (parser->at == parser->end || *parser->at != wanted)
        return 0;
    parser->at++;
    return 1;
}

/* Skips blanks and then the word `wanted`, if it is there and ends there. */
static int accept_word(npy_parser *parser, const char *wanted) {
    size_t length = strlen(wanted);
    skip_blanks(parser);
    if ((size_t)(parser->end - parser->at) <= length || memcmp(parser->at, wanted, length) ||
        !strchr(" \t\r\n\f,}", parser->at[length]))
        return 0;
    parser->at += length;
    return 1;
}

/* A string of printable ASCII in single or double quotes, without escapes, into `text`. */
static int read_string(npy_parser *parser, const char *expected, char *text, size_t size) {
    skip_blanks(parser);
    char quote = parser->at < parser->end ? *parser->at : 0;
    if (quote != '\'' && quote != '"')
        return malformed(parser, expected);
    const char *first = parser->at + 1, *last = first;
    while (last < parser->end && *last >= ' ' && *last <= '~' && *last != quote && *last != '\\')
        last++;
    if (last == parser->end || *last != quote || (size_t)(last - first) >= size)
        return malformed(parser, expected);
    memcpy(text, first, (size_t)(last - first));
    text[last - first] = 0;
    parser->at = last + 1;
    return EXIT_DONE;
}

static int read_size(npy_parser *parser, int64_t *number) {
    skip_blanks(parser);
    const char *first = parser->at;
    if (first < parser->end && *first == '-')
        return fail(parser->failure, EXIT_USAGE, "%s: negative size in the shape, dimension %d", parser->path,
                    parser->header->rank);
    int64_t value = 0;
    for (; parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9'; parser->at++) {
        int digit = *parser->at - '0';
        if (value > (INT64_MAX - digit) / 10)
            return fail(parser->failure, EXIT_USAGE, "%s: the size of dimension %d does not fit 64 bits", parser->path,
                        parser->header->rank);
        value = value * 10 + digit;
    }
    if (parser->at == first || (*first == '0' && parser->at - first > 1))
        return malformed(parser, "a size");
    *number = value;
    return EXIT_DONE;
}

/* ---- the three values -------------------------------------------------------------------------------------------- */

static int read_descr(npy_parser *parser) {
    char descr[64];
    skip_blanks(parser);
    if (parser->at < parser->end && *parser->at == '[')
        return fail(parser->failure, EXIT_USAGE, "%s: structured element types are not supported", parser->path);
    if (read_string(parser, "an element type", descr, sizeof descr))
        return parser->failure->code;
    for (size_t i = 0; i < sizeof element_types / sizeof *element_types; i++)
        if (!strcmp(descr, element_types[i].descr)) {
            parser->header->dtype = element_types[i].dtype;
            return EXIT_DONE;
        }
    const char *why = descr[0] == '>' ? " (big endian)" : strchr(descr, 'O') ? " (Python objects)" : "";
    return fail(parser->failure, EXIT_USAGE, "%s: element type '%s'%s is not one of <f2 <f4 <f8 |V2", parser->path,
                descr, why);
}

static int read_order(npy_parser *parser) {
    if (accept_word(parser, "False"))
        return EXIT_DONE;
    if (accept_word(parser, "True"))
        return fail(parser->failure, EXIT_USAGE, "%s: the array is in Fortran order, C order is needed", parser->path);
    return malformed(parser, "True or False");
}

static int read_shape(npy_parser *parser) {
    npy_header *header = parser->header;
    int comma = 1;
    if (!accept(parser, '('))
        return malformed(parser, "the shape, a tuple");
    for (header->rank = 0; !accept(parser, ')'); header->rank++) {
        int64_t size = 0;
        if (!comma)
            return malformed(parser, "',' or ')'");
        if (read_size(parser, &size))
            return parser->failure->code;
        if (header->rank < DWC_MAX_RANK)
            header->shape[header->rank] = size;
        comma = accept(parser, ',');
    }
    if (header->rank == 1 && !comma)
        return malformed(parser, "',': (3) is a number, (3,) a tuple");
    return EXIT_DONE;
}

/* ---- the dictionary ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *key;
    int (*read)(npy_parser *parser);
} items[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};

enum { item_count = sizeof items / sizeof *items };

static int read_item(npy_parser *parser, unsigned *seen) {
    char key[64];
    if (read_string(parser, "a key", key, sizeof key))
        return parser->failure->code;
    int i = 0;
    while (i < item_count && strcmp(key, items[i].key))
        i++;
    if (i == item_count)
        return fail(parser->failure, EXIT_USAGE, "%s: unknown key '%s' in the npy header", parser->path, key);
    if (*seen >> i & 1)
        return fail(parser->failure, EXIT_USAGE, "%s: the key '%s' is in the npy header twice", parser->path, key);
    *seen |= 1u << i;
    if (!accept(parser, ':'))
        return malformed(parser, "':'");
    return items[i].read(parser);
}

static int read_dictionary(npy_parser *parser) {
    unsigned seen = 0;
    int comma = 1;
    if (!accept(parser, '{'))
        return malformed(parser, "'{'");
    while (!accept(parser, '}')) {
        if (!comma)
            return malformed(parser, "',' or '}'");
        if (read_item(parser, &seen))
            return parser->failure->code;
        comma = accept(parser, ',');
    }
    skip_blanks(parser);
    if (parser->at != parser->end)
        return malformed(parser, "nothing more");
    for (int i = 0; i < item_count; i++)
        if (!(seen >> i & 1))
            return fail(parser->failure, EXIT_USAGE, "%s: the npy header has no key '%s'", parser->path, items[i].key);
    return EXIT_DONE;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* Bytes of data the shape asks for; sizes of 0 are left out of the overflow check, as the others may be anything. */
static int count_bytes(const input_file *file, npy_header *header, cli_failure *failure) {
    int64_t bytes = (int64_t)dwc_dtype_bytes(header->dtype);
    int empty = 0;
    for (int i = 0; i < header->rank && i < DWC_MAX_RANK; i++) {
        int64_t size = header->shape[i];
        if (size && bytes > INT64_MAX / size)
            return fail(failure, EXIT_USAGE, "%s: the shape's sizes overflow 64 bits at dimension %d of size %" PRId64,
                        file->path, i, size);
        empty |= size == 0;
        bytes *= size ? size : 1;
    }
    header->data_bytes = empty ? 0 : bytes;
    return EXIT_DONE;
}

static int check_size(const input_file *file, npy_header *header, cli_failure *failure) {
    if (header->rank > DWC_MAX_RANK)
        return fail(failure, EXIT_USAGE, "%s: rank %d is more than %d", file->path, header->rank, DWC_MAX_RANK);
    if (count_bytes(file, header, failure))
        return failure->code;
    int64_t present = file->bytes - header->data_offset;
    if (present < header->data_bytes)
        return fail(failure, EXIT_USAGE,
                    "%s: truncated: the shape needs %" PRId64 " bytes of data, the file has %" PRId64, file->path,
                    header->data_bytes, present);
    if (present > header->data_bytes)
        return fail(failure, EXIT_USAGE, "%s: %" PRId64 " trailing bytes after the %" PRId64 " bytes of data",
                    file->path, present - header->data_bytes, header->data_bytes);
    return EXIT_DONE;
}

static int read_text(const input_file *file, int64_t length, npy_header *header, cli_failure *failure) {
    char *text = malloc(length ? (size_t)length : 1);
    if (!text)
        return fail(failure, EXIT_FAILED, "%s: out of memory", file->path);
    int code = input_read(file, text, length, header->data_offset - length, failure);
    if (!code) {
        npy_parser parser = {file->path, text, text, text + length, header, failure};
        code = read_dictionary(&parser);
    }
    free(text);
    return code;
}

int npy_read_header(const input_file *file, npy_header *header, cli_failure *failure) {
    unsigned char start[12];
    memset(header, 0, sizeof *header);
    int prefix = file->bytes < (int64_t)sizeof start ? (int)file->bytes : (int)sizeof start;
    if (input_read(file, start, prefix, 0, failure))
        return failure->code;
    if (prefix < 10 || memcmp(start, "\x93NUMPY", 6))
        return fail(failure, EXIT_USAGE, "%s: not an npy file", file->path);
    if (start[6] < 1 || start[6] > 3 || start[7])
        return fail(failure, EXIT_USAGE, "%s: npy version %d.%d is not one of 1.0 2.0 3.0", file->path, start[6],
                    start[7]);
    int width = start[6] == 1 ? 2 : 4;
    int64_t length = 0;
    for (int i = width; i-- > 0;)
        length = length * 256 + (8 + i < prefix ? start[8 + i] : 0);
    if (8 + width + length > file->bytes)
        return fail(failure, EXIT_USAGE, "%s: truncated: the npy header has %" PRId64 " bytes, the file %" PRId64,
                    file->path, 8 + width + length, file->bytes);
    if (length > longest_header)
        return fail(failure, EXIT_USAGE, "%s: npy header of %" PRId64 " bytes, more than %d", file->path, length,
                    (int)longest_header);
    header->data_offset = 8 + width + length;
    int code = read_text(file, length, header, failure);
    return code ? code : check_size(file, header, failure);
}

const char *npy_descr(dwc_dtype dtype) {
    for (size_t i = 0; i < sizeof element_types / sizeof *element_types; i++)
        if (element_types[i].dtype == dtype)
            return element_types[i].descr;
    return "?";
}

void npy_format_header(const npy_header *header, char text[NPY_DATA_OFFSET]) {
    enum { prefix = 10, length = NPY_DATA_OFFSET - prefix };
    static const char magic[] = "\x93NUMPY\x01\x00";
    memset(text, ' ', NPY_DATA_OFFSET);
    memcpy(text, magic, 8);
    text[8] = (char)(length & 255);
    text[9] = (char)(length >> 8);
    char *at = text + prefix;
    at += sprintf(at, "{'descr': '%s', 'fortran_order': False, 'shape': (", npy_descr(header->dtype));
    for (int i = 0; i < header->rank; i++)
        at += sprintf(at, i + 1 < header->rank || header->rank == 1 ? "%" PRId64 ", " : "%" PRId64, header->shape[i]);
    at += sprintf(at, "), }");
    *at = ' '; /* in place of sprintf's terminating zero */
    text[NPY_DATA_OFFSET - 1] = '\n';
}
