// SPDX-License-Identifier: Apache-2.0
/*
 * xray_rules.h - the sampling rules of AWS X-Ray: read, matched, drawn from
 */
#ifndef WAGGLE_XRAY_RULES_H
#define WAGGLE_XRAY_RULES_H

#include "sdk_priv.h"

enum { WAGGLE__XRAY_RULES_MAX = 64 };

struct waggle__xray_rule {
    char name[64];
    char service_name[128], service_type[128], host[128], method[32], path[192];
    double priority, fixed_rate, reservoir_size;
    /* What the service gave this client: so many a second, until then. */
    _Atomic uint32_t quota;
    _Atomic uint64_t quota_until_s;               /* UTC; 0: none was given */
    _Atomic uint64_t window;                      /* second << 16 | taken of the reservoir in it */
    _Atomic uint64_t requests, sampled, borrowed; /* not told yet */
};

struct waggle__xray_rules {
    size_t n;
    struct waggle__xray_rule p[WAGGLE__XRAY_RULES_MAX]; /* in the order they are tried */
};

/* What is known of a request. */
struct waggle__xray_request {
    waggle_str service_name, service_type, host, method, path;
};

/* Read an answer of GetSamplingRules. False if it is none; *ret is then anything. */
bool waggle__xray_rules_read(waggle_str json, struct waggle__xray_rules *ret);

/* Read an answer of GetSamplingTargets into the rules it names. *ret_modified_s: when rules were
 * changed last; 0: not said. */
bool waggle__xray_targets_read(waggle_str json, struct waggle__xray_rules *rules,
                               double *ret_modified_s);

/* The first rule that matches; NULL if none does. */
struct waggle__xray_rule *waggle__xray_match(struct waggle__xray_rules *rules,
                                             const struct waggle__xray_request *request);

/* Count a request and decide: from the reservoir, else by the rate. `chance` is from 0 to 1. */
bool waggle__xray_take(struct waggle__xray_rule *rule, uint64_t now_s, double chance);

#endif
