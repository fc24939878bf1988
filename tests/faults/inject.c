/* SPDX-License-Identifier: MIT */
#include "tests/faults/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    enum fault_kind kind;
    unsigned long nth;
    atomic_ulong count;
    int sticky, armed, paused;
    atomic_long live;
} state;

void fault_arm(enum fault_kind kind, unsigned long nth, int sticky)
{
    state.kind = kind;
    state.nth = nth;
    state.count = 0;
    state.sticky = sticky;
    state.armed = 1;
}

unsigned long fault_disarm(void)
{
    state.armed = 0;
    return state.count;
}

void fault_pause(int on)
{
    state.paused = on;
}

/* Blocks that libc takes and we give back cannot be counted at link time; there the sanitizer finds
 * what leaks. */
long fault_live_blocks(void)
{
#ifdef GRUC_FAULTS_WRAP_MEMORY
    return 0;
#else
    return state.live;
#endif
}

static int fails(enum fault_kind kind, int number)
{
    if (!state.armed || state.paused || state.kind != kind)
        return 0;
    unsigned long number_of_call = atomic_fetch_add(&state.count, 1) + 1;
    if (state.nth == 0 || number_of_call < state.nth ||
        (number_of_call > state.nth && !state.sticky))
        return 0;
    errno = number;
    return 1;
}

/* ---- memory ---- */
#ifdef GRUC_FAULTS_WRAP_MEMORY
/* A sanitizer has the allocator: only calls of our own code can be caught, at link time. */
#define HOOK(name) __wrap_##name
#define REAL(name) __real_##name
#else
/* Everything in the process: libyaml, jansson and libzip too. */
#define HOOK(name) name
#define REAL(name) __libc_##name
#endif

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *block, size_t size);
void REAL(free)(void *block);
#ifdef GRUC_FAULTS_WRAP_MEMORY
void *__real_aligned_alloc(size_t alignment, size_t size);
#else
void *__libc_memalign(size_t alignment, size_t size);
#define __real_aligned_alloc __libc_memalign
#endif
void *HOOK(malloc)(size_t size);
void *HOOK(calloc)(size_t count, size_t size);
void *HOOK(realloc)(void *block, size_t size);
void HOOK(free)(void *block);
void *HOOK(aligned_alloc)(size_t alignment, size_t size);

void *HOOK(malloc)(size_t size)
{
    void *block = fails(FAULT_MEMORY, ENOMEM) ? NULL : REAL(malloc)(size);
    state.live += block != NULL;
    return block;
}

void *HOOK(calloc)(size_t count, size_t size)
{
    void *block = fails(FAULT_MEMORY, ENOMEM) ? NULL : REAL(calloc)(count, size);
    state.live += block != NULL;
    return block;
}

void *HOOK(aligned_alloc)(size_t alignment, size_t size)
{
    void *block = fails(FAULT_MEMORY, ENOMEM) ? NULL : __real_aligned_alloc(alignment, size);
    state.live += block != NULL;
    return block;
}

void *HOOK(realloc)(void *block, size_t size)
{
    if (fails(FAULT_MEMORY, ENOMEM))
        return NULL;
    void *larger = REAL(realloc)(block, size);
    state.live += block == NULL && larger != NULL;
    state.live -= block != NULL && larger == NULL && size == 0;
    return larger;
}

void HOOK(free)(void *block)
{
    state.live -= block != NULL;
    REAL(free)(block);
}

/* ---- files: caught at link time, under the names they have with 64-bit offsets ---- */
int __real_open64(const char *path, int flags, ...);
int __real_openat64(int directory, const char *path, int flags, ...);
int __real_dup(int descriptor);
long __real_syscall(long number, ...);
ssize_t __real_read(int descriptor, void *bytes, size_t count);
ssize_t __real_pread64(int descriptor, void *bytes, size_t count, off_t offset);
int __real_fstat64(int descriptor, struct stat *out);
ssize_t __real_write(int descriptor, const void *bytes, size_t count);
int __real_close(int descriptor);
int __real_rename(const char *from, const char *to);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_openat64(int directory, const char *path, int flags, ...);
int __wrap_dup(int descriptor);
long __wrap_syscall(long number, ...);
ssize_t __wrap_read(int descriptor, void *bytes, size_t count);
ssize_t __wrap_pread64(int descriptor, void *bytes, size_t count, off_t offset);
int __wrap_fstat64(int descriptor, struct stat *out);
ssize_t __wrap_write(int descriptor, const void *bytes, size_t count);
int __wrap_close(int descriptor);
int __wrap_rename(const char *from, const char *to);

static unsigned mode_of(int flags, va_list list)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, unsigned) : 0;
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = mode_of(flags, list);
    va_end(list);
    return fails(FAULT_OPEN, EMFILE) ? -1 : __real_open64(path, flags, mode);
}

int __wrap_openat64(int directory, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = mode_of(flags, list);
    va_end(list);
    return fails(FAULT_OPEN, EMFILE) ? -1 : __real_openat64(directory, path, flags, mode);
}

int __wrap_dup(int descriptor)
{
    return fails(FAULT_OPEN, EMFILE) ? -1 : __real_dup(descriptor);
}

/* Only openat2 has no function of its own. */
long __wrap_syscall(long number, ...)
{
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (fails(FAULT_OPEN, EMFILE))
        return -1;
    return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                          arguments[4], arguments[5]);
}

ssize_t __wrap_read(int descriptor, void *bytes, size_t count)
{
    return fails(FAULT_READ, EIO) ? -1 : __real_read(descriptor, bytes, count);
}

ssize_t __wrap_pread64(int descriptor, void *bytes, size_t count, off_t offset)
{
    return fails(FAULT_READ, EIO) ? -1 : __real_pread64(descriptor, bytes, count, offset);
}

int __wrap_fstat64(int descriptor, struct stat *out)
{
    return fails(FAULT_READ, EIO) ? -1 : __real_fstat64(descriptor, out);
}

ssize_t __wrap_write(int descriptor, const void *bytes, size_t count)
{
    return fails(FAULT_WRITE, ENOSPC) ? -1 : __real_write(descriptor, bytes, count);
}

/* A close that fails has closed all the same. */
int __wrap_close(int descriptor)
{
    int writes = (fcntl(descriptor, F_GETFL) & O_ACCMODE) != O_RDONLY;
    int answer = __real_close(descriptor);
    return writes && fails(FAULT_WRITE, EIO) ? -1 : answer;
}

int __wrap_rename(const char *from, const char *to)
{
    return fails(FAULT_WRITE, EIO) ? -1 : __real_rename(from, to);
}
