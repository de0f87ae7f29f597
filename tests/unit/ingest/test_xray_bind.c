// SPDX-License-Identifier: Apache-2.0
/* Streamed subsegments find their segment whichever comes first, in one call or in many. */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "ingest/xray.h"

#define T "\"trace_id\":\"1-5759e988-bd862e3fe1be46a994272793\",\"start_time\":1,\"end_time\":2"

static char *segment(char *buf, const char *name, unsigned id, const char *more)
{
    snprintf(buf, 512, "{\"id\":\"%016x\"," T ",\"name\":\"%s\"%s}", id, name, more);
    return buf;
}

static char *sub(char *buf, unsigned id, unsigned parent, const char *more)
{
    snprintf(buf, 512,
             "{\"id\":\"%016x\",\"parent_id\":\"%016x\",\"type\":\"subsegment\"," T
             ",\"name\":\"s%u\"%s}",
             id, parent, id, more);
    return buf;
}

static struct skep_arena arena;
static struct skep_xray_bind *bind;
static skep_ts_ns now = 1000;
static struct skep_batch *b;

static struct skep_xray_report send_as(uint64_t sender, skep_str environment, const char *text)
{
    struct skep_xray_report rep;
    skep_err err = {0};
    skep_batch_free(b);
    b = skep_batch_new(NULL, now);
    const struct skep_xray_opts opts = {.bind = bind, .arena = &arena, .environment = environment};
    const struct skep_xray_text t = {.text = skep_str_c(text), .sender = sender};
    assert_int_equal(skep_xray_decode(&t, 1, &opts, b, &rep, &err), SKEP_OK);
    skep_batch_check(b);
    assert_int_equal(rep.received, rep.accepted);
    return rep;
}

static struct skep_xray_report send(const char *text)
{
    return send_as(0, SKEP_STR(""), text);
}

static int64_t revision(uint32_t row)
{
    for (uint32_t f = 0; f < b->n_fields; f++)
        if (skep_str_eq(skep_batch_str(b, b->fields[f].name), SKEP_REVISION_FIELD))
            for (uint32_t i = 0; i < b->fields[f].n; i++)
                if (b->fields[f].rows[i] == row)
                    return (int64_t)b->fields[f].vals[i];
    return 0;
}

/* Row number `row` is span `id` of this dataset and revision. */
static void is(uint32_t row, unsigned id, const char *dataset, int64_t rev)
{
    char want[17], have[17];
    uint8_t bytes[8];
    assert_true(row < b->n_rows);
    snprintf(want, sizeof want, "%016x", id);
    memcpy(bytes, &b->span_id[row], 8);
    skep_hex_encode((skep_bytes){bytes, 8}, have);
    have[16] = 0;
    assert_string_equal(have, want);
    skep_str d = skep_batch_str(b, b->dataset[row]);
    if (!skep_str_eq(d, skep_str_c(dataset)))
        fail_msg("row %u is of dataset " SKEP_STRFMT ", not %s", row, SKEP_STRARG(d), dataset);
    assert_int_equal(revision(row), rev);
}

static int setup(void **state)
{
    (void)state;
    now = 1000;
    skep_arena_init(&arena, "test", NULL);
    bind = skep_xray_bind_new(1 << 20, 600);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    skep_batch_free(b);
    b = NULL;
    skep_xray_bind_free(bind);
    skep_arena_done(&arena);
    return 0;
}

static void test_late_segment(void **state)
{
    char x[512];
    (void)state;
    send(sub(x, 2, 1, ""));
    is(0, 2, "unknown", 3);
    send(sub(x, 3, 2, "")); /* a child of what waits */
    is(0, 3, "unknown", 3);
    send(segment(x, "svc", 1, ""));
    assert_int_equal(b->n_rows, 3);
    is(0, 1, "svc", 4);
    is(1, 2, "svc", 4);
    is(2, 3, "svc", 4);
    send(segment(x, "svc", 1, "")); /* nothing waits any more */
    assert_int_equal(b->n_rows, 1);
}

static void test_late_subsegment(void **state)
{
    char x[512];
    (void)state;
    send(segment(x, "svc", 1, ",\"subsegments\":[{\"id\":\"0000000000000007\"}]"));
    send(sub(x, 2, 7, "")); /* of one that stood inside */
    is(0, 2, "svc", 4);
    send(sub(x, 3, 2, ",\"subsegments\":[{\"id\":\"0000000000000008\"}]"));
    is(0, 3, "svc", 4);
    send(sub(x, 4, 8, ""));
    is(0, 4, "svc", 4);
}

static void test_one_call(void **state)
{
    char x[2048], a[512], c[512], d[512];
    (void)state;
    snprintf(x, sizeof x, "%s%s%s", sub(a, 3, 2, ""), sub(c, 2, 1, ""), segment(d, "svc", 1, ""));
    send(x);
    assert_int_equal(b->n_rows, 3);
    is(0, 3, "svc", 4);
    is(1, 2, "svc", 4);
    is(2, 1, "svc", 4);
}

static void test_two_services(void **state)
{
    char x[512];
    (void)state;
    send_as(5, SKEP_STR(""), segment(x, "front", 1, ""));
    send_as(6, SKEP_STR(""), sub(x, 9, 8, "")); /* of another process: no guess */
    is(0, 9, "unknown", 3);
    send_as(5, SKEP_STR(""), sub(x, 4, 99, "")); /* of the same: a guess */
    is(0, 4, "front", 3);
    send_as(6, SKEP_STR(""), segment(x, "back", 8, ",\"parent_id\":\"0000000000000001\""));
    assert_int_equal(b->n_rows, 2);
    is(0, 8, "back", 4);
    is(1, 9, "back", 4);
    send_as(7, SKEP_STR(""), segment(x, "other", 99, "")); /* the guess was wrong */
    assert_int_equal(b->n_rows, 2);
    is(1, 4, "other", 4);
}

static void test_stray_guess(void **state)
{
    char x[512];
    (void)state;
    send_as(5, SKEP_STR(""), sub(x, 4, 99, "")); /* its parent was lost */
    is(0, 4, "unknown", 3);
    send_as(5, SKEP_STR(""), segment(x, "svc", 1, ""));
    assert_int_equal(b->n_rows, 2);
    is(1, 4, "svc", 3);
    send_as(5, SKEP_STR(""), segment(x, "svc", 1, ""));
    assert_int_equal(b->n_rows, 1); /* once */
}

static void test_environments(void **state)
{
    char x[512];
    (void)state;
    send_as(0, SKEP_STR("prod"), sub(x, 2, 1, ""));
    send(segment(x, "svc", 1, ""));
    assert_int_equal(b->n_rows, 1); /* of another environment */
    send_as(0, SKEP_STR("prod"), segment(x, "svc2", 1, ""));
    assert_int_equal(b->n_rows, 2);
    is(1, 2, "svc2", 4);
}

static void test_open_then_complete(void **state)
{
    char x[512];
    (void)state;
    send("{\"id\":\"0000000000000001\",\"trace_id\":\"1-5759e988-bd862e3fe1be46a994272793\","
         "\"start_time\":1,\"name\":\"svc\",\"in_progress\":true}");
    is(0, 1, "svc", 2);
    send(sub(x, 2, 1, "")); /* streamed while it is open */
    is(0, 2, "svc", 4);
    send(segment(x, "svc", 1, ""));
    assert_int_equal(b->n_rows, 1);
    is(0, 1, "svc", 4);
    /* Open again, late: it may not take the place of the complete one. */
    send("{\"id\":\"0000000000000001\",\"trace_id\":\"1-5759e988-bd862e3fe1be46a994272793\","
         "\"start_time\":1,\"name\":\"svc\",\"in_progress\":true}");
    is(0, 1, "svc", 2);
    /* The same for a subsegment that waits: the complete one is stored again. */
    send("{\"id\":\"0000000000000011\",\"trace_id\":\"1-5759e988-bd862e3fe1be46a994272793\","
         "\"start_time\":1,\"end_time\":2,\"name\":\"s\",\"type\":\"subsegment\",\"parent_id\":"
         "\"0000000000000010\",\"annotations\":{\"n\":1}}");
    send("{\"id\":\"0000000000000011\",\"trace_id\":\"1-5759e988-bd862e3fe1be46a994272793\","
         "\"start_time\":1,\"name\":\"s\",\"type\":\"subsegment\",\"parent_id\":"
         "\"0000000000000010\"}");
    is(0, 0x11, "unknown", 1);
    send(segment(x, "late", 0x10, ""));
    assert_int_equal(b->n_rows, 2);
    is(1, 0x11, "late", 4);
    assert_int_equal(b->duration_ns[1], 1000000000);
}

static void test_repeated(void **state)
{
    char x[512];
    (void)state;
    send(sub(x, 2, 1, ""));
    send(sub(x, 2, 1, "")); /* a datagram twice */
    send(segment(x, "svc", 1, ""));
    assert_int_equal(b->n_rows, 2); /* stored again once */
}

/* Rings of parents, and oneself as parent, end. */
static void test_cycles(void **state)
{
    char x[512];
    (void)state;
    send(sub(x, 2, 3, ""));
    send(sub(x, 3, 2, ""));
    send(sub(x, 4, 4, ""));
    send(segment(x, "svc", 1, ",\"subsegments\":[{\"id\":\"0000000000000003\"}]"));
    assert_int_equal(b->n_rows, 4); /* 3 is inside now, 2 waits for it, 3 for 2 */
    is(2, 2, "svc", 4);
    is(3, 3, "svc", 4);
}

/* What is old or too much is forgotten; what comes later is merely not bound. */
static void test_bounds(void **state)
{
    char x[512];
    (void)state;
    send(sub(x, 2, 1, ""));
    now += 301;
    send(sub(x, 3, 1, ""));
    now += 301;
    send(sub(x, 4, 1, ""));
    send(segment(x, "svc", 1, ""));
    assert_int_equal(b->n_rows, 3); /* 2 was forgotten */
    is(1, 4, "svc", 4);
    is(2, 3, "svc", 4);
    for (unsigned i = 0; i < 20000; i++)
        send(sub(x, 1000 + i, 100, ""));
    send(segment(x, "many", 100, ""));
    assert_true(b->n_rows > 100 && b->n_rows < 10000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_late_segment),
        TEST(test_late_subsegment),
        TEST(test_one_call),
        TEST(test_two_services),
        TEST(test_stray_guess),
        TEST(test_environments),
        TEST(test_open_then_complete),
        TEST(test_repeated),
        TEST(test_cycles),
        TEST(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
