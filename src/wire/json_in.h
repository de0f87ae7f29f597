// SPDX-License-Identifier: Apache-2.0
/* yyjson's memory from a budget: what a client can make large is asked for first. */
#pragma once

#include <yyjson.h>

#include "base/budget.h"

/* An allocator that takes from `budget` (NULL = none) and gives back; a refusal shows as
 * YYJSON_READ_ERROR_MEMORY_ALLOCATION.  Documents must be freed while the budget lives.
 * Threads: any; a document belongs to one. */
yyjson_alc skep_json_alc(struct skep_budget *budget);
