// SPDX-License-Identifier: Apache-2.0
/* What the calls of AWS's APIs have in common, from their body to their answer's headers. */
#pragma once

#include <yyjson.h>

#include "api/api_priv.h"

/* The body as an object, {} without one: *ret, the caller frees it also after a fault.  Returns
 * what is wrong with it, in the job's arena; empty: nothing. */
skep_str skep_api__aws_body(struct skep_api__job *job, yyjson_doc **ret);
/* The answer that was begun has an id, as every one. */
void skep_api__aws_id(struct skep_api__job *job);
