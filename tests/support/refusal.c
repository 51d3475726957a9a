/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a refused call's status and message. */
#include <string.h>

#include "harness.h"
#include "refusal.h"

dwc_error dwt_fresh_error(void) {
    dwc_error error;
    memset(&error, 0, sizeof error);
    return error;
}

void dwt_refused(dwc_status status, const dwc_error *error, dwc_status want, const dwt_refusal *r) {
    if (status != want)
        dwt_fail("%s: %s, expected %s", r->what, dwc_status_name(status), dwc_status_name(want));
    if (error->status != status)
        dwt_fail("%s: the error's own status is %s", r->what, dwc_status_name(error->status));
    size_t length = strnlen(error->message, sizeof error->message);
    if (length == 0 || length == sizeof error->message || strchr(error->message, '\n') != NULL)
        dwt_fail("%s: the message is not one line", r->what);
    if (r->field != NULL && strstr(error->message, r->field) == NULL)
        dwt_fail("%s: the message '%s' does not name %s", r->what, error->message, r->field);
    if (r->value != NULL && strstr(error->message, r->value) == NULL)
        dwt_fail("%s: the message '%s' does not name the value %s", r->what, error->message, r->value);
}
