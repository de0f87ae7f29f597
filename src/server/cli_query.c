// SPDX-License-Identifier: Apache-2.0
/* `skep query`: a specification or flags in, an aligned table out.
 * Threads: main. */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "lang/where.h"
#include "server/cli.h"

static const struct skep_cli_flag flags[] = {
    SKEP_CLI_SERVER_FLAG,
    {"calc", "OP(COLUMN)", "COUNT, P95(duration_ms), SUM(bytes) ...; repeatable; default COUNT"},
    {"where", "TEST", "service.name = shop AND duration_ms > 100; repeatable: all must hold"},
    {"by", "COLUMN", "Group by a column; repeatable"},
    {"order", "WHAT", "'COUNT desc', 'service.name'; repeatable"},
    {"limit", "N", "Groups to show; default 1000"},
    {"last", "TIME", "Time range up to now: 30m, 2h, 7d; default 2h"},
    {"from", "SECONDS", "Begin of the time range, unix seconds"},
    {"to", "SECONDS", "End of the time range, unix seconds"},
    {"dataset", "NAME", "Rows of one dataset; default all"},
    {"json", NULL, "Print the server's answer as it is"},
};

static bool number_flag(const struct skep_cli_args *args, const char *flag, skep_str key,
                        struct skep_json *json)
{
    const char *text = skep_cli_value(args, flag, NULL);
    double v;
    int64_t i;
    if (!text)
        return true;
    if (!skep_str_f64(skep_str_c(text), &v)) {
        (void)fprintf(stderr, "skep query: --%s: not a number: %.80s\n", flag, text);
        return false;
    }
    skep_json_key(json, key);
    if (skep_str_i64(skep_str_c(text), &i))
        skep_json_i64(json, i);
    else
        skep_json_f64(json, v);
    return true;
}

static bool told(const char *flag, const struct skep_lang_issue *issue)
{
    (void)fprintf(stderr, "skep query: --%s: %s (at character %zu)\n", flag, issue->text,
                  issue->at + 1);
    return false;
}

typedef skep_rc text_fn(skep_str text, struct skep_json *json, struct skep_lang_issue *issue);

static bool list_member(const struct skep_cli_args *args, const char *flag, skep_str key,
                        text_fn *fn, struct skep_json *json)
{
    const struct skep_cli_values *texts = skep_cli_values(args, flag);
    struct skep_lang_issue issue;
    if (texts->n == 0)
        return true;
    skep_json_key(json, key);
    skep_json_array(json);
    for (unsigned i = 0; i < texts->n; i++) {
        if (!fn)
            skep_json_str(json, skep_str_c(texts->v[i]));
        else if (fn(skep_str_c(texts->v[i]), json, &issue) != SKEP_OK)
            return told(flag, &issue);
    }
    skep_json_end(json);
    return true;
}

/* Flags -> specification. */
static bool spec_of_flags(const struct skep_cli_args *args, struct skep_arena *arena,
                          struct skep_buf *out)
{
    struct skep_json json;
    const char *dataset = skep_cli_value(args, "dataset", NULL);
    skep_json_init(&json, out);
    skep_json_object(&json);
    bool ok = skep_cli_where("query", args, arena, &json) &&
              list_member(args, "calc", SKEP_STR("calculations"), skep_lang_calc_json, &json) &&
              list_member(args, "by", SKEP_STR("breakdowns"), NULL, &json) &&
              list_member(args, "order", SKEP_STR("orders"), skep_lang_order_json, &json) &&
              number_flag(args, "limit", SKEP_STR("limit"), &json) &&
              skep_cli_times("query", args, false, &json);
    if (!ok)
        return false;
    if (dataset)
        skep_json_put_str(&json, SKEP_STR("dataset"), skep_str_c(dataset));
    skep_json_put_bool(&json, SKEP_STR("disable_series"), true);
    skep_json_end(&json);
    return true;
}

static bool read_stdin(struct skep_buf *out)
{
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0)
        skep_buf_put(out, chunk, n);
    return !ferror(stdin) && !out->bad;
}

static bool make_spec(const struct skep_cli_args *args, struct skep_arena *arena,
                      struct skep_buf *out)
{
    if (args->rest.n > 1) {
        (void)fprintf(stderr, "skep query: one specification at most (quote it)\n");
        return false;
    }
    if (args->rest.n == 0)
        return spec_of_flags(args, arena, out);
    if (skep_str_eq(skep_str_c(args->rest.v[0]), SKEP_STR("-")))
        return read_stdin(out);
    skep_buf_str(out, skep_str_c(args->rest.v[0]));
    return true;
}

/* --- the table --- */

struct table {
    struct skep_arena *arena;
    unsigned n_columns;
    size_t n_rows;   /* with the header */
    skep_str *cells; /* [n_rows * n_columns] */
    bool *is_number; /* [n_columns] */
};

static skep_str text_of(struct skep_arena *arena, yyjson_val *v)
{
    struct skep_buf b;
    skep_buf_init(&b, 64 << 20);
    skep_cli_json_text(&b, v);
    skep_str s = skep_arena_str(arena, skep_buf_text(&b));
    skep_buf_done(&b);
    return s;
}

static void fill_row(struct table *t, size_t row, yyjson_val *keys, yyjson_val *values)
{
    unsigned c = 0;
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach(keys, i, max, v)
    {
        if (c < t->n_columns)
            t->cells[row * t->n_columns + c++] = text_of(t->arena, v);
    }
    yyjson_arr_foreach(values, i, max, v)
    {
        if (c < t->n_columns)
            t->cells[row * t->n_columns + c++] = text_of(t->arena, v);
    }
}

static void make_table(yyjson_val *root, struct skep_arena *arena, struct table *t)
{
    yyjson_val *columns = yyjson_obj_get(root, "columns");
    yyjson_val *groups = yyjson_obj_get(root, "groups");
    yyjson_val *v;
    size_t i, max;
    t->arena = arena;
    t->n_columns = (unsigned)yyjson_arr_size(columns);
    t->n_rows = 1 + yyjson_arr_size(groups);
    t->cells = skep_new_n(arena, skep_str, t->n_rows * t->n_columns + 1);
    t->is_number = skep_new_n(arena, bool, t->n_columns + 1);
    yyjson_arr_foreach(columns, i, max, v)
    {
        t->cells[i] = text_of(arena, yyjson_obj_get(v, "key"));
        t->is_number[i] = yyjson_equals_str(yyjson_obj_get(v, "kind"), "calc");
    }
    yyjson_arr_foreach(groups, i, max, v)
    {
        fill_row(t, i + 1, yyjson_obj_get(v, "key"), yyjson_obj_get(v, "values"));
    }
}

static void print_table(const struct table *t, struct skep_buf *out)
{
    enum { CELL_MAX = 60 };
    size_t *width = skep_new_n(t->arena, size_t, t->n_columns + 1);
    for (size_t i = 0; i < t->n_rows * t->n_columns; i++) {
        size_t w = skep_cli_width(t->cells[i]);
        size_t *have = &width[i % t->n_columns];
        *have = SKEP_MIN(SKEP_MAX(*have, w), (size_t)CELL_MAX);
    }
    for (size_t r = 0; r < t->n_rows; r++) {
        for (unsigned c = 0; c < t->n_columns; c++) {
            skep_cli_cell(out, t->cells[r * t->n_columns + c], width[c], t->is_number[c]);
            skep_buf_str(out, c + 1 < t->n_columns ? SKEP_STR("  ") : SKEP_STR("\n"));
        }
    }
}

static void print_footer(yyjson_val *root, struct skep_buf *out)
{
    size_t i, max;
    yyjson_val *v;
    skep_buf_u8(out, '\n');
    skep_cli_count(out, yyjson_get_uint(yyjson_obj_get(root, "rows_examined")));
    skep_buf_printf(out, " rows, %.3g ms, %s\n", yyjson_get_num(yyjson_obj_get(root, "elapsed_ms")),
                    yyjson_get_bool(yyjson_obj_get(root, "complete")) ? "complete" : "INCOMPLETE");
    yyjson_arr_foreach(yyjson_obj_get(root, "warnings"), i, max, v)
    {
        skep_buf_str(out, SKEP_STR("warning: "));
        skep_cli_json_text(out, v);
        skep_buf_u8(out, '\n');
    }
}

static bool print_answer(const struct skep_cli_http *h, bool as_json)
{
    struct skep_buf out;
    struct skep_arena arena;
    struct table t = {.n_rows = 0};
    yyjson_doc *doc = yyjson_read((const char *)h->body.p, h->body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(root)) {
        (void)fprintf(stderr, "skep query: the answer is not what a skep sends\n");
        yyjson_doc_free(doc);
        return false;
    }
    skep_buf_init(&out, 1u << 30);
    skep_arena_init(&arena, "table", NULL);
    if (as_json) {
        skep_cli_json_safe(&out, skep_buf_text(&h->body));
    } else {
        make_table(root, &arena, &t);
        print_table(&t, &out);
        print_footer(root, &out);
    }
    bool ok = skep_cli_print(&out);
    skep_arena_done(&arena);
    skep_buf_done(&out);
    yyjson_doc_free(doc);
    return ok;
}

int skep_cli_query(int argc, char *const *argv)
{
    struct skep_cli_args args = {
        .usage = "skep query [SPEC] [flags]\n\nAsk a question. SPEC is a query specification in "
                 "JSON (Honeycomb's), '-' reads it\nfrom standard input; without SPEC the flags "
                 "make one.",
        .flags = flags,
        .n_flags = SKEP_ARRAY_LEN(flags)};
    struct skep_cli_http http;
    struct skep_buf spec;
    int code = skep_cli_parse(&args, argc, argv);
    if (code >= 0)
        return code;
    skep_cli_http_init(&http, &args);
    skep_buf_init(&spec, 1 << 20);
    code = SKEP_EXIT_USAGE;
    if (make_spec(&args, &http.arena, &spec)) {
        const struct skep_cli_call call = {
            .method = "POST", .path = SKEP_STR("/skep/v1/query"), .body = skep_buf_bytes(&spec)};
        bool ok = skep_cli_must(&http, &call) && print_answer(&http, skep_cli_has(&args, "json"));
        code = ok ? SKEP_EXIT_OK : SKEP_EXIT_FAILED;
    }
    skep_buf_done(&spec);
    skep_cli_http_done(&http);
    return code;
}
