/* SPDX-License-Identifier: Apache-2.0 */
/* The program dwconv: finds the command, parses its options, runs it and prints its failure.
 *
 *     dwconv COMMAND [OPTIONS]     dwconv help [COMMAND]     dwconv --help     dwconv --version
 *
 * A new command is one file with a `const cli_command` and one line in the table below. */
#include "cli.h"
#include "options.h"
#include "team.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run_help(cli_failure *failure);

typedef struct help_options {
    common_options common;
    const char *topic;
} help_options;

static help_options help_values;

static const cli_option help_table[] = {
    {"COMMAND", "COMMAND", "the command to explain; all are listed without", option_text,
     .offset = offsetof(help_options, topic)},
    OPTIONS_COMMON,
    {0},
};

static const cli_command help_command = {
    .name = "help",
    .summary = "explain the program or a command",
    .usage = "[COMMAND]",
    .about = "Explains a command and its options.\n",
    .options = help_table,
    .values = &help_values,
    .run = run_help,
};

static const cli_command *const commands[] = {&conv_command, &bench_command, &tune_command, &wisdom_command,
                                              &info_command, &check_command, &help_command};
enum { command_count = sizeof commands / sizeof *commands };

static const cli_command *find_command(const char *name) {
    for (int i = 0; i < command_count; i++)
        if (!strcmp(commands[i]->name, name))
            return commands[i];
    return NULL;
}

static void print_overview(void) {
    printf("usage: dwconv COMMAND [OPTIONS]\n\n"
           "Depthwise 2-D convolution on CPUs, as TensorFlow's depthwise_conv2d_native defines it.\n\n"
           "commands:\n");
    for (int i = 0; i < command_count; i++)
        printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
    printf("\n'dwconv help COMMAND' explains a command; 'dwconv --version' prints the version.\n"
           "Exit status: 0 done, 1 failed, 2 bad usage or bad input, 75 stopped on request.\n");
}

static void print_help(const cli_command *command) {
    printf("usage: dwconv %s %s\n\n%s\noptions:\n", command->name, command->usage, command->about);
    options_print(command->options, stdout);
}

static void print_version(void) {
    printf("dwconv %s\n", dwc_version());
}

static int run_help(cli_failure *failure) {
    const cli_command *command = help_values.topic ? find_command(help_values.topic) : NULL;
    if (help_values.topic && !command)
        return fail(failure, EXIT_USAGE, "unknown command '%s'", help_values.topic);
    if (command)
        print_help(command);
    else
        print_overview();
    return EXIT_DONE;
}

static int run_command(const cli_command *command, int argc, char **argv, cli_failure *failure) {
    const common_options *common = command->values;
    failure->command = command->name;
    int code = options_parse(command->options, argc, argv, command->values, failure);
    if (code)
        return code;
    if (!command->stops)
        cli_take_stops();
    if (!common->help && !common->version)
        return team_rank() == 0 || command->team ? command->run(failure) : EXIT_DONE;
    if (common->help && team_rank() == 0)
        print_help(command);
    else if (team_rank() == 0)
        print_version();
    return EXIT_DONE;
}

/* A standard descriptor that is closed would be given to the next file, and messages would end up in the data. */
static void open_standard_files(void) {
    int file;
    do
        file = open("/dev/null", O_RDWR);
    while (file >= 0 && file <= STDERR_FILENO);
    if (file >= 0)
        close(file);
}

static int run(int argc, char **argv, cli_failure *failure) {
    const cli_command *command;
    if (argc < 2)
        return fail(failure, EXIT_USAGE, "no command given; 'dwconv help' lists them");
    if ((command = find_command(argv[1])))
        return run_command(command, argc - 2, argv + 2, failure);
    if (strcmp(argv[1], "--help") && strcmp(argv[1], "--version"))
        return fail(failure, EXIT_USAGE, "unknown command '%s'; 'dwconv help' lists them", argv[1]);
    if (team_rank() > 0)
        return EXIT_DONE;
    if (!strcmp(argv[1], "--help"))
        print_overview();
    else
        print_version();
    return EXIT_DONE;
}

/* Of several ranks one speaks. */
int main(int argc, char **argv) {
    static cli_failure failure;

    cli_hold_stops();
    open_standard_files();
    /* A file-size limit shall be an error of the write, not a signal that leaves a partial file behind. */
    signal(SIGXFSZ, SIG_IGN);
    int code = team_start(&failure);
    if (!code)
        code = run(argc, argv, &failure);
    int lost = cli_flush_output(&failure);
    if (failure.code && team_rank() == 0)
        cli_say(&failure, failure.text);
    team_finish();
    return code ? code : lost;
}
