// SPDX-License-Identifier: Apache-2.0
/* What AWS's JSON protocols have in common: the envelope of answers and errors, and the identity of
 * a call.  For the wires (ingest) and the APIs (api) alike; a service is a table of its words. */
#pragma once

#include "net/net.h"
#include "os/os.h"
#include "wire/json_out.h"

/* An error as a client sees it. */
struct skep_aws_error {
    const char *type; /* "ResourceNotFoundException": the bare name, which some clients compare */
    int status;       /* HTTP */
};

/* What goes wrong in every service, whatever the operation. */
enum skep_aws_cause {
    SKEP_AWS_INVALID,           /* a member breaks a rule */
    SKEP_AWS_SERIALIZATION,     /* not JSON, or a member of another type */
    SKEP_AWS_UNKNOWN_OPERATION, /* of X-Amz-Target */
    SKEP_AWS_TOO_LARGE,
    SKEP_AWS_NOT_FOUND,
    SKEP_AWS_THROTTLED,
    SKEP_AWS_UNAVAILABLE,
    SKEP_AWS_INTERNAL,
    SKEP_AWS_NO_TOKEN,
    SKEP_AWS_INCOMPLETE_SIGNATURE,
    SKEP_AWS_INVALID_SIGNATURE,
    SKEP_AWS_UNKNOWN_CLIENT,
    SKEP_AWS_EXPIRED_TOKEN,
    SKEP_AWS_ACCESS_DENIED,
    SKEP_AWS_CAUSE_COUNT
};

/* A service's protocol and words. */
struct skep_aws_service {
    skep_str content_type;
    skep_str message_key; /* "Message" or "message": SDKs of each language read their model's */
    struct skep_aws_error errors[SKEP_AWS_CAUSE_COUNT];
};
extern const struct skep_aws_service skep_aws_xray; /* rest-json */
extern const struct skep_aws_service skep_aws_logs; /* awsJson 1.1 */

/* A new x-amzn-RequestId (a UUID), written to out[36]. */
skep_str skep_aws_request_id(const struct skep_os *os, char out[36]);

/* Answer 200.  json empty: no body, which is the answer of an operation without output in
 * awsJson; x-amzn-RequestId is a new one. */
void skep_aws_respond(const struct skep_aws_service *service, struct skep_request *req,
                      const struct skep_os *os, skep_str json);

/* Members of an error beside its type and message: "ResourceName", "expectedSequenceToken". */
typedef void skep_aws_more_fn(struct skep_json *json, const void *ctx);

struct skep_aws_failure {
    struct skep_aws_error error;
    skep_str message;
    skep_aws_more_fn *more; /* NULL: none */
    const void *more_ctx;
    int retry_after_s; /* 0: 1 s for what is worth a retry */
};

/* An error: header x-amzn-ErrorType, body {"__type":type,"message":message, ...}. */
void skep_aws_fail(const struct skep_aws_service *service, struct skep_request *req,
                   const struct skep_os *os, const struct skep_aws_failure *f);

/* The cause behind a refusal of net, of the gate, or of a module below; the operation's own errors
 * are its own business.
 * status    what HTTP would say
 * why       SKEP_DENIED_NO: the gate was not asked, or let it in */
enum skep_aws_cause skep_aws_cause_of(skep_rc rc, enum skep_denied why, int status);

/* The same call again has the same identity: its amz-sdk-invocation-id, environment and body.
 * False: it carries none, and *ret is all zero. */
bool skep_aws_identity(const struct skep_request *req, uint8_t ret[static 16]);

/* The region that the request was signed for; "us-east-1" when it was for none. */
skep_str skep_aws_region(const struct skep_request *req);
