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
/* A decoded value: lists as arrays, maps as objects, bytes as text in base64, empty as null. */
void waggle__json_value(struct waggle__buf *out, const waggle_value_data *v);
void waggle__json_base64(struct waggle__buf *out, waggle_str s);

#endif
