// SPDX-License-Identifier: Apache-2.0
/* test_cloudwatch.c - log records as events: hashes and signatures against published vectors, the
 * limits of a request, what each answer means. (botocore checks a whole request in
 * tests/e2e/waggle.test.mjs.) */
#include "support.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "aws_answer.h"
#include "sdk_priv.h"
#include "sigv4.h"

static struct waggle_provider *provider;
static struct waggle_logger *logger;
static struct sink *sink;
static char said[512];

static void hear(void *self, enum waggle_level level, const char *text)
{
    (void)self;
    (void)level;
    snprintf(said, sizeof said, "%s", text);
}

/* --- hashes and signatures ---------------------------------------------------------------------
 */

static const char *hex_of(const uint8_t hash[32])
{
    static char hex[65];
    waggle__sha256_hex(hash, hex);
    return hex;
}

static const char *sha256(const char *text, size_t n, size_t step)
{
    struct waggle__sha256 h;
    uint8_t hash[32];
    waggle__sha256_init(&h);
    for (size_t i = 0; i < n; i += step)
        waggle__sha256_put(&h, text + i, n - i < step ? n - i : step);
    waggle__sha256_end(&h, hash);
    return hex_of(hash);
}

/* FIPS 180-4's examples, in pieces of any size, and RFC 4231's. */
static void hashes(void **state)
{
    (void)state;
    static char a[1000000];
    uint8_t hash[32];
    uint8_t key[131];
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    memset(a, 'a', sizeof a);
    assert_string_equal(sha256("", 0, 1),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(sha256("abc", 3, 2),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (size_t step = 1; step < 70; step += 17)
        assert_string_equal(sha256(two, 56, step),
                            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_string_equal(sha256(a, sizeof a, 997),
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    waggle__hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, hash);
    assert_string_equal(hex_of(hash),
                        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    waggle__hmac_sha256(key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First",
                        54, hash);
    assert_string_equal(hex_of(hash),
                        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void signature_is(struct waggle__aws_request r, const char *body,
                         const struct waggle__aws_key *key, const char *date, const char *expected)
{
    struct waggle__sha256 h;
    struct waggle__buf out;
    waggle__sha256_init(&h);
    waggle__sha256_put(&h, body, strlen(body));
    waggle__sha256_end(&h, r.body_hash);
    memcpy(r.date, date, 17);
    waggle__buf_init(&out, 4096);
    waggle__aws_sign(&out, key, &r);
    waggle__buf_put(&out, "", 1);
    assert_non_null(strstr((const char *)out.p, expected));
    waggle__buf_done(&out);
}

/* Of AWS's own test suite (aws-sig-v4-test-suite): get-vanilla, post-vanilla,
 * post-x-www-form-urlencoded, get-vanilla-query-order-key-case, get-header-value-trim; then a
 * request of boto's. */
static void signatures(void **state)
{
    (void)state;
    static const struct waggle__aws_key key = {
        "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service"};
    static const char date[] = "20150830T123600Z";
    static const struct waggle__aws_header plain[] = {{"host", "example.amazonaws.com"},
                                                      {"x-amz-date", date}};
    static const struct waggle__aws_header typed[] = {
        {"content-type", "application/x-www-form-urlencoded"},
        {"host", "example.amazonaws.com"},
        {"x-amz-date", date}};
    static const struct waggle__aws_header trimmed[] = {{"host", "example.amazonaws.com"},
                                                        {"my-header1", " value1"},
                                                        {"my-header2", " \"a   b   c\""},
                                                        {"x-amz-date", date}};
    struct waggle__aws_request r = {
        .method = "GET", .path = "/", .query = "", .headers = plain, .n_headers = 2};
    signature_is(r, "", &key, date,
                 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                 "SignedHeaders=host;x-amz-date, "
                 "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    r.query = "Param1=value1&Param2=value2";
    signature_is(r, "", &key, date,
                 "=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
    r.query = "";
    r.headers = trimmed;
    r.n_headers = 4;
    signature_is(r, "", &key, date,
                 "=acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
    r.method = "POST";
    r.headers = plain;
    r.n_headers = 2;
    signature_is(r, "", &key, date,
                 "=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    r.headers = typed;
    r.n_headers = 3;
    signature_is(r, "Param1=value1", &key, date,
                 "=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
    static const struct waggle__aws_key mine = {"AKIDEXAMPLE", "secret", "ca-central-1", "logs"};
    static const struct waggle__aws_header boto[] = {
        {"content-type", "application/x-amz-json-1.1"},
        {"host", "127.0.0.1:18099"},
        {"x-amz-date", "20261120T171511Z"},
        {"x-amz-target", "Logs_20140328.DescribeLogGroups"}};
    r.headers = boto;
    r.n_headers = 4;
    signature_is(r, "{\"logGroupNamePrefix\": \"cruddur\"}", &mine, "20261120T171511Z",
                 "=d62ee2d1f87db8ff6ae190c80bc25c30c879812e650d1907060792d97a32cf98");
    char text[17];
    waggle__aws_date(1440938160, text);
    assert_string_equal(text, date);
}

/* --- the exporter ------------------------------------------------------------------------------
 */

/* One letter a request, the last for all further ones: 0 taken, g no such group, e exists already,
 * t throttled, 5, a no access, r three too old and one too new, d taken before. */
static size_t aws_answers(void *self, size_t n, const struct sink_request *r, char *ret, size_t cap)
{
    static const struct {
        char letter;
        int status;
        const char *body;
    } answers[] = {
        {'0', 200, "{\"nextSequenceToken\":\"49590302526213\"}"},
        {'g', 400,
         "{\"__type\":\"com.amazonaws.logs#ResourceNotFoundException\",\"message\":\"The specified "
         "log group does not exist.\"}"},
        {'e', 400,
         "{\"__type\":\"ResourceAlreadyExistsException\",\"message\":\"The specified log group "
         "already exists\"}"},
        {'t', 400, "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}"},
        {'5', 500, "{\"__type\":\"InternalFailure\"}"},
        {'a', 400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"you may \\\"not\\\"\"}"},
        {'d', 400, "{\"__type\":\"DataAlreadyAcceptedException\",\"expectedSequenceToken\":\"1\"}"},
        {'r', 200,
         "{\"rejectedLogEventsInfo\": {\"tooNewLogEventStartIndex\": 4, "
         "\"tooOldLogEventEndIndex\": 3, \"expiredLogEventEndIndex\": 2}}"},
    };
    const char *script = self;
    char c = script[n < strlen(script) ? n : strlen(script) - 1];
    (void)r;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (answers[i].letter == c)
            return (size_t)snprintf(
                ret, cap, "HTTP/1.1 %d X\r\nRetry-After: 0\r\nContent-Length: %zu\r\n\r\n%s",
                answers[i].status, strlen(answers[i].body), answers[i].body);
    abort();
}

static void begin(const char *script, waggle_cloudwatch_options o)
{
    waggle_set_error_handler(hear, NULL, WAGGLE_LEVEL_DEBUG);
    said[0] = '\0';
    sink = sink_start(0, aws_answers, (void *)(uintptr_t)script);
    o.endpoint = sink_url(sink);
    if (o.get_credentials == NULL)
        o.credentials = (waggle_aws_credentials){"AKID", "secret", NULL};
    struct waggle_resource *r = waggle_resource_new();
    waggle_resource_set(r, WAGGLE_ATTRS(waggle_kv_str("service.name", "the shop"),
                                        waggle_kv_str("host.name", "web:1"),
                                        waggle_kv_i64("process.pid", 77)));
    provider = waggle_provider_new(&(waggle_provider_options){.resource = r});
    assert_true(waggle_provider_add_log(
        provider, waggle_batch_processor_new(waggle_cloudwatch_exporter_new(&o),
                                             &(waggle_batch_options){.signal = WAGGLE_SIGNAL_LOGS,
                                                                     .max_queue = 20000,
                                                                     .max_batch = 20000,
                                                                     .schedule_delay_ms = 3600000,
                                                                     .no_drop_report = true})));
    logger = waggle_provider_logger(provider, "shop", NULL, NULL, WAGGLE_NO_ATTRS);
}

static void flush(void)
{
    assert_true(waggle_provider_flush(provider, 30000));
}

static void finish(void)
{
    waggle_provider_free(provider);
    sink_stop(sink);
}

static void emit_at(uint64_t s, const char *text)
{
    waggle_log_emit(logger, &(waggle_log_record){.time_ns = s * 1000000000u,
                                                 .severity = WAGGLE_INFO,
                                                 .body = waggle_value_str(text)});
}

/* The n-th request, which calls this operation. */
static const char *request(size_t n, const char *operation)
{
    char target[80];
    const struct sink_request *r = sink_request_at(sink, n);
    snprintf(target, sizeof target, "\r\nx-amz-target: Logs_20140328.%s\r\n", operation);
    assert_int_equal(strncmp(r->head, "POST / HTTP/1.1\r\n", 17), 0);
    assert_non_null(strstr(r->head, target));
    assert_non_null(strstr(r->head, "\r\nauthorization: AWS4-HMAC-SHA256 Credential=AKID/"));
    assert_non_null(strstr(r->head, "\r\ncontent-type: application/x-amz-json-1.1\r\n"));
    r->body[r->body_n] = '\0';
    return (const char *)r->body;
}

static size_t events_in(const char *body)
{
    size_t n = 0;
    for (const char *p = body; (p = strstr(p, "{\"timestamp\":")) != NULL; p++)
        n++;
    return n;
}

static void an_event(void **state)
{
    (void)state;
    char expected[512];
    begin("0", (waggle_cloudwatch_options){0});
    struct waggle_tracer *tracer =
        waggle_provider_tracer(provider, "x", NULL, NULL, WAGGLE_NO_ATTRS);
    struct capture *spans = capture_new();
    waggle_provider_add(provider, waggle_simple_processor_new(&spans->base));
    waggle_span span = waggle_span_start(tracer, "s", NULL);
    waggle_span_context c;
    char trace[33];
    char id[17];
    waggle_span_get_context(span, &c);
    waggle_trace_id_hex(c.trace_id, trace);
    waggle_span_id_hex(c.span_id, id);
    waggle_log_emit(logger, &(waggle_log_record){.time_ns = 1500000000123000000,
                                                 .severity = WAGGLE_WARN,
                                                 .body = waggle_value_str("a \"b\""),
                                                 .attributes = WAGGLE_ATTRS(waggle_kv_i64("n", 3)),
                                                 .span = span});
    flush();
    snprintf(expected, sizeof expected,
             "{\"logGroupName\":\"the_shop\",\"logStreamName\":\"web_1/"
             "77\",\"logEvents\":[{\"timestamp\":1500000000123,\"message\":\"{\\\"body\\\":\\\"a "
             "\\\\\\\"b\\\\\\\"\\\",\\\"severity_number\\\":13,\\\"severity_text\\\":\\\"WARN\\\","
             "\\\"attributes\\\":{\\\"n\\\":3},\\\"flags\\\":3,\\\"trace_id\\\":\\\"%s\\\","
             "\\\"span_id\\\":\\\"%s\\\",\\\"scope\\\":{\\\"name\\\":\\\"shop\\\"},"
             "\\\"resource\\\":{\\\"service.name\\\":\\\"the shop\\\"}}\"}]}",
             trace, id);
    assert_string_equal(request(0, "PutLogEvents"), expected);
    waggle_span_end(span);
    finish();
    capture_free(spans);
}

static void raw_bodies(void **state)
{
    (void)state;
    begin("0", (waggle_cloudwatch_options){.raw = true, .group = "/g", .stream = "s"});
    emit_at(1500000000, "plain");
    emit_at(1500000001, "");
    flush();
    assert_string_equal(request(0, "PutLogEvents"),
                        "{\"logGroupName\":\"/"
                        "g\",\"logStreamName\":\"s\",\"logEvents\":[{\"timestamp\":1500000000000,"
                        "\"message\":\"plain\"},{\"timestamp\":1500000001000,\"message\":\" \"}]}");
    finish();
}

static void order_and_limits(void **state)
{
    (void)state;
    static char large[16001];
    begin("0", (waggle_cloudwatch_options){.raw = true});
    emit_at(1500000002, "third");
    emit_at(1500000001, "first");
    emit_at(1500000001, "second");
    flush();
    const char *b = request(0, "PutLogEvents");
    assert_true(strstr(b, "first") < strstr(b, "second") &&
                strstr(b, "second") < strstr(b, "third"));
    emit_at(1500000000, "day one");
    emit_at(1500086399, "still");
    emit_at(1500086400, "day two");
    flush();
    assert_int_equal(events_in(request(1, "PutLogEvents")), 2);
    assert_int_equal(events_in(request(2, "PutLogEvents")), 1);
    for (int i = 0; i < 10001; i++)
        emit_at(1500000000, "x");
    flush();
    assert_int_equal(events_in(request(3, "PutLogEvents")), 10000);
    assert_int_equal(events_in(request(4, "PutLogEvents")), 1);
    memset(large, 'y', sizeof large - 1);
    for (int i = 0; i < 66; i++) // 65 * 16,026 fit into 1,048,576
        emit_at(1500000000, large);
    flush();
    assert_int_equal(events_in(request(5, "PutLogEvents")), 65);
    assert_int_equal(events_in(request(6, "PutLogEvents")), 1);
    assert_int_equal(sink_requests(sink), 7);
    finish();
}

static void what_is_not_there_is_made(void **state)
{
    (void)state;
    begin("ge0e0g000",
          (waggle_cloudwatch_options){.group = "g", .stream = "s", .retention_days = 7});
    emit_at(1500000000, "one");
    flush();
    (void)request(0, "PutLogEvents");
    assert_string_equal(request(1, "CreateLogGroup"), "{\"logGroupName\":\"g\"}");
    assert_string_equal(request(2, "PutRetentionPolicy"),
                        "{\"logGroupName\":\"g\",\"retentionInDays\":7}");
    assert_string_equal(request(3, "CreateLogStream"),
                        "{\"logGroupName\":\"g\",\"logStreamName\":\"s\"}");
    assert_string_equal(request(4, "PutLogEvents"), request(0, "PutLogEvents"));
    assert_int_equal(sink_requests(sink), 5);
    finish();
}

static void what_answers_mean(void **state)
{
    (void)state;
    waggle_stats a;
    waggle_stats b;
    begin("t50adrgagg", (waggle_cloudwatch_options){.group = "g", .stream = "s"});
    waggle_get_stats(&a, sizeof a);
    emit_at(1500000000, "throttled, then a fault of theirs, then taken");
    flush();
    assert_int_equal(sink_requests(sink), 3);
    emit_at(1500000000, "refused");
    flush();
    assert_int_equal(sink_requests(sink), 4);
    assert_non_null(strstr(
        said,
        "PutLogEvents was answered 400 AccessDeniedException: you may \\\"not\\\", dropping"));
    emit_at(1500000000, "taken before");
    flush();
    for (int i = 0; i < 5; i++)
        emit_at(1500000000 + (unsigned)i, "one of five");
    flush();
    waggle_get_stats(&b, sizeof b);
    assert_int_equal(b.dropped_rejected - a.dropped_rejected, 1 + 4);
    assert_int_equal(b.exported - a.exported, 1 + 1 + 1);
    emit_at(1500000000, "no group, and it cannot be made: tried once");
    flush();
    assert_int_equal(sink_requests(sink), 10);
    finish();
}

static bool rotate(void *self, waggle_aws_credentials *ret)
{
    int *n = self;
    *ret = (waggle_aws_credentials){"AKID", "secret", *n == 0 ? NULL : "token=="};
    return (*n)++ < 2;
}

static void credentials(void **state)
{
    (void)state;
    int n = 0;
    begin("0", (waggle_cloudwatch_options){
                   .get_credentials = rotate, .get_self = &n, .region = "eu-west-1"});
    for (int i = 0; i < 3; i++) {
        emit_at(1500000000, "x");
        flush();
    }
    assert_int_equal(sink_requests(sink), 2); // the third time there were none
    assert_non_null(strstr(said, "credentials"));
    assert_null(strstr(sink_request_at(sink, 0)->head, "security-token"));
    const char *head = sink_request_at(sink, 1)->head;
    assert_non_null(strstr(head, "\r\nx-amz-security-token: token==\r\n"));
    assert_non_null(strstr(
        head, "/eu-west-1/logs/aws4_request, "
              "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "));
    finish();
    static const char *const variables[] = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID",
                                            "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"};
    for (size_t i = 0; i < 5; i++)
        unsetenv(variables[i]);
    assert_null(waggle_cloudwatch_exporter_new(NULL));
    setenv("AWS_REGION", "eu-west-1", 1);
    assert_null(waggle_cloudwatch_exporter_new(NULL));
    setenv("AWS_ACCESS_KEY_ID", "a", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "b\r\nc", 1);
    assert_null(waggle_cloudwatch_exporter_new(NULL));
    setenv("AWS_SECRET_ACCESS_KEY", "b", 1);
    assert_null(waggle_cloudwatch_exporter_new(NULL)); // https, and there is no TLS
    assert_non_null(strstr(said, "https://logs.eu-west-1.amazonaws.com/"));
    setenv("AWS_ENDPOINT_URL", "http://h:1", 1);
    struct waggle_exporter *e = waggle_cloudwatch_exporter_new(NULL);
    assert_non_null(e);
    e->ops->free(e);
    for (size_t i = 0; i < 5; i++)
        unsetenv(variables[i]);
}

static void answers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t n, rejected;
    } cases[] = {
        {"", 3, 0},
        {"{}", 3, 0},
        {"{\"rejectedLogEventsInfo\":{\"tooNewLogEventStartIndex\":0}}", 3, 3},
        {"{\"rejectedLogEventsInfo\":{\"tooOldLogEventEndIndex\":99999999999999999999}}", 3, 3},
        {"{\"rejectedLogEventsInfo\":{\"tooOldLogEventEndIndex\":2,\"tooNewLogEventStartIndex\":1}"
         "}",
         3, 3},
        {"{\"rejectedLogEventsInfo\":{\"tooOldLogEventEndIndex\":1,\"tooNewLogEventStartIndex\":-1}"
         "}",
         3, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(
            waggle__aws_rejected((waggle_str){cases[i].body, strlen(cases[i].body)}, cases[i].n),
            cases[i].rejected);
    static const char typed[] =
        "{ \"__type\" : \"a.b#XException:http://c/\" , \"Message\":\"m\\\\\"}";
    const waggle_str body = {typed, sizeof typed - 1};
    assert_true(waggle__aws_is(body, "XException"));
    assert_true(str_is(waggle__aws_message(body), "m\\\\"));
    assert_true(waggle__aws_exception((waggle_str){"{\"__type\":\"", 11}).n == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),
        cmocka_unit_test(signatures),
        cmocka_unit_test(an_event),
        cmocka_unit_test(raw_bodies),
        cmocka_unit_test(order_and_limits),
        cmocka_unit_test(what_is_not_there_is_made),
        cmocka_unit_test(what_answers_mean),
        cmocka_unit_test(credentials),
        cmocka_unit_test(answers_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
