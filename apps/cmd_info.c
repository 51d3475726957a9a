/* SPDX-License-Identifier: Apache-2.0 */
/* `dwconv info`: what this build and this machine are; as text or as one JSON object.
 *
 *     sections: program (always), --machine, --algos, --env, --mpi, --wisdom; all of them when none is asked for
 *
 * Each section is collected as a JSON object first; the text is printed from it, so that both say the same. */
#define _GNU_SOURCE
#include "cli.h"
#include "doctor.h"
#include "options.h"
#include "team.h"
#include "wisdom_use.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct info_options {
    common_options common;
    int algos, machine, env, mpi, wisdom, json;
    const char *shared;
} info_options;

static info_options options;

#define AT(field) .offset = offsetof(info_options, field)

static const cli_option table[] = {
    {"--algos", NULL, "the algorithms", option_flag, AT(algos)},
    {"--machine", NULL, "processor, instruction sets, caches, cores", option_flag, AT(machine)},
    {"--env", NULL, "the DWC_ environment variables and their values", option_flag, AT(env)},
    {"--mpi", NULL,
     "how processes are started and connected; best under\nmpirun, which may be used wrongly in many ways", option_flag,
     AT(mpi)},
    {"--shared", "DIR", "--mpi, and whether all ranks see this directory", option_text, AT(shared)},
    {"--wisdom", NULL, "the files of tuning records, in the order of the search", option_flag, AT(wisdom)},
    {"--json", NULL, "print a JSON object", option_flag, AT(json)},
    OPTIONS_COMMON,
    {0},
};

/* Variables the library knows (dwc_context_options_from_env, dwc_wisdom_path_from_env). */
static const struct {
    const char *name, *meaning;
} variables[] = {
    {"DWC_BIND", "1: threads stay on their cores"},
    {"DWC_ISA", "best instruction set to use: baseline, avx2, avx512, neon, best"},
    {"DWC_THREADS", "number of threads"},
    {"DWC_VERBOSE", "what to report: plan, dispatch, tune, mpi, all"},
    {"DWC_WISDOM", "the file of tuning records"},
};

enum { variable_count = sizeof variables / sizeof *variables };

/* ---- sections ---------------------------------------------------------------------------------------------------- */

static json_t *describe_program(void) {
    return json_pack("{s:s, s:s}", "version", dwc_version(), "build", dwc_build_info());
}

/* Names of the instruction sets up to the best the CPU has, without those of other machine kinds. */
static json_t *describe_sets(dwc_isa best) {
    json_t *names = json_array();
    for (int isa = DWC_ISA_BASELINE; isa <= (int)best; isa++)
        if (dwc_isa_built((dwc_isa)isa))
            json_array_append_new(names, json_string(dwc_isa_name((dwc_isa)isa)));
    return names;
}

static json_t *describe_machine(const dwc_context *context) {
    const dwc_machine *machine = dwc_context_machine(context);
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"family", machine->family},
        {"model", machine->model},
        {"cores", machine->cores},
        {"usable_cores", machine->usable_cores},
        {"threads", dwc_context_threads(context)},
        {"numa_nodes", machine->numa_nodes},
        {"l1d_bytes", machine->l1d_bytes},
        {"l2_bytes", machine->l2_bytes},
        {"l2_cores", machine->l2_cores},
        {"l3_bytes", machine->l3_bytes},
        {"l3_cores", machine->l3_cores},
    };
    json_t *object = json_pack("{s:s, s:s, s:s, s:o}", "cpu", machine->cpu, "vendor", machine->vendor, "isa",
                               dwc_isa_name(machine->isa), "isa_available", describe_sets(machine->best_isa));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new(object, numbers[i].name, json_integer(numbers[i].value));
    json_object_set_new(object, "source", json_string(machine->source));
    return object;
}

static json_t *describe_algos(void) {
    json_t *object = json_object();
    for (int i = 0; i < dwc_algo_count(); i++) {
        dwc_algo_info algo = dwc_algo_get(i);
        json_object_set_new(object, algo.name,
                            json_sprintf("%s%s", algo.description, algo.automatic ? "" : " (only by name)"));
    }
    return object;
}

/* Known variables, null when unset, and any others that start with DWC_: likely misspelt. */
static json_t *describe_env(void) {
    json_t *object = json_object();
    for (int i = 0; i < variable_count; i++)
        json_object_set_new(object, variables[i].name, json_null());
    for (char **entry = environ; entry && *entry; entry++) {
        size_t length = strcspn(*entry, "=");
        char name[64];
        if (strncmp(*entry, "DWC_", 4) || length >= sizeof name || !(*entry)[length])
            continue;
        memcpy(name, *entry, length);
        name[length] = 0;
        json_t *value = json_string(*entry + length + 1);
        json_object_set_new(object, name, value ? value : json_string("(not UTF-8)"));
    }
    return object;
}

/* One file of the search path, as PREFIX, PREFIX_exists, PREFIX_records, and PREFIX_trouble where there is some. */
static void describe_file(json_t *object, const char *prefix, const char *path) {
    dwc_wisdom_report report = {.records = 0};
    dwc_error error;
    dwc_wisdom *wisdom = NULL;
    char name[32];
    const char *trouble = NULL;
    if (*path && (dwc_wisdom_create(&wisdom, &error) || dwc_wisdom_load(wisdom, path, &report, &error)))
        trouble = error.message;
    else if (report.first[0])
        trouble = report.first;
    json_object_set_new(object, prefix, *path ? json_string(path) : json_null());
    snprintf(name, sizeof name, "%s_exists", prefix);
    json_object_set_new(object, name, json_boolean(*path && !access(path, F_OK)));
    snprintf(name, sizeof name, "%s_records", prefix);
    json_object_set_new(object, name, json_integer((json_int_t)report.records));
    snprintf(name, sizeof name, "%s_trouble", prefix);
    if (trouble)
        json_object_set_new(object, name, json_string(trouble));
    dwc_wisdom_destroy(wisdom);
}

static json_t *describe_wisdom(void) {
    json_t *object = json_object();
    char path[4096];
    wisdom_find_path(path, sizeof path);
    describe_file(object, "user", path);
    describe_file(object, "site", dwc_wisdom_site_path());
    return object;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static void print_value(json_t *value, const char *between) {
    size_t i;
    json_t *item;
    if (json_is_string(value))
        printf("%s", json_string_value(value));
    if (json_is_integer(value))
        printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_boolean(value))
        printf("%s", json_is_true(value) ? "yes" : "no");
    if (json_is_null(value))
        printf("(not set)");
    if (json_is_real(value))
        printf("%.3g", json_real_value(value));
    json_array_foreach(value, i, item) printf("%s%s", i ? between : "", json_string_value(item));
    printf("\n");
}

static const char *meaning(const char *name) {
    for (int i = 0; i < variable_count; i++)
        if (!strcmp(name, variables[i].name))
            return variables[i].meaning;
    return NULL;
}

static void print_section(const char *title, json_t *section) {
    const char *name;
    json_t *value;
    printf("%s\n", title);
    json_object_foreach(section, name, value) {
        printf("  %-14s ", name);
        print_value(value, strcmp(name, "advice") ? " " : "\n                 ");
        if (!strcmp(title, "env"))
            printf("  %-14s %s\n", "", meaning(name) ? meaning(name) : "unknown to dwconv, ignored");
    }
}

static int print_report(json_t *report, cli_failure *failure) {
    const char *title;
    json_t *section;
    if (options.json) {
        if (json_dumpf(report, stdout, JSON_INDENT(2)) && !ferror(stdout))
            return fail(failure, EXIT_FAILED, "out of memory for the report");
        printf("\n");
    } else {
        json_object_foreach(report, title, section) print_section(title, section);
    }
    return EXIT_DONE;
}

static int run_info(cli_failure *failure) {
    dwc_context *context;
    options.mpi |= options.shared != NULL;
    int all = !options.algos && !options.machine && !options.env && !options.mpi && !options.wisdom;
    cli_context(&options.common, 0, (dwc_isa)0, NULL, &context, NULL, failure);
    if (team_agree(failure))
        return failure->code;
    json_t *report = json_object(), *mpi = NULL;
    if (all || options.mpi)
        mpi = doctor_describe(context, options.shared, failure);
    json_object_set_new(report, "program", describe_program());
    if (all || options.machine)
        json_object_set_new(report, "machine", describe_machine(context));
    if (all || options.algos)
        json_object_set_new(report, "algos", describe_algos());
    if (all || options.env)
        json_object_set_new(report, "env", describe_env());
    if (mpi)
        json_object_set_new(report, "mpi", mpi);
    if (all || options.wisdom)
        json_object_set_new(report, "wisdom", describe_wisdom());
    int code = team_agree(failure);
    if (!code && team_rank() == 0)
        code = print_report(report, failure);
    json_decref(report);
    dwc_context_destroy(context);
    return code;
}

const cli_command info_command = {
    .name = "info",
    .summary = "describe this build and this machine",
    .usage = "[OPTIONS]",
    .about = "Prints the version and, as asked for, machine, algorithms, environment and the files of tuning\n"
             "records; all of them when nothing is asked for.\n",
    .options = table,
    .values = &options,
    .run = run_info,
    .team = 1,
};
