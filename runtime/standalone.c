/* SPDX-License-Identifier: MIT */
/* The main function of a standalone program. */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/file.h"
#include "runtime/module.h"
#include "runtime/stream.h"
#include "runtime/words.h"

enum { EXIT_INPUT = 1, EXIT_USAGE = 2, TEXT_ROOM = 2048 };
enum { OPTION_INPUT = 1, OPTION_OUTPUT, OPTION_CHUNK, OPTION_THREADS, OPTION_INFO, OPTION_HELP };

struct program {
    const char *name;
    const struct grt_module *module;
    const struct gruc_module_info *info;
    struct grt_feed_options options;
    struct gruc_array *inputs, *outputs;
    const char **input_paths, **output_paths; /* NULL: not given */
    unsigned char *input_taken, *output_taken;
    int files;  /* --input or --output was given */
    int show_info;
    int print_failed; /* on standard output */
    char error[GRT_FEED_ERROR_BYTES];
};

/* Text on a standard stream, without what stdio would add to the program's size. */
static void print(struct program *program, int descriptor, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void print(struct program *program, int descriptor, const char *format, ...)
{
    char text[TEXT_ROOM];
    const char *words;
    struct grt_file file = {.descriptor = descriptor};
    va_list list;
    va_start(list, format);
    size_t length = grt_words_vformat(text, sizeof text, format, list);
    va_end(list);
    if (grt_file_write(&file, text, length, &words) != GRUC_OK && descriptor == STDOUT_FILENO)
        program->print_failed = 1;
}

static int complain(struct program *program, int exit_status)
{
    print(program, STDERR_FILENO, "%s: error: %s\n", program->name, program->error);
    return exit_status;
}

static void print_help(struct program *program)
{
    print(program, STDOUT_FILENO,
          "usage: %s [--input [NAME=]FILE.npy]... [--output [NAME=]FILE.npy]... [options]\n"
          "Runs the model '%s'. Without --input and --output: raw little-endian float32 from\n"
          "standard input to standard output. '-' is standard input or output.\n"
          "  --chunk=N    N steps a call, with the state kept from call to call\n"
          "  --threads=N  share the rows of a batch among N threads\n"
          "  --info       what the model takes and gives\n"
          "  --help       this text\n",
          program->name, program->info->name);
}

static void print_tensor(struct program *program, const char *kind,
                         const struct gruc_tensor_info *tensor)
{
    static const char *const dtypes[] = {"float32", "int32", "bool"};
    print(program, STDOUT_FILENO, "%s %s %s (", kind, tensor->name, dtypes[tensor->dtype]);
    for (uint32_t i = 0; i < tensor->rank; i++) {
        int64_t dim = tensor->dims[i];
        const char *comma = i == 0 ? "" : ", ";
        if (dim == GRUC_DIM_BATCH)
            print(program, STDOUT_FILENO, "%sbatch", comma);
        else if (grt_dim_symbol(dim) == 0)
            print(program, STDOUT_FILENO, "%ssteps", comma);
        else if (dim < 0)
            print(program, STDOUT_FILENO, "%ssteps%d", comma, grt_dim_symbol(dim));
        else
            print(program, STDOUT_FILENO, "%s%" PRId64, comma, dim);
    }
    print(program, STDOUT_FILENO, ")\n");
}

static void print_info(struct program *program)
{
    const struct gruc_module_info *info = program->info;
    print(program, STDOUT_FILENO, "model %s\n", info->name);
    if (info->batch != 0)
        print(program, STDOUT_FILENO, "batch %" PRIu64 "\n", info->batch);
    for (uint32_t i = 0; i < info->n_inputs; i++)
        print_tensor(program, "input", grt_module_input(info, i));
    for (uint32_t i = 0; i < info->n_outputs; i++)
        print_tensor(program, "output", grt_module_output(info, i));
    for (uint32_t i = 0; i < info->n_states; i++)
        print_tensor(program, "state", grt_module_state(info, i));
    print(program, STDOUT_FILENO, "state bytes %" PRIu64 " a row\n", info->state_bytes);
}

/* A number from 1 to most. */
static int parse_count(struct program *program, const char *option, const char *text,
                       uint64_t most, uint64_t *out)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && value <= most; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    if (*at == '\0' && value > 0 && value <= most) {
        *out = value;
        return 1;
    }
    grt_words_format(program->error, sizeof program->error,
                     "--%s wants a number from 1 to %" PRIu64 ", not '%s'", option, most, text);
    return 0;
}

static int parse_file(struct program *program, int is_input, const char *argument)
{
    const struct gruc_module_info *info = program->info;
    uint32_t index;
    const char *path;
    program->files = 1;
    enum gruc_status status =
        is_input ? grt_feed_argument(grt_module_input(info, 0), info->n_inputs, "input", argument,
                                     program->input_taken, &index, &path, program->error)
                 : grt_feed_argument(grt_module_output(info, 0), info->n_outputs, "output",
                                     argument, program->output_taken, &index, &path,
                                     program->error);
    if (status == GRUC_OK)
        (is_input ? program->input_paths : program->output_paths)[index] = path;
    return status == GRUC_OK;
}

/* 0: go on; else the exit status plus one. */
static int parse_options(struct program *program, int argc, char **argv)
{
    static const struct option table[] = {{"input", required_argument, NULL, OPTION_INPUT},
                                          {"output", required_argument, NULL, OPTION_OUTPUT},
                                          {"chunk", required_argument, NULL, OPTION_CHUNK},
                                          {"threads", required_argument, NULL, OPTION_THREADS},
                                          {"info", no_argument, NULL, OPTION_INFO},
                                          {"help", no_argument, NULL, OPTION_HELP},
                                          {NULL, 0, NULL, 0}};
    uint64_t threads = 1;
    int option, good = 1;
    while (good && (option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == OPTION_INPUT || option == OPTION_OUTPUT)
            good = parse_file(program, option == OPTION_INPUT, optarg);
        else if (option == OPTION_CHUNK)
            good = parse_count(program, "chunk", optarg, INT64_MAX, &program->options.chunk);
        else if (option == OPTION_THREADS)
            good = parse_count(program, "threads", optarg, 1024, &threads);
        else if (option == OPTION_INFO)
            program->show_info = 1;
        else if (option == OPTION_HELP) {
            print_help(program);
            return 1 + EXIT_SUCCESS;
        } else
            return 1 + EXIT_USAGE; /* getopt_long has said why */
    }
    program->options.threads = (unsigned)threads;
    if (good && optind < argc) {
        grt_words_format(program->error, sizeof program->error, "unexpected argument '%s'",
                         argv[optind]);
        good = 0;
    }
    return good ? 0 : 1 + complain(program, EXIT_USAGE);
}

static int check_files(struct program *program)
{
    int outputs = 0;
    for (uint32_t i = 0; i < program->info->n_inputs; i++)
        if (program->input_paths[i] == NULL) {
            grt_words_format(program->error, sizeof program->error, "input '%s' is missing",
                             grt_module_input(program->info, i)->name);
            return 0;
        }
    for (uint32_t i = 0; i < program->info->n_outputs; i++)
        outputs += program->output_paths[i] != NULL;
    if (outputs == 0)
        grt_words_format(program->error, sizeof program->error, "no --output is given");
    return outputs > 0;
}

static int write_outputs(struct program *program)
{
    for (uint32_t i = 0; i < program->info->n_outputs; i++) {
        const char *words;
        const char *path = program->output_paths[i];
        if (path == NULL || gruc_npy_write(path, &program->outputs[i], &words) == GRUC_OK)
            continue;
        grt_words_format(program->error, sizeof program->error, "%s: %s", path, words);
        return complain(program, EXIT_INPUT);
    }
    return EXIT_SUCCESS;
}

static int run_files(struct program *program)
{
    if (!check_files(program))
        return complain(program, EXIT_USAGE);
    for (uint32_t i = 0; i < program->info->n_inputs; i++)
        if (grt_feed_read(grt_module_input(program->info, i), program->input_paths[i],
                          &program->inputs[i], program->error) != GRUC_OK)
            return complain(program, EXIT_INPUT);
    if (grt_feed(program->module, program->inputs, &program->options, program->outputs,
                 program->error) != GRUC_OK)
        return complain(program, EXIT_INPUT);
    return write_outputs(program);
}

static int run_program(struct program *program, int argc, char **argv)
{
    int done = parse_options(program, argc, argv);
    if (done != 0)
        return done - 1;
    if (program->show_info) {
        print_info(program);
        return EXIT_SUCCESS;
    }
    if (program->options.chunk != 0 && (program->info->flags & GRUC_MODULE_BACKWARD))
        print(program, STDERR_FILENO,
              "%s: warning: a layer reads the sequence from its end; with --chunk it does so "
              "within each chunk\n", program->name);
    if (program->files)
        return run_files(program);
    enum gruc_status status = grt_stream_run(program->module, &program->options, program->error);
    if (status == GRUC_OK)
        return EXIT_SUCCESS;
    return complain(program, status == GRUC_ERROR_ARGUMENT ? EXIT_USAGE : EXIT_INPUT);
}

static int allocate(struct program *program)
{
    uint32_t inputs = program->info->n_inputs, outputs = program->info->n_outputs;
    program->inputs = calloc(inputs, sizeof *program->inputs);
    program->outputs = calloc(outputs, sizeof *program->outputs);
    program->input_paths = calloc(inputs, sizeof *program->input_paths);
    program->output_paths = calloc(outputs, sizeof *program->output_paths);
    program->input_taken = calloc(inputs, 1);
    program->output_taken = calloc(outputs, 1);
    return program->inputs != NULL && program->outputs != NULL && program->input_paths != NULL &&
           program->output_paths != NULL && program->input_taken != NULL &&
           program->output_taken != NULL;
}

static void release(struct program *program)
{
    for (uint32_t i = 0; program->inputs != NULL && i < program->info->n_inputs; i++)
        gruc_array_finish(&program->inputs[i]);
    for (uint32_t i = 0; program->outputs != NULL && i < program->info->n_outputs; i++)
        gruc_array_finish(&program->outputs[i]);
    free(program->inputs);
    free(program->outputs);
    free(program->input_paths);
    free(program->output_paths);
    free(program->input_taken);
    free(program->output_taken);
}

int grt_standalone_main(int argc, char **argv, gruc_describe_function describe,
                        gruc_run_function run)
{
    struct program program = {.name = argc > 0 ? argv[0] : "model"};
    struct grt_module *module;
    enum gruc_status status = grt_module_create(describe, run, NULL, NULL, &module);
    if (status != GRUC_OK) {
        grt_words_format(program.error, sizeof program.error, "%s", gruc_status_text(status));
        return complain(&program, EXIT_INPUT);
    }
    program.module = module;
    program.info = grt_module_info(module);
    int exit_status;
    if (allocate(&program))
        exit_status = run_program(&program, argc, argv);
    else {
        grt_words_format(program.error, sizeof program.error, "out of memory");
        exit_status = complain(&program, EXIT_INPUT);
    }
    if (program.print_failed && exit_status == EXIT_SUCCESS) {
        grt_words_format(program.error, sizeof program.error,
                         "standard output cannot be written");
        exit_status = complain(&program, EXIT_INPUT);
    }
    release(&program);
    grt_module_destroy(module);
    return exit_status;
}
