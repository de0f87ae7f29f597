// SPDX-License-Identifier: Apache-2.0
/* FIELDS and DATASETS: what there is to ask about.
 *
 * FIELDS counts by whole rowsets that touch the range (rows.h): stored fields from the rowset's own
 * counts, resource and instrumentation fields by counting rows per interned list, views by counting
 * rows of the kinds on which they exist (an upper bound: a view may be absent on some of them).
 * With a dataset or filter everything is counted row by row, over the rows that pass.
 *
 * DATASETS counts live rows in the range; names that differ in case alone are one dataset, shown as
 * its earliest row wrote it (of several the bytewise least).
 *
 * Threads: a context belongs to one thread.  Memory: tables bounded by the number of names. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

#include <stdlib.h>

struct names {
    struct skep_field_info *items;
    uint32_t n, cap;
    struct skep_index index;
};

struct counts { /* of one context, for one set at a time */
    struct names names;
    uint32_t set;
    uint64_t *lists[2]; /* rows by scope list, resource list */
    uint64_t kinds[SKEP_KIND_COUNT];
    uint64_t *fields; /* with a filter: rows by stored field */
    int64_t buf[SKEP_BLOCK_ROWS];
};

/* types, scopes: bit sets. */
static void add_name(struct names *ns, skep_str name, uint32_t types, uint32_t scopes,
                     uint64_t rows)
{
    uint64_t hash = skep_hash(skep_str_bytes(name));
    struct skep_index_it it = skep_index_begin(&ns->index, hash);
    uint32_t i;
    while ((i = skep_index_next(&ns->index, &it)) != SKEP_INDEX_NONE)
        if (skep_str_eq(ns->items[i].name, name))
            break;
    if (i == SKEP_INDEX_NONE) {
        SKEP_GROW(ns->items, ns->n, ns->cap);
        i = ns->n++;
        ns->items[i] = (struct skep_field_info){.name = name};
        skep_index_add(&ns->index, hash, i);
    }
    ns->items[i].types |= types;
    ns->items[i].scopes |= scopes;
    ns->items[i].rows += rows;
}

/* Turn what was counted for the current set into names.  Names point into the rowset, which the
 * snapshot keeps for the whole run. */
static void settle(struct skep_x_ctx *c, struct counts *k)
{
    if (k->set == UINT32_MAX)
        return;
    const struct skep_rowset *rs = c->q->snap->sets[k->set].rowset;
    for (int which = 0; which < 2; which++) {
        const struct skep_rowset_lists *l = which ? &rs->resources : &rs->scopes;
        for (uint32_t i = 0; i < l->n; i++)
            for (uint32_t e = l->first[i]; k->lists[which][i] > 0 && e < l->first[i + 1]; e++)
                add_name(&k->names, l->entries[e].name, 1u << l->entries[e].value.type,
                         1u << (which ? SKEP_SCOPE_RESOURCE : SKEP_SCOPE_INSTRUMENTATION),
                         k->lists[which][i]);
        skep_free(k->lists[which]);
        k->lists[which] = NULL;
    }
    for (uint32_t f = 0; k->fields && f < rs->n_fields; f++)
        if (k->fields[f] > 0) // those unlisted were not counted
            add_name(&k->names, rs->fields[f].name, 1u << rs->fields[f].type,
                     1u << rs->fields[f].scope, k->fields[f]);
    skep_free(k->fields);
    k->fields = NULL;
    k->set = UINT32_MAX;
}

static void start_set(struct skep_x_ctx *c, struct counts *k)
{
    if (k->set == c->set)
        return;
    settle(c, k);
    k->set = c->set;
    k->lists[0] = skep_alloc_n(uint64_t, c->rs->scopes.n + 1);
    k->lists[1] = skep_alloc_n(uint64_t, c->rs->resources.n + 1);
    if (c->q->filter)
        k->fields = skep_alloc_n(uint64_t, c->rs->n_fields + 1);
}

static skep_rc count_ints(struct skep_x_ctx *c, struct counts *k, enum skep_column col,
                          const struct skep_x_bits *bits, uint64_t *counts, uint64_t n_counts,
                          skep_err *err)
{
    const struct skep_vec *v = NULL;
    SKEP_TRY(skep_x__column(c, col, &v, err));
    if (!v->none && v->constant && v->form == SKEP_VEC_I64) {
        if ((uint64_t)v->i64[0] < n_counts)
            counts[v->i64[0]] += skep_x__count(bits);
        return SKEP_OK;
    }
    const int64_t *x = NULL;
    SKEP_TRY(skep_x__ints(c, col, k->buf, &x, err));
    for (unsigned r = 0; r < c->n; r++)
        if (skep_x__has(bits, r) && (uint64_t)x[r] < n_counts)
            counts[x[r]]++;
    return SKEP_OK;
}

static skep_rc fields_morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_err *err)
{
    if (!c->extra) {
        struct counts *fresh = skep_alloc(struct counts);
        fresh->set = UINT32_MAX;
        skep_index_init(&fresh->names.index, 0);
        c->extra = fresh;
    }
    struct counts *k = c->extra;
    start_set(c, k);
    for (uint64_t b = m->block; b < m->end; b++) {
        struct skep_x_bits bits;
        SKEP_TRY(skep_x__tick(c, err));
        skep_x__block(c, b);
        skep_x__live(c, &bits);
        SKEP_TRY(skep_x__filter(c, c->q->filter, &bits, err));
        c->rows_examined += c->n;
        if (!skep_x__any(&bits))
            continue;
        SKEP_TRY(count_ints(c, k, SKEP_COL_KIND, &bits, k->kinds, SKEP_KIND_COUNT, err));
        SKEP_TRY(count_ints(c, k, SKEP_COL_SCOPE, &bits, k->lists[0], c->rs->scopes.n, err));
        SKEP_TRY(count_ints(c, k, SKEP_COL_RESOURCE, &bits, k->lists[1], c->rs->resources.n, err));
        for (uint32_t f = 0; k->fields && f < c->rs->n_fields; f++) {
            if (skep_x__unlisted(c->q, &c->rs->fields[f]))
                continue;
            struct skep_x_source s = {
                .kind = SKEP_X_FIELD, .type = (enum skep_type)c->rs->fields[f].type, .field = f};
            struct skep_x_vals v;
            SKEP_TRY(skep_x__load(c, &s, &bits, &v, err));
            k->fields[f] += skep_x__count(&v.present);
        }
    }
    return SKEP_OK;
}

static int by_name(const void *a, const void *b)
{
    return skep_str_cmp(((const struct skep_field_info *)a)->name,
                        ((const struct skep_field_info *)b)->name);
}

static void counts_free(struct skep_x_ctx *c)
{
    struct counts *k = c->extra;
    if (!k)
        return;
    skep_free(k->lists[0]);
    skep_free(k->lists[1]);
    skep_free(k->fields);
    skep_index_done(&k->names.index);
    skep_free(k->names.items);
    skep_free(k);
    c->extra = NULL;
}

/* Stored fields of whole rowsets that have a morsel. */
static void whole_fields(struct skep_x_query *q, struct names *ns)
{
    uint32_t last = UINT32_MAX;
    for (size_t m = 0; m < q->n_morsels; m++) {
        const struct skep_rowset *rs = q->snap->sets[q->morsels[m].set].rowset;
        if (q->morsels[m].set == last)
            continue;
        last = q->morsels[m].set;
        for (uint32_t f = 0; f < rs->n_fields; f++)
            if (!skep_x__unlisted(q, &rs->fields[f]))
                add_name(ns, rs->fields[f].name, 1u << rs->fields[f].type,
                         1u << rs->fields[f].scope, rs->fields[f].n_present);
    }
}

static void merge_counts(struct skep_x_query *q, struct names *ns)
{
    uint64_t kinds[SKEP_KIND_COUNT] = {0};
    for (struct skep_x_ctx *c = q->all; c; c = c->next_all) {
        struct counts *k = c->extra;
        if (!k)
            continue;
        settle(c, k);
        for (int i = 0; i < SKEP_KIND_COUNT; i++)
            kinds[i] += k->kinds[i];
        for (uint32_t i = 0; i < k->names.n; i++) {
            const struct skep_field_info *x = &k->names.items[i];
            add_name(ns, x->name, x->types, x->scopes, x->rows);
        }
    }
    size_t n_views = 0;
    const struct skep_view *views = skep_view_all(&n_views);
    for (size_t v = 0; v < n_views; v++) {
        uint64_t rows = 0;
        for (int i = 0; i < SKEP_KIND_COUNT; i++)
            rows += views[v].kinds >> i & 1 ? kinds[i] : 0;
        if (rows > 0)
            add_name(ns, views[v].name, 1u << views[v].type, 1u << SKEP_SCOPE_INTRINSIC, rows);
    }
}

skep_rc skep_x__plan_fields(struct skep_x_query *q, struct skep_answer *ret, skep_err *err)
{
    struct names ns = {0};
    skep_index_init(&ns.index, 64);
    skep_rc rc = skep_x__plan_morsels(q, err);
    if (rc == SKEP_OK)
        rc = skep_x__run(q, fields_morsel, err);
    if (rc == SKEP_OK) {
        if (!q->filter)
            whole_fields(q, &ns);
        merge_counts(q, &ns);
        if (ns.n) /* an empty list has no memory */
            if (ns.n > 0)
                qsort(ns.items, ns.n, sizeof *ns.items, by_name);
        size_t n = q->plan->limit ? SKEP_MIN((size_t)q->plan->limit, ns.n) : ns.n;
        ret->fields.fields = skep_new_n(q->opts->arena, struct skep_field_info, n + 1);
        ret->fields.n = n;
        for (size_t i = 0; i < n; i++) {
            ret->fields.fields[i] = ns.items[i];
            ret->fields.fields[i].name = skep_arena_str(q->opts->arena, ns.items[i].name);
        }
    }
    for (struct skep_x_ctx *c = q->all; c; c = c->next_all)
        counts_free(c);
    skep_index_done(&ns.index);
    skep_free(ns.items);
    return rc;
}

/* ---- DATASETS --------------------------------------------------------------------------- */

struct dataset {
    struct skep_dataset_info info;
    bool fresh; /* the name still stands in a dictionary */
};

struct datasets {
    struct dataset *items;
    uint32_t n, cap;
    struct skep_index index; /* by the hash of the name in lower case */
    struct skep_x_memo memo; /* code -> item */
    int64_t buf[SKEP_BLOCK_ROWS];
};

static uint64_t folded_hash(skep_str s)
{
    uint64_t h = s.n;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        h = skep_hash_u64(h ^ (uint64_t)(unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c) << 8);
    }
    return h;
}

static uint32_t find_dataset(struct datasets *d, skep_str name)
{
    uint64_t hash = folded_hash(name);
    struct skep_index_it it = skep_index_begin(&d->index, hash);
    uint32_t i;
    while ((i = skep_index_next(&d->index, &it)) != SKEP_INDEX_NONE)
        if (skep_str_ieq(d->items[i].info.name, name))
            return i;
    SKEP_GROW(d->items, d->n, d->cap);
    d->items[d->n] = (struct dataset){
        .info = {.name = name, .first_ns = INT64_MAX, .last_ns = INT64_MIN}, .fresh = true};
    skep_index_add(&d->index, hash, d->n);
    return d->n++;
}

static void add_dataset(struct datasets *d, uint32_t at, skep_str name, uint64_t rows,
                        skep_ts_ns first, skep_ts_ns last)
{
    struct skep_dataset_info *x = &d->items[at].info;
    if (first < x->first_ns || (first == x->first_ns && skep_str_cmp(name, x->name) < 0)) {
        d->items[at].fresh = d->items[at].fresh || !skep_str_eq(x->name, name);
        x->name = d->items[at].fresh ? name : x->name;
    }
    x->rows += rows;
    x->first_ns = SKEP_MIN(x->first_ns, first);
    x->last_ns = SKEP_MAX(x->last_ns, last);
}

static skep_rc datasets_block(struct skep_x_ctx *c, struct datasets *d, skep_err *err)
{
    struct skep_x_bits bits;
    const struct skep_vec *v = NULL;
    SKEP_TRY(skep_x__select(c, &bits, err));
    SKEP_TRY(skep_x__column(c, SKEP_COL_DATASET, &v, err));
    unsigned n = skep_x__count(&bits);
    if (n == 0 || v->none)
        return SKEP_OK;
    if (v->form != SKEP_VEC_DICT && v->form != SKEP_VEC_STR)
        return skep_fail(err, SKEP_ECORRUPT, "the dataset column is no text");
    bool dict = v->form == SKEP_VEC_DICT;
    const struct skep_block_bounds *bb = &c->rs->blocks[c->block];
    if (v->constant && n == c->n) {
        skep_str name = dict ? skep_dict_str(v->dict, v->codes[0]) : v->str[0];
        add_dataset(d, find_dataset(d, name), name, n, bb->min_start_ns, bb->max_start_ns);
        return SKEP_OK;
    }
    const int64_t *time = NULL;
    SKEP_TRY(skep_x__ints(c, SKEP_COL_TIME, d->buf, &time, err));
    if (dict)
        SKEP_TRY(skep_x__memo(c, &d->memo, v->dict->serial, v->dict->n));
    for (unsigned r = 0; r < c->n; r++) {
        unsigned at = v->constant ? 0 : r;
        if (!skep_x__has(&bits, r))
            continue;
        if (v->valid && !(v->valid[r / 64] >> (r % 64) & 1)) {
            add_dataset(d, find_dataset(d, SKEP_STR("")), SKEP_STR(""), 1, time[r], time[r]);
            continue;
        }
        skep_str name = dict ? skep_dict_str(v->dict, v->codes[at]) : v->str[at];
        uint32_t known = dict ? d->memo.v[v->codes[at]] : 0;
        if (known == 0)
            known = find_dataset(d, name) + 1;
        if (dict)
            d->memo.v[v->codes[at]] = known;
        add_dataset(d, known - 1, name, 1, time[r], time[r]);
    }
    return SKEP_OK;
}

/* Names may stand in dictionaries that go with the row group: keep them in the query's arena. */
static void keep_names(struct skep_x_ctx *c, struct datasets *d)
{
    skep_mutex_lock(&c->q->mu);
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->items[i].fresh)
            d->items[i].info.name = skep_arena_str(&c->q->arena, d->items[i].info.name);
        d->items[i].fresh = false;
    }
    skep_mutex_unlock(&c->q->mu);
}

static skep_rc datasets_morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_err *err)
{
    if (!c->extra) {
        struct datasets *fresh = skep_alloc(struct datasets);
        skep_index_init(&fresh->index, 0);
        c->extra = fresh;
    }
    struct datasets *d = c->extra;
    skep_rc rc = SKEP_OK;
    for (uint64_t b = m->block; b < m->end && rc == SKEP_OK; b++) {
        rc = skep_x__tick(c, err);
        if (rc != SKEP_OK)
            break;
        skep_x__block(c, b);
        c->rows_examined += c->n;
        rc = datasets_block(c, d, err);
    }
    keep_names(c, d); /* also of a damaged morsel */
    return rc;
}

static int by_dataset(const void *a, const void *b)
{
    return skep_str_cmp(((const struct dataset *)a)->info.name,
                        ((const struct dataset *)b)->info.name);
}

static void datasets_free(struct skep_x_ctx *c, struct datasets *d)
{
    if (!d)
        return;
    if (c)
        skep_x__memo_done(c, &d->memo);
    skep_index_done(&d->index);
    skep_free(d->items);
    skep_free(d);
}

skep_rc skep_x__plan_datasets(struct skep_x_query *q, struct skep_answer *ret, skep_err *err)
{
    SKEP_TRY(skep_x__plan_morsels(q, err));
    skep_rc rc = skep_x__run(q, datasets_morsel, err);
    struct datasets *all = skep_alloc(struct datasets);
    skep_index_init(&all->index, 0);
    for (struct skep_x_ctx *c = q->all; c; c = c->next_all) {
        struct datasets *d = c->extra;
        for (uint32_t i = 0; d && i < d->n; i++) {
            const struct skep_dataset_info *x = &d->items[i].info;
            add_dataset(all, find_dataset(all, x->name), x->name, x->rows, x->first_ns, x->last_ns);
        }
        datasets_free(c, d);
        c->extra = NULL;
    }
    if (rc == SKEP_OK) {
        if (all->n > 0)
            qsort(all->items, all->n, sizeof *all->items, by_dataset);
        ret->datasets.datasets =
            skep_new_n(q->opts->arena, struct skep_dataset_info, all->n + (size_t)1);
        ret->datasets.n = all->n;
        for (uint32_t i = 0; i < all->n; i++) {
            ret->datasets.datasets[i] = all->items[i].info;
            ret->datasets.datasets[i].name =
                skep_arena_str(q->opts->arena, all->items[i].info.name);
        }
    }
    datasets_free(NULL, all);
    return rc;
}
