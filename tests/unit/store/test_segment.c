// SPDX-License-Identifier: Apache-2.0
/* Segments: what is written is read back, row by row and value by value, in order, from any split
 * of the sources; with giant traces, long strings and more fields than anybody has. */
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "segment_checks.h"
#include "support/instrumented.h"

enum { MAX_PARTS = 8 };

static void round_trip(struct segment_fixture *f, uint64_t seed, const struct batch_shape *shape,
                       unsigned n_parts)
{
    struct rng r = {seed * 0x9e3779b97f4a7c15ull + 1};
    struct skep_segment_source src[MAX_PARTS];
    struct row_texts want = {0};
    for (unsigned i = 0; i < n_parts; i++) {
        src[i] = (struct skep_segment_source){random_part(&r, shape, i + 5), NULL};
        assert_int_equal(read_rows(src[i].rowset, NULL, SKEP_BLOCK_ROWS, &want, NULL), SKEP_OK);
    }
    sort_rows(&want);
    struct skep_rowset *seg = must_write(f, "/seg", src, n_parts);
    check_order(seg);
    check_ways(seg);
    static const unsigned steps[] = {SKEP_BLOCK_ROWS, 1000, 7};
    for (unsigned k = 0; k < 3; k++) {
        if (steps[k] < 100 && shape->rows > 3000)
            continue;
        struct row_texts got = texts_of(seg, NULL, steps[k]);
        sort_rows(&got);
        same_rows(&want, &got);
        free_rows(&got);
    }
    uint64_t rows;
    skep_err err;
    skep_rowset_unref(seg);
    if (skep_segment_verify(f->os, "/seg", &rows, &err) != SKEP_OK)
        fail_msg("verify: %s", err.text);
    assert_int_equal(rows, want.n);
    for (unsigned i = 0; i < n_parts; i++)
        skep_rowset_unref(src[i].rowset);
    free_rows(&want);
}

static void test_round_trip_small(void **state)
{
    for (uint64_t seed = 1; seed <= skep_tries(40); seed++) {
        struct batch_shape s = {.rows = 1 + (uint32_t)seed * 13 % 300,
                                .traces = 1 + (uint32_t)seed % 17,
                                .fields = 1 + (uint32_t)seed * 7 % 60,
                                .per_row = (uint32_t)seed % 12,
                                .hostile = seed % 2};
        round_trip(*state, seed, &s, 1 + (unsigned)(seed % 5));
    }
}

/* More than a row group, of 65,536 rows. */
static void test_round_trip_groups(void **state)
{
    struct batch_shape s = {
        .rows = 13500, .traces = 4000, .fields = 40, .per_row = 8, .hostile = false};
    if (!SKEP_INSTRUMENTED)
        round_trip(*state, 77, &s, 5);
    struct batch_shape h = {
        .rows = 33500, .traces = 40, .fields = 25, .per_row = 5, .hostile = true};
    round_trip(*state, 78, &h, 2);
}

static void many_fields(struct segment_fixture *f, uint32_t rows)
{
    struct batch_shape s = {
        .rows = rows, .traces = 300, .fields = 4000, .per_row = 30, .hostile = false};
    round_trip(f, 5, &s, 2);
}

static void test_many_fields(void **state)
{
    many_fields(*state, skep_tries(2500));
}

/* Row groups of less than 65,536 rows: gaps in the row numbers. */
static void test_short_groups(void **state)
{
    struct segment_fixture *f = *state;
    f->group_rows = 700;
    many_fields(f, 1000);
    struct batch_shape s = {
        .rows = 4000, .traces = 40, .fields = 12, .per_row = 6, .hostile = true};
    round_trip(f, 31, &s, 2);
    /* Fields of few rows; a row group takes rows from all over the part, and leaves many out. */
    struct batch_shape few = {.rows = 4000, .traces = 3000, .fields = 100, .per_row = 1};
    round_trip(f, 33, &few, 1);
    round_trip(f, 34, &few, 3);
    f->group_rows = 1024;
    round_trip(f, 32, &s, 1);
    f->group_rows = 1; /* of a reader, too much to ask: gaps cost memory */
    struct rng r = {5};
    struct skep_segment_source src = {random_part(&r, &s, 1), NULL};
    struct skep_rowset *rs;
    skep_err err;
    assert_int_equal(write_segment(f, "/tiny", &src, 1, NULL, &err), SKEP_OK);
    assert_int_equal(skep_segment_open(f->os, "/tiny", f->cache, &rs, &err), SKEP_ECORRUPT);
    skep_rowset_unref(src.rowset);
}

/* A trace longer than a row group, long strings in many chunks, zones that bound their block. */
static void test_giants(void **state)
{
    struct segment_fixture *f = *state;
    struct rng r = {21};
    struct skep_batch *b = skep_batch_new(NULL, 1);
    char *text = skep_malloc(300000);
    for (uint32_t i = 0; i < 70000; i++) {
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, 1000000 - (int64_t)i, SKEP_SOURCE_OTLP);
        memset(b->trace_id[row].b, 7, 16);
        b->span_id[row] = i + 1;
        b->parent_id[row] = i % 3 ? rng_below(&r, 70000) : 0;
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("n"),
                       (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)i * 1000});
        if (i % 500 == 0) {
            memset(text, 'a' + (int)(i / 500 % 26), 300000);
            memcpy(text, &i, 4);
            skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("rare"),
                           (skep_value){.type = SKEP_TYPE_STRING, .s = {text, 200000}});
        }
        if (i % 40 == 0) {
            for (uint32_t k = 0; k < 4000; k++)
                text[k] = (char)('a' + rng_below(&r, 26));
            skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("body"),
                           (skep_value){.type = SKEP_TYPE_STRING, .s = {text, 4000}});
        }
    }
    struct skep_buf buf;
    skep_buf_init(&buf, 1u << 30);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    skep_batch_free(b);
    skep_free(text);
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    struct skep_segment_source src = {0};
    assert_int_equal(skep_part_open(payload, n, 1, NULL, &src.rowset, NULL), SKEP_OK);
    struct row_texts want = texts_of(src.rowset, NULL, 1024);
    struct skep_rowset *seg = must_write(f, "/g", &src, 1);
    struct row_texts got = texts_of(seg, NULL, 1024);
    sort_rows(&want);
    sort_rows(&got);
    same_rows(&want, &got);
    free_rows(&want);
    free_rows(&got);
    check_order(seg);
    check_ways(seg);
    uint32_t field =
        skep_rowset_find_field(seg, SKEP_STR("n"), SKEP_SCOPE_ATTRIBUTE, SKEP_TYPE_INT);
    struct skep_colreader *rd;
    assert_int_equal(seg->ops->open_field(seg, field, &rd, NULL), SKEP_OK);
    for (uint64_t block = 0; block < skep_rowset_blocks(seg); block++) {
        double min, max;
        struct skep_vec v;
        unsigned rows = skep_rowset_block_rows(seg, block);
        if (rows == 0) /* behind a short row group */
            continue;
        assert_true(rd->ops->zone(rd, block * 1024, rows, &min, &max));
        assert_int_equal(rd->ops->read(rd, block * 1024, rows, &v, NULL), SKEP_OK);
        double lo = 1e300, hi = -1e300;
        for (unsigned i = 0; i < v.n; i++) {
            double x = (double)v.i64[v.constant ? 0 : i];
            lo = x < lo ? x : lo;
            hi = x > hi ? x : hi;
        }
        assert_true(min == lo && max == hi);
    }
    rd->ops->close(rd);
    skep_rowset_unref(seg);
    skep_rowset_unref(src.rowset);
}

/* Operations with names of their own: who has a value follows from the span's name, in hundreds of
 * columns of few rows each. */
static void test_names_of_operations(void **state)
{
    struct segment_fixture *f = *state;
    enum { ROWS = 6000, OPERATIONS = 60, NAMES = 5 };
    struct rng r = {15};
    struct skep_batch *b = skep_batch_new(NULL, 1000000);
    for (uint32_t i = 0; i < ROWS; i++) {
        char text[32], name[32];
        unsigned op = rng_below(&r, OPERATIONS);
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, 1000 + i, SKEP_SOURCE_OTLP);
        b->name[row] = skep_batch_intern(
            b, (skep_str){text, (size_t)snprintf(text, sizeof text, "op-%u", op)});
        for (unsigned k = 0; k < NAMES; k++) {
            size_t n = (size_t)snprintf(name, sizeof name, "op%u.attr%u", op, k);
            size_t m = (size_t)snprintf(text, sizeof text, "v-%u", rng_below(&r, 7));
            skep_value v = {.type = SKEP_TYPE_STRING, .s = {text, m}};
            if (k % 2)
                v = (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)rng_below(&r, 50) - 20};
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, (skep_str){name, n}, v);
        }
    }
    struct skep_buf buf;
    skep_buf_init(&buf, 1u << 30);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    skep_batch_free(b);
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    struct skep_segment_source src = {0};
    assert_int_equal(skep_part_open(payload, n, 1, NULL, &src.rowset, NULL), SKEP_OK);
    struct skep_rowset *seg = must_write(f, "/names", &src, 1);
    struct row_texts want = texts_of(src.rowset, NULL, 1024), got = texts_of(seg, NULL, 1024);
    sort_rows(&want);
    sort_rows(&got);
    same_rows(&want, &got);
    free_rows(&want);
    free_rows(&got);
    check_ways(seg);
    skep_rowset_unref(seg);
    skep_rowset_unref(src.rowset);
}

/* A long value of one letter, which hardly takes room: what was written is read. */
static void test_one_letter(void **state)
{
    struct segment_fixture *f = *state;
    struct skep_batch *b = skep_batch_new(NULL, 1);
    const size_t sizes[] = {100, 200 << 10, 1 << 20, 3 << 20, 4000000};
    char *text = skep_malloc(sizes[4]);
    memset(text, '<', sizes[4]);
    for (uint32_t i = 0; i < 3000; i++) {
        (void)skep_batch_row(b, SKEP_KIND_ERROR, 1000000 + (int64_t)i, SKEP_SOURCE_ROLLBAR);
        if (i % 600 == 0)
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("rare"),
                           (skep_value){.type = SKEP_TYPE_STRING, .s = {text, sizes[i / 600]}});
    }
    struct skep_buf buf;
    skep_buf_init(&buf, 1u << 30);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    skep_batch_free(b);
    skep_free(text);
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    struct skep_segment_source src = {0};
    assert_int_equal(skep_part_open(payload, n, 1, NULL, &src.rowset, NULL), SKEP_OK);
    struct row_texts want = texts_of(src.rowset, NULL, 1024);
    struct skep_rowset *seg = must_write(f, "/o", &src, 1);
    struct row_texts got = texts_of(seg, NULL, 1024);
    sort_rows(&want);
    sort_rows(&got);
    same_rows(&want, &got);
    free_rows(&want);
    free_rows(&got);
    skep_rowset_unref(seg);
    skep_rowset_unref(src.rowset);
}

/* One part of rows whose columns are in each phase of another nature: what follows from the name is
 * random then, templates become few values, decimals any doubles. */
static struct skep_rowset *changing_part(uint32_t first, uint32_t rows, uint32_t phase_rows)
{
    struct skep_batch *b = skep_batch_new(NULL, 1000000);
    for (uint32_t i = first; i < first + rows; i++) {
        struct rng r = {i * 0x9e3779b97f4a7c15ull + 1};
        char text[64];
        uint32_t phase = i / phase_rows, kind = phase * 7 % 5, op = rng_below(&r, 20);
        uint64_t any = rng_next(&r) | 1;
        uint32_t row = skep_batch_row(b, SKEP_KIND_SPAN, 1000 + i, SKEP_SOURCE_OTLP);
        size_t n = (size_t)snprintf(text, sizeof text, "op-%u", op);
        b->name[row] = skep_batch_intern(b, (skep_str){text, n});
        const int64_t ints[] = {op * 1000, (int64_t)any, i / 300, (int64_t)(any % 3) << 40, i};
        const double doubles[] = {op / 4.0, (double)any / 3.0, 0.1 * (i % 7), op * 1e300, i};
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("int"),
                       (skep_value){.type = SKEP_TYPE_INT, .i = ints[kind]});
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("double"),
                       (skep_value){.type = SKEP_TYPE_DOUBLE, .f = doubles[kind]});
        switch (kind) {
        case 0: n = (size_t)snprintf(text, sizeof text, "/carts/%u/items/%u", i, op); break;
        case 1:
            for (n = 0; n < 24; n++)
                text[n] = (char)rng_next(&r);
            break;
        case 2: n = (size_t)snprintf(text, sizeof text, "one of %u, a long text of few", op); break;
        case 3: n = (size_t)snprintf(text, sizeof text, "%016llx", (unsigned long long)any); break;
        default: n = (size_t)snprintf(text, sizeof text, "%u", i / 2);
        }
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("text"),
                       (skep_value){.type = SKEP_TYPE_STRING, .s = {text, n}});
    }
    struct skep_buf buf;
    skep_buf_init(&buf, 1u << 30);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    skep_batch_free(b);
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    struct skep_rowset *part;
    assert_int_equal(skep_part_open(payload, n, 1, NULL, &part, NULL), SKEP_OK);
    return part;
}

/* Row groups are encoded as those before only while that suits them: all comes back, and takes
 * about as much room as if each phase had been a segment of its own. */
static void test_columns_that_change(void **state)
{
    struct segment_fixture *f = *state;
    enum { GROUP = 2048, PHASE = 5 * GROUP, PHASES = 5 };
    struct skep_segment_source src = {.rowset = changing_part(0, PHASES * PHASE, PHASE)};
    struct skep_budget budget;
    skep_budget_init(&budget, "write", UINT64_MAX, NULL);
    struct skep_segment_job job = {.os = f->os,
                                   .path = "/change",
                                   .sources = &src,
                                   .n_sources = 1,
                                   .group_rows = GROUP,
                                   .budget = &budget};
    struct skep_segment_info info;
    struct skep_rowset *seg;
    assert_int_equal(skep_segment_write(&job, &info, NULL), SKEP_OK);
    assert_int_equal(skep_segment_open(f->os, "/change", f->cache, &seg, NULL), SKEP_OK);
    struct row_texts want = texts_of(src.rowset, NULL, 1024), got = texts_of(seg, NULL, 1024);
    sort_rows(&want);
    sort_rows(&got);
    same_rows(&want, &got);
    free_rows(&want);
    free_rows(&got);
    check_ways(seg);
    skep_rowset_unref(seg);
    skep_rowset_unref(src.rowset);
    uint64_t alone = 0, whole = info.file_bytes;
    for (uint32_t p = 0; p < PHASES; p++) {
        src.rowset = changing_part(p * PHASE, PHASE, PHASE);
        assert_int_equal(skep_segment_write(&job, &info, NULL), SKEP_OK);
        alone += info.file_bytes;
        skep_rowset_unref(src.rowset);
    }
    if (whole > alone + alone / 10)
        fail_msg("%llu bytes, phases alone %llu", (unsigned long long)whole,
                 (unsigned long long)alone);
}

/* Few values of a column in a row group, of which many are the same: one dictionary for all. */
static void test_few_values_share_a_dictionary(void **state)
{
    struct segment_fixture *f = *state;
    enum { ROWS = 4000, VALUES = 100, EACH = 6 };
    struct rng r = {16};
    struct skep_batch *b = skep_batch_new(NULL, 1000000);
    for (uint32_t i = 0; i < ROWS; i++) {
        char text[32];
        (void)skep_batch_row(b, SKEP_KIND_SPAN, 1000 + i, SKEP_SOURCE_OTLP);
        size_t n = (size_t)snprintf(text, sizeof text, "value-%03u", rng_below(&r, VALUES));
        if (i % EACH == 0)
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("few"),
                           (skep_value){.type = SKEP_TYPE_STRING, .s = {text, n}});
    }
    struct skep_buf buf;
    skep_buf_init(&buf, 1u << 30);
    assert_int_equal(skep_frame_encode(b, &buf, NULL), SKEP_OK);
    skep_batch_free(b);
    size_t n;
    uint8_t *payload = skep_buf_take(&buf, &n);
    struct skep_segment_source src = {0};
    assert_int_equal(skep_part_open(payload, n, 1, NULL, &src.rowset, NULL), SKEP_OK);
    struct skep_rowset *seg = must_write(f, "/few", &src, 1);
    uint32_t field =
        skep_rowset_find_field(seg, SKEP_STR("few"), SKEP_SCOPE_ATTRIBUTE, SKEP_TYPE_STRING);
    struct skep_colreader *rd;
    struct skep_vec v;
    assert_int_equal(seg->ops->open_field(seg, field, &rd, NULL), SKEP_OK);
    assert_int_equal(rd->ops->read(rd, 0, 1000, &v, NULL), SKEP_OK);
    assert_int_equal(v.form, SKEP_VEC_DICT);
    rd->ops->close(rd);
    skep_rowset_unref(seg);
    skep_rowset_unref(src.rowset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip_small, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_round_trip_groups, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_many_fields, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_short_groups, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_giants, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_names_of_operations, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_one_letter, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_columns_that_change, segment_setup, segment_teardown),
        cmocka_unit_test_setup_teardown(test_few_values_share_a_dictionary, segment_setup,
                                        segment_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
