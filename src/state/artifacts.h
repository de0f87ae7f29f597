// SPDX-License-Identifier: Apache-2.0
/* Files that stacks are read with: source maps, tables of debug files.  What is in them is
 * src/symbols' business. */
#pragma once

#include "state/state.h"

enum skep_artifact_kind { /* in the database; never reuse */
                          SKEP_ARTIFACT_MAP = 1,
                          SKEP_ARTIFACT_NATIVE = 2
};

struct skep_artifact {
    int64_t id;
    skep_str environment;
    enum skep_artifact_kind kind;
    skep_str version;    /* of the program; of a native one empty */
    skep_str name;       /* the bundle's address without scheme; of a native one its build id */
    skep_str title;      /* for people */
    uint64_t bytes;      /* of the file as it came */
    uint64_t kept_bytes; /* of the body */
    int64_t created_ns;
    skep_str actor; /* who put it */
    skep_bytes body;
};

enum { /* of an environment; beyond it the oldest go */
       SKEP_ARTIFACTS_MAX = 5000,
       SKEP_ARTIFACTS_BYTES_MAX = 512 << 20, /* of their bodies, unless configured otherwise */
       SKEP_ARTIFACT_NAME_MAX = 1024
};

/* Keep one; another of the same environment, kind, version and name is replaced, and the oldest go
 * when there are too many.  a->id and kept_bytes are not read.
 * Returns SKEP_OK | SKEP_ELIMIT (larger than all may be together) | SKEP_EIO | SKEP_ENOSPC. */
SKEP_NODISCARD skep_rc skep_state_artifact_put(struct skep_state *s, const struct skep_artifact *a,
                                               int64_t *ret_id, skep_err *err);
/* Its body, in the arena.  Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_ENOMEM | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_artifact_get(struct skep_state *s, skep_str environment,
                                               enum skep_artifact_kind kind, skep_str version,
                                               skep_str name, struct skep_arena *arena,
                                               struct skep_artifact *ret, skep_err *err);
/* Without bodies, the newest first.  environment NULL: of all. */
SKEP_NODISCARD skep_rc skep_state_artifacts(struct skep_state *s, const skep_str *environment,
                                            struct skep_arena *arena, struct skep_artifact **ret,
                                            size_t *ret_n, skep_err *err);
/* Returns SKEP_OK | SKEP_ENOTFOUND | SKEP_EIO. */
SKEP_NODISCARD skep_rc skep_state_artifact_drop(struct skep_state *s, skep_str environment,
                                                int64_t id, skep_err *err);
