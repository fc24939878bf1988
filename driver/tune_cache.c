/* SPDX-License-Identifier: MIT */
#include "driver/tune_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "driver/file.h"

enum { FORMAT = 1, FILE_BYTES = 1 << 18, ENTRIES = 256, MOST_GAIN = 1000 };

#define FILE_NAME "tune.json"

static const char *const not_ours = "it belongs to another user";

static int fail(struct gruc_tune_cache *cache, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int fail(struct gruc_tune_cache *cache, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(cache->problem, sizeof cache->problem, format, list);
    va_end(list);
    return 0;
}

static int fail_errno(struct gruc_tune_cache *cache, int number)
{
    char room[128] = "";
    return fail(cache, "%s", strerror_r(number, room, sizeof room));
}

/* ---- its folder ---- */

/* base/gruc, itself no link, so that nothing outside it is ever read or replaced; -1 and errno. */
static int open_below(const char *base, int create)
{
    if (create && mkdir(base, 0700) != 0 && errno != EEXIST)
        return -1;
    int parent = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return -1;
    int folder = -1;
    if (!create || mkdirat(parent, "gruc", 0700) == 0 || errno == EEXIST)
        folder = openat(parent, "gruc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int number = errno;
    close(parent);
    errno = number;
    return folder;
}

static int open_folder(struct gruc_tune_cache *cache, int create)
{
    struct stat what;
    char *base = strndup(cache->path, strlen(cache->path) - strlen("/gruc/" FILE_NAME));
    int folder = base != NULL ? open_below(base, create) : -1;
    int number = base != NULL ? errno : ENOMEM;
    free(base);
    if (folder < 0) {
        if (create || number != ENOENT)
            fail_errno(cache, number);
        return -1;
    }
    if (fstat(folder, &what) == 0 && what.st_uid == geteuid())
        return folder;
    fail(cache, "%s", not_ours);
    close(folder);
    return -1;
}

/* By the XDG rules, which ignore a path that is not absolute. */
static char *find_path(void)
{
    const char *base = getenv("XDG_CACHE_HOME"), *below = "";
    if (base == NULL || base[0] != '/') {
        base = getenv("HOME");
        below = "/.cache";
    }
    if (base == NULL || base[0] != '/')
        return NULL;
    size_t bytes = strlen(base) + strlen(below) + sizeof "/gruc/" FILE_NAME;
    char *path = malloc(bytes);
    if (path != NULL)
        snprintf(path, bytes, "%s%s/gruc/" FILE_NAME, base, below);
    return path;
}

/* ---- reading ---- */

static int read_number(const json_t *entry, const char *key, unsigned most, unsigned *out)
{
    const json_t *value = json_object_get(entry, key);
    json_int_t number = json_integer_value(value);
    *out = (unsigned)number;
    return json_is_integer(value) && number >= 0 && number <= (json_int_t)most;
}

static int read_entry(const json_t *entry, struct gruc_tune_entry *out)
{
    const json_t *gain = json_object_get(entry, "gain_percent");
    const char *key = json_string_value(json_object_get(entry, "key"));
    out->gain = json_number_value(gain);
    return json_is_object(entry) && key != NULL && strlen(key) < GRUC_TUNE_KEY_BYTES &&
           read_number(entry, "row_vectors", 8, &out->blocking.row_vectors) &&
           read_number(entry, "rows", 8, &out->blocking.rows) &&
           read_number(entry, "vectors", 8, &out->blocking.vectors) &&
           read_number(entry, "tile_rows", 512, &out->blocking.tile_rows) &&
           json_is_number(gain) && out->gain >= 0 && out->gain <= MOST_GAIN;
}

/* The entries of a text, NULL when it is not what we write. */
static json_t *parse(const char *text, size_t length)
{
    struct gruc_tune_entry unused;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    json_t *entries = json_object_get(root, "entries");
    int fits = json_integer_value(json_object_get(root, "format")) == FORMAT &&
               json_is_array(entries) && json_array_size(entries) <= ENTRIES;
    for (size_t i = 0; fits && i < json_array_size(entries); i++)
        fits = read_entry(json_array_get(entries, i), &unused);
    entries = fits ? json_incref(entries) : NULL;
    json_decref(root);
    return entries;
}

static void read_text(struct gruc_tune_cache *cache, int file)
{
    size_t length = 0;
    ssize_t count = 1;
    char *text = malloc(FILE_BYTES + 1);
    while (text != NULL && count > 0 && length <= FILE_BYTES) {
        count = read(file, text + length, FILE_BYTES + 1 - length);
        length += count > 0 ? (size_t)count : 0;
        count = count < 0 && errno == EINTR ? 1 : count;
    }
    json_t *entries = text != NULL && count == 0 ? parse(text, length) : NULL;
    free(text);
    if (entries == NULL) {
        fail(cache, "it is damaged or of another version");
        return;
    }
    json_decref(cache->entries);
    cache->entries = entries;
}

static void read_file(struct gruc_tune_cache *cache, int folder)
{
    struct stat what;
    int file = openat(folder, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0 && errno == ENOENT)
        return;
    if (file < 0 || fstat(file, &what) != 0 || !S_ISREG(what.st_mode)) {
        cache->is_usable = 0;
        fail(cache, "it is no ordinary file that can be read");
    } else if (what.st_uid != geteuid()) {
        cache->is_usable = 0;
        fail(cache, "%s", not_ours);
    } else {
        read_text(cache, file);
    }
    if (file >= 0)
        close(file);
}

void gruc_tune_cache_open(struct gruc_tune_cache *cache)
{
    *cache = (struct gruc_tune_cache){.path = find_path(), .entries = json_array()};
    if (cache->path == NULL) {
        fail(cache, "neither XDG_CACHE_HOME nor HOME names a folder");
        return;
    }
    int folder = open_folder(cache, 0);
    cache->is_usable = cache->problem[0] == 0;
    if (folder < 0)
        return;
    read_file(cache, folder);
    close(folder);
}

/* Its place in the list, the list's length when there is none. */
static size_t find_key(const json_t *entries, const char *key)
{
    size_t i = 0;
    while (i < json_array_size(entries) &&
           strcmp(json_string_value(json_object_get(json_array_get(entries, i), "key")), key) != 0)
        i++;
    return i;
}

int gruc_tune_cache_find(const struct gruc_tune_cache *cache, const char *key,
                         struct gruc_tune_entry *out)
{
    return read_entry(json_array_get(cache->entries, find_key(cache->entries, key)), out);
}

/* ---- writing ---- */

/* 0 and errno. */
static int write_beside(int folder, const char *temporary, const char *text)
{
    int file = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return 0;
    int number = gruc_file_write_all(file, text, strlen(text));
    if (close(file) != 0 && number == 0)
        number = errno;
    if (number == 0 && renameat(folder, temporary, folder, FILE_NAME) != 0)
        number = errno;
    if (number != 0)
        unlinkat(folder, temporary, 0);
    errno = number;
    return number == 0;
}

static int write_file(struct gruc_tune_cache *cache)
{
    char temporary[64];
    json_t *root = json_pack("{s:i, s:O}", "format", FORMAT, "entries", (json_t *)cache->entries);
    char *text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(5));
    json_decref(root);
    int folder = text != NULL ? open_folder(cache, 1) : -1;
    int fine = 0;
    snprintf(temporary, sizeof temporary, FILE_NAME ".%ld.part", (long)getpid());
    if (folder >= 0) {
        fine = write_beside(folder, temporary, text);
        if (!fine)
            fail_errno(cache, errno);
        close(folder);
    }
    if (text == NULL)
        fail_errno(cache, ENOMEM);
    free(text);
    return fine;
}

int gruc_tune_cache_store(struct gruc_tune_cache *cache, const char *key,
                          const struct gruc_tune_entry *entry)
{
    const struct gruc_blocking *blocking = &entry->blocking;
    if (!cache->is_usable)
        return 0;
    json_array_remove(cache->entries, find_key(cache->entries, key));
    while (json_array_size(cache->entries) >= ENTRIES)
        json_array_remove(cache->entries, 0);
    json_t *row = json_pack("{s:s, s:i, s:i, s:i, s:i, s:f}", "key", key, "row_vectors",
                            (int)blocking->row_vectors, "rows", (int)blocking->rows, "vectors",
                            (int)blocking->vectors, "tile_rows", (int)blocking->tile_rows,
                            "gain_percent", fmin(entry->gain, MOST_GAIN));
    if (json_array_append_new(cache->entries, row) != 0)
        return fail_errno(cache, ENOMEM);
    return write_file(cache);
}

void gruc_tune_cache_close(struct gruc_tune_cache *cache)
{
    json_decref(cache->entries);
    free(cache->path);
    *cache = (struct gruc_tune_cache){0};
}
