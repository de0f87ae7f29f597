// SPDX-License-Identifier: Apache-2.0
/* POST / without an operation of CloudWatch Logs: STS, and what nobody knows.
 *
 *   Action=GetCallerIdentity&Version=2011-06-15   (a form)  -> XML: watchtower asks it when it tags
 *   anything else                                           -> UnknownOperationException
 *
 * STS speaks AWS's query protocol: its answers and errors are XML.
 *
 * Threads: I/O.  Memory: the request's arena. */
#include "api/api_priv.h"

#include "aws/aws.h"
#include "base/assert.h"

#define XMLNS "https://sts.amazonaws.com/doc/2011-06-15/"

static bool is_query(const struct skep_request *req)
{
    return skep_str_eq(req->content_type, SKEP_STR("application/x-www-form-urlencoded"));
}

static void respond_xml(const struct skep_api *api, struct skep_request *req, int status,
                        skep_str xml)
{
    char id[36];
    skep_respond(req, &(struct skep_response){.status = status,
                                              .content_type = SKEP_STR("text/xml"),
                                              .body = skep_str_bytes(xml),
                                              .headers = {{SKEP_STR("x-amzn-RequestId"),
                                                           skep_aws_request_id(api->cfg.os, id)}},
                                              .n_headers = 1});
}

/* Text for XML; all but letters, digits and what names have becomes '_'. */
static skep_str plain(struct skep_arena *a, skep_str s)
{
    char *p = skep_arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.' || c == ' ' || c == ':' || c == ',' || c == '\'';
        p[i] = ok ? c : '_';
    }
    return (skep_str){p, s.n};
}

static void fail_xml(const struct skep_api *api, struct skep_request *req,
                     struct skep_aws_error error, skep_str message)
{
    skep_str text = plain(req->arena, message);
    respond_xml(api, req, error.status,
                skep_arena_printf(req->arena,
                                  "<ErrorResponse xmlns=\"" XMLNS "\"><Error><Type>Sender</Type>"
                                  "<Code>%s</Code><Message>" SKEP_STRFMT
                                  "</Message></Error></ErrorResponse>",
                                  error.type, SKEP_STRARG(text)));
}

static void get_caller_identity(const struct skep_api *api, struct skep_request *req)
{
    skep_str name = req->caller.actor.n ? req->caller.actor : SKEP_STR("anybody");
    name = plain(req->arena, name);
    respond_xml(api, req, 200,
                skep_arena_printf(
                    req->arena,
                    "<GetCallerIdentityResponse xmlns=\"" XMLNS "\"><GetCallerIdentityResult>"
                    "<Arn>arn:aws:iam::000000000000:user/" SKEP_STRFMT "</Arn><UserId>" SKEP_STRFMT
                    "</UserId><Account>000000000000</Account></GetCallerIdentityResult>"
                    "<ResponseMetadata/></GetCallerIdentityResponse>",
                    SKEP_STRARG(name), SKEP_STRARG(name)));
}

static void send_error(const struct skep_api *api, struct skep_request *req,
                       enum skep_aws_cause cause, skep_str message)
{
    if (is_query(req))
        fail_xml(api, req, skep_aws_logs.errors[cause], message);
    else
        skep_aws_fail(
            &skep_aws_logs, req, api->cfg.os,
            &(struct skep_aws_failure){.error = skep_aws_logs.errors[cause], .message = message});
}

/* The value of a member of a form, not decoded: names of actions need no decoding. */
static skep_str form_value(skep_str body, skep_str key)
{
    while (body.n) {
        skep_str pair = skep_str_cut(&body, '&');
        skep_str name = skep_str_cut(&pair, '=');
        if (skep_str_eq(name, key))
            return pair;
    }
    return SKEP_STR_NULL;
}

static void handle(void *ctx, struct skep_request *req)
{
    struct skep_api *api = ctx;
    skep_str target = skep_request_header(req, SKEP_STR("x-amz-target"));
    skep_str action = form_value(skep_bytes_str(req->body), SKEP_STR("Action"));
    if (is_query(req) && skep_str_eq(action, SKEP_STR("GetCallerIdentity"))) {
        get_caller_identity(api, req);
        return;
    }
    skep_str name = target.n ? target : is_query(req) ? action : SKEP_STR_NULL;
    name.n = SKEP_MIN(name.n, (size_t)128);
    send_error(
        api, req, SKEP_AWS_UNKNOWN_OPERATION,
        name.n
            ? skep_arena_printf(req->arena, "there is no operation " SKEP_STRFMT, SKEP_STRARG(name))
            : SKEP_STR("X-Amz-Target must name an operation: Logs_20140328.PutLogEvents ..."));
}

static void refuse(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                   skep_str message)
{
    send_error(ctx, req, skep_aws_cause_of(rc, req->denial.why, http_status), message);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/",
     .handle = handle,
     .refuse = refuse,
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,
     .right = SKEP_RIGHT_ANY,
     .form = SKEP_FORM_SIGV4},
};

const struct skep_api__routes skep_api__aws_root = {routes, SKEP_ARRAY_LEN(routes)};
