// SPDX-License-Identifier: Apache-2.0
/* CreateGroup, UpdateGroup, GetGroup, GetGroups, DeleteGroup: names for filter expressions.
 *
 *   state: name -> {"Id": "9bKq...", "FilterExpression": "service(\"backend-flask\")"}
 *   ARN:   group/NAME/ID; the id is another one when a group is made anew
 *
 * "Default" holds every trace, is always there and cannot be changed or deleted.
 *
 * Insights are never enabled: skep does not look for them, so a request to enable them is refused
 * and not forgotten, and each group says InsightsEnabled: false.
 *
 * I1  an expression that is kept was read without a mistake, inside the groups there were then.
 * I2  no group is part of itself, by way of others either.
 * Threads: workers.  Memory: the request's arena. */
#include "api/xray_admin.h"
#include "api/xray_load.h"

#include "base/assert.h"

enum { CHANGE_TRIES = 5, ID_BYTES = 8 };

static const struct skep_api__xray_which by_name_or_arn = {"GroupName", "GroupARN",
                                                           SKEP_STR_INIT("group/")};

struct group {
    skep_str name, expression, id; /* id "" = Default */
    struct skep_state_xray_item item;
};

static bool is_default(skep_str name)
{
    return skep_str_eq(name, SKEP_STR("Default"));
}

/* --- as kept -------------------------------------------------------------------------------------
 */

static skep_str text_of(struct skep_arena *arena, yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return skep_arena_str(arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
}

static skep_rc decode(struct skep_arena *arena, const struct skep_state_xray_item *item,
                      struct group *ret, skep_err *err)
{
    yyjson_doc *doc = yyjson_read(item->body.p, item->body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool sound = yyjson_is_str(yyjson_obj_get(root, "Id"));
    *ret = (struct group){.name = item->name,
                          .item = *item,
                          .id = text_of(arena, root, "Id"),
                          .expression = text_of(arena, root, "FilterExpression")};
    yyjson_doc_free(doc);
    if (!sound)
        return skep_fail(err, SKEP_ECORRUPT, "state database: a group that is none");
    return SKEP_OK;
}

static skep_str encode(struct skep_arena *arena, const struct group *g)
{
    struct skep_buf buf;
    struct skep_json json;
    skep_buf_init(&buf, SKEP_LIMIT_API_BODY_BYTES);
    skep_json_init(&json, &buf);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("Id"), g->id);
    skep_json_put_str(&json, SKEP_STR("FilterExpression"), g->expression);
    skep_json_end(&json);
    skep_str text = skep_arena_str(arena, skep_buf_text(&buf));
    skep_buf_done(&buf);
    return text;
}

/* id   what the ARN had behind the name; empty = it may be any */
static skep_rc load(struct skep_api__xray *x, skep_str name, skep_str id, struct group *ret,
                    skep_err *err)
{
    struct skep_state_xray_item item;
    *ret = (struct group){.name = name};
    if (is_default(name) && id.n == 0)
        return SKEP_OK;
    SKEP_TRY(skep_state_xray_get(x->job->api->cfg.state, x->job->opts.environment,
                                 SKEP_STATE_XRAY_GROUP, name, &x->job->arena, &item, err));
    SKEP_TRY(decode(&x->job->arena, &item, ret, err));
    if (id.n && !skep_str_eq(id, ret->id))
        return skep_fail(err, SKEP_ENOTFOUND, "the group of this ARN does not exist");
    return SKEP_OK;
}

bool skep_api__xray_group_find(struct skep_api__xray *x, skep_str name, bool arn, skep_str *ret)
{
    struct group g;
    skep_err err;
    skep_str resource = name, id = SKEP_STR_NULL;
    if (arn) {
        if (!skep_api__xray_arn_resource(name, &resource) ||
            !skep_str_eq(skep_str_cut(&resource, '/'), SKEP_STR("group")))
            return false;
        name = skep_str_cut(&resource, '/');
        id = resource;
    }
    if ((x->within.n && skep_str_eq(name, x->within)) || load(x, name, id, &g, &err) != SKEP_OK)
        return false;
    *ret = g.expression;
    return true;
}

/* --- answers -------------------------------------------------------------------------------------
 */

static void put_group(struct skep_api__xray *x, struct skep_json *json, const struct group *g)
{
    skep_str resource =
        skep_arena_printf(&x->job->arena, "group/" SKEP_STRFMT "%s" SKEP_STRFMT,
                          SKEP_STRARG(g->name), g->id.n ? "/" : "", SKEP_STRARG(g->id));
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("GroupName"), g->name);
    skep_json_put_str(json, SKEP_STR("GroupARN"), skep_api__xray_arn(x, resource));
    if (g->expression.n)
        skep_json_put_str(json, SKEP_STR("FilterExpression"), g->expression);
    skep_json_key(json, SKEP_STR("InsightsConfiguration"));
    skep_json_object(json);
    skep_json_put_bool(json, SKEP_STR("InsightsEnabled"), false);
    skep_json_put_bool(json, SKEP_STR("NotificationsEnabled"), false);
    skep_json_end(json);
    skep_json_end(json);
}

static void answer_group(struct skep_api__xray *x, const struct group *g)
{
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("Group"));
    put_group(x, json, g);
    skep_api__xray_end(x);
}

/* --- operations ----------------------------------------------------------------------------------
 */

/* InsightsConfiguration: only what is so already can be asked for. */
static void read_insights(struct skep_api__xray *x)
{
    yyjson_val *obj = skep_aws_object(&x->args, x->in, "InsightsConfiguration", false);
    size_t mark = skep_aws_enter(&x->args, "InsightsConfiguration");
    static const char *const keys[] = {"InsightsEnabled", "NotificationsEnabled"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(keys); i++)
        if (skep_aws_bool(&x->args, obj, keys[i], false))
            skep_aws_wrong(&x->args, keys[i], NULL,
                           "Member must be false: skep does not look for insights");
    skep_aws_leave(&x->args, mark);
}

/* False after an error was sent. */
static bool check_expression(struct skep_api__xray *x, skep_str expression)
{
    const struct skep_xray_expr *tree;
    return skep_api__xray_expression(x, expression, &tree);
}

void skep_api__xray_create_group(struct skep_api__xray *x)
{
    uint8_t random[ID_BYTES];
    char id[2 * ID_BYTES];
    struct skep_api__xray_tags tags;
    const struct skep_os *os = x->job->api->cfg.os;
    skep_err err;
    struct group g = {.name = skep_api__xray_name(x, x->in, "GroupName", true)};
    g.expression = skep_aws_str(&x->args, x->in, "FilterExpression", &(struct skep_aws_len){0});
    read_insights(x);
    skep_api__xray_read_tags(x, false, &tags);
    if (!skep_api__xray_valid(x) || !check_expression(x, g.expression))
        return;
    if (is_default(g.name)) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST, "GroupName: \"Default\" exists already");
        return;
    }
    os->random(os, random, sizeof random);
    skep_hex_encode((skep_bytes){random, sizeof random}, id);
    g.id = (skep_str){id, sizeof id};
    g.item = (struct skep_state_xray_item){.name = g.name, .body = encode(&x->job->arena, &g)};
    skep_rc rc = skep_state_xray_create(x->job->api->cfg.state, x->job->opts.environment,
                                        SKEP_STATE_XRAY_GROUP, &g.item, &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_state(x, "GroupName", rc, &err);
        return;
    }
    if (skep_api__xray_tag_new(x, SKEP_STATE_XRAY_GROUP, g.name, &tags)) {
        skep_api__xray_changed(x, g.name);
        answer_group(x, &g);
    }
}

static skep_rc change(struct skep_api__xray *x, skep_str name, skep_str id,
                      const skep_str *expression, struct group *ret, skep_err *err)
{
    skep_rc rc = SKEP_EAGAIN;
    for (int i = 0; i < CHANGE_TRIES && rc == SKEP_EAGAIN; i++) {
        SKEP_TRY(load(x, name, id, ret, err));
        if (!expression)
            return SKEP_OK;
        ret->expression = *expression;
        ret->item.body = encode(&x->job->arena, ret);
        rc = skep_state_xray_replace(x->job->api->cfg.state, x->job->opts.environment,
                                     SKEP_STATE_XRAY_GROUP, &ret->item, err);
    }
    return rc;
}

void skep_api__xray_update_group(struct skep_api__xray *x)
{
    skep_str name, id;
    struct group g;
    skep_err err;
    yyjson_val *given = yyjson_obj_get(x->in, "FilterExpression");
    skep_str expression =
        skep_aws_str(&x->args, x->in, "FilterExpression", &(struct skep_aws_len){0});
    bool changes = given && !yyjson_is_null(given);
    read_insights(x);
    if (!skep_api__xray_which(x, x->in, &by_name_or_arn, &name, &id))
        return;
    x->within = name; /* I2 */
    if (!check_expression(x, expression))
        return;
    if (changes && is_default(name)) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                            "FilterExpression of the group \"Default\" cannot be changed");
        return;
    }
    skep_rc rc = change(x, name, id, changes ? &expression : NULL, &g, &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_state(x, "Group", rc, &err);
        return;
    }
    skep_api__xray_changed(x, name);
    answer_group(x, &g);
}

void skep_api__xray_get_group(struct skep_api__xray *x)
{
    skep_str name, id;
    struct group g;
    skep_err err;
    if (!skep_api__xray_which(x, x->in, &by_name_or_arn, &name, &id))
        return;
    skep_rc rc = load(x, name, id, &g, &err);
    if (rc == SKEP_OK)
        answer_group(x, &g);
    else
        skep_api__xray_fail_state(x, "Group", rc, &err);
}

void skep_api__xray_get_groups(struct skep_api__xray *x)
{
    struct skep_state_xray_item *items;
    size_t n;
    skep_err err;
    skep_bytes position;
    if (!skep_api__xray_token(x, &position)) /* there is one page: none was ever given */
        return;
    skep_rc rc = skep_state_xray_list(x->job->api->cfg.state, x->job->opts.environment,
                                      SKEP_STATE_XRAY_GROUP, &x->job->arena, &items, &n, &err);
    struct group *groups = skep_new_n(&x->job->arena, struct group, n + 1);
    groups[0] = (struct group){.name = SKEP_STR("Default")};
    for (size_t i = 0; i < n && rc == SKEP_OK; i++)
        rc = decode(&x->job->arena, &items[i], &groups[i + 1], &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_rc(x, rc, &err);
        return;
    }
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("Groups"));
    skep_json_array(json);
    for (size_t i = 0; i <= n; i++)
        put_group(x, json, &groups[i]);
    skep_json_end(json);
    skep_api__xray_end(x);
}

void skep_api__xray_delete_group(struct skep_api__xray *x)
{
    skep_str name, id;
    struct group g;
    skep_err err;
    if (!skep_api__xray_which(x, x->in, &by_name_or_arn, &name, &id))
        return;
    if (is_default(name)) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                            "The group \"Default\" cannot be deleted");
        return;
    }
    skep_rc rc = load(x, name, id, &g, &err);
    if (rc == SKEP_OK)
        rc = skep_state_xray_drop(x->job->api->cfg.state, x->job->opts.environment,
                                  SKEP_STATE_XRAY_GROUP, name, &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_state(x, "Group", rc, &err);
        return;
    }
    skep_api__xray_changed(x, name);
    (void)skep_api__xray_begin(x);
    skep_api__xray_end(x);
}

bool skep_api__xray_group_asked(struct skep_api__xray *x, skep_str *ret)
{
    skep_str name, id;
    struct group g;
    skep_err err;
    yyjson_val *by_name = yyjson_obj_get(x->in, "GroupName");
    yyjson_val *by_arn = yyjson_obj_get(x->in, "GroupARN");
    *ret = SKEP_STR("");
    if ((!by_name || yyjson_is_null(by_name)) && (!by_arn || yyjson_is_null(by_arn)))
        return true;
    if (!skep_api__xray_which(x, x->in, &by_name_or_arn, &name, &id))
        return false;
    skep_rc rc = load(x, name, id, &g, &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_state(x, "Group", rc, &err);
        return false;
    }
    *ret = g.expression;
    return true;
}
