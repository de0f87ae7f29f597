// SPDX-License-Identifier: Apache-2.0
/* NextToken: where the next page of an answer begins (token.h).
 *
 *   base64url( version 1 | hash of the request, 8 | position, 0..40 | check, 8 )
 *
 * The hash covers the operation, the environment and every member but the token, in any order.  The
 * check is of all before it: a token that was cut, changed or made up is told from a good one.  It
 * guards against mistakes, not against people: a position only says where in the caller's own
 * answer to go on, and each operation checks what it reads.
 *
 * I1  A token is good for the same request alone, whoever sends it, also after a restart.
 *
 * Threads: any; everything is in the arguments. */
#include "aws/token.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "wire/base64.h"

enum { VERSION = 1, HEAD = 9, CHECK = 8, SEED = 0x7872 };
_Static_assert(SKEP_AWS_TOKEN_BYTES == HEAD + SKEP_AWS_TOKEN_POSITION + CHECK, "room of a token");

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

static uint64_t hash_request(const struct skep_aws_call *call)
{
    size_t i, max;
    yyjson_val *key, *v;
    uint64_t h = skep_hash(skep_str_bytes(call->operation));
    h = skep_hash_seed(skep_str_bytes(call->environment), h);
    yyjson_obj_foreach(call->root, i, max, key, v)
    {
        if (!yyjson_is_null(v) && !yyjson_equals_str(key, call->token_key))
            h += skep_hash_u64(hash_member(key, v)); /* a sum: the order is the client's */
    }
    return h;
}

bool skep_aws_token_read(const struct skep_aws_call *call, skep_str text,
                         uint8_t bytes[static SKEP_AWS_TOKEN_BYTES], skep_bytes *ret,
                         const char **ret_why)
{
    size_t n = 0;
    bool good =
        text.n > 0 && skep_base64_decode(text, bytes, SKEP_AWS_TOKEN_BYTES, &n) &&
        n >= HEAD + CHECK && bytes[0] == VERSION &&
        skep_load_le64(bytes + n - CHECK) == skep_hash_seed((skep_bytes){bytes, n - CHECK}, SEED);
    if (!good) {
        *ret_why = "is not one of this server's";
        return false;
    }
    if (skep_load_le64(bytes + 1) != hash_request(call)) {
        *ret_why = "belongs to another request: send the members of the first page with it";
        return false;
    }
    *ret = (skep_bytes){bytes + HEAD, n - HEAD - CHECK};
    return true;
}

skep_str skep_aws_token_write(const struct skep_aws_call *call, skep_bytes position,
                              struct skep_buf *text)
{
    uint8_t bytes[SKEP_AWS_TOKEN_BYTES];
    skep_assert(position.n <= SKEP_AWS_TOKEN_POSITION && text->n == 0);
    bytes[0] = VERSION;
    skep_store_le64(bytes + 1, hash_request(call));
    if (position.n)
        memcpy(bytes + HEAD, position.p, position.n);
    size_t n = HEAD + position.n;
    skep_store_le64(bytes + n, skep_hash_seed((skep_bytes){bytes, n}, SEED));
    skep_base64_encode(text, (skep_bytes){bytes, n + CHECK});
    for (size_t i = 0; i < text->n; i++) /* no character that a URL or a shell would change */
        text->p[i] = (uint8_t)(text->p[i] == '+' ? '-' : text->p[i] == '/' ? '_' : text->p[i]);
    return skep_buf_text(text);
}
