/* SPDX-License-Identifier: Apache-2.0 */
/* libdwconv_mpi: one convolution, or a chain of them, by many processes.
 *
 *     MPI_Comm ──> dwc_mpi_context ──> dwc_mpi_plan ──> execute, as often as wanted
 *
 *     batch split, 4 ranks                  spatial split, 5 ranks, where there are fewer images than ranks
 *     images  0 1 2 | 3 4 5 | 6 7 | 8 9     image 0: rows of rank 0 / of rank 1 / of rank 2
 *     rank    0       1       2     3       image 1: rows of rank 3 / of rank 4
 *
 * The tensors of a rank lie in its own memory: data that is computed on where it is costs no communication, and
 * shipping it from one rank pays only for filters with hundreds of taps. dwc_mpi_predict says what pays.
 *
 * Rules that hold for every function here, beside those of dwconv.h:
 *  - Collective functions are called by all ranks of the context, in the same order. They agree before and after: all
 *    ranks return the same status, and the text of the first rank that failed, with its number. A rank whose arguments
 *    are not those of rank 0 where they have to be makes all return DWC_MISMATCH with the rank and the field.
 *  - After an error of MPI itself (DWC_MPI_ERROR) a context is broken: later calls return that status at once, and
 *    other ranks may wait for ever, as MPI allows; all that is left to do is MPI_Abort.
 *  - MPI belongs to the caller: it must be initialised with MPI_THREAD_FUNNELED at least and not be finalised while
 *    there are contexts. Only the thread that initialised it may call collective functions, one at a time for a
 *    context.
 *  - A rank that waits looks without pause for half a millisecond, then sleeps in between, 1 ms at most; while data
 *    are on their way, and in all of the pipelined mode, not at all if no other rank may run on its cores, else some
 *    tens of microseconds.
 *  - Same numerics, same bits: one rank chooses algorithm and parameters for all, by the whole batch, and outputs have
 *    the bits that one process gets with these, whatever the ranks, the split, and the mode of
 *    dwc_mpi_plan_execute_root. Where CPUs differ, plans keep to what rounds alike on all of them: `direct` where all
 *    have fused multiply-add, else the instruction set that all have, and no algorithm that leaves its rounding to a
 *    BLAS.
 */
#ifndef DWCONV_MPI_H
#define DWCONV_MPI_H

#include "dwconv_tune.h"

#include <mpi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- context ----------------------------------------------------------------------------------------------------- */

typedef struct dwc_mpi_options {
    int64_t message_bytes; /* no message is longer; 1..INT_MAX */
    int64_t chunk_bytes;   /* about so much input and output in one piece of dwc_mpi_plan_execute_root; 1 or more */
} dwc_mpi_options;

/* The defaults: messages of 1 GiB, pieces of 1 MiB. */
DWC_API void dwc_mpi_options_init(dwc_mpi_options *options);

typedef struct dwc_mpi_context dwc_mpi_context;

/* Collective over comm, which is duplicated once: contexts are few and long-lived, plans may be many. local_options are
 * this rank's own (NULL: the defaults), of which threads 0 means the cores it may run on, divided by the ranks of its
 * node that may run on the same, and bind is ignored where there are such ranks. options may be NULL (the defaults),
 * and are the same on all ranks. Errors of the duplication itself go to the error handler of comm.
 * DWC_INVALID_ARGUMENT: an option, an intercommunicator, MPI not initialised or without threads. */
DWC_API dwc_status dwc_mpi_context_create(MPI_Comm comm, const dwc_context_options *local_options,
                                          const dwc_mpi_options *options, dwc_mpi_context **context, dwc_error *error);

/* Collective, before MPI_Finalize; plans have to be destroyed before. Takes NULL (on all ranks). */
DWC_API void dwc_mpi_context_destroy(dwc_mpi_context *context);

/* Where this rank is. */
typedef struct dwc_mpi_place {
    int rank, size;
    int node, nodes; /* nodes are numbered in the order of their first ranks */
    int sharing;     /* ranks of this node that may run on the same cores, itself included */
    int threads;     /* of its plans */
    int mixed;       /* 1: CPUs of the ranks differ, see the rule about bits above */
    dwc_isa isa;     /* the best instruction set that all ranks may use */
} dwc_mpi_place;

DWC_API dwc_mpi_place dwc_mpi_context_place(const dwc_mpi_context *context);

/* This rank's own context, for memory and for work of its own. Belongs to the MPI context. */
DWC_API const dwc_context *dwc_mpi_context_local(const dwc_mpi_context *context);

/* ---- plan -------------------------------------------------------------------------------------------------------- */

typedef enum dwc_mpi_split {
    DWC_MPI_SPLIT_AUTO = 0,   /* spatial where there are fewer images than ranks and the algorithm allows it */
    DWC_MPI_SPLIT_BATCH = 1,  /* each rank has whole images */
    DWC_MPI_SPLIT_SPATIAL = 2 /* each rank has some rows of its images: of one, or of all if there are as many images as
                                 ranks */
} dwc_mpi_split;

typedef struct dwc_mpi_plan dwc_mpi_plan;

/* Collective. problem is the whole batch and, like split and the options (NULL: the defaults), the same on all ranks,
 * threads excepted. A spatial split implies the option `bands`. Errors: as dwc_plan_create. The plan keeps no pointer
 * but the context. dwc_mpi_plan_destroy is local and takes NULL. */
DWC_API dwc_status dwc_mpi_plan_create(dwc_mpi_context *context, const dwc_problem *problem,
                                       const dwc_plan_options *options, dwc_mpi_split split, dwc_mpi_plan **plan,
                                       dwc_error *error);
DWC_API void dwc_mpi_plan_destroy(dwc_mpi_plan *plan);

/* What a rank has. Its tensors are dense:
 *
 *     input  [images, input_rows, w, c]   or [images, c, input_rows, w]        output [images, rows, ow, oc] or
 *             |  rows above its own   |   filled by dwc_mpi_plan_execute              [images, oc, rows, ow]
 *             |  own_rows             |   filled by the caller or by dwc_mpi_plan_scatter
 *             |  rows below its own   |   filled by dwc_mpi_plan_execute
 *
 * With a batch split all rows are its own. With a spatial split of stride 1 and SAME padding a rank's own input rows
 * are those that its output has, so that the outputs of one plan are the own inputs of the next. Rows that no window
 * touches are nobody's. */
typedef struct dwc_mpi_part {
    int64_t image, images;         /* first and how many; 0 images or 0 rows: nothing */
    int64_t row, rows;             /* of the output */
    int64_t input_row, input_rows; /* of the input: what its windows touch */
    int64_t own_row, own_rows;     /* some of these */
    int64_t input_elements, output_elements;
} dwc_mpi_part;

/* Local; of any rank. DWC_INVALID_ARGUMENT: no such rank, a null pointer. */
DWC_API dwc_status dwc_mpi_plan_part(const dwc_mpi_plan *plan, int rank, dwc_mpi_part *part, dwc_error *error);

typedef struct dwc_mpi_plan_info {
    dwc_problem problem;    /* the whole */
    dwc_geometry geometry;  /* the whole's */
    dwc_mpi_split split;    /* batch or spatial */
    dwc_plan_info local;    /* of the plan for this rank's part, whose problem is a problem of its own: packed_bytes and
                               workspace_bytes are those of dwc_mpi_plan_execute */
    int neighbours;         /* ranks that this one receives rows from */
    int64_t received_bytes; /* by this rank in one execution */
} dwc_mpi_plan_info;

/* Local. */
DWC_API void dwc_mpi_plan_get_info(const dwc_mpi_plan *plan, dwc_mpi_plan_info *info);

/* Local; as dwc_plan_pack_filter, for dwc_mpi_plan_execute. */
DWC_API dwc_status dwc_mpi_plan_pack_filter(const dwc_mpi_plan *plan, const void *filter, void *packed,
                                            dwc_error *error);

/* Computes this rank's part from tensors in its memory, as dwc_plan_execute does (which see for pointers, alignment and
 * errors).
 * Batch split: local, does not communicate, writes nothing to the input, and may be called from any thread.
 * Spatial split: collective; neighbours exchange the rows that are not their own, which are written to `input`. */
DWC_API dwc_status dwc_mpi_plan_execute(const dwc_mpi_plan *plan, void *input, const void *packed, const void *bias,
                                        void *output, void *workspace, dwc_error *error);

/* Collective. Scatter: the whole input of rank `root` to the own rows of all ranks' inputs. Gather: all ranks' outputs
 * to the whole output of rank `root`. `whole` is read on the root only, and must not overlap the root's part. Tensors
 * without elements may be NULL. DWC_INVALID_ARGUMENT: a null pointer, no such rank. */
DWC_API dwc_status dwc_mpi_plan_scatter(const dwc_mpi_plan *plan, int root, const void *whole, void *input,
                                        dwc_error *error);
DWC_API dwc_status dwc_mpi_plan_gather(const dwc_mpi_plan *plan, int root, const void *output, void *whole,
                                       dwc_error *error);

/* ---- what pays --------------------------------------------------------------------------------------------------- */

/* What predictions are made of; 0: not known. */
typedef struct dwc_mpi_constants {
    int ranks, nodes;
    double image_s;           /* of a rank for one image while the others are idle */
    double shared_image_s;    /* the same while all compute: ranks of a node share its memory */
    double link_bytes_per_s;  /* of a node, in each direction at the same time */
    double latency_s;         /* of a short message */
    double fresh_bytes_per_s; /* of a rank writing to memory that was just allocated */
    double file_bytes_per_s;  /* of the file system, all nodes together, reading and writing */
    double moving_s_per_byte; /* of a rank, sending to or receiving from another node while it computes */
} dwc_mpi_constants;

/* Ways to do a job whose data are on one rank. */
typedef enum dwc_mpi_mode {
    DWC_MPI_MODE_AUTO = 0,     /* what is predicted to be the fastest; alone unless another saves a fifth */
    DWC_MPI_MODE_ALONE = 1,    /* the root computes, the others wait */
    DWC_MPI_MODE_PHASED = 2,   /* scatter, execute, gather, one after the other */
    DWC_MPI_MODE_PIPELINED = 3 /* images go to whom is free, the root too, and come back; batch split only */
} dwc_mpi_mode;

DWC_API const char *dwc_mpi_mode_name(dwc_mpi_mode mode); /* "auto" "alone" "phased" "pipelined"; "?" */

/* Seconds; 0 where a constant that is needed is not known. */
typedef struct dwc_mpi_prediction {
    dwc_mpi_constants constants;           /* that were used */
    double resident_s;                     /* all ranks, each on data in its memory */
    double alone_s, phased_s, pipelined_s; /* data on one rank, see dwc_mpi_mode */
    double files_s;                        /* each rank reads and writes its part of a file */
    double useful_nodes; /* more do not make a job on files faster: file system / (2 * link of a node) */
    dwc_mpi_mode best;   /* of the three for data on one rank */
} dwc_mpi_prediction;

/* Local, plain arithmetic. The constants may be those of another machine. DWC_INVALID_ARGUMENT: the problem, a null
 * pointer, fewer than one rank or node, a negative constant, or no image_s. */
DWC_API dwc_status dwc_mpi_predict(const dwc_problem *problem, const dwc_mpi_constants *constants,
                                   dwc_mpi_prediction *prediction, dwc_error *error);

/* Collective. Replaces the zeros among *constants, which are the same on all ranks, by what is measured in some
 * tenths of a second, file_bytes_per_s excepted: image times with the numerics of the plan, link, latency and
 * what messages cost by messages between rank 0 and the first rank of another node (of the same node if there is no
 * other). All ranks get the same. DWC_OUT_OF_MEMORY. */
DWC_API dwc_status dwc_mpi_measure(const dwc_mpi_plan *plan, dwc_mpi_constants *constants, dwc_error *error);

/* How dwc_mpi_plan_execute_root went; the same on all ranks. */
typedef struct dwc_mpi_report {
    dwc_mpi_mode mode; /* the one used */
    int predicted;     /* 1: it was chosen by `prediction`, which is set */
    dwc_mpi_prediction prediction;
    int64_t chunks, root_chunks; /* pieces of the batch, and how many of them the root computed itself; 0 if phased */
    double seconds;              /* on the root, measuring left out */
} dwc_mpi_report;

/* Collective. Computes the whole batch of rank `root`: input [n,h,w,c], filter [kh,kw,c,m], bias and output as in
 * dwc_problem, read and written on the root only (others may pass NULL). mode, and with DWC_MPI_MODE_AUTO the constants
 * to predict with (NULL: none known), are the same on all ranks; what is not known is measured first, so keep the
 * constants of a report for the next call. Memory for pieces comes from the contexts before any data is sent. After a
 * failure the output is of no meaning. report may be NULL. DWC_INVALID_ARGUMENT: a null pointer, no such rank or mode;
 * DWC_NOT_APPLICABLE: pipelined with a spatial split; DWC_OUT_OF_MEMORY. */
DWC_API dwc_status dwc_mpi_plan_execute_root(const dwc_mpi_plan *plan, int root, dwc_mpi_mode mode,
                                             const dwc_mpi_constants *constants, const void *input, const void *filter,
                                             const void *bias, void *output, dwc_mpi_report *report, dwc_error *error);

/* ---- tuning ------------------------------------------------------------------------------------------------------ */

/* Collective: dwc_tune for `count` problems, divided over the ranks (of those that share their cores, over the first),
 * with each rank's own context. All ranks get all results, and in their wisdom, which may not be NULL, all records.
 * problems, plan and options are the same on all ranks, their callbacks and pointers excepted. results has `count`
 * elements. Errors: as dwc_tune, of the first rank that failed with one of its problems; the results of these have no
 * algo, and wisdom has the records of the others all the same. It does not calibrate: let one rank do that before and
 * give its wisdom to all. Not for use while anything else runs on the nodes. */
DWC_API dwc_status dwc_mpi_tune(dwc_mpi_context *context, dwc_wisdom *wisdom, const dwc_problem *problems, int count,
                                const dwc_plan_options *plan, const dwc_tune_options *options, dwc_tune_result *results,
                                dwc_error *error);

#ifdef __cplusplus
}
#endif

#endif
