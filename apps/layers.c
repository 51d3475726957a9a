/* SPDX-License-Identifier: Apache-2.0 */
/* Problem texts and shape files; see layers.h. */
#define _GNU_SOURCE
#include "layers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char header[] = "network,layer,H,W,C,kh,kw,sh,sw,dh,dw,M,padding";
enum { columns = 13, most_text = 4096 };

/* ---- lists ------------------------------------------------------------------------------------------------------- */

/* Calls read for each part of a comma list; read returns 0 for a bad one. */
static int read_list(const cli_option *option, const char *text, int (*read)(const char *part, void *to, int index),
                     void *to, int *count, cli_failure *failure) {
    for (*count = 0; *count < most_values; text++) {
        char part[32];
        size_t length = strcspn(text, ",");
        snprintf(part, sizeof part, "%.*s", (int)(length < sizeof part ? length : sizeof part), text);
        if (length >= sizeof part || !read(part, to, (*count)++))
            return fail(failure, EXIT_USAGE, "%s: '%.*s' is not one of %s", option->name, (int)length, text,
                        option->argument);
        text += length;
        if (!*text)
            return EXIT_DONE;
    }
    return fail(failure, EXIT_USAGE, "%s: more than %d values", option->name, most_values);
}

static int read_batch(const char *part, void *to, int index) {
    return option_numbers(part, (int64_t *)to + index, 1);
}

static int read_dtype(const char *part, void *to, int index) {
    return (((dwc_dtype *)to)[index] = dwc_dtype_parse(part)) != 0;
}

static int read_layout(const char *part, void *to, int index) {
    return (((dwc_layout *)to)[index] = dwc_layout_parse(part)) != 0;
}

int option_batches(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    layer_variants *v = value;
    return read_list(option, text, read_batch, v->batches, &v->batch_count, failure);
}

int option_dtypes(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    layer_variants *v = value;
    return read_list(option, text, read_dtype, v->dtypes, &v->dtype_count, failure);
}

int option_layouts(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    layer_variants *v = value;
    return read_list(option, text, read_layout, v->layouts, &v->layout_count, failure);
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

static int append(layer_list *list, const layer *added, cli_failure *failure) {
    layer *grown = realloc(list->layers, sizeof *grown * (size_t)(list->count + 1));
    if (!grown)
        return fail(failure, EXIT_FAILED, "out of memory");
    list->layers = grown;
    grown[list->count] = *added;
    if (added->name) {
        grown[list->count].network = strdup(added->network);
        grown[list->count].name = strdup(added->name);
    }
    list->count++;
    return EXIT_DONE;
}

static int add_text(layer_list *list, const char *text, cli_failure *failure) {
    layer added = {0};
    dwc_error error;
    if (dwc_problem_parse(text, &added.problem, &error))
        return fail_library(failure, text, &error);
    return append(list, &added, failure);
}

/* The padding of a shape file: SAME, VALID or T:B:L:R. */
static int read_padding(char *text, dwc_problem *p) {
    int64_t pads[4];
    if (!strcmp(text, "SAME") || !strcmp(text, "VALID")) {
        p->padding = *text == 'S' ? DWC_SAME : DWC_VALID;
        return 1;
    }
    for (char *at = text; (at = strchr(at, ':'));)
        *at = ',';
    if (!option_numbers(text, pads, 4))
        return 0;
    p->padding = DWC_EXPLICIT;
    p->pad_top = pads[0], p->pad_bottom = pads[1], p->pad_left = pads[2], p->pad_right = pads[3];
    return 1;
}

static int add_variants(layer_list *list, layer *l, const layer_variants *v, const char *where, cli_failure *failure) {
    for (int b = 0; b < (v->batch_count ? v->batch_count : 1); b++)
        for (int d = 0; d < (v->dtype_count ? v->dtype_count : 1); d++)
            for (int f = 0; f < (v->layout_count ? v->layout_count : 1); f++) {
                dwc_error error;
                l->problem.n = v->batch_count ? v->batches[b] : 1;
                l->problem.dtype = v->dtype_count ? v->dtypes[d] : DWC_F32;
                l->problem.layout = v->layout_count ? v->layouts[f] : DWC_NHWC;
                if (dwc_problem_geometry(&l->problem, NULL, &error))
                    return fail_library(failure, where, &error);
                int code = append(list, l, failure);
                if (code)
                    return code;
            }
    return EXIT_DONE;
}

static int add_line(layer_list *list, char *line, const layer_variants *variants, const char *where,
                    cli_failure *failure) {
    char *fields[columns], *rest = line;
    int count = 0;
    layer l = {0};
    for (char *field; (field = strsep(&rest, ",")); count++)
        if (count < columns)
            fields[count] = field;
    if (count != columns)
        return fail(failure, EXIT_USAGE, "%s: %d fields, not %d", where, count, columns);
    dwc_problem_init(&l.problem);
    dwc_problem *p = &l.problem;
    int64_t *const numbers[] = {&p->h, &p->w, &p->c, &p->kh, &p->kw, &p->sh, &p->sw, &p->dh, &p->dw, &p->m};
    for (int i = 0; i < 10; i++)
        if (!option_numbers(fields[2 + i], numbers[i], 1))
            return fail(failure, EXIT_USAGE, "%s: field %d, '%s', is not a whole number", where, 3 + i, fields[2 + i]);
    if (!read_padding(fields[12], p))
        return fail(failure, EXIT_USAGE, "%s: padding '%s' is none of SAME, VALID, T:B:L:R", where, fields[12]);
    l.network = fields[0];
    l.name = fields[1];
    return add_variants(list, &l, variants, where, failure);
}

static int read_file(layer_list *list, FILE *file, const char *path, const layer_variants *variants,
                     cli_failure *failure) {
    char *line = NULL;
    size_t size = 0;
    int code = EXIT_DONE;
    for (int64_t number = 1; !code; number++) {
        char where[most_text];
        errno = 0;
        if (getline(&line, &size, file) < 0) {
            if (errno)
                code = fail_file(failure, path, "read", errno);
            else if (number == 1)
                code = fail(failure, EXIT_USAGE, "%s: empty, the first line must be %s", path, header);
            break;
        }
        line[strcspn(line, "\r\n")] = 0;
        snprintf(where, sizeof where, "%s: line %" PRId64, path, number);
        if (number == 1 && strcmp(line, header))
            code = fail(failure, EXIT_USAGE, "%s: must be %s", where, header);
        else if (number > 1 && *line)
            code = add_line(list, line, variants, where, failure);
    }
    free(line);
    return code;
}

static int add_file(layer_list *list, const char *path, const layer_variants *variants, cli_failure *failure) {
    FILE *file = fopen(path, "re");
    if (!file)
        return fail_file(failure, path, "open", errno);
    int code = read_file(list, file, path, variants, failure);
    fclose(file);
    return code;
}

int layers_read(layer_list *list, const layer_source *source, cli_failure *failure) {
    const layer_variants *v = &source->variants;
    if (!source->problems.count && !source->shapes)
        return fail(failure, EXIT_USAGE, "no problem given: PROBLEM... or --shapes FILE");
    if (!source->shapes && (v->batch_count || v->dtype_count || v->layout_count))
        return fail(failure, EXIT_USAGE, "--batch, --dtype and --layout go with --shapes");
    for (int i = 0; i < source->problems.count; i++) {
        int code = add_text(list, source->problems.words[i], failure);
        if (code)
            return code;
    }
    return source->shapes ? add_file(list, source->shapes, v, failure) : EXIT_DONE;
}

void layers_free(layer_list *list) {
    for (int64_t i = 0; i < list->count; i++) {
        free(list->layers[i].network);
        free(list->layers[i].name);
    }
    free(list->layers);
    *list = (layer_list){0};
}
