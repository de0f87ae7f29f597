// SPDX-License-Identifier: Apache-2.0
/* `skep trace ID`: a waterfall in text.
 *
 *   GET /cart                 shop      12.3 ms |=========                 |
 *     SELECT carts            db         1.2 ms |  =                       |
 *     * exception: no stock   shop              |    .                     |
 *
 * Threads: main. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "server/cli.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    {"json", NULL, "Print the server's answer as it is"},
    {"color", "WHEN", "auto (only on a terminal), always or never"},
};

struct waterfall {
    yyjson_val *rows, *services;
    int64_t start_ns, end_ns;
    size_t n;
    size_t label, service, duration, bar; /* widths in cells */
    bool color, utf8;
};

static yyjson_val *column(const struct waterfall *w, const char *name, size_t i)
{
    return yyjson_arr_get(yyjson_obj_get(w->rows, name), i);
}

static int64_t ns_of(yyjson_val *v)
{
    int64_t ns = 0;
    if (!skep_str_i64((skep_str){yyjson_get_str(v), yyjson_get_len(v)}, &ns))
        return 0;
    return ns;
}

static skep_str str_of(yyjson_val *v)
{
    return (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
}

static void color(const struct waterfall *w, struct skep_buf *out, const char *code)
{
    if (w->color)
        skep_buf_printf(out, "\x1b[%sm", code);
}

/* "* exception: text", "| log body", "> linked trace"; spans show their name. */
static void label_text(const struct waterfall *w, size_t i, struct skep_buf *out)
{
    skep_str kind = str_of(column(w, "kind", i)), name = str_of(column(w, "name", i));
    skep_str summary = str_of(column(w, "summary", i));
    uint64_t depth = yyjson_get_uint(column(w, "depth", i));
    for (uint64_t d = 0; d < SKEP_MIN(depth, (uint64_t)w->label / 4); d++)
        skep_buf_str(out, SKEP_STR("  "));
    if (skep_str_eq(kind, SKEP_STR("span_event")))
        skep_buf_str(out, SKEP_STR("* "));
    else if (skep_str_eq(kind, SKEP_STR("link")))
        skep_buf_str(out, SKEP_STR("> "));
    else if (!skep_str_eq(kind, SKEP_STR("span")))
        skep_buf_str(out, SKEP_STR("| "));
    bool span = skep_str_eq(kind, SKEP_STR("span"));
    skep_cli_safe(out, name);
    if (!span && summary.n) {
        skep_buf_str(out, name.n ? SKEP_STR(": ") : SKEP_STR(""));
        skep_cli_safe(out, summary);
    }
}

static void bar(const struct waterfall *w, size_t i, struct skep_buf *out)
{
    double whole = (double)SKEP_MAX(w->end_ns - w->start_ns, 1);
    int64_t offset = ns_of(column(w, "offset_ns", i)), length = ns_of(column(w, "duration_ns", i));
    double scale = (double)w->bar / whole;
    size_t from = (size_t)SKEP_MIN(SKEP_MAX((double)offset * scale, 0.0), (double)w->bar - 1);
    size_t to =
        (size_t)SKEP_MIN(SKEP_MAX((double)(offset + length) * scale + 0.999, 0.0), (double)w->bar);
    bool point = !skep_str_eq(str_of(column(w, "kind", i)), SKEP_STR("span"));
    to = SKEP_MAX(to, from + 1);
    skep_str full = w->utf8 ? SKEP_STR("\xe2\x96\x88") : SKEP_STR("=");
    skep_str dot = w->utf8 ? SKEP_STR("\xc2\xb7") : SKEP_STR(".");
    for (size_t c = 0; c < w->bar; c++)
        skep_buf_str(out, c < from || c >= to ? SKEP_STR(" ") : point ? dot : full);
}

static void line(const struct waterfall *w, size_t i, struct skep_buf *out)
{
    struct skep_buf cell;
    bool error = yyjson_get_bool(column(w, "error", i));
    skep_buf_init(&cell, 16 << 20);
    label_text(w, i, &cell);
    if (error)
        color(w, out, "31");
    skep_cli_cell(out, skep_buf_text(&cell), w->label, false);
    if (error)
        color(w, out, "0");
    skep_buf_str(out, SKEP_STR("  "));
    skep_buf_reset(&cell);
    skep_cli_safe(&cell,
                  str_of(yyjson_arr_get(w->services, yyjson_get_uint(column(w, "service", i)))));
    color(w, out, "36");
    skep_cli_cell(out, skep_buf_text(&cell), w->service, false);
    color(w, out, "0");
    skep_buf_u8(out, ' ');
    skep_buf_reset(&cell);
    if (skep_str_eq(str_of(column(w, "kind", i)), SKEP_STR("span")))
        skep_cli_duration(&cell, ns_of(column(w, "duration_ns", i)));
    skep_cli_cell(out, skep_buf_text(&cell), w->duration, true);
    skep_buf_str(out, SKEP_STR(" |"));
    bar(w, i, out);
    skep_buf_str(out, SKEP_STR("|\n"));
    skep_buf_done(&cell);
}

static void layout(struct waterfall *w)
{
    size_t columns = skep_cli_columns(), i, max;
    yyjson_val *v;
    w->duration = 8;
    yyjson_arr_foreach(w->services, i, max, v)
    {
        w->service = SKEP_MAX(w->service, skep_cli_width(str_of(v)));
    }
    w->service = SKEP_MIN(w->service, columns / 6);
    w->label = columns * 2 / 5;
    size_t taken = w->label + 2 + w->service + 1 + w->duration + 3;
    w->bar = columns > taken + 10 ? columns - taken : 10;
}

static void head(const struct waterfall *w, yyjson_val *root, struct skep_buf *out)
{
    skep_buf_str(out, SKEP_STR("trace "));
    skep_cli_safe(out, str_of(yyjson_obj_get(root, "trace_id")));
    skep_buf_str(out, SKEP_STR("  "));
    skep_cli_count(out, yyjson_get_uint(yyjson_obj_get(root, "spans")));
    skep_buf_str(out, SKEP_STR(" spans  "));
    skep_cli_duration(out, w->end_ns - w->start_ns);
    uint64_t missing = yyjson_get_uint(yyjson_obj_get(root, "missing_parents"));
    if (missing)
        skep_buf_printf(out, "  %llu missing parents", (unsigned long long)missing);
    if (!yyjson_get_bool(yyjson_obj_get(root, "complete")))
        skep_buf_str(out, SKEP_STR("  INCOMPLETE"));
    skep_buf_u8(out, '\n');
}

static bool is_utf8_locale(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        skep_str v = skep_str_c(getenv(names[i]));
        if (v.n)
            return skep_str_find(v, SKEP_STR("UTF-8")) != SIZE_MAX ||
                   skep_str_find(v, SKEP_STR("utf8")) != SIZE_MAX;
    }
    return false;
}

static bool wants_color(const struct skep_cli_args *args)
{
    skep_str when = skep_str_c(skep_cli_value(args, "color", "auto"));
    if (skep_str_eq(when, SKEP_STR("always")))
        return true;
    return skep_str_eq(when, SKEP_STR("auto")) && skep_cli_is_tty(STDOUT_FILENO) &&
           !getenv("NO_COLOR");
}

static bool print_trace(const struct skep_cli_http *h, const struct skep_cli_args *args)
{
    struct skep_buf out;
    yyjson_doc *doc = yyjson_read((const char *)h->body.p, h->body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct waterfall w = {.rows = yyjson_obj_get(root, "rows"),
                          .services = yyjson_obj_get(root, "services"),
                          .start_ns = ns_of(yyjson_obj_get(root, "start_ns")),
                          .end_ns = ns_of(yyjson_obj_get(root, "end_ns")),
                          .color = wants_color(args),
                          .utf8 = is_utf8_locale()};
    bool ok = true;
    w.n = yyjson_arr_size(yyjson_obj_get(w.rows, "id"));
    skep_buf_init(&out, 1u << 30);
    layout(&w);
    head(&w, root, &out);
    for (size_t i = 0; i < w.n && ok; i++) {
        line(&w, i, &out);
        if (out.n > 1 << 20)
            ok = skep_cli_print(&out);
    }
    ok = ok && skep_cli_print(&out);
    skep_buf_done(&out);
    yyjson_doc_free(doc);
    return ok;
}

int skep_cli_trace(int argc, char *const *argv)
{
    struct skep_cli_args args = {.usage = "skep trace ID [flags]\n\nShow a trace as a waterfall.",
                                 .flags = flags,
                                 .n_flags = SKEP_ARRAY_LEN(flags)};
    struct skep_cli_http http;
    struct skep_buf path;
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    if (args.rest.n != 1) {
        (void)fprintf(stderr, "skep trace: give one trace id\n");
        return SKEP_EXIT_USAGE;
    }
    skep_cli_http_init(&http, &args);
    skep_buf_init(&path, 1 << 16);
    skep_buf_str(&path, SKEP_STR("/skep/v1/trace/"));
    skep_cli_url_encode(&path, skep_str_c(args.rest.v[0]));
    const struct skep_cli_call call = {.method = "GET", .path = skep_buf_text(&path)};
    bool ok = skep_cli_must(&http, &call);
    if (ok && skep_cli_has(&args, "json"))
        ok = skep_cli_print_json(&http.body);
    else if (ok)
        ok = print_trace(&http, &args);
    skep_buf_done(&path);
    skep_cli_http_done(&http);
    return ok ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
}
