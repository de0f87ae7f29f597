// SPDX-License-Identifier: Apache-2.0
/* Who is told what about items (docs/api/page.md):
 *
 *   GET    /skep/v1/item-rules
 *   POST   /skep/v1/item-rules       {place, trigger, level?, stage?, count?, window_s?,
 *                                     payload?}
 *   DELETE /skep/v1/item-rules/:id
 *
 * Threads: workers.  Memory: the job's arena. */
#include <inttypes.h>
#include <yyjson.h>

#include "api/item_forms.h"
#include "api/items.h"
#include "api/people.h"
#include "state/item_rules.h"
#include "state/notify.h"

static void put_rule(struct skep_json *j, const struct skep_item_rule *r)
{
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("id"), r->id);
    skep_json_put_str(j, SKEP_STR("place"), r->place);
    skep_json_put_str(j, SKEP_STR("trigger"), skep_item_trigger_name(r->trigger));
    if (r->level_min)
        skep_json_put_str(j, SKEP_STR("level"), skep_api__item_level_name(r->level_min));
    if (r->stage.n)
        skep_json_put_str(j, SKEP_STR("stage"), r->stage);
    if (r->trigger == SKEP_TRIGGER_RATE) {
        skep_json_put_u64(j, SKEP_STR("count"), r->count);
        skep_json_put_i64(j, SKEP_STR("window_s"), r->window_s);
    }
    if (r->payload.n)
        skep_json_put_str(j, SKEP_STR("payload"), r->payload);
    skep_json_put_i64_str(j, SKEP_STR("created_ns"), r->created_ns);
    skep_json_end(j);
}

static void list(struct skep_api__job *job)
{
    struct skep_item_rule *rules;
    struct skep_json *j = &job->out.json;
    size_t n;
    skep_err err = {.text = ""};
    skep_rc rc = skep_state_item_rules(job->api->cfg.state, &job->req->caller.environment,
                                       &job->arena, &rules, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("rules"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++)
        put_rule(j, &rules[i]);
    skep_json_end(j);
    skep_json_end(j);
    skep_api__out_end(&job->out);
}

static bool refuse(struct skep_api__job *job, const char *field, const char *text)
{
    skep_api__fail_field(job, field, text);
    return false;
}

static skep_str text_of(struct skep_api__job *job, yyjson_val *root, const char *name)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    return yyjson_is_str(v)
               ? skep_arena_str(&job->arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)})
               : SKEP_STR_NULL;
}

static bool read_rate(struct skep_api__job *job, yyjson_val *root, struct skep_item_rule *r)
{
    yyjson_val *count = yyjson_obj_get(root, "count"), *window = yyjson_obj_get(root, "window_s");
    if (r->trigger != SKEP_TRIGGER_RATE)
        return true;
    if (!count || !yyjson_is_uint(count) || yyjson_get_uint(count) < 1 ||
        yyjson_get_uint(count) > 1000000000)
        return refuse(job, "count", "how often, at least 1");
    if (!window || !yyjson_is_uint(window) || yyjson_get_uint(window) < 1 ||
        yyjson_get_uint(window) > 86400)
        return refuse(job, "window_s", "within how many seconds, 1 to 86400");
    r->count = yyjson_get_uint(count);
    r->window_s = (int64_t)yyjson_get_uint(window);
    return true;
}

/* The rule's place is one, and takes the rule's payload. */
static bool check_place(struct skep_api__job *job, const struct skep_item_rule *r)
{
    struct skep_state_place *places;
    size_t n = 0;
    skep_err err;
    skep_rc rc = skep_state_places(job->api->cfg.state, &job->req->caller.environment, &job->arena,
                                   &places, &n, &err);
    for (size_t i = 0; rc == SKEP_OK && i < n; i++) {
        if (skep_str_eq(places[i].id, r->place))
            return r->payload.n == 0 || places[i].kind == SKEP_STATE_PLACE_WEBHOOK ||
                   refuse(job, "payload", "only a webhook can be sent another payload");
    }
    return refuse(job, "place", "there is no such place to tell it (/skep/v1/notify/places)");
}

static bool read_rule(struct skep_api__job *job, yyjson_val *root, struct skep_item_rule *r)
{
    skep_str level = text_of(job, root, "level");
    *r = (struct skep_item_rule){.environment = job->req->caller.environment,
                                 .place = text_of(job, root, "place"),
                                 .stage = text_of(job, root, "stage"),
                                 .created_ns = skep_api__now(job->api)};
    if (!skep_item_trigger_parse(text_of(job, root, "trigger"), &r->trigger))
        return refuse(job, "trigger", "one of new, reactivated, repeat, rate");
    if (level.n && !skep_api__item_level_parse(level, &r->level_min))
        return refuse(job, "level", "one of debug, info, warning, error, critical");
    if (!skep_api__item_form_parse(text_of(job, root, "payload"), &r->payload))
        return refuse(job, "payload", "skep or rollbar");
    return read_rate(job, root, r) && check_place(job, r);
}

static void create(struct skep_api__job *job)
{
    struct skep_item_rule r;
    skep_err err = {.text = ""};
    yyjson_doc *doc = skep_api__body_object(job);
    if (!doc)
        return;
    bool ok = read_rule(job, yyjson_doc_get_root(doc), &r);
    yyjson_doc_free(doc);
    if (!ok)
        return;
    skep_rc rc = skep_state_item_rule_put(job->api->cfg.state, &r, &r.id, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__audit(job, "item-rule.create", skep_arena_printf(&job->arena, "%" PRId64, r.id));
    skep_api__json_begin(job, 201);
    put_rule(&job->out.json, &r);
    skep_api__out_end(&job->out);
}

static void drop(struct skep_api__job *job)
{
    int64_t id = 0;
    skep_err err = {.text = "no such rule"};
    skep_rc rc = skep_str_i64(skep_request_capture(job->req, 0), &id) ? SKEP_OK : SKEP_ENOTFOUND;
    if (rc == SKEP_OK)
        rc = skep_state_item_rule_drop(job->api->cfg.state, job->req->caller.environment, id, &err);
    if (rc == SKEP_OK)
        skep_api__audit(job, "item-rule.delete", skep_request_capture(job->req, 0));
    skep_api__end_ok(job, rc, &err);
}

SKEP_API__HANDLER(handle_list, list)
SKEP_API__HANDLER(handle_create, create)
SKEP_API__HANDLER(handle_drop, drop)

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/item-rules",
     .handle = handle_list,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
    {.method = "POST",
     .path = "/skep/v1/item-rules",
     .handle = handle_create,
     .refuse = skep_api__refuse,
     .body_limit_bytes = 1 << 16,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
    {.method = "DELETE",
     .path = "/skep/v1/item-rules/:id",
     .handle = handle_drop,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_ADMIN,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_item_rules = {routes, SKEP_ARRAY_LEN(routes)};
