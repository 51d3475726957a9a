/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that may not be finite; see guarded.h. */
#include "algo/guarded.h"
#include "algo/arguments.h"
#include "algo/oracle.h"

#include <math.h>
#include <string.h>

enum { HEADER_BYTES = 64 };

static size_t given_bytes(const dwci_case *c) {
    return (size_t)c->geometry.filter_elements * c->geometry.element_bytes;
}

bool dwci_guarded_bytes(const dwci_case *c, size_t own, size_t *packed) {
    return !__builtin_add_overflow(own, HEADER_BYTES + given_bytes(c), packed) && *packed <= PTRDIFF_MAX;
}

void *dwci_guarded_pack(const dwci_case *c, const void *filter, void *packed, size_t own) {
    bool *finite = packed;
    *finite = true;
    for (int64_t i = 0; i < c->geometry.filter_elements; i++)
        *finite = *finite && isfinite(dwci_filter_at(c, filter, i));
    if (given_bytes(c) > 0)
        memcpy((char *)packed + HEADER_BYTES + own, filter, given_bytes(c));
    return (char *)packed + HEADER_BYTES;
}

void dwci_guarded_refuse(void *packed) {
    *(bool *)packed = false;
}

const void *dwci_guarded_filter(const void *packed) {
    return (const char *)packed + HEADER_BYTES;
}

bool dwci_guarded_run(const dwci_solution *s, const dwci_tensors *t, size_t own) {
    const dwci_case *c = &s->problem_case;
    const bool *finite = t->packed;
    if (*finite)
        return false;
    const void *given = (const char *)t->packed + HEADER_BYTES + own;
    const dwci_oracle oracle = {&c->problem, &c->geometry, t->input, given, t->bias};
    dwci_oracle_run(&oracle, t->output, c->binding, s->prepared.threads);
    return true;
}
