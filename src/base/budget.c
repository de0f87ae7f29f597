// SPDX-License-Identifier: Apache-2.0
/* Byte budgets.
 *
 *   used of a child   0 ....... reserve ............... limit
 *   of which parents' |--always--|----- as it is used -----|
 *
 * I1  used <= limit unless skep_budget_force was used.
 * I2  a failed take leaves every counter as it was.
 * I3  a parent's used >= what its children hold: max(used, reserve) of each, except for the moment
 *     in which a take is being refused.
 *
 *   reserves of a parent's children   0 ....... used by them ..... lent ......... idle
 *                                                           |--- to the holder ---|
 *
 * I4  lent <= lendable (what the children leave of their reserves) when a take or force returns:
 * who uses a reserve has it at once, and with I1 and I3 the parent's limit bounds all there is. Who
 * borrows adds to `lent` and then looks at `lendable`, who uses a reserve the other way round: one
 * of the two sees the other. I5  a reserve is never refused, or waited for, because it is lent: the
 * holder keeps nothing on borrowed memory that it could not let go of. I6  the holder is not called
 * from what is taken for itself (`holds`, here or below): that happens under its own lock.  From
 * anywhere else it is, so its lock stands below all others.
 *
 * Relaxed atomics suffice where nothing else is said: the counters guard no other memory. */
#include "base/budget.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/compiler.h"

enum { ASK_MOST = 16 }; /* times: what a holder lets go of, others may take */

void skep_budget_init(struct skep_budget *b, const char *name, uint64_t limit_bytes,
                      struct skep_budget *parent)
{
    skep_assert(b && name && b != parent);
    b->name = name;
    b->parent = parent;
    b->limit_bytes = limit_bytes;
    b->reserve_bytes = 0;
    atomic_init(&b->used_bytes, 0);
    atomic_init(&b->idle_bytes, 0);
    atomic_init(&b->peak_bytes, 0);
    atomic_init(&b->refused, false);
    atomic_init(&b->lendable_bytes, 0);
    atomic_init(&b->lent_bytes, 0);
    b->on_short = NULL;
    b->holder = NULL;
    b->holds = false;
}

static void add_idle(struct skep_budget *b, uint64_t n)
{
    for (; n > 0 && b; b = b->parent)
        atomic_fetch_add_explicit(&b->idle_bytes, n, memory_order_relaxed);
}

static void sub_idle(struct skep_budget *b, uint64_t n)
{
    for (; n > 0 && b; b = b->parent)
        atomic_fetch_sub_explicit(&b->idle_bytes, n, memory_order_relaxed);
}

void skep_budget_reserve(struct skep_budget *b, uint64_t n)
{
    skep_assert(b->reserve_bytes == 0 && atomic_load(&b->used_bytes) == 0);
    b->reserve_bytes = n;
    if (n == 0 || !b->parent)
        return;
    skep_budget_force(b->parent, n);
    add_idle(b->parent, n);
    if (!b->holds)
        atomic_fetch_add(&b->parent->lendable_bytes, n);
}

void skep_budget_done(struct skep_budget *b)
{
    uint64_t n = b->reserve_bytes;
    skep_assert(atomic_load(&b->used_bytes) == 0);
    b->reserve_bytes = 0;
    if (n == 0 || !b->parent)
        return;
    sub_idle(b->parent, n);
    if (!b->holds)
        atomic_fetch_sub(&b->parent->lendable_bytes, n);
    skep_assert(skep_budget_owed(b->parent) == 0);
    skep_budget_give(b->parent, n);
}

bool skep_budget_lend_to(struct skep_budget *b, struct skep_budget *own,
                         skep_budget_short_fn *on_short, void *holder)
{
    skep_assert(own->parent == b && own->reserve_bytes == 0 && atomic_load(&own->used_bytes) == 0);
    if (b->on_short)
        return false;
    b->holder = holder;
    b->on_short = on_short;
    own->holds = true;
    return true;
}

void skep_budget_forget(struct skep_budget *b, struct skep_budget *own)
{
    skep_assert(own->holds && atomic_load(&b->lent_bytes) == 0);
    b->on_short = NULL;
    b->holder = NULL;
}

bool skep_budget_borrow(struct skep_budget *b, uint64_t n)
{
    atomic_fetch_add(&b->lent_bytes, n); /* I4: before looking */
    sub_idle(b, n);
    if (skep_budget_owed(b) == 0)
        return true;
    skep_budget_repay(b, n);
    return false;
}

void skep_budget_repay(struct skep_budget *b, uint64_t n)
{
    uint64_t old = atomic_fetch_sub(&b->lent_bytes, n);
    skep_assert(old >= n);
    add_idle(b, n);
}

uint64_t skep_budget_owed(struct skep_budget *b)
{
    uint64_t lent = atomic_load(&b->lent_bytes), lendable = atomic_load(&b->lendable_bytes);
    return lent > lendable ? lent - lendable : 0;
}

/* Of a child's `used` bytes: those its parents must have beside the reserve. */
static uint64_t beyond(const struct skep_budget *b, uint64_t used)
{
    return used > b->reserve_bytes ? used - b->reserve_bytes : 0;
}

/* The child's use went from one to the other: the reserve is that much less, or more, idle.  What
 * of it was lent comes back, but for a holder's own call (I4, I6). */
static void note_idle(struct skep_budget *b, uint64_t from, uint64_t to, bool quiet)
{
    struct skep_budget *p = b->parent;
    if (b->reserve_bytes == 0 || !p)
        return;
    uint64_t was = SKEP_MIN(from, b->reserve_bytes), is = SKEP_MIN(to, b->reserve_bytes);
    if (is > was)
        sub_idle(p, is - was);
    else
        add_idle(p, was - is);
    if (b->holds)
        return;
    if (is < was)
        atomic_fetch_add(&p->lendable_bytes, was - is);
    if (is > was)
        atomic_fetch_sub(&p->lendable_bytes, is - was);
    if (is > was && !quiet && p->on_short && skep_budget_owed(p) > 0)
        p->on_short(p->holder, 0);
}

static void note_peak(struct skep_budget *b, uint64_t used)
{
    uint64_t peak = atomic_load_explicit(&b->peak_bytes, memory_order_relaxed);
    while (used > peak &&
           !atomic_compare_exchange_weak_explicit(&b->peak_bytes, &peak, used, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

static void force(struct skep_budget *b, uint64_t n, bool quiet)
{
    while (b && n > 0) {
        quiet = quiet || b->holds;
        uint64_t old = atomic_fetch_add_explicit(&b->used_bytes, n, memory_order_relaxed);
        note_peak(b, old + n);
        note_idle(b, old, old + n, quiet);
        if (!quiet && b->on_short && old + n > b->limit_bytes)
            b->on_short(b->holder, old + n - b->limit_bytes);
        n = beyond(b, old + n) - beyond(b, old);
        b = b->parent;
    }
}

/* A take that a parent refused: n bytes less here.  `claimed` of them were to be the parents'; what
 * others gave back meanwhile may have been counted as parents' for it: I3 is put right. */
static void undo(struct skep_budget *b, uint64_t n, uint64_t claimed)
{
    uint64_t old = atomic_fetch_sub_explicit(&b->used_bytes, n, memory_order_relaxed);
    uint64_t released = beyond(b, old) - beyond(b, old - n);
    if (claimed > released)
        force(b->parent, claimed - released, true);
    else if (claimed < released)
        skep_budget_give(b->parent, released - claimed);
    note_idle(b, old, old - n, true);
}

static skep_rc take(struct skep_budget *b, uint64_t n, bool quiet, skep_err *err)
{
    quiet = quiet || b->holds; /* I6 */
    uint64_t used = atomic_load_explicit(&b->used_bytes, memory_order_relaxed);
    unsigned asked = 0;
    for (;;) {
        if (n <= b->limit_bytes && used <= b->limit_bytes - n) {
            if (atomic_compare_exchange_weak_explicit(&b->used_bytes, &used, used + n,
                                                      memory_order_relaxed, memory_order_relaxed))
                break;
            continue;
        }
        bool able = !quiet && b->on_short && n <= b->limit_bytes && asked++ < ASK_MOST;
        if (!able || b->on_short(b->holder, used - (b->limit_bytes - n)) == 0) {
            atomic_store_explicit(&b->refused, true, memory_order_relaxed);
            return skep_fail(err, SKEP_ENOMEM,
                             "memory budget '%s' is full: %" PRIu64 " of %" PRIu64
                             " bytes used, %" PRIu64 " more asked",
                             b->name, used, b->limit_bytes, n);
        }
        used = atomic_load_explicit(&b->used_bytes, memory_order_relaxed);
    }
    note_idle(b, used, used + n, quiet);
    uint64_t more = beyond(b, used + n) - beyond(b, used);
    if (b->parent && more > 0) {
        skep_rc rc = take(b->parent, more, quiet, err);
        if (rc != SKEP_OK) {
            undo(b, n, more);
            return rc;
        }
    }
    note_peak(b, used + n);
    return SKEP_OK;
}

skep_rc skep_budget_take(struct skep_budget *b, uint64_t n, skep_err *err)
{
    skep_assert(b != NULL);
    return take(b, n, false, err);
}

void skep_budget_force(struct skep_budget *b, uint64_t n)
{
    force(b, n, false);
}

void skep_budget_give(struct skep_budget *b, uint64_t n)
{
    while (b && n > 0) {
        uint64_t old = atomic_fetch_sub_explicit(&b->used_bytes, n, memory_order_relaxed);
        skep_assert(old >= n);
        note_idle(b, old, old - n, true);
        n = beyond(b, old) - beyond(b, old - n);
        b = b->parent;
    }
}

uint64_t skep_budget_left(const struct skep_budget *b)
{
    uint64_t left = UINT64_MAX, reserved = 0;
    for (; b; b = b->parent) {
        uint64_t used = atomic_load_explicit(&b->used_bytes, memory_order_relaxed);
        uint64_t here = b->limit_bytes > used ? b->limit_bytes - used : 0;
        left = SKEP_MIN(left, here > UINT64_MAX - reserved ? UINT64_MAX : here + reserved);
        reserved += b->reserve_bytes > used ? b->reserve_bytes - used : 0;
    }
    return left;
}
