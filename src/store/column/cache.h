// SPDX-License-Identifier: Apache-2.0
/* The chunk cache, seen by segments: pinned entries that are made once by whoever needs them first.
 *
 * new, free and bytes are in rowset.h. */
#pragma once

#include "base/budget.h"
#include "base/err.h"

struct skep_cache;

/* A cached object: verified bytes of a chunk, or what was built from them.  Immutable while cached.
 * One block of skep_malloc memory. */
struct skep_cache_data {
    uint64_t bytes; /* of this block, header included */
    void *entry;    /* the cache's own */
};

struct skep_cache_key {
    uint64_t file; /* serial of an open segment: skep_cache_serial() */
    uint64_t offset;
    uint32_t form; /* what was made of the bytes: caller's number */
};

/* Make the object.  Memory is charged by the cache afterwards; `reserve` bytes were already asked
 * for. Runs without a lock. */
typedef skep_rc skep_cache_make_fn(void *ctx, struct skep_cache_data **ret, skep_err *err);

/* A number that no other file or object of the process has. */
uint64_t skep_cache_serial(void);

/* The object of a key, made by `make` if it is not there, pinned until skep_cache_unpin.
 *
 * reserve  upper estimate of its bytes, asked from the budget before `make` runs
 * Returns  SKEP_OK | ENOMEM (budget full of pinned objects) | what make returns
 * Threads  any; two threads that miss at once both make it, one result is dropped */
SKEP_NODISCARD skep_rc skep_cache_pin(struct skep_cache *c, const struct skep_cache_key *key,
                                      uint64_t reserve, skep_cache_make_fn *make, void *ctx,
                                      struct skep_cache_data **ret, skep_err *err);
void skep_cache_unpin(struct skep_cache *c, const struct skep_cache_data *data);
/* Forget every object of a file; none may be pinned. */
void skep_cache_drop(struct skep_cache *c, uint64_t file);
/* Another cache that lives on this one's memory: its budget is a child of skep_cache_budget().
 *
 * invite    yield is asked to let go of some bytes when all chunks are pinned; true = of some it
 *           did.  It runs under the cache's lock, and may not call the cache.  NULL: no guest.
 * give_way  before the guest gives up: chunks of so many bytes go, as far as nobody has them pinned
 */
typedef bool skep_cache_yield_fn(void *guest, uint64_t bytes);
struct skep_budget *skep_cache_budget(struct skep_cache *c);
void skep_cache_invite(struct skep_cache *c, skep_cache_yield_fn *yield, void *guest);
void skep_cache_give_way(struct skep_cache *c, uint64_t bytes);
/* Let go of all that nobody has pinned. */
void skep_cache_shrink(struct skep_cache *c);
/* Memory that open segments hold outside the cache (footers): charged by force. */
void skep_cache_resident(struct skep_cache *c, int64_t delta_bytes);
/* Look-ups so far. */
void skep_cache_lookups(struct skep_cache *c, uint64_t *ret_hits, uint64_t *ret_misses);
