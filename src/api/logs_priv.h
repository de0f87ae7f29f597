// SPDX-License-Identifier: Apache-2.0
/* CloudWatch Logs' API: what the files of its operation families share.
 *
 * An operation is one row of the table in logs.c and one function that gets a struct
 * skep_api__logs: it reads members of the request with aws/members.h, which note what is wrong
 * instead of failing, asks skep_api__logs_valid once, and answers.
 *
 *   static void describe(struct skep_api__logs *l)
 *   {
 *       skep_str prefix = skep_aws_str(&l->args, l->in, "logGroupNamePrefix", &any_name);
 *       if (!skep_api__logs_valid(l))
 *           return;
 *       struct skep_json *json = skep_api__logs_begin(l);
 *       ...
 *       skep_api__logs_end(l);
 *   }
 *
 * The request's texts live as long as the call.  Everything runs on a worker, in the environment of
 * the caller (l->job->opts.environment). */
#pragma once

#include <yyjson.h>

#include "api/api_priv.h"
#include "api/logs_rows.h"
#include "aws/members.h"
#include "aws/token.h"
#include "state/logs.h"

/* Errors of the model. */
#define SKEP_LOGS_ERRORS(X)                                                                        \
    X(INVALID, "InvalidParameterException")                                                        \
    X(VALIDATION, "ValidationException")                                                           \
    X(NOT_FOUND, "ResourceNotFoundException")                                                      \
    X(EXISTS, "ResourceAlreadyExistsException")                                                    \
    X(LIMIT, "LimitExceededException")                                                             \
    X(QUOTA, "ServiceQuotaExceededException")                                                      \
    X(ABORTED, "OperationAbortedException")                                                        \
    X(OPERATION, "InvalidOperationException")                                                      \
    X(MALFORMED_QUERY, "MalformedQueryException")                                                  \
    X(TOO_MANY_TAGS, "TooManyTagsException")                                                       \
    X(ACCESS_DENIED, "AccessDeniedException")

enum skep_logs_error {
#define X(id, name) SKEP_LOGS_##id,
    SKEP_LOGS_ERRORS(X)
#undef X
        SKEP_LOGS_ERROR_COUNT
};

struct skep_api__logs;
typedef void skep_api__logs_work_fn(struct skep_api__logs *l);

struct skep_api__logs_op {
    const char *name;
    skep_api__logs_work_fn *work;
    const char *answer;         /* work NULL: the same JSON for everybody; */
    enum skep_logs_error error; /* answer NULL, too: refused with this, */
    const char *why;            /* which says that */
};

/* One request on a worker. */
struct skep_api__logs {
    struct skep_api__job *job;
    const struct skep_api__logs_op *op;
    yyjson_doc *doc;
    yyjson_val *in; /* the body's object; an empty one without a body */
    struct skep_aws_in args;
};

/* --- operations: a file a family --- */

skep_api__logs_work_fn skep_api__logs_create_log_group, skep_api__logs_delete_log_group,
    skep_api__logs_describe_log_groups, skep_api__logs_list_log_groups,
    skep_api__logs_put_retention_policy, skep_api__logs_delete_retention_policy,
    skep_api__logs_put_log_group_deletion_protection;
skep_api__logs_work_fn skep_api__logs_create_log_stream, skep_api__logs_delete_log_stream,
    skep_api__logs_describe_log_streams;
skep_api__logs_work_fn skep_api__logs_tag_resource, skep_api__logs_untag_resource,
    skep_api__logs_list_tags_for_resource, skep_api__logs_tag_log_group,
    skep_api__logs_untag_log_group, skep_api__logs_list_tags_log_group;
skep_api__logs_work_fn skep_api__logs_get_log_events, skep_api__logs_filter_log_events,
    skep_api__logs_get_log_record;

skep_api__logs_work_fn skep_api__logs_put_metric_filter, skep_api__logs_delete_metric_filter,
    skep_api__logs_describe_metric_filters, skep_api__logs_test_metric_filter,
    skep_api__logs_put_subscription_filter, skep_api__logs_delete_subscription_filter,
    skep_api__logs_describe_subscription_filters;
skep_api__logs_work_fn skep_api__logs_start_live_tail;
skep_api__logs_work_fn skep_api__logs_put_resource_policy, skep_api__logs_delete_resource_policy,
    skep_api__logs_describe_resource_policies;
skep_api__logs_work_fn skep_api__logs_create_export_task, skep_api__logs_describe_export_tasks,
    skep_api__logs_cancel_export_task;

skep_api__logs_work_fn skep_api__logs_start_query, skep_api__logs_get_query_results,
    skep_api__logs_stop_query, skep_api__logs_describe_queries,
    skep_api__logs_list_log_groups_for_query, skep_api__logs_put_query_definition,
    skep_api__logs_describe_query_definitions, skep_api__logs_delete_query_definition,
    skep_api__logs_get_log_group_fields;

/* --- answers: logs.c --- */

/* Begin the 200 answer and its object. */
struct skep_json *skep_api__logs_begin(struct skep_api__logs *l);
/* End the object and the answer. */
void skep_api__logs_end(struct skep_api__logs *l);
/* 200 without a body: of operations without output. */
void skep_api__logs_done(struct skep_api__logs *l);
/* "key": milliseconds since 1970. */
void skep_api__logs_put_time(struct skep_json *json, const char *key, skep_ts_ns ns);
void skep_api__logs_put(struct skep_json *json, const char *key, skep_str v);
/* A value of a request or of state, as it came. */
void skep_api__logs_put_value(struct skep_json *json, yyjson_val *v);

/* Instead of an answer; what was begun and not sent is forgotten. */
void skep_api__logs_fail(struct skep_api__logs *l, enum skep_logs_error error, const char *fmt,
                         ...) SKEP_COLD SKEP_PRINTF(3, 4);
/* The same with further members of the error. */
void skep_api__logs_fail_more(struct skep_api__logs *l, enum skep_logs_error error, skep_str text,
                              skep_aws_more_fn *more, const void *ctx);
void skep_api__logs_fail_rc(struct skep_api__logs *l, skep_rc rc, const skep_err *err);
/* net's and the gate's refusals. */
skep_refuse_fn skep_api__logs_refuse;
/* Note in the audit log that this operation changed `name`; before the answer. */
void skep_api__logs_changed(struct skep_api__logs *l, skep_str name);

/* --- members --- */

/* True when nothing was wrong; else the request has been answered. */
SKEP_NODISCARD bool skep_api__logs_valid(struct skep_api__logs *l);
/* A group's or a stream's name; empty when absent or wrong. */
skep_str skep_api__logs_name(struct skep_api__logs *l, const char *key, bool required);
/* "logGroupName" or "logGroupIdentifier" (a name or an ARN): one of them.  False after an error was
 * sent; asks skep_api__logs_valid first. */
SKEP_NODISCARD bool skep_api__logs_which_group(struct skep_api__logs *l, skep_str *ret);
/* Milliseconds since 1970; false when absent. */
bool skep_api__logs_time(struct skep_api__logs *l, const char *key, int64_t *ret_ms);
/* "limit", or `absent`. */
unsigned skep_api__logs_limit(struct skep_api__logs *l, unsigned max, unsigned absent);

/* nextToken: the position in it; *ret is empty when there is none.  False after an error was sent.
 */
SKEP_NODISCARD bool skep_api__logs_token(struct skep_api__logs *l, skep_bytes *ret);
/* "nextToken": for a position. */
void skep_api__logs_put_token(struct skep_api__logs *l, skep_bytes position);

/* --- names --- */

/* "arn:aws:logs:REGION:000000000000:" + resource, in the region that the request was signed for. */
skep_str skep_api__logs_arn(struct skep_api__logs *l, skep_str resource);
/* The group of an ARN ("...:log-group:NAME", also with ":*" behind it), whatever its region and
 * account, or of a name that is one already. */
skep_str skep_api__logs_group_of(skep_str identifier);

/* --- groups and streams, those of state and those that rows make: logs_find.c --- */

struct skep_logs_group {
    struct skep_state_log_group g;
    bool made; /* by rows alone (OTLP): state knows nothing of it */
    uint64_t rows, bytes;
};
/* All groups by name.  False after an error was sent. */
SKEP_NODISCARD bool skep_api__logs_groups(struct skep_api__logs *l, struct skep_logs_group **ret,
                                          size_t *ret_n);
/* Is there such a group?  False after "does not exist" was sent. */
SKEP_NODISCARD bool skep_api__logs_group_exists(struct skep_api__logs *l, skep_str group);

struct skep_logs_stream {
    skep_str name;
    skep_ts_ns created_ns;
    uint64_t rows;
    skep_ts_ns first_ns, last_ns, received_ns; /* of its rows */
};
/* All streams of a group that begin with prefix, by name. */
SKEP_NODISCARD bool skep_api__logs_streams(struct skep_api__logs *l, skep_str group,
                                           skep_str prefix, struct skep_logs_stream **ret,
                                           size_t *ret_n);

/* --- rows --- */

/* Delete the rows of a group that pass; false: *ret and err say why not. */
bool skep_api__logs_delete_rows(struct skep_api__logs *l, skep_str group,
                                const struct skep_expr *filter, skep_err *err, skep_rc *ret);
