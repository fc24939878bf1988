/* SPDX-License-Identifier: MIT */
/* Tensors that stay in a file: the same code and weights as of those in memory, and an error when
 * the file is no longer what it was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/CUnit.h>
#include <zip.h>

#include "driver/compile.h"
#include "tests/unit/suites.h"

enum { LEAST_NUMBERS = 100 };

static const char *const models[] = {
    "model: m\n"
    "inputs: {x: [~, 48]}\n"
    "layers:\n"
    "  - GRU: {units: 40, bias_initializer: glorot_uniform}\n",
    "model: m\n"
    "inputs: {x: [~, 48]}\n"
    "layers:\n"
    "  - GRU: {units: 40, reset_after: false, return_sequences: true}\n"
    "  - Dense: {units: 120}\n",
    "model: m\n"
    "inputs: {x: {shape: [~], dtype: int32}}\n"
    "layers:\n"
    "  - Embedding: {input_dim: 30, output_dim: 20}\n"
    "  - GRU: {units: 40}\n",
};
enum { MODELS = sizeof models / sizeof *models };

typedef int read_function(const void *context, uint64_t first, size_t count, float *out);

static int copy_numbers(const void *context, uint64_t first, size_t count, float *out)
{
    memcpy(out, (const float *)context + first, count * sizeof *out);
    return 1;
}

static int fail(const void *context, uint64_t first, size_t count, float *out)
{
    (void)context;
    (void)first;
    (void)count;
    (void)out;
    return 0;
}

/* Takes the numbers of the model's large parameters out of memory; read: where they come from. */
static void take_out(struct gruc_model *model, read_function *read)
{
    unsigned taken = 0;
    for (size_t i = 0; i < model->n_parameters; i++) {
        struct gruc_parameter *parameter = model->parameters[i];
        if (parameter->rows * parameter->columns < LEAST_NUMBERS)
            continue;
        parameter->source = (struct gruc_tensor_source){read, parameter->data};
        parameter->data = NULL;
        taken++;
    }
    CU_ASSERT(taken >= 2);
}

static enum gruc_status emit(const char *text, enum gruc_weights weights, read_function *read,
                             struct gruc_strbuf *out, unsigned *errors)
{
    struct gruc_model_handle *handle;
    struct gruc_compilation compilation;
    gruc_strbuf_init(out);
    CU_ASSERT_EQUAL_FATAL(gruc_model_parse("m.yaml", text, strlen(text), NULL, &handle), GRUC_OK);
    gruc_compilation_init(&compilation, NULL);
    gruc_compilation_set_model(&compilation, handle);
    compilation.target.weights = weights;
    if (read != NULL)
        take_out(handle->model, read);
    enum gruc_status status =
        gruc_compile_artifact(&compilation, handle, GRUC_ARTIFACT_OBJECT, out);
    *errors = compilation.diag.errors;
    gruc_model_destroy(handle);
    return status;
}

static void test_same_code(void)
{
    static const enum gruc_weights types[] = {GRUC_WEIGHTS_AUTO, GRUC_WEIGHTS_BF16,
                                              GRUC_WEIGHTS_INT8};
    unsigned errors;
    if (gruc_backend_find("cpu") == NULL)
        return; /* no back end of this build makes files */
    for (size_t i = 0; i < MODELS; i++)
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            struct gruc_strbuf wanted, got;
            CU_ASSERT_EQUAL(emit(models[i], types[k], NULL, &wanted, &errors), GRUC_OK);
            CU_ASSERT_EQUAL(emit(models[i], types[k], copy_numbers, &got, &errors), GRUC_OK);
            CU_ASSERT_EQUAL_FATAL(got.length, wanted.length);
            CU_ASSERT_EQUAL(memcmp(got.text, wanted.text, wanted.length), 0);
            gruc_strbuf_finish(&wanted);
            gruc_strbuf_finish(&got);
        }
}

static void test_unreadable(void)
{
    unsigned errors;
    if (gruc_backend_find("cpu") == NULL)
        return;
    for (size_t i = 0; i < MODELS; i++) {
        struct gruc_strbuf out;
        CU_ASSERT_EQUAL(emit(models[i], GRUC_WEIGHTS_AUTO, fail, &out, &errors), GRUC_ERROR_INPUT);
        CU_ASSERT_EQUAL(errors, 1);
        gruc_strbuf_finish(&out);
        CU_ASSERT_EQUAL(emit(models[i], GRUC_WEIGHTS_INT8, fail, &out, &errors), GRUC_ERROR_INPUT);
        gruc_strbuf_finish(&out);
    }
}

/* Those of the reference are read as a whole. */
static void test_reference(void)
{
    struct gruc_model_handle *handle;
    struct gruc_compilation compilation;
    struct grt_module *module = NULL;
    CU_ASSERT_EQUAL_FATAL(
        gruc_model_parse("m.yaml", models[0], strlen(models[0]), NULL, &handle), GRUC_OK);
    gruc_compilation_init(&compilation, NULL);
    gruc_compilation_set_model(&compilation, handle);
    compilation.options.backend = "ref";
    take_out(handle->model, copy_numbers);
    CU_ASSERT_EQUAL(gruc_compile_jit(&compilation, handle, &module), GRUC_OK);
    grt_module_destroy(module);
    compilation.target.weights = GRUC_WEIGHTS_BF16;
    CU_ASSERT_EQUAL(gruc_compile_jit_rounded(&compilation, handle, &module), GRUC_OK);
    grt_module_destroy(module);
    for (size_t i = 0; i < handle->model->n_parameters; i++)
        handle->model->parameters[i]->source.read = fail;
    CU_ASSERT_EQUAL(gruc_compile_jit(&compilation, handle, &module), GRUC_ERROR_INPUT);
    gruc_model_destroy(handle);
}

/* ---- files ---- */

enum { SIDE = 512, COUNT = SIDE * SIDE };

static const char file_model[] = "model: m\n"
                                 "weights: w\n"
                                 "inputs: {x: [~, 512]}\n"
                                 "layers:\n"
                                 "  - Dense: {name: d, units: 512, use_bias: false}\n";

struct file {
    char directory[64], model[96], weights[96];
    float numbers[COUNT]; /* that a bfloat16 holds, too */
    uint16_t narrow[COUNT];
    struct gruc_model_handle *handle;
};

static void begin_file(struct file *f)
{
    snprintf(f->directory, sizeof f->directory, "/tmp/gruc-tensors-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->directory));
    snprintf(f->model, sizeof f->model, "%s/m.yaml", f->directory);
    snprintf(f->weights, sizeof f->weights, "%s/w", f->directory);
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t bits = (uint32_t)(0x3f80 + i * 37 % 64) << 16;
        memcpy(&f->numbers[i], &bits, sizeof bits);
        f->narrow[i] = (uint16_t)(bits >> 16);
    }
}

static void end_file(struct file *f)
{
    unlink(f->weights);
    rmdir(f->directory);
    free(f);
}

static void write_safetensors(const struct file *f, const char *type, const void *bytes,
                              size_t length)
{
    char header[128];
    FILE *file = fopen(f->weights, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    snprintf(header, sizeof header,
             "{\"d/kernel\":{\"dtype\":\"%s\",\"shape\":[512,512],\"data_offsets\":[0,%zu]}}", type,
             length);
    uint64_t header_length = strlen(header); /* an odd one, so that no number is aligned */
    if (header_length % 2 == 0)
        header[header_length++] = ' ';
    CU_ASSERT_EQUAL(fwrite(&header_length, 1, 8, file), 8);
    CU_ASSERT_EQUAL(fwrite(header, 1, header_length, file), header_length);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

/* After a member that no layer wants, so that the numbers are not where a file begins. */
static void write_npz(const struct file *f, int method)
{
    static const char header[] =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (512, 512)}\n";
    static unsigned char room[10 + sizeof header + 4 * COUNT];
    size_t length = sizeof header - 1;
    int error;
    zip_t *archive = zip_open(f->weights, ZIP_CREATE | ZIP_TRUNCATE, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(archive);
    memcpy(room, "\x93NUMPY\x01\0", 8);
    room[8] = (unsigned char)length;
    memcpy(room + 10, header, length);
    memcpy(room + 10 + length, f->numbers, sizeof f->numbers);
    zip_file_add(archive, "note.txt", zip_source_buffer(archive, "hello", 5, 0), 0);
    zip_int64_t member = zip_file_add(
        archive, "d/kernel.npy",
        zip_source_buffer(archive, room, 10 + length + sizeof f->numbers, 0), 0);
    CU_ASSERT_FATAL(member >= 0);
    CU_ASSERT_EQUAL(zip_set_file_compression(archive, (zip_uint64_t)member, method, 0), 0);
    CU_ASSERT_EQUAL(zip_close(archive), 0);
}

static const struct gruc_parameter *open_file(struct file *f)
{
    CU_ASSERT_EQUAL_FATAL(
        gruc_model_parse(f->model, file_model, strlen(file_model), NULL, &f->handle), GRUC_OK);
    return f->handle->model->parameters[0];
}

/* All numbers, and some of them. */
static int has_numbers(const struct file *f, const struct gruc_parameter *parameter)
{
    static float room[COUNT];
    const struct gruc_tensor_source *source = &parameter->source;
    if (!source->read(source->context, 0, COUNT, room) ||
        memcmp(room, f->numbers, sizeof room) != 0)
        return 0;
    return source->read(source->context, 7, 20001, room) &&
           memcmp(room, f->numbers + 7, 20001 * sizeof *room) == 0;
}

static void count_errors(void *context, const struct gruc_diagnostic *diagnostic)
{
    *(unsigned *)context += diagnostic->level == GRUC_LEVEL_ERROR;
}

/* The numbers stay in the file, and an error is all that comes of it when that shrinks. */
static void check_kept(struct file *f)
{
    const struct gruc_parameter *parameter = open_file(f);
    struct gruc_options options;
    struct grt_module *module;
    unsigned errors = 0;
    CU_ASSERT_PTR_NULL(parameter->data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(parameter->source.context);
    CU_ASSERT(has_numbers(f, parameter));
    CU_ASSERT_EQUAL_FATAL(gruc_model_jit(f->handle, NULL, &module), GRUC_OK);
    grt_module_destroy(module);
    CU_ASSERT_EQUAL(truncate(f->weights, 300000), 0);
    gruc_options_init(&options);
    options.diagnostic = count_errors;
    options.diagnostic_context = &errors;
    CU_ASSERT_EQUAL(gruc_model_jit(f->handle, &options, &module), GRUC_ERROR_INPUT);
    CU_ASSERT_EQUAL(errors, 1);
    gruc_model_destroy(f->handle);
}

static void test_files(void)
{
    struct file *f = calloc(1, sizeof *f);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    begin_file(f);
    write_safetensors(f, "F32", f->numbers, sizeof f->numbers);
    check_kept(f);
    write_safetensors(f, "BF16", f->narrow, sizeof f->narrow);
    check_kept(f);
    write_npz(f, ZIP_CM_STORE);
    check_kept(f);
    write_npz(f, ZIP_CM_DEFLATE);
    const struct gruc_parameter *parameter = open_file(f);
    CU_ASSERT_PTR_NOT_NULL_FATAL(parameter->data);
    CU_ASSERT_EQUAL(memcmp(parameter->data, f->numbers, sizeof f->numbers), 0);
    gruc_model_destroy(f->handle);
    end_file(f);
}

CU_TestInfo gruc_tensors_tests[] = {
    {"tensors in a file give the same code", test_same_code},
    {"a tensor that cannot be read any more", test_unreadable},
    {"the reference reads whole tensors", test_reference},
    {"numbers that stay in files", test_files},
    CU_TEST_INFO_NULL,
};
