/* SPDX-License-Identifier: Apache-2.0 */
/* What was measured of this machine for the cost models, see dwc_calibration. */
#ifndef DWC_CORE_CALIBRATION_H
#define DWC_CORE_CALIBRATION_H

#include "algo/algo.h"
#include "core/context.h"
#include "dwconv_expert.h"

/* By the calibration that the context's wisdom has of this kind of machine, else by that of a core known to be alike,
 * else all 1. */
dwci_pace dwci_calibration_pace(const dwc_context *context);

/* See dwconv_expert.h. False: there is none, or it was made by other loops. */
bool dwci_calibration_find(const dwc_context *context, const dwc_wisdom *wisdom, dwc_calibration *calibration);
void dwci_calibration_record(const dwc_context *context, const dwc_calibration *calibration, dwc_record *record,
                             dwc_record_entry entries[DWC_CALIBRATION_LOOPS]);

#endif
