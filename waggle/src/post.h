// SPDX-License-Identifier: Apache-2.0
/*
 * post.h - what exporters over HTTP have in common: a URL, a transport for it, and the retries
 */
#ifndef WAGGLE_POST_H
#define WAGGLE_POST_H

#include "sdk_priv.h"

struct waggle__post {
    struct waggle_transport *transport; /* owned */
    char *url;                          /* owned */
    uint64_t jitter;
    char body[WAGGLE_RESPONSE_BODY_MAX]; /* of the last answer */
};

/* A copy that is freed by waggle__post_done; NULL without memory, and for what is far too long. */
char *waggle__url_copy(const char *url);

/* The transport for the URL's scheme; NULL without memory. `tls` may be NULL. */
struct waggle_transport *waggle__transport_for(const char *url, const waggle_tls_options *tls);

/* Begin. `transport` NULL: the one for the URL's scheme. Takes both over, also on failure: no
 * memory, or a URL that the transport cannot reach, which is told as "`what` URL ...". */
bool waggle__post_init(struct waggle__post *post, char *url, struct waggle_transport *transport,
                       const char *what);
void waggle__post_done(struct waggle__post *post);
void waggle__post_after_fork(struct waggle__post *post);

/* Is it worth another attempt? */
typedef bool waggle__retry_fn(const waggle_response *response);

/* No answer, 429, 502, 503, 504. */
waggle__retry_fn waggle__retry_http;

/* Send the request (its url is set here) until there is an answer that is not to be retried, or no
 * time for a further attempt. The body of the answer stands in `post` until the next one. */
void waggle__post_send(struct waggle__post *post, waggle_request *request, waggle__retry_fn *again,
                       waggle_deadline deadline, waggle_response *ret_response);

/* The sooner of `given` and ms from now; what cancels the one cancels the other. */
waggle_deadline waggle__deadline_within(const waggle_deadline *given, uint32_t ms);

#endif
