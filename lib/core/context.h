/* SPDX-License-Identifier: Apache-2.0 */
/* The context: everything a plan may ask for besides its problem. Immutable after creation. */
#ifndef DWC_CORE_CONTEXT_H
#define DWC_CORE_CONTEXT_H

#include "core/machine.h"
#include "dwconv.h"

struct dwc_context {
    int threads;
    dwc_allocator allocator;
    dwc_log_fn log;
    void *log_user;
    unsigned log_topics;
    dwc_machine machine;
    const dwc_wisdom *wisdom;  /* NULL: none */
    dwci_binding *binding; /* NULL: threads are not bound */
};

/* Sends one line to the context's log if the topic is switched on. */
void dwci_log(const dwc_context *context, unsigned topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* True when a line of this topic would be sent, to save the work of making it. */
int dwci_log_wanted(const dwc_context *context, unsigned topic);

#endif
