// SPDX-License-Identifier: Apache-2.0
/* Rules of environments about how errors are grouped, in an order; what they say is
 * ingest/grouping.h's. */
#pragma once

#include "state/state.h"

enum { SKEP_STATE_GROUPING_RULES_MAX = 100 }; /* of an environment */

struct skep_state_grouping_rule {
    int64_t id;
    skep_str environment, body; /* JSON */
    skep_ts_ns changed_ns;
};

/* All rules, or an environment's (NULL = all): by environment, in their order. */
SKEP_NODISCARD skep_rc skep_state_grouping_rules(struct skep_state *s, const skep_str *environment,
                                                 struct skep_arena *arena,
                                                 struct skep_state_grouping_rule **ret,
                                                 size_t *ret_n, skep_err *err);
/* r->id 0: a new one, behind the others; else that one says something else.  *ret_id is its id.
 * Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_ELIMIT | EIO. */
SKEP_NODISCARD skep_rc skep_state_grouping_rule_put(struct skep_state *s,
                                                    const struct skep_state_grouping_rule *r,
                                                    int64_t *ret_id, skep_err *err);
/* SKEP_ENOTFOUND. */
SKEP_NODISCARD skep_rc skep_state_grouping_rule_drop(struct skep_state *s, skep_str environment,
                                                     int64_t id, skep_err *err);
/* The environment's rules stand in this order; those that are not named behind them, as they
 * stood.  SKEP_ENOTFOUND. */
SKEP_NODISCARD skep_rc skep_state_grouping_rules_order(struct skep_state *s, skep_str environment,
                                                       const int64_t *ids, size_t n, skep_err *err);
