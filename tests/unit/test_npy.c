/* SPDX-License-Identifier: MIT */
/* Arrays and .npy files. */
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gruc/npy.h>

#include "runtime/array.h"
#include "tests/unit/suites.h"

enum { ROOM = 4096 };

/* A file in memory: version, dictionary as given (a line end is added), data. */
static size_t make_file(unsigned char *room, int version, const char *dictionary,
                        const void *data, size_t bytes)
{
    size_t length = strlen(dictionary) + 1, prefix = version == 1 ? 10 : 12;
    memcpy(room, "\x93NUMPY", 6);
    room[6] = (unsigned char)version;
    room[7] = 0;
    memset(room + 8, 0, 4);
    room[8] = (unsigned char)(length & 255);
    room[9] = (unsigned char)(length >> 8);
    memcpy(room + prefix, dictionary, length - 1);
    room[prefix + length - 1] = '\n';
    if (bytes > 0)
        memcpy(room + prefix + length, data, bytes);
    return prefix + length + bytes;
}

/* The words of the failure, NULL when it was read. */
static const char *words_on(const char *dictionary, size_t bytes)
{
    unsigned char room[ROOM], data[256] = {0};
    struct gruc_array array;
    const char *error = NULL;
    size_t length = make_file(room, 1, dictionary, data, bytes);
    /* An exact copy, so that reading past the end is seen. */
    unsigned char *copy = malloc(length);
    memcpy(copy, room, length);
    enum gruc_status status = gruc_npy_parse(copy, length, &array, &error);
    CU_ASSERT_EQUAL(status == GRUC_OK, error == NULL);
    CU_ASSERT(status == GRUC_OK || array.data == NULL);
    gruc_array_finish(&array);
    free(copy);
    return error;
}

static void test_parse_versions(void)
{
    const float numbers[6] = {1, 2, 3, 4, 5, 6};
    unsigned char room[ROOM];
    for (int version = 1; version <= 3; version++) {
        struct gruc_array array;
        const char *error;
        size_t length =
            make_file(room, version, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
                      numbers, sizeof numbers);
        CU_ASSERT_EQUAL_FATAL(gruc_npy_parse(room, length, &array, &error), GRUC_OK);
        CU_ASSERT(array.type == GRUC_NPY_FLOAT32 && array.rank == 2 && array.count == 6);
        CU_ASSERT(array.dims[0] == 2 && array.dims[1] == 3);
        CU_ASSERT_EQUAL((uintptr_t)array.data % 64, 0);
        CU_ASSERT_EQUAL(memcmp(array.data, numbers, sizeof numbers), 0);
        gruc_array_finish(&array);
    }
}

static void test_parse_accepts(void)
{
    CU_ASSERT_PTR_NULL(words_on("{'descr':'<f8','fortran_order':False,'shape':()}", 8));
    CU_ASSERT_PTR_NULL(words_on("{'shape': (3,), \"descr\": '|b1', 'fortran_order': True}", 3));
    CU_ASSERT_PTR_NULL(words_on("{'descr': '|i1', 'fortran_order': False, 'shape': (2,2)}   ", 4));
    CU_ASSERT_PTR_NULL(words_on("{'descr': '|u1', 'fortran_order': False, 'shape': (0,5)}", 0));
    CU_ASSERT_PTR_NULL(words_on("{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2,)}", 4));
    CU_ASSERT_PTR_NULL(words_on("{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", 16));
    CU_ASSERT_PTR_NULL(words_on("{'descr': '<i4', 'fortran_order': False, "
                                "'shape': (1,1,1,1,1,1,1,1)}", 4));
}

static void test_parse_refuses(void)
{
    static const char *const dictionaries[] = {
        "", "{", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4 ', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4<f4<f4<f4<f4<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': false, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [1]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (01,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1.0,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9223372036854775807, 4)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4',, 'fortran_order': False, 'shape': (1,)}",
        "{'descr: '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr\": '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'de\\x73cr': '<f4', 'fortran_order': False, 'shape': (1,)}",
    };
    for (size_t i = 0; i < sizeof dictionaries / sizeof *dictionaries; i++)
        if (words_on(dictionaries[i], 4) == NULL)
            CU_FAIL(dictionaries[i]);
    const char *good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
    CU_ASSERT_STRING_EQUAL(words_on(good, 7), "the file is truncated");
    CU_ASSERT_STRING_EQUAL(words_on(good, 9), "the file is longer than its array");
    CU_ASSERT_PTR_NULL(words_on(good, 8));
}

/* Every prefix of a good file is refused, without reading past it. */
static void test_parse_prefixes(void)
{
    unsigned char room[ROOM];
    const float numbers[2] = {1, 2};
    for (int version = 1; version <= 2; version++) {
        size_t length =
            make_file(room, version, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
                      numbers, sizeof numbers);
        for (size_t cut = 0; cut < length; cut++) {
            unsigned char *copy = malloc(cut + 1);
            struct gruc_array array;
            const char *error;
            memcpy(copy, room, cut);
            CU_ASSERT_EQUAL(gruc_npy_parse(copy, cut, &array, &error), GRUC_ERROR_INPUT);
            free(copy);
        }
        room[6] = 4;
        struct gruc_array array;
        const char *error;
        CU_ASSERT_EQUAL(gruc_npy_parse(room, length, &array, &error), GRUC_ERROR_INPUT);
        room[6] = 2;
        room[11] = 127; /* a header of gigabytes */
        CU_ASSERT_EQUAL(gruc_npy_parse(room, length, &array, &error), GRUC_ERROR_INPUT);
    }
}

static void test_parse_fortran(void)
{
    unsigned char room[ROOM];
    int32_t numbers[24];
    struct gruc_array array;
    const char *error;
    /* Element (i,j,k) = 100 i + 10 j + k, first axis fastest. */
    for (int i = 0; i < 24; i++)
        numbers[i] = 100 * (i % 2) + 10 * (i / 2 % 3) + i / 6;
    size_t length =
        make_file(room, 1, "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3, 4), }",
                  numbers, sizeof numbers);
    CU_ASSERT_EQUAL_FATAL(gruc_npy_parse(room, length, &array, &error), GRUC_OK);
    int wrong = 0;
    for (int i = 0; i < 24; i++)
        wrong += ((int32_t *)array.data)[i] != 100 * (i / 12) + 10 * (i / 4 % 3) + i % 4;
    CU_ASSERT_EQUAL(wrong, 0);
    gruc_array_finish(&array);
}

static void test_convert_floats(void)
{
    static const uint16_t halves[] = {0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0001,
                                      0x03ff, 0x0400, 0x7c00, 0xfc00, 0x3555};
    static const float exact[] = {0.0f, -0.0f, 1.0f, -2.0f, 65504.0f, 0x1p-24f,
                                  0x1.ff8p-15f, 0x1p-14f, INFINITY, -INFINITY, 0x1.554p-2f};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        float value = grt_float_from_half(halves[i]);
        CU_ASSERT_EQUAL(memcmp(&value, &exact[i], sizeof value), 0);
    }
    CU_ASSERT(isnan(grt_float_from_half(0x7e00)));
    struct gruc_array doubles, floats;
    int64_t dims[1] = {3};
    CU_ASSERT_EQUAL_FATAL(gruc_array_create(GRUC_NPY_FLOAT64, 1, dims, &doubles), GRUC_OK);
    ((double *)doubles.data)[0] = 0.1;
    ((double *)doubles.data)[1] = 1 + 0x1p-24 + 0x1p-50;
    ((double *)doubles.data)[2] = 1e300;
    CU_ASSERT_EQUAL_FATAL(gruc_array_convert(&doubles, GRUC_FLOAT32, &floats), GRUC_OK);
    CU_ASSERT_EQUAL(((float *)floats.data)[0], 0.1f);
    CU_ASSERT_EQUAL(((float *)floats.data)[1], 1 + 0x1p-23f);
    CU_ASSERT(isinf(((float *)floats.data)[2]));
    gruc_array_finish(&doubles);
    gruc_array_finish(&floats);
}

static enum gruc_status convert_double(double value, enum gruc_dtype dtype, int32_t *out)
{
    struct gruc_array from, to;
    CU_ASSERT_EQUAL_FATAL(gruc_array_create(GRUC_NPY_FLOAT64, 0, NULL, &from), GRUC_OK);
    *(double *)from.data = value;
    enum gruc_status status = gruc_array_convert(&from, dtype, &to);
    if (status == GRUC_OK)
        *out = dtype == GRUC_BOOL ? *(uint8_t *)to.data : *(int32_t *)to.data;
    gruc_array_finish(&from);
    gruc_array_finish(&to);
    return status;
}

static void test_convert_integers(void)
{
    int32_t out = 0;
    CU_ASSERT(convert_double(2.9, GRUC_INT32, &out) == GRUC_OK && out == 2);
    CU_ASSERT(convert_double(-2.9, GRUC_INT32, &out) == GRUC_OK && out == -2);
    CU_ASSERT(convert_double(2147483647.5, GRUC_INT32, &out) == GRUC_OK && out == INT_MAX);
    CU_ASSERT(convert_double(-2147483648.5, GRUC_INT32, &out) == GRUC_OK && out == INT_MIN);
    CU_ASSERT_EQUAL(convert_double(2147483648.0, GRUC_INT32, &out), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(convert_double(-2147483649.0, GRUC_INT32, &out), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(convert_double(NAN, GRUC_INT32, &out), GRUC_ERROR_SHAPE);
    CU_ASSERT(convert_double(0.5, GRUC_BOOL, &out) == GRUC_OK && out == 1);
    CU_ASSERT(convert_double(-0.0, GRUC_BOOL, &out) == GRUC_OK && out == 0);
    CU_ASSERT(convert_double(NAN, GRUC_BOOL, &out) == GRUC_OK && out == 1);
    struct gruc_array wide, narrow;
    int64_t dims[1] = {2};
    CU_ASSERT_EQUAL_FATAL(gruc_array_create(GRUC_NPY_INT64, 1, dims, &wide), GRUC_OK);
    ((int64_t *)wide.data)[0] = -5;
    ((int64_t *)wide.data)[1] = ((int64_t)1 << 53) + ((int64_t)1 << 29) + 1;
    CU_ASSERT_EQUAL(gruc_array_convert(&wide, GRUC_INT32, &narrow), GRUC_ERROR_SHAPE);
    CU_ASSERT_PTR_NULL(narrow.data);
    CU_ASSERT_EQUAL_FATAL(gruc_array_convert(&wide, GRUC_FLOAT32, &narrow), GRUC_OK);
    CU_ASSERT_EQUAL(((float *)narrow.data)[0], -5.0f);
    CU_ASSERT_EQUAL(((float *)narrow.data)[1], 0x1p53f + 0x1p30f); /* rounded once */
    gruc_array_finish(&narrow);
    gruc_array_finish(&wide);
}

static void test_create_limits(void)
{
    struct gruc_array array;
    int64_t negative[1] = {-1}, huge[2] = {INT64_MAX, 3}, hidden[2] = {0, INT64_MAX};
    CU_ASSERT_EQUAL(gruc_array_create(GRUC_NPY_BOOL, 1, negative, &array), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(gruc_array_create(GRUC_NPY_BOOL, 2, huge, &array), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(gruc_array_create(GRUC_NPY_INT64, 2, hidden, &array), GRUC_ERROR_SHAPE);
    CU_ASSERT_EQUAL(gruc_array_create(GRUC_NPY_BOOL, 9, huge, &array), GRUC_ERROR_SHAPE);
}

static int file_count(const char *directory)
{
    char command[PATH_MAX + 32];
    int count = -1;
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", directory);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL)
        return -1;
    if (fscanf(pipe, "%d", &count) != 1)
        count = -1;
    pclose(pipe);
    return count;
}

static void test_files(void)
{
    char directory[] = "/tmp/gruc-npy-XXXXXX", path[64], hidden[64];
    const char *error;
    struct gruc_array array, back;
    int64_t dims[3] = {2, 1, 5};
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/a.npy", directory);
    snprintf(hidden, sizeof hidden, "%s/none/a.npy", directory);
    for (int type = 0; type <= GRUC_NPY_FLOAT16; type++)
        for (uint32_t rank = 0; rank <= 3; rank++) {
            CU_ASSERT_EQUAL_FATAL(
                gruc_array_create((enum gruc_npy_type)type, rank, dims, &array), GRUC_OK);
            for (size_t i = 0; i < array.bytes; i++)
                ((unsigned char *)array.data)[i] = type == GRUC_NPY_BOOL ? i & 1 : 3 * i & 255;
            CU_ASSERT_EQUAL(gruc_npy_write(path, &array, &error), GRUC_OK);
            CU_ASSERT_EQUAL_FATAL(gruc_npy_read(path, 0, &back, &error), GRUC_OK);
            CU_ASSERT(back.type == array.type && back.rank == rank && back.bytes == array.bytes);
            CU_ASSERT_EQUAL(memcmp(back.dims, array.dims, sizeof back.dims), 0);
            CU_ASSERT_EQUAL(memcmp(back.data, array.data, array.bytes), 0);
            gruc_array_finish(&back);
            gruc_array_finish(&array);
        }
    CU_ASSERT_EQUAL(file_count(directory), 1); /* no temporary file stays */
    CU_ASSERT_EQUAL(gruc_npy_read(path, 64, &back, &error), GRUC_ERROR_INPUT);
    CU_ASSERT_STRING_EQUAL(error, "the file is too large");
    CU_ASSERT_EQUAL(gruc_npy_read(hidden, 0, &back, &error), GRUC_ERROR_IO);
    CU_ASSERT_STRING_EQUAL(error, "no such file");
    CU_ASSERT_EQUAL(gruc_npy_read(directory, 0, &back, &error), GRUC_ERROR_IO);
    CU_ASSERT_EQUAL_FATAL(gruc_array_create(GRUC_NPY_FLOAT32, 1, dims, &array), GRUC_OK);
    CU_ASSERT_EQUAL(gruc_npy_write(hidden, &array, &error), GRUC_ERROR_IO);
    CU_ASSERT_EQUAL(gruc_npy_write(directory, &array, &error), GRUC_ERROR_IO);
    CU_ASSERT_EQUAL(gruc_npy_write("/dev/null", &array, &error), GRUC_OK);
    CU_ASSERT_EQUAL(gruc_npy_write("/dev/full", &array, &error), GRUC_ERROR_IO);
    struct stat about;
    CU_ASSERT(stat("/dev/null", &about) == 0 && S_ISCHR(about.st_mode));
    CU_ASSERT_EQUAL(file_count(directory), 1);
    gruc_array_finish(&array);
    unlink(path);
    rmdir(directory);
}

/* A write that fails in the middle leaves the old file as it was and nothing beside it. */
static void test_files_full(void)
{
    char directory[] = "/tmp/gruc-npy-XXXXXX", path[64];
    const char *error;
    struct gruc_array array, back;
    struct rlimit before, small;
    int64_t dims[1] = {4}, many[1] = {100000};
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/a.npy", directory);
    CU_ASSERT_EQUAL_FATAL(gruc_array_create(GRUC_NPY_FLOAT32, 1, dims, &array), GRUC_OK);
    CU_ASSERT_EQUAL(gruc_npy_write(path, &array, &error), GRUC_OK);
    gruc_array_finish(&array);
    CU_ASSERT_EQUAL_FATAL(gruc_array_create(GRUC_NPY_FLOAT32, 1, many, &array), GRUC_OK);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    CU_ASSERT_EQUAL(gruc_npy_write(path, &array, &error), GRUC_ERROR_IO);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    gruc_array_finish(&array);
    CU_ASSERT_EQUAL(file_count(directory), 1);
    CU_ASSERT_EQUAL_FATAL(gruc_npy_read(path, 0, &back, &error), GRUC_OK);
    CU_ASSERT_EQUAL(back.count, 4);
    gruc_array_finish(&back);
    unlink(path);
    rmdir(directory);
}

CU_TestInfo gruc_npy_tests[] = {
    {"parse: versions 1 to 3", test_parse_versions},
    {"parse: spellings that are accepted", test_parse_accepts},
    {"parse: everything else is refused", test_parse_refuses},
    {"parse: truncated files", test_parse_prefixes},
    {"parse: column-major", test_parse_fortran},
    {"convert: to float32", test_convert_floats},
    {"convert: to int32 and bool", test_convert_integers},
    {"create: sizes that overflow", test_create_limits},
    {"files: written beside and renamed", test_files},
    {"files: no room", test_files_full},
    CU_TEST_INFO_NULL,
};
