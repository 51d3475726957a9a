/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of a batch, see engine.h. */
#include "mpi/engine.h"
#include "mpi/agree.h"

#include <inttypes.h>
#include <string.h>

/* Between two looks at the messages. */
static const double piece_seconds = 3e-3;

dwc_status dwci_mpi_allocate(const dwc_mpi_context *c, int64_t bytes, void **memory, dwc_error *error) {
    *memory = dwc_allocate(c->own, (size_t)bytes);
    return *memory ? DWC_OK
                   : dwci_mpi_fail(error, DWC_OUT_OF_MEMORY, "memory: %" PRId64 " bytes could not be allocated", bytes);
}

dwc_status dwci_mpi_allocate_filled(const dwc_mpi_context *c, int64_t bytes, int byte, void **memory,
                                    dwc_error *error) {
    const dwc_status status = dwci_mpi_allocate(c, bytes, memory, error);
    if (status == DWC_OK)
        memset(*memory, byte, (size_t)bytes);
    return status;
}

int64_t dwci_mpi_piece(int64_t n, double image_bytes, double image_s, int64_t chunk_bytes) {
    double images = (double)chunk_bytes / image_bytes;
    if (images * image_s > piece_seconds)
        images = piece_seconds / image_s;
    return images < 1 ? 1 : images < (double)n ? (int64_t)images : n;
}

int64_t dwci_mpi_piece_images(const dwc_mpi_plan *plan) {
    const dwc_geometry *g = &plan->partition.geometry;
    const int64_t n = plan->partition.problem.n;
    if (g->output_elements == 0)
        return 0;
    const double bytes = (double)(g->input_elements + g->output_elements) * (double)g->element_bytes;
    return dwci_mpi_piece(n, bytes / (double)n, plan->choice.image_s, plan->context->options.chunk_bytes);
}

dwc_status dwci_mpi_engine_make(const dwc_mpi_plan *plan, int64_t images, dwci_mpi_engine *e, dwc_error *error) {
    dwc_problem problem = plan->partition.problem;
    dwc_plan_info info;
    problem.n = images;
    *e = (dwci_mpi_engine){.context = plan->context};
    dwc_status status = dwc_plan_create(plan->with, &problem, &plan->options, &e->plan, error);
    if (status)
        return status;
    dwc_plan_get_info(e->plan, &info);
    e->input_bytes = info.geometry.input_elements * (int64_t)info.geometry.element_bytes;
    e->output_bytes = info.geometry.output_elements * (int64_t)info.geometry.element_bytes;
    status = dwci_mpi_allocate(e->context, (int64_t)info.packed_bytes, &e->packed, error);
    return status ? status : dwci_mpi_allocate(e->context, (int64_t)info.workspace_bytes, &e->workspace, error);
}

void dwci_mpi_engine_free(dwci_mpi_engine *e) {
    if (!e->context)
        return;
    dwc_plan_destroy(e->plan);
    dwc_release(e->context->own, e->packed);
    dwc_release(e->context->own, e->workspace);
}

dwc_status dwci_mpi_engine_load(const dwci_mpi_engine *e, const void *filter, dwc_error *error) {
    return e->plan ? dwc_plan_pack_filter(e->plan, filter, e->packed, error) : DWC_OK;
}

dwc_status dwci_mpi_engine_run(const dwci_mpi_engine *e, const void *input, const void *bias, void *output,
                               dwc_error *error) {
    return e->context->execute(e->plan, input, e->packed, bias, output, e->workspace, error);
}
