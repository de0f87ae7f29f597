// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/value.h - typed values and attributes
 *
 * A waggle_kv is a key with a typed value; it borrows what it points to. waggle_attrs is a borrowed
 * array of them, made in place:
 *
 *     waggle_span_set(s, WAGGLE_ATTRS(waggle_kv_str("user.id", id), waggle_kv_bool("cached",
 * true)));
 *
 * No memory is taken anywhere here. Strings should be UTF-8; bytes that are not become U+FFFD where
 * they are recorded. A NULL string is recorded as an empty value.
 */
#ifndef WAGGLE_VALUE_H
#define WAGGLE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

enum waggle_type {
    WAGGLE_EMPTY = 0,
    WAGGLE_STR = 1,
    WAGGLE_BOOL = 2,
    WAGGLE_I64 = 3,
    WAGGLE_F64 = 4,
    WAGGLE_BYTES = 5,
    WAGGLE_STRS = 6, /* arrays of one type */
    WAGGLE_BOOLS = 7,
    WAGGLE_I64S = 8,
    WAGGLE_F64S = 9,
    WAGGLE_LIST = 10, /* any values */
    WAGGLE_MAP = 11   /* keys and any values */
};

struct waggle_kv;

typedef struct waggle_value {
    uint32_t type; /* enum waggle_type */
    uint32_t n;    /* bytes of a string or of bytes, elements of an array, list or map */
    union {
        const char *str;
        bool boolean;
        int64_t i64;
        double f64;
        const void *bytes;
        const char *const *strs; /* NUL-terminated; NULL is an empty value */
        const bool *bools;
        const int64_t *i64s;
        const double *f64s;
        const struct waggle_value *list;
        const struct waggle_kv *map;
    } as;
} waggle_value;

typedef struct waggle_kv {
    const char *key; /* key_n bytes, need not end with NUL */
    uint32_t key_n;
    uint32_t reserved; /* 0 */
    waggle_value value;
} waggle_kv;

/* A borrowed array of attributes. */
typedef struct waggle_attrs {
    const waggle_kv *p;
    size_t n;
} waggle_attrs;

/* --- values -------------------------------------------------------------------------------- */

/* Lengths beyond 4 GiB are cut: nothing of that size is ever recorded. */
static inline uint32_t waggle__u32(size_t n)
{
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static inline waggle_value waggle_value_of(enum waggle_type type, size_t n)
{
    waggle_value v;
    v.type = (uint32_t)type;
    v.n = waggle__u32(n);
    v.as.i64 = 0;
    return v;
}

static inline waggle_value waggle_value_empty(void)
{
    return waggle_value_of(WAGGLE_EMPTY, 0);
}

static inline waggle_value waggle_value_strn(const char *s, size_t n)
{
    waggle_value v = waggle_value_of(s ? WAGGLE_STR : WAGGLE_EMPTY, n);
    v.as.str = s;
    return v;
}

static inline waggle_value waggle_value_str(const char *s)
{
    return waggle_value_strn(s, s ? strlen(s) : 0);
}

static inline waggle_value waggle_value_bool(bool b)
{
    waggle_value v = waggle_value_of(WAGGLE_BOOL, 0);
    v.as.boolean = b;
    return v;
}

static inline waggle_value waggle_value_i64(int64_t i)
{
    waggle_value v = waggle_value_of(WAGGLE_I64, 0);
    v.as.i64 = i;
    return v;
}

static inline waggle_value waggle_value_f64(double f)
{
    waggle_value v = waggle_value_of(WAGGLE_F64, 0);
    v.as.f64 = f;
    return v;
}

static inline waggle_value waggle_value_bytes(const void *p, size_t n)
{
    waggle_value v = waggle_value_of(WAGGLE_BYTES, p ? n : 0);
    v.as.bytes = p;
    return v;
}

static inline waggle_value waggle_value_strs(const char *const *p, size_t n)
{
    waggle_value v = waggle_value_of(WAGGLE_STRS, p ? n : 0);
    v.as.strs = p;
    return v;
}

static inline waggle_value waggle_value_bools(const bool *p, size_t n)
{
    waggle_value v = waggle_value_of(WAGGLE_BOOLS, p ? n : 0);
    v.as.bools = p;
    return v;
}

static inline waggle_value waggle_value_i64s(const int64_t *p, size_t n)
{
    waggle_value v = waggle_value_of(WAGGLE_I64S, p ? n : 0);
    v.as.i64s = p;
    return v;
}

static inline waggle_value waggle_value_f64s(const double *p, size_t n)
{
    waggle_value v = waggle_value_of(WAGGLE_F64S, p ? n : 0);
    v.as.f64s = p;
    return v;
}

static inline waggle_value waggle_value_list(const waggle_value *p, size_t n)
{
    waggle_value v = waggle_value_of(WAGGLE_LIST, p ? n : 0);
    v.as.list = p;
    return v;
}

static inline waggle_value waggle_value_map(const waggle_kv *p, size_t n)
{
    waggle_value v = waggle_value_of(WAGGLE_MAP, p ? n : 0);
    v.as.map = p;
    return v;
}

/* --- attributes ---------------------------------------------------------------------------- */

static inline waggle_kv waggle_kv_value(const char *key, waggle_value value)
{
    waggle_kv kv;
    kv.key = key;
    kv.key_n = key ? waggle__u32(strlen(key)) : 0;
    kv.reserved = 0;
    kv.value = value;
    return kv;
}

static inline waggle_kv waggle_kv_str(const char *key, const char *s)
{
    return waggle_kv_value(key, waggle_value_str(s));
}

static inline waggle_kv waggle_kv_strn(const char *key, const char *s, size_t n)
{
    return waggle_kv_value(key, waggle_value_strn(s, n));
}

static inline waggle_kv waggle_kv_bool(const char *key, bool b)
{
    return waggle_kv_value(key, waggle_value_bool(b));
}

static inline waggle_kv waggle_kv_i64(const char *key, int64_t i)
{
    return waggle_kv_value(key, waggle_value_i64(i));
}

static inline waggle_kv waggle_kv_f64(const char *key, double f)
{
    return waggle_kv_value(key, waggle_value_f64(f));
}

static inline waggle_kv waggle_kv_bytes(const char *key, const void *p, size_t n)
{
    return waggle_kv_value(key, waggle_value_bytes(p, n));
}

static inline waggle_kv waggle_kv_strs(const char *key, const char *const *p, size_t n)
{
    return waggle_kv_value(key, waggle_value_strs(p, n));
}

static inline waggle_kv waggle_kv_bools(const char *key, const bool *p, size_t n)
{
    return waggle_kv_value(key, waggle_value_bools(p, n));
}

static inline waggle_kv waggle_kv_i64s(const char *key, const int64_t *p, size_t n)
{
    return waggle_kv_value(key, waggle_value_i64s(p, n));
}

static inline waggle_kv waggle_kv_f64s(const char *key, const double *p, size_t n)
{
    return waggle_kv_value(key, waggle_value_f64s(p, n));
}

static inline waggle_kv waggle_kv_list(const char *key, const waggle_value *p, size_t n)
{
    return waggle_kv_value(key, waggle_value_list(p, n));
}

static inline waggle_kv waggle_kv_map(const char *key, const waggle_kv *p, size_t n)
{
    return waggle_kv_value(key, waggle_value_map(p, n));
}

/* Attributes from an array that is already there. */
static inline waggle_attrs waggle_attrs_of(const waggle_kv *p, size_t n)
{
    waggle_attrs a;
    a.p = p;
    a.n = p ? n : 0;
    return a;
}

#ifdef __cplusplus
}

#include <initializer_list>

/* Valid until the end of the full expression, as a compound literal in an argument is. */
static inline waggle_attrs waggle__attrs_of(std::initializer_list<waggle_kv> l)
{
    return waggle_attrs_of(l.begin(), l.size());
}
#define WAGGLE_ATTRS(...) waggle__attrs_of({__VA_ARGS__})
#define WAGGLE_NO_ATTRS   waggle_attrs()
#else
/* Attributes made in place; the arguments are evaluated once. */
#define WAGGLE_ATTRS(...)                                                                          \
    waggle_attrs_of((const waggle_kv[]){__VA_ARGS__},                                              \
                    sizeof((const waggle_kv[]){__VA_ARGS__}) / sizeof(waggle_kv))
#define WAGGLE_NO_ATTRS ((waggle_attrs){NULL, 0})
#endif

#endif
