// SPDX-License-Identifier: Apache-2.0
/* The identity of an AWS call: a hash over what its retries repeat.
 *
 *   XXH3-128("aws call", path, environment, amz-sdk-invocation-id, body), each behind its length
 *
 * The body is in it because an id alone proves nothing: a client that repeats one for another body
 * sends another call.
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
