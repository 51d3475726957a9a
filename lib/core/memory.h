/* SPDX-License-Identifier: Apache-2.0 */
/* Memory aligned to a cache line from a dwc_allocator. */
#ifndef DWC_CORE_MEMORY_H
#define DWC_CORE_MEMORY_H

#include "dwconv.h"

#define DWCI_ALIGNMENT 64 /* bytes: a cache line and the widest vector */

extern const dwc_allocator dwci_default_allocator; /* the C library's */

/* NULL on failure; 0 bytes give a pointer that can be released. Release takes NULL. */
void *dwci_allocate(const dwc_allocator *allocator, size_t bytes);
void dwci_release(const dwc_allocator *allocator, void *pointer);

/* Do two ranges of bytes share one? */
static inline int dwci_overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes) {
    uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
    return a_bytes > 0 && b_bytes > 0 && (x < y ? y - x < a_bytes : x - y < b_bytes);
}

#endif
