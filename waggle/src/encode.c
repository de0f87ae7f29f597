// SPDX-License-Identifier: Apache-2.0
/*
 * encode.c - values as OTLP's AnyValue and KeyValue, and a growing buffer
 *
 * Protobuf wants a message's length in front of it. Sizes are computed first and the bytes written
 * once, so that nothing is moved and nothing needs memory:
 *
 *   KeyValue  0A n key  12 n AnyValue
 *   AnyValue  0A string | 10 bool | 18 int | 21 double | 2A ArrayValue | 32 KeyValueList | 3A bytes
 *
 * Values deeper than the limit become empty ones; strings are cut by characters, bytes by bytes.
 * A program can build a list that holds itself: depth and ENOUGH_BYTES end that, too.
 *
 * Threads: no state.
 */
#include "priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const struct waggle__value_limits waggle__no_value_limits = {WAGGLE_NO_LIMIT, 64};

/* No record has room for so much: what is larger need not be measured to its end. */
enum { ENOUGH_BYTES = 1 << 20 };

static size_t field_n(size_t n)
{
    return 1 + waggle__varint_n(n) + n;
}

/* Element i of an array of one type. */
static waggle_value element(const waggle_value *v, size_t i)
{
    switch (v->type) {
    case WAGGLE_STRS: return waggle_value_str(v->as.strs[i]);
    case WAGGLE_BOOLS: return waggle_value_bool(v->as.bools[i]);
    case WAGGLE_I64S: return waggle_value_i64(v->as.i64s[i]);
    case WAGGLE_F64S: return waggle_value_f64(v->as.f64s[i]);
    default: return v->as.list[i];
    }
}

/* Bytes of what stands inside an ArrayValue or KeyValueList. */
static size_t elements_size(const waggle_value *v, const struct waggle__value_limits *limits,
                            uint32_t depth)
{
    size_t sum = 0;
    if (depth >= limits->depth)
        return 0;
    for (size_t i = 0; i < v->n && sum < ENOUGH_BYTES; i++) {
        if (v->type == WAGGLE_MAP) {
            sum += field_n(waggle__kv_size(&v->as.map[i], limits, depth + 1));
        } else {
            waggle_value e = element(v, i);
            sum += field_n(waggle__value_size(&e, limits, depth + 1));
        }
    }
    return sum;
}

size_t waggle__value_size(const waggle_value *v, const struct waggle__value_limits *limits,
                          uint32_t depth)
{
    switch (v->type) {
    case WAGGLE_STR: return field_n(waggle__text_of(v->as.str, v->n, limits->length).out_n);
    case WAGGLE_BOOL: return 2;
    case WAGGLE_I64: return 1 + waggle__varint_n((uint64_t)v->as.i64);
    case WAGGLE_F64: return 9;
    case WAGGLE_BYTES: return field_n(WAGGLE__MIN(v->n, limits->length));
    case WAGGLE_STRS:
    case WAGGLE_BOOLS:
    case WAGGLE_I64S:
    case WAGGLE_F64S:
    case WAGGLE_LIST:
    case WAGGLE_MAP:
        if (depth >= limits->depth)
            return 0;
        return field_n(elements_size(v, limits, depth));
    default: return 0;
    }
}

size_t waggle__kv_size(const waggle_kv *kv, const struct waggle__value_limits *limits,
                       uint32_t depth)
{
    return field_n(waggle__text_of(kv->key, kv->key_n, WAGGLE_NO_LIMIT).out_n) +
           field_n(waggle__value_size(&kv->value, limits, depth));
}

static uint8_t *write_text(uint8_t *w, uint8_t tag, const char *p, size_t n, uint32_t limit)
{
    struct waggle__text text = waggle__text_of(p, n, limit);
    *w++ = tag;
    w = waggle__put_varint(w, text.out_n);
    return waggle__text_write(w, &text);
}

static uint8_t *write_elements(uint8_t *w, const waggle_value *v,
                               const struct waggle__value_limits *limits, uint32_t depth)
{
    *w++ = v->type == WAGGLE_MAP ? 0x32 : 0x2a;
    w = waggle__put_varint(w, elements_size(v, limits, depth));
    for (size_t i = 0; i < v->n; i++) {
        *w++ = 0x0a;
        if (v->type == WAGGLE_MAP) {
            w = waggle__put_varint(w, waggle__kv_size(&v->as.map[i], limits, depth + 1));
            w = waggle__kv_write(w, &v->as.map[i], limits, depth + 1);
        } else {
            waggle_value e = element(v, i);
            w = waggle__put_varint(w, waggle__value_size(&e, limits, depth + 1));
            w = waggle__value_write(w, &e, limits, depth + 1);
        }
    }
    return w;
}

uint8_t *waggle__value_write(uint8_t *w, const waggle_value *v,
                             const struct waggle__value_limits *limits, uint32_t depth)
{
    switch (v->type) {
    case WAGGLE_STR: return write_text(w, 0x0a, v->as.str, v->n, limits->length);
    case WAGGLE_BOOL:
        *w++ = 0x10;
        *w++ = v->as.boolean;
        return w;
    case WAGGLE_I64: *w++ = 0x18; return waggle__put_varint(w, (uint64_t)v->as.i64);
    case WAGGLE_F64: {
        uint64_t bits;
        memcpy(&bits, &v->as.f64, 8);
        *w++ = 0x21;
        return waggle__put_le64(w, bits);
    }
    case WAGGLE_BYTES: {
        size_t n = WAGGLE__MIN(v->n, limits->length);
        *w++ = 0x3a;
        w = waggle__put_varint(w, n);
        if (n > 0)
            memcpy(w, v->as.bytes, n);
        return w + n;
    }
    case WAGGLE_STRS:
    case WAGGLE_BOOLS:
    case WAGGLE_I64S:
    case WAGGLE_F64S:
    case WAGGLE_LIST:
    case WAGGLE_MAP: return depth >= limits->depth ? w : write_elements(w, v, limits, depth);
    default: return w;
    }
}

uint8_t *waggle__kv_write(uint8_t *w, const waggle_kv *kv,
                          const struct waggle__value_limits *limits, uint32_t depth)
{
    w = write_text(w, 0x0a, kv->key, kv->key_n, WAGGLE_NO_LIMIT);
    *w++ = 0x12;
    w = waggle__put_varint(w, waggle__value_size(&kv->value, limits, depth));
    return waggle__value_write(w, &kv->value, limits, depth);
}

/* --- the buffer ---------------------------------------------------------------------------- */

void waggle__buf_init(struct waggle__buf *b, size_t limit)
{
    *b = (struct waggle__buf){.limit = limit};
}

void waggle__buf_done(struct waggle__buf *b)
{
    free(b->p);
    *b = (struct waggle__buf){0};
}

bool waggle__buf_room(struct waggle__buf *b, size_t n)
{
    if (b->bad || n > b->limit - b->n) {
        b->bad = true;
        return false;
    }
    if (b->n + n <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < b->n + n)
        cap *= 2;
    uint8_t *p = realloc(b->p, cap);
    if (p == NULL) {
        b->bad = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void waggle__buf_put(struct waggle__buf *b, const void *p, size_t n)
{
    if (!waggle__buf_room(b, n) || n == 0)
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void waggle__buf_str(struct waggle__buf *b, const char *s)
{
    waggle__buf_put(b, s, strlen(s));
}

void waggle__buf_printf(struct waggle__buf *b, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0)
        waggle__buf_put(b, text, WAGGLE__MIN((size_t)n, sizeof text - 1));
}

void waggle__buf_varint(struct waggle__buf *b, uint64_t v)
{
    uint8_t bytes[10];
    waggle__buf_put(b, bytes, (size_t)(waggle__put_varint(bytes, v) - bytes));
}

void waggle__buf_field(struct waggle__buf *b, uint32_t field, const void *p, size_t n)
{
    waggle__buf_varint(b, WAGGLE__TAG(field, WAGGLE__LEN));
    waggle__buf_varint(b, n);
    waggle__buf_put(b, p, n);
}

void waggle__buf_attr(struct waggle__buf *b, uint32_t field, const waggle_kv *kv)
{
    size_t n = waggle__kv_size(kv, &waggle__no_value_limits, 0);
    waggle__buf_varint(b, WAGGLE__TAG(field, WAGGLE__LEN));
    waggle__buf_varint(b, n);
    if (!waggle__buf_room(b, n))
        return;
    (void)waggle__kv_write(b->p + b->n, kv, &waggle__no_value_limits, 0);
    b->n += n;
}
