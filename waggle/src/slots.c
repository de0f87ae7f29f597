// SPDX-License-Identifier: Apache-2.0
/*
 * slots.c - the table of open spans
 *
 *   handle = (slot, generation)        word = generation << 32 | ENDING | LIVE | LOCKED
 *
 * A call on a span is one compare-and-swap on its slot's word: right generation, LIVE, not locked
 * -> locked. A handle whose span has ended, or whose slot has a new owner, fails the compare and
 * nothing happens. The lock is held while a few bytes are copied; a thread that does not get it for
 * long gives the call up (counted) rather than wait.
 *
 * The identity (ids, flags) is in atomics beside the word. Readers take word, identity, word again:
 * a slot that changed hands between shows another generation. It stays readable after the end until
 * the slot is used again.
 *
 * Free slots are a stack with a tag against ABA; each thread keeps up to WAGGLE__CACHE of them, so
 * that the usual start and end touch nothing shared. A span that outgrows its slot moves once into
 * a block of 64 KiB; of these there are WAGGLE__BLOCKS, and memory that is never written is never
 * taken from the system.
 *
 * Invariants
 *   I1. generation's lowest bit says whether the span records; it is never 0.
 *   I2. a slot on the free stack or in a cache is not LIVE and has no block.
 *
 * Threads: any. Memory: one mapping for slots, one for blocks, kept as long as the process.
 */
#include "sdk_priv.h"
#include "stack.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { SPINS = 200, YIELDS = 100 };

static uint8_t *table;
static uint8_t *blocks;
static uint32_t n_slots;
static _Atomic uint64_t free_slots;  /* tag << 32 | index + 1 */
static _Atomic uint64_t free_blocks; /* the same */
static _Atomic uint32_t next_block[WAGGLE__BLOCKS];
static _Atomic bool has_orphans;

_Static_assert(sizeof(struct waggle__slot) < WAGGLE__SLOT_BYTES / 3, "room for what is recorded");

struct waggle__slot *waggle__slot(uint32_t i)
{
    return (struct waggle__slot *)(void *)(table + (size_t)i * WAGGLE__SLOT_BYTES);
}

struct waggle__slot *waggle__slot_at(uint32_t i)
{
    return i < n_slots ? waggle__slot(i) : NULL;
}

static _Atomic uint32_t *next_of_slot(const void *unused, uint32_t i)
{
    (void)unused;
    return &waggle__slot(i)->next_free;
}

static _Atomic uint32_t *next_of_block(const void *unused, uint32_t i)
{
    (void)unused;
    return &next_block[i];
}

/* --- the table ----------------------------------------------------------------------------- */

static uint8_t *map(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void fill_stacks(void)
{
    atomic_store_explicit(&free_slots, 0, memory_order_relaxed);
    atomic_store_explicit(&free_blocks, 0, memory_order_relaxed);
    for (uint32_t i = WAGGLE__BLOCKS; i-- > 0;)
        waggle__stack_push(&free_blocks, next_of_block, NULL, i);
}

bool waggle__slots_init(uint32_t n)
{
    if (table != NULL)
        return true;
    n_slots = n > 1u << 20 ? 1u << 20 : n;
    table = map((size_t)n_slots * WAGGLE__SLOT_BYTES);
    blocks = map((size_t)WAGGLE__BLOCKS * WAGGLE__BLOCK_BYTES);
    if (table == NULL || blocks == NULL)
        return false;
    fill_stacks();
    for (uint32_t i = n_slots; i-- > 0;)
        waggle__stack_push(&free_slots, next_of_slot, NULL, i);
    return true;
}

/* After a fork: a span of the parent process whose thread is not here will never be ended. */
WAGGLE__COLD static bool take_orphan(uint32_t *ret_i)
{
    for (uint32_t i = 0; i < n_slots; i++) {
        struct waggle__slot *slot = waggle__slot(i);
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
        bool orphan = atomic_load_explicit(&slot->flags, memory_order_relaxed) & WAGGLE__ORPHAN;
        if (orphan && (word & WAGGLE__LIVE) && !(word & WAGGLE__LOCKED) &&
            atomic_compare_exchange_strong_explicit(&slot->word, &word,
                                                    word & ~(WAGGLE__LIVE | WAGGLE__ENDING),
                                                    memory_order_acquire, memory_order_relaxed)) {
            *ret_i = i;
            return true;
        }
    }
    atomic_store_explicit(&has_orphans, false, memory_order_relaxed);
    return false;
}

static bool take_number(struct waggle__thread *t, uint32_t *ret_i)
{
    if (WAGGLE__LIKELY(t->n_cache > 0)) {
        *ret_i = t->cache[--t->n_cache];
        return true;
    }
    if (waggle__stack_pop(&free_slots, next_of_slot, NULL, ret_i))
        return true;
    return atomic_load_explicit(&has_orphans, memory_order_relaxed) && take_orphan(ret_i);
}

struct waggle__slot *waggle__slot_take(struct waggle__thread *t, bool recording,
                                       waggle_span *ret_span)
{
    uint32_t i = 0;
    if (!take_number(t, &i))
        return NULL;
    struct waggle__slot *slot = waggle__slot(i);
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    uint32_t generation = ((uint32_t)(word >> 32) | 1) + 1;
    generation = (generation == 0 ? 2 : generation) | recording;
    atomic_store_explicit(&slot->word, (uint64_t)generation << 32 | WAGGLE__LOCKED,
                          memory_order_relaxed);
    *ret_span = (waggle_span){i, generation};
    return slot;
}

/* The identity outlives the span, its tracestate too: that stands at the beginning. */
static void give_block(struct waggle__slot *slot)
{
    if (slot->block < 0)
        return;
    memcpy(slot->room, slot->buf, slot->tracestate_at + slot->tracestate_n);
    slot->buf = slot->room;
    waggle__stack_push(&free_blocks, next_of_block, NULL, (uint32_t)slot->block);
    slot->block = -1;
}

void waggle__slot_give(struct waggle__thread *t, struct waggle__slot *slot)
{
    uint32_t i = (uint32_t)((size_t)((uint8_t *)slot - table) / WAGGLE__SLOT_BYTES);
    if (t != NULL && t->n_cache < WAGGLE__CACHE)
        t->cache[t->n_cache++] = i;
    else
        waggle__stack_push(&free_slots, next_of_slot, NULL, i);
}

void waggle__slots_give_cache(struct waggle__thread *t)
{
    while (t->n_cache > 0)
        waggle__stack_push(&free_slots, next_of_slot, NULL, t->cache[--t->n_cache]);
}

/* --- locking ------------------------------------------------------------------------------- */

static void wait_a_little(unsigned n)
{
    if (n >= SPINS)
        (void)sched_yield(); // cannot fail on Linux
}

struct waggle__slot *waggle__slot_lock(waggle_span span)
{
    if (span.slot >= n_slots)
        return NULL;
    struct waggle__slot *slot = waggle__slot(span.slot);
    uint64_t generation = (uint64_t)span.generation << 32;
    for (unsigned n = 0; n < SPINS + YIELDS; n++) {
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
        if ((word & ~UINT64_C(0xffffffff)) != generation) {
            waggle__count_any(WAGGLE__STALE, 1);
            return NULL;
        }
        if ((word & WAGGLE__LIVE) == 0)
            return NULL;
        if ((word & WAGGLE__LOCKED) == 0 &&
            atomic_compare_exchange_weak_explicit(&slot->word, &word, word | WAGGLE__LOCKED,
                                                  memory_order_acquire, memory_order_relaxed))
            return slot;
        wait_a_little(n);
    }
    waggle__count_any(WAGGLE__BUSY, 1);
    return NULL;
}

void waggle__slot_unlock(struct waggle__slot *slot, waggle_span span, uint64_t bits)
{
    if ((bits & WAGGLE__LIVE) == 0)
        give_block(slot);
    atomic_store_explicit(&slot->word, (uint64_t)span.generation << 32 | bits,
                          memory_order_release);
}

/* --- room ---------------------------------------------------------------------------------- */

bool waggle__slot_room(struct waggle__slot *slot, size_t n)
{
    if (WAGGLE__LIKELY(n <= slot->cap - slot->n))
        return true;
    uint32_t i = 0;
    enum { CAP = WAGGLE__BLOCK_BYTES - WAGGLE__TAIL };
    if (slot->block >= 0 || n > CAP - slot->n ||
        !waggle__stack_pop(&free_blocks, next_of_block, NULL, &i))
        return false;
    uint8_t *block = blocks + (size_t)i * WAGGLE__BLOCK_BYTES;
    memcpy(block, slot->buf, slot->n);
    slot->block = (int32_t)i;
    slot->buf = block;
    slot->cap = CAP;
    return true;
}

/* --- fork ---------------------------------------------------------------------------------- */

/* What was recorded may be half written, by a thread that is not here: only the identity, which was
 * there from the start, is kept. It fits into the slot. */
static void make_orphan(struct waggle__slot *slot)
{
    if (slot->block >= 0) // all blocks are free
        memcpy(slot->room, slot->buf, slot->tracestate_at + slot->tracestate_n);
    slot->block = -1;
    slot->buf = slot->room;
    slot->n = slot->tracestate_at + slot->tracestate_n;
    slot->cap = WAGGLE__SLOT_ROOM;
    slot->name_at = slot->status_at = slot->n;
    slot->name_n = slot->status_n = 0;
    memset(slot->seen, 0, sizeof slot->seen);
}

/* Spans that were open belong to the parent process. Here their identity stays readable, so that
 * they can be parents, and their end gives the slot back without a record. All that are not LIVE
 * are free again; an orphan is when it is ended, or when nothing else is free. */
void waggle__slots_after_fork(struct waggle__thread *t)
{
    if (table == NULL)
        return;
    fill_stacks();
    if (t != NULL)
        t->n_cache = 0;
    for (uint32_t i = n_slots; i-- > 0;) {
        struct waggle__slot *slot = waggle__slot(i);
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
        if (word & WAGGLE__LIVE) {
            make_orphan(slot);
            atomic_fetch_or_explicit(&slot->flags, WAGGLE__ORPHAN, memory_order_relaxed);
            atomic_store_explicit(&has_orphans, true, memory_order_relaxed);
            atomic_store_explicit(&slot->word, word & ~(WAGGLE__LOCKED | WAGGLE__ENDING),
                                  memory_order_relaxed);
        } else {
            atomic_store_explicit(&slot->word, word & ~WAGGLE__LOCKED, memory_order_relaxed);
            waggle__stack_push(&free_slots, next_of_slot, NULL, i);
        }
    }
}
