// SPDX-License-Identifier: Apache-2.0
/* AWS X-Ray's API: the table of its operations, and how every one of them begins and ends.
 *
 *   POST /TraceSummaries {"StartTime": 1795194450, ...}
 *     -> route -> worker -> JSON -> operation -> 200 {...}  x-amzn-RequestId: uuid
 *                                          \---> 4xx {"__type": ..., "Message": ...}
 *                                                x-amzn-ErrorType: ...
 *
 * PutTraceSegments and PutTelemetryRecords are rows on their way in: src/ingest has their routes.
 *
 * I1  An operation of the model that is in no table is a failing test (docs/api/xray.md).
 * I2  No member of a request is trusted: absent and null are the same, unknown ones are ignored, as
 *     AWS does; a wrong type is SerializationException, a broken rule InvalidRequestException.
 *
 * Threads: workers; refusals on I/O threads.  Memory: the request's arena. */
#include "api/xray_priv.h"

#include <stdarg.h>
#include <stdio.h>

#include "api/aws_call.h"
#include "base/assert.h"

/* Path, operation, function, right; refused ones have no function and say why. */
/* clang-format off: a line an operation */
#define OPERATIONS(X)                                                                              \
    X("/TraceSummaries", GetTraceSummaries, skep_api__xray_get_trace_summaries, QUERY, "")         \
    X("/Traces", BatchGetTraces, skep_api__xray_batch_get_traces, QUERY, "")                       \
    X("/ServiceGraph", GetServiceGraph, skep_api__xray_get_service_graph, QUERY, "")               \
    X("/TraceGraph", GetTraceGraph, skep_api__xray_get_trace_graph, QUERY, "")                     \
    X("/TimeSeriesServiceStatistics", GetTimeSeriesServiceStatistics,                              \
      skep_api__xray_get_time_series, QUERY, "")                                                   \
    X("/CreateGroup", CreateGroup, skep_api__xray_create_group, ADMIN, "")                         \
    X("/UpdateGroup", UpdateGroup, skep_api__xray_update_group, ADMIN, "")                         \
    X("/DeleteGroup", DeleteGroup, skep_api__xray_delete_group, ADMIN, "")                         \
    X("/GetGroup", GetGroup, skep_api__xray_get_group, QUERY, "")                                  \
    X("/Groups", GetGroups, skep_api__xray_get_groups, QUERY, "")                                  \
    X("/GetSamplingRules", GetSamplingRules, skep_api__xray_get_sampling_rules, INGEST, "")        \
    X("/GetCentralizedSamplingRules", GetSamplingRules, skep_api__xray_get_sampling_rules, INGEST, \
      "")                                                                                          \
    X("/SamplingTargets", GetSamplingTargets, skep_api__xray_get_sampling_targets, INGEST, "")     \
    X("/SamplingStatisticSummaries", GetSamplingStatisticSummaries,                                \
      skep_api__xray_get_sampling_statistic_summaries, QUERY, "")                                  \
    X("/CreateSamplingRule", CreateSamplingRule, skep_api__xray_create_sampling_rule, ADMIN, "")   \
    X("/UpdateSamplingRule", UpdateSamplingRule, skep_api__xray_update_sampling_rule, ADMIN, "")   \
    X("/DeleteSamplingRule", DeleteSamplingRule, skep_api__xray_delete_sampling_rule, ADMIN, "")   \
    X("/EncryptionConfig", GetEncryptionConfig, skep_api__xray_get_encryption_config, QUERY, "")   \
    X("/PutEncryptionConfig", PutEncryptionConfig, skep_api__xray_put_encryption_config, ADMIN,    \
      "")                                                                                          \
    X("/ListTagsForResource", ListTagsForResource, skep_api__xray_list_tags_for_resource, QUERY,   \
      "")                                                                                          \
    X("/TagResource", TagResource, skep_api__xray_tag_resource, ADMIN, "")                         \
    X("/UntagResource", UntagResource, skep_api__xray_untag_resource, ADMIN, "")                   \
    X("/ListResourcePolicies", ListResourcePolicies, skep_api__xray_list_resource_policies, QUERY, \
      "")                                                                                          \
    X("/PutResourcePolicy", PutResourcePolicy, skep_api__xray_put_resource_policy, ADMIN, "")      \
    X("/DeleteResourcePolicy", DeleteResourcePolicy, skep_api__xray_delete_resource_policy, ADMIN, \
      "")                                                                                          \
    X("/InsightSummaries", GetInsightSummaries, skep_api__xray_get_insight_summaries, QUERY, "")   \
    X("/Insight", GetInsight, skep_api__xray_get_insight, QUERY, "")                               \
    X("/InsightEvents", GetInsightEvents, skep_api__xray_get_insight_events, QUERY, "")            \
    X("/InsightImpactGraph", GetInsightImpactGraph, skep_api__xray_get_insight_impact_graph,       \
      QUERY, "")                                                                                   \
    X("/GetIndexingRules", GetIndexingRules, skep_api__xray_get_indexing_rules, QUERY, "")         \
    X("/UpdateIndexingRule", UpdateIndexingRule, skep_api__xray_update_indexing_rule, ADMIN, "")   \
    X("/GetTraceSegmentDestination", GetTraceSegmentDestination,                                   \
      skep_api__xray_get_trace_segment_destination, QUERY, "")                                     \
    X("/UpdateTraceSegmentDestination", UpdateTraceSegmentDestination,                             \
      skep_api__xray_update_trace_segment_destination, ADMIN, "")                                  \
    X("/StartTraceRetrieval", StartTraceRetrieval, skep_api__xray_start_trace_retrieval, QUERY,    \
      "")                                                                                          \
    X("/ListRetrievedTraces", ListRetrievedTraces, skep_api__xray_list_retrieved_traces, QUERY,    \
      "")                                                                                          \
    X("/GetRetrievedTracesGraph", GetRetrievedTracesGraph,                                         \
      skep_api__xray_get_retrieved_traces_graph, QUERY, "")                                        \
    X("/CancelTraceRetrieval", CancelTraceRetrieval, skep_api__xray_cancel_trace_retrieval, QUERY, \
      "")
/* clang-format on */

static const struct skep_api__xray_op ops[] = {
#define X(path, name, work, right, why) {path, #name, work, why},
    OPERATIONS(X)
#undef X
};

static const struct skep_aws_error errors[SKEP_XRAY_ERROR_COUNT] = {
#define X(id, name, status) [SKEP_XRAY_##id] = {name, status},
    SKEP_XRAY_ERRORS(X)
#undef X
};

// --- answers -----------------------------------------------------------------------------------

struct skep_json *skep_api__xray_begin(struct skep_api__xray *x)
{
    skep_api__json_begin(x->job, 200);
    skep_api__aws_id(x->job);
    skep_json_object(&x->job->out.json);
    return &x->job->out.json;
}

void skep_api__xray_end(struct skep_api__xray *x)
{
    skep_json_end(&x->job->out.json);
    skep_api__out_end(&x->job->out);
}

/* ns as decimal seconds: at least one digit behind the point, at most `digits`. */
static void put_decimal(struct skep_json *json, skep_str key, int64_t ns, int digits)
{
    char text[48];
    uint64_t abs = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    int n =
        snprintf(text, sizeof text, "%s%llu.%09llu", ns < 0 ? "-" : "",
                 (unsigned long long)(abs / 1000000000), (unsigned long long)(abs % 1000000000));
    skep_assert(n > 10 && (size_t)n < sizeof text);
    n -= 9 - digits;
    while (text[n - 1] == '0' && text[n - 2] != '.')
        n--;
    skep_json_key(json, key);
    skep_json_raw(json, (skep_str){text, (size_t)n});
}

void skep_api__xray_put_time(struct skep_json *json, skep_str key, skep_ts_ns ns)
{
    put_decimal(json, key, ns, 6);
}

void skep_api__xray_put_seconds(struct skep_json *json, skep_str key, int64_t ns)
{
    int64_t up = ns > INT64_MAX - 500000 ? ns : ns + 500000;
    put_decimal(json, key, up, 3);
}

static void send_error(const struct skep_api *api, struct skep_request *req,
                       const struct skep_aws_failure *failure)
{
    skep_aws_fail(&skep_aws_xray, req, api->cfg.os, failure);
}

void skep_api__xray_fail(struct skep_api__xray *x, enum skep_xray_error error, const char *fmt, ...)
{
    char text[1400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    send_error(x->job->api, skep_api__job_instead(x->job),
               &(struct skep_aws_failure){.error = errors[error], .message = skep_str_c(text)});
}

static void fail_cause(struct skep_api__xray *x, enum skep_aws_cause cause, skep_str text)
{
    send_error(x->job->api, skep_api__job_instead(x->job),
               &(struct skep_aws_failure){.error = skep_aws_xray.errors[cause], .message = text});
}

static void put_resource(struct skep_json *json, const void *ctx)
{
    skep_json_put_str(json, SKEP_STR("ResourceName"), *(const skep_str *)ctx);
}

void skep_api__xray_fail_resource(struct skep_api__xray *x, enum skep_xray_error error,
                                  skep_str resource, skep_str text)
{
    const struct skep_aws_failure failure = {.error = errors[error],
                                             .message = text,
                                             .more = resource.n ? put_resource : NULL,
                                             .more_ctx = &resource};
    send_error(x->job->api, skep_api__job_instead(x->job), &failure);
}

void skep_api__xray_fail_rc(struct skep_api__xray *x, skep_rc rc, const skep_err *err)
{
    rc = skep_api__job_rc(x->job, rc);
    int status = skep_rc_info(rc)->http;
    /* JSON that could be read and says something impossible is an invalid request. */
    if (rc == SKEP_EMALFORMED || rc == SKEP_EUNSUPPORTED)
        rc = SKEP_EINVAL;
    fail_cause(x, skep_aws_cause_of(rc, SKEP_DENIED_NO, status), skep_str_c(err->text));
}

void skep_api__xray_refuse(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                           skep_str message)
{
    enum skep_aws_cause cause = skep_aws_cause_of(rc, req->denial.why, http_status);
    send_error(
        ctx, req,
        &(struct skep_aws_failure){.error = skep_aws_xray.errors[cause], .message = message});
}

// --- members -----------------------------------------------------------------------------------

bool skep_api__xray_valid(struct skep_api__xray *x)
{
    enum skep_aws_cause cause;
    skep_str fault = skep_aws_in_fault(&x->args, &cause);
    if (fault.n)
        fail_cause(x, cause, fault);
    return fault.n == 0;
}

void skep_api__xray_period(struct skep_api__xray *x, struct skep_time_range *ret)
{
    skep_ts_ns start = 0, end = 0;
    bool from = skep_aws_time(&x->args, x->in, "StartTime", true, &start);
    bool to = skep_aws_time(&x->args, x->in, "EndTime", true, &end);
    if (from && to && start >= end)
        skep_aws_wrong(&x->args, "StartTime", yyjson_obj_get(x->in, "StartTime"),
                       "Member must be earlier than 'endTime'");
    *ret = (struct skep_time_range){start, end};
}

static struct skep_aws_call paged(const struct skep_api__xray *x)
{
    return (struct skep_aws_call){.operation = skep_str_c(x->op->name),
                                  .environment = x->job->opts.environment,
                                  .root = x->in,
                                  .token_key = "NextToken"};
}

bool skep_api__xray_token(struct skep_api__xray *x, skep_bytes *ret)
{
    const char *why;
    const struct skep_aws_call call = paged(x);
    yyjson_val *v = yyjson_obj_get(x->in, "NextToken");
    skep_str text = {yyjson_get_str(v), yyjson_is_str(v) ? yyjson_get_len(v) : 0};
    *ret = (skep_bytes){NULL, 0};
    if (!v || yyjson_is_null(v) || yyjson_equals_str(v, ""))
        return true;
    if (skep_aws_token_read(&call, text, skep_arena_alloc(&x->job->arena, SKEP_AWS_TOKEN_BYTES),
                            ret, &why))
        return true;
    skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST, "NextToken %s", why);
    return false;
}

void skep_api__xray_put_token(struct skep_api__xray *x, skep_bytes position)
{
    struct skep_buf text;
    const struct skep_aws_call call = paged(x);
    skep_buf_init(&text, 256);
    skep_json_put_str(&x->job->out.json, SKEP_STR("NextToken"),
                      skep_aws_token_write(&call, position, &text));
    skep_buf_done(&text);
}

// --- names -------------------------------------------------------------------------------------

skep_str skep_api__xray_arn(struct skep_api__xray *x, skep_str resource)
{
    skep_str region = skep_aws_region(x->job->req);
    return skep_arena_printf(&x->job->arena,
                             "arn:aws:xray:" SKEP_STRFMT ":000000000000:" SKEP_STRFMT,
                             SKEP_STRARG(region), SKEP_STRARG(resource));
}

bool skep_api__xray_arn_resource(skep_str arn, skep_str *ret)
{
    skep_str part[5];
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(part); i++)
        part[i] = skep_str_cut(&arn, ':');
    if (!skep_str_eq(part[0], SKEP_STR("arn")) || !skep_str_eq(part[2], SKEP_STR("xray")) ||
        arn.n == 0)
        return false;
    *ret = arn;
    return true;
}

skep_str skep_api__xray_trace_id(char out[35], const skep_trace_id *id)
{
    char hex[32];
    skep_hex_encode((skep_bytes){id->b, sizeof id->b}, hex);
    memcpy(out, "1-", 2);
    memcpy(out + 2, hex, 8);
    out[10] = '-';
    memcpy(out + 11, hex + 8, 24);
    return (skep_str){out, 35};
}

// --- the way of a request ----------------------------------------------------------------------

static skep_handler_fn handle, handle_page;

#define ROUTE(path_, handle_, refuse_, right_, form_)                                              \
    {                                                                                              \
        .method = "POST", .path = (path_), .handle = (handle_), .refuse = (refuse_),               \
        .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES, .right = (right_), .form = (form_)          \
    }

static const struct skep_route routes[] = {
#define X(path, name, work, right, why)                                                            \
    ROUTE(path, handle, skep_api__xray_refuse, SKEP_RIGHT_##right, SKEP_FORM_SIGV4),
    OPERATIONS(X)
#undef X
};
/* The page's, which has other keys and is refused in its own words: /skep/v1/xray/CreateGroup. */
static const struct skep_route page_routes[] = {
#define X(path, name, work, right, why)                                                            \
    ROUTE("/skep/v1/xray" path, handle_page, skep_api__refuse, SKEP_RIGHT_##right, SKEP_FORM_PAGE),
    OPERATIONS(X)
#undef X
};
_Static_assert(SKEP_ARRAY_LEN(routes) == SKEP_ARRAY_LEN(ops), "one route an operation");
_Static_assert(SKEP_ARRAY_LEN(page_routes) == SKEP_ARRAY_LEN(ops), "one route an operation");

/* The body as an object; false after an error. */
static bool read_body(struct skep_api__xray *x)
{
    skep_str fault = skep_api__aws_body(x->job, &x->doc);
    x->in = x->args.root = yyjson_doc_get_root(x->doc);
    if (fault.n)
        fail_cause(x, SKEP_AWS_SERIALIZATION, fault);
    return fault.n == 0;
}

static void operate(struct skep_api__job *job, const struct skep_route *first)
{
    struct skep_api__xray x = {.job = job, .op = &ops[job->req->route - first]};
    job->opts.also = NULL; /* here it is the segments that count */
    if (read_body(&x)) {
        if (x.op->work)
            x.op->work(&x);
        else
            skep_api__xray_fail(&x, SKEP_XRAY_INVALID_REQUEST, "%s: %s", x.op->name, x.op->why);
    }
    yyjson_doc_free(x.doc);
}

static void work(struct skep_api__job *job)
{
    operate(job, routes);
}

static void work_page(struct skep_api__job *job)
{
    operate(job, page_routes);
}

static void handle(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, work);
}

static void handle_page(void *ctx, struct skep_request *req)
{
    skep_api__run(ctx, req, work_page);
}

const struct skep_api__routes skep_api__xray_operations = {routes, SKEP_ARRAY_LEN(routes)};
const struct skep_api__routes skep_api__page_xray = {page_routes, SKEP_ARRAY_LEN(page_routes)};
