/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: everything the library allocates comes through the context's allocator. */
#include "core/memory.h"

#include <stdlib.h>

static void *allocate_default(void *user, size_t alignment, size_t bytes) {
    void *pointer = NULL;
    (void)user;
    return posix_memalign(&pointer, alignment, bytes) == 0 ? pointer : NULL;
}

static void release_default(void *user, void *pointer) {
    (void)user;
    free(pointer);
}

const dwc_allocator dwci_default_allocator = {allocate_default, release_default, NULL};

void *dwci_allocate(const dwc_allocator *allocator, size_t bytes) {
    return allocator->allocate(allocator->user, DWCI_ALIGNMENT, bytes ? bytes : 1);
}

void dwci_release(const dwc_allocator *allocator, void *pointer) {
    if (pointer)
        allocator->release(allocator->user, pointer);
}
