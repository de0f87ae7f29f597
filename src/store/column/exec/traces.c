// SPDX-License-Identifier: Apache-2.0
/* TRACES: summaries of the traces that have a span in the range which passes the filter.
 *
 *   1  candidates  every such span offers its trace with a key; a worker keeps the best traces in a
 *                  small table and throws the rest away whenever it gets too large
 *   2  merge       the best `limit` of all workers
 *   3  completion  all spans of those traces, inside the range or not, are read once for their
 * summary
 *
 * Keys:  RECENT  start of the latest matching span
 *        SLOW    duration of the longest matching span, then its start
 *        ERRORS  whether a matching span failed, then the start of the latest such span
 * In the answer SLOW is ordered by the trace's whole duration, ERRORS by the number of failed
 * spans.
 *
 * I1  A key is a maximum over spans.  So a trace thrown away and met again ends with the right key
 * if it belongs into the answer: the span with the maximum is always still to come or already in.
 * I2  Memory of step 1 is bounded by the limit, whatever the number of traces.
 *
 * Threads: a context belongs to one thread; step 3 is the caller's. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/column/exec/exec_priv.h"

#include <stdlib.h>

enum { DEFAULT_TRACES = 100, SPARE = 2048 };

struct key {
    int64_t first, second;
};

struct candidate {
    skep_trace_id id;
    struct key key;
};

struct table {
    struct candidate *items;
    uint32_t n, cap;
    struct skep_index index;
    bool full; /* was cut once: `floor` is the key of the worst trace kept */
    struct key floor;
    int64_t bufs[4][SKEP_BLOCK_ROWS]; /* columns of the current block */
};

static int key_order(struct key a, struct key b)
{
    if (a.first != b.first)
        return a.first < b.first ? -1 : 1;
    return a.second < b.second ? -1 : a.second > b.second;
}

/* Best first; ties by id, so that the order is total. */
static int by_key(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int c = key_order(y->key, x->key);
    return c != 0 ? c : memcmp(&x->id, &y->id, sizeof x->id);
}

static uint64_t id_hash(const skep_trace_id *id)
{
    return skep_hash((skep_bytes){id->b, sizeof id->b});
}

static uint32_t find_id(const struct skep_index *ix, const void *items, size_t stride,
                        const skep_trace_id *id)
{
    struct skep_index_it it = skep_index_begin(ix, id_hash(id));
    uint32_t i;
    while ((i = skep_index_next(ix, &it)) != SKEP_INDEX_NONE)
        if (memcmp((const uint8_t *)items + i * stride, id, sizeof *id) == 0)
            return i;
    return UINT32_MAX;
}

static size_t limit_of(const struct skep_x_query *q)
{
    return q->plan->limit ? q->plan->limit : DEFAULT_TRACES;
}

static void cut_table(struct table *t, size_t limit)
{
    qsort(t->items, t->n, sizeof *t->items, by_key);
    t->n = (uint32_t)SKEP_MIN((size_t)t->n, limit);
    skep_index_clear(&t->index);
    for (uint32_t i = 0; i < t->n; i++)
        skep_index_add(&t->index, id_hash(&t->items[i].id), i);
    if (t->n == limit) {
        t->full = true;
        t->floor = t->items[t->n - 1].key;
    }
}

static void offer(struct table *t, size_t limit, const skep_trace_id *id, struct key key)
{
    uint32_t i = find_id(&t->index, t->items, sizeof *t->items, id);
    if (i != UINT32_MAX) {
        if (key_order(key, t->items[i].key) > 0)
            t->items[i].key = key;
        return;
    }
    if (t->n == t->cap)
        cut_table(t, limit);
    if (t->full && key_order(key, t->floor) < 0)
        return;
    skep_assert(t->n < t->cap);
    t->items[t->n] = (struct candidate){*id, key};
    skep_index_add(&t->index, id_hash(id), t->n++);
}

static skep_rc table_new(struct skep_x_ctx *c, struct table **ret, skep_err *err)
{
    size_t cap = 2 * limit_of(c->q) + SPARE;
    if (skep_x__take(c->q, cap * (sizeof(struct candidate) + 32)) != SKEP_OK)
        return skep_fail(err, SKEP_ENOMEM, "ask for less traces: no memory for so many");
    struct table *t = skep_alloc(struct table);
    t->cap = (uint32_t)cap;
    t->items = skep_alloc_n(struct candidate, cap);
    skep_index_init(&t->index, cap);
    *ret = t;
    return SKEP_OK;
}

static void table_free(struct skep_x_ctx *c)
{
    struct table *t = c->extra;
    if (!t)
        return;
    skep_x__give(c->q, (uint64_t)t->cap * (sizeof(struct candidate) + 32));
    skep_index_done(&t->index);
    skep_free(t->items);
    skep_free(t);
    c->extra = NULL;
}

static struct key span_key(enum skep_traces_sort sort, int64_t time, int64_t duration,
                           int64_t status)
{
    if (sort == SKEP_TRACES_SLOW)
        return (struct key){duration, time};
    return (struct key){sort == SKEP_TRACES_ERRORS && status == SKEP_STATUS_ERROR, time};
}

/* Spans whose key can still come in, before the filter looks at them. */
static void keep_useful(struct skep_x_ctx *c, const struct table *t, const int64_t *kind,
                        const int64_t *time, const int64_t *duration, const int64_t *status,
                        struct skep_x_bits *bits)
{
    uint8_t pass[SKEP_BLOCK_ROWS];
    enum skep_traces_sort sort = c->q->plan->sort;
    memset(pass, 0, sizeof pass);
    for (unsigned r = 0; r < c->n; r++)
        pass[r] =
            kind[r] == SKEP_KIND_SPAN &&
            (!t->full || key_order(span_key(sort, time[r], duration[r], status[r]), t->floor) >= 0);
    struct skep_x_bits in;
    skep_x__pack(pass, &in);
    skep_x__and(bits, &in);
}

static skep_rc candidates_block(struct skep_x_ctx *c, struct table *t, skep_err *err)
{
    static const skep_trace_id none;
    const int64_t *kind = NULL, *time = NULL, *duration = NULL, *status = NULL;
    const struct skep_vec *ids = NULL;
    struct skep_x_bits bits;
    skep_x__live(c, &bits);
    SKEP_TRY(skep_x__in_range(c, &bits, err));
    if (!skep_x__any(&bits))
        return SKEP_OK;
    SKEP_TRY(skep_x__ints(c, SKEP_COL_KIND, t->bufs[0], &kind, err));
    SKEP_TRY(skep_x__ints(c, SKEP_COL_TIME, t->bufs[1], &time, err));
    SKEP_TRY(skep_x__ints(c, SKEP_COL_DURATION, t->bufs[2], &duration, err));
    SKEP_TRY(skep_x__ints(c, SKEP_COL_STATUS, t->bufs[3], &status, err));
    keep_useful(c, t, kind, time, duration, status, &bits);
    SKEP_TRY(skep_x__filter_block(c, &bits, err));
    if (!skep_x__any(&bits))
        return SKEP_OK;
    SKEP_TRY(skep_x__column(c, SKEP_COL_TRACE_ID, &ids, err));
    if (ids->none || ids->form != SKEP_VEC_ID16)
        return SKEP_OK;
    uint16_t rows[SKEP_BLOCK_ROWS];
    struct skep_sel sel = skep_x__rows(&bits, c->n, rows);
    for (unsigned i = 0; i < sel.n; i++) {
        unsigned r = sel.rows ? sel.rows[i] : i;
        const skep_trace_id *id = &ids->id16[ids->constant ? 0 : r];
        if (memcmp(id, &none, sizeof none) != 0)
            offer(t, limit_of(c->q), id,
                  span_key(c->q->plan->sort, time[r], duration[r], status[r]));
    }
    return SKEP_OK;
}

static skep_rc candidates_morsel(struct skep_x_ctx *c, const struct skep_x_morsel *m, skep_err *err)
{
    if (!c->extra) {
        struct table *fresh = NULL;
        SKEP_TRY(table_new(c, &fresh, err));
        c->extra = fresh;
    }
    struct table *t = c->extra;
    for (uint64_t i = m->block; i < m->end; i++) {
        uint64_t b = m->block + m->end - 1 - i; /* latest first: the table settles sooner */
        const struct skep_block_bounds *bb = &c->rs->blocks[b];
        struct key best = {0, bb->max_start_ns};
        if (c->q->plan->sort == SKEP_TRACES_RECENT && t->full && key_order(best, t->floor) < 0)
            continue;
        SKEP_TRY(skep_x__tick(c, err));
        skep_x__block(c, b);
        c->rows_examined += c->n;
        SKEP_TRY(candidates_block(c, t, err));
    }
    return SKEP_OK;
}

/* ---- completion ------------------------------------------------------------------------- */

struct service {
    skep_str name;
    uint64_t spans, errors;
    skep_ts_ns first_ns;
    skep_row_id first_id;
};

struct summary {
    skep_trace_id id; /* first: find_id looks here */
    struct key key;
    skep_ts_ns start_ns, end_ns;
    uint64_t spans, errors;
    bool has_root;
    skep_ts_ns root_ns;
    skep_row_id root_id;
    skep_str root_service, root_name;
    int64_t root_status;
    struct service *services;
    unsigned n_services, cap_services;
};

struct completion {
    struct skep_x_query *q;
    struct skep_x_ctx *c;
    struct summary *items;
    size_t n;
    struct skep_index index;
    uint32_t service, status[2]; /* names */
    int64_t bufs[7][SKEP_BLOCK_ROWS];
};

static bool earlier(skep_ts_ns t, skep_row_id id, skep_ts_ns than, skep_row_id than_id)
{
    return t < than || (t == than && skep_x__id_order(id, than_id) < 0);
}

static void add_service(struct completion *k, struct summary *s, skep_str name, bool error,
                        skep_ts_ns t, skep_row_id id)
{
    struct service *sv = NULL;
    for (unsigned i = 0; i < s->n_services && !sv; i++)
        if (skep_str_eq(s->services[i].name, name))
            sv = &s->services[i];
    if (!sv) {
        SKEP_GROW(s->services, s->n_services, s->cap_services);
        sv = &s->services[s->n_services++];
        *sv = (struct service){
            .name = skep_arena_str(k->q->opts->arena, name), .first_ns = t, .first_id = id};
    }
    sv->spans++;
    sv->errors += error;
    if (earlier(t, id, sv->first_ns, sv->first_id)) {
        sv->first_ns = t;
        sv->first_id = id;
    }
}

/* What the root says of the trace; of several roots the earliest. */
static skep_rc add_root(struct completion *k, struct summary *s, unsigned row, skep_str service,
                        skep_ts_ns t, skep_row_id id, skep_err *err)
{
    if (s->has_root && !earlier(t, id, s->root_ns, s->root_id))
        return SKEP_OK;
    s->has_root = true;
    s->root_ns = t;
    s->root_id = id;
    s->root_service = skep_arena_str(k->q->opts->arena, service);
    s->root_name = SKEP_STR("");
    s->root_status = -1;
    const struct skep_vec *v = NULL;
    SKEP_TRY(skep_x__column(k->c, SKEP_COL_NAME, &v, err));
    unsigned at = v->constant ? 0 : row;
    bool there = !v->none && (!v->valid || (v->valid[row / 64] >> (row % 64) & 1));
    if (there && v->form == SKEP_VEC_DICT)
        s->root_name = skep_arena_str(k->q->opts->arena, skep_dict_str(v->dict, v->codes[at]));
    else if (there && v->form == SKEP_VEC_STR)
        s->root_name = skep_arena_str(k->q->opts->arena, v->str[at]);
    for (int i = 0; i < 2 && s->root_status < 0; i++) {
        char text[40];
        skep_value value;
        enum skep_scope scope;
        SKEP_TRY(skep_x__row_value(k->c, k->status[i], row, text, &value, &scope, err));
        if (value.type == SKEP_TYPE_INT)
            s->root_status = value.i;
    }
    return SKEP_OK;
}

static skep_rc complete_block(struct completion *k, skep_err *err)
{
    static const enum skep_column cols[7] = {
        SKEP_COL_KIND, SKEP_COL_TIME,      SKEP_COL_DURATION, SKEP_COL_STATUS,
        SKEP_COL_SEQ,  SKEP_COL_PARENT_ID, SKEP_COL_ORDINAL,
    };
    struct skep_x_ctx *c = k->c;
    const int64_t *v[7];
    const struct skep_vec *ids = NULL;
    struct skep_x_bits live;
    skep_x__live(c, &live);
    SKEP_TRY(skep_x__column(c, SKEP_COL_TRACE_ID, &ids, err));
    if (ids->none || ids->form != SKEP_VEC_ID16)
        return SKEP_OK;
    for (int i = 0; i < 7; i++)
        SKEP_TRY(skep_x__ints(c, cols[i], k->bufs[i], &v[i], err));
    c->rows_examined += c->n;
    for (unsigned r = 0; r < c->n; r++) {
        if (v[0][r] != SKEP_KIND_SPAN || !skep_x__has(&live, r))
            continue;
        uint32_t at =
            find_id(&k->index, k->items, sizeof *k->items, &ids->id16[ids->constant ? 0 : r]);
        if (at == UINT32_MAX)
            continue;
        struct summary *s = &k->items[at];
        int64_t t = v[1][r], end = t;
        bool error = v[3][r] == SKEP_STATUS_ERROR;
        skep_row_id id = {(uint64_t)v[4][r], (uint32_t)v[6][r]};
        if (v[2][r] > 0 && SKEP_ADD_OVERFLOW(t, v[2][r], &end))
            end = INT64_MAX;
        s->start_ns = s->spans == 0 || t < s->start_ns ? t : s->start_ns;
        s->end_ns = s->spans == 0 || end > s->end_ns ? end : s->end_ns;
        s->spans++;
        s->errors += error;
        char text[40];
        skep_value service;
        enum skep_scope scope;
        SKEP_TRY(skep_x__row_value(c, k->service, r, text, &service, &scope, err));
        skep_str name = service.type == SKEP_TYPE_STRING ? service.s : SKEP_STR("");
        add_service(k, s, name, error, t, id);
        if (v[5][r] == 0)
            SKEP_TRY(add_root(k, s, r, name, t, id, err));
    }
    return SKEP_OK;
}

static skep_rc complete_set(struct completion *k, uint32_t set, const skep_trace_id *ids,
                            skep_err *err)
{
    struct skep_row_range *ranges = NULL;
    size_t n = 0;
    SKEP_TRY(skep_x__trace_ranges(k->q, set, ids, k->n, &ranges, &n, err));
    skep_rc rc = n > 0 ? skep_x__bind(k->c, set, err) : SKEP_OK;
    uint64_t next = 0;
    for (size_t i = 0; i < n && rc == SKEP_OK; i++) {
        uint64_t end = SKEP_MIN((ranges[i].end + SKEP_BLOCK_ROWS - 1) / SKEP_BLOCK_ROWS,
                                skep_rowset_blocks(k->c->rs));
        for (uint64_t b = SKEP_MAX(ranges[i].first / SKEP_BLOCK_ROWS, next);
             b < end && rc == SKEP_OK; b++) {
            if (skep_rowset_block_rows(k->c->rs, b) == 0) /* the trace goes over a gap */
                continue;
            skep_x__block(k->c, b);
            rc = complete_block(k, err);
            next = b + 1;
        }
    }
    skep_free(ranges);
    return rc;
}

static int by_first_span(const void *a, const void *b)
{
    const struct service *x = a, *y = b;
    if (x->first_ns != y->first_ns)
        return x->first_ns < y->first_ns ? -1 : 1;
    return skep_x__id_order(x->first_id, y->first_id);
}

static int by_sort(const void *a, const void *b, void *arg)
{
    const enum skep_traces_sort *sort = arg;
    const struct summary *x = a, *y = b;
    if (*sort == SKEP_TRACES_SLOW) {
        uint64_t dx = (uint64_t)x->end_ns - (uint64_t)x->start_ns;
        uint64_t dy = (uint64_t)y->end_ns - (uint64_t)y->start_ns;
        if (dx != dy)
            return dx > dy ? -1 : 1;
    }
    if (*sort == SKEP_TRACES_ERRORS && x->errors != y->errors)
        return x->errors > y->errors ? -1 : 1;
    int c = key_order(y->key, x->key);
    return c != 0 ? c : memcmp(&x->id, &y->id, sizeof x->id);
}

static void hand_out(struct completion *k, struct skep_traces *ret)
{
    struct skep_arena *a = k->q->opts->arena;
    enum skep_traces_sort sort = k->q->plan->sort;
    if (k->n > 0)
        qsort_r(k->items, k->n, sizeof *k->items, by_sort, &sort);
    ret->traces = skep_new_n(a, struct skep_trace_summary, k->n + 1);
    ret->n = 0;
    for (size_t i = 0; i < k->n; i++) {
        struct summary *s = &k->items[i];
        if (s->spans == 0) /* its block could not be read; the answer says so */
            continue;
        struct skep_trace_summary *t = &ret->traces[ret->n++];
        *t = (struct skep_trace_summary){.id = s->id,
                                         .start_ns = s->start_ns,
                                         .end_ns = s->end_ns,
                                         .spans = s->spans,
                                         .errors = s->errors,
                                         .has_root = s->has_root,
                                         .root_service = s->root_service,
                                         .root_name = s->root_name,
                                         .root_status = s->has_root ? s->root_status : -1,
                                         .n_services = s->n_services};
        if (s->n_services > 0)
            qsort(s->services, s->n_services, sizeof *s->services, by_first_span);
        t->services = skep_new_n(a, struct skep_trace_service, s->n_services);
        for (unsigned v = 0; v < s->n_services; v++)
            t->services[v] = (struct skep_trace_service){s->services[v].name, s->services[v].spans,
                                                         s->services[v].errors};
    }
}

static skep_rc complete(struct skep_x_query *q, const struct candidate *best, size_t n,
                        struct skep_traces *ret, skep_err *err)
{
    uint64_t bytes = sizeof(struct completion) + n * (sizeof(struct summary) + 512);
    if (skep_x__take(q, bytes) != SKEP_OK)
        return skep_fail(err, SKEP_ENOMEM, "ask for less traces: no memory for so many");
    struct completion *k = skep_alloc(struct completion);
    skep_trace_id *ids = skep_alloc_n(skep_trace_id, n + 1);
    k->q = q;
    k->c = skep_x__ctx_new(q);
    k->n = n;
    k->items = skep_alloc_n(struct summary, n + 1);
    k->service = skep_x__name(q, SKEP_STR("service.name"));
    k->status[0] = skep_x__name(q, SKEP_STR("http.response.status_code"));
    k->status[1] = skep_x__name(q, SKEP_STR("http.status_code"));
    skep_index_init(&k->index, n);
    for (size_t i = 0; i < n; i++) {
        ids[i] = best[i].id;
        k->items[i].id = best[i].id;
        k->items[i].key = best[i].key;
        skep_index_add(&k->index, id_hash(&ids[i]), (uint32_t)i);
    }
    skep_rc rc = SKEP_OK;
    for (uint32_t set = 0; set < q->snap->n && rc == SKEP_OK && n > 0; set++) {
        skep_err why = {.rc = SKEP_OK};
        rc = complete_set(k, set, ids, &why);
        if (skep_x__is_damage(rc)) {
            skep_x__damaged(q, SIZE_MAX, &why);
            rc = SKEP_OK;
        } else if (rc != SKEP_OK && err) {
            *err = why;
        }
    }
    if (rc == SKEP_OK)
        hand_out(k, ret);
    for (size_t i = 0; i < n; i++)
        skep_free(k->items[i].services);
    skep_index_done(&k->index);
    skep_free(k->items);
    skep_free(ids);
    skep_free(k);
    skep_x__give(q, bytes);
    return rc;
}

static int latest_first(const void *a, const void *b, void *arg)
{
    const struct skep_x_query *q = arg;
    const struct skep_x_morsel *x = a, *y = b;
    int64_t tx = q->snap->sets[x->set].rowset->blocks[x->end - 1].max_start_ns;
    int64_t ty = q->snap->sets[y->set].rowset->blocks[y->end - 1].max_start_ns;
    return tx > ty ? -1 : tx < ty;
}

skep_rc skep_x__plan_traces(struct skep_x_query *q, struct skep_answer *ret, skep_err *err)
{
    size_t limit = limit_of(q);
    SKEP_TRY(skep_x__plan_morsels(q, err));
    if (q->n_morsels > 1)
        qsort_r(q->morsels, q->n_morsels, sizeof *q->morsels, latest_first, q);
    skep_rc rc = skep_x__run(q, candidates_morsel, err);
    struct table *all = NULL;
    for (struct skep_x_ctx *c = q->all; c && rc == SKEP_OK; c = c->next_all) {
        struct table *t = c->extra;
        if (!t)
            continue;
        cut_table(t, limit);
        for (uint32_t i = 0; all && i < t->n; i++)
            offer(all, limit, &t->items[i].id, t->items[i].key);
        all = all ? all : t;
    }
    if (all && rc == SKEP_OK)
        cut_table(all, limit);
    if (rc == SKEP_OK)
        rc = complete(q, all ? all->items : NULL, all ? all->n : 0, &ret->traces, err);
    for (struct skep_x_ctx *c = q->all; c; c = c->next_all)
        table_free(c);
    return rc;
}
