// SPDX-License-Identifier: Apache-2.0
/* Days to civil dates by Hinnant's method: years begin on March 1st, so that the leap day is the
 * last day of a year and an era of 400 years has 146,097 days. Threads: any.  Memory: none. */
#include "wire/rfc3339.h"

#include <stdio.h>
#include <string.h>

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

// --- reading -----------------------------------------------------------------------------------

/* Exactly n digits from the front of *s. */
static bool digits(skep_str *s, unsigned n, unsigned *ret)
{
    unsigned v = 0;
    if (s->n < n)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        v = 10 * v + (unsigned)(s->p[i] - '0');
    }
    *s = skep_str_skip(*s, n);
    *ret = v;
    return true;
}

static bool sign(skep_str *s, const char *any, char *ret)
{
    if (s->n == 0 || s->p[0] == '\0' || !strchr(any, s->p[0]))
        return false;
    *ret = s->p[0];
    *s = skep_str_skip(*s, 1);
    return true;
}

static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = floor_div(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * ((int64_t)m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool read_date(skep_str *s, int64_t *ret_days)
{
    unsigned y, m, d;
    char c;
    if (!digits(s, 4, &y) || !sign(s, "-", &c) || !digits(s, 2, &m) || !sign(s, "-", &c) ||
        !digits(s, 2, &d) || m < 1 || m > 12 || d < 1)
        return false;
    *ret_days = days_of(y, m, d);
    struct date back = civil(*ret_days);
    return back.month == m && back.day == d;
}

/* Nanoseconds of ".123"; no dot: none. */
static bool read_fraction(skep_str *s, unsigned *ret_ns)
{
    unsigned scale = 100000000, n = 0;
    char c;
    *ret_ns = 0;
    if (!sign(s, ".,", &c))
        return true;
    for (; s->n && s->p[0] >= '0' && s->p[0] <= '9'; n++) {
        *ret_ns += (unsigned)(s->p[0] - '0') * scale;
        scale /= 10;
        *s = skep_str_skip(*s, 1);
    }
    return n > 0;
}

static bool read_offset(skep_str *s, int64_t *ret_s)
{
    unsigned h, m;
    char c, colon;
    *ret_s = 0;
    if (sign(s, "Zz", &c))
        return true;
    if (!sign(s, "+-", &c) || !digits(s, 2, &h))
        return false;
    (void)sign(s, ":", &colon); /* with or without */
    if (!digits(s, 2, &m) || h > 23 || m > 59)
        return false;
    *ret_s = (c == '-' ? -1 : 1) * (int64_t)(h * 3600 + m * 60);
    return true;
}

bool skep_rfc3339_parse(skep_str s, int64_t *ret_ns)
{
    int64_t days, offset, ns;
    unsigned h, m, sec, fraction;
    char c;
    if (!read_date(&s, &days) || !sign(&s, "Tt ", &c) || !digits(&s, 2, &h) || !sign(&s, ":", &c) ||
        !digits(&s, 2, &m) || !sign(&s, ":", &c) || !digits(&s, 2, &sec) || h > 23 || m > 59 ||
        sec > 60 || !read_fraction(&s, &fraction) || !read_offset(&s, &offset) || s.n > 0)
        return false;
    int64_t seconds = days * 86400 + h * 3600 + m * 60 + sec - offset;
    if (SKEP_MUL_OVERFLOW(seconds, (int64_t)1000000000, &ns) ||
        SKEP_ADD_OVERFLOW(ns, (int64_t)fraction, &ns))
        return false;
    *ret_ns = ns;
    return true;
}
