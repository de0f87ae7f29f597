// SPDX-License-Identifier: Apache-2.0
/* The envelope of AWS's JSON protocols.
 *
 *   x-amzn-RequestId: 8-4-4-4-12 hex digits
 *   x-amzn-ErrorType: ThrottledException
 *   {"__type":"ThrottledException","Message":"..."}
 *
 * SDKs read the type from one of the two places; fluent-bit from the first token that begins with
 * "__type", which therefore stands first, and it takes a 200 without the request id for a failure.
 *
 * Threads: any.  Memory: a buffer a call. */
#include "aws/aws.h"

#include "base/assert.h"
#include "base/bytes.h"

#define COMMON_ERRORS                                                                              \
    [SKEP_AWS_SERIALIZATION] = {"SerializationException", 400},                                    \
    [SKEP_AWS_UNKNOWN_OPERATION] = {"UnknownOperationException", 400},                             \
    [SKEP_AWS_TOO_LARGE] = {"RequestEntityTooLargeException", 413},                                \
    [SKEP_AWS_UNAVAILABLE] = {"ServiceUnavailableException", 503},                                 \
    [SKEP_AWS_NO_TOKEN] = {"MissingAuthenticationTokenException", 403},                            \
    [SKEP_AWS_INCOMPLETE_SIGNATURE] = {"IncompleteSignatureException", 403},                       \
    [SKEP_AWS_INVALID_SIGNATURE] = {"InvalidSignatureException", 403},                             \
    [SKEP_AWS_UNKNOWN_CLIENT] = {"UnrecognizedClientException", 403},                              \
    [SKEP_AWS_EXPIRED_TOKEN] = {"ExpiredTokenException", 403},                                     \
    [SKEP_AWS_ACCESS_DENIED] = {"AccessDeniedException", 403}

const struct skep_aws_service skep_aws_xray = {
    .content_type = SKEP_STR_INIT("application/json"),
    .message_key = SKEP_STR_INIT("Message"),
    .errors = {COMMON_ERRORS, [SKEP_AWS_INVALID] = {"InvalidRequestException", 400},
               [SKEP_AWS_NOT_FOUND] = {"ResourceNotFoundException", 404},
               [SKEP_AWS_THROTTLED] = {"ThrottledException", 429},
               [SKEP_AWS_INTERNAL] = {"InternalFailure", 500}}};

const struct skep_aws_service skep_aws_logs = {
    .content_type = SKEP_STR_INIT("application/x-amz-json-1.1"),
    .message_key = SKEP_STR_INIT("message"),
    .errors = {COMMON_ERRORS, [SKEP_AWS_INVALID] = {"InvalidParameterException", 400},
               [SKEP_AWS_NOT_FOUND] = {"ResourceNotFoundException", 400},
               [SKEP_AWS_THROTTLED] = {"ThrottlingException", 400},
               [SKEP_AWS_INTERNAL] = {"InternalServerException", 500}}};

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

void skep_aws_respond(const struct skep_aws_service *service, struct skep_request *req,
                      const struct skep_os *os, skep_str json)
{
    char id[36];
    const struct skep_response resp = {
        .status = 200,
        .content_type = service->content_type,
        .body = skep_str_bytes(json),
        .headers = {{SKEP_STR("x-amzn-RequestId"), skep_aws_request_id(os, id)}},
        .n_headers = 1,
        .compressible = true};
    skep_respond(req, &resp);
}

static bool worth_a_retry(const struct skep_aws_service *service, const struct skep_aws_error *e)
{
    return e->status == 503 || e->status == 429 ||
           skep_str_eq(skep_str_c(e->type), skep_str_c(service->errors[SKEP_AWS_THROTTLED].type));
}

void skep_aws_fail(const struct skep_aws_service *service, struct skep_request *req,
                   const struct skep_os *os, const struct skep_aws_failure *f)
{
    char id[36];
    struct skep_buf body;
    struct skep_json j;
    skep_str type = skep_str_c(f->error.type);
    skep_buf_init(&body, 64 << 10);
    skep_json_init(&j, &body);
    skep_json_object(&j);
    skep_json_put_str(&j, SKEP_STR("__type"), type);
    skep_json_put_str(&j, service->message_key, f->message);
    if (f->more)
        f->more(&j, f->more_ctx);
    skep_json_end(&j);
    const struct skep_response resp = {
        .status = f->error.status,
        .content_type = service->content_type,
        .body = body.bad ? skep_str_bytes(SKEP_STR("{}")) : skep_buf_bytes(&body),
        .headers = {{SKEP_STR("x-amzn-RequestId"), skep_aws_request_id(os, id)},
                    {SKEP_STR("x-amzn-ErrorType"), type}},
        .n_headers = 2,
        .retry_after_s = f->retry_after_s ? f->retry_after_s : worth_a_retry(service, &f->error)};
    skep_respond(req, &resp);
    skep_buf_done(&body);
}

static enum skep_aws_cause cause_of_denial(enum skep_denied why)
{
    switch (why) {
    case SKEP_DENIED_MISSING: return SKEP_AWS_NO_TOKEN;
    case SKEP_DENIED_MALFORMED: return SKEP_AWS_INCOMPLETE_SIGNATURE;
    case SKEP_DENIED_SIGNATURE:
    case SKEP_DENIED_CLOCK: return SKEP_AWS_INVALID_SIGNATURE;
    case SKEP_DENIED_EXPIRED: return SKEP_AWS_EXPIRED_TOKEN;
    case SKEP_DENIED_UNKNOWN:
    case SKEP_DENIED_REVOKED: return SKEP_AWS_UNKNOWN_CLIENT;
    case SKEP_DENIED_RATE: return SKEP_AWS_THROTTLED;
    case SKEP_DENIED_NO:
    case SKEP_DENIED_RIGHT:
    case SKEP_DENIED_ENVIRONMENT:
    case SKEP_DENIED_NO_ENVIRONMENT:
    case SKEP_DENIED_COUNT: break;
    }
    return SKEP_AWS_ACCESS_DENIED;
}

enum skep_aws_cause skep_aws_cause_of(skep_rc rc, enum skep_denied why, int status)
{
    if (why != SKEP_DENIED_NO)
        return cause_of_denial(why);
    if (skep_rc_info(rc)->retry) /* the SDKs try again after both */
        return status == 429 ? SKEP_AWS_THROTTLED : SKEP_AWS_UNAVAILABLE;
    switch (status) {
    case 401: return SKEP_AWS_NO_TOKEN;
    case 403: return SKEP_AWS_ACCESS_DENIED;
    case 404: return SKEP_AWS_NOT_FOUND;
    case 413: return SKEP_AWS_TOO_LARGE;
    case 429: return SKEP_AWS_THROTTLED;
    case 503: return SKEP_AWS_UNAVAILABLE;
    default: break;
    }
    if (status >= 500)
        return SKEP_AWS_INTERNAL;
    return rc == SKEP_EMALFORMED || rc == SKEP_EUNSUPPORTED ? SKEP_AWS_SERIALIZATION
                                                            : SKEP_AWS_INVALID;
}
