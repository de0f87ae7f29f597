// SPDX-License-Identifier: Apache-2.0
/* AGGREGATE with kept partials: which sets need no work, and what is kept of those that did.
 *
 *   begin      for each segment that lies wholly inside the range: is its partial kept?
 *   related    the same where rows are asked about relatives: the partial is of the rows whose
 * whole traces stand in the segment, and is kept under the list of the others, too.  Those, of cut
 * traces, are looked at every time hand over  when a worker goes on to another set, its partial of
 * the one before is put aside, so that it holds rows of one set alone (only where that set can be
 * kept) finish     the partials of each set become one; it is kept, and added to the answer spill
 * a partial that grows large is added to the common tables (shards.c) and made anew; then nothing
 * is kept
 *
 * I1  With and without the cache the answer has the same bits: a partial is a function of its rows
 *     (agg/agg.h), and merging adds.
 * I2  Nothing is kept of a run in which something could not be read.
 *
 * Threads: begin and finish run on the calling thread; what workers put aside is under `mu`. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"
#include "store/column/exec/partials.h"

enum {
    /* A worker's partial of more, or of more than a share of the budget, is added to the common
     * tables: of a million groups each worker would else have its own.  Where its groups come again
     * and again it may be larger. */
    SPILL_BYTES = 8 << 20,
    SPILL_SHARE = 16,
    SPILL_BYTES_REUSED = 64 << 20,
    SPILL_SHARE_REUSED = 6,
    REUSE = 2,          /* look-ups for each group */
    KEEP_MOST = 4,      /* a question's partials together: so many of the largest */
    MANY_VALUES = 4096, /* fewer stand in the caches, whatever table they are in */
    GROUP_BYTES = 96    /* of a partial for each group with one short text and a count, about */
};

struct aside { /* one worker's partial of one set */
    struct skep_partial *partial;
    uint64_t rows_examined;
    struct aside *next;
};

struct kept_set {
    bool able; /* a segment wholly inside the range */
    const struct skep_partials_entry *hit;
    struct aside *asides;
};

struct skep_x_keep {
    struct skep_mutex mu; /* of the sets, while workers run */
    unsigned passes;      /* done */
    unsigned n_able;      /* sets, at the beginning */
    struct skep_buf question;
    size_t question_bytes;  /* without what is of one set */
    struct kept_set sets[]; /* the last one: rows of cut traces, of all sets */
};

/* Good until the next one is made. */
static struct skep_partials_key key_of(const struct skep_x_query *q, uint32_t set)
{
    const struct skep_live *live = q->snap->sets[set].live;
    const uint32_t *cut = NULL;
    uint32_t n_cut = 0;
    q->keep->question.n = q->keep->question_bytes;
    skep_x__cut_rows(q, set, &cut, &n_cut);
    skep_buf_u32(&q->keep->question, n_cut);
    skep_buf_u64(&q->keep->question,
                 n_cut > 0 ? skep_hash((skep_bytes){(const uint8_t *)cut, n_cut * sizeof *cut})
                           : 0);
    return (struct skep_partials_key){q->snap->sets[set].rowset->serial, live ? live->version : 0,
                                      skep_buf_bytes(&q->keep->question)};
}

/* Look for the partials of all sets that may have one. */
static void look(struct skep_x_query *q)
{
    const struct skep_time_range *t = &q->plan->range;
    for (uint32_t i = 0; i < q->snap->n; i++) {
        const struct skep_rowset *rs = q->snap->sets[i].rowset;
        struct kept_set *s = &q->keep->sets[i];
        s->able = rs->serial != 0 && rs->n_rows > 0 && rs->bounds.min_start_ns >= t->start_ns &&
                  rs->bounds.max_start_ns < t->end_ns && (q->n_rels == 0 || rs->trace_clustered);
        struct skep_partials_key key = key_of(q, i);
        q->keep->n_able += s->able;
        if (s->able)
            s->hit = skep_partials_get(q->partials, &key);
    }
}

/* Can anything be kept of the question? */
static bool may_keep(struct skep_x_query *q)
{
    skep_ts_ns bucket0 = 0;
    (void)skep_agg_buckets(q->plan, &bucket0); /* only the start is of interest */
    if (!q->partials || q->need_overlap || bucket0 == INT64_MIN ||
        !skep_partials_question(q->plan, &q->keep->question))
        return false;
    q->keep->question_bytes = q->keep->question.n;
    return true;
}

void skep_x__keep_begin(struct skep_x_query *q)
{
    q->keep = skep_calloc(1, sizeof *q->keep + (q->snap->n + 1) * sizeof q->keep->sets[0]);
    skep_mutex_init(&q->keep->mu, "kept partials");
    skep_buf_init(&q->keep->question, SKEP_PARTIALS_QUESTION_MAX + 64);
    if (q->n_rels == 0 && may_keep(q))
        look(q);
}

/* Morsels of the blocks where rows of cut traces stand. */
static skep_rc cut_morsels(struct skep_x_query *q, uint32_t set, skep_err *err)
{
    const uint32_t *rows = NULL;
    uint32_t n = 0;
    skep_x__cut_rows(q, set, &rows, &n);
    for (uint32_t i = 0; i < n;) {
        uint64_t first = rows[i] / SKEP_BLOCK_ROWS, end = first + 1;
        for (; i < n && rows[i] / SKEP_BLOCK_ROWS <= end; i++)
            end = rows[i] / SKEP_BLOCK_ROWS + 1;
        size_t before = q->n_morsels;
        SKEP_TRY(skep_x__cut(q, set, first, end, true, err));
        for (size_t m = before; m < q->n_morsels; m++)
            q->morsels[m].only = SKEP_X_CUT_ROWS;
    }
    return SKEP_OK;
}

skep_rc skep_x__keep_related(struct skep_x_query *q, skep_err *err)
{
    size_t n = 0;
    if (q->damaged || !may_keep(q))
        return SKEP_OK;
    look(q);
    for (size_t i = 0; i < q->n_morsels; i++) {
        struct skep_x_morsel *m = &q->morsels[i];
        const struct kept_set *s = &q->keep->sets[m->set];
        if (s->hit) {
            q->rows_total -= skep_x__morsel_rows(q, m);
            continue;
        }
        if (s->able)
            m->only = SKEP_X_UNCUT_ROWS;
        q->morsels[n++] = *m;
    }
    q->n_morsels = n;
    for (uint32_t set = 0; set < q->snap->n; set++)
        if (q->keep->sets[set].able)
            SKEP_TRY(cut_morsels(q, set, err));
    return SKEP_OK;
}

bool skep_x__kept(const struct skep_x_query *q, uint32_t set)
{
    return q->keep && q->keep->sets[set].hit;
}

static void put_aside(struct skep_x_ctx *c)
{
    struct aside *a = skep_alloc(struct aside);
    struct kept_set *s = &c->q->keep->sets[c->partial_set];
    *a = (struct aside){c->partial, c->rows_examined - c->partial_rows, s->asides};
    s->asides = a;
    c->partial_rows = c->rows_examined;
    c->partial = NULL;
}

/* Nothing is kept of this question any more. */
static void keep_none(struct skep_x_query *q)
{
    struct skep_x_keep *k = q->keep;
    skep_assert_held(&k->mu);
    for (uint32_t i = 0; i < q->snap->n; i++)
        k->sets[i].able = false;
}

/* Is there room for the partials of all segments?  Those that push each other out are never found.
 */
static bool worth_keeping(const struct skep_x_query *q, uint64_t bytes)
{
    uint64_t most = skep_partials_largest(q->partials);
    return bytes <= most && bytes * q->keep->n_able <= most * KEEP_MOST;
}

void skep_x__keep_many(struct skep_x_ctx *c, uint32_t values)
{
    struct skep_x_query *q = c->q;
    struct skep_x_keep *k = q->keep;
    uint64_t bytes = SKEP_MAX(skep_partial_bytes(c->partial), (uint64_t)values * GROUP_BYTES);
    if (values < MANY_VALUES || !skep_x__shards_counted(q) || skep_x__shards_direct(q))
        return;
    skep_mutex_lock(&k->mu);
    if (!k->sets[c->partial_set].able || !worth_keeping(q, bytes)) {
        keep_none(q);
        skep_x__shards_go_direct(q);
    }
    skep_mutex_unlock(&k->mu);
}

/* Where one segment's partial is too large to be kept, those of the others are too: it goes on over
 * all segments, as without the cache. */
skep_rc skep_x__keep_enter(struct skep_x_ctx *c, skep_err *err)
{
    (void)err;
    struct skep_x_keep *k = c->q->keep;
    uint32_t set = c->only == SKEP_X_CUT_ROWS ? c->q->snap->n : c->set;
    if (c->partial && c->partial_set != set) {
        skep_mutex_lock(&k->mu);
        bool apart = k->sets[c->partial_set].able || k->sets[set].able;
        if (apart &&
            (!worth_keeping(c->q, skep_partial_bytes(c->partial)) || skep_x__short(c->q))) {
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
    c->partial_set = set;
    return SKEP_OK;
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

skep_rc skep_x__keep_spill(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_query *q = c->q;
    if (!c->partial || skep_partial_bytes(c->partial) < spill_bytes(c)) {
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
    if (!*total && src->plan == q->plan) {
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

/* What the workers have of a set, as one; NULL: nothing. */
static skep_rc join(struct kept_set *s, struct skep_partial **ret, uint64_t *ret_rows)
{
    skep_rc rc = SKEP_OK;
    for (struct aside *a = s->asides; a && rc == SKEP_OK; a = a->next) {
        *ret_rows += a->rows_examined;
        if (!*ret) {
            *ret = a->partial;
            a->partial = NULL;
        } else {
            rc = skep_partial_merge(*ret, a->partial);
        }
    }
    return rc;
}

static skep_rc finish_set(struct skep_x_query *q, uint32_t set, struct skep_partial **total)
{
    struct kept_set *s = &q->keep->sets[set];
    struct skep_partial *p = NULL;
    uint64_t rows = 0;
    if (s->hit) {
        q->rows_kept += s->hit->rows_examined;
        return add(q, total, s->hit->partial);
    }
    skep_rc rc = join(s, &p, &rows);
    if (rc != SKEP_OK || !p) {
        skep_partial_free(p);
        return rc;
    }
    if (s->able && !q->damaged) {
        struct skep_partials_key key = key_of(q, set);
        s->hit = skep_partials_put(q->partials, &key, p, rows);
    }
    return add(q, total, s->hit ? s->hit->partial : p);
}

static skep_rc finish_all(struct skep_x_query *q, struct skep_partial **ret)
{
    skep_rc rc = SKEP_OK;
    for (uint32_t i = 0; i <= q->snap->n && rc == SKEP_OK; i++)
        rc = finish_set(q, i, ret);
    if (rc == SKEP_OK && !*ret)
        rc = skep_partial_new(q->plan, q->opts->budget, ret);
    if (rc != SKEP_OK) {
        skep_partial_free(*ret);
        *ret = NULL;
    }
    return rc;
}

/* What there is of every set, to the shards. */
static skep_rc finish_sharded(struct skep_x_query *q)
{
    for (uint32_t i = 0; i <= q->snap->n; i++) {
        struct kept_set *s = &q->keep->sets[i];
        if (s->hit) {
            q->rows_kept += q->keep->passes == 0 ? s->hit->rows_examined : 0;
            SKEP_TRY(skep_x__shards_add(q, s->hit->partial));
            skep_x__shards_ease(q);
        }
        while (s->asides) {
            struct aside *a = s->asides;
            skep_rc rc = skep_x__shards_add(q, a->partial);
            s->asides = a->next;
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
    for (uint32_t i = 0; q->keep && i <= q->snap->n; i++) {
        struct kept_set *s = &q->keep->sets[i];
        if (s->hit)
            skep_partials_let_go(q->partials, s->hit);
        while (s->asides) {
            struct aside *a = s->asides;
            s->asides = a->next;
            skep_partial_free(a->partial);
            skep_free(a);
        }
    }
    if (q->keep) {
        skep_buf_done(&q->keep->question);
        skep_mutex_done(&q->keep->mu);
    }
    skep_free(q->keep);
    q->keep = NULL;
}
