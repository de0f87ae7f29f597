// SPDX-License-Identifier: Apache-2.0
/* What the endpoints of rules about grouping share (page_grouping*.c). */
#pragma once

#include "api/api_priv.h"
#include "ingest/grouping.h"
#include "state/grouping_rules.h"

/* The environment's rules in their order, in the job's arena. */
SKEP_NODISCARD skep_rc skep_api__grouping_rules(struct skep_api__job *job,
                                                struct skep_grouping_rule **ret, size_t *ret_n,
                                                skep_err *err);
/* A rule of a request; false: refused. */
struct yyjson_val;
bool skep_api__grouping_read(struct skep_api__job *job, struct yyjson_val *value,
                             struct skep_grouping_rule *ret);
