// SPDX-License-Identifier: Apache-2.0
/*
 * cloudwatch.c - the CloudWatch Logs exporter: PutLogEvents, signed, within its limits
 *
 *   a batch --> order by time --> requests of at most 10,000 events, 1 MiB, 24 hours
 *   {"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":ms,"message":"..."},...]}
 *
 *   200                              taken, but for rejectedLogEventsInfo
 *   ResourceNotFoundException        CreateLogGroup, CreateLogStream, and once more
 *   Throttling, 429, 5xx, no answer  again, with back-off (post.c)
 *   any other                        dropped; the exception is told
 *
 * Threads: one at a time. Memory: one request, at most 8 MiB (1 MiB of control characters is six
 * times as much in JSON), and one message.
 */
#include "post.h"

#include "aws_answer.h"
#include "cloudwatch_event.h"
#include "http_parse.h"
#include "json.h"
#include "sigv4.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    EVENTS_MAX = 10000,
    EVENT_OVERHEAD = 26,
    PUT_BYTES_MAX = 1 << 20,
    MESSAGE_BYTES_MAX = (256 << 10) - EVENT_OVERHEAD,
    PUT_JSON_MAX = 8 << 20,
    CW_TIMEOUT_MS = 10000,
    CW_NAME_MAX = 512,
    CW_HEADERS_MAX = 8192
};

#define DAY_MS INT64_C(86400000)

/* A record's place in time. */
struct event {
    int64_t ms;
    uint32_t record;
};

/* What stands in the request that is being made. */
struct pending {
    size_t n, bytes;
    int64_t first_ms;
};

struct cloudwatch {
    struct waggle_exporter base;
    struct waggle__post post;
    char *texts; /* of the names below */
    const char *group, *stream, *region;
    waggle_aws_credentials credentials; /* of this batch */
    waggle_aws_credentials own;
    waggle_aws_credentials_fn *get_credentials;
    void *get_self;
    char authority[272], path[1024];
    uint32_t timeout_ms, retention_days;
    bool raw;
    struct event *events;
    size_t cap_events;
    char group_name[CW_NAME_MAX + 1], stream_name[CW_NAME_MAX + 1]; /* of this batch */
    struct waggle__buf message, request, headers;
    struct pending pending;
    uint64_t failed; /* events of this batch */
    bool timed_out;
};

/* --- calls -------------------------------------------------------------------------------------
 */

static waggle_str answer_of(const waggle_response *response)
{
    return (waggle_str){response->body, response->body_n};
}

static bool cloudwatch_retry(const waggle_response *response)
{
    static const char *const busy[] = {"ThrottlingException", "Throttling", "ThrottledException",
                                       "ServiceUnavailableException", "OperationAbortedException"};
    if (response->status == 500 || waggle__retry_http(response))
        return true;
    for (size_t i = 0; response->status == 400 && i < WAGGLE__COUNT(busy); i++)
        if (waggle__aws_is(answer_of(response), busy[i]))
            return true;
    return false;
}

/* The request's headers, signed for the body in c->request. */
static bool sign_request(struct cloudwatch *c, const char *operation)
{
    char target[80];
    struct waggle__aws_request r = {.method = "POST", .path = c->path, .query = ""};
    const waggle_aws_credentials *who = &c->credentials;
    struct waggle__sha256 hash;
    (void)snprintf(target, sizeof target, "Logs_20140328.%s", operation); // fits
    waggle__aws_date(waggle__os.realtime_ns() / 1000000000u, r.date);
    waggle__sha256_init(&hash);
    waggle__sha256_put(&hash, c->request.p, c->request.n);
    waggle__sha256_end(&hash, r.body_hash);
    const struct waggle__aws_header signed_headers[] = {
        {"content-type", "application/x-amz-json-1.1"},
        {"host", c->authority},
        {"x-amz-date", r.date},
        {"x-amz-security-token", who->session_token ? who->session_token : ""},
        {"x-amz-target", target},
    };
    struct waggle__aws_header headers[WAGGLE__COUNT(signed_headers)];
    for (size_t i = 0; i < WAGGLE__COUNT(signed_headers); i++)
        if (signed_headers[i].value[0] != '\0')
            headers[r.n_headers++] = signed_headers[i];
    r.headers = headers;
    c->headers.n = 0;
    c->headers.bad = false;
    for (size_t i = 0; i < r.n_headers; i++) {
        if (strcmp(headers[i].name, "host") == 0)
            continue; // the transport's
        waggle__buf_str(&c->headers, headers[i].name);
        waggle__buf_str(&c->headers, ": ");
        waggle__buf_str(&c->headers, headers[i].value);
        waggle__buf_str(&c->headers, "\r\n");
    }
    waggle__buf_str(&c->headers, "user-agent: waggle/" WAGGLE_VERSION "\r\nauthorization: ");
    waggle__aws_sign(
        &c->headers,
        &(struct waggle__aws_key){who->access_key_id, who->secret_access_key, c->region, "logs"},
        &r);
    waggle__buf_put(&c->headers, "\r\n", 3); // with the NUL
    return !c->headers.bad && !c->request.bad;
}

/* Send what stands in c->request. */
static void call(struct cloudwatch *c, const char *operation, const waggle_deadline *given,
                 waggle_response *response)
{
    memset(response, 0, sizeof *response);
    if (!sign_request(c, operation)) {
        (void)snprintf(response->error, sizeof response->error, "no room for a request");
        response->status = -1;
        return;
    }
    waggle_piece piece = {c->request.p, c->request.n};
    waggle_request request = {
        .headers = (const char *)c->headers.p, .pieces = &piece, .n_pieces = 1, .body_n = piece.n};
    waggle__post_send(&c->post, &request, cloudwatch_retry,
                      waggle__deadline_within(given, c->timeout_ms), response);
}

static void tell(const waggle_response *response, const char *operation, const char *follows)
{
    waggle_str type = waggle__aws_exception(answer_of(response));
    waggle_str message = waggle__aws_message(answer_of(response));
    if (response->status <= 0)
        waggle__error(WAGGLE_LEVEL_ERROR, "%s, %s", response->error, follows);
    else
        waggle__error(WAGGLE_LEVEL_ERROR, "%s was answered %d %.*s: %.*s, %s", operation,
                      response->status, (int)WAGGLE__MIN(type.n, (size_t)80), type.p,
                      (int)WAGGLE__MIN(message.n, (size_t)200), message.p, follows);
}

static void begin_request(struct cloudwatch *c, struct waggle__obj *o, bool stream)
{
    c->request.n = 0;
    c->request.bad = false;
    *o = waggle__obj_begin(&c->request);
    waggle__obj_text(o, "logGroupName", waggle__str(c->group_name), CW_NAME_MAX);
    if (stream)
        waggle__obj_text(o, "logStreamName", waggle__str(c->stream_name), CW_NAME_MAX);
}

/* What is there already is as good. */
static bool created(struct cloudwatch *c, const char *operation, bool stream,
                    const waggle_deadline *given)
{
    waggle_response response;
    struct waggle__obj o;
    begin_request(c, &o, stream);
    waggle__obj_end(&o);
    call(c, operation, given, &response);
    if (response.status == 200 ||
        waggle__aws_is(answer_of(&response), "ResourceAlreadyExistsException"))
        return true;
    tell(&response, operation, "going on without");
    return false;
}

static void make_place(struct cloudwatch *c, const waggle_deadline *given)
{
    waggle_response response;
    struct waggle__obj o;
    (void)created(c, "CreateLogGroup", false, given); // may be forbidden: the stream may do
    if (c->retention_days > 0) {
        begin_request(c, &o, false);
        waggle__obj_key(&o, waggle__str("retentionInDays"));
        waggle__buf_printf(&c->request, "%u", c->retention_days);
        waggle__obj_end(&o);
        call(c, "PutRetentionPolicy", given, &response);
        if (response.status != 200)
            tell(&response, "PutRetentionPolicy", "keeping the group's own");
    }
    (void)created(c, "CreateLogStream", true, given); // told; the next PutLogEvents fails, too
}

/* --- events ------------------------------------------------------------------------------------
 */

static void begin_events(struct cloudwatch *c)
{
    struct waggle__obj o;
    begin_request(c, &o, true);
    waggle__buf_str(&c->request, ",\"logEvents\":[");
    c->pending = (struct pending){0};
}

/* Send what is pending and begin anew. */
static void put_events(struct cloudwatch *c, const waggle_deadline *given)
{
    static const char operation[] = "PutLogEvents";
    waggle_response response;
    size_t n = c->pending.n;
    if (n == 0)
        return;
    waggle__buf_str(&c->request, "]}");
    call(c, operation, given, &response);
    if (waggle__aws_is(answer_of(&response), "ResourceNotFoundException")) {
        struct waggle__buf events = c->request;
        waggle__buf_init(&c->request, PUT_JSON_MAX);
        make_place(c, given);
        waggle__buf_done(&c->request);
        c->request = events;
        call(c, operation, given, &response);
    }
    bool taken = response.status == 200 ||
                 waggle__aws_is(answer_of(&response), "DataAlreadyAcceptedException");
    if (taken) {
        size_t rejected = waggle__aws_rejected(answer_of(&response), n);
        c->failed += rejected;
        if (rejected > 0)
            waggle__error(WAGGLE_LEVEL_WARN,
                          "%zu of %zu log events are too old or too new, "
                          "dropped by the service",
                          rejected, n);
    } else {
        c->failed += n;
        c->timed_out |= cloudwatch_retry(&response);
        tell(&response, operation, "dropping log events");
    }
    begin_events(c);
}

/* Fits one more event of n bytes at that time into the pending request? */
static bool fits(const struct pending *p, size_t n, int64_t ms)
{
    return p->n == 0 || (p->n < EVENTS_MAX && p->bytes + n + EVENT_OVERHEAD <= PUT_BYTES_MAX &&
                         ms - p->first_ms < DAY_MS);
}

static void put_event(struct cloudwatch *c, const waggle_batch *batch, const struct event *event,
                      const waggle_deadline *given)
{
    waggle_log_data log;
    const waggle_record *record = &batch->records[event->record];
    if (!waggle_record_log(record, &log)) {
        c->failed++;
        return;
    }
    waggle__cloudwatch_message(&c->message, &log, batch->scopes[record->scope], batch->resource,
                               c->raw);
    waggle_str message =
        waggle__str_cut((waggle_str){(const char *)c->message.p, c->message.n}, MESSAGE_BYTES_MAX);
    if (c->message.bad || message.n == 0) {
        c->failed++;
        return;
    }
    if (!fits(&c->pending, message.n, event->ms))
        put_events(c, given);
    if (c->pending.n == 0)
        c->pending.first_ms = event->ms;
    waggle__buf_printf(&c->request,
                       "%s{\"timestamp\":%lld,\"message\":", c->pending.n > 0 ? "," : "",
                       (long long)event->ms);
    waggle__json_text(&c->request, message);
    waggle__buf_str(&c->request, "}");
    c->pending.n++;
    c->pending.bytes += message.n + EVENT_OVERHEAD;
}

/* By time; of the same time in the order they came. */
static int compare_events(const void *a, const void *b)
{
    const struct event *x = a;
    const struct event *y = b;
    if (x->ms != y->ms)
        return x->ms < y->ms ? -1 : 1;
    return x->record < y->record ? -1 : x->record > y->record;
}

static bool order_events(struct cloudwatch *c, const waggle_batch *batch)
{
    if (batch->n_records > c->cap_events) {
        struct event *more = realloc(c->events, batch->n_records * sizeof *more);
        if (more == NULL)
            return false;
        c->events = more;
        c->cap_events = batch->n_records;
    }
    for (size_t i = 0; i < batch->n_records; i++) {
        waggle_log_data log = {0};
        (void)waggle_record_log(&batch->records[i], &log); // one that is none is counted later
        uint64_t ns = log.time_ns != 0 ? log.time_ns : log.observed_ns;
        c->events[i] = (struct event){(int64_t)(ns / 1000000u), (uint32_t)i};
    }
    qsort(c->events, batch->n_records, sizeof *c->events, compare_events);
    return true;
}

/* The names of the batch: those that were given, else from the resource, which in the child of a
 * fork is another one. A stream's name may hold neither ':' nor '*', a group's little else than
 * letters and digits. */
static void name_place(struct cloudwatch *c, const waggle_resource_info *resource)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_/#";
    waggle_str service = waggle__resource_text(resource, "service.name");
    waggle_str host = waggle__resource_text(resource, "host.name");
    long long pid = 0;
    waggle_attr_data a;
    for (waggle_cursor at = {0}; waggle_attr_next(resource->attributes, &at, &a);)
        if (a.key.n == 11 && memcmp(a.key.p, "process.pid", 11) == 0 && a.value.type == WAGGLE_I64)
            pid = (long long)a.value.i64;
    if (c->group[0] != '\0')
        (void)snprintf(c->group_name, sizeof c->group_name, "%s", c->group); // cut: refused
    else
        (void)snprintf(c->group_name, sizeof c->group_name, "%.*s",
                       service.n > 0 ? (int)WAGGLE__MIN(service.n, (size_t)256) : 6,
                       service.n > 0 ? service.p : "waggle");
    for (char *p = c->group_name; *p != '\0'; p++)
        if (strchr(allowed, *p) == NULL)
            *p = '_';
    if (c->stream[0] != '\0')
        (void)snprintf(c->stream_name, sizeof c->stream_name, "%s", c->stream); // cut: refused
    else
        (void)snprintf(c->stream_name, sizeof c->stream_name, "%.*s/%lld",
                       host.n > 0 ? (int)WAGGLE__MIN(host.n, (size_t)256) : 4,
                       host.n > 0 ? host.p : "host", pid);
    for (char *p = c->stream_name; *p != '\0'; p++)
        if (*p == ':' || *p == '*')
            *p = '_';
}

static bool find_credentials(struct cloudwatch *c)
{
    c->credentials = c->own;
    if (c->get_credentials != NULL && !c->get_credentials(c->get_self, &c->credentials))
        return false;
    return c->credentials.access_key_id != NULL && c->credentials.secret_access_key != NULL;
}

static enum waggle_export cloudwatch_export(struct waggle_exporter *e, const waggle_batch *batch,
                                            const waggle_deadline *given)
{
    struct cloudwatch *c = (struct cloudwatch *)e;
    if (batch->signal != WAGGLE_SIGNAL_LOGS)
        return WAGGLE_EXPORT_FAILED;
    if (!find_credentials(c) || !order_events(c, batch)) {
        waggle__error(WAGGLE_LEVEL_ERROR,
                      "no AWS credentials or no memory, dropping %zu log events", batch->n_records);
        return WAGGLE_EXPORT_FAILED;
    }
    name_place(c, batch->resource);
    c->failed = 0;
    c->timed_out = false;
    begin_events(c);
    for (size_t i = 0; i < batch->n_records; i++)
        put_event(c, batch, &c->events[i], given);
    put_events(c, given);
    e->rejected = c->failed;
    if (c->failed == 0)
        return WAGGLE_EXPORT_OK;
    if (c->failed < batch->n_records)
        return WAGGLE_EXPORT_PARTIAL;
    return c->timed_out ? WAGGLE_EXPORT_TIMEOUT : WAGGLE_EXPORT_PARTIAL;
}

static void cloudwatch_after_fork(struct waggle_exporter *e)
{
    waggle__post_after_fork(&((struct cloudwatch *)e)->post);
}

static void cloudwatch_free(struct waggle_exporter *e)
{
    struct cloudwatch *c = (struct cloudwatch *)e;
    waggle__post_done(&c->post);
    waggle__buf_done(&c->message);
    waggle__buf_done(&c->request);
    waggle__buf_done(&c->headers);
    free(c->events);
    free(c->texts);
    free(c);
}

static const struct waggle_exporter_ops cloudwatch_ops = {
    .struct_size = sizeof cloudwatch_ops,
    .name = "cloudwatch",
    .export_batch = cloudwatch_export,
    .after_fork = cloudwatch_after_fork,
    .free = cloudwatch_free,
};

/* --- what it is told ---------------------------------------------------------------------------
 */

/* What must not break a header's line or a signature. */
static bool is_header_safe(const char *s, size_t max)
{
    size_t n = 0;
    for (; s[n] != '\0'; n++)
        if ((unsigned char)s[n] <= 0x20 || (unsigned char)s[n] >= 0x7f)
            return false;
    return n <= max;
}

static bool copy_texts(struct cloudwatch *c, const waggle_cloudwatch_options *o, const char *region)
{
    const waggle_aws_credentials *k = &o->credentials;
    const struct waggle__copied all[] = {
        {&c->group, waggle__setting(o->group, "OTEL_C_CLOUDWATCH_GROUP", NULL)},
        {&c->stream, waggle__setting(o->stream, "OTEL_C_CLOUDWATCH_STREAM", NULL)},
        {&c->region, region},
        {&c->own.access_key_id, waggle__setting(k->access_key_id, "AWS_ACCESS_KEY_ID", NULL)},
        {&c->own.secret_access_key,
         waggle__setting(k->secret_access_key, "AWS_SECRET_ACCESS_KEY", NULL)},
        {&c->own.session_token, k->access_key_id != NULL && k->session_token == NULL
                                    ? ""
                                    : waggle__setting(k->session_token, "AWS_SESSION_TOKEN", NULL)},
    };
    c->texts = waggle__copy_texts(all, WAGGLE__COUNT(all));
    return c->texts != NULL;
}

/* The URL's host as it is signed, and its path. */
static bool set_endpoint(struct cloudwatch *c, const char *endpoint, const char *region)
{
    char url[1200];
    struct waggle__url parsed;
    int n = endpoint[0] != '\0' ? snprintf(url, sizeof url, "%s", endpoint)
                                : snprintf(url, sizeof url, "https://logs.%s.amazonaws.com%s/",
                                           region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
    if (n < 0 || (size_t)n >= sizeof url || !waggle__url_parse(url, &parsed)) {
        waggle__error(WAGGLE_LEVEL_ERROR, "the CloudWatch Logs endpoint is no URL, not exporting");
        return false;
    }
    (void)snprintf(c->authority, sizeof c->authority, "%s", parsed.authority); // fits
    (void)snprintf(c->path, sizeof c->path, "%.*s", (int)strcspn(parsed.path, "?"), parsed.path);
    if (c->path[0] == '\0')
        (void)snprintf(c->path, sizeof c->path, "/");
    return true;
}

static bool cloudwatch_setup(struct cloudwatch *c, waggle_cloudwatch_options *o)
{
    const char *endpoint =
        waggle__setting(o->endpoint, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "AWS_ENDPOINT_URL");
    const char *region = waggle__setting(o->region, "AWS_REGION", "AWS_DEFAULT_REGION");
    if (region[0] == '\0' && endpoint[0] != '\0')
        region = "us-east-1";
    if (region[0] == '\0' || !copy_texts(c, o, region) || !is_header_safe(c->region, 64) ||
        !is_header_safe(c->own.access_key_id, 128) ||
        !is_header_safe(c->own.secret_access_key, 200) ||
        !is_header_safe(c->own.session_token, 4096)) {
        waggle__error(WAGGLE_LEVEL_ERROR, "no AWS region or credentials of use, not exporting");
        return false;
    }
    c->get_credentials = o->get_credentials;
    c->get_self = o->get_self;
    if (c->get_credentials == NULL &&
        (c->own.access_key_id[0] == '\0' || c->own.secret_access_key[0] == '\0')) {
        waggle__error(WAGGLE_LEVEL_ERROR, "there are no AWS credentials, not exporting");
        return false;
    }
    if (!set_endpoint(c, endpoint, c->region))
        return false;
    char url[1400];
    struct waggle_transport *transport = o->transport;
    o->transport = NULL;
    if (endpoint[0] != '\0')
        (void)snprintf(url, sizeof url, "%s", endpoint); // set_endpoint saw that it fits
    else
        (void)snprintf(url, sizeof url, "https://%s%s", c->authority, c->path);
    return waggle__post_init(&c->post, waggle__url_copy(url), transport,
                             "CloudWatch Logs endpoint");
}

struct waggle_exporter *waggle_cloudwatch_exporter_new(const waggle_cloudwatch_options *options)
{
    waggle_cloudwatch_options o = {0};
    if (options != NULL)
        memcpy(&o, options,
               options->struct_size ? WAGGLE__MIN(options->struct_size, sizeof o) : sizeof o);
    struct cloudwatch *c = calloc(1, sizeof *c);
    if (c != NULL) {
        c->base.ops = &cloudwatch_ops;
        c->timeout_ms = o.timeout_ms ? o.timeout_ms : CW_TIMEOUT_MS;
        c->retention_days = o.retention_days;
        c->raw = o.raw || waggle__env_true("OTEL_C_CLOUDWATCH_RAW");
        waggle__buf_init(&c->message, PUT_BYTES_MAX);
        waggle__buf_init(&c->request, PUT_JSON_MAX);
        waggle__buf_init(&c->headers, CW_HEADERS_MAX);
        if (cloudwatch_setup(c, &o))
            return &c->base;
        cloudwatch_free(&c->base);
    }
    if (o.transport != NULL && o.transport->ops->free != NULL)
        o.transport->ops->free(o.transport);
    return NULL;
}
