/* SPDX-License-Identifier: MIT */
/* Opening weights files: a path that stands in a model must not lead out of the model's directory,
 * neither by its words nor by links. */
#include "frontend/weights_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SYS_openat2
#include <linux/openat2.h>
#endif

enum { LONGEST_PATH = 4096, FLAGS = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };

/* "", "..", and a leading '/' are no parts of a path that stays below. */
static int stays_below(const char *path)
{
    if (*path == '\0')
        return 0;
    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        if (length == 0 || (length == 2 && memcmp(path, "..", 2) == 0))
            return 0;
        path += length;
        if (*path == '/' && *++path == '\0')
            return 0;
    }
    return 1;
}

static int open_directory(const char *base)
{
    char room[LONGEST_PATH];
    const char *slash = strrchr(base, '/');
    if (slash == NULL)
        return open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    size_t length = slash == base ? 1 : (size_t)(slash - base);
    if (length >= sizeof room) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(room, base, length);
    room[length] = '\0';
    return open(room, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Without the kernel's help: step by step, following no link at all. */
static int open_stepwise(int directory, const char *path)
{
    char part[LONGEST_PATH];
    int at = dup(directory);
    while (at >= 0) {
        size_t length = strcspn(path, "/");
        int is_last = path[length] == '\0', flags = is_last ? FLAGS : O_PATH | O_DIRECTORY;
        memcpy(part, path, length); /* the caller has checked the length of all */
        part[length] = '\0';
        int next = openat(at, part, flags | O_NOFOLLOW | O_CLOEXEC);
        int reason = errno;
        close(at);
        errno = reason;
        if (is_last || next < 0)
            return next;
        at = next;
        path += length + 1;
    }
    return -1;
}

static int open_below(int directory, const char *path)
{
#ifdef SYS_openat2
    struct open_how how = {.flags = FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long opened = syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (opened >= 0 || (errno != ENOSYS && errno != EPERM && errno != EAGAIN))
        return (int)opened;
#endif
    return open_stepwise(directory, path);
}

static const char *words_of_errno(void)
{
    return errno == ENOENT || errno == ENOTDIR ? "no such file"
           : errno == EACCES                   ? "permission denied"
           : errno == EXDEV || errno == ELOOP  ? "a link leads out of the model's directory"
           : errno == ENAMETOOLONG             ? "the path is too long"
                                               : "the file cannot be opened";
}

static int open_path(const char *base, const char *path, const char **error)
{
    int descriptor = -1;
    if (base == NULL)
        descriptor = open(path, FLAGS);
    else if (!stays_below(path)) {
        *error = "a model may name files in its own directory and below it only; give others by "
                 "--weights";
        return -1;
    } else if (strlen(path) >= LONGEST_PATH)
        errno = ENAMETOOLONG;
    else {
        int directory = open_directory(base);
        if (directory >= 0) {
            descriptor = open_below(directory, path);
            int reason = errno;
            close(directory);
            errno = reason;
        }
    }
    if (descriptor < 0)
        *error = words_of_errno();
    return descriptor;
}

enum gruc_status gruc_weights_open(const char *base, const char *path, int *descriptor,
                                   uint64_t *bytes, const char **error)
{
    struct stat about;
    *descriptor = open_path(base, path, error);
    if (*descriptor < 0)
        return GRUC_ERROR_INPUT;
    if (fstat(*descriptor, &about) == 0 && S_ISREG(about.st_mode)) {
        *bytes = (uint64_t)about.st_size;
        return GRUC_OK;
    }
    *error = "not a regular file";
    close(*descriptor);
    *descriptor = -1;
    return GRUC_ERROR_INPUT;
}

int gruc_weights_read(const struct gruc_weights_file *file, uint64_t offset, void *bytes,
                      size_t count)
{
    unsigned char *at = bytes;
    while (count > 0) {
        ssize_t got = pread(file->descriptor, at, count, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        at += got;
        offset += (uint64_t)got;
        count -= (size_t)got;
    }
    return 1;
}
