// SPDX-License-Identifier: Apache-2.0
/*
 * json.h - writing JSON
 */
#ifndef WAGGLE_JSON_H
#define WAGGLE_JSON_H

#include "sdk_priv.h"

void waggle__json_text(struct waggle__buf *out, waggle_str s);
/* Finite doubles; others become strings as proto3 names them. */
void waggle__json_double(struct waggle__buf *out, double v);
/* A finite double with as few digits as say it exactly, in any locale. */
const char *waggle__shortest_double(double v, char ret_text[40]);
/* A decoded value: lists as arrays, maps as objects, bytes as text in base64, empty as null. */
void waggle__json_value(struct waggle__buf *out, const waggle_value_data *v);
void waggle__json_base64(struct waggle__buf *out, waggle_str s);

/* An object that is being written. */
struct waggle__obj {
    struct waggle__buf *out;
    bool any; /* has a member */
};

struct waggle__obj waggle__obj_begin(struct waggle__buf *out);
void waggle__obj_end(struct waggle__obj *o);
/* A member's name; its value is to be written next. */
void waggle__obj_key(struct waggle__obj *o, waggle_str key);
/* A text of at most `max` bytes; left out if it is empty. */
void waggle__obj_text(struct waggle__obj *o, const char *key, waggle_str value, size_t max);

/* At most `max` bytes, whole characters. */
waggle_str waggle__str_cut(waggle_str s, size_t max);

static inline waggle_str waggle__str(const char *s)
{
    return (waggle_str){s, strlen(s)};
}

#endif
