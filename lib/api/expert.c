/* SPDX-License-Identifier: Apache-2.0 */
/* The limit loops of the kernel tables over several threads. */
#include "dwconv_expert.h"
#include "core/context.h"
#include "core/plan.h"
#include "core/registry.h"
#include "core/threads.h"

enum { LINE = 64 };

int dwc_expert_candidates(const dwc_context *context, const dwc_problem *problem, const char *algo,
                          char (*texts)[DWC_PARAMS_TEXT_MAX], int most) {
    return dwci_plan_candidates(context, problem, algo, texts, most);
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
