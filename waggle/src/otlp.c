// SPDX-License-Identifier: Apache-2.0
/*
 * otlp.c - the OTLP exporter: over HTTP as protobuf or JSON, over gRPC by a transport that frames
 *
 *   ExportTraceServiceRequest { 0A ResourceSpans { 0A Resource
 *       12 ScopeSpans { 0A scope  (12 span)*  1A schema URL } ...  1A schema URL } }
 *
 * Records are whole "12 span" fields already. The request is a list of pieces: small heads made
 * here, and between them the records where they lie, neighbours of one scope as one piece. Logs and
 * metrics have the same numbers.
 *
 * Retried are 429, 502, 503, 504 and lost or refused connections (post.c). Anything else is final.
 *
 * Threads: one at a time. Memory: the heads and pieces grow to the largest batch.
 */
#include "sdk_priv.h"

#include "gzip.h"
#include "otlp_answer.h"
#include "otlp_json.h"
#include "post.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { TIMEOUT_MS = 10000, URL_MAX = 2048 };
enum { REQUEST_BYTES_MAX = 64 << 20, HEADERS_MAX = 6144 };

struct otlp {
    struct waggle_exporter base;
    enum waggle_signal signal;
    struct waggle__post post;
    struct waggle__buf headers; /* "Name: value\r\n" lines, NUL-terminated */
    uint32_t timeout_ms;
    bool gzip, json, grpc;
    struct waggle__buf heads;
    struct waggle__buf text;   /* the request as JSON */
    struct waggle__buf packed; /* the gzipped body */
    waggle_piece *pieces;
    size_t n_pieces, cap_pieces;
};

/* --- the request --------------------------------------------------------------------------- */

static bool add_piece(struct otlp *o, const void *p, size_t n)
{
    waggle_piece *last = o->n_pieces > 0 ? &o->pieces[o->n_pieces - 1] : NULL;
    if (last != NULL && (const char *)last->p + last->n == (const char *)p) {
        last->n += n;
        return true;
    }
    if (o->n_pieces == o->cap_pieces) {
        size_t cap = o->cap_pieces ? 2 * o->cap_pieces : 64;
        waggle_piece *more = realloc(o->pieces, cap * sizeof *more);
        if (more == NULL)
            return false;
        o->pieces = more;
        o->cap_pieces = cap;
    }
    o->pieces[o->n_pieces++] = (waggle_piece){p, n};
    return true;
}

static size_t field_size(size_t n)
{
    return n > 0 ? 1 + waggle__varint_n(n) + n : 0;
}

/* Bytes of the message that holds the records of one scope. */
static size_t scope_size(const waggle_batch *batch, uint32_t scope)
{
    const waggle_scope_info *s = batch->scopes[scope];
    size_t n = field_size(s->encoded.n) + field_size(s->schema_url.n);
    for (size_t i = 0; i < batch->n_records; i++)
        if (batch->records[i].scope == scope)
            n += batch->records[i].n;
    return n;
}

/* Scopes of the batch, in the order they appear; returns their number. */
static size_t scopes_of(const waggle_batch *batch, uint32_t ret_scopes[WAGGLE__SCOPES_MAX])
{
    uint8_t seen[WAGGLE__SCOPES_MAX] = {0};
    size_t n = 0;
    for (size_t i = 0; i < batch->n_records; i++) {
        uint32_t scope = batch->records[i].scope;
        if (scope >= batch->n_scopes || scope >= WAGGLE__SCOPES_MAX || seen[scope])
            continue;
        seen[scope] = 1;
        ret_scopes[n++] = scope;
    }
    return n;
}

static void put_field(struct waggle__buf *b, uint32_t field, waggle_str s)
{
    if (s.n > 0)
        waggle__buf_field(b, field, s.p, s.n);
}

static void put_length(struct waggle__buf *b, uint32_t field, size_t n)
{
    waggle__buf_varint(b, WAGGLE__TAG(field, WAGGLE__LEN));
    waggle__buf_varint(b, n);
}

/* Room for all heads at once, so that pieces may point into them while they are made. */
static bool reserve_heads(struct otlp *o, const waggle_batch *batch, const uint32_t *scopes,
                          size_t n)
{
    size_t need = 64 + batch->resource->encoded.n + batch->resource->schema_url.n;
    for (size_t i = 0; i < n; i++)
        need += 64 + batch->scopes[scopes[i]]->encoded.n + batch->scopes[scopes[i]]->schema_url.n;
    o->heads.n = 0;
    return waggle__buf_room(&o->heads, need);
}

static bool add_scope(struct otlp *o, const waggle_batch *batch, uint32_t scope)
{
    size_t from = o->heads.n;
    put_length(&o->heads, 2, scope_size(batch, scope));
    put_field(&o->heads, 1, batch->scopes[scope]->encoded);
    bool ok = add_piece(o, o->heads.p + from, o->heads.n - from);
    for (size_t i = 0; ok && i < batch->n_records; i++)
        if (batch->records[i].scope == scope)
            ok = add_piece(o, batch->records[i].p, batch->records[i].n);
    from = o->heads.n;
    put_field(&o->heads, 3, batch->scopes[scope]->schema_url);
    return ok && (o->heads.n == from || add_piece(o, o->heads.p + from, o->heads.n - from));
}

/* Lay the request out as pieces; its size, or 0 without memory. */
static size_t make_request(struct otlp *o, const waggle_batch *batch)
{
    uint32_t scopes[WAGGLE__SCOPES_MAX];
    size_t n_scopes = scopes_of(batch, scopes);
    const waggle_resource_info *r = batch->resource;
    if (!reserve_heads(o, batch, scopes, n_scopes))
        return 0;
    size_t inner = field_size(r->encoded.n) + field_size(r->schema_url.n);
    for (size_t i = 0; i < n_scopes; i++)
        inner += field_size(scope_size(batch, scopes[i]));
    o->n_pieces = 0;
    put_length(&o->heads, 1, inner);
    put_field(&o->heads, 1, r->encoded);
    bool ok = add_piece(o, o->heads.p, o->heads.n);
    for (size_t i = 0; ok && i < n_scopes; i++)
        ok = add_scope(o, batch, scopes[i]);
    size_t from = o->heads.n;
    put_field(&o->heads, 3, r->schema_url);
    if (o->heads.n > from)
        ok = ok && add_piece(o, o->heads.p + from, o->heads.n - from);
    size_t total = field_size(inner);
    return ok && total <= REQUEST_BYTES_MAX ? total : 0;
}

static size_t make_json_request(struct otlp *o, const waggle_batch *batch)
{
    o->n_pieces = 0;
    if (!waggle__otlp_json(batch, &o->text) || !add_piece(o, o->text.p, o->text.n))
        return 0;
    return o->text.n;
}

/* --- the answer ---------------------------------------------------------------------------- */

static int printable(waggle_str s)
{
    enum { SHOWN = 200 };
    return (int)WAGGLE__MIN(s.n, (size_t)SHOWN);
}

static enum waggle_export conclude(struct otlp *o, const waggle_response *response, size_t n)
{
    waggle_str message;
    if (response->status >= 200 && response->status < 300) {
        waggle_str body = {response->body, response->body_n};
        uint64_t rejected = o->json ? waggle__partial_json(body, &message)
                                    : waggle__partial_protobuf(body, &message);
        o->base.rejected = WAGGLE__MIN(rejected, (uint64_t)n);
        if (o->base.rejected > 0 || message.n > 0)
            waggle__error(WAGGLE_LEVEL_WARN, "the receiver rejected %llu of %zu records: %.*s",
                          (unsigned long long)o->base.rejected, n, printable(message), message.p);
        return o->base.rejected > 0 ? WAGGLE_EXPORT_PARTIAL : WAGGLE_EXPORT_OK;
    }
    if (response->status == 0) {
        waggle__error(WAGGLE_LEVEL_ERROR, "%s, dropping %zu records", response->error, n);
        return WAGGLE_EXPORT_TIMEOUT;
    }
    message = o->json || o->grpc
                  ? (waggle_str){response->body, response->body_n}
                  : waggle__status_message((waggle_str){response->body, response->body_n});
    waggle__error(WAGGLE_LEVEL_ERROR, "the receiver answered %d, dropping %zu records: %.*s",
                  response->status, n, printable(message), message.p);
    return waggle__retry_http(response) ? WAGGLE_EXPORT_TIMEOUT : WAGGLE_EXPORT_FAILED;
}

/* --- exporting ----------------------------------------------------------------------------- */

static enum waggle_export otlp_export(struct waggle_exporter *e, const waggle_batch *batch,
                                      const waggle_deadline *given)
{
    struct otlp *o = (struct otlp *)e;
    size_t total = o->json ? make_json_request(o, batch) : make_request(o, batch);
    if (total == 0) {
        waggle__error(WAGGLE_LEVEL_ERROR, "no room for a request, dropping %zu records",
                      batch->n_records);
        return WAGGLE_EXPORT_FAILED;
    }
    waggle_request request = {
        .headers = (const char *)o->headers.p,
        .pieces = o->pieces,
        .n_pieces = o->n_pieces,
        .body_n = total,
    };
    waggle_piece packed;
    if (o->gzip && waggle__gzip(o->pieces, o->n_pieces, &o->packed)) {
        packed = (waggle_piece){o->packed.p, o->packed.n};
        request.pieces = &packed;
        request.n_pieces = 1;
        request.body_n = packed.n;
    }
    waggle_response response;
    waggle__post_send(&o->post, &request, waggle__retry_http,
                      waggle__deadline_within(given, o->timeout_ms), &response);
    return conclude(o, &response, batch->n_records);
}

static void otlp_after_fork(struct waggle_exporter *e)
{
    waggle__post_after_fork(&((struct otlp *)e)->post);
}

static void otlp_free(struct waggle_exporter *e)
{
    struct otlp *o = (struct otlp *)e;
    waggle__post_done(&o->post);
    waggle__buf_done(&o->headers);
    waggle__buf_done(&o->heads);
    waggle__buf_done(&o->packed);
    waggle__buf_done(&o->text);
    free(o->pieces);
    free(o);
}

static const struct waggle_exporter_ops otlp_ops = {
    .struct_size = sizeof otlp_ops,
    .name = "otlp",
    .export_batch = otlp_export,
    .after_fork = otlp_after_fork,
    .free = otlp_free,
};

/* --- what it is told ----------------------------------------------------------------------- */

enum { VARIABLE_BYTES = 80 };

/* Of the signal, or (own false) of all; NULL with options that want nothing of the environment. */
static const char *one_setting(const waggle_otlp_options *o, const char *name, bool own,
                               char ret_variable[VARIABLE_BYTES])
{
    static const char *const signals[] = {"TRACES_", "LOGS_", "METRICS_"};
    (void)snprintf(ret_variable, VARIABLE_BYTES, "OTEL_EXPORTER_OTLP_%s%s",
                   own ? signals[o->signal] : "", name); // fits
    return o->no_environment ? NULL : waggle__env(ret_variable);
}

/* A setting of the signal, else the one for all. */
static const char *setting(const waggle_otlp_options *o, const char *name)
{
    char variable[VARIABLE_BYTES];
    const char *value = one_setting(o, name, true, variable);
    return value != NULL ? value : one_setting(o, name, false, variable);
}

static char *joined(const char *base, enum waggle_signal signal)
{
    static const char *const paths[] = {"v1/traces", "v1/logs", "v1/metrics"};
    size_t n = strlen(base);
    char *url = n < URL_MAX ? malloc(n + 16) : NULL;
    if (url != NULL)
        (void)snprintf(url, n + 16, "%s%s%s", base, n > 0 && base[n - 1] == '/' ? "" : "/",
                       paths[signal]);
    return url;
}

/* scheme://host:port of an endpoint and the service's method behind it. One without a scheme is
 * plain if OTEL_EXPORTER_OTLP_INSECURE says so. */
static char *method_url(const char *endpoint, const waggle_otlp_options *o)
{
    static const char *const services[] = {"trace.v1.Trace", "logs.v1.Logs", "metrics.v1.Metrics"};
    enum { METHOD_BYTES = 96 };
    const char *value = setting(o, "INSECURE");
    bool insecure = o->insecure || (value != NULL && strcasecmp(value, "true") == 0);
    const char *colon = strstr(endpoint, "://");
    const char *scheme = colon != NULL ? "" : insecure ? "http://" : "https://";
    const char *host = colon != NULL ? colon + 3 : endpoint;
    size_t n = (size_t)(host - endpoint) + strcspn(host, "/?#");
    char *url = n < URL_MAX ? malloc(n + METHOD_BYTES) : NULL;
    if (url != NULL)
        (void)snprintf(url, n + METHOD_BYTES,
                       "%s%.*s/opentelemetry.proto.collector.%sService/Export", scheme, (int)n,
                       endpoint, services[o->signal]);
    return url;
}

static char *choose_url(const waggle_otlp_options *o)
{
    char variable[VARIABLE_BYTES];
    const char *as_it_is =
        o->url != NULL || o->endpoint != NULL ? o->url : one_setting(o, "ENDPOINT", true, variable);
    const char *base =
        o->endpoint != NULL ? o->endpoint : one_setting(o, "ENDPOINT", false, variable);
    if (o->grpc && (as_it_is != NULL || base != NULL))
        return method_url(as_it_is != NULL ? as_it_is : base, o);
    if (o->grpc)
        return method_url("http://localhost:4317", o);
    if (as_it_is != NULL)
        return waggle__url_copy(as_it_is);
    return joined(base != NULL ? base : "http://localhost:4318", o->signal);
}

static bool is_header_text(waggle_str s, bool name)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f || (name && (c == ' ' || c == ':')))
            return false;
    }
    return true;
}

/* Removes the line of that name, if there is one. */
static void remove_header(struct waggle__buf *lines, waggle_str name)
{
    for (size_t at = 0; at < lines->n;) {
        const char *line = (const char *)lines->p + at;
        const char *newline = memchr(line, '\n', lines->n - at);
        size_t n = newline ? (size_t)(newline - line) + 1 : lines->n - at;
        if (n > name.n && line[name.n] == ':' && strncasecmp(line, name.p, name.n) == 0) {
            memmove(lines->p + at, lines->p + at + n, lines->n - at - n);
            lines->n -= n;
            continue;
        }
        at += n;
    }
}

static void add_header(void *self, waggle_str name, waggle_str value)
{
    struct waggle__buf *lines = self;
    if (!is_header_text(name, true) || !is_header_text(value, false)) {
        waggle__error(WAGGLE_LEVEL_WARN, "a header of the OTLP exporter is malformed, ignoring it");
        return;
    }
    remove_header(lines, name);
    waggle__buf_put(lines, name.p, name.n);
    waggle__buf_str(lines, ": ");
    waggle__buf_put(lines, value.p, value.n);
    waggle__buf_str(lines, "\r\n");
}

static void add_headers(struct otlp *o, const char *list, const char *whence)
{
    if (list != NULL && !waggle__pairs(list, add_header, &o->headers))
        waggle__error(WAGGLE_LEVEL_WARN, "%s is malformed, ignoring it", whence);
}

static void make_headers(struct otlp *o, const waggle_otlp_options *options)
{
    char variable[VARIABLE_BYTES];
    waggle__buf_init(&o->headers, HEADERS_MAX);
    waggle__buf_str(&o->headers, "User-Agent: waggle/" WAGGLE_VERSION
                                 " OTel-OTLP-Exporter-C/" WAGGLE_VERSION "\r\n");
    add_headers(o, one_setting(options, "HEADERS", false, variable), variable);
    add_headers(o, one_setting(options, "HEADERS", true, variable), variable);
    add_headers(o, options->headers, "the headers option");
    const char *type = "content-type";
    remove_header(&o->headers, (waggle_str){type, strlen(type)});
    waggle__buf_str(&o->headers, o->json ? "Content-Type: application/json\r\n"
                                         : "Content-Type: application/x-protobuf\r\n");
    if (o->gzip)
        waggle__buf_str(&o->headers, "Content-Encoding: gzip\r\n");
    waggle__buf_put(&o->headers, "", 1);
}

static bool choose_gzip(const waggle_otlp_options *options)
{
    const char *name = setting(options, "COMPRESSION");
    bool wanted =
        options->gzip > 0 || (options->gzip == 0 && name != NULL && strcasecmp(name, "gzip") == 0);
    if (options->gzip == 0 && name != NULL && !wanted && strcasecmp(name, "none") != 0)
        waggle__error(WAGGLE_LEVEL_WARN, "OTLP compression %s is not known, ignoring it", name);
    if (wanted && !waggle__have_gzip())
        waggle__error(WAGGLE_LEVEL_WARN, "waggle was built without zlib, sending uncompressed");
    return wanted && waggle__have_gzip();
}

static waggle_transport_make_fn *grpc_transport;

void waggle_transport_for_grpc(waggle_transport_make_fn *make)
{
    grpc_transport = make;
}

bool waggle__otlp_has_grpc(void)
{
    return grpc_transport != NULL;
}

struct waggle_transport *waggle__otlp_grpc_transport(void)
{
    return grpc_transport != NULL ? grpc_transport(NULL) : NULL;
}

/* Protobuf over HTTP, unless JSON or gRPC are asked for, and gRPC can be had. */
static void choose_protocol(struct otlp *o, waggle_otlp_options *options)
{
    const char *name = setting(options, "PROTOCOL");
    if (!options->json && !options->grpc && name != NULL) {
        options->json = strcmp(name, "http/json") == 0;
        options->grpc = strcmp(name, "grpc") == 0;
        if (!options->json && !options->grpc && strcmp(name, "http/protobuf") != 0)
            waggle__error(WAGGLE_LEVEL_WARN, "OTLP protocol %s is not known, using http/protobuf",
                          name);
    }
    if (options->grpc && options->transport == NULL && grpc_transport != NULL)
        options->transport = grpc_transport(options->tls);
    if (options->grpc && options->transport == NULL) {
        waggle__error(WAGGLE_LEVEL_WARN,
                      "OTLP over gRPC needs waggle-tls (waggle_tls_use), using http/protobuf");
        options->grpc = false;
    }
    o->json = options->json && !options->grpc;
    o->grpc = options->grpc;
}

static uint32_t choose_timeout(const waggle_otlp_options *options)
{
    char variable[VARIABLE_BYTES];
    uint32_t ms = options->timeout_ms;
    for (int own = 1; own >= 0 && ms == 0; own--)
        if (one_setting(options, "TIMEOUT", own, variable) != NULL)
            ms = waggle__env_u32(variable, 0);
    return ms ? ms : TIMEOUT_MS;
}

/* The files of the options, else of the signal's variables, else of those for all. */
static waggle_tls_options choose_tls(const waggle_otlp_options *o)
{
    waggle_tls_options tls = {0};
    if (o->tls != NULL)
        memcpy(&tls, o->tls,
               o->tls->struct_size ? WAGGLE__MIN(o->tls->struct_size, sizeof tls) : sizeof tls);
    tls.struct_size = sizeof tls;
    tls.no_environment |= o->no_environment;
    if (tls.no_environment)
        return tls;
    tls.ca_file = tls.ca_file ? tls.ca_file : setting(o, "CERTIFICATE");
    tls.client_key_file = tls.client_key_file ? tls.client_key_file : setting(o, "CLIENT_KEY");
    if (tls.client_certificate_file == NULL)
        tls.client_certificate_file = setting(o, "CLIENT_CERTIFICATE");
    return tls;
}

struct waggle_exporter *waggle_otlp_exporter_new(const waggle_otlp_options *options)
{
    waggle_otlp_options given = {0};
    if (options != NULL)
        memcpy(&given, options,
               options->struct_size ? WAGGLE__MIN(options->struct_size, sizeof given)
                                    : sizeof given);
    struct otlp *o = calloc(1, sizeof *o);
    if (o == NULL) {
        if (given.transport != NULL && given.transport->ops->free != NULL)
            given.transport->ops->free(given.transport);
        return NULL;
    }
    o->base.ops = &otlp_ops;
    o->signal = given.signal;
    o->timeout_ms = choose_timeout(&given);
    o->gzip = choose_gzip(&given);
    waggle__buf_init(&o->heads, REQUEST_BYTES_MAX);
    waggle__buf_init(&o->packed, REQUEST_BYTES_MAX);
    waggle__buf_init(&o->text, REQUEST_BYTES_MAX);
    const waggle_tls_options tls = choose_tls(&given);
    given.tls = &tls;
    choose_protocol(o, &given);
    make_headers(o, &given);
    char *url = choose_url(&given);
    if (given.transport == NULL)
        given.transport = waggle__transport_for(url, &tls);
    bool ok = waggle__post_init(&o->post, url, given.transport, "OTLP endpoint");
    if (ok && !o->headers.bad)
        return &o->base;
    if (ok)
        waggle__error(WAGGLE_LEVEL_ERROR, "the OTLP headers are too long, not exporting");
    otlp_free(&o->base);
    return NULL;
}
