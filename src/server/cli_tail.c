// SPDX-License-Identifier: Apache-2.0
/* `skep tail`: rows as they arrive, a line each.
 *
 *   19:54:01.123  span  shop  GET /cart  duration_ms=12.3 http.route=/cart ...
 *
 * Threads: main; ends when the server or stdout closes, or by a signal. */
#include <stdio.h>

#include "base/assert.h"
#include "lang/where.h"
#include "server/cli.h"
#include "wire/rfc3339.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    {"where", "TEST", "One test: service.name = shop, duration_ms > 100, body contains error"},
    {"dataset", "NAME", "Rows of one dataset; default all"},
    {"json", NULL, "Print each row as the server sends it"},
};

struct tail {
    bool json;
    struct skep_buf out;
};

static void time_cell(struct skep_buf *out, yyjson_val *v)
{
    char text[SKEP_RFC3339_BYTES];
    int64_t ns;
    if (!skep_str_i64((skep_str){yyjson_get_str(v), yyjson_get_len(v)}, &ns))
        return;
    size_t n = skep_rfc3339(ns, 3, text);
    skep_buf_put(out, text + 11, n - 12); /* time of day without its Z */
}

/* What the row's own columns show already, and what only machines read. */
static bool is_shown_already(skep_str name)
{
    static const skep_str names[] = {SKEP_STR("name"),          SKEP_STR("body"),
                                     SKEP_STR("dataset"),       SKEP_STR("timestamp"),
                                     SKEP_STR("service.name"),  SKEP_STR("duration_ns"),
                                     SKEP_STR("SampleRate"),    SKEP_STR("flags"),
                                     SKEP_STR("trace.span_id"), SKEP_STR("trace.parent_id"),
                                     SKEP_STR("type"),          SKEP_STR("is_root"),
                                     SKEP_STR("status_code"),   SKEP_STR("severity_code")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++)
        if (skep_str_eq(names[i], name))
            return true;
    return skep_str_starts(name, SKEP_STR("meta.")) ||
           skep_str_starts(name, SKEP_STR("telemetry.")) ||
           skep_str_starts(name, SKEP_STR("library."));
}

static void row_line(struct skep_buf *out, yyjson_val *row)
{
    yyjson_val *fields = yyjson_obj_get(row, "fields"), *key, *v;
    yyjson_val *body = yyjson_obj_get(fields, "body");
    size_t i, max;
    time_cell(out, yyjson_obj_get(row, "time_ns"));
    skep_buf_str(out, SKEP_STR("  "));
    skep_cli_json_text(out, yyjson_obj_get(row, "kind"));
    skep_buf_str(out, SKEP_STR("  "));
    skep_cli_json_text(out, yyjson_obj_get(row, "dataset"));
    skep_buf_str(out, SKEP_STR("  "));
    skep_cli_json_text(out, body ? body : yyjson_obj_get(fields, "name"));
    yyjson_obj_foreach(fields, i, max, key, v)
    {
        skep_str name = {yyjson_get_str(key), yyjson_get_len(key)};
        if (is_shown_already(name))
            continue;
        skep_buf_str(out, SKEP_STR("  "));
        skep_cli_safe(out, name);
        skep_buf_u8(out, '=');
        skep_cli_json_text(out, v);
    }
    skep_buf_u8(out, '\n');
}

/* A line without "type" is a row. */
static bool on_line(void *ctx, skep_str text)
{
    struct tail *t = ctx;
    yyjson_doc *doc = yyjson_read(text.p, text.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *type = yyjson_obj_get(root, "type");
    if (!type && t->json) {
        skep_cli_json_safe(&t->out, text);
        skep_buf_u8(&t->out, '\n');
    } else if (!type && yyjson_is_obj(root)) {
        row_line(&t->out, root);
    } else if (yyjson_equals_str(type, "skipped")) {
        (void)fprintf(stderr, "skep tail: %llu rows skipped\n",
                      (unsigned long long)yyjson_get_uint(yyjson_obj_get(root, "rows")));
    } else if (yyjson_equals_str(type, "error")) {
        struct skep_buf safe;
        skep_buf_init(&safe, 1 << 16);
        skep_cli_json_text(&safe, yyjson_obj_get(root, "error"));
        (void)fprintf(stderr, "skep tail: " SKEP_STRFMT "\n", SKEP_STRARG(skep_buf_text(&safe)));
        skep_buf_done(&safe);
    }
    yyjson_doc_free(doc);
    return t->out.n == 0 || skep_cli_print(&t->out);
}

static void param(struct skep_buf *path, const char *name, skep_str value)
{
    skep_buf_printf(path, "%s%s=", skep_str_chr(skep_buf_text(path), '?') == SIZE_MAX ? "?" : "&",
                    name);
    skep_cli_url_encode(path, value);
}

static bool where_params(const char *text, struct skep_arena *arena, struct skep_buf *path)
{
    struct skep_where w;
    struct skep_lang_issue issue;
    struct skep_buf value;
    if (skep_lang_where(skep_str_c(text), arena, &w, &issue) != SKEP_OK) {
        (void)fprintf(stderr, "skep tail: --where: %s (at character %zu)\n", issue.text,
                      issue.at + 1);
        return false;
    }
    if (w.n != 1) {
        (void)fprintf(stderr, "skep tail: --where takes one test\n");
        return false;
    }
    skep_buf_init(&value, 1 << 20);
    for (unsigned i = 0; i < w.tests[0].n_values; i++) {
        skep_buf_str(&value, i ? SKEP_STR(",") : SKEP_STR(""));
        skep_buf_str(&value, w.tests[0].values[i].text);
    }
    param(path, "column", w.tests[0].column);
    param(path, "op", w.tests[0].op);
    param(path, "value", skep_buf_text(&value));
    skep_buf_done(&value);
    return true;
}

int skep_cli_tail(int argc, char *const *argv)
{
    struct skep_cli_args args = {.usage = "skep tail [flags]\n\nShow rows as they arrive.",
                                 .flags = flags,
                                 .n_flags = SKEP_ARRAY_LEN(flags)};
    struct skep_cli_http http;
    struct skep_buf path;
    struct tail t;
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    skep_cli_http_init(&http, &args);
    skep_buf_init(&path, 1 << 20);
    skep_buf_init(&t.out, 64 << 20);
    skep_buf_str(&path, SKEP_STR("/skep/v1/tail"));
    const char *dataset = skep_cli_value(&args, "dataset", NULL);
    const char *where = skep_cli_value(&args, "where", NULL);
    if (dataset)
        param(&path, "dataset", skep_str_c(dataset));
    t.json = skep_cli_has(&args, "json");
    http.line = on_line;
    http.line_ctx = &t;
    code = SKEP_EXIT_USAGE;
    if (!where || where_params(where, &http.arena, &path)) {
        const struct skep_cli_call call = {
            .method = "GET", .path = skep_buf_text(&path), .accept = "application/x-ndjson"};
        code = skep_cli_must(&http, &call) ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
    }
    skep_buf_done(&t.out);
    skep_buf_done(&path);
    skep_cli_http_done(&http);
    return code;
}
