// SPDX-License-Identifier: Apache-2.0
/* GET /skep/v1/audit, and the writing of it: who changed what, who logged in.
 *
 * Entries go out newest first, a page at a time: `next` of an answer is `before` of the next call.
 *
 * I1  no entry holds a secret: names, ids, roles and rights only.
 * Threads: workers.  Memory: the request's arena. */
#include "api/keys.h"
#include "base/log.h"
#include "state/audit.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000 };

static skep_str who_is(struct skep_api__job *job)
{
    const struct skep_caller *c = &job->req->caller;
    if (c->user)
        return skep_arena_printf(&job->arena, "user " SKEP_STRFMT, SKEP_STRARG(c->actor));
    if (c->key)
        return skep_arena_printf(&job->arena, "key " SKEP_STRFMT, SKEP_STRARG(c->actor));
    return SKEP_STR("anybody");
}

/* "127.0.0.1:40312" -> "127.0.0.1": the port says nothing afterwards. */
static skep_str address_of(skep_str peer)
{
    size_t n = peer.n;
    while (n > 0 && peer.p[n - 1] != ':')
        n--;
    return n ? (skep_str){peer.p, n - 1} : peer;
}

void skep_api__audit_by(struct skep_api__job *job, skep_str who, const char *what, skep_str on)
{
    skep_err err;
    const struct skep_state_audit e = {
        .who = who, .what = skep_str_c(what), .on = on, .from = address_of(job->req->peer)};
    skep_rc rc = skep_state_put_audit(job->api->cfg.state, &e, &err);
    if (rc != SKEP_OK)
        skep_log(WARN, "cannot write the audit log", SKEP_K_RC(rc), SKEP_K_CSTR("what", what),
                 SKEP_K_CSTR("error", err.text));
}

void skep_api__audit(struct skep_api__job *job, const char *what, skep_str on)
{
    skep_api__audit_by(job, who_is(job), what, on);
}

void skep_api__audit_key(struct skep_api__job *job, const char *what,
                         const struct skep_state_key *k)
{
    skep_api__audit(job, what,
                    skep_arena_printf(&job->arena, SKEP_STRFMT " (" SKEP_STRFMT ")",
                                      SKEP_STRARG(k->name), SKEP_STRARG(k->id)));
}

static bool number_of(struct skep_api__job *job, const char *name, uint64_t absent, uint64_t max,
                      uint64_t *ret)
{
    skep_str text = skep_api__param(job->req, skep_str_c(name));
    *ret = absent;
    if (!text.p || (skep_str_u64(text, ret) && *ret > 0 && *ret <= max))
        return true;
    skep_api__fail_field(job, name, "a whole number above 0");
    return false;
}

static void put_entry(struct skep_json *json, const struct skep_state_audit *e)
{
    skep_json_object(json);
    skep_json_put_u64(json, SKEP_STR("number"), e->number);
    skep_api__put_ns(json, SKEP_STR("at_ns"), e->at_ns);
    skep_json_put_str(json, SKEP_STR("who"), e->who);
    skep_json_put_str(json, SKEP_STR("what"), e->what);
    skep_json_put_str(json, SKEP_STR("on"), e->on);
    skep_json_put_str(json, SKEP_STR("from"), e->from);
    skep_json_end(json);
}

static void list_audit(struct skep_api__job *job)
{
    struct skep_state_audit *list;
    size_t n;
    uint64_t before, limit;
    skep_err err;
    if (!skep_api__may_all(job) || !number_of(job, "before", 0, INT64_MAX, &before) ||
        !number_of(job, "limit", PAGE_DEFAULT, PAGE_MAX, &limit))
        return;
    skep_rc rc = skep_state_list_audit(job->api->cfg.state, before, (size_t)limit, &job->arena,
                                       &list, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("entries"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++)
        put_entry(json, &list[i]);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("next"));
    if (n == limit)
        skep_json_u64(json, list[n - 1].number);
    else
        skep_json_null(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

SKEP_API__HANDLER(handle_list, list_audit)

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/audit",
     .handle = handle_list,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_audit = {routes, SKEP_ARRAY_LEN(routes)};
