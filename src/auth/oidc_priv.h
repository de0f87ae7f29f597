// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of the identity provider: what is known of it, its tokens. */
#pragma once

#include "auth/auth_priv.h"
#include "auth/oidc.h"
#include "wire/jwt.h"

/* --- oidc_token.c: is a token theirs, and for us --- */

/* What an ID token must say. */
struct skep_oidc__expect {
    skep_str issuer, client_id, nonce;
    int64_t now_s;
};

/* Check the signature under one of keys[n].
 *
 * Returns  SKEP_OK | SKEP_ENOTFOUND (no key of the token's kid: there may be newer ones) |
 *          SKEP_EUNAUTHENTICATED (err: an algorithm that is not taken, a wrong signature ...)
 * Threads: any. */
SKEP_NODISCARD skep_rc skep_oidc__verify(const struct skep_jwt *t, const struct skep_jwk *keys,
                                         size_t n, skep_err *err);
/* Check what the claims say of issuer, audience, time and nonce.
 * Returns SKEP_OK | SKEP_EUNAUTHENTICATED. */
SKEP_NODISCARD skep_rc skep_oidc__check(yyjson_val *claims, const struct skep_oidc__expect *want,
                                        skep_err *err);

/* --- oidc_provider.c: what the provider says of itself --- */

struct skep_oidc__provider {
    skep_str authorization_endpoint, token_endpoint, jwks_uri;
    skep_str userinfo_endpoint; /* may be empty */
    bool post_secret;           /* client_secret_post, because basic is not taken */
    int64_t at_ns;              /* 0 = not known */
};

struct skep_oidc__keys {
    struct skep_jwk *keys;
    size_t n;
    int64_t at_ns;    /* 0 = not known */
    int64_t tried_ns; /* last time they were asked for because a kid was unknown */
};

struct skep_oidc {
    struct skep_oidc_config cfg;
    char *secret; /* sodium_malloc; NULL = a public client */
    char *name;
    uint8_t *cookie_key;  /* sodium_malloc */
    struct skep_mutex mu; /* of what follows; held while the provider is asked about itself */
    struct skep_arena provider_arena, keys_arena;
    struct skep_oidc__provider provider;
    struct skep_oidc__keys keys;
};

/* What is known of the provider, asked for when it is older than an hour; texts in the arena.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ETIMEOUT | SKEP_ETOOLARGE. */
SKEP_NODISCARD skep_rc skep_oidc__provider(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                                           struct skep_arena *arena,
                                           struct skep_oidc__provider *ret, skep_err *err);
/* Check a token's signature: keys are asked for when they are older than ten minutes, and once
 * more, at most twice a minute, when none has the token's kid. Returns as skep_oidc__verify (but
 * ENOTFOUND), and as skep_oidc__provider. */
SKEP_NODISCARD skep_rc skep_oidc__verify_fresh(struct skep_oidc *o,
                                               const struct skep_oidc_visit *visit,
                                               const struct skep_oidc__provider *p,
                                               const struct skep_jwt *t, skep_err *err);

/* A request to the provider: POST of a form, or GET with a bearer (either may be empty); the answer
 * must be a JSON object, else SKEP_EIO. */
struct skep_oidc__ask {
    const char *what; /* "token endpoint": for messages */
    skep_str url;
    skep_str form;   /* empty = GET */
    skep_str bearer; /* empty = none */
    bool basic;      /* with the client's id and secret */
};
/* Free *ret_doc; *ret_status may be an error's. */
SKEP_NODISCARD skep_rc skep_oidc__ask(struct skep_oidc *o, const struct skep_oidc_visit *visit,
                                      const struct skep_oidc__ask *ask, struct skep_arena *arena,
                                      yyjson_doc **ret_doc, int *ret_status, skep_err *err);

/* --- oidc_person.c: who it is here --- */

/* What the provider says of a person. */
struct skep_oidc__person {
    yyjson_val *token, *info; /* claims of the ID token; of the userinfo endpoint, or NULL */
};

/* The user of a person: found, bound or made, with the role that the claims give.
 * Returns SKEP_OK | SKEP_EFORBIDDEN | SKEP_EIO ... */
SKEP_NODISCARD skep_rc skep_oidc__user(struct skep_oidc *o, const struct skep_people *people,
                                       const struct skep_oidc__person *who,
                                       struct skep_arena *arena, struct skep_state_user *ret,
                                       struct skep_oidc_entered *ret_what, skep_err *err);
/* True if the ID token's claims alone do not answer what is asked of a person. */
bool skep_oidc__wants_info(const struct skep_oidc *o, yyjson_val *token);

/* Foreign text for a message: cut, control characters as '?'. */
skep_str skep_oidc__words(struct skep_arena *arena, skep_str s);
/* Append "&name=value" in the form's encoding; without the '&' to an empty buffer. */
void skep_oidc__pair(struct skep_buf *out, skep_str name, skep_str value);
