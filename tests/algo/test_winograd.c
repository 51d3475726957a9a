/* SPDX-License-Identifier: Apache-2.0 */
/* winograd (winograd_transposed in NCHW) and winograd_2d on problems that they take: every variant within its stated
 * bound on data of three kinds (real numbers, numbers of very uneven size, sums that cancel), and NaN no further than
 * documented. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dwconv_expert.h"
#include "harness.h"

enum { MOST = 64 };

/* Was this algorithm asked for? Was it alone? */
static int only(const char *algo) {
    return dwt_args.algo != NULL && strcmp(dwt_args.algo, algo) == 0;
}

static int wanted(const char *algo) {
    return dwt_args.algo == NULL || only(algo);
}

/* A random problem bent to what winograd takes. */
static dwc_problem bent(const dwc_problem *from, uint64_t seed) {
    dwt_rng rng = {seed ^ 0x77};
    dwc_problem p = *from;
    p.kw = dwt_chance(&rng, 2, 3) ? 3 + 2 * dwt_between(&rng, 0, 3) : dwt_between(&rng, 3, 24);
    p.kh = dwt_chance(&rng, 1, 2) && p.kw < 14 ? p.kw : dwt_between(&rng, 1, 11);
    const int square = dwt_chance(&rng, 1, 4) || only("winograd_2d"); /* what winograd_2d takes */
    if (square) {
        p.layout = DWC_NHWC;
        p.kh = p.kw = 3;
    }
    p.sh = p.sw = 1;
    p.c = dwt_between(&rng, 4, 40);
    if (dwt_chance(&rng, 1, 8)) /* pixels for which the filter has copies */
        p.c = 512 / (int64_t)dwc_dtype_bytes(p.dtype) + 16 * dwt_between(&rng, 0, 2);
    if (square && dwt_chance(&rng, 1, 4)) {
        p.m = dwt_between(&rng, 6, 40);
        p.c = dwt_between(&rng, 8, 20);
    }
    p.n = dwt_between(&rng, 1, 2);
    p.h = dwt_between(&rng, square ? 3 * p.dh : 1, 32 + (square ? 3 * p.dh : 0));
    p.w = dwt_between(&rng, p.kw * p.dw, 20 + p.kw * p.dw);
    if (p.padding == DWC_VALID) {
        p.h += (p.kh - 1) * p.dh;
        p.w += (p.kw - 1) * p.dw;
    } else if (p.padding == DWC_EXPLICIT) {
        p.pad_top += (p.kh - 1) * p.dh;
        p.pad_left += (p.kw - 1) * p.dw;
    }
    return p;
}

/* Sizes 2^-12 to 1; inputs and filters whose products nearly cancel. */
static void uneven(dwt_rng *rng, dwc_dtype dtype, void *array, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        dwt_set(dtype, array, i,
                ldexp(dwt_signed_unit(rng) < 0 ? -1 : 1, -(int)dwt_between(rng, 0, 12)) *
                    (1 + dwt_signed_unit(rng) / 4));
}

static void cancelling(dwt_rng *rng, dwt_case *c) {
    const dwc_problem *p = &c->problem;
    for (int64_t i = 0; i < c->shape.inputs; i++)
        dwt_set(p->dtype, c->input, i, 1 + dwt_signed_unit(rng) / 1024);
    for (int64_t i = 0; i < c->shape.filters; i++) {
        const int64_t column = i / (p->c * p->m) % p->kw;
        dwt_set(p->dtype, c->filter, i, column == 1 ? -2 : column == 2 ? 1 : column % 2 ? -1 : 1);
    }
}

static void run_variant(const dwt_case *c, const dwt_call *call, const char *params, void *output,
                        dwc_plan_info *info) {
    const dwc_plan_options options = {.algo = call->algo, .params = params, .threads = 1 + (int)(c->seed % 3)};
    const dwc_context *context = dwt_context(call->isa);
    dwc_plan *plan;
    dwc_error error;
    dwt_ok(dwc_plan_create(context, &c->problem, &options, &plan, &error), &error, params);
    dwc_plan_get_info(plan, info);
    void *packed = dwc_allocate(context, info->packed_bytes), *workspace = dwc_allocate(context, info->workspace_bytes);
    memset(workspace, 0xff, info->workspace_bytes);
    dwt_ok(dwc_plan_pack_filter(plan, c->filter, packed, &error), &error, params);
    dwt_ok(dwc_plan_execute(plan, c->input, packed, c->bias, output, workspace, &error), &error, params);
    dwc_release(context, packed);
    dwc_release(context, workspace);
    dwc_plan_destroy(plan);
}

typedef struct worst {
    char name[16];
    double part; /* of the bound */
} worst;
static worst worst_of[MOST];

static void note_error(const dwt_case *c, const dwc_plan_info *info, const void *output) {
    double error = 0;
    if (c->problem.dtype != DWC_F32 && c->problem.dtype != DWC_F64)
        return;
    if (c->problem.activation != DWC_NO_ACTIVATION)
        return;
    for (int64_t i = 0; i < c->shape.outputs; i++)
        error = fmax(error, fabs(dwt_get(c->problem.dtype, output, i) - (double)c->expected.exact[i]));
    int at = 0;
    while (at < MOST - 1 && worst_of[at].name[0] && strcmp(worst_of[at].name, info->kernel) != 0)
        at++;
    snprintf(worst_of[at].name, sizeof worst_of[at].name, "%s", info->kernel);
    worst_of[at].part =
        fmax(worst_of[at].part, c->expected.max_sum > 0 ? error / c->expected.max_sum / info->error_bound : 0);
}

/* All candidates of an algorithm; it must have some where it `takes` the problem. */
static void check_variants(const dwt_case *c, const dwt_call *call, int takes, char *output, int64_t *runs) {
    char params[MOST][DWC_PARAMS_TEXT_MAX];
    dwt_note(&c->problem, c->seed, call);
    const int variants = dwc_expert_candidates(dwt_context(call->isa), &c->problem,
                                               &(dwc_plan_options){.algo = call->algo}, params, MOST);
    if (takes && variants <= 0)
        dwt_fail("no candidates");
    for (int v = 0; v < variants; v++, ++*runs) {
        dwc_plan_info info;
        memset(output, 0xa5, (size_t)c->shape.outputs * dwc_dtype_bytes(c->problem.dtype));
        run_variant(c, call, params[v], output, &info);
        dwt_check(c, call, dwt_rule_for(&info, 0), output);
        note_error(c, &info, output);
    }
}

static void check_case(const dwt_case *c, int64_t *runs) {
    const dwc_problem *p = &c->problem;
    dwc_isa isas[3];
    const int64_t element = (int64_t)dwc_dtype_bytes(p->dtype);
    char *memory = dwt_elements(p->dtype, c->shape.outputs + 64 / element);
    char *output = memory + (size_t)(16 * (c->seed % 4)); /* anywhere in a line */
    const int nhwc = p->layout == DWC_NHWC, wide = p->c >= 16;
    const int high = (p->h - 1) / p->dh >= p->kh - 1 && (c->shape.oh - 1) / p->dh >= p->kh - 1;
    for (int i = 0, count = dwt_isas(isas); i < count; i++) {
        const dwt_call rows = {.algo = nhwc ? "winograd" : "winograd_transposed", .isa = isas[i], .threads = 1},
                       both = {.algo = "winograd_2d", .isa = isas[i], .threads = 1};
        if (wanted(rows.algo))
            check_variants(c, &rows, wide, output, runs);
        if (wanted(both.algo))
            check_variants(c, &both, wide && nhwc && high && p->kh == 3 && p->kw == 3, output, runs);
    }
    free(memory);
}

static void check_problem(const dwc_problem *problem, uint64_t seed, void *user) {
    const dwc_problem p = dwt_args.problem ? *problem : bent(problem, seed);
    dwt_case c;
    dwt_rng rng = {seed};
    dwt_case_init(&c, &p, seed, DWT_REAL);
    check_case(&c, user);
    uneven(&rng, p.dtype, c.input, c.shape.inputs);
    uneven(&rng, p.dtype, c.filter, c.shape.filters);
    dwt_case_expect(&c);
    check_case(&c, user);
    cancelling(&rng, &c);
    dwt_case_expect(&c);
    check_case(&c, user);
    dwt_case_free(&c);
}

static void within_bound(void **state) {
    (void)state;
    int64_t runs = 0;
    const dwt_range range = {.count = 60, .most = 200000};
    dwt_for_range(&range, check_problem, &runs);
    printf("%" PRId64 " runs; largest error as a part of the bound:", runs);
    for (int i = 0; i < MOST && worst_of[i].name[0]; i++)
        printf(" %s %.2f", worst_of[i].name, worst_of[i].part);
    printf("\n");
    assert_true(runs > 0);
}

/* A NaN stays in the tiles whose inputs contain it: m columns, and where `square` as many rows, else one. */
static void nan_spreads_no_further(const char *algo, const char *text, int square, int least) {
    dwt_case c;
    const dwc_problem p = dwt_problem(text);
    char params[MOST][DWC_PARAMS_TEXT_MAX];
    dwc_isa isas[3];
    enum { Y = 6, X = 11, CHANNEL = 20 };
    dwt_case_init(&c, &p, 1, DWT_REAL);
    dwt_set(p.dtype, c.input, ((p.h + Y) * p.w + X) * p.c + CHANNEL, NAN); /* of image 1 */
    dwt_case_expect(&c);
    float *output = dwt_elements(p.dtype, c.shape.outputs);
    for (int i = 0, isa_count = dwt_isas(isas); i < isa_count; i++) {
        const dwt_call call = {.algo = algo, .isa = isas[i], .threads = 1};
        const int variants =
            dwc_expert_candidates(dwt_context(isas[i]), &p, &(dwc_plan_options){.algo = algo}, params, MOST);
        assert_true(variants >= least);
        for (int v = 0; v < variants; v++) {
            dwc_plan_info info;
            int m, spread = 0;
            run_variant(&c, &call, params[v], output, &info);
            assert_true(info.spreads_nonfinite);
            assert_int_equal(sscanf(params[v], "outputs=%d,", &m), 1);
            for (int64_t at = 0; at < c.shape.outputs; at++) {
                const int64_t channel = at % 66, x = at / 66 % p.w, y = at / 66 / p.w % p.h, n = at / 66 / p.w / p.h;
                const int64_t rows = square ? m : 1, left = x / m * m - p.kw / 2, top = y / rows * rows - p.kh / 2;
                if (isnan(c.expected.exact[at]) && !isnan(output[at]))
                    dwt_fail("%s: output %" PRId64 " must be NaN", params[v], at);
                if (!isnan(output[at]))
                    continue;
                spread += !isnan(c.expected.exact[at]);
                if (n != 1 || channel / 2 != CHANNEL || left > X || left + m + p.kw - 1 <= X || top > Y ||
                    top + rows + p.kh - 1 <= Y)
                    dwt_fail("%s: NaN at row %" PRId64 ", column %" PRId64 ", channel %" PRId64, params[v], y, x,
                             channel);
            }
            assert_true(m == 2 || spread > 0); /* else the control is void */
        }
    }
    free(output);
    dwt_case_free(&c);
}

static void nan_spreads_in_tiles_only(void **state) {
    (void)state;
    nan_spreads_no_further("winograd", "f32:nhwc:n2:15x21x33:k3x5:m2", 0, 4);
    nan_spreads_no_further("winograd_2d", "f32:nhwc:n2:15x21x33:k3x3:m2", 1, 4);
}

/* Filters whose transform overflows take the way of the definition; inputs near overflow may give NaN or infinity,
 * which the verification knows. */
static void large_numbers(void **state) {
    (void)state;
    dwt_case c;
    const dwc_problem p = dwt_problem("f32:nhwc:n1:9x9x16:k3");
    dwt_case_init(&c, &p, 1, DWT_REAL);
    for (int64_t i = 0; i < c.shape.inputs; i++)
        dwt_set(p.dtype, c.input, i, ldexp(dwt_get(p.dtype, c.input, i), -100));
    for (int64_t i = 0; i < c.shape.filters; i++)
        dwt_set(p.dtype, c.filter, i, 3e38);
    dwt_case_expect(&c);
    int64_t runs = 0;
    check_case(&c, &runs);
    assert_true(runs > 0 || only("winograd_transposed"));
    for (int64_t i = 0; i < c.shape.inputs; i++)
        dwt_set(p.dtype, c.input, i, i % 2 ? 3e38 : -3e38);
    for (int64_t i = 0; i < c.shape.filters; i++)
        dwt_set(p.dtype, c.filter, i, 1e-30);
    float *output = dwt_elements(p.dtype, c.shape.outputs);
    for (int i = 0; i < 2; i++) {
        const dwt_call call = {.algo = i ? "winograd_2d" : "winograd", .isa = DWC_ISA_AVX512, .threads = 1};
        dwc_verification v;
        dwc_plan_info info;
        dwc_plan *plan;
        dwt_ok(dwc_plan_create(dwt_context(call.isa), &p, &(dwc_plan_options){.algo = call.algo}, &plan, NULL), NULL,
               "dwc_plan_create");
        dwc_plan_get_info(plan, &info);
        run_variant(&c, &call, info.params, output, &info);
        dwt_ok(dwc_plan_verify(plan, c.input, c.filter, NULL, output, &v, NULL), NULL, "dwc_plan_verify");
        assert_true(v.passed);
        dwc_plan_destroy(plan);
    }
    free(output);
    dwt_case_free(&c);
}

/* No channels of output: nothing to do, soon done. */
static void empty_filter(void **state) {
    (void)state;
    const dwc_problem p = dwt_problem("f32:nhwc:n0:3x3x1152921504606846976:k3:m0");
    for (int k = 0; k < dwt_call_count(); k++) {
        const dwt_call call = dwt_call_get(k);
        dwt_note(&p, 0, &call);
        dwt_run(&call, &p, NULL, NULL, NULL, NULL, NULL);
    }
}

/* A filter that is not finite: the definition, taps in padding skipped. */
static void filter_not_finite(void **state) {
    (void)state;
    dwt_case c;
    const dwc_problem p = dwt_problem("f32:nhwc:n1:9x9x17:k3:m2:bias");
    dwt_case_init(&c, &p, 1, DWT_REAL);
    dwt_set(p.dtype, c.filter, 5, INFINITY);
    dwt_set(p.dtype, c.filter, c.shape.filters - 3, NAN);
    dwt_case_expect(&c);
    int64_t runs = 0;
    check_case(&c, &runs);
    assert_true(runs > 0 || only("winograd_transposed"));
    dwt_case_free(&c);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(within_bound), cmocka_unit_test(nan_spreads_in_tiles_only),
                                       cmocka_unit_test(filter_not_finite), cmocka_unit_test(large_numbers),
                                       cmocka_unit_test(empty_filter)};
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
