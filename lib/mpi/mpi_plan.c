/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: rank 0 chooses the numerics by the whole batch, each rank plans its part with them.
 *
 *     arguments agree? -> choice of rank 0, for all -> own part, own plan -> everybody has one? */
#include "mpi/mpi_plan.h"
#include "mpi/agree.h"

#include <stdio.h>
#include <string.h>

/* Rank 0: algorithm and parameters for the whole, on the kernels that all ranks have. */
static dwc_status choose_split(dwc_mpi_context *c, const dwc_problem *problem, dwc_plan_options options, int spatial,
                               dwci_mpi_choice *choice, dwc_error *error) {
    dwc_plan *plan;
    dwc_plan_info info;
    options.bands = options.bands || spatial || c->place.mixed;
    dwc_status status = dwc_plan_create(c->common, problem, &options, &plan, error);
    if (status)
        return status;
    dwc_plan_get_info(plan, &info);
    dwc_plan_destroy(plan);
    snprintf(choice->algo, sizeof choice->algo, "%s", info.algo);
    memcpy(choice->params, info.params, sizeof choice->params);
    choice->unit = spatial ? info.band_rows : 0;
    choice->image_s = problem->n > 0 ? info.model_seconds / (double)problem->n : 0;
    return DWC_OK;
}

static dwc_status choose(dwc_mpi_context *c, const dwc_problem *problem, const dwc_plan_options *options,
                         dwc_mpi_split split, dwci_mpi_choice *choice, dwc_error *error) {
    const int few = problem->n > 0 && problem->n < c->size;
    if (split == DWC_MPI_SPLIT_SPATIAL)
        return choose_split(c, problem, *options, 1, choice, error);
    if (split == DWC_MPI_SPLIT_AUTO && few && choose_split(c, problem, *options, 1, choice, NULL) == DWC_OK)
        return DWC_OK;
    return choose_split(c, problem, *options, 0, choice, error);
}

static dwc_status check(const dwc_problem *problem, dwc_mpi_split split, dwc_mpi_plan **result, dwc_error *error) {
    if (!problem || !result)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", problem ? "plan" : "problem");
    if (split < DWC_MPI_SPLIT_AUTO || split > DWC_MPI_SPLIT_SPATIAL)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "split: unknown value %d", (int)split);
    return dwc_problem_geometry(problem, NULL, error);
}

/* Writes the halo's transfers, unless edges is NULL; returns how many. The order is the same on both ends of each. */
static int find_edges(const dwci_mpi_partition *p, int rank, dwci_mpi_edge *edges) {
    int first, count = 0;
    const int size = dwci_mpi_group_of(p, rank, &first);
    for (int peer = first; peer < first + size; peer++)
        for (int sending = 0; sending < 2; sending++) {
            const dwci_mpi_rows rows = sending ? dwci_mpi_halo(p, rank, peer) : dwci_mpi_halo(p, peer, rank);
            if (rows.rows > 0 && edges)
                edges[count] = (dwci_mpi_edge){peer, sending, rows};
            count += rows.rows > 0;
        }
    return count;
}

/* Plans differ in their tags, of which MPI promises 32768. */
static int next_tag(dwc_mpi_context *c) {
    return (int)(c->plans++ % (32768 / DWCI_MPI_TAGS)) * DWCI_MPI_TAGS;
}

/* `direct` rounds alike on all instruction sets with fused multiply-add, other algorithms only on the same one. */
static const dwc_context *kernels_of(const dwc_mpi_context *c, const char *algo) {
    return strcmp(algo, "direct") == 0 && c->place.isa >= DWC_ISA_AVX2 ? c->own : c->common;
}

/* This rank's plan; local. */
static dwc_status make_plan(dwc_mpi_context *c, const dwc_problem *problem, const dwc_plan_options *options,
                            const dwci_mpi_choice *choice, dwc_mpi_plan **result, dwc_error *error) {
    const dwci_mpi_partition partition = dwci_mpi_partition_make(problem, c->size, choice->unit);
    const int edges = find_edges(&partition, c->rank, NULL), tag = next_tag(c);
    const size_t bytes = sizeof(dwc_mpi_plan) + (size_t)edges * sizeof(dwci_mpi_edge);
    dwc_mpi_plan *plan = dwc_allocate(c->own, bytes);
    if (!plan)
        return dwci_mpi_fail(error, DWC_OUT_OF_MEMORY, "plan: %zu bytes could not be allocated", bytes);
    *plan = (dwc_mpi_plan){.context = c,
                           .partition = partition,
                           .choice = *choice,
                           .options = *options,
                           .with = kernels_of(c, choice->algo),
                           .part = dwci_mpi_part_of(&partition, c->rank),
                           .tag = tag,
                           .edge_count = edges};
    find_edges(&partition, c->rank, plan->edges);
    plan->options.algo = plan->choice.algo;
    plan->options.params = plan->choice.params[0] ? plan->choice.params : NULL;
    plan->options.effort = DWC_EFFORT_ESTIMATE;
    const dwc_problem mine = dwci_mpi_part_problem(&partition, &plan->part);
    dwc_status status = dwc_plan_create(plan->with, &mine, &plan->options, &plan->local, error);
    if (status)
        dwc_release(c->own, plan);
    else
        *result = plan;
    return status;
}

dwc_status dwc_mpi_plan_create(dwc_mpi_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                               dwc_mpi_split split, dwc_mpi_plan **result, dwc_error *error) {
    static const char call[] = "dwc_mpi_plan_create";
    dwc_error scratch;
    dwc_plan_options defaults;
    dwci_mpi_choice choice = {0};
    dwc_mpi_plan *plan = NULL;
    error = error ? error : &scratch;
    if (!context)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "context: null pointer");
    dwc_plan_options_init(&defaults);
    options = options ? options : &defaults;
    dwci_mpi_arguments arguments = dwci_mpi_call(call);
    dwci_mpi_say(&arguments, "split", split);
    dwci_mpi_say_plan_options(&arguments, options);
    if (problem)
        dwci_mpi_say_problem(&arguments, problem);
    dwc_status status = check(problem, split, result, error);
    if ((status = dwci_mpi_agree(context, &arguments, status, error)))
        return status;
    if (context->rank == 0)
        status = choose(context, problem, options, split, &choice, error);
    if ((status = dwci_mpi_leave(context, "choice", status, error)) ||
        (status = dwci_mpi_share(context, 0, &choice, sizeof choice, error)))
        return status;
    status = make_plan(context, problem, options, &choice, &plan, error);
    if ((status = dwci_mpi_leave(context, call, status, error))) {
        dwc_mpi_plan_destroy(plan);
        return status;
    }
    *result = plan;
    return DWC_OK;
}

void dwc_mpi_plan_destroy(dwc_mpi_plan *plan) {
    if (plan) {
        dwc_plan_destroy(plan->local);
        dwc_release(plan->context->own, plan);
    }
}

dwc_status dwc_mpi_plan_part(const dwc_mpi_plan *plan, int rank, dwc_mpi_part *part, dwc_error *error) {
    dwc_error scratch;
    error = error ? error : &scratch;
    if (!plan || !part)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", plan ? "part" : "plan");
    if (rank < 0 || rank >= plan->context->size)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "rank: %d is not in 0..%d", rank, plan->context->size - 1);
    *part = dwci_mpi_part_of(&plan->partition, rank);
    return DWC_OK;
}

void dwc_mpi_plan_get_info(const dwc_mpi_plan *plan, dwc_mpi_plan_info *info) {
    const dwci_mpi_partition *p = &plan->partition;
    *info = (dwc_mpi_plan_info){.problem = p->problem,
                                .geometry = p->geometry,
                                .split = p->unit > 0 ? DWC_MPI_SPLIT_SPATIAL : DWC_MPI_SPLIT_BATCH};
    dwc_plan_get_info(plan->local, &info->local);
    for (int i = 0; i < plan->edge_count; i++)
        if (!plan->edges[i].sending) {
            info->neighbours++;
            info->received_bytes += plan->part.images * plan->edges[i].rows.rows * p->problem.w * p->problem.c *
                                    (int64_t)p->geometry.element_bytes;
        }
}

dwc_status dwc_mpi_plan_pack_filter(const dwc_mpi_plan *plan, const void *filter, void *packed, dwc_error *error) {
    return dwc_plan_pack_filter(plan ? plan->local : NULL, filter, packed, error);
}
