// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of the Rollbar decoder. */
#pragma once

#include <yyjson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "ingest/json_fields.h"
#include "ingest/rollbar.h"
#include "stack/fingerprint.h"

struct skep_rollbar__dec {
    const struct skep_rollbar_opts *opts;
    struct skep_batch *b;
    yyjson_alc alc;
    yyjson_mut_doc *doc;
    struct skep_rollbar_report *rep;
    bool no_memory;
};

/* A text member; empty when it is absent or something else. */
skep_str skep_rollbar__str(yyjson_val *obj, const char *key);
skep_str skep_rollbar__text(yyjson_val *v);
/* An attribute of the row; empty texts put nothing. */
void skep_rollbar__put(struct skep_rollbar__dec *d, const char *name, skep_str text);
/* The same as an intrinsic field: what skep says of the item. */
void skep_rollbar__put_own(struct skep_rollbar__dec *d, const char *name, skep_str text);
void skep_rollbar__put_int(struct skep_rollbar__dec *d, const char *name, int64_t v);

/* --- rollbar_scrub.c --- */

/* The item's `data` as kept: secrets replaced, addresses filled in, without what lies too deep.
 * NULL: no memory.  Owns: skep_rollbar__dec.alc. */
char *skep_rollbar__kept(struct skep_rollbar__dec *d, yyjson_val *data, size_t *ret_n);

/* Which version of the program it was; empty = not said. */
skep_str skep_rollbar__version(yyjson_val *data);

/* --- rollbar_stack.c --- */

/* The body's exceptions; false: it has none.  In the arena; slices of the document. */
bool skep_rollbar__stack(struct skep_arena *arena, yyjson_val *data, struct skep_stack *ret);
/* Fields of the exception, its place and its fingerprint.  Returns the item's title. */
skep_str skep_rollbar__put_body(struct skep_rollbar__dec *d, yyjson_val *data);
