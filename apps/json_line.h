/* SPDX-License-Identifier: Apache-2.0 */
/* Reports for scripts: one JSON object a line on standard output. */
#ifndef JSON_LINE_H
#define JSON_LINE_H

#include "cli.h"

#include <jansson.h>

/* Prints and releases the object; NULL is one for which there was no memory. A line that cannot be written is left to
 * cli_flush_output. */
int json_line(json_t *object, cli_failure *failure);

/* A number, or null where it is not known, which 0 stands for. */
json_t *json_known(double value);

#endif
