/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <string.h>

#include "driver/cli.h"
#include "ir/base/diag.h"

static const struct gruc_command commands[GRUC_COMMAND_COUNT] = {
#define GRUC_COMMAND(ID, name, operands, least, most, text)                                        \
    [GRUC_COMMAND_##ID] = {#name, operands, text, least, most, gruc_command_##name},
#include "driver/commands.def"
#undef GRUC_COMMAND
};

const struct gruc_command *gruc_command_describe(enum gruc_command_id id)
{
    return &commands[id];
}

enum gruc_command_id gruc_command_find(const char *name)
{
    unsigned id = 0;
    while (id < GRUC_COMMAND_COUNT && strcmp(commands[id].name, name) != 0)
        id++;
    return (enum gruc_command_id)id;
}

static int complain_unknown(const char *name)
{
    struct gruc_suggestion suggestion;
    gruc_suggest_begin(&suggestion, name);
    for (unsigned i = 0; i < GRUC_COMMAND_COUNT; i++)
        gruc_suggest_offer(&suggestion, commands[i].name);
    if (suggestion.best != NULL)
        return gruc_cli_usage("there is no command '%s'; did you mean '%s'?", name,
                              suggestion.best);
    return gruc_cli_usage("there is no command '%s'; see `gruc help`", name);
}

static int run_command(enum gruc_command_id id, int argc, char **argv)
{
    struct gruc_cli cli;
    int exit_status = GRUC_EXIT_USAGE;
    if (gruc_cli_parse(&cli, id, argc, argv)) {
        exit_status = GRUC_EXIT_DONE;
        if (cli.help)
            gruc_cli_print_command_help(stdout, id);
        else
            exit_status = commands[id].run(&cli);
        exit_status = gruc_cli_flush(&cli, exit_status);
    }
    gruc_cli_finish(&cli);
    return exit_status;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write */
    if (argc < 2) {
        gruc_cli_print_help(stderr);
        return GRUC_EXIT_USAGE;
    }
    struct gruc_cli none = {0};
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("gruc %s\n", gruc_version());
        return gruc_cli_flush(&none, GRUC_EXIT_DONE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        gruc_cli_print_help(stdout);
        return gruc_cli_flush(&none, GRUC_EXIT_DONE);
    }
    enum gruc_command_id id = gruc_command_find(argv[1]);
    return id == GRUC_COMMAND_COUNT ? complain_unknown(argv[1])
                                    : run_command(id, argc - 1, argv + 1);
}
