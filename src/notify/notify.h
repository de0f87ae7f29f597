// SPDX-License-Identifier: Apache-2.0
/* Telling people and programs: messages go into a durable queue, workers deliver them.
 *
 *   skep_notify_put(n, &(struct skep_notice){
 *       .environment = env, .place = id,       the place: made through docs/api/notify.md
 *       .kind = SKEP_STR("logs.subscription"),
 *       .key = SKEP_STR("occurrence 17"),      the same thing is told once
 *       .title = SKEP_STR("5 errors in backend-flask"), .text = ..., .url =
 * SKEP_STR("/ui/logs?..."), .data = SKEP_STR("{\"count\":5}")}, &err);
 *
 * SKEP_OK means that the message is on disk: it is delivered at least once, or visible as dead,
 * also over restarts.  Each delivery carries the message's id, the same at each attempt, so that a
 * receiver that keeps ids sees it exactly once.  The messages of a place are delivered in order,
 * one at a time; a place that fails or is slow holds up no other.
 *
 * Who decides that something is worth telling (rules, subscription filters) calls this; nothing
 * here knows a vendor. */
#pragma once

#include "base/budget.h"
#include "net/cidr.h"
#include "os/os.h"
#include "state/notify.h"

struct skep_notify;

/* The secret that a webhook's messages are signed with, from its id; the same each time.  False:
 * there is none now, the message waits.  Threads: any. */
typedef bool skep_notify_secret_fn(void *ctx, skep_str place, uint8_t ret[32]);

struct skep_notify_config {
    const struct skep_os *os;
    struct skep_state *state;
    struct skep_budget *budget; /* of the bodies in delivery; may be NULL */
    skep_notify_secret_fn *secret;
    void *secret_ctx;
    /* Where webhooks may go: addresses in one of these ranges, or, when there are none, all but
     * those of this machine (unless `near`), of the link, of groups, and without a host. */
    const struct skep_cidr *allow;
    size_t n_allow;
    bool near;              /* loopback is fine, too */
    const char *public_url; /* put before a notice's url; NULL = it stays as it is */
    const char *ca_file;    /* authorities for webhooks and mail; NULL = the system's */
    /* Mail: NULL server = places of this kind wait. */
    const char *smtp_server, *smtp_user, *smtp_password, *smtp_from;
    /* 0 = the default behind it. */
    unsigned n_workers;                 /* 2 */
    unsigned timeout_ms;                /* 10,000: of an attempt */
    int64_t backoff_ns, backoff_max_ns; /* 1 s, doubled with each failure up to 5 min */
    int64_t age_max_ns;                 /* 24 h: then a message is dead */
};

/* Start the workers; what waits from before is delivered.  cfg is copied, what it points to
 * outlives it.  Threads: the owner. */
struct skep_notify *skep_notify_new(const struct skep_notify_config *cfg);
/* Ends running attempts (they do not count) and the workers.  NULL is fine. */
void skep_notify_free(struct skep_notify *n);

/* Texts are borrowed for the call. */
struct skep_notice {
    skep_str environment, place;
    skep_str kind; /* "logs.subscription", "error.new": what happened, for programs */
    skep_str key;  /* the same key is told once; empty = none.  At most 200 bytes */
    skep_str title, text;
    skep_str url;  /* where to look: "/ui/..." or whole; empty = none */
    skep_str data; /* JSON object for webhooks; empty = {} */
    /* A webhook gets exactly these bytes in place of all that when content_type is set. */
    skep_str content_type, content_encoding;
    skep_bytes body;
    /* Lines "name: value\n" that a webhook is sent beside its own headers, at most
     * SKEP_NOTICE_HEADERS_MAX; a value "{id}" is the message's id.  Empty = none. */
    skep_str headers;
};

/* Queue it.  Waits for the disk.
 *
 * ret_id   the message's id, for logs; room for SKEP_NOTICE_ID_BYTES; may be NULL.  "" when the key
 *          was told before
 * Returns  SKEP_OK | SKEP_ENOTFOUND (no such place there) | SKEP_ELIMIT (too many wait for it: the
 *          message is counted there as refused) | SKEP_ETOOLARGE (SKEP_STATE_MESSAGE_BYTES) |
 *          SKEP_EIO | SKEP_ENOSPC
 * Threads  any but I/O threads */
enum { SKEP_NOTICE_ID_BYTES = 40, SKEP_NOTICE_KEY_MAX = 200, SKEP_NOTICE_HEADERS_MAX = 8 };
SKEP_NODISCARD skep_rc skep_notify_put(struct skep_notify *n, const struct skep_notice *notice,
                                       char *ret_id, skep_err *err);

/* May a request that somebody else words go to this address?  ctx: the notifier.  For skep_fetch of
 * those who deliver by themselves.  Threads: any. */
struct sockaddr;
bool skep_notify_may_connect(void *ctx, const struct sockaddr *to, size_t to_bytes);

/* The secret of a place, as config.secret gives it.  Threads: any but I/O threads. */
SKEP_NODISCARD bool skep_notify_secret(struct skep_notify *n, skep_str place, uint8_t ret[32]);

/* Places or messages were changed in the state: look again.  Threads: any. */
void skep_notify_changed(struct skep_notify *n);

/* Read what a place is to have: its kind by name ("webhook", "slack", "mail") and its target.
 * Returns SKEP_OK | SKEP_EINVAL.  Threads: any. */
SKEP_NODISCARD skep_rc skep_notify_check_place(skep_str kind, skep_str target,
                                               enum skep_state_place_kind *ret, skep_err *err);
const char *skep_notify_kind_name(enum skep_state_place_kind kind);
/* "https://host/..." of an address whose path is a secret (Slack's); what is no address, whole. */
skep_str skep_notify_shown(struct skep_arena *arena, skep_str target);

struct skep_notify_stats {
    uint64_t queued, delivered, dead, failed_attempts; /* since the start */
    uint64_t refused;                                  /* of them, put refused so many */
    unsigned places, waiting_places;                   /* now; with something to deliver */
};
/* Threads: any. */
void skep_notify_stats(struct skep_notify *n, struct skep_notify_stats *ret);
