// SPDX-License-Identifier: Apache-2.0
/* AGGREGATE with kept partials: what is kept of the work that was done.
 *
 *   begin      which row groups make a piece of which the partial may be kept, and is it there?
 *              (pieces.c)
 *   hand over  when a worker goes on to another piece, its partial of the one before is packed and
 *              put aside, so that it holds rows of one piece alone (where that can be kept)
 *   finish     the partials of each piece become one; it is kept, and added to the answer
 *   spill      a partial that grows large, packed too, is added to the common tables (shards.c)
 *              and made anew; then nothing is kept
 *
 * I1  With and without the cache the answer has the same bits: a partial is a function of its rows
 *     (agg/agg.h), and merging adds.
 * I2  Nothing is kept of a run in which something could not be read.
 *
 * Threads: begin and finish run on the calling thread; what workers put aside is under `mu`. */
#include "store/column/exec/keep.h"
#include "base/assert.h"
#include "base/mem.h"

enum {
    /* A worker's partial of more, or of more than a share of the budget, is added to the common
     * tables: of a million groups each worker would else have its own.  Where its groups come again
     * and again it may be larger. */
    SPILL_BYTES = 8 << 20,
    SPILL_SHARE = 16,
    SPILL_BYTES_REUSED = 64 << 20,
    SPILL_SHARE_REUSED = 6,
    REUSE = 2,          /* look-ups for each group */
    KEEP_MOST = 2,      /* a question's partials together: so many of the largest */
    MANY_VALUES = 4096, /* fewer stand in the caches, whatever table they are in */
    GROUP_BYTES = 96    /* of a partial for each group with one short text and a count, about */
};

static void put_aside(struct skep_x_ctx *c)
{
    struct skep_x_aside *a = skep_alloc(struct skep_x_aside);
    struct skep_x_piece *p = &c->q->keep->pieces[c->partial_piece];
    if (p->able)
        skep_partial_pack(c->partial);
    *a = (struct skep_x_aside){c->partial, c->rows_examined - c->partial_rows, p->asides};
    p->asides = a;
    c->partial_rows = c->rows_examined;
    c->partial = NULL;
}

/* Nothing is kept of this question any more. */
static void keep_none(struct skep_x_query *q)
{
    struct skep_x_keep *k = q->keep;
    skep_assert_held(&k->mu);
    for (uint32_t i = 0; i < k->n; i++)
        k->pieces[i].able = false;
}

/* Is there room for the partials of all pieces, if one of so many rows (0: unknown) takes so many
 * bytes?  Of more rows they take more, but each other piece as much at most.  Those that push each
 * other out are never found. */
static bool worth_keeping(const struct skep_x_query *q, uint64_t bytes, uint64_t rows)
{
    const struct skep_x_keep *k = q->keep;
    uint64_t most = skep_partials_largest(q->partials);
    double times = rows > 0 ? (double)k->rows_able / (double)rows : k->n_able;
    return bytes <= most && (double)bytes * SKEP_MIN(times, k->n_able) <= (double)most * KEEP_MOST;
}

void skep_x__keep_many(struct skep_x_ctx *c, uint32_t values)
{
    struct skep_x_query *q = c->q;
    struct skep_x_keep *k = q->keep;
    uint64_t bytes = SKEP_MAX(skep_partial_bytes(c->partial), (uint64_t)values * GROUP_BYTES);
    if (values < MANY_VALUES || !skep_x__shards_counted(q) || skep_x__shards_direct(q))
        return;
    skep_mutex_lock(&k->mu);
    if (!k->pieces[c->partial_piece].able || !worth_keeping(q, bytes, 0)) {
        keep_none(q);
        skep_x__shards_go_direct(q);
    }
    skep_mutex_unlock(&k->mu);
}

/* Does the worker's partial end here, to be kept? */
static bool ends(struct skep_x_ctx *c, uint32_t piece)
{
    struct skep_x_keep *k = c->q->keep;
    skep_mutex_lock(&k->mu);
    bool ret = k->pieces[c->partial_piece].able || k->pieces[piece].able;
    skep_mutex_unlock(&k->mu);
    return ret;
}

/* Where one piece's partial is too large to be kept, those of the others are too: it goes on over
 * all of them, as without the cache. */
void skep_x__keep_enter(struct skep_x_ctx *c, const struct skep_x_morsel *m)
{
    struct skep_x_keep *k = c->q->keep;
    uint32_t piece = skep_x__piece_of(c->q, m->set, m->block, m->only);
    if (c->partial && c->partial_piece != piece && ends(c, piece)) {
        skep_partial_pack_states(c->partial);
        skep_mutex_lock(&k->mu);
        bool apart = k->pieces[c->partial_piece].able || k->pieces[piece].able;
        bool worth = worth_keeping(c->q, skep_partial_packed_bytes(c->partial),
                                   c->rows_examined - c->partial_rows);
        if (apart && (!worth || skep_x__short(c->q))) {
            k->too_large = k->too_large || !worth;
            keep_none(c->q);
            apart = false;
        }
        if (apart)
            put_aside(c);
        skep_mutex_unlock(&k->mu);
        if (apart)
            skep_x__aggregate_done(c); /* ids of keys are those of the partial */
    }
    if (!c->partial)
        c->partial_rows = c->rows_examined;
    c->partial_piece = piece;
}

/* Do the groups of the worker's partial come again and again, so that it saves work? */
static bool comes_again(const struct skep_x_ctx *c)
{
    uint64_t n = c->lookups > 0 ? c->lookups : c->rows_examined - c->partial_rows;
    return n >= REUSE * (uint64_t)c->partial->cells.n;
}

/* How large a worker's partial may grow. */
static uint64_t spill_bytes(const struct skep_x_ctx *c)
{
    const struct skep_budget *b = c->q->opts->budget;
    bool large = comes_again(c) && !skep_x__short(c->q);
    uint64_t most = large ? SPILL_BYTES_REUSED : SPILL_BYTES;
    uint64_t share = large ? SPILL_SHARE_REUSED : SPILL_SHARE;
    return b ? SKEP_MIN(b->limit_bytes / share, most) : most;
}

/* Is the worker's partial too large?  Of a series most cells are of times gone by: packed they take
 * little, and those that are added to open again. */
static bool outgrown(struct skep_x_ctx *c)
{
    uint64_t most = spill_bytes(c);
    if (skep_partial_bytes(c->partial) < most)
        return false;
    skep_partial_pack_states(c->partial);
    return skep_partial_bytes(c->partial) >= most / 2;
}

skep_rc skep_x__keep_spill(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_query *q = c->q;
    if (!c->partial || !outgrown(c)) {
        if (skep_x__shards_direct(q))
            skep_x__shards_ease(q);
        return SKEP_OK;
    }
    SKEP_TRY(skep_x__tally_settle(c, err));
    if (c->lookups > 0 && !comes_again(c) && skep_x__shards_counted(q))
        skep_x__shards_go_direct(q);
    c->lookups = 0;
    skep_mutex_lock(&q->keep->mu);
    keep_none(q);
    skep_mutex_unlock(&q->keep->mu);
    skep_rc rc = skep_x__shards_add(q, c->partial);
    if (rc != SKEP_OK)
        return skep_x__fail_memory(rc, c, err);
    skep_x__aggregate_done(c);
    c->partial_rows = c->rows_examined;
    skep_x__shards_ease(q);
    return SKEP_OK;
}

/* src into *total; takes src when it becomes the total. */
static skep_rc add(struct skep_x_query *q, struct skep_partial **total, struct skep_partial *src)
{
    if (!*total && src->plan == q->plan && !src->packed) {
        *total = src;
        return SKEP_OK;
    }
    skep_rc rc = SKEP_OK;
    if (!*total)
        rc = skep_partial_new(q->plan, q->opts->budget, total);
    if (rc == SKEP_OK)
        rc = skep_partial_merge(*total, src);
    if (src->plan) /* not the cache's */
        skep_partial_free(src);
    return rc;
}

/* What the workers have of a piece, as one; NULL: nothing. */
static skep_rc join(struct skep_x_query *q, struct skep_x_piece *p, struct skep_partial **ret,
                    uint64_t *ret_rows)
{
    skep_rc rc = SKEP_OK;
    for (struct skep_x_aside *a = p->asides; a && rc == SKEP_OK; a = a->next) {
        *ret_rows += a->rows_examined;
        if (p->asides->next || !a->partial->packed)
            rc = add(q, ret, a->partial);
        else
            *ret = a->partial;
        a->partial = NULL;
    }
    return rc;
}

static skep_rc finish_piece(struct skep_x_query *q, struct skep_x_piece *p,
                            struct skep_partial **total)
{
    struct skep_partial *made = NULL;
    uint64_t rows = 0;
    if (p->hit) {
        q->rows_kept += p->hit->rows_examined;
        return add(q, total, p->hit->partial);
    }
    skep_rc rc = join(q, p, &made, &rows);
    if (rc != SKEP_OK || !made) {
        skep_partial_free(made);
        return rc;
    }
    if (p->able && !q->damaged) {
        struct skep_partials_key key = skep_x__piece_key(q, p);
        skep_partial_pack(made);
        p->hit = skep_partials_put(q->partials, &key, made, rows);
    }
    return add(q, total, p->hit ? p->hit->partial : made);
}

static skep_rc finish_all(struct skep_x_query *q, struct skep_partial **ret)
{
    skep_rc rc = SKEP_OK;
    for (uint32_t i = 0; i <= q->keep->n && rc == SKEP_OK; i++)
        rc = finish_piece(q, &q->keep->pieces[i], ret);
    if (rc == SKEP_OK && !*ret)
        rc = skep_partial_new(q->plan, q->opts->budget, ret);
    if (rc != SKEP_OK) {
        skep_partial_free(*ret);
        *ret = NULL;
    }
    return rc;
}

/* What there is of every piece, to the shards. */
static skep_rc finish_sharded(struct skep_x_query *q)
{
    for (uint32_t i = 0; i <= q->keep->n; i++) {
        struct skep_x_piece *p = &q->keep->pieces[i];
        if (p->hit) {
            q->rows_kept += q->keep->passes == 0 ? p->hit->rows_examined : 0;
            SKEP_TRY(skep_x__shards_add(q, p->hit->partial));
            skep_x__shards_ease(q);
        }
        while (p->asides) {
            struct skep_x_aside *a = p->asides;
            skep_rc rc = skep_x__shards_add(q, a->partial);
            p->asides = a->next;
            skep_partial_free(a->partial);
            skep_free(a);
            SKEP_TRY(rc);
            skep_x__shards_ease(q);
        }
    }
    return SKEP_OK;
}

skep_rc skep_x__keep_finish(struct skep_x_query *q, struct skep_answer *ret, bool *ret_again,
                            skep_err *err)
{
    *ret_again = false;
    for (struct skep_x_ctx *c = q->all; c; c = c->next_all) {
        if (c->partial) {
            put_aside(c);
            skep_x__aggregate_done(c);
        }
        if (q->keep->passes > 0) /* rows are counted once */
            c->rows_examined = c->rows_first;
        c->rows_first = c->rows_examined;
    }
    if (!skep_x__shards_used(q))
        return finish_all(q, &ret->partial);
    SKEP_TRY(finish_sharded(q));
    q->keep->passes++;
    SKEP_TRY(skep_x__shards_pass(q, ret_again, err));
    if (!*ret_again)
        skep_x__shards_answer(q, ret);
    return SKEP_OK;
}

void skep_x__keep_done(struct skep_x_query *q)
{
    struct skep_x_keep *k = q->keep;
    if (k->too_large) {
        struct skep_partials_key key = skep_x__nothing_key(q);
        const struct skep_partials_entry *e = skep_partials_put(q->partials, &key, NULL, 0);
        if (e)
            skep_partials_let_go(q->partials, e);
    }
    for (uint32_t i = 0; i <= k->n; i++) {
        struct skep_x_piece *p = &k->pieces[i];
        if (p->hit)
            skep_partials_let_go(q->partials, p->hit);
        while (p->asides) {
            struct skep_x_aside *a = p->asides;
            p->asides = a->next;
            skep_partial_free(a->partial);
            skep_free(a);
        }
    }
    skep_buf_done(&k->question);
    skep_mutex_done(&k->mu);
    skep_free(k->first);
    skep_free(k->pieces);
    skep_free(k);
    q->keep = NULL;
}
