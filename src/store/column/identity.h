// SPDX-License-Identifier: Apache-2.0
/* Which requests were acknowledged in the last ten minutes, and which are on their way.  Internal
 * to store/column. */
#pragma once

#include "event/event.h"

enum {
    SKEP_IDENTITY_MAX = 131072 /* of one generation; two are kept */
};
#define SKEP_IDENTITY_NS (600ll * 1000000000)

struct skep_identity_entry {
    uint8_t id[16];
    uint64_t seq;
    skep_ts_ns received_ns;
};

/* One who waits for the outcome of the first of his kind; embedded in the append. */
struct skep_identity_waiter {
    struct skep_identity_waiter *next;
};

/* Embedded in the append that came first, until it is settled. */
struct skep_identity_flight {
    uint8_t id[16];
    struct skep_identity_flight *next;
    struct skep_identity_waiter *waiters;
};

enum skep_identity_verdict {
    SKEP_IDENTITY_NEW,       /* go on; settle must follow */
    SKEP_IDENTITY_DUPLICATE, /* *ret_seq was acknowledged */
    SKEP_IDENTITY_WAIT       /* the waiter was queued; settle of the first hands it out */
};

struct skep_identity;
/* An empty table. */
struct skep_identity *skep_identity_new(void);
/* Every entered flight must be settled.  NULL is fine. */
void skep_identity_free(struct skep_identity *t);

/* Ask and enter.  f->id is set by the caller and not all zero.  Threads: any. */
enum skep_identity_verdict skep_identity_begin(struct skep_identity *t,
                                               struct skep_identity_flight *f,
                                               struct skep_identity_waiter *w, skep_ts_ns now_ns,
                                               uint64_t *ret_seq);
/* The outcome of the first; seq = 0: it failed and is forgotten.  Returns its waiters. */
struct skep_identity_waiter *skep_identity_settle(struct skep_identity *t,
                                                  struct skep_identity_flight *f, uint64_t seq,
                                                  skep_ts_ns received_ns);
/* Remember one from the log or the manifest. */
void skep_identity_remember(struct skep_identity *t, const struct skep_identity_entry *e);
/* Those of commits (above, up_to] received at or after since_ns: *ret_n of them, caller frees. */
struct skep_identity_entry *skep_identity_list(struct skep_identity *t, uint64_t above,
                                               uint64_t up_to, skep_ts_ns since_ns, size_t *ret_n);
