// SPDX-License-Identifier: Apache-2.0
/* The answer of an AGGREGATE that pushdown made: its groups, or their buckets, as rows for the
 * stage behind stats.
 *
 * I1  A pipeline groups by spelling, a plan by type and value.  Where a computed group has a
 *     spelling in two types, the plan's answer is thrown away and rows are read.
 *
 * Threads: the caller's.  Memory: the run's scratch. */
#include <stdlib.h>

#include "base/hash.h"
#include "query/pipe_priv.h"

static skep_value cell_value(const struct skep_cell *c)
{
    if (c->kind == SKEP_CELL_INT)
        return (skep_value){.type = SKEP_TYPE_INT, .i = c->i};
    if (c->kind == SKEP_CELL_DOUBLE)
        return (skep_value){.type = SKEP_TYPE_DOUBLE, .f = c->f};
    return (skep_value){.type = SKEP_TYPE_NULL};
}

struct fill {
    struct skep_pipe__run *r;
    const struct skep_pipe__pushed *pushed;
    const struct skep_pipe_stage *stage;
    const struct skep_result *result;
    struct skep_pipe__node *to;
    struct skep_pipe__batch b;
};

/* One row: a group, in one bucket or in all. */
static skep_rc put_row(struct fill *f, const struct skep_result_group *g, unsigned bucket)
{
    const struct skep_pipe_stage *s = f->stage;
    const struct skep_result *res = f->result;
    bool series = f->pushed->bucket_group != NULL;
    unsigned row = f->b.n++, key = 0;
    for (unsigned i = 0; i < s->n_assigns; i++) {
        skep_value v;
        if (series && i == *f->pushed->bucket_group)
            v = (skep_value){.type = SKEP_TYPE_INT, .i = res->bucket_starts[bucket] / 1000000};
        else
            v = g->key[key++];
        f->b.columns[s->assigns[i].slot][row] = v;
    }
    for (unsigned i = 0; i < s->n_aggs; i++) {
        const struct skep_cell *c =
            series ? &g->series[(size_t)i * res->n_buckets + bucket] : &g->values[i];
        f->b.columns[s->aggs[i].slot][row] = cell_value(c);
    }
    if (f->b.n < SKEP_CALC_ROWS)
        return SKEP_OK;
    skep_rc rc = skep_pipe__push(f->r, f->to, &f->b);
    f->b.n = 0;
    return rc;
}

static skep_rc put_group(struct fill *f, const struct skep_result_group *g)
{
    const struct skep_result *res = f->result;
    unsigned last = f->stage->n_aggs; /* the COUNT of rows */
    if (!f->pushed->bucket_group) {
        f->r->matched += (uint64_t)g->values[last].i;
        return put_row(f, g, 0);
    }
    for (unsigned b = 0; b < res->n_buckets && !f->r->full; b++) {
        int64_t rows = g->series[(size_t)last * res->n_buckets + b].i;
        f->r->matched += (uint64_t)rows;
        if (rows > 0)
            SKEP_TRY(put_row(f, g, b));
    }
    return SKEP_OK;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Do two groups have one spelling (I1)?  Told by 64 bits of its hash: rows are read needlessly
 * where those are the same of two. */
static bool spelled_alike(const struct fill *f)
{
    const struct skep_result *res = f->result;
    unsigned n = f->pushed->plan.n_groups;
    struct skep_arena *a = &f->r->scratch;
    uint64_t *hashes = skep_arena_try_alloc(a, (res->n_groups + 1) * sizeof *hashes);
    for (size_t g = 0; hashes && g < res->n_groups; g++) {
        uint64_t h = 0;
        for (unsigned k = 0; k < n; k++) {
            char buf[64];
            const skep_value *v = &res->groups[g].key[k];
            skep_str s = v->type == SKEP_TYPE_NULL ? SKEP_STR_NULL : skep_calc_text(v, buf);
            h = skep_hash_u64(h * 31 + skep_hash(skep_str_bytes(s)) +
                              (v->type == SKEP_TYPE_NULL ? 1 : 0));
        }
        hashes[g] = h;
    }
    if (!hashes)
        return true;
    if (res->n_groups > 0)
        qsort(hashes, res->n_groups, sizeof *hashes, by_value);
    for (size_t g = 1; g < res->n_groups; g++)
        if (hashes[g] == hashes[g - 1])
            return true;
    return false;
}

skep_rc skep_pipe__aggregate(struct skep_store *store, struct skep_pipe__run *r,
                             const struct skep_pipe__pushed *pushed, struct skep_pipe_result *ret,
                             bool *ret_again)
{
    struct skep_result *result = NULL;
    struct fill f = {
        .r = r, .pushed = pushed, .stage = pushed->stats, .to = r->n_nodes ? &r->nodes[0] : NULL};
    SKEP_TRY(skep_query_aggregate(store, &pushed->plan, r->opts, &result, r->err));
    f.result = result;
    ret->complete = result->complete;
    ret->missing = result->missing;
    *ret_again =
        result->n_groups_total > result->n_groups || (pushed->computed && spelled_alike(&f));
    if (*ret_again)
        return SKEP_OK;
    SKEP_TRY(skep_pipe__batch_new(r, &r->scratch, &f.b));
    for (size_t i = 0; i < result->n_groups && !r->full; i++)
        SKEP_TRY(put_group(&f, &result->groups[i]));
    if (result->n_groups == 0 && f.stage->n_assigns == 0)
        SKEP_TRY(put_row(&f, &result->totals, 0));
    return skep_pipe__push(r, f.to, &f.b);
}
