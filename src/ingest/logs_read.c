// SPDX-License-Identifier: Apache-2.0
/* PutLogEvents' body -> events, checked as AWS checks them and with its words.
 *
 *   {"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":1795194911725,"message":""}]}
 *
 * Order of checks: types (SerializationException); members, lengths; sizes; order of time.  What is
 * wrong with one event is wrong with the request: none of it is taken.  Only times are judged by
 * the event (skep_logs_judge), as the sender's clock is no mistake of its program.
 *
 * sequenceToken is not looked at: the service has not asked for it since 2023.
 *
 * Threads: any.  Memory: the arena's events, and a yyjson document from the budget. */
#include "ingest/logs.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "wire/json_in.h"

static skep_rc mistyped(skep_err *err, const char *what, const char *want)
{
    return skep_fail(err, SKEP_EMALFORMED, "'%s' must be %s", what, want);
}

static skep_rc invalid(skep_err *err, const char *value, const char *member, const char *constraint)
{
    return skep_fail(err, SKEP_EINVAL,
                     "1 validation error detected: Value %s at '%s' failed to satisfy constraint: "
                     "Member must %s",
                     value, member, constraint);
}

static skep_rc missing(skep_err *err, const char *member)
{
    return invalid(err, "null", member, "not be null");
}

static skep_rc read_document(skep_bytes in, struct skep_budget *budget, struct skep_logs_put *ret,
                             skep_err *err)
{
    const yyjson_alc alc = skep_json_alc(budget);
    yyjson_read_err fault;
    ret->doc = yyjson_read_opts((char *)(uintptr_t)in.p, in.n, 0, &alc, &fault);
    if (ret->doc)
        return SKEP_OK;
    if (fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return skep_fail(err, SKEP_ENOMEM, "no memory left for this request, try again");
    return skep_fail(err, SKEP_EMALFORMED, "not JSON: %s at byte %zu", fault.msg, fault.pos);
}

static size_t characters(skep_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    return n;
}

static skep_rc read_name(yyjson_val *root, const char *key, skep_str *ret, skep_err *err)
{
    yyjson_val *v = yyjson_obj_get(root, key);
    if (!v || yyjson_is_null(v))
        return missing(err, key);
    if (!yyjson_is_str(v))
        return mistyped(err, key, "a string");
    *ret = (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
    if (ret->n == 0)
        return invalid(err, "''", key, "have length greater than or equal to 1");
    if (characters(*ret) > SKEP_LOGS_NAME_MAX)
        return skep_fail(err, SKEP_EINVAL,
                         "Invalid LogGroup or LogStream, both must have length less than or equal "
                         "to %d.",
                         SKEP_LOGS_NAME_MAX);
    return SKEP_OK;
}

static skep_rc read_event(yyjson_val *v, size_t i, struct skep_logs_event *ret, skep_err *err)
{
    char where[64];
    yyjson_val *time = yyjson_obj_get(v, "timestamp"), *message = yyjson_obj_get(v, "message");
    if (!yyjson_is_obj(v)) {
        (void)snprintf(where, sizeof where, "logEvents.%zu.member", i + 1);
        return mistyped(err, where, "an object");
    }
    (void)snprintf(where, sizeof where, "logEvents.%zu.member.timestamp", i + 1);
    if (!time || yyjson_is_null(time))
        return missing(err, where);
    bool whole =
        yyjson_is_int(time) ||
        (yyjson_is_real(time) && yyjson_get_real(time) >= -9e15 && yyjson_get_real(time) <= 9e15 &&
         yyjson_get_real(time) == (double)(int64_t)yyjson_get_real(time));
    if (!whole)
        return mistyped(err, where, "an integer");
    ret->time_ms = yyjson_is_real(time) ? (int64_t)yyjson_get_real(time) : yyjson_get_sint(time);
    if (yyjson_is_uint(time) && yyjson_get_uint(time) > INT64_MAX)
        ret->time_ms = INT64_MAX;
    if (ret->time_ms < 0) {
        char value[32];
        (void)snprintf(value, sizeof value, "'%" PRId64 "'", ret->time_ms);
        return invalid(err, value, where, "have value greater than or equal to 0");
    }
    (void)snprintf(where, sizeof where, "logEvents.%zu.member.message", i + 1);
    if (!message || yyjson_is_null(message))
        return missing(err, where);
    if (!yyjson_is_str(message))
        return mistyped(err, where, "a string");
    ret->message = (skep_str){yyjson_get_str(message), yyjson_get_len(message)};
    if (ret->message.n == 0)
        return invalid(err, "''", where, "have length greater than or equal to 1");
    return SKEP_OK;
}

static skep_rc check_sizes(const struct skep_logs_put *put, skep_err *err)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < put->n; i++) {
        uint64_t bytes = put->events[i].message.n + SKEP_LOGS_EVENT_BYTES;
        sum += bytes;
        if (bytes > SKEP_LOGS_BYTES_MAX)
            return skep_fail(err, SKEP_EINVAL,
                             "Log event too large: %" PRIu64 " bytes exceeds limit of %d", bytes,
                             SKEP_LOGS_BYTES_MAX);
    }
    if (sum > SKEP_LOGS_BYTES_MAX)
        return skep_fail(err, SKEP_EINVAL,
                         "Upload too large: %" PRIu64 " bytes exceeds limit of %d", sum,
                         SKEP_LOGS_BYTES_MAX);
    return SKEP_OK;
}

static skep_rc read_events(yyjson_val *root, struct skep_arena *arena, struct skep_logs_put *ret,
                           skep_err *err)
{
    yyjson_val *list = yyjson_obj_get(root, "logEvents"), *v;
    size_t i, n = yyjson_arr_size(list);
    if (!list || yyjson_is_null(list))
        return missing(err, "logEvents");
    if (!yyjson_is_arr(list))
        return mistyped(err, "logEvents", "a list");
    ret->n = n;
    if (n == 0)
        return invalid(err, "'[]'", "logEvents", "have length greater than or equal to 1");
    if (n > SKEP_LOGS_EVENTS_MAX)
        return invalid(err, "'[...]'", "logEvents", "have length less than or equal to 10000");
    ret->events = skep_new_n(arena, struct skep_logs_event, n);
    yyjson_arr_foreach(list, i, n, v)
    {
        SKEP_TRY(read_event(v, i, &ret->events[i], err));
    }
    SKEP_TRY(check_sizes(ret, err));
    for (i = 1; i < n; i++)
        if (ret->events[i].time_ms < ret->events[i - 1].time_ms)
            return skep_fail(
                err, SKEP_EINVAL,
                "Log events in a single PutLogEvents request must be in chronological order.");
    return SKEP_OK;
}

/* An entity that is none does not keep the events out: the answer says so. */
static void read_entity(yyjson_val *root, struct skep_logs_put *ret)
{
    enum { KEYS_MAX = 4, ATTRIBUTES_MAX = 10 };
    yyjson_val *entity = yyjson_obj_get(root, "entity");
    if (!yyjson_is_obj(entity))
        return;
    yyjson_val *keys = yyjson_obj_get(entity, "keyAttributes"),
               *attributes = yyjson_obj_get(entity, "attributes");
    if (!yyjson_is_obj(keys) || !yyjson_obj_get(keys, "Type"))
        ret->bad_entity = "MissingRequiredFields";
    else if (yyjson_obj_size(keys) > KEYS_MAX)
        ret->bad_entity = "InvalidKeyAttributes";
    else if (yyjson_obj_size(attributes) > ATTRIBUTES_MAX)
        ret->bad_entity = "InvalidAttributes";
    else
        ret->entity = entity;
}

skep_rc skep_logs_read(skep_bytes in, struct skep_budget *budget, struct skep_arena *arena,
                       struct skep_logs_put *ret, skep_err *err)
{
    *ret = (struct skep_logs_put){0};
    SKEP_TRY(read_document(in, budget, ret, err));
    yyjson_val *root = yyjson_doc_get_root(ret->doc);
    if (!yyjson_is_obj(root))
        return skep_fail(err, SKEP_EMALFORMED, "the body must be a JSON object");
    SKEP_TRY(read_name(root, "logGroupName", &ret->group, err));
    SKEP_TRY(read_name(root, "logStreamName", &ret->stream, err));
    read_entity(root, ret);
    return read_events(root, arena, ret, err);
}

skep_rc skep_logs_judge(const struct skep_logs_put *put, skep_ts_ns now_ns, unsigned retention_days,
                        struct skep_logs_judged *ret, skep_err *err)
{
    static const int64_t day_ms = 86400000, ahead_ms = 2 * 3600000;
    int64_t now = now_ns / 1000000;
    size_t i = 0;
    *ret = (struct skep_logs_judged){.too_new_start = put->n};
    skep_assert(now >= 0);
    while (i < put->n && put->events[i].time_ms < now - SKEP_LOGS_DAYS_MAX * day_ms)
        i++;
    ret->too_old_end = i;
    while (retention_days && i < put->n &&
           put->events[i].time_ms < now - (int64_t)retention_days * day_ms)
        i++;
    ret->expired_end = i > ret->too_old_end ? i : 0;
    ret->first = i;
    while (i < put->n && put->events[i].time_ms <= now + ahead_ms)
        i++;
    ret->end = ret->too_new_start = i;
    if (ret->end > ret->first &&
        put->events[ret->end - 1].time_ms - put->events[ret->first].time_ms > day_ms)
        return skep_fail(err, SKEP_EINVAL,
                         "The batch of log events in a single PutLogEvents request cannot span "
                         "more than 24 hours.");
    return SKEP_OK;
}
