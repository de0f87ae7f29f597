// SPDX-License-Identifier: Apache-2.0
/* A byte budget: a counter with a ceiling, chained to a parent.
 *
 * The process has one root (--memory); ingest, parts, cache and each query hold children of it.
 * What a client can make large is taken here before it is allocated.
 *
 * A child may have a reserve: bytes kept for it in all its parents, whatever its siblings take.
 * What must always go on (a flush, reading a segment) stands on one.
 *
 * What of reserves lies idle may be lent to one holder, of something that it can let go of at once
 * (a cache).  It is called when a reserve is used after all, and when the parent is full. */
#pragma once

#include "base/err.h"

#include <stdatomic.h>
#include <stdint.h>

/* Repay what is owed (skep_budget_owed), and let go of about `bytes` of what was taken in the
 * ordinary way; returns how much of the latter.  Called from a take or force of another, on any
 * thread, with whatever locks that holds: it waits for the holder's own lock alone, and takes
 * nothing. */
typedef uint64_t skep_budget_short_fn(void *holder, uint64_t bytes);

struct skep_budget {
    const char *name; /* static, named in error texts */
    struct skep_budget *parent;
    uint64_t limit_bytes;   /* set at init, constant afterwards */
    uint64_t reserve_bytes; /* of used_bytes these are the parents' already */
    _Atomic uint64_t used_bytes;
    _Atomic uint64_t idle_bytes; /* in used_bytes: reserves of children that nobody uses now, nor
                                  * has borrowed */
    _Atomic uint64_t peak_bytes;
    _Atomic bool refused; /* a take failed here, not at a parent */
    _Atomic uint64_t
        lendable_bytes;             /* of children's reserves, but the holder's: not used by them */
    _Atomic uint64_t lent_bytes;    /* of these, in use by the holder */
    skep_budget_short_fn *on_short; /* NULL = there is no holder */
    void *holder;
    bool holds; /* this is the holder's own budget: nothing taken here or below calls it */
};

/* parent may be NULL; limit_bytes = UINT64_MAX means "only the parent's". */
void skep_budget_init(struct skep_budget *b, const char *name, uint64_t limit_bytes,
                      struct skep_budget *parent);

/* Keep n bytes of the parents for this budget: as much may be used here even when they are full.
 * Before anything is taken.  Taken by force: the one who shares out sees that it fits. */
void skep_budget_reserve(struct skep_budget *b, uint64_t n);

/* The budget goes: its reserve is the parents' again.  Nothing is used any more. */
void skep_budget_done(struct skep_budget *b);

/* Take n bytes here and from all parents, or nothing.
 * Returns SKEP_OK | SKEP_ENOMEM (err names the budget that is full).  Threads: any. */
SKEP_NODISCARD skep_rc skep_budget_take(struct skep_budget *b, uint64_t n, skep_err *err);

/* Take without asking: for memory that already exists (recovery, readers of foreign data).
 * May push used over the limit; later takes then fail until it is given back. */
void skep_budget_force(struct skep_budget *b, uint64_t n);

/* Give back n bytes taken before. */
void skep_budget_give(struct skep_budget *b, uint64_t n);

/* Idle reserves of b's children are lent to this holder; `own` is the child on which it stands.
 * Before anything is taken or reserved there; false: b has a holder already.  forget: it has given
 * all back. */
bool skep_budget_lend_to(struct skep_budget *b, struct skep_budget *own,
                         skep_budget_short_fn *on_short, void *holder);
void skep_budget_forget(struct skep_budget *b, struct skep_budget *own);

/* Borrow n bytes, or none; give back; what is to be given back now.  The holder's alone, under the
 * lock that on_short takes. */
bool skep_budget_borrow(struct skep_budget *b, uint64_t n);
void skep_budget_repay(struct skep_budget *b, uint64_t n);
uint64_t skep_budget_owed(struct skep_budget *b);

/* What could be taken now, about: of each budget what it has left, with what reserves below it
 * keep. */
uint64_t skep_budget_left(const struct skep_budget *b);

/* Did this budget itself, not a parent, ever refuse?  Then asking for less helps, waiting does not.
 */
static inline bool skep_budget_refused(struct skep_budget *b)
{
    return atomic_load_explicit(&b->refused, memory_order_relaxed);
}

/* Bytes in use: those in reserves that are idle not counted, those that are lent counted. */
static inline uint64_t skep_budget_used(struct skep_budget *b)
{
    uint64_t used = atomic_load_explicit(&b->used_bytes, memory_order_relaxed);
    uint64_t idle = atomic_load_explicit(&b->idle_bytes, memory_order_relaxed);
    return (int64_t)(used - idle) > 0 ? used - idle
                                      : 0; /* idle is less than 0 while lent is owed */
}
