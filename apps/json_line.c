/* SPDX-License-Identifier: Apache-2.0 */
/* JSON lines; see json_line.h. */
#include "json_line.h"

#include <stdio.h>

int json_line(json_t *object, cli_failure *failure) {
    const int failed = !object || json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    printf("\n");
    return failed && !ferror(stdout) ? fail(failure, EXIT_FAILED, "out of memory for the report") : EXIT_DONE;
}

json_t *json_known(double value) {
    return value != 0 ? json_real(value) : json_null();
}
