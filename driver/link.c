/* SPDX-License-Identifier: MIT */
#include "driver/link.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver/file.h"

extern char **environ;

enum { PATH_ROOM = 256, ARGUMENTS = 24, MESSAGE_BYTES = 2000 };

/* A folder of our own with what the linker reads and writes. */
struct workshop {
    char folder[PATH_ROOM];
    char object[PATH_ROOM + 16], result[PATH_ROOM + 16], messages[PATH_ROOM + 16];
};

static enum gruc_status write_object(const char *path, const struct gruc_strbuf *object)
{
    FILE *file = fopen(path, "wbe");
    if (file == NULL)
        return GRUC_ERROR_IO;
    size_t written = fwrite(object->text, 1, object->length, file);
    return fclose(file) == 0 && written == object->length ? GRUC_OK : GRUC_ERROR_IO;
}

static enum gruc_status open_workshop(struct workshop *workshop, const struct gruc_strbuf *object,
                                      struct gruc_diag *diag)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] == 0 || strlen(parent) > PATH_ROOM - 32)
        parent = "/tmp";
    snprintf(workshop->folder, sizeof workshop->folder, "%s/gruc-link-XXXXXX", parent);
    const char *folder = mkdtemp(workshop->folder);
    snprintf(workshop->object, sizeof workshop->object, "%s/model.o", workshop->folder);
    snprintf(workshop->result, sizeof workshop->result, "%s/result", workshop->folder);
    snprintf(workshop->messages, sizeof workshop->messages, "%s/messages", workshop->folder);
    if (folder != NULL && write_object(workshop->object, object) == GRUC_OK)
        return GRUC_OK;
    gruc_diag_error(diag, GRUC_E_LINK, (struct gruc_mark){0},
                    "cannot write temporary files in '%s'", parent);
    return GRUC_ERROR_IO;
}

static void close_workshop(const struct workshop *workshop)
{
    unlink(workshop->object);
    unlink(workshop->result);
    unlink(workshop->messages);
    rmdir(workshop->folder);
}

/* Runs a program found in PATH with its output in the file messages. -1: could not be started. */
static int run_program(const char *const *arguments, const char *messages)
{
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    pid_t child = -1;
    int failed = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, messages,
                                                  O_WRONLY | O_CREAT | O_TRUNC, 0600) != 0 ||
                 posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO) != 0 ||
                 posix_spawnp(&child, arguments[0], &actions, NULL,
                              (char *const *)(uintptr_t)arguments, environ) != 0;
    posix_spawn_file_actions_destroy(&actions);
    if (failed)
        return -1;
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void note_messages(const struct workshop *workshop, struct gruc_diag *diag)
{
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    if (gruc_file_append(workshop->messages, &text) == GRUC_OK && text.length > 0)
        gruc_diag_note(diag, (struct gruc_mark){0}, "the linker said: %.*s", MESSAGE_BYTES,
                       text.text);
    gruc_strbuf_finish(&text);
}

/* Starts the first of the programs that exists, each with the arguments that follow it. */
static enum gruc_status run_first(const char *const (*vectors)[ARGUMENTS], size_t count,
                                  const struct workshop *workshop, struct gruc_diag *diag,
                                  struct gruc_strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        int exit_status = run_program(vectors[i], workshop->messages);
        if (exit_status < 0 || exit_status == 127)
            continue;
        if (exit_status == 0 && gruc_file_append(workshop->result, out) == GRUC_OK)
            return out->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
        gruc_diag_error(diag, GRUC_E_LINK, (struct gruc_mark){0}, "'%s' failed with exit status %d",
                        vectors[i][0], exit_status);
        note_messages(workshop, diag);
        return GRUC_ERROR_IO;
    }
    gruc_diag_error(diag, GRUC_E_LINK, (struct gruc_mark){0},
                    "linking needs '%s' or '%s', and neither was found", vectors[0][0],
                    vectors[count - 1][0]);
    return GRUC_ERROR_UNSUPPORTED;
}

enum gruc_status gruc_link_shared(const char *target, const struct gruc_strbuf *object,
                                  struct gruc_diag *diag, struct gruc_strbuf *out)
{
    struct workshop workshop;
    enum gruc_status status = open_workshop(&workshop, object, diag);
    if (status == GRUC_OK) {
        const char *result = workshop.result, *model = workshop.object;
        const char *const vectors[][ARGUMENTS] = {
            {"ld.lld-19", "-shared", "--build-id=none", "-z", "noexecstack", "-o", result, model},
            {"ld.lld", "-shared", "--build-id=none", "-z", "noexecstack", "-o", result, model},
            {"cc", "-shared", "-nostdlib", "-Wl,--build-id=none", "-Wl,-z,noexecstack", "-o",
             result, model},
        };
        size_t count = sizeof vectors / sizeof vectors[0] - (target != NULL);
        status = run_first(vectors, count, &workshop, diag, out);
    }
    close_workshop(&workshop);
    return status;
}

/* "aarch64-unknown-linux-gnu" has the compiler aarch64-linux-gnu-gcc in Debian. */
static void cross_compiler(const char *target, char *out, size_t room)
{
    size_t architecture = strcspn(target, "-");
    int musl = strstr(target, "musl") != NULL;
    snprintf(out, room, "%.*s-linux-%s-gcc", (int)architecture, target, musl ? "musl" : "gnu");
}

enum gruc_status gruc_link_program(const char *target, const struct gruc_strbuf *object,
                                   struct gruc_diag *diag, struct gruc_strbuf *out)
{
    struct gruc_arena arena;
    struct workshop workshop;
    char cross[128] = "";
    gruc_arena_init(&arena);
    const char *runtime = gruc_runtime_find(target, &arena, diag);
    if (runtime == NULL) {
        gruc_arena_finish(&arena);
        return GRUC_ERROR_UNSUPPORTED;
    }
    if (target != NULL)
        cross_compiler(target, cross, sizeof cross);
    enum gruc_status status = open_workshop(&workshop, object, diag);
    if (status == GRUC_OK) {
        const char *result = workshop.result, *model = workshop.object;
#define PROGRAM_OPTIONS                                                                            \
    "-Wl,--build-id=none", "-Wl,--gc-sections", "-o", result, model, runtime, "-pthread", "-ldl",  \
        "-lm"
        const char *const native[][ARGUMENTS] = {
            {"cc", PROGRAM_OPTIONS}, {"gcc", PROGRAM_OPTIONS}, {"clang-19", PROGRAM_OPTIONS}};
        const char *const foreign[][ARGUMENTS] = {{cross, PROGRAM_OPTIONS}};
#undef PROGRAM_OPTIONS
        status = target == NULL ? run_first(native, 3, &workshop, diag, out)
                                : run_first(foreign, 1, &workshop, diag, out);
    }
    close_workshop(&workshop);
    gruc_arena_finish(&arena);
    return status;
}

static const char *readable(struct gruc_arena *arena, const char *folder, int length,
                            const char *below)
{
    const char *path = gruc_arena_format(arena, "%.*s/%slibgruc_rt.a", length, folder, below);
    return path != NULL && access(path, R_OK) == 0 ? path : NULL;
}

/* Where this program lies: beside it in a build folder, else in its prefix's library folders. */
static const char *beside_program(struct gruc_arena *arena)
{
    static const char *const below[] = {"", "../lib/", "../lib64/", GRUC_LIBRARY_BELOW_PREFIX};
    char program[1024];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program);
    while (length > 0 && program[length - 1] != '/')
        length--;
    if (length <= 1)
        return NULL;
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        const char *path = readable(arena, program, (int)length - 1, below[i]);
        if (path != NULL)
            return path;
    }
    return NULL;
}

const char *gruc_runtime_find(const char *target, struct gruc_arena *arena, struct gruc_diag *diag)
{
    const char *path = getenv("GRUC_RUNTIME");
    if (path != NULL && path[0] != 0) {
        if (access(path, R_OK) == 0)
            return path;
        gruc_diag_error(diag, GRUC_E_LINK, (struct gruc_mark){0},
                        "GRUC_RUNTIME names '%s', which cannot be read", path);
        return NULL;
    }
    if (target != NULL) {
        gruc_diag_error(diag, GRUC_E_LINK, (struct gruc_mark){0},
                        "a program for '%s' needs the runtime library of that target", target);
        gruc_diag_note(diag, (struct gruc_mark){0},
                       "set GRUC_RUNTIME to a libgruc_rt.a built for it");
        return NULL;
    }
    path = beside_program(arena);
    if (path == NULL)
        path = readable(arena, GRUC_LIBRARY_FOLDER, (int)strlen(GRUC_LIBRARY_FOLDER), "");
    if (path == NULL)
        gruc_diag_error(diag, GRUC_E_LINK, (struct gruc_mark){0},
                        "libgruc_rt.a was not found; set GRUC_RUNTIME to its path");
    return path;
}
