/* SPDX-License-Identifier: MIT */
#include "tests/golden/case.h"

#include <dirent.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t test_cases_find(const char *folder, const char *part, char ***names)
{
    size_t count = 0, room = 0;
    *names = NULL;
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length < 6 || strcmp(entry->d_name + length - 5, ".yaml") != 0 ||
            (part != NULL && strstr(entry->d_name, part) == NULL))
            continue;
        if (count == room) {
            room = room == 0 ? 256 : room * 2;
            char **larger = realloc(*names, room * sizeof **names);
            if (larger == NULL)
                break;
            *names = larger;
        }
        (*names)[count] = strndup(entry->d_name, length - 5);
        count += (*names)[count] != NULL;
    }
    closedir(directory);
    if (count > 0)
        qsort(*names, count, sizeof **names, by_name);
    return count;
}

int test_case_open(const char *folder, const char *name, struct test_case *out)
{
    *out = (struct test_case){0};
    char io[TEST_PATH_BYTES];
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->path, sizeof out->path, "%s/%s.yaml", folder, name);
    snprintf(io, sizeof io, "%s/%s.io.npz", folder, name);
    out->text = test_file_read(out->path, &out->length);
    if (out->text == NULL) {
        printf("not ok golden %s: the model cannot be read\n", name);
        return 0;
    }
    out->stateful = strstr(out->text, "stateful: true") != NULL;
    if (test_calls_read(io, &out->calls))
        return 1;
    test_case_close(out);
    return 0;
}

void test_case_close(struct test_case *item)
{
    free(item->text);
    item->text = NULL;
    test_calls_finish(&item->calls);
}

static void listen(void *context, const struct gruc_diagnostic *diagnostic)
{
    struct test_listener *listener = context;
    if (diagnostic->level == GRUC_LEVEL_ERROR && listener->text[0] == '\0')
        snprintf(listener->text, sizeof listener->text, "%u:%u: %s [%s]", diagnostic->line,
                 diagnostic->column, diagnostic->text, diagnostic->code);
}

void test_options(struct gruc_options *options, struct test_listener *listener)
{
    static const char *const types[] = {"auto", "f32", "bf16", "f16", "int8"};
    const char *wanted = getenv("GRUC_TEST_WEIGHTS");
    gruc_options_init(options);
    for (size_t i = 0; wanted != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(wanted, types[i]) == 0)
            options->weights_type = (enum gruc_weights_type)i;
    listener->text[0] = '\0';
    options->diagnostic = listen;
    options->diagnostic_context = listener;
}

struct grt_module *test_jit(const char *path, const char *text, size_t length,
                            const struct gruc_options *options)
{
    struct gruc_model_handle *model = NULL;
    struct grt_module *module = NULL;
    enum gruc_status status = gruc_model_parse(path, text, length, options, &model);
    if (status == GRUC_OK)
        status = gruc_model_jit(model, options, &module);
    struct test_listener *listener = options->diagnostic_context;
    if (status != GRUC_OK && listener->text[0] == '\0')
        snprintf(listener->text, sizeof listener->text, "%s", gruc_status_text(status));
    gruc_model_destroy(model);
    return module;
}

int test_emit(const struct test_case *item, const struct gruc_options *options,
              enum gruc_emit emit, const char *path)
{
    struct gruc_model_handle *model = NULL;
    enum gruc_status status =
        gruc_model_parse(item->path, item->text, item->length, options, &model);
    if (status == GRUC_OK)
        status = gruc_model_emit(model, options, emit, path);
    struct test_listener *listener = options->diagnostic_context;
    if (status != GRUC_OK && listener->text[0] == '\0')
        snprintf(listener->text, sizeof listener->text, "%s", gruc_status_text(status));
    gruc_model_destroy(model);
    return status == GRUC_OK;
}

enum { ARGUMENT_BYTES = TEST_PATH_BYTES + 2 * TEST_NAME_BYTES };

static int run_program(char *const *arguments, char *text)
{
    pid_t child;
    int status = 0;
    if (posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) != 0 ||
        waitpid(child, &status, 0) != child) {
        snprintf(text, TEST_TEXT_BYTES, "%s cannot be started", arguments[0]);
        return 0;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 1;
    snprintf(text, TEST_TEXT_BYTES, "the program ended with status %#x", (unsigned)status);
    return 0;
}

int test_exe_run(const char *program, const char *folder, const struct test_call *call,
                 const struct gruc_module_info *info, struct test_call *out, char *text)
{
    static char storage[4 * TEST_MAX_PORTS][ARGUMENT_BYTES];
    char *arguments[4 * TEST_MAX_PORTS + 2] = {(char *)(uintptr_t)program};
    char file[TEST_PATH_BYTES];
    size_t count = 1;
    const char *error = NULL;
    for (size_t i = 0; i < call->n_inputs; i++) {
        snprintf(file, sizeof file, "%s/in%zu.npy", folder, i);
        snprintf(text, TEST_TEXT_BYTES, "cannot write %s", file);
        if (gruc_npy_write(file, &call->inputs[i].array, &error) != GRUC_OK)
            return 0;
        snprintf(storage[count], ARGUMENT_BYTES, "--input=%s=%s", call->inputs[i].name, file);
        arguments[count] = storage[count];
        count++;
    }
    const struct gruc_tensor_info *tensors = gruc_module_tensors(info) + info->n_inputs;
    for (size_t i = 0; i < info->n_outputs; i++) {
        snprintf(storage[count], ARGUMENT_BYTES, "--output=%s=%s/out%zu.npy", tensors[i].name,
                 folder, i);
        arguments[count] = storage[count];
        count++;
    }
    arguments[count] = NULL;
    out->n_inputs = out->n_outputs = 0;
    if (!run_program(arguments, text))
        return 0;
    for (size_t i = 0; i < info->n_outputs; i++) {
        struct test_port *port = &out->outputs[i];
        snprintf(file, sizeof file, "%s/out%zu.npy", folder, i);
        snprintf(port->name, sizeof port->name, "%s", tensors[i].name);
        if (gruc_npy_read(file, 0, &port->array, &error) != GRUC_OK) {
            snprintf(text, TEST_TEXT_BYTES, "%s: %s", file, error);
            test_call_finish(out);
            return 0;
        }
        unlink(file);
        out->n_outputs++;
    }
    return 1;
}
