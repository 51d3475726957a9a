/* SPDX-License-Identifier: Apache-2.0 */
/* Threads by OpenMP where the build has it, else one after another. */
#include "core/threads.h"

void dwci_parallel(const dwci_binding *binding, int count, void (*task)(void *data, int i, int count), void *data) {
    if (count == 1) {
        task(data, 0, 1);
        return;
    }
#ifdef _OPENMP
#pragma omp parallel for num_threads(count) schedule(static, 1)
#endif
    for (int i = 0; i < count; i++) {
        void *before = binding ? dwci_binding_enter(binding, i) : NULL;
        task(data, i, count);
        if (before)
            dwci_binding_leave(binding, before);
    }
}
