// SPDX-License-Identifier: Apache-2.0
/* Authorization: Bearer and Basic.
 *
 *   Bearer TOKEN | Bearer ID:SECRET (Honeycomb's management keys; TOKEN is ID and SECRET joined)
 *   Basic base64(ID:SECRET | anything:TOKEN | TOKEN:)
 *
 * Threads: I/O.  Memory: the request's arena; what is decoded is wiped. */
#include <sodium.h>

#include "auth/auth_priv.h"
#include "wire/base64.h"

static skep_str after(skep_str value, skep_str scheme)
{
    if (value.n <= scheme.n || !skep_str_ieq((skep_str){value.p, scheme.n}, scheme))
        return SKEP_STR_NULL;
    return skep_str_trim(skep_str_skip(value, scheme.n));
}

/* ID:SECRET as one token. */
static const struct skep_auth__key *joined(const struct skep_auth__table *t, skep_str id,
                                           skep_str secret)
{
    char token[SKEP_AUTH__TOKEN_MAX_BYTES];
    if (id.n + secret.n > sizeof token || secret.n == 0)
        return skep_auth__by_token(t, id);
    memcpy(token, id.p, id.n);
    memcpy(token + id.n, secret.p, secret.n);
    const struct skep_auth__key *key = skep_auth__by_token(t, (skep_str){token, id.n + secret.n});
    sodium_memzero(token, sizeof token);
    return key;
}

static const struct skep_auth__key *bearer(const struct skep_auth__table *t, skep_str v)
{
    skep_str secret = v;
    skep_str id = skep_str_cut(&secret, ':');
    return joined(t, id, secret.p ? secret : SKEP_STR(""));
}

static enum skep_auth__found basic(const struct skep_auth__question *q, skep_str v,
                                   struct skep_auth__claim *ret)
{
    uint8_t text[SKEP_AUTH__TOKEN_MAX_BYTES];
    size_t n = 0;
    if (!skep_base64_decode(v, text, sizeof text, &n)) {
        *ret = (struct skep_auth__claim){.why = SKEP_DENIED_MALFORMED,
                                         .message = SKEP_STR("Authorization: Basic holds no "
                                                             "base64 of USER:PASSWORD")};
        return SKEP_AUTH__CLAIM;
    }
    skep_str password = {(const char *)text, n};
    skep_str user = skep_str_cut(&password, ':');
    const struct skep_auth__key *key = joined(q->table, user, password.p ? password : SKEP_STR(""));
    if (!key && password.p)
        key = skep_auth__by_token(q->table, password);
    sodium_memzero(text, sizeof text);
    return skep_auth__claimed(key, ret);
}

static enum skep_auth__found find(const struct skep_auth__question *q, struct skep_auth__claim *ret)
{
    skep_str value = skep_request_header(q->req, SKEP_STR("authorization"));
    skep_str v = after(value, SKEP_STR("Bearer "));
    if (v.n)
        return skep_auth__claimed(bearer(q->table, v), ret);
    v = after(value, SKEP_STR("Basic "));
    return v.n ? basic(q, v, ret) : SKEP_AUTH__NONE;
}

const struct skep_auth__form skep_auth__bearer = {
    SKEP_FORM_BEARER, SKEP_STR_INIT("missing 'Authorization: Bearer KEY' header"), find};
