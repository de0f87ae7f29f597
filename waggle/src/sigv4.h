// SPDX-License-Identifier: Apache-2.0
/*
 * sigv4.h - AWS's signature of a request, version 4
 */
#ifndef WAGGLE_SIGV4_H
#define WAGGLE_SIGV4_H

#include "sha256.h"

struct waggle__aws_header {
    const char *name; /* lower case */
    const char *value;
};

struct waggle__aws_request {
    const char *method, *path, *query;        /* encoded as they are sent */
    const struct waggle__aws_header *headers; /* that are signed, sorted by name */
    size_t n_headers;
    uint8_t body_hash[WAGGLE__SHA256_BYTES];
    char date[17]; /* 20150830T123600Z */
};

struct waggle__aws_key {
    const char *id, *secret, *region, *service;
};

/* Seconds since 1970 as AWS writes a time. */
void waggle__aws_date(uint64_t seconds, char ret[17]);

/* Append the value of the Authorization header. */
void waggle__aws_sign(struct waggle__buf *out, const struct waggle__aws_key *key,
                      const struct waggle__aws_request *request);

#endif
