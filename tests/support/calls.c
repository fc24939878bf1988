/* SPDX-License-Identifier: MIT */
#include "tests/support/calls.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

char *test_file_read(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    char *bytes = NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long size = ftell(file);
        rewind(file);
        bytes = size < 0 ? NULL : malloc((size_t)size + 1);
        if (bytes != NULL && fread(bytes, 1, (size_t)size, file) == (size_t)size) {
            bytes[size] = '\0';
            *length = (size_t)size;
        } else {
            free(bytes);
            bytes = NULL;
        }
    }
    fclose(file);
    return bytes;
}

int test_file_write(const char *path, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return 0;
    size_t written = fwrite(bytes, 1, length, file);
    return (fclose(file) == 0) & (written == length);
}

const struct test_port *test_port_find(const struct test_port *ports, size_t count,
                                       const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(ports[i].name, name) == 0)
            return &ports[i];
    return NULL;
}

static void finish_ports(struct test_port *ports, size_t count)
{
    for (size_t i = 0; i < count; i++)
        gruc_array_finish(&ports[i].array);
}

void test_call_finish(struct test_call *call)
{
    finish_ports(call->inputs, call->n_inputs);
    finish_ports(call->outputs, call->n_outputs);
    call->n_inputs = call->n_outputs = 0;
}

void test_calls_finish(struct test_calls *calls)
{
    for (size_t i = 0; i < calls->count; i++)
        test_call_finish(&calls->items[i]);
    free(calls->items);
    *calls = (struct test_calls){0};
}

/* Splits "call0.out.g.state.npy"; 0 when the name has another form. */
static int parse_member(const char *member, unsigned *call, int *is_output, char *name)
{
    int used = 0;
    if (sscanf(member, "call%u.%n", call, &used) != 1 || used == 0 || *call > 1000)
        return 0;
    const char *rest = member + used;
    *is_output = strncmp(rest, "out.", 4) == 0;
    if (!*is_output && strncmp(rest, "in.", 3) != 0)
        return 0;
    rest += *is_output ? 4 : 3;
    size_t length = strlen(rest);
    if (length < 5 || length - 4 >= TEST_NAME_BYTES || strcmp(rest + length - 4, ".npy") != 0)
        return 0;
    memcpy(name, rest, length - 4);
    name[length - 4] = '\0';
    return 1;
}

static int add_member(struct test_calls *calls, const char *member, const void *bytes,
                      size_t length, const char **error)
{
    unsigned index;
    int is_output;
    char name[TEST_NAME_BYTES];
    *error = "is no callK.in.NAME or callK.out.NAME";
    if (!parse_member(member, &index, &is_output, name))
        return 0;
    if (index >= calls->count) {
        struct test_call *items = realloc(calls->items, (index + 1) * sizeof *items);
        if (items == NULL)
            return 0;
        memset(items + calls->count, 0, (index + 1 - calls->count) * sizeof *items);
        calls->items = items;
        calls->count = index + 1;
    }
    struct test_call *call = &calls->items[index];
    size_t *count = is_output ? &call->n_outputs : &call->n_inputs;
    *error = "too many arrays";
    if (*count == TEST_MAX_PORTS)
        return 0;
    struct test_port *port = &(is_output ? call->outputs : call->inputs)[*count];
    if (gruc_npy_parse(bytes, length, &port->array, error) != GRUC_OK)
        return 0;
    memcpy(port->name, name, sizeof name);
    ++*count;
    return 1;
}

static int read_member(zip_t *archive, zip_uint64_t index, struct test_calls *out,
                       const char **error)
{
    zip_stat_t stat;
    *error = "cannot be read";
    if (zip_stat_index(archive, index, 0, &stat) != 0 || stat.size > (1u << 30))
        return 0;
    unsigned char *bytes = malloc(stat.size + 1);
    zip_file_t *file = bytes == NULL ? NULL : zip_fopen_index(archive, index, 0);
    int done = 0;
    if (file != NULL) {
        done = zip_fread(file, bytes, stat.size) == (zip_int64_t)stat.size &&
               add_member(out, stat.name, bytes, stat.size, error);
        zip_fclose(file);
    }
    free(bytes);
    return done;
}

int test_calls_read(const char *path, struct test_calls *out)
{
    *out = (struct test_calls){0};
    int code = 0;
    zip_t *archive = zip_open(path, ZIP_RDONLY, &code);
    if (archive == NULL) {
        printf("not ok %s: cannot be opened as zip (%d)\n", path, code);
        return 0;
    }
    zip_int64_t count = zip_get_num_entries(archive, 0);
    int done = count > 0;
    for (zip_int64_t i = 0; done && i < count; i++) {
        const char *error = NULL;
        done = read_member(archive, (zip_uint64_t)i, out, &error);
        if (!done)
            printf("not ok %s: member %lld %s\n", path, (long long)i, error);
    }
    zip_discard(archive);
    if (!done)
        test_calls_finish(out);
    return done;
}

static enum gruc_status bind_inputs(struct grt_session *session,
                                    const struct gruc_module_info *info,
                                    const struct test_call *call, struct gruc_array *converted,
                                    const char **error)
{
    const struct gruc_tensor_info *tensors = gruc_module_tensors(info);
    for (uint32_t i = 0; i < info->n_inputs; i++) {
        const struct test_port *port =
            test_port_find(call->inputs, call->n_inputs, tensors[i].name);
        *error = "the case lacks an input of the model";
        if (port == NULL)
            return GRUC_ERROR_ARGUMENT;
        *error = "an input cannot be converted";
        enum gruc_dtype dtype = (enum gruc_dtype)tensors[i].dtype;
        enum gruc_status status = gruc_array_convert(&port->array, dtype, &converted[i]);
        if (status != GRUC_OK)
            return status;
        status = grt_session_bind_input(session, i, converted[i].data, dtype, converted[i].rank,
                                        converted[i].dims);
        if (status != GRUC_OK) {
            *error = grt_session_error(session);
            return status;
        }
    }
    return GRUC_OK;
}

static enum gruc_status bind_outputs(struct grt_session *session,
                                     const struct gruc_module_info *info, struct test_call *out,
                                     const char **error)
{
    const struct gruc_tensor_info *tensors = gruc_module_tensors(info) + info->n_inputs;
    for (uint32_t i = 0; i < info->n_outputs; i++) {
        struct test_port *port = &out->outputs[i];
        int64_t dims[GRUC_ABI_MAX_RANK];
        enum gruc_status status = grt_session_output_dims(session, i, dims);
        if (status == GRUC_OK)
            status = gruc_array_create(tensors[i].dtype == GRUC_INT32  ? GRUC_NPY_INT32
                                       : tensors[i].dtype == GRUC_BOOL ? GRUC_NPY_BOOL
                                                                       : GRUC_NPY_FLOAT32,
                                       tensors[i].rank, dims, &port->array);
        if (status != GRUC_OK) {
            *error = grt_session_error(session);
            return status;
        }
        memset(port->array.data, 0xa5, port->array.bytes);
        snprintf(port->name, sizeof port->name, "%s", tensors[i].name);
        out->n_outputs = i + 1;
        status = grt_session_bind_output(session, i, port->array.data, port->array.bytes);
        if (status != GRUC_OK) {
            *error = grt_session_error(session);
            return status;
        }
    }
    return GRUC_OK;
}

enum gruc_status test_run(struct grt_session *session, const struct grt_module *module,
                          const struct test_call *call, struct test_call *out,
                          const char **error)
{
    const struct gruc_module_info *info = grt_module_info(module);
    struct gruc_array converted[TEST_MAX_PORTS] = {0};
    out->n_inputs = out->n_outputs = 0;
    *error = "too many inputs or outputs";
    if (info->n_inputs > TEST_MAX_PORTS || info->n_outputs > TEST_MAX_PORTS)
        return GRUC_ERROR_ARGUMENT;
    enum gruc_status status = bind_inputs(session, info, call, converted, error);
    if (status == GRUC_OK)
        status = bind_outputs(session, info, out, error);
    if (status == GRUC_OK) {
        status = grt_session_run(session);
        *error = status == GRUC_OK ? NULL : grt_session_error(session);
    }
    for (uint32_t i = 0; i < info->n_inputs; i++)
        gruc_array_finish(&converted[i]);
    if (status != GRUC_OK)
        test_call_finish(out);
    return status;
}

enum gruc_status test_run_all(const struct grt_module *module, const struct test_way *way,
                              const struct test_call *calls, size_t count, struct test_call *outs,
                              const char **error)
{
    static char words[300]; /* the session that owns the error dies here */
    struct grt_session_options options = {sizeof options, way->threads, way->carry,
                                          way->threads > 1};
    struct grt_session *session = NULL;
    enum gruc_status status = grt_session_create(module, &options, &session);
    *error = "no session";
    for (size_t i = 0; status == GRUC_OK && i < count; i++) {
        status = test_run(session, module, &calls[i], &outs[i], error);
        for (size_t k = 0; status != GRUC_OK && k < i; k++)
            test_call_finish(&outs[k]);
    }
    snprintf(words, sizeof words, "%s (%s)", gruc_status_text(status),
             *error == NULL ? "no words" : *error);
    *error = words;
    grt_session_destroy(session);
    return status;
}
