// SPDX-License-Identifier: Apache-2.0
/* An evaluation that fired, resolved or is still met -> a message for each recipient.
 *
 *   webhook      the recipient's template of this kind of alert, or Honeycomb's usual JSON; with
 *                X-Honeycomb-Webhook-Token (its secret), X-Honeycomb-Webhook-Delivery-ID (the
 *                message's id, the same at each attempt) and the recipient's own headers
 *   msteams      a card; pagerduty: an event of its API, resolved under the same key; mail, slack:
 *                a title and a text (alert_cards.c)
 *   marker       a marker in the trigger's dataset, when it fires
 *
 * Templates and usual JSON are filled from one document: what docs/api/honeycomb.md lists.  Each
 * message's key is the evaluation's number, so telling again tells nothing twice.
 *
 * Threads: the scheduler's.  Memory: the caller's arena. */
#include <inttypes.h>

#include "api/alerts.h"
#include "api/honeycomb_recipients.h"
#include "base/assert.h"
#include "base/log.h"
#include "notify/notify.h"
#include "wire/fill.h"
#include "wire/rfc3339.h"

enum { BODY_MAX = 512 << 10 };

/* What happened, to all recipients alike. */
struct event {
    struct skep_api *api;
    struct skep_arena *arena;
    const struct skep_evaluation *e;
    struct skep_object object;
    enum skep_object_kind kind;
    yyjson_doc *doc;
    yyjson_val *root;
    yyjson_doc *detail;
    skep_str name, summary, description, url, kind_name;
    bool triggered;
    bool is_test; /* of the recipient: what is told did not happen */
    char *ret_id; /* of the message, room for SKEP_NOTICE_ID_BYTES; NULL = nobody asks */
};

/* --- words ---------------------------------------------------------------------------------------
 */

static const char *operator_words(skep_str op)
{
    return skep_str_eq(op, SKEP_STR(">"))    ? "greater than"
           : skep_str_eq(op, SKEP_STR(">=")) ? "greater than or equal to"
           : skep_str_eq(op, SKEP_STR("<"))  ? "less than"
                                             : "less than or equal to";
}

static skep_str number_text(struct skep_arena *arena, double v)
{
    return skep_arena_printf(arena, "%.10g", v);
}

static yyjson_val *threshold(const struct event *ev)
{
    return yyjson_obj_get(ev->root, "threshold");
}

static skep_str trigger_sentence(struct event *ev)
{
    yyjson_val *d = yyjson_doc_get_root(ev->detail);
    const char *op = operator_words(skep_api__hny_text(ev->arena, threshold(ev), "op"));
    skep_str limit = number_text(ev->arena, yyjson_get_num(yyjson_obj_get(threshold(ev), "value")));
    if (!ev->triggered)
        return skep_arena_printf(ev->arena, "No longer %s " SKEP_STRFMT, op, SKEP_STRARG(limit));
    uint64_t n = yyjson_get_uint(yyjson_obj_get(d, "n_triggered"));
    skep_str value = number_text(ev->arena, ev->e->value);
    bool grouped = yyjson_arr_size(yyjson_obj_get(
                       yyjson_arr_get_first(yyjson_obj_get(d, "groups_triggered")), "group")) > 0;
    return grouped
               ? skep_arena_printf(ev->arena,
                                   "Currently %s threshold value (" SKEP_STRFMT ") for %" PRIu64
                                   " group%s (value " SKEP_STRFMT ")",
                                   op, SKEP_STRARG(limit), n, n == 1 ? "" : "s", SKEP_STRARG(value))
               : skep_arena_printf(ev->arena,
                                   "Currently %s threshold value (" SKEP_STRFMT
                                   ") (value " SKEP_STRFMT ")",
                                   op, SKEP_STRARG(limit), SKEP_STRARG(value));
}

static skep_str burn_sentence(struct event *ev)
{
    yyjson_val *d = yyjson_doc_get_root(ev->detail);
    skep_str left = number_text(ev->arena, yyjson_get_num(yyjson_obj_get(d, "budget_remaining")));
    if (!ev->triggered)
        return skep_arena_printf(ev->arena, "Budget remaining: " SKEP_STRFMT " %%",
                                 SKEP_STRARG(left));
    if (skep_str_eq(ev->kind_name, SKEP_STR("budget_rate")))
        return skep_arena_printf(
            ev->arena,
            "The budget fell by " SKEP_STRFMT " %% in %" PRId64 " minutes; " SKEP_STRFMT
            " %% remain",
            SKEP_STRARG(number_text(ev->arena, ev->e->value / 1e4)),
            yyjson_get_sint(yyjson_obj_get(ev->root, "budget_rate_window_minutes")),
            SKEP_STRARG(left));
    return skep_arena_printf(ev->arena,
                             "The budget will be exhausted in " SKEP_STRFMT " minutes; " SKEP_STRFMT
                             " %% remain",
                             SKEP_STRARG(number_text(ev->arena, ev->e->value)), SKEP_STRARG(left));
}

/* --- the document --------------------------------------------------------------------------------
 */

static yyjson_mut_val *text(yyjson_mut_doc *doc, skep_str s)
{
    return yyjson_mut_strncpy(doc, s.p ? s.p : "", s.n);
}

static void put(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, skep_str s)
{
    (void)yyjson_mut_obj_add_val(doc, obj, key, text(doc, s));
}

static skep_str status_of(const struct event *ev)
{
    return ev->triggered ? SKEP_STR("TRIGGERED") : SKEP_STR("OK");
}

static void put_alert(const struct event *ev, yyjson_mut_doc *doc, yyjson_mut_val *root)
{
    char at[SKEP_RFC3339_BYTES];
    yyjson_mut_val *a = yyjson_mut_obj_add_obj(doc, root, "Alert");
    put(doc, a, "Status", status_of(ev));
    put(doc, a, "Summary", ev->summary);
    put(doc, a, "Description", ev->description);
    put(doc, a, "Timestamp", (skep_str){at, skep_rfc3339(ev->e->slot_ns, 0, at)});
    put(doc, a, "InstanceID", skep_arena_printf(ev->arena, "%" PRId64, ev->e->number));
    (void)yyjson_mut_obj_add_bool(doc, a, "IsTest", ev->is_test);
    (void)yyjson_mut_obj_add_str(doc, a, "Version", "v0.1.0");
}

static void put_trigger(const struct event *ev, yyjson_mut_doc *doc, yyjson_mut_val *root)
{
    yyjson_val *d = yyjson_doc_get_root(ev->detail);
    yyjson_mut_val *r = yyjson_mut_obj_add_obj(doc, root, "Result");
    (void)yyjson_mut_obj_add_str(
        doc, root, "Operator", operator_words(skep_api__hny_text(ev->arena, threshold(ev), "op")));
    (void)yyjson_mut_obj_add_real(doc, root, "Threshold",
                                  yyjson_get_num(yyjson_obj_get(threshold(ev), "value")));
    put(doc, r, "URL", ev->url);
    (void)yyjson_mut_obj_add_val(doc, r, "Groups",
                                 yyjson_val_mut_copy(doc, yyjson_obj_get(d, "groups")));
    (void)yyjson_mut_obj_add_val(doc, r, "GroupsTriggered",
                                 yyjson_val_mut_copy(doc, yyjson_obj_get(d, "groups_triggered")));
}

static void put_burn(const struct event *ev, yyjson_mut_doc *doc, yyjson_mut_val *root)
{
    yyjson_val *d = yyjson_doc_get_root(ev->detail);
    yyjson_mut_val *slo = yyjson_mut_obj_add_obj(doc, root, "SLO");
    put(doc, slo, "ID", skep_api__hny_text(ev->arena, d, "slo"));
    put(doc, slo, "Name", skep_api__hny_text(ev->arena, d, "slo_name"));
    (void)yyjson_mut_obj_add_real(doc, root, "BudgetRemaining",
                                  yyjson_get_num(yyjson_obj_get(d, "budget_remaining")));
    (void)yyjson_mut_obj_add_real(doc, root, "Compliance",
                                  yyjson_get_num(yyjson_obj_get(d, "compliance")));
    (void)yyjson_mut_obj_add_real(doc, root, "Value", ev->e->value);
    (void)yyjson_mut_obj_add_sint(doc, root, "ExhaustionMinutes",
                                  yyjson_get_sint(yyjson_obj_get(ev->root, "exhaustion_minutes")));
    (void)yyjson_mut_obj_add_sint(
        doc, root, "BudgetRateWindowMinutes",
        yyjson_get_sint(yyjson_obj_get(ev->root, "budget_rate_window_minutes")));
}

/* Variables of the recipient, with the alert's own values. */
static void put_variables(yyjson_mut_doc *doc, yyjson_mut_val *root, yyjson_val *details,
                          yyjson_val *notified)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_mut_val *vars = yyjson_mut_obj_add_obj(doc, root, "Vars");
    yyjson_val *defaults =
        yyjson_obj_get(yyjson_obj_get(details, "webhook_payloads"), "template_variables");
    yyjson_arr_foreach(defaults, i, n, v)
    {
        (void)yyjson_mut_obj_put(vars, yyjson_val_mut_copy(doc, yyjson_obj_get(v, "name")),
                                 yyjson_val_mut_copy(doc, yyjson_obj_get(v, "default_value")));
    }
    yyjson_arr_foreach(yyjson_obj_get(yyjson_obj_get(notified, "details"), "variables"), i, n, v)
    {
        (void)yyjson_mut_obj_put(vars, yyjson_val_mut_copy(doc, yyjson_obj_get(v, "name")),
                                 yyjson_val_mut_copy(doc, yyjson_obj_get(v, "value")));
    }
}

/* All that a template may name; free it. */
static yyjson_doc *document(const struct event *ev, yyjson_val *details, yyjson_val *notified)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc), *datasets;
    yyjson_mut_doc_set_root(doc, root);
    put(doc, root, "Name", ev->name);
    put(doc, root, "ID", ev->object.id);
    put(doc, root, "Description", skep_api__hny_text(ev->arena, ev->root, "description"));
    put(doc, root, "URL", ev->url);
    put(doc, root, "Environment", ev->object.environment);
    datasets = yyjson_mut_obj_add_arr(doc, root, "Datasets");
    (void)yyjson_mut_arr_append(datasets, text(doc, ev->object.scope));
    put_alert(ev, doc, root);
    put_variables(doc, root, details, notified);
    yyjson_mut_val *r = yyjson_mut_obj_add_obj(doc, root, "Recipient");
    put(doc, r, "Secret", skep_api__hny_text(ev->arena, details, "webhook_secret"));
    if (ev->kind == SKEP_OBJECT_TRIGGER)
        put_trigger(ev, doc, root);
    else
        put_burn(ev, doc, root);
    yyjson_doc *ret = yyjson_mut_doc_imut_copy(doc, NULL);
    yyjson_mut_doc_free(doc);
    return ret;
}

/* --- bodies --------------------------------------------------------------------------------------
 */

static const char usual_trigger[] =
    "{\"version\":\"v0.1.0\",\"id\":{{ .ID | toJson }},\"name\":{{ .Name | toJson }},"
    "\"status\":{{ .Alert.Status | toJson }},\"summary\":{{ .Alert.Summary | toJson }},"
    "\"description\":{{ .Alert.Description | toJson }},\"trigger_description\":"
    "{{ .Description | toJson }},\"trigger_url\":{{ .URL | toJson }},"
    "\"operator\":{{ .Operator | toJson }},\"threshold\":{{ .Threshold | toJson }},"
    "\"timestamp\":{{ .Alert.Timestamp | toJson }},\"result_url\":{{ .Result.URL | toJson }},"
    "\"result_groups\":[{{ range $i, $g := .Result.Groups }}{{ if $i }},{{ end }}"
    "{\"Group\":{ {{- range $k, $v := $g.Group }}{{ if $k }},{{ end }}"
    "{{ $v.Key | toJson }}:{{ $v.Value | toJson }}{{ end -}} },\"Result\":{{ $g.Result | toJson }}}"
    "{{ end }}],\"result_groups_triggered\":[{{ range $i, $g := .Result.GroupsTriggered }}"
    "{{ if $i }},{{ end }}{\"Group\":{ {{- range $k, $v := $g.Group }}{{ if $k }},{{ end }}"
    "{{ $v.Key | toJson }}:{{ $v.Value | toJson }}{{ end -}} },\"Result\":{{ $g.Result | toJson }}}"
    "{{ end }}]}";

static const char usual_burn[] =
    "{\"version\":\"v0.1.0\",\"id\":{{ .ID | toJson }},\"name\":{{ .Name | toJson }},"
    "\"status\":{{ .Alert.Status | toJson }},\"summary\":{{ .Alert.Summary | toJson }},"
    "\"description\":{{ .Alert.Description | toJson }},\"timestamp\":"
    "{{ .Alert.Timestamp | toJson }},\"slo\":{{ .SLO | toJson }},\"budget_remaining\":"
    "{{ .BudgetRemaining | toJson }},\"value\":{{ .Value | toJson }},"
    "\"result_url\":{{ .URL | toJson }}}";

/* A template filled; one of the recipient's that cannot be is replaced by the usual body. */
static skep_str filled(struct event *ev, skep_str own, const char *usual, yyjson_val *details,
                       yyjson_val *notified)
{
    struct skep_buf buf;
    skep_err err = {.text = ""};
    yyjson_doc *d = document(ev, details, notified);
    skep_buf_init(&buf, BODY_MAX);
    skep_rc rc = own.n ? skep_fill(own, yyjson_doc_get_root(d), &buf, &err) : SKEP_ENOTFOUND;
    if (rc != SKEP_OK && own.n)
        skep_log(WARN, "a recipient's template cannot be filled, sending the usual message",
                 SKEP_K_STR("alert", ev->object.id), SKEP_K_CSTR("error", err.text));
    if (rc != SKEP_OK) {
        skep_buf_done(&buf);
        skep_buf_init(&buf, BODY_MAX);
        rc = skep_fill(skep_str_c(usual), yyjson_doc_get_root(d), &buf, &err);
    }
    skep_str body = rc == SKEP_OK ? skep_arena_str(ev->arena, skep_buf_text(&buf)) : SKEP_STR("{}");
    skep_buf_done(&buf);
    yyjson_doc_free(d);
    return body;
}

static skep_str own_template(struct event *ev, yyjson_val *details)
{
    yyjson_val *t =
        yyjson_obj_get(yyjson_obj_get(details, "webhook_payloads"), "payload_templates");
    return skep_api__hny_text(ev->arena, yyjson_obj_get(t, skep_cstr(ev->arena, ev->kind_name)),
                              "body");
}

/* Their lines; *ret_type is their content-type, if they say one. */
static skep_str headers_of(struct event *ev, yyjson_val *details, skep_str *ret_type)
{
    size_t i, n;
    yyjson_val *h;
    struct skep_buf buf;
    skep_str secret = skep_api__hny_text(ev->arena, details, "webhook_secret");
    skep_buf_init(&buf, 8 << 10);
    skep_buf_str(&buf, SKEP_STR("X-Honeycomb-Webhook-Delivery-ID: {id}\n"));
    if (secret.n)
        skep_buf_printf(&buf, "X-Honeycomb-Webhook-Token: " SKEP_STRFMT "\n", SKEP_STRARG(secret));
    yyjson_arr_foreach(yyjson_obj_get(details, "webhook_headers"), i, n, h)
    {
        skep_str name = skep_api__hny_text(ev->arena, h, "header");
        skep_str value = skep_api__hny_text(ev->arena, h, "value");
        if (skep_str_ieq(name, SKEP_STR("content-type")))
            *ret_type = value;
        else
            skep_buf_printf(&buf, SKEP_STRFMT ": " SKEP_STRFMT "\n", SKEP_STRARG(name),
                            SKEP_STRARG(value));
    }
    skep_str lines = skep_arena_str(ev->arena, skep_buf_text(&buf));
    skep_buf_done(&buf);
    return lines;
}

/* --- recipients ----------------------------------------------------------------------------------
 */

static skep_rc put_marker(struct event *ev, skep_str type, skep_err *err)
{
    struct skep_buf buf;
    struct skep_json j;
    if (ev->e->event != SKEP_WATCH_FIRED)
        return SKEP_OK;
    skep_buf_init(&buf, 64 << 10);
    skep_json_init(&j, &buf);
    skep_json_object(&j);
    skep_json_put_i64(&j, SKEP_STR("start_time"), ev->e->slot_ns / 1000000000);
    skep_json_put_str(&j, SKEP_STR("message"), ev->summary);
    skep_json_put_str(&j, SKEP_STR("type"), type);
    skep_json_put_str(&j, SKEP_STR("url"), ev->url);
    skep_json_end(&j);
    struct skep_object marker = {.id = skep_arena_printf(ev->arena, "alert%" PRId64, ev->e->number),
                                 .environment = ev->object.environment,
                                 .scope = ev->object.scope,
                                 .name = SKEP_STR(""),
                                 .body = skep_arena_str(ev->arena, skep_buf_text(&buf))};
    struct skep_object known;
    skep_buf_done(&buf);
    skep_rc rc = skep_state_object(ev->api->cfg.state, SKEP_OBJECT_MARKER, marker.environment,
                                   marker.id, ev->arena, &known, err);
    return rc != SKEP_ENOTFOUND ? rc
                                : skep_state_put_object(ev->api->cfg.state, SKEP_OBJECT_MARKER,
                                                        &marker, ev->arena, err);
}

static struct skep_api__card card_of(struct event *ev)
{
    char *at = skep_arena_alloc(ev->arena, SKEP_RFC3339_BYTES);
    bool all = skep_str_eq(ev->object.scope, SKEP_STR("__all__"));
    return (struct skep_api__card){
        .arena = ev->arena,
        .id = ev->object.id,
        .summary = ev->summary,
        .sentence = ev->description,
        .about = skep_api__hny_text(ev->arena, ev->root, "description"),
        .environment = ev->object.environment,
        .dataset = all ? SKEP_STR("") : ev->object.scope,
        .at = {at, skep_rfc3339(ev->e->slot_ns, 0, at)},
        .url = ev->url,
        .triggered = ev->triggered,
        .groups = yyjson_obj_get(yyjson_doc_get_root(ev->detail), "groups_triggered")};
}

static void set_body(struct event *ev, skep_str type, yyjson_val *details, yyjson_val *notified,
                     struct skep_notice *notice)
{
    const char *usual = ev->kind == SKEP_OBJECT_TRIGGER ? usual_trigger : usual_burn;
    const struct skep_api__card card = card_of(ev);
    skep_str body;
    if (skep_str_eq(type, SKEP_STR("pagerduty"))) {
        body = skep_api__card_pagerduty(
            &card, skep_api__hny_text(ev->arena, details, "pagerduty_integration_key"),
            skep_api__hny_text(ev->arena, yyjson_obj_get(notified, "details"),
                               "pagerduty_severity"));
    } else if (skep_str_eq(type, SKEP_STR("webhook"))) {
        body = filled(ev, own_template(ev, details), usual, details, notified);
    } else if (skep_str_starts(type, SKEP_STR("msteams"))) {
        body = skep_api__card_teams(&card);
    } else {
        notice->text = skep_api__card_text(&card); /* mail and Slack: title and text */
        return;
    }
    notice->content_type = SKEP_STR("application/json");
    notice->body = skep_str_bytes(body);
    if (skep_str_eq(type, SKEP_STR("webhook")))
        notice->headers = headers_of(ev, details, &notice->content_type);
}

/* An address of the page, as whoever reads the message reaches it. */
static skep_str whole_url(struct event *ev, skep_str path)
{
    skep_str base = ev->api->cfg.public_url ? skep_str_c(ev->api->cfg.public_url) : SKEP_STR("");
    if (base.n && base.p[base.n - 1] == '/')
        base.n--;
    return skep_arena_printf(ev->arena, SKEP_STRFMT SKEP_STRFMT, SKEP_STRARG(base),
                             SKEP_STRARG(path));
}

static skep_str kind_of_message(const struct event *ev)
{
    if (ev->is_test)
        return SKEP_STR("test");
    if (ev->kind == SKEP_OBJECT_TRIGGER)
        return ev->triggered ? SKEP_STR("trigger.fired") : SKEP_STR("trigger.resolved");
    return ev->triggered ? SKEP_STR("burn_alert.fired") : SKEP_STR("burn_alert.resolved");
}

static skep_rc tell_one(struct event *ev, yyjson_val *notified, skep_err *err)
{
    struct skep_object r;
    skep_str type = skep_api__hny_text(ev->arena, notified, "type");
    skep_str id = skep_api__hny_text(ev->arena, notified, "id");
    if (skep_str_eq(type, SKEP_STR("marker")))
        return put_marker(ev, skep_api__hny_text(ev->arena, notified, "target"), err);
    skep_rc rc = skep_state_object(ev->api->cfg.state, SKEP_OBJECT_RECIPIENT,
                                   ev->object.environment, id, ev->arena, &r, err);
    if (rc != SKEP_OK)
        return rc == SKEP_ENOTFOUND ? SKEP_OK : rc; /* it is gone */
    yyjson_doc *d = yyjson_read(r.body.p, r.body.n, 0);
    struct skep_notice notice = {
        .environment = ev->object.environment,
        .place = skep_api__recipient_place(ev->arena, id),
        .kind = kind_of_message(ev),
        .key = ev->is_test ? SKEP_STR("")
                           : skep_arena_printf(ev->arena, "evaluation %" PRId64, ev->e->number),
        .title = ev->summary,
        .text = ev->description,
        .url = ev->url};
    set_body(ev, type, yyjson_obj_get(yyjson_doc_get_root(d), "details"), notified, &notice);
    rc = skep_notify_put(ev->api->cfg.notify, &notice, ev->ret_id, err);
    yyjson_doc_free(d);
    if (!ev->is_test &&
        (rc == SKEP_ENOTFOUND || rc == SKEP_ELIMIT || rc == SKEP_EINVAL || rc == SKEP_ETOOLARGE)) {
        /* No place (a Slack channel without an address), too many wait there already, which it
         * counts, or it is no message: telling again would not help. */
        skep_log(WARN, "a recipient cannot be told, going on", SKEP_K_STR("recipient", id),
                 SKEP_K_CSTR("error", err->text));
        return SKEP_OK;
    }
    return rc;
}

/* --- the event -----------------------------------------------------------------------------------
 */

static bool load(struct event *ev, enum skep_object_kind kind, skep_rc *rc, skep_err *err)
{
    if (*rc != SKEP_ENOTFOUND)
        return *rc == SKEP_OK;
    ev->kind = kind;
    *rc = skep_state_object(ev->api->cfg.state, kind, ev->e->environment, ev->e->watch, ev->arena,
                            &ev->object, err);
    return *rc == SKEP_OK;
}

static void describe(struct event *ev, bool triggered)
{
    ev->triggered = triggered;
    if (ev->kind == SKEP_OBJECT_TRIGGER) {
        ev->kind_name = SKEP_STR("trigger");
        ev->name = skep_api__hny_text(ev->arena, ev->root, "name");
        ev->description = trigger_sentence(ev);
        ev->url =
            skep_arena_printf(ev->arena, "/ui/triggers/" SKEP_STRFMT "?env=" SKEP_STRFMT,
                              SKEP_STRARG(ev->object.id), SKEP_STRARG(ev->object.environment));
    } else {
        yyjson_val *d = yyjson_doc_get_root(ev->detail);
        ev->kind_name = skep_api__hny_text(ev->arena, ev->root, "alert_type");
        ev->name = skep_api__hny_text(ev->arena, d, "slo_name");
        ev->description = burn_sentence(ev);
        ev->url = skep_arena_printf(ev->arena, "/ui/slos/" SKEP_STRFMT "?env=" SKEP_STRFMT,
                                    SKEP_STRARG(skep_api__hny_text(ev->arena, d, "slo")),
                                    SKEP_STRARG(ev->object.environment));
    }
    ev->url = whole_url(ev, ev->url);
    ev->summary =
        skep_arena_printf(ev->arena, "%s: " SKEP_STRFMT, ev->triggered ? "Triggered" : "Resolved",
                          SKEP_STRARG(ev->name));
}

/* --- tests of recipients -------------------------------------------------------------------------
 */

/* An alert that nobody has, of each kind, and what its evaluation would have found. */
static const struct sample {
    const char *kind;
    enum skep_object_kind object;
    const char *body, *detail;
    double value;
} samples[] = {
    {"trigger", SKEP_OBJECT_TRIGGER,
     "{\"name\":\"A test from skep\",\"description\":\"Nothing has happened.\","
     "\"threshold\":{\"op\":\">\",\"value\":10}}",
     "{\"n_groups\":2,\"n_triggered\":1,\"groups_triggered\":[{\"group\":[{\"key\":\"route\","
     "\"value\":\"/example\"}],\"result\":12}],\"groups\":[{\"group\":[{\"key\":\"route\","
     "\"value\":\"/example\"}],\"result\":12},{\"group\":[{\"key\":\"route\","
     "\"value\":\"/other\"}],\"result\":3}]}",
     12},
    {"exhaustion_time", SKEP_OBJECT_BURN_ALERT,
     "{\"alert_type\":\"exhaustion_time\",\"description\":\"Nothing has happened.\","
     "\"exhaustion_minutes\":240}",
     "{\"slo\":\"test\",\"slo_name\":\"A test from skep\",\"budget_remaining\":12.5,"
     "\"compliance\":99.9}",
     90},
    {"budget_rate", SKEP_OBJECT_BURN_ALERT,
     "{\"alert_type\":\"budget_rate\",\"description\":\"Nothing has happened.\","
     "\"budget_rate_window_minutes\":60}",
     "{\"slo\":\"test\",\"slo_name\":\"A test from skep\",\"budget_remaining\":12.5,"
     "\"compliance\":99.9}",
     50000},
};

static const struct sample *sample_of(skep_str kind)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(samples); i++)
        if (skep_str_eq(kind, skep_str_c(samples[i].kind)))
            return &samples[i];
    return NULL;
}

skep_rc skep_api__alert_test(struct skep_api__job *job, const struct skep_object *recipient,
                             skep_str kind, char *ret_id, skep_err *err)
{
    const struct sample *sample = sample_of(kind);
    const struct skep_evaluation e = {.slot_ns = skep_api__now(job->api),
                                      .has_value = true,
                                      .value = sample ? sample->value : 0,
                                      .met = true,
                                      .event = SKEP_WATCH_FIRED};
    if (!sample)
        return skep_fail(err, SKEP_EINVAL, "use trigger, exhaustion_time or budget_rate");
    yyjson_doc *d = yyjson_read(recipient->body.p, recipient->body.n, 0);
    skep_str type = skep_api__hny_text(&job->arena, yyjson_doc_get_root(d), "type");
    yyjson_doc_free(d);
    skep_str told = skep_arena_printf(&job->arena,
                                      "{\"id\":\"" SKEP_STRFMT "\",\"type\":\"" SKEP_STRFMT
                                      "\",\"details\":{\"pagerduty_severity\":\"info\"}}",
                                      SKEP_STRARG(recipient->id), SKEP_STRARG(type));
    struct event ev = {
        .api = job->api,
        .arena = &job->arena,
        .e = &e,
        .object = {.id = skep_arena_printf(&job->arena, "test-" SKEP_STRFMT "-%lld",
                                           SKEP_STRARG(recipient->id), (long long)e.slot_ns),
                   .environment = recipient->environment,
                   .scope = SKEP_STR("__all__")},
        .kind = sample->object,
        .doc = yyjson_read(sample->body, skep_str_c(sample->body).n, 0),
        .detail = yyjson_read(sample->detail, skep_str_c(sample->detail).n, 0),
        .is_test = true,
        .ret_id = ret_id};
    yyjson_doc *notified = yyjson_read(told.p, told.n, 0);
    ev.root = yyjson_doc_get_root(ev.doc);
    describe(&ev, true);
    skep_rc rc = tell_one(&ev, yyjson_doc_get_root(notified), err);
    if (rc == SKEP_OK && skep_str_eq(type, SKEP_STR("pagerduty"))) { /* nobody is to be kept up */
        ev.ret_id = NULL;
        describe(&ev, false);
        rc = tell_one(&ev, yyjson_doc_get_root(notified), err);
    }
    yyjson_doc_free(notified);
    yyjson_doc_free(ev.detail);
    yyjson_doc_free(ev.doc);
    return rc;
}

skep_rc skep_api__alert_tell(void *api, const struct skep_evaluation *e, struct skep_arena *arena,
                             skep_err *err)
{
    struct event ev = {.api = api, .arena = arena, .e = e};
    skep_rc rc = SKEP_ENOTFOUND;
    size_t i, n;
    yyjson_val *item;
    if (!load(&ev, SKEP_OBJECT_TRIGGER, &rc, err) && !load(&ev, SKEP_OBJECT_BURN_ALERT, &rc, err))
        return rc == SKEP_ENOTFOUND ? SKEP_OK : rc; /* it is gone: nobody is to hear of it */
    ev.doc = yyjson_read(ev.object.body.p, ev.object.body.n, 0);
    ev.root = yyjson_doc_get_root(ev.doc);
    ev.detail = yyjson_read(e->detail.p, e->detail.n, 0);
    describe(&ev, e->event != SKEP_WATCH_RESOLVED);
    rc = SKEP_OK;
    yyjson_arr_foreach(yyjson_obj_get(ev.root, "recipients"), i, n, item)
    {
        skep_err one_err = {.text = ""};
        skep_rc one = tell_one(&ev, item, &one_err);
        if (one != SKEP_OK && rc == SKEP_OK) {
            rc = one;
            *err = one_err;
        }
    }
    yyjson_doc_free(ev.detail);
    yyjson_doc_free(ev.doc);
    return rc;
}
