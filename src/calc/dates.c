// SPDX-License-Identifier: Apache-2.0
/* Instants: milliseconds since 1970, the proleptic Gregorian calendar, UTC or a fixed offset.
 *
 * Zones by name are not known here: they change with an operating system's tables, and answers
 * would, too.
 * Threads: any.  Memory: results in the context's scratch. */
#include "calc/dates.h"

#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "calc/calc_priv.h"

enum { DAY_MS = 86400000, YEAR_MAX = 9999 };
static const int64_t first_ms = -62167219200000, last_ms = 253402300799999;

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};

struct civil {
    int64_t year, month, day, hour, minute, second, ms; /* month and day from 1 */
    int64_t weekday, yearday;                           /* from 0: Sunday, 1 January */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Days since 1970 of a date (Hinnant's algorithm). */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = floor_div(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static struct civil civil_of(int64_t t)
{
    int64_t z = floor_div(t, DAY_MS), rest = t - z * DAY_MS, shifted = z + 719468;
    int64_t era = floor_div(shifted, 146097), doe = shifted - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct civil c = {.day = doy - (153 * mp + 2) / 5 + 1, .month = mp + (mp < 10 ? 3 : -9)};
    c.year = yoe + era * 400 + (c.month <= 2);
    c.hour = rest / 3600000;
    c.minute = rest / 60000 % 60;
    c.second = rest / 1000 % 60;
    c.ms = rest % 1000;
    c.weekday = ((z + 4) % 7 + 7) % 7;
    c.yearday = z - days_of(c.year, 1, 1);
    return c;
}

size_t skep_instant_text(int64_t t_ms, char out[SKEP_INSTANT_BYTES])
{
    struct civil c = civil_of(SKEP_MAX(SKEP_MIN(t_ms, last_ms), first_ms));
    int n =
        snprintf(out, SKEP_INSTANT_BYTES, "%04d-%02d-%02d %02d:%02d:%02d.%03d", (int)c.year,
                 (int)c.month, (int)c.day, (int)c.hour, (int)c.minute, (int)c.second, (int)c.ms);
    return (size_t)n;
}

// --- periods -----------------------------------------------------------------------------------

static const struct unit {
    const char *names[4];
    int64_t ms, months, cap; /* cap 0 = none */
} units[] = {
    {{"ms", "msec", "millisecond", NULL}, 1, 0, 1000},
    {{"s", "sec", "second", NULL}, 1000, 0, 60},
    {{"m", "min", "minute", NULL}, 60000, 0, 60},
    {{"h", "hr", "hour", NULL}, 3600000, 0, 24},
    {{"d", "day", NULL, NULL}, DAY_MS, 0, 0},
    {{"w", "week", NULL, NULL}, 7 * DAY_MS, 0, 0},
    {{"mo", "mon", "month", NULL}, 0, 1, 0},
    {{"q", "qtr", "quarter", NULL}, 0, 3, 0},
    {{"y", "yr", "year", NULL}, 0, 12, 0},
};

static bool named(const struct unit *u, skep_str s)
{
    for (unsigned i = 0; i < 4 && u->names[i]; i++) {
        skep_str name = skep_str_c(u->names[i]);
        bool plural = s.n == name.n + 1 && (s.p[s.n - 1] == 's' || s.p[s.n - 1] == 'S');
        if (skep_str_ieq(s, name) || (plural && skep_str_ieq((skep_str){s.p, name.n}, name)))
            return true;
    }
    return false;
}

bool skep_period_parse(skep_str s, struct skep_period *ret)
{
    size_t digits = 0;
    uint64_t n;
    s = skep_str_trim(s);
    while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
        digits++;
    if (!skep_str_u64((skep_str){s.p, digits}, &n) || n == 0 || n > 100000)
        return false;
    skep_str unit = skep_str_trim(skep_str_skip(s, digits));
    for (size_t i = 0; i < SKEP_ARRAY_LEN(units); i++) {
        if (!named(&units[i], unit))
            continue;
        int64_t v = units[i].cap ? SKEP_MIN((int64_t)n, units[i].cap) : (int64_t)n;
        *ret = units[i].ms ? (struct skep_period){v * units[i].ms, SKEP_PERIOD_MS}
                           : (struct skep_period){v * units[i].months, SKEP_PERIOD_MONTHS};
        return true;
    }
    return false;
}

int64_t skep_period_floor(const struct skep_period *p, int64_t t)
{
    skep_assert(p->n > 0);
    if (p->unit == SKEP_PERIOD_MS) {
        /* Weeks begin on Monday; 1970 began on a Thursday. */
        int64_t shift = p->n % (7 * (int64_t)DAY_MS) == 0 ? 4 * (int64_t)DAY_MS : 0;
        return floor_div(t - shift, p->n) * p->n + shift;
    }
    struct civil c = civil_of(t);
    int64_t month = floor_div(c.year * 12 + c.month - 1 - 1970 * 12, p->n) * p->n + 1970 * 12;
    return days_of(floor_div(month, 12), month - floor_div(month, 12) * 12 + 1, 1) * DAY_MS;
}

int64_t skep_period_before(const struct skep_period *p, int64_t t)
{
    if (p->unit == SKEP_PERIOD_MS)
        return t - p->n;
    struct civil c = civil_of(t);
    int64_t month = c.year * 12 + c.month - 1 - p->n, next = month + 1;
    int64_t first = days_of(floor_div(month, 12), month - floor_div(month, 12) * 12 + 1, 1);
    int64_t last = days_of(floor_div(next, 12), next - floor_div(next, 12) * 12 + 1, 1) - 1;
    return SKEP_MIN(first + c.day - 1, last) * DAY_MS + (t - floor_div(t, DAY_MS) * DAY_MS);
}

static int64_t period_ceil(const struct skep_period *p, int64_t t)
{
    int64_t f = skep_period_floor(p, t);
    if (f == t)
        return t;
    if (p->unit == SKEP_PERIOD_MS)
        return f + p->n;
    struct civil c = civil_of(f);
    int64_t month = c.year * 12 + c.month - 1 + p->n;
    return days_of(floor_div(month, 12), month - floor_div(month, 12) * 12 + 1, 1) * DAY_MS;
}

/* Instants that calendars have: years 0 to 9999. */
static bool instant(const struct skep_calc_ctx *ctx, const skep_value *v, int64_t *ret)
{
    return skep_calc__int_of(ctx, v, ret) && *ret >= first_ms && *ret <= last_ms;
}

static skep_rc prepare_period(struct skep_calc *call, struct skep_arena *a, unsigned *ret_arg,
                              skep_err *err)
{
    skep_str s;
    struct skep_period *p = skep_new(a, struct skep_period);
    SKEP_TRY(skep_calc__const_text(call, 1, &s, ret_arg, err));
    if (!skep_period_parse(s, p))
        return skep_fail(err, SKEP_EINVAL, "a period like 5m, 1h or 1d is expected here");
    call->prepared = p;
    return SKEP_OK;
}

static skep_value date_floor(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *a)
{
    int64_t t;
    return instant(ctx, &a[0], &t) ? skep_calc__int(skep_period_floor(e->prepared, t))
                                   : SKEP_CALC__NULL;
}

static skep_value date_ceil(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                            const skep_value *a)
{
    int64_t t;
    return instant(ctx, &a[0], &t) ? skep_calc__int(period_ceil(e->prepared, t)) : SKEP_CALC__NULL;
}

static skep_value millis(struct skep_calc_ctx *ctx, const struct skep_calc *e, const skep_value *a)
{
    int64_t t;
    (void)e;
    return skep_calc__int_of(ctx, &a[0], &t) ? skep_calc__int(t) : SKEP_CALC__NULL;
}

// --- formats -----------------------------------------------------------------------------------

/* UTC, Z or +02:00, +0200, +02 -> milliseconds. */
static bool offset_of(skep_str s, int64_t *ret)
{
    uint64_t h, m = 0;
    *ret = 0;
    if (s.n == 0 || skep_str_ieq(s, SKEP_STR("UTC")) || skep_str_ieq(s, SKEP_STR("GMT")) ||
        skep_str_ieq(s, SKEP_STR("Z")))
        return true;
    if ((s.p[0] != '+' && s.p[0] != '-') || s.n < 3)
        return false;
    skep_str rest = skep_str_skip(s, 3);
    if (rest.n > 0 && rest.p[0] == ':')
        rest = skep_str_skip(rest, 1);
    if (!skep_str_u64((skep_str){s.p + 1, 2}, &h) || h > 18 ||
        (rest.n > 0 && (rest.n != 2 || !skep_str_u64(rest, &m) || m > 59)))
        return false;
    *ret = (int64_t)(h * 60 + m) * 60000 * (s.p[0] == '-' ? -1 : 1);
    return true;
}

struct format {
    skep_str text;
    int64_t offset_ms;
};

static skep_rc prepare_format(struct skep_calc *call, struct skep_arena *a, unsigned *ret_arg,
                              skep_err *err)
{
    struct format *f = skep_new(a, struct format);
    SKEP_TRY(skep_calc__const_text(call, 1, &f->text, ret_arg, err));
    if (call->n_args > 2) {
        skep_str zone;
        SKEP_TRY(skep_calc__const_text(call, 2, &zone, ret_arg, err));
        if (!offset_of(zone, &f->offset_ms))
            return skep_fail(err, SKEP_EINVAL,
                             "a zone is UTC or an offset like +02:00; names are not known");
    }
    call->prepared = f;
    return SKEP_OK;
}

static void put_conversion(struct skep_buf *b, char c, const struct civil *t, int64_t t_ms,
                           int64_t offset_ms)
{
    int hour12 = (int)(t->hour % 12 == 0 ? 12 : t->hour % 12);
    long long minutes = offset_ms / 60000;
    switch (c) {
    case 'Y': skep_buf_printf(b, "%04lld", (long long)t->year); return;
    case 'y': skep_buf_printf(b, "%02lld", (long long)(t->year % 100)); return;
    case 'm': skep_buf_printf(b, "%02lld", (long long)t->month); return;
    case 'd': skep_buf_printf(b, "%02lld", (long long)t->day); return;
    case 'e': skep_buf_printf(b, "%2lld", (long long)t->day); return;
    case 'j': skep_buf_printf(b, "%03lld", (long long)t->yearday + 1); return;
    case 'H': skep_buf_printf(b, "%02lld", (long long)t->hour); return;
    case 'I': skep_buf_printf(b, "%02d", hour12); return;
    case 'M': skep_buf_printf(b, "%02lld", (long long)t->minute); return;
    case 'S': skep_buf_printf(b, "%02lld", (long long)t->second); return;
    case 'L':
    case 'f': skep_buf_printf(b, "%03lld", (long long)t->ms); return;
    case 'p': skep_buf_str(b, t->hour < 12 ? SKEP_STR("AM") : SKEP_STR("PM")); return;
    case 'b':
    case 'h': skep_buf_printf(b, "%.3s", months[t->month - 1]); return;
    case 'B': skep_buf_printf(b, "%s", months[t->month - 1]); return;
    case 'a': skep_buf_printf(b, "%.3s", days[t->weekday]); return;
    case 'A': skep_buf_printf(b, "%s", days[t->weekday]); return;
    case 'u': skep_buf_printf(b, "%lld", (long long)(t->weekday ? t->weekday : 7)); return;
    case 'w': skep_buf_printf(b, "%lld", (long long)t->weekday); return;
    case 's': skep_buf_printf(b, "%lld", (long long)floor_div(t_ms, 1000)); return;
    case 'F':
        skep_buf_printf(b, "%04lld-%02lld-%02lld", (long long)t->year, (long long)t->month,
                        (long long)t->day);
        return;
    case 'T':
        skep_buf_printf(b, "%02lld:%02lld:%02lld", (long long)t->hour, (long long)t->minute,
                        (long long)t->second);
        return;
    case 'R': skep_buf_printf(b, "%02lld:%02lld", (long long)t->hour, (long long)t->minute); return;
    case 'z':
        skep_buf_printf(b, "%c%02lld%02lld", minutes < 0 ? '-' : '+',
                        (minutes < 0 ? -minutes : minutes) / 60,
                        (minutes < 0 ? -minutes : minutes) % 60);
        return;
    case 'Z': skep_buf_str(b, SKEP_STR("UTC")); return;
    case 'n': skep_buf_u8(b, '\n'); return;
    case 't': skep_buf_u8(b, '\t'); return;
    case '%': skep_buf_u8(b, '%'); return;
    default: skep_buf_printf(b, "%%%c", c); return;
    }
}

void skep_calc__put_instant(struct skep_buf *b, skep_str format, int64_t t_ms, int64_t offset_ms)
{
    struct civil c = civil_of(SKEP_MAX(SKEP_MIN(t_ms, last_ms), first_ms) + offset_ms);
    for (size_t i = 0; i < format.n; i++) {
        if (format.p[i] == '%' && i + 1 < format.n)
            put_conversion(b, format.p[++i], &c, t_ms, offset_ms);
        else
            skep_buf_u8(b, (uint8_t)format.p[i]);
    }
}

/* So many digits at `at`. */
static bool number_at(skep_str s, size_t at, size_t n, int64_t *ret)
{
    uint64_t v;
    if (at + n > s.n || !skep_str_u64((skep_str){s.p + at, n}, &v))
        return false;
    *ret = (int64_t)v;
    return true;
}

bool skep_calc__rfc3339(skep_str s, double *ret)
{
    int64_t y, mo, d, h, mi, sec, offset_ms = 0;
    double fraction = 0, unit = 0.1;
    size_t at = 19;
    if (!number_at(s, 0, 4, &y) || !number_at(s, 5, 2, &mo) || !number_at(s, 8, 2, &d) ||
        !number_at(s, 11, 2, &h) || !number_at(s, 14, 2, &mi) || !number_at(s, 17, 2, &sec))
        return false;
    bool signs = s.p[4] == '-' && s.p[7] == '-' && s.p[13] == ':' && s.p[16] == ':' &&
                 (s.p[10] == 'T' || s.p[10] == 't' || s.p[10] == ' ');
    if (!signs || mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || sec > 60)
        return false;
    if (at < s.n && s.p[at] == '.')
        for (at++; at < s.n && s.p[at] >= '0' && s.p[at] <= '9'; at++, unit /= 10)
            fraction += (s.p[at] - '0') * unit;
    skep_str zone = skep_str_skip(s, at);
    if (zone.n == 0 || !offset_of(zone, &offset_ms))
        return false;
    *ret = (double)(days_of(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - offset_ms / 1000) +
           fraction;
    return true;
}

static skep_value format_date(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                              const skep_value *a)
{
    const struct format *f = e->prepared;
    int64_t t;
    struct skep_buf b;
    if (!instant(ctx, &a[0], &t))
        return SKEP_CALC__NULL;
    skep_buf_init(&b, 4096);
    skep_calc__put_instant(&b, f->text, t, f->offset_ms);
    skep_value v = b.bad ? SKEP_CALC__NULL : skep_calc__copy(ctx, skep_buf_text(&b));
    skep_buf_done(&b);
    return v;
}

/* Digits, at most `max` of them (at least one). */
static bool digits(skep_str *s, unsigned max, int64_t *ret)
{
    unsigned n = 0;
    *ret = 0;
    while (n < max && n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
        *ret = *ret * 10 + (s->p[n++] - '0');
    *s = skep_str_skip(*s, n);
    return n > 0;
}

/* A name, whole or its first three letters; 1-based. */
static bool name_of(skep_str *s, const char *const *names, unsigned n, int64_t *ret)
{
    for (int whole = 1; whole >= 0; whole--) {
        for (unsigned i = 0; i < n; i++) {
            skep_str name = skep_str_c(names[i]);
            name.n = whole ? name.n : 3;
            if (s->n >= name.n && skep_str_ieq((skep_str){s->p, name.n}, name)) {
                *s = skep_str_skip(*s, name.n);
                *ret = i + 1;
                return true;
            }
        }
    }
    return false;
}

struct parsed {
    struct civil c;
    int64_t offset_ms;
    bool pm, has_half, two_digits;
};

static bool parse_zone(skep_str *s, int64_t *ret)
{
    size_t n = 0;
    while (n < s->n && n < 6 &&
           ((s->p[n] >= '0' && s->p[n] <= '9') || s->p[n] == '+' || s->p[n] == '-' ||
            s->p[n] == ':' || (s->p[n] >= 'A' && s->p[n] <= 'Z')))
        n++;
    skep_str zone = {s->p, n};
    *s = skep_str_skip(*s, n);
    return n > 0 && offset_of(zone, ret);
}

/* A letter of a Java format, `run` times; `next_digits`: another number follows at once. */
static bool parse_letter(struct parsed *p, char c, unsigned run, skep_str *s)
{
    int64_t v;
    unsigned wide = run > 1 ? run : 2;
    switch (c) {
    case 'y':
    case 'u': p->two_digits = run == 2; return digits(s, run == 2 ? 2 : 4, &p->c.year);
    case 'M': return run >= 3 ? name_of(s, months, 12, &p->c.month) : digits(s, wide, &p->c.month);
    case 'd': return digits(s, wide, &p->c.day);
    case 'H': return digits(s, wide, &p->c.hour);
    case 'h': return digits(s, wide, &p->c.hour);
    case 'm': return digits(s, wide, &p->c.minute);
    case 's': return digits(s, wide, &p->c.second);
    case 'S': {
        skep_str before = *s;
        if (!digits(s, 9, &v))
            return false;
        size_t n = before.n - s->n;
        for (; n < 3; n++)
            v *= 10;
        for (; n > 3; n--)
            v /= 10;
        p->c.ms = v;
        return true;
    }
    case 'a':
        p->has_half = s->n >= 2 && (s->p[1] == 'M' || s->p[1] == 'm');
        p->pm = p->has_half && (s->p[0] == 'P' || s->p[0] == 'p');
        if (p->has_half)
            *s = skep_str_skip(*s, 2);
        return p->has_half;
    case 'E': return name_of(s, days, 7, &v);
    case 'X':
    case 'x':
    case 'Z':
    case 'z':
    case 'V': return parse_zone(s, &p->offset_ms);
    default: return false;
    }
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool parse_literal(skep_str format, size_t *i, skep_str *s)
{
    if (format.p[*i] == '\'') {
        size_t end = *i + 1;
        while (end < format.n && format.p[end] != '\'')
            end++;
        skep_str text = {format.p + *i + 1, end - *i - 1};
        if (text.n == 0)
            text = SKEP_STR("'");
        *i = end + 1;
        if (!skep_str_starts(*s, text))
            return false;
        *s = skep_str_skip(*s, text.n);
        return true;
    }
    if (s->n == 0 || s->p[0] != format.p[*i])
        return false;
    ++*i;
    *s = skep_str_skip(*s, 1);
    return true;
}

static bool in_calendar(const struct civil *c)
{
    static const uint8_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return c->year >= 0 && c->year <= YEAR_MAX && c->month >= 1 && c->month <= 12 && c->day >= 1 &&
           c->day <= lengths[c->month - 1] && c->hour < 24 && c->minute < 60 && c->second < 61;
}

static skep_value parse_date(struct skep_calc_ctx *ctx, const struct skep_calc *e,
                             const skep_value *a)
{
    const struct format *f = e->prepared;
    char buf[64];
    skep_str s;
    struct parsed p = {.c = {.year = 1970, .month = 1, .day = 1}, .offset_ms = f->offset_ms};
    if (!skep_calc__text_of(ctx, &a[0], buf, &s))
        return SKEP_CALC__NULL;
    for (size_t i = 0; i < f->text.n;) {
        char c = f->text.p[i];
        unsigned run = 0;
        while (is_letter(c) && i + run < f->text.n && f->text.p[i + run] == c)
            run++;
        if (run ? !parse_letter(&p, c, run, &s) : !parse_literal(f->text, &i, &s))
            return SKEP_CALC__NULL;
        i += run;
    }
    if (p.has_half)
        p.c.hour = p.c.hour % 12 + (p.pm ? 12 : 0);
    if (p.two_digits)
        p.c.year += 2000;
    if (s.n > 0 || !in_calendar(&p.c))
        return SKEP_CALC__NULL;
    int64_t t = days_of(p.c.year, p.c.month, p.c.day) * DAY_MS + p.c.hour * 3600000 +
                p.c.minute * 60000 + p.c.second * 1000 + p.c.ms - p.offset_ms;
    return skep_calc__int(t);
}

#define D "date"
const struct skep_calc_fn skep_calc__dates[] = {
    {"datefloor", "datefloor(time, period)", "The begin of the period.", D, 2, 2, date_floor,
     prepare_period, SKEP_CALC_TIME},
    {"dateceil", "dateceil(time, period)", "The begin of the next period.", D, 2, 2, date_ceil,
     prepare_period, SKEP_CALC_TIME},
    {"fromMillis", "fromMillis(number)", "The time so many milliseconds after 1970.", D, 1, 1,
     millis, NULL, SKEP_CALC_TIME},
    {"toMillis", "toMillis(time)", "Milliseconds since 1970.", D, 1, 1, millis, NULL, 0},
    {"parseDate", "parseDate(text, format[, zone])",
     "The time a text writes; the format is Java's (yyyy-MM-dd'T'HH:mm:ss.SSSX).", D, 2, 3,
     parse_date, prepare_format, SKEP_CALC_TIME},
    {"formatDate", "formatDate(time, format[, zone])", "The time as text (%Y-%m-%d %H:%M:%S).", D,
     2, 3, format_date, prepare_format, 0},
    {"strftime", "strftime(time, format[, zone])", "The time as text (%Y-%m-%d %H:%M:%S).", D, 2, 3,
     format_date, prepare_format, 0},
    {.name = NULL},
};
