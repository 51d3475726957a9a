/* SPDX-License-Identifier: Apache-2.0 */
/* Where a wisdom file is, and the files beside it:
 *
 *     wisdom.jsonl                                       the file; a symbolic link leads to it, the rest lies beside it
 *     wisdom.jsonl.node-7.4711.9a3f0c11d2e4b587.journal  records of process 4711 on host node-7, not yet merged
 *     wisdom.jsonl.node-7.4711.51e09b7a6c2d8f03.tmp      the next file while it is written
 *     wisdom.jsonl.lock                                  its lock: who merges; stays
 *     wisdom.jsonl.damaged                               pieces that were no record when the file was rewritten
 *     wisdom.jsonl.node-7.4711.9a3f0c11d2e4b587.journal.damaged  a merged journal that had such pieces */
#define _GNU_SOURCE
#include "core/error.h"
#include "core/memory.h"
#include "core/wisdom.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { HOST_MAX = 64, MOST_LINKS = 16 };

static dwc_status fail_path(dwc_error *error, const char *path, int reason) {
    return dwci_fail(error, DWC_FILE_ERROR, "%.170s: %s", path, strerror(reason));
}

static bool join(char to[PATH_MAX], const char *folder, const char *name) {
    const char *slash = folder[0] == '/' && !folder[1] ? "" : "/";
    int length = snprintf(to, PATH_MAX, "%s%s%s", folder, slash, name);
    return length > 0 && length < PATH_MAX;
}

/* Cuts a path behind its last slash: the folder ("." if there is none) and the name. */
static const char *split(const char *path, char folder[PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(folder, PATH_MAX, ".");
    else
        snprintf(folder, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return slash ? slash + 1 : path;
}

/* mkdir -p; returns the first trouble's errno, 0 if there was none. */
static int make_folders(const char *folder) {
    char path[PATH_MAX];
    int trouble = 0;
    snprintf(path, sizeof path, "%s", folder);
    for (char *end = path + 1;; end++) {
        if (*end && *end != '/')
            continue;
        char was = *end;
        *end = 0;
        if (mkdir(path, 0777) != 0 && errno != EEXIST && !trouble)
            trouble = errno;
        if (!was)
            return trouble;
        *end = was;
    }
}

/* Follows links that lead to nothing, which realpath does not, in `path`; false with errno. */
static bool follow(char path[PATH_MAX]) {
    for (int links = 0; links < MOST_LINKS; links++) {
        char target[PATH_MAX], folder[PATH_MAX];
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0)
            return true; /* no link: a file that does not exist */
        target[length] = 0;
        split(path, folder);
        if (target[0] == '/')
            snprintf(path, PATH_MAX, "%s", target);
        else if (!join(path, folder, target)) {
            errno = ENAMETOOLONG;
            return false;
        }
    }
    errno = ELOOP;
    return false;
}

static dwc_status place_new(char path[PATH_MAX], bool make, dwci_place *place, bool *missing, dwc_error *error) {
    char folder[PATH_MAX];
    int trouble = 0;
    if (!follow(path))
        return fail_path(error, path, errno);
    const char *name = split(path, folder);
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return fail_path(error, path, EISDIR);
    if (make)
        trouble = make_folders(folder);
    if (!realpath(folder, place->folder)) {
        *missing = errno == ENOENT && !make;
        return *missing ? DWC_OK : fail_path(error, folder, trouble ? trouble : errno);
    }
    return join(place->path, place->folder, name) ? DWC_OK : fail_path(error, path, ENAMETOOLONG);
}

dwc_status dwci_place_find(const char *given, bool make, dwci_place *place, bool *missing, dwc_error *error) {
    char path[PATH_MAX];
    struct stat stats;
    *missing = false;
    if (!given || !*given)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "path: %s", given ? "empty" : "null pointer");
    if (snprintf(path, sizeof path, "%s", given) >= PATH_MAX)
        return fail_path(error, given, ENAMETOOLONG);
    if (!realpath(path, place->path)) {
        if (errno != ENOENT)
            return fail_path(error, path, errno);
        dwc_status status = place_new(path, make, place, missing, error);
        if (status != DWC_OK || *missing)
            return status;
    } else if (stat(place->path, &stats) == 0 && S_ISDIR(stats.st_mode)) {
        return fail_path(error, path, EISDIR);
    }
    place->name = split(place->path, place->folder);
    return DWC_OK;
}

/* This host's name with letters, digits and - only, so that a dot ends it. */
static void host_name(char host[HOST_MAX]) {
    if (gethostname(host, HOST_MAX) != 0)
        host[0] = 0;
    host[HOST_MAX - 1] = 0;
    for (char *c = host; *c; c++)
        if (!((*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9')))
            *c = '-';
    if (!host[0])
        snprintf(host, HOST_MAX, "unknown");
}

/* Not a secret; where the kernel has none, names still differ, and files are created only if nobody has the name. */
static uint64_t random_bits(void) {
    uint64_t bits;
    struct timespec now;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) == (ssize_t)sizeof bits)
        return bits;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000007u ^ (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)&now;
}

bool dwci_place_name(const dwci_place *place, const char *ending, char path[PATH_MAX]) {
    char host[HOST_MAX];
    host_name(host);
    int length = snprintf(path, PATH_MAX, "%s.%s.%ld.%016llx.%s", place->path, host, (long)getpid(),
                          (unsigned long long)random_bits(), ending);
    return length > 0 && length < PATH_MAX;
}

void dwci_place_sync(const dwci_place *place) {
    int folder = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return;
    fsync(folder); /* file systems that cannot do that need not */
    close(folder);
}

/* Is `name` that of a file beside the place, NAME.HOST.PROCESS.RANDOM.ending? */
static bool read_name(const dwci_place *place, const char *name, const char *ending, const char *host, long *process) {
    size_t length = strlen(place->name);
    if (strncmp(name, place->name, length) != 0 || name[length] != '.')
        return false;
    const char *at = name + length + 1;
    size_t host_length = strcspn(at, ".");
    if (!host_length || at[host_length] != '.')
        return false;
    bool here = host_length == strlen(host) && memcmp(at, host, host_length) == 0;
    char *end = NULL;
    at += host_length + 1;
    errno = 0;
    *process = *at >= '0' && *at <= '9' ? strtol(at, &end, 10) : 0;
    if (*process <= 0 || errno || *end != '.')
        return false;
    if (!here)
        *process = 0;
    at = end + 1;
    at += strcspn(at, ".");
    return *at == '.' && strcmp(at + 1, ending) == 0;
}

dwc_status dwci_place_each(const dwci_place *place, const char *ending, dwci_file_fn visit, void *user,
                           dwc_error *error) {
    char host[HOST_MAX], path[PATH_MAX];
    dwc_status status = DWC_OK;
    long process;
    DIR *folder = opendir(place->folder);
    if (!folder)
        return errno == ENOENT ? DWC_OK : fail_path(error, place->folder, errno);
    host_name(host);
    for (struct dirent *entry; status == DWC_OK && (entry = readdir(folder));)
        if (read_name(place, entry->d_name, ending, host, &process) && join(path, place->folder, entry->d_name))
            status = visit(path, process, user, error);
    closedir(folder);
    return status;
}
