// SPDX-License-Identifier: Apache-2.0
/* Rules about how errors are grouped (docs/api/page.md):
 *
 *   GET    /skep/v1/grouping-rules
 *   POST   /skep/v1/grouping-rules        a rule, behind the others
 *   PUT    /skep/v1/grouping-rules/:id    a rule
 *   DELETE /skep/v1/grouping-rules/:id
 *   POST   /skep/v1/grouping-rules/order  {ids}
 *   POST   /skep/v1/items/:id/split       {by}: a rule in front that parts the item's occurrences
 *
 * Ingest takes a change over before it is answered: what comes after is grouped by it.
 * Threads: workers.  Memory: the job's arena. */
#include <yyjson.h>

#include "api/grouping.h"
#include "api/items.h"
#include "api/people.h"
#include "ingest/ingest.h"

enum { BODY_MAX = 32 << 10 };

static void put_rule(struct skep_json *j, const struct skep_grouping_rule *r)
{
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("id"), r->id);
    skep_grouping_put(j, r);
    skep_json_end(j);
}

skep_rc skep_api__grouping_rules(struct skep_api__job *job, struct skep_grouping_rule **ret,
                                 size_t *ret_n, skep_err *err)
{
    struct skep_state_grouping_rule *kept;
    size_t n = 0, good = 0;
    SKEP_TRY(skep_state_grouping_rules(job->api->cfg.state, &job->req->caller.environment,
                                       &job->arena, &kept, &n, err));
    *ret = skep_new_n(&job->arena, struct skep_grouping_rule, n + 1);
    for (size_t i = 0; i < n; i++) {
        skep_str field;
        if (skep_grouping_read(kept[i].body, &job->arena, &(*ret)[good], &field, err) != SKEP_OK)
            continue; /* of another version */
        (*ret)[good++].id = kept[i].id;
    }
    *ret_n = good;
    return SKEP_OK;
}

static void say(struct skep_api__job *job, int status, const struct skep_grouping_rule *r)
{
    skep_api__json_begin(job, status);
    put_rule(&job->out.json, r);
    skep_api__out_end(&job->out);
}

static void list(struct skep_api__job *job)
{
    struct skep_grouping_rule *rules;
    struct skep_json *j = &job->out.json;
    size_t n;
    skep_err err = {.text = ""};
    skep_rc rc = skep_api__grouping_rules(job, &rules, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("rules"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        put_rule(j, &rules[i]);
        skep_api__out_check(&job->out);
    }
    skep_json_end(j);
    skep_json_end(j);
    skep_api__out_end(&job->out);
}

bool skep_api__grouping_read(struct skep_api__job *job, yyjson_val *value,
                             struct skep_grouping_rule *ret)
{
    skep_str field;
    skep_err err = {.text = ""};
    if (skep_grouping_read_value(value, &job->arena, ret, &field, &err) == SKEP_OK)
        return true;
    const struct skep_api__error e = {
        .status = 400, .text = skep_arena_str(&job->arena, skep_str_c(err.text)), .field = field};
    skep_api__job_fail(job, &e);
    return false;
}

/* Keep a rule (id 0: a new one) and let ingest have it. */
static skep_rc keep(struct skep_api__job *job, struct skep_grouping_rule *r, skep_err *err)
{
    struct skep_buf body;
    struct skep_json j;
    skep_buf_init(&body, BODY_MAX);
    skep_json_init(&j, &body);
    skep_json_object(&j);
    skep_grouping_put(&j, r);
    skep_json_end(&j);
    const struct skep_state_grouping_rule kept = {.id = r->id,
                                                  .environment = job->req->caller.environment,
                                                  .body = skep_buf_text(&body),
                                                  .changed_ns = skep_api__now(job->api)};
    skep_rc rc = body.bad ? skep_fail(err, SKEP_ETOOLARGE, "the rule is too large")
                          : skep_state_grouping_rule_put(job->api->cfg.state, &kept, &r->id, err);
    skep_buf_done(&body);
    return rc == SKEP_OK ? skep_ingest_grouping_load(job->api->cfg.ingest, err) : rc;
}

static void put(struct skep_api__job *job, int64_t id, int status)
{
    struct skep_grouping_rule r;
    skep_err err = {.text = ""};
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return;
    bool good = skep_api__grouping_read(job, yyjson_doc_get_root(doc), &r);
    yyjson_doc_free(doc);
    if (!good)
        return;
    r.id = id;
    skep_rc rc = keep(job, &r, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__audit(job, id ? "grouping.change" : "grouping.create", r.name);
    say(job, status, &r);
}

static void create(struct skep_api__job *job)
{
    put(job, 0, 201);
}

static bool id_of(struct skep_api__job *job, int64_t *ret)
{
    skep_err err = {.text = "no such rule"};
    if (skep_str_i64(skep_request_capture(job->req, 0), ret) && *ret > 0)
        return true;
    skep_api__job_fail_rc(job, SKEP_ENOTFOUND, &err);
    return false;
}

static void change(struct skep_api__job *job)
{
    int64_t id;
    if (id_of(job, &id))
        put(job, id, 200);
}

/* The rules were changed: ingest has them, then it is answered. */
static void done(struct skep_api__job *job, skep_rc rc, skep_err *err)
{
    if (rc == SKEP_OK)
        rc = skep_ingest_grouping_load(job->api->cfg.ingest, err);
    skep_api__end_ok(job, rc, err);
}

static void drop(struct skep_api__job *job)
{
    int64_t id;
    skep_err err = {.text = ""};
    if (!id_of(job, &id))
        return;
    skep_rc rc =
        skep_state_grouping_rule_drop(job->api->cfg.state, job->req->caller.environment, id, &err);
    if (rc == SKEP_OK)
        skep_api__audit(job, "grouping.delete", skep_request_capture(job->req, 0));
    done(job, rc, &err);
}

static bool read_ids(struct skep_api__job *job, int64_t *ret, size_t *ret_n)
{
    size_t i, max;
    yyjson_val *v;
    yyjson_doc *doc = skep_api__body_object(job);
    *ret_n = 0;
    if (!doc)
        return false;
    yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "ids");
    bool good = yyjson_is_arr(list) && yyjson_arr_size(list) <= SKEP_STATE_GROUPING_RULES_MAX;
    yyjson_arr_foreach(list, i, max, v)
    {
        good = good && yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX;
        if (good)
            ret[(*ret_n)++] = (int64_t)yyjson_get_uint(v);
    }
    yyjson_doc_free(doc);
    if (!good)
        skep_api__fail_field(job, "ids", "a list of the rules' ids is needed");
    return good;
}

static void order(struct skep_api__job *job)
{
    int64_t ids[SKEP_STATE_GROUPING_RULES_MAX];
    size_t n;
    skep_err err = {.text = ""};
    if (!read_ids(job, ids, &n))
        return;
    skep_rc rc = skep_state_grouping_rules_order(job->api->cfg.state, job->req->caller.environment,
                                                 ids, n, &err);
    done(job, rc, &err);
}

/* --- split --- */

/* "{{ fingerprint }} {{ message.clean }} {{ custom.code }}" of ["message.clean", "custom.code"] */
static bool template_of(struct skep_api__job *job, yyjson_val *list, skep_str *ret_names,
                        skep_str *ret)
{
    enum { BY_MAX = 5 };
    yyjson_val *v;
    size_t i, n;
    *ret_names = SKEP_STR("");
    *ret = SKEP_STR("{{ fingerprint }}");
    bool good = yyjson_is_arr(list) && yyjson_arr_size(list) > 0 && yyjson_arr_size(list) <= BY_MAX;
    yyjson_arr_foreach(list, i, n, v)
    {
        skep_str name = {yyjson_get_str(v), yyjson_get_len(v)};
        good = good && yyjson_is_str(v) && name.n > 0 && name.n <= 128 &&
               skep_str_chr(name, '{') == SIZE_MAX && skep_str_chr(name, '}') == SIZE_MAX;
        if (!good)
            break;
        *ret = skep_arena_printf(&job->arena, SKEP_STRFMT " {{ " SKEP_STRFMT " }}",
                                 SKEP_STRARG(*ret), SKEP_STRARG(name));
        *ret_names = skep_arena_printf(&job->arena, SKEP_STRFMT "%s" SKEP_STRFMT,
                                       SKEP_STRARG(*ret_names), i ? ", " : "", SKEP_STRARG(name));
    }
    if (!good)
        skep_api__fail_field(job, "by", "a list of 1 to 5 names: message.clean, or fields");
    return good;
}

static skep_rc split_by(struct skep_api__job *job, const struct skep_item *i, skep_str names,
                        skep_str template, struct skep_grouping_rule *r, skep_err *err)
{
    struct skep_state *state = job->api->cfg.state;
    const struct skep_caller *who = &job->req->caller;
    skep_str name = skep_arena_printf(&job->arena, "error %lld by " SKEP_STRFMT,
                                      (long long)i->counter, SKEP_STRARG(names));
    name.n = SKEP_MIN(name.n, (size_t)100);
    while (!skep_utf8_valid(name))
        name.n--;
    *r = (struct skep_grouping_rule){.name = name, .n_conditions = 2, .fingerprint = template};
    r->conditions[0] = (struct skep_grouping_condition){
        .field = SKEP_STR("fingerprint"), .op = SKEP_GROUPING_IS, .value = i->fingerprint};
    r->conditions[1] = (struct skep_grouping_condition){
        .field = SKEP_STR("stage"), .op = SKEP_GROUPING_IS, .value = i->stage};
    SKEP_TRY(keep(job, r, err));
    SKEP_TRY(skep_state_grouping_rules_order(state, who->environment, &r->id, 1, err));
    SKEP_TRY(skep_ingest_grouping_load(job->api->cfg.ingest, err));
    skep_api__audit(job, "grouping.split", r->name);
    return skep_state_item_comment(
        state, who->environment, i->id, who->actor,
        skep_arena_printf(&job->arena, "Split by " SKEP_STRFMT ": what comes from now on is parted",
                          SKEP_STRARG(names)),
        skep_api__now(job->api), err);
}

static void split(struct skep_api__job *job)
{
    int64_t id = 0;
    struct skep_item item;
    struct skep_grouping_rule r;
    skep_str names, template;
    skep_err err = {.text = "no such item"};
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return;
    bool good = template_of(job, yyjson_obj_get(yyjson_doc_get_root(doc), "by"), &names, &template);
    yyjson_doc_free(doc);
    if (!good)
        return;
    skep_rc rc = skep_str_i64(skep_request_capture(job->req, 0), &id) ? SKEP_OK : SKEP_ENOTFOUND;
    if (rc == SKEP_OK)
        rc = skep_state_item_get(job->api->cfg.state, job->req->caller.environment, id, 0,
                                 &job->arena, &item, &err);
    if (rc == SKEP_OK)
        rc = split_by(job, &item, names, template, &r, &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    else
        say(job, 201, &r);
}

SKEP_API__HANDLER(handle_list, list)
SKEP_API__HANDLER(handle_create, create)
SKEP_API__HANDLER(handle_change, change)
SKEP_API__HANDLER(handle_drop, drop)
SKEP_API__HANDLER(handle_order, order)
SKEP_API__HANDLER(handle_split, split)

#define ROUTE(method_, path_, handle_, right_)                                                     \
    {                                                                                              \
        .method = (method_), .path = (path_), .handle = (handle_), .refuse = skep_api__refuse,     \
        .body_limit_bytes = BODY_MAX, .right = (right_), .form = SKEP_FORM_PAGE                    \
    }

static const struct skep_route routes[] = {
    ROUTE("GET", "/skep/v1/grouping-rules", handle_list, SKEP_RIGHT_QUERY),
    ROUTE("POST", "/skep/v1/grouping-rules", handle_create, SKEP_RIGHT_ADMIN),
    ROUTE("POST", "/skep/v1/grouping-rules/order", handle_order, SKEP_RIGHT_ADMIN),
    ROUTE("PUT", "/skep/v1/grouping-rules/:id", handle_change, SKEP_RIGHT_ADMIN),
    ROUTE("DELETE", "/skep/v1/grouping-rules/:id", handle_drop, SKEP_RIGHT_ADMIN),
    ROUTE("POST", "/skep/v1/items/:id/split", handle_split, SKEP_RIGHT_ADMIN),
};

const struct skep_api__routes skep_api__page_grouping = {routes, SKEP_ARRAY_LEN(routes)};
