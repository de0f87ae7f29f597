// SPDX-License-Identifier: Apache-2.0
/* POST /1/query_results/{dataset}: run a stored query; GET .../{id}: poll it.
 *
 *   POST -> 201 + Location at once; the same worker then runs the question and stores its answer,
 *           which gets a place in the history, too (page_runs.c)
 *   GET  -> {"complete":false} ... {"complete":true,"data":{...}}
 *
 * Results live in the state database, so a link works after a restart.  A result whose question
 * failed answers GET with the error. Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_priv.h"

#include <yyjson.h>

#include "base/assert.h"
#include "base/log.h"

/* A stored answer may be this large; larger ones fail with a text that says so. */
static const size_t data_limit_bytes = 32 << 20;

struct request {
    skep_str query_id, owner, actor;
    struct skep_api__result_opts show;
    bool disable_series;
    unsigned limit;
};

static bool flag(yyjson_val *root, const char *key, bool absent)
{
    yyjson_val *v = yyjson_obj_get(root, key);
    return yyjson_is_bool(v) ? yyjson_get_bool(v) : absent;
}

/* The POST's body, also as stored; false when it is not JSON or names no query. */
static bool read_request(struct skep_arena *arena, skep_bytes body, struct request *ret)
{
    yyjson_doc *doc = yyjson_read((const char *)body.p, body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *id = yyjson_obj_get(root, "query_id");
    yyjson_val *limit = yyjson_obj_get(root, "limit");
    bool ok = yyjson_is_str(id);
    *ret = (struct request){
        .query_id = ok ? skep_arena_str(arena, (skep_str){yyjson_get_str(id), yyjson_get_len(id)})
                       : SKEP_STR_NULL,
        .disable_series = flag(root, "disable_series", false),
        .show = {.series = !flag(root, "disable_series", false),
                 .totals = !flag(root, "disable_total_by_aggregate", true),
                 .others = !flag(root, "disable_other_by_aggregate", true)},
        .limit = yyjson_is_uint(limit) ? (unsigned)SKEP_MIN(yyjson_get_uint(limit),
                                                            (uint64_t)SKEP_LIMIT_PLAN_RESULT_GROUPS)
                                       : 0,
    };
    yyjson_doc_free(doc);
    return ok;
}

static void query_member(struct skep_api__job *job, const struct skep_state_query *q)
{
    struct skep_json *json = &job->out.json;
    skep_json_key(json, SKEP_STR("query"));
    skep_json_raw(json, skep_arena_printf(&job->arena, "{\"id\":\"%s\"%s" SKEP_STRFMT, q->id.text,
                                          q->spec.n > 2 ? "," : "",
                                          SKEP_STRARG(skep_str_skip(q->spec, 1))));
}

static void links(struct skep_api__job *job, const struct skep_state_query *q, skep_ts_ns asked_ns)
{
    struct skep_json *json = &job->out.json;
    skep_json_key(json, SKEP_STR("links"));
    skep_json_object(json);
    skep_str path = skep_api__hny_page_path(&job->arena, q->dataset, q->spec, asked_ns);
    skep_json_put_str(json, SKEP_STR("query_url"), skep_api__hny_page_url(job, path));
    skep_json_end(json);
}

/* asked_ns: when the result was asked for; relative times count from there. */
static void answer(struct skep_api__job *job, int status, const skep_state_id *id,
                   const struct skep_state_query *q, skep_ts_ns asked_ns, skep_str data)
{
    struct skep_json *json = &job->out.json;
    skep_api__hny_begin(job, status);
    if (status == 201)
        skep_api__out_header(&job->out, SKEP_STR("Location"),
                             skep_arena_printf(&job->arena, "/1/query_results/" SKEP_STRFMT "/%s",
                                               SKEP_STRARG(q->dataset), id->text));
    skep_json_object(json);
    query_member(job, q);
    skep_json_put_str(json, SKEP_STR("id"), skep_state_id_str(id));
    skep_json_put_bool(json, SKEP_STR("complete"), data.n > 0);
    if (data.n) {
        skep_json_key(json, SKEP_STR("data"));
        skep_json_raw(json, data);
    }
    links(job, q, asked_ns);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

/* --- running --- */

static bool stopping(void *ctx)
{
    return skep_api__stopped(ctx);
}

/* The question as the page has them: with its dataset. */
static skep_str question_of(struct skep_api__job *job, const struct skep_plan *plan, skep_str spec)
{
    struct skep_buf buf;
    struct skep_json json;
    if (plan->dataset.n == 0)
        return spec;
    skep_buf_init(&buf, SKEP_LIMIT_API_BODY_BYTES + (64 << 10));
    skep_json_init(&json, &buf);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("dataset"), plan->dataset);
    if (spec.n > 2)
        skep_buf_u8(&buf, ',');
    skep_buf_str(&buf, skep_str_skip(spec, 1));
    skep_str text = buf.bad ? spec : skep_arena_str(&job->arena, skep_buf_text(&buf));
    skep_buf_done(&buf);
    return text;
}

/* The dataset's real name behind its slug: the URL's text matches names case-folded already;
 * another spelling was resolved when the query was stored. */
static skep_rc run_query(struct skep_api__job *job, const struct skep_state_query *q,
                         skep_str dataset, const struct request *want, skep_str *ret, skep_err *err)
{
    struct skep_lang_opts lang = {.now_ns = skep_api__now(job->api),
                                  .dataset = dataset,
                                  .heat_scale = SKEP_HEAT_LINEAR,
                                  .disable_series = want->disable_series,
                                  .limit = want->limit};
    const struct skep_plan *plan = NULL;
    struct skep_result *result = NULL;
    struct skep_lang_issue issue;
    struct skep_json json;
    SKEP_TRY(skep_api__derived(job->api, &job->opts, &lang, err));
    if (skep_lang_honeycomb(skep_str_bytes(q->spec), &lang, &job->arena, &plan, &issue) != SKEP_OK)
        return skep_fail(err, SKEP_EINVAL, "%s: %s", issue.field, issue.text);
    job->opts.canceled = stopping;
    SKEP_TRY(skep_query_aggregate(job->api->cfg.store, plan, &job->opts, &result, err));
    skep_state_id run;
    (void)skep_api__keep_run(/* the history may go without it */
                             job,
                             &(struct skep_api__kept_run){.plan = plan,
                                                          .result = result,
                                                          .write = skep_api__page_members,
                                                          .owner = want->owner,
                                                          .actor = want->actor,
                                                          .question =
                                                              question_of(job, plan, q->spec)},
                             &run);
    struct skep_buf buf;
    skep_buf_init(&buf, data_limit_bytes);
    skep_json_init(&json, &buf);
    skep_api__hny_data(&json, result, &want->show);
    if (!buf.bad)
        *ret = skep_arena_str(&job->arena, skep_buf_text(&buf));
    bool too_large = buf.bad;
    skep_buf_done(&buf);
    if (too_large)
        return skep_fail(err, SKEP_ETOOLARGE,
                         "the result is larger than %zu MB: lower the limit or disable_series",
                         data_limit_bytes >> 20);
    return SKEP_OK;
}

static void finish(struct skep_api__job *job, const skep_state_id *id, skep_rc rc, skep_str data,
                   const skep_err *failure)
{
    skep_err err;
    skep_rc stored =
        skep_state_finish_result(job->api->cfg.state, skep_state_id_str(id),
                                 rc == SKEP_OK ? SKEP_RESULT_DONE : SKEP_RESULT_FAILED,
                                 rc == SKEP_OK ? data : skep_str_c(failure->text), &err);
    if (stored != SKEP_OK) /* the client has its 201 and will poll: someone must hear of it */
        skep_log(ERROR, "query result not stored", SKEP_K_RC(stored),
                 SKEP_K_CSTR("error", err.text));
}

static void create(struct skep_api__job *job)
{
    struct skep_api__dataset d;
    struct skep_state_query q;
    struct request want;
    skep_state_id id;
    skep_str data = SKEP_STR_NULL;
    skep_err err;
    if (!read_request(&job->arena, job->req->body, &want)) {
        skep_api__hny_fail(job, SKEP_PROBLEM_VALIDATION, SKEP_STR("query_id"), SKEP_LANG_MISSING,
                           SKEP_STR("send a JSON object with the query_id of a stored query"));
        return;
    }
    if (!skep_api__hny_dataset(job, true, &d))
        return;
    struct skep_state *state = job->api->cfg.state;
    skep_str options = skep_arena_str(&job->arena, skep_bytes_str(job->req->body));
    skep_str name = skep_arena_str(&job->arena, d.name);
    skep_api__asker(job, &want.owner, &want.actor);
    skep_rc rc =
        skep_state_get_query(state, job->opts.environment, want.query_id, &job->arena, &q, &err);
    if (rc == SKEP_OK)
        rc = skep_state_new_result(state, want.query_id, options, &id, &err);
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(job, rc, &err);
        return;
    }
    answer(job, 201, &id, &q, skep_api__now(job->api), SKEP_STR_NULL);
    rc = run_query(job, &q, name, &want, &data, &err);
    finish(job, &id, rc, data, &err);
}

static void get(struct skep_api__job *job)
{
    struct skep_state_result r;
    struct skep_state_query q;
    skep_err err;
    struct skep_state *state = job->api->cfg.state;
    skep_rc rc =
        skep_state_get_result(state, skep_request_capture(job->req, 1), &job->arena, &r, &err);
    if (rc == SKEP_OK)
        rc = skep_state_get_query(state, job->opts.environment, skep_state_id_str(&r.query_id),
                                  &job->arena, &q, &err);
    if (rc != SKEP_OK)
        skep_api__hny_fail_rc(job, rc, &err);
    else if (r.status == SKEP_RESULT_FAILED)
        skep_api__hny_fail(job, SKEP_PROBLEM_INTERNAL, SKEP_STR_NULL, SKEP_LANG_INVALID, r.data);
    else
        answer(job, 200, &r.id, &q, r.created_ns,
               r.status == SKEP_RESULT_DONE ? r.data : SKEP_STR_NULL);
}

static void handle_create(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, create);
}

static void handle_get(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, get);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/1/query_results/:dataset",
     .handle = handle_create,
     .refuse = skep_api__hny_refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_HONEYCOMB},
    {.method = "GET",
     .path = "/1/query_results/:dataset/:id",
     .handle = handle_get,
     .refuse = skep_api__hny_refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_HONEYCOMB},
};

const struct skep_api__routes skep_api__honeycomb_results = {routes, SKEP_ARRAY_LEN(routes)};
