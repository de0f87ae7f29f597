// SPDX-License-Identifier: Apache-2.0
/*
 * http_spans.c - spans of HTTP requests by OpenTelemetry's conventions
 *
 * Of a URL are not recorded: user name and password ("REDACTED"), and the values of the four query
 * parameters that are signatures. A method that is not in the list is "_OTHER", so that nobody can
 * make span names without end.
 *
 * Threads: no state.
 */
#include "semconv.h"

#include <stdio.h>

enum { HTTP_NAME_MAX = 256, HTTP_URL_MAX = 2048 };

/* --- pieces ------------------------------------------------------------------------------------
 */

/* The method as it may be told; "_OTHER" if it is none of HTTP's. */
static const char *known_method(const char *method)
{
    static const char *const all[] = {"GET",     "HEAD",  "POST",  "PUT",     "DELETE",
                                      "CONNECT", "TRACE", "PATCH", "OPTIONS", "QUERY"};
    for (size_t i = 0; method != NULL && i < WAGGLE__COUNT(all); i++)
        if (strcmp(all[i], method) == 0)
            return all[i];
    return "_OTHER";
}

static void span_name(const char *method, const char *route, char ret[HTTP_NAME_MAX])
{
    const char *known = known_method(method);
    if (known[0] == '_')
        known = "HTTP";
    (void)snprintf(ret, HTTP_NAME_MAX, "%s%s%s", known, route ? " " : "", // cut is fine
                   route ? route : "");
}

static void put_method(struct waggle__conv *c, const char *method)
{
    const char *known = known_method(method);
    waggle__conv_str(c, "http.request.method", NULL, known);
    waggle__conv_str(c, NULL, "http.method", method);
    if (known[0] == '_')
        waggle__conv_str(c, "http.request.method_original", NULL, method);
}

/* "host:80", "[::1]:80", "host": the name without the port, which is 0 if there is none. */
static size_t split_port(const char *host, size_t n, int *ret_port)
{
    size_t digits = 0;
    *ret_port = 0;
    while (digits < n && digits < 5 && host[n - 1 - digits] >= '0' && host[n - 1 - digits] <= '9')
        digits++;
    if (digits == 0 || digits == n || host[n - 1 - digits] != ':')
        return n;
    for (size_t i = n - digits; i < n; i++)
        *ret_port = *ret_port * 10 + (host[i] - '0');
    return n - 1 - digits;
}

static void put_host(struct waggle__conv *c, const char *host, size_t n, const char *scheme,
                     const char *before_name, const char *before_port)
{
    int port = 0;
    n = split_port(host, n, &port);
    if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
        host++;
        n -= 2;
    }
    waggle__conv_strn(c, "server.address", before_name, host, n);
    if (port == 0 && scheme != NULL)
        port = strcmp(scheme, "https") == 0 ? 443 : strcmp(scheme, "http") == 0 ? 80 : 0;
    if (port > 0)
        waggle__conv_i64(c, "server.port", before_port, port);
}

/* Copy `n` bytes of a URL or a query behind ret[*at], values of signatures left out. */
static void copy_redacted(const char *p, size_t n, char *ret, size_t cap, size_t *at)
{
    static const char *const secrets[] = {"AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature"};
    bool begins = true; /* a parameter's name */
    for (size_t i = 0; i < n && *at + 16 < cap;) {
        if (begins)
            for (size_t k = 0; k < WAGGLE__COUNT(secrets); k++) {
                size_t key_n = strlen(secrets[k]);
                if (n - i <= key_n || memcmp(p + i, secrets[k], key_n) != 0 ||
                    p[i + key_n] != '=' || *at + key_n + 16 >= cap)
                    continue;
                memcpy(ret + *at, p + i, key_n);
                memcpy(ret + *at + key_n, "=REDACTED", 9);
                *at += key_n + 9;
                for (i += key_n; i < n && p[i] != '&' && p[i] != '#';)
                    i++;
                break;
            }
        if (i >= n)
            break;
        begins = p[i] == '?' || p[i] == '&';
        ret[(*at)++] = p[i++];
    }
    ret[*at] = '\0';
}

/* The whole URL as it may be told. */
static void redact_url(const char *url, char ret[HTTP_URL_MAX])
{
    const char *authority = strstr(url, "://");
    size_t at = 0;
    authority = authority != NULL ? authority + 3 : url;
    size_t n = strcspn(authority, "/?#");
    const char *sign = n > 0 ? memchr(authority, '@', n) : NULL;
    const char *from = url;
    if (sign != NULL) {
        for (const char *next = sign; next != NULL; // the last one ends the user's part
             next = memchr(next + 1, '@', n - (size_t)(next + 1 - authority)))
            sign = next;
        size_t scheme_n = WAGGLE__MIN((size_t)(authority - url), (size_t)64);
        memcpy(ret, url, scheme_n);
        memcpy(ret + scheme_n, "REDACTED:REDACTED", 17);
        at = scheme_n + 17;
        from = sign;
    }
    copy_redacted(from, strlen(from), ret, HTTP_URL_MAX, &at);
}

static bool header_of(const waggle_http_request *r, const char *name, char *ret, size_t cap)
{
    const char *value = NULL;
    size_t n = 0;
    if (r->get == NULL || !r->get(r->carrier, name, 0, &value, &n) || n == 0)
        return false;
    (void)snprintf(ret, cap, "%.*s", (int)WAGGLE__MIN(n, cap), value); // cut is fine
    return true;
}

/* --- the server's side ------------------------------------------------------------------------
 */

static void put_target(struct waggle__conv *c, const char *target, char told[HTTP_URL_MAX])
{
    size_t at = 0;
    copy_redacted(target, strlen(target), told, HTTP_URL_MAX, &at);
    size_t path_n = strcspn(told, "?");
    waggle__conv_strn(c, "url.path", NULL, told, path_n);
    if (told[path_n] == '?' && told[path_n + 1] != '\0')
        waggle__conv_str(c, "url.query", NULL, told + path_n + 1);
    waggle__conv_str(c, NULL, "http.target", told);
}

/* Who asked: of X-Forwarded-For the first, which is the client's own; else the connection. */
static void put_client(struct waggle__conv *c, const waggle_http_request *r, char forwarded[256])
{
    if (header_of(r, "x-forwarded-for", forwarded, 256)) {
        forwarded[strcspn(forwarded, ", ")] = '\0';
        waggle__conv_str(c, "client.address", "http.client_ip", forwarded);
    } else {
        waggle__conv_str(c, "client.address", "http.client_ip", r->peer);
    }
    waggle__conv_str(c, "network.peer.address", "net.sock.peer.addr", r->peer);
    if (r->peer_port > 0)
        waggle__conv_i64(c, "network.peer.port", "net.sock.peer.port", r->peer_port);
}

static waggle_http_request request_of(const waggle_http_request *given)
{
    waggle_http_request r = {0};
    if (given != NULL)
        memcpy(&r, given,
               given->struct_size ? WAGGLE__MIN(given->struct_size, sizeof r) : sizeof r);
    return r;
}

waggle_span waggle_http_server_start_with(struct waggle_tracer *tracer,
                                          const waggle_http_request *request,
                                          waggle_context *ret_context)
{
    struct waggle__conv c;
    char name[HTTP_NAME_MAX];
    char told[HTTP_URL_MAX];
    char forwarded[256];
    char agent[256];
    waggle_http_request r = request_of(request);
    if (r.get != NULL)
        waggle_extract(ret_context, r.get, r.carrier);
    else
        waggle_context_current(ret_context);
    if (!waggle_tracer_enabled(tracer))
        return WAGGLE_SPAN_NONE;
    waggle__conv_init(&c, WAGGLE__SEMCONV_HTTP);
    put_method(&c, r.method);
    if (r.target != NULL)
        put_target(&c, r.target, told);
    waggle__conv_str(&c, "url.scheme", "http.scheme", r.scheme);
    waggle__conv_str(&c, "http.route", "http.route", r.route);
    if (r.host != NULL)
        put_host(&c, r.host, strlen(r.host), r.scheme, "net.host.name", "net.host.port");
    put_client(&c, &r, forwarded);
    if (header_of(&r, "user-agent", agent, sizeof agent))
        waggle__conv_str(&c, "user_agent.original", "http.user_agent", agent);
    waggle__conv_str(&c, "network.protocol.version", "http.flavor", r.version);
    span_name(r.method, r.route, name);
    waggle_span span = waggle_span_start(tracer, name,
                                         &(waggle_span_opts){.kind = WAGGLE_KIND_SERVER,
                                                             .context = ret_context,
                                                             .attributes = waggle__conv_attrs(&c)});
    if (span.generation != 0)
        waggle_context_set_span(ret_context, span);
    return span;
}

waggle_span waggle_http_server_start(struct waggle_tracer *tracer,
                                     const waggle_http_request *request)
{
    waggle_context context;
    waggle_span span = waggle_http_server_start_with(tracer, request, &context);
    waggle_context_done(&context);
    return span;
}

/* Status and error; `from` is the first status that is an error by itself. */
static void put_end(waggle_span span, int status, int from, const char *error)
{
    struct waggle__conv c;
    char number[16];
    waggle__conv_init(&c, WAGGLE__SEMCONV_HTTP);
    if (status > 0)
        waggle__conv_i64(&c, "http.response.status_code", "http.status_code", status);
    if (error == NULL && status >= from) {
        (void)snprintf(number, sizeof number, "%d", status); // fits
        error = number;
    }
    waggle__conv_str(&c, "error.type", NULL, error);
    waggle_span_set(span, waggle__conv_attrs(&c));
    if (error != NULL)
        waggle_span_set_status(span, WAGGLE_STATUS_ERROR, error == number ? NULL : error);
}

void waggle_http_server_end(waggle_span span, const char *method, const char *route, int status,
                            const char *error)
{
    char name[HTTP_NAME_MAX];
    if (waggle_span_is_recording(span)) {
        if (route != NULL) {
            waggle_span_set_kv(span, waggle_kv_str("http.route", route));
            if (method != NULL) {
                span_name(method, route, name);
                waggle_span_set_name(span, name);
            }
        }
        put_end(span, status, 500, error);
    }
    waggle_span_end(span);
}

/* --- the client's side ------------------------------------------------------------------------
 */

static void put_url(struct waggle__conv *c, const char *url, char told[HTTP_URL_MAX])
{
    char scheme[16] = "";
    const char *authority = strstr(url, "://");
    redact_url(url, told);
    waggle__conv_str(c, "url.full", "http.url", told);
    if (authority == NULL || (size_t)(authority - url) >= sizeof scheme)
        return;
    memcpy(scheme, url, (size_t)(authority - url)); // zeroed before: ends with NUL
    authority += 3;
    size_t n = strcspn(authority, "/?#");
    for (size_t i = 0; i < n; i++)
        if (authority[i] == '@') {
            authority += i + 1;
            n -= i + 1;
            i = (size_t)-1;
        }
    if (n > 0)
        put_host(c, authority, n, scheme, "net.peer.name", "net.peer.port");
}

waggle_span waggle_http_client_start(struct waggle_tracer *tracer,
                                     const waggle_http_request *request, waggle_set_fn *set,
                                     void *carrier)
{
    struct waggle__conv c;
    char name[HTTP_NAME_MAX];
    char told[HTTP_URL_MAX];
    waggle_http_request r = request_of(request);
    waggle_span span = WAGGLE_SPAN_NONE;
    if (waggle_tracer_enabled(tracer)) {
        waggle__conv_init(&c, WAGGLE__SEMCONV_HTTP);
        put_method(&c, r.method);
        if (r.url != NULL)
            put_url(&c, r.url, told);
        waggle__conv_str(&c, "network.protocol.version", "http.flavor", r.version);
        span_name(r.method, NULL, name);
        span = waggle_span_start(tracer, name,
                                 &(waggle_span_opts){.kind = WAGGLE_KIND_CLIENT,
                                                     .context = r.context,
                                                     .attributes = waggle__conv_attrs(&c)});
    }
    if (set == NULL)
        return span;
    waggle_context context;
    if (r.context != NULL)
        waggle_context_copy(&context, r.context);
    else
        waggle_context_current(&context);
    if (span.generation != 0)
        waggle_context_set_span(&context, span);
    waggle_inject(&context, set, carrier);
    waggle_context_done(&context);
    return span;
}

void waggle_http_client_end(waggle_span span, int status, const char *error)
{
    if (waggle_span_is_recording(span))
        put_end(span, status, 400, error);
    waggle_span_end(span);
}
