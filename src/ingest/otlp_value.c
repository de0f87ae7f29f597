// SPDX-License-Identifier: Apache-2.0
/* OTLP attribute values -> typed fields.
 *
 *   string, bool, int, double    as they are
 *   bytes                        BYTES
 *   array                        ARRAY: compact JSON
 *   map                          flattened: name.key, to depth 5; what lies deeper is JSON in a
 * STRING empty (also an empty map)    EMPTY
 *
 * In JSON, what it cannot say itself is an object: {"bytes":"<base64>"}, {"double":"NaN"}.
 *
 * I1  all text that reaches the batch is UTF-8: bad sequences become U+FFFD
 *     (docs/decisions/0003-invalid-utf8.md).
 * I2  recursion is bounded by DEPTH_MAX, an error of the message beyond.
 * Memory: the decoder's scratch buffers, each bounded by the largest value allowed. */
#include "ingest/otlp_priv.h"

#include <math.h>

#include "base/assert.h"
#include "wire/base64.h"
#include "wire/json_out.h"

enum { DEPTH_MAX = 24 };
_Static_assert(DEPTH_MAX + 2 < SKEP_JSON_DEPTH_MAX, "the deepest value and its {\"bytes\":...}");

// --- UTF-8 -------------------------------------------------------------------------------------

static inline bool is_ascii(skep_bytes s)
{
    uint64_t acc = 0;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8)
        acc |= skep_load_le64(s.p + i);
    if (i < s.n && s.n >= 8)
        acc |= skep_load_le64(s.p + s.n - 8);
    else
        for (; i < s.n; i++)
            acc |= s.p[i];
    return !(acc & 0x8080808080808080ull);
}

SKEP_COLD static skep_str repair(struct skep_buf *into, skep_str s)
{
    skep_buf_reset(into);
    skep_buf_utf8(into, s);
    return skep_buf_text(into);
}

skep_str skep_otlp__utf8(struct skep_otlp__dec *d, struct skep_buf *into, skep_bytes s)
{
    if (SKEP_LIKELY(is_ascii(s)) || skep_utf8_valid(skep_bytes_str(s)))
        return skep_bytes_str(s);
    skep_str fixed = repair(into, skep_bytes_str(s));
    d->too_large |= into->bad;
    return fixed;
}

uint32_t skep_otlp__intern(struct skep_otlp__dec *d, skep_bytes s)
{
    skep_str text = skep_otlp__utf8(d, &d->text, s);
    d->too_large |= text.n > SKEP_LIMIT_VALUE_BYTES;
    return d->too_large ? 0 : skep_batch_intern(d->b, text);
}

// --- reading -----------------------------------------------------------------------------------

/* Nearly every value is one field in the shortest form; false leaves the rest to the cursor. */
static inline bool read_plain(skep_bytes in, struct skep_otlp__any *ret)
{
    if (in.n < 2 || in.n > 129)
        return false;
    switch (in.p[0]) {
    case SKEP_OTLP_ANY_STRING:
        ret->kind = SKEP_ANY_STRING;
        ret->bytes = (skep_bytes){in.p + 2, in.n - 2};
        return in.p[1] == in.n - 2;
    case SKEP_OTLP_ANY_INT:
        ret->kind = SKEP_ANY_INT;
        ret->u = in.p[1] & 0x7fu;
        if (in.n == 3 && in.p[1] >= 0x80)
            ret->u |= (uint64_t)in.p[2] << 7;
        return (in.n == 2 && in.p[1] < 0x80) || (in.n == 3 && in.p[1] >= 0x80 && in.p[2] < 0x80);
    case SKEP_OTLP_ANY_DOUBLE:
        ret->kind = SKEP_ANY_DOUBLE;
        if (in.n == 9)
            ret->u = skep_load_le64(in.p + 1);
        return in.n == 9;
    default: return false;
    }
}

void skep_otlp__read_any(struct skep_otlp__dec *d, skep_bytes in, struct skep_otlp__any *ret)
{
    skep_pb c = skep_pb_sub(&d->pb, in);
    skep_pb_field f;
    if (SKEP_LIKELY(read_plain(in, ret)))
        return;
    *ret = (struct skep_otlp__any){.kind = SKEP_ANY_EMPTY};
    while (skep_pb_next(&c, &f)) {
        ret->u = f.u;
        switch (f.tag) {
        case SKEP_OTLP_ANY_STRING: ret->kind = SKEP_ANY_STRING; break;
        case SKEP_OTLP_ANY_BOOL: ret->kind = SKEP_ANY_BOOL; break;
        case SKEP_OTLP_ANY_INT: ret->kind = SKEP_ANY_INT; break;
        case SKEP_OTLP_ANY_DOUBLE: ret->kind = SKEP_ANY_DOUBLE; break;
        case SKEP_OTLP_ANY_ARRAY: ret->kind = SKEP_ANY_ARRAY; break;
        case SKEP_OTLP_ANY_KVLIST: ret->kind = SKEP_ANY_KVLIST; break;
        case SKEP_OTLP_ANY_BYTES: ret->kind = SKEP_ANY_BYTES; break;
        default: continue;
        }
        if ((f.tag & 7) == SKEP_PB_LEN)
            ret->bytes = f.bytes;
    }
}

/* The same for key and value, in this order and with lengths of one byte. */
static inline bool split_plain(skep_bytes in, skep_str *key, skep_bytes *value)
{
    if (in.n < 4 || in.p[0] != SKEP_OTLP_KV_KEY || in.p[1] >= 0x80)
        return false;
    size_t n = in.p[1];
    if (in.n < n + 4 || in.p[n + 2] != SKEP_OTLP_KV_VALUE || in.p[n + 3] >= 0x80 ||
        in.p[n + 3] != in.n - n - 4)
        return false;
    *key = (skep_str){(const char *)in.p + 2, n};
    *value = (skep_bytes){in.p + n + 4, in.n - n - 4};
    return true;
}

void skep_otlp__read_kv(struct skep_otlp__dec *d, skep_bytes in, struct skep_otlp__kv *ret)
{
    skep_pb c = skep_pb_sub(&d->pb, in);
    skep_pb_field f;
    skep_bytes value = {NULL, 0};
    if (SKEP_LIKELY(split_plain(in, &ret->key, &value))) {
        skep_otlp__read_any(d, value, &ret->value);
        return;
    }
    ret->key = SKEP_STR_NULL;
    while (skep_pb_next(&c, &f)) {
        if (f.tag == SKEP_OTLP_KV_KEY)
            ret->key = skep_bytes_str(f.bytes);
        else if (f.tag == SKEP_OTLP_KV_VALUE)
            value = f.bytes;
    }
    skep_otlp__read_any(d, value, &ret->value);
}

// --- JSON --------------------------------------------------------------------------------------

static void write_json(struct skep_otlp__dec *d, struct skep_json *j,
                       const struct skep_otlp__any *v, unsigned depth);

/* {"bytes":"..."} */
static void write_bytes(struct skep_otlp__dec *d, struct skep_json *j, skep_bytes bytes)
{
    skep_buf_reset(&d->octets);
    skep_buf_u8(&d->octets, '"');
    skep_base64_encode(&d->octets, bytes);
    skep_buf_u8(&d->octets, '"');
    d->too_large |= d->octets.bad;
    skep_json_object(j);
    skep_json_key(j, SKEP_STR("bytes"));
    skep_json_raw(j, d->octets.bad ? SKEP_STR("null") : skep_buf_text(&d->octets));
    skep_json_end(j);
}

static void write_double(struct skep_json *j, uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    if (isfinite(v)) {
        skep_json_f64(j, v);
        return;
    }
    skep_json_object(j);
    skep_json_put_str(j, SKEP_STR("double"),
                      isnan(v) ? SKEP_STR("NaN")
                      : v > 0  ? SKEP_STR("Infinity")
                               : SKEP_STR("-Infinity"));
    skep_json_end(j);
}

static void write_array(struct skep_otlp__dec *d, struct skep_json *j, skep_bytes in,
                        unsigned depth)
{
    skep_pb c = skep_pb_sub(&d->pb, in);
    skep_pb_field f;
    skep_json_array(j);
    while (!j->out->bad && skep_pb_next(&c, &f)) {
        struct skep_otlp__any v;
        if (f.tag != SKEP_OTLP_LIST_VALUES)
            continue;
        skep_otlp__read_any(d, f.bytes, &v);
        write_json(d, j, &v, depth + 1);
    }
    skep_json_end(j);
}

static void write_map(struct skep_otlp__dec *d, struct skep_json *j, skep_bytes in, unsigned depth)
{
    skep_pb c = skep_pb_sub(&d->pb, in);
    skep_pb_field f;
    skep_json_object(j);
    while (!j->out->bad && skep_pb_next(&c, &f)) {
        struct skep_otlp__kv kv;
        if (f.tag != SKEP_OTLP_LIST_VALUES)
            continue;
        skep_otlp__read_kv(d, f.bytes, &kv);
        skep_json_key(j, kv.key); // the writer repairs UTF-8 itself
        write_json(d, j, &kv.value, depth + 1);
    }
    skep_json_end(j);
}

static void write_json(struct skep_otlp__dec *d, struct skep_json *j,
                       const struct skep_otlp__any *v, unsigned depth)
{
    if (depth >= DEPTH_MAX && (v->kind == SKEP_ANY_ARRAY || v->kind == SKEP_ANY_KVLIST)) { // I2
        skep_pb c = skep_pb_sub(&d->pb, v->bytes);
        skep_pb_fail(&c, v->bytes.p, "a value is nested deeper than 24 levels");
        skep_json_null(j);
        return;
    }
    switch (v->kind) {
    case SKEP_ANY_EMPTY: skep_json_null(j); return;
    case SKEP_ANY_STRING: skep_json_str(j, skep_bytes_str(v->bytes)); return;
    case SKEP_ANY_BOOL: skep_json_bool(j, v->u != 0); return;
    case SKEP_ANY_INT: skep_json_i64(j, (int64_t)v->u); return;
    case SKEP_ANY_DOUBLE: write_double(j, v->u); return;
    case SKEP_ANY_ARRAY: write_array(d, j, v->bytes, depth); return;
    case SKEP_ANY_KVLIST: write_map(d, j, v->bytes, depth); return;
    case SKEP_ANY_BYTES: write_bytes(d, j, v->bytes); return;
    }
    skep_unreachable("kinds of AnyValue");
}

skep_str skep_otlp__json(struct skep_otlp__dec *d, const struct skep_otlp__any *v)
{
    struct skep_json j;
    skep_buf_reset(&d->text);
    skep_json_init(&j, &d->text);
    write_json(d, &j, v, 0);
    d->too_large |= d->text.bad;
    return skep_buf_text(&d->text);
}

// --- putting -----------------------------------------------------------------------------------

SKEP_INLINE void emit(struct skep_otlp__dec *d, const struct skep_otlp__sink *sink, skep_str name,
                      skep_value v)
{
    if (sink->list)
        skep_batch_list_put(sink->list, name, v);
    else
        skep_batch_put(d->b, sink->scope, name, v);
}

SKEP_INLINE void emit_text(struct skep_otlp__dec *d, const struct skep_otlp__sink *sink,
                           skep_str name, enum skep_type type, skep_str s)
{
    if (SKEP_UNLIKELY(s.n > SKEP_LIMIT_VALUE_BYTES || d->too_large)) {
        d->too_large = true;
        return;
    }
    emit(d, sink, name, (skep_value){.type = type, .s = s});
}

static void put_map(struct skep_otlp__dec *d, const struct skep_otlp__sink *sink, skep_bytes in,
                    unsigned depth);

/* name may be the text of d->name. */
static void put_value(struct skep_otlp__dec *d, const struct skep_otlp__sink *sink, skep_str name,
                      const struct skep_otlp__any *v, unsigned depth)
{
    skep_value out = {.type = SKEP_TYPE_EMPTY};
    switch (v->kind) {
    case SKEP_ANY_STRING:
        emit_text(d, sink, name, SKEP_TYPE_STRING, skep_otlp__utf8(d, &d->text, v->bytes));
        return;
    case SKEP_ANY_BYTES:
        emit_text(d, sink, name, SKEP_TYPE_BYTES, skep_bytes_str(v->bytes));
        return;
    case SKEP_ANY_ARRAY: emit_text(d, sink, name, SKEP_TYPE_ARRAY, skep_otlp__json(d, v)); return;
    case SKEP_ANY_KVLIST:
        if (v->bytes.n == 0)
            break;
        if (depth >= SKEP_LIMIT_MAP_DEPTH) {
            emit_text(d, sink, name, SKEP_TYPE_STRING, skep_otlp__json(d, v));
            return;
        }
        if (depth == 0) {
            skep_buf_reset(&d->name);
            skep_buf_str(&d->name, name);
        }
        put_map(d, sink, v->bytes, depth + 1);
        return;
    case SKEP_ANY_BOOL: out = (skep_value){.type = SKEP_TYPE_BOOL, .b = v->u != 0}; break;
    case SKEP_ANY_INT: out = (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)v->u}; break;
    case SKEP_ANY_DOUBLE:
        out.type = SKEP_TYPE_DOUBLE;
        memcpy(&out.f, &v->u, sizeof out.f);
        break;
    case SKEP_ANY_EMPTY: break;
    }
    emit(d, sink, name, out);
}

/* The entries of a map whose own name stands in d->name. */
static void put_map(struct skep_otlp__dec *d, const struct skep_otlp__sink *sink, skep_bytes in,
                    unsigned depth)
{
    skep_pb c = skep_pb_sub(&d->pb, in);
    skep_pb_field f;
    size_t base = d->name.n;
    while (skep_pb_next(&c, &f)) {
        struct skep_otlp__kv kv;
        if (f.tag != SKEP_OTLP_LIST_VALUES)
            continue;
        skep_otlp__read_kv(d, f.bytes, &kv);
        if (kv.key.n == 0)
            continue;
        d->name.n = base;
        // Names are cut anyway; a longer prefix would only cost time.
        if (base < SKEP_LIMIT_NAME_BYTES) {
            skep_buf_u8(&d->name, '.');
            skep_buf_str(&d->name, skep_otlp__utf8(d, &d->octets, skep_str_bytes(kv.key)));
            d->too_large |= d->name.bad;
        }
        if (SKEP_UNLIKELY(d->too_large))
            break;
        put_value(d, sink, skep_buf_text(&d->name), &kv.value, depth);
    }
    d->name.n = base;
}

void skep_otlp__put(struct skep_otlp__dec *d, const struct skep_otlp__sink *sink, skep_str name,
                    const struct skep_otlp__any *v)
{
    put_value(d, sink, name, v, 0);
}

// --- sample rates ------------------------------------------------------------------------------

static bool rate_of_double(double v, uint32_t *ret)
{
    if (isnan(v))
        return false;
    *ret = v < 1.5 ? 1 : v >= INT32_MAX ? INT32_MAX : (uint32_t)floor(v + 0.5);
    return true;
}

static bool read_rate(const struct skep_otlp__any *v, uint32_t *ret)
{
    double x;
    switch (v->kind) {
    case SKEP_ANY_INT:
        *ret = (int64_t)v->u < 1 ? 1 : (uint32_t)SKEP_MIN(v->u, (uint64_t)INT32_MAX);
        return true;
    case SKEP_ANY_DOUBLE: memcpy(&x, &v->u, sizeof x); return rate_of_double(x, ret);
    case SKEP_ANY_STRING:
        return skep_str_f64(skep_str_trim(skep_bytes_str(v->bytes)), &x) && rate_of_double(x, ret);
    case SKEP_ANY_EMPTY:
    case SKEP_ANY_BOOL:
    case SKEP_ANY_ARRAY:
    case SKEP_ANY_KVLIST:
    case SKEP_ANY_BYTES: break;
    }
    return false;
}

/* True when the attribute is a sample rate that was understood. */
static bool take_rate(const struct skep_otlp__sink *sink, const struct skep_otlp__kv *kv)
{
    uint32_t rate;
    bool preferred = kv->key.p[0] == 's';
    if (!sink->rate || !(preferred || kv->key.p[0] == 'S') ||
        memcmp(kv->key.p + 1, "ampleRate", 9) != 0 || !read_rate(&kv->value, &rate))
        return false;
    if (preferred || !sink->rate->preferred)
        *sink->rate = (struct skep_otlp__rate){rate, preferred};
    return true;
}

void skep_otlp__put_kv(struct skep_otlp__dec *d, const struct skep_otlp__sink *sink,
                       const struct skep_otlp__kv *kv)
{
    if (kv->key.n == 10 && take_rate(sink, kv))
        return;
    skep_str name = skep_otlp__utf8(d, &d->name, skep_str_bytes(kv->key));
    if (SKEP_LIKELY(!sink->list && kv->value.kind == SKEP_ANY_INT)) {
        skep_batch_put(d->b, sink->scope, name,
                       (skep_value){.type = SKEP_TYPE_INT, .i = (int64_t)kv->value.u});
        return;
    }
    if (SKEP_UNLIKELY((const uint8_t *)name.p == d->name.p && kv->value.kind == SKEP_ANY_KVLIST)) {
        // put_value begins by resetting d->name: give it a copy to begin with.
        skep_buf_reset(&d->octets);
        skep_buf_str(&d->octets, name);
        name = skep_buf_text(&d->octets);
    }
    put_value(d, sink, name, &kv->value, 0);
}

// --- intrinsic fields --------------------------------------------------------------------------

static const struct skep_otlp__sink intrinsic = {.scope = SKEP_SCOPE_INTRINSIC};

void skep_otlp__put_text(struct skep_otlp__dec *d, skep_str name, skep_bytes text)
{
    emit_text(d, &intrinsic, name, SKEP_TYPE_STRING, skep_otlp__utf8(d, &d->text, text));
}

void skep_otlp__put_int(struct skep_otlp__dec *d, skep_str name, int64_t v)
{
    emit(d, &intrinsic, name, (skep_value){.type = SKEP_TYPE_INT, .i = v});
}

void skep_otlp__put_double(struct skep_otlp__dec *d, skep_str name, double v)
{
    emit(d, &intrinsic, name, (skep_value){.type = SKEP_TYPE_DOUBLE, .f = v});
}

void skep_otlp__put_true(struct skep_otlp__dec *d, skep_str name)
{
    emit(d, &intrinsic, name, (skep_value){.type = SKEP_TYPE_BOOL, .b = true});
}

void skep_otlp__put_count(struct skep_otlp__dec *d, skep_str name, uint64_t v)
{
    if (v)
        skep_otlp__put_int(d, name, (int64_t)SKEP_MIN(v, (uint64_t)INT64_MAX));
}
