/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target on files, and on all files of folders: for builds without libFuzzer. */

#include <dirent.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/support/calls.h"

static unsigned replay(const char *path)
{
    DIR *directory = opendir(path);
    unsigned count = 0;
    if (directory == NULL) {
        size_t length = 0;
        char *bytes = test_file_read(path, &length);
        if (bytes == NULL)
            return 0;
        char *exact = malloc(length + (length == 0)); /* so that a step beyond the end is seen */
        if (exact != NULL) {
            memcpy(exact, bytes, length);
            LLVMFuzzerTestOneInput((const uint8_t *)exact, length);
        }
        free(exact);
        free(bytes);
        return 1;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char inner[1024];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        count += replay(inner);
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    printf("%u files\n", count);
    return count == 0;
}
