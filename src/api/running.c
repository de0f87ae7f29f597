// SPDX-License-Identifier: Apache-2.0
/* The questions at work: listed, counted, cancelled.
 *
 *   GET    /skep/v1/running               all that wait for a worker or run
 *   DELETE /skep/v1/running/:id           cancel one; also POST .../:id/cancel
 *
 * Every request that goes to the workers is entered when it comes and taken out when its answer has
 * been sent; what it scans and takes is read from its own counters.  The two endpoints are answered
 * on the I/O thread, so that they work when all workers are busy.
 *
 * I1  a job in the list is alive: it leaves the list, under the lock, before it is freed.
 * I2  cancelling is a flag; the engine looks at it about once a millisecond.
 *
 * Threads: any; api->running_mu, held for the copy of at most SKEP_LIMIT_API_PENDING lines.
 * Memory: fixed, in the job. */
#include "api/api_priv.h"

#include "base/assert.h"

/* What kind of question a path asks. */
static skep_str kind_of(skep_str path)
{
    static const struct {
        skep_str begin, kind;
    } kinds[] = {
        {SKEP_STR("/skep/v1/query"), SKEP_STR("query")},
        {SKEP_STR("/skep/v1/rows"), SKEP_STR("rows")},
        {SKEP_STR("/skep/v1/row/"), SKEP_STR("row")},
        {SKEP_STR("/skep/v1/traces"), SKEP_STR("traces")},
        {SKEP_STR("/skep/v1/trace/"), SKEP_STR("trace")},
        {SKEP_STR("/skep/v1/values"), SKEP_STR("values")},
        {SKEP_STR("/skep/v1/fields"), SKEP_STR("fields")},
        {SKEP_STR("/skep/v1/datasets"), SKEP_STR("datasets")},
        {SKEP_STR("/skep/v1/ledger"), SKEP_STR("ledger")},
        {SKEP_STR("/1/"), SKEP_STR("honeycomb")},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(kinds); i++)
        if (skep_str_starts(path, kinds[i].begin))
            return kinds[i].kind;
    return SKEP_STR("other");
}

/* Cut at a character. */
static void copy_text(char *to, size_t cap, skep_str s)
{
    size_t n = SKEP_MIN(s.n, cap - 1);
    while (n < s.n && n > 0 && ((uint8_t)s.p[n] & 0xc0) == 0x80)
        n--;
    if (n > 0)
        memcpy(to, s.p, n);
    to[n] = 0;
}

/* A query string that carries a key is not shown. */
static skep_str shown_query(const struct skep_request *req)
{
    static const skep_str keys[] = {SKEP_STR_INIT("access_token"), SKEP_STR_INIT("X-Amz-")};
    if (skep_str_starts(req->path, SKEP_STR("/skep/v1/oidc/")))
        return SKEP_STR("(with a code)");
    bool escaped = skep_str_chr(req->query, '%') != SIZE_MAX; /* a name may hide behind it */
    bool signs = (req->route->form & (SKEP_FORM_ROLLBAR | SKEP_FORM_SIGV4)) != 0;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(keys); i++)
        if (signs && (escaped || skep_str_find(req->query, keys[i]) != SIZE_MAX))
            return SKEP_STR("(with a key)");
    return req->query;
}

void skep_api__running_enter(struct skep_api__job *job)
{
    struct skep_api *api = job->api;
    const struct skep_request *req = job->req;
    struct skep_api__running *r = &job->running;
    r->kind = kind_of(req->path);
    r->since_ns = skep_api__now(api);
    r->began_mono_ns = api->cfg.os->mono_ns(api->cfg.os);
    copy_text(r->path, sizeof r->path, req->path);
    copy_text(r->environment, sizeof r->environment, req->caller.environment);
    copy_text(r->text, sizeof r->text, req->body.n ? skep_bytes_str(req->body) : shown_query(req));
    skep_mutex_lock(&api->running_mu);
    r->id = ++api->running_last_id;
    r->next = api->running;
    r->prev = NULL;
    if (r->next)
        r->next->prev = r;
    api->running = r;
    skep_mutex_unlock(&api->running_mu);
}

/* How it ended: counted once. */
static enum skep_api__outcome outcome_of(struct skep_api__job *job)
{
    if (skep_budget_refused(&job->budget))
        return SKEP_API__OVER_BUDGET;
    if (atomic_load(&job->running.stopped))
        return SKEP_API__CANCELED;
    return job->failed ? SKEP_API__FAILED : SKEP_API__ANSWERED;
}

static void tell_watch(struct skep_api__job *job)
{
    static const skep_str names[] = {
        [SKEP_API__ANSWERED] = SKEP_STR_INIT("answered"),
        [SKEP_API__FAILED] = SKEP_STR_INIT("failed"),
        [SKEP_API__CANCELED] = SKEP_STR_INIT("canceled"),
        [SKEP_API__OVER_BUDGET] = SKEP_STR_INIT("over_budget"),
        [SKEP_API__REFUSED] = SKEP_STR_INIT("refused"),
    };
    const struct skep_api_watch *watch = &job->api->cfg.watch;
    struct skep_api__running *r = &job->running;
    if (r->watched)
        watch->ended(watch->ctx, r->watched, r->kind, skep_str_c(r->environment),
                     names[outcome_of(job)], atomic_load(&r->scanned));
}

void skep_api__running_leave(struct skep_api__job *job)
{
    struct skep_api *api = job->api;
    struct skep_api__running *r = &job->running;
    atomic_fetch_add(&api->outcomes[outcome_of(job)], 1);
    atomic_fetch_add(&api->rows_scanned, atomic_load(&r->scanned));
    tell_watch(job);
    skep_histogram_add(&api->latency, api->cfg.os->mono_ns(api->cfg.os) - r->began_mono_ns);
    skep_mutex_lock(&api->running_mu); /* I1 */
    *(r->prev ? &r->prev->next : &api->running) = r->next;
    if (r->next)
        r->next->prev = r->prev;
    skep_mutex_unlock(&api->running_mu);
}

void skep_api__progress(void *job, uint64_t scanned, uint64_t total)
{
    struct skep_api__running *r = &((struct skep_api__job *)job)->running;
    atomic_store_explicit(&r->scanned, scanned, memory_order_relaxed);
    atomic_store_explicit(&r->total, total, memory_order_relaxed);
}

static struct skep_api__job *job_of(struct skep_api__running *r)
{
    return (struct skep_api__job *)(void *)((char *)r - offsetof(struct skep_api__job, running));
}

static void write_one(struct skep_json *json, struct skep_api__running *r, skep_ts_ns now)
{
    bool begun = atomic_load(&r->begun);
    skep_json_object(json);
    skep_json_put_u64(json, SKEP_STR("id"), r->id);
    skep_json_put_str(json, SKEP_STR("kind"), r->kind);
    skep_json_put_str(json, SKEP_STR("path"), skep_str_c(r->path));
    skep_json_put_str(json, SKEP_STR("text"), skep_str_c(r->text));
    skep_json_put_str(json, SKEP_STR("state"),
                      atomic_load(&r->cancel) ? SKEP_STR("canceling")
                      : begun                 ? SKEP_STR("running")
                                              : SKEP_STR("waiting"));
    skep_json_put_i64(json, SKEP_STR("since_ms"), r->since_ns / 1000000);
    skep_json_put_i64(json, SKEP_STR("elapsed_ms"), (now - r->since_ns) / 1000000);
    skep_json_put_u64(json, SKEP_STR("rows_scanned"), atomic_load(&r->scanned));
    skep_json_put_u64(json, SKEP_STR("rows_total"), atomic_load(&r->total));
    skep_json_put_u64(json, SKEP_STR("memory_bytes"),
                      begun ? skep_budget_used(&job_of(r)->budget) : 0);
    skep_json_end(json);
}

static bool is_of(const struct skep_api__running *r, const struct skep_request *req)
{
    return skep_str_eq(skep_str_c(r->environment), req->caller.environment);
}

static void list(void *ctx, struct skep_request *req)
{
    struct skep_api *api = ctx;
    bool all = req->caller.whole; /* questions of other environments, too */
    struct skep_buf buf;
    struct skep_json json;
    struct skep_response resp = {.status = 200,
                                 .content_type = SKEP_STR("application/json"),
                                 .headers = {{SKEP_STR("Cache-Control"), SKEP_STR("no-store")}},
                                 .n_headers = 1,
                                 .compressible = true};
    skep_ts_ns now = skep_api__now(api);
    skep_buf_init(&buf, 4 << 20); /* SKEP_LIMIT_API_PENDING lines of 4 KiB at most */
    skep_json_init(&json, &buf);
    skep_json_object(&json);
    skep_json_key(&json, SKEP_STR("running"));
    skep_json_array(&json);
    skep_mutex_lock(&api->running_mu);
    for (struct skep_api__running *r = api->running; r; r = r->next)
        if (all || is_of(r, req))
            write_one(&json, r, now);
    skep_mutex_unlock(&api->running_mu);
    skep_json_end(&json);
    skep_json_end(&json);
    skep_respond_buf(req, &resp, &buf);
    skep_buf_done(&buf);
}

static bool cancel(struct skep_api *api, struct skep_request *req, uint64_t id)
{
    bool found = false, all = req->caller.whole;
    skep_mutex_lock(&api->running_mu);
    for (struct skep_api__running *r = api->running; r; r = r->next) {
        if (r->id != id || !(all || is_of(r, req)))
            continue;
        atomic_store(&r->cancel, true);
        found = true;
    }
    skep_mutex_unlock(&api->running_mu);
    return found;
}

static void handle_cancel(void *ctx, struct skep_request *req)
{
    uint64_t id;
    static const struct skep_response done = {.status = 200,
                                              .content_type = {"application/json", 16},
                                              .body = {(const uint8_t *)"{\"canceled\":true}", 17}};
    if (skep_str_u64(skep_request_capture(req, 0), &id) && cancel(ctx, req, id))
        skep_respond(req, &done);
    else
        skep_api__fail(req, &(struct skep_api__error){.status = 404,
                                                      .text = SKEP_STR("no such question runs")});
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/running",
     .handle = list,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "DELETE",
     .path = "/skep/v1/running/:id",
     .handle = handle_cancel,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
    {.method = "POST",
     .path = "/skep/v1/running/:id/cancel",
     .handle = handle_cancel,
     .refuse = skep_api__refuse,
     .body_limit_bytes = 1024,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_running = {routes, SKEP_ARRAY_LEN(routes)};
