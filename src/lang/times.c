// SPDX-License-Identifier: Apache-2.0
/* Times of a request: unix seconds (fractions allowed) -> ns.
 *
 *   start_time, end_time            that range
 *   start_time, time_range          from start_time on
 *   end_time, time_range            up to end_time
 *   time_range alone                up to now
 *   nothing                         the last two hours
 *   one of the first two alone      with two hours
 *   all three                       refused
 *
 * Threads: none of its own. */
#include <math.h>

#include "base/assert.h"
#include "lang/lang_priv.h"

static const int64_t second_ns = 1000000000;
static const int64_t default_range_ns = 7200 * 1000000000ll;
/* The year 2262 is where ns in 64 bits end; stay a little below. */
static const double seconds_max = 9.2e9;

static int64_t to_ns(double s)
{
    double whole = floor(s);
    return (int64_t)whole * second_ns + llround((s - whole) * 1e9);
}

static skep_rc seconds(struct skep_lang__q *q, yyjson_val *obj, const char *key, bool *ret_is,
                       int64_t *ret_ns)
{
    yyjson_val *v = skep_lang__get(obj, key);
    *ret_is = v != NULL;
    if (!v)
        return SKEP_OK;
    size_t mark = skep_lang__enter(q, key);
    if (!yyjson_is_num(v))
        return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use a number of seconds");
    double s = yyjson_get_num(v);
    if (!(s >= 0 && s <= seconds_max))
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "use unix seconds (not milliseconds)");
    skep_lang__leave(q, mark);
    *ret_ns = to_ns(s);
    return SKEP_OK;
}

static skep_rc check_range(struct skep_lang__q *q, struct skep_time_range *r, bool has_start)
{
    r->start_ns = SKEP_MAX(r->start_ns, 0);
    if (r->end_ns > r->start_ns)
        return SKEP_OK;
    (void)skep_lang__enter(q, has_start ? "start_time" : "time_range");
    return skep_lang__refuse(q, SKEP_LANG_INVALID, "the time range is empty: %s",
                             has_start ? "start_time must lie before end_time"
                                       : "time_range must be above 0");
}

skep_rc skep_lang__times(struct skep_lang__q *q, yyjson_val *obj, struct skep_time_range *ret)
{
    int64_t start = 0, end = q->opts->now_ns, range = default_range_ns;
    bool has_start, has_end, has_range;
    SKEP_TRY(seconds(q, obj, "start_time", &has_start, &start));
    SKEP_TRY(seconds(q, obj, "end_time", &has_end, &end));
    SKEP_TRY(seconds(q, obj, "time_range", &has_range, &range));
    if (has_start && has_end && has_range) {
        (void)skep_lang__enter(q, "time_range");
        return skep_lang__refuse(q, SKEP_LANG_INVALID,
                                 "time_range, start_time and end_time: give at most two");
    }
    if (has_start && !has_end && SKEP_ADD_OVERFLOW(start, range, &end))
        end = INT64_MAX;
    if (!has_start)
        start = end - range;
    *ret = (struct skep_time_range){start, end};
    return check_range(q, ret, has_start);
}

static bool seconds_text(skep_str s, int64_t *ret)
{
    double v;
    if (!skep_str_f64(s, &v) || !(v >= 0 && v <= seconds_max))
        return false;
    *ret = to_ns(v);
    return true;
}

skep_rc skep_lang_range(skep_str start, skep_str end, skep_ts_ns now_ns,
                        struct skep_time_range *ret, struct skep_lang_issue *issue)
{
    struct skep_lang__q q = {.issue = issue};
    struct skep_time_range r = {0, now_ns + 86400 * second_ns};
    if (start.n && !seconds_text(start, &r.start_ns)) {
        (void)skep_lang__enter(&q, "start");
        return skep_lang__refuse(&q, SKEP_LANG_INVALID, "use unix seconds");
    }
    if (end.n && !seconds_text(end, &r.end_ns)) {
        (void)skep_lang__enter(&q, "end");
        return skep_lang__refuse(&q, SKEP_LANG_INVALID, "use unix seconds");
    }
    if (r.end_ns <= r.start_ns) {
        (void)skep_lang__enter(&q, "start");
        return skep_lang__refuse(&q, SKEP_LANG_INVALID, "start must lie before end");
    }
    *ret = r;
    return SKEP_OK;
}
