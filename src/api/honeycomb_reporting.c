// SPDX-License-Identifier: Apache-2.0
/* What programs ask about SLOs over time:
 *
 *   POST /1/reporting/slos/historical              week by week: compliance and budget at its end
 *   GET  /1/slos/{dataset}/{id}/counts             minute by minute of one clock hour
 *   GET  /1/slos/{dataset}/{id}/counts/history     hour by hour
 *   GET  /1/recipients/{id}/triggers               triggers that tell a recipient
 *
 * All are computed from the rows there are: what came late is in them.
 * Threads: workers.  Memory: the request's arena. */
#include "api/alerts.h"
#include "api/honeycomb_objects.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/hash.h"

static const int64_t ns_per_s = 1000000000;
enum { HOUR_S = 3600, DAY_S = 86400, WEEK_S = 604800, HOURS_MAX = 4000, SETTLES_S = 600 };

/* --- counts --------------------------------------------------------------------------------------
 */

/* start_time and end_time of the query string. */
static bool range_of(struct skep_api__hny_call *c, int64_t *ret_start, int64_t *ret_end)
{
    skep_str start = skep_api__param(c->job->req, SKEP_STR("start_time"));
    skep_str end = skep_api__param(c->job->req, SKEP_STR("end_time"));
    if (!skep_str_i64(start, ret_start) || *ret_start < 0 || *ret_start > 9000000000)
        return skep_api__hny_bad(c, "start_time", start.n ? SKEP_LANG_INVALID : SKEP_LANG_MISSING,
                                 "start_time: unix seconds");
    if (!skep_str_i64(end, ret_end) || *ret_end <= *ret_start || *ret_end > 9000000000)
        return skep_api__hny_bad(c, "end_time", end.n ? SKEP_LANG_INVALID : SKEP_LANG_MISSING,
                                 "end_time: unix seconds, after start_time");
    return true;
}

static bool find_slo(struct skep_api__hny_call *c, struct skep_api__slo *ret)
{
    struct skep_object o;
    skep_err err;
    if (skep_api__hny_find(c->job, SKEP_OBJECT_SLO, skep_request_capture(c->job->req, 1), &o) &&
        skep_str_eq(o.scope, c->object.scope) &&
        skep_api__slo_read(&c->job->arena, &o, ret, &err) == SKEP_OK)
        return true;
    skep_api__hny_fail(c->job, SKEP_PROBLEM_NOT_FOUND, SKEP_STR_NULL, SKEP_LANG_INVALID,
                       SKEP_STR("SLO not found"));
    return false;
}

struct counts_form {
    int64_t step_s;
    const char *list, *from, *to; /* members */
    int64_t settles_s;            /* a step is partial until so long after its end */
};

static void put_counts(struct skep_api__hny_call *c, const struct skep_api__slo *slo,
                       const struct counts_form *f, const struct skep_slo_counts *counts, size_t n,
                       int64_t start_s)
{
    struct skep_json *j = &c->job->out.json;
    int64_t now_s = skep_api__now(c->job->api) / ns_per_s;
    skep_api__hny_begin(c->job, 200);
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("slo_id"), slo->object.id);
    skep_json_put_i64(j, SKEP_STR("resolution_seconds"), f->step_s);
    if (f->step_s < HOUR_S) {
        skep_json_put_str(j, SKEP_STR("epoch"),
                          skep_arena_printf(&c->job->arena, "%016" PRIx64,
                                            skep_hash(skep_str_bytes(slo->object.body))));
        skep_json_put_i64(j, SKEP_STR("period_start"), start_s - start_s % HOUR_S);
    }
    skep_json_key(j, skep_str_c(f->list));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        int64_t at = start_s + (int64_t)i * f->step_s, end = at + f->step_s;
        skep_json_object(j);
        skep_json_put_i64(j, skep_str_c(f->from), at);
        skep_json_put_i64(j, skep_str_c(f->to), end);
        skep_json_put_u64(j, SKEP_STR("total_count"), counts[i].total);
        skep_json_put_u64(j, SKEP_STR("error_count"), counts[i].total - counts[i].good);
        skep_json_put_bool(j, SKEP_STR("is_partial"), end + f->settles_s > now_s);
        skep_json_end(j);
        skep_api__out_check(&c->job->out);
    }
    skep_json_end(j);
    skep_json_end(j);
    skep_api__out_end(&c->job->out);
}

static void counts(struct skep_api__job *job, const struct counts_form *f, int64_t max_s)
{
    struct skep_api__hny_call c;
    struct skep_api__slo slo;
    int64_t start, end;
    skep_err err;
    if (!skep_api__hny_call_begin(&c, job, &skep_api__hny_slo) || !find_slo(&c, &slo) ||
        !range_of(&c, &start, &end))
        return;
    start -= start % f->step_s;
    if (end - start > max_s) {
        (void)skep_api__hny_bad(
            &c, "end_time", SKEP_LANG_INVALID,
            skep_arena_printf(&job->arena, "end_time: at most %" PRId64 " s behind start_time",
                              max_s)
                .p);
        return;
    }
    size_t n = (size_t)((end - start + f->step_s - 1) / f->step_s);
    struct skep_slo_counts *list = skep_new_n(&job->arena, struct skep_slo_counts, n);
    skep_rc rc = skep_api__slo_series(job->api, &job->opts, &slo, start * ns_per_s,
                                      f->step_s * ns_per_s, list, n, &err);
    if (rc != SKEP_OK)
        skep_api__hny_fail_rc(job, rc, &err);
    else
        put_counts(&c, &slo, f, list, n, start);
}

static void minutes(struct skep_api__job *job)
{
    static const struct counts_form f = {60, "windows", "window_start", "window_end", SETTLES_S};
    counts(job, &f, HOUR_S);
}

static void hours(struct skep_api__job *job)
{
    static const struct counts_form f = {HOUR_S, "buckets", "start_time", "end_time", 0};
    counts(job, &f, (int64_t)HOURS_MAX * HOUR_S);
}

/* --- history -------------------------------------------------------------------------------------
 */

static const struct skep_api__hny_member ask_members[] = {
    {"ids", SKEP_HNY_TEXTS, SKEP_HNY_REQUIRED, .min = 1, .max = 24},
    {"start_time", SKEP_HNY_INT, SKEP_HNY_REQUIRED, .min = 0, .max = 9000000000},
    {"end_time", SKEP_HNY_INT, SKEP_HNY_REQUIRED, .min = 1, .max = 9000000000},
};
static const struct skep_api__hny_members asked = SKEP_HNY_MEMBERS(ask_members);
static const struct skep_api__hny_object report = {
    .kind = SKEP_OBJECT_SLO, .scope = SKEP_HNY_OF_ENVIRONMENT, .noun = "SLO"};

/* The weeks of one SLO; of none that is known, none. */
static skep_rc put_weeks(struct skep_api__hny_call *c, skep_str id, int64_t start_s, int64_t end_s,
                         skep_err *err)
{
    struct skep_json *j = &c->job->out.json;
    struct skep_object o;
    struct skep_api__slo slo;
    struct skep_slo_counts week, period;
    bool known = skep_api__hny_find(c->job, SKEP_OBJECT_SLO, id, &o) &&
                 skep_api__slo_read(&c->job->arena, &o, &slo, err) == SKEP_OK;
    skep_json_key(j, id);
    skep_json_array(j);
    for (int64_t at = start_s; known && at < end_s; at += WEEK_S) {
        int64_t to = SKEP_MIN(at + WEEK_S, end_s);
        SKEP_TRY(skep_api__slo_counts(c->job->api, &c->job->opts, &slo, at * ns_per_s,
                                      to * ns_per_s, &week, err));
        SKEP_TRY(
            skep_api__slo_period(c->job->api, &c->job->opts, &slo, to * ns_per_s, &period, err));
        if (week.total == 0)
            continue;
        skep_json_object(j);
        skep_json_put_i64(j, SKEP_STR("timestamp"), at);
        skep_json_put_f64(j, SKEP_STR("compliance"), skep_slo_compliance(week));
        skep_json_put_f64(j, SKEP_STR("budget_remaining"),
                          skep_slo_budget_remaining(period, slo.target_per_million));
        skep_json_end(j);
    }
    skep_json_end(j);
    return SKEP_OK;
}

static void answer_history(struct skep_api__hny_call *c, int64_t start_s, int64_t end_s)
{
    size_t i, n;
    yyjson_mut_val *id;
    skep_err err;
    skep_rc rc = SKEP_OK;
    skep_api__hny_begin(c->job, 200);
    skep_json_object(&c->job->out.json);
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(c->body, "ids"), i, n, id)
    {
        if (rc == SKEP_OK)
            rc = put_weeks(c, (skep_str){yyjson_mut_get_str(id), yyjson_mut_get_len(id)}, start_s,
                           end_s, &err);
    }
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(c->job, rc, &err);
        return;
    }
    skep_json_end(&c->job->out.json);
    skep_api__out_end(&c->job->out);
}

static void history(struct skep_api__job *job)
{
    struct skep_api__hny_call c;
    if (!skep_api__hny_call_begin(&c, job, &report))
        return;
    yyjson_doc *in = skep_api__hny_body(&c);
    if (!in)
        return;
    c.doc = yyjson_mut_doc_new(&c.alc);
    c.body = yyjson_mut_obj(c.doc);
    bool ok = skep_api__hny_take(&c, &asked, yyjson_doc_get_root(in), NULL, c.body, "");
    yyjson_doc_free(in);
    if (ok) {
        int64_t now_s = skep_api__now(job->api) / ns_per_s;
        int64_t start = yyjson_mut_get_sint(yyjson_mut_obj_get(c.body, "start_time"));
        int64_t end = yyjson_mut_get_sint(yyjson_mut_obj_get(c.body, "end_time"));
        if (start < now_s - 366 * (int64_t)DAY_S)
            (void)skep_api__hny_bad(&c, "start_time", SKEP_LANG_INVALID,
                                    "start_time: at most a year ago");
        else if (end <= start || end > now_s)
            (void)skep_api__hny_bad(&c, "end_time", SKEP_LANG_INVALID,
                                    "end_time: after start_time, and not in the future");
        else
            answer_history(&c, start, end);
    }
    yyjson_mut_doc_free(c.doc);
}

/* --- triggers of a recipient ---------------------------------------------------------------------
 */

static bool tells(const struct skep_object *trigger, struct skep_arena *arena, skep_str recipient)
{
    size_t i, n;
    yyjson_val *r;
    bool found = false;
    yyjson_doc *d = yyjson_read(trigger->body.p, trigger->body.n, 0);
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(d), "recipients"), i, n, r)
    {
        found = found || skep_str_eq(skep_api__hny_text(arena, r, "id"), recipient);
    }
    yyjson_doc_free(d);
    return found;
}

static void triggers_of(struct skep_api__job *job)
{
    struct skep_api__hny_call c = {
        .job = job, .what = &skep_api__hny_trigger, .alc = skep_json_alc(&job->budget)};
    struct skep_object r, *all;
    size_t n = 0;
    skep_err err;
    skep_str id = skep_request_capture(job->req, 0);
    if (!skep_api__hny_find(job, SKEP_OBJECT_RECIPIENT, id, &r)) {
        skep_api__hny_fail(job, SKEP_PROBLEM_NOT_FOUND, SKEP_STR_NULL, SKEP_LANG_INVALID,
                           SKEP_STR("Recipient not found"));
        return;
    }
    skep_rc rc = skep_state_objects(job->api->cfg.state, SKEP_OBJECT_TRIGGER,
                                    &job->opts.environment, NULL, &job->arena, &all, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__hny_fail_rc(job, rc, &err);
        return;
    }
    skep_api__hny_begin(job, 200);
    skep_json_array(&job->out.json);
    for (size_t i = 0; i < n; i++)
        if (tells(&all[i], &job->arena, id))
            skep_api__hny_put_object(&c, &job->out.json, &all[i]);
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

#define HANDLER(name, work)                                                                        \
    static void name(void *ctx, struct skep_request *req)                                          \
    {                                                                                              \
        skep_api__run(ctx, req, work);                                                             \
    }
HANDLER(handle_minutes, minutes)
HANDLER(handle_hours, hours)
HANDLER(handle_history, history)
HANDLER(handle_triggers, triggers_of)
#undef HANDLER

#define ROUTE(verb, address, function, needs)                                                      \
    {                                                                                              \
        .method = (verb), .path = (address), .handle = (function), .refuse = skep_api__hny_refuse, \
        .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES, .right = (needs),                           \
        .form = SKEP_FORM_HONEYCOMB                                                                \
    }
static const struct skep_route routes[] = {
    ROUTE("GET", "/1/slos/:dataset/:id/counts", handle_minutes, SKEP_RIGHT_QUERY),
    ROUTE("GET", "/1/slos/:dataset/:id/counts/history", handle_hours, SKEP_RIGHT_QUERY),
    ROUTE("POST", "/1/reporting/slos/historical", handle_history, SKEP_RIGHT_QUERY),
    ROUTE("GET", "/1/recipients/:id/triggers", handle_triggers, SKEP_RIGHT_ADMIN),
};

const struct skep_api__routes skep_api__honeycomb_reporting = {routes, SKEP_ARRAY_LEN(routes)};
