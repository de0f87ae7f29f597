// SPDX-License-Identifier: Apache-2.0
/* Owned, growable, bounded byte buffer with little-endian and text writers.
 *
 * The limit is given at init: an unbounded buffer cannot be written down.  Going over it sets the
 * sticky `bad` flag, later writes do nothing, and the caller checks once at the end. */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct skep_buf {
    uint8_t *p;
    size_t n, cap, limit;
    bool bad; /* a write would have gone over the limit */
};

/* An empty buffer that never holds more than limit > 0 bytes; done frees it.  Threads: one owner.
 */
void skep_buf_init(struct skep_buf *b, size_t limit);
void skep_buf_done(struct skep_buf *b);
/* Forget the content, keep the memory, clear `bad`. */
void skep_buf_reset(struct skep_buf *b);
/* Room for n more bytes at b->p + b->n; false (and bad) when over the limit.  The first room of a
 * buffer is n bytes and no more (64 at least), what comes then doubles it.
 * Invalidates pointers into the buffer. */
bool skep_buf_reserve(struct skep_buf *b, size_t n);
/* Take the memory out: caller frees with skep_free; the buffer is empty afterwards. */
uint8_t *skep_buf_take(struct skep_buf *b, size_t *ret_n);

/* Append; over the limit nothing is written and `bad` is set.  Numbers are little-endian. */
void skep_buf_put(struct skep_buf *b, const void *p, size_t n);
void skep_buf_str(struct skep_buf *b, skep_str s);
/* A text that may be none: each byte that begins no well-formed sequence becomes U+FFFD. */
void skep_buf_utf8(struct skep_buf *b, skep_str s);
void skep_buf_printf(struct skep_buf *b, const char *fmt, ...) SKEP_PRINTF(2, 3);
void skep_buf_u8(struct skep_buf *b, uint8_t v);
void skep_buf_u16(struct skep_buf *b, uint16_t v);
void skep_buf_u32(struct skep_buf *b, uint32_t v);
void skep_buf_u64(struct skep_buf *b, uint64_t v);
/* LEB128. */
void skep_buf_varint(struct skep_buf *b, uint64_t v);
/* Zero bytes up to a multiple of align (a power of two). */
void skep_buf_align(struct skep_buf *b, size_t align);
/* n zero bytes; returns their offset (to be patched later). */
size_t skep_buf_zero(struct skep_buf *b, size_t n);

static inline skep_bytes skep_buf_bytes(const struct skep_buf *b)
{
    return (skep_bytes){b->p, b->n};
}

static inline skep_str skep_buf_text(const struct skep_buf *b)
{
    return (skep_str){(const char *)b->p, b->n};
}
