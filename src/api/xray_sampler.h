// SPDX-License-Identifier: Apache-2.0
/* Who of the clients may take how much of a sampling rule's reservoir, and what they reported.
 *
 * Pure: no I/O; the caller gives the time.  Memory is bounded.  Threads: any, one lock. */
#pragma once

#include "state/xray.h"

struct skep_xray_sampler;

/* Nobody known yet. */
struct skep_xray_sampler *skep_xray_sampler_new(void);
void skep_xray_sampler_free(struct skep_xray_sampler *s); /* NULL is fine */

enum {
    SKEP_XRAY_CLIENT_BYTES = 24, /* of a client's id */
    SKEP_XRAY_INTERVAL_S = 10,   /* how often a client shall report */
    SKEP_XRAY_CLIENTS_MAX = 16384,
    SKEP_XRAY_RULES_SEEN_MAX = 1024 /* rules that clients reported lately, of all environments */
};
/* How long a quota is good, and a client that is silent counts. */
#define SKEP_XRAY_QUOTA_NS (3 * (int64_t)SKEP_XRAY_INTERVAL_S * 1000000000)

struct skep_xray_report {
    skep_str environment, rule;
    skep_str client; /* SKEP_XRAY_CLIENT_BYTES */
    uint64_t requests, borrowed, sampled;
};

/* Note what a client reports.
 *
 * reservoir   of the rule: requests a second, of all clients together
 * Returns     the client's quota: requests a second that it may take for SKEP_XRAY_QUOTA_NS.  The
 *             quotas that are good at any moment add up to the reservoir at most. */
uint32_t skep_xray_sampler_report(struct skep_xray_sampler *s, const struct skep_xray_report *r,
                                  uint32_t reservoir, skep_ts_ns now_ns);

/* A rule's boost, after clients reported anomalies: max_rate for a minute, once in a cooldown.
 *
 * ret_until_ns  end of the boost; untouched when there is none
 * Returns       is the rule boosted now? */
bool skep_xray_sampler_boost(struct skep_xray_sampler *s, skep_str environment, skep_str rule,
                             uint64_t anomalies, int64_t cooldown_ns, skep_ts_ns now_ns,
                             skep_ts_ns *ret_until_ns);

/* Clients of a rule that count now, and the sum of their quotas. */
void skep_xray_sampler_clients(struct skep_xray_sampler *s, skep_str environment, skep_str rule,
                               skep_ts_ns now_ns, unsigned *ret_n, uint64_t *ret_quota);

/* Take the windows that are to be kept: those that ended before now_ns, or all.
 *
 * Returns  how many; *ret is in the arena, as are its texts.  0 most of the time: it costs little
 * to ask after every report. */
size_t skep_xray_sampler_take(struct skep_xray_sampler *s, skep_ts_ns now_ns, bool all,
                              struct skep_arena *arena, struct skep_state_xray_window **ret);
