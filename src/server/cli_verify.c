// SPDX-License-Identifier: Apache-2.0
/* `skep verify`: is everything on disk as it was written?
 *
 * A data directory (rows and state.db), also beside a running server, or single files of one.
 *
 * Threads: main. */
#include <stdio.h>

#include "server/cli.h"
#include "state/state.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_DATA_FLAG,
    {"json", NULL, "One JSON object a line for each finding, and one for the sum"},
};

static void add(struct skep_verify_result *to, const struct skep_verify_result *r)
{
    to->files += r->files;
    to->bytes += r->bytes;
    to->rows += r->rows;
}

static bool verify_state(struct skep_cli_tool *t, struct skep_verify_result *sum)
{
    struct skep_os_stat st;
    skep_err err;
    const char *path = skep_cli_tool_path(t, "state.db");
    if (t->tool.os->stat(t->tool.os, path, &st, NULL) != SKEP_OK)
        return true; /* a server makes it when it starts */
    sum->files++;
    sum->bytes += st.size_bytes;
    skep_rc rc = skep_state_check(path, &err);
    if (rc == SKEP_EIO) {
        (void)skep_cli_tool_fail(t, &err);
        return false;
    }
    if (rc != SKEP_OK) {
        const struct skep_finding f = {.level = SKEP_FINDING_DAMAGE,
                                       .file = SKEP_STR("state.db"),
                                       .text = skep_str_c(err.text)};
        t->tool.found(t, &f);
    }
    return true;
}

static bool verify_directory(struct skep_cli_tool *t, struct skep_verify_result *sum)
{
    struct skep_verify_result r = {0};
    skep_err err;
    if (skep_tool_verify(&t->tool, skep_cli_tool_path(t, "rows"), &r, &err) != SKEP_OK) {
        (void)skep_cli_tool_fail(t, &err);
        return false;
    }
    add(sum, &r);
    return verify_state(t, sum);
}

static bool verify_files(struct skep_cli_tool *t, const struct skep_cli_values *files,
                         struct skep_verify_result *sum)
{
    bool ok = true;
    for (unsigned i = 0; i < files->n; i++) {
        struct skep_verify_result r = {0};
        skep_err err;
        if (skep_tool_verify_file(&t->tool, files->v[i], &r, &err) == SKEP_OK) {
            add(sum, &r);
            continue;
        }
        (void)skep_cli_tool_fail(t, &err);
        ok = false;
    }
    return ok;
}

static void summary(struct skep_cli_tool *t, const struct skep_verify_result *sum, bool directory)
{
    struct skep_buf *out = &t->out;
    skep_cli_tool_clear(t);
    if (t->json) {
        skep_buf_printf(out,
                        "{\"level\":\"sum\",\"files\":%llu,\"bytes\":%llu,\"rows\":%llu,"
                        "\"damages\":%llu}\n",
                        (unsigned long long)sum->files, (unsigned long long)sum->bytes,
                        (unsigned long long)sum->rows, (unsigned long long)t->damages);
        (void)skep_cli_print(out);
        return;
    }
    skep_cli_count(out, sum->files);
    skep_buf_str(out, SKEP_STR(" files, "));
    skep_cli_bytes(out, sum->bytes);
    skep_buf_str(out, SKEP_STR(", "));
    skep_cli_count(out, sum->rows);
    skep_buf_str(out, SKEP_STR(" rows: "));
    if (t->damages == 0)
        skep_buf_str(out, SKEP_STR("all as it was written\n"));
    else
        skep_buf_printf(out, "%llu damaged\n", (unsigned long long)t->damages);
    if (t->damages && directory) {
        skep_buf_str(out, SKEP_STR("\nStop the server, then:  skep repair --data "));
        skep_cli_safe(out, skep_str_c(t->data));
        skep_buf_str(out, SKEP_STR("\n"));
    }
    (void)skep_cli_print(out);
}

int skep_cli_verify(int argc, char *const *argv)
{
    struct skep_cli_args args = {
        .usage = "skep verify [--data DIR | FILE...] [flags]\n\nCheck every checksum and every "
                 "promise of a data folder, also beside a running\nserver, or of single files of "
                 "it (segments, log files, manifests).\nExit status 1: something is damaged.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    struct skep_cli_tool t;
    struct skep_verify_result sum = {0};
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    if (args.rest.n && skep_cli_has(&args, "data")) {
        (void)fprintf(stderr, "skep verify: give --data or files, not both\n");
        return SKEP_EXIT_USAGE;
    }
    skep_cli_tool_init(&t, "skep verify", &args);
    bool ok = args.rest.n ? verify_files(&t, &args.rest, &sum) : verify_directory(&t, &sum);
    if (ok)
        summary(&t, &sum, args.rest.n == 0);
    code = ok && t.damages == 0 ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
    skep_cli_tool_done(&t);
    return code;
}
