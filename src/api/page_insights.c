// SPDX-License-Identifier: Apache-2.0
/* The languages of CloudWatch Logs for the page:
 *
 *   POST /skep/v1/logs/check      is the text right, what does it mean
 *   POST /skep/v1/logs/insights   run a Logs Insights query
 *   GET  /skep/v1/logs/language   what there is to complete
 *
 * Threads: workers (page_lines.c).  Memory: the request's. */
#include "api/page_lines.h"

#include <yyjson.h>

#include "base/assert.h"
#include "lang/insights.h"
#include "lang/logs_pattern.h"

enum { GROUPS_MAX = 50 };

/* A request's members. */
struct asked {
    yyjson_doc *doc;
    yyjson_val *obj;
    skep_str text;
    struct skep_insights_opts opts;
};

static void asked_done(struct asked *x)
{
    yyjson_doc_free(x->doc);
}

static bool refuse(struct skep_api__job *job, const char *text, const char *field)
{
    skep_api__job_fail(job, &(struct skep_api__error){.status = 422,
                                                      .text = skep_str_c(text),
                                                      .field = skep_str_c(field)});
    return false;
}

static bool read_groups(struct skep_api__job *job, struct asked *x)
{
    yyjson_val *groups = yyjson_obj_get(x->obj, "groups"), *g;
    size_t i, max;
    if (!groups || yyjson_is_null(groups))
        return true;
    if (!yyjson_is_arr(groups) || yyjson_arr_size(groups) > GROUPS_MAX)
        return refuse(job, "a list of at most 50 log groups", "groups");
    skep_str *names = skep_new_n(&job->arena, skep_str, yyjson_arr_size(groups) + 1);
    yyjson_arr_foreach(groups, i, max, g)
    {
        if (!yyjson_is_str(g))
            return refuse(job, "a log group is a name", "groups");
        names[i] = skep_arena_str(&job->arena, (skep_str){yyjson_get_str(g), yyjson_get_len(g)});
    }
    x->opts.datasets = names;
    x->opts.n_datasets = (unsigned)yyjson_arr_size(groups);
    return true;
}

/* Times by the reader all requests share: a copy of the request with those members alone. */
static bool read_times(struct skep_api__job *job, struct asked *x)
{
    static const char *const names[] = {"start_time", "end_time", "time_range"};
    struct skep_buf b;
    struct skep_json json;
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue;
    struct skep_lang_opts lang;
    if (!skep_api__page_lang(job, &lang))
        return false;
    skep_buf_init(&b, 64 << 10);
    skep_json_init(&json, &b);
    skep_json_object(&json);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        yyjson_val *v = yyjson_obj_get(x->obj, names[i]);
        size_t n = 0;
        char *text = v ? yyjson_val_write(v, 0, &n) : NULL;
        if (!text)
            continue;
        skep_json_key(&json, skep_str_c(names[i]));
        skep_json_raw(&json, (skep_str){text, n});
        free(text); // tidy: allow banned: yyjson's own allocation
    }
    skep_json_end(&json);
    skep_rc rc =
        b.bad ? SKEP_EINVAL : skep_lang_rows(skep_buf_bytes(&b), &lang, &job->arena, &plan, &issue);
    bool large = b.bad;
    skep_buf_done(&b);
    if (large)
        return refuse(job, "times are numbers", "start_time");
    if (rc != SKEP_OK) {
        skep_api__job_fail_issue(job, &issue);
        return false;
    }
    x->opts.range = plan->range;
    x->opts.now_ns = lang.now_ns;
    x->opts.derived = lang.derived;
    x->opts.n_derived = lang.n_derived;
    return true;
}

static bool read_request(struct skep_api__job *job, const char *text_key, const char *const *keys,
                         size_t n_keys, struct asked *x)
{
    *x = (struct asked){.doc = yyjson_read((const char *)job->req->body.p, job->req->body.n, 0)};
    x->obj = yyjson_doc_get_root(x->doc);
    size_t i, max;
    yyjson_val *key, *val;
    if (!yyjson_is_obj(x->obj))
        return refuse(job, "a JSON object is expected", "");
    yyjson_obj_foreach(x->obj, i, max, key, val)
    {
        size_t k = 0;
        while (k < n_keys && !yyjson_equals_str(key, keys[k]))
            k++;
        if (k == n_keys)
            return refuse(job, "unknown member", yyjson_get_str(key));
    }
    yyjson_val *text = yyjson_obj_get(x->obj, text_key);
    if (!yyjson_is_str(text))
        return refuse(job, "use a string", text_key);
    x->text = skep_arena_str(&job->arena, (skep_str){yyjson_get_str(text), yyjson_get_len(text)});
    return read_groups(job, x) && read_times(job, x);
}

// --- check -------------------------------------------------------------------------------------

static void write_issue(struct skep_json *json, const struct skep_lang_issue *issue)
{
    skep_json_put_bool(json, SKEP_STR("ok"), false);
    skep_json_put_str(json, SKEP_STR("error"), skep_str_c(issue->text));
    skep_json_put_u64(json, SKEP_STR("at"), issue->at);
    skep_json_put_u64(json, SKEP_STR("end"), issue->end);
}

static void check_pattern(struct skep_api__job *job, skep_str text)
{
    static const char *const kinds[] = {"all", "terms", "json", "fields"};
    struct skep_json *json = &job->out.json;
    const struct skep_logs_pattern *p = NULL;
    struct skep_lang_issue issue;
    skep_str *names;
    size_t n;
    if (skep_logs_pattern_parse(text, &job->arena, &p, &issue) != SKEP_OK) {
        write_issue(json, &issue);
        return;
    }
    skep_json_put_bool(json, SKEP_STR("ok"), true);
    skep_json_put_str(json, SKEP_STR("language"), SKEP_STR("pattern"));
    skep_json_put_str(json, SKEP_STR("kind"), skep_str_c(kinds[skep_logs_pattern_kind(p)]));
    skep_logs_pattern_names(p, &job->arena, &names, &n);
    skep_json_key(json, SKEP_STR("fields"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++)
        skep_json_str(json, names[i].n ? names[i] : SKEP_STR("..."));
    skep_json_end(json);
}

static void put_columns(struct skep_json *json, const struct skep_insights *q)
{
    skep_json_key(json, SKEP_STR("columns"));
    skep_json_array(json);
    for (unsigned i = 0; i < q->pipe->n_outs; i++) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("name"), q->pipe->outs[i].name);
        if (q->pipe->outs[i].time)
            skep_json_put_bool(json, SKEP_STR("time"), true);
        skep_json_end(json);
    }
    skep_json_end(json);
    skep_json_put_str(json, SKEP_STR("kind"), q->table ? SKEP_STR("table") : SKEP_STR("events"));
}

/* The steps, by whom each is done: what could not be asked is said. */
static void put_steps(struct skep_api__job *job, const struct skep_insights *q)
{
    struct skep_json *json = &job->out.json;
    skep_str *how = NULL;
    unsigned n = 0;
    skep_err err;
    skep_rc rc = skep_pipe_explain(job->api->cfg.store, q->pipe, &job->opts, &how, &n, &err);
    skep_json_key(json, SKEP_STR("steps"));
    skep_json_array(json);
    for (unsigned i = 0; i < q->pipe->n_stages; i++) {
        /* What a command needs beside itself is no step of the reader's. */
        if (i > 0 && q->steps[i].p == q->steps[i - 1].p)
            continue;
        skep_str by = rc == SKEP_OK && i < n ? how[i] : SKEP_STR("not known now");
        skep_json_str(json, skep_arena_printf(&job->arena, SKEP_STRFMT ": " SKEP_STRFMT,
                                              SKEP_STRARG(q->steps[i]), SKEP_STRARG(by)));
    }
    skep_json_end(json);
}

static void check_insights(struct skep_api__job *job, const struct asked *x)
{
    struct skep_json *json = &job->out.json;
    struct skep_insights q;
    struct skep_lang_issue issue;
    if (skep_lang_insights(x->text, &x->opts, &job->arena, &q, &issue) != SKEP_OK) {
        write_issue(json, &issue);
        return;
    }
    skep_json_put_bool(json, SKEP_STR("ok"), true);
    skep_json_put_str(json, SKEP_STR("language"), SKEP_STR("insights"));
    put_columns(json, &q);
    put_steps(job, &q);
}

static void check(struct skep_api__job *job)
{
    static const char *const keys[] = {"language",   "text",     "groups",
                                       "start_time", "end_time", "time_range"};
    struct asked x;
    if (read_request(job, "text", keys, SKEP_ARRAY_LEN(keys), &x)) {
        yyjson_val *language = yyjson_obj_get(x.obj, "language");
        bool pattern = yyjson_equals_str(language, "pattern");
        if (!pattern && !yyjson_equals_str(language, "insights")) {
            (void)refuse(job, "use pattern or insights", "language"); /* says no */
        } else {
            skep_api__json_begin(job, 200);
            skep_json_object(&job->out.json);
            if (pattern)
                check_pattern(job, x.text);
            else
                check_insights(job, &x);
            skep_json_end(&job->out.json);
            skep_api__out_end(&job->out);
        }
    }
    asked_done(&x);
}

// --- insights ----------------------------------------------------------------------------------

static void put_rows(struct skep_api__job *job, const struct skep_pipe *p,
                     const struct skep_pipe_result *r)
{
    struct skep_json *json = &job->out.json;
    char text[SKEP_PIPE_TEXT_BYTES];
    skep_json_key(json, SKEP_STR("rows"));
    skep_json_array(json);
    for (size_t i = 0; i < r->n_rows && !job->out.gone; i++) {
        skep_json_array(json);
        for (unsigned o = 0; o < p->n_outs; o++) {
            skep_str s = skep_pipe_text(&r->values[i * p->n_outs + o], p->outs[o].time, text);
            if (s.p)
                skep_json_str(json, s);
            else
                skep_json_null(json);
        }
        skep_json_end(json);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
    if (!p->raw)
        return;
    skep_json_key(json, SKEP_STR("ids"));
    skep_json_array(json);
    for (size_t i = 0; i < r->n_rows; i++)
        skep_json_str(json, skep_api__row_id(&job->arena, r->ids[i].id));
    skep_json_end(json);
}

static void write_result(struct skep_api__job *job, const struct skep_insights *q,
                         const struct skep_pipe_result *r, int64_t elapsed_ns)
{
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("type"), SKEP_STR("result"));
    skep_json_put_bool(json, SKEP_STR("complete"), r->complete);
    if (!r->complete)
        skep_json_put_str(json, SKEP_STR("missing"), r->missing);
    skep_json_put_u64(json, SKEP_STR("rows_scanned"), r->rows_scanned);
    skep_json_put_u64(json, SKEP_STR("rows_matched"), r->rows_matched);
    skep_json_put_u64(json, SKEP_STR("bytes_scanned"), r->bytes_scanned);
    skep_json_put_f64(json, SKEP_STR("elapsed_ms"), (double)elapsed_ns / 1e6);
    skep_json_put_bool(json, SKEP_STR("truncated"), r->truncated);
    put_columns(json, q);
    put_rows(job, q->pipe, r);
    skep_json_end(json);
    skep_buf_u8(&job->out.buf, '\n');
}

static void run_query(struct skep_api__job *job, const struct asked *x)
{
    const struct skep_os *os = job->api->cfg.os;
    struct skep_insights q;
    struct skep_pipe_result result;
    struct skep_lang_issue issue;
    skep_err err;
    struct skep_api__lines lines;
    if (skep_lang_insights(x->text, &x->opts, &job->arena, &q, &issue) != SKEP_OK) {
        memcpy(issue.field, "query", sizeof "query");
        skep_api__job_fail_issue(job, &issue);
        return;
    }
    int64_t begin = os->mono_ns(os);
    skep_api__lines_begin(&lines, job);
    skep_rc rc = skep_pipe_run(job->api->cfg.store, q.pipe, &job->opts, &result, &err);
    if (rc != SKEP_OK) {
        skep_api__lines_failed(job, rc, &err);
        return;
    }
    write_result(job, &q, &result, os->mono_ns(os) - begin);
    skep_api__out_end(&job->out);
}

static void insights(struct skep_api__job *job)
{
    static const char *const keys[] = {"query",    "groups",     "start_time",
                                       "end_time", "time_range", "limit"};
    struct asked x;
    if (read_request(job, "query", keys, SKEP_ARRAY_LEN(keys), &x)) {
        yyjson_val *limit = yyjson_obj_get(x.obj, "limit");
        x.opts.limit = (unsigned)SKEP_MIN(yyjson_get_uint(limit), (uint64_t)SKEP_LIMIT_PIPE_ROWS);
        if (limit && x.opts.limit == 0)
            (void)refuse(job, "a number from 1", "limit"); /* says no */
        else
            run_query(job, &x);
    }
    asked_done(&x);
}

// --- language ----------------------------------------------------------------------------------

static const struct {
    const char *syntax, *text;
} patterns[] = {
    {"ERROR timeout", "both texts"},
    {"\"connection refused\"", "a text with blanks"},
    {"ERROR -health", "without a text"},
    {"?ERROR ?WARN", "any of them"},
    {"%user-[0-9]+%", "a regular expression"},
    {"{ $.level = \"error\" && $.ms > 100 }", "values of a JSON message"},
    {"{ $.user NOT EXISTS }", "JSON without a value"},
    {"[ip, user, request, status = 5*, bytes]", "pieces of a line, cut at blanks"},
    {"[..., status = 404, bytes > 1000]", "counted from the end of the line"},
};

static void put_words(struct skep_json *json, skep_str key, const struct skep_insights_word *w,
                      size_t n)
{
    skep_json_key(json, key);
    skep_json_array(json);
    for (size_t i = 0; i < n; i++) {
        bool function = w[i].family.n > 0;
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("name"), w[i].name);
        if (w[i].syntax.n)
            skep_json_put_str(json, function ? SKEP_STR("signature") : SKEP_STR("syntax"),
                              w[i].syntax);
        if (function)
            skep_json_put_str(json, SKEP_STR("family"), w[i].family);
        skep_json_put_str(json, SKEP_STR("text"), w[i].text);
        if (function)
            skep_json_put_bool(json, SKEP_STR("aggregate"), w[i].aggregate);
        skep_json_end(json);
    }
    skep_json_end(json);
}

static void language(struct skep_api__job *job)
{
    struct skep_json *json = &job->out.json;
    struct skep_insights_word *functions = NULL;
    size_t n_commands, n_fields, n_functions;
    const struct skep_insights_word *commands = skep_insights_commands(&n_commands);
    const struct skep_insights_word *fields = skep_insights_fields(&n_fields);
    skep_insights_functions(&job->arena, &functions, &n_functions);
    skep_api__json_begin(job, 200);
    skep_json_object(json);
    put_words(json, SKEP_STR("commands"), commands, n_commands);
    put_words(json, SKEP_STR("functions"), functions, n_functions);
    put_words(json, SKEP_STR("fields"), fields, n_fields);
    skep_json_key(json, SKEP_STR("patterns"));
    skep_json_array(json);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(patterns); i++) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("syntax"), skep_str_c(patterns[i].syntax));
        skep_json_put_str(json, SKEP_STR("text"), skep_str_c(patterns[i].text));
        skep_json_end(json);
    }
    skep_json_end(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void handle_check(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, check);
}

static void handle_insights(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, insights);
}

static void handle_language(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, language);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/logs/check",
     .handle = handle_check,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "POST",
     .path = "/skep/v1/logs/insights",
     .handle = handle_insights,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "GET",
     .path = "/skep/v1/logs/language",
     .handle = handle_language,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_insights = {routes, SKEP_ARRAY_LEN(routes)};
