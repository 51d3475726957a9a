/* SPDX-License-Identifier: Apache-2.0 */
/* Writing down what a contest found, see race_record.h. */
#include "race_record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Those that raced before those that only qualified, those that did not run last; each by ratio. */
static int by_ratio(const void *a, const void *b) {
    const dwc_record_entry *x = a, *y = b;
    if ((x->rounds == 0) != (y->rounds == 0))
        return (x->rounds == 0) - (y->rounds == 0);
    return (x->ratio > y->ratio) - (x->ratio < y->ratio);
}

static dwc_record_entry entry_of(const dwct_contest *c, int i) {
    const dwct_candidate *candidate = &c->search.list[i];
    const dwct_entrant *e = &c->entrants[i], *choice = &c->entrants[c->choice];
    dwc_record_entry entry = {.revision = dwc_expert_revision(candidate->algo),
                              .model_s = candidate->model_s,
                              .max_err = fmin(e->max_err, 1e300), /* of a wrong output it may be anything */
                              .workspace_bytes = (int64_t)e->runner.info.workspace_bytes};
    snprintf(entry.algo, sizeof entry.algo, "%s", candidate->algo);
    snprintf(entry.params, sizeof entry.params, "%s", candidate->params);
    if (e->result.rounds > 0) {
        entry.rounds = e->result.rounds;
        entry.ratio = e->result.ratio, entry.low = e->result.low, entry.high = e->result.high;
        entry.median_s = e->result.median_s, entry.min_s = e->result.min_s;
    } else if (e->qualified) { /* hopeless, or no time for more */
        entry.rounds = 1;
        entry.median_s = entry.min_s = e->qualified_s;
        entry.ratio = entry.low = entry.high = e->qualified_s / choice->qualified_s;
    }
    return entry;
}

static const dwc_record_entry *find(const dwc_record *r, const char *algo, const char *params) {
    for (int i = 0; i < r->count; i++)
        if (strcmp(r->entries[i].algo, algo) == 0 && strcmp(r->entries[i].params, params) == 0)
            return &r->entries[i];
    return NULL;
}

/* Entries of an old record that were not raced again: their ratios were to a choice that was. */
static void keep_old(dwc_record *record, const dwc_record *old) {
    double scale = 0;
    for (int i = 0; i < old->count && scale == 0; i++) {
        const dwc_record_entry *again = find(record, old->entries[i].algo, old->entries[i].params);
        if (again && again->rounds > 0 && again->revision == old->entries[i].revision)
            scale = again->ratio / old->entries[i].ratio;
    }
    for (int i = 0; i < old->count && scale > 0; i++)
        if (!find(record, old->entries[i].algo, old->entries[i].params)) {
            dwc_record_entry *e = &record->entries[record->count++];
            *e = old->entries[i];
            e->ratio *= scale, e->low *= scale, e->high *= scale;
        }
}

void dwct_record_stamp(dwc_record *record) {
    const time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(record->date, sizeof record->date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (gethostname(record->host, sizeof record->host - 1))
        snprintf(record->host, sizeof record->host, "unknown");
    snprintf(record->library, sizeof record->library, "%s", dwc_version());
}

dwc_status dwct_record_fill(dwc_record *record, const dwct_contest *c, const dwc_record *old, dwc_error *error) {
    const int most = c->search.count + (old ? old->count : 0);
    record->entries = dwc_allocate(c->context, (size_t)most * sizeof *record->entries);
    if (!record->entries)
        return dwct_no_memory(error, most * (int64_t)sizeof *record->entries);
    record->complete = c->outcome.complete;
    record->tie = c->outcome.tie;
    record->rounds = c->outcome.rounds;
    record->tried = c->search.count;
    record->legal = c->search.legal;
    record->count = 0;
    for (int i = 0; i < c->search.count; i++) {
        const int at = i == 0 ? c->choice : i == c->choice ? 0 : i; /* the choice comes first */
        record->entries[record->count++] = entry_of(c, at);
    }
    record->default_ratio = c->search.model_choice >= 0 && c->entrants[c->search.model_choice].right
                                ? entry_of(c, c->search.model_choice).ratio
                                : 0;
    if (old)
        keep_old(record, old);
    qsort(record->entries + 1, (size_t)record->count - 1, sizeof *record->entries, by_ratio);
    dwct_record_stamp(record);
    return DWC_OK;
}
