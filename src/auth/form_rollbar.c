// SPDX-License-Identifier: Apache-2.0
/* Rollbar's form: X-Rollbar-Access-Token, else access_token in the query, else in the body (JSON's
 * top level, or a field of a form, with files or without).  The header is first, because newer
 * notifiers send it alone.
 *
 * Only without header and parameter is the body waited for: net takes SKEP_GATE_UNKNOWN_BYTES of it
 * at most, unless it is a form with files whose token stands near its beginning (BEGUN), as curl's
 * and the libraries' do.
 * Threads: I/O.  Memory: the body's JSON tree while the token is looked for. */
#include <yyjson.h>

#include "auth/auth_priv.h"
#include "wire/multipart.h"

static skep_str in_form(skep_str body)
{
    while (body.p && body.n) {
        skep_str value = skep_str_cut(&body, '&');
        skep_str name = skep_str_cut(&value, '=');
        if (skep_str_eq(name, SKEP_STR("access_token")))
            return value.p ? value : SKEP_STR("");
    }
    return SKEP_STR_NULL;
}

/* The token of a form with files, or of as much as has come of one; empty if there is none. */
static skep_str in_parts(const struct skep_request *req, skep_str body)
{
    struct skep_part part;
    bool found = skep_str_starts(req->content_type, SKEP_STR("multipart/")) &&
                 skep_multipart_find(skep_request_header(req, SKEP_STR("content-type")), body,
                                     SKEP_STR("access_token"), &part);
    return found ? part.body : SKEP_STR("");
}

/* The token of a body, in the request's arena; empty if there is none. */
static skep_str in_body(struct skep_request *req)
{
    skep_str body = skep_bytes_str(req->body);
    if (body.n == 0 || body.n > SKEP_GATE_UNKNOWN_BYTES)
        return SKEP_STR("");
    if (skep_str_starts(req->content_type, SKEP_STR("multipart/")))
        return in_parts(req, body);
    if (skep_str_eq(req->content_type, SKEP_STR("application/x-www-form-urlencoded")))
        return in_form(body);
    yyjson_doc *doc = yyjson_read(body.p, body.n, 0);
    yyjson_val *v = yyjson_obj_get(yyjson_doc_get_root(doc), "access_token");
    skep_str token = SKEP_STR("");
    if (yyjson_is_str(v))
        token = skep_arena_str(req->arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
    yyjson_doc_free(doc);
    return token;
}

static enum skep_auth__found find(const struct skep_auth__question *q, struct skep_auth__claim *ret)
{
    skep_str token = skep_request_header(q->req, SKEP_STR("x-rollbar-access-token"));
    if (!token.n && !skep_request_param(q->req, SKEP_STR("access_token"), &token))
        token = SKEP_STR("");
    if (token.n)
        return skep_auth__claimed(skep_auth__by_rollbar(q->table, token), ret);
    bool has_body = skep_str_eq(q->req->method, SKEP_STR("POST")) ||
                    skep_str_eq(q->req->method, SKEP_STR("PUT")) ||
                    skep_str_eq(q->req->method, SKEP_STR("PATCH"));
    if (!has_body || (q->open && q->table->n_keys == 0))
        return SKEP_AUTH__NONE;
    if (q->moment == SKEP_GATE_BEGUN)
        token = in_parts(q->req, skep_bytes_str(q->wire));
    if (q->moment != SKEP_GATE_BODY && token.n == 0)
        return SKEP_AUTH__LATER_BODY;
    if (q->moment == SKEP_GATE_BODY)
        token = in_body(q->req);
    return token.n ? skep_auth__claimed(skep_auth__by_rollbar(q->table, token), ret)
                   : SKEP_AUTH__NONE;
}

const struct skep_auth__form skep_auth__rollbar = {SKEP_FORM_ROLLBAR,
                                                   SKEP_STR_INIT("access token required"), find};
