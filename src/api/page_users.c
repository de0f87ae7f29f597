// SPDX-License-Identifier: Apache-2.0
/* /skep/v1/users and /skep/v1/links: who may use the page.
 *
 *   GET   /users              all of them
 *   POST  /users              {name, password, role}; or {name, role, oidc: true}: who logs in
 *                             through the identity provider
 *   PATCH /users/NAME         {role, disabled, password}: what is absent stays
 *   POST  /links              {role} -> {token}, once: for "/ui/welcome#TOKEN", an hour, one user
 *
 * For administrators, and for keys of all environments that administer.  The last administrator can
 * be neither disabled nor made a viewer.
 *
 * I1  a change is in force when its answer is sent: who is disabled has no session any more.
 * Threads: workers.  Memory: the request's arena. */
#include <sodium.h>

#include "api/people.h"

static void put_user(struct skep_json *json, const struct skep_state_user *u)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), u->name);
    skep_json_put_str(json, SKEP_STR("role"), skep_role_name(u->role));
    skep_json_put_str(json, SKEP_STR("login"), skep_auth_way_in(u));
    skep_api__put_ns(json, SKEP_STR("created_ns"), u->created_ns);
    skep_api__put_ns(json, SKEP_STR("last_login_ns"), u->last_login_ns);
    skep_api__put_ns(json, SKEP_STR("disabled_ns"), u->disabled_ns);
    skep_json_end(json);
}

static void list_users(struct skep_api__job *job)
{
    struct skep_state_user *users;
    size_t n;
    skep_err err;
    if (!skep_api__may_all(job))
        return;
    skep_rc rc = skep_state_list_users(job->api->cfg.state, &job->arena, &users, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("users"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++)
        put_user(json, &users[i]);
    skep_json_end(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

/* The role of a body; `absent` when it names none.  False after a refusal. */
static bool role_of(struct skep_api__job *job, yyjson_val *root, enum skep_role absent,
                    enum skep_role *ret)
{
    *ret = absent;
    if (!yyjson_obj_get(root, "role") || skep_role_parse(skep_api__member(job, root, "role"), ret))
        return true;
    skep_api__fail_field(job, "role", "a role is viewer or admin");
    return false;
}

static void audit_user(struct skep_api__job *job, const char *what, skep_str name,
                       enum skep_role role)
{
    skep_api__audit(job, what,
                    skep_arena_printf(&job->arena, SKEP_STRFMT " (" SKEP_STRFMT ")",
                                      SKEP_STRARG(name), SKEP_STRARG(skep_role_name(role))));
}

static void create_user(struct skep_api__job *job)
{
    enum skep_role role;
    skep_err err;
    yyjson_doc *doc = skep_api__may_all(job) ? skep_api__body_object(job) : NULL;
    if (!doc)
        return;
    yyjson_val *root = yyjson_doc_get_root(doc);
    skep_str name = skep_api__member(job, root, "name");
    skep_str password = skep_api__member(job, root, "password");
    bool ok = role_of(job, root, SKEP_ROLE_VIEWER, &role);
    bool oidc = yyjson_is_true(yyjson_obj_get(root, "oidc"));
    yyjson_doc_free(doc);
    if (!ok)
        return;
    const struct skep_people people = skep_api__people(job);
    skep_rc rc = oidc ? skep_auth_expect_user(&people, name, role, &err)
                      : skep_auth_create_user(&people, name, role, password, &err);
    skep_api__wipe(password);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    audit_user(job, "user.create", name, role);
    skep_api__json_begin(job, 201);
    put_user(&job->out.json,
             &(struct skep_state_user){.name = name,
                                       .role = role,
                                       .password = oidc ? SKEP_STR("") : SKEP_STR("hidden"),
                                       .created_ns = skep_api__now(job->api)});
    skep_api__out_end(&job->out);
}

struct change {
    enum skep_role role;
    bool disabled;
    skep_str password; /* empty = it stays */
};

/* False after a refusal. */
static bool read_change(struct skep_api__job *job, const struct skep_state_user *u,
                        struct change *ret)
{
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return false;
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *disabled = yyjson_obj_get(root, "disabled");
    ret->disabled = disabled ? yyjson_is_true(disabled) : u->disabled_ns != 0;
    ret->password = skep_api__member(job, root, "password");
    bool ok = role_of(job, root, u->role, &ret->role);
    yyjson_doc_free(doc);
    return ok;
}

static skep_rc apply(struct skep_api__job *job, const struct skep_state_user *u,
                     const struct change *c, skep_err *err)
{
    const struct skep_people people = skep_api__people(job);
    if (c->role != u->role || c->disabled != (u->disabled_ns != 0)) {
        SKEP_TRY(skep_auth_set_user(&people, u->name, c->role, c->disabled, err));
        audit_user(job, c->disabled ? "user.disable" : "user.change", u->name, c->role);
    }
    if (c->password.n) {
        SKEP_TRY(skep_auth_set_password(&people, u->name, c->password, err));
        audit_user(job, "user.password", u->name, c->role);
    }
    return SKEP_OK;
}

static void change_user(struct skep_api__job *job)
{
    struct skep_state_user u;
    struct change c;
    skep_err err;
    if (!skep_api__may_all(job))
        return;
    skep_rc rc = skep_state_find_user(job->api->cfg.state, skep_request_capture(job->req, 0),
                                      &job->arena, &u, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    if (!read_change(job, &u, &c))
        return;
    rc = apply(job, &u, &c, &err);
    skep_api__wipe(c.password);
    skep_api__end_change(job, rc, &err);
}

static void create_link(struct skep_api__job *job)
{
    char token[SKEP_LOGIN_TOKEN_BYTES];
    enum skep_role role;
    skep_err err;
    yyjson_doc *doc = skep_api__may_all(job) ? skep_api__body_object(job) : NULL;
    if (!doc)
        return;
    bool ok = role_of(job, yyjson_doc_get_root(doc), SKEP_ROLE_VIEWER, &role);
    yyjson_doc_free(doc);
    if (!ok)
        return;
    const struct skep_people people = skep_api__people(job);
    skep_rc rc = skep_auth_link(&people, role, token, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__audit(job, "link.create", skep_role_name(role));
    skep_api__json_begin(job, 201);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("token"), skep_str_c(token));
    skep_json_put_str(json, SKEP_STR("role"), skep_role_name(role));
    skep_api__put_ns(json, SKEP_STR("expires_ns"),
                     skep_api__now(job->api) + SKEP_LINK_MAX_S * 1000000000ll);
    skep_json_end(json);
    skep_api__out_end(&job->out);
    sodium_memzero(token, sizeof token);
}

SKEP_API__HANDLER(handle_list, list_users)
SKEP_API__HANDLER(handle_create, create_user)
SKEP_API__HANDLER(handle_change, change_user)
SKEP_API__HANDLER(handle_link, create_link)

#define ROUTE(method_, path_, handle_)                                                             \
    {                                                                                              \
        .method = (method_), .path = (path_), .handle = (handle_), .refuse = skep_api__refuse,     \
        .body_limit_bytes = 8 << 10, .right = SKEP_RIGHT_ADMIN, .form = SKEP_FORM_PAGE             \
    }

static const struct skep_route routes[] = {
    ROUTE("GET", "/skep/v1/users", handle_list),
    ROUTE("POST", "/skep/v1/users", handle_create),
    ROUTE("PATCH", "/skep/v1/users/:name", handle_change),
    ROUTE("POST", "/skep/v1/links", handle_link),
};

const struct skep_api__routes skep_api__page_users = {routes, SKEP_ARRAY_LEN(routes)};
