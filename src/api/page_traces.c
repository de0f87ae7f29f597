// SPDX-License-Identifier: Apache-2.0
/* POST /skep/v1/traces (summaries), GET /skep/v1/trace/:id (columnar, or ?search=).
 * Threads: workers.  Memory: the request's arena. */
#include "api/page_narrow.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "event/ids.h"
#include "event/view.h"

static void summary(struct skep_json *json, const struct skep_trace_summary *t)
{
    skep_json_object(json);
    skep_api__put_trace_id(json, SKEP_STR("trace_id"), &t->id);
    skep_json_put_i64_str(json, SKEP_STR("start_ns"), t->start_ns);
    skep_json_put_f64(json, SKEP_STR("duration_ms"), (double)(t->end_ns - t->start_ns) / 1e6);
    skep_json_put_u64(json, SKEP_STR("spans"), t->spans);
    skep_json_put_u64(json, SKEP_STR("errors"), t->errors);
    skep_json_key(json, SKEP_STR("root"));
    if (t->has_root) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("service"), t->root_service);
        skep_json_put_str(json, SKEP_STR("name"), t->root_name);
        skep_json_key(json, SKEP_STR("status"));
        if (t->root_status >= 0)
            skep_json_i64(json, t->root_status);
        else
            skep_json_null(json);
        skep_json_end(json);
    } else {
        skep_json_null(json);
    }
    skep_json_put_bool(json, SKEP_STR("root_missing"), !t->has_root);
    skep_json_key(json, SKEP_STR("services"));
    skep_json_array(json);
    for (unsigned i = 0; i < t->n_services; i++) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("name"), t->services[i].name);
        skep_json_put_u64(json, SKEP_STR("spans"), t->services[i].spans);
        skep_json_put_u64(json, SKEP_STR("errors"), t->services[i].errors);
        skep_json_end(json);
    }
    skep_json_end(json);
    skep_json_end(json);
}

static int newest_first(const void *a, const void *b)
{
    const struct skep_trace_summary *x = a, *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns > y->start_ns ? -1 : 1;
    return memcmp(&x->id, &y->id, sizeof x->id);
}

/* An engine puts traces that failed first; the page's "errors" are those alone, newest first. */
static void keep_failed(struct skep_traces *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->traces[i].errors)
            t->traces[n++] = t->traces[i];
    t->n = n;
    if (n)
        qsort(t->traces, n, sizeof *t->traces, newest_first);
}

static void traces(struct skep_api__job *job)
{
    const struct skep_os *os = job->api->cfg.os;
    struct skep_lang_opts lang;
    const struct skep_plan *plan = NULL;
    struct skep_answer a = {0};
    struct skep_lang_narrow narrow;
    struct skep_api__narrowed narrowed = {.durations_ms = NULL};
    struct skep_lang_issue issue;
    skep_err err;

    int64_t begin = os->mono_ns(os);
    if (!skep_api__page_lang(job, &lang))
        return;
    if (skep_lang_traces(job->req->body, &lang, &job->arena, &plan, &narrow, &issue) != SKEP_OK) {
        skep_api__job_fail_issue(job, &issue);
        return;
    }
    bool whole = narrow.expression.n || narrow.has_duration || narrow.distribution;
    skep_rc rc = SKEP_OK;
    if (!whole)
        rc = skep_query_run(job->api->cfg.store, plan, &job->opts, &a, &err);
    else if (!skep_api__narrow(job, plan, &narrow, &a, &narrowed))
        return;
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    if (plan->sort == SKEP_TRACES_ERRORS)
        keep_failed(&a.traces);
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("traces"));
    skep_json_array(json);
    for (size_t i = 0; i < a.traces.n && !job->out.gone; i++) {
        summary(json, &a.traces.traces[i]);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
    if (whole)
        skep_api__put_narrowed(job, &narrowed);
    skep_json_put_u64(json, SKEP_STR("rows_examined"), a.rows_examined);
    skep_json_put_f64(json, SKEP_STR("elapsed_ms"), (double)(os->mono_ns(os) - begin) / 1e6);
    skep_json_put_bool(json, SKEP_STR("complete"), a.complete);
    skep_api__put_also(job, json);
    if (!a.complete)
        skep_json_put_str(json, SKEP_STR("missing"), a.missing);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

/* --- one trace --- */

/* What each row of a trace shows, worked out once. */
struct shown {
    skep_str name, summary;
    uint32_t service;
    bool error;
};

struct trace {
    struct skep_trace_tree tree;
    struct shown *shown; /* [tree.n] */
    skep_str *services;
    uint32_t n_services;
    uint64_t spans;
    skep_ts_ns start_ns, end_ns;
};

static skep_str as_text(struct skep_arena *arena, const skep_value *v)
{
    switch (v->type) {
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_ARRAY: return v->s;
    case SKEP_TYPE_INT: return skep_arena_printf(arena, "%lld", (long long)v->i);
    case SKEP_TYPE_DOUBLE: {
        char *text = skep_arena_alloc(arena, SKEP_JSON_NUMBER_BYTES);
        return (skep_str){text, skep_json_f64_text(v->f, text)};
    }
    case SKEP_TYPE_BOOL: return v->b ? SKEP_STR("true") : SKEP_STR("false");
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_COUNT: break;
    }
    return SKEP_STR_NULL;
}

/* The first of `names` that the row has, as text. */
static skep_str first_text(struct skep_arena *arena, const struct skep_row *row,
                           const skep_str *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        skep_value v = skep_api__field(arena, row, names[i]);
        if (v.type != SKEP_TYPE_NULL)
            return as_text(arena, &v);
    }
    return SKEP_STR_NULL;
}

#define FIRST_TEXT(arena, row, ...)                                                                \
    first_text((arena), (row), (const skep_str[]){__VA_ARGS__},                                    \
               sizeof((const skep_str[]){__VA_ARGS__}) / sizeof(skep_str))

/* "GET /api 200", or the status message of a span that failed. */
static skep_str span_summary(struct skep_arena *arena, const struct skep_row *row)
{
    skep_str method =
        FIRST_TEXT(arena, row, SKEP_STR("http.request.method"), SKEP_STR("http.method"));
    if (method.n == 0)
        return FIRST_TEXT(arena, row, SKEP_STR("status_message"), SKEP_STR("exception.message"));
    skep_str target =
        FIRST_TEXT(arena, row, SKEP_STR("http.route"), SKEP_STR("url.path"),
                   SKEP_STR("http.target"), SKEP_STR("url.full"), SKEP_STR("http.url"));
    skep_str status =
        FIRST_TEXT(arena, row, SKEP_STR("http.response.status_code"), SKEP_STR("http.status_code"));
    return skep_arena_printf(arena, SKEP_STRFMT "%s" SKEP_STRFMT "%s" SKEP_STRFMT,
                             SKEP_STRARG(method), target.n ? " " : "", SKEP_STRARG(target),
                             status.n ? " " : "", SKEP_STRARG(status));
}

static skep_str row_summary(struct skep_arena *arena, const struct skep_row *row)
{
    switch ((int)row->kind) {
    case SKEP_KIND_SPAN: return span_summary(arena, row);
    case SKEP_KIND_LINK: return FIRST_TEXT(arena, row, SKEP_STR("trace.link.trace_id"));
    case SKEP_KIND_SPAN_EVENT:
        return FIRST_TEXT(arena, row, SKEP_STR("exception.message"), SKEP_STR("message"));
    default:
        return FIRST_TEXT(arena, row, SKEP_STR("body"), SKEP_STR("exception.message"),
                          SKEP_STR("message"));
    }
}

static bool is_error(const struct skep_row *row)
{
    enum { SEVERITY_ERROR = 17 }; /* OTLP */
    switch ((int)row->kind) {
    case SKEP_KIND_SPAN: return row->status == SKEP_STATUS_ERROR;
    case SKEP_KIND_SPAN_EVENT: return skep_str_eq(row->name, SKEP_STR("exception"));
    case SKEP_KIND_LOG: return row->severity >= SEVERITY_ERROR;
    case SKEP_KIND_ERROR: return true;
    default: return false;
    }
}

static uint32_t service_index(struct skep_arena *arena, struct trace *t, const struct skep_row *row)
{
    skep_str name = FIRST_TEXT(arena, row, SKEP_STR("service.name"));
    if (name.n == 0)
        name = row->dataset;
    for (uint32_t i = 0; i < t->n_services; i++)
        if (skep_str_eq(t->services[i], name))
            return i;
    t->services[t->n_services] = name;
    return t->n_services++;
}

/* Rows of one resource stand together, so the last service is the likely one. */
static void show_rows(struct skep_arena *arena, struct trace *t)
{
    t->shown = skep_new_n(arena, struct shown, t->tree.n);
    t->services = skep_new_n(arena, skep_str, t->tree.n);
    t->start_ns = t->tree.start_ns;
    t->end_ns = t->tree.end_ns;
    for (size_t i = 0; i < t->tree.n; i++) {
        const struct skep_row *row = t->tree.nodes[i].row;
        struct shown *s = &t->shown[i];
        s->service = service_index(arena, t, row);
        s->summary = row_summary(arena, row);
        s->error = is_error(row);
        s->name = row->name.n ? row->name : FIRST_TEXT(arena, row, SKEP_STR("event.name"));
        t->spans += row->kind == SKEP_KIND_SPAN;
    }
}

/* One array of the columnar answer. */
typedef void column_fn(struct skep_json *json, const struct trace *t, size_t i);

static void col_id(struct skep_json *json, const struct trace *t, size_t i)
{
    char text[40];
    skep_row_id id = t->tree.nodes[i].row->id;
    int n = snprintf(text, sizeof text, "%llu-%u", (unsigned long long)id.seq, id.ordinal);
    skep_json_str(json, (skep_str){text, (size_t)n});
}

static void col_kind(struct skep_json *json, const struct trace *t, size_t i)
{
    skep_json_str(json, skep_kind_name(t->tree.nodes[i].row->kind));
}

static void col_parent(struct skep_json *json, const struct trace *t, size_t i)
{
    skep_json_i64(json, t->tree.nodes[i].parent);
}

static void col_depth(struct skep_json *json, const struct trace *t, size_t i)
{
    skep_json_u64(json, t->tree.nodes[i].depth);
}

/* Events, links and logs: the span they belong to. */
static void col_span_id(struct skep_json *json, const struct trace *t, size_t i)
{
    char text[16];
    const struct skep_row *row = t->tree.nodes[i].row;
    bool span = row->kind == SKEP_KIND_SPAN;
    skep_json_str(json, skep_api__span_id(text, span ? row->span_id : row->parent_id));
}

static void col_name(struct skep_json *json, const struct trace *t, size_t i)
{
    skep_json_str(json, t->shown[i].name);
}

static void col_service(struct skep_json *json, const struct trace *t, size_t i)
{
    skep_json_u64(json, t->shown[i].service);
}

static void col_offset(struct skep_json *json, const struct trace *t, size_t i)
{
    skep_json_i64_str(json, t->tree.nodes[i].row->time_ns - t->start_ns);
}

static void col_duration(struct skep_json *json, const struct trace *t, size_t i)
{
    skep_json_i64_str(json, SKEP_MAX(t->tree.nodes[i].row->duration_ns, 0));
}

static void col_span_kind(struct skep_json *json, const struct trace *t, size_t i)
{
    static const skep_str names[] = {{"unspecified", 11}, {"internal", 8}, {"server", 6},
                                     {"client", 6},       {"producer", 8}, {"consumer", 8}};
    const struct skep_row *row = t->tree.nodes[i].row;
    if (row->kind == SKEP_KIND_SPAN && row->span_kind < SKEP_ARRAY_LEN(names))
        skep_json_str(json, names[row->span_kind]);
    else
        skep_json_null(json);
}

static void col_error(struct skep_json *json, const struct trace *t, size_t i)
{
    skep_json_bool(json, t->shown[i].error);
}

static void col_summary(struct skep_json *json, const struct trace *t, size_t i)
{
    skep_json_str(json, t->shown[i].summary);
}

static const struct {
    skep_str name;
    column_fn *put;
} trace_columns[] = {
    {{"id", 2}, col_id},
    {{"kind", 4}, col_kind},
    {{"parent", 6}, col_parent},
    {{"depth", 5}, col_depth},
    {{"span_id", 7}, col_span_id},
    {{"name", 4}, col_name},
    {{"service", 7}, col_service},
    {{"offset_ns", 9}, col_offset},
    {{"duration_ns", 11}, col_duration},
    {{"span_kind", 9}, col_span_kind},
    {{"error", 5}, col_error},
    {{"summary", 7}, col_summary},
};

static void write_columns(struct skep_api__out *out, const struct trace *t)
{
    struct skep_json *json = &out->json;
    skep_json_key(json, SKEP_STR("rows"));
    skep_json_object(json);
    for (size_t c = 0; c < SKEP_ARRAY_LEN(trace_columns); c++) {
        skep_json_key(json, trace_columns[c].name);
        skep_json_array(json);
        for (size_t i = 0; i < t->tree.n; i++) {
            trace_columns[c].put(json, t, i);
            skep_api__out_check(out);
        }
        skep_json_end(json);
    }
    skep_json_end(json);
}

static void write_trace(struct skep_api__job *job, const skep_trace_id *id, const struct trace *t,
                        const struct skep_answer *a)
{
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_api__put_trace_id(json, SKEP_STR("trace_id"), id);
    skep_json_put_i64_str(json, SKEP_STR("start_ns"), t->start_ns);
    skep_json_put_i64_str(json, SKEP_STR("end_ns"), t->end_ns);
    skep_json_key(json, SKEP_STR("services"));
    skep_json_array(json);
    for (uint32_t i = 0; i < t->n_services; i++)
        skep_json_str(json, t->services[i]);
    skep_json_end(json);
    skep_json_put_u64(json, SKEP_STR("spans"), t->spans);
    skep_json_put_bool(json, SKEP_STR("complete"), a->complete && !a->rows.more);
    skep_json_put_u64(json, SKEP_STR("missing_parents"), t->tree.missing_parents);
    write_columns(&job->out, t);
    skep_json_end(json);
}

/* --- search in a trace --- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* `needle` is in lower case. */
static bool contains_folded(skep_str s, skep_str needle)
{
    if (needle.n == 0)
        return true;
    for (size_t i = 0; i + needle.n <= s.n; i++) {
        size_t k = 0;
        while (k < needle.n && lower(s.p[i + k]) == needle.p[k])
            k++;
        if (k == needle.n)
            return true;
    }
    return false;
}

static bool row_matches(struct skep_arena *arena, const struct skep_row *row, skep_str needle)
{
    size_t n;
    const struct skep_view *views = skep_view_all(&n);
    if (contains_folded(row_summary(arena, row), needle) || contains_folded(row->dataset, needle))
        return true;
    for (unsigned i = 0; i < row->n_fields; i++)
        if (contains_folded(as_text(arena, &row->fields[i].value), needle))
            return true;
    for (size_t i = 0; i < n; i++) {
        skep_value v = skep_api__view(arena, row, &views[i]);
        if (contains_folded(as_text(arena, &v), needle))
            return true;
    }
    return false;
}

/* Rows of the trace that match, by id. */
struct found {
    skep_row_id *ids;
    uint32_t n, cap;
    struct skep_index index;
};

static uint64_t id_hash(skep_row_id id)
{
    return skep_hash_u64(id.seq ^ ((uint64_t)id.ordinal << 32));
}

static bool is_found(const struct found *f, skep_row_id id)
{
    struct skep_index_it it = skep_index_begin(&f->index, id_hash(id));
    for (uint32_t i; (i = skep_index_next(&f->index, &it)) != SKEP_INDEX_NONE;)
        if (f->ids[i].seq == id.seq && f->ids[i].ordinal == id.ordinal)
            return true;
    return false;
}

static void look_through(struct skep_arena *page, const struct skep_rows *rows, skep_str needle,
                         struct found *f)
{
    for (size_t i = 0; i < rows->n; i++) {
        if (!row_matches(page, &rows->rows[i], needle))
            continue;
        SKEP_GROW(f->ids, f->n, f->cap);
        f->ids[f->n] = rows->rows[i].id;
        skep_index_add(&f->index, id_hash(f->ids[f->n]), f->n);
        f->n++;
    }
}

/* All fields of all rows, a page at a time: a trace of any length is searched in the memory of one
 * page. */
static skep_rc search_pages(struct skep_api__job *job, skep_value trace_id, skep_str needle,
                            struct found *f, skep_err *err)
{
    enum { PAGE_ROWS = 5000 };
    struct skep_expr same_trace = {.op = SKEP_EXPR_TEST,
                                   .test = {.field.name = SKEP_STR("trace.trace_id"),
                                            .op = SKEP_CMP_EQ,
                                            .values = &trace_id,
                                            .n_values = 1}};
    struct skep_plan plan = {.kind = SKEP_PLAN_ROWS,
                             .range = {INT64_MIN, INT64_MAX},
                             .filter = &same_trace,
                             .limit = PAGE_ROWS,
                             .oldest_first = true};
    skep_rc rc = SKEP_OK;
    for (bool more = true; more && rc == SKEP_OK;) {
        struct skep_arena page;
        struct skep_answer a = {0};
        struct skep_run_opts opts = job->opts;
        skep_arena_init(&page, "search", &job->budget);
        opts.arena = &page;
        rc = skep_query_run(job->api->cfg.store, &plan, &opts, &a, err);
        more = rc == SKEP_OK && a.rows.more && a.rows.n > 0;
        if (rc == SKEP_OK)
            look_through(&page, &a.rows, needle, f);
        if (more) {
            plan.has_cursor = true;
            plan.cursor_time_ns = a.rows.rows[a.rows.n - 1].time_ns;
            plan.cursor_id = a.rows.rows[a.rows.n - 1].id;
        }
        skep_arena_done(&page);
    }
    return rc;
}

static void write_matches(struct skep_api__job *job, const struct trace *t, skep_str search)
{
    struct skep_json *json = &job->out.json;
    struct found f = {0};
    skep_err err;
    char *needle = skep_arena_alloc(&job->arena, search.n + 1);
    for (size_t i = 0; i < search.n; i++)
        needle[i] = lower(search.p[i]);
    skep_value id = skep_api__field(&job->arena, t->tree.nodes[0].row, SKEP_STR("trace.trace_id"));
    skep_rc rc = search_pages(job, id, (skep_str){needle, search.n}, &f, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
    } else {
        skep_api__json_begin(job, 200);
        skep_json_object(json);
        skep_json_key(json, SKEP_STR("matches"));
        skep_json_array(json);
        for (size_t i = 0; i < t->tree.n; i++)
            if (is_found(&f, t->tree.nodes[i].row->id))
                skep_json_u64(json, i);
        skep_json_end(json);
        skep_json_end(json);
        skep_api__out_end(&job->out);
    }
    skep_index_done(&f.index);
    skep_free(f.ids);
}

/* What a waterfall shows of a row. */
static const struct skep_field_ref shown_fields[] = {
    {.name = SKEP_STR_INIT("service.name")},
    {.name = SKEP_STR_INIT("event.name")},
    {.name = SKEP_STR_INIT("http.request.method")},
    {.name = SKEP_STR_INIT("http.method")},
    {.name = SKEP_STR_INIT("http.route")},
    {.name = SKEP_STR_INIT("url.path")},
    {.name = SKEP_STR_INIT("http.target")},
    {.name = SKEP_STR_INIT("url.full")},
    {.name = SKEP_STR_INIT("http.url")},
    {.name = SKEP_STR_INIT("http.response.status_code")},
    {.name = SKEP_STR_INIT("http.status_code")},
    {.name = SKEP_STR_INIT("status_message")},
    {.name = SKEP_STR_INIT("exception.message")},
    {.name = SKEP_STR_INIT("trace.link.trace_id")},
    {.name = SKEP_STR_INIT("message")},
    {.name = SKEP_STR_INIT("body")},
};

static void trace(struct skep_api__job *job)
{
    struct skep_plan plan = {.kind = SKEP_PLAN_TRACE,
                             .range = {0, INT64_MAX},
                             .columns = shown_fields,
                             .n_columns = SKEP_ARRAY_LEN(shown_fields),
                             .only_present = true};
    struct skep_answer a = {0};
    struct trace t = {.n_services = 0};
    skep_str search;
    skep_err err;
    skep_rc rc;
    bool searching = skep_request_param(job->req, SKEP_STR("search"), &search) && search.n;

    skep_str asked = skep_request_capture(job->req, 0);
    if (!skep_lang_trace_id(asked, &plan.trace_id))
        plan.trace_id = skep_trace_id_of(asked); /* somebody's own */
    rc = skep_query_run(job->api->cfg.store, &plan, &job->opts, &a, &err);
    if (rc == SKEP_OK && a.rows.n == 0)
        rc = SKEP_ENOTFOUND;
    if (rc == SKEP_ENOTFOUND)
        (void)skep_fail(&err, rc, "no such trace (it may not have arrived yet, or have expired)");
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_query_trace_tree(&a.rows, &job->arena, &t.tree);
    skep_assert(t.tree.n == a.rows.n);
    show_rows(&job->arena, &t);
    if (searching) {
        write_matches(job, &t, search);
        return;
    }
    skep_api__json_begin(job, 200);
    write_trace(job, &plan.trace_id, &t, &a);
    skep_api__out_end(&job->out);
}

static void handle_traces(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, traces);
}

static void handle_trace(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, trace);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/traces",
     .handle = handle_traces,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "GET",
     .path = "/skep/v1/trace/:id",
     .handle = handle_trace,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_traces = {routes, SKEP_ARRAY_LEN(routes)};
