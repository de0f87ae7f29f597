// SPDX-License-Identifier: Apache-2.0
/* Paging tokens of AWS's operations: a position in the caller's own answer, bound to its request.
 */
#pragma once

#include <yyjson.h>

#include "base/buf.h"
#include "base/str.h"

enum {
    SKEP_AWS_TOKEN_POSITION = 2064, /* bytes of a position at most: a name of 512 characters */
    SKEP_AWS_TOKEN_BYTES = 9 + SKEP_AWS_TOKEN_POSITION + 8
};

/* What a token is bound to. */
struct skep_aws_call {
    skep_str operation, environment;
    yyjson_val *root;      /* the request; */
    const char *token_key; /* its member with this name is the token */
};

/* The position in a token.
 * bytes    room that *ret points into
 * ret_why  on failure "is not one of this server's" ..., static
 * False: it is none, or of another request; *ret is untouched */
SKEP_NODISCARD bool skep_aws_token_read(const struct skep_aws_call *call, skep_str text,
                                        uint8_t bytes[static SKEP_AWS_TOKEN_BYTES], skep_bytes *ret,
                                        const char **ret_why);

/* The token of this request for a position of at most SKEP_AWS_TOKEN_POSITION bytes, in an empty
 * buffer with room for 4096. */
skep_str skep_aws_token_write(const struct skep_aws_call *call, skep_bytes position,
                              struct skep_buf *text);
