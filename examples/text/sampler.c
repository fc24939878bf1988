/* SPDX-License-Identifier: MIT */
#include "sampler.h"

#include <math.h>
#include <stdio.h>

#include "example.h"

void vocabulary_read(const char *folder, int count, int *codes)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/vocab.txt", folder);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        require(GRUC_ERROR_IO, path);
    int found = 0, code;
    while (fscanf(file, "%d", &code) == 1) {
        if (found < count)
            codes[found] = code;
        found++;
    }
    fclose(file);
    if (found != count)
        require(GRUC_ERROR_SHAPE, path);
}

/* A number from 0 to 1: one step of splitmix64 (Steele, Lea and Flood, 2014). */
static double random_share(uint64_t *random)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

int32_t sampler_draw(const float *logits, int count, double temperature, uint64_t *random)
{
    double largest = logits[1], sum = 0.0;
    for (int id = 1; id < count; id++)
        largest = fmax(largest, logits[id]);
    for (int id = 1; id < count; id++)
        sum += exp((logits[id] - largest) / temperature);
    double left = random_share(random) * sum;
    int id = 1;
    for (; id < count - 1; id++) {
        left -= exp((logits[id] - largest) / temperature);
        if (left < 0.0)
            break;
    }
    return id;
}
