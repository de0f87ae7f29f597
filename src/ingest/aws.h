// SPDX-License-Identifier: Apache-2.0
/* What AWS's JSON protocols have in common: the envelope of answers and errors, the identity of a
 * call.  For the wires here and for the APIs above. */
#pragma once

#include "net/net.h"
#include "os/os.h"

/* A new x-amzn-RequestId (a UUID), written to out[36]. */
skep_str skep_aws_request_id(const struct skep_os *os, char out[36]);

/* Answer 200 with a JSON body; x-amzn-RequestId is a new one. */
void skep_aws_respond(struct skep_request *req, const struct skep_os *os, skep_str content_type,
                      skep_str json);

/* An error: header x-amzn-ErrorType, body {"__type":type,"Message":message}.
 * type             "InvalidRequestException" ...
 * retry_after_s    0 = none */
void skep_aws_fail(struct skep_request *req, const struct skep_os *os, skep_str content_type,
                   int status, skep_str type, skep_str message, int retry_after_s);

/* The type and status of an error that is not the operation's own.
 * status    in: what HTTP would say; out: what AWS says */
skep_str skep_aws_type(skep_rc rc, enum skep_denied why, int *status);

/* The same call again has the same identity: its amz-sdk-invocation-id, environment and body.
 * False: it carries none, and *ret is all zero. */
bool skep_aws_identity(const struct skep_request *req, uint8_t ret[static 16]);
