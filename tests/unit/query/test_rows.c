// SPDX-License-Identifier: Apache-2.0
/* Everything that is not an aggregate, over every layout of the same rows: rows with filters,
 * columns and cursors, tail order, traces, single rows, summaries, field and dataset lists; and
 * rows out of what was kept of questions before. */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/thread.h"
#include "plan/compare.h"
#include "store/column/cache.h"
#include "store/column/exec.h"
#include "store/column/live.h"
#include "support/instrumented.h"
#include "support/refquery.h"
#include "support/rowdump.h"

struct place {
    unsigned batch;
    uint32_t row;
    int64_t time;
};

static bool by_arrival, oldest;

static int order(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int c = by_arrival ? 0 : x->time < y->time ? -1 : x->time > y->time;
    if (c == 0)
        c = x->batch != y->batch ? (x->batch < y->batch ? -1 : 1)
                                 : (x->row < y->row ? -1 : x->row > y->row);
    return oldest ? c : -c;
}

/* The rows a ROWS plan without limit must give, in order. */
static struct place *expected(const struct ref_data *d, const struct skep_plan *p, size_t *ret_n)
{
    struct place *all = NULL;
    size_t n = 0, cap = 0;
    ref_traces_forget(d);
    for (unsigned i = 0; i < d->n; i++)
        for (uint32_t r = 0; r < d->batches[i]->n_rows; r++) {
            int64_t t = d->batches[i]->time_ns[r];
            if (!ref_alive(d, i, r) || t < p->range.start_ns || t >= p->range.end_ns ||
                !ref_passes(d, i, r, p->filter))
                continue;
            SKEP_GROW(all, n, cap);
            all[n++] = (struct place){i, r, t};
        }
    by_arrival = p->arrival_order;
    oldest = p->oldest_first;
    if (n)
        qsort(all, n, sizeof *all, order);
    *ret_n = n;
    return all;
}

static bool same_value(const skep_value *a, const skep_value *b)
{
    if (a->type == SKEP_TYPE_DOUBLE && b->type == SKEP_TYPE_DOUBLE)
        return memcmp(&a->f, &b->f, 8) == 0 || (isnan(a->f) && isnan(b->f));
    return a->type == b->type && skep_value_order(a, b) == 0;
}

/* What a row has that is not bare. */
static void expect_whole(const struct skep_row *row, const struct skep_batch *b, uint32_t r)
{
    assert_int_equal(row->duration_ns, b->duration_ns[r]);
    assert_int_equal(row->kind, b->kind[r]);
    assert_int_equal(row->source, b->source[r]);
    assert_memory_equal(&row->trace_id, &b->trace_id[r], 16);
    assert_int_equal(row->span_id, b->span_id[r]);
    assert_int_equal(row->parent_id, b->parent_id[r]);
    assert_int_equal(row->status, b->status[r]);
    assert_int_equal(row->sample_rate, b->sample_rate[r]);
    assert_true(skep_str_eq(row->name, skep_batch_str(b, b->name[r])));
}

static void expect_row(const struct ref_data *d, const struct skep_plan *p,
                       const struct skep_row *row, const struct place *want)
{
    const struct skep_batch *b = d->batches[want->batch];
    uint32_t r = want->row;
    char buf[64];
    assert_int_equal(row->id.seq, want->batch + 1);
    assert_int_equal(row->id.ordinal, r);
    assert_int_equal(row->time_ns, b->time_ns[r]);
    assert_int_equal(row->received_ns, b->received_ns);
    assert_true(skep_str_eq(row->dataset, skep_batch_str(b, b->dataset[r])));
    if (!p->bare)
        expect_whole(row, b, r);
    for (unsigned c = 0; c < p->n_columns; c++) {
        skep_value v = ref_value(b, want->batch + 1, r, p->columns[c].name, buf);
        if (!same_value(&v, &row->fields[c].value))
            fail_msg("column " SKEP_STRFMT, SKEP_STRARG(p->columns[c].name));
    }
    if (p->n_columns > 0)
        return;
    /* All fields: as many as stored, and each one under its scope and name. */
    unsigned n = b->resources.first[b->resource[r] + 1] - b->resources.first[b->resource[r]] +
                 b->scopes.first[b->scope[r] + 1] - b->scopes.first[b->scope[r]];
    for (uint32_t f = 0; f < b->n_fields; f++)
        for (uint32_t k = 0; k < b->fields[f].n; k++) {
            if (b->fields[f].rows[k] != r)
                continue;
            unsigned found = 0;
            for (unsigned x = 0; x < row->n_fields; x++)
                found += row->fields[x].scope == b->fields[f].scope &&
                         row->fields[x].value.type == b->fields[f].type &&
                         skep_str_eq(row->fields[x].name, skep_batch_str(b, b->fields[f].name));
            assert_int_equal(found, 1);
            n++;
        }
    assert_int_equal(row->n_fields, n);
}

static struct skep_answer run(struct ref_store *s, const struct skep_plan *p, struct skep_arena *a)
{
    struct skep_answer ret;
    struct skep_budget budget;
    skep_err err;
    skep_budget_init(&budget, "query", UINT64_C(1) << 31, NULL);
    struct skep_run_opts opts = {.budget = &budget, .arena = a};
    if (skep_query_run(&s->base, p, &opts, &ret, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    assert_true(ret.complete);
    assert_int_equal(skep_budget_used(&budget), 0);
    return ret;
}

/* Read the answer in pages of `limit`, each continuing behind the last row. */
static void expect_pages(struct ref_world *w, struct ref_store *s, struct skep_plan p)
{
    size_t n, at = 0;
    struct place *want = expected(&w->data, &p, &n);
    struct skep_arena a;
    skep_arena_init(&a, "page", NULL);
    for (;;) {
        struct skep_answer ret = run(s, &p, &a);
        for (size_t i = 0; i < ret.rows.n; i++) {
            assert_true(at < n);
            expect_row(&w->data, &p, &ret.rows.rows[i], &want[at++]);
        }
        assert_int_equal(ret.rows.more, at < n);
        if (!ret.rows.more)
            break;
        assert_int_equal(ret.rows.n, p.limit);
        p.has_cursor = true;
        p.cursor_time_ns = ret.rows.rows[ret.rows.n - 1].time_ns;
        p.cursor_id = ret.rows.rows[ret.rows.n - 1].id;
    }
    assert_int_equal(at, n);
    skep_free(want);
    skep_arena_done(&a);
}

static void rows_pages(void **state)
{
    (void)state;
    static const struct skep_field_ref columns[] = {
        {.name = SKEP_STR("service.name")},   {.name = SKEP_STR("mixed")},
        {.name = SKEP_STR("duration_ms")},    {.name = SKEP_STR("error")},
        {.name = SKEP_STR("trace.trace_id")}, {.name = SKEP_STR("absent")},
        {.name = SKEP_STR("meta.row_id")},    {.name = SKEP_STR("num")}};
    struct skep_pool *pool = skep_pool_new("test", 3);
    uint64_t evicted = 0, hits = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct rnd r = {seed * 77};
        struct skep_partials *partials = skep_partials_new(NULL, seed % 2 ? 8 << 20 : 12 << 10);
        struct ref_world w;
        ref_world_make(&w, &r, seed == 6 ? 1500 : 80, pool);
        for (unsigned s = 4; s < REF_STORES; s++) /* those with segments */
            w.stores[s].partials = partials;
        for (unsigned i = 0; i < skep_tries(12); i++) {
            struct skep_arena a;
            skep_arena_init(&a, "plan", NULL);
            const struct skep_plan *base = ref_plan(&r, &a);
            struct skep_plan p = {.kind = SKEP_PLAN_ROWS,
                                  .range = base->range,
                                  .filter = base->filter,
                                  .oldest_first = rnd_below(&r, 2),
                                  .bare = i % 3 == 0,
                                  .arrival_order = rnd_below(&r, 2),
                                  .limit = seed == 6 ? 400 : 1 + rnd_below(&r, 40)};
            if (rnd_below(&r, 2)) {
                p.columns = columns;
                p.n_columns = SKEP_ARRAY_LEN(columns);
            }
            for (unsigned s = 0; s < REF_STORES; s++)
                expect_pages(&w, &w.stores[s], p);
            /* The same filter again, in another order, of another range: partly out of what was
             * kept. */
            p.oldest_first = !p.oldest_first;
            p.range.start_ns += rnd_below(&r, 2) * INT64_C(20000000000);
            p.limit += 7;
            for (unsigned s = 4; s < REF_STORES && p.range.start_ns < p.range.end_ns; s++)
                expect_pages(&w, &w.stores[s], p);
            skep_arena_done(&a);
        }
        struct skep_partials_stats stats;
        skep_partials_stats(partials, &stats);
        hits += stats.hits;
        evicted += stats.evicted;
        ref_world_done(&w);
        skep_partials_free(partials);
    }
    assert_true(hits > 0 && evicted > 0);
    skep_pool_free(pool);
}

/* Each row a second later, as one segment of 50 row groups of 40; every 37th failed. */
enum { FEW_ROWS = 2000, FEW_GROUP = 40, FEW_EVERY = 37 };

static struct skep_batch *few_failed(void)
{
    struct skep_batch *b = skep_batch_new(NULL, REF_T0);
    for (uint32_t i = 0; i < FEW_ROWS; i++) {
        int64_t t = REF_T0 + i * INT64_C(1000000000);
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, t, SKEP_SOURCE_OTLP);
        uint64_t id = i + 1;
        b->span_id[row] = id;
        b->status[row] = i % FEW_EVERY ? SKEP_STATUS_OK : SKEP_STATUS_ERROR;
        memcpy(b->trace_id[row].b + 8, &id, 8);
        b->name[row] = skep_batch_intern(b, i % 4 ? SKEP_STR("get") : SKEP_STR("put"));
        char text[24];
        int n = snprintf(text, sizeof text, "u-%u", i);
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("user"),
                       (skep_value){.type = SKEP_TYPE_STRING, .s = {text, (size_t)n}});
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("num"),
                       (skep_value){.type = SKEP_TYPE_DOUBLE, .f = i / 7.0});
    }
    return b;
}

/* A store of it, and the batch as what is expected of it. */
struct few {
    struct skep_cache *cache;
    struct skep_batch *batch;
    bool *dead;
    struct ref_world w; /* `data` alone */
    struct ref_store s;
    struct skep_partials *partials;
};

static struct few few_make(uint64_t partials_bytes, uint32_t group_rows)
{
    struct few f = {.cache = skep_cache_new(NULL, 8 << 20),
                    .batch = few_failed(),
                    .dead = skep_alloc_n(bool, FEW_ROWS),
                    .partials = skep_partials_new(NULL, partials_bytes)};
    struct skep_rowset *part = ref_part(f.batch, 1);
    struct skep_segment_source src = {part, NULL};
    struct skep_rowset *rs = ref_segment("/tmp", f.cache, &src, 1, SKEP_LAYOUT_SPANS, group_rows);
    skep_rowset_unref(part);
    ref_store_init(&f.s, ref_snapshot(&rs, NULL, 1), NULL);
    f.s.partials = f.partials;
    return f;
}

static void few_done(struct few *f)
{
    skep_snapshot_unref(f->s.snap);
    skep_partials_free(f->partials);
    skep_cache_free(f->cache);
    skep_batch_free(f->batch);
    skep_free(f->dead);
}

static const skep_value yes = {.type = SKEP_TYPE_BOOL, .b = true};
static const struct skep_expr failed = {
    .op = SKEP_EXPR_TEST,
    .test = {.field = {.name = {"error", 5}}, .op = SKEP_CMP_EQ, .values = &yes, .n_values = 1}};

/* The answer to the plan is what it must be; how many chunks were looked for. */
static uint64_t few_ask(struct few *f, const struct skep_plan *p)
{
    uint64_t hits, misses, hits2, misses2;
    size_t n = 0;
    f->w.data = (struct ref_data){.batches = &f->batch, .n = 1, .dead = &f->dead};
    ref_traces_make(&f->w.data);
    struct place *want = expected(&f->w.data, p, &n);
    struct skep_arena a;
    skep_arena_init(&a, "few", NULL);
    skep_cache_lookups(f->cache, &hits, &misses);
    struct skep_answer ret = run(&f->s, p, &a);
    skep_cache_lookups(f->cache, &hits2, &misses2);
    assert_int_equal(ret.rows.n, SKEP_MIN(n, p->limit));
    assert_int_equal(ret.rows.more, n > p->limit);
    for (size_t i = 0; i < ret.rows.n; i++)
        expect_row(&f->w.data, p, &ret.rows.rows[i], &want[i]);
    skep_arena_done(&a);
    skep_free(want);
    ref_traces_done(&f->w.data);
    return hits2 + misses2 - hits - misses;
}

static const struct skep_plan newest = {
    .kind = SKEP_PLAN_ROWS, .range = {0, INT64_MAX}, .filter = &failed, .limit = 20};

/* Asked again, no column is opened; other questions with that filter find the rows the same way,
 * and read what they show of them. */
static void known_rows_are_not_looked_for(void **state)
{
    (void)state;
    static const struct skep_field_ref user[] = {{.name = SKEP_STR("user")}},
                                       num[] = {{.name = SKEP_STR("num")}};
    struct few f = few_make(1 << 20, FEW_GROUP);
    struct skep_plan p = newest;
    uint64_t first = few_ask(&f, &p);
    assert_true(first > 0);
    assert_int_equal(few_ask(&f, &p), 0);
    p.limit = 5;
    assert_int_equal(few_ask(&f, &p), 0);
    p.range.end_ns = REF_T0 + (FEW_ROWS - 3) * INT64_C(1000000000); /* cuts a block that is known */
    assert_int_equal(few_ask(&f, &p), 0);
    p.columns = user;
    p.n_columns = 1;
    uint64_t shown = few_ask(&f, &p);
    assert_true(shown > 0 && shown < first / 4);
    assert_int_equal(few_ask(&f, &p), 0);
    p.columns = num;
    assert_true(few_ask(&f, &p) > 0);
    assert_int_equal(few_ask(&f, &p), 0);
    /* The oldest are in row groups where nobody looked yet. */
    p = newest;
    p.oldest_first = true;
    assert_true(few_ask(&f, &p) > 0);
    assert_int_equal(few_ask(&f, &p), 0);
    few_done(&f);
}

/* What a range leaves out of a block is not taken for rows that do not pass. */
static void known_rows_of_a_block_that_is_cut(void **state)
{
    (void)state;
    for (int64_t s = 1; s < FEW_GROUP + FEW_EVERY; s += 3) {
        struct few f = few_make(1 << 20, FEW_GROUP);
        struct skep_plan p = newest;
        p.range.end_ns = REF_T0 + (FEW_ROWS - s) * INT64_C(1000000000);
        (void)few_ask(&f, &p);
        p.range.start_ns = p.range.end_ns - 50 * INT64_C(1000000000);
        (void)few_ask(&f, &p);
        p.range = newest.range;
        (void)few_ask(&f, &p);
        assert_int_equal(few_ask(&f, &p), 0);
        few_done(&f);
    }
}

/* Blocks that a question did not come to are not known. */
static void known_rows_of_some_blocks(void **state)
{
    (void)state;
    struct few f = few_make(1 << 20, SKEP_ROW_GROUP_ROWS); /* one row group of two blocks */
    struct skep_plan p = newest;
    p.limit = 3;
    for (int way = 0; way < 2; way++) {
        assert_true(few_ask(&f, &p) > 0);
        assert_int_equal(few_ask(&f, &p), 0);
        p.oldest_first = true;
    }
    p.oldest_first = false; /* what was known before still is */
    assert_int_equal(few_ask(&f, &p), 0);
    p = newest;
    p.limit = FEW_ROWS; /* both are known, of the rows six were shown */
    assert_true(few_ask(&f, &p) > 0);
    assert_int_equal(few_ask(&f, &p), 0);
    few_done(&f);
}

/* A row that dies is not shown again; the others of its row group are looked for once more. */
static void known_rows_follow_deletes(void **state)
{
    (void)state;
    struct few f = few_make(1 << 20, FEW_GROUP);
    struct skep_rowset *rs = f.s.snap->sets[0].rowset;
    for (uint32_t i = FEW_ROWS - FEW_ROWS % FEW_EVERY; i > FEW_ROWS / 2; i -= 3 * FEW_EVERY) {
        struct skep_mask m;
        uint64_t killed = 0;
        (void)few_ask(&f, &newest);
        skep_mask_init(&m, rs); /* traces of one span: rows are in order of time */
        skep_mask_add(&m, (uint64_t)(i / FEW_GROUP) * SKEP_ROW_GROUP_ROWS + i % FEW_GROUP);
        struct skep_live *live =
            skep_live_kill(f.s.snap->sets[0].live, &m, SKEP_DEATH_DELETED, &killed);
        skep_mask_done(&m);
        assert_int_equal(killed, 1);
        f.dead[i] = true;
        struct skep_rowset *set = skep_rowset_ref(rs);
        struct skep_snapshot *snap = ref_snapshot(&set, &live, 1);
        skep_snapshot_unref(f.s.snap);
        f.s.snap = snap;
        assert_true(few_ask(&f, &newest) > 0);
        assert_int_equal(few_ask(&f, &newest), 0);
    }
    few_done(&f);
}

/* The same of COUNT by a field. */
static uint64_t few_count_where(struct few *f, const struct skep_expr *filter, const char *field,
                                struct skep_time_range range)
{
    static const struct skep_agg count = {.op = SKEP_AGG_COUNT};
    const struct skep_field_ref group = {.name = skep_str_c(field)};
    const struct skep_plan p = {.kind = SKEP_PLAN_AGGREGATE,
                                .range = range,
                                .filter = filter,
                                .groups = &group,
                                .n_groups = 1,
                                .aggs = &count,
                                .n_aggs = 1,
                                .limit = 1000};
    uint64_t hits, misses, hits2, misses2;
    struct skep_arena a;
    struct skep_result *res = NULL;
    skep_err err;
    f->w.data = (struct ref_data){.batches = &f->batch, .n = 1, .dead = &f->dead};
    ref_traces_make(&f->w.data);
    skep_arena_init(&a, "few", NULL);
    struct skep_run_opts opts = {.arena = &a};
    skep_cache_lookups(f->cache, &hits, &misses);
    assert_int_equal(skep_query_aggregate(&f->s.base, &p, &opts, &res, &err), SKEP_OK);
    skep_cache_lookups(f->cache, &hits2, &misses2);
    ref_check(&f->w.data, &p, res, field);
    skep_arena_done(&a);
    ref_traces_done(&f->w.data);
    return hits2 + misses2 - hits - misses;
}

static uint64_t few_count(struct few *f, const char *field, struct skep_time_range range)
{
    return few_count_where(f, &failed, field, range);
}

/* Whoever counts the rows that pass by one field after another looks for them once; the newest of
 * them are found by that, too, and what the newest were counts. */
static void known_rows_are_counted(void **state)
{
    (void)state;
    const struct skep_time_range all = newest.range;
    struct few f = few_make(1 << 20, FEW_GROUP), other = few_make(1 << 20, FEW_GROUP);
    uint64_t first = few_count(&f, "user", all), alone = few_count(&other, "num", all);
    uint64_t then = few_count(&f, "num", all);
    assert_true(first > 0 && then > 0 && then <= alone / 2);
    uint64_t rows = few_ask(&f, &newest), rows_alone;
    few_done(&other);
    other = few_make(1 << 20, FEW_GROUP);
    rows_alone = few_ask(&other, &newest);
    assert_true(rows > 0 && rows < rows_alone);
    assert_int_equal(few_ask(&f, &newest), 0);
    assert_true(few_count(&other, "user", all) < first);
    assert_int_equal(few_ask(&other, &newest), 0);
    struct skep_plan oldest_ones = newest;
    oldest_ones.oldest_first = true;
    for (int way = 0; way < 2; way++) {
        (void)few_ask(&f, &oldest_ones);
        (void)few_ask(&other, &oldest_ones);
    }
    few_done(&f);
    few_done(&other);
}

/* A range that cuts blocks, and comes to others, in whatever order. */
static void known_rows_are_counted_where_they_lie(void **state)
{
    (void)state;
    static const char *const fields[] = {"user", "num", "name"};
    /* Of the first rows alone: bounds rule the other blocks out. */
    static const skep_value few_rows = {.type = SKEP_TYPE_DOUBLE, .f = 4};
    static const struct skep_expr first = {
        .op = SKEP_EXPR_TEST,
        .test = {
            .field = {.name = {"num", 3}}, .op = SKEP_CMP_LT, .values = &few_rows, .n_values = 1}};
    struct rnd r = {12};
    for (unsigned way = 0; way < 4; way++) {
        struct few f = few_make(1 << 20, way % 2 ? FEW_GROUP : SKEP_ROW_GROUP_ROWS);
        for (unsigned i = 0; i < 40; i++) {
            struct skep_plan p = newest;
            int64_t from = rnd_below(&r, FEW_ROWS), n = 1 + rnd_below(&r, FEW_ROWS);
            p.range.start_ns = REF_T0 + from * INT64_C(1000000000);
            p.range.end_ns = p.range.start_ns + n * INT64_C(1000000000);
            p.limit = 1 + rnd_below(&r, 30);
            p.oldest_first = rnd_below(&r, 2);
            p.filter = rnd_below(&r, 2) ? &failed : &first;
            if (rnd_below(&r, 3) == 0)
                p.range = newest.range;
            if (rnd_below(&r, 2))
                (void)few_ask(&f, &p);
            else
                (void)few_count_where(&f, p.filter, fields[rnd_below(&r, 3)], p.range);
        }
        few_done(&f);
    }
}

/* With no room for it nothing is kept, and the answer is the same; where many rows pass, only what
 * was shown is. */
static void known_rows_that_are_too_many(void **state)
{
    (void)state;
    struct few f = few_make(2000, FEW_GROUP);
    struct skep_partials_stats stats;
    assert_true(few_ask(&f, &newest) > 0);
    assert_true(few_ask(&f, &newest) > 0);
    skep_partials_stats(f.partials, &stats);
    assert_true(stats.bytes <= 2000);
    few_done(&f);
    static const skep_value get = {.type = SKEP_TYPE_STRING, .s = {"get", 3}};
    static const struct skep_expr gets = {
        .op = SKEP_EXPR_TEST,
        .test = {.field = {.name = {"name", 4}}, .op = SKEP_CMP_EQ, .values = &get, .n_values = 1}};
    f = few_make(1 << 20, FEW_ROWS / 2);
    struct skep_plan p = newest;
    p.filter = &gets;
    for (p.limit = 1; p.limit < FEW_ROWS; p.limit *= 3) {
        assert_true(few_ask(&f, &p) > 0);
        assert_true(few_ask(&f, &p) > 0);
    }
    few_done(&f);
}

/* However many there are, each is found; one in the place of another leaves that to its holder. */
static void many_kept(void **state)
{
    (void)state;
    enum { MANY = 9000 };
    struct skep_partials *c = skep_partials_new(NULL, 64 << 20);
    struct skep_partials_stats stats;
    struct skep_partials_key key = {1, 2, {NULL, 0}};
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < MANY; i++) {
            uint32_t kept[2] = {i, round};
            key.question = (skep_bytes){(const uint8_t *)&i, sizeof i};
            const struct skep_partials_entry *old = skep_partials_get(c, &key);
            assert_int_equal(old != NULL, round == 1);
            skep_partials_put_bytes(c, &key, (skep_bytes){(const uint8_t *)kept, sizeof kept});
            if (!old)
                continue;
            kept[1] = 0;
            assert_memory_equal(old->bytes.p, kept, sizeof kept);
            skep_partials_let_go(c, old);
            const struct skep_partials_entry *now = skep_partials_get(c, &key);
            kept[1] = 1;
            assert_int_equal(now->bytes.n, sizeof kept);
            assert_memory_equal(now->bytes.p, kept, sizeof kept);
            skep_partials_let_go(c, now);
        }
    skep_partials_stats(c, &stats);
    assert_int_equal(stats.entries, MANY);
    key = (struct skep_partials_key){3, 2, {(const uint8_t *)"other", 5}};
    skep_partials_put_bytes(c, &key, (skep_bytes){NULL, 0});
    skep_partials_drop(c, 1);
    skep_partials_stats(c, &stats);
    assert_int_equal(stats.entries, 1);
    skep_partials_drop(c, 3);
    skep_partials_stats(c, &stats);
    assert_int_equal(stats.bytes, 0);
    skep_partials_free(c);
}

static void one_trace(struct ref_world *w, struct ref_store *s, const skep_trace_id *id)
{
    struct skep_arena a;
    size_t n = 0;
    skep_arena_init(&a, "trace", NULL);
    struct skep_plan p = {.kind = SKEP_PLAN_TRACE, .trace_id = *id};
    struct skep_plan every = {.range = {INT64_MIN, INT64_MAX}, .oldest_first = true};
    struct place *all = expected(&w->data, &every, &n);
    struct skep_answer ret = run(s, &p, &a);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (memcmp(&w->batches[all[i].batch]->trace_id[all[i].row], id, 16) != 0)
            continue;
        assert_true(at < ret.rows.n);
        expect_row(&w->data, &p, &ret.rows.rows[at++], &all[i]);
    }
    assert_int_equal(at, ret.rows.n);
    skep_free(all);
    skep_arena_done(&a);
}

static void traces_and_rows(void **state)
{
    (void)state;
    struct skep_pool *pool = skep_pool_new("test", 2);
    struct rnd r = {4711};
    struct ref_world w;
    skep_err err;
    ref_world_make(&w, &r, 400, pool);
    for (unsigned s = 0; s < REF_STORES; s++) {
        for (unsigned i = 0; i < 20; i++) {
            const struct skep_batch *b = w.batches[0]; /* no dead rows there */
            uint32_t row = rnd_below(&r, b->n_rows);
            struct skep_arena a;
            skep_arena_init(&a, "row", NULL);
            struct skep_plan p = {.kind = SKEP_PLAN_ROW, .row_id = {1, row}};
            struct skep_answer ret = run(&w.stores[s], &p, &a);
            assert_int_equal(ret.rows.n, 1);
            struct place want = {0, row, b->time_ns[row]};
            expect_row(&w.data, &p, &ret.rows.rows[0], &want);
            static const skep_trace_id none;
            if (memcmp(&b->trace_id[row], &none, 16) != 0)
                one_trace(&w, &w.stores[s], &b->trace_id[row]);
            skep_arena_done(&a);
        }
        struct skep_arena a;
        struct skep_answer ret;
        skep_arena_init(&a, "row", NULL);
        struct skep_run_opts opts = {.arena = &a};
        struct skep_plan p = {.kind = SKEP_PLAN_ROW, .row_id = {1, 100000}};
        assert_int_equal(skep_query_run(&w.stores[s].base, &p, &opts, &ret, &err), SKEP_ENOTFOUND);
        p = (struct skep_plan){.kind = SKEP_PLAN_TRACE, .trace_id = {{9, 9, 9}}};
        assert_int_equal(skep_query_run(&w.stores[s].base, &p, &opts, &ret, &err), SKEP_ENOTFOUND);
        skep_arena_done(&a);
    }
    ref_world_done(&w);
    skep_pool_free(pool);
}

/* One summary against all live spans of its trace. */
static void expect_summary(const struct ref_data *d, const struct skep_trace_summary *t)
{
    uint64_t spans = 0, errors = 0, service_spans = 0;
    int64_t start = INT64_MAX, end = INT64_MIN, root_time = INT64_MAX;
    char buf[64];
    skep_str root_name = SKEP_STR("");
    for (unsigned i = 0; i < d->n; i++) {
        const struct skep_batch *b = d->batches[i];
        for (uint32_t r = 0; r < b->n_rows; r++) {
            if (b->kind[r] != SKEP_KIND_SPAN || !ref_alive(d, i, r) ||
                memcmp(&b->trace_id[r], &t->id, 16) != 0)
                continue;
            spans++;
            errors += b->status[r] == SKEP_STATUS_ERROR;
            start = SKEP_MIN(start, b->time_ns[r]);
            end = SKEP_MAX(end, b->time_ns[r] + SKEP_MAX(b->duration_ns[r], 0));
            if (b->parent_id[r] == 0 && b->time_ns[r] < root_time) {
                root_time = b->time_ns[r];
                root_name = skep_batch_str(b, b->name[r]);
            }
            skep_value v = ref_value(b, i + 1, r, SKEP_STR("service.name"), buf);
            skep_str name = v.type == SKEP_TYPE_STRING ? v.s : SKEP_STR("");
            bool listed = false;
            for (unsigned k = 0; k < t->n_services; k++)
                listed = listed || skep_str_eq(t->services[k].name, name);
            assert_true(listed);
        }
    }
    assert_int_equal(t->spans, spans);
    assert_int_equal(t->errors, errors);
    assert_int_equal(t->start_ns, start);
    assert_int_equal(t->end_ns, end);
    assert_int_equal(t->has_root, root_time != INT64_MAX);
    if (t->has_root)
        assert_true(skep_str_eq(t->root_name, root_name));
    for (unsigned k = 0; k < t->n_services; k++)
        service_spans += t->services[k].spans;
    assert_int_equal(service_spans, spans);
}

struct best {
    skep_trace_id id;
    int64_t key[2];
};

static int by_key(const void *a, const void *b)
{
    const struct best *x = a, *y = b;
    for (int i = 0; i < 2; i++)
        if (x->key[i] != y->key[i])
            return x->key[i] > y->key[i] ? -1 : 1;
    return memcmp(&x->id, &y->id, 16);
}

/* The traces a TRACES plan must give, as a set: its best by key. */
static void expect_traces(const struct ref_data *d, const struct skep_plan *p,
                          const struct skep_traces *got)
{
    static struct best all[400];
    size_t n = 0;
    ref_traces_forget(d);
    static const skep_trace_id none;
    for (unsigned i = 0; i < d->n; i++) {
        const struct skep_batch *b = d->batches[i];
        for (uint32_t r = 0; r < b->n_rows; r++) {
            int64_t t = b->time_ns[r];
            if (b->kind[r] != SKEP_KIND_SPAN || !ref_alive(d, i, r) ||
                memcmp(&b->trace_id[r], &none, 16) == 0 || t < p->range.start_ns ||
                t >= p->range.end_ns || !ref_passes(d, i, r, p->filter))
                continue;
            struct best x = {b->trace_id[r], {0, t}};
            if (p->sort == SKEP_TRACES_SLOW)
                x.key[0] = b->duration_ns[r];
            else if (p->sort == SKEP_TRACES_ERRORS)
                x.key[0] = b->status[r] == SKEP_STATUS_ERROR;
            size_t k = 0;
            while (k < n && memcmp(&all[k].id, &x.id, 16) != 0)
                k++;
            if (k == n)
                all[n++] = x;
            else if (by_key(&x, &all[k]) < 0)
                all[k] = x;
        }
    }
    qsort(all, n, sizeof *all, by_key);
    assert_int_equal(got->n, SKEP_MIN(n, p->limit));
    for (size_t i = 0; i < got->n; i++) {
        size_t k = 0;
        while (k < got->n && memcmp(&all[k].id, &got->traces[i].id, 16) != 0)
            k++;
        assert_true(k < got->n);
        if (p->sort == SKEP_TRACES_RECENT)
            assert_int_equal(k, i);
        if (p->sort == SKEP_TRACES_ERRORS && i > 0)
            assert_true(got->traces[i - 1].errors >= got->traces[i].errors);
        expect_summary(d, &got->traces[i]);
    }
}

static void summaries(void **state)
{
    (void)state;
    struct skep_pool *pool = skep_pool_new("test", 2);
    struct rnd r = {99};
    struct ref_world w;
    ref_world_make(&w, &r, 700, pool);
    for (unsigned i = 0; i < 24; i++) {
        struct skep_arena a;
        skep_arena_init(&a, "plan", NULL);
        const struct skep_plan *base = ref_plan(&r, &a);
        struct skep_plan p = {.kind = SKEP_PLAN_TRACES,
                              .range = base->range,
                              .filter = i % 2 ? base->filter : NULL,
                              .sort = (enum skep_traces_sort)(i % 3),
                              .limit = 1 + rnd_below(&r, 50)};
        for (unsigned s = 0; s < REF_STORES; s++) {
            struct skep_answer ret = run(&w.stores[s], &p, &a);
            expect_traces(&w.data, &p, &ret.traces);
        }
        skep_arena_done(&a);
    }
    ref_world_done(&w);
    skep_pool_free(pool);
}

static bool same_ignoring_case(skep_str a, skep_str b)
{
    return skep_str_ieq(a, b);
}

static void lists(void **state)
{
    (void)state;
    struct skep_pool *pool = skep_pool_new("test", 2);
    struct rnd r = {5};
    struct ref_world w;
    ref_world_make(&w, &r, 600, pool);
    for (unsigned s = 0; s < REF_STORES; s++) {
        struct skep_arena a;
        skep_arena_init(&a, "plan", NULL);
        struct skep_plan p = {.kind = SKEP_PLAN_DATASETS,
                              .range = {REF_T0 + 100000000000, REF_T0 + 400000000000}};
        struct skep_answer ret = run(&w.stores[s], &p, &a);
        uint64_t sum = 0, want = 0;
        for (size_t i = 0; i < ret.datasets.n; i++) {
            const struct skep_dataset_info *x = &ret.datasets.datasets[i];
            uint64_t rows = 0;
            int64_t first = INT64_MAX, last = INT64_MIN;
            for (unsigned k = 0; k < w.data.n; k++)
                for (uint32_t row = 0; row < w.batches[k]->n_rows; row++) {
                    int64_t t = w.batches[k]->time_ns[row];
                    if (!ref_alive(&w.data, k, row) || t < p.range.start_ns ||
                        t >= p.range.end_ns ||
                        !same_ignoring_case(
                            skep_batch_str(w.batches[k], w.batches[k]->dataset[row]), x->name))
                        continue;
                    rows++;
                    first = SKEP_MIN(first, t);
                    last = SKEP_MAX(last, t);
                }
            assert_int_equal(x->rows, rows);
            assert_int_equal(x->first_ns, first);
            assert_int_equal(x->last_ns, last);
            sum += rows;
        }
        for (unsigned k = 0; k < w.data.n; k++)
            for (uint32_t row = 0; row < w.batches[k]->n_rows; row++)
                want += ref_alive(&w.data, k, row) &&
                        w.batches[k]->time_ns[row] >= p.range.start_ns &&
                        w.batches[k]->time_ns[row] < p.range.end_ns;
        assert_int_equal(sum, want);

        p = (struct skep_plan){.kind = SKEP_PLAN_FIELDS,
                               .range = {REF_T0 - 10, REF_T0 + REF_SPAN_S * INT64_C(1000000000)},
                               .dataset = SKEP_STR("sHOp")};
        ret = run(&w.stores[s], &p, &a);
        for (size_t i = 0; i < ret.fields.n; i++) {
            const struct skep_field_info *x = &ret.fields.fields[i];
            uint64_t rows = 0;
            if (i > 0)
                assert_true(skep_str_cmp(ret.fields.fields[i - 1].name, x->name) < 0);
            if (!skep_str_eq(x->name, SKEP_STR("user")) && !skep_str_eq(x->name, SKEP_STR("route")))
                continue;
            assert_int_equal(x->types, 1u << SKEP_TYPE_STRING);
            assert_int_equal(x->scopes, 1u << SKEP_SCOPE_ATTRIBUTE);
            char buf[64];
            for (unsigned k = 0; k < w.data.n; k++)
                for (uint32_t row = 0; row < w.batches[k]->n_rows; row++)
                    rows +=
                        ref_alive(&w.data, k, row) &&
                        same_ignoring_case(skep_batch_str(w.batches[k], w.batches[k]->dataset[row]),
                                           SKEP_STR("shop")) &&
                        ref_value(w.batches[k], k + 1, row, x->name, buf).type != SKEP_TYPE_NULL;
            assert_int_equal(x->rows, rows);
        }
        assert_true(ret.fields.n > 20);
        skep_arena_done(&a);
    }
    ref_world_done(&w);
    skep_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_pages),
        cmocka_unit_test(known_rows_are_not_looked_for),
        cmocka_unit_test(known_rows_of_a_block_that_is_cut),
        cmocka_unit_test(known_rows_of_some_blocks),
        cmocka_unit_test(known_rows_follow_deletes),
        cmocka_unit_test(known_rows_are_counted),
        cmocka_unit_test(known_rows_are_counted_where_they_lie),
        cmocka_unit_test(known_rows_that_are_too_many),
        cmocka_unit_test(many_kept),
        cmocka_unit_test(traces_and_rows),
        cmocka_unit_test(summaries),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
