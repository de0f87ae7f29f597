// SPDX-License-Identifier: Apache-2.0
/* Rules about items -> messages to places (state/item_rules.h, notify/notify.h). */
#pragma once

#include "base/buf.h"
#include "notify/notify.h"
#include "state/item_rules.h"
#include "store/store.h"

struct skep_tell;
struct skep_tell_config;

/* What is told: an item, and why. */
struct skep_tell_fact {
    const struct skep_tell_config *cfg;
    const struct skep_item_rule *rule;
    const struct skep_item *item;
    uint64_t times; /* REPEAT: the power of ten that was passed */
};

/* A form that a webhook can be sent in place of skep's own message: another product's payload, by
 * the name a rule has it by.  write: JSON into `out`; what it cannot find it leaves out. */
struct skep_tell_form {
    skep_str name;
    void (*write)(const struct skep_tell_fact *fact, struct skep_arena *arena,
                  struct skep_buf *out);
};

struct skep_symbols;
struct skep_tell_config {
    const struct skep_os *os;
    struct skep_store *store; /* rates are counted in it, forms read occurrences */
    struct skep_state *state;
    struct skep_notify *notify;
    struct skep_budget *queries;
    struct skep_symbols *symbols; /* for the forms; may be NULL */
    const struct skep_tell_form *forms;
    size_t n_forms;
};

/* cfg is copied; what it points to outlives it.  Owns: caller, skep_tell_free. */
struct skep_tell *skep_tell_new(const struct skep_tell_config *cfg);
void skep_tell_free(struct skep_tell *t); /* NULL is fine */
/* As struct skep_inbox_config wants it; ctx is the skep_tell.  Threads: one at a time. */
void skep_tell_changed(void *ctx, const struct skep_item_change *changes,
                       const struct skep_item_sighting *seen, size_t n);
