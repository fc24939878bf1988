/* SPDX-License-Identifier: MIT */
#ifndef SAMPLER_H
#define SAMPLER_H

#include <stdint.h>

/* The characters behind the ids: folder/vocab.txt has a code a line, of id 0, 1, 2, ... Ends the
 * program when there are not exactly count of them. */
void vocabulary_read(const char *folder, int count, int *codes);

/* Draws an id from softmax(logits / temperature); never id 0, which stands for no character.
 * *random is the generator's state: the same number gives the same draws. */
int32_t sampler_draw(const float *logits, int count, double temperature, uint64_t *random);

#endif
