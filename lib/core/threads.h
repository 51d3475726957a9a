/* SPDX-License-Identifier: Apache-2.0 */
/* The thread runtime: one function, so that OpenMP (or its absence) shows nowhere else. */
#ifndef DWC_CORE_THREADS_H
#define DWC_CORE_THREADS_H

#include "core/machine.h"

#include <stdint.h>

/* Calls task(data, i, count) once for each 0 <= i < count, at most `count` at a time, and waits for all of them.
 * How many run at once is up to the runtime (one after another without OpenMP or inside a caller's parallel region); a
 * task must not depend on another. binding: task i of several runs on its core i, modulo
 * their number; NULL: anywhere. */
void dwci_parallel(const dwci_binding *binding, int count, void (*task)(void *data, int i, int count), void *data);

/* The part of 0..total that task i of count does: [*from, *to), parts in order and as equal as can be. */
static inline void dwci_share(int64_t total, int64_t i, int64_t count, int64_t *from, int64_t *to) {
    int64_t base = total / count, rest = total % count;
    *from = i * base + (i < rest ? i : rest);
    *to = *from + base + (i < rest);
}

#endif
