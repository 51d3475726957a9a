/* SPDX-License-Identifier: Apache-2.0 */
/* Same plan, same bits: one hash of the output over
 *
 *     1, 2, 3, 4 threads · the batch in chunks of one image and of two · buffers 0, 1, 4, 16 elements off 64 bytes ·
 *     four callers of one plan at once · AVX2 and AVX-512 (which both have fused multiply-add)
 *
 * Chunks of one image also show that an image's place in the batch does not matter.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { CALLERS = 4, ALIGNMENT = 64 };

static int most_threads;   /* a plan used */
static int automatic_only; /* leave the slow reference out */

static size_t output_bytes(const dwt_case *c) {
    return (size_t)c->shape.outputs * dwc_dtype_bytes(c->problem.dtype);
}

static uint64_t hash_of(const dwt_case *c, const void *output) {
    return dwt_hash(output, output_bytes(c));
}

static void same(uint64_t got, uint64_t want, const dwt_call *call, const char *what, int64_t value) {
    if (got != want)
        dwt_fail("%s, %s: other bits with %s %" PRId64, call->algo, dwc_isa_name(call->isa), what, value);
}

static void over_threads(const dwt_case *c, dwt_call call, uint64_t want, void *output) {
    dwc_plan_info info;
    for (call.threads = 2; call.threads <= 4; call.threads++) {
        memset(output, 0xa5, output_bytes(c));
        dwt_run_case(&call, c, output, &info);
        most_threads = info.threads > most_threads ? info.threads : most_threads;
        same(hash_of(c, output), want, &call, "threads", call.threads);
    }
}

/* The batch in parts of `chunk` images, each a problem of its own. */
static void over_chunks(const dwt_case *c, dwt_call call, uint64_t want, void *output, int64_t chunk) {
    const dwc_problem *whole = &c->problem;
    size_t element = dwc_dtype_bytes(whole->dtype);
    if (whole->n == 0)
        return;
    size_t in_bytes = (size_t)(c->shape.inputs / whole->n) * element;
    size_t out_bytes = (size_t)(c->shape.outputs / whole->n) * element;
    memset(output, 0xa5, output_bytes(c));
    call.threads = 2;
    for (int64_t n = 0; n < whole->n; n += chunk) {
        dwc_problem part = *whole;
        part.n = whole->n - n < chunk ? whole->n - n : chunk;
        dwt_run(&call, &part, (char *)c->input + (size_t)n * in_bytes, c->filter, c->bias,
                (char *)output + (size_t)n * out_bytes, NULL);
    }
    same(hash_of(c, output), want, &call, "images per chunk", chunk);
}

/* A copy of the elements `offset` elements after an address that is a multiple of 64; release `*base`. */
static void *copy_at(dwc_dtype dtype, const void *from, int64_t count, int64_t offset, void **base) {
    size_t element = dwc_dtype_bytes(dtype), bytes = ((size_t)(count + offset) * element + ALIGNMENT);
    *base = aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    if (*base == NULL)
        dwt_fail("no memory");
    void *to = (char *)*base + (size_t)offset * element;
    if (from != NULL)
        memcpy(to, from, (size_t)count * element);
    return to;
}

static void over_alignments(const dwt_case *c, const dwt_call *call, uint64_t want) {
    static const int64_t offsets[] = {0, 1, 4, 16};
    dwc_dtype dtype = c->problem.dtype;
    const dwt_shape *s = &c->shape;
    for (int i = 0; i < 4; i++) {
        void *base[4];
        void *input = copy_at(dtype, c->input, s->inputs, offsets[i], &base[0]);
        void *filter = copy_at(dtype, c->filter, s->filters, offsets[(i + 1) % 4], &base[1]);
        void *bias = copy_at(dtype, c->bias, s->biases, offsets[(i + 2) % 4], &base[2]);
        void *output = copy_at(dtype, NULL, s->outputs, offsets[(i + 3) % 4], &base[3]);
        dwt_run(call, &c->problem, input, filter, bias, output, NULL);
        same(hash_of(c, output), want, call, "an input offset of elements", offsets[i]);
        for (int b = 0; b < 4; b++)
            free(base[b]);
    }
}

typedef struct caller {
    const dwc_plan *plan;
    const dwt_case *c;
    const void *packed;
    void *output, *workspace;
    dwc_status status;
    pthread_t thread;
} caller;

static void *execute(void *argument) {
    caller *me = argument;
    me->status = dwc_plan_execute(me->plan, me->c->input, me->packed, me->c->bias, me->output, me->workspace, NULL);
    return NULL;
}

/* One plan and one packed filter, executed from several threads at the same time. */
static void over_callers(const dwt_case *c, dwt_call call, uint64_t want) {
    caller callers[CALLERS];
    dwc_plan_info info;
    call.threads = 2;
    dwc_plan *plan = dwt_plan(&call, &c->problem);
    dwc_context *context = dwt_context(call.isa);
    dwc_plan_get_info(plan, &info);
    void *packed = dwc_allocate(context, info.packed_bytes);
    dwt_ok(dwc_plan_pack_filter(plan, c->filter, packed, NULL), NULL, "dwc_plan_pack_filter");
    for (int i = 0; i < CALLERS; i++) {
        void *output = dwt_elements(c->problem.dtype, c->shape.outputs);
        callers[i] = (caller){.plan = plan, .c = c, .packed = packed, .output = output};
        callers[i].workspace = dwc_allocate(context, info.workspace_bytes);
    }
    for (int i = 0; i < CALLERS; i++)
        if (pthread_create(&callers[i].thread, NULL, execute, &callers[i]) != 0)
            dwt_fail("pthread_create");
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        dwt_ok(callers[i].status, NULL, "dwc_plan_execute from several threads");
        same(hash_of(c, callers[i].output), want, &call, "concurrent caller", i);
        free(callers[i].output);
        dwc_release(context, callers[i].workspace);
    }
    dwc_release(context, packed);
    dwc_plan_destroy(plan);
}

static void check_call(const dwt_case *c, const dwt_call *call, uint64_t *hash) {
    void *output = dwt_elements(c->problem.dtype, c->shape.outputs);
    if (dwt_run_case(call, c, output, NULL)) {
        *hash = hash_of(c, output);
        over_threads(c, *call, *hash, output);
        over_chunks(c, *call, *hash, output, 1);
        over_chunks(c, *call, *hash, output, 2);
        over_alignments(c, call, *hash);
        over_callers(c, *call, *hash);
    }
    free(output);
}

static void check_problem(const dwc_problem *problem, uint64_t seed, void *user) {
    (void)user;
    dwt_case c;
    dwc_isa isas[3];
    dwc_problem batch = *problem;
    if (dwt_args.problem == NULL)
        batch.n = 5; /* chunks of 1 and 2 with a rest */
    dwt_case_init(&c, &batch, seed, DWT_REAL);
    uint64_t fma_hash = 0;
    int seen_fma = 0, isa_count = dwt_isas(isas);
    for (int i = 0; i < dwt_call_count(); i++) {
        dwt_call call = dwt_call_get(i);
        uint64_t hash = 0;
        if (automatic_only && strcmp(call.algo, "reference") == 0)
            continue;
        check_call(&c, &call, &hash);
        if (strcmp(call.algo, "direct") != 0 || call.isa < DWC_ISA_AVX2)
            continue;
        if (seen_fma++)
            same(hash, fma_hash, &call, "instruction set", call.isa);
        fma_hash = hash;
    }
    int with_auto = dwt_args.algo == NULL || strcmp(dwt_args.algo, "auto") == 0;
    for (int i = 0; i < isa_count && with_auto; i++) {
        /* Parts of a batch need not be of its class, by which "auto" may choose. */
        const dwt_call call = {"auto", isas[i], 1, seed % 2 ? DWC_CACHE_WARM : DWC_CACHE_COLD};
        uint64_t hash;
        check_call(&c, &call, &hash);
    }
    dwt_case_free(&c);
}

static void random_problems(void **state) {
    (void)state;
    dwt_for_problems(80, 40000, check_problem, NULL);
}

/* Problems with work enough that the threads asked for are used. */
static void threaded_problems(void **state) {
    (void)state;
    static const dwt_range range = {.count = 80, .least = 3000000, .most = 8000000, .one_in = 10};
    automatic_only = 1;
    most_threads = 0;
    dwt_for_range(&range, check_problem, NULL);
    automatic_only = 0;
    printf("most threads used: %d\n", most_threads);
    assert_true(most_threads == 4 || dwt_args.problem != NULL || dwt_args.algo != NULL);
}

/* Threads that begin amid the rows of an image, where algorithms that compute several rows at once must not; and, in
 * chunks of an image, threads that share its channels: of few rows, or of taps that reach as far as a large image. */
static void amid_images(void **state) {
    static const char *const texts[] = {"f32:nhwc:n5:61x40x40:k3x3:m2", "f32:nhwc:n5:61x40x40:k3x3:d2x2:m2",
                                        "f32:nhwc:n5:61x40x40:k7x7:m2", "f32:nchw:n5:61x40x40:k3x3:m2",
                                        "f32:nhwc:n5:3x160x264:k5x5",   "f32:nhwc:n5:40x40x264:k3x3:d20x20"};
    (void)state;
    if (dwt_args.problem != NULL)
        return;
    automatic_only = 1;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const dwc_problem p = dwt_problem(texts[i]);
        check_problem(&p, i, NULL);
    }
    automatic_only = 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_problems), cmocka_unit_test(threaded_problems),
                                       cmocka_unit_test(amid_images)};
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
