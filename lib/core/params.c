/* SPDX-License-Identifier: Apache-2.0 */
/* Printing and reading the parameters of an algorithm by their names. */
#include "core/params.h"
#include "core/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int count_of(const dwci_algo *algo) {
    int count = 0;
    while (algo->param_names && algo->param_names[count])
        count++;
    return count;
}

size_t dwci_params_print(const dwci_algo *algo, const dwci_params *params, char *text, size_t size) {
    size_t length = 0;
    if (size > 0)
        text[0] = 0;
    for (int i = 0; i < count_of(algo); i++)
        length += (size_t)snprintf(length < size ? text + length : NULL, length < size ? size - length : 0, "%s%s=%d",
                                   i ? "," : "", algo->param_names[i], params->value[i]);
    return length;
}

dwc_status dwci_params_parse(const dwci_algo *algo, const char *text, dwci_params *params, dwc_error *error) {
    int count = count_of(algo);
    unsigned seen = 0;
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, "=");
        int i = 0;
        while (i < count && (strlen(algo->param_names[i]) != length || memcmp(algo->param_names[i], at, length) != 0))
            i++;
        if (i == count || !at[length])
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "params: %s has no parameter '%.32s'", algo->name, at);
        const char *digits = at + length + 1;
        char *end;
        long value = strtol(digits, &end, 10);
        if (end == digits || !strchr("-0123456789", *digits) || (*end && (*end != ',' || !end[1])) ||
            value < -1000000 || value > 1000000000 || seen >> i & 1)
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "params: cannot read '%.64s'", at);
        params->value[i] = (int)value;
        seen |= 1u << i;
        at = *end ? end + 1 : end;
    }
    for (int i = 0; i < count; i++)
        if (!(seen >> i & 1))
            return dwci_fail(error, DWC_INVALID_ARGUMENT, "params: '%.64s' has no %s", text, algo->param_names[i]);
    return DWC_OK;
}
