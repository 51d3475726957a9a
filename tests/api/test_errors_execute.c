/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong pointers of dwc_plan_pack_filter and dwc_plan_execute: null where elements are needed, an output that overlaps
 * something else by one element or wholly. Nothing is written. Buffers lie in one arena:
 *
 *     | spare | output | input | packed | bias | workspace | spare |
 */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "refusal.h"

enum { SPARE = 65536 };

typedef struct bench {
    dwc_plan *plan;
    dwc_plan_info info;
    char *arena, *copy;
    size_t bytes;
    char *output, *input, *packed, *bias, *workspace;
    size_t output_bytes, input_bytes, bias_bytes;
} bench;

static size_t aligned(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static bench open_bench(const char *text, const char *algo) {
    bench b;
    dwc_problem p = dwt_problem(text);
    dwt_call call = {.algo = algo, .isa = DWC_ISA_BASELINE, .threads = 2};
    dwt_note(&p, 0, &call);
    b.plan = dwt_plan(&call, &p);
    dwc_plan_get_info(b.plan, &b.info);
    const dwc_geometry *g = &b.info.geometry;
    b.output_bytes = (size_t)g->output_elements * g->element_bytes;
    b.input_bytes = (size_t)g->input_elements * g->element_bytes;
    b.bias_bytes = (size_t)g->bias_elements * g->element_bytes;
    b.bytes = 2 * SPARE + aligned(b.output_bytes) + aligned(b.input_bytes) + aligned(b.info.packed_bytes) +
              aligned(b.bias_bytes) + aligned(b.info.workspace_bytes);
    b.arena = aligned_alloc(64, b.bytes);
    b.copy = malloc(b.bytes);
    memset(b.arena, 0, b.bytes);
    b.input = b.arena + SPARE + aligned(b.output_bytes);
    b.output = b.input - b.output_bytes; /* touches the input */
    b.packed = b.input + aligned(b.input_bytes);
    b.bias = b.packed + aligned(b.info.packed_bytes);
    b.workspace = b.bias + aligned(b.bias_bytes);
    void *filter = dwt_elements(p.dtype, g->filter_elements);
    dwt_ok(dwc_plan_pack_filter(b.plan, filter, b.packed, NULL), NULL, "dwc_plan_pack_filter");
    free(filter);
    memcpy(b.copy, b.arena, b.bytes);
    return b;
}

static void close_bench(bench *b) {
    dwc_plan_destroy(b->plan);
    free(b->arena);
    free(b->copy);
}

static void refuse(const bench *b, const char *input, const char *packed, const char *bias, char *output,
                   const char *what, const char *field) {
    dwt_refusal refusal = {what, field, NULL};
    dwc_error error = dwt_fresh_error();
    dwt_refused(dwc_plan_execute(b->plan, input, packed, bias, output, b->workspace, &error), &error,
                DWC_INVALID_ARGUMENT, &refusal);
    assert_memory_equal(b->arena, b->copy, b->bytes);
    assert_int_equal(dwc_plan_execute(b->plan, input, packed, bias, output, b->workspace, NULL), DWC_INVALID_ARGUMENT);
}

static void null_pointers(void **state) {
    (void)state;
    static const char *const algos[] = {"direct", "reference", "auto"};
    for (int i = 0; i < 3; i++) {
        bench b = open_bench("f32:nhwc:n2:9x10x4:k3x3:m2:bias", algos[i]);
        dwt_refusal filter = {"null filter", "filter", NULL}, packed = {"null packed", "packed", NULL};
        dwc_error error = dwt_fresh_error();
        dwt_refused(dwc_plan_pack_filter(b.plan, NULL, b.packed, &error), &error, DWC_INVALID_ARGUMENT, &filter);
        error = dwt_fresh_error();
        if (b.info.packed_bytes > 0)
            dwt_refused(dwc_plan_pack_filter(b.plan, b.input, NULL, &error), &error, DWC_INVALID_ARGUMENT, &packed);
        refuse(&b, NULL, b.packed, b.bias, b.output, "null input", "input");
        refuse(&b, b.input, b.packed, NULL, b.output, "null bias", "bias");
        refuse(&b, b.input, b.packed, b.bias, NULL, "null output", "output");
        if (b.info.packed_bytes > 0)
            refuse(&b, b.input, NULL, b.bias, b.output, "null packed filter", "packed");
        if (b.info.workspace_bytes > 0) {
            b.workspace = NULL;
            refuse(&b, b.input, b.packed, b.bias, b.output, "null workspace", "workspace");
        }
        close_bench(&b);
    }
}

static void overlaps(void **state) {
    (void)state;
    static const char *const texts[] = {"f32:nhwc:n2:9x10x4:k3x3:m2:bias", "f16:nchw:n1:8x8x3:k3x3:s2:bias",
                                        "f64:nhwc:n1:4x4x40:k1x1:bias"};
    for (int i = 0; i < 3; i++) {
        bench b = open_bench(texts[i], "direct");
        size_t e = b.info.geometry.element_bytes;
        const struct {
            char *start;
            size_t bytes;
            const char *name;
        } others[] = {{b.input, b.input_bytes, "input"},
                      {b.packed, b.info.packed_bytes, "packed"},
                      {b.bias, b.bias_bytes, "bias"},
                      {b.workspace, b.info.workspace_bytes, "workspace"}};
        for (size_t o = 0; o < sizeof others / sizeof *others; o++) {
            if (others[o].bytes == 0)
                continue;
            /* Which of several overlaps is named is the library's choice: only "output" is asked for. */
            refuse(&b, b.input, b.packed, b.bias, others[o].start, others[o].name, "output");
            refuse(&b, b.input, b.packed, b.bias, others[o].start + others[o].bytes - e, others[o].name, "output");
            refuse(&b, b.input, b.packed, b.bias, others[o].start - b.output_bytes + e, others[o].name, "output");
        }
        refuse(&b, b.input, b.packed, b.bias, b.input, "output = input", "input");
        close_bench(&b);
    }
}

/* The output may touch the input, and pointers that are not needed may be null. */
static void allowed(void **state) {
    (void)state;
    bench b = open_bench("f32:nhwc:n2:9x10x4:k3x3:m2:bias", "direct");
    dwc_error error = {.status = DWC_OK, .message = "untouched"};
    dwt_ok(dwc_plan_execute(b.plan, b.input, b.packed, b.bias, b.output, b.workspace, &error), &error, "neighbours");
    assert_string_equal(error.message, "untouched");
    close_bench(&b);
    b = open_bench("f32:nhwc:n2:9x10x4:k3x3:m2", "direct");
    dwt_ok(dwc_plan_execute(b.plan, b.input, b.packed, NULL, b.output, b.workspace, &error), &error, "no bias");
    close_bench(&b);
    static const char *const empty[] = {"f32:nhwc:n0:9x10x4:k3x3:bias", "f32:nchw:n2:9x10x0:k3x3:bias",
                                        "f32:nhwc:n2:0x10x4:k3x3", "f64:nhwc:n2:9x10x4:k3x3:m0"};
    for (int i = 0; i < 4; i++) {
        b = open_bench(empty[i], "direct");
        dwt_ok(dwc_plan_execute(b.plan, NULL, NULL, NULL, NULL, NULL, &error), &error, empty[i]);
        close_bench(&b);
    }
    b = open_bench("f32:nhwc:n1:0x0x4:k2x2:p1,1,1,1:bias", "direct");
    dwt_ok(dwc_plan_execute(b.plan, NULL, b.packed, b.bias, b.output, b.workspace, &error), &error, "an empty image");
    close_bench(&b);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_pointers),
        cmocka_unit_test(overlaps),
        cmocka_unit_test(allowed),
    };
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
