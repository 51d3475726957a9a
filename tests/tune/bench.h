/* SPDX-License-Identifier: Apache-2.0 */
/* A context of one thread with a wisdom of its own. */
#ifndef TUNE_BENCH_H
#define TUNE_BENCH_H

#include "dwconv.h"
#include "harness.h"

typedef struct bench {
    dwc_wisdom *wisdom;
    dwc_context *context;
} bench;

static inline bench open_bench_with(dwc_isa isa) {
    bench b;
    dwc_context_options options;
    dwc_context_options_init(&options);
    assert_int_equal(dwc_wisdom_create(&b.wisdom, NULL), DWC_OK);
    options.threads = 1;
    options.wisdom = b.wisdom;
    options.max_isa = isa;
    assert_int_equal(dwc_context_create(&options, &b.context, NULL), DWC_OK);
    return b;
}

static inline void close_bench(bench *b) {
    dwc_context_destroy(b->context);
    dwc_wisdom_destroy(b->wisdom);
}

#endif
