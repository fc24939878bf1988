/* SPDX-License-Identifier: MIT */
/* The manual page and the completion, made from the tables of commands and options. */
#include <string.h>

#include "driver/cli.h"

/* Text for troff: '-' stays a minus, a line never begins with a request. */
static void print_troff(FILE *file, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", file);
    for (; *text != 0; text++) {
        if (*text == '-')
            fputs("\\-", file);
        else if (*text == '\\')
            fputs("\\e", file);
        else
            fputc(*text, file);
    }
}

static void print_option(FILE *file, const struct gruc_option *option)
{
    fputs(".TP\n\\fB", file);
    if (option->letter != 0)
        fprintf(file, "\\-%c\\fR, \\fB", option->letter);
    fputs("\\-\\-", file);
    print_troff(file, option->name);
    fputs("\\fR", file);
    if (option->argument != NULL) {
        fputs("=\\fI", file);
        print_troff(file, option->argument);
        fputs("\\fR", file);
    }
    fputc('\n', file);
    print_troff(file, option->text);
    fputc('\n', file);
}

void gruc_cli_print_manual(FILE *file)
{
    const struct gruc_option *option;
    fprintf(file,
            ".TH GRUC 1 \"\" \"gruc %s\"\n.SH NAME\ngruc \\- compiler for GRU models\n"
            ".SH SYNOPSIS\n\\fBgruc\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n",
            gruc_version());
    for (unsigned id = 0; id < GRUC_COMMAND_COUNT; id++) {
        const struct gruc_command *command = gruc_command_describe(id);
        fputs(".SH ", file);
        for (const char *c = command->name; *c != 0; c++)
            fputc(*c - 'a' + 'A', file);
        fprintf(file, "\n\\fBgruc %s\\fR \\fI%s\\fR\n.PP\n", command->name, command->operands);
        print_troff(file, command->text);
        fputc('\n', file);
        for (size_t i = 0; (option = gruc_option_describe(i)) != NULL; i++) {
            if (option->commands & (1u << id))
                print_option(file, option);
        }
    }
    fputs(".SH EXIT STATUS\n0 done, 1 input error, 2 usage, 3 numeric mismatch, 70 internal "
          "error,\n77 back end missing.\n",
          file);
}

static void print_choices(FILE *file, const char *words)
{
    for (; *words != 0; words++)
        fputc(*words == '|' ? ' ' : *words, file);
}

void gruc_cli_print_completion(FILE *file)
{
    const struct gruc_option *option;
    fputs("_gruc() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
          "    if [ \"$COMP_CWORD\" = 1 ]; then\n        words='",
          file);
    for (unsigned id = 0; id < GRUC_COMMAND_COUNT; id++)
        fprintf(file, "%s%s", id > 0 ? " " : "", gruc_command_describe(id)->name);
    fputs("'\n    else\n"
          "        if [ \"$word\" = '=' ]; then\n"
          "            word=\n"
          "        elif [ \"$before\" = '=' ]; then\n"
          "            before=${COMP_WORDS[COMP_CWORD-2]}\n"
          "        fi\n"
          "        case $before in\n",
          file);
    for (size_t i = 0; (option = gruc_option_describe(i)) != NULL; i++) {
        if (option->kind != GRUC_OPTION_CHOICE)
            continue;
        fprintf(file, "        --%s) words='", option->name);
        print_choices(file, option->argument);
        fputs("' ;;\n", file);
    }
    fputs("        *) case ${COMP_WORDS[1]} in\n", file);
    for (unsigned id = 0; id < GRUC_COMMAND_COUNT; id++) {
        fprintf(file, "            %s) words='", gruc_command_describe(id)->name);
        for (size_t i = 0; (option = gruc_option_describe(i)) != NULL; i++) {
            if (option->commands & (1u << id))
                fprintf(file, "--%s%s ", option->name, option->argument != NULL ? "=" : "");
        }
        fputs("' ;;\n", file);
    }
    fputs("            esac ;;\n"
          "        esac\n"
          "    fi\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
          "    [ \"$COMP_CWORD\" != 1 ] && [ \"${word#-}\" = \"$word\" ] &&\n"
          "        COMPREPLY+=($(compgen -f -- \"$word\"))\n"
          "    return 0\n}\ncomplete -o nospace -F _gruc gruc\n",
          file);
}
