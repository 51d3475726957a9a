/* SPDX-License-Identifier: Apache-2.0 */
/* The text form of a problem: f32:nhwc:n64:112x112x32:k3x3:s1x1:d1x1:m1:same
 *
 * Parsing walks the colon-separated parts: the first is the element type, the second the layout; the rest may come in
 * any order and each at most once, told apart by their first characters. */
#include "core/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    PART_N = 1,
    PART_SIZE = 2,
    PART_KERNEL = 4,
    PART_STRIDE = 8,
    PART_DILATION = 16,
    PART_M = 32,
    PART_PADDING = 64,
    PART_BIAS = 128,
    PART_ACTIVATION = 256
};

typedef struct part {
    const char *text;
    int length;
} part;

static int equals(part p, const char *word) {
    return (size_t)p.length == strlen(word) && memcmp(p.text, word, (size_t)p.length) == 0;
}

/* Reads `most` decimal numbers separated by `separator` and nothing else; returns how many, or 0. */
static int numbers(const char *text, int length, char separator, int most, int64_t *values) {
    int count = 0, at = 0;
    while (at < length && count < most) {
        int start = at;
        int64_t value = 0;
        for (; at < length && text[at] >= '0' && text[at] <= '9'; at++)
            if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text[at] - '0', &value))
                return 0;
        if (at == start)
            return 0;
        values[count++] = value;
        if (at == length)
            return count;
        if (text[at++] != separator)
            return 0;
    }
    return 0;
}

/* One number for both dimensions, or two. */
static int pair(part p, int64_t *h, int64_t *w) {
    int64_t v[2];
    int count = numbers(p.text + 1, p.length - 1, 'x', 2, v);
    if (!count)
        return 0;
    *h = v[0];
    *w = v[count - 1];
    return 1;
}

static int activation(part p, dwc_activation *value) {
    for (int i = DWC_RELU; i <= DWC_RELU6; i++)
        if (equals(p, dwc_activation_name((dwc_activation)i))) {
            *value = (dwc_activation)i;
            return 1;
        }
    return 0;
}

/* Reads one part into the problem and returns which it was, 0 if it is none. */
static int read_part(part p, dwc_problem *problem) {
    int64_t v[4];
    if (equals(p, "same") || equals(p, "valid")) {
        problem->padding = equals(p, "same") ? DWC_SAME : DWC_VALID;
        return PART_PADDING;
    }
    if (equals(p, "bias")) {
        problem->bias = 1;
        return PART_BIAS;
    }
    if (activation(p, &problem->activation))
        return PART_ACTIVATION;
    switch (p.length > 0 ? p.text[0] : 0) {
    case 'n':
        return numbers(p.text + 1, p.length - 1, 'x', 1, &problem->n) == 1 ? PART_N : 0;
    case 'm':
        return numbers(p.text + 1, p.length - 1, 'x', 1, &problem->m) == 1 ? PART_M : 0;
    case 'k':
        return pair(p, &problem->kh, &problem->kw) ? PART_KERNEL : 0;
    case 's':
        return pair(p, &problem->sh, &problem->sw) ? PART_STRIDE : 0;
    case 'd':
        return pair(p, &problem->dh, &problem->dw) ? PART_DILATION : 0;
    case 'p':
        if (numbers(p.text + 1, p.length - 1, ',', 4, v) != 4)
            return 0;
        problem->padding = DWC_EXPLICIT;
        problem->pad_top = v[0], problem->pad_bottom = v[1], problem->pad_left = v[2], problem->pad_right = v[3];
        return PART_PADDING;
    default:
        if (numbers(p.text, p.length, 'x', 3, v) != 3)
            return 0;
        problem->h = v[0], problem->w = v[1], problem->c = v[2];
        return PART_SIZE;
    }
}

/* Copies a part into a terminated name; too long a one becomes empty, which matches nothing. */
static void name_of_part(part p, char *name, size_t size) {
    if (p.length < 0 || (size_t)p.length >= size)
        p.length = 0;
    memcpy(name, p.text, (size_t)p.length);
    name[p.length] = 0;
}

static part next_part(const char **text) {
    part p = {*text, (int)strcspn(*text, ":")};
    *text += p.length + ((*text)[p.length] == ':');
    return p;
}

dwc_status dwc_problem_parse(const char *text, dwc_problem *problem, dwc_error *error) {
    dwc_problem result;
    char name[8];
    int seen = 0;
    if (!text || !problem)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", text ? "problem" : "text");
    if (strlen(text) >= DWC_PROBLEM_TEXT_MAX)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "problem text: longer than %d characters",
                         DWC_PROBLEM_TEXT_MAX - 1);
    if (text[0] && text[strlen(text) - 1] == ':')
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "problem text: ends with ':'");

    const char *rest = text;
    dwc_problem_init(&result);
    name_of_part(next_part(&rest), name, sizeof name);
    if (!(result.dtype = dwc_dtype_parse(name)))
        return dwci_fail(error, DWC_INVALID_ARGUMENT,
                         "problem text: does not start with f16, bf16, f32 or f64 but '%.64s'", text);
    name_of_part(next_part(&rest), name, sizeof name);
    if (!(result.layout = dwc_layout_parse(name)))
        return dwci_fail(error, DWC_INVALID_ARGUMENT,
                         "problem text: the second part of '%.64s' is neither nhwc nor nchw", text);
    while (*rest) {
        part p = next_part(&rest);
        int kind = read_part(p, &result);
        if (!kind)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "problem text: cannot read '%.*s'",
                             p.length < 64 ? p.length : 64, p.text);
        if (seen & kind)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "problem text: '%.*s' is a part that came before", p.length,
                             p.text);
        seen |= kind;
    }
    static const struct {
        int kind;
        const char *what;
    } needed[] = {{PART_N, "images, nN"}, {PART_SIZE, "sizes, HxWxC"}, {PART_KERNEL, "taps, kKHxKW"}};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!(seen & needed[i].kind))
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "problem text: no %s in '%.64s'", needed[i].what, text);
    dwc_status status = dwc_problem_geometry(&result, NULL, error);
    if (status == DWC_OK)
        *problem = result;
    return status;
}

size_t dwc_problem_print(const dwc_problem *p, char *text, size_t size) {
    char padding[96];
    if (p->padding == DWC_EXPLICIT)
        snprintf(padding, sizeof padding, "p%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, p->pad_top, p->pad_bottom,
                 p->pad_left, p->pad_right);
    else
        snprintf(padding, sizeof padding, "%s", dwc_padding_name(p->padding));
    int length = snprintf(text, size,
                          "%s:%s:n%" PRId64 ":%" PRId64 "x%" PRId64 "x%" PRId64 ":k%" PRId64 "x%" PRId64 ":s%" PRId64
                          "x%" PRId64 ":d%" PRId64 "x%" PRId64 ":m%" PRId64 ":%s%s%s%s",
                          dwc_dtype_name(p->dtype), dwc_layout_name(p->layout), p->n, p->h, p->w, p->c, p->kh, p->kw,
                          p->sh, p->sw, p->dh, p->dw, p->m, padding, p->bias ? ":bias" : "", p->activation ? ":" : "",
                          p->activation ? dwc_activation_name(p->activation) : "");
    return length > 0 ? (size_t)length : 0;
}
