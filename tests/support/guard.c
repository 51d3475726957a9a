/* SPDX-License-Identifier: Apache-2.0 */
/* Guarded buffers: one anonymous mapping without access, of which all pages but the first and the last are opened. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guard.h"

enum { CANARY = 0xc7 };

static void expect(int good, const char *what) {
    if (!good) {
        perror(what);
        abort();
    }
}

void dwt_guard_map(dwt_guard *guard, size_t bytes, dwt_guard_side side, size_t alignment, size_t offset) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t open = (bytes + offset + alignment + page - 1) / page * page;
    guard->bytes = bytes;
    guard->open_bytes = open;
    guard->map_bytes = open + 2 * page;
    guard->map = mmap(NULL, guard->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(guard->map != MAP_FAILED, "mmap");
    guard->open = guard->map + page;
    expect(mprotect(guard->open, open, PROT_READ | PROT_WRITE) == 0, "mprotect");
    memset(guard->open, CANARY, open);
    size_t start = offset;
    if (side == DWT_GUARD_AFTER)
        start = (open - bytes - offset) / alignment * alignment;
    guard->data = guard->open + start;
}

void dwt_guard_unmap(dwt_guard *guard) {
    if (guard->map != NULL)
        munmap(guard->map, guard->map_bytes);
    memset(guard, 0, sizeof *guard);
}

void dwt_guard_read_only(dwt_guard *guard) {
    expect(mprotect(guard->open, guard->open_bytes, PROT_READ) == 0, "mprotect");
}

int dwt_guard_intact(const dwt_guard *guard) {
    for (const unsigned char *p = guard->open; p < guard->open + guard->open_bytes; p++) {
        if (p == guard->data)
            p += guard->bytes;
        if (p < guard->open + guard->open_bytes && *p != CANARY)
            return 0;
    }
    return 1;
}
