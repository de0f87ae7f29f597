// SPDX-License-Identifier: Apache-2.0
/* Members of an X-Ray request, checked as AWS checks them and with its words:
 *
 *   2 validation errors detected: Value null at 'startTime' failed to satisfy constraint: Member
 *   must not be null; Value '0' at 'samplingRule.priority' failed to satisfy constraint: Member
 *   must have value greater than or equal to 1
 *
 * I1  A helper never fails: it notes and gives the neutral value, so that one answer names all that
 *     is wrong.  A wrong JSON type outranks the others, because AWS's deserializer comes first.
 *
 * Threads: the request's worker. */
#include "api/xray_priv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"

static void add(struct skep_api__xray *x, const char *fmt, ...) SKEP_PRINTF(2, 3);
static void add(struct skep_api__xray *x, const char *fmt, ...)
{
    va_list ap;
    size_t room = sizeof x->wrong - x->wrong_n;
    va_start(ap, fmt);
    int n = vsnprintf(x->wrong + x->wrong_n, room, fmt, ap);
    va_end(ap);
    if (n > 0)
        x->wrong_n += SKEP_MIN((size_t)n, room - 1);
}

/* "StartTime" is 'startTime' in AWS's messages. */
static char first_letter(const char *key)
{
    return key[0] >= 'A' && key[0] <= 'Z' ? (char)(key[0] - 'A' + 'a') : key[0];
}

void skep_api__xray_wrong(struct skep_api__xray *x, const char *key, yyjson_val *v,
                          const char *constraint)
{
    char number[SKEP_JSON_NUMBER_BYTES];
    skep_str shown = SKEP_STR("[...]");
    if (yyjson_is_str(v))
        shown = (skep_str){yyjson_get_str(v), SKEP_MIN(yyjson_get_len(v), (size_t)64)};
    else if (yyjson_is_int(v))
        shown = (skep_str){
            number, (size_t)snprintf(number, sizeof number, "%lld", (long long)yyjson_get_sint(v))};
    else if (yyjson_is_real(v))
        shown = (skep_str){number, skep_json_f64_text(yyjson_get_real(v), number)};
    add(x, x->n_wrong++ ? "; Value " : "Value ");
    if (v)
        add(x, "'" SKEP_STRFMT "'", SKEP_STRARG(shown));
    else
        add(x, "null");
    add(x, " at '%.*s%c%s' failed to satisfy constraint: %s", (int)x->path_n, x->path,
        first_letter(key), key + 1, constraint);
}

static void mistyped(struct skep_api__xray *x, const char *key, const char *want)
{
    if (x->mistyped[0] == '\0')
        (void)snprintf(x->mistyped, sizeof x->mistyped, "'%.*s%c%s' must be %s", (int)x->path_n,
                       x->path, first_letter(key), key + 1, want);
}

size_t skep_api__xray_enter(struct skep_api__xray *x, const char *key)
{
    size_t mark = x->path_n, room = sizeof x->path - mark;
    int n = snprintf(x->path + mark, room, "%c%s.", first_letter(key), key + 1);
    skep_assert(n > 0);
    x->path_n += SKEP_MIN((size_t)n, room - 1);
    return mark;
}

size_t skep_api__xray_enter_item(struct skep_api__xray *x, const char *key, size_t i)
{
    size_t mark = skep_api__xray_enter(x, key), room = sizeof x->path - x->path_n;
    int n = snprintf(x->path + x->path_n, room, "%zu.member.", i + 1);
    x->path_n += SKEP_MIN((size_t)n, room - 1);
    return mark;
}

/* A member; NULL when absent or null, noted when it must be there. */
static yyjson_val *member(struct skep_api__xray *x, yyjson_val *obj, const char *key, bool required)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    if (v && !yyjson_is_null(v))
        return v;
    if (required)
        skep_api__xray_wrong(x, key, NULL, "Member must not be null");
    return NULL;
}

static void check_length(struct skep_api__xray *x, const char *key, yyjson_val *v, size_t n,
                         const struct skep_xray_len *len)
{
    char text[96];
    bool small = n < len->min, large = len->max && n > len->max;
    if (!small && !large)
        return;
    (void)snprintf(text, sizeof text, "Member must have length %s than or equal to %zu",
                   small ? "greater" : "less", small ? len->min : len->max);
    skep_api__xray_wrong(x, key, v, text);
}

skep_str skep_api__xray_str(struct skep_api__xray *x, yyjson_val *obj, const char *key,
                            const struct skep_xray_len *len)
{
    yyjson_val *v = member(x, obj, key, len->required);
    if (!v)
        return SKEP_STR_NULL;
    if (!yyjson_is_str(v)) {
        mistyped(x, key, "a string");
        return SKEP_STR_NULL;
    }
    skep_str s = {yyjson_get_str(v), yyjson_get_len(v)};
    size_t characters = 0;
    for (size_t i = 0; i < s.n; i++)
        characters += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    check_length(x, key, v, characters, len);
    return s;
}

yyjson_val *skep_api__xray_list(struct skep_api__xray *x, yyjson_val *obj, const char *key,
                                const struct skep_xray_len *len)
{
    yyjson_val *v = member(x, obj, key, len->required);
    if (v && !yyjson_is_arr(v)) {
        mistyped(x, key, "a list");
        return NULL;
    }
    if (v)
        check_length(x, key, v, yyjson_arr_size(v), len);
    return v;
}

yyjson_val *skep_api__xray_object(struct skep_api__xray *x, yyjson_val *obj, const char *key,
                                  bool required)
{
    yyjson_val *v = member(x, obj, key, required);
    if (v && !yyjson_is_obj(v)) {
        mistyped(x, key, "an object");
        return NULL;
    }
    return v;
}

bool skep_api__xray_number(struct skep_api__xray *x, yyjson_val *obj, const char *key,
                           const struct skep_xray_range *range, double *ret)
{
    char text[96];
    yyjson_val *v = member(x, obj, key, range->required);
    if (!v)
        return false;
    if (!yyjson_is_num(v)) {
        mistyped(x, key, "a number");
        return false;
    }
    double f = yyjson_get_num(v);
    bool small = f<range->min, large = f> range->max;
    if (small || large) {
        (void)snprintf(text, sizeof text, "Member must have value %s than or equal to %.15g",
                       small ? "greater" : "less", small ? range->min : range->max);
        skep_api__xray_wrong(x, key, v, text);
        return false;
    }
    *ret = f;
    return true;
}

bool skep_api__xray_int(struct skep_api__xray *x, yyjson_val *obj, const char *key,
                        const struct skep_xray_range *range, int64_t *ret)
{
    double f = 0;
    skep_assert(range->min >= -9e15 && range->max <= 9e15);
    if (!skep_api__xray_number(x, obj, key, range, &f))
        return false;
    if (f != trunc(f)) {
        mistyped(x, key, "an integer");
        return false;
    }
    *ret = (int64_t)f;
    return true;
}

bool skep_api__xray_bool(struct skep_api__xray *x, yyjson_val *obj, const char *key, bool absent)
{
    yyjson_val *v = member(x, obj, key, false);
    if (v && !yyjson_is_bool(v))
        mistyped(x, key, "a boolean");
    return v && yyjson_is_bool(v) ? yyjson_get_bool(v) : absent;
}

int skep_api__xray_enum(struct skep_api__xray *x, yyjson_val *obj, const char *key, bool required,
                        const char *const *names, unsigned n)
{
    char text[200];
    size_t at = 0;
    skep_str s = skep_api__xray_str(x, obj, key, &(struct skep_xray_len){.required = required});
    yyjson_val *v = yyjson_obj_get(obj, key);
    if (!yyjson_is_str(v))
        return -1;
    for (unsigned i = 0; i < n; i++)
        if (skep_str_eq(s, skep_str_c(names[i])))
            return (int)i;
    for (unsigned i = 0; i < n; i++) {
        int k = snprintf(text + at, sizeof text - at, "%s%s",
                         i ? ", " : "Member must satisfy enum value set: [", names[i]);
        at += SKEP_MIN((size_t)SKEP_MAX(k, 0), sizeof text - at - 1);
    }
    (void)snprintf(text + at, sizeof text - at, "]");
    skep_api__xray_wrong(x, key, v, text);
    return -1;
}

bool skep_api__xray_time(struct skep_api__xray *x, yyjson_val *obj, const char *key, bool required,
                         skep_ts_ns *ret_ns)
{
    /* Seconds whose nanoseconds fit; the year 2262 is far enough for a clock that is wrong. */
    static const double max_s = 9223372036.0;
    yyjson_val *v = member(x, obj, key, required);
    if (!v)
        return false;
    if (!yyjson_is_num(v)) {
        mistyped(x, key, "a number of seconds since 1970");
        return false;
    }
    if (yyjson_is_int(v) && yyjson_get_num(v) >= -max_s && yyjson_get_num(v) <= max_s) {
        *ret_ns = yyjson_get_sint(v) * 1000000000;
        return true;
    }
    double f = yyjson_get_num(v);
    if (!(f >= -max_s && f <= max_s)) {
        skep_api__xray_wrong(x, key, v, "Member must be a time in seconds since 1970");
        return false;
    }
    /* Whole and fraction apart: a double has not the digits for nanoseconds of today. */
    double whole = floor(f);
    *ret_ns = (int64_t)whole * 1000000000 + (int64_t)((f - whole) * 1e6 + 0.5) * 1000;
    return true;
}

void skep_api__xray_period(struct skep_api__xray *x, struct skep_time_range *ret)
{
    skep_ts_ns start = 0, end = 0;
    bool from = skep_api__xray_time(x, x->in, "StartTime", true, &start);
    bool to = skep_api__xray_time(x, x->in, "EndTime", true, &end);
    if (from && to && start >= end)
        skep_api__xray_wrong(x, "StartTime", yyjson_obj_get(x->in, "StartTime"),
                             "Member must be earlier than 'endTime'");
    *ret = (struct skep_time_range){start, end};
}

bool skep_api__xray_valid(struct skep_api__xray *x)
{
    if (x->mistyped[0]) {
        skep_api__xray_fail(x, SKEP_XRAY_SERIALIZATION, "%s", x->mistyped);
        return false;
    }
    if (x->n_wrong) {
        skep_api__xray_fail(x, SKEP_XRAY_INVALID_REQUEST, "%u validation error%s detected: %.*s",
                            x->n_wrong, x->n_wrong == 1 ? "" : "s", (int)x->wrong_n, x->wrong);
        return false;
    }
    return true;
}
