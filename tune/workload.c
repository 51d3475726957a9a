/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and executions for measuring, see workload.h. */
#include "workload.h"
#include "limits.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST_COPIES_BYTES = 1 << 30 }; /* the smallest problems stay in the cache then */
enum { MOST_PLACES_BYTES = 8 << 20 };
static const double WINDOW_SECONDS = 20e-6, LONG_SECONDS = 1e-3;
static const double FEW_BYTES_PER_SECOND = 3e9; /* so slow that the arithmetic hides where lines lie */

dwc_status dwct_fail(dwc_error *error, dwc_status status, const char *format, ...) {
    if (error) {
        va_list arguments;
        error->status = status;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

dwc_status dwct_no_memory(dwc_error *error, int64_t bytes) {
    return dwct_fail(error, DWC_OUT_OF_MEMORY, "benchmark: %lld bytes could not be allocated", (long long)bytes);
}

/* Fresh pages, all zero; NULL. An allocator may hand out what a problem before had: pages lie there in another order
 * than in a caller's process, and collide otherwise in the second cache. */
static char *fresh_pages(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int64_t pages(int64_t bytes) {
    return (bytes + DWCT_PAGE - 1) / DWCT_PAGE * DWCT_PAGE;
}

char *dwct_input(const dwct_workload *w, int64_t copy) {
    return w->memory + copy * w->copy_bytes + DWCT_MISALIGNMENT;
}

char *dwct_output(const dwct_workload *w, int64_t copy, int offset) {
    return dwct_input(w, copy) + pages(w->read_bytes) + offset;
}

int64_t dwct_next_copy(dwct_workload *w) {
    const int64_t copy = w->next_copy;
    w->next_copy = (copy + 1) % w->copies;
    return copy;
}

/* Numbers spread evenly over -1..1 (splitmix64). */
static void fill(uint64_t *state, dwc_dtype dtype, char *to, int64_t count) {
    double values[256];
    const size_t bytes = dwc_dtype_bytes(dtype);
    for (int64_t done = 0; done < count; done += 256) {
        int64_t some = count - done < 256 ? count - done : 256;
        for (int64_t i = 0; i < some; i++) {
            uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
            z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
            z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
            values[i] = (double)((z ^ z >> 31) >> 11) * 0x1p-52 - 1;
        }
        dwc_convert_from_f64(dtype, values, to + (size_t)done * bytes, some);
    }
}

/* Sizes of the copies; needs context, geometry and cold. */
static void lay_out(dwct_workload *w, int places) {
    const dwc_geometry *g = &w->geometry;
    const int64_t element = (int64_t)g->element_bytes;
    const dwc_machine *machine = dwc_context_machine(w->context);
    const int64_t last_cache = machine->l3_bytes ? machine->l3_bytes : 32 << 20;
    w->read_bytes = (g->input_elements + g->filter_elements + g->bias_elements) * element;
    w->write_bytes = g->output_elements * element;
    w->copy_bytes = pages(w->read_bytes) + pages(w->write_bytes) + 2 * DWCT_PAGE;
    w->copies = w->cold ? 2 * last_cache / (w->read_bytes + w->write_bytes) + 2 : places;
    if (!w->cold && w->copies > MOST_PLACES_BYTES / w->copy_bytes + 1)
        w->copies = MOST_PLACES_BYTES / w->copy_bytes + 1;
    const int64_t l2 = machine->l2_bytes ? machine->l2_bytes : 1 << 20, bytes = w->read_bytes + w->write_bytes;
    w->settles = !w->cold && bytes > l2 / 2;
    w->outgrows = !w->cold && bytes > l2;
    if (w->copies > MOST_COPIES_BYTES / w->copy_bytes + 2)
        w->copies = MOST_COPIES_BYTES / w->copy_bytes + 2;
}

int64_t dwct_workload_bytes(const dwc_context *context, const dwc_geometry *g, int cold, int places) {
    dwct_workload w = {.context = context, .geometry = *g, .cold = cold};
    lay_out(&w, places);
    return w.copies * w.read_bytes;
}

dwc_status dwct_workload_create(dwct_workload *w, const dwc_context *context, const dwc_plan *plan, int cold,
                                int places, uint64_t seed, dwc_error *error) {
    dwc_plan_info info;
    dwc_plan_get_info(plan, &info);
    *w = (dwct_workload){.context = context, .problem = info.problem, .geometry = info.geometry, .cold = cold};
    const dwc_geometry *g = &w->geometry;
    lay_out(w, places);
    const size_t total = (size_t)(w->copies * w->copy_bytes);
    if (!(w->memory = fresh_pages(total)) ||
        !(w->filter = dwc_allocate(context, (size_t)g->filter_elements * g->element_bytes)) ||
        !(w->bias = dwc_allocate(context, (size_t)g->bias_elements * g->element_bytes)))
        return dwct_no_memory(error, (int64_t)total);

    fill(&seed, info.problem.dtype, w->filter, g->filter_elements);
    fill(&seed, info.problem.dtype, w->bias, g->bias_elements);
    for (int64_t copy = 0; copy < w->copies; copy++)
        dwc_plan_first_touch(plan, dwct_input(w, copy), dwct_output(w, copy, 0), NULL);
    fill(&seed, info.problem.dtype, dwct_input(w, 0), g->input_elements);
    for (int64_t copy = 1; copy < w->copies; copy++)
        memcpy(dwct_input(w, copy), dwct_input(w, 0), (size_t)g->input_elements * g->element_bytes);
    return DWC_OK;
}

void dwct_workload_release(dwct_workload *w) {
    if (w->memory)
        munmap(w->memory, (size_t)(w->copies * w->copy_bytes));
    dwc_release(w->context, w->filter);
    dwc_release(w->context, w->bias);
}

dwc_status dwct_runner_create(dwct_runner *r, const dwct_workload *w, const dwc_plan *plan, dwc_error *error) {
    *r = (dwct_runner){.plan = plan};
    dwc_plan_get_info(plan, &r->info);
    r->stores = strstr(r->info.params, "nontemporal=1") ? DWCT_PAST_CACHES : DWCT_IN_CACHES;
    r->packed = dwc_allocate(w->context, r->info.packed_bytes);
    r->workspace = dwc_allocate(w->context, r->info.workspace_bytes);
    if (!r->packed || !r->workspace)
        return dwct_no_memory(error, (int64_t)(r->info.packed_bytes + r->info.workspace_bytes));
    return dwc_plan_pack_filter(plan, w->filter, r->packed, error);
}

void dwct_runner_release(dwct_runner *r, const dwct_workload *w) {
    dwc_release(w->context, r->packed);
    dwc_release(w->context, r->workspace);
}

static int64_t copy_to_use(dwct_workload *w) {
    return w->cold ? dwct_next_copy(w) : w->next_copy;
}

static dwc_status execute(dwct_workload *w, const dwct_runner *r, int64_t copy, int offset, dwc_error *error) {
    if (!w->cold && w->settled[copy] != r->stores)
        w->settled[copy] = DWCT_MIXED;
    return dwc_plan_execute(r->plan, dwct_input(w, copy), r->packed, w->bias, dwct_output(w, copy, offset),
                            r->workspace, error);
}

dwc_status dwct_execute_first(dwct_workload *w, dwct_runner *r, int offset, dwc_error *error) {
    const double start = dwct_seconds();
    const dwc_status status = execute(w, r, 0, offset, error);
    r->first_s = dwct_seconds() - start;
    return status;
}

static double time_executions(dwct_workload *w, const dwct_runner *r, int offset, int executions) {
    const double start = dwct_seconds();
    for (int i = 0; i < executions; i++)
        execute(w, r, copy_to_use(w), offset, NULL);
    return (dwct_seconds() - start) / executions;
}

int dwct_settles(const dwct_workload *w, const dwct_runner *r) {
    return w->settles && r->first_s < (double)(w->read_bytes + w->write_bytes) / FEW_BYTES_PER_SECOND;
}

void dwct_settle(dwct_workload *w, const dwct_runner *r, int offset) {
    static const double SETTLED = 0.97; /* of the least time before: no gain */
    static const double MOST_SECONDS = 0.1;
    if (!dwct_settles(w, r))
        return;
    const double start = dwct_seconds();
    double least = time_executions(w, r, offset, 1);
    if (w->settled[w->next_copy] == r->stores)
        return;
    for (int without = 1; without < DWCT_SETTLING && dwct_seconds() < start + MOST_SECONDS; without++) {
        const double seconds = time_executions(w, r, offset, 1);
        if (seconds <= SETTLED * least) {
            least = seconds;
            without = 0;
        }
    }
    w->settled[w->next_copy] = r->stores;
}

void dwct_disturbed(dwct_workload *w) {
    if (!w->cold)
        w->settled[w->next_copy] = DWCT_MIXED;
}

int dwct_warms_up(const dwct_workload *w, const dwct_runner *r) {
    return !w->cold && !dwct_settles(w, r) && !r->is_long;
}

double dwct_window(dwct_workload *w, const dwct_runner *r, int offset) {
    if (dwct_warms_up(w, r))
        execute(w, r, copy_to_use(w), offset, NULL);
    return time_executions(w, r, offset, r->executions);
}

double dwct_choose_executions(dwct_workload *w, dwct_runner *r, int offset) {
    r->executions = 1;
    if (w->settles && !dwct_settles(w, r)) /* the very first execution does more than others */
        r->first_s = fmin(r->first_s, time_executions(w, r, offset, 1));
    r->is_long = r->first_s > 3 * LONG_SECONDS;
    dwct_settle(w, r, offset);
    double seconds = dwct_window(w, r, offset);
    r->is_long = seconds > LONG_SECONDS;
    if (seconds < 10 * WINDOW_SECONDS) /* short ones: without what the first call does once */
        for (int again = 0; again < 2; again++)
            seconds = fmin(seconds, dwct_window(w, r, offset));
    if (seconds < WINDOW_SECONDS)
        r->executions = 1 + (int)(WINDOW_SECONDS / seconds);
    return seconds;
}
