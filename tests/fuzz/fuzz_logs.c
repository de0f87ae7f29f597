// SPDX-License-Identifier: Apache-2.0
/* PutLogEvents' body, from JSON to rows: the request, then each message by itself (JSON, logfmt,
 * levels and traces in text).
 *
 * Holds: no crash; of a request that is taken each event is in exactly one of the parts that
 * judging makes; a row an event, with the message as it came; the batch is sound. */
#include "base/arena.h"
#include "base/assert.h"
#include "ingest/logs.h"

static void check_rows(const struct skep_batch *b, const struct skep_logs_put *put, size_t first)
{
    for (uint32_t f = 0; f < b->n_fields; f++) {
        const struct skep_batch_field *field = &b->fields[f];
        bool body = field->scope == SKEP_SCOPE_INTRINSIC &&
                    skep_str_eq(skep_batch_str(b, field->name), SKEP_BODY_FIELD);
        skep_assert(!body || field->n == b->n_rows);
        for (uint32_t i = 0; body && i < field->n; i++)
            skep_assert(skep_str_eq(skep_batch_str(b, (uint32_t)field->vals[i]),
                                    put->events[first + field->rows[i]].message));
    }
}

static void take(const struct skep_logs_put *put, const struct skep_logs_judged *g)
{
    skep_err err;
    struct skep_batch *b = skep_batch_new(NULL, 1);
    skep_rc rc = skep_logs_rows(put, g->first, g->end, b, &err);
    skep_assert(rc == SKEP_OK);
    skep_assert(b->n_rows == g->end - g->first);
    check_rows(b, put, g->first);
    skep_batch_check(b);
    skep_batch_free(b);
}

/* The bytes as one message of a request. */
static void one_message(skep_str text)
{
    struct skep_logs_event event = {1000, text};
    const struct skep_logs_put put = {.group = SKEP_STR("g"),
                                      .stream = SKEP_STR("host/prog.py/root/7"),
                                      .events = &event,
                                      .n = 1};
    const struct skep_logs_judged all = {.end = 1};
    if (text.n && skep_utf8_valid(text))
        take(&put, &all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const skep_ts_ns now = 1795194911725000000;
    struct skep_arena arena;
    struct skep_logs_put put;
    struct skep_logs_judged g;
    skep_err err;
    skep_arena_init(&arena, "fuzz", NULL);
    skep_rc rc = skep_logs_read((skep_bytes){data, size}, NULL, &arena, &put, &err);
    if (rc == SKEP_OK && skep_logs_judge(&put, now, size % 2 ? 7 : 0, &g, &err) == SKEP_OK) {
        skep_assert(g.first <= g.end && g.end <= put.n);
        skep_assert(g.first == SKEP_MAX(g.too_old_end, g.expired_end));
        skep_assert(g.end == g.too_new_start);
        take(&put, &g);
    }
    yyjson_doc_free(put.doc);
    skep_arena_done(&arena);
    one_message((skep_str){(const char *)data, size});
    return 0;
}
