// SPDX-License-Identifier: Apache-2.0
/* Writing messages of an AWS event stream (eventstream.h).  Pure; threads: any. */
#include "wire/eventstream.h"

#include <libdeflate.h>

#include "base/assert.h"
#include "base/bytes.h"

enum { PRELUDE = 8, CRC = 4, TYPE_TEXT = 7 };

static void put_u16(struct skep_buf *to, uint16_t v)
{
    skep_buf_u8(to, (uint8_t)(v >> 8));
    skep_buf_u8(to, (uint8_t)v);
}

static void put_u32(struct skep_buf *to, uint32_t v)
{
    put_u16(to, (uint16_t)(v >> 16));
    put_u16(to, (uint16_t)v);
}

void skep_eventstream_put(struct skep_buf *to, const struct skep_eventstream_header *headers,
                          unsigned n_headers, skep_bytes payload)
{
    size_t start = to->n, bytes = 0;
    for (unsigned i = 0; i < n_headers; i++) {
        skep_assert(headers[i].name.n <= UINT8_MAX && headers[i].value.n <= UINT16_MAX);
        bytes += 4 + headers[i].name.n + headers[i].value.n;
    }
    size_t total = PRELUDE + CRC + bytes + payload.n + CRC;
    if (total > UINT32_MAX || !skep_buf_reserve(to, total))
        return;
    put_u32(to, (uint32_t)total);
    put_u32(to, (uint32_t)bytes);
    put_u32(to, libdeflate_crc32(0, to->p + start, PRELUDE));
    for (unsigned i = 0; i < n_headers; i++) {
        skep_buf_u8(to, (uint8_t)headers[i].name.n);
        skep_buf_str(to, headers[i].name);
        skep_buf_u8(to, TYPE_TEXT);
        put_u16(to, (uint16_t)headers[i].value.n);
        skep_buf_str(to, headers[i].value);
    }
    skep_buf_put(to, payload.p, payload.n);
    put_u32(to, libdeflate_crc32(0, to->p + start, to->n - start));
    skep_assert(to->n - start == total);
}
