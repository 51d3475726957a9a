/* SPDX-License-Identifier: Apache-2.0 */
/* Threads by OpenMP where the build has it, else one after another. */
#include "core/threads.h"

void dwci_parallel(int count, void (*task)(void *data, int i, int count), void *data) {
    if (count == 1) {
        task(data, 0, 1);
        return;
    }
#ifdef _OPENMP
#pragma omp parallel for num_threads(count) schedule(static, 1)
#endif
    for (int i = 0; i < count; i++)
        task(data, i, count);
}
