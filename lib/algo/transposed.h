/* SPDX-License-Identifier: Apache-2.0 */
/* NCHW problems by way of an NHWC algorithm: a block of vectors of channels of an image is transposed to pixels of the
 * accumulator's type, the inner algorithm computes it as an image of its own, and the outputs are transposed back; once
 * for each multiple of the channels. The bits are those of the inner algorithm.
 *
 *     packed: [blocks of channels][multiplier][the inner algorithm's], then room for one such filter as given */
#ifndef DWC_ALGO_TRANSPOSED_H
#define DWC_ALGO_TRANSPOSED_H

#include "algo/algo.h"

/* The functions of dwci_algo, with the inner algorithm. Its parameters are the outer one's. */
bool dwci_transposed_applicable(const dwci_algo *inner, const dwci_case *c, char *why, size_t size);
int dwci_transposed_candidates(const dwci_algo *inner, const dwci_case *c, dwci_params *list, int most);
double dwci_transposed_cost(const dwci_algo *inner, const dwci_case *c, const dwci_params *params);
bool dwci_transposed_prepare(const dwci_algo *inner, dwci_solution *s, char *why, size_t size);
void dwci_transposed_pack(const dwci_algo *inner, const dwci_solution *s, const void *filter, void *packed);
void dwci_transposed_run(const dwci_algo *inner, const dwci_solution *s, const dwci_tensors *t);

/* Defines the descriptor dwci_algo_INNER_transposed of an algorithm that is described by `text`. */
#define DWCI_TRANSPOSED(inner, inner_revision, orderly, names, text)                                                   \
    static bool applicable(const dwci_case *c, char *why, size_t size) {                                               \
        return dwci_transposed_applicable(&dwci_algo_##inner, c, why, size);                                           \
    }                                                                                                                  \
    static int candidates(const dwci_case *c, dwci_params *list, int most) {                                           \
        return dwci_transposed_candidates(&dwci_algo_##inner, c, list, most);                                          \
    }                                                                                                                  \
    static double cost(const dwci_case *c, const dwci_params *params) {                                                \
        return dwci_transposed_cost(&dwci_algo_##inner, c, params);                                                    \
    }                                                                                                                  \
    static bool prepare(dwci_solution *s, char *why, size_t size) {                                                    \
        return dwci_transposed_prepare(&dwci_algo_##inner, s, why, size);                                              \
    }                                                                                                                  \
    static void pack(const dwci_solution *s, const void *filter, void *packed) {                                       \
        dwci_transposed_pack(&dwci_algo_##inner, s, filter, packed);                                                   \
    }                                                                                                                  \
    static void run(const dwci_solution *s, const dwci_tensors *t) {                                                   \
        dwci_transposed_run(&dwci_algo_##inner, s, t);                                                                 \
    }                                                                                                                  \
    const dwci_algo dwci_algo_##inner##_transposed = {                                                                 \
        .name = #inner "_transposed",                                                                                  \
        .revision = inner_revision,                                                                                    \
        .description = text,                                                                                           \
        .automatic = true,                                                                                             \
        .in_order = orderly,                                                                                           \
        .param_names = names,                                                                                          \
        .applicable = applicable,                                                                                      \
        .candidates = candidates,                                                                                      \
        .cost = cost,                                                                                                  \
        .prepare = prepare,                                                                                            \
        .pack = pack,                                                                                                  \
        .run = run,                                                                                                    \
    };

#endif
