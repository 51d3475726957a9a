/* SPDX-License-Identifier: Apache-2.0 */
/* A tuning record as text, one JSON object in one line:
 *
 *     {"key":"f32:nhwc:n1:... resident t1 ...","machine":"...","choice":{ENTRY},"runners_up":[{ENTRY},...],
 *      "default_ratio":1.25,"tie":false,...,"spent_s":0.25,"checksum":"1a2b3c4d"}
 *
 * The tables below give fields and order. The checksum, CRC-32C of all that precedes `,"checksum":"`, ends the record;
 * what stands between spent_s and it is of later versions. "key" comes first, which is how a record's start is found in
 * damaged text: between the quotes of a string `{"key":"` cannot occur. jansson sees to decimal points in any locale.
 */
#include "core/checksum.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/wisdom.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    ENTRIES_MAX = 4096,
    RECORD_BYTES_MAX = 4 << 20, /* a record of ENTRIES_MAX entries fits */
    SEAL_BYTES = 23             /* ,"checksum":"1a2b3c4d"} */
};

enum kind { TEXT, NAME /* a text that is not empty */, DATE, INT, WIDE, REAL, FLAG, EFFORT };

typedef struct field {
    const char *name;
    enum kind kind;
    size_t offset, size;
} field;

#define RECORD(name, kind)                                                                                             \
    { #name, kind, offsetof(dwc_record, name), sizeof((dwc_record *)0)->name }
#define ENTRY(name, kind)                                                                                              \
    { #name, kind, offsetof(dwc_record_entry, name), sizeof((dwc_record_entry *)0)->name }
#define COUNT(table) (sizeof(table) / sizeof *(table))

static const field head_fields[] = {RECORD(key, NAME), RECORD(machine, NAME)};
static const field tail_fields[] = {
    RECORD(default_ratio, REAL), RECORD(tie, FLAG),      RECORD(rounds, INT),    RECORD(tried, INT),
    RECORD(legal, INT),          RECORD(effort, EFFORT), RECORD(complete, FLAG), RECORD(images, WIDE),
    RECORD(library, TEXT),       RECORD(host, TEXT),     RECORD(date, DATE),     RECORD(spent_s, REAL),
};
static const field entry_fields[] = {
    ENTRY(algo, NAME),  ENTRY(params, TEXT),  ENTRY(revision, INT), ENTRY(median_s, REAL),
    ENTRY(min_s, REAL), ENTRY(ratio, REAL),   ENTRY(low, REAL),     ENTRY(high, REAL),
    ENTRY(rounds, INT), ENTRY(model_s, REAL), ENTRY(max_err, REAL), ENTRY(workspace_bytes, WIDE),
};

static const char *const efforts[] = {[DWC_EFFORT_ESTIMATE] = "estimate",
                                      [DWC_EFFORT_WISDOM] = "wisdom",
                                      [DWC_EFFORT_MEASURE] = "measure",
                                      [DWC_EFFORT_PATIENT] = "patient",
                                      [DWC_EFFORT_EXHAUSTIVE] = "exhaustive"};

const char *dwc_effort_name(dwc_effort effort) {
    return (unsigned)effort < COUNT(efforts) ? efforts[effort] : "?";
}

int dwc_effort_parse(const char *name) {
    for (size_t i = 0; i < COUNT(efforts); i++)
        if (name && strcmp(name, efforts[i]) == 0)
            return (int)i;
    return -1;
}

/* ---- fields ---- */

static const void *inside(const void *of, const field *f) {
    return (const char *)of + f->offset;
}

/* 2026-01-31T12:00:00Z, so that later dates are greater texts. */
static bool good_date(const char *text) {
    static const char shape[] = "0000-00-00T00:00:00Z";
    for (size_t i = 0; i < sizeof shape; i++)
        if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            return false;
    return true;
}

/* Terminated, and without characters that move a terminal's cursor. */
static bool good_text(const char *text, size_t size) {
    if (!memchr(text, 0, size))
        return false;
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            return false;
    return true;
}

static bool good(const void *of, const field *f) {
    const void *at = inside(of, f);
    switch (f->kind) {
    case TEXT:
        return good_text(at, f->size);
    case NAME:
        return good_text(at, f->size) && *(const char *)at;
    case DATE:
        return good_text(at, f->size) && good_date(at);
    case INT:
        return *(const int *)at >= 0;
    case WIDE:
        return *(const int64_t *)at >= 0;
    case REAL:
        return isfinite(*(const double *)at);
    case FLAG:
        return true;
    case EFFORT:
        return (unsigned)*(const dwc_effort *)at < COUNT(efforts);
    }
    return false;
}

/* NULL where the value cannot be stored: texts have to be UTF-8. */
static json_t *value_of(const void *of, const field *f) {
    const void *at = inside(of, f);
    if (!good(of, f))
        return NULL;
    switch (f->kind) {
    case TEXT:
    case NAME:
    case DATE:
        return json_string(at);
    case INT:
        return json_integer(*(const int *)at);
    case WIDE:
        return json_integer(*(const int64_t *)at);
    case REAL:
        return json_real(*(const double *)at);
    case FLAG:
        return json_boolean(*(const int *)at);
    case EFFORT:
        return json_string(dwc_effort_name(*(const dwc_effort *)at));
    }
    return NULL;
}

/* Returns NULL, or the field that could not be stored. */
static const char *store(json_t *object, const void *of, const field *fields, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (json_object_set_new(object, fields[i].name, value_of(of, fields + i)) != 0)
            return fields[i].name;
    return NULL;
}

static bool read_field(const json_t *value, void *of, const field *f) {
    void *at = (char *)of + f->offset;
    switch (f->kind) {
    case TEXT:
    case NAME:
    case DATE:
        if (!json_is_string(value) || json_string_length(value) >= f->size)
            return false;
        memcpy(at, json_string_value(value), json_string_length(value) + 1);
        break;
    case INT:
        if (!json_is_integer(value) || json_integer_value(value) > INT_MAX || json_integer_value(value) < 0)
            return false;
        *(int *)at = (int)json_integer_value(value);
        break;
    case WIDE:
        if (!json_is_integer(value))
            return false;
        *(int64_t *)at = json_integer_value(value);
        break;
    case REAL:
        if (!json_is_number(value))
            return false;
        *(double *)at = json_number_value(value);
        break;
    case FLAG:
        if (!json_is_boolean(value))
            return false;
        *(int *)at = json_is_true(value);
        break;
    case EFFORT: {
        int effort = dwc_effort_parse(json_string_value(value));
        if (effort < 0)
            return false;
        *(dwc_effort *)at = (dwc_effort)effort;
        break;
    }
    }
    return good(of, f);
}

static bool read_fields(const json_t *object, void *of, const field *fields, size_t count) {
    if (!json_is_object(object))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!read_field(json_object_get(object, fields[i].name), of, fields + i))
            return false;
    return true;
}

/* ---- checksums ---- */

static void print_seal(char seal[SEAL_BYTES + 1], const char *text, size_t bytes) {
    snprintf(seal, SEAL_BYTES + 1, ",\"checksum\":\"%08x\"}", (unsigned)dwci_crc32c(0, text, bytes));
}

static bool sealed(const char *text, size_t bytes) {
    char seal[SEAL_BYTES + 1];
    if (bytes <= SEAL_BYTES)
        return false;
    print_seal(seal, text, bytes - SEAL_BYTES);
    return memcmp(text + bytes - SEAL_BYTES, seal, SEAL_BYTES) == 0;
}

size_t dwci_header_print(char text[DWCI_HEADER_MAX]) {
    char seal[SEAL_BYTES + 1];
    int bytes = snprintf(text, DWCI_HEADER_MAX, "{\"format\":\"dwconv-wisdom\",\"version\":%d", DWCI_FORMAT_VERSION);
    print_seal(seal, text, (size_t)bytes);
    return (size_t)bytes + (size_t)snprintf(text + bytes, DWCI_HEADER_MAX - (size_t)bytes, "%s\n", seal);
}

/* ---- text to record ---- */

/* The object that starts at text, NULL and what is wrong if there is none. */
static json_t *parse(const char *text, size_t bytes, size_t *used, dwci_reading *wrong) {
    json_error_t problem;
    json_t *root = json_loadb(text, bytes < RECORD_BYTES_MAX ? bytes : RECORD_BYTES_MAX,
                              JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &problem);
    if (root)
        *used = (size_t)problem.position;
    else
        *wrong = json_error_code(&problem) == json_error_out_of_memory ? DWCI_NO_MEMORY : DWCI_DAMAGED;
    return root;
}

dwci_reading dwci_header_read(const char *text, size_t bytes, int64_t *version, size_t *used) {
    dwci_reading reading = DWCI_DAMAGED;
    json_t *root = parse(text, bytes, used, &reading);
    if (!root)
        return reading;
    const char *format = json_string_value(json_object_get(root, "format"));
    const json_t *number = json_object_get(root, "version");
    if (format && strcmp(format, "dwconv-wisdom") == 0 && json_is_integer(number) && json_integer_value(number) > 0) {
        *version = json_integer_value(number);
        reading = sealed(text, *used) ? DWCI_SIGNED : DWCI_UNSIGNED;
    }
    json_decref(root);
    return reading;
}

static size_t count_entries(const json_t *root) {
    return 1 + json_array_size(json_object_get(root, "runners_up"));
}

static bool read_record(const json_t *root, dwc_record *record) {
    const json_t *choice = json_object_get(root, "choice"), *others = json_object_get(root, "runners_up");
    record->count = (int)count_entries(root);
    if (!read_fields(root, record, head_fields, COUNT(head_fields)) ||
        !read_fields(root, record, tail_fields, COUNT(tail_fields)) || !json_is_array(others))
        return false;
    for (int i = 0; i < record->count; i++) {
        const json_t *entry = i ? json_array_get(others, (size_t)i - 1) : choice;
        if (!read_fields(entry, record->entries + i, entry_fields, COUNT(entry_fields)))
            return false;
    }
    return true;
}

/* The item, its entries and its text in one piece of memory. */
static dwci_item *new_item(const char *text, size_t bytes, size_t entries) {
    size_t entry_bytes = entries * sizeof(dwc_record_entry);
    dwci_item *item = dwci_allocate(&dwci_default_allocator, sizeof *item + entry_bytes + bytes + 1);
    if (!item)
        return NULL;
    memset(item, 0, sizeof *item + entry_bytes);
    char *copy = (char *)(item + 1) + entry_bytes;
    memcpy(copy, text, bytes);
    copy[bytes] = 0;
    atomic_init(&item->holders, 1);
    item->bytes = bytes;
    item->text = copy;
    item->record.entries = (dwc_record_entry *)(void *)(item + 1);
    return item;
}

dwci_reading dwci_item_read(const char *text, size_t bytes, dwci_item **item, size_t *used) {
    dwci_reading reading = DWCI_DAMAGED;
    json_t *root = parse(text, bytes, used, &reading);
    if (!root)
        return reading;
    if (count_entries(root) <= ENTRIES_MAX) {
        *item = new_item(text, *used, count_entries(root));
        if (!*item) {
            reading = DWCI_NO_MEMORY;
        } else if (read_record(root, &(*item)->record)) {
            reading = sealed(text, *used) ? DWCI_SIGNED : DWCI_UNSIGNED;
        } else {
            dwci_item_release(*item);
            *item = NULL;
        }
    }
    json_decref(root);
    return reading;
}

/* ---- record to text ---- */

/* The item of an object that has no checksum yet, with its reals to so many digits. */
static dwci_reading seal(const json_t *root, size_t digits, dwci_item **item) {
    size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(digits), bytes = json_dumpb(root, NULL, 0, flags), used;
    if (bytes == 0)
        return DWCI_NO_MEMORY;
    char *text = dwci_allocate(&dwci_default_allocator, bytes + SEAL_BYTES + 1);
    if (!text)
        return DWCI_NO_MEMORY;
    json_dumpb(root, text, bytes, flags);
    print_seal(text + bytes - 1, text, bytes - 1);
    dwci_reading reading = dwci_item_read(text, bytes - 1 + SEAL_BYTES, item, &used);
    dwci_release(&dwci_default_allocator, text);
    return reading;
}

/* Returns NULL, or the field that could not be stored. */
static const char *store_record(json_t *root, const dwc_record *record) {
    json_t *others = NULL;
    const char *bad = store(root, record, head_fields, COUNT(head_fields));
    for (int i = 0; i < record->count && !bad; i++) {
        json_t *entry = json_object();
        bad = store(entry, record->entries + i, entry_fields, COUNT(entry_fields));
        if (i ? json_array_append_new(others, entry) : json_object_set_new(root, "choice", entry))
            bad = "entries";
        if (i == 0 && json_object_set_new(root, "runners_up", others = json_array()) != 0)
            bad = "entries";
    }
    return bad ? bad : store(root, record, tail_fields, COUNT(tail_fields));
}

dwc_status dwci_item_of_record(const dwc_record *record, dwci_item **item, dwc_error *error) {
    if (!record->entries || record->count < 1 || record->count > ENTRIES_MAX)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "record: %d entries, not 1 to %d",
                         record->entries ? record->count : 0, ENTRIES_MAX);
    json_t *root = json_object();
    if (!root)
        return dwci_fail(error, DWC_OUT_OF_MEMORY, "record: out of memory");
    const char *bad = store_record(root, record);
    dwci_reading reading = bad ? DWCI_DAMAGED : seal(root, 9, item);
    json_decref(root);
    if (reading == DWCI_NO_MEMORY)
        return dwci_fail(error, DWC_OUT_OF_MEMORY, "record: out of memory");
    if (reading != DWCI_SIGNED)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "record: %s: cannot be stored", bad ? bad : "too long");
    return DWC_OK;
}

dwci_item *dwci_item_sign(const dwci_item *item) {
    dwci_item *result = NULL;
    dwci_reading wrong;
    size_t used;
    json_t *root = parse(item->text, item->bytes, &used, &wrong);
    if (!root)
        return NULL;
    json_object_del(root, "checksum");
    wrong = seal(root, 17, &result); /* all digits of numbers that later versions or people wrote */
    json_decref(root);
    return wrong == DWCI_SIGNED ? result : NULL;
}

/* ---- items ---- */

void dwci_item_hold(dwci_item *item) {
    atomic_fetch_add(&item->holders, 1);
}

void dwci_item_release(dwci_item *item) {
    if (item && atomic_fetch_sub(&item->holders, 1) == 1)
        dwci_release(&dwci_default_allocator, item);
}

static int compare_numbers(int a, int b) {
    return (a > b) - (a < b);
}

int dwci_item_compare(const dwci_item *a, const dwci_item *b) {
    int order = compare_numbers(a->record.entries[0].revision, b->record.entries[0].revision);
    if (!order)
        order = compare_numbers((int)a->record.effort, (int)b->record.effort);
    if (!order)
        order = compare_numbers(a->record.complete, b->record.complete);
    if (!order)
        order = strcmp(a->record.date, b->record.date);
    if (!order)
        order = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);
    return order ? order : compare_numbers(a->bytes > b->bytes, a->bytes < b->bytes);
}
