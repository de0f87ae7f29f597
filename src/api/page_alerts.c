// SPDX-License-Identifier: Apache-2.0
/* What the page asks about triggers, SLOs and their burn alerts beside the objects themselves:
 *
 *   GET  /skep/v1/alerts                       all of the environment, with the last evaluation
 *   GET  /skep/v1/alerts/:id/evaluations       newest first, 100 a page (?before=)
 *   POST /skep/v1/alerts/:id/evaluate          now, and kept like those on schedule
 *   GET  /skep/v1/slos                         all, with compliance and budget
 *   GET  /skep/v1/slos/:id/burn?steps=         how the budget went over the period
 *
 * Threads: workers.  Memory: the request's arena. */
#include "api/alerts.h"
#include "api/honeycomb_objects.h"

#include <inttypes.h>

#include "api/keys.h"
#include "base/assert.h"

enum { EVALUATIONS_PAGE = 100, STEPS_ABSENT = 120, STEPS_MAX = 1000 };

static const int64_t ns_per_s = 1000000000;

/* --- evaluations ---------------------------------------------------------------------------------
 */

static skep_str event_name(enum skep_watch_event e)
{
    switch (e) {
    case SKEP_WATCH_FIRED: return SKEP_STR("fired");
    case SKEP_WATCH_RESOLVED: return SKEP_STR("resolved");
    case SKEP_WATCH_AGAIN: return SKEP_STR("again");
    case SKEP_WATCH_NOTHING: break;
    }
    return SKEP_STR("");
}

static void put_evaluation(struct skep_json *j, const struct skep_evaluation *e, bool detail)
{
    skep_json_object(j);
    skep_json_put_i64(j, SKEP_STR("number"), e->number);
    skep_json_put_i64_str(j, SKEP_STR("at_ns"), e->slot_ns);
    skep_json_put_f64(j, SKEP_STR("took_ms"), (double)e->took_ns / 1e6);
    skep_json_key(j, SKEP_STR("value"));
    if (e->has_value)
        skep_json_f64(j, e->value);
    else
        skep_json_null(j);
    skep_json_put_bool(j, SKEP_STR("met"), e->met);
    skep_json_put_bool(j, SKEP_STR("triggered"), e->triggered);
    skep_json_put_str(j, SKEP_STR("event"), event_name(e->event));
    skep_json_put_str(j, SKEP_STR("error"), e->error);
    if (detail) {
        skep_json_key(j, SKEP_STR("detail"));
        skep_json_raw(j, e->detail.n ? e->detail : SKEP_STR("{}"));
    }
    skep_json_end(j);
}

/* --- all alerts ----------------------------------------------------------------------------------
 */

static const struct skep_watch_state *watch_of(const struct skep_watch_state *all, size_t n,
                                               skep_str id)
{
    for (size_t i = 0; i < n; i++)
        if (skep_str_eq(all[i].id, id))
            return &all[i];
    return NULL;
}

static void put_last(struct skep_api__job *job, skep_str id)
{
    struct skep_json *j = &job->out.json;
    struct skep_evaluation e;
    bool found = false;
    skep_err err;
    skep_rc rc = skep_state_evaluation_last(job->api->cfg.state, job->opts.environment, id,
                                            &job->arena, &e, &found, &err);
    skep_json_key(j, SKEP_STR("last"));
    if (rc == SKEP_OK && found)
        put_evaluation(j, &e, false);
    else
        skep_json_null(j);
}

static bool put_kind(struct skep_api__job *job, const struct skep_api__hny_object *what,
                     const char *key, const struct skep_watch_state *watches, size_t n_watches)
{
    struct skep_json *j = &job->out.json;
    struct skep_object *all;
    size_t n = 0;
    skep_err err;
    struct skep_api__hny_call c = {.job = job, .what = what, .alc = skep_json_alc(&job->budget)};
    skep_rc rc = skep_state_objects(job->api->cfg.state, what->kind, &job->opts.environment, NULL,
                                    &job->arena, &all, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return false;
    }
    skep_json_key(j, skep_str_c(key));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        const struct skep_watch_state *w = watch_of(watches, n_watches, all[i].id);
        skep_json_object(j);
        skep_json_put_str(j, SKEP_STR("dataset"), all[i].scope);
        skep_json_put_bool(j, SKEP_STR("triggered"), w && w->triggered);
        skep_api__put_ns(j, SKEP_STR("triggered_ns"), w && w->triggered ? w->triggered_ns : 0);
        put_last(job, all[i].id);
        skep_json_key(j, SKEP_STR("object"));
        skep_api__hny_put_object(&c, j, &all[i]);
        skep_json_end(j);
    }
    skep_json_end(j);
    return true;
}

static void alerts(struct skep_api__job *job)
{
    struct skep_watch_state *watches;
    size_t n = 0;
    skep_err err;
    skep_rc rc = skep_state_watches(job->api->cfg.state, &job->opts.environment, &job->arena,
                                    &watches, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    skep_json_object(&job->out.json);
    if (!put_kind(job, &skep_api__hny_trigger, "triggers", watches, n) ||
        !put_kind(job, &skep_api__hny_burn_alert, "burn_alerts", watches, n))
        return;
    skep_json_end(&job->out.json);
    skep_api__out_end(&job->out);
}

/* --- one alert -----------------------------------------------------------------------------------
 */

/* Is there a trigger or a burn alert of this id? */
static bool is_alert(struct skep_api__job *job, skep_str id)
{
    struct skep_object o;
    if (skep_api__hny_find(job, SKEP_OBJECT_TRIGGER, id, &o) ||
        skep_api__hny_find(job, SKEP_OBJECT_BURN_ALERT, id, &o))
        return true;
    skep_api__job_fail(job, &(struct skep_api__error){
                                .status = 404, .text = SKEP_STR("no such trigger or burn alert")});
    return false;
}

static void evaluations(struct skep_api__job *job)
{
    struct skep_json *j = &job->out.json;
    struct skep_evaluation *list =
        skep_new_n(&job->arena, struct skep_evaluation, EVALUATIONS_PAGE);
    size_t n = 0;
    int64_t before = 0;
    skep_err err;
    skep_str id = skep_request_capture(job->req, 0);
    skep_str text = skep_api__param(job->req, SKEP_STR("before"));
    if (!is_alert(job, id))
        return;
    if (text.n && (!skep_str_i64(text, &before) || before < 1)) {
        skep_api__fail_field(job, "before", "the number of the last evaluation seen");
        return;
    }
    skep_rc rc = skep_state_evaluations(job->api->cfg.state, job->opts.environment, id, before,
                                        &job->arena, list, EVALUATIONS_PAGE, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("evaluations"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        put_evaluation(j, &list[i], true);
        skep_api__out_check(&job->out);
    }
    skep_json_end(j);
    skep_json_key(j, SKEP_STR("next"));
    if (n == EVALUATIONS_PAGE)
        skep_json_i64(j, list[n - 1].number);
    else
        skep_json_null(j);
    skep_json_end(j);
    skep_api__out_end(&job->out);
}

static void evaluate(struct skep_api__job *job)
{
    struct skep_evaluation e;
    skep_err err;
    skep_str id = skep_request_capture(job->req, 0);
    skep_rc rc =
        skep_watch_evaluate(job->api->watch, job->opts.environment, id, &job->arena, &e, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    put_evaluation(&job->out.json, &e, true);
    skep_api__out_end(&job->out);
}

/* --- SLOs ----------------------------------------------------------------------------------------
 */

static void put_counts(struct skep_json *j, struct skep_slo_counts c)
{
    skep_json_put_u64(j, SKEP_STR("total"), c.total);
    skep_json_put_u64(j, SKEP_STR("good"), c.good);
}

static void put_report(struct skep_api__job *job, const struct skep_object *o)
{
    struct skep_json *j = &job->out.json;
    struct skep_api__slo slo;
    struct skep_slo_counts period;
    skep_err err = {.text = ""};
    skep_rc rc = skep_api__slo_read(&job->arena, o, &slo, &err);
    if (rc == SKEP_OK)
        rc = skep_api__slo_period(job->api, &job->opts, &slo, skep_api__now(job->api), &period,
                                  &err);
    if (rc != SKEP_OK) {
        skep_json_put_str(j, SKEP_STR("error"), skep_str_c(err.text));
        return;
    }
    double left = skep_slo_budget_remaining(period, slo.target_per_million);
    put_counts(j, period);
    skep_json_put_f64(j, SKEP_STR("compliance"), skep_slo_compliance(period));
    skep_json_put_f64(j, SKEP_STR("budget_remaining"), left);
    skep_json_put_str(j, SKEP_STR("status"), skep_api__slo_status(left));
}

static void slos(struct skep_api__job *job)
{
    struct skep_json *j = &job->out.json;
    struct skep_object *all;
    size_t n = 0;
    skep_err err;
    struct skep_api__hny_call c = {
        .job = job, .what = &skep_api__hny_slo, .alc = skep_json_alc(&job->budget)};
    skep_rc rc = skep_state_objects(job->api->cfg.state, SKEP_OBJECT_SLO, &job->opts.environment,
                                    NULL, &job->arena, &all, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("slos"));
    skep_json_array(j);
    for (size_t i = 0; i < n && !skep_api__canceled(job); i++) {
        skep_json_object(j);
        skep_json_put_str(j, SKEP_STR("dataset"), all[i].scope);
        put_report(job, &all[i]);
        skep_json_key(j, SKEP_STR("object"));
        skep_api__hny_put_object(&c, j, &all[i]);
        skep_json_end(j);
        skep_api__out_check(&job->out);
    }
    skep_json_end(j);
    skep_json_end(j);
    skep_api__out_end(&job->out);
}

/* Steps that cover the period up to now, each a whole number of minutes; the first begins at a
 * multiple of its length. */
static void steps_of(const struct skep_api__slo *slo, int64_t now_ns, size_t wanted,
                     int64_t *ret_start, int64_t *ret_step, size_t *ret_n)
{
    const int64_t minute = 60 * ns_per_s;
    int64_t start = now_ns - slo->period_ns;
    if (slo->reset_ns > start && slo->reset_ns < now_ns)
        start = slo->reset_ns;
    int64_t step = (now_ns - start) / (int64_t)wanted / minute * minute;
    *ret_step = SKEP_MAX(step, minute);
    *ret_start = start - start % *ret_step;
    *ret_n = (size_t)((now_ns - *ret_start) / *ret_step + 1);
}

static void put_burn(struct skep_api__job *job, const struct skep_api__slo *slo,
                     const struct skep_slo_counts *steps, size_t n, int64_t start_ns,
                     int64_t step_ns)
{
    struct skep_json *j = &job->out.json;
    struct skep_slo_counts all = {.total = 0}, so_far = {.total = 0};
    for (size_t i = 0; i < n; i++) {
        all.total += steps[i].total;
        all.good += steps[i].good;
    }
    skep_api__json_begin(job, 200);
    skep_json_object(j);
    put_counts(j, all);
    skep_json_put_f64(j, SKEP_STR("compliance"), skep_slo_compliance(all));
    skep_json_put_f64(j, SKEP_STR("budget_remaining"),
                      skep_slo_budget_remaining(all, slo->target_per_million));
    skep_json_put_i64_str(j, SKEP_STR("start_ns"), start_ns);
    skep_json_put_i64_str(j, SKEP_STR("step_ns"), step_ns);
    skep_json_key(j, SKEP_STR("steps"));
    skep_json_array(j);
    for (size_t i = 0; i < n; i++) {
        /* The whole period's budget, and what of it was spent up to the step's end. */
        so_far.total += steps[i].total;
        so_far.good += steps[i].good;
        const struct skep_slo_counts spent = {all.total, all.total - (so_far.total - so_far.good)};
        skep_json_object(j);
        put_counts(j, steps[i]);
        skep_json_put_f64(j, SKEP_STR("budget_remaining"),
                          skep_slo_budget_remaining(spent, slo->target_per_million));
        skep_json_end(j);
        skep_api__out_check(&job->out);
    }
    skep_json_end(j);
    skep_json_end(j);
    skep_api__out_end(&job->out);
}

void skep_api__slo_answer_burn(struct skep_api__job *job, const struct skep_api__slo *slo,
                               size_t wanted)
{
    size_t n;
    int64_t start_ns, step_ns;
    skep_err err;
    steps_of(slo, skep_api__now(job->api), wanted, &start_ns, &step_ns, &n);
    struct skep_slo_counts *steps = skep_new_n(&job->arena, struct skep_slo_counts, n);
    skep_rc rc = skep_api__slo_series(job->api, &job->opts, slo, start_ns, step_ns, steps, n, &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    else
        put_burn(job, slo, steps, n, start_ns, step_ns);
}

static void burn(struct skep_api__job *job)
{
    struct skep_object o;
    struct skep_api__slo slo;
    uint64_t wanted = STEPS_ABSENT;
    skep_err err;
    skep_str text = skep_api__param(job->req, SKEP_STR("steps"));
    if (text.n && (!skep_str_u64(text, &wanted) || wanted < 2 || wanted > STEPS_MAX)) {
        skep_api__fail_field(job, "steps", "2 to 1000");
        return;
    }
    skep_rc rc = skep_state_object(job->api->cfg.state, SKEP_OBJECT_SLO, job->opts.environment,
                                   skep_request_capture(job->req, 0), &job->arena, &o, &err);
    if (rc == SKEP_OK)
        rc = skep_api__slo_read(&job->arena, &o, &slo, &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    else
        skep_api__slo_answer_burn(job, &slo, (size_t)wanted);
}

SKEP_API__HANDLER(handle_alerts, alerts)
SKEP_API__HANDLER(handle_evaluations, evaluations)
SKEP_API__HANDLER(handle_evaluate, evaluate)
SKEP_API__HANDLER(handle_slos, slos)
SKEP_API__HANDLER(handle_burn, burn)

#define ROUTE(verb, address, function)                                                             \
    {                                                                                              \
        .method = (verb), .path = (address), .handle = (function), .refuse = skep_api__refuse,     \
        .body_limit_bytes = 1 << 16, .right = SKEP_RIGHT_QUERY, .form = SKEP_FORM_PAGE             \
    }
static const struct skep_route routes[] = {
    ROUTE("GET", "/skep/v1/alerts", handle_alerts),
    ROUTE("GET", "/skep/v1/alerts/:id/evaluations", handle_evaluations),
    ROUTE("POST", "/skep/v1/alerts/:id/evaluate", handle_evaluate),
    ROUTE("GET", "/skep/v1/slos", handle_slos),
    ROUTE("GET", "/skep/v1/slos/:id/burn", handle_burn),
};

const struct skep_api__routes skep_api__page_alerts = {routes, SKEP_ARRAY_LEN(routes)};
