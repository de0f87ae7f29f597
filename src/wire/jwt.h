// SPDX-License-Identifier: Apache-2.0
/* JSON Web Tokens as bytes: a signed token taken apart (RFC 7515, compact form), a set of public
 * keys read (RFC 7517).  Whether a signature is right and what claims are worth is src/auth's
 * business. */
#pragma once

#include <yyjson.h>

#include "base/arena.h"
#include "base/err.h"

enum {
    SKEP_JWT_MAX_BYTES = 64 << 10,
    SKEP_JWKS_KEYS_MAX = 100 /* a set with more is refused */
};

/* Texts are in the arena or borrowed from the token. */
struct skep_jwt {
    skep_str alg, kid;    /* kid may be empty */
    skep_str signed_part; /* what the signature covers: header.payload as they came */
    skep_bytes signature;
    yyjson_doc *claims; /* an object; skep_jwt_done frees it */
};

/* Take a token apart.  Nothing of it is to be believed yet.
 *
 * Returns  SKEP_OK (skep_jwt_done it) | SKEP_EMALFORMED (err: what, without the token's content)
 * Threads: any. */
SKEP_NODISCARD skep_rc skep_jwt_read(struct skep_arena *arena, skep_str token, struct skep_jwt *ret,
                                     skep_err *err);
void skep_jwt_done(struct skep_jwt *t);

enum skep_jwk_kind { SKEP_JWK_RSA, SKEP_JWK_EC, SKEP_JWK_OKP };

/* A public key; all in the arena. */
struct skep_jwk {
    enum skep_jwk_kind kind;
    skep_str kid, alg, use; /* may be empty */
    skep_str crv;           /* of EC and OKP */
    skep_bytes n, e;        /* of RSA */
    skep_bytes x, y;        /* of EC; of OKP x alone */
};

/* The keys of {"keys": [...]}; such of another kind, or without what their kind has, are left out.
 *
 * Returns  SKEP_OK | SKEP_EMALFORMED
 * Threads: any. */
SKEP_NODISCARD skep_rc skep_jwks_read(struct skep_arena *arena, yyjson_val *set,
                                      struct skep_jwk **ret, size_t *ret_n, skep_err *err);

/* A text member of an object, borrowed; empty when it is absent or no text. */
skep_str skep_jwt_text(yyjson_val *obj, const char *member);
