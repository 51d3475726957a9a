/* SPDX-License-Identifier: Apache-2.0 */
/* The division of work without running MPI, on random problems and up to 20 ranks:
 *
 *     outputs   every image and row is computed by one rank; tiles begin where the algorithm allows it
 *     inputs    every row that a window touches has one owner, others at most one; what a rank needs is its own or
 *     comes
 *               from one other rank, which has it
 *     bits      the tiles, computed one after the other with rows copied as the ranks would send them, are the whole
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "mpi/mpi_plan.h"

enum { MOST_RANKS = 20 };

static int64_t cut; /* problems that were cut into bands */

/* Does a window of output rows row .. row+rows-1 touch this input row? By the definition, tap by tap. */
static int touched(const dwci_mpi_partition *p, int64_t row, int64_t rows, int64_t input_row) {
    for (int64_t i = row; i < row + rows; i++)
        for (int64_t a = 0; a < p->problem.kh; a++)
            if (i * p->problem.sh - p->geometry.pad_top + a * p->problem.dh == input_row)
                return 1;
    return 0;
}

static int holds(int64_t first, int64_t count, int64_t x) {
    return x >= first && x < first + count;
}

static void check_outputs(const dwci_mpi_partition *p) {
    for (int64_t n = 0; n < p->problem.n && p->geometry.output_elements > 0; n++)
        for (int64_t row = 0; row < p->geometry.oh; row++) {
            int owners = 0;
            for (int r = 0; r < p->ranks; r++) {
                dwc_mpi_part part = dwci_mpi_part_of(p, r);
                owners += holds(part.image, part.images, n) && holds(part.row, part.rows, row);
                if (p->unit > 0 && part.row % p->unit != 0)
                    dwt_fail("rank %d of %d begins at row %" PRId64 ", unit %" PRId64, r, p->ranks, part.row, p->unit);
            }
            if (owners != 1)
                dwt_fail("%d ranks of %d compute row %" PRId64 " of image %" PRId64, owners, p->ranks, row, n);
        }
}

static void check_inputs(const dwci_mpi_partition *p) {
    for (int64_t n = 0; n < p->problem.n && p->geometry.output_elements > 0; n++)
        for (int64_t y = 0; y < p->problem.h; y++) {
            int owners = 0;
            for (int r = 0; r < p->ranks; r++) {
                dwc_mpi_part part = dwci_mpi_part_of(p, r);
                owners += holds(part.image, part.images, n) && holds(part.own_row, part.own_rows, y);
                if (!holds(part.image, part.images, n) || !touched(p, part.row, part.rows, y))
                    continue;
                int sources = holds(part.own_row, part.own_rows, y);
                for (int from = 0; from < p->ranks; from++) {
                    dwci_mpi_rows rows = dwci_mpi_halo(p, from, r);
                    sources += holds(rows.row, rows.rows, y);
                }
                if (!holds(part.input_row, part.input_rows, y) || sources != 1)
                    dwt_fail("rank %d of %d gets row %" PRId64 " from %d places", r, p->ranks, y, sources);
            }
            const int wanted = touched(p, 0, p->geometry.oh, y);
            if (owners > 1 || (wanted && owners == 0))
                dwt_fail("%d ranks of %d own row %" PRId64 " of image %" PRId64, owners, p->ranks, y, n);
        }
}

/* What goes from rank to rank lies inside what the one has and the other needs. */
static void check_lists(const dwci_mpi_partition *p) {
    for (int a = 0; a < p->ranks; a++)
        for (int b = 0; b < p->ranks; b++) {
            dwci_mpi_rows rows = dwci_mpi_halo(p, a, b);
            dwc_mpi_part giver = dwci_mpi_part_of(p, a), taker = dwci_mpi_part_of(p, b);
            if (rows.rows == 0)
                continue;
            int inside = rows.row >= giver.own_row && rows.row + rows.rows <= giver.own_row + giver.own_rows &&
                         rows.row >= taker.input_row && rows.row + rows.rows <= taker.input_row + taker.input_rows;
            if (a == b || !inside || giver.image != taker.image || giver.images != taker.images)
                dwt_fail("%d ranks: %" PRId64 " rows from %d to %d", p->ranks, rows.rows, a, b);
        }
}

/* ---- bits -------------------------------------------------------------------------------------------------------- */

typedef struct tile {
    dwc_mpi_part part;
    char *input;
} tile;

static dwci_mpi_slab rows_of(const dwc_mpi_plan *plan, const tile *t, const dwci_mpi_rows *rows) {
    const dwci_mpi_view view = {.tensor = t->input,
                                .height = t->part.input_rows,
                                .images = t->part.images,
                                .row = rows->row - t->part.input_row,
                                .rows = rows->rows};
    return dwci_mpi_input_slab(plan, &view);
}

static void copy_rows(const dwc_mpi_plan *plan, const tile *to, const tile *from, const dwci_mpi_rows *rows) {
    dwci_mpi_slab there = rows_of(plan, to, rows), here = rows_of(plan, from, rows);
    assert_int_equal(there.lines, here.lines);
    assert_int_equal(there.bytes, here.bytes);
    dwci_mpi_copy(&there, &here);
}

/* Inputs of all ranks, NaN but for their own rows. */
static void deal(const dwc_mpi_plan *plan, const dwt_case *c, tile *tiles) {
    for (int r = 0; r < plan->partition.ranks; r++) {
        tile *t = &tiles[r];
        const dwc_mpi_part *p = &t->part;
        *t = (tile){.part = dwci_mpi_part_of(&plan->partition, r)};
        t->input = dwt_elements(c->problem.dtype, p->input_elements);
        memset(t->input, 0xff, (size_t)p->input_elements * plan->partition.geometry.element_bytes);
        const dwci_mpi_view view = {c->input, c->problem.h, p->image, p->images, p->own_row, p->own_rows};
        const dwci_mpi_rows own = {p->own_row, p->own_rows};
        dwci_mpi_slab whole = dwci_mpi_input_slab(plan, &view), mine = rows_of(plan, t, &own);
        dwci_mpi_copy(&mine, &whole);
    }
}

static void run_tiles(const dwc_mpi_plan *plan, const dwt_case *c, const dwc_plan_info *numerics, tile *tiles,
                      void *output) {
    dwc_context *context = dwt_context(dwc_isa_parse(numerics->isa));
    dwc_plan_options options;
    dwc_plan_options_init(&options);
    options.algo = numerics->algo;
    options.params = numerics->params[0] != '\0' ? numerics->params : NULL;
    options.threads = 1;
    for (int r = 0; r < plan->partition.ranks; r++) {
        const dwc_mpi_part *p = &tiles[r].part;
        const dwc_problem problem = dwci_mpi_part_problem(&plan->partition, p);
        dwc_plan *local;
        dwc_plan_info info;
        dwc_error error;
        dwt_ok(dwc_plan_create(context, &problem, &options, &local, &error), &error, "plan of a tile");
        dwc_plan_get_info(local, &info);
        if (info.geometry.output_elements != p->output_elements || info.geometry.input_elements != p->input_elements)
            dwt_fail("rank %d of %d: its problem has other sizes than its part", r, plan->partition.ranks);
        void *packed = dwc_allocate(context, info.packed_bytes);
        void *workspace = dwc_allocate(context, info.workspace_bytes);
        void *part = dwt_elements(c->problem.dtype, p->output_elements);
        dwt_ok(dwc_plan_pack_filter(local, c->filter, packed, &error), &error, "packing");
        dwt_ok(dwc_plan_execute(local, tiles[r].input, packed, c->bias, part, workspace, &error), &error, "a tile");
        const dwci_mpi_view there = {output, plan->partition.geometry.oh, p->image, p->images, p->row, p->rows};
        const dwci_mpi_view here = {part, p->rows, 0, p->images, 0, p->rows};
        dwci_mpi_slab to = dwci_mpi_output_slab(plan, &there), from = dwci_mpi_output_slab(plan, &here);
        dwci_mpi_copy(&to, &from);
        free(part);
        dwc_release(context, packed);
        dwc_release(context, workspace);
        dwc_plan_destroy(local);
    }
}

static void check_bits(const dwci_mpi_partition *p, const dwt_case *c, const dwc_plan_info *numerics,
                       const void *whole) {
    const dwc_mpi_plan plan = {.partition = *p};
    tile tiles[MOST_RANKS];
    void *output = dwt_elements(c->problem.dtype, c->shape.outputs);
    const size_t bytes = (size_t)c->shape.outputs * p->geometry.element_bytes;
    memset(output, 0xa5, bytes);
    deal(&plan, c, tiles);
    for (int from = 0; from < p->ranks; from++)
        for (int to = 0; to < p->ranks; to++) {
            const dwci_mpi_rows rows = dwci_mpi_halo(p, from, to);
            if (rows.rows > 0)
                copy_rows(&plan, &tiles[to], &tiles[from], &rows);
        }
    run_tiles(&plan, c, numerics, tiles, output);
    if (dwt_hash(output, bytes) != dwt_hash(whole, bytes))
        dwt_fail("%s(%s) in tiles of %d ranks: other bits than the whole", numerics->algo, numerics->params, p->ranks);
    for (int r = 0; r < p->ranks; r++)
        free(tiles[r].input);
    free(output);
}

/* ---- problems ---------------------------------------------------------------------------------------------------- */

static void check_problem(const dwc_problem *problem, uint64_t seed, void *user) {
    static const char *const algos[] = {"direct", "winograd"};
    (void)user;
    dwt_rng rng = {seed};
    dwc_isa isas[3];
    dwt_case c;
    const int ranks = (int)dwt_between(&rng, 1, MOST_RANKS), isa_count = dwt_isas(isas);
    dwt_case_init(&c, problem, seed, DWT_REAL);
    void *whole = dwt_elements(problem->dtype, c.shape.outputs);
    for (int a = 0; a < 2; a++) {
        const dwt_call call = {.algo = algos[a], .isa = isas[dwt_between(&rng, 0, isa_count - 1)], .threads = 1};
        dwc_plan_info info;
        if (!dwt_run_case(&call, &c, whole, &info))
            continue;
        const int64_t unit = info.band_rows * dwt_between(&rng, 1, 4); /* what an algorithm in tiles may ask for */
        const dwci_mpi_partition spatial = dwci_mpi_partition_make(problem, ranks, unit);
        const dwci_mpi_partition batch = dwci_mpi_partition_make(problem, ranks, 0);
        const dwci_mpi_partition *both[] = {&spatial, &batch};
        for (int i = 0; i < 2; i++) {
            check_outputs(both[i]);
            check_inputs(both[i]);
            check_lists(both[i]);
            check_bits(both[i], &c, &info, whole);
        }
        cut += dwci_mpi_part_of(&spatial, 0).rows < spatial.geometry.oh;
    }
    free(whole);
    dwt_case_free(&c);
}

static void random_problems(void **state) {
    (void)state;
    dwt_for_problems(6000, 8000, check_problem, NULL);
    printf("cut into bands: %" PRId64 "\n", cut);
    assert_true(cut > 0 || dwt_args.problem != NULL);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_problems)};
    dwt_begin(argc, argv);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dwt_end();
    return failures;
}
