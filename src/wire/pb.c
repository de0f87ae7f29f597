// SPDX-License-Identifier: Apache-2.0
/* Protocol Buffers on the wire.
 *
 *   field:   tag (varint: number << 3 | wire type)   value
 *   value:   0 varint | 1 eight bytes | 2 length (varint) + bytes | 5 four bytes
 *
 * Wire types 3 and 4 (groups) are gone from proto3 and from OTLP; 6 and 7 never existed: all four
 * are refused.  Varints longer than needed are accepted (up to ten bytes), as by all
 * implementations; the writer uses that to give each inner message a length of four bytes it can
 * fill in afterwards.
 *
 * I1  a cursor never passes its end; after an error p == end.
 * I2  error_at points at the tag of the field in which the error was found.
 * Threads: none of its own.  Memory: none. */
#include "wire/pb.h"

#include "base/assert.h"

enum { LENGTH_BYTES = 4, TAG_MAX = 0x1fffffff };

void skep_pb_fail(struct skep_pb *c, const uint8_t *at, const char *error)
{
    struct skep_pb_ctx *ctx = c->ctx;
    skep_assert(ctx != NULL && error != NULL);
    skep_assert(at >= ctx->start && at <= c->end);
    if (!ctx->error) {
        ctx->error = error;
        ctx->error_at = (size_t)(at - ctx->start);
    }
    c->p = c->end;
}

/* LEB128 at *p; NULL text on success. */
static const char *varint(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
    uint64_t v = 0;
    const uint8_t *at = *p;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (at == end)
            return "the message ends inside a varint";
        uint8_t c = *at++;
        // The tenth byte holds one bit; more would be lost.
        if (shift == 63 && c > 1)
            return "a varint does not fit 64 bits";
        v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) {
            *p = at;
            *ret = v;
            return NULL;
        }
    }
    return "a varint is longer than ten bytes";
}

static const char *value(skep_pb *c, uint32_t wire, skep_pb_field *ret)
{
    size_t left = (size_t)(c->end - c->p);
    const char *error;
    switch (wire) {
    case SKEP_PB_VARINT: return varint(&c->p, c->end, &ret->u);
    case SKEP_PB_I64:
        if (left < 8)
            return "the message ends inside a 64-bit value";
        ret->u = skep_load_le64(c->p);
        c->p += 8;
        return NULL;
    case SKEP_PB_I32:
        if (left < 4)
            return "the message ends inside a 32-bit value";
        ret->u = skep_load_le32(c->p);
        c->p += 4;
        return NULL;
    case SKEP_PB_LEN: {
        uint64_t n = 0;
        error = varint(&c->p, c->end, &n);
        if (error)
            return error;
        if (n > (size_t)(c->end - c->p))
            return "a length points behind the end of its message";
        ret->bytes = (skep_bytes){c->p, (size_t)n};
        c->p += n;
        return NULL;
    }
    case 3:
    case 4: return "groups are not supported";
    default: return "an unknown wire type";
    }
}

bool skep_pb__next(skep_pb *c, skep_pb_field *ret)
{
    skep_assert(c->p <= c->end);
    if (c->p == c->end)
        return false;
    const uint8_t *at = c->p;
    uint64_t tag = 0;
    const char *error = varint(&c->p, c->end, &tag);
    if (!error && (tag >> 3 == 0 || tag >> 3 > TAG_MAX))
        error = "a field number outside 1..536870911";
    if (!error) {
        ret->tag = (uint32_t)tag;
        error = value(c, (uint32_t)tag & 7, ret);
    }
    if (error) {
        skep_pb_fail(c, at, error);
        return false;
    }
    return true;
}

skep_rc skep_pb_check(const struct skep_pb_ctx *ctx, skep_err *err)
{
    if (SKEP_LIKELY(!ctx->error))
        return SKEP_OK;
    return skep_fail(err, SKEP_EMALFORMED, "%s, at byte %zu", ctx->error, ctx->error_at);
}

// --- writing -----------------------------------------------------------------------------------

static void put_tag(struct skep_buf *b, uint32_t number, enum skep_pb_wire wire)
{
    skep_assert(number >= 1 && number <= TAG_MAX);
    skep_buf_varint(b, (uint64_t)number << 3 | (uint64_t)wire);
}

void skep_pb_put_varint(struct skep_buf *b, uint32_t number, uint64_t v)
{
    put_tag(b, number, SKEP_PB_VARINT);
    skep_buf_varint(b, v);
}

void skep_pb_put_i64(struct skep_buf *b, uint32_t number, uint64_t v)
{
    put_tag(b, number, SKEP_PB_I64);
    skep_buf_u64(b, v);
}

void skep_pb_put_i32(struct skep_buf *b, uint32_t number, uint32_t v)
{
    put_tag(b, number, SKEP_PB_I32);
    skep_buf_u32(b, v);
}

void skep_pb_put_double(struct skep_buf *b, uint32_t number, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    skep_pb_put_i64(b, number, bits);
}

void skep_pb_put_bytes(struct skep_buf *b, uint32_t number, skep_bytes v)
{
    put_tag(b, number, SKEP_PB_LEN);
    skep_buf_varint(b, v.n);
    skep_buf_put(b, v.p, v.n);
}

void skep_pb_put_str(struct skep_buf *b, uint32_t number, skep_str v)
{
    skep_pb_put_bytes(b, number, skep_str_bytes(v));
}

size_t skep_pb_begin(struct skep_buf *b, uint32_t number)
{
    put_tag(b, number, SKEP_PB_LEN);
    return skep_buf_zero(b, LENGTH_BYTES);
}

void skep_pb_end(struct skep_buf *b, size_t mark)
{
    if (b->bad)
        return;
    skep_assert(mark + LENGTH_BYTES <= b->n);
    uint64_t n = b->n - mark - LENGTH_BYTES;
    if (n >> (7 * LENGTH_BYTES)) {
        b->bad = true; // a message of 256 MiB
        return;
    }
    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        b->p[mark + i] = (uint8_t)(((n >> (7 * i)) & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
}
