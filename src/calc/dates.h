// SPDX-License-Identifier: Apache-2.0
/* Periods and instants, for those who make plans or texts of them. */
#pragma once

#include "base/compiler.h"
#include "base/str.h"

/* A length of time as languages write it: "5m", "2 hours", "3mo". */
struct skep_period {
    int64_t n;
    enum { SKEP_PERIOD_MS, SKEP_PERIOD_MONTHS } unit; /* of MS: n is all of it in milliseconds */
};

/* Read one; values over what clocks show are capped: 1000 ms, 60 s, 60 m, 24 h.
 * Returns false when it is none. */
SKEP_NODISCARD bool skep_period_parse(skep_str s, struct skep_period *ret);

/* The last multiple of the period that is not after t (milliseconds since 1970). */
int64_t skep_period_floor(const struct skep_period *p, int64_t t_ms);

/* The instant one period before t; by months it is the same time of the same day, or of the month's
 * last. */
int64_t skep_period_before(const struct skep_period *p, int64_t t_ms);

enum { SKEP_INSTANT_BYTES = 32 };
/* "2026-11-20 17:15:11.725", UTC.  Returns the length; years are 0000 to 9999, cut there. */
size_t skep_instant_text(int64_t t_ms, char out[SKEP_INSTANT_BYTES]);
