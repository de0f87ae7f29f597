// SPDX-License-Identifier: Apache-2.0
/* Rollbar's calls about who there is (docs/api/rollbar.md).  An environment of skep's stands where
 * Rollbar has a project, and a token is of one environment:
 *
 *   GET /api/1/projects, /project/:id            the token's environment
 *   GET /api/1/project/:id/access_tokens         its keys, never their secrets
 *   GET /api/1/environments                      where its programs say they run
 *   GET /api/1/users, /user/:id                  who may log in to the page
 *   GET /api/1/teams, /project/:id/teams         none: there are roles
 *
 * What would make or end one of them is refused with what does it here.
 *
 * Threads: workers.  Memory: the job's arena. */
#include "api/rollbar_priv.h"

#include <xxhash.h>

#include "auth/auth.h"
#include "base/assert.h"
#include "state/keys.h"
#include "state/users.h"

enum { STAGES_MAX = 1000 };

/* Rollbar's are numbers; an environment's stays the same as long as its name. */
int64_t skep_api__rb_project_id(skep_str slug)
{
    return (int64_t)XXH32(slug.p, slug.n, 0) + 1;
}

// --- projects ----------------------------------------------------------------------------------

static void put_project(struct skep_json *j, const struct skep_state_environment *e)
{
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("id"), skep_api__rb_project_id(e->slug));
    skep_json_put_i64(j, SKEP_STR("account_id"), 1);
    skep_json_put_str(j, SKEP_STR("name"), e->name.n ? e->name : e->slug);
    skep_json_put_str(j, SKEP_STR("status"), SKEP_STR("enabled"));
    skep_api__rb_put_s(j, SKEP_STR("date_created"), e->created_ns);
    skep_api__rb_put_s(j, SKEP_STR("date_modified"), e->created_ns);
    skep_json_end(j);
}

/* The environment of the token; false: refused. */
static bool own(struct skep_api__job *job, struct skep_state_environment *ret)
{
    struct skep_state_environment *all = NULL;
    size_t n = 0;
    skep_err err = {.text = ""};
    skep_str slug = job->req->caller.environment;
    skep_rc rc = skep_state_list_environments(job->api->cfg.state, &job->arena, &all, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return false;
    }
    *ret = (struct skep_state_environment){.slug = slug, .name = slug};
    for (size_t i = 0; i < n; i++) {
        if (skep_str_eq(all[i].slug, slug))
            *ret = all[i];
    }
    return true;
}

/* The same, if the address names it. */
static bool named(struct skep_api__job *job, struct skep_state_environment *ret)
{
    int64_t id;
    if (!skep_api__rb_id(job, SKEP_STR("project"), &id) || !own(job, ret))
        return false;
    if (id == skep_api__rb_project_id(ret->slug))
        return true;
    skep_api__rb_fail(job, 404, SKEP_ENOTFOUND, SKEP_STR("no such project"));
    return false;
}

static void projects(struct skep_api__job *job)
{
    struct skep_state_environment e;
    if (!own(job, &e))
        return;
    skep_api__rb_begin(job, 200);
    skep_json_array(&job->out.json);
    put_project(&job->out.json, &e);
    skep_json_end(&job->out.json);
    skep_api__rb_end(job);
}

static void project(struct skep_api__job *job)
{
    struct skep_state_environment e;
    if (!named(job, &e))
        return;
    skep_api__rb_begin(job, 200);
    put_project(&job->out.json, &e);
    skep_api__rb_end(job);
}

// --- access tokens -----------------------------------------------------------------------------

static void put_scopes(struct skep_json *j, unsigned rights)
{
    static const struct {
        unsigned right;
        skep_str scope;
    } scopes[] = {{SKEP_RIGHT_INGEST, SKEP_STR_INIT("post_server_item")},
                  {SKEP_RIGHT_INGEST, SKEP_STR_INIT("post_client_item")},
                  {SKEP_RIGHT_QUERY, SKEP_STR_INIT("read")},
                  {SKEP_RIGHT_ADMIN, SKEP_STR_INIT("write")}};
    skep_json_key(j, SKEP_STR("scopes"));
    skep_json_array(j);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(scopes); i++) {
        if (rights & scopes[i].right)
            skep_json_str(j, scopes[i].scope);
    }
    skep_json_end(j);
}

static void put_token(struct skep_json *j, const struct skep_state_key *k, int64_t project)
{
    bool limited = k->limits.events_per_minute > 0;
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("project_id"), project);
    skep_json_put_str(j, SKEP_STR("public_id"), k->id);
    skep_api__rb_put_null(j, SKEP_STR("access_token")); /* only its hash is kept */
    skep_json_put_str(j, SKEP_STR("name"), k->name);
    skep_json_put_str(j, SKEP_STR("status"),
                      k->disabled ? SKEP_STR("disabled") : SKEP_STR("enabled"));
    put_scopes(j, k->rights);
    skep_json_put_u64(j, SKEP_STR("rate_limit_window_size"), limited ? 60 : 0);
    skep_json_put_u64(j, SKEP_STR("rate_limit_window_count"), k->limits.events_per_minute);
    skep_api__rb_put_s(j, SKEP_STR("date_created"), k->created_ns);
    skep_api__rb_put_s(j, SKEP_STR("date_modified"), k->created_ns);
    skep_json_end(j);
}

static void tokens(struct skep_api__job *job)
{
    struct skep_state_environment e;
    struct skep_state_key *keys = NULL;
    size_t n = 0;
    skep_err err = {.text = ""};
    if (!named(job, &e))
        return;
    skep_rc rc = skep_state_list_keys(job->api->cfg.state, &job->arena, &keys, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__rb_begin(job, 200);
    skep_json_array(&job->out.json);
    for (size_t i = 0; i < n; i++) {
        if (skep_str_eq(keys[i].environment, e.slug) && keys[i].revoked_ns == 0)
            put_token(&job->out.json, &keys[i], skep_api__rb_project_id(e.slug));
        skep_api__out_check(&job->out);
    }
    skep_json_end(&job->out.json);
    skep_api__rb_end(job);
}

// --- environments, teams -----------------------------------------------------------------------

/* Where occurrences say that they ran. */
static void environments(struct skep_api__job *job)
{
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT, .key = SKEP_STR_INIT("COUNT")};
    const struct skep_field_ref by = {.name = skep_api__rb_stage};
    struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                             .range = {0, skep_api__now(job->api) + 86400000000000},
                             .groups = &by,
                             .n_groups = 1,
                             .aggs = &count,
                             .n_aggs = 1,
                             .limit = STAGES_MAX};
    struct skep_result *r = NULL;
    struct skep_json *j = &job->out.json;
    skep_err err = {.text = ""};
    skep_api__rb_rows_of_all(job, NULL, 0, &plan);
    skep_rc rc = skep_query_aggregate(job->api->cfg.store, &plan, &job->opts, &r, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__rb_begin(job, 200);
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("environments"));
    skep_json_array(j);
    for (size_t i = 0; i < r->n_groups; i++) {
        if (r->groups[i].key[0].type != SKEP_TYPE_STRING)
            continue;
        skep_json_object(j);
        skep_json_put_str(j, SKEP_STR("environment"), r->groups[i].key[0].s);
        skep_json_put_i64(j, SKEP_STR("project_id"),
                          skep_api__rb_project_id(job->opts.environment));
        skep_json_put_u64(j, SKEP_STR("visible"), 1);
        skep_json_end(j);
        skep_api__out_check(&job->out);
    }
    skep_json_end(j);
    skep_json_end(j);
    skep_api__rb_end(job);
}

static void put_none(struct skep_api__job *job)
{
    skep_api__rb_begin(job, 200);
    skep_json_array(&job->out.json);
    skep_json_end(&job->out.json);
    skep_api__rb_end(job);
}

static void teams(struct skep_api__job *job)
{
    put_none(job);
}

static void teams_of(struct skep_api__job *job)
{
    struct skep_state_environment e;
    if (named(job, &e))
        put_none(job);
}

// --- users -------------------------------------------------------------------------------------

static void put_user(struct skep_json *j, const struct skep_state_user *u)
{
    bool mail = skep_str_chr(u->name, '@') != SIZE_MAX;
    skep_json_object(j);
    skep_json_put_u64(j, SKEP_STR("id"), u->number);
    skep_json_put_str(j, SKEP_STR("username"), u->name);
    skep_api__rb_put_text(j, SKEP_STR("email"), mail ? u->name : SKEP_STR(""));
    skep_json_put_u64(j, SKEP_STR("email_enabled"), mail);
    skep_json_end(j);
}

/* id 0: all of them, in an object. */
static void put_users(struct skep_api__job *job, int64_t id)
{
    struct skep_state_user *users = NULL;
    struct skep_json *j = &job->out.json;
    size_t n = 0, at = 0;
    skep_err err = {.text = ""};
    skep_rc rc = skep_state_list_users(job->api->cfg.state, &job->arena, &users, &n, &err);
    while (rc == SKEP_OK && id && at < n && (int64_t)users[at].number != id)
        at++;
    if (rc == SKEP_OK && id && at == n)
        rc = skep_fail(&err, SKEP_ENOTFOUND, "no such user");
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__rb_begin(job, 200);
    if (id) {
        put_user(j, &users[at]);
        skep_api__rb_end(job);
        return;
    }
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("users"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++)
        put_user(j, &users[i]);
    skep_json_end(j);
    skep_json_end(j);
    skep_api__rb_end(job);
}

static void users(struct skep_api__job *job)
{
    put_users(job, 0);
}

static void user(struct skep_api__job *job)
{
    int64_t id;
    if (skep_api__rb_id(job, SKEP_STR("user"), &id))
        put_users(job, id);
}

// --- refused -----------------------------------------------------------------------------------

static void no_project(struct skep_api__job *job)
{
    (void)skep_api__rb_invalid(job, SKEP_STR("a project is an environment here: skep env create, "
                                             "skep env delete, POST /skep/v1/environments"));
}

static void no_token(struct skep_api__job *job)
{
    (void)skep_api__rb_invalid(job, SKEP_STR("access tokens are keys here: skep key create, skep "
                                             "key revoke, /skep/v1/keys"));
}

static void no_team(struct skep_api__job *job)
{
    (void)skep_api__rb_invalid(job, SKEP_STR("there are no teams here: users have roles, keys have "
                                             "rights (docs/api/auth.md)"));
}

/* Users are of the whole server: not for keys of one environment. */
#define WHOLE(where, job)                                                                          \
    {                                                                                              \
        .method = "GET", .path = (where), .handle = skep_api__rb_handle,                           \
        .work = (void (*)(void))(job), .refuse = skep_api__rb_refuse_write,                        \
        .flags = SKEP_ROUTE_PREFIX_SLASH | SKEP_ROUTE_WHOLE, .right = SKEP_RIGHT_ADMIN,            \
        .form = SKEP_FORM_ROLLBAR                                                                  \
    }
#define REFUSE(verb, where, job) SKEP_API__RB_WRITE(verb, where, job, 1 << 16)

static const struct skep_route routes[] = {
    SKEP_API__RB_READ("/api/1/projects", projects),
    SKEP_API__RB_READ("/api/1/project/:id", project),
    REFUSE("POST", "/api/1/projects", no_project),
    REFUSE("DELETE", "/api/1/project/:id", no_project),
    {SKEP_API__RB_ROUTE("GET", "/api/1/project/:id/access_tokens", tokens,
                        skep_api__rb_refuse_write, SKEP_RIGHT_ADMIN)},
    REFUSE("POST", "/api/1/project/:id/access_tokens", no_token),
    REFUSE("PATCH", "/api/1/project/:id/access_token/:token", no_token),
    SKEP_API__RB_READ("/api/1/environments", environments),
    SKEP_API__RB_READ("/api/1/teams", teams),
    SKEP_API__RB_READ("/api/1/project/:id/teams", teams_of),
    REFUSE("POST", "/api/1/teams", no_team),
    WHOLE("/api/1/users", users),
    WHOLE("/api/1/user/:id", user),
};

const struct skep_api__routes skep_api__rollbar_projects = {routes, SKEP_ARRAY_LEN(routes)};
