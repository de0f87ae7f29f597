// SPDX-License-Identifier: Apache-2.0
/* JSON Web Tokens and key sets (jwt.h).
 *
 *   token   base64url(header) "." base64url(claims) "." base64url(signature)
 *   header  {"alg": ..., "kid": ..., "crit": refused}
 *   set     {"keys": [{"kty": "RSA", "n", "e"} | {"kty": "EC", "crv", "x", "y"}
 *                     | {"kty": "OKP", "crv", "x"} ...]}
 *
 * I1  bounded: a token of 64 KiB, a set of 100 keys; yyjson does not recurse.
 * I2  no message holds bytes of the token.
 * Threads: any.  Memory: the arena; the claims' document is yyjson's. */
#include "wire/jwt.h"

#include "base/assert.h"
#include "wire/base64.h"

skep_str skep_jwt_text(yyjson_val *obj, const char *member)
{
    yyjson_val *v = yyjson_obj_get(obj, member);
    return yyjson_is_str(v) ? (skep_str){yyjson_get_str(v), yyjson_get_len(v)} : SKEP_STR("");
}

/* The URL-safe alphabet without padding, as RFC 7515 wants it. */
static bool decode(struct skep_arena *arena, skep_str s, skep_bytes *ret)
{
    size_t n = 0, cap = 3 * s.n / 4 + 3;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '+' || s.p[i] == '/' || s.p[i] == '=')
            return false;
    uint8_t *out = skep_arena_alloc(arena, cap);
    if (!skep_base64_decode(s, out, cap, &n))
        return false;
    *ret = (skep_bytes){out, n};
    return true;
}

static yyjson_doc *object_of(skep_bytes text)
{
    yyjson_doc *doc = text.n ? yyjson_read((const char *)text.p, text.n, 0) : NULL;
    if (doc && yyjson_is_obj(yyjson_doc_get_root(doc)))
        return doc;
    yyjson_doc_free(doc);
    return NULL;
}

static skep_rc read_header(struct skep_arena *arena, skep_bytes text, struct skep_jwt *t,
                           skep_err *err)
{
    yyjson_doc *doc = object_of(text);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool critical = yyjson_obj_get(root, "crit") != NULL;
    t->alg = skep_arena_str(arena, skep_jwt_text(root, "alg"));
    t->kid = skep_arena_str(arena, skep_jwt_text(root, "kid"));
    yyjson_doc_free(doc);
    if (!doc)
        return skep_fail(err, SKEP_EMALFORMED, "the token's header is no JSON object");
    if (!t->alg.n)
        return skep_fail(err, SKEP_EMALFORMED, "the token names no algorithm");
    if (critical)
        return skep_fail(err, SKEP_EMALFORMED, "the token has critical extensions (crit)");
    return SKEP_OK;
}

skep_rc skep_jwt_read(struct skep_arena *arena, skep_str token, struct skep_jwt *ret, skep_err *err)
{
    skep_bytes header, claims;
    struct skep_jwt t = {.claims = NULL};
    if (token.n > SKEP_JWT_MAX_BYTES)
        return skep_fail(err, SKEP_EMALFORMED, "the token has more than %d bytes",
                         SKEP_JWT_MAX_BYTES);
    skep_str rest = token;
    skep_str first = skep_str_cut(&rest, '.');
    skep_str second = rest.p ? skep_str_cut(&rest, '.') : SKEP_STR("");
    if (!rest.p || skep_str_chr(rest, '.') != SIZE_MAX)
        return skep_fail(err, SKEP_EMALFORMED, "the token is not of three parts");
    if (!decode(arena, first, &header) || !decode(arena, second, &claims) ||
        !decode(arena, rest, &t.signature))
        return skep_fail(err, SKEP_EMALFORMED, "a part of the token is no base64url");
    t.signed_part = (skep_str){token.p, first.n + 1 + second.n};
    SKEP_TRY(read_header(arena, header, &t, err));
    t.claims = object_of(claims);
    if (!t.claims)
        return skep_fail(err, SKEP_EMALFORMED, "the token's claims are no JSON object");
    *ret = t;
    return SKEP_OK;
}

void skep_jwt_done(struct skep_jwt *t)
{
    yyjson_doc_free(t->claims);
    t->claims = NULL;
}

/* A number or coordinate: at most 2 KiB (RSA of 16,384 bits). */
static bool member_bytes(struct skep_arena *arena, yyjson_val *key, const char *member,
                         skep_bytes *ret)
{
    skep_str s = skep_jwt_text(key, member);
    return s.n > 0 && s.n <= 2732 && decode(arena, s, ret) && ret->n > 0;
}

static bool read_key(struct skep_arena *arena, yyjson_val *v, struct skep_jwk *ret)
{
    skep_str kty = skep_jwt_text(v, "kty");
    *ret = (struct skep_jwk){.kid = skep_arena_str(arena, skep_jwt_text(v, "kid")),
                             .alg = skep_arena_str(arena, skep_jwt_text(v, "alg")),
                             .use = skep_arena_str(arena, skep_jwt_text(v, "use")),
                             .crv = skep_arena_str(arena, skep_jwt_text(v, "crv"))};
    if (skep_str_eq(kty, SKEP_STR("RSA"))) {
        ret->kind = SKEP_JWK_RSA;
        return member_bytes(arena, v, "n", &ret->n) && member_bytes(arena, v, "e", &ret->e);
    }
    if (skep_str_eq(kty, SKEP_STR("EC"))) {
        ret->kind = SKEP_JWK_EC;
        return member_bytes(arena, v, "x", &ret->x) && member_bytes(arena, v, "y", &ret->y);
    }
    ret->kind = SKEP_JWK_OKP;
    return skep_str_eq(kty, SKEP_STR("OKP")) && member_bytes(arena, v, "x", &ret->x);
}

skep_rc skep_jwks_read(struct skep_arena *arena, yyjson_val *set, struct skep_jwk **ret,
                       size_t *ret_n, skep_err *err)
{
    yyjson_val *keys = yyjson_obj_get(set, "keys"), *v;
    size_t n = 0, i, max;
    if (!yyjson_is_arr(keys) || yyjson_arr_size(keys) > SKEP_JWKS_KEYS_MAX)
        return skep_fail(err, SKEP_EMALFORMED, "this is no set of up to %d keys ({\"keys\": []})",
                         SKEP_JWKS_KEYS_MAX);
    struct skep_jwk *list = skep_new_n(arena, struct skep_jwk, yyjson_arr_size(keys) + 1);
    yyjson_arr_foreach(keys, i, max, v)
    {
        n += yyjson_is_obj(v) && read_key(arena, v, &list[n]);
    }
    skep_assert(n <= SKEP_JWKS_KEYS_MAX);
    *ret = list;
    *ret_n = n;
    return SKEP_OK;
}
