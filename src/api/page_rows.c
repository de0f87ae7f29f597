// SPDX-License-Identifier: Apache-2.0
/* POST /skep/v1/rows, GET /skep/v1/row/:id: rows as they were sent.
 * Threads: workers.  Memory: the request's arena. */
#include "api/api_priv.h"

#include "base/assert.h"
#include "event/view.h"

static void write_rows(struct skep_api__job *job, const struct skep_plan *plan,
                       const struct skep_answer *a, int64_t elapsed_ns)
{
    struct skep_json *json = &job->out.json;
    const struct skep_rows *rows = &a->rows;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("rows"));
    skep_json_array(json);
    for (size_t i = 0; i < rows->n && !job->out.gone; i++) {
        skep_api__row(json, &job->arena, &rows->rows[i], plan->n_columns == 0);
        skep_api__out_check(&job->out);
    }
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("next"));
    if (rows->more && rows->n) {
        const struct skep_row *last = &rows->rows[rows->n - 1];
        skep_json_str(json,
                      skep_arena_printf(&job->arena, "%lld." SKEP_STRFMT, (long long)last->time_ns,
                                        SKEP_STRARG(skep_api__row_id(&job->arena, last->id))));
    } else {
        skep_json_null(json);
    }
    skep_json_put_u64(json, SKEP_STR("rows_examined"), a->rows_examined);
    skep_json_put_f64(json, SKEP_STR("elapsed_ms"), (double)elapsed_ns / 1e6);
    skep_json_put_bool(json, SKEP_STR("complete"), a->complete);
    skep_api__put_also(job, json);
    if (!a->complete)
        skep_json_put_str(json, SKEP_STR("missing"), a->missing);
    skep_json_end(json);
}

static void rows(struct skep_api__job *job)
{
    const struct skep_os *os = job->api->cfg.os;
    struct skep_lang_opts lang;
    const struct skep_plan *plan = NULL;
    struct skep_answer a = {0};
    struct skep_lang_issue issue;
    skep_err err;

    int64_t begin = os->mono_ns(os);
    if (!skep_api__page_lang(job, &lang))
        return;
    if (skep_lang_rows(job->req->body, &lang, &job->arena, &plan, &issue) != SKEP_OK) {
        skep_api__job_fail_issue(job, &issue);
        return;
    }
    skep_rc rc = skep_query_run(job->api->cfg.store, plan, &job->opts, &a, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    write_rows(job, plan, &a, os->mono_ns(os) - begin);
    skep_api__out_end(&job->out);
}

static void field(struct skep_json *json, skep_str name, enum skep_scope scope, const skep_value *v)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), name);
    skep_json_put_str(json, SKEP_STR("type"), skep_type_name(v->type));
    skep_json_put_str(json, SKEP_STR("scope"), skep_scope_name(scope));
    skep_json_key(json, SKEP_STR("value"));
    skep_api__value(json, v);
    skep_json_end(json);
}

/* All scopes, shadowed fields too; computed names are intrinsic. */
static void fields(struct skep_json *json, struct skep_arena *arena, const struct skep_row *row)
{
    size_t n;
    const struct skep_view *views = skep_view_all(&n);
    skep_json_key(json, SKEP_STR("fields"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++) {
        skep_value v = skep_api__view(arena, row, &views[i]);
        if (v.type != SKEP_TYPE_NULL)
            field(json, views[i].name, SKEP_SCOPE_INTRINSIC, &v);
    }
    for (unsigned i = 0; i < row->n_fields; i++)
        if (row->fields[i].value.type != SKEP_TYPE_NULL)
            field(json, row->fields[i].name, row->fields[i].scope, &row->fields[i].value);
    skep_json_end(json);
}

static void write_row(struct skep_api__job *job, const struct skep_row *row)
{
    struct skep_json *json = &job->out.json;
    static const skep_trace_id none;
    char span[16];
    skep_json_object(json);
    skep_api__put_row_id(json, SKEP_STR("id"), row->id);
    skep_json_put_i64_str(json, SKEP_STR("time_ns"), row->time_ns);
    skep_json_put_str(json, SKEP_STR("kind"), skep_kind_name(row->kind));
    skep_json_put_str(json, SKEP_STR("dataset"), row->dataset);
    if (memcmp(&row->trace_id, &none, sizeof none) != 0) {
        skep_api__put_trace_id(json, SKEP_STR("trace_id"), &row->trace_id);
    } else {
        skep_json_key(json, SKEP_STR("trace_id"));
        skep_json_null(json);
    }
    skep_json_key(json, SKEP_STR("span_id"));
    /* Events, links and logs: the span they belong to. */
    uint64_t id = row->kind == SKEP_KIND_SPAN ? row->span_id : row->parent_id;
    if (id)
        skep_json_str(json, skep_api__span_id(span, id));
    else
        skep_json_null(json);
    fields(json, &job->arena, row);
    skep_json_end(json);
}

static void row(struct skep_api__job *job)
{
    struct skep_plan plan = {.kind = SKEP_PLAN_ROW, .range = {0, INT64_MAX}, .limit = 1};
    struct skep_answer a = {0};
    skep_err err;
    skep_rc rc = SKEP_ENOTFOUND;
    if (skep_lang_row_id(skep_request_capture(job->req, 0), &plan.row_id))
        rc = skep_query_run(job->api->cfg.store, &plan, &job->opts, &a, &err);
    if (rc == SKEP_OK && a.rows.n == 0)
        rc = SKEP_ENOTFOUND;
    if (rc == SKEP_ENOTFOUND)
        (void)skep_fail(&err, rc, "no such row (it may have expired)");
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    write_row(job, &a.rows.rows[0]);
    skep_api__out_end(&job->out);
}

static void handle_rows(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, rows);
}

static void handle_row(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, row);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/rows",
     .handle = handle_rows,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "GET",
     .path = "/skep/v1/row/:id",
     .handle = handle_row,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_rows = {routes, SKEP_ARRAY_LEN(routes)};
