// SPDX-License-Identifier: Apache-2.0
/*
 * queue.c - ended records on their way to a processor's thread
 *
 * Memory is a fixed number of chunks. A thread fills a chunk of its own, so that two threads share
 * no cache line; a full one goes to the consumer, which copies the records out and puts it back.
 *
 *   free stack -> a thread's chunk (OPEN) -> full list -> consumer -> free stack
 *                    ^ partial stack: what ended threads left unfilled
 *
 * In a chunk each record stands behind its length and scope, and `committed` says how far the chunk
 * is valid (released by the producer, acquired by the consumer). So the consumer may read chunks
 * that are still being filled when it must send everything there is.
 *
 * How many records may wait is counted in tokens, which threads take in lots: up to per_chunk at
 * once while there are many, one by one when they run out. So one thread gets exactly max_records,
 * and hundreds of threads do not sit on what others need. There are chunks for a full queue and for
 * SPARE_CHUNKS threads besides. Chunks are 64 KiB of address space; pages that were never written
 * take no memory.
 *
 * Invariants
 *   I1. a chunk is in one place: the free or partial stack, a thread, the full list, or the
 * consumer's hands. I2. `taken` is the consumer's alone; a chunk goes back only when all of it was
 * taken. I3. tokens left + held by threads + records that wait = max_records.
 *
 * Threads: put by any, take by one.
 */
#include "sdk_priv.h"
#include "stack.h"

#include <stdlib.h>
#include <sys/mman.h>

enum {
    CHUNK_BYTES = WAGGLE__BLOCK_BYTES + 256,
    CHUNKS_WANTED = 128,
    PER_CHUNK_MAX = 64,
    SPARE_CHUNKS = 512,
    LOTS = 64 /* a lot is at most this part of what is left */
};
enum { CHUNK_FREE = 0, CHUNK_OPEN = 1 };

struct waggle__chunk {
    _Atomic uint32_t committed; /* bytes of records */
    _Atomic uint32_t state;
    _Atomic uint32_t next; /* on the free stack or the full list: number + 1 */
    uint32_t n;            /* records; the producer's until the chunk is full */
    uint32_t taken;        /* bytes the consumer has had */
    uint32_t reserved[3];
    uint8_t bytes[];
};

enum { CHUNK_ROOM = CHUNK_BYTES - (int)sizeof(struct waggle__chunk) };

struct record_head {
    uint32_t n, scope;
};

struct waggle__queue {
    uint32_t index; /* in `queues` and in each thread's `open` */
    _Atomic uint32_t epoch;
    uint32_t n_chunks, per_chunk, batch, max_records;
    uint8_t *chunks;
    _Atomic uint64_t free, partial;
    char apart1[WAGGLE__CACHE_LINE];
    _Atomic uint32_t full;  /* newest first: number + 1 */
    _Atomic uint32_t ready; /* records on it */
    _Atomic uint32_t tokens;
    _Atomic bool is_short; /* tokens are few or gone: the consumer should take all there is */
    char apart2[WAGGLE__CACHE_LINE];
    uint32_t held[CHUNKS_WANTED * PER_CHUNK_MAX +
                  SPARE_CHUNKS]; /* the consumer's: chunks to read, oldest first */
    uint32_t held_from, n_held, held_records;
};

static pthread_mutex_t queues_lock = PTHREAD_MUTEX_INITIALIZER;
static struct waggle__queue *queues[WAGGLE__QUEUES_MAX];
static _Atomic uint32_t next_epoch = 1;

static struct waggle__chunk *chunk_at(const struct waggle__queue *q, uint32_t i)
{
    return (struct waggle__chunk *)(void *)(q->chunks + (size_t)i * CHUNK_BYTES);
}

static uint32_t number_of(const struct waggle__queue *q, const struct waggle__chunk *chunk)
{
    return (uint32_t)((size_t)((const uint8_t *)chunk - q->chunks) / CHUNK_BYTES);
}

static _Atomic uint32_t *link_of(const void *table, uint32_t i)
{
    return &chunk_at(table, i)->next;
}

/* --- life ---------------------------------------------------------------------------------- */

/* How many records a chunk may hold: few, so that a batch is noticed when it is complete, but not
 * so few that there are more chunks than `held` has room for. */
static uint32_t choose_per_chunk(uint32_t max_records, uint32_t batch)
{
    uint32_t per_chunk = max_records / CHUNKS_WANTED;
    uint32_t least = max_records / (CHUNKS_WANTED * PER_CHUNK_MAX) + 1;
    if (per_chunk > PER_CHUNK_MAX)
        per_chunk = PER_CHUNK_MAX;
    while (per_chunk > 1 && batch % per_chunk != 0)
        per_chunk--;
    return per_chunk < least ? least : per_chunk;
}

static void put_all_back(struct waggle__queue *q)
{
    atomic_store_explicit(&q->free, 0, memory_order_relaxed);
    atomic_store_explicit(&q->full, 0, memory_order_relaxed);
    atomic_store_explicit(&q->partial, 0, memory_order_relaxed);
    atomic_store_explicit(&q->ready, 0, memory_order_relaxed);
    atomic_store_explicit(&q->tokens, q->max_records, memory_order_relaxed);
    atomic_store_explicit(&q->is_short, false, memory_order_relaxed);
    q->held_from = q->n_held = q->held_records = 0;
    for (uint32_t i = q->n_chunks; i-- > 0;) {
        struct waggle__chunk *chunk = chunk_at(q, i);
        atomic_store_explicit(&chunk->committed, 0, memory_order_relaxed);
        atomic_store_explicit(&chunk->state, CHUNK_FREE, memory_order_relaxed);
        chunk->n = chunk->taken = 0;
        waggle__stack_push(&q->free, link_of, q, i);
    }
    // Chunks and tokens that threads hold are theirs no more.
    atomic_store_explicit(&q->epoch,
                          atomic_fetch_add_explicit(&next_epoch, 1, memory_order_relaxed),
                          memory_order_relaxed);
}

/* A place in `queues`; false if all are taken. */
static bool enter(struct waggle__queue *q)
{
    bool found = false;
    (void)pthread_mutex_lock(&queues_lock); // fails only for a mutex that is none
    for (uint32_t i = 0; i < WAGGLE__QUEUES_MAX && !found; i++) {
        if (queues[i] != NULL)
            continue;
        queues[i] = q;
        q->index = i;
        found = true;
    }
    (void)pthread_mutex_unlock(&queues_lock);
    return found;
}

struct waggle__queue *waggle__queue_new(uint32_t max_records, uint32_t batch)
{
    struct waggle__queue *q = calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->batch = batch;
    q->per_chunk = choose_per_chunk(max_records, batch);
    q->max_records = max_records;
    q->n_chunks = max_records / q->per_chunk + 1 + SPARE_CHUNKS;
    void *p = mmap(NULL, (size_t)q->n_chunks * CHUNK_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    q->chunks = p == MAP_FAILED ? NULL : p;
    if (q->chunks == NULL || !enter(q)) {
        if (q->chunks != NULL)
            (void)munmap(p, (size_t)q->n_chunks * CHUNK_BYTES); // ours: cannot fail
        free(q);
        return NULL;
    }
    put_all_back(q);
    return q;
}

void waggle__queue_retire(struct waggle__queue *q)
{
    (void)pthread_mutex_lock(&queues_lock); // fails only for a mutex that is none
    if (queues[q->index] == q)
        queues[q->index] = NULL;
    (void)pthread_mutex_unlock(&queues_lock);
}

void waggle__queue_free(struct waggle__queue *q)
{
    if (q == NULL)
        return;
    waggle__queue_retire(q);
    (void)munmap(q->chunks, (size_t)q->n_chunks * CHUNK_BYTES); // ours: cannot fail
    free(q);
}

/* --- putting ------------------------------------------------------------------------------- */

/* Hand a chunk over. Returns true if that completes a batch. */
static bool hand_over(struct waggle__queue *q, struct waggle__chunk *chunk)
{
    uint32_t n = chunk->n;
    uint32_t head = atomic_load_explicit(&q->full, memory_order_relaxed);
    // Counted first: the consumer must never take away more than was counted.
    uint32_t before = atomic_fetch_add_explicit(&q->ready, n, memory_order_relaxed);
    do // the consumer takes the whole list: no ABA
        atomic_store_explicit(&chunk->next, head, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&q->full, &head, number_of(q, chunk) + 1,
                                                  memory_order_release, memory_order_relaxed));
    return before < q->batch && before + n >= q->batch;
}

static struct waggle__chunk *open_chunk(struct waggle__queue *q)
{
    uint32_t i = 0;
    if (waggle__stack_pop(&q->partial, link_of, q, &i))
        return chunk_at(q, i);
    if (!waggle__stack_pop(&q->free, link_of, q, &i))
        return NULL;
    struct waggle__chunk *chunk = chunk_at(q, i);
    atomic_store_explicit(&chunk->state, CHUNK_OPEN, memory_order_release);
    return chunk;
}

/* Once until the consumer comes by: a full queue must not cost a system call for each record. */
static void ask_for_room(struct waggle__queue *q, bool *ret_wake)
{
    if (atomic_load_explicit(&q->is_short, memory_order_relaxed))
        return;
    atomic_store_explicit(&q->is_short, true, memory_order_relaxed);
    *ret_wake = true;
}

/* Take a lot of tokens for the thread; false if there are none. Sets *ret_wake when they get few.
 */
static bool take_tokens(struct waggle__queue *q, struct waggle__open *open, bool *ret_wake)
{
    uint32_t left = atomic_load_explicit(&q->tokens, memory_order_relaxed);
    uint32_t lot;
    do {
        if (left == 0) {
            ask_for_room(q, ret_wake);
            return false;
        }
        lot = left / LOTS;
        lot = lot == 0 ? 1 : WAGGLE__MIN(lot, q->per_chunk);
    } while (!atomic_compare_exchange_weak_explicit(&q->tokens, &left, left - lot,
                                                    memory_order_relaxed, memory_order_relaxed));
    open->tokens = lot;
    uint32_t few = (q->max_records - q->batch) / 4;
    if (left >= few && left - lot < few)
        ask_for_room(q, ret_wake);
    return true;
}

static void copy_in(struct waggle__chunk *chunk, uint32_t at, const waggle_record *record)
{
    const struct record_head head = {record->n, record->scope};
    memcpy(chunk->bytes + at, &head, sizeof head);
    memcpy(chunk->bytes + at + sizeof head, record->p, record->n);
    chunk->n++;
    uint32_t end = (at + (uint32_t)sizeof head + record->n + 7u) & ~7u;
    atomic_store_explicit(&chunk->committed, end, memory_order_release);
}

/* The thread's chunk with room for `need` bytes; NULL if there is none. */
static struct waggle__chunk *chunk_for(struct waggle__queue *q, struct waggle__open *open,
                                       uint32_t need, bool *ret_wake)
{
    for (;;) {
        if (open->chunk == NULL)
            open->chunk = open_chunk(q);
        if (open->chunk == NULL)
            return NULL;
        uint32_t at = atomic_load_explicit(&open->chunk->committed, memory_order_relaxed);
        if (need <= CHUNK_ROOM - at)
            return open->chunk;
        *ret_wake |= hand_over(q, open->chunk);
        open->chunk = NULL;
    }
}

bool waggle__queue_put(struct waggle__queue *q, struct waggle__thread *t,
                       const waggle_record *record, bool *ret_wake)
{
    struct waggle__open *open = &t->open[q->index];
    uint32_t need = (uint32_t)sizeof(struct record_head) + record->n + 7u;
    uint32_t epoch = atomic_load_explicit(&q->epoch, memory_order_relaxed);
    if (need > CHUNK_ROOM) {
        waggle__count(t, WAGGLE__TOO_LARGE, 1);
        return false;
    }
    if (WAGGLE__UNLIKELY(open->epoch != epoch))
        *open = (struct waggle__open){.epoch = epoch};
    struct waggle__chunk *chunk = NULL;
    if (open->tokens > 0 || take_tokens(q, open, ret_wake))
        chunk = chunk_for(q, open, need, ret_wake);
    if (chunk == NULL) {
        waggle__count(t, WAGGLE__QUEUE_FULL, 1);
        return false;
    }
    open->tokens--;
    copy_in(chunk, atomic_load_explicit(&chunk->committed, memory_order_relaxed), record);
    if (chunk->n == q->per_chunk) {
        open->chunk = NULL;
        *ret_wake |= hand_over(q, chunk);
    }
    return true;
}

void waggle__queue_thread_exit(struct waggle__thread *t)
{
    (void)pthread_mutex_lock(&queues_lock); // fails only for a mutex that is none
    for (uint32_t i = 0; i < WAGGLE__QUEUES_MAX; i++) {
        struct waggle__queue *q = queues[i];
        struct waggle__open *open = &t->open[i];
        if (q != NULL && open->epoch == atomic_load_explicit(&q->epoch, memory_order_relaxed)) {
            atomic_fetch_add_explicit(&q->tokens, open->tokens, memory_order_relaxed);
            if (open->chunk != NULL) // the next thread goes on filling it
                waggle__stack_push(&q->partial, link_of, q, number_of(q, open->chunk));
        }
        *open = (struct waggle__open){0};
    }
    (void)pthread_mutex_unlock(&queues_lock);
}

/* --- taking -------------------------------------------------------------------------------- */

/* Take over all full chunks, oldest first. */
static void collect_full(struct waggle__queue *q)
{
    if (q->held_from > 0) {
        memmove(q->held, q->held + q->held_from, q->n_held * sizeof q->held[0]);
        q->held_from = 0;
    }
    uint32_t head = atomic_exchange_explicit(&q->full, 0, memory_order_acquire);
    uint32_t from = q->n_held;
    while (head != 0) {
        struct waggle__chunk *chunk = chunk_at(q, head - 1);
        q->held[q->n_held++] = head - 1;
        q->held_records += chunk->n;
        atomic_fetch_sub_explicit(&q->ready, chunk->n, memory_order_relaxed);
        head = atomic_load_explicit(&chunk->next, memory_order_relaxed);
    }
    for (uint32_t a = from, b = q->n_held; a + 1 < b; a++, b--) {
        uint32_t other = q->held[a];
        q->held[a] = q->held[b - 1];
        q->held[b - 1] = other;
    }
}

/* What one call of waggle__queue_take has gathered. */
struct haul {
    waggle_record *records;
    size_t n, max;
    uint8_t *bytes;
    size_t used, cap;
};

/* Copy records of a chunk; false if the haul is full before its end. */
static bool copy_out(struct waggle__chunk *chunk, struct haul *haul)
{
    uint32_t committed = atomic_load_explicit(&chunk->committed, memory_order_acquire);
    while (chunk->taken < committed) {
        struct record_head head;
        memcpy(&head, chunk->bytes + chunk->taken, sizeof head);
        if (haul->n == haul->max || head.n > haul->cap - haul->used)
            return false;
        uint8_t *to = haul->bytes + haul->used;
        memcpy(to, chunk->bytes + chunk->taken + sizeof head, head.n);
        haul->records[haul->n++] = (waggle_record){to, head.n, head.scope};
        haul->used += head.n;
        chunk->taken = (chunk->taken + (uint32_t)sizeof head + head.n + 7u) & ~7u;
    }
    return true;
}

static void give_back(struct waggle__queue *q, uint32_t i)
{
    struct waggle__chunk *chunk = chunk_at(q, i);
    q->held_records -= chunk->n;
    chunk->n = chunk->taken = 0;
    atomic_store_explicit(&chunk->committed, 0, memory_order_relaxed);
    atomic_store_explicit(&chunk->state, CHUNK_FREE, memory_order_relaxed);
    waggle__stack_push(&q->free, link_of, q, i);
}

size_t waggle__queue_take(struct waggle__queue *q, bool all, waggle_record *ret_records, size_t max,
                          uint8_t *ret_bytes, size_t cap)
{
    struct haul haul = {ret_records, 0, max, ret_bytes, 0, cap};
    bool room = true;
    if (all)
        atomic_store_explicit(&q->is_short, false, memory_order_relaxed);
    collect_full(q);
    while (q->n_held > 0) {
        uint32_t i = q->held[q->held_from];
        room = copy_out(chunk_at(q, i), &haul);
        if (!room)
            break;
        q->held_from++;
        q->n_held--;
        give_back(q, i);
    }
    for (uint32_t i = 0; all && room && i < q->n_chunks; i++) {
        struct waggle__chunk *chunk = chunk_at(q, i);
        if (atomic_load_explicit(&chunk->state, memory_order_acquire) == CHUNK_OPEN)
            room = copy_out(chunk, &haul);
    }
    atomic_fetch_add_explicit(&q->tokens, (uint32_t)haul.n, memory_order_relaxed);
    return haul.n;
}

bool waggle__queue_is_short(const struct waggle__queue *q)
{
    return atomic_load_explicit(&q->is_short, memory_order_relaxed);
}

uint32_t waggle__queue_ready(const struct waggle__queue *q)
{
    return atomic_load_explicit(&q->ready, memory_order_relaxed) + q->held_records;
}

void waggle__queue_after_fork(struct waggle__queue *q)
{
    put_all_back(q);
}

void waggle__queues_lock(void)
{
    (void)pthread_mutex_lock(&queues_lock); // fails only for a mutex that is none
}

void waggle__queues_unlock(void)
{
    (void)pthread_mutex_unlock(&queues_lock); // as above
}
