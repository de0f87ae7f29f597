// SPDX-License-Identifier: Apache-2.0
/* Counts of typed values: one open-addressing table, values and numbers written out behind it.
 *
 *   slot    tag u32 | at u32                       home: tag * cap / 2^32, then the next ones
 *   record  n u64 | type and length u32 | bytes    a text, 8 bytes of a number, or nothing
 *   at      block << 14 | offset                   blocks of 16 KiB, or of one longer record
 *
 * A value that is known costs one line of the table and one of its record.  Homes ascend with the
 * tags, so growing walks both tables in order.
 *
 * I1  n <= 5/8 cap: probing ends at a free slot.
 * I2  two values are the same when their records are; the hash only finds them.  (-0 is 0, all NaN
 *     are one, as everywhere.)
 * I3  `at` is never 0: the first block begins with a byte that is left out.
 *
 * Threads: one at a time.  Memory: all from the skep_agg_mem given. */
#include "agg/counts.h"

#include "agg/agg_priv.h"
#include "base/assert.h"
#include "base/mem.h"

enum {
    BLOCK_BITS = 14,
    BLOCK_BYTES = 1 << BLOCK_BITS,
    BLOCKS_MAX = 1 << (32 - BLOCK_BITS),
    NUMBER = 8, /* bytes of a record: how often, */
    HEAD = 12,  /* and before its text */
    TYPE_BITS = 4,
    CAP_FIRST = 64,
    LOAD = 5, /* of LOAD_OF slots, at most */
    LOAD_OF = 8
};
_Static_assert(SKEP_TYPE_COUNT <= 1 << TYPE_BITS, "a type has its bits");

void skep_counts_init(struct skep_counts *t, struct skep_agg_mem *mem)
{
    *t = (struct skep_counts){.mem = mem};
}

void skep_counts_done(struct skep_counts *t)
{
    if (!t->mem)
        return;
    for (uint32_t i = 0; i < t->n_blocks; i++)
        skep_agg_free(t->mem, t->blocks[i].p, t->blocks[i].bytes);
    skep_free(t->blocks);
    skep_agg_free(t->mem, t->slots, (size_t)t->cap * sizeof *t->slots);
    *t = (struct skep_counts){0};
}

/* --- records --- */

struct record {
    uint32_t head;
    const uint8_t *p;
    size_t n;
    uint8_t number[8];
};

static void record_of(const skep_value *v, struct record *r)
{
    double f = v->f + 0.0; /* -0 becomes 0 */
    uint64_t nan = 0x7ff8000000000000ull;
    r->p = r->number;
    r->n = sizeof r->number;
    switch (v->type) {
    case SKEP_TYPE_INT: memcpy(r->number, &v->i, sizeof v->i); break;
    case SKEP_TYPE_DOUBLE: memcpy(r->number, f == f ? (void *)&f : (void *)&nan, sizeof f); break;
    case SKEP_TYPE_BOOL:
        r->number[0] = v->b;
        r->n = 1;
        break;
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY:
        r->p = (const uint8_t *)v->s.p;
        r->n = v->s.n;
        break;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: r->n = 0; break;
    }
    skep_assert(r->n < 1u << (32 - TYPE_BITS));
    r->head = (uint32_t)r->n << TYPE_BITS | (uint32_t)v->type;
}

static uint8_t *record_at(const struct skep_counts *t, uint32_t at)
{
    return t->blocks[at >> BLOCK_BITS].p + (at & (BLOCK_BYTES - 1));
}

static bool same_record(const uint8_t *p, const struct record *r)
{
    uint32_t head;
    memcpy(&head, p + NUMBER, sizeof head);
    return head == r->head && (r->n == 0 || memcmp(p + HEAD, r->p, r->n) == 0);
}

static skep_rc new_block(struct skep_counts *t, size_t need)
{
    size_t skip = t->n_blocks == 0, bytes = SKEP_MAX(skip + need, (size_t)BLOCK_BYTES);
    if (t->n_blocks == BLOCKS_MAX)
        return SKEP_ENOMEM;
    SKEP_TRY(skep_agg_mem_take(t->mem, bytes));
    SKEP_GROW(t->blocks, t->n_blocks, t->cap_blocks);
    t->blocks[t->n_blocks++] =
        (struct skep_counts__block){skep_malloc(bytes), (uint32_t)skip, (uint32_t)bytes};
    return SKEP_OK;
}

static skep_rc keep_record(struct skep_counts *t, const struct record *r, uint64_t n, uint32_t *ret)
{
    size_t need = HEAD + r->n;
    struct skep_counts__block *b = t->n_blocks > 0 ? &t->blocks[t->n_blocks - 1] : NULL;
    if (!b || need > b->bytes - b->used) {
        SKEP_TRY(new_block(t, need));
        b = &t->blocks[t->n_blocks - 1];
    }
    uint8_t *p = b->p + b->used;
    memcpy(p, &n, NUMBER);
    memcpy(p + NUMBER, &r->head, HEAD - NUMBER);
    if (r->n > 0)
        memcpy(p + HEAD, r->p, r->n);
    *ret = (t->n_blocks - 1) << BLOCK_BITS | b->used; /* a longer record fills its block */
    b->used += (uint32_t)need;
    return SKEP_OK;
}

/* --- the table --- */

static uint32_t home(const struct skep_counts *t, uint32_t tag)
{
    return (uint32_t)((uint64_t)tag * t->cap >> 32);
}

static skep_rc grow(struct skep_counts *t)
{
    struct skep_counts old = *t;
    uint64_t cap = old.cap == 0 ? CAP_FIRST : (uint64_t)old.cap * 2;
    if (cap > UINT32_MAX)
        return SKEP_ENOMEM;
    struct skep_counts__slot *slots = skep_agg_alloc(t->mem, cap * sizeof *slots);
    if (!slots)
        return SKEP_ENOMEM;
    t->slots = slots;
    t->cap = (uint32_t)cap;
    for (uint32_t k = 0; k < old.cap; k++) {
        if (old.slots[k].at == 0)
            continue;
        uint32_t i = home(t, old.slots[k].tag);
        while (slots[i].at != 0)
            i = i + 1 == t->cap ? 0 : i + 1;
        slots[i] = old.slots[k];
    }
    skep_agg_free(t->mem, old.slots, (size_t)old.cap * sizeof *old.slots);
    return SKEP_OK;
}

skep_rc skep_counts_add(struct skep_counts *t, const skep_value *v, uint64_t hash, uint64_t n)
{
    skep_assert(n > 0);
    if (((uint64_t)t->n + 1) * LOAD_OF > (uint64_t)t->cap * LOAD)
        SKEP_TRY(grow(t)); /* perhaps one value early */
    struct record r;
    record_of(v, &r);
    uint32_t tag = (uint32_t)hash, i = home(t, tag), at = 0;
    for (; t->slots[i].at != 0; i = i + 1 == t->cap ? 0 : i + 1) {
        uint64_t had;
        if (t->slots[i].tag != tag || !same_record(record_at(t, t->slots[i].at), &r))
            continue;
        uint8_t *p = record_at(t, t->slots[i].at);
        memcpy(&had, p, NUMBER);
        had = skep_agg__add_sat(had, n);
        memcpy(p, &had, NUMBER);
        return SKEP_OK;
    }
    SKEP_TRY(keep_record(t, &r, n, &at));
    t->slots[i] = (struct skep_counts__slot){tag, at};
    t->n++;
    return SKEP_OK;
}

void skep_counts_prefetch(const struct skep_counts *t, const uint64_t *hashes, unsigned n)
{
    if (t->cap == 0)
        return;
    for (unsigned i = 0; i < n; i++)
        SKEP_PREFETCH(&t->slots[home(t, (uint32_t)hashes[i])]);
    /* Of a free slot the first byte, without a branch: which slots are free nobody foresees. */
    for (unsigned i = 0; i < n && t->n > 0; i++)
        SKEP_PREFETCH(record_at(t, t->slots[home(t, (uint32_t)hashes[i])].at));
}

/* --- what there is --- */

/* Let the number at the top of a heap, the least on top, sink to its place. */
static void sink(uint64_t *h, size_t n, size_t at)
{
    for (;;) {
        size_t least = at, kid = 2 * at + 1;
        if (kid < n && h[kid] < h[least])
            least = kid;
        if (kid + 1 < n && h[kid + 1] < h[least])
            least = kid + 1;
        if (least == at)
            return;
        uint64_t x = h[at];
        h[at] = h[least];
        h[least] = x;
        at = least;
    }
}

skep_rc skep_counts_least(struct skep_counts *t, size_t k, uint64_t *ret)
{
    *ret = 0;
    if (t->n <= k)
        return SKEP_OK;
    uint64_t *most = skep_agg_alloc(t->mem, k * sizeof *most); /* zeros are a heap */
    if (!most)
        return SKEP_ENOMEM;
    struct skep_counts_it it = {0};
    for (uint64_t n; skep_counts_next(t, &it, NULL, &n);) {
        if (n <= most[0])
            continue;
        most[0] = n;
        sink(most, k, 0);
    }
    *ret = most[0];
    skep_agg_free(t->mem, most, k * sizeof *most);
    return SKEP_OK;
}

static void read_value(const uint8_t *p, uint32_t head, skep_value *ret)
{
    *ret = (skep_value){.type = (enum skep_type)(head & ((1u << TYPE_BITS) - 1))};
    switch (ret->type) {
    case SKEP_TYPE_INT: memcpy(&ret->i, p, sizeof ret->i); break;
    case SKEP_TYPE_DOUBLE: memcpy(&ret->f, p, sizeof ret->f); break;
    case SKEP_TYPE_BOOL: ret->b = p[0] != 0; break;
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: ret->s = (skep_str){(const char *)p, head >> TYPE_BITS}; break;
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: break;
    }
}

bool skep_counts_next(const struct skep_counts *t, struct skep_counts_it *it, skep_value *ret,
                      uint64_t *ret_n)
{
    if (it->block == 0 && it->at == 0)
        it->at = 1; /* I3 */
    while (it->block < t->n_blocks && it->at >= t->blocks[it->block].used)
        *it = (struct skep_counts_it){it->block + 1, 0};
    if (it->block >= t->n_blocks)
        return false;
    const uint8_t *p = t->blocks[it->block].p + it->at;
    uint32_t head;
    memcpy(ret_n, p, NUMBER);
    memcpy(&head, p + NUMBER, sizeof head);
    if (ret)
        read_value(p + HEAD, head, ret);
    it->at += HEAD + (head >> TYPE_BITS);
    return true;
}
