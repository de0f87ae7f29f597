// SPDX-License-Identifier: Apache-2.0
/* Which function of a JavaScript or TypeScript text a place lies in: source maps do not say it. */
#pragma once

#include "base/str.h"

/* The name of the innermost function with braces around a byte of the text, by what its header
 * says: declarations, methods, functions and arrows that are given a name.  Empty: an anonymous
 * one, or none.  A slice of the text.
 * Cost: one pass over the text before the place. */
skep_str skep_enclosing_function(skep_str text, size_t at);
/* Where a line and column (from 1) stand; SIZE_MAX: not in the text. */
size_t skep_enclosing_offset(skep_str text, uint32_t line, uint32_t column);
