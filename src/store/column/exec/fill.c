// SPDX-License-Identifier: Apache-2.0
/* Late materialisation: rows of an answer, with all their columns and fields.
 *
 * The hits are visited in storage order, so that each block of each column is read once; the rows
 * stand in the answer's order.  Interned lists are turned into fields once a (rowset, list) and
 * copied as pointers.
 *
 * Rows that were shown before may be kept as they were (kept_rows.c); the others are then.
 *
 * I1  Nothing in the answer points into a rowset, which may go away: all is copied to opts->arena
 * (names of columns asked for are the plan's). I2  A block that cannot be read takes its rows out
 * of the answer and marks it incomplete.
 *
 * Threads: the caller's.  Memory: opts->arena, asked for; the same bytes are taken from the query's
 * budget while the answer is made, so that an unbounded arena does not make it unbounded. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

#include <stdlib.h>

enum { AHEAD_BYTES = 16 << 10 };

struct found {
    uint16_t row;
    struct skep_row_field field;
};

struct listed { /* fields of one interned list */
    bool made;
    unsigned n;
    struct skep_row_field *fields;
};

struct fill {
    struct skep_x_query *q;
    struct skep_x_ctx *c;
    const struct skep_x_hit *hits;
    struct skep_row *rows;
    bool *bad;               /* by hit */
    uint32_t *order;         /* hits in storage order */
    uint64_t taken;          /* from the budget */
    uint64_t ahead;          /* of it, not used yet */
    uint32_t set;            /* names and lists below belong to it */
    skep_str *names;         /* copies, [n_fields] */
    struct listed *lists[2]; /* scopes, resources */
    struct { /* the last text of a dictionary, by column: often the next one's, too */
        const struct skep_dict *dict;
        uint32_t code;
        skep_str text;
    } last[SKEP_COL_COUNT];
    struct found *found;
    size_t n_found, cap_found;
};

static void *answer_alloc(struct fill *f, size_t n)
{
    if (f->ahead < n) { /* texts are many and small: the budget is asked once for some of them */
        uint64_t want = SKEP_MAX((uint64_t)n, (uint64_t)AHEAD_BYTES);
        if (skep_x__take(f->q, want) != SKEP_OK) {
            want = n;
            if (skep_x__take(f->q, want) != SKEP_OK)
                return NULL;
        }
        f->taken += want;
        f->ahead += want;
    }
    f->ahead -= n;
    return skep_arena_try_alloc(f->q->opts->arena, n + 1);
}

static skep_rc no_memory(skep_err *err)
{
    return skep_fail(err, SKEP_ENOMEM,
                     "the answer needs more memory than the query may use: ask for less rows");
}

static skep_rc copy_str(struct fill *f, skep_str s, skep_str *ret, skep_err *err)
{
    char *p = answer_alloc(f, s.n);
    if (!p)
        return no_memory(err);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    *ret = (skep_str){p, s.n};
    return SKEP_OK;
}

static skep_rc copy_value(struct fill *f, skep_value v, skep_value *ret, skep_err *err)
{
    *ret = v;
    if (v.type == SKEP_TYPE_STRING || v.type == SKEP_TYPE_BYTES || v.type == SKEP_TYPE_ARRAY)
        return copy_str(f, v.s, &ret->s, err);
    return SKEP_OK;
}

static skep_rc text_at(struct fill *f, enum skep_column col, unsigned row, skep_str *ret,
                       skep_err *err)
{
    const struct skep_vec *v = NULL;
    *ret = SKEP_STR("");
    SKEP_TRY(skep_x__column(f->c, col, &v, err));
    if (v->none || (v->valid && !(v->valid[row / 64] >> (row % 64) & 1)))
        return SKEP_OK;
    unsigned at = v->constant ? 0 : row;
    if (v->form == SKEP_VEC_DICT) {
        if (f->last[col].dict != v->dict || f->last[col].code != v->codes[at]) {
            f->last[col].dict = NULL;
            SKEP_TRY(copy_str(f, skep_dict_str(v->dict, v->codes[at]), &f->last[col].text, err));
            f->last[col].dict = v->dict;
            f->last[col].code = v->codes[at];
        }
        *ret = f->last[col].text;
        return SKEP_OK;
    }
    if (v->form == SKEP_VEC_STR)
        return copy_str(f, v->str[at], ret, err);
    return skep_fail(err, SKEP_ECORRUPT, "column %d is no text", (int)col);
}

static skep_rc int_at(struct fill *f, enum skep_column col, unsigned row, int64_t *ret,
                      skep_err *err)
{
    const struct skep_vec *v = NULL;
    *ret = 0;
    SKEP_TRY(skep_x__column(f->c, col, &v, err));
    if (v->none)
        return SKEP_OK;
    if (v->form != SKEP_VEC_I64)
        return skep_fail(err, SKEP_ECORRUPT, "column %d is not made of integers", (int)col);
    *ret = v->i64[v->constant ? 0 : row];
    return SKEP_OK;
}

/* What a bare row has. */
static skep_rc fill_bare(struct fill *f, unsigned row, struct skep_row *r, skep_err *err)
{
    int64_t seq, ordinal;
    SKEP_TRY(int_at(f, SKEP_COL_TIME, row, &r->time_ns, err));
    SKEP_TRY(int_at(f, SKEP_COL_RECEIVED, row, &r->received_ns, err));
    SKEP_TRY(int_at(f, SKEP_COL_SEQ, row, &seq, err));
    SKEP_TRY(int_at(f, SKEP_COL_ORDINAL, row, &ordinal, err));
    r->id = (skep_row_id){(uint64_t)seq, (uint32_t)ordinal};
    return text_at(f, SKEP_COL_DATASET, row, &r->dataset, err);
}

/* Intrinsic columns of one row of the current block. */
static skep_rc fill_columns(struct fill *f, unsigned row, struct skep_row *r, skep_err *err)
{
    int64_t x[SKEP_COL_COUNT] = {0};
    for (int col = 0; col < SKEP_COL_COUNT; col++)
        if (col != SKEP_COL_TRACE_ID && col != SKEP_COL_NAME && col != SKEP_COL_DATASET)
            SKEP_TRY(int_at(f, (enum skep_column)col, row, &x[col], err));
    const struct skep_vec *ids = NULL;
    SKEP_TRY(skep_x__column(f->c, SKEP_COL_TRACE_ID, &ids, err));
    if (!ids->none && ids->form == SKEP_VEC_ID16)
        r->trace_id = ids->id16[ids->constant ? 0 : row];
    SKEP_TRY(text_at(f, SKEP_COL_NAME, row, &r->name, err));
    SKEP_TRY(text_at(f, SKEP_COL_DATASET, row, &r->dataset, err));
    r->id = (skep_row_id){(uint64_t)x[SKEP_COL_SEQ], (uint32_t)x[SKEP_COL_ORDINAL]};
    r->time_ns = x[SKEP_COL_TIME];
    r->received_ns = x[SKEP_COL_RECEIVED];
    r->duration_ns = x[SKEP_COL_DURATION];
    r->kind = (enum skep_kind)x[SKEP_COL_KIND];
    r->source = (enum skep_source)x[SKEP_COL_SOURCE];
    r->span_id = (uint64_t)x[SKEP_COL_SPAN_ID];
    r->parent_id = (uint64_t)x[SKEP_COL_PARENT_ID];
    r->status = (uint8_t)x[SKEP_COL_STATUS];
    r->span_kind = (uint8_t)x[SKEP_COL_SPAN_KIND];
    r->severity = (uint8_t)x[SKEP_COL_SEVERITY];
    r->flags = (uint32_t)x[SKEP_COL_FLAGS];
    r->sample_rate = (uint32_t)x[SKEP_COL_SAMPLE_RATE];
    return SKEP_OK;
}

static skep_rc new_set(struct fill *f, uint32_t set, skep_err *err)
{
    SKEP_TRY(skep_x__bind(f->c, set, err));
    if (f->set == set)
        return SKEP_OK;
    const struct skep_rowset *rs = f->c->rs;
    f->names = answer_alloc(f, (rs->n_fields + 1) * sizeof *f->names);
    f->lists[0] = answer_alloc(f, (rs->scopes.n + 1) * sizeof(struct listed));
    f->lists[1] = answer_alloc(f, (rs->resources.n + 1) * sizeof(struct listed));
    if (!f->names || !f->lists[0] || !f->lists[1])
        return no_memory(err);
    f->set = set;
    return SKEP_OK;
}

static skep_rc field_name(struct fill *f, uint32_t field, skep_str *ret, skep_err *err)
{
    if (!f->names[field].p)
        SKEP_TRY(copy_str(f, f->c->rs->fields[field].name, &f->names[field], err));
    *ret = f->names[field];
    return SKEP_OK;
}

static skep_rc list_fields(struct fill *f, int which, int64_t list, struct listed **ret,
                           skep_err *err)
{
    const struct skep_rowset_lists *l = which ? &f->c->rs->resources : &f->c->rs->scopes;
    static struct listed empty = {.made = true};
    *ret = &empty;
    if ((uint64_t)list >= l->n)
        return l->n == 0 && list == 0
                   ? SKEP_OK
                   : skep_fail(err, SKEP_ECORRUPT, "no attribute list %lld", (long long)list);
    struct listed *x = &f->lists[which][list];
    *ret = x;
    if (x->made)
        return SKEP_OK;
    unsigned n = l->first[list + 1] - l->first[list];
    struct skep_row_field *fields = answer_alloc(f, n * sizeof *fields);
    if (!fields)
        return no_memory(err);
    for (unsigned i = 0; i < n; i++) {
        const struct skep_rowset_entry *e = &l->entries[l->first[list] + i];
        fields[i].scope = which ? SKEP_SCOPE_RESOURCE : SKEP_SCOPE_INSTRUMENTATION;
        SKEP_TRY(copy_str(f, e->name, &fields[i].name, err));
        SKEP_TRY(copy_value(f, e->value, &fields[i].value, err));
    }
    x->fields = fields;
    x->n = n;
    x->made = true;
    return SKEP_OK;
}

static skep_rc push_found(struct fill *f, unsigned row, struct skep_row_field field, skep_err *err)
{
    if (f->n_found == f->cap_found) {
        size_t cap = f->cap_found ? f->cap_found * 2 : 256;
        if (skep_x__take(f->q, (cap - f->cap_found) * sizeof *f->found) != SKEP_OK)
            return no_memory(err);
        f->found = skep_realloc(f->found, cap * sizeof *f->found);
        f->cap_found = cap;
    }
    f->found[f->n_found++] = (struct found){(uint16_t)row, field};
    return SKEP_OK;
}

/* Stored fields of the rows in bits. */
static skep_rc stored_fields(struct fill *f, const struct skep_x_bits *bits, skep_err *err)
{
    const struct skep_rowset *rs = f->c->rs;
    uint16_t rows[SKEP_BLOCK_ROWS];
    for (uint32_t i = 0; i < rs->n_fields; i++) {
        if (skep_x__unlisted(f->q, &rs->fields[i]))
            continue;
        struct skep_x_source s = {
            .kind = SKEP_X_FIELD, .type = (enum skep_type)rs->fields[i].type, .field = i};
        struct skep_x_vals v;
        SKEP_TRY(skep_x__load(f->c, &s, bits, &v, err));
        if (!skep_x__any(&v.present))
            continue;
        struct skep_row_field field = {.scope = (enum skep_scope)rs->fields[i].scope};
        SKEP_TRY(field_name(f, i, &field.name, err));
        struct skep_sel sel = skep_x__rows(&v.present, f->c->n, rows);
        for (unsigned k = 0; k < sel.n; k++) {
            unsigned r = sel.rows ? sel.rows[k] : k;
            char text[40];
            SKEP_TRY(copy_value(f, skep_x__value(&v, r, text), &field.value, err));
            SKEP_TRY(push_found(f, r, field, err));
        }
    }
    return SKEP_OK;
}

/* All fields of the hits order[from .. to) (of one block), in the scopes they stand in. */
static skep_rc all_fields(struct fill *f, const struct skep_x_bits *bits, size_t from, size_t to,
                          skep_err *err)
{
    unsigned count[SKEP_BLOCK_ROWS] = {0};
    f->n_found = 0;
    SKEP_TRY(stored_fields(f, bits, err));
    for (size_t i = 0; i < f->n_found; i++)
        count[f->found[i].row]++;
    struct skep_row *at[SKEP_BLOCK_ROWS] = {NULL};
    for (size_t k = from; k < to; k++) {
        unsigned row = (unsigned)(f->hits[f->order[k]].row - f->c->row0);
        struct skep_row *r = &f->rows[f->order[k]];
        int64_t scope = 0, resource = 0;
        struct listed *ls = NULL, *lr = NULL;
        SKEP_TRY(int_at(f, SKEP_COL_SCOPE, row, &scope, err));
        SKEP_TRY(int_at(f, SKEP_COL_RESOURCE, row, &resource, err));
        SKEP_TRY(list_fields(f, 0, scope, &ls, err));
        SKEP_TRY(list_fields(f, 1, resource, &lr, err));
        r->fields = answer_alloc(f, (count[row] + ls->n + lr->n) * sizeof *r->fields);
        if (!r->fields)
            return no_memory(err);
        if (ls->n > 0)
            memcpy(r->fields + count[row], ls->fields, ls->n * sizeof *r->fields);
        if (lr->n > 0)
            memcpy(r->fields + count[row] + ls->n, lr->fields, lr->n * sizeof *r->fields);
        r->n_fields = ls->n + lr->n;
        at[row] = r;
        count[row] = 0;
    }
    for (size_t i = 0; i < f->n_found; i++) {
        struct skep_row *r = at[f->found[i].row];
        r->fields[count[f->found[i].row]++] = f->found[i].field;
        r->n_fields++;
    }
    return SKEP_OK;
}

/* The same for only_present: a wide question about a long answer costs what is there. */
static skep_rc present_fields(struct fill *f, size_t hit, unsigned row, skep_err *err)
{
    const struct skep_plan *p = f->q->plan;
    struct skep_row *r = &f->rows[hit];
    struct skep_row_field found[SKEP_LIMIT_PLAN_PRESENT];
    unsigned n = 0;
    skep_assert(p->n_columns <= SKEP_LIMIT_PLAN_PRESENT);
    for (unsigned i = 0; i < p->n_columns; i++) {
        char text[40];
        skep_value v;
        struct skep_row_field *field = &found[n];
        field->name = p->columns[i].name;
        SKEP_TRY(skep_x__row_value(f->c, skep_x__name(f->q, field->name), row, text, &v,
                                   &field->scope, err));
        if (v.type == SKEP_TYPE_NULL)
            continue;
        SKEP_TRY(copy_value(f, v, &field->value, err));
        n++;
    }
    r->n_fields = n;
    r->fields = answer_alloc(f, n * sizeof *r->fields);
    if (!r->fields)
        return no_memory(err);
    if (n > 0)
        memcpy(r->fields, found, n * sizeof *found);
    return SKEP_OK;
}

static skep_rc asked_fields(struct fill *f, size_t hit, unsigned row, skep_err *err)
{
    const struct skep_plan *p = f->q->plan;
    struct skep_row *r = &f->rows[hit];
    r->fields = answer_alloc(f, p->n_columns * sizeof *r->fields);
    if (!r->fields)
        return no_memory(err);
    r->n_fields = p->n_columns;
    for (unsigned i = 0; i < p->n_columns; i++) {
        char text[40];
        skep_value v;
        struct skep_row_field *field = &r->fields[i];
        field->name = p->columns[i].name;
        SKEP_TRY(skep_x__row_value(f->c, skep_x__name(f->q, field->name), row, text, &v,
                                   &field->scope, err));
        SKEP_TRY(copy_value(f, v, &field->value, err));
    }
    return SKEP_OK;
}

/* Hits order[from .. to): all of one block, each row once. */
static skep_rc fill_block(struct fill *f, size_t from, size_t to, skep_err *err)
{
    const struct skep_x_hit *first = &f->hits[f->order[from]];
    struct skep_x_bits bits = {{0}};
    SKEP_TRY(new_set(f, first->set, err));
    memset(f->last, 0, sizeof f->last); /* dictionaries of the block before may be gone */
    /* Hits are by place: of few rows of the block nothing else is read. */
    uint64_t last = f->hits[f->order[to - 1]].row;
    skep_x__look_at(f->c, first->row, (unsigned)(last - first->row + 1));
    for (size_t k = from; k < to; k++) {
        unsigned row = (unsigned)(f->hits[f->order[k]].row - f->c->row0);
        bits.w[row / 64] |= 1ull << (row % 64);
        SKEP_TRY((f->q->plan->bare ? fill_bare : fill_columns)(f, row, &f->rows[f->order[k]], err));
        if (f->q->plan->n_columns > 0)
            SKEP_TRY((f->q->plan->only_present ? present_fields : asked_fields)(f, f->order[k], row,
                                                                                err));
    }
    return f->q->plan->n_columns > 0 ? SKEP_OK : all_fields(f, &bits, from, to, err);
}

static int by_place(const void *a, const void *b, void *arg)
{
    const struct fill *f = arg;
    const struct skep_x_hit *x = &f->hits[*(const uint32_t *)a];
    const struct skep_x_hit *y = &f->hits[*(const uint32_t *)b];
    if (x->set != y->set)
        return x->set < y->set ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static skep_rc fill_all(struct fill *f, size_t n, skep_err *err)
{
    for (size_t from = 0, to = 0; from < n; from = to) {
        const struct skep_x_hit *first = &f->hits[f->order[from]];
        for (to = from + 1; to < n; to++) {
            const struct skep_x_hit *h = &f->hits[f->order[to]];
            if (h->set != first->set || h->row / SKEP_BLOCK_ROWS != first->row / SKEP_BLOCK_ROWS)
                break;
        }
        skep_err why = {.rc = SKEP_OK};
        skep_rc rc = fill_block(f, from, to, &why);
        if (skep_x__is_damage(rc)) {
            skep_x__damaged(f->q, SIZE_MAX, &why);
            for (size_t k = from; k < to; k++)
                f->bad[f->order[k]] = true;
        } else if (rc != SKEP_OK) {
            if (err)
                *err = why;
            return rc;
        }
        if (f->q->opts->canceled && f->q->opts->canceled(f->q->opts->ctx))
            return skep_fail(err, SKEP_ECANCELED, "the query was canceled");
    }
    return SKEP_OK;
}

/* Rows that are kept are copied; the others' hits are f->order[*ret_n]. */
static skep_rc fill_kept(struct fill *f, struct skep_x_kept_rows *k, size_t n, size_t *ret_n,
                         skep_err *err)
{
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        const struct skep_partials_entry *e = skep_x__kept_row(k, &f->hits[i]);
        if (!e) {
            f->order[(*ret_n)++] = (uint32_t)i;
            continue;
        }
        uint8_t *p = answer_alloc(f, e->bytes.n);
        if (p)
            f->rows[i] = skep_x__kept_row_read(e->bytes, p);
        skep_partials_let_go(f->q->partials, e);
        if (!p)
            return no_memory(err);
    }
    return SKEP_OK;
}

static skep_rc fill_rows(struct fill *f, size_t n, skep_err *err)
{
    struct skep_x_kept_rows kept;
    size_t n_left = 0;
    skep_x__kept_rows_begin(&kept, f->q, n);
    skep_rc rc = fill_kept(f, &kept, n, &n_left, err);
    if (rc == SKEP_OK && n_left > 0) {
        qsort_r(f->order, n_left, sizeof *f->order, by_place, f);
        rc = fill_all(f, n_left, err);
    }
    for (size_t k = 0; k < n_left && rc == SKEP_OK; k++)
        if (!f->bad[f->order[k]])
            skep_x__keep_row(&kept, &f->hits[f->order[k]], &f->rows[f->order[k]]);
    skep_x__kept_rows_done(&kept);
    return rc;
}

skep_rc skep_x__fill(struct skep_x_query *q, const struct skep_x_hit *hits, size_t n,
                     struct skep_rows *ret, skep_err *err)
{
    skep_assert(n < UINT32_MAX);
    struct fill f = {.q = q, .hits = hits, .set = UINT32_MAX};
    f.c = skep_x__ctx_new(q);
    f.rows = answer_alloc(&f, (n + 1) * sizeof *f.rows);
    f.bad = answer_alloc(&f, (n + 1) * sizeof *f.bad);
    f.order = answer_alloc(&f, (n + 1) * sizeof *f.order);
    skep_rc rc = f.rows && f.bad && f.order ? SKEP_OK : no_memory(err);
    if (rc == SKEP_OK)
        rc = fill_rows(&f, n, err);
    if (rc == SKEP_OK) {
        ret->rows = f.rows;
        ret->n = 0;
        for (size_t i = 0; i < n; i++)
            if (!f.bad[i])
                f.rows[ret->n++] = f.rows[i];
    }
    skep_x__give(q, f.taken + f.cap_found * sizeof *f.found);
    skep_free(f.found);
    return rc;
}
