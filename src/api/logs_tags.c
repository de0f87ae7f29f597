// SPDX-License-Identifier: Apache-2.0
/* Tags of log groups, through both of the API's ways to them:
 *
 *   TagResource, UntagResource, ListTagsForResource     by ARN
 *   TagLogGroup, UntagLogGroup, ListTagsLogGroup        by the group's name
 *
 * They are one set.  Threads: workers.  Memory: the request's arena. */
#include "api/logs_tags.h"

#include "base/assert.h"

/* {"key":"value", ...} */
void skep_api__logs_read_tags(struct skep_api__logs *l, bool required,
                              struct skep_api__logs_tags *ret)
{
    size_t i, max;
    yyjson_val *key, *v;
    yyjson_val *map = skep_aws_object(&l->args, l->in, "tags", required);
    size_t n = yyjson_obj_size(map);
    *ret = (struct skep_api__logs_tags){0};
    if (n > SKEP_STATE_LOG_TAGS_MAX || (required && map && n == 0)) {
        skep_aws_wrong(&l->args, "tags", map,
                       n ? "Member must have length less than or equal to 50"
                         : "Member must have length greater than or equal to 1");
        return;
    }
    ret->tags = skep_new_n(&l->job->arena, struct skep_state_log_tag, n + 1);
    size_t mark = skep_aws_enter(&l->args, "tags");
    yyjson_obj_foreach(map, i, max, key, v)
    {
        skep_str name = {yyjson_get_str(key), yyjson_get_len(key)};
        const char *text = skep_cstr(&l->job->arena, name);
        skep_str value = skep_aws_str(&l->args, map, text, &(struct skep_aws_len){0, 256, true});
        if (name.n == 0 || name.n > 128)
            skep_aws_wrong(&l->args, "key", key, "Member must have length between 1 and 128");
        if (name.n >= 4 && skep_str_ieq((skep_str){name.p, 4}, SKEP_STR("aws:")))
            skep_aws_wrong(&l->args, "key", key, "Member must not begin with 'aws:'");
        ret->tags[ret->n++] = (struct skep_state_log_tag){name, value};
    }
    skep_aws_leave(&l->args, mark);
}

/* The group a request names; empty after an error was sent. */
static skep_str which(struct skep_api__logs *l, bool by_arn)
{
    skep_str name, group;
    if (by_arn)
        name = skep_aws_str(&l->args, l->in, "resourceArn", &(struct skep_aws_len){1, 1011, true});
    else
        name = skep_api__logs_name(l, "logGroupName", true);
    if (!skep_api__logs_valid(l))
        return SKEP_STR_NULL;
    group = by_arn ? skep_api__logs_group_of(name) : name;
    if (by_arn && group.p == name.p) { /* no ARN of a log group */
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "resourceArn must be the ARN of a log group");
        return SKEP_STR_NULL;
    }
    return skep_api__logs_group_exists(l, group) ? group : SKEP_STR_NULL;
}

static void put_resource(struct skep_json *json, const void *ctx)
{
    skep_json_put_str(json, SKEP_STR("resourceName"), *(const skep_str *)ctx);
}

static void tag(struct skep_api__logs *l, bool by_arn)
{
    skep_err err;
    struct skep_api__logs_tags tags;
    skep_api__logs_read_tags(l, true, &tags);
    skep_str group = which(l, by_arn);
    if (group.n == 0)
        return;
    skep_rc rc = skep_state_log_tag(l->job->api->cfg.state, l->job->opts.environment, group,
                                    tags.tags, tags.n, &err);
    if (rc == SKEP_ELIMIT && by_arn) {
        skep_api__logs_fail_more(l, SKEP_LOGS_TOO_MANY_TAGS, skep_str_c(err.text), put_resource,
                                 &group);
        return;
    }
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc == SKEP_ELIMIT ? SKEP_EINVAL : rc, &err);
        return;
    }
    skep_api__logs_changed(l, group);
    skep_api__logs_done(l);
}

static void untag(struct skep_api__logs *l, bool by_arn)
{
    skep_err err;
    size_t i, max, n = 0;
    yyjson_val *v;
    yyjson_val *list = skep_aws_list(&l->args, l->in, by_arn ? "tagKeys" : "tags",
                                     &(struct skep_aws_len){by_arn ? 0 : 1, 50, true});
    skep_str *keys = skep_new_n(&l->job->arena, skep_str, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, max, v)
    {
        if (yyjson_is_str(v))
            keys[n++] = (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
    }
    skep_str group = which(l, by_arn);
    if (group.n == 0)
        return;
    skep_rc rc = skep_state_log_untag(l->job->api->cfg.state, l->job->opts.environment, group, keys,
                                      n, &err);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    skep_api__logs_changed(l, group);
    skep_api__logs_done(l);
}

static void list(struct skep_api__logs *l, bool by_arn)
{
    skep_err err;
    size_t n = 0;
    struct skep_state_log_tag *tags = NULL;
    skep_str group = which(l, by_arn);
    if (group.n == 0)
        return;
    skep_rc rc = skep_state_log_tags(l->job->api->cfg.state, l->job->opts.environment, group,
                                     &l->job->arena, &tags, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, SKEP_STR("tags"));
    skep_json_object(json);
    for (size_t i = 0; i < n; i++)
        skep_json_put_str(json, tags[i].key, tags[i].value);
    skep_json_end(json);
    skep_api__logs_end(l);
}

void skep_api__logs_tag_resource(struct skep_api__logs *l)
{
    tag(l, true);
}

void skep_api__logs_untag_resource(struct skep_api__logs *l)
{
    untag(l, true);
}

void skep_api__logs_list_tags_for_resource(struct skep_api__logs *l)
{
    list(l, true);
}

void skep_api__logs_tag_log_group(struct skep_api__logs *l)
{
    tag(l, false);
}

void skep_api__logs_untag_log_group(struct skep_api__logs *l)
{
    untag(l, false);
}

void skep_api__logs_list_tags_log_group(struct skep_api__logs *l)
{
    list(l, false);
}
