// SPDX-License-Identifier: Apache-2.0
/* Which rows of a row group pass the plan's filter, known from the last time.
 *
 *   row group   blocks 0 .... 7 8 ............ 63         a bit each
 *   known       ........#################.......          all of their rows that pass are listed:
 *   named       ............########............          with time and id
 *   hits        (time, row id, place) (time, row id, place)
 *
 * A question for the newest rows looks into row groups from the end of time on until it has enough
 * of them.  Where few rows pass it looks at a million for twenty; the next time it asks, the list
 * of each row group says at once which those are, and no column is read.  The blocks it did not
 * come to are not known; another question with the same filter, of whatever range, order and
 * columns, adds what it looks at.  Aggregates find and list rows in the same way, without names:
 * of whoever counts what passes by one field after another only the first reads the filter's
 * columns.
 *
 * Row groups where many rows pass are not kept: there a question for rows ends soon, and a count
 * has more to do than to find them.
 *
 * I1  a block is known when all of its living rows were asked: none was left out before.
 * I2  what a key says decides the list: the filter, the row group, the version of its living rows.
 *     Relatives stand elsewhere: of a plan with relations nothing is kept.
 *
 * Threads: a context belongs to one thread; what is kept is never changed, but replaced.
 * Memory: 24 bytes a hit in the cache of partial answers, at most MOST a row group. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

enum {
    MOST = 64,          /* hits of a row group */
    FILTER_BYTES = 2048 /* as written (canon.c): it stands in each entry's key */
};

struct hit {
    skep_ts_ns time_ns;
    uint64_t seq;
    uint32_t ordinal;
    uint32_t row; /* of the row group */
};

struct kept { /* an entry's bytes */
    uint64_t known, named;
    uint64_t ruled_out; /* of the known ones: those that needed no look, and have no hit */
    uint32_t n;
    struct hit hits[];
};

struct skep_x_known {
    const struct skep_partials_entry *entry; /* held; NULL = nothing is known */
    bool able;                               /* it may be kept */
    bool wants;                              /* the names of the current block's rows */
    uint64_t rowset, live, fresh;            /* fresh: blocks that were looked at */
    unsigned n;                              /* their hits */
    struct hit hits[MOST];
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
    c->known->able = c->known->wants = false;
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
    return k->entry ? (const struct kept *)(const void *)k->entry->bytes.p : NULL;
}

static const struct kept *kept_now(const struct skep_x_ctx *c)
{
    return c->known ? kept_of(c->known) : NULL;
}

static struct skep_partials_key key_of(const struct skep_x_known *k)
{
    return (struct skep_partials_key){k->rowset, k->live, skep_buf_bytes(&k->key)};
}

static uint64_t bit_of(uint64_t block)
{
    return UINT64_C(1) << block % SKEP_X_MORSEL_BLOCKS;
}

static struct skep_x_known *make(const struct skep_x_query *q)
{
    struct skep_x_known *k = skep_alloc(struct skep_x_known);
    skep_buf_init(&k->key, FILTER_BYTES + 16);
    skep_buf_put(&k->key, q->filter_key.p, q->filter_key.n);
    return k;
}

void skep_x__known_enter(struct skep_x_ctx *c, const struct skep_x_morsel *m)
{
    const struct skep_x_query *q = c->q;
    const struct skep_snapshot_set *set = &q->snap->sets[m->set];
    uint64_t group = m->block / SKEP_X_MORSEL_BLOCKS;
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
}

bool skep_x__known_named(const struct skep_x_ctx *c, uint64_t block)
{
    const struct kept *kept = kept_now(c);
    return kept && (kept->named & bit_of(block));
}

bool skep_x__known_hit(const struct skep_x_ctx *c, const struct skep_x_morsel *m, unsigned *at,
                       struct skep_x_hit *ret)
{
    const struct kept *kept = kept_now(c);
    uint64_t row0 = m->block / SKEP_X_MORSEL_BLOCKS * SKEP_ROW_GROUP_ROWS;
    while (kept && *at < kept->n) {
        const struct hit *h = &kept->hits[(*at)++];
        uint64_t block = (row0 + h->row) / SKEP_BLOCK_ROWS;
        if (block < m->block || block >= m->end || !(kept->named & bit_of(block)))
            continue;
        *ret = (struct skep_x_hit){
            .time_ns = h->time_ns, .id = {h->seq, h->ordinal}, .set = m->set, .row = row0 + h->row};
        return true;
    }
    return false;
}

bool skep_x__known_ruled_out(const struct skep_x_ctx *c, const struct skep_x_morsel *m)
{
    const struct kept *kept = kept_now(c);
    for (uint64_t b = m->block; b < m->end; b++)
        if (!kept || !(kept->ruled_out & bit_of(b)))
            return false;
    return true;
}

/* I1. */
static bool all_asked(const struct skep_x_ctx *c, const struct skep_x_bits *asked)
{
    struct skep_x_bits live;
    skep_x__live(c, &live);
    return skep_x__same(&live, asked);
}

bool skep_x__known_narrow(struct skep_x_ctx *c, struct skep_x_bits *bits)
{
    const struct kept *kept = kept_now(c);
    if (!kept || !(kept->known & bit_of(c->block)))
        return false;
    struct skep_x_known *k = c->known;
    struct skep_x_bits pass = {{0}};
    for (unsigned i = 0; i < kept->n; i++) {
        uint32_t row = kept->hits[i].row % SKEP_BLOCK_ROWS;
        if (kept->hits[i].row / SKEP_BLOCK_ROWS == c->block % SKEP_X_MORSEL_BLOCKS)
            pass.w[row / 64] |= 1ull << row % 64;
    }
    k->wants = c->q->plan->kind == SKEP_PLAN_ROWS && k->able && all_asked(c, bits) &&
               k->n + skep_x__count(&pass) <= MOST;
    k->fresh |= k->wants ? bit_of(c->block) : 0;
    skep_x__and(bits, &pass);
    return true;
}

void skep_x__known_note(struct skep_x_ctx *c, const struct skep_x_bits *asked,
                        const struct skep_x_bits *passed)
{
    struct skep_x_known *k = c->known;
    if (!k)
        return;
    k->wants = false;
    if (!k->able || (k->fresh & bit_of(c->block)) || !all_asked(c, asked))
        return;
    k->able = k->n + skep_x__count(passed) <= MOST;
    if (!k->able)
        return;
    k->fresh |= bit_of(c->block);
    k->wants = c->q->plan->kind == SKEP_PLAN_ROWS;
    for (unsigned w = 0; w < SKEP_X_WORDS && !k->wants; w++)
        for (uint64_t left = passed->w[w]; left; left &= left - 1)
            k->hits[k->n++] = (struct hit){.row = (uint32_t)(c->row0 % SKEP_ROW_GROUP_ROWS) +
                                                  w * 64 + (unsigned)SKEP_CTZ64(left)};
}

bool skep_x__known_wants(const struct skep_x_ctx *c)
{
    return c->known && c->known->wants;
}

void skep_x__known_add(struct skep_x_ctx *c, const struct skep_x_hit *h)
{
    struct skep_x_known *k = c->known;
    skep_assert(k->wants && k->n < MOST);
    k->hits[k->n++] = (struct hit){.time_ns = h->time_ns,
                                   .seq = h->id.seq,
                                   .ordinal = h->id.ordinal,
                                   .row = (uint32_t)(h->row % SKEP_ROW_GROUP_ROWS)};
}

/* What was known of other blocks than the fresh ones. */
static void put_old(const struct skep_x_known *k, const struct kept *old, struct kept *all)
{
    all->known |= old->known;
    all->named |= old->named & ~k->fresh;
    all->ruled_out |= old->ruled_out;
    for (uint32_t i = 0; i < old->n; i++)
        if (!(k->fresh & bit_of(old->hits[i].row / SKEP_BLOCK_ROWS)))
            all->hits[all->n++] = old->hits[i];
}

/* It, and what is fresh; in any order. */
static void put(struct skep_x_ctx *c, bool ruled_out)
{
    struct skep_x_known *k = c->known;
    const struct kept *old = kept_of(k);
    size_t most = k->n + (old ? old->n : 0);
    struct kept *all = skep_calloc(1, sizeof *all + most * sizeof *all->hits);
    all->known = k->fresh;
    all->named = ruled_out || c->q->plan->kind == SKEP_PLAN_ROWS ? k->fresh : 0;
    all->ruled_out = ruled_out ? k->fresh : 0;
    if (old)
        put_old(k, old, all);
    if (k->n > 0)
        memcpy(all->hits + all->n, k->hits, k->n * sizeof *all->hits);
    all->n += k->n;
    struct skep_partials_key key = key_of(k);
    skep_bytes bytes = {(const uint8_t *)all, sizeof *all + all->n * sizeof *all->hits};
    if (all->n <= MOST)
        skep_partials_put_bytes(c->q->partials, &key, bytes);
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
    for (uint64_t b = m->block; b < m->end; b++)
        c->known->fresh |= bit_of(b);
    if (c->known->able)
        put(c, true);
    let_go(c);
}
