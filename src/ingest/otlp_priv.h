// SPDX-License-Identifier: Apache-2.0
/* What the OTLP decoders share. */
#pragma once

#include "ingest/otlp.h"

/* One decoding of one request. */
struct skep_otlp__dec {
    struct skep_batch *b;
    const struct skep_otlp_opts *opts;
    struct skep_otlp_report rep;
    struct skep_pb_ctx pb;
    const uint8_t *padded;  /* up to here SKEP_EQ_PAD bytes of the message can be read */
    struct skep_buf name;   /* a flattened name, or a repaired one */
    struct skep_buf text;   /* a value as JSON, or a repaired one */
    struct skep_buf octets; /* base64 inside JSON, repaired keys inside names */
    bool too_large;         /* a value of the item at hand is over the limit */
    /* Of the group at hand: indexes into the batch, and sample rates (0 = none). */
    uint32_t resource, scope, dataset;
    struct skep_otlp__rate {
        uint32_t value; /* 0 = none */
        bool preferred; /* "sampleRate" rather than "SampleRate" */
    } resource_rate, scope_rate, item_rate;
    bool has_service;                  /* dataset comes from service.name */
    uint32_t group_i, scope_i, item_i; /* place in the request, for messages */
};

enum skep_otlp__kind {
    SKEP_ANY_EMPTY,
    SKEP_ANY_STRING,
    SKEP_ANY_BOOL,
    SKEP_ANY_INT,
    SKEP_ANY_DOUBLE,
    SKEP_ANY_ARRAY,
    SKEP_ANY_KVLIST,
    SKEP_ANY_BYTES
};

/* An AnyValue: scalars read, the rest as the bytes of the message inside. */
struct skep_otlp__any {
    enum skep_otlp__kind kind;
    uint64_t u; /* BOOL, INT, DOUBLE (bits) */
    skep_bytes bytes;
};

struct skep_otlp__kv {
    skep_str key; /* as sent, perhaps not UTF-8 */
    struct skep_otlp__any value;
};

/* Where attributes go: a list under construction, or the newest row. */
struct skep_otlp__sink {
    struct skep_batch_list *list; /* NULL: the row */
    enum skep_scope scope;
    struct skep_otlp__rate *rate; /* a sample rate found is put here, not stored; NULL: stored */
};

void skep_otlp__begin(struct skep_otlp__dec *d, struct skep_batch *b,
                      const struct skep_otlp_opts *opts);
/* Free the scratch; report on success.  Returns the decoding's result. */
SKEP_NODISCARD skep_rc skep_otlp__finish(struct skep_otlp__dec *d, struct skep_otlp_report *ret,
                                         skep_err *err);

/* The bytes as valid UTF-8: themselves, or a copy with U+FFFD in `into`, one of d's buffers; sets
 * d->too_large when that has no room. */
skep_str skep_otlp__utf8(struct skep_otlp__dec *d, struct skep_buf *into, skep_bytes s);
/* The bytes as a string of the batch; sets d->too_large (and gives 0) when they are over the limit.
 */
uint32_t skep_otlp__intern(struct skep_otlp__dec *d, skep_bytes s);

void skep_otlp__read_any(struct skep_otlp__dec *d, skep_bytes in, struct skep_otlp__any *ret);
void skep_otlp__read_kv(struct skep_otlp__dec *d, skep_bytes in, struct skep_otlp__kv *ret);

/* Put a value under a name (valid UTF-8, not d->name); maps are flattened. */
void skep_otlp__put(struct skep_otlp__dec *d, const struct skep_otlp__sink *sink, skep_str name,
                    const struct skep_otlp__any *v);
/* Put an attribute: the same with the key as sent, and the sample rate taken out. */
void skep_otlp__put_kv(struct skep_otlp__dec *d, const struct skep_otlp__sink *sink,
                       const struct skep_otlp__kv *kv);
/* Put the attributes among the fields of a message, those of `tag` (below 128). */
void skep_otlp__put_attributes(struct skep_otlp__dec *d, skep_pb c, uint32_t tag,
                               struct skep_otlp__rate *rate);
/* The value as compact JSON, in d->text. */
skep_str skep_otlp__json(struct skep_otlp__dec *d, const struct skep_otlp__any *v);

/* Intrinsic fields of the newest row. */
void skep_otlp__put_text(struct skep_otlp__dec *d, skep_str name, skep_bytes text);
void skep_otlp__put_int(struct skep_otlp__dec *d, skep_str name, int64_t v);
void skep_otlp__put_double(struct skep_otlp__dec *d, skep_str name, double v);
void skep_otlp__put_true(struct skep_otlp__dec *d, skep_str name);
/* The same, left out when 0. */
void skep_otlp__put_count(struct skep_otlp__dec *d, skep_str name, uint64_t v);

/* Read what stands around the items of a ResourceX or ScopeX message: sets d->resource, d->dataset,
 * d->scope and the rates. */
void skep_otlp__enter_resource(struct skep_otlp__dec *d, skep_bytes group, bool logs);
void skep_otlp__enter_scope(struct skep_otlp__dec *d, skep_bytes group);
/* The rate of an item with tracestate `state` (empty for logs). */
uint32_t skep_otlp__rate_of(const struct skep_otlp__dec *d, skep_bytes state);

/* Count the item at hand (message bytes `at`) as rejected; taken back to n_rows. */
void skep_otlp__reject(struct skep_otlp__dec *d, enum skep_otlp_reject why, skep_bytes item,
                       uint32_t n_rows);

/* Walk resources and scopes, calling fn for each item. */
typedef void skep_otlp__item_fn(struct skep_otlp__dec *d, skep_bytes item);
void skep_otlp__walk(struct skep_otlp__dec *d, skep_bytes in, bool logs, skep_otlp__item_fn *fn);
