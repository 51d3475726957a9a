/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of algos.def and isas.def as tables. */
#include "core/registry.h"

#include <string.h>

const dwci_algo *const dwci_algos[] = {
#define DWCI_ALGO(name) &dwci_algo_##name,
#include "algo/algos.def"
#undef DWCI_ALGO
};
const int dwci_algo_count = sizeof dwci_algos / sizeof *dwci_algos;

static const dwci_kern_table *const tables[] = {
#define DWC_KERN_ISA(name, flags) &dwci_kern_##name,
#include "kern/isas.def"
#undef DWC_KERN_ISA
};

const dwci_algo *dwci_algo_find(const char *name) {
    for (int i = 0; i < dwci_algo_count; i++)
        if (strcmp(dwci_algos[i]->name, name) == 0)
            return dwci_algos[i];
    return NULL;
}

const dwci_kern_table *dwci_kern_table_for(dwc_isa isa) {
    const dwci_kern_table *best = tables[0];
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (dwc_isa_parse(tables[i]->name) <= isa)
            best = tables[i];
    return best;
}

int dwc_isa_built(dwc_isa isa) {
    return isa >= DWC_ISA_BASELINE && dwc_isa_parse(dwci_kern_table_for(isa)->name) == isa;
}

int dwc_algo_count(void) {
    return dwci_algo_count;
}

dwc_algo_info dwc_algo_get(int index) {
    if (index < 0 || index >= dwci_algo_count)
        return (dwc_algo_info){"", "", 0};
    const dwci_algo *algo = dwci_algos[index];
    return (dwc_algo_info){algo->name, algo->description, algo->automatic};
}
