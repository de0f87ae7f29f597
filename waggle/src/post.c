// SPDX-License-Identifier: Apache-2.0
/*
 * post.c - requests of exporters over HTTP, with their retries
 *
 * Retried is what the exporter says, with exponential back-off and jitter, or as Retry-After says,
 * until the time is over. When the processor is shutting down, a wait ends at once and one last
 * attempt is made.
 *
 * Threads: one at a time.
 */
#include "post.h"

#include <stdlib.h>
#include <strings.h>

enum { BACKOFF_MS = 1000, BACKOFF_MAX_MS = 5000, URL_BYTES_MAX = 2048, LAST_MS = 1000 };

static waggle_transport_make_fn *https_transport;

void waggle_transport_for_https(waggle_transport_make_fn *make)
{
    https_transport = make;
}

struct waggle_transport *waggle__transport_for(const char *url, const waggle_tls_options *tls)
{
    bool https = url != NULL && strncasecmp(url, "https://", 8) == 0;
    return https && https_transport != NULL ? https_transport(tls) : waggle_http_transport_new();
}

char *waggle__url_copy(const char *url)
{
    size_t n = strlen(url) + 1;
    char *copy = n <= URL_BYTES_MAX ? malloc(n) : NULL;
    if (copy != NULL)
        memcpy(copy, url, n);
    return copy;
}

bool waggle__post_init(struct waggle__post *post, char *url, struct waggle_transport *transport,
                       const char *what)
{
    char why[160] = "";
    post->url = url;
    post->transport = transport != NULL ? transport : waggle__transport_for(url, NULL);
    post->jitter = waggle__monotonic();
    if (url != NULL && post->transport != NULL &&
        post->transport->ops->accepts(post->transport, url, why))
        return true;
    waggle__error(WAGGLE_LEVEL_ERROR, "%s %s %s, not exporting", what, url ? url : "",
                  why[0] ? why : "is too long");
    waggle__post_done(post);
    return false;
}

void waggle__post_done(struct waggle__post *post)
{
    if (post->transport != NULL && post->transport->ops->free != NULL)
        post->transport->ops->free(post->transport);
    post->transport = NULL;
    free(post->url);
    post->url = NULL;
}

void waggle__post_after_fork(struct waggle__post *post)
{
    if (post->transport->ops->after_fork != NULL)
        post->transport->ops->after_fork(post->transport);
}

bool waggle__retry_http(const waggle_response *response)
{
    int status = response->status;
    return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

/* How long to wait before the next attempt: from 80 to 120 % of the back-off, or what was asked. */
static uint32_t pause_ms(struct waggle__post *post, const waggle_response *response,
                         uint32_t backoff_ms)
{
    if (response->retry_after_ms >= 0)
        return (uint32_t)WAGGLE__MIN(response->retry_after_ms, (int64_t)UINT32_MAX);
    post->jitter = post->jitter * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return backoff_ms * 4 / 5 + (uint32_t)((post->jitter >> 33) % (backoff_ms * 2 / 5 + 1));
}

static void attempt(struct waggle__post *post, const waggle_request *request,
                    waggle_response *response, const waggle_deadline *deadline)
{
    memset(response, 0, sizeof *response);
    response->retry_after_ms = -1;
    response->rate_limit_ms = -1;
    response->body = post->body;
    post->transport->ops->post(post->transport, request, response, deadline);
}

/* Once a request, so that whoever listens knows before its time is over. */
static void tell_of_retry(const struct waggle__post *post, const waggle_response *response)
{
    if (response->status == 0)
        waggle__error(WAGGLE_LEVEL_INFO, "%s: %s, trying again", post->url, response->error);
    else
        waggle__error(WAGGLE_LEVEL_INFO, "%s answered %d, trying again", post->url,
                      response->status);
}

void waggle__post_send(struct waggle__post *post, waggle_request *request, waggle__retry_fn *again,
                       waggle_deadline deadline, waggle_response *ret_response)
{
    uint32_t backoff_ms = BACKOFF_MS;
    request->struct_size = sizeof *request;
    request->url = post->url;
    for (bool last = false, told = false;;
         backoff_ms = WAGGLE__MIN(backoff_ms * 3 / 2, (uint32_t)BACKOFF_MAX_MS)) {
        attempt(post, request, ret_response, &deadline);
        if (last || !again(ret_response))
            return;
        uint32_t ms = pause_ms(post, ret_response, backoff_ms);
        if (ms >= (uint32_t)waggle_deadline_left_ms(&deadline))
            return; // it would not be in time
        if (!told)
            tell_of_retry(post, ret_response);
        told = true;
        if (!waggle__wait(ms, &deadline)) {
            last = true;
            deadline.cancel_fd = -1;
            deadline = waggle__deadline_within(&deadline, LAST_MS);
        }
    }
}

waggle_deadline waggle__deadline_within(const waggle_deadline *given, uint32_t ms)
{
    waggle_deadline own = waggle__deadline_in(ms);
    own.cancel_fd = given->cancel_fd;
    own.monotonic_ns = WAGGLE__MIN(own.monotonic_ns, given->monotonic_ns);
    return own;
}
