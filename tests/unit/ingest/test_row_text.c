// SPDX-License-Identifier: Apache-2.0
/* Rows as JSON lines: what is exported and imported is the same rows, whatever their fields and
 * types; what is no row is refused with a reason. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ingest/row_text.h"
#include "query/export.h"
#include "support/fault_os.h"
#include "support/store_client.h"

struct lines {
    struct skep_buf text;
    char **rows; /* without id and received_ns, sorted */
    size_t n, cap;
};

static bool on_row(void *ctx, const struct skep_row *row)
{
    struct lines *l = ctx;
    struct skep_json json;
    size_t from = l->text.n;
    skep_json_init(&json, &l->text);
    skep_row_write(&json, row);
    skep_str line = skep_str_skip(skep_buf_text(&l->text), from);
    skep_buf_u8(&l->text, '\n');
    size_t time = skep_str_find(line, SKEP_STR("\"time_ns\""));
    size_t received = skep_str_find(line, SKEP_STR("\"received_ns\""));
    size_t kind = skep_str_find(line, SKEP_STR("\"kind\""));
    assert_true(time < received && received < kind);
    struct skep_buf b;
    skep_buf_init(&b, 1 << 24);
    skep_buf_put(&b, line.p + time, received - time);
    skep_buf_put(&b, line.p + kind, line.n - kind);
    skep_buf_u8(&b, 0);
    size_t n;
    SKEP_GROW(l->rows, l->n, l->cap);
    l->rows[l->n++] = (char *)skep_buf_take(&b, &n);
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void export_all(struct skep_store *s, struct lines *l)
{
    const struct skep_plan plan = {.kind = SKEP_PLAN_ROWS, .range = {INT64_MIN, INT64_MAX}};
    const struct skep_run_opts opts = {.budget = NULL};
    struct skep_export_result r;
    skep_err err;
    *l = (struct lines){.n = 0};
    skep_buf_init(&l->text, 1u << 30);
    if (skep_query_export(s, &plan, &opts, on_row, l, &r, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    assert_true(r.complete);
    assert_int_equal(r.rows, l->n);
    if (l->n)
        qsort(l->rows, l->n, sizeof *l->rows, by_text);
}

static void lines_done(struct lines *l)
{
    for (size_t i = 0; i < l->n; i++)
        skep_free(l->rows[i]);
    skep_free(l->rows);
    skep_buf_done(&l->text);
}

static void import_all(struct skep_store *s, skep_str text)
{
    struct skep_row_reader *r = skep_row_reader_new(NULL);
    skep_err err;
    while (text.n) { /* batches of 100 rows, as chunks are */
        struct skep_batch *b = skep_batch_new(NULL, 1790000000ll * 1000000000); /* as sent */
        for (unsigned i = 0; i < 100 && text.n; i++)
            if (skep_row_read(r, skep_str_cut(&text, '\n'), b, &err) != SKEP_OK)
                fail_msg("%s", err.text);
        skep_batch_check(b);
        assert_int_equal(client_append(s, b).rc, SKEP_OK);
    }
    skep_row_reader_free(r);
}

static struct skep_store *open_store(struct mem_os *m)
{
    struct skep_column_config cfg = client_config(mem_os_ops(m), "/data");
    struct skep_store *s;
    skep_err err;
    if (skep_column_open(&cfg, &s, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    return s;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct rnd rnd = {31};
    struct mem_os *a = mem_os_new(1), *b = mem_os_new(2);
    struct skep_store *from = open_store(a), *to = open_store(b);
    struct lines out, back;
    skep_err err;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(client_append(from, random_batch(&rnd, 1 + rnd_below(&rnd, 400),
                                                          1790000000ll * 1000000000, i * 1000))
                             .rc,
                         SKEP_OK);
        if (i == 10)
            assert_int_equal(from->ops->flush(from, &err), SKEP_OK);
    }
    export_all(from, &out);
    assert_true(out.n > 1000);
    import_all(to, skep_buf_text(&out.text));
    export_all(to, &back);
    assert_int_equal(out.n, back.n);
    for (size_t i = 0; i < out.n; i++)
        assert_string_equal(out.rows[i], back.rows[i]);
    lines_done(&out);
    lines_done(&back);
    from->ops->close(from);
    to->ops->close(to);
    mem_os_free(a);
    mem_os_free(b);
}

#define ROW "\"time_ns\":\"5\",\"kind\":\"span\",\"source\":\"otlp\""

static skep_rc read_one(const char *text, struct skep_batch **ret, skep_err *err)
{
    struct skep_row_reader *r = skep_row_reader_new(NULL);
    struct skep_batch *b = skep_batch_new(NULL, 1);
    skep_rc rc = skep_row_read(r, skep_str_c(text), b, err);
    skep_row_reader_free(r);
    *ret = b;
    return rc;
}

/* Each type comes as what its form says. */
static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        uint8_t type;
    } cases[] = {{"1", SKEP_TYPE_INT},
                 {"-9007199254740993", SKEP_TYPE_INT},
                 {"{\"int\":\"9223372036854775807\"}", SKEP_TYPE_INT},
                 {"1.0", SKEP_TYPE_DOUBLE},
                 {"18446744073709551615", SKEP_TYPE_DOUBLE},
                 {"{\"double\":\"-Infinity\"}", SKEP_TYPE_DOUBLE},
                 {"\"1\"", SKEP_TYPE_STRING},
                 {"true", SKEP_TYPE_BOOL},
                 {"null", SKEP_TYPE_EMPTY},
                 {"[1,\"a\"]", SKEP_TYPE_ARRAY},
                 {"{\"bytes\":\"AAE=\"}", SKEP_TYPE_BYTES}};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        char text[200];
        skep_err err;
        struct skep_batch *b;
        (void)snprintf(text, sizeof text, "{" ROW ",\"attributes\":{\"x\":%s}}", cases[i].json);
        if (read_one(text, &b, &err) != SKEP_OK)
            fail_msg("%s: %s", cases[i].json, err.text);
        assert_int_equal(b->n_fields, 1);
        assert_int_equal(b->fields[0].type, cases[i].type);
        skep_batch_free(b);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "a line of 0 bytes"},
        {"[1]", "not an object"},
        {"{\"kind\":\"span\",\"source\":\"otlp\"}", "time_ns"},
        {"{\"time_ns\":5,\"kind\":\"metric\",\"source\":\"otlp\"}", "kind"},
        {"{\"time_ns\":5,\"kind\":\"span\",\"source\":\"x\"}", "source"},
        {"{" ROW ",\"trace_id\":\"12\"}", "trace_id"},
        {"{" ROW ",\"status\":256}", "status"},
        {"{" ROW ",\"colour\":1}", "colour"},
        {"{" ROW ",\"attributes\":[1]}", "attributes"},
        {"{" ROW ",\"attributes\":{\"x\":{\"y\":1}}}", "no value"},
        {"{" ROW ",\"resource\":{\"x\":{\"int\":\"1.5\"}}}", "no value"},
        {"{" ROW, "not JSON"},
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        skep_err err = {.text = ""};
        struct skep_batch *b;
        assert_int_not_equal(read_one(cases[i].text, &b, &err), SKEP_OK);
        skep_batch_free(b);
        if (skep_str_find(skep_str_c(err.text), skep_str_c(cases[i].why)) == SIZE_MAX)
            fail_msg("%s: '%s' does not say '%s'", cases[i].text, err.text, cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
