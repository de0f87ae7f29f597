// SPDX-License-Identifier: Apache-2.0
/*
 * curl.c - a span for each transfer of libcurl
 *
 * The context's headers and copies of the caller's are one list, which the handle has until the
 * end. Without memory for a header the transfer goes without it.
 *
 * Threads: a handle is one thread's at a time.
 */
#include "waggle/instrument/curl.h"

#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 9000 }; /* baggage is 8192 at most */

static void add_line(waggle_curl_transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (longer != NULL)
        t->headers = longer;
}

static void set_header(void *carrier, const char *key, const char *value)
{
    char line[LINE_MAX_BYTES];
    int n = snprintf(line, sizeof line, "%s: %s", key, value);
    if (n > 0 && n < (int)sizeof line)
        add_line(carrier, line);
}

void waggle_curl_begin(waggle_curl_transfer *ret, struct waggle_tracer *tracer, CURL *easy,
                       const char *method, const char *url, struct curl_slist *headers)
{
    *ret = (waggle_curl_transfer){.easy = easy, .own = headers};
    for (const struct curl_slist *h = headers; h != NULL; h = h->next)
        add_line(ret, h->data);
    const waggle_http_request r = {.struct_size = sizeof r, .method = method, .url = url};
    ret->span = waggle_http_client_start(tracer, &r, set_header, ret);
    (void)curl_easy_setopt(easy, CURLOPT_URL, url); // without memory the transfer says so
    if (ret->headers != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, ret->headers); // does not fail
}

static void put_what_happened(const waggle_curl_transfer *t)
{
    static const struct {
        long version;
        const char *name;
    } versions[] = {{CURL_HTTP_VERSION_1_0, "1.0"},
                    {CURL_HTTP_VERSION_1_1, "1.1"},
                    {CURL_HTTP_VERSION_2_0, "2"},
                    {CURL_HTTP_VERSION_3, "3"}};
    char *ip = NULL;
    long port = 0;
    long version = 0;
    if (curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &ip) == CURLE_OK && ip != NULL &&
        ip[0] != '\0')
        waggle_span_set_kv(t->span, waggle_kv_str("network.peer.address", ip));
    if (curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_PORT, &port) == CURLE_OK && port > 0)
        waggle_span_set_kv(t->span, waggle_kv_i64("network.peer.port", port));
    if (curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version) != CURLE_OK)
        return;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (versions[i].version == version)
            waggle_span_set_kv(t->span,
                               waggle_kv_str("network.protocol.version", versions[i].name));
}

void waggle_curl_end(waggle_curl_transfer *t, CURLcode result)
{
    long status = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status); // 0 if there is none
    if (waggle_span_is_recording(t->span))
        put_what_happened(t);
    waggle_http_client_end(t->span, (int)status,
                           result == CURLE_OK ? NULL : curl_easy_strerror(result));
    if (t->headers != NULL)
        (void)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->own); // does not fail
    curl_slist_free_all(t->headers);
    *t = (waggle_curl_transfer){0};
}

CURLcode waggle_curl_perform(struct waggle_tracer *tracer, CURL *easy, const char *method,
                             const char *url, struct curl_slist *headers)
{
    waggle_curl_transfer t;
    waggle_curl_begin(&t, tracer, easy, method, url, headers);
    CURLcode result = curl_easy_perform(easy);
    waggle_curl_end(&t, result);
    return result;
}
