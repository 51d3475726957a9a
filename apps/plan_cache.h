/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of the pieces of a split with their packed filters: the few in use (full and last pieces; top, inner and bottom
 * band) are kept, the oldest goes when the memory or a slot is needed. */
#ifndef PLAN_CACHE_H
#define PLAN_CACHE_H

#include "split.h"

enum { plan_slots = 4 };

typedef struct plan_slot {
    dwc_plan *plan;
    stream_piece shape;
    void *packed;
    int64_t packed_bytes;
} plan_slot;

typedef struct plan_cache {
    const split_request *request;
    const stream_split *split;
    const void *filter;          /* as read */
    int64_t room;                /* bytes for packed filters */
    plan_slot slots[plan_slots]; /* used ones first, oldest first */
    int used;
    int threads; /* most that any plan uses */
} plan_cache;

/* Plans and packs for the shape of `piece`; the slot stays valid until the next call. NULL after a failure. */
const plan_slot *plan_cache_find(plan_cache *cache, const stream_piece *piece, cli_failure *failure);

void plan_cache_clear(plan_cache *cache);

#endif
