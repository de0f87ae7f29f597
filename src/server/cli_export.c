// SPDX-License-Identifier: Apache-2.0
/* `skep export`: rows as JSON lines on standard output (docs/formats/rows.md).
 *
 * From a running server, or (--data) straight from a data folder, which a server may own: then it
 * is looked at read-only.  A connection that breaks is taken up again behind the last row that
 * came.
 *
 * Threads: main, and the pool's with --data.  Memory: a page of rows. */
#include <stdio.h>
#include <unistd.h>

#include "api/api.h"
#include "base/assert.h"
#include "base/log.h"
#include "ingest/row_text.h"
#include "lang/honeycomb.h"
#include "lang/where.h"
#include "os/thread.h"
#include "query/export.h"
#include "server/cli.h"
#include "store/store.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    {"data", "DIR", "From this data folder instead of a server"},
    {"where", "TEST", "service.name = shop AND duration_ms > 100; repeatable: all must hold"},
    {"last", "TIME", "Time range up to now: 30m, 2h, 7d; default everything"},
    {"from", "SECONDS", "Begin of the time range, unix seconds"},
    {"to", "SECONDS", "End of the time range, unix seconds"},
    {"dataset", "NAME", "Rows of one dataset; default all"},
    {"format", "NAME", "jsonl, the only one"},
    {"quiet", NULL, "No progress and no summary"},
};

enum { TRIES = 5, PROGRESS_ROWS = 20000 };

struct export
{
    const struct skep_cli_args *args;
    struct skep_buf out;
    char cursor[64]; /* behind the last row that was written; "" = none */
    uint64_t rows;
    bool ended, complete, closed, bar;
    char text[1024]; /* what is missing, or the error in the last line */
    bool failed;
};

static bool write_out(struct export *x)
{
    if (!x->closed && x->out.n)
        x->closed = !skep_cli_print(&x->out);
    return !x->closed;
}

static void count_row(struct export *x)
{
    x->rows++;
    if (x->bar && x->rows % PROGRESS_ROWS == 0)
        (void)fprintf(stderr, "\r%llu rows", (unsigned long long)x->rows);
}

/* --- the question ------------------------------------------------------------------------------
 */

static bool question(struct export *x, struct skep_arena *arena, struct skep_buf *out)
{
    struct skep_json json;
    const char *dataset = skep_cli_value(x->args, "dataset", NULL);
    skep_buf_reset(out);
    skep_json_init(&json, out);
    skep_json_object(&json);
    if (!skep_cli_where("export", x->args, arena, &json) ||
        !skep_cli_times("export", x->args, true, &json))
        return false;
    if (dataset)
        skep_json_put_str(&json, SKEP_STR("dataset"), skep_str_c(dataset));
    if (x->cursor[0])
        skep_json_put_str(&json, SKEP_STR("after"), skep_str_c(x->cursor));
    skep_json_put_str(&json, SKEP_STR("order"), SKEP_STR("asc"));
    skep_json_end(&json);
    return true;
}

/* --- from a server ------------------------------------------------------------------------------
 */

/* The last line of an answer: "end" or "error". */
static void last_line(struct export *x, skep_str line)
{
    yyjson_doc *doc = yyjson_read(line.p, line.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *why = yyjson_get_str(yyjson_obj_get(root, "error"));
    const char *missing = yyjson_get_str(yyjson_obj_get(root, "missing"));
    x->ended = true;
    x->failed = why != NULL;
    x->complete = yyjson_get_bool(yyjson_obj_get(root, "complete"));
    (void)snprintf(x->text, sizeof x->text, "%s", why ? why : missing ? missing : "");
    yyjson_doc_free(doc);
}

/* "time_ns":"N" and "id":"S-O" are the first members of a row's line. */
static void note_cursor(struct export *x, skep_str line)
{
    static const skep_str id = SKEP_STR_INIT("{\"id\":\""),
                          time = SKEP_STR_INIT("\",\"time_ns\":\"");
    if (!skep_str_starts(line, id))
        return;
    skep_str rest = skep_str_skip(line, id.n);
    size_t at = skep_str_find(rest, time);
    if (at > 40)
        return;
    skep_str tail = skep_str_skip(rest, at + time.n);
    skep_str ns = skep_str_cut(&tail, '"');
    if (ns.n <= 20)
        (void)snprintf(x->cursor, sizeof x->cursor, SKEP_STRFMT "." SKEP_STRFMT, SKEP_STRARG(ns),
                       (int)at, rest.p);
}

static bool on_line(void *ctx, skep_str line)
{
    struct export *x = ctx;
    if (skep_str_starts(line, SKEP_STR("{\"type\":"))) {
        last_line(x, line);
        return true;
    }
    skep_buf_str(&x->out, line);
    skep_buf_u8(&x->out, '\n');
    note_cursor(x, line);
    count_row(x);
    return x->out.n < 64 << 10 || write_out(x);
}

static bool from_server(struct export *x)
{
    struct skep_cli_http http;
    struct skep_buf body;
    bool ok = false;
    skep_cli_http_init(&http, x->args);
    http.line = on_line;
    http.line_ctx = x;
    skep_buf_init(&body, 1 << 20);
    for (unsigned tries = 0; tries < TRIES && !x->ended && !x->closed; tries++) {
        uint64_t before = x->rows;
        skep_err err = {.text = ""};
        if (tries > 0)
            skep_sleep_ms(500ll << tries);
        if (!question(x, &http.arena, &body))
            break;
        const struct skep_cli_call call = {.method = "POST",
                                           .path = SKEP_STR("/skep/v1/export"),
                                           .body = skep_buf_bytes(&body),
                                           .accept = "application/x-ndjson"};
        skep_rc rc = skep_cli_call(&http, &call, &err);
        ok = rc == SKEP_OK && http.status < 400;
        if (ok || rc == SKEP_ECANCELED)
            break;
        if (rc == SKEP_OK && http.status != 503 && http.status != 429) {
            skep_cli_print_error(&http);
            break;
        }
        if (tries + 1 == TRIES)
            (void)fprintf(stderr, "skep export: %s\n", err.text[0] ? err.text : "no answer");
        tries = x->rows > before ? 0 : tries; /* it gets on */
    }
    skep_buf_done(&body);
    skep_cli_http_done(&http);
    return ok;
}

/* --- from a folder ------------------------------------------------------------------------------
 */

static bool on_row(void *ctx, const struct skep_row *row)
{
    struct export *x = ctx;
    struct skep_json json;
    skep_json_init(&json, &x->out);
    skep_row_write(&json, row);
    skep_buf_u8(&x->out, '\n');
    count_row(x);
    return x->out.n < 64 << 10 || write_out(x);
}

static skep_rc run_plan(struct export *x, struct skep_store *s, const struct skep_plan *asked,
                        skep_err *err)
{
    struct skep_export_result r;
    struct skep_plan plan = *asked;
    const struct skep_run_opts opts = {.budget = NULL};
    if (plan.range.start_ns == 0)
        plan.range.start_ns = INT64_MIN;
    if (plan.range.end_ns >= 9200000000ll * 1000000000)
        plan.range.end_ns = INT64_MAX;
    skep_rc rc = skep_query_export(s, &plan, &opts, on_row, x, &r, err);
    x->ended = rc == SKEP_OK;
    x->complete = r.complete;
    (void)snprintf(x->text, sizeof x->text, "%s", r.missing);
    return rc;
}

/* The derived columns that --where may name: those of the environment `default`. */
static skep_rc derived_of(const struct export *x, const char *data, struct skep_arena *arena,
                          struct skep_state **state, struct skep_lang_opts *lang, skep_err *err)
{
    const struct skep_os *os = skep_os_real();
    struct skep_os_stat st;
    const char *path = skep_cstr(arena, skep_arena_printf(arena, "%s/state.db", data));
    const struct skep_state_config cfg = {.os = os, .path = path, .beside_owner = true};
    if (!skep_cli_has(x->args, "where") || os->stat(os, path, &st, NULL) != SKEP_OK)
        return SKEP_OK;
    SKEP_TRY(skep_state_open(&cfg, state, err));
    return skep_api_derived(*state, SKEP_ENVIRONMENT_DEFAULT, arena, lang, err);
}

static bool from_folder(struct export *x, const char *data)
{
    struct skep_arena arena;
    struct skep_buf body;
    struct skep_store *s = NULL;
    struct skep_state *state = NULL;
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue;
    skep_err err;
    const struct skep_os *os = skep_os_real();
    skep_arena_init(&arena, "export", NULL);
    skep_buf_init(&body, 1 << 20);
    struct skep_pool *pool = skep_pool_new("work", skep_n_cores());
    const struct skep_column_config cfg = {
        .os = os,
        .dir = skep_cstr(&arena, skep_arena_printf(&arena, "%s/rows", data)),
        .pool = pool,
        .read_only = true};
    struct skep_lang_opts lang = {.now_ns = os->now_ns(os), .page = true};
    skep_rc rc = question(x, &arena, &body) ? SKEP_OK : SKEP_EINVAL;
    if (rc == SKEP_OK && (rc = derived_of(x, data, &arena, &state, &lang, &err)) != SKEP_OK)
        (void)fprintf(stderr, "skep export: %s\n", err.text);
    if (rc == SKEP_OK &&
        (rc = skep_lang_rows(skep_buf_bytes(&body), &lang, &arena, &plan, &issue)) != SKEP_OK)
        (void)fprintf(stderr, "skep export: %s: %s\n", issue.field, issue.text);
    if (rc == SKEP_OK) {
        rc = skep_column_open(&cfg, &s, &err);
        if (rc == SKEP_OK)
            rc = run_plan(x, s, plan, &err);
        if (rc != SKEP_OK && rc != SKEP_ECANCELED)
            (void)fprintf(stderr, "skep export: %s\n", err.text);
    }
    if (s)
        s->ops->close(s);
    skep_state_close(state);
    skep_pool_free(pool);
    skep_buf_done(&body);
    skep_arena_done(&arena);
    return rc == SKEP_OK || rc == SKEP_ECANCELED;
}

static void summary(const struct export *x, bool quiet)
{
    if (x->bar)
        (void)fprintf(stderr, "\r%30s\r", "");
    if (x->ended && !x->complete)
        (void)fprintf(stderr, "skep export: INCOMPLETE: %s\n", x->text);
    else if (x->failed)
        (void)fprintf(stderr, "skep export: %s\n", x->text);
    if (!quiet && !x->closed)
        (void)fprintf(stderr, "%llu rows%s\n", (unsigned long long)x->rows,
                      x->ended && !x->failed ? "" : ", then it was cut off");
}

int skep_cli_export(int argc, char *const *argv)
{
    struct skep_cli_args args = {
        .usage = "skep export [flags]\n\nWrite rows as JSON lines to standard output, oldest "
                 "first, without loss: all\nfields of all scopes with their types. skep import "
                 "reads them.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    struct export x = {.args = &args};
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    skep_str format = skep_str_c(skep_cli_value(&args, "format", "jsonl"));
    if (args.rest.n || !skep_str_eq(format, SKEP_STR("jsonl"))) {
        (void)fprintf(stderr, "skep export: %s\n",
                      args.rest.n ? "it takes no arguments" : "--format: jsonl is the only one");
        return SKEP_EXIT_USAGE;
    }
    bool quiet = skep_cli_has(&args, "quiet");
    const char *data = skep_cli_value(&args, "data", NULL);
    x.bar = !quiet && skep_cli_is_tty(STDERR_FILENO) && !skep_cli_is_tty(STDOUT_FILENO);
    skep_log_set_level(SKEP_LOG_ERROR);
    skep_buf_init(&x.out, 256 << 20);
    bool ok = data ? from_folder(&x, data) : from_server(&x);
    (void)write_out(&x);
    skep_buf_done(&x.out);
    summary(&x, quiet);
    return ok && x.ended && x.complete && !x.failed ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
}
