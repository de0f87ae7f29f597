// SPDX-License-Identifier: Apache-2.0
/* Frames and parts: what goes in comes out, through encode, open and fold, on random batches; cut
 * and changed payloads are refused or harmless. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/column/part.h"
#include "support/instrumented.h"
#include "support/rowdump.h"

static struct skep_rowset *part_of(const struct skep_batch *b, uint64_t seq,
                                   struct skep_budget *budget)
{
    struct skep_buf buf;
    skep_err err;
    skep_buf_init(&buf, 1 << 30);
    assert_int_equal(skep_frame_encode(b, &buf, &err), SKEP_OK);
    size_t n;
    uint8_t *p = skep_buf_take(&buf, &n);
    struct skep_rowset *rs = NULL;
    skep_rc rc = skep_part_open(p, n, seq, budget, &rs, &err);
    if (rc != SKEP_OK)
        fail_msg("%s", err.text);
    return rs;
}

/* Rows [at, at + b->n_rows) of the rowset are those of the batch. */
static void expect_rows(char **rows, uint64_t at, const struct skep_batch *b, uint64_t seq)
{
    for (uint32_t i = 0; i < b->n_rows; i++) {
        char *want = dump_batch_row(b, i, seq);
        assert_string_equal(rows[at + i], want);
        skep_free(want);
    }
}

static void expect_bounds(struct skep_rowset *rs, const struct skep_batch *b)
{
    int64_t min = INT64_MAX, max = INT64_MIN, end = INT64_MIN;
    for (uint32_t i = 0; i < b->n_rows; i++) {
        min = SKEP_MIN(min, b->time_ns[i]);
        max = SKEP_MAX(max, b->time_ns[i]);
        end = SKEP_MAX(end, b->time_ns[i] + SKEP_MAX(b->duration_ns[i], 0));
    }
    assert_int_equal(rs->bounds.min_start_ns, min);
    assert_int_equal(rs->bounds.max_start_ns, max);
    assert_int_equal(rs->bounds.max_end_ns, end);
}

/* find_trace names exactly the ranges that hold the trace's rows. */
static void expect_traces(struct skep_rowset *rs, const struct skep_batch *b)
{
    skep_err err;
    for (uint32_t i = 0; i < b->n_rows; i += 1 + b->n_rows / 7) {
        struct skep_row_range r[2048];
        unsigned n;
        assert_int_equal(rs->ops->find_trace(rs, &b->trace_id[i], r, 2048, &n, &err), SKEP_OK);
        uint32_t row = 0;
        for (unsigned k = 0; k < n; k++) {
            for (; row < r[k].first; row++)
                assert_memory_not_equal(&b->trace_id[row], &b->trace_id[i], 16);
            for (; row < r[k].end; row++)
                assert_memory_equal(&b->trace_id[row], &b->trace_id[i], 16);
        }
        for (; row < b->n_rows; row++)
            assert_memory_not_equal(&b->trace_id[row], &b->trace_id[i], 16);
        if (n > 1) {
            struct skep_row_range few[1];
            assert_int_equal(rs->ops->find_trace(rs, &b->trace_id[i], few, 1, &n, &err), SKEP_OK);
            assert_int_equal(n, 1);
            assert_int_equal(few[0].first, r[0].first);
            assert_true(few[0].end > r[0].end);
        }
    }
    struct skep_row_range r;
    unsigned n = 1;
    skep_trace_id absent = {{1, 2, 3, 0xee}};
    assert_int_equal(rs->ops->find_trace(rs, &absent, &r, 1, &n, &err), SKEP_OK);
    assert_int_equal(n, 0);
}

/* Reads at odd offsets agree with whole-block reads. */
static void expect_partial_reads(struct skep_rowset *rs, struct rnd *r)
{
    skep_err err;
    for (uint32_t f = 0; f < rs->n_fields; f++) {
        struct skep_colreader *a, *b;
        assert_int_equal(rs->ops->open_field(rs, f, &a, &err), SKEP_OK);
        assert_int_equal(rs->ops->open_field(rs, f, &b, &err), SKEP_OK);
        for (int k = 0; k < 8; k++) {
            uint64_t row = rnd_below(r, (uint32_t)rs->n_rows);
            uint64_t block = row / SKEP_BLOCK_ROWS * SKEP_BLOCK_ROWS;
            unsigned whole = (unsigned)SKEP_MIN(rs->n_rows - block, (uint64_t)SKEP_BLOCK_ROWS);
            unsigned n = 1 + rnd_below(r, (uint32_t)(block + whole - row));
            struct skep_vec all, some;
            assert_int_equal(a->ops->read(a, block, whole, &all, &err), SKEP_OK);
            assert_int_equal(b->ops->read(b, row, n, &some, &err), SKEP_OK);
            for (unsigned i = 0; i < n; i++) {
                unsigned j = (unsigned)(row - block) + i;
                bool in_all = !all.none && (!all.valid || (all.valid[j / 64] >> (j % 64) & 1));
                bool in_some = !some.none && (!some.valid || (some.valid[i / 64] >> (i % 64) & 1));
                assert_int_equal(in_all, in_some);
                if (!in_all)
                    continue;
                if (all.form == SKEP_VEC_DICT)
                    assert_int_equal(all.codes[all.constant ? 0 : j],
                                     some.codes[some.constant ? 0 : i]);
                else if (all.form == SKEP_VEC_I64)
                    assert_int_equal(all.i64[all.constant ? 0 : j],
                                     some.i64[some.constant ? 0 : i]);
            }
        }
        a->ops->close(a);
        b->ops->close(b);
    }
}

static uint64_t seed_of_run(void)
{
    const char *s = getenv("SKEP_SEED");
    return s ? strtoull(s, NULL, 10) : 20261120;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct rnd r = {seed_of_run()};
    for (int round = 0; round < (int)skep_tries(150); round++) {
        struct skep_budget budget;
        skep_budget_init(&budget, "test", UINT64_MAX, NULL);
        uint32_t n = 1 + rnd_below(&r, 1u << rnd_below(&r, 12));
        struct skep_batch *b = random_batch(&r, n, 1700000000000000000 + round, round * 10000);
        b->identity[3] = 7;
        struct skep_rowset *rs = part_of(b, 5 + round, &budget);
        assert_int_equal(rs->n_rows, n);
        assert_int_equal(rs->min_seq, 5 + round);
        assert_true(skep_budget_used(&budget) > 0);
        char **rows = dump_rowset(rs);
        expect_rows(rows, 0, b, 5 + round);
        dump_free(rows, n);
        expect_bounds(rs, b);
        expect_traces(rs, b);
        expect_partial_reads(rs, &r);
        uint32_t f = rnd_below(&r, rs->n_fields);
        assert_int_equal(
            skep_rowset_find_field(rs, rs->fields[f].name, rs->fields[f].scope, rs->fields[f].type),
            f);
        skep_batch_free(b);
        skep_rowset_unref(rs);
        assert_int_equal(skep_budget_used(&budget), 0);
    }
}

/* Names that are each other's beginning, or differ in what a text rarely has. */
static void test_order_of_names(void **state)
{
    (void)state;
    static const skep_str names[] = {SKEP_STR_INIT("abcdefgh.1"), SKEP_STR_INIT("a"),
                                     SKEP_STR_INIT("a\0"),        SKEP_STR_INIT("a\0b"),
                                     SKEP_STR_INIT("ab"),         SKEP_STR_INIT("abcdefgh"),
                                     SKEP_STR_INIT("abcdefg"),    SKEP_STR_INIT("\xc3\xa4"),
                                     SKEP_STR_INIT("abcdefgh.0"), SKEP_STR_INIT("a\0\0\0\0\0\0\0x"),
                                     SKEP_STR_INIT("abcdefgh.10")};
    for (unsigned skip = 0; skip < 2; skip++) { /* with names that have a beginning in common */
        struct skep_batch *b = skep_batch_new(NULL, 1);
        skep_batch_row(b, SKEP_KIND_SPAN, 5, SKEP_SOURCE_OTLP);
        unsigned n = 0;
        for (unsigned i = 0; i < SKEP_ARRAY_LEN(names); i++) {
            if (skip && names[i].p[0] != 'a')
                continue;
            skep_value v = {.type = i % 2 ? SKEP_TYPE_INT : SKEP_TYPE_BOOL};
            skep_batch_put(b, i % 3 ? SKEP_SCOPE_ATTRIBUTE : SKEP_SCOPE_INTRINSIC, names[i], v);
            n++;
        }
        skep_err err;
        struct skep_buf buf;
        struct skep_rowset *rs = NULL;
        size_t size;
        skep_buf_init(&buf, 1 << 20);
        assert_int_equal(skep_frame_encode(b, &buf, &err), SKEP_OK);
        uint8_t *payload = skep_buf_take(&buf, &size);
        if (skep_part_open(payload, size, 1, NULL, &rs, &err) != SKEP_OK)
            fail_msg("%s", err.text); /* it checks the order */
        assert_int_equal(rs->n_fields, n);
        for (uint32_t i = 1; i < rs->n_fields; i++)
            assert_true(skep_str_cmp(rs->fields[i - 1].name, rs->fields[i].name) < 0);
        skep_rowset_unref(rs);
        skep_batch_free(b);
    }
}

static void test_fold(void **state)
{
    (void)state;
    struct rnd r = {seed_of_run() + 1};
    for (int round = 0; round < (int)skep_tries(60); round++) {
        struct skep_budget budget;
        skep_budget_init(&budget, "test", UINT64_MAX, NULL);
        enum { MAX = 9 };
        struct skep_batch *b[MAX];
        struct skep_rowset *p[MAX], *folded = NULL;
        unsigned n = 1 + rnd_below(&r, MAX);
        for (unsigned i = 0; i < n; i++) {
            b[i] = random_batch(&r, 1 + rnd_below(&r, 1500), 1700000000000000000 + i, i * 10000);
            p[i] = part_of(b[i], 100 + i, &budget);
        }
        skep_err err;
        unsigned half = n / 2; /* fold a fold with plain ones */
        if (half > 0) {
            assert_int_equal(skep_part_fold(p, half, &budget, &folded, &err), SKEP_OK);
            for (unsigned i = 0; i < half; i++)
                skep_rowset_unref(p[i]);
            p[half - 1] = folded;
        }
        unsigned from = half > 0 ? half - 1 : 0;
        assert_int_equal(skep_part_fold(p + from, n - from, &budget, &folded, &err), SKEP_OK);
        assert_int_equal(folded->min_seq, 100);
        assert_int_equal(folded->max_seq, 100 + n - 1);
        char **rows = dump_rowset(folded);
        uint64_t at = 0;
        for (unsigned i = 0; i < n; i++) {
            expect_rows(rows, at, b[i], 100 + i);
            at += b[i]->n_rows;
        }
        assert_int_equal(folded->n_rows, at);
        dump_free(rows, at);
        expect_partial_reads(folded, &r);
        for (unsigned i = from; i < n; i++)
            skep_rowset_unref(p[i]);
        skep_rowset_unref(folded);
        for (unsigned i = 0; i < n; i++)
            skep_batch_free(b[i]);
        assert_int_equal(skep_budget_used(&budget), 0);
    }
}

/* Spans of many operations, each with names of its own: a part has a few values of each. */
static struct skep_batch *operations(struct rnd *r, uint32_t n_rows, int64_t received_ns)
{
    enum { OPS = 12, NAMES = 6 };
    struct skep_batch *b = skep_batch_new(NULL, received_ns);
    for (uint32_t row = 0; row < n_rows; row++) {
        uint32_t op = rnd_below(r, OPS);
        skep_batch_row(b, SKEP_KIND_SPAN, 1000 + row, SKEP_SOURCE_OTLP);
        b->trace_id[row].b[0] = (uint8_t)row;
        for (uint32_t k = 0; k < NAMES; k++) {
            char name[40], text[40];
            uint32_t x = rnd_below(r, 9);
            (void)snprintf(name, sizeof name, "op.%02u.%u", op, k);
            (void)snprintf(text, sizeof text, x ? "value-%u" : "", x);
            skep_value v = {.type = SKEP_TYPE_STRING, .s = skep_str_c(text)};
            if (k == 1)
                v = (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)x - 4};
            else if (k == 2)
                v = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = x * 0.25};
            else if (k == 3)
                v = (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)rnd_u64(r)};
            if (k < 5 || x > 4) /* the last one stands in other rows than the rest */
                skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, skep_str_c(name), v);
        }
    }
    return b;
}

static void test_fold_many_names(void **state)
{
    (void)state;
    struct rnd r = {seed_of_run() + 3};
    for (int round = 0; round < (int)skep_tries(20); round++) {
        enum { N = 7 };
        struct skep_batch *b[N];
        struct skep_rowset *p[N], *folded = NULL, *again = NULL;
        skep_err err;
        for (unsigned i = 0; i < N; i++) {
            b[i] = operations(&r, 1 + rnd_below(&r, 120), 1700000000000000000 + i);
            p[i] = part_of(b[i], 100 + i, NULL);
        }
        /* Few values a part; then of a fold and a part; then of one that has many. */
        assert_int_equal(skep_part_fold(p, N - 2, NULL, &folded, &err), SKEP_OK);
        struct skep_rowset *both[] = {folded, p[N - 2], p[N - 1]};
        assert_int_equal(skep_part_fold(both, 3, NULL, &again, &err), SKEP_OK);
        char **rows = dump_rowset(again);
        uint64_t at = 0;
        for (unsigned i = 0; i < N; i++) {
            expect_rows(rows, at, b[i], 100 + i);
            at += b[i]->n_rows;
        }
        assert_int_equal(again->n_rows, at);
        dump_free(rows, at);
        expect_partial_reads(again, &r);
        for (unsigned i = 0; i < N; i++) {
            skep_rowset_unref(p[i]);
            skep_batch_free(b[i]);
        }
        skep_rowset_unref(folded);
        skep_rowset_unref(again);
    }
}

/* Fields of the same few rows have one row list in the log, and in memory. */
static void test_row_lists_stand_once(void **state)
{
    (void)state;
    static const char *const names[] = {"a.first", "a.last", "b.first", "b.last"};
    struct skep_batch *b = skep_batch_new(NULL, 1);
    for (unsigned row = 0; row < 1000; row++) {
        skep_batch_row(b, SKEP_KIND_SPAN, 5, SKEP_SOURCE_OTLP);
        for (unsigned k = 0; k < SKEP_ARRAY_LEN(names); k++)
            if (row == 40 || row == (k < 2 ? 700 : 800)) /* the same first row, and as many */
                skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, skep_str_c(names[k]),
                               (skep_value){.type = SKEP_TYPE_INT, .i = row + k});
    }
    struct skep_rowset *rs = part_of(b, 1, NULL);
    const struct skep_part_col *f = skep_part_must(rs)->fields;
    assert_int_equal(rs->n_fields, SKEP_ARRAY_LEN(names));
    assert_ptr_equal(f[0].rows, f[1].rows);
    assert_ptr_equal(f[2].rows, f[3].rows);
    assert_ptr_not_equal(f[1].rows, f[2].rows);
    char **rows = dump_rowset(rs);
    expect_rows(rows, 0, b, 1);
    dump_free(rows, rs->n_rows);
    skep_rowset_unref(rs);
    skep_batch_free(b);
}

static void test_same_batch_same_bytes(void **state)
{
    (void)state;
    struct rnd r1 = {77}, r2 = {77};
    struct skep_batch *a = random_batch(&r1, 700, 1, 0), *b = random_batch(&r2, 700, 1, 0);
    struct skep_buf x, y;
    skep_buf_init(&x, 1 << 30);
    skep_buf_init(&y, 1 << 30);
    assert_int_equal(skep_frame_encode(a, &x, NULL), SKEP_OK);
    assert_int_equal(skep_frame_encode(b, &y, NULL), SKEP_OK);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.p, y.p, x.n);
    skep_buf_done(&x);
    skep_buf_done(&y);
    skep_batch_free(a);
    skep_batch_free(b);
}

/* Every cut is refused; every changed byte is refused or read without harm (values may differ:
 * finding changed values is the checksum's business). */
static void test_hostile(void **state)
{
    (void)state;
    struct rnd r = {seed_of_run() + 2};
    struct skep_batch *b = random_batch(&r, 90, 1, 0);
    struct skep_buf buf;
    skep_buf_init(&buf, 1 << 30);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    skep_batch_free(b);
    unsigned refused = 0;
    const unsigned rounds = skep_tries(6000);
    for (unsigned round = 0; round < rounds; round++) {
        size_t n = buf.n;
        if (round % 4 == 0)
            n = rnd_below(&r, (uint32_t)buf.n);
        uint8_t *p = skep_malloc(n + 1);
        memcpy(p, buf.p, n);
        if (round % 4 != 0) /* mostly the head and directories */
            for (unsigned k = 0; k < 1 + round % 3; k++)
                p[rnd_below(&r, (uint32_t)(round % 2 ? SKEP_MIN(n, (size_t)4096) : n))] =
                    (uint8_t)rnd_u64(&r);
        struct skep_rowset *rs = NULL;
        skep_err err = {0};
        skep_rc rc = skep_part_open(p, n, 1, NULL, &rs, &err);
        if (n < buf.n)
            assert_int_not_equal(rc, SKEP_OK);
        if (rc == SKEP_OK) {
            dump_free(dump_rowset(rs), rs->n_rows);
            skep_rowset_unref(rs);
            continue;
        }
        assert_true(rc == SKEP_ECORRUPT || rc == SKEP_EUNSUPPORTED);
        assert_true(err.text[0] != 0);
        refused++;
    }
    assert_true(refused > rounds / 3);
    skep_buf_done(&buf);
}

int main(void)
{
    print_message("seed %llu (SKEP_SEED)\n", (unsigned long long)seed_of_run());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_order_of_names),
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_same_batch_same_bytes),
        cmocka_unit_test(test_fold_many_names),
        cmocka_unit_test(test_row_lists_stand_once),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
