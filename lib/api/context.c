/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: options, creation, queries, memory. */
#include "core/context.h"
#include "core/error.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/registry.h"

const char *dwc_version(void) {
    return DWC_VERSION_STRING;
}

const char *dwc_build_info(void) {
    return DWC_BUILD_INFO;
}

void dwc_context_options_init(dwc_context_options *options) {
    *options = (dwc_context_options){.max_isa = DWC_ISA_BEST};
}

static dwc_status check_options(const dwc_context_options *o, dwc_error *error) {
    if (o->threads < 0 || o->threads > DWC_MAX_THREADS)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "threads: %d is not in 0..%d", o->threads, DWC_MAX_THREADS);
    if (dwc_isa_name(o->max_isa)[0] == '?')
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "max_isa: unknown value %d", (int)o->max_isa);
    if (o->bind != 0 && o->bind != 1)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "bind: %d is not 0 or 1", o->bind);
    if (o->bind && o->topology)
        return dwci_fail(error, DWC_INVALID_ARGUMENT,
                         "bind: threads cannot be bound to the cores of a synthetic topology");
    if (!o->allocator.allocate != !o->allocator.release)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "allocator: allocate and release go together");
    return DWC_OK;
}

dwc_status dwc_context_create(const dwc_context_options *options, dwc_context **result, dwc_error *error) {
    dwc_context_options defaults;
    dwc_context_options_init(&defaults);
    const dwc_context_options *o = options ? options : &defaults;
    if (!result)
        return dwci_fail(error, DWC_INVALID_ARGUMENT, "context: null pointer");
    dwc_status status = check_options(o, error);
    if (status != DWC_OK)
        return status;

    dwc_context made = {.allocator = o->allocator.allocate ? o->allocator : dwci_default_allocator,
                        .log = o->log,
                        .log_user = o->log_user,
                        .log_topics = o->log_topics,
                        .wisdom = o->wisdom};
    if ((status = dwci_machine_describe(o->topology, &made.machine, error)))
        return status;
    const dwc_isa cap = o->max_isa < made.machine.best_isa ? o->max_isa : made.machine.best_isa;
    made.machine.isa = dwc_isa_parse(dwci_kern_table_for(cap)->name);
    made.threads = o->threads ? o->threads : made.machine.usable_cores;
    if (made.threads > DWC_MAX_THREADS)
        made.threads = DWC_MAX_THREADS;

    if (o->bind && (status = dwci_binding_create(&made.allocator, &made.binding, error)))
        return status;
    dwc_context *context = dwci_allocate(&made.allocator, sizeof *context);
    if (!context) {
        dwci_binding_destroy(&made.allocator, made.binding);
        return dwci_fail(error, DWC_OUT_OF_MEMORY, "context: %zu bytes could not be allocated", sizeof *context);
    }
    *context = made;
    dwci_log(context, DWC_LOG_DISPATCH, "%s: %s in use, %s available, %d threads, %d usable cores (%s)",
             made.machine.cpu[0] ? made.machine.cpu : "unknown CPU", dwc_isa_name(made.machine.isa),
             dwc_isa_name(made.machine.best_isa), made.threads, made.machine.usable_cores, made.machine.source);
    *result = context;
    return DWC_OK;
}

void dwc_context_destroy(dwc_context *context) {
    if (context) {
        dwc_allocator allocator = context->allocator;
        dwci_binding_destroy(&allocator, context->binding);
        dwci_release(&allocator, context);
    }
}

const dwc_machine *dwc_context_machine(const dwc_context *context) {
    return &context->machine;
}

int dwc_context_threads(const dwc_context *context) {
    return context->threads;
}

void *dwc_allocate(const dwc_context *context, size_t bytes) {
    return dwci_allocate(&context->allocator, bytes);
}

void dwc_release(const dwc_context *context, void *pointer) {
    dwci_release(&context->allocator, pointer);
}

/* A page holds eight colours, and neighbours lie three eighths of a page apart. */
enum { PAGE = 4096, COLOUR_STEP = 3 * PAGE / 8 };

void *dwc_allocate_coloured(const dwc_context *context, size_t bytes, int colour) {
    if (bytes > PTRDIFF_MAX - PAGE)
        return NULL;
    char *pointer = context->allocator.allocate(context->allocator.user, PAGE, bytes + PAGE);
    return pointer ? pointer + (unsigned)colour % 8 * COLOUR_STEP % PAGE : NULL;
}

void dwc_release_coloured(const dwc_context *context, void *pointer) {
    if (pointer)
        dwci_release(&context->allocator, (char *)pointer - (uintptr_t)pointer % PAGE);
}
