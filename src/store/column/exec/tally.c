// SPDX-License-Identifier: Apache-2.0
/* COUNT and COUNT_DISTINCT of stretches of rows that are counted by code.
 *
 * Where nothing selects rows - no filter, all of a stretch alive, inside the range and inside one
 * time bucket - and each column asked for has codes, no row is looked at: the reader counts codes
 * (a run at once), and each code with a count is one addition to a cell.
 *
 *   stretch   blocks of one row group
 *   code      of a dictionary, of an attribute list, or a small integer
 *   tally     counts by code of one column, over stretches of one dictionary and one bucket
 *   settle    counts -> keys -> cells; before the dictionary or the bucket changes, and at the end
 *             of a morsel
 *
 * I1  What stands in a tally belongs to one dictionary (or the lists of one rowset), one bucket and
 *     one weight.
 * I2  Codes that were counted go through the same keys, cells and states as rows do, so the answer
 *     is the same.
 * I3  Nothing stands in a tally, and nothing of a dictionary is known, between two morsels: the
 *     column may be asked about other row groups meanwhile, and its dictionaries go.
 *
 * Threads: a context belongs to one thread.  Memory: counts from the query's budget. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

enum {
    BATCH = 64,
    FEW_NUMBERS = 4096 /* integers in more are not worth walking over for each bucket */
};

struct column {
    uint32_t name;  /* UINT32_MAX: none, all rows are alike */
    unsigned state; /* COUNT_DISTINCT; else UINT_MAX: the group column */
    struct skep_x_source *source;
    struct skep_coded coded;
    uint32_t cap;
    uint32_t *counts;
};

struct skep_x_tally {
    bool able; /* the plan is made of what is done here */
    uint32_t set;
    bool set_able;
    uint64_t group; /* row group of the dictionaries */
    bool group_able;
    uint32_t bucket;
    int64_t weight;
    uint64_t rows; /* counted and not settled */
    unsigned n;    /* columns: the group column, then the distinct ones */
    struct column columns[];
};

static bool plan_able(const struct skep_x_ctx *c)
{
    const struct skep_plan *plan = c->q->plan;
    const struct skep_partial *p = c->partial;
    if (plan->n_groups > 1 || c->q->filter || c->q->need_overlap || c->q->n_rels > 0 ||
        (plan->n_groups > 0 && c->groups[0].of))
        return false;
    for (unsigned s = 0; s < p->n_states; s++) {
        const struct skep_agg *a = p->states[s].agg;
        bool count = p->states[s].ops == &skep_state_count && a->field.name.n == 0;
        bool distinct = p->states[s].ops == &skep_state_distinct && plan->n_groups == 0;
        if (a->filter || !(count || distinct))
            return false;
    }
    return true;
}

static struct skep_x_tally *tally_new(struct skep_x_ctx *c)
{
    const struct skep_partial *p = c->partial;
    struct skep_x_tally *t = skep_calloc(1, sizeof *t + (p->n_states + 1) * sizeof t->columns[0]);
    t->able = plan_able(c);
    t->set = UINT32_MAX;
    t->group = UINT64_MAX;
    if (!t->able)
        return t;
    t->columns[t->n++] = (struct column){
        .name = c->q->plan->n_groups ? c->groups[0].name : UINT32_MAX, .state = UINT32_MAX};
    for (unsigned s = 0; s < p->n_states; s++)
        if (p->states[s].ops == &skep_state_distinct)
            t->columns[t->n++] = (struct column){
                .name = skep_x__name(c->q, p->states[s].agg->field.name), .state = s};
    return t;
}

void skep_x__tally_done(struct skep_x_ctx *c)
{
    struct skep_x_tally *t = c->tally;
    for (unsigned i = 0; t && i < t->n; i++) {
        skep_x__give(c->q, (uint64_t)t->columns[i].cap * sizeof(uint32_t));
        skep_free(t->columns[i].counts);
    }
    skep_free(t);
    c->tally = NULL;
}

/* --- codes --- */

static bool is_text(enum skep_type type)
{
    return type == SKEP_TYPE_STRING || type == SKEP_TYPE_BYTES || type == SKEP_TYPE_ARRAY;
}

bool skep_x__may_have_codes(const struct skep_x_source *s)
{
    return s->kind == SKEP_X_LISTED ||
           (s->kind == SKEP_X_FIELD &&
            (is_text(s->type) || s->type == SKEP_TYPE_INT || s->type == SKEP_TYPE_BOOL));
}

static struct skep_colreader *reader_of(struct skep_x_ctx *c, const struct skep_x_source *s,
                                        skep_err *err)
{
    return s->kind == SKEP_X_FIELD ? skep_x__field_reader(c, s->field, err)
                                   : skep_x__column_reader(c, s->column, err);
}

struct skep_colreader *skep_x__coded(struct skep_x_ctx *c, const struct skep_x_source *s,
                                     uint64_t row0, struct skep_coded *ret, skep_err *err)
{
    struct skep_colreader *r = reader_of(c, s, err);
    bool text = s->kind == SKEP_X_FIELD && is_text(s->type);
    if (!r || !r->ops->coded || !r->ops->coded(r, row0, ret) ||
        (ret->n > 0 && text != (ret->dict != NULL)))
        return NULL;
    return r;
}

SKEP_WRAPS skep_value skep_x__code_value(const struct skep_x_source *s,
                                         const struct skep_coded *coded, uint32_t code)
{
    if (coded->dict)
        return (skep_value){.type = s->type, .s = skep_dict_str(coded->dict, code)};
    if (s->kind == SKEP_X_LISTED)
        return s->list[code];
    int64_t v = (int64_t)((uint64_t)coded->low + code);
    return s->type == SKEP_TYPE_BOOL ? (skep_value){.type = SKEP_TYPE_BOOL, .b = v != 0}
                                     : (skep_value){.type = SKEP_TYPE_INT, .i = v};
}

uint64_t skep_x__code_hash(const struct skep_x_source *s, const struct skep_coded *coded,
                           uint32_t code, const skep_value *v)
{
    return coded->dict ? skep_agg_hash_text(s->type, coded->dict->hashes[code])
                       : skep_agg_hash_value(v);
}

/* --- settling --- */

static skep_rc add_to(struct skep_x_ctx *c, unsigned state, struct skep_agg_in *in, skep_err *err)
{
    struct skep_partial *p = c->partial;
    in->agg = p->states[state].agg;
    skep_rc rc = p->states[state].ops->add(p->states[state].data, in, &p->mem);
    return rc == SKEP_OK ? SKEP_OK : skep_x__fail_memory(rc, c, err);
}

/* n rows, by cell and how many, to every COUNT. */
static skep_rc add_counts(struct skep_x_ctx *c, const struct skep_ids *cells,
                          const int64_t *weights, unsigned n, skep_err *err)
{
    for (unsigned s = 0; s < c->partial->n_states; s++) {
        struct skep_agg_in in = {.sel = {n, NULL}, .cells = cells, .weights = weights};
        if (c->partial->states[s].ops == &skep_state_count)
            SKEP_TRY(add_to(c, s, &in, err));
    }
    return SKEP_OK;
}

static skep_rc cell_of(struct skep_x_ctx *c, uint32_t key, uint32_t *ret, skep_err *err)
{
    skep_rc rc = skep_partial_cell(c->partial, key, c->tally->bucket, ret);
    return rc == SKEP_OK ? SKEP_OK : skep_x__fail_memory(rc, c, err);
}

/* Codes that were counted, a few at a time, with their hashes. */
struct batch {
    unsigned n;
    uint32_t codes[BATCH];
    uint64_t hashes[BATCH];
};

/* The next codes from *at on; those whose list has no value are left out. */
static void next_batch(const struct column *k, uint32_t *at, struct batch *b)
{
    b->n = 0;
    for (; *at < k->coded.n && b->n < BATCH; (*at)++) {
        if (k->counts[*at] == 0)
            continue;
        skep_value v = skep_x__code_value(k->source, &k->coded, *at);
        if (v.type == SKEP_TYPE_NULL)
            continue;
        b->hashes[b->n] = skep_x__code_hash(k->source, &k->coded, *at, &v);
        b->codes[b->n++] = *at;
    }
}

/* Groups of the codes; rows without one have the absent key. */
static skep_rc settle_groups(struct skep_x_ctx *c, const struct column *k, skep_err *err)
{
    struct skep_x_tally *t = c->tally;
    SKEP_UNINIT struct batch b;
    SKEP_UNINIT struct skep_ids cells;
    SKEP_UNINIT int64_t weights[BATCH + 1];
    uint64_t absent = t->rows;
    uint32_t at = 0;
    cells.constant = false;
    do {
        unsigned n = 0;
        uint32_t key = 0, cell = 0;
        next_batch(k, &at, &b);
        c->lookups += b.n;
        skep_keys_prefetch(&c->partial->keys[0], b.hashes, b.n);
        for (unsigned i = 0; i < b.n; i++) {
            skep_value v = skep_x__code_value(k->source, &k->coded, b.codes[i]);
            absent -= k->counts[b.codes[i]];
            SKEP_TRY(skep_x__key(c, 0, &v, b.hashes[i], &key, err));
            SKEP_TRY(cell_of(c, key, &cell, err));
            if (cell == SKEP_ID_NONE)
                continue;
            cells.v[n] = cell;
            weights[n++] = (int64_t)k->counts[b.codes[i]] * t->weight;
        }
        if (at >= k->coded.n && absent > 0) {
            SKEP_TRY(cell_of(c, 0, &cell, err));
            cells.v[n] = cell;
            weights[n] = (int64_t)absent * t->weight;
            n += cell != SKEP_ID_NONE;
        }
        SKEP_TRY(add_counts(c, &cells, weights, n, err));
    } while (at < k->coded.n);
    return SKEP_OK;
}

static skep_rc settle_distinct(struct skep_x_ctx *c, const struct column *k, skep_err *err)
{
    SKEP_UNINIT struct batch b;
    SKEP_UNINIT struct skep_ids cells;
    cells.constant = true;
    SKEP_TRY(cell_of(c, 0, &cells.value, err));
    for (uint32_t at = 0; at < k->coded.n;) {
        next_batch(k, &at, &b);
        struct skep_agg_in in = {.sel = {b.n, NULL},
                                 .cells = &cells,
                                 .weight = 1,
                                 .form = SKEP_AGG_HASH,
                                 .hashes = b.hashes};
        SKEP_TRY(add_to(c, k->state, &in, err));
    }
    return SKEP_OK;
}

/* --- straight to the common tables --- */

struct item { /* a code that was counted */
    uint64_t hash;
    uint32_t code, n;
};

struct direct {
    const struct column *k;
    int64_t weight;
    const struct item *items; /* by shard */
};

static skep_rc direct_count(void *arg, struct skep_counts *counts, uint32_t first, unsigned n)
{
    const struct direct *d = arg;
    SKEP_UNINIT uint64_t hashes[BATCH];
    SKEP_UNINIT skep_value values[BATCH];
    for (unsigned at = 0, m = 0; at < n; at += m) {
        const struct item *items = d->items + first + at;
        m = SKEP_MIN(n - at, (unsigned)BATCH);
        for (unsigned i = 0; i < m; i++) {
            values[i] = skep_x__code_value(d->k->source, &d->k->coded, items[i].code);
            hashes[i] = items[i].hash;
            if (d->k->coded.dict)
                SKEP_PREFETCH(values[i].s.p);
        }
        skep_counts_prefetch(counts, hashes, m);
        for (unsigned i = 0; i < m; i++) {
            uint64_t rows = 0;
            if (SKEP_MUL_OVERFLOW((uint64_t)items[i].n, (uint64_t)d->weight, &rows))
                rows = UINT64_MAX;
            SKEP_TRY(skep_counts_add(counts, &values[i], hashes[i], rows));
        }
    }
    return SKEP_OK;
}

/* Was the code counted, and has it a value?  Its hash. */
static bool counted_hash(const struct column *k, uint32_t code, uint64_t *ret)
{
    if (k->counts[code] == 0)
        return false;
    skep_value v = skep_x__code_value(k->source, &k->coded, code);
    *ret = skep_x__code_hash(k->source, &k->coded, code, &v);
    return v.type != SKEP_TYPE_NULL;
}

/* How many of the codes that were counted belong to the shards before each.  Returns the rows of
 * them. */
static uint64_t count_items(const struct column *k, uint32_t first[SKEP_AGG_SHARDS + 1])
{
    uint64_t rows = 0, hash = 0;
    memset(first, 0, (SKEP_AGG_SHARDS + 1) * sizeof first[0]);
    for (uint32_t i = 0; i < k->coded.n; i++)
        if (counted_hash(k, i, &hash)) {
            first[skep_agg_shard(hash) + 1]++;
            rows += k->counts[i];
        }
    for (unsigned s = 0; s < SKEP_AGG_SHARDS; s++)
        first[s + 1] += first[s];
    return rows;
}

/* These codes by shard. */
static void sort_items(const struct column *k, const uint32_t first[SKEP_AGG_SHARDS + 1],
                       struct item *items)
{
    uint32_t at[SKEP_AGG_SHARDS];
    uint64_t hash = 0;
    memcpy(at, first, sizeof at);
    for (uint32_t i = 0; i < k->coded.n; i++)
        if (counted_hash(k, i, &hash))
            items[at[skep_agg_shard(hash)]++] = (struct item){hash, i, k->counts[i]};
}

/* Groups of so many different values that a worker's own table only adds work: the counted codes go
 * to the tables of their shards; rows without one to the worker's. */
static skep_rc settle_direct(struct skep_x_ctx *c, const struct column *k, skep_err *err)
{
    struct skep_x_tally *t = c->tally;
    struct skep_x_query *q = c->q;
    struct direct d = {k, t->weight, NULL};
    const struct skep_x_feed feed = {NULL, direct_count, &d};
    uint32_t first[SKEP_AGG_SHARDS + 1];
    uint64_t absent = t->rows - count_items(k, first);
    uint64_t bytes = (uint64_t)first[SKEP_AGG_SHARDS] * sizeof(struct item);
    if (skep_x__take(q, bytes) != SKEP_OK)
        return skep_x__fail_memory(SKEP_ENOMEM, c, err);
    struct item *items = skep_malloc(bytes);
    sort_items(k, first, items);
    d.items = items;
    if (t->weight > 1)
        skep_x__shards_estimated(q);
    skep_rc rc = skep_x__shards_feed(q, first, &feed);
    skep_free(items);
    skep_x__give(q, bytes);
    if (rc != SKEP_OK)
        return skep_x__fail_memory(rc, c, err);
    struct skep_ids cells = {.constant = true};
    int64_t weight = (int64_t)absent * t->weight;
    if (absent == 0)
        return SKEP_OK;
    SKEP_TRY(cell_of(c, 0, &cells.value, err));
    return add_counts(c, &cells, &weight, 1, err);
}

static skep_rc settle_column(struct skep_x_ctx *c, const struct column *k, skep_err *err)
{
    if (k->state != UINT32_MAX)
        return settle_distinct(c, k, err);
    if (k->name != UINT32_MAX)
        skep_x__keep_many(c, k->coded.n);
    return k->name != UINT32_MAX && skep_x__shards_direct(c->q) ? settle_direct(c, k, err)
                                                                : settle_groups(c, k, err);
}

skep_rc skep_x__tally_settle(struct skep_x_ctx *c, skep_err *err)
{
    struct skep_x_tally *t = c->tally;
    if (!t || t->rows == 0)
        return SKEP_OK;
    if (t->weight > 1)
        c->partial->estimated = true;
    for (unsigned i = 0; i < t->n; i++) {
        struct column *k = &t->columns[i];
        SKEP_TRY(settle_column(c, k, err));
        if (k->coded.n > 0)
            memset(k->counts, 0, k->coded.n * sizeof *k->counts);
    }
    t->rows = 0;
    return SKEP_OK;
}

void skep_x__tally_leave(struct skep_x_ctx *c)
{
    struct skep_x_tally *t = c->tally;
    if (!t)
        return;
    t->group = UINT64_MAX;
    for (unsigned i = 0; i < t->n; i++) {
        struct column *k = &t->columns[i];
        if (t->rows > 0 && k->coded.n > 0)
            memset(k->counts, 0, k->coded.n * sizeof *k->counts);
        k->coded = (struct skep_coded){0};
    }
    t->rows = 0;
}

/* --- counting --- */

/* Has every column one source in the rowset, of a kind that has codes? */
static void enter_set(struct skep_x_ctx *c, struct skep_x_tally *t)
{
    t->set = c->set;
    t->group = UINT64_MAX;
    t->set_able = true;
    for (unsigned i = 0; i < t->n; i++) {
        struct column *k = &t->columns[i];
        k->source = NULL;
        k->coded = (struct skep_coded){0};
        if (k->name == UINT32_MAX)
            continue;
        const struct skep_x_bound *b = skep_x__sources(c, k->name);
        if (b->n == 0)
            continue;
        struct skep_x_source *s = &b->sources[0];
        t->set_able = t->set_able && b->n == 1 && skep_x__may_have_codes(s);
        k->source = s;
    }
}

/* Counts of these codes, all zero. */
static skep_rc room(struct skep_x_ctx *c, struct column *k, const struct skep_coded *coded,
                    skep_err *err)
{
    uint32_t n = coded->n;
    if (n > k->cap) {
        if (skep_x__take(c->q, (uint64_t)(n - k->cap) * sizeof *k->counts) != SKEP_OK)
            return skep_x__fail_memory(SKEP_ENOMEM, c, err);
        skep_free(k->counts);
        k->counts = skep_alloc_n(uint32_t, n);
        k->cap = n;
    } else if (n > 0) {
        memset(k->counts, 0, n * sizeof *k->counts);
    }
    k->coded = *coded;
    return SKEP_OK;
}

/* The dictionaries of the row group; what was counted by others is settled first. */
static skep_rc enter_group(struct skep_x_ctx *c, struct skep_x_tally *t, uint64_t row0,
                           skep_err *err)
{
    t->group = row0 / SKEP_ROW_GROUP_ROWS;
    t->group_able = true;
    for (unsigned i = 0; i < t->n && t->group_able; i++) {
        struct column *k = &t->columns[i];
        struct skep_coded coded;
        if (!k->source)
            continue;
        if (!skep_x__coded(c, k->source, row0, &coded, err) ||
            (!coded.dict && coded.n > FEW_NUMBERS)) {
            t->group_able = false;
            break;
        }
        if (coded.dict == k->coded.dict && coded.n == k->coded.n && coded.low == k->coded.low)
            continue;
        SKEP_TRY(skep_x__tally_settle(c, err));
        SKEP_TRY(room(c, k, &coded, err));
    }
    return SKEP_OK;
}

bool skep_x__one_weight(struct skep_x_ctx *c, uint64_t row0, unsigned n, int64_t *ret)
{
    skep_err err;
    *ret = 1;
    if (c->q->plan->ignore_sample_rate)
        return true;
    struct skep_colreader *r = skep_x__column_reader(c, SKEP_COL_SAMPLE_RATE, &err);
    if (!r || !r->ops->same || !r->ops->same(r, row0, n, ret))
        return false;
    *ret = SKEP_MIN(SKEP_MAX(*ret, 1), (int64_t)UINT32_MAX);
    return true;
}

skep_rc skep_x__tally(struct skep_x_ctx *c, uint64_t block, uint64_t end, uint32_t bucket,
                      bool *ret_done, skep_err *err)
{
    *ret_done = false;
    if (!c->tally)
        c->tally = tally_new(c);
    struct skep_x_tally *t = c->tally;
    if (!t->able)
        return SKEP_OK;
    uint64_t row0 = block * SKEP_BLOCK_ROWS, last = end - 1;
    unsigned n = (unsigned)(last * SKEP_BLOCK_ROWS + skep_rowset_block_rows(c->rs, last) - row0);
    int64_t weight = 1;
    if (t->set != c->set) {
        SKEP_TRY(skep_x__tally_settle(c, err));
        enter_set(c, t);
    }
    if (!t->set_able)
        return SKEP_OK;
    if (t->group != row0 / SKEP_ROW_GROUP_ROWS)
        SKEP_TRY(enter_group(c, t, row0, err));
    if (!t->group_able || !skep_x__one_weight(c, row0, n, &weight))
        return SKEP_OK;
    if (t->rows > 0 && (t->bucket != bucket || t->weight != weight ||
                        t->rows > (uint64_t)UINT32_MAX - SKEP_ROW_GROUP_ROWS))
        SKEP_TRY(skep_x__tally_settle(c, err));
    t->bucket = bucket;
    t->weight = weight;
    for (unsigned i = 0; i < t->n; i++) {
        struct column *k = &t->columns[i];
        uint32_t present = 0;
        if (k->coded.n == 0)
            continue;
        struct skep_colreader *r = reader_of(c, k->source, err);
        if (!r)
            return err->rc;
        SKEP_TRY(r->ops->tally(r, row0, n, k->counts, &present, err));
    }
    t->rows += n;
    *ret_done = true;
    return SKEP_OK;
}
