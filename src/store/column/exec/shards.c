// SPDX-License-Identifier: Apache-2.0
/* AGGREGATE with more groups than one table should hold: tables by hash, finished one at a time.
 *
 *   worker's partial --(grown large)--> cells by shard --> table of each shard (64, a lock each)
 *   memory short: the upper half of the shards that take part is put off - emptied, and its groups
 *                 are passed over from then on
 *   end of a pass: each shard that took part is finished - its best groups go to `kept`, all of its
 *                 groups together to `whole` - and freed; what was put off has a pass of its own
 *
 *   pass 1   0 1 2 3 4 5 6 7   ->   0 1 2 3 | 4 5 6 7 put off
 *   pass 2   4 5 6 7           ->   4 5 | 6 7 put off
 *   pass 3   6 7
 *
 * So two workers add to different tables at once, each group is in one table only, and the memory
 * decides how many passes there are, not whether there is an answer.
 *
 * I1  A shard is put off before it is finished or not at all: what is finished has seen all rows.
 * I2  The answer does not depend on what was put off when: states are functions of their rows, and
 *     which groups are best is decided among finished ones.
 * I3  The last shard of a pass is never put off: every pass finishes one, so there are at most 64.
 *
 * Threads: `open` is read by any; it changes under `mu` and the shard's lock.  Memory: the query's
 * budget. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

enum { OWN_SHARE = 8, PRUNE = 4, PRUNE_MIN = 256 };

struct shard {
    struct skep_mutex mu;
    struct skep_partial *p; /* NULL = no groups yet */
};

struct skep_x_shards {
    struct skep_mutex mu;
    _Atomic uint64_t open; /* a bit for each shard that takes part in this pass */
    uint64_t later;        /* put off, under mu */
    bool used;             /* something was added; under mu, or when no worker runs */
    _Atomic bool direct;   /* workers' own tables are of no use */
    _Atomic uint32_t turn; /* where the next adder begins */
    _Atomic uint64_t cells, bytes;
    /* the answer so far, under mu */
    struct skep_plan *together; /* the plan without groups */
    struct skep_partial *kept, *whole;
    uint64_t n_groups;
    size_t most; /* groups kept of one shard */
    skep_rc rc;
    skep_err err;
    struct shard shards[SKEP_AGG_SHARDS];
};

void skep_x__shards_new(struct skep_x_query *q)
{
    struct skep_x_shards *t = skep_alloc(struct skep_x_shards);
    skep_mutex_init(&t->mu, "shards");
    atomic_init(&t->open, UINT64_MAX);
    for (unsigned s = 0; s < SKEP_AGG_SHARDS; s++)
        skep_mutex_init(&t->shards[s].mu, "shard");
    q->shards = t;
}

void skep_x__shards_done(struct skep_x_query *q)
{
    struct skep_x_shards *t = q->shards;
    if (!t)
        return;
    for (unsigned s = 0; s < SKEP_AGG_SHARDS; s++) {
        skep_partial_free(t->shards[s].p);
        skep_mutex_done(&t->shards[s].mu);
    }
    skep_partial_free(t->kept);
    skep_partial_free(t->whole);
    skep_mutex_done(&t->mu);
    skep_free(t);
    q->shards = NULL;
}

bool skep_x__shards_used(const struct skep_x_query *q)
{
    return q->shards && q->shards->used;
}

uint64_t skep_x__shards_open(const struct skep_x_query *q)
{
    uint64_t open = q->shards ? atomic_load(&q->shards->open) : UINT64_MAX;
    return open == UINT64_MAX ? 0 : open;
}

static bool is_open(struct skep_x_shards *t, unsigned s)
{
    return atomic_load(&t->open) >> s & 1;
}

/* Call fn on the table of a shard, if it takes part. */
static skep_rc feed_shard(struct skep_x_query *q, unsigned s, const uint32_t *items, unsigned n,
                          skep_x_feed_fn *fn, void *arg)
{
    struct skep_x_shards *t = q->shards;
    struct shard *x = &t->shards[s];
    skep_assert_held(&x->mu);
    if (!is_open(t, s))
        return SKEP_OK;
    skep_rc rc = x->p ? SKEP_OK : skep_partial_new(q->plan, q->opts->budget, &x->p);
    if (rc != SKEP_OK)
        return rc;
    uint64_t bytes = skep_partial_bytes(x->p);
    uint32_t had = x->p->cells.n;
    rc = fn(arg, x->p, items, n);
    uint64_t all = atomic_fetch_add(&t->cells, x->p->cells.n - had) + x->p->cells.n - had;
    atomic_fetch_add(&t->bytes, skep_partial_bytes(x->p) - bytes);
    bool many = q->plan->max_cells > 0 && all > q->plan->max_cells;
    return rc == SKEP_OK && many ? SKEP_ELIMIT : rc;
}

skep_rc skep_x__shards_feed(struct skep_x_query *q, const uint32_t *items,
                            const uint32_t first[SKEP_AGG_SHARDS + 1], skep_x_feed_fn *fn,
                            void *arg)
{
    struct skep_x_shards *t = q->shards;
    unsigned begin = atomic_fetch_add(&t->turn, 1) * 31; /* two workers begin apart */
    skep_rc rc = SKEP_OK;
    for (unsigned i = 0; i < SKEP_AGG_SHARDS && rc == SKEP_OK; i++) {
        unsigned s = (begin + i) % SKEP_AGG_SHARDS, n = first[s + 1] - first[s];
        if (n == 0 || !is_open(t, s))
            continue;
        skep_mutex_lock(&t->shards[s].mu);
        rc = feed_shard(q, s, items + first[s], n, fn, arg);
        skep_mutex_unlock(&t->shards[s].mu);
    }
    return rc;
}

static skep_rc add_cells(void *arg, struct skep_partial *p, const uint32_t *cells, unsigned n)
{
    return skep_partial_merge_cells(p, arg, cells, n);
}

skep_rc skep_x__shards_add(struct skep_x_query *q, struct skep_partial *src)
{
    struct skep_x_shards *t = q->shards;
    struct skep_agg_mem mem = {.budget = q->opts->budget};
    uint32_t *cells = NULL, first[SKEP_AGG_SHARDS + 1];
    skep_mutex_lock(&t->mu);
    t->used = true;
    skep_mutex_unlock(&t->mu);
    SKEP_TRY(skep_partial_split(src, &mem, &cells, first));
    skep_rc rc = skep_x__shards_feed(q, cells, first, add_cells, src);
    skep_agg_free(&mem, cells, ((size_t)src->cells.n + 1) * sizeof *cells);
    return rc;
}

bool skep_x__shards_direct(const struct skep_x_query *q)
{
    return q->shards && atomic_load_explicit(&q->shards->direct, memory_order_relaxed);
}

void skep_x__shards_go_direct(struct skep_x_query *q)
{
    atomic_store_explicit(&q->shards->direct, true, memory_order_relaxed);
}

bool skep_x__short(const struct skep_x_query *q)
{
    struct skep_budget *b = q->opts->budget;
    /* Until the next look each worker may add the groups of a row group: with tables of their own
     * once there and once in the shards. */
    return b && skep_budget_used(b) > b->limit_bytes / 8 * (skep_x__shards_direct(q) ? 6 : 4);
}

static void put_off(struct skep_x_shards *t, unsigned s)
{
    skep_assert_held(&t->mu);
    struct shard *x = &t->shards[s];
    skep_mutex_lock(&x->mu);
    atomic_fetch_and(&t->open, ~(1ull << s));
    t->later |= 1ull << s;
    if (x->p) {
        atomic_fetch_sub(&t->cells, x->p->cells.n);
        atomic_fetch_sub(&t->bytes, skep_partial_bytes(x->p));
    }
    skep_partial_free(x->p);
    x->p = NULL;
    skep_mutex_unlock(&x->mu);
}

/* Much memory is taken, and a good part of it by the shards. */
static bool too_large(const struct skep_x_query *q)
{
    return skep_x__short(q) &&
           atomic_load(&q->shards->bytes) >= q->opts->budget->limit_bytes / OWN_SHARE;
}

void skep_x__shards_ease(struct skep_x_query *q)
{
    struct skep_x_shards *t = q->shards;
    if (q->plan->n_groups == 0 || !too_large(q))
        return;
    skep_mutex_lock(&t->mu);
    for (unsigned half = 1; half > 0 && too_large(q);) {
        uint64_t open = atomic_load(&t->open);
        half = SKEP_POPCOUNT64(open) / 2;
        for (unsigned n = half, s = SKEP_AGG_SHARDS; n > 0 && s-- > 0;) {
            if (!(open >> s & 1))
                continue;
            put_off(t, s);
            n--;
        }
    }
    skep_mutex_unlock(&t->mu);
}

/* --- finishing --- */

/* Add the groups tuples[n] of src to dst. */
static skep_rc add_groups(struct skep_partial *dst, const struct skep_partial *src,
                          const uint32_t *tuples, size_t n)
{
    uint32_t n_cells = 0, n_tuples = skep_partial_n_tuples(src);
    uint8_t *chosen = skep_agg_alloc(&dst->mem, (size_t)n_tuples + 1);
    uint32_t *cells = skep_agg_alloc(&dst->mem, ((size_t)src->cells.n + 1) * sizeof *cells);
    skep_rc rc = chosen && cells ? SKEP_OK : SKEP_ENOMEM;
    for (size_t i = 0; i < n && rc == SKEP_OK; i++)
        chosen[tuples[i]] = 1;
    for (uint32_t c = 0; c < src->cells.n && rc == SKEP_OK; c++)
        if (chosen[src->cells.left[c]])
            cells[n_cells++] = c;
    if (rc == SKEP_OK)
        rc = skep_partial_merge_cells(dst, src, cells, n_cells);
    skep_agg_free(&dst->mem, cells, ((size_t)src->cells.n + 1) * sizeof *cells);
    skep_agg_free(&dst->mem, chosen, (size_t)n_tuples + 1);
    return rc;
}

/* Of what is kept only the best stay. */
static skep_rc prune(struct skep_x_query *q, skep_err *err)
{
    struct skep_x_shards *t = q->shards;
    uint32_t *tuples = NULL;
    size_t n = 0;
    uint64_t all = 0;
    struct skep_partial *less = NULL;
    if (skep_partial_n_tuples(t->kept) <= PRUNE * t->most + PRUNE_MIN)
        return SKEP_OK;
    SKEP_TRY(q->opts->select(q->opts, t->kept, &tuples, &n, &all, err));
    skep_rc rc = skep_partial_new(q->plan, q->opts->budget, &less);
    if (rc == SKEP_OK)
        rc = add_groups(less, t->kept, tuples, n);
    skep_free(tuples);
    if (rc != SKEP_OK) {
        skep_partial_free(less);
        return rc;
    }
    skep_partial_free(t->kept);
    t->kept = less;
    return SKEP_OK;
}

/* The chosen groups and the sum of all to the answer. */
static skep_rc keep(struct skep_x_query *q, const struct skep_partial *p,
                    const struct skep_partial *sum, const uint32_t *tuples, size_t n, skep_err *err)
{
    struct skep_x_shards *t = q->shards;
    skep_assert_held(&t->mu);
    skep_rc rc = t->kept ? SKEP_OK : skep_partial_new(q->plan, q->opts->budget, &t->kept);
    if (rc == SKEP_OK)
        rc = add_groups(t->kept, p, tuples, n);
    if (rc == SKEP_OK && !t->whole)
        rc = skep_partial_new(t->together, q->opts->budget, &t->whole);
    if (rc == SKEP_OK)
        rc = skep_partial_merge(t->whole, sum);
    t->most = SKEP_MAX(t->most, n);
    return rc == SKEP_OK ? prune(q, err) : rc;
}

static skep_rc finish_shard(struct skep_x_query *q, struct skep_partial *p, skep_err *err)
{
    struct skep_x_shards *t = q->shards;
    struct skep_partial *sum = NULL;
    uint32_t *tuples = NULL;
    size_t n = 0;
    uint64_t n_groups = 0;
    SKEP_TRY(q->opts->select(q->opts, p, &tuples, &n, &n_groups, err));
    skep_rc rc = skep_partial_new(t->together, q->opts->budget, &sum);
    if (rc == SKEP_OK)
        rc = skep_partial_add_up(sum, p);
    skep_mutex_lock(&t->mu);
    t->n_groups += n_groups;
    if (rc == SKEP_OK)
        rc = keep(q, p, sum, tuples, n, err);
    skep_mutex_unlock(&t->mu);
    skep_partial_free(sum);
    skep_free(tuples);
    return rc;
}

static void finish_one(void *arg, unsigned s)
{
    struct skep_x_query *q = arg;
    struct skep_x_shards *t = q->shards;
    skep_err err = {.rc = SKEP_OK};
    skep_mutex_lock(&t->mu);
    bool go_on = t->rc == SKEP_OK && t->shards[s].p && is_open(t, s);
    skep_mutex_unlock(&t->mu);
    if (!go_on)
        return;
    skep_rc rc = finish_shard(q, t->shards[s].p, &err);
    skep_partial_free(t->shards[s].p);
    t->shards[s].p = NULL;
    skep_mutex_lock(&t->mu);
    if (rc != SKEP_OK && t->rc == SKEP_OK) {
        t->rc = rc;
        t->err = err;
    }
    skep_mutex_unlock(&t->mu);
}

/* Nobody says which groups are best: all of them, in one table. */
static skep_rc join(struct skep_x_query *q)
{
    struct skep_x_shards *t = q->shards;
    for (unsigned s = 0; s < SKEP_AGG_SHARDS; s++) {
        struct skep_partial *p = t->shards[s].p;
        t->shards[s].p = NULL;
        if (!t->kept) {
            t->kept = p;
            continue;
        }
        skep_rc rc = p ? skep_partial_merge(t->kept, p) : SKEP_OK;
        skep_partial_free(p);
        SKEP_TRY(rc);
    }
    return SKEP_OK;
}

static void make_together(struct skep_x_query *q)
{
    struct skep_x_shards *t = q->shards;
    if (t->together)
        return;
    t->together = skep_new(q->opts->arena, struct skep_plan); /* the answer refers to it */
    *t->together = *q->plan;
    t->together->n_groups = 0;
    t->together->max_cells = 0;
    t->together->n_only_groups = 0;
}

skep_rc skep_x__shards_pass(struct skep_x_query *q, bool *ret_again, skep_err *err)
{
    struct skep_x_shards *t = q->shards;
    if (q->opts->select && q->plan->n_groups > 0) {
        make_together(q);
        if (q->pool)
            skep_pool_each(q->pool, SKEP_AGG_SHARDS, finish_one, q);
        else
            for (unsigned s = 0; s < SKEP_AGG_SHARDS; s++)
                finish_one(q, s);
        if (t->rc != SKEP_OK && err)
            *err = t->err;
    } else {
        t->rc = join(q);
    }
    SKEP_TRY(t->rc);
    atomic_store(&t->cells, 0);
    atomic_store(&t->bytes, 0);
    *ret_again = t->later != 0;
    atomic_store(&t->open, t->later);
    t->later = 0;
    return SKEP_OK;
}

void skep_x__shards_answer(struct skep_x_query *q, struct skep_answer *ret)
{
    struct skep_x_shards *t = q->shards;
    ret->partial = t->kept;
    ret->whole = t->whole;
    ret->n_groups = t->n_groups;
    t->kept = NULL;
    t->whole = NULL;
}
