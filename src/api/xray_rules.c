// SPDX-License-Identifier: Apache-2.0
/* GetSamplingRules, CreateSamplingRule, UpdateSamplingRule, DeleteSamplingRule.
 *
 *   state: name -> the SamplingRule's JSON, as the API writes it and without its ARN
 *
 * What is kept is read by the function that reads requests, so no rule can be kept that a request
 * could not make.
 *
 * Default is always there and matches all that no other does.  Unlike AWS's it takes everything
 * (reservoir 1, fixed rate 100 %): who starts with skep sees every request.  Its rate, reservoir
 * and boost can be changed, nothing else, and it cannot be deleted.
 *
 * Threads: workers.  Memory: the request's arena. */
#include "api/xray_admin.h"

#include <stdlib.h>

#include "base/assert.h"

enum {
    CUSTOM_MAX = SKEP_STATE_XRAY_RULES_MAX - 1,
    DEFAULT_PRIORITY = 10000,
    CHANGE_TRIES = 5,
    ATTRIBUTES_MAX = 5
};

static const struct skep_api__xray_which by_name_or_arn = {"RuleName", "RuleARN",
                                                           SKEP_STR_INIT("sampling-rule/")};

static const struct skep_xray_rule default_rule = {.name = SKEP_STR_INIT("Default"),
                                                   .resource_arn = SKEP_STR_INIT("*"),
                                                   .service = SKEP_STR_INIT("*"),
                                                   .type = SKEP_STR_INIT("*"),
                                                   .host = SKEP_STR_INIT("*"),
                                                   .method = SKEP_STR_INIT("*"),
                                                   .path = SKEP_STR_INIT("*"),
                                                   .attributes = SKEP_STR_INIT("{}"),
                                                   .priority = DEFAULT_PRIORITY,
                                                   .reservoir = 1,
                                                   .version = 1,
                                                   .fixed_rate = 1};

static bool is_default(skep_str name)
{
    return skep_str_eq(name, default_rule.name);
}

/* --- members -------------------------------------------------------------------------------------
 */

static const struct {
    const char *key;
    size_t offset, max;
} texts[] = {
    {"ResourceARN", offsetof(struct skep_xray_rule, resource_arn), 500},
    {"ServiceName", offsetof(struct skep_xray_rule, service), 64},
    {"ServiceType", offsetof(struct skep_xray_rule, type), 64},
    {"Host", offsetof(struct skep_xray_rule, host), 64},
    {"HTTPMethod", offsetof(struct skep_xray_rule, method), 10},
    {"URLPath", offsetof(struct skep_xray_rule, path), 128},
};

static skep_str *text_at(struct skep_xray_rule *rule, size_t i)
{
    return (skep_str *)(void *)((char *)rule + texts[i].offset);
}

static void read_attributes(struct skep_api__xray *x, yyjson_val *obj, struct skep_xray_rule *rule)
{
    struct skep_buf buf;
    struct skep_json json;
    size_t i, n;
    yyjson_val *key, *v, *map = skep_aws_object(&x->args, obj, "Attributes", false);
    if (!map)
        return;
    if (yyjson_obj_size(map) > ATTRIBUTES_MAX)
        skep_aws_wrong(&x->args, "Attributes", map,
                       "Member must have length less than or equal to 5");
    skep_buf_init(&buf, SKEP_LIMIT_API_BODY_BYTES);
    skep_json_init(&json, &buf);
    skep_json_object(&json);
    size_t mark = skep_aws_enter(&x->args, "Attributes");
    yyjson_obj_foreach(map, i, n, key, v)
    {
        const struct skep_aws_len len = {1, 32, true};
        skep_str name = {yyjson_get_str(key), yyjson_get_len(key)};
        if (name.n < 1 || name.n > 32 || memchr(name.p, '\0', name.n)) {
            skep_aws_wrong(&x->args, "key", key, "Member must have length between 1 and 32");
            continue;
        }
        skep_json_put_str(&json, name, skep_aws_str(&x->args, map, name.p, &len));
    }
    skep_aws_leave(&x->args, mark);
    skep_json_end(&json);
    rule->attributes = skep_arena_str(&x->job->arena, skep_buf_text(&buf));
    skep_buf_done(&buf);
}

static void read_boost(struct skep_api__xray *x, yyjson_val *obj, struct skep_xray_rule *rule)
{
    yyjson_val *boost = skep_aws_object(&x->args, obj, "SamplingRateBoost", false);
    if (!boost)
        return;
    size_t mark = skep_aws_enter(&x->args, "SamplingRateBoost");
    rule->boosts = skep_aws_number(&x->args, boost, "MaxRate", &(struct skep_aws_range){0, 1, true},
                                   &rule->boost_rate);
    (void)skep_aws_int(&x->args, boost, "CooldownWindowMinutes",
                       &(struct skep_aws_range){0, 1e6, true}, &rule->boost_cooldown_min);
    skep_aws_leave(&x->args, mark);
}

/* The members that are there, into *rule; notes those that must be and are not. */
static void read_members(struct skep_api__xray *x, yyjson_val *obj, bool required,
                         struct skep_xray_rule *rule)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(texts); i++) {
        const struct skep_aws_len len = {.max = texts[i].max, .required = required};
        skep_str text = skep_aws_str(&x->args, obj, texts[i].key, &len);
        if (text.p)
            *text_at(rule, i) = text;
    }
    double most = is_default(rule->name) ? DEFAULT_PRIORITY : 9999;
    (void)skep_aws_int(&x->args, obj, "Priority", &(struct skep_aws_range){1, most, required},
                       &rule->priority);
    (void)skep_aws_number(&x->args, obj, "FixedRate", &(struct skep_aws_range){0, 1, required},
                          &rule->fixed_rate);
    (void)skep_aws_int(&x->args, obj, "ReservoirSize",
                       &(struct skep_aws_range){0, INT32_MAX, required}, &rule->reservoir);
    read_attributes(x, obj, rule);
    read_boost(x, obj, rule);
}

static void read_version(struct skep_api__xray *x, yyjson_val *obj, struct skep_xray_rule *rule)
{
    (void)skep_aws_int(&x->args, obj, "Version", &(struct skep_aws_range){1, 1, true},
                       &rule->version);
}

/* --- writing -------------------------------------------------------------------------------------
 */

/* arn   empty: as it is kept */
static void put_rule(struct skep_json *json, const struct skep_xray_rule *rule, skep_str arn)
{
    struct skep_xray_rule copy = *rule;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("RuleName"), rule->name);
    if (arn.n)
        skep_json_put_str(json, SKEP_STR("RuleARN"), arn);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(texts); i++)
        skep_json_put_str(json, skep_str_c(texts[i].key), *text_at(&copy, i));
    skep_json_put_i64(json, SKEP_STR("Priority"), rule->priority);
    skep_json_put_f64(json, SKEP_STR("FixedRate"), rule->fixed_rate);
    skep_json_put_i64(json, SKEP_STR("ReservoirSize"), rule->reservoir);
    skep_json_put_i64(json, SKEP_STR("Version"), rule->version);
    skep_json_key(json, SKEP_STR("Attributes"));
    skep_json_raw(json, rule->attributes);
    if (rule->boosts) {
        skep_json_key(json, SKEP_STR("SamplingRateBoost"));
        skep_json_object(json);
        skep_json_put_f64(json, SKEP_STR("MaxRate"), rule->boost_rate);
        skep_json_put_i64(json, SKEP_STR("CooldownWindowMinutes"), rule->boost_cooldown_min);
        skep_json_end(json);
    }
    skep_json_end(json);
}

static void put_record(struct skep_api__xray *x, struct skep_json *json,
                       const struct skep_xray_rule *rule)
{
    skep_str resource =
        skep_arena_printf(&x->job->arena, "sampling-rule/" SKEP_STRFMT, SKEP_STRARG(rule->name));
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("SamplingRule"));
    put_rule(json, rule, skep_api__xray_arn(x, resource));
    skep_api__xray_put_time(json, SKEP_STR("CreatedAt"), rule->created_ns);
    skep_api__xray_put_time(json, SKEP_STR("ModifiedAt"), rule->modified_ns);
    skep_json_end(json);
}

/* After a change. */
static void answer_record(struct skep_api__xray *x, const struct skep_xray_rule *rule)
{
    skep_api__xray_changed(x, rule->name);
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("SamplingRuleRecord"));
    put_record(x, json, rule);
    skep_api__xray_end(x);
}

/* --- as kept -------------------------------------------------------------------------------------
 */

static skep_str encode(struct skep_arena *arena, const struct skep_xray_rule *rule)
{
    struct skep_buf buf;
    struct skep_json json;
    skep_buf_init(&buf, SKEP_LIMIT_API_BODY_BYTES);
    skep_json_init(&json, &buf);
    put_rule(&json, rule, SKEP_STR_NULL);
    skep_str text = skep_arena_str(arena, skep_buf_text(&buf));
    skep_buf_done(&buf);
    return text;
}

static skep_rc decode(struct skep_api__job *job, const struct skep_state_xray_item *item,
                      struct skep_xray_rule *ret, skep_err *err)
{
    struct skep_api__xray notes = {.job = job};
    yyjson_doc *doc = yyjson_read(item->body.p, item->body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    *ret = default_rule;
    ret->name = item->name;
    ret->created_ns = is_default(item->name) ? 0 : item->created_ns;
    ret->modified_ns = item->modified_ns;
    read_members(&notes, root, true, ret);
    read_version(&notes, root, ret);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(texts); i++) /* out of the document */
        *text_at(ret, i) = skep_arena_str(&job->arena, *text_at(ret, i));
    yyjson_doc_free(doc);
    if (notes.args.n_wrong || notes.args.mistyped[0])
        return skep_fail(err, SKEP_ECORRUPT, "state database: a sampling rule that is none: %s",
                         notes.args.wrong);
    return SKEP_OK;
}

static int in_order(const void *a, const void *b)
{
    const struct skep_xray_rule *r = a, *q = b;
    if (r->priority != q->priority)
        return r->priority < q->priority ? -1 : 1;
    return skep_str_cmp(r->name, q->name);
}

skep_rc skep_api__xray_rules(struct skep_api__job *job, struct skep_xray_rule **ret, size_t *ret_n,
                             skep_err *err)
{
    struct skep_state_xray_item *items;
    size_t n;
    bool has_default = false;
    SKEP_TRY(skep_state_xray_list(job->api->cfg.state, job->opts.environment, SKEP_STATE_XRAY_RULE,
                                  &job->arena, &items, &n, err));
    struct skep_xray_rule *rules = skep_new_n(&job->arena, struct skep_xray_rule, n + 1);
    for (size_t i = 0; i < n; i++) {
        SKEP_TRY(decode(job, &items[i], &rules[i], err));
        has_default |= is_default(items[i].name);
    }
    if (!has_default)
        rules[n++] = default_rule;
    qsort(rules, n, sizeof *rules, in_order);
    *ret = rules;
    *ret_n = n;
    return SKEP_OK;
}

const struct skep_xray_rule *skep_api__xray_rule_find(const struct skep_xray_rule *rules, size_t n,
                                                      skep_str name)
{
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(rules[i].name, name))
            return &rules[i];
    return NULL;
}

/* --- operations ----------------------------------------------------------------------------------
 */

void skep_api__xray_get_sampling_rules(struct skep_api__xray *x)
{
    struct skep_xray_rule *rules;
    size_t n;
    skep_err err;
    skep_bytes position;
    if (!skep_api__xray_token(x, &position)) /* there is one page: none was ever given */
        return;
    skep_rc rc = skep_api__xray_rules(x->job, &rules, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_rc(x, rc, &err);
        return;
    }
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("SamplingRuleRecords"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++)
        put_record(x, json, &rules[i]);
    skep_json_end(json);
    skep_api__xray_end(x);
}

/* Room for one more; false after an error was sent.  (State has the last word.) */
static bool has_room(struct skep_api__xray *x)
{
    struct skep_xray_rule *rules;
    size_t n;
    skep_err err;
    skep_rc rc = skep_api__xray_rules(x->job, &rules, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_rc(x, rc, &err);
        return false;
    }
    if (n - 1 >= CUSTOM_MAX) {
        skep_api__xray_fail(x, SKEP_XRAY_RULE_LIMIT,
                            "There are %d sampling rules beside Default, and no more may be",
                            CUSTOM_MAX);
        return false;
    }
    return true;
}

static void create(struct skep_api__xray *x, struct skep_xray_rule *rule,
                   const struct skep_api__xray_tags *tags)
{
    skep_err err;
    struct skep_state_xray_item item = {.name = rule->name, .body = encode(&x->job->arena, rule)};
    skep_rc rc = skep_state_xray_create(x->job->api->cfg.state, x->job->opts.environment,
                                        SKEP_STATE_XRAY_RULE, &item, &err);
    if (rc == SKEP_ELIMIT) {
        skep_api__xray_fail(x, SKEP_XRAY_RULE_LIMIT, "%s", err.text);
        return;
    }
    if (rc != SKEP_OK) {
        skep_api__xray_fail_state(x, "RuleName", rc, &err);
        return;
    }
    rule->created_ns = item.created_ns;
    rule->modified_ns = item.modified_ns;
    if (skep_api__xray_tag_new(x, SKEP_STATE_XRAY_RULE, rule->name, tags))
        answer_record(x, rule);
}

void skep_api__xray_create_sampling_rule(struct skep_api__xray *x)
{
    struct skep_xray_rule rule = default_rule;
    struct skep_api__xray_tags tags;
    yyjson_val *obj = skep_aws_object(&x->args, x->in, "SamplingRule", true);
    if (obj) {
        size_t mark = skep_aws_enter(&x->args, "SamplingRule");
        rule.name = skep_api__xray_name(x, obj, "RuleName", true);
        read_members(x, obj, true, &rule);
        read_version(x, obj, &rule);
        skep_aws_leave(&x->args, mark);
    }
    skep_api__xray_read_tags(x, false, &tags);
    if (!skep_api__xray_valid(x))
        return;
    if (is_default(rule.name)) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                            "RuleName: \"Default\" exists already; UpdateSamplingRule changes it");
        return;
    }
    if (has_room(x))
        create(x, &rule, &tags);
}

/* What of Default may not be changed is as it was. */
static bool only_changes_default(const struct skep_xray_rule *rule)
{
    struct skep_xray_rule had = default_rule, has = *rule;
    bool same = has.priority == had.priority && skep_str_eq(has.attributes, had.attributes);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(texts); i++)
        same = same && skep_str_eq(*text_at(&has, i), *text_at(&had, i));
    return same;
}

/* The rule as it is; Default may not be kept yet: *ret_kept. */
static skep_rc load(struct skep_api__xray *x, skep_str name, struct skep_xray_rule *ret,
                    bool *ret_kept, skep_err *err)
{
    struct skep_state_xray_item item;
    skep_rc rc = skep_state_xray_get(x->job->api->cfg.state, x->job->opts.environment,
                                     SKEP_STATE_XRAY_RULE, name, &x->job->arena, &item, err);
    *ret_kept = rc == SKEP_OK;
    if (rc == SKEP_ENOTFOUND && is_default(name)) {
        *ret = default_rule;
        return SKEP_OK;
    }
    SKEP_TRY(rc);
    return decode(x->job, &item, ret, err);
}

static skep_rc keep(struct skep_api__xray *x, struct skep_xray_rule *rule, bool kept, skep_err *err)
{
    struct skep_state *state = x->job->api->cfg.state;
    skep_str env = x->job->opts.environment;
    struct skep_state_xray_item item = {
        .name = rule->name, .body = encode(&x->job->arena, rule), .modified_ns = rule->modified_ns};
    skep_rc rc = kept ? skep_state_xray_replace(state, env, SKEP_STATE_XRAY_RULE, &item, err)
                      : skep_state_xray_create(state, env, SKEP_STATE_XRAY_RULE, &item, err);
    rule->modified_ns = item.modified_ns;
    return rc == SKEP_EEXISTS ? SKEP_EAGAIN : rc; /* another was faster to keep Default */
}

static void update(struct skep_api__xray *x, skep_str name, yyjson_val *obj)
{
    struct skep_xray_rule rule;
    skep_err err;
    bool kept = false;
    skep_rc rc = SKEP_EAGAIN;
    for (int i = 0; i < CHANGE_TRIES && rc == SKEP_EAGAIN; i++) {
        rc = load(x, name, &rule, &kept, &err);
        if (rc != SKEP_OK)
            break;
        read_members(x, obj, false, &rule); /* was valid before */
        if (is_default(name) && !only_changes_default(&rule)) {
            skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST,
                                "Of the rule \"Default\" only FixedRate, ReservoirSize and "
                                "SamplingRateBoost can be changed");
            return;
        }
        rc = keep(x, &rule, kept, &err);
    }
    if (rc == SKEP_OK)
        answer_record(x, &rule);
    else
        skep_api__xray_fail_state(x, "Sampling rule", rc, &err);
}

void skep_api__xray_update_sampling_rule(struct skep_api__xray *x)
{
    skep_str name = SKEP_STR_NULL, id;
    struct skep_xray_rule scratch = default_rule; /* whose priority may be 10000 */
    yyjson_val *obj = skep_aws_object(&x->args, x->in, "SamplingRuleUpdate", true);
    if (!obj) {
        bool valid = skep_api__xray_valid(x);
        skep_assert(!valid);
        return;
    }
    size_t mark = skep_aws_enter(&x->args, "SamplingRuleUpdate");
    yyjson_val *given = yyjson_obj_get(obj, "RuleName");
    if (!yyjson_equals_str(given, "Default"))
        scratch.name = SKEP_STR_NULL;
    read_members(x, obj, false, &scratch);
    if (!skep_api__xray_which(x, obj, &by_name_or_arn, &name, &id))
        return;
    skep_aws_leave(&x->args, mark);
    update(x, name, obj);
}

void skep_api__xray_delete_sampling_rule(struct skep_api__xray *x)
{
    skep_str name, id;
    struct skep_xray_rule rule;
    skep_err err;
    bool kept;
    if (!skep_api__xray_which(x, x->in, &by_name_or_arn, &name, &id))
        return;
    if (is_default(name)) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST, "The rule \"Default\" cannot be deleted");
        return;
    }
    skep_rc rc = load(x, name, &rule, &kept, &err);
    if (rc == SKEP_OK)
        rc = skep_state_xray_drop(x->job->api->cfg.state, x->job->opts.environment,
                                  SKEP_STATE_XRAY_RULE, name, &err);
    if (rc == SKEP_OK)
        answer_record(x, &rule);
    else
        skep_api__xray_fail_state(x, "Sampling rule", rc, &err);
}
