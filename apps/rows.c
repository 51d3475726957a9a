/* SPDX-License-Identifier: Apache-2.0 */
/* Output of benchmark rows; see rows.h. Every row is first a JSON object whose keys are the columns of the contract, in
 * order; CSV prints its values, the table picks some. */
#define _GNU_SOURCE
#include "rows.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *real_or_null(double value, int known) {
    return known ? json_real(value) : json_null();
}

static json_t *object_of(const bench_row *row) {
    const dwc_bench_result *r = row->result;
    const dwc_geometry *g = &row->plan.geometry;
    const double bytes = ((double)g->input_elements + (double)g->filter_elements + (double)g->output_elements) *
                         (double)g->element_bytes;
    char problem[DWC_PROBLEM_TEXT_MAX];
    json_t *object = json_object();
    dwc_problem_print(&row->plan.problem, problem, sizeof problem);
    if (row->layer) {
        json_object_set_new(object, "network", json_string(row->network));
        json_object_set_new(object, "layer", json_string(row->layer));
    }
    json_object_set_new(object, "problem", json_string(problem));
    json_object_set_new(object, "algo", json_string(row->plan.algo));
    json_object_set_new(object, "params", json_string(row->plan.params));
    json_object_set_new(object, "isa", json_string(row->plan.isa));
    json_object_set_new(object, "threads", json_integer(row->plan.threads));
    json_object_set_new(object, "ranks", json_integer(row->ranks));
    json_object_set_new(object, "cache", json_string(row->cold ? "cold" : "warm"));
    json_object_set_new(object, "offset", json_integer(r->offset));
    json_object_set_new(object, "reps", json_integer((json_int_t)r->rounds));
    json_object_set_new(object, "time_min_s", json_real(r->min_s));
    json_object_set_new(object, "time_median_s", json_real(r->median_s));
    json_object_set_new(object, "gflops", json_real(2e-9 * g->inbounds_taps / r->median_s));
    json_object_set_new(object, "gbps", json_real(1e-9 * bytes / r->median_s));
    json_object_set_new(object, "limit_s", json_real(r->limit_s));
    json_object_set_new(object, "limit_by", json_string(r->limit_by));
    json_object_set_new(object, "fraction", json_real(r->limit_s / r->median_s));
    json_object_set_new(object, "verified", r->verified ? json_boolean(r->verification.passed) : json_null());
    json_object_set_new(object, "max_err", real_or_null(r->verification.max_err, r->verified));
    json_object_set_new(object, "tol", real_or_null(r->verification.tolerance, r->verified));
    json_object_set_new(object, "source", json_string(row->plan.source));
    json_object_set_new(object, "time_best_offset_s", json_real(r->best_offset_median_s));
    return object;
}

/* ---- formats ----------------------------------------------------------------------------------------------------- */

/* A CSV field: quoted where it holds a comma or a quote. */
static void print_field(FILE *to, const char *text) {
    if (!strpbrk(text, ",\"\n")) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++)
        fprintf(to, *text == '"' ? "\"\"" : "%c", *text);
    fputc('"', to);
}

static void print_csv(FILE *to, json_t *object, int first) {
    const char *key, *comma = "";
    json_t *value;
    if (first) {
        json_object_foreach(object, key, value) {
            fprintf(to, "%s%s", comma, key);
            comma = ",";
        }
        fputc('\n', to);
    }
    comma = "";
    json_object_foreach(object, key, value) {
        fputs(comma, to);
        comma = ",";
        if (json_is_string(value))
            print_field(to, json_string_value(value));
        else if (json_is_real(value))
            fprintf(to, "%.9g", json_real_value(value));
        else if (json_is_integer(value))
            fprintf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_boolean(value))
            fputs(json_is_true(value) ? "true" : "false", to);
    }
    fputc('\n', to);
}

static void print_table(FILE *to, const bench_row *row, int first) {
    const dwc_bench_result *r = row->result;
    char problem[DWC_PROBLEM_TEXT_MAX];
    dwc_problem_print(&row->plan.problem, problem, sizeof problem);
    if (first)
        fprintf(to, "%-52s %-12s %11s %8s %11s %-10s %8s %6s %s\n", "problem", "algorithm", "median us", "GFLOP/s",
                "limit us", "by", "fraction", "offset", "verified");
    fprintf(to, "%-52s %-12s %11.2f %8.1f %11.2f %-10s %8.3f %6d %s", problem, row->plan.algo, 1e6 * r->median_s,
            2e-9 * row->plan.geometry.inbounds_taps / r->median_s, 1e6 * r->limit_s, r->limit_by,
            r->limit_s / r->median_s, r->offset,
            !r->verified             ? "-"
            : r->verification.passed ? "yes"
                                     : "NO");
    if (row->layer)
        fprintf(to, "  %s %s", row->network, row->layer);
    fputc('\n', to);
}

static int print_row(const row_writer *writer, FILE *to, const bench_row *row) {
    const int first = writer->written == 0;
    json_t *object = object_of(row);
    int failed = 0;
    if (writer->format == ROWS_TABLE) {
        print_table(to, row, first);
    } else if (writer->format == ROWS_CSV) {
        print_csv(to, object, first);
    } else {
        failed = json_dumpf(object, to, JSON_COMPACT | JSON_REAL_PRECISION(9));
        fputc('\n', to);
    }
    json_decref(object);
    return failed;
}

/* ---- where to ---------------------------------------------------------------------------------------------------- */

int rows_open(row_writer *writer, row_format format, const char *output, cli_failure *failure) {
    *writer = (row_writer){.format = format, .file = {.fd = -1}};
    if (!output)
        return EXIT_DONE;
    if (output_check(output, 1, NULL, 0, failure) || output_open(output, 1, 0, &writer->file, failure))
        return failure->code;
    return output_begin(&writer->file, 0, 0, failure);
}

int rows_write(row_writer *writer, const bench_row *row, cli_failure *failure) {
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    if (!memory)
        return fail(failure, EXIT_FAILED, "out of memory");
    int failed = print_row(writer, memory, row);
    failed |= fclose(memory);
    int code = failed ? fail(failure, EXIT_FAILED, "out of memory") : EXIT_DONE;
    if (!code && writer->file.path)
        code = output_write(&writer->file, text, (int64_t)length, writer->written, failure);
    else if (!code && (fwrite(text, 1, length, stdout) != length || cli_flush_output(failure)))
        code = failure->code ? failure->code : fail(failure, EXIT_FAILED, "standard output: cannot write");
    writer->written += (int64_t)length;
    free(text);
    return code;
}

int rows_close(row_writer *writer, cli_failure *failure) {
    return writer->file.path ? output_commit(&writer->file, failure) : EXIT_DONE;
}

void rows_discard(row_writer *writer) {
    output_discard(&writer->file);
}
