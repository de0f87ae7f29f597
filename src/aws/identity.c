// SPDX-License-Identifier: Apache-2.0
/* The identity of an AWS call: a hash over what its retries repeat.
 *
 *   XXH3-128("aws call", path, environment, amz-sdk-invocation-id, body), each behind its length
 *
 * The body is in it because an id alone proves nothing: a client that repeats one for another body
 * sends another call.
 *
 * And the region it was signed for, which is a part of names it is given.
 *
 * Threads: any. */
#include <xxhash.h>

#include "aws/aws.h"
#include "base/assert.h"
#include "base/bytes.h"

bool skep_aws_identity(const struct skep_request *req, uint8_t ret[static 16])
{
    skep_str id = skep_request_header(req, SKEP_STR("amz-sdk-invocation-id"));
    memset(ret, 0, 16);
    if (id.n == 0)
        return false;
    const skep_str parts[] = {SKEP_STR("aws call"), req->path, req->caller.environment, id,
                              skep_bytes_str(req->body)};
    XXH3_state_t *state = XXH3_createState();
    skep_assert(state != NULL);
    (void)XXH3_128bits_reset(state); // fails only for a NULL state
    for (size_t i = 0; i < SKEP_ARRAY_LEN(parts); i++) {
        uint8_t len[8];
        skep_store_le64(len, parts[i].n);
        (void)XXH3_128bits_update(state, len, sizeof len); // the same
        (void)XXH3_128bits_update(state, parts[i].p ? parts[i].p : "", parts[i].n);
    }
    XXH128_hash_t h = XXH3_128bits_digest(state);
    (void)XXH3_freeState(state); // always XXH_OK
    skep_store_le64(ret, h.low64 | (h.high64 == 0));
    skep_store_le64(ret + 8, h.high64);
    return true;
}

/* AKID/20261120/REGION/logs/aws4_request in an Authorization header. */
skep_str skep_aws_region(const struct skep_request *req)
{
    const skep_str none = SKEP_STR("us-east-1");
    skep_str auth = skep_request_header(req, SKEP_STR("authorization"));
    size_t at = skep_str_find(auth, SKEP_STR("Credential="));
    if (at == SIZE_MAX)
        return none;
    skep_str scope = skep_str_skip(auth, at);
    scope = skep_str_cut(&scope, ',');
    (void)skep_str_cut(&scope, '/');
    (void)skep_str_cut(&scope, '/');
    skep_str region = skep_str_cut(&scope, '/');
    for (size_t i = 0; i < region.n; i++) {
        char c = region.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return none;
    }
    return region.n && region.n <= 32 ? region : none;
}
