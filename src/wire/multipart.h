// SPDX-License-Identifier: Apache-2.0
/* Bodies of type multipart/form-data: what forms with files are sent as (curl -F). */
#pragma once

#include "base/str.h"

struct skep_multipart {
    skep_str left, boundary;
    bool bad; /* what stands there is no part, or is cut off */
};

struct skep_part {
    skep_str name;     /* as written between the quotes, without their escapes undone */
    skep_str filename; /* the same; empty = none */
    skep_str body;
};

/* content_type  the header with its parameters
 * false: it is another type, or names no boundary. */
bool skep_multipart_begin(skep_str content_type, skep_str body, struct skep_multipart *ret);
/* The next part; false behind the last one, and when the rest is bad.  Slices of the body. */
bool skep_multipart_next(struct skep_multipart *m, struct skep_part *ret);
/* The first part of a name; false without one. */
bool skep_multipart_find(skep_str content_type, skep_str body, skep_str name,
                         struct skep_part *ret);
