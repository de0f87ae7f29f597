// SPDX-License-Identifier: Apache-2.0
/* `skep backup --to DIR`: one moment of a data folder, beside a running server.
 *
 * state.db is copied first, through SQLite, to a file beside the target; the rows follow, and the
 * key file, without which the AWS secrets in state.db cannot be opened.
 *
 * Threads: main. */
#include <stdio.h>

#include "base/assert.h"
#include "server/cli.h"
#include "state/state.h"
#include "wire/json_out.h"
#include "wire/rfc3339.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_DATA_FLAG,
    {"to", "DIR", "The folder of the backups; made if it is missing"},
    {"name", "NAME", "Of this backup: letters, digits, - and _; default: the time, in UTC"},
    {"keep", "N", "Drop the oldest backups beyond so many; default: keep all"},
    {"without-key", NULL, "Leave out the key file, without which AWS keys are of no use"},
    {"list", NULL, "List the backups in the folder, make none"},
    {"json", NULL, "One JSON object a line"},
};

/* 2026-11-29T08:30:00Z -> 20261129T083000Z */
static void time_name(int64_t now_ns, char out[SKEP_RFC3339_BYTES])
{
    char text[SKEP_RFC3339_BYTES];
    size_t n = skep_rfc3339(now_ns, 0, text), k = 0;
    for (size_t i = 0; i < n; i++)
        if (text[i] != '-' && text[i] != ':')
            out[k++] = text[i];
    out[k] = '\0';
}

static void put_size(struct skep_buf *out, uint64_t files, uint64_t bytes)
{
    skep_cli_count(out, files);
    skep_buf_str(out, files == 1 ? SKEP_STR(" file, ") : SKEP_STR(" files, "));
    skep_cli_bytes(out, bytes);
}

static void report(struct skep_cli_tool *t, const char *name, const struct skep_backup_result *r)
{
    struct skep_buf *out = &t->out;
    if (t->json) {
        skep_buf_printf(out,
                        "{\"level\":\"sum\",\"name\":\"%s\",\"rows\":%llu,\"commit\":%llu,"
                        "\"files\":%llu,\"bytes\":%llu,\"new_files\":%llu,\"new_bytes\":%llu,"
                        "\"dropped\":%llu,\"damages\":%llu}\n",
                        name, (unsigned long long)r->rows, (unsigned long long)r->commit,
                        (unsigned long long)r->files, (unsigned long long)r->bytes,
                        (unsigned long long)r->new_files, (unsigned long long)r->new_bytes,
                        (unsigned long long)r->dropped, (unsigned long long)r->damages);
        return;
    }
    skep_buf_printf(out, "%s: ", name);
    skep_cli_count(out, r->rows);
    skep_buf_str(out, SKEP_STR(" rows, "));
    put_size(out, r->files, r->bytes);
    skep_buf_str(out, SKEP_STR("; copied and read back: "));
    put_size(out, r->new_files, r->new_bytes);
    skep_buf_u8(out, '\n');
    if (r->dropped)
        skep_buf_printf(out, "%llu older backups dropped\n", (unsigned long long)r->dropped);
    if (r->damages)
        skep_buf_str(out, SKEP_STR("The store is damaged. See: skep verify\n"));
}

static void list_one(struct skep_cli_tool *t, const struct skep_backup_info *b)
{
    char made[SKEP_RFC3339_BYTES];
    skep_str when = {made, skep_rfc3339(b->made_ns, 0, made)};
    if (t->json) {
        struct skep_json json;
        skep_json_init(&json, &t->out);
        skep_json_object(&json);
        skep_json_put_str(&json, SKEP_STR("name"), b->name);
        skep_json_put_i64_str(&json, SKEP_STR("made_ns"), b->made_ns);
        skep_json_put_u64(&json, SKEP_STR("rows"), b->rows);
        skep_json_put_u64(&json, SKEP_STR("files"), b->files);
        skep_json_put_u64(&json, SKEP_STR("bytes"), b->bytes);
        skep_json_end(&json);
        skep_buf_u8(&t->out, '\n');
        return;
    }
    skep_cli_safe(&t->out, b->name);
    skep_buf_printf(&t->out, "  made " SKEP_STRFMT "  ", SKEP_STRARG(when));
    skep_cli_count(&t->out, b->rows);
    skep_buf_str(&t->out, SKEP_STR(" rows  "));
    put_size(&t->out, b->files, b->bytes);
    skep_buf_u8(&t->out, '\n');
}

static int list_all(struct skep_cli_tool *t, const char *to)
{
    struct skep_backup_info *b;
    unsigned n;
    skep_err err;
    if (skep_tool_backups(t->tool.os, to, &t->arena, &b, &n, &err) != SKEP_OK)
        return skep_cli_tool_fail(t, &err);
    for (unsigned i = 0; i < n; i++)
        list_one(t, &b[i]);
    if (n == 0 && !t->json)
        skep_buf_str(&t->out, SKEP_STR("no backups\n"));
    (void)skep_cli_print(&t->out);
    return SKEP_EXIT_OK;
}

/* A copy of state.db beside the target; *ret NULL when there is none yet. */
static skep_rc copy_state(struct skep_cli_tool *t, const char *to, const char **ret, skep_err *err)
{
    struct skep_os_stat st;
    const struct skep_os *os = t->tool.os;
    skep_str dir = skep_str_c(to);
    const char *from = skep_cli_tool_path(t, "state.db");
    *ret = NULL;
    if (os->stat(os, from, &st, NULL) != SKEP_OK)
        return SKEP_OK;
    while (dir.n > 1 && dir.p[dir.n - 1] == '/')
        dir.n--;
    skep_str name = skep_arena_printf(&t->arena, SKEP_STRFMT ".state-%lld.tmp", SKEP_STRARG(dir),
                                      (long long)os->now_ns(os));
    const char *copy = skep_cstr(&t->arena, name);
    skep_rc rc = skep_state_copy(from, copy, err);
    if (rc != SKEP_OK)
        (void)os->unlink(os, copy, NULL);
    else
        *ret = copy;
    return rc;
}

/* What a backup with the key file means to whoever keeps it, and one without to who restores it. */
static void tell_key(struct skep_cli_tool *t, const char *key, bool left_out)
{
    if (t->json || (!key && !left_out))
        return;
    skep_buf_str(&t->out, left_out
                              ? SKEP_STR("without the key file: AWS keys that it holds are of no "
                                         "use after a restore\n")
                              : SKEP_STR("the key file is in it: keep the backup as secret as the "
                                         "data folder (or --without-key)\n"));
}

static int make(struct skep_cli_tool *t, const char *to, bool without_key,
                struct skep_backup_opts *opts)
{
    struct skep_backup_result r = {0};
    struct skep_os_stat st;
    skep_err err;
    const char *key = skep_cli_tool_path(t, "key");
    bool there = t->tool.os->stat(t->tool.os, key, &st, NULL) == SKEP_OK;
    opts->key = there && !without_key ? key : NULL;
    skep_rc rc = copy_state(t, to, &opts->state, &err);
    if (rc == SKEP_OK)
        rc = skep_tool_backup(&t->tool, skep_cli_tool_path(t, "rows"), to, opts, &r, &err);
    if (opts->state)
        (void)t->tool.os->unlink(t->tool.os, opts->state, NULL);
    if (rc != SKEP_OK)
        return skep_cli_tool_fail(t, &err);
    skep_cli_tool_clear(t);
    report(t, opts->name, &r);
    tell_key(t, opts->key, there && without_key);
    (void)skep_cli_print(&t->out);
    return r.damages ? SKEP_EXIT_FAILED : SKEP_EXIT_OK;
}

int skep_cli_backup(int argc, char *const *argv)
{
    struct skep_cli_args args = {
        .usage = "skep backup --to DIR [flags]\n\nCopy one moment of a data folder, also beside "
                 "a running server. What earlier\nbackups in the folder hold is not copied again; "
                 "what is copied is read back.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    struct skep_cli_tool t;
    char name[SKEP_RFC3339_BYTES];
    uint64_t keep = 0;
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    const char *to = skep_cli_value(&args, "to", NULL);
    const char *keep_text = skep_cli_value(&args, "keep", NULL);
    if (!to || args.rest.n ||
        (keep_text &&
         (!skep_str_u64(skep_str_c(keep_text), &keep) || keep == 0 || keep > 100000))) {
        (void)fprintf(stderr, "skep backup: %s\n",
                      to && !args.rest.n ? "--keep: a number from 1 on" : "give --to DIR");
        return SKEP_EXIT_USAGE;
    }
    skep_cli_tool_init(&t, "skep backup", &args);
    time_name(t.tool.os->now_ns(t.tool.os), name);
    struct skep_backup_opts opts = {.name = skep_cli_value(&args, "name", name),
                                    .keep = (unsigned)keep};
    code = skep_cli_has(&args, "list") ? list_all(&t, to)
                                       : make(&t, to, skep_cli_has(&args, "without-key"), &opts);
    skep_cli_tool_done(&t);
    return code;
}
