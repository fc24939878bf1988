/* SPDX-License-Identifier: MIT */
/* Linked with the objects of many golden cases, for any target: runs each on the inputs that
 * emit_objects wrote and compares the outputs with its, bit for bit. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gruc/runtime.h>

#include "tests/golden/object_runner.h"

struct reader {
    const unsigned char *bytes;
    size_t length, at;
    int failed;
};

static const void *take(struct reader *reader, size_t length)
{
    if (reader->failed || reader->length - reader->at < length) {
        reader->failed = 1;
        return NULL;
    }
    reader->at += length;
    return reader->bytes + reader->at - length;
}

static uint64_t take_number(struct reader *reader)
{
    uint64_t number = 0;
    const void *bytes = take(reader, sizeof number);
    if (bytes != NULL)
        memcpy(&number, bytes, sizeof number);
    return number;
}

/* A copy aligned for any type; the caller frees it. */
static void *take_copy(struct reader *reader, size_t length)
{
    const void *bytes = take(reader, length);
    void *copy = bytes == NULL ? NULL : malloc(length + 1);
    if (copy != NULL)
        memcpy(copy, bytes, length);
    reader->failed |= copy == NULL;
    return copy;
}

static int same(const float *a, const float *b, size_t count, size_t *where)
{
    for (*where = 0; *where < count; ++*where)
        if (memcmp(&a[*where], &b[*where], sizeof *a) != 0 &&
            !(isnan(a[*where]) && isnan(b[*where])))
            return 0;
    return 1;
}

static const char *run_call(struct reader *reader, struct grt_session *session,
                            const struct gruc_module_info *info)
{
    static char text[200];
    void *arrays[32] = {0};
    const struct gruc_tensor_info *tensors = gruc_module_tensors(info);
    const char *fault = NULL;
    if (info->n_inputs + info->n_outputs > 32)
        return "too many inputs and outputs";
    for (uint32_t i = 0; i < info->n_inputs; i++) {
        uint32_t rank = (uint32_t)take_number(reader);
        int64_t dims[GRUC_ABI_MAX_RANK] = {0};
        const void *bytes = take(reader, sizeof dims);
        if (bytes != NULL)
            memcpy(dims, bytes, sizeof dims);
        arrays[i] = take_copy(reader, take_number(reader));
        if (!reader->failed && grt_session_bind_input(session, i, arrays[i],
                                                      (enum gruc_dtype)tensors[i].dtype, rank,
                                                      dims) != GRUC_OK)
            fault = "an input does not fit";
    }
    float *wanted[32] = {0};
    size_t bytes[32] = {0};
    for (uint32_t i = 0; i < info->n_outputs; i++) {
        bytes[i] = take_number(reader);
        wanted[i] = take_copy(reader, bytes[i]);
        arrays[info->n_inputs + i] = malloc(bytes[i] + 1);
        if (!reader->failed && fault == NULL &&
            grt_session_bind_output(session, i, arrays[info->n_inputs + i], bytes[i]) != GRUC_OK)
            fault = "an output does not fit";
    }
    if (reader->failed)
        fault = "the file of its calls is cut off";
    if (fault == NULL && grt_session_run(session) != GRUC_OK)
        fault = grt_session_error(session);
    for (uint32_t i = 0; i < info->n_outputs; i++) {
        size_t where;
        const float *got = arrays[info->n_inputs + i];
        if (fault == NULL && !same(got, wanted[i], bytes[i] / sizeof(float), &where)) {
            snprintf(text, sizeof text, "output %s [%zu]: %.9g here, %.9g by AVX2",
                     tensors[info->n_inputs + i].name, where, (double)got[where],
                     (double)wanted[i][where]);
            fault = text;
        }
        free(wanted[i]);
    }
    for (uint32_t i = 0; i < info->n_inputs + info->n_outputs; i++)
        free(arrays[i]);
    return fault;
}

static unsigned char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    unsigned char *bytes = NULL;
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    rewind(file);
    if (size >= 0 && (bytes = malloc((size_t)size + 1)) != NULL)
        *length = fread(bytes, 1, (size_t)size, file);
    fclose(file);
    return bytes;
}

static const char *run_case(const struct object_case *item, const char *folder)
{
    char path[600];
    struct reader reader = {0};
    struct grt_module *module = NULL;
    struct grt_session *session = NULL;
    const char *fault = "there are no calls of it";
    snprintf(path, sizeof path, "%s/%s.calls", folder, item->name);
    unsigned char *bytes = read_file(path, &reader.length);
    reader.bytes = bytes;
    if (bytes == NULL)
        return fault;
    if (grt_module_create(item->describe, item->run, NULL, NULL, &module) != GRUC_OK ||
        grt_session_create(module, NULL, &session) != GRUC_OK) {
        fault = "no module or session";
    } else {
        uint64_t calls = take_number(&reader);
        for (uint64_t i = 0; i < calls && (i == 0 || fault == NULL); i++)
            fault = run_call(&reader, session, grt_module_info(module));
    }
    grt_session_destroy(session);
    grt_module_destroy(module);
    free(bytes);
    return fault;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int failed = 0;
    for (const struct object_case *item = object_cases; item->name != NULL; item++) {
        const char *fault = run_case(item, argv[1]);
        if (fault == NULL)
            printf("ok %s %s\n", argv[2], item->name);
        else
            printf("not ok %s %s: %s\n", argv[2], item->name, fault);
        failed |= fault != NULL;
    }
    return failed;
}
