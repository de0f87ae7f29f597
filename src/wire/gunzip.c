// SPDX-License-Identifier: Apache-2.0
/* One gzip member, decoded in one call.  Its last four octets say how much it holds; they are a
 * hint that a sender can forge, so it is only believed up to what deflate can pack (1,032 times)
 * and the buffer's limit. Threads: the caller's.  Memory: the buffer, and a decoder for the call.
 */
#include "wire/gunzip.h"

#include <libdeflate.h>

#include "base/assert.h"
#include "base/bytes.h"

enum { RATIO_MAX = 1032, MEMBER_MIN = 18 };

uint64_t skep_gunzip_bound(skep_bytes in)
{
    if (in.n < MEMBER_MIN)
        return 0;
    return SKEP_MIN((uint64_t)skep_load_le32(in.p + in.n - 4), (uint64_t)RATIO_MAX * in.n);
}

skep_rc skep_gunzip(skep_bytes in, struct skep_buf *out)
{
    size_t n = 0;
    if (in.n < MEMBER_MIN || in.p[0] != 0x1f || in.p[1] != 0x8b)
        return SKEP_EMALFORMED;
    uint64_t says = skep_load_le32(in.p + in.n - 4);
    if (says > (uint64_t)RATIO_MAX * in.n)
        return SKEP_EMALFORMED;
    if (says > out->limit - out->n || !skep_buf_reserve(out, says ? says : 1))
        return SKEP_ETOOLARGE;
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    skep_assert(d != NULL); /* like skep_malloc: small, and there is no going on without */
    enum libdeflate_result r = libdeflate_gzip_decompress(d, in.p, in.n, out->p + out->n, says, &n);
    libdeflate_free_decompressor(d);
    if (r != LIBDEFLATE_SUCCESS)
        return SKEP_EMALFORMED;
    out->n += n;
    return SKEP_OK;
}
