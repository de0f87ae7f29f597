// SPDX-License-Identifier: Apache-2.0
/* /skep/v1/oidc/...: logging in through an identity provider (src/auth/oidc.h).
 *
 *   GET /login              -> {password, oidc: {name, error} | null}: the ways in
 *   GET /oidc/begin?to=     -> 302 to the provider
 *   GET /oidc/callback      -> 302 to the page: with a session, or with words of what went wrong in
 *                              a cookie that GET /login reads and takes away
 *
 * All three are public.  The callback is a link of another site, so the page's door takes it
 * (SKEP_ROUTE_NAVIGATE); who it is good for, the flow's own cookie tells.
 *
 * I1  no answer's text is a request's: words reach the page sealed in a cookie of ours.
 * I2  the provider is waited for on threads of its own, so that no question waits for it.
 * Threads: the api's few for logins.  Memory: the request's arena. */
#include <sodium.h>

#include "api/people.h"
#include "auth/oidc.h"
#include "base/log.h"
#include "state/audit.h"

static bool stopping(void *ctx)
{
    const struct skep_api *api = ctx;
    return atomic_load_explicit(&api->stopping, memory_order_relaxed);
}

static struct skep_oidc_visit visit_of(struct skep_api__job *job)
{
    return (struct skep_oidc_visit){.tls = job->req->tls,
                                    .host = job->req->host,
                                    .cookie = skep_oidc_cookie(job->req),
                                    .stop = stopping,
                                    .stop_ctx = job->api};
}

static void ways(struct skep_api__job *job)
{
    struct skep_oidc *o = job->api->cfg.oidc;
    const struct skep_oidc_visit visit = visit_of(job);
    skep_str said = o ? skep_oidc_said(o, &visit, &job->arena) : SKEP_STR("");
    skep_api__json_begin(job, 200);
    if (said.n)
        skep_api__out_header(&job->out, SKEP_STR("Set-Cookie"),
                             skep_oidc_forget(&job->arena, visit.tls));
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_put_bool(json, SKEP_STR("password"), true);
    skep_json_key(json, SKEP_STR("oidc"));
    if (o) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("name"), skep_oidc_name(o));
        skep_json_key(json, SKEP_STR("error"));
        if (said.n)
            skep_json_str(json, said);
        else
            skep_json_null(json);
        skep_json_end(json);
    } else {
        skep_json_null(json);
    }
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void redirect(struct skep_api__job *job, skep_str to, const skep_str *cookies, unsigned n)
{
    skep_api__out_begin(job, 302, SKEP_STR("text/plain"));
    skep_api__out_header(&job->out, SKEP_STR("Location"), to);
    skep_api__out_header(&job->out, SKEP_STR("Referrer-Policy"), SKEP_STR("no-referrer"));
    for (unsigned i = 0; i < n; i++)
        skep_api__out_header(&job->out, SKEP_STR("Set-Cookie"), cookies[i]);
    skep_api__out_end(&job->out);
}

/* Back to the page, which asks for the ways in and shows the words. */
static void fail_to_page(struct skep_api__job *job, skep_str to, const skep_err *err)
{
    const skep_str cookie =
        skep_oidc_say(job->api->cfg.oidc, job->req->tls, skep_str_c(err->text), &job->arena);
    skep_log(WARN, "login through the identity provider failed", SKEP_K_CSTR("error", err->text),
             SKEP_K_STR("peer", job->req->peer));
    redirect(job, to, &cookie, 1);
}

static bool is_on(struct skep_api__job *job)
{
    if (job->api->cfg.oidc)
        return true;
    skep_api__job_fail(
        job, &(struct skep_api__error){
                 .status = 404,
                 .text = SKEP_STR("no identity provider is set: skep serve --oidc-issuer URL")});
    return false;
}

static void begin(struct skep_api__job *job)
{
    skep_str location, cookie;
    skep_err err = {.text = ""};
    skep_str to = skep_api__param(job->req, SKEP_STR("to"));
    if (!is_on(job))
        return;
    const struct skep_oidc_visit visit = visit_of(job);
    skep_rc rc =
        skep_oidc_begin(job->api->cfg.oidc, &visit, to, &job->arena, &location, &cookie, &err);
    if (rc == SKEP_OK)
        redirect(job, location, &cookie, 1);
    else
        fail_to_page(job, SKEP_STR("/ui/home"), &err);
}

static void note_entry(struct skep_api__job *job, const struct skep_oidc_entered *e)
{
    skep_str who = skep_arena_printf(&job->arena, "user " SKEP_STRFMT, SKEP_STRARG(e->in.name));
    skep_str with_role =
        skep_arena_printf(&job->arena, SKEP_STRFMT " (" SKEP_STRFMT "), by the identity provider",
                          SKEP_STRARG(e->in.name), SKEP_STRARG(skep_role_name(e->in.role)));
    if (e->made)
        skep_api__audit_by(job, who, "user.create", with_role);
    if (e->role_changed)
        skep_api__audit_by(job, who, "user.change", with_role);
    skep_api__audit_by(job, who, "login",
                       skep_arena_printf(&job->arena, SKEP_STRFMT ", by the identity provider",
                                         SKEP_STRARG(e->in.name)));
}

static void callback(struct skep_api__job *job)
{
    struct skep_oidc_entered e;
    skep_str to;
    skep_err err = {.text = ""};
    if (!is_on(job))
        return;
    const struct skep_people people = skep_api__people(job);
    const struct skep_oidc_visit visit = visit_of(job);
    const struct skep_oidc_return back = {
        .state = skep_api__param(job->req, SKEP_STR("state")),
        .code = skep_api__param(job->req, SKEP_STR("code")),
        .error = skep_api__param(job->req, SKEP_STR("error")),
        .error_description = skep_api__param(job->req, SKEP_STR("error_description")),
        .peer = job->req->peer,
        .old = skep_auth_cookie(job->req)};
    skep_rc rc =
        skep_oidc_finish(job->api->cfg.oidc, &people, &visit, &back, &job->arena, &e, &to, &err);
    if (rc != SKEP_OK) {
        if (e.vouched)
            skep_api__audit_by(
                job, SKEP_STR("anybody"), SKEP_AUDIT_LOGIN_FAILED,
                skep_arena_printf(&job->arena, "by the identity provider: %s", err.text));
        fail_to_page(job, to, &err);
        return;
    }
    note_entry(job, &e);
    const skep_str cookies[] = {
        skep_oidc_forget(&job->arena, visit.tls),
        skep_auth_set_cookie(&job->arena, visit.tls, skep_str_c(e.in.token))};
    redirect(job, to, cookies, SKEP_ARRAY_LEN(cookies));
    sodium_memzero(&e, sizeof e);
}

static void run_begin(struct skep_api__job *job)
{
    struct skep_api *api = job->api;
    begin(job);
    atomic_fetch_sub(&api->logins, 1);
}

static void run_callback(struct skep_api__job *job)
{
    struct skep_api *api = job->api;
    callback(job);
    atomic_fetch_sub(&api->logins, 1);
}

/* I2: a provider that does not answer holds up logins alone, and not too many of them. */
static void run(struct skep_api *api, struct skep_request *req, skep_api__work_fn *work)
{
    struct skep_pool *pool = api->login_pool ? api->login_pool : api->pool;
    if (atomic_fetch_add(&api->logins, 1) >= SKEP_LIMIT_API_LOGINS) {
        skep_api__fail(
            req, &(struct skep_api__error){.status = 503,
                                           .text = SKEP_STR("too many logins at once: try again")});
        atomic_fetch_sub(&api->logins, 1);
    } else if (!skep_api__run_on(api, pool, req, work)) {
        atomic_fetch_sub(&api->logins, 1);
    }
}

static void handle_begin(void *ctx, struct skep_request *req)
{
    run(ctx, req, run_begin);
}

static void handle_callback(void *ctx, struct skep_request *req)
{
    run(ctx, req, run_callback);
}

SKEP_API__HANDLER(handle_ways, ways)

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/login",
     .handle = handle_ways,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_PUBLIC},
    {.method = "GET",
     .path = "/skep/v1/oidc/begin",
     .handle = handle_begin,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_PUBLIC},
    {.method = "GET",
     .path = "/skep/v1/oidc/callback",
     .handle = handle_callback,
     .refuse = skep_api__refuse,
     .flags = SKEP_ROUTE_NAVIGATE,
     .right = SKEP_RIGHT_PUBLIC},
};

const struct skep_api__routes skep_api__page_oidc = {routes, SKEP_ARRAY_LEN(routes)};
