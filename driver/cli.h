/* SPDX-License-Identifier: MIT */
#ifndef GRUC_DRIVER_CLI_H
#define GRUC_DRIVER_CLI_H

/* The command line: what was asked, and how the program talks. */

#include <stdio.h>

#include <gruc/compiler.h>

enum gruc_exit {
    GRUC_EXIT_DONE = 0,
    GRUC_EXIT_INPUT = 1,
    GRUC_EXIT_USAGE = 2,
    GRUC_EXIT_MISMATCH = 3,
    GRUC_EXIT_INTERNAL = 70,
    GRUC_EXIT_MISSING = 77,
};

enum gruc_command_id {
#define GRUC_COMMAND(ID, name, operands, least, most, text) GRUC_COMMAND_##ID,
#include "driver/commands.def"
#undef GRUC_COMMAND
    GRUC_COMMAND_COUNT
};

struct gruc_cli_list {
    const char **items;
    size_t count;
};

enum gruc_color { GRUC_COLOR_AUTO, GRUC_COLOR_ALWAYS, GRUC_COLOR_NEVER };
enum gruc_masks { GRUC_MASKS_RANDOM, GRUC_MASKS_LENGTHS, GRUC_MASKS_FULL };

/* Options at their defaults or as given, fields named in options.def. */
struct gruc_cli {
    enum gruc_command_id command;
    const char *operand; /* NULL: none was given */
    struct gruc_cli_list inputs, outputs, expects, calibrate;
    const char *emit, *backend, *target, *cpu, *features, *weights, *dump_after;
    uint64_t batch, steps, threads, chunk, seed; /* 0: not given */
    double max_abs, seconds;                     /* negative: not given */
    int optimization, accuracy, weights_type, masks, color;
    int time_passes, tune, json, man, completion, help;
};

struct gruc_command {
    const char *name, *operands, *text;
    unsigned least, most;
    int (*run)(const struct gruc_cli *cli); /* answers an enum gruc_exit */
};
const struct gruc_command *gruc_command_describe(enum gruc_command_id id);
/* GRUC_COMMAND_COUNT when there is none of that name. */
enum gruc_command_id gruc_command_find(const char *name);

#define GRUC_COMMAND(ID, name, operands, least, most, text)                                        \
    int gruc_command_##name(const struct gruc_cli *cli);
#include "driver/commands.def"
#undef GRUC_COMMAND

/* ---- options.c ---- */
enum gruc_option_kind {
    GRUC_OPTION_FLAG,
    GRUC_OPTION_TEXT,
    GRUC_OPTION_COUNT,
    GRUC_OPTION_NUMBER,
    GRUC_OPTION_REAL,
    GRUC_OPTION_LIST,
    GRUC_OPTION_CHOICE
};
struct gruc_option {
    const char *name;
    char letter;
    enum gruc_option_kind kind;
    size_t field;
    const char *argument; /* NULL for a flag */
    unsigned commands;    /* bits 1 << enum gruc_command_id */
    const char *text;
};
/* NULL after the last. */
const struct gruc_option *gruc_option_describe(size_t index);

/* Parses what follows the command's name. On a usage error prints it and answers 0. */
int gruc_cli_parse(struct gruc_cli *cli, enum gruc_command_id command, int argc, char **argv);
void gruc_cli_finish(struct gruc_cli *cli);

/* ---- talk.c: on standard error ---- */
/* "gruc: error: ..."; answers GRUC_EXIT_USAGE. */
int gruc_cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
void gruc_cli_error(const struct gruc_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void gruc_cli_note(const struct gruc_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One line that the next one replaces, on a terminal only; "" clears it. */
void gruc_cli_progress(const char *text);
void gruc_cli_warning(const struct gruc_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* libgruc's options as the command line says, diagnostics printed. */
void gruc_cli_options(const struct gruc_cli *cli, struct gruc_options *out);
/* The exit status of a failure, whose words are printed already; of failures that have no
 * diagnostic of their own, such as lack of memory, prints them. */
int gruc_cli_exit(const struct gruc_cli *cli, enum gruc_status status);
/* Flushes standard output; a status of GRUC_EXIT_DONE becomes an error when that fails. */
int gruc_cli_flush(const struct gruc_cli *cli, int exit_status);

/* ---- command_help.c, manual.c ---- */
void gruc_cli_print_help(FILE *file);
void gruc_cli_print_command_help(FILE *file, enum gruc_command_id id);
void gruc_cli_print_manual(FILE *file);
void gruc_cli_print_completion(FILE *file);

#endif
