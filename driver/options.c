/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "driver/cli.h"
#include "ir/base/diag.h"

#define IN(COMMAND) (1u << GRUC_COMMAND_##COMMAND)
#define IN_ALL (~0u)

static const struct gruc_option options[] = {
#define GRUC_CLI_OPTION(name, letter, KIND, field, argument, commands, text)                       \
    {name, letter, GRUC_OPTION_##KIND, offsetof(struct gruc_cli, field), argument, commands, text},
#include "driver/options.def"
#undef GRUC_CLI_OPTION
};

enum { OPTIONS = sizeof options / sizeof options[0], FIRST_VALUE = 256 };

const struct gruc_option *gruc_option_describe(size_t index)
{
    return index < OPTIONS ? &options[index] : NULL;
}

static int known_to(const struct gruc_option *option, enum gruc_command_id command)
{
    return (option->commands & (1u << command)) != 0;
}

/* Which of the words "a|b|c" text is, -1: none. */
static int choice_index(const char *words, const char *text)
{
    size_t length = strlen(text);
    for (int index = 0;; index++) {
        size_t word = strcspn(words, "|");
        if (word == length && memcmp(words, text, length) == 0)
            return index;
        if (words[word] == 0)
            return -1;
        words += word + 1;
    }
}

static int parse_whole(const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    *out = value;
    return text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0;
}

static int parse_real(const char *text, double *out)
{
    char *end = NULL;
    *out = strtod(text, &end);
    return end != text && *end == 0 && isfinite(*out) && *out >= 0;
}

static int append_item(struct gruc_cli_list *list, const char *item)
{
    const char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (items == NULL)
        return 0;
    items[list->count++] = item;
    list->items = items;
    return 1;
}

/* Stores an option's argument; NULL or what would have been right. */
static const char *store(const struct gruc_option *option, const char *text, struct gruc_cli *cli)
{
    void *field = (char *)cli + option->field;
    switch (option->kind) {
    case GRUC_OPTION_FLAG:
        *(int *)field = 1;
        return NULL;
    case GRUC_OPTION_TEXT:
        *(const char **)field = text;
        return NULL;
    case GRUC_OPTION_COUNT:
        return parse_whole(text, field) && *(uint64_t *)field > 0 ? NULL : "a number from 1 on";
    case GRUC_OPTION_NUMBER:
        return parse_whole(text, field) ? NULL : "a number from 0 on";
    case GRUC_OPTION_REAL:
        return parse_real(text, field) ? NULL : "a number from 0 on";
    case GRUC_OPTION_LIST:
        return append_item(field, text) ? NULL : "more memory";
    case GRUC_OPTION_CHOICE:
        *(int *)field = choice_index(option->argument, text);
        return *(int *)field >= 0 ? NULL : option->argument;
    }
    return NULL;
}

static void make_getopt(enum gruc_command_id command, struct option *longs, char *letters)
{
    *letters++ = ':';
    for (size_t i = 0; i < OPTIONS; i++) {
        if (!known_to(&options[i], command))
            continue;
        int has_argument = options[i].argument != NULL;
        *longs++ = (struct option){options[i].name, has_argument ? required_argument : no_argument,
                                   NULL, FIRST_VALUE + (int)i};
        if (options[i].letter == 0)
            continue;
        *letters++ = options[i].letter;
        if (has_argument)
            *letters++ = ':';
    }
    *longs = (struct option){0};
    *letters = 0;
}

static int complain_unknown(enum gruc_command_id command, const char *word)
{
    struct gruc_suggestion suggestion;
    char name[64] = "";
    size_t length = strcspn(word, "=");
    if (strncmp(word, "--", 2) == 0 && length - 2 < sizeof name)
        memcpy(name, word + 2, length - 2);
    gruc_suggest_begin(&suggestion, name);
    for (size_t i = 0; i < OPTIONS; i++) {
        if (known_to(&options[i], command))
            gruc_suggest_offer(&suggestion, options[i].name);
    }
    const char *command_name = gruc_command_describe(command)->name;
    if (name[0] != 0 && suggestion.best != NULL)
        gruc_cli_usage("%s has no option '%.*s'; did you mean '--%s'?", command_name, (int)length,
                       word, suggestion.best);
    else
        gruc_cli_usage("%s has no option '%.*s'; see `gruc help %s`", command_name, (int)length,
                       word, command_name);
    return 0;
}

static const struct gruc_option *find_option(int value)
{
    if (value >= FIRST_VALUE)
        return &options[value - FIRST_VALUE];
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].letter == value)
            return &options[i];
    }
    return NULL;
}

static int parse_options(struct gruc_cli *cli, int argc, char **argv)
{
    struct option longs[OPTIONS + 1];
    char letters[2 * OPTIONS + 2];
    make_getopt(cli->command, longs, letters);
    optind = 0;
    opterr = 0;
    for (;;) {
        int before = optind == 0 ? 1 : optind;
        int value = getopt_long(argc, argv, letters, longs, NULL);
        if (value == -1)
            return 1;
        if (value == ':') {
            gruc_cli_usage("'%s' needs an argument", argv[optind - 1]);
            return 0;
        }
        if (value == '?')
            return complain_unknown(cli->command, argv[optind > before ? optind - 1 : before]);
        const struct gruc_option *option = find_option(value);
        const char *wanted = store(option, optarg, cli);
        if (wanted != NULL) {
            gruc_cli_usage("--%s is '%s', which is not %s%s", option->name, optarg,
                           option->kind == GRUC_OPTION_CHOICE ? "one of " : "", wanted);
            return 0;
        }
    }
}

/* What --tune cannot go with: it measures what this machine runs. */
static int check_tune(const struct gruc_cli *cli)
{
    const char *cpu = cli->cpu, *backend = cli->backend;
    if (!cli->tune)
        return 1;
    if (cli->target != NULL || (cpu != NULL && strcmp(cpu, "native") != 0))
        gruc_cli_usage("--tune measures on this machine, so it cannot go with --%s",
                       cli->target != NULL ? "target" : "cpu");
    else if (backend != NULL && strcmp(backend, "auto") != 0 && strcmp(backend, "cpu") != 0)
        gruc_cli_usage("--tune is for the cpu back end, not for '%s'", backend);
    else
        return 1;
    return 0;
}

int gruc_cli_parse(struct gruc_cli *cli, enum gruc_command_id command, int argc, char **argv)
{
    *cli = (struct gruc_cli){.command = command, .optimization = 2, .max_abs = -1, .seconds = -1};
    if (!parse_options(cli, argc, argv))
        return 0;
    const struct gruc_command *row = gruc_command_describe(command);
    unsigned operands = (unsigned)(argc - optind);
    cli->operand = operands > 0 ? argv[optind] : NULL;
    if (cli->help || (operands >= row->least && operands <= row->most))
        return cli->help || check_tune(cli);
    if (operands > row->most)
        gruc_cli_usage("'%s' is one operand too many; see `gruc help %s`", argv[optind + row->most],
                       row->name);
    else
        gruc_cli_usage("%s needs %s; see `gruc help %s`", row->name, row->operands, row->name);
    return 0;
}

void gruc_cli_finish(struct gruc_cli *cli)
{
    free(cli->inputs.items);
    free(cli->outputs.items);
    free(cli->expects.items);
    free(cli->calibrate.items);
}
