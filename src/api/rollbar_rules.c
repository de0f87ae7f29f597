// SPDX-License-Identifier: Apache-2.0
/* Rollbar's calls for notification rules (docs/api/rollbar.md), on the rules of the inbox:
 *
 *   GET    /api/1/notifications/:channel/rules      of webhook, slack, email
 *   POST   /api/1/notifications/:channel/rules      one, or a list of them: all or none
 *   PUT    /api/1/notifications/:channel/rules      the same instead of those there are
 *   GET    /api/1/notifications/:channel/rule/:id
 *   DELETE /api/1/notifications/:channel/rule/:id
 *
 *   trigger            new_item  reactivated_item  exp_repeat_item  item_velocity occurrence_rate
 *   filters            level gte, environment eq, rate (period, count)
 *   config             url of a webhook; place: id or name of any; else the only one of the
 * channel; payload of a webhook: "rollbar" (without one), or "skep"
 *
 * A rule names a place that there is (POST /skep/v1/notify/places).  What a rule here cannot say is
 * refused by its name.
 *
 * Threads: workers.  Memory: the job's arena. */
#include "api/item_forms.h"
#include "api/keys.h"
#include "api/rollbar_priv.h"

#include "base/assert.h"
#include "state/item_rules.h"
#include "state/notify.h"

enum { RULES_MAX = SKEP_ITEM_RULES_MAX, BODY_MAX = 1 << 18 };

static const struct channel {
    const char *name, *action;
    enum skep_state_place_kind kind;
} channels[] = {{"webhook", "send_webhook", SKEP_STATE_PLACE_WEBHOOK},
                {"slack", "send_message", SKEP_STATE_PLACE_SLACK},
                {"email", "send_email", SKEP_STATE_PLACE_MAIL}};

static const struct {
    const char *name;
    enum skep_item_trigger trigger;
} triggers[] = {{"new_item", SKEP_TRIGGER_NEW},
                {"reactivated_item", SKEP_TRIGGER_REACTIVATED},
                {"exp_repeat_item", SKEP_TRIGGER_REPEAT},
                {"item_velocity", SKEP_TRIGGER_RATE},
                {"occurrence_rate", SKEP_TRIGGER_RATE}};

const char *skep_api__rb_trigger_name(enum skep_item_trigger trigger)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(triggers); i++) {
        if (triggers[i].trigger == trigger)
            return triggers[i].name;
    }
    return "unknown";
}

struct rules {
    const struct channel *channel;
    struct skep_state_place *places;
    struct skep_item_rule *rules;
    size_t n_places, n_rules;
};

static const struct channel *channel_of(struct skep_api__job *job)
{
    skep_str name = skep_request_capture(job->req, 0);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(channels); i++) {
        if (skep_str_eq(name, skep_str_c(channels[i].name)))
            return &channels[i];
    }
    (void)skep_api__rb_invalid(
        job, SKEP_STR("notifications go to webhook, slack and email here; others by a webhook"));
    return NULL;
}

static const struct skep_state_place *place_of(const struct rules *x, skep_str id)
{
    for (size_t i = 0; i < x->n_places; i++) {
        if (skep_str_eq(x->places[i].id, id))
            return &x->places[i];
    }
    return NULL;
}

static bool of_channel(const struct rules *x, const struct skep_item_rule *r)
{
    const struct skep_state_place *p = place_of(x, r->place);
    return p && p->kind == x->channel->kind;
}

/* The channel, its environment's places and rules; false: refused. */
static bool load(struct skep_api__job *job, struct rules *x)
{
    skep_err err = {.text = ""};
    skep_str env = job->opts.environment;
    *x = (struct rules){.channel = channel_of(job)};
    if (!x->channel)
        return false;
    skep_rc rc =
        skep_state_places(job->api->cfg.state, &env, &job->arena, &x->places, &x->n_places, &err);
    if (rc == SKEP_OK)
        rc = skep_state_item_rules(job->api->cfg.state, &env, &job->arena, &x->rules, &x->n_rules,
                                   &err);
    if (rc != SKEP_OK)
        skep_api__rb_fail_rc(job, rc, &err);
    return rc == SKEP_OK;
}

// --- writing -----------------------------------------------------------------------------------

static void put_filter(struct skep_json *j, const char *type, const char *operation, skep_str value)
{
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("type"), skep_str_c(type));
    skep_json_put_str(j, SKEP_STR("operation"), skep_str_c(operation));
    skep_json_put_str(j, SKEP_STR("value"), value);
    skep_json_end(j);
}

static void put_filters(struct skep_json *j, const struct skep_item_rule *r)
{
    skep_json_key(j, SKEP_STR("filters"));
    skep_json_array(j);
    if (r->level_min)
        put_filter(j, "level", "gte", skep_api__item_level_name(r->level_min));
    if (r->stage.n)
        put_filter(j, "environment", "eq", r->stage);
    if (r->trigger == SKEP_TRIGGER_RATE) {
        skep_json_object(j);
        skep_json_put_str(j, SKEP_STR("type"), SKEP_STR("rate"));
        skep_json_put_i64(j, SKEP_STR("period"), r->window_s);
        skep_json_put_u64(j, SKEP_STR("count"), r->count);
        skep_json_end(j);
    }
    skep_json_end(j);
}

static void put_rule(struct skep_json *j, const struct rules *x, const struct skep_item_rule *r)
{
    const struct skep_state_place *p = place_of(x, r->place);
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("id"), r->id);
    skep_json_put_str(j, SKEP_STR("action"), skep_str_c(x->channel->action));
    skep_json_put_str(j, SKEP_STR("trigger"), skep_str_c(skep_api__rb_trigger_name(r->trigger)));
    skep_json_put_str(j, SKEP_STR("status"),
                      p && p->disabled ? SKEP_STR("disabled") : SKEP_STR("enabled"));
    put_filters(j, r);
    skep_json_key(j, SKEP_STR("config"));
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("place"), r->place);
    if (p)
        skep_json_put_str(j, SKEP_STR("name"), p->name);
    if (x->channel->kind == SKEP_STATE_PLACE_WEBHOOK)
        skep_json_put_str(j, SKEP_STR("payload"), r->payload.n ? r->payload : SKEP_STR("skep"));
    skep_json_end(j);
    skep_json_end(j);
}

/* `n` rules as the answer. */
static void answer(struct skep_api__job *job, const struct rules *x,
                   const struct skep_item_rule *rules, size_t n)
{
    skep_api__rb_begin(job, 200);
    skep_json_array(&job->out.json);
    for (size_t i = 0; i < n; i++) {
        if (of_channel(x, &rules[i]))
            put_rule(&job->out.json, x, &rules[i]);
    }
    skep_json_end(&job->out.json);
    skep_api__rb_end(job);
}

static void list(struct skep_api__job *job)
{
    struct rules x;
    if (load(job, &x))
        answer(job, &x, x.rules, x.n_rules);
}

/* The rule that the address names; NULL: refused. */
static const struct skep_item_rule *named(struct skep_api__job *job, const struct rules *x)
{
    int64_t id = 0;
    if (skep_str_i64(skep_request_capture(job->req, 1), &id)) {
        for (size_t i = 0; i < x->n_rules; i++) {
            if (x->rules[i].id == id && of_channel(x, &x->rules[i]))
                return &x->rules[i];
        }
    }
    skep_api__rb_fail(job, 404, SKEP_ENOTFOUND, SKEP_STR("no such rule"));
    return NULL;
}

static void one(struct skep_api__job *job)
{
    struct rules x;
    const struct skep_item_rule *r = load(job, &x) ? named(job, &x) : NULL;
    if (!r)
        return;
    skep_api__rb_begin(job, 200);
    put_rule(&job->out.json, &x, r);
    skep_api__rb_end(job);
}

// --- reading -----------------------------------------------------------------------------------

static skep_str text(struct skep_api__job *job, yyjson_val *obj, const char *name)
{
    yyjson_val *v = yyjson_obj_get(obj, name);
    return yyjson_is_str(v) ? skep_arena_str(&job->arena, (skep_str){unsafe_yyjson_get_str(v),
                                                                     unsafe_yyjson_get_len(v)})
                            : SKEP_STR_NULL;
}

static bool wrong(struct skep_api__job *job, size_t at, const char *what, skep_str value)
{
    return skep_api__rb_invalid(job, skep_arena_printf(&job->arena, "rules[%zu]: %s " SKEP_STRFMT,
                                                       at, what, SKEP_STRARG(value)));
}

static bool read_trigger(struct skep_api__job *job, yyjson_val *v, size_t at,
                         struct skep_item_rule *r)
{
    skep_str name = text(job, v, "trigger");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(triggers); i++) {
        if (!skep_str_eq(name, skep_str_c(triggers[i].name)))
            continue;
        r->trigger = triggers[i].trigger;
        return true;
    }
    return wrong(job, at, "not supported here: trigger", name);
}

static bool read_filter(struct skep_api__job *job, yyjson_val *f, size_t at,
                        struct skep_item_rule *r)
{
    skep_str type = text(job, f, "type"), operation = text(job, f, "operation");
    skep_str value = text(job, f, "value");
    if (skep_str_eq(type, SKEP_STR("level")) && skep_str_eq(operation, SKEP_STR("gte")))
        return skep_api__rb_level_parse(value, &r->level_min) || wrong(job, at, "no level:", value);
    if (skep_str_eq(type, SKEP_STR("environment")) && skep_str_eq(operation, SKEP_STR("eq"))) {
        r->stage = value;
        return value.n > 0 || wrong(job, at, "no environment:", value);
    }
    if (skep_str_eq(type, SKEP_STR("rate")) && r->trigger == SKEP_TRIGGER_RATE) {
        r->window_s = yyjson_get_sint(yyjson_obj_get(f, "period"));
        r->count = yyjson_get_uint(yyjson_obj_get(f, "count"));
        return true;
    }
    return wrong(job, at, "not supported here: filter",
                 skep_arena_printf(&job->arena, SKEP_STRFMT " " SKEP_STRFMT, SKEP_STRARG(type),
                                   SKEP_STRARG(operation)));
}

/* The place that config names, else the only one of the channel. */
static bool read_place(struct skep_api__job *job, const struct rules *x, yyjson_val *v, size_t at,
                       struct skep_item_rule *r)
{
    yyjson_val *config = yyjson_obj_get(v, "config");
    skep_str place = text(job, config, "place"), url = text(job, config, "url");
    const struct skep_state_place *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < x->n_places; i++) {
        const struct skep_state_place *p = &x->places[i];
        bool fits = p->kind == x->channel->kind &&
                    (place.n == 0 || skep_str_eq(p->id, place) || skep_str_eq(p->name, place)) &&
                    (url.n == 0 || skep_str_eq(p->target, url));
        n += fits;
        found = fits ? p : found;
    }
    if (n != 1)
        return wrong(job, at,
                     n ? "several places fit; config.place names one"
                       : "there is no such place; make it: POST /skep/v1/notify/places",
                     SKEP_STR(""));
    r->place = found->id;
    return true;
}

/* What a webhook is sent: Rollbar's payload, unless the rule says otherwise. */
static bool read_payload(struct skep_api__job *job, const struct rules *x, yyjson_val *v, size_t at,
                         struct skep_item_rule *r)
{
    yyjson_val *config = yyjson_obj_get(v, "config");
    skep_str payload = text(job, config, "payload"), format = text(job, config, "format");
    if (format.n && !skep_str_eq(format, SKEP_STR("json")))
        return wrong(job, at, "a webhook is sent JSON here, not", format);
    if (x->channel->kind != SKEP_STATE_PLACE_WEBHOOK)
        return payload.n == 0 || wrong(job, at, "only a webhook has a payload, not", payload);
    if (skep_api__item_form_parse(payload.n ? payload : SKEP_STR("rollbar"), &r->payload))
        return true;
    return wrong(job, at, "payload is rollbar or skep, not", payload);
}

static bool read_rule(struct skep_api__job *job, const struct rules *x, yyjson_val *v, size_t at,
                      struct skep_item_rule *r)
{
    yyjson_val *filters = yyjson_obj_get(v, "filters"), *f;
    size_t i, max;
    *r = (struct skep_item_rule){.environment = job->opts.environment,
                                 .created_ns = skep_api__now(job->api)};
    if (!yyjson_is_obj(v))
        return wrong(job, at, "an object is needed", SKEP_STR(""));
    if (!read_trigger(job, v, at, r))
        return false;
    yyjson_arr_foreach(filters, i, max, f)
    {
        if (!read_filter(job, f, at, r))
            return false;
    }
    if (r->trigger == SKEP_TRIGGER_RATE &&
        (r->count < 1 || r->count > 1000000000 || r->window_s < 1 || r->window_s > 86400))
        return wrong(job, at,
                     "a filter of type rate with count and period (1 to 86400 s) is needed",
                     SKEP_STR(""));
    return read_payload(job, x, v, at, r) && read_place(job, x, v, at, r);
}

/* All rules of the body, in the arena; false: refused. */
static bool read_rules(struct skep_api__job *job, const struct rules *x,
                       struct skep_item_rule **ret, size_t *ret_n)
{
    skep_bytes body = job->req->body;
    yyjson_doc *doc = yyjson_read((const char *)body.p, body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *v;
    struct skep_item_rule *list = skep_new_n(&job->arena, struct skep_item_rule, RULES_MAX);
    size_t i, max, n = 0;
    bool ok = yyjson_is_obj(root) || yyjson_is_arr(root);
    if (!ok)
        skep_api__rb_fail(job, 400, SKEP_EMALFORMED,
                          SKEP_STR("Could not parse JSON: the body must be a rule or a list of "
                                   "them"));
    if (yyjson_is_obj(root))
        ok = read_rule(job, x, root, 0, &list[n++]);
    yyjson_arr_foreach(root, i, max, v)
    {
        if (n == RULES_MAX)
            ok = wrong(job, i, "too many rules", SKEP_STR(""));
        if (!ok || !(ok = read_rule(job, x, v, i, &list[n])))
            break;
        n++;
    }
    yyjson_doc_free(doc);
    *ret = list;
    *ret_n = n;
    return ok;
}

/* The rules of the body are added, or instead of those of the channel: all or none. */
static void keep(struct skep_api__job *job, bool instead)
{
    struct rules x;
    struct skep_item_rule *made;
    size_t n, n_drop = 0;
    skep_err err = {.text = ""};
    if (!load(job, &x) || !read_rules(job, &x, &made, &n))
        return;
    int64_t *drop = skep_new_n(&job->arena, int64_t, x.n_rules + 1);
    for (size_t i = 0; instead && i < x.n_rules; i++) {
        if (of_channel(&x, &x.rules[i]))
            drop[n_drop++] = x.rules[i].id;
    }
    skep_rc rc = skep_state_item_rules_swap(job->api->cfg.state, job->opts.environment, drop,
                                            n_drop, made, n, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__audit(job, instead ? "item-rule.replace" : "item-rule.create",
                    skep_arena_printf(&job->arena, "%s: %zu", x.channel->name, n));
    answer(job, &x, made, n);
}

static void create(struct skep_api__job *job)
{
    keep(job, false);
}

static void replace(struct skep_api__job *job)
{
    keep(job, true);
}

static void drop(struct skep_api__job *job)
{
    struct rules x;
    skep_err err = {.text = ""};
    const struct skep_item_rule *r = load(job, &x) ? named(job, &x) : NULL;
    if (!r)
        return;
    skep_rc rc = skep_state_item_rule_drop(job->api->cfg.state, job->opts.environment, r->id, &err);
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__audit(job, "item-rule.delete", skep_request_capture(job->req, 1));
    skep_api__rb_begin(job, 200);
    skep_json_null(&job->out.json);
    skep_api__rb_end(job);
}

static void no_change(struct skep_api__job *job)
{
    (void)skep_api__rb_invalid(job, SKEP_STR("a rule is not changed here: delete it and make "
                                             "another, or PUT all rules"));
}

static void no_settings(struct skep_api__job *job)
{
    (void)skep_api__rb_invalid(job, SKEP_STR("where notifications go is a place here: POST "
                                             "/skep/v1/notify/places"));
}

#define ADMIN_READ(where, job)                                                                     \
    {                                                                                              \
        SKEP_API__RB_ROUTE("GET", where, job, skep_api__rb_refuse_write, SKEP_RIGHT_ADMIN)         \
    }

static const struct skep_route routes[] = {
    ADMIN_READ("/api/1/notifications/:channel/rules", list),
    SKEP_API__RB_WRITE("POST", "/api/1/notifications/:channel/rules", create, BODY_MAX),
    SKEP_API__RB_WRITE("PUT", "/api/1/notifications/:channel/rules", replace, BODY_MAX),
    ADMIN_READ("/api/1/notifications/:channel/rule/:id", one),
    SKEP_API__RB_WRITE("PUT", "/api/1/notifications/:channel/rule/:id", no_change, BODY_MAX),
    SKEP_API__RB_WRITE("DELETE", "/api/1/notifications/:channel/rule/:id", drop, BODY_MAX),
    SKEP_API__RB_WRITE("PUT", "/api/1/notifications/:channel", no_settings, BODY_MAX),
};

const struct skep_api__routes skep_api__rollbar_rules = {routes, SKEP_ARRAY_LEN(routes)};
