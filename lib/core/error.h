/* SPDX-License-Identifier: Apache-2.0 */
/* How every part of the library reports a failure: `return dwci_fail(error, STATUS, "field: what is wrong, %d",
 * value);` */
#ifndef DWC_CORE_ERROR_H
#define DWC_CORE_ERROR_H

#include "dwconv.h"

/* Writes status and message to *error (nothing when NULL) and returns status. */
dwc_status dwci_fail(dwc_error *error, dwc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
