/* SPDX-License-Identifier: Apache-2.0 */
/* What a refused call has to look like: its status, the same status in the error, one line that names the field and the
 * value, and nothing written to the output parameters.
 *
 *     const dwt_refusal want = {"stride 0", "strides", "0"};
 *     dwt_refused(status, &error, DWC_INVALID_ARGUMENT, &want);
 */
#ifndef DWT_REFUSAL_H
#define DWT_REFUSAL_H

#include "dwconv.h"

typedef struct dwt_refusal {
    const char *what;          /* for messages of the test */
    const char *field, *value; /* both have to be in the message; NULL: not asked for */
} dwt_refusal;

/* An error no call wrote to yet. */
dwc_error dwt_fresh_error(void);

/* Fails the test unless status and error are as wanted. */
void dwt_refused(dwc_status status, const dwc_error *error, dwc_status want, const dwt_refusal *refusal);

#endif
