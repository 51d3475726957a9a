/* SPDX-License-Identifier: Apache-2.0 */
/* Journals; see journal.h. */
#define _GNU_SOURCE
#include "journal.h"

#include "dwconv_expert.h"
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { text_bytes = 1024, format_version = 1 };

typedef struct record {
    char magic[8];
    uint32_t checksum; /* of what follows */
    uint32_t job;      /* checksum of the journal's text */
    int64_t chunk;
    uint32_t output;
    char unused[36];
} record;

_Static_assert(sizeof(record) == 64, "records do not cross the sectors of a disk");

static const char record_magic[8] = "dwchunk\n";

static uint32_t record_checksum(const record *r) {
    return dwc_expert_crc32c(0, &r->job, sizeof *r - offsetof(record, job));
}

/* ---- the text ---------------------------------------------------------------------------------------------------- */

static int copy(char *to, size_t size, const char *from) {
    return (size_t)snprintf(to, size, "%s", from) < size;
}

int journal_print(const journal_job *job, char text[JOURNAL_TEXT]) {
    json_t *object =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:[I, I]}", "dwconv_journal",
                  format_version, "version", job->version, "problem", job->problem, "algo", job->algo, "params",
                  job->params, "isa", job->isa, "revision", job->revision, "input_bytes", (json_int_t)job->input_bytes,
                  "input_time", (json_int_t)job->input_time, "filter", (json_int_t)job->filter, "bias",
                  (json_int_t)job->bias, "chunk_images", (json_int_t)job->chunk_images, "chunk_rows",
                  (json_int_t)job->chunk_rows, "mark", (json_int_t)job->mark[0], (json_int_t)job->mark[1]);
    char *printed = object ? json_dumps(object, JSON_COMPACT) : NULL;
    const int fits = printed && copy(text, JOURNAL_TEXT, printed);
    free(printed);
    json_decref(object);
    return fits;
}

int journal_parse(const char *text, journal_job *job) {
    const char *version, *problem, *algo, *params, *isa;
    json_int_t bytes, time, filter, bias, images, rows, mark[2];
    int format;
    json_t *object = json_loads(text, 0, NULL);
    const int good = !json_unpack(object, "{s:i, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:[I, I]}",
                                  "dwconv_journal", &format, "version", &version, "problem", &problem, "algo", &algo,
                                  "params", &params, "isa", &isa, "revision", &job->revision, "input_bytes", &bytes,
                                  "input_time", &time, "filter", &filter, "bias", &bias, "chunk_images", &images,
                                  "chunk_rows", &rows, "mark", &mark[0], &mark[1]) &&
                     format == format_version && copy(job->version, sizeof job->version, version) &&
                     copy(job->problem, sizeof job->problem, problem) && copy(job->algo, sizeof job->algo, algo) &&
                     copy(job->params, sizeof job->params, params) && copy(job->isa, sizeof job->isa, isa) &&
                     images > 0 && rows > 0;
    if (good) {
        job->input_bytes = bytes, job->input_time = time;
        job->filter = filter, job->bias = bias;
        job->chunk_images = images, job->chunk_rows = rows;
        job->mark[0] = mark[0], job->mark[1] = mark[1];
    }
    json_decref(object);
    return good;
}

int journal_same_bits(const journal_job *job, const char *isa) {
    const char *baseline = dwc_isa_name(DWC_ISA_BASELINE);
    return !strcmp(job->isa, isa) ||
           (!strcmp(job->algo, "direct") && strcmp(job->isa, baseline) && strcmp(isa, baseline));
}

const char *journal_difference(const journal_job *a, const journal_job *b) {
    return strcmp(a->problem, b->problem)     ? "problem"
           : a->input_bytes != b->input_bytes ? "size of the input"
           : a->input_time != b->input_time   ? "time of the input's last change"
           : a->filter != b->filter           ? "filter"
           : a->bias != b->bias               ? "bias"
                                              : NULL;
}

int journal_compare(const char *output, const journal_job *before, const journal_job *now, cli_failure *failure) {
    const int direct = !strcmp(before->algo, "direct");
    const char *field = journal_difference(before, now);
    if (!field)
        field = strcmp(before->version, now->version)            ? "version of dwconv"
                : strcmp(before->algo, now->algo)                ? "algorithm"
                : before->revision != now->revision              ? "revision of the algorithm"
                : !direct && strcmp(before->params, now->params) ? "variant of the algorithm"
                : !journal_same_bits(before, now->isa)           ? "instruction set"
                : before->chunk_images != now->chunk_images || before->chunk_rows != now->chunk_rows ? "size of chunks"
                : before->mark[0] != now->mark[0] || before->mark[1] != now->mark[1]                 ? "run"
                                                                                                     : NULL;
    if (!field)
        return EXIT_DONE;
    return fail(failure, EXIT_USAGE, "%s.partial: was begun with another %s; --force without --resume starts afresh",
                output, field);
}

/* ---- finding and reading ----------------------------------------------------------------------------------------- */

/* The number K if `name` is a journal of the output whose own name is `base`, else -1. */
static int64_t journal_number(const char *name, const char *base) {
    const size_t length = strlen(base);
    char *end;
    if (strncmp(name, base, length) || strncmp(name + length, ".partial-", 9) || name[length + 9] < '0' ||
        name[length + 9] > '9')
        return -1;
    const int64_t number = strtoll(name + length + 9, &end, 10);
    return strcmp(end, ".journal") ? -1 : number;
}

static char *journal_path(const char *output, int64_t number) {
    char *path = NULL;
    return asprintf(&path, "%s.partial-%" PRId64 ".journal", output, number) < 0 ? NULL : path;
}

/* Calls visit for every journal. */
static void each_journal(const char *output, void (*visit)(const char *path, int64_t number, void *user), void *user,
                         cli_failure *failure) {
    char *copy_of_folder = strdup(output), *copy_of_name = strdup(output);
    DIR *folder = copy_of_folder && copy_of_name ? opendir(dirname(copy_of_folder)) : NULL;
    const char *base = copy_of_name ? basename(copy_of_name) : "";
    if (!folder)
        fail_file(failure, output, "look for journals of", copy_of_folder ? errno : ENOMEM);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        const int64_t number = journal_number(entry->d_name, base);
        char *path = number >= 0 ? journal_path(output, number) : NULL;
        if (path)
            visit(path, number, user);
        free(path);
    }
    if (folder)
        closedir(folder);
    free(copy_of_folder);
    free(copy_of_name);
}

typedef struct reading {
    const char *output;
    journal_found *found;
    cli_failure *failure;
    int64_t room;
    int jobs;
} reading;

static void add_chunk(reading *r, const record *one) {
    journal_found *found = r->found;
    if (found->count == r->room) {
        const int64_t room = r->room ? 2 * r->room : 256;
        journal_chunk *more = realloc(found->chunks, (size_t)room * sizeof *more);
        if (!more) {
            fail(r->failure, EXIT_FAILED, "out of memory");
            return;
        }
        found->chunks = more;
        r->room = room;
    }
    found->chunks[found->count++] = (journal_chunk){one->chunk, one->output};
}

static void read_journal(const char *path, int64_t number, void *user) {
    reading *r = user;
    char text[text_bytes + 1] = "";
    journal_job job = {0};
    record one;
    if (r->found->next <= number)
        r->found->next = number + 1;
    FILE *file = fopen(path, "re");
    if (!file) {
        fail_file(r->failure, path, "open", errno);
        return;
    }
    if (fread(text, text_bytes, 1, file) == 1) {
        char *end = text + text_bytes;
        while (end > text && (end[-1] == ' ' || end[-1] == '\n'))
            *--end = 0;
        const uint32_t checksum = dwc_expert_crc32c(0, text, strlen(text));
        if (!journal_parse(text, &job))
            fail(r->failure, EXIT_USAGE, "%s: is no journal that this dwconv understands; --force starts afresh", path);
        else if (r->jobs++ == 0)
            r->found->job = job;
        else
            journal_compare(r->output, &r->found->job, &job, r->failure);
        while (!r->failure->code && fread(&one, sizeof one, 1, file) == 1)
            if (!memcmp(one.magic, record_magic, sizeof one.magic) && one.checksum == record_checksum(&one) &&
                one.job == checksum && one.chunk >= 0)
                add_chunk(r, &one);
    }
    if (ferror(file))
        fail_file(r->failure, path, "read", errno);
    fclose(file);
}

static int by_chunk(const void *a, const void *b) {
    const journal_chunk *p = a, *q = b;
    return (p->chunk > q->chunk) - (p->chunk < q->chunk);
}

int journal_read(const char *output, journal_found *found, cli_failure *failure) {
    reading r = {.output = output, .found = found, .failure = failure};
    int64_t kept = 0;
    *found = (journal_found){.count = 0};
    each_journal(output, read_journal, &r, failure);
    if (found->count)
        qsort(found->chunks, (size_t)found->count, sizeof *found->chunks, by_chunk);
    for (int64_t i = 0; i < found->count; i++)
        if (i == 0 || found->chunks[i].chunk != found->chunks[i - 1].chunk)
            found->chunks[kept++] = found->chunks[i];
    found->count = kept;
    return failure->code;
}

void journal_forget(journal_found *found) {
    free(found->chunks);
    *found = (journal_found){.count = 0};
}

typedef struct removal {
    int count;
    cli_failure *failure;
} removal;

static void remove_one(const char *path, int64_t number, void *user) {
    removal *r = user;
    (void)number;
    r->count++;
    if (unlink(path) && errno != ENOENT)
        fail_file(r->failure, path, "remove", errno);
}

int journal_remove(const char *output, cli_failure *failure) {
    removal r = {.failure = failure};
    each_journal(output, remove_one, &r, failure);
    if (r.count)
        sync_directory_of(output);
    return failure->code;
}

/* ---- appending --------------------------------------------------------------------------------------------------- */

int journal_open(const char *output, int64_t number, const journal_job *job, journal *file, cli_failure *failure) {
    const int fits = journal_print(job, file->text);
    file->path = journal_path(output, number);
    file->fd = -1;
    file->job = dwc_expert_crc32c(0, file->text, strlen(file->text));
    if (!file->path)
        return fail(failure, EXIT_FAILED, "out of memory");
    return fits ? EXIT_DONE : fail(failure, EXIT_FAILED, "%s: the job's description is too long", file->path);
}

static int append(const journal *file, const void *data, size_t bytes, cli_failure *failure) {
    for (const char *at = data; bytes > 0;) {
        const ssize_t count = write(file->fd, at, bytes);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return fail_file(failure, file->path, "write", count ? errno : ENOSPC);
        at += count;
        bytes -= (size_t)count;
    }
    return EXIT_DONE;
}

static int create(journal *file, cli_failure *failure) {
    char text[text_bytes];
    memset(text, ' ', sizeof text);
    memcpy(text, file->text, strlen(file->text));
    text[sizeof text - 1] = '\n';
    file->fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (file->fd < 0)
        return fail_file(failure, file->path, "write", errno);
    return append(file, text, sizeof text, failure);
}

int journal_append(journal *file, const journal_chunk *chunks, int count, cli_failure *failure) {
    enum { at_once = 64 };
    const int created = file->fd < 0;
    if (created && create(file, failure))
        return failure->code;
    for (int done = 0; done < count; done += at_once) {
        record records[at_once] = {0};
        const int now = count - done < at_once ? count - done : at_once;
        for (int i = 0; i < now; i++) {
            record *one = &records[i];
            *one = (record){.job = file->job, .chunk = chunks[done + i].chunk, .output = chunks[done + i].output};
            memcpy(one->magic, record_magic, sizeof one->magic);
            one->checksum = record_checksum(one);
        }
        if (append(file, records, (size_t)now * sizeof *records, failure))
            return failure->code;
    }
    if (fdatasync(file->fd))
        return fail_file(failure, file->path, "write", errno);
    if (created)
        sync_directory_of(file->path);
    return EXIT_DONE;
}

void journal_close(journal *file) {
    if (file->path && file->fd >= 0)
        close(file->fd);
    free(file->path);
    file->path = NULL;
}
