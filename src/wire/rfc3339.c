// SPDX-License-Identifier: Apache-2.0
/* Days to civil dates by Hinnant's method: years begin on March 1st, so that the leap day is the
 * last day of a year and an era of 400 years has 146,097 days. Threads: any.  Memory: none. */
#include "wire/rfc3339.h"

#include <stdio.h>

#include "base/assert.h"

struct date {
    int64_t year;
    unsigned month, day; /* from 1 */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static struct date civil(int64_t days)
{
    int64_t z = days + 719468; /* since 0000-03-01 */
    int64_t era = floor_div(z, 146097);
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    unsigned month = mp < 10 ? mp + 3 : mp - 9;
    return (struct date){.year = (int64_t)yoe + era * 400 + (month <= 2),
                         .month = month,
                         .day = doy - (153 * mp + 2) / 5 + 1};
}

size_t skep_rfc3339(int64_t ns, unsigned digits, char out[SKEP_RFC3339_BYTES])
{
    static const unsigned pow10[] = {1000000000, 100000000, 10000000, 1000000, 100000,
                                     10000,      1000,      100,      10,      1};
    skep_assert(digits <= 9);
    int64_t seconds = floor_div(ns, 1000000000);
    unsigned fraction = (unsigned)(ns - seconds * 1000000000);
    int64_t days = floor_div(seconds, 86400);
    unsigned s = (unsigned)(seconds - days * 86400);
    struct date d = civil(days);
    int n = snprintf(out, SKEP_RFC3339_BYTES, "%04lld-%02u-%02uT%02u:%02u:%02u", (long long)d.year,
                     d.month, d.day, s / 3600, s / 60 % 60, s % 60);
    if (digits)
        n += snprintf(out + n, SKEP_RFC3339_BYTES - (size_t)n, ".%0*u", (int)digits,
                      fraction / pow10[digits]);
    skep_assert(n > 0 && n + 1 < SKEP_RFC3339_BYTES);
    out[n++] = 'Z';
    return (size_t)n;
}
