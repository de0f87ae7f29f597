// SPDX-License-Identifier: Apache-2.0
/* Partial aggregates: what an engine returns and `query` merges.  States of all aggregates are
 * mergeable, and merging in any order gives bit-equal results (docs/decisions/aggregates.md). */
#pragma once

#include "base/arena.h"
#include "plan/plan.h"

/* Groups x time buckets x aggregate states of one plan over some rows.  Opaque; agg/agg.h. */
struct skep_partial;

void skep_partial_free(struct skep_partial *p); /* NULL is fine */
