/* SPDX-License-Identifier: Apache-2.0 */
/* The verbose log. The one file of the library that can print, and only as the callback a caller asked for. */
#include "core/context.h"
#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned topic;
} topics[] = {{"plan", DWC_LOG_PLAN},
              {"dispatch", DWC_LOG_DISPATCH},
              {"tune", DWC_LOG_TUNE},
              {"mpi", DWC_LOG_MPI},
              {"all", DWC_LOG_ALL}};

int dwci_log_wanted(const dwc_context *context, unsigned topic) {
    return context->log && (context->log_topics & topic);
}

void dwci_log(const dwc_context *context, unsigned topic, const char *format, ...) {
    if (!dwci_log_wanted(context, topic))
        return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    context->log(context->log_user, topic, line);
}

void dwc_log_to_stderr(void *user, unsigned topic, const char *line) {
    (void)user;
    const char *name = "?";
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        if (topics[i].topic == topic)
            name = topics[i].name;
    fprintf(stderr, "dwconv: %s: %s\n", name, line);
}

dwc_status dwc_log_topics_parse(const char *text, unsigned *result, dwc_error *error) {
    unsigned mask = 0;
    if (!text || !result)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", text ? "topics" : "text");
    for (;;) {
        size_t length = strcspn(text, ","), i = 0;
        while (i < sizeof topics / sizeof *topics &&
               (strlen(topics[i].name) != length || memcmp(topics[i].name, text, length) != 0))
            i++;
        if (i == sizeof topics / sizeof *topics)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "log topic '%.*s' is none of plan, dispatch, tune, mpi, all",
                             (int)(length < 64 ? length : 64), text);
        mask |= topics[i].topic;
        if (!text[length])
            break;
        text += length + 1;
    }
    *result = mask;
    return DWC_OK;
}
