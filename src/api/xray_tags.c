// SPDX-License-Identifier: Apache-2.0
/* TagResource, UntagResource, ListTagsForResource, and what all operations on named things share.
 *
 *   arn:aws:xray:REGION:ACCOUNT:group/NAME/ID            -> the group NAME
 *   arn:aws:xray:REGION:ACCOUNT:sampling-rule/NAME       -> the rule NAME; region and account are
 *                                                           whatever the client believes
 *
 * Threads: workers.  Memory: the request's arena. */
#include "api/keys.h"
#include "api/xray_admin.h"

#include "base/log.h"

void skep_api__xray_fail_state(struct skep_api__xray *x, const char *thing, skep_rc rc,
                               const skep_err *err)
{
    bool ours = rc == SKEP_ENOTFOUND || rc == SKEP_EEXISTS || rc == SKEP_ELIMIT;
    if (ours)
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST, "%s: %s", thing, err->text);
    else
        skep_api__xray_fail_rc(x, rc, err);
}

void skep_api__xray_changed(struct skep_api__xray *x, skep_str name)
{
    skep_str what = skep_arena_printf(&x->job->arena, "xray.%s", x->op->name);
    skep_api__audit(x->job, skep_cstr(&x->job->arena, what), name);
}

skep_str skep_api__xray_name(struct skep_api__xray *x, yyjson_val *obj, const char *key,
                             bool required)
{
    const struct skep_aws_len len = {.min = 1, .max = 32, .required = required};
    skep_str name = skep_aws_str(&x->args, obj, key, &len);
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = (uint8_t)name.p[i];
        if (c > ' ' && c < 0x7f && c != '/' && c != '"' && c != '\\')
            continue;
        skep_aws_wrong(&x->args, key, yyjson_obj_get(obj, key),
                       "Member must satisfy regular expression pattern: "
                       "[!#-.0-\\[\\]-~]+");
        return SKEP_STR_NULL;
    }
    return name;
}

bool skep_api__xray_which(struct skep_api__xray *x, yyjson_val *obj,
                          const struct skep_api__xray_which *which, skep_str *ret, skep_str *ret_id)
{
    skep_str name = skep_api__xray_name(x, obj, which->name_key, false), resource;
    skep_str arn =
        skep_aws_str(&x->args, obj, which->arn_key, &(struct skep_aws_len){1, 400, false});
    if (!skep_api__xray_valid(x))
        return false;
    if ((name.n > 0) == (arn.n > 0)) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST, "Either %s or %s must be specified%s",
                            which->name_key, which->arn_key, name.n ? ", not both" : "");
        return false;
    }
    *ret_id = SKEP_STR_NULL;
    *ret = name;
    if (name.n)
        return true;
    if (!skep_api__xray_arn_resource(arn, &resource) || !skep_str_starts(resource, which->prefix)) {
        skep_api__xray_fail(
            x, SKEP_XRAY_INVALID_REQUEST,
            "%s must be an ARN like arn:aws:xray:us-east-1:000000000000:" SKEP_STRFMT "NAME",
            which->arn_key, SKEP_STRARG(which->prefix));
        return false;
    }
    skep_str rest = skep_str_skip(resource, which->prefix.n);
    *ret = skep_str_cut(&rest, '/');
    *ret_id = rest;
    return true;
}

/* --- tags of a request ---------------------------------------------------------------------------
 */

static void read_tag(struct skep_api__xray *x, yyjson_val *list, size_t i,
                     struct skep_api__xray_tags *ret)
{
    yyjson_val *v = yyjson_arr_get(list, i);
    struct skep_state_xray_tag t;
    size_t mark = skep_aws_enter_item(&x->args, "Tags", i);
    t.key = skep_aws_str(&x->args, v, "Key", &(struct skep_aws_len){1, 128, true});
    t.value = skep_aws_str(&x->args, v, "Value", &(struct skep_aws_len){0, 256, true});
    if (t.key.n >= 4 && skep_str_ieq((skep_str){t.key.p, 4}, SKEP_STR("aws:")))
        skep_aws_wrong(&x->args, "Key", yyjson_obj_get(v, "Key"),
                       "Member must not begin with 'aws:'");
    for (size_t k = 0; k < ret->n; k++)
        if (t.key.n && skep_str_eq(ret->tags[k].key, t.key))
            skep_aws_wrong(&x->args, "Key", yyjson_obj_get(v, "Key"), "Member must be unique");
    skep_aws_leave(&x->args, mark);
    ret->tags[ret->n++] = t;
}

void skep_api__xray_read_tags(struct skep_api__xray *x, bool required,
                              struct skep_api__xray_tags *ret)
{
    const struct skep_aws_len len = {.max = 200, .required = required};
    yyjson_val *list = skep_aws_list(&x->args, x->in, "Tags", &len);
    size_t n = yyjson_arr_size(list);
    *ret = (struct skep_api__xray_tags){0};
    if (n > 200)
        return;
    ret->tags = skep_new_n(&x->job->arena, struct skep_state_xray_tag, n + 1);
    for (size_t i = 0; i < n; i++)
        read_tag(x, list, i, ret);
}

static void fail_tags(struct skep_api__xray *x, skep_str resource, skep_rc rc, const skep_err *err)
{
    if (rc == SKEP_ELIMIT)
        skep_api__xray_fail_resource(x, SKEP_XRAY_TOO_MANY_TAGS, resource, skep_str_c(err->text));
    else
        skep_api__xray_fail_rc(x, rc, err);
}

bool skep_api__xray_tag_new(struct skep_api__xray *x, enum skep_state_xray_kind kind, skep_str name,
                            const struct skep_api__xray_tags *tags)
{
    skep_err err;
    struct skep_state *state = x->job->api->cfg.state;
    skep_str env = x->job->opts.environment;
    if (tags->n == 0)
        return true;
    skep_rc rc = skep_state_xray_tag(state, env, kind, name, tags->tags, tags->n, &err);
    if (rc == SKEP_OK)
        return true;
    skep_err gone;
    if (skep_state_xray_drop(state, env, kind, name, &gone) != SKEP_OK)
        skep_log(WARN, "what got no tags stays without", SKEP_K_CSTR("error", gone.text));
    skep_api__xray_fail_state(x, "Tags", rc, &err);
    return false;
}

/* --- operations ----------------------------------------------------------------------------------
 */

struct resource {
    skep_str arn;
    enum skep_state_xray_kind kind;
    skep_str name;
};

static bool is_there(struct skep_api__xray *x, const struct resource *r, skep_rc *ret_rc,
                     skep_err *err)
{
    struct skep_state_xray_item item;
    *ret_rc = SKEP_OK;
    if (skep_str_eq(r->name, SKEP_STR("Default"))) /* of both kinds there is always one */
        return true;
    *ret_rc = skep_state_xray_get(x->job->api->cfg.state, x->job->opts.environment, r->kind,
                                  r->name, &x->job->arena, &item, err);
    return *ret_rc == SKEP_OK;
}

/* ResourceARN's; false after an error was sent. */
static bool read_resource(struct skep_api__xray *x, struct resource *ret)
{
    skep_str rest;
    skep_err err;
    skep_rc rc = SKEP_ENOTFOUND;
    ret->arn = skep_aws_str(&x->args, x->in, "ResourceARN", &(struct skep_aws_len){1, 1011, true});
    if (!skep_api__xray_valid(x))
        return false;
    if (!skep_api__xray_arn_resource(ret->arn, &rest)) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST, "ResourceARN must be an ARN of X-Ray");
        return false;
    }
    skep_str type = skep_str_cut(&rest, '/');
    bool group = skep_str_eq(type, SKEP_STR("group"));
    ret->kind = group ? SKEP_STATE_XRAY_GROUP : SKEP_STATE_XRAY_RULE;
    ret->name = skep_str_cut(&rest, '/');
    bool typed = group || skep_str_eq(type, SKEP_STR("sampling-rule"));
    if (typed && is_there(x, ret, &rc, &err))
        return true;
    if (rc == SKEP_ENOTFOUND)
        skep_api__xray_fail_resource(x, SKEP_XRAY_NOT_FOUND, ret->arn,
                                     SKEP_STR("The resource does not exist"));
    else
        skep_api__xray_fail_rc(x, rc, &err);
    return false;
}

void skep_api__xray_list_tags_for_resource(struct skep_api__xray *x)
{
    struct resource r;
    struct skep_state_xray_tag *tags;
    size_t n;
    skep_err err;
    if (!read_resource(x, &r))
        return;
    skep_rc rc = skep_state_xray_tags(x->job->api->cfg.state, x->job->opts.environment, r.kind,
                                      r.name, &x->job->arena, &tags, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_rc(x, rc, &err);
        return;
    }
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("Tags"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("Key"), tags[i].key);
        skep_json_put_str(json, SKEP_STR("Value"), tags[i].value);
        skep_json_end(json);
    }
    skep_json_end(json);
    skep_api__xray_end(x);
}

/* An empty answer, or what went wrong. */
static void end_tagging(struct skep_api__xray *x, const struct resource *r, skep_rc rc,
                        const skep_err *err)
{
    if (rc != SKEP_OK) {
        fail_tags(x, r->arn, rc, err);
        return;
    }
    skep_api__xray_changed(x, r->name);
    (void)skep_api__xray_begin(x);
    skep_api__xray_end(x);
}

void skep_api__xray_tag_resource(struct skep_api__xray *x)
{
    struct resource r;
    struct skep_api__xray_tags tags;
    skep_err err;
    skep_api__xray_read_tags(x, true, &tags);
    if (!read_resource(x, &r))
        return;
    skep_rc rc = skep_state_xray_tag(x->job->api->cfg.state, x->job->opts.environment, r.kind,
                                     r.name, tags.tags, tags.n, &err);
    end_tagging(x, &r, rc, &err);
}

void skep_api__xray_untag_resource(struct skep_api__xray *x)
{
    struct resource r;
    skep_err err;
    size_t i, n;
    yyjson_val *v,
        *list = skep_aws_list(&x->args, x->in, "TagKeys", &(struct skep_aws_len){0, 200, true});
    skep_str *keys = skep_new_n(&x->job->arena, skep_str, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, n, v)
    {
        keys[i] = (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
        if (!yyjson_is_str(v))
            skep_aws_wrong(&x->args, "TagKeys", v, "Member must be a list of strings");
    }
    n = yyjson_arr_size(list);
    if (!read_resource(x, &r))
        return;
    skep_rc rc = skep_state_xray_untag(x->job->api->cfg.state, x->job->opts.environment, r.kind,
                                       r.name, keys, n, &err);
    end_tagging(x, &r, rc, &err);
}
