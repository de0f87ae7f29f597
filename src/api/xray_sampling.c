// SPDX-License-Identifier: Apache-2.0
/* GetSamplingTargets, GetSamplingStatisticSummaries, and what the page asks of both.
 *
 *   client, every 10 s: "of Cruddur I saw 120, took 7, borrowed 1"
 *     -> the rule           unknown: UnprocessedStatistics, and the client fetches rules anew
 *     -> the sampler        quota (xray_sampler.c), sums of the ten seconds
 *     -> state              sums, once in ten seconds and before they are asked for
 *     <- fixed rate, quota and its end, interval, when rules changed last
 *
 * The end of a quota is told by the client's own clock, if that is at most MINUTES_APART off: a
 * client whose clock is wrong would otherwise never have a quota, or not give it up.
 *
 * GET /skep/v1/xray/sampling: rules, who uses them, what they let through, and the names of those
 * that let through less than everything.
 *
 * Threads: workers.  Memory: the request's arena. */
#include "api/xray_admin.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/log.h"

enum { DOCUMENTS_MAX = 25, PAGE_WINDOWS = 1000, UNKNOWN_RULE = 404 };
static const int64_t second_ns = 1000000000, clock_apart_ns = 300000000000;

/* Give state what has become due; what it cannot keep is lost, and said. */
static void keep(struct skep_api *api, bool all, struct skep_arena *arena)
{
    struct skep_state_xray_window *windows;
    skep_err err;
    skep_ts_ns now = skep_api__now(api);
    size_t n = skep_xray_sampler_take(api->sampler, now, all, arena, &windows);
    if (n > 0 && skep_state_xray_add_windows(api->cfg.state, windows, n, now, &err) != SKEP_OK)
        skep_log(WARN, "sampling statistics of ten seconds are lost",
                 SKEP_K_CSTR("error", err.text));
}

void skep_api__sampling_keep(struct skep_api *api)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "sampling", NULL);
    keep(api, true, &arena);
    skep_arena_done(&arena);
}

/* --- GetSamplingTargets --------------------------------------------------------------------------
 */

struct statistics {
    struct skep_xray_report report;
    skep_ts_ns time_ns; /* by the client's clock */
};

struct anomalies {
    skep_str rule;
    int64_t n;
};

struct targets {
    struct skep_api__xray *x;
    struct statistics statistics[DOCUMENTS_MAX];
    size_t n;
    struct anomalies anomalies[DOCUMENTS_MAX];
    size_t n_anomalies;
    struct skep_xray_rule *rules;
    size_t n_rules;
    int64_t modified_ns;
};

static uint64_t read_count(struct skep_api__xray *x, yyjson_val *obj, const char *key,
                           bool required)
{
    int64_t n = 0;
    (void)skep_aws_int(&x->args, obj, key, &(struct skep_aws_range){0, INT32_MAX, required}, &n);
    return (uint64_t)n;
}

static void read_statistics(struct targets *t, yyjson_val *obj)
{
    struct skep_api__xray *x = t->x;
    struct statistics *s = &t->statistics[t->n++];
    const struct skep_aws_len name = {1, 32, true}, client = {24, 24, true};
    s->report.environment = x->job->opts.environment;
    s->report.rule = skep_aws_str(&x->args, obj, "RuleName", &name);
    s->report.client = skep_aws_str(&x->args, obj, "ClientID", &client);
    (void)skep_aws_time(&x->args, obj, "Timestamp", true, &s->time_ns);
    s->report.requests = read_count(x, obj, "RequestCount", true);
    s->report.sampled = read_count(x, obj, "SampledCount", true);
    s->report.borrowed = read_count(x, obj, "BorrowCount", false);
    if (s->report.client.n > SKEP_XRAY_CLIENT_BYTES)
        skep_aws_wrong(&x->args, "ClientID", yyjson_obj_get(obj, "ClientID"),
                       "Member must be 24 hexadecimal digits");
}

static void read_anomalies(struct targets *t, yyjson_val *obj)
{
    struct skep_api__xray *x = t->x;
    struct anomalies *a = &t->anomalies[t->n_anomalies++];
    skep_ts_ns when;
    a->rule = skep_aws_str(&x->args, obj, "RuleName", &(struct skep_aws_len){1, 32, true});
    (void)skep_aws_str(&x->args, obj, "ServiceName", &(struct skep_aws_len){0, 64, true});
    (void)skep_aws_time(&x->args, obj, "Timestamp", true, &when);
    a->n = (int64_t)read_count(x, obj, "AnomalyCount", true);
    (void)read_count(x, obj, "TotalCount", true);
    (void)read_count(x, obj, "SampledAnomalyCount", true);
}

static void read_documents(struct targets *t, const char *key, bool required,
                           void (*read)(struct targets *, yyjson_val *))
{
    const struct skep_aws_len len = {.max = DOCUMENTS_MAX, .required = required};
    yyjson_val *list = skep_aws_list(&t->x->args, t->x->in, key, &len);
    size_t n = yyjson_arr_size(list);
    for (size_t i = 0; i < n && n <= DOCUMENTS_MAX; i++) {
        size_t mark = skep_aws_enter_item(&t->x->args, key, i);
        read(t, yyjson_arr_get(list, i));
        skep_aws_leave(&t->x->args, mark);
    }
}

static void put_boost(struct targets *t, const struct skep_xray_rule *rule, skep_ts_ns now_ns)
{
    uint64_t n = 0;
    skep_ts_ns until = 0;
    struct skep_json *json = &t->x->job->out.json;
    if (!rule->boosts)
        return;
    for (size_t i = 0; i < t->n_anomalies; i++)
        if (skep_str_eq(t->anomalies[i].rule, rule->name))
            n += (uint64_t)t->anomalies[i].n;
    if (!skep_xray_sampler_boost(t->x->job->api->sampler, t->x->job->opts.environment, rule->name,
                                 n, rule->boost_cooldown_min * 60 * second_ns, now_ns, &until))
        return;
    skep_json_key(json, SKEP_STR("SamplingBoost"));
    skep_json_object(json);
    skep_json_put_f64(json, SKEP_STR("BoostRate"), rule->boost_rate);
    skep_api__xray_put_time(json, SKEP_STR("BoostRateTTL"), until);
    skep_json_end(json);
}

static void put_target(struct targets *t, const struct statistics *s,
                       const struct skep_xray_rule *rule)
{
    struct skep_api *api = t->x->job->api;
    struct skep_json *json = &t->x->job->out.json;
    skep_ts_ns now = skep_api__now(api), end = now;
    uint32_t quota =
        skep_xray_sampler_report(api->sampler, &s->report, (uint32_t)rule->reservoir, now);
    if (s->time_ns > now - clock_apart_ns && s->time_ns < now + clock_apart_ns)
        end = s->time_ns;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("RuleName"), rule->name);
    skep_json_put_f64(json, SKEP_STR("FixedRate"), rule->fixed_rate);
    skep_json_put_u64(json, SKEP_STR("ReservoirQuota"), quota);
    skep_api__xray_put_time(json, SKEP_STR("ReservoirQuotaTTL"), end + SKEP_XRAY_QUOTA_NS);
    skep_json_put_i64(json, SKEP_STR("Interval"), SKEP_XRAY_INTERVAL_S);
    put_boost(t, rule, now);
    skep_json_end(json);
}

static void put_unprocessed(struct skep_json *json, skep_str rule)
{
    char code[8];
    (void)snprintf(code, sizeof code, "%d", UNKNOWN_RULE);
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("RuleName"), rule);
    skep_json_put_str(json, SKEP_STR("ErrorCode"), skep_str_c(code));
    skep_json_put_str(json, SKEP_STR("Message"), SKEP_STR("The rule does not exist"));
    skep_json_end(json);
}

static void answer_targets(struct targets *t)
{
    struct skep_json *json = skep_api__xray_begin(t->x);
    skep_json_key(json, SKEP_STR("SamplingTargetDocuments"));
    skep_json_array(json);
    for (size_t i = 0; i < t->n; i++) {
        const struct statistics *s = &t->statistics[i];
        const struct skep_xray_rule *rule =
            skep_api__xray_rule_find(t->rules, t->n_rules, s->report.rule);
        if (rule)
            put_target(t, s, rule);
    }
    skep_json_end(json);
    skep_api__xray_put_time(json, SKEP_STR("LastRuleModification"), t->modified_ns);
    skep_json_key(json, SKEP_STR("UnprocessedStatistics"));
    skep_json_array(json);
    for (size_t i = 0; i < t->n; i++)
        if (!skep_api__xray_rule_find(t->rules, t->n_rules, t->statistics[i].report.rule))
            put_unprocessed(json, t->statistics[i].report.rule);
    skep_json_end(json);
    skep_json_key(json, SKEP_STR("UnprocessedBoostStatistics"));
    skep_json_array(json);
    for (size_t i = 0; i < t->n_anomalies; i++)
        if (!skep_api__xray_rule_find(t->rules, t->n_rules, t->anomalies[i].rule))
            put_unprocessed(json, t->anomalies[i].rule);
    skep_json_end(json);
    skep_api__xray_end(t->x);
}

void skep_api__xray_get_sampling_targets(struct skep_api__xray *x)
{
    struct targets t = {.x = x};
    skep_err err;
    read_documents(&t, "SamplingStatisticsDocuments", true, read_statistics);
    read_documents(&t, "SamplingBoostStatisticsDocuments", false, read_anomalies);
    if (!skep_api__xray_valid(x))
        return;
    keep(x->job->api, false, &x->job->arena); /* before what is reported now */
    skep_rc rc = skep_api__xray_rules(x->job, &t.rules, &t.n_rules, &err);
    if (rc == SKEP_OK)
        rc = skep_state_xray_rules_modified(x->job->api->cfg.state, x->job->opts.environment,
                                            &t.modified_ns, &err);
    if (rc == SKEP_OK)
        answer_targets(&t);
    else
        skep_api__xray_fail_rc(x, rc, &err);
}

/* --- GetSamplingStatisticSummaries ---------------------------------------------------------------
 */

static skep_rc load_windows(struct skep_api__job *job, skep_ts_ns since_ns,
                            struct skep_state_xray_window **ret, size_t *ret_n, skep_err *err)
{
    keep(job->api, true, &job->arena);
    return skep_state_xray_windows(job->api->cfg.state, job->opts.environment, since_ns,
                                   &job->arena, ret, ret_n, err);
}

static void put_summary(struct skep_json *json, const struct skep_state_xray_window *w)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("RuleName"), w->rule);
    skep_api__xray_put_time(json, SKEP_STR("Timestamp"), w->start_ns);
    skep_json_put_u64(json, SKEP_STR("RequestCount"), w->requests);
    skep_json_put_u64(json, SKEP_STR("BorrowCount"), w->borrowed);
    skep_json_put_u64(json, SKEP_STR("SampledCount"), w->sampled);
    skep_json_end(json);
}

void skep_api__xray_get_sampling_statistic_summaries(struct skep_api__xray *x)
{
    struct skep_state_xray_window *w;
    uint8_t next[8];
    size_t n, i = 0;
    skep_err err;
    skep_bytes position;
    skep_ts_ns since = skep_api__now(x->job->api) - SKEP_STATE_XRAY_KEPT_NS;
    if (!skep_api__xray_token(x, &position))
        return;
    if (position.n == sizeof next)
        since = SKEP_MAX(since, (skep_ts_ns)skep_load_le64(position.p));
    skep_rc rc = load_windows(x->job, since, &w, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__xray_fail_rc(x, rc, &err);
        return;
    }
    struct skep_json *json = skep_api__xray_begin(x);
    skep_json_key(json, SKEP_STR("SamplingStatisticSummaries"));
    skep_json_array(json);
    for (; i < n; i++) { /* a page ends between two moments */
        if (i >= PAGE_WINDOWS && w[i].start_ns != w[i - 1].start_ns)
            break;
        put_summary(json, &w[i]);
    }
    skep_json_end(json);
    if (i < n) {
        skep_store_le64(next, (uint64_t)w[i].start_ns);
        skep_api__xray_put_token(x, (skep_bytes){next, sizeof next});
    }
    skep_api__xray_end(x);
}

/* --- the page ------------------------------------------------------------------------------------
 */

static void put_seen(struct skep_json *json, skep_str rule, const struct skep_state_xray_window *w,
                     size_t n)
{
    uint64_t requests = 0, borrowed = 0, sampled = 0;
    skep_json_key(json, SKEP_STR("windows")); /* [begin, seen, taken] */
    skep_json_array(json);
    for (size_t i = 0; i < n; i++) {
        if (!skep_str_eq(w[i].rule, rule))
            continue;
        requests += w[i].requests;
        borrowed += w[i].borrowed;
        sampled += w[i].sampled;
        skep_json_array(json);
        skep_json_i64(json, w[i].start_ns / 1000000);
        skep_json_u64(json, w[i].requests);
        skep_json_u64(json, w[i].sampled + w[i].borrowed);
        skep_json_end(json);
    }
    skep_json_end(json);
    skep_json_put_u64(json, SKEP_STR("requests"), requests);
    skep_json_put_u64(json, SKEP_STR("borrowed"), borrowed);
    skep_json_put_u64(json, SKEP_STR("sampled"), sampled);
}

static void put_rule(struct skep_api__job *job, const struct skep_xray_rule *r,
                     const struct skep_state_xray_window *w, size_t n)
{
    unsigned clients;
    uint64_t quota;
    struct skep_json *json = &job->out.json;
    skep_xray_sampler_clients(job->api->sampler, job->opts.environment, r->name,
                              skep_api__now(job->api), &clients, &quota);
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("name"), r->name);
    skep_json_put_i64(json, SKEP_STR("priority"), r->priority);
    skep_json_put_f64(json, SKEP_STR("fixed_rate"), r->fixed_rate);
    skep_json_put_i64(json, SKEP_STR("reservoir"), r->reservoir);
    skep_json_put_str(json, SKEP_STR("service"), r->service);
    skep_json_put_str(json, SKEP_STR("service_type"), r->type);
    skep_json_put_str(json, SKEP_STR("host"), r->host);
    skep_json_put_str(json, SKEP_STR("method"), r->method);
    skep_json_put_str(json, SKEP_STR("path"), r->path);
    skep_json_put_str(json, SKEP_STR("resource_arn"), r->resource_arn);
    skep_json_key(json, SKEP_STR("attributes"));
    skep_json_raw(json, r->attributes);
    skep_json_put_u64(json, SKEP_STR("clients"), clients);
    skep_json_put_u64(json, SKEP_STR("quota"), quota);
    put_seen(json, r->name, w, n);
    skep_json_end(json);
}

/* Rules through which less than everything went in the last hour. */
static void put_below(struct skep_json *json, const struct skep_xray_rule *rules, size_t n_rules,
                      const struct skep_state_xray_window *w, size_t n)
{
    skep_json_key(json, SKEP_STR("below"));
    skep_json_array(json);
    for (size_t i = 0; i < n_rules; i++) {
        uint64_t seen = 0, taken = 0;
        for (size_t k = 0; k < n; k++) {
            bool own = skep_str_eq(w[k].rule, rules[i].name);
            seen += own ? w[k].requests : 0;
            taken += own ? w[k].sampled + w[k].borrowed : 0;
        }
        if (taken < seen)
            skep_json_str(json, rules[i].name);
    }
    skep_json_end(json);
}

static void get_sampling(struct skep_api__job *job)
{
    struct skep_xray_rule *rules;
    struct skep_state_xray_window *w;
    size_t n_rules, n;
    skep_err err;
    skep_ts_ns since = skep_api__now(job->api) - SKEP_STATE_XRAY_KEPT_NS;
    skep_rc rc = skep_api__xray_rules(job, &rules, &n_rules, &err);
    if (rc == SKEP_OK)
        rc = load_windows(job, since, &w, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__job_fail_rc(job, rc, &err);
        return;
    }
    skep_api__json_begin(job, 200);
    struct skep_json *json = &job->out.json;
    skep_json_object(json);
    skep_json_put_i64(json, SKEP_STR("window_s"), SKEP_STATE_XRAY_WINDOW_NS / second_ns);
    skep_json_put_i64(json, SKEP_STR("kept_s"), SKEP_STATE_XRAY_KEPT_NS / second_ns);
    skep_json_key(json, SKEP_STR("rules"));
    skep_json_array(json);
    for (size_t i = 0; i < n_rules; i++)
        put_rule(job, &rules[i], w, n);
    skep_json_end(json);
    put_below(json, rules, n_rules, w, n);
    skep_json_end(json);
    skep_api__out_end(&job->out);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, get_sampling);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/xray/sampling",
     .handle = handle,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_sampling = {routes, SKEP_ARRAY_LEN(routes)};
