// SPDX-License-Identifier: Apache-2.0
/* How values compare: the one place that says so for filters, orders and havings. */
#pragma once

#include "plan/plan.h"

/* Exact: -1, 0, 1 as i is below, equal to, above f.  f is not NaN. */
int skep_cmp_int_double(int64_t i, double f);

/* Total order of group keys: absent < null < bool < number < string < bytes < array; numbers by
 * value, an integer before an equal double, NaN first among numbers; texts bytewise. */
int skep_value_order(const skep_value *a, const skep_value *b);

/* Does a stored value pass a positive test (EQ LT LE GT GE STARTS ENDS CONTAINS EXISTS; for a
 * negative operator: its positive twin)?  v->type NULL never passes. */
bool skep_value_passes(const struct skep_test *t, const skep_value *v);
