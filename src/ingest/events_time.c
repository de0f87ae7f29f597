// SPDX-License-Identifier: Apache-2.0
/* Times and sample rates of events.
 *
 * Numbers say by their size what they count, as libhoney's servers take them: ten digits are
 * seconds, 13 milliseconds, 16 microseconds, 19 nanoseconds.
 * Threads: any.  Memory: none. */
#include "ingest/events.h"

#include "base/assert.h"
#include "wire/rfc3339.h"

/* Digits of a fraction as a part of 1e9. */
static bool fraction(skep_str s, int64_t *ret)
{
    int64_t scale = 1000000000;
    *ret = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        scale /= 10;
        *ret += (s.p[i] - '0') * scale;
    }
    return true;
}

/* n units, of which the size tells the length. */
static bool scaled(int64_t n, int64_t part, skep_ts_ns *ret)
{
    int64_t unit = n < 100000000000         ? 1000000000
                   : n < 100000000000000    ? 1000000
                   : n < 100000000000000000 ? 1000
                                            : 1;
    return n >= 0 && !SKEP_MUL_OVERFLOW(n, unit, ret) &&
           !SKEP_ADD_OVERFLOW(*ret, part / (1000000000 / unit), ret);
}

static bool scaled_real(double f, skep_ts_ns *ret)
{
    if (!(f >= 0 && f < 9e18))
        return false;
    int64_t n = (int64_t)f;
    return scaled(n, (int64_t)((f - (double)n) * 1e9), ret);
}

bool skep_events_time(skep_str text, skep_ts_ns *ret)
{
    skep_str s = skep_str_trim(text), rest = s;
    int64_t n, part;
    double f;
    if (skep_rfc3339_parse(s, ret))
        return true;
    skep_str whole = skep_str_cut(&rest, '.');
    if (whole.n && skep_str_i64(whole, &n) && fraction(rest, &part))
        return scaled(n, part, ret);
    return skep_str_f64(s, &f) && scaled_real(f, ret); /* 1.7643e9 */
}

bool skep_events_instant(yyjson_val *v, skep_ts_ns *ret)
{
    if (yyjson_is_str(v))
        return skep_events_time((skep_str){yyjson_get_str(v), yyjson_get_len(v)}, ret);
    if (yyjson_is_real(v))
        return scaled_real(yyjson_get_real(v), ret);
    return yyjson_is_int(v) && yyjson_get_num(v) < 9e18 && scaled(yyjson_get_sint(v), 0, ret);
}

static uint32_t rate_of(double f)
{
    return !(f >= 1) ? 1 : f >= UINT32_MAX ? UINT32_MAX : (uint32_t)(f + 0.5);
}

uint32_t skep_events_rate(skep_str text)
{
    double f;
    return skep_str_f64(skep_str_trim(text), &f) ? rate_of(f) : 1;
}

void skep_events_item(yyjson_val *item, struct skep_events_one *ret)
{
    yyjson_val *rate = yyjson_obj_get(item, "samplerate");
    *ret = (struct skep_events_one){
        .when = yyjson_obj_get(item, "time"), .rate = 1, .data = yyjson_obj_get(item, "data")};
    if (yyjson_is_str(rate))
        ret->rate = skep_events_rate((skep_str){yyjson_get_str(rate), yyjson_get_len(rate)});
    else if (yyjson_is_num(rate))
        ret->rate = rate_of(yyjson_get_num(rate));
}
