/* SPDX-License-Identifier: Apache-2.0 */
/* What pays: plain arithmetic on a few constants.
 *
 *     resident    largest share * time of an image while all compute
 *     phased      (input + output of the others) / link + a share's memory, which is fresh + resident
 *     pipelined   images / (rate of the others + rate of the root in the time that sending leaves it), and the way of
 *                 the first and the last pieces; alone if that takes longer, for then the root gives nothing away
 *     files       the largest of resident, (input + output) / file system, input or output / all links
 *
 * Between ranks of one node the link is the root copying. Between nodes too messages cost ranks time, in MPI and in the
 * system, which is measured while they compute. */
#include "mpi/predict.h"
#include "mpi/pipeline.h"

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
    const double piece_s = piece * k->shared_image_s, own_rate = piece / (piece_s + dwci_mpi_quiet(piece_s));
    const double there = in / k->link_bytes_per_s, back = out / k->link_bytes_per_s, end = piece_s + piece * back;
    const double moving = k->nodes > 1 ? (in + out) * k->moving_s_per_byte : 0; /* of a rank, for an image */
    const double sending = k->nodes > 1 ? moving : there + back;                /* of the root */
    const double link = 1 / largest(sending, largest(there, back)), rate = 1 / (1 / own_rate + moving);
    return largest(together(images, link, end, own_rate, sending),
                   together(images, (k->ranks - 1) * rate, end + piece * there * k->ranks / 2, own_rate, sending));
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
    p->pipelined_s = smallest(p->alone_s, pipelined(images, in, out, k));
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
    const double known[] = {k->image_s,           k->shared_image_s,   k->link_bytes_per_s, k->latency_s,
                            k->fresh_bytes_per_s, k->file_bytes_per_s, k->moving_s_per_byte};
    for (int i = 0; i < 7; i++)
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

void dwci_mpi_say_constants(dwci_mpi_arguments *a, const dwc_mpi_constants *k) {
    dwci_mpi_say(a, "ranks", k->ranks);
    dwci_mpi_say(a, "nodes", k->nodes);
    dwci_mpi_say_number(a, "image_s", k->image_s);
    dwci_mpi_say_number(a, "shared_image_s", k->shared_image_s);
    dwci_mpi_say_number(a, "link_bytes_per_s", k->link_bytes_per_s);
    dwci_mpi_say_number(a, "latency_s", k->latency_s);
    dwci_mpi_say_number(a, "fresh_bytes_per_s", k->fresh_bytes_per_s);
    dwci_mpi_say_number(a, "file_bytes_per_s", k->file_bytes_per_s);
    dwci_mpi_say_number(a, "moving_s_per_byte", k->moving_s_per_byte);
}
