/* SPDX-License-Identifier: Apache-2.0 */
/* dwconv as a shim of the peers harness: the plan that the library chooses by itself, or by the records of a wisdom
 * file, with its filter packed once. */
#include "shim.h"

#include <dwconv.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct ours {
    dwc_wisdom *wisdom;
    dwc_context *context;
    dwc_plan *plan;
    void *packed, *workspace;
} ours;

const char *shim_version(void) {
    return dwc_version();
}

void shim_destroy(void *made) {
    ours *o = made;
    if (!o)
        return;
    if (o->context) {
        dwc_release(o->context, o->packed);
        dwc_release(o->context, o->workspace);
    }
    dwc_plan_destroy(o->plan);
    dwc_context_destroy(o->context);
    dwc_wisdom_destroy(o->wisdom);
    free(o);
}

static dwc_status create(ours *o, const char *text, int threads, int cold, const char *wisdom, const void *filter,
                         dwc_plan_info *info, dwc_error *error) {
    const dwc_plan_options choice = {.cache = cold ? DWC_CACHE_COLD : DWC_CACHE_AUTO};
    dwc_problem problem;
    dwc_context_options options;
    dwc_context_options_init(&options);
    options.threads = threads;
    dwc_status status = DWC_OK;
    if (wisdom) {
        status = dwc_wisdom_create(&o->wisdom, error);
        if (!status)
            status = dwc_wisdom_load(o->wisdom, wisdom, NULL, error);
        options.wisdom = o->wisdom;
    }
    if (!status)
        status = dwc_problem_parse(text, &problem, error);
    if (!status)
        status = dwc_context_create(&options, &o->context, error);
    if (!status)
        status = dwc_plan_create(o->context, &problem, &choice, &o->plan, error);
    if (status)
        return status;
    dwc_plan_get_info(o->plan, info);
    o->packed = dwc_allocate(o->context, info->packed_bytes);
    o->workspace = dwc_allocate(o->context, info->workspace_bytes);
    return dwc_plan_pack_filter(o->plan, filter, o->packed, error);
}

int shim_create(const char *problem, int variant, int threads, int cold, const char *wisdom, const void *filter,
                void **made, char *text, size_t size) {
    ours *o = calloc(1, sizeof *o);
    dwc_plan_info info;
    dwc_error error = {DWC_OUT_OF_MEMORY, "out of memory"};
    if (!o || variant != 0 || create(o, problem, threads, cold, wisdom, filter, &info, &error)) {
        snprintf(text, size, "%s", error.message);
        shim_destroy(o);
        return 1;
    }
    snprintf(text, size, "%s %s %s", info.algo, info.isa, info.params);
    *made = o;
    return 0;
}

int shim_run(void *made, const void *input, void *output) {
    const ours *o = made;
    return dwc_plan_execute(o->plan, input, o->packed, NULL, output, o->workspace, NULL) != DWC_OK;
}
