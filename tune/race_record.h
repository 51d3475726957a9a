/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a contest. */
#ifndef DWC_TUNE_RACE_RECORD_H
#define DWC_TUNE_RACE_RECORD_H

#include "contest.h"

/* Fills what the contest says, host, date and version into a record whose key, machine, effort, images and spent_s are
 * set. Entries come from the context and are the caller's to release. old: NULL, or a record whose entries that were
 * not raced again are kept, with ratios to the new choice. */
dwc_status dwct_record_fill(dwc_record *record, const dwct_contest *c, const dwc_record *old, dwc_error *error);

/* Host, date and version of a record. */
void dwct_record_stamp(dwc_record *record);

#endif
