// SPDX-License-Identifier: Apache-2.0
/* What the reference engine's values and filters (refquery.c) lend to its aggregates (refagg.c). */
#pragma once

#include "support/refquery.h"

/* The value of a name in one scope, or null. */
skep_value ref_own_field(const struct skep_batch *b, uint32_t row, skep_str name, uint8_t scope);
bool ref_is_number(const skep_value *v);
long double ref_wide(const skep_value *v);
/* Of one type and equal; NaN is itself. */
bool ref_same(const skep_value *a, const skep_value *b);

static inline char ref_fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}
