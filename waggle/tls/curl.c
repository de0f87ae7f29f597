// SPDX-License-Identifier: Apache-2.0
/*
 * curl.c - a transport over libcurl: https, with the connection kept from request to request
 *
 * After a fork the child leaves its copy of the handle alone: closing it would say goodbye on the
 * parent's connection. It is a few kilobytes in each child.
 *
 * Threads: one at a time, the exporter's. No signals are used.
 */
#include "curl_priv.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "waggle/sdk.h"

/* One request under way. */
struct exchange {
    const waggle_request *request;
    waggle_response *response;
    size_t piece, offset; /* what is sent next */
    int cancel_fd;
    waggle__on_header_fn *on_header;
    void *self;
};

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t send_more(char *to, size_t size, size_t n, void *self)
{
    struct exchange *x = self;
    size_t room = size * n;
    size_t used = 0;
    while (used < room && x->piece < x->request->n_pieces) {
        const waggle_piece *p = &x->request->pieces[x->piece];
        size_t k = min_of(room - used, p->n - x->offset);
        memcpy(to + used, (const char *)p->p + x->offset, k);
        used += k;
        x->offset += k;
        if (x->offset == p->n) {
            x->piece++;
            x->offset = 0;
        }
    }
    return used;
}

/* A connection that was closed meanwhile: from the beginning again. */
static int rewind_request(void *self, curl_off_t offset, int origin)
{
    struct exchange *x = self;
    if (offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    x->piece = x->offset = 0;
    return CURL_SEEKFUNC_OK;
}

static size_t keep_body(char *p, size_t size, size_t n, void *self)
{
    waggle_response *r = ((struct exchange *)self)->response;
    size_t kept = min_of(size * n, WAGGLE_RESPONSE_BODY_MAX - r->body_n);
    memcpy(r->body + r->body_n, p, kept);
    r->body_n += kept;
    return size * n;
}

/* If the line is a header of that name: its value in milliseconds. */
static void read_time(const char *line, size_t n, const char *name, int64_t *ret_ms)
{
    size_t name_n = strlen(name);
    if (n <= name_n || strncasecmp(line, name, name_n) != 0)
        return;
    const char *v = line + name_n;
    n -= name_n;
    while (n > 0 && (*v == ' ' || *v == '\t')) {
        v++;
        n--;
    }
    while (n > 0 && (v[n - 1] == '\r' || v[n - 1] == '\n' || v[n - 1] == ' '))
        n--;
    *ret_ms = waggle_retry_after_ms(v, n);
}

static size_t read_header(char *p, size_t size, size_t n, void *self)
{
    struct exchange *x = self;
    waggle_response *r = x->response;
    if (x->on_header != NULL)
        x->on_header(x->self, p, size * n);
    read_time(p, size * n, "retry-after:", &r->retry_after_ms);
    read_time(p, size * n, "x-rate-limit-remaining-seconds:", &r->rate_limit_ms);
    return size * n;
}

/* Asked about once a second: give up what is under way when the processor shuts down. */
static int is_cancelled(void *self, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct pollfd fd = {((struct exchange *)self)->cancel_fd, POLLIN, 0};
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return fd.fd >= 0 && poll(&fd, 1, 0) > 0;
}

static struct curl_slist *header_list(const char *lines)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"); // do not ask first
    char line[2048];
    while (lines != NULL && *lines != '\0') {
        size_t n = strcspn(lines, "\r\n");
        if (n > 0 && n < sizeof line) {
            memcpy(line, lines, n);
            line[n] = '\0';
            struct curl_slist *longer = curl_slist_append(list, line);
            if (longer == NULL)
                break;
            list = longer;
        }
        lines += n;
        lines += strspn(lines, "\r\n");
    }
    return list;
}

static void set_options(struct curl_transport *t, struct exchange *x, struct curl_slist *headers,
                        const waggle_deadline *deadline)
{
    CURL *e = t->easy;
    // Each fails only for an option this libcurl does not know; these are all old.
    curl_easy_reset(e); // keeps connections
    curl_easy_setopt(e, CURLOPT_URL, x->request->url);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, x->request->is_get ? CURLOPT_HTTPGET : CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->request->body_n);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, t->http_version);
    // libcurl 7.88 (Debian 12's) fails on the second request of such a connection.
    bool once = t->http_version == CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    curl_easy_setopt(e, CURLOPT_FORBID_REUSE, once ? 1L : 0L);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, send_more);
    curl_easy_setopt(e, CURLOPT_READDATA, x);
    curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, rewind_request);
    curl_easy_setopt(e, CURLOPT_SEEKDATA, x);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, keep_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, read_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, is_cancelled);
    curl_easy_setopt(e, CURLOPT_XFERINFODATA, x);
    curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)waggle_deadline_left_ms(deadline) + 1);
    if (t->ca_file != NULL)
        curl_easy_setopt(e, CURLOPT_CAINFO, t->ca_file);
    if (t->certificate_file != NULL)
        curl_easy_setopt(e, CURLOPT_SSLCERT, t->certificate_file);
    if (t->key_file != NULL)
        curl_easy_setopt(e, CURLOPT_SSLKEY, t->key_file);
}

void waggle__curl_exchange(struct curl_transport *t, const waggle_request *request,
                           waggle_response *response, const waggle_deadline *deadline,
                           waggle__on_header_fn *on_header, void *self)
{
    struct exchange x = {request, response, 0, 0, deadline->cancel_fd, on_header, self};
    if (t->easy == NULL)
        t->easy = curl_easy_init();
    struct curl_slist *headers = t->easy ? header_list(request->headers) : NULL;
    if (headers == NULL) {
        snprintf(response->error, sizeof response->error, "no memory for a request");
        return;
    }
    set_options(t, &x, headers, deadline);
    CURLcode rc = curl_easy_perform(t->easy);
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    response->connected = rc != CURLE_COULDNT_CONNECT && rc != CURLE_COULDNT_RESOLVE_HOST;
    if (rc == CURLE_OK)
        response->status = (int)status;
    else
        snprintf(response->error, sizeof response->error, "%s", curl_easy_strerror(rc));
}

static void curl_post(struct waggle_transport *transport, const waggle_request *request,
                      waggle_response *response, const waggle_deadline *deadline)
{
    struct curl_transport *t = (struct curl_transport *)transport;
    t->http_version = CURL_HTTP_VERSION_1_1;
    waggle__curl_exchange(t, request, response, deadline, NULL, NULL);
}

bool waggle__curl_accepts(struct waggle_transport *transport, const char *url, char ret_why[160])
{
    (void)transport;
    if (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0)
        return true;
    snprintf(ret_why, 160, "is no http:// or https:// URL");
    return false;
}

void waggle__curl_after_fork(struct waggle_transport *transport)
{
    ((struct curl_transport *)transport)->easy = NULL;
}

void waggle__curl_free(struct waggle_transport *transport)
{
    struct curl_transport *t = (struct curl_transport *)transport;
    if (t->easy != NULL)
        curl_easy_cleanup(t->easy);
    free(t->ca_file);
    free(t->certificate_file);
    free(t->key_file);
    free(t);
}

static const struct waggle_transport_ops curl_ops = {
    .struct_size = sizeof curl_ops,
    .name = "curl",
    .accepts = waggle__curl_accepts,
    .post = curl_post,
    .after_fork = waggle__curl_after_fork,
    .free = waggle__curl_free,
};

/* The option, else the environment's value (variable NULL: none); a copy, NULL for none. False
 * without memory. */
static bool choose(const char *option, const char *variable, char **ret)
{
    const char *value = option != NULL ? option : variable != NULL ? getenv(variable) : NULL;
    if (value == NULL || value[0] == '\0')
        return true;
    size_t n = strlen(value) + 1;
    *ret = malloc(n);
    if (*ret != NULL)
        memcpy(*ret, value, n);
    return *ret != NULL;
}

struct waggle_transport *waggle_curl_transport_new(const waggle_tls_options *options)
{
    waggle_tls_options o = {0};
    if (options != NULL)
        memcpy(&o, options,
               options->struct_size ? min_of(options->struct_size, sizeof o) : sizeof o);
    struct curl_transport *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->base.ops = &curl_ops;
    bool env = !o.no_environment;
    bool ok = choose(o.ca_file, env ? "OTEL_EXPORTER_OTLP_CERTIFICATE" : NULL, &t->ca_file);
    ok = choose(o.client_certificate_file, env ? "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" : NULL,
                &t->certificate_file) &&
         ok;
    ok =
        choose(o.client_key_file, env ? "OTEL_EXPORTER_OTLP_CLIENT_KEY" : NULL, &t->key_file) && ok;
    if (ok)
        return &t->base;
    waggle__curl_free(&t->base);
    return NULL;
}

void waggle_tls_use(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    waggle_transport_for_https(waggle_curl_transport_new);
    waggle_transport_for_grpc(waggle__grpc_transport_new);
}
