// SPDX-License-Identifier: Apache-2.0
/* The row order of a logs segment: (dataset, time, row id).
 *
 * So the lines of one stream are neighbours, in order of time, and every block but those where two
 * datasets meet has tight bounds of time.
 *
 *   from anything     keys of all live rows: dataset number, time, row id; sorted   (40 bytes a
 * row) from logs         each source is in order already and knows where its datasets begin: the
 * head with the smallest key is taken, again and again       (about 64 KiB a source)
 *
 * I1  the order is total: row ids are unique.  Both ways give the same.
 * I2  all memory is asked from job->budget before it is allocated.
 * Threads: one. */
#include "store/column/log_order.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column/live.h"

enum { CURSOR_BYTES = 96 << 10, KEY_COLUMNS = 3 };

/* Distinct dataset names; rank: place in order of bytes. */
struct names {
    skep_str *names;
    uint32_t *ranks;
    uint32_t n, cap;
    struct skep_index index;
};

struct key {
    int64_t time_ns;
    uint64_t seq;
    uint32_t ordinal, dataset, source, row;
};

/* A source in order, block by block. */
struct cursor {
    struct skep_rowset *rs;
    const struct skep_live *live;
    struct skep_colreader *readers[KEY_COLUMNS]; /* TIME, SEQ, ORDINAL */
    uint32_t *ranks;                             /* of its runs */
    uint32_t run;
    uint64_t row, block0, block_end;
    int64_t ints[KEY_COLUMNS][SKEP_BLOCK_ROWS];
};

struct skep_log_order {
    const struct skep_segment_job *job;
    uint64_t charged_bytes;
    struct names names;
    struct skep_arena arena; /* names that the sources' readers do not keep */
    struct key *keys;        /* sorted */
    uint64_t n_rows, at;
    struct cursor **cursors; /* instead of keys */
};

static skep_rc charge(struct skep_log_order *o, uint64_t bytes, skep_err *err)
{
    SKEP_TRY(skep_budget_take(o->job->budget, bytes, err));
    o->charged_bytes += bytes;
    return SKEP_OK;
}

/* --- dataset names --- */

static skep_rc number_of(struct skep_log_order *o, skep_str name, uint32_t *ret, skep_err *err)
{
    struct names *t = &o->names;
    uint64_t h = skep_hash(skep_str_bytes(name));
    struct skep_index_it it = skep_index_begin(&t->index, h);
    for (uint32_t i; (i = skep_index_next(&t->index, &it)) != SKEP_INDEX_NONE;) {
        if (skep_str_eq(t->names[i], name)) {
            *ret = i;
            return SKEP_OK;
        }
    }
    if (t->n == t->cap) {
        uint32_t cap = t->cap ? t->cap * 2 : 64;
        SKEP_TRY(charge(o, (uint64_t)(cap - t->cap) * (sizeof *t->names + 48), err));
        t->names = skep_realloc(t->names, cap * sizeof *t->names);
        t->cap = cap;
    }
    char *text = skep_arena_try_alloc(&o->arena, name.n + 1);
    if (!text)
        return skep_fail(err, SKEP_ENOMEM, "no memory for the names of datasets");
    if (name.n)
        memcpy(text, name.p, name.n);
    skep_index_add(&t->index, h, t->n);
    t->names[t->n] = (skep_str){text, name.n};
    *ret = t->n++;
    return SKEP_OK;
}

static int by_name(const void *a, const void *b, void *names)
{
    const skep_str *all = names;
    return skep_str_cmp(all[*(const uint32_t *)a], all[*(const uint32_t *)b]);
}

static void rank_names(struct skep_log_order *o)
{
    struct names *t = &o->names;
    uint32_t *order = skep_alloc_n(uint32_t, t->n + 1);
    t->ranks = skep_alloc_n(uint32_t, t->n + 1);
    for (uint32_t i = 0; i < t->n; i++)
        order[i] = i;
    if (t->n > 1)
        qsort_r(order, t->n, sizeof *order, by_name, t->names);
    for (uint32_t i = 0; i < t->n; i++)
        t->ranks[order[i]] = i;
    skep_free(order);
}

/* --- from anything --- */

static int64_t int_at(const struct skep_vec *v, unsigned i)
{
    return v->none ? 0 : v->i64[v->constant ? 0 : i];
}

static skep_str str_at(const struct skep_vec *v, unsigned i)
{
    bool has = !v->none && (!v->valid || (v->valid[i / 64] >> (i % 64) & 1));
    if (!has)
        return SKEP_STR("");
    unsigned k = v->constant ? 0 : i;
    return v->form == SKEP_VEC_DICT ? skep_dict_str(v->dict, v->codes[k]) : v->str[k];
}

struct reading {
    struct skep_colreader *time, *seq, *ordinal, *dataset;
    skep_str last; /* dataset of the row before, in o->arena */
    uint32_t last_number;
    bool any;
};

static void close_reading(struct reading *r)
{
    struct skep_colreader *all[] = {r->time, r->seq, r->ordinal, r->dataset};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        if (all[i])
            all[i]->ops->close(all[i]);
}

static skep_rc open_reading(struct skep_rowset *rs, struct reading *r, skep_err *err)
{
    *r = (struct reading){0};
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_TIME, &r->time, err));
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_SEQ, &r->seq, err));
    SKEP_TRY(rs->ops->open_column(rs, SKEP_COL_ORDINAL, &r->ordinal, err));
    return rs->ops->open_column(rs, SKEP_COL_DATASET, &r->dataset, err);
}

static skep_rc add_block(struct skep_log_order *o, struct reading *r, uint32_t source,
                         uint64_t row0, unsigned n, skep_err *err)
{
    struct skep_vec time, seq, ordinal, dataset;
    SKEP_TRY(r->time->ops->read(r->time, row0, n, &time, err));
    SKEP_TRY(r->seq->ops->read(r->seq, row0, n, &seq, err));
    SKEP_TRY(r->ordinal->ops->read(r->ordinal, row0, n, &ordinal, err));
    SKEP_TRY(r->dataset->ops->read(r->dataset, row0, n, &dataset, err));
    for (unsigned i = 0; i < n; i++) {
        if (!skep_live_has(o->job->sources[source].live, row0 + i))
            continue;
        skep_str name = str_at(&dataset, i);
        if (!r->any || !skep_str_eq(name, r->last)) {
            SKEP_TRY(number_of(o, name, &r->last_number, err));
            r->last = o->names.names[r->last_number];
            r->any = true;
        }
        o->keys[o->n_rows++] = (struct key){.time_ns = int_at(&time, i),
                                            .seq = (uint64_t)int_at(&seq, i),
                                            .ordinal = (uint32_t)int_at(&ordinal, i),
                                            .dataset = r->last_number,
                                            .source = source,
                                            .row = (uint32_t)(row0 + i)};
    }
    return SKEP_OK;
}

static skep_rc add_source(struct skep_log_order *o, uint32_t source, skep_err *err)
{
    struct skep_rowset *rs = o->job->sources[source].rowset;
    struct reading r;
    skep_rc rc = open_reading(rs, &r, err);
    for (uint64_t b = 0; rc == SKEP_OK && b < skep_rowset_blocks(rs); b++) {
        unsigned n = skep_rowset_block_rows(rs, b);
        if (o->job->canceled && o->job->canceled(o->job->ctx))
            rc = skep_fail(err, SKEP_ECANCELED, "segment write canceled");
        else if (n > 0)
            rc = add_block(o, &r, source, b * SKEP_BLOCK_ROWS, n, err);
    }
    close_reading(&r);
    return rc;
}

static int by_key(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->dataset != y->dataset)
        return x->dataset < y->dataset ? -1 : 1;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static skep_rc collect(struct skep_log_order *o, skep_err *err)
{
    uint64_t rows = 0;
    for (unsigned s = 0; s < o->job->n_sources; s++)
        rows += skep_live_rows(o->job->sources[s].live, o->job->sources[s].rowset);
    if (rows >= UINT32_MAX)
        return skep_fail(err, SKEP_EINVAL, "too many rows for one segment");
    SKEP_TRY(charge(o, rows * sizeof(struct key), err));
    o->keys = skep_malloc(rows * sizeof(struct key) + 1);
    for (unsigned s = 0; s < o->job->n_sources; s++)
        SKEP_TRY(add_source(o, s, err));
    skep_assert(o->n_rows == rows);
    rank_names(o);
    bool sorted = true;
    for (uint64_t i = 0; i < rows; i++) {
        o->keys[i].dataset = o->names.ranks[o->keys[i].dataset];
        sorted = sorted && (i == 0 || by_key(&o->keys[i - 1], &o->keys[i]) < 0);
    }
    if (!sorted)
        qsort(o->keys, rows, sizeof *o->keys, by_key);
    return SKEP_OK;
}

/* --- from logs segments --- */

static bool are_logs(const struct skep_segment_job *job)
{
    for (unsigned s = 0; s < job->n_sources; s++)
        if (job->sources[s].rowset->n_runs == 0)
            return false;
    return true;
}

static skep_rc load_block(struct cursor *c, skep_err *err)
{
    uint64_t block = c->row / SKEP_BLOCK_ROWS;
    unsigned n = skep_rowset_block_rows(c->rs, block);
    c->block0 = c->block_end = block * SKEP_BLOCK_ROWS; /* nothing, should a read fail */
    for (unsigned k = 0; k < KEY_COLUMNS; k++) {
        struct skep_vec v;
        SKEP_TRY(c->readers[k]->ops->read(c->readers[k], c->block0, n, &v, err));
        for (unsigned i = 0; i < n; i++)
            c->ints[k][i] = int_at(&v, i);
    }
    c->block_end = c->block0 + n;
    return SKEP_OK;
}

static bool at_end(const struct cursor *c)
{
    return c->row >= c->rs->row_end;
}

/* To the first live row from c->row on. */
static skep_rc settle(struct cursor *c, skep_err *err)
{
    for (;; c->row++) {
        if (c->row >= c->block_end || c->row < c->block0) {
            while (!at_end(c) && c->row % SKEP_BLOCK_ROWS >=
                                     skep_rowset_block_rows(c->rs, c->row / SKEP_BLOCK_ROWS))
                c->row = (c->row / SKEP_BLOCK_ROWS + 1) * SKEP_BLOCK_ROWS; /* over a gap */
            if (at_end(c))
                return SKEP_OK;
            SKEP_TRY(load_block(c, err));
        }
        if (skep_live_has(c->live, c->row))
            break;
    }
    while (c->run + 1 < c->rs->n_runs && c->rs->runs[c->run + 1].first <= c->row)
        c->run++;
    return SKEP_OK;
}

static skep_rc open_cursor(struct skep_log_order *o, unsigned s, skep_err *err)
{
    static const enum skep_column columns[KEY_COLUMNS] = {SKEP_COL_TIME, SKEP_COL_SEQ,
                                                          SKEP_COL_ORDINAL};
    struct skep_rowset *rs = o->job->sources[s].rowset;
    SKEP_TRY(charge(o, CURSOR_BYTES + (uint64_t)rs->n_runs * sizeof(uint32_t), err));
    struct cursor *c = skep_alloc(struct cursor);
    o->cursors[s] = c;
    c->rs = rs;
    c->live = o->job->sources[s].live;
    c->ranks = skep_alloc_n(uint32_t, rs->n_runs);
    for (uint32_t i = 0; i < rs->n_runs; i++)
        SKEP_TRY(number_of(o, rs->runs[i].dataset, &c->ranks[i], err));
    for (unsigned k = 0; k < KEY_COLUMNS; k++)
        SKEP_TRY(rs->ops->open_column(rs, columns[k], &c->readers[k], err));
    return settle(c, err);
}

static skep_rc open_cursors(struct skep_log_order *o, skep_err *err)
{
    unsigned n = o->job->n_sources;
    o->cursors = skep_alloc_n(struct cursor *, n);
    for (unsigned s = 0; s < n; s++)
        SKEP_TRY(open_cursor(o, s, err));
    rank_names(o);
    for (unsigned s = 0; s < n; s++)
        for (uint32_t i = 0; i < o->cursors[s]->rs->n_runs; i++)
            o->cursors[s]->ranks[i] = o->names.ranks[o->cursors[s]->ranks[i]];
    return SKEP_OK;
}

static bool head_before(const struct cursor *a, const struct cursor *b)
{
    uint32_t x = a->ranks[a->run], y = b->ranks[b->run];
    size_t i = a->row - a->block0, k = b->row - b->block0;
    if (x != y)
        return x < y;
    if (a->ints[0][i] != b->ints[0][k])
        return a->ints[0][i] < b->ints[0][k];
    if (a->ints[1][i] != b->ints[1][k])
        return (uint64_t)a->ints[1][i] < (uint64_t)b->ints[1][k];
    return a->ints[2][i] < b->ints[2][k];
}

static skep_rc next_of_cursors(struct skep_log_order *o, struct skep_order_row *rows, uint32_t max,
                               uint32_t *ret_n, skep_err *err)
{
    uint32_t n = 0;
    while (n < max) {
        struct cursor *best = NULL;
        uint32_t source = 0;
        for (uint32_t s = 0; s < o->job->n_sources; s++) {
            struct cursor *c = o->cursors[s];
            if (!at_end(c) && (!best || head_before(c, best))) {
                best = c;
                source = s;
            }
        }
        if (!best)
            break;
        rows[n++] = (struct skep_order_row){source, (uint32_t)best->row};
        best->row++;
        SKEP_TRY(settle(best, err));
    }
    *ret_n = n;
    return SKEP_OK;
}

/* --- both --- */

skep_rc skep_log_order_new(const struct skep_segment_job *job, struct skep_log_order **ret,
                           skep_err *err)
{
    skep_assert(job->budget && job->sources);
    struct skep_log_order *o = skep_alloc(struct skep_log_order);
    o->job = job;
    skep_arena_init(&o->arena, "log order", job->budget);
    skep_rc rc = are_logs(job) ? open_cursors(o, err) : collect(o, err);
    if (rc != SKEP_OK) {
        skep_log_order_free(o);
        return rc;
    }
    *ret = o;
    return SKEP_OK;
}

skep_rc skep_log_order_next(struct skep_log_order *o, struct skep_order_row *rows, uint32_t max,
                            uint32_t *ret_n, skep_err *err)
{
    if (o->cursors)
        return next_of_cursors(o, rows, max, ret_n, err);
    uint32_t n = (uint32_t)SKEP_MIN((uint64_t)max, o->n_rows - o->at);
    for (uint32_t i = 0; i < n; i++) {
        const struct key *k = &o->keys[o->at + i];
        rows[i] = (struct skep_order_row){k->source, k->row};
    }
    o->at += n;
    *ret_n = n;
    return SKEP_OK;
}

void skep_log_order_free(struct skep_log_order *o)
{
    if (!o)
        return;
    for (unsigned s = 0; o->cursors && s < o->job->n_sources; s++) {
        struct cursor *c = o->cursors[s];
        for (unsigned k = 0; c && k < KEY_COLUMNS; k++)
            if (c->readers[k])
                c->readers[k]->ops->close(c->readers[k]);
        if (c)
            skep_free(c->ranks);
        skep_free(c);
    }
    skep_free(o->cursors);
    skep_free(o->keys);
    skep_free(o->names.names);
    skep_free(o->names.ranks);
    skep_index_done(&o->names.index);
    skep_arena_done(&o->arena);
    skep_budget_give(o->job->budget, o->charged_bytes);
    skep_free(o);
}
