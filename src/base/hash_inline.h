// SPDX-License-Identifier: Apache-2.0
/* skep_hash for inner loops: the same value without a call. */
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/str.h"

SKEP_INLINE uint64_t skep_hash_inline(skep_bytes b)
{
    return XXH3_64bits(b.n ? b.p : (const uint8_t *)"", b.n);
}
