// SPDX-License-Identifier: Apache-2.0
/* The envelope of AWS's JSON protocols.
 *
 *   x-amzn-RequestId: 8-4-4-4-12 hex digits
 *   x-amzn-ErrorType: ThrottledException
 *   {"__type":"ThrottledException","Message":"..."}
 *
 * All SDKs read one of the two places of the type (facts of both were tried with them).
 *
 * Threads: any.  Memory: a buffer a call. */
#include "ingest/aws.h"

#include <xxhash.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "wire/json_out.h"

skep_str skep_aws_request_id(const struct skep_os *os, char out[36])
{
    static const uint8_t parts[] = {4, 2, 2, 2, 6}; // octets between the dashes
    uint8_t b[16];
    char *p = out;
    os->random(os, b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); // version 4
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    for (unsigned i = 0, at = 0; i < SKEP_ARRAY_LEN(parts); at += parts[i++]) {
        if (i > 0)
            *p++ = '-';
        skep_hex_encode((skep_bytes){b + at, parts[i]}, p);
        p += 2 * parts[i];
    }
    return (skep_str){out, 36};
}

void skep_aws_respond(struct skep_request *req, const struct skep_os *os, skep_str content_type,
                      skep_str json)
{
    char id[36];
    const struct skep_response resp = {
        .status = 200,
        .content_type = content_type,
        .body = skep_str_bytes(json),
        .headers = {{SKEP_STR("x-amzn-RequestId"), skep_aws_request_id(os, id)}},
        .n_headers = 1,
        .compressible = true};
    skep_respond(req, &resp);
}

void skep_aws_fail(struct skep_request *req, const struct skep_os *os, skep_str content_type,
                   int status, skep_str type, skep_str message, int retry_after_s)
{
    char id[36];
    struct skep_buf body;
    struct skep_json j;
    skep_buf_init(&body, 64 << 10);
    skep_json_init(&j, &body);
    skep_json_object(&j);
    skep_json_put_str(&j, SKEP_STR("__type"), type);
    skep_json_put_str(&j, SKEP_STR("Message"), message);
    skep_json_end(&j);
    const struct skep_response resp = {
        .status = status,
        .content_type = content_type,
        .body = body.bad ? skep_str_bytes(SKEP_STR("{}")) : skep_buf_bytes(&body),
        .headers = {{SKEP_STR("x-amzn-RequestId"), skep_aws_request_id(os, id)},
                    {SKEP_STR("x-amzn-ErrorType"), type}},
        .n_headers = 2,
        .retry_after_s = retry_after_s};
    skep_respond(req, &resp);
    skep_buf_done(&body);
}

static skep_str denied_type(enum skep_denied why, int *status)
{
    *status = 403;
    switch (why) {
    case SKEP_DENIED_MISSING: return SKEP_STR("MissingAuthenticationTokenException");
    case SKEP_DENIED_MALFORMED: return SKEP_STR("IncompleteSignatureException");
    case SKEP_DENIED_SIGNATURE:
    case SKEP_DENIED_CLOCK: return SKEP_STR("InvalidSignatureException");
    case SKEP_DENIED_EXPIRED: return SKEP_STR("ExpiredTokenException");
    case SKEP_DENIED_UNKNOWN:
    case SKEP_DENIED_REVOKED: return SKEP_STR("UnrecognizedClientException");
    case SKEP_DENIED_RATE: *status = 429; return SKEP_STR("ThrottledException");
    case SKEP_DENIED_NO:
    case SKEP_DENIED_RIGHT:
    case SKEP_DENIED_ENVIRONMENT:
    case SKEP_DENIED_NO_ENVIRONMENT:
    case SKEP_DENIED_COUNT: break;
    }
    return SKEP_STR("AccessDeniedException");
}

skep_str skep_aws_type(skep_rc rc, enum skep_denied why, int *status)
{
    if (why != SKEP_DENIED_NO)
        return denied_type(why, status);
    if (skep_rc_info(rc)->retry) { // the SDKs try again after 429 and 5xx
        if (*status != 429)
            *status = 503;
        return *status == 429 ? SKEP_STR("ThrottledException")
                              : SKEP_STR("ServiceUnavailableException");
    }
    if (*status >= 500)
        return SKEP_STR("InternalFailure");
    if (*status == 413)
        return SKEP_STR("RequestEntityTooLargeException");
    if (rc == SKEP_EMALFORMED || rc == SKEP_EUNSUPPORTED)
        return SKEP_STR("SerializationException");
    return SKEP_STR("InvalidRequestException");
}

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
