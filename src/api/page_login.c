// SPDX-License-Identifier: Apache-2.0
/* /skep/v1/{login,logout,welcome,me,password}: the page's way in and out.
 *
 *   POST /login {name, password}            -> {user} and the cookie
 *   POST /welcome {token, name, password}   -> the same, with a new user
 *   POST /logout                            -> the cookie forgotten, the session ended
 *   GET  /me                                -> {mode, user | null, rights}
 *   POST /password {old, new}               -> of who is logged in; other sessions end
 *
 * login and welcome are public: requests of other sites are refused by net, guesses are slowed by
 * src/auth.  A login gets a new token always, and a session that it came with ends.
 *
 * I1  a password or token is in no answer, log line or audit entry; the cookie alone has one.
 * Threads: workers; a password's hash takes some 40 ms and 9 MiB of the question's budget.  What
 * held a password is wiped, as far as it is ours. */
#include <sodium.h>

#include "api/people.h"
#include "state/audit.h"

struct skep_people skep_api__people(struct skep_api__job *job)
{
    const struct skep_api_config *cfg = &job->api->cfg;
    return (struct skep_people){
        .os = cfg->os, .state = cfg->state, .auth = cfg->auth, .budget = &job->budget};
}

void skep_api__wipe(skep_str secret)
{
    if (secret.n)
        sodium_memzero((char *)(uintptr_t)secret.p, secret.n); /* the arena's, so ours */
}

/* login: the way in, where it is known; may be empty. */
static void put_user(struct skep_json *json, skep_str name, enum skep_role role, skep_str login)
{
    skep_json_key(json, SKEP_STR("user"));
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), name);
    skep_json_put_str(json, SKEP_STR("role"), skep_role_name(role));
    if (login.n)
        skep_json_put_str(json, SKEP_STR("login"), login);
    skep_json_end(json);
}

/* A body's texts as what was typed; the request ends its old session with a new one. */
static struct skep_login typed(struct skep_api__job *job, yyjson_val *root)
{
    return (struct skep_login){.name = skep_api__member(job, root, "name"),
                               .password = skep_api__member(job, root, "password"),
                               .peer = job->req->peer,
                               .old = skep_auth_cookie(job->req)};
}

static void fail_login(struct skep_api__job *job, skep_rc rc, const skep_err *err, int retry_s)
{
    const struct skep_api__error e = {.status = skep_rc_info(rc)->http,
                                      .text = skep_str_c(err->text),
                                      .retry_after_s = rc == SKEP_ELIMIT ? retry_s : 0};
    skep_api__job_fail(job, &e);
}

static void let_in(struct skep_api__job *job, int status, const struct skep_logged_in *in)
{
    skep_api__json_begin(job, status);
    skep_api__out_header(&job->out, SKEP_STR("Set-Cookie"),
                         skep_auth_set_cookie(&job->arena, job->req->tls, skep_str_c(in->token)));
    skep_json_object(&job->out.json);
    put_user(&job->out.json, in->name, in->role, SKEP_STR(""));
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

static skep_str user_text(struct skep_api__job *job, skep_str name)
{
    return skep_arena_printf(&job->arena, "user " SKEP_STRFMT, SKEP_STRARG(name));
}

static void login(struct skep_api__job *job)
{
    struct skep_logged_in in;
    skep_err err = {.text = ""};
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return;
    struct skep_login what = typed(job, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    if (!what.name.n || !what.password.n) {
        skep_api__fail_field(job, what.name.n ? "password" : "name",
                             "say who you are: name and password");
        return;
    }
    const struct skep_people people = skep_api__people(job);
    skep_rc rc = skep_auth_login(&people, &what, &job->arena, &in, &err);
    skep_api__wipe(what.password);
    if (rc == SKEP_EUNAUTHENTICATED)
        skep_api__audit_by(job, SKEP_STR("anybody"), SKEP_AUDIT_LOGIN_FAILED,
                           skep_utf8_valid(what.name) ? what.name : SKEP_STR("(no UTF-8)"));
    if (rc != SKEP_OK) {
        fail_login(job, rc, &err, in.retry_after_s);
        return;
    }
    skep_api__audit_by(job, user_text(job, in.name), "login", in.name);
    let_in(job, 200, &in);
    sodium_memzero(&in, sizeof in);
}

static void welcome(struct skep_api__job *job)
{
    struct skep_logged_in in;
    skep_err err = {.text = ""};
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return;
    struct skep_login what = typed(job, yyjson_doc_get_root(doc));
    skep_str token = skep_api__member(job, yyjson_doc_get_root(doc), "token");
    yyjson_doc_free(doc);
    if (!token.n) {
        skep_api__fail_field(job, "token", "what stands behind the # of the link");
        return;
    }
    const struct skep_people people = skep_api__people(job);
    skep_rc rc = skep_auth_welcome(&people, token, &what, &job->arena, &in, &err);
    skep_api__wipe(what.password);
    skep_api__wipe(token);
    if (rc != SKEP_OK) {
        fail_login(job, rc, &err, in.retry_after_s);
        return;
    }
    skep_api__audit_by(job, user_text(job, in.name), "user.create",
                       skep_arena_printf(&job->arena, SKEP_STRFMT " (" SKEP_STRFMT "), by a link",
                                         SKEP_STRARG(in.name),
                                         SKEP_STRARG(skep_role_name(in.role))));
    let_in(job, 201, &in);
    sodium_memzero(&in, sizeof in);
}

static void logout(struct skep_api__job *job)
{
    skep_err err;
    const struct skep_people people = skep_api__people(job);
    skep_rc rc = skep_auth_logout(&people, skep_auth_cookie(job->req), &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    if (job->req->caller.user)
        skep_api__audit(job, "logout", job->req->caller.actor);
    skep_api__json_begin(job, 200);
    skep_api__out_header(&job->out, SKEP_STR("Set-Cookie"),
                         skep_auth_set_cookie(&job->arena, job->req->tls, SKEP_STR("")));
    skep_json_object(&job->out.json);
    skep_json_put_bool(&job->out.json, SKEP_STR("ok"), true);
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

static void me(struct skep_api__job *job)
{
    const struct skep_caller *c = &job->req->caller;
    struct skep_state_user u = {.name = c->actor};
    skep_err err;
    skep_rc rc = c->user
                     ? skep_state_find_user(job->api->cfg.state, c->actor, &job->arena, &u, &err)
                     : SKEP_OK;
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("mode"),
                      skep_auth_is_open(job->api->cfg.auth) ? SKEP_STR("open") : SKEP_STR("keys"));
    if (c->user) {
        put_user(json, c->actor,
                 (c->rights & SKEP_RIGHT_ADMIN) ? SKEP_ROLE_ADMIN : SKEP_ROLE_VIEWER,
                 skep_auth_way_in(&u));
    } else {
        skep_json_key(json, SKEP_STR("user"));
        skep_json_null(json);
    }
    skep_api__put_rights(json, c->rights);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

/* The old password is asked for, so that a page left open is not enough; a guess counts as one. */
static skep_rc change_password(struct skep_api__job *job, skep_str old, skep_str fresh,
                               struct skep_logged_in *in, skep_err *err)
{
    const struct skep_people people = skep_api__people(job);
    struct skep_login what = {.name = job->req->caller.actor,
                              .password = old,
                              .peer = job->req->peer,
                              .old = skep_auth_cookie(job->req)};
    SKEP_TRY(skep_auth_login(&people, &what, &job->arena, in, err));
    SKEP_TRY(skep_auth_set_password(&people, what.name, fresh, err));
    what.password = fresh;
    return skep_auth_login(&people, &what, &job->arena, in, err);
}

static void password(struct skep_api__job *job)
{
    struct skep_logged_in in = {.retry_after_s = 1};
    skep_err err = {.text = ""};
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return;
    skep_str old = skep_api__member(job, yyjson_doc_get_root(doc), "old");
    skep_str fresh = skep_api__member(job, yyjson_doc_get_root(doc), "new");
    yyjson_doc_free(doc);
    if (!job->req->caller.user) {
        skep_api__job_fail(
            job,
            &(struct skep_api__error){
                .status = 400, .text = SKEP_STR("nobody is logged in: a key has no password")});
        return;
    }
    skep_rc rc = change_password(job, old, fresh, &in, &err);
    skep_api__wipe(old);
    skep_api__wipe(fresh);
    if (rc == SKEP_EUNAUTHENTICATED) {
        skep_api__audit(job, SKEP_AUDIT_LOGIN_FAILED, job->req->caller.actor);
        /* Not 401: the session is as good as before. */
        skep_api__fail_field(job, "old", "that is not your password");
        return;
    }
    if (rc != SKEP_OK) {
        fail_login(job, rc, &err, in.retry_after_s);
        return;
    }
    skep_api__audit(job, "user.password", in.name);
    let_in(job, 200, &in);
    sodium_memzero(&in, sizeof in);
}

SKEP_API__HANDLER(handle_login, login)
SKEP_API__HANDLER(handle_welcome, welcome)
SKEP_API__HANDLER(handle_logout, logout)
SKEP_API__HANDLER(handle_me, me)
SKEP_API__HANDLER(handle_password, password)

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/login",
     .handle = handle_login,
     .refuse = skep_api__refuse,
     .body_limit_bytes = 8 << 10,
     .right = SKEP_RIGHT_PUBLIC},
    {.method = "POST",
     .path = "/skep/v1/welcome",
     .handle = handle_welcome,
     .refuse = skep_api__refuse,
     .body_limit_bytes = 8 << 10,
     .right = SKEP_RIGHT_PUBLIC},
    {.method = "POST",
     .path = "/skep/v1/logout",
     .handle = handle_logout,
     .refuse = skep_api__refuse,
     .body_limit_bytes = 8 << 10,
     .right = SKEP_RIGHT_ANY,
     .form = SKEP_FORM_PAGE},
    {.method = "GET",
     .path = "/skep/v1/me",
     .handle = handle_me,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_ANY,
     .form = SKEP_FORM_PAGE},
    {.method = "POST",
     .path = "/skep/v1/password",
     .handle = handle_password,
     .refuse = skep_api__refuse,
     .body_limit_bytes = 8 << 10,
     .right = SKEP_RIGHT_ANY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_login = {routes, SKEP_ARRAY_LEN(routes)};
