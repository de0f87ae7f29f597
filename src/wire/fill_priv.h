// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of templates: the values and the functions. */
#pragma once

#include "wire/fill.h"

enum { SKEP_FILL__ARGS = 16 };

/* Values live in one document; NULL is "no value".  A failure of memory is a NULL, too, and shows
 * in `alc`'s budget. */
struct skep_fill__args {
    yyjson_mut_doc *doc;
    yyjson_mut_val *v[SKEP_FILL__ARGS];
    size_t n;
    const char *bad; /* set by a function: what is wrong with its arguments */
};

struct skep_fill__function {
    const char *name;
    size_t min, max; /* arguments */
    yyjson_mut_val *(*call)(struct skep_fill__args *a);
};
/* NULL = there is none of this name. */
const struct skep_fill__function *skep_fill__function(skep_str name);

bool skep_fill__true(yyjson_mut_val *v);
/* As print has it. */
void skep_fill__print(struct skep_buf *out, yyjson_mut_doc *doc, yyjson_mut_val *v);
yyjson_mut_val *skep_fill__text(yyjson_mut_doc *doc, skep_str s);
