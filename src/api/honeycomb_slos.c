// SPDX-License-Identifier: Apache-2.0
/* Service level objectives (/1/slos/{dataset}), their burn alerts (/1/burn_alerts/{dataset}).
 *
 *   SLO         an SLI (a derived column: true, false, or null = does not count), a target, a
 *               rolling period of days, which `reset_at` cuts
 *   ?detailed   compliance, budget_remaining, status, burn_rate (of the last 4 hours)
 *
 * A multi-dataset SLO is one of __all__ with dataset_slugs.  A draft (page_tries.c) may bring its
 * SLI's expression along: it is counted before any derived column is made.
 * Threads: workers.  Memory: the request's arena. */
#include "api/alerts.h"
#include "api/honeycomb_recipients.h"

#include <math.h>

#include "base/assert.h"
#include "base/log.h"
#include "wire/rfc3339.h"

static const int64_t burn_rate_ns = INT64_C(4) * 3600 * 1000000000;

/* --- SLOs ----------------------------------------------------------------------------------------
 */

/* The SLI's alias is a derived column of the dataset or of all. */
static bool has_sli(struct skep_api__hny_call *c, skep_str alias)
{
    struct skep_object *all;
    size_t n = 0;
    skep_err err;
    if (skep_state_objects(c->job->api->cfg.state, SKEP_OBJECT_DERIVED_COLUMN,
                           &c->job->opts.environment, NULL, &c->job->arena, &all, &n,
                           &err) != SKEP_OK)
        return false;
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(all[i].name, alias) && (skep_str_eq(all[i].scope, c->object.scope) ||
                                                skep_str_eq(all[i].scope, SKEP_STR("__all__"))))
            return true;
    return false;
}

static bool check_slugs(struct skep_api__hny_call *c, yyjson_mut_val *slugs)
{
    size_t i, n;
    yyjson_mut_val *slug;
    struct skep_api__dataset d;
    skep_err err;
    bool all = skep_str_eq(c->object.scope, SKEP_STR("__all__"));
    yyjson_mut_arr_foreach(slugs, i, n, slug)
    {
        skep_str s = {yyjson_mut_get_str(slug), yyjson_mut_get_len(slug)};
        const char *at = skep_arena_printf(&c->job->arena, "dataset_slugs[%zu]", i).p;
        if (!all && !skep_str_eq(s, c->object.scope))
            return skep_api__hny_bad(c, at, SKEP_LANG_INVALID,
                                     "dataset_slugs: only an SLO of __all__ has others");
        if (skep_api__dataset_of(c->job->api, &c->job->opts, s, &d, &err) != SKEP_OK)
            return skep_api__hny_bad(c, at, SKEP_LANG_INVALID, "dataset_slugs: no such dataset");
    }
    return true;
}

/* The alias names a derived column, or, of a draft, the expression that stands beside it. */
static bool check_sli(struct skep_api__hny_call *c)
{
    yyjson_mut_val *sli = yyjson_mut_obj_get(c->body, "sli");
    skep_str alias = skep_api__hny_mut_text(sli, "alias");
    if (yyjson_mut_obj_get(sli, "expression"))
        return skep_api__hny_check_expression(c, alias, skep_api__hny_mut_text(sli, "expression"));
    return has_sli(c, alias) ||
           skep_api__hny_bad(c, "sli.alias", SKEP_LANG_INVALID,
                             "sli.alias: no such derived column of this dataset");
}

static bool check(struct skep_api__hny_call *c)
{
    yyjson_mut_val *slugs = yyjson_mut_obj_get(c->body, "dataset_slugs");
    bool all = skep_str_eq(c->object.scope, SKEP_STR("__all__"));
    if (!slugs && all)
        return skep_api__hny_bad(c, "dataset_slugs", SKEP_LANG_MISSING,
                                 "dataset_slugs: an SLO of __all__ says its datasets");
    if (!slugs) {
        slugs = yyjson_mut_arr(c->doc);
        (void)yyjson_mut_arr_add_strncpy(c->doc, slugs, c->object.scope.p, c->object.scope.n);
        (void)yyjson_mut_obj_add_val(c->doc, c->body, "dataset_slugs", slugs);
    }
    skep_str reset = skep_api__hny_mut_text(c->body, "reset_at");
    int64_t reset_ns;
    if (reset.n && !skep_rfc3339_parse(reset, &reset_ns))
        return skep_api__hny_bad(c, "reset_at", SKEP_LANG_INVALID,
                                 "reset_at: an instant like 2026-11-20T19:54:00Z");
    return check_sli(c) && check_slugs(c, slugs);
}

static void changed(struct skep_api__hny_call *c, enum skep_api__hny_change how)
{
    struct skep_object *alerts;
    size_t n = 0;
    skep_err err;
    struct skep_state *state = c->job->api->cfg.state;
    if (how != SKEP_HNY_DROPPED) {
        skep_watch_changed(c->job->api->watch);
        return;
    }
    skep_rc rc = skep_state_objects(state, SKEP_OBJECT_BURN_ALERT, &c->object.environment, NULL,
                                    &c->job->arena, &alerts, &n, &err);
    for (size_t i = 0; i < n && rc == SKEP_OK; i++) {
        if (!skep_str_eq(skep_api__burn_alert_slo(&c->job->arena, &alerts[i]), c->object.id))
            continue;
        rc = skep_state_drop_object(state, SKEP_OBJECT_BURN_ALERT, c->object.environment,
                                    alerts[i].id, &err);
        if (rc == SKEP_OK)
            rc = skep_watch_drop(c->job->api->watch, c->object.environment, alerts[i].id, &err);
    }
    if (rc != SKEP_OK)
        skep_log(WARN, "burn alerts of an SLO that is gone stay", SKEP_K_RC(rc),
                 SKEP_K_CSTR("error", err.text));
}

skep_str skep_api__slo_status(double budget_remaining)
{
    return budget_remaining <= 0    ? SKEP_STR("exhausted")
           : budget_remaining < 10  ? SKEP_STR("at_risk")
           : budget_remaining <= 50 ? SKEP_STR("warning")
                                    : SKEP_STR("normal");
}

static void show_report(struct skep_api__hny_call *c, const struct skep_object *o,
                        yyjson_mut_doc *doc, yyjson_mut_val *obj)
{
    struct skep_api__slo slo;
    struct skep_slo_counts period, lately;
    skep_err err;
    struct skep_api *api = c->job->api;
    int64_t now = skep_api__now(api);
    skep_rc rc = skep_api__slo_read(&c->job->arena, o, &slo, &err);
    if (rc == SKEP_OK)
        rc = skep_api__slo_period(api, &c->job->opts, &slo, now, &period, &err);
    if (rc == SKEP_OK)
        rc = skep_api__slo_counts(api, &c->job->opts, &slo, now - burn_rate_ns, now, &lately, &err);
    if (rc != SKEP_OK) { /* the object itself is well: say what is missing */
        (void)yyjson_mut_obj_add_strcpy(doc, obj, "report_error", err.text);
        return;
    }
    double left = skep_slo_budget_remaining(period, slo.target_per_million);
    skep_str status = skep_api__slo_status(left);
    (void)yyjson_mut_obj_add_real(doc, obj, "compliance", skep_slo_compliance(period));
    (void)yyjson_mut_obj_add_real(doc, obj, "budget_remaining", left);
    (void)yyjson_mut_obj_add_strn(doc, obj, "status", status.p, status.n);
    (void)yyjson_mut_obj_add_real(doc, obj, "burn_rate",
                                  skep_slo_burn_rate(lately, slo.target_per_million));
}

static void show(struct skep_api__hny_call *c, const struct skep_object *o, yyjson_mut_doc *doc,
                 yyjson_mut_val *obj)
{
    skep_str detailed;
    if (skep_request_param(c->job->req, SKEP_STR("detailed"), &detailed) &&
        !skep_str_eq(detailed, SKEP_STR("false")))
        show_report(c, o, doc, obj);
}

static const struct skep_api__hny_member sli_members[] = {
    {"alias", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 255}};
static const struct skep_api__hny_members sli = SKEP_HNY_MEMBERS(sli_members);
static const struct skep_api__hny_member draft_sli_members[] = {
    {"alias", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 255},
    {"expression", SKEP_HNY_TEXT, .min = 1, .max = 4095}};
static const struct skep_api__hny_members draft_sli = SKEP_HNY_MEMBERS(draft_sli_members);

#define SLO_MEMBERS(of_sli)                                                                        \
    {"name", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 120},                              \
        {"description", SKEP_HNY_TEXT, .max = 1023, .absent = "\"\""},                             \
        {"sli", SKEP_HNY_OBJECT, SKEP_HNY_REQUIRED, .inside = &(of_sli)},                          \
        {"time_period_days", SKEP_HNY_INT, SKEP_HNY_REQUIRED, .min = 1, .max = 365},               \
        {"target_per_million", SKEP_HNY_INT, SKEP_HNY_REQUIRED, .min = 0, .max = 999999},          \
        {"dataset_slugs", SKEP_HNY_TEXTS, .min = 1, .max = 10},                                    \
        {"reset_at", SKEP_HNY_TEXT, SKEP_HNY_KEEP, .max = 40},                                     \
    {                                                                                              \
        "tags", SKEP_HNY_ARRAY, .max = 10, .inside = &skep_api__hny_tag, .absent = "[]"            \
    }

static const struct skep_api__hny_member slo_members[] = {SLO_MEMBERS(sli)};
static const struct skep_api__hny_member draft_members[] = {SLO_MEMBERS(draft_sli)};

static const struct skep_route slo_routes[] = {SKEP_API__HNY_ROUTES("/1/slos/:dataset")};

const struct skep_api__hny_object skep_api__hny_slo = {
    .kind = SKEP_OBJECT_SLO,
    .scope = SKEP_HNY_OF_ANY_DATASET,
    .noun = "SLO",
    .members = SKEP_HNY_MEMBERS(slo_members),
    .check = check,
    .changed = changed,
    .show = show,
    .routes = slo_routes,
    .n_routes = SKEP_ARRAY_LEN(slo_routes),
};

const struct skep_api__hny_object skep_api__hny_slo_draft = {
    .kind = SKEP_OBJECT_SLO,
    .scope = SKEP_HNY_OF_ANY_DATASET,
    .noun = "SLO",
    .members = SKEP_HNY_MEMBERS(draft_members),
    .check = check,
};

/* --- burn alerts ---------------------------------------------------------------------------------
 */

skep_str skep_api__burn_alert_slo(struct skep_arena *arena, const struct skep_object *o)
{
    yyjson_doc *d = yyjson_read(o->body.p, o->body.n, 0);
    skep_str id = skep_api__hny_text(arena, yyjson_obj_get(yyjson_doc_get_root(d), "slo"), "id");
    yyjson_doc_free(d);
    return id;
}

/* Each kind of alert has its own members, and none of the other's. */
static bool check_kind(struct skep_api__hny_call *c)
{
    static const struct {
        const char *name;
        bool of_rate;
    } own[] = {{"exhaustion_minutes", false},
               {"budget_rate_window_minutes", true},
               {"budget_rate_decrease_threshold_per_million", true}};
    skep_str type = skep_api__hny_mut_text(c->body, "alert_type");
    bool rate = skep_str_eq(type, SKEP_STR("budget_rate"));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(own); i++) {
        bool there = yyjson_mut_obj_get(c->body, own[i].name) != NULL;
        if (there == (own[i].of_rate == rate))
            continue;
        return skep_api__hny_bad(
            c, own[i].name, there ? SKEP_LANG_INVALID : SKEP_LANG_MISSING,
            skep_arena_printf(&c->job->arena, "%s: %s with alert_type " SKEP_STRFMT, own[i].name,
                              there ? "must not be said" : "is required", SKEP_STRARG(type))
                .p);
    }
    return true;
}

static bool check_alert(struct skep_api__hny_call *c)
{
    struct skep_object slo;
    struct skep_api__slo read;
    skep_err err;
    skep_str id = skep_api__hny_mut_text(yyjson_mut_obj_get(c->body, "slo"), "id");
    if (!skep_api__hny_find(c->job, SKEP_OBJECT_SLO, id, &slo) ||
        !skep_str_eq(slo.scope, c->object.scope) ||
        skep_api__slo_read(&c->job->arena, &slo, &read, &err) != SKEP_OK)
        return skep_api__hny_bad(c, "slo.id", SKEP_LANG_INVALID,
                                 "slo.id: no such SLO of this dataset");
    int64_t window = yyjson_mut_get_sint(yyjson_mut_obj_get(c->body, "budget_rate_window_minutes"));
    if (window * 60000000000 > read.period_ns)
        return skep_api__hny_bad(c, "budget_rate_window_minutes", SKEP_LANG_INVALID,
                                 "budget_rate_window_minutes: longer than the SLO's period");
    return check_kind(c) && skep_api__hny_check_notified(c, false);
}

static const struct skep_api__hny_member alert_slo_members[] = {
    {"id", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 64}};
static const struct skep_api__hny_members alert_slo = SKEP_HNY_MEMBERS(alert_slo_members);

static const struct skep_api__hny_member alert_members[] = {
    {"alert_type", SKEP_HNY_TEXT, .choices = "exhaustion_time|budget_rate", .flags = SKEP_HNY_FIXED,
     .absent = "\"exhaustion_time\""},
    {"description", SKEP_HNY_TEXT, .max = 1023, .absent = "\"\""},
    {"exhaustion_minutes", SKEP_HNY_INT, .min = 0, .max = 525600},
    {"budget_rate_window_minutes", SKEP_HNY_INT, .min = 60, .max = 525600},
    {"budget_rate_decrease_threshold_per_million", SKEP_HNY_INT, .min = 1, .max = 1000000},
    {"slo", SKEP_HNY_OBJECT, SKEP_HNY_REQUIRED | SKEP_HNY_FIXED, .inside = &alert_slo},
    {"recipients", SKEP_HNY_ARRAY, SKEP_HNY_REQUIRED, .min = 0, .max = 100,
     .inside = &skep_api__hny_notified},
    {"auto_investigate", SKEP_HNY_BOOL, .absent = "false"},
};

static const struct skep_route alert_routes[] = {SKEP_API__HNY_ROUTES("/1/burn_alerts/:dataset")};

const struct skep_api__hny_object skep_api__hny_burn_alert = {
    .kind = SKEP_OBJECT_BURN_ALERT,
    .scope = SKEP_HNY_OF_ANY_DATASET,
    .noun = "Burn Alert",
    .members = SKEP_HNY_MEMBERS(alert_members),
    .list_by = "slo_id",
    .list_member = "/slo/id",
    .check = check_alert,
    .changed = skep_api__hny_watch_changed,
    .show = skep_api__hny_show_triggered,
    .routes = alert_routes,
    .n_routes = SKEP_ARRAY_LEN(alert_routes),
};
