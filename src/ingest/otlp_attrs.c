// SPDX-License-Identifier: Apache-2.0
/* The attributes of a span, event, link or log record: the innermost loop of ingest.
 *
 *   tag len | 0a klen key | 12 vlen value        nearly every attribute, lengths under 16,384
 *
 * Such an attribute is read at once where it lies; if its field is one that came at this place
 * before (event/put.h), its name is known to be fine, and if its value is the one before it in its
 * column, that is as well.  Whatever is not as expected goes the general way (otlp_value.c), from
 * the beginning: nothing was changed.
 *
 * I1  both ways give the same batch.
 * Threads, memory: as the decoder. */
#include "ingest/otlp_priv.h"

#include "event/put.h"

/* A length of one or two bytes at *p, as any writer puts it; false leaves the rest to the cursor.
 */
SKEP_INLINE bool short_length(const uint8_t **p, const uint8_t *end, size_t *ret)
{
    const uint8_t *at = *p;
    if (at >= end)
        return false;
    size_t n = at[0];
    if (SKEP_UNLIKELY(n >= 0x80)) {
        if (end - at < 2 || at[1] >= 0x80)
            return false;
        n = (n & 0x7f) | (size_t)at[1] << 7;
        at++;
    }
    *p = at + 1;
    *ret = n;
    return true;
}

/* An attribute as drawn above: [p, end) behind its tag and length. */
struct plain {
    skep_str key;
    enum skep_type type;
    uint64_t bits;
    skep_str text; /* of STRING */
};

/* A varint of at most nine bytes that is all of [p, end). */
SKEP_INLINE bool plain_varint(const uint8_t *p, const uint8_t *end, uint64_t *ret)
{
    uint64_t v = *p & 0x7f;
    for (unsigned shift = 7; *p >= 0x80; shift += 7) {
        if (++p == end || shift > 56)
            return false;
        v |= (uint64_t)(*p & 0x7f) << shift;
    }
    *ret = v;
    return p + 1 == end;
}

SKEP_INLINE bool read_plain_value(const uint8_t *p, const uint8_t *end, struct plain *ret)
{
    size_t n = (size_t)(end - p);
    if (n < 2)
        return false;
    switch (*p++) {
    case SKEP_OTLP_ANY_STRING:
        ret->type = SKEP_TYPE_STRING;
        if (!short_length(&p, end, &n))
            return false;
        ret->text = (skep_str){(const char *)p, n};
        return n == (size_t)(end - p);
    case SKEP_OTLP_ANY_INT: ret->type = SKEP_TYPE_INT; return plain_varint(p, end, &ret->bits);
    case SKEP_OTLP_ANY_DOUBLE:
        ret->type = SKEP_TYPE_DOUBLE;
        if (n == 9)
            ret->bits = skep_load_le64(p);
        return n == 9;
    case SKEP_OTLP_ANY_BOOL:
        ret->type = SKEP_TYPE_BOOL;
        ret->bits = p[0] == 1;
        return n == 2 && p[0] <= 1;
    default: return false;
    }
}

SKEP_INLINE bool read_plain(const uint8_t *p, const uint8_t *end, struct plain *ret)
{
    size_t n;
    if (end - p < 6 || p[0] != SKEP_OTLP_KV_KEY || p[1] >= 0x80)
        return false;
    n = p[1];
    p += 2;
    if ((size_t)(end - p) < n + 4 || p[n] != SKEP_OTLP_KV_VALUE)
        return false;
    ret->key = (skep_str){(const char *)p, n};
    p += n + 1;
    return short_length(&p, end, &n) && n == (size_t)(end - p) && read_plain_value(p, end, ret);
}

SKEP_INLINE bool is_ascii(skep_str s)
{
    uint64_t acc = 0;
    size_t i = 0;
    if (SKEP_LIKELY(s.n >= 8)) {
        for (; i + 8 < s.n; i += 8)
            acc |= skep_load_le64(s.p + i);
        acc |= skep_load_le64(s.p + s.n - 8);
    } else {
        for (; i < s.n; i++)
            acc |= (uint8_t)s.p[i];
    }
    return !(acc & 0x8080808080808080ull);
}

/* Puts the attribute that begins behind its tag at *at; false: not this way. */
SKEP_INLINE bool put_plain(struct skep_otlp__dec *d, const uint8_t **at, const uint8_t *end,
                           bool rated)
{
    struct plain a = {.bits = 0};
    const uint8_t *p = *at;
    size_t n;
    if (!short_length(&p, end, &n) || n > (size_t)(end - p) || !read_plain(p, p + n, &a))
        return false;
    /* "sampleRate" may be no field at all. */
    if (SKEP_UNLIKELY(rated && a.key.n == 10 && (a.key.p[0] | 0x20) == 's'))
        return false;
    uint32_t f = skep_batch_predict(d->b, SKEP_SCOPE_ATTRIBUTE, a.key, a.type);
    if (f == SKEP_BATCH_NONE)
        return false;
    if (a.type == SKEP_TYPE_STRING) {
        *at = p + n;
        if (skep_batch_put_again(d->b, f, a.text))
            return true;
        a.bits = SKEP_LIKELY(is_ascii(a.text)) ? skep_batch_intern(d->b, a.text)
                                               : skep_otlp__intern(d, skep_str_bytes(a.text));
    }
    skep_batch_put_bits(d->b, f, a.bits);
    *at = p + n;
    return true;
}

void skep_otlp__put_attributes(struct skep_otlp__dec *d, skep_pb c, uint32_t tag,
                               struct skep_otlp__rate *rate)
{
    const struct skep_otlp__sink sink = {.scope = SKEP_SCOPE_ATTRIBUTE, .rate = rate};
    skep_pb_field f;
    for (;;) {
        if (SKEP_LIKELY(c.p < c.end && c.p[0] == tag && !d->too_large)) {
            const uint8_t *p = c.p + 1;
            if (put_plain(d, &p, c.end, rate != NULL)) {
                c.p = p;
                continue;
            }
        }
        if (!skep_pb_next(&c, &f))
            return;
        struct skep_otlp__kv kv;
        if (f.tag != tag)
            continue;
        skep_otlp__read_kv(d, f.bytes, &kv);
        skep_otlp__put_kv(d, &sink, &kv);
    }
}
