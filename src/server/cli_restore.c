// SPDX-License-Identifier: Apache-2.0
/* `skep restore --from DIR --data DIR`: a backup as a new data folder.
 *
 * Threads: main. */
#include <stdio.h>

#include "server/cli.h"
#include "state/keys.h"

static const struct skep_cli_flag flags[] = {
    {"from", "DIR", "The folder of the backups"},
    {"at", "NAME", "Which one (skep backup --to DIR --list); default: the newest"},
    {"data", "DIR", "The data folder to make; it must not be there, or be empty"},
    {"json", NULL, "One JSON object a line for each finding, and one for the sum"},
};

static bool check_state(struct skep_cli_tool *t)
{
    struct skep_os_stat st;
    skep_err err;
    const char *path = skep_cli_tool_path(t, "state.db");
    if (t->tool.os->stat(t->tool.os, path, &st, NULL) != SKEP_OK ||
        skep_state_check(path, &err) == SKEP_OK)
        return true;
    (void)skep_cli_tool_fail(t, &err);
    return false;
}

static void report(struct skep_cli_tool *t, const struct skep_backup_result *r)
{
    struct skep_buf *out = &t->out;
    if (t->json) {
        skep_buf_printf(out,
                        "{\"level\":\"sum\",\"rows\":%llu,\"commit\":%llu,\"files\":%llu,"
                        "\"bytes\":%llu,\"damages\":%llu}\n",
                        (unsigned long long)r->rows, (unsigned long long)r->commit,
                        (unsigned long long)r->files, (unsigned long long)r->bytes,
                        (unsigned long long)r->damages);
        return;
    }
    skep_cli_count(out, r->rows);
    skep_buf_str(out, SKEP_STR(" rows, "));
    skep_cli_count(out, r->files);
    skep_buf_str(out, SKEP_STR(" files, "));
    skep_cli_bytes(out, r->bytes);
    skep_buf_str(out, SKEP_STR(" restored and checked. Start it:  skep serve --data "));
    skep_cli_safe(out, skep_str_c(t->data));
    skep_buf_u8(out, '\n');
    if (r->damages) {
        skep_buf_str(out, SKEP_STR("It was damaged when it was backed up. First:  skep repair "
                                   "--data "));
        skep_cli_safe(out, skep_str_c(t->data));
        skep_buf_u8(out, '\n');
    }
}

/* Keys whose AWS secrets nothing can open any more. */
static void tell_key(struct skep_cli_tool *t)
{
    struct skep_state *state = NULL;
    struct skep_state_key *keys;
    struct skep_os_stat st;
    size_t n = 0;
    skep_err err;
    const struct skep_state_config cfg = {.os = t->tool.os,
                                          .path = skep_cli_tool_path(t, "state.db")};
    if (t->json || t->tool.os->stat(t->tool.os, cfg.path, &st, NULL) != SKEP_OK ||
        t->tool.os->stat(t->tool.os, skep_cli_tool_path(t, "key"), &st, NULL) == SKEP_OK ||
        skep_state_open(&cfg, &state, &err) != SKEP_OK)
        return;
    if (skep_state_list_keys(state, &t->arena, &keys, &n, &err) == SKEP_OK && n > 0)
        skep_buf_printf(&t->out,
                        "The key file was not in the backup: of %zu API keys the AWS form is lost "
                        "(make new ones: skep key create), the others work.\n",
                        n);
    skep_state_close(state);
}

int skep_cli_restore(int argc, char *const *argv)
{
    struct skep_cli_args args = {
        .usage = "skep restore --from DIR --data DIR [flags]\n\nMake a data folder of a backup. "
                 "Everything is checked before the folder is put\nin its place; never over data "
                 "that is there.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    struct skep_cli_tool t;
    struct skep_backup_result r = {0};
    skep_err err;
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    const char *from = skep_cli_value(&args, "from", NULL);
    if (!from || !skep_cli_has(&args, "data") || args.rest.n) {
        (void)fprintf(stderr, "skep restore: give --from DIR and --data DIR\n");
        return SKEP_EXIT_USAGE;
    }
    skep_cli_tool_init(&t, "skep restore", &args);
    skep_rc rc =
        skep_tool_restore(&t.tool, from, skep_cli_value(&args, "at", NULL), t.data, &r, &err);
    code = SKEP_EXIT_OK;
    if (rc != SKEP_OK)
        code = skep_cli_tool_fail(&t, &err);
    else if (!check_state(&t) || r.damages)
        code = SKEP_EXIT_FAILED;
    skep_cli_tool_clear(&t);
    if (rc == SKEP_OK) {
        report(&t, &r);
        tell_key(&t);
    }
    if (t.out.n)
        (void)skep_cli_print(&t.out);
    skep_cli_tool_done(&t);
    return code;
}
