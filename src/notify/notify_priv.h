// SPDX-License-Identifier: Apache-2.0
/* Shared by the kinds of places: a file each, a row each in kinds.c. */
#pragma once

#include "fetch/fetch.h"
#include "notify/notify.h"

/* What every kind's check holds a target to: the queue has room for no more, and part of an address
 * is another address. */
enum { SKEP_NOTIFY__TARGET_MAX = 2000 };

/* One attempt. */
struct skep_notify__try {
    const struct skep_notify_config *cfg;
    const struct skep_state_message *m;
    skep_str target;
    struct skep_arena *arena;
    bool (*stop)(void *ctx);
    void *stop_ctx;
};

enum skep_notify__verdict {
    SKEP_NOTIFY__DELIVERED,
    SKEP_NOTIFY__AGAIN,    /* later: it may succeed */
    SKEP_NOTIFY__NEVER,    /* the place will not take this message */
    SKEP_NOTIFY__CANCELED, /* the server stops: as if it had not been tried */
};

struct skep_notify__outcome {
    enum skep_notify__verdict verdict;
    int status; /* of HTTP or SMTP; 0 = none */
    unsigned retry_after_s;
    char text[232]; /* why not */
};

typedef void skep_notify__send_fn(const struct skep_notify__try *t,
                                  struct skep_notify__outcome *ret);
typedef skep_rc skep_notify__check_fn(skep_str target, skep_err *err);

struct skep_notify__kind {
    const char *name;
    skep_notify__send_fn *send;
    skep_notify__check_fn *check; /* is it a target of this kind? */
};
/* By enum skep_state_place_kind; NULL for none. */
const struct skep_notify__kind *skep_notify__kind(enum skep_state_place_kind kind);

skep_notify__send_fn skep_notify__webhook, skep_notify__slack, skep_notify__mail;
skep_notify__check_fn skep_notify__check_url, skep_notify__check_mail;
/* What is sent, into an empty buffer: a whole mail; a Slack message's JSON. */
void skep_notify__mail_write(const struct skep_notify__try *t, struct skep_buf *out);
void skep_notify__slack_write(const struct skep_notify__try *t, struct skep_buf *body);

/* POST a body and say what the answer means; headers as in struct skep_fetch, at most
 * SKEP_FETCH_HEADERS_MAX. */
void skep_notify__post(const struct skep_notify__try *t, const char *const *headers, size_t n,
                       skep_bytes body, struct skep_notify__outcome *ret);
/* The address in a message, with the public one before it; "" = none. */
skep_str skep_notify__link(const struct skep_notify__try *t);
/* May webhooks go to this address?  ctx: the config. */
struct sockaddr;
bool skep_notify__may_connect(void *ctx, const struct sockaddr *to, size_t to_bytes);
