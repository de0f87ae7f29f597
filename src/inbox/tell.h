// SPDX-License-Identifier: Apache-2.0
/* Rules about items -> messages to places (state/item_rules.h, notify/notify.h). */
#pragma once

#include "notify/notify.h"
#include "state/item_rules.h"
#include "store/store.h"

struct skep_tell;

struct skep_tell_config {
    const struct skep_os *os;
    struct skep_store *store; /* rates are counted in it */
    struct skep_state *state;
    struct skep_notify *notify;
    struct skep_budget *queries;
};

/* cfg is copied; what it points to outlives it.  Owns: caller, skep_tell_free. */
struct skep_tell *skep_tell_new(const struct skep_tell_config *cfg);
void skep_tell_free(struct skep_tell *t); /* NULL is fine */
/* As struct skep_inbox_config wants it; ctx is the skep_tell.  Threads: one at a time. */
void skep_tell_changed(void *ctx, const struct skep_item_change *change,
                       const struct skep_item_sighting *seen);
