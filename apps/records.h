/* SPDX-License-Identifier: Apache-2.0 */
/* Tuning records as text and JSON. */
#ifndef RECORDS_H
#define RECORDS_H

#include "cli.h"
#include "dwconv_expert.h"

#include <jansson.h>

/* The parts of a record's key, "PROBLEM BATCH tTHREADS PLACEMENT ALIGNMENT LIMITS"; missing ones are "". */
typedef struct record_key {
    char text[DWC_KEY_TEXT_MAX];
    const char *problem, *batch, *threads /* without the t */, *placement, *alignment, *limits;
} record_key;
void record_split_key(const dwc_record *record, record_key *key);

/* The problem of a record: one image. 0 if it is none. */
int record_problem(const dwc_record *record, dwc_problem *problem);

/* Is it about this problem, whatever the batch, threads, machine and limits? */
int record_is_about(const dwc_record *record, const dwc_problem *problem);

/* Is it the machine's calibration, not of a problem? */
int record_is_calibration(const dwc_record *record);

/* The choice: the first entry, or one of zeros if the record has none. */
const dwc_record_entry *record_choice(const dwc_record *record);

/* "direct (rows=2,columns=1)" */
enum { RECORD_CHOICE_MAX = DWC_PARAMS_TEXT_MAX + 64 };
void record_choice_text(const char *algo, const char *params, char text[RECORD_CHOICE_MAX]);

/* All fields; the key once more in its parts. NULL: no memory. */
json_t *record_object(const dwc_record *record);

/* Lines of a table to look at, header and row. */
void record_print_header(void);
void record_print_row(const dwc_record *record);

#endif
