// SPDX-License-Identifier: Apache-2.0
/* StartQuery, GetQueryResults, StopQuery, DescribeQueries, ListLogGroupsForQuery.
 *
 *   StartQuery -> read, entered, {"queryId"} at once; the same worker then runs it (logs_queries.h)
 *   GetQueryResults -> {"status":"Running","results":[]} ... {"status":"Complete","results":[...]}
 *
 * An answer is kept as the JSON of its rows, as clients get them: values as texts, null ones left
 * out, raw rows with their @ptr, which GetLogRecord takes.
 *
 * Threads: workers.  Memory: the request's; kept answers: logs_queries.c. */
#include <stdio.h>

#include "api/logs_ids.h"
#include "api/logs_priv.h"
#include "api/logs_queries.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "lang/insights.h"

enum { GROUPS_MAX = 50, DESCRIBED_MAX = 1000 };

static const char *const statuses[] = {"Scheduled", "Running", "Complete", "Failed", "Cancelled"};

// --- StartQuery --------------------------------------------------------------------------------

struct start {
    skep_str *groups;
    unsigned n_groups;
    unsigned n_ways; /* of naming groups that were used */
    skep_str text;
    int64_t start_s, end_s, limit;
};

static void add_groups(struct skep_api__logs *l, const char *key, struct start *x)
{
    const struct skep_aws_len len = {0, GROUPS_MAX, false};
    yyjson_val *list = skep_aws_list(&l->args, l->in, key, &len), *v;
    size_t i, max;
    if (!list)
        return;
    x->n_ways++;
    x->groups = skep_new_n(&l->job->arena, skep_str, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, max, v)
    {
        if (!yyjson_is_str(v)) {
            skep_aws_wrong(&l->args, key, v, "Member must be a string");
            continue;
        }
        x->groups[x->n_groups++] =
            skep_api__logs_group_of((skep_str){yyjson_get_str(v), yyjson_get_len(v)});
    }
}

/* False after an error was sent. */
static bool read_start(struct skep_api__logs *l, struct start *x)
{
    static const char *const languages[] = {"CWLI", "SQL", "PPL"};
    const struct skep_aws_range seconds = {0, 9e9, true};
    *x = (struct start){.start_s = -1, .end_s = -1};
    skep_str group = skep_api__logs_name(l, "logGroupName", false);
    if (group.n) {
        x->n_ways++;
        x->groups = skep_new_n(&l->job->arena, skep_str, 1);
        x->groups[x->n_groups++] = group;
    }
    add_groups(l, "logGroupNames", x);
    add_groups(l, "logGroupIdentifiers", x);
    (void)skep_aws_int(&l->args, l->in, "startTime", &seconds, &x->start_s); /* noted when wrong */
    (void)skep_aws_int(&l->args, l->in, "endTime", &seconds, &x->end_s);
    (void)skep_aws_int(&l->args, l->in, "limit",
                       &(struct skep_aws_range){1, SKEP_LIMIT_PIPE_ROWS, false}, &x->limit);
    x->text = skep_aws_str(&l->args, l->in, "queryString",
                           &(struct skep_aws_len){0, SKEP_LIMIT_INSIGHTS_BYTES, true});
    int language = skep_aws_enum(&l->args, l->in, "queryLanguage", false, languages, 3);
    if (!skep_api__logs_valid(l))
        return false;
    if (language > 0)
        skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                            "The query language %s is not supported: use CWLI",
                            languages[language]);
    else if (x->end_s < x->start_s)
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "End time should not be before start time.");
    else if (x->n_ways > 1)
        skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                            "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers "
                            "must be given.");
    else
        return true;
    return false;
}

struct compile_error {
    const struct skep_lang_issue *issue;
};

static void put_compile_error(struct skep_json *json, const void *ctx)
{
    const struct skep_lang_issue *issue = ((const struct compile_error *)ctx)->issue;
    skep_json_key(json, SKEP_STR("queryCompileError"));
    skep_json_object(json);
    skep_json_key(json, SKEP_STR("location"));
    skep_json_object(json);
    skep_json_put_u64(json, SKEP_STR("startCharOffset"), issue->at);
    skep_json_put_u64(json, SKEP_STR("endCharOffset"), issue->end);
    skep_json_end(json);
    skep_json_put_str(json, SKEP_STR("message"), skep_str_c(issue->text));
    skep_json_end(json);
}

/* Offsets of characters, which clients count, of those of bytes. */
static void in_characters(skep_str text, struct skep_lang_issue *issue)
{
    size_t at = 0, end = 0;
    for (size_t i = 0; i < text.n && i < SKEP_MAX(issue->at, issue->end); i++) {
        bool first = ((unsigned char)text.p[i] & 0xc0) != 0x80;
        at += first && i < issue->at;
        end += first && i < issue->end;
    }
    issue->at = at;
    issue->end = end;
}

static bool groups_exist(struct skep_api__logs *l, const struct start *x)
{
    struct skep_logs_group *all = NULL;
    size_t n = 0;
    if (!skep_api__logs_groups(l, &all, &n))
        return false;
    for (unsigned i = 0; i < x->n_groups; i++) {
        size_t k = 0;
        while (k < n && !skep_str_eq(all[k].g.name, x->groups[i]))
            k++;
        if (k < n)
            continue;
        skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND,
                            "Log group '" SKEP_STRFMT
                            "' does not exist for account ID '000000000000'",
                            SKEP_STRARG(x->groups[i]));
        return false;
    }
    return true;
}

/* The query read; false after an error was sent. */
static bool read_query(struct skep_api__logs *l, const struct start *x, struct skep_insights *ret)
{
    struct skep_lang_issue issue;
    struct skep_lang_opts lang;
    skep_err err;
    skep_rc rc = skep_api__derived(l->job->api, &l->job->opts, &lang, &err);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, &err);
        return false;
    }
    const struct skep_insights_opts opts = {
        .now_ns = skep_api__now(l->job->api),
        .range = {x->start_s * 1000000000, (x->end_s + 1) * 1000000000}, /* both are in it */
        .datasets = x->groups,
        .n_datasets = x->n_groups,
        .limit = (unsigned)x->limit,
        .derived = lang.derived,
        .n_derived = lang.n_derived,
        .account = SKEP_STR("000000000000")};
    if (skep_lang_insights(x->text, &opts, &l->job->arena, ret, &issue) != SKEP_OK) {
        in_characters(x->text, &issue);
        skep_api__logs_fail_more(l, SKEP_LOGS_MALFORMED_QUERY, skep_str_c(issue.text),
                                 put_compile_error, &(struct compile_error){&issue});
        return false;
    }
    if (ret->has_source == (x->n_ways > 0)) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID,
                            ret->has_source
                                ? "Log groups are named by SOURCE or by parameters, not by both."
                                : "Name the log groups: logGroupName, logGroupNames, "
                                  "logGroupIdentifiers, or SOURCE in the query.");
        return false;
    }
    return true;
}

// --- running -----------------------------------------------------------------------------------

struct running {
    struct skep_api__job *job;
    struct skep_logs_query q;
};

static bool stopped(void *ctx)
{
    struct running *r = ctx;
    return skep_api__stopped(r->job) ||
           skep_logs_queries_stopped(r->job->api->logs_queries, r->q.id);
}

static void progress(void *ctx, uint64_t scanned, uint64_t total)
{
    skep_api__progress(((struct running *)ctx)->job, scanned, total);
}

static void put_field(struct skep_json *json, skep_str name, skep_str value)
{
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("field"), name);
    skep_json_put_str(json, SKEP_STR("value"), value);
    skep_json_end(json);
}

static void write_row(struct skep_buf *out, const struct skep_pipe *p,
                      const struct skep_pipe_result *r, size_t i)
{
    char text[SKEP_PIPE_TEXT_BYTES], digits[SKEP_LOGS_ID_BYTES];
    struct skep_json json;
    skep_str ptr = SKEP_STR_NULL;
    bool has_ptr = false;
    if (p->raw)
        ptr = skep_logs_id(&(struct skep_logs_place){r->ids[i].time_ns, r->ids[i].id}, digits);
    skep_json_init(&json, out);
    skep_json_array(&json);
    for (unsigned o = 0; o < p->n_outs; o++) {
        bool is_ptr = p->raw && p->outs[o].slot == p->id_slot;
        skep_str s = skep_pipe_text(&r->values[i * p->n_outs + o], p->outs[o].time, text);
        has_ptr = has_ptr || is_ptr;
        if (s.p)
            put_field(&json, p->outs[o].name, is_ptr ? ptr : s);
    }
    if (p->raw && !has_ptr)
        put_field(&json, SKEP_STR("@ptr"), ptr);
    skep_json_end(&json);
    skep_buf_u8(out, ',');
}

static void keep_answer(struct running *r, const struct skep_pipe *p,
                        const struct skep_pipe_result *result)
{
    struct skep_buf out;
    uint32_t *ends = skep_arena_try_alloc(&r->job->arena, (result->n_rows + 1) * sizeof *ends);
    skep_buf_init(&out, SKEP_LIMIT_LOGS_QUERY_BYTES);
    for (size_t i = 0; ends && i < result->n_rows && !out.bad; i++) {
        write_row(&out, p, result, i);
        ends[i] = (uint32_t)out.n;
    }
    r->q.n_rows = result->n_rows;
    r->q.matched = result->rows_matched;
    r->q.scanned = result->rows_scanned;
    r->q.bytes = result->bytes_scanned;
    /* An answer that does not fit is none: a part of one would look like all of it. */
    r->q.status = out.bad || !ends ? SKEP_LOGS_QUERY_FAILED : SKEP_LOGS_QUERY_COMPLETE;
    skep_logs_queries_end(r->job->api->logs_queries, &r->q, skep_buf_text(&out), ends);
    skep_buf_done(&out);
}

/* The request has been answered: only what stands in the arena is there. */
static void run_query(struct running *r, const struct skep_pipe *p)
{
    const struct skep_os *os = r->job->api->cfg.os;
    struct skep_pipe_result result;
    skep_err err;
    int64_t begin = os->mono_ns(os);
    r->job->opts.canceled = stopped;
    r->job->opts.progress = progress;
    r->job->opts.ctx = r;
    skep_rc rc = skep_pipe_run(r->job->api->cfg.store, p, &r->job->opts, &result, &err);
    r->q.elapsed_ns = os->mono_ns(os) - begin;
    if (rc == SKEP_OK) {
        keep_answer(r, p, &result);
        return;
    }
    r->job->failed = true;
    r->q.status = rc == SKEP_ECANCELED ? SKEP_LOGS_QUERY_CANCELLED : SKEP_LOGS_QUERY_FAILED;
    skep_logs_queries_end(r->job->api->logs_queries, &r->q, SKEP_STR_NULL, NULL);
}

static skep_str joined(struct skep_arena *a, const struct start *x)
{
    struct skep_buf b;
    skep_buf_init(&b, 1 << 20);
    for (unsigned i = 0; i < x->n_groups; i++) {
        skep_buf_str(&b, x->groups[i]);
        skep_buf_u8(&b, '\n');
    }
    skep_str s = skep_arena_str(a, skep_buf_text(&b));
    skep_buf_done(&b);
    return s;
}

void skep_api__logs_start_query(struct skep_api__logs *l)
{
    struct skep_api__job *job = l->job;
    struct start x;
    struct skep_insights q;
    struct running r = {.job = job};
    if (!read_start(l, &x))
        return;
    for (unsigned i = 0; i < x.n_groups; i++) /* outlive the request */
        x.groups[i] = skep_arena_str(&job->arena, x.groups[i]);
    if (!read_query(l, &x, &q) || !groups_exist(l, &x))
        return;
    r.q = (struct skep_logs_query){.environment = job->opts.environment,
                                   .text = x.text,
                                   .groups = joined(&job->arena, &x),
                                   .n_groups = x.n_groups,
                                   .created_ns = skep_api__now(job->api)};
    (void)skep_aws_request_id(job->api->cfg.os, r.q.id); /* 36 characters */
    skep_logs_queries_age(job->api->logs_queries, r.q.created_ns);
    skep_rc rc = skep_logs_queries_begin(job->api->logs_queries, &r.q);
    if (rc != SKEP_OK) {
        skep_api__logs_fail_rc(l, rc, NULL);
        return;
    }
    skep_api__logs_put(skep_api__logs_begin(l), "queryId", (skep_str){r.q.id, sizeof r.q.id});
    skep_api__logs_end(l);
    run_query(&r, q.pipe);
}

// --- the others --------------------------------------------------------------------------------

/* The query that "queryId" names; false after an error was sent. */
static bool named_query(struct skep_api__logs *l, struct skep_logs_query *ret)
{
    skep_str id = skep_aws_str(&l->args, l->in, "queryId", &(struct skep_aws_len){0, 256, true});
    if (!skep_api__logs_valid(l))
        return false;
    if (skep_logs_queries_get(l->job->api->logs_queries, l->job->opts.environment, id,
                              &l->job->arena, ret))
        return true;
    skep_api__logs_fail(l, SKEP_LOGS_NOT_FOUND, "Query " SKEP_STRFMT " does not exist",
                        SKEP_STRARG(id));
    return false;
}

static void put_statistics(struct skep_json *json, const struct skep_logs_query *q)
{
    skep_json_key(json, SKEP_STR("statistics"));
    skep_json_object(json);
    skep_json_put_f64(json, SKEP_STR("recordsMatched"), (double)q->matched);
    skep_json_put_f64(json, SKEP_STR("recordsScanned"), (double)q->scanned);
    skep_json_put_f64(json, SKEP_STR("estimatedRecordsSkipped"), 0);
    skep_json_put_f64(json, SKEP_STR("bytesScanned"), (double)q->bytes);
    skep_json_put_f64(json, SKEP_STR("estimatedBytesSkipped"), 0);
    skep_json_put_f64(json, SKEP_STR("logGroupsScanned"), (double)q->n_groups);
    skep_json_put_f64(json, SKEP_STR("resultCount"), (double)q->n_rows);
    skep_json_end(json);
}

void skep_api__logs_get_query_results(struct skep_api__logs *l)
{
    struct skep_logs_query q;
    skep_bytes token;
    skep_str rows;
    size_t n = 0;
    uint64_t from = 0;
    int64_t most = SKEP_INSIGHTS_ROWS;
    (void)skep_aws_int(&l->args, l->in, "maxItems",
                       &(struct skep_aws_range){0, SKEP_INSIGHTS_ROWS, false}, &most);
    if (!named_query(l, &q) || !skep_api__logs_token(l, &token))
        return;
    if (token.n == sizeof from)
        from = skep_load_le64(token.p);
    most = most ? most : SKEP_INSIGHTS_ROWS;
    skep_logs_queries_rows(l->job->api->logs_queries, (skep_str){q.id, sizeof q.id}, (size_t)from,
                           (size_t)most, &l->job->arena, &rows, &n);
    struct skep_json *json = skep_api__logs_begin(l);
    skep_api__logs_put(json, "queryLanguage", SKEP_STR("CWLI"));
    skep_json_key(json, SKEP_STR("results"));
    skep_json_raw(json, skep_arena_printf(&l->job->arena, "[" SKEP_STRFMT "]", SKEP_STRARG(rows)));
    put_statistics(json, &q);
    skep_api__logs_put(json, "status", skep_str_c(statuses[q.status]));
    if (from + n < q.n_rows && n > 0) {
        uint8_t next[sizeof from];
        skep_store_le64(next, from + n);
        skep_api__logs_put_token(l, (skep_bytes){next, sizeof next});
    }
    skep_api__logs_end(l);
}

void skep_api__logs_stop_query(struct skep_api__logs *l)
{
    struct skep_logs_query q;
    if (!named_query(l, &q))
        return;
    if (!skep_logs_queries_stop(l->job->api->logs_queries, l->job->opts.environment,
                                (skep_str){q.id, sizeof q.id})) {
        skep_api__logs_fail(l, SKEP_LOGS_INVALID, "Query with ID %.36s is not running: it is %s",
                            q.id, statuses[q.status]);
        return;
    }
    skep_json_put_bool(skep_api__logs_begin(l), SKEP_STR("success"), true);
    skep_api__logs_end(l);
}

static void put_query(struct skep_json *json, const struct skep_logs_query *q)
{
    skep_str groups = q->groups;
    skep_json_object(json);
    skep_api__logs_put(json, "queryLanguage", SKEP_STR("CWLI"));
    skep_api__logs_put(json, "queryId", (skep_str){q->id, sizeof q->id});
    skep_api__logs_put(json, "queryString", q->text);
    skep_api__logs_put(json, "status", skep_str_c(statuses[q->status]));
    skep_api__logs_put_time(json, "createTime", q->created_ns);
    skep_json_put_i64(json, SKEP_STR("queryDuration"), q->elapsed_ns / 1000000);
    skep_json_put_f64(json, SKEP_STR("bytesScanned"), (double)q->bytes);
    if (q->n_groups > 0)
        skep_api__logs_put(json, "logGroupName", skep_str_cut(&groups, '\n'));
    skep_json_end(json);
}

static bool is_of(const struct skep_logs_query *q, skep_str group, int status)
{
    skep_str groups = q->groups;
    bool found = group.n == 0;
    while (groups.n > 0 && !found)
        found = skep_str_eq(skep_str_cut(&groups, '\n'), group);
    return found && (status < 0 || q->status == (enum skep_logs_query_status)status);
}

void skep_api__logs_describe_queries(struct skep_api__logs *l)
{
    struct skep_logs_query *all = NULL;
    size_t n = 0, given = 0;
    uint64_t at = 0;
    int64_t most = DESCRIBED_MAX;
    skep_bytes token;
    skep_str group = skep_api__logs_name(l, "logGroupName", false);
    int status =
        skep_aws_enum(&l->args, l->in, "status", false, statuses, SKEP_ARRAY_LEN(statuses));
    (void)skep_aws_int(&l->args, l->in, "maxResults",
                       &(struct skep_aws_range){1, DESCRIBED_MAX, false}, &most);
    if (!skep_api__logs_valid(l) || !skep_api__logs_token(l, &token))
        return;
    if (token.n == sizeof at)
        at = skep_load_le64(token.p);
    skep_logs_queries_list(l->job->api->logs_queries, l->job->opts.environment, &l->job->arena,
                           &all, &n);
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, SKEP_STR("queries"));
    skep_json_array(json);
    for (; at < n && given < (size_t)most; at++) {
        if (!is_of(&all[at], group, status))
            continue;
        put_query(json, &all[at]);
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

void skep_api__logs_list_log_groups_for_query(struct skep_api__logs *l)
{
    struct skep_logs_query q;
    if (!named_query(l, &q))
        return;
    struct skep_json *json = skep_api__logs_begin(l);
    skep_json_key(json, SKEP_STR("logGroupIdentifiers"));
    skep_json_array(json);
    for (skep_str groups = q.groups; groups.n > 0;)
        skep_json_str(json, skep_str_cut(&groups, '\n'));
    skep_json_end(json);
    skep_api__logs_end(l);
}
