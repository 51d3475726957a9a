/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions against figures worked out by hand: 65,536 images of 112x112x64 float32, 3x3, on nodes of 200 GB/s memory
 * (32 us an image) with links of 12.5 GB/s (257 us an image, each way), one rank a node.
 *
 *     nodes                                          1      8     64    512
 *     every rank has its images                    2.1   0.26  0.033  0.004 s
 *     the root scatters, all compute, it gathers   2.1     30     33     34
 *     files, file system of 100 GB/s                17    4.2    4.2    4.2
 *     files, file system of 1 TB/s                  17    2.1    0.42   0.42
 */
#include <math.h>

#include "dwconv_mpi.h"
#include "harness.h"
#include "refusal.h"

static const double image_s = 32e-6, link = 12.5e9;

static void near(double got, double want, const char *what, int nodes) {
    if (!(fabs(got - want) <= 0.06 * want))
        dwt_fail("%s on %d nodes: %g s, expected about %g", what, nodes, got, want);
}

static dwc_mpi_prediction predict(int nodes, double file_system, double speed) {
    dwc_problem problem = dwt_problem("f32:nhwc:n65536:112x112x64:k3x3");
    const dwc_mpi_constants k = {.ranks = nodes,
                                 .nodes = nodes,
                                 .image_s = image_s / speed,
                                 .shared_image_s = image_s / speed,
                                 .link_bytes_per_s = link,
                                 .latency_s = 5e-6,
                                 .file_bytes_per_s = file_system};
    dwc_mpi_prediction p;
    dwc_error error;
    dwt_ok(dwc_mpi_predict(&problem, &k, &p, &error), &error, "dwc_mpi_predict");
    return p;
}

static void table(void **state) {
    (void)state;
    static const struct {
        int nodes;
        double resident, phased, slow, fast;
    } rows[] = {
        {1, 2.1, 2.1, 17, 17}, {8, 0.26, 30, 4.2, 2.1}, {64, 0.033, 33, 4.2, 0.42}, {512, 0.0041, 34, 4.2, 0.42}};
    for (int i = 0; i < 4; i++) {
        const dwc_mpi_prediction p = predict(rows[i].nodes, 100e9, 1), q = predict(rows[i].nodes, 1e12, 1);
        near(p.alone_s, 2.1, "alone", rows[i].nodes);
        near(p.resident_s, rows[i].resident, "resident", rows[i].nodes);
        near(p.phased_s, rows[i].phased, "phased", rows[i].nodes);
        near(p.files_s, rows[i].slow, "files at 100 GB/s", rows[i].nodes);
        near(q.files_s, rows[i].fast, "files at 1 TB/s", rows[i].nodes);
        near(p.useful_nodes, 4, "useful nodes", rows[i].nodes);
        /* The root does most of it itself: a link carries an image in eight times the time of computing it. */
        near(p.pipelined_s, rows[i].nodes == 1 ? 2.1 : 2.1 * 8 / 9, "pipelined", rows[i].nodes);
        assert_int_equal(p.best, DWC_MPI_MODE_ALONE);
    }
    /* With 100 times the work of an image, sending it pays. */
    assert_int_equal(predict(8, 0, 0.01).best, DWC_MPI_MODE_PIPELINED);
    near(predict(8, 0, 0.01).pipelined_s, 65536 * image_s * 100 / 8, "pipelined, much work", 8);
    assert_true(predict(8, 0, 1).files_s == 0 && predict(8, 0, 1).useful_nodes == 0);
}

/* On one node the root copies for the others, and their memory has to come from somewhere. */
static void one_node(void **state) {
    (void)state;
    dwc_problem problem = dwt_problem("f32:nhwc:n1000:100x100x25:k3x3"); /* 1 MB in, 1 MB out */
    const dwc_mpi_constants k = {2, 1, 1e-3, 1e-3, 4e9, 0, 1e9, 0, 0}, slow = {2, 1, 1e-4, 1e-4, 4e9, 0, 1e9, 0, 0};
    dwc_mpi_prediction p;
    dwc_error error;
    dwt_ok(dwc_mpi_predict(&problem, &k, &p, &error), &error, "dwc_mpi_predict");
    near(p.phased_s, 0.5 + 0.25 + 1, "phased", 1);
    /* In 1 ms the other does an image, the root half a one beside copying 2 MB. */
    near(p.pipelined_s, 1 / 1.5, "pipelined", 1);
    assert_int_equal(p.best, DWC_MPI_MODE_PIPELINED);
    /* Copying takes five times the work: the root gives nothing away. */
    dwt_ok(dwc_mpi_predict(&problem, &slow, &p, &error), &error, "dwc_mpi_predict");
    near(p.pipelined_s, 0.1, "pipelined", 1);
    assert_int_equal(p.best, DWC_MPI_MODE_ALONE);
}

/* Between nodes messages take the ranks' time too: 0.25 ns a byte, 0.5 ms an image. */
static void two_nodes(void **state) {
    (void)state;
    dwc_problem problem = dwt_problem("f32:nhwc:n1000:100x100x25:k3x3"); /* 1 MB in, 1 MB out */
    dwc_mpi_constants k = {.ranks = 2, .nodes = 2, .image_s = 1e-3, .shared_image_s = 1e-3, .link_bytes_per_s = 4e9};
    dwc_mpi_prediction p;
    dwc_error error;
    dwt_ok(dwc_mpi_predict(&problem, &k, &p, &error), &error, "dwc_mpi_predict");
    near(p.pipelined_s, 0.5, "pipelined", 2);
    /* The other does an image in 1.5 ms, in which the root loses 0.5. */
    k.moving_s_per_byte = 0.25e-9;
    dwt_ok(dwc_mpi_predict(&problem, &k, &p, &error), &error, "dwc_mpi_predict");
    near(p.pipelined_s, 1 / (1 / 1.5 + 1 / 1.5), "pipelined, messages that take time", 2);
    /* Messages take as long as the work: the root could as well do it. */
    k.moving_s_per_byte = 0.5e-9;
    dwt_ok(dwc_mpi_predict(&problem, &k, &p, &error), &error, "dwc_mpi_predict");
    near(p.pipelined_s, 1, "pipelined, messages that take long", 2);
    assert_int_equal(p.best, DWC_MPI_MODE_PHASED);
}

static void refusals(void **state) {
    (void)state;
    static const struct {
        dwc_mpi_constants constants;
        const char *value;
    } bad[] = {{{0, 0, 1, 1, 1, 1, 1, 1, 0}, "0 ranks"}, {{1, 2, 1, 1, 1, 1, 1, 1, 0}, "2 nodes"},
               {{1, 1, 0, 1, 1, 1, 1, 1, 0}, "0"},       {{1, 1, 1, -1, 1, 1, 1, 1, 0}, "-1"},
               {{1, 1, 1, 1, NAN, 1, 1, 1, 0}, "nan"},   {{1, 1, 1, 1, 1, 1, 1, 1, -2}, "-2"}};
    dwc_problem problem = dwt_problem("f32:nhwc:n2:4x4x4:k3x3");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        dwc_mpi_prediction p;
        dwc_error error = dwt_fresh_error();
        const dwt_refusal refusal = {"bad constants", "constants", bad[i].value};
        dwt_refused(dwc_mpi_predict(&problem, &bad[i].constants, &p, &error), &error, DWC_INVALID_ARGUMENT, &refusal);
    }
}

static void modes(void **state) {
    (void)state;
    assert_string_equal(dwc_mpi_mode_name(DWC_MPI_MODE_PIPELINED), "pipelined");
    assert_string_equal(dwc_mpi_mode_name((dwc_mpi_mode)9), "?");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(one_node), cmocka_unit_test(two_nodes),
                                       cmocka_unit_test(refusals), cmocka_unit_test(modes)};
    dwt_begin(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
