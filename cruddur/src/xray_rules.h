// SPDX-License-Identifier: Apache-2.0
/*
 * xray_rules.h - which requests X-Ray samples: the rules the daemon (or skep) hands out
 *
 * A rule lets so many requests a second through (its reservoir), and of the others a share. The
 * daemon divides the reservoir among all programs of a rule: it is told what was counted and
 * answers how much is ours.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xray.h"

struct xray_rules;

/* No rules yet. NULL without memory. */
struct xray_rules *xray_rules_new(void);
void xray_rules_free(struct xray_rules *rules);

enum { XRAY_RULE_BYTES = 64 };

/* Is this request sampled? `name` is what its segment would be called. Until there are rules: one a
 * second, and one in twenty of the others. ret_rule: the name of the rule that says so; "" until
 * there are any. Threads: any. */
bool xray_rules_sample(struct xray_rules *rules, const char *name,
                       const struct xray_request *request, char ret_rule[XRAY_RULE_BYTES]);

/* Take an answer of GetSamplingRules. Rules that were there keep their counts. False, and nothing
 * is changed, if it is none. */
bool xray_rules_take(struct xray_rules *rules, const char *json, size_t n);

/* What is to be asked of SamplingTargets: JSON to be freed, with the counts since the last time,
 * which begin anew. NULL: nothing was counted, or there is no memory. */
char *xray_rules_count(struct xray_rules *rules, int64_t now_s);

/* Take an answer of SamplingTargets. ret_modified: when rules were changed last. False if it is
 * none. */
bool xray_rules_take_targets(struct xray_rules *rules, const char *json, size_t n,
                             int64_t *ret_modified);
