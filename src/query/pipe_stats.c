// SPDX-License-Identifier: Apache-2.0
/* Stats over rows: groups in a hash table, a state for each aggregate of each group.
 *
 *   key   = u8 type, payload of each group value, behind each other
 *   table = open addressing by the key's hash, of indexes into the groups, in order of appearance
 *
 * Percentiles keep their values and are exact (nearest rank); distinct values are kept as texts.
 * Numeric aggregates pass over what is no number; all pass over null.
 *
 * Threads: the run's.  Memory: the stage's arena; arrays of values grow by doubling in the heap and
 * are charged to the budget. */
#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "query/pipe_priv.h"

enum { GROUPS_FIRST = 64 };

/* A set of texts, or a list of numbers. */
struct many {
    uint64_t *items; /* hashes, 0 = free; or the bits of doubles */
    size_t n, cap;
};

struct state {
    uint64_t n;
    double sum, mean, m2;
    int64_t isum;
    bool has_isum_overflow, has_double;
    skep_value best; /* MIN, MAX, EARLIEST, LATEST, FIRST, LAST */
    double best_by;
    struct many many;
};

struct group {
    uint64_t hash;
    skep_str key;
    skep_value *values;   /* [n_assigns] */
    struct state *states; /* [n_aggs] */
};

struct stats {
    struct skep_agg_mem mem;
    uint32_t *table; /* index + 1; 0 = free */
    size_t cap;
    struct group **groups;
    size_t n, groups_cap;
    struct skep_buf key;
};

static skep_rc begin(struct skep_pipe__run *r, struct skep_pipe__node *n, struct stats **ret)
{
    if (!n->state) {
        struct stats *s = skep_new(&n->arena, struct stats);
        s->mem.budget = r->opts->budget;
        skep_buf_init(&s->key, 64 << 20);
        n->state = s;
    }
    *ret = n->state;
    return SKEP_OK;
}

/* Room for one more; false over budget. */
static bool grow(struct skep_agg_mem *m, void **p, size_t *cap, size_t n, size_t size)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? 2 * *cap : GROUPS_FIRST;
    void *q = skep_agg_realloc(m, *p, *cap * size, more * size);
    if (!q)
        return false;
    *p = q;
    *cap = more;
    return true;
}

// --- many values -------------------------------------------------------------------------------

static bool list_add(struct skep_agg_mem *m, struct many *l, double f)
{
    void *p = l->items;
    if (!grow(m, &p, &l->cap, l->n, sizeof *l->items))
        return false;
    l->items = p;
    memcpy(&l->items[l->n++], &f, sizeof f);
    return true;
}

static void set_put(uint64_t *items, size_t cap, uint64_t hash, bool *ret_new)
{
    size_t at = hash & (cap - 1);
    while (items[at] && items[at] != hash)
        at = (at + 1) & (cap - 1);
    *ret_new = items[at] == 0;
    items[at] = hash;
}

/* Values are told apart by 64 bits of their hash. */
static bool set_add(struct skep_agg_mem *m, struct many *s, uint64_t hash)
{
    bool is_new;
    hash += hash == 0;
    if (2 * (s->n + 1) > s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 16;
        uint64_t *items = skep_agg_alloc(m, cap * sizeof *items);
        if (!items)
            return false;
        for (size_t i = 0; i < s->cap; i++)
            if (s->items[i])
                set_put(items, cap, s->items[i], &is_new);
        skep_agg_free(m, s->items, s->cap * sizeof *items);
        s->items = items;
        s->cap = cap;
    }
    set_put(s->items, s->cap, hash, &is_new);
    s->n += is_new;
    return true;
}

// --- groups ------------------------------------------------------------------------------------

static void put_key(struct skep_buf *b, const skep_value *v)
{
    char buf[64];
    /* One spelling, one group: 1, 1.0 and "1" print alike. */
    skep_str s = v->type == SKEP_TYPE_NULL ? SKEP_STR_NULL : skep_calc_text(v, buf);
    skep_buf_u8(b, v->type != SKEP_TYPE_NULL);
    skep_buf_u32(b, (uint32_t)s.n);
    skep_buf_str(b, s);
}

static bool rehash(struct stats *s)
{
    if (2 * (s->n + 1) <= s->cap)
        return true;
    size_t cap = s->cap ? 2 * s->cap : 2 * (size_t)GROUPS_FIRST;
    uint32_t *table = skep_agg_alloc(&s->mem, cap * sizeof *table);
    if (!table)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        size_t at = s->groups[i]->hash & (cap - 1);
        while (table[at])
            at = (at + 1) & (cap - 1);
        table[at] = (uint32_t)i + 1;
    }
    skep_agg_free(&s->mem, s->table, s->cap * sizeof *table);
    s->table = table;
    s->cap = cap;
    return true;
}

static struct group *new_group(struct skep_pipe__node *n, struct stats *s, uint64_t hash,
                               const skep_value *const *keys, unsigned row)
{
    const struct skep_pipe_stage *stage = n->stage;
    struct group *g = skep_arena_try_alloc(&n->arena, sizeof *g);
    void *groups = s->groups;
    if (!g || !grow(&s->mem, &groups, &s->groups_cap, s->n, sizeof *s->groups))
        return NULL;
    s->groups = groups;
    skep_value text = {.type = SKEP_TYPE_STRING, .s = skep_buf_text(&s->key)}, kept;
    g->hash = hash;
    g->values = skep_arena_try_alloc(&n->arena, sizeof *g->values * (stage->n_assigns + 1));
    g->states = skep_arena_try_alloc(&n->arena, sizeof *g->states * (stage->n_aggs + 1));
    if (!g->values || !g->states || !skep_pipe__keep(&n->arena, &text, &kept))
        return NULL;
    g->key = kept.s;
    for (unsigned i = 0; i < stage->n_assigns; i++)
        if (!skep_pipe__keep(&n->arena, &keys[i][row], &g->values[i]))
            return NULL;
    s->groups[s->n++] = g;
    return g;
}

/* The row's group, NULL over budget. */
static struct group *group_of(struct skep_pipe__node *n, struct stats *s,
                              const skep_value *const *keys, unsigned row)
{
    skep_buf_reset(&s->key);
    for (unsigned i = 0; i < n->stage->n_assigns; i++)
        put_key(&s->key, &keys[i][row]);
    if (s->key.bad || !rehash(s))
        return NULL;
    uint64_t hash = skep_hash(skep_buf_bytes(&s->key));
    size_t at = hash & (s->cap - 1);
    for (; s->table[at]; at = (at + 1) & (s->cap - 1)) {
        struct group *g = s->groups[s->table[at] - 1];
        if (g->hash == hash && skep_str_eq(g->key, skep_buf_text(&s->key)))
            return g;
    }
    struct group *g = new_group(n, s, hash, keys, row);
    if (g)
        s->table[at] = (uint32_t)s->n;
    return g;
}

// --- states ------------------------------------------------------------------------------------

static void add_number(struct state *x, const skep_value *v, double f)
{
    x->n++;
    if (v->type == SKEP_TYPE_INT)
        x->has_isum_overflow = SKEP_ADD_OVERFLOW(x->isum, v->i, &x->isum) || x->has_isum_overflow;
    else
        x->has_double = true;
    x->sum += f;
    double d = f - x->mean; /* Welford */
    x->mean += d / (double)x->n;
    x->m2 += d * (f - x->mean);
}

static bool better(struct skep_pipe__run *r, const struct skep_pipe_agg *a, struct state *x,
                   const skep_value *v, double by)
{
    bool first = x->best.type == SKEP_TYPE_NULL;
    switch (a->op) {
    case SKEP_PIPE_EARLIEST: return first || by < x->best_by;
    case SKEP_PIPE_LATEST: return first || by > x->best_by;
    case SKEP_PIPE_FIRST:
    case SKEP_PIPE_MIN: return first || skep_pipe__order(&r->calc, v, &x->best) < 0;
    case SKEP_PIPE_LAST:
    case SKEP_PIPE_MAX: return first || skep_pipe__order(&r->calc, v, &x->best) > 0;
    case SKEP_PIPE_COUNT:
    case SKEP_PIPE_COUNT_DISTINCT:
    case SKEP_PIPE_SUM:
    case SKEP_PIPE_AVG:
    case SKEP_PIPE_STDDEV:
    case SKEP_PIPE_PCT:
    default: return false;
    }
}

/* False over budget. */
static bool add(struct skep_pipe__run *r, struct skep_pipe__node *n, struct stats *s,
                const struct skep_pipe_agg *a, struct state *x, const skep_value *v,
                const skep_value *by)
{
    double f = 0, time = 0;
    char buf[64];
    skep_value number;
    if (a->expr && v->type == SKEP_TYPE_NULL)
        return true;
    switch (a->op) {
    case SKEP_PIPE_COUNT: x->n++; return true;
    case SKEP_PIPE_COUNT_DISTINCT:
        return set_add(&s->mem, &x->many, skep_hash(skep_str_bytes(skep_calc_text(v, buf))));
    case SKEP_PIPE_SUM:
    case SKEP_PIPE_AVG:
    case SKEP_PIPE_STDDEV:
        if (skep_calc_number(&r->calc, v, &f))
            add_number(x, v, f);
        return true;
    case SKEP_PIPE_PCT: return !skep_calc_number(&r->calc, v, &f) || list_add(&s->mem, &x->many, f);
    case SKEP_PIPE_MIN:
    case SKEP_PIPE_MAX:
        if (!skep_calc_number(&r->calc, v, &f))
            return true;
        number = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = f}; /* however a text spells it */
        v = v->type == SKEP_TYPE_INT ? v : &number;
        break;
    case SKEP_PIPE_EARLIEST:
    case SKEP_PIPE_LATEST:
        if (!skep_calc_number(&r->calc, by, &time))
            return true;
        break;
    case SKEP_PIPE_FIRST:
    case SKEP_PIPE_LAST:
    default: break;
    }
    if (!better(r, a, x, v, time))
        return true;
    x->best_by = time;
    return skep_pipe__keep(&n->arena, v, &x->best);
}

skep_rc skep_pipe__stats_push(struct skep_pipe__run *r, struct skep_pipe__node *n,
                              struct skep_pipe__batch *b)
{
    const struct skep_pipe_stage *s = n->stage;
    struct stats *st = NULL;
    static const skep_value none = {.type = SKEP_TYPE_NULL};
    SKEP_TRY(begin(r, n, &st));
    const skep_value **columns = skep_arena_try_alloc(
        &r->scratch, sizeof *columns * (s->n_assigns + 2 * (size_t)s->n_aggs + 1));
    if (!columns)
        return skep_pipe__no_memory(r);
    const skep_value **args = columns + s->n_assigns, **by = args + s->n_aggs;
    for (unsigned i = 0; i < s->n_assigns; i++)
        if ((columns[i] = skep_pipe__eval(r, s->assigns[i].expr, b)) == NULL)
            return skep_pipe__no_memory(r);
    for (unsigned i = 0; i < s->n_aggs; i++) {
        args[i] = s->aggs[i].expr ? skep_pipe__eval(r, s->aggs[i].expr, b) : NULL;
        by[i] = s->aggs[i].by ? skep_pipe__eval(r, s->aggs[i].by, b) : NULL;
        if ((s->aggs[i].expr && !args[i]) || (s->aggs[i].by && !by[i]))
            return skep_pipe__no_memory(r);
    }
    for (unsigned row = 0; row < b->n; row++) {
        struct group *g = group_of(n, st, columns, row);
        for (unsigned i = 0; g && i < s->n_aggs; i++)
            if (!add(r, n, st, &s->aggs[i], &g->states[i], args[i] ? &args[i][row] : &none,
                     by[i] ? &by[i][row] : &none))
                g = NULL;
        if (!g)
            return skep_pipe__no_memory(r);
    }
    return SKEP_OK;
}

// --- results -----------------------------------------------------------------------------------

static int by_number(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static skep_value percentile(const struct skep_pipe_agg *a, struct many *l)
{
    double f;
    if (l->n == 0)
        return (skep_value){.type = SKEP_TYPE_NULL};
    qsort(l->items, l->n, sizeof *l->items, by_number);
    size_t rank = (size_t)ceil(a->param / 100 * (double)l->n);
    memcpy(&f, &l->items[rank ? SKEP_MIN(rank, l->n) - 1 : 0], sizeof f);
    return (skep_value){.type = SKEP_TYPE_DOUBLE, .f = f};
}

static skep_value finished(const struct skep_pipe_agg *a, struct state *x)
{
    skep_value none = {.type = SKEP_TYPE_NULL};
    switch (a->op) {
    case SKEP_PIPE_COUNT: return (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)x->n};
    case SKEP_PIPE_COUNT_DISTINCT:
        return (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)x->many.n};
    case SKEP_PIPE_SUM:
        if (x->n == 0)
            return none;
        if (!x->has_double && !x->has_isum_overflow)
            return (skep_value){.type = SKEP_TYPE_INT, .i = x->isum};
        return (skep_value){.type = SKEP_TYPE_DOUBLE, .f = x->sum};
    case SKEP_PIPE_AVG:
        return x->n ? (skep_value){.type = SKEP_TYPE_DOUBLE, .f = x->sum / (double)x->n} : none;
    case SKEP_PIPE_STDDEV:
        return x->n > 1
                   ? (skep_value){.type = SKEP_TYPE_DOUBLE, .f = sqrt(x->m2 / (double)(x->n - 1))}
               : x->n ? (skep_value){.type = SKEP_TYPE_DOUBLE, .f = 0}
                      : none;
    case SKEP_PIPE_PCT: return percentile(a, &x->many);
    case SKEP_PIPE_MIN:
    case SKEP_PIPE_MAX:
    case SKEP_PIPE_EARLIEST:
    case SKEP_PIPE_LATEST:
    case SKEP_PIPE_FIRST:
    case SKEP_PIPE_LAST:
    default: return x->best;
    }
}

static skep_rc empty_group(struct skep_pipe__node *n, struct stats *s)
{
    /* Without groups there is one row, whatever came. */
    if (n->stage->n_assigns == 0 && s->n == 0 && !group_of(n, s, NULL, 0))
        return SKEP_ENOMEM;
    return SKEP_OK;
}

skep_rc skep_pipe__stats_end(struct skep_pipe__run *r, struct skep_pipe__node *n)
{
    const struct skep_pipe_stage *stage = n->stage;
    struct stats *s = NULL;
    struct skep_pipe__batch b;
    SKEP_TRY(begin(r, n, &s));
    if (empty_group(n, s) != SKEP_OK)
        return skep_pipe__no_memory(r);
    for (size_t from = 0; from < s->n && !r->full; from += SKEP_CALC_ROWS) {
        skep_pipe__next_batch(r);
        SKEP_TRY(skep_pipe__batch_new(r, &r->scratch, &b));
        b.n = (unsigned)SKEP_MIN(s->n - from, (size_t)SKEP_CALC_ROWS);
        for (unsigned i = 0; i < b.n; i++) {
            struct group *g = s->groups[from + i];
            for (unsigned k = 0; k < stage->n_assigns; k++)
                b.columns[stage->assigns[k].slot][i] = g->values[k];
            for (unsigned k = 0; k < stage->n_aggs; k++)
                b.columns[stage->aggs[k].slot][i] = finished(&stage->aggs[k], &g->states[k]);
        }
        SKEP_TRY(skep_pipe__push(r, n->next, &b));
    }
    return SKEP_OK;
}

void skep_pipe__stats_done(struct skep_pipe__node *n)
{
    struct stats *s = n->state;
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        for (unsigned k = 0; k < n->stage->n_aggs; k++) {
            struct many *m = &s->groups[i]->states[k].many;
            skep_agg_free(&s->mem, m->items, m->cap * sizeof *m->items);
        }
    skep_agg_free(&s->mem, s->table, s->cap * sizeof *s->table);
    skep_agg_free(&s->mem, s->groups, s->groups_cap * sizeof *s->groups);
    skep_buf_done(&s->key);
}
