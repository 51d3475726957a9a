/* SPDX-License-Identifier: Apache-2.0 */
/* Environment variables, read only when a program asks for it. The one file of the library with getenv. */
#include "core/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

dwc_status dwc_context_options_from_env(dwc_context_options *options, dwc_error *error) {
    if (!options)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "options: null pointer");
    dwc_context_options result = *options;
    const char *text;
    if ((text = getenv("DWC_THREADS")) && *text) {
        char *end;
        long threads = strtol(text, &end, 10);
        if (*end || threads < 0 || threads > DWC_MAX_THREADS)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "DWC_THREADS: '%.64s' is not a number of threads", text);
        result.threads = (int)threads;
    }
    if ((text = getenv("DWC_ISA")) && *text) {
        if (!(result.max_isa = dwc_isa_parse(text)))
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "DWC_ISA: '%.64s' is no instruction set of this library",
                             text);
    }
    if ((text = getenv("DWC_BIND")) && *text) {
        if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "DWC_BIND: '%.64s' is not 0 or 1", text);
        result.bind = *text == '1';
    }
    if ((text = getenv("DWC_VERBOSE")) && *text) {
        dwc_error reason;
        if (dwc_log_topics_parse(text, &result.log_topics, &reason) != DWC_OK)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "DWC_VERBOSE: %s", reason.message);
        result.log = dwc_log_to_stderr;
    }
    *options = result;
    return DWC_OK;
}

/* Empty variables count as not set, and so does a relative XDG_STATE_HOME, as its specification wants. */
dwc_status dwc_wisdom_path_from_env(char *path, size_t size, dwc_error *error) {
    const char *file = getenv("DWC_WISDOM"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int length;
    if (!path)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "path: null pointer");
    char text[4096];
    if (file && *file)
        length = snprintf(text, sizeof text, "%s", file);
    else if (state && *state == '/')
        length = snprintf(text, sizeof text, "%s/dwconv/wisdom.jsonl", state);
    else if (home && *home)
        length = snprintf(text, sizeof text, "%s/.local/state/dwconv/wisdom.jsonl", home);
    else
        return dwci_fail(error, DWC_NOT_APPLICABLE, "wisdom: none of DWC_WISDOM, XDG_STATE_HOME and HOME is set");
    if (length < 0 || (size_t)length >= sizeof text || (size_t)length >= size)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "size: %zu bytes do not hold a path of %d", size, length);
    memcpy(path, text, (size_t)length + 1);
    return DWC_OK;
}
