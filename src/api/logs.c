// SPDX-License-Identifier: Apache-2.0
/* CloudWatch Logs' API: the table of its operations, and how every one of them begins and ends.
 *
 *   POST /  X-Amz-Target: Logs_20140328.DescribeLogGroups  {"logGroupNamePrefix": "cruddur"}
 *     -> route (by target) -> worker -> JSON -> operation -> 200 {...}  x-amzn-RequestId: uuid
 *                                                      \---> 400 {"__type": ..., "message": ...}
 *
 * PutLogEvents is rows on their way in: src/ingest has its route.  Of the others one row of the
 * table says what becomes of it: a function, an answer that is always the same, or a refusal.
 *
 * I1  An operation of the model that is in no table is a failing test
 * (docs/api/cloudwatch-logs.md). I2  No member of a request is trusted: absent and null are the
 * same, unknown ones are ignored; a wrong type is SerializationException, a broken rule
 * InvalidParameterException.
 *
 * Threads: workers; refusals on I/O threads.  Memory: the request's arena. */
#include "api/logs_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/aws_call.h"
#include "api/keys.h"
#include "base/assert.h"

#define NO_KMS      "skep has no keys of KMS: what is on its disk is the disk's to encrypt"
#define NO_ACCOUNT  "there are no policies of an account: set them for each log group"
#define NO_MASK     "skep stores lines as they come and masks nothing"
#define NO_INDEX    "every field is indexed: there is nothing to choose"
#define NO_DELIVERY "nothing is delivered to AWS's services: use a subscription filter with a URL"
#define NO_ANOMALY  "skep looks for no anomalies by itself: ask with the pattern and diff commands"
#define NO_CHANGE   "lines are not transformed: fields of JSON and logfmt are found as they are"
#define NO_OTHER    "there are no other services to integrate with"
#define NO_IMPORT   "skep import brings lines in: there are no imports from AWS's stores"
#define NO_LOOKUP   "there are no lookup tables"
#define NO_SYSLOG   "skep does not listen for syslog"
#define NO_TIER     "there is one tier: what is stored is on this server's disk"
#define NO_BEARER   "keys are skep's own: what they may do is said when they are made"
#define NO_SOURCES  "there are no data sources of AWS: ask GetLogGroupFields for a group's fields"
#define NO_OBJECTS  "no line is so large that it is kept as an object of its own"
#define NO_SCHEDULE "there are no scheduled queries: ask with StartQuery when you want to know"

/* clang-format off: a line an operation */
/* W: name, function, right.  A: name, the answer of everybody, right.
 * R: name, right, error, why it is refused. */
#define OPERATIONS(W, A, R)                                                                        \
    W(CreateLogGroup, skep_api__logs_create_log_group, INGEST)                                     \
    W(DeleteLogGroup, skep_api__logs_delete_log_group, ADMIN)                                      \
    W(DescribeLogGroups, skep_api__logs_describe_log_groups, ANY)                                  \
    W(ListLogGroups, skep_api__logs_list_log_groups, ANY)                                          \
    W(PutRetentionPolicy, skep_api__logs_put_retention_policy, INGEST)                             \
    W(DeleteRetentionPolicy, skep_api__logs_delete_retention_policy, ADMIN)                        \
    W(PutLogGroupDeletionProtection, skep_api__logs_put_log_group_deletion_protection, ADMIN)      \
    W(CreateLogStream, skep_api__logs_create_log_stream, INGEST)                                   \
    W(DeleteLogStream, skep_api__logs_delete_log_stream, ADMIN)                                    \
    W(DescribeLogStreams, skep_api__logs_describe_log_streams, ANY)                                \
    W(TagResource, skep_api__logs_tag_resource, INGEST)                                            \
    W(UntagResource, skep_api__logs_untag_resource, INGEST)                                        \
    W(ListTagsForResource, skep_api__logs_list_tags_for_resource, ANY)                             \
    W(TagLogGroup, skep_api__logs_tag_log_group, INGEST)                                           \
    W(UntagLogGroup, skep_api__logs_untag_log_group, INGEST)                                       \
    W(ListTagsLogGroup, skep_api__logs_list_tags_log_group, ANY)                                   \
    W(GetLogEvents, skep_api__logs_get_log_events, QUERY)                                          \
    W(FilterLogEvents, skep_api__logs_filter_log_events, QUERY)                                    \
    W(GetLogRecord, skep_api__logs_get_log_record, QUERY)                                          \
    W(StartQuery, skep_api__logs_start_query, QUERY)                                               \
    W(GetQueryResults, skep_api__logs_get_query_results, QUERY)                                    \
    W(StopQuery, skep_api__logs_stop_query, QUERY)                                                 \
    W(DescribeQueries, skep_api__logs_describe_queries, QUERY)                                     \
    W(ListLogGroupsForQuery, skep_api__logs_list_log_groups_for_query, QUERY)                      \
    W(PutQueryDefinition, skep_api__logs_put_query_definition, QUERY)                              \
    W(DescribeQueryDefinitions, skep_api__logs_describe_query_definitions, QUERY)                  \
    W(DeleteQueryDefinition, skep_api__logs_delete_query_definition, QUERY)                        \
    W(GetLogGroupFields, skep_api__logs_get_log_group_fields, QUERY)                               \
    W(PutMetricFilter, skep_api__logs_put_metric_filter, ADMIN)                                    \
    W(DeleteMetricFilter, skep_api__logs_delete_metric_filter, ADMIN)                              \
    W(DescribeMetricFilters, skep_api__logs_describe_metric_filters, QUERY)                        \
    W(TestMetricFilter, skep_api__logs_test_metric_filter, QUERY)                                  \
    W(PutSubscriptionFilter, skep_api__logs_put_subscription_filter, ADMIN)                        \
    W(DeleteSubscriptionFilter, skep_api__logs_delete_subscription_filter, ADMIN)                  \
    W(DescribeSubscriptionFilters, skep_api__logs_describe_subscription_filters, ADMIN)            \
    W(StartLiveTail, skep_api__logs_start_live_tail, QUERY)                                        \
    W(PutResourcePolicy, skep_api__logs_put_resource_policy, ADMIN)                                \
    W(DeleteResourcePolicy, skep_api__logs_delete_resource_policy, ADMIN)                          \
    W(DescribeResourcePolicies, skep_api__logs_describe_resource_policies, QUERY)                  \
    W(CreateExportTask, skep_api__logs_create_export_task, ADMIN)                                  \
    W(DescribeExportTasks, skep_api__logs_describe_export_tasks, QUERY)                            \
    W(CancelExportTask, skep_api__logs_cancel_export_task, ADMIN)                                  \
    R(AssociateKmsKey, ADMIN, INVALID, NO_KMS)                                                     \
    R(DisassociateKmsKey, ADMIN, INVALID, NO_KMS)                                                  \
    A(DescribeAccountPolicies, "{\"accountPolicies\":[]}", QUERY)                                  \
    R(PutAccountPolicy, ADMIN, INVALID, NO_ACCOUNT)                                                \
    R(DeleteAccountPolicy, ADMIN, NOT_FOUND, NO_ACCOUNT)                                           \
    R(GetDataProtectionPolicy, QUERY, NOT_FOUND, NO_MASK)                                          \
    R(PutDataProtectionPolicy, ADMIN, INVALID, NO_MASK)                                            \
    R(DeleteDataProtectionPolicy, ADMIN, NOT_FOUND, NO_MASK)                                       \
    A(DescribeIndexPolicies, "{\"indexPolicies\":[]}", QUERY)                                      \
    A(DescribeFieldIndexes, "{\"fieldIndexes\":[]}", QUERY)                                        \
    R(PutIndexPolicy, ADMIN, INVALID, NO_INDEX)                                                    \
    R(DeleteIndexPolicy, ADMIN, NOT_FOUND, NO_INDEX)                                               \
    A(DescribeDestinations, "{\"destinations\":[]}", QUERY)                                        \
    R(PutDestination, ADMIN, INVALID, NO_DELIVERY)                                                 \
    R(PutDestinationPolicy, ADMIN, INVALID, NO_DELIVERY)                                           \
    R(DeleteDestination, ADMIN, NOT_FOUND, NO_DELIVERY)                                            \
    A(DescribeDeliveries, "{\"deliveries\":[]}", QUERY)                                            \
    A(DescribeDeliverySources, "{\"deliverySources\":[]}", QUERY)                                  \
    A(DescribeDeliveryDestinations, "{\"deliveryDestinations\":[]}", QUERY)                        \
    A(DescribeConfigurationTemplates, "{\"configurationTemplates\":[]}", QUERY)                    \
    R(CreateDelivery, ADMIN, VALIDATION, NO_DELIVERY)                                              \
    R(UpdateDeliveryConfiguration, ADMIN, NOT_FOUND, NO_DELIVERY)                                  \
    R(GetDelivery, QUERY, NOT_FOUND, NO_DELIVERY)                                                  \
    R(DeleteDelivery, ADMIN, NOT_FOUND, NO_DELIVERY)                                               \
    R(PutDeliverySource, ADMIN, VALIDATION, NO_DELIVERY)                                           \
    R(GetDeliverySource, QUERY, NOT_FOUND, NO_DELIVERY)                                            \
    R(DeleteDeliverySource, ADMIN, NOT_FOUND, NO_DELIVERY)                                         \
    R(PutDeliveryDestination, ADMIN, VALIDATION, NO_DELIVERY)                                      \
    R(GetDeliveryDestination, QUERY, NOT_FOUND, NO_DELIVERY)                                       \
    R(DeleteDeliveryDestination, ADMIN, NOT_FOUND, NO_DELIVERY)                                    \
    R(PutDeliveryDestinationPolicy, ADMIN, VALIDATION, NO_DELIVERY)                                \
    R(GetDeliveryDestinationPolicy, QUERY, NOT_FOUND, NO_DELIVERY)                                 \
    R(DeleteDeliveryDestinationPolicy, ADMIN, NOT_FOUND, NO_DELIVERY)                              \
    A(ListLogAnomalyDetectors, "{\"anomalyDetectors\":[]}", QUERY)                                 \
    A(ListAnomalies, "{\"anomalies\":[]}", QUERY)                                                  \
    R(CreateLogAnomalyDetector, ADMIN, INVALID, NO_ANOMALY)                                        \
    R(GetLogAnomalyDetector, QUERY, NOT_FOUND, NO_ANOMALY)                                         \
    R(UpdateLogAnomalyDetector, ADMIN, NOT_FOUND, NO_ANOMALY)                                      \
    R(DeleteLogAnomalyDetector, ADMIN, NOT_FOUND, NO_ANOMALY)                                      \
    R(UpdateAnomaly, ADMIN, NOT_FOUND, NO_ANOMALY)                                                 \
    R(GetTransformer, QUERY, NOT_FOUND, NO_CHANGE)                                                 \
    R(PutTransformer, ADMIN, INVALID, NO_CHANGE)                                                   \
    R(DeleteTransformer, ADMIN, NOT_FOUND, NO_CHANGE)                                              \
    R(TestTransformer, QUERY, INVALID, NO_CHANGE)                                                  \
    A(ListIntegrations, "{\"integrationSummaries\":[]}", QUERY)                                    \
    R(GetIntegration, QUERY, NOT_FOUND, NO_OTHER)                                                  \
    R(PutIntegration, ADMIN, INVALID, NO_OTHER)                                                    \
    R(DeleteIntegration, ADMIN, NOT_FOUND, NO_OTHER)                                               \
    A(ListSourcesForS3TableIntegration, "{\"sources\":[]}", QUERY)                                 \
    R(AssociateSourceToS3TableIntegration, ADMIN, VALIDATION, NO_OTHER)                            \
    R(DisassociateSourceFromS3TableIntegration, ADMIN, NOT_FOUND, NO_OTHER)                        \
    A(ListScheduledQueries, "{\"scheduledQueries\":[]}", QUERY)                                    \
    R(CreateScheduledQuery, ADMIN, VALIDATION, NO_SCHEDULE)                                        \
    R(UpdateScheduledQuery, ADMIN, NOT_FOUND, NO_SCHEDULE)                                         \
    R(GetScheduledQuery, QUERY, NOT_FOUND, NO_SCHEDULE)                                            \
    R(GetScheduledQueryHistory, QUERY, NOT_FOUND, NO_SCHEDULE)                                     \
    R(DeleteScheduledQuery, ADMIN, NOT_FOUND, NO_SCHEDULE)                                         \
    A(DescribeImportTasks, "{\"imports\":[]}", QUERY)                                              \
    R(CreateImportTask, ADMIN, INVALID, NO_IMPORT)                                                 \
    R(CancelImportTask, ADMIN, NOT_FOUND, NO_IMPORT)                                               \
    R(DescribeImportTaskBatches, QUERY, NOT_FOUND, NO_IMPORT)                                      \
    A(DescribeLookupTables, "{\"lookupTables\":[]}", QUERY)                                        \
    R(CreateLookupTable, ADMIN, INVALID, NO_LOOKUP)                                                \
    R(GetLookupTable, QUERY, NOT_FOUND, NO_LOOKUP)                                                 \
    R(UpdateLookupTable, ADMIN, NOT_FOUND, NO_LOOKUP)                                              \
    R(DeleteLookupTable, ADMIN, NOT_FOUND, NO_LOOKUP)                                              \
    A(ListSyslogConfigurations, "{\"syslogConfigurations\":[]}", QUERY)                            \
    R(PutSyslogConfiguration, ADMIN, INVALID, NO_SYSLOG)                                           \
    R(DeleteSyslogConfiguration, ADMIN, NOT_FOUND, NO_SYSLOG)                                      \
    R(GetStorageTierPolicy, QUERY, NOT_FOUND, NO_TIER)                                             \
    R(PutStorageTierPolicy, ADMIN, INVALID, NO_TIER)                                               \
    R(PutBearerTokenAuthentication, ADMIN, INVALID, NO_BEARER)                                     \
    R(ListAggregateLogGroupSummaries, QUERY, INVALID, NO_ACCOUNT)                                  \
    R(GetLogFields, QUERY, NOT_FOUND, NO_SOURCES)                                                  \
    R(GetLogObject, QUERY, NOT_FOUND, NO_OBJECTS)
/* clang-format on */

#define WORKS(name, work, right)         {#name, work, NULL, 0, NULL},
#define ANSWERS(name, answer, right)     {#name, NULL, answer, 0, NULL},
#define REFUSES(name, right, error, why) {#name, NULL, NULL, SKEP_LOGS_##error, why},
static const struct skep_api__logs_op ops[] = {OPERATIONS(WORKS, ANSWERS, REFUSES)};

static const struct skep_aws_error errors[SKEP_LOGS_ERROR_COUNT] = {
#define X(id, name) [SKEP_LOGS_##id] = {name, 400},
    SKEP_LOGS_ERRORS(X)
#undef X
};

// --- answers -----------------------------------------------------------------------------------

static void begin(struct skep_api__logs *l)
{
    skep_api__out_begin(l->job, 200, skep_aws_logs.content_type);
    skep_api__aws_id(l->job);
}

struct skep_json *skep_api__logs_begin(struct skep_api__logs *l)
{
    begin(l);
    skep_json_object(&l->job->out.json);
    return &l->job->out.json;
}

void skep_api__logs_end(struct skep_api__logs *l)
{
    skep_json_end(&l->job->out.json);
    skep_api__out_end(&l->job->out);
}

void skep_api__logs_done(struct skep_api__logs *l)
{
    begin(l);
    skep_api__out_end(&l->job->out);
}

void skep_api__logs_put_time(struct skep_json *json, const char *key, skep_ts_ns ns)
{
    skep_json_put_i64(json, skep_str_c(key), ns / 1000000);
}

void skep_api__logs_put(struct skep_json *json, const char *key, skep_str v)
{
    skep_json_put_str(json, skep_str_c(key), v);
}

void skep_api__logs_put_value(struct skep_json *json, yyjson_val *v)
{
    size_t n = 0;
    char *text = yyjson_val_write(v, 0, &n);
    skep_json_raw(json, text ? (skep_str){text, n} : SKEP_STR("null"));
    // tidy: allow banned: yyjson's
    free(text);
}

static void send_error(const struct skep_api *api, struct skep_request *req,
                       const struct skep_aws_failure *failure)
{
    skep_aws_fail(&skep_aws_logs, req, api->cfg.os, failure);
}

void skep_api__logs_fail_more(struct skep_api__logs *l, enum skep_logs_error error, skep_str text,
                              skep_aws_more_fn *more, const void *ctx)
{
    send_error(l->job->api, skep_api__job_instead(l->job),
               &(struct skep_aws_failure){
                   .error = errors[error], .message = text, .more = more, .more_ctx = ctx});
}

void skep_api__logs_fail(struct skep_api__logs *l, enum skep_logs_error error, const char *fmt, ...)
{
    char text[1400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    skep_api__logs_fail_more(l, error, skep_str_c(text), NULL, NULL);
}

static void fail_cause(struct skep_api__logs *l, enum skep_aws_cause cause, skep_str text)
{
    send_error(l->job->api, skep_api__job_instead(l->job),
               &(struct skep_aws_failure){.error = skep_aws_logs.errors[cause], .message = text});
}

void skep_api__logs_fail_rc(struct skep_api__logs *l, skep_rc rc, const skep_err *err)
{
    rc = skep_api__job_rc(l->job, rc);
    skep_str text = skep_str_c(err && err->text[0] ? err->text : skep_rc_info(rc)->text);
    int status = skep_rc_info(rc)->http;
    if (rc == SKEP_EMALFORMED || rc == SKEP_EUNSUPPORTED)
        rc = SKEP_EINVAL;
    if (rc == SKEP_ELIMIT)
        skep_api__logs_fail_more(l, SKEP_LOGS_LIMIT, SKEP_STR("Resource limit exceeded."), NULL,
                                 NULL);
    else
        fail_cause(l, skep_aws_cause_of(rc, SKEP_DENIED_NO, status), text);
}

void skep_api__logs_refuse(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                           skep_str message)
{
    enum skep_aws_cause cause = skep_aws_cause_of(rc, req->denial.why, http_status);
    send_error(
        ctx, req,
        &(struct skep_aws_failure){.error = skep_aws_logs.errors[cause], .message = message});
}

void skep_api__logs_changed(struct skep_api__logs *l, skep_str name)
{
    skep_str what = skep_arena_printf(&l->job->arena, "logs.%s", l->op->name);
    skep_api__audit(l->job, skep_cstr(&l->job->arena, what), name);
}

// --- members -----------------------------------------------------------------------------------

bool skep_api__logs_valid(struct skep_api__logs *l)
{
    enum skep_aws_cause cause;
    skep_str fault = skep_aws_in_fault(&l->args, &cause);
    if (fault.n)
        fail_cause(l, cause, fault);
    return fault.n == 0;
}

skep_str skep_api__logs_name(struct skep_api__logs *l, const char *key, bool required)
{
    return skep_aws_str(&l->args, l->in, key, &(struct skep_aws_len){1, 512, required});
}

bool skep_api__logs_which_group(struct skep_api__logs *l, skep_str *ret)
{
    skep_str name = skep_api__logs_name(l, "logGroupName", false);
    skep_str identifier =
        skep_aws_str(&l->args, l->in, "logGroupIdentifier", &(struct skep_aws_len){1, 2048, false});
    if (name.n == 0 && identifier.n == 0)
        skep_aws_wrong(&l->args, "logGroupName", NULL, "Member must not be null");
    if (!skep_api__logs_valid(l))
        return false;
    if (name.n && identifier.n) {
        skep_api__logs_fail(l, SKEP_LOGS_VALIDATION,
                            "LogGroup name and LogGroup ARN are mutually exclusive parameters.");
        return false;
    }
    *ret = name.n ? name : skep_api__logs_group_of(identifier);
    return true;
}

bool skep_api__logs_time(struct skep_api__logs *l, const char *key, int64_t *ret_ms)
{
    return skep_aws_int(&l->args, l->in, key, &(struct skep_aws_range){0, 9e15, false}, ret_ms);
}

unsigned skep_api__logs_limit(struct skep_api__logs *l, unsigned max, unsigned absent)
{
    int64_t v = absent;
    if (!skep_aws_int(&l->args, l->in, "limit", &(struct skep_aws_range){1, max, false}, &v))
        return absent;
    return (unsigned)v;
}

static struct skep_aws_call paged(const struct skep_api__logs *l)
{
    return (struct skep_aws_call){.operation = skep_str_c(l->op->name),
                                  .environment = l->job->opts.environment,
                                  .root = l->in,
                                  .token_key = "nextToken"};
}

bool skep_api__logs_token(struct skep_api__logs *l, skep_bytes *ret)
{
    const char *why;
    const struct skep_aws_call call = paged(l);
    yyjson_val *v = yyjson_obj_get(l->in, "nextToken");
    skep_str text = {yyjson_get_str(v), yyjson_is_str(v) ? yyjson_get_len(v) : 0};
    *ret = (skep_bytes){NULL, 0};
    if (!v || yyjson_is_null(v))
        return true;
    if (skep_aws_token_read(&call, text, skep_arena_alloc(&l->job->arena, SKEP_AWS_TOKEN_BYTES),
                            ret, &why))
        return true;
    skep_api__logs_fail(l, SKEP_LOGS_INVALID, "The specified nextToken is invalid.");
    return false;
}

void skep_api__logs_put_token(struct skep_api__logs *l, skep_bytes position)
{
    struct skep_buf text;
    const struct skep_aws_call call = paged(l);
    skep_buf_init(&text, 4096);
    skep_json_put_str(&l->job->out.json, SKEP_STR("nextToken"),
                      skep_aws_token_write(&call, position, &text));
    skep_buf_done(&text);
}

// --- names -------------------------------------------------------------------------------------

skep_str skep_api__logs_arn(struct skep_api__logs *l, skep_str resource)
{
    skep_str region = skep_aws_region(l->job->req);
    return skep_arena_printf(&l->job->arena,
                             "arn:aws:logs:" SKEP_STRFMT ":000000000000:" SKEP_STRFMT,
                             SKEP_STRARG(region), SKEP_STRARG(resource));
}

skep_str skep_api__logs_group_of(skep_str identifier)
{
    const skep_str mark = SKEP_STR(":log-group:");
    size_t at =
        skep_str_starts(identifier, SKEP_STR("arn:")) ? skep_str_find(identifier, mark) : SIZE_MAX;
    if (at == SIZE_MAX)
        return identifier;
    identifier = skep_str_skip(identifier, at + mark.n);
    if (skep_str_ends(identifier, SKEP_STR(":*")))
        identifier.n -= 2;
    return identifier;
}

// --- the way of a request ----------------------------------------------------------------------

static skep_handler_fn handle, handle_page;

#define ROUTE(name_, right_)                                                                       \
    {.method = "POST",                                                                             \
     .path = "/",                                                                                  \
     .header = "x-amz-target",                                                                     \
     .header_value = "Logs_20140328." #name_,                                                      \
     .handle = handle,                                                                             \
     .refuse = skep_api__logs_refuse,                                                              \
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,                                                \
     .right = SKEP_RIGHT_##right_,                                                                 \
     .form = SKEP_FORM_SIGV4},
/* The page's, which has other keys and is refused in its own words: /skep/v1/logs/PutRetention...
 */
#define PAGE(name_, right_)                                                                        \
    {.method = "POST",                                                                             \
     .path = "/skep/v1/logs/" #name_,                                                              \
     .handle = handle_page,                                                                        \
     .refuse = skep_api__refuse,                                                                   \
     .body_limit_bytes = SKEP_LIMIT_API_BODY_BYTES,                                                \
     .right = SKEP_RIGHT_##right_,                                                                 \
     .form = SKEP_FORM_PAGE},
#define TWO(name, x, right)          ROUTE(name, right)
#define FOUR(name, right, x, y)      ROUTE(name, right)
#define TWO_PAGE(name, x, right)     PAGE(name, right)
#define FOUR_PAGE(name, right, x, y) PAGE(name, right)

static const struct skep_route routes[] = {OPERATIONS(TWO, TWO, FOUR)};
static const struct skep_route page_routes[] = {OPERATIONS(TWO_PAGE, TWO_PAGE, FOUR_PAGE)};
_Static_assert(SKEP_ARRAY_LEN(routes) == SKEP_ARRAY_LEN(ops), "one route an operation");
_Static_assert(SKEP_ARRAY_LEN(page_routes) == SKEP_ARRAY_LEN(ops), "one route an operation");

/* The body as an object; false after an error. */
static bool read_body(struct skep_api__logs *l)
{
    skep_str fault = skep_api__aws_body(l->job, &l->doc);
    l->in = l->args.root = yyjson_doc_get_root(l->doc);
    if (fault.n)
        fail_cause(l, SKEP_AWS_SERIALIZATION, fault);
    return fault.n == 0;
}

static void operate(struct skep_api__job *job, const struct skep_route *first)
{
    struct skep_api__logs l = {.job = job, .op = &ops[job->req->route - first]};
    job->opts.also = NULL; /* lines are what they are */
    if (read_body(&l)) {
        if (l.op->work) {
            l.op->work(&l);
        } else if (l.op->answer) {
            begin(&l);
            skep_json_raw(&job->out.json, skep_str_c(l.op->answer));
            skep_api__out_end(&job->out);
        } else {
            skep_api__logs_fail(&l, l.op->error, "%s", l.op->why);
        }
    }
    yyjson_doc_free(l.doc);
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

const struct skep_api__routes skep_api__logs_operations = {routes, SKEP_ARRAY_LEN(routes)};
const struct skep_api__routes skep_api__page_logs = {page_routes, SKEP_ARRAY_LEN(page_routes)};
