// SPDX-License-Identifier: Apache-2.0
/* From the I/O thread to a worker and back.
 *
 *   I/O thread: handler -> job -> queue        worker: arena, budget -> work() -> answer -> free
 *
 * I1  a request is answered exactly once: by a fail, or by begin ... end of its `out`
 * I2  at most SKEP_LIMIT_API_PENDING jobs exist; more are refused with 503
 * I3  what a question makes is taken from its own budget, a child of cfg.queries
 *
 * Threads: handlers on I/O threads, work on the api's pool.  Memory: each job's arena. */
#include "api/alerts.h"
#include "api/api_priv.h"
#include "api/honeycomb_objects.h"
#include "api/keys.h"
#include "api/logs_exports.h"
#include "api/logs_filters.h"
#include "api/logs_queries.h"
#include "api/logs_retention.h"
#include "api/xray_sampler.h"

#include "base/assert.h"
#include "base/mem.h"

static const skep_str json_type = {"application/json", 16};
/* Answers are collected up to this size before they are streamed. */
static const size_t flush_bytes = 256 << 10;
/* One item (a row with its values, escaped) must fit. */
static const size_t out_limit_bytes = 64 << 20;

struct skep_api *skep_api_new(const struct skep_api_config *cfg)
{
    skep_assert(cfg->os && cfg->store && cfg->state && cfg->auth && cfg->key_file);
    skep_assert(cfg->memory && cfg->queries && cfg->ingest);
    struct skep_api *api = skep_alloc(struct skep_api);
    api->cfg = *cfg;
    skep_mutex_init(&api->running_mu, "running questions");
    skep_arena_init(&api->routes, "routes", NULL);
    unsigned n = cfg->n_workers ? cfg->n_workers : SKEP_MAX(skep_n_cores(), 4u);
    api->sampler = skep_xray_sampler_new();
    api->pool = skep_pool_new("api", n);
    if (cfg->oidc)
        api->login_pool = skep_pool_new("login", 4);
    api->started_mono_ns = cfg->os->mono_ns(cfg->os);
    api->exports = skep_logs_exports_new(api);
    api->retention = skep_logs_retention_new(api);
    api->subscriptions = skep_logs_subscriptions_new(api);
    api->logs_queries = skep_logs_queries_new(cfg->queries);
    api->watch = skep_api__alerts_new(api);
    skep_watch_start(api->watch);
    skep_auth_hear(cfg->auth, skep_api__environments_changed, api);
    return api;
}

/* One a line, so that two who add one do not meet. */
static const struct skep_api__routes *const all[] = {
    // clang-format off
    &skep_api__page_status,
    &skep_api__page_document,
    &skep_api__page_names,
    &skep_api__page_query,
    &skep_api__page_facets,
    &skep_api__page_functions,
    &skep_api__page_graph,
    &skep_api__page_rows,
    &skep_api__page_traces,
    &skep_api__page_tail,
    &skep_api__page_export,
    &skep_api__page_delete,
    &skep_api__page_assets,
    &skep_api__honeycomb_auth,
    &skep_api__honeycomb_datasets,
    &skep_api__honeycomb_columns,
    &skep_api__honeycomb_definitions,
    &skep_api__honeycomb_maps,
    &skep_api__honeycomb_reporting,
    &skep_api__page_alerts,
    &skep_api__page_runs,
    &skep_api__page_tries,
    &skep_api__mcp,
    &skep_api__honeycomb_queries,
    &skep_api__honeycomb_results,
    &skep_api__page_ledger,
    &skep_api__page_running,
    &skep_api__metrics,
    &skep_api__xray_operations,
    &skep_api__page_keys,
    &skep_api__honeycomb_v2,
    &skep_api__honeycomb_environments,
    &skep_api__honeycomb_keys,
    &skep_api__page_login,
    &skep_api__page_users,
    &skep_api__page_audit,
    &skep_api__page_xray,
    &skep_api__page_sampling,
    &skep_api__page_patterns,
    &skep_api__page_items,
    &skep_api__page_items_change,
    &skep_api__page_stack,
    &skep_api__page_symbols,
    &skep_api__page_item_rules,
    &skep_api__page_deploys,
    &skep_api__page_grouping,
    &skep_api__page_grouping_preview,
    &skep_api__page_oidc,
    &skep_api__logs_operations,
    &skep_api__page_logs,
    &skep_api__aws_root,
    &skep_api__page_logs_metric,
    &skep_api__page_insights,
    &skep_api__page_notify,
    &skep_api__rollbar_items,
    &skep_api__rollbar_instances,
    &skep_api__rollbar_deploys,
    &skep_api__rollbar_reports,
    &skep_api__rollbar_versions,
    &skep_api__rollbar_sourcemaps,
    &skep_api__rollbar_rql,
    &skep_api__rollbar_projects,
    &skep_api__rollbar_rules,
    // clang-format on
};

skep_rc skep_api_routes(struct skep_api *api, struct skep_net *net, skep_err *err)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        SKEP_TRY(skep_net_routes(net, all[i]->routes, all[i]->n, api, err));
    return skep_api__hny_register(api, net, err);
}

void skep_api_begin_stop(struct skep_api *api)
{
    atomic_store(&api->stopping, true);
}

void skep_api_free(struct skep_api *api)
{
    if (!api)
        return;
    skep_auth_hear(api->cfg.auth, NULL, NULL);
    skep_api_begin_stop(api);
    skep_logs_retention_free(api->retention);
    skep_logs_subscriptions_free(api->subscriptions);
    skep_watch_stop(api->watch);
    skep_api__tails_wait(api);
    if (api->login_pool)
        skep_pool_free(api->login_pool);
    skep_pool_free(api->pool);   /* waits for the queued jobs, which see `stopping` */
    skep_api__tails_wait(api);   /* those that the last jobs began */
    skep_watch_free(api->watch); /* jobs may have asked it until now */
    skep_logs_exports_free(api->exports);
    skep_assert(atomic_load(&api->pending) == 0 && api->running == NULL);
    skep_logs_queries_free(api->logs_queries);
    skep_api__sampling_keep(api);
    skep_xray_sampler_free(api->sampler);
    skep_arena_done(&api->routes);
    skep_mutex_done(&api->running_mu);
    skep_free(api);
}

int64_t skep_api__now(const struct skep_api *api)
{
    return api->cfg.os->now_ns(api->cfg.os);
}

bool skep_api__stopped(struct skep_api__job *job)
{
    bool stop = atomic_load_explicit(&job->api->stopping, memory_order_relaxed) ||
                atomic_load_explicit(&job->running.cancel, memory_order_relaxed) ||
                !skep_auth_holds(job->api->cfg.auth, &job->hold);
    if (stop)
        atomic_store_explicit(&job->running.stopped, true, memory_order_relaxed);
    return stop;
}

bool skep_api__canceled(struct skep_api__job *job)
{
    if (skep_api__stopped(job))
        return true;
    bool gone = skep_api__out_gone(&job->out);
    if (gone)
        atomic_store_explicit(&job->running.stopped, true, memory_order_relaxed);
    return gone;
}

static bool canceled(void *ctx)
{
    return skep_api__canceled(ctx);
}

static void run_job(void *arg)
{
    struct skep_api__job *job = arg;
    struct skep_api *api = job->api;
    /* Not all that questions may take: one greedy question leaves room for the others. */
    skep_budget_init(&job->budget, "query", api->cfg.queries->limit_bytes / 8 * 7,
                     api->cfg.queries);
    skep_arena_init(&job->arena, "request", &job->budget);
    job->opts = (struct skep_run_opts){
        .budget = &job->budget, .canceled = canceled, .ctx = job, .arena = &job->arena};
    job->opts.progress = skep_api__progress;
    /* Copied: some answer first and work on.  No endpoint can forget it, because none sets it. */
    job->opts.environment = skep_arena_str(&job->arena, job->req->caller.environment);
    skep_str tracers = skep_api__param(job->req, SKEP_STR("tracers"));
    if (!skep_str_eq(tracers, SKEP_STR("all")))
        job->opts.also = &job->also;
    atomic_store(&job->running.begun, true);
    uint64_t request = job->req->watched; /* the request is gone when it is answered */
    if (request)
        job->running.watched = api->cfg.watch.begun(api->cfg.watch.ctx, request);
    job->work(job);
    skep_assert(job->out.req == NULL && job->out.stream == NULL); /* I1 */
    skep_api__running_leave(job);
    skep_arena_done(&job->arena);
    skep_free(job);
    atomic_fetch_sub(&api->pending, 1);
}

bool skep_api__run_on(struct skep_api *api, struct skep_pool *pool, struct skep_request *req,
                      skep_api__work_fn *work)
{
    bool full = atomic_fetch_add(&api->pending, 1) >= SKEP_LIMIT_API_PENDING;
    if (full || atomic_load(&api->stopping)) { /* I2 */
        atomic_fetch_sub(&api->pending, 1);
        atomic_fetch_add(&api->outcomes[SKEP_API__REFUSED], 1);
        skep_str text = full ? SKEP_STR("too many questions at once: try again")
                             : SKEP_STR("the server is stopping");
        if (req->route->refuse) /* in the words of the route's API */
            req->route->refuse(api, req, 503, SKEP_EAGAIN, text);
        else
            skep_api__fail(req, &(struct skep_api__error){.status = 503, .text = text});
        return false;
    }
    struct skep_api__job *job = skep_alloc(struct skep_api__job);
    job->api = api;
    job->req = req;
    job->work = work;
    job->out.req = req;
    skep_auth_hold(api->cfg.auth, &req->caller, &job->hold);
    skep_api__running_enter(job);
    skep_pool_submit(pool, run_job, job);
    return true;
}

void skep_api__run(struct skep_api *api, struct skep_request *req, skep_api__work_fn *work)
{
    (void)skep_api__run_on(api, api->pool, req, work); /* refused is answered, too */
}

void skep_api__put_also(struct skep_api__job *job, struct skep_json *json)
{
    if (job->also.n == 0)
        return;
    skep_json_key(json, SKEP_STR("also_xray"));
    skep_json_array(json);
    for (size_t i = 0; i < job->also.n; i++)
        skep_json_str(json, job->also.services[i]);
    skep_json_end(json);
}

void skep_api__out_header(struct skep_api__out *out, skep_str name, skep_str value)
{
    skep_assert(out->resp.n_headers < SKEP_RESPONSE_HEADERS_MAX);
    out->resp.headers[out->resp.n_headers++] = (struct skep_header){name, value};
}

void skep_api__out_begin(struct skep_api__job *job, int status, skep_str content_type)
{
    struct skep_api__out *out = &job->out;
    skep_assert(out->req != NULL && out->stream == NULL);
    out->resp = (struct skep_response){
        .status = status, .content_type = content_type, .compressible = true};
    skep_api__out_header(out, SKEP_STR("Cache-Control"), SKEP_STR("no-store"));
    skep_api__out_header(out, SKEP_STR("X-Content-Type-Options"), SKEP_STR("nosniff"));
    skep_buf_init(&out->buf, out_limit_bytes);
    skep_json_init(&out->json, &out->buf);
}

void skep_api__json_begin(struct skep_api__job *job, int status)
{
    skep_api__out_begin(job, status, json_type);
}

/* An item larger than any answer may be: an error while one can still be sent, else the answer is
 * cut short, which its reader notices. */
static bool too_large(struct skep_api__out *out)
{
    if (!out->buf.bad)
        return false;
    if (out->req)
        skep_api__fail(out->req, &(struct skep_api__error){
                                     .status = 500, .text = SKEP_STR("the answer is too large")});
    out->req = NULL;
    out->gone = true;
    return true;
}

static struct skep_api__job *job_of(struct skep_api__out *out)
{
    return (struct skep_api__job *)(void *)((char *)out - offsetof(struct skep_api__job, out));
}

static bool stopped(void *ctx)
{
    return skep_api__stopped(ctx);
}

void skep_api__out_flush(struct skep_api__out *out)
{
    if (out->gone && !out->stream)
        return;
    skep_assert(out->req != NULL || out->stream != NULL);
    if (too_large(out))
        return;
    if (!out->stream) {
        out->stream = skep_respond_stream(out->req, &out->resp);
        out->req = NULL;
        skep_stream_until(out->stream, stopped, job_of(out));
    }
    if (!out->gone && skep_stream_write(out->stream, skep_buf_bytes(&out->buf)) != SKEP_OK)
        out->gone = true;
    skep_buf_reset(&out->buf);
}

void skep_api__out_check(struct skep_api__out *out)
{
    if (!out->req && !out->stream)
        return; /* its client has gone, or it is a buffer that is kept */
    if (out->buf.n >= flush_bytes || out->buf.bad)
        skep_api__out_flush(out);
}

void skep_api__out_end(struct skep_api__out *out)
{
    if (out->stream) {
        skep_api__out_flush(out);
        skep_stream_end(out->stream);
    } else if (!out->gone && !too_large(out)) {
        skep_assert(out->req != NULL);
        skep_respond_buf(out->req, &out->resp, &out->buf);
    }
    skep_buf_done(&out->buf);
    out->req = NULL;
    out->stream = NULL;
}

bool skep_api__out_gone(const struct skep_api__out *out)
{
    if (out->stream)
        return out->gone || skep_stream_closed(out->stream);
    return out->req && skep_request_gone(out->req);
}

void skep_api__fail(struct skep_request *req, const struct skep_api__error *e)
{
    struct skep_buf buf;
    struct skep_json json;
    struct skep_response resp = {.status = e->status, .content_type = json_type};
    skep_assert(e->status >= 400);
    resp.headers[resp.n_headers++] =
        (struct skep_header){SKEP_STR("Cache-Control"), SKEP_STR("no-store")};
    resp.retry_after_s = e->status == 503 || e->status == 429 ? 1 : 0;
    if (e->retry_after_s)
        resp.retry_after_s = e->retry_after_s;
    skep_buf_init(&buf, 64 << 10);
    skep_json_init(&json, &buf);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("error"), e->text);
    if (e->field.n)
        skep_json_put_str(&json, SKEP_STR("field"), e->field);
    if (e->has_at)
        skep_json_put_u64(&json, SKEP_STR("at"), e->at);
    if (e->has_at && e->end)
        skep_json_put_u64(&json, SKEP_STR("end"), e->end);
    skep_json_end(&json);
    skep_respond_buf(req, &resp, &buf);
    skep_buf_done(&buf);
}

void skep_api__fail_rc(struct skep_request *req, skep_rc rc, const skep_err *err)
{
    const struct skep_rc_info *info = skep_rc_info(rc);
    skep_str text = skep_str_c(err ? err->text : info->text);
    skep_api__fail(req, &(struct skep_api__error){.status = info->http, .text = text});
}

void skep_api__fail_issue(struct skep_request *req, const struct skep_lang_issue *issue)
{
    skep_api__fail(req, &(struct skep_api__error){.status = skep_lang_http_status(issue),
                                                  .text = skep_str_c(issue->text),
                                                  .field = skep_str_c(issue->field),
                                                  .has_at = issue->has_at,
                                                  .end = issue->end,
                                                  .at = issue->at});
}

struct skep_request *skep_api__job_instead(struct skep_api__job *job)
{
    struct skep_request *req = job->out.req;
    skep_assert(req != NULL && job->out.stream == NULL);
    skep_buf_done(&job->out.buf);
    job->out.req = NULL;
    job->failed = true;
    return req;
}

void skep_api__job_fail(struct skep_api__job *job, const struct skep_api__error *e)
{
    skep_api__fail(skep_api__job_instead(job), e);
}

skep_rc skep_api__job_rc(struct skep_api__job *job, skep_rc rc)
{
    return rc == SKEP_ENOMEM && skep_budget_refused(&job->budget) ? SKEP_EBUDGET : rc;
}

void skep_api__job_fail_rc(struct skep_api__job *job, skep_rc rc, const skep_err *err)
{
    static const skep_err ended = {
        .text = "the API key was revoked or has expired, or the session has ended, meanwhile"};
    rc = skep_api__job_rc(job, rc);
    if (rc == SKEP_ECANCELED && !skep_auth_holds(job->api->cfg.auth, &job->hold)) {
        skep_api__fail_rc(skep_api__job_instead(job), SKEP_EUNAUTHENTICATED, &ended);
        return;
    }
    skep_api__fail_rc(skep_api__job_instead(job), rc, err);
}

void skep_api__job_fail_issue(struct skep_api__job *job, const struct skep_lang_issue *issue)
{
    skep_api__fail_issue(skep_api__job_instead(job), issue);
}

void skep_api__refuse(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                      skep_str message)
{
    (void)ctx;
    (void)rc;
    skep_api__fail(req, &(struct skep_api__error){.status = http_status, .text = message});
}

skep_str skep_api__param(struct skep_request *req, skep_str name)
{
    skep_str v;
    return skep_request_param(req, name, &v) ? v : SKEP_STR_NULL;
}

bool skep_api__scope(struct skep_api__job *job, struct skep_plan *plan)
{
    struct skep_request *req = job->req;
    struct skep_lang_issue issue;
    skep_rc rc = skep_lang_range(skep_api__param(req, SKEP_STR("start")),
                                 skep_api__param(req, SKEP_STR("end")), skep_api__now(job->api),
                                 &plan->range, &issue);
    if (rc != SKEP_OK) {
        skep_api__job_fail_issue(job, &issue);
        return false;
    }
    plan->dataset = skep_lang_dataset(skep_api__param(req, SKEP_STR("dataset")));
    return true;
}
