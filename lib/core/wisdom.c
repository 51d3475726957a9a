/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of tuning records, and dwc_wisdom, a set that threads share.
 *
 *     slots   [ item, hash, next ][ item, hash, next ] ...   in the order they came, or sorted by key and machine
 *     chains  hash of a key -> first slot --next--> slot --next--> -1
 *
 * All machines' records of a key are in one chain. Sorting is put off until somebody wants the order. */
#include "core/checksum.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/wisdom.h"

#include <stdlib.h>
#include <string.h>

#ifndef DWC_SITE_WISDOM
#define DWC_SITE_WISDOM "/usr/local/share/dwconv/wisdom.jsonl"
#endif

/* ---- sets ---- */

static int64_t *chain_of(const dwci_set *set, uint32_t hash) {
    return set->chains + ((int64_t)hash & (set->capacity - 1));
}

static uint32_t hash_of(const char *key) {
    return dwci_crc32c(0, key, strlen(key));
}

/* Makes the chains anew, after slots moved. */
static void link_slots(dwci_set *set) {
    for (int64_t i = 0; i < set->capacity; i++)
        set->chains[i] = -1;
    for (int64_t i = 0; i < set->count; i++) {
        int64_t *chain = chain_of(set, set->slots[i].hash);
        set->slots[i].next = *chain;
        *chain = i;
    }
}

bool dwci_set_reserve(dwci_set *set, int64_t more) {
    int64_t capacity = set->capacity ? set->capacity : 64;
    while (capacity - set->count < more)
        capacity *= 2;
    if (capacity == set->capacity)
        return true;
    dwci_slot *slots = dwci_allocate(&dwci_default_allocator, (size_t)capacity * sizeof *slots);
    int64_t *chains = dwci_allocate(&dwci_default_allocator, (size_t)capacity * sizeof *chains);
    if (!slots || !chains) {
        dwci_release(&dwci_default_allocator, slots);
        dwci_release(&dwci_default_allocator, chains);
        return false;
    }
    if (set->count)
        memcpy(slots, set->slots, (size_t)set->count * sizeof *slots);
    dwci_release(&dwci_default_allocator, set->slots);
    dwci_release(&dwci_default_allocator, set->chains);
    set->slots = slots;
    set->chains = chains;
    set->capacity = capacity;
    link_slots(set);
    return true;
}

static dwci_slot *find_slot(const dwci_set *set, const char *key, const char *machine) {
    if (set->count == 0)
        return NULL;
    uint32_t hash = hash_of(key);
    for (int64_t i = *chain_of(set, hash); i >= 0; i = set->slots[i].next) {
        const dwc_record *record = &set->slots[i].item->record;
        if (set->slots[i].hash == hash && strcmp(record->key, key) == 0 && strcmp(record->machine, machine) == 0)
            return set->slots + i;
    }
    return NULL;
}

bool dwci_set_put(dwci_set *set, dwci_item *item) {
    dwci_slot *slot = find_slot(set, item->record.key, item->record.machine);
    if (slot) {
        bool better = dwci_item_compare(item, slot->item) > 0;
        dwci_item_release(better ? slot->item : item);
        if (better)
            slot->item = item;
        return better;
    }
    slot = set->slots + set->count;
    slot->item = item;
    slot->hash = hash_of(item->record.key);
    int64_t *chain = chain_of(set, slot->hash);
    slot->next = *chain;
    *chain = set->count++;
    set->sorted = false;
    return true;
}

static int by_key(const void *a, const void *b) {
    const dwc_record *x = &((const dwci_slot *)a)->item->record, *y = &((const dwci_slot *)b)->item->record;
    int order = strcmp(x->key, y->key);
    return order ? order : strcmp(x->machine, y->machine);
}

void dwci_set_sort(dwci_set *set) {
    if (set->sorted || set->count == 0)
        return;
    qsort(set->slots, (size_t)set->count, sizeof *set->slots, by_key);
    link_slots(set);
    set->sorted = true;
}

void dwci_set_clear(dwci_set *set) {
    for (int64_t i = 0; i < set->count; i++)
        dwci_item_release(set->slots[i].item);
    dwci_release(&dwci_default_allocator, set->slots);
    dwci_release(&dwci_default_allocator, set->chains);
    *set = (dwci_set){0};
}

bool dwci_set_unite(dwci_set *set, const dwci_set *from) {
    if (!dwci_set_reserve(set, from->count))
        return false;
    for (int64_t i = 0; i < from->count; i++) {
        dwci_item_hold(from->slots[i].item);
        dwci_set_put(set, from->slots[i].item);
    }
    return true;
}

/* Removes the items that `drop` says, keeping the order of the others; returns how many. */
static int64_t set_drop(dwci_set *set, int (*drop)(const dwc_record *record, void *user), void *user) {
    int64_t kept = 0, count = set->count;
    for (int64_t i = 0; i < count; i++) {
        dwci_slot slot = set->slots[i];
        if (drop(&slot.item->record, user))
            dwci_item_release(slot.item);
        else
            set->slots[kept++] = slot;
    }
    set->count = kept;
    link_slots(set);
    return count - kept;
}

/* ---- dwc_wisdom ---- */

/* Look-ups lock too: a const wisdom means that its records do not change. */
static dwci_set *lock_set(const dwc_wisdom *wisdom) {
    dwc_wisdom *w = (dwc_wisdom *)wisdom;
    pthread_mutex_lock(&w->lock);
    return &w->set;
}

static void unlock_set(const dwc_wisdom *wisdom) {
    pthread_mutex_unlock(&((dwc_wisdom *)wisdom)->lock);
}

dwc_status dwc_wisdom_create(dwc_wisdom **wisdom, dwc_error *error) {
    if (!wisdom)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "wisdom: null pointer");
    dwc_wisdom *w = dwci_allocate(&dwci_default_allocator, sizeof *w);
    if (!w)
        return dwci_fail(error, DWC_OUT_OF_MEMORY, "wisdom: out of memory");
    memset(w, 0, sizeof *w);
    w->journal.file = -1;
    if (pthread_mutex_init(&w->lock, NULL) != 0 || pthread_mutex_init(&w->keeping, NULL) != 0) {
        dwci_release(&dwci_default_allocator, w);
        return dwci_fail(error, DWC_OUT_OF_MEMORY, "wisdom: no mutex");
    }
    *wisdom = w;
    return DWC_OK;
}

void dwc_wisdom_destroy(dwc_wisdom *wisdom) {
    if (!wisdom)
        return;
    dwci_journal_close(&wisdom->journal);
    dwci_set_clear(&wisdom->set);
    pthread_mutex_destroy(&wisdom->keeping);
    pthread_mutex_destroy(&wisdom->lock);
    dwci_release(&dwci_default_allocator, wisdom);
}

int64_t dwc_wisdom_count(const dwc_wisdom *wisdom) {
    int64_t count = lock_set(wisdom)->count;
    unlock_set(wisdom);
    return count;
}

const char *dwc_wisdom_site_path(void) {
    return DWC_SITE_WISDOM;
}

bool dwci_wisdom_find(const dwc_wisdom *w, const char *key, const char *machine,
                      void (*visit)(const dwc_record *record, void *user), void *user) {
    const dwci_slot *slot = find_slot(lock_set(w), key, machine);
    if (slot)
        visit(&slot->item->record, user);
    unlock_set(w);
    return slot;
}

bool dwci_wisdom_find_near(const dwc_wisdom *w, const char *key, const char *machine,
                           void (*visit)(const dwc_record *record, void *user), void *user) {
    const dwci_set *set = lock_set(w);
    const dwci_item *best = NULL;
    uint32_t hash = hash_of(key);
    for (int64_t i = set->count ? *chain_of(set, hash) : -1; i >= 0; i = set->slots[i].next) {
        const dwci_item *item = set->slots[i].item;
        if (set->slots[i].hash == hash && strcmp(item->record.key, key) == 0 &&
            strcmp(item->record.machine, machine) != 0 && (!best || dwci_item_compare(item, best) > 0))
            best = item;
    }
    if (best)
        visit(&best->record, user);
    unlock_set(w);
    return best;
}

static int drop_all(const dwc_record *record, void *user) {
    (void)record, (void)user;
    return 1;
}

static int drop_problem(const dwc_record *record, void *user) {
    size_t length = strlen(user);
    return strncmp(record->key, user, length) == 0 && (record->key[length] == ' ' || record->key[length] == 0);
}

void dwc_wisdom_forget(dwc_wisdom *wisdom, const dwc_problem *problem) {
    char text[DWC_PROBLEM_TEXT_MAX] = "";
    if (problem) {
        dwc_problem image = *problem;
        image.n = 1;
        dwc_problem_print(&image, text, sizeof text);
    }
    dwc_expert_records_drop(wisdom, problem ? drop_problem : drop_all, text);
}

int64_t dwc_expert_records_drop(dwc_wisdom *wisdom, int (*drop)(const dwc_record *record, void *user), void *user) {
    int64_t dropped = set_drop(lock_set(wisdom), drop, user);
    unlock_set(wisdom);
    return dropped;
}

/* ---- copies of records ---- */

static dwc_status copy_record(const dwci_item *item, dwc_record *record, dwc_error *error) {
    size_t bytes = (size_t)item->record.count * sizeof *item->record.entries;
    dwc_record_entry *entries = dwci_allocate(&dwci_default_allocator, bytes);
    if (!entries)
        return dwci_fail(error, DWC_OUT_OF_MEMORY, "record: out of memory");
    *record = item->record;
    record->entries = memcpy(entries, item->record.entries, bytes);
    return DWC_OK;
}

dwc_status dwc_expert_record_get(const dwc_wisdom *wisdom, int64_t index, dwc_record *record, dwc_error *error) {
    dwc_status status;
    if (!wisdom || !record)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", wisdom ? "record" : "wisdom");
    dwci_set *set = lock_set(wisdom);
    dwci_set_sort(set);
    if (index < 0 || index >= set->count)
        status = dwci_fail(error, DWC_INVALID_ARGUMENT, "index: %lld, but there are %lld records", (long long)index,
                           (long long)set->count);
    else
        status = copy_record(set->slots[index].item, record, error);
    unlock_set(wisdom);
    return status;
}

dwc_status dwc_expert_record_find(const dwc_wisdom *wisdom, const char *key, const char *machine, dwc_record *record,
                                  dwc_error *error) {
    dwc_status status;
    if (!wisdom || !key || !machine || !record)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer",
                         !wisdom    ? "wisdom"
                         : !key     ? "key"
                         : !machine ? "machine"
                                    : "record");
    const dwci_slot *slot = find_slot(lock_set(wisdom), key, machine);
    if (slot)
        status = copy_record(slot->item, record, error);
    else
        status = dwci_fail(error, DWC_NO_RECORD, "record: none for '%.160s'", key);
    unlock_set(wisdom);
    return status;
}

void dwc_expert_record_free(dwc_record *record) {
    if (!record)
        return;
    dwci_release(&dwci_default_allocator, record->entries);
    record->entries = NULL;
    record->count = 0;
}

dwc_status dwc_expert_record_add(dwc_wisdom *wisdom, const dwc_record *record, dwc_error *error) {
    dwci_item *item;
    if (!wisdom || !record)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", wisdom ? "record" : "wisdom");
    dwc_status status = dwci_item_of_record(record, &item, error);
    if (status != DWC_OK)
        return status;
    dwci_item_hold(item); /* until it is in the journal */
    pthread_mutex_lock(&wisdom->keeping);
    bool room = dwci_set_reserve(lock_set(wisdom), 1);
    bool added = room && dwci_set_put(&wisdom->set, item);
    unlock_set(wisdom);
    if (!room) {
        dwci_item_release(item);
        status = dwci_fail(error, DWC_OUT_OF_MEMORY, "wisdom: out of memory");
    } else if (added) {
        status = dwci_journal_append(&wisdom->journal, item, error);
        wisdom->loose |= wisdom->journal.file < 0 || wisdom->journal.stopped;
    }
    pthread_mutex_unlock(&wisdom->keeping);
    dwci_item_release(item);
    return status;
}
