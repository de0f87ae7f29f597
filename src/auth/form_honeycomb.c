// SPDX-License-Identifier: Apache-2.0
/* Honeycomb's form: the token in X-Honeycomb-Team, in the short X-Hny-Team, or where Amazon Data
 * Firehose puts it; gRPC metadata of the same names are headers, too.  Threads: I/O.  Memory: none.
 */
#include "auth/auth_priv.h"

static enum skep_auth__found find(const struct skep_auth__question *q, struct skep_auth__claim *ret)
{
    skep_str token = skep_request_header(q->req, SKEP_STR("x-honeycomb-team"));
    if (!token.n)
        token = skep_request_header(q->req, SKEP_STR("x-hny-team"));
    if (!token.n)
        token = skep_request_header(q->req, SKEP_STR("x-amz-firehose-access-key"));
    if (!token.n)
        return SKEP_AUTH__NONE;
    return skep_auth__claimed(skep_auth__by_token(q->table, token), ret);
}

const struct skep_auth__form skep_auth__honeycomb = {
    SKEP_FORM_HONEYCOMB, SKEP_STR_INIT("missing 'x-honeycomb-team' header"), find};
