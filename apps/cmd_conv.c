/* SPDX-License-Identifier: Apache-2.0 */
/* `dwconv conv`: convolves a batch held in .npy files; see conv.h for the steps. Everything that can be wrong with the
 * arguments is found before anything is written. */
#include "conv.h"
#include "crew.h"
#include "team.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static conv_options options = {
    .strides = {1, 1},
    .dilations = {1, 1},
    .padding = {DWC_SAME, {0}},
    .layout = DWC_NHWC,
    .algo = "auto",
    .memory = INT64_C(1) << 30,
    .checkpoint = 5,
    .io_threads = 4,
};

static const cli_choice layouts[] = {{"NHWC", DWC_NHWC}, {"NCHW", DWC_NCHW}, {NULL, 0}};
static const cli_choice dtypes[] = {
    {"bf16", DWC_BF16}, {"f16", DWC_F16}, {"f32", DWC_F32}, {"f64", DWC_F64}, {NULL, 0}};
static const cli_choice activations[] = {
    {"none", DWC_NO_ACTIVATION}, {"relu", DWC_RELU}, {"relu6", DWC_RELU6}, {NULL, 0}};

static int parse_padding(const cli_option *option, const char *text, void *value, cli_failure *failure) {
    padding_value *padding = value;
    *padding = (padding_value){.kind = !strcmp(text, "same")    ? DWC_SAME
                                       : !strcmp(text, "valid") ? DWC_VALID
                                                                : DWC_EXPLICIT};
    if (padding->kind == DWC_EXPLICIT && !option_numbers(text, padding->pads, 4))
        return fail(failure, EXIT_USAGE, "%s: '%s' is neither same, valid nor T,B,L,R", option->name, text);
    return EXIT_DONE;
}

#define AT(field) .offset = offsetof(conv_options, field)

static const cli_option table[] = {
    {"--input", "FILE", "the batch, [N,H,W,C] or [N,C,H,W]", option_text, AT(input), .required = 1},
    {"--filter", "FILE", "the filter, [KH,KW,C,M]", option_text, AT(filter), .required = 1},
    {"--output", "FILE", "where the result goes", option_text, AT(output), .required = 1},
    {"--bias", "FILE", "a bias, [C*M], added to the result", option_text, AT(bias)},
    {"--strides", "SH,SW", "steps of the window; one number for both [1,1]", option_pair, AT(strides), .minimum = 1},
    {"--padding", "same|valid|T,B,L,R",
     "zeros around the images; T,B,L,R: rows at the top and\nbottom, columns left and "
     "right [same]",
     parse_padding, AT(padding)},
    {"--dilations", "DH,DW", "spacing of the taps; one number for both [1,1]", option_pair, AT(dilations),
     .minimum = 1},
    {"--data-format", "NHWC|NCHW", "order of the dimensions of input and output [NHWC]", option_choose, AT(layout),
     .choices = layouts},
    {"--activation", "none|relu|relu6", "applied to the result [none]", option_choose, AT(activation),
     .choices = activations},
    {"--dtype", "bf16|f16|f32|f64", "element type the files must have; bf16 is stored as V2\nand needs this option",
     option_choose, AT(dtype), .choices = dtypes},
    {"--algo", "auto|NAME", "algorithm; 'dwconv info --algos' lists them [auto]", option_text, AT(algo)},
    OPTIONS_WISDOM(offsetof(conv_options, wisdom)),
    OPTIONS_LIMITS(offsetof(conv_options, limits)),
    {"--isa", "NAME", "use no better instruction set than this: baseline,\navx2, avx512, neon, best [best]", option_isa,
     AT(isa)},
    {"--threads", "N", "threads [one per core]", option_integer, AT(threads), .minimum = 1, .maximum = DWC_MAX_THREADS},
    {"--io-threads", "N", "threads that read, and as many that write [4]", option_integer, AT(io_threads), .minimum = 1,
     .maximum = crew_most},
    {"--chunk-images", "N",
     "images per chunk, the unit of what is finished and dealt\nto ranks; computed in smaller "
     "pieces if the memory does\nnot hold them [about 1000 chunks]",
     option_integer, AT(chunk_images), .minimum = 1},
    {"--memory", "BYTES", "most memory for buffers, such as 500M or 2Gi [1Gi]", option_bytes, AT(memory), .minimum = 1},
    {"--resume", NULL,
     "go on with the work of a job that was stopped; start\nafresh if there is none; do nothing if "
     "the output is\ncomplete",
     option_flag, AT(resume)},
    {"--checkpoint", "SECONDS", "how often finished chunks are made safe for --resume [5]", option_positive,
     AT(checkpoint)},
    {"--stall-timeout", "SECONDS",
     "end when nothing is read, computed or written for so\nlong [600 under mpirun, else "
     "never]",
     option_positive, AT(stall)},
    {"--force", NULL, "replace an existing output", option_flag, AT(force)},
    {"--force-unlock", NULL, "go on although a lock file says that another job writes\nthe output", option_flag,
     AT(force_unlock)},
    {"--json", NULL, "report as a JSON object", option_flag, AT(json)},
    OPTIONS_COMMON,
    {0},
};

/* ---- the run ----------------------------------------------------------------------------------------------------- */

static int convolve(conv_run *run, cli_failure *failure) {
    cli_failure lost = {.command = failure->command};
    if (conv_begin(run, failure) || conv_check(run, failure) || conv_deal(run, failure))
        return failure->code;
    stream_run(&run->job, &run->report, failure);
    team_settle();
    const int stopped = team_agree(failure) == EXIT_STOPPED;
    if ((stopped || run->journal.fd >= 0) && failure->code && stream_record(&lost) && stopped)
        cli_warn(failure, "finished work is not recorded: %s", lost.text);
    if (failure->code)
        return failure->code;
    const double start = cli_seconds();
    const int code = conv_commit(run, failure);
    run->report.write_seconds += cli_seconds() - start;
    return code;
}

/* The longest of all ranks. */
static void gather_times(conv_run *run) {
    stream_report *report = &run->report;
    double times[] = {report->read_seconds, report->compute_seconds, report->write_seconds};
    team_max(times, 3);
    report->read_seconds = times[0], report->compute_seconds = times[1], report->write_seconds = times[2];
    run->seconds = cli_seconds() - run->started;
}

static int run_steps(conv_run *run, cli_failure *failure) {
    int complete = 0;
    run->started = cli_seconds();
    if (conv_open(run, failure))
        return failure->code;
    if (team_rank() == 0)
        conv_claim(run, failure);
    if (team_agree(failure) || conv_load(run, failure) || conv_plan(run, failure))
        return failure->code;
    if (team_rank() == 0)
        conv_is_complete(run, &complete, failure);
    if (team_agree(failure))
        return failure->code;
    team_share(&complete, sizeof complete);
    if (!complete && convolve(run, failure))
        return failure->code;
    gather_times(run);
    if (team_rank() == 0)
        conv_report(run, complete, failure);
    return team_agree(failure);
}

static void close_all(conv_run *run, cli_failure *failure) {
    conv_leave(run);
    dwc_plan_destroy(run->plan);
    if (run->context) {
        dwc_release(run->context, run->filter);
        dwc_release(run->context, run->bias);
    }
    dwc_context_destroy(run->context);
    wisdom_close(&run->wisdom, failure);
    journal_close(&run->journal);
    journal_forget(&run->found);
    free(run->job.chunks);
    for (int i = 0; i < CONV_INPUTS; i++)
        input_close(&run->inputs[i]);
}

static int run_conv(cli_failure *failure) {
    static conv_run run = {.options = &options};
    stream_watch_stop();
    int code = run_steps(&run, failure);
    close_all(&run, failure);
    return code;
}

const cli_command conv_command = {
    .name = "conv",
    .summary = "convolve a batch held in .npy files",
    .usage = "--input FILE --filter FILE --output FILE [OPTIONS]",
    .about = "Convolves a batch of images with a depthwise filter. Files are .npy, C order, little\n"
             "endian, of one element type: f2, f4, f8, or V2 as bfloat16. The batch is streamed through\n"
             "limited memory. The output appears under its name only when it is complete, until then it\n"
             "is FILE.partial. Finished work is recorded every few seconds: --resume goes on with it.\n"
             "SIGUSR1 stops the job in an orderly way, exit status 75. Under mpirun or srun the batch\n"
             "is split over the ranks.\n",
    .options = table,
    .values = &options,
    .run = run_conv,
    .team = 1,
    .stops = 1,
};
