// SPDX-License-Identifier: Apache-2.0
/* Interners of group keys: typed values -> ids, and pairs of ids -> ids.
 *
 * A tuple of n keys is folded from the left into pairs: ((k0, k1), k2) ...  Each level is one
 * skep_pairs, and so is the last step from (tuple, time bucket) to the cell.  As long as the
 * product of the two sides is small a pair is found by one read of a two-dimensional array, else in
 * a hash table.
 *
 *   lut[a * stride + b] = id + 1, 0 = not seen
 *
 * I1  ids are dense and numbered by first appearance: left[id], right[id] give the pair back.
 * I2  after `frozen` is set no id is made: what is not known gets SKEP_ID_NONE.  So does what lies
 *     in another shard than those of `only`.
 * I3  a packed one is only read by id.
 *
 * Threads: one at a time.  Memory: all from the partial's skep_agg_mem. */
#include "agg/agg_priv.h"

#include "base/assert.h"
#include "base/mem.h"

#include <math.h>

enum {
    LUT_LIMIT = 1 << 20, /* entries: 4 MiB, */
    LUT_SPARSE = 4,      /* or so many a pair: no more than hashing takes */
    BLOCK_BYTES = 4096,  /* of text, at least; a quarter of what there is, */
    BLOCK_MAX = 1 << 20, /* at most this */
    PREFETCH_MIN = 4096, /* keys: less stand in the caches */
    INDEX_BYTES = 16     /* of a hash table for each entry, at load 1/2 */
};

void skep_pairs_init(struct skep_pairs *p, struct skep_agg_mem *mem)
{
    *p = (struct skep_pairs){.mem = mem, .max = UINT32_MAX - 1};
    skep_index_init(&p->index, 0);
}

static uint64_t lut_bytes(const struct skep_pairs *p)
{
    return (uint64_t)p->lut_rows * p->stride * sizeof *p->lut;
}

void skep_pairs_done(struct skep_pairs *p)
{
    if (!p->mem)
        return;
    skep_agg_free(p->mem, p->lut, lut_bytes(p));
    skep_agg_free(p->mem, p->left, (size_t)p->cap * sizeof *p->left);
    skep_agg_free(p->mem, p->right, (size_t)p->cap * sizeof *p->right);
    skep_index_done(&p->index);
    if (p->hashed)
        skep_agg_mem_give(p->mem, (uint64_t)p->cap * INDEX_BYTES);
    *p = (struct skep_pairs){0};
}

void skep_pairs_pack(struct skep_pairs *p)
{
    size_t old = (size_t)p->cap * sizeof(uint32_t), bytes = (size_t)p->n * sizeof(uint32_t);
    skep_agg_free(p->mem, p->lut, lut_bytes(p));
    p->lut = NULL;
    p->lut_rows = p->stride = 0;
    skep_index_done(&p->index);
    if (p->hashed)
        skep_agg_mem_give(p->mem, (uint64_t)p->cap * INDEX_BYTES);
    p->hashed = false;
    if (p->n == 0)
        return;
    p->left = skep_agg_shrink(p->mem, p->left, old, bytes);
    p->right = skep_agg_shrink(p->mem, p->right, old, bytes);
    p->cap = p->n;
}

uint64_t skep_pairs_loose(const struct skep_pairs *p)
{
    return lut_bytes(p) + (p->hashed ? (uint64_t)p->cap * INDEX_BYTES : 0) +
           (uint64_t)(p->cap - p->n) * 2 * sizeof(uint32_t);
}

static uint64_t pair_hash(uint32_t a, uint32_t b)
{
    return skep_hash_u64(((uint64_t)a << 32) | b);
}

static uint32_t pow2_above(uint32_t x)
{
    uint32_t n = 1;
    while (n <= x && n < (1u << 30))
        n *= 2;
    return n;
}

static skep_rc to_hash(struct skep_pairs *p)
{
    SKEP_TRY(skep_agg_mem_take(p->mem, (uint64_t)p->cap * INDEX_BYTES));
    p->hashed = true;
    for (uint32_t i = 0; i < p->n; i++)
        skep_index_add(&p->index, pair_hash(p->left[i], p->right[i]), i);
    skep_agg_free(p->mem, p->lut, lut_bytes(p));
    p->lut = NULL;
    p->lut_rows = 0;
    p->stride = 0;
    return SKEP_OK;
}

/* Make the array hold (a, b), or go over to hashing. */
static skep_rc widen(struct skep_pairs *p, uint32_t a, uint32_t b)
{
    uint32_t stride = SKEP_MAX(p->stride, b < p->stride ? p->stride : pow2_above(b));
    uint32_t rows = SKEP_MAX(p->lut_rows, a < p->lut_rows ? p->lut_rows : pow2_above(a));
    if ((uint64_t)stride * rows > SKEP_MAX((uint64_t)LUT_LIMIT, (uint64_t)p->n * LUT_SPARSE))
        return to_hash(p);
    uint32_t *lut = skep_agg_alloc(p->mem, (size_t)stride * rows * sizeof *lut);
    if (!lut)
        return SKEP_ENOMEM;
    for (uint32_t i = 0; i < p->n; i++)
        lut[p->left[i] * stride + p->right[i]] = i + 1;
    skep_agg_free(p->mem, p->lut, lut_bytes(p));
    p->lut = lut;
    p->stride = stride;
    p->lut_rows = rows;
    return SKEP_OK;
}

uint32_t skep_pairs_find(const struct skep_pairs *p, uint32_t a, uint32_t b)
{
    if (!p->hashed) {
        if (a >= p->lut_rows || b >= p->stride)
            return SKEP_ID_NONE;
        return p->lut[a * p->stride + b] - 1; /* 0 wraps to SKEP_ID_NONE */
    }
    struct skep_index_it it = skep_index_begin(&p->index, pair_hash(a, b));
    uint32_t i;
    while ((i = skep_index_next(&p->index, &it)) != SKEP_INDEX_NONE)
        if (p->left[i] == a && p->right[i] == b)
            return i;
    return SKEP_ID_NONE;
}

static skep_rc grow_pairs(struct skep_pairs *p)
{
    uint32_t cap = skep_agg__more(p->cap);
    size_t old_bytes = (size_t)p->cap * sizeof(uint32_t), bytes = (size_t)cap * sizeof(uint32_t);
    if (p->hashed)
        SKEP_TRY(skep_agg_mem_take(p->mem, (uint64_t)(cap - p->cap) * INDEX_BYTES));
    uint32_t *left = skep_agg_realloc(p->mem, p->left, old_bytes, bytes);
    if (left)
        p->left = left;
    uint32_t *right = left ? skep_agg_realloc(p->mem, p->right, old_bytes, bytes) : NULL;
    if (right)
        p->right = right;
    if (left && !right) /* keep both sides of the same length for skep_pairs_done */
        skep_agg_mem_give(p->mem, bytes - old_bytes);
    if (!right) {
        if (p->hashed)
            skep_agg_mem_give(p->mem, (uint64_t)(cap - p->cap) * INDEX_BYTES);
        return SKEP_ENOMEM;
    }
    p->cap = cap;
    return SKEP_OK;
}

skep_rc skep_pairs_get(struct skep_pairs *p, uint32_t a, uint32_t b, uint32_t *ret)
{
    if (a == SKEP_ID_NONE || b == SKEP_ID_NONE) {
        *ret = SKEP_ID_NONE;
        return SKEP_OK;
    }
    *ret = skep_pairs_find(p, a, b);
    if (*ret != SKEP_ID_NONE || p->frozen)
        return SKEP_OK;
    if (p->n >= p->max)
        return SKEP_ELIMIT;
    if (p->n == p->cap)
        SKEP_TRY(grow_pairs(p));
    if (!p->hashed && (a >= p->lut_rows || b >= p->stride))
        SKEP_TRY(widen(p, a, b));
    uint32_t id = p->n++;
    p->left[id] = a;
    p->right[id] = b;
    if (p->hashed)
        skep_index_add(&p->index, pair_hash(a, b), id);
    else
        p->lut[a * p->stride + b] = id + 1;
    *ret = id;
    return SKEP_OK;
}

/* The loop of skep_pairs_map; the three flags are constants where it is inlined.  ret may be a or
 * b, so their constant values are taken first. */
SKEP_INLINE skep_rc map_rows(struct skep_pairs *p, struct skep_sel sel, const struct skep_ids *a,
                             const struct skep_ids *b, struct skep_ids *ret, bool a_constant,
                             bool b_constant, bool dense)
{
    uint32_t va = a->value, vb = b->value;
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = dense ? i : sel.rows[i];
        uint32_t x = a_constant ? va : a->v[r], y = b_constant ? vb : b->v[r];
        uint32_t id = 0;
        if (SKEP_LIKELY(x < p->lut_rows && y < p->stride))
            id = p->lut[x * p->stride + y];
        if (SKEP_UNLIKELY(id == 0)) {
            SKEP_TRY(skep_pairs_get(p, x, y, &id));
            id++; /* SKEP_ID_NONE wraps to 0 and back */
        }
        ret->v[r] = id - 1;
    }
    return SKEP_OK;
}

skep_rc skep_pairs_map(struct skep_pairs *p, struct skep_sel sel, const struct skep_ids *a,
                       const struct skep_ids *b, struct skep_ids *ret)
{
    skep_assert(sel.n <= SKEP_IDS_ROWS);
    if (sel.n == 0)
        return SKEP_OK;
    if (a->constant && b->constant) {
        ret->constant = true;
        return skep_pairs_get(p, a->value, b->value, &ret->value);
    }
    bool a_constant = a->constant, b_constant = b->constant; /* ret may be one of them */
    ret->constant = false;
    if (a_constant)
        return sel.rows ? map_rows(p, sel, a, b, ret, true, false, false)
                        : map_rows(p, sel, a, b, ret, true, false, true);
    if (b_constant)
        return sel.rows ? map_rows(p, sel, a, b, ret, false, true, false)
                        : map_rows(p, sel, a, b, ret, false, true, true);
    return sel.rows ? map_rows(p, sel, a, b, ret, false, false, false)
                    : map_rows(p, sel, a, b, ret, false, false, true);
}

void skep_keys_init(struct skep_keys *k, struct skep_agg_mem *mem)
{
    *k = (struct skep_keys){.mem = mem};
    skep_index_init(&k->index, 0);
}

void skep_keys_done(struct skep_keys *k)
{
    if (!k->mem)
        return;
    for (uint32_t i = 0; i < k->n_blocks; i++)
        skep_free(k->blocks[i]);
    skep_free(k->blocks);
    skep_agg_mem_give(k->mem, k->blocks_bytes);
    skep_agg_free(k->mem, k->values, (size_t)k->cap * sizeof *k->values);
    skep_agg_free(k->mem, k->hashes, (size_t)k->cap * sizeof *k->hashes);
    if (!k->packed)
        skep_agg_mem_give(k->mem, (uint64_t)k->cap * INDEX_BYTES);
    skep_index_done(&k->index);
    *k = (struct skep_keys){0};
}

static bool same_value(const skep_value *a, const skep_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case SKEP_TYPE_INT: return a->i == b->i;
    case SKEP_TYPE_DOUBLE: return a->f == b->f || (isnan(a->f) && isnan(b->f));
    case SKEP_TYPE_BOOL: return a->b == b->b;
    case SKEP_TYPE_STRING:
    case SKEP_TYPE_BYTES:
    case SKEP_TYPE_ARRAY: return skep_str_eq(a->s, b->s);
    case SKEP_TYPE_NULL:
    case SKEP_TYPE_EMPTY:
    case SKEP_TYPE_COUNT:
    default: return true;
    }
}

static bool text_type(enum skep_type t)
{
    return t == SKEP_TYPE_STRING || t == SKEP_TYPE_BYTES || t == SKEP_TYPE_ARRAY;
}

static uint64_t text_bytes(const struct skep_keys *k)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < k->n; i++)
        n += text_type(k->values[i].type) ? k->values[i].s.n : 0;
    return n;
}

/* All texts into one block of their size, if there is memory for both. */
static void pack_texts(struct skep_keys *k)
{
    uint64_t n = text_bytes(k);
    uint8_t *block = n > 0 && n < k->blocks_bytes ? skep_agg_alloc(k->mem, n) : NULL, *at = block;
    if (!block)
        return;
    for (uint32_t i = 0; i < k->n; i++) {
        skep_value *v = &k->values[i];
        if (!text_type(v->type) || v->s.n == 0)
            continue;
        memcpy(at, v->s.p, v->s.n);
        v->s.p = (const char *)at;
        at += v->s.n;
    }
    for (uint32_t i = 0; i < k->n_blocks; i++)
        skep_free(k->blocks[i]);
    skep_agg_mem_give(k->mem, k->blocks_bytes);
    k->blocks[0] = block;
    k->n_blocks = 1;
    k->blocks_bytes = k->block_used = k->block_cap = n;
}

void skep_keys_pack(struct skep_keys *k)
{
    size_t old = k->cap, n = k->n;
    if (n == 0 || k->packed)
        return;
    pack_texts(k);
    skep_index_done(&k->index);
    skep_agg_mem_give(k->mem, old * INDEX_BYTES);
    k->values = skep_agg_shrink(k->mem, k->values, old * sizeof *k->values, n * sizeof *k->values);
    k->hashes = skep_agg_shrink(k->mem, k->hashes, old * sizeof *k->hashes, n * sizeof *k->hashes);
    k->cap = k->n;
    k->packed = true;
}

uint64_t skep_keys_loose(const struct skep_keys *k)
{
    return (uint64_t)k->cap * INDEX_BYTES +
           (uint64_t)(k->cap - k->n) * (sizeof *k->values + sizeof *k->hashes) + k->blocks_bytes -
           text_bytes(k);
}

/* Copy a key's text into the blocks; p stays NULL over budget. */
static skep_str keep_text(struct skep_keys *k, skep_str s)
{
    if (s.n == 0)
        return SKEP_STR("");
    if (k->n_blocks == 0 || s.n > k->block_cap - k->block_used) {
        size_t cap = SKEP_MIN(SKEP_MAX(k->blocks_bytes / 4, (uint64_t)BLOCK_BYTES), BLOCK_MAX);
        cap = SKEP_MAX(cap, s.n);
        if (skep_agg_mem_take(k->mem, cap) != SKEP_OK)
            return SKEP_STR_NULL;
        SKEP_GROW(k->blocks, k->n_blocks, k->cap_blocks);
        k->blocks[k->n_blocks++] = skep_malloc(cap);
        k->blocks_bytes += cap;
        k->block_cap = cap;
        k->block_used = 0;
    }
    uint8_t *p = k->blocks[k->n_blocks - 1] + k->block_used;
    memcpy(p, s.p, s.n);
    k->block_used += s.n;
    return (skep_str){(const char *)p, s.n};
}

static skep_rc grow_keys(struct skep_keys *k)
{
    uint32_t cap = skep_agg__more(k->cap);
    uint64_t index_bytes = (uint64_t)(cap - k->cap) * INDEX_BYTES;
    SKEP_TRY(skep_agg_mem_take(k->mem, index_bytes));
    uint64_t *hashes = skep_agg_realloc(k->mem, k->hashes, (size_t)k->cap * sizeof *hashes,
                                        (size_t)cap * sizeof *hashes);
    if (hashes)
        k->hashes = hashes;
    skep_value *values = hashes
                             ? skep_agg_realloc(k->mem, k->values, (size_t)k->cap * sizeof *values,
                                                (size_t)cap * sizeof *values)
                             : NULL;
    if (!values) {
        skep_agg_mem_give(k->mem, index_bytes);
        if (hashes)
            skep_agg_mem_give(k->mem, (size_t)(cap - k->cap) * sizeof *hashes);
        return SKEP_ENOMEM;
    }
    k->values = values;
    k->cap = cap;
    return SKEP_OK;
}

void skep_keys_prefetch(const struct skep_keys *k, const uint64_t *hashes, unsigned n)
{
    if (k->n < PREFETCH_MIN)
        return;
    for (unsigned i = 0; i < n; i++)
        skep_index_prefetch(&k->index, hashes[i]);
    for (unsigned i = 0; i < n; i++) {
        uint32_t at = skep_index_peek(&k->index, hashes[i]);
        if (at < k->n) {
            SKEP_PREFETCH(&k->hashes[at]);
            SKEP_PREFETCH(&k->values[at]);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        uint32_t at = skep_index_peek(&k->index, hashes[i]);
        if (at < k->n && k->hashes[at] == hashes[i] && text_type(k->values[at].type))
            SKEP_PREFETCH(k->values[at].s.p);
    }
}

skep_rc skep_keys_get(struct skep_keys *k, const skep_value *v, uint64_t hash, uint32_t *ret)
{
    if (k->n == 0) { /* id 0: absent */
        SKEP_TRY(grow_keys(k));
        k->n = 1;
    }
    if (v->type == SKEP_TYPE_NULL) {
        *ret = 0;
        return SKEP_OK;
    }
    if (k->only && !(k->only >> skep_agg_shard(hash) & 1)) {
        *ret = SKEP_ID_NONE;
        return SKEP_OK;
    }
    struct skep_index_it it = skep_index_begin(&k->index, hash);
    uint32_t i;
    while ((i = skep_index_next(&k->index, &it)) != SKEP_INDEX_NONE) {
        if (k->hashes[i] == hash && same_value(&k->values[i], v)) {
            *ret = i;
            return SKEP_OK;
        }
    }
    if (k->frozen) {
        *ret = SKEP_ID_NONE;
        return SKEP_OK;
    }
    if (k->n == k->cap)
        SKEP_TRY(grow_keys(k));
    skep_value copy = *v;
    if (text_type(v->type)) {
        copy.s = keep_text(k, v->s);
        if (!copy.s.p)
            return SKEP_ENOMEM;
    } else if (v->type == SKEP_TYPE_DOUBLE) {
        copy.f += 0.0;
        if (isnan(copy.f))
            copy.f = (double)NAN;
    }
    k->values[k->n] = copy;
    k->hashes[k->n] = hash;
    skep_index_add(&k->index, hash, k->n);
    *ret = k->n++;
    return SKEP_OK;
}
