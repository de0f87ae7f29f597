// SPDX-License-Identifier: Apache-2.0
/* when.h - moments: microseconds since 1970 UTC, and the way the API writes them */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEN_SECOND INT64_C(1000000)
#define WHEN_HOUR   (INT64_C(3600) * WHEN_SECOND)
#define WHEN_DAY    (24 * WHEN_HOUR)

enum { WHEN_TEXT_BYTES = 40 };

/* Now, in microseconds since 1970 UTC. */
int64_t when_now(void);

/* Write a moment in ISO 8601 with microseconds: "2026-11-20T17:15:11.123456+00:00". Full seconds
 * have no fraction. With naive the offset is left out.
 * Returns ret_text. */
const char *when_text(int64_t when_us, bool naive, char ret_text[WHEN_TEXT_BYTES]);

/* How long a post lives, in microseconds, for one of the API's words ("7-days", "12-hours").
 * Returns -1 for any other word. */
int64_t when_ttl(const char *word);
