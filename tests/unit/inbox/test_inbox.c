// SPDX-License-Identifier: Apache-2.0
/* A look at a store that cannot read all of its rows: it is tried again, and what stays unreadable
 * does not stop the inbox for good.  Rows of many answers, which are counted together. */
#include "inbox/inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "os/os.h"
#include "unit/state/home.h"

/* Answers, the first `bad` of which lack rows.  Row i of `rows` (from 1) is of error i % 7; CHUNK
 * of them an answer. */
enum { CHUNK = 10, ERRORS = 7, VISIBLE = 7 };
struct fake {
    struct skep_store base;
    unsigned asked, bad;
    const char *missing;
    uint64_t rows;
    unsigned fails_at; /* the so-manieth answer is an error; 0 = none */
};

static skep_value value_of(struct skep_arena *a, skep_str column, uint64_t i)
{
    skep_str v = skep_str_eq(column, SKEP_STR("error.fingerprint"))
                     ? skep_arena_printf(a, "fingerprint %u", (unsigned)(i % ERRORS))
                 : skep_str_eq(column, SKEP_STR("exception.type"))
                     ? skep_arena_printf(a, "E%u", (unsigned)(i % ERRORS))
                 : skep_str_eq(column, SKEP_STR("exception.message"))
                     ? skep_arena_printf(a, "no %u", (unsigned)i)
                 : skep_str_eq(column, SKEP_STR("service.version"))
                     ? skep_arena_printf(a, "1.%u", (unsigned)i)
                     : SKEP_STR_NULL;
    return (skep_value){.type = v.n ? SKEP_TYPE_STRING : SKEP_TYPE_NULL, .s = v};
}

static void put_rows(const struct fake *f, const struct skep_plan *plan, struct skep_arena *a,
                     struct skep_rows *ret)
{
    ret->rows = skep_new_n(a, struct skep_row, CHUNK);
    uint64_t i = plan->cursor_id.seq + 1;
    for (; i <= f->rows && ret->n < CHUNK; i++) {
        struct skep_row *r = &ret->rows[ret->n++];
        *r = (struct skep_row){.id = {i, 0},
                               .time_ns = (skep_ts_ns)(1000 * i),
                               .kind = SKEP_KIND_LOG,
                               .source = SKEP_SOURCE_OTLP,
                               .dataset = skep_arena_printf(a, "shop"),
                               .fields = skep_new_n(a, struct skep_row_field, plan->n_columns),
                               .n_fields = plan->n_columns};
        for (unsigned c = 0; c < plan->n_columns; c++)
            r->fields[c].value = value_of(a, plan->columns[c].name, i);
    }
    ret->more = i <= f->rows;
}

static skep_rc run(struct skep_store *s, const struct skep_plan *plan,
                   const struct skep_run_opts *opts, struct skep_answer *ret, skep_err *err)
{
    struct fake *f = (struct fake *)(void *)s;
    *ret = (struct skep_answer){.complete = f->asked >= f->bad};
    if (!ret->complete)
        ret->missing = skep_str_c(f->missing);
    if (++f->asked == f->fails_at)
        return skep_fail(err, SKEP_ENOMEM, "no memory");
    put_rows(f, plan, opts->arena, &ret->rows);
    return SKEP_OK;
}

static uint64_t visible(struct skep_store *s)
{
    const struct fake *f = (struct fake *)(void *)s;
    return SKEP_MAX(f->rows, (uint64_t)VISIBLE);
}

static const struct skep_store_ops ops = {.name = "fake", .run = run, .visible = visible};

static struct skep_state *state;

static unsigned told, told_items;
static void changed(void *ctx, const struct skep_item_change *changes,
                    const struct skep_item_sighting *seen, size_t n)
{
    (void)ctx;
    told++;
    for (size_t i = 0; i < n; i++)
        told_items += changes[i].event == SKEP_ITEM_NEW && seen[i].n > 0;
}

static struct skep_inbox *begin(struct fake *f)
{
    told = told_items = 0;
    home_begin();
    state = home_open(&(struct skep_state_config){.os = skep_os_real(), .path = path});
    f->base.ops = &ops;
    return skep_inbox_new(&(struct skep_inbox_config){
        .os = skep_os_real(), .store = &f->base, .state = state, .changed = changed});
}

static void end(struct skep_inbox *in)
{
    skep_inbox_free(in);
    assert_int_equal(home_end(state), 0);
}

static struct skep_inbox_stats stats(struct skep_inbox *in)
{
    struct skep_inbox_stats s;
    skep_inbox_stats(in, &s);
    return s;
}

static void test_asked_again(void **unused)
{
    struct fake f = {.bad = 2, .missing = "segment 3: no memory"};
    struct skep_inbox *in = begin(&f);
    skep_err err = {.text = ""};
    (void)unused;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(skep_inbox_look(in, &err), SKEP_EAGAIN);
        assert_non_null(strstr(err.text, "segment 3: no memory"));
        assert_false(skep_inbox_wait(in, 0)); /* I2 */
    }
    assert_int_equal(skep_inbox_look(in, &err), SKEP_OK);
    assert_true(skep_inbox_wait(in, 0));
    assert_int_equal(stats(in).incomplete, 0);
    end(in);
}

static void test_passed_over(void **unused)
{
    struct fake f = {.bad = 1000, .missing = "segment 3: checksum"};
    struct skep_inbox *in = begin(&f);
    skep_err err = {.text = ""};
    unsigned tries = 0;
    (void)unused;
    while (skep_inbox_look(in, &err) == SKEP_EAGAIN && ++tries < 100) {
    }
    assert_in_range(tries, 3, 20);
    assert_true(skep_inbox_wait(in, 0));
    assert_int_equal(stats(in).incomplete, 1);
    /* Known by now; something else is not. */
    assert_int_equal(skep_inbox_look(in, &err), SKEP_OK);
    assert_int_equal(stats(in).incomplete, 1);
    f.missing = "segment 9: checksum";
    assert_int_equal(skep_inbox_look(in, &err), SKEP_EAGAIN);
    end(in);
}

/* Item k of `rows` rows, looked at once each. */
static void check_items(uint64_t rows)
{
    skep_err err = {.text = ""};
    for (uint64_t k = 0; k < ERRORS; k++) {
        struct skep_item i;
        uint64_t first = k ? k : ERRORS, last = rows - (rows + ERRORS - k) % ERRORS;
        skep_str fingerprint = skep_arena_printf(&arena, "fingerprint %u", (unsigned)k);
        assert_int_equal(skep_state_item_find(state, SKEP_STR("default"), SKEP_STR_NULL,
                                              fingerprint, &arena, &i, &err),
                         SKEP_OK);
        assert_int_equal(i.total, (last - first) / ERRORS + 1);
        assert_true(skep_str_eq(
            i.title, skep_arena_printf(&arena, "E%u: no %u", (unsigned)k, (unsigned)first)));
        assert_true(skep_str_eq(i.dataset, SKEP_STR("shop")));
        assert_int_equal(i.first_row.seq, first);
        assert_int_equal(i.last_row.seq, last);
        assert_int_equal(i.first_ns, 1000 * first);
        assert_int_equal(i.last_ns, 1000 * last);
        assert_true(
            skep_str_eq(i.first_version, skep_arena_printf(&arena, "1.%u", (unsigned)last)));
    }
}

/* Rows of many answers are counted in one transaction; their texts are those of rows that are gone
 * by then. */
static void test_gathered(void **unused)
{
    struct fake f = {.rows = 25 * CHUNK + 3};
    struct skep_inbox *in = begin(&f);
    skep_err err = {.text = ""};
    (void)unused;
    assert_int_equal(skep_inbox_look(in, &err), SKEP_OK);
    assert_int_equal(f.asked, 26);
    assert_int_equal(told, 1);
    assert_int_equal(told_items, ERRORS);
    assert_int_equal(stats(in).rows, f.rows);
    check_items(f.rows);
    end(in);
}

/* What was gathered before a failure is counted, and not once more afterwards. */
static void test_fails_between(void **unused)
{
    struct fake f = {.rows = 25 * CHUNK, .fails_at = 10};
    struct skep_inbox *in = begin(&f);
    skep_err err = {.text = ""};
    skep_row_id at;
    (void)unused;
    assert_int_equal(skep_inbox_look(in, &err), SKEP_ENOMEM);
    assert_int_equal(stats(in).rows, 9 * CHUNK);
    assert_int_equal(skep_state_items_cursor(state, &at, &err), SKEP_OK);
    assert_int_equal(at.seq, 9 * CHUNK);
    assert_false(skep_inbox_wait(in, 0));
    check_items(9 * CHUNK);
    f.rows += 4;
    assert_int_equal(skep_inbox_look(in, &err), SKEP_OK);
    assert_int_equal(stats(in).rows, f.rows);
    assert_true(skep_inbox_wait(in, 0));
    struct skep_item i;
    uint64_t sum = 0;
    for (int64_t id = 1; id <= ERRORS; id++) {
        assert_int_equal(skep_state_item_get(state, SKEP_STR("default"), id, 0, &arena, &i, &err),
                         SKEP_OK);
        sum += i.total;
    }
    assert_int_equal(sum, f.rows);
    end(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked_again), cmocka_unit_test(test_passed_over),
        cmocka_unit_test(test_gathered), cmocka_unit_test(test_fails_between)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
