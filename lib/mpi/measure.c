/* SPDX-License-Identifier: Apache-2.0 */
/* The constants of predictions, measured. */
#include "mpi/predict.h"
#include "mpi/pipeline.h"

enum { LINK_BYTES = 4 << 20, WORK_BYTES = 32 << 20, LINK_ROUNDS = 7, LATENCY_ROUNDS = 40 };
enum { CALLERS_OFFSET = 16 };                           /* malloc's, from a line of the caches */
enum { MOVING_BYTES = 16 << 20, MOVING_MESSAGES = 64 }; /* each way, at most */
enum { SOME_BYTE = 0x3c }; /* makes numbers of every type, none 0, denormal or large */
static const double work_seconds = 20e-3, moving_work_seconds = 0.2;
static const double NOTHING = 1e-15; /* seconds a byte; 0 would stand for not known */

/* Tensors of several pieces, so that none is in the caches when its turn comes. */
typedef struct bench {
    dwci_mpi_engine engine;
    int64_t images, pieces;
    double fresh_bytes_per_s;
    void *input, *output, *filter, *bias;
    char *link; /* a message of LINK_BYTES to be sent, one to be received */
} bench;

static dwc_status set_up(const dwc_mpi_plan *plan, bench *b, dwc_error *error) {
    const dwc_geometry *g = &plan->partition.geometry;
    const int64_t element = (int64_t)g->element_bytes;
    void *link = NULL;
    dwc_status status = dwci_mpi_allocate_filled(plan->context, 2 * LINK_BYTES, SOME_BYTE, &link, error);
    b->link = link;
    b->images = dwci_mpi_piece_images(plan);
    if (status || b->images == 0)
        return status;
    if ((status = dwci_mpi_engine_make(plan, b->images, &b->engine, error)))
        return status;
    b->pieces = 1 + WORK_BYTES / (b->engine.input_bytes + b->engine.output_bytes);
    const struct {
        int64_t bytes;
        void **memory;
    } tensors[] = {{g->filter_elements * element, &b->filter},
                   {g->bias_elements * element, &b->bias},
                   {CALLERS_OFFSET + b->pieces * b->engine.input_bytes, &b->input},
                   {CALLERS_OFFSET + b->pieces * b->engine.output_bytes, &b->output}};
    const int64_t bytes = b->pieces * (b->engine.input_bytes + b->engine.output_bytes);
    const double start = MPI_Wtime();
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors && status == DWC_OK; i++)
        status = dwci_mpi_allocate_filled(plan->context, tensors[i].bytes, SOME_BYTE, tensors[i].memory, error);
    if (status)
        return status;
    b->fresh_bytes_per_s = (double)bytes / (MPI_Wtime() - start);
    return dwci_mpi_engine_load(&b->engine, b->filter, error);
}

static void clear_up(const dwc_mpi_context *c, bench *b) {
    dwci_mpi_engine_free(&b->engine);
    dwc_release(c->own, b->input);
    dwc_release(c->own, b->output);
    dwc_release(c->own, b->filter);
    dwc_release(c->own, b->bias);
    dwc_release(c->own, b->link);
}

static dwc_status run_piece(const bench *b, int64_t piece, dwc_error *error) {
    return dwci_mpi_engine_run(&b->engine,
                               (char *)b->input + CALLERS_OFFSET + piece % b->pieces * b->engine.input_bytes, b->bias,
                               (char *)b->output + CALLERS_OFFSET + piece % b->pieces * b->engine.output_bytes, error);
}

/* Seconds of one image on this rank. */
static dwc_status time_image(const bench *b, double *image_s, dwc_error *error) {
    double start = 0, spent = 0;
    int64_t done = 0;
    for (int64_t i = -1; i < 1 || spent < work_seconds; i++) {
        if (i == 0) /* the first one only wakes the threads */
            start = MPI_Wtime();
        dwc_status status = run_piece(b, i + 1, error);
        if (status)
            return status;
        done += i >= 0 ? b->images : 0;
        spent = i >= 0 ? MPI_Wtime() - start : 0;
    }
    *image_s = spent / (double)done;
    return DWC_OK;
}

/* Of rank 0 and its partner, to the other one or from it. */
static void begin_message(const dwc_mpi_plan *plan, char *data, int64_t bytes, int sending, dwci_mpi_transfer *t) {
    const dwc_mpi_context *c = plan->context;
    const dwci_mpi_slab slab = dwci_mpi_flat(data, bytes);
    dwci_mpi_transfer_start(t, &slab, c->rank == 0 ? c->neighbour : 0, plan->tag + DWCI_MPI_TAG_ROWS, sending);
}

/* There and back between rank 0 and its partner, one way: the fastest of some rounds. */
static dwc_status time_message(const dwc_mpi_plan *plan, const bench *b, int64_t bytes, int rounds, double *seconds,
                               dwc_error *error) {
    dwc_mpi_context *c = plan->context;
    const int first = c->rank == 0;
    *seconds = 0;
    for (int i = 0; i < rounds && (c->rank == 0 || c->rank == c->neighbour); i++) {
        const double start = MPI_Wtime();
        for (int way = 0; way < 2; way++) {
            dwci_mpi_transfer t;
            begin_message(plan, b->link, bytes, way == !first, &t);
            dwc_status status = dwci_mpi_transfer_all(c, &t, 1, error);
            if (status)
                return status;
        }
        const double spent = (MPI_Wtime() - start) / 2;
        *seconds = i == 0 || spent < *seconds ? spent : *seconds;
    }
    return DWC_OK;
}

/* Time of an image on one rank alone, then on all at the same time: their mean rate. */
static dwc_status measure_images(dwc_mpi_context *c, const bench *b, dwc_mpi_constants *k, dwc_error *error) {
    double alone = 0, mine = 0, rate;
    dwc_status status = c->rank == 0 ? time_image(b, &alone, error) : DWC_OK;
    if ((status = dwci_mpi_leave(c, "alone", status, error)))
        return status;
    status = time_image(b, &mine, error);
    if ((status = dwci_mpi_leave(c, "together", status, error)))
        return status;
    rate = 1 / mine;
    MPI_Request request;
    const int code = MPI_Iallreduce(MPI_IN_PLACE, &rate, 1, MPI_DOUBLE, MPI_SUM, c->comm, &request);
    if ((status = code ? dwci_mpi_break(c, code, error) : dwci_mpi_wait(c, &request, error)))
        return status;
    k->fresh_bytes_per_s = k->fresh_bytes_per_s > 0 ? k->fresh_bytes_per_s : b->fresh_bytes_per_s;
    k->image_s = k->image_s > 0 ? k->image_s : alone;
    k->shared_image_s = k->shared_image_s > 0 ? k->shared_image_s : c->size / rate;
    return DWC_OK;
}

static dwc_status measure_link(const dwc_mpi_plan *plan, const bench *b, dwc_mpi_constants *k, dwc_error *error) {
    double latency, seconds;
    dwc_status status = time_message(plan, b, 8, LATENCY_ROUNDS, &latency, error);
    if (status || (status = time_message(plan, b, LINK_BYTES, LINK_ROUNDS, &seconds, error)))
        return status;
    k->latency_s = k->latency_s > 0 ? k->latency_s : latency;
    if (k->link_bytes_per_s == 0 && seconds > 0)
        k->link_bytes_per_s = LINK_BYTES / seconds;
    return DWC_OK;
}

/* What a byte sent or received costs a rank that computes meanwhile, in looks and in what the system takes from it:
 * rank 0 and its partner compute and look in turn, a piece and at most a message each way, as in the pipeline. They
 * compute for a while, and look until all messages are through, even if one of them fails. */
static dwc_status time_moving(const dwc_mpi_plan *plan, const bench *b, double *byte_s, dwc_error *error) {
    dwc_mpi_context *c = plan->context;
    const int64_t bytes = b->engine.output_bytes < LINK_BYTES ? b->engine.output_bytes : LINK_BYTES;
    const int64_t most = MOVING_BYTES / bytes, messages = most < MOVING_MESSAGES ? most : MOVING_MESSAGES;
    dwci_mpi_transfer transfers[2] = {0}, *const open[2] = {&transfers[0], &transfers[1]};
    int64_t left[2] = {messages, messages}, pieces = 0, under_way;
    double image_s = 0;
    dwc_status failed = time_image(b, &image_s, error);
    const double piece_s = image_s * (double)b->images, quiet_s = dwci_mpi_quiet(piece_s), start = MPI_Wtime();
    do {
        const int computes = failed == DWC_OK && MPI_Wtime() - start < moving_work_seconds;
        if (computes)
            failed = run_piece(b, pieces++, error);
        for (int sending = 0; sending < 2; sending++)
            if (left[sending] > 0 && dwci_mpi_transfer_done(open[sending])) {
                left[sending]--;
                begin_message(plan, b->link + sending * LINK_BYTES, bytes, sending, open[sending]);
                dwci_mpi_transfer_shorten(c, open[sending]);
            }
        double since = MPI_Wtime();
        do {
            int moved = 0;
            dwc_status status = dwci_mpi_look(c, open, 2, &moved, error);
            if (status)
                return status;
            since = moved ? MPI_Wtime() : since;
        } while (MPI_Wtime() - since < quiet_s);
        under_way = !dwci_mpi_transfer_done(open[0]) + !dwci_mpi_transfer_done(open[1]);
        const int64_t through = 2 * messages - left[0] - left[1] - under_way;
        if (computes && through > 0)
            *byte_s = (MPI_Wtime() - start - (double)pieces * (piece_s + quiet_s)) / (double)(through * bytes);
    } while (left[0] + left[1] + under_way > 0);
    return failed;
}

/* Between nodes; within one the link says it. */
static dwc_status measure_moving(const dwc_mpi_plan *plan, const bench *b, dwc_mpi_constants *k, dwc_error *error) {
    dwc_mpi_context *c = plan->context;
    dwc_status status = DWC_OK;
    double byte_s = 0;
    if (c->rank == 0 || c->rank == c->neighbour)
        status = time_moving(plan, b, &byte_s, error);
    k->moving_s_per_byte = byte_s > NOTHING ? byte_s : NOTHING;
    return dwci_mpi_leave(c, "moving", status, error);
}

dwc_status dwci_mpi_measure(const dwc_mpi_plan *plan, dwc_mpi_constants *k, dwc_error *error) {
    dwc_mpi_context *c = plan->context;
    bench b = {.images = 0};
    k->ranks = k->ranks > 0 ? k->ranks : c->size;
    k->nodes = k->nodes > 0 ? k->nodes : c->place.nodes;
    dwc_status status = set_up(plan, &b, error);
    if ((status = dwci_mpi_leave(c, "measure", status, error)) == DWC_OK) {
        if (b.images > 0 && (k->image_s == 0 || k->shared_image_s == 0 || k->fresh_bytes_per_s == 0))
            status = measure_images(c, &b, k, error);
        if (status == DWC_OK && c->size > 1 && (k->link_bytes_per_s == 0 || k->latency_s == 0))
            status = measure_link(plan, &b, k, error);
        if (status == DWC_OK && b.images > 0 && c->place.nodes > 1 && k->moving_s_per_byte == 0)
            status = measure_moving(plan, &b, k, error);
    }
    clear_up(c, &b);
    return status ? status : dwci_mpi_share(c, 0, k, sizeof *k, error);
}

dwc_status dwc_mpi_measure(const dwc_mpi_plan *plan, dwc_mpi_constants *constants, dwc_error *error) {
    dwc_error scratch;
    dwc_mpi_constants measured = {0};
    dwc_status status = DWC_OK;
    error = error ? error : &scratch;
    if (!plan)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "plan: null pointer");
    if (constants)
        measured = *constants;
    else
        status = dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "constants: null pointer");
    dwci_mpi_arguments arguments = dwci_mpi_call("dwc_mpi_measure");
    dwci_mpi_say_constants(&arguments, &measured);
    if ((status = dwci_mpi_agree(plan->context, &arguments, status, error)))
        return status;
    if ((status = dwci_mpi_measure(plan, &measured, error)) == DWC_OK)
        *constants = measured;
    return status;
}
