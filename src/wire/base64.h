// SPDX-License-Identifier: Apache-2.0
/* Base64 (RFC 4648). */
#pragma once

#include "base/buf.h"

/* Append the standard form with padding. */
void skep_base64_encode(struct skep_buf *out, skep_bytes in);

/* Decode the standard or the URL-safe alphabet, with or without padding.
 * out     cap bytes; 3 * s.n / 4 + 3 is always enough
 * Returns false on another character, a length that cannot be, or more than cap octets. */
SKEP_NODISCARD bool skep_base64_decode(skep_str s, uint8_t *out, size_t cap, size_t *ret_n);
