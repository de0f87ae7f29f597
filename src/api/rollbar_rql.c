// SPDX-License-Identifier: Apache-2.0
/* Rollbar's calls for RQL (docs/api/rollbar.md):
 *
 *   POST /api/1/rql/jobs             a new job: answered at once, then run by the same worker
 *   GET  /api/1/rql/jobs             the newest first
 *   GET  /api/1/rql/job/:id          one; ?expand=result with its answer
 *   GET  /api/1/rql/job/:id/result   its answer
 *   POST /api/1/rql/job/:id/cancel
 *
 * Threads: workers.  Memory: the job's arena. */
#include "api/rollbar_priv.h"

#include "api/rollbar_rql_rows.h"
#include "base/assert.h"
#include "lang/rql.h"
#include "state/rql.h"

static const char *const statuses[] = {[SKEP_RQL_RUNNING] = "running",
                                       [SKEP_RQL_SUCCESS] = "success",
                                       [SKEP_RQL_FAILED] = "failed",
                                       [SKEP_RQL_CANCELLED] = "cancelled"};

static void put_members(struct skep_json *j, const struct skep_rql_job *r)
{
    skep_json_put_i64(j, SKEP_STR("id"), r->id);
    skep_json_put_str(j, SKEP_STR("query_string"), r->query);
    skep_json_put_str(j, SKEP_STR("status"), skep_str_c(statuses[r->status]));
    skep_api__rb_put_s(j, SKEP_STR("date_created"), r->created_ns);
    skep_api__rb_put_s(j, SKEP_STR("date_modified"), r->modified_ns);
}

static void put_job(struct skep_json *j, const struct skep_rql_job *r)
{
    skep_json_object(j);
    put_members(j, r);
    skep_json_end(j);
}

// --- the answer --------------------------------------------------------------------------------

static void put_value(struct skep_json *j, const skep_value *v)
{
    if (v->type == SKEP_TYPE_ARRAY)
        skep_json_str(j, v->s);
    else
        skep_api__value(j, v);
}

/* {"rows":[[...]],"columns":[...],...}; columns and selectionColumns are the same list. */
static void write_result(struct skep_json *j, const struct skep_rql *q,
                         const struct skep_pipe_result *r, int64_t elapsed_ns)
{
    static const skep_str lists[] = {SKEP_STR_INIT("columns"), SKEP_STR_INIT("selectionColumns")};
    const struct skep_pipe *p = q->pipe;
    size_t first = SKEP_MIN((size_t)q->offset, r->n_rows);
    skep_json_object(j);
    for (size_t l = 0; l < SKEP_ARRAY_LEN(lists); l++) {
        skep_json_key(j, lists[l]);
        skep_json_array(j);
        for (unsigned o = 0; o < p->n_outs; o++)
            skep_json_str(j, p->outs[o].name);
        skep_json_end(j);
    }
    skep_json_key(j, SKEP_STR("rows"));
    skep_json_array(j);
    for (size_t i = first; i < r->n_rows; i++) {
        skep_json_array(j);
        for (unsigned o = 0; o < p->n_outs; o++)
            put_value(j, &r->values[i * p->n_outs + o]);
        skep_json_end(j);
    }
    skep_json_end(j);
    skep_json_put_u64(j, SKEP_STR("rowcount"), r->n_rows - first);
    skep_json_key(j, SKEP_STR("errors"));
    skep_json_array(j);
    skep_json_end(j);
    skep_json_key(j, SKEP_STR("warnings"));
    skep_json_array(j);
    if (!r->complete)
        skep_json_str(j, r->missing);
    skep_json_end(j);
    skep_json_put_f64(j, SKEP_STR("executionTime"), (double)elapsed_ns / 1e9);
    skep_json_end(j);
}

// --- running -----------------------------------------------------------------------------------

struct running {
    struct skep_api__job *job;
    skep_str environment;
    int64_t id, looked_ns;
    bool cancelled;
};

/* Looked up four times a second. */
static bool stopped(void *ctx)
{
    enum { LOOK_MS = 250 };
    struct running *r = ctx;
    const struct skep_os *os = r->job->api->cfg.os;
    int64_t now = os->mono_ns(os);
    if (!r->cancelled && now - r->looked_ns > LOOK_MS * 1000000ll) {
        struct skep_rql_job seen;
        struct skep_arena arena;
        r->looked_ns = now;
        skep_arena_init(&arena, "rql", NULL);
        r->cancelled = skep_state_rql_get(r->job->api->cfg.state, r->environment, r->id, &arena,
                                          &seen, NULL) != SKEP_OK ||
                       seen.status != SKEP_RQL_RUNNING;
        skep_arena_done(&arena);
    }
    return r->cancelled || skep_api__stopped(r->job);
}

static void progress(void *ctx, uint64_t scanned, uint64_t total)
{
    skep_api__progress(((struct running *)ctx)->job, scanned, total);
}

static void end(struct running *r, enum skep_rql_status status, skep_str result)
{
    struct skep_api__job *job = r->job;
    skep_err err = {.text = ""};
    job->failed = status != SKEP_RQL_SUCCESS;
    if (skep_state_rql_end(job->api->cfg.state, r->environment, r->id, status, result,
                           skep_api__now(job->api), &err) != SKEP_OK)
        job->failed = true; /* it stays "running" until the next start ends it */
}

/* The request has been answered: only what stands in the arena is there. */
static void run_query(struct running *r, const struct skep_rql *q)
{
    const struct skep_os *os = r->job->api->cfg.os;
    struct skep_pipe_result result;
    struct skep_buf out;
    struct skep_json j;
    skep_err err = {.text = ""};
    int64_t begin = os->mono_ns(os);
    r->job->opts.also = NULL; /* every report, but those that another one stands for */
    r->job->opts.canceled = stopped;
    r->job->opts.progress = progress;
    r->job->opts.ctx = r;
    skep_rc rc = skep_pipe_run(r->job->api->cfg.store, q->pipe, &r->job->opts, &result, &err);
    if (rc != SKEP_OK) {
        end(r, rc == SKEP_ECANCELED && r->cancelled ? SKEP_RQL_CANCELLED : SKEP_RQL_FAILED,
            skep_str_c(err.text[0] ? err.text : skep_rc_info(rc)->text));
        return;
    }
    skep_buf_init(&out, SKEP_RQL_RESULT_MAX);
    skep_json_init(&j, &out);
    write_result(&j, q, &result, os->mono_ns(os) - begin);
    if (out.bad)
        end(r, SKEP_RQL_FAILED, SKEP_STR("the answer has more than 2 MiB: select less"));
    else
        end(r, SKEP_RQL_SUCCESS, skep_buf_text(&out));
    skep_buf_done(&out);
}

/* The query of the body, in the arena; false: refused. */
static bool read_query(struct skep_api__job *job, skep_str *ret, struct skep_rql *ret_rql)
{
    struct skep_api__rb_form f;
    struct skep_lang_issue issue;
    struct skep_rql_opts opts;
    skep_err err = {.text = ""};
    skep_str query = SKEP_STR("");
    if (!skep_api__rb_form(job, &f))
        return false;
    bool ok = skep_api__rb_member(job, &f, "query_string", SKEP_LIMIT_RQL_BYTES, &query);
    *ret = skep_arena_str(&job->arena, query);
    skep_api__rb_form_done(&f);
    if (!ok)
        return false;
    if (skep_str_trim(query).n == 0)
        return skep_api__rb_invalid(job, SKEP_STR("query_string is needed"));
    skep_api__items_wait(job);
    skep_rc rc = skep_api__rql_begin(job, skep_new(&job->arena, struct skep_api__rql), &opts, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return false;
    }
    if (skep_lang_rql(*ret, &opts, &job->arena, ret_rql, &issue) == SKEP_OK)
        return true;
    return skep_api__rb_invalid(
        job, skep_arena_printf(&job->arena, "query_string, byte %zu: %s", issue.at, issue.text));
}

static void create(struct skep_api__job *job)
{
    struct skep_rql q;
    struct running r = {.job = job, .environment = job->opts.environment};
    struct skep_rql_job made = {.status = SKEP_RQL_RUNNING, .created_ns = skep_api__now(job->api)};
    skep_err err = {.text = ""};
    if (!read_query(job, &made.query, &q))
        return;
    made.modified_ns = made.created_ns;
    skep_rc rc = skep_state_rql_begin(job->api->cfg.state, r.environment, made.query,
                                      made.created_ns, &made.id, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    r.id = made.id;
    skep_api__rb_begin(job, 200);
    put_job(&job->out.json, &made);
    skep_api__rb_end(job);
    run_query(&r, &q);
}

// --- reading -----------------------------------------------------------------------------------

static bool get(struct skep_api__job *job, struct skep_rql_job *ret)
{
    int64_t id;
    skep_err err = {.text = ""};
    if (!skep_api__rb_id(job, SKEP_STR("job"), &id))
        return false;
    skep_rc rc =
        skep_state_rql_get(job->api->cfg.state, job->opts.environment, id, &job->arena, ret, &err);
    if (rc != SKEP_OK)
        skep_api__rb_fail_rc(job, rc, &err);
    return rc == SKEP_OK;
}

static void put_result(struct skep_json *j, const struct skep_rql_job *r)
{
    skep_json_key(j, SKEP_STR("result"));
    if (r->status == SKEP_RQL_SUCCESS) {
        skep_json_raw(j, r->result);
        return;
    }
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("rows"));
    skep_json_array(j);
    skep_json_end(j);
    skep_json_key(j, SKEP_STR("errors"));
    skep_json_array(j);
    if (r->result.n)
        skep_json_str(j, r->result);
    skep_json_end(j);
    skep_json_end(j);
}

static void one(struct skep_api__job *job)
{
    struct skep_rql_job r;
    struct skep_json *j = &job->out.json;
    if (!get(job, &r))
        return;
    skep_api__rb_begin(job, 200);
    skep_json_object(j);
    put_members(j, &r);
    if (skep_str_eq(skep_api__param(job->req, SKEP_STR("expand")), SKEP_STR("result")))
        put_result(j, &r);
    skep_json_end(j);
    skep_api__rb_end(job);
}

static void result(struct skep_api__job *job)
{
    struct skep_rql_job r;
    struct skep_json *j = &job->out.json;
    if (!get(job, &r))
        return;
    skep_api__rb_begin(job, 200);
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("job_id"), r.id);
    skep_json_put_str(j, SKEP_STR("status"), skep_str_c(statuses[r.status]));
    put_result(j, &r);
    skep_json_end(j);
    skep_api__rb_end(job);
}

static void list(struct skep_api__job *job)
{
    struct skep_rql_job *jobs = NULL;
    struct skep_json *j = &job->out.json;
    size_t n = 0;
    skep_err err = {.text = ""};
    skep_rc rc = skep_state_rql_list(job->api->cfg.state, job->opts.environment, &job->arena, &jobs,
                                     &n, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__rb_begin(job, 200);
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("jobs"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        put_job(j, &jobs[i]);
        skep_api__out_check(&job->out);
    }
    skep_json_end(j);
    skep_json_end(j);
    skep_api__rb_end(job);
}

static void cancel(struct skep_api__job *job)
{
    struct skep_rql_job r;
    skep_err err = {.text = ""};
    if (!get(job, &r))
        return;
    skep_rc rc =
        skep_state_rql_end(job->api->cfg.state, job->opts.environment, r.id, SKEP_RQL_CANCELLED,
                           SKEP_STR("cancelled"), skep_api__now(job->api), &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    one(job);
}

#define ASK(where, job)                                                                            \
    {                                                                                              \
        SKEP_API__RB_ROUTE("POST", where, job, skep_api__rb_refuse_read, SKEP_RIGHT_QUERY),        \
            .body_limit_bytes = 1 << 16                                                            \
    }

static const struct skep_route routes[] = {
    ASK("/api/1/rql/jobs", create),
    SKEP_API__RB_READ("/api/1/rql/jobs", list),
    SKEP_API__RB_READ("/api/1/rql/job/:id", one),
    SKEP_API__RB_READ("/api/1/rql/job/:id/result", result),
    ASK("/api/1/rql/job/:id/cancel", cancel),
};

const struct skep_api__routes skep_api__rollbar_rql = {routes, SKEP_ARRAY_LEN(routes)};
