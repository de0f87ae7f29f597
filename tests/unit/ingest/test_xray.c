// SPDX-License-Identifier: Apache-2.0
/* X-Ray documents: what is accepted, what is refused and why, and how members become fields. */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "ingest/xray.h"
#include "support/batchdump.h"

#define TRACE   "\"trace_id\":\"1-5759e988-bd862e3fe1be46a994272793\""
#define ID      "\"id\":\"53995c3f42cd8ad8\""
#define TIMES   "\"start_time\":1500000000.5,\"end_time\":1500000001.25"
#define SEGMENT "{" ID "," TRACE ",\"name\":\"svc\"," TIMES "}"

struct decoded {
    struct skep_arena arena;
    struct skep_batch *b;
    struct skep_xray_report rep;
    struct skep_buf dump;
};

static void decode_within(const char *text, size_t limit, struct decoded *d)
{
    skep_err err = {0};
    skep_arena_init(&d->arena, "test", NULL);
    d->b = skep_batch_new(NULL, 1600000000000000000);
    const struct skep_xray_opts opts = {.arena = &d->arena, .document_bytes_max = limit};
    const struct skep_xray_text t = {.text = skep_str_c(text)};
    skep_rc rc = skep_xray_decode(&t, 1, &opts, d->b, &d->rep, &err);
    if (rc != SKEP_OK)
        fail_msg("%s", err.text);
    skep_batch_check(d->b);
    skep_buf_init(&d->dump, 4 << 20);
    skep_batchdump(d->b, &d->dump);
    skep_buf_u8(&d->dump, 0);
    assert_false(d->dump.bad);
}

static void decode(const char *text, struct decoded *d)
{
    decode_within(text, 0, d);
}

static void done(struct decoded *d)
{
    skep_batch_free(d->b);
    skep_buf_done(&d->dump);
    skep_arena_done(&d->arena);
}

static void has(const struct decoded *d, const char *line)
{
    if (!strstr((const char *)d->dump.p, line))
        fail_msg("no \"%s\" in\n%s", line, (const char *)d->dump.p);
}

static void lacks(const struct decoded *d, const char *line)
{
    if (strstr((const char *)d->dump.p, line))
        fail_msg("\"%s\" in\n%s", line, (const char *)d->dump.p);
}

/* A text, what is accepted, and the code of what is not. */
static void test_texts(void **state)
{
    static const struct {
        const char *text;
        unsigned accepted, rejected;
        const char *code;
        enum skep_rejection why;
    } all[] = {
        {SEGMENT, 1, 0, NULL, 0},
        {"\xef\xbb\xbf \n" SEGMENT "\n", 1, 0, NULL, 0},
        {"[" SEGMENT "]", 1, 0, NULL, 0},
        {"[ " SEGMENT " , " SEGMENT "]\n" SEGMENT, 3, 0, NULL, 0},
        {SEGMENT "\n" SEGMENT SEGMENT, 3, 0, NULL, 0},
        {"", 0, 1, "InvalidSegment", SKEP_REJECTION_MALFORMED},
        {"[]", 0, 1, "MissingId", SKEP_REJECTION_BAD_SPAN_ID},
        {"{}", 0, 1, "MissingId", SKEP_REJECTION_BAD_SPAN_ID},
        {"7", 0, 1, "InvalidSegment", SKEP_REJECTION_MALFORMED},
        {SEGMENT " x", 1, 1, "InvalidSegment", SKEP_REJECTION_MALFORMED},
        {"[" SEGMENT " " SEGMENT "]", 1, 1, "InvalidSegment", SKEP_REJECTION_MALFORMED},
        {"[" SEGMENT ",", 1, 1, "InvalidSegment", SKEP_REJECTION_MALFORMED},
        {"{" ID "," TRACE, 0, 1, "InvalidSegment", SKEP_REJECTION_MALFORMED},
        {"{" ID ",,}" SEGMENT, 1, 1, "InvalidSegment", SKEP_REJECTION_MALFORMED},
        {"{" TRACE "," TIMES "}", 0, 1, "MissingId", SKEP_REJECTION_BAD_SPAN_ID},
        {"{\"id\":7," TRACE "," TIMES "}", 0, 1, "MissingId", SKEP_REJECTION_BAD_SPAN_ID},
        {"{" ID "," TIMES "}", 0, 1, "MissingTraceId", SKEP_REJECTION_BAD_TRACE_ID},
        {"{" ID "," TRACE "}", 0, 1, "MissingStartTime", SKEP_REJECTION_MISSING_TIME},
        /* What AWS would refuse, and is kept. */
        {"{" ID "," TRACE ",\"name\":\"a|b?\"," TIMES "}", 1, 0, NULL, 0},
        {"{\"id\":\"x\",\"trace_id\":\"y\"," TIMES "}", 1, 0, NULL, 0},
        {"{" ID "," TRACE ",\"start_time\":\"1.5e9\"}", 1, 0, NULL, 0},
        {"{" ID "," TRACE ",\"type\":\"subsegment\"," TIMES "}", 1, 0, NULL, 0},
        {"{" ID "," TRACE "," TIMES ",\"subsegments\":[{\"name\":\"n\"},{\"id\":\"a\"}]}", 2, 1,
         "MissingId", SKEP_REJECTION_BAD_SPAN_ID},
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        struct decoded d;
        decode(all[i].text, &d);
        if (d.rep.accepted != all[i].accepted ||
            d.rep.received != all[i].accepted + all[i].rejected)
            fail_msg("%s: %" PRIu64 " of %" PRIu64 ", %s", all[i].text, d.rep.accepted,
                     d.rep.received, d.rep.message);
        assert_int_equal(d.rep.n_unprocessed, all[i].rejected);
        if (all[i].rejected) {
            assert_string_equal(d.rep.unprocessed[0].code, all[i].code);
            assert_int_equal(d.rep.rejected[all[i].why], all[i].rejected);
            assert_true(d.rep.message[0] != 0);
        }
        done(&d);
    }
}

static void test_too_large(void **state)
{
    struct decoded d;
    (void)state;
    decode_within("[" SEGMENT "]", sizeof SEGMENT - 1, &d);
    assert_int_equal(d.rep.accepted, 1);
    done(&d);
    decode_within(SEGMENT "\n{\"id\":\"1\"}", sizeof SEGMENT - 2, &d);
    assert_int_equal(d.rep.accepted, 0);
    assert_int_equal(d.rep.rejected[SKEP_REJECTION_TOO_LARGE], 1);
    assert_int_equal(d.rep.rejected[SKEP_REJECTION_BAD_TRACE_ID], 1);
    done(&d);
}

static void test_depth(void **state)
{
    struct skep_buf text;
    struct decoded d;
    (void)state;
    skep_buf_init(&text, 1 << 20);
    skep_buf_str(&text, SKEP_STR("{" ID "," TRACE "," TIMES));
    enum { DEPTH = SKEP_XRAY_DEPTH_MAX + 2 };
    for (int i = 0; i < DEPTH; i++)
        skep_buf_printf(&text, ",\"subsegments\":[{\"id\":\"%016x\"", i + 1);
    for (int i = 0; i < DEPTH; i++)
        skep_buf_str(&text, SKEP_STR("}]"));
    skep_buf_str(&text, SKEP_STR("}"));
    skep_buf_u8(&text, 0);
    decode((const char *)text.p, &d);
    assert_int_equal(d.rep.accepted, 1 + SKEP_XRAY_DEPTH_MAX);
    assert_int_equal(d.rep.rejected[SKEP_REJECTION_OVER_LIMIT], 1);
    done(&d);
    skep_buf_done(&text);
}

static void test_times(void **state)
{
    struct decoded d;
    (void)state;
    decode("{" ID "," TRACE ",\"start_time\":1795194450.7544827,\"end_time\":1795194450.7550197}",
           &d);
    has(&d, "time=1795194450754482700 duration=537000\n");
    lacks(&d, "meta.in_progress");
    done(&d);
    decode("{" ID "," TRACE ",\"start_time\":1.478293361e9,\"end_time\":1478293360}", &d);
    has(&d, "time=1478293361000000000 duration=0\n");
    has(&d, "- meta.invalid_duration bool true");
    done(&d);
    decode("{" ID "," TRACE ",\"start_time\":1478293361.271,\"in_progress\":true}", &d);
    has(&d, "time=1478293361271000000 duration=0\n");
    has(&d, "- meta.in_progress bool true");
    has(&d, "- meta.revision int 2");
    done(&d);
    decode("{" ID "," TRACE ",\"start_time\":1478293361,\"subsegments\":[{\"id\":\"a\"}]}", &d);
    has(&d, "- meta.in_progress bool true");
    assert_int_equal(d.b->time_ns[1], d.b->time_ns[0]);
    done(&d);
    decode("{" ID "," TRACE ",\"start_time\":-0.5,\"end_time\":1e300}", &d);
    assert_int_equal(d.b->time_ns[0], -500000000);
    done(&d);
}

static void test_kinds(void **state)
{
    static const struct {
        const char *members;
        int kind, status;
    } all[] = {
        {"\"type\":\"subsegment\",\"namespace\":\"aws\"", 3, 0},
        {"\"type\":\"subsegment\",\"namespace\":\"remote\",\"error\":true", 3, 2},
        {"\"type\":\"subsegment\",\"namespace\":\"local\",\"error\":true", 1, 0},
        {"\"type\":\"subsegment\",\"namespace\":\"new\"", 1, 0},
        {"\"type\":\"subsegment\",\"cause\":\"50170c34e09ce0e3\"", 1, 2},
        {"\"error\":true,\"throttle\":true", 2, 0},
        {"\"fault\":true", 2, 2},
        {"\"cause\":{\"id\":\"50170c34e09ce0e3\",\"exceptions\":[]}", 2, 2},
        {"\"cause\":{\"exceptions\":[]}", 2, 0},
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        struct decoded d;
        char text[512];
        snprintf(text, sizeof text, "{" ID "," TRACE "," TIMES ",%s}", all[i].members);
        decode(text, &d);
        assert_int_equal(d.b->n_rows, 1);
        if (d.b->span_kind[0] != all[i].kind || d.b->status[0] != all[i].status)
            fail_msg("%s: kind %d status %d", all[i].members, d.b->span_kind[0], d.b->status[0]);
        done(&d);
    }
}

static void test_fields(void **state)
{
    struct decoded d;
    (void)state;
    decode(
        "{" ID "," TRACE ",\"name\":\"svc\"," TIMES
        ",\"user\":\"bob\",\"origin\":\"AWS::EC2::Instance\",\"resource_arn\":\"arn:x\""
        ",\"http\":{\"request\":{\"method\":\"post\",\"url\":\"http://h/p\",\"user_agent\":\"u\","
        "\"client_ip\":\"1.2.3.4\",\"x_forwarded_for\":true},"
        "\"response\":{\"status\":\"429\",\"content_length\":-1}},\"throttle\":true"
        ",\"annotations\":{\"n\":2,\"x\":1.5,\"ok\":false,\"s\":\"t\",\"user\":\"eve\"}"
        ",\"metadata\":{\"default\":{\"k\":[1,{\"a\":null}]},\"odd\":7}"
        ",\"service\":{\"version\":\"3\",\"runtime\":\"node\",\"runtime_version\":\"v20\"}"
        ",\"aws\":{\"account_id\":\"123\",\"ec2\":{\"instance_id\":\"i-1\",\"instance_type\":"
        "\"t3\","
        "\"ami_id\":\"ami-1\",\"availability_zone\":\"a\"},\"cloudwatch_logs\":[{\"log_group\":"
        "\"g1\",\"arn\":\"arn:g1\"},{\"log_group\":\"g2\"}],\"xray\":{\"sdk\":\"X-Ray for "
        "Node.js\",\"sdk_version\":\"3\",\"rule_name\":\"Default\"}}}",
        &d);
    static const char *const lines[] = {
        "resource service.name string \"svc\"",
        "resource service.version string \"3\"",
        "resource process.runtime.name string \"node\"",
        "resource cloud.provider string \"aws\"",
        "resource cloud.account.id string \"123\"",
        "resource host.id string \"i-1\"",
        "resource host.type string \"t3\"",
        "resource host.image.id string \"ami-1\"",
        "resource cloud.availability_zone string \"a\"",
        "resource aws.log.group.names array \"[\\\"g1\\\",\\\"g2\\\"]\"",
        "resource telemetry.sdk.name string \"X-Ray for Node.js\"",
        "resource telemetry.sdk.language string \"nodejs\"",
        "dataset=\"svc\" status=0 span_kind=2",
        "    enduser.id string \"bob\"",
        "    user string \"eve\"",
        "    aws.xray.origin string \"AWS::EC2::Instance\"",
        "    aws.xray.resource_arn string \"arn:x\"",
        "    aws.xray.sampling_rule string \"Default\"",
        "    http.request.method string \"POST\"",
        "    url.full string \"http://h/p\"",
        "    user_agent.original string \"u\"",
        "    client.address string \"1.2.3.4\"",
        "    aws.xray.x_forwarded_for bool true",
        "    http.response.status_code int 429",
        "    xray.throttle bool true",
        "    n int 2",
        "    x double 1.5",
        "    ok bool false",
        "    s string \"t\"",
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(lines); i++)
        has(&d, lines[i]);
    has(&d,
        "aws.xray.annotations array \"[\\\"n\\\",\\\"x\\\",\\\"ok\\\",\\\"s\\\",\\\"user\\\"]\"");
    has(&d, "aws.xray.metadata.default string \"{\\\"k\\\":[1,{\\\"a\\\":null}]}\"");
    has(&d, "aws.xray.metadata.odd string \"7\"");
    lacks(&d, "http.response.body.size");
    lacks(&d, "xray.fault");
    done(&d);
}

/* Who sent it, as OpenTelemetry's collector says it: numbers of any size, no name twice. */
static void test_resource(void **state)
{
    struct decoded d;
    (void)state;
    decode("{" ID "," TRACE ",\"name\":\"svc\"," TIMES
           ",\"metadata\":{\"default\":{\"otel.resource.service.name\":\"other\","
           "\"otel.resource.host.name\":\"h\",\"otel.resource.process.pid\":7,"
           "\"otel.resource.low\":-9223372036854775808,"
           "\"otel.resource.high\":9223372036854775807,"
           "\"otel.resource.over\":9223372036854775808,\"otel.resource.part\":0.5,"
           "\"otel.resource.yes\":true,\"otel.resource.\":1,\"otel.resource.list\":[1]}}}",
           &d);
    static const char *const lines[] = {
        "resource service.name string \"svc\"",
        "resource host.name string \"h\"",
        "resource process.pid int 7",
        "resource low int -9223372036854775808",
        "resource high int 9223372036854775807",
        "resource over double 9.2233720368547758",
        "resource part double 0.5",
        "resource yes bool true",
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(lines); i++)
        has(&d, lines[i]);
    lacks(&d, "resource service.name string \"other\"");
    lacks(&d, "resource list");
    done(&d);
}

static void test_subsegments(void **state)
{
    struct decoded d;
    (void)state;
    decode(
        "{" ID "," TRACE ",\"name\":\"svc\"," TIMES ",\"subsegments\":["
        "{\"id\":\"00000000000000a1\",\"name\":\"dynamodb\",\"namespace\":\"aws\","
        "\"start_time\":1500000000.6,\"end_time\":1500000000.7,\"aws\":{\"operation\":\"PutItem\","
        "\"region\":\"eu-1\",\"request_id\":\"R\",\"table_name\":\"t\",\"retries\":2,"
        "\"resource_names\":[\"a\"],\"consumed\":{\"units\":3}},\"traced\":true},"
        "{\"id\":\"00000000000000a2\",\"name\":\"execute\",\"namespace\":\"remote\","
        "\"start_time\":1500000000.6,\"end_time\":1500000000.7,\"http\":{\"request\":{\"traced\":"
        "true}},\"sql\":{\"url\":\"postgresql://me@db.host:5432/shop?x=1\",\"database_type\":"
        "\"PostgreSQL\",\"user\":\"me\",\"sanitized_query\":\"SELECT ?\",\"preparation\":"
        "\"statement\"},\"precursor_ids\":[\"00000000000000a1\"]}]}",
        &d);
    static const char *const lines[] = {
        "span=00000000000000a1 parent=53995c3f42cd8ad8",
        "    aws.operation string \"PutItem\"",
        "    aws.region string \"eu-1\"",
        "    aws.request_id string \"R\"",
        "    aws.table_name string \"t\"",
        "    aws.retries int 2",
        "    aws.resource_names array \"[\\\"a\\\"]\"",
        "    aws.consumed.units int 3",
        "    aws.xray.namespace string \"aws\"",
        "    db.system string \"postgresql\"",
        "    db.name string \"shop\"",
        "    db.user string \"me\"",
        "    db.statement string \"SELECT ?\"",
        "    server.address string \"db.host\"",
        "    server.port int 5432",
        "    aws.xray.sql.preparation string \"statement\"",
        "    aws.xray.precursor_ids array \"[\\\"00000000000000a1\\\"]\"",
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(lines); i++)
        has(&d, lines[i]);
    const char *first = strstr((const char *)d.dump.p, "aws.xray.traced bool true");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "aws.xray.traced bool true"));
    done(&d);
}

static void test_causes(void **state)
{
    struct decoded d;
    (void)state;
    decode(
        "{" ID "," TRACE ",\"name\":\"svc\"," TIMES
        ",\"fault\":true,\"aws\":{\"xray\":{\"sdk\":\"X-Ray for Python\"}},\"cause\":{"
        "\"working_directory\":\"/w\",\"exceptions\":[{\"id\":\"e1\",\"type\":\"ValueError\","
        "\"message\":\"bad\",\"remote\":false,\"cause\":\"e2\",\"truncated\":3,\"stack\":[{"
        "\"path\":\"a.py\",\"line\":1,\"label\":\"outer\"},{\"path\":\"b.py\",\"line\":2,"
        "\"label\":\"inner\"}]},7,{\"id\":\"e2\",\"type\":\"KeyError\"}]},\"links\":[{\"trace_id\":"
        "\"1-6b008151-4f145b45af3a4b0954c1e6ca\",\"id\":\"5f00ec64589944ef\",\"attributes\":{"
        "\"reason\":\"batch\"}}]}",
        &d);
    assert_int_equal(d.b->n_rows, 4);
    assert_int_equal(d.b->kind[0], SKEP_KIND_SPAN_EVENT);
    assert_int_equal(d.b->kind[2], SKEP_KIND_LINK);
    assert_int_equal(d.b->kind[3], SKEP_KIND_SPAN);
    assert_int_equal(d.b->parent_id[0], d.b->span_id[3]);
    static const char *const lines[] = {
        "span_event \"exception\" time=1500000001250000000",
        "    exception.type string \"ValueError\"",
        ("    exception.stacktrace string \"ValueError: bad\\x0a\\x09at "
         "inner(b.py:2)\\x0a\\x09at outer(a.py:1)\""),
        "    aws.xray.exception.id string \"e1\"",
        "    aws.xray.exception.cause string \"e2\"",
        "    aws.xray.exception.remote bool false",
        "    aws.xray.exception.truncated int 3",
        "    - exception.message string \"bad\"",
        "    - trace.link.trace_id string \"6b0081514f145b45af3a4b0954c1e6ca\"",
        "    - trace.link.span_id string \"5f00ec64589944ef\"",
        "    reason string \"batch\"",
        "    - span.num_events int 2",
        "    - span.num_links int 1",
    };
    for (size_t i = 0; i < SKEP_ARRAY_LEN(lines); i++)
        has(&d, lines[i]);
    done(&d);
    decode("{" ID "," TRACE "," TIMES ",\"cause\":{\"id\":\"50170c34e09ce0e3\",\"exceptions\":[]}}",
           &d);
    has(&d, "    aws.xray.cause string \"50170c34e09ce0e3\"");
    done(&d);
    decode("{" ID "," TRACE "," TIMES ",\"cause\":\"50170c34e09ce0e3\"}", &d);
    has(&d, "    aws.xray.cause string \"50170c34e09ce0e3\"");
    done(&d);
}

/* The document is kept byte for byte, on its own row alone. */
static void test_raw(void **state)
{
    struct decoded d;
    (void)state;
    decode("[ {" ID " ,  " TRACE ", \"start_time\":1.50e9,\"x\":\"\\u00e9}{\", \"subsegments\":[{"
           "\"id\":\"a\"}] } ]",
           &d);
    assert_int_equal(d.b->n_rows, 2);
    has(&d, "- meta.raw string \"{\\\"id\\\":\\\"53995c3f42cd8ad8\\\" ,  ");
    const char *first = strstr((const char *)d.dump.p, "meta.raw");
    assert_null(strstr(first + 1, "meta.raw"));
    done(&d);
}

static void test_odd_ids(void **state)
{
    struct decoded d;
    (void)state;
    decode("[{\"id\":\"parent!\",\"trace_id\":\"t\"," TIMES "},{\"id\":\"kid\",\"trace_id\":\"t\","
           "\"parent_id\":\"parent!\",\"type\":\"subsegment\"," TIMES "}]",
           &d);
    assert_int_equal(d.b->n_rows, 2);
    assert_int_equal(d.b->parent_id[1], d.b->span_id[0]);
    assert_memory_equal(&d.b->trace_id[0], &d.b->trace_id[1], sizeof(skep_trace_id));
    has(&d, "    aws.xray.id string \"parent!\"");
    has(&d, "    aws.xray.trace_id string \"t\"");
    done(&d);
    skep_trace_id a, b;
    assert_true(skep_xray_trace_id(SKEP_STR("1-5759E988-bd862e3fe1be46a994272793"), &a));
    assert_true(skep_xray_trace_id(SKEP_STR("5759e988bd862e3fe1be46a994272793"), &b));
    assert_memory_equal(&a, &b, sizeof a);
    assert_false(skep_xray_trace_id(SKEP_STR("1-00000000-000000000000000000000000"), &a));
    uint64_t id;
    assert_false(skep_xray_span_id(SKEP_STR("0000000000000000"), &id));
    assert_true(id != 0);
}

static void test_headers(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } all[] = {
        {"{\"format\":\"json\",\"version\":1}\n{}", true},
        {"{\"format\": \"JSON\", \"version\": 1}\n{}", true},
        {"{\"version\":1,\"format\":\"json\"}\r\n{}", true},
        {"{\"format\":\"json\",\"version\":2}\n{}", false},
        {"{\"format\":\"xml\",\"version\":1}\n{}", false},
        {"{\"format\":\"json\"}\n{}", false},
        {"{\"format\":\"json\",\"version\":1}\n", false},
        {"{\"format\":\"json\",\"version\":1}\n \n", false},
        {"{\"format\":\"json\",\"version\":1}", false},
        {"{}", false},
        {"\n{}", false},
        {"", false},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n{}",
         false},
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++) {
        skep_str body;
        bool ok = skep_xray_datagram(skep_str_c(all[i].text), &body);
        if (ok != all[i].ok)
            fail_msg("%s", all[i].text);
        if (ok)
            assert_true(skep_str_eq(body, SKEP_STR("{}")));
    }
}

/* A budget that is too small refuses the whole, cleanly. */
static void test_no_memory(void **state)
{
    (void)state;
    for (uint64_t limit = 0; limit < 64 << 10; limit += 509) {
        struct skep_budget budget;
        struct skep_arena arena;
        struct skep_xray_report rep;
        skep_err err = {0};
        skep_budget_init(&budget, "test", limit, NULL);
        skep_arena_init(&arena, "test", NULL);
        struct skep_batch *b = skep_batch_new(&budget, 1);
        const struct skep_xray_text t = {.text = SKEP_STR("[" SEGMENT "," SEGMENT "]")};
        const struct skep_xray_opts opts = {.arena = &arena};
        skep_rc rc = skep_xray_decode(&t, 1, &opts, b, &rep, &err);
        assert_true(rc == SKEP_OK || rc == SKEP_ENOMEM);
        skep_batch_free(b);
        assert_int_equal(skep_budget_used(&budget), 0);
        skep_arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),       cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_depth),       cmocka_unit_test(test_times),
        cmocka_unit_test(test_kinds),       cmocka_unit_test(test_fields),
        cmocka_unit_test(test_resource),    cmocka_unit_test(test_causes),
        cmocka_unit_test(test_subsegments), cmocka_unit_test(test_raw),
        cmocka_unit_test(test_odd_ids),     cmocka_unit_test(test_headers),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
