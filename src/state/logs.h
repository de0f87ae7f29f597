// SPDX-License-Identifier: Apache-2.0
/* What CloudWatch Logs' API keeps beside rows: log groups and streams, tags, and items (filters,
 * tasks, definitions, policies), whose texts are src/api's.
 *
 * Everything belongs to an environment.  Groups and streams also stand in memory, because every
 * PutLogEvents asks for them: calls marked M answer from there and never wait.  The others may wait
 * for the disk.  Threads: any. */
#pragma once

#include "state/state.h"

enum {
    SKEP_STATE_LOG_GROUPS_MAX = 10000,     /* of all environments */
    SKEP_STATE_LOG_STREAMS_MAX = 200000,   /* the same */
    SKEP_STATE_LOG_NAMES_BYTES = 32 << 20, /* of all their names */
    SKEP_STATE_LOG_TAGS_MAX = 50           /* of a resource */
};

struct skep_state_log_group {
    skep_str name;
    skep_ts_ns created_ns;   /* set by create, unless given */
    unsigned retention_days; /* 0 = for ever */
    unsigned group_class;    /* a number of the caller's */
    bool protected_;         /* from being deleted */
};

struct skep_state_log_stream {
    skep_str name;
    skep_ts_ns created_ns;
};

struct skep_state_log_tag {
    skep_str key, value;
};

/* --- groups --- */

/* Returns SKEP_OK | SKEP_EEXISTS | SKEP_EAGAIN (being deleted) | SKEP_ELIMIT | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_log_group_create(struct skep_state *s, skep_str environment,
                                                   const struct skep_state_log_group *g,
                                                   const struct skep_state_log_tag *tags,
                                                   size_t n_tags, skep_err *err);
/* Change retention_days and protected_.  Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_log_group_set(struct skep_state *s, skep_str environment,
                                                const struct skep_state_log_group *g,
                                                skep_err *err);
/* M.  False: there is none.  The name is the caller's. */
SKEP_NODISCARD bool skep_state_log_group_get(struct skep_state *s, skep_str environment,
                                             skep_str name, struct skep_state_log_group *ret);
/* M.  By name, in the arena. */
void skep_state_log_groups(struct skep_state *s, skep_str environment, struct skep_arena *arena,
                           struct skep_state_log_group **ret, size_t *ret_n);

/* --- streams --- */

/* Returns SKEP_OK | SKEP_EEXISTS | SKEP_ENOTFOUND (its group) | SKEP_EAGAIN (being deleted) |
 * SKEP_ELIMIT | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_log_stream_create(struct skep_state *s, skep_str environment,
                                                    skep_str group, skep_str name, skep_err *err);
/* M.  Was it created? */
bool skep_state_log_stream_there(struct skep_state *s, skep_str environment, skep_str group,
                                 skep_str name);
/* M.  Of a group, those that begin with `prefix`, by name; empty when there is no such group. */
void skep_state_log_streams(struct skep_state *s, skep_str environment, skep_str group,
                            skep_str prefix, struct skep_arena *arena,
                            struct skep_state_log_stream **ret, size_t *ret_n);

/* --- deleting: the caller deletes the rows in between ---
 *
 * begin: no put finds the group (the stream) any more, and those under way have ended.
 * end: forget it with all that belongs to it, or, if its rows could not be deleted, have it back.
 */

/* stream "" = the whole group.  Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EAGAIN (another deletes
 * it).
 */
SKEP_NODISCARD skep_rc skep_state_log_drop_begin(struct skep_state *s, skep_str environment,
                                                 skep_str group, skep_str stream);
/* Returns SKEP_OK | SKEP_EIO: then it is still there. */
SKEP_NODISCARD skep_rc skep_state_log_drop_end(struct skep_state *s, skep_str environment,
                                               skep_str group, skep_str stream, bool dropped,
                                               skep_err *err);

/* --- puts --- */

enum skep_state_log_place {
    SKEP_STATE_LOG_FOUND,
    SKEP_STATE_LOG_NO_GROUP,
    SKEP_STATE_LOG_NO_STREAM
};
struct skep_state_log_hold {
    unsigned retention_days;
    uint32_t group; /* private */
};
/* M.  FOUND: rows of the stream are on their way until put_end. */
enum skep_state_log_place skep_state_log_put_begin(struct skep_state *s, skep_str environment,
                                                   skep_str group, skep_str stream,
                                                   struct skep_state_log_hold *ret);
/* M.  Once for each FOUND. */
void skep_state_log_put_end(struct skep_state *s, const struct skep_state_log_hold *hold);

/* --- retention --- */

struct skep_state_log_retention {
    skep_str environment, group;
    unsigned days;
};
/* M.  All groups that have one, in the arena. */
void skep_state_log_retentions(struct skep_state *s, struct skep_arena *arena,
                               struct skep_state_log_retention **ret, size_t *ret_n);

/* --- tags of a resource; whether it exists is the caller's business --- */

/* Ordered by key.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_log_tags(struct skep_state *s, skep_str environment,
                                           skep_str resource, struct skep_arena *arena,
                                           struct skep_state_log_tag **ret, size_t *ret_n,
                                           skep_err *err);
/* Add or change; all or none.  Returns SKEP_OK | SKEP_ELIMIT | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_log_tag(struct skep_state *s, skep_str environment,
                                          skep_str resource, const struct skep_state_log_tag *tags,
                                          size_t n, skep_err *err);
/* Those that are not there are no error.  Returns SKEP_OK | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_log_untag(struct skep_state *s, skep_str environment,
                                            skep_str resource, const skep_str *keys, size_t n,
                                            skep_err *err);

/* --- items --- */

/* Numbers are on disk; never reuse. */
enum skep_state_log_kind {
    SKEP_STATE_LOG_METRIC_FILTER = 1,       /* of a group, 100 */
    SKEP_STATE_LOG_SUBSCRIPTION_FILTER = 2, /* of a group, 2 */
    SKEP_STATE_LOG_EXPORT_TASK = 3,         /* of an environment, 100: the oldest makes room */
    SKEP_STATE_LOG_QUERY_DEFINITION = 4,    /* of an environment, 1000 */
    SKEP_STATE_LOG_RESOURCE_POLICY = 5,     /* of an environment, 10 */
    SKEP_STATE_LOG_KIND_COUNT
};

struct skep_state_log_item {
    skep_str group; /* "" = of the environment */
    skep_str name;  /* unique among its kind in its group */
    skep_str body;
    skep_ts_ns created_ns, modified_ns;
    skep_str environment;        /* set by reading */
    uint64_t at_seq, at_ordinal; /* how far a reader of rows has come; set when it is made */
};

/* All of a kind, ordered by group and name; of one group if it is not "".
 * Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_state_log_items(struct skep_state *s, skep_str environment,
                                            enum skep_state_log_kind kind, skep_str group,
                                            struct skep_arena *arena,
                                            struct skep_state_log_item **ret, size_t *ret_n,
                                            skep_err *err);
/* Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_log_item(struct skep_state *s, skep_str environment,
                                           enum skep_state_log_kind kind, skep_str group,
                                           skep_str name, struct skep_arena *arena,
                                           struct skep_state_log_item *ret, skep_err *err);
/* Keep a new one or change the body of one that is there; sets its times.
 * Returns SKEP_OK | SKEP_ELIMIT (as many as may be) | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_log_item_put(struct skep_state *s, skep_str environment,
                                               enum skep_state_log_kind kind,
                                               struct skep_state_log_item *item, skep_err *err);
/* Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_log_item_drop(struct skep_state *s, skep_str environment,
                                                enum skep_state_log_kind kind, skep_str group,
                                                skep_str name, skep_err *err);
/* How far it has come now, if it is still the one that was made at created_ns; no error if not.
 * Returns SKEP_OK | SKEP_EIO | SKEP_ENOSPC. */
SKEP_NODISCARD skep_rc skep_state_log_item_move(struct skep_state *s, enum skep_state_log_kind kind,
                                                const struct skep_state_log_item *item,
                                                skep_err *err);
/* All of a kind, of all environments.  Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT. */
SKEP_NODISCARD skep_rc skep_state_log_items_all(struct skep_state *s, enum skep_state_log_kind kind,
                                                struct skep_arena *arena,
                                                struct skep_state_log_item **ret, size_t *ret_n,
                                                skep_err *err);
/* A number that differs from the last one when items may have come, changed or gone.  M. */
uint64_t skep_state_log_items_version(struct skep_state *s);
