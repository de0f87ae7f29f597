// SPDX-License-Identifier: Apache-2.0
/* Instants as RFC 3339 text in UTC: "2026-11-20T19:54:00.123456789Z". */
#pragma once

#include "base/str.h"

enum { SKEP_RFC3339_BYTES = 40 };

/* Write ns since 1970 with `digits` (0..9) digits of fraction, cut, not rounded.
 * out      out[SKEP_RFC3339_BYTES], no NUL
 * Returns its length.  Any int64 is fine: 1677 to 2262. */
size_t skep_rfc3339(int64_t ns, unsigned digits, char out[SKEP_RFC3339_BYTES]);
