// SPDX-License-Identifier: Apache-2.0
/* The OTLP adapter with a net and a store of paper: what is answered when, and what is counted. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "ingest/ingest.h"
#include "wire/json_out.h"
#include "wire/otlp.h"

// --- a net of paper ----------------------------------------------------------------------------

static struct {
    unsigned n; /* answers */
    int status, grpc_status, retry_after_s;
    char content_type[64], message[300];
    struct skep_buf body, details;
} answer;
static skep_str dataset_header;
static bool body_taken;

void skep_respond(struct skep_request *req, const struct skep_response *resp)
{
    (void)req;
    answer.n++;
    answer.status = resp->status;
    answer.grpc_status = resp->grpc_status;
    answer.retry_after_s = resp->retry_after_s;
    snprintf(answer.content_type, sizeof answer.content_type, SKEP_STRFMT,
             SKEP_STRARG(resp->content_type));
    snprintf(answer.message, sizeof answer.message, SKEP_STRFMT, SKEP_STRARG(resp->grpc_message));
    skep_buf_reset(&answer.body);
    skep_buf_put(&answer.body, resp->body.p, resp->body.n);
    skep_buf_reset(&answer.details);
    skep_buf_put(&answer.details, resp->grpc_details.p, resp->grpc_details.n);
}

void skep_request_rows(const struct skep_request *req, uint64_t n)
{
    (void)req;
    (void)n;
}

/* What stood there is other requests' now. */
void skep_request_body_done(struct skep_request *req)
{
    if (req->body.n > 0)
        memset((uint8_t *)(uintptr_t)req->body.p, 0xee, req->body.n);
    req->body = (skep_bytes){0};
    body_taken = true;
}

skep_str skep_request_header(const struct skep_request *req, skep_str name)
{
    (void)req;
    return skep_str_ieq(name, SKEP_STR("X-Honeycomb-Dataset")) ? dataset_header : SKEP_STR_NULL;
}

// --- a store of paper --------------------------------------------------------------------------

static struct {
    struct skep_store base;
    struct skep_batch *batch; /* appended, not yet answered */
    skep_append_done_fn *done;
    void *ctx;
    unsigned n;
} store;

static void paper_append(struct skep_store *s, struct skep_batch *batch, skep_append_done_fn *done,
                         void *ctx)
{
    (void)s;
    assert_null(store.batch);
    assert_true(body_taken); /* who waits for the disk does not hold it */
    skep_batch_check(batch);
    store.batch = batch;
    store.done = done;
    store.ctx = ctx;
    store.n++;
}

static void commit(skep_rc rc, bool duplicate)
{
    assert_non_null(store.batch);
    struct skep_append_result res = {.seq = 1, .rows = store.batch->n_rows, .duplicate = duplicate};
    skep_err err;
    skep_batch_free(store.batch);
    store.batch = NULL;
    if (rc != SKEP_OK)
        (void)skep_fail(&err, rc, "the disk is full");
    store.done(store.ctx, rc, &res, rc == SKEP_OK ? NULL : &err);
}

static int64_t paper_now(const struct skep_os *self)
{
    (void)self;
    return 1795000000000000000;
}

// --- requests ----------------------------------------------------------------------------------

static const struct skep_store_ops ops = {.name = "paper", .append = paper_append};
static const struct skep_os os = {.name = "paper", .now_ns = paper_now};
static struct skep_ingest *ingest;
static struct skep_budget budget;
static struct skep_arena arena;
static struct skep_buf body;

static int set_up(void **state)
{
    (void)state;
    store.base.ops = &ops;
    store.batch = NULL;
    store.n = 0;
    answer.n = 0;
    body_taken = false;
    dataset_header = SKEP_STR_NULL;
    skep_budget_init(&budget, "ingest", 1 << 20, NULL);
    skep_arena_init(&arena, "request", NULL);
    skep_buf_init(&answer.body, 1 << 16);
    skep_buf_init(&answer.details, 1 << 16);
    skep_buf_init(&body, 8 << 20);
    ingest = skep_ingest_new(
        &(struct skep_ingest_config){.store = &store.base, .budget = &budget, .os = &os});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_null(store.batch);
    assert_int_equal(skep_budget_used(&budget), 0);
    skep_ingest_free(ingest);
    skep_arena_done(&arena);
    skep_buf_done(&answer.body);
    skep_buf_done(&answer.details);
    skep_buf_done(&body);
    return 0;
}

static const struct skep_route *route(const char *path)
{
    size_t n;
    const struct skep_route *r = skep_ingest_otlp_routes(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(r[i].path, path) == 0)
            return &r[i];
    }
    fail_msg("no route %s", path);
    return NULL;
}

static struct skep_request *make_request(const char *path, const char *content_type)
{
    static struct skep_request req;
    req = (struct skep_request){.proto = SKEP_PROTO_HTTP1,
                                .method = SKEP_STR("POST"),
                                .path = skep_str_c(path),
                                .content_type = skep_str_c(content_type),
                                .body = skep_buf_bytes(&body),
                                .wire_bytes = body.n,
                                .listener = SKEP_STR("127.0.0.1:4318"),
                                .arena = &arena};
    if (!strstr(path, "/v1/"))
        req.proto = SKEP_PROTO_GRPC;
    return &req;
}

static void post(const char *path, const char *content_type)
{
    const struct skep_route *r = route(path);
    unsigned before = answer.n;
    r->handle(ingest, make_request(path, content_type));
    assert_true(answer.n - before + (store.batch != NULL) == 1); // I1
}

#define GRPC_TRACES "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

/* Spans: good ones, then bad ones (a trace id too short). */
static void make_spans(unsigned good, unsigned bad)
{
    skep_buf_reset(&body);
    size_t group = skep_pb_begin(&body, 1), scope = skep_pb_begin(&body, 2);
    for (unsigned i = 0; i < good + bad; i++) {
        uint8_t id[16] = {1, 2, 3, 4, (uint8_t)i, (uint8_t)(i >> 8)};
        size_t span = skep_pb_begin(&body, 2);
        skep_pb_put_bytes(&body, 1, (skep_bytes){id, i < good ? 16 : 15});
        skep_pb_put_bytes(&body, 2, (skep_bytes){id, 8});
        skep_pb_put_i64(&body, 7, 1795000000000000000);
        skep_pb_put_i64(&body, 8, 1795000000000001000);
        skep_pb_end(&body, span);
    }
    skep_pb_end(&body, scope);
    skep_pb_end(&body, group);
}

static void make_json(const char *text)
{
    skep_buf_reset(&body);
    skep_buf_str(&body, skep_str_c(text));
}

static const struct skep_ledger_row *ledger(enum skep_signal signal)
{
    static struct skep_ingest_snapshot snap;
    skep_ingest_snapshot(ingest, &snap);
    for (unsigned i = 0; i < snap.n_ledger; i++) {
        const struct skep_ledger_row *row = &snap.ledger[i];
        uint64_t sum = row->stored + row->duplicate + row->pending;
        for (unsigned r = 0; r < SKEP_REJECTION_COUNT; r++)
            sum += row->rejected[r];
        assert_int_equal(sum, row->received);
        if (row->signal == signal)
            return row;
    }
    fail_msg("nothing received");
    return NULL;
}

static bool body_is(const char *text)
{
    return skep_str_eq(skep_buf_text(&answer.body), skep_str_c(text));
}

static bool body_has(const char *text)
{
    return skep_str_find(skep_buf_text(&answer.body), skep_str_c(text)) != SIZE_MAX;
}

// --- tests -------------------------------------------------------------------------------------

static void test_acknowledged_only_when_committed(void **state)
{
    (void)state;
    make_spans(3, 0);
    post("/v1/traces", "application/x-protobuf");
    assert_int_equal(answer.n, 0);
    assert_int_equal(store.batch->n_rows, 3);
    assert_int_equal(store.batch->received_ns, 1795000000000000000);
    assert_true(skep_load_le64(store.batch->identity) != 0);
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES)->pending, 3);
    commit(SKEP_OK, false);
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, "application/x-protobuf");
    assert_int_equal(answer.body.n, 0);
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES)->stored, 3);
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES)->pending, 0);
}

static void test_duplicate_is_success(void **state)
{
    (void)state;
    make_spans(2, 0);
    post("/v1/traces", "application/protobuf");
    commit(SKEP_OK, true);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, "application/protobuf");
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES)->duplicate, 2);
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES)->stored, 0);
}

static void test_partial_success_names_the_reason(void **state)
{
    (void)state;
    make_spans(2, 1);
    post("/v1/traces", "application/x-protobuf");
    assert_int_equal(store.batch->n_rows, 2);
    commit(SKEP_OK, false);
    assert_int_equal(answer.status, 200);
    assert_true(body_has("1 of 3 rejected (bad_trace_id 1)"));
    assert_true(body_has("item 2 (byte "));
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES)->stored, 2);
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES)->rejected[SKEP_REJECTION_BAD_TRACE_ID], 1);
    // Nothing left to store: answered at once.
    make_spans(0, 2);
    post("/v1/traces", "application/x-protobuf");
    assert_int_equal(answer.n, 2);
    assert_int_equal(answer.status, 200);
    assert_int_equal(store.n, 1);
}

static void test_empty_request(void **state)
{
    (void)state;
    skep_buf_reset(&body);
    post("/v1/logs", "application/x-protobuf");
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body.n, 0);
    make_json("{}");
    post("/v1/logs", "application/json");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, "application/json");
    assert_true(body_is("{}"));
}

static void test_malformed(void **state)
{
    (void)state;
    make_spans(2, 0);
    body.n -= 3; // cut
    post("/v1/traces", "application/x-protobuf");
    assert_int_equal(answer.status, 400);
    assert_true(body_has("at byte 0"));
    assert_true(body_has("type.googleapis.com/google.rpc.BadRequest"));
    make_json("{\"resourceSpans\":[}");
    post("/v1/traces", "application/json");
    assert_int_equal(answer.status, 400);
    assert_true(body_has("{\"code\":3,\"message\":\"JSON: "));
    assert_true(body_has("at byte 18"));
    make_json("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":7}]}]}]}");
    post("/v1/traces", "application/json");
    assert_true(body_has("resourceSpans[0].scopeSpans[0].spans[0].name: expected a string"));
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES)->rejected[SKEP_REJECTION_MALFORMED], 3);
    assert_int_equal(store.n, 0);
}

static void test_content_type(void **state)
{
    (void)state;
    make_spans(1, 0);
    post("/v1/traces", "text/plain");
    assert_int_equal(answer.status, 415);
    assert_string_equal(answer.content_type, "text/plain");
    assert_true(body_is("unsupported content-type, valid types are: application/protobuf, "
                        "application/x-protobuf, application/json"));
    post("/v1/traces", "");
    assert_int_equal(answer.status, 415);
}

static void test_store_refuses(void **state)
{
    (void)state;
    make_spans(4, 1);
    post("/v1/traces", "application/x-protobuf");
    commit(SKEP_ENOSPC, false);
    assert_int_equal(answer.status, 503);
    assert_int_equal(answer.retry_after_s, 60);
    assert_true(body_has("the disk is full"));
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES)->rejected[SKEP_REJECTION_NO_SPACE], 5);
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES)->stored, 0);
}

static void test_memory_budget(void **state)
{
    (void)state;
    make_spans(40000, 0);
    post("/v1/traces", "application/x-protobuf");
    assert_int_equal(answer.status, 503);
    assert_int_equal(answer.retry_after_s, 2);
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES)->rejected[SKEP_REJECTION_NO_MEMORY], 1);
    assert_int_equal(skep_budget_used(&budget), 0);
}

static void test_grpc(void **state)
{
    (void)state;
    make_spans(1, 0);
    post(GRPC_TRACES, "application/grpc");
    commit(SKEP_OK, false);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.grpc_status, 0);
    assert_string_equal(answer.content_type, "application/grpc");
    make_spans(1, 0);
    post(GRPC_TRACES, "application/grpc");
    commit(SKEP_EIO, false);
    assert_int_equal(answer.grpc_status, 14);
    assert_string_equal(answer.message, "the disk is full");
    assert_true(skep_str_find(skep_buf_text(&answer.details),
                              SKEP_STR("type.googleapis.com/google.rpc.RetryInfo")) != SIZE_MAX);
    make_json("\x0f");
    post(GRPC_TRACES, "application/grpc");
    assert_int_equal(answer.grpc_status, 3);
    assert_int_equal(answer.status, 200);
    assert_true(skep_str_find(skep_buf_text(&answer.details),
                              SKEP_STR("type.googleapis.com/google.rpc.BadRequest")) != SIZE_MAX);
}

static void test_metrics_are_counted(void **state)
{
    (void)state;
    make_json("{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"a\",\"gauge\":"
              "{\"dataPoints\":[{},{}]}},{\"sum\":{\"dataPoints\":[{\"asInt\":\"1\"}]}}]}]}]}");
    post("/v1/metrics", "application/json");
    assert_int_equal(answer.status, 200);
    assert_true(body_has("{\"partialSuccess\":{\"rejectedDataPoints\":\"3\",\"errorMessage\":"));
    assert_true(body_has("not stored yet"));
    assert_int_equal(ledger(SKEP_SIGNAL_METRICS)->received, 3);
    assert_int_equal(ledger(SKEP_SIGNAL_METRICS)->rejected[SKEP_REJECTION_METRICS_NOT_STORED], 3);
}

static void test_log_dataset_from_header(void **state)
{
    (void)state;
    dataset_header = SKEP_STR(" my logs ");
    make_json("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":"
              "\"x\"}}]}]}]}");
    post("/v1/logs", "application/json");
    assert_true(
        skep_str_eq(skep_batch_str(store.batch, store.batch->dataset[0]), SKEP_STR("my logs")));
    // Without a time of its own a log is never taken for a duplicate.
    assert_int_equal(skep_load_le64(store.batch->identity), 0);
    commit(SKEP_OK, false);
    assert_int_equal(ledger(SKEP_SIGNAL_LOGS)->stored, 1);
}

static void test_refusals_of_net(void **state)
{
    (void)state;
    const struct skep_route *r = route("/v1/traces");
    skep_buf_reset(&body);
    r->refuse(ingest, make_request("/v1/traces", "application/json"), 413, SKEP_ETOOLARGE,
              SKEP_STR("over 64 MiB"));
    assert_int_equal(answer.status, 413);
    assert_true(body_is("{\"code\":8,\"message\":\"over 64 MiB\"}"));
    r = route(GRPC_TRACES);
    r->refuse(ingest, make_request(GRPC_TRACES, "application/grpc"), 413, SKEP_ETOOLARGE,
              SKEP_STR("over 64 MiB"));
    assert_int_equal(answer.grpc_status, 8);
    assert_int_equal(answer.retry_after_s, 0); // RESOURCE_EXHAUSTED without RetryInfo: no retry
    assert_int_equal(ledger(SKEP_SIGNAL_TRACES)->rejected[SKEP_REJECTION_TOO_LARGE], 2);
}

static void test_status_and_ring(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        make_spans(0, i + 1);
        post("/v1/traces", i == 19 ? "text/plain" : "application/x-protobuf");
    }
    struct skep_ingest_snapshot s;
    skep_ingest_snapshot(ingest, &s);
    assert_int_equal(s.n_last, SKEP_INGEST_LAST);
    assert_int_equal(s.last[0].status, 415);
    assert_int_equal(s.last[1].status, 200);
    assert_string_equal(s.last[0].what, "POST /v1/traces");
    assert_string_equal(s.last[0].listener, "127.0.0.1:4318");
    assert_true(s.last[1].bytes > s.last[2].bytes);
    struct skep_buf out;
    struct skep_json j;
    skep_buf_init(&out, 1 << 16);
    skep_json_init(&j, &out);
    skep_json_object(&j);
    skep_ingest_status(ingest, &j);
    skep_json_end(&j);
    const char *want = "{\"ledger\":[{\"source\":\"otlp\",\"signal\":\"traces\",\"received\":191,"
                       "\"stored\":0,\"duplicate\":0,\"pending\":0,\"rejected\":{\"bad_trace_id\":"
                       "190,\"unsupported\":1}}],\"last\":[{\"at_ms\":1795000000000,";
    assert_true(skep_str_starts(skep_buf_text(&out), skep_str_c(want)));
    skep_buf_done(&out);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_acknowledged_only_when_committed),
        T(test_duplicate_is_success),
        T(test_partial_success_names_the_reason),
        T(test_empty_request),
        T(test_malformed),
        T(test_content_type),
        T(test_store_refuses),
        T(test_memory_budget),
        T(test_grpc),
        T(test_metrics_are_counted),
        T(test_log_dataset_from_header),
        T(test_refusals_of_net),
        T(test_status_and_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
