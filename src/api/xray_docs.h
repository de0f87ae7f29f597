// SPDX-License-Identifier: Apache-2.0
/* Segment documents of an assembled trace: xray_docs.c, and xray_made.c for those made from rows.
 */
#pragma once

#include "api/api_priv.h"
#include "api/xray_model.h"

/* The trace's segments as the array at hand: [{"Id": ..., "Document": text}].  False when memory
 * ran out: the answer must be thrown away. */
SKEP_NODISCARD bool skep_api__xray_documents(struct skep_json *json,
                                             const struct skep_xray_trace *t);

/* A segment, a subsegment without its children, or an inferred segment, made from its row. */
yyjson_mut_val *skep_api__xray_made(yyjson_mut_doc *doc, const struct skep_xray_trace *t,
                                    int32_t seg);

/* Calls fn for each annotation of a row, at most `max`, in the order of its fields. */
typedef void skep_api__xray_annotation_fn(void *ctx, skep_str key, const skep_value *v);
void skep_api__xray_each_annotation(struct skep_arena *arena, const struct skep_row *row,
                                    skep_api__xray_annotation_fn *fn, void *ctx);
/* Is the attribute said elsewhere in a document than among annotations and metadata? */
bool skep_api__xray_consumed(skep_str name);
