/* SPDX-License-Identifier: Apache-2.0 */
/* What `dwconv conv` prints at its end. */
#include "conv.h"
#include "json_line.h"
#include "team.h"

#include <jansson.h>
#include <stdio.h>

static double gigabytes_per_second(const conv_run *run) {
    const dwc_geometry *g = &run->job.split.geometry;
    double elements = (double)g->input_elements + (double)g->filter_elements + (double)g->output_elements;
    return run->seconds > 0 ? elements * (double)g->element_bytes / run->seconds * 1e-9 : 0;
}

static int print_json(const conv_run *run, const char *problem, int threads, cli_failure *failure) {
    const stream_report *report = &run->report;
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:s}", "problem", problem, "algo",
                  run->info.algo, "params", run->info.params, "isa", run->info.isa, "threads", threads, "ranks",
                  team_size(), "images", (json_int_t)run->job.request.problem.n, "seconds", run->seconds,
                  "compute_seconds", report->compute_seconds, "read_seconds", report->read_seconds, "write_seconds",
                  report->write_seconds, "gbps", gigabytes_per_second(run), "source", run->source);
    return json_line(object, failure);
}

int conv_report(const conv_run *run, int complete, cli_failure *failure) {
    const stream_report *report = &run->report;
    char problem[DWC_PROBLEM_TEXT_MAX], ranks[40] = "";
    int threads = report->threads ? report->threads : run->info.threads;
    dwc_problem_print(&run->job.request.problem, problem, sizeof problem);
    if (run->options->json)
        return print_json(run, problem, threads, failure);
    if (team_size() > 1)
        snprintf(ranks, sizeof ranks, "%d ranks of ", team_size());
    printf("problem    %s\n", problem);
    printf("algorithm  %s%s%s%s, %s, %s%d thread%s, chosen by: %s\n", run->info.algo, run->info.params[0] ? " (" : "",
           run->info.params, run->info.params[0] ? ")" : "", run->info.isa, ranks, threads, threads == 1 ? "" : "s",
           run->source);
    printf("time       %.3f s: read %.3f, compute %.3f, write %.3f; %.2f GB/s\n", run->seconds, report->read_seconds,
           report->compute_seconds, report->write_seconds, gigabytes_per_second(run));
    printf("output     %s%s\n", run->options->output, complete ? ", complete already" : "");
    return EXIT_DONE;
}
