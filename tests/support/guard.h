/* SPDX-License-Identifier: Apache-2.0 */
/* Memory whose neighbours cannot be touched: a read or a write one byte outside ends the test.
 *
 *     DWT_GUARD_AFTER    | no access | canaries | buffer | no access |
 *     DWT_GUARD_BEFORE   | no access | buffer | canaries | no access |
 *
 * The canaries fill the page up and are looked at by dwt_guard_intact.
 */
#ifndef DWT_GUARD_H
#define DWT_GUARD_H

#include <stddef.h>

typedef enum dwt_guard_side { DWT_GUARD_BEFORE, DWT_GUARD_AFTER } dwt_guard_side;

typedef struct dwt_guard {
    unsigned char *data; /* the buffer */
    size_t bytes;
    unsigned char *map, *open; /* the whole mapping, and its accessible part */
    size_t map_bytes, open_bytes;
} dwt_guard;

/* `bytes` (0 too) flush against the protected page of `side`. `alignment` (a power of two) moves a buffer of
 * DWT_GUARD_AFTER down where its size is no multiple of it; `offset` moves it away from the page by that many bytes. */
void dwt_guard_map(dwt_guard *guard, size_t bytes, dwt_guard_side side, size_t alignment, size_t offset);
void dwt_guard_unmap(dwt_guard *guard);

/* From now on the buffer can be read but not written. */
void dwt_guard_read_only(dwt_guard *guard);

/* 1 if no canary changed. */
int dwt_guard_intact(const dwt_guard *guard);

#endif
