/* SPDX-License-Identifier: Apache-2.0 */
/* What algorithms of minimal filtering share: packed filters, and units of work, equal shares for the threads:
 *
 *     images x phases of rows x vectors of input channels x bands of rows */
#ifndef DWC_ALGO_MINIMAL_FILTERING_H
#define DWC_ALGO_MINIMAL_FILTERING_H

#include "algo/algo.h"
#include "kern/winograd.h"

/* A way to do it for one case. */
typedef struct dwci_minimal {
    const dwci_winograd_kernel *kernel;
    int64_t rows;     /* outputs of a band; tiles begin at its first row */
    int64_t columns;  /* see dwci_winograd_args */
    int64_t scratch;  /* vectors, of a thread */
    int64_t copies;   /* of the filter, see kern.h */
    int64_t elements; /* of the transformed filter of a channel */
    /* Writes (dwci_minimal_put) these of an output channel from `at` on, a vector apart. False if one of them is not
     * finite. g: the matrix G (winograd.h) of the kernel. */
    bool (*transform)(const dwci_solution *s, double (*g)[DWCI_WINOGRAD_MOST_TAPS], const void *filter, int64_t channel,
                      void *to, int64_t at);
} dwci_minimal;

/* The instance for m outputs and `taps` taps; NULL if the list has none. */
const dwci_winograd_kernel *dwci_minimal_find(const dwci_winograd_kernel *list, int m, int taps);

/* Has the image or the output fewer columns (or rows) than the kernel? Then some may meet small taps only, and no bound
 * holds (see the `error` of an instance). */
static inline bool dwci_minimal_is_narrow(int64_t inputs, int64_t outputs, int64_t dilation, int64_t taps) {
    return (inputs - 1) / dilation < taps - 1 || (outputs - 1) / dilation < taps - 1;
}

/* Rounds a value to the accumulator's type, at a place of a packed filter. False if it is not finite there. */
bool dwci_minimal_put(const dwci_case *c, void *packed, int64_t index, double value);

/* Nanoseconds, by fits on a server core with AVX-512: of a line read or written beyond the first cache, and what comes
 * on top with tensors in memory. */
double dwci_minimal_line_ns(const dwci_case *c);
double dwci_minimal_memory_ns(const dwci_case *c);

/* As dwci_algo's functions. `roundings`: unit roundoffs of the error bound beside the kernel's. */
bool dwci_minimal_prepare(dwci_solution *s, const dwci_minimal *way, double roundings, int64_t band_rows, char *why,
                          size_t size);
void dwci_minimal_pack(const dwci_solution *s, const dwci_minimal *way, const void *filter, void *packed);
void dwci_minimal_run(const dwci_solution *s, const dwci_minimal *way, const dwci_tensors *t);

#endif
