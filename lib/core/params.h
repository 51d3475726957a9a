/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of an algorithm as text, "name=value,name=value". */
#ifndef DWC_CORE_PARAMS_H
#define DWC_CORE_PARAMS_H

#include "algo/algo.h"

/* As snprintf. */
size_t dwci_params_print(const dwci_algo *algo, const dwci_params *params, char *text, size_t size);

/* Every parameter must be given, each once, in any order. */
dwc_status dwci_params_parse(const dwci_algo *algo, const char *text, dwci_params *params, dwc_error *error);

#endif
