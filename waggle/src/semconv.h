// SPDX-License-Identifier: Apache-2.0
/*
 * semconv.h - attributes under their names of today, of before, or both
 */
#ifndef WAGGLE_SEMCONV_H
#define WAGGLE_SEMCONV_H

#include "priv.h"

enum waggle__semconv { WAGGLE__SEMCONV_HTTP, WAGGLE__SEMCONV_DATABASE, WAGGLE__SEMCONV_COUNT };

enum { WAGGLE__NAMES_NOW = 1, WAGGLE__NAMES_BEFORE = 2 };

/* Attributes that are being gathered for one call. */
struct waggle__conv {
    unsigned names; /* WAGGLE__NAMES_* */
    size_t n;
    waggle_kv kv[40];
};

/* Begin, with the names OTEL_SEMCONV_STABILITY_OPT_IN wants for that kind; it is read once. */
void waggle__conv_init(struct waggle__conv *c, enum waggle__semconv kind);

/* Add an attribute; NULL names are left out, and so are NULL texts. */
void waggle__conv_str(struct waggle__conv *c, const char *now, const char *before, const char *s);
void waggle__conv_strn(struct waggle__conv *c, const char *now, const char *before, const char *s,
                       size_t n);
void waggle__conv_i64(struct waggle__conv *c, const char *now, const char *before, int64_t v);

waggle_attrs waggle__conv_attrs(const struct waggle__conv *c);

/* The value of a list such as "http,database/dup": which names for a kind. */
unsigned waggle__semconv_names(const char *list, enum waggle__semconv kind);

/* For tests: read the variable again. */
void waggle__semconv_forget(void);

#endif
