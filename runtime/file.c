/* SPDX-License-Identifier: MIT */
#include "runtime/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h> /* rename */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/words.h"

enum { FIRST_ROOM = 1 << 16, MAX_WRITE = 1 << 30, ATTEMPTS = 100 };

static enum gruc_status fail(const char **error, enum gruc_status status, const char *words)
{
    *error = words;
    return status;
}

static const char *words_of_errno(void)
{
    return errno == ENOENT   ? "no such file"
           : errno == EACCES ? "permission denied"
           : errno == EISDIR ? "is a directory"
           : errno == ENOSPC ? "no space left on the device"
           : errno == EPIPE  ? "nobody reads the output any more"
                             : "input or output error";
}

/* Reads to the end into *out, which has room for *room bytes. */
static enum gruc_status read_all(int descriptor, size_t limit, size_t room, unsigned char **out,
                                 size_t *length, const char **error)
{
    for (;;) {
        if (*length == room) {
            room = room > SIZE_MAX / 2 ? SIZE_MAX : room * 2;
            unsigned char *larger = realloc(*out, room);
            if (larger == NULL)
                return fail(error, GRUC_ERROR_MEMORY, "out of memory");
            *out = larger;
        }
        ssize_t got = read(descriptor, *out + *length, room - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(error, GRUC_ERROR_IO, words_of_errno());
        if (got == 0)
            return GRUC_OK;
        *length += (size_t)got;
        if (*length > limit)
            return fail(error, GRUC_ERROR_INPUT, "the file is too large");
    }
}

enum gruc_status grt_file_read(const char *path, size_t limit, unsigned char **out,
                               size_t *length, const char **error)
{
    struct stat about;
    enum gruc_status status;
    *out = NULL;
    *length = 0;
    *error = NULL;
    int standard = strcmp(path, "-") == 0;
    int descriptor = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return fail(error, GRUC_ERROR_IO, words_of_errno());
    size_t room = FIRST_ROOM;
    if (fstat(descriptor, &about) != 0)
        status = fail(error, GRUC_ERROR_IO, words_of_errno());
    else if (S_ISREG(about.st_mode) && (uintmax_t)about.st_size > limit)
        status = fail(error, GRUC_ERROR_INPUT, "the file is too large");
    else {
        if (S_ISREG(about.st_mode)) /* one byte more shows the end without growing */
            room = (size_t)about.st_size + 1;
        *out = malloc(room);
        status = *out == NULL ? fail(error, GRUC_ERROR_MEMORY, "out of memory")
                              : read_all(descriptor, limit, room, out, length, error);
    }
    if (!standard)
        close(descriptor);
    if (status != GRUC_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

/* Opens "PATH.tmp-PID-N", a name that nobody has. */
static int open_temporary(struct grt_file *file)
{
    size_t room = strlen(file->path) + 48;
    file->temporary = malloc(room);
    if (file->temporary == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int descriptor = -1;
    for (int attempt = 0; attempt < ATTEMPTS && descriptor < 0; attempt++) {
        grt_words_format(file->temporary, room, "%s.tmp-%ld-%d", file->path, (long)getpid(),
                         attempt);
        descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0 && errno != EEXIST)
            break;
    }
    return descriptor;
}

enum gruc_status grt_file_begin(const char *path, struct grt_file *out, const char **error)
{
    struct stat about;
    *error = NULL;
    *out = (struct grt_file){.descriptor = STDOUT_FILENO, .path = path};
    if (strcmp(path, "-") == 0)
        return GRUC_OK;
    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode))
        return fail(error, GRUC_ERROR_IO, "is a directory");
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        out->descriptor = open(path, O_WRONLY | O_CLOEXEC);
    else
        out->descriptor = open_temporary(out);
    if (out->descriptor >= 0)
        return GRUC_OK;
    enum gruc_status status = errno == ENOMEM ? GRUC_ERROR_MEMORY : GRUC_ERROR_IO;
    *error = errno == ENOMEM ? "out of memory" : words_of_errno();
    free(out->temporary);
    out->temporary = NULL;
    return status;
}

enum gruc_status grt_file_write(struct grt_file *file, const void *bytes, size_t length,
                                const char **error)
{
    const unsigned char *at = bytes;
    while (length > 0) {
        ssize_t done = write(file->descriptor, at, length < MAX_WRITE ? length : MAX_WRITE);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail(error, GRUC_ERROR_IO, words_of_errno());
        at += done;
        length -= (size_t)done;
    }
    return GRUC_OK;
}

enum gruc_status grt_file_end(struct grt_file *file, enum gruc_status status, const char **error)
{
    if (file->descriptor != STDOUT_FILENO && close(file->descriptor) != 0 && status == GRUC_OK)
        status = fail(error, GRUC_ERROR_IO, words_of_errno());
    if (file->temporary != NULL) {
        if (status == GRUC_OK && rename(file->temporary, file->path) != 0)
            status = fail(error, GRUC_ERROR_IO, words_of_errno());
        if (status != GRUC_OK)
            unlink(file->temporary);
        free(file->temporary);
        file->temporary = NULL;
    }
    return status;
}
