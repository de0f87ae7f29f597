// SPDX-License-Identifier: Apache-2.0
/* What X-Ray's API keeps beside rows: groups, sampling rules, resource policies, trace retrievals,
 * tags, and what sampling came to.  State keeps texts under names; what they say is src/api's.
 *
 * Everything belongs to an environment.  Every call may wait for the disk.  Threads: any. */
#pragma once

#include "state/state.h"

/* Numbers are on disk; never reuse. */
enum skep_state_xray_kind {
    SKEP_STATE_XRAY_GROUP = 1,
    SKEP_STATE_XRAY_RULE = 2,
    SKEP_STATE_XRAY_POLICY = 3,
    SKEP_STATE_XRAY_RETRIEVAL = 4,   /* the oldest makes room */
    SKEP_STATE_XRAY_RULE_DROPPED = 5 /* when one was, last; not for callers */
};

/* Of an environment. */
enum {
    SKEP_STATE_XRAY_GROUPS_MAX = 100,
    SKEP_STATE_XRAY_RULES_MAX = 26, /* Default and as many as one request for targets may name */
    SKEP_STATE_XRAY_POLICIES_MAX = 5,
    SKEP_STATE_XRAY_RETRIEVALS_MAX = 100,
    SKEP_STATE_XRAY_TAGS_MAX = 50 /* of a resource */
};

struct skep_state_xray_item {
    skep_str name; /* unique among its kind */
    skep_str body;
    int64_t created_ns, modified_ns; /* modified grows with every change */
};

/* All of a kind, ordered by name; texts in the arena.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_state_xray_list(struct skep_state *s, skep_str environment,
                                            enum skep_state_xray_kind kind,
                                            struct skep_arena *arena,
                                            struct skep_state_xray_item **ret, size_t *ret_n,
                                            skep_err *err);
/* Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_xray_get(struct skep_state *s, skep_str environment,
                                           enum skep_state_xray_kind kind, skep_str name,
                                           struct skep_arena *arena,
                                           struct skep_state_xray_item *ret, skep_err *err);
/* Keep a new one; sets its times.
 * Returns SKEP_OK | SKEP_EEXISTS | SKEP_ELIMIT (as many as may be) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_xray_create(struct skep_state *s, skep_str environment,
                                              enum skep_state_xray_kind kind,
                                              struct skep_state_xray_item *item, skep_err *err);
/* Change the body of the one that was read; sets modified_ns.
 * Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EAGAIN (changed since it was read) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_xray_replace(struct skep_state *s, skep_str environment,
                                               enum skep_state_xray_kind kind,
                                               struct skep_state_xray_item *item, skep_err *err);
/* With its tags.  Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_xray_drop(struct skep_state *s, skep_str environment,
                                            enum skep_state_xray_kind kind, skep_str name,
                                            skep_err *err);
/* When a sampling rule was made, changed or dropped last; 0 = never.
 * Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_xray_rules_modified(struct skep_state *s, skep_str environment,
                                                      int64_t *ret_ns, skep_err *err);

/* --- tags of a group or a sampling rule; whether it exists is the caller's business --- */

struct skep_state_xray_tag {
    skep_str key, value;
};

/* Ordered by key.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_xray_tags(struct skep_state *s, skep_str environment,
                                            enum skep_state_xray_kind kind, skep_str name,
                                            struct skep_arena *arena,
                                            struct skep_state_xray_tag **ret, size_t *ret_n,
                                            skep_err *err);
/* Add or change; all or none.  Returns SKEP_OK | SKEP_ELIMIT (more than may be) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_xray_tag(struct skep_state *s, skep_str environment,
                                           enum skep_state_xray_kind kind, skep_str name,
                                           const struct skep_state_xray_tag *tags, size_t n,
                                           skep_err *err);
/* Those that are not there are no error.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_xray_untag(struct skep_state *s, skep_str environment,
                                             enum skep_state_xray_kind kind, skep_str name,
                                             const skep_str *keys, size_t n, skep_err *err);

/* --- what clients reported of a rule, summed over ten seconds; kept for an hour --- */

struct skep_state_xray_window {
    skep_str environment, rule;
    skep_ts_ns start_ns; /* a multiple of the width */
    uint64_t requests, borrowed, sampled;
};
#define SKEP_STATE_XRAY_WINDOW_NS 10000000000
#define SKEP_STATE_XRAY_KEPT_NS   3600000000000

/* Add to those kept, in one transaction, and drop what is too old as of now_ns.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ENOSPC. */
SKEP_NODISCARD skep_rc skep_state_xray_add_windows(struct skep_state *s,
                                                   const struct skep_state_xray_window *windows,
                                                   size_t n, skep_ts_ns now_ns, skep_err *err);
/* Those that begin at or after since_ns, in order of time, then rule.
 * Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_xray_windows(struct skep_state *s, skep_str environment,
                                               skep_ts_ns since_ns, struct skep_arena *arena,
                                               struct skep_state_xray_window **ret, size_t *ret_n,
                                               skep_err *err);
