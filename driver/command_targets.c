/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "codegen/backend.h"
#include "driver/cli.h"

static void print_targets(const struct gruc_backend *backend)
{
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    if (backend->targets != NULL && backend->targets(&text) == GRUC_OK && !text.failed &&
        text.length > 0) {
        for (const char *line = text.text; *line != 0;) {
            int length = (int)strcspn(line, "\n");
            printf("         %.*s\n", length, line);
            line += length + (line[length] == '\n');
        }
    }
    gruc_strbuf_finish(&text);
}

static void print_json(void)
{
    const struct gruc_backend *const *backends = gruc_backends();
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    gruc_strbuf_text(&text, "{\"backends\":[");
    for (size_t i = 0; backends[i] != NULL; i++) {
        struct gruc_strbuf targets;
        gruc_strbuf_init(&targets);
        gruc_strbuf_text(&text, i > 0 ? ",{\"name\":" : "{\"name\":");
        gruc_strbuf_json(&text, backends[i]->name);
        gruc_strbuf_text(&text, ",\"help\":");
        gruc_strbuf_json(&text, backends[i]->help);
        gruc_strbuf_text(&text, ",\"targets\":");
        if (backends[i]->targets != NULL && backends[i]->targets(&targets) == GRUC_OK &&
            targets.text != NULL)
            gruc_strbuf_json(&text, targets.text);
        else
            gruc_strbuf_text(&text, "null");
        gruc_strbuf_text(&text, "}");
        gruc_strbuf_finish(&targets);
    }
    gruc_strbuf_text(&text, "]}");
    if (!text.failed)
        printf("%s\n", text.text);
    gruc_strbuf_finish(&text);
}

int gruc_command_targets(const struct gruc_cli *cli)
{
    if (cli->json) {
        print_json();
        return GRUC_EXIT_DONE;
    }
    const struct gruc_backend *const *backends = gruc_backends();
    for (size_t i = 0; backends[i] != NULL; i++) {
        printf("%-8s %s\n", backends[i]->name, backends[i]->help);
        print_targets(backends[i]);
    }
    return GRUC_EXIT_DONE;
}
