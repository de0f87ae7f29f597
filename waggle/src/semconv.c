// SPDX-License-Identifier: Apache-2.0
/*
 * semconv.c - which names attributes have, by OTEL_SEMCONV_STABILITY_OPT_IN
 *
 *   unset, http      today's          database the same
 *   http/dup         both
 *   http/old         those of before
 *
 * Threads: any; the variable is read once a kind, and two threads that do it find the same.
 */
#include "semconv.h"

#include <stdlib.h>

static _Atomic unsigned chosen[WAGGLE__SEMCONV_COUNT]; /* 0: not read yet */

unsigned waggle__semconv_names(const char *list, enum waggle__semconv kind)
{
    static const char *const kinds[] = {"http", "database"};
    size_t kind_n = strlen(kinds[kind]);
    unsigned names = WAGGLE__NAMES_NOW;
    while (list != NULL && *list != '\0') {
        list += strspn(list, " ,");
        size_t n = strcspn(list, " ,");
        if (n >= kind_n && memcmp(list, kinds[kind], kind_n) == 0) {
            if (n == kind_n + 4 && memcmp(list + kind_n, "/dup", 4) == 0)
                return WAGGLE__NAMES_NOW | WAGGLE__NAMES_BEFORE; // wins over the others
            if (n == kind_n + 4 && memcmp(list + kind_n, "/old", 4) == 0)
                names = WAGGLE__NAMES_BEFORE;
        }
        list += n;
    }
    return names;
}

void waggle__semconv_forget(void)
{
    for (size_t i = 0; i < WAGGLE__SEMCONV_COUNT; i++)
        atomic_store_explicit(&chosen[i], 0, memory_order_relaxed);
}

void waggle__conv_init(struct waggle__conv *c, enum waggle__semconv kind)
{
    c->n = 0;
    c->names = atomic_load_explicit(&chosen[kind], memory_order_relaxed);
    if (c->names != 0)
        return;
    c->names = waggle__semconv_names(getenv("OTEL_SEMCONV_STABILITY_OPT_IN"), kind);
    atomic_store_explicit(&chosen[kind], c->names, memory_order_relaxed);
}

static void add_named(struct waggle__conv *c, const char *now, const char *before, waggle_value v)
{
    if (now != NULL && (c->names & WAGGLE__NAMES_NOW) && c->n < WAGGLE__COUNT(c->kv))
        c->kv[c->n++] = waggle_kv_value(now, v);
    if (before != NULL && (c->names & WAGGLE__NAMES_BEFORE) && c->n < WAGGLE__COUNT(c->kv))
        c->kv[c->n++] = waggle_kv_value(before, v);
}

void waggle__conv_strn(struct waggle__conv *c, const char *now, const char *before, const char *s,
                       size_t n)
{
    if (s != NULL)
        add_named(c, now, before, waggle_value_strn(s, n));
}

void waggle__conv_str(struct waggle__conv *c, const char *now, const char *before, const char *s)
{
    if (s != NULL)
        waggle__conv_strn(c, now, before, s, strlen(s));
}

void waggle__conv_i64(struct waggle__conv *c, const char *now, const char *before, int64_t v)
{
    add_named(c, now, before, waggle_value_i64(v));
}

waggle_attrs waggle__conv_attrs(const struct waggle__conv *c)
{
    return waggle_attrs_of(c->kv, c->n);
}
