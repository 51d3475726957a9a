/* SPDX-License-Identifier: Apache-2.0 */
/* Calibration: what a few simple loops take on this machine, as a record among those of problems, and what that means
 * for the cost models. Their constants are fits on one server core; what the same loops took there stands below. */
#include "core/calibration.h"
#include "core/consult.h"
#include "core/wisdom.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { REVISION = 1 }; /* of the loops */

static const struct rate {
    const char *name;
    size_t seconds, pace; /* where they stand in dwc_calibration and dwci_pace */
    double reference_s;
} rates[DWC_CALIBRATION_ENTRIES] = {
    {"multiply_add", offsetof(dwc_calibration, multiply_add_s), offsetof(dwci_pace, arithmetic), 0.132e-9},
    {"second_cache", offsetof(dwc_calibration, second_cache_s), offsetof(dwci_pace, near), 1.3e-9},
    {"last_cache", offsetof(dwc_calibration, last_cache_s), offsetof(dwci_pace, far), 4.5e-9},
    {"memory", offsetof(dwc_calibration, memory_s), offsetof(dwci_pace, memory), 8.3e-9},
};

static double *at(void *of, size_t offset) {
    return (double *)(void *)((char *)of + offset);
}

void dwci_calibration_record(const dwc_context *context, const dwc_calibration *calibration, dwc_record *record,
                             dwc_record_entry entries[DWC_CALIBRATION_ENTRIES]) {
    dwc_calibration from = *calibration;
    *record = (dwc_record){.entries = entries, .complete = 1, .effort = DWC_EFFORT_MEASURE};
    snprintf(record->key, sizeof record->key, "%s", DWC_CALIBRATION_KEY);
    dwci_consult_machine(&context->machine, record->machine);
    for (int i = 0; i < DWC_CALIBRATION_ENTRIES; i++) {
        const double seconds = *at(&from, rates[i].seconds);
        if (seconds <= 0)
            continue;
        dwc_record_entry *e = &entries[record->count++];
        *e = (dwc_record_entry){.revision = REVISION, .rounds = 1, .median_s = seconds, .min_s = seconds};
        e->ratio = e->low = e->high = 1;
        snprintf(e->algo, sizeof e->algo, "%s", rates[i].name);
    }
}

static void read_calibration(const dwc_record *record, void *user) {
    for (int i = 0; i < record->count; i++)
        for (int k = 0; k < DWC_CALIBRATION_ENTRIES; k++)
            if (strcmp(record->entries[i].algo, rates[k].name) == 0 && record->entries[i].revision == REVISION)
                *at(user, rates[k].seconds) = record->entries[i].min_s;
}

bool dwci_calibration_find(const dwc_context *context, const dwc_wisdom *wisdom, dwc_calibration *calibration) {
    char machine[DWC_MACHINE_TEXT_MAX];
    *calibration = (dwc_calibration){0};
    dwci_consult_machine(&context->machine, machine);
    return dwci_wisdom_find(wisdom, DWC_CALIBRATION_KEY, machine, read_calibration, calibration) &&
           calibration->multiply_add_s > 0;
}

dwci_pace dwci_calibration_pace(const dwc_context *context) {
    /* What differs less is noise, or less than the models are wrong by. */
    static const double EQUAL = 1.25, MOST = 8;
    dwci_pace pace = {1, 1, 1, 1};
    dwc_calibration calibration;
    if (!context->wisdom || !dwci_calibration_find(context, context->wisdom, &calibration))
        return pace;
    for (int i = 0; i < DWC_CALIBRATION_ENTRIES; i++) {
        const double seconds = *at(&calibration, rates[i].seconds);
        const double ratio = fmin(fmax(seconds / rates[i].reference_s, 1 / MOST), MOST);
        if (seconds > 0 && (ratio > EQUAL || ratio < 1 / EQUAL))
            *at(&pace, rates[i].pace) = ratio;
    }
    return pace;
}
