/* SPDX-License-Identifier: MIT */
/* For each golden case: an object for a target and, unless it is there, a file with its inputs and
 * the outputs that this machine computes, for object_runner.c. Prints "NAME FUNCTIONS" a case: the
 * prefix of the object's functions. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/golden/case.h"
#include "tests/support/pool.h"

struct run {
    const char *folder, *calls, *out, *target, *cpu;
    char **names;
};

static void put(FILE *file, const void *bytes, size_t length)
{
    if (length > 0 && fwrite(bytes, 1, length, file) != length)
        exit(1); /* the pool reports it */
}

static void put_number(FILE *file, uint64_t number)
{
    put(file, &number, sizeof number);
}

static int write_calls(const struct test_case *item, const struct grt_module *module, FILE *file)
{
    const struct gruc_module_info *info = grt_module_info(module);
    const struct gruc_tensor_info *tensors = gruc_module_tensors(info);
    size_t count = item->calls.count;
    struct test_call *outs = calloc(count, sizeof *outs);
    struct test_way way = {1, 0};
    const char *error = NULL;
    int good = outs != NULL &&
               test_run_all(module, &way, item->calls.items, count, outs, &error) == GRUC_OK;
    put_number(file, good ? count : 0);
    for (size_t i = 0; good && i < count; i++) {
        for (uint32_t k = 0; k < info->n_inputs; k++) {
            struct gruc_array array;
            const struct test_port *port = test_port_find(
                item->calls.items[i].inputs, item->calls.items[i].n_inputs, tensors[k].name);
            if (gruc_array_convert(&port->array, (enum gruc_dtype)tensors[k].dtype, &array) !=
                GRUC_OK)
                exit(1);
            put_number(file, array.rank);
            put(file, array.dims, sizeof array.dims);
            put_number(file, array.bytes);
            put(file, array.data, array.bytes);
            gruc_array_finish(&array);
        }
        for (size_t k = 0; k < outs[i].n_outputs; k++) {
            put_number(file, outs[i].outputs[k].array.bytes);
            put(file, outs[i].outputs[k].array.data, outs[i].outputs[k].array.bytes);
        }
        test_call_finish(&outs[i]);
    }
    free(outs);
    return good;
}

/* The calls of a case with their outputs by AVX2 code in this process. */
static int make_calls(const struct run *run, const struct test_case *item,
                      const struct gruc_options *options)
{
    char path[TEST_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s.calls", run->calls, item->name);
    if (access(path, F_OK) == 0)
        return 1;
    struct gruc_options here = *options;
    here.cpu = "x86-64-v3";
    struct grt_module *module = test_jit(item->path, item->text, item->length, &here);
    FILE *file = module == NULL ? NULL : fopen(path, "wb");
    int good = file != NULL && write_calls(item, module, file);
    good = file != NULL && fclose(file) == 0 && good;
    grt_module_destroy(module);
    return good;
}

static void emit_case(void *context, size_t index)
{
    struct run *run = context;
    struct test_case item;
    char path[TEST_PATH_BYTES];
    struct test_listener listener;
    struct gruc_options options;
    test_pool_note("object %s %s", run->target, run->names[index]);
    if (!test_case_open(run->folder, run->names[index], &item))
        return;
    test_options(&options, &listener);
    options.backend = "ref"; /* fast, and serves to know the name */
    struct grt_module *module = test_jit(item.path, item.text, item.length, &options);
    options.backend = "cpu";
    int good = module != NULL && make_calls(run, &item, &options);
    options.target = run->target;
    options.cpu = run->cpu;
    snprintf(path, sizeof path, "%s/%s.o", run->out, item.name);
    good = good && test_emit(&item, &options, GRUC_EMIT_OBJ, path);
    if (good)
        printf("%s %s\n", item.name, grt_module_info(module)->name);
    else
        printf("not ok object %s %s: %s\n", run->target, item.name,
               listener.text[0] == '\0' ? "its calls cannot be run or written" : listener.text);
    grt_module_destroy(module);
    test_case_close(&item);
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "usage: emit_objects CASES CALLS OUT TARGET CPU JOBS [PART]\n");
        return 2;
    }
    struct run run = {argv[1], argv[2], argv[3], argv[4], argv[5][0] == '\0' ? NULL : argv[5],
                      NULL};
    const char *part = argc > 7 ? argv[7] : NULL;
    size_t count = test_cases_find(run.folder, part, &run.names);
    unsigned jobs = (unsigned)strtoul(argv[6], NULL, 10);
    unsigned deaths = test_pool_run(jobs, count, 120, emit_case, &run);
    for (size_t i = 0; i < count; i++)
        free(run.names[i]);
    free(run.names);
    return deaths != 0;
}
