// SPDX-License-Identifier: Apache-2.0
/* GET /skep/v1/logs-metric: what a metric filter counts, over time.
 *
 *   lines of the group that came after the filter was made, and match -> periods:
 *     matches   how many
 *     values    sum of metricValue: a number each, or the number that the line has at $.field
 *
 * Where metricValue is a number the engine counts (AGGREGATE); else the matching lines are read and
 * looked at, LOOK_ROWS at a time.
 *
 * Threads: workers.  Memory: the request's arena, reset a fetch. */
#include "api/logs_filters.h"

#include "base/assert.h"
#include "lang/logs_pattern.h"

enum { LOOK_ROWS = 2000 };

struct metric {
    skep_str group, pattern, name, space, value, fallback;
    skep_ts_ns created_ns;
    double each; /* of a match, when value is a number */
    bool is_number;
};

struct series {
    skep_ts_ns start_ns;
    int64_t period_ns;
    size_t n;
    uint64_t *matches, *lines;
    double *values;
};

static bool fail(struct skep_api__job *job, int status, const char *field, const char *text)
{
    skep_api__job_fail(job, &(struct skep_api__error){.status = status,
                                                      .field = skep_str_c(field),
                                                      .text = skep_str_c(text)});
    return false;
}

static skep_str text_of(struct skep_api__job *job, yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    if (yyjson_is_num(v)) {
        char number[SKEP_JSON_NUMBER_BYTES];
        size_t n = skep_json_f64_text(yyjson_get_num(v), number);
        return skep_arena_str(&job->arena, (skep_str){number, n});
    }
    return skep_arena_str(&job->arena, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
}

/* False after an error was sent. */
static bool read_metric(struct skep_api__job *job, struct metric *ret)
{
    skep_err err;
    struct skep_state_log_item item;
    skep_str group = skep_api__param(job->req, SKEP_STR("logGroupName"));
    skep_str name = skep_api__param(job->req, SKEP_STR("filterName"));
    skep_rc rc =
        skep_state_log_item(job->api->cfg.state, job->opts.environment,
                            SKEP_STATE_LOG_METRIC_FILTER, group, name, &job->arena, &item, &err);
    if (rc == SKEP_ENOTFOUND)
        return fail(job, 404, "filterName", "The specified metric filter does not exist.");
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return false;
    }
    yyjson_doc *doc = yyjson_read(item.body.p, item.body.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *t = yyjson_arr_get_first(yyjson_obj_get(root, "metricTransformations"));
    *ret = (struct metric){.group = skep_arena_str(&job->arena, group),
                           .pattern = text_of(job, root, "filterPattern"),
                           .name = text_of(job, t, "metricName"),
                           .space = text_of(job, t, "metricNamespace"),
                           .value = text_of(job, t, "metricValue"),
                           .fallback = text_of(job, t, "defaultValue"),
                           .created_ns = item.created_ns};
    ret->is_number = skep_str_f64(ret->value, &ret->each);
    yyjson_doc_free(doc);
    return true;
}

static bool read_series(struct skep_api__job *job, struct series *ret)
{
    struct skep_plan scope = {0};
    uint64_t period = 60;
    skep_str text = skep_api__param(job->req, SKEP_STR("period"));
    if (!skep_api__scope(job, &scope))
        return false;
    if (text.n && (!skep_str_u64(text, &period) || period < 1 || period > 86400 * 366))
        return fail(job, 400, "period", "period must be a whole number of seconds");
    ret->period_ns = (int64_t)period * 1000000000;
    ret->start_ns = scope.range.start_ns / ret->period_ns * ret->period_ns;
    uint64_t n = ((uint64_t)(scope.range.end_ns - ret->start_ns) + (uint64_t)ret->period_ns - 1) /
                 (uint64_t)ret->period_ns;
    if (n > SKEP_LIMIT_PLAN_BUCKETS)
        return fail(job, 400, "period", "at most 4096 periods: a longer period or a shorter range");
    ret->n = (size_t)n;
    ret->matches = skep_new_n(&job->arena, uint64_t, ret->n);
    ret->lines = skep_new_n(&job->arena, uint64_t, ret->n);
    ret->values = skep_new_n(&job->arena, double, ret->n);
    return true;
}

/* Lines that came since the filter was made. */
static struct skep_expr *since(struct skep_arena *a, skep_ts_ns ns)
{
    struct skep_expr *e = skep_new(a, struct skep_expr);
    skep_value *v = skep_new(a, skep_value);
    *v = (skep_value){.type = SKEP_TYPE_INT, .i = ns};
    e->op = SKEP_EXPR_TEST;
    e->test = (struct skep_test){.field = {.name = SKEP_STR("meta.received_ns")},
                                 .op = SKEP_CMP_GE,
                                 .values = v,
                                 .n_values = 1};
    return e;
}

/* Rows by period that pass the filter. */
static skep_rc count(struct skep_api__job *job, const struct metric *m, const struct series *s,
                     const struct skep_expr *filter, uint64_t *ret, skep_err *err)
{
    static const struct skep_agg rows = {.op = SKEP_AGG_COUNT, .key = SKEP_STR_INIT("rows")};
    struct skep_result *r;
    struct skep_plan *plan = skep_new(&job->arena, struct skep_plan);
    *plan = (struct skep_plan){.kind = SKEP_PLAN_AGGREGATE,
                               .range = {s->start_ns, s->start_ns + (int64_t)s->n * s->period_ns},
                               .dataset = m->group,
                               .filter = filter,
                               .aggs = &rows,
                               .n_aggs = 1,
                               .ignore_sample_rate = true,
                               .granularity_ns = s->period_ns};
    SKEP_TRY(skep_query_aggregate(job->api->cfg.store, plan, &job->opts, &r, err));
    for (unsigned b = 0; b < r->n_buckets && r->totals.series; b++) {
        int64_t at = (r->bucket_starts[b] - s->start_ns) / s->period_ns;
        if (at >= 0 && (size_t)at < s->n && r->totals.series[b].kind == SKEP_CELL_INT)
            ret[at] = (uint64_t)r->totals.series[b].i;
    }
    return SKEP_OK;
}

static void add_value(const struct series *s, const struct metric *m,
                      const struct skep_logs_pattern *p, const struct skep_logs_line *line,
                      struct skep_arena *arena)
{
    skep_str text;
    double v;
    size_t at = (size_t)((line->place.time_ns - s->start_ns) / s->period_ns);
    if (at < s->n && skep_logs_pattern_value(p, m->value, line->message, arena, &text) &&
        skep_str_f64(text, &v))
        s->values[at] += v;
}

/* Matching lines, looked at one by one. */
static skep_rc add_values(struct skep_api__job *job, const struct metric *m, const struct series *s,
                          const struct skep_logs_pattern *p, const struct skep_expr *filter,
                          skep_err *err)
{
    struct skep_arena round;
    struct skep_plan plan = skep_api__logs_plan(m->group, filter, LOOK_ROWS);
    struct skep_run_opts opts = job->opts;
    skep_rc rc = SKEP_OK;
    plan.range = (struct skep_time_range){s->start_ns, s->start_ns + (int64_t)s->n * s->period_ns};
    skep_arena_init(&round, "metric", &job->budget);
    opts.arena = &round;
    for (bool more = true; more && rc == SKEP_OK;) {
        struct skep_answer a = {0};
        skep_arena_reset(&round);
        rc = skep_query_run(job->api->cfg.store, &plan, &opts, &a, err);
        more = rc == SKEP_OK && a.rows.more;
        for (size_t i = 0; rc == SKEP_OK && i < a.rows.n; i++) {
            struct skep_logs_line line = skep_api__logs_line(&round, &a.rows.rows[i]);
            add_value(s, m, p, &line, &round);
            plan.has_cursor = true;
            plan.cursor_time_ns = line.place.time_ns;
            plan.cursor_id = line.place.id;
        }
    }
    skep_arena_done(&round);
    return rc;
}

static void answer(struct skep_api__job *job, const struct metric *m, const struct series *s)
{
    double fallback = 0;
    bool falls = skep_str_f64(m->fallback, &fallback);
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_api__logs_put(json, "metricName", m->name);
    skep_api__logs_put(json, "metricNamespace", m->space);
    skep_api__logs_put_time(json, "start_ms", s->start_ns);
    skep_json_put_i64(json, SKEP_STR("period_ms"), s->period_ns / 1000000);
    skep_json_key(json, SKEP_STR("matches"));
    skep_json_array(json);
    for (size_t i = 0; i < s->n; i++)
        skep_json_u64(json, s->matches[i]);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("values"));
    skep_json_array(json);
    for (size_t i = 0; i < s->n; i++) {
        if (s->matches[i])
            skep_json_f64(json, m->is_number ? m->each * (double)s->matches[i] : s->values[i]);
        else if (s->lines[i] && falls)
            skep_json_f64(json, fallback);
        else
            skep_json_null(json);
    }
    skep_json_end(json);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void metric(struct skep_api__job *job)
{
    skep_err err;
    struct metric m;
    struct series s;
    struct skep_lang_issue issue;
    const struct skep_logs_pattern *p;
    job->opts.also = NULL;
    if (!read_metric(job, &m) || !read_series(job, &s))
        return;
    struct skep_arena *a = &job->arena;
    if (skep_logs_pattern_parse(m.pattern, a, &p, &issue) != SKEP_OK) { /* was read when kept */
        skep_api__job_fail_issue(job, &issue);
        return;
    }
    const struct skep_expr *lines =
        skep_logs_rows_and(a, skep_logs_rows_of_group(a, m.group), since(a, m.created_ns));
    const struct skep_expr *filter = skep_logs_rows_and(a, lines, skep_logs_pattern_filter(p, a));
    skep_rc rc = count(job, &m, &s, lines, s.lines, &err);
    if (rc == SKEP_OK)
        rc = count(job, &m, &s, filter, s.matches, &err);
    if (rc == SKEP_OK && !m.is_number)
        rc = add_values(job, &m, &s, p, filter, &err);
    if (rc != SKEP_OK)
        skep_api__job_fail_rc(job, rc, &err);
    else
        answer(job, &m, &s);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, metric);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/logs-metric",
     .handle = handle,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_logs_metric = {routes, SKEP_ARRAY_LEN(routes)};
