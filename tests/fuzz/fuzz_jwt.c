// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a token, and as a set of keys: what is read lies within its bounds, what is refused
 * says why. */
#include "base/assert.h"
#include "wire/jwt.h"

static void token(struct skep_arena *arena, skep_str text)
{
    struct skep_jwt t;
    skep_err err = {.text = ""};
    if (skep_jwt_read(arena, text, &t, &err) != SKEP_OK) {
        skep_assert(err.text[0] != '\0');
        return;
    }
    skep_assert(t.alg.n > 0 && t.signed_part.p == text.p);
    skep_assert(t.signed_part.n < text.n && text.p[t.signed_part.n] == '.');
    skep_assert(yyjson_is_obj(yyjson_doc_get_root(t.claims)));
    skep_jwt_done(&t);
}

static void keys(struct skep_arena *arena, skep_str text)
{
    struct skep_jwk *list;
    size_t n = 0;
    skep_err err = {.text = ""};
    yyjson_doc *doc = text.n ? yyjson_read(text.p, text.n, 0) : NULL;
    skep_rc rc = skep_jwks_read(arena, yyjson_doc_get_root(doc), &list, &n, &err);
    yyjson_doc_free(doc);
    if (rc != SKEP_OK) {
        skep_assert(err.text[0] != '\0');
        return;
    }
    skep_assert(n <= SKEP_JWKS_KEYS_MAX);
    for (size_t i = 0; i < n; i++) {
        skep_assert(list[i].kind == SKEP_JWK_RSA ? list[i].n.n && list[i].e.n : list[i].x.n > 0);
        skep_assert(list[i].n.n <= 2049 && list[i].x.n <= 2049);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "fuzz", NULL);
    token(&arena, (skep_str){(const char *)data, size});
    keys(&arena, (skep_str){(const char *)data, size});
    skep_arena_done(&arena);
    return 0;
}
