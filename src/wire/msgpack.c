// SPDX-License-Identifier: Apache-2.0
/* MessagePack -> yyjson values (msgpack.h has the mapping).
 *
 * Wires that take both forms have one reader, that of JSON, so this makes the same tree of the
 * other bytes.  Texts stay where they lie until the tree is copied into a document of its own.
 *
 * I1  every read is bounded by the input; nothing is sized by a length that was not checked against
 *     what is left of it.
 * I2  recursion goes no deeper than SKEP_MSGPACK_DEPTH_MAX.
 * Threads: the caller's.  Memory: 24 bytes a value for the call, 16 for the result, and texts. */
#include "wire/msgpack.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "wire/base64.h"
#include "wire/rfc3339.h"

struct reader {
    const uint8_t *p, *end, *begin;
    yyjson_mut_doc *doc;
    struct skep_buf text; /* of values that are made */
    skep_rc rc;           /* sticky */
    skep_err *err;
};

static bool fail(struct reader *r, skep_rc rc, const char *what)
{
    if (r->rc == SKEP_OK)
        r->rc = skep_fail(r->err, rc, "%s at byte %zu", what, (size_t)(r->p - r->begin));
    return false;
}

/* n bytes more; false when there are fewer. */
static bool take(struct reader *r, size_t n, const uint8_t **ret)
{
    if ((size_t)(r->end - r->p) < n)
        return fail(r, SKEP_EMALFORMED, "MessagePack ends early");
    *ret = r->p;
    r->p += n;
    return true;
}

static uint64_t big_endian(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static bool take_uint(struct reader *r, unsigned n, uint64_t *ret)
{
    const uint8_t *p;
    if (!take(r, n, &p))
        return false;
    *ret = big_endian(p, n);
    return true;
}

static int64_t extend(uint64_t v, unsigned n)
{
    unsigned shift = 64 - 8 * n;
    return (int64_t)(v << shift) >> shift;
}

static yyjson_mut_val *checked(struct reader *r, yyjson_mut_val *v)
{
    if (!v)
        (void)fail(r, SKEP_ENOMEM, "no memory for a value"); /* noted */
    return v;
}

/* The text that stands in r->text, copied. */
static yyjson_mut_val *made(struct reader *r)
{
    if (r->text.bad) {
        (void)fail(r, SKEP_ENOMEM, "no memory for a value"); /* noted */
        return NULL;
    }
    return checked(r,
                   yyjson_mut_strncpy(r->doc, r->text.n ? (const char *)r->text.p : "", r->text.n));
}

static yyjson_mut_val *read_text(struct reader *r, uint64_t n)
{
    const uint8_t *p;
    if (!take(r, n, &p))
        return NULL;
    skep_str s = {(const char *)p, n};
    if (skep_utf8_valid(s))
        return checked(r, yyjson_mut_strn(r->doc, s.p, s.n));
    skep_buf_reset(&r->text);
    skep_buf_utf8(&r->text, s);
    return made(r);
}

static yyjson_mut_val *read_bin(struct reader *r, uint64_t n)
{
    const uint8_t *p;
    if (!take(r, n, &p))
        return NULL;
    skep_buf_reset(&r->text);
    skep_base64_encode(&r->text, (skep_bytes){p, n});
    return made(r);
}

/* Seconds and nanoseconds of 4, 8 or 12 bytes. */
static bool instant(skep_bytes b, int64_t *ret_ns)
{
    uint64_t n = 0, s = 0;
    if (b.n == 4) {
        s = big_endian(b.p, 4);
    } else if (b.n == 8) {
        uint64_t v = big_endian(b.p, 8);
        n = v >> 34;
        s = v & 0x3ffffffff;
    } else if (b.n == 12) {
        n = big_endian(b.p, 4);
        s = big_endian(b.p + 4, 8);
    } else {
        return false;
    }
    int64_t ns;
    return n < 1000000000 && !SKEP_MUL_OVERFLOW((int64_t)s, (int64_t)1000000000, &ns) &&
           !SKEP_ADD_OVERFLOW(ns, (int64_t)n, ret_ns);
}

static yyjson_mut_val *read_ext(struct reader *r, uint64_t n)
{
    const uint8_t *type, *p;
    char text[SKEP_RFC3339_BYTES];
    int64_t ns;
    if (!take(r, 1, &type) || !take(r, n, &p))
        return NULL;
    skep_buf_reset(&r->text);
    if (*type == 0xff && instant((skep_bytes){p, n}, &ns))
        skep_buf_put(&r->text, text, skep_rfc3339(ns, 9, text));
    else
        skep_base64_encode(&r->text, (skep_bytes){p, n});
    return made(r);
}

static yyjson_mut_val *read_value(struct reader *r, unsigned depth);

static yyjson_mut_val *read_array(struct reader *r, uint64_t n, unsigned depth)
{
    yyjson_mut_val *arr = checked(r, yyjson_mut_arr(r->doc));
    if (n > (size_t)(r->end - r->p)) /* I1: an element is a byte at least */
        (void)fail(r, SKEP_EMALFORMED, "MessagePack ends early"); /* noted */
    for (uint64_t i = 0; i < n && r->rc == SKEP_OK; i++) {
        yyjson_mut_val *v = read_value(r, depth + 1);
        if (v)
            (void)yyjson_mut_arr_append(arr, v); /* cannot fail: both are there */
    }
    return r->rc == SKEP_OK ? arr : NULL;
}

/* As text: JSON has no other keys. */
static yyjson_mut_val *read_key(struct reader *r)
{
    yyjson_mut_val *key = read_value(r, SKEP_MSGPACK_DEPTH_MAX);
    if (!key || yyjson_mut_is_str(key))
        return key;
    skep_buf_reset(&r->text);
    if (yyjson_mut_is_bool(key))
        skep_buf_str(&r->text, yyjson_mut_get_bool(key) ? SKEP_STR("true") : SKEP_STR("false"));
    else if (yyjson_mut_is_sint(key))
        skep_buf_printf(&r->text, "%lld", (long long)yyjson_mut_get_sint(key));
    else if (yyjson_mut_is_uint(key))
        skep_buf_printf(&r->text, "%llu", (unsigned long long)yyjson_mut_get_uint(key));
    else
        (void)fail(r, SKEP_EMALFORMED, "a key that is no text"); /* noted */
    return r->rc == SKEP_OK ? made(r) : NULL;
}

static yyjson_mut_val *read_map(struct reader *r, uint64_t n, unsigned depth)
{
    yyjson_mut_val *obj = checked(r, yyjson_mut_obj(r->doc));
    if (n > (size_t)(r->end - r->p) / 2)
        (void)fail(r, SKEP_EMALFORMED, "MessagePack ends early"); /* noted */
    for (uint64_t i = 0; i < n && r->rc == SKEP_OK; i++) {
        yyjson_mut_val *key = read_key(r);
        yyjson_mut_val *v = key ? read_value(r, depth + 1) : NULL;
        if (v)
            (void)yyjson_mut_obj_add(obj, key, v); /* as above */
    }
    return r->rc == SKEP_OK ? obj : NULL;
}

static yyjson_mut_val *read_float(struct reader *r, unsigned bytes)
{
    uint64_t bits;
    double d;
    if (!take_uint(r, bytes, &bits))
        return NULL;
    if (bytes == 4) {
        uint32_t narrow = (uint32_t)bits;
        float f;
        memcpy(&f, &narrow, sizeof f);
        d = (double)f;
    } else {
        memcpy(&d, &bits, sizeof d);
    }
    return checked(r, yyjson_mut_real(r->doc, d));
}

/* A length of 1 << which bytes, then what it is the length of. */
typedef yyjson_mut_val *sized_fn(struct reader *r, uint64_t n, unsigned depth);

static yyjson_mut_val *sized_text(struct reader *r, uint64_t n, unsigned depth)
{
    (void)depth;
    return read_text(r, n);
}

static yyjson_mut_val *sized_bin(struct reader *r, uint64_t n, unsigned depth)
{
    (void)depth;
    return read_bin(r, n);
}

static yyjson_mut_val *sized_ext(struct reader *r, uint64_t n, unsigned depth)
{
    (void)depth;
    return read_ext(r, n);
}

static yyjson_mut_val *read_sized(struct reader *r, unsigned bytes, sized_fn *fn, unsigned depth)
{
    uint64_t n;
    return take_uint(r, bytes, &n) ? fn(r, n, depth) : NULL;
}

static yyjson_mut_val *read_integer(struct reader *r, uint8_t c)
{
    unsigned bytes = 1u << (c & 3);
    uint64_t v;
    if (!take_uint(r, bytes, &v))
        return NULL;
    return checked(r, c < 0xd0 ? yyjson_mut_uint(r->doc, v)
                               : yyjson_mut_sint(r->doc, extend(v, bytes)));
}

/* Heads from 0xc0 to 0xdf. */
static yyjson_mut_val *read_headed(struct reader *r, uint8_t c, unsigned depth)
{
    switch (c) {
    case 0xc0: return checked(r, yyjson_mut_null(r->doc));
    case 0xc2:
    case 0xc3: return checked(r, yyjson_mut_bool(r->doc, c == 0xc3));
    case 0xc4:
    case 0xc5:
    case 0xc6: return read_sized(r, 1u << (c - 0xc4), sized_bin, depth);
    case 0xc7:
    case 0xc8:
    case 0xc9: return read_sized(r, 1u << (c - 0xc7), sized_ext, depth);
    case 0xca: return read_float(r, 4);
    case 0xcb: return read_float(r, 8);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8: return read_ext(r, 1u << (c - 0xd4));
    case 0xd9:
    case 0xda:
    case 0xdb: return read_sized(r, 1u << (c - 0xd9), sized_text, depth);
    case 0xdc:
    case 0xdd: return read_sized(r, 2u << (c - 0xdc), read_array, depth);
    case 0xde:
    case 0xdf: return read_sized(r, 2u << (c - 0xde), read_map, depth);
    default:
        if (c >= 0xcc && c <= 0xd3)
            return read_integer(r, c);
        (void)fail(r, SKEP_EMALFORMED, "a byte that begins nothing"); /* noted */
        return NULL;
    }
}

static yyjson_mut_val *read_value(struct reader *r, unsigned depth)
{
    const uint8_t *p;
    if (!take(r, 1, &p))
        return NULL;
    uint8_t c = *p;
    bool holds = (c >= 0x80 && c <= 0x9f) || (c >= 0xdc && c <= 0xdf);
    if (holds && depth >= SKEP_MSGPACK_DEPTH_MAX) {                 /* I2 */
        (void)fail(r, SKEP_EMALFORMED, "values nested too deeply"); /* noted */
        return NULL;
    }
    if (c < 0x80)
        return checked(r, yyjson_mut_uint(r->doc, c));
    if (c < 0x90)
        return read_map(r, c & 0x0f, depth);
    if (c < 0xa0)
        return read_array(r, c & 0x0f, depth);
    if (c < 0xc0)
        return read_text(r, c & 0x1f);
    if (c >= 0xe0)
        return checked(r, yyjson_mut_sint(r->doc, (int8_t)c));
    return read_headed(r, c, depth);
}

skep_rc skep_msgpack_read(skep_bytes in, const yyjson_alc *alc, yyjson_doc **ret, skep_err *err)
{
    struct reader r = {.p = in.p, .begin = in.p, .end = in.p + in.n, .err = err};
    r.doc = yyjson_mut_doc_new(alc);
    if (!r.doc)
        return skep_fail(err, SKEP_ENOMEM, "no memory for a value");
    skep_buf_init(&r.text, 4 * in.n + 64);
    yyjson_mut_val *root = read_value(&r, 0);
    if (r.rc == SKEP_OK && r.p < r.end)
        (void)fail(&r, SKEP_EMALFORMED, "more than one value"); /* noted */
    if (r.rc == SKEP_OK) {
        yyjson_mut_doc_set_root(r.doc, root);
        yyjson_doc *doc = yyjson_mut_doc_imut_copy(r.doc, alc);
        if (doc)
            *ret = doc;
        else
            (void)fail(&r, SKEP_ENOMEM, "no memory for a value"); /* noted */
    }
    skep_buf_done(&r.text);
    yyjson_mut_doc_free(r.doc);
    return r.rc;
}

// --- writing -----------------------------------------------------------------------------------

static void put_be(struct skep_buf *out, uint64_t v, unsigned bytes)
{
    while (bytes-- > 0)
        skep_buf_u8(out, (uint8_t)(v >> 8 * bytes));
}

/* `small` heads hold lengths below `n_small` themselves. */
static void put_head(struct skep_buf *out, uint32_t n, uint8_t small, uint32_t n_small,
                     uint8_t wide)
{
    if (n < n_small) {
        skep_buf_u8(out, (uint8_t)(small | n));
        return;
    }
    skep_buf_u8(out, n <= UINT16_MAX ? wide : (uint8_t)(wide + 1));
    put_be(out, n, n <= UINT16_MAX ? 2 : 4);
}

void skep_msgpack_array(struct skep_buf *out, uint32_t n)
{
    put_head(out, n, 0x90, 16, 0xdc);
}

void skep_msgpack_map(struct skep_buf *out, uint32_t n)
{
    put_head(out, n, 0x80, 16, 0xde);
}

void skep_msgpack_str(struct skep_buf *out, skep_str s)
{
    skep_assert(s.n <= UINT32_MAX);
    put_head(out, (uint32_t)s.n, 0xa0, 32, 0xda);
    skep_buf_str(out, s);
}

void skep_msgpack_u64(struct skep_buf *out, uint64_t v)
{
    if (v < 0x80) {
        skep_buf_u8(out, (uint8_t)v);
        return;
    }
    unsigned which = v <= UINT8_MAX ? 0 : v <= UINT16_MAX ? 1 : v <= UINT32_MAX ? 2 : 3;
    skep_buf_u8(out, (uint8_t)(0xcc + which));
    put_be(out, v, 1u << which);
}
