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
 * Relaxed atomics suffice: the counters guard no other memory. */
#include "base/budget.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/compiler.h"

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
    if (n > 0 && b->parent)
        skep_budget_force(b->parent, n);
    add_idle(b->parent, n);
}

void skep_budget_done(struct skep_budget *b)
{
    uint64_t n = b->reserve_bytes;
    skep_assert(atomic_load(&b->used_bytes) == 0);
    b->reserve_bytes = 0;
    sub_idle(b->parent, n);
    if (n > 0 && b->parent)
        skep_budget_give(b->parent, n);
}

/* Of a child's `used` bytes: those its parents must have beside the reserve. */
static uint64_t beyond(const struct skep_budget *b, uint64_t used)
{
    return used > b->reserve_bytes ? used - b->reserve_bytes : 0;
}

/* The child's use went from one to the other: the reserve is that much less, or more, idle. */
static void note_idle(struct skep_budget *b, uint64_t from, uint64_t to)
{
    if (b->reserve_bytes == 0)
        return;
    uint64_t was = SKEP_MIN(from, b->reserve_bytes), is = SKEP_MIN(to, b->reserve_bytes);
    if (is > was)
        sub_idle(b->parent, is - was);
    else
        add_idle(b->parent, was - is);
}

static void note_peak(struct skep_budget *b, uint64_t used)
{
    uint64_t peak = atomic_load_explicit(&b->peak_bytes, memory_order_relaxed);
    while (used > peak &&
           !atomic_compare_exchange_weak_explicit(&b->peak_bytes, &peak, used, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

/* A take that a parent refused: n bytes less here.  `claimed` of them were to be the parents'; what
 * others gave back meanwhile may have been counted as parents' for it: I3 is put right. */
static void undo(struct skep_budget *b, uint64_t n, uint64_t claimed)
{
    uint64_t old = atomic_fetch_sub_explicit(&b->used_bytes, n, memory_order_relaxed);
    uint64_t released = beyond(b, old) - beyond(b, old - n);
    if (claimed > released)
        skep_budget_force(b->parent, claimed - released);
    else if (claimed < released)
        skep_budget_give(b->parent, released - claimed);
    note_idle(b, old, old - n);
}

skep_rc skep_budget_take(struct skep_budget *b, uint64_t n, skep_err *err)
{
    skep_assert(b != NULL);
    uint64_t used = atomic_load_explicit(&b->used_bytes, memory_order_relaxed);
    do {
        if (n > b->limit_bytes || used > b->limit_bytes - n) {
            atomic_store_explicit(&b->refused, true, memory_order_relaxed);
            return skep_fail(err, SKEP_ENOMEM,
                             "memory budget '%s' is full: %" PRIu64 " of %" PRIu64
                             " bytes used, %" PRIu64 " more asked",
                             b->name, used, b->limit_bytes, n);
        }
    } while (!atomic_compare_exchange_weak_explicit(&b->used_bytes, &used, used + n,
                                                    memory_order_relaxed, memory_order_relaxed));
    note_idle(b, used, used + n);
    uint64_t more = beyond(b, used + n) - beyond(b, used);
    if (b->parent && more > 0) {
        skep_rc rc = skep_budget_take(b->parent, more, err);
        if (rc != SKEP_OK) {
            undo(b, n, more);
            return rc;
        }
    }
    note_peak(b, used + n);
    return SKEP_OK;
}

void skep_budget_force(struct skep_budget *b, uint64_t n)
{
    while (b && n > 0) {
        uint64_t old = atomic_fetch_add_explicit(&b->used_bytes, n, memory_order_relaxed);
        note_peak(b, old + n);
        note_idle(b, old, old + n);
        n = beyond(b, old + n) - beyond(b, old);
        b = b->parent;
    }
}

void skep_budget_give(struct skep_budget *b, uint64_t n)
{
    while (b && n > 0) {
        uint64_t old = atomic_fetch_sub_explicit(&b->used_bytes, n, memory_order_relaxed);
        skep_assert(old >= n);
        note_idle(b, old, old - n);
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
