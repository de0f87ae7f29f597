// SPDX-License-Identifier: Apache-2.0
/* Rollbar items -> one row of kind `error` each (docs/api/rollbar.md has the mapping).
 *
 * What is kept of the item itself (SKEP_RAW_FIELD) is its `data`, without the secrets in it. */
#pragma once

#include "event/batch.h"

struct skep_symbols;

enum { SKEP_ROLLBAR_UUID_MAX = 36, SKEP_ROLLBAR_DEPTH_MAX = 64 };

struct skep_rollbar_opts {
    skep_str environment; /* of the row; empty = the default */
    skep_str peer_ip;     /* for "$remote_ip"; empty = left as it is */
    /* Names of members whose values are secrets, beside skep_rollbar_scrub_names. */
    const char *const *scrub;
    size_t n_scrub;
    struct skep_arena *arena; /* scratch, and the report's text */
    /* Fills in the originals of frames before they are looked at; NULL = they are as they came.
     * With it, decoding may wait for the disk. */
    struct skep_symbols *symbols;
};

struct skep_rollbar_report {
    skep_str uuid;     /* as sent, else made of the item's bytes */
    skep_str error;    /* why the item is refused, for who sent it; empty when it is not */
    uint32_t scrubbed; /* values that were replaced */
};

/* Decode the JSON of one item ({"data":{...}}) and append its row to `b`, which is empty and gets
 * its environment and identity.
 *
 * Returns SKEP_OK | SKEP_EMALFORMED (no JSON) | SKEP_EINVAL (JSON, but no item) | SKEP_ETOOLARGE |
 *         SKEP_ENOMEM; b must be thrown away on failure, ret->error says why
 * Threads any; touches only its arguments */
SKEP_NODISCARD skep_rc skep_rollbar_decode(skep_str json, const struct skep_rollbar_opts *opts,
                                           struct skep_batch *b, struct skep_rollbar_report *ret);

/* The exceptions of an item as it is kept (SKEP_RAW_FIELD), with the frames of the program's own
 * code marked; false: it has none, or is none.  Texts and arrays in the arena.
 * symbols  fills in originals, of this environment's; NULL = frames as they came */
struct skep_stack;
bool skep_rollbar_exceptions(skep_str kept, struct skep_symbols *symbols, skep_str environment,
                             struct skep_arena *arena, struct skep_stack *ret);

/* Members that are secrets in any case.  Static. */
const skep_str *skep_rollbar_scrub_names(size_t *ret_n);
