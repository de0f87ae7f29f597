// SPDX-License-Identifier: Apache-2.0
/* Protocol Buffers on the wire: a bounded zero-copy cursor and a writer.
 *
 * A reader walks one message with skep_pb_next, which yields each field with its value already
 * read; unknown fields are skipped by doing nothing with them, and so are fields of an unexpected
 * wire type, since a field is recognised by number and wire type together (SKEP_PB_TAG).  The first
 * error is kept in the context shared by a message and all messages inside it, and ends the cursor
 * it was met by; those around it may go on.  So a decoder checks once, behind its loops, and throws
 * away what it has when there was an error. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

enum skep_pb_wire { SKEP_PB_VARINT = 0, SKEP_PB_I64 = 1, SKEP_PB_LEN = 2, SKEP_PB_I32 = 5 };

#define SKEP_PB_TAG(number, wire) ((uint32_t)(number) << 3 | (uint32_t)SKEP_PB_##wire)

struct skep_pb_ctx {
    const uint8_t *start; /* of the outermost message */
    const char *error;    /* static text; NULL while all is well */
    size_t error_at;      /* byte offset of the field in which it was found */
};

typedef struct skep_pb {
    const uint8_t *p, *end;
    struct skep_pb_ctx *ctx;
} skep_pb;

typedef struct skep_pb_field {
    uint32_t tag;     /* number << 3 | wire type */
    uint64_t u;       /* VARINT, I64, I32 */
    skep_bytes bytes; /* LEN: borrowed from the input */
} skep_pb_field;

/* Begin the outermost message. */
static inline skep_pb skep_pb_make(struct skep_pb_ctx *ctx, skep_bytes in)
{
    *ctx = (struct skep_pb_ctx){.start = in.p};
    return (skep_pb){in.p, in.n ? in.p + in.n : in.p, ctx};
}

/* A message inside (the bytes of a LEN field of the same context). */
static inline skep_pb skep_pb_sub(struct skep_pb_ctx *ctx, skep_bytes in)
{
    return (skep_pb){in.p, in.n ? in.p + in.n : in.p, ctx};
}

/* Note an error at `at`; the first one stays. */
void skep_pb_fail(struct skep_pb *c, const uint8_t *at, const char *error) SKEP_COLD;
/* The general case of skep_pb_next. */
bool skep_pb__next(struct skep_pb *c, skep_pb_field *ret);

/* The next field, or false at the end of the message or after an error. */
static inline bool skep_pb_next(struct skep_pb *c, skep_pb_field *ret)
{
    /* Tag and length of one byte each are nearly all there is. */
    size_t left = (size_t)(c->end - c->p);
    if (SKEP_LIKELY(left >= 2 && c->p[0] < 0x80 && (c->p[0] & 7) == SKEP_PB_LEN && c->p[0] >= 8 &&
                    c->p[1] < 0x80 && c->p[1] <= left - 2)) {
        ret->tag = c->p[0];
        ret->bytes = (skep_bytes){c->p + 2, c->p[1]};
        c->p += 2 + c->p[1];
        return true;
    }
    if (left == 0)
        return false;
    return skep_pb__next(c, ret);
}

/* The same for inner loops: a tag of one byte with any plain value is read without a call. */
SKEP_INLINE bool skep_pb_next_hot(struct skep_pb *c, skep_pb_field *ret)
{
    const uint8_t *p = c->p;
    size_t left = (size_t)(c->end - p), n;
    if (SKEP_UNLIKELY(left < 9 || p[0] >= 0x80 || p[0] < 8))
        return skep_pb_next(c, ret);
    switch (p[0] & 7) {
    case SKEP_PB_LEN:
        n = p[1] < 0x80 ? p[1] : (p[1] & 0x7fu) | (size_t)p[2] << 7;
        p += p[1] < 0x80 ? 2 : 3;
        if (SKEP_UNLIKELY((p[-1] & 0x80) || n > (size_t)(c->end - p)))
            break;
        ret->tag = c->p[0];
        ret->bytes = (skep_bytes){p, n};
        c->p = p + n;
        return true;
    case SKEP_PB_VARINT:
        if (SKEP_UNLIKELY(p[1] >= 0x80))
            break;
        ret->tag = p[0];
        ret->u = p[1];
        c->p = p + 2;
        return true;
    case SKEP_PB_I64:
        ret->tag = p[0];
        ret->u = skep_load_le64(p + 1);
        c->p = p + 9;
        return true;
    default: break;
    }
    return skep_pb__next(c, ret);
}

/* SKEP_OK, or EMALFORMED with the text and byte offset of the context's error. */
SKEP_NODISCARD skep_rc skep_pb_check(const struct skep_pb_ctx *ctx, skep_err *err);

/* Writing, at the end of a skep_buf.  Zero values are written too: leaving them out is up to the
 * caller. */
void skep_pb_put_varint(struct skep_buf *b, uint32_t number, uint64_t v);
void skep_pb_put_i64(struct skep_buf *b, uint32_t number, uint64_t v);
void skep_pb_put_i32(struct skep_buf *b, uint32_t number, uint32_t v);
void skep_pb_put_double(struct skep_buf *b, uint32_t number, double v);
void skep_pb_put_bytes(struct skep_buf *b, uint32_t number, skep_bytes v);
void skep_pb_put_str(struct skep_buf *b, uint32_t number, skep_str v);

/* A message inside: begin gives a mark for end.  Its length takes four bytes, whatever it is. */
size_t skep_pb_begin(struct skep_buf *b, uint32_t number);
void skep_pb_end(struct skep_buf *b, size_t mark);
