/* SPDX-License-Identifier: MIT */
/* What the program says on standard error. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/cli.h"

struct style {
    const char *begin, *end;
};

static int in_color(const struct gruc_cli *cli)
{
    if (cli->color != GRUC_COLOR_AUTO)
        return cli->color == GRUC_COLOR_ALWAYS;
    const char *plain = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return (plain == NULL || plain[0] == 0) && isatty(STDERR_FILENO) && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

static struct style style_of(const struct gruc_cli *cli, const char *begin)
{
    return in_color(cli) ? (struct style){begin, "\033[0m"} : (struct style){"", ""};
}

static const char *const level_names[] = {
    [GRUC_LEVEL_NOTE] = "note", [GRUC_LEVEL_WARNING] = "warning", [GRUC_LEVEL_ERROR] = "error"};
static const char *const level_colors[] = {[GRUC_LEVEL_NOTE] = "\033[1;36m",
                                           [GRUC_LEVEL_WARNING] = "\033[1;35m",
                                           [GRUC_LEVEL_ERROR] = "\033[1;31m"};

/* The source line and ^~~~ under the range, one place a character. */
static void print_source(const struct gruc_cli *cli, const struct gruc_diagnostic *diagnostic)
{
    const char *line = diagnostic->source_line;
    fprintf(stderr, "%s\n", line);
    if (diagnostic->column == 0)
        return;
    unsigned column = 1, marked = 0;
    struct style style = style_of(cli, "\033[1;32m");
    const char *c = line;
    for (; *c != 0 && column < diagnostic->column; c++) {
        if (((unsigned char)*c & 0xC0u) == 0x80u)
            continue;
        fputc(*c == '\t' ? '\t' : ' ', stderr);
        column++;
    }
    for (; column < diagnostic->column; column++)
        fputc(' ', stderr);
    fprintf(stderr, "%s^", style.begin);
    for (; *c != 0; c++)
        marked += ((unsigned char)*c & 0xC0u) != 0x80u;
    for (unsigned i = 1; i < diagnostic->length && i < marked; i++)
        fputc('~', stderr);
    fprintf(stderr, "%s\n", style.end);
}

static void print_diagnostic(void *context, const struct gruc_diagnostic *diagnostic)
{
    const struct gruc_cli *cli = context;
    struct style bold = style_of(cli, "\033[1m");
    struct style level = style_of(cli, level_colors[diagnostic->level]);
    fprintf(stderr, "%s%s:", bold.begin, diagnostic->file != NULL ? diagnostic->file : "gruc");
    if (diagnostic->line > 0)
        fprintf(stderr, "%u:", diagnostic->line);
    if (diagnostic->line > 0 && diagnostic->column > 0)
        fprintf(stderr, "%u:", diagnostic->column);
    fprintf(stderr, "%s %s%s:%s %s", bold.end, level.begin, level_names[diagnostic->level],
            level.end, diagnostic->text);
    if (diagnostic->code[0] != 0)
        fprintf(stderr, " [%s]", diagnostic->code);
    fputc('\n', stderr);
    if (diagnostic->line > 0 && diagnostic->source_line != NULL)
        print_source(cli, diagnostic);
}

static void say(const struct gruc_cli *cli, enum gruc_diagnostic_level level, const char *format,
                va_list list)
{
    struct style style = style_of(cli, level_colors[level]);
    fprintf(stderr, "gruc: %s%s:%s ", style.begin, level_names[level], style.end);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
}

int gruc_cli_usage(const char *format, ...)
{
    struct gruc_cli cli = {0};
    va_list list;
    va_start(list, format);
    say(&cli, GRUC_LEVEL_ERROR, format, list);
    va_end(list);
    return GRUC_EXIT_USAGE;
}

void gruc_cli_error(const struct gruc_cli *cli, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say(cli, GRUC_LEVEL_ERROR, format, list);
    va_end(list);
}

void gruc_cli_warning(const struct gruc_cli *cli, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say(cli, GRUC_LEVEL_WARNING, format, list);
    va_end(list);
}

void gruc_cli_note(const struct gruc_cli *cli, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say(cli, GRUC_LEVEL_NOTE, format, list);
    va_end(list);
}

void gruc_cli_progress(const char *text)
{
    const char *terminal = getenv("TERM");
    if (isatty(STDERR_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0)
        fprintf(stderr, "\r\033[K%s", text);
}

static void print_dump(void *context, const char *pass, const char *text)
{
    (void)context;
    fprintf(stderr, "; ---- after %s ----\n%s", pass, text);
}

static void print_time(void *context, const char *phase, double milliseconds)
{
    (void)context;
    fprintf(stderr, "%-24s %9.3f ms\n", phase, milliseconds);
}

void gruc_cli_options(const struct gruc_cli *cli, struct gruc_options *out)
{
    gruc_options_init(out);
    out->diagnostic = print_diagnostic;
    out->diagnostic_context = (void *)(uintptr_t)cli;
    out->weights = cli->weights;
    out->seed = cli->seed;
    out->backend = cli->backend;
    out->target = cli->target;
    out->cpu = cli->cpu;
    out->features = cli->features;
    out->optimization = cli->optimization;
    out->accuracy = cli->accuracy;
    out->weights_type = cli->weights_type;
    out->batch = cli->batch;
    out->steps = cli->steps;
    out->threads = (unsigned)cli->threads;
    out->dump_after = cli->dump_after;
    out->dump = cli->dump_after != NULL ? print_dump : NULL;
    out->time_pass = cli->time_passes ? print_time : NULL;
}

int gruc_cli_exit(const struct gruc_cli *cli, enum gruc_status status)
{
    switch (status) {
    case GRUC_OK:
        return GRUC_EXIT_DONE;
    case GRUC_ERROR_INTERNAL:
        gruc_cli_error(cli, "%s", gruc_status_text(status));
        return GRUC_EXIT_INTERNAL;
    case GRUC_ERROR_UNSUPPORTED:
        return GRUC_EXIT_MISSING;
    case GRUC_ERROR_MEMORY:
        gruc_cli_error(cli, "%s", gruc_status_text(status));
        return GRUC_EXIT_INPUT;
    default:
        return GRUC_EXIT_INPUT;
    }
}

int gruc_cli_flush(const struct gruc_cli *cli, int exit_status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return exit_status;
    gruc_cli_error(cli, "cannot write to standard output: %s", strerror(errno));
    return exit_status == GRUC_EXIT_DONE ? GRUC_EXIT_INPUT : exit_status;
}
