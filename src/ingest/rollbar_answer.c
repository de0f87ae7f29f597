// SPDX-License-Identifier: Apache-2.0
/* Rollbar's refusals (rollbar_answer.h).
 * Threads: any.  Memory: the request's arena. */
#include "ingest/rollbar_answer.h"

#include "base/assert.h"
#include "wire/json_out.h"

static void add_header(struct skep_response *r, skep_str name, skep_str value)
{
    r->headers[r->n_headers++] = (struct skep_header){name, value};
}

/* The window that is used up, in Rollbar's headers. */
static void say_limit(const struct skep_os *os, struct skep_request *req, struct skep_response *r)
{
    int wait_s = req->denial.retry_after_s;
    int64_t now_s = os->now_ns(os) / 1000000000;
    add_header(r, SKEP_STR("x-rate-limit-remaining"), SKEP_STR("0"));
    add_header(r, SKEP_STR("x-rate-limit-remaining-seconds"),
               skep_arena_printf(req->arena, "%d", wait_s));
    add_header(r, SKEP_STR("x-rate-limit-reset"),
               skep_arena_printf(req->arena, "%lld", (long long)now_s + wait_s));
}

void skep_rollbar_fail(const struct skep_os *os, struct skep_request *req, int status, skep_rc rc,
                       skep_str message)
{
    struct skep_buf body;
    struct skep_json j;
    struct skep_response r = {.status = status,
                              .content_type = SKEP_STR("application/json; charset=utf-8")};
    if (skep_rc_info(rc)->retry)
        r.retry_after_s = rc == SKEP_ENOSPC ? 60 : 2;
    if (req->denial.why == SKEP_DENIED_RATE)
        say_limit(os, req, &r);
    skep_buf_init(&body, 1 << 16);
    skep_json_init(&j, &body);
    skep_json_object(&j);
    skep_json_put_u64(&j, SKEP_STR("err"), 1);
    skep_json_put_str(&j, SKEP_STR("message"), message);
    skep_json_end(&j);
    skep_respond_buf(req, &r, &body);
    skep_buf_done(&body);
}

static const struct {
    enum skep_denied why;
    int status;
    skep_str message;
} denials[] = {
    {SKEP_DENIED_MISSING, 401, SKEP_STR_INIT("access token required")},
    {SKEP_DENIED_MALFORMED, 403, SKEP_STR_INIT("invalid access token")},
    {SKEP_DENIED_UNKNOWN, 403, SKEP_STR_INIT("invalid access token")},
    {SKEP_DENIED_REVOKED, 403, SKEP_STR_INIT("access token is disabled")},
    {SKEP_DENIED_EXPIRED, 403, SKEP_STR_INIT("access token is disabled")},
};

void skep_rollbar_denied(struct skep_request *req, skep_str scope, int *status, skep_str *message)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(denials); i++) {
        if (denials[i].why == req->denial.why) {
            *status = denials[i].status;
            *message = denials[i].message;
        }
    }
    if (req->denial.why != SKEP_DENIED_RIGHT)
        return;
    *status = 403;
    *message = skep_arena_printf(req->arena,
                                 "insufficient privileges: " SKEP_STRFMT
                                 " scope is required but the access token has another one",
                                 SKEP_STRARG(scope));
}
