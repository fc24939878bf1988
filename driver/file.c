/* SPDX-License-Identifier: MIT */
#include "driver/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reports an errno about path. */
static void report_path(struct gruc_diag *diag, const char *path, const char *what, int number)
{
    char room[128] = "";
    const char *reason = strerror_r(number, room, sizeof room);
    const char *file = diag->file;
    diag->file = path;
    gruc_diag_error(diag, GRUC_E_FILE_IO, (struct gruc_mark){0}, "%s: %s", what, reason);
    diag->file = file;
}

/* Appends at most limit bytes and one more; 0 or an errno. */
static int read_all(int file, size_t limit, struct gruc_strbuf *out)
{
    char block[16384];
    while (out->length <= limit) {
        ssize_t count = read(file, block, sizeof block);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno;
        if (count == 0)
            return 0;
        gruc_strbuf_append(out, block, (size_t)count);
        if (out->failed)
            return ENOMEM;
    }
    return 0;
}

static int read_path(const char *path, size_t limit, struct gruc_strbuf *out)
{
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, limit, out);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno;
    int number = read_all(file, limit, out);
    close(file);
    return number;
}

enum gruc_status gruc_file_read(struct gruc_arena *arena, const char *path, size_t limit,
                                struct gruc_diag *diag, char **out, size_t *out_length)
{
    struct gruc_strbuf bytes;
    gruc_strbuf_init(&bytes);
    int number = read_path(path, limit, &bytes);
    if (bytes.length > limit)
        bytes.length = limit;
    enum gruc_status status = number == 0        ? GRUC_OK
                              : number == ENOMEM ? GRUC_ERROR_MEMORY
                                                 : GRUC_ERROR_INPUT;
    if (status == GRUC_ERROR_INPUT)
        report_path(diag, path, "cannot read the file", number);
    if (status == GRUC_OK) {
        *out = gruc_arena_text(arena, bytes.length > 0 ? bytes.text : "", bytes.length);
        *out_length = bytes.length;
        status = *out == NULL ? GRUC_ERROR_MEMORY : GRUC_OK;
    }
    gruc_strbuf_finish(&bytes);
    return status;
}

enum gruc_status gruc_file_append(const char *path, struct gruc_strbuf *out)
{
    int number = read_path(path, SIZE_MAX / 8, out);
    return number == 0 ? GRUC_OK : number == ENOMEM ? GRUC_ERROR_MEMORY : GRUC_ERROR_IO;
}

void gruc_file_group_init(struct gruc_file_group *group)
{
    group->count = 0;
}

int gruc_file_write_all(int file, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(file, bytes, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno;
        bytes += count;
        length -= (size_t)count;
    }
    return 0;
}

/* Makes a file of a new name beside path, or opens path itself where it is a device or a pipe,
 * which must not be replaced: temporary is empty then. -1 and errno on failure. */
static int open_output(const char *path, int executable, char *temporary, size_t room)
{
    struct stat place;
    int file = -1;
    temporary[0] = 0;
    if (stat(path, &place) == 0 && !S_ISREG(place.st_mode))
        return open(path, O_WRONLY | O_CLOEXEC);
    for (unsigned attempt = 0; file < 0 && attempt < 1000; attempt++) {
        snprintf(temporary, room, "%s.%ld-%u.part", path, (long)getpid(), attempt);
        file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, executable ? 0777 : 0666);
        if (file < 0 && errno != EEXIST)
            return -1;
    }
    return file;
}

static int write_output(const char *path, const struct gruc_strbuf *bytes, int executable,
                        char *temporary, size_t room)
{
    int file = open_output(path, executable, temporary, room);
    if (file < 0)
        return errno;
    int number = gruc_file_write_all(file, bytes->text, bytes->length);
    if (close(file) != 0 && number == 0)
        number = errno;
    if (number != 0 && temporary[0] != 0)
        unlink(temporary);
    return number;
}

enum gruc_status gruc_file_group_add(struct gruc_file_group *group, const char *path,
                                     const struct gruc_strbuf *bytes, int executable,
                                     struct gruc_diag *diag)
{
    if (bytes->failed || group->count == GRUC_FILE_GROUP_MAX)
        return GRUC_ERROR_MEMORY;
    size_t room = strlen(path) + 48;
    char *place = strdup(path);
    char *temporary = malloc(room);
    enum gruc_status status = place == NULL || temporary == NULL ? GRUC_ERROR_MEMORY : GRUC_OK;
    if (status == GRUC_OK) {
        int number = write_output(path, bytes, executable, temporary, room);
        if (number != 0) {
            report_path(diag, path, "cannot write the file", number);
            status = GRUC_ERROR_IO;
        }
    }
    if (status != GRUC_OK || temporary[0] == 0) {
        free(place);
        free(temporary);
        return status;
    }
    group->entries[group->count++] = (struct gruc_file_entry){place, temporary};
    return GRUC_OK;
}

enum gruc_status gruc_file_group_commit(struct gruc_file_group *group, struct gruc_diag *diag)
{
    for (size_t i = 0; i < group->count; i++) {
        struct gruc_file_entry *entry = &group->entries[i];
        if (rename(entry->temporary, entry->path) == 0) {
            free(entry->temporary);
            entry->temporary = NULL;
            continue;
        }
        int number = errno;
        for (size_t k = 0; k < i; k++)
            unlink(group->entries[k].path);
        report_path(diag, entry->path, "cannot write the file", number);
        return GRUC_ERROR_IO;
    }
    return GRUC_OK;
}

void gruc_file_group_finish(struct gruc_file_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->entries[i].temporary != NULL)
            unlink(group->entries[i].temporary);
        free(group->entries[i].temporary);
        free(group->entries[i].path);
    }
    group->count = 0;
}
