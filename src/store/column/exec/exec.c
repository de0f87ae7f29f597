// SPDX-License-Identifier: Apache-2.0
/* Running a plan: morsels over rowsets on the pool, errors, cancellation, progress.
 *
 * The blocks that may hold rows of the range are cut into morsels of at most one row group.  Each
 * morsel is one index of skep_pool_each(), so that queries share the workers fairly; what a worker
 * keeps between morsels (open columns, memos, its partial answer) is a context taken from a free
 * list and put back.
 *
 * I1  A context is used by one thread at a time (the list is under q->mu, which also orders the
 * memory). I2  The first error stops the rest; damage (ECORRUPT, EIO) does not: the morsel is left
 * out, the answer is marked incomplete and the lowest damaged morsel is named. I3  canceled() and
 * progress() are called under q->mu, never concurrently.
 *
 * Memory: contexts from the heap; what grows with the data from opts->budget. */
#include "store/column/exec.h"

#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"
#include "store/column/live.h"

#include <stdlib.h>

enum { SLICE_NS = 500000 };

skep_rc skep_x__take(struct skep_x_query *q, uint64_t bytes)
{
    return q->opts->budget ? skep_budget_take(q->opts->budget, bytes, NULL) : SKEP_OK;
}

void skep_x__give(struct skep_x_query *q, uint64_t bytes)
{
    if (q->opts->budget && bytes > 0)
        skep_budget_give(q->opts->budget, bytes);
}

bool skep_x__is_damage(skep_rc rc)
{
    return rc == SKEP_ECORRUPT || rc == SKEP_EIO;
}

struct skep_x_ctx *skep_x__ctx_new(struct skep_x_query *q)
{
    struct skep_x_ctx *c = skep_alloc(struct skep_x_ctx);
    c->q = q;
    c->set = UINT32_MAX;
    skep_arena_init(&c->arena, "query binding", q->opts->budget);
    c->test_memos = skep_alloc_n(struct skep_x_memo *, q->n_tests + 1);
    c->n_test_memos = skep_alloc_n(unsigned, q->n_tests + 1);
    c->turns = skep_alloc_n(struct skep_x_turns, q->n_turns + 1);
    c->said_blocks = 1;
    c->said = skep_alloc_n(struct skep_x_said, q->n_shared + 1);
    c->next_all = q->all;
    q->all = c;
    return c;
}

static void ctx_free(struct skep_x_ctx *c)
{
    skep_x__relate_ctx_done(c);
    skep_x__known_done(c);
    skep_x__aggregate_done(c);
    skep_x__computed_done(c);
    skep_x__unbind(c);
    skep_arena_done(&c->arena);
    for (unsigned t = 0; t < c->q->n_tests; t++) {
        for (unsigned i = 0; i < c->n_test_memos[t]; i++)
            skep_x__memo_done(c, &c->test_memos[t][i]);
        skep_free(c->test_memos[t]);
    }
    skep_free(c->test_memos);
    skep_free(c->n_test_memos);
    skep_free(c->turns);
    skep_free(c->said);
    skep_x__give(c->q, c->cap_hits * sizeof *c->hits);
    skep_free(c->hits);
    skep_free(c);
}

struct run {
    struct skep_x_query *q;
    skep_x_morsel_fn *fn;
};

void skep_x__damaged(struct skep_x_query *q, size_t at, const skep_err *err)
{
    if (q->damaged && q->damaged_at <= at)
        return;
    q->damaged = true;
    q->damaged_at = at;
    memcpy(q->damage, err->text, sizeof q->damage);
}

uint64_t skep_x__morsel_rows(const struct skep_x_query *q, const struct skep_x_morsel *m)
{
    const struct skep_rowset *rs = q->snap->sets[m->set].rowset;
    uint64_t rows = 0;
    for (uint64_t b = m->block; b < m->end; b++)
        rows += skep_rowset_block_rows(rs, b);
    return rows;
}

/* Can no row of the morsel pass the filter? */
static bool ruled_out(struct skep_x_ctx *c, const struct skep_x_morsel *m)
{
    if (!c->q->filter)
        return false;
    uint64_t last = m->end - 1, row0 = m->block * SKEP_BLOCK_ROWS;
    uint64_t end = last * SKEP_BLOCK_ROWS + skep_rowset_block_rows(c->rs, last);
    return skep_x__none(c, c->q->filter, row0, (unsigned)(end - row0));
}

static void poll_canceled_locked(struct skep_x_query *q)
{
    skep_assert_held(&q->mu);
    if (q->rc == SKEP_OK && q->opts->canceled && q->opts->canceled(q->opts->ctx)) {
        q->rc = skep_fail(&q->err, SKEP_ECANCELED, "the query was canceled");
        atomic_store_explicit(&q->stop, true, memory_order_relaxed);
    }
}

skep_rc skep_x__tick(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_query *q = c->q;
    const struct skep_os *os = skep_os_real();
    int64_t now_ns = os->mono_ns(os);
    if (now_ns - c->slice_ns > SLICE_NS) {
        skep_pool_give_way(q->pool);
        skep_mutex_lock(&q->mu);
        poll_canceled_locked(q);
        skep_mutex_unlock(&q->mu);
        c->slice_ns = os->mono_ns(os);
    }
    /* Why it stops is in q already. */
    return atomic_load_explicit(&q->stop, memory_order_relaxed)
               ? skep_fail(err, SKEP_ECANCELED, "the query was canceled")
               : SKEP_OK;
}

static skep_rc look_at(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_x_morsel_fn *fn,
                       skep_err *err)
{
    c->slice_ns = skep_os_real()->mono_ns(skep_os_real());
    skep_x__turns_reset(c);
    SKEP_TRY(skep_x__bind(c, m->set, err));
    if (ruled_out(c, m)) {
        skep_x__known_none(c, m);
        return SKEP_OK;
    }
    if (c->q->n_rels > 0)
        SKEP_TRY(skep_x__relate_morsel(c, m, err));
    SKEP_TRY(fn(c, m, err));
    skep_x__known_leave(c);
    return SKEP_OK;
}

static void run_one(void *arg, unsigned i)
{
    struct run *run = arg;
    struct skep_x_query *q = run->q;
    if (atomic_load_explicit(&q->stop, memory_order_relaxed))
        return;
    skep_mutex_lock(&q->mu);
    struct skep_x_ctx *c = q->free;
    if (c)
        q->free = c->next;
    else
        c = skep_x__ctx_new(q);
    skep_mutex_unlock(&q->mu);

    const struct skep_x_morsel *m = &q->morsels[i];
    skep_err err = {.rc = SKEP_OK};
    skep_rc rc = SKEP_OK;
    bool done = false;
    if (q->early) {
        rc = q->early(c, m, &done, &err);
    } else {
        skep_x__known_enter(c, m);
        done = skep_x__known_ruled_out(c, m);
    }
    if (rc == SKEP_OK && !done)
        rc = look_at(c, m, run->fn, &err);

    skep_mutex_lock(&q->mu);
    if (skep_x__is_damage(rc)) {
        skep_x__damaged(q, i, &err);
    } else if (rc != SKEP_OK && q->rc == SKEP_OK) {
        q->rc = rc;
        q->err = err;
        atomic_store_explicit(&q->stop, true, memory_order_relaxed);
    }
    q->rows_scanned += skep_x__morsel_rows(q, m);
    if (q->opts->progress)
        q->opts->progress(q->opts->ctx, q->rows_scanned, q->rows_total);
    poll_canceled_locked(q);
    c->next = q->free;
    q->free = c;
    skep_mutex_unlock(&q->mu);
}

skep_rc skep_x__run(struct skep_x_query *q, skep_x_morsel_fn *fn, skep_err *err)
{
    struct run run = {.q = q, .fn = fn};
    skep_assert(q->n_morsels <= UINT32_MAX);
    unsigned n = (unsigned)q->n_morsels;
    if (q->opts->canceled && q->opts->canceled(q->opts->ctx))
        return skep_fail(err, SKEP_ECANCELED, "the query was canceled");
    if (q->pool && n > 1)
        skep_pool_each(q->pool, n, run_one, &run);
    else
        for (unsigned i = 0; i < n; i++)
            run_one(&run, i);
    if (q->rc != SKEP_OK && err)
        *err = q->err;
    return q->rc;
}

static skep_rc add_morsel(struct skep_x_query *q, uint32_t set, uint64_t block, uint64_t end,
                          skep_err *err)
{
    if (q->n_morsels == q->cap_morsels) {
        size_t cap = q->cap_morsels ? q->cap_morsels * 2 : 64;
        if (skep_x__take(q, (cap - q->cap_morsels) * sizeof *q->morsels) != SKEP_OK)
            return skep_fail(err, SKEP_ENOMEM, "the query needs more memory than it may use");
        q->morsels = skep_realloc(q->morsels, cap * sizeof *q->morsels);
        q->cap_morsels = cap;
    }
    q->morsels[q->n_morsels] = (struct skep_x_morsel){.set = set, .block = block, .end = end};
    q->rows_total += skep_x__morsel_rows(q, &q->morsels[q->n_morsels++]);
    return SKEP_OK;
}

static bool block_in_range(const struct skep_x_query *q, const struct skep_block_bounds *b)
{
    const struct skep_time_range *t = &q->plan->range;
    if (b->min_start_ns >= t->end_ns)
        return false;
    return b->max_start_ns >= t->start_ns || (q->need_overlap && b->max_end_ns > t->start_ns);
}

skep_rc skep_x__cut(struct skep_x_query *q, uint32_t set, uint64_t first, uint64_t end, bool ranged,
                    skep_err *err)
{
    const struct skep_rowset *rs = q->snap->sets[set].rowset;
    for (uint64_t b = first; b < end;) {
        uint64_t stop = SKEP_MIN(end, (b / SKEP_X_MORSEL_BLOCKS + 1) * SKEP_X_MORSEL_BLOCKS);
        uint64_t lo = b, hi = skep_x__kept(q, set, b) ? b : stop;
        while (hi > lo && skep_rowset_block_rows(rs, hi - 1) == 0) /* behind a short row group */
            hi--;
        while (ranged && lo < hi && !block_in_range(q, &rs->blocks[lo]))
            lo++;
        while (ranged && hi > lo && !block_in_range(q, &rs->blocks[hi - 1]))
            hi--;
        if (lo < hi)
            SKEP_TRY(add_morsel(q, set, lo, hi, err));
        b = stop;
    }
    return SKEP_OK;
}

/* The test that pins the trace id, if every row that passes must pass it. */
static const struct skep_x_test *trace_test(const struct skep_x_query *q,
                                            const struct skep_x_expr *e)
{
    if (!e)
        return NULL;
    if (e->op == SKEP_EXPR_TEST) {
        const struct skep_x_test *t = &q->tests[e->test];
        bool pins = t->str_eq && !t->negative && t->name != SKEP_X_ANY_FIELD &&
                    q->names[t->name].view && q->names[t->name].view->how == SKEP_VIEW_HEX16;
        return pins && t->n_ids <= 100 ? t : NULL;
    }
    for (unsigned i = 0; e->op == SKEP_EXPR_AND && i < e->n_kids; i++) {
        const struct skep_x_test *t = trace_test(q, e->kids[i]);
        if (t)
            return t;
    }
    return NULL;
}

/* Has the rowset a field of that name in any scope, so that the id column alone does not decide? */
static bool has_field(const struct skep_rowset *rs, skep_str name)
{
    for (int type = 1; type < SKEP_TYPE_COUNT; type++)
        if (skep_rowset_find_field(rs, name, SKEP_SCOPE_ATTRIBUTE, (uint8_t)type) != UINT32_MAX ||
            skep_rowset_find_field(rs, name, SKEP_SCOPE_INTRINSIC, (uint8_t)type) != UINT32_MAX)
            return true;
    for (int lists = 0; lists < 2; lists++) {
        const struct skep_rowset_lists *l = lists ? &rs->scopes : &rs->resources;
        for (uint32_t e = 0; l->n > 0 && e < l->first[l->n]; e++)
            if (skep_str_eq(l->entries[e].name, name))
                return true;
    }
    return false;
}

static int by_first(const void *a, const void *b)
{
    uint64_t x = ((const struct skep_row_range *)a)->first;
    uint64_t y = ((const struct skep_row_range *)b)->first;
    return x < y ? -1 : x > y;
}

enum { TRACE_RANGES = 256 };

skep_rc skep_x__trace_ranges(struct skep_x_query *q, uint32_t set, const skep_trace_id *ids,
                             size_t n_ids, struct skep_row_range **ret, size_t *ret_n,
                             skep_err *err)
{
    struct skep_rowset *rs = q->snap->sets[set].rowset;
    struct skep_row_range *all = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < n_ids; i++) {
        struct skep_row_range some[TRACE_RANGES];
        unsigned got = 0;
        skep_rc rc = rs->ops->find_trace(rs, &ids[i], some, TRACE_RANGES, &got, err);
        if (rc != SKEP_OK) {
            skep_free(all);
            return rc;
        }
        for (unsigned k = 0; k < got; k++) {
            SKEP_GROW(all, n, cap);
            all[n++] = some[k];
        }
    }
    if (n > 0)
        qsort(all, n, sizeof all[0], by_first);
    size_t m = 0; /* join what overlaps */
    for (size_t i = 0; i < n; i++) {
        if (all[i].first >= all[i].end)
            continue;
        if (m > 0 && all[i].first <= all[m - 1].end)
            all[m - 1].end = SKEP_MAX(all[m - 1].end, all[i].end);
        else
            all[m++] = all[i];
    }
    *ret = all;
    *ret_n = m;
    return SKEP_OK;
}

/* Only the row ranges where the traces may stand. */
static skep_rc cut_traces(struct skep_x_query *q, uint32_t set, const struct skep_x_test *t,
                          skep_err *err)
{
    struct skep_row_range *ranges = NULL;
    size_t n = 0;
    const struct skep_rowset *rs = q->snap->sets[set].rowset;
    SKEP_TRY(skep_x__trace_ranges(q, set, t->ids, t->n_ids, &ranges, &n, err));
    uint64_t done = 0; /* blocks below are planned */
    skep_rc rc = SKEP_OK;
    for (size_t i = 0; i < n && rc == SKEP_OK; i++) {
        uint64_t first = SKEP_MAX(ranges[i].first / SKEP_BLOCK_ROWS, done);
        uint64_t end =
            (SKEP_MIN(ranges[i].end, rs->row_end) + SKEP_BLOCK_ROWS - 1) / SKEP_BLOCK_ROWS;
        if (first < end) {
            rc = skep_x__cut(q, set, first, end, true, err);
            done = end;
        }
    }
    skep_free(ranges);
    return rc;
}

/* Only the runs of the plan's dataset, where rows lie by dataset. */
static skep_rc cut_dataset(struct skep_x_query *q, uint32_t set, skep_err *err)
{
    const struct skep_rowset *rs = q->snap->sets[set].rowset;
    uint64_t done = 0; /* blocks below are planned: two runs may meet in one */
    for (uint32_t i = 0; i < rs->n_runs; i++) {
        if (!skep_str_ieq(rs->runs[i].dataset, q->plan->dataset))
            continue;
        uint64_t stop = i + 1 < rs->n_runs ? rs->runs[i + 1].first : rs->row_end;
        uint64_t first = SKEP_MAX(rs->runs[i].first / SKEP_BLOCK_ROWS, done);
        uint64_t end = (stop + SKEP_BLOCK_ROWS - 1) / SKEP_BLOCK_ROWS;
        if (first < end)
            SKEP_TRY(skep_x__cut(q, set, first, end, true, err));
        done = SKEP_MAX(done, end);
    }
    return SKEP_OK;
}

skep_rc skep_x__plan_morsels(struct skep_x_query *q, skep_err *err)
{
    const struct skep_x_test *trace = trace_test(q, q->filter);
    for (uint32_t set = 0; set < q->snap->n; set++) {
        struct skep_rowset *rs = q->snap->sets[set].rowset;
        if (rs->n_rows == 0 || !block_in_range(q, &rs->bounds))
            continue;
        if (rs->n_runs > 0 && q->plan->dataset.n > 0) {
            SKEP_TRY(cut_dataset(q, set, err));
            continue;
        }
        if (!trace || has_field(rs, q->names[trace->name].name)) {
            SKEP_TRY(skep_x__cut(q, set, 0, skep_rowset_blocks(rs), true, err));
            continue;
        }
        skep_err why;
        skep_rc rc = cut_traces(q, set, trace, &why);
        if (skep_x__is_damage(rc)) {
            skep_x__damaged(q, 0, &why);
        } else if (rc != SKEP_OK) {
            if (err)
                *err = why;
            return rc;
        }
    }
    return q->n_rels > 0 ? skep_x__relate(q, err) : SKEP_OK;
}

static skep_rc dispatch(struct skep_x_query *q, struct skep_answer *ret, skep_err *err)
{
    switch (q->plan->kind) {
    case SKEP_PLAN_AGGREGATE: return skep_x__aggregate(q, ret, err);
    case SKEP_PLAN_ROWS: return skep_x__plan_rows(q, ret, err);
    case SKEP_PLAN_TRACE: return skep_x__plan_trace(q, ret, err);
    case SKEP_PLAN_ROW: return skep_x__plan_row(q, ret, err);
    case SKEP_PLAN_TRACES: return skep_x__plan_traces(q, ret, err);
    case SKEP_PLAN_FIELDS: return skep_x__plan_fields(q, ret, err);
    case SKEP_PLAN_DATASETS: return skep_x__plan_datasets(q, ret, err);
    case SKEP_PLAN_FACETS: return skep_x__plan_facets(q, ret, err);
    default: return skep_fail(err, SKEP_EINVAL, "unknown kind of plan");
    }
}

static void query_done(struct skep_x_query *q)
{
    while (q->all) {
        struct skep_x_ctx *c = q->all;
        q->all = c->next_all;
        ctx_free(c);
    }
    skep_x__relate_done(q);
    skep_x__give(q, q->cap_morsels * sizeof *q->morsels);
    skep_free(q->morsels);
    skep_free(q->names);
    skep_free(q->tests);
    skep_free(q->compiled);
    skep_buf_done(&q->filter_key);
    skep_arena_done(&q->arena);
    skep_mutex_done(&q->mu);
}

static void query_init(struct skep_x_query *q, struct skep_snapshot *snap, struct skep_pool *pool,
                       const struct skep_plan *plan, const struct skep_run_opts *opts)
{
    *q = (struct skep_x_query){.plan = plan, .opts = opts, .snap = snap, .pool = pool};
    skep_mutex_init(&q->mu, "query");
    skep_arena_init(&q->arena, "query", opts->budget);
    q->filter = skep_x__compile_filter(q);
}

skep_rc skep_exec_run_kept(struct skep_snapshot *snap, struct skep_pool *pool,
                           struct skep_partials *partials, const struct skep_plan *plan,
                           const struct skep_run_opts *opts, struct skep_answer *ret, skep_err *err)
{
    skep_assert(snap && plan && opts && opts->arena && ret);
    SKEP_TRY(skep_plan_check(plan, err));
    struct skep_x_query q;
    query_init(&q, snap, pool, plan, opts);
    q.partials = partials;
    struct skep_answer answer = {.complete = true};
    skep_rc rc = dispatch(&q, &answer, err);
    if (rc == SKEP_OK) {
        answer.rows_examined = q.rows_kept;
        for (struct skep_x_ctx *c = q.all; c; c = c->next_all)
            answer.rows_examined += c->rows_examined;
        answer.complete = !q.damaged;
        if (q.damaged)
            answer.missing = skep_arena_str(opts->arena, skep_str_c(q.damage));
        *ret = answer;
    }
    query_done(&q);
    return rc;
}

skep_rc skep_exec_run(struct skep_snapshot *snap, struct skep_pool *pool,
                      const struct skep_plan *plan, const struct skep_run_opts *opts,
                      struct skep_answer *ret, skep_err *err)
{
    return skep_exec_run_kept(snap, pool, NULL, plan, opts, ret, err);
}

skep_rc skep_exec_mask(struct skep_snapshot *snap, struct skep_pool *pool,
                       const struct skep_plan *plan, const struct skep_run_opts *opts,
                       struct skep_mask *masks, skep_err *err)
{
    skep_assert(snap && plan && opts && masks);
    for (unsigned i = 0; i < snap->n; i++)
        skep_mask_init(&masks[i], snap->sets[i].rowset);
    SKEP_TRY(skep_plan_check(plan, err));
    struct skep_x_query q;
    query_init(&q, snap, pool, plan, opts);
    q.shared = masks;
    skep_rc rc = skep_x__plan_mask(&q, err);
    if (rc == SKEP_OK && q.damaged)
        rc = skep_fail(err, SKEP_ECORRUPT, "%s", q.damage);
    query_done(&q);
    return rc;
}
