// SPDX-License-Identifier: Apache-2.0
/* Rules about grouping (grouping.h): from JSON and back.
 * Threads: any.  Memory: the arena. */
#include <yyjson.h>

#include "base/assert.h"
#include "ingest/grouping.h"
#include "wire/json_out.h"

static const skep_str ops[SKEP_GROUPING_OPS] = {
    [SKEP_GROUPING_IS] = SKEP_STR_INIT("is"),
    [SKEP_GROUPING_IS_NOT] = SKEP_STR_INIT("is-not"),
    [SKEP_GROUPING_CONTAINS] = SKEP_STR_INIT("contains"),
    [SKEP_GROUPING_CONTAINS_NOT] = SKEP_STR_INIT("does-not-contain"),
    [SKEP_GROUPING_BEGINS] = SKEP_STR_INIT("begins-with"),
    [SKEP_GROUPING_ENDS] = SKEP_STR_INIT("ends-with"),
    [SKEP_GROUPING_MATCHES] = SKEP_STR_INIT("matches"),
};

/* Where a rule is being read. */
struct reading {
    struct skep_arena *arena;
    skep_str *field; /* at fault */
    skep_err *err;
};

static skep_rc refuse(struct reading *r, skep_str at, const char *why)
{
    *r->field = at;
    return skep_fail(r->err, SKEP_EINVAL, "%s", why);
}

/* A text member; absent: empty. */
static skep_rc text(struct reading *r, yyjson_val *obj, const char *name, skep_str *ret)
{
    yyjson_val *v = yyjson_obj_get(obj, name);
    *ret = SKEP_STR_NULL;
    if (!v)
        return SKEP_OK;
    if (!yyjson_is_str(v) || yyjson_get_len(v) > SKEP_GROUPING_TEXT_MAX)
        return refuse(r, skep_str_c(name), "a text of at most 1000 bytes is needed here");
    *ret =
        skep_arena_str(r->arena, skep_str_trim((skep_str){yyjson_get_str(v), yyjson_get_len(v)}));
    return SKEP_OK;
}

static skep_rc condition(struct reading *r, yyjson_val *v, struct skep_grouping_condition *ret)
{
    skep_str op = SKEP_STR_NULL;
    struct skep_regex_issue issue;
    if (!yyjson_is_obj(v))
        return refuse(r, SKEP_STR("conditions"), "a condition is {field, op, value}");
    SKEP_TRY(text(r, v, "field", &ret->field));
    SKEP_TRY(text(r, v, "op", &op));
    SKEP_TRY(text(r, v, "value", &ret->value));
    if (ret->field.n == 0)
        return refuse(r, SKEP_STR("field"),
                      "which field: class, message, culprit, frame, "
                      "fingerprint, stage, or a field's name");
    for (ret->op = SKEP_GROUPING_IS; ret->op < SKEP_GROUPING_OPS; ret->op++) {
        if (skep_str_eq(ops[ret->op], op))
            break;
    }
    if (ret->op == SKEP_GROUPING_OPS)
        return refuse(r, SKEP_STR("op"),
                      "one of is, is-not, contains, does-not-contain, "
                      "begins-with, ends-with, matches");
    if (ret->op != SKEP_GROUPING_MATCHES)
        return SKEP_OK;
    if (skep_regex_compile(ret->value, false, r->arena, &ret->regex, &issue) != SKEP_OK)
        return refuse(r, SKEP_STR("value"), issue.text);
    return SKEP_OK;
}

static skep_rc conditions(struct reading *r, yyjson_val *list, struct skep_grouping_rule *ret)
{
    yyjson_val *v;
    size_t i, n;
    bool frames = false;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) == 0 ||
        yyjson_arr_size(list) > SKEP_GROUPING_CONDITIONS_MAX)
        return refuse(r, SKEP_STR("conditions"), "a list of 1 to 10 conditions is needed");
    yyjson_arr_foreach(list, i, n, v)
    {
        SKEP_TRY(condition(r, v, &ret->conditions[ret->n_conditions]));
        frames |= skep_str_eq(ret->conditions[ret->n_conditions++].field, SKEP_STR("frame"));
    }
    if (ret->ignore_frames && !frames)
        return refuse(r, SKEP_STR("conditions"), "which frames: a condition of frame is needed");
    return SKEP_OK;
}

static skep_rc read_rule(struct reading *r, yyjson_val *v, struct skep_grouping_rule *ret)
{
    yyjson_val *ignore = yyjson_obj_get(v, "ignore_frames");
    *ret = (struct skep_grouping_rule){.ignore_frames = yyjson_is_true(ignore)};
    if (!yyjson_is_obj(v))
        return refuse(r, SKEP_STR("name"), "a rule is an object");
    if (ignore && !yyjson_is_bool(ignore))
        return refuse(r, SKEP_STR("ignore_frames"), "true or false");
    SKEP_TRY(text(r, v, "name", &ret->name));
    SKEP_TRY(text(r, v, "fingerprint", &ret->fingerprint));
    SKEP_TRY(text(r, v, "title", &ret->title));
    if (ret->name.n == 0 || ret->name.n > 100)
        return refuse(r, SKEP_STR("name"),
                      "a name of 1 to 100 bytes: the page says it as the "
                      "reason");
    if (!ret->ignore_frames && ret->fingerprint.n == 0 && ret->title.n == 0)
        return refuse(r, SKEP_STR("fingerprint"),
                      "a fingerprint, a title or both; or frames to "
                      "leave out");
    if (ret->ignore_frames && (ret->fingerprint.n > 0 || ret->title.n > 0))
        return refuse(r, SKEP_STR("ignore_frames"), "a rule leaves frames out or groups, not both");
    return conditions(r, yyjson_obj_get(v, "conditions"), ret);
}

skep_rc skep_grouping_read_value(yyjson_val *value, struct skep_arena *arena,
                                 struct skep_grouping_rule *ret, skep_str *ret_field, skep_err *err)
{
    struct reading r = {.arena = arena, .field = ret_field, .err = err};
    *ret_field = SKEP_STR_NULL;
    return read_rule(&r, value, ret);
}

skep_rc skep_grouping_read(skep_str json, struct skep_arena *arena, struct skep_grouping_rule *ret,
                           skep_str *ret_field, skep_err *err)
{
    yyjson_doc *doc = yyjson_read(json.p, json.n, 0);
    skep_rc rc = skep_grouping_read_value(yyjson_doc_get_root(doc), arena, ret, ret_field, err);
    yyjson_doc_free(doc);
    return rc;
}

void skep_grouping_put(struct skep_json *j, const struct skep_grouping_rule *r)
{
    skep_json_put_str(j, SKEP_STR("name"), r->name);
    skep_json_key(j, SKEP_STR("conditions"));
    skep_json_array(j);
    for (unsigned i = 0; i < r->n_conditions; i++) {
        skep_assert(r->conditions[i].op < SKEP_GROUPING_OPS);
        skep_json_object(j);
        skep_json_put_str(j, SKEP_STR("field"), r->conditions[i].field);
        skep_json_put_str(j, SKEP_STR("op"), ops[r->conditions[i].op]);
        skep_json_put_str(j, SKEP_STR("value"), r->conditions[i].value);
        skep_json_end(j);
    }
    skep_json_end(j);
    if (r->fingerprint.n)
        skep_json_put_str(j, SKEP_STR("fingerprint"), r->fingerprint);
    if (r->title.n)
        skep_json_put_str(j, SKEP_STR("title"), r->title);
    if (r->ignore_frames)
        skep_json_put_bool(j, SKEP_STR("ignore_frames"), true);
}
