/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses, their names and texts from the one list in dwconv.h, and the error record. */
#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>

const char *dwc_status_name(dwc_status status) {
    switch (status) {
#define NAME(name, value, text)                                                                                        \
    case name:                                                                                                         \
        return #name;
        DWC_STATUS_LIST(NAME)
#undef NAME
    }
    return "DWC_UNKNOWN_STATUS";
}

const char *dwc_status_text(dwc_status status) {
    switch (status) {
#define TEXT(name, value, text)                                                                                        \
    case name:                                                                                                         \
        return text;
        DWC_STATUS_LIST(TEXT)
#undef TEXT
    }
    return "unknown status";
}

dwc_status dwci_fail(dwc_error *error, dwc_status status, const char *format, ...) {
    if (error) {
        va_list arguments;
        error->status = status;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        for (char *c = error->message; *c; c++) /* names that callers passed in may hold anything */
            if ((unsigned char)*c < ' ' || *c == 127)
                *c = '?';
    }
    return status;
}
