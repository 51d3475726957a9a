/* SPDX-License-Identifier: Apache-2.0 */
/* TensorFlow's own test configurations (tests/data/tf_cases.json) through the one-call form and by each algorithm, in
 * every element type and both layouts: sizes, resolved pads, sampled values, hand-computed values. Sections of the
 * file:
 *
 *     suites            sampled values under TensorFlow's tolerances
 *     hand_values       small arrays with exact results
 *     separable         depthwise then pointwise
 *     shape_inference, size_boundaries     output sizes and pads only
 */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "tf_call.h"

static json_t *root;
static char id[160]; /* of the case that runs, for messages */

static json_t *need(json_t *object, const char *key) {
    json_t *value = json_object_get(object, key);
    if (value == NULL)
        dwt_fail("%s: no \"%s\" in the data file", id, key);
    return value;
}

static int64_t whole(json_t *array, size_t index) {
    return json_integer_value(json_array_get(array, index));
}

static double number(json_t *array, size_t index) {
    return json_number_value(json_array_get(array, index));
}

static dwc_padding padding_of(json_t *object) {
    const char *name = json_string_value(need(object, "padding"));
    return strcmp(name, "SAME") == 0 ? DWC_SAME : strcmp(name, "VALID") == 0 ? DWC_VALID : DWC_EXPLICIT;
}

static void set_pads(dwc_problem *p, json_t *pads) {
    if (p->padding != DWC_EXPLICIT)
        return;
    p->pad_top = whole(pads, 0);
    p->pad_bottom = whole(pads, 1);
    p->pad_left = whole(pads, 2);
    p->pad_right = whole(pads, 3);
}

static dwc_problem problem_of(json_t *entry, dwc_dtype dtype, dwc_layout layout) {
    json_t *input = need(entry, "input_nhwc"), *filter = need(entry, "filter_hwcm");
    json_t *strides = need(entry, "strides_hw"), *dilations = need(entry, "dilations_hw");
    dwc_problem p;
    dwc_problem_init(&p);
    p.dtype = dtype;
    p.layout = layout;
    p.n = whole(input, 0);
    p.h = whole(input, 1);
    p.w = whole(input, 2);
    p.c = whole(input, 3);
    p.kh = whole(filter, 0);
    p.kw = whole(filter, 1);
    p.m = whole(filter, 3);
    p.sh = whole(strides, 0);
    p.sw = whole(strides, 1);
    p.dh = whole(dilations, 0);
    p.dw = whole(dilations, 1);
    p.padding = padding_of(entry);
    set_pads(&p, need(entry, "pads_tblr"));
    return p;
}

static void check_pads(const dwc_geometry *g, json_t *pads) {
    int64_t got[4] = {g->pad_top, g->pad_bottom, g->pad_left, g->pad_right};
    for (size_t i = 0; i < 4; i++)
        if (got[i] != whole(pads, i))
            dwt_fail("%s: pad %zu (top, bottom, left, right): got %" PRId64 ", expected %" PRId64, id, i, got[i],
                     whole(pads, i));
}

static dwc_geometry check_shape(const dwc_problem *p, json_t *shape_nhwc, json_t *pads) {
    dwc_geometry g;
    dwc_error error;
    dwt_note(p, 0, NULL);
    dwt_ok(dwc_problem_geometry(p, &g, &error), &error, id);
    int64_t got[4] = {p->n, g.oh, g.ow, g.oc};
    for (size_t i = 0; i < 4; i++)
        if (got[i] != whole(shape_nhwc, i))
            dwt_fail("%s: output size %zu: got %" PRId64 ", expected %" PRId64, id, i, got[i], whole(shape_nhwc, i));
    check_pads(&g, pads);
    return g;
}

/* ---- tensors filled from NHWC values ---- */

typedef struct tensors {
    dwc_problem problem;
    dwc_geometry geometry;
    void *input, *filter, *output;
    double error; /* that the algorithm in use may make, relative to the largest value; 0 where it sums the products */
} tensors;

typedef double (*value_fn)(int64_t index, int64_t total, void *user);

static double unit(int64_t index, int64_t total, void *first) {
    return (double)(index + *(int *)first) / (double)total;
}

static double halves(int64_t index, int64_t total, void *user) {
    (void)total;
    (void)user;
    return 0.5 * (double)(index + 1);
}

static double listed(int64_t index, int64_t total, void *user) {
    (void)total;
    return number(user, (size_t)index);
}

static tensors make_tensors(const dwc_problem *p, const dwc_geometry *g, value_fn input, void *input_user,
                            value_fn filter, void *filter_user) {
    tensors t = {.problem = *p, .geometry = *g};
    t.input = dwt_elements(p->dtype, g->input_elements);
    t.filter = dwt_elements(p->dtype, g->filter_elements);
    t.output = dwt_elements(p->dtype, g->output_elements);
    for (int64_t e = 0; e < g->input_elements; e++) {
        int64_t k = e % p->c, x = e / p->c % p->w, y = e / p->c / p->w % p->h, n = e / p->c / p->w / p->h;
        dwt_set(p->dtype, t.input, dwt_index(p->layout, p->h, p->w, p->c, n, y, x, k),
                input(e, g->input_elements, input_user));
    }
    for (int64_t e = 0; e < g->filter_elements; e++)
        dwt_set(p->dtype, t.filter, e, filter(e, g->filter_elements, filter_user));
    return t;
}

static void free_tensors(tensors *t) {
    free(t->input);
    free(t->filter);
    free(t->output);
}

static double output_value(const tensors *t, int64_t n, int64_t i, int64_t j, int64_t channel) {
    const dwc_geometry *g = &t->geometry;
    return dwt_get(t->problem.dtype, t->output, dwt_index(t->problem.layout, g->oh, g->ow, g->oc, n, i, j, channel));
}

typedef void (*output_fn)(const tensors *t, json_t *entry, json_t *suite);

/* The one-call form first (call NULL), then every algorithm under every instruction-set cap. */
static void for_each_call(tensors *t, output_fn check, json_t *entry, json_t *suite) {
    size_t bytes = (size_t)t->geometry.output_elements * t->geometry.element_bytes;
    dwc_error error;
    t->error = 0;
    memset(t->output, 0xa5, bytes);
    dwt_ok(dwt_one_call(&t->problem, t->input, t->filter, t->output, &error), &error, id);
    check(t, entry, suite);
    for (int i = 0; i < dwt_call_count(); i++) {
        dwt_call call = dwt_call_get(i);
        dwt_note(&t->problem, 0, &call);
        call.threads = 2;
        memset(t->output, 0xa5, bytes);
        dwc_plan_info info;
        if (!dwt_run(&call, &t->problem, t->input, t->filter, NULL, t->output, &info))
            continue;
        t->error = dwt_sums_products(call.algo) ? 0 : info.error_bound + dwt_unit_roundoff(t->problem.dtype);
        check(t, entry, suite);
    }
}

/* ---- suites ---- */

static void check_samples(const tensors *t, json_t *entry, json_t *suite) {
    json_t *tolerances = need(need(root, "tolerances"), json_string_value(need(suite, "tolerance")));
    double tolerance = json_number_value(need(tolerances, dwc_dtype_name(t->problem.dtype)));
    json_t *samples = need(entry, "samples"), *sample;
    size_t index;
    json_array_foreach(samples, index, sample) {
        double want = number(sample, 4);
        double got = output_value(t, whole(sample, 0), whole(sample, 1), whole(sample, 2), whole(sample, 3));
        if (!(fabs(got - want) <= tolerance + tolerance * fabs(want)))
            dwt_fail("%s: sample %zu: got %.17g, expected %.17g, tolerance %g", id, index, got, want, tolerance);
    }
}

static void run_suite_case(json_t *entry, json_t *suite, dwc_dtype dtype, dwc_layout layout) {
    snprintf(id, sizeof id, "%s %" JSON_INTEGER_FORMAT " %s %s", json_string_value(need(suite, "suite")),
             json_integer_value(need(entry, "id")), dwc_dtype_name(dtype), dwc_layout_name(layout));
    dwc_problem p = problem_of(entry, dtype, layout);
    dwc_geometry g = check_shape(&p, need(entry, "output_nhwc"), need(entry, "pads_tblr"));
    int first = strcmp(json_string_value(need(entry, "fill")), "unit") == 0;
    tensors t = make_tensors(&p, &g, unit, &first, unit, &first);
    for_each_call(&t, check_samples, entry, suite);
    free_tensors(&t);
}

static void suites(void **state) {
    (void)state;
    json_t *suite, *entry;
    size_t s, c;
    int64_t runs = 0;
    json_array_foreach(need(root, "suites"), s, suite) {
        json_array_foreach(need(suite, "cases"), c, entry) {
            for (int i = 0; i < 2 * DWT_DTYPE_COUNT; i++, runs++)
                run_suite_case(entry, suite, dwt_dtypes[i / 2], i % 2 ? DWC_NCHW : DWC_NHWC);
        }
    }
    printf("%" PRId64 " cases\n", runs);
    assert_true(runs > 0);
}

/* ---- values ---- */

static void check_hand_values(const tensors *t, json_t *entry, json_t *suite) {
    (void)suite;
    const dwc_geometry *g = &t->geometry;
    json_t *expected = need(entry, "expected");
    for (int64_t e = 0; e < g->output_elements; e++) {
        int64_t k = e % g->oc, j = e / g->oc % g->ow, i = e / g->oc / g->ow % g->oh, n = e / g->oc / g->ow / g->oh;
        double want = dwt_round(t->problem.dtype, number(expected, (size_t)e)), got = output_value(t, n, i, j, k);
        if (!(fabs(got - want) <= t->error * 1000)) /* the values are below 1000 */
            dwt_fail("%s: element %" PRId64 ": got %.17g, expected %.17g", id, e, got, want);
    }
}

static void hand_values(void **state) {
    (void)state;
    json_t *entry;
    size_t index;
    json_array_foreach(need(root, "hand_values"), index, entry) {
        for (int i = 0; i < 2 * DWT_DTYPE_COUNT; i++) {
            dwc_problem p = problem_of(entry, dwt_dtypes[i / 2], i % 2 ? DWC_NCHW : DWC_NHWC);
            snprintf(id, sizeof id, "%s %s %s", json_string_value(need(entry, "name")), dwc_dtype_name(p.dtype),
                     dwc_layout_name(p.layout));
            dwc_geometry g = check_shape(&p, need(entry, "expected_shape"), need(entry, "pads_tblr"));
            tensors t = make_tensors(&p, &g, listed, need(entry, "x"), listed, need(entry, "f"));
            for_each_call(&t, check_hand_values, entry, NULL);
            free_tensors(&t);
        }
    }
}

static void check_separable(const tensors *t, json_t *entry, json_t *suite) {
    (void)suite;
    const dwc_geometry *g = &t->geometry;
    int64_t outputs = json_integer_value(need(entry, "pointwise_outputs"));
    json_t *expected = need(entry, "expected");
    for (size_t e = 0; e < json_array_size(expected); e++) {
        int64_t place = (int64_t)e / outputs, o = (int64_t)e % outputs;
        double sum = 0;
        for (int64_t k = 0; k < g->oc; k++)
            sum += output_value(t, 0, place / g->ow, place % g->ow, k) * halves(k * outputs + o, 0, NULL);
        if (sum != number(expected, e)) /* halves: exact in f32 and f64 */
            dwt_fail("%s: element %zu: got %.17g, expected %.17g", id, e, sum, number(expected, e));
    }
}

static void separable(void **state) {
    (void)state;
    json_t *entry;
    size_t index;
    json_array_foreach(need(root, "separable"), index, entry) {
        for (int i = 0; i < 4; i++) {
            dwc_problem p = problem_of(entry, i / 2 ? DWC_F64 : DWC_F32, i % 2 ? DWC_NCHW : DWC_NHWC);
            dwc_geometry g;
            snprintf(id, sizeof id, "%s", json_string_value(need(entry, "name")));
            dwt_ok(dwc_problem_geometry(&p, &g, NULL), NULL, id);
            tensors t = make_tensors(&p, &g, halves, NULL, halves, NULL);
            for_each_call(&t, check_separable, entry, NULL);
            free_tensors(&t);
        }
    }
}

/* ---- sizes ---- */

static void shape_inference(void **state) {
    (void)state;
    json_t *entry;
    size_t index;
    json_array_foreach(need(need(root, "shape_inference"), "cases"), index, entry) {
        json_t *in = need(entry, "in_hw"), *k = need(entry, "k_hw"), *strides = need(entry, "strides_hw");
        json_t *dilations = need(entry, "dilations_hw"), *out = need(entry, "out_hw");
        dwc_problem p;
        dwc_geometry g;
        dwc_problem_init(&p);
        snprintf(id, sizeof id, "shape_inference %zu", index);
        p.layout = index % 2 ? DWC_NCHW : DWC_NHWC;
        p.h = whole(in, 0), p.w = whole(in, 1), p.kh = whole(k, 0), p.kw = whole(k, 1);
        p.sh = whole(strides, 0), p.sw = whole(strides, 1), p.dh = whole(dilations, 0), p.dw = whole(dilations, 1);
        p.padding = padding_of(entry);
        set_pads(&p, need(entry, "pads_tblr"));
        dwt_note(&p, 0, NULL);
        dwt_ok(dwc_problem_geometry(&p, &g, NULL), NULL, id);
        check_pads(&g, need(entry, "pads_tblr"));
        if (g.oh != whole(out, 0) || g.ow != whole(out, 1))
            dwt_fail("%s: output %" PRId64 "x%" PRId64 ", expected %" PRId64 "x%" PRId64, id, g.oh, g.ow, whole(out, 0),
                     whole(out, 1));
    }
}

static void size_boundaries(void **state) {
    (void)state;
    json_t *entry;
    size_t index;
    json_array_foreach(need(root, "size_boundaries"), index, entry) {
        dwc_problem p;
        dwc_geometry g;
        dwc_problem_init(&p);
        snprintf(id, sizeof id, "size_boundaries %zu", index);
        p.h = json_integer_value(need(entry, "in"));
        p.kh = json_integer_value(need(entry, "k"));
        p.sh = json_integer_value(need(entry, "stride"));
        p.dh = json_integer_value(need(entry, "dilation"));
        p.padding = padding_of(entry);
        dwt_note(&p, 0, NULL);
        dwc_status status = dwc_problem_geometry(&p, &g, NULL);
        if (json_is_true(json_object_get(entry, "refused"))) {
            if (status != DWC_INVALID_ARGUMENT)
                dwt_fail("%s: %s, expected DWC_INVALID_ARGUMENT", id, dwc_status_name(status));
            continue;
        }
        dwt_ok(status, NULL, id);
        json_t *pads = need(entry, "pads");
        if (g.oh != json_integer_value(need(entry, "out")) || g.pad_top != whole(pads, 0) ||
            g.pad_bottom != whole(pads, 1))
            dwt_fail("%s: output %" PRId64 " with pads %" PRId64 ",%" PRId64 ", expected %" JSON_INTEGER_FORMAT
                     " with %" PRId64 ",%" PRId64,
                     id, g.oh, g.pad_top, g.pad_bottom, json_integer_value(need(entry, "out")), whole(pads, 0),
                     whole(pads, 1));
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suites),          cmocka_unit_test(hand_values),     cmocka_unit_test(separable),
        cmocka_unit_test(shape_inference), cmocka_unit_test(size_boundaries),
    };
    json_error_t error;
    dwt_begin(argc, argv);
    root = json_load_file(dwt_args.file_count > 0 ? dwt_args.files[0] : "tf_cases.json", 0, &error);
    if (root == NULL) {
        fprintf(stderr, "%s:%d: %s\n", error.source, error.line, error.text);
        return 2;
    }
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(root);
    dwt_end();
    return failures;
}
