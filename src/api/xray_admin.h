// SPDX-License-Identifier: Apache-2.0
/* What X-Ray's operations on things share (groups, sampling rules, policies, retrievals): their
 * names, their tags, what state says of them. */
#pragma once

#include "api/xray_priv.h"
#include "api/xray_sampler.h"
#include "state/xray.h"

/* A refusal of state about a thing ("sampling rule"), in the errors that every operation's model
 * has; of EAGAIN 503. */
void skep_api__xray_fail_state(struct skep_api__xray *x, const char *thing, skep_rc rc,
                               const skep_err *err);
/* Note in the audit log that this operation changed `name`; before the answer. */
void skep_api__xray_changed(struct skep_api__xray *x, skep_str name);
/* A name of 1 to 32 characters that can stand in an ARN; empty when absent or wrong. */
skep_str skep_api__xray_name(struct skep_api__xray *x, yyjson_val *obj, const char *key,
                             bool required);
/* Which one a request means: by its name, or by its ARN, whose resource begins with `prefix`
 * ("group/").  *ret is the name, *ret_id what follows a further '/' in the ARN or empty.  False
 * after an error was sent; asks skep_api__xray_valid first. */
struct skep_api__xray_which {
    const char *name_key, *arn_key;
    skep_str prefix;
};
SKEP_NODISCARD bool skep_api__xray_which(struct skep_api__xray *x, yyjson_val *obj,
                                         const struct skep_api__xray_which *which, skep_str *ret,
                                         skep_str *ret_id);

/* The member "Tags"; at most 50, each key once.  Texts are the request's. */
struct skep_api__xray_tags {
    struct skep_state_xray_tag *tags;
    size_t n;
};
void skep_api__xray_read_tags(struct skep_api__xray *x, bool required,
                              struct skep_api__xray_tags *ret);
/* Tags of something just made.  False after an error was sent. */
SKEP_NODISCARD bool skep_api__xray_tag_new(struct skep_api__xray *x, enum skep_state_xray_kind kind,
                                           skep_str name, const struct skep_api__xray_tags *tags);

/* --- sampling rules: xray_rules.c --- */

struct skep_xray_rule {
    skep_str name, resource_arn, service, type, host, method, path;
    skep_str attributes; /* a JSON object */
    int64_t priority, reservoir, version;
    double fixed_rate;
    bool boosts;
    double boost_rate;
    int64_t boost_cooldown_min;
    skep_ts_ns created_ns, modified_ns; /* 0 = the Default that nobody has changed */
};

/* The environment's rules in the order in which clients try them, Default among them. */
SKEP_NODISCARD skep_rc skep_api__xray_rules(struct skep_api__job *job, struct skep_xray_rule **ret,
                                            size_t *ret_n, skep_err *err);
/* NULL when there is none of that name. */
const struct skep_xray_rule *skep_api__xray_rule_find(const struct skep_xray_rule *rules, size_t n,
                                                      skep_str name);

/* --- groups: xray_groups.c --- */

/* The expression of a group by name, or by ARN; false when there is none. */
bool skep_api__xray_group_find(struct skep_api__xray *x, skep_str name, bool arn, skep_str *ret);
/* The group that GroupName or GroupARN of a request mean: its expression, "" for Default and
 * without both.  False after an error was sent. */
SKEP_NODISCARD bool skep_api__xray_group_asked(struct skep_api__xray *x, skep_str *ret);
