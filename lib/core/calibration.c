/* SPDX-License-Identifier: Apache-2.0 */
/* Calibration: what a few simple loops take on this machine, as a record among those of problems, and what that means
 * for the cost models. */
#include "core/calibration.h"
#include "core/consult.h"
#include "core/wisdom.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The loops, and what they took on the server core that most constants of the models were fitted on, an Intel one of
 * 2024. */
static const struct {
    const char *name;
    double reference_s;
} loops[DWC_CALIBRATION_LOOPS] = {
    [DWC_CALIBRATION_MULTIPLY_ADD] = {"multiply_add", 0.132e-9},
    [DWC_CALIBRATION_SECOND_CACHE] = {"second_cache", 1.3e-9},
    [DWC_CALIBRATION_LAST_CACHE] = {"last_cache", 4.5e-9},
    [DWC_CALIBRATION_MEMORY] = {"memory", 8.3e-9},
    [DWC_CALIBRATION_COLLISION] = {"collision", 0}, /* not a pace */
};

void dwci_calibration_record(const dwc_context *context, const dwc_calibration *calibration, dwc_record *record,
                             dwc_record_entry entries[DWC_CALIBRATION_LOOPS]) {
    *record = (dwc_record){.entries = entries, .complete = 1, .effort = DWC_EFFORT_MEASURE};
    snprintf(record->key, sizeof record->key, "%s", DWC_CALIBRATION_KEY);
    dwci_consult_machine(&context->machine, record->machine);
    for (int i = 0; i < DWC_CALIBRATION_LOOPS; i++) {
        const double seconds = calibration->seconds[i];
        if (seconds <= 0)
            continue;
        dwc_record_entry *e = &entries[record->count++];
        *e = (dwc_record_entry){
            .revision = DWC_CALIBRATION_REVISION, .rounds = 1, .median_s = seconds, .min_s = seconds};
        e->ratio = e->low = e->high = 1;
        snprintf(e->algo, sizeof e->algo, "%s", loops[i].name);
    }
}

static void read_calibration(const dwc_record *record, void *user) {
    dwc_calibration *calibration = user;
    for (int i = 0; i < record->count; i++)
        for (int k = 0; k < DWC_CALIBRATION_LOOPS; k++)
            if (strcmp(record->entries[i].algo, loops[k].name) == 0 &&
                record->entries[i].revision == DWC_CALIBRATION_REVISION)
                calibration->seconds[k] = record->entries[i].min_s;
}

bool dwci_calibration_find(const dwc_context *context, const dwc_wisdom *wisdom, dwc_calibration *calibration) {
    char machine[DWC_MACHINE_TEXT_MAX];
    *calibration = (dwc_calibration){{0}};
    dwci_consult_machine(&context->machine, machine);
    return dwci_wisdom_find(wisdom, DWC_CALIBRATION_KEY, machine, read_calibration, calibration) &&
           calibration->seconds[DWC_CALIBRATION_MULTIPLY_ADD] > 0 &&
           calibration->seconds[DWC_CALIBRATION_SECOND_CACHE] > 0;
}

/* How many times as long as on that core. Differences within EQUAL are noise, or less than the models are wrong by. */
static double pace_of(const dwc_calibration *c, int loop) {
    static const double EQUAL = 1.25, MOST = 8;
    const double ratio = c->seconds[loop] / loops[loop].reference_s;
    return ratio > EQUAL ? fmin(ratio / EQUAL, MOST) : ratio < 1 / EQUAL ? fmax(ratio * EQUAL, 1 / MOST) : 1;
}

/* Calibrations of other cores, for machines that have none of their own. */
#define KNOWN(multiply_add, second_cache, last_cache, memory, collision)                                               \
    {                                                                                                                  \
        .seconds = {                                                                                                   \
            [DWC_CALIBRATION_MULTIPLY_ADD] = (multiply_add),                                                           \
            [DWC_CALIBRATION_SECOND_CACHE] = (second_cache),                                                           \
            [DWC_CALIBRATION_LAST_CACHE] = (last_cache),                                                               \
            [DWC_CALIBRATION_MEMORY] = (memory),                                                                       \
            [DWC_CALIBRATION_COLLISION] = (collision)                                                                  \
        }                                                                                                              \
    }
static const struct {
    const char *vendor;
    int family, first_model, last_model;
    dwc_isa isa;
    dwc_calibration calibration;
} known[] = {
    /* Zen, a server of 2017; collisions were not measured. */
    {"AuthenticAMD", 23, 0x01, 0x2f, DWC_ISA_AVX2, KNOWN(0.412e-9, 2.62e-9, 2.87e-9, 7.06e-9, 0)},
    /* Zen 4, servers of 2022. */
    {"AuthenticAMD", 25, 0x10, 0x1f, DWC_ISA_AVX512, KNOWN(0.271e-9, 1.13e-9, 1.31e-9, 3.2e-9, 3.6e-9)},
    {"AuthenticAMD", 25, 0x10, 0x1f, DWC_ISA_AVX2, KNOWN(0.135e-9, 1.31e-9, 1.37e-9, 3.0e-9, 7.2e-9)},
};

static bool find_known(const dwc_machine *machine, dwc_calibration *calibration) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(machine->vendor, known[i].vendor) == 0 && machine->family == known[i].family &&
            machine->model >= known[i].first_model && machine->model <= known[i].last_model &&
            machine->isa == known[i].isa) {
            *calibration = known[i].calibration;
            return true;
        }
    return false;
}

dwci_pace dwci_calibration_pace(const dwc_context *context) {
    static const double HARMLESS_S = 2e-9; /* the models' constants count about 0.8e-9 */
    dwci_pace pace = {1, 1, 1, 1, 0};
    dwc_calibration c;
    if (!(context->wisdom && dwci_calibration_find(context, context->wisdom, &c)) && !find_known(&context->machine, &c))
        return pace;
    const bool far = c.seconds[DWC_CALIBRATION_LAST_CACHE] > 0, memory = c.seconds[DWC_CALIBRATION_MEMORY] > 0;
    const double collision = c.seconds[DWC_CALIBRATION_COLLISION];
    pace.arithmetic = pace_of(&c, DWC_CALIBRATION_MULTIPLY_ADD);
    pace.near = pace_of(&c, DWC_CALIBRATION_SECOND_CACHE);
    pace.far = pace_of(&c, far ? DWC_CALIBRATION_LAST_CACHE : DWC_CALIBRATION_SECOND_CACHE);
    pace.collision_ns = collision > HARMLESS_S ? 1e9 * collision : 0;
    pace.memory = memory ? pace_of(&c, DWC_CALIBRATION_MEMORY) : pace.far;
    if (!far)
        pace.far = sqrt(pace.near * pace.memory);
    return pace;
}
