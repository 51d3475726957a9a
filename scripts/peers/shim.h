/* SPDX-License-Identifier: Apache-2.0 */
/* What a shim of the peers harness offers to scripts/peers/adapters.py: one convolution, made from a problem's text and
 * a filter [kh,kw,c,m], run on any input and output. ours.c and onednn.c are built as shared objects with these
 * symbols, so that both are called in the same way. */
#ifndef DWCONV_PEERS_SHIM_H
#define DWCONV_PEERS_SHIM_H

#include <stddef.h>

#define SHIM_API __attribute__((visibility("default")))

/* Version of what is measured; a static string. */
SHIM_API const char *shim_version(void);

/* 0, or 1 and why in `text`. variant: which of several legal ways (0, 1 ...). On success `text` says what was made.
 * wisdom: a file of tuning records, or NULL. cold: tensors come from memory. */
SHIM_API int shim_create(const char *problem, int variant, int threads, int cold, const char *wisdom,
                         const void *filter, void **made, char *text, size_t size);

/* 0 on success. */
SHIM_API int shim_run(void *made, const void *input, void *output);
SHIM_API void shim_destroy(void *made);

#endif
