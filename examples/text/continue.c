/* SPDX-License-Identifier: MIT */
/* What generate.c does, with a model compiled ahead of time: text.h and text.a come from
 *     gruc compile model.yaml -o text.a --emit=header,static
 * The state is a plain structure that may be copied, stored and sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "example.h"
#include "sampler.h"
#include "text.h"

enum { CHARACTERS = TEXT_NEXT_SIZE, NEW_CHARACTERS = 250, SEED = 2007 };

/* A text as far as it has been read. */
struct text {
    text_state state;
    float logits[CHARACTERS];
};

static void read_character(struct text *text, int32_t id)
{
    if (text_step(&text->state, &id, text->logits) != TEXT_OK)
        require(GRUC_ERROR_ID, "text_step");
}

static void print_text(const struct text *begun, const struct gruc_array *prompt, const int *codes,
                       double temperature)
{
    struct text text = *begun; /* so that others can go on from there as well */
    uint64_t random = SEED;
    printf("[temperature %.1f]\n", temperature);
    for (size_t i = 0; i < prompt->count; i++)
        putchar(codes[((const int32_t *)prompt->data)[i]]);
    for (int i = 0; i < NEW_CHARACTERS; i++) {
        int32_t id = sampler_draw(text.logits, CHARACTERS, temperature, &random);
        putchar(codes[id]);
        read_character(&text, id);
    }
    printf("...\n");
}

int main(int argc, char **argv)
{
    need_arguments(argc, argv, 3, "FOLDER LOGITS.npy");
    struct gruc_array prompt = array_read(argv[1], "prompt.npy", GRUC_INT32);
    struct gruc_array logits = array_zeros(3, (const int64_t[]){1, prompt.dims[1], CHARACTERS});
    int codes[CHARACTERS];
    vocabulary_read(argv[1], CHARACTERS, codes);

    struct text text;
    text_reset(&text.state);
    for (size_t i = 0; i < prompt.count; i++) {
        read_character(&text, ((const int32_t *)prompt.data)[i]);
        memcpy((float *)logits.data + i * CHARACTERS, text.logits, sizeof text.logits);
    }
    array_write(argv[2], &logits);
    print_text(&text, &prompt, codes, 0.5);
    print_text(&text, &prompt, codes, 1.0);
    gruc_array_finish(&prompt);
    gruc_array_finish(&logits);
    return EXIT_SUCCESS;
}
