// SPDX-License-Identifier: Apache-2.0
/* What the tests of the OTLP mapping share: one message under construction, one batch. */
#pragma once

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "enc.h"
#include "ingest/otlp.h"

enum { NOW = 1795000000 };
static const int64_t now_ns = NOW * 1000000000ll;

static struct skep_buf msg;
static struct skep_batch *b;
static struct skep_otlp_report rep;
static skep_err err;
static const uint8_t tid[16] = {0, 0, 0, 0, 0, 0, 0, 0, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t sid[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t zeros[16];
static size_t group_mark, scope_mark, item_mark;

static inline int set_up(void **state)
{
    (void)state;
    skep_buf_init(&msg, 64 << 20);
    b = skep_batch_new(NULL, now_ns);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    skep_buf_done(&msg);
    skep_batch_free(b);
    return 0;
}

static inline void begin_group(void)
{
    group_mark = skep_pb_begin(&msg, 1);
}

static inline void resource_str(const char *key, const char *v)
{
    size_t r = skep_pb_begin(&msg, 1);
    enc_str(&msg, 1, key, v);
    skep_pb_end(&msg, r);
}

static inline void begin_items(void)
{
    scope_mark = skep_pb_begin(&msg, 2);
}

static inline void end_all(void)
{
    skep_pb_end(&msg, scope_mark);
    skep_pb_end(&msg, group_mark);
}

static inline void begin_span(void)
{
    item_mark = skep_pb_begin(&msg, 2);
    skep_pb_put_bytes(&msg, 1, (skep_bytes){tid, 16});
    skep_pb_put_bytes(&msg, 2, (skep_bytes){sid, 8});
    skep_pb_put_i64(&msg, 7, 1000);
    skep_pb_put_i64(&msg, 8, 3500);
}

static inline void end_item(void)
{
    skep_pb_end(&msg, item_mark);
}

static inline void begin_log(void)
{
    item_mark = skep_pb_begin(&msg, 2);
}

static inline void decode(enum skep_otlp_signal signal)
{
    skep_rc rc = skep_otlp_decode_pb(signal, skep_buf_bytes(&msg), b,
                                     &(struct skep_otlp_opts){.dataset = SKEP_STR("header-set")},
                                     &rep, &err);
    if (rc != SKEP_OK)
        fail_msg("%s", err.text);
    skep_batch_check(b);
}

static inline void begin_spans(void)
{
    begin_group();
    begin_items();
}

static inline bool is_str(skep_value v, const char *s)
{
    return v.type == SKEP_TYPE_STRING && skep_str_eq(v.s, skep_str_c(s));
}

static inline skep_value attr(const char *name, uint32_t row)
{
    return get_field(b, SKEP_SCOPE_ATTRIBUTE, name, row);
}

static inline skep_value intr(const char *name, uint32_t row)
{
    return get_field(b, SKEP_SCOPE_INTRINSIC, name, row);
}

static inline const char *dataset(uint32_t row)
{
    static char text[64];
    skep_str s = skep_batch_str(b, b->dataset[row]);
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    return text;
}

static inline void put_event(const char *name, uint64_t time, bool exception)
{
    size_t e = skep_pb_begin(&msg, 11);
    skep_pb_put_i64(&msg, 1, time);
    skep_pb_put_str(&msg, 2, skep_str_c(name));
    if (exception) {
        enc_str(&msg, 3, "exception.message", "boom");
        enc_str(&msg, 3, "exception.type", "E");
        size_t kv = skep_pb_begin(&msg, 3);
        skep_pb_put_str(&msg, 1, SKEP_STR("exception.escaped"));
        skep_pb_put_bytes(&msg, 2, bytes_of("\x10\x01"));
        skep_pb_end(&msg, kv);
    }
    enc_int(&msg, 3, "n", (int64_t)time);
    skep_pb_end(&msg, e);
}

/* AnyValue { kvlist { "k": inner } } around inner. */
static inline void wrap(struct skep_buf *any, const char *key)
{
    struct skep_buf outer;
    skep_buf_init(&outer, 1 << 20);
    size_t list = skep_pb_begin(&outer, 6);
    enc_kv(&outer, 1, skep_str_c(key), skep_buf_bytes(any));
    skep_pb_end(&outer, list);
    skep_buf_done(any);
    *any = outer;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
