/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of partition.h. */
#include "mpi/partition.h"

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* `total` things in `count` shares that differ by one at most, the larger ones first: where share i begins. */
static int64_t share_start(int64_t total, int64_t i, int64_t count) {
    return total / count * i + least(total % count, i);
}

/* Whose share thing `index` is in. */
static int64_t share_of(int64_t total, int64_t index, int64_t count) {
    const int64_t size = total / count, larger = total % count;
    return index < larger * (size + 1) ? index / (size + 1) : larger + (index - larger * (size + 1)) / size;
}

dwci_mpi_partition dwci_mpi_partition_make(const dwc_problem *problem, int ranks, int64_t unit) {
    dwci_mpi_partition p = {.problem = *problem, .ranks = ranks, .groups = ranks};
    dwc_problem_geometry(problem, &p.geometry, NULL);
    if (p.geometry.output_elements > 0)
        p.unit = unit;
    if (p.unit > 0)
        p.groups = problem->n > 0 && problem->n < ranks ? (int)problem->n : 1;
    return p;
}

int dwci_mpi_group_of(const dwci_mpi_partition *p, int rank, int *first) {
    const int64_t group = share_of(p->ranks, rank, p->groups);
    *first = (int)share_start(p->ranks, group, p->groups);
    return (int)(share_start(p->ranks, group + 1, p->groups) - *first);
}

/* Rows that a window may touch, padding included: of output row `row` the first, and the one behind its last. */
static int64_t window_start(const dwci_mpi_partition *p, int64_t row) {
    return row * p->problem.sh - p->geometry.pad_top;
}

static int64_t window_end(const dwci_mpi_partition *p, int64_t row) {
    return window_start(p, row) + (p->problem.kh - 1) * p->problem.dh + 1;
}

static int64_t inside(const dwci_mpi_partition *p, int64_t row) {
    return least(most(row, 0), p->problem.h);
}

/* First input row that belongs to the tile beginning at output row `row`, not to the one above. */
static int64_t border(const dwci_mpi_partition *p, int64_t row) {
    if (row == 0)
        return 0;
    const int64_t end_above = window_end(p, row - 1);
    return inside(p, row == p->geometry.oh ? end_above : least(row * p->problem.sh, end_above));
}

dwc_mpi_part dwci_mpi_part_of(const dwci_mpi_partition *p, int rank) {
    const dwc_problem *whole = &p->problem;
    const int64_t group = share_of(p->ranks, rank, p->groups);
    dwc_mpi_part part = {.image = share_start(whole->n, group, p->groups), .rows = p->geometry.oh};
    int first;
    const int tiles = dwci_mpi_group_of(p, rank, &first), tile = rank - first;
    part.images = share_start(whole->n, group + 1, p->groups) - part.image;
    if (tiles > 1) {
        const int64_t units = p->geometry.oh / p->unit + (p->geometry.oh % p->unit > 0);
        part.row = least(share_start(units, tile, tiles) * p->unit, p->geometry.oh);
        part.rows = least(share_start(units, tile + 1, tiles) * p->unit, p->geometry.oh) - part.row;
    }
    if (part.images == 0 || part.rows == 0)
        return (dwc_mpi_part){0};
    if (part.rows == p->geometry.oh) {
        part.input_rows = part.own_rows = whole->h;
    } else {
        part.input_row = inside(p, window_start(p, part.row));
        part.input_rows = inside(p, window_end(p, part.row + part.rows - 1)) - part.input_row;
        part.own_row = most(border(p, part.row), part.input_row);
        part.own_rows = most(border(p, part.row + part.rows) - part.own_row, 0);
    }
    part.input_elements = part.images * part.input_rows * whole->w * whole->c;
    part.output_elements = part.images * part.rows * p->geometry.ow * p->geometry.oc;
    return part;
}

dwc_problem dwci_mpi_part_problem(const dwci_mpi_partition *p, const dwc_mpi_part *part) {
    dwc_problem problem = p->problem;
    problem.n = part->images;
    if (part->images == 0 || part->rows == p->geometry.oh)
        return problem;
    const int64_t start = window_start(p, part->row), end = window_end(p, part->row + part->rows - 1);
    problem.h = part->input_rows;
    problem.padding = DWC_EXPLICIT;
    /* Windows that lie in the padding altogether still have their height. */
    problem.pad_top = problem.h > 0 ? part->input_row - start : end - start;
    problem.pad_bottom = problem.h > 0 ? end - part->input_row - part->input_rows : 0;
    problem.pad_left = p->geometry.pad_left;
    problem.pad_right = p->geometry.pad_right;
    return problem;
}

dwci_mpi_rows dwci_mpi_halo(const dwci_mpi_partition *p, int from, int to) {
    int first, other;
    dwci_mpi_rows rows = {0, 0};
    dwci_mpi_group_of(p, from, &first);
    dwci_mpi_group_of(p, to, &other);
    if (first != other || from == to)
        return rows;
    const dwc_mpi_part giver = dwci_mpi_part_of(p, from), taker = dwci_mpi_part_of(p, to);
    rows.row = most(giver.own_row, taker.input_row);
    rows.rows = most(least(giver.own_row + giver.own_rows, taker.input_row + taker.input_rows) - rows.row, 0);
    return rows;
}
