/* SPDX-License-Identifier: Apache-2.0 */
/* A run of `dwconv conv`, by one process or by the ranks of a team.
 *
 *     conv_open -> conv_claim -> conv_load -> conv_plan -> conv_is_complete? -> conv_begin -> conv_check -> conv_deal
 *     files        the output    filter       numerics                        OUT.partial   journals true? chunks
 *                  journals                   split        -> stream_run -> conv_commit: OUT
 *
 * Rank 0 owns the output's name, reads the journals and chooses the numerics; each rank reads its own part of the input
 * and writes its own part of OUT.partial. The steps are collective where they say so: the ranks agree at their end
 * (team.h), so that either all go on or none does. */
#ifndef CONV_H
#define CONV_H

#include "npy.h"
#include "options.h"
#include "plan_limits.h"
#include "stream.h"
#include "wisdom_use.h"

typedef struct padding_value {
    dwc_padding kind;
    int64_t pads[4]; /* top, bottom, left, right */
} padding_value;

typedef struct conv_options {
    common_options common;
    const char *input, *filter, *bias, *output;
    int64_t strides[2], dilations[2];
    padding_value padding;
    int layout, dtype, activation; /* dwc_layout, dwc_dtype or 0, dwc_activation */
    const char *algo;
    dwc_isa isa;
    wisdom_options wisdom;
    plan_limits limits;
    int64_t threads, io_threads, chunk_images, memory;
    double checkpoint, stall;
    int resume, force, force_unlock, json;
} conv_options;

enum { INPUT, FILTER, BIAS, CONV_INPUTS };

/* Everything a run holds; released by conv_close in whatever state it is. */
typedef struct conv_run {
    const conv_options *options;
    input_file inputs[CONV_INPUTS];
    npy_header headers[CONV_INPUTS];
    void *filter, *bias;
    uint32_t filter_checksum, bias_checksum;

    output_file output; /* rank 0: locked */
    npy_header output_header;
    int begun;           /* the partial file is of this run: nothing that was there before is left in it */
    journal_found found; /* what is finished and gone on with; of rank 0, then of all */
    int64_t mark[2];     /* the partial file begins with it: the ranks and the journals know it by that */
    journal journal;

    wisdom_file wisdom;
    dwc_context *context;
    unsigned log_topics;
    dwc_plan *plan; /* of the whole batch: tells algorithm and parameters, is not executed */
    dwc_plan_info info;
    char algo[32], params[DWC_PARAMS_TEXT_MAX], source[16]; /* as rank 0 chose */
    stream_job job;
    stream_report report;
    double started, seconds;
} conv_run;

/* Opens the inputs and makes the problem. Collective. */
int conv_open(conv_run *run, cli_failure *failure);

/* Locks the output's name and looks for work to go on with. Rank 0. */
int conv_claim(conv_run *run, cli_failure *failure);

/* Makes the context and reads filter and bias. Collective. */
int conv_load(conv_run *run, cli_failure *failure);

/* Chooses algorithm, parameters and split, those of the work that is gone on with if there is some. Collective. */
int conv_plan(conv_run *run, cli_failure *failure);

/* Looks whether the file has what the journals say, and whether a finished chunk comes out with the same bits. What is
 * not there is forgotten; EXIT_USAGE: other bits. Collective. */
int conv_check(conv_run *run, cli_failure *failure);

/* Deals the missing chunks to the ranks. Collective. */
int conv_deal(conv_run *run, cli_failure *failure);

/* Rank 0: whether the output under its name is this job's complete result. EXIT_USAGE: there is one, it is another, and
 * must not be replaced. */
int conv_is_complete(conv_run *run, int *complete, cli_failure *failure);

/* Makes the partial file ready. Collective. */
int conv_begin(conv_run *run, cli_failure *failure);

/* Gives the output its name. Collective. */
int conv_commit(conv_run *run, cli_failure *failure);

/* Removes the partial file of a run that came to no end, unless finished work is recorded. Collective. */
void conv_leave(conv_run *run);

/* What the journals of this run say. */
journal_job conv_describe(const conv_run *run);

/* Prints what was done. Rank 0. */
int conv_report(const conv_run *run, int complete, cli_failure *failure);

#endif
