/* SPDX-License-Identifier: Apache-2.0 */
/* Machine descriptions: this machine, and others faked by hwloc's synthetic topologies. */
#define _GNU_SOURCE
#include "core/machine.h"
#include "core/memory.h"
#include "core/threads.h"
#include "harness.h"

#include <sched.h>

#include <string.h>

static dwc_status create(const char *topology, dwc_isa cap, dwc_context **context, dwc_error *error) {
    dwc_context_options o;
    dwc_context_options_init(&o);
    o.topology = topology;
    o.max_isa = cap;
    return dwc_context_create(&o, context, error);
}

static void test_this_machine(void **state) {
    (void)state;
    dwc_context *context = NULL;
    dwc_error error;
    assert_int_equal(create(NULL, DWC_ISA_BEST, &context, &error), DWC_OK);
    const dwc_machine *m = dwc_context_machine(context);
    assert_true(m->cores >= 1 && m->usable_cores >= 1 && m->usable_cores <= m->cores && m->numa_nodes >= 1);
    assert_true(m->isa == m->best_isa && m->isa >= DWC_ISA_BASELINE);
    assert_int_equal(dwc_context_threads(context), m->usable_cores);
    assert_true(strlen(m->source) > 0 && strlen(m->vendor) > 0);
    dwc_context_destroy(context);
    assert_int_equal(create(NULL, DWC_ISA_BASELINE, &context, &error), DWC_OK);
    assert_int_equal(dwc_context_machine(context)->isa, DWC_ISA_BASELINE);
    dwc_context_destroy(context);
    /* Caps of any machine kind: what is used has kernels here. */
    for (int cap = DWC_ISA_BASELINE; cap <= DWC_ISA_NEON; cap++) {
        assert_int_equal(create(NULL, (dwc_isa)cap, &context, &error), DWC_OK);
        const dwc_isa isa = dwc_context_machine(context)->isa;
        assert_true(dwc_isa_built(isa) && isa <= dwc_context_machine(context)->best_isa);
        assert_true(isa == (dwc_isa)cap || !dwc_isa_built((dwc_isa)cap) ||
                    isa == dwc_context_machine(context)->best_isa);
        dwc_context_destroy(context);
    }
}

static void test_fake_machines(void **state) {
    (void)state;
    static const struct {
        const char *topology;
        int cores, numa_nodes, l2_cores, l3_cores;
        int64_t l1d, l2, l3;
    } fakes[] = {
        {"pack:2 [numa] l3:1(size=33554432) l2:8(size=1048576) l1d:1(size=32768) core:1 pu:2", 16, 2, 1, 8, 32768,
         1048576, 33554432},
        {"pack:1 l2:2(size=2097152) core:4 pu:1", 8, 1, 4, 0, 0, 2097152, 0},
        {"pu:1", 1, 1, 0, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof fakes / sizeof *fakes; i++) {
        dwc_context *context = NULL;
        dwc_error error;
        dwc_status status = create(fakes[i].topology, DWC_ISA_BEST, &context, &error);
        if (status == DWC_INVALID_ARGUMENT && strstr(error.message, "no hwloc"))
            skip();
        assert_int_equal(status, DWC_OK);
        const dwc_machine *m = dwc_context_machine(context);
        assert_int_equal(m->cores, fakes[i].cores);
        assert_int_equal(m->usable_cores, fakes[i].cores);
        assert_int_equal(m->numa_nodes, fakes[i].numa_nodes);
        assert_int_equal(m->l1d_bytes, fakes[i].l1d);
        assert_int_equal(m->l2_bytes, fakes[i].l2);
        assert_int_equal(m->l3_bytes, fakes[i].l3);
        assert_int_equal(m->l2_cores, fakes[i].l2_cores);
        assert_int_equal(m->l3_cores, fakes[i].l3_cores);
        assert_string_equal(m->source, "hwloc synthetic");
        dwc_context_destroy(context);
    }
}

/* The fallback without hwloc agrees where both know something (it counts hardware threads as cores). */
static void test_sysfs(void **state) {
    (void)state;
    dwc_context *context = NULL;
    dwc_error error;
    dwc_machine fallback = {.cores = 0};
    dwci_machine_from_sysfs(&fallback);
    assert_int_equal(create(NULL, DWC_ISA_BEST, &context, &error), DWC_OK);
    const dwc_machine *m = dwc_context_machine(context);
    assert_true(fallback.cores >= m->cores && fallback.usable_cores >= m->usable_cores && fallback.numa_nodes == 1);
    if (fallback.l1d_bytes && m->l1d_bytes) {
        assert_int_equal(fallback.l1d_bytes, m->l1d_bytes);
        assert_int_equal(fallback.l2_bytes, m->l2_bytes);
    }
    assert_string_equal(fallback.source, "sysfs");
    dwc_context_destroy(context);
}

static void test_bad_options(void **state) {
    (void)state;
    dwc_context *context = NULL;
    dwc_error error;
    assert_int_equal(create("nonsense", DWC_ISA_BEST, &context, &error), DWC_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "nonsense"));
    assert_int_equal(create(NULL, (dwc_isa)42, &context, &error), DWC_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "42"));
    dwc_context_options o;
    dwc_context_options_init(&o);
    o.threads = -2;
    assert_int_equal(dwc_context_create(&o, &context, &error), DWC_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "-2"));
    assert_null(context);
}

enum { TASKS = 4 };

static void note_cpus(void *data, int i, int count) {
    cpu_set_t *places = data;
    (void)count;
    assert_int_equal(sched_getaffinity(0, sizeof *places, &places[i]), 0);
}

/* Bound, every task may run on the hardware threads of one core only, tasks on different ones as far as there are
 * cores; afterwards the calling thread may run where it could before. */
static void test_binding(void **state) {
    (void)state;
    dwci_binding *binding = NULL;
    dwc_error error;
    cpu_set_t before, after, places[TASKS];
    dwc_status status = dwci_binding_create(&dwci_default_allocator, &binding, &error);
    if (status == DWC_NOT_APPLICABLE && strstr(error.message, "no hwloc"))
        skip();
    assert_int_equal(status, DWC_OK);
    dwc_context *context = NULL;
    assert_int_equal(create(NULL, DWC_ISA_BEST, &context, &error), DWC_OK);
    const int cores = dwc_context_machine(context)->usable_cores;
    dwc_context_destroy(context);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    dwci_parallel(binding, TASKS, note_cpus, places);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    for (int i = 0; i < TASKS; i++) {
        assert_true(CPU_COUNT(&places[i]) >= 1 && (cores == 1 || CPU_COUNT(&places[i]) < CPU_COUNT(&before)));
        for (int j = 0; j < i; j++) {
            cpu_set_t common;
            CPU_AND(&common, &places[i], &places[j]);
            assert_int_equal(CPU_COUNT(&common), i % cores == j % cores ? CPU_COUNT(&places[i]) : 0);
        }
    }
    dwci_binding_destroy(&dwci_default_allocator, binding);
}

/* The option of a context. */
static void test_bound_context(void **state) {
    (void)state;
    dwc_context_options o;
    dwc_context *context = NULL;
    dwc_error error;
    dwc_context_options_init(&o);
    o.bind = 2;
    assert_int_equal(dwc_context_create(&o, &context, &error), DWC_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "bind: 2"));
    o.bind = 1;
    o.topology = "pu:1";
    assert_int_equal(dwc_context_create(&o, &context, &error), DWC_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "bind"));
    o.topology = NULL;
    o.threads = 3;
    dwc_status status = dwc_context_create(&o, &context, &error);
    if (status == DWC_NOT_APPLICABLE && strstr(error.message, "no hwloc"))
        skip();
    assert_int_equal(status, DWC_OK);
    dwc_context_destroy(context);
}

int main(int argc, char **argv) {
    dwt_begin(argc, argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_this_machine), cmocka_unit_test(test_fake_machines),
                                       cmocka_unit_test(test_sysfs),        cmocka_unit_test(test_bad_options),
                                       cmocka_unit_test(test_binding),      cmocka_unit_test(test_bound_context)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
