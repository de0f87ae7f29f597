// SPDX-License-Identifier: Apache-2.0
/* Calls of AWS's APIs (aws_call.h).
 *
 * Threads: workers.  Memory: the job's arena. */
#include "api/aws_call.h"

#include "aws/aws.h"
#include "base/assert.h"

skep_str skep_api__aws_body(struct skep_api__job *job, yyjson_doc **ret)
{
    yyjson_read_err err;
    skep_str body = skep_str_trim(skep_bytes_str(job->req->body));
    skep_assert(ret != NULL);
    if (body.n == 0)
        body = SKEP_STR("{}");
    char *text = skep_cstr(&job->arena, body); /* read_opts takes what it may write to */
    *ret = yyjson_read_opts(text, body.n, 0, NULL, &err);
    if (!*ret)
        return skep_arena_printf(&job->arena, "not JSON: %s at byte %zu", err.msg, err.pos);
    return yyjson_is_obj(yyjson_doc_get_root(*ret)) ? SKEP_STR("")
                                                    : SKEP_STR("the body must be a JSON object");
}

void skep_api__aws_id(struct skep_api__job *job)
{
    char id[36];
    skep_str text = skep_aws_request_id(job->api->cfg.os, id);
    skep_api__out_header(&job->out, SKEP_STR("x-amzn-RequestId"),
                         skep_arena_str(&job->arena, text));
}
