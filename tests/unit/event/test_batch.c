// SPDX-License-Identifier: Apache-2.0
/* The batch builder against a slow, obviously right model, and its edges one by one. */
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "event/put.h"

static skep_value str(const char *s)
{
    return (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(s)};
}

static skep_value num(int64_t i)
{
    return (skep_value){.type = SKEP_TYPE_INT, .i = i};
}

/* Value of (name) in row, or type NULL; asserts there is only one. */
static skep_value get(const struct skep_batch *b, const char *name, uint32_t row)
{
    skep_value v = {.type = SKEP_TYPE_NULL};
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *field = &b->fields[f];
        if (!skep_str_eq(skep_batch_str(b, field->name), skep_str_c(name)))
            continue;
        for (uint32_t i = 0; i < field->n; i++) {
            if (field->rows[i] != row)
                continue;
            assert_int_equal(v.type, SKEP_TYPE_NULL);
            v.type = field->type;
            if (v.type == SKEP_TYPE_STRING)
                v.s = skep_batch_str(b, (uint32_t)field->vals[i]);
            else
                v.i = (int64_t)field->vals[i];
        }
    }
    return v;
}

static void assert_str(skep_value v, const char *s)
{
    assert_int_equal(v.type, SKEP_TYPE_STRING);
    assert_true(skep_str_eq(v.s, skep_str_c(s)));
}

static void test_rows_and_neutral_values(void **state)
{
    (void)state;
    struct skep_batch *b = skep_batch_new(NULL, 42);
    for (int64_t i = 0; i < 1000; i++) {
        uint32_t r = skep_batch_row(b, SKEP_KIND_SPAN, i, SKEP_SOURCE_OTLP);
        assert_int_equal(r, i);
        b->span_id[r] = (uint64_t)i + 1;
    }
    skep_batch_check(b);
    assert_int_equal(b->n_rows, 1000);
    assert_int_equal(b->received_ns, 42);
    for (uint32_t r = 0; r < 1000; r++) {
        assert_int_equal(b->time_ns[r], r);
        assert_int_equal(b->span_id[r], r + 1);
        assert_int_equal(b->duration_ns[r], -1);
        assert_int_equal(b->sample_rate[r], 1);
        assert_int_equal(b->resource[r] + b->scope[r] + b->name[r] + b->dataset[r], 0);
    }
    skep_batch_free(b);
}

static void test_intern(void **state)
{
    (void)state;
    struct skep_batch *b = skep_batch_new(NULL, 0);
    assert_int_equal(skep_batch_intern(b, SKEP_STR_NULL), 0);
    uint32_t first = skep_batch_intern(b, SKEP_STR("a"));
    assert_int_not_equal(first, 0);
    uint32_t ids[5000];
    char text[32];
    for (int i = 0; i < 5000; i++) {
        int n = snprintf(text, sizeof text, "value-%d", i);
        ids[i] = skep_batch_intern(b, (skep_str){text, (size_t)n});
    }
    for (int i = 0; i < 5000; i++) {
        int n = snprintf(text, sizeof text, "value-%d", i);
        assert_int_equal(skep_batch_intern(b, (skep_str){text, (size_t)n}), ids[i]);
        assert_true(skep_str_eq(skep_batch_str(b, ids[i]), (skep_str){text, (size_t)n}));
    }
    assert_int_equal(skep_batch_intern(b, SKEP_STR("a")), first);
    // Bytes with NUL are values like others.
    assert_int_not_equal(skep_batch_intern(b, (skep_str){"a\0", 2}), first);
    skep_batch_check(b);
    skep_batch_free(b);
}

static void test_last_value_wins_whatever_its_type(void **state)
{
    (void)state;
    struct skep_batch *b = skep_batch_new(NULL, 0);
    skep_batch_row(b, SKEP_KIND_SPAN, 0, SKEP_SOURCE_OTLP);
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("k"), num(1));
    skep_batch_row(b, SKEP_KIND_SPAN, 0, SKEP_SOURCE_OTLP);
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("k"), num(2));
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("k"), num(3));
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("k"), str("x"));
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("k"), (skep_value){.type = SKEP_TYPE_EMPTY});
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("k"), str("y"));
    // The same name in the other scope is another field.
    skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("i"), num(7));
    skep_batch_check(b);
    assert_int_equal(get(b, "k", 0).i, 1);
    assert_str(get(b, "k", 1), "y");
    assert_int_equal(get(b, "i", 1).i, 7);
    // Ignored: no name, no value.
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR_NULL, num(1));
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("z"), (skep_value){.type = SKEP_TYPE_NULL});
    assert_int_equal(get(b, "z", 1).type, SKEP_TYPE_NULL);
    skep_batch_free(b);
}

static void test_long_name_is_cut_at_a_character(void **state)
{
    (void)state;
    char name[SKEP_LIMIT_NAME_BYTES + 10];
    memset(name, 'n', sizeof name);
    memcpy(name + SKEP_LIMIT_NAME_BYTES - 1, "\xc3\xa4", 2); // the a umlaut stands across the cut
    struct skep_batch *b = skep_batch_new(NULL, 0);
    skep_batch_row(b, SKEP_KIND_LOG, 0, SKEP_SOURCE_OTLP);
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, (skep_str){name, sizeof name}, num(1));
    assert_int_equal(b->n_fields, 1);
    assert_int_equal(b->strings.items[b->fields[0].name].len, SKEP_LIMIT_NAME_BYTES - 1);
    skep_batch_check(b);
    skep_batch_free(b);
}

static uint32_t make_list(struct skep_batch *b, struct skep_batch_lists *into, const char *spec)
{
    struct skep_batch_list *l = skep_batch_list_begin(b);
    for (const char *p = spec; *p; p += 2) {
        skep_value v = p[1] >= '0' && p[1] <= '9'
                           ? num(p[1] - '0')
                           : (skep_value){.type = SKEP_TYPE_STRING, .s = {p + 1, 1}};
        skep_batch_list_put(l, (skep_str){p, 1}, v);
    }
    return skep_batch_list_end(l, into);
}

static void test_lists_are_interned(void **state)
{
    (void)state;
    struct skep_batch *b = skep_batch_new(NULL, 0);
    struct skep_batch_lists *t = &b->resources;
    assert_int_equal(make_list(b, t, ""), 0);
    uint32_t ab = make_list(b, t, "a1b2");
    assert_int_equal(ab, 1);
    assert_int_equal(make_list(b, t, "b2a1"), ab);
    assert_int_equal(make_list(b, t, "a9b2axa1"), ab); // the last value of a name wins
    assert_int_not_equal(make_list(b, t, "axb2"), ab); // another type
    assert_int_not_equal(make_list(b, t, "a1b2c3"), ab);
    assert_int_equal(t->first[ab + 1] - t->first[ab], 2);
    const struct skep_batch_entry *e = &t->entries[t->first[ab]];
    assert_true(skep_str_eq(skep_batch_str(b, e[0].name), SKEP_STR("a")));
    assert_int_equal(e[0].val, 1);
    assert_int_equal(make_list(b, &b->scopes, "a1b2"), 1); // tables are apart
    skep_batch_check(b);
    skep_batch_free(b);
}

static void test_long_list_and_many_lists(void **state)
{
    (void)state;
    struct skep_batch *b = skep_batch_new(NULL, 0);
    struct skep_batch_list *l = skep_batch_list_begin(b);
    for (int i = 0; i < 3000; i++) { // 1,000 names, three values each, unsorted
        char name[16];
        int n = snprintf(name, sizeof name, "n%d", i * 7919 % 1000);
        skep_batch_list_put(l, (skep_str){name, (size_t)n}, num(i));
    }
    uint32_t k = skep_batch_list_end(l, &b->resources);
    assert_int_equal(b->resources.first[k + 1] - b->resources.first[k], 1000);
    for (uint32_t e = b->resources.first[k]; e < b->resources.first[k + 1]; e++)
        assert_true(b->resources.entries[e].val >= 2000);
    for (int64_t i = 0; i < 500; i++) {
        l = skep_batch_list_begin(b);
        skep_batch_list_put(l, SKEP_STR("pid"), num(i));
        assert_int_equal(skep_batch_list_end(l, &b->resources), k + 1 + i);
    }
    skep_batch_check(b);
    skep_batch_free(b);
}

// --- the model ---------------------------------------------------------------------------------

enum { NAMES = 12, ROWS = 300 };

struct model {
    uint32_t n_rows;
    skep_value v[ROWS][NAMES]; /* STRING payloads are small ints turned into text */
};

static const char *const names[NAMES] = {"a",      "b", "ab", "http.method", "http.route", "x.y",
                                         "status", "q", "r",  "s",           "t",          "u"};
static const char *const texts[4] = {"", "GET", "POST", "a much longer value than the others are"};

static skep_value random_value(void)
{
    int64_t i = rand() % 4;
    switch (rand() % 5) {
    case 0: return num(i);
    case 1: return (skep_value){.type = SKEP_TYPE_DOUBLE, .f = (double)i};
    case 2: return (skep_value){.type = SKEP_TYPE_BOOL, .b = i & 1};
    case 3: return (skep_value){.type = SKEP_TYPE_EMPTY};
    default: return str(texts[i]);
    }
}

static void compare(const struct skep_batch *b, const struct model *m)
{
    skep_batch_check(b);
    assert_int_equal(b->n_rows, m->n_rows);
    for (uint32_t r = 0; r < m->n_rows; r++) {
        for (int k = 0; k < NAMES; k++) {
            skep_value want = m->v[r][k], have = get(b, names[k], r);
            assert_int_equal(have.type, want.type);
            if (want.type == SKEP_TYPE_STRING)
                assert_true(skep_str_eq(have.s, want.s));
            else if (want.type == SKEP_TYPE_BOOL)
                assert_int_equal(have.i, want.b);
            else if (want.type == SKEP_TYPE_INT || want.type == SKEP_TYPE_DOUBLE)
                assert_int_equal(have.i, want.i);
        }
    }
}

static void test_against_model(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 40; seed++) {
        srand(seed);
        static struct model m;
        memset(&m, 0, sizeof m);
        struct skep_batch *b = skep_batch_new(NULL, 0);
        for (int step = 0; step < 200; step++) {
            if (m.n_rows > 0 && rand() % 12 == 0) {
                uint32_t to = (uint32_t)rand() % (m.n_rows + 1);
                skep_batch_truncate(b, to);
                memset(&m.v[to], 0, (m.n_rows - to) * sizeof m.v[0]);
                m.n_rows = to;
            }
            if (m.n_rows == ROWS)
                break;
            skep_batch_row(b, rand() % 2 ? SKEP_KIND_SPAN : SKEP_KIND_LOG, step, SKEP_SOURCE_OTLP);
            uint32_t r = m.n_rows++;
            for (int i = rand() % 15; i > 0; i--) {
                int k = rand() % NAMES;
                m.v[r][k] = random_value();
                skep_batch_put(b, k % 2 ? SKEP_SCOPE_ATTRIBUTE : SKEP_SCOPE_INTRINSIC,
                               skep_str_c(names[k]), m.v[r][k]);
            }
        }
        compare(b, &m);
        skep_batch_free(b);
    }
}

static void test_truncate_forgets_new_fields(void **state)
{
    (void)state;
    struct skep_batch *b = skep_batch_new(NULL, 0);
    skep_batch_row(b, SKEP_KIND_SPAN, 0, SKEP_SOURCE_OTLP);
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("old"), num(1));
    skep_batch_row(b, SKEP_KIND_SPAN, 0, SKEP_SOURCE_OTLP);
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("old"), num(2));
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("new"), num(2));
    skep_batch_truncate(b, 1);
    skep_batch_check(b);
    assert_int_equal(b->n_fields, 1);
    assert_int_equal(b->fields[0].n, 1);
    skep_batch_truncate(b, 0);
    assert_int_equal(b->n_fields, 0);
    skep_batch_row(b, SKEP_KIND_SPAN, 0, SKEP_SOURCE_OTLP);
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("new"), num(3));
    skep_batch_check(b);
    assert_int_equal(get(b, "new", 0).i, 3);
    skep_batch_free(b);
}

// --- limits ------------------------------------------------------------------------------------

static void fill(struct skep_batch *b, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) {
        char text[40];
        int n = snprintf(text, sizeof text, "some-value-%d", (int)i);
        skep_batch_row(b, SKEP_KIND_SPAN, i, SKEP_SOURCE_OTLP);
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("k"),
                       (skep_value){.type = SKEP_TYPE_STRING, .s = {text, (size_t)n}});
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, (skep_str){text, (size_t)n}, num(i));
        struct skep_batch_list *l = skep_batch_list_begin(b);
        skep_batch_list_put(l, SKEP_STR("k"), num(i));
        b->resource[b->n_rows - 1] = skep_batch_list_end(l, &b->resources);
    }
}

static void test_budget_is_charged_refuses_and_is_given_back(void **state)
{
    (void)state;
    for (uint64_t limit = 16 << 10; limit < (64 << 20); limit *= 2) {
        struct skep_budget budget;
        skep_budget_init(&budget, "ingest", limit, NULL);
        struct skep_batch *b = skep_batch_new(&budget, 0);
        fill(b, 20000);
        assert_true(skep_batch_bytes(b) <= skep_budget_used(&budget));
        if (!b->over_budget)
            assert_int_equal(b->n_rows, 20000);
        // What is left behind by a refusal is still a sound batch.
        if (!b->over_budget)
            skep_batch_check(b);
        if (limit <= (1 << 20))
            assert_true(b->over_budget);
        if (limit >= (32 << 20))
            assert_false(b->over_budget);
        skep_batch_free(b);
        assert_int_equal(skep_budget_used(&budget), 0);
    }
}

// --- memory kept for the next batch ------------------------------------------------------------

/* A batch in memory that held another one is the same as one in fresh memory. */
static void test_kept_memory_does_not_show(void **state)
{
    (void)state;
    static const uint8_t none[16];
    for (int64_t rows = 0; rows <= 600; rows += 60) {
        skep_batch_trim();
        struct skep_batch *fresh = skep_batch_new(NULL, 5);
        struct skep_batch *before = skep_batch_new(NULL, 9);
        fill(before, 700 - rows);
        skep_batch_put(before, SKEP_SCOPE_INTRINSIC, SKEP_STR("k"), num(1));
        skep_batch_identity(before, true);
        skep_batch_free(before);
        struct skep_batch *again = skep_batch_new(NULL, 5);
        assert_ptr_equal(again, before);
        assert_int_equal(again->n_rows, 0);
        assert_int_equal(again->n_fields, 0);
        assert_int_equal(again->received_ns, 5);
        assert_memory_equal(again->identity, none, 16);
        fill(fresh, rows);
        fill(again, rows);
        skep_batch_check(again);
        assert_int_equal(again->n_fields, fresh->n_fields);
        assert_int_equal(again->strings.n, fresh->strings.n);
        assert_int_equal(again->resources.n, fresh->resources.n);
        for (uint32_t f = 0; f < fresh->n_fields; f++) {
            const struct skep_batch_field *x = &fresh->fields[f], *y = &again->fields[f];
            assert_int_equal(x->name, y->name);
            assert_int_equal(x->scope, y->scope);
            assert_int_equal(x->type, y->type);
            assert_int_equal(x->n, y->n);
            assert_memory_equal(x->rows, y->rows, x->n * sizeof *x->rows);
            assert_memory_equal(x->vals, y->vals, x->n * sizeof *x->vals);
        }
        skep_batch_identity(fresh, true);
        skep_batch_identity(again, true);
        assert_memory_equal(fresh->identity, again->identity, 16);
        skep_batch_free(fresh);
        skep_batch_free(again);
    }
}

static uint32_t find(struct skep_batch *b, const char *name, enum skep_type type)
{
    return skep_batch_find(b, SKEP_SCOPE_ATTRIBUTE, skep_str_c(name), type);
}

static uint32_t field(struct skep_batch *b, const char *name, enum skep_type type)
{
    return skep_batch_field(b, SKEP_SCOPE_ATTRIBUTE, skep_str_c(name), type);
}

/* What is known of names is of use to the next batch, but is none of its fields. */
static void test_names_are_known_from_the_batch_before(void **state)
{
    (void)state;
    skep_batch_trim();
    struct skep_batch *b = skep_batch_new(NULL, 0);
    skep_batch_row(b, SKEP_KIND_SPAN, 0, SKEP_SOURCE_OTLP);
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("k"), num(1));
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("x"), num(1));
    skep_batch_free(b);
    b = skep_batch_new(NULL, 0);
    skep_batch_row(b, SKEP_KIND_SPAN, 0, SKEP_SOURCE_OTLP);
    assert_int_equal(find(b, "k", SKEP_TYPE_INT), SKEP_BATCH_NONE);
    assert_int_equal(b->n_fields, 0);
    assert_int_equal(b->strings.n, 1);
    // Known with that type alone; the field begins empty.
    assert_int_equal(field(b, "k", SKEP_TYPE_STRING), SKEP_BATCH_NONE);
    uint32_t f = field(b, "k", SKEP_TYPE_INT);
    assert_int_equal(f, 0);
    assert_int_equal(b->n_fields, 1);
    assert_int_equal(b->fields[f].n, 0);
    skep_batch_put_bits(b, f, 7);
    assert_int_equal(find(b, "k", SKEP_TYPE_INT), f);
    assert_int_equal(get(b, "k", 0).i, 7);
    // Another type of the name replaces the value, and a truncated field is none again.
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("k"), str("seven"));
    assert_str(get(b, "k", 0), "seven");
    skep_batch_check(b);
    skep_batch_truncate(b, 0);
    assert_int_equal(b->n_fields, 0);
    skep_batch_row(b, SKEP_KIND_SPAN, 0, SKEP_SOURCE_OTLP);
    assert_int_equal(find(b, "k", SKEP_TYPE_STRING), SKEP_BATCH_NONE);
    assert_int_equal(field(b, "k", SKEP_TYPE_STRING), 0);
    skep_batch_free(b);
}

/* Names that do not come again are not kept for ever. */
static void test_known_names_are_bounded(void **state)
{
    (void)state;
    skep_batch_trim();
    for (int i = 0; i < 200; i++) {
        struct skep_batch *b = skep_batch_new(NULL, 0);
        assert_true(skep_batch_bytes(b) < 1 << 20);
        skep_batch_row(b, SKEP_KIND_SPAN, 0, SKEP_SOURCE_OTLP);
        for (int k = 0; k < 100; k++) {
            char name[40];
            int n = snprintf(name, sizeof name, "request-%d-%d", i, k);
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, (skep_str){name, (size_t)n}, num(k));
        }
        assert_int_equal(b->n_fields, 100);
        skep_batch_check(b);
        skep_batch_free(b);
    }
}

static void test_order_is_that_of_names(void **state)
{
    (void)state;
    static const char *const in_order[] = {"a", "a.b", "a.b", "a.b.c", "ab", "b", "zz"};
    for (int round = 0; round < 3; round++) {
        uint32_t order[8];
        struct skep_batch *b = skep_batch_new(NULL, 0);
        skep_batch_row(b, SKEP_KIND_SPAN, 0, SKEP_SOURCE_OTLP);
        if (round != 1) // known later, stands in front
            skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("a"), num(1));
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("zz"), str("x"));
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("zz"), num(1)); // the text is gone
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("a.b.c"), num(1));
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("ab"), num(1));
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("a.b"), num(1));
        skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("a.b"), num(1));
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("b"), num(1));
        uint32_t n = skep_batch_order(b, order), missing = round == 1;
        assert_int_equal(n, SKEP_ARRAY_LEN(in_order) - missing);
        for (uint32_t i = 0; i < n; i++) {
            const struct skep_batch_field *f = &b->fields[order[i]];
            assert_true(skep_str_eq(skep_batch_str(b, f->name), skep_str_c(in_order[i + missing])));
            assert_int_equal(f->type, SKEP_TYPE_INT);
        }
        assert_int_equal(b->fields[order[1 - missing]].scope, SKEP_SCOPE_INTRINSIC);
        skep_batch_free(b);
        if (round == 0)
            skep_batch_trim();
    }
}

static void test_kept_memory_is_paid_for(void **state)
{
    (void)state;
    struct skep_budget budget;
    skep_batch_trim();
    struct skep_batch *b = skep_batch_new(NULL, 0);
    fill(b, 700);
    uint64_t bytes = skep_batch_bytes(b);
    skep_batch_free(b);
    // Too little for what is kept: a small one is made.
    skep_budget_init(&budget, "ingest", bytes - 1, NULL);
    b = skep_batch_new(&budget, 0);
    assert_true(skep_batch_bytes(b) < bytes / 4);
    assert_true(skep_budget_used(&budget) >= skep_batch_bytes(b));
    skep_batch_free(b);
    assert_int_equal(skep_budget_used(&budget), 0);
    // How large one may be is a part of its budget.
    skep_batch_trim();
    skep_budget_init(&budget, "ingest", 80 << 20, NULL);
    b = skep_batch_new(&budget, 0);
    fill(b, 6000);
    bytes = skep_batch_bytes(b);
    assert_true(bytes > 2 << 20 && bytes < 5 << 20);
    skep_batch_free(b);
    assert_int_equal(skep_budget_used(&budget), 0);
    b = skep_batch_new(&budget, 0);
    assert_true(skep_batch_bytes(b) > bytes / 2);
    // Together they are bounded.
    struct skep_batch *many[4];
    for (int i = 0; i < 4; i++) {
        many[i] = skep_batch_new(&budget, 0);
        fill(many[i], 6000);
    }
    skep_batch_free(b);
    for (int i = 0; i < 4; i++)
        skep_batch_free(many[i]);
    uint64_t kept = 0;
    for (int i = 0; i < 4; i++) {
        many[i] = skep_batch_new(&budget, 0);
        kept += skep_batch_bytes(many[i]);
    }
    assert_true(kept > bytes && kept < 11 << 20);
    for (int i = 0; i < 4; i++)
        skep_batch_free(many[i]);
    // A large one is not kept at all.
    skep_batch_trim();
    b = skep_batch_new(NULL, 0);
    fill(b, 20000);
    bytes = skep_batch_bytes(b);
    assert_true(bytes > 1 << 20);
    skep_batch_free(b);
    b = skep_batch_new(NULL, 0);
    assert_true(skep_batch_bytes(b) < bytes / 100);
    skep_batch_free(b);
}

static void test_too_many_fields_and_too_long_values(void **state)
{
    (void)state;
    struct skep_batch *b = skep_batch_new(NULL, 0);
    skep_batch_row(b, SKEP_KIND_SPAN, 0, SKEP_SOURCE_OTLP);
    for (int i = 0; i < SKEP_LIMIT_FIELDS_PER_BATCH; i++) {
        char name[16];
        int n = snprintf(name, sizeof name, "f%d", i);
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, (skep_str){name, (size_t)n}, num(i));
    }
    assert_false(b->over_limit);
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("one more"), num(1));
    assert_true(b->over_limit);
    skep_batch_free(b);

    static char text[SKEP_LIMIT_VALUE_BYTES + 1];
    b = skep_batch_new(NULL, 0);
    skep_batch_row(b, SKEP_KIND_SPAN, 0, SKEP_SOURCE_OTLP);
    skep_value v = {.type = SKEP_TYPE_STRING, .s = {text, SKEP_LIMIT_VALUE_BYTES}};
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("v"), v);
    assert_false(b->over_limit);
    v.s.n++;
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("v"), v);
    assert_true(b->over_limit);
    skep_batch_free(b);
}

// --- identity ----------------------------------------------------------------------------------

enum {
    SAME,
    OTHER_START,
    OTHER_RESOURCE,
    OTHER_ATTRIBUTE,
    OTHER_BODY,
    OTHER_EVENT_NAME,
    OTHER_EVENT_FIELDS,
    OTHER_SEVERITY,
    OTHER_DATASET,
    OTHER_ORDER,
    NO_LOG_TIME
};

static void identity_of(int variant, uint8_t ret[16])
{
    struct skep_batch *b = skep_batch_new(NULL, 99 + variant);
    if (variant == OTHER_ORDER)
        skep_batch_intern(b, SKEP_STR("string indexes must not matter"));
    uint32_t res = make_list(b, &b->resources, variant == OTHER_RESOURCE ? "a2" : "a1");
    uint32_t r =
        skep_batch_row(b, SKEP_KIND_SPAN, variant == OTHER_START ? 6 : 5, SKEP_SOURCE_OTLP);
    b->resource[r] = res;
    b->span_id[r] = 77;
    b->trace_id[r].b[3] = 1;
    skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("k"), num(variant == OTHER_ATTRIBUTE ? 2 : 1));
    r = skep_batch_row(b, SKEP_KIND_SPAN_EVENT, 7, SKEP_SOURCE_OTLP);
    b->name[r] = skep_batch_intern(b, variant == OTHER_EVENT_NAME ? SKEP_STR("f") : SKEP_STR("e"));
    if (variant == OTHER_EVENT_FIELDS)
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("k"), num(1));
    r = skep_batch_row(b, SKEP_KIND_LOG, 9, SKEP_SOURCE_OTLP);
    b->severity[r] = variant == OTHER_SEVERITY ? 9 : 17;
    if (variant == OTHER_DATASET)
        b->dataset[r] = skep_batch_intern(b, SKEP_STR("other"));
    if (variant == OTHER_ORDER) {
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("z"), num(4));
        skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("body"), str("hello"));
    } else {
        skep_batch_put(b, SKEP_SCOPE_INTRINSIC, SKEP_STR("body"),
                       str(variant == OTHER_BODY ? "hallo" : "hello"));
        skep_batch_put(b, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("z"), num(4));
    }
    skep_batch_identity(b, variant != NO_LOG_TIME);
    memcpy(ret, b->identity, 16);
    skep_batch_free(b);
}

static void test_identity(void **state)
{
    (void)state;
    static const uint8_t none[16] = {0};
    uint8_t base[16], id[16];
    identity_of(SAME, base);
    assert_memory_not_equal(base, none, 16);
    identity_of(SAME, id);
    assert_memory_equal(id, base, 16);
    identity_of(OTHER_ORDER, id);
    assert_memory_equal(id, base, 16);
    identity_of(OTHER_ATTRIBUTE, id); // a span is known by its ids
    assert_memory_equal(id, base, 16);
    for (int v = OTHER_START; v < OTHER_ORDER; v++) {
        identity_of(v, id);
        if (v != OTHER_ATTRIBUTE)
            assert_memory_not_equal(id, base, 16);
    }
    identity_of(NO_LOG_TIME, id);
    assert_memory_equal(id, none, 16);
}

/* Of spans; that of row `changed` has another id. */
static void identity_of_spans(uint32_t n, uint32_t changed, uint8_t ret[16])
{
    struct skep_batch *b = skep_batch_new(NULL, 5);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t r = skep_batch_row(b, SKEP_KIND_SPAN, 7 + (int64_t)i, SKEP_SOURCE_OTLP);
        b->span_id[r] = 1000 + i + (i == changed) * 5000u;
    }
    skep_batch_identity(b, true);
    memcpy(ret, b->identity, 16);
    skep_batch_free(b);
}

/* However many there are: they are hashed some at a time. */
static void test_each_row_counts_for_the_identity(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 70; n++) {
        uint8_t base[16], id[16];
        identity_of_spans(n, n, base);
        for (uint32_t row = 0; row < n; row++) {
            identity_of_spans(n, row, id);
            assert_memory_not_equal(id, base, 16);
        }
        identity_of_spans(n + 1, n + 1, id);
        assert_memory_not_equal(id, base, 16);
        identity_of_spans(n, n, id);
        assert_memory_equal(id, base, 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_and_neutral_values),
        cmocka_unit_test(test_intern),
        cmocka_unit_test(test_last_value_wins_whatever_its_type),
        cmocka_unit_test(test_long_name_is_cut_at_a_character),
        cmocka_unit_test(test_lists_are_interned),
        cmocka_unit_test(test_long_list_and_many_lists),
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_truncate_forgets_new_fields),
        cmocka_unit_test(test_budget_is_charged_refuses_and_is_given_back),
        cmocka_unit_test(test_kept_memory_does_not_show),
        cmocka_unit_test(test_names_are_known_from_the_batch_before),
        cmocka_unit_test(test_known_names_are_bounded),
        cmocka_unit_test(test_order_is_that_of_names),
        cmocka_unit_test(test_kept_memory_is_paid_for),
        cmocka_unit_test(test_too_many_fields_and_too_long_values),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_each_row_counts_for_the_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
