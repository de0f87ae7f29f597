// SPDX-License-Identifier: Apache-2.0
/* gzip inside of a message: small, and of one member. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* How much `in` says it holds: what its last octets claim, at most what deflate can pack. */
uint64_t skep_gunzip_bound(skep_bytes in);
/* Append what `in` holds, as far as out's limit lets it.
 * Returns SKEP_OK | EMALFORMED | ETOOLARGE (it holds more).  Threads: any. */
SKEP_NODISCARD skep_rc skep_gunzip(skep_bytes in, struct skep_buf *out);
