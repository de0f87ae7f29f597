// SPDX-License-Identifier: Apache-2.0
/*
 * gzip.c - a request's pieces as one gzip member, level 1: on a local network speed is worth more
 *
 * Without WAGGLE_ZLIB there is none: waggle itself needs libc alone.
 *
 * Threads: no state.
 */
#include "gzip.h"

#ifdef WAGGLE_ZLIB

#include <zlib.h>

enum { STEP = 65536, GZIP_WINDOW = 15 + 16, LEVEL = 1, MEMORY = 8 };

bool waggle__have_gzip(void)
{
    return true;
}

static bool pump(z_stream *z, struct waggle__buf *out, int flush)
{
    int rc = Z_OK;
    do {
        if (!waggle__buf_room(out, STEP))
            return false;
        z->next_out = out->p + out->n;
        z->avail_out = STEP;
        rc = deflate(z, flush);
        out->n += STEP - z->avail_out;
    } while (rc == Z_OK && (z->avail_in > 0 || flush == Z_FINISH));
    return flush == Z_FINISH ? rc == Z_STREAM_END : rc == Z_OK || rc == Z_BUF_ERROR;
}

bool waggle__gzip(const waggle_piece *pieces, size_t n, struct waggle__buf *out)
{
    z_stream z = {0};
    out->n = 0;
    out->bad = false;
    if (deflateInit2(&z, LEVEL, Z_DEFLATED, GZIP_WINDOW, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        z.next_in = (Bytef *)(uintptr_t)pieces[i].p; // zlib does not write to it
        z.avail_in = (uInt)pieces[i].n;
        ok = pump(&z, out, Z_NO_FLUSH);
    }
    ok = ok && pump(&z, out, Z_FINISH);
    (void)deflateEnd(&z); // its complaint about an unfinished stream is known
    return ok;
}

#else

bool waggle__have_gzip(void)
{
    return false;
}

bool waggle__gzip(const waggle_piece *pieces, size_t n, struct waggle__buf *out)
{
    (void)pieces;
    (void)n;
    (void)out;
    return false;
}

#endif
