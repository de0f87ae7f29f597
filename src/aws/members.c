// SPDX-License-Identifier: Apache-2.0
/* Members of a request, checked as AWS checks them and with its words:
 *
 *   2 validation errors detected: Value null at 'startTime' failed to satisfy constraint: Member
 *   must not be null; Value '0' at 'samplingRule.priority' failed to satisfy constraint: Member
 *   must have value greater than or equal to 1
 *
 * I1  A helper never fails: it notes and gives the neutral value, so that one answer names all that
 *     is wrong.  A wrong JSON type outranks the others, because AWS's deserializer comes first.
 *
 * Threads: one a request. */
#include "aws/members.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "wire/json_out.h"

static void add(struct skep_aws_in *in, const char *fmt, ...) SKEP_PRINTF(2, 3);
static void add(struct skep_aws_in *in, const char *fmt, ...)
{
    va_list ap;
    size_t room = sizeof in->wrong - in->wrong_n;
    va_start(ap, fmt);
    int n = vsnprintf(in->wrong + in->wrong_n, room, fmt, ap);
    va_end(ap);
    if (n > 0)
        in->wrong_n += SKEP_MIN((size_t)n, room - 1);
}

/* "StartTime" is 'startTime' in AWS's messages. */
static char first_letter(const char *key)
{
    return key[0] >= 'A' && key[0] <= 'Z' ? (char)(key[0] - 'A' + 'a') : key[0];
}

void skep_aws_wrong(struct skep_aws_in *in, const char *key, yyjson_val *v, const char *constraint)
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
    add(in, in->n_wrong++ ? "; Value " : "Value ");
    if (v)
        add(in, "'" SKEP_STRFMT "'", SKEP_STRARG(shown));
    else
        add(in, "null");
    add(in, " at '%.*s%c%s' failed to satisfy constraint: %s", (int)in->path_n, in->path,
        first_letter(key), key + 1, constraint);
}

static void mistyped(struct skep_aws_in *in, const char *key, const char *want)
{
    if (in->mistyped[0] == '\0')
        (void)snprintf(in->mistyped, sizeof in->mistyped, "'%.*s%c%s' must be %s", (int)in->path_n,
                       in->path, first_letter(key), key + 1, want);
}

size_t skep_aws_enter(struct skep_aws_in *in, const char *key)
{
    size_t mark = in->path_n, room = sizeof in->path - mark;
    int n = snprintf(in->path + mark, room, "%c%s.", first_letter(key), key + 1);
    skep_assert(n > 0);
    in->path_n += SKEP_MIN((size_t)n, room - 1);
    return mark;
}

size_t skep_aws_enter_item(struct skep_aws_in *in, const char *key, size_t i)
{
    size_t mark = skep_aws_enter(in, key), room = sizeof in->path - in->path_n;
    int n = snprintf(in->path + in->path_n, room, "%zu.member.", i + 1);
    in->path_n += SKEP_MIN((size_t)n, room - 1);
    return mark;
}

/* A member; NULL when absent or null, noted when it must be there. */
static yyjson_val *member(struct skep_aws_in *in, yyjson_val *obj, const char *key, bool required)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    if (v && !yyjson_is_null(v))
        return v;
    if (required)
        skep_aws_wrong(in, key, NULL, "Member must not be null");
    return NULL;
}

static void check_length(struct skep_aws_in *in, const char *key, yyjson_val *v, size_t n,
                         const struct skep_aws_len *len)
{
    char text[96];
    bool small = n < len->min, large = len->max && n > len->max;
    if (!small && !large)
        return;
    (void)snprintf(text, sizeof text, "Member must have length %s than or equal to %zu",
                   small ? "greater" : "less", small ? len->min : len->max);
    skep_aws_wrong(in, key, v, text);
}

skep_str skep_aws_str(struct skep_aws_in *in, yyjson_val *obj, const char *key,
                      const struct skep_aws_len *len)
{
    yyjson_val *v = member(in, obj, key, len->required);
    if (!v)
        return SKEP_STR_NULL;
    if (!yyjson_is_str(v)) {
        mistyped(in, key, "a string");
        return SKEP_STR_NULL;
    }
    skep_str s = {yyjson_get_str(v), yyjson_get_len(v)};
    size_t characters = 0;
    for (size_t i = 0; i < s.n; i++)
        characters += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    check_length(in, key, v, characters, len);
    return s;
}

yyjson_val *skep_aws_list(struct skep_aws_in *in, yyjson_val *obj, const char *key,
                          const struct skep_aws_len *len)
{
    yyjson_val *v = member(in, obj, key, len->required);
    if (v && !yyjson_is_arr(v)) {
        mistyped(in, key, "a list");
        return NULL;
    }
    if (v)
        check_length(in, key, v, yyjson_arr_size(v), len);
    return v;
}

yyjson_val *skep_aws_object(struct skep_aws_in *in, yyjson_val *obj, const char *key, bool required)
{
    yyjson_val *v = member(in, obj, key, required);
    if (v && !yyjson_is_obj(v)) {
        mistyped(in, key, "an object");
        return NULL;
    }
    return v;
}

bool skep_aws_number(struct skep_aws_in *in, yyjson_val *obj, const char *key,
                     const struct skep_aws_range *range, double *ret)
{
    char text[96];
    yyjson_val *v = member(in, obj, key, range->required);
    if (!v)
        return false;
    if (!yyjson_is_num(v)) {
        mistyped(in, key, "a number");
        return false;
    }
    double f = yyjson_get_num(v);
    bool small = f<range->min, large = f> range->max;
    if (small || large) {
        (void)snprintf(text, sizeof text, "Member must have value %s than or equal to %.15g",
                       small ? "greater" : "less", small ? range->min : range->max);
        skep_aws_wrong(in, key, v, text);
        return false;
    }
    *ret = f;
    return true;
}

bool skep_aws_int(struct skep_aws_in *in, yyjson_val *obj, const char *key,
                  const struct skep_aws_range *range, int64_t *ret)
{
    double f = 0;
    skep_assert(range->min >= -9e15 && range->max <= 9e15);
    if (!skep_aws_number(in, obj, key, range, &f))
        return false;
    if (f != trunc(f)) {
        mistyped(in, key, "an integer");
        return false;
    }
    *ret = (int64_t)f;
    return true;
}

bool skep_aws_bool(struct skep_aws_in *in, yyjson_val *obj, const char *key, bool absent)
{
    yyjson_val *v = member(in, obj, key, false);
    if (v && !yyjson_is_bool(v))
        mistyped(in, key, "a boolean");
    return v && yyjson_is_bool(v) ? yyjson_get_bool(v) : absent;
}

int skep_aws_enum(struct skep_aws_in *in, yyjson_val *obj, const char *key, bool required,
                  const char *const *names, unsigned n)
{
    char text[200];
    size_t at = 0;
    skep_str s = skep_aws_str(in, obj, key, &(struct skep_aws_len){.required = required});
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
    skep_aws_wrong(in, key, v, text);
    return -1;
}

bool skep_aws_time(struct skep_aws_in *in, yyjson_val *obj, const char *key, bool required,
                   skep_ts_ns *ret_ns)
{
    /* Seconds whose nanoseconds fit; the year 2262 is far enough for a clock that is wrong. */
    static const double max_s = 9223372036.0;
    yyjson_val *v = member(in, obj, key, required);
    if (!v)
        return false;
    if (!yyjson_is_num(v)) {
        mistyped(in, key, "a number of seconds since 1970");
        return false;
    }
    if (yyjson_is_int(v) && yyjson_get_num(v) >= -max_s && yyjson_get_num(v) <= max_s) {
        *ret_ns = yyjson_get_sint(v) * 1000000000;
        return true;
    }
    double f = yyjson_get_num(v);
    if (!(f >= -max_s && f <= max_s)) {
        skep_aws_wrong(in, key, v, "Member must be a time in seconds since 1970");
        return false;
    }
    /* Whole and fraction apart: a double has not the digits for nanoseconds of today. */
    double whole = floor(f);
    *ret_ns = (int64_t)whole * 1000000000 + (int64_t)((f - whole) * 1e6 + 0.5) * 1000;
    return true;
}

skep_str skep_aws_in_fault(struct skep_aws_in *in, enum skep_aws_cause *ret)
{
    char *text = in->fault;
    if (in->mistyped[0]) {
        *ret = SKEP_AWS_SERIALIZATION;
        return skep_str_c(in->mistyped);
    }
    if (in->n_wrong == 0)
        return SKEP_STR_NULL;
    *ret = SKEP_AWS_INVALID;
    (void)snprintf(text, sizeof in->fault, "%u validation error%s detected: %.*s", in->n_wrong,
                   in->n_wrong == 1 ? "" : "s", (int)in->wrong_n, in->wrong);
    return skep_str_c(text);
}
