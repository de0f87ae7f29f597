// SPDX-License-Identifier: Apache-2.0
/* AWS X-Ray's API: what the files of its operation families share.
 *
 * An operation is one row of the table in xray.c and one function that gets a struct
 * skep_api__xray: it reads members of the request with aws/members.h, which note what is wrong
 * instead of failing, asks skep_api__xray_valid once, and answers.
 *
 *   static void get_group(struct skep_api__xray *x)
 *   {
 *       skep_str name = skep_aws_str(&x->args, x->in, "GroupName", &(struct skep_aws_len){1, 32});
 *       if (!skep_api__xray_valid(x))
 *           return;
 *       struct skep_json *json = skep_api__xray_begin(x);
 *       ...
 *       skep_api__xray_end(x);
 *   }
 *
 * The request's texts live as long as the call.  Everything runs on a worker, in the environment of
 * the caller (x->job->opts.environment). */
#pragma once

#include <yyjson.h>

#include "api/api_priv.h"
#include "aws/members.h"
#include "aws/token.h"

/* Errors of X-Ray's model. */
#define SKEP_XRAY_ERRORS(X)                                                                        \
    X(INVALID_REQUEST, "InvalidRequestException", 400)                                             \
    X(THROTTLED, "ThrottledException", 429)                                                        \
    X(RULE_LIMIT, "RuleLimitExceededException", 400)                                               \
    X(NOT_FOUND, "ResourceNotFoundException", 404)                                                 \
    X(TOO_MANY_TAGS, "TooManyTagsException", 400)                                                  \
    X(POLICY_REVISION, "InvalidPolicyRevisionIdException", 400)                                    \
    X(POLICY_MALFORMED, "MalformedPolicyDocumentException", 400)                                   \
    X(POLICY_LOCKOUT, "LockoutPreventionException", 400)                                           \
    X(POLICY_SIZE, "PolicySizeLimitExceededException", 400)                                        \
    X(POLICY_COUNT, "PolicyCountLimitExceededException", 400)

enum skep_xray_error {
#define X(id, name, status) SKEP_XRAY_##id,
    SKEP_XRAY_ERRORS(X)
#undef X
        SKEP_XRAY_ERROR_COUNT
};

struct skep_api__xray;
typedef void skep_api__xray_work_fn(struct skep_api__xray *x);

struct skep_api__xray_op {
    const char *path, *name;
    skep_api__xray_work_fn *work; /* NULL: refused with InvalidRequestException, */
    const char *why;              /* which says this */
};

/* One request on a worker. */
struct skep_api__xray {
    struct skep_api__job *job;
    const struct skep_api__xray_op *op;
    yyjson_doc *doc;
    yyjson_val *in; /* the body's object; an empty one without a body */
    struct skep_aws_in args;
    skep_str within; /* the group whose new expression is read: it cannot be part of itself */
};

/* --- families: a file each --- */

skep_api__xray_work_fn skep_api__xray_get_trace_summaries, skep_api__xray_batch_get_traces;
skep_api__xray_work_fn skep_api__xray_create_group, skep_api__xray_update_group,
    skep_api__xray_get_group, skep_api__xray_get_groups, skep_api__xray_delete_group;
skep_api__xray_work_fn skep_api__xray_get_sampling_rules, skep_api__xray_create_sampling_rule,
    skep_api__xray_update_sampling_rule, skep_api__xray_delete_sampling_rule;
skep_api__xray_work_fn skep_api__xray_get_sampling_targets,
    skep_api__xray_get_sampling_statistic_summaries;
skep_api__xray_work_fn skep_api__xray_list_tags_for_resource, skep_api__xray_tag_resource,
    skep_api__xray_untag_resource;
skep_api__xray_work_fn skep_api__xray_list_resource_policies, skep_api__xray_put_resource_policy,
    skep_api__xray_delete_resource_policy;
skep_api__xray_work_fn skep_api__xray_get_encryption_config, skep_api__xray_put_encryption_config,
    skep_api__xray_get_indexing_rules, skep_api__xray_update_indexing_rule,
    skep_api__xray_get_trace_segment_destination, skep_api__xray_update_trace_segment_destination;
skep_api__xray_work_fn skep_api__xray_get_insight_summaries, skep_api__xray_get_insight,
    skep_api__xray_get_insight_events, skep_api__xray_get_insight_impact_graph;
skep_api__xray_work_fn skep_api__xray_start_trace_retrieval, skep_api__xray_list_retrieved_traces,
    skep_api__xray_cancel_trace_retrieval;
skep_api__xray_work_fn skep_api__xray_get_service_graph, skep_api__xray_get_trace_graph,
    skep_api__xray_get_retrieved_traces_graph, skep_api__xray_get_retrieved_traces_graph,
    skep_api__xray_get_time_series;

/* --- members of the request: aws/members.h, with &x->args --- */

/* True when nothing was wrong; else the request has been answered.  Also refuses a range that does
 * not begin before it ends: see skep_api__xray_period. */
SKEP_NODISCARD bool skep_api__xray_valid(struct skep_api__xray *x);
/* StartTime and EndTime, both required; noted when they are not in order. */
void skep_api__xray_period(struct skep_api__xray *x, struct skep_time_range *ret);

/* --- answers: xray.c --- */

/* Begin the 200 answer and its object. */
struct skep_json *skep_api__xray_begin(struct skep_api__xray *x);
/* End the object and the answer. */
void skep_api__xray_end(struct skep_api__xray *x);
/* "key": seconds since 1970, as a number. */
void skep_api__xray_put_time(struct skep_json *json, skep_str key, skep_ts_ns ns);
/* "key": seconds, rounded to milliseconds as AWS does. */
void skep_api__xray_put_seconds(struct skep_json *json, skep_str key, int64_t ns);

/* Instead of an answer; what was begun and not sent is forgotten. */
void skep_api__xray_fail(struct skep_api__xray *x, enum skep_xray_error error, const char *fmt,
                         ...) SKEP_COLD SKEP_PRINTF(3, 4);
/* The same for the errors that name a resource. */
void skep_api__xray_fail_resource(struct skep_api__xray *x, enum skep_xray_error error,
                                  skep_str resource, skep_str text);
void skep_api__xray_fail_rc(struct skep_api__xray *x, skep_rc rc, const skep_err *err);
/* net's and the gate's refusals. */
skep_refuse_fn skep_api__xray_refuse;

/* --- NextToken: aws/token.h --- */

/* The position in NextToken; *ret is empty when there is none.  False after an error was sent: a
 * token that is none, or of another request (operation, members, environment). */
SKEP_NODISCARD bool skep_api__xray_token(struct skep_api__xray *x, skep_bytes *ret);
/* "NextToken": the token of this request for a position; what stands behind the last page's end is
 * the operation's business. */
void skep_api__xray_put_token(struct skep_api__xray *x, skep_bytes position);

/* --- names --- */

/* "arn:aws:xray:REGION:ACCOUNT:" + resource.  The region is the one the request was signed for. */
skep_str skep_api__xray_arn(struct skep_api__xray *x, skep_str resource);
/* The resource of such a name, whatever its region and account; false when it is none. */
SKEP_NODISCARD bool skep_api__xray_arn_resource(skep_str arn, skep_str *ret);
/* "1-5759e988-bd862e3fe1be46a994272793" into out[35]. */
skep_str skep_api__xray_trace_id(char out[35], const skep_trace_id *id);
