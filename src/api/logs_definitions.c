// SPDX-License-Identifier: Apache-2.0
/* PutQueryDefinition, DescribeQueryDefinitions, DeleteQueryDefinition: saved queries, and
 * GetLogGroupFields.
 *
 * A definition is an item of state named by its id; its body is the JSON that Describe answers,
 * without id and time.
 * Threads: workers.  Memory: the request's. */
#include "api/logs_priv.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "event/log.h"
#include "event/view.h"
#include "lang/insights.h"

enum { DEFINITIONS_MAX = 1000, PARAMETERS_MAX = 20, FIELDS_MAX = 1000, AROUND_S = 8 * 60 };

// --- definitions -------------------------------------------------------------------------------

static void copy_groups(struct skep_api__logs *l, struct skep_json *json)
{
    yyjson_val *list = skep_aws_list(&l->args, l->in, "logGroupNames",
                                     &(struct skep_aws_len){0, 50, false}),
               *v;
    size_t i, max;
    if (!list)
        return;
    skep_json_key(json, SKEP_STR("logGroupNames"));
    skep_json_array(json);
    yyjson_arr_foreach(list, i, max, v)
    {
        if (yyjson_is_str(v))
            skep_json_str(json, (skep_str){yyjson_get_str(v), yyjson_get_len(v)});
        else
            skep_aws_wrong(&l->args, "logGroupNames", v, "Member must be a string");
    }
    skep_json_end(json);
}

static void copy_parameters(struct skep_api__logs *l, struct skep_json *json)
{
    static const char *const keys[] = {"name", "defaultValue", "description"};
    yyjson_val *list = skep_aws_list(&l->args, l->in, "parameters",
                                     &(struct skep_aws_len){0, PARAMETERS_MAX, false}),
               *v;
    size_t i, max;
    if (!list)
        return;
    skep_json_key(json, SKEP_STR("parameters"));
    skep_json_array(json);
    yyjson_arr_foreach(list, i, max, v)
    {
        size_t mark = skep_aws_enter_item(&l->args, "parameters", i);
        skep_json_object(json);
        for (size_t k = 0; k < SKEP_ARRAY_LEN(keys); k++) {
            skep_str s =
                skep_aws_str(&l->args, v, keys[k], &(struct skep_aws_len){0, 1024, k == 0});
            if (s.n)
                skep_api__logs_put(json, keys[k], s);
        }
        skep_json_end(json);
        skep_aws_leave(&l->args, mark);
    }
    skep_json_end(json);
}

/* The body of an item; false after an error was sent. */
static bool read_definition(struct skep_api__logs *l, struct skep_buf *to)
{
    static const char *const languages[] = {"CWLI", "SQL", "PPL"};
    struct skep_json json;
    skep_json_init(&json, to);
    skep_json_object(&json);
    skep_str name = skep_aws_str(&l->args, l->in, "name", &(struct skep_aws_len){1, 255, true});
    skep_str text =
        skep_aws_str(&l->args, l->in, "queryString", &(struct skep_aws_len){1, 10000, true});
    int language = skep_aws_enum(&l->args, l->in, "queryLanguage", false, languages, 3);
    skep_api__logs_put(&json, "name", name);
    skep_api__logs_put(&json, "queryString", text);
    skep_api__logs_put(&json, "queryLanguage", skep_str_c(languages[SKEP_MAX(language, 0)]));
    copy_groups(l, &json);
    copy_parameters(l, &json);
    skep_json_end(&json);
    if (!skep_api__logs_valid(l))
        return false;
    if (language > 0) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                            "The query language %s is not supported: use CWLI",
                            languages[language]);
        return false;
    }
    return true;
}

void skep_api__logs_put_query_definition(struct skep_api__logs *l)
{
    struct skep_state *state = l->job->api->cfg.state;
    struct skep_state_log_item item = {0}, old;
    struct skep_buf body;
    char made[36];
    skep_err err;
    skep_rc rc = SKEP_OK;
    skep_str id =
        skep_aws_str(&l->args, l->in, "queryDefinitionId", &(struct skep_aws_len){0, 256, false});
    skep_buf_init(&body, 256 << 10);
    if (read_definition(l, &body)) {
        if (id.n)
            rc = skep_state_log_item(state, l->job->opts.environment,
                                     SKEP_STATE_LOG_QUERY_DEFINITION, SKEP_STR_NULL, id,
                                     &l->job->arena, &old, &err);
        item.name = id.n ? id : skep_aws_request_id(l->job->api->cfg.os, made);
        item.body = skep_buf_text(&body);
        if (rc == SKEP_OK)
            rc = skep_state_log_item_put(state, l->job->opts.environment,
                                         SKEP_STATE_LOG_QUERY_DEFINITION, &item, &err);
        if (rc == SKEP_ENOTFOUND) {
            skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND,
                                "The specified query definition does not exist.");
        } else if (rc != SKEP_OK) {
            skep_api__logs_fail_rc(l, rc, &err);
        } else {
            skep_api__logs_changed(l, item.name);
            skep_api__logs_put(skep_api__logs_begin(l), "queryDefinitionId", item.name);
            skep_api__logs_end(l);
        }
    }
    skep_buf_done(&body);
}

static bool has_prefix(const struct skep_state_log_item *item, skep_str prefix)
{
    yyjson_doc *doc = yyjson_read(item->body.p, item->body.n, 0);
    yyjson_val *name = yyjson_obj_get(yyjson_doc_get_root(doc), "name");
    bool yes = yyjson_is_str(name) &&
               skep_str_starts((skep_str){yyjson_get_str(name), yyjson_get_len(name)}, prefix);
    yyjson_doc_free(doc);
    return yes;
}

void skep_api__logs_describe_query_definitions(struct skep_api__logs *l)
{
    struct skep_state_log_item *items = NULL;
    size_t n = 0, given = 0;
    uint64_t at = 0;
    int64_t most = DEFINITIONS_MAX;
    skep_bytes token;
    skep_err err;
    skep_str prefix = skep_aws_str(&l->args, l->in, "queryDefinitionNamePrefix",
                                   &(struct skep_aws_len){1, 255, false});
    (void)skep_aws_int(&l->args, l->in, "maxResults",
                       &(struct skep_aws_range){1, DEFINITIONS_MAX, false}, &most);
    if (!skep_api__logs_valid(l) || !skep_api__logs_token(l, &token))
        return;
    if (token.n == sizeof at)
        at = skep_load_le64(token.p);
    skep_rc rc = skep_state_log_items(l->job->api->cfg.state, l->job->opts.environment,
                                      SKEP_STATE_LOG_QUERY_DEFINITION, SKEP_STR_NULL,
                                      &l->job->arena, &items, &n, &err);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, SKEP_STR("queryDefinitions"));
    skep_json_array(json);
    for (; at < n && given < (size_t)most; at++) {
        if (prefix.n && !has_prefix(&items[at], prefix))
            continue;
        /* The body is an object: the rest of it goes behind two more members. */
        skep_json_raw(json, skep_arena_printf(&l->job->arena,
                                              "{\"queryDefinitionId\":\"" SKEP_STRFMT
                                              "\",\"lastModified\":%lld," SKEP_STRFMT,
                                              SKEP_STRARG(items[at].name),
                                              (long long)(items[at].modified_ns / 1000000),
                                              SKEP_STRARG(skep_str_skip(items[at].body, 1))));
        given++;
    }
    skep_json_end(json);
    if (at < n) {
        uint8_t next[sizeof at];
        skep_store_le64(next, at);
        skep_api__logs_put_token(l, (skep_bytes){next, sizeof next});
    }
    skep_api__logs_end(l);
}

void skep_api__logs_delete_query_definition(struct skep_api__logs *l)
{
    skep_err err;
    skep_str id =
        skep_aws_str(&l->args, l->in, "queryDefinitionId", &(struct skep_aws_len){0, 256, true});
    if (!skep_api__logs_valid(l))
        return;
    skep_rc rc = skep_state_log_item_drop(l->job->api->cfg.state, l->job->opts.environment,
                                          SKEP_STATE_LOG_QUERY_DEFINITION, SKEP_STR_NULL, id, &err);
    if (rc == SKEP_ENOTFOUND) {
        skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND,
                            "The specified query definition does not exist.");
    } else if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
    } else {
        skep_api__logs_changed(l, id);
        skep_json_put_bool(skep_api__logs_begin(l), SKEP_STR("success"), true);
        skep_api__logs_end(l);
    }
}

// --- fields ------------------------------------------------------------------------------------

struct share {
    skep_str name;
    uint64_t rows;
};

/* Rows of the plan's range that have each of the fields [from, from + n), and all rows. */
static skep_rc count_fields(struct skep_api__logs *l, struct skep_plan *plan,
                            const struct skep_fields *fields, size_t from, size_t n,
                            struct share *shares, size_t *n_shares, uint64_t *ret_total,
                            skep_err *err)
{
    struct skep_arena *a = &l->job->arena;
    struct skep_agg *aggs = skep_new_n(a, struct skep_agg, n + 1);
    struct skep_result *r = NULL;
    aggs[0] = (struct skep_agg){.op = SKEP_AGG_COUNT, .key = SKEP_STR("COUNT")};
    for (size_t i = 0; i < n; i++)
        aggs[i + 1] = (struct skep_agg){.op = SKEP_AGG_COUNT,
                                        .field.name = fields->fields[from + i].name,
                                        .key = fields->fields[from + i].name};
    plan->aggs = aggs;
    plan->n_aggs = (unsigned)n + 1;
    SKEP_TRY(skep_query_aggregate(l->job->api->cfg.store, plan, &l->job->opts, &r, err));
    *ret_total = (uint64_t)r->totals.values[0].i;
    for (size_t i = 0; i < n; i++)
        if (r->totals.values[i + 1].i > 0)
            shares[(*n_shares)++] =
                (struct share){aggs[i + 1].key, (uint64_t)r->totals.values[i + 1].i};
    return SKEP_OK;
}

/* Does Insights show it among a group's fields?  What is a view over every row is none of them. */
static bool is_shown(const struct skep_field_info *f)
{
    bool own = (f->scopes & 1u << SKEP_SCOPE_ATTRIBUTE) != 0;
    bool shared = (f->scopes & 1u << SKEP_SCOPE_RESOURCE) != 0 && !skep_view_find(f->name);
    return own || shared || skep_str_eq(f->name, SKEP_BODY_FIELD) ||
           skep_str_eq(f->name, SKEP_LOG_STREAM);
}

/* Names as Insights has them: what stands in every line has names of its own. */
static skep_str shown(skep_str name)
{
    if (skep_str_starts(name, SKEP_LOG_RENAMED))
        return skep_str_skip(name, SKEP_LOG_RENAMED.n);

    if (skep_str_eq(name, SKEP_BODY_FIELD))
        return SKEP_STR("@message");
    if (skep_str_eq(name, SKEP_LOG_STREAM))
        return SKEP_STR("@logStream");
    return name;
}

static int by_share(const void *pa, const void *pb)
{
    const struct share *a = pa, *b = pb;
    if (a->rows != b->rows)
        return a->rows < b->rows ? 1 : -1;
    return skep_str_cmp(a->name, b->name);
}

static skep_rc shares_of(struct skep_api__logs *l, struct skep_plan *plan, struct share **ret,
                         size_t *ret_n, uint64_t *ret_total, skep_err *err)
{
    enum { AT_ONCE = SKEP_LIMIT_PLAN_AGGS - 1 };
    struct skep_plan names = {.kind = SKEP_PLAN_FIELDS, .range = plan->range};
    struct skep_answer a = {0};
    SKEP_TRY(skep_query_run(l->job->api->cfg.store, &names, &l->job->opts, &a, err));
    size_t n = 0;
    for (size_t i = 0; i < a.fields.n && n < FIELDS_MAX; i++)
        if (is_shown(&a.fields.fields[i]))
            a.fields.fields[n++] = a.fields.fields[i];
    *ret = skep_new_n(&l->job->arena, struct share, n + 2);
    *ret_n = 0;
    *ret_total = 0;
    for (size_t from = 0; from == 0 || from < n; from += AT_ONCE)
        SKEP_TRY(count_fields(l, plan, &a.fields, from, SKEP_MIN(n - from, (size_t)AT_ONCE), *ret,
                              ret_n, ret_total, err));
    for (size_t i = 0; i < *ret_n; i++)
        (*ret)[i].name = shown((*ret)[i].name);
    if (*ret_total > 0)
        (*ret)[(*ret_n)++] = (struct share){SKEP_STR("@timestamp"), *ret_total};
    if (*ret_n > 0)
        qsort(*ret, *ret_n, sizeof **ret, by_share);
    return SKEP_OK;
}

void skep_api__logs_get_log_group_fields(struct skep_api__logs *l)
{
    skep_str group;
    int64_t time_s = 0;
    struct share *shares = NULL;
    size_t n = 0;
    uint64_t total = 0;
    skep_err err;
    bool around =
        skep_aws_int(&l->args, l->in, "time", &(struct skep_aws_range){0, 9e9, false}, &time_s);
    if (!skep_api__logs_which_group(l, &group) || !skep_api__logs_group_exists(l, group))
        return;
    skep_ts_ns now = skep_api__now(l->job->api), step = (skep_ts_ns)AROUND_S * 1000000000;
    struct skep_plan plan = {.kind = SKEP_PLAN_AGGREGATE,
                             .range = {now - (skep_ts_ns)15 * 60 * 1000000000, now + 1},
                             .dataset = group,
                             .filter = skep_logs_rows_of_group(&l->job->arena, group),
                             .ignore_sample_rate = true,
                             .limit = 1};
    if (around)
        plan.range =
            (struct skep_time_range){time_s * 1000000000 - step, time_s * 1000000000 + step};
    skep_rc rc = shares_of(l, &plan, &shares, &n, &total, &err);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return;
    }
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, SKEP_STR("logGroupFields"));
    skep_json_array(json);
    for (size_t i = 0; i < n; i++) {
        skep_json_object(json);
        skep_api__logs_put(json, "name", shares[i].name);
        skep_json_put_u64(json, SKEP_STR("percent"), shares[i].rows * 100 / total);
        skep_json_end(json);
    }
    skep_json_end(json);
    skep_api__logs_end(l);
}
