/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of plans; see plan_limits.h. */
#include "plan_limits.h"

const cli_choice plan_numerics[] = {{"any", DWC_NUMERICS_ANY}, {"direct", DWC_NUMERICS_DIRECT}, {NULL, 0}};

const cli_choice plan_caches[] = {
    {"auto", DWC_CACHE_AUTO}, {"warm", DWC_CACHE_WARM}, {"cold", DWC_CACHE_COLD}, {NULL, 0}};

int option_workspace(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    int64_t *bytes = value;
    int code = option_bytes(option, text, bytes, failure);
    if (!code && *bytes == 0)
        *bytes = 1;
    return code;
}

void plan_limits_set(const plan_limits *limits, dwc_plan_options *options) {
    options->numerics = (dwc_numerics)limits->numerics;
    options->max_error = limits->max_error;
    options->max_workspace = limits->max_workspace;
    options->strict_nonfinite = limits->strict_nonfinite;
}
