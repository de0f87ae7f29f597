// SPDX-License-Identifier: Apache-2.0
/* ListResourcePolicies, PutResourcePolicy, DeleteResourcePolicy.
 *
 *   state: name -> revision, line feed, document
 *
 * In AWS a policy lets other AWS services send.  Here keys do that, and a policy gives nobody
 * anything; it is kept and given back, so that the tools that put one work.  One that denies
 * something is refused: it would not be obeyed.
 *
 * I1  a revision id is another one after every change.
 * Threads: workers.  Memory: the request's arena. */
#include "api/xray_admin.h"

enum { DOCUMENT_BYTES_MAX = 5 * 1024, NAME_MAX_CHARACTERS = 128 };

struct policy {
    skep_str name, document, revision;
    struct skep_state_xray_item item;
};

static skep_str read_name(struct skep_api__xray *x)
{
    const struct skep_aws_len len = {1, NAME_MAX_CHARACTERS, true};
    skep_str name = skep_aws_str(&x->args, x->in, "PolicyName", &len);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!word && !memchr("_+=,.@-", c, 7)) {
            skep_aws_wrong(&x->args, "PolicyName", yyjson_obj_get(x->in, "PolicyName"),
                           "Member must satisfy regular expression pattern: [\\w+=,.@-]+");
            break;
        }
    }
    return name;
}

/* --- as kept: the revision, a line feed, the document --------------------------------------------
 */

static void decode(const struct skep_state_xray_item *item, struct policy *ret)
{
    skep_str rest = item->body;
    *ret = (struct policy){.name = item->name, .item = *item};
    ret->revision = skep_str_cut(&rest, '\n');
    ret->document = rest;
}

static void encode(struct skep_api__xray *x, struct policy *p)
{
    uint8_t random[16];
    char hex[2 * sizeof random];
    const struct skep_os *os = x->job->api->cfg.os;
    os->random(os, random, sizeof random); /* I1 */
    skep_hex_encode((skep_bytes){random, sizeof random}, hex);
    p->revision = skep_arena_str(&x->job->arena, (skep_str){hex, sizeof hex});
    p->item.body = skep_arena_printf(&x->job->arena, SKEP_STRFMT "\n" SKEP_STRFMT,
                                     SKEP_STRARG(p->revision), SKEP_STRARG(p->document));
}

static void put_policy(struct skep_json *json, const struct policy *p)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("PolicyName"), p->name);
    skep_json_put_str(json, SKEP_STR("PolicyDocument"), p->document);
    skep_json_put_str(json, SKEP_STR("PolicyRevisionId"), p->revision);
    skep_api__xray_put_time(json, SKEP_STR("LastUpdatedTime"), p->item.modified_ns);
    skep_json_end(json);
}

/* --- operations ----------------------------------------------------------------------------------
 */

void skep_api__xray_list_resource_policies(struct skep_api__xray *x)
{
    struct skep_state_xray_item *items;
    struct policy p;
    size_t n;
    skep_err err;
    skep_bytes position;
    if (!skep_api__xray_token(x, &position)) /* there is one page: none was ever given */
        return;
    skep_rc rc = skep_state_xray_list(x->job->api->cfg.state, x->job->opts.environment,
                                      SKEP_STATE_XRAY_POLICY, &x->job->arena, &items, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_rc(x, rc, &err);
        return;
    }
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("ResourcePolicies"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++) {
        decode(&items[i], &p);
        put_policy(json, &p);
    }
    skep_json_end(json);
    skep_api__xray_end(x);
}

static const char *wrong_with_statement(yyjson_val *v)
{
    if (!yyjson_is_obj(v))
        return "a Statement must be an object";
    if (yyjson_equals_str(yyjson_obj_get(v, "Effect"), "Deny"))
        return "skep obeys keys, not policies: one that denies something would not be kept to";
    if (!yyjson_equals_str(yyjson_obj_get(v, "Effect"), "Allow"))
        return "a Statement's Effect must be Allow or Deny";
    if (!yyjson_obj_get(v, "Principal"))
        return "a Statement must have a Principal";
    if (!yyjson_obj_get(v, "Action"))
        return "a Statement must have an Action";
    return NULL;
}

/* What is wrong with a document; NULL = nothing. */
static const char *wrong_with(skep_str document)
{
    const char *wrong = NULL;
    size_t i, n;
    yyjson_val *v;
    yyjson_doc *doc = yyjson_read(document.p, document.n, 0);
    yyjson_val *statement = yyjson_obj_get(yyjson_doc_get_root(doc), "Statement");
    if (!doc)
        wrong = "it must be JSON";
    else if (yyjson_is_arr(statement) && yyjson_arr_size(statement) > 0) {
        yyjson_arr_foreach(statement, i, n, v) if (!wrong) wrong = wrong_with_statement(v);
    } else if (yyjson_is_obj(statement)) {
        wrong = wrong_with_statement(statement);
    } else {
        wrong = "it must have a Statement";
    }
    yyjson_doc_free(doc);
    return wrong;
}

/* An old one must have the revision that the request names, if it names one. */
static skep_rc put(struct skep_api__xray *x, struct policy *p, skep_str revision, bool *ret_stale,
                   skep_err *err)
{
    struct policy old;
    struct skep_state *state = x->job->api->cfg.state;
    skep_str env = x->job->opts.environment;
    skep_rc rc = skep_state_xray_get(state, env, SKEP_STATE_XRAY_POLICY, p->name, &x->job->arena,
                                     &p->item, err);
    bool there = rc == SKEP_OK;
    if (there)
        decode(&p->item, &old);
    else if (rc != SKEP_ENOTFOUND)
        return rc;
    *ret_stale = revision.n && (!there || !skep_str_eq(revision, old.revision));
    if (*ret_stale)
        return SKEP_OK;
    encode(x, p);
    p->item.name = p->name;
    rc = there ? skep_state_xray_replace(state, env, SKEP_STATE_XRAY_POLICY, &p->item, err)
               : skep_state_xray_create(state, env, SKEP_STATE_XRAY_POLICY, &p->item, err);
    return rc == SKEP_EEXISTS ? SKEP_EAGAIN : rc;
}

static void fail_stale(struct skep_api__xray *x)
{
    skep_api__xray_fail(x, SKEP_XRAY_POLICY_REVISION,
                        "PolicyRevisionId is not the policy's current one");
}

void skep_api__xray_put_resource_policy(struct skep_api__xray *x)
{
    struct policy p = {.name = read_name(x)};
    skep_err err;
    bool stale = false;
    p.document =
        skep_aws_str(&x->args, x->in, "PolicyDocument", &(struct skep_aws_len){.required = true});
    skep_str revision =
        skep_aws_str(&x->args, x->in, "PolicyRevisionId", &(struct skep_aws_len){0});
    (void)skep_aws_bool(&x->args, x->in, "BypassPolicyLockoutCheck", false);
    if (!skep_api__xray_valid(x))
        return;
    const char *wrong = wrong_with(p.document);
    if (p.document.n > DOCUMENT_BYTES_MAX) {
        skep_api__xray_fail(x, SKEP_XRAY_POLICY_SIZE, "PolicyDocument must have at most %d bytes",
                            DOCUMENT_BYTES_MAX);
        return;
    }
    if (wrong) {
        skep_api__xray_fail(x, SKEP_XRAY_POLICY_MALFORMED, "PolicyDocument: %s", wrong);
        return;
    }
    skep_rc rc = put(x, &p, revision, &stale, &err);
    if (stale) {
        fail_stale(x);
    } else if (rc == SKEP_ELIMIT) {
        skep_api__xray_fail(x, SKEP_XRAY_POLICY_COUNT, "%s", err.text);
    } else if (rc != SKEP_OK) {
        skep_api__xray_fail_state(x, "PolicyName", rc, &err);
    } else {
        skep_api__xray_changed(x, p.name);
        struct skep_json *json = skep_api__xray_begin(x);
        skep_json_key(json, SKEP_STR("ResourcePolicy"));
        put_policy(json, &p);
        skep_api__xray_end(x);
    }
}

void skep_api__xray_delete_resource_policy(struct skep_api__xray *x)
{
    struct policy p;
    struct skep_state_xray_item item;
    skep_err err;
    skep_str name = read_name(x);
    skep_str revision =
        skep_aws_str(&x->args, x->in, "PolicyRevisionId", &(struct skep_aws_len){0});
    struct skep_state *state = x->job->api->cfg.state;
    skep_str env = x->job->opts.environment;
    if (!skep_api__xray_valid(x))
        return;
    skep_rc rc =
        skep_state_xray_get(state, env, SKEP_STATE_XRAY_POLICY, name, &x->job->arena, &item, &err);
    if (rc == SKEP_OK) {
        decode(&item, &p);
        if (revision.n && !skep_str_eq(revision, p.revision)) {
            fail_stale(x);
            return;
        }
        rc = skep_state_xray_drop(state, env, SKEP_STATE_XRAY_POLICY, name, &err);
    }
    if (rc != SKEP_OK) {
        skep_api__xray_fail_state(x, "PolicyName", rc, &err);
        return;
    }
    skep_api__xray_changed(x, name);
    (void)skep_api__xray_begin(x);
    skep_api__xray_end(x);
}
