// SPDX-License-Identifier: Apache-2.0
/* StartLiveTail: lines as they become readable, as an event stream.
 *
 *   worker: are the groups there, is the pattern one? -> a thread of the session's own:
 *     initial-response, sessionStart, then each second sessionUpdate with the lines of that second
 *
 * A second has at most 500 lines; where more came the rest is passed over and the update says
 * sampled.  A session ends after three hours with SessionTimeoutException, as AWS's does, and with
 * the key it began with.
 *
 * I1  the cursor only moves forward: no line is sent twice.
 *
 * Threads: one a session, counted among the live tails.  Memory: an arena, reset each second. */
#include "api/logs_filters.h"

#include "auth/auth.h"
#include "base/assert.h"
#include "base/mem.h"
#include "lang/logs_pattern.h"
#include "wire/eventstream.h"

enum {
    GROUPS_MAX = 10,
    STREAMS_MAX = 100,
    LINES_MAX = 500,
    UPDATE_MS = 1000,
    PAYLOAD_MAX = 64 << 20
};
static const int64_t session_ns = 3ll * 3600 * 1000000000;

struct session {
    struct skep_api *api;
    struct skep_stream *stream;
    struct skep_arena arena, round; /* as long as the session; a second */
    skep_str environment, start;    /* start: the payload of sessionStart */
    struct skep_plan plan;
    struct skep_buf payload, out;
    struct skep_auth_hold hold; /* what it runs with: a key, a session */
    bool closed;
};

/* Its key or the server ends. */
static bool is_over(void *ctx)
{
    struct session *s = ctx;
    return !skep_auth_holds(s->api->cfg.auth, &s->hold) ||
           atomic_load_explicit(&s->api->stopping, memory_order_relaxed);
}

static bool ended(void *ctx)
{
    struct session *s = ctx;
    return s->closed || is_over(s) || skep_stream_closed(s->stream);
}

// --- messages ----------------------------------------------------------------------------------

static void send(struct session *s, skep_str kind, skep_str type_key, skep_str type,
                 skep_bytes payload)
{
    const struct skep_eventstream_header headers[] = {
        {SKEP_STR(":message-type"), kind},
        {type_key, type},
        {SKEP_STR(":content-type"), SKEP_STR("application/json")}};
    skep_buf_reset(&s->out);
    skep_eventstream_put(&s->out, headers, SKEP_ARRAY_LEN(headers), payload);
    if (s->out.bad || skep_stream_write(s->stream, skep_buf_bytes(&s->out)) != SKEP_OK)
        s->closed = true;
}

static void send_event(struct session *s, const char *type, skep_bytes payload)
{
    send(s, SKEP_STR("event"), SKEP_STR(":event-type"), skep_str_c(type), payload);
}

static void send_exception(struct session *s, const char *type, skep_str message)
{
    struct skep_json json;
    skep_buf_reset(&s->payload);
    skep_json_init(&json, &s->payload);
    skep_json_object(&json);
    skep_api__logs_put(&json, "message", message);
    skep_json_end(&json);
    send(s, SKEP_STR("exception"), SKEP_STR(":exception-type"), skep_str_c(type),
         skep_buf_bytes(&s->payload));
    s->closed = true;
}

static void put_line(struct skep_json *json, const struct skep_logs_line *line, skep_str group)
{
    skep_json_object(json);
    skep_api__logs_put(json, "logStreamName", line->stream);
    skep_api__logs_put(json, "logGroupIdentifier", group);
    skep_api__logs_put(json, "message", line->message);
    skep_api__logs_put_time(json, "timestamp", line->place.time_ns);
    skep_api__logs_put_time(json, "ingestionTime", line->received_ns);
    skep_json_end(json);
}

static void send_update(struct session *s, const struct skep_rows *rows, bool sampled)
{
    struct skep_json json;
    skep_buf_reset(&s->payload);
    skep_json_init(&json, &s->payload);
    skep_json_object(&json);
    skep_json_key(&json, SKEP_STR("sessionMetadata"));
    skep_json_object(&json);
    skep_json_put_bool(&json, SKEP_STR("sampled"), sampled);
    skep_json_end(&json);
    skep_json_key(&json, SKEP_STR("sessionResults"));
    skep_json_array(&json);
    for (size_t i = 0; i < rows->n; i++) {
        const struct skep_row *row = &rows->rows[i];
        struct skep_logs_line line = skep_api__logs_line(&s->round, row);
        skep_str group =
            skep_arena_printf(&s->round, "000000000000:" SKEP_STRFMT, SKEP_STRARG(row->dataset));
        put_line(&json, &line, group);
    }
    skep_json_end(&json);
    skep_json_end(&json);
    send_event(s, "sessionUpdate", skep_buf_bytes(&s->payload));
}

// --- the session -------------------------------------------------------------------------------

static bool fetch(struct session *s, struct skep_rows *ret)
{
    skep_err err;
    struct skep_answer a = {0};
    const struct skep_run_opts opts = {.environment = s->environment,
                                       .budget = s->api->cfg.queries,
                                       .canceled = ended,
                                       .ctx = s,
                                       .arena = &s->round};
    skep_arena_reset(&s->round);
    skep_rc rc = skep_query_run(s->api->cfg.store, &s->plan, &opts, &a, &err);
    if (rc != SKEP_OK) {
        if (!ended(s))
            send_exception(s, "SessionStreamingException", skep_str_c(err.text));
        return false;
    }
    *ret = a.rows;
    return true;
}

static void one_update(struct session *s)
{
    struct skep_rows rows;
    struct skep_store *store = s->api->cfg.store;
    uint64_t seen = store->ops->visible(store);
    if (!fetch(s, &rows))
        return;
    send_update(s, &rows, rows.more);
    s->plan.cursor_id = (skep_row_id){seen, UINT32_MAX}; /* I1; the rest is passed over */
    if (rows.n && rows.rows[rows.n - 1].id.seq > seen)
        s->plan.cursor_id = rows.rows[rows.n - 1].id;
}

static void run(struct session *s)
{
    const struct skep_os *os = s->api->cfg.os;
    int64_t end = os->mono_ns(os) + session_ns;
    send_event(s, "initial-response", skep_str_bytes(SKEP_STR("{}")));
    send_event(s, "sessionStart", skep_str_bytes(s->start));
    while (!ended(s)) {
        int64_t begin = os->mono_ns(os);
        if (begin >= end) {
            send_exception(s, "SessionTimeoutException",
                           SKEP_STR("The session has ended after three hours: start another one."));
            return;
        }
        one_update(s);
        /* Woken by stopping within a fraction of it: a short wait many times. */
        while (!ended(s) && os->mono_ns(os) - begin < UPDATE_MS * 1000000ll)
            (void)s->api->cfg.store->ops->wait_visible(s->api->cfg.store, UINT64_MAX, 100);
    }
    if (!s->closed && !skep_auth_holds(s->api->cfg.auth, &s->hold))
        send_exception(s, "SessionStreamingException",
                       SKEP_STR("the key was revoked or has expired"));
}

static void session_free(struct session *s)
{
    skep_buf_done(&s->payload);
    skep_buf_done(&s->out);
    skep_arena_done(&s->round);
    skep_arena_done(&s->arena);
    skep_free(s);
}

static void session_thread(void *arg)
{
    struct session *s = arg;
    struct skep_api *api = s->api;
    run(s);
    skep_stream_end(s->stream);
    session_free(s);
    atomic_fetch_sub(&api->tails, 1);
}

// --- the request -------------------------------------------------------------------------------

struct asked {
    skep_str names[GROUPS_MAX]; /* of groups */
    skep_str streams[STREAMS_MAX];
    size_t n, n_streams;
    bool prefixes;
    skep_str pattern;
};

static size_t read_texts(struct skep_api__logs *l, const char *key, size_t max, bool required,
                         skep_str *ret)
{
    size_t i, n = 0, all;
    yyjson_val *v;
    yyjson_val *list =
        skep_aws_list(&l->args, l->in, key, &(struct skep_aws_len){1, max, required});
    if (yyjson_arr_size(list) > max)
        return 0;
    yyjson_arr_foreach(list, i, all, v)
    {
        if (yyjson_is_str(v) && yyjson_get_len(v))
            ret[n++] = (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
    }
    return n;
}

/* False after an error was sent. */
static bool read_asked(struct skep_api__logs *l, struct asked *ret)
{
    skep_str names[STREAMS_MAX];
    ret->n = read_texts(l, "logGroupIdentifiers", GROUPS_MAX, true, ret->names);
    ret->n_streams = read_texts(l, "logStreamNames", STREAMS_MAX, false, ret->streams);
    size_t n_prefixes = read_texts(l, "logStreamNamePrefixes", STREAMS_MAX, false, names);
    ret->pattern = skep_aws_str(&l->args, l->in, "logEventFilterPattern",
                                &(struct skep_aws_len){0, 1024, false});
    if (!skep_api__logs_valid(l))
        return false;
    bool both = ret->n_streams && n_prefixes;
    if (both || ((ret->n_streams || n_prefixes) && ret->n != 1)) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "%s",
                            both ? "logStreamNames and logStreamNamePrefixes are mutually "
                                   "exclusive parameters."
                                 : "Log streams can be named when there is one log group.");
        return false;
    }
    for (size_t i = 0; i < n_prefixes; i++)
        ret->streams[i] = names[i];
    ret->prefixes = n_prefixes > 0;
    ret->n_streams += n_prefixes;
    for (size_t i = 0; i < ret->n; i++) {
        ret->names[i] = skep_api__logs_group_of(ret->names[i]);
        if (!skep_api__logs_group_exists(l, ret->names[i]))
            return false;
    }
    return true;
}

/* Filters that live as long as the session. */
static bool make_filter(struct skep_api__logs *l, const struct asked *q, struct session *s)
{
    struct skep_lang_issue issue;
    struct skep_arena *a = &s->arena;
    const struct skep_expr *filter = skep_logs_rows_of_groups(a, q->names, q->n);
    if (q->n_streams)
        filter = skep_logs_rows_and(
            a, filter, skep_logs_rows_of_streams(a, q->streams, q->n_streams, q->prefixes));
    if (q->pattern.n &&
        skep_logs_pattern_narrow(skep_arena_str(a, q->pattern), a, &filter, &issue) != SKEP_OK) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "Invalid filter pattern: %s", issue.text);
        return false;
    }
    skep_str dataset = q->n == 1 ? skep_arena_str(a, q->names[0]) : SKEP_STR_NULL;
    s->plan = skep_api__logs_plan(dataset, filter, LINES_MAX);
    s->plan.arrival_order = true;
    s->plan.has_cursor = true;
    s->plan.cursor_time_ns = INT64_MAX;
    s->plan.cursor_id =
        (skep_row_id){s->api->cfg.store->ops->visible(s->api->cfg.store), UINT32_MAX};
    return true;
}

static void copy_member(struct skep_api__logs *l, struct skep_json *json, const char *key)
{
    size_t i, max;
    yyjson_val *v = yyjson_obj_get(l->in, key), *item;
    if (yyjson_is_str(v))
        skep_api__logs_put(json, key, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
    if (!yyjson_is_arr(v))
        return;
    skep_json_key(json, skep_str_c(key));
    skep_json_array(json);
    yyjson_arr_foreach(v, i, max, item)
    {
        if (yyjson_is_str(item))
            skep_json_str(json, (skep_str){yyjson_get_str(item), yyjson_get_len(item)});
    }
    skep_json_end(json);
}

static void make_start(struct skep_api__logs *l, skep_str request_id, struct session *s)
{
    static const char *const echoed[] = {"logGroupIdentifiers", "logStreamNames",
                                         "logStreamNamePrefixes", "logEventFilterPattern"};
    char id[36];
    struct skep_json json;
    skep_json_init(&json, &s->payload);
    skep_json_object(&json);
    skep_api__logs_put(&json, "requestId", request_id);
    skep_api__logs_put(&json, "sessionId", skep_aws_request_id(s->api->cfg.os, id));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(echoed); i++)
        copy_member(l, &json, echoed[i]);
    skep_json_end(&json);
    s->start = skep_arena_str(&s->arena, skep_buf_text(&s->payload));
}

static void start(struct skep_api__logs *l, struct session *s)
{
    char id[36];
    skep_thread thread;
    struct skep_api__job *job = l->job;
    skep_str request_id = skep_aws_request_id(s->api->cfg.os, id);
    make_start(l, request_id, s);
    struct skep_request *req = job->out.req;
    job->out.req = NULL; /* the session's from here on */
    s->stream = skep_respond_stream(
        req, &(struct skep_response){.status = 200,
                                     .content_type = SKEP_STR("application/vnd.amazon.eventstream"),
                                     .headers = {{SKEP_STR("x-amzn-RequestId"), request_id},
                                                 {SKEP_STR("Cache-Control"), SKEP_STR("no-store")}},
                                     .n_headers = 2});
    skep_stream_until(s->stream, is_over, s);
    skep_thread_start(&thread, "live-tail", session_thread, s);
    (void)pthread_detach(thread.t); /* counted in api->tails; skep_api__tails_wait waits */
}

static struct session *session_new(struct skep_api__logs *l)
{
    struct session *s = skep_alloc(struct session);
    s->api = l->job->api;
    skep_arena_init(&s->arena, "live tail", NULL);
    skep_arena_init(&s->round, "live tail second", s->api->cfg.queries);
    skep_buf_init(&s->payload, PAYLOAD_MAX);
    skep_buf_init(&s->out, PAYLOAD_MAX + 4096);
    s->environment = skep_arena_str(&s->arena, l->job->opts.environment);
    skep_auth_hold(s->api->cfg.auth, &l->job->req->caller, &s->hold);
    return s;
}

void skep_api__logs_start_live_tail(struct skep_api__logs *l)
{
    struct asked q = {0};
    struct skep_api *api = l->job->api;
    if (!read_asked(l, &q))
        return;
    bool full = atomic_fetch_add(&api->tails, 1) >= SKEP_LIMIT_API_TAILS;
    if (full) {
        atomic_fetch_sub(&api->tails, 1);
        skep_api__logs_fail(l, SKEP_LOGS_LIMIT, "too many live tails at once: close one");
        return;
    }
    struct session *s = session_new(l);
    if (make_filter(l, &q, s)) {
        start(l, s);
        return;
    }
    session_free(s);
    atomic_fetch_sub(&api->tails, 1);
}
