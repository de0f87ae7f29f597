// SPDX-License-Identifier: Apache-2.0
/*
 * stack.h - a stack of numbers without a lock, for fixed tables of slots, blocks and chunks
 *
 * The head is tag << 32 | number + 1; the tag changes with each operation, so that a pop that was
 * overtaken by a pop and a push of the same number fails its compare (ABA). Links stand in the
 * table.
 */
#ifndef WAGGLE_STACK_H
#define WAGGLE_STACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Where the link of number i stands. */
typedef _Atomic uint32_t *waggle__link_fn(const void *table, uint32_t i);

/* Release: what was written to the element before is seen by who pops it. */
static inline void waggle__stack_push(_Atomic uint64_t *stack, waggle__link_fn *link,
                                      const void *table, uint32_t i)
{
    uint64_t head = atomic_load_explicit(stack, memory_order_relaxed);
    uint64_t mine;
    do {
        atomic_store_explicit(link(table, i), (uint32_t)head, memory_order_relaxed);
        mine = ((head >> 32) + 1) << 32 | (i + 1);
    } while (!atomic_compare_exchange_weak_explicit(stack, &head, mine, memory_order_release,
                                                    memory_order_relaxed));
}

static inline bool waggle__stack_pop(_Atomic uint64_t *stack, waggle__link_fn *link,
                                     const void *table, uint32_t *ret_i)
{
    uint64_t head = atomic_load_explicit(stack, memory_order_acquire);
    uint64_t rest;
    do {
        if ((uint32_t)head == 0)
            return false;
        uint32_t below =
            atomic_load_explicit(link(table, (uint32_t)head - 1), memory_order_relaxed);
        rest = ((head >> 32) + 1) << 32 | below;
    } while (!atomic_compare_exchange_weak_explicit(stack, &head, rest, memory_order_acquire,
                                                    memory_order_acquire));
    *ret_i = (uint32_t)head - 1;
    return true;
}

#endif
