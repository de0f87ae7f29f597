// SPDX-License-Identifier: Apache-2.0
/* Recipients (/1/recipients): a mailbox, a webhook, a channel of Slack or Teams, PagerDuty.
 *
 *   recipient -> place of notify, "rcp_" and its id: messages wait there, in order, and survive
 *   email                       -> mail
 *   webhook, msteams, msteams_workflow -> webhook
 *   slack with webhook_url (or an address as its channel) -> slack; a channel alone is kept: there
 *                                  is no Slack application here that could post to it
 *   pagerduty                   -> webhook to its Events API
 *
 * Only administrators make them: they are addresses that the server sends requests to, and secrets.
 * They belong to an environment, as everything does (Honeycomb's belong to the team).
 * Threads: workers.  Memory: the request's arena. */
#include "api/honeycomb_recipients.h"

#include "api/keys.h"
#include "base/assert.h"
#include "base/log.h"
#include "notify/notify.h"
#include "state/notify.h"
#include "wire/fill.h"

enum { TYPE_MAX = 200 }; /* as messages may have (notify.h) */

static const skep_str pagerduty = SKEP_STR_INIT("https://events.pagerduty.com/v2/enqueue");

static const struct kind {
    const char *type;
    const char *target;   /* the member that triggers call it by */
    const char *needs[2]; /* members beside it */
    const char *place;    /* kind of the place; NULL = none */
    const char *address;  /* the member with it */
} kinds[] = {
    {"email", "email_address", {NULL}, "mail", "email_address"},
    {"pagerduty", "pagerduty_integration_name", {"pagerduty_integration_key"}, "webhook", NULL},
    {"slack", "slack_channel", {NULL}, "slack", "webhook_url"},
    {"webhook", "webhook_name", {"webhook_url"}, "webhook", "webhook_url"},
    {"msteams", "webhook_name", {"webhook_url"}, "webhook", "webhook_url"},
    {"msteams_workflow", "webhook_name", {"webhook_url"}, "webhook", "webhook_url"},
};

static const struct kind *kind_of(skep_str type)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(kinds); i++)
        if (skep_str_eq(type, skep_str_c(kinds[i].type)))
            return &kinds[i];
    return NULL;
}

skep_str skep_api__recipient_place(struct skep_arena *arena, skep_str id)
{
    return skep_arena_printf(arena, "rcp_" SKEP_STRFMT, SKEP_STRARG(id));
}

/* Where it delivers; empty = nowhere. */
static skep_str address_of(struct skep_api__hny_call *c, const struct kind *k,
                           yyjson_mut_val *details)
{
    const char *events = c->job->api->cfg.pagerduty;
    if (!k->address)
        return events ? skep_str_c(events) : pagerduty;
    skep_str to = skep_api__hny_mut_text(details, k->address);
    skep_str channel = skep_api__hny_mut_text(details, "slack_channel");
    return to.n == 0 && skep_str_starts(channel, SKEP_STR("http")) ? channel : to;
}

/* --- checks --------------------------------------------------------------------------------------
 */

static bool refuse(struct skep_api__hny_call *c, const char *member, enum skep_lang_code code,
                   const char *what)
{
    const char *at = skep_arena_printf(&c->job->arena, "details.%s", member).p;
    return skep_api__hny_bad(c, at, code, skep_arena_printf(&c->job->arena, "%s: %s", at, what).p);
}

static bool check_template(struct skep_api__hny_call *c, yyjson_mut_val *templates,
                           const char *name)
{
    skep_err err;
    yyjson_mut_val *t = yyjson_mut_obj_get(templates, name);
    if (!t || skep_fill(skep_api__hny_mut_text(t, "body"), NULL, NULL, &err) == SKEP_OK)
        return true;
    return refuse(
        c, skep_arena_printf(&c->job->arena, "webhook_payloads.payload_templates.%s.body", name).p,
        SKEP_LANG_INVALID, err.text);
}

static bool check_templates(struct skep_api__hny_call *c, yyjson_mut_val *details)
{
    yyjson_mut_val *payloads = yyjson_mut_obj_get(details, "webhook_payloads");
    yyjson_mut_val *t = yyjson_mut_obj_get(payloads, "payload_templates");
    return check_template(c, t, "trigger") && check_template(c, t, "exhaustion_time") &&
           check_template(c, t, "budget_rate");
}

/* Lines of a request: nothing in them may end one. */
static bool is_line(skep_str s, bool name)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < (name ? '!' : ' ') || s.p[i] > '~' || (name && s.p[i] == ':'))
            return false;
    return true;
}

static bool check_headers(struct skep_api__hny_call *c, yyjson_mut_val *details)
{
    size_t i, n;
    yyjson_mut_val *h;
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(details, "webhook_headers"), i, n, h)
    {
        skep_str name = skep_api__hny_mut_text(h, "header");
        skep_str value = skep_api__hny_mut_text(h, "value");
        if (!is_line(name, true) || !is_line(value, false))
            return refuse(c, "webhook_headers", SKEP_LANG_INVALID,
                          "a header is one line of printable ASCII");
        if (skep_str_ieq(name, SKEP_STR("content-type")) && (value.n == 0 || value.n > TYPE_MAX))
            return refuse(c, "webhook_headers", SKEP_LANG_INVALID,
                          "a Content-Type has 1 to 200 characters");
    }
    return is_line(skep_api__hny_mut_text(details, "webhook_secret"), false) ||
           refuse(c, "webhook_secret", SKEP_LANG_INVALID, "one line of printable ASCII");
}

static bool check(struct skep_api__hny_call *c)
{
    enum skep_state_place_kind place;
    skep_err err;
    yyjson_mut_val *details = yyjson_mut_obj_get(c->body, "details");
    const struct kind *k = kind_of(skep_api__hny_mut_text(c->body, "type"));
    skep_assert(k != NULL); /* one of the choices */
    skep_str target = skep_api__hny_mut_text(details, k->target);
    if (target.n == 0)
        return refuse(c, k->target, SKEP_LANG_MISSING, "is required");
    if (k->needs[0] && skep_api__hny_mut_text(details, k->needs[0]).n == 0)
        return refuse(c, k->needs[0], SKEP_LANG_MISSING, "is required");
    skep_str to = address_of(c, k, details);
    if (to.n && skep_notify_check_place(skep_str_c(k->place), to, &place, &err) != SKEP_OK)
        return refuse(c, k->address ? k->address : k->target, SKEP_LANG_INVALID, err.text);
    c->object.name =
        skep_arena_printf(&c->job->arena, "%s " SKEP_STRFMT, k->type, SKEP_STRARG(target));
    return check_headers(c, details) && check_templates(c, details);
}

/* --- places --------------------------------------------------------------------------------------
 */

static skep_rc keep_place(struct skep_api__hny_call *c, const struct kind *k, skep_str to,
                          skep_err *err)
{
    struct skep_state *state = c->job->api->cfg.state;
    struct skep_arena *arena = &c->job->arena;
    const skep_str target = skep_notify_shown(
        arena, skep_api__hny_mut_text(yyjson_mut_obj_get(c->body, "details"), k->target));
    struct skep_state_place p = {.id = skep_api__recipient_place(arena, c->object.id),
                                 .environment = c->object.environment,
                                 .name = skep_arena_printf(arena, "%s %.*s (%.*s)", k->type,
                                                           (int)SKEP_MIN(target.n, 60u), target.p,
                                                           SKEP_STRARG(c->object.id)),
                                 .target = to,
                                 .per_minute = 60,
                                 .created_ns = skep_api__now(c->job->api)};
    SKEP_TRY(skep_notify_check_place(skep_str_c(k->place), to, &p.kind, err));
    skep_rc rc = skep_state_set_place(state, &p, err);
    return rc == SKEP_ENOTFOUND ? skep_state_put_place(state, &p, err) : rc;
}

/* The audit log: "webhook ops (id)", without the secret that an address may be. */
static void audit(struct skep_api__hny_call *c, enum skep_api__hny_change how)
{
    static const char *const what[] = {[SKEP_HNY_CREATED] = "recipient.create",
                                       [SKEP_HNY_SET] = "recipient.change",
                                       [SKEP_HNY_DROPPED] = "recipient.delete"};
    struct skep_arena *arena = &c->job->arena;
    skep_str target = c->object.name, type = skep_str_cut(&target, ' ');
    skep_api__audit(c->job, what[how],
                    skep_arena_printf(
                        arena, SKEP_STRFMT " " SKEP_STRFMT " (" SKEP_STRFMT ")", SKEP_STRARG(type),
                        SKEP_STRARG(skep_notify_shown(arena, target)), SKEP_STRARG(c->object.id)));
}

static skep_rc drop_place(struct skep_api__hny_call *c, skep_err *err)
{
    skep_rc rc =
        skep_state_drop_place(c->job->api->cfg.state, c->object.environment,
                              skep_api__recipient_place(&c->job->arena, c->object.id), err);
    return rc == SKEP_ENOTFOUND ? SKEP_OK : rc;
}

static skep_rc settle(struct skep_api__hny_call *c, skep_err *err)
{
    const struct kind *k = kind_of(skep_api__hny_mut_text(c->body, "type"));
    skep_assert(k != NULL); /* it passed `check` */
    skep_str to = address_of(c, k, yyjson_mut_obj_get(c->body, "details"));
    skep_rc rc = to.n ? keep_place(c, k, to, err) : drop_place(c, err);
    if (rc == SKEP_ELIMIT)
        return skep_fail(err, rc, "there are %d places to notify, and no more may be",
                         SKEP_STATE_PLACES_MAX);
    return rc;
}

static void changed(struct skep_api__hny_call *c, enum skep_api__hny_change how)
{
    skep_err err = {.text = ""};
    audit(c, how);
    skep_rc rc = how == SKEP_HNY_DROPPED ? drop_place(c, &err) : SKEP_OK;
    if (rc != SKEP_OK)
        skep_log(WARN, "the place of a recipient that was deleted stays", SKEP_K_RC(rc),
                 SKEP_K_STR("recipient", c->object.id), SKEP_K_CSTR("error", err.text));
    skep_notify_changed(c->job->api->cfg.notify);
}

/* --- in use --------------------------------------------------------------------------------------
 */

/* The first object of a kind that tells this recipient; empty = none. */
static skep_str told_by(struct skep_api__hny_call *c, enum skep_object_kind kind)
{
    struct skep_object *all;
    size_t n = 0;
    skep_err err;
    if (skep_state_objects(c->job->api->cfg.state, kind, &c->job->opts.environment, NULL,
                           &c->job->arena, &all, &n, &err) != SKEP_OK)
        return SKEP_STR("");
    for (size_t i = 0; i < n; i++) {
        size_t k, n_told;
        yyjson_val *r;
        bool found = false;
        yyjson_doc *d = yyjson_read(all[i].body.p, all[i].body.n, 0);
        yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(d), "recipients"), k, n_told, r)
        {
            found = found || skep_str_eq(skep_api__hny_text(&c->job->arena, r, "id"), c->object.id);
        }
        yyjson_doc_free(d);
        if (found)
            return all[i].id;
    }
    return SKEP_STR("");
}

static bool dropping(struct skep_api__hny_call *c)
{
    if (told_by(c, SKEP_OBJECT_TRIGGER).n == 0 && told_by(c, SKEP_OBJECT_BURN_ALERT).n == 0)
        return true;
    skep_api__hny_fail(c->job, SKEP_PROBLEM_CONFLICT, SKEP_STR_NULL, SKEP_LANG_INVALID,
                       SKEP_STR("the recipient is in use by a trigger or a burn alert"));
    return false;
}

static const struct skep_api__hny_member header_members[] = {
    {"header", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 64},
    {"value", SKEP_HNY_TEXT, .max = 750, .absent = "\"\""},
};
static const struct skep_api__hny_members header = SKEP_HNY_MEMBERS(header_members);
static const struct skep_api__hny_member variable_members[] = {
    {"name", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 64},
    {"default_value", SKEP_HNY_TEXT, .max = 256, .absent = "\"\""},
};
static const struct skep_api__hny_members variable = SKEP_HNY_MEMBERS(variable_members);
static const struct skep_api__hny_member body_members[] = {
    {"body", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .max = 100000}};
static const struct skep_api__hny_members body = SKEP_HNY_MEMBERS(body_members);
static const struct skep_api__hny_member template_members[] = {
    {"trigger", SKEP_HNY_OBJECT, .inside = &body},
    {"exhaustion_time", SKEP_HNY_OBJECT, .inside = &body},
    {"budget_rate", SKEP_HNY_OBJECT, .inside = &body},
};
static const struct skep_api__hny_members templates = SKEP_HNY_MEMBERS(template_members);
static const struct skep_api__hny_member payload_members[] = {
    {"template_variables", SKEP_HNY_ARRAY, .max = 10, .inside = &variable, .absent = "[]"},
    {"payload_templates", SKEP_HNY_OBJECT, .inside = &templates, .absent = "{}"},
};
static const struct skep_api__hny_members payloads = SKEP_HNY_MEMBERS(payload_members);

static const struct skep_api__hny_member detail_members[] = {
    {"email_address", SKEP_HNY_TEXT, .max = 320},
    {"pagerduty_integration_key", SKEP_HNY_TEXT, .min = 32, .max = 32},
    {"pagerduty_integration_name", SKEP_HNY_TEXT, .max = 255},
    {"slack_channel", SKEP_HNY_TEXT, .max = 2048},
    {"webhook_name", SKEP_HNY_TEXT, .max = 255},
    {"webhook_url", SKEP_HNY_TEXT, .max = 2048},
    {"webhook_secret", SKEP_HNY_TEXT, .max = 255},
    {"webhook_headers", SKEP_HNY_ARRAY, .max = 5, .inside = &header},
    {"webhook_payloads", SKEP_HNY_OBJECT, .inside = &payloads},
};
static const struct skep_api__hny_members details = SKEP_HNY_MEMBERS(detail_members);

static const struct skep_api__hny_member members[] = {
    {"type", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED | SKEP_HNY_FIXED,
     .choices = "email|pagerduty|slack|webhook|msteams|msteams_workflow"},
    {"details", SKEP_HNY_OBJECT, SKEP_HNY_REQUIRED, .inside = &details},
};

static const struct skep_route routes[] = {
    SKEP_API__HNY_ROUTE("GET", "/1/recipients", SKEP_RIGHT_ADMIN),
    SKEP_API__HNY_ROUTE("POST", "/1/recipients", SKEP_RIGHT_ADMIN),
    SKEP_API__HNY_ROUTE("GET", "/1/recipients/:id", SKEP_RIGHT_ADMIN),
    SKEP_API__HNY_ROUTE("PUT", "/1/recipients/:id", SKEP_RIGHT_ADMIN),
    SKEP_API__HNY_ROUTE("DELETE", "/1/recipients/:id", SKEP_RIGHT_ADMIN),
};

const struct skep_api__hny_object skep_api__hny_recipient = {
    .kind = SKEP_OBJECT_RECIPIENT,
    .scope = SKEP_HNY_OF_ENVIRONMENT,
    .noun = "Recipient",
    .members = SKEP_HNY_MEMBERS(members),
    .check = check,
    .dropping = dropping,
    .settle = settle,
    .changed = changed,
    .routes = routes,
    .n_routes = SKEP_ARRAY_LEN(routes),
};

/* --- lists of them in triggers and burn alerts ---------------------------------------------------
 */

static const struct skep_api__hny_member override_members[] = {
    {"name", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 64},
    {"value", SKEP_HNY_TEXT, .max = 256, .absent = "\"\""},
};
static const struct skep_api__hny_members override = SKEP_HNY_MEMBERS(override_members);
static const struct skep_api__hny_member notified_details[] = {
    {"pagerduty_severity", SKEP_HNY_TEXT, .choices = "critical|error|warning|info"},
    {"variables", SKEP_HNY_ARRAY, .max = 10, .inside = &override},
};
static const struct skep_api__hny_members notified_detail = SKEP_HNY_MEMBERS(notified_details);
static const struct skep_api__hny_member notified_members[] = {
    {"id", SKEP_HNY_TEXT, .max = 64},
    {"type", SKEP_HNY_TEXT,
     .choices = "email|pagerduty|slack|webhook|msteams|msteams_workflow|marker"},
    {"target", SKEP_HNY_TEXT, .max = 2048},
    {"details", SKEP_HNY_OBJECT, .inside = &notified_detail},
};
const struct skep_api__hny_members skep_api__hny_notified = SKEP_HNY_MEMBERS(notified_members);

/* The recipient that an item names, by id or by type and target. */
static bool find_notified(struct skep_api__hny_call *c, yyjson_mut_val *item,
                          struct skep_object *ret)
{
    struct skep_object *all;
    size_t n = 0;
    skep_err err;
    skep_str id = skep_api__hny_mut_text(item, "id");
    skep_str name = skep_arena_printf(&c->job->arena, SKEP_STRFMT " " SKEP_STRFMT,
                                      SKEP_STRARG(skep_api__hny_mut_text(item, "type")),
                                      SKEP_STRARG(skep_api__hny_mut_text(item, "target")));
    if (id.n)
        return skep_api__hny_find(c->job, SKEP_OBJECT_RECIPIENT, id, ret);
    if (skep_state_objects(c->job->api->cfg.state, SKEP_OBJECT_RECIPIENT, &c->job->opts.environment,
                           NULL, &c->job->arena, &all, &n, &err) != SKEP_OK)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (skep_str_eq(all[i].name, name)) {
            *ret = all[i];
            return true;
        }
    }
    return false;
}

static bool settle_notified(struct skep_api__hny_call *c, yyjson_mut_val *item, size_t i,
                            bool markers)
{
    struct skep_object r;
    const char *at = skep_arena_printf(&c->job->arena, "recipients[%zu]", i).p;
    if (skep_str_eq(skep_api__hny_mut_text(item, "type"), SKEP_STR("marker"))) {
        if (markers && skep_api__hny_mut_text(item, "target").n)
            return true;
        return skep_api__hny_bad(c, at, SKEP_LANG_INVALID,
                                 "a marker is for triggers, and its target is the type it gets");
    }
    if (!find_notified(c, item, &r))
        return skep_api__hny_bad(
            c, at, SKEP_LANG_INVALID,
            skep_arena_printf(&c->job->arena,
                              "%s: no such recipient, make it first (POST /1/recipients)", at)
                .p);
    yyjson_doc *d = yyjson_read(r.body.p, r.body.n, 0);
    skep_str type = skep_api__hny_text(&c->job->arena, yyjson_doc_get_root(d), "type");
    const struct kind *k = kind_of(type);
    skep_str target =
        k ? skep_api__hny_text(&c->job->arena, yyjson_obj_get(yyjson_doc_get_root(d), "details"),
                               k->target)
          : SKEP_STR("");
    yyjson_doc_free(d);
    skep_api__hny_mut_set(c->doc, item, "id", yyjson_mut_strncpy(c->doc, r.id.p, r.id.n));
    skep_api__hny_mut_set(c->doc, item, "type", yyjson_mut_strncpy(c->doc, type.p, type.n));
    /* Who asks about triggers need not administer: a channel may be Slack's secret address. */
    target = skep_notify_shown(&c->job->arena, target);
    skep_api__hny_mut_set(c->doc, item, "target", yyjson_mut_strncpy(c->doc, target.p, target.n));
    return true;
}

bool skep_api__hny_check_notified(struct skep_api__hny_call *c, bool markers)
{
    size_t i, n;
    yyjson_mut_val *item;
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(c->body, "recipients"), i, n, item)
    {
        if (!settle_notified(c, item, i, markers))
            return false;
    }
    return true;
}
