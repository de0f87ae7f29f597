// SPDX-License-Identifier: Apache-2.0
/* ROWS with kept rows: which rows of a row group pass the filter, known from the last time.
 *
 *   row group   blocks 0 .... 7 8 ............ 63         a bit each
 *   known       ........#################.......          all of their rows that pass are listed:
 *   hits        (time, row id, place) (time, row id, place)
 *
 * A question for the newest rows looks into row groups from the end of time on until it has enough
 * of them.  Where few rows pass it looks at a million for twenty; the next time it asks, the list
 * of each row group says at once which those are, and no column is read.  The blocks it did not
 * come to are not known; another question with the same filter, of whatever range, order and
 * columns, adds what it looks at.
 *
 * Row groups where many rows pass are not kept: there a question ends soon.
 *
 * I1  a block is known when all of its living rows were asked: none was left out by the range.
 * I2  what a key says decides the list: the filter, the row group, the version of its living rows.
 *
 * Threads: a context belongs to one thread; what is kept is never changed, but replaced.
 * Memory: 40 bytes a hit in the cache of partial answers, at most MOST a row group. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

enum {
    MOST = 128,         /* hits of a row group */
    FILTER_BYTES = 2048 /* as written (canon.c): it stands in each entry's key */
};

struct kept { /* an entry's bytes */
    uint64_t known;
    uint32_t n;
    bool ruled_out; /* without having been looked at */
    struct skep_x_hit hits[];
};

struct skep_x_known {
    const struct skep_partials_entry *entry; /* held; NULL = nothing is known */
    bool able;                               /* it may be kept */
    uint64_t rowset, live, fresh;            /* fresh: blocks that were looked at */
    unsigned n;                              /* their hits */
    struct skep_x_hit hits[MOST];
    struct skep_buf key;
};

void skep_x__known_plan(struct skep_x_query *q)
{
    struct skep_buf *b = &q->filter_key;
    skep_buf_init(b, FILTER_BYTES);
    q->knows = q->partials && q->filter && q->n_rels == 0 && skep_partials_filter(q->plan, b);
}

static void let_go(struct skep_x_ctx *c)
{
    if (c->known->entry)
        skep_partials_let_go(c->q->partials, c->known->entry);
    c->known->entry = NULL;
    c->known->able = false;
}

void skep_x__known_done(struct skep_x_ctx *c)
{
    if (!c->known)
        return;
    let_go(c);
    skep_buf_done(&c->known->key);
    skep_free(c->known);
    c->known = NULL;
}

static const struct kept *kept_of(const struct skep_x_known *k)
{
    return k && k->entry ? (const struct kept *)(const void *)k->entry->bytes.p : NULL;
}

static struct skep_partials_key key_of(const struct skep_x_known *k)
{
    return (struct skep_partials_key){k->rowset, k->live, skep_buf_bytes(&k->key)};
}

static struct skep_x_known *make(const struct skep_x_query *q)
{
    struct skep_x_known *k = skep_alloc(struct skep_x_known);
    skep_buf_init(&k->key, FILTER_BYTES + 16);
    skep_buf_put(&k->key, q->filter_key.p, q->filter_key.n);
    return k;
}

void skep_x__known_enter(struct skep_x_ctx *c, const struct skep_x_morsel *m,
                         const struct skep_x_hit **ret, unsigned *ret_n)
{
    const struct skep_x_query *q = c->q;
    const struct skep_snapshot_set *set = &q->snap->sets[m->set];
    uint64_t group = m->block / SKEP_X_MORSEL_BLOCKS;
    *ret = NULL;
    *ret_n = 0;
    if (!q->knows)
        return;
    if (!c->known)
        c->known = make(q);
    let_go(c);
    struct skep_x_known *k = c->known;
    k->able = set->rowset->serial != 0;
    if (!k->able)
        return;
    k->fresh = k->n = 0;
    k->rowset = set->rowset->serial;
    k->live = set->live && set->live->chunks[group] ? set->live->version : 0;
    k->key.n = q->filter_key.n;
    skep_buf_u32(&k->key, (uint32_t)group);
    struct skep_partials_key key = key_of(k);
    k->entry = skep_partials_get(q->partials, &key);
    const struct kept *kept = kept_of(k);
    if (kept) {
        *ret = kept->hits;
        *ret_n = kept->n;
    }
}

bool skep_x__known(const struct skep_x_ctx *c, uint64_t block, bool *ret_ruled_out)
{
    const struct kept *kept = kept_of(c->known);
    *ret_ruled_out = kept && kept->ruled_out;
    return kept && (kept->known >> block % SKEP_X_MORSEL_BLOCKS & 1);
}

/* I1. */
static bool whole(const struct skep_x_ctx *c)
{
    const struct skep_block_bounds *b = &c->rs->blocks[c->block];
    const struct skep_time_range *t = &c->q->plan->range;
    return b->min_start_ns >= t->start_ns && b->max_start_ns < t->end_ns;
}

bool skep_x__known_wants(struct skep_x_ctx *c, unsigned n)
{
    struct skep_x_known *k = c->known;
    if (!k || !k->able || !whole(c))
        return false;
    const struct kept *kept = kept_of(k);
    k->able = k->n + n + (kept ? kept->n : 0) <= MOST;
    if (k->able)
        k->fresh |= UINT64_C(1) << c->block % SKEP_X_MORSEL_BLOCKS;
    return k->able;
}

void skep_x__known_add(struct skep_x_ctx *c, const struct skep_x_hit *h)
{
    struct skep_x_known *k = c->known;
    skep_assert(k->able && k->n < MOST);
    k->hits[k->n] = *h;
    k->hits[k->n++].set = 0;
}

static void put(struct skep_x_ctx *c, bool ruled_out)
{
    struct skep_x_known *k = c->known;
    const struct kept *old = kept_of(k);
    unsigned n_old = old ? old->n : 0, n = n_old + k->n;
    size_t bytes = sizeof(struct kept) + n * sizeof(struct skep_x_hit);
    struct kept *all = skep_calloc(1, bytes);
    all->known = k->fresh | (old ? old->known : 0);
    all->ruled_out = ruled_out;
    all->n = n;
    if (n_old > 0)
        memcpy(all->hits, old->hits, n_old * sizeof *all->hits);
    if (k->n > 0)
        memcpy(all->hits + n_old, k->hits, k->n * sizeof *all->hits);
    struct skep_partials_key key = key_of(k);
    skep_partials_put_bytes(c->q->partials, &key, (skep_bytes){(const uint8_t *)all, bytes});
    skep_free(all);
}

void skep_x__known_leave(struct skep_x_ctx *c)
{
    if (!c->known)
        return;
    if (c->known->able && c->known->fresh)
        put(c, false);
    let_go(c);
}

void skep_x__known_none(struct skep_x_ctx *c, const struct skep_x_morsel *m)
{
    if (!c->known)
        return;
    struct skep_x_known *k = c->known;
    for (uint64_t b = m->block; b < m->end; b++)
        k->fresh |= UINT64_C(1) << b % SKEP_X_MORSEL_BLOCKS;
    if (k->able)
        put(c, true);
    let_go(c);
}
