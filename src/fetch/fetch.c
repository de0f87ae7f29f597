// SPDX-License-Identifier: Apache-2.0
/* One outgoing request through libcurl (fetch.h).
 *
 *   skep_fetch -> easy handle of its own -> answer up to body->limit -> status
 *
 * A handle a call: requests are rare, and nothing is shared between their senders.
 *
 * I1  whatever the peer does, a call ends after timeout_ms and keeps at most the buffer's limit.
 * I2  no message holds the query of an address, credentials or a body.
 * Threads: any.  Memory: the caller's buffer and libcurl's handle. */
#include "fetch/fetch.h"

#include <sys/socket.h>

#include "base/assert.h"
#include "fetch/libcurl.h"

/* A call and what its callbacks found. */
struct call {
    const struct skep_fetch *f;
    bool refused; /* an address that may not be connected to */
};

static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct call *call = ctx;
    const struct skep_fetch *f = call->f;
    (void)purpose;
    if (!f->may_connect(f->may_connect_ctx, &to->addr, to->addrlen)) {
        call->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct skep_buf *body = ctx;
    skep_buf_put(body, p, size * n);
    return body->bad ? 0 : size * n;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct skep_fetch *f = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return f->stop(f->stop_ctx) ? 1 : 0;
}

/* "https://host:port" of an address: what a message may name. */
static skep_str origin_of(const char *url)
{
    skep_str s = skep_str_c(url);
    size_t at = skep_str_find(s, SKEP_STR("://"));
    size_t from = at == SIZE_MAX ? 0 : at + 3;
    skep_str rest = skep_str_skip(s, from);
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    size_t user = skep_str_chr((skep_str){rest.p, n}, '@');
    return user == SIZE_MAX ? (skep_str){s.p, from + n}
                            : (skep_str){rest.p + user + 1, n - user - 1};
}

bool skep_fetch_is_safe(const char *url)
{
    static const skep_str near[] = {SKEP_STR_INIT("http://localhost"),
                                    SKEP_STR_INIT("http://127.0.0.1"),
                                    SKEP_STR_INIT("http://[::1]")};
    skep_str s = skep_str_c(url);
    if (skep_str_starts(s, SKEP_STR("https://")))
        return s.n > 8;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(near); i++) {
        char next = s.n > near[i].n ? s.p[near[i].n] : '/';
        if (skep_str_starts(s, near[i]) && (next == '/' || next == ':') &&
            skep_str_chr(origin_of(url), '@') == SIZE_MAX && skep_str_chr(s, '@') == SIZE_MAX)
            return true;
    }
    return false;
}

static void set_bounds(const struct skep_curl *lib, CURL *curl, const struct skep_fetch *f)
{
    bool https = skep_str_starts(skep_str_c(f->url), SKEP_STR("https://"));
    bool get = strcmp(f->method, "GET") == 0;
    (void)lib->easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)lib->easy_setopt(curl, CURLOPT_PROTOCOLS_STR, https ? "https" : "http,https");
    (void)lib->easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https");
    (void)lib->easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)f->timeout_ms);
    (void)lib->easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)SKEP_MIN(f->timeout_ms, 5000u));
    (void)lib->easy_setopt(curl, CURLOPT_FOLLOWLOCATION, get && f->redirects_max ? 1L : 0L);
    (void)lib->easy_setopt(curl, CURLOPT_MAXREDIRS, (long)f->redirects_max);
    if (f->stop) {
        (void)lib->easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        (void)lib->easy_setopt(curl, CURLOPT_XFERINFODATA, (void *)(uintptr_t)f);
        (void)lib->easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    }
}

static struct curl_slist *set_up(const struct skep_curl *lib, CURL *curl,
                                 const struct skep_fetch *f, struct skep_buf *body,
                                 char error[CURL_ERROR_SIZE])
{
    struct curl_slist *headers = lib->slist_append(NULL, "Expect:");
    for (unsigned i = 0; i < SKEP_FETCH_HEADERS_MAX && f->headers[i]; i++)
        headers = lib->slist_append(headers, f->headers[i]);
    skep_assert(headers != NULL);
    set_bounds(lib, curl, f);
    (void)lib->easy_setopt(curl, CURLOPT_URL, f->url);
    (void)lib->easy_setopt(curl, CURLOPT_USERAGENT, "skep");
    (void)lib->easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)lib->easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    (void)lib->easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)lib->easy_setopt(curl, CURLOPT_WRITEDATA, body);
    if (f->ca_file)
        (void)lib->easy_setopt(curl, CURLOPT_CAINFO, f->ca_file);
    if (f->user) {
        (void)lib->easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        (void)lib->easy_setopt(curl, CURLOPT_USERNAME, f->user);
        (void)lib->easy_setopt(curl, CURLOPT_PASSWORD, f->password ? f->password : "");
    }
    if (strcmp(f->method, "POST") == 0) {
        (void)lib->easy_setopt(curl, CURLOPT_POST, 1L);
        (void)lib->easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.n);
        (void)lib->easy_setopt(curl, CURLOPT_POSTFIELDS, f->body.n ? (const char *)f->body.p : "");
    }
    return headers;
}

static skep_rc failure(const struct skep_curl *lib, const struct call *call, CURLcode code,
                       const struct skep_buf *body, const char *error, skep_err *err)
{
    const struct skep_fetch *f = call->f;
    skep_str o = origin_of(f->url);
    if (call->refused)
        return skep_fail(err, SKEP_EFORBIDDEN,
                         SKEP_STRFMT " has an address that may not be connected to",
                         SKEP_STRARG(o));
    if (body->bad)
        return skep_fail(err, SKEP_ETOOLARGE, SKEP_STRFMT " answers with more than %zu bytes",
                         SKEP_STRARG(o), body->limit);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return skep_fail(err, SKEP_ETIMEOUT, SKEP_STRFMT " does not answer within %u ms",
                         SKEP_STRARG(o), f->timeout_ms);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return skep_fail(err, SKEP_ECANCELED, "the server is stopping");
    return skep_fail(err, SKEP_EIO, SKEP_STRFMT ": %s", SKEP_STRARG(o),
                     error[0] ? error : lib->easy_strerror(code));
}

skep_rc skep_fetch(const struct skep_fetch *f, struct skep_buf *body, int *ret_status,
                   skep_err *err)
{
    char error[CURL_ERROR_SIZE] = "";
    long status = 0;
    curl_off_t retry_after_s = 0;
    struct call call = {.f = f};
    skep_assert(f->url && f->method && f->timeout_ms > 0);
    const struct skep_curl *lib = skep_curl(err);
    if (!lib)
        return SKEP_EUNSUPPORTED;
    CURL *curl = lib->easy_init();
    skep_assert(curl != NULL);
    skep_buf_reset(body);
    struct curl_slist *headers = set_up(lib, curl, f, body, error);
    if (f->may_connect) {
        (void)lib->easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
        (void)lib->easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &call);
    }
    CURLcode code = lib->easy_perform(curl);
    (void)lib->easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    (void)lib->easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after_s);
    lib->slist_free_all(headers);
    lib->easy_cleanup(curl);
    if (code != CURLE_OK)
        return failure(lib, &call, code, body, error, err);
    *ret_status = (int)status;
    if (f->ret_retry_after_s)
        *f->ret_retry_after_s = (unsigned)SKEP_MIN(retry_after_s, (curl_off_t)86400);
    return SKEP_OK;
}
