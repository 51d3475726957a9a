/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of `dwconv bench` as a table to look at, CSV, or JSON lines. */
#ifndef ROWS_H
#define ROWS_H

#include "cli.h"
#include "dwconv_tune.h"
#include "file.h"

typedef enum row_format { ROWS_TABLE, ROWS_CSV, ROWS_JSONL } row_format;

typedef struct bench_row {
    const char *network, *layer; /* NULL where no shape file gave them */
    dwc_plan_info plan;
    int cold, ranks;
    const dwc_bench_result *result;
} bench_row;

typedef struct row_writer {
    row_format format;
    int64_t written;
    output_file file; /* zeros: standard output */
} row_writer;

/* output NULL: standard output; else a file that gets its name in rows_close. */
int rows_open(row_writer *writer, row_format format, const char *output, cli_failure *failure);
int rows_write(row_writer *writer, const bench_row *row, cli_failure *failure);
int rows_close(row_writer *writer, cli_failure *failure);
void rows_discard(row_writer *writer);

#endif
