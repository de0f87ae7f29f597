// SPDX-License-Identifier: Apache-2.0
/* Log groups and streams in memory (logs_index.c); for logs.c. */
#pragma once

#include "base/hash.h"
#include "os/thread.h"
#include "state/logs.h"

enum skep_state__log_life {
    SKEP_STATE__LOG_LIVE,
    SKEP_STATE__LOG_DROPPING, /* no put finds it; its rows are being deleted */
    SKEP_STATE__LOG_GONE      /* a free place until the index is made anew */
};

struct skep_state__log_group {
    skep_str environment; /* owned, like name */
    struct skep_state_log_group g;
    enum skep_state__log_life life;
    uint32_t puts;         /* under way */
    uint32_t first_stream; /* SKEP_INDEX_NONE = none */
};

struct skep_state__log_stream {
    uint32_t group, next;
    skep_str name; /* owned */
    skep_ts_ns created_ns;
    enum skep_state__log_life life;
};

struct skep_state__logs {
    struct skep_mutex mu;   /* of all below; taken after state's lock */
    struct skep_cond ended; /* a put */
    struct skep_state__log_group *groups;
    struct skep_state__log_stream *streams;
    uint32_t n_groups, cap_groups, n_streams, cap_streams;
    uint32_t gone_groups, gone_streams;
    size_t names_bytes;
    uint64_t items_version;                /* logs_items.c */
    struct skep_index by_group, by_stream; /* -> groups, streams */
};

void skep_state__logs_init(struct skep_state__logs *l);
void skep_state__logs_done(struct skep_state__logs *l);

/* All with mu held. */

/* NULL: none that lives or is being dropped. */
struct skep_state__log_group *skep_state__logs_group(struct skep_state__logs *l,
                                                     skep_str environment, skep_str name);
struct skep_state__log_stream *skep_state__logs_stream(struct skep_state__logs *l,
                                                       const struct skep_state__log_group *g,
                                                       skep_str name);
/* Make all anew if much is gone; pointers into it are no more. */
void skep_state__logs_tidy(struct skep_state__logs *l);
/* Is there room for another one? */
bool skep_state__logs_room(const struct skep_state__logs *l, size_t name_bytes, bool stream);
/* Texts are copied.  There is none of the name, and there is room. */
void skep_state__logs_add_group(struct skep_state__logs *l, skep_str environment,
                                const struct skep_state_log_group *g);
void skep_state__logs_add_stream(struct skep_state__logs *l, struct skep_state__log_group *g,
                                 skep_str name, skep_ts_ns created_ns);
/* A group goes with its streams. */
void skep_state__logs_forget_group(struct skep_state__logs *l, struct skep_state__log_group *g);
void skep_state__logs_forget_stream(struct skep_state__logs *l, struct skep_state__log_stream *st);
