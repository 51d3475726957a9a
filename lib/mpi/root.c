/* SPDX-License-Identifier: Apache-2.0 */
/* A job whose data are on one rank: which way pays, and that way. */
#include "mpi/pipeline.h"
#include "mpi/predict.h"

static dwc_status check(const dwci_mpi_job *job, dwc_mpi_mode mode, dwc_error *error) {
    const dwc_mpi_context *c = job->plan->context;
    const dwc_geometry *g = &job->plan->partition.geometry;
    const struct {
        const char *name;
        const void *tensor;
        int64_t elements;
    } tensors[] = {{"input", job->input, g->input_elements},
                   {"filter", job->filter, g->filter_elements},
                   {"bias", job->bias, g->bias_elements},
                   {"output", job->output, g->output_elements}};
    if (job->root < 0 || job->root >= c->size)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "root: %d is not in 0..%d", job->root, c->size - 1);
    if (mode < DWC_MPI_MODE_AUTO || mode > DWC_MPI_MODE_PIPELINED)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "mode: unknown value %d", (int)mode);
    if (mode == DWC_MPI_MODE_PIPELINED && job->plan->partition.unit > 0)
        return dwci_mpi_fail(error, DWC_NOT_APPLICABLE, "mode: images are pipelined whole, not with a spatial split");
    for (int i = 0; i < 4 && c->rank == job->root; i++)
        if (!tensors[i].tensor && tensors[i].elements > 0)
            return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", tensors[i].name);
    return DWC_OK;
}

/* Predicts with what is known or else measured. */
static dwc_status decide(const dwci_mpi_job *job, const dwc_mpi_constants *constants, dwc_mpi_report *report,
                         dwc_error *error) {
    const dwci_mpi_partition *p = &job->plan->partition;
    dwc_mpi_constants k = *constants;
    dwc_mpi_prediction *guess = &report->prediction;
    dwc_status status = dwci_mpi_measure(job->plan, &k, error);
    if (status || (status = dwc_mpi_predict(&p->problem, &k, guess, error)))
        return status;
    report->predicted = 1;
    report->mode = guess->best;
    if (p->unit > 0 && guess->best == DWC_MPI_MODE_PIPELINED)
        report->mode = guess->phased_s < DWCI_MPI_WORTH_IT * guess->alone_s ? DWC_MPI_MODE_PHASED : DWC_MPI_MODE_ALONE;
    return DWC_OK;
}

/* ---- phased ------------------------------------------------------------------------------------------------------ */

typedef struct phases {
    void *input, *output, *packed, *workspace, *filter, *bias;
} phases;

static dwc_status set_up(const dwc_mpi_plan *plan, phases *m, dwc_error *error) {
    const dwc_mpi_context *c = plan->context;
    const dwc_geometry *g = &plan->partition.geometry;
    const int64_t element = (int64_t)g->element_bytes;
    dwc_plan_info info;
    dwc_status status;
    dwc_plan_get_info(plan->local, &info);
    if ((status = dwci_mpi_allocate(c, plan->part.input_elements * element, &m->input, error)) ||
        (status = dwci_mpi_allocate(c, plan->part.output_elements * element, &m->output, error)) ||
        (status = dwci_mpi_allocate(c, (int64_t)info.packed_bytes, &m->packed, error)) ||
        (status = dwci_mpi_allocate(c, (int64_t)info.workspace_bytes, &m->workspace, error)) ||
        (status = dwci_mpi_allocate(c, g->filter_elements * element, &m->filter, error)))
        return status;
    return dwci_mpi_allocate(c, g->bias_elements * element, &m->bias, error);
}

static dwc_status compute_part(const dwci_mpi_job *job, const phases *m, dwc_error *error) {
    const dwc_mpi_plan *plan = job->plan;
    const int root = plan->context->rank == job->root;
    const void *filter = root ? job->filter : m->filter, *bias = root ? job->bias : m->bias;
    dwc_status status = dwci_mpi_spread_filter(plan, job->root, filter, bias, error);
    if (status || (status = dwc_plan_pack_filter(plan->local, filter, m->packed, error)) ||
        (status = dwci_mpi_move_parts(plan, job->root, 0, job->input, m->input, error)))
        return status;
    return dwci_mpi_compute_part(plan, m->input, m->packed, bias, m->output, m->workspace, error);
}

/* Each step if all ranks are through with the one before. */
static dwc_status run_phases(const dwci_mpi_job *job, phases *m, dwc_error *error) {
    dwc_mpi_context *c = job->plan->context;
    dwc_status status = set_up(job->plan, m, error);
    if ((status = dwci_mpi_leave(c, "memory", status, error)))
        return status;
    status = compute_part(job, m, error);
    if ((status = dwci_mpi_leave(c, "compute", status, error)))
        return status;
    status = dwci_mpi_move_parts(job->plan, job->root, 1, job->output, m->output, error);
    return dwci_mpi_leave(c, "gather", status, error);
}

static dwc_status phased(const dwci_mpi_job *job, dwc_error *error) {
    phases m = {0};
    dwc_status status = run_phases(job, &m, error);
    void *all[] = {m.input, m.output, m.packed, m.workspace, m.filter, m.bias};
    for (int i = 0; i < 6; i++)
        dwc_release(job->plan->context->own, all[i]);
    return status;
}

/* ---- the call ---------------------------------------------------------------------------------------------------- */

static dwc_status execute(dwci_mpi_job *job, dwc_mpi_report *report, dwc_error *error) {
    const int64_t images = dwci_mpi_piece_images(job->plan);
    const double start = MPI_Wtime();
    dwc_status status = DWC_OK;
    if (report->mode == DWC_MPI_MODE_PHASED) {
        status = phased(job, error);
    } else if (images > 0) {
        job->alone = report->mode == DWC_MPI_MODE_ALONE;
        report->chunks = (job->plan->partition.problem.n - 1) / images + 1;
        status = dwci_mpi_pipeline(job, &report->root_chunks, error);
    }
    report->seconds = MPI_Wtime() - start;
    return status ? status : dwci_mpi_share(job->plan->context, job->root, report, sizeof *report, error);
}

dwc_status dwc_mpi_plan_execute_root(const dwc_mpi_plan *plan, int root, dwc_mpi_mode mode,
                                     const dwc_mpi_constants *constants, const void *input, const void *filter,
                                     const void *bias, void *output, dwc_mpi_report *report, dwc_error *error) {
    static const dwc_mpi_constants unknown = {0};
    dwc_error scratch;
    error = error ? error : &scratch;
    if (!plan)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "plan: null pointer");
    dwci_mpi_job job = {.plan = plan, .root = root, .input = input, .filter = filter, .bias = bias, .output = output};
    dwc_mpi_report made = {.mode = mode};
    dwci_mpi_arguments arguments = dwci_mpi_call("dwc_mpi_plan_execute_root");
    constants = constants ? constants : &unknown;
    dwci_mpi_say(&arguments, "root", root);
    dwci_mpi_say(&arguments, "mode", mode);
    dwci_mpi_say_constants(&arguments, constants);
    dwc_status status = check(&job, mode, error);
    if ((status = dwci_mpi_agree(plan->context, &arguments, status, error)))
        return status;
    if (mode == DWC_MPI_MODE_AUTO) {
        made.mode = DWC_MPI_MODE_ALONE;
        if (plan->context->size > 1 && plan->partition.geometry.output_elements > 0 &&
            (status = decide(&job, constants, &made, error)))
            return status;
    }
    status = execute(&job, &made, error);
    if (status == DWC_OK && report)
        *report = made;
    return status;
}
