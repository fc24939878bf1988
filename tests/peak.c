/* SPDX-License-Identifier: MIT */
/* peak FILE WIDTH COMMAND...: writes zeros (1, 200, WIDTH) to FILE, runs COMMAND and prints its
 * peak resident memory in kB and how much of the time it had a processor, in percent. Answers its
 * exit status. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gruc/npy.h>

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double of_timeval(struct timeval time)
{
    return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    const int64_t dims[3] = {1, 200, strtol(argv[2], NULL, 10)};
    struct gruc_array zeros;
    const char *error;
    if (gruc_array_create(GRUC_NPY_FLOAT32, 3, dims, &zeros) != GRUC_OK ||
        gruc_npy_write(argv[1], &zeros, &error) != GRUC_OK)
        return 70;
    gruc_array_finish(&zeros);
    double begin = milliseconds();
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[3], argv + 3);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child)
        return 70;
    double busy = of_timeval(usage.ru_utime) + of_timeval(usage.ru_stime);
    printf("peak %ld\nshare %.0f\n", usage.ru_maxrss, 100 * busy / (milliseconds() - begin));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 70;
}
