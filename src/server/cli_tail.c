// SPDX-License-Identifier: Apache-2.0
/* `skep tail`: rows as they arrive, a line each.
 *
 *   19:54:01.123  span  shop  GET /cart  duration_ms=12.3 http.route=/cart ...
 *   19:54:01.301  ERROR  cruddur  vm/app.py/root/7  the line as it came  trace=4bf9...
 *
 * Of a line that came through CloudWatch Logs the fields are not shown: they were found in it.
 *
 * Threads: main; ends when the server or stdout closes, or by a signal. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "event/log.h"
#include "server/cli.h"
#include "wire/json_out.h"
#include "wire/rfc3339.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    {"where", "TEST", "A test: service.name = shop, duration_ms > 100; several: all must hold"},
    {"dataset", "NAME", "Rows of one dataset; default all"},
    {"group", "NAME", "Lines of this log group; several: of any of them"},
    {"stream", "NAME", "Of them those of this log stream, or of all that begin so: web/*"},
    {"filter", "PATTERN", "Lines that match a filter pattern: ERROR -health, { $.latency > 100 }"},
    {"color", "WHEN", "auto (default: on a terminal), always, never"},
    {"json", NULL, "Print each row as the server sends it"},
};

struct tail {
    const struct skep_cli_args *args;
    bool json, color;
    struct skep_buf out;
};

// --- colours -----------------------------------------------------------------------------------

#define DIM     "\x1b[2m"
#define RED     "\x1b[31m"
#define RED_INV "\x1b[1;37;41m"
#define YELLOW  "\x1b[33m"
#define GREEN   "\x1b[32m"
#define CYAN    "\x1b[36m"
#define OFF     "\x1b[0m"

static void begin_color(struct tail *t, const char *code)
{
    if (t->color && code)
        skep_buf_str(&t->out, skep_str_c(code));
}

static void end_color(struct tail *t, const char *code)
{
    if (t->color && code)
        skep_buf_str(&t->out, SKEP_STR(OFF));
}

static const char *color_of_severity(skep_str s)
{
    static const struct {
        skep_str word;
        const char *code;
    } colors[] = {{SKEP_STR_INIT("fatal"), RED_INV}, {SKEP_STR_INIT("error"), RED},
                  {SKEP_STR_INIT("warn"), YELLOW},   {SKEP_STR_INIT("info"), GREEN},
                  {SKEP_STR_INIT("debug"), DIM},     {SKEP_STR_INIT("trace"), DIM}};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(colors); i++)
        if (skep_str_eq(s, colors[i].word))
            return colors[i].code;
    return NULL;
}

/* The same for the same stream: streams are told apart by it. */
static const char *color_of_stream(skep_str s)
{
    static const char *const codes[] = {"\x1b[34m", "\x1b[35m", "\x1b[36m",
                                        "\x1b[94m", "\x1b[95m", "\x1b[96m"};
    return codes[skep_hash(skep_str_bytes(s)) % SKEP_ARRAY_LEN(codes)];
}

static bool wants_color(const struct skep_cli_args *args, bool *ret)
{
    skep_str when = skep_str_c(skep_cli_value(args, "color", "auto"));
    const char *no = getenv("NO_COLOR");
    *ret = skep_str_eq(when, SKEP_STR("always"));
    if (*ret || skep_str_eq(when, SKEP_STR("never")))
        return true;
    *ret = skep_cli_is_tty(STDOUT_FILENO) && !(no && no[0]);
    if (skep_str_eq(when, SKEP_STR("auto")))
        return true;
    (void)fprintf(stderr, "skep tail: --color: auto, always or never\n");
    return false;
}

// --- a row -------------------------------------------------------------------------------------

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

static void other_fields(struct tail *t, yyjson_val *fields)
{
    size_t i, max;
    yyjson_val *key, *v;
    yyjson_obj_foreach(fields, i, max, key, v)
    {
        skep_str name = {yyjson_get_str(key), yyjson_get_len(key)};
        if (is_shown_already(name))
            continue;
        skep_buf_str(&t->out, SKEP_STR("  "));
        begin_color(t, DIM);
        skep_cli_safe(&t->out, name);
        skep_buf_u8(&t->out, '=');
        end_color(t, DIM);
        skep_cli_json_text(&t->out, v);
    }
}

static void cell(struct tail *t, yyjson_val *v, const char *color)
{
    skep_buf_str(&t->out, SKEP_STR("  "));
    begin_color(t, color);
    skep_cli_json_text(&t->out, v);
    end_color(t, color);
}

static skep_str text_of(yyjson_val *v)
{
    return (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
}

/* A line of a log group: its level in place of its kind, its stream. */
static void log_line(struct tail *t, yyjson_val *row, yyjson_val *fields, yyjson_val *stream)
{
    yyjson_val *severity = yyjson_obj_get(fields, "severity");
    yyjson_val *trace = yyjson_obj_get(fields, "trace.trace_id");
    const char *color = color_of_severity(text_of(severity));
    bool bad = yyjson_equals_str(severity, "error") || yyjson_equals_str(severity, "fatal");
    if (severity)
        cell(t, severity, color ? color : DIM);
    else
        cell(t, yyjson_obj_get(row, "kind"), DIM);
    cell(t, yyjson_obj_get(row, "dataset"), CYAN);
    cell(t, stream, color_of_stream(text_of(stream)));
    cell(t, yyjson_obj_get(fields, "body"), bad ? RED : NULL);
    if (trace) {
        skep_buf_str(&t->out, SKEP_STR("  "));
        begin_color(t, DIM);
        skep_buf_str(&t->out, SKEP_STR("trace="));
        end_color(t, DIM);
        skep_cli_json_text(&t->out, trace);
    }
}

static void row_line(struct tail *t, yyjson_val *row)
{
    yyjson_val *fields = yyjson_obj_get(row, "fields");
    yyjson_val *body = yyjson_obj_get(fields, "body"),
               *stream = yyjson_obj_get(fields, "log.stream");
    begin_color(t, DIM);
    time_cell(&t->out, yyjson_obj_get(row, "time_ns"));
    end_color(t, DIM);
    if (body && stream) {
        log_line(t, row, fields, stream);
    } else {
        const char *color = color_of_severity(text_of(yyjson_obj_get(fields, "severity")));
        cell(t, yyjson_obj_get(row, "kind"), color ? color : DIM);
        cell(t, yyjson_obj_get(row, "dataset"), CYAN);
        cell(t, body ? body : yyjson_obj_get(fields, "name"), NULL);
        other_fields(t, fields);
    }
    skep_buf_u8(&t->out, '\n');
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
        row_line(t, root);
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

// --- which rows --------------------------------------------------------------------------------

static void put_test(struct skep_json *json, skep_str column, const char *op, skep_str value)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("column"), column);
    skep_json_put_str(json, SKEP_STR("op"), skep_str_c(op));
    skep_json_put_str(json, SKEP_STR("value"), value);
    skep_json_end(json);
}

/* --group and --stream as filters. */
static void put_groups(void *ctx, struct skep_json *json)
{
    const struct tail *t = ctx;
    const struct skep_cli_values *groups = skep_cli_values(t->args, "group");
    skep_str stream = skep_str_c(skep_cli_value(t->args, "stream", ""));
    put_test(json, SKEP_STR("meta.kind"), "=", skep_kind_name(SKEP_KIND_LOG));
    if (groups->n) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("column"), SKEP_STR("dataset"));
        skep_json_put_str(json, SKEP_STR("op"), SKEP_STR("in"));
        skep_json_key(json, SKEP_STR("value"));
        skep_json_array(json);
        for (unsigned i = 0; i < groups->n; i++)
            skep_json_str(json, skep_str_c(groups->v[i]));
        skep_json_end(json);
        skep_json_end(json);
    }
    bool prefix = skep_str_ends(stream, SKEP_STR("*"));
    if (prefix)
        stream.n--;
    if (stream.n)
        put_test(json, SKEP_LOG_STREAM, prefix ? "starts-with" : "=", stream);
}

static bool write_question(struct tail *t, struct skep_arena *arena, struct skep_buf *to)
{
    struct skep_json json;
    const char *dataset = skep_cli_value(t->args, "dataset", NULL);
    const char *pattern = skep_cli_value(t->args, "filter", NULL);
    bool lines = skep_cli_has(t->args, "group") || skep_cli_has(t->args, "stream") || pattern;
    skep_json_init(&json, to);
    skep_json_object(&json);
    if (dataset)
        skep_json_put_str(&json, SKEP_STR("dataset"), skep_str_c(dataset));
    if (pattern)
        skep_json_put_str(&json, SKEP_STR("pattern"), skep_str_c(pattern));
    if (!skep_cli_where_and("tail", t->args, arena, lines ? put_groups : NULL, t, &json))
        return false;
    skep_json_end(&json);
    return true;
}

int skep_cli_tail(int argc, char *const *argv)
{
    struct skep_cli_args args = {.usage = "skep tail [flags]\n\nShow rows as they arrive.",
                                 .flags = flags,
                                 .n_flags = SKEP_ARRAY_LEN(flags)};
    struct skep_cli_http http;
    struct skep_buf body;
    struct tail t = {.args = &args};
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    if (!wants_color(&args, &t.color))
        return SKEP_EXIT_USAGE;
    skep_cli_http_init(&http, &args);
    skep_buf_init(&body, 1 << 20);
    skep_buf_init(&t.out, 64 << 20);
    t.json = skep_cli_has(&args, "json");
    http.line = on_line;
    http.line_ctx = &t;
    code = SKEP_EXIT_USAGE;
    if (write_question(&t, &http.arena, &body)) {
        const struct skep_cli_call call = {.method = "POST",
                                           .path = SKEP_STR("/skep/v1/tail"),
                                           .body = skep_buf_bytes(&body),
                                           .accept = "application/x-ndjson"};
        code = skep_cli_must(&http, &call) ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
    }
    skep_buf_done(&t.out);
    skep_buf_done(&body);
    skep_cli_http_done(&http);
    return code;
}
