// SPDX-License-Identifier: Apache-2.0
/* Revisions of spans with their events and links, in parts, segments and after a restart; and the
 * field of raw documents, which lists leave out. */
#include <cmocka.h>

#include "base/mem.h"
#include "support/fault_os.h"
#include "support/store_client.h"

#define DIR "/data"
#define T0  1700000000000000000

static struct skep_batch *batch;
static int64_t next_tag;

static void begin(void)
{
    batch = skep_batch_new(NULL, T0);
}

/* A row of span `span`; its tag counts on. */
static void row(enum skep_kind kind, uint64_t span, int64_t revision)
{
    uint32_t r = skep_batch_row(batch, kind, T0, SKEP_SOURCE_XRAY);
    batch->trace_id[r].b[0] = 9;
    if (kind == SKEP_KIND_SPAN) {
        batch->span_id[r] = span;
        batch->duration_ns[r] = 1;
    } else {
        batch->parent_id[r] = span;
    }
    batch->dataset[r] = skep_batch_intern(batch, SKEP_STR("svc"));
    skep_batch_put(batch, SKEP_SCOPE_ATTRIBUTE, SKEP_STR("tag"),
                   (skep_value){.type = SKEP_TYPE_INT, .i = next_tag++});
    skep_batch_revision(batch, revision);
}

static void commit(struct skep_store *s)
{
    assert_int_equal(client_append(s, batch).rc, SKEP_OK);
}

static void expect_tags(struct skep_store *s, const int64_t *want, size_t n)
{
    size_t have_n = 0;
    int64_t *have = client_tags(s, "tag", &have_n);
    for (size_t i = 0; i < SKEP_MIN(n, have_n); i++)
        assert_int_equal(have[i], want[i]);
    assert_int_equal(have_n, n);
    skep_free(have);
    client_ledger_expect(s);
}
#define EXPECT(s, ...)                                                                             \
    expect_tags(s, (const int64_t[]){__VA_ARGS__},                                                 \
                sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static struct skep_store *open_store(const struct skep_column_config *cfg)
{
    struct skep_store *s = NULL;
    skep_err err;
    next_tag = 0;
    if (skep_column_open(cfg, &s, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    return s;
}

static void flush(struct skep_store *s)
{
    skep_err err;
    if (s->ops->flush(s, &err) != SKEP_OK)
        fail_msg("flush: %s", err.text);
}

static void parts_go_with_their_span(void **state)
{
    (void)state;
    for (int flushed = 0; flushed < 2; flushed++) {
        struct mem_os *m = mem_os_new(1);
        struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
        struct skep_store *s = open_store(&cfg);
        begin();
        row(SKEP_KIND_SPAN_EVENT, 1, 1); /* 0 */
        row(SKEP_KIND_LINK, 1, 1);       /* 1 */
        row(SKEP_KIND_SPAN, 1, 1);       /* 2 */
        row(SKEP_KIND_SPAN_EVENT, 2, 1); /* 3: of another span */
        row(SKEP_KIND_SPAN, 2, 1);       /* 4 */
        commit(s);
        EXPECT(s, 0, 1, 2, 3, 4);
        if (flushed)
            flush(s);
        begin();
        row(SKEP_KIND_SPAN_EVENT, 1, 3); /* 5 */
        row(SKEP_KIND_SPAN, 1, 3);       /* 6 */
        commit(s);
        EXPECT(s, 3, 4, 5, 6);
        begin();                         /* the same once more */
        row(SKEP_KIND_SPAN_EVENT, 1, 3); /* 7 */
        row(SKEP_KIND_SPAN, 1, 3);       /* 8 */
        commit(s);
        EXPECT(s, 3, 4, 7, 8);
        begin();                   /* late: an older one */
        row(SKEP_KIND_LINK, 1, 2); /* 9 */
        row(SKEP_KIND_SPAN, 1, 2); /* 10 */
        commit(s);
        EXPECT(s, 3, 4, 7, 8);
        s->ops->close(s);
        s = open_store(&cfg);
        EXPECT(s, 3, 4, 7, 8);
        flush(s);
        EXPECT(s, 3, 4, 7, 8);
        s->ops->close(s);
        mem_os_free(m);
    }
}

static void inside_one_commit(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(1);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_store *s = open_store(&cfg);
    begin();
    row(SKEP_KIND_SPAN_EVENT, 1, 4); /* 0: of 1, which is sent twice */
    row(SKEP_KIND_SPAN, 1, 4);       /* 1 */
    row(SKEP_KIND_SPAN_EVENT, 1, 4); /* 2 */
    row(SKEP_KIND_LINK, 1, 4);       /* 3 */
    row(SKEP_KIND_SPAN, 1, 4);       /* 4: the last wins */
    row(SKEP_KIND_SPAN_EVENT, 1, 2); /* 5: and what is open comes behind it */
    row(SKEP_KIND_SPAN, 1, 2);       /* 6 */
    commit(s);
    EXPECT(s, 2, 3, 4);
    s->ops->close(s);
    mem_os_free(m);
}

/* A span imported in two commits keeps its parts; a later revision takes them all. */
static void parts_alone(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(1);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_store *s = open_store(&cfg);
    begin();
    row(SKEP_KIND_SPAN_EVENT, 1, 4); /* 0 */
    commit(s);
    begin();
    row(SKEP_KIND_LINK, 1, 4); /* 1 */
    row(SKEP_KIND_SPAN, 1, 4); /* 2 */
    commit(s);
    begin();
    row(SKEP_KIND_SPAN_EVENT, 1, 4); /* 3 */
    commit(s);
    EXPECT(s, 0, 1, 2, 3);
    begin();
    row(SKEP_KIND_SPAN, 1, 5); /* 4 */
    commit(s);
    EXPECT(s, 4);
    s->ops->close(s);
    mem_os_free(m);
}

/* Many traces in one commit: a part is gone through once for all of them. */
static void many_at_once(void **state)
{
    (void)state;
    enum { SPANS = 3000 };
    struct mem_os *m = mem_os_new(1);
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_store *s = open_store(&cfg);
    for (int round = 1; round <= 3; round++) {
        begin();
        for (unsigned i = 0; i < SPANS; i++) {
            row(SKEP_KIND_SPAN_EVENT, 1, round);
            row(SKEP_KIND_SPAN, 1, round);
            for (unsigned k = 1; k <= 2; k++) {
                batch->trace_id[batch->n_rows - k].b[9] = (uint8_t)(i >> 8);
                batch->trace_id[batch->n_rows - k].b[15] = (uint8_t)i;
            }
        }
        commit(s);
        size_t n = 0;
        int64_t *tags = client_tags(s, "tag", &n);
        assert_int_equal(n, 2 * SPANS);
        assert_int_equal(tags[0], (round - 1) * 2 * SPANS);
        skep_free(tags);
        client_ledger_expect(s);
        if (round == 2)
            flush(s);
    }
    s->ops->close(s);
    mem_os_free(m);
}

static bool has_field(const struct skep_row *r, skep_str name)
{
    for (unsigned i = 0; i < r->n_fields; i++)
        if (skep_str_eq(r->fields[i].name, name) && r->fields[i].value.type != SKEP_TYPE_NULL)
            return true;
    return false;
}

static bool lists(struct skep_store *s, struct skep_plan *plan, struct skep_arena *arena)
{
    struct skep_answer a = {0};
    skep_err err;
    const struct skep_run_opts opts = {.arena = arena};
    if (skep_store_run(s, plan, &opts, &a, &err) != SKEP_OK)
        fail_msg("run: %s", err.text);
    if (plan->kind != SKEP_PLAN_FIELDS) {
        assert_int_equal(a.rows.n, 1);
        assert_int_equal(has_field(&a.rows.rows[0], SKEP_STR("tag")), plan->n_columns == 0);
        return has_field(&a.rows.rows[0], SKEP_RAW_FIELD);
    }
    bool any = false, tag = false;
    for (size_t i = 0; i < a.fields.n; i++) {
        any |= skep_str_eq(a.fields.fields[i].name, SKEP_RAW_FIELD);
        tag |= skep_str_eq(a.fields.fields[i].name, SKEP_STR("tag"));
    }
    assert_true(tag);
    return any;
}

static void raw_documents_are_not_listed(void **state)
{
    (void)state;
    struct mem_os *m = mem_os_new(1);
    struct skep_arena arena;
    struct skep_column_config cfg = client_config(mem_os_ops(m), DIR);
    struct skep_store *s = open_store(&cfg);
    skep_arena_init(&arena, "test", NULL);
    begin();
    row(SKEP_KIND_SPAN, 1, 4);
    skep_batch_put(batch, SKEP_SCOPE_INTRINSIC, SKEP_RAW_FIELD,
                   (skep_value){.type = SKEP_TYPE_STRING, .s = SKEP_STR("{}")});
    commit(s);
    for (int flushed = 0; flushed < 2; flushed++) {
        static const enum skep_plan_kind kinds[] = {SKEP_PLAN_ROWS, SKEP_PLAN_TRACE,
                                                    SKEP_PLAN_FIELDS};
        for (size_t i = 0; i < SKEP_ARRAY_LEN(kinds); i++) {
            struct skep_plan plan = {.kind = kinds[i], .range = {0, INT64_MAX}, .trace_id = {{9}}};
            assert_false(lists(s, &plan, &arena));
            if (kinds[i] != SKEP_PLAN_TRACE) {
                plan.dataset = SKEP_STR("svc"); /* counted row by row */
                assert_false(lists(s, &plan, &arena));
            }
            plan.raw = true;
            assert_true(lists(s, &plan, &arena));
        }
        const struct skep_field_ref column = {.name = SKEP_RAW_FIELD};
        struct skep_plan plan = {
            .kind = SKEP_PLAN_ROWS, .range = {0, INT64_MAX}, .columns = &column, .n_columns = 1};
        assert_true(lists(s, &plan, &arena));
        flush(s);
    }
    skep_arena_done(&arena);
    s->ops->close(s);
    mem_os_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_go_with_their_span),
        cmocka_unit_test(inside_one_commit),
        cmocka_unit_test(parts_alone),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(raw_documents_are_not_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
