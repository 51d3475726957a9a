/* SPDX-License-Identifier: Apache-2.0 */
/* Plans and packed filters; see plan_cache.h. */
#include "plan_cache.h"

#include <string.h>

static void drop_oldest(plan_cache *cache) {
    dwc_release(cache->request->context, cache->slots[0].packed);
    dwc_plan_destroy(cache->slots[0].plan);
    cache->used--;
    memmove(cache->slots, cache->slots + 1, sizeof *cache->slots * (size_t)cache->used);
}

static void make_room(plan_cache *cache, int64_t bytes) {
    int64_t total = bytes;
    for (int i = 0; i < cache->used; i++)
        total += cache->slots[i].packed_bytes;
    while (cache->used && (cache->used == plan_slots || total > cache->room)) {
        total -= cache->slots[0].packed_bytes;
        drop_oldest(cache);
    }
}

static int pack(plan_cache *cache, plan_slot *slot, cli_failure *failure) {
    dwc_error error;
    slot->packed = slot->packed_bytes ? dwc_allocate(cache->request->context, (size_t)slot->packed_bytes) : NULL;
    if (slot->packed_bytes && !slot->packed)
        return fail(failure, EXIT_FAILED, "out of memory: %lld bytes for the packed filter",
                    (long long)slot->packed_bytes);
    if (dwc_plan_pack_filter(slot->plan, cache->filter, slot->packed, &error))
        return fail_library(failure, NULL, &error);
    return EXIT_DONE;
}

const plan_slot *plan_cache_find(plan_cache *cache, const stream_piece *piece, cli_failure *failure) {
    const split_request *request = cache->request;
    plan_slot slot = {.shape = *piece};
    dwc_plan_info info;
    dwc_error error;
    for (int i = 0; i < cache->used; i++)
        if (split_same_plan(&cache->slots[i].shape, piece))
            return &cache->slots[i];
    if (dwc_plan_create(request->context, &piece->problem, &request->plan, &slot.plan, &error)) {
        fail_library(failure, NULL, &error);
        return NULL;
    }
    dwc_plan_get_info(slot.plan, &info);
    slot.packed_bytes = (int64_t)info.packed_bytes;
    if ((int64_t)info.workspace_bytes > cache->split->scratch_bytes)
        fail(failure, EXIT_FAILED, "a band needs %zu bytes of workspace, more than was set aside",
             info.workspace_bytes);
    make_room(cache, slot.packed_bytes);
    int code = failure->code ? failure->code : pack(cache, &slot, failure);
    cache->slots[cache->used++] = slot;
    if (info.threads > cache->threads)
        cache->threads = info.threads;
    return code ? NULL : &cache->slots[cache->used - 1];
}

void plan_cache_clear(plan_cache *cache) {
    while (cache->used)
        drop_oldest(cache);
}
