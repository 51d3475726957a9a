/* SPDX-License-Identifier: Apache-2.0 */
/* Tuning records inside the library.
 *
 *     file, journals --wisdom_file.c--> pieces of text --wisdom_record.c--> items --wisdom.c--> set, dwc_wisdom
 *     dwc_record --wisdom_record.c--> item --wisdom_journal.c--> journal
 *     file + journals + wisdom --wisdom_merge.c--> new file
 *
 * An item is one record, as struct and as the text that it was read from; it never changes. The text is written back as
 * it is, so that fields of later versions survive and the checksum stays right. */
#ifndef DWC_CORE_WISDOM_H
#define DWC_CORE_WISDOM_H

#include "dwconv.h"
#include "dwconv_expert.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

/* ---- what the planner needs: wisdom.c ---- */

/* Calls visit with the record of this key and machine, under the wisdom's lock: visit must not call functions of the
 * wisdom. False if there is none. */
bool dwci_wisdom_find(const dwc_wisdom *w, const char *key, const char *machine,
                      void (*visit)(const dwc_record *record, void *user), void *user);

/* The same for records of this key of any other machine: the best one, in an order that is the same everywhere. */
bool dwci_wisdom_find_near(const dwc_wisdom *w, const char *key, const char *machine,
                           void (*visit)(const dwc_record *record, void *user), void *user);

/* ---- items: wisdom_record.c ---- */

typedef struct dwci_item {
    atomic_int holders; /* sets that it is in */
    size_t bytes;
    const char *text; /* one JSON object, not terminated by a newline */
    dwc_record record;
} dwci_item;

typedef enum dwci_reading { DWCI_SIGNED, DWCI_UNSIGNED, DWCI_DAMAGED, DWCI_NO_MEMORY } dwci_reading;

/* Reads the record that starts at text. Signed and unsigned (its checksum is missing or not its own): *item is a new
 * item with one holder, *used the length of its text. Anything may follow. */
dwci_reading dwci_item_read(const char *text, size_t bytes, dwci_item **item, size_t *used);

/* DWC_INVALID_ARGUMENT names the field that cannot be stored. */
dwc_status dwci_item_of_record(const dwc_record *record, dwci_item **item, dwc_error *error);

/* The same record with the checksum that is right. NULL: out of memory. */
dwci_item *dwci_item_sign(const dwci_item *item);

void dwci_item_hold(dwci_item *item);
void dwci_item_release(dwci_item *item); /* takes NULL */

/* Below 0, 0, above 0: is a the better record of one key and machine? 0 only for equal texts. */
int dwci_item_compare(const dwci_item *a, const dwci_item *b);

/* The first line of files and journals, with its newline; returns its length. */
enum { DWCI_HEADER_MAX = 80, DWCI_FORMAT_VERSION = 1 };
size_t dwci_header_print(char text[DWCI_HEADER_MAX]);

/* Reads a header as dwci_item_read reads records. */
dwci_reading dwci_header_read(const char *text, size_t bytes, int64_t *version, size_t *used);

/* ---- sets: wisdom.c ---- */

/* Items by key and machine, one each: an array for the order, chains of a hash table of the keys to find them. */
typedef struct dwci_slot {
    dwci_item *item;
    uint32_t hash; /* of the key */
    int64_t next;  /* in its chain; -1: the last */
} dwci_slot;

typedef struct dwci_set {
    dwci_slot *slots;
    int64_t count, capacity;
    int64_t *chains; /* first slots; as many as capacity, a power of two */
    bool sorted;
} dwci_set;

bool dwci_set_reserve(dwci_set *set, int64_t more); /* false: out of memory */

/* Puts an item in, unless a better one of its key and machine is there. Needs room reserved. Takes over the caller's
 * hold in either case; true if it is in the set now. */
bool dwci_set_put(dwci_set *set, dwci_item *item);
void dwci_set_sort(dwci_set *set);
void dwci_set_clear(dwci_set *set);

/* Adds all items of `from`, which keeps them. False: out of memory, nothing changed. */
bool dwci_set_unite(dwci_set *set, const dwci_set *from);

/* ---- files: wisdom_file.c ---- */

/* Bytes that grow; data is NULL while there are none. */
typedef struct dwci_bytes {
    char *data;
    size_t used, capacity;
} dwci_bytes;

bool dwci_bytes_append(dwci_bytes *bytes, const char *data, size_t count); /* false: out of memory */
void dwci_bytes_clear(dwci_bytes *bytes);

/* A path without links: where a file is, or would be, its journals beside it. */
typedef struct dwci_place {
    char path[PATH_MAX];
    char folder[PATH_MAX];
    const char *name; /* in path, behind the last / */
} dwci_place;

/* make: creates missing directories. Else *missing says that the directory does not exist. */
dwc_status dwci_place_find(const char *path, bool make, dwci_place *place, bool *missing, dwc_error *error);

/* Writes to `path` a name beside the place's: FILE.HOST.PROCESS.RANDOM.ending; false if it is too long. */
bool dwci_place_name(const dwci_place *place, const char *ending, char path[PATH_MAX]);

/* Puts what was created and renamed beside the place on the disk. */
void dwci_place_sync(const dwci_place *place);

/* The files beside the place that such names have; visit's `process` is that of the name if it is one of this host,
 * else 0. Ends with the first failure of visit. */
typedef dwc_status (*dwci_file_fn)(const char *path, long process, void *user, dwc_error *error);
dwc_status dwci_place_each(const dwci_place *place, const char *ending, dwci_file_fn visit, void *user,
                           dwc_error *error);

/* Everything that reading files found. */
typedef struct dwci_findings {
    bool sign;              /* unsigned records are signed and count as good ones */
    dwci_set records;       /* the good ones */
    dwci_item **unverified; /* the others */
    int64_t unverified_count, unverified_capacity;
    dwci_bytes damaged; /* pieces of the file (not of journals) that are no record, a line each */
    dwc_wisdom_report report;
} dwci_findings;

/* Takes apart the text of a file or (named) of a journal, which needs no header and may end anywhere. *version: the
 * highest of its headers; above DWCI_FORMAT_VERSION nothing was found, because it is not ours to read. */
dwc_status dwci_findings_scan(dwci_findings *findings, const char *text, size_t bytes, const char *journal,
                              int64_t *version, dwc_error *error);

/* Reads a whole file, which may be missing (*found false). */
dwc_status dwci_file_read(const char *path, dwci_bytes *text, struct stat *stat, bool *found, dwc_error *error);

/* What is read of a place: the journals, then the file, so that a merge meanwhile hides nothing. */
typedef struct dwci_journal_file {
    char path[PATH_MAX];
    long process;
    bool damaged; /* has pieces that are no record */
    struct stat stat;
    struct dwci_journal_file *next;
} dwci_journal_file;

typedef struct dwci_content {
    dwci_findings findings;
    dwci_bytes text; /* of the file itself */
    struct stat stat;
    bool found;                  /* the file exists */
    dwci_journal_file *journals; /* those that were read to their ends */
} dwci_content;

dwc_status dwci_content_read(const dwci_place *place, bool journals, dwci_content *content, dwc_error *error);
void dwci_content_clear(dwci_content *content);

/* Writes all bytes; false: errno says why. */
bool dwci_write_all(int file, const char *data, size_t bytes);

/* ---- the journal of a wisdom: wisdom_journal.c ---- */

typedef struct dwci_journal {
    dwci_place place; /* of the file that it belongs to; path empty: records are not kept */
    char path[PATH_MAX];
    int file;     /* open journal; -1: none yet */
    long process; /* that opened it */
    int64_t bytes;
    bool stopped; /* it could not be written */
} dwci_journal;

dwc_status dwci_journal_append(dwci_journal *journal, const dwci_item *item, dwc_error *error);
bool dwci_journal_is(const dwci_journal *journal, const struct stat *stat); /* the open journal of this process? */
void dwci_journal_close(dwci_journal *journal);                             /* its file stays */

/* Takes the lock that says that somebody works with a file, or gives it back: `kind` F_RDLCK, F_WRLCK, F_UNLCK. False:
 * it is somebody else's, or locks do not work there, and errno says which. */
bool dwci_lock(int file, short kind);

/* ---- dwc_wisdom ---- */

/* Where both locks are held, keeping comes first. */
struct dwc_wisdom {
    pthread_mutex_t lock; /* of the set; never held while files are read or written */
    dwci_set set;
    pthread_mutex_t keeping; /* of the journal */
    dwci_journal journal;
    bool loose; /* records were added that are in no journal and no file */
};

#endif
