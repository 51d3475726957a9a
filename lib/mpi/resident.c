/* SPDX-License-Identifier: Apache-2.0 */
/* Execution on tensors that lie on their ranks, the halo of a spatial split, and how tensors get there and back.
 *
 *     rank 0   | own rows        | halo |  <- own rows of rank 1
 *     rank 1          | halo | own rows | halo |          thin tiles: the halo comes from several ranks */
#include "mpi/agree.h"
#include "mpi/mpi_plan.h"

#include <stdio.h>

/* One line is the rows of an image or, where channels come first, of one of its planes. */
static dwci_mpi_slab slab_of(const dwc_mpi_plan *plan, const dwci_mpi_view *v, int64_t width, int64_t channels) {
    const int planes = plan->partition.problem.layout == DWC_NCHW;
    const int64_t per_image = planes ? channels : 1;
    const int64_t row = width * (planes ? 1 : channels) * (int64_t)plan->partition.geometry.element_bytes;
    dwci_mpi_slab slab = {.lines = v->images * per_image, .bytes = v->rows * row, .stride = v->height * row};
    if (slab.lines * slab.bytes > 0) /* else the tensor may be a null pointer */
        slab.data = (char *)v->tensor + v->image * per_image * slab.stride + v->row * row;
    return slab;
}

dwci_mpi_slab dwci_mpi_input_slab(const dwc_mpi_plan *plan, const dwci_mpi_view *view) {
    return slab_of(plan, view, plan->partition.problem.w, plan->partition.problem.c);
}

dwci_mpi_slab dwci_mpi_output_slab(const dwc_mpi_plan *plan, const dwci_mpi_view *view) {
    return slab_of(plan, view, plan->partition.geometry.ow, plan->partition.geometry.oc);
}

/* ---- execute ----------------------------------------------------------------------------------------------------- */

static dwc_status exchange_halo(const dwc_mpi_plan *plan, void *input, dwc_error *error) {
    const dwc_mpi_part *mine = &plan->part;
    enum { most = DWCI_MPI_MOST_AT_ONCE };
    dwci_mpi_transfer transfers[most];
    for (int from = 0; from < plan->edge_count; from += most) {
        int count = 0;
        for (; count < most && from + count < plan->edge_count; count++) {
            const dwci_mpi_edge *e = &plan->edges[from + count];
            const dwci_mpi_view view = {.tensor = input,
                                        .height = mine->input_rows,
                                        .images = mine->images,
                                        .row = e->rows.row - mine->input_row,
                                        .rows = e->rows.rows};
            const dwci_mpi_slab slab = dwci_mpi_input_slab(plan, &view);
            dwci_mpi_transfer_start(&transfers[count], &slab, e->peer, plan->tag + DWCI_MPI_TAG_ROWS, e->sending);
        }
        dwc_status status = dwci_mpi_transfer_all(plan->context, transfers, count, error);
        if (status)
            return status;
    }
    return DWC_OK;
}

dwc_status dwci_mpi_compute_part(const dwc_mpi_plan *plan, void *input, const void *packed, const void *bias,
                                 void *output, void *workspace, dwc_error *error) {
    dwc_status status = exchange_halo(plan, input, error);
    if (status)
        return status;
    return plan->context->execute(plan->local, input, packed, bias, output, workspace, error);
}

/* What dwc_plan_execute would say, before rows are sent. */
static dwc_status check_pointers(const dwc_mpi_plan *plan, const void *input, const void *output, dwc_error *error) {
    if ((!input && plan->part.input_elements > 0) || (!output && plan->part.output_elements > 0))
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", input ? "output" : "input");
    return DWC_OK;
}

dwc_status dwc_mpi_plan_execute(const dwc_mpi_plan *plan, void *input, const void *packed, const void *bias,
                                void *output, void *workspace, dwc_error *error) {
    static const char call[] = "dwc_mpi_plan_execute";
    dwc_error scratch;
    error = error ? error : &scratch;
    if (!plan)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "plan: null pointer");
    dwc_mpi_context *c = plan->context;
    if (plan->partition.unit == 0)
        return c->execute(plan->local, input, packed, bias, output, workspace, error);
    const dwci_mpi_arguments arguments = dwci_mpi_call(call);
    dwc_status status = check_pointers(plan, input, output, error);
    if ((status = dwci_mpi_agree(c, &arguments, status, error)))
        return status;
    status = dwci_mpi_compute_part(plan, input, packed, bias, output, workspace, error);
    return dwci_mpi_leave(c, call, status, error);
}

/* ---- scatter and gather ------------------------------------------------------------------------------------------ */

/* The rows of a rank that move, in a tensor that holds `height` rows of every image from (image, row) on. */
static dwci_mpi_slab part_slab(const dwc_mpi_plan *plan, const dwc_mpi_part *p, int output, const void *tensor,
                               int whole) {
    dwci_mpi_view v = {.tensor = tensor, .image = whole ? p->image : 0, .images = p->images};
    if (output) {
        v.height = whole ? plan->partition.geometry.oh : p->rows;
        v.row = whole ? p->row : 0;
        v.rows = p->rows;
        return dwci_mpi_output_slab(plan, &v);
    }
    v.height = whole ? plan->partition.problem.h : p->input_rows;
    v.row = p->own_row - (whole ? 0 : p->input_row);
    v.rows = p->own_rows;
    return dwci_mpi_input_slab(plan, &v);
}

/* The root serves a few ranks at a time. */
static dwc_status serve(const dwc_mpi_plan *plan, int to_root, const void *whole, dwc_error *error) {
    enum { at_once = 16 };
    dwc_mpi_context *c = plan->context;
    dwci_mpi_transfer transfers[at_once];
    for (int rank = 0; rank < c->size;) {
        int count = 0;
        for (; rank < c->size && count < at_once; rank++) {
            const dwc_mpi_part part = dwci_mpi_part_of(&plan->partition, rank);
            const dwci_mpi_slab slab = part_slab(plan, &part, to_root, whole, 1);
            if (rank != c->rank)
                dwci_mpi_transfer_start(&transfers[count++], &slab, rank, plan->tag + DWCI_MPI_TAG_ROWS, !to_root);
        }
        dwc_status status = dwci_mpi_transfer_all(c, transfers, count, error);
        if (status)
            return status;
    }
    return DWC_OK;
}

dwc_status dwci_mpi_move_parts(const dwc_mpi_plan *plan, int root, int to_root, const void *whole, const void *part,
                               dwc_error *error) {
    dwc_mpi_context *c = plan->context;
    const dwci_mpi_slab mine = part_slab(plan, &plan->part, to_root, part, 0);
    dwci_mpi_transfer transfer;
    if (c->rank == root) {
        const dwci_mpi_slab there = part_slab(plan, &plan->part, to_root, whole, 1);
        dwci_mpi_copy(to_root ? &there : &mine, to_root ? &mine : &there);
        return serve(plan, to_root, whole, error);
    }
    dwci_mpi_transfer_start(&transfer, &mine, root, plan->tag + DWCI_MPI_TAG_ROWS, to_root);
    return dwci_mpi_transfer_all(c, &transfer, 1, error);
}

dwc_status dwci_mpi_spread_filter(const dwc_mpi_plan *plan, int root, const void *filter, const void *bias,
                                  dwc_error *error) {
    dwc_mpi_context *c = plan->context;
    const dwc_geometry *g = &plan->partition.geometry;
    const int mine = c->rank == root;
    const dwci_mpi_slab slabs[] = {dwci_mpi_flat(filter, g->filter_elements * (int64_t)g->element_bytes),
                                   dwci_mpi_flat(bias, g->bias_elements * (int64_t)g->element_bytes)};
    dwci_mpi_transfer t[DWCI_MPI_MOST_AT_ONCE];
    for (int rank = mine ? 0 : c->size - 1; rank < c->size;) {
        int count = 0;
        for (; rank < c->size && count < DWCI_MPI_MOST_AT_ONCE; rank++) {
            const int peer = mine ? rank : root;
            if (peer == c->rank)
                continue;
            dwci_mpi_transfer_start(&t[count++], &slabs[0], peer, plan->tag + DWCI_MPI_TAG_FILTER, mine);
            dwci_mpi_transfer_start(&t[count++], &slabs[1], peer, plan->tag + DWCI_MPI_TAG_BIAS, mine);
        }
        dwc_status status = dwci_mpi_transfer_all(c, t, count, error);
        if (status)
            return status;
    }
    return DWC_OK;
}

static dwc_status move(const char *call, const dwc_mpi_plan *plan, int root, int to_root, const void *whole,
                       const void *part, dwc_error *error) {
    dwc_error scratch;
    dwc_status status = DWC_OK;
    error = error ? error : &scratch;
    if (!plan)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "plan: null pointer");
    dwc_mpi_context *c = plan->context;
    const dwc_geometry *g = &plan->partition.geometry;
    const int64_t elements = to_root ? plan->part.output_elements : plan->part.input_elements;
    const int64_t whole_elements = to_root ? g->output_elements : g->input_elements;
    dwci_mpi_arguments arguments = dwci_mpi_call(call);
    dwci_mpi_say(&arguments, "root", root);
    if (root < 0 || root >= c->size)
        status = dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "root: %d is not in 0..%d", root, c->size - 1);
    else if (!part && elements > 0)
        status = dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", to_root ? "output" : "input");
    else if (!whole && c->rank == root && whole_elements > 0)
        status = dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "whole: null pointer");
    if ((status = dwci_mpi_agree(c, &arguments, status, error)))
        return status;
    status = dwci_mpi_move_parts(plan, root, to_root, whole, part, error);
    return dwci_mpi_leave(c, call, status, error);
}

dwc_status dwc_mpi_plan_scatter(const dwc_mpi_plan *plan, int root, const void *whole, void *input, dwc_error *error) {
    return move("dwc_mpi_plan_scatter", plan, root, 0, whole, input, error);
}

dwc_status dwc_mpi_plan_gather(const dwc_mpi_plan *plan, int root, const void *output, void *whole, dwc_error *error) {
    return move("dwc_mpi_plan_gather", plan, root, 1, whole, output, error);
}
