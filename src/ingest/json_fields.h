// SPDX-License-Identifier: Apache-2.0
/* Members of a JSON object as typed fields by dotted names, for the wires of Rollbar, CloudWatch
 * Logs and Honeycomb's events; X-Ray's documents have rules of their own (xray_value.c).
 *
 *   text, bool, int64   as they are; integers above int64's range are doubles
 *   arrays              compact JSON text, type array
 *   objects             their members, names joined by '.'; deeper than `depth` levels: compact
 *                       JSON text, type string
 *   null, NaN           as absent */
#pragma once

#include <yyjson.h>

#include "base/buf.h"
#include "event/event.h"

/* A JSON number as a value: int64, above its range double.  False: it is none (NaN). */
bool skep_json_number(yyjson_val *v, skep_value *ret);

struct skep_json_fields {
    /* Called for each field, in order; slices live for the call. */
    void (*put)(void *ctx, skep_str name, skep_value v);
    void *ctx;
    const yyjson_alc *alc; /* of texts made for a call */
    unsigned depth;        /* levels of objects that are taken apart, from 1 */
    unsigned left;         /* fields that may still be put; counts down */
    struct skep_buf *name; /* scratch; its limit is that of a name: longer ones are left out */
    bool no_memory;        /* a text found no memory: sticky */
};

/* The members of `obj`, behind `prefix` ("custom."; may be empty).  obj may be no object: nothing.
 */
void skep_json_fields_put(struct skep_json_fields *f, skep_str prefix, yyjson_val *obj);
/* One value of any type under a name. */
void skep_json_fields_value(struct skep_json_fields *f, skep_str name, yyjson_val *v);
