// SPDX-License-Identifier: Apache-2.0
/* outgoing.c - POST over libcurl, as a client span of the current trace; see outgoing.h
 *
 * Threads: any; a call makes a handle of its own. Memory: freed with the call, but for the answer's
 * body. */
#include "outgoing.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <waggle/instrument/curl.h>

void outgoing_init(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); // a failure shows at the first request
}

static size_t collect(char *piece, size_t size, size_t n, void *self)
{
    struct outgoing_answer *answer = self;
    size_t bytes = size * n;
    if (answer->body_n + bytes > OUTGOING_ANSWER_BYTES_MAX)
        return 0; // libcurl gives up
    char *grown = realloc(answer->body, answer->body_n + bytes + 1);
    if (grown == NULL)
        return 0;
    memcpy(grown + answer->body_n, piece, bytes);
    answer->body = grown;
    answer->body_n += bytes;
    answer->body[answer->body_n] = '\0';
    return bytes;
}

static void add_header(struct curl_slist **list, const char *key, const char *value)
{
    char line[1024];
    snprintf(line, sizeof line, "%s: %s", key, value);
    struct curl_slist *longer = curl_slist_append(*list, line);
    *list = longer != NULL ? longer : *list;
}

static void perform(CURL *curl, const char *url, const char *json, long timeout_ms, bool traced,
                    struct curl_slist *headers, struct outgoing_answer *answer)
{
    // These take what they are given; a URL of no use fails in curl_easy_perform.
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    struct waggle_tracer *tracer =
        traced ? waggle_tracer_get("cruddur.outgoing", CRUDDUR_VERSION) : NULL;
    CURLcode code =
        traced ? waggle_curl_perform(tracer, curl, "POST", url, headers) : curl_easy_perform(curl);
    if (code == CURLE_OK)
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    else
        snprintf(answer->error, sizeof answer->error, "%s", curl_easy_strerror(code));
}

bool outgoing_post(const char *url, const char *json, long timeout_ms,
                   const struct outgoing_trace *trace, struct outgoing_answer *ret_answer)
{
    static const struct outgoing_trace none = {false, NULL, NULL};
    char xray_header[XRAY_HEADER_BYTES];
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = NULL;
    trace = trace != NULL ? trace : &none;
    *ret_answer = (struct outgoing_answer){0};
    struct xray_segment *segment =
        xray_begin_remote(trace->xray, trace->name, "POST", url, xray_header);
    add_header(&headers, "Content-Type", "application/json");
    if (xray_header[0] != '\0')
        add_header(&headers, "X-Amzn-Trace-Id", xray_header);
    if (curl != NULL)
        perform(curl, url, json, timeout_ms, trace->otel, headers, ret_answer);
    xray_end_remote(segment, ret_answer->status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return ret_answer->status != 0;
}
