// SPDX-License-Identifier: Apache-2.0
/* Owned, growable, bounded byte buffer.
 *
 * I1  n <= cap, n <= limit.
 * I2  once bad, n never changes until reset: a cut message is never taken for a whole one.
 * Threads: one owner. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"

void skep_buf_init(struct skep_buf *b, size_t limit)
{
    skep_assert(b != NULL && limit > 0);
    *b = (struct skep_buf){.limit = limit};
}

void skep_buf_done(struct skep_buf *b)
{
    if (!b)
        return;
    skep_free(b->p);
    *b = (struct skep_buf){.limit = b->limit};
}

void skep_buf_reset(struct skep_buf *b)
{
    b->n = 0;
    b->bad = false;
}

bool skep_buf_reserve(struct skep_buf *b, size_t n)
{
    if (b->bad)
        return false;
    if (SKEP_LIKELY(b->cap - b->n >= n))
        return true;
    if (n > b->limit - b->n) {
        b->bad = true;
        return false;
    }
    size_t cap = b->cap ? b->cap : SKEP_MIN(b->limit, SKEP_MAX(n, (size_t)64));
    while (cap < b->n + n)
        cap = cap > b->limit / 2 ? b->limit : cap * 2;
    b->p = skep_realloc(b->p, cap);
    b->cap = cap;
    skep_assert(b->cap - b->n >= n);
    return true;
}

uint8_t *skep_buf_take(struct skep_buf *b, size_t *ret_n)
{
    uint8_t *p = b->p ? b->p : skep_malloc(1);
    *ret_n = b->n;
    b->p = NULL;
    b->n = b->cap = 0;
    return p;
}

void skep_buf_put(struct skep_buf *b, const void *p, size_t n)
{
    if (n == 0 || !skep_buf_reserve(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void skep_buf_str(struct skep_buf *b, skep_str s)
{
    skep_buf_put(b, s.p, s.n);
}

void skep_buf_printf(struct skep_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    skep_assert(n >= 0);
    if (!skep_buf_reserve(b, (size_t)n + 1))
        return;
    va_start(ap, fmt);
    (void)vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
}

void skep_buf_u8(struct skep_buf *b, uint8_t v)
{
    skep_buf_put(b, &v, 1);
}

void skep_buf_u16(struct skep_buf *b, uint16_t v)
{
    uint8_t x[2];
    skep_store_le16(x, v);
    skep_buf_put(b, x, sizeof x);
}

void skep_buf_u32(struct skep_buf *b, uint32_t v)
{
    uint8_t x[4];
    skep_store_le32(x, v);
    skep_buf_put(b, x, sizeof x);
}

void skep_buf_u64(struct skep_buf *b, uint64_t v)
{
    uint8_t x[8];
    skep_store_le64(x, v);
    skep_buf_put(b, x, sizeof x);
}

void skep_buf_varint(struct skep_buf *b, uint64_t v)
{
    uint8_t x[10];
    size_t n = 0;
    while (v >= 0x80) {
        x[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    x[n++] = (uint8_t)v;
    skep_buf_put(b, x, n);
}

size_t skep_buf_zero(struct skep_buf *b, size_t n)
{
    size_t at = b->n;
    if (skep_buf_reserve(b, n)) {
        if (n)
            memset(b->p + b->n, 0, n);
        b->n += n;
    }
    return at;
}

void skep_buf_align(struct skep_buf *b, size_t align)
{
    skep_assert(align && (align & (align - 1)) == 0);
    (void)skep_buf_zero(b, (align - (b->n & (align - 1))) & (align - 1));
}

/* Length of the well-formed sequence at s[0], or 0. */
static size_t sequence(skep_str s)
{
    uint8_t c = (uint8_t)s.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n <= s.n && skep_utf8_valid((skep_str){s.p, n}) ? n : 0;
}

void skep_buf_utf8(struct skep_buf *b, skep_str s)
{
    while (s.n > 0) {
        size_t n = sequence(s);
        if (n)
            skep_buf_put(b, s.p, n);
        else
            skep_buf_str(b, SKEP_STR("\xef\xbf\xbd"));
        s = skep_str_skip(s, n ? n : 1);
    }
}
