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
 * Where the question is how often each value of one column came, and no more, the tables are
 * skep_counts (agg/counts.h), which take half of the time and of the memory; of each shard
 * only the groups that may be among the first become a partial, when it is finished.
 *
 * I1  A shard is put off before it is finished or not at all: what is finished has seen all rows.
 * I2  The answer does not depend on what was put off when: states are functions of their rows, and
 *     which groups are best is decided among finished ones.
 * I3  The last shard of a pass is never put off: every pass finishes one, so there are at most 64.
 *
 * Threads: `open` is read by any; it changes under `mu` and the shard's lock.  Memory: the query's
 * budget. */
#include "agg/counts.h"
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

enum { OWN_SHARE = 8, PRUNE = 4, PRUNE_MIN = 256 };

struct shard {
    struct skep_mutex mu;
    struct skep_partial *p;    /* NULL = no groups yet; of counted questions always */
    struct skep_counts counts; /* of counted questions */
    struct skep_agg_mem mem;   /* of counts */
};

struct skep_x_shards {
    struct skep_mutex mu;
    _Atomic uint64_t open; /* a bit for each shard that takes part in this pass */
    uint64_t later;        /* put off, under mu */
    bool counted;          /* the tables are counts */
    _Atomic bool used;     /* something was added */
    _Atomic bool direct;   /* workers' own tables are of no use */
    _Atomic bool estimated;
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

/* How often each value of one column came, and no more? */
static bool is_counted(const struct skep_plan *plan)
{
    bool counted = plan->n_groups == 1 && plan->granularity_ns == 0 && plan->n_only_groups == 0;
    for (unsigned a = 0; a < plan->n_aggs; a++)
        counted = counted && plan->aggs[a].op == SKEP_AGG_COUNT &&
                  plan->aggs[a].field.name.n == 0 && !plan->aggs[a].filter;
    return counted;
}

void skep_x__shards_new(struct skep_x_query *q)
{
    struct skep_x_shards *t = skep_alloc(struct skep_x_shards);
    skep_mutex_init(&t->mu, "shards");
    t->counted = is_counted(q->plan);
    atomic_init(&t->open, UINT64_MAX);
    for (unsigned s = 0; s < SKEP_AGG_SHARDS; s++) {
        struct shard *x = &t->shards[s];
        skep_mutex_init(&x->mu, "shard");
        x->mem.budget = q->opts->budget;
        skep_counts_init(&x->counts, &x->mem);
    }
    q->shards = t;
}

static uint32_t groups_of(const struct shard *x)
{
    return x->p ? x->p->cells.n : x->counts.n;
}

static uint64_t bytes_of(const struct shard *x)
{
    return x->p ? skep_partial_bytes(x->p) : x->mem.used;
}

static void empty(struct shard *x)
{
    skep_partial_free(x->p);
    x->p = NULL;
    skep_counts_done(&x->counts);
    skep_counts_init(&x->counts, &x->mem);
}

void skep_x__shards_done(struct skep_x_query *q)
{
    struct skep_x_shards *t = q->shards;
    if (!t)
        return;
    for (unsigned s = 0; s < SKEP_AGG_SHARDS; s++) {
        empty(&t->shards[s]);
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
    return q->shards && atomic_load(&q->shards->used);
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

/* Add items [first, first + n), all of shard s, if it takes part. */
static skep_rc feed_shard(struct skep_x_query *q, unsigned s, uint32_t first, unsigned n,
                          const struct skep_x_feed *feed)
{
    struct skep_x_shards *t = q->shards;
    struct shard *x = &t->shards[s];
    skep_assert_held(&x->mu);
    if (!is_open(t, s))
        return SKEP_OK;
    skep_rc rc = SKEP_OK;
    if (!x->p && !t->counted)
        rc = skep_partial_new(q->plan, q->opts->budget, &x->p);
    if (rc != SKEP_OK)
        return rc;
    uint64_t bytes = bytes_of(x);
    uint32_t had = groups_of(x);
    rc = t->counted ? feed->count(feed->arg, &x->counts, first, n)
                    : feed->add(feed->arg, x->p, first, n);
    uint32_t more = groups_of(x) - had;
    uint64_t all = atomic_fetch_add(&t->cells, more) + more;
    atomic_fetch_add(&t->bytes, bytes_of(x) - bytes);
    bool many = q->plan->max_cells > 0 && all > q->plan->max_cells;
    return rc == SKEP_OK && many ? SKEP_ELIMIT : rc;
}

skep_rc skep_x__shards_feed(struct skep_x_query *q, const uint32_t first[SKEP_AGG_SHARDS + 1],
                            const struct skep_x_feed *feed)
{
    struct skep_x_shards *t = q->shards;
    unsigned begin = atomic_fetch_add(&t->turn, 1) * 31; /* two workers begin apart */
    skep_rc rc = SKEP_OK;
    for (unsigned i = 0; i < SKEP_AGG_SHARDS && rc == SKEP_OK; i++) {
        unsigned s = (begin + i) % SKEP_AGG_SHARDS, n = first[s + 1] - first[s];
        if (n == 0 || !is_open(t, s))
            continue;
        atomic_store_explicit(&t->used, true, memory_order_relaxed);
        skep_mutex_lock(&t->shards[s].mu);
        rc = feed_shard(q, s, first[s], n, feed);
        skep_mutex_unlock(&t->shards[s].mu);
    }
    return rc;
}

struct cells {
    const struct skep_partial *src;
    const uint32_t *cells; /* by shard */
};

static skep_rc add_cells(void *arg, struct skep_partial *p, uint32_t first, unsigned n)
{
    const struct cells *c = arg;
    return skep_partial_merge_cells(p, c->src, c->cells + first, n);
}

static skep_rc count_cells(void *arg, struct skep_counts *counts, uint32_t first, unsigned n)
{
    static const skep_value absent = {.type = SKEP_TYPE_NULL};
    const struct cells *c = arg;
    const struct skep_keys *k = &c->src->keys[0];
    for (unsigned i = first; i < first + n; i++) {
        uint32_t cell = c->cells[i], id = c->src->cells.left[cell];
        struct skep_agg_value v;
        skep_agg_finish_count(c->src->states[0].agg, skep_partial_state(c->src, 0, cell), 1, &v);
        if (v.i > 0) /* 0: its rows could not be read to the end */
            SKEP_TRY(skep_counts_add(counts, id ? &k->values[id] : &absent, id ? k->hashes[id] : 0,
                                     (uint64_t)v.i));
    }
    return SKEP_OK;
}

skep_rc skep_x__shards_add(struct skep_x_query *q, struct skep_partial *src)
{
    struct skep_agg_mem mem = {.budget = q->opts->budget};
    uint32_t *cells = NULL, first[SKEP_AGG_SHARDS + 1];
    if (src->estimated)
        skep_x__shards_estimated(q);
    SKEP_TRY(skep_partial_split(src, &mem, &cells, first));
    struct cells c = {src, cells};
    const struct skep_x_feed feed = {add_cells, count_cells, &c};
    skep_rc rc = skep_x__shards_feed(q, first, &feed);
    skep_agg_free(&mem, cells, ((size_t)src->cells.n + 1) * sizeof *cells);
    return rc;
}

bool skep_x__shards_direct(const struct skep_x_query *q)
{
    return q->shards && atomic_load_explicit(&q->shards->direct, memory_order_relaxed);
}

bool skep_x__shards_counted(const struct skep_x_query *q)
{
    return q->shards && q->shards->counted;
}

void skep_x__shards_go_direct(struct skep_x_query *q)
{
    skep_assert(q->shards->counted);
    atomic_store_explicit(&q->shards->direct, true, memory_order_relaxed);
}

void skep_x__shards_estimated(struct skep_x_query *q)
{
    atomic_store_explicit(&q->shards->estimated, true, memory_order_relaxed);
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
    atomic_fetch_sub(&t->cells, groups_of(x));
    atomic_fetch_sub(&t->bytes, bytes_of(x));
    empty(x);
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

static skep_rc add_count(struct skep_partial *p, uint32_t key, uint64_t n)
{
    SKEP_UNINIT struct skep_ids cell;
    struct skep_partial_state *s = &p->states[0];
    cell.constant = true;
    SKEP_TRY(skep_partial_cell(p, key, 0, &cell.value));
    struct skep_agg_in in = {.agg = s->agg,
                             .sel = {1, NULL},
                             .cells = &cell,
                             .weight = (int64_t)SKEP_MIN(n, (uint64_t)INT64_MAX)};
    return s->ops->add(s->data, &in, &p->mem);
}

/* The values that came at least so often, as a partial; *ret_sum: how often all came. */
static skep_rc unfold(struct skep_x_query *q, const struct skep_counts *t, uint64_t least,
                      struct skep_partial **ret, uint64_t *ret_sum)
{
    skep_rc rc = skep_partial_new(q->plan, q->opts->budget, ret);
    struct skep_counts_it it = {0};
    skep_value v;
    *ret_sum = 0;
    for (uint64_t n; rc == SKEP_OK && skep_counts_next(t, &it, &v, &n);) {
        uint32_t key = 0;
        if (SKEP_ADD_OVERFLOW(*ret_sum, n, ret_sum))
            *ret_sum = UINT64_MAX;
        if (n < least)
            continue;
        rc = skep_keys_get(&(*ret)->keys[0], &v, skep_agg_hash_value(&v), &key);
        if (rc == SKEP_OK)
            rc = add_count(*ret, key, n);
    }
    return rc;
}

/* The groups of counts that may be among the first, and the sum of all.  *ret_all: how many there
 * are, if not all of them are given. */
static skep_rc open_counts(struct skep_x_query *q, struct skep_counts *t, struct skep_partial **ret,
                           struct skep_partial *sum, uint64_t *ret_all)
{
    uint64_t least = 0, n = 0;
    if (q->opts->most > 0)
        SKEP_TRY(skep_counts_least(t, q->opts->most, &least));
    least = SKEP_MIN(least, (uint64_t)INT64_MAX); /* all above are shown as that */
    SKEP_TRY(unfold(q, t, least, ret, &n));
    *ret_all = least > 0 ? t->n : 0;
    return add_count(sum, 0, n);
}

/* The best groups of a shard and all of its groups together go to the answer. */
static skep_rc finish_shard(struct skep_x_query *q, struct shard *x, skep_err *err)
{
    struct skep_x_shards *t = q->shards;
    struct skep_partial *sum = NULL;
    uint32_t *tuples = NULL;
    size_t n = 0;
    uint64_t n_groups = 0, n_counted = 0;
    skep_rc rc = skep_partial_new(t->together, q->opts->budget, &sum);
    if (rc == SKEP_OK)
        rc = t->counted ? open_counts(q, &x->counts, &x->p, sum, &n_counted)
                        : skep_partial_add_up(sum, x->p);
    if (rc == SKEP_OK)
        rc = q->opts->select(q->opts, x->p, &tuples, &n, &n_groups, err);
    skep_mutex_lock(&t->mu);
    t->n_groups += n_counted > 0 ? n_counted : n_groups;
    if (rc == SKEP_OK)
        rc = keep(q, x->p, sum, tuples, n, err);
    skep_mutex_unlock(&t->mu);
    skep_partial_free(sum);
    skep_free(tuples);
    return rc;
}

static void finish_one(void *arg, unsigned s)
{
    struct skep_x_query *q = arg;
    struct skep_x_shards *t = q->shards;
    struct shard *x = &t->shards[s];
    skep_err err = {.rc = SKEP_OK};
    skep_mutex_lock(&t->mu);
    bool go_on = t->rc == SKEP_OK && groups_of(x) > 0 && is_open(t, s);
    skep_mutex_unlock(&t->mu);
    if (!go_on)
        return;
    skep_rc rc = finish_shard(q, x, &err);
    empty(x);
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
        struct shard *x = &t->shards[s];
        uint64_t sum = 0;
        skep_rc rc = x->counts.n > 0 ? unfold(q, &x->counts, 0, &x->p, &sum) : SKEP_OK;
        if (rc == SKEP_OK && t->kept && x->p)
            rc = skep_partial_merge(t->kept, x->p);
        if (rc == SKEP_OK && !t->kept) {
            t->kept = x->p;
            x->p = NULL;
        }
        empty(x);
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
    bool estimated = atomic_load(&t->estimated);
    t->kept->estimated = t->kept->estimated || estimated;
    if (t->whole)
        t->whole->estimated = t->whole->estimated || estimated;
    ret->partial = t->kept;
    ret->whole = t->whole;
    ret->n_groups = t->n_groups;
    t->kept = NULL;
    t->whole = NULL;
}
