// SPDX-License-Identifier: Apache-2.0
/* Resource policies: kept and given back, at most ten.  They give nobody anything: keys do
 * (docs/api/auth.md).  One that denies is refused, because it would not be obeyed.
 *
 * Threads: workers.  Memory: the request's arena. */
#include "api/logs_priv.h"

#include "base/assert.h"

static void put_policy(struct skep_api__logs *l, const struct skep_state_log_item *item)
{
    struct skep_json *json = &l->job->out.json;
    skep_json_object(json);
    skep_api__logs_put(json, "policyName", item->name);
    skep_api__logs_put(json, "policyDocument", item->body);
    skep_api__logs_put_time(json, "lastUpdatedTime", item->modified_ns);
    skep_json_end(json);
}

/* A policy that AWS would take, and that denies nothing. */
static bool is_policy(skep_str text, bool *ret_denies)
{
    size_t i, max;
    yyjson_val *v;
    yyjson_doc *doc = yyjson_read(text.p, text.n, 0);
    yyjson_val *statements = yyjson_obj_get(yyjson_doc_get_root(doc), "Statement");
    bool good = yyjson_is_arr(statements) || yyjson_is_obj(statements);
    *ret_denies = yyjson_equals_str(yyjson_obj_get(statements, "Effect"), "Deny");
    yyjson_arr_foreach(statements, i, max, v)
    {
        *ret_denies = *ret_denies || yyjson_equals_str(yyjson_obj_get(v, "Effect"), "Deny");
    }
    yyjson_doc_free(doc);
    return good;
}

void skep_api__logs_put_resource_policy(struct skep_api__logs *l)
{
    skep_err err;
    bool denies = false;
    struct skep_state_log_item item = {.group = SKEP_STR("")};
    item.name = skep_aws_str(&l->args, l->in, "policyName", &(struct skep_aws_len){1, 256, true});
    item.body =
        skep_aws_str(&l->args, l->in, "policyDocument", &(struct skep_aws_len){1, 5120, true});
    if (!skep_api__logs_valid(l))
        return;
    if (!is_policy(item.body, &denies) || denies) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "%s",
                            denies ? "a policy that denies is not taken: it would not be obeyed, "
                                     "keys say who may do what"
                                   : "policyDocument must be a policy: {\"Statement\":[...]}");
        return;
    }
    skep_rc rc = skep_state_log_item_put(l->job->api->cfg.state, l->job->opts.environment,
                                         SKEP_STATE_LOG_RESOURCE_POLICY, &item, &err);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    skep_api__logs_changed(l, item.name);
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, SKEP_STR("resourcePolicy"));
    put_policy(l, &item);
    skep_api__logs_end(l);
}

void skep_api__logs_delete_resource_policy(struct skep_api__logs *l)
{
    skep_err err;
    skep_str name =
        skep_aws_str(&l->args, l->in, "policyName", &(struct skep_aws_len){1, 256, false});
    if (name.n == 0 && l->args.n_wrong == 0)
        skep_aws_wrong(&l->args, "policyName", NULL, "Member must not be null");
    if (!skep_api__logs_valid(l))
        return;
    skep_rc rc = skep_state_log_item_drop(l->job->api->cfg.state, l->job->opts.environment,
                                          SKEP_STATE_LOG_RESOURCE_POLICY, SKEP_STR(""), name, &err);
    if (rc == SKEP_ENOTFOUND) {
        skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND,
                            "Policy with name [" SKEP_STRFMT "] does not exist", SKEP_STRARG(name));
        return;
    }
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    skep_api__logs_changed(l, name);
    skep_api__logs_done(l);
}

void skep_api__logs_describe_resource_policies(struct skep_api__logs *l)
{
    skep_err err;
    struct skep_state_log_item *items;
    size_t n;
    (void)skep_api__logs_limit(l, 1000, 1000); /* ten at most: one page */
    if (!skep_api__logs_valid(l))
        return;
    skep_rc rc = skep_state_log_items(l->job->api->cfg.state, l->job->opts.environment,
                                      SKEP_STATE_LOG_RESOURCE_POLICY, SKEP_STR_NULL, &l->job->arena,
                                      &items, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, SKEP_STR("resourcePolicies"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++)
        put_policy(l, &items[i]);
    skep_json_end(json);
    skep_api__logs_end(l);
}
