// SPDX-License-Identifier: Apache-2.0
/* The errors inbox: follows new occurrences and keeps the items up to date.
 *
 *   rows with error.fingerprint, in the order they became readable -> sightings -> state/items.h
 *
 * It reads what every question reads, so it needs nothing from the wires, and what it missed while
 * the server was down it reads at the next start: the cursor stands beside the counts. */
#pragma once

#include "state/items.h"
#include "store/store.h"

struct skep_inbox;

struct skep_inbox_config {
    const struct skep_os *os;
    struct skep_store *store;
    struct skep_state *state;
    struct skep_budget *queries; /* of the questions it asks; NULL = the store's */
    /* Items were seen: new, active again, or once more (event 0); id 0: it is said of another one
     * of them.  On the inbox's thread, after they were counted; may block.  NULL = nobody is told.
     * Who ends before it returns is not called again. */
    void (*changed)(void *ctx, const struct skep_item_change *changes,
                    const struct skep_item_sighting *seen, size_t n);
    void *ctx;
};

/* cfg is copied; what it points to outlives it.  Owns: caller, skep_inbox_free. */
struct skep_inbox *skep_inbox_new(const struct skep_inbox_config *cfg);
/* Start the thread. */
void skep_inbox_start(struct skep_inbox *in);
/* No look is under way when it returns, and none begins: before the store closes.  NULL is fine. */
void skep_inbox_free(struct skep_inbox *in);
/* Wait until every row that was readable at the time of the call has been looked at, at most
 * timeout_ms; false: it was not.  Who lists items after an acknowledgement sees them. */
bool skep_inbox_wait(struct skep_inbox *in, int64_t timeout_ms);

/* An occurrence's level (SKEP_ITEM_*): what its sender called it (error.level, may be empty), else
 * by the row's severity, else error. */
int skep_inbox_level(skep_str said, uint8_t severity);

struct skep_inbox_stats {
    uint64_t rows, looks, failed;
    uint64_t incomplete; /* looks that went on although rows could not be read */
};
/* Threads: any. */
void skep_inbox_stats(struct skep_inbox *in, struct skep_inbox_stats *ret);

/* One look without a thread: everything behind the cursor.  For tests and tools. */
SKEP_NODISCARD skep_rc skep_inbox_look(struct skep_inbox *in, skep_err *err);
