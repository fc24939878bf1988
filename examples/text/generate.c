/* SPDX-License-Identifier: MIT */
/* Compiles a model in this process and generates text with it, one character a call. The state is
 * kept here, not in the session, so one session can read any number of texts in turns.
 *     generate FOLDER LOGITS.npy
 * writes the logits after each character of the prompt and prints two continuations of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gruc/compiler.h>

#include "example.h"
#include "sampler.h"

enum { CHARACTERS = 77, UNITS = 192, NEW_CHARACTERS = 250, SEED = 2007 };

/* A text as far as it has been read: the GRU's state and the logits of the next character. */
struct text {
    float memory[UNITS];
    float logits[CHARACTERS];
};

/* From model.yaml to a session, just in time. */
static struct grt_session *open_model(const char *folder, struct grt_module **module)
{
    struct gruc_model_handle *model;
    struct grt_session *session;
    char path[1024];
    snprintf(path, sizeof path, "%s/model.yaml", folder);
    require(gruc_model_open(path, NULL, &model), path);
    require(gruc_model_jit(model, NULL, module), path);
    gruc_model_destroy(model);
    require(grt_session_create(*module, NULL, &session), path);
    return session;
}

static void read_character(struct grt_session *session, struct text *text, int32_t id)
{
    const int64_t x[] = {1, 1}, memory[] = {1, UNITS}; /* batch and steps, batch and width */
    enum gruc_status status = grt_session_bind_input(session, 0, &id, GRUC_INT32, 2, x);
    if (status == GRUC_OK)
        status = grt_session_bind_output(session, 0, text->logits, sizeof text->logits);
    if (status == GRUC_OK)
        status = grt_session_set_state(session, 0, text->memory, 2, memory);
    if (status == GRUC_OK)
        status = grt_session_run(session);
    if (status == GRUC_OK)
        status = grt_session_get_state(session, 0, text->memory, UNITS);
    require(status, grt_session_error(session));
}

static void print_text(struct grt_session *session, const struct text *begun,
                       const struct gruc_array *prompt, const int *codes, double temperature)
{
    struct text text = *begun; /* so that others can go on from there as well */
    uint64_t random = SEED;
    printf("[temperature %.1f]\n", temperature);
    for (size_t i = 0; i < prompt->count; i++)
        putchar(codes[((const int32_t *)prompt->data)[i]]);
    for (int i = 0; i < NEW_CHARACTERS; i++) {
        int32_t id = sampler_draw(text.logits, CHARACTERS, temperature, &random);
        putchar(codes[id]);
        read_character(session, &text, id);
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

    struct grt_module *module;
    struct grt_session *session = open_model(argv[1], &module);
    struct text text = {0};
    for (size_t i = 0; i < prompt.count; i++) {
        read_character(session, &text, ((const int32_t *)prompt.data)[i]);
        memcpy((float *)logits.data + i * CHARACTERS, text.logits, sizeof text.logits);
    }
    array_write(argv[2], &logits);
    print_text(session, &text, &prompt, codes, 0.5);
    print_text(session, &text, &prompt, codes, 1.0);

    grt_session_destroy(session);
    grt_module_destroy(module);
    gruc_array_finish(&prompt);
    gruc_array_finish(&logits);
    return EXIT_SUCCESS;
}
