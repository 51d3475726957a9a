/* SPDX-License-Identifier: Apache-2.0 */
/* The section "mpi" of `dwconv info`: how the processes were started, how they are connected, and what is wrong. */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "cli.h"

#include <jansson.h>

/* Collective; what one rank says is what all would. shared: a directory that all ranks should see, or NULL. */
json_t *doctor_describe(const dwc_context *context, const char *shared, cli_failure *failure);

#endif
