// SPDX-License-Identifier: Apache-2.0
/* Triggers (/1/triggers/{dataset}): a question asked again and again, and who is told when its
 * answer crosses a threshold; what the scheduler makes of them is src/api/alert_trigger.c.
 *
 * The question is a stored query (query_id) or given (query): one calculation that is a number, or
 * one formula; no orders, limit or absolute times; it looks back no more than 4 intervals or a day.
 * Threads: workers.  Memory: the request's arena. */
#include "api/alerts.h"
#include "api/honeycomb_recipients.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/log.h"

enum { RANGE_ABSENT_S = 7200, DAY_S = 86400 };

/* --- the question --------------------------------------------------------------------------------
 */

static bool refuse(struct skep_api__hny_call *c, const char *field, const char *text)
{
    return skep_api__hny_bad(c, field, SKEP_LANG_INVALID,
                             skep_arena_printf(&c->job->arena, "%s: %s", field, text).p);
}

/* Members that a trigger's question must not have. */
static bool check_members(struct skep_api__hny_call *c, yyjson_val *spec)
{
    static const char *const none[] = {"orders",     "limit",      "start_time",
                                       "end_time",   "usage_mode", "compare_time_offset_seconds",
                                       "granularity"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(none); i++) {
        yyjson_val *v = yyjson_obj_get(spec, none[i]);
        bool empty = !v || yyjson_is_null(v) || yyjson_is_false(v) ||
                     (yyjson_is_num(v) && yyjson_get_num(v) == 0) ||
                     (yyjson_is_arr(v) && yyjson_arr_size(v) == 0);
        if (!empty)
            return refuse(c, skep_arena_printf(&c->job->arena, "query.%s", none[i]).p,
                          "is not for triggers");
    }
    return true;
}

static bool check_plan(struct skep_api__hny_call *c, const struct skep_plan *plan)
{
    unsigned first = skep_plan_first_value(plan), n = skep_plan_n_values(plan) - first;
    if (n != 1)
        return refuse(c, "query.calculations", "a trigger has one calculation, or one formula");
    if (plan->n_havings > 1)
        return refuse(c, "query.havings", "a trigger has at most one");
    for (unsigned i = 0; i < plan->n_aggs; i++)
        if (plan->aggs[i].op == SKEP_AGG_HEATMAP || plan->aggs[i].op == SKEP_AGG_CONCURRENCY)
            return refuse(c, "query.calculations", "HEATMAP and CONCURRENCY are not for triggers");
    return true;
}

static bool check_range(struct skep_api__hny_call *c, yyjson_val *spec)
{
    int64_t every = yyjson_mut_get_sint(yyjson_mut_obj_get(c->body, "frequency"));
    yyjson_val *v = yyjson_obj_get(spec, "time_range");
    int64_t range = yyjson_is_num(v) ? (int64_t)yyjson_get_num(v) : RANGE_ABSENT_S;
    int64_t max = SKEP_MIN(4 * every, (int64_t)DAY_S);
    if (range >= every && range <= max)
        return true;
    return refuse(c, "query.time_range",
                  skep_arena_printf(&c->job->arena,
                                    "%" PRId64 " s: with a frequency of %" PRId64
                                    " s it must be %" PRId64 " to %" PRId64 " s",
                                    range, every, every, max)
                      .p);
}

static bool check_spec(struct skep_api__hny_call *c, skep_str text)
{
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue;
    struct skep_lang_opts lang;
    skep_err err;
    skep_rc rc = skep_api__hny_lang(c->job->api, &c->job->opts, &c->dataset, &lang, &err);
    if (rc == SKEP_OK &&
        skep_lang_honeycomb(skep_str_bytes(text), &lang, &c->job->arena, &plan, &issue) != SKEP_OK)
        return refuse(c, skep_arena_printf(&c->job->arena, "query.%s", issue.field).p, issue.text);
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(c->job, rc, &err);
        return false;
    }
    yyjson_doc *doc = yyjson_read(text.p, text.n, 0);
    yyjson_val *spec = yyjson_doc_get_root(doc);
    bool ok = check_members(c, spec) && check_plan(c, plan) && check_range(c, spec);
    yyjson_doc_free(doc);
    return ok;
}

/* The question's text, wherever it stands; false after a refusal. */
static bool question(struct skep_api__hny_call *c, skep_str *ret)
{
    struct skep_state_query q;
    skep_err err;
    size_t n = 0;
    yyjson_mut_val *given = yyjson_mut_obj_get(c->body, "query");
    skep_str id = skep_api__hny_mut_text(c->body, "query_id");
    if ((given != NULL) == (id.n > 0))
        return skep_api__hny_bad(c, "query", SKEP_LANG_MISSING,
                                 "a trigger has a query or a query_id");
    if (!given) {
        if (skep_state_get_query(c->job->api->cfg.state, c->job->opts.environment, id,
                                 &c->job->arena, &q, &err) != SKEP_OK)
            return refuse(c, "query_id", "no such query");
        if (!skep_str_eq(q.dataset, c->object.scope))
            return refuse(c, "query_id", "it is a query of another dataset");
        *ret = q.spec;
        return true;
    }
    (void)yyjson_mut_obj_remove_key(given, "id"); /* of what they read */
    char *text = yyjson_mut_val_write_opts(given, 0, &c->alc, &n, NULL);
    *ret = skep_arena_str(&c->job->arena, (skep_str){text ? text : "", n});
    if (text)
        c->alc.free(c->alc.ctx, text);
    return true;
}

/* --- schedules -----------------------------------------------------------------------------------
 */

static bool is_clock(skep_str s)
{
    int minutes;
    return skep_api__clock(s, &minutes);
}

bool skep_api__clock(skep_str s, int *ret_minutes)
{
    uint64_t hour, minute;
    skep_str rest = s, left = skep_str_cut(&rest, ':');
    if (left.n < 1 || left.n > 2 || rest.n != 2 || !skep_str_u64(left, &hour) ||
        !skep_str_u64(rest, &minute) || hour > 23 || minute > 59)
        return false;
    *ret_minutes = (int)(hour * 60 + minute);
    return true;
}

static bool check_schedule(struct skep_api__hny_call *c)
{
    skep_str type = skep_api__hny_mut_text(c->body, "evaluation_schedule_type");
    yyjson_mut_val *schedule = yyjson_mut_obj_get(c->body, "evaluation_schedule"), *day;
    yyjson_mut_val *window = yyjson_mut_obj_get(schedule, "window");
    size_t i, n;
    if (!skep_str_eq(type, SKEP_STR("window"))) {
        if (schedule)
            return refuse(c, "evaluation_schedule",
                          "is for evaluation_schedule_type \"window\" alone");
        return true;
    }
    if (!window)
        return skep_api__hny_bad(c, "evaluation_schedule", SKEP_LANG_MISSING,
                                 "evaluation_schedule: say the window");
    if (!is_clock(skep_api__hny_mut_text(window, "start_time")))
        return refuse(c, "evaluation_schedule.window.start_time", "a UTC time, HH:mm");
    if (!is_clock(skep_api__hny_mut_text(window, "end_time")))
        return refuse(c, "evaluation_schedule.window.end_time", "a UTC time, HH:mm");
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(window, "days_of_week"), i, n, day)
    {
        skep_str name = {yyjson_mut_get_str(day), yyjson_mut_get_len(day)};
        if (skep_api__weekday(name) < 0)
            return refuse(c, "evaluation_schedule.window.days_of_week",
                          "days are sunday ... saturday");
    }
    return true;
}

int skep_api__weekday(skep_str name)
{
    static const char *const days[] = {"sunday",   "monday", "tuesday", "wednesday",
                                       "thursday", "friday", "saturday"};
    for (int i = 0; i < 7; i++)
        if (skep_str_eq(name, skep_str_c(days[i])))
            return i;
    return -1;
}

static bool check_baseline(struct skep_api__hny_call *c)
{
    static const int64_t offsets[] = {60, 1440, 10080, 40320};
    yyjson_mut_val *b = yyjson_mut_obj_get(c->body, "baseline_details");
    if (!b || yyjson_mut_obj_size(b) == 0) { /* {} clears it */
        (void)yyjson_mut_obj_remove_key(c->body, "baseline_details");
        return true;
    }
    int64_t offset = yyjson_mut_get_sint(yyjson_mut_obj_get(b, "offset_minutes"));
    bool known = false;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(offsets); i++)
        known = known || offset == offsets[i];
    if (!known)
        return refuse(c, "baseline_details.offset_minutes", "must be 60, 1440, 10080 or 40320");
    if (skep_api__hny_mut_text(b, "type").n == 0)
        return refuse(c, "baseline_details.type", "must be value or percentage");
    return true;
}

static bool check(struct skep_api__hny_call *c)
{
    skep_str spec;
    int64_t every = yyjson_mut_get_sint(yyjson_mut_obj_get(c->body, "frequency"));
    if (every % 60)
        return refuse(c, "frequency", "must be a multiple of 60 seconds");
    return check_schedule(c) && check_baseline(c) && question(c, &spec) && check_spec(c, spec) &&
           skep_api__hny_check_notified(c, true);
}

void skep_api__hny_watch_changed(struct skep_api__hny_call *c, enum skep_api__hny_change how)
{
    skep_err err;
    struct skep_watch *w = c->job->api->watch;
    if (how != SKEP_HNY_DROPPED)
        skep_watch_changed(w);
    else if (skep_watch_drop(w, c->object.environment, c->object.id, &err) != SKEP_OK)
        skep_log(WARN, "evaluations of what is gone stay", SKEP_K_CSTR("error", err.text));
}

/* --- answers -------------------------------------------------------------------------------------
 */

void skep_api__hny_show_triggered(struct skep_api__hny_call *c, const struct skep_object *o,
                                  yyjson_mut_doc *doc, yyjson_mut_val *obj)
{
    struct watches {
        struct skep_watch_state *list;
        size_t n;
    } *w = c->memo;
    skep_err err;
    bool triggered = false;
    if (!w) {
        c->memo = w = skep_new(&c->job->arena, struct watches);
        /* Unknown is not triggered; the next request says it. */
        if (skep_state_watches(c->job->api->cfg.state, &c->job->opts.environment, &c->job->arena,
                               &w->list, &w->n, &err) != SKEP_OK)
            w->n = 0;
    }
    for (size_t i = 0; i < w->n; i++)
        triggered = triggered || (w->list[i].triggered && skep_str_eq(w->list[i].id, o->id));
    skep_api__hny_mut_set(doc, obj, "triggered", yyjson_mut_bool(doc, triggered));
}

static void show(struct skep_api__hny_call *c, const struct skep_object *o, yyjson_mut_doc *doc,
                 yyjson_mut_val *obj)
{
    skep_api__hny_mut_set(doc, obj, "dataset_slug", yyjson_mut_strn(doc, o->scope.p, o->scope.n));
    skep_api__hny_show_triggered(c, o, doc, obj);
}

static const struct skep_api__hny_member threshold_members[] = {
    {"op", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .choices = ">|>=|<|<="},
    {"value", SKEP_HNY_NUMBER, .flags = SKEP_HNY_REQUIRED},
    {"exceeded_limit", SKEP_HNY_INT, .min = 1, .max = 5, .absent = "1"},
};
static const struct skep_api__hny_members threshold = SKEP_HNY_MEMBERS(threshold_members);

static const struct skep_api__hny_member window_members[] = {
    {"days_of_week", SKEP_HNY_TEXTS, SKEP_HNY_REQUIRED, .min = 1, .max = 7},
    {"start_time", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 4, .max = 5},
    {"end_time", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 4, .max = 5},
};
static const struct skep_api__hny_members window_inside = SKEP_HNY_MEMBERS(window_members);
static const struct skep_api__hny_member schedule_members[] = {
    {"window", SKEP_HNY_OBJECT, SKEP_HNY_REQUIRED, .inside = &window_inside}};
static const struct skep_api__hny_members schedule = SKEP_HNY_MEMBERS(schedule_members);

static const struct skep_api__hny_member baseline_members[] = {
    {"type", SKEP_HNY_TEXT, .choices = "value|percentage"},
    {"offset_minutes", SKEP_HNY_INT, .max = 40320},
};
static const struct skep_api__hny_members baseline = SKEP_HNY_MEMBERS(baseline_members);

static const struct skep_api__hny_member members[] = {
    {"name", SKEP_HNY_TEXT, SKEP_HNY_REQUIRED, .min = 1, .max = 120},
    {"description", SKEP_HNY_TEXT, .max = 1023, .absent = "\"\""},
    {"query_id", SKEP_HNY_TEXT, .max = 64},
    {"query", SKEP_HNY_OBJECT, .flags = 0},
    {"threshold", SKEP_HNY_OBJECT, SKEP_HNY_REQUIRED, .inside = &threshold},
    {"frequency", SKEP_HNY_INT, .min = 60, .max = 86400, .absent = "900"},
    {"alert_type", SKEP_HNY_TEXT, .choices = "on_change|on_true", .absent = "\"on_change\""},
    {"disabled", SKEP_HNY_BOOL, .absent = "false"},
    {"recipients", SKEP_HNY_ARRAY, .max = 100, .inside = &skep_api__hny_notified, .absent = "[]"},
    {"evaluation_schedule_type", SKEP_HNY_TEXT, .choices = "frequency|window",
     .absent = "\"frequency\""},
    {"evaluation_schedule", SKEP_HNY_OBJECT, .inside = &schedule},
    {"baseline_details", SKEP_HNY_OBJECT, .inside = &baseline},
    {"auto_investigate", SKEP_HNY_BOOL, .absent = "false"},
    {"tags", SKEP_HNY_ARRAY, .max = 10, .inside = &skep_api__hny_tag, .absent = "[]"},
};

static const struct skep_route routes[] = {SKEP_API__HNY_ROUTES("/1/triggers/:dataset")};

const struct skep_api__hny_object skep_api__hny_trigger = {
    .kind = SKEP_OBJECT_TRIGGER,
    .scope = SKEP_HNY_OF_ANY_DATASET,
    .noun = "Trigger",
    .members = SKEP_HNY_MEMBERS(members),
    .location = true,
    .check = check,
    .changed = skep_api__hny_watch_changed,
    .show = show,
    .routes = routes,
    .n_routes = SKEP_ARRAY_LEN(routes),
};
