// SPDX-License-Identifier: Apache-2.0
/* xray_poll.h - asks the X-Ray daemon for sampling rules and targets, from a thread of its own */
#pragma once

#include "xray_rules.h"

struct xray_poll;

/* Ask at AWS_XRAY_DAEMON_ADDRESS ("host:port", or "tcp:host:port udp:host:port"): for rules at once
 * and every 300 s, for targets every 10 s. The rules must outlive it. NULL if it cannot. */
struct xray_poll *xray_poll_start(struct xray_rules *rules, const char *address);
void xray_poll_stop(struct xray_poll *poll);
