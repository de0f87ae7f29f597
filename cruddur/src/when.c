// SPDX-License-Identifier: Apache-2.0
/* when.c - moments and how they are written; see when.h
 *
 * Threads: any. Memory: none. */
#include "when.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t when_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); // this clock is always there
    return (int64_t)now.tv_sec * WHEN_SECOND + now.tv_nsec / 1000;
}

const char *when_text(int64_t when_us, bool naive, char ret_text[WHEN_TEXT_BYTES])
{
    int64_t us = when_us % WHEN_SECOND;
    bool before = us < 0; // of 1970: seconds count down, their fractions up
    time_t seconds = (time_t)(when_us / WHEN_SECOND - before);
    us += before ? WHEN_SECOND : 0;
    struct tm tm;
    size_t n = 0;
    if (gmtime_r(&seconds, &tm) != NULL)
        n = strftime(ret_text, WHEN_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    if (us != 0)
        n += (size_t)snprintf(ret_text + n, WHEN_TEXT_BYTES - n, ".%06d", (int)us);
    if (!naive)
        n += (size_t)snprintf(ret_text + n, WHEN_TEXT_BYTES - n, "+00:00");
    ret_text[n] = '\0';
    return ret_text;
}

int64_t when_ttl(const char *word)
{
    static const struct {
        const char *word;
        int64_t us;
    } table[] = {{"30-days", 30 * WHEN_DAY},   {"7-days", 7 * WHEN_DAY},
                 {"3-days", 3 * WHEN_DAY},     {"1-day", WHEN_DAY},
                 {"12-hours", 12 * WHEN_HOUR}, {"3-hours", 3 * WHEN_HOUR},
                 {"1-hour", WHEN_HOUR}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].word, word) == 0)
            return table[i].us;
    return -1;
}
