// SPDX-License-Identifier: Apache-2.0
/* Literals of a request as typed values.
 *
 * People type 200 and mean every 200 there is, so a literal stands for each type it converts to
 * without loss: the conversion must give back the same text.
 *
 *   "200"    string "200", int 200            "0200"   string alone: 200 would lose the zero
 *   200      int 200, string "200"            1.5      double 1.5, string "1.5"
 *   "true"   string "true", bool true         true     bool true, string "true"
 *   {"int":"9007199254740993"} {"double":"NaN"} {"bytes":"aGk="}   that type alone
 *
 * int and double compare exactly in every engine, so an int needs no double beside it.
 * Threads: none of its own.  Memory: the request's arena. */
#include <math.h>

#include "base/assert.h"
#include "lang/lang_priv.h"
#include "wire/base64.h"
#include "wire/json_out.h"

static skep_value string_value(skep_str s)
{
    return (skep_value){.type = SKEP_TYPE_STRING, .s = s};
}

static skep_value int_value(int64_t i)
{
    return (skep_value){.type = SKEP_TYPE_INT, .i = i};
}

static skep_value double_value(double f)
{
    return (skep_value){.type = SKEP_TYPE_DOUBLE, .f = f};
}

static skep_value bool_value(bool b)
{
    return (skep_value){.type = SKEP_TYPE_BOOL, .b = b};
}

/* The text people see for a double: 1.5, and 3 for 3.0. */
static skep_str double_text(struct skep_arena *arena, double f)
{
    char text[SKEP_JSON_NUMBER_BYTES];
    size_t n = skep_json_f64_text(f, text);
    if (n > 2 && text[n - 2] == '.' && text[n - 1] == '0')
        n -= 2;
    return skep_arena_str(arena, (skep_str){text, n});
}

static skep_str int_text(struct skep_arena *arena, int64_t i)
{
    return skep_arena_printf(arena, "%lld", (long long)i);
}

/* What else the text of a string literal may mean; returns how many values were added. */
static unsigned other_forms(struct skep_arena *arena, skep_str s, skep_value *out)
{
    int64_t i;
    double f;
    if (skep_str_eq(s, SKEP_STR("true")) || skep_str_eq(s, SKEP_STR("false"))) {
        out[0] = bool_value(s.n == 4);
        return 1;
    }
    if (skep_str_i64(s, &i) && skep_str_eq(int_text(arena, i), s)) {
        out[0] = int_value(i);
        return 1;
    }
    if (skep_str_f64(s, &f) && isfinite(f) && skep_str_eq(double_text(arena, f), s)) {
        out[0] = double_value(f);
        return 1;
    }
    return 0;
}

static bool bytes_text(struct skep_arena *arena, skep_str s, skep_str *ret)
{
    size_t cap = s.n / 4 * 3 + 4, n = 0;
    uint8_t *out = skep_arena_alloc(arena, cap);
    if (!skep_base64_decode(s, out, cap, &n))
        return false;
    *ret = (skep_str){(const char *)out, n};
    return true;
}

static bool special_double(skep_str s, double *ret)
{
    if (skep_str_eq(s, SKEP_STR("NaN")))
        *ret = (double)NAN;
    else if (skep_str_eq(s, SKEP_STR("Infinity")))
        *ret = (double)INFINITY;
    else if (skep_str_eq(s, SKEP_STR("-Infinity")))
        *ret = -(double)INFINITY;
    else
        return skep_str_f64(s, ret);
    return true;
}

/* {"int": "..."} and its siblings. */
static skep_rc typed(struct skep_lang__q *q, yyjson_val *v, skep_value *ret)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    yyjson_val *key = yyjson_obj_iter_next(&it);
    yyjson_val *val = key ? yyjson_obj_iter_get_val(key) : NULL;
    if (yyjson_obj_size(v) == 1 && yyjson_is_str(val)) {
        skep_str s = skep_lang__text(q, val);
        *ret = (skep_value){.type = SKEP_TYPE_NULL};
        if (yyjson_equals_str(key, "int") && skep_str_i64(s, &ret->i))
            ret->type = SKEP_TYPE_INT;
        else if (yyjson_equals_str(key, "double") && special_double(s, &ret->f))
            ret->type = SKEP_TYPE_DOUBLE;
        else if (yyjson_equals_str(key, "bytes") && bytes_text(q->arena, s, &ret->s))
            ret->type = SKEP_TYPE_BYTES;
        if (ret->type != SKEP_TYPE_NULL)
            return SKEP_OK;
    }
    return skep_lang__refuse(q, SKEP_LANG_INVALID,
                             "an object as a value is {\"int\":\"...\"}, {\"double\":\"...\"} or "
                             "{\"bytes\":\"base64\"}");
}

skep_rc skep_lang__literal(struct skep_lang__q *q, yyjson_val *v, skep_value out[SKEP_LANG__FORMS],
                           unsigned *ret_n)
{
    skep_assert(v != NULL);
    switch (yyjson_get_tag(v)) {
    case YYJSON_TYPE_STR | YYJSON_SUBTYPE_NONE:
    case YYJSON_TYPE_STR | YYJSON_SUBTYPE_NOESC:
        out[0] = string_value(skep_lang__text(q, v));
        *ret_n = 1 + other_forms(q->arena, out[0].s, out + 1);
        return SKEP_OK;
    case YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_TRUE:
    case YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_FALSE:
        out[0] = bool_value(yyjson_get_bool(v));
        out[1] = string_value(out[0].b ? SKEP_STR("true") : SKEP_STR("false"));
        *ret_n = 2;
        return SKEP_OK;
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_SINT:
        out[0] = int_value(yyjson_get_sint(v));
        out[1] = string_value(int_text(q->arena, out[0].i));
        *ret_n = 2;
        return SKEP_OK;
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_UINT:
        if (yyjson_get_uint(v) > INT64_MAX)
            break;
        out[0] = int_value((int64_t)yyjson_get_uint(v));
        out[1] = string_value(int_text(q->arena, out[0].i));
        *ret_n = 2;
        return SKEP_OK;
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_REAL:
        out[0] = double_value(yyjson_get_real(v));
        out[1] = string_value(double_text(q->arena, out[0].f));
        *ret_n = 2;
        return SKEP_OK;
    default: break;
    }
    if (yyjson_is_obj(v)) {
        *ret_n = 1;
        return typed(q, v, out);
    }
    if (yyjson_is_uint(v))
        return skep_lang__refuse(q, SKEP_LANG_INVALID, "the number does not fit 64 bits");
    return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "use a string, a number or a boolean");
}

skep_rc skep_lang__literal_text(struct skep_lang__q *q, yyjson_val *v, skep_str *ret)
{
    skep_value forms[SKEP_LANG__FORMS];
    unsigned n = 0;
    SKEP_TRY(skep_lang__literal(q, v, forms, &n));
    skep_assert(n > 0 && n <= SKEP_LANG__FORMS);
    for (unsigned i = 0; i < n; i++) {
        if (forms[i].type == SKEP_TYPE_STRING) {
            *ret = forms[i].s;
            return SKEP_OK;
        }
    }
    return skep_lang__refuse(q, SKEP_LANG_INCORRECT_TYPE, "this operator takes a string");
}
