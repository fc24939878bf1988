/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "driver/cli.h"

enum { TEXT_COLUMN = 30, LAST_COLUMN = 98 };

/* Prints text in the right column, wrapped; at: the column the line stands in. */
static void print_wrapped(FILE *file, const char *text, int at)
{
    if (at >= TEXT_COLUMN - 1) {
        fputc('\n', file);
        at = 0;
    }
    fprintf(file, "%*s", TEXT_COLUMN - at, "");
    at = TEXT_COLUMN;
    while (*text != 0) {
        int word = (int)strcspn(text, " ");
        if (at + word > LAST_COLUMN && at > TEXT_COLUMN) {
            fprintf(file, "\n%*s", TEXT_COLUMN, "");
            at = TEXT_COLUMN;
        }
        at += fprintf(file, "%s%.*s", at > TEXT_COLUMN ? " " : "", word, text);
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', file);
}

void gruc_cli_print_help(FILE *file)
{
    fprintf(file, "usage: gruc COMMAND [OPTIONS]\n"
                  "Compiles GRU models: a YAML description and weights become fast code.\n\n"
                  "commands:\n");
    for (unsigned i = 0; i < GRUC_COMMAND_COUNT; i++) {
        const struct gruc_command *command = gruc_command_describe(i);
        print_wrapped(file, command->text,
                      fprintf(file, "  %s %s", command->name, command->operands));
    }
    fprintf(file, "\n`gruc help COMMAND` lists a command's options, `gruc --version` the version.\n"
                  "exit status: 0 done, 1 input error, 2 usage, 3 numeric mismatch, 70 internal "
                  "error,\n77 back end missing\n");
}

void gruc_cli_print_command_help(FILE *file, enum gruc_command_id id)
{
    const struct gruc_command *command = gruc_command_describe(id);
    const struct gruc_option *option;
    fprintf(file, "usage: gruc %s%s%s [OPTIONS]\n%s\n\noptions:\n", command->name,
            command->operands[0] != 0 ? " " : "", command->operands, command->text);
    for (size_t i = 0; (option = gruc_option_describe(i)) != NULL; i++) {
        if (!(option->commands & (1u << id)))
            continue;
        int at = option->letter != 0 ? fprintf(file, "  -%c, ", option->letter)
                                     : fprintf(file, "      ");
        at += fprintf(file, "--%s", option->name);
        if (option->argument != NULL)
            at += fprintf(file, "=%s", option->argument);
        print_wrapped(file, option->text, at);
    }
}

int gruc_command_help(const struct gruc_cli *cli)
{
    if (cli->man) {
        gruc_cli_print_manual(stdout);
        return GRUC_EXIT_DONE;
    }
    if (cli->completion) {
        gruc_cli_print_completion(stdout);
        return GRUC_EXIT_DONE;
    }
    if (cli->operand == NULL) {
        gruc_cli_print_help(stdout);
        return GRUC_EXIT_DONE;
    }
    enum gruc_command_id id = gruc_command_find(cli->operand);
    if (id == GRUC_COMMAND_COUNT)
        return gruc_cli_usage("there is no command '%s'; see `gruc help`", cli->operand);
    gruc_cli_print_command_help(stdout, id);
    return GRUC_EXIT_DONE;
}
