// SPDX-License-Identifier: Apache-2.0
/* Shared by Honeycomb's version 2 endpoints: JSON:API answers and errors, the team. */
#pragma once

#include <yyjson.h>

#include "api/honeycomb_priv.h"
#include "api/keys.h"

/* The one team: its slug in paths and its id in documents. */
#define SKEP_API__TEAM    SKEP_STR("skep")
#define SKEP_API__TEAM_ID SKEP_STR("hcxtm_00000000000000000000000000")

/* Begin a JSON:API answer; the caller writes its object. */
void skep_api__v2_begin(struct skep_api__job *job, int status);
void skep_api__v2_fail(struct skep_api__job *job, int status, skep_str detail);
void skep_api__v2_fail_rc(struct skep_api__job *job, skep_rc rc, const skep_err *err);
/* 204 without a body. */
void skep_api__v2_gone(struct skep_api__job *job);
skep_refuse_fn skep_api__v2_refuse;
/* False after a 404: the first capture of the path is not the team. */
bool skep_api__v2_team(struct skep_api__job *job);
/* data.attributes of the body (and *ret_data), or NULL after a refusal.  Free the document. */
yyjson_doc *skep_api__v2_body(struct skep_api__job *job, yyjson_val **ret_data,
                              yyjson_val **ret_attributes);
/* A text member, copied into the job's arena; empty when it is none. */
skep_str skep_api__v2_text(struct skep_api__job *job, yyjson_val *obj, const char *member);
/* "key": {"data": {"type": type, "id": id}} */
void skep_api__v2_related(struct skep_json *json, skep_str key, skep_str type, skep_str id);
/* "ingest", "configuration" or "management". */
skep_str skep_api__key_type(unsigned rights);

#define SKEP_API__V2_ROUTE(method_, path_, handle_)                                                \
    {                                                                                              \
        .method = (method_), .path = (path_), .handle = (handle_), .refuse = skep_api__v2_refuse,  \
        .body_limit_bytes = 64 << 10, .right = SKEP_RIGHT_ADMIN, .form = SKEP_FORM_BEARER          \
    }
