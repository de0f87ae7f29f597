// SPDX-License-Identifier: Apache-2.0
/* What the event endpoints share: a request's rows on their way. */
#pragma once

#include "ingest/events.h"
#include "ingest/ingest_priv.h"

struct skep_events__pending;
/* Answers a request that was taken. */
typedef void skep_events__answer_fn(struct skep_events__pending *p);

/* Puts the members that say what failed into an open object. */
struct skep_json;
typedef void skep_events__error_fn(struct skep_ingest *in, struct skep_request *req,
                                   struct skep_json *j, skep_str message);

struct skep_events__pending {
    struct skep_ingest *in;
    struct skep_request *req;
    skep_events__answer_fn *answer;
    skep_events__error_fn *error;
    skep_ts_ns received_ns;
    bool msgpack;
    uint8_t *statuses; /* [n] enum skep_events_status */
    size_t n;
    uint64_t refused; /* of them */
    uint64_t charged; /* to the budget, for the answer and what is unpacked; until it is answered */
    enum skep_events_status first_why;
    struct skep_ingest__mixture mixture; /* for the ledger */
};

/* In the request's arena. */
struct skep_events__pending *skep_events__pending_new(struct skep_ingest *in,
                                                      struct skep_request *req,
                                                      skep_events__answer_fn *answer,
                                                      skep_events__error_fn *error);
struct skep_batch *skep_events__batch(struct skep_events__pending *p);
/* The request's body as a document; false: it is answered already. */
bool skep_events__body(struct skep_events__pending *p, const yyjson_alc *alc, yyjson_doc **ret);
/* Take n bytes of memory until the request is answered; false over the budget. */
SKEP_NODISCARD bool skep_events__charge(struct skep_events__pending *p, uint64_t n);
/* Ends decoding and gives the batch to the store; the answer comes when it is on disk. */
void skep_events__append(struct skep_events__pending *p, struct skep_batch *b,
                         struct skep_events_dec *d);
/* Count a request of which nothing was taken, and answer it. */
void skep_events__refuse(struct skep_ingest *in, struct skep_request *req,
                         skep_events__error_fn *put, int status, skep_rc rc, skep_str message);
/* The status of an event of a batch. */
unsigned skep_events__http(enum skep_events_status s);

/* How deep objects inside of the dataset's events are taken apart (events_datasets.c). */
unsigned skep_events__depth(struct skep_ingest *in, struct skep_arena *arena, skep_str environment,
                            skep_str dataset);
/* Options of a request, by its dataset. */
struct skep_events_opts skep_events__opts(const struct skep_events__pending *p);

/* events_kinesis.c */
skep_handler_fn skep_events__put_kinesis;
skep_refuse_fn skep_events__kinesis_refused;
