// SPDX-License-Identifier: Apache-2.0
/*
 * rollbar.c - the Rollbar exporter: which records are items, and what the answers mean
 *
 *   200          taken
 *   413          once more, small
 *   429          dropped, and so are all others until the limit is over
 *   502-504, none   again, with back-off (post.c)
 *   any other    dropped; the answer is told
 *
 * Log records that are no items are kept as telemetry of the next one, the last 50.
 *
 * Threads: one at a time. Memory: one item, at most 512 KiB, and the telemetry, at most 128 KiB.
 */
#include "rollbar_item.h"

#include "post.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ITEM_BYTES_MAX = 512 << 10,
    ROLLBAR_TIMEOUT_MS = 10000,
    ROLLBAR_HEADERS_MAX = 512,
    ITEMS_PER_MINUTE = 600,
    CRUMBS_MAX = 50,
    CRUMB_BYTES_MAX = 4096
};

#define MINUTE_NS (UINT64_C(60) * 1000000000u)

struct rollbar {
    struct waggle_exporter base;
    struct waggle__post post;
    struct waggle__rollbar_set set;
    char *texts; /* of `set` */
    char headers[ROLLBAR_HEADERS_MAX];
    int min_severity;
    uint32_t timeout_ms, per_minute, in_minute;
    uint64_t minute_ns, paused_until_ns; /* monotonic */
    bool told_limit;
    struct waggle__buf item;
    struct waggle__buf crumbs[CRUMBS_MAX]; /* a ring */
    size_t n_crumbs;
    struct waggle__buf telemetry;
};

/* --- one item ----------------------------------------------------------------------------------
 */

/* A limit of ours or of theirs holds it back. */
static bool is_limited(struct rollbar *r)
{
    uint64_t now = waggle__monotonic();
    if (now < r->paused_until_ns)
        return true;
    if (now - r->minute_ns >= MINUTE_NS) {
        r->minute_ns = now;
        r->in_minute = 0;
        r->told_limit = false;
    }
    if (r->in_minute < r->per_minute)
        return false;
    if (!r->told_limit)
        waggle__error(WAGGLE_LEVEL_WARN, "%u Rollbar items in a minute, dropping further ones",
                      r->per_minute);
    r->told_limit = true;
    return true;
}

static bool rollbar_retry(const waggle_response *response)
{
    return response->status != 429 && waggle__retry_http(response);
}

static int shown_n(const waggle_response *response)
{
    return (int)WAGGLE__MIN(response->body_n, (size_t)200);
}

/* After 429: nothing until the limit is over; without a word of when, a minute. */
static void pause_sending(struct rollbar *r, const waggle_response *response)
{
    int64_t ms = response->rate_limit_ms >= 0    ? response->rate_limit_ms
                 : response->retry_after_ms >= 0 ? response->retry_after_ms
                                                 : 60000;
    r->paused_until_ns = waggle__monotonic() + (uint64_t)ms * 1000000u;
    waggle__error(WAGGLE_LEVEL_WARN, "Rollbar's rate limit is reached, dropping items for %lld s",
                  (long long)(ms + 999) / 1000);
}

static int post_item(struct rollbar *r, waggle_deadline deadline, waggle_response *response)
{
    waggle_piece piece = {r->item.p, r->item.n};
    waggle_request request = {
        .headers = r->headers, .pieces = &piece, .n_pieces = 1, .body_n = piece.n};
    waggle__post_send(&r->post, &request, rollbar_retry, deadline, response);
    return response->status;
}

static bool send_item(struct rollbar *r, struct waggle__rollbar_source *source,
                      const waggle_deadline *given)
{
    waggle_response response = {.status = 413};
    if (is_limited(r))
        return false;
    r->in_minute++;
    waggle_deadline deadline = waggle__deadline_within(given, r->timeout_ms);
    source->set = &r->set;
    source->small = false;
    waggle__rollbar_item(&r->item, source);
    int status = r->item.bad ? 413 : post_item(r, deadline, &response);
    if (status == 413) {
        source->small = true;
        waggle__rollbar_item(&r->item, source);
        status = r->item.bad ? 413 : post_item(r, deadline, &response);
    }
    if (status >= 200 && status < 300)
        return true;
    if (status == 429)
        pause_sending(r, &response);
    else if (status == 0)
        waggle__error(WAGGLE_LEVEL_ERROR, "%s, dropping a Rollbar item", response.error);
    else
        waggle__error(WAGGLE_LEVEL_ERROR, "Rollbar answered %d, dropping an item: %.*s", status,
                      shown_n(&response), response.body ? response.body : "");
    return false;
}

/* --- batches -----------------------------------------------------------------------------------
 */

static void keep_crumb(struct rollbar *r, const waggle_log_data *log)
{
    struct waggle__buf *b = &r->crumbs[r->n_crumbs % CRUMBS_MAX];
    b->n = 0;
    b->bad = false;
    waggle__rollbar_crumb(b, log);
    if (b->n > 0 && !b->bad)
        r->n_crumbs++;
}

/* All crumbs, oldest first, which are forgotten. */
static waggle_str take_crumbs(struct rollbar *r)
{
    size_t n = WAGGLE__MIN(r->n_crumbs, (size_t)CRUMBS_MAX);
    r->telemetry.n = 0;
    r->telemetry.bad = false;
    for (size_t i = r->n_crumbs - n; i < r->n_crumbs; i++) {
        const struct waggle__buf *b = &r->crumbs[i % CRUMBS_MAX];
        waggle__buf_str(&r->telemetry, r->telemetry.n > 0 ? "," : "");
        waggle__buf_put(&r->telemetry, b->p, b->n);
    }
    r->n_crumbs = 0;
    return (waggle_str){(const char *)r->telemetry.p, r->telemetry.bad ? 0 : r->telemetry.n};
}

static bool is_item(const struct rollbar *r, const struct waggle__rollbar_source *s)
{
    static const char report[] = WAGGLE__REPORT_EVENT;
    waggle_value_data v;
    const waggle_log_data *log = s->log;
    return log->severity >= r->min_severity ||
           (log->event_name.n == sizeof report - 1 &&
            memcmp(log->event_name.p, report, sizeof report - 1) == 0) ||
           waggle__rollbar_attr(s, "exception.type", &v) ||
           waggle__rollbar_attr(s, "exception.stacktrace", &v);
}

/* False if the record had an item that could not be sent. */
static bool send_log(struct rollbar *r, const waggle_record *record,
                     const waggle_resource_info *resource, const waggle_deadline *deadline)
{
    waggle_log_data log;
    struct waggle__rollbar_source source = {.resource = resource, .log = &log};
    if (!waggle_record_log(record, &log))
        return false;
    if (!is_item(r, &source)) {
        keep_crumb(r, &log);
        return true;
    }
    source.telemetry = take_crumbs(r);
    return send_item(r, &source, deadline);
}

static bool send_span(struct rollbar *r, const waggle_record *record,
                      const waggle_resource_info *resource, const waggle_deadline *deadline)
{
    static const char name[] = "exception";
    waggle_span_data span;
    waggle_event_data event;
    bool ok = true;
    if (!waggle_record_span(record, &span))
        return false;
    for (waggle_cursor c = {0}; waggle_span_data_event(&span, &c, &event);) {
        if (event.name.n != sizeof name - 1 || memcmp(event.name.p, name, event.name.n) != 0)
            continue;
        struct waggle__rollbar_source source = {
            .resource = resource, .span = &span, .event = &event};
        ok = send_item(r, &source, deadline) && ok;
    }
    return ok;
}

static enum waggle_export rollbar_export(struct waggle_exporter *e, const waggle_batch *batch,
                                         const waggle_deadline *deadline)
{
    struct rollbar *r = (struct rollbar *)e;
    uint64_t failed = 0;
    if (batch->signal == WAGGLE_SIGNAL_METRICS)
        return WAGGLE_EXPORT_FAILED;
    for (size_t i = 0; i < batch->n_records; i++)
        failed += batch->signal == WAGGLE_SIGNAL_LOGS
                      ? !send_log(r, &batch->records[i], batch->resource, deadline)
                      : !send_span(r, &batch->records[i], batch->resource, deadline);
    e->rejected = failed;
    return failed > 0 ? WAGGLE_EXPORT_PARTIAL : WAGGLE_EXPORT_OK;
}

static void rollbar_after_fork(struct waggle_exporter *e)
{
    waggle__post_after_fork(&((struct rollbar *)e)->post);
}

static void rollbar_free(struct waggle_exporter *e)
{
    struct rollbar *r = (struct rollbar *)e;
    waggle__post_done(&r->post);
    for (size_t i = 0; i < CRUMBS_MAX; i++)
        waggle__buf_done(&r->crumbs[i]);
    waggle__buf_done(&r->telemetry);
    waggle__buf_done(&r->item);
    free(r->texts);
    free(r);
}

static const struct waggle_exporter_ops rollbar_ops = {
    .struct_size = sizeof rollbar_ops,
    .name = "rollbar",
    .export_batch = rollbar_export,
    .after_fork = rollbar_after_fork,
    .free = rollbar_free,
};

/* --- what it is told ---------------------------------------------------------------------------
 */

/* "http://host/api/1/" or the URL of items itself. */
static char *item_url(const char *endpoint)
{
    size_t n = strlen(endpoint);
    bool whole = n >= 5 && (strcmp(endpoint + n - 5, "/item") == 0 ||
                            (n >= 6 && strcmp(endpoint + n - 6, "/item/") == 0));
    char *url = n < 2000 ? malloc(n + 8) : NULL;
    if (url != NULL)
        (void)snprintf(url, n + 8, "%s%s%s", endpoint, // fits
                       whole || endpoint[n > 0 ? n - 1 : 0] == '/' ? "" : "/",
                       whole ? "" : "item/");
    return url;
}

/* Copy the settings behind each other; false without memory. */
static bool copy_settings(struct rollbar *r, const waggle_rollbar_options *o)
{
    const struct waggle__copied all[] = {
        {&r->set.environment, waggle__setting(o->environment, "ROLLBAR_ENVIRONMENT", NULL)},
        {&r->set.code_version, waggle__setting(o->code_version, "ROLLBAR_CODE_VERSION", NULL)},
        {&r->set.root, waggle__setting(o->root, "ROLLBAR_ROOT", NULL)},
        {&r->set.branch, waggle__setting(o->branch, "ROLLBAR_BRANCH", NULL)},
        {&r->set.framework, o->framework != NULL ? o->framework : "c"},
    };
    r->texts = waggle__copy_texts(all, WAGGLE__COUNT(all));
    return r->texts != NULL;
}

static bool make_rollbar_headers(struct rollbar *r, const char *token)
{
    for (const char *p = token; *p != '\0'; p++)
        if ((unsigned char)*p <= 0x20 || *p == 0x7f)
            return false;
    int n = snprintf(r->headers, sizeof r->headers,
                     "Content-Type: application/json\r\nUser-Agent: waggle/" WAGGLE_VERSION
                     "\r\nX-Rollbar-Access-Token: %s\r\n",
                     token);
    return token[0] != '\0' && n > 0 && n < ROLLBAR_HEADERS_MAX;
}

static bool rollbar_setup(struct rollbar *r, waggle_rollbar_options *o)
{
    const char *endpoint = waggle__setting(o->endpoint, "ROLLBAR_ENDPOINT", NULL);
    if (endpoint[0] == '\0')
        endpoint = "https://api.rollbar.com/api/1/item/";
    if (!make_rollbar_headers(r, waggle__setting(o->access_token, "ROLLBAR_ACCESS_TOKEN", NULL))) {
        waggle__error(WAGGLE_LEVEL_ERROR, "there is no Rollbar access token of use, not exporting");
        return false;
    }
    struct waggle_transport *transport = o->transport;
    o->transport = NULL;
    return copy_settings(r, o) &&
           waggle__post_init(&r->post, item_url(endpoint), transport, "Rollbar endpoint");
}

struct waggle_exporter *waggle_rollbar_exporter_new(const waggle_rollbar_options *options)
{
    waggle_rollbar_options o = {0};
    if (options != NULL)
        memcpy(&o, options,
               options->struct_size ? WAGGLE__MIN(options->struct_size, sizeof o) : sizeof o);
    struct rollbar *r = calloc(1, sizeof *r);
    if (r != NULL) {
        r->base.ops = &rollbar_ops;
        r->min_severity = o.min_severity ? o.min_severity : WAGGLE_ERROR;
        r->timeout_ms = o.timeout_ms ? o.timeout_ms : ROLLBAR_TIMEOUT_MS;
        r->per_minute = o.items_per_minute ? o.items_per_minute : ITEMS_PER_MINUTE;
        waggle__buf_init(&r->item, ITEM_BYTES_MAX);
        waggle__buf_init(&r->telemetry, 2 * CRUMBS_MAX * CRUMB_BYTES_MAX);
        for (size_t i = 0; i < CRUMBS_MAX; i++)
            waggle__buf_init(&r->crumbs[i], CRUMB_BYTES_MAX);
        if (rollbar_setup(r, &o))
            return &r->base;
        rollbar_free(&r->base);
    }
    if (o.transport != NULL && o.transport->ops->free != NULL)
        o.transport->ops->free(o.transport);
    return NULL;
}
