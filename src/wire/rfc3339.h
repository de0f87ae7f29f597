// SPDX-License-Identifier: Apache-2.0
/* Instants as RFC 3339 text, written in UTC: "2026-11-20T19:54:00.123456789Z". */
#pragma once

#include "base/str.h"

enum { SKEP_RFC3339_BYTES = 40 };

/* Write ns since 1970 with `digits` (0..9) digits of fraction, cut, not rounded.
 * out      out[SKEP_RFC3339_BYTES], no NUL
 * Returns its length.  Any int64 is fine: 1677 to 2262. */
size_t skep_rfc3339(int64_t ns, unsigned digits, char out[SKEP_RFC3339_BYTES]);

/* Read such a text, also with an offset ("+02:00", "-0700"), a blank for the T, and any number of
 * digits of fraction (those beyond nanoseconds are cut). Returns false for anything else, days that
 * no month has, and instants outside of an int64 of ns. */
SKEP_NODISCARD bool skep_rfc3339_parse(skep_str s, int64_t *ret_ns);
