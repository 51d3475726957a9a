/* SPDX-License-Identifier: Apache-2.0 */
/* What measuring needs: candidates, keys of records, the limit loops of the kernel tables over several threads. */
#include "dwconv_expert.h"
#include "core/calibration.h"
#include "core/checksum.h"
#include "core/consult.h"
#include "core/context.h"
#include "core/cost.h"
#include "core/error.h"
#include "core/plan.h"
#include "core/registry.h"
#include "core/threads.h"

#include <string.h>

enum { LINE = 64 };

int dwc_expert_candidates(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                          char (*texts)[DWC_PARAMS_TEXT_MAX], int most) {
    return options ? dwci_plan_candidates(context, problem, options, texts, most) : 0;
}

dwc_status dwc_expert_survey(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                             dwc_candidate *list, int most, int *count, dwc_error *error) {
    const dwc_plan_options defaults = {.algo = NULL};
    if (!context || !problem || !list || !count)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "survey: null pointer");
    return dwci_plan_survey(context, problem, options ? options : &defaults, list, most, count, error);
}

dwc_status dwc_expert_plan_measured(const dwc_context *context, const dwc_problem *problem,
                                    const dwc_plan_options *options, dwc_plan **plan, dwc_error *error) {
    if (!options || !options->algo || strcmp(options->algo, "auto") == 0)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "algo: a measured plan needs an algorithm's name");
    dwc_status status = dwc_plan_create(context, problem, options, plan, error);
    if (status == DWC_OK)
        (*plan)->source = "measured";
    return status;
}

void dwc_expert_log(const dwc_context *context, unsigned topic, const char *line) {
    dwci_log(context, topic, "%s", line);
}

/* The case that records of a plan with these options are about. */
static dwc_status case_of(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                          dwci_case *c, dwc_error *error) {
    const dwc_plan_options defaults = {.algo = NULL};
    if (!context || !problem)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "%s: null pointer", context ? "problem" : "context");
    return dwci_plan_case(context, problem, options ? options : &defaults, c, error);
}

dwc_status dwc_expert_key(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                          char key[DWC_KEY_TEXT_MAX], char machine[DWC_MACHINE_TEXT_MAX], dwc_error *error) {
    const dwc_plan_options defaults = {.algo = NULL};
    dwci_case c;
    dwc_status status = case_of(context, problem, options, &c, error);
    if (status == DWC_OK && key)
        dwci_consult_key(&c, options ? options : &defaults, key);
    if (status == DWC_OK && machine)
        dwci_consult_machine(&context->machine, machine);
    return status;
}

dwc_status dwc_expert_canonical(const dwc_context *context, const dwc_problem *problem, const dwc_plan_options *options,
                                dwc_problem *canonical, int *streaming, dwc_error *error) {
    dwci_case c;
    dwc_status status = case_of(context, problem, options, &c, error);
    if (status == DWC_OK) {
        *canonical = c.problem;
        if (streaming)
            *streaming = dwci_cost_from_memory(&c);
    }
    return status;
}

int dwc_expert_revision(const char *name) {
    const dwci_algo *algo = dwci_algo_find(name);
    return algo ? algo->revision : 0;
}

dwc_status dwc_expert_calibration_find(const dwc_context *context, const dwc_wisdom *wisdom,
                                       dwc_calibration *calibration, dwc_error *error) {
    if (!context || !wisdom || !calibration)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "calibration: null pointer");
    return dwci_calibration_find(context, wisdom, calibration)
               ? DWC_OK
               : dwci_fail(error, DWC_NO_RECORD, "calibration: none of this machine");
}

void dwc_expert_calibration_record(const dwc_context *context, const dwc_calibration *calibration, dwc_record *record,
                                   dwc_record_entry entries[DWC_CALIBRATION_LOOPS]) {
    dwci_calibration_record(context, calibration, record, entries);
}

void dwc_expert_caches(const dwc_context *context, int64_t *second, int64_t *last) {
    *second = (int64_t)dwci_second_cache(&context->machine);
    *last = (int64_t)dwci_last_cache(&context->machine);
}

int dwc_expert_vector_bytes(const dwc_context *context) {
    return dwci_kern_table_for(context->machine.isa)->element[DWCI_KERN_F32]->vector_bytes;
}

typedef struct peak_job {
    const dwci_kern_element *element;
    int64_t rounds;
    double operations; /* of one thread; all do the same */
} peak_job;

static void peak_share(void *data, int i, int count) {
    peak_job *job = data;
    char sink[LINE];
    (void)count;
    double operations = job->element->peak(job->rounds, sink);
    if (i == 0)
        job->operations = operations;
}

double dwc_expert_peak(const dwc_context *context, dwc_dtype dtype, int64_t rounds, int threads) {
    peak_job job = {dwci_kern_table_for(context->machine.isa)->element[dtype - DWC_F16 + DWCI_KERN_F16], rounds, 0};
    dwci_parallel(context->binding, threads, peak_share, &job);
    return job.operations * threads;
}

typedef struct stream_job {
    const dwci_kern_element *element;
    char *to;
    const char *from;
    int64_t write_lines, read_lines;
    int nontemporal;
} stream_job;

static void stream_share(void *data, int i, int count) {
    const stream_job *job = data;
    const int64_t vectors = LINE / job->element->vector_bytes;
    int64_t w, w_end, r, r_end;
    dwci_share(job->write_lines, i, count, &w, &w_end);
    dwci_share(job->read_lines, i, count, &r, &r_end);
    job->element->stream(job->to + w * LINE, (w_end - w) * vectors, job->from + r * LINE, (r_end - r) * vectors,
                         job->nontemporal);
}

void dwc_expert_stream(const dwc_context *context, void *to, int64_t write_bytes, const void *from, int64_t read_bytes,
                       int nontemporal, int threads) {
    stream_job job = {dwci_kern_table_for(context->machine.isa)->element[DWCI_KERN_F32],
                      to,
                      from,
                      write_bytes / LINE,
                      read_bytes / LINE,
                      nontemporal};
    dwci_parallel(context->binding, threads, stream_share, &job);
}

uint32_t dwc_expert_crc32c(uint32_t crc, const void *data, size_t bytes) {
    return dwci_crc32c(crc, data, bytes);
}
