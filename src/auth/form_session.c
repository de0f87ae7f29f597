// SPDX-License-Identifier: Apache-2.0
/* The page's cookie.
 *
 *   Cookie: skep_session=TOKEN           without TLS
 *   Cookie: __Host-skep_session=TOKEN    with TLS: no other host can have set it
 *
 * HttpOnly, SameSite=Strict, Path=/, with TLS Secure.  Taken on /skep/v1/... alone, in keys mode.
 *
 * A browser sends a cookie whoever made the request.  SameSite keeps it from requests of other
 * sites, and net refuses those by Origin and Sec-Fetch-Site; but other ports and other subdomains
 * are the same site.  So what may change something (anything but GET and HEAD) must also carry
 * either Origin, which net has found to be our own before the gate is asked, or X-Skep-Page, which
 * a page of another origin can only send after a preflight that nobody answers.  A content type or
 * X-Skep-Environment is not enough: they are not there to say it.
 *
 * I1  a cookie that is no session is told so (401), and never falls back on nobody.
 * Threads: I/O.  Memory: the request's arena. */
#include "auth/auth_priv.h"
#include "auth/login.h"
#include "base/bytes.h"

static const skep_str plain_name = SKEP_STR_INIT("skep_session");
static const skep_str host_name = SKEP_STR_INIT("__Host-skep_session");

static skep_str value_in(skep_str list, skep_str name)
{
    while (list.n) {
        skep_str value = skep_str_cut(&list, ';');
        skep_str key = skep_str_trim(skep_str_cut(&value, '='));
        if (skep_str_eq(key, name))
            return value.p ? skep_str_trim(value) : SKEP_STR("");
    }
    return SKEP_STR("");
}

skep_str skep_auth__cookie_named(const struct skep_request *req, skep_str name)
{
    skep_str list, value = SKEP_STR("");
    /* HTTP/2 may send each pair in a header of its own. */
    for (unsigned i = 0; !value.n && skep_request_header_at(req, SKEP_STR("cookie"), i, &list); i++)
        value = value_in(list, name);
    return value;
}

skep_str skep_auth_cookie(const struct skep_request *req)
{
    return skep_auth__cookie_named(req, req->tls ? host_name : plain_name);
}

skep_str skep_auth_set_cookie(struct skep_arena *arena, bool tls, skep_str token)
{
    return skep_arena_printf(
        arena, SKEP_STRFMT "=" SKEP_STRFMT "; Path=/; HttpOnly; SameSite=Strict%s; Max-Age=%d",
        SKEP_STRARG(tls ? host_name : plain_name), SKEP_STRARG(token), tls ? "; Secure" : "",
        token.n ? SKEP_SESSION_MAX_S : 0);
}

static bool may_change(const struct skep_request *req)
{
    if (skep_str_eq(req->method, SKEP_STR("GET")) || skep_str_eq(req->method, SKEP_STR("HEAD")))
        return true;
    return skep_request_header(req, SKEP_STR("origin")).n > 0 ||
           skep_request_header(req, SKEP_STR("x-skep-page")).n > 0;
}

static enum skep_auth__found find(const struct skep_auth__question *q, struct skep_auth__claim *ret)
{
    struct skep_state_session s;
    if (q->open || !skep_str_starts(q->req->path, SKEP_STR("/skep/v1/")))
        return SKEP_AUTH__NONE;
    skep_str token = skep_auth_cookie(q->req);
    if (!token.n)
        return SKEP_AUTH__NONE;
    if (!skep_auth__session_find(q->a, token, q->now_ns, q->req->arena, &s)) /* I1 */
        *ret = (struct skep_auth__claim){.why = SKEP_DENIED_EXPIRED,
                                         .message = SKEP_STR("your session has ended: log in")};
    else if (!may_change(q->req))
        *ret = (struct skep_auth__claim){
            .why = SKEP_DENIED_RIGHT,
            .message = SKEP_STR("a request with a session's cookie that may change something needs "
                                "the header Origin or X-Skep-Page")};
    else
        *ret = (struct skep_auth__claim){.user = s.user,
                                         .user_name = s.name,
                                         .user_rights = skep_role_rights(s.role),
                                         .session = skep_load_le64(s.hash)};
    return SKEP_AUTH__CLAIM;
}

const struct skep_auth__form skep_auth__session = {SKEP_FORM_SESSION, SKEP_STR_INIT("log in"),
                                                   find};
