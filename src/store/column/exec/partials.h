// SPDX-License-Identifier: Apache-2.0
/* Partial answers of segments and of pieces of them, kept for the next question of the same kind;
 * and which rows of a row group pass a filter (known.c), and rows of answers (kept_rows.c), as
 * bytes. Internal to store/column. */
#pragma once

#include "agg/agg.h"
#include "base/buf.h"

struct skep_partials;

/* A cache of at most limit_bytes, taken from parent (NULL = unbounded).  Threads: any. */
struct skep_partials *skep_partials_new(struct skep_budget *parent, uint64_t limit_bytes);
/* Before it is used: whoever holds memory beside it lets go of about so many bytes for it.  Called
 * with no lock held. */
typedef void skep_partials_host_fn(void *host, uint64_t bytes);
void skep_partials_live_with(struct skep_partials *c, skep_partials_host_fn *give_way, void *host);
/* Let go of about so many bytes, of what nobody holds; false: of none. */
bool skep_partials_yield(struct skep_partials *c, uint64_t bytes);
/* Bytes of the largest partial it would keep. */
uint64_t skep_partials_largest(const struct skep_partials *c);
/* No entry may be held. */
void skep_partials_free(struct skep_partials *c);
/* Forget all of a rowset: it is gone. */
void skep_partials_drop(struct skep_partials *c, uint64_t rowset);

struct skep_partials_stats {
    uint64_t bytes, entries, hits, misses, evicted;
};
/* What it holds and how it was used since it was made. */
void skep_partials_stats(struct skep_partials *c, struct skep_partials_stats *ret);

/* Whose partial: rows alive in version `live` of the rowset, and the question (canon.c), which ends
 * with which rows of the rowset (pieces.c). */
struct skep_partials_key {
    uint64_t rowset, live;
    skep_bytes question;
};

struct skep_partials_entry {
    struct skep_partial *partial; /* immutable; its plan is gone */
    uint64_t rows_examined;
    skep_bytes bytes; /* of put_bytes, instead; begin where any type may */
};

/* The entry, held until it is let go, or NULL. */
const struct skep_partials_entry *skep_partials_get(struct skep_partials *c,
                                                    const struct skep_partials_key *key);
void skep_partials_let_go(struct skep_partials *c, const struct skep_partials_entry *e);
/* Keep a partial; NULL: only that it was asked about.  Takes it when it returns the entry, held;
 * NULL: no room, the partial stays the caller's. */
const struct skep_partials_entry *skep_partials_put(struct skep_partials *c,
                                                    const struct skep_partials_key *key,
                                                    struct skep_partial *p, uint64_t rows_examined);

/* Keep a copy of the bytes, in the place of what is kept under that key, if there is room. */
void skep_partials_put_bytes(struct skep_partials *c, const struct skep_partials_key *key,
                             skep_bytes bytes);

/* Append the question of a plan without its range: equal bytes, equal partials over the same rows.
 * False when the buffer's limit is reached. */
enum { SKEP_PARTIALS_QUESTION_MAX = 64 << 10 };
bool skep_partials_question(const struct skep_plan *plan, struct skep_buf *out);
/* The same of its filter alone, and of what a row of its answer shows: equal to no question. */
bool skep_partials_filter(const struct skep_plan *plan, struct skep_buf *out);
bool skep_partials_columns(const struct skep_plan *plan, struct skep_buf *out);
