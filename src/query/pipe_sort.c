// SPDX-License-Identifier: Apache-2.0
/* Stages that order rows, pass over repetitions, and fold lines.
 *
 * Sort keeps all rows, or, where a LIMIT follows, the best ones: when twice as many have gathered
 * they are sorted and cut.  Equal rows stay in the order they came.
 *
 * Threads: the run's.  Memory: the stage's arena, charged to the budget. */
#include <stdlib.h>

#include "agg/template.h"
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "query/pipe_priv.h"

struct kept {
    uint64_t seq;
    const struct skep_pipe__run *run;
    const struct skep_pipe_stage *stage;
    skep_value values[]; /* [n_slots] */
};

struct sorted {
    struct kept **rows;
    size_t n, cap;
    uint64_t seq;
    uint64_t keep;           /* 0 = all */
    struct skep_arena other; /* rows are copied between the two when many were cut */
    bool second;
    struct skep_agg_mem mem;
};

static int row_order(const void *pa, const void *pb)
{
    const struct kept *a = *(struct kept *const *)pa, *b = *(struct kept *const *)pb;
    const struct skep_pipe_stage *s = a->stage;
    for (unsigned i = 0; i < s->n_sorts; i++) {
        unsigned slot = s->sorts[i].slot;
        int c = skep_pipe__order(&a->run->calc, &a->values[slot], &b->values[slot]);
        if (c)
            return s->sorts[i].descending ? -c : c;
    }
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* How many rows are wanted at most: of the LIMIT that follows before anything else drops rows. */
static uint64_t wanted(const struct skep_pipe__run *r, const struct skep_pipe__node *n)
{
    for (n = n->next; n; n = n->next) {
        if (n->stage->op == SKEP_PIPE_LIMIT)
            return n->stage->limit;
        if (n->stage->op != SKEP_PIPE_ASSIGN)
            return 0;
    }
    return r->limit + 1; /* one more tells that there were more */
}

static struct sorted *begin(struct skep_pipe__run *r, struct skep_pipe__node *n)
{
    if (!n->state) {
        struct sorted *s = skep_new(&n->arena, struct sorted);
        s->keep = wanted(r, n);
        s->mem.budget = r->opts->budget;
        skep_arena_init(&s->other, "pipe sort", r->opts->budget);
        n->state = s;
    }
    return n->state;
}

static struct kept *copy(struct skep_pipe__run *r, struct skep_arena *a, const struct kept *from)
{
    struct kept *k = skep_arena_try_alloc(a, sizeof *k + sizeof(skep_value) * r->p->n_slots);
    if (!k)
        return NULL;
    *k = *from;
    for (unsigned i = 0; i < r->p->n_slots; i++)
        if (!skep_pipe__keep(a, &from->values[i], &k->values[i]))
            return NULL;
    return k;
}

/* Only the best stay, in memory of their own. */
static bool cut(struct skep_pipe__run *r, struct sorted *s)
{
    struct skep_arena fresh;
    qsort(s->rows, s->n, sizeof *s->rows, row_order);
    s->n = SKEP_MIN(s->n, (size_t)s->keep);
    skep_arena_init(&fresh, "pipe sort", r->opts->budget);
    for (size_t i = 0; i < s->n; i++) {
        if ((s->rows[i] = copy(r, &fresh, s->rows[i])) == NULL) {
            skep_arena_done(&fresh);
            s->n = 0;
            return false;
        }
    }
    skep_arena_done(&s->other);
    s->other = fresh;
    return true;
}

skep_rc skep_pipe__sort_push(struct skep_pipe__run *r, struct skep_pipe__node *n,
                             struct skep_pipe__batch *b)
{
    struct sorted *s = begin(r, n);
    for (unsigned row = 0; row < b->n; row++) {
        if (s->n == s->cap) {
            size_t cap = s->cap ? 2 * s->cap : SKEP_CALC_ROWS;
            void *rows =
                skep_agg_realloc(&s->mem, s->rows, s->cap * sizeof *s->rows, cap * sizeof *s->rows);
            if (!rows)
                return skep_pipe__no_memory(r);
            s->rows = rows;
            s->cap = cap;
        }
        struct kept *k =
            skep_arena_try_alloc(&s->other, sizeof *k + sizeof(skep_value) * r->p->n_slots);
        if (!k)
            return skep_pipe__no_memory(r);
        *k = (struct kept){.seq = s->seq++, .run = r, .stage = n->stage};
        for (unsigned i = 0; i < r->p->n_slots; i++)
            if (!skep_pipe__keep(&s->other, &b->columns[i][row], &k->values[i]))
                return skep_pipe__no_memory(r);
        s->rows[s->n++] = k;
        if (s->keep && s->n >= 2 * s->keep + SKEP_CALC_ROWS && !cut(r, s))
            return skep_pipe__no_memory(r);
    }
    return SKEP_OK;
}

skep_rc skep_pipe__sort_end(struct skep_pipe__run *r, struct skep_pipe__node *n)
{
    struct sorted *s = begin(r, n);
    struct skep_pipe__batch b;
    if (s->n)
        qsort(s->rows, s->n, sizeof *s->rows, row_order);
    for (size_t from = 0; from < s->n && !r->full; from += SKEP_CALC_ROWS) {
        skep_pipe__next_batch(r);
        SKEP_TRY(skep_pipe__batch_new(r, &r->scratch, &b));
        b.n = (unsigned)SKEP_MIN(s->n - from, (size_t)SKEP_CALC_ROWS);
        for (unsigned i = 0; i < b.n; i++)
            for (unsigned k = 0; k < r->p->n_slots; k++)
                b.columns[k][i] = s->rows[from + i]->values[k];
        SKEP_TRY(skep_pipe__push(r, n->next, &b));
    }
    return SKEP_OK;
}

void skep_pipe__sort_done(struct skep_pipe__node *n)
{
    struct sorted *s = n->state;
    if (!s)
        return;
    skep_agg_free(&s->mem, s->rows, s->cap * sizeof *s->rows);
    skep_arena_done(&s->other);
}

// --- dedup -------------------------------------------------------------------------------------

/* Combinations seen, by 64 bits of their hash. */
struct seen {
    uint64_t *items;
    size_t n, cap;
    struct skep_agg_mem mem;
    struct skep_buf key;
};

/* Puts the hash in; *ret_new: it was not there.  False over budget. */
static bool see(struct seen *s, uint64_t hash, bool *ret_new)
{
    hash += hash == 0;
    if (2 * (s->n + 1) > s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 1024;
        uint64_t *items = skep_agg_alloc(&s->mem, cap * sizeof *items);
        if (!items)
            return false;
        for (size_t i = 0; i < s->cap; i++) {
            size_t at = s->items[i] & (cap - 1);
            while (s->items[i] && items[at])
                at = (at + 1) & (cap - 1);
            if (s->items[i])
                items[at] = s->items[i];
        }
        skep_agg_free(&s->mem, s->items, s->cap * sizeof *items);
        s->items = items;
        s->cap = cap;
    }
    size_t at = hash & (s->cap - 1);
    while (s->items[at] && s->items[at] != hash)
        at = (at + 1) & (s->cap - 1);
    *ret_new = s->items[at] == 0;
    s->items[at] = hash;
    s->n += *ret_new;
    return true;
}

skep_rc skep_pipe__dedup_push(struct skep_pipe__run *r, struct skep_pipe__node *n,
                              struct skep_pipe__batch *b)
{
    struct seen *s = n->state;
    unsigned kept = 0;
    if (!s) {
        s = n->state = skep_new(&n->arena, struct seen);
        s->mem.budget = r->opts->budget;
        skep_buf_init(&s->key, 64 << 20);
    }
    for (unsigned row = 0; row < b->n; row++) {
        bool null = false, is_new = true;
        char buf[64];
        skep_buf_reset(&s->key);
        for (unsigned i = 0; i < n->stage->n_slots; i++) {
            const skep_value *v = &b->columns[n->stage->slots[i]][row];
            skep_str text = v->type == SKEP_TYPE_NULL ? SKEP_STR_NULL : skep_calc_text(v, buf);
            null = null || v->type == SKEP_TYPE_NULL;
            skep_buf_u32(&s->key, (uint32_t)text.n);
            skep_buf_str(&s->key, text);
        }
        if (!null && !see(s, skep_hash(skep_buf_bytes(&s->key)), &is_new))
            return skep_pipe__no_memory(r);
        if (!is_new)
            continue;
        for (unsigned k = 0; k < r->p->n_slots; k++)
            b->columns[k][kept] = b->columns[k][row];
        kept++;
    }
    b->n = kept;
    return skep_pipe__push(r, n->next, b);
}

size_t skep_pipe__dedup_seen(const struct skep_pipe__node *n)
{
    const struct seen *s = n->state;
    return s ? s->n : 0;
}

void skep_pipe__dedup_done(struct skep_pipe__node *n)
{
    struct seen *s = n->state;
    if (!s)
        return;
    skep_agg_free(&s->mem, s->items, s->cap * sizeof *s->items);
    skep_buf_done(&s->key);
}

// --- patterns ----------------------------------------------------------------------------------

skep_rc skep_pipe__patterns_push(struct skep_pipe__run *r, struct skep_pipe__node *n,
                                 struct skep_pipe__batch *b)
{
    const skep_value *of = skep_pipe__eval(r, n->stage->cond, b);
    if (!n->state)
        n->state = skep_templates_new(&(struct skep_template_config){.budget = r->opts->budget});
    for (unsigned row = 0; of && row < b->n; row++) {
        char buf[64];
        if (of[row].type == SKEP_TYPE_NULL)
            continue;
        struct skep_template_line line = {.text = skep_calc_text(&of[row], buf),
                                          .earlier = r->earlier};
        if (skep_templates_add(n->state, &line) != SKEP_OK)
            return skep_pipe__no_memory(r);
    }
    return of ? SKEP_OK : skep_pipe__no_memory(r);
}

/* What became of a pattern since the earlier period. */
static void compare(const struct skep_template *t, const unsigned *slots,
                    struct skep_pipe__batch *b, unsigned row)
{
    int64_t more = (int64_t)t->count - (int64_t)t->earlier;
    skep_str word = t->earlier == 0 ? SKEP_STR("new")
                    : t->count == 0 ? SKEP_STR("gone")
                    : more > 0      ? SKEP_STR("more")
                    : more < 0      ? SKEP_STR("fewer")
                                    : SKEP_STR("same");
    skep_value percent = {.type = SKEP_TYPE_NULL};
    if (t->earlier > 0)
        percent =
            (skep_value){.type = SKEP_TYPE_DOUBLE, .f = 100.0 * (double)more / (double)t->earlier};
    b->columns[slots[3]][row] = (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)t->earlier};
    b->columns[slots[4]][row] = (skep_value){.type = SKEP_TYPE_INT, .i = more};
    b->columns[slots[5]][row] = percent;
    b->columns[slots[6]][row] = (skep_value){.type = SKEP_TYPE_STRING, .s = word};
}

skep_rc skep_pipe__patterns_end(struct skep_pipe__run *r, struct skep_pipe__node *n)
{
    struct skep_template_list list = {0};
    struct skep_pipe__batch b;
    if (!n->state)
        return SKEP_OK;
    skep_templates_finish(n->state, &n->arena, &list);
    for (size_t from = 0; from < list.n && !r->full; from += SKEP_CALC_ROWS) {
        skep_pipe__next_batch(r);
        SKEP_TRY(skep_pipe__batch_new(r, &r->scratch, &b));
        b.n = (unsigned)SKEP_MIN(list.n - from, (size_t)SKEP_CALC_ROWS);
        for (unsigned i = 0; i < b.n; i++) {
            const struct skep_template *t = &list.templates[from + i];
            skep_str text = t->other ? SKEP_STR("<Other>") : skep_template_text(t, &n->arena);
            b.columns[n->stage->slots[0]][i] = (skep_value){.type = SKEP_TYPE_STRING, .s = text};
            b.columns[n->stage->slots[1]][i] =
                (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)t->count};
            b.columns[n->stage->slots[2]][i] =
                (skep_value){.type = SKEP_TYPE_DOUBLE,
                             .f = list.lines ? (double)t->count / (double)list.lines : 0};
            if (n->stage->n_slots > 3)
                compare(t, n->stage->slots, &b, i);
        }
        SKEP_TRY(skep_pipe__push(r, n->next, &b));
    }
    return SKEP_OK;
}

void skep_pipe__patterns_done(struct skep_pipe__node *n)
{
    skep_templates_free(n->state);
}
