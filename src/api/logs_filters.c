// SPDX-License-Identifier: Apache-2.0
/* Metric filters and subscription filters of log groups: keeping, listing, trying them.
 *
 *   state: (group, filter name) -> the members that were sent, as JSON
 *
 * A metric filter is a question about lines that are there: what it counts is counted when asked
 * (logs_metrics.c), over lines that came after it was made.  A subscription filter sends lines to
 * an URL (logs_subscriptions.c).
 *
 * I1  A pattern that is kept was read without a mistake.
 * Threads: workers.  Memory: the request's arena. */
#include "api/logs_filters.h"

#include "base/assert.h"
#include "fetch/fetch.h"
#include "lang/logs_pattern.h"

enum { VALUES_MAX = 3, MESSAGES_MAX = 50, ITEM_BYTES_MAX = 64 << 10, TRY_MS = 5000 };

static const struct skep_aws_len pattern_len = {0, 1024, true};

/* The pattern, read; NULL after an error was sent. */
static const struct skep_logs_pattern *compile(struct skep_api__logs *l, skep_str text)
{
    struct skep_lang_issue issue;
    const struct skep_logs_pattern *p = NULL;
    if (skep_logs_pattern_parse(text, &l->job->arena, &p, &issue) == SKEP_OK)
        return p;
    skep_api__logs_fail(l, SKEP_LOGS_INVALID, "Invalid filter pattern: %s", issue.text);
    return NULL;
}

/* "filterPattern" must be there, but may be empty. */
static skep_str read_pattern(struct skep_api__logs *l)
{
    yyjson_val *v = yyjson_obj_get(l->in, "filterPattern");
    skep_str s = skep_aws_str(&l->args, l->in, "filterPattern", &pattern_len);
    return yyjson_is_str(v) ? (s.p ? s : SKEP_STR("")) : s;
}

// --- keeping -----------------------------------------------------------------------------------

/* The named members of the request as an object; they are given back as they came. */
static skep_str members_of(struct skep_api__logs *l, const char *const *names, size_t n)
{
    struct skep_buf buf;
    struct skep_json json;
    skep_buf_init(&buf, ITEM_BYTES_MAX);
    skep_json_init(&json, &buf);
    skep_json_object(&json);
    for (size_t i = 0; i < n; i++) {
        yyjson_val *v = yyjson_obj_get(l->in, names[i]);
        if (!v || yyjson_is_null(v))
            continue;
        skep_json_key(&json, skep_str_c(names[i]));
        skep_api__logs_put_value(&json, v);
    }
    skep_json_end(&json);
    skep_str s = buf.bad ? SKEP_STR_NULL : skep_arena_str(&l->job->arena, skep_buf_text(&buf));
    skep_buf_done(&buf);
    return s;
}

static void keep(struct skep_api__logs *l, enum skep_state_log_kind kind, skep_str group,
                 skep_str name, skep_str body)
{
    skep_err err;
    struct skep_store *store = l->job->api->cfg.store;
    /* It begins with lines that come from now on. */
    struct skep_state_log_item item = {.group = group,
                                       .name = name,
                                       .body = body,
                                       .at_seq = store->ops->visible(store),
                                       .at_ordinal = UINT32_MAX};
    if (body.n == 0) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "the filter is too large");
        return;
    }
    skep_rc rc = skep_state_log_item_put(l->job->api->cfg.state, l->job->opts.environment, kind,
                                         &item, &err);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    skep_api__logs_changed(l, skep_arena_printf(&l->job->arena, SKEP_STRFMT " " SKEP_STRFMT,
                                                SKEP_STRARG(group), SKEP_STRARG(name)));
    skep_api__logs_done(l);
}

static void drop(struct skep_api__logs *l, enum skep_state_log_kind kind, const char *missing)
{
    skep_err err;
    skep_str group = skep_api__logs_name(l, "logGroupName", true);
    skep_str name = skep_api__logs_name(l, "filterName", true);
    if (!skep_api__logs_valid(l) || !skep_api__logs_group_exists(l, group))
        return;
    skep_rc rc = skep_state_log_item_drop(l->job->api->cfg.state, l->job->opts.environment, kind,
                                          group, name, &err);
    if (rc == SKEP_ENOTFOUND) {
        skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND, "%s", missing);
        return;
    }
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    skep_api__logs_changed(l, skep_arena_printf(&l->job->arena, SKEP_STRFMT " " SKEP_STRFMT,
                                                SKEP_STRARG(group), SKEP_STRARG(name)));
    skep_api__logs_done(l);
}

// --- listing -----------------------------------------------------------------------------------

static void put_item(struct skep_api__logs *l, const struct skep_state_log_item *item)
{
    struct skep_json *json = &l->job->out.json;
    size_t i, max;
    yyjson_val *key, *v;
    yyjson_doc *doc = yyjson_read(item->body.p, item->body.n, 0);
    skep_json_object(json);
    skep_api__logs_put(json, "filterName", item->name);
    skep_api__logs_put(json, "logGroupName", item->group);
    skep_api__logs_put_time(json, "creationTime", item->created_ns);
    yyjson_obj_foreach(yyjson_doc_get_root(doc), i, max, key, v)
    {
        skep_json_key(json, (skep_str){yyjson_get_str(key), yyjson_get_len(key)});
        skep_api__logs_put_value(json, v);
    }
    skep_json_put_bool(json, SKEP_STR("applyOnTransformedLogs"), false);
    skep_json_end(json);
    yyjson_doc_free(doc);
}

struct listing {
    const char *key; /* of the answer */
    skep_str group, prefix, metric, space;
    unsigned limit;
};

/* Does one of its metrics have the name? */
static bool has_metric(const struct skep_state_log_item *item, const struct listing *w)
{
    if (w->metric.n == 0 && w->space.n == 0)
        return true;
    yyjson_doc *doc = yyjson_read(item->body.p, item->body.n, 0);
    yyjson_val *t =
        yyjson_arr_get_first(yyjson_obj_get(yyjson_doc_get_root(doc), "metricTransformations"));
    bool same = yyjson_equals_strn(yyjson_obj_get(t, "metricName"), w->metric.p, w->metric.n) &&
                yyjson_equals_strn(yyjson_obj_get(t, "metricNamespace"), w->space.p, w->space.n);
    yyjson_doc_free(doc);
    return same;
}

/* Its token: group, NUL, name of the last. */
static skep_str place_of(struct skep_arena *a, const struct skep_state_log_item *item)
{
    char *p = skep_arena_alloc(a, item->group.n + item->name.n + 1);
    memcpy(p, item->group.p, item->group.n);
    memcpy(p + item->group.n + 1, item->name.p, item->name.n);
    return (skep_str){p, item->group.n + item->name.n + 1};
}

static void answer_list(struct skep_api__logs *l, enum skep_state_log_kind kind,
                        const struct listing *w)
{
    skep_err err;
    skep_bytes position;
    struct skep_state_log_item *items;
    const struct skep_state_log_item *last = NULL;
    size_t n;
    unsigned done = 0;
    bool more = false;
    if (!skep_api__logs_token(l, &position) ||
        (w->group.n && !skep_api__logs_group_exists(l, w->group)))
        return;
    skep_rc rc = skep_state_log_items(l->job->api->cfg.state, l->job->opts.environment, kind,
                                      w->group, &l->job->arena, &items, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, skep_str_c(w->key));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++) {
        skep_str at = place_of(&l->job->arena, &items[i]);
        if ((position.n && skep_str_cmp(at, skep_bytes_str(position)) <= 0) ||
            !skep_str_starts(items[i].name, w->prefix) || !has_metric(&items[i], w))
            continue;
        more = done == w->limit;
        if (more)
            break;
        put_item(l, &items[i]);
        last = &items[i];
        done++;
    }
    skep_json_end(json);
    if (more)
        skep_api__logs_put_token(l, skep_str_bytes(place_of(&l->job->arena, last)));
    skep_api__logs_end(l);
}

// --- metric filters ----------------------------------------------------------------------------

/* What is wrong with a transformation beyond its members; NULL = nothing. */
static const char *transformation_fault(const struct skep_logs_pattern *p, yyjson_val *t)
{
    yyjson_val *dimensions = yyjson_obj_get(t, "dimensions"),
               *value = yyjson_obj_get(t, "metricValue");
    enum skep_logs_kind kind = skep_logs_pattern_kind(p);
    bool structured = kind == SKEP_LOGS_JSON || kind == SKEP_LOGS_FIELDS;
    double number;
    skep_str text = {yyjson_get_str(value), yyjson_get_len(value)};
    if (yyjson_obj_size(dimensions) > 0 && yyjson_obj_get(t, "defaultValue"))
        return "Invalid metric transformation: dimensions and default value are mutually exclusive "
               "properties.";
    if (yyjson_obj_size(dimensions) > 0 && !structured)
        return "Invalid metric transformation: dimensions need a JSON or a fields pattern.";
    if (yyjson_obj_size(dimensions) > VALUES_MAX)
        return "Invalid metric transformation: at most 3 dimensions.";
    if (!skep_str_f64(text, &number) && !(structured && skep_str_starts(text, SKEP_STR("$"))))
        return "Invalid metric transformation: metricValue must be a number, or what a JSON or a "
               "fields pattern names ($.latency, $bytes).";
    return NULL;
}

static yyjson_val *read_transformation(struct skep_api__logs *l)
{
    const struct skep_aws_len name = {1, 255, true}, value = {1, 100, true};
    double number;
    yyjson_val *list =
        skep_aws_list(&l->args, l->in, "metricTransformations", &(struct skep_aws_len){1, 1, true});
    yyjson_val *t = yyjson_arr_get_first(list);
    if (!t)
        return NULL;
    size_t mark = skep_aws_enter_item(&l->args, "metricTransformations", 0);
    (void)skep_aws_str(&l->args, t, "metricName", &name);
    (void)skep_aws_str(&l->args, t, "metricNamespace", &name);
    (void)skep_aws_str(&l->args, t, "metricValue", &value);
    (void)skep_aws_number(&l->args, t, "defaultValue",
                          &(struct skep_aws_range){-1.7e308, 1.7e308, false}, &number);
    (void)skep_aws_object(&l->args, t, "dimensions", false);
    skep_aws_leave(&l->args, mark);
    return t;
}

void skep_api__logs_put_metric_filter(struct skep_api__logs *l)
{
    static const char *const kept[] = {"filterPattern", "metricTransformations"};
    skep_str group = skep_api__logs_name(l, "logGroupName", true);
    skep_str name = skep_api__logs_name(l, "filterName", true);
    skep_str pattern = read_pattern(l);
    yyjson_val *t = read_transformation(l);
    if (!skep_api__logs_valid(l) || !skep_api__logs_group_exists(l, group))
        return;
    const struct skep_logs_pattern *p = compile(l, pattern);
    if (!p)
        return;
    const char *fault = transformation_fault(p, t);
    if (fault)
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "%s", fault);
    else
        keep(l, SKEP_STATE_LOG_METRIC_FILTER, group, name,
             members_of(l, kept, SKEP_ARRAY_LEN(kept)));
}

void skep_api__logs_delete_metric_filter(struct skep_api__logs *l)
{
    drop(l, SKEP_STATE_LOG_METRIC_FILTER, "The specified metric filter does not exist.");
}

void skep_api__logs_describe_metric_filters(struct skep_api__logs *l)
{
    struct listing w = {.key = "metricFilters", .limit = skep_api__logs_limit(l, 50, 50)};
    w.group = skep_api__logs_name(l, "logGroupName", false);
    w.prefix = skep_api__logs_name(l, "filterNamePrefix", false);
    w.metric = skep_aws_str(&l->args, l->in, "metricName", &(struct skep_aws_len){0, 255, false});
    w.space =
        skep_aws_str(&l->args, l->in, "metricNamespace", &(struct skep_aws_len){0, 255, false});
    if (!skep_api__logs_valid(l))
        return;
    if ((w.metric.n == 0) != (w.space.n == 0)) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                            "metricName and metricNamespace must be given together");
        return;
    }
    answer_list(l, SKEP_STATE_LOG_METRIC_FILTER, &w);
}

static void put_match(struct skep_api__logs *l, const struct skep_logs_pattern *p, skep_str message,
                      size_t number)
{
    struct skep_json *json = &l->job->out.json;
    struct skep_logs_value *values;
    size_t n;
    skep_logs_pattern_extract(p, message, &l->job->arena, &values, &n);
    skep_json_object(json);
    skep_json_put_u64(json, SKEP_STR("eventNumber"), number);
    skep_api__logs_put(json, "eventMessage", message);
    skep_json_key(json, SKEP_STR("extractedValues"));
    skep_json_object(json);
    for (size_t i = 0; i < n; i++)
        skep_json_put_str(json, values[i].name, values[i].value);
    skep_json_end(json);
    skep_json_end(json);
}

void skep_api__logs_test_metric_filter(struct skep_api__logs *l)
{
    size_t i, max;
    yyjson_val *v;
    skep_str text = read_pattern(l);
    yyjson_val *list = skep_aws_list(&l->args, l->in, "logEventMessages",
                                     &(struct skep_aws_len){1, MESSAGES_MAX, true});
    if (!skep_api__logs_valid(l))
        return;
    const struct skep_logs_pattern *p = compile(l, text);
    if (!p)
        return;
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, SKEP_STR("matches"));
    skep_json_array(json);
    yyjson_arr_foreach(list, i, max, v)
    {
        skep_str message = {yyjson_get_str(v), yyjson_get_len(v)};
        if (yyjson_is_str(v) && skep_logs_pattern_matches(p, message))
            put_match(l, p, message, i + 1);
    }
    skep_json_end(json);
    skep_api__logs_end(l);
}

// --- subscription filters ----------------------------------------------------------------------

/* A message without lines, as AWS sends one: whoever is there answers 2xx. */
static bool destination_answers(struct skep_api__logs *l, skep_str group, skep_str name,
                                const char *url)
{
    struct skep_buf body, answer;
    const struct skep_logs_delivery d = {.group = group, .filter = name, .stream = SKEP_STR("")};
    int status = 0;
    skep_err err = {.text = ""};
    skep_buf_init(&body, 8192);
    skep_buf_init(&answer, 64 << 10);
    skep_logs_delivery_write(&d, &body);
    skep_rc rc = skep_logs_delivery_send(l->job->api, url, &body, TRY_MS, &answer, &status, &err);
    skep_buf_done(&body);
    skep_buf_done(&answer);
    if (rc == SKEP_OK && status / 100 == 2)
        return true;
    skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                        "Could not deliver test message to specified destination. Check if the "
                        "destination is valid. (%s%d)",
                        rc == SKEP_OK ? "it answered " : err.text, rc == SKEP_OK ? status : 0);
    return false;
}

void skep_api__logs_put_subscription_filter(struct skep_api__logs *l)
{
    static const char *const kept[] = {"filterPattern", "destinationArn", "roleArn",
                                       "distribution"};
    static const char *const ways[] = {"Random", "ByLogStream"};
    skep_str group = skep_api__logs_name(l, "logGroupName", true);
    skep_str name = skep_api__logs_name(l, "filterName", true);
    skep_str pattern = read_pattern(l);
    skep_str url =
        skep_aws_str(&l->args, l->in, "destinationArn", &(struct skep_aws_len){1, 2048, true});
    (void)skep_aws_enum(&l->args, l->in, "distribution", false, ways, SKEP_ARRAY_LEN(ways));
    if (!skep_api__logs_valid(l) || !skep_api__logs_group_exists(l, group) || !compile(l, pattern))
        return;
    if (!skep_str_starts(url, SKEP_STR("http://")) && !skep_str_starts(url, SKEP_STR("https://"))) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                            "destinationArn must be an URL: https://example.org/hook");
        return;
    }
    if (destination_answers(l, group, name, skep_cstr(&l->job->arena, url)))
        keep(l, SKEP_STATE_LOG_SUBSCRIPTION_FILTER, group, name,
             members_of(l, kept, SKEP_ARRAY_LEN(kept)));
}

void skep_api__logs_delete_subscription_filter(struct skep_api__logs *l)
{
    drop(l, SKEP_STATE_LOG_SUBSCRIPTION_FILTER,
         "The specified subscription filter does not exist.");
}

void skep_api__logs_describe_subscription_filters(struct skep_api__logs *l)
{
    struct listing w = {.key = "subscriptionFilters", .limit = skep_api__logs_limit(l, 50, 50)};
    w.group = skep_api__logs_name(l, "logGroupName", true);
    w.prefix = skep_api__logs_name(l, "filterNamePrefix", false);
    if (skep_api__logs_valid(l))
        answer_list(l, SKEP_STATE_LOG_SUBSCRIPTION_FILTER, &w);
}
