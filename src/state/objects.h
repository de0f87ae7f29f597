// SPDX-License-Identifier: Apache-2.0
/* Things that people make through an API and that are kept as one JSON text each: boards, markers,
 * triggers ...  State keeps texts under ids; what they say is src/api's.
 *
 * Everything belongs to an environment and goes with it.  Every call may wait for the disk.
 * Threads: any. */
#pragma once

#include "state/state.h"

/* Numbers are on disk; never reuse. */
enum skep_object_kind {
    SKEP_OBJECT_MARKER = 1, /* the oldest makes room */
    SKEP_OBJECT_MARKER_SETTING = 2,
    SKEP_OBJECT_DERIVED_COLUMN = 3,
    SKEP_OBJECT_QUERY_ANNOTATION = 4,
    SKEP_OBJECT_BOARD = 5,
    SKEP_OBJECT_BOARD_VIEW = 6,
    SKEP_OBJECT_RECIPIENT = 7,
    SKEP_OBJECT_TRIGGER = 8,
    SKEP_OBJECT_SLO = 9,
    SKEP_OBJECT_BURN_ALERT = 10,
    SKEP_OBJECT_COLUMN = 11,      /* what people said of a column; its name is the column's */
    SKEP_OBJECT_DEFINITIONS = 12, /* one a scope */
    SKEP_OBJECT_DATASET = 13,     /* settings of a dataset; one a scope */
    SKEP_OBJECT_MAP_REQUEST = 14, /* the oldest makes room */
    SKEP_OBJECT_KIND_COUNT
};

enum {
    SKEP_OBJECTS_MAX = 10000,     /* of a kind, of an environment */
    SKEP_OBJECT_BYTES = 1 << 20,  /* of a body */
    SKEP_OBJECTS_BYTES = 32 << 20 /* of all bodies of a kind, of an environment: lists hold them */
};

struct skep_object {
    skep_str id, environment;
    skep_str scope; /* a dataset's slug, or what it belongs to; may be empty */
    skep_str name;  /* unique among its kind and scope unless empty */
    skep_str body;  /* JSON object */
    int64_t created_ns, updated_ns;
};

/* All of a kind, oldest first, texts in the arena.
 *
 * environment, scope  NULL = all
 * Returns  SKEP_OK | SKEP_EIO | SKEP_ECORRUPT */
SKEP_NODISCARD skep_rc skep_state_objects(struct skep_state *s, enum skep_object_kind kind,
                                          const skep_str *environment, const skep_str *scope,
                                          struct skep_arena *arena, struct skep_object **ret,
                                          size_t *ret_n, skep_err *err);
/* Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_object(struct skep_state *s, enum skep_object_kind kind,
                                         skep_str environment, skep_str id,
                                         struct skep_arena *arena, struct skep_object *ret,
                                         skep_err *err);
/* Keep a new one: its times are set, and its id (in the arena) when it has none.
 * Returns SKEP_OK | SKEP_EEXISTS (the name) | SKEP_ELIMIT (as many or as much as may be) |
 *         SKEP_ETOOLARGE |
 *         SKEP_EIO | SKEP_ENOSPC. */
SKEP_NODISCARD skep_rc skep_state_put_object(struct skep_state *s, enum skep_object_kind kind,
                                             struct skep_object *o, struct skep_arena *arena,
                                             skep_err *err);
/* Replace name and body of o->id; sets updated_ns.
 * Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EEXISTS | SKEP_ELIMIT | SKEP_ETOOLARGE | SKEP_EIO |
 *         SKEP_ENOSPC. */
SKEP_NODISCARD skep_rc skep_state_set_object(struct skep_state *s, enum skep_object_kind kind,
                                             struct skep_object *o, skep_err *err);
/* Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_drop_object(struct skep_state *s, enum skep_object_kind kind,
                                              skep_str environment, skep_str id, skep_err *err);
/* All of a kind with this scope; none is fine. */
SKEP_NODISCARD skep_rc skep_state_drop_objects(struct skep_state *s, enum skep_object_kind kind,
                                               skep_str environment, skep_str scope, skep_err *err);
