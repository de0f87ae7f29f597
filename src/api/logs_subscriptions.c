// SPDX-License-Identifier: Apache-2.0
/* Delivering what subscription filters select.
 *
 *   wait for a commit -> for each filter of each environment: lines behind its cursor that pass,
 *   in order of arrival -> POST, a stream at a time -> 2xx: the cursor moves
 *
 * The rows are the queue: nothing is kept twice, and a destination that is away misses nothing
 * that is still there when it comes back.  The cursor (a commit's number) is kept with the filter
 * each second and at the end, so that a restart goes on where it was; after a crash what was
 * delivered last may come again, with the same event ids.
 *
 * It rests between two looks, so that many small commits make one, and follows no commits where
 * there is no filter: three hundred a second would wake it for nothing.
 *
 * A destination that fails is tried again after 1, 2, 4 ... 60 seconds; others do not wait for it
 * longer than one timeout.  What it has not taken after a day is passed over, and said in the log.
 *
 * I1  the cursor moves only over lines that were delivered, that do not pass, or that are passed
 *     over after a day.
 * Threads: one of its own.  Memory: an arena a round, at most ROUND_ROWS lines. */
#include "api/logs_filters.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch/fetch.h"
#include "lang/logs_pattern.h"
#include "notify/notify.h"

enum {
    ROUND_ROWS = 500,
    WAIT_MS = 500,
    REST_MS = 50,
    TIMEOUT_MS = 10000,
    BODY_MAX = 64 << 20,
    BACK_OFF_MAX_S = 60
};
static const int64_t second_ns = 1000000000, give_up_ns = 86400ll * 1000000000;

/* One filter; by environment, group and name. */
struct subscription {
    struct subscription *next;
    struct skep_state_log_item item; /* texts owned; at_* is the cursor */
    bool moved;                      /* since it was kept */
    bool seen;                       /* in the list that was read last */
    unsigned fails;                  /* in a row */
    int64_t not_before_ns;           /* monotonic */
    skep_ts_ns failing_since_ns;
};

struct skep_logs_subscriptions {
    struct skep_api *api;
    skep_thread thread;
    struct skep_mutex lock; /* a leaf; of nothing but the wait for `wake` */
    struct skep_cond wake;  /* to stop */
    struct subscription *first;
    uint64_t version; /* of the list */
    bool listed;
    int64_t kept_ns;         /* when cursors were kept last, monotonic */
    struct skep_arena arena; /* of a round */
};

static bool stopping(void *ctx)
{
    const struct skep_api *api = ctx;
    return atomic_load_explicit(&api->stopping, memory_order_relaxed);
}

// --- deliveries --------------------------------------------------------------------------------

void skep_logs_delivery_write(const struct skep_logs_delivery *d, struct skep_buf *to)
{
    char digits[SKEP_LOGS_ID_BYTES];
    struct skep_json json;
    skep_json_init(&json, to);
    skep_json_object(&json);
    skep_api__logs_put(&json, "messageType",
                       d->n ? SKEP_STR("DATA_MESSAGE") : SKEP_STR("CONTROL_MESSAGE"));
    skep_api__logs_put(&json, "owner", SKEP_STR("000000000000"));
    skep_api__logs_put(&json, "logGroup", d->group);
    skep_api__logs_put(&json, "logStream", d->stream);
    skep_json_key(&json, SKEP_STR("subscriptionFilters"));
    skep_json_array(&json);
    skep_json_str(&json, d->filter);
    skep_json_end(&json);
    skep_json_key(&json, SKEP_STR("logEvents"));
    skep_json_array(&json);
    for (size_t i = 0; i < d->n; i++) {
        skep_json_object(&json);
        skep_api__logs_put(&json, "id", skep_logs_id(&d->lines[i].place, digits));
        skep_api__logs_put_time(&json, "timestamp", d->lines[i].place.time_ns);
        skep_api__logs_put(&json, "message", d->lines[i].message);
        skep_json_end(&json);
    }
    skep_json_end(&json);
    skep_json_end(&json);
}

skep_rc skep_logs_delivery_send(struct skep_api *api, const char *url, const struct skep_buf *body,
                                unsigned timeout_ms, struct skep_buf *answer, int *ret_status,
                                skep_err *err)
{
    const struct skep_fetch f = {.method = "POST",
                                 .url = url,
                                 .headers = {"Content-Type: application/json", "User-Agent: skep"},
                                 .body = skep_buf_bytes(body),
                                 .timeout_ms = timeout_ms,
                                 .may_connect = skep_notify_may_connect,
                                 .may_connect_ctx = api->cfg.notify,
                                 .stop = stopping,
                                 .stop_ctx = api};
    return skep_fetch(&f, answer, ret_status, err);
}

// --- the list of filters -----------------------------------------------------------------------

static skep_str own(skep_str s)
{
    char *p = skep_malloc(s.n + 1);
    memcpy(p, s.p ? s.p : "", s.n);
    return (skep_str){p, s.n};
}

static void free_text(skep_str s)
{
    skep_free((char *)(uintptr_t)s.p);
}

static void forget(struct subscription *s)
{
    free_text(s->item.environment);
    free_text(s->item.group);
    free_text(s->item.name);
    free_text(s->item.body);
    skep_free(s);
}

static struct subscription *find(const struct skep_logs_subscriptions *all,
                                 const struct skep_state_log_item *item)
{
    for (struct subscription *s = all->first; s; s = s->next)
        if (s->item.created_ns == item->created_ns && skep_str_eq(s->item.name, item->name) &&
            skep_str_eq(s->item.group, item->group) &&
            skep_str_eq(s->item.environment, item->environment))
            return s;
    return NULL;
}

/* One that is known keeps its cursor, which may be ahead of the one that was kept. */
static void take_item(struct skep_logs_subscriptions *all, const struct skep_state_log_item *item)
{
    struct subscription *s = find(all, item);
    if (!s) {
        s = skep_alloc(struct subscription);
        s->item = *item;
        s->item.environment = own(item->environment);
        s->item.group = own(item->group);
        s->item.name = own(item->name);
        s->next = all->first;
        all->first = s;
    } else {
        free_text(s->item.body);
        s->fails = 0; /* it may be another address */
        s->not_before_ns = 0;
    }
    s->item.body = own(item->body);
    s->seen = true;
}

static void read_list(struct skep_logs_subscriptions *all)
{
    skep_err err;
    struct skep_state_log_item *items;
    size_t n;
    struct skep_state *state = all->api->cfg.state;
    uint64_t version = skep_state_log_items_version(state);
    if (all->listed && version == all->version)
        return;
    if (skep_state_log_items_all(state, SKEP_STATE_LOG_SUBSCRIPTION_FILTER, &all->arena, &items, &n,
                                 &err) != SKEP_OK) {
        skep_log(WARN, "subscription filters cannot be read, trying again",
                 SKEP_K_CSTR("error", err.text));
        return;
    }
    for (struct subscription *s = all->first; s; s = s->next)
        s->seen = false;
    for (size_t i = 0; i < n; i++)
        take_item(all, &items[i]);
    for (struct subscription **at = &all->first; *at;) {
        struct subscription *s = *at;
        if (s->seen) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        forget(s);
    }
    all->version = version;
    all->listed = true;
}

static void keep_cursor(struct skep_logs_subscriptions *all, struct subscription *s)
{
    skep_err err;
    if (!s->moved)
        return;
    if (skep_state_log_item_move(all->api->cfg.state, SKEP_STATE_LOG_SUBSCRIPTION_FILTER, &s->item,
                                 &err) != SKEP_OK)
        skep_log(WARN, "how far a subscription has come cannot be kept, trying again",
                 SKEP_K_CSTR("error", err.text));
    else
        s->moved = false;
}

// --- a round -----------------------------------------------------------------------------------

static void move(struct subscription *s, skep_row_id id)
{
    skep_assert(id.seq > s->item.at_seq ||
                (id.seq == s->item.at_seq && id.ordinal >= s->item.at_ordinal)); /* I1 */
    s->item.at_seq = id.seq;
    s->item.at_ordinal = id.ordinal;
    s->moved = true;
}

/* It failed: later again; after a day what waits is passed over. */
static void failed(struct skep_logs_subscriptions *all, struct subscription *s, const char *why)
{
    const struct skep_os *os = all->api->cfg.os;
    skep_ts_ns now = os->now_ns(os);
    unsigned wait_s = s->fails < 6 ? 1u << s->fails : BACK_OFF_MAX_S;
    if (s->fails++ == 0) {
        s->failing_since_ns = now;
        skep_log(WARN, "a subscription filter's destination does not take its lines, trying again",
                 SKEP_K_STR("group", s->item.group), SKEP_K_STR("filter", s->item.name),
                 SKEP_K_CSTR("error", why));
    }
    s->not_before_ns = os->mono_ns(os) + SKEP_MIN(wait_s, (unsigned)BACK_OFF_MAX_S) * second_ns;
    if (now - s->failing_since_ns < give_up_ns)
        return;
    skep_log(WARN, "a destination was away for a day: lines that waited are not delivered",
             SKEP_K_STR("group", s->item.group), SKEP_K_STR("filter", s->item.name));
    move(s, (skep_row_id){all->api->cfg.store->ops->visible(all->api->cfg.store), UINT32_MAX});
    s->failing_since_ns = now;
}

static bool deliver(struct skep_logs_subscriptions *all, struct subscription *s, const char *url,
                    const struct skep_logs_line *lines, size_t n)
{
    char why[160];
    struct skep_buf body, answer;
    int status = 0;
    skep_err err = {.text = ""};
    const struct skep_logs_delivery d = {.group = s->item.group,
                                         .stream = lines[0].stream,
                                         .filter = s->item.name,
                                         .lines = lines,
                                         .n = n};
    skep_buf_init(&body, BODY_MAX);
    skep_buf_init(&answer, 64 << 10);
    skep_logs_delivery_write(&d, &body);
    skep_rc rc = skep_logs_delivery_send(all->api, url, &body, TIMEOUT_MS, &answer, &status, &err);
    skep_buf_done(&body);
    skep_buf_done(&answer);
    if ((rc == SKEP_OK || rc == SKEP_ETOOLARGE) && status / 100 == 2) {
        s->fails = 0;
        move(s, lines[n - 1].place.id);
        return true;
    }
    (void)snprintf(why, sizeof why, "it answered %d", status);
    if (rc != SKEP_ECANCELED)
        failed(all, s, rc == SKEP_OK ? why : err.text);
    return false;
}

/* Runs of one stream, in order of arrival, one delivery each. */
static bool deliver_rows(struct skep_logs_subscriptions *all, struct subscription *s,
                         const char *url, const struct skep_rows *rows)
{
    struct skep_logs_line *lines = skep_new_n(&all->arena, struct skep_logs_line, rows->n);
    for (size_t i = 0; i < rows->n; i++)
        lines[i] = skep_api__logs_line(&all->arena, &rows->rows[i]);
    for (size_t from = 0, to = 0; from < rows->n; from = to) {
        while (to < rows->n && skep_str_eq(lines[to].stream, lines[from].stream))
            to++;
        if (!deliver(all, s, url, lines + from, to - from))
            return false;
    }
    return true;
}

/* Lines behind the cursor, a round of them; true: there may be more. */
static bool one_round(struct skep_logs_subscriptions *all, struct subscription *s, skep_str pattern,
                      const char *url)
{
    struct skep_api *api = all->api;
    skep_err err = {.text = ""};
    struct skep_lang_issue issue;
    struct skep_answer a = {0};
    uint64_t seen = api->cfg.store->ops->visible(api->cfg.store);
    const struct skep_expr *filter = skep_logs_rows_of_group(&all->arena, s->item.group);
    if (skep_logs_pattern_narrow(pattern, &all->arena, &filter, &issue) != SKEP_OK) {
        failed(all, s, issue.text);
        return false;
    }
    struct skep_plan plan = skep_api__logs_plan(s->item.group, filter, ROUND_ROWS);
    plan.arrival_order = true;
    plan.has_cursor = true;
    plan.cursor_time_ns = INT64_MAX;
    plan.cursor_id = (skep_row_id){s->item.at_seq, (uint32_t)s->item.at_ordinal};
    const struct skep_run_opts opts = {.environment = s->item.environment,
                                       .budget = api->cfg.queries,
                                       .canceled = stopping,
                                       .ctx = api,
                                       .arena = &all->arena};
    skep_rc rc = skep_query_run(api->cfg.store, &plan, &opts, &a, &err);
    if (rc != SKEP_OK) {
        if (rc != SKEP_ECANCELED)
            failed(all, s, err.text);
        return false;
    }
    if (!deliver_rows(all, s, url, &a.rows))
        return false;
    if (!a.rows.more && seen > s->item.at_seq)
        move(s, (skep_row_id){seen, UINT32_MAX});
    return a.rows.more;
}

static void serve(struct skep_logs_subscriptions *all, struct subscription *s)
{
    const struct skep_os *os = all->api->cfg.os;
    if (os->mono_ns(os) < s->not_before_ns)
        return;
    yyjson_doc *doc = yyjson_read(s->item.body.p, s->item.body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *pattern = yyjson_obj_get(root, "filterPattern");
    const char *url = yyjson_get_str(yyjson_obj_get(root, "destinationArn"));
    bool more = url != NULL;
    while (more && !stopping(all->api)) {
        skep_arena_reset(&all->arena);
        more = one_round(all, s, (skep_str){yyjson_get_str(pattern), yyjson_get_len(pattern)}, url);
    }
    yyjson_doc_free(doc);
}

/* Once a second at most: each is a write to the disk. */
static void keep_cursors(struct skep_logs_subscriptions *all)
{
    int64_t now = all->api->cfg.os->mono_ns(all->api->cfg.os);
    if (now - all->kept_ns < second_ns)
        return;
    for (struct subscription *s = all->first; s; s = s->next)
        keep_cursor(all, s);
    all->kept_ns = now;
}

static void rest(struct skep_logs_subscriptions *all)
{
    skep_mutex_lock(&all->lock);
    if (!stopping(all->api))
        (void)skep_cond_wait_ms(&all->wake, &all->lock, all->first ? REST_MS : WAIT_MS);
    skep_mutex_unlock(&all->lock);
}

static void work(void *arg)
{
    struct skep_logs_subscriptions *all = arg;
    struct skep_store *store = all->api->cfg.store;
    uint64_t seq = 0;
    for (; !stopping(all->api); rest(all)) {
        skep_arena_reset(&all->arena);
        read_list(all);
        if (all->first)
            seq = store->ops->wait_visible(store, seq, WAIT_MS);
        for (struct subscription *s = all->first; s && !stopping(all->api); s = s->next)
            serve(all, s);
        keep_cursors(all);
    }
    for (struct subscription *s = all->first; s; s = s->next)
        keep_cursor(all, s);
}

struct skep_logs_subscriptions *skep_logs_subscriptions_new(struct skep_api *api)
{
    struct skep_logs_subscriptions *all = skep_alloc(struct skep_logs_subscriptions);
    all->api = api;
    skep_arena_init(&all->arena, "subscriptions", api->cfg.queries);
    skep_mutex_init(&all->lock, "subscriptions");
    skep_cond_init(&all->wake);
    skep_thread_start(&all->thread, "subscriptions", work, all);
    return all;
}

void skep_logs_subscriptions_free(struct skep_logs_subscriptions *all)
{
    if (!all)
        return;
    skep_assert(stopping(all->api));
    skep_mutex_lock(&all->lock);
    skep_cond_broadcast(&all->wake);
    skep_mutex_unlock(&all->lock);
    skep_thread_join(&all->thread);
    while (all->first) {
        struct subscription *next = all->first->next;
        forget(all->first);
        all->first = next;
    }
    skep_arena_done(&all->arena);
    skep_cond_done(&all->wake);
    skep_mutex_done(&all->lock);
    skep_free(all);
}
