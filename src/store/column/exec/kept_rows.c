// SPDX-License-Identifier: Apache-2.0
/* Rows of answers, kept for the next answer that shows them.
 *
 *   struct skep_row | its fields | texts of both      pointers are offsets from the beginning
 *
 * The newest rows of a filter lie each in a row group of its own: to show twenty of them fifty
 * columns of each are opened, of which most chunks have left the cache until the next time.  A row
 * of a segment never changes, so what was shown of it is copied back.
 *
 * I1  what a key says decides the bytes: the row's place and what is shown of it (canon.c).  That
 *     it is alive and may be seen is the question's to know: its filter gave it.
 * I2  only short answers are kept, and rows that are not long: one answer cannot take the cache.
 *
 * Threads: the caller's. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

enum {
    MOST_ROWS = 128,
    MOST_BYTES = 32 << 10,
    COLUMNS_BYTES = 2048 /* as written: they stand in each entry's key */
};

void skep_x__kept_rows_begin(struct skep_x_kept_rows *k, struct skep_x_query *q, size_t n)
{
    *k = (struct skep_x_kept_rows){.q = q};
    skep_buf_init(&k->key, COLUMNS_BYTES + 8);
    k->able = q->partials && q->plan->kind == SKEP_PLAN_ROWS && n <= MOST_ROWS &&
              skep_partials_columns(q->plan, &k->key) && k->key.n <= COLUMNS_BYTES;
    k->columns_bytes = k->key.n;
}

void skep_x__kept_rows_done(struct skep_x_kept_rows *k)
{
    skep_buf_done(&k->key);
}

static struct skep_partials_key key_of(struct skep_x_kept_rows *k, const struct skep_x_hit *hit)
{
    k->key.n = k->columns_bytes;
    skep_buf_u64(&k->key, hit->row);
    return (struct skep_partials_key){k->q->snap->sets[hit->set].rowset->serial, 0,
                                      skep_buf_bytes(&k->key)};
}

static bool may_keep(const struct skep_x_kept_rows *k, const struct skep_x_hit *hit)
{
    return k->able && k->q->snap->sets[hit->set].rowset->serial != 0;
}

static bool is_text(const skep_value *v)
{
    return v->type == SKEP_TYPE_STRING || v->type == SKEP_TYPE_BYTES || v->type == SKEP_TYPE_ARRAY;
}

const struct skep_partials_entry *skep_x__kept_row(struct skep_x_kept_rows *k,
                                                   const struct skep_x_hit *hit)
{
    if (!may_keep(k, hit))
        return NULL;
    struct skep_partials_key key = key_of(k, hit);
    return skep_partials_get(k->q->partials, &key);
}

static void rebase(skep_str *s, const uint8_t *base)
{
    s->p = (const char *)base + (uintptr_t)s->p;
}

struct skep_row skep_x__kept_row_read(skep_bytes kept, uint8_t *to)
{
    struct skep_row row;
    memcpy(to, kept.p, kept.n);
    memcpy(&row, to, sizeof row);
    rebase(&row.name, to);
    rebase(&row.dataset, to);
    row.fields = (struct skep_row_field *)(void *)(to + sizeof row);
    for (unsigned i = 0; i < row.n_fields; i++) {
        rebase(&row.fields[i].name, to);
        if (is_text(&row.fields[i].value))
            rebase(&row.fields[i].value.s, to);
    }
    return row;
}

static size_t size_of(const struct skep_row *row)
{
    size_t n = sizeof *row + row->n_fields * sizeof *row->fields + row->name.n + row->dataset.n;
    for (unsigned i = 0; i < row->n_fields; i++) {
        n += row->fields[i].name.n;
        n += is_text(&row->fields[i].value) ? row->fields[i].value.s.n : 0;
    }
    return n;
}

/* The text goes to base + *at; what refers to it is its offset. */
static skep_str store(uint8_t *base, size_t *at, skep_str s)
{
    skep_str ret = {(const char *)(uintptr_t)*at, s.n};
    if (s.n > 0)
        memcpy(base + *at, s.p, s.n);
    *at += s.n;
    return ret;
}

void skep_x__keep_row(struct skep_x_kept_rows *k, const struct skep_x_hit *hit,
                      const struct skep_row *row)
{
    if (!may_keep(k, hit))
        return;
    size_t n = size_of(row), at = sizeof *row + row->n_fields * sizeof *row->fields;
    if (n > MOST_BYTES)
        return;
    uint8_t *p = skep_calloc(1, n);
    struct skep_row copy = *row;
    struct skep_row_field *fields = (struct skep_row_field *)(void *)(p + sizeof copy);
    copy.fields = NULL;
    copy.name = store(p, &at, row->name);
    copy.dataset = store(p, &at, row->dataset);
    memcpy(p, &copy, sizeof copy);
    for (unsigned i = 0; i < row->n_fields; i++) {
        fields[i] = row->fields[i];
        fields[i].name = store(p, &at, row->fields[i].name);
        if (is_text(&row->fields[i].value))
            fields[i].value.s = store(p, &at, row->fields[i].value.s);
    }
    skep_assert(at == n);
    struct skep_partials_key key = key_of(k, hit);
    skep_partials_put_bytes(k->q->partials, &key, (skep_bytes){p, n});
    skep_free(p);
}
