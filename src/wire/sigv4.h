// SPDX-License-Identifier: Apache-2.0
/* AWS Signature Version 4: what a request says of its signer, and the signature it should have.
 *
 * Source: "Signature Version 4 signing process" of AWS' general reference; the published vectors
 * stand in tests/unit/wire/test_sigv4.c.  Not here: S3's path rules, chunked (STREAMING-) payloads,
 * SigV4A. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum {
    SKEP_SIGV4_HEX_BYTES = 64,        /* of a hash or signature */
    SKEP_SIGV4_HEADERS_MAX = 64,      /* signed ones */
    SKEP_SIGV4_PARAMS_MAX = 256,      /* of the query */
    SKEP_SIGV4_EXPIRES_MAX_S = 604800 /* of a presigned request */
};

/* A request as its transport has it; everything is borrowed. */
struct skep_sigv4_request {
    skep_str method;
    skep_str target; /* path and query as they came */
    /* The i-th value of a header (name in lower case); false behind the last. */
    bool (*header)(const void *ctx, skep_str name, unsigned i, skep_str *ret);
    const void *ctx;
};

/* What a signed request says. */
struct skep_sigv4 {
    bool presigned;                            /* in the query instead of Authorization */
    skep_str access_key, day, region, service; /* the credential and its scope */
    skep_str signed_headers;                   /* "host;x-amz-date" */
    skep_str signature;                        /* 64 hex digits in lower case */
    skep_str at;                               /* "20150830T123600Z" */
    skep_str payload;  /* 64 hex digits, "UNSIGNED-PAYLOAD", or empty: the body's hash counts */
    int64_t at_s;      /* `at` in seconds since 1970 */
    int64_t expires_s; /* presigned: valid for so long; else 0 */
};

/* True if the request carries a signature at all, whatever it is worth.  Threads: any. */
bool skep_sigv4_present(struct skep_arena *arena, const struct skep_sigv4_request *rq);
/* Take apart what the request says.  Values are in the arena or borrowed from the request.
 *
 * Returns  SKEP_OK | SKEP_EMALFORMED (err: in AWS' words, without the values)
 * Threads: any. */
SKEP_NODISCARD skep_rc skep_sigv4_read(struct skep_arena *arena,
                                       const struct skep_sigv4_request *rq, struct skep_sigv4 *ret,
                                       skep_err *err);
/* Only the access key id of a request that carries a signature; empty if there is none to be seen.
 * Threads: any. */
skep_str skep_sigv4_access_key(struct skep_arena *arena, const struct skep_sigv4_request *rq);
/* The signature that the request should carry under a secret; compare with skep_sigv4_equal.
 *
 * payload  64 hex digits of the body's SHA-256, or "UNSIGNED-PAYLOAD"
 * Returns  SKEP_OK | SKEP_EMALFORMED (a signed header is missing, or one that must be signed is
 * not) Threads: any. */
SKEP_NODISCARD skep_rc skep_sigv4_sign(struct skep_arena *arena, const struct skep_sigv4 *s,
                                       const struct skep_sigv4_request *rq, skep_str payload,
                                       skep_str secret, char ret[SKEP_SIGV4_HEX_BYTES],
                                       skep_err *err);
/* SHA-256 in hex. */
void skep_sigv4_hash(skep_bytes b, char ret[SKEP_SIGV4_HEX_BYTES]);
/* Equality in a time that depends on the lengths alone. */
bool skep_sigv4_equal(skep_str a, skep_str b);
