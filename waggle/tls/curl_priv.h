// SPDX-License-Identifier: Apache-2.0
/*
 * curl_priv.h - what the transports over libcurl share
 */
#ifndef WAGGLE_CURL_PRIV_H
#define WAGGLE_CURL_PRIV_H

#include <curl/curl.h>

#include "waggle/tls.h"
#include "waggle/transport.h"

struct curl_transport {
    struct waggle_transport base;
    CURL *easy; /* made by the first request */
    char *ca_file, *certificate_file, *key_file;
    long http_version; /* CURL_HTTP_VERSION_* */
};

/* Hears each line of the headers and trailers of an answer, with its end. */
typedef void waggle__on_header_fn(void *self, const char *line, size_t n);

/* Send a request and fill the response, as a transport's `post`. */
void waggle__curl_exchange(struct curl_transport *t, const waggle_request *request,
                           waggle_response *response, const waggle_deadline *deadline,
                           waggle__on_header_fn *on_header, void *self);
bool waggle__curl_accepts(struct waggle_transport *transport, const char *url, char ret_why[160]);
void waggle__curl_after_fork(struct waggle_transport *transport);
void waggle__curl_free(struct waggle_transport *transport);

/* OTLP over gRPC; NULL without memory. */
struct waggle_transport *waggle__grpc_transport_new(const waggle_tls_options *options);

#endif
