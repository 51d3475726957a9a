/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of wisdom share: records to store, files to store them in.
 *
 *     const char *path = dwt_scratch();            a file that does not exist, in a folder of its own
 *     dwc_wisdom *w = dwt_load(path, &report);
 *     dwt_add(w, 7, 2);                            record 7 with two entries
 *     dwc_wisdom_destroy(w);  dwt_scratch_end();   the folder and all that is in it */
#ifndef DWT_WISDOM_RECORDS_H
#define DWT_WISDOM_RECORDS_H

#include "dwconv_expert.h"
#include "harness.h"

enum { DWT_ENTRIES_MAX = 260 };

typedef struct dwt_record {
    dwc_record record; /* its entries are these */
    dwc_record_entry entries[DWT_ENTRIES_MAX];
} dwt_record;

/* Record `index`; each has a key of its own. Never NULL; the same memory at every call of a thread. */
dwc_record *dwt_make_record(int index, int entries);
void dwt_add(dwc_wisdom *wisdom, int index, int entries);

/* A record with few keys, machines, efforts, dates and choices, so that two of them often compete. */
dwc_record *dwt_random_record(dwt_rng *rng);

/* Fails unless both hold the same, reals to 9 digits. */
void dwt_same_record(const dwc_record *a, const dwc_record *b);

const char *dwt_scratch(void);
void dwt_scratch_end(void);

/* A new wisdom with what is in the file. report may be NULL. */
dwc_wisdom *dwt_load(const char *path, dwc_wisdom_report *report);

/* A new wisdom with records first..last-1 of two entries. */
dwc_wisdom *dwt_wisdom(int first, int last);
int dwt_has(const dwc_wisdom *wisdom, int index);

/* A file's bytes, with a zero behind them; NULL if it does not exist. Release with free. */
char *dwt_read_file(const char *path, size_t *bytes);
void dwt_write_file(const char *path, const char *data, size_t bytes);

/* How many files of the scratch folder have `part` in their names. */
int dwt_count_files(const char *part);

/* Fail unless it works. */
void dwt_keep(dwc_wisdom *wisdom, const char *path);
void dwt_merge(dwc_wisdom *wisdom, const char *path);

/* Fails unless the file and its journals hold records first..last-1, and no damage. */
void dwt_holds(const char *path, int first, int last);

/* Runs `run` in a child; returns its exit status. */
int dwt_in_child(int (*run)(const char *path), const char *path);

/* In such a function, a status that tells the line. */
#define DWT_EXPECT(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return __LINE__ % 199 + 1;                                                                                 \
    } while (0)

#endif
