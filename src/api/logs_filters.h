// SPDX-License-Identifier: Apache-2.0
/* Filters of log groups, and what subscription filters deliver. */
#pragma once

#include "api/logs_events.h"

/* What one delivery says: lines of one stream that passed one filter. */
struct skep_logs_delivery {
    skep_str group, stream, filter;
    const struct skep_logs_line *lines;
    size_t n; /* 0: a message that only asks whether somebody is there */
};
/* {"messageType":"DATA_MESSAGE","owner":...,"logGroup":...,"logStream":...,
 *  "subscriptionFilters":[...],"logEvents":[{"id","timestamp","message"}]}; to is empty. */
void skep_logs_delivery_write(const struct skep_logs_delivery *d, struct skep_buf *to);
/* POST it where webhooks may go (--notify-allow); *ret_status is what came back.  Returns as
 * skep_fetch. */
SKEP_NODISCARD skep_rc skep_logs_delivery_send(struct skep_api *api, const char *url,
                                               const struct skep_buf *body, unsigned timeout_ms,
                                               struct skep_buf *answer, int *ret_status,
                                               skep_err *err);

struct skep_logs_subscriptions;
/* Delivers what subscription filters select, on a thread of its own. */
struct skep_logs_subscriptions *skep_logs_subscriptions_new(struct skep_api *api);
/* api->stopping is set: waits for the thread.  NULL is fine. */
void skep_logs_subscriptions_free(struct skep_logs_subscriptions *s);
