// SPDX-License-Identifier: Apache-2.0
/* Honeycomb's events -> rows (docs/api/honeycomb.md has the mapping).
 *
 *   /1/events   {"name":"GET /","duration_ms":12.5,...}                  time and rate in headers
 *   /1/batch    [{"time":"2026-...","samplerate":4,"data":{...}},...]    JSON or MessagePack */
#pragma once

#include <yyjson.h>

#include "event/batch.h"

enum {
    SKEP_EVENTS_MAX = 250000,           /* of a request: each has a line in the answer */
    SKEP_EVENTS_FIELDS_MAX = 10000,     /* of an event */
    SKEP_EVENTS_NEW_FIELDS_MAX = 60000, /* of a request; fields beyond are left out, and counted */
    SKEP_EVENTS_DEPTH_MAX = 10          /* of what expand_depth may say */
};

/* What became of an event of a batch. */
enum skep_events_status {
    SKEP_EVENTS_TAKEN,
    SKEP_EVENTS_NO_EVENT, /* it is no object with "data" */
    SKEP_EVENTS_NO_DATA,  /* data holds nothing */
    SKEP_EVENTS_FULL      /* more than a batch may hold: to be sent again */
};
/* Honeycomb's own words for it; empty: taken. */
skep_str skep_events_why(enum skep_events_status s);

struct skep_events_opts {
    skep_str dataset;      /* as first written */
    unsigned expand_depth; /* levels of objects inside an event that become fields of their own */
};

/* An event as its wire gives it. */
struct skep_events_one {
    skep_str time;    /* text as sent (a header); empty = see below */
    yyjson_val *when; /* text or number; NULL = none */
    uint32_t rate;
    yyjson_val *data;
};

/* Decoding into one batch. */
struct skep_events_dec;
/* b outlives it.  Owns: skep_events_done. */
struct skep_events_dec *skep_events_begin(struct skep_batch *b,
                                          const struct skep_events_opts *opts);
/* One event as a row of the batch, or why not.  A time that cannot be read is that of arrival, and
 * the row says so (meta.invalid_time). */
enum skep_events_status skep_events_add(struct skep_events_dec *d,
                                        const struct skep_events_one *one);
/* Returns SKEP_OK | ENOMEM | ETOOLARGE: then the batch must be thrown away.
 * *ret_timed: each event had a time of its own, so that a retry can be told. */
SKEP_NODISCARD skep_rc skep_events_done(struct skep_events_dec *d, bool *ret_timed);

/* What Amazon Data Firehose delivers, into a batch under way. */
struct skep_events_hose {
    struct skep_events_dec *d;
    const yyjson_alc *alc; /* of documents */
    yyjson_val *when;      /* of events that say no time */
    /* May n bytes be held until the request is over?  NULL = yes. */
    bool (*charge)(void *ctx, uint64_t n);
    void *ctx;
    uint64_t refused; /* what could not be read or taken */
};
/* One record: {"data": base64 of JSON, perhaps in gzip}. */
void skep_events_record(struct skep_events_hose *h, yyjson_val *record);

/* "time" and "samplerate" of an item of a batch, and its data. */
void skep_events_item(yyjson_val *item, struct skep_events_one *ret);

/* The body of a request as a document: JSON or MessagePack.
 * Returns SKEP_OK | EMALFORMED | ENOMEM, err says where.  Owns: yyjson_doc_free. */
SKEP_NODISCARD skep_rc skep_events_read(skep_bytes body, bool msgpack, const yyjson_alc *alc,
                                        yyjson_doc **ret, skep_err *err);

/* An instant in any form that clients send: RFC 3339; seconds, milliseconds, microseconds or
 * nanoseconds since 1970, told apart by their size; with a fraction.  False: none of them. */
SKEP_NODISCARD bool skep_events_time(skep_str text, skep_ts_ns *ret);
/* The same of a value: a text or a number. */
SKEP_NODISCARD bool skep_events_instant(yyjson_val *v, skep_ts_ns *ret);
/* A sample rate as text: a number from 1; anything else is 1. */
uint32_t skep_events_rate(skep_str text);
