// SPDX-License-Identifier: Apache-2.0
/* Canonical names: Honeycomb's column names as a view over scopes and intrinsic columns.
 *
 * A name asked for by a query resolves, per row, to the first of: the attribute of that name, the
 * computed column of this table, the instrumentation field, the resource field.  An
 * INTRINSIC-scoped field (body, status_message ...) ranks with the computed ones. */
#pragma once

#include "event/event.h"

/* How a canonical name is computed from intrinsic columns. */
enum skep_view_how {
    SKEP_VIEW_HEX16,     /* TRACE_ID as hex: 32 digits, 16 when the upper half is zero */
    SKEP_VIEW_HEX8,      /* SPAN_ID / PARENT_ID as 16 hex digits; 0 = absent */
    SKEP_VIEW_STRING,    /* string column; empty = absent */
    SKEP_VIEW_INT,       /* integer column as is */
    SKEP_VIEW_MS,        /* ns column / 1e6 as double; negative = absent */
    SKEP_VIEW_ENUM,      /* integer column through a table of strings; missing = absent */
    SKEP_VIEW_BOOL_EQ,   /* true where column == arg; else absent (error only when it is one) */
    SKEP_VIEW_IS_ROOT,   /* bool, spans only: PARENT_ID == 0 */
    SKEP_VIEW_TIMESTAMP, /* TIME as RFC 3339 with nanoseconds; compared as int ns */
    SKEP_VIEW_ROW_ID     /* "seq-ordinal" */
};

struct skep_view {
    skep_str name;
    enum skep_view_how how;
    enum skep_column column;
    int64_t arg;
    const skep_str *table; /* ENUM: table[value], n entries; empty entry = absent */
    unsigned n_table;
    uint32_t kinds; /* bit (1 << kind): on which kinds the name exists; other rows: absent */
    enum skep_type type;
};

/* The view of a canonical name, or NULL (then it is an ordinary field name).  Names:
 * trace.trace_id, trace.span_id, trace.parent_id, name, parent_name is a stored field,
 * duration_ms, duration_ns, span.kind, type, status_code, error, dataset, service.name is a
 * resource field, severity, severity_code, meta.signal_type, meta.annotation_type, meta.source,
 * meta.kind, SampleRate, flags, is_root, timestamp, meta.received_ns, meta.row_id. */
const struct skep_view *skep_view_find(skep_str name);
/* All views, for field lists; *ret_n of them, ordered by name. */
const struct skep_view *skep_view_all(size_t *ret_n);
