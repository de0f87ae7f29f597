// SPDX-License-Identifier: Apache-2.0
/* CloudWatch Logs events -> rows (docs/api/cloudwatch-logs.md, "Events and columns").
 *
 *   body of PutLogEvents --read--> events --judge--> those that are taken --rows--> batch */
#pragma once

#include <yyjson.h>

#include "base/arena.h"
#include "event/batch.h"

enum {
    SKEP_LOGS_EVENTS_MAX = 10000,
    SKEP_LOGS_BYTES_MAX = 1 << 20, /* of all messages and SKEP_LOGS_EVENT_BYTES for each */
    SKEP_LOGS_EVENT_BYTES = 26,
    SKEP_LOGS_NAME_MAX = 512,        /* characters of a group's or a stream's name */
    SKEP_LOGS_FIELDS_MAX = 200,      /* of one message that become fields of its row */
    SKEP_LOGS_NEW_FIELDS_MAX = 1000, /* that one request may bring */
    SKEP_LOGS_DAYS_MAX = 14          /* older events are not taken */
};

struct skep_logs_event {
    int64_t time_ms;
    skep_str message;
};

/* One PutLogEvents.  Texts live as long as doc. */
struct skep_logs_put {
    yyjson_doc *doc; /* the caller's, also after an error; NULL = none */
    skep_str group, stream;
    struct skep_logs_event *events; /* in the arena; in order of time */
    size_t n;
    yyjson_val *entity;     /* an object or NULL */
    const char *bad_entity; /* why it was left out: an errorType of the model; NULL = it was not */
};

/* Read and check a request as AWS does.
 *
 * in      JSON; borrowed for the call
 * ret     set as far as it came, also on failure: n is what was received
 * Returns SKEP_OK | EMALFORMED (SerializationException) | EINVAL (InvalidParameterException) |
 *         ENOMEM; err says what in AWS's words.
 * Threads any */
SKEP_NODISCARD skep_rc skep_logs_read(skep_bytes in, struct skep_budget *budget,
                                      struct skep_arena *arena, struct skep_logs_put *ret,
                                      skep_err *err);

/* Which events are taken: [first, end); those before are too old or past the group's retention,
 * those behind too new. */
struct skep_logs_judged {
    size_t too_old_end, expired_end; /* of the leading ones; 0 = none */
    size_t too_new_start;            /* n = none */
    size_t first, end;
};
/* Returns SKEP_OK | EINVAL: those that would be taken span more than 24 hours.
 * retention_days    0 = none */
SKEP_NODISCARD skep_rc skep_logs_judge(const struct skep_logs_put *put, skep_ts_ns now_ns,
                                       unsigned retention_days, struct skep_logs_judged *ret,
                                       skep_err *err);

/* Append the rows of events [first, end).
 * Returns SKEP_OK | ENOMEM (the batch's budget) | ETOOLARGE; then b must be thrown away. */
SKEP_NODISCARD skep_rc skep_logs_rows(const struct skep_logs_put *put, size_t first, size_t end,
                                      struct skep_batch *b, skep_err *err);
