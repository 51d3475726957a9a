/* SPDX-License-Identifier: Apache-2.0 */
/* What the wisdom says about a case. */
#ifndef DWC_CORE_CONSULT_H
#define DWC_CORE_CONSULT_H

#include "algo/algo.h"
#include "core/context.h"
#include "dwconv_expert.h"

/* The key of a case's records: problem of one image, batch class, threads, placement, alignment of buffers ("any":
 * raced at several offsets), limits. The limits are classes: of max_error the power of ten below it, of max_workspace
 * the power of two. */
void dwci_consult_key(const dwci_case *c, const dwc_plan_options *options, char key[DWC_KEY_TEXT_MAX]);

/* The kind of machine, "AuthenticAMD-25-1-avx2-32K-512K-32M". */
void dwci_consult_machine(const dwc_machine *machine, char text[DWC_MACHINE_TEXT_MAX]);

/* A way to compute a case. */
typedef struct dwci_choice {
    const dwci_algo *algo; /* NULL: none */
    dwci_params params;
    const char *near; /* as in dwc_plan_info; "": it is this machine's and its kernels' record */
} dwci_choice;

/* May a plan take this? Called with `user`. */
typedef bool (*dwci_acceptable)(const dwci_algo *algo, const dwci_params *params, void *user);

/* The best acceptable entry of the record for this case and these limits or, without limits of its own, of the record
 * for the default limits. Else of a record of another machine. Its kernels may be
 * older ones, which choice->near says. False: nothing. */
bool dwci_consult(const dwc_context *context, const dwci_case *c, const dwc_plan_options *options,
                  dwci_acceptable acceptable, void *user, dwci_choice *choice);

/* Do two choices round alike, whatever the threads? */
bool dwci_same_numerics(const dwci_algo *a, const dwci_params *a_params, const dwci_algo *b,
                        const dwci_params *b_params);

#endif
