/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for callers: colours, first touch. */
#include "guard.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, LINE = 64, COLOURS = 8, NEAREST = 512 };

static dwc_context *make_context(int threads) {
    dwc_context_options o;
    dwc_context *context = NULL;
    dwc_context_options_init(&o);
    o.threads = threads;
    assert_int_equal(dwc_context_create(&o, &context, NULL), DWC_OK);
    return context;
}

/* Whatever the sizes, tensors of different colours lie at least NEAREST bytes apart modulo a page. */
static void test_colours(void **state) {
    (void)state;
    dwc_context *context = make_context(1);
    static const size_t sizes[] = {0, 1, PAGE - 1, PAGE, 1 << 20, (1 << 22) + 24};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        unsigned char *tensors[COLOURS];
        for (int i = 0; i < COLOURS; i++) {
            tensors[i] = dwc_allocate_coloured(context, sizes[s], i);
            assert_non_null(tensors[i]);
            assert_int_equal((uintptr_t)tensors[i] % LINE, 0);
            memset(tensors[i], i, sizes[s]);
            for (int j = 0; j < i; j++) {
                const uintptr_t apart = ((uintptr_t)tensors[i] - (uintptr_t)tensors[j]) % PAGE;
                assert_true(apart >= NEAREST && apart <= PAGE - NEAREST);
            }
        }
        for (int i = 0; i < COLOURS; i++) {
            for (size_t k = 0; k < sizes[s]; k++)
                assert_int_equal(tensors[i][k], i);
            dwc_release_coloured(context, tensors[i]);
        }
    }
    assert_null(dwc_allocate_coloured(context, SIZE_MAX, 0));
    assert_null(dwc_allocate_coloured(context, (size_t)PTRDIFF_MAX, 1));
    dwc_release_coloured(context, NULL);
    dwc_context_destroy(context);
}

/* All bytes of the tensors and none beside them. */
static void test_first_touch(void **state) {
    (void)state;
    dwc_error error;
    for (int threads = 1; threads <= 3; threads++) {
        dwc_context *context = make_context(threads);
        dwc_problem problem;
        dwc_plan *plan = NULL;
        dwc_plan_info info;
        assert_int_equal(dwc_problem_parse("f32:nhwc:n3:40x40x33:k3x3:s2", &problem, NULL), DWC_OK);
        assert_int_equal(dwc_plan_create(context, &problem, NULL, &plan, NULL), DWC_OK);
        dwc_plan_get_info(plan, &info);
        for (int side = 0; side < 2; side++) {
            dwt_guard in, out;
            const size_t in_bytes = (size_t)info.geometry.input_elements * info.geometry.element_bytes;
            const size_t out_bytes = (size_t)info.geometry.output_elements * info.geometry.element_bytes;
            dwt_guard_map(&in, in_bytes, side ? DWT_GUARD_BEFORE : DWT_GUARD_AFTER, 4, 0);
            dwt_guard_map(&out, out_bytes, side ? DWT_GUARD_BEFORE : DWT_GUARD_AFTER, 4, 0);
            memset(in.data, 0xff, in_bytes);
            memset(out.data, 0xff, out_bytes);
            assert_int_equal(dwc_plan_first_touch(plan, in.data, side ? out.data : NULL, &error), DWC_OK);
            for (size_t i = 0; i < in_bytes; i++)
                assert_int_equal(((unsigned char *)in.data)[i], 0);
            for (size_t i = 0; i < out_bytes; i++)
                assert_int_equal(((unsigned char *)out.data)[i], side ? 0 : 0xff);
            assert_true(dwt_guard_intact(&in) && dwt_guard_intact(&out));
            dwt_guard_unmap(&in);
            dwt_guard_unmap(&out);
        }
        dwc_plan_destroy(plan);
        dwc_context_destroy(context);
    }
    assert_int_equal(dwc_plan_first_touch(NULL, NULL, NULL, &error), DWC_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "plan"));
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_colours), cmocka_unit_test(test_first_touch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
