// SPDX-License-Identifier: Apache-2.0
/* Byte budgets.
 *
 * I1  used <= limit unless skep_budget_force was used.
 * I2  a failed take leaves every counter as it was.
 * Relaxed atomics suffice: the counters guard no other memory. */
#include "base/budget.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/assert.h"

void skep_budget_init(struct skep_budget *b, const char *name, uint64_t limit_bytes,
                      struct skep_budget *parent)
{
    skep_assert(b && name && b != parent);
    b->name = name;
    b->parent = parent;
    b->limit_bytes = limit_bytes;
    atomic_init(&b->used_bytes, 0);
    atomic_init(&b->peak_bytes, 0);
    atomic_init(&b->refused, false);
}

static void note_peak(struct skep_budget *b, uint64_t used)
{
    uint64_t peak = atomic_load_explicit(&b->peak_bytes, memory_order_relaxed);
    while (used > peak &&
           !atomic_compare_exchange_weak_explicit(&b->peak_bytes, &peak, used, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
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
    if (b->parent) {
        skep_rc rc = skep_budget_take(b->parent, n, err);
        if (rc != SKEP_OK) {
            atomic_fetch_sub_explicit(&b->used_bytes, n, memory_order_relaxed);
            return rc;
        }
    }
    note_peak(b, used + n);
    return SKEP_OK;
}

void skep_budget_force(struct skep_budget *b, uint64_t n)
{
    for (; b; b = b->parent)
        note_peak(b, atomic_fetch_add_explicit(&b->used_bytes, n, memory_order_relaxed) + n);
}

void skep_budget_give(struct skep_budget *b, uint64_t n)
{
    for (; b; b = b->parent) {
        uint64_t old = atomic_fetch_sub_explicit(&b->used_bytes, n, memory_order_relaxed);
        skep_assert(old >= n);
    }
}
