/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest complete use of the library: plan, pack the filter, execute.
 *
 *     input [1,2,3,2] = 1..12, filter [2,2,2,2] = 1..16, no padding -> output [1,1,2,4]
 *
 * Prints 196 216 272 296 252 280 344 376. Plan and packed filter would serve any number of batches. */
#include <dwconv.h>

#include <stdio.h>
#include <stdlib.h>

static dwc_error error;

/* An example may simply stop; a real program would report and go on. */
static void need(int good) {
    if (!good) {
        fprintf(stderr, "minimal: %s\n", error.message);
        exit(1);
    }
}

int main(void) {
    float input[12], filter[16], output[8];
    dwc_context *context;
    dwc_problem problem;
    dwc_plan *plan;
    dwc_plan_info info;

    for (int i = 0; i < 12; i++)
        input[i] = (float)(i + 1);
    for (int i = 0; i < 16; i++)
        filter[i] = (float)(i + 1);

    need(dwc_context_create(NULL, &context, &error) == DWC_OK);
    need(dwc_problem_parse("f32:nhwc:n1:2x3x2:k2x2:m2:valid", &problem, &error) == DWC_OK);
    need(dwc_plan_create(context, &problem, NULL, &plan, &error) == DWC_OK);
    dwc_plan_get_info(plan, &info);

    void *packed = dwc_allocate(context, info.packed_bytes);
    void *workspace = dwc_allocate(context, info.workspace_bytes);
    need(dwc_plan_pack_filter(plan, filter, packed, &error) == DWC_OK);
    need(dwc_plan_execute(plan, input, packed, NULL, output, workspace, &error) == DWC_OK);

    for (int i = 0; i < 8; i++)
        printf(i < 7 ? "%g " : "%g\n", (double)output[i]);

    dwc_release(context, workspace);
    dwc_release(context, packed);
    dwc_plan_destroy(plan);
    dwc_context_destroy(context);
    return 0;
}
