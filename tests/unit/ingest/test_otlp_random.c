// SPDX-License-Identifier: Apache-2.0
/* Random requests, written at once as protobuf and as JSON by code that shares nothing with the
 * decoders: both must give the same rows, and the rows what was written.  The protobuf form is
 * decoded twice: with the long lengths of our writer, and with the short ones of everybody else's,
 * which the decoder reads by another way. */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "enc.h"
#include "ingest/otlp.h"
#include "support/batchdump.h"
#include "support/instrumented.h"

static struct skep_buf pb, js;
static uint64_t seed_state;

static uint64_t rnd(void)
{
    seed_state ^= seed_state << 13;
    seed_state ^= seed_state >> 7;
    seed_state ^= seed_state << 17;
    return seed_state;
}

static unsigned below(unsigned n)
{
    return (unsigned)(rnd() >> 33) % n;
}

// --- what was written --------------------------------------------------------------------------

enum { NAMES = 24, SPANS_MAX = 40 };
static const char *const names[NAMES] = {
    "http.method", "http.route", "a",  "b",  "c.d",      "user.id", "x",  "y",  "z",
    "n1",          "n2",         "n3", "n4", "n5",       "n6",      "n7", "n8", "exception.type",
    "q",           "r",          "s",  "t",  "\xc3\xa4", "u"};

static struct written {
    uint8_t span_id[8];
    uint64_t start, end;
    bool known[NAMES];  /* a scalar was the last value of this name */
    bool nested[NAMES]; /* something else was: not compared by itself */
    skep_value v[NAMES];
} written[SPANS_MAX];
static unsigned n_written;

// --- writing both forms ------------------------------------------------------------------------

static void json(const char *text)
{
    skep_buf_str(&js, skep_str_c(text));
}

static void json_str(const char *s)
{
    skep_buf_u8(&js, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\' || (unsigned char)*s < 32)
            skep_buf_printf(&js, "\\u%04x", (unsigned char)*s);
        else
            skep_buf_u8(&js, (uint8_t)*s);
    }
    skep_buf_u8(&js, '"');
}

static void json_int(int64_t v)
{
    skep_buf_printf(&js, below(2) ? "%" PRId64 : "\"%" PRId64 "\"", v);
}

static const char *random_text(void)
{
    static const char *const texts[] = {
        "",      "GET",  "POST",         "a \"quoted\" \\ text\n",
        "/api/", "\x01", "\xe4\xbd\xa0", "a longer text that is like no other"};
    static char number[32];
    if (below(3))
        return texts[below(SKEP_ARRAY_LEN(texts))];
    snprintf(number, sizeof number, "value-%u", below(50));
    return number;
}

static const char *key(const char *camel, const char *snake)
{
    return below(4) ? camel : snake;
}

static void any(unsigned depth, skep_value *ret);

static void kv_list(unsigned depth)
{
    size_t list = skep_pb_begin(&pb, 6);
    json("\"");
    json(key("kvlistValue", "kvlist_value"));
    json("\":{\"values\":[");
    for (unsigned i = below(3) + (depth == 0), first = 1; i > 0; i--, first = 0) {
        size_t kv = skep_pb_begin(&pb, 1);
        const char *name = names[below(NAMES)];
        json(first ? "{\"key\":" : ",{\"key\":");
        json_str(name);
        json(",\"value\":");
        skep_pb_put_str(&pb, 1, skep_str_c(name));
        size_t value = skep_pb_begin(&pb, 2);
        any(depth + 1, NULL);
        skep_pb_end(&pb, value);
        skep_pb_end(&pb, kv);
        json("}");
    }
    json("]}");
    skep_pb_end(&pb, list);
}

static void array(unsigned depth)
{
    size_t list = skep_pb_begin(&pb, 5);
    json("\"");
    json(key("arrayValue", "array_value"));
    json("\":{\"values\":[");
    for (unsigned i = below(4), first = 1; i > 0; i--, first = 0) {
        size_t item = skep_pb_begin(&pb, 1);
        json(first ? "" : ",");
        any(depth + 1, NULL);
        skep_pb_end(&pb, item);
    }
    json("]}");
    skep_pb_end(&pb, list);
}

/* Content of an AnyValue in both forms; *ret (nullable) gets it when scalar, else type NULL. */
static void any(unsigned depth, skep_value *ret)
{
    static const double doubles[] = {0, -0.0, 1.5, 1e300, -2, 0.1};
    skep_value v = {.type = SKEP_TYPE_NULL};
    json("{");
    switch (below(depth < 7 ? 9 : 6)) {
    case 0:
        v = (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)(rnd() >> below(64))};
        if (below(2))
            v.i = -v.i;
        skep_pb_put_varint(&pb, 3, (uint64_t)v.i);
        json("\"intValue\":");
        json_int(v.i);
        break;
    case 1:
        v = (skep_value){.type = SKEP_TYPE_DOUBLE, .f = doubles[below(6)]};
        skep_pb_put_double(&pb, 4, v.f);
        skep_buf_printf(&js, "\"doubleValue\":%.17g", v.f);
        break;
    case 2:
        v = (skep_value){.type = SKEP_TYPE_BOOL, .b = below(2)};
        skep_pb_put_varint(&pb, 2, v.b);
        json(v.b ? "\"boolValue\":true" : "\"bool_value\":false");
        break;
    case 3: v.type = SKEP_TYPE_EMPTY; break;
    case 4:
        skep_pb_put_bytes(&pb, 7, bytes_of("\x01\xff\x80"));
        json("\"bytesValue\":\"Af+A\"");
        break;
    case 6: kv_list(depth); break;
    case 7: array(depth); break;
    default:
        v = (skep_value){.type = SKEP_TYPE_STRING, .s = skep_str_c(random_text())};
        skep_pb_put_str(&pb, 1, v.s);
        json("\"stringValue\":");
        // The text may lie in a static buffer: keep those of the table only.
        json_str(v.s.p);
        if (v.s.n > 5 && memcmp(v.s.p, "value", 5) == 0)
            v.type = SKEP_TYPE_NULL;
    }
    json("}");
    if (ret)
        *ret = v;
}

static void attributes(uint32_t number, struct written *w)
{
    skep_buf_printf(&js, "\"attributes\":[");
    for (unsigned i = below(18), first = 1; i > 0; i--, first = 0) {
        unsigned name = below(NAMES);
        skep_value v;
        size_t kv = skep_pb_begin(&pb, number);
        skep_pb_put_str(&pb, 1, skep_str_c(names[name]));
        size_t value = skep_pb_begin(&pb, 2);
        json(first ? "{\"key\":" : ",{\"key\":");
        json_str(names[name]);
        json(",\"value\":");
        any(0, &v);
        json("}");
        skep_pb_end(&pb, value);
        skep_pb_end(&pb, kv);
        if (w) {
            w->known[name] = v.type != SKEP_TYPE_NULL;
            w->nested[name] |= v.type == SKEP_TYPE_NULL;
            w->v[name] = v;
        }
    }
    json("]");
}

static void id(uint32_t number, const char *name, unsigned n, uint8_t *ret)
{
    uint8_t bytes[16];
    char hex[33] = {0};
    for (unsigned i = 0; i < n; i++)
        bytes[i] = (uint8_t)(rnd() >> 20 | 1);
    skep_pb_put_bytes(&pb, number, (skep_bytes){bytes, n});
    skep_hex_encode((skep_bytes){bytes, n}, hex);
    skep_buf_printf(&js, "\"%s\":\"%s\",", name, hex);
    if (ret)
        memcpy(ret, bytes, n);
}

static void fixed(uint32_t number, const char *name, uint64_t v)
{
    skep_pb_put_i64(&pb, number, v);
    skep_buf_printf(&js, below(2) ? "\"%s\":%" PRIu64 "," : "\"%s\":\"%" PRIu64 "\",", name, v);
}

static void text(uint32_t number, const char *name)
{
    const char *s = random_text();
    skep_pb_put_str(&pb, number, skep_str_c(s));
    skep_buf_printf(&js, "\"%s\":", name);
    json_str(s);
    json(",");
}

static void small(uint32_t number, const char *name, unsigned v)
{
    skep_pb_put_varint(&pb, number, v);
    skep_buf_printf(&js, "\"%s\":%u,", name, v);
}

static void span_inside(struct written *w)
{
    id(1, "traceId", below(30) ? 16 : 12, NULL);
    id(2, "spanId", 8, w->span_id);
    if (below(2))
        id(4, "parentSpanId", 8, NULL);
    if (below(4) == 0)
        text(3, "traceState");
    text(5, "name");
    small(6, "kind", below(7));
    w->start = 1700000000000000000 + below(1000000);
    w->end = w->start + below(100000) - 500;
    fixed(7, "startTimeUnixNano", w->start);
    fixed(8, "endTimeUnixNano", w->end);
    small(10, "droppedAttributesCount", below(3));
    json("\"events\":[");
    for (unsigned i = below(3), first = 1; i > 0; i--, first = 0) {
        size_t e = skep_pb_begin(&pb, 11);
        json(first ? "{" : ",{");
        fixed(1, "timeUnixNano", w->start + below(100));
        if (below(3))
            text(2, "name");
        else {
            skep_pb_put_str(&pb, 2, SKEP_STR("exception"));
            json("\"name\":\"exception\",");
        }
        attributes(3, NULL);
        json("}");
        skep_pb_end(&pb, e);
    }
    json("],\"links\":[");
    if (below(3) == 0) {
        size_t l = skep_pb_begin(&pb, 13);
        json("{");
        id(1, "traceId", 16, NULL);
        id(2, "spanId", 8, NULL);
        attributes(4, NULL);
        json("}");
        skep_pb_end(&pb, l);
    }
    json("],\"status\":{");
    size_t status = skep_pb_begin(&pb, 15);
    small(3, "code", below(3));
    text(2, "message");
    js.n--; // the comma behind the last member
    skep_pb_end(&pb, status);
    json("},");
    attributes(9, w);
}

static void log_inside(void)
{
    if (below(3))
        fixed(1, "timeUnixNano", 1700000000000000000 + below(1000));
    fixed(11, "observedTimeUnixNano", 1700000000000000000 + below(1000));
    small(2, "severityNumber", below(25));
    if (below(2))
        text(3, "severityText");
    if (below(2)) {
        id(9, "traceId", 16, NULL);
        id(10, "spanId", 8, NULL);
    }
    size_t body = skep_pb_begin(&pb, 5);
    json("\"body\":");
    any(0, NULL);
    json(",");
    skep_pb_end(&pb, body);
    attributes(6, NULL);
}

static void request(bool logs)
{
    n_written = 0;
    skep_buf_reset(&pb);
    skep_buf_reset(&js);
    json(logs ? "{\"resourceLogs\":[" : "{\"resourceSpans\":[");
    for (unsigned g = 1 + below(3), g1 = 1; g > 0; g--, g1 = 0) {
        size_t group = skep_pb_begin(&pb, 1), resource = skep_pb_begin(&pb, 1);
        json(g1 ? "{\"resource\":{" : ",{\"resource\":{");
        attributes(1, NULL);
        skep_pb_end(&pb, resource);
        json(logs ? "},\"scopeLogs\":[" : "},\"scopeSpans\":[");
        for (unsigned s = 1 + below(2), s1 = 1; s > 0; s--, s1 = 0) {
            size_t items = skep_pb_begin(&pb, 2), scope = skep_pb_begin(&pb, 1);
            json(s1 ? "{\"scope\":{" : ",{\"scope\":{");
            text(1, "name");
            attributes(3, NULL);
            skep_pb_end(&pb, scope);
            json(logs ? "},\"logRecords\":[" : "},\"spans\":[");
            for (unsigned i = below(6), i1 = 1; i > 0; i--, i1 = 0) {
                size_t item = skep_pb_begin(&pb, 2);
                json(i1 ? "{" : ",{");
                struct written *w = &written[n_written++];
                memset(w, 0, sizeof *w);
                if (logs)
                    log_inside();
                else
                    span_inside(w);
                json("}");
                skep_pb_end(&pb, item);
            }
            json("]}");
            skep_pb_end(&pb, items);
        }
        json("]}");
        skep_pb_end(&pb, group);
    }
    json("]}");
}

// --- short lengths -----------------------------------------------------------------------------

/* Our writer gives every message inside, and nothing else, a length of four bytes. */
static void shorten(struct skep_buf *out, skep_bytes in)
{
    struct skep_pb_ctx ctx;
    skep_pb c = skep_pb_make(&ctx, in);
    skep_pb_field f;
    for (const uint8_t *at = c.p; skep_pb_next(&c, &f); at = c.p) {
        size_t tag_n = f.tag < 128 ? 1 : 2;
        bool message =
            (f.tag & 7) == SKEP_PB_LEN && f.bytes.n < 1 << 21 && f.bytes.p == at + tag_n + 4;
        if (!message) {
            skep_buf_put(out, at, (size_t)(c.p - at));
            continue;
        }
        struct skep_buf inner;
        skep_buf_init(&inner, 8 << 20);
        shorten(&inner, f.bytes);
        skep_pb_put_bytes(out, f.tag >> 3, skep_buf_bytes(&inner));
        skep_buf_done(&inner);
    }
    assert_null(ctx.error);
}

// --- comparing ---------------------------------------------------------------------------------

static void compare_span(const struct skep_batch *b, uint32_t row, const struct written *w)
{
    assert_int_equal(b->time_ns[row], w->start);
    assert_int_equal(b->duration_ns[row], w->end < w->start ? 0 : w->end - w->start);
    for (unsigned k = 0; k < NAMES; k++) {
        if (w->nested[k]) // maps of the same name may have added to it
            continue;
        skep_value have = get_field(b, SKEP_SCOPE_ATTRIBUTE, names[k], row);
        if (!w->known[k])
            continue;
        assert_int_equal(have.type, w->v[k].type);
        if (have.type == SKEP_TYPE_STRING)
            assert_true(skep_str_eq(have.s, w->v[k].s));
        else if (have.type == SKEP_TYPE_BOOL)
            assert_int_equal(have.b, w->v[k].b);
        else if (have.type != SKEP_TYPE_EMPTY)
            assert_memory_equal(&have.i, &w->v[k].i, 8);
    }
}

static void compare_written(const struct skep_batch *b, const struct skep_otlp_report *rep)
{
    uint32_t row = 0, found = 0;
    for (unsigned i = 0; i < n_written; i++) {
        while (row < b->n_rows && memcmp(&b->span_id[row], written[i].span_id, 8) != 0)
            row++;
        if (row == b->n_rows) { // rejected
            row = 0;
            continue;
        }
        compare_span(b, row, &written[i]);
        found++;
    }
    assert_int_equal(found, rep->accepted);
    assert_int_equal(rep->received, n_written);
}

static void same_lines(uint64_t seed, skep_str p, skep_str j)
{
    while (p.p && j.p) {
        skep_str line_p = skep_str_cut(&p, '\n'), line_j = skep_str_cut(&j, '\n');
        if (!skep_str_eq(line_p, line_j))
            fail_msg("seed %" PRIu64 ": protobuf has\n" SKEP_STRFMT "\nJSON has\n" SKEP_STRFMT,
                     seed, SKEP_STRARG(line_p), SKEP_STRARG(line_j));
    }
    assert_true(p.p == j.p);
}

static void compare_short(uint64_t seed, enum skep_otlp_signal signal, skep_str long_dump)
{
    struct skep_otlp_report rep;
    struct skep_batch *b = skep_batch_new(NULL, 7);
    struct skep_buf out, dump;
    skep_buf_init(&out, 8 << 20);
    skep_buf_init(&dump, 16 << 20);
    shorten(&out, skep_buf_bytes(&pb));
    assert_true(out.n < pb.n);
    assert_int_equal(skep_otlp_decode_pb(signal, skep_buf_bytes(&out), b, NULL, &rep, NULL),
                     SKEP_OK);
    skep_batch_check(b);
    skep_batchdump(b, &dump);
    same_lines(seed, long_dump, skep_buf_text(&dump));
    skep_buf_done(&out);
    skep_buf_done(&dump);
    skep_batch_free(b);
}

static void one(uint64_t seed, bool logs)
{
    struct skep_otlp_report rep_pb, rep_json;
    skep_err err;
    seed_state = seed * 0x9e3779b97f4a7c15ull + 1;
    for (int i = 0; i < 8; i++)
        (void)rnd();
    request(logs);
    assert_false(pb.bad || js.bad);
    enum skep_otlp_signal signal = logs ? SKEP_OTLP_LOGS : SKEP_OTLP_TRACES;
    struct skep_batch *p = skep_batch_new(NULL, 7), *j = skep_batch_new(NULL, 7);
    if (skep_otlp_decode_pb(signal, skep_buf_bytes(&pb), p, NULL, &rep_pb, &err) != SKEP_OK)
        fail_msg("seed %" PRIu64 ": protobuf: %s", seed, err.text);
    if (skep_otlp_decode_json(signal, skep_buf_bytes(&js), j, NULL, &rep_json, &err) != SKEP_OK)
        fail_msg("seed %" PRIu64 ": JSON: %s\n" SKEP_STRFMT, seed, err.text,
                 SKEP_STRARG(skep_buf_text(&js)));
    skep_batch_check(p);
    skep_batch_check(j);
    struct skep_buf dp, dj;
    skep_buf_init(&dp, 16 << 20);
    skep_buf_init(&dj, 16 << 20);
    skep_batchdump(p, &dp);
    skep_batchdump(j, &dj);
    same_lines(seed, skep_buf_text(&dp), skep_buf_text(&dj));
    compare_short(seed, signal, skep_buf_text(&dp));
    assert_int_equal(rep_pb.accepted, rep_json.accepted);
    assert_int_equal(rep_pb.logs_have_time, rep_json.logs_have_time);
    skep_batch_identity(p, true);
    skep_batch_identity(j, true);
    assert_memory_equal(p->identity, j->identity, 16);
    if (!logs)
        compare_written(p, &rep_pb);
    else
        assert_int_equal(p->n_rows, n_written);
    skep_buf_done(&dp);
    skep_buf_done(&dj);
    skep_batch_free(p);
    skep_batch_free(j);
}

static void test_traces(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= skep_tries(1500); seed++)
        one(seed, false);
}

static void test_logs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= skep_tries(1500); seed++)
        one(seed, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_traces), cmocka_unit_test(test_logs)};
    skep_buf_init(&pb, 8 << 20);
    skep_buf_init(&js, 8 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    skep_buf_done(&pb);
    skep_buf_done(&js);
    return failed;
}
