// SPDX-License-Identifier: Apache-2.0
/* GET and POST /skep/v1/tail: rows as they become readable, one JSON object a line.
 *
 *   wait for a commit -> rows behind the cursor, in arrival order -> write -> again
 *
 * A tail waits for as long as its client stays, so each has a thread of its own, at most
 * SKEP_LIMIT_API_TAILS.  A round sends at most `round_rows` rows; what arrived beyond is counted
 * and skipped, so that a slow reader falls behind by rows, never by memory.
 *
 * The question is read by that thread, too: the environment's derived columns may wait for the
 * disk.
 *
 * I1  the cursor only moves forward: no row is sent twice
 * I2  every row that matched was sent or counted in a "skipped" line
 *
 * Threads: one a client.  Memory: an arena, reset each round. */
#include "api/api_priv.h"

#include "base/assert.h"
#include "base/mem.h"

enum { ROUND_ROWS = 1000, WAIT_MS = 250 };
static const int64_t ping_every_ns = 15ll * 1000000000;
static const int64_t round_every_ns = 50ll * 1000000;

struct tail {
    struct skep_api *api;
    struct skep_request *req; /* until it is answered */
    struct skep_stream *stream;
    struct skep_arena arena; /* filter, dataset, environment: as long as the tail */
    skep_str environment;
    struct skep_arena round;
    struct skep_plan plan;
    struct skep_buf buf;
    struct skep_json json;
    int64_t last_sent_ns;
    struct skep_auth_hold hold;
    bool closed;
};

/* Its key, its session or the server ends. */
static bool tail_over(void *ctx)
{
    struct tail *t = ctx;
    return !skep_auth_holds(t->api->cfg.auth, &t->hold) ||
           atomic_load_explicit(&t->api->stopping, memory_order_relaxed);
}

static bool tail_canceled(void *ctx)
{
    struct tail *t = ctx;
    return tail_over(t) || skep_stream_closed(t->stream);
}

static void send_lines(struct tail *t)
{
    if (t->buf.n && !t->buf.bad && skep_stream_write(t->stream, skep_buf_bytes(&t->buf)) != SKEP_OK)
        t->closed = true;
    if (t->buf.bad)
        t->closed = true;
    skep_buf_reset(&t->buf);
    skep_json_init(&t->json, &t->buf);
    t->last_sent_ns = t->api->cfg.os->mono_ns(t->api->cfg.os);
}

static void end_line(struct tail *t)
{
    skep_buf_u8(&t->buf, '\n');
    skep_json_init(&t->json, &t->buf);
    if (t->buf.n > 256 << 10)
        send_lines(t);
}

static void line_of(struct tail *t, skep_str type, uint64_t rows, bool with_rows)
{
    skep_json_object(&t->json);
    skep_json_put_str(&t->json, SKEP_STR("type"), type);
    if (with_rows)
        skep_json_put_u64(&t->json, SKEP_STR("rows"), rows);
    skep_json_end(&t->json);
    end_line(t);
}

static void error_line(struct tail *t, skep_str text)
{
    skep_json_object(&t->json);
    skep_json_put_str(&t->json, SKEP_STR("type"), SKEP_STR("error"));
    skep_json_put_str(&t->json, SKEP_STR("error"), text);
    skep_json_end(&t->json);
    end_line(t);
}

static bool fetch(struct tail *t, struct skep_rows *ret)
{
    const struct skep_run_opts opts = {.budget = t->api->cfg.queries,
                                       .canceled = tail_canceled,
                                       .ctx = t,
                                       .arena = &t->round,
                                       .environment = t->environment};
    struct skep_answer a = {0};
    skep_err err;
    skep_arena_reset(&t->round);
    skep_rc rc = skep_query_run(t->api->cfg.store, &t->plan, &opts, &a, &err);
    if (rc != SKEP_OK) {
        if (rc != SKEP_ECANCELED)
            error_line(t, skep_str_c(err.text));
        return false;
    }
    *ret = a.rows;
    if (a.rows.n) {
        t->plan.cursor_id = a.rows.rows[a.rows.n - 1].id; /* I1 */
        t->plan.cursor_time_ns = a.rows.rows[a.rows.n - 1].time_ns;
    }
    return true;
}

/* Everything behind the cursor: the first rows are sent, the rest is counted (I2). */
static bool one_round(struct tail *t)
{
    struct skep_rows rows;
    uint64_t skipped = 0;
    if (!fetch(t, &rows))
        return false;
    for (size_t i = 0; i < rows.n && !t->closed; i++) {
        skep_api__row(&t->json, &t->round, &rows.rows[i], true);
        end_line(t);
    }
    send_lines(t);
    while (rows.more && !t->closed && !tail_canceled(t)) {
        if (!fetch(t, &rows))
            return false;
        skipped += rows.n;
    }
    if (skipped)
        line_of(t, SKEP_STR("skipped"), skipped, true);
    return true;
}

static void run(struct tail *t)
{
    struct skep_store *store = t->api->cfg.store;
    const struct skep_os *os = t->api->cfg.os;
    uint64_t seq = t->plan.cursor_id.seq;
    line_of(t, SKEP_STR("ping"), 0, false); /* headers reach the client before the first row */
    send_lines(t);
    while (!t->closed && !tail_canceled(t)) {
        uint64_t now = store->ops->wait_visible(store, seq, WAIT_MS);
        int64_t begin = os->mono_ns(os);
        if (now > seq) {
            seq = now;
            if (!one_round(t))
                break;
            send_lines(t);
            /* Many small commits make one round, not many. */
            int64_t spent = os->mono_ns(os) - begin;
            if (spent < round_every_ns)
                (void)store->ops->wait_visible(store, UINT64_MAX,
                                               (round_every_ns - spent) / 1000000);
        } else if (begin - t->last_sent_ns >= ping_every_ns) {
            line_of(t, SKEP_STR("ping"), 0, false);
            send_lines(t);
        }
    }
    if (!skep_auth_holds(t->api->cfg.auth, &t->hold))
        error_line(t, SKEP_STR("the API key was revoked or has expired, or the session has ended"));
    send_lines(t);
}

void skep_api__tails_wait(struct skep_api *api)
{
    skep_assert(atomic_load(&api->stopping));
    while (atomic_load(&api->tails)) {
        (void)api->cfg.store->ops->wait_visible(api->cfg.store, UINT64_MAX, 5);
    }
}

/* dataset, column, op, value and pattern of the query string as a body of /rows, so that one reader
 * decides. */
static void params_body(struct skep_request *req, struct skep_json *json)
{
    static const skep_str names[] = {SKEP_STR_INIT("dataset"), SKEP_STR_INIT("pattern")};
    skep_str op = skep_api__param(req, SKEP_STR("op"));
    skep_str column = skep_api__param(req, SKEP_STR("column"));
    skep_str value = skep_api__param(req, SKEP_STR("value"));
    bool list = skep_str_eq(op, SKEP_STR("in")) || skep_str_eq(op, SKEP_STR("not-in"));
    skep_json_object(json);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        skep_str v = skep_api__param(req, names[i]);
        if (v.n)
            skep_json_put_str(json, names[i], v);
    }
    if (column.n) {
        skep_json_key(json, SKEP_STR("filters"));
        skep_json_array(json);
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("column"), column);
        skep_json_put_str(json, SKEP_STR("op"), op);
        skep_json_key(json, SKEP_STR("value"));
        if (list)
            skep_json_array(json);
        do {
            skep_json_str(json, list ? skep_str_cut(&value, ',') : value);
        } while (list && value.p);
        if (list)
            skep_json_end(json);
        skep_json_end(json);
        skep_json_end(json);
    }
    skep_json_end(json);
}

/* A mistake in parameters names the parameter: "filters[0].op" is `op`. */
static void as_parameter(struct skep_lang_issue *issue)
{
    static const char list[] = "filters[0].";
    if (strncmp(issue->field, list, sizeof list - 1) == 0)
        memmove(issue->field, issue->field + sizeof list - 1,
                sizeof issue->field - (sizeof list - 1));
}

/* Which rows; false when the request has been refused. */
static bool read_question(struct tail *t, struct skep_request *req)
{
    struct skep_lang_opts lang = {.now_ns = skep_api__now(t->api), .page = true};
    const struct skep_plan *asked = NULL;
    struct skep_lang_issue issue;
    struct skep_buf params;
    struct skep_json json;
    skep_err err = {.text = ""};
    skep_rc rc = skep_api_derived(t->api->cfg.state, t->environment, &t->arena, &lang, &err);
    if (rc != SKEP_OK) {
        skep_api__fail_rc(req, rc, &err);
        return false;
    }
    skep_buf_init(&params, SKEP_LIMIT_API_BODY_BYTES);
    skep_json_init(&json, &params);
    if (!req->body.n)
        params_body(req, &json);
    skep_bytes body = req->body.n ? req->body : skep_buf_bytes(&params);
    rc = skep_lang_rows(body, &lang, &t->arena, &asked, &issue);
    skep_buf_done(&params);
    if (rc != SKEP_OK) {
        if (!req->body.n)
            as_parameter(&issue);
        skep_api__fail_issue(req, &issue);
        return false;
    }
    t->plan.dataset = asked->dataset;
    t->plan.filter = asked->filter;
    t->plan.computed = asked->computed;
    t->plan.n_computed = asked->n_computed;
    return true;
}

/* From now on: what is there already is not sent. */
static void begin(struct tail *t, struct skep_request *req)
{
    t->plan.cursor_id.seq = t->api->cfg.store->ops->visible(t->api->cfg.store);
    t->plan.cursor_id.ordinal = UINT32_MAX;
    t->plan.cursor_time_ns = INT64_MAX;
    t->stream = skep_respond_stream(
        req, &(struct skep_response){
                 .status = 200,
                 .content_type = SKEP_STR("application/x-ndjson"),
                 .headers = {{SKEP_STR("Cache-Control"), SKEP_STR("no-store")},
                             {SKEP_STR("X-Content-Type-Options"), SKEP_STR("nosniff")}},
                 .n_headers = 2});
    skep_stream_until(t->stream, tail_over, t);
}

static void tail_thread(void *arg)
{
    struct tail *t = arg;
    struct skep_api *api = t->api;
    skep_arena_init(&t->round, "tail round", api->cfg.queries);
    skep_buf_init(&t->buf, 64 << 20);
    skep_json_init(&t->json, &t->buf);
    if (read_question(t, t->req)) {
        begin(t, t->req);
        run(t);
        skep_stream_end(t->stream);
    }
    skep_buf_done(&t->buf);
    skep_arena_done(&t->round);
    skep_arena_done(&t->arena);
    skep_free(t);
    atomic_fetch_sub(&api->tails, 1);
}

static void start(struct skep_api *api, struct skep_request *req)
{
    struct tail *t = skep_alloc(struct tail);
    t->api = api;
    t->req = req;
    skep_auth_hold(api->cfg.auth, &req->caller, &t->hold);
    skep_arena_init(&t->arena, "tail", NULL);
    t->environment = skep_arena_str(&t->arena, req->caller.environment);
    t->plan = (struct skep_plan){.kind = SKEP_PLAN_ROWS,
                                 .range = {0, INT64_MAX},
                                 .limit = ROUND_ROWS,
                                 .arrival_order = true,
                                 .oldest_first = true,
                                 .has_cursor = true};
    skep_thread thread;
    skep_thread_start(&thread, "tail", tail_thread, t);
    (void)pthread_detach(thread.t); /* counted in api->tails; skep_api__tails_wait waits */
}

static void handle(void *ctx, struct skep_request *req)
{
    struct skep_api *api = ctx;
    bool full = atomic_fetch_add(&api->tails, 1) >= SKEP_LIMIT_API_TAILS;
    if (full || atomic_load(&api->stopping)) {
        atomic_fetch_sub(&api->tails, 1);
        skep_api__fail(
            req, &(struct skep_api__error){
                     .status = 503, .text = SKEP_STR("too many live tails at once: close one")});
        return;
    }
    start(api, req);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/tail",
     .handle = handle,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
    {.method = "POST",
     .path = "/skep/v1/tail",
     .handle = handle,
     .refuse = skep_api__refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_tail = {routes, SKEP_ARRAY_LEN(routes)};
