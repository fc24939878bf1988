/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "driver/file.h"
#include "driver/report.h"

static void forward_message(void *context, const struct gruc_message *message)
{
    gruc_cli_error(context, "%s", message->text);
}

static enum gruc_status write_file(const struct gruc_cli *cli, const char *path,
                                   const struct gruc_strbuf *text)
{
    struct gruc_diag diag = {.function = forward_message, .context = (void *)(uintptr_t)cli};
    struct gruc_file_group group;
    gruc_file_group_init(&group);
    enum gruc_status status = gruc_file_group_add(&group, path, text, 0, &diag);
    if (status == GRUC_OK)
        status = gruc_file_group_commit(&group, &diag);
    gruc_file_group_finish(&group);
    return status;
}

static enum gruc_status write_report(const struct gruc_report *report)
{
    const struct gruc_cli *cli = report->cli;
    const char *path = cli->outputs.count > 0 ? cli->outputs.items[0] : "-";
    struct gruc_strbuf text;
    gruc_strbuf_init(&text);
    if (cli->json)
        gruc_report_json(report, &text);
    else
        gruc_report_page(report, &text);
    enum gruc_status status = text.failed ? GRUC_ERROR_MEMORY : GRUC_OK;
    if (status == GRUC_OK && strcmp(path, "-") == 0)
        fwrite(text.text, 1, text.length, stdout); /* whoever flushes it sees a failure */
    else if (status == GRUC_OK)
        status = write_file(cli, path, &text);
    gruc_strbuf_finish(&text);
    return status;
}

int gruc_command_report(const struct gruc_cli *cli)
{
    struct gruc_report report;
    if (cli->outputs.count > 1)
        return gruc_cli_usage("report writes one file");
    if (cli->target != NULL)
        return gruc_cli_usage("report runs the code and measures it here, so it has no --target; "
                              "`gruc inspect` shows the schedule for any");
    enum gruc_status status = gruc_report_make(cli, &report);
    if (status == GRUC_OK)
        status = write_report(&report);
    gruc_report_finish(&report);
    return gruc_cli_exit(cli, status);
}
