// SPDX-License-Identifier: Apache-2.0
/* Packed bytes (pack.h).  Threads: any.  Memory: zstd's own context while a call lasts. */
#include "wire/pack.h"

#include <zstd.h>

size_t skep_pack_bound(size_t n)
{
    return ZSTD_compressBound(n);
}

void skep_pack(skep_bytes b, int level, struct skep_buf *out)
{
    size_t bound = skep_pack_bound(b.n);
    if (!skep_buf_reserve(out, bound))
        return;
    size_t n = ZSTD_compress(out->p + out->n, bound, b.p, b.n, level);
    if (ZSTD_isError(n))
        out->bad = true; /* no memory for its context */
    else
        out->n += n;
}

bool skep_packed_bytes(skep_bytes packed, uint64_t most, size_t *ret)
{
    unsigned long long n = ZSTD_getFrameContentSize(packed.p, packed.n);
    if (n == ZSTD_CONTENTSIZE_UNKNOWN || n == ZSTD_CONTENTSIZE_ERROR || n > most)
        return false;
    *ret = (size_t)n;
    return true;
}

bool skep_unpack(skep_bytes packed, uint8_t *to, size_t n)
{
    size_t got = ZSTD_decompress(to, n, packed.p, packed.n);
    return !ZSTD_isError(got) && got == n;
}
