// SPDX-License-Identifier: Apache-2.0
/* Everything that is not an aggregate, over every layout of the same rows: rows with filters,
 * columns and cursors, tail order, traces, single rows, summaries, field and dataset lists. */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/thread.h"
#include "plan/compare.h"
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
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct rnd r = {seed * 77};
        struct ref_world w;
        ref_world_make(&w, &r, seed == 6 ? 1500 : 80, pool);
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
            skep_arena_done(&a);
        }
        ref_world_done(&w);
    }
    skep_pool_free(pool);
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
        cmocka_unit_test(traces_and_rows),
        cmocka_unit_test(summaries),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
