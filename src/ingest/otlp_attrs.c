// SPDX-License-Identifier: Apache-2.0
/* The attributes of a span, event, link or log record: the innermost loop of ingest.
 *
 *   tag len | 0a klen key | 12 vlen value        nearly every attribute, lengths under 16,384
 *
 * Such an attribute is read at once where it lies; if its field is there already
 * (event/put.h), its name is known to be fine, and if its value is the one before it in its
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

/* Tags of AnyValue that are read here. */
static const uint8_t type_of[64] = {
    [SKEP_OTLP_ANY_STRING] = SKEP_TYPE_STRING,
    [SKEP_OTLP_ANY_BOOL] = SKEP_TYPE_BOOL,
    [SKEP_OTLP_ANY_INT] = SKEP_TYPE_INT,
    [SKEP_OTLP_ANY_DOUBLE] = SKEP_TYPE_DOUBLE,
};

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

SKEP_INLINE void put_text(struct skep_otlp__dec *d, uint32_t f, skep_str s)
{
    if (!skep_batch_put_again(d->b, f, s))
        skep_batch_put_bits(d->b, f,
                            SKEP_LIKELY(is_ascii(s)) ? skep_batch_intern(d->b, s)
                                                     : skep_otlp__intern(d, skep_str_bytes(s)));
}

/* A value of `type` that is all of [p, end): a number's payload, or where a text begins. */
SKEP_INLINE bool plain_value(enum skep_type type, const uint8_t **p, const uint8_t *end,
                             uint64_t *ret_bits)
{
    size_t n;
    if (type == SKEP_TYPE_STRING)
        return short_length(p, end, &n) && n == (size_t)(end - *p);
    if (type == SKEP_TYPE_INT)
        return plain_varint(*p, end, ret_bits);
    if (type == SKEP_TYPE_DOUBLE) {
        if (end - *p != 8)
            return false;
        *ret_bits = skep_load_le64(*p);
        return true;
    }
    *ret_bits = **p;
    return end - *p == 1 && *ret_bits <= 1;
}

/* Puts the attribute that begins behind its tag at p; NULL: not this way, else its end. */
SKEP_INLINE const uint8_t *put_plain(struct skep_otlp__dec *d, const uint8_t *p, const uint8_t *end,
                                     bool rated)
{
    size_t n, key_n;
    if (!short_length(&p, end, &n) || n > (size_t)(end - p) || p + n > d->padded || n < 6)
        return NULL;
    end = p + n;
    key_n = p[1];
    if (p[0] != SKEP_OTLP_KV_KEY || key_n >= 0x80 || key_n + 6 > n ||
        p[key_n + 2] != SKEP_OTLP_KV_VALUE)
        return NULL;
    skep_str key = {(const char *)p + 2, key_n};
    p += key_n + 3;
    if (!short_length(&p, end, &n) || n != (size_t)(end - p) || n < 2 || *p >= sizeof type_of)
        return NULL;
    enum skep_type type = (enum skep_type)type_of[*p++];
    /* "sampleRate" may be no field at all. */
    if (SKEP_UNLIKELY(type == SKEP_TYPE_NULL || (rated && key_n == 10 && (key.p[0] | 0x20) == 's')))
        return NULL;
    uint64_t bits = 0;
    if (SKEP_UNLIKELY(!plain_value(type, &p, end, &bits)))
        return NULL;
    uint32_t f = skep_batch_predict(d->b, SKEP_SCOPE_ATTRIBUTE, key, type);
    if (SKEP_UNLIKELY(f == SKEP_BATCH_NONE))
        f = skep_batch_field(d->b, SKEP_SCOPE_ATTRIBUTE, key, type);
    if (SKEP_UNLIKELY(f == SKEP_BATCH_NONE))
        return NULL;
    if (type == SKEP_TYPE_STRING)
        put_text(d, f, (skep_str){(const char *)p, (size_t)(end - p)});
    else
        skep_batch_put_bits(d->b, f, bits);
    return end;
}

void skep_otlp__put_attributes(struct skep_otlp__dec *d, skep_pb c, uint32_t tag,
                               struct skep_otlp__rate *rate)
{
    const struct skep_otlp__sink sink = {.scope = SKEP_SCOPE_ATTRIBUTE, .rate = rate};
    skep_pb_field f;
    for (;;) {
        if (SKEP_LIKELY(c.p < c.end && c.p[0] == tag && !d->too_large)) {
            const uint8_t *end = put_plain(d, c.p + 1, c.end, rate != NULL);
            if (SKEP_LIKELY(end != NULL)) {
                c.p = end;
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
