// SPDX-License-Identifier: Apache-2.0
/* Bytes packed by zstd, in one frame that says how many they are. */
#pragma once

#include "base/buf.h"

/* Room that packing n bytes takes, at most. */
size_t skep_pack_bound(size_t n);
/* Append the packed bytes; `out` is bad when its limit leaves less room than the bound. */
void skep_pack(skep_bytes b, int level, struct skep_buf *out);
/* How many bytes are packed there; false when that is no such frame, or they are more than `most`.
 */
SKEP_NODISCARD bool skep_packed_bytes(skep_bytes packed, uint64_t most, size_t *ret);
/* Unpack into to[n], n as skep_packed_bytes says; false when the frame is damaged. */
SKEP_NODISCARD bool skep_unpack(skep_bytes packed, uint8_t *to, size_t n);
