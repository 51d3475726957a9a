/* SPDX-License-Identifier: Apache-2.0 */
/* Reading wisdom files, whatever state they are in.
 *
 *     {"format":...}\n {"key":...}\n {"key":..damage \n {"key":...}\n ... {"key":...to
 *     |header          |record       |piece             |record           |torn tail
 *
 * Headers and records are looked for by their first field, wherever they start, and end where their object ends; what
 * is left between two of them, white space and zeros aside, is a damaged piece. So a piece costs nobody else. Journals
 * have their header in front and may end anywhere: a record whose writing was cut off is no damage, nobody was told of
 * it. */
#define _GNU_SOURCE
#include "core/error.h"
#include "core/memory.h"
#include "core/wisdom.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int64_t most_bytes = (int64_t)1 << 30; /* of a file */

/* ---- bytes ---- */

bool dwci_bytes_append(dwci_bytes *bytes, const char *data, size_t count) {
    if (bytes->capacity - bytes->used < count) {
        size_t capacity = 2 * bytes->capacity + count;
        char *grown = dwci_allocate(&dwci_default_allocator, capacity);
        if (!grown)
            return false;
        if (bytes->used)
            memcpy(grown, bytes->data, bytes->used);
        dwci_release(&dwci_default_allocator, bytes->data);
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    if (count)
        memcpy(bytes->data + bytes->used, data, count);
    bytes->used += count;
    return true;
}

void dwci_bytes_clear(dwci_bytes *bytes) {
    dwci_release(&dwci_default_allocator, bytes->data);
    *bytes = (dwci_bytes){0};
}

/* ---- taking text apart ---- */

typedef struct scan {
    dwci_findings *findings;
    const char *journal; /* its name; NULL: the file itself */
    const char *text, *end;
    bool header;
} scan;

static bool blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0;
}

static const char *skip_blank(const char *at, const char *end) {
    while (at < end && blank(*at))
        at++;
    return at;
}

static bool starts_with(const char *at, const char *end, const char *word) {
    size_t length = strlen(word);
    return (size_t)(end - at) >= length && memcmp(at, word, length) == 0;
}

/* The next object whose first field is "key" or "format", from `at` on; `end` if there is none. */
static const char *next_object(const char *at, const char *end, bool *header) {
    for (; at < end && (at = memchr(at, '{', (size_t)(end - at))); at++) {
        const char *name = skip_blank(at + 1, end);
        *header = starts_with(name, end, "\"format\"");
        if (*header || starts_with(name, end, "\"key\""))
            return at;
    }
    return end;
}

/* Remembers the first trouble and where it is. */
static void note(scan *s, const char *at, const char *what) {
    dwc_wisdom_report *report = &s->findings->report;
    int64_t line = 1;
    if (report->first[0])
        return;
    for (const char *c = s->text; c < at && (c = memchr(c, '\n', (size_t)(at - c))); c++)
        line++;
    snprintf(report->first, sizeof report->first, "%.120s%sline %lld: %s", s->journal ? s->journal : "",
             s->journal ? " " : "", (long long)line, what);
}

static bool is_blank(const char *from, const char *to) {
    return skip_blank(from, to) == to;
}

/* What stands between two objects. */
static bool put_gap(scan *s, const char *from, const char *to) {
    from = skip_blank(from, to);
    while (to > from && blank(to[-1]))
        to--;
    if (from == to)
        return true;
    bool torn = s->journal && is_blank(to, s->end) && !memchr(from, '\n', (size_t)(s->end - from));
    if (torn)
        return true;
    s->findings->report.damaged++;
    note(s, from, "no record");
    return s->journal || (dwci_bytes_append(&s->findings->damaged, from, (size_t)(to - from)) &&
                          dwci_bytes_append(&s->findings->damaged, "\n", 1));
}

/* Takes over the item. */
static bool put_unsigned(scan *s, const char *at, dwci_item *item) {
    dwci_findings *f = s->findings;
    f->report.unsigned_records++;
    note(s, at, "its checksum is not that of the record");
    if (f->unverified_count == f->unverified_capacity) {
        int64_t capacity = 2 * f->unverified_capacity + 16;
        dwci_item **grown = dwci_allocate(&dwci_default_allocator, (size_t)capacity * sizeof *grown);
        if (!grown) {
            dwci_item_release(item);
            return false;
        }
        if (f->unverified_count)
            memcpy(grown, f->unverified, (size_t)f->unverified_count * sizeof *grown);
        dwci_release(&dwci_default_allocator, f->unverified);
        f->unverified = grown;
        f->unverified_capacity = capacity;
    }
    f->unverified[f->unverified_count++] = item;
    return true;
}

/* Takes over the item. */
static bool put_signed(scan *s, dwci_item *item) {
    if (!item || !dwci_set_reserve(&s->findings->records, 1)) {
        dwci_item_release(item);
        return false;
    }
    s->findings->report.records++;
    dwci_set_put(&s->findings->records, item);
    return true;
}

/* The record at `at`: its length, 0 if there is none. */
static bool scan_record(scan *s, const char *at, size_t *used) {
    dwci_item *item;
    dwci_reading reading = dwci_item_read(at, (size_t)(s->end - at), &item, used);
    if (reading == DWCI_DAMAGED)
        *used = 0;
    if (reading == DWCI_UNSIGNED && s->findings->sign) {
        dwci_item *made = dwci_item_sign(item);
        dwci_item_release(item);
        return put_signed(s, made);
    }
    if (reading == DWCI_UNSIGNED)
        return put_unsigned(s, at, item);
    return reading == DWCI_SIGNED ? put_signed(s, item) : reading == DWCI_DAMAGED;
}

static bool scan_header(scan *s, const char *at, size_t *used, int64_t *version) {
    int64_t found;
    dwci_reading reading = dwci_header_read(at, (size_t)(s->end - at), &found, used);
    if (reading != DWCI_SIGNED)
        *used = 0;
    else if (found > *version)
        *version = found;
    s->header |= reading == DWCI_SIGNED;
    return reading != DWCI_NO_MEMORY;
}

static bool scan_all(scan *s, int64_t *version) {
    const char *gap = s->text, *at = s->text;
    bool header = false;
    while (*version <= DWCI_FORMAT_VERSION) {
        size_t used;
        const char *start = next_object(at, s->end, &header);
        if (!put_gap(s, gap, start))
            return false;
        if (start == s->end)
            return true;
        if (!(header ? scan_header(s, start, &used, version) : scan_record(s, start, &used)))
            return false;
        gap = start + used;
        at = used ? gap : start + 1;
    }
    return true;
}

dwc_status dwci_findings_scan(dwci_findings *findings, const char *text, size_t bytes, const char *journal,
                              int64_t *version, dwc_error *error) {
    scan s = {findings, journal, text, text + bytes, false};
    int64_t damaged = findings->report.damaged;
    *version = 0;
    if (bytes && !scan_all(&s, version))
        return dwci_fail(error, DWC_OUT_OF_MEMORY, "wisdom: out of memory");
    /* A header that is not readable was counted already. */
    if (!s.header && !journal && damaged == findings->report.damaged && !is_blank(text, text + bytes)) {
        findings->report.damaged++;
        note(&s, text, "no header");
    }
    return DWC_OK;
}

/* ---- files ---- */

static dwc_status fail_file(dwc_error *error, const char *path, const char *reason) {
    return dwci_fail(error, DWC_FILE_ERROR, "%.170s: %s", path, reason);
}

/* A file may grow meanwhile; what is read is what was there. */
static dwc_status read_open(int file, const char *path, dwci_bytes *text, const struct stat *stats, dwc_error *error) {
    if (!S_ISREG(stats->st_mode))
        return fail_file(error, path, S_ISDIR(stats->st_mode) ? strerror(EISDIR) : "not a regular file");
    if (stats->st_size > most_bytes)
        return fail_file(error, path, strerror(EFBIG));
    size_t bytes = (size_t)stats->st_size;
    text->data = dwci_allocate(&dwci_default_allocator, bytes);
    if (!text->data)
        return dwci_fail(error, DWC_OUT_OF_MEMORY, "%.170s: out of memory", path);
    text->capacity = bytes;
    while (text->used < bytes) {
        ssize_t got = read(file, text->data + text->used, bytes - text->used);
        if (got == 0)
            break;
        if (got > 0)
            text->used += (size_t)got;
        else if (errno != EINTR)
            return fail_file(error, path, strerror(errno));
    }
    return DWC_OK;
}

dwc_status dwci_file_read(const char *path, dwci_bytes *text, struct stat *stats, bool *found, dwc_error *error) {
    *text = (dwci_bytes){0};
    *found = false;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* does not wait for the other end of a pipe */
    if (file < 0)
        return errno == ENOENT ? DWC_OK : fail_file(error, path, strerror(errno));
    dwc_status status =
        fstat(file, stats) == 0 ? read_open(file, path, text, stats, error) : fail_file(error, path, strerror(errno));
    close(file);
    *found = status == DWC_OK;
    if (status != DWC_OK)
        dwci_bytes_clear(text);
    return status;
}

bool dwci_write_all(int file, const char *data, size_t bytes) {
    while (bytes) {
        ssize_t done = write(file, data, bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        data += done;
        bytes -= (size_t)done;
    }
    return true;
}

/* Files of others that cannot be read, and those of later formats, are reported and left alone. */
static dwc_status skip_journal(dwci_content *content, const char *path, const char *reason) {
    dwc_wisdom_report *report = &content->findings.report;
    report->damaged++;
    if (!report->first[0])
        snprintf(report->first, sizeof report->first, "%.130s: %.60s", path, reason);
    return DWC_OK;
}

static dwc_status read_journal(const char *path, long process, void *user, dwc_error *error) {
    dwci_content *content = user;
    dwci_bytes text;
    struct stat stats;
    dwc_error trouble;
    bool found;
    int64_t version;
    dwc_status status = dwci_file_read(path, &text, &stats, &found, &trouble);
    if (status == DWC_FILE_ERROR)
        return skip_journal(content, path, "cannot be read");
    if (status != DWC_OK)
        return dwci_fail(error, status, "%s", trouble.message);
    if (!found)
        return DWC_OK; /* merged just now, and read with the file */
    int64_t damaged = content->findings.report.damaged;
    status = dwci_findings_scan(&content->findings, text.data, text.used, strrchr(path, '/') + 1, &version, error);
    stats.st_size = (off_t)text.used;
    dwci_bytes_clear(&text);
    if (status != DWC_OK)
        return status;
    if (version > DWCI_FORMAT_VERSION)
        return skip_journal(content, path, "of a later format");
    dwci_journal_file *journal = dwci_allocate(&dwci_default_allocator, sizeof *journal);
    if (!journal)
        return dwci_fail(error, DWC_OUT_OF_MEMORY, "wisdom: out of memory");
    snprintf(journal->path, sizeof journal->path, "%s", path);
    journal->process = process;
    journal->damaged = damaged < content->findings.report.damaged;
    journal->stat = stats;
    journal->next = content->journals;
    content->journals = journal;
    content->findings.report.journals++;
    return DWC_OK;
}

dwc_status dwci_content_read(const dwci_place *place, bool journals, dwci_content *content, dwc_error *error) {
    int64_t version = 0;
    dwc_status status = journals ? dwci_place_each(place, "journal", read_journal, content, error) : DWC_OK;
    if (status == DWC_OK)
        status = dwci_file_read(place->path, &content->text, &content->stat, &content->found, error);
    if (status == DWC_OK && content->found)
        status = dwci_findings_scan(&content->findings, content->text.data, content->text.used, NULL, &version, error);
    if (status == DWC_OK && version > DWCI_FORMAT_VERSION)
        status = fail_file(error, place->path, "of a later format, which this version of dwconv cannot read");
    return status;
}

void dwci_content_clear(dwci_content *content) {
    dwci_findings *f = &content->findings;
    for (int64_t i = 0; i < f->unverified_count; i++)
        dwci_item_release(f->unverified[i]);
    dwci_release(&dwci_default_allocator, f->unverified);
    dwci_set_clear(&f->records);
    dwci_bytes_clear(&f->damaged);
    dwci_bytes_clear(&content->text);
    for (dwci_journal_file *journal = content->journals, *next; journal; journal = next) {
        next = journal->next;
        dwci_release(&dwci_default_allocator, journal);
    }
    *content = (dwci_content){0};
}

/* ---- into a wisdom ---- */

static dwc_status read_into(dwc_wisdom *wisdom, const char *path, bool journals, bool sign, dwc_wisdom_report *report,
                            dwc_error *error) {
    dwci_place place;
    dwci_content content = {.findings = {.sign = sign}};
    bool missing;
    if (!wisdom)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "wisdom: null pointer");
    dwc_status status = dwci_place_find(path, false, &place, &missing, error);
    if (status == DWC_OK && !missing)
        status = dwci_content_read(&place, journals, &content, error);
    if (status == DWC_OK) {
        pthread_mutex_lock(&wisdom->lock);
        if (!dwci_set_unite(&wisdom->set, &content.findings.records))
            status = dwci_fail(error, DWC_OUT_OF_MEMORY, "wisdom: out of memory");
        pthread_mutex_unlock(&wisdom->lock);
    }
    if (status == DWC_OK && report)
        *report = content.findings.report;
    dwci_content_clear(&content);
    return status;
}

dwc_status dwc_wisdom_load(dwc_wisdom *wisdom, const char *path, dwc_wisdom_report *report, dwc_error *error) {
    return read_into(wisdom, path, true, false, report, error);
}

dwc_status dwc_expert_wisdom_read(dwc_wisdom *wisdom, const char *path, int sign, dwc_wisdom_report *report,
                                  dwc_error *error) {
    return read_into(wisdom, path, false, sign != 0, report, error);
}
