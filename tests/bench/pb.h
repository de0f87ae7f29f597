// SPDX-License-Identifier: Apache-2.0
/* Protobuf fields with lengths as short as all writers make them, for the generators. */
#pragma once

#include "base/buf.h"

static inline void pb_bytes(struct skep_buf *b, unsigned field, const void *p, size_t n)
{
    skep_buf_varint(b, (uint64_t)field << 3 | 2);
    skep_buf_varint(b, n);
    skep_buf_put(b, p, n);
}

/* wire: 0 varint, 1 fixed of 64 bits */
static inline void pb_u64(struct skep_buf *b, unsigned field, unsigned wire, uint64_t v)
{
    skep_buf_varint(b, (uint64_t)field << 3 | wire);
    if (wire == 1)
        skep_buf_u64(b, v);
    else
        skep_buf_varint(b, v);
}
