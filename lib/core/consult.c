/* SPDX-License-Identifier: Apache-2.0 */
/* Looking a case up in the wisdom:
 *
 *     its own limits, this machine ──> default limits, this machine ──> the same two of another machine
 *            └── every entry of the record, best first: parameters legal? within the limits?
 *
 * A record made under the default limits serves stricter callers by its best entry that keeps to theirs. */
#include "core/consult.h"
#include "core/cost.h"
#include "core/params.h"
#include "core/registry.h"
#include "core/wisdom.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void limits_text(const dwc_plan_options *options, char *text, size_t size) {
    char error[16] = "default", workspace[24] = "any";
    if (options->max_error > 0)
        snprintf(error, sizeof error, "1e%+03d", (int)fmax(floor(log10(options->max_error)), -99));
    if (options->max_workspace == 1)
        snprintf(workspace, sizeof workspace, "none");
    else if (options->max_workspace > 1)
        snprintf(workspace, sizeof workspace, "2^%d", (int)floor(log2((double)options->max_workspace)));
    snprintf(text, size, "error=%s%s%s%s workspace=%s", error,
             options->numerics == DWC_NUMERICS_DIRECT ? "+direct" : "", options->strict_nonfinite ? "+strict" : "",
             options->bands ? "+bands" : "", workspace);
}

void dwci_consult_key(const dwci_case *c, const dwc_plan_options *options, char key[DWC_KEY_TEXT_MAX]) {
    char limits[96];
    dwc_problem image = c->problem;
    if (image.n > 1)
        image.n = 1;
    limits_text(options, limits, sizeof limits);
    const size_t length = dwc_problem_print(&image, key, DWC_KEY_TEXT_MAX);
    snprintf(key + length, DWC_KEY_TEXT_MAX - length, " %s t%d %s any %s",
             dwci_cost_from_memory(c) ? "streaming" : "resident", c->threads, c->binding ? "bound" : "free", limits);
}

static void size_text(int64_t bytes, char *text, size_t size) {
    if (bytes >> 20 && bytes % (1 << 20) == 0)
        snprintf(text, size, "%" PRId64 "M", bytes >> 20);
    else
        snprintf(text, size, "%" PRId64 "K", bytes >> 10);
}

void dwci_consult_machine(const dwc_machine *m, char text[DWC_MACHINE_TEXT_MAX]) {
    char l1[24], l2[24], l3[24];
    size_text(m->l1d_bytes, l1, sizeof l1);
    size_text(m->l2_bytes, l2, sizeof l2);
    size_text(m->l3_bytes, l3, sizeof l3);
    snprintf(text, DWC_MACHINE_TEXT_MAX, "%s-%d-%d-%s-%s-%s-%s", m->vendor, m->family, m->model, dwc_isa_name(m->isa),
             l1, l2, l3);
}

bool dwci_same_numerics(const dwci_algo *a, const dwci_params *a_params, const dwci_algo *b,
                        const dwci_params *b_params) {
    return a == b && (a->in_order || memcmp(a_params, b_params, sizeof *a_params) == 0);
}

typedef struct reader {
    dwci_acceptable acceptable;
    void *user;
    dwci_choice *choice;
    bool near; /* the record is of another machine */
} reader;

/* Takes the first acceptable entry, the fastest one, also where its kernels have changed since: newer ones are seldom
 * slower, and what lost to the older ones may have lost by far. */
static void read_record(const dwc_record *record, void *user) {
    reader *r = user;
    for (int i = 0; i < record->count && !r->choice->algo; i++) {
        const dwc_record_entry *entry = &record->entries[i];
        const dwci_algo *algo = dwci_algo_find(entry->algo);
        dwci_params params = {{0}};
        if (!algo || !algo->automatic || entry->rounds == 0 || dwci_params_parse(algo, entry->params, &params, NULL) ||
            !r->acceptable(algo, &params, r->user))
            continue;
        const bool stale = entry->revision != algo->revision;
        *r->choice = (dwci_choice){algo, params, r->near ? "machine" : stale ? "kernel" : ""};
    }
}

bool dwci_consult(const dwc_context *context, const dwci_case *c, const dwc_plan_options *options,
                  dwci_acceptable acceptable, void *user, dwci_choice *choice) {
    char key[DWC_KEY_TEXT_MAX], default_key[DWC_KEY_TEXT_MAX], machine[DWC_MACHINE_TEXT_MAX];
    const dwc_plan_options defaults = {.algo = NULL};
    if (!context->wisdom || options->ignore_wisdom)
        return false;
    dwci_consult_key(c, options, key);
    dwci_consult_key(c, &defaults, default_key);
    dwci_consult_machine(c->machine, machine);
    const char *const keys[] = {key, default_key};
    const int count = strcmp(key, default_key) ? 2 : 1;
    *choice = (dwci_choice){.algo = NULL};
    reader r = {acceptable, user, choice, false};
    for (int i = 0; i < count && !choice->algo; i++)
        dwci_wisdom_find(context->wisdom, keys[i], machine, read_record, &r);
    r.near = true;
    for (int i = 0; i < count && !choice->algo; i++)
        if (dwci_wisdom_find_near(context->wisdom, keys[i], machine, read_record, &r) && choice->algo)
            dwci_log(context, DWC_LOG_PLAN, "no record of this machine (%s), one of another is used", machine);
    return choice->algo != NULL;
}
