// SPDX-License-Identifier: Apache-2.0
/*
 * xray_exporter.c - spans as X-Ray segments, to the X-Ray daemon over UDP
 *
 *   {"format": "json", "version": 1}\n{segment}
 *
 * A span that serves (kind server or consumer) or that has no parent in this process is a segment
 * named by its attribute aws.local.service or else by service.name; any other is an independent
 * subsegment named by itself. Times are seconds. Attributes of HTTP and databases go where X-Ray
 * looks for them; those whose keys the list aws.xray.annotations names are annotations; a map under
 * aws.xray.metadata.NAMESPACE is that namespace's metadata; all others are metadata under
 * "default". 5xx is a fault, 4xx an error, 429 a throttle; a status of error without such a code is
 * a fault. Exceptions are the cause, with the frames of a stack as the sanitizers write it. Log
 * records have no place here.
 *
 * A datagram that cannot be sent is lost, as UDP's are; those that are larger than one datagram are
 * left out and counted as failed.
 *
 * Threads: one at a time. Memory: one document, at most 64 KiB.
 */
#include "frames.h"
#include "json.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATAGRAM_MAX = 64000, ADDRESS_MAX = 272 };

struct xray_exporter {
    struct waggle_exporter base;
    int fd;
    struct waggle__buf document;
};

/* --- the document -------------------------------------------------------------------------------
 */

static bool xray_attr(const waggle_span_data *span, const char *key, waggle_value_data *ret)
{
    waggle_attr_data a;
    for (waggle_cursor c = {0}; waggle_span_data_attr(span, &c, &a);) {
        if (a.key.n != strlen(key) || memcmp(a.key.p, key, a.key.n) != 0)
            continue;
        *ret = a.value;
        return true;
    }
    return false;
}

/* A key of today, or the one it had before. */
static bool either(const waggle_span_data *span, const char *now, const char *before,
                   waggle_value_data *ret)
{
    return xray_attr(span, now, ret) || xray_attr(span, before, ret);
}

static void put_seconds(struct waggle__buf *out, const char *key, uint64_t ns)
{
    waggle__buf_printf(out, ",\"%s\":%llu.%09llu", key, (unsigned long long)(ns / 1000000000u),
                       (unsigned long long)(ns % 1000000000u));
}

static void put_member(struct waggle__buf *out, bool *first, const char *key,
                       const waggle_value_data *v)
{
    waggle__buf_printf(out, "%s\"%s\":", *first ? "" : ",", key);
    waggle__json_value(out, v);
    *first = false;
}

/* The members of http.request and http.response, by today's attributes and those before them. */
static const struct http_member {
    const char *key, *now, *before;
} http_request[] = {{"method", "http.request.method", "http.method"},
                    {"url", "url.full", "http.url"},
                    {"url", "url.path", "http.target"},
                    {"client_ip", "client.address", "http.client_ip"},
                    {"user_agent", "user_agent.original", "http.user_agent"}},
  http_response[] = {{"status", "http.response.status_code", "http.status_code"},
                     {"content_length", "http.response.body.size", "http.response_content_length"}};

/* The object of those of the n members that the span has; of two of one key the first. */
static void put_http_members(struct waggle__buf *out, const waggle_span_data *span,
                             const struct http_member *members, size_t n)
{
    const char *last = "";
    bool first = true;
    waggle_value_data v;
    waggle__buf_str(out, "{");
    for (size_t i = 0; i < n; i++) {
        if (strcmp(members[i].key, last) == 0 ||
            !either(span, members[i].now, members[i].before, &v))
            continue;
        put_member(out, &first, members[i].key, &v);
        last = members[i].key;
    }
    waggle__buf_str(out, "}");
}

static void put_http(struct waggle__buf *out, const waggle_span_data *span)
{
    waggle_value_data v;
    bool has_status =
        either(span, "http.response.status_code", "http.status_code", &v) && v.type == WAGGLE_I64;
    int64_t code = has_status ? v.i64 : 0;
    if (!has_status && !either(span, "http.request.method", "http.method", &v))
        return;
    waggle__buf_str(out, ",\"http\":{\"request\":");
    put_http_members(out, span, http_request, WAGGLE__COUNT(http_request));
    if (has_status) {
        waggle__buf_str(out, ",\"response\":");
        put_http_members(out, span, http_response, WAGGLE__COUNT(http_response));
    }
    waggle__buf_str(out, "}");
    if (code == 429)
        waggle__buf_str(out, ",\"throttle\":true,\"error\":true");
    else if (code >= 400 && code < 500)
        waggle__buf_str(out, ",\"error\":true");
}

static bool is_fault(const waggle_span_data *span)
{
    waggle_value_data status;
    bool has = either(span, "http.response.status_code", "http.status_code", &status) &&
               status.type == WAGGLE_I64;
    if (has && status.i64 >= 400)
        return status.i64 >= 500;
    return span->status == WAGGLE_STATUS_ERROR;
}

/* Where a frame is in its binary, as Rollbar items of waggle have it (docs/formats/native-stacks.md
 * of skep); X-Ray itself does not look at these. */
static void put_xray_place(struct waggle__buf *out, const struct waggle__frame *f)
{
    if (!f->has_offset || f->module.n == 0)
        return;
    waggle__buf_str(out, ",\"module\":");
    waggle__json_text(out, f->module);
    waggle__buf_printf(out, ",\"offset\":\"0x%llx\"", (unsigned long long)f->offset);
    if (f->build_id.n > 0) {
        waggle__buf_str(out, ",\"build_id\":");
        waggle__json_text(out, f->build_id);
    }
}

/* The frames of a stack's text, innermost first as X-Ray has them. */
static void put_xray_stack(struct waggle__buf *out, waggle_str text)
{
    struct waggle__frame f;
    bool first = true;
    waggle__buf_str(out, ",\"stack\":[");
    for (waggle_cursor c = {0}; waggle__frame_next(text, &c, &f); first = false) {
        waggle__buf_str(out, first ? "{\"path\":" : ",{\"path\":");
        waggle__json_text(out, f.file.n > 0 ? f.file : f.module);
        if (f.function.n > 0) {
            waggle__buf_str(out, ",\"label\":");
            waggle__json_text(out, f.function);
        } else if (f.has_offset) { // raw addresses change with each start; this does not
            waggle__buf_printf(out, ",\"label\":\"+0x%llx\"", (unsigned long long)f.offset);
        }
        put_xray_place(out, &f);
        if (f.line > 0)
            waggle__buf_printf(out, ",\"line\":%u", f.line);
        waggle__buf_str(out, "}");
    }
    waggle__buf_str(out, "]");
}

static void put_exception(struct waggle__buf *out, const waggle_event_data *event, bool first,
                          uint64_t id)
{
    static const char stack_key[] = "exception.stacktrace";
    static const char *const keys[][2] = {{"exception.type", "type"},
                                          {"exception.message", "message"}};
    waggle__buf_printf(out, "%s{\"id\":\"%016llx\"", first ? "" : ",", (unsigned long long)id);
    waggle_attr_data a;
    for (waggle_cursor c = {0}; waggle_event_data_attr(event, &c, &a);) {
        if (a.value.type == WAGGLE_STR && a.key.n == strlen(stack_key) &&
            memcmp(a.key.p, stack_key, a.key.n) == 0)
            put_xray_stack(out, a.value.str);
        for (size_t i = 0; i < WAGGLE__COUNT(keys); i++) {
            if (a.key.n != strlen(keys[i][0]) || memcmp(a.key.p, keys[i][0], a.key.n) != 0)
                continue;
            waggle__buf_printf(out, ",\"%s\":", keys[i][1]);
            waggle__json_value(out, &a.value);
        }
    }
    waggle__buf_str(out, "}");
}

static void put_cause(struct waggle__buf *out, const waggle_span_data *span)
{
    static const char name[] = "exception";
    waggle_event_data event;
    struct waggle__thread *t = waggle__thread();
    size_t n = 0;
    for (waggle_cursor c = {0}; t != NULL && waggle_span_data_event(span, &c, &event);) {
        if (event.name.n != sizeof name - 1 || memcmp(event.name.p, name, event.name.n) != 0)
            continue;
        if (n == 0)
            waggle__buf_str(out, ",\"cause\":{\"exceptions\":[");
        put_exception(out, &event, n++ == 0, waggle__random64(t));
    }
    if (n > 0)
        waggle__buf_str(out, "]}");
    else if (span->status == WAGGLE_STATUS_ERROR && span->status_message.n > 0 && t != NULL) {
        waggle__buf_printf(out, ",\"cause\":{\"exceptions\":[{\"id\":\"%016llx\",\"message\":",
                           (unsigned long long)waggle__random64(t));
        waggle__json_text(out, span->status_message);
        waggle__buf_str(out, "}]}");
    }
}

static void put_sql(struct waggle__buf *out, const waggle_span_data *span)
{
    waggle_value_data v;
    bool first = true;
    if (!either(span, "db.system.name", "db.system", &v))
        return;
    waggle__buf_str(out, ",\"sql\":{");
    put_member(out, &first, "database_type", &v);
    if (either(span, "db.query.text", "db.statement", &v))
        put_member(out, &first, "sanitized_query", &v);
    waggle__buf_str(out, "}");
}

/* --- annotations and metadata ----------------------------------------------------------------- */

static const char annotations_key[] = "aws.xray.annotations";
static const char metadata_prefix[] = "aws.xray.metadata.";
static const char segment_name_key[] = "aws.local.service";
static const char rule_key[] = "aws.xray.sampling_rule";

static bool xray_key_is(waggle_str s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* Does the list of keys to annotate hold this one? */
static bool xray_annotated(const waggle_value_data *list, waggle_str key)
{
    waggle_value_data v;
    if (list->type != WAGGLE_LIST)
        return false;
    for (waggle_cursor c = {0}; waggle_value_next(list->encoded, &c, &v);)
        if (v.type == WAGGLE_STR && v.str.n == key.n && memcmp(v.str.p, key.p, key.n) == 0)
            return true;
    return false;
}

/* Does it stand elsewhere in the document? */
static bool xray_placed(const waggle_attr_data *a)
{
    return xray_key_is(a->key, annotations_key) || xray_key_is(a->key, segment_name_key) ||
           xray_key_is(a->key, rule_key);
}

static bool xray_namespace(const waggle_attr_data *a)
{
    size_t n = sizeof metadata_prefix - 1;
    return a->value.type == WAGGLE_MAP && a->key.n > n && memcmp(a->key.p, metadata_prefix, n) == 0;
}

static void put_annotations(struct waggle__buf *out, const waggle_span_data *span,
                            const waggle_value_data *annotated)
{
    waggle_attr_data a;
    bool first = true;
    for (waggle_cursor c = {0}; waggle_span_data_attr(span, &c, &a);) {
        bool scalar = a.value.type == WAGGLE_STR || a.value.type == WAGGLE_BOOL ||
                      a.value.type == WAGGLE_I64 || a.value.type == WAGGLE_F64;
        if (!scalar || !xray_annotated(annotated, a.key))
            continue;
        waggle__buf_str(out, first ? ",\"annotations\":{" : ",");
        waggle__json_text(out, a.key);
        waggle__buf_put(out, ":", 1);
        waggle__json_value(out, &a.value);
        first = false;
    }
    if (!first)
        waggle__buf_str(out, "}");
}

/* Metadata while it is written: namespaces first, those without one in "default". */
struct metadata {
    struct waggle__buf *out;
    bool any, in_default;
};

static void put_default_key(struct metadata *m, const char *prefix, waggle_str key)
{
    waggle__buf_str(m->out, m->in_default ? ","
                            : m->any      ? ",\"default\":{"
                                          : ",\"metadata\":{\"default\":{");
    m->in_default = true;
    if (prefix == NULL) {
        waggle__json_text(m->out, key);
    } else { // keys of resources are names: nothing to escape
        waggle__buf_printf(m->out, "\"%s%.*s\"", prefix, (int)key.n, key.p);
    }
    waggle__buf_put(m->out, ":", 1);
}

static bool plain_key(waggle_str key)
{
    for (size_t i = 0; i < key.n; i++)
        if ((unsigned char)key.p[i] <= ' ' || key.p[i] == '"' || key.p[i] == '\\' ||
            (unsigned char)key.p[i] > '~')
            return false;
    return key.n > 0 && key.n <= 200;
}

/* Who sent a segment: attributes of its resource, named as OpenTelemetry's collector names them. */
static void put_resource(struct metadata *m, const waggle_resource_info *resource)
{
    waggle_attr_data a;
    for (waggle_cursor c = {0}; waggle_attr_next(resource->attributes, &c, &a);) {
        bool scalar = a.value.type == WAGGLE_STR || a.value.type == WAGGLE_BOOL ||
                      a.value.type == WAGGLE_I64 || a.value.type == WAGGLE_F64;
        if (!scalar || !plain_key(a.key) || xray_key_is(a.key, "service.name"))
            continue;
        put_default_key(m, "otel.resource.", a.key);
        waggle__json_value(m->out, &a.value);
    }
}

/* resource  of a segment; NULL of a subsegment */
static void put_metadata(struct waggle__buf *out, const waggle_span_data *span,
                         const waggle_value_data *annotated, const waggle_resource_info *resource)
{
    struct metadata m = {.out = out};
    waggle_attr_data a;
    for (waggle_cursor c = {0}; waggle_span_data_attr(span, &c, &a);) {
        if (!xray_namespace(&a))
            continue;
        a.key.p += sizeof metadata_prefix - 1;
        a.key.n -= sizeof metadata_prefix - 1;
        waggle__buf_str(out, m.any ? "," : ",\"metadata\":{");
        waggle__json_text(out, a.key);
        waggle__buf_put(out, ":", 1);
        waggle__json_value(out, &a.value);
        m.any = true;
    }
    for (waggle_cursor c = {0}; waggle_span_data_attr(span, &c, &a);) {
        if (xray_namespace(&a) || xray_annotated(annotated, a.key) || xray_placed(&a))
            continue;
        put_default_key(&m, NULL, a.key);
        waggle__json_value(out, &a.value);
    }
    if (resource != NULL)
        put_resource(&m, resource);
    if (m.in_default)
        waggle__buf_str(out, "}");
    if (m.in_default || m.any)
        waggle__buf_str(out, "}");
}

/* What made the document, and the sampling rule that took its trace. */
static void put_aws(struct waggle__buf *out, const waggle_span_data *span)
{
    waggle_value_data rule;
    waggle__buf_str(out, ",\"aws\":{\"xray\":{\"sdk\":\"waggle for c\",");
    waggle__buf_str(out, "\"sdk_version\":\"" WAGGLE_VERSION "\",\"auto_instrumentation\":false");
    if (xray_attr(span, rule_key, &rule) && rule.type == WAGGLE_STR) {
        waggle__buf_str(out, ",\"sampling_rule_name\":");
        waggle__json_text(out, rule.str);
    }
    waggle__buf_str(out, "}}}");
}

static waggle_str service_name(const waggle_resource_info *resource)
{
    static const char key[] = "service.name";
    waggle_attr_data a;
    for (waggle_cursor c = {0}; waggle_attr_next(resource->attributes, &c, &a);)
        if (a.key.n == sizeof key - 1 && memcmp(a.key.p, key, a.key.n) == 0)
            return a.value.str;
    return (waggle_str){"unknown", 7};
}

static void put_document(struct waggle__buf *out, const waggle_span_data *span,
                         const waggle_resource_info *resource)
{
    static const uint8_t none[8];
    char trace[33];
    char id[17];
    bool has_parent = memcmp(span->parent_span_id, none, 8) != 0;
    bool remote = (span->flags & 0x200u) != 0;
    bool serves = span->kind == WAGGLE_KIND_SERVER || span->kind == WAGGLE_KIND_CONSUMER;
    bool segment = serves || !has_parent || remote;
    waggle_value_data annotated = {.type = WAGGLE_EMPTY};
    waggle_value_data named;
    bool has_name = xray_attr(span, segment_name_key, &named) && named.type == WAGGLE_STR;
    (void)xray_attr(span, annotations_key, &annotated); // without it there are none
    waggle_trace_id_hex(span->trace_id, trace);
    waggle_span_id_hex(span->span_id, id);
    out->n = 0;
    out->bad = false;
    waggle__buf_str(out, "{\"format\": \"json\", \"version\": 1}\n{\"name\":");
    waggle__json_text(out, !segment ? span->name : has_name ? named.str : service_name(resource));
    waggle__buf_printf(out, ",\"id\":\"%s\",\"trace_id\":\"1-%.8s-%s\"", id, trace, trace + 8);
    put_seconds(out, "start_time", span->start_ns);
    put_seconds(out, "end_time", span->end_ns);
    if (has_parent) {
        waggle_span_id_hex(span->parent_span_id, id);
        waggle__buf_printf(out, ",\"parent_id\":\"%s\"", id);
    }
    if (!segment)
        waggle__buf_printf(out, ",\"type\":\"subsegment\",\"namespace\":\"%s\"",
                           span->kind == WAGGLE_KIND_CLIENT ? "remote" : "local");
    put_http(out, span);
    if (is_fault(span))
        waggle__buf_str(out, ",\"fault\":true");
    put_cause(out, span);
    put_sql(out, span);
    put_annotations(out, span, &annotated);
    put_metadata(out, span, &annotated, segment ? resource : NULL);
    put_aws(out, span);
}

/* --- sending ------------------------------------------------------------------------------------
 */

static enum waggle_export xray_export(struct waggle_exporter *e, const waggle_batch *batch,
                                      const waggle_deadline *deadline)
{
    struct xray_exporter *x = (struct xray_exporter *)e;
    uint64_t failed = 0;
    (void)deadline;
    if (batch->signal != WAGGLE_SIGNAL_TRACES)
        return WAGGLE_EXPORT_FAILED;
    for (size_t i = 0; i < batch->n_records; i++) {
        waggle_span_data span;
        if (!waggle_record_span(&batch->records[i], &span)) {
            failed++;
            continue;
        }
        put_document(&x->document, &span, batch->resource);
        ssize_t sent = -1;
        if (!x->document.bad)
            do // ECONNREFUSED tells of an earlier datagram: this one may go
                sent = send(x->fd, x->document.p, x->document.n, MSG_NOSIGNAL);
            while (sent < 0 && errno == EINTR);
        failed += sent < 0;
    }
    e->rejected = failed;
    return failed > 0 ? WAGGLE_EXPORT_PARTIAL : WAGGLE_EXPORT_OK;
}

static void xray_free(struct waggle_exporter *e)
{
    struct xray_exporter *x = (struct xray_exporter *)e;
    (void)close(x->fd); // datagrams are gone or lost
    waggle__buf_done(&x->document);
    free(x);
}

static const struct waggle_exporter_ops xray_ops = {
    .struct_size = sizeof xray_ops,
    .name = "xray",
    .export_batch = xray_export,
    .free = xray_free,
};

/* "host:port", or AWS's "tcp:host:port udp:host:port"; the UDP part, as host and port. */
static bool split_address(const char *address, char host[ADDRESS_MAX], const char **ret_port)
{
    const char *udp = strstr(address, "udp:");
    const char *from = udp ? udp + 4 : address;
    size_t n = strcspn(from, " ");
    if (n == 0 || n >= ADDRESS_MAX)
        return false;
    memcpy(host, from, n);
    host[n] = '\0';
    char *colon = strrchr(host, ':');
    if (colon == NULL || colon == host || colon[1] == '\0')
        return false;
    *colon = '\0';
    *ret_port = colon + 1;
    return true;
}

static int open_udp(const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list = NULL;
    if (getaddrinfo(host, port, &hints, &list) != 0)
        return -1;
    int fd = -1;
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            (void)close(fd); // nothing was sent
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC); // fresh: does not fail
    return fd;
}

struct waggle_exporter *waggle_xray_exporter_new(const char *address)
{
    char host[ADDRESS_MAX];
    const char *port = NULL;
    const char *from_env = waggle__env("AWS_XRAY_DAEMON_ADDRESS");
    if (address == NULL)
        address = from_env != NULL ? from_env : "127.0.0.1:2000";
    struct xray_exporter *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->base.ops = &xray_ops;
    x->fd = split_address(address, host, &port) ? open_udp(host, port) : -1;
    waggle__buf_init(&x->document, DATAGRAM_MAX);
    if (x->fd >= 0)
        return &x->base;
    waggle__error(WAGGLE_LEVEL_ERROR, "X-Ray daemon address %s is of no use, not exporting",
                  address);
    free(x);
    return NULL;
}
