// SPDX-License-Identifier: Apache-2.0
/* What an OTLP receiver answers, in protobuf and JSON.
 *
 *   Export*ServiceResponse { partial_success = 1 { rejected_* = 1, error_message = 2 } }
 *   google.rpc.Status { code = 1, message = 2, details = 3 Any { type_url = 1, value = 2 } }
 *     BadRequest { field_violations = 1 { field = 1, description = 2 } }
 *     RetryInfo { retry_delay = 1 Duration { seconds = 1 } }
 *
 * The three response messages have the same numbers; only their JSON names differ.
 * Threads: none of its own.  Memory: the buffer given. */
#include "wire/otlp.h"

#include "base/assert.h"
#include "wire/json_out.h"

static const struct {
    skep_str name, rejected_key;
} signals[SKEP_OTLP_SIGNAL_COUNT] = {
    [SKEP_OTLP_TRACES] = {{"traces", 6}, {"rejectedSpans", 13}},
    [SKEP_OTLP_LOGS] = {{"logs", 4}, {"rejectedLogRecords", 18}},
    [SKEP_OTLP_METRICS] = {{"metrics", 7}, {"rejectedDataPoints", 18}},
};

skep_str skep_otlp_signal_name(enum skep_otlp_signal s)
{
    skep_assert(s < SKEP_OTLP_SIGNAL_COUNT);
    return signals[s].name;
}

void skep_otlp_response_pb(struct skep_buf *b, uint64_t rejected, skep_str message)
{
    skep_assert(rejected <= INT64_MAX);
    if (rejected == 0 && message.n == 0)
        return;
    size_t partial = skep_pb_begin(b, 1);
    if (rejected)
        skep_pb_put_varint(b, 1, rejected);
    if (message.n)
        skep_pb_put_str(b, 2, message);
    skep_pb_end(b, partial);
}

void skep_otlp_response_json(struct skep_buf *b, enum skep_otlp_signal signal, uint64_t rejected,
                             skep_str message)
{
    skep_assert(signal < SKEP_OTLP_SIGNAL_COUNT && rejected <= INT64_MAX);
    struct skep_json j;
    skep_json_init(&j, b);
    skep_json_object(&j);
    if (rejected || message.n) {
        skep_json_key(&j, SKEP_STR("partialSuccess"));
        skep_json_object(&j);
        if (rejected)
            skep_json_put_i64_str(&j, signals[signal].rejected_key, (int64_t)rejected);
        if (message.n)
            skep_json_put_str(&j, SKEP_STR("errorMessage"), message);
        skep_json_end(&j);
    }
    skep_json_end(&j);
}

void skep_otlp_status_pb(struct skep_buf *b, const struct skep_otlp_status *s)
{
    skep_assert(s->code >= 0);
    if (s->code)
        skep_pb_put_varint(b, 1, (uint64_t)s->code);
    skep_pb_put_str(b, 2, s->message);
    if (s->bad_field.n) {
        size_t any = skep_pb_begin(b, 3);
        skep_pb_put_str(b, 1, SKEP_STR("type.googleapis.com/google.rpc.BadRequest"));
        size_t request = skep_pb_begin(b, 2);
        size_t violation = skep_pb_begin(b, 1);
        skep_pb_put_str(b, 1, s->bad_field);
        skep_pb_put_str(b, 2, s->message);
        skep_pb_end(b, violation);
        skep_pb_end(b, request);
        skep_pb_end(b, any);
    }
    if (s->retry_after_s > 0) {
        size_t any = skep_pb_begin(b, 3);
        skep_pb_put_str(b, 1, SKEP_STR("type.googleapis.com/google.rpc.RetryInfo"));
        size_t info = skep_pb_begin(b, 2);
        size_t delay = skep_pb_begin(b, 1);
        skep_pb_put_varint(b, 1, (uint64_t)s->retry_after_s);
        skep_pb_end(b, delay);
        skep_pb_end(b, info);
        skep_pb_end(b, any);
    }
}

void skep_otlp_status_json(struct skep_buf *b, const struct skep_otlp_status *s)
{
    skep_assert(s->code >= 0);
    struct skep_json j;
    skep_json_init(&j, b);
    skep_json_object(&j);
    skep_json_put_i64(&j, SKEP_STR("code"), s->code);
    skep_json_put_str(&j, SKEP_STR("message"), s->message);
    skep_json_end(&j);
}
