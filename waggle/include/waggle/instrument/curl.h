// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/instrument/curl.h - a span for each transfer of libcurl: the add-on library waggle-curl
 *
 *     CURL *easy = curl_easy_init();
 *     curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
 *     CURLcode rc = waggle_curl_perform(tracer, easy, "POST", "http://api/users", NULL);
 *
 * For the multi interface: waggle_curl_begin before curl_multi_add_handle, waggle_curl_end when
 * the transfer is done.
 *
 * Threads: a handle is one thread's at a time, as libcurl's.
 */
#ifndef WAGGLE_INSTRUMENT_CURL_H
#define WAGGLE_INSTRUMENT_CURL_H

#include <curl/curl.h>

#include "waggle/http.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A transfer under way; the caller's storage. */
typedef struct waggle_curl_transfer {
    CURL *easy;
    waggle_span span;
    struct curl_slist *headers; /* those of the context, with copies of the caller's */
    struct curl_slist *own;     /* the caller's, which stand again at the end */
} waggle_curl_transfer;

/* Begin a span, a child of the thread's current one, set CURLOPT_URL and the context's headers.
 *
 * method   as it will be sent: it is told, not set
 * headers  the caller's CURLOPT_HTTPHEADER, which libcurl does not tell; may be NULL. They must
 *          stay until the end, when they are set again. */
WAGGLE_EXPORT void waggle_curl_begin(waggle_curl_transfer *ret_transfer,
                                     struct waggle_tracer *tracer, CURL *easy, const char *method,
                                     const char *url, struct curl_slist *headers);

/* End it as the transfer ended. The handle must still be there. */
WAGGLE_EXPORT void waggle_curl_end(waggle_curl_transfer *transfer, CURLcode result);

/* Begin, curl_easy_perform, end. Returns what curl_easy_perform did. */
WAGGLE_EXPORT CURLcode waggle_curl_perform(struct waggle_tracer *tracer, CURL *easy,
                                           const char *method, const char *url,
                                           struct curl_slist *headers);

#ifdef __cplusplus
}
#endif

#endif
