/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors of more than 4 GiB, parts of more than 2 GiB: counts that no int holds, on 2 ranks. Takes 10 GB of memory.
 *
 *     scatter    input of 4.3 GiB, small output        gather    small input, output of 4.3 GiB
 *
 * Every word is a function of its place, so both ends can be checked without a copy. */
#include <inttypes.h>
#include <stdlib.h>

#include "ranks.h"

static uint64_t word_at(uint64_t index) {
    return (index + 1) * 0x9e3779b97f4a7c15u;
}

static void fill(uint64_t *words, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        words[i] = word_at((uint64_t)(first + i));
}

static void check(const uint64_t *words, int64_t first, int64_t count, const char *what) {
    for (int64_t i = 0; i < count; i++)
        if (words[i] != word_at((uint64_t)(first + i)))
            dwt_fail("%s: word %" PRId64 " of %" PRId64 " from %" PRId64 " on is wrong", what, i, count, first);
}

static uint64_t *allocate(int64_t bytes) {
    uint64_t *words = malloc((size_t)bytes + 8);
    if (words == NULL)
        dwt_fail("no memory for %" PRId64 " bytes", bytes);
    return words;
}

static void move(const char *text, dwc_mpi_split split, int gather) {
    dwc_mpi_context *context = dwt_ranks_context(DWC_ISA_BEST, 0);
    dwc_problem problem = dwt_problem(text);
    dwc_mpi_plan *plan;
    dwc_geometry g;
    dwc_mpi_part part;
    dwc_error error;
    dwt_ok(dwc_problem_geometry(&problem, &g, &error), &error, text);
    dwt_ok(dwc_mpi_plan_create(context, &problem, NULL, split, &plan, &error), &error, text);
    dwt_ok(dwc_mpi_plan_part(plan, dwt_rank, &part, &error), &error, text);
    const int64_t whole_bytes = (gather ? g.output_elements : g.input_elements) * 2;
    const int64_t part_bytes = (gather ? part.output_elements : part.input_elements) * 2;
    const int64_t words = part_bytes / 8, first = dwt_rank * words; /* equal parts */
    assert_true(whole_bytes > (int64_t)1 << 32 && part_bytes > (int64_t)1 << 31);
    uint64_t *whole = dwt_rank == 0 ? allocate(whole_bytes) : NULL, *mine = allocate(part_bytes);
    if (gather) {
        fill(mine, first, words);
        dwt_ok(dwc_mpi_plan_gather(plan, 0, mine, whole, &error), &error, "dwc_mpi_plan_gather");
        if (dwt_rank == 0)
            check(whole, 0, whole_bytes / 8, text);
    } else {
        if (dwt_rank == 0)
            fill(whole, 0, whole_bytes / 8);
        dwt_ok(dwc_mpi_plan_scatter(plan, 0, whole, mine, &error), &error, "dwc_mpi_plan_scatter");
        check(mine, first, words, text);
    }
    free(whole);
    free(mine);
    dwc_mpi_plan_destroy(plan);
    dwc_mpi_context_destroy(context);
}

static void scatter_images(void **state) {
    (void)state;
    move("f16:nhwc:n2:34000x34000x1:k1x1:s32x32", DWC_MPI_SPLIT_BATCH, 0);
}

static void scatter_rows(void **state) {
    (void)state;
    move("f16:nhwc:n1:68000x34000x1:k2x2:s2x2:valid", DWC_MPI_SPLIT_SPATIAL, 0);
}

static void gather_images(void **state) {
    (void)state;
    move("f16:nchw:n2:6000x6000x1:k1x1:m32", DWC_MPI_SPLIT_BATCH, 1);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(scatter_images), cmocka_unit_test(scatter_rows),
                                       cmocka_unit_test(gather_images)};
    dwt_ranks_begin(argc, argv);
    return dwt_ranks_run(tests, sizeof tests / sizeof *tests);
}
