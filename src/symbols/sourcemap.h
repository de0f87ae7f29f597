// SPDX-License-Identifier: Apache-2.0
/* Source maps (revision 3): a place in a bundle -> the place in the file it was made of. */
#pragma once

#include "base/budget.h"
#include "base/str.h"

struct skep_sourcemap;

struct skep_sourcemap_place {
    skep_str file;         /* tidied: without webpack://, ./ and ../ at its beginning */
    skep_str name;         /* what stands there was called so; empty = not said */
    uint32_t source;       /* for skep_sourcemap_line */
    uint32_t line, column; /* from 1 */
};

/* Read a map, also one of sections.
 *
 * json     any bytes; a first line ")]}'" is passed over; not needed afterwards
 * budget   what the map takes, until it is freed; may be NULL
 * Returns  SKEP_OK | SKEP_EMALFORMED (err: where) | SKEP_ELIMIT | SKEP_ENOMEM
 * Owns     caller, skep_sourcemap_free
 * Threads  any; a map does not change once it is read */
SKEP_NODISCARD skep_rc skep_sourcemap_read(skep_str json, struct skep_budget *budget,
                                           struct skep_sourcemap **ret, skep_err *err);
void skep_sourcemap_free(struct skep_sourcemap *m); /* NULL is fine */

/* The original of a place in the bundle: that of the last mapping of the line at or before it.
 * line, column from 1.  false: it has none.  Slices live as long as the map. */
bool skep_sourcemap_find(const struct skep_sourcemap *m, uint32_t line, uint32_t column,
                         struct skep_sourcemap_place *ret);
/* A line (from 1) of an original, without its ending; empty when the map does not hold the text. */
bool skep_sourcemap_line(const struct skep_sourcemap *m, uint32_t source, uint32_t line,
                         skep_str *ret);
/* The text of an original; empty when the map does not hold it. */
skep_str skep_sourcemap_text(const struct skep_sourcemap *m, uint32_t source);
/* Files it was made of. */
uint32_t skep_sourcemap_sources(const struct skep_sourcemap *m);
/* Memory it takes. */
uint64_t skep_sourcemap_bytes(const struct skep_sourcemap *m);
