// SPDX-License-Identifier: Apache-2.0
/* NextToken: where the next page of an answer begins.
 *
 *   base64url( version 1 | hash of the request, 8 | position, 0..40 | check, 8 )
 *
 * The hash covers the operation, the environment and every member but NextToken, in any order.  The
 * check is of all before it: a token that was cut, changed or made up is told from a good one.  It
 * guards against mistakes, not against people: a position only says where in the caller's own
 * answer to go on, and each operation checks what it reads.
 *
 * I1  A token is good for the same request alone, whoever sends it, also after a restart.
 *
 * Threads: the request's worker. */
#include "api/xray_priv.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "wire/base64.h"

enum { VERSION = 1, HEAD = 9, CHECK = 8, SEED = 0x7872 };
enum { BYTES_MAX = HEAD + SKEP_XRAY_TOKEN_POSITION + CHECK };

static uint64_t hash_member(yyjson_val *key, yyjson_val *v)
{
    size_t n = 0;
    char *text = yyjson_val_write(v, 0, &n);
    uint64_t h =
        skep_hash_seed((skep_bytes){(const uint8_t *)yyjson_get_str(key), yyjson_get_len(key)},
                       skep_hash((skep_bytes){(const uint8_t *)text, n}));
    // tidy: allow banned: yyjson's
    free(text);
    return h;
}

static uint64_t hash_request(const struct skep_api__xray *x)
{
    size_t i, max;
    yyjson_val *key, *v;
    uint64_t h = skep_hash(skep_str_bytes(skep_str_c(x->op->name)));
    h = skep_hash_seed(skep_str_bytes(x->job->opts.environment), h);
    yyjson_obj_foreach(x->in, i, max, key, v)
    {
        if (!yyjson_is_null(v) && !yyjson_equals_str(key, "NextToken"))
            h += skep_hash_u64(hash_member(key, v)); /* a sum: the order is the client's */
    }
    return h;
}

bool skep_api__xray_token(struct skep_api__xray *x, skep_bytes *ret)
{
    size_t n = 0;
    yyjson_val *v = yyjson_obj_get(x->in, "NextToken");
    *ret = (skep_bytes){NULL, 0};
    if (!v || yyjson_is_null(v) || (yyjson_is_str(v) && yyjson_get_len(v) == 0))
        return true;
    uint8_t *bytes = skep_arena_alloc(&x->job->arena, BYTES_MAX);
    skep_str text = {yyjson_get_str(v), yyjson_is_str(v) ? yyjson_get_len(v) : 0};
    bool good =
        text.n > 0 && skep_base64_decode(text, bytes, BYTES_MAX, &n) && n >= HEAD + CHECK &&
        bytes[0] == VERSION &&
        skep_load_le64(bytes + n - CHECK) == skep_hash_seed((skep_bytes){bytes, n - CHECK}, SEED);
    if (!good) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST, "NextToken is not one of this server's");
        return false;
    }
    if (skep_load_le64(bytes + 1) != hash_request(x)) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                            "NextToken belongs to another request: send the members of the first "
                            "page with it");
        return false;
    }
    *ret = (skep_bytes){bytes + HEAD, n - HEAD - CHECK};
    return true;
}

void skep_api__xray_put_token(struct skep_api__xray *x, skep_bytes position)
{
    uint8_t bytes[BYTES_MAX];
    struct skep_buf text;
    skep_assert(position.n <= SKEP_XRAY_TOKEN_POSITION);
    bytes[0] = VERSION;
    skep_store_le64(bytes + 1, hash_request(x));
    if (position.n)
        memcpy(bytes + HEAD, position.p, position.n);
    size_t n = HEAD + position.n;
    skep_store_le64(bytes + n, skep_hash_seed((skep_bytes){bytes, n}, SEED));
    skep_buf_init(&text, 256);
    skep_base64_encode(&text, (skep_bytes){bytes, n + CHECK});
    for (size_t i = 0; i < text.n; i++) /* no character that a URL or a shell would change */
        text.p[i] = (uint8_t)(text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i]);
    skep_json_put_str(&x->job->out.json, SKEP_STR("NextToken"), skep_buf_text(&text));
    skep_buf_done(&text);
}
