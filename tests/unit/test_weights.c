/* SPDX-License-Identifier: MIT */
/* Weights files, read well and badly formed, and initialisers. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zip.h>

#include <gruc/npy.h>

#include "frontend/random.h"
#include "frontend/weights.h"
#include "tests/unit/suites.h"

enum { TEXT_ROOM = 4096 };

/* A model with the parameters of one GRU: g/kernel (2,3), g/bias (3), in a directory of its own. */
struct fixture {
    char directory[64], model_path[96], path[96];
    struct gruc_arena arena;
    struct gruc_initializer initializer;
    struct gruc_parameter kernel, bias;
    struct gruc_parameter *parameters[2];
    struct gruc_model model;
    struct gruc_diag diag;
    enum gruc_error_code code; /* of the last error or warning */
    unsigned line;
    char text[TEXT_ROOM];      /* all messages, a line each */
};

static void receive(void *context, const struct gruc_message *message)
{
    struct fixture *f = context;
    size_t length = strlen(f->text);
    if (message->code != GRUC_E_NONE) {
        f->code = message->code;
        f->line = message->mark.line;
    }
    snprintf(f->text + length, TEXT_ROOM - length, "%s\n", message->text);
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){.directory = "/tmp/gruc-weights-XXXXXX"};
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->directory));
    snprintf(f->model_path, sizeof f->model_path, "%s/model.yaml", f->directory);
    snprintf(f->path, sizeof f->path, "%s/w", f->directory);
    gruc_arena_init(&f->arena);
    f->kernel = (struct gruc_parameter){.name = "g/kernel", .rank = 2, .dims = {2, 3}, .rows = 2,
                                        .columns = 3, .initializer = &f->initializer,
                                        .mark = {7, 3, 3}};
    f->bias = (struct gruc_parameter){.name = "g/bias", .rank = 1, .dims = {3, 0}, .rows = 1,
                                      .columns = 3, .initializer = &f->initializer,
                                      .mark = {7, 3, 3}};
    f->parameters[0] = &f->kernel;
    f->parameters[1] = &f->bias;
    f->model = (struct gruc_model){.arena = &f->arena, .path = f->model_path,
                                   .weights = {"w", {9, 10, 1}}, .parameters = f->parameters,
                                   .n_parameters = 2};
    f->diag = (struct gruc_diag){.function = receive, .context = f};
}

static void end(struct fixture *f)
{
    gruc_arena_finish(&f->arena);
    unlink(f->path);
    rmdir(f->directory);
}

static void write_file(const char *path, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

/* Loads what the model names; the texts of the run before are dropped. */
static enum gruc_status load(struct fixture *f)
{
    f->code = GRUC_E_NONE;
    f->line = 0;
    f->text[0] = '\0';
    f->diag.errors = f->diag.warnings = 0;
    f->kernel.data = f->bias.data = NULL;
    enum gruc_status status = gruc_weights_load(&f->model, NULL, &f->diag);
    CU_ASSERT_EQUAL(status == GRUC_ERROR_INPUT, f->diag.errors > 0);
    return status;
}

static enum gruc_status load_bytes(struct fixture *f, const void *bytes, size_t length)
{
    write_file(f->path, bytes, length);
    return load(f);
}

static size_t make_safetensors(unsigned char *room, const char *header, const void *data,
                               size_t bytes)
{
    uint64_t length = strlen(header);
    for (int i = 0; i < 8; i++)
        room[i] = (unsigned char)(length >> 8 * i);
    memcpy(room + 8, header, length);
    if (bytes > 0)
        memcpy(room + 8 + length, data, bytes);
    return 8 + length + bytes;
}

static enum gruc_status load_safetensors(struct fixture *f, const char *header, const void *data,
                                         size_t bytes)
{
    static unsigned char room[1 << 16];
    return load_bytes(f, room, make_safetensors(room, header, data, bytes));
}

static const float numbers[9] = {1, -2, 3.5f, 4, 5, 6, 7, 8, 9};

#define KERNEL "\"g/kernel\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"
#define BIAS "\"g/bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[24,36]}"
#define GOOD "{" KERNEL "," BIAS "}"

static int has_numbers(const struct fixture *f)
{
    return f->kernel.data != NULL && f->bias.data != NULL &&
           memcmp(f->kernel.data, numbers, 24) == 0 && memcmp(f->bias.data, numbers + 6, 12) == 0;
}

static int says(const struct fixture *f, const char *words)
{
    if (strstr(f->text, words) != NULL)
        return 1;
    fprintf(stderr, "no '%s' in: %s", words, f->text);
    return 0;
}

/* ---- safetensors ---- */

static void test_safetensors_good(void)
{
    struct fixture f;
    begin(&f);
    CU_ASSERT_EQUAL(load_safetensors(&f, GOOD, numbers, 36), GRUC_OK);
    CU_ASSERT(has_numbers(&f));
    CU_ASSERT_EQUAL(load_safetensors(&f, "{\"__metadata__\":{\"a\":\"b\"}," BIAS "," KERNEL "}   ",
                                     numbers, 36), GRUC_OK);
    CU_ASSERT(has_numbers(&f));
    CU_ASSERT_STRING_EQUAL(f.text, "");
    end(&f);
}

static void test_safetensors_types(void)
{
    struct fixture f;
    const double wide[3] = {0.1, -2, 1e300};
    const uint16_t half[3] = {0x3c00, 0xc000, 0x0001}, brain[3] = {0x3f80, 0xc000, 0x7fc0};
    char header[512];
    begin(&f);
    f.model.n_parameters = 1;
    f.parameters[0] = &f.bias;
    const char *form = "{\"g/bias\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%d]}}";
    snprintf(header, sizeof header, form, "F64", 24);
    CU_ASSERT_EQUAL(load_safetensors(&f, header, wide, 24), GRUC_OK);
    CU_ASSERT(f.bias.data[0] == 0.1f && f.bias.data[1] == -2 && isinf(f.bias.data[2]));
    snprintf(header, sizeof header, form, "F16", 6);
    CU_ASSERT_EQUAL(load_safetensors(&f, header, half, 6), GRUC_OK);
    CU_ASSERT(f.bias.data[0] == 1 && f.bias.data[1] == -2 && f.bias.data[2] == 0x1p-24f);
    snprintf(header, sizeof header, form, "BF16", 6);
    CU_ASSERT_EQUAL(load_safetensors(&f, header, brain, 6), GRUC_OK);
    CU_ASSERT(f.bias.data[0] == 1 && f.bias.data[1] == -2 && isnan(f.bias.data[2]));
    snprintf(header, sizeof header, form, "I32", 12);
    CU_ASSERT_EQUAL(load_safetensors(&f, header, numbers, 12), GRUC_ERROR_INPUT);
    CU_ASSERT_EQUAL(f.code, GRUC_E_WEIGHTS_TYPE);
    CU_ASSERT(says(&f, "w: tensor 'g/bias' has type I32"));
    end(&f);
}

/* A large bfloat16 tensor takes several pieces. */
static void test_safetensors_bfloat16_pieces(void)
{
    enum { COUNT = 20000 };
    static unsigned char bytes[2 * COUNT];
    struct fixture f;
    char header[256];
    begin(&f);
    f.model.n_parameters = 1;
    f.parameters[0] = &f.bias;
    f.bias.dims[0] = f.bias.columns = COUNT;
    for (int i = 0; i < COUNT; i++) {
        bytes[2 * i] = (unsigned char)i;
        bytes[2 * i + 1] = (unsigned char)(i >> 8 & 0x3f);
    }
    snprintf(header, sizeof header,
             "{\"g/bias\":{\"dtype\":\"BF16\",\"shape\":[%d],\"data_offsets\":[0,%d]}}", COUNT,
             2 * COUNT);
    CU_ASSERT_EQUAL_FATAL(load_safetensors(&f, header, bytes, sizeof bytes), GRUC_OK);
    int wrong = 0;
    for (int i = 0; i < COUNT; i++) {
        uint32_t bits;
        memcpy(&bits, &f.bias.data[i], 4);
        wrong += bits != (uint32_t)(i & 0x3fff) << 16;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    end(&f);
}

static void test_safetensors_damaged(void)
{
    static const struct {
        const char *header, *words;
    } cases[] = {
        {"", "not a safetensors"},
        {"[]", "not a safetensors"},
        {"{", "not JSON"},
        {"{} x", "not JSON"},
        {"{\"g/kernel\":1}", "is not dtype, shape and data_offsets"},
        {"{\"g/kernel\":{\"dtype\":\"F32\",\"shape\":[2,3]}}", "is not dtype"},
        {"{\"a\":{\"dtype\":1,\"shape\":[2,3],\"data_offsets\":[0,24]}}", "is not dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24],\"x\":1}}",
         "is not dtype"},
        {"{\"a\":{\"dtype\":\"F31\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", "dtype 'F31'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,-3],\"data_offsets\":[0,24]}}", "shape of tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3.0],\"data_offsets\":[0,24]}}",
         "shape of tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":6,\"data_offsets\":[0,24]}}", "shape of tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}",
         "shape of tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}",
         "too large"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0]}}", "outside the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[24,0]}}", "outside the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[10],\"data_offsets\":[0,40]}}", "outside the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,20]}}",
         "has 20 bytes where its shape and dtype need 24"},
        {"{" KERNEL ",\"b\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[20,36]}}",
         "tensor 'b' overlaps"},
        {"{" KERNEL ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[28,36]}}",
         "a hole before tensor 'b'"},
        {"{" KERNEL "}", "12 bytes after the last tensor"},
        {"{\"b\":{\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[4,36]}}", "a hole before"},
        {"{" KERNEL "," KERNEL "}", "names a tensor twice"},
        {"{\"__metadata__\":1," KERNEL "," BIAS "}", "__metadata__"},
        {"{\"a\\u001b[31m\":1}", "'a?[31m'"},
    };
    struct fixture f;
    begin(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_EQUAL(load_safetensors(&f, cases[i].header, numbers, 36), GRUC_ERROR_INPUT);
        CU_ASSERT_EQUAL(f.code, GRUC_E_WEIGHTS_FORMAT);
        CU_ASSERT_EQUAL(f.line, 9);
        CU_ASSERT(says(&f, cases[i].words));
    }
    end(&f);
}

static void test_safetensors_truncated(void)
{
    unsigned char room[512];
    struct fixture f;
    begin(&f);
    size_t length = make_safetensors(room, GOOD, numbers, 36);
    for (size_t cut = 0; cut < length; cut++) {
        CU_ASSERT_EQUAL(load_bytes(&f, room, cut), GRUC_ERROR_INPUT);
        CU_ASSERT_EQUAL(f.code, GRUC_E_WEIGHTS_FORMAT);
    }
    memset(room, 0xff, 8);
    CU_ASSERT_EQUAL(load_bytes(&f, room, length), GRUC_ERROR_INPUT);
    CU_ASSERT(says(&f, "larger than 1 MiB"));
    end(&f);
}

/* ---- what models and files disagree about ---- */

static void test_missing(void)
{
    struct fixture f;
    begin(&f);
    CU_ASSERT_EQUAL(load_safetensors(&f, "{\"g/kernal\":{\"dtype\":\"F32\",\"shape\":[2,3],"
                                     "\"data_offsets\":[0,24]}," BIAS "}", numbers, 36),
                    GRUC_ERROR_INPUT);
    CU_ASSERT(says(&f, "w: no tensor 'g/kernel' of shape (2, 3); did you mean 'g/kernal'?"));
    CU_ASSERT(says(&f, "no layer uses the tensor 'g/kernal'"));
    CU_ASSERT_EQUAL(f.diag.errors, 1);
    CU_ASSERT_EQUAL(f.diag.warnings, 1);
    CU_ASSERT_EQUAL(load_safetensors(&f, "{}", NULL, 0), GRUC_ERROR_INPUT);
    CU_ASSERT_EQUAL(f.diag.errors, 2);
    CU_ASSERT_EQUAL(f.code, GRUC_E_WEIGHTS_MISSING);
    CU_ASSERT_EQUAL(f.line, 7);
    end(&f);
}

static void test_wrong_shape(void)
{
    struct fixture f;
    begin(&f);
    CU_ASSERT_EQUAL(load_safetensors(&f, "{\"g/kernel\":{\"dtype\":\"F32\",\"shape\":[3,2],"
                                     "\"data_offsets\":[0,24]}," BIAS "}", numbers, 36),
                    GRUC_ERROR_INPUT);
    CU_ASSERT_EQUAL(f.code, GRUC_E_WEIGHTS_SHAPE);
    CU_ASSERT(says(&f, "w: tensor 'g/kernel' has shape (3, 2), expected (2, 3)"));
    f.bias.rank = 2;
    f.bias.dims[0] = f.bias.rows = 2;
    f.bias.dims[1] = 3;
    CU_ASSERT_EQUAL(load_safetensors(&f, GOOD, numbers, 36), GRUC_ERROR_INPUT);
    CU_ASSERT(says(&f, "w: tensor 'g/bias' has shape (3,), expected (2, 3)"));
    CU_ASSERT(says(&f, "is reset_after wrong?"));
    end(&f);
}

static void test_unused(void)
{
    struct fixture f;
    char header[2048];
    size_t length = (size_t)snprintf(header, sizeof header, "{" KERNEL "," BIAS);
    begin(&f);
    for (int i = 0; i < 7; i++)
        length += (size_t)snprintf(header + length, sizeof header - length,
                                   ",\"more%d\":{\"dtype\":\"I64\",\"shape\":[0],"
                                   "\"data_offsets\":[36,36]}", i);
    snprintf(header + length, sizeof header - length, "}");
    CU_ASSERT_EQUAL(load_safetensors(&f, header, numbers, 36), GRUC_OK);
    CU_ASSERT(has_numbers(&f));
    CU_ASSERT_EQUAL(f.diag.warnings, 1);
    CU_ASSERT_EQUAL(f.code, GRUC_E_WEIGHTS_UNUSED);
    CU_ASSERT(says(&f, "and 2 more"));
    end(&f);
}

/* ---- where files lie ---- */

static void test_paths(void)
{
    struct fixture f;
    char inside[128], outside[] = "/tmp/gruc-weights-outside-XXXXXX";
    unsigned char room[512];
    begin(&f);
    size_t length = make_safetensors(room, GOOD, numbers, 36);
    int descriptor = mkstemp(outside);
    CU_ASSERT_FATAL(descriptor >= 0);
    close(descriptor);
    write_file(outside, room, length);
    static const char *const refused[] = {"../w", "a/../../w", "/etc/hostname", "", "w/",
                                          "a//b", ".."};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        f.model.weights.name = refused[i];
        CU_ASSERT_EQUAL(load(&f), GRUC_ERROR_INPUT);
        CU_ASSERT_EQUAL(f.code, GRUC_E_WEIGHTS_FILE);
        CU_ASSERT_EQUAL(f.line, 9);
        CU_ASSERT(says(&f, "a model may name files in its own directory"));
    }
    f.model.weights.name = "none/w";
    CU_ASSERT_EQUAL(load(&f), GRUC_ERROR_INPUT);
    CU_ASSERT(says(&f, "no such file"));
    f.model.weights.name = "w";
    CU_ASSERT_EQUAL(symlink(outside, f.path), 0);
    CU_ASSERT_EQUAL(load(&f), GRUC_ERROR_INPUT);
    CU_ASSERT(says(&f, "a link leads out of the model's directory"));
    CU_ASSERT_EQUAL(gruc_weights_load(&f.model, f.path, &f.diag), GRUC_OK); /* the user's word */
    CU_ASSERT(has_numbers(&f));
    unlink(f.path);
    CU_ASSERT_EQUAL(mkfifo(f.path, 0600), 0);
    CU_ASSERT_EQUAL(load(&f), GRUC_ERROR_INPUT);
    CU_ASSERT(says(&f, "not a regular file"));
    unlink(f.path);
    snprintf(inside, sizeof inside, "%s/sub", f.directory);
    CU_ASSERT_EQUAL(mkdir(inside, 0700), 0);
    f.model.weights.name = "sub";
    CU_ASSERT_EQUAL(load(&f), GRUC_ERROR_INPUT);
    CU_ASSERT(says(&f, "not a regular file"));
    snprintf(inside, sizeof inside, "%s/sub/w", f.directory);
    write_file(inside, room, length);
    f.model.weights.name = "./sub/w";
    CU_ASSERT_EQUAL(load(&f), GRUC_OK);
    CU_ASSERT(has_numbers(&f));
    unlink(inside);
    snprintf(inside, sizeof inside, "%s/sub", f.directory);
    rmdir(inside);
    unlink(outside);
    end(&f);
}

/* ---- npz ---- */

static void add_member(zip_t *archive, const char *name, const void *bytes, size_t length,
                       int method)
{
    void *copy = malloc(length + 1);
    memcpy(copy, bytes, length);
    zip_source_t *source = zip_source_buffer(archive, copy, length, 1);
    zip_int64_t index = zip_file_add(archive, name, source, ZIP_FL_ENC_UTF_8);
    CU_ASSERT_FATAL(index >= 0);
    CU_ASSERT_EQUAL(zip_set_file_compression(archive, (zip_uint64_t)index, method, 0), 0);
}

static size_t make_npy(unsigned char *room, const char *descr, const char *shape,
                       const void *data, size_t bytes)
{
    int length = sprintf((char *)room + 10,
                         "{'descr': '%s', 'fortran_order': False, 'shape': %s}\n", descr, shape);
    memcpy(room, "\x93NUMPY\x01\0", 8);
    room[8] = (unsigned char)length;
    room[9] = 0;
    memcpy(room + 10 + length, data, bytes);
    return 10 + (size_t)length + bytes;
}

static void make_npz(const struct fixture *f, const char *descr, const char *shape,
                     const void *kernel, size_t bytes, int method)
{
    static unsigned char room[1 << 20];
    int error;
    zip_t *archive = zip_open(f->path, ZIP_CREATE | ZIP_TRUNCATE, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(archive);
    add_member(archive, "g/kernel.npy", room, make_npy(room, descr, shape, kernel, bytes),
               method);
    add_member(archive, "g/bias.npy", room, make_npy(room, "<f4", "(3,)", numbers + 6, 12),
               method);
    add_member(archive, "note.txt", "hello", 5, method);
    CU_ASSERT_EQUAL(zip_close(archive), 0);
}

static void test_npz(void)
{
    struct fixture f;
    double wide[6];
    begin(&f);
    for (int i = 0; i < 6; i++)
        wide[i] = (double)numbers[i];
    make_npz(&f, "<f4", "(2, 3)", numbers, 24, ZIP_CM_STORE);
    CU_ASSERT_EQUAL(load(&f), GRUC_OK);
    CU_ASSERT(has_numbers(&f));
    make_npz(&f, "<f8", "(2, 3)", wide, 48, ZIP_CM_DEFLATE);
    CU_ASSERT_EQUAL(load(&f), GRUC_OK);
    CU_ASSERT(has_numbers(&f));
    CU_ASSERT_STRING_EQUAL(f.text, "");
    make_npz(&f, "<f4", "(3, 2)", numbers, 24, ZIP_CM_STORE);
    CU_ASSERT_EQUAL(load(&f), GRUC_ERROR_INPUT);
    CU_ASSERT(says(&f, "w: tensor 'g/kernel' has shape (3, 2), expected (2, 3)"));
    make_npz(&f, "<i4", "(2, 3)", numbers, 24, ZIP_CM_STORE);
    CU_ASSERT_EQUAL(load(&f), GRUC_ERROR_INPUT);
    CU_ASSERT_EQUAL(f.code, GRUC_E_WEIGHTS_TYPE);
    make_npz(&f, "<f4", "(2, 3)", numbers, 20, ZIP_CM_STORE);
    CU_ASSERT_EQUAL(load(&f), GRUC_ERROR_INPUT);
    CU_ASSERT(says(&f, "member 'g/kernel': the file is truncated"));
    make_npz(&f, "|O", "(2, 3)", numbers, 24, ZIP_CM_STORE);
    CU_ASSERT_EQUAL(load(&f), GRUC_ERROR_INPUT);
    CU_ASSERT(says(&f, "Python objects"));
    end(&f);
}

/* Megabytes of zeros in a small archive where 24 bytes are wanted are not unpacked. */
static void test_npz_bomb(void)
{
    enum { BOMB = 64 << 20 };
    struct fixture f;
    int error;
    begin(&f);
    zip_t *archive = zip_open(f.path, ZIP_CREATE | ZIP_TRUNCATE, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(archive);
    void *zeros = calloc(1, BOMB);
    add_member(archive, "g/kernel.npy", zeros, BOMB, ZIP_CM_DEFLATE);
    CU_ASSERT_EQUAL(zip_close(archive), 0);
    free(zeros);
    CU_ASSERT_EQUAL(load(&f), GRUC_ERROR_INPUT);
    CU_ASSERT(says(&f, "far more than a shape of 2 x 3 needs"));
    end(&f);
}

/* Every byte of an archive flipped: any answer but a crash, and never other numbers. */
static void test_npz_damaged(void)
{
    static unsigned char bytes[4096];
    struct fixture f;
    begin(&f);
    make_npz(&f, "<f4", "(2, 3)", numbers, 24, ZIP_CM_STORE);
    FILE *file = fopen(f.path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    CU_ASSERT_FATAL(length > 100 && length < sizeof bytes);
    int wrong = 0, refused = 0;
    for (size_t i = 0; i < length; i++) {
        bytes[i] ^= 0x55;
        if (load_bytes(&f, bytes, length) == GRUC_OK)
            wrong += !has_numbers(&f);
        else
            refused++;
        bytes[i] ^= 0x55;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(refused > (int)length / 2);
    for (size_t cut = 0; cut < length; cut += 3)
        CU_ASSERT_EQUAL(load_bytes(&f, bytes, cut), GRUC_ERROR_INPUT);
    end(&f);
}

/* ---- initialisers ---- */

static const float *initialize(struct fixture *f, uint32_t rows, uint32_t columns, uint64_t seed)
{
    f->kernel.dims[0] = f->kernel.rows = rows;
    f->kernel.dims[1] = f->kernel.columns = columns;
    f->model.n_parameters = 1;
    f->diag.errors = 0;
    CU_ASSERT_EQUAL_FATAL(gruc_weights_initialize(&f->model, seed, &f->diag), GRUC_OK);
    return f->kernel.data;
}

struct moments {
    double mean, deviation, most;
};

static struct moments measure(const float *data, size_t count)
{
    struct moments moments = {0, 0, 0};
    double squares = 0;
    for (size_t i = 0; i < count; i++) {
        moments.mean += data[i];
        squares += (double)data[i] * data[i];
        if (fabsf(data[i]) > moments.most)
            moments.most = fabsf(data[i]);
    }
    moments.mean /= (double)count;
    moments.deviation = sqrt(squares / (double)count - moments.mean * moments.mean);
    return moments;
}

static void test_initialize_constants(void)
{
    struct fixture f;
    begin(&f);
    static const struct {
        enum gruc_initializer_kind kind;
        float diagonal, other;
    } cases[] = {{GRUC_INIT_ZEROS, 0, 0}, {GRUC_INIT_ONES, 1, 1},
                 {GRUC_INIT_CONSTANT, 0.25f, 0.25f}, {GRUC_INIT_IDENTITY, 3, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f.initializer =
            (struct gruc_initializer){.kind = cases[i].kind, .value = 0.25, .gain = 3};
        const float *data = initialize(&f, 2, 6, 0);
        for (int k = 0; k < 12; k++)
            CU_ASSERT_EQUAL(data[k], k == 0 || k == 7 ? cases[i].diagonal : cases[i].other);
    }
    end(&f);
}

static void test_initialize_random(void)
{
    struct fixture f;
    enum { ROWS = 200, COLUMNS = 600, COUNT = ROWS * COLUMNS };
    begin(&f);
    f.initializer = (struct gruc_initializer){.kind = GRUC_INIT_RANDOM_UNIFORM, .minval = -0.05,
                                              .maxval = 0.05};
    struct moments m = measure(initialize(&f, ROWS, COLUMNS, 1), COUNT);
    CU_ASSERT(fabs(m.mean) < 3e-4 && fabs(m.deviation - 0.05 / sqrt(3)) < 3e-4 && m.most <= 0.05);
    f.initializer = (struct gruc_initializer){.kind = GRUC_INIT_RANDOM_NORMAL, .stddev = 0.05};
    m = measure(initialize(&f, ROWS, COLUMNS, 1), COUNT);
    CU_ASSERT(fabs(m.mean) < 6e-4 && fabs(m.deviation - 0.05) < 4e-4 && m.most > 0.15);
    f.initializer = (struct gruc_initializer){.kind = GRUC_INIT_TRUNCATED_NORMAL, .stddev = 0.05};
    m = measure(initialize(&f, ROWS, COLUMNS, 1), COUNT);
    CU_ASSERT(fabs(m.deviation - 0.05 * 0.8796) < 4e-4 && m.most <= 0.1f && m.most > 0.0999);
    /* glorot_uniform, he_normal, lecun_normal */
    f.initializer = (struct gruc_initializer){.kind = GRUC_INIT_VARIANCE_SCALING, .scale = 1,
                                              .mode = GRUC_FAN_AVERAGE,
                                              .distribution = GRUC_DISTRIBUTION_UNIFORM};
    m = measure(initialize(&f, ROWS, COLUMNS, 1), COUNT);
    double bound = sqrt(6.0 / (ROWS + COLUMNS));
    CU_ASSERT(m.most <= bound * (1 + 1e-6) && m.most > 0.999 * bound);
    f.initializer.scale = 2;
    f.initializer.mode = GRUC_FAN_IN;
    f.initializer.distribution = GRUC_DISTRIBUTION_TRUNCATED_NORMAL;
    m = measure(initialize(&f, ROWS, COLUMNS, 1), COUNT);
    CU_ASSERT(fabs(m.deviation - sqrt(2.0 / ROWS)) < 1e-3);
    f.initializer.scale = 1;
    f.initializer.mode = GRUC_FAN_OUT;
    f.initializer.distribution = GRUC_DISTRIBUTION_UNTRUNCATED_NORMAL;
    m = measure(initialize(&f, ROWS, COLUMNS, 1), COUNT);
    CU_ASSERT(fabs(m.deviation - sqrt(1.0 / COLUMNS)) < 5e-4);
    end(&f);
}

static void test_initialize_orthogonal(void)
{
    struct fixture f;
    static const uint32_t shapes[][2] = {{5, 15}, {7, 7}, {12, 4}, {1, 3}, {32, 96}};
    begin(&f);
    f.initializer = (struct gruc_initializer){.kind = GRUC_INIT_ORTHOGONAL, .gain = 2};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        uint32_t rows = shapes[s][0], columns = shapes[s][1];
        const float *data = initialize(&f, rows, columns, 5);
        int by_rows = rows <= columns;
        uint32_t count = by_rows ? rows : columns, length = by_rows ? columns : rows;
        double worst = 0;
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t j = 0; j <= i; j++) {
                double sum = 0;
                for (uint32_t k = 0; k < length; k++)
                    sum += by_rows ? (double)data[i * columns + k] * data[j * columns + k]
                                   : (double)data[k * columns + i] * data[k * columns + j];
                double error = fabs(sum - (i == j ? 4 : 0));
                worst = error > worst ? error : worst;
            }
        CU_ASSERT(worst < 2e-6);
    }
    f.kernel.rank = 1;
    CU_ASSERT_EQUAL(gruc_weights_initialize(&f.model, 1, &f.diag), GRUC_ERROR_INPUT);
    CU_ASSERT(says(&f, "matrices only"));
    end(&f);
}

/* The numbers of a seed are the same for ever. */
static void test_initialize_seed(void)
{
    struct fixture f;
    float first[6];
    begin(&f);
    f.initializer = (struct gruc_initializer){.kind = GRUC_INIT_RANDOM_NORMAL, .stddev = 1};
    memcpy(first, initialize(&f, 2, 3, 42), sizeof first);
    static const float wanted[6] = {-0x1.d4b964p-2f, -0x1.1e05dcp+0f, -0x1.9d2f1cp-1f,
                                    -0x1.f8742cp-3f, 0x1.60213ap+0f, 0x1.d8535ep-4f};
    for (int i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(first[i], wanted[i]);
    CU_ASSERT_EQUAL(memcmp(first, initialize(&f, 2, 3, 42), sizeof first), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(first, initialize(&f, 2, 3, 43), sizeof first), 0);
    f.kernel.name = "h/kernel";
    CU_ASSERT_NOT_EQUAL(memcmp(first, initialize(&f, 2, 3, 42), sizeof first), 0);
    f.kernel.name = "g/kernel";
    f.initializer.has_seed = 1;
    f.initializer.seed = 42;
    CU_ASSERT_EQUAL(memcmp(first, initialize(&f, 2, 3, 7), sizeof first), 0);
    end(&f);
}

CU_TestInfo gruc_weights_tests[] = {
    {"safetensors: read", test_safetensors_good},
    {"safetensors: number types", test_safetensors_types},
    {"safetensors: a large bfloat16 tensor", test_safetensors_bfloat16_pieces},
    {"safetensors: damaged headers", test_safetensors_damaged},
    {"safetensors: truncated and oversized", test_safetensors_truncated},
    {"load: missing tensors", test_missing},
    {"load: wrong shapes", test_wrong_shape},
    {"load: unused tensors", test_unused},
    {"load: paths and kinds of files", test_paths},
    {"npz: read", test_npz},
    {"npz: bomb", test_npz_bomb},
    {"npz: damaged", test_npz_damaged},
    {"initialize: constants", test_initialize_constants},
    {"initialize: distributions", test_initialize_random},
    {"initialize: orthogonal", test_initialize_orthogonal},
    {"initialize: seeds", test_initialize_seed},
    CU_TEST_INFO_NULL,
};
