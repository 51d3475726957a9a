/* SPDX-License-Identifier: Apache-2.0 */
/* What pays: plain arithmetic on a few constants, and the measurement of these.
 *
 *     resident    largest share * time of an image while all compute
 *     phased      (input + output of the others) / link + a share's memory, which is fresh + resident
 *     pipelined   images / (rate of the others + rate of the root in the time that sending leaves it), and the way of
 *                 the first and the last pieces
 *     files       the largest of resident, (input + output) / file system, input or output / all links
 *
 * Between ranks of one node the link is the root copying; between nodes its memory is read by others. */
#include "mpi/predict.h"
#include "mpi/pipeline.h"

#include <string.h>

const char *dwc_mpi_mode_name(dwc_mpi_mode mode) {
    static const char *const names[] = {"auto", "alone", "phased", "pipelined"};
    return mode >= DWC_MPI_MODE_AUTO && mode <= DWC_MPI_MODE_PIPELINED ? names[mode] : "?";
}

static double largest(double a, double b) {
    return a > b ? a : b;
}

static double smallest(double a, double b) {
    return a < b ? a : b;
}

/* Seconds of the largest share; rows are shared where there are fewer images than ranks. */
static double resident(double images, const dwc_mpi_constants *k) {
    const double shares = images < k->ranks ? images / k->ranks : (double)((int64_t)(images + k->ranks - 1) / k->ranks);
    return shares * k->shared_image_s;
}

/* When all images are done if the others do `rate` of them in a second from the time `late` on, and the root what it
 * can beside moving theirs. */
static double together(double images, double rate, double late, double own_rate, double sending) {
    const double root = largest(0, 1 - sending * rate) * own_rate;
    return (images + rate * late) / (rate + root);
}

/* Bounded by the link, which waits at the end for the last piece to be computed and come back, or by what the others
 * can compute, who wait at the beginning, each in its turn, and at the end for the root to look again. */
static double pipelined(double images, double in, double out, const dwc_mpi_constants *k) {
    dwc_mpi_options usual;
    dwc_mpi_options_init(&usual);
    const double piece = (double)dwci_mpi_piece((int64_t)images, in + out, k->shared_image_s, usual.chunk_bytes);
    const double piece_s = piece * k->shared_image_s, rate = piece / (piece_s + dwci_mpi_quiet(piece_s));
    const double there = in / k->link_bytes_per_s, back = out / k->link_bytes_per_s, end = piece_s + piece * back;
    const double sending = k->nodes > 1 ? 0 : there + back; /* of the root, for an image */
    const double link = 1 / largest(sending, largest(there, back));
    return largest(together(images, link, end, rate, sending),
                   together(images, (k->ranks - 1) * rate, end + piece * there * k->ranks / 2, rate, sending));
}

static void predict_root(double images, double in, double out, dwc_mpi_prediction *p) {
    const dwc_mpi_constants *k = &p->constants;
    const int places = k->nodes > 1 ? k->nodes : k->ranks; /* ranks of one node have links of their own */
    p->alone_s = images * k->image_s;
    p->best = DWC_MPI_MODE_ALONE;
    if (k->ranks == 1) {
        p->phased_s = p->pipelined_s = p->alone_s;
        return;
    }
    if (k->shared_image_s <= 0 || k->link_bytes_per_s <= 0 || images <= 0)
        return;
    const double away = images * (places - 1) / places;
    p->phased_s = away * (in + out) / k->link_bytes_per_s + 2 * k->ranks * k->latency_s + p->resident_s;
    if (k->fresh_bytes_per_s > 0)
        p->phased_s += images / k->ranks * (in + out) / k->fresh_bytes_per_s;
    p->pipelined_s = pipelined(images, in, out, k);
    const double shared = smallest(p->phased_s, p->pipelined_s);
    if (shared < DWCI_MPI_WORTH_IT * p->alone_s)
        p->best = p->phased_s < p->pipelined_s ? DWC_MPI_MODE_PHASED : DWC_MPI_MODE_PIPELINED;
}

dwc_status dwc_mpi_predict(const dwc_problem *problem, const dwc_mpi_constants *k, dwc_mpi_prediction *prediction,
                           dwc_error *error) {
    dwc_error scratch;
    dwc_geometry g;
    error = error ? error : &scratch;
    if (!problem || !k || !prediction)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "prediction: null pointer");
    dwc_status status = dwc_problem_geometry(problem, &g, error);
    if (status)
        return status;
    if (k->ranks < 1 || k->nodes < 1 || k->nodes > k->ranks)
        return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "constants: %d ranks on %d nodes", k->ranks, k->nodes);
    const double known[] = {k->image_s,   k->shared_image_s,    k->link_bytes_per_s,
                            k->latency_s, k->fresh_bytes_per_s, k->file_bytes_per_s};
    for (int i = 0; i < 6; i++)
        if (!(known[i] >= 0) || (i == 0 && known[i] == 0))
            return dwci_mpi_fail(error, DWC_INVALID_ARGUMENT, "constants: %g cannot be", known[i]);
    const double images = (double)problem->n, element = (double)g.element_bytes;
    const double input = (double)g.input_elements * element, output = (double)g.output_elements * element;
    dwc_mpi_prediction p = {.constants = *k, .resident_s = resident(images, k)};
    predict_root(images, input / largest(images, 1), output / largest(images, 1), &p);
    if (k->file_bytes_per_s > 0 && k->link_bytes_per_s > 0) {
        p.files_s =
            largest((input + output) / k->file_bytes_per_s, largest(input, output) / (k->nodes * k->link_bytes_per_s));
        p.files_s = largest(p.files_s, p.resident_s);
        p.useful_nodes = k->file_bytes_per_s / (2 * k->link_bytes_per_s);
    }
    *prediction = p;
    return DWC_OK;
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

enum { LINK_BYTES = 4 << 20, WORK_BYTES = 32 << 20, LINK_ROUNDS = 7, LATENCY_ROUNDS = 40 };
static const double work_seconds = 20e-3;

/* Tensors of several pieces, so that none is in the caches when its turn comes. */
typedef struct bench {
    dwci_mpi_engine engine;
    int64_t images, pieces;
    double fresh_bytes_per_s;
    void *input, *output, *filter, *bias, *link;
} bench;

static dwc_status allocate_zeros(const dwc_mpi_plan *plan, size_t bytes, void **memory, dwc_error *error) {
    dwc_status status = dwci_mpi_allocate(plan->context, (int64_t)bytes, memory, error);
    if (status == DWC_OK)
        memset(*memory, 0, bytes);
    return status;
}

static dwc_status set_up(const dwc_mpi_plan *plan, bench *b, dwc_error *error) {
    const dwc_geometry *g = &plan->partition.geometry;
    const size_t element = g->element_bytes;
    dwc_status status;
    b->images = dwci_mpi_piece_images(plan);
    if ((status = allocate_zeros(plan, LINK_BYTES, &b->link, error)) || b->images == 0)
        return status;
    if ((status = dwci_mpi_engine_make(plan, b->images, &b->engine, error)))
        return status;
    b->pieces = 1 + WORK_BYTES / (b->engine.input_bytes + b->engine.output_bytes);
    const int64_t bytes = b->pieces * (b->engine.input_bytes + b->engine.output_bytes);
    const double start = MPI_Wtime();
    if ((status = allocate_zeros(plan, (size_t)g->filter_elements * element, &b->filter, error)) ||
        (status = allocate_zeros(plan, (size_t)g->bias_elements * element, &b->bias, error)) ||
        (status = allocate_zeros(plan, (size_t)(b->pieces * b->engine.input_bytes), &b->input, error)) ||
        (status = allocate_zeros(plan, (size_t)(b->pieces * b->engine.output_bytes), &b->output, error)))
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

/* Seconds of one image on this rank. */
static dwc_status time_image(const bench *b, double *image_s, dwc_error *error) {
    double start = 0, spent = 0;
    int64_t done = 0;
    for (int64_t i = -1; i < 1 || spent < work_seconds; i++) {
        if (i == 0) /* the first one only wakes the threads */
            start = MPI_Wtime();
        const int64_t piece = (i + 1) % b->pieces;
        dwc_status status = dwci_mpi_engine_run(&b->engine, (char *)b->input + piece * b->engine.input_bytes, b->bias,
                                                (char *)b->output + piece * b->engine.output_bytes, error);
        if (status)
            return status;
        done += i >= 0 ? b->images : 0;
        spent = i >= 0 ? MPI_Wtime() - start : 0;
    }
    *image_s = spent / (double)done;
    return DWC_OK;
}

/* There and back between rank 0 and its partner, one way: the fastest of some rounds. */
static dwc_status time_message(const dwc_mpi_plan *plan, const bench *b, int64_t bytes, int rounds, double *seconds,
                               dwc_error *error) {
    dwc_mpi_context *c = plan->context;
    const int partner = c->rank == 0 ? c->neighbour : 0, first = c->rank == 0;
    const dwci_mpi_slab slab = dwci_mpi_flat(b->link, bytes);
    *seconds = 0;
    for (int i = 0; i < rounds && (c->rank == 0 || c->rank == c->neighbour); i++) {
        const double start = MPI_Wtime();
        for (int way = 0; way < 2; way++) {
            dwci_mpi_transfer t;
            dwci_mpi_transfer_start(&t, &slab, partner, plan->tag + DWCI_MPI_TAG_ROWS, way == !first);
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
    }
    clear_up(c, &b);
    return status ? status : dwci_mpi_share(c, 0, k, sizeof *k, error);
}

void dwci_mpi_say_constants(dwci_mpi_arguments *a, const dwc_mpi_constants *k) {
    dwci_mpi_say(a, "ranks", k->ranks);
    dwci_mpi_say(a, "nodes", k->nodes);
    dwci_mpi_say_number(a, "image_s", k->image_s);
    dwci_mpi_say_number(a, "shared_image_s", k->shared_image_s);
    dwci_mpi_say_number(a, "link_bytes_per_s", k->link_bytes_per_s);
    dwci_mpi_say_number(a, "latency_s", k->latency_s);
    dwci_mpi_say_number(a, "fresh_bytes_per_s", k->fresh_bytes_per_s);
    dwci_mpi_say_number(a, "file_bytes_per_s", k->file_bytes_per_s);
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
